package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/fault"
)

// heldGroup is a group of held messages; the second of them is somebody's.
func heldGroup(t testing.TB, l *Ledger, n int) (all []string, c Cause) {
	t.Helper()
	for i := range n {
		all = append(all, heldAbout(t, l, fmt.Sprint("g", i), fault.IdentifierUnknown, "lot/M-1/1", "5"))
	}
	if err := l.Assign(t.Context(), "anna", all[1], "otto", "", ""); err != nil {
		t.Fatal(err)
	}
	return all, Cause{Plant: "graz", System: "mes", About: "message", Name: "shift-report", Reason: fault.IdentifierUnknown.Code}
}

// work does bulk work to its end, so many members in a turn.
func work(t testing.TB, l *Ledger, b BulkStart, turn int) Bulk {
	t.Helper()
	begun, err := l.StartBulk(t.Context(), "anna", b)
	if err != nil {
		t.Fatal(err)
	}
	for left := begun.Left(); left > 0; left -= int64(turn) {
		if had, err := l.ActBulk(t.Context(), "hub@test", &begun, turn); err != nil || had != min(turn, int(left)) {
			t.Fatalf("%d of %d left had their turn: %v", had, left, err)
		}
	}
	if _, err := l.EndBulk(t.Context(), "hub@test", begun.ID); err != nil && begun.State != BulkDone {
		t.Fatal(err)
	}
	done, err := l.Bulk(t.Context(), begun.ID)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

func TestAGroupIsDecidedAboutAndEachMemberIsTold(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		all, c := heldGroup(t, f.Ledger, 7)
		is := func(b Bulk, want map[BulkOutcome]int64) {
			t.Helper()
			if diff := cmp.Diff(want, b.Outcomes); diff != "" || b.State != BulkDone || b.Left() != 0 {
				t.Errorf("%s is %s: %s", b.What, b.State, diff)
			}
		}
		assigned := work(t, f.Ledger, BulkStart{What: BulkAssign, Cause: c, Input: BulkInput{To: "anna"}, Why: "she knows the press"}, 3)
		is(assigned, map[BulkOutcome]int64{BulkActed: 6, BulkMovedOn: 1})
		members, err := f.BulkMembers(t.Context(), assigned.ID, 0, 10)
		if err != nil || members[1].Outcome != BulkMovedOn || !strings.Contains(members[1].Words, "otto has it") || members[1].ID() != all[1] {
			t.Errorf("%+v, %v", members, err)
		}
		if n := len(desk(t, f.Ledger, DeskFilter{Assignee: "anna"})); n != 6 {
			t.Errorf("anna has %d", n)
		}
		is(work(t, f.Ledger, BulkStart{What: BulkComment, Cause: c, First: 2, Why: "the list is on its way"}, 10), map[BulkOutcome]int64{BulkActed: 2})
		f.pass(time.Minute)
		is(work(t, f.Ledger, BulkStart{What: BulkSnooze, Cause: c, Input: BulkInput{Until: f.Now().Add(time.Hour)}}, 4), map[BulkOutcome]int64{BulkActed: 7})
		if n := len(desk(t, f.Ledger, DeskFilter{})); n != 0 {
			t.Errorf("%d are shown although they are snoozed", n)
		}
		is(work(t, f.Ledger, BulkStart{What: BulkWaive, Cause: c, Why: "nothing is shown, and nothing is given up"}, 4), map[BulkOutcome]int64{})
		is(work(t, f.Ledger, BulkStart{What: BulkWake, Cause: c}, 4), map[BulkOutcome]int64{BulkActed: 7})
		is(work(t, f.Ledger, BulkStart{What: BulkWaive, Cause: c, First: 5, Why: "a trial run"}, 2), map[BulkOutcome]int64{BulkActed: 5})
		if waived, open := desk(t, f.Ledger, DeskFilter{State: DeskWaived}), desk(t, f.Ledger, DeskFilter{Oldest: true}); len(waived) != 5 || len(open) != 2 || open[0].Message != all[5] {
			t.Errorf("%d are given up, open are %q", len(waived), ids(open))
		}
		counted := f.ExceptionCounts()
		if len(counted) != 1 || counted[0].Waived != 5 {
			t.Errorf("%+v", counted)
		}
		acts, err := f.ActsOn(t.Context(), all[0])
		var got []string
		for i := range acts {
			if change, ok := ParseChange(acts[i].Detail); ok {
				_, why, _ := strings.Cut(change.Why, ": ")
				got = append(got, fmt.Sprint(acts[i].Principal, " ", acts[i].Act, " ", change.Before["assignee"], change.After["assignee"], change.Before["state"], change.After["state"], " ", why))
			}
		}
		want := []string{
			"anna exception.assigned anna she knows the press", "anna exception.commented  the list is on its way", "anna exception.snoozed  ", "anna exception.woken  ",
			"anna exception.waived openwaived a trial run",
		}
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Error(diff, err)
		}
		noFindings(t, f.Ledger)
	})
}

