package flow_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/report"
)

// made is production of so many pieces of an order, as an MES says it.
func made(id, order, good string, more ...doc) doc {
	return cloud("graz-mes", id, "production.completed", "2026-03-02T08:00:00+01:00", doc{
		"order":   "order/" + order,
		"outputs": []any{doc{"role": "main", "material": "material/M-100", "quantity": doc{"value": good, "unit": "H87"}}},
	}, more...)
}

func corrects(id string) doc { return doc{"corrects": id} }
func reverses(id string) doc { return doc{"reverses": id} }

// good is the sum of good pieces.
func (h *hub) good(want string) {
	h.t.Helper()
	if got := h.produced("H87").Good.String(); got != want {
		h.t.Errorf("good pieces: %s, want %s", got, want)
	}
}

func TestACorrectionRestatesTheEventThatItNames(t *testing.T) {
	h := newHub(t)
	h.becomes(h.says(made("e1", "1", "100")), "recorded")
	h.becomes(h.says(made("e2", "1", "90", corrects("e1"))), "recorded")
	h.good("90")
	h.becomes(h.says(made("e3", "1", "80", corrects("e2"))), "recorded")
	h.good("80")
	e := h.statement(messageKey("graz-mes", "e3"))
	if e.Statement != 3 || e.Change != event.Correction || !e.Current {
		t.Errorf("the third statement of the chain: %d, %q, current %v", e.Statement, e.Change, e.Current)
	}
	all, err := h.Ledger().Statements(t.Context(), e.Key)
	if err != nil || len(all) != 3 {
		t.Fatalf("%d statements, want 3: %v", len(all), err)
	}
	h.verified()
}

func TestASecondCorrectionOfTheSameEventIsAConflict(t *testing.T) {
	h := newHub(t)
	h.becomes(h.says(made("e1", "1", "100")), "recorded")
	h.becomes(h.says(made("e2", "1", "90", corrects("e1"))), "recorded")
	h.becomes(h.says(made("e3", "1", "80", corrects("e1"))), "held chain_conflict")
	h.becomes(h.says(made("e4", "1", "80", reverses("e1"))), "held chain_conflict")
	h.good("90")
	h.verified()
}

func TestACorrectionThatSaysTheSameIsAStatementOfTheChain(t *testing.T) {
	h := newHub(t)
	h.becomes(h.says(made("e1", "1", "100")), "recorded")
	h.becomes(h.says(made("e2", "1", "100", corrects("e1"))), "recorded")
	h.becomes(h.says(made("e3", "1", "80", corrects("e2"))), "recorded")
	h.good("80")
	h.becomes(h.says(made("e4", "1", "70", corrects("e1"))), "held chain_conflict")
	h.verified()
}

func TestAmendmentsOfAnUnknownEventWaitAndGoOn(t *testing.T) {
	h := newHub(t)
	h.becomes(h.says(made("e3", "1", "0", reverses("e2"))), "held predecessor_missing")
	h.becomes(h.says(made("e2", "1", "90", corrects("e1"))), "held predecessor_missing")
	h.good("0")
	h.becomes(h.says(made("e1", "1", "100")), "recorded")
	h.goesOn(messageKey("graz-mes", "e2"))
	h.goesOn(messageKey("graz-mes", "e3"))
	h.good("0")
	if n := h.count(); n.Events != 3 || n.Held != 0 {
		t.Errorf("%+v, want three statements and nothing held", n)
	}
	h.verified()
}

func TestACorrectionOfAHeldEventWaitsForIt(t *testing.T) {
	h := newHub(t)
	h.becomes(h.says(placed("p2", "H-1", "lot/M-100/1", "2026-03-02T07:00:00Z")), "recorded")
	lifted := lifted("l1", "H-2", "lot/M-100/1", "2026-03-03T07:00:00Z")
	h.becomes(h.says(lifted), "held predecessor_missing")
	correction := cloud("qms", "l2", "hold.lifted", "2026-03-03T08:00:00Z", lifted["data"].(doc), corrects("l1"))
	h.becomes(h.says(correction), "held predecessor_missing")
	h.becomes(h.says(placed("p1", "H-2", "lot/M-100/1", "2026-03-02T08:00:00Z")), "recorded")
	h.goesOn(messageKey("qms", "l1"))
	h.goesOn(messageKey("qms", "l2"))
	if diff := cmp.Diff(doc{"holds": []any{"hold/qms/H-1"}}, h.object("lot/M-100/1")["open"]); diff != "" {
		t.Error(diff)
	}
	h.verified()
}

