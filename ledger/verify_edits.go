package ledger

import (
	"context"

	"github.com/gapless/gapless/event"
)

// verifyEdits checks that edited content was signed for and stands beside what it was made
// of, and that what a source was asked is awaited as long as it is open.
func (v *verification) verifyEdits(ctx context.Context) error {
	for _, check := range []func(context.Context) error{v.verifyMadeEdits, v.verifyEditedVersions, v.verifyCorrections} {
		if err := check(ctx); err != nil {
			return err
		}
	}
	return nil
}

// verifyMadeEdits looks at every edit that has a version.
func (v *verification) verifyMadeEdits(ctx context.Context) error {
	c := &v.checks[checkEdits]
	w := &walk{
		columns: []string{
			"id", "message", "original", "version", "state", "changes", "digest", "author", "second", "why",
			"(select count(*) from messages m where m.key = edits.message and m.version = edits.original)",
			"(select count(*) from messages m where m.key = edits.message and m.version = edits.version and m.channel = '" + EditChannel + "')",
			"(select count(*) from edits o where o.message = edits.message and o.version = edits.version)",
			"(select i.effective from inbox i where i.key = edits.message)",
		},
		from: "edits", key: []any{""}, limit: 500,
	}
	signed := map[string][]string{} // details of acts by edited version
	use := func(ctx context.Context, r *Reader, page []row) error {
		clear(signed)
		var ids []string
		for _, x := range page {
			if version := int(x.number(3)); version > 0 {
				ids = append(ids, event.StatementID(x.text(1), version))
			}
		}
		if len(ids) == 0 {
			return nil
		}
		in, arg := r.In("subject", "$1", ids)
		acts, err := r.rows(ctx, "select subject, detail from acts where act = '"+actEdited+"' and "+in, []any{arg}, 2)
		for _, a := range acts {
			signed[a.text(0)] = append(signed[a.text(0)], a.text(1))
		}
		return err
	}
	return v.each(ctx, w, func(page []row) error {
		for _, x := range page {
			c.Looked++
			if x.number(3) > 0 {
				verifyMadeEdit(c, x, signed[event.StatementID(x.text(1), int(x.number(3)))])
			}
		}
		return nil
	}, use)
}

// verifyMadeEdit holds one edit against the act about its version, which is in the audit
// chain.
func verifyMadeEdit(c *CheckResult, x row, acts []string) {
	e := Edit{ID: x.text(0), Message: x.text(1), Original: int(x.number(2)), Version: int(x.number(3)), State: x.text(4), Digest: x.text(6), Why: x.text(9)}
	if err := e.read(x.text(5), x.text(7), x.text(8)); err != nil {
		c.find("what is on record of it cannot be read: %v", err)
		return
	}
	if x.number(10) != 1 {
		c.find("edit %s: the original, message %s, is not on record", e.ID, e.OriginalID())
	}
	if x.number(11) != 1 || x.number(12) != 1 {
		c.find("edit %s: of the edited version, message %s, there are %d, and %d edits", e.ID, e.VersionID(), x.number(11), x.number(12))
	}
	if e.State == EditOpen && x.number(13) != int64(e.Version) {
		c.find("edit %s: the difference is open, though version %d of message %s stands", e.ID, x.number(13), e.Message)
	}
	change := e.change()
	if said, err := change.text(); err != nil || len(acts) != 1 || acts[0] != said {
		c.find("message %s was edited, and no act says the same of it, or several do", e.VersionID())
		return
	}
	twice := e.Second != nil && e.Second.By != e.Author.By
	if len(e.Seconds()) > 0 && !twice {
		c.find("message %s was edited in a field of the record without the signature of a second person", e.VersionID())
	}
	if e.Author.Digest != e.Digest || twice && e.Second.Digest != e.Digest {
		c.find("message %s: what was signed is not what was edited", e.VersionID())
	}
}

// verifyEditedVersions finds versions that say that they were edited, of which no edit is
// on record.
func (v *verification) verifyEditedVersions(ctx context.Context) error {
	w := &walk{
		columns: []string{"m.key", "m.version", "e.id"}, key: []any{"", least}, limit: 1000,
		from: "messages m left join edits e on e.message = m.key and e.version = m.version", where: "m.channel = $1", args: []any{EditChannel},
	}
	return v.each(ctx, w, func(page []row) error {
		for _, m := range page {
			if m.absent(2) {
				v.checks[checkEdits].find("message %s says that it was edited, and no edit is on record", event.StatementID(m.text(0), int(m.number(1))))
			}
		}
		return nil
	}, nil)
}

// verifyCorrections checks that an open correction has a timer, or an open exception
// because it is late.
func (v *verification) verifyCorrections(ctx context.Context) error {
	w := &walk{
		columns: []string{"id", "state", "(select count(*) from timers t where t.kind = 'correction' and t.about = corrections.id)", lateOpen("corrections.id", aboutExpectation)},
		from:    "corrections", key: []any{""}, limit: 1000,
	}
	return v.each(ctx, w, func(page []row) error {
		for _, x := range page {
			v.checks[checkTimers].Looked++
			v.verifyAwaited("correction "+x.text(0), x.text(1) == CorrectionOpen, x.number(2), x.number(3))
		}
		return nil
	}, nil)
}
