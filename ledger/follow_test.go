package ledger

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// follower is a ledger whose Decide adds what a test wants to follow from a
// message, and a clock that only the test moves.
type follower struct {
	*Ledger
	t       testing.TB
	mu      sync.Mutex
	now     time.Time
	follows map[string]Following // by message id
	n       int
	failing string        // step of a commit that fails once
	off     time.Duration // of the clock of the machine
	terms   Terms         // of messages that are held, where a test says so
}

func newFollower(t testing.TB, dsn string) *follower {
	t.Helper()
	f := &follower{t: t, now: base, follows: map[string]Following{}}
	f.Ledger = open(t, dsn, Config{
		Clock: func() time.Time { f.mu.Lock(); defer f.mu.Unlock(); return f.now },
		wall:  func() time.Time { f.mu.Lock(); defer f.mu.Unlock(); return time.Now().Add(f.off) },
		Faults: func(step string) error {
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.failing != step {
				return nil
			}
			f.failing = ""
			return errors.New("the connection broke " + step)
		},
		Decide: func(w *Working, e *Entry) Decision {
			d := restating(w, e)
			f.mu.Lock()
			defer f.mu.Unlock()
			if f.terms != nil && d.Outcome == Held {
				d.Owner, d.Terms = "stores", f.terms
			}
			d.Following = f.follows[e.Message.ID]
			d.Following.Settled = slices.DeleteFunc(slices.Clone(e.Settlements), func(s Settlement) bool { return s.Outcome == AttemptOpen })
			return d
		},
	})
	return f
}

func (f *follower) pass(d time.Duration) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now = f.now.Add(d)
}

// say records a message from which the given follows.
func (f *follower) say(x Following, settlements ...Settlement) {
	f.t.Helper()
	f.mu.Lock()
	f.n++
	id := fmt.Sprintf("m%d", f.n)
	f.follows[id] = x
	f.mu.Unlock()
	e := said(f.t, "graz", id, "1")
	e.Settlements = settlements
	for i := range x.Steps { // so that the ledger loads what is known of the steps
		e.Settlements = append(e.Settlements, Settlement{Step: x.Steps[i].Key, Transaction: x.Steps[i].Transaction})
	}
	if _, err := f.Record(f.t.Context(), e); err != nil {
		f.t.Fatal(err)
	}
}

// Two command keys.
const (
	k1 = "000000000000000000000000000000a1"
	k2 = "000000000000000000000000000000a2"
)

func receipt(key string, lanes ...event.Ref) Step {
	return Step{
		Key: key, Transaction: TransactionID("lot-to-stock", "lot/M-1/1"), Object: "lot/M-1/1", Plant: "graz", Reaction: "receive", Role: "erp", System: "erp",
		Command: "receive-goods", Cause: "c.1", Lanes: lanes, Status: StepDue, Terms: Within(time.Minute),
	}
}

func moved(s Step, to StepStatus) Step { s.Status = to; return s }

func (f *follower) due() []string {
	f.t.Helper()
	all, err := f.Due(f.t.Context(), "graz", "erp", 1000)
	if err != nil {
		f.t.Fatal(err)
	}
	keys := []string{}
	for _, s := range all {
		keys = append(keys, s.Key)
	}
	slices.Sort(keys)
	return keys
}

func (f *follower) begin(digest string, keys ...string) []Begun {
	f.t.Helper()
	begins := make([]Begin, len(keys))
	for i, key := range keys {
		begins[i] = f.knowing(digest, key)
	}
	begun, err := f.Claim(f.t.Context(), "graz", "node-1", nil, begins)
	if err != nil {
		f.t.Fatal(err)
	}
	return begun
}

// knowing is a claim by a node that knows of every attempt so far.
func (f *follower) knowing(digest, key string) Begin {
	f.t.Helper()
	s, err := f.Step(f.t.Context(), key)
	if err != nil {
		f.t.Fatal(err)
	}
	return Begin{
		Step: key, Digest: digest, Attempts: s.Attempts,
		SendBefore: micros(f.Now().Add(5 * time.Second)), Until: micros(f.Now().Add(time.Minute)),
	}
}

// stop ends an attempt for whoever has the step claimed.
func (f *follower) stop(s Stop) {
	f.t.Helper()
	s.Claimed = f.claimed(s.Step)
	if _, err := f.Claim(f.t.Context(), "graz", "node-1", []Stop{s}, nil); err != nil {
		f.t.Fatal(err)
	}
}

