package ledger

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/internal/testpostgres"
)

// ordinary is the series of a group.
var ordinary = AlertSeries{Cause: Cause{Plant: "graz", System: "erp", About: aboutStep, Name: "receive-goods", Reason: "period_closed"}}

// starts decides that a group stands.
func (f *follower) starts(id string, s AlertSeries, channels ...string) AlertDecision {
	return AlertDecision{
		Series: s, After: AlertStanding{Started: f.Now(), Told: 1}, Channels: channels,
		Alert: &Alert{ID: id, Plant: s.Plant, Kind: "started", Notice: fmt.Appendf(nil, `{"id":%q}`, id)},
	}
}

func (f *follower) decide(all ...AlertDecision) {
	f.t.Helper()
	if err := f.DecideAlerts(f.t.Context(), "graz", all); err != nil {
		f.t.Fatal(err)
	}
}

// claims takes what goes out next, as the ids of its alerts.
func (f *follower) claims(channel string) (Bundle, []string) {
	f.t.Helper()
	b, err := f.ClaimAlerts(f.t.Context(), channel, 10, time.Minute)
	if err != nil {
		f.t.Fatal(err)
	}
	return b, b.ids()
}

func (f *follower) settles(b *Bundle, state AlertState, words string, again time.Duration) {
	f.t.Helper()
	if err := f.SettleAlerts(f.t.Context(), b, state, words, f.Now().Add(again)); err != nil {
		f.t.Fatal(err)
	}
}

func TestAnAlertIsTriedAsItWasUntilItIsTaken(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		if b, ids := f.claims("log"); b.ID != "" || len(ids) != 0 {
			t.Fatalf("nothing waits, and %+v is claimed", b)
		}
		f.decide(f.starts("a1", ordinary, "log", "mail"))
		first, ids := f.claims("log")
		if diff := cmp.Diff([]string{"a1"}, ids); diff != "" || first.Attempts != 1 {
			t.Fatal(diff, first.Attempts)
		}
		if _, ids := f.claims("log"); len(ids) != 0 {
			t.Errorf("two try at once: %q", ids)
		}
		f.settles(&first, AlertWaiting, "the channel is down", 5*time.Second)
		other := ordinary
		for i := range 12 {
			other.Stage = i + 1
			f.decide(f.starts(fmt.Sprintf("b%02d", i), other, "log"))
		}
		if due, err := f.AlertsDue(t.Context(), "log"); err != nil || !due {
			t.Errorf("due: %v %v", due, err)
		}
		if _, ids := f.claims("log"); len(ids) != 0 {
			t.Errorf("others overtake what is tried again: %q", ids)
		}
		f.pass(6 * time.Second)
		again, ids := f.claims("log")
		if diff := cmp.Diff([]string{"a1"}, ids); diff != "" || again.ID != first.ID || again.Attempts != 2 {
			t.Fatal(diff, again)
		}
		// The node dies before it says what became of it: it may have been taken, and goes out as it was.
		f.pass(2 * time.Minute)
		late, ids := f.claims("log")
		if diff := cmp.Diff([]string{"a1"}, ids); diff != "" || late.ID != first.ID {
			t.Fatal(diff, late)
		}
		f.settles(&again, AlertWaiting, "too late to say", time.Hour) // another has taken over
		f.settles(&late, AlertSent, "", 0)
		rest, ids := f.claims("log")
		if diff := cmp.Diff([]string{"b00", "b01", "b02", "b03", "b04", "b05", "b06", "b07", "b08", "b09"}, ids); diff != "" || rest.ID == first.ID {
			t.Fatal(diff)
		}
		f.settles(&rest, AlertGivenUp, "for a day", 0)
		last, ids := f.claims("log")
		if diff := cmp.Diff([]string{"b10", "b11"}, ids); diff != "" {
			t.Fatal(diff)
		}
		f.settles(&last, AlertSent, "", 0)
		waiting, err := f.AlertsWaiting(t.Context())
		if diff := cmp.Diff(map[string]int64{"mail": 1}, waiting); diff != "" || err != nil {
			t.Error(diff, err)
		}
		all, more, err := f.Alerts(t.Context(), AlertFilter{Limit: 2, State: AlertSent})
		if err != nil || !more || len(all) != 2 || all[0].ID != "b11" || all[0].Sends[0].Bundle != last.ID {
			t.Errorf("alerts: %+v %v", all, err)
		}
		all, more, err = f.Alerts(t.Context(), AlertFilter{After: all[1].Place(), State: AlertSent, Plants: []string{"graz"}})
		if err != nil || more || len(all) != 1 || all[0].ID != "a1" || len(all[0].Sends) != 2 {
			t.Errorf("the page behind: %+v %v", all, err)
		}
		if all, _, err := f.Alerts(t.Context(), AlertFilter{Plants: []string{"linz"}}); err != nil || len(all) != 0 {
			t.Errorf("of another plant: %+v %v", all, err)
		}
		if found := f.timeless(); len(found) > 0 {
			t.Errorf("verify: %q", found)
		}
	})
}

