package tryton

import (
	"strings"
	"testing"
)

func TestATransferNamesOnePlaceOrSeveralAndAllOfALot(t *testing.T) {
	lot := []any{map[string]any{"product": "SF-3001", "lot": "L1"}}
	for _, c := range []struct {
		name    string
		request map[string]any
		from    string // of a good one
		wrong   string // in the error of a bad one
	}{
		{"one place", map[string]any{"do": "transfer", "from": "P100-QH", "to": "P100-STO", "lines": lot}, "P100-QH", ""},
		{"several places", map[string]any{"do": "transfer", "from": []any{"P100-QH", "P100-REJ"}, "to": "P100-STO", "lines": lot}, "P100-QH, P100-REJ", ""},
		{"no place", map[string]any{"do": "transfer", "from": "", "to": "P100-STO", "lines": lot}, "", "from: it is missing"},
		{"a place that is a number", map[string]any{"do": "transfer", "from": 7, "to": "P100-STO", "lines": lot}, "", "a location is a text"},
		{"half a quantity", map[string]any{"do": "transfer", "from": "P100-QH", "to": "P100-STO", "lines": []any{map[string]any{"product": "SF-3001", "lot": "L1", "unit": "kg"}}}, "", "quantity: it is missing"},
		{"all of what is issued", map[string]any{"do": "issue", "order": "MO000001", "lines": lot}, "", "unit: it is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := requestOf(c.request)
			switch {
			case c.wrong != "" && (err == nil || !strings.Contains(err.Error(), c.wrong)):
				t.Errorf("error %v, want %q", err, c.wrong)
			case c.wrong == "" && (err != nil || r.From.String() != c.from || !r.Lines[0].whole()):
				t.Errorf("request %+v, error %v", r, err)
			}
		})
	}
}
