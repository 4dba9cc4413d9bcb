package ledger

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// verifyEnds finds rows outside every feed: of a plant that has none, before its
// begin or behind its end. Each table is compared with the feeds of the same view.
func (v *verification) verifyEnds(ctx context.Context) error {
	for _, t := range []struct{ table, column, end string }{
		{"events", "position", "last"}, {"facts", "position", "last"}, {"messages", "link", "link"}, {"acts", "link", "link"}, {"audit", "link", "link"},
	} {
		err := v.ledger.Read(ctx, func(ctx context.Context, r *Reader) error {
			feeds, err := r.rows(ctx, "select plant, "+t.end+" from feeds", nil, 2)
			if err != nil {
				return err
			}
			ends := map[string]int64{}
			for _, f := range feeds {
				ends[f.text(0)] = f.number(1)
			}
			return v.verifyEndsOf(ctx, r, t.table, t.column, ends)
		})
		if err != nil {
			return fmt.Errorf("ends of %s: %w", t.table, err)
		}
	}
	return nil
}

// verifyEndsOf steps from plant to plant by the table's index.
func (v *verification) verifyEndsOf(ctx context.Context, r *Reader, table, column string, ends map[string]int64) error {
	c := &v.checks[checkAudit]
	next := fmt.Sprintf("select min(plant) from %s where plant > $1", table)
	query := fmt.Sprintf("select min(%s), max(%s) from %s where plant = $1", column, column, table)
	for plant, first := "", true; ; first = false {
		if !first {
			rows, err := r.rows(ctx, next, []any{plant}, 1)
			if err != nil || rows[0].absent(0) {
				return err
			}
			plant = rows[0].text(0)
		}
		rows, err := r.rows(ctx, query, []any{plant}, 2)
		if err != nil {
			return err
		}
		if found := rows[0]; !found.absent(0) && (found.number(0) < 1 || found.number(1) > ends[plant]) {
			c.find("feed of %q: %s has rows from %d to %d, the feed goes from 1 to %d", plant, table, found.number(0), found.number(1), ends[plant])
		}
	}
}

// verifyStatements checks that the newest statement of every key is the one that
// event_keys names, and that the chains account for every event: so none forks.
func (v *verification) verifyStatements(ctx context.Context) error {
	c, reached := &v.checks[checkStatements], int64(0)
	w := &walk{
		columns: []string{
			"k.key", "k.statement", "k.change", "k.plant", "k.position", "k.message", "e.key", "e.statement", "e.change", "e.message", "e.previous", "i.events",
		},
		from: `event_keys k left join events e on e.plant = k.plant and e.position = k.position and e.recorded = k.recorded
			left join inbox i on i.key = k.message`,
		key: []any{""}, limit: 1000,
	}
	err := v.each(ctx, w, func(page []row) error {
		for _, k := range page {
			c.Looked++
			key, _, err := event.ParseStatementID(k.text(9))
			if err != nil || k.text(6) != k.text(0) || k.number(7) != k.number(1) || k.text(8) != k.text(2) || key != k.text(5) {
				c.find("event key %s: its newest statement %d is not the event at %q/%d", k.text(0), k.number(1), k.text(3), k.number(4))
				continue
			}
			if k.absent(11) || !slices.Contains(strings.Fields(k.text(11)), k.text(0)) {
				c.find("event key %s: message %s does not list it among its events", k.text(0), k.text(5))
			}
			n, err := v.statementsWithin(ctx, k.text(3), k.number(4), k.number(1), k.number(10))
			if err != nil {
				return err
			}
			reached += n
		}
		return nil
	}, nil)
	if err != nil {
		return err
	}
	events := int64(0)
	for _, f := range v.feeds {
		events += f.last
	}
	if reached == events {
		return nil
	}
	c.find("the chains of all event keys have %d statements, the feeds %d events: a chain forks, or a key or an event is missing", reached, events)
	return v.locateStatements(ctx)
}

