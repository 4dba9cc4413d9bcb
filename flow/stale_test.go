package flow_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/internal/testpostgres"
	"github.com/gapless/gapless/ledger"
)

// halting is a system of which the callers stand still once they have its answer, whatever
// their time is: as on a machine that was stopped.
type halting struct {
	*books
	calls atomic.Int64
	halts []*halt // by call; who comes later does not stand still
}

type halt struct{ stands, goOn chan struct{} }

func newHalting(b *books, n int) *halting {
	h := &halting{books: b}
	for range n {
		h.halts = append(h.halts, &halt{make(chan struct{}), make(chan struct{})})
	}
	return h
}

func (h *halting) Perform(ctx context.Context, cmd connector.Command) (connector.Outcome, error) {
	n := int(h.calls.Add(1)) - 1
	o, err := h.books.Perform(ctx, cmd)
	if n < len(h.halts) {
		close(h.halts[n].stands)
		<-h.halts[n].goOn
	}
	return o, err
}

// A node has the answer of a system and stands still before it is on record. Meanwhile
// another attempt is made: that the first one was refused says nothing of it.
func TestARefusalThatComesLateSaysNothingOfALaterAttempt(t *testing.T) {
	t.Parallel()
	erp := &books{}
	var tries atomic.Int64
	erp.judge = func(connector.Command) *connector.Outcome {
		if tries.Add(1) > 1 {
			return nil
		}
		return &connector.Outcome{Status: connector.Refused, Reason: fault.PeriodClosed, Text: "Period 2026/03 is closed"}
	}
	system := newHalting(erp, 2)
	follower := findable(erp)
	follower.System, follower.Timeout, follower.SendWithin = system, 20*time.Millisecond, 500*time.Millisecond
	x := &following{erp: erp, hub: hubOn(t, flow.Config{
		Catalog: followingCompany(t), Ledger: ledger.Config{Database: filepath.Join(t.TempDir(), "gapless.db")}, Systems: map[string]flow.Follower{"erp": follower},
	})}
	x.becomes(x.says(lotMade("e1", "4711", "100")), "recorded")
	<-system.halts[0].stands
	<-system.halts[1].stands // it is done, and nobody has told so
	key := erp.posted[0].key
	close(system.halts[0].goOn)
	x.tellsOfRefusal(key)
	step, err := x.Ledger().Step(t.Context(), key)
	if err != nil || step.Status != ledger.StepSent {
		t.Errorf("the step is %s, %v: an attempt at it may have been done", step.Status, err)
	}
	close(system.halts[1].goOn)
	x.quiet()
	x.goesOnAsApplied(key)
	if n := len(erp.lines()); n != 1 {
		t.Errorf("it was done %d times", n)
	}
	x.verified()
}

// tellsOfRefusal waits until it is on record that the first attempt at a step was refused.
func (x *following) tellsOfRefusal(step string) {
	x.t.Helper()
	for start := time.Now(); time.Since(start) < 20*time.Second; time.Sleep(5 * time.Millisecond) {
		n := 0
		err := x.Ledger().Read(x.t.Context(), func(ctx context.Context, r *ledger.Reader) error {
			return r.Query(ctx, "select count(*) from messages where system = 'hub' and id = $1", []any{step + "/1"}, func(row ledger.Row) error { return row.Scan(&n) })
		})
		if err != nil {
			x.t.Fatal(err)
		}
		if n > 0 {
			return
		}
	}
	x.t.Fatal("the refusal is not on record")
}

func (x *following) goesOnAsApplied(step string) {
	x.t.Helper()
	if s, err := x.Ledger().Step(x.t.Context(), step); err != nil || s.Status != ledger.StepApplied {
		x.t.Errorf("the step is %s, %v", s.Status, err)
	}
}

