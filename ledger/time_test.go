package ledger

import (
	"database/sql"
	"errors"
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

// raiseDue raises everything that is due, as a node's turn does.
func (f *follower) raiseDue() int {
	f.t.Helper()
	timers, err := f.Timers(f.t.Context(), 100)
	if err != nil {
		f.t.Fatal(err)
	}
	var late []Late
	for _, t := range timers {
		x := fault.New("test", fault.StepOverdue, "", "not in time")
		if t.Kind == ExpectationTimer {
			x = fault.New("test", fault.ExpectMissed, "", "%s has not come", t.Name)
		}
		late = append(late, Late{Timer: t, Fault: x, Owner: "logistics", Terms: Within(time.Hour)})
	}
	if err := f.RaiseLate(f.t.Context(), "graz", "node-1", late); err != nil {
		f.t.Fatal(err)
	}
	return len(timers)
}

// about are the exceptions about a key, in words.
func (f *follower) about(key string) []string {
	f.t.Helper()
	all, err := f.ExceptionsOf(f.t.Context(), key)
	if err != nil {
		f.t.Fatal(err)
	}
	var texts []string
	for _, x := range all {
		texts = append(texts, strings.TrimSpace(x.State+" "+x.Reason.Code+" "+x.Resolution))
	}
	return texts
}

// timeless is what verify finds about times.
func (f *follower) timeless() []string {
	f.t.Helper()
	report, err := f.Verify(f.t.Context(), VerifyOptions{Gathers: gathersIn})
	if err != nil {
		f.t.Fatal(err)
	}
	return report.Checks[checkTimers].Findings
}

func TestAStepThatIsNotDoneInTimeIsAnExceptionUntilItIsDone(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		s := receipt(k1, "lot/M-1/1")
		f.say(Following{Steps: []Step{s}})
		if n := f.raiseDue(); n != 0 {
			t.Fatalf("%d are late at once", n)
		}
		f.pass(2 * time.Minute)
		for range 2 { // once, however often it is looked at
			f.raiseDue()
		}
		if diff := cmp.Diff([]string{"open step_overdue"}, f.about(k1)); diff != "" {
			t.Fatal(diff)
		}
		if diff := cmp.Diff([]string{k1}, f.due()); diff != "" {
			t.Errorf("being late, it does not go on:\n%s", diff)
		}
		all, err := f.Held(t.Context(), HeldFilter{})
		if err != nil || len(all) != 1 || all[0].Step != k1 || all[0].Owner != "logistics" || all[0].Name != "receive-goods" || !all[0].Deadline.Equal(all[0].Raised.Add(time.Hour)) {
			t.Errorf("exceptions: %+v %v", all, err)
		}
		f.say(Following{Steps: []Step{moved(s, StepHeld)}, Raised: []StepException{{Step: k1, Fault: fault.New("test", fault.StepHeld, "", "why")}}})
		f.say(Following{Steps: []Step{moved(s, StepDue)}, Resolved: []StepEnd{{Step: k1, Resolution: "due"}}})
		if diff := cmp.Diff([]string{"open step_overdue", "resolved step_held due"}, f.about(k1)); diff != "" {
			t.Fatal(diff)
		}
		f.say(Following{Steps: []Step{moved(s, StepApplied)}})
		if diff := cmp.Diff([]string{"resolved step_overdue ended late: applied", "resolved step_held due"}, f.about(k1)); diff != "" {
			t.Fatal(diff)
		}
		acts, err := f.ActsOn(t.Context(), "command/"+k1)
		if err != nil || len(acts) != 4 {
			t.Errorf("acts: %+v %v", acts, err)
		}
		if found := f.timeless(); len(found) > 0 {
			t.Errorf("verify: %q", found)
		}
	})
}

func TestWhatIsDoneInTimeLeavesNoTimer(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		f.say(Following{Steps: []Step{receipt(k1, "lot/M-1/1")}})
		f.say(Following{Steps: []Step{moved(receipt(k1), StepApplied), moved(receipt(k2), StepShadow)}})
		f.pass(time.Hour)
		if next, err := f.NextTimer(t.Context()); err != nil || !next.IsZero() {
			t.Errorf("the next timer is due at %s: %v", next, err)
		}
		if n := f.raiseDue(); n != 0 || len(f.about(k1)) != 0 {
			t.Errorf("%d timers are due, %q", n, f.about(k1))
		}
	})
}

