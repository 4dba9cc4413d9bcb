package ledger

import (
	"context"
	"slices"
)

// wake finds, after a commit, the messages that can go on: those that waited for
// what it put on record, and those of its own whose wait another node ended
// meanwhile. Both sides look after their COMMIT, so whoever commits last sees the
// other. A node that dies before it has looked is made good by the sweep of flow.
func (c *committer) wake(ctx context.Context, b *batch) error {
	var woken []string
	slices.Sort(b.wanted)
	wanted := slices.Compact(b.wanted)
	somebody, err := c.somebodyWaits(ctx)
	if err != nil {
		return err
	}
	if somebody && len(wanted) > 0 {
		query := "select distinct message from waits where " + c.session.dialect.isIn("wanted", "$1")
		err := c.session.each(ctx, query, []any{c.session.dialect.list(wanted)}, func(r Row) error {
			var message string
			err := r.Scan(&message)
			woken = append(woken, message)
			return err
		})
		if err != nil {
			return err
		}
	}
	for _, id := range sortedKeys(b.waiting) {
		for _, row := range b.waiting[id] {
			wanted, _ := row[0].(string)
			message, _ := row[1].(string)
			satisfied, err := c.session.satisfied(ctx, wanted)
			if err != nil {
				return err
			}
			if satisfied {
				woken = append(woken, message)
			}
		}
	}
	if slices.Sort(woken); len(woken) > 0 {
		c.ledger.cfg.Woken(slices.Compact(woken))
	}
	return nil
}

// somebodyWaits tells whether there is any wait at all: mostly there is none, and what
// was committed need not be looked for.
func (c *committer) somebodyWaits(ctx context.Context) (found bool, err error) {
	err = c.session.each(ctx, "select 1 from waits limit 1", nil, func(Row) error { found = true; return nil })
	return found, err
}