// claimed is until when a step is claimed.
func (f *follower) claimed(key string) (until int64) {
	f.t.Helper()
	if err := f.each(f.t.Context(), "select due from lanes where head = $1 and due < $2", []any{key, never}, func(r Row) error { return r.Scan(&until) }); err != nil {
		f.t.Fatal(err)
	}
	return until
}

func (f *follower) status(key string) StepStatus {
	f.t.Helper()
	s, err := f.Step(f.t.Context(), key)
	if err != nil {
		f.t.Fatal(err)
	}
	return s.Status
}

func TestAnAttemptIsOnRecordBeforeItLeavesAndOnlyOneNodeHasIt(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		f.say(Following{Steps: []Step{receipt(k1, "lot/M-1/1")}})
		if diff := cmp.Diff([]string{k1}, f.due()); diff != "" {
			t.Fatal(diff)
		}
		first, second := f.begin("d", k1), f.begin("d", k1)
		if !first[0].OK || first[0].Number != 1 || second[0].OK {
			t.Errorf("began %+v, then %+v", first, second)
		}
		if got := f.status(k1); got != StepSent {
			t.Errorf("the step is %s", got)
		}
		if got := f.due(); len(got) > 0 {
			t.Errorf("due while it is out: %v", got)
		}
		f.pass(2 * time.Minute) // the node died: whoever comes next finds that it may have gone out
		due, err := f.Due(t.Context(), "graz", "erp", 10)
		if err != nil || len(due) != 1 || len(due[0].Open) != 1 || due[0].Open[0].Number != 1 {
			t.Fatalf("due %+v, %v", due, err)
		}
	})
}

// A node that stands still between looking and claiming finds the step due once more,
// though another node made an attempt meanwhile that may have been done.
func TestANodeThatDoesNotKnowOfAnAttemptMakesNone(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		f.say(Following{Steps: []Step{receipt(k1, "lot/M-1/1")}})
		slow := f.knowing("d", k1)
		f.begin("d", k1)
		f.stop(Stop{Step: k1, Number: 1, Outcome: AttemptUnknown, Words: "the answer was lost", Due: micros(f.Now().Add(time.Second))})
		f.pass(2 * time.Second)
		for _, ask := range []bool{false, true} {
			slow.Ask = ask
			begun, err := f.Claim(t.Context(), "graz", "node-2", nil, []Begin{slow})
			if err != nil || begun[0].OK {
				t.Errorf("asking %t: began %+v, %v", ask, begun, err)
			}
		}
		if got := f.begin("d", k1)[0]; !got.OK || got.Number != 2 {
			t.Errorf("who knows began %+v", got)
		}
	})
}

// What a node finds of a step that it does not know in full does not hold it.
func TestANodeThatDoesNotKnowOfAnAttemptHoldsNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		f.say(Following{Steps: []Step{receipt(k1, "lot/M-1/1")}})
		slow := Stop{Step: k1, Hold: &StepException{Step: k1, Fault: fault.New("test", fault.IdentifierUnknown, "material", "M-1"), Owner: "master data"}}
		f.begin("d", k1)
		f.stop(Stop{Step: k1, Number: 1, Outcome: AttemptUnknown, Words: "the answer was lost", Due: micros(f.Now().Add(time.Second))})
		f.pass(2 * time.Second)
		if _, err := f.Claim(t.Context(), "graz", "node-2", []Stop{slow}, nil); err != nil {
			t.Fatal(err)
		}
		if got := f.status(k1); got != StepSent {
			t.Errorf("the step is %s, and may have been done", got)
		}
		slow.Attempts = 1
		if _, err := f.Claim(t.Context(), "graz", "node-2", []Stop{slow}, nil); err != nil {
			t.Fatal(err)
		}
		if got := f.status(k1); got != StepHeld {
			t.Errorf("for who knows of the attempt the step is %s", got)
		}
	})
}