func TestWhatCannotBeDoneWithAGroupIsNotBegun(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		_, c := heldGroup(t, f.Ledger, 2)
		late := c
		late.About = "deadline"
		for _, x := range []struct {
			start       BulkStart
			field, says string
		}{
			{BulkStart{What: "repair", Cause: c}, "what", "assign, comment"},
			{BulkStart{What: BulkAssign, Cause: c}, "to", "to whom"},
			{BulkStart{What: BulkComment, Cause: c, Why: " "}, "text", "say something"},
			{BulkStart{What: BulkSnooze, Cause: c, Input: BulkInput{Until: f.Now()}}, "until", "to come"},
			{BulkStart{What: BulkWaive, Cause: c}, "why", "say why"},
			{BulkStart{What: BulkWaive, Cause: late, Why: "x"}, "group", "nothing to waive"},
			{BulkStart{What: BulkResume, Cause: late}, "group", "nothing to resume"},
			{BulkStart{What: BulkWake, Cause: c, First: -1}, "first", "from 1 to"},
		} {
			_, err := f.StartBulk(t.Context(), "anna", x.start)
			named(t, err, fault.InvalidRequest, x.field, x.says)
		}
		if all, err := f.Bulks(t.Context(), nil, 10); err != nil || len(all) != 0 {
			t.Errorf("%+v, %v", all, err)
		}
	})
}

func TestATurnIsHadOnceThoughTheAnswerToItsCommitIsLost(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		for _, step := range []string{"before commit", "after commit", "after write"} {
			var failing atomic.Bool
			l, stop := openUntil(t, dsn, Config{Faults: func(s string) error {
				if s == step && failing.CompareAndSwap(true, false) {
					return errInjected
				}
				return nil
			}})
			id := heldAbout(t, l, step, fault.UnitUnknown, "lot/M-1/1", "")
			c := Cause{Plant: "graz", System: "mes", About: "message", Name: "shift-report", Reason: fault.UnitUnknown.Code}
			b, err := l.StartBulk(t.Context(), "anna", BulkStart{What: BulkWaive, Cause: c, Why: "a trial run"})
			if err != nil {
				t.Fatal(err)
			}
			failing.Store(true)
			_, err = l.ActBulk(t.Context(), "hub@test", &b, 10)
			if err != nil && step != "after write" {
				t.Fatal(step, err)
			}
			if err != nil {
				_, err = l.ActBulk(t.Context(), "hub@test", &b, 10)
			}
			acts, err2 := l.ActsOn(t.Context(), id)
			n := 0
			for i := range acts {
				if acts[i].Act == actWaived {
					n++
				}
			}
			if errors.Join(err, err2) != nil || n != 1 {
				t.Errorf("%s: given up %d times, %v", step, n, errors.Join(err, err2))
			}
			noFindings(t, l)
			stop()
		}
	})
}

