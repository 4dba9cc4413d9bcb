package ledger

import (
	"context"
	"fmt"
)

// mostOnTop bounds what is listed as standing on top of something.
const mostOnTop = 100

// OnTop are the steps of the same system that events about the object of a step have
// caused and that were performed, wholly or in part, after what the step amends or takes
// back was first done: what stands on it, the newest first. That is the order in which it
// would have to be taken back. None where the step amends nothing. What the same reaction
// has done does not stand on it: that is what is taken back.
func (l *Ledger) OnTop(ctx context.Context, step *Step) ([]Step, error) {
	below := *step
	for below.Amends != "" { // a chain, which the plan has made one behind the other
		before, err := l.Step(ctx, below.Amends)
		if err != nil {
			return nil, err
		}
		below = before
	}
	if below.Key == step.Key {
		return nil, nil
	}
	var all []Step
	query := "select distinct " + stepColumns + ` from object_events o
		join events e on e.plant = o.plant and e.position = o.position and e.recorded = o.recorded
		join steps s on s.cause = case when e.statement > 1 then e.key || '.' || e.statement else e.key end
		join command_keys c on c.key = s.key and c.recorded = s.recorded
		where o.ref = $1 and s.system = $2 and c.changed > $3 and c.status in ('applied', 'partly-applied', 'sent', 'accepted')
		and not (s.transaction_id = $4 and s.reaction = $5)
		order by c.changed desc limit $6`
	args := []any{string(below.Object), below.System, micros(below.Changed), below.Transaction, below.Reaction, mostOnTop}
	err := l.each(ctx, query, args, func(r Row) error {
		s, err := scanStep(r)
		all = append(all, s)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ledger.OnTop: %w", err)
	}
	return all, nil
}
