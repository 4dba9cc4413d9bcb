package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/gapless/gapless/event"
)

// before is the statement that another corrects or reverses, as far as that matters.
type before struct {
	found              bool
	key                string
	statement          int64
	day, shift         string
	disputed, position int64
	facts              []row // its own, not those that it took back
}

// verifyChain checks that a statement follows from the one before it.
func (w *feedWalk) verifyChain(ctx context.Context, e row) (before, error) {
	c, key, statement, change := &w.checks[checkStatements], e.text(eventKey), e.number(eventStatement), event.Change(e.text(eventChange))
	position, previous := e.number(eventPosition), e.number(eventPrevious)
	if statement < 1 || (statement == 1) != (previous == 0) || (statement == 1) != (change == event.First) {
		c.find("feed of %q: position %d is statement %d (%q) of %s with the one before at %d", w.feed.plant, position, statement, change, key, previous)
	}
	if previous == 0 {
		return before{}, nil
	}
	b, err := w.readBefore(ctx, previous)
	if err != nil {
		return b, err
	}
	if !b.found || b.key != key || b.statement != statement-1 || previous >= position {
		c.find("feed of %q: position %d is statement %d of %s, but position %d is not the one before", w.feed.plant, position, statement, key, previous)
	}
	return b, nil
}

// readBefore reads an event and its own facts by position.
func (w *feedWalk) readBefore(ctx context.Context, position int64) (before, error) {
	b := before{position: position}
	columns, _ := factsTable.reading()
	query := fmt.Sprintf("select %s from facts where plant = $1 and position = $2 and sign = 1 order by n", columnList(columns))
	err := w.ledger.Read(ctx, func(ctx context.Context, r *Reader) error {
		events, err := r.rows(ctx, "select key, statement, day, shift, disputed from events where plant = $1 and position = $2", []any{w.feed.plant, position}, 5)
		if err != nil || len(events) != 1 {
			return err
		}
		e := events[0]
		b.found, b.key, b.statement, b.day, b.shift, b.disputed = true, e.text(0), e.number(1), e.text(2), e.text(3), e.number(4)
		b.facts, err = r.rows(ctx, query, []any{w.feed.plant, position}, len(columns))
		return err
	})
	return b, err
}

// verifyFacts checks that a statement takes back exactly what the one before said,
// and that its own facts are of this event. So any sum over facts is the sum over
// the statements in effect.
func (w *feedWalk) verifyFacts(e row, b before, facts [][]any) {
	c := &w.checks[checkFacts]
	find := func(n int, format string, args ...any) {
		c.find("feed of %q: position %d, fact %d: %s", w.feed.plant, e.number(eventPosition), n, fmt.Sprintf(format, args...))
	}
	c.Looked += int64(len(facts))
	for n, values := range facts {
		f := row(values)
		if f.number(factN) != int64(n) || f.text(factKey) != e.text(eventKey) || f.number(factRecorded) != e.number(eventRecorded) || f.number(factVersion) != FactVersion {
			find(n, "number, key, time or version is not that of its event")
		}
		if n < len(b.facts) {
			if name := takesBack(f, b.facts[n], &b); name != "" {
				find(n, "does not take back what position %d said: %s", b.position, name)
			}
			continue
		}
		if e.text(eventChange) == string(event.Reversal) || f.number(factSign) != 1 {
			find(n, "takes back what was never said, or counts for a reversal")
		}
		if f.text(factDay) != e.text(eventDay) || f.text(factShift) != e.text(eventShift) || f.number(factDisputed) != e.number(eventDisputed) {
			find(n, "day, shift or dispute is not that of its event")
		}
		if err := scaledRight(f); err != nil {
			find(n, "%v", err)
		}
	}
	if len(facts) < len(b.facts) {
		find(len(facts), "%d facts of position %d are not taken back", len(b.facts)-len(facts), b.position)
	}
}

// Columns of facts that the verification looks at.
var (
	factN         = factsTable.place("n")
	factKey       = factsTable.place("key")
	factRecorded  = factsTable.place("recorded")
	factVersion   = factsTable.place("version")
	factSign      = factsTable.place("sign")
	factDay       = factsTable.place("day")
	factShift     = factsTable.place("shift")
	factBaseValue = factsTable.place("base_value")
	factScaled    = factsTable.place("scaled")
	factResidue   = factsTable.place("residue")
	factDisputed  = factsTable.place("disputed")

	factNegated = []int{factsTable.place("value"), factBaseValue, factResidue}
	factSame    = []int{
		factsTable.place("measure"), factsTable.place("material"), factsTable.place("lot"), factsTable.place("order_ref"), factsTable.place("operation"),
		factsTable.place("work_center"), factsTable.place("equipment"), factsTable.place("reason"), factDay, factShift,
		factsTable.place("unit"), factsTable.place("base_unit"), factsTable.place("factor"),
	}
)

