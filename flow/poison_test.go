package flow_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/internal/testpostgres"
	"github.com/gapless/gapless/ledger"
)

// poisons are events that are well formed, and of which something ends in a text or
// number column that a database could refuse; and what becomes of each.
func poisons() map[string]struct {
	e    doc
	want string
} {
	identified := func(id string) doc { return material("poison", id, "material/M-1", "") }
	quantity := func(value, unit string) doc {
		return made("poison", "1", "1", doc{"data": doc{
			"order": "order/1", "outputs": []any{doc{"role": "main", "material": "material/M-1", "quantity": doc{"value": value, "unit": unit}}},
		}})
	}
	return map[string]struct {
		e    doc
		want string
	}{
		"an identifier with NUL":          {identified("A\x00B"), "held ref_invalid"},
		"an identifier with an escape":    {identified("A\x1b[0mB"), "held ref_invalid"},
		"a field name with NUL":           {made("poison", "1", "1", doc{"data": doc{"a\x00b": 1}}), "refused not_readable"},
		"a field name of 10,000 letters":  {made("poison", "1", "1", doc{"data": doc{strings.Repeat("x", 10_000): 1}}), "held contract_broken"},
		"an attribute name with NUL":      {made("poison", "1", "1", doc{"a\x00b": "1"}), "refused not_readable"},
		"an attribute of text with NUL":   {made("poison", "1", "1", doc{"myextension": "a\x00b"}), "recorded"},
		"a correlation with NUL":          {made("poison", "1", "1", doc{"correlationid": "a\x00b"}), "held attribute_invalid"},
		"a plant with NUL":                {made("poison", "1", "1", doc{"plant": "gr\x00az"}), "held attribute_invalid"},
		"a type with NUL":                 {made("poison", "1", "1", doc{"type": "a\x00b"}), "held attribute_invalid"},
		"a time with NUL":                 {made("poison", "1", "1", doc{"time": "a\x00b"}), "held attribute_invalid"},
		"a subject with NUL":              {made("poison", "1", "1", doc{"subject": "order/\x001"}), "held attribute_invalid"},
		"prose with NUL":                  {cloud("graz-mes", "poison", "scrap.declared", "2026-03-02T08:00:00Z", doc{"order": "order/1", "material": "material/M-1", "reason": "scratch", "text": "a\x00b", "quantity": doc{"value": "1", "unit": "H87"}}), "recorded"},
		"a quantity too large to add up":  {quantity("999999999999", "TNE"), "held quantity_invalid"},
		"the largest quantity":            {quantity("9223372036854", "KGM"), "held quantity_invalid"},
		"a sequence of 10,000 digits":     {made("poison", "1", "1", doc{"sequence": strings.Repeat("9", 10_000)}), "held attribute_invalid"},
		"a correlation of 10,000 letters": {made("poison", "1", "1", doc{"correlationid": strings.Repeat("c", 10_000)}), "held attribute_invalid"},
		"a correction of a name with NUL": {made("poison", "1", "1", corrects("a\x00b")), "held attribute_invalid"},
		"a code with NUL":                 {cloud("graz-mes", "poison", "scrap.declared", "2026-03-02T08:00:00Z", doc{"order": "order/1", "material": "material/M-1", "reason": "a\x00b", "quantity": doc{"value": "1", "unit": "H87"}}), "held code_unknown"},
		"a date that no calendar has":     {bill("poison", "B", "2026-13-45", "1"), "held time_invalid"},
		"a validity before the year 0001": {bill("poison", "B", "0000-01-01", "1"), "recorded"},
		"a validity of the year 0001":     {bill("poison", "B", "0001-01-01", "1"), "recorded"},
	}
}

// onePoisoned takes 512 events in of which one may be poison.
func onePoisoned(t *testing.T, open func(t *testing.T) *hub) {
	for name, x := range poisons() {
		t.Run(name, func(t *testing.T) {
			h := open(t)
			source, _ := x.e["source"].(string)
			var batch []doc
			for i := range 511 {
				e := made(fmt.Sprintf("e%d", i), "1", "1")
				if source == "erp" {
					e = cloud("erp", fmt.Sprintf("e%d", i), "order.released", "2026-03-01T08:00:00Z", doc{"order": fmt.Sprintf("order/%d", i), "type": "production"})
				}
				if batch = append(batch, e); i == 300 {
					batch = append(batch, x.e)
				}
			}
			answers, err := h.take(events(t, key(source), batch...))
			if err != nil {
				t.Fatal(err)
			}
			good := 0
			for i, a := range answers {
				switch {
				case i == 301:
					if got := outcome(a); got != x.want {
						t.Errorf("the one: %s, want %s", got, x.want)
						if f := faultOf(a); f != nil {
							t.Log(f.Text())
						}
					}
				case a.Outcome == ledger.Recorded:
					good++
				}
			}
			if good != 511 {
				t.Errorf("%d of the 511 others are acknowledged", good)
			}
			h.verified()
		})
	}
}

func TestOneMessageThatCannotBeStoredLeavesTheOthersAlone(t *testing.T) {
	t.Parallel()
	onePoisoned(t, func(t *testing.T) *hub {
		return hubOn(t, flow.Config{Catalog: company(t, nil), Ledger: ledger.Config{Database: filepath.Join(t.TempDir(), "gapless.db")}})
	})
}

func TestOneMessageThatCannotBeStoredLeavesTheOthersAloneOnPostgreSQL(t *testing.T) {
	t.Parallel()
	onePoisoned(t, func(t *testing.T) *hub {
		return hubOn(t, flow.Config{Catalog: company(t, nil), Ledger: ledger.Config{Database: testpostgres.Database(t)}})
	})
}
