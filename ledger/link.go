package ledger

import "context"

// closeLinks ends the audit link of each feed that this commit adds to, and moves
// the feed's row.
func (t *transaction) closeLinks(ctx context.Context) error {
	for _, plant := range sortedKeys(t.feeds) {
		f := t.feeds[plant]
		if f.rows == 0 {
			continue
		}
		f.link++
		digest := f.sum.digest()
		f.head = linkHash(f.head, plant, f.link, f.recorded, f.first, f.last, f.rows, digest)
		t.add(auditTable, []any{plant, f.link, f.recorded, f.first, f.last, f.rows, digest, f.head, t.batch.id})
		if err := t.exec(ctx, "update feeds set last = $1, recorded = $2, link = $3, head = $4 where plant = $5",
			f.last, f.recorded, f.link, f.head, plant); err != nil {
			return err
		}
	}
	return nil
}
