package ledger

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/internal/testpostgres"
)

// promised are terms with a warning and two escalations.
func promised(within, warn time.Duration) Terms {
	return func(from time.Time) Deadlines {
		until := from.Add(within)
		return Deadlines{Until: until, Warn: until.Add(-warn), Handed: []Handed{{until.Add(time.Hour), "heads"}, {until.Add(2 * time.Hour), "plant manager"}}}
	}
}

// passDue passes every moment that is due, as a node's turn does.
func (f *follower) passDue() int {
	f.t.Helper()
	due, err := f.MomentsDue(f.t.Context(), 1000)
	if err == nil {
		err = f.PassMoments(f.t.Context(), "graz", "node-1", due)
	}
	if err != nil {
		f.t.Fatal(err)
	}
	return len(due)
}

// stands is how an exception stands: its stage, whom it is for, and what is on record.
func (f *follower) stands(id string) string {
	f.t.Helper()
	x, err := f.DeskOf(f.t.Context(), id)
	if err != nil {
		f.t.Fatal(err)
	}
	acts, err := f.ActsOnException(f.t.Context(), &x.Exception)
	if err != nil {
		f.t.Fatal(err)
	}
	text := fmt.Sprintf("%s stage %d for %s", x.State, x.Stage, x.Owner)
	if x.Assignee != "" {
		text += ", " + x.Assignee + " has it"
	}
	for _, a := range acts {
		if c, ok := ParseChange(a.Detail); ok && (a.Act == actWarned || a.Act == actEscalated) {
			text += fmt.Sprintf("; %s %s>%s", c.After["stage"], c.Before["owner"], c.After["owner"])
		}
	}
	return text
}

func (f *follower) mustStand(id, want string) {
	f.t.Helper()
	if diff := cmp.Diff(want, f.stands(id)); diff != "" {
		f.t.Fatal(diff)
	}
}

// fails raises an exception about a step.
func (f *follower) fails(s Step, reason *fault.Reason, terms Terms) {
	f.t.Helper()
	f.say(Following{Steps: []Step{moved(s, StepRefused)}, Raised: []StepException{{Step: s.Key, Fault: fault.New("test", reason, "", "why"), Owner: "stores", Terms: terms}}})
}

// longKey is a key of a command in its usual form.
func longKey(n int) string { return fmt.Sprintf("%064x", n) }

func untimed(s Step) Step { s.Terms = nil; return s }

func TestAnExceptionIsWarnedOfAndHandedOnOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		key := longKey(1)
		s := untimed(receipt(key, "lot/M-1/1"))
		f.say(Following{Steps: []Step{s}})
		f.fails(s, fault.PeriodClosed, promised(4*time.Hour, time.Hour))
		if n := f.passDue(); n != 0 {
			t.Fatalf("%d moments are due at once", n)
		}
		if err := f.Assign(t.Context(), "anna", key, "anna", "", "mine"); err != nil {
			t.Fatal(err)
		}
		if err := f.Snooze(t.Context(), "anna", key, f.Now().Add(20*time.Hour), "later"); err != nil {
			t.Fatal(err)
		}
		f.pass(3*time.Hour + time.Second)
		f.passDue()
		f.passDue()
		f.mustStand(key, "open stage 1 for stores, anna has it; warned >")
		f.pass(2 * time.Hour) // snoozing does not stop the clock
		f.passDue()
		f.mustStand(key, "open stage 2 for heads; warned >; escalated 1 anna>heads")
		f.pass(time.Hour)
		f.passDue()
		f.mustStand(key, "open stage 3 for plant manager; warned >; escalated 1 anna>heads; escalated 2 heads>plant manager")
		mine, _, err := f.Desk(t.Context(), DeskFilter{Owner: "plant manager", State: DeskAll})
		if err != nil || len(mine) != 1 {
			t.Errorf("for the plant manager: %+v %v", mine, err)
		}
		groups, err := f.Groups(t.Context(), DeskFilter{}) // it was put off by who has it no longer
		if err != nil || len(groups) != 1 || groups[0].Warned != 1 || groups[0].Escalated != 1 {
			t.Errorf("groups: %+v %v", groups, err)
		}
		f.say(Following{Steps: []Step{moved(s, StepApplied)}, Resolved: []StepEnd{{Step: key, Resolution: "applied"}}})
		if left, err := f.MomentsOf(t.Context(), key, 1); err != nil || len(left) != 0 {
			t.Errorf("it has ended, and has moments: %+v %v", left, err)
		}
		if found := f.timeless(); len(found) > 0 {
			t.Errorf("verify: %q", found)
		}
	})
}

