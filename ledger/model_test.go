package ledger

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// model is what a ledger must hold, kept in memory by the plainest rules.
type model struct {
	messages map[string]*modelMessage
	arrived  bool // what held messages wait for is on record
}

// modelMessage is one message through all that was said under its id.
type modelMessage struct {
	said      string // content of the version that stands or is held
	held      bool
	versions  int
	current   int    // number of the version that said is
	effective int    // number of the version whose events stand; 0 while none
	refused   string // the last content that was refused as a conflict
	conflicts int
	slots     map[string]*modelStatement
}

type modelStatement struct {
	statement int
	quantity  string // "" while reversed
}

// say is one arrival: what a sender says under an id. It waits where what it needs
// has not arrived when it is prepared.
type say struct {
	id         string
	quantities []string
	restates   bool
	waits      bool
}

func (s say) content() string { return fmt.Sprintf("%q", s.quantities) }

// take gives the outcome that the ledger must answer.
func (m *model) take(s say) Outcome {
	x := m.messages[s.id]
	if x == nil {
		x = &modelMessage{slots: map[string]*modelStatement{}}
		m.messages[s.id] = x
	}
	known := x.versions > 0
	switch {
	case known && s.content() == x.said && !x.held:
		return Duplicate
	case known && s.content() != x.said && !s.restates && s.content() == x.refused:
		return Duplicate
	case known && s.content() != x.said && !s.restates:
		x.versions++
		x.conflicts++
		x.refused = s.content()
		return Held
	case s.waits && m.arrived:
		return Again
	}
	if !known || s.content() != x.said {
		x.versions++
		x.current, x.said = x.versions, s.content()
	}
	if x.held = s.waits; x.held {
		return Held
	}
	return x.state(s)
}

// state makes the statements of a message those that it says now.
func (x *modelMessage) state(s say) Outcome {
	outcome := Recorded
	if x.effective > 0 {
		outcome = Corrected
	}
	x.effective = x.current
	for i := range max(len(s.quantities), 4) {
		slot, quantity := fmt.Sprint("s", i), ""
		if i < len(s.quantities) {
			quantity = s.quantities[i]
		}
		st := x.slots[slot]
		if st == nil && quantity != "" {
			st = &modelStatement{}
			x.slots[slot] = st
		}
		if st != nil && st.quantity != quantity {
			st.statement++
			st.quantity = quantity
		}
	}
	return outcome
}

// world is a ledger beside its model.
type world struct {
	*Ledger
	prefix string // of all ids, so that many checks share a database
	model  model
	mu     sync.Mutex
	woken  map[string]bool
}

func (w *world) wanted() event.Ref { return event.Ref("bom/" + w.prefix) }

func (w *world) entry(t testing.TB, s say) *Entry {
	e := said(t, "graz", s.id, s.quantities...)
	e.Restates = s.restates
	if s.waits {
		e.Drafts = nil
		e.Fault, e.Waits = fault.New("test", fault.ReferenceMissing, "", ""), []string{ReferenceWanted(w.wanted())}
	}
	return e
}

func TestAnyArrivalsInAnyOrderAndRepetitionEndAsTheModelSays(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		w := &world{}
		w.Ledger = open(t, dsn, Config{BatchEntries: 3, Woken: func(keys []string) {
			w.mu.Lock()
			defer w.mu.Unlock()
			for _, k := range keys {
				w.woken[k] = true
			}
		}})
		checks := 0
		rapid.Check(t, func(r *rapid.T) {
			checks++
			w.prefix = fmt.Sprint("c", checks)
			w.model = model{messages: map[string]*modelMessage{}}
			w.woken = map[string]bool{}
			for range rapid.IntRange(1, 8).Draw(r, "rounds") {
				w.round(t, r)
			}
			w.compare(t, r)
		})
		contiguous(t, w.Ledger)
		report, err := w.Verify(t.Context(), VerifyOptions{})
		if err != nil || !report.OK() {
			t.Errorf("verify: %+v, %v", report, err)
		}
	})
}

// arrival draws something that a sender says: few ids and few contents, so that
// repetitions, corrections, conflicts and reversals abound.
func (w *world) arrival(r *rapid.T) say {
	n := rapid.IntRange(0, 3).Draw(r, "id")
	quantities := rapid.SliceOfN(rapid.SampledFrom([]string{"", "1", "0.1", "2.0000000001"}), 0, 3).Draw(r, "quantities")
	return say{id: fmt.Sprint(w.prefix, "-", n), quantities: quantities, restates: n != 3, waits: !w.model.arrived && rapid.IntRange(0, 3).Draw(r, "waits") == 0}
}

