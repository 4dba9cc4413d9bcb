package flow_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/ledger"
)

var (
	anna = ledger.Principal{Name: "anna", Kind: ledger.PersonKind}
	otto = ledger.Principal{Name: "otto", Kind: ledger.PersonKind}
)

// refusing lets the ERP refuse everything until it is opened.
func (x *following) refusing() (open func()) {
	var closed atomic.Bool
	closed.Store(true)
	x.erp.mu.Lock()
	defer x.erp.mu.Unlock()
	x.erp.fate = func(connector.Command) fate {
		if closed.Load() {
			return refuses
		}
		return well
	}
	return func() { closed.Store(false) }
}

// theGroup is the one group of the queue.
func (h *hub) theGroup() ledger.Group {
	h.t.Helper()
	all, err := h.Ledger().Groups(h.t.Context(), ledger.DeskFilter{})
	if err != nil || len(all) != 1 {
		h.t.Fatalf("one group is wanted: %+v, %v", all, err)
	}
	return all[0]
}

// resumeAll begins bulk work about the group.
func (h *hub) resumeAll(g ledger.Group, first int) ledger.Bulk {
	h.t.Helper()
	work, err := h.StartBulk(h.t.Context(), anna.Name, ledger.BulkStart{What: ledger.BulkResume, Cause: g.Cause, First: first, Why: "the period is open again"})
	if err != nil {
		h.t.Fatal(err)
	}
	return work
}

// over waits until bulk work is in one of the states.
func (h *hub) over(id string, states ...string) ledger.Bulk {
	h.t.Helper()
	deadline := time.After(60 * time.Second)
	for {
		moved := h.Ledger().Moved()
		work, err := h.Ledger().Bulk(h.t.Context(), id)
		if err != nil {
			h.t.Fatal(err)
		}
		if slices.Contains(states, work.State) {
			return work
		}
		select {
		case <-moved:
		case <-deadline:
			h.t.Fatalf("bulk work is %s after a minute: %+v", work.State, work)
		}
	}
}

func (x *following) makeLots(from, n int) {
	x.t.Helper()
	for at := from; at < from+n; at += 100 {
		var all []doc
		for i := at; i < min(at+100, from+n); i++ {
			all = append(all, lotMade(fmt.Sprintf("e%06d", i), fmt.Sprintf("%06d", i), "100"))
		}
		if _, err := x.take(events(x.t, key("graz-mes"), all...)); err != nil {
			x.t.Fatal(err)
		}
	}
}

func TestAFewAreResumedToTestTheFixAndThenAll(t *testing.T) {
	x := newFollowing(t)
	open := x.refusing()
	x.makeLots(0, 20)
	x.quiet()
	g := x.theGroup()
	if g.String() != "graz/erp/command/receive-goods/period_closed" || g.Count != 20 || g.Objects["lot"] != 20 || len(g.Amounts) != 1 || g.Amounts[0].Value.String() != "2000" {
		t.Fatalf("the queue shows %s: %+v", g, g)
	}
	work := x.over(x.resumeAll(g, 3).ID, ledger.BulkDone)
	x.quiet()
	if work.Members != 3 || work.Outcomes[ledger.BulkResumed] != 3 {
		t.Errorf("a few: %+v", work)
	}
	if g := x.theGroup(); g.Count != 20 || len(x.erp.lines()) != 0 {
		t.Errorf("the period is still closed, and %d stand in the queue; the ERP has %v", g.Count, x.erp.lines())
	}
	open()
	work = x.over(x.resumeAll(x.theGroup(), 0).ID, ledger.BulkDone)
	x.quiet()
	if diff := cmp.Diff(map[ledger.BulkOutcome]int64{ledger.BulkResumed: 20}, work.Outcomes); diff != "" {
		t.Error(diff)
	}
	members, err := x.Ledger().BulkMembers(t.Context(), work.ID, 0, 100)
	if err != nil || len(members) != 20 || members[7].Now != "applied" || members[7].N != 8 || !strings.Contains(members[7].Words, "due") {
		t.Errorf("%d members, %v: %+v", len(members), err, members[:min(len(members), 8)])
	}
	if got := x.erp.lines(); len(got) != 20 {
		t.Errorf("the ERP has %d postings", len(got))
	}
	x.verified()
}

