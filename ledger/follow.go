package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// following gathers what one commit writes about transactions and steps.
type following struct {
	transactions map[string]Transaction
	fresh        map[string]bool       // steps that this commit adds
	moved        map[string]bool       // steps that this commit adds or moves
	before       map[string]StepStatus // of moved steps, as they stood before the commit
	attempts     map[string]Attempt    // by step and number
	documents    [][]any
	begun        int              // attempts
	settled      int              // steps
	due          map[string]int64 // when the lanes that a step heads are due; absent: at once where it becomes the head
}

func newFollowing() following {
	return following{
		transactions: map[string]Transaction{}, fresh: map[string]bool{}, moved: map[string]bool{}, before: map[string]StepStatus{},
		attempts: map[string]Attempt{}, due: map[string]int64{},
	}
}

// A turn is what a node says of its attempts besides their outcome: that they
// begin, or that they ended and nothing is known; and of what did not come in time.
type turn struct {
	plant   string
	node    string
	begins  []Begin
	stops   []Stop
	late    []Late
	moments []Moment // that have come
	begun   []Begun  // the answer, one for each of begins
}

// Begin asks for an attempt at a step. One node only gets it.
type Begin struct {
	Step       string
	Ask        bool   // no attempt: only to ask what became of earlier ones
	Digest     string // of the request
	SendBefore int64  // microseconds
	Until      int64  // microseconds; the lane is not due before, whatever becomes of this node
	Claimed    int64  // Until of the claim that this one goes on from; 0: the step must be due
	Attempts   int    // made so far, as far as the node knows: where another node made one meanwhile, this one does not begin
}

// Begun is the answer to Begin.
type Begun struct {
	Attempt
	OK bool // false: another node has it, or it is no longer due
	// Fault is set where the step went out with other content before: it must not.
	Fault *fault.Fault
}

// Stop ends an attempt of which nothing is known, or that did not go out. Where another
// has claimed the step since, it stays as that one has it: then the attempt alone ends.
type Stop struct {
	Step     string
	Number   int   // 0 where there was none
	Attempts int   // with Number 0: made so far, as far as the node knows: see Begin
	Claimed  int64 // Until of the claim that ends; 0: the step must be due
	Outcome  AttemptOutcome
	Words    string
	Due      int64          // microseconds: when the step is looked at again
	Hold     *StepException // set where it is not looked at again before a person or a wait says so
}

// loadFollowing reads the transactions that entries name with their steps, and the
// steps that turns and settlements name.
func (t *transaction) loadFollowing(ctx context.Context, s *touched) error {
	var steps []string
	for _, it := range t.batch.items {
		switch {
		case it.entry != nil:
			for _, x := range it.entry.Settlements {
				steps = append(steps, x.Step)
			}
		case it.turn != nil:
			for _, b := range it.turn.begins {
				steps = append(steps, b.Step)
			}
			for _, s := range it.turn.stops {
				steps = append(steps, s.Step)
			}
			for i := range it.turn.late {
				if x := &it.turn.late[i]; x.Kind == StepTimer {
					steps = append(steps, x.About)
				}
			}
		}
	}
	slices.Sort(steps)
	steps = slices.Compact(steps)
	if err := errors.Join(t.loadTransactions(ctx, s.transactions), t.loadSteps(ctx, "c.transaction_id", s.transactions)); err != nil {
		return err
	}
	alone := slices.DeleteFunc(slices.Clone(steps), func(key string) bool { return t.w.Steps[key].Key != "" })
	return errors.Join(
		t.loadSteps(ctx, "c.key", alone),
		t.loadAttempts(ctx, steps),
		t.loadTimers(ctx),
		t.loadMoments(ctx),
		t.loadDue(ctx, steps))
}

