package flow

import (
	"context"
	"errors"

	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
)

// stillness is what is known of messages and steps that stand still, read together: by
// key of the message or the step.
type stillness struct {
	messages map[string]ledger.StoredMessage
	steps    map[string]ledger.Step
	doubtful map[string]bool // steps of which an attempt may have been done
}

func (f *Flow) readStill(ctx context.Context, keys []string) (*stillness, error) {
	var s stillness
	var err error
	if s.messages, err = f.ledger.NewestOf(ctx, keys); err != nil {
		return nil, err
	}
	var steps []string
	for _, key := range keys {
		if _, ok := s.messages[key]; !ok {
			steps = append(steps, key)
		}
	}
	if len(steps) == 0 {
		return &s, nil
	}
	if s.steps, err = f.ledger.StepsByKeys(ctx, steps); err != nil {
		return nil, err
	}
	s.doubtful, err = f.ledger.InDoubt(ctx, steps)
	return &s, err
}

// goingOn is something that stood still, with the entry by which it goes on; of a message
// also how it was kept, by which it is prepared anew.
type goingOn struct {
	arrival arrival
	entry   *ledger.Entry
}

// messageAgain is how a held message goes on. The fault is DecidedAlready where it is no
// longer held.
func (f *Flow) messageAgain(ctx context.Context, still *stillness, key, by string, place *ledger.BulkPlace) (goingOn, error) {
	stored, ok := still.messages[key]
	if !ok {
		return goingOn{}, fault.New("flow.messageAgain", fault.NotFound, "message", "no message %s is on record", key)
	}
	a, held, err := keptAs(&stored)
	if err == nil && !held {
		err = fault.New("flow.messageAgain", fault.DecidedAlready, "", "it is no longer held")
	}
	if err != nil {
		return goingOn{}, err
	}
	a.by, a.bulk = by, place
	e, err := f.entryAgain(ctx, a, 0)
	return goingOn{a, e}, err
}

// entryAgain is the entry of a message that was kept.
func (f *Flow) entryAgain(ctx context.Context, a arrival, attempt int) (*ledger.Entry, error) {
	if a.movesPlan() {
		return f.moveAgain(ctx, a)
	}
	return f.prepare(ctx, a, attempt)
}

// stepAgain is how a step goes on, as was decided.
func (f *Flow) stepAgain(ctx context.Context, still *stillness, r *Resolution, place *ledger.BulkPlace) (goingOn, error) {
	step, ok := still.steps[r.Command]
	if !ok {
		return goingOn{}, fault.New("flow.stepAgain", fault.NotFound, "command", "no command %s is on record", r.Command)
	}
	outcome, err := r.outcome(&step, still.doubtful[r.Command])
	if err != nil {
		return goingOn{}, err
	}
	e, err := f.resolutionEntry(ctx, &step, r, outcome)
	if err == nil {
		e.Bulk = place
	}
	return goingOn{entry: e}, err
}

// recordTogether records entries in shared commits; failed is told of those that cannot
// be stored. What was overtaken by what it waits for is taken once more.
func (f *Flow) recordTogether(ctx context.Context, all []goingOn, failed func(g *goingOn, err error)) error {
	if len(all) == 0 {
		return nil
	}
	entries := make([]*ledger.Entry, len(all))
	for i := range all {
		entries[i] = all[i].entry
	}
	results, err := f.ledger.RecordAll(ctx, entries)
	if results == nil || errors.Is(err, fault.Unavailable) {
		return err
	}
	for i, r := range results {
		switch r.Outcome {
		case "": // it could not be stored
			failed(&all[i], err)
		case ledger.Again:
			if _, err := f.one(ctx, all[i].arrival); err != nil {
				return err
			}
		default: // on record, with what became of it
		}
	}
	return nil
}
