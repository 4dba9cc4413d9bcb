package flow_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/report"
)

// TestWhatIsDoneInPartIsNeitherDoneNorRefused: of three receipts one is applied, one is
// refused and one is done in part, and everybody sees three things.
func TestWhatIsDoneInPartIsNeitherDoneNorRefused(t *testing.T) {
	x := newFollowing(t)
	partly := true
	x.erp.judge = func(cmd connector.Command) *connector.Outcome {
		switch {
		case strings.HasSuffix(string(cmd.Subject), "1"):
			return &connector.Outcome{Status: connector.Refused, Reason: fault.StockInsufficient, Text: "not enough"}
		case strings.HasSuffix(string(cmd.Subject), "2") && partly:
			return &connector.Outcome{Status: connector.PartlyApplied, Text: "issue posted", Documents: []connector.Document{{Number: "49", Kind: "issue"}}, Lines: []connector.LineOutcome{
				{Line: "10", Status: connector.Applied}, {Line: "20", Status: connector.Refused, Reason: fault.LotMissing, Text: "no such lot"},
			}}
		}
		return nil
	}
	x.makeLots(0, 3)
	x.quiet()
	groups, err := x.Ledger().Groups(t.Context(), ledger.DeskFilter{})
	var causes []string
	for i := range groups {
		causes = append(causes, fmt.Sprint(groups[i].String(), " ", groups[i].Count))
	}
	want := []string{"graz/erp/command/receive-goods/stock_insufficient 1", "graz/erp/command/receive-goods/partly_applied 1"}
	if len(causes) == 2 && strings.HasSuffix(causes[0], "partly_applied 1") { // both are due at the same time
		want[0], want[1] = want[1], want[0]
	}
	if diff := cmp.Diff(want, causes); diff != "" || err != nil {
		t.Errorf("the queue: %s %v", diff, err)
	}
	open, _, err := x.Ledger().Desk(t.Context(), ledger.DeskFilter{Reason: fault.PartlyApplied.Code})
	if err != nil || len(open) != 1 || open[0].Detail != "issue posted; line 10 applied; line 20 refused (lot_missing): no such lot" {
		t.Fatalf("%+v, %v", open, err)
	}
	counted := map[ledger.StepStatus]int64{}
	totals, err := x.Ledger().StepTotals(t.Context())
	for _, s := range totals {
		counted[s.Status] += s.Steps
	}
	if counted[ledger.StepApplied] == 0 || counted[ledger.StepRefused] != 1 || counted[ledger.StepPartly] != 1 || err != nil {
		t.Errorf("the account: %v, %v", counted, err)
	}
	standing := map[ledger.StepStatus]int64{}
	counts, err := x.Ledger().CountSteps(t.Context())
	for _, s := range counts {
		standing[s.Status] += s.Open
	}
	if standing[ledger.StepRefused] != 1 || standing[ledger.StepPartly] != 1 || err != nil {
		t.Errorf("the metrics: %v, %v", standing, err)
	}
	opened := map[string]int64{}
	for _, n := range x.Ledger().ExceptionCounts() {
		opened[n.Reason] += n.Opened
	}
	if opened[fault.PartlyApplied.Code] != 1 || opened[fault.StockInsufficient.Code] != 1 {
		t.Errorf("the metrics: %v", opened)
	}
	step, err := report.StepOf(t.Context(), x.Ledger(), open[0].Step)
	if err != nil || step.Status != ledger.StepPartly || step.Tries[0].Outcome != ledger.AttemptPartly || len(step.Documents) != 1 || step.Documents[0].Number != "49" {
		t.Errorf("the trace: %+v, %v", step, err)
	}
	x.verified()

	// What is done stays: it can be finished, not given up.
	err = x.Resolve(t.Context(), flow.Resolution{Command: open[0].Step, By: anna, How: flow.Split})
	if f := fault.Of(err); f == nil || f.Reason != fault.InvalidRequest {
		t.Errorf("taken apart: %v", err)
	}
	x.erp.mu.Lock()
	partly = false
	x.erp.mu.Unlock()
	if err := x.Resolve(t.Context(), flow.Resolution{Command: open[0].Step, By: anna, How: flow.Resume}); err != nil {
		t.Fatal(err)
	}
	x.quiet()
	if s, err := x.Ledger().Step(t.Context(), open[0].Step); err != nil || s.Status != ledger.StepApplied {
		t.Errorf("%+v, %v", s, err)
	}
	x.verified()
}