func (t *transaction) loadTransactions(ctx context.Context, ids []string) error {
	if len(ids) == 0 {
		return nil
	}
	query := "select id, plan, object, plant, version, state, complete from transactions where " + t.dialect.isIn("id", "$1") + " order by id" + t.forUpdate()
	return t.each(ctx, query, []any{t.dialect.list(ids)}, func(r Row) error {
		var x Transaction
		var id string
		var complete int64
		err := r.Scan(&id, &x.Plan, &x.Object, &x.Plant, &x.Version, &x.State, &complete)
		x.Complete = complete == 1
		t.w.Transactions[id] = x
		return err
	})
}

const stepColumns = `c.key, c.recorded, c.transaction_id, c.plant, c.system, c.status, c.attempts, c.digest, c.changed,
	s.object, s.reaction, s.role, s.command, s.cause, s.position, s.basis, s.amends, s.wanted, s.lanes, s.deadline, s.members, s.posting, s.ordering`

const stepJoin = " from command_keys c join steps s on s.key = c.key and s.recorded = c.recorded "

func scanStep(r Row, more ...any) (Step, error) {
	var s Step
	var recorded, changed, deadline int64
	var lanes, members string
	err := r.Scan(append([]any{
		&s.Key, &recorded, &s.Transaction, &s.Plant, &s.System, &s.Status, &s.Attempts, &s.Digest, &changed,
		&s.Object, &s.Reaction, &s.Role, &s.Command, &s.Cause, &s.Position, &s.Basis, &s.Amends, &s.Wanted, &lanes, &deadline, &members, &s.Posting, &s.Ordering,
	}, more...)...)
	s.Recorded, s.Changed, s.Deadline = fromMicros(recorded), fromMicros(changed), fromMicros(deadline)
	s.Lanes, s.Members = refsOf(lanes), strings.Fields(members)
	return s, err
}

func (t *transaction) loadSteps(ctx context.Context, column string, values []string) error {
	if len(values) == 0 {
		return nil
	}
	query := "select " + stepColumns + stepJoin + "where " + t.dialect.isIn(column, "$1")
	return t.each(ctx, query, []any{t.dialect.list(values)}, func(r Row) error {
		s, err := scanStep(r)
		t.w.Steps[s.Key] = s
		return err
	})
}

// loadAttempts reads the attempts of which no end is known.
func (t *transaction) loadAttempts(ctx context.Context, steps []string) error {
	if len(steps) == 0 {
		return nil
	}
	query := "select " + attemptColumns + " from attempts where " + attemptOpen + " and " + t.dialect.isIn("step", "$1")
	return t.each(ctx, query, []any{t.dialect.list(steps)}, func(r Row) error {
		a, err := scanAttempt(r)
		t.w.attempts[a.Step] = append(t.w.attempts[a.Step], a)
		return err
	})
}

func scanAttempt(r Row) (Attempt, error) {
	var a Attempt
	var begun, before, ended int64
	err := r.Scan(&a.Step, &a.Number, &a.Node, &begun, &before, &ended, &a.Outcome, &a.Words)
	a.Begun, a.SendBefore, a.Ended = fromMicros(begun), fromMicros(before), fromMicros(ended)
	return a, err
}

// loadDue reads when the lanes that the steps head are due.
func (t *transaction) loadDue(ctx context.Context, steps []string) error {
	return t.in(ctx, "select l.head, l.due from lane_steps q join lanes l on l.lane = q.lane and l.head = q.step where ", "q.step", steps, func(r Row) error {
		var head string
		var due int64
		err := r.Scan(&head, &due)
		if known, ok := t.w.due[head]; !ok || due < known {
			t.w.due[head] = due
		}
		return err
	})
}

// follow takes what follows from an entry into the rows of the commit.
func (t *transaction) follow(f *feed, e *Entry, d *Decision) {
	m := &e.Message
	for i := range d.Following.Settled {
		t.settle(&d.Following.Settled[i])
	}
	for _, x := range d.Following.Transactions {
		x.Plant = m.Plant
		if before, ok := t.following.transactions[x.ID()]; ok { // by an earlier entry of this commit
			x.Expectations = newestExpectations(before.Expectations, x.Expectations)
		}
		t.awaitTransaction(f, m.Principal, &x)
		t.w.Transactions[x.ID()], t.following.transactions[x.ID()] = x, x
	}
	for i := range d.Following.Steps {
		t.moveStep(f, m.Principal, d.Following.Steps[i])
	}
	for _, end := range d.Following.Resolved {
		t.endStep(f, m.Principal, end)
	}
	for _, x := range d.Following.Raised {
		t.raiseStep(f, m.Principal, &x)
	}
}

