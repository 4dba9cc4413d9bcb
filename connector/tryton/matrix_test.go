package tryton_test

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/connector/connectortest"
	"github.com/gapless/gapless/connector/tryton"
)

// survives performs a request of which each call that changes something meets a
// trouble, one after the other, as the hub would: it asks what became of an
// attempt, waits until nothing can land where that is undecided, and goes on.
func (e *erp) survives(request string, kind connectortest.Trouble, calls ...string) connector.Document {
	e.t.Helper()
	cmd := e.command(request)
	for i := 0; ; i++ {
		if i < len(calls) {
			e.outside.meet(calls[i], kind)
		}
		outcome, err := e.system.Perform(e.t.Context(), cmd)
		if err == nil {
			if outcome.Status != connector.Applied || len(outcome.Documents) != 1 {
				e.t.Fatalf("%s:\n%s %q", request, outcome.Status, outcome.Text)
			}
			if i < len(calls) {
				e.t.Fatalf("%s: %s was never called", request, calls[i])
			}
			e.outside.Land()
			return e.found(cmd, outcome.Documents)
		}
		if errors.Is(err, connector.ErrNotSent) {
			e.t.Fatalf("%s: it says that nothing was done: %v", calls[i], err)
		}
		finding := e.find(cmd)
		if finding.Status == connector.Undecided {
			e.outside.Land() // within the bound
			finding = e.find(cmd)
		}
		if finding.Status == connector.Undecided {
			e.outside.Advance(e.system.Traits().SettledAt(cmd).Sub(e.outside.Now()))
			if finding = e.find(cmd); finding.Status == connector.Undecided {
				e.t.Fatalf("%s: undecided though nothing can land any more", calls[i])
			}
		}
		if finding.Status == connector.FoundApplied {
			e.outside.Land()
			return e.found(cmd, finding.Documents)
		}
		cmd.Attempt++
		cmd.SendBefore = e.outside.Now().Add(time.Minute)
	}
}

func (e *erp) find(cmd connector.Command) connector.Finding {
	e.t.Helper()
	finding, err := e.system.Find(e.t.Context(), cmd)
	if err != nil {
		e.t.Fatal(err)
	}
	return finding
}

// found holds a command to being found with these documents, and no others.
func (e *erp) found(cmd connector.Command, documents []connector.Document) connector.Document {
	e.t.Helper()
	if f := e.find(cmd); f.Status != connector.FoundApplied || !slices.Equal(f.Documents, documents) {
		e.t.Errorf("found %s %v %q, not %v", f.Status, f.Documents, f.Text, documents)
	}
	return documents[0]
}

func TestEveryCallMayBeLostAndEveryCommandIsDoneOnce(t *testing.T) {
	for _, kind := range []connectortest.Trouble{connectortest.LostBefore, connectortest.LostAfter, connectortest.Late} {
		t.Run(string(kind), func(t *testing.T) {
			e := open(t)
			order := e.survives(`{"do": "order", "product": "SF-3001", "quantity": "10", "unit": "kg", "warehouse": "P100", "text": "matrix", "release": true}`, kind,
				"model.production.create", "model.production.wait").Number
			lot := "SF-3001-" + e.tag
			before := e.stock("RM-1003-2610-A", "P100-STO")

			e.survives(e.fill(`{"do": "issue", "order": "ORDER", `+consumed+`}`, order), kind, "model.production.write", "model.production.assign_try", "model.production.run")
			for _, operation := range []string{"Dispensing", "Granulation"} {
				e.survives(e.fill(`{"do": "operation", "order": "ORDER", "operation": "`+operation+`", "minutes": "30"}`, order), kind,
					"work.cycle.create", "work.cycle.run", "work.cycle.do")
			}
			e.survives(e.fill(`{"do": "receive", "order": "ORDER", "outputs": [{"product": "SF-3001", "lot": "LOT", "quantity": "9.5", "unit": "kg", "to": "P100-QH"}]}`, order), kind,
				"stock.lot.create", "model.production.write", "model.production.done")
			release := e.survives(e.fill(`{"do": "transfer", "from": "P100-QH", "to": "P100-STO", "lines": [{"product": "SF-3001", "lot": "LOT", "quantity": "4", "unit": "kg"}]}`, order), kind,
				"shipment.internal.create", "shipment.internal.wait", "shipment.internal.assign_try", "shipment.internal.done")
			e.survives(e.fill(`{"do": "count", "location": "P100-STO", "lines": [{"product": "SF-3001", "lot": "LOT", "quantity": "3.9", "unit": "kg"}]}`, order), kind,
				"stock.inventory.create", "stock.inventory.confirm")

			e.has(lot, "P100-QH", "5.5")
			e.has(lot, "P100-STO", "3.9")
			if after := e.stock("RM-1003-2610-A", "P100-STO"); !less(t, after, before, "0.08") {
				t.Errorf("%s became %s, not 0.08 less", before, after)
			}
			if got := e.documents(release.Number); len(got) != 1 || got[release.Number] != "done" {
				t.Errorf("with the key of %s there are %v", release.Number, got)
			}
		})
	}
}

