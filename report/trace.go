package report

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/ledger"
)

// A Trace is what is on record about one thing: an object, an event or a message.
type Trace struct {
	Name      string                 `json:"name"`
	Kind      string                 `json:"kind"` // message, event, or the kind of the object
	State     map[string]any         `json:"state,omitempty"`
	Relations []ledger.Related       `json:"relations,omitempty"`
	Lines     []Line                 `json:"lines"`
	Followed  []Followed             `json:"followed,omitempty"` // of an object: what other systems had to do
	Steps     []Step                 `json:"steps,omitempty"`    // of an event: those that it caused; of a document: those it was given for
	Open      []ledger.Exception     `json:"open,omitempty"`
	Ended     []ledger.Exception     `json:"ended,omitempty"`
	Messages  []ledger.StoredMessage `json:"messages,omitempty"` // of a message: its versions
	Acts      []ledger.Act           `json:"acts,omitempty"`
	More      bool                   `json:"more,omitempty"` // the history is longer than the limit
}

// A Line is one statement in a trace.
type Line struct {
	ledger.StoredEvent
	Facts    []event.Fact `json:"facts,omitempty"`
	Replayed *ledger.Act  `json:"replayed,omitempty"` // of a replay, by which it was stated; nil where its source has
}

// traceLimit is how many statements a trace of an object shows at once.
const traceLimit = 1000

// TraceOf says what became of something: a ref such as order/1000123, the id of
// an event, or the id of a message.
func TraceOf(ctx context.Context, l *ledger.Ledger, name string) (Trace, error) {
	if strings.Contains(name, "/") {
		return traceObject(ctx, l, name)
	}
	key, n, err := event.ParseStatementID(name)
	if err != nil {
		return Trace{}, notAName(name)
	}
	statements, err := l.Statements(ctx, key)
	if err != nil {
		return Trace{}, err
	}
	if len(statements) > 0 {
		return traceEvent(ctx, l, name, n, statements)
	}
	return traceMessage(ctx, l, name, key)
}

func traceObject(ctx context.Context, l *ledger.Ledger, name string) (Trace, error) {
	ref, err := event.ParseRef(name)
	if err != nil {
		return Trace{}, notAName(name)
	}
	t := Trace{Name: name, Kind: ref.Kind()}
	object, err := l.Object(ctx, ref)
	if err != nil {
		return t, err
	}
	if t.Open, err = l.OpenAbout(ctx, ref); err != nil {
		return t, err
	}
	if !object.Known && len(t.Open) == 0 {
		return t, notFound(name)
	}
	t.State = object.State
	if t.Followed, err = followed(ctx, l, ref); err != nil {
		return t, err
	}
	if t.Steps, err = stepsOfDocument(ctx, l, ref); err != nil {
		return t, err
	}
	if t.Relations, err = l.Relations(ctx, ref, traceLimit); err != nil {
		return t, err
	}
	history, err := l.History(ctx, ref, time.Time{}, traceLimit+1)
	if err != nil {
		return t, err
	}
	if t.More = len(history) > traceLimit; t.More {
		history = history[:traceLimit]
	}
	t.Lines, err = lines(ctx, l, history)
	return t, err
}

func traceEvent(ctx context.Context, l *ledger.Ledger, name string, n int, statements []ledger.StoredEvent) (Trace, error) {
	t := Trace{Name: name, Kind: "event"}
	if n > len(statements) {
		return t, notFound(name)
	}
	var err error
	if t.Lines, err = lines(ctx, l, statements); err != nil {
		return t, err
	}
	for _, s := range statements {
		caused, err := l.StepsBecauseOf(ctx, s.ID())
		if err != nil {
			return t, err
		}
		steps, err := traced(ctx, l, caused)
		if err != nil {
			return t, err
		}
		t.Steps = append(t.Steps, steps...)
		if err := t.addExceptions(ctx, l, s.Message); err != nil {
			return t, err
		}
	}
	return t, nil
}

func traceMessage(ctx context.Context, l *ledger.Ledger, name, key string) (Trace, error) {
	t := Trace{Name: name, Kind: "message"}
	var err error
	if t.Messages, err = l.Versions(ctx, key); err != nil {
		return t, err
	}
	if !slices.ContainsFunc(t.Messages, func(m ledger.StoredMessage) bool { return m.StatementID() == name }) {
		return t, notFound(name)
	}
	for i := range t.Messages {
		acts, err := l.ActsOn(ctx, t.Messages[i].StatementID())
		if err != nil {
			return t, err
		}
		t.Acts = append(t.Acts, acts...)
	}
	if err := t.addExceptions(ctx, l, key); err != nil {
		return t, err
	}
	keys, err := statedBy(ctx, l, key)
	if err != nil {
		return t, err
	}
	var all []ledger.StoredEvent
	for _, k := range keys {
		chain, err := l.Statements(ctx, k)
		if err != nil {
			return t, err
		}
		all = append(all, chain...)
	}
	slices.SortStableFunc(all, func(a, b ledger.StoredEvent) int { return a.Recorded.Compare(b.Recorded) })
	t.Lines, err = lines(ctx, l, all)
	return t, err
}

// statedBy are the keys of the statements that a message made, those included
// that another message has corrected or reversed since.
func statedBy(ctx context.Context, l *ledger.Ledger, message string) ([]string, error) {
	var keys []string
	err := l.Read(ctx, func(ctx context.Context, r *ledger.Reader) error {
		return r.Query(ctx, "select events from inbox where key = $1", []any{message}, func(row ledger.Row) error {
			var text string
			err := row.Scan(&text)
			keys = strings.Fields(text)
			return err
		})
	})
	return keys, err
}

func (t *Trace) addExceptions(ctx context.Context, l *ledger.Ledger, message string) error {
	key, _, err := event.ParseStatementID(message)
	if err != nil {
		return err
	}
	exceptions, err := l.ExceptionsOf(ctx, key)
	if err != nil {
		return err
	}
	for _, x := range exceptions {
		list := &t.Ended
		if x.State == "open" {
			list = &t.Open
		}
		if !slices.ContainsFunc(*list, func(y ledger.Exception) bool { return y.Message == x.Message }) {
			*list = append(*list, x)
		}
	}
	return nil
}

func lines(ctx context.Context, l *ledger.Ledger, events []ledger.StoredEvent) ([]Line, error) {
	all := make([]Line, len(events))
	for i, e := range events {
		facts, err := l.EventFacts(ctx, e.Plant, e.Position)
		if err != nil {
			return nil, err
		}
		all[i] = Line{StoredEvent: e, Facts: facts}
	}
	return all, addReplayed(ctx, l, all)
}

// addReplayed says which statements came of a replay: on whose account, and why.
func addReplayed(ctx context.Context, l *ledger.Ledger, all []Line) error {
	messages := make([]string, len(all))
	for i := range all {
		messages[i] = all[i].Message
	}
	acts, err := l.Replayed(ctx, messages)
	for i := range all {
		if act, ok := acts[all[i].ID()]; ok {
			all[i].Replayed = &act
		}
	}
	return err
}