func TestAMemberThatMovedOnIsSaidToHaveAndNotDoneTwice(t *testing.T) {
	x := newFollowing(t)
	open := x.refusing()
	x.makeLots(0, 5)
	x.quiet()
	g := x.theGroup()
	all, _, err := x.Ledger().Desk(t.Context(), ledger.DeskFilter{Cause: &g.Cause, Oldest: true})
	if err != nil {
		t.Fatal(err)
	}
	open()
	work, err := x.Ledger().StartBulk(t.Context(), "anna", ledger.BulkStart{What: ledger.BulkResume, Cause: g.Cause}) // the hub is not told yet
	if err != nil {
		t.Fatal(err)
	}
	if err := x.Resolve(t.Context(), flow.Resolution{Command: all[4].Step, By: otto, How: flow.Waive, Why: "posted by hand"}); err != nil && !errors.Is(err, fault.DecidedAlready) {
		t.Fatal(err)
	}
	work = x.over(work.ID, ledger.BulkDone)
	x.quiet()
	if n := work.Outcomes[ledger.BulkResumed] + work.Outcomes[ledger.BulkMovedOn]; n != 5 || len(x.erp.lines()) != int(work.Outcomes[ledger.BulkResumed]) {
		t.Errorf("%+v; the ERP has %v", work.Outcomes, x.erp.lines())
	}
	again := x.over(x.resumeAll(g, 0).ID, ledger.BulkDone)
	if again.Members != 0 {
		t.Errorf("of nothing: %+v", again)
	}
	x.verified()
}

func TestBulkWorkIsPausedGoesOnAndIsCancelled(t *testing.T) {
	x := newFollowing(t)
	x.refusing()
	x.makeLots(0, 300)
	x.quiet()
	g := x.theGroup()
	work := x.resumeAll(g, 0)
	_, err := x.MoveBulk(t.Context(), "anna", work.ID, ledger.BulkPaused, "lunch")
	if err != nil && !errors.Is(err, fault.DecidedAlready) {
		t.Fatal(err)
	}
	paused, err := x.Ledger().Bulk(t.Context(), work.ID)
	if err != nil || paused.State != ledger.BulkPaused {
		t.Fatalf("%+v, %v", paused, err)
	}
	if _, err := x.MoveBulk(t.Context(), "otto", work.ID, ledger.BulkPaused, ""); !errors.Is(err, fault.DecidedAlready) {
		t.Errorf("paused twice: %v", err)
	}
	x.makeLots(1000, 200) // commits that a turn would share
	if after, err := x.Ledger().Bulk(t.Context(), work.ID); err != nil || after.Left() != paused.Left() {
		t.Errorf("%d were left when it was paused, %d a while later (%v)", paused.Left(), after.Left(), err)
	}
	if _, err := x.MoveBulk(t.Context(), "anna", work.ID, ledger.BulkRunning, ""); err != nil {
		t.Fatal(err)
	}
	if done := x.over(work.ID, ledger.BulkDone); done.Left() != 0 {
		t.Errorf("%+v", done)
	}
	for _, to := range []string{ledger.BulkPaused, ledger.BulkRunning, ledger.BulkCancelled} {
		if _, err := x.MoveBulk(t.Context(), "anna", work.ID, to, ""); !errors.Is(err, fault.DecidedAlready) {
			t.Errorf("%s although it is done: %v", to, err)
		}
	}
	if _, err := x.MoveBulk(t.Context(), "anna", work.ID, ledger.BulkDone, ""); !errors.Is(err, fault.InvalidRequest) {
		t.Errorf("done by a person: %v", err)
	}
	if _, err := x.MoveBulk(t.Context(), "anna", "nothing", ledger.BulkPaused, ""); !errors.Is(err, fault.NotFound) {
		t.Errorf("of nothing: %v", err)
	}
}

// TestBulkWorkGoesOnWhereTheHubWasStopped stops the hub in the middle of bulk work, as
// often as it takes.
func TestBulkWorkGoesOnWhereTheHubWasStopped(t *testing.T) {
	t.Parallel()
	x := newFollowing(t)
	x.refusing()
	const lots = 700
	x.makeLots(0, lots)
	x.quiet()
	g := x.theGroup()
	work := x.resumeAll(g, 0)
	h, stops := x.hub, 0
	for movedBefore(h, &work) {
		h.stop()
		stops++
		h = hubOn(t, flow.Config{Catalog: h.Catalog(), Ledger: ledger.Config{Database: h.database, Clock: h.clock}}) // without systems: nothing is sent
	}
	if stops == 0 {
		t.Error("it was done before the hub could be stopped")
	}
	if diff := cmp.Diff(map[ledger.BulkOutcome]int64{ledger.BulkResumed: lots}, work.Outcomes); diff != "" {
		t.Error(diff)
	}
	if left, _, err := h.Ledger().Desk(t.Context(), ledger.DeskFilter{}); err != nil || len(left) != 0 {
		t.Errorf("%d are still open, %v", len(left), err)
	}
	h.verified()
}

