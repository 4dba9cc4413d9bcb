package flow_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/ledger"
)

// refusesGood lets the ERP refuse every posting that holds a report of one of the
// quantities, and name the lines where it names any.
func (c *collectingHub) refusesGood(names bool, reason *fault.Reason, bad ...string) {
	c.erp.mu.Lock()
	defer c.erp.mu.Unlock()
	c.erp.judge = func(cmd connector.Command) *connector.Outcome {
		events, _ := cmd.Request["events"].([]any)
		o := connector.Outcome{Status: connector.Refused, Reason: reason, Text: "not enough stock"}
		refused := false
		for i, e := range events {
			if !slices.Contains(bad, goodOf(e)) {
				continue
			}
			if refused = true; names {
				o.Lines = append(o.Lines, connector.LineOutcome{Line: fmt.Sprint(i + 1), Status: connector.Refused, Reason: reason, Text: "no stock"})
			}
		}
		if !refused {
			return nil
		}
		return &o
	}
}

// refused are the open exceptions.
func (c *collectingHub) refused() []ledger.DeskException {
	c.t.Helper()
	all, _, err := c.Ledger().Desk(c.t.Context(), ledger.DeskFilter{Oldest: true})
	if err != nil {
		c.t.Fatal(err)
	}
	return all
}

// madeBy is the id of the statement of a report.
func (c *collectingHub) madeBy(report string) string {
	c.t.Helper()
	e := c.statement(messageKey("graz-mes", report))
	return e.ID()
}

// reports are so many of an order that ends then.
func (c *collectingHub) reports(n int) {
	c.t.Helper()
	c.becomes(c.says(cloud("erp", "r", "order.released", "2026-03-01T08:00:00Z", doc{"order": "order/1", "type": "production"})), "recorded")
	for i := range n {
		c.report(fmt.Sprint("e", i), fmt.Sprint(100+i))
	}
	c.becomes(c.says(orderClosed("o")), "recorded")
}

func TestOneBadReportDoesNotHoldTheOthersOfItsBundle(t *testing.T) {
	c := newCollecting(t, nil)
	c.refusesGood(true, fault.StockInsufficient, "103")
	c.reports(6)
	c.posts("post-production 100 101 102 104 105")
	c.quiet()
	left := c.refused()
	if len(left) != 1 || left[0].Reason != fault.StockInsufficient {
		t.Fatalf("%+v", left)
	}
	step, err := c.Ledger().Step(t.Context(), left[0].Step)
	if err != nil || step.Status != ledger.StepRefused || len(step.Members) != 1 || step.Members[0] != c.madeBy("e3") {
		t.Errorf("%+v, %v", step, err)
	}
	c.verified()
	c.refusesGood(true, fault.StockInsufficient)
	if err := c.Resolve(t.Context(), flow.Resolution{Command: left[0].Step, By: anna, How: flow.Resume}); err != nil {
		t.Fatal(err)
	}
	c.posts("post-production 100 101 102 104 105", "post-production 103")
	c.verified()
}

func TestABundleThatIsRefusedWithoutAWordIsHalvedWhenAPersonAsks(t *testing.T) {
	c := newCollecting(t, nil)
	c.refusesGood(false, fault.StockInsufficient, "104")
	c.reports(7)
	c.eventually("it is refused", func() bool { return len(c.refused()) == 1 })
	c.quiet()
	if got := c.sums(); len(got) != 0 {
		t.Fatalf("nobody has asked: %q", got)
	}
	c.restarted()
	whole := c.refused()[0].Step
	err := c.Resolve(t.Context(), flow.Resolution{Command: whole, By: anna, How: flow.Split, Blamed: []string{"nothing"}})
	if !errors.Is(err, fault.InvalidRequest) {
		t.Errorf("what is none of its events is to blame: %v", err)
	}
	if err := c.Resolve(t.Context(), flow.Resolution{Command: whole, By: anna, How: flow.Split, Why: "one of them is wrong"}); err != nil {
		t.Fatal(err)
	}
	// Halves that are refused are halved by themselves: 4+3, then 2+1 of the three, then 1+1.
	c.posts("post-production 100 101 102 103", "post-production 106", "post-production 105")
	c.eventually("one is left", func() bool { return len(c.refused()) == 1 && c.refused()[0].Step != whole })
	c.quiet()
	left := c.refused()[0].Step
	if step, err := c.Ledger().Step(t.Context(), left); err != nil || len(step.Members) != 1 {
		t.Errorf("%+v, %v", step, err)
	}
	if x, err := c.Ledger().DeskOf(t.Context(), whole); err != nil || x.State != ledger.DeskResolved || x.Resolution != "taken apart" {
		t.Errorf("%+v, %v", x, err)
	}
	err = c.Resolve(t.Context(), flow.Resolution{Command: left, By: anna, How: flow.Split})
	if f := fault.Of(err); f == nil || f.Reason != fault.InvalidRequest || !strings.Contains(f.Explanation(), "nothing to take apart") {
		t.Errorf("of one: %v", err)
	}
	err = c.Resolve(t.Context(), flow.Resolution{Command: whole, By: otto, How: flow.Split})
	if !errors.Is(err, fault.DecidedAlready) {
		t.Errorf("twice: %v", err)
	}
	c.verified()
}

func TestAPersonSaysWhoIsToBlame(t *testing.T) {
	c := newCollecting(t, nil)
	c.refusesGood(false, fault.StockInsufficient, "101", "102")
	c.reports(4)
	c.eventually("it is refused", func() bool { return len(c.refused()) == 1 })
	bad := []string{c.madeBy("e1"), c.madeBy("e2")}
	if err := c.Resolve(t.Context(), flow.Resolution{Command: c.refused()[0].Step, By: anna, How: flow.Split, Blamed: bad}); err != nil {
		t.Fatal(err)
	}
	c.posts("post-production 100 103")
	c.eventually("two are left", func() bool { return len(c.refused()) == 2 })
	c.verified()
}

func TestAClosedPeriodIsClosedForAllOfABundle(t *testing.T) {
	c := newCollecting(t, nil)
	c.refusesGood(true, fault.PeriodClosed, "101")
	c.reports(3)
	c.eventually("it is refused", func() bool { return len(c.refused()) == 1 })
	c.quiet()
	if got := c.sums(); len(got) != 0 {
		t.Errorf("%q", got)
	}
	c.verified()
}

func TestWhatMayHaveBeenDoneIsNotTakenApart(t *testing.T) {
	c := newCollecting(t, nil)
	c.erp.fate = func(connector.Command) fate { return lostAfter }
	c.reports(2)
	c.eventually("it is posted", func() bool { return len(c.sums()) == 1 })
	all, err := c.Ledger().StepsBecauseOf(t.Context(), c.madeBy("e0"))
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	err = c.Resolve(t.Context(), flow.Resolution{Command: all[0].Key, By: anna, How: flow.Split})
	if !errors.Is(err, fault.DecidedAlready) {
		t.Errorf("%v", err)
	}
	c.posts("post-production 100 101")
	c.verified()
}