// statementsWithin is how many statements of a chain were on record when the
// verification began; newer ones are walked back. An event that names no older one as
// its previous, or one that is not there, ends the walk: the count tells.
func (v *verification) statementsWithin(ctx context.Context, plant string, position, statement, previous int64) (int64, error) {
	for !v.within(plant, position) {
		if previous == 0 || previous >= position {
			return 0, nil
		}
		position, previous, statement = previous, 0, statement-1
		err := v.ledger.each(ctx, "select previous from events where plant = $1 and position = $2", []any{plant, position}, func(r Row) error {
			return r.Scan(&previous)
		})
		if err != nil {
			return 0, err
		}
	}
	return statement, nil
}

// locateStatements names the events that no key leads to.
func (v *verification) locateStatements(ctx context.Context) error {
	for _, plant := range sortedKeys(v.feeds) {
		w := &walk{
			columns: []string{"e.position", "e.recorded", "e.key", "e.statement", "k.statement", "k.position"},
			from:    "events e left join event_keys k on k.key = e.key",
			where:   "e.plant = $1 and e.position <= $2", args: []any{plant, v.feeds[plant].last}, key: []any{least, least}, limit: 1000,
		}
		err := v.each(ctx, w, func(page []row) error {
			for _, e := range page {
				newer, same := e.number(4) > e.number(3), e.number(4) == e.number(3) && e.number(5) == e.number(0)
				if e.absent(4) || !newer && !same {
					v.checks[checkStatements].find("feed of %q: position %d is statement %d of %s, which event_keys does not lead to", plant, e.number(0), e.number(3), e.text(2))
				}
			}
			return nil
		}, nil)
		if err != nil {
			return err
		}
	}
	return nil
}

// verifyHistories checks that every row of an object's history is called for by its
// event, and that there are as many as the events call for.
func (v *verification) verifyHistories(ctx context.Context) error {
	c, within := &v.checks[checkIndexes], int64(0)
	w := &walk{
		columns: []string{"o.ref", "o.plant", "o.position", "o.type", "o.folds", "e.type", "e.derived", "s.ref"},
		from: `object_events o left join events e on e.plant = o.plant and e.position = o.position and e.recorded = o.recorded
			left join objects s on s.ref = o.ref`,
		key: []any{"", "", least}, limit: 1000,
	}
	var stateless event.Ref
	err := v.each(ctx, w, func(page []row) error {
		for _, o := range page {
			c.Looked++
			d, err := parseDerived(o.bytes(6))
			ref := event.Ref(o.text(0))
			if err != nil || o.text(3) != o.text(5) || !slices.Contains(d.Refs, ref) || slices.Contains(d.Folds, ref) != (o.number(4) == 1) {
				c.find("the history of %s names the event at %q/%d, which says otherwise", ref, o.text(1), o.number(2))
			}
			if v.within(o.text(1), o.number(2)) {
				within++
			}
			if o.number(4) == 1 && o.absent(7) && ref != stateless {
				stateless = ref
				if err := v.verifyStateless(ctx, ref); err != nil {
					return err
				}
			}
		}
		return nil
	}, nil)
	if err == nil && within != v.histories {
		c.find("histories of objects have %d rows, the events call for %d", within, v.histories)
	}
	return err
}

// verifyRelations is verifyHistories for relations.
func (v *verification) verifyRelations(ctx context.Context) error {
	c, within := &v.checks[checkIndexes], int64(0)
	w := &walk{
		columns: []string{"r.from_ref", "r.kind", "r.to_ref", "r.key", "r.position", "r.plant", "e.key", "e.change", "e.derived"},
		from:    "relations r left join events e on e.plant = r.plant and e.position = r.position",
		key:     []any{"", "", "", "", least}, limit: 1000,
	}
	err := v.each(ctx, w, func(page []row) error {
		for _, r := range page {
			c.Looked++
			d, err := parseDerived(r.bytes(8))
			relation := event.Relation{Kind: r.text(1), From: event.Ref(r.text(0)), To: event.Ref(r.text(2))}
			if err != nil || r.text(3) != r.text(6) || r.text(7) == string(event.Reversal) || !slices.Contains(d.Relations, relation) {
				c.find("the event at %q/%d does not state that %s relates (%s) to %s", r.text(5), r.number(4), relation.From, relation.Kind, relation.To)
			}
			if v.within(r.text(5), r.number(4)) {
				within++
			}
		}
		return nil
	}, nil)
	if err == nil && within != v.relations {
		c.find("there are %d relations, the events call for %d", within, v.relations)
	}
	return err
}

