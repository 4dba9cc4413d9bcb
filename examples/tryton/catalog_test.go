package tryton

import (
	"testing"

	"github.com/gapless/gapless/catalog"
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
	for _, command := range c.Commands() {
		file := "mappings/" + command.System + "/" + command.Definition.Command + ".yaml"
		if cases[file] < 1 {
			t.Errorf("%s has no case", file)
		}
	}
}
