package ledger

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/internal/testpostgres"
)

// everything reads a feed from the beginning in pages of an odd size.
func everything(t testing.TB, l *Ledger, f FeedFilter) []StoredEvent {
	t.Helper()
	var all []StoredEvent
	after := Cursor{}
	for {
		page, next, err := l.Feed(t.Context(), after, f)
		if err != nil {
			t.Fatal(err)
		}
		if cmp.Equal(after, next) {
			return all
		}
		all, after = append(all, page...), next
	}
}

// contiguous checks what every reader of a feed relies on.
func contiguous(t testing.TB, l *Ledger) []StoredEvent {
	t.Helper()
	all := everything(t, l, FeedFilter{Limit: 37})
	last := map[string]StoredEvent{}
	for _, e := range all {
		before := last[e.Plant]
		if e.Position != before.Position+1 {
			t.Errorf("plant %s: position %d follows %d", e.Plant, e.Position, before.Position)
		}
		if !e.Recorded.After(before.Recorded) {
			t.Errorf("plant %s: position %d was recorded at %s, the one before at %s", e.Plant, e.Position, e.Recorded, before.Recorded)
		}
		last[e.Plant] = e
	}
	return all
}

// sums are the exact totals of facts by message identity and measure, from the
// rows as they stand.
func sums(t testing.TB, l *Ledger) map[string]event.Decimal {
	t.Helper()
	all := map[string]event.Decimal{}
	err := l.readWithin(t.Context(), time.Minute, func(ctx context.Context, r *Reader) error {
		return r.Query(ctx, "select lot, measure, base_value, scaled, residue from facts", nil, func(row Row) error {
			var lot, measure, value, residue string
			var scaled int64
			if err := row.Scan(&lot, &measure, &value, &scaled, &residue); err != nil {
				return err
			}
			base, err := event.ParseDecimal(value)
			if err != nil {
				return err
			}
			again, err := event.FromScaled(scaled, FactDigits)
			if err != nil {
				return err
			}
			if residue != "" {
				rest, err := event.ParseDecimal(residue)
				if err != nil {
					return err
				}
				again = again.Add(rest)
			}
			if !again.Equal(base) {
				t.Errorf("millionths %d and residue %q are not %s", scaled, residue, base)
			}
			key := strings.TrimPrefix(lot, "lot/M-1/") + " " + measure
			all[key] = all[key].Add(base)
			return nil
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// gate is a Decide that lets the first entry wait until it is opened.
type gate struct {
	decide  Decide
	entered chan struct{}
	open    chan struct{}
	once    sync.Once
}

func newGate(decide Decide) *gate {
	return &gate{decide: decide, entered: make(chan struct{}), open: make(chan struct{})}
}

func (g *gate) Decide(w *Working, e *Entry) Decision {
	g.once.Do(func() { close(g.entered); <-g.open })
	return g.decide(w, e)
}

func TestCallersThatComeTogetherShareACommit(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		g := newGate(restating)
		l := open(t, dsn, Config{Decide: g.Decide})
		const callers = 300
		var wg sync.WaitGroup
		results := make([]Result, callers)
		for i := range callers {
			wg.Go(func() {
				if i > 0 {
					<-g.entered
				}
				results[i], _ = l.Record(t.Context(), said(t, "graz", fmt.Sprint(i), "1", "2")) // an error leaves the result empty
			})
		}
		<-g.entered
		for len(l.single) < callers-1 {
			runtime.Gosched() // until everybody waits
		}
		close(g.open)
		wg.Wait()
		if n := l.Counts(); n.Commits != 2 || n.Entries != callers || n.Events != 2*callers || n.Largest != callers-1 {
			t.Errorf("counts = %+v, want %d entries in 2 commits", n, callers)
		}
		for i, r := range results {
			key := event.MessageKey("mes", "shift-report", fmt.Sprint(i))
			if r.Outcome != Recorded || r.Message != key || len(r.Events) != 2 {
				t.Fatalf("answer %d = %+v, want one about message %s", i, r, key)
			}
			e, err := l.Event(t.Context(), r.Events[1])
			if err != nil || e.Position != r.Position || e.Message != key || e.Recorded.Before(r.Recorded) {
				t.Errorf("answer %d says position %d; its event is %+v, %v", i, r.Position, e, err)
			}
		}
		contiguous(t, l)
	})
}

func TestPositionsHaveNoHolesAndTimesRiseThoughTheClockGoesBackwards(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		c := newClock()
		l := open(t, dsn, Config{BatchEntries: 7, Clock: func() time.Time { c.move(-time.Millisecond); return c.now() }})
		var wg sync.WaitGroup
		for i := range 90 {
			wg.Go(func() {
				if _, err := l.Record(t.Context(), said(t, []string{"graz", "linz", "wien"}[i%3], fmt.Sprint(i), "1", "2")); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		all := contiguous(t, l)
		if len(all) != 180 {
			t.Errorf("%d events are on record, want 180", len(all))
		}
	})
}

func TestRecordAllAnswersInTheOrderOfItsEntries(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{BatchEntries: 16})
		var entries []*Entry
		for i := range 50 {
			entries = append(entries, said(t, "graz", fmt.Sprint(i), "1"))
		}
		results, err := l.RecordAll(t.Context(), entries)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range results {
			if r.Message != entries[i].Message.Key() || r.Position != int64(i+1) {
				t.Errorf("answer %d = %+v", i, r)
			}
		}
	})
}

func TestWhatIsSaidAgainChangesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{})
		first := record(t, l, said(t, "graz", "a", "1", "2"))
		before := dump(t, l)
		again := record(t, l, said(t, "graz", "a", "1", "2"))
		if again.Outcome != Duplicate || again.Message != first.Message || again.Position != first.Position || !cmp.Equal(again.Events, first.Events) {
			t.Errorf("first %+v, again %+v", first, again)
		}
		results, err := l.RecordAll(t.Context(), []*Entry{said(t, "graz", "b", "1"), said(t, "graz", "b", "1"), said(t, "graz", "a", "1", "2")})
		if err != nil || results[0].Outcome != Recorded || results[1].Outcome != Duplicate || results[2].Outcome != Duplicate {
			t.Errorf("within one commit: %+v, %v", results, err)
		}
		after := dump(t, l)
		for table, rows := range before {
			for row := range rows {
				if table != "feeds" && table != "commits" && !after[table][row] {
					t.Errorf("%s: the row %s is no longer there", table, row)
				}
			}
		}
	})
}

