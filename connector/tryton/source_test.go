package tryton_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/connector/tryton"
)

// polled is one look of a Source: the bodies by message and number, code or symbol.
func polled(t *testing.T, source connector.Source, cursor string) (next string, came map[string]map[string]any) {
	t.Helper()
	came = map[string]map[string]any{}
	next, err := source.Poll(t.Context(), cursor, func(_ context.Context, r connector.Received) (connector.Taken, error) {
		var body map[string]any
		if err := json.Unmarshal(r.Body, &body); err != nil {
			t.Errorf("%s: %v", r.Body, err)
		}
		for _, name := range []string{"number", "code", "symbol", "id"} {
			if text, ok := body[name].(string); ok {
				came[r.Message+"/"+text] = body
				return connector.Taken{}, nil
			}
		}
		return connector.Taken{}, nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return next, came
}

func TestWhatIsNewIsDeliveredOnceAndAChangedComponentLineIsFound(t *testing.T) {
	e := open(t, func(c *tryton.Config) { c.Poll = tryton.Messages() })
	cursor, came := polled(t, e.system, "")
	e.outside.Advance(time.Hour) // of a recording the clock stands
	for _, name := range []string{"products/RM-1001", "units/kg", "locations/P100-QH"} {
		if came[name] == nil {
			t.Errorf("%s has not come", name)
		}
	}
	order := e.order()
	cursor, came = polled(t, e.system, cursor)
	if came["orders/"+order]["state"] != "waiting" || came["orders/"+order]["key"] == nil {
		t.Errorf("the order came as %v", came["orders/"+order])
	}
	if came["products/RM-1001"] != nil {
		t.Error("a product came again")
	}
	cursor, came = polled(t, e.system, cursor)
	if came["orders/"+order] != nil {
		t.Error("the order came again")
	}

	var orders []struct{ Inputs []int64 }
	err := e.client.SearchRead(t.Context(), "production", tryton.Query{Domain: []any{[]any{"number", "=", order}}, Fields: []string{"inputs"}}, &orders)
	if err != nil || len(orders) != 1 {
		t.Fatal(orders, err)
	}
	if err := e.client.Write(t.Context(), "stock.move", orders[0].Inputs[0], map[string]any{"quantity": json.Number("0.123")}); err != nil {
		t.Fatal(err)
	}
	cursor, came = polled(t, e.system, cursor)
	if came["orders/"+order] == nil {
		t.Error("the changed component line was not found")
	}

	if err := e.client.Do(t.Context(), tryton.Call{Method: "model.production.delete", Args: []any{orderIDs(t, e, order)}}, nil); err != nil {
		t.Fatal(err)
	}
	if _, came = polled(t, e.system, cursor); came["orders/"+order]["state"] != "deleted" {
		t.Errorf("the deleted order came as %v", came["orders/"+order])
	}
}

func orderIDs(t *testing.T, e *erp, number string) []int64 {
	t.Helper()
	var orders []struct{ ID int64 }
	err := e.client.SearchRead(t.Context(), "production", tryton.Query{Domain: []any{[]any{"number", "=", number}}, Fields: []string{"number"}}, &orders)
	if err != nil || len(orders) != 1 {
		t.Fatal(orders, err)
	}
	return []int64{orders[0].ID}
}

func TestAPostingOfOursComesWithItsKeyAndOneOfOthersWithout(t *testing.T) {
	e := open(t, func(c *tryton.Config) { c.Poll = []string{"shipments", "inventories"} })
	cursor, _ := polled(t, e.system, "")
	line := `{"product": "RM-1002", "lot": "RM-1002-2610-A", "quantity": "0.5", "unit": "kg"}`
	ours := e.applies(`{"do": "transfer", "from": "P100-STO", "to": "P100-LF", "text": "` + e.tag + `", "lines": [` + line + `]}`).Number
	e.applies(`{"do": "transfer", "from": "P100-LF", "to": "P100-STO", "text": "` + e.tag + ` back", "lines": [` + line + `]}`)

	ids := func(domain ...any) int64 {
		t.Helper()
		var all []struct{ ID int64 }
		if err := e.client.SearchRead(t.Context(), domain[0].(string), tryton.Query{Domain: domain[1:], Fields: []string{"rec_name"}}, &all); err != nil || len(all) != 1 {
			t.Fatal(domain, all, err)
		}
		return all[0].ID
	}
	foreign, err := e.client.Create(t.Context(), "stock.inventory", map[string]any{
		"company": 1, "number": "CLERK-" + e.tag, "location": ids("stock.location", []any{"code", "=", "P100-IN"}), "empty_quantity": "keep", "lines": []any{},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.client.Button(t.Context(), "stock.inventory", "confirm", nil, foreign...); err != nil {
		t.Fatal(err)
	}
	_, came := polled(t, e.system, cursor)
	if body := came["shipments/"+ours]; body == nil || body["key"] == nil || body["from"] != "P100-STO" {
		t.Errorf("ours came as %v", body)
	}
	if body := came["inventories/CLERK-"+e.tag]; body == nil || body["key"] != nil {
		t.Errorf("the foreign count came as %v", body)
	}
}

func TestWhatCannotBeTakenComesAgainAndNothingElseDoes(t *testing.T) {
	e := open(t, func(c *tryton.Config) { c.Poll = []string{"units", "locations"} })
	cursor, err := e.system.Poll(t.Context(), "", func(_ context.Context, r connector.Received) (connector.Taken, error) {
		if r.Message == "locations" && bytes.Contains(r.Body, []byte(`"P100-QH"`)) {
			return connector.Taken{}, errors.New("not this one")
		}
		return connector.Taken{}, nil
	})
	if err == nil || !strings.Contains(err.Error(), "not this one") {
		t.Errorf("the error is %v", err)
	}
	_, came := polled(t, e.system, cursor)
	if len(came) != 1 || came["locations/P100-QH"] == nil {
		t.Errorf("what came is %v", came)
	}
}
