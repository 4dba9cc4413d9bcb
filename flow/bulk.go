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
const bulkTurn = 256

// bulkEvery is how often bulk work is looked for that another node has begun.
const bulkEvery = time.Second

// StartBulk begins bulk work: something that is to be done with the open exceptions of a
// cause, or with the first of them, oldest first. They have it done in turns, on whatever
// node, until all have had theirs.
func (f *Flow) StartBulk(ctx context.Context, by string, start ledger.BulkStart) (ledger.Bulk, error) {
	if err := f.running(ctx); err != nil {
		return ledger.Bulk{}, err
	}
	work, err := f.ledger.StartBulk(ctx, by, start)
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

// turnOf gives the next members of a work their turn, in the way of what it does. What
// becomes of a member goes on record in the commit that does it; after a crash the others
// have theirs.
func (f *Flow) turnOf(ctx context.Context, work *ledger.Bulk) error {
	members, err := f.left(ctx, work)
	if errors.Is(err, fault.DecidedAlready) { // it no longer runs
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case len(members) == 0:
		_, err = f.ledger.EndBulk(ctx, f.principal(), work.ID)
	case work.AtDesk():
		_, err = f.ledger.ActBulk(ctx, f.principal(), work, len(members))
	case work.What == ledger.BulkResume, work.What == ledger.BulkWaive, work.What == ledger.ReplayWork:
		err = f.decideMembers(ctx, work, members)
	default:
		err = fmt.Errorf("flow.turnOf: bulk work %s does %q: that is of a later version of the program", work.ID, work.What)
	}
	if errors.Is(err, fault.DecidedAlready) { // it was paused, or another node has ended it: who is left has a turn later
		return nil
	}
	return err
}

// left are the next members of a work that have not had their turn.
func (f *Flow) left(ctx context.Context, work *ledger.Bulk) ([]ledger.BulkMember, error) {
	if work.What == ledger.ReplayWork {
		return f.replayLeft(ctx, work)
	}
	return f.ledger.BulkLeft(ctx, work, bulkTurn)
}

// principal is in whose name this node acts by itself.
func (f *Flow) principal() string { return "hub@" + f.node }

// decideMembers lets members go on, or gives up commands, all of which goes on record as
// messages.
func (f *Flow) decideMembers(ctx context.Context, work *ledger.Bulk, members []ledger.BulkMember) error {
	var keys []string
	for i := range members {
		if work.What != ledger.ReplayWork { // those do not stand still
			keys = append(keys, members[i].Key)
		}
	}
	still, err := f.readStill(ctx, keys)
	if err != nil {
		return err
	}
	var told []ledger.Told
	var again []goingOn
	for i := range members {
		m := &members[i]
		g, err := f.member(ctx, work, m, still)
		switch {
		case errors.Is(err, fault.DecidedAlready):
			told = append(told, ledger.Told{N: m.N, Outcome: ledger.BulkMovedOn, Words: fault.Of(err).Explanation()})
		case fault.Of(err) != nil && !errors.Is(err, fault.Unavailable):
			told = append(told, ledger.Told{N: m.N, Outcome: ledger.BulkFailed, Words: fault.Of(err).Text()})
		case err != nil:
			return err
		default:
			again = append(again, g)
		}
	}
	err = f.recordTogether(ctx, again, func(g *goingOn, err error) { // not even that can be told in its commit
		told = append(told, ledger.Told{N: g.entry.Bulk.N, Outcome: ledger.BulkFailed, Words: err.Error()})
	})
	if err != nil || len(told) == 0 {
		return err
	}
	return f.ledger.TellBulk(ctx, f.principal(), work, told)
}

// member is how a member goes on.
func (f *Flow) member(ctx context.Context, work *ledger.Bulk, m *ledger.BulkMember, still *stillness) (goingOn, error) {
	if m.Now != "" {
		return goingOn{}, fault.New("flow.member", fault.DecidedAlready, "", "it was %s before its turn", m.Now)
	}
	place := &ledger.BulkPlace{Bulk: work.ID, N: m.N}
	if work.What == ledger.ReplayWork {
		return f.replayAgain(ctx, work, m, place)
	}
	if !m.IsStep() {
		return f.messageAgain(ctx, still, m.Key, work.By, place)
	}
	r := &Resolution{Command: m.Key, By: ledger.Principal{Name: work.By}, How: Resume, Why: fmt.Sprintf("bulk work %s: %s", work.ID, work.Why)}
	if work.What == ledger.BulkWaive {
		r.How = Waive
	}
	return f.stepAgain(ctx, still, r, place)
}
