package catalog

import "testing"

func TestTheStandardCatalogLintsAndItsExamplesHold(t *testing.T) {
	c, findings := Load(Standard())
	for _, f := range findings {
		t.Error(f)
	}
	if c == nil {
		return
	}
	results := c.Test()
	for _, r := range results {
		if !r.Passed {
			t.Error(r)
		}
	}
	if len(results) < 2*len(c.Contracts()) {
		t.Errorf("%d examples for %d contracts", len(results), len(c.Contracts()))
	}
}
