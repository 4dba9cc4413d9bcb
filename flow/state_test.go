package flow_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/event"
)

// placed and lifted are a hold on a lot, and its end, as the quality system says them.
func placed(id, hold, lot, at string) doc {
	return cloud("qms", id, "hold.placed", at, doc{"hold": "hold/qms/" + hold, "scope": []any{doc{"kind": "lot", "lot": lot}}, "reason": "deviation"})
}

func lifted(id, hold, lot, at string) doc {
	return cloud("qms", id, "hold.lifted", at, doc{"hold": "hold/qms/" + hold, "scope": []any{doc{"kind": "lot", "lot": lot}}})
}

func created(id, lot, at string) doc {
	return cloud("graz-mes", id, "lot.created", at, doc{"lot": lot, "material": "material/M-100"})
}

func released(id, lot, at string) doc {
	return cloud("qms", id, "lot.released", at, doc{"lot": lot})
}

func rejected(id, lot, at string) doc {
	return cloud("qms", id, "lot.rejected", at, doc{"lot": lot, "reason": "specification"})
}

const lot1 = "lot/M-100/1"

func TestAReleaseIsHeldWhileAHoldIsOpenAndGoesOnWhenRetriedAfterwards(t *testing.T) {
	h := newHub(t)
	h.becomes(h.says(created("c", lot1, "2026-03-01T08:00:00Z")), "recorded")
	h.becomes(h.says(placed("p1", "H-1", lot1, "2026-03-02T08:00:00Z")), "recorded")
	h.becomes(h.says(placed("p2", "H-2", lot1, "2026-03-02T09:00:00Z")), "recorded")
	release := released("r", lot1, "2026-03-04T08:00:00Z")
	a := h.says(release)
	h.becomes(a, "held open_hold")
	if a.Fault.Ref != lot1 || a.Fault.Field != "lot" {
		t.Errorf("the exception is about %q, field %q", a.Fault.Ref, a.Fault.Field)
	}
	r := messageKey("qms", "r")
	h.becomes(h.says(lifted("l1", "H-1", lot1, "2026-03-03T08:00:00Z")), "recorded")
	h.becomes(h.retried(r), "held open_hold") // the other hold is open still
	h.becomes(h.says(lifted("l2", "H-2", lot1, "2026-03-03T09:00:00Z")), "recorded")
	if m, err := h.Ledger().Newest(t.Context(), r); err != nil || !m.Held {
		t.Fatalf("what business has stopped does not go on by itself: %+v %v", m, err)
	}
	h.becomes(h.retried(r), "recorded")
	h.becomes(h.retried(r), "duplicate")
	if got := h.status(lot1); got != "released" {
		t.Errorf("the lot is %q", got)
	}
	all, err := h.Ledger().ExceptionsOf(t.Context(), r)
	if err != nil || len(all) != 1 || all[0].State != "resolved" {
		t.Errorf("exceptions of the release: %+v %v", all, err)
	}
	h.verified()
}

func TestAReleaseSentAgainAfterTheHoldIsTakenAnew(t *testing.T) {
	h := newHub(t)
	h.says(created("c", lot1, "2026-03-01T08:00:00Z"))
	h.says(placed("p", "H-1", lot1, "2026-03-02T08:00:00Z"))
	h.becomes(h.says(released("r", lot1, "2026-03-04T08:00:00Z")), "held open_hold")
	before := h.count()
	h.becomes(h.says(released("r", lot1, "2026-03-04T08:00:00Z")), "held open_hold")
	if diff := cmp.Diff(before, h.count()); diff != "" {
		t.Errorf("sent again with the same result, something was kept:\n%s", diff)
	}
	h.says(lifted("l", "H-1", lot1, "2026-03-03T08:00:00Z"))
	h.becomes(h.says(released("r", lot1, "2026-03-04T08:00:00Z")), "recorded")
	h.verified()
}

func TestARejectedLotIsNotReleased(t *testing.T) {
	h := newHub(t)
	h.says(created("c", lot1, "2026-03-01T08:00:00Z"))
	h.becomes(h.says(rejected("x", lot1, "2026-03-02T08:00:00Z")), "recorded")
	h.becomes(h.says(released("r", lot1, "2026-03-03T08:00:00Z")), "held transition_invalid")
	// The rejection was a mistake: it is reversed, and the release goes on.
	reversal := rejected("x2", lot1, "2026-03-02T08:00:00Z")
	reversal["reverses"] = "x"
	h.becomes(h.says(reversal), "recorded")
	if got := h.status(lot1); got != "created" {
		t.Errorf("without the rejection the lot is %q", got)
	}
	h.becomes(h.retried(messageKey("qms", "r")), "recorded")
	h.verified()
}

func TestAHoldIsNotLiftedFromALotThatItDoesNotLieOn(t *testing.T) {
	h := newHub(t)
	h.says(placed("p", "H-1", lot1, "2026-03-02T08:00:00Z"))
	h.becomes(h.says(lifted("l", "H-1", "lot/M-100/2", "2026-03-03T08:00:00Z")), "held transition_invalid")
	h.verified()
}

