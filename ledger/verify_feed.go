package ledger

import (
	"context"
	"fmt"
	"slices"
)

// A stream reads the rows of one feed in order, one after the other.
type stream struct {
	ledger *Ledger
	walk   walk
	order  []int // where each column of the table stands in a row that was read
	page   []row
	ended  bool
}

// stream reads the rows of a feed up to a limit of the first column of the key.
func (v *verification) stream(t *table, plant string, limit int64, key ...string) *stream {
	columns, order := t.reading(key...)
	behind := make([]any, len(key))
	for i, name := range key {
		behind[i] = least
		if name == "key" {
			behind[i] = ""
		}
	}
	return &stream{ledger: v.ledger, order: order, walk: walk{
		columns: columns, from: t.name, where: "plant = $1 and " + key[0] + " <= $2", args: []any{plant, limit}, key: behind, limit: 1000,
	}}
}

// peek is the row at hand, in the order of the table's columns; nil at the end.
func (s *stream) peek(ctx context.Context) (row, error) {
	if len(s.page) == 0 && !s.ended {
		page, err := s.walk.next(ctx, s.ledger, nil)
		if err != nil {
			return nil, err
		}
		s.ended = page == nil
		for i, read := range page {
			page[i] = make(row, len(s.order))
			for c, place := range s.order {
				page[i][c] = read[place]
			}
		}
		s.page = page
	}
	if len(s.page) == 0 {
		return nil, nil
	}
	return s.page[0], nil
}

func (s *stream) skip() { s.page = s.page[1:] }

// upTo calls use for every row whose column is at most n.
func (s *stream) upTo(ctx context.Context, column int, n int64, use func(row) error) error {
	for {
		r, err := s.peek(ctx)
		if err != nil || r == nil || r.number(column) > n {
			return err
		}
		s.skip()
		if err := use(r); err != nil {
			return err
		}
	}
}

// place is where a column stands in the rows of a table.
func (t *table) place(name string) int {
	return slices.IndexFunc(t.columns, func(c column) bool { return c.name == name })
}

// Columns that the verification looks at.
var (
	messageLink = messagesTable.place("link")
	actLink     = actsTable.place("link")

	eventPosition  = eventsTable.place("position")
	eventRecorded  = eventsTable.place("recorded")
	eventKey       = eventsTable.place("key")
	eventStatement = eventsTable.place("statement")
	eventChange    = eventsTable.place("change")
	eventPrevious  = eventsTable.place("previous")
	eventDay       = eventsTable.place("day")
	eventShift     = eventsTable.place("shift")
	eventDerived   = eventsTable.place("derived")
	eventDisputed  = eventsTable.place("disputed")
	eventMessage   = eventsTable.place("message")

	factPosition = factsTable.place("position")

	auditLink     = auditTable.place("link")
	auditRecorded = auditTable.place("recorded")
	auditFirst    = auditTable.place("first")
	auditLast     = auditTable.place("last")
	auditRows     = auditTable.place("rows")
	auditDigest   = auditTable.place("digest")
	auditHash     = auditTable.place("hash")
)

// feedWalk reads one feed from its first link to where it ended when the
// verification began.
type feedWalk struct {
	*verification
	feed                          *feed
	messages, events, facts, acts *stream

	link, recorded, position int64 // of the link before, with the position where it ends
	hash                     string
	seen, when               int64 // position and time of the event before
}

func (v *verification) verifyFeeds(ctx context.Context) error {
	for _, plant := range sortedKeys(v.feeds) {
		f := v.feeds[plant]
		w := &feedWalk{
			verification: v, feed: f,
			messages: v.stream(messagesTable, plant, f.link, "link", "n", "key", "version", "recorded"),
			events:   v.stream(eventsTable, plant, f.last, "position", "recorded"),
			facts:    v.stream(factsTable, plant, f.last, "position", "n", "recorded"),
			acts:     v.stream(actsTable, plant, f.link, "link", "n"),
		}
		links := v.stream(auditTable, plant, f.link, "link")
		err := links.upTo(ctx, auditLink, f.link, func(r row) error { return w.verifyLink(ctx, r) })
		if err == nil {
			err = w.end(ctx)
		}
		if err != nil {
			return fmt.Errorf("feed of %q: %w", plant, err)
		}
	}
	return v.lookUpMessages(ctx)
}

