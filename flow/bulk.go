package flow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
)

// bulkTurn is how many members of bulk work have their turn together. Between two
// turns others are served.
const bulkTurn = 128

// bulkEvery is how often bulk work is looked for that another node has begun.
const bulkEvery = time.Second

// ResumeAll begins bulk work: to resume the open exceptions of a cause, or the first
// of them, oldest first. Its members go on in turns, on whatever node, until all have
// had theirs.
func (f *Flow) ResumeAll(ctx context.Context, by string, c ledger.Cause, first int, why string) (ledger.Bulk, error) {
	if err := f.running(ctx); err != nil {
		return ledger.Bulk{}, err
	}
	work, err := f.ledger.StartBulk(ctx, by, c, first, why)
	f.pokeBulk()
	return work, err
}

// MoveBulk pauses bulk work, lets it go on or cancels it.
func (f *Flow) MoveBulk(ctx context.Context, by, id, to, why string) (ledger.Bulk, error) {
	work, err := f.ledger.MoveBulk(ctx, by, id, to, why)
	f.pokeBulk()
	return work, err
}

func (f *Flow) pokeBulk() {
	select {
	case f.bulkWork <- struct{}{}:
	default: // it is told already
	}
}

// workOff does bulk work until the context ends: one turn of each at a time.
func (f *Flow) workOff(ctx context.Context) {
	look := time.NewTicker(bulkEvery)
	defer look.Stop()
	for ctx.Err() == nil {
		if moved, err := f.bulkTurns(ctx); err != nil && ctx.Err() == nil {
			f.log.WarnContext(ctx, "bulk work does not go on; it is tried again", slog.Any("error", err))
		} else if moved {
			continue
		}
		select {
		case <-ctx.Done():
		case <-f.bulkWork:
		case <-look.C:
		}
	}
}

// bulkTurns gives each running work one turn, and tells whether there was any.
func (f *Flow) bulkTurns(ctx context.Context) (moved bool, err error) {
	running, err := f.ledger.BulkRunning(ctx)
	if err != nil {
		return false, err
	}
	for i := range running {
		err = errors.Join(err, f.turnOf(ctx, &running[i]))
	}
	examined, failed := f.examineAll(ctx)
	err = errors.Join(err, failed)
	return (len(running) > 0 || examined) && err == nil, err
}

// turnOf gives the next members of a work their turn. What becomes of a member goes on
// record in the commit that does it; after a crash the others have theirs.
func (f *Flow) turnOf(ctx context.Context, work *ledger.Bulk) error {
	members, err := f.left(ctx, work)
	if errors.Is(err, fault.DecidedAlready) { // it no longer runs
		return nil
	}
	if err != nil {
		return err
	}
	if len(members) == 0 {
		_, err := f.ledger.EndBulk(ctx, f.principal(), work.ID)
		if errors.Is(err, fault.DecidedAlready) { // it was paused, or another node has ended it
			return nil
		}
		return err
	}
	var told []ledger.Told
	var arrivals []arrival
	var entries []*ledger.Entry
	for i := range members {
		m := &members[i]
		a, e, err := f.member(ctx, work, m)
		switch {
		case errors.Is(err, fault.DecidedAlready):
			told = append(told, ledger.Told{N: m.N, Outcome: ledger.BulkMovedOn, Words: fault.Of(err).Explanation()})
		case fault.Of(err) != nil && !errors.Is(err, fault.Unavailable):
			told = append(told, ledger.Told{N: m.N, Outcome: ledger.BulkFailed, Words: fault.Of(err).Text()})
		case err != nil:
			return err
		default:
			arrivals, entries = append(arrivals, a), append(entries, e)
		}
	}
	failed, err := f.recordMembers(ctx, arrivals, entries)
	if err != nil {
		return err
	}
	if told = append(told, failed...); len(told) == 0 {
		return nil
	}
	err = f.ledger.TellBulk(ctx, f.principal(), work, told)
	if errors.Is(err, fault.DecidedAlready) { // it was paused meanwhile: they have their turn later
		return nil
	}
	return err
}

// left are the next members of a work that have not had their turn.
func (f *Flow) left(ctx context.Context, work *ledger.Bulk) ([]ledger.BulkMember, error) {
	if work.What == ledger.ReplayWork {
		return f.replayLeft(ctx, work)
	}
	return f.ledger.BulkLeft(ctx, work.ID, bulkTurn)
}

// principal is in whose name this node acts by itself.
func (f *Flow) principal() string { return "hub@" + f.node }

// member is the entry by which a member goes on; of a message also how it was kept.
func (f *Flow) member(ctx context.Context, work *ledger.Bulk, m *ledger.BulkMember) (arrival, *ledger.Entry, error) {
	if m.Now != "" {
		return arrival{}, nil, fault.New("flow.member", fault.DecidedAlready, "", "it was %s before its turn", m.Now)
	}
	place := &ledger.BulkPlace{Bulk: work.ID, N: m.N}
	if work.What == ledger.ReplayWork {
		a, err := f.replayed(ctx, m)
		if err != nil {
			return a, nil, err
		}
		a.by, a.bulk, a.replay = work.By, place, &ledger.Replaying{Shown: m.Shown, Why: work.Why}
		e, err := f.prepare(ctx, a, 0)
		return a, e, err
	}
	if !m.IsStep() {
		a, held, err := f.kept(ctx, m.Key)
		if err == nil && !held {
			err = fault.New("flow.member", fault.DecidedAlready, "", "it is no longer held")
		}
		if err != nil {
			return a, nil, err
		}
		a.by, a.bulk = work.By, place
		if a.movesPlan() {
			e, err := f.moveAgain(ctx, a)
			return arrival{}, e, err
		}
		e, err := f.prepare(ctx, a, 0)
		return a, e, err
	}
	step, err := f.ledger.Step(ctx, m.Key)
	if err != nil {
		return arrival{}, nil, err
	}
	r := &Resolution{Command: m.Key, By: ledger.Principal{Name: work.By}, How: Resume, Why: fmt.Sprintf("bulk work %s: %s", work.ID, work.Why)}
	outcome, err := f.decided(ctx, &step, r)
	if err != nil {
		return arrival{}, nil, err
	}
	e, err := f.resolutionEntry(ctx, &step, r, outcome)
	if err == nil {
		e.Bulk = place
	}
	return arrival{}, e, err
}

// recordMembers records entries together, and answers those of which not even that
// can be told what became of them.
func (f *Flow) recordMembers(ctx context.Context, arrivals []arrival, entries []*ledger.Entry) (failed []ledger.Told, err error) {
	if len(entries) == 0 {
		return nil, nil
	}
	results, err := f.ledger.RecordAll(ctx, entries)
	if results == nil || errors.Is(err, fault.Unavailable) {
		return nil, err
	}
	for i, r := range results {
		switch r.Outcome {
		case "": // it could not be stored
			failed = append(failed, ledger.Told{N: entries[i].Bulk.N, Outcome: ledger.BulkFailed, Words: err.Error()})
		case ledger.Again:
			if _, err := f.one(ctx, arrivals[i]); err != nil {
				return failed, err
			}
		default: // told in its commit
		}
	}
	return failed, nil
}
