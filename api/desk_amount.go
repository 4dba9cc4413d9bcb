package api

import (
	"regexp"
	"strings"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/ledger"
)

// amountText is a comparison with an amount: ">=100 kg", "scrap > 2.5 KGM".
var amountText = regexp.MustCompile(`^\s*([a-z][a-z-]*)?\s*(>=|<=|>|<|=)\s*(\S+)\s+(\S.*?)\s*$`)

// amountFilter reads such a comparison. The amount is in a base unit then.
func amountFilter(text string) (*ledger.AmountFilter, error) {
	parts := amountText.FindStringSubmatch(text)
	if parts == nil {
		return nil, invalid("amount", `%.60q; compare with a number and a unit, as in ">=100 kg" or "scrap > 2.5 KGM"`, text)
	}
	unit, err := unitNamed(parts[4])
	if err != nil {
		return nil, err
	}
	q, err := event.NewQuantity(parts[3], unit)
	if err != nil {
		return nil, invalid("amount", "%v", err)
	}
	base, _, err := event.Base(q, nil, "", "", time.Time{})
	if err != nil {
		return nil, invalid("amount", "%v", err)
	}
	return &ledger.AmountFilter{Measure: parts[1], Than: parts[2], Amount: base}, nil
}

// unitNamed finds the code of a unit by its code, or by a symbol that one unit in use has.
func unitNamed(text string) (string, error) {
	if _, ok := event.LookupUnit(text); ok {
		return text, nil
	}
	var codes []string
	for _, u := range event.Units() {
		if u.Symbol == text && u.Status == event.UnitActive {
			codes = append(codes, u.Code)
		}
	}
	switch len(codes) {
	case 0:
		return "", invalid("amount", "%.40q is no unit: give a code such as KGM, or a symbol such as kg; docs/units.md lists them", text)
	case 1:
		return codes[0], nil
	}
	return "", invalid("amount", "%.40q is the symbol of several units: give one of the codes %s", text, strings.Join(codes, ", "))
}

// addRawPlants says in whose raw content may be searched. It is an error where that is
// none.
func addRawPlants(f *ledger.DeskFilter, who caller) error {
	if f.Content == "" || who.Can(ledger.SeeRaw, "") {
		return nil
	}
	f.ContentPlants = []string{}
	for _, g := range who.Grants {
		if g.Plant != "" && who.Can(ledger.SeeRaw, g.Plant) {
			f.ContentPlants = append(f.ContentPlants, g.Plant)
		}
	}
	if len(f.ContentPlants) == 0 {
		return forbidden("searching in raw content needs the role quality or steward at a plant")
	}
	return nil
}
