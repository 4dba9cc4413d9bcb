package threeplants

import (
	"strings"
	"testing"

	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/examples/three-plants/simulator"
)

func TestTheCatalogIsInOrderAndItsCasesPass(t *testing.T) {
	c, findings := catalog.Load(Catalog())
	for _, f := range findings {
		t.Errorf("%s", f)
	}
	if c == nil {
		t.FailNow()
	}
	cases := map[string]int{}
	for _, result := range c.Test() {
		if !result.Passed {
			t.Errorf("%s", result)
		}
		cases[result.File]++
	}
	for _, m := range c.Messages() {
		file := "mappings/" + m.System + "/" + m.Definition.Message + ".yaml"
		if cases[file] < 2 {
			t.Errorf("%s has %d cases, want one that passes and one that fails", file, cases[file])
		}
	}
	for _, system := range simulator.SystemNames() {
		if _, ok := c.System(system); !ok {
			t.Errorf("the catalog has no system %s", system)
		}
	}
	for _, s := range c.Systems() {
		if !strings.Contains(strings.Join(simulator.SystemNames(), " "), s.System) {
			t.Errorf("nobody simulates %s", s.System)
		}
	}
}
