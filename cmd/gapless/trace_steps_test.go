package main

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/api"
)

func TestATraceTellsWhatIsLateAndWhatIsPerformedTogether(t *testing.T) {
	late := func(id, command, system, name, reason string) []api.ExceptionView {
		return []api.ExceptionView{{ID: id, Command: command, System: system, Name: name, Title: "late", Reason: reason, Raised: "T4", Owner: "logistics", Deadline: "T5", Remedy: "Help."}}
	}
	var b strings.Builder
	printFollowed(&b, &api.TraceView{Followed: []api.TransactionView{{
		Plan: "order-to-erp",
		Steps: []api.StepView{
			{Command: "k1", System: "erp", Name: "post-production", Status: "due", Cause: "e2.1", Members: []string{"e1.1", "e2.1"}, Recorded: "T1", Deadline: "T3", Open: late("k1", "k1", "erp", "post-production", "step_overdue")},
			{Command: "k2", System: "erp", Name: "post-scrap", Status: "due", Cause: "e3.1", Recorded: "T2", Deadline: "T9"},
		},
		Expected: []api.ExpectedView{{Name: "end of the order", After: "e1.1", Due: "T8"}, {Name: "quality decision", After: "e2.1", Due: "T3", Open: late("x1", "", "", "quality decision", "expectation_missed")}},
		Gathers:  []api.BundleView{{Bundle: "post/2", Plant: "graz", Due: "T7"}},
	}}})
	want := `
followed by order-to-erp: goes on
  due: post-production of erp
    because of event e2.1, decided T1, command k1
    performs event e1.1
    performs event e2.1
    overdue since T3
  k1 of erp/post-production: late (step_overdue)
    raised T4, for logistics, until T5
    Help.
  due: post-scrap of erp
    because of event e3.1, decided T2, command k2
    to be done until T9
  awaited until T8: end of the order, after event e1.1
  overdue since T3: quality decision, after event e2.1
  x1 of quality decision: late (expectation_missed)
    raised T4, for logistics, until T5
    Help.
  gathers: post/2 at graz, until T7 at the latest
`
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Error(diff)
	}
}
