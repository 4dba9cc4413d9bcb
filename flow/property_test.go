package flow_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/internal/testpostgres"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/report"
)

// A tale is a message of a plant's day with its later versions, which come after it
// and in order. Everything else comes in any order.
type tale struct {
	key      string
	versions []flow.Delivery
}

// day are the messages of a made-up day: rows and weighings that wait for master
// data and bills, rows that are restated, corrections and reversals of events, lots
// with holds, and releases that the holds forbid for a while. What happened about
// one object happened at different moments, so that its order is known.
func day(t testing.TB, g *rapid.T) []tale {
	var all []tale
	add := func(system, id string, e doc) {
		all = append(all, tale{messageKey(system, id), []flow.Delivery{events(t, key(system), e)}})
	}
	items := rapid.IntRange(1, 3).Draw(g, "items")
	for i := range items {
		item := fmt.Sprintf("I%d", i)
		add("erp", "m-"+item, material("m-"+item, item, "material/"+item, ""))
		add("erp", "b-"+item, bill("b-"+item, item, "2026-01-01", fmt.Sprint(i+2)))
	}
	hour := 0
	at := func() string { hour++; return time.Date(2026, 3, 2, hour, 0, 0, 0, time.UTC).Format(time.RFC3339) }
	for i := range rapid.IntRange(1, 4).Draw(g, "rows") {
		order, date := fmt.Sprintf("R%d", i), fmt.Sprintf("2026-03-%02d", 10+i)
		x := tale{key: rowKey(date, order)}
		item := fmt.Sprintf("I%d", rapid.IntRange(0, items-1).Draw(g, "item"))
		for v := range rapid.IntRange(1, 3).Draw(g, "versions") {
			good, bad := 100+v, rapid.IntRange(0, 3).Draw(g, "bad")
			reason := rapid.SampledFrom([]string{"KR", "FL"}).Draw(g, "reason")
			scrap := ""
			if bad > 0 {
				scrap = fmt.Sprintf(`,"bad":"%d","reason":%q`, bad, reason)
			}
			lot := rapid.SampledFrom([]string{"A", "B"}).Draw(g, "lot")
			x.versions = append(x.versions, native("shift-report", jsonType, fmt.Sprintf(
				`{"day":%q,"shift":"1","machine":"M1","order":%q,"item":%q,"lot":"%s%d","total":"%d","good":"%d"%s}`, date, order, item, lot, i, good+bad, good, scrap)))
		}
		all = append(all, x)
		if rapid.Bool().Draw(g, "weighed") {
			number := fmt.Sprintf("W%d", i)
			all = append(all, tale{weighingKey(number), []flow.Delivery{weighing(number, item, at())}})
		}
	}
	for i := range rapid.IntRange(0, 3).Draw(g, "chains") {
		id, order := fmt.Sprintf("e%d", i), fmt.Sprintf("E%d", i)
		add("graz-mes", id, made(id, order, "10", doc{"time": at()}))
		last := id
		for n := range rapid.IntRange(0, 3).Draw(g, "amendments") {
			next := fmt.Sprintf("%s-%d", id, n)
			amends := corrects(last)
			reversal := rapid.IntRange(0, 3).Draw(g, "reverses") == 0
			if reversal {
				amends = reverses(last)
			}
			add("graz-mes", next, made(next, order, fmt.Sprint(20+n), doc{"time": at()}, amends))
			if last = next; reversal {
				break
			}
		}
	}
	for i := range rapid.IntRange(0, 2).Draw(g, "lots") {
		lot := fmt.Sprintf("lot/M-100/L%d", i)
		id := func(what string) string { return fmt.Sprintf("%s-%d", what, i) }
		add("graz-mes", id("c"), created(id("c"), lot, at()))
		for n := range rapid.IntRange(0, 2).Draw(g, "holds") {
			hold := fmt.Sprintf("H-%d-%d", i, n)
			add("qms", id("p"+hold), placed(id("p"+hold), hold, lot, at()))
			add("qms", id("l"+hold), lifted(id("l"+hold), hold, lot, at()))
		}
		add("qms", id("r"), released(id("r"), lot, at()))
	}
	return all
}

// A step is one of a run: the delivery of a version, or a held message
// that somebody takes in again.
type step struct {
	deliveries []flow.Delivery // of one sender, or none
	retry      string
}