func TestAFactInAnImpossibleStateIsOnRecordAndDisputed(t *testing.T) {
	h := newHub(t)
	h.says(cloud("erp", "o1", "order.released", "2026-03-01T08:00:00Z", doc{"order": "order/1", "type": "production"}))
	h.becomes(h.says(made("e1", "1", "100")), "recorded")
	h.becomes(h.says(cloud("erp", "o2", "order.closed", "2026-03-03T08:00:00Z", doc{"order": "order/1", "outcome": "completed"})), "recorded")
	late := made("e2", "1", "40", doc{"time": "2026-03-04T08:00:00Z"})
	h.becomes(h.says(late), "recorded")
	e := h.statement(messageKey("graz-mes", "e2"))
	if !e.Disputed || len(e.Verdicts) == 0 || e.Verdicts[len(e.Verdicts)-1].Policy != "lifecycle order" {
		t.Fatalf("production on a closed order: disputed %v, verdicts %+v", e.Disputed, e.Verdicts)
	}
	got := h.produced("H87")
	if got.Total.String() != "140" || got.Disputed.String() != "40" {
		t.Errorf("total %s of which disputed %s, want 140 and 40", got.Total, got.Disputed)
	}
	// It happened before the order was closed and was reported late: that is no contradiction.
	h.becomes(h.says(made("e3", "1", "7", doc{"time": "2026-03-02T20:00:00Z"})), "recorded")
	if h.statement(messageKey("graz-mes", "e3")).Disputed {
		t.Error("production before the order was closed is disputed")
	}
	if got := h.status("order/1"); got != "closed" {
		t.Errorf("the order is %q", got)
	}
	// Taken back, it no longer counts among the disputed.
	h.becomes(h.says(made("e4", "1", "0", reverses("e2"))), "recorded")
	if got := h.produced("H87"); got.Total.String() != "107" || !got.Disputed.IsZero() {
		t.Errorf("total %s of which disputed %s, want 107 and 0", got.Total, got.Disputed)
	}
	h.verified()
}

func TestCountsThatDoNotAddUpAreDisputed(t *testing.T) {
	h := newHub(t)
	data := func(good string) doc {
		return doc{
			"order": "order/1", "gross": doc{"value": "100", "unit": "H87"}, "rejected": doc{"value": "5", "unit": "H87"},
			"outputs": []any{doc{"role": "main", "material": "material/M-100", "quantity": doc{"value": good, "unit": "H87"}}},
		}
	}
	h.becomes(h.says(cloud("graz-mes", "e1", "production.completed", "2026-03-02T08:00:00Z", data("100"))), "recorded")
	if got := h.produced("H87"); got.Disputed.String() != "100" {
		t.Errorf("disputed %s of %s", got.Disputed, got.Total)
	}
	h.becomes(h.says(cloud("graz-mes", "e2", "production.completed", "2026-03-02T08:00:00Z", data("95"), corrects("e1"))), "recorded")
	if got := h.produced("H87"); !got.Disputed.IsZero() || got.Total.String() != "95" {
		t.Errorf("corrected: disputed %s of %s", got.Disputed, got.Total)
	}
	h.verified()
}

func TestADecisionThatItsStateForbidsIsHeldAndNothingOfItIsOnRecord(t *testing.T) {
	h := newHub(t)
	h.says(cloud("erp", "o1", "order.released", "2026-03-01T08:00:00Z", doc{"order": "order/1", "type": "production"}))
	h.says(cloud("erp", "o2", "order.closed", "2026-03-02T08:00:00Z", doc{"order": "order/1", "outcome": "completed"}))
	before := h.count()
	a := h.says(cloud("erp", "o3", "order.released", "2026-03-03T08:00:00Z", doc{"order": "order/1", "type": "production"}))
	h.becomes(a, "held transition_invalid")
	if after := h.count(); after.Events != before.Events || after.Held != before.Held+1 {
		t.Errorf("before %+v, after %+v", before, after)
	}
	h.verified()
}

func TestALateEventRefoldsItsObject(t *testing.T) {
	h := newHub(t)
	h.becomes(h.says(rejected("x", lot1, "2026-03-05T08:00:00Z")), "recorded")
	h.becomes(h.says(created("c", lot1, "2026-03-01T08:00:00Z")), "recorded")
	h.becomes(h.says(released("r", lot1, "2026-03-02T08:00:00Z")), "held transition_invalid") // the lot is rejected now
	if diff := cmp.Diff(doc{
		"status": "rejected", "since": "2026-03-05T08:00:00Z", "open": doc{},
		"last": doc{"lot.created": h.statement(messageKey("graz-mes", "c")).Key, "lot.rejected": h.statement(messageKey("qms", "x")).Key},
	}, h.object(lot1)); diff != "" {
		t.Error(diff)
	}
	h.verified()
}

