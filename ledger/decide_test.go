package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// restating is a Decide with the rules that the ledger's promises are about: the
// same content changes nothing; other content restates where the entry says so,
// else it is a conflict; a slot that is gone is reversed; objects are folded in
// order and refolded where an event comes late or is restated; what heals is
// asked for once more.
func restating(w *Working, e *Entry) Decision {
	key := e.Message.Key()
	known, seen := w.Inbox[key]
	version, keep := known.Version+1, true
	if seen && e.Message.Digest == known.Digest {
		if !known.Held {
			return Decision{Outcome: Duplicate, Version: known.Version}
		}
		version, keep = known.Version, false
	}
	switch {
	case seen && keep && !e.Restates && known.Conflict == e.Message.Digest:
		return Decision{Outcome: Duplicate, Version: known.Version}
	case seen && keep && !e.Restates:
		return Decision{Outcome: Held, Version: version, Keep: true, Fault: fault.New("test", fault.IdentityConflict, "id", ""), Conflict: true, Owner: "master-data", Terms: Within(time.Hour)}
	case e.Fault != nil && e.Attempt == 0 && slices.ContainsFunc(e.Waits, func(x string) bool { return w.Satisfied[x] }):
		return Decision{Outcome: Again}
	case e.Fault != nil:
		return Decision{Outcome: Held, Version: version, Keep: keep, Fault: e.Fault, Waits: e.Waits, Owner: "master-data", Terms: Within(time.Hour)}
	}
	d := Decision{Outcome: Recorded, Version: version, Keep: keep, Drafts: compare(w, e)}
	if known.Effective > 0 {
		d.Outcome = Corrected
	}
	var later bool
	if d.Objects, later = refold(w, d.Drafts); later {
		return Decision{Outcome: Later}
	}
	if strings.HasPrefix(e.Message.ID, "followed-") {
		d.Following = followed(w, &d.Drafts[0])
	}
	return d
}

// followed is what a message is followed by whose id says so: a step to be performed,
// one behind it in its lane, and one that is held.
func followed(w *Working, d *Draft) Following {
	object := d.Subject
	x := Following{Transactions: []Transaction{{Plan: "lot-to-stock", Object: object, Version: "v1", State: []byte("{}")}}}
	for i, status := range []StepStatus{StepDue, StepDue, StepHeld} {
		x.Steps = append(x.Steps, Step{
			Key: digestText(string(object) + fmt.Sprint(i)), Transaction: TransactionID("lot-to-stock", object), Object: object, Plant: d.Plant, Reaction: "receive",
			Role: "erp", System: "erp", Command: "receive-goods", Cause: event.StatementID(d.Key, d.Statement), Position: w.Last + 1, Lanes: []event.Ref{object}, Status: status,
		})
	}
	x.Raised = []StepException{{Step: x.Steps[2].Key, Fault: fault.New("test", fault.RoleUnresolved, "", ""), Owner: "operations"}}
	return x
}

func digestText(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// compare makes statements of what is new, other or gone.
func compare(w *Working, e *Entry) []Draft {
	var drafts []Draft
	stated := map[string]bool{}
	for i := range e.Drafts {
		draft := e.Drafts[i]
		stated[draft.Key] = true
		before, ok := w.Statements[draft.Key]
		if ok && before.Digest == draft.Digest && before.Change != event.Reversal {
			continue
		}
		draft.Statement, draft.Change = 1, event.First
		if ok {
			draft.Statement, draft.Change = before.Statement+1, event.Correction
		}
		drafts = append(drafts, draft)
	}
	for _, key := range w.ByMessage[e.Message.Key()] {
		before := w.Statements[key]
		if stated[key] || before.Change == event.Reversal {
			continue
		}
		draft := before.Draft
		draft.Statement, draft.Change, draft.Facts = before.Statement+1, event.Reversal, nil
		drafts = append(drafts, draft)
	}
	return drafts
}

// refold moves the states of the objects that drafts fold into. A state is the
// list of ids that made it; that is all a test needs to see its order.
func refold(w *Working, drafts []Draft) (objects map[event.Ref]Object, later bool) {
	objects = map[event.Ref]Object{}
	type step struct{ ordering, key, id string }
	byRef := map[event.Ref][]Draft{}
	for _, d := range drafts {
		for _, f := range d.Folds {
			byRef[f.Ref] = append(byRef[f.Ref], d)
		}
	}
	for ref, touching := range byRef {
		before, known := w.Objects[ref]
		inOrder := !slices.ContainsFunc(touching, func(d Draft) bool { return d.Change != event.First || d.Order() < before.Ordering })
		if known && !inOrder && !before.Complete {
			return nil, true
		}
		var steps []step
		if inOrder {
			past, _ := before.State["events"].([]any)
			for _, id := range past {
				steps = append(steps, step{"", "", id.(string)})
			}
		} else {
			for _, h := range before.History {
				if !slices.ContainsFunc(touching, func(d Draft) bool { return d.Key == h.Key }) {
					past := event.Event{Occurred: event.Span{From: h.Occurred}, Sequence: h.Sequence}
					steps = append(steps, step{past.Order(), h.Key, h.ID})
				}
			}
		}
		last := before.Ordering
		if !inOrder {
			last = "" // perhaps its event is taken out
		}
		for _, d := range touching {
			if d.Change != event.Reversal {
				steps = append(steps, step{d.Order(), d.Key, event.StatementID(d.Key, d.Statement)})
			}
		}
		slices.SortStableFunc(steps, func(a, b step) int {
			switch {
			case a.ordering < b.ordering:
				return -1
			case a.ordering > b.ordering:
				return 1
			}
			return 0
		})
		ids := []any{}
		for _, s := range steps {
			ids = append(ids, s.id)
			last = max(last, s.ordering)
		}
		objects[ref] = Object{State: map[string]any{"events": ids}, Ordering: last}
	}
	return objects, false
}

// base is when the events of the tests happen.
var base = time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)

