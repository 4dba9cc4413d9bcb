package flow

import (
	"context"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
)

// A Trial is what would become of one message, as far as that can be told without
// state: whether it is a repetition, and what its objects allow, is only decided
// inside a commit. Nothing is kept.
type Trial struct {
	Record   int    // number in a file as a person counts, or place in a batch from 1
	ID       string // the message's own id
	Plant    string
	Events   []event.Event      // as they would be recorded, without position
	Verdicts [][]ledger.Verdict // of the policies that need no state, for each event
	Fault    *fault.Fault       // why it would be held; nil where it would not
	Waits    []string           // what it would wait for
	Refused  *fault.Fault       // why nothing of it would be kept
}

// tried is how many messages are tried at once: trying is for looking at a few.
const tried = 1_000

// Try takes a delivery through everything that comes before the commit and keeps
// nothing. It ends with an error where the delivery as a whole would be refused.
func (f *Flow) Try(ctx context.Context, d Delivery) ([]Trial, error) {
	records, err := f.open(d)
	if err != nil {
		return nil, err
	}
	var trials []Trial
	for record, err := range records {
		if len(trials) == tried {
			return nil, fault.New("flow.Try", fault.LimitExceeded, "", "more than %d messages; try some of them", tried)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		refused, a := f.arrive(d, record, err)
		t := Trial{Record: numberOf(record, err), ID: a.ID, Refused: refused}
		if refused == nil {
			if err := f.try(ctx, a, &t); err != nil {
				return nil, err
			}
		}
		trials = append(trials, t)
	}
	return trials, nil
}

// TryKept is Try for a message that is held: what would become of it now. Its events
// are told as far as they can be made, also where something stands in their way.
func (f *Flow) TryKept(ctx context.Context, key string) (Trial, error) {
	a, held, err := f.kept(ctx, key)
	if err == nil && !held {
		err = fault.New("flow.TryKept", fault.DecidedAlready, "message", "message %s is no longer held", a.StatementID())
	}
	if err != nil {
		return Trial{}, err
	}
	p, err := f.preparation(ctx, a, 0)
	if err != nil {
		return Trial{}, err
	}
	t := Trial{ID: a.ID, Plant: p.e.Message.Plant, Fault: p.e.Fault, Waits: p.e.Waits}
	for i := range p.made {
		t.Events = append(t.Events, p.made[i].Event)
	}
	return t, nil
}

func (f *Flow) try(ctx context.Context, a arrival, t *Trial) error {
	e, err := f.prepare(ctx, a, 0)
	if err != nil {
		return err
	}
	t.Plant, t.Fault, t.Waits = e.Message.Plant, e.Fault, e.Waits
	for i := range e.Drafts {
		draft := &e.Drafts[i]
		draft.Statement = 1
		t.Events = append(t.Events, draft.Event)
		t.Verdicts = append(t.Verdicts, draft.Verdicts)
	}
	return nil
}