func TestNoMemberAtTheDeskHasItsTurnWhileTheWorkDoesNotRun(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		all, c := heldGroup(t, f.Ledger, 5)
		b, err := f.StartBulk(t.Context(), "anna", BulkStart{What: BulkComment, Cause: c, Why: "asked"})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.ActBulk(t.Context(), "hub@test", &b, 2); err != nil {
			t.Fatal(err)
		}
		if _, err := f.MoveBulk(t.Context(), "anna", b.ID, BulkPaused, ""); err != nil {
			t.Fatal(err)
		}
		_, err = f.ActBulk(t.Context(), "hub@test", &b, 2)
		named(t, err, fault.DecidedAlready, "state", "is paused")
		if now, err := f.Bulk(t.Context(), b.ID); err != nil || now.Left() != 3 {
			t.Errorf("%+v, %v", now, err)
		}
		if _, err := f.MoveBulk(t.Context(), "anna", b.ID, BulkRunning, ""); err != nil {
			t.Fatal(err)
		}
		if err := f.WaiveMessage(t.Context(), "otto", all[4], "a trial run"); err != nil {
			t.Fatal(err)
		}
		if had, err := f.ActBulk(t.Context(), "hub@test", &b, 100); err != nil || had != 3 {
			t.Errorf("%d, %v", had, err)
		}
		if now, err := f.Bulk(t.Context(), b.ID); err != nil || now.Outcomes[BulkActed] != 5 {
			t.Errorf("what has ended may be commented: %+v, %v", now, err)
		}
		noFindings(t, f.Ledger)
	})
}

// Whoever gives up waiting for a turn does not look at what its commit counts; the race
// detector sees it.
func TestWhoGivesUpATurnOfBulkWorkLeavesItToTheCommit(t *testing.T) {
	var slow atomic.Bool
	done := make(chan struct{})
	l := open(t, t.TempDir()+"/l.db", Config{Faults: func(at string) error {
		if at == "after write" && slow.CompareAndSwap(true, false) {
			time.Sleep(100 * time.Millisecond) // nothing else may put the two in order
			close(done)
		}
		return nil
	}})
	_, c := heldGroup(t, l, 3)
	b, err := l.StartBulk(t.Context(), "anna", BulkStart{What: BulkComment, Cause: c, Why: "look at the press"})
	if err != nil {
		t.Fatal(err)
	}
	slow.Store(true)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if had, err := l.ActBulk(ctx, "hub@test", &b, 10); !errors.Is(err, context.DeadlineExceeded) || had != 0 {
		t.Errorf("%d had their turn, %v", had, err)
	}
	<-done
}

// What is decided about a group is not decided about a member that stands for another
// reason when it has its turn.
func TestAMemberThatWasRaisedAnewForAnotherReasonIsLeftAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{})
		all, c := heldGroup(t, l, 2)
		begun := func(what BulkWhat) *Bulk {
			b, err := l.StartBulk(t.Context(), "anna", BulkStart{What: what, Cause: c, Why: "a trial run"})
			if err != nil || b.Left() != 2 {
				t.Fatalf("%d are left, %v", b.Left(), err)
			}
			return &b
		}
		resumed, waived := begun(BulkResume), begun(BulkWaive)
		heldAbout(t, l, "g0", fault.ContractBroken, "lot/M-1/1", "5")
		left, err := l.BulkLeft(t.Context(), resumed, 10)
		if err != nil || len(left) != 2 || left[0].Now != "raised anew for contract_broken" || left[1].Now != "" {
			t.Errorf("left to be resumed: %+v, %v", left, err)
		}
		if _, err := l.ActBulk(t.Context(), "hub@test", waived, 10); err != nil {
			t.Fatal(err)
		}
		members, err := l.BulkMembers(t.Context(), waived.ID, 0, 10)
		if err != nil || members[0].Outcome != BulkMovedOn || !strings.Contains(members[0].Words, "contract_broken") || members[1].Outcome != BulkActed {
			t.Errorf("given up: %+v, %v", members, err)
		}
		if x, err := l.DeskOf(t.Context(), all[0]); err != nil || x.State != DeskOpen {
			t.Errorf("what stands for another reason is %s, %v", x.State, err)
		}
		noFindings(t, l)
	})
}