// lotTransaction is a transaction that expects, or gathers.
func lotTransaction(state string, expectations []Expectation, windows []Window) Transaction {
	return Transaction{Plan: "lot-to-stock", Object: "lot/M-1/1", Plant: "graz", Version: "v", State: []byte(state), Expectations: expectations, Windows: windows}
}

func TestWhatDoesNotComeInTimeIsAnExceptionUntilItComes(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		decision := Expectation{Name: "quality decision", Cause: "c.1", Terms: Within(48 * time.Hour)}
		id := TransactionID("lot-to-stock", "lot/M-1/1")
		key := ExpectationKey(id, decision.Name, decision.Cause)
		f.say(Following{Transactions: []Transaction{lotTransaction("{}", []Expectation{decision}, nil)}})
		due := f.Now().Add(48 * time.Hour)
		f.pass(48*time.Hour + time.Second)
		f.raiseDue()
		f.raiseDue()
		if diff := cmp.Diff([]string{"open expectation_missed"}, f.about(key)); diff != "" {
			t.Fatal(diff)
		}
		all, err := f.Held(t.Context(), HeldFilter{About: "expectation"})
		if err != nil || len(all) != 1 || all[0].Ref != "lot/M-1/1" || all[0].Name != "quality decision" || all[0].Step != "" || all[0].Message != "" {
			t.Errorf("exceptions: %+v %v", all, err)
		}
		came := decision
		came.Met, came.How = true, "it is on record"
		f.say(Following{Transactions: []Transaction{lotTransaction("{}", []Expectation{came}, nil)}})
		if diff := cmp.Diff([]string{"resolved expectation_missed ended late: it is on record"}, f.about(key)); diff != "" {
			t.Fatal(diff)
		}
		// It is open again, and due when it first was: that is late at once.
		f.say(Following{Transactions: []Transaction{lotTransaction("{}", []Expectation{decision}, nil)}})
		timers, err := f.Timers(t.Context(), 10)
		if err != nil || len(timers) != 1 || !timers[0].Due.Equal(due) {
			t.Errorf("timers: %+v %v, want one due at %s", timers, err, due)
		}
		f.raiseDue()
		if diff := cmp.Diff([]string{"open expectation_missed"}, f.about(key)); diff != "" {
			t.Fatal(diff)
		}
		if found := f.timeless(); len(found) > 0 {
			t.Errorf("verify: %q", found)
		}
	})
}

// What comes in the same moment in which it is found late raises nothing, or ends at once.
func TestWhatComesWhileItIsFoundLateIsNotLeftOpen(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		for i := range 20 {
			key := fmt.Sprintf("%032x", i+1)
			f.say(Following{Steps: []Step{receipt(key, event.Ref(fmt.Sprint("lot/M-1/", i)))}})
		}
		f.pass(time.Hour)
		var both sync.WaitGroup
		both.Go(func() { f.raiseDue() })
		both.Go(func() { f.raiseDue() })
		for i := range 20 {
			f.say(Following{Steps: []Step{moved(receipt(fmt.Sprintf("%032x", i+1)), StepApplied)}})
		}
		both.Wait()
		for i := range 20 {
			for _, text := range f.about(fmt.Sprintf("%032x", i+1)) {
				if text != "resolved step_overdue ended late: applied" {
					t.Errorf("step %d: %s", i, text)
				}
			}
		}
		if found := f.timeless(); len(found) > 0 {
			t.Errorf("verify: %q", found)
		}
	})
}

