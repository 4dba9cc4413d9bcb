package ledger

import (
	"context"
	"slices"
)

// A Sighting is the number of a document in a message that may tell of what the hub
// itself asked for. Where no step is known that the number was given to, the message
// states facts; when it is given to one later, those facts were an echo.
type Sighting struct{ System, Number string }

// wanted is the text that a Sighting is locked by.
func (s *Sighting) wanted() string { return "document:" + s.System + "/" + s.Number }

// sightings is what a Working knows of numbers of documents.
type sightings struct {
	given map[Sighting]bool     // numbers that steps were given
	seen  map[Sighting][]string // keys of the messages that told of numbers that no step had
}

func newSightings() sightings {
	return sightings{given: map[Sighting]bool{}, seen: map[Sighting][]string{}}
}

// Given tells whether a number was given to a step.
func (w *Working) Given(s Sighting) bool { return w.sightings.given[s] }

// Seen are the keys of the messages that told of a number before a step was given it.
func (w *Working) Seen(s Sighting) []string { return w.sightings.seen[s] }

// numbers are the numbers that a settlement gives to its step.
func (s *Settlement) numbers() []Sighting {
	all := make([]Sighting, len(s.Documents))
	for i, d := range s.Documents {
		all[i] = Sighting{s.System, d.Number}
	}
	return all
}

// sights are the numbers that an entry tells of or gives.
func (e *Entry) sights() []Sighting {
	var all []Sighting
	if e.Sighted != nil {
		all = append(all, *e.Sighted)
	}
	for i := range e.Settlements {
		all = append(all, e.Settlements[i].numbers()...)
	}
	return all
}

// loadSightings reads of the numbers that the batch tells of whether steps have them, and
// which messages told of them before.
func (t *transaction) loadSightings(ctx context.Context, _ *touched) error {
	asked := map[Sighting]bool{}
	var numbers []string
	for _, it := range t.batch.items {
		if it.entry == nil {
			continue
		}
		for _, s := range it.entry.sights() {
			asked[s] = true
			numbers = append(numbers, s.Number)
		}
	}
	slices.Sort(numbers)
	numbers = slices.Compact(numbers)
	err := t.in(ctx, "select system, number from documents where ", "number", numbers, func(r Row) error {
		var s Sighting
		err := r.Scan(&s.System, &s.Number)
		if asked[s] {
			t.w.sightings.given[s] = true
		}
		return err
	})
	if err != nil {
		return err
	}
	var systems []string
	for s := range asked {
		systems = append(systems, s.System)
	}
	slices.Sort(systems)
	if len(numbers) == 0 {
		return nil
	}
	query := "select system, number, message from sightings where " + t.dialect.isIn("system", "$1") + " and " + t.dialect.isIn("number", "$2") + " order by message"
	return t.each(ctx, query, []any{t.dialect.list(slices.Compact(systems)), t.dialect.list(numbers)}, func(r Row) error {
		var s Sighting
		var message string
		err := r.Scan(&s.System, &s.Number, &message)
		if asked[s] {
			t.w.sightings.seen[s] = append(t.w.sightings.seen[s], message)
		}
		return err
	})
}

// sight keeps what is known of numbers true when an entry is recorded.
func (t *transaction) sight(e *Entry, key string, recorded int64) {
	for i := range e.Settlements {
		for _, s := range e.Settlements[i].numbers() {
			t.w.sightings.given[s] = true
		}
	}
	if s := e.Sighted; s != nil && !slices.Contains(t.w.sightings.seen[*s], key) {
		t.w.sightings.seen[*s] = append(slices.Clip(t.w.sightings.seen[*s]), key)
		t.add(sightingsTable, []any{s.System, s.Number, key, recorded})
	}
}

// Sightings are the keys of the messages that told of a number of a system before a step
// was given it, and whose events stand in the feed of a plant.
func (l *Ledger) Sightings(ctx context.Context, plant string, s Sighting) ([]string, error) {
	var all []string
	err := l.each(ctx, "select message from sightings where system = $1 and number = $2 order by message", []any{s.System, s.Number}, func(r Row) error {
		var key string
		err := r.Scan(&key)
		all = append(all, key)
		return err
	})
	if err != nil {
		return nil, err
	}
	var here []string
	for _, key := range all {
		events, err := l.EventsOfMessage(ctx, key)
		if err != nil {
			return nil, err
		}
		if !slices.ContainsFunc(events, func(e StoredEvent) bool { return e.Plant != plant }) {
			here = append(here, key)
		}
	}
	return here, nil
}