// verifyInbox checks that every message id stands for a kept version with the same
// content, and that what is held has an open exception.
func (v *verification) verifyInbox(ctx context.Context) error {
	c := &v.checks[checkInbox]
	w := &walk{
		columns: []string{"i.key", "i.state", "i.version", "i.effective", "i.digest", "m.digest", "x.state"},
		from: `inbox i left join messages m on m.key = i.key and m.version = i.version
			left join exceptions x on x.message = i.key and x.version = i.version and x.about = 'message'`,
		key: []any{""}, limit: 1000,
	}
	return v.each(ctx, w, func(page []row) error {
		for _, i := range page {
			c.Looked++
			id, held, open := event.StatementID(i.text(0), int(i.number(2))), i.text(1) == "held", i.text(6) == "open"
			if i.text(4) != i.text(5) || i.absent(5) {
				c.find("message %s: the inbox names content that is not kept", id)
			}
			if waived := held && i.text(6) == DeskWaived; held != open && !waived {
				c.find("message %s is %s, but its exception is %q", id, i.text(1), i.text(6))
			}
			if !held && i.number(3) != i.number(2) || i.number(3) > i.number(2) || i.number(3) < 0 {
				c.find("message %s is %s, but version %d stands", id, i.text(1), i.number(3))
			}
		}
		return nil
	}, nil)
}

// verifyExceptions checks that every open exception is about a held message, or
// about content that was refused as a conflict.
func (v *verification) verifyExceptions(ctx context.Context) error {
	c := &v.checks[checkInbox]
	w := &walk{
		columns: []string{
			"x.message", "x.version", "x.state", "x.reason", "x.ended", "i.state", "i.version", "m.key", "x.class",
			"(select count(*) from waits w where w.message = x.message and w.version = x.version)",
			"(select count(*) from acts a where a.act = 'exception.waived' and a.subject = case when x.version > 1 then x.message || '.' || x.version else x.message end)",
		},
		from: `exceptions x left join inbox i on i.key = x.message
			left join messages m on m.key = x.message and m.version = x.version`,
		where: "x.about = $1", args: []any{"message"},
		key: []any{"", least}, limit: 1000,
	}
	return v.each(ctx, w, func(page []row) error {
		for _, x := range page {
			c.Looked++
			id, open := event.StatementID(x.text(0), int(x.number(1))), x.text(2) == "open"
			held := x.text(5) == "held" && x.number(6) == x.number(1)
			conflict := x.text(3) == fault.IdentityConflict.Code && !x.absent(5) && x.number(6) != x.number(1)
			if x.absent(7) {
				c.find("exception of message %s: the message is not kept", id)
			}
			if open && !held && !conflict {
				c.find("exception of message %s is open, but the message is not held", id)
			}
			if open != (x.number(4) == 0) {
				c.find("exception of message %s is %s, but its end says otherwise", id, x.text(2))
			}
			if waived := x.text(2) == DeskWaived; waived != (x.number(10) > 0) {
				c.find("exception of message %s is %s, and %d acts on record waive it", id, x.text(2), x.number(10))
			}
			if open && x.text(8) == string(fault.Heals) && x.number(9) == 0 {
				v.checks[checkWaits].find("message %s would go on by itself, but waits for nothing", id)
			}
		}
		return nil
	}, nil)
}

// verifyWaits checks that only open exceptions wait.
func (v *verification) verifyWaits(ctx context.Context) error {
	c := &v.checks[checkWaits]
	w := &walk{
		columns: []string{"w.wanted", "w.message", "w.version", "x.state"},
		from:    "waits w left join exceptions x on x.message = w.message and x.version = w.version",
		key:     []any{"", "", least}, limit: 1000,
	}
	return v.each(ctx, w, func(page []row) error {
		for _, x := range page {
			c.Looked++
			if x.text(3) != "open" {
				c.find("message %s waits for %s, but has no open exception", event.StatementID(x.text(1), int(x.number(2))), x.text(0))
			}
		}
		return nil
	}, nil)
}

