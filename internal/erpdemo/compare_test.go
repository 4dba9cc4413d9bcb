package main

import (
	"strings"
	"testing"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/internal/erp"
)

// reported is a demo of which one order was reported.
func reported(t *testing.T) *demo {
	t.Helper()
	d := &demo{books: newBooks()}
	m := d.books.order("MO1", "P100", "SF-3001")
	d.books.use(m, "RM-1001", "A", must("85.125"))
	d.books.give(m, "L1", must("98.5"), must("1.5"), erp.Hold)
	return d
}

// posted is what the ERP has of it, with so much good.
func posted(good string) *reading {
	r := &reading{stock: map[erp.Spot]event.Decimal{}, orders: map[string]*made{}}
	for _, m := range []erp.Move{
		{Item: "RM-1001", Lot: "A", Quantity: must("85.125"), From: "P100-STO", To: "P100-PRD", Order: "MO1"},
		{Item: "SF-3001", Lot: "L1", Quantity: must(good), From: "P100-PRD", To: "P100-QH", Order: "MO1", Output: true},
		{Item: "SF-3001", Lot: "L1", Quantity: must("1.5"), From: "P100-PRD", To: "P100-SCRAP", Order: "MO1", Output: true},
	} {
		r.post(m)
	}
	r.productions = []erp.Production{{Number: "MO1", State: "done"}}
	return r
}

func TestTheBooksAreComparedByOrderAndByPlace(t *testing.T) {
	for _, c := range []struct {
		name                        string
		reading                     *reading
		different, doubled, missing int
	}{
		{"equal", posted("98.5"), 0, 0, 0},
		{"a gram too much", posted("98.501"), 2, 1, 0},
		{"a gram too little", posted("98.499"), 2, 0, 1},
		{"nothing at all", &reading{productions: []erp.Production{{Number: "MO1", State: "waiting"}}}, 5, 0, 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			d, v := reported(t), &verdict{}
			d.compareOrders(v, c.reading)
			d.compareStock(v, c.reading)
			if len(v.different) != c.different || len(v.doubled) != c.doubled || len(v.missing) != c.missing {
				t.Errorf("different %q, doubled %q, missing %q", v.different, v.doubled, v.missing)
			}
		})
	}
}

func TestDocumentsOfOneKeyAreDoneOnceAndDraftsAreNoneLeft(t *testing.T) {
	key := strings.Repeat("8f3c0a6e", 4)
	d, v := reported(t), &verdict{}
	d.compareDocuments(v, &reading{documents: []erp.Document{
		{Number: "INT1", State: "done", Reference: key + " lot.released"},
		{Number: "INT2", State: "done", Reference: key + " lot.released"},
		{Number: "INT3", State: "draft", Reference: strings.Repeat("0", 32)},
		{Number: "INT4", State: "draft", Reference: "by hand"},
	}})
	if len(v.doubled) != 1 || len(v.different) != 1 || !strings.HasPrefix(v.different[0], "INT3") {
		t.Errorf("doubled %q, different %q", v.doubled, v.different)
	}
}