// What a hub that stood still for long finds due is put on record in its order.
func TestMomentsThatCameWhileTheHubStoodStillArePassedInOrder(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		key := longKey(1)
		s := untimed(receipt(key, "lot/M-1/1"))
		f.say(Following{Steps: []Step{s}})
		f.fails(s, fault.PeriodClosed, promised(4*time.Hour, time.Hour))
		f.pass(48 * time.Hour)
		f.passDue()
		f.mustStand(key, "open stage 3 for plant manager; warned >; escalated 1 stores>heads; escalated 2 heads>plant manager")
		if found := f.timeless(); len(found) > 0 {
			t.Errorf("verify: %q", found)
		}
	})
}

func TestWhatEndsInTimeIsNeitherWarnedOfNorHandedOn(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		key := longKey(1)
		s := untimed(receipt(key, "lot/M-1/1"))
		f.say(Following{Steps: []Step{s}})
		f.fails(s, fault.PeriodClosed, promised(4*time.Hour, time.Hour))
		f.say(Following{Steps: []Step{moved(s, StepDue)}, Resolved: []StepEnd{{Step: key, Resolution: "due"}}})
		f.pass(48 * time.Hour)
		if n := f.passDue(); n != 0 {
			t.Errorf("%d moments are left", n)
		}
		f.mustStand(key, "resolved stage 0 for stores")
		waived := heldWith(t, f, "m1", fault.UnitUnknown)
		if err := f.WaiveMessage(t.Context(), "anna", waived, "a trial"); err != nil {
			t.Fatal(err)
		}
		f.pass(48 * time.Hour)
		f.passDue()
		f.mustStand(waived, "waived stage 0 for stores")
		if n := f.passDue(); n != 0 {
			t.Errorf("%d moments are left", n)
		}
	})
}

// heldWith records a message that is held, with a warning and escalations.
func heldWith(t *testing.T, f *follower, id string, reason *fault.Reason) string {
	t.Helper()
	f.mu.Lock()
	f.n++
	words := f.n
	f.terms = promised(4*time.Hour, time.Hour)
	f.mu.Unlock()
	e := said(t, "graz", "held-"+id, "1")
	e.Fault = fault.New("test", reason, "", "why, for the %d. time", words)
	return record(t, f.Ledger, e).Message
}

// Raised again for the same reason it stays where it has come to; for another one its
// clock begins anew.
func TestTheClockGoesOnForTheSameReason(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		id := heldWith(t, f, "m1", fault.UnitUnknown)
		first, err := f.DeskOf(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		f.pass(5 * time.Hour)
		f.passDue()
		f.mustStand(id, "open stage 2 for heads; warned >; escalated 1 stores>heads")
		heldWith(t, f, "m1", fault.UnitUnknown) // other words
		f.mustStand(id, "open stage 2 for heads; warned >; escalated 1 stores>heads")
		if again, err := f.DeskOf(t.Context(), id); err != nil || !again.Deadline.Equal(first.Deadline) || again.Detail == first.Detail {
			t.Errorf("%+v %v, before %+v", again, err, first)
		}
		heldWith(t, f, "m1", fault.CodeUnknown)
		f.mustStand(id, "open stage 0 for stores; warned >; escalated 1 stores>heads")
		f.pass(3*time.Hour + time.Minute)
		f.passDue()
		f.mustStand(id, "open stage 1 for stores; warned >; escalated 1 stores>heads; warned >")
		if found := f.timeless(); len(found) > 0 {
			t.Errorf("verify: %q", found)
		}
	})
}