// What a step asks of a system is other than what went out before, and what went out was
// not done: a person must look.
func TestOtherContentIsHeldThoughWhatWentOutWasNotDone(t *testing.T) {
	t.Parallel()
	erp := &books{fate: func(connector.Command) fate { return lostBefore }}
	database := filepath.Join(t.TempDir(), "gapless.db")
	hub := func(follower flow.Follower) *following {
		return &following{erp: erp, hub: hubOn(t, flow.Config{
			Catalog: followingCompany(t), Ledger: ledger.Config{Database: database}, Systems: map[string]flow.Follower{"erp": follower},
		})}
	}
	x := hub(findable(erp))
	x.becomes(x.says(lotMade("e1", "4711", "100")), "recorded")
	x.attempted()
	x.stop()
	shorter := findable(erp)
	shorter.KeyLength = connector.MinKeyDigits
	x = hub(shorter)
	x.quiet()
	open, err := x.Ledger().Held(t.Context(), ledger.HeldFilter{About: "step"})
	if err != nil || len(open) != 1 || open[0].Reason != fault.ContentChanged {
		t.Errorf("open: %+v, %v", open, err)
	}
	x.verified()
}

// attempted waits until an attempt has ended of which nothing is known.
func (x *following) attempted() {
	x.t.Helper()
	for start := time.Now(); time.Since(start) < 20*time.Second; time.Sleep(5 * time.Millisecond) {
		n := 0
		err := x.Ledger().Read(x.t.Context(), func(ctx context.Context, r *ledger.Reader) error {
			return r.Query(ctx, "select count(*) from attempts where outcome = 'unknown'", nil, func(row ledger.Row) error { return row.Scan(&n) })
		})
		if err != nil {
			x.t.Fatal(err)
		}
		if n > 0 {
			return
		}
	}
	x.t.Fatal("no attempt was made")
}

// airborne is a system that takes a while with the first command, and tells nobody. It
// shows what it has done to whoever asks, by the clock of whoever asks.
type airborne struct {
	*books
	settles, lands time.Duration
	now            func() time.Time
	first          *atomic.Bool
	landed         chan struct{}
}

func (a *airborne) Perform(ctx context.Context, cmd connector.Command) (connector.Outcome, error) {
	if !a.first.CompareAndSwap(false, true) {
		return a.books.Perform(ctx, cmd)
	}
	if err := cmd.InTime(time.Now()); err != nil {
		return connector.Outcome{}, err
	}
	time.AfterFunc(a.lands, func() {
		cmd.SendBefore = time.Now().Add(time.Hour) // it is on its way already
		_, _ = a.books.Perform(context.Background(), cmd)
		close(a.landed)
	})
	return connector.Outcome{}, errors.New("connection reset by peer")
}

func (a *airborne) Find(ctx context.Context, cmd connector.Command) (connector.Finding, error) {
	if f, err := a.books.Find(ctx, cmd); err != nil || f.Status == connector.FoundApplied {
		return f, err
	}
	return connector.Traits{Class: connector.Findable, Settles: a.settles}.Missing(cmd, a.now()), nil
}

// The clock of one node is ahead of the other's, as far as it may be: what the other has
// sent and may land yet is not called absent for that.
func TestTwoNodesWhoseClocksAreApartDoNothingTwice(t *testing.T) {
	t.Parallel()
	dsn := testpostgres.Database(t)
	erp := &books{}
	first, landed, right := &atomic.Bool{}, make(chan struct{}), clock()
	node := func(name string, ahead time.Duration) *following {
		now := func() time.Time { return right().Add(ahead) }
		follower := findable(erp)
		follower.Settles = 3 * time.Second
		follower.System = &airborne{books: erp, settles: follower.Settles, lands: 2500 * time.Millisecond, now: now, first: first, landed: landed}
		return &following{erp: erp, hub: hubOn(t, flow.Config{
			Catalog: followingCompany(t), Node: name, Ledger: ledger.Config{Database: dsn, Clock: now}, Systems: map[string]flow.Follower{"erp": follower},
		})}
	}
	x := node("a", 0)
	x.becomes(x.says(lotMade("e1", "4711", "100")), "recorded")
	x.attempted()
	node("b", 3500*time.Millisecond)
	<-landed
	x.quiet()
	x.goesOnAsApplied(erp.posted[0].key)
	if n := len(erp.lines()); n != 1 {
		t.Errorf("it was done %d times", n)
	}
	x.verified()
}

