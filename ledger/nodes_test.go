package ledger

import (
	"database/sql"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/internal/testpostgres"
)

// node is one of two hubs on one PostgreSQL.
type node struct {
	*Ledger
	mu    sync.Mutex
	gate  *gate
	woken []string
}

func openNode(t *testing.T, dsn string) *node {
	t.Helper()
	n := &node{}
	n.Ledger = open(t, dsn, Config{
		Woken: func(keys []string) { n.mu.Lock(); defer n.mu.Unlock(); n.woken = append(n.woken, keys...) },
		Decide: func(w *Working, e *Entry) Decision {
			n.mu.Lock()
			g := n.gate
			n.mu.Unlock()
			if g != nil {
				return g.Decide(w, e)
			}
			return restating(w, e)
		},
	})
	return n
}

func (n *node) wasWoken(key string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Contains(n.woken, key)
}

// blocked waits until a session of the database waits for a lock.
func blocked(t *testing.T, db *sql.DB) {
	t.Helper()
	for start := time.Now(); time.Since(start) < 20*time.Second; {
		var waiting int
		err := db.QueryRowContext(t.Context(), "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'").Scan(&waiting)
		if err != nil {
			t.Error(err)
			return
		}
		if waiting > 0 {
			return
		}
		runtime.Gosched()
	}
	t.Error("the other node did not wait for this one")
}

func TestNoWakeUpIsLostBetweenTwoNodesWhateverTheOrder(t *testing.T) {
	dsn := testpostgres.Database(t)
	db, err := sql.Open("pgx", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // it only looked
	waits, ends := openNode(t, dsn), openNode(t, dsn)
	pair := func(name string) (a, b *Entry) {
		ref := event.Ref("bom/" + name)
		a = said(t, "graz", "waits-"+name, "1")
		a.Fault, a.Waits = fault.New("test", fault.ReferenceMissing, "", ""), []string{ReferenceWanted(ref)}
		return a, publishes(t, "linz", "ends-"+name, ref, &Reference{Ref: ref, ValidFrom: base})
	}
	check := func(t *testing.T, a *Entry, answer Result) {
		t.Helper()
		if answer.Outcome != Again && (answer.Outcome != Held || !ends.wasWoken(a.Message.Key())) {
			t.Errorf("the wait ended unnoticed: %+v", answer)
		}
	}
	t.Run("the waiting one is on record first", func(t *testing.T) {
		a, b := pair("1")
		answer := record(t, waits.Ledger, a)
		record(t, ends.Ledger, b)
		check(t, a, answer)
	})
	t.Run("what it waits for is on record first", func(t *testing.T) {
		a, b := pair("2")
		record(t, ends.Ledger, b)
		answer := record(t, waits.Ledger, a)
		if check(t, a, answer); answer.Outcome != Again {
			t.Errorf("answer = %+v, want again", answer)
		}
	})
	meanwhile := func(t *testing.T, first, second *node, one, other *Entry) (Result, Result) {
		t.Helper()
		g := newGate(restating)
		first.mu.Lock()
		first.gate = g
		first.mu.Unlock()
		var wg sync.WaitGroup
		var r1, r2 Result
		wg.Go(func() { r1 = record(t, first.Ledger, one) })
		<-g.entered
		wg.Go(func() { r2 = record(t, second.Ledger, other) })
		blocked(t, db)
		close(g.open)
		wg.Wait()
		return r1, r2
	}
	t.Run("what it waits for comes while it decides to wait", func(t *testing.T) {
		a, b := pair("3")
		answer, _ := meanwhile(t, waits, ends, a, b)
		if check(t, a, answer); answer.Outcome != Held {
			t.Errorf("answer = %+v, want held", answer)
		}
	})
	t.Run("it decides while what it waits for is being recorded", func(t *testing.T) {
		a, b := pair("4")
		_, answer := meanwhile(t, ends, waits, b, a)
		if check(t, a, answer); answer.Outcome != Again {
			t.Errorf("answer = %+v, want again", answer)
		}
	})
	t.Run("both at once, many times", func(t *testing.T) {
		for i := range 60 {
			a, b := pair(fmt.Sprint("race", i))
			var wg sync.WaitGroup
			var answer Result
			wg.Go(func() { answer = record(t, waits.Ledger, a) })
			wg.Go(func() { record(t, ends.Ledger, b) })
			wg.Wait()
			check(t, a, answer)
		}
	})
}

func TestTwoNodesFoldOneObjectWithoutLosingAnEvent(t *testing.T) {
	dsn := testpostgres.Database(t)
	nodes := []*node{openNode(t, dsn), openNode(t, dsn)}
	ref := event.Ref("order/1")
	var wg sync.WaitGroup
	for i := range 60 {
		e := said(t, []string{"graz", "linz"}[i%2], fmt.Sprint(i), "1")
		d := &e.Drafts[0]
		d.Refs, d.Folds = append(d.Refs, ref), []Fold{{Ref: ref, Ordering: d.Order()}}
		wg.Go(func() { record(t, nodes[i%2].Ledger, e) })
	}
	wg.Wait()
	o, err := nodes[0].Object(t.Context(), ref)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[any]bool{}
	for _, id := range o.State["events"].([]any) {
		seen[id] = true
	}
	if len(seen) != 60 {
		t.Errorf("%d events are in the state, want 60", len(seen))
	}
	contiguous(t, nodes[1].Ledger)
}

func TestAMessageThatReachesTwoNodesAtOnceIsOnRecordOnce(t *testing.T) {
	dsn := testpostgres.Database(t)
	nodes := []*node{openNode(t, dsn), openNode(t, dsn)}
	for _, plants := range [][2]string{{"graz", "graz"}, {"graz", "linz"}} {
		for i := range 30 {
			id := fmt.Sprint(plants, i)
			var wg sync.WaitGroup
			var results [2]Result
			for n := range nodes {
				e := said(t, plants[n], id, "1")
				e.Message.ID = id
				wg.Go(func() { results[n] = record(t, nodes[n].Ledger, e) })
			}
			wg.Wait()
			outcomes := []string{string(results[0].Outcome), string(results[1].Outcome)}
			if slices.Sort(outcomes); !slices.Equal(outcomes, []string{"duplicate", "recorded"}) {
				t.Errorf("plants %v: %v", plants, outcomes)
			}
			if all, err := nodes[0].Versions(t.Context(), results[0].Message); err != nil || len(all) != 1 {
				t.Errorf("plants %v: %d versions, %v", plants, len(all), err)
			}
		}
	}
	contiguous(t, nodes[0].Ledger)
}

func TestTwoNodesShareAPlantsFeed(t *testing.T) {
	dsn := testpostgres.Database(t)
	nodes := []*node{openNode(t, dsn), openNode(t, dsn)}
	var wg sync.WaitGroup
	for i := range 80 {
		wg.Go(func() { record(t, nodes[i%2].Ledger, said(t, "graz", fmt.Sprint(i), "1", "2")) })
	}
	wg.Wait()
	if n := len(contiguous(t, nodes[0].Ledger)); n != 160 {
		t.Errorf("%d events are on record, want 160", n)
	}
}
