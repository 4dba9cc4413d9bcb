package tryton_test

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/connector/tryton"
)

var (
	_ connector.Source = (*tryton.System)(nil)
	_ connector.Stater = (*tryton.System)(nil)
	_ connector.Lookup = (*tryton.System)(nil)
)

func TestStockAndOrdersAreStatedAndSaidToBeOfOneMoment(t *testing.T) {
	e := open(t)
	order := e.order()
	var stock []connector.StockLine
	statement, err := e.system.StateStock(t.Context(), func(l connector.StockLine) error { stock = append(stock, l); return nil })
	if err != nil || !statement.Consistent || statement.Lines != len(stock) {
		t.Fatalf("%+v, %v", statement, err)
	}
	at := slices.IndexFunc(stock, func(l connector.StockLine) bool { return l.Lot == "RM-1001-2610-A" && l.Location == "P100-STO" })
	if at < 0 || stock[at].Quantity != e.stock("RM-1001-2610-A", "P100-STO") || stock[at].Unit != "kg" || stock[at].Product != "RM-1001" {
		t.Errorf("the lot is stated as %v", stock)
	}
	if !slices.ContainsFunc(stock, func(l connector.StockLine) bool {
		return l.Product == "PK-2003" && l.Lot == "" && l.Location == "P300-STO"
	}) {
		t.Error("what is kept without lots is not stated")
	}
	var orders []connector.OrderLine
	statement, err = e.system.StateOrders(t.Context(), func(l connector.OrderLine) error { orders = append(orders, l); return nil })
	if err != nil || !statement.Consistent {
		t.Fatalf("%+v, %v", statement, err)
	}
	want := connector.OrderLine{Number: order, State: "waiting", Product: "SF-3001", Quantity: "10", Unit: "kg", Key: e.outside.name("1")[:32]}
	if !slices.Contains(orders, want) {
		t.Errorf("%v is not among %v", want, orders)
	}
}

func TestAStatementSaysThatSomethingWasPostedMeanwhile(t *testing.T) {
	e := open(t)
	posted := false
	statement, err := e.system.StateStock(t.Context(), func(connector.StockLine) error {
		if !posted {
			posted = true
			e.applies(`{"do": "count", "location": "P300-OUT", "lines": [{"product": "PK-2003", "quantity": "1", "unit": "u"}]}`)
			e.applies(`{"do": "count", "location": "P300-OUT", "lines": [{"product": "PK-2003", "quantity": "0", "unit": "u"}]}`)
		}
		return nil
	})
	if err != nil || statement.Consistent || statement.Why == "" {
		t.Errorf("%+v, %v", statement, err)
	}
}

func TestOneObjectIsShownWithTheTimeAtWhichItWasRead(t *testing.T) {
	e := open(t)
	for kind, id := range map[string]string{"order": "MO000001", "product": "RM-1001", "unit": "kg", "location": "P100-QH", "lot": "RM-1001/RM-1001-2610-A"} {
		looked, err := e.system.Look(t.Context(), kind, id)
		if err != nil || !looked.Found || !looked.Read.Equal(e.outside.Now()) {
			t.Errorf("%s: %+v, %v", kind, looked, err)
		}
	}
	looked, err := e.system.Look(t.Context(), "lot", "RM-1001/RM-1001-2610-A")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff("kg", looked.Value["unit"]); diff != "" {
		t.Error(diff)
	}
	if looked, err := e.system.Look(t.Context(), "product", "NONE"); err != nil || looked.Found || looked.Read.IsZero() {
		t.Errorf("%+v, %v", looked, err)
	}
	if _, err := e.system.Look(t.Context(), "party", "1"); err == nil {
		t.Error("a kind that there is not is shown")
	}
}