// movedBefore waits until something more is on record, and tells whether that was before
// the work was done.
func movedBefore(h *hub, work *ledger.Bulk) bool {
	h.t.Helper()
	for moved := h.Ledger().Moved(); ; {
		now, err := h.Ledger().Bulk(h.t.Context(), work.ID)
		if err != nil {
			h.t.Fatal(err)
		}
		if *work = now; work.State == ledger.BulkDone {
			return false
		}
		select {
		case <-moved:
			return true
		case <-time.After(20 * time.Millisecond): // that it is done moves no feed
		}
	}
}

func TestOfTwoWhoResumeAtOnceOneIsToldThatItIsDecided(t *testing.T) {
	x := newFollowing(t)
	x.refusing()
	x.makeLots(0, 1)
	x.quiet()
	all, _, err := x.Ledger().Desk(t.Context(), ledger.DeskFilter{})
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	before := x.count().Messages
	var wg sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		wg.Go(func() {
			by := ledger.Principal{Name: fmt.Sprintf("p%d", i), Kind: ledger.PersonKind}
			errs[i] = x.Resolve(t.Context(), flow.Resolution{Command: all[0].Step, By: by, How: flow.Waive, Why: by.Name})
		})
	}
	wg.Wait()
	won := 0
	for _, err := range errs {
		if err == nil {
			won++
		} else if !errors.Is(err, fault.DecidedAlready) {
			t.Error(err)
		}
	}
	if won != 1 || x.count().Messages != before+1 {
		t.Errorf("%d have won, and %d messages tell of it", won, x.count().Messages-before)
	}
	if x, err := x.Ledger().DeskOf(t.Context(), all[0].Step); err != nil || x.State != ledger.DeskWaived || !strings.HasPrefix(x.Resolution, "p") {
		t.Errorf("%+v, %v", x, err)
	}
	x.verified()
}

func TestWhatWasNotDoneGoesOutAgainThoughItsPerformerHadHeldIt(t *testing.T) {
	erp := &books{}
	var lost atomic.Bool
	lost.Store(true)
	erp.fate = func(connector.Command) fate {
		if lost.Load() {
			return lostBefore
		}
		return well
	}
	x := &following{erp: erp, hub: hubOn(t, flow.Config{
		Catalog: followingCompany(t), Ledger: ledger.Config{Database: filepath.Join(t.TempDir(), "gapless.db")},
		Systems: map[string]flow.Follower{"erp": {System: erp, Traits: connector.Traits{Class: connector.Blind}, SendWithin: time.Second, Wait: 10 * time.Millisecond}},
	})}
	x.makeLots(0, 1)
	x.quiet()
	g := x.theGroup()
	if g.Reason != fault.StepUndecided.Code {
		t.Fatalf("%s", g)
	}
	lost.Store(false)
	if work := x.over(x.resumeAll(g, 0).ID, ledger.BulkDone); work.Outcomes[ledger.BulkFailed] != 1 {
		t.Errorf("resumed blindly: %+v", work)
	}
	all, _, err := x.Ledger().Desk(t.Context(), ledger.DeskFilter{})
	if err != nil || len(all) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	if err := x.Resolve(t.Context(), flow.Resolution{Command: all[0].Step, By: anna, How: flow.NotDone, Why: "it is not in its books"}); err != nil {
		t.Fatal(err)
	}
	x.quiet()
	if got := x.erp.lines(); len(got) != 1 {
		t.Errorf("the ERP has %v", got)
	}
	x.verified()
}

func TestHeldMessagesAreResumedTogether(t *testing.T) {
	h := newHub(t)
	for i := range 10 {
		h.becomes(h.says(unknownUnit(i)), "held unit_unknown")
	}
	g := h.theGroup()
	if g.Count != 10 || g.Objects["lot"] != 10 {
		t.Errorf("%+v", g)
	}
	work := h.over(h.resumeAll(g, 0).ID, ledger.BulkDone)
	if diff := cmp.Diff(map[ledger.BulkOutcome]int64{ledger.BulkHeld: 10}, work.Outcomes); diff != "" {
		t.Errorf("nothing was put right:\n%s", diff)
	}
	h = h.again(map[string]string{}) // under another revision they would heal
	if n := h.theGroup().Count; n != 10 {
		t.Errorf("%d are held", n)
	}
	h.verified()
}

