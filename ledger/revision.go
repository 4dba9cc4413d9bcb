package ledger

import (
	"context"
	"time"

	"github.com/gapless/gapless/fault"
)

// Revision is a released state of the catalog, kept so that a later reader can
// see what mapped and judged an event.
type Revision struct {
	Digest   string
	Released time.Time
	Content  []byte // an archive, as the catalog packs it
}

// Release keeps a revision of the catalog; one that is known already changes nothing.
func (l *Ledger) Release(ctx context.Context, principal, digest string, content []byte) error {
	known := false
	err := l.each(ctx, "select 1 from revisions where digest = $1", []any{digest}, func(Row) error { known = true; return nil })
	if err != nil || known {
		return err
	}
	return l.act(ctx, Act{Principal: principal, Act: "release.activated", Subject: "revision/" + digest},
		func(ctx context.Context, s *session, at time.Time) error {
			return s.exec(ctx, "insert into revisions (digest, released, content) values ($1, $2, $3) on conflict do nothing", digest, micros(at), content)
		})
}

// RevisionOf reads a revision by its digest.
func (l *Ledger) RevisionOf(ctx context.Context, digest string) (Revision, error) {
	r := Revision{}
	err := l.each(ctx, "select digest, released, content from revisions where digest = $1", []any{digest}, func(row Row) error {
		var released int64
		err := row.Scan(&r.Digest, &released, &r.Content)
		r.Released = fromMicros(released)
		return err
	})
	if err == nil && r.Digest == "" {
		return r, fault.New("ledger.RevisionOf", fault.NotFound, "revision", "no revision %s is on record", digest)
	}
	return r, err
}

// NewestRevision is the revision that was released last.
func (l *Ledger) NewestRevision(ctx context.Context) (Revision, error) {
	digest := ""
	err := l.each(ctx, "select digest from revisions order by released desc limit 1", nil, func(row Row) error { return row.Scan(&digest) })
	if err == nil && digest == "" {
		return Revision{}, fault.New("ledger.NewestRevision", fault.NotFound, "revision", "no revision is on record")
	}
	if err != nil {
		return Revision{}, err
	}
	return l.RevisionOf(ctx, digest)
}
