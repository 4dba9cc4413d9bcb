package ledger

// closeLinks ends the audit link of each feed that this commit adds to, and moves
// the feed's row.
func (t *transaction) closeLinks() {
	for _, plant := range sortedKeys(t.feeds) {
		f := t.feeds[plant]
		if f.rows == 0 {
			continue
		}
		f.link++
		digest := f.sum.digest()
		f.head = linkHash(f.head, plant, f.link, f.recorded, f.first, f.last, f.rows, digest)
		t.add(auditTable, []any{plant, f.link, f.recorded, f.first, f.last, f.rows, digest, f.head, t.batch.id})
		t.add(feedsTable, []any{plant, f.epoch, f.last, f.recorded, f.link, f.head})
	}
}