// verifyLink takes the rows of one link from all tables and compares its digests.
func (w *feedWalk) verifyLink(ctx context.Context, r row) error {
	audit := &w.checks[checkAudit]
	plant, link, last := w.feed.plant, r.number(auditLink), r.number(auditLast)
	audit.Looked++
	if link != w.link+1 {
		audit.find("feed of %q: links %d to %d are missing", plant, w.link+1, link-1)
	}
	if r.number(auditRecorded) <= w.recorded {
		w.checks[checkTimes].find("feed of %q: link %d is recorded no later than the one before", plant, link)
	}
	var sum linkSum
	before, count := w.position, int64(0)
	err := w.messages.upTo(ctx, messageLink, link, func(m row) error {
		count++
		sum.message(m)
		w.belongs("message", m.number(messageLink), link)
		return nil
	})
	if err == nil {
		err = w.events.upTo(ctx, eventPosition, last, func(e row) error {
			count++
			facts, err := w.verifyEvent(ctx, e)
			sum.event(e, facts)
			return err
		})
	}
	if err == nil {
		err = w.acts.upTo(ctx, actLink, link, func(a row) error {
			count++
			sum.act(a)
			w.belongs("act", a.number(actLink), link)
			return nil
		})
	}
	if err != nil {
		return err
	}
	if count != r.number(auditRows) {
		audit.find("feed of %q: link %d has %d rows, %d are on record", plant, link, r.number(auditRows), count)
	}
	if first := r.number(auditFirst); first != 0 && first != before+1 || first == 0 && last != before {
		audit.find("feed of %q: link %d has positions %d to %d, the one before ends at %d", plant, link, first, last, before)
	}
	if digest := sum.digest(); digest != r.text(auditDigest) {
		audit.find("feed of %q: link %d was altered: the digest of its messages, events, facts and acts is another", plant, link)
	}
	hash := linkHash(w.hash, plant, link, r.number(auditRecorded), r.number(auditFirst), last, r.number(auditRows), r.text(auditDigest))
	if hash != r.text(auditHash) {
		audit.find("feed of %q: link %d does not follow from the one before: its hash is another", plant, link)
	}
	w.link, w.recorded, w.position, w.hash = link, r.number(auditRecorded), last, r.text(auditHash)
	w.progress(count)
	return nil
}

func (w *feedWalk) belongs(what string, has, link int64) {
	if has != link {
		w.checks[checkAudit].find("feed of %q: %s of link %d, which is not on record", w.feed.plant, what, has)
	}
}

// end compares the feed's own row with its last link, and finds rows behind it.
func (w *feedWalk) end(ctx context.Context) error {
	audit, f := &w.checks[checkAudit], w.feed
	if w.link != f.link || w.hash != f.head {
		audit.find("feed of %q: the feed ends with link %d, the chain with link %d or another hash", f.plant, f.link, w.link)
	}
	if w.recorded != f.recorded {
		w.checks[checkTimes].find("feed of %q: the feed's time is not that of its last link", f.plant)
	}
	if w.position != f.last {
		w.checks[checkPositions].find("feed of %q: the feed ends at position %d, its last link at %d", f.plant, f.last, w.position)
	}
	for _, s := range []*stream{w.messages, w.events, w.facts, w.acts} {
		rest := 0
		if err := s.upTo(ctx, 0, 1<<62, func(row) error { rest++; return nil }); err != nil {
			return err
		}
		if rest > 0 {
			audit.find("feed of %q: %d rows of %s belong to no link", f.plant, rest, s.walk.from)
		}
	}
	return nil
}

// verifyEvent checks one event with its facts, and gives the facts for the digest.
func (w *feedWalk) verifyEvent(ctx context.Context, e row) (facts [][]any, err error) {
	position, plant := e.number(eventPosition), w.feed.plant
	positions, times := &w.checks[checkPositions], &w.checks[checkTimes]
	positions.Looked++
	times.Looked++
	switch {
	case position == w.seen+1:
	case position <= w.seen:
		positions.find("feed of %q: position %d is there twice", plant, position)
	default:
		positions.find("feed of %q: positions %d to %d are missing", plant, w.seen+1, position-1)
	}
	if e.number(eventRecorded) <= w.when {
		times.find("feed of %q: position %d is recorded no later than the one before", plant, position)
	}
	w.seen, w.when = position, e.number(eventRecorded)
	err = w.facts.upTo(ctx, factPosition, position, func(f row) error {
		if f.number(factPosition) != position {
			w.checks[checkFacts].find("feed of %q: a fact of position %d, where no event is", plant, f.number(factPosition))
			return nil
		}
		facts = append(facts, f)
		return nil
	})
	if err != nil {
		return nil, err
	}
	previous, err := w.verifyChain(ctx, e)
	if err != nil {
		return nil, err
	}
	w.verifyFacts(e, previous, facts)
	if err := w.noteIndexes(e); err != nil {
		w.checks[checkIndexes].find("feed of %q: position %d: %v", plant, position, err)
	}
	return facts, w.noteMessage(ctx, e)
}