// shuffled is the day in an order of rapid's choice: with repetitions, and with
// events of one system in batches.
func shuffled(g *rapid.T, tales []tale) []step {
	next := make([]int, len(tales)) // versions that have been delivered
	var steps []step
	left := make([]int, len(tales))
	for i := range left {
		left[i] = i
	}
	for len(left) > 0 {
		i := rapid.SampledFrom(left).Draw(g, "next")
		steps = append(steps, step{deliveries: []flow.Delivery{tales[i].versions[next[i]]}})
		if next[i]++; next[i] == len(tales[i].versions) {
			left = slices.DeleteFunc(left, func(j int) bool { return j == i })
		}
		switch rapid.IntRange(0, 5).Draw(g, "then") {
		case 0: // something that came before comes again
			if j := rapid.IntRange(0, len(tales)-1).Draw(g, "again"); next[j] > 0 {
				steps = append(steps, step{deliveries: []flow.Delivery{tales[j].versions[rapid.IntRange(0, next[j]-1).Draw(g, "version")]}})
			}
		case 1:
			if j := rapid.IntRange(0, len(tales)-1).Draw(g, "retried"); next[j] > 0 {
				steps = append(steps, step{retry: tales[j].key})
			}
		}
	}
	return batched(g, steps)
}

// batched joins neighbours of the same sender and format at rapid's choice.
func batched(g *rapid.T, steps []step) []step {
	var all []step
	for _, s := range steps {
		last := len(all) - 1
		if last >= 0 && s.retry == "" && all[last].retry == "" && joins(all[last].deliveries[0], s.deliveries[0]) && rapid.Bool().Draw(g, "joined") {
			all[last].deliveries = append(all[last].deliveries, s.deliveries...)
			continue
		}
		all = append(all, s)
	}
	return all
}

func joins(a, b flow.Delivery) bool { return a.From.Name == b.From.Name && a.Message == b.Message }

// joined is a delivery of a step: a batch where it has several messages.
func (s step) joined() flow.Delivery {
	d := s.deliveries[0]
	if len(s.deliveries) == 1 {
		return d
	}
	body := []byte("[")
	for i, x := range s.deliveries {
		if i > 0 {
			body = append(body, ',')
		}
		body = append(body, x.Body...)
	}
	d.Body = append(body, ']')
	return d
}

// play takes the steps in, and waits until everything that heals has healed.
func (h *hub) play(steps []step) error {
	for _, s := range steps {
		if s.retry != "" {
			if _, err := h.Retry(context.Background(), s.retry); err != nil {
				return err
			}
			continue
		}
		answers, err := h.take(s.joined())
		if err != nil {
			return err
		}
		for _, a := range answers {
			if a.Refused != nil {
				return a.Refused
			}
		}
	}
	return h.healed()
}

// healed waits until nothing is held that heals by itself, and then takes in again
// what business has stopped, until that changes nothing any more.
func (h *hub) healed() error {
	deadline := time.After(30 * time.Second)
	for {
		moved := h.Ledger().Moved()
		held, err := h.Ledger().Held(context.Background(), ledger.HeldFilter{Limit: 1000})
		if err != nil {
			return err
		}
		waiting := slices.ContainsFunc(held, func(x ledger.Exception) bool { return x.Reason.Class == fault.Heals })
		if !waiting {
			going := false
			for _, x := range held {
				key, _, err := event.ParseStatementID(x.Message)
				if err != nil {
					return err
				}
				a, err := h.Retry(context.Background(), key)
				if err != nil {
					return err
				}
				going = going || a.Outcome != ledger.Held
			}
			if !going {
				return nil
			}
			continue
		}
		select {
		case <-moved:
		case <-deadline:
			return fmt.Errorf("still held: %+v", held)
		}
	}
}

// account is what a ledger ends as, whatever the way it got there.
type account struct {
	Figures    map[report.Dimension][]report.Figures
	Objects    map[string]doc
	Statements map[string]doc    // in effect, by event key
	Inbox      map[string]string // by message key: what it stands at, and the content
	Relations  map[string]bool
}

func (h *hub) account(tales []tale) account {
	h.t.Helper()
	a := account{Figures: map[report.Dimension][]report.Figures{}, Objects: map[string]doc{}, Statements: map[string]doc{}, Inbox: map[string]string{}, Relations: map[string]bool{}}
	ctx := context.Background()
	check := func(err error) {
		if err != nil {
			h.t.Fatal(err)
		}
	}
	for _, by := range []report.Dimension{"item", "order", "reason", "day", "lot"} {
		p, err := report.ProductionReport(ctx, h.Ledger(), report.Query{By: by})
		check(err)
		a.Figures[by] = slices.DeleteFunc(p.Rows, func(f report.Figures) bool { return f.Total.IsZero() }) // all of it taken back
	}
	var refs []event.Ref
	for cursor := (ledger.Cursor{}); ; {
		page, next, err := h.Ledger().Feed(ctx, cursor, ledger.FeedFilter{Limit: 1000})
		check(err)
		for _, e := range page {
			refs = append(refs, e.Refs...)
			if e.Current {
				a.Statements[e.Key] = doc{"type": e.Type, "data": e.Data, "disputed": e.Disputed, "occurred": e.Occurred.From.UTC().String(), "day": e.Day, "shift": e.Shift}
			}
		}
		if len(page) == 0 {
			break
		}
		cursor = next
	}
	slices.Sort(refs)
	for _, ref := range slices.Compact(refs) {
		o, err := h.Ledger().Object(ctx, ref)
		check(err)
		if s := withoutStatements(o.State); s != nil {
			a.Objects[string(ref)] = s
		}
		related, err := h.Ledger().Relations(ctx, ref, 1000)
		check(err)
		for _, r := range related {
			a.Relations[fmt.Sprint(r.Relation)] = true
		}
	}
	for _, x := range tales {
		m, err := h.Ledger().Newest(ctx, x.key)
		check(err)
		state := "recorded"
		if m.Held {
			state = "held"
		}
		a.Inbox[x.key] = state + " " + m.Digest
	}
	return a
}

