package transaction_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/transaction"
)

// reachedLots is the plan of lots whose key is reached through batches.
func reachedLots() transaction.PlanDefinition {
	def := only(lotPlan(), "status", "erp")
	def.Reached = []transaction.Reach{
		{On: []string{"hold.placed", "hold.lifted"}, From: "batch", By: "batch-lot"},
		{On: []string{"hold.placed"}, From: "order", By: "order-lot"},
	}
	return def
}

// reaches is a hold that is placed on a batch or lifted.
func reaches(hold string, open bool, change func(*transaction.Happened)) func(*transaction.Happened) {
	return func(h *transaction.Happened) {
		h.Via, h.Moves = "batch/graz/B", []transaction.Move{{Set: "holds", Key: hold, Open: open}}
		if change != nil {
			change(h)
		}
	}
}

func TestWhatReachesAKeyCountsForItsStatus(t *testing.T) {
	d := newDesk(t, reachedLots())
	d.world.State.Status = "released"
	d.happens("free", "lot.released", "graz", nil)
	d.settle(0, transaction.StepApplied)
	d.happens("stop", "hold.placed", "graz", reaches("H-1", true, nil))
	d.settle(1, transaction.StepApplied)
	d.happens("go", "hold.lifted", "graz", reaches("H-1", false, nil))
	d.wants("do status free of free in graz-erp: applied", "do status blocked of stop in graz-erp: applied", "do status free of go in graz-erp: due")
}

func TestALiftThatWasReportedBeforeItsHoldFreesByTheOrderOfWhatHappened(t *testing.T) {
	d := newDesk(t, reachedLots())
	d.world.State.Status = "released"
	d.happens("go", "hold.lifted", "graz", reaches("H-1", false, nil))
	d.happens("stop", "hold.placed", "graz", reaches("H-1", true, func(h *transaction.Happened) { h.Ordering = day(0) }))
	d.wants("do status free of go in graz-erp: due")
}

func TestAHoldOfTheKeyItselfIsNotFreedByOneThatReachesIt(t *testing.T) {
	d := newDesk(t, reachedLots())
	d.world.State = transaction.State{Status: "released", Open: map[string][]string{"holds": {"H-0"}}}
	d.happens("own", "hold.placed", "graz", func(h *transaction.Happened) { h.Moves = []transaction.Move{{Set: "holds", Key: "H-0", Open: true}} })
	d.happens("stop", "hold.placed", "graz", reaches("H-1", true, nil))
	d.happens("go", "hold.lifted", "graz", reaches("H-1", false, nil))
	d.wants("do status blocked of own in graz-erp: due")
	if diff := cmp.Diff(map[string][]string{"holds": {"H-0"}}, d.world.State.Open); diff != "" {
		t.Errorf("the state that it was given is changed:\n%s", diff)
	}
}

func TestAHoldThatReachedTheKeyAndWasTakenBackCountsNoMore(t *testing.T) {
	d := newDesk(t, reachedLots())
	d.world.State.Status = "released"
	d.happens("stop", "hold.placed", "graz", reaches("H-1", true, nil))
	d.happens("gone", "hold.placed", "graz", reaches("H-1", true, func(h *transaction.Happened) { h.Key, h.Statement, h.Change = "stop", 2, event.Reversal }))
	d.wants("do status blocked of stop in graz-erp: superseded", "do status free of gone in graz-erp: due")
}

func TestTheWaysToAKey(t *testing.T) {
	p := compiledPlan(t, reachedLots())
	var got []string
	p.ReachedFrom("hold.placed", []event.Ref{"batch/graz/B", "lot/M/1", "order/1"}, func(from event.Ref, by string) { got = append(got, string(from)+" "+by) })
	p.ReachedFrom("lot.released", []event.Ref{"batch/graz/B"}, func(from event.Ref, by string) { got = append(got, string(from)+" "+by) })
	if diff := cmp.Diff([]string{"batch/graz/B batch-lot", "order/1 order-lot"}, got); diff != "" {
		t.Errorf("from events:\n%s", diff)
	}
	for relation, want := range map[event.Relation][]string{
		{Kind: "batch-lot", From: "batch/graz/B", To: "lot/M/1"}: {"hold.placed", "hold.lifted"},
		{Kind: "order-lot", From: "order/1", To: "lot/M/1"}:      {"hold.placed"},
		{Kind: "order-lot", From: "batch/graz/B", To: "lot/M/1"}: nil,
		{Kind: "batch-lot", From: "lot/M/1", To: "batch/graz/B"}: nil,
	} {
		if diff := cmp.Diff(want, p.CarriedOver(relation)); diff != "" {
			t.Errorf("over %+v:\n%s", relation, diff)
		}
	}
}