// A node that stands still while it waits for an answer ends its attempt when another has
// taken the step over: what that one does is not cut short by it.
func TestWhoHasLostAClaimDoesNotMoveTheStep(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		f.say(Following{Steps: []Step{receipt(k1, "lot/M-1/1")}})
		f.begin("d", k1)
		slow := f.claimed(k1)
		f.pass(2 * time.Minute)
		if got := f.begin("d", k1)[0]; !got.OK || got.Number != 2 { // it goes on where the first one stopped
			t.Fatalf("began %+v", got)
		}
		hold := &StepException{Step: k1, Fault: fault.New("test", fault.StepUndecided, "", "look at it"), Owner: "stores"}
		for _, s := range []Stop{
			{Step: k1, Number: 1, Outcome: AttemptUnknown, Due: micros(f.Now())},
			{Step: k1, Number: 1, Outcome: AttemptUnknown, Hold: hold},
			{Step: k1, Number: 1, Outcome: AttemptAbsent, Due: micros(f.Now())},
		} {
			s.Claimed = slow
			if _, err := f.Claim(t.Context(), "graz", "node-1", []Stop{s}, nil); err != nil {
				t.Fatal(err)
			}
			if got := f.due(); len(got) > 0 || f.status(k1) != StepSent {
				t.Errorf("after %s it is %s, and due while an attempt is under way: %v", s.Outcome, f.status(k1), got)
			}
		}
		if attempts, err := f.Attempts(t.Context(), k1); err != nil || attempts[0].Outcome != AttemptAbsent || attempts[1].Outcome != AttemptOpen {
			t.Errorf("attempts: %+v, %v", attempts, err)
		}
		f.pass(2 * time.Minute)
		if diff := cmp.Diff([]string{k1}, f.due()); diff != "" {
			t.Errorf("due when the second one cannot be under way any more:\n%s", diff)
		}
	})
}

func TestTheSameCommandIsNeverSentWithOtherContent(t *testing.T) {
	f := newFollower(t, t.TempDir()+"/l.db")
	f.say(Following{Steps: []Step{receipt(k1, "lot/M-1/1")}})
	f.begin("one", k1)
	f.stop(Stop{Step: k1, Number: 1, Outcome: AttemptUnknown, Words: "timeout", Due: micros(f.Now())})
	if got := f.begin("two", k1)[0]; got.OK || got.Fault == nil || got.Fault.Reason != fault.ContentChanged {
		t.Errorf("began %+v", got)
	}
	if got := f.begin("one", k1)[0]; !got.OK || got.Number != 2 {
		t.Errorf("began %+v", got)
	}
}

func TestWhatBecameOfAnAttemptDecidesWhatIsKnownOfTheStep(t *testing.T) {
	for name, test := range map[string]struct {
		outcome AttemptOutcome
		want    StepStatus
		open    int // attempts of which no end is known
	}{
		"nothing went out: it is due again":         {AttemptNotSent, StepDue, 0},
		"asked for, and certainly not there":        {AttemptAbsent, StepDue, 0},
		"no answer: it may have been done":          {AttemptUnknown, StepSent, 1},
		"nothing is said: it may have been done so": {AttemptOpen, StepSent, 1},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFollower(t, t.TempDir()+"/l.db")
			f.say(Following{Steps: []Step{receipt(k1, "lot/M-1/1")}})
			f.begin("d", k1)
			f.stop(Stop{Step: k1, Number: 1, Outcome: test.outcome, Due: micros(f.Now().Add(time.Second))})
			if got := f.status(k1); got != test.want {
				t.Errorf("the step is %s, want %s", got, test.want)
			}
			if got := f.due(); len(got) > 0 {
				t.Errorf("due at once: %v", got)
			}
			f.pass(time.Second)
			due, err := f.Due(t.Context(), "graz", "erp", 10)
			if err != nil || len(due) != 1 || len(due[0].Open) != test.open {
				t.Errorf("due then: %+v, %v", due, err)
			}
		})
	}
}

func TestASettledStepHasItsDocumentsAndLeavesItsLane(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		one, two := receipt(k1, "lot/M-1/1"), receipt(k2, "lot/M-1/1")
		f.say(Following{Steps: []Step{one, two}})
		if diff := cmp.Diff([]string{k1}, f.due()); diff != "" {
			t.Fatal(diff)
		}
		f.begin("d", k1)
		f.say(Following{Steps: []Step{moved(one, StepApplied)}},
			Settlement{Step: k1, Transaction: one.Transaction, Outcome: AttemptApplied, Documents: []StepDocument{{Number: "5000001", Kind: "goods-receipt"}}})
		if diff := cmp.Diff([]string{k2}, f.due()); diff != "" {
			t.Errorf("due behind it:\n%s", diff)
		}
		steps, err := f.StepsOfDocument(t.Context(), "erp", "5000001")
		if err != nil || len(steps) != 1 || steps[0].Key != k1 || steps[0].Status != StepApplied {
			t.Errorf("of the document: %+v, %v", steps, err)
		}
		attempts, err := f.Attempts(t.Context(), k1)
		if err != nil || len(attempts) != 1 || attempts[0].Outcome != AttemptApplied || attempts[0].Ended.IsZero() {
			t.Errorf("attempts: %+v, %v", attempts, err)
		}
		f.stop(Stop{Step: k1, Number: 1, Outcome: AttemptUnknown, Due: micros(f.Now())}) // the answer comes late
		if got := f.status(k1); got != StepApplied {
			t.Errorf("what is applied became %s", got)
		}
	})
}

