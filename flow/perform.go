package flow

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
)

// A Follower is a system that performs commands, and how it is to be treated.
type Follower struct {
	System connector.System
	connector.Traits
	Timeout     time.Duration // of one attempt. Default 30 s
	Concurrency int           // attempts at the same time. Default 4
	Every       time.Duration // from one attempt to the next, at least; 0 for no limit
	SendWithin  time.Duration // between a claim and the moment in which the request is written, at most. Default 1 s
	Wait        time.Duration // before a step is looked at again, the first time; then twice as long each time. Default 1 s
}

// How a performer waits. After so many attempts a person must look.
const (
	longestWait = 5 * time.Minute
	maxAttempts = 20
	// pollEvery is how often due steps are looked for though nothing told of any:
	// another node may have recorded them.
	pollEvery = time.Second
	gatherFor = 3 * time.Millisecond
	// gatherMost is how long a claim waits at most for half of the attempts to end that
	// may be under way.
	gatherMost = 18 * time.Millisecond
)

// performer performs the steps of one system.
type performer struct {
	flow   *Flow
	name   string
	f      Follower
	plants []string
	wake   chan struct{} // capacity 1: there may be something to do

	busy    atomic.Int64 // attempts under way
	pace    pace         // owned by run
	breaker breaker
	working sync.WaitGroup
}

func newPerformer(flow *Flow, name string, f Follower, plants []string) *performer {
	f.Timeout, f.Concurrency, f.Wait = cmp.Or(f.Timeout, 30*time.Second), cmp.Or(f.Concurrency, 4), cmp.Or(f.Wait, time.Second)
	f.SendWithin = cmp.Or(f.SendWithin, time.Second)
	if f.Class == connector.Keyed && f.Settles == 0 {
		f.Settles = 2 * f.Timeout
	}
	return &performer{flow: flow, name: name, f: f, plants: plants, wake: make(chan struct{}, 1), pace: pace{every: f.Every}}
}

// poke tells that there may be something to do. It never blocks.
func (p *performer) poke() {
	select {
	case p.wake <- struct{}{}:
	default: // it is told already
	}
}

// run performs what is due until the context ends. Attempts under way are finished
// and their outcome is put on record.
func (p *performer) run(ctx context.Context) {
	defer p.working.Wait()
	poll := time.NewTimer(0)
	defer poll.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-p.wake:
		case <-poll.C:
		}
		p.gather(ctx)
		if p.turn(ctx) {
			p.poke()
			continue
		}
		poll.Reset(p.pause(ctx))
	}
}

// gather waits a moment for more to come due and more attempts to end: what is
// claimed together shares a commit.
func (p *performer) gather(ctx context.Context) {
	moment := time.NewTicker(gatherFor)
	defer moment.Stop()
	for waited := gatherFor; ; waited += gatherFor {
		select {
		case <-moment.C:
		case <-ctx.Done():
			return
		}
		if busy := int(p.busy.Load()); 2*busy <= p.f.Concurrency || waited >= gatherMost {
			return
		}
	}
}

// pause is how long nothing is due, as far as is known here.
func (p *performer) pause(ctx context.Context) time.Duration {
	wait := pollEvery
	for _, plant := range p.plants {
		next, err := p.flow.ledger.NextDue(ctx, plant, p.name)
		if err == nil && !next.IsZero() {
			wait = min(wait, max(next.Sub(p.flow.ledger.Now()), 0))
		}
	}
	return max(wait, p.breaker.closedFor(p.flow.ledger.Now()), time.Millisecond)
}

// turn claims and begins as many due steps as may be under way, plant by plant.
// It answers whether there may be more at once.
func (p *performer) turn(ctx context.Context) (more bool) {
	for _, plant := range p.plants {
		free := p.f.Concurrency - int(p.busy.Load())
		if p.breaker.closedFor(p.flow.ledger.Now()) > 0 || free <= 0 || ctx.Err() != nil {
			return false
		}
		if free = p.breaker.limit(free); p.f.Every > 0 {
			free = min(free, 1+int(p.f.SendWithin/2/p.f.Every)) // what is claimed goes out in time
		}
		due, err := p.flow.ledger.Due(ctx, plant, p.name, free)
		if err == nil && len(due) > 0 {
			err = p.claim(ctx, plant, due)
		}
		if err != nil {
			if ctx.Err() == nil {
				p.warn(ctx, "claim", err)
			}
			return false
		}
		more = more || len(due) == free
	}
	return more
}