// newestExpectations are those of an earlier and a later entry, one for each name
// and cause: a row may be touched once in a statement.
func newestExpectations(earlier, later []Expectation) []Expectation {
	all := slices.Clone(later)
	for _, e := range earlier {
		if !slices.ContainsFunc(later, func(x Expectation) bool { return x.Name == e.Name && x.Cause == e.Cause }) {
			all = append(all, e)
		}
	}
	return all
}

// Outrun tells whether another attempt was made behind the one that a settlement is of,
// and may still be done: by a node that took the step over meanwhile. What became of the
// earlier one says nothing of it then, except that it was done.
func (w *Working) Outrun(s *Settlement) bool {
	later := func(a Attempt) bool { return a.Number > s.Attempt }
	return s.Attempt > 0 && s.Outcome != AttemptApplied && slices.ContainsFunc(w.attempts[s.Step], later)
}

// settle ends the attempts of a step of which no end was known.
func (t *transaction) settle(s *Settlement) {
	t.following.settled++
	ended := t.w.attempts[s.Step]
	if s.Outcome != AttemptAccepted {
		delete(t.w.attempts, s.Step)
	}
	for _, a := range ended {
		a.Ended, a.Outcome, a.Words = fromMicros(t.now), s.Outcome, s.Words
		t.noteAttempt(a)
	}
	system := t.w.Steps[s.Step].System
	for _, doc := range s.Documents {
		t.following.documents = append(t.following.documents, []any{system, doc.Number, s.Step, doc.Kind, t.now})
	}
}

func (t *transaction) noteAttempt(a Attempt) {
	t.following.attempts[fmt.Sprintf("%s %d", a.Step, a.Number)] = a
}

// moveStep adds a step, or moves one to another status.
func (t *transaction) moveStep(f *feed, principal string, s Step) {
	known, ok := t.w.Steps[s.Key]
	at := fromMicros(f.tick(t.now))
	if ok {
		t.noteBefore(&known)
		status := s.Status
		s = known
		s.Status, s.Changed = status, at
	} else {
		s.Recorded, s.Changed = at, at
		d := s.Terms.from(micros(at))
		s.Deadline = d.Until
		t.following.fresh[s.Key] = true
		if !s.Status.ended() {
			t.warnOf(s.Key, Cause{Plant: s.Plant, System: s.System, About: aboutDeadline, Name: s.Command, Reason: fault.StepOverdue.Code}, d)
		}
	}
	t.awaitStep(f, principal, known.Status, &s)
	t.w.Steps[s.Key], t.following.moved[s.Key] = s, true
}

// noteBefore keeps the status that a step had before the commit.
func (t *transaction) noteBefore(s *Step) {
	if _, ok := t.following.before[s.Key]; !ok && !t.following.fresh[s.Key] {
		t.following.before[s.Key] = s.Status
	}
}

func (t *transaction) raiseStep(f *feed, principal string, x *StepException) {
	s := t.w.Steps[x.Step]
	at := f.tick(t.now)
	version := s.Attempts + 1
	deadline := t.promise(s.Key, version, Cause{s.Plant, s.System, aboutStep, s.Command, x.Fault.Reason.Code}, x.Terms.from(at))
	id := event.StatementID(s.Key, version)
	t.raised[id] = []any{
		s.Key, int64(version), s.Plant, s.System, s.Command, "open", x.Fault.Reason.Code, string(x.Fault.Reason.Class), x.Fault.Field, string(s.Object),
		x.Fault.Explanation(), x.Owner, at, deadline, int64(0), "", aboutStep,
	}
	t.noteStep(&s, version, x.Fault)
	t.waits[id] = nil
	for _, wanted := range x.Waits {
		t.waits[id] = append(t.waits[id], []any{wanted, s.Key, int64(version), at})
	}
	t.addActAt(f, Act{Plant: f.plant, Principal: principal, Act: "exception.raised", Subject: "command/" + s.Key, Detail: x.Fault.Reason.Code + ": " + x.Fault.Text()}, at)
}