func TestWhatWasReversedIsNeitherReversedNorCorrectedAgain(t *testing.T) {
	h := newHub(t)
	h.becomes(h.says(made("e1", "1", "100")), "recorded")
	h.becomes(h.says(made("e2", "1", "0", reverses("e1"))), "recorded")
	h.good("0")
	h.becomes(h.says(made("e3", "1", "0", reverses("e2"))), "held already_reversed")
	h.becomes(h.says(made("e4", "1", "50", corrects("e2"))), "held already_reversed")
	h.becomes(h.says(made("e5", "1", "0", reverses("e1"))), "held chain_conflict")
	h.becomes(h.says(made("e1", "1", "100")), "duplicate")
	h.good("0")
	h.verified()
}

func TestAReversalTakesTheWholeEventAsItWas(t *testing.T) {
	h := newHub(t)
	h.becomes(h.says(made("e1", "1", "100", doc{"correlationid": "day 1"})), "recorded")
	h.becomes(h.says(made("e2", "2", "7", reverses("e1"), doc{"correlationid": "clean-up", "causationid": "ticket 9", "data": doc{}})), "recorded")
	e := h.statement(messageKey("graz-mes", "e2"))
	if e.Subject != "order/1" || e.Change != event.Reversal || e.Data["order"] != "order/1" {
		t.Errorf("reversed: %s %q %v", e.Subject, e.Change, e.Data)
	}
	if e.Correlation != "clean-up" || e.Causation != "ticket 9" {
		t.Errorf("the reversal has reasons of its own: correlation %q, causation %q", e.Correlation, e.Causation)
	}
	h.good("0")
	h.verified()
}

func TestAnAmendmentOfAnotherTypeIsAConflict(t *testing.T) {
	h := newHub(t)
	h.becomes(h.says(made("e1", "1", "100")), "recorded")
	scrap := doc{"order": "order/1", "material": "material/M-100", "reason": "scratch", "quantity": doc{"value": "1", "unit": "H87"}}
	h.becomes(h.says(cloud("graz-mes", "e2", "scrap.declared", "2026-03-02T08:00:00Z", scrap, corrects("e1"))), "held chain_conflict")
	h.becomes(h.says(cloud("graz-mes", "e3", "scrap.declared", "2026-03-02T08:00:00Z", scrap, reverses("e1"))), "held chain_conflict")
	h.good("100")
	h.verified()
}

func TestASystemAmendsOnlyWhatItSaidItself(t *testing.T) {
	h := newHub(t)
	h.becomes(h.says(made("e1", "1", "100")), "recorded")
	a := h.says(made("e2", "1", "5", corrects("e1"), doc{"source": "linz-mes", "plant": "linz"}))
	h.becomes(a, "held predecessor_missing")
	h.good("100")
	// The other system has an e1 of its own: that is the one that is meant.
	h.becomes(h.says(made("e1", "9", "50", doc{"source": "linz-mes", "plant": "linz"})), "recorded")
	h.goesOn(messageKey("linz-mes", "e2"))
	h.good("105")
	h.verified()
}

func TestAnAmendmentAtAnotherPlantIsAConflict(t *testing.T) {
	h := newHub(t)
	order := doc{"order": "order/1", "type": "production"}
	h.becomes(h.says(cloud("erp", "o1", "order.released", "2026-03-01T08:00:00Z", order)), "recorded")
	for id, amends := range map[string]doc{"o2": corrects("o1"), "o3": reverses("o1")} {
		a := h.says(cloud("erp", id, "order.released", "2026-03-01T08:00:00Z", order, amends, doc{"plant": "linz"}))
		h.becomes(a, "held chain_conflict")
		if a.Fault.Field != "plant" {
			t.Errorf("%s: field %q", id, a.Fault.Field)
		}
	}
	h.verified()
}

func TestAnIDWithOtherContentIsAConflictOnceHoweverOftenItComes(t *testing.T) {
	h := newHub(t)
	h.becomes(h.says(made("e1", "1", "100")), "recorded")
	h.becomes(h.says(made("e1", "1", "90")), "held identity_conflict")
	h.becomes(h.says(made("e1", "1", "80")), "held identity_conflict")
	before := h.count()
	for range 3 {
		h.becomes(h.says(made("e1", "1", "90")), "duplicate")
		h.becomes(h.says(made("e1", "1", "80")), "duplicate")
		h.becomes(h.says(made("e1", "1", "100")), "duplicate")
	}
	if diff := cmp.Diff(before, h.count()); diff != "" {
		t.Error(diff)
	}
	h.good("100")
	h.verified()
}

func TestAHeldEventCanBeSentAgainCorrectedUnderTheSameID(t *testing.T) {
	h := newHub(t)
	h.becomes(h.says(made("e1", "1", "-5")), "held quantity_negative")
	h.becomes(h.says(made("e1", "1", "5")), "recorded")
	h.good("5")
	h.becomes(h.says(made("e1", "1", "6")), "held identity_conflict")
	h.becomes(h.says(made("e1", "1", "-5")), "duplicate")
	h.good("5")
	h.verified()
}

