package tryton_test

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/connector/connectortest"
	"github.com/gapless/gapless/connector/tryton"
	"github.com/gapless/gapless/fault"
)

// A feed is an ERP that is only read: records by model, and the searches that
// polls make of them. What no real server can be made to show in time, it has.
type feed struct {
	t  *testing.T
	mu sync.Mutex
	*connectortest.Clock
	records map[string][]map[string]any // by model; values as the server writes them
}

// openFeed starts one, and a System that polls messages of it.
func openFeed(t *testing.T, messages ...string) (*feed, *tryton.System) {
	t.Helper()
	f := &feed{t: t, Clock: connectortest.NewClock(), records: map[string][]map[string]any{}}
	server := httptest.NewServer(f)
	t.Cleanup(server.Close)
	system, err := tryton.New(tryton.Config{
		ClientConfig: tryton.ClientConfig{URL: server.URL, Database: database, User: "hub", Password: "hub", Now: f.Now}, Poll: messages,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(system.Close)
	return f, system
}

// put writes a record, in place of the one of its id.
func (f *feed) put(model string, record map[string]any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	all := slices.DeleteFunc(f.records[model], func(r map[string]any) bool { return r["id"] == record["id"] })
	f.records[model] = append(all, record)
	slices.SortFunc(f.records[model], func(a, b map[string]any) int { return cmp.Compare(a["id"].(int), b["id"].(int)) })
}

// at is a moment as the server writes it.
func at(moment time.Time) map[string]any {
	text, _ := json.Marshal(tryton.Time{Time: moment}) // of numbers
	var value map[string]any
	_ = json.Unmarshal(text, &value)
	return value
}

func (f *feed) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var call struct {
		ID     int64
		Method string
		Params []any
	}
	if err := json.NewDecoder(r.Body).Decode(&call); err != nil {
		f.t.Error(err)
		return
	}
	var result any
	switch model, isSearch := strings.CutSuffix(strings.TrimPrefix(call.Method, "model."), ".search_read"); {
	case call.Method == "common.db.login":
		result = []any{1, "session"}
	case call.Method == "model.res.user.get_preferences":
		result = map[string]any{"company": 1}
	case isSearch:
		result = f.search(model, call.Params[0], call.Params[2])
	case strings.HasSuffix(call.Method, ".cancel"):
		if id := call.Params[0].([]any)[0].(float64); !f.cancel(strings.TrimSuffix(strings.TrimPrefix(call.Method, "model."), ".cancel"), id) {
			_ = json.NewEncoder(w).Encode(map[string]any{"id": call.ID, "error": []any{"UserError", []any{"It is not allowed.", ""}}})
			return
		}
	case strings.HasSuffix(call.Method, ".read"):
		result = f.search(strings.TrimSuffix(strings.TrimPrefix(call.Method, "model."), ".read"), []any{"id", "in", call.Params[0]}, nil)
	default:
		f.t.Errorf("the feed knows no %s", call.Method)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"id": call.ID, "result": result})
}

// cancel cancels a record, unless it is kept.
func (f *feed) cancel(model string, id float64) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.records[model] {
		if number(r["id"]) == id && r["kept"] == nil {
			r["state"] = "cancelled"
			return true
		}
	}
	return false
}

func (f *feed) search(model string, domain, limit any) []map[string]any {
	f.mu.Lock()
	defer f.mu.Unlock()
	found := []map[string]any{}
	for _, r := range f.records[model] {
		if n, limited := limit.(float64); limited && len(found) >= int(n) {
			break
		}
		if holds(domain.([]any), r) {
			found = append(found, r)
		}
	}
	return found
}

// holds says whether a domain of the server holds for a record: a condition, or
// several joined by and, or by or.
func holds(domain []any, r map[string]any) bool {
	if field, ok := domain[0].(string); ok && field != "OR" {
		return condition(r[field], domain[1].(string), domain[2])
	}
	either := domain[0] == "OR"
	if either {
		domain = domain[1:]
	}
	for _, part := range domain {
		if holds(part.([]any), r) == either {
			return either
		}
	}
	return !either
}