// dump is every row of the tables that hold what is on record, as text.
func dump(t testing.TB, l *Ledger) map[string]map[string]bool {
	t.Helper()
	all := map[string]map[string]bool{}
	for _, table := range append(slices.Clone(writeOrder[:]), &table{name: "feeds", columns: texts("plant", "last", "head")}) {
		all[table.name] = map[string]bool{}
		err := l.each(t.Context(), "select "+table.names()+" from "+table.name, nil, func(r Row) error {
			values, targets := make([]any, len(table.columns)), make([]any, len(table.columns))
			for i := range values {
				targets[i] = &values[i]
			}
			err := r.Scan(targets...)
			for i, v := range values {
				if b, ok := v.([]byte); ok {
					values[i] = string(b)
				}
			}
			all[table.name][fmt.Sprint(values...)] = true
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return all
}

func TestOtherContentUnderAnIdThatDoesNotRestateIsHeldOnceAndWhatStandsStays(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{})
		say := func(quantity string) Result {
			e := said(t, "graz", "a", quantity)
			e.Restates = false
			return record(t, l, e)
		}
		first := say("1")
		second, third := say("2"), say("3")
		if second.Outcome != Held || third.Outcome != Held || !errors.Is(second.Fault, fault.IdentityConflict) || second.Message != first.Message+".2" || third.Message != first.Message+".3" {
			t.Errorf("second %+v, third %+v", second, third)
		}
		if r := say("3"); r.Outcome != Duplicate {
			t.Errorf("the conflict again: %+v", r)
		}
		if r := say("1"); r.Outcome != Duplicate || r.Message != first.Message {
			t.Errorf("the first again: %+v", r)
		}
		if m, err := l.Newest(t.Context(), first.Message); err != nil || string(m.Body) != `["1"]` || m.Held {
			t.Errorf("what stands: %+v, %v", m, err)
		}
		if got := sums(t, l)["a good"].String(); got != "1" {
			t.Errorf("good = %s, want 1", got)
		}
		if held, err := l.Held(t.Context(), HeldFilter{}); err != nil || len(held) != 2 {
			t.Errorf("held: %+v, %v", held, err)
		}
	})
}

