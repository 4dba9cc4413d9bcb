package flow

import (
	"context"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/transaction"
)

// collected adds to the command of a reaction that collects what it performs: its
// events, one alone too, so that one mapping serves a plant that collects and one that
// does not. A member that is taken back is amended by all of it: of an event that did
// not happen there is no data, neither now nor as what was applied.
func (f *Flow) collected(ctx context.Context, command map[string]any, s *ledger.Step, cause *ledger.Draft) *fault.Fault {
	var r transaction.Reaction // as the plan has it now; nothing where it is gone
	if plan, _, ok := planAndHome(f.Catalog(), s.Transaction); ok {
		r, _ = plan.Reaction(s.Reaction)
	}
	switch {
	case s.Amends != "":
		amends := r.Do == nil || r.Amend != nil && s.Command == r.Amend.Command // or nobody knows: then rather visibly
		if amends && cause.Change == event.Reversal {
			command["event"] = withoutData(cause)
		}
		return nil
	case r.Collect == nil && len(s.Members) == 0:
		return nil
	}
	events := []any{command["event"]}
	if len(s.Members) > 0 {
		drafts, failed := f.eventsOf(ctx, s.Members)
		if failed != nil {
			return failed
		}
		events = make([]any, len(drafts))
		for i := range drafts {
			events[i] = eventDocument(&drafts[i])
		}
	}
	command["events"] = events
	return nil
}

// withoutData is an event that did not happen after all.
func withoutData(e *ledger.Draft) map[string]any {
	document := eventDocument(e)
	delete(document, "data")
	return document
}

// eventsOf are the events of statements, in the order of the statements. Most are the
// newest of their key: those are read together.
func (f *Flow) eventsOf(ctx context.Context, statements []string) ([]ledger.Draft, *fault.Fault) {
	newest, err := f.ledger.Newests(ctx, statements)
	if err != nil {
		return nil, fault.Wrap("flow.request", fault.Unavailable, "", err)
	}
	all := make([]ledger.Draft, len(statements))
	for i, id := range statements {
		e, ok := newest[id]
		if !ok {
			earlier, failed := f.eventOf(ctx, id)
			if failed != nil {
				return nil, failed
			}
			e = *earlier
		}
		all[i] = e
	}
	return all, nil
}