// verifyMasterData checks that what is known of objects and identifiers comes from
// an event on record.
func (v *verification) verifyMasterData(ctx context.Context) error {
	reference := &walk{columns: []string{"ref", "plant", "valid_from", "recorded", "event"}, from: "reference", key: []any{"", "", least, least}, limit: 1000}
	crossReferences := &walk{
		columns: []string{"system", "kind", "id", "valid_from", "recorded", "event"}, from: "cross_references", key: []any{"", "", "", least, least}, limit: 1000,
	}
	for _, w := range []*walk{reference, crossReferences} {
		version := len(w.columns) - 1
		var statements map[string]int64
		use := func(ctx context.Context, r *Reader, page []row) error {
			var keys []string
			for _, m := range page {
				if key, _, err := event.ParseStatementID(m.text(version)); err == nil {
					keys = append(keys, key)
				}
			}
			statements = map[string]int64{}
			in, arg := r.In("key", "$1", keys)
			rows, err := r.rows(ctx, "select key, statement from event_keys where "+in, []any{arg}, 2)
			for _, k := range rows {
				statements[k.text(0)] = k.number(1)
			}
			return err
		}
		err := v.each(ctx, w, func(page []row) error {
			for _, m := range page {
				v.checks[checkMasterData].Looked++
				key, n, err := event.ParseStatementID(m.text(version))
				catalog := w == crossReferences && m.text(version) == ""
				if !catalog && (err != nil || statements[key] < int64(n)) {
					v.checks[checkMasterData].find("%s of %s %s %s comes from event %s, which is not on record", w.from, m.text(0), m.text(1), m.text(2), m.text(version))
				}
			}
			return nil
		}, use)
		if err != nil {
			return err
		}
	}
	return nil
}

// verifyContents checks that raw content matches its salted digest, and that content
// is missing only where its erasure is on record.
func (v *verification) verifyContents(ctx context.Context) error {
	c := &v.checks[checkContents]
	w := &walk{
		columns: []string{"m.key", "m.version", "m.recorded", "m.content", "c.salt", "c.body", "i.key"},
		from:    "messages m left join contents c on c.recorded = m.recorded and c.key = m.key left join inbox i on i.key = m.key",
		key:     []any{"", least, least}, limit: 128,
		shrink: func(m row) { // contents are large: the comparison is all that is needed
			m[5] = flag(contentDigest(m.bytes(4), m.bytes(5)) == m.text(3))
		},
	}
	erased := map[string]bool{}
	use := func(ctx context.Context, r *Reader, page []row) error {
		var gone []string
		for _, m := range page {
			if m.absent(4) {
				gone = append(gone, event.StatementID(m.text(0), int(m.number(1))))
			}
		}
		clear(erased)
		if len(gone) == 0 {
			return nil
		}
		in, arg := r.In("subject", "$1", gone)
		rows, err := r.rows(ctx, "select subject from acts where act = '"+contentErased+"' and "+in, []any{arg}, 1)
		for _, a := range rows {
			erased[a.text(0)] = true
		}
		return err
	}
	return v.each(ctx, w, func(page []row) error {
		for _, m := range page {
			c.Looked++
			id := event.StatementID(m.text(0), int(m.number(1)))
			switch {
			case m.absent(4) && !erased[id]:
				c.find("message %s: the content is missing, and no erasure is on record", id)
			case !m.absent(4) && m.number(5) == 0:
				c.find("message %s: the content was altered: its salted digest is another", id)
			}
			if m.absent(6) {
				v.checks[checkInbox].find("message %s is kept, but the inbox does not know its id", id)
			}
		}
		return nil
	}, use)
}