func TestAnEventThatOnlyWaitsIsNotReplacedUnderItsID(t *testing.T) {
	h := newHub(t)
	first := lifted("l1", "H-1", "lot/M-100/1", "2026-03-03T07:00:00Z")
	h.becomes(h.says(first), "held predecessor_missing")
	h.becomes(h.says(lifted("l1", "H-1", "lot/M-100/1", "2026-03-03T08:00:00Z")), "held identity_conflict")
	h.becomes(h.says(placed("p1", "H-1", "lot/M-100/1", "2026-03-02T07:00:00Z")), "recorded")
	h.goesOn(messageKey("qms", "l1"))
	if e := h.statement(messageKey("qms", "l1")); e.Occurred.From.UTC().Hour() != 7 {
		t.Errorf("what stands happened at %s, the first content says 7:00", e.Occurred.From)
	}
	h.verified()
}

// What the source corrected while the first content could still go on was refused beside
// it. When that turns out to be wrong, nobody has to send the correction once more.
func TestACorrectionThatCameWhileTheMessageWaitedCountsOnceItCannotGoOn(t *testing.T) {
	h := newHub(t)
	wrong := `{"number":"W-1","at":"2026-03-02T08:00:00Z","order":"1","item":"NEW","amount":"-0.5","unit":"kg"}`
	h.becomes(h.one(native("weighing", "application/json", wrong)), "held identifier_unknown")
	h.becomes(h.one(weighing("W-1", "NEW", "2026-03-02T08:00:00Z")), "held identity_conflict")
	h.becomes(h.says(material("m1", "NEW", "material/M-6", "")), "recorded")
	h.goesOn(weighingKey("W-1"))
	if _, amount := h.used(weighingKey("W-1")); amount != "0.5" {
		t.Errorf("%s kg are on record", amount)
	}
	all, err := h.Ledger().ExceptionsOf(t.Context(), weighingKey("W-1"))
	if err != nil || len(all) != 2 || all[0].State != ledger.DeskResolved || all[1].State != ledger.DeskResolved {
		t.Errorf("exceptions %+v, %v", all, err)
	}
	h.becomes(h.one(weighing("W-1", "NEW", "2026-03-02T08:00:00Z")), "duplicate")
	h.verified()
}

func TestAttributesOfAnEventAreKept(t *testing.T) {
	h := newHub(t)
	h.becomes(h.says(made("e1", "1", "100", doc{
		"occurredto": "2026-03-02T14:00:00+01:00", "sequence": "17", "correlationid": "order 1", "causationid": "counter 5",
		"dataschema": "urn:gapless:contract:production.completed:1", "traceparent": "00-aa-bb-01", "myextension": "x",
	})), "recorded")
	e := h.statement(messageKey("graz-mes", "e1"))
	got := doc{"to": e.Occurred.To.Format("15:04Z07:00"), "sequence": e.Sequence, "correlation": e.Correlation, "causation": e.Causation, "version": e.Version, "day": e.Day, "shift": e.Shift}
	want := doc{"to": "14:00+01:00", "sequence": "17", "correlation": "order 1", "causation": "counter 5", "version": 1, "day": "2026-03-02", "shift": "1"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	again := made("e1", "1", "100", doc{
		"occurredto": "2026-03-02T14:00:00+01:00", "sequence": "17", "correlationid": "order 1", "causationid": "counter 5",
		"dataschema": "urn:gapless:contract:production.completed:1", "traceparent": "00-cc-dd-01", "myextension": "x",
	})
	h.becomes(h.says(again), "duplicate") // another trace is another way, not another content
}

func TestTheTraceShowsTheWholeChain(t *testing.T) {
	h := newHub(t)
	h.says(made("e1", "1", "100"))
	h.says(made("e2", "1", "90", corrects("e1")))
	h.says(made("e3", "1", "0", reverses("e2")))
	trace, err := report.TraceOf(t.Context(), h.Ledger(), "order/1")
	if err != nil {
		t.Fatal(err)
	}
	var changes []event.Change
	for _, line := range trace.Lines {
		changes = append(changes, line.Change)
	}
	if diff := cmp.Diff([]event.Change{event.First, event.Correction, event.Reversal}, changes); diff != "" {
		t.Error(diff)
	}
}

func TestABatchAnswersEachEventInOrder(t *testing.T) {
	h := newHub(t)
	foreign := made("e3", "1", "1", doc{"source": "linz-mes"})
	all, err := h.take(events(t, key("graz-mes"), made("e1", "1", "100"), made("e2", "1", "90", corrects("e1")), foreign, made("e1", "1", "100"), made("e4", "1", "-1")))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for i, a := range all {
		got = append(got, outcome(a))
		if a.Record != i+1 {
			t.Errorf("answer %d is about record %d", i+1, a.Record)
		}
	}
	if diff := cmp.Diff([]string{"recorded", "recorded", "refused foreign_source", "duplicate", "held quantity_negative"}, got); diff != "" {
		t.Error(diff)
	}
	h.good("90")
	h.verified()
}