func TestCorrectionsAndReversalsTakeBackToTheLastDigit(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{})
		for i, quantity := range []string{"0.1", "0.2000000000001", "12345678.123456789", "0.3", "999999.9999999", "1", "0.0000000001"} {
			r := record(t, l, said(t, "graz", "a", quantity, "7"))
			if want := []Outcome{Recorded, Corrected}[min(i, 1)]; r.Outcome != want {
				t.Fatalf("%s: %+v, want %s", quantity, r, want)
			}
			got := sums(t, l)
			want, err := event.ParseDecimal(quantity)
			if err != nil {
				t.Fatal(err)
			}
			seven, err := event.FromScaled(7, 0)
			if err != nil {
				t.Fatal(err)
			}
			if !got["a good"].Equal(want.Add(seven)) || got["a scrap"].String() != "0.25" {
				t.Errorf("after %s: good %s, scrap %s", quantity, got["a good"], got["a scrap"])
			}
		}
		if r := record(t, l, said(t, "graz", "a", "", "7")); len(r.Events) != 1 {
			t.Errorf("a slot that is gone: %+v", r)
		}
		if got := sums(t, l); got["a good"].String() != "7" || got["a scrap"].String() != "0.125" {
			t.Errorf("after the reversal: %s, %s", got["a good"], got["a scrap"])
		}
		record(t, l, said(t, "graz", "a", "5", "7"))
		record(t, l, said(t, "graz", "a"))
		if got := sums(t, l); !got["a good"].IsZero() || !got["a scrap"].IsZero() {
			t.Errorf("after all is gone: %s, %s", got["a good"], got["a scrap"])
		}
		statements, err := l.Statements(t.Context(), event.Identity("mes", "production.completed", "a", "s0"))
		if err != nil || len(statements) != 10 {
			t.Fatalf("%d statements, %v", len(statements), err)
		}
		for i, s := range statements {
			if s.Statement != i+1 || s.Current {
				t.Errorf("statement %d = %d, current %v", i+1, s.Statement, s.Current)
			}
		}
		contiguous(t, l)
	})
}

func TestARelationIsInEffectWhileAStatementInEffectMakesIt(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{})
		order := event.Ref("order/1000123")
		lots := func() []event.Ref {
			t.Helper()
			related, err := l.Relations(t.Context(), order, 10)
			if err != nil {
				t.Fatal(err)
			}
			var refs []event.Ref
			for _, r := range related {
				refs = append(refs, r.To)
			}
			return refs
		}
		say := func(version string, lot event.Ref) {
			t.Helper()
			e := said(t, "graz", "a", version)
			e.Drafts[0].Relations[0].To = lot
			record(t, l, e)
		}
		say("1", "lot/M-1/x")
		record(t, l, said(t, "graz", "b", "1"))
		if diff := cmp.Diff([]event.Ref{"lot/M-1/b", "lot/M-1/x"}, lots()); diff != "" {
			t.Error("at first", diff)
		}
		say("2", "lot/M-1/y")
		if diff := cmp.Diff([]event.Ref{"lot/M-1/b", "lot/M-1/y"}, lots()); diff != "" {
			t.Error("corrected", diff)
		}
		record(t, l, said(t, "graz", "a"))
		if diff := cmp.Diff([]event.Ref{"lot/M-1/b"}, lots()); diff != "" {
			t.Error("reversed", diff)
		}
	})
}

func TestHistoriesAndStatementsAreReadOnlyWhereTheyAreNeeded(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		type given struct {
			Known, Complete bool
			History         []int64 // positions
			Loaded          bool    // the statement of slot s0 of message "m"
		}
		ref := event.Ref("order/7")
		var seen []given
		l := open(t, dsn, Config{BatchEntries: 1, Decide: func(w *Working, e *Entry) Decision {
			o, known := w.Objects[ref]
			g := given{Known: known, Complete: o.Complete, Loaded: w.Statements[event.Identity("mes", "production.completed", "m", "s0")].loaded}
			for _, h := range o.History {
				g.History = append(g.History, h.Position)
			}
			seen = append(seen, g)
			return restating(w, e)
		}})
		say := func(id string, hour int, quantities ...string) {
			t.Helper()
			e := said(t, "graz", id, quantities...)
			for i := range e.Drafts {
				d := &e.Drafts[i]
				d.Occurred.From = base.Add(time.Duration(hour) * time.Hour)
				d.Refs = append(d.Refs, ref)
				d.Folds = []Fold{{Ref: ref, Ordering: d.Order()}}
			}
			record(t, l, e)
		}
		say("m", 1, "1")
		say("n", 2, "1")
		say("o", 3, "1")
		say("early", 0, "1")
		say("m", 1, "1") // a duplicate
		say("m", 1, "2") // a correction
		say("m", 1)      // a reversal
		say("p", 4, "1")
		want := []given{
			{},
			{Known: true},
			{Known: true},
			{Known: true, Complete: true, History: []int64{1, 2, 3}},
			{Known: true, Complete: true, History: []int64{1, 2, 3, 4}},
			{Known: true, Complete: true, History: []int64{1, 2, 3, 4}, Loaded: true},
			{Known: true, Complete: true, History: []int64{2, 3, 4, 5}, Loaded: true},
			{Known: true},
		}
		if diff := cmp.Diff(want, seen); diff != "" {
			t.Error(diff)
		}
		o, err := l.Object(t.Context(), ref)
		key := func(id string) any { return event.Identity("mes", "production.completed", id, "s0") }
		if diff := cmp.Diff([]any{key("early"), key("n"), key("o"), key("p")}, o.State["events"]); diff != "" || err != nil {
			t.Error(err, diff)
		}
	})
}