// A clock that is set back makes nothing late twice, and what is late stays so.
func TestAClockThatIsSetBackRaisesNothingTwice(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		f.say(Following{Steps: []Step{receipt(k1, "lot/M-1/1")}})
		f.pass(2 * time.Minute)
		f.raiseDue()
		f.pass(-time.Hour)
		f.raiseDue()
		if diff := cmp.Diff([]string{"open step_overdue"}, f.about(k1)); diff != "" {
			t.Fatal(diff)
		}
		f.say(Following{Steps: []Step{moved(receipt(k1), StepApplied)}})
		f.pass(2 * time.Hour)
		f.raiseDue()
		if diff := cmp.Diff([]string{"resolved step_overdue ended late: applied"}, f.about(k1)); diff != "" {
			t.Fatal(diff)
		}
	})
}

// What a hub before timers has put on record gets them when the ledger is opened.
func TestOpeningALedgerGivesTimersToWhatHasNone(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		decision := Expectation{Name: "quality decision", Cause: "c.1", Terms: Within(time.Hour)}
		f.say(Following{Steps: []Step{receipt(k1, "lot/M-1/1")}, Transactions: []Transaction{lotTransaction("{}", []Expectation{decision}, nil)}})
		f.say(Following{Steps: []Step{receipt(k2, "lot/M-1/1")}})
		want := lines(t, f.Ledger, "select kind || ' ' || about || ' ' || transaction_id || ' ' || name || ' ' || cause || ' ' || plant || ' ' || due from timers order by kind, about")
		change(t, f.Ledger, "delete from timers")
		if found := f.timeless(); len(found) != 3 {
			t.Errorf("verify finds %q", found)
		}
		for range 2 {
			if err := f.await(t.Context(), f.store.chores); err != nil {
				t.Fatal(err)
			}
		}
		got := lines(t, f.Ledger, "select kind || ' ' || about || ' ' || transaction_id || ' ' || name || ' ' || cause || ' ' || plant || ' ' || due from timers order by kind, about")
		if diff := cmp.Diff(want, got); diff != "" || len(got) != 3 {
			t.Errorf("timers (-want +got):\n%s", diff)
		}
		f.pass(2 * time.Minute)
		f.raiseDue()
		if err := f.await(t.Context(), f.store.chores); err != nil { // what is late already gets no other
			t.Fatal(err)
		}
		if found := f.timeless(); len(found) > 0 {
			t.Errorf("verify: %q", found)
		}
	})
}

// A node that starts while another one settles a step does not await it again.
func TestANodeThatStartsGivesNoTimerToWhatAnotherSettles(t *testing.T) {
	dsn := testpostgres.Database(t)
	f := newFollower(t, dsn)
	f.say(Following{Steps: []Step{receipt(k1, "lot/M-1/1")}})
	other, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close() //nolint:errcheck // of a test
	tx, err := other.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{"select 1 from feeds for update", "update command_keys set status = 'applied'", "delete from timers"} {
		if _, err := tx.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	started := make(chan error, 1)
	go func() { started <- f.await(t.Context(), f.store.chores) }()
	blocked(t, f.store.chores)
	if err := errors.Join(tx.Commit(), <-started); err != nil {
		t.Fatal(err)
	}
	if found := f.timeless(); len(found) > 0 {
		t.Errorf("verify: %q", found)
	}
}

func TestAWindowIsDueUntilItIsToldToBeOver(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		id := TransactionID("lot-to-stock", "lot/M-1/1")
		f.say(Following{Transactions: []Transaction{lotTransaction("gathers post/1 post/2", nil, []Window{{Bundle: "post/1", Plant: "graz", Within: time.Hour}, {Bundle: "post/2", Plant: "graz", Within: 2 * time.Hour}})}})
		open, err := f.Windows(t.Context(), id)
		if err != nil || len(open) != 2 || open[0].Name != "post/1" || open[0].Plant != "graz" || open[0].Transaction != id {
			t.Fatalf("windows: %+v %v", open, err)
		}
		f.pass(time.Hour)
		if timers, err := f.Timers(t.Context(), 10); err != nil || len(timers) != 1 || timers[0].Kind != WindowTimer {
			t.Fatalf("due: %+v %v", timers, err)
		}
		f.say(Following{Transactions: []Transaction{lotTransaction("gathers post/2", nil, []Window{{Bundle: "post/1", Plant: "graz", Over: true}})}})
		e := said(t, "graz", "told", "1")
		e.Windows = []WindowEnd{{id, "post/2"}}
		record(t, f.Ledger, e)
		if open, err = f.Windows(t.Context(), id); err != nil || len(open) != 0 {
			t.Errorf("windows: %+v %v", open, err)
		}
	})
}