func (t *transaction) endStep(f *feed, principal string, end StepEnd) {
	state := DeskResolved
	if end.Waived {
		state = DeskWaived
	}
	t.moments.stirred[end.Step] = true
	at := t.addAct(f, Act{Plant: f.plant, Principal: principal, Act: "exception." + state, Subject: "command/" + end.Step, Detail: end.Resolution})
	for id, row := range t.raised {
		if row[0] == end.Step && row[exceptionAbout] == aboutStep && row[exceptionState] == DeskOpen {
			row[exceptionState], row[exceptionEnded], row[exceptionResolution] = state, at, end.Resolution
			t.countEnded(row, state, principal, at)
			delete(t.waits, id)
		}
	}
	t.endedSteps = append(t.endedSteps, ended{message: end.Step, state: state, by: principal, resolution: end.Resolution, at: at})
}

// take begins and ends attempts as a turn says. What is no longer due, because
// another node or an entry of the same commit was faster, does not begin.
func (t *transaction) take(it *item) error {
	f := t.feeds[it.turn.plant]
	it.turn.begun = make([]Begun, len(it.turn.begins))
	for i := range it.turn.stops {
		t.stop(f, it.turn.node, &it.turn.stops[i])
	}
	for i := range it.turn.late {
		t.raiseLate(f, it.turn.node, &it.turn.late[i])
	}
	if len(it.turn.begins) > 0 {
		it.err = t.untimely
	}
	for i := range it.turn.begins {
		if it.err == nil {
			it.turn.begun[i] = t.begin(&it.turn.begins[i], it.turn.node)
		}
	}
	for i := range it.turn.moments {
		if err := t.pass(f, it.turn.node, &it.turn.moments[i]); err != nil {
			return err
		}
	}
	return nil
}

func (t *transaction) begin(b *Begin, node string) Begun {
	s, ok := t.w.Steps[b.Step]
	if !ok || !s.Status.queued() || s.Attempts != b.Attempts || !t.claimable(b.Step, b.Claimed) {
		return Begun{}
	}
	if b.Ask {
		t.noteBefore(&s)
		t.w.due[s.Key], t.following.moved[s.Key], t.following.due[s.Key] = b.Until, true, b.Until
		return Begun{OK: true}
	}
	if s.Digest != "" && s.Digest != b.Digest {
		return Begun{Fault: fault.New("ledger.Claim", fault.ContentChanged, "", "command %s was sent before with other content", s.Key)}
	}
	t.noteBefore(&s)
	s.Status, s.Digest, s.Changed = StepSent, b.Digest, fromMicros(t.now)
	s.Attempts++
	t.following.begun++
	a := Attempt{Step: s.Key, Number: s.Attempts, Node: node, Begun: s.Changed, SendBefore: fromMicros(b.SendBefore)}
	t.w.Steps[s.Key], t.w.due[s.Key] = s, b.Until
	t.w.attempts[s.Key] = append(t.w.attempts[s.Key], a)
	t.following.moved[s.Key], t.following.due[s.Key] = true, b.Until
	t.noteAttempt(a)
	return Begun{Attempt: a, OK: true}
}

// claimable tells whether a step may be claimed: it is first in its lanes, and due
// or claimed already by the one who goes on.
func (t *transaction) claimable(step string, claimed int64) bool {
	due, heads := t.w.due[step]
	return heads && (due <= t.now || claimed != 0 && due == claimed)
}

