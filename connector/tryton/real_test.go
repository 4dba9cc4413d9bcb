package tryton_test

import (
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/connector/tryton"
	"github.com/gapless/gapless/fault"
)

// An erp is a server and a System for it. Every test makes its own orders and lots
// there.
type erp struct {
	t       testing.TB
	outside *outside
	system  *tryton.System
	client  *tryton.Client // of the same user, to look behind the System
	tag     string         // what names of this test have in common
	keys    int
}

func open(t testing.TB, change ...func(*tryton.Config)) *erp {
	t.Helper()
	o := newOutside(t)
	config := tryton.Config{ClientConfig: o.config("hub")}
	for _, c := range change {
		c(&config)
	}
	system, err := tryton.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(system.Close)
	return &erp{t: t, outside: o, system: system, client: clientOf(t, o, "hub"), tag: o.tape.Run}
}

// clientOf is a Client of one of the server's users.
func clientOf(t testing.TB, o *outside, user string) *tryton.Client {
	t.Helper()
	config := o.config(user)
	config.URL = o.behind.URL
	client, err := tryton.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

// command is one with a request, written as JSON, under a key of its own.
func (e *erp) command(request string) connector.Command {
	e.t.Helper()
	e.keys++
	cmd := connector.Command{Key: e.outside.name(strconv.Itoa(e.keys)), Name: "post", Plant: "P100", Subject: "order/1", Attempt: 1, SendBefore: e.outside.Now().Add(time.Minute)}
	d := json.NewDecoder(strings.NewReader(request))
	d.UseNumber()
	if err := d.Decode(&cmd.Request); err != nil {
		e.t.Fatalf("%s: %v", request, err)
	}
	return cmd
}

// applies performs a request that must be applied, and finds it again.
func (e *erp) applies(request string) connector.Document {
	e.t.Helper()
	cmd := e.command(request)
	outcome, err := e.system.Perform(e.t.Context(), cmd)
	if err != nil || outcome.Status != connector.Applied || len(outcome.Documents) != 1 {
		e.t.Fatalf("%s:\n%s %v %q: %v", request, outcome.Status, outcome.Reason, outcome.Text, err)
	}
	again, err := e.system.Perform(e.t.Context(), cmd)
	if diff := cmp.Diff(outcome.Documents, again.Documents); err != nil || diff != "" {
		e.t.Errorf("%s:\nperformed again, it is %s %q: %v\n%s", request, again.Status, again.Text, err, diff)
	}
	finding, err := e.system.Find(e.t.Context(), cmd)
	if diff := cmp.Diff(outcome.Documents, finding.Documents); err != nil || finding.Status != connector.FoundApplied || diff != "" {
		e.t.Errorf("%s:\nfound as %s %q: %v\n%s", request, finding.Status, finding.Text, err, diff)
	}
	return outcome.Documents[0]
}

// refuses performs a request that must be refused for a reason, in words.
func (e *erp) refuses(request string, reason *fault.Reason, words string) {
	e.t.Helper()
	outcome, err := e.system.Perform(e.t.Context(), e.command(request))
	if err != nil || outcome.Status != connector.Refused || outcome.Reason != reason {
		e.t.Fatalf("%s:\n%s %v %q, not refused as %s: %v", request, outcome.Status, outcome.Reason, outcome.Text, reason, err)
	}
	if !strings.Contains(outcome.Text, words) {
		e.t.Errorf("%s:\n%q has not the words %q", request, outcome.Text, words)
	}
}

// order makes a released production order of 10 kg of granulate: 8.5 kg RM-1001,
// 1.42 kg RM-1002, 0.08 kg RM-1003.
func (e *erp) order() string {
	e.t.Helper()
	return e.applies(`{"do": "order", "product": "SF-3001", "quantity": "10", "unit": "kg", "warehouse": "P100", "text": "test ` + e.tag + `", "release": true}`).Number
}

// fill puts names into a text: ORDER and LOT.
func (e *erp) fill(text, order string) string {
	return strings.NewReplacer("ORDER", order, "LOT", "SF-3001-"+e.tag).Replace(text)
}

const consumed = `"lines": [
	{"product": "RM-1001", "lot": "RM-1001-2610-A", "quantity": "6", "unit": "kg"},
	{"product": "RM-1001", "lot": "RM-1001-2610-B", "quantity": "2.5", "unit": "kg"},
	{"product": "RM-1002", "lot": "RM-1002-2610-A", "quantity": "1.42", "unit": "kg"},
	{"product": "RM-1003", "lot": "RM-1003-2610-A", "quantity": "0.08", "unit": "kg"}]`

// stock is what the ERP shows of a lot at a location.
func (e *erp) stock(lot, at string) string {
	e.t.Helper()
	var places []struct{ ID int64 }
	if err := e.client.SearchRead(e.t.Context(), "stock.location", tryton.Query{Domain: []any{[]any{"code", "=", at}}, Fields: []string{"code"}}, &places); err != nil || len(places) != 1 {
		e.t.Fatal(places, err)
	}
	var lots []struct{ Quantity json.Number }
	err := e.client.SearchRead(e.t.Context(), "stock.lot", tryton.Query{
		Domain: []any{[]any{"number", "=", lot}}, Fields: []string{"quantity"}, Context: map[string]any{"locations": []int64{places[0].ID}},
	}, &lots)
	if err != nil || len(lots) != 1 {
		e.t.Fatal(lot, lots, err)
	}
	return strings.TrimSuffix(lots[0].Quantity.String(), ".0")
}

// datedAt is the day on which the ERP has posted the moves of a document.
func (e *erp) datedAt(domain []any) string {
	e.t.Helper()
	var moves []struct {
		Date tryton.Date `json:"effective_date"`
	}
	if err := e.client.SearchRead(e.t.Context(), "stock.move", tryton.Query{Domain: []any{domain}, Fields: []string{"effective_date"}}, &moves); err != nil || len(moves) == 0 {
		e.t.Fatal(domain, moves, err)
	}
	return moves[0].Date.String()
}

func TestPostingsHaveTheDayThatTheyAreGiven(t *testing.T) {
	e := open(t)
	day := e.outside.Now().UTC().AddDate(0, 0, -3).Format(time.DateOnly)
	order := e.order()
	e.applies(e.fill(`{"do": "issue", "order": "ORDER", "date": "`+day+`", `+consumed+`}`, order))
	e.applies(e.fill(`{"do": "operation", "order": "ORDER", "operation": "Dispensing", "minutes": "90"}`, order))
	e.applies(e.fill(`{"do": "operation", "order": "ORDER", "operation": "Granulation", "minutes": "90"}`, order))
	e.applies(e.fill(`{"do": "receive", "order": "ORDER", "date": "`+day+`", "outputs": [{"product": "SF-3001", "lot": "LOT", "quantity": "9.5", "unit": "kg", "to": "P100-QH"}]}`, order))
	shipment := e.applies(e.fill(`{"do": "transfer", "from": "P100-QH", "to": "P100-STO", "date": "`+day+`", "lines": [{"product": "SF-3001", "lot": "LOT", "quantity": "9.5", "unit": "kg"}]}`, order))
	count := e.applies(e.fill(`{"do": "count", "location": "P100-STO", "date": "`+day+`", "lines": [{"product": "SF-3001", "lot": "LOT", "quantity": "9", "unit": "kg"}]}`, order))
	for what, domain := range map[string][]any{
		"issue": {"production_input.number", "=", order}, "receipt": {"production_output.number", "=", order},
		"transfer": {"shipment.number", "=", shipment.Number, "stock.shipment.internal"}, "count": {"origin.inventory.number", "=", count.Number, "stock.inventory.line"},
	} {
		if got := e.datedAt(domain); got != day {
			t.Errorf("the %s is of %s, not of %s", what, got, day)
		}
	}
}

func (e *erp) has(lot, at, quantity string) {
	e.t.Helper()
	if got := e.stock(lot, at); got != quantity {
		e.t.Errorf("%s of lot %s at %s, want %s", got, lot, at, quantity)
	}
}

func TestABatchIsMadeReceivedIntoHoldReleasedCountedAndReversed(t *testing.T) {
	e := open(t)
	order := e.order()
	lot := "SF-3001-" + e.tag
	do := func(request string) { t.Helper(); e.applies(e.fill(request, order)) }

	do(`{"do": "issue", "order": "ORDER", ` + consumed + `}`)
	e.refuses(e.fill(`{"do": "receive", "order": "ORDER", "outputs": [{"product": "SF-3001", "lot": "LOT", "quantity": "9.5", "unit": "kg", "to": "P100-QH"}]}`, order),
		fault.WrongState, "must be finished")
	do(`{"do": "operation", "order": "ORDER", "operation": "Dispensing", "minutes": "90"}`)
	do(`{"do": "operation", "order": "ORDER", "operation": "Granulation", "minutes": 45.5}`)
	do(`{"do": "receive", "order": "ORDER", "outputs": [
		{"product": "SF-3001", "lot": "LOT", "quantity": "9.5", "unit": "kg", "to": "P100-QH"},
		{"product": "SF-3001", "lot": "LOT", "quantity": "0.25", "unit": "kg", "to": "P100-SCRAP"}]}`)
	e.has(lot, "P100-QH", "9.5")

	move := func(from, to, quantity, text string) {
		t.Helper()
		do(`{"do": "transfer", "from": "` + from + `", "to": "` + to + `", "text": "` + text + `", "lines": [{"product": "SF-3001", "lot": "LOT", "quantity": "` + quantity + `", "unit": "kg"}]}`)
	}
	move("P100-QH", "P100-STO", "6", "lot released")
	move("P100-QH", "P100-REJ", "2", "lot rejected")
	move("P100-QH", "P100-SCRAP", "0.5", "scrap")
	move("P100-QH", "P100-LF", "0.3", "receipt corrected")
	move("P100-LF", "P100-QH", "0.3", "correction reversed")
	e.has(lot, "P100-QH", "1")
	e.has(lot, "P100-STO", "6")
	e.has(lot, "P100-REJ", "2")

	counted := func(quantity string) {
		t.Helper()
		do(`{"do": "count", "location": "P100-STO", "text": "cycle count", "lines": [{"product": "SF-3001", "lot": "LOT", "quantity": "` + quantity + `", "unit": "kg"}]}`)
		e.has(lot, "P100-STO", quantity)
	}
	counted("5.9")
	counted("6.1")
}