// round lets some arrive together, in one call or one after the other.
func (w *world) round(t *testing.T, r *rapid.T) {
	if !w.model.arrived && rapid.IntRange(0, 5).Draw(r, "what is waited for arrives") == 0 {
		w.arrive(t, r)
		return
	}
	arrivals := rapid.SliceOfN(rapid.Custom(w.arrival), 1, 7).Draw(r, "arrivals")
	var entries []*Entry
	var want []Outcome
	for _, s := range arrivals {
		entries = append(entries, w.entry(t, s))
		want = append(want, w.model.take(s))
	}
	var got []Outcome
	if rapid.Bool().Draw(r, "together") {
		results, err := w.RecordAll(t.Context(), entries)
		if err != nil {
			r.Fatal(err)
		}
		for _, x := range results {
			got = append(got, x.Outcome)
		}
	} else {
		for _, e := range entries {
			x, err := w.Record(t.Context(), e)
			if err != nil {
				r.Fatal(err)
			}
			got = append(got, x.Outcome)
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		r.Fatalf("%+v: %s", arrivals, diff)
	}
}

// arrive puts on record what held messages wait for; each of them must be woken,
// and goes on when it comes again.
func (w *world) arrive(t *testing.T, r *rapid.T) {
	ref := w.wanted()
	if _, err := w.Record(t.Context(), publishes(t, "linz", w.prefix+"-wanted", ref, &Reference{Ref: ref, ValidFrom: base})); err != nil {
		r.Fatal(err)
	}
	w.model.arrived = true
	for id, x := range w.model.messages {
		key := event.MessageKey("mes", "shift-report", id)
		w.mu.Lock()
		woken := w.woken[key]
		w.mu.Unlock()
		if woken != x.held {
			r.Fatalf("message %s: woken %v, held %v", id, woken, x.held)
		}
	}
}

// compare looks at everything that a reader can see of each message.
func (w *world) compare(t *testing.T, r *rapid.T) {
	total := sums(t, w.Ledger)
	for id, x := range w.model.messages {
		key := event.MessageKey("mes", "shift-report", id)
		newest, err := w.Newest(t.Context(), key)
		if err != nil {
			r.Fatal(err)
		}
		versions, err := w.Versions(t.Context(), key)
		if err != nil {
			r.Fatal(err)
		}
		want := []any{x.held, x.current, x.effective, x.versions}
		if diff := cmp.Diff(want, []any{newest.Held, newest.Newest, newest.Effective, len(versions)}); diff != "" {
			r.Fatalf("message %s: held, version, effective version, versions: %s", id, diff)
		}
		exceptions, err := w.ExceptionsOf(t.Context(), key)
		if err != nil {
			r.Fatal(err)
		}
		open, waits := x.conflicts, 0
		if x.held {
			open, waits = open+1, 1
		}
		for _, e := range exceptions {
			waits -= len(e.Waits)
			if e.State == "open" {
				open--
			}
		}
		if open != 0 || waits != 0 {
			r.Fatalf("message %s: %d open exceptions and %d waits are missing: %+v", id, open, waits, exceptions)
		}
		w.compareStatements(t, r, id, x, total)
	}
}

func (w *world) compareStatements(t *testing.T, r *rapid.T, id string, x *modelMessage, total map[string]event.Decimal) {
	var good event.Decimal
	type living struct {
		position int64
		id       string
	}
	var alive []living
	for slot, st := range x.slots {
		all, err := w.Statements(t.Context(), event.Identity("mes", "production.completed", id, slot))
		if err != nil {
			r.Fatal(err)
		}
		newest := all[len(all)-1]
		if len(all) != st.statement || newest.Statement != st.statement || newest.Current != (st.quantity != "") || (newest.Change == event.Reversal) != (st.quantity == "") {
			r.Fatalf("message %s slot %s: %d statements, the newest %+v; want %+v", id, slot, len(all), newest, *st)
		}
		if st.quantity != "" {
			alive = append(alive, living{newest.Position, newest.ID()})
			q, err := event.ParseDecimal(st.quantity)
			if err != nil {
				r.Fatal(err)
			}
			good = good.Add(q)
		}
	}
	if got := total[id+" good"]; !got.Equal(good) {
		r.Fatalf("message %s: good %s, want %s", id, got, good)
	}
	slices.SortFunc(alive, func(a, b living) int { return int(a.position - b.position) })
	ids := []any{}
	for _, a := range alive {
		ids = append(ids, a.id)
	}
	o, err := w.Object(t.Context(), event.Ref("lot/M-1/"+id))
	if err != nil {
		r.Fatal(err)
	}
	if len(x.slots) > 0 {
		if diff := cmp.Diff(any(ids), o.State["events"]); diff != "" {
			r.Fatalf("state of the lot of message %s: %s", id, diff)
		}
	}
}