// withoutStatements is a state in which events go by their keys: which statement of
// a chain it is depends on how many there were before. An object without any event
// in effect is as one that was never touched.
func withoutStatements(state doc) doc {
	last, _ := state["last"].(doc)
	if len(last) == 0 {
		return nil
	}
	s := maps.Clone(state)
	keys := doc{}
	for typ, id := range last {
		k, _, err := event.ParseStatementID(id.(string))
		if err != nil {
			panic(err)
		}
		keys[typ] = k
	}
	s["last"] = keys
	return s
}

// inOrder is the day told one by one, as it happened.
func inOrder(tales []tale) []step {
	var steps []step
	for _, x := range tales {
		for _, d := range x.versions {
			steps = append(steps, step{deliveries: []flow.Delivery{d}})
		}
	}
	return steps
}

// enough is how many days are tried on PostgreSQL, where a ledger takes longer to
// make; on SQLite it is a multiple.
const enough = 10

func TestAnyOrderRepetitionAndBatchingGivesTheSameLedger(t *testing.T) {
	t.Parallel()
	cat := company(t, nil)
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(g *rapid.T) {
		if n++; n > 3*enough {
			return
		}
		sameLedger(t, g, func(name string) *hub {
			return hubOn(t, flow.Config{Catalog: cat, Ledger: ledger.Config{Database: filepath.Join(dir, fmt.Sprintf("%d-%s.db", n, name)), DiskReserve: 1}})
		})
	})
}

func TestAnyOrderRepetitionAndBatchingGivesTheSameLedgerOnPostgreSQL(t *testing.T) {
	t.Parallel()
	testpostgres.Need(t)
	cat, n := company(t, nil), 0
	rapid.Check(t, func(g *rapid.T) {
		if n++; n > enough {
			return
		}
		sameLedger(t, g, func(string) *hub {
			return hubOn(t, flow.Config{Catalog: cat, Ledger: ledger.Config{Database: testpostgres.Database(t)}})
		})
	})
}

func sameLedger(t *testing.T, g *rapid.T, open func(name string) *hub) {
	tales := day(t, g)
	plain, other := open("plain"), open("other")
	defer plain.stop()
	defer other.stop()
	if err := plain.play(inOrder(tales)); err != nil {
		g.Fatalf("in order: %v", err)
	}
	if err := other.play(shuffled(g, tales)); err != nil {
		g.Fatalf("in another order: %v", err)
	}
	compare(g, tales, plain, other)
}

func compare(g *rapid.T, tales []tale, plain, other *hub) {
	if diff := cmp.Diff(plain.account(tales), other.account(tales)); diff != "" {
		g.Fatalf("-in order +in another:\n%s", diff)
	}
	for _, h := range []*hub{plain, other} {
		if problems := h.problems(); problems != "" {
			g.Fatal(problems)
		}
	}
}

func TestSendersAtTheSameTimeGiveTheSameLedger(t *testing.T) {
	cat := company(t, nil)
	dir, n := t.TempDir(), 0
	rapid.Check(t, func(g *rapid.T) {
		if n++; n > 2*enough {
			return
		}
		open := func(name string) *hub {
			return hubOn(t, flow.Config{Catalog: cat, Ledger: ledger.Config{Database: filepath.Join(dir, fmt.Sprintf("%d-%s.db", n, name)), DiskReserve: 1}})
		}
		tales := day(t, g)
		plain, other := open("plain"), open("together")
		defer plain.stop()
		defer other.stop()
		if err := plain.play(inOrder(tales)); err != nil {
			g.Fatal(err)
		}
		var together sync.WaitGroup
		errs := make([]error, len(tales))
		for i, x := range tales {
			together.Go(func() { // the versions of one message keep their order
				for _, d := range x.versions {
					for range 2 {
						if _, err := other.take(d); err != nil {
							errs[i] = err
						}
					}
				}
				if _, err := other.Retry(t.Context(), x.key); err != nil {
					errs[i] = err
				}
			})
		}
		together.Wait()
		if err := errors.Join(errors.Join(errs...), other.healed()); err != nil {
			g.Fatal(err)
		}
		compare(g, tales, plain, other)
	})
}