func TestStepsAndEchoesAreCounted(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		f.say(Following{Steps: []Step{receipt(k1, "lot/M-1/1"), receipt(k2, "lot/M-1/1")}})
		f.begin("d", k1)
		began := f.Now()
		f.pass(time.Minute)
		for channel, echo := range map[string]bool{"http": true, connectorChannel + "erp": false} { // the hub's own word is no echo
			e := said(t, "graz", channel)
			e.Message.Channel = channel
			if _, err := f.Record(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			m, err := f.Newest(t.Context(), e.Message.Key())
			if err != nil || m.Echo != echo {
				t.Errorf("%s: echo %v, %v", channel, m.Echo, err)
			}
		}
		counted, err := f.Count(t.Context())
		if err != nil || counted.Echoes != 1 || counted.Messages != 3 {
			t.Errorf("%+v, %v", counted, err)
		}
		totals, err := f.StepTotals(t.Context())
		if err != nil || len(totals) != 2 || totals[0].Status != StepDue || totals[1].Status != StepSent || totals[1].Steps != 1 || totals[1].Oldest.After(began.Add(time.Second)) {
			t.Errorf("%+v, %v", totals, err)
		}
	})
}

func TestAHeldStepHasAnExceptionAndLetsOthersPass(t *testing.T) {
	f := newFollower(t, t.TempDir()+"/l.db")
	one, two := receipt(k1, "lot/M-1/1"), receipt(k2, "lot/M-1/1")
	f.say(Following{Steps: []Step{one, two}})
	f.stop(Stop{Step: k1, Hold: &StepException{Step: k1, Fault: fault.New("test", fault.IdentifierUnknown, "material", "M-1"), Owner: "master data", Waits: []string{CrossReferenceWanted("erp", "material", "M-1")}}})
	if diff := cmp.Diff([]string{k2}, f.due()); diff != "" {
		t.Errorf("due:\n%s", diff)
	}
	open, err := f.Held(t.Context(), HeldFilter{})
	if err != nil || len(open) != 1 || open[0].Reason != fault.IdentifierUnknown || open[0].Owner != "master data" {
		t.Fatalf("open: %+v, %v", open, err)
	}
	f.say(Following{Steps: []Step{moved(one, StepDue)}, Resolved: []StepEnd{{Step: k1, Resolution: "resumed"}}})
	if open, err = f.Held(t.Context(), HeldFilter{}); err != nil || len(open) != 0 {
		t.Errorf("open afterwards: %+v, %v", open, err)
	}
	if diff := cmp.Diff([]string{k2}, f.due()); diff != "" {
		t.Errorf("a resumed step comes last:\n%s", diff)
	}
}

// The model: a lane is a queue; a step is due when it is first in all of its
// queues and its time has come.
func TestLanesAreQueues(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		run := 0
		rapid.Check(t, func(rt *rapid.T) {
			run++
			m := &laneModel{f: f, run: run, steps: map[string]*modelStep{}}
			rt.Repeat(map[string]func(*rapid.T){
				"add": m.add, "leave": m.leave, "begin": m.begin, "stop": m.stop, "pass": m.pass, "": m.check,
			})
			for _, key := range slices.Sorted(maps.Keys(m.steps)) { // leave nothing behind for the next run
				if s := m.steps[key]; s.queued {
					m.settle(s, StepSuperseded)
				}
			}
		})
	})
}

type modelStep struct {
	Step
	queued bool
	place  int
	due    time.Time // zero: as soon as it is first
}

type laneModel struct {
	f     *follower
	run   int
	n     int
	steps map[string]*modelStep
}

func (m *laneModel) add(t *rapid.T) {
	var lanes []event.Ref
	for _, name := range rapid.SliceOfNDistinct(rapid.SampledFrom([]string{"a", "b", "c"}), 1, 3, rapid.ID).Draw(t, "lanes") {
		lanes = append(lanes, event.Ref(fmt.Sprintf("lot/M-%d/%s", m.run, name)))
	}
	m.n++
	s := &modelStep{Step: receipt(fmt.Sprintf("%016x%016x", m.run, m.n), lanes...), queued: true, place: m.n}
	m.steps[s.Key] = s
	m.f.say(Following{Steps: []Step{s.Step}})
}