func TestAnObjectIsFoldedAlikeInOneCommitAndInMany(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		hours := []int{5, 3, 9, 1, 7, 2, 8, 6, 4, 0}
		states := map[int]any{}
		for _, size := range []int{1, 3, 512} {
			ref := event.Ref(fmt.Sprintf("order/%d", size))
			l, stop := openUntil(t, dsn, Config{BatchEntries: size})
			var entries []*Entry
			add := func(hour int, quantity string) {
				e := said(t, "graz", fmt.Sprintf("%d-%d", size, hour), quantity)
				for i := range e.Drafts {
					d := &e.Drafts[i]
					d.Occurred.From = base.Add(time.Duration(hour) * time.Hour)
					d.Folds = []Fold{{Ref: ref, Ordering: d.Order()}}
					d.Refs = []event.Ref{ref}
				}
				entries = append(entries, e)
			}
			for _, h := range hours {
				add(h, "1")
			}
			add(5, "2")
			add(3, "")
			add(9, "2")
			add(9, "3")
			if _, err := l.RecordAll(t.Context(), entries); err != nil {
				t.Fatal(err)
			}
			o, err := l.Object(t.Context(), ref)
			if err != nil {
				t.Fatal(err)
			}
			var named []string
			for _, id := range o.State["events"].([]any) {
				e, err := l.Event(t.Context(), id.(string))
				if err != nil {
					t.Fatal(err)
				}
				named = append(named, fmt.Sprint(strings.SplitN(e.Identity, "-", 2)[1], ".", e.Statement))
			}
			states[size] = named
			stop()
		}
		want := []string{"0.1", "1.1", "2.1", "4.1", "5.2", "6.1", "7.1", "8.1", "9.3"}
		for size, got := range states {
			if diff := cmp.Diff(any(want), got); diff != "" {
				t.Errorf("%d entries in a commit: %s", size, diff)
			}
		}
	})
}

func TestWhatIsPutOffGoesIntoTheNextCommitAndNothingOvertakesIt(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		first := map[*Entry]bool{}
		var last *Entry
		l := open(t, dsn, Config{Decide: func(w *Working, e *Entry) Decision {
			if last != nil && !first[e] && e.Message.ID == "a" { // put off once, unless it stands first
				first[e] = true
				return Decision{Outcome: Later}
			}
			last = e
			return restating(w, e)
		}})
		entries := []*Entry{said(t, "graz", "z", "1"), said(t, "graz", "a", "1"), said(t, "graz", "b", "1"), said(t, "graz", "a", "2"), said(t, "graz", "a", "3")}
		results, err := l.RecordAll(t.Context(), entries)
		if err != nil {
			t.Fatal(err)
		}
		a := entries[1].Message.Key()
		for i, want := range []string{entries[0].Message.Key(), a, entries[2].Message.Key(), a + ".2", a + ".3"} {
			if results[i].Message != want {
				t.Errorf("answer %d is about %s, want %s", i, results[i].Message, want)
			}
		}
		if got := sums(t, l)["a good"].String(); got != "3" {
			t.Errorf("good = %s, want 3: what was said last", got)
		}
		contiguous(t, l)
	})
}

func TestAnEntryThatIsPutOffForEverIsHeldInTheEnd(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{Decide: func(w *Working, e *Entry) Decision {
			if e.Message.ID == "never" && e.Fault == nil {
				return Decision{Outcome: Later}
			}
			return restating(w, e)
		}})
		results, err := l.RecordAll(t.Context(), []*Entry{said(t, "graz", "a", "1"), said(t, "graz", "never", "1"), said(t, "graz", "b", "1")})
		if err != nil || results[0].Outcome != Recorded || results[2].Outcome != Recorded {
			t.Fatalf("%+v, %v", results, err)
		}
		if results[1].Outcome != Held || !errors.Is(results[1].Fault, fault.PoisonedMessage) {
			t.Errorf("what is put off for ever: %+v", results[1])
		}
	})
}

