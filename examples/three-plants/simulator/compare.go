package simulator

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/gapless/gapless/event"
)

// A Disagreement is one thing that two systems of the company hold to be different,
// though both should know it.
type Disagreement struct {
	System string `json:"system"` // that does not have what it should
	About  string `json:"about"`  // "receipt", "status", "good" or "scrap"
	Plant  string `json:"plant"`
	Lot    string `json:"lot,omitempty"`
	Order  string `json:"order,omitempty"`
	Want   string `json:"want"` // by those who made it or decided
	Got    string `json:"got"`
}

// Compare tells where the books of the systems disagree. It knows no hub: what a lot
// comes to, the MES of its plant says, and what may be done with it, quality. The ERP
// and the warehouse must have it so, the ERP by one receipt for each lot, corrected
// and reversed where it was.
func Compare(all []Books) []Disagreement {
	c := &comparison{lots: map[lotKey]Lot{}, decided: map[lotKey]Lot{}}
	var erp Books
	for _, b := range all {
		switch b.Kind {
		case kindERP:
			erp = b
		case kindMES:
			c.orders = append(c.orders, b.Orders...)
			for _, l := range b.Lots {
				c.lots[lotKey{l.Plant, l.Material, l.Lot}] = l
			}
		case kindQMS:
			for _, l := range b.Lots {
				c.decided[lotKey{l.Plant, l.Material, l.Lot}] = l
			}
		}
	}
	c.receipts(erp)
	c.orderBooks(erp)
	for _, b := range all {
		if b.Kind == kindERP || b.Kind == kindWMS {
			c.statuses(b)
		}
	}
	slices.SortFunc(c.found, func(a, b Disagreement) int {
		return cmp.Or(cmp.Compare(a.System, b.System), cmp.Compare(a.About, b.About), cmp.Compare(a.Lot, b.Lot), cmp.Compare(a.Order, b.Order))
	})
	return c.found
}

type comparison struct {
	lots    map[lotKey]Lot // that stand
	decided map[lotKey]Lot
	orders  []Order
	found   []Disagreement
}

// receipts wants one receipt for each lot that stands, and what it comes to.
func (c *comparison) receipts(erp Books) {
	sums, counts := map[lotKey]event.Decimal{}, map[lotKey]int{}
	for i := range erp.Postings {
		p := &erp.Postings[i]
		k := lotKey{p.Plant, p.Material, p.Lot}
		switch p.Movement {
		case Receipt:
			counts[k]++
			sums[k] = sums[k].Add(p.Quantity)
		case Correction, Reversal:
			sums[k] = sums[k].Add(p.Quantity)
			if p.Movement == Reversal {
				counts[k]--
			}
		default: // no receipt
		}
	}
	for k, l := range c.lots {
		want, got := "1 of "+l.Quantity.String(), fmt.Sprintf("%d of %s", counts[k], sums[k])
		if want != got {
			c.found = append(c.found, Disagreement{System: erp.System, About: "receipt", Plant: k.plant, Lot: k.lot, Order: l.Order, Want: want, Got: got})
		}
	}
	for k, n := range counts {
		if _, stands := c.lots[k]; !stands && (n != 0 || !sums[k].IsZero()) {
			c.found = append(c.found, Disagreement{System: erp.System, About: "receipt", Plant: k.plant, Lot: k.lot, Want: "none", Got: fmt.Sprintf("%d of %s", n, sums[k])})
		}
	}
}

func (c *comparison) orderBooks(erp Books) {
	known := map[string]Order{}
	for _, o := range erp.Orders {
		known[o.Order] = o
	}
	for _, o := range c.orders {
		for about, pair := range map[string][2]event.Decimal{"good": {o.Good, known[o.Order].Good}, "scrap": {o.Scrap, known[o.Order].Scrap}} {
			if !pair[0].Equal(pair[1]) {
				c.found = append(c.found, Disagreement{System: erp.System, About: about, Plant: o.Plant, Order: o.Order, Want: pair[0].String(), Got: pair[1].String()})
			}
		}
	}
}

// statuses wants the stock of every lot as quality has it. Lots that were bought are
// no business of quality here.
func (c *comparison) statuses(b Books) {
	got := map[lotKey]map[Status]event.Decimal{}
	for _, s := range b.Stock {
		k := lotKey{s.Plant, s.Material, s.Lot}
		if got[k] == nil {
			got[k] = map[Status]event.Decimal{}
		}
		got[k][s.Status] = s.Quantity
	}
	for k, l := range c.lots {
		if b.Kind == kindWMS && b.System != k.plant+"-wms" {
			continue
		}
		want := wantedStock(l, c.decided[k])
		if a, b2 := stockText(want), stockText(got[k]); a != b2 {
			c.found = append(c.found, Disagreement{System: b.System, About: "status", Plant: k.plant, Lot: k.lot, Order: l.Order, Want: a, Got: b2})
		}
	}
}

// wantedStock is what there is of a lot, by what quality decided. What no part of a
// decision names stays in quality.
func wantedStock(l, decided Lot) map[Status]event.Decimal {
	status := decided.Status
	if decided.Lot == "" {
		status = Quality
	}
	if status != "" {
		return map[Status]event.Decimal{status: l.Quantity}
	}
	want, rest := map[Status]event.Decimal{}, l.Quantity
	for _, p := range decided.Parts {
		want[p.Status] = want[p.Status].Add(p.Quantity.Value)
		rest = rest.Sub(p.Quantity.Value)
	}
	want[Quality] = rest
	return want
}

func stockText(stock map[Status]event.Decimal) string {
	var parts []string
	for _, status := range []Status{Free, Quality, Blocked} {
		if d := stock[status]; !d.IsZero() {
			parts = append(parts, string(status)+" "+d.String())
		}
	}
	return strings.Join(parts, ", ")
}