// unknownUnit is production in a unit that nobody knows.
func unknownUnit(i int) doc {
	return cloud("graz-mes", fmt.Sprintf("u%d", i), "production.completed", "2026-03-02T08:00:00+01:00", doc{
		"order":   "order/1",
		"outputs": []any{doc{"role": "main", "material": "material/M-100", "lot": fmt.Sprintf("lot/M-100/%d", i), "quantity": doc{"value": "1", "unit": "XYZ"}}},
	})
}

func TestAWaivedMessageStaysWaivedUntilItIsSentWithOtherContent(t *testing.T) {
	h := newHub(t)
	held := h.says(unknownUnit(1))
	h.becomes(held, "held unit_unknown")
	if err := h.Ledger().WaiveMessage(t.Context(), "anna", held.Message, "a trial run"); err != nil {
		t.Fatal(err)
	}
	h.becomes(h.says(unknownUnit(1)), "duplicate")
	if _, err := h.ResumeMessage(t.Context(), held.Message, "otto"); !errors.Is(err, fault.DecidedAlready) {
		t.Errorf("resumed although it was waived: %v", err)
	}
	h.verified()
	h = h.again(nil)
	put := unknownUnit(1)
	put["data"].(doc)["outputs"].([]any)[0].(doc)["quantity"].(doc)["unit"] = "H87"
	h.becomes(h.says(put), "recorded")
	x, err := h.Ledger().DeskOf(t.Context(), held.Message)
	if err != nil || x.State != ledger.DeskWaived || x.Resolution != "a trial run" {
		t.Errorf("%+v, %v", x, err)
	}
	h.verified()
}

func TestAGroupOfCommandsIsGivenUpTogether(t *testing.T) {
	x := newFollowing(t)
	open := x.refusing()
	x.makeLots(0, 200)
	x.quiet()
	g := x.theGroup()
	open()
	work, err := x.StartBulk(t.Context(), anna.Name, ledger.BulkStart{What: ledger.BulkWaive, Cause: g.Cause, First: 150, Why: "posted by hand"})
	if err != nil {
		t.Fatal(err)
	}
	if work = x.over(work.ID, ledger.BulkDone); work.Outcomes[ledger.BulkActed] != 150 {
		t.Errorf("%+v", work)
	}
	x.quiet()
	given, _, err := x.Ledger().Desk(t.Context(), ledger.DeskFilter{State: ledger.DeskWaived, Limit: 1000})
	if err != nil || len(given) != 150 || !strings.HasSuffix(given[0].Resolution, "posted by hand") {
		t.Errorf("%d are given up, %v: %+v", len(given), err, given[:1])
	}
	if g := x.theGroup(); g.Count != 50 || len(x.erp.lines()) != 0 {
		t.Errorf("%d stand still, the ERP has %v", g.Count, x.erp.lines())
	}
	x.verified()
}

// TestWorkAtTheDeskGoesOnWhereTheHubWasStopped stops the hub in the middle of work that
// nothing but the desk knows of.
func TestWorkAtTheDeskGoesOnWhereTheHubWasStopped(t *testing.T) {
	t.Parallel()
	x := newFollowing(t)
	x.refusing()
	const lots = 500
	x.makeLots(0, lots)
	x.quiet()
	g := x.theGroup()
	work, err := x.StartBulk(t.Context(), anna.Name, ledger.BulkStart{What: ledger.BulkComment, Cause: g.Cause, Why: "asked the planner"})
	if err != nil {
		t.Fatal(err)
	}
	x.stop()
	h := hubOn(t, flow.Config{Catalog: x.Catalog(), Ledger: ledger.Config{Database: x.database, Clock: x.clock}}) // without systems: nothing is sent
	work = h.over(work.ID, ledger.BulkDone)
	if diff := cmp.Diff(map[ledger.BulkOutcome]int64{ledger.BulkActed: lots}, work.Outcomes); diff != "" {
		t.Error(diff)
	}
	all, _, err := h.Ledger().Desk(t.Context(), ledger.DeskFilter{Limit: lots + 1})
	if err != nil || len(all) != lots {
		t.Fatalf("%d, %v", len(all), err)
	}
	for i := range all {
		acts, err := h.Ledger().ActsOnException(t.Context(), &all[i].Exception)
		said := 0
		for j := range acts {
			if acts[j].Act == "exception.commented" {
				said++
			}
		}
		if err != nil || said != 1 {
			t.Fatalf("it was said %d times about %s, %v", said, all[i].Step, err)
		}
	}
	h.verified()
}