// What was decided on what stands no longer tells nothing, whatever fails.
func TestAnAlertIsDecidedOnce(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		for i, step := range []string{"before begin", "before commit", "after commit"} {
			s := ordinary
			s.Stage = i
			f.mu.Lock()
			f.failing = step
			f.mu.Unlock()
			d := f.starts(fmt.Sprint("a", i), s, "log")
			f.decide(d)
			f.decide(d)
			other := f.starts(fmt.Sprint("other", i), s, "log")
			f.decide(other)
		}
		all, _, err := f.Alerts(t.Context(), AlertFilter{})
		if err != nil || len(all) != 3 {
			t.Errorf("%+v %v", all, err)
		}
		standing, err := f.AlertStandings(t.Context())
		if err != nil || len(standing) != 3 || standing[ordinary].Told != 1 {
			t.Errorf("%+v %v", standing, err)
		}
		f.decide(AlertDecision{Series: ordinary, Before: standing[ordinary]})
		if standing, err = f.AlertStandings(t.Context()); err != nil || len(standing) != 2 {
			t.Errorf("it has ended: %+v %v", standing, err)
		}
		if acts, err := f.ActsOn(t.Context(), ""); err != nil || len(acts) != 0 {
			t.Errorf("acts of nobody: %+v %v", acts, err)
		}
	})
}

func TestTwoNodesDecideAndClaimOnce(t *testing.T) {
	dsn := testpostgres.Database(t)
	f := newFollower(t, dsn)
	other := open(t, dsn, Config{Clock: f.Now})
	var mu sync.Mutex
	claimed := map[string]int{}
	for round := range 10 {
		s := ordinary
		s.Stage = round
		var both sync.WaitGroup
		for i, l := range []*Ledger{f.Ledger, other} {
			d := f.starts(fmt.Sprintf("a%d-%d", round, i), s, "log")
			both.Go(func() {
				if err := l.DecideAlerts(t.Context(), "graz", []AlertDecision{d}); err != nil {
					t.Error(err)
				}
				b, err := l.ClaimAlerts(t.Context(), "log", 10, time.Minute)
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				defer mu.Unlock()
				for _, id := range b.ids() {
					claimed[id]++
				}
				if b.ID != "" {
					if err := l.SettleAlerts(t.Context(), &b, AlertSent, "", time.Time{}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		both.Wait()
	}
	if b, _ := f.claims("log"); b.ID != "" {
		for _, id := range b.ids() {
			claimed[id]++
		}
	}
	if len(claimed) != 10 {
		t.Errorf("claimed: %v", claimed)
	}
	for id, n := range claimed {
		if n != 1 {
			t.Errorf("%s was claimed %d times", id, n)
		}
	}
}

func TestTheMembersOfSeriesAreCounted(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		for i := range 3 {
			s := untimed(receipt(longKey(i+1), "lot/M-1/1"))
			f.say(Following{Steps: []Step{s}})
			f.fails(s, fault.PeriodClosed, promised(time.Duration(i+1)*time.Hour, time.Minute))
		}
		late := receipt(k1, "lot/M-1/2")
		late.Terms = promised(2*time.Hour, time.Minute)
		f.say(Following{Steps: []Step{late}})
		f.pass(119*time.Minute + time.Second)
		f.passDue()
		counts, err := f.AlertCounts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		stage := func(n int) AlertSeries { return AlertSeries{ordinary.Cause, n} }
		soon := AlertSeries{Cause{"graz", "erp", aboutDeadline, "receive-goods", fault.StepOverdue.Code}, StageWarned}
		if diff := cmp.Diff(map[AlertSeries]int64{stage(0): 3, stage(1): 2, soon: 1}, counts); diff != "" {
			t.Error(diff)
		}
		f.pass(2 * time.Minute)
		f.passDue()
		f.raiseDue()
		counts, err = f.AlertCounts(t.Context())
		overdue := soon
		overdue.Stage = 0
		if diff := cmp.Diff(map[AlertSeries]int64{stage(0): 3, stage(1): 2, stage(2): 1, overdue: 1}, counts); diff != "" || err != nil {
			t.Error(diff, err)
		}
		series := stage(2)
		if to, err := f.EscalatedTo(t.Context(), &series); err != nil || to != "heads" {
			t.Errorf("it went to %q: %v", to, err)
		}
		if g, ok, err := f.GroupOf(t.Context(), ordinary.Cause); err != nil || !ok || g.Count != 3 || g.Escalated != 1 {
			t.Errorf("%+v %v %v", g, ok, err)
		}
	})
}