func TestVerifyFindsTimesThatDoNotFit(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		decision := Expectation{Name: "quality decision", Cause: "c.1", Terms: Within(time.Hour)}
		many := receipt(k1, "lot/M-1/1")
		many.Members = []string{"c.1", "d.1"}
		f.say(Following{
			Steps:        []Step{many, receipt(k2, "lot/M-1/1")},
			Transactions: []Transaction{lotTransaction("gathers post/1", []Expectation{decision}, []Window{{Bundle: "post/1", Plant: "graz", Within: time.Hour}})},
		})
		f.pass(2 * time.Minute)
		f.raiseDue()
		if found := f.timeless(); len(found) > 0 {
			t.Fatalf("verify: %q", found)
		}
		for _, alter := range [][2]string{
			{"update exceptions set state = 'resolved', ended = 1 where message = '" + k2 + "'", "command " + k2 + ", due, has a deadline, and neither a timer nor an exception"},
			{"insert into timers (kind, about, transaction_id, name, cause, plant, due) select 'step', key, '', '', '', plant, 7 from steps where key = '" + k1 + "'", "and a timer that would raise it again"},
			{"update steps set members = '' where key = '" + k1 + "'", "timer of command " + k1 + ": no step has that deadline"},
			{"update command_keys set status = 'applied' where key = '" + k1 + "'", "is awaited no longer, and has a timer"},
			{"delete from timers where kind = 'step'", "is awaited no longer, and has an open exception because it is late"},
			{"update timers set due = due + 1 where kind = 'expectation'", "nothing is expected until then"},
			{"update expectations set state = 'met'", "expectation quality decision of transaction lot-to-stock lot/M-1/1 is awaited no longer, and has a timer"},
			{"update timers set name = 'post/2' where kind = 'window'", "the bundle is not open"},
			{"delete from timers", "window lot-to-stock lot/M-1/1 post/1 is open, and no timer ends it"},
		} {
			change(t, f.Ledger, alter[0])
			if got := strings.Join(f.timeless(), "\n"); !strings.Contains(got, alter[1]) {
				t.Errorf("%s: found %q", alter[0], got)
			}
		}
	})
}

// A step that performs several statements is found by each of them.
func TestAStepIsFoundByEveryStatementThatItPerforms(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		var ids []string
		for i := range 3 {
			ids = append(ids, record(t, f.Ledger, said(t, "graz", fmt.Sprint("report-", i), "1")).Events[0])
		}
		s := receipt(k1, "lot/M-1/1")
		s.Cause, s.Members = ids[1], ids[:2]
		f.say(Following{Steps: []Step{s}, Transactions: []Transaction{lotTransaction("{}", nil, nil)}})
		for i, want := range []int{1, 1, 0} {
			steps, err := f.StepsBecauseOf(t.Context(), ids[i])
			if err != nil || len(steps) != want || want > 0 && !cmp.Equal(steps[0].Members, ids[:2]) {
				t.Errorf("because of %s: %+v %v", ids[i], steps, err)
			}
		}
		newest, err := f.Newests(t.Context(), ids)
		if d := newest[ids[2]]; err != nil || len(newest) != 3 || d.ID() != ids[2] {
			t.Errorf("newest: %v %v", newest, err)
		}
		for _, alter := range [][2]string{
			{"delete from step_members where statement = '" + ids[0] + "'", "performs 2 statements together, and is found by 1"},
			{"insert into step_members (statement, step) values ('nothing', '" + k1 + "')", "performs 2 statements together, and 1 of them are on record"},
		} {
			change(t, f.Ledger, alter[0])
			report, err := f.Verify(t.Context(), VerifyOptions{})
			if got := strings.Join(report.Checks[checkSteps].Findings, "\n"); err != nil || !strings.Contains(got, alter[1]) {
				t.Errorf("%s: found %q %v", alter[0], got, err)
			}
		}
	})
}