func TestOnePoisonedEntryOf512IsHeldAndTheOthersAreOnRecord(t *testing.T) {
	poisons := map[string]map[string]func(d *Draft){
		"sqlite":   {"a violated check": func(d *Draft) { d.Slot = "poison"; d.Disputed = true }},
		"postgres": {"a NUL in a text": func(d *Draft) { d.Shift = "a\x00b" }, "a violated check": func(d *Draft) { d.Slot = "poison"; d.Disputed = true }},
	}
	for database, dsn := range databases(t) {
		for name, poison := range poisons[database] {
			t.Run(database+"/"+name, func(t *testing.T) {
				plant := strings.ReplaceAll(name, " ", "-")
				l := open(t, dsn, Config{Decide: func(w *Working, e *Entry) Decision {
					d := restating(w, e)
					for i := range d.Drafts {
						if d.Drafts[i].Slot == "poison" {
							d.Drafts[i].Change = "nonsense"
						}
					}
					return d
				}})
				var entries []*Entry
				for i := range 512 {
					entries = append(entries, said(t, plant, fmt.Sprint(plant, i), "1", "2"))
				}
				const bad = 300
				poison(&entries[bad].Drafts[1])
				results, err := l.RecordAll(t.Context(), entries)
				if err != nil {
					t.Fatal(err)
				}
				for i, r := range results {
					switch {
					case i != bad && r.Outcome != Recorded:
						t.Errorf("entry %d: %+v", i, r)
					case i == bad && (r.Outcome != Held || !errors.Is(r.Fault, fault.PoisonedMessage) || len(r.Events) > 0):
						t.Errorf("the poisoned entry: %+v", r)
					}
				}
				if n := len(everything(t, l, FeedFilter{Plants: []string{plant}})); n != 2*511 {
					t.Errorf("%d events are on record, want %d: nothing of the poisoned one", n, 2*511)
				}
				held, err := l.Held(t.Context(), HeldFilter{Reason: "poisoned_message", Plant: plant})
				if err != nil || len(held) != 1 || held[0].Message != results[bad].Message || held[0].Detail == "" {
					t.Errorf("held: %+v, %v", held, err)
				}
				m, err := l.Message(t.Context(), results[bad].Message, true)
				if err != nil || string(m.Body) != string(entries[bad].Message.Body) {
					t.Errorf("the poisoned message is not kept as it came: %+v, %v", m, err)
				}
				if n := l.Counts(); n.Halved != 9 {
					t.Errorf("halved %d times, want 9: 512 down to 1", n.Halved)
				}
			})
		}
	}
}

func TestAPoisonedMessageThatCannotEvenBeKeptIsRefused(t *testing.T) {
	l := open(t, testpostgres.Database(t), Config{}) // SQLite keeps any text
	bad := said(t, "graz", "a\x00b", "1")
	results, err := l.RecordAll(t.Context(), []*Entry{said(t, "graz", "a", "1"), bad, said(t, "graz", "b", "1")})
	if err == nil || results[0].Outcome != Recorded || results[1].Outcome != "" || results[2].Outcome != Recorded {
		t.Errorf("%+v, %v", results, err)
	}
	if _, err := l.Newest(t.Context(), said(t, "graz", "a", "1").Message.Key()); err != nil {
		t.Error(err)
	}
}

func TestARefusedActLeavesTheOthersOfItsCommitAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		g := newGate(restating)
		l := open(t, dsn, Config{Decide: g.Decide})
		var wg sync.WaitGroup
		wg.Go(func() { record(t, l, said(t, "graz", "first", "1")) })
		<-g.entered
		var refusal, revoked error
		wg.Go(func() { refusal = l.RevokeKey(t.Context(), "anna", "ghost") })
		wg.Go(func() { _, _, revoked = l.CreateSystemKey(t.Context(), "anna", "mes", time.Time{}) })
		wg.Go(func() { record(t, l, said(t, "graz", "a", "1")) })
		for len(l.single) < 3 {
			runtime.Gosched()
		}
		close(g.open)
		wg.Wait()
		if !errors.Is(refusal, fault.NotFound) || revoked != nil {
			t.Errorf("refusal %v, the other act %v", refusal, revoked)
		}
		if n := l.Counts(); n.Commits != 2 || n.Halved != 0 {
			t.Errorf("counts = %+v, want 2 commits, none halved", n)
		}
	})
}