// standstill is a node that stands still before its next commit, once it is armed.
type standstill struct {
	armed        atomic.Bool
	stands, goOn chan struct{}
}

func (s *standstill) faults(at string) error {
	if at == "before begin" && s.armed.CompareAndSwap(true, false) {
		close(s.stands)
		<-s.goOn
	}
	return nil
}

// A person gives a refused command up. Before that is on record the command goes out again
// by itself, because what it came after is done, and is refused for another reason, which
// nobody has looked at.
func TestADecisionIsAboutTheRefusalThatWasLookedAt(t *testing.T) {
	t.Parallel()
	dsn := testpostgres.Database(t)
	erp := &books{}
	var refusals atomic.Int64
	erp.judge = func(cmd connector.Command) *connector.Outcome {
		switch {
		case cmd.Name != "stock-status":
			return nil
		case refusals.Add(1) == 1:
			return &connector.Outcome{Status: connector.Refused, Reason: fault.MasterDataMissing, Text: "no such lot"}
		}
		return &connector.Outcome{Status: connector.Refused, Reason: fault.PeriodClosed, Text: "Period 2026/03 is closed"}
	}
	x := &following{erp: erp, hub: hubOn(t, flow.Config{
		Catalog: followingCompany(t), Node: "a", Ledger: ledger.Config{Database: dsn}, Systems: map[string]flow.Follower{"erp": findable(erp)},
	})}
	still := &standstill{stands: make(chan struct{}), goOn: make(chan struct{})}
	slow := hubOn(t, flow.Config{Catalog: followingCompany(t), Node: "b", Ledger: ledger.Config{Database: dsn, Faults: still.faults}})
	scope := []any{doc{"kind": "lot", "lot": "lot/M-100/4711"}}
	x.becomes(x.says(quality("h1", "hold.placed", "2026-03-02T07:00:00+01:00", doc{"hold": "hold/qms/1", "scope": scope, "reason": "supplier-notice"})), "recorded")
	command := x.refusedFor(fault.MasterDataMissing)
	given := make(chan error, 1)
	still.armed.Store(true)
	go func() {
		given <- slow.Resolve(t.Context(), flow.Resolution{Command: command, By: ledger.Principal{Name: "anna"}, How: flow.Waive, Why: "the lot is not kept there"})
	}()
	<-still.stands
	x.becomes(x.says(lotMade("e1", "4711", "100")), "recorded")
	if again := x.refusedFor(fault.PeriodClosed); again != command {
		t.Fatalf("command %s is refused, want %s", again, command)
	}
	close(still.goOn)
	if err := <-given; !isFault(err, "decided_already") {
		t.Errorf("whoever looked at the first refusal is told %v", err)
	}
	if s, err := x.Ledger().Step(t.Context(), command); err != nil || s.Status != ledger.StepRefused {
		t.Errorf("the step is %s, %v", s.Status, err)
	}
	x.verified()
}

// refusedFor waits until a command to the ERP stands refused for a reason, and names it.
func (x *following) refusedFor(reason *fault.Reason) (command string) {
	x.t.Helper()
	for start := time.Now(); time.Since(start) < 20*time.Second; time.Sleep(5 * time.Millisecond) {
		open, err := x.Ledger().Held(x.t.Context(), ledger.HeldFilter{About: "step"})
		if err != nil {
			x.t.Fatal(err)
		}
		for i := range open {
			if open[i].Reason == reason && open[i].System == "erp" {
				return open[i].Key()
			}
		}
	}
	x.t.Fatalf("nothing is refused for %s", reason.Code)
	return ""
}