// task is one due step with what is sent for it.
type task struct {
	due     ledger.DueStep
	command connector.Command
	digest  string
	claimed int64 // until when it is claimed; 0 while it is not
}

// claim puts on record that the steps may go out, and sends them on their way.
// Those of which an earlier attempt may have been done are asked for first.
func (p *performer) claim(ctx context.Context, plant string, due []ledger.DueStep) error {
	var begins []ledger.Begin
	var stops []ledger.Stop
	tasks := p.prepareAll(ctx, due, &stops)
	for i := range tasks {
		begins = append(begins, p.begin(&tasks[i]))
	}
	begun, err := p.flow.ledger.Claim(ctx, plant, p.flow.node, stops, begins)
	if err != nil {
		return err
	}
	for i, t := range tasks {
		p.start(ctx, func(ctx context.Context) {
			if begins[i].Ask && begun[i].OK {
				p.ask(ctx, t)
			} else {
				p.perform(ctx, t, begun[i])
			}
		})
	}
	return nil
}

// begin is the claim for an attempt. Its send-before carries over to the request;
// the lane is not looked at again before the attempt can no longer land.
func (p *performer) begin(t *task) ledger.Begin {
	t.command.SendBefore = time.Now().Add(p.f.SendWithin)
	sendBefore := p.flow.ledger.Now().Add(p.f.SendWithin)
	b := ledger.Begin{
		Step: t.due.Key, Digest: t.digest, SendBefore: sendBefore.UnixMicro(), Until: p.settled(sendBefore).Add(p.f.Timeout).UnixMicro(),
		Ask: len(t.due.Open) > 0 && t.claimed == 0, Claimed: t.claimed, Attempts: t.due.Attempts,
	}
	t.claimed = b.Until
	return b
}

// prepareAll makes the requests, several at a time. A step of which none can be
// made is held: its stop is added to stops.
func (p *performer) prepareAll(ctx context.Context, due []ledger.DueStep, stops *[]ledger.Stop) []task {
	tasks, faults := make([]task, len(due)), make([]*fault.Fault, len(due))
	waits := make([][]string, len(due))
	var group sync.WaitGroup
	for i := range due {
		group.Go(func() {
			tasks[i].due = due[i]
			faults[i], waits[i] = p.flow.request(ctx, p.f.Traits, &tasks[i])
		})
	}
	group.Wait()
	ready := tasks[:0]
	for i, t := range tasks {
		switch f := faults[i]; {
		case f == nil:
			ready = append(ready, t)
		case f.Reason == fault.Unavailable: // the ledger cannot be read now
			*stops = append(*stops, ledger.Stop{Step: due[i].Key, Attempts: due[i].Attempts, Due: p.flow.ledger.Now().Add(p.f.Wait).UnixMicro(), Words: f.Error()})
		default:
			*stops = append(*stops, ledger.Stop{Step: due[i].Key, Attempts: due[i].Attempts, Hold: p.flow.exception(ctx, &due[i].Step, f, waits[i])})
		}
	}
	return ready
}

// start runs one task beside the others. What is under way is finished though the
// hub is stopping.
func (p *performer) start(ctx context.Context, do func(context.Context)) {
	p.pace.wait(ctx)
	p.busy.Add(1)
	p.working.Go(func() {
		defer func() { p.busy.Add(-1); p.poke() }()
		do(context.WithoutCancel(ctx))
	})
}