func TestAStepAndAnExpectationAreWarnedOfBeforeTheyAreLate(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		s := receipt(k1, "lot/M-1/1")
		s.Terms = promised(time.Hour, 10*time.Minute)
		done := receipt(k2, "lot/M-1/2")
		done.Terms = s.Terms
		decision := Expectation{Name: "quality decision", Cause: "c.1", Terms: promised(time.Hour, 10*time.Minute)}
		expected := ExpectationKey(TransactionID("lot-to-stock", "lot/M-1/1"), decision.Name, decision.Cause)
		f.say(Following{Steps: []Step{s, done}, Transactions: []Transaction{lotTransaction("{}", []Expectation{decision}, nil)}})
		f.say(Following{Steps: []Step{moved(done, StepApplied)}})
		f.pass(51 * time.Minute)
		if n := f.passDue(); n != 2 {
			t.Errorf("%d are warned of", n)
		}
		f.passDue()
		for key, subject := range map[string]string{k1: "command/" + k1, expected: "expectation/" + expected} {
			acts, err := f.ActsOn(t.Context(), subject)
			if err != nil || len(acts) != 1 || acts[0].Act != actWarned {
				t.Errorf("%s: acts %+v %v", subject, acts, err)
			}
			if left, err := f.MomentsOf(t.Context(), key, 0); err != nil || len(left) != 1 || left[0].Passed.IsZero() {
				t.Errorf("%s: moments %+v %v", subject, left, err)
			}
		}
		f.pass(10 * time.Minute)
		f.raiseDue()
		for _, key := range []string{k1, expected} {
			if left, err := f.MomentsOf(t.Context(), key, 0); err != nil || len(left) != 0 {
				t.Errorf("it is late, and the warning is left: %+v %v", left, err)
			}
		}
		if found := f.timeless(); len(found) > 0 {
			t.Errorf("verify: %q", found)
		}
	})
}

// The statements of a commit do not grow with the number of moments, and what is passed
// while it is resolved is not left behind.
func TestManyMomentsPassTogetherBesideWhatResolvesThem(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		const n = 40
		for i := range n {
			s := untimed(receipt(longKey(i+1), event.Ref(fmt.Sprint("lot/M-1/", i))))
			f.say(Following{Steps: []Step{s}})
			f.fails(s, fault.PeriodClosed, promised(time.Hour, time.Minute))
		}
		f.pass(48 * time.Hour)
		var both sync.WaitGroup
		both.Go(func() { f.passDue() })
		both.Go(func() { f.passDue() })
		for i := range n / 2 {
			s := receipt(longKey(i + 1))
			f.say(Following{Steps: []Step{moved(s, StepApplied)}, Resolved: []StepEnd{{Step: s.Key, Resolution: "applied"}}})
		}
		both.Wait()
		f.passDue()
		for i := range n {
			got := f.stands(longKey(i + 1))
			want := "open stage 3 for plant manager; warned >; escalated 1 stores>heads; escalated 2 heads>plant manager"
			if i >= n/2 && got != want {
				t.Errorf("%d: %s", i, got)
			}
			if i < n/2 && !strings.HasPrefix(got, "resolved ") || strings.Count(got, "warned") > 1 {
				t.Errorf("%d: %s", i, got)
			}
		}
		if left, err := f.MomentsDue(t.Context(), 1000); err != nil || len(left) != 0 {
			t.Errorf("left: %+v %v", left, err)
		}
	})
}

// Of two nodes one passes a moment.
func TestTwoNodesPassAMomentOnce(t *testing.T) {
	dsn := testpostgres.Database(t)
	f := newFollower(t, dsn)
	key := longKey(1)
	s := untimed(receipt(key, "lot/M-1/1"))
	f.say(Following{Steps: []Step{s}})
	f.fails(s, fault.PeriodClosed, promised(time.Hour, time.Minute))
	f.pass(48 * time.Hour)
	other := open(t, dsn, Config{Clock: f.Now})
	due, err := f.MomentsDue(t.Context(), 10)
	if err != nil || len(due) != 3 {
		t.Fatalf("%+v %v", due, err)
	}
	var both sync.WaitGroup
	for _, l := range []*Ledger{f.Ledger, other} {
		both.Go(func() {
			if err := l.PassMoments(t.Context(), "graz", "node", due); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	f.mustStand(key, "open stage 3 for plant manager; warned >; escalated 1 stores>heads; escalated 2 heads>plant manager")
}

// A commit whose answer is lost, or that fails, passes nothing twice and loses nothing.
func TestAMomentIsPassedOnceWhateverFails(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		for i, step := range []string{"before begin", "after begin", "before commit", "after commit"} {
			key := longKey(i + 1)
			s := untimed(receipt(key, "lot/M-1/9"))
			f.say(Following{Steps: []Step{s}})
			f.fails(s, fault.PeriodClosed, promised(time.Hour, time.Minute))
			f.pass(48 * time.Hour)
			f.mu.Lock()
			f.failing = step
			f.mu.Unlock()
			f.passDue()
			f.mustStand(key, "open stage 3 for plant manager; warned >; escalated 1 stores>heads; escalated 2 heads>plant manager")
			if f.failing != "" {
				t.Errorf("nothing failed %s", step)
			}
		}
	})
}
