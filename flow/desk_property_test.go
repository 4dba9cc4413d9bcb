package flow_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/ledger"
)

// TestHoweverPeopleDecideEachCommandIsDoneOnceAndEachExceptionHasOneEnd lets people
// resume, waive and begin, pause and cancel bulk work, one on top of the other, while
// the ERP opens and closes and the hub is stopped and started.
func TestHoweverPeopleDecideEachCommandIsDoneOnceAndEachExceptionHasOneEnd(t *testing.T) {
	runs := 0
	rapid.Check(t, func(g *rapid.T) {
		if runs++; runs > 15 { // each starts hubs
			return
		}
		decideAnyhow(t, g)
	})
}

func decideAnyhow(t *testing.T, g *rapid.T) {
	erp := &books{}
	var closed atomic.Bool
	closed.Store(true)
	erp.fate = func(connector.Command) fate {
		if closed.Load() {
			return refuses
		}
		return well
	}
	follower := flow.Follower{System: erp, Traits: connector.Traits{Class: connector.Findable, Settles: time.Millisecond, KeyCarrier: "reference"}, Timeout: time.Second, SendWithin: time.Second, Wait: 10 * time.Millisecond}
	cfg := flow.Config{
		Catalog: followingCompany(t), Ledger: ledger.Config{Database: filepath.Join(t.TempDir(), "gapless.db"), Clock: clock()},
		Systems: map[string]flow.Follower{"erp": follower},
	}
	x := &following{hub: hubOn(t, cfg), erp: erp}
	x.makeLots(0, rapid.IntRange(1, 200).Draw(g, "lots"))
	x.quiet()
	cause := x.theGroup().Cause
	var works []string
	told := func(err error) {
		if err != nil && !errors.Is(err, fault.DecidedAlready) {
			t.Fatal(err)
		}
	}
	ctx := t.Context()
	for range rapid.IntRange(1, 12).Draw(g, "acts") {
		open, _, err := x.Ledger().Desk(ctx, ledger.DeskFilter{Limit: 5})
		told(err)
		switch act := rapid.IntRange(0, 6).Draw(g, "act"); act {
		case 0:
			closed.Store(!closed.Load())
		case 1, 2:
			if len(open) > 0 {
				how := map[int]flow.How{1: flow.Resume, 2: flow.Waive}[act]
				told(x.Resolve(ctx, flow.Resolution{Command: open[len(open)-1].Step, By: anna, How: how, Why: "tried"}))
			}
		case 3:
			what := rapid.SampledFrom([]ledger.BulkWhat{ledger.BulkResume, ledger.BulkResume, ledger.BulkWaive, ledger.BulkComment}).Draw(g, "what")
			work, err := x.StartBulk(ctx, otto.Name, ledger.BulkStart{What: what, Cause: cause, First: rapid.IntRange(0, 20).Draw(g, "first"), Why: "tried"})
			told(err)
			works = append(works, work.ID)
		case 4, 5:
			if len(works) > 0 {
				to := rapid.SampledFrom([]string{ledger.BulkPaused, ledger.BulkRunning, ledger.BulkCancelled}).Draw(g, "to")
				_, err := x.MoveBulk(ctx, anna.Name, works[rapid.IntRange(0, len(works)-1).Draw(g, "work")], to, "")
				told(err)
			}
		case 6:
			x.stop()
			x.hub = hubOn(t, cfg)
		}
	}
	for _, id := range works {
		if _, err := x.MoveBulk(ctx, anna.Name, id, ledger.BulkRunning, ""); err != nil {
			told(err)
		}
		if work, err := x.Ledger().Bulk(ctx, id); err != nil || work.State != ledger.BulkCancelled {
			told(err)
			if done := x.over(id, ledger.BulkDone); done.Left() != 0 {
				t.Errorf("bulk work is done, and %d are left", done.Left())
			}
		}
	}
	x.quiet()
	x.eachOnce(erp)
	x.verified()
	x.stop()
}

// eachOnce checks that no command was done twice, and that each exception has one end.
func (x *following) eachOnce(erp *books) {
	x.t.Helper()
	erp.mu.Lock()
	defer erp.mu.Unlock()
	done := map[string]bool{}
	for _, p := range erp.posted {
		if done[p.key] {
			x.t.Errorf("command %s was done twice", p.key)
		}
		done[p.key] = true
	}
	all, more, err := x.Ledger().Desk(context.Background(), ledger.DeskFilter{State: ledger.DeskAll, Limit: 10_000})
	if err != nil || more {
		x.t.Fatal(err, more)
	}
	ends := map[string]string{}
	for i := range all {
		e := &all[i]
		if open := e.State == ledger.DeskOpen; open != e.Ended.IsZero() {
			x.t.Errorf("the exception of %s is %s and ended at %s", e.Step, e.State, e.Ended)
		}
		if e.State == ledger.DeskWaived && done[e.Step] {
			x.t.Errorf("command %s was waived, and done", e.Step)
		}
		if e.State != ledger.DeskResolved {
			if before := ends[e.Step]; before != "" {
				x.t.Errorf("command %s has two last exceptions: %s and %s", e.Step, before, e.State)
			}
			ends[e.Step] = e.State
		}
	}
	for _, state := range ends {
		if state != ledger.DeskOpen && state != ledger.DeskWaived {
			x.t.Errorf("an exception is %s", state)
		}
	}
}
