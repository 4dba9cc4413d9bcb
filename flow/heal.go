package flow

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
)

// Wake notes messages whose wait may be over. It never blocks.
func (f *Flow) Wake(messages []string) {
	f.mu.Lock()
	for _, key := range messages {
		f.woken[key] = true
	}
	f.mu.Unlock()
	select {
	case f.wake <- struct{}{}:
	default: // the healer is told already
	}
}

// sweepEvery is how often everything that may heal is looked at again, in case a
// wake-up of another node was lost with that node.
const sweepEvery = 5 * time.Minute

// heal takes woken messages in again until the context ends. It begins with all
// that may go on by itself or under this revision of the catalog.
func (f *Flow) heal(ctx context.Context) {
	sweep := time.NewTicker(sweepEvery)
	defer sweep.Stop()
	f.sweep(ctx, fault.Heals, fault.Definition)
	for {
		select {
		case <-ctx.Done():
			return
		case <-f.wake:
			f.healWoken(ctx)
		case <-sweep.C:
			f.sweep(ctx, fault.Heals)
		}
	}
}

func (f *Flow) healWoken(ctx context.Context) {
	f.mu.Lock()
	keys := make([]string, 0, len(f.woken))
	for key := range f.woken {
		keys = append(keys, key)
	}
	clear(f.woken)
	f.mu.Unlock()
	slices.Sort(keys)
	for batch := range slices.Chunk(keys, 256) {
		f.again(ctx, batch)
	}
}

// sweep takes in again all held messages whose reason is of the classes.
func (f *Flow) sweep(ctx context.Context, classes ...fault.Class) {
	page := ledger.HeldFilter{Limit: 256}
	for ctx.Err() == nil {
		held, err := f.ledger.Held(ctx, page)
		if err != nil {
			f.log.WarnContext(ctx, "held messages cannot be read; they are looked at later", slog.Any("error", err))
			return
		}
		if len(held) == 0 {
			return
		}
		var keys, refused []string
		for _, x := range held {
			switch {
			case slices.Contains(classes, x.Reason.Class):
				keys = append(keys, x.Key())
			case x.Reason == fault.IdentityConflict:
				refused = append(refused, x.Key())
			}
		}
		f.again(ctx, keys)
		f.corrected(ctx, refused)
		last := held[len(held)-1]
		page.After, page.Behind = last.Raised, last.Key()
	}
}

// again takes what stands still in once more, from what was kept of it: what is read and
// written, together. It never fails for one of them: that is looked at later.
func (f *Flow) again(ctx context.Context, keys []string) {
	still, err := f.readStill(ctx, keys)
	if err != nil {
		f.later(ctx, "", err)
		return
	}
	var all []goingOn
	for _, key := range keys {
		g, err := f.goOn(ctx, still, key)
		switch {
		case err != nil && !errors.Is(err, fault.DecidedAlready) && !errors.Is(err, fault.InvalidRequest): // else it has moved on meanwhile
			f.later(ctx, key, err)
		case err == nil && g.entry != nil:
			all = append(all, g)
		}
	}
	err = f.recordTogether(ctx, all, func(g *goingOn, err error) { f.later(ctx, g.entry.Message.Key(), err) })
	if err != nil {
		f.later(ctx, "", err)
	}
	f.corrected(ctx, keys)
}

// corrected takes in what a source sent corrected under the id of a message that could
// still go on then, and was refused beside it: now it turns out that it cannot. One that
// cannot be taken in does not stop the others.
func (f *Flow) corrected(ctx context.Context, keys []string) {
	all, err := f.ledger.Corrected(ctx, keys)
	if err != nil {
		f.later(ctx, "", err)
	}
	for i := range all {
		a, _, err := keptAs(&all[i])
		if err == nil {
			_, err = f.one(ctx, a)
		}
		if err != nil {
			f.later(ctx, all[i].Key(), err)
		}
	}
}

// later says that something cannot go on now.
func (f *Flow) later(ctx context.Context, key string, err error) {
	if ctx.Err() == nil {
		f.log.WarnContext(ctx, "what was held cannot go on; it is looked at later", slog.String("key", key), slog.Any("error", err))
	}
}

// goOn is how a held message or a held step goes on, whichever the key is of; nothing
// where a person must look: a step that a system has refused is not sent again by itself.
func (f *Flow) goOn(ctx context.Context, still *stillness, key string) (goingOn, error) {
	if _, ok := still.messages[key]; ok {
		return f.messageAgain(ctx, still, key, f.principal(), nil)
	}
	if step, ok := still.steps[key]; ok && (step.Status != ledger.StepHeld || step.Attempts > 0) {
		return goingOn{}, nil
	}
	return f.stepAgain(ctx, still, &Resolution{Command: key, By: ledger.Principal{Name: f.principal()}, How: Resume}, nil)
}

// Retry takes a held message in again from its raw content. A message that is
// not held is left alone and answered as a duplicate.
func (f *Flow) Retry(ctx context.Context, key string) (Answer, error) { return f.retry(ctx, key, "") }

// retry is Retry on behalf of somebody.
func (f *Flow) retry(ctx context.Context, key, by string) (Answer, error) {
	if err := f.running(ctx); err != nil {
		return Answer{}, err
	}
	a, held, err := f.kept(ctx, key)
	if err != nil {
		return Answer{}, err
	}
	if !held {
		return Answer{ID: a.ID, Result: ledger.Result{Outcome: ledger.Duplicate, Message: a.StatementID(), Plant: a.Plant}}, nil
	}
	a.by = by
	return f.one(ctx, a)
}

// kept is the content that a message stands by, and whether it is held: its newest version
// as it was kept, which is the edited one where its content was edited here.
func (f *Flow) kept(ctx context.Context, key string) (a arrival, held bool, err error) {
	stored, err := f.ledger.Newest(ctx, key)
	if err != nil {
		return a, false, err
	}
	return keptAs(&stored)
}

func keptAs(stored *ledger.StoredMessage) (a arrival, held bool, err error) {
	a.Message = stored.Message
	if !stored.Held {
		return a, false, nil
	}
	if stored.Erased {
		return a, true, fault.New("flow.Retry", fault.NotFound, "message", "the raw content of %s was erased", a.StatementID())
	}
	if a.record, err = decodeKept(a.Body); err != nil {
		return a, true, fault.Wrap("flow.Retry", fault.NotReadable, "", err)
	}
	return a, true, nil
}

// ResumeMessage takes a held message in again for a person, by the id of the version.
// The fault is DecidedAlready where it is no longer held.
func (f *Flow) ResumeMessage(ctx context.Context, id, by string) (Answer, error) {
	key, _, err := event.ParseStatementID(id)
	if err != nil {
		return Answer{}, fault.Wrap("flow.ResumeMessage", fault.InvalidRequest, "message", err)
	}
	answer, err := f.retry(ctx, key, by)
	if err == nil && answer.Outcome == ledger.Duplicate {
		err = fault.New("flow.ResumeMessage", fault.DecidedAlready, "message", "message %s is no longer held", id)
	}
	return answer, err
}