// perform makes one attempt and puts on record what became of it.
func (p *performer) perform(ctx context.Context, t task, begun ledger.Begun) {
	switch {
	case begun.Fault != nil:
		p.stop(ctx, t, ledger.Stop{Hold: p.flow.exception(ctx, &t.due.Step, begun.Fault, nil)})
		return
	case !begun.OK:
		return // another node has it, or it is no longer wanted
	}
	t.command.Attempt = begun.Number
	limited, cancel := context.WithTimeout(ctx, p.f.Timeout)
	defer cancel()
	outcome, err := p.f.System.Perform(limited, t.command)
	if err == nil {
		err = unrecordable(outcome.Check())
	}
	p.breaker.note(p.flow.ledger.Now(), err)
	switch {
	case err == nil && outcome.Status == connector.Refused && (outcome.Reason.Class == fault.Heals || p.doubt(t) > 0):
		p.put(ctx, t, begun.Number, ledger.AttemptAbsent, errors.New(outcome.Text), p.doubt(t))
	case err == nil:
		p.settle(ctx, t, begun.Number, outcome, false)
	case errors.Is(err, connector.ErrNotSent):
		p.put(ctx, t, begun.Number, ledger.AttemptNotSent, err, 0)
	default:
		p.put(ctx, t, begun.Number, ledger.AttemptUnknown, err, p.askAfter(begun.SendBefore))
	}
}

// unrecordable is the error of an answer that breaks the rules of its fields: it could
// not be put on record, and nobody would know of it.
func unrecordable(wrong error) error {
	if wrong == nil {
		return nil
	}
	return connector.Unknown("flow.perform", fault.AnswerUnread, wrong)
}

// ask finds out what became of earlier attempts. Only where none of them can still
// land does another go out.
func (p *performer) ask(ctx context.Context, t task) {
	if p.f.Class == connector.Blind {
		x := fault.New("flow.perform", fault.StepUndecided, "", "%s cannot be asked whether attempt %d was done", p.name, t.due.Attempts)
		p.stop(ctx, t, ledger.Stop{Hold: p.flow.exception(ctx, &t.due.Step, x, nil)})
		return
	}
	t.command.Attempt, t.command.FirstSent = t.due.Attempts, t.due.Open[0].Begun
	t.command.SendBefore = t.due.Open[len(t.due.Open)-1].SendBefore.Add(p.flow.ledger.Apart())
	limited, cancel := context.WithTimeout(ctx, p.f.Timeout)
	defer cancel()
	finding, err := p.f.System.Find(limited, t.command)
	if err == nil {
		err = unrecordable(finding.Check())
	}
	p.breaker.note(p.flow.ledger.Now(), err)
	if err != nil {
		p.put(ctx, t, 0, ledger.AttemptUnknown, err, 0)
		return
	}
	switch finding.Status {
	case connector.FoundApplied:
		p.settle(ctx, t, t.due.Attempts, connector.Outcome{Status: connector.Applied, Documents: finding.Documents, Text: finding.Text}, true)
	case connector.FoundRefused:
		p.settle(ctx, t, t.due.Attempts, connector.Outcome{Status: connector.Refused, Documents: finding.Documents, Text: finding.Text, Reason: finding.Reason}, true)
	case connector.Absent, connector.Begun:
		p.again(ctx, t, finding.Status)
	case connector.Undecided:
		p.put(ctx, t, 0, ledger.AttemptUnknown, errors.New("asked, and it is not decided: "+finding.Text), 0)
	}
}

// again makes another attempt after it became certain that the earlier ones did
// nothing, or that one of them stands where it can be gone on from.
func (p *performer) again(ctx context.Context, t task, found connector.FindStatus) {
	var stops []ledger.Stop
	if found == connector.Absent {
		for _, a := range t.due.Open {
			if p.landed(a.SendBefore) == 0 {
				stops = append(stops, ledger.Stop{Step: t.due.Key, Number: a.Number, Outcome: ledger.AttemptAbsent, Claimed: t.claimed, Due: t.claimed})
			}
		}
	}
	asking := t.claimed
	begun, err := p.flow.ledger.Claim(ctx, t.due.Plant, p.flow.node, stops, []ledger.Begin{p.begin(&t)})
	if err != nil {
		p.warn(ctx, "begin an attempt", err)
		return
	}
	if !begun[0].OK {
		t.claimed = asking
	}
	p.perform(ctx, t, begun[0])
}