// said is a message of one statement per quantity: slot "s0", "s1" ...; "" says
// that there is none in that slot. Each produces lot/M-1/<id>.
func said(t testing.TB, plant, id string, quantities ...string) *Entry {
	t.Helper()
	e := &Entry{
		Message:  event.Message{System: "mes", Name: "shift-report", ID: id, Plant: plant, ContentType: "application/json", Channel: "test", Principal: "mes", Body: fmt.Appendf(nil, "%q", quantities)},
		Restates: true, Mapping: "mes/shift-report", Revision: "r1",
	}
	e.Message.Digest = digestOf(t, append([]string{id}, quantities...))
	for i, q := range quantities {
		if q != "" {
			e.Drafts = append(e.Drafts, produced(t, plant, id, fmt.Sprintf("s%d", i), q))
		}
	}
	return e
}

// produced is a draft of what a shift report says: two facts, five refs, a relation.
func produced(t testing.TB, plant, id, slot, quantity string) Draft {
	t.Helper()
	q, err := event.NewQuantity(quantity, "KGM")
	if err != nil {
		t.Fatal(err)
	}
	scrap, err := event.NewQuantity("0.125", "KGM")
	if err != nil {
		t.Fatal(err)
	}
	lot := event.Ref("lot/M-1/" + id)
	order, center := event.Ref("order/1000123"), event.Ref("work-center/"+plant+"/L1")
	fact := event.Fact{Measure: "good", Material: "material/M-1", Lot: lot, Order: order, WorkCenter: center, Quantity: q, Base: q}
	other := fact
	other.Measure, other.Reason, other.Quantity, other.Base = "scrap", "black-spot", scrap, scrap
	d := Draft{Event: event.Event{
		Type: "production.completed", Version: 1, System: "mes", Plant: plant, Identity: id, Slot: slot, Subject: lot,
		Occurred: event.Span{From: base, To: base.Add(8 * time.Hour)}, Day: "2026-03-02", Shift: "1",
		Data:      map[string]any{"order": string(order), "quantity": map[string]any{"value": quantity, "unit": "KGM"}},
		Refs:      []event.Ref{lot, order, "material/M-1", center, "equipment/" + event.Ref(plant) + "/E1"},
		Relations: []event.Relation{{Kind: "order-lot", From: order, To: lot}},
		Facts:     []event.Fact{fact, other}, Mapping: "mes/shift-report", Revision: "r1",
	}}
	d.Key = event.Identity(d.System, d.Type, d.Identity, d.Slot)
	d.Digest = digestOf(t, []string{id, slot, quantity})
	d.Folds = []Fold{{Ref: lot, Ordering: d.Order()}}
	return d
}

func digestOf(t testing.TB, parts []string) string {
	t.Helper()
	all := make([]any, len(parts))
	for i, p := range parts {
		all[i] = p
	}
	digest, err := event.Digest(all)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// record records and fails the test on an error.
func record(t testing.TB, l *Ledger, e *Entry) Result {
	t.Helper()
	r, err := l.Record(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	return r
}
