package flow_test

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
)

// decisionPlan is at home at plants, and expects a decision.
const decisionPlan = `
plan: decisions
title: What is held is decided about
home: plant
key: lot
reactions:
  lock:
    on: [hold.placed]
    do: {system: erp, command: lock-lot}
    within: 5m
expect:
  quality decision: {after: hold.placed, one of: [hold.lifted, lot.rejected], within: 48h}
complete: {settled: [lock]}
cases:
  - name: held
    story:
      - {event: h, type: hold.placed, at: "2026-03-02T08:00:00Z"}
      - {open: [quality decision]}
`

// late are the exceptions about what is late, in words, oldest first.
func (c *collectingHub) late() []string {
	c.t.Helper()
	texts := []string{}
	for _, state := range []string{"open", "resolved"} {
		for _, about := range []string{"deadline", "expectation"} {
			all, err := c.Ledger().Held(c.t.Context(), ledger.HeldFilter{About: about, State: state})
			if err != nil {
				c.t.Fatal(err)
			}
			for _, x := range all {
				texts = append(texts, strings.TrimSpace(state+" "+x.Reason.Code+" of "+x.Name+" "+x.Resolution))
			}
		}
	}
	return texts
}

func (c *collectingHub) becomesLate(want ...string) {
	c.t.Helper()
	c.eventually(strings.Join(want, ", "), func() bool { return slices.Equal(want, c.late()) || len(c.late()) > len(want) })
	if diff := cmp.Diff(want, c.late()); diff != "" {
		c.t.Fatal(diff)
	}
}

func TestWhatIsNotDoneInTimeIsAnExceptionAndGoesOn(t *testing.T) {
	c := newCollecting(t, map[string]string{"plans/decisions.yaml": decisionPlan})
	var down atomic.Bool
	down.Store(true)
	c.erp.fate = func(connector.Command) fate {
		if down.Load() {
			return notSent
		}
		return well
	}
	c.becomes(c.says(placed("p1", "H-1", lot1, "2026-03-02T08:00:00Z")), "recorded")
	if got := c.late(); len(got) != 0 {
		t.Fatalf("late at once: %q", got)
	}
	c.pass(6 * time.Minute)
	c.becomesLate("open step_overdue of lock-lot")
	all, err := c.Ledger().Held(t.Context(), ledger.HeldFilter{})
	if err != nil || len(all) != 1 || all[0].Owner != c.Catalog().Owner(fault.StepOverdue, "graz") || all[0].Deadline.IsZero() || all[0].Step == "" {
		t.Errorf("exceptions: %+v %v", all, err)
	}
	c.verified()
	c.restarted() // it is on record, and raised once
	c.pass(time.Hour)
	down.Store(false)
	c.becomesLate("resolved step_overdue of lock-lot ended late: applied")
	c.verified()
}

func TestWhatIsExpectedAndDoesNotComeIsAnExceptionUntilItComes(t *testing.T) {
	c := newCollecting(t, map[string]string{"plans/decisions.yaml": decisionPlan})
	c.becomes(c.says(placed("p1", "H-1", lot1, "2026-03-02T08:00:00Z")), "recorded")
	c.becomes(c.says(placed("p2", "H-2", "lot/M-100/2", "2026-03-02T08:00:00Z")), "recorded")
	c.quiet()
	c.stop()
	c.pass(49 * time.Hour) // while the hub stands still
	c.restarted()
	c.becomesLate("open expectation_missed of quality decision", "open expectation_missed of quality decision")
	c.verified()
	if x := c.traced(lot1).Expected; len(x) != 1 || len(x[0].Open) != 1 || x[0].Open[0].Reason != fault.ExpectMissed {
		t.Errorf("the trace of a lot that waits too long: %+v", x)
	}
	c.becomes(c.says(lifted("l1", "H-1", lot1, "2026-03-02T09:00:00Z")), "recorded") // late, and all the same
	reversal := placed("p2b", "H-2", "lot/M-100/2", "2026-03-02T08:00:00Z")
	reversal["reverses"] = "p2"
	c.becomes(c.says(reversal), "recorded")
	if diff := cmp.Diff([]string{
		"resolved expectation_missed of quality decision ended late: the event is reversed",
		"resolved expectation_missed of quality decision ended late: what was expected is on record",
	}, slices.Sorted(slices.Values(c.late()))); diff != "" {
		t.Error(diff)
	}
	c.verified()
}

// Two nodes on one ledger raise what is late once, and end a window once.
func TestTwoNodesKeepTimeOnce(t *testing.T) {
	database := newPostgres(t)
	c := newCollectingOn(t, database, map[string]string{"plans/decisions.yaml": decisionPlan})
	other := hubOn(t, c.config(c.Catalog(), ledger.Config{Database: database, Clock: c.clock}))
	for _, id := range []string{"1", "2", "3", "4", "5"} {
		c.becomes(c.says(placed("p"+id, "H-"+id, "lot/M-100/"+id, "2026-03-02T08:00:00Z")), "recorded")
	}
	c.report("e1", "100")
	c.quiet()
	c.pass(49 * time.Hour)
	c.posts("lock-lot", "lock-lot", "lock-lot", "lock-lot", "lock-lot", "post-production 100")
	c.eventually("five are late", func() bool { return len(c.late()) == 5 })
	acts := 0
	all, err := other.Ledger().Held(t.Context(), ledger.HeldFilter{About: "expectation"})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range all {
		raised, err := other.Ledger().ActsOn(t.Context(), "expectation/"+x.Key())
		if err != nil {
			t.Fatal(err)
		}
		acts += len(raised)
	}
	if diff := cmp.Diff(5, acts); diff != "" {
		t.Errorf("raised so many times: %s", diff)
	}
	c.verified()
}