// A server that is slower than anybody has said makes a draft when another one has
// been done: it stays a draft, and is cancelled and listed.
func TestADraftThatLandsAfterEverythingHadSettledIsNeutralised(t *testing.T) {
	for name, c := range map[string]struct {
		request, create string
		twice           bool // the command is performed again, which finds it too
	}{
		"by the source":       {`{"do": "transfer", "from": "P300-STO", "to": "P300-REJ", "lines": [{"product": "PK-2002", "quantity": "1", "unit": "m"}]}`, "shipment.internal.create", false},
		"by performing again": {`{"do": "transfer", "from": "P300-REJ", "to": "P300-STO", "lines": [{"product": "PK-2002", "quantity": "1", "unit": "m"}]}`, "shipment.internal.create", true},
	} {
		t.Run(name, func(t *testing.T) {
			e := open(t, func(c *tryton.Config) { c.Poll = []string{"surplus"} })
			cmd := e.command(c.request)
			e.outside.meet(c.create, connectortest.Late)
			if _, err := e.system.Perform(t.Context(), cmd); err == nil || errors.Is(err, connector.ErrNotSent) {
				t.Fatal(err)
			}
			e.outside.Advance(time.Hour)
			if f := e.find(cmd); f.Status != connector.Absent {
				t.Fatalf("%+v", f)
			}
			cmd.SendBefore = e.outside.Now().Add(time.Minute)
			outcome, err := e.system.Perform(t.Context(), cmd)
			if err != nil || outcome.Status != connector.Applied {
				t.Fatal(outcome, err)
			}
			number := outcome.Documents[0].Number
			e.outside.Land()
			e.found(cmd, outcome.Documents)
			if c.twice {
				again, err := e.system.Perform(t.Context(), cmd)
				if err != nil || again.Documents[0] != outcome.Documents[0] || !strings.Contains(again.Text, "was cancelled") {
					t.Errorf("%+v, %v", again, err)
				}
			} else if listed := e.tidied(); listed[cmd.Key[:32]] != "cancelled" {
				t.Errorf("listed are %v", listed)
			}
			got := e.documents(number)
			if len(got) != 2 || got[number] != "done" || !slices.Contains(slices.Collect(maps.Values(got)), "cancelled") {
				t.Errorf("with the key there are %v", got)
			}
		})
	}
}

// less says whether a is b less c.
func less(t *testing.T, a, b, c string) bool {
	t.Helper()
	values := make([]float64, 3)
	for i, text := range []string{a, b, c} {
		if err := json.Unmarshal([]byte(text), &values[i]); err != nil {
			t.Fatal(err)
		}
	}
	d := values[1] - values[2] - values[0]
	return d < 1e-6 && d > -1e-6
}

// tidied lets the source look; it gives the states of what it lists, by key.
func (e *erp) tidied() map[string]string {
	e.t.Helper()
	listed := map[string]string{}
	_, err := e.system.Poll(e.t.Context(), "", func(_ context.Context, r connector.Received) (connector.Taken, error) {
		var body struct {
			State string
			Key   string `json:"surplus_of"`
		}
		err := json.Unmarshal(r.Body, &body)
		listed[body.Key] = body.State
		return connector.Taken{}, err
	})
	if err != nil {
		e.t.Fatal(err)
	}
	return listed
}

// documents are the shipments that carry the key of one: their states by number.
func (e *erp) documents(number string) map[string]string {
	e.t.Helper()
	var all []struct{ Number, Reference, State string }
	q := tryton.Query{Domain: []any{[]any{"number", "=", number}}, Fields: []string{"number", "reference"}}
	if err := e.client.SearchRead(e.t.Context(), "stock.shipment.internal", q, &all); err != nil || len(all) != 1 {
		e.t.Fatal(all, err)
	}
	q = tryton.Query{Domain: []any{[]any{"reference", "like", all[0].Reference[:32] + "%"}}, Fields: []string{"number", "state"}}
	if err := e.client.SearchRead(e.t.Context(), "stock.shipment.internal", q, &all); err != nil {
		e.t.Fatal(err)
	}
	states := map[string]string{}
	for _, s := range all {
		states[s.Number] = s.State
	}
	return states
}