func condition(value any, op string, with any) bool {
	switch op {
	case "=":
		return value == with
	case "in", "not in":
		in := slices.ContainsFunc(with.([]any), func(one any) bool { return number(one) == number(value) })
		return in == (op == "in")
	case "like": // of a key
		prefix := strings.TrimRight(with.(string), "%_")
		text, ok := value.(string)
		return ok && strings.HasPrefix(text, prefix) && len(text) >= len(with.(string))-1
	case ">":
		return value != nil && number(value).(float64) > number(with).(float64)
	case ">=":
		return value != nil && number(value).(float64) >= number(with).(float64)
	}
	return false
}

// number is a value that can be compared: a moment in seconds, an id as a float.
func number(value any) any {
	switch v := value.(type) {
	case int:
		return float64(v)
	case map[string]any:
		text, _ := json.Marshal(v)
		var moment tryton.Time
		_ = moment.UnmarshalJSON(text) // it was written by at
		return float64(moment.UnixMicro())
	}
	return value
}

// shipment is one that is done.
func shipment(id int, name string, written time.Time) map[string]any {
	place := map[string]any{"id": 1, "code": "P100-STO"}
	return map[string]any{
		"id": id, "number": name, "reference": nil, "state": "done", "effective_date": nil, "from_location.": place, "to_location.": place,
		"moves.": []any{}, "write_date": at(written), "create_date": at(written),
	}
}

// productionOrder is one without lines.
func productionOrder(id int, name, state string, written time.Time) map[string]any {
	return map[string]any{
		"id": id, "number": name, "reference": nil, "state": state, "location": 1, "effective_start_date": nil, "quantity": 5.0,
		"product.": map[string]any{"id": 1, "code": "SF-3001"}, "uom.": map[string]any{"id": 1, "symbol": "kg"}, "warehouse.": map[string]any{"id": 1, "code": "P100"}, "bom.": nil,
		"planned_start_date": nil, "planned_date": nil, "effective_date": nil, "inputs.": []any{}, "outputs.": []any{}, "works.": []any{},
		"write_date": at(written), "create_date": at(written),
	}
}

func TestARecordOfTheFutureKeepsNoOtherFromBeingFound(t *testing.T) {
	f, system := openFeed(t, "shipments")
	f.put("stock.shipment.internal", shipment(1, "INT1", f.Now().AddDate(1, 0, 0))) // the server's clock was wrong for a moment
	cursor, came := polled(t, system, "")
	if came["shipments/INT1"] == nil {
		t.Error("the first has not come")
	}
	f.Advance(time.Minute)
	f.put("stock.shipment.internal", shipment(2, "INT2", f.Now()))
	f.Advance(time.Minute)
	cursor, came = polled(t, system, cursor)
	if came["shipments/INT2"] == nil {
		t.Errorf("what was posted since has not come: %v", came)
	}
	f.Advance(time.Hour)
	f.put("stock.shipment.internal", shipment(3, "INT3", f.Now()))
	if _, came = polled(t, system, cursor); came["shipments/INT3"] == nil || len(came) != 1 {
		t.Errorf("what came is %v", came)
	}
}

func TestAnOpenOrderThatALongTransactionHasClosedIsFound(t *testing.T) {
	f, system := openFeed(t, "orders")
	f.put("production", productionOrder(1, "MO1", "running", f.Now()))
	f.put("production", productionOrder(2, "MO2", "waiting", f.Now()))
	cursor, came := polled(t, system, "")
	if came["orders/MO1"]["state"] != "running" {
		t.Fatalf("what came is %v", came)
	}
	began := f.Now().Add(time.Minute) // the server writes when a transaction began
	f.Advance(time.Hour)
	f.put("production", productionOrder(2, "MO2", "waiting", f.Now()))
	f.put("production", productionOrder(3, "MO3", "waiting", f.Now()))
	cursor, _ = polled(t, system, cursor)
	f.put("production", productionOrder(1, "MO1", "done", began))
	cursor, err := system.Poll(t.Context(), cursor, func(context.Context, connector.Received) (connector.Taken, error) {
		return connector.Taken{}, errors.New("not now")
	})
	if err == nil {
		t.Error("nobody was asked to take it")
	}
	cursor, came = polled(t, system, cursor)
	if came["orders/MO1"]["state"] != "done" {
		t.Errorf("that it is done has not come: %v", came)
	}
	if _, came = polled(t, system, cursor); len(came) != 0 {
		t.Errorf("it came again: %v", came)
	}
}

