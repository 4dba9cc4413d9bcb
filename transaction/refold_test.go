package transaction_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/transaction"
)

func TestATransactionMovesToAnotherVersionOfItsPlan(t *testing.T) {
	renamed := func(d *transaction.PlanDefinition) {
		edit(d, "receive", func(r *transaction.Reaction) { r.Do.Command = "post-receipt" })
	}
	for name, test := range map[string]struct {
		change func(*transaction.PlanDefinition)
		status transaction.StepStatus // of the step of the old version
		want   []string
		fault  string
	}{
		"what was performed and would be sent again is carried over": {
			func(d *transaction.PlanDefinition) { d.Title = "Another title" }, transaction.StepApplied,
			[]string{"do receive of made in graz-erp: applied"},
			"",
		},
		"what did not go out is decided anew": {
			renamed, transaction.StepHeld,
			[]string{"do receive of made in graz-erp: superseded", "do receive of made in graz-erp: due"},
			"",
		},
		"what was refused is decided anew": {
			renamed, transaction.StepRefused,
			[]string{"do receive of made in graz-erp: superseded", "do receive of made in graz-erp: due"},
			"",
		},
		"what was performed and would not be sent is for a person": {
			renamed, transaction.StepApplied, nil,
			"plan changed: step do of receive in erp because of made is applied, but the plan commands post-receipt instead of receive-goods",
		},
		"what is on its way and would not be sent is for a person": {
			func(d *transaction.PlanDefinition) {
				edit(d, "receive", func(r *transaction.Reaction) { r.Do.System = "wms" })
			}, transaction.StepSent, nil, "but the reaction commands wms",
		},
		"a reaction that is gone": {
			func(d *transaction.PlanDefinition) {
				d.Reactions["take-in"] = d.Reactions["receive"]
				delete(d.Reactions, "receive")
				d.Complete.Settled = []string{"take-in"}
			}, transaction.StepAccepted, nil, "but the plan has no such reaction",
		},
		"a reaction on other events": {
			func(d *transaction.PlanDefinition) {
				edit(d, "receive", func(r *transaction.Reaction) { r.On = []string{"batch.completed"} })
			}, transaction.StepPartlyApplied, nil, "but the reaction does not follow such an event",
		},
		"a reaction that ensures instead": {
			func(d *transaction.PlanDefinition) {
				d.Reactions["receive"] = transaction.Reaction{Ensure: "x", From: []string{"production.completed"}, In: []string{"erp"}, Wanted: []transaction.Wanted{{Is: "there"}}}
			}, transaction.StepApplied, nil, "but the reaction does something else now",
		},
		"a new reaction concerns what is on record": {
			func(d *transaction.PlanDefinition) {
				d.Reactions["tell"] = transaction.Reaction{On: []string{"production.completed"}, Do: &transaction.Do{System: "wms", Command: "announce"}}
			}, transaction.StepApplied,
			[]string{"do receive of made in graz-erp: applied", "do tell of made in graz-wms: due"},
			"",
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := newDesk(t, only(lotPlan(), "receive"))
			d.happens("made", "production.completed", "graz", nil)
			d.settle(0, test.status)
			before := d.in
			def := only(lotPlan(), "receive")
			test.change(&def)
			moved, err := compiledPlan(t, def).Refold(before, d.world)
			if test.fault != "" {
				if err == nil || !strings.Contains(err.Error(), test.fault) {
					t.Errorf("error %v, want %q", err, test.fault)
				}
				if changed, ok := errors.AsType[*transaction.PlanChanged](err); !ok || changed.Step.Key != before.Steps[0].Key {
					t.Errorf("%v names no step", err)
				}
				if diff := cmp.Diff(before, moved); diff != "" {
					t.Errorf("it was moved:\n%s", diff)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if d.in = moved; len(test.want) > 0 {
				d.wants(test.want...)
			}
			seen := map[string]bool{}
			for _, s := range moved.Steps {
				if seen[s.Key] {
					t.Errorf("%s stands twice", s.Key)
				}
				seen[s.Key] = true
			}
		})
	}
}

func TestWhatAPersonDidByHandDoesNotStopAMove(t *testing.T) {
	def := only(lotPlan(), "receive")
	edit(&def, "receive", func(r *transaction.Reaction) { r.Amend, r.Undo = nil, nil })
	d := newDesk(t, def)
	d.happens("made", "production.completed", "graz", nil)
	d.settle(0, transaction.StepApplied)
	d.happens("made.2", "production.completed", "graz", func(h *transaction.Happened) { h.Key, h.Statement, h.Change = "made", 2, event.Correction })
	d.wants("do receive of made in graz-erp: applied", "amend receive of made.2 in graz-erp: held (no-amend)")
	amending := compiledPlan(t, only(lotPlan(), "receive"))
	moved, err := amending.Refold(d.in, d.world)
	if err != nil {
		t.Fatal(err)
	}
	(&desk{t: t, in: moved}).wants("do receive of made in graz-erp: applied", "amend receive of made.2 in graz-erp: superseded", "amend receive of made.2 in graz-erp: due")

	d.settle(1, transaction.StepApplied)
	if moved, err = amending.Refold(d.in, d.world); err != nil {
		t.Fatal(err)
	}
	(&desk{t: t, in: moved}).wants("do receive of made in graz-erp: applied", "amend receive of made.2 in graz-erp: applied")
}
