package flow_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/ledger"
)

// receiptPlan is a plan of receipts alone, whose transactions stay open until quality
// has decided.
const receiptPlan = `
plan: lot-to-stock
title: What is made is received
key: lot
reactions:
  receive:
    on: [production.completed]
    do: {system: erp, command: receive-goods}
    amend: {command: correct-receipt, with: delta}
expect:
  quality decision: {after: production.completed, one of: [inspection.decided], within: 48h}
complete: {applied: [receive]}
cases:
  - name: made
    story:
      - {event: e1, type: production.completed, at: "2026-03-02T08:00:00Z"}
      - steps: [{reaction: receive, status: due}]
`

// statusToo is the same plan with the status of lots.
var statusToo = strings.Replace(receiptPlan, "expect:\n", `  status:
    ensure: stock-status
    from: [lot.released, lot.rejected, inspection.decided, hold.placed, hold.lifted]
    wanted:
      - {open: [holds], is: blocked}
      - {status: [rejected], is: blocked}
      - {status: [released], is: free}
      - {is: quality}
    after: [receive]
    in: [erp, wms]
expect:
`, 1)

// planned starts a hub with a plan over a ledger that other revisions may have used.
func (x *following) planned(database, plan string) {
	x.t.Helper()
	x.hub = hubOn(x.t, flow.Config{
		Catalog: company(x.t, map[string]string{
			"plans/lot-to-stock.yaml": plan,
			"systems/graz-wms.yaml":   "system: graz-wms\ntitle: Warehouse\nroles: [wms]\nplants: [graz]\n",
		}),
		Ledger:  ledger.Config{Database: database},
		Systems: map[string]flow.Follower{"erp": findable(x.erp), "graz-wms": findable(x.wms)},
	})
}

func newPlanned(t testing.TB, plan string) (*following, string) {
	t.Helper()
	x, database := &following{hub: &hub{t: t}, erp: &books{}, wms: &books{}}, filepath.Join(t.TempDir(), "gapless.db")
	x.planned(database, plan)
	return x, database
}

// moved waits until no open transaction is of another version of the plan, but for so
// many.
func (x *following) moved(left int) {
	x.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for tick := time.NewTicker(5 * time.Millisecond); ; <-tick.C {
		open, err := x.Ledger().OpenTransactions(x.t.Context(), "lot-to-stock", x.Catalog().PlanDigest("lot-to-stock"), "", 1000)
		if err != nil {
			x.t.Fatal(err)
		}
		if len(open) == left {
			return
		}
		if time.Now().After(deadline) {
			x.t.Fatalf("%d transactions are of another version of the plan, want %d", len(open), left)
		}
	}
}

func TestOpenTransactionsMoveToANewVersionOfTheirPlan(t *testing.T) {
	x, database := newPlanned(t, receiptPlan)
	const lots = 74 // more than move in one commit
	for i := range lots {
		x.becomes(x.says(lotMade(fmt.Sprint("e", i), fmt.Sprint(i), "1")), "recorded")
	}
	x.becomes(x.says(lotReleased("q1", "0")), "recorded") // the plan is not about it
	x.quiet()
	x.stop()

	x.planned(database, statusToo)
	x.moved(0)
	x.becomes(x.says(lotReleased("q2", "1")), "recorded")
	x.states(map[string]string{"0": "free", "1": "free"})
	receipts := 0
	for _, line := range x.erp.lines() {
		if strings.HasPrefix(line, "receive-goods") {
			receipts++
		}
	}
	if receipts != lots {
		t.Errorf("%d receipts of %d lots", receipts, lots)
	}
	x.verified()
	x.stop()
	x.planned(database, statusToo) // what was moved stays where it is
	x.moved(0)
	x.verified()
}

func TestWhatANewPlanWouldNotHaveSentIsForAPerson(t *testing.T) {
	x, database := newPlanned(t, receiptPlan)
	x.becomes(x.says(lotMade("e1", "4711", "100")), "recorded")
	x.quiet()
	x.stop()

	x.planned(database, strings.Replace(receiptPlan, "receive-goods", "post-receipt", 1))
	held := x.heldFor(fault.PlanChanged)
	if len(held) != 1 || !strings.Contains(held[0].Detail, "lot-to-stock lot/M-100/4711") || !strings.Contains(held[0].Detail, "commands post-receipt instead of receive-goods") {
		t.Fatalf("held: %+v", held)
	}
	steps, err := x.Ledger().StepsOf(t.Context(), "lot-to-stock lot/M-100/4711")
	if err != nil || len(steps) != 1 || steps[0].Status != ledger.StepApplied {
		t.Fatalf("the steps are touched: %+v, %v", steps, err)
	}
	x.moved(1)
	x.verified()
	x.stop()

	x.planned(database, receiptPlan+"# as it was\n") // released again as it was
	x.moved(0)
	x.ends(fault.PlanChanged)
	x.stop()
	x.planned(database, receiptPlan)
	x.moved(0)
	x.stop()
	x.planned(database, receiptPlan+"# as it was\n") // a version for the second time
	x.moved(0)
	if diff := cmp.Diff([]string{"receive-goods lot/M-100/4711"}, x.erp.lines()); diff != "" {
		t.Errorf("ERP:\n%s", diff)
	}
	x.verified()
}

// heldFor waits until something is held for a reason.
func (x *following) heldFor(reason *fault.Reason) []ledger.Exception {
	x.t.Helper()
	return x.holding(reason, true)
}

// ends waits until nothing is held for a reason any more.
func (x *following) ends(reason *fault.Reason) {
	x.t.Helper()
	x.holding(reason, false)
}

func (x *following) holding(reason *fault.Reason, some bool) []ledger.Exception {
	x.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for tick := time.NewTicker(5 * time.Millisecond); ; <-tick.C {
		all, err := x.Ledger().Held(x.t.Context(), ledger.HeldFilter{})
		if err != nil {
			x.t.Fatal(err)
		}
		var held []ledger.Exception
		for _, h := range all {
			if h.Reason == reason {
				held = append(held, h)
			}
		}
		if some == (len(held) > 0) {
			return held
		}
		if time.Now().After(deadline) {
			x.t.Fatalf("held for %s: %+v", reason.Code, held)
		}
	}
}