// verifyStrayContents finds content of no message.
func (v *verification) verifyStrayContents(ctx context.Context) error {
	w := &walk{
		columns: []string{"c.recorded", "c.key", "c.version", "m.key"},
		from:    "contents c left join messages m on m.key = c.key and m.version = c.version and m.recorded = c.recorded",
		key:     []any{least, ""}, limit: 1000,
	}
	return v.each(ctx, w, func(page []row) error {
		for _, x := range page {
			if x.absent(3) {
				v.checks[checkContents].find("content of message %s, which is not on record", event.StatementID(x.text(1), int(x.number(2))))
			}
		}
		return nil
	}, nil)
}

// verifyObjects folds the events in effect of every object again.
func (v *verification) verifyObjects(ctx context.Context) error {
	if v.options.Refold == nil {
		return nil
	}
	c := &v.checks[checkObjects]
	w := &walk{columns: []string{"ref", "kind", "state", "ordering"}, from: "objects", key: []any{""}, limit: 200}
	var histories map[string][]Folded
	use := func(ctx context.Context, r *Reader, page []row) error {
		histories = map[string][]Folded{}
		var refs []string
		for _, o := range page {
			refs = append(refs, o.text(0))
		}
		in, arg := r.In("o.ref", "$1", refs)
		query := "select " + historyColumns + ", o.ref" + historyJoins + " where " + in + " and o.folds = 1 order by o.ref, e.recorded, e.position"
		return r.Query(ctx, query, []any{arg}, func(s Row) error {
			var ref string
			h, err := scanFolded(s, &ref)
			histories[ref] = append(histories[ref], h)
			return err
		})
	}
	return v.each(ctx, w, func(page []row) error {
		for _, o := range page {
			c.Looked++
			v.verifyObject(o, histories[o.text(0)])
		}
		return nil
	}, use)
}

func (v *verification) verifyObject(o row, history []Folded) {
	c, ref := &v.checks[checkObjects], event.Ref(o.text(0))
	state, ordering, ok := v.options.Refold(ref.Kind(), history)
	switch {
	case o.text(1) != ref.Kind():
		c.find("%s stands as a %s", ref, o.text(1))
	case !ok:
		c.find("%s has a state, but its kind has no lifecycle", ref)
	case !bytes.Equal(canonicalState(state), o.bytes(2)):
		c.find("%s: its events give %s, not %s", ref, canonicalState(state), o.bytes(2))
	case ordering != o.text(3):
		c.find("%s: its events end at %q, not %q", ref, ordering, o.text(3))
	}
}

// verifyStateless looks at an object without a state for which events count: right
// only where its kind has no lifecycle.
func (v *verification) verifyStateless(ctx context.Context, ref event.Ref) error {
	if v.options.Refold == nil {
		return nil
	}
	var history []Folded
	err := v.ledger.each(ctx, historyQuery, []any{string(ref)}, func(r Row) error {
		h, err := scanFolded(r)
		history = append(history, h)
		return err
	})
	if _, _, ok := v.options.Refold(ref.Kind(), history); err == nil && ok {
		v.checks[checkObjects].find("%s has no state, though events count for it", ref)
	}
	return err
}

// verifyAgainst compares the chains with checkpoints that were kept elsewhere.
func (v *verification) verifyAgainst(ctx context.Context) error {
	c := &v.checks[checkCheckpoints]
	for _, p := range v.options.Against {
		if p.Origin != v.ledger.cfg.Name {
			c.find("the checkpoint is of ledger %q, this one is %q", p.Origin, v.ledger.cfg.Name)
			continue
		}
		for _, f := range p.Feeds {
			c.Looked++
			var last int64
			hash := ""
			err := v.ledger.each(ctx, "select last, hash from audit where plant = $1 and link = $2", []any{f.Plant, f.Link}, func(r Row) error {
				return r.Scan(&last, &hash)
			})
			switch {
			case err != nil:
				return err
			case hash == "":
				c.find("feed of %q: link %d of the checkpoint is not on record: the ledger ends before it", f.Plant, f.Link)
			case hash != f.Hash || last != f.Last:
				c.find("feed of %q: link %d is not the one of the checkpoint: what is on record up to position %d was made anew", f.Plant, f.Link, f.Last)
			}
		}
	}
	return nil
}