// surplus gives a feed two commands, each done by one shipment and with a surplus draft.
func (f *feed) surplus() {
	for id, r := range map[int]map[string]any{
		1: {"reference": strings.Repeat("a", 32), "state": "done"}, 2: {"reference": strings.Repeat("a", 32), "state": "draft"},
		3: {"reference": strings.Repeat("b", 32), "state": "done"}, 4: {"reference": strings.Repeat("b", 32), "state": "draft"},
	} {
		r["id"], r["number"], r["_timestamp"] = id, fmt.Sprint("INT", id), "1"
		f.put("stock.shipment.internal", r)
	}
}

func TestASurplusDraftThatCannotBeCancelledDoesNotStopTheOthers(t *testing.T) {
	f, system := openFeed(t, "surplus")
	f.surplus()
	f.records["stock.shipment.internal"][1]["kept"] = true
	var came []string
	_, err := system.Poll(t.Context(), "", func(_ context.Context, r connector.Received) (connector.Taken, error) {
		came = append(came, stateOf(t, r))
		return connector.Taken{}, nil
	})
	if err == nil || !strings.Contains(err.Error(), "not allowed") {
		t.Errorf("the error is %v", err)
	}
	if diff := gocmp.Diff([]string{"INT2 draft", "INT4 draft", "INT4 cancelled"}, came); diff != "" {
		t.Errorf("what came: %s", diff)
	}
}

func TestASurplusDraftIsCancelledOnlyWhenItIsOnRecord(t *testing.T) {
	f, system := openFeed(t, "surplus")
	f.surplus()
	cursor := ""
	for _, away := range []error{fault.New("test", fault.Unavailable, "", ""), errors.New("not now")} {
		var err error
		cursor, err = system.Poll(t.Context(), cursor, func(context.Context, connector.Received) (connector.Taken, error) { return connector.Taken{}, away })
		if err == nil {
			t.Error("nobody was asked to take it")
		}
		for _, r := range f.records["stock.shipment.internal"] {
			if r["state"] == "cancelled" {
				t.Fatalf("%v was cancelled and nobody knows", r["number"])
			}
		}
	}
	var came []string
	if _, err := system.Poll(t.Context(), cursor, func(_ context.Context, r connector.Received) (connector.Taken, error) {
		came = append(came, stateOf(t, r))
		return connector.Taken{}, nil
	}); err != nil {
		t.Error(err)
	}
	if diff := gocmp.Diff([]string{"INT2 draft", "INT2 cancelled", "INT4 draft", "INT4 cancelled"}, came); diff != "" {
		t.Errorf("what came: %s", diff)
	}
}

// stateOf is the number and the state of what a delivery tells.
func stateOf(t *testing.T, r connector.Received) string {
	t.Helper()
	var body struct{ Number, State string }
	if err := json.Unmarshal(r.Body, &body); err != nil {
		t.Error(err)
	}
	return body.Number + " " + body.State
}

func TestARecordThatCannotBeReadDoesNotStopTheOthers(t *testing.T) {
	f, system := openFeed(t, "shipments")
	unread := shipment(1, "INT1", f.Now())
	unread["effective_date"] = "soon"
	f.put("stock.shipment.internal", unread)
	f.put("stock.shipment.internal", shipment(2, "INT2", f.Now()))
	var came []string
	take := func(_ context.Context, r connector.Received) (connector.Taken, error) {
		came = append(came, r.Channel)
		return connector.Taken{}, nil
	}
	cursor, err := system.Poll(t.Context(), "", take)
	if !errors.Is(err, fault.AnswerUnread) {
		t.Errorf("the error is %v", err)
	}
	f.Advance(time.Hour)
	f.put("stock.shipment.internal", shipment(1, "INT1", f.Now().Add(-time.Hour)))
	if _, err = system.Poll(t.Context(), cursor, take); err != nil {
		t.Error(err)
	}
	if diff := gocmp.Diff([]string{"tryton:stock.shipment.internal/2", "tryton:stock.shipment.internal/1"}, came); diff != "" {
		t.Errorf("what came: %s", diff)
	}
}
