package tryton_test

import (
	"strings"
	"testing"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/connector/tryton"
	"github.com/gapless/gapless/fault"
)

// id is that of the record of a name.
func (e *erp) id(model, field, name string) int64 {
	e.t.Helper()
	var all []struct{ ID int64 }
	q := tryton.Query{Domain: []any{[]any{field, "=", name}}, Fields: []string{"rec_name"}}
	if err := e.client.SearchRead(e.t.Context(), model, q, &all); err != nil || len(all) != 1 {
		e.t.Fatal(model, name, all, err)
	}
	return all[0].ID
}

func TestOfTwoLotsWithOneNumberTheFirstIsUsedAndTheOtherIsDeleted(t *testing.T) {
	e := open(t)
	order := e.order()
	e.applies(e.fill(`{"do": "issue", "order": "ORDER", `+consumed+`}`, order))
	e.applies(e.fill(`{"do": "operation", "order": "ORDER", "operation": "Dispensing", "minutes": "1"}`, order))
	e.applies(e.fill(`{"do": "operation", "order": "ORDER", "operation": "Granulation", "minutes": "1"}`, order))
	lot := map[string]any{"number": "SF-3001-" + e.tag, "product": e.id("product.product", "code", "SF-3001")}
	ids, err := e.client.Create(t.Context(), "stock.lot", lot, lot)
	if err != nil {
		t.Fatal(err)
	}
	outcome, err := e.system.Perform(t.Context(), e.command(e.fill(`{"do": "receive", "order": "ORDER", "outputs": [{"product": "SF-3001", "lot": "LOT", "quantity": "9.5", "unit": "kg", "to": "P100-QH"}]}`, order)))
	if err != nil || outcome.Status != connector.Applied || !strings.Contains(outcome.Text, "was deleted") {
		t.Errorf("%+v, %v", outcome, err)
	}
	if left := e.id("stock.lot", "number", "SF-3001-"+e.tag); left != min(ids[0], ids[1]) {
		t.Errorf("of the lots %v there is %d", ids, left)
	}
}

func TestWhatOthersHaveReservedOfALotIsNotFree(t *testing.T) {
	e := open(t)
	free := e.stock("RM-1005-2610-A", "P200-STO")
	from, to := e.id("stock.location", "code", "P200-STO"), e.id("stock.location", "code", "P200-REJ")
	ids, err := e.client.Create(t.Context(), "stock.shipment.internal", map[string]any{
		"company": 1, "reference": "by hand " + e.tag, "from_location": from, "to_location": to,
		"moves": []any{[]any{"create", []any{map[string]any{
			"product": e.id("product.product", "code", "RM-1005"), "lot": e.id("stock.lot", "number", "RM-1005-2610-A"), "uom": e.id("product.uom", "symbol", "kg"),
			"quantity": 1, "from_location": from, "to_location": to, "company": 1, "currency": 1,
		}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, button := range []string{"wait", "assign_try"} {
		if err := e.client.Button(t.Context(), "stock.shipment.internal", button, nil, ids...); err != nil {
			t.Fatal(err)
		}
	}
	e.refuses(`{"do": "transfer", "from": "P200-STO", "to": "P200-REJ", "lines": [{"product": "RM-1005", "lot": "RM-1005-2610-A", "quantity": "`+free+`", "unit": "kg"}]}`,
		fault.StockInsufficient, "is needed")
	if err := e.client.Button(t.Context(), "stock.shipment.internal", "wait", nil, ids...); err != nil {
		t.Fatal(err)
	}
	if err := e.client.Button(t.Context(), "stock.shipment.internal", "cancel", nil, ids...); err != nil {
		t.Fatal(err)
	}
}

func TestQuantitiesAreExactAndUnitsAreConvertedByTheirFactors(t *testing.T) {
	e := open(t)
	line := func(quantity, unit string) string {
		return `"lines": [{"product": "RM-1004", "lot": "RM-1004-2610-A", "quantity": ` + quantity + `, "unit": "` + unit + `"}]`
	}
	before := e.stock("RM-1004-2610-A", "P200-REJ")
	e.applies(`{"do": "transfer", "from": "P200-STO", "to": "P200-REJ", ` + line(`"0.3"`, "kg") + `}`) // 0.1 + 0.2 in binary would be refused
	e.applies(`{"do": "transfer", "from": "P200-STO", "to": "P200-REJ", ` + line(`0.001`, "t") + `}`)
	e.applies(`{"do": "transfer", "from": "P200-REJ", "to": "P200-STO", ` + line(`"1.3"`, "kg") + `}`)
	e.refuses(`{"do": "transfer", "from": "P200-STO", "to": "P200-REJ", `+line(`"10"`, "t")+`}`, fault.StockInsufficient, "10000 is needed")
	if after := e.stock("RM-1004-2610-A", "P200-REJ"); !less(t, after, before, "0") {
		t.Errorf("%s became %s", before, after)
	}
}

func TestStockGoesFromPlantToPlant(t *testing.T) {
	e := open(t)
	line := `"lines": [{"product": "PK-2001", "quantity": "10", "unit": "u"}]`
	e.applies(`{"do": "count", "location": "P100-STO", "lines": [{"product": "PK-2001", "quantity": "10", "unit": "u"}]}`)
	e.applies(`{"do": "transfer", "from": "P100-STO", "to": "P200-STO", ` + line + `}`)
	e.applies(`{"do": "transfer", "from": "P200-STO", "to": "P100-LF", ` + line + `}`)
}

func TestARequestThatCannotBeMeantIsNotSent(t *testing.T) {
	e := open(t)
	for request, told := range map[string]string{
		`{"do": "ship"}`:                       "do:",
		`{"do": "issue", "order": "MO000001"}`: "lines: it is missing",
		`{"do": "count", "location": "P100-STO", "lines": [{"product": "RM-1001", "quantity": "-1", "unit": "kg"}]}`:                                 "lines[0].quantity",
		`{"do": "count", "location": "P100-STO", "lines": [{"product": "RM-1001", "quantity": "1"}]}`:                                                "lines[0].unit",
		`{"do": "count", "location": "P100-STO", "place": "x", "lines": [{"product": "RM-1001", "quantity": "1", "unit": "kg"}]}`:                    "place",
		`{"do": "count", "location": "P100-STO", "date": "today", "lines": [{"product": "RM-1001", "quantity": "1", "unit": "kg"}]}`:                 "today",
		`{"do": "receive", "order": "MO000001", "outputs": [{"product": "SF-3001", "lot": "L", "quantity": "1", "unit": "kg"}]}`:                     "outputs[0].to",
		`{"do": "transfer", "from": "A", "to": "B", "text": "a\nb", "lines": [{"product": "RM-1001", "quantity": "1", "unit": "kg"}]}`:               "text:",
		`{"do": "transfer", "from": "A", "to": "B", "lines": [{"product": "RM-1001", "quantity": "` + strings.Repeat("9", 40) + `", "unit": "kg"}]}`: "digits",
	} {
		_, err := e.system.Perform(t.Context(), e.command(request))
		if f := fault.Of(err); f == nil || f.Reason != fault.NotSendable || !strings.Contains(err.Error(), told) {
			t.Errorf("%s:\n%v does not tell of %q", request, err, told)
		}
	}
	if n := len(e.outside.tape.Calls); e.outside.env != nil && n != 0 {
		t.Errorf("%d calls were made", n)
	}
}