// settle puts on record what the system answered, or what was found. Where that
// cannot be recorded now, the step stays unknown and is asked for later.
func (p *performer) settle(ctx context.Context, t task, number int, o connector.Outcome, found bool) {
	if err := p.flow.settle(ctx, &t.due.Step, number, o, found); err != nil {
		p.warn(ctx, "record an answer", err)
	}
}

// put puts off a step of which nothing is known, or of which nothing went out.
// After many attempts a person must look.
func (p *performer) put(ctx context.Context, t task, number int, outcome ledger.AttemptOutcome, cause error, atLeast time.Duration) {
	s := ledger.Stop{Number: number, Outcome: outcome, Words: cause.Error()}
	if t.due.Attempts >= maxAttempts {
		reason := fault.StepUndecided
		if outcome != ledger.AttemptUnknown {
			reason = fault.SystemDown
		}
		s.Hold = p.flow.exception(ctx, &t.due.Step, fault.Wrap("flow.perform", reason, "", cause), nil)
	}
	s.Due = p.flow.ledger.Now().Add(max(atLeast, p.backoff(t.due.Attempts))).UnixMicro()
	p.stop(ctx, t, s)
}

// landed is how long an attempt can still land of which no answer came.
func (p *performer) landed(sendBefore time.Time) time.Duration {
	return max(p.settled(sendBefore).Sub(p.flow.ledger.Now()), 0)
}

// settled is when an attempt can land no more, whichever node made it, and whichever looks.
func (p *performer) settled(sendBefore time.Time) time.Time {
	return sendBefore.Add(p.f.Settles + p.flow.ledger.Apart())
}

// doubt is how long an earlier attempt at the step can still land. A keyed system
// may be asked again before that, because it does nothing twice; but what it refuses
// now may be done then all the same: it may refuse just because it is at it. Where nobody
// says how long that takes, it is as long again as a call may take.
func (p *performer) doubt(t task) time.Duration {
	longest := time.Duration(0)
	for _, a := range t.due.Open {
		longest = max(longest, p.landed(a.SendBefore))
	}
	return longest
}

// askAfter is how long to wait before asking what became of an attempt without an
// answer.
func (p *performer) askAfter(sendBefore time.Time) time.Duration {
	if p.f.Class == connector.Keyed {
		return 0
	}
	return p.landed(sendBefore)
}

func (p *performer) stop(ctx context.Context, t task, s ledger.Stop) {
	s.Step, s.Attempts, s.Claimed = t.due.Key, t.due.Attempts, t.claimed
	if _, err := p.flow.ledger.Claim(ctx, t.due.Plant, p.flow.node, []ledger.Stop{s}, nil); err != nil {
		p.warn(ctx, "end an attempt", err)
	}
}

// backoff is how long a step waits after so many attempts, give or take a fifth,
// so that many that failed together do not come again together.
func (p *performer) backoff(attempts int) time.Duration {
	wait := longestWait
	if attempts < maxAttempts {
		wait = min(p.f.Wait<<attempts, longestWait)
	}
	return wait*4/5 + rand.N(wait*2/5) //nolint:gosec // spreads load, guards nothing
}

// newPerformers are those of the systems, each for the plants that the system
// works for.
func (f *Flow) newPerformers(systems map[string]Follower) map[string]*performer {
	all := map[string]*performer{}
	for name, follower := range systems {
		var plants []string
		for _, plant := range f.Catalog().Plants() {
			if s, ok := f.Catalog().System(name); ok && s.SpeaksFor(plant.Plant) {
				plants = append(plants, plant.Plant)
			}
		}
		all[name] = newPerformer(f, name, follower, plants)
	}
	return all
}

// poke tells the performers of systems that something is due. It never blocks.
func (f *Flow) poke(systems []string) {
	for _, name := range systems {
		if p := f.performers[name]; p != nil {
			p.poke()
		}
	}
}

// warn tells what could not be put on record now. Nothing is lost by it: the step
// is due again when its claim has run out, and the system is asked first.
func (p *performer) warn(ctx context.Context, doing string, err error) {
	p.flow.log.WarnContext(ctx, "step cannot go on now; it is looked at later", slog.String("system", p.name), slog.String("doing", doing), slog.Any("error", err))
}