func (m *laneModel) pick(t *rapid.T, which func(*modelStep) bool) *modelStep {
	var keys []string
	for _, key := range slices.Sorted(maps.Keys(m.steps)) {
		if which(m.steps[key]) {
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 {
		return nil
	}
	return m.steps[rapid.SampledFrom(keys).Draw(t, "step")]
}

func (m *laneModel) leave(t *rapid.T) {
	if s := m.pick(t, func(s *modelStep) bool { return s.queued }); s != nil {
		m.settle(s, rapid.SampledFrom([]StepStatus{StepApplied, StepRefused, StepSuperseded}).Draw(t, "status"))
	}
}

func (m *laneModel) settle(s *modelStep, to StepStatus) {
	s.queued = false
	m.f.say(Following{Steps: []Step{moved(s.Step, to)}}, Settlement{Step: s.Key, Transaction: s.Transaction, Outcome: AttemptApplied})
}

func (m *laneModel) begin(t *rapid.T) {
	s := m.pick(t, func(s *modelStep) bool { return s.queued })
	if s == nil {
		return
	}
	want := slices.Contains(m.due(), s.Key)
	if got := m.f.begin("d", s.Key)[0].OK; got != want {
		t.Fatalf("began %s: %v, want %v", s.Key, got, want)
	}
	if want {
		s.due = m.f.Now().Add(time.Minute)
	}
}

func (m *laneModel) stop(t *rapid.T) {
	if s := m.pick(t, func(s *modelStep) bool { return s.queued && !s.due.IsZero() }); s != nil {
		s.due = m.f.Now().Add(10 * time.Second)
		m.f.stop(Stop{Step: s.Key, Number: 1, Outcome: AttemptUnknown, Due: micros(s.due)})
	}
}

func (m *laneModel) pass(*rapid.T) { m.f.pass(20 * time.Second) }

func (m *laneModel) due() []string {
	keys := []string{}
	for key, s := range m.steps {
		first := s.queued
		for _, other := range m.steps {
			shares := slices.ContainsFunc(other.Lanes, func(l event.Ref) bool { return slices.Contains(s.Lanes, l) })
			first = first && (!other.queued || !shares || other.place >= s.place)
		}
		if first && !s.due.After(m.f.Now()) {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys
}

func (m *laneModel) check(t *rapid.T) {
	if diff := cmp.Diff(m.due(), m.f.due()); diff != "" {
		t.Fatalf("due (-model +ledger):\n%s", diff)
	}
}

// BenchmarkDue is how long it takes to find whose turn it is, beside a lane with
// many steps that are stuck behind the first.
func BenchmarkDue(b *testing.B) {
	for _, stuck := range []int{0, 10_000} {
		b.Run(fmt.Sprintf("stuck=%d", stuck), func(b *testing.B) {
			benchDatabases(b, func(b *testing.B, dsn string) {
				f := newFollower(b, dsn)
				for from := 0; from < stuck; from += 500 {
					var x Following
					for i := range 500 {
						x.Steps = append(x.Steps, receipt(fmt.Sprintf("%032x", from+i), "lot/M-1/stuck"))
					}
					f.say(x)
				}
				if stuck > 0 {
					f.begin("d", fmt.Sprintf("%032x", 0))
				}
				ctx := context.Background() //nolint:usetesting // b.Context ends before the clean-up
				n := 0
				for b.Loop() {
					b.StopTimer()
					n++
					s := receipt(fmt.Sprintf("f%031x", n), event.Ref(fmt.Sprintf("lot/M-1/%d", n)))
					f.say(Following{Steps: []Step{s}})
					b.StartTimer()
					if due, err := f.Due(ctx, "graz", "erp", 10); err != nil || len(due) != 1 {
						b.Fatal(due, err)
					}
					if !f.begin("d", s.Key)[0].OK {
						b.Fatal("not begun")
					}
				}
			})
		})
	}
}

// BenchmarkDueBacklog is how long it takes to find the next ten of so many steps that are
// all due, each in a lane of its own, as after an outage: it must not grow with them.
func BenchmarkDueBacklog(b *testing.B) {
	for _, waiting := range []int{100, 10_000} {
		b.Run(fmt.Sprint(waiting), func(b *testing.B) {
			benchDatabases(b, func(b *testing.B, dsn string) {
				f := newFollower(b, dsn)
				for from := 0; from < waiting; from += 500 {
					var x Following
					for i := from; i < min(from+500, waiting); i++ {
						x.Steps = append(x.Steps, receipt(fmt.Sprintf("%032x", i), event.Ref(fmt.Sprintf("lot/M-1/%d", i))))
					}
					f.say(x)
				}
				for b.Loop() {
					if due, err := f.Due(b.Context(), "graz", "erp", 10); err != nil || len(due) != 10 {
						b.Fatal(len(due), err)
					}
				}
			})
		})
	}
}