func (t *transaction) stop(f *feed, node string, x *Stop) {
	s, ok := t.w.Steps[x.Step]
	open := t.w.attempts[x.Step]
	at, mine := slices.IndexFunc(open, func(a Attempt) bool { return a.Number == x.Number }), t.claimable(x.Step, x.Claimed)
	if !ok || !s.Status.queued() || at < 0 && (x.Number > 0 || x.Attempts != s.Attempts || !mine) {
		return // it was settled meanwhile: by an echo, or by whom it was taken over
	}
	if at >= 0 {
		a := open[at]
		a.Outcome, a.Words = x.Outcome, x.Words
		if x.Outcome == AttemptNotSent || x.Outcome == AttemptAbsent {
			a.Ended = fromMicros(t.now)
			open = slices.Delete(slices.Clone(open), at, at+1)
		} else {
			open = slices.Clone(open)
			open[at] = a
		}
		t.w.attempts[x.Step] = open
		t.noteAttempt(a)
	}
	t.noteBefore(&s)
	if s.Status == StepSent && len(open) == 0 {
		s.Status = StepDue // certainly nothing went out
	}
	if mine {
		t.w.due[s.Key] = x.Due
	}
	held := mine && x.Hold != nil
	if held {
		s.Status = StepHeld
	}
	s.Changed = fromMicros(t.now)
	t.w.Steps[s.Key] = s
	t.following.moved[s.Key], t.following.due[s.Key] = true, t.w.due[s.Key]
	if held {
		t.raiseStep(f, "hub@"+node, x.Hold)
	}
}

// writeFollowing writes the rows about transactions and steps, and puts the lanes
// in order.
func (t *transaction) writeFollowing(ctx context.Context) error {
	if err := errors.Join(t.moveLanes(ctx), t.keepDue(ctx)); err != nil {
		return err
	}
	if len(t.endedSteps) == 0 {
		return nil
	}
	keys := make([]string, len(t.endedSteps))
	for i := range t.endedSteps {
		keys[i] = t.endedSteps[i].message
	}
	return errors.Join(
		t.endExceptions(ctx, t.endedSteps, true),
		t.exec(ctx, "delete from waits where "+t.dialect.isIn("message", "$1"), t.dialect.list(keys)))
}

// addFollowing gathers the rows that are written once per commit.
func (t *transaction) addFollowing() {
	for _, id := range sortedKeys(t.following.transactions) {
		x := t.following.transactions[id]
		t.add(transactionsTable, []any{id, x.Plan, string(x.Object), x.Plant, x.Version, x.State, flag(x.Complete), t.now})
		for _, e := range x.Expectations {
			state := "open"
			if e.Met {
				state = "met"
			}
			t.add(expectationsTable, []any{id, e.Name, e.Cause, x.Plant, micros(e.Terms.from(t.now).Until), state})
		}
	}
	for _, key := range sortedKeys(t.following.moved) {
		s := t.w.Steps[key]
		if t.following.fresh[key] {
			t.add(stepsTable, stepRow(&s))
			for _, statement := range s.Members {
				t.add(stepMembersTable, []any{statement, s.Key})
			}
		}
		t.add(commandKeysTable, []any{s.Key, micros(s.Recorded), s.Transaction, s.Plant, s.System, string(s.Status), int64(s.Attempts), s.Digest, micros(s.Changed)})
	}
	for _, key := range sortedKeys(t.following.attempts) {
		a := t.following.attempts[key]
		t.add(attemptsTable, []any{a.Step, int64(a.Number), a.Node, micros(a.Begun), micros(a.SendBefore), micros(a.Ended), string(a.Outcome), a.Words})
	}
	for _, row := range t.following.documents {
		t.add(documentsTable, row)
	}
}

func stepRow(s *Step) []any {
	lanes := make([]string, len(s.Lanes))
	for i, ref := range s.Lanes {
		lanes[i] = string(ref)
	}
	slices.Sort(lanes)
	return []any{
		s.Key, micros(s.Recorded), s.Transaction, s.Plant, s.Reaction, s.Role, s.System, s.Command, string(s.Object),
		s.Cause, s.Position, s.Basis, s.Amends, s.Wanted, strings.Join(lanes, "\n"), micros(s.Deadline), strings.Join(s.Members, "\n"), s.Posting, s.Ordering,
	}
}