// takesBack names the column by which a fact is not the exact negative of another.
func takesBack(f, of row, b *before) string {
	if f.number(factSign) != -1 {
		return "sign"
	}
	for _, i := range factSame {
		if f.text(i) != of.text(i) {
			return factsTable.columns[i].name
		}
	}
	for _, i := range factNegated {
		if !opposite(f.text(i), of.text(i)) {
			return factsTable.columns[i].name
		}
	}
	if f.number(factScaled) != -of.number(factScaled) {
		return "scaled"
	}
	if f.number(factDisputed) != b.disputed {
		return "disputed"
	}
	return ""
}

func opposite(a, b string) bool {
	if a == "" || b == "" {
		return a == b
	}
	x, err := event.ParseDecimal(a)
	if err != nil {
		return false
	}
	y, err := event.ParseDecimal(b)
	return err == nil && x.Add(y).IsZero()
}

// scaledRight tells whether the millionths and the residue are those of the base value.
func scaledRight(f row) error {
	base, err := event.ParseDecimal(f.text(factBaseValue))
	if err != nil {
		return fmt.Errorf("base_value: %w", err)
	}
	scaled, residue, err := base.Scaled(FactDigits)
	if err != nil {
		return fmt.Errorf("base_value: %w", err)
	}
	rest := ""
	if !residue.IsZero() {
		rest = residue.String()
	}
	if scaled != f.number(factScaled) || rest != f.text(factResidue) {
		return fmt.Errorf("scaled and residue are not those of base_value %s", f.text(factBaseValue))
	}
	return nil
}

// parseDerived reads what was read out of an event's data.
func parseDerived(b []byte) (derived, error) {
	var d derived
	if err := json.Unmarshal(b, &d); err != nil {
		return d, fmt.Errorf("derived: %w", err)
	}
	return d, nil
}

// noteIndexes counts the rows of histories and relations that an event calls for.
func (w *feedWalk) noteIndexes(e row) error {
	d, err := parseDerived(e.bytes(eventDerived))
	if err != nil {
		return err
	}
	for _, ref := range d.Folds {
		if !slices.Contains(d.Refs, ref) {
			return fmt.Errorf("it counts for the state of %s, which it does not name", ref)
		}
	}
	w.histories += int64(len(d.Refs))
	if e.text(eventChange) != string(event.Reversal) {
		distinct := map[event.Relation]bool{}
		for _, r := range d.Relations {
			distinct[r] = true
		}
		w.relations += int64(len(distinct))
	}
	return nil
}

// noteMessage keeps in mind which message made an event, and looks messages up in
// bulk.
func (w *feedWalk) noteMessage(ctx context.Context, e row) error {
	id := e.text(eventMessage)
	w.messagesOf[id] = append(w.messagesOf[id], place{w.feed.plant, e.number(eventPosition)})
	if len(w.messagesOf) < 500 {
		return nil
	}
	return w.lookUpMessages(ctx)
}

// lookUpMessages checks that the messages of events are kept. One that was held
// may stand in another feed: of no plant, where its own was not in the catalog yet.
func (v *verification) lookUpMessages(ctx context.Context) error {
	c := &v.checks[checkMessages]
	var keys []string
	for id := range v.messagesOf {
		if key, _, err := event.ParseStatementID(id); err == nil {
			keys = append(keys, key)
		}
	}
	kept := map[string]bool{}
	err := v.ledger.Read(ctx, func(ctx context.Context, r *Reader) error {
		in, arg := r.In("key", "$1", keys)
		rows, err := r.rows(ctx, "select key, version from messages where "+in, []any{arg}, 2)
		for _, m := range rows {
			kept[event.StatementID(m.text(0), int(m.number(1)))] = true
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, id := range sortedKeys(v.messagesOf) {
		for _, p := range v.messagesOf[id] {
			c.Looked++
			if !kept[id] {
				c.find("feed of %q: position %d comes from message %s, which is not kept", p.plant, p.position, id)
			}
		}
	}
	clear(v.messagesOf)
	return nil
}
