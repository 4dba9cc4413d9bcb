package flow

import (
	"cmp"
	"slices"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/transaction"
)

// step is one event of the fold of an object.
type step struct {
	ordering string
	position int64
	key      string
	event    transaction.LifecycleEvent
	draft    *ledger.Draft // nil for what is on record already
	gone     bool          // it no longer counts for the object: reversed, or corrected to another
	status   string        // of the object when it came
	refused  bool          // that allows no such event
}

// steps are events of one object in the order in which they count.
type steps []step

// fresh is the position of what is not yet on record: behind all that is.
const fresh = 1 << 62

// newSteps are the drafts that touch an object, in order. A reversal, and a
// correction that names the object no longer, only take out.
func newSteps(lifecycle *transaction.Lifecycle, ref event.Ref, drafts []*ledger.Draft) steps {
	var all steps
	for _, d := range drafts {
		gone := d.Change == event.Reversal || !slices.ContainsFunc(d.Folds, func(f ledger.Fold) bool { return f.Ref == ref })
		e := transaction.LifecycleEvent{ID: event.StatementID(d.Key, d.Statement), Type: d.Type, Since: d.Occurred.From.UTC().Format(time.RFC3339), Data: d.Data}
		all = append(all, step{ordering: Ordering(lifecycle, &d.Event), position: fresh, key: d.Key, event: e, draft: d, gone: gone})
	}
	all.sort()
	return all
}

func (s steps) sort() {
	slices.SortStableFunc(s, func(a, b step) int {
		return cmp.Or(cmp.Compare(a.ordering, b.ordering), cmp.Compare(a.position, b.position))
	})
}

// inOrder tells whether the steps only add to what is folded already.
func (s steps) inOrder(last string) bool {
	return s[0].ordering >= last && !slices.ContainsFunc(s, func(x step) bool { return x.draft.Change != event.First })
}

// among puts the drafts into an object's history: exchanged where they correct,
// taken out where they reverse.
func (s steps) among(lifecycle *transaction.Lifecycle, history []ledger.Folded) steps {
	var all steps
	for _, h := range history {
		if slices.ContainsFunc(s, func(x step) bool { return x.key == h.Key }) {
			continue
		}
		past := event.Event{Occurred: event.Span{From: h.Occurred}, Sequence: h.Sequence}
		all = append(all, step{
			ordering: Ordering(lifecycle, &past), position: h.Position, key: h.Key,
			event: transaction.LifecycleEvent{ID: h.ID, Type: h.Type, Since: h.Occurred.UTC().Format(time.RFC3339), Data: h.Data},
		})
	}
	for _, x := range s {
		if !x.gone {
			all = append(all, x)
		}
	}
	all.sort()
	return all
}

// fold is the state after the steps; each notes whether it was allowed.
func (s steps) fold(lifecycle *transaction.Lifecycle, state transaction.State) transaction.State {
	for i := range s {
		var ok bool
		s[i].status = state.Status
		state, ok = lifecycle.Fold(state, s[i].event)
		s[i].refused = !ok
	}
	return state
}

func (s steps) last() string {
	if len(s) == 0 {
		return ""
	}
	return s[len(s)-1].ordering
}

// Ordering is the place of an event among those of an object, as text.
func Ordering(lifecycle *transaction.Lifecycle, e *event.Event) string {
	if lifecycle.Order() == transaction.Sequence {
		return e.OrderBySequence()
	}
	return e.Order()
}

// stateOf reads back what State.Map wrote.
func stateOf(m map[string]any) transaction.State {
	var s transaction.State
	s.Status, _ = m["status"].(string)
	s.Since, _ = m["since"].(string)
	open, _ := m["open"].(map[string]any)
	last, _ := m["last"].(map[string]any)
	s.Open, s.Last = make(map[string][]string, len(open)), make(map[string]string, len(last))
	for name, keys := range open {
		list, _ := keys.([]any)
		for _, k := range list {
			if text, ok := k.(string); ok {
				s.Open[name] = append(s.Open[name], text)
			}
		}
	}
	for typ, id := range last {
		s.Last[typ], _ = id.(string)
	}
	return s
}
