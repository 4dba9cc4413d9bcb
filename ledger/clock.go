package ledger

import (
	"context"
	"time"

	"github.com/gapless/gapless/fault"
)

// maxDrift is how far the clock of a node may be from its database's. Until when an
// attempt may be sent is on record by the clock of its node, and another one judges by its
// own whether that has passed.
const maxDrift = 2 * time.Second

// Apart is how far the clocks of two nodes may be apart that share the database; 0 where
// there is one node at most. A node whose clock is farther off makes no attempts.
func (l *Ledger) Apart() time.Duration {
	if l.store.dialect == postgres {
		return 2 * maxDrift
	}
	return 0
}

// timely is a fault where attempts are to begin and the clock of the node cannot be
// trusted for them. Here, in the commit that begins them, a machine that was asleep is
// found out before it has set its clock.
func (t *transaction) timely(ctx context.Context) (untimely, err error) {
	begins := false
	for _, it := range t.batch.items {
		begins = begins || it.turn != nil && len(it.turn.begins) > 0
	}
	if !begins || t.dialect != postgres {
		return nil, nil
	}
	var micro int64
	before := t.ledger.cfg.wall()
	err = t.each(ctx, "select (extract(epoch from clock_timestamp()) * 1000000)::bigint", nil, func(r Row) error { return r.Scan(&micro) })
	if off := drift(before, t.ledger.cfg.wall(), fromMicros(micro)); err == nil && off.Abs() > maxDrift {
		untimely = fault.New("ledger.Claim", fault.Unavailable, "", "the clock of this node is %s off the database's, and may be %s: nothing is sent before it is right", off.Round(time.Millisecond), maxDrift)
	}
	return untimely, err
}

// drift is how far a clock is ahead of another that was read between two looks at it, at
// least; below zero where it is behind.
func drift(before, after, other time.Time) time.Duration {
	switch before, after = before.Round(0), after.Round(0); {
	case other.Before(before):
		return before.Sub(other)
	case other.After(after):
		return after.Sub(other)
	}
	return 0
}
