package ledger

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gapless/gapless/event"
)

// derived is the column of an event that says what was read out of its data and
// what the policies said of it.
type derived struct {
	Refs      []event.Ref      `json:"refs"`
	Folds     []event.Ref      `json:"folds,omitempty"`
	Relations []event.Relation `json:"relations,omitempty"`
	Verdicts  []Verdict        `json:"verdicts,omitempty"`
	Edited    bool             `json:"edited,omitempty"`
}

// eventRow is a draft with its place in the feed as a row of events.
func eventRow(d *Draft, previous, link int64) ([]any, error) {
	data := []byte(d.Written)
	if data == nil {
		var err error
		if data, err = event.Canonical(d.Data); err != nil {
			return nil, fmt.Errorf("ledger.eventRow: data: %w", err)
		}
	}
	more := derived{Refs: d.Refs, Relations: d.Relations, Verdicts: d.Verdicts, Edited: d.Edited}
	for _, f := range d.Folds {
		more.Folds = append(more.Folds, f.Ref)
	}
	rest, err := json.Marshal(more)
	if err != nil {
		return nil, fmt.Errorf("ledger.eventRow: %w", err)
	}
	_, zone := d.Occurred.From.Zone()
	return []any{
		d.Plant, d.Position, micros(d.Recorded), d.Key, int64(d.Statement), string(d.Change), previous, d.Type, int64(d.Version),
		d.System, d.Identity, d.Slot, string(d.Subject), micros(d.Occurred.From), micros(d.Occurred.To), int64(zone / 60),
		d.Day, d.Shift, d.Sequence, d.Correlation, d.Causation, d.Order(), data, rest, flag(d.Disputed),
		d.Message, d.Mapping, d.Revision, link,
	}, nil
}

// factRows are the facts of a statement: first those of the statement before,
// taken back, then its own.
func factRows(d *Draft, previous *Statement, at int64) ([][]any, error) {
	var rows [][]any
	add := func(from *event.Event, facts []event.Fact, negative bool) error {
		for i := range facts {
			row, err := factRow(d.Plant, d.Position, int64(len(rows)), at, d.Key, from, &facts[i], from.Disputed, negative)
			if err != nil {
				return fmt.Errorf("fact %q: %w", facts[i].Measure, err)
			}
			rows = append(rows, row)
		}
		return nil
	}
	if d.Change != event.First {
		if err := add(&previous.Event, previous.Facts, true); err != nil {
			return nil, err
		}
	}
	if d.Change != event.Reversal {
		if err := add(&d.Event, d.Facts, false); err != nil {
			return nil, err
		}
	}
	return rows, nil
}

func referenceRow(r *Reference, version string, at int64, withdrawn bool) []any {
	body, err := event.Canonical(r.Body)
	if err != nil {
		body = []byte("{}") // the same data has just been written as the event's
	}
	return []any{string(r.Ref), r.Plant, micros(r.ValidFrom), at, micros(r.ValidTo), version, flag(withdrawn), body}
}

func crossReferenceRow(x *CrossReference, version string, at int64, withdrawn bool) []any {
	return []any{x.System, x.Kind, x.ID, micros(x.ValidFrom), at, micros(x.ValidTo), string(x.Ref), version, flag(withdrawn)}
}

// canonicalState is an object's state as a column.
func canonicalState(state map[string]any) []byte {
	b, err := event.Canonical(state)
	if err != nil {
		return []byte("{}") // states are made of texts by the fold
	}
	return b
}

// eventColumns are the columns that a stored event is read with, in the order
// of scanEvent.
const eventColumns = `e.plant, e.position, e.recorded, e.key, e.statement, e.change, e.type, e.version, e.system, e.identity, e.slot, e.subject,
	e.occurred_from, e.occurred_to, e.zone, e.day, e.shift, e.sequence, e.correlation, e.causation, e.data, e.derived, e.disputed,
	e.message, e.mapping, e.revision`

// unreadableError says that what is stored of an event was altered: it cannot be read.
type unreadableError struct {
	event, column string
	err           error
}

func (e unreadableError) Error() string {
	return fmt.Sprintf("event %s: %s: %v", e.event, e.column, e.err)
}
func (e unreadableError) Unwrap() error { return e.err }

// scanEvent reads one event; more are targets for columns behind eventColumns. It
// answers an unreadableError where the columns hold no event.
func scanEvent(r Row, more ...any) (Draft, error) {
	var (
		d                              Draft
		recorded, from, to, zone, flag int64
		change, subject                string
		data, rest                     []byte
	)
	targets := append([]any{
		&d.Plant, &d.Position, &recorded, &d.Key, &d.Statement, &change, &d.Type, &d.Version, &d.System, &d.Identity, &d.Slot, &subject,
		&from, &to, &zone, &d.Day, &d.Shift, &d.Sequence, &d.Correlation, &d.Causation, &data, &rest, &flag,
		&d.Message, &d.Mapping, &d.Revision,
	}, more...)
	if err := r.Scan(targets...); err != nil {
		return Draft{}, err
	}
	d.Recorded, d.Change, d.Subject, d.Disputed = fromMicros(recorded), event.Change(change), event.Ref(subject), flag != 0
	d.Occurred = event.Span{From: inZone(from, zone), To: inZone(to, zone)}
	var err error
	if d.Data, err = decodeObject(data); err != nil {
		return Draft{}, unreadableError{d.ID(), "data", err}
	}
	var more2 derived
	if err := json.Unmarshal(rest, &more2); err != nil {
		return Draft{}, unreadableError{d.ID(), "derived", err}
	}
	d.Refs, d.Relations, d.Verdicts, d.Edited = more2.Refs, more2.Relations, more2.Verdicts, more2.Edited
	for _, ref := range more2.Folds {
		d.Folds = append(d.Folds, Fold{Ref: ref})
	}
	return d, nil
}

// inZone is a stored time with the offset of where it happened.
func inZone(us, minutes int64) time.Time {
	t := fromMicros(us)
	if t.IsZero() || minutes == 0 {
		return t
	}
	return t.In(time.FixedZone("", int(minutes)*60))
}

func sortedKeys[K cmp.Ordered, V any](m map[K]V) []K {
	return slices.Sorted(maps.Keys(m))
}