func TestTheMessageNamesTheStateOfThenNotOfNow(t *testing.T) {
	h := newHub(t)
	h.says(cloud("erp", "o1", "order.released", "2026-03-01T08:00:00Z", doc{"order": "order/1", "type": "production"}))
	h.says(cloud("erp", "o2", "order.closed", "2026-03-02T08:00:00Z", doc{"order": "order/1", "outcome": "completed"}))
	a := h.says(cloud("erp", "o3", "order.changed", "2026-03-03T08:00:00Z", doc{"order": "order/1"}))
	h.becomes(a, "held transition_invalid")
	if want := `order/1 is "closed", which allows no order.changed`; a.Fault.Explanation() != want {
		t.Errorf("%q, want %q", a.Fault.Explanation(), want)
	}
}

func TestACorrectionThatNamesAnotherObjectLeavesTheFirst(t *testing.T) {
	h := newHub(t)
	h.becomes(h.says(created("c", lot1, "2026-03-01T08:00:00Z")), "recorded")
	h.becomes(h.says(placed("p1", "H-1", lot1, "2026-03-02T08:00:00Z")), "recorded")
	wrong := placed("p2", "H-1", "lot/M-100/2", "2026-03-02T08:00:00Z")
	wrong["corrects"] = "p1"
	h.becomes(h.says(wrong), "recorded")
	open := func(lot event.Ref) any { return h.object(lot)["open"] }
	if diff := cmp.Diff([]any{doc{}, doc{"holds": []any{"hold/qms/H-1"}}}, []any{open(lot1), open("lot/M-100/2")}); diff != "" {
		t.Errorf("the hold was on the second lot all the time:\n%s", diff)
	}
	h.becomes(h.says(released("r", lot1, "2026-03-03T08:00:00Z")), "recorded")
	h.verified()
}

func TestARestatedRowThatNamesAnotherOrderLeavesTheFirst(t *testing.T) {
	h := newHub(t)
	first := `{"day":"2026-03-02","shift":"1","machine":"M1","order":"1","item":"FREE","lot":"A","total":"10","good":"10"}`
	second := `{"day":"2026-03-02","shift":"1","machine":"M1","order":"1","item":"FREE","lot":"B","total":"10","good":"10"}`
	h.becomes(h.says(material("m1", "FREE", "material/M-9", "")), "recorded")
	h.becomes(h.one(native("shift-report", "application/json", first)), "recorded")
	if got := h.status("lot/FREE/A"); got != "created" {
		t.Fatalf("lot A is %q", got)
	}
	h.becomes(h.one(native("shift-report", "application/json", second)), "corrected")
	if a, b := h.status("lot/FREE/A"), h.status("lot/FREE/B"); a != "unknown" || b != "created" {
		t.Errorf("lot A is %q and lot B %q; the parts were of B all the time", a, b)
	}
	h.verified()
}

func TestAnotherMessageThatRestatesAnEventMovesItsObjects(t *testing.T) {
	h := newHub(t).again(map[string]string{"mappings/graz-mes/reweighing.yaml": `message: reweighing
system: graz-mes
title: A weighing that takes the place of another
plant: graz
format: {kind: json}
identity: [ticket]
on-change: correction
occurred: {from: 'this.at'}
events:
  - slot: consumed
    type: material.consumed
    version: 1
    identity: '["[\"", this.number, "\"]"].join("")'
    map: |
      root.order = ref("order", this.order)
      root.inputs = [{"material": local("material", "CAP28"), "quantity": quantity(this.amount, "KGM"), "method": "measured", "direction": "issue"}]
cases:
  - name: half a kilogram
    message: {ticket: "1", number: "W-1", at: "2026-03-02T08:00:00+01:00", order: "2", amount: "0.5"}
    events:
      - slot: consumed
        type: material.consumed
        data: {order: order/2, inputs: [{material: {$local: {kind: material, id: CAP28}}, quantity: {value: "0.5", unit: KGM}, method: measured, direction: issue}]}
`})
	h.becomes(h.says(cloud("erp", "o1", "order.released", "2026-03-01T08:00:00Z", doc{"order": "order/1", "type": "production"})), "recorded")
	h.becomes(h.one(weighing("W-1", "CAP28", "2026-03-02T08:00:00+01:00")), "recorded")
	if got := h.status("order/1"); got != "in-progress" {
		t.Fatalf("order 1 is %q", got)
	}
	h.becomes(h.one(native("reweighing", "application/json", `{"ticket":"1","number":"W-1","at":"2026-03-02T08:00:00+01:00","order":"2","amount":"0.7"}`)), "recorded")
	if one, two := h.status("order/1"), h.status("order/2"); one != "released" || two != "in-progress" {
		t.Errorf("order 1 is %q and order 2 %q; what was used went into order 2 all the time", one, two)
	}
	// The weighing sent again has nothing to say any more, and takes nothing back.
	h.becomes(h.one(weighing("W-1", "CAP28", "2026-03-02T08:00:00+01:00")), "duplicate")
	h.verified()
}
