package transaction_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/gapless/gapless/transaction"
)

// nextOpenPlan is the plan of lots, posting into the next open period.
func nextOpenPlan() transaction.PlanDefinition {
	def := lotPlan()
	edit(&def, "receive", func(r *transaction.Reaction) { r.ClosedPeriod = transaction.NextOpen })
	return def
}

// closed is that the period is told to be closed, at a time.
func closed(at string) transaction.StoryLine {
	return transaction.StoryLine{Outcome: "receive", Is: transaction.StepRefused, Reason: transaction.RefusedClosed, At: at}
}

func made(at string) transaction.StoryLine {
	return transaction.StoryLine{Event: "made", Type: "production.completed", At: at}
}

func TestWhatIsRefusedInAClosedPeriodIsPostedInTheNextOpenOne(t *testing.T) {
	applied := transaction.StoryLine{Outcome: "receive", Is: transaction.StepApplied}
	better := transaction.StoryLine{Event: "better", Corrects: "made"}
	gone := transaction.StoryLine{Event: "gone", Reverses: "made"}
	for name, test := range map[string]struct {
		plan  func() transaction.PlanDefinition
		story []transaction.StoryLine
		want  string
	}{
		"on the first day of the month after": {
			nextOpenPlan,
			[]transaction.StoryLine{made("2026-03-31T22:00:00+02:00"), closed("2026-04-02T06:00:00+02:00")},
			"receive of made in erp: superseded, receive on 2026-04-01 of made in erp: due",
		},
		"month by month, over the end of the year": {
			nextOpenPlan,
			[]transaction.StoryLine{made("2025-11-30T08:00:00+01:00"), closed("2026-02-01T06:00:00+01:00"), closed(""), closed(""), closed("")},
			"receive of made in erp: superseded, receive on 2025-12-01 of made in erp: superseded, receive on 2026-01-01 of made in erp: superseded, " +
				"receive on 2026-02-01 of made in erp: refused (period_closed)",
		},
		"not before that day has come at the plant": {
			nextOpenPlan,
			[]transaction.StoryLine{made("2026-03-31T22:00:00+02:00"), closed("2026-03-31T23:59:00+02:00")},
			"receive of made in erp: refused (period_closed)",
		},
		"which is told by the clock of the plant": {
			nextOpenPlan,
			[]transaction.StoryLine{made("2026-03-31T22:00:00+02:00"), closed("2026-04-01T00:01:00+02:00")},
			"receive of made in erp: superseded, receive on 2026-04-01 of made in erp: due",
		},
		"not for another reason": {
			nextOpenPlan,
			[]transaction.StoryLine{made("2026-03-31T22:00:00+02:00"), {Outcome: "receive", Is: transaction.StepRefused, Reason: "lot_missing", At: "2026-05-01T06:00:00+02:00"}},
			"receive of made in erp: refused (lot_missing)",
		},
		"not where the plan holds it": {
			lotPlan,
			[]transaction.StoryLine{made("2026-03-31T22:00:00+02:00"), closed("2026-05-01T06:00:00+02:00")},
			"receive of made in erp: refused (period_closed)",
		},
		"with what was corrected meanwhile from its own day on": {
			nextOpenPlan,
			[]transaction.StoryLine{made("2026-03-31T22:00:00+02:00"), closed("2026-05-01T06:00:00+02:00"), better},
			"receive of made in erp: superseded, receive on 2026-04-01 of made in erp: superseded, receive of better in erp: due",
		},
		"and so is a bundle, as it is": {
			func() transaction.PlanDefinition {
				def := nextOpenPlan()
				edit(&def, "receive", func(r *transaction.Reaction) { r.Collect = &transaction.Collect{Count: 2} })
				return def
			},
			[]transaction.StoryLine{
				made("2026-03-31T20:00:00+02:00"),
				{Event: "more", Type: "production.completed", At: "2026-03-31T22:00:00+02:00"},
				closed("2026-05-01T06:00:00+02:00"), applied,
				{Event: "less", Corrects: "more"},
			},
			"receive of made and more in erp: superseded, receive on 2026-04-01 of made and more in erp: applied, amend receive on 2026-04-01 of less in erp: due",
		},
		"and amended there": {
			nextOpenPlan,
			[]transaction.StoryLine{made("2026-03-31T22:00:00+02:00"), closed("2026-05-01T06:00:00+02:00"), applied, better},
			"receive of made in erp: superseded, receive on 2026-04-01 of made in erp: applied, amend receive on 2026-04-01 of better in erp: due",
		},
		"and an amendment moves on from there": {
			nextOpenPlan,
			[]transaction.StoryLine{made("2026-03-31T22:00:00+02:00"), closed("2026-05-01T06:00:00+02:00"), applied, better, closed("")},
			"receive of made in erp: superseded, receive on 2026-04-01 of made in erp: applied, " +
				"amend receive on 2026-04-01 of better in erp: superseded, amend receive on 2026-05-01 of better in erp: due",
		},
		"and taken back there": {
			nextOpenPlan,
			[]transaction.StoryLine{made("2026-03-31T22:00:00+02:00"), closed("2026-05-01T06:00:00+02:00"), applied, gone},
			"receive of made in erp: superseded, receive on 2026-04-01 of made in erp: applied, undo receive on 2026-04-01 of gone in erp: due",
		},
		"and obsolete where it did not happen after all": {
			nextOpenPlan,
			[]transaction.StoryLine{made("2026-03-31T22:00:00+02:00"), closed("2026-05-01T06:00:00+02:00"), gone},
			"receive of made in erp: superseded, receive on 2026-04-01 of made in erp: obsolete; complete",
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := compiledPlan(t, test.plan()).Run(transaction.PlanCase{Key: "lot/M/1", Story: test.story}, nil)
			if got = strings.TrimSuffix(got, "; quality decision open"); got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestAPostingThatMovesHasAKeyOfItsOwn(t *testing.T) {
	d := newDesk(t, nextOpenPlan())
	d.world.Day, d.world.Now = dayInUTC, parsedDay(t, "2026-06-15")
	d.happens("made", "production.completed", "graz", nil)
	keys := map[string]bool{}
	for i := range 4 {
		if keys[d.in.Steps[i].Key] {
			t.Fatalf("step %d has the key of another", i)
		}
		keys[d.in.Steps[i].Key] = true
		d.in = d.plan.Settle(d.in, d.in.Steps[i].Key, transaction.Result{Status: transaction.StepRefused, Reason: transaction.RefusedClosed})
		d.next()
	}
	if got := fmt.Sprint(len(d.in.Steps), " ", d.in.Steps[3].Posting, " ", d.in.Steps[3].Status); got != "4 2026-06-01 refused" {
		t.Errorf("after four refusals: %s", got)
	}
	d.in = d.plan.Settle(d.in, d.in.Steps[0].Key, transaction.Result{Status: transaction.StepApplied}) // it was done all the same
	d.next()
	if got := d.in.Steps[0].Status; got != transaction.StepApplied || d.in.Steps[3].Status != transaction.StepSuperseded {
		t.Errorf("an answer that came late counts: %q", d.shown())
	}
}

func TestWithoutDaysNoPostingMoves(t *testing.T) {
	d := newDesk(t, nextOpenPlan())
	d.happens("made", "production.completed", "graz", nil)
	d.in = d.plan.Settle(d.in, d.in.Steps[0].Key, transaction.Result{Status: transaction.StepRefused, Reason: transaction.RefusedClosed})
	d.next()
	d.wants("do receive of made in graz-erp: refused (period_closed)")
}
