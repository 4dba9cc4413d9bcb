package flow_test

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/internal/testpostgres"
	"github.com/gapless/gapless/ledger"
)

// reachedPlan is the plan of lots, under the holds on their batch.
var reachedPlan = strings.Replace(lotPlan, "key: lot\n", "key: lot\nreached:\n  - {on: [hold.placed, hold.lifted], from: batch, by: batch-lot}\n", 1)

// newReached is a hub whose plan of lots is reached through batches.
func newReached(t testing.TB, database string) *following {
	t.Helper()
	x := &following{erp: &books{}, wms: &books{}}
	x.hub = hubOn(t, flow.Config{
		Catalog: company(t, map[string]string{
			"plans/lot-to-stock.yaml": reachedPlan,
			"systems/graz-wms.yaml":   "system: graz-wms\ntitle: Warehouse\nroles: [wms]\nplants: [graz]\n",
			"systems/graz-all.yaml":   "system: graz-all\ntitle: Shop floor and quality in one\nroles: [mes, qms]\nplants: [graz]\n",
		}),
		Ledger:  ledger.Config{Database: database},
		Systems: map[string]flow.Follower{"erp": findable(x.erp), "graz-wms": findable(x.wms)},
	})
	return x
}

// ofBatch is production of a lot of a batch.
func ofBatch(id, lot, batch string, more ...doc) doc {
	e := lotMade(id, lot, "10", more...)
	e["data"].(doc)["batch"] = "batch/graz/" + batch
	return e
}

// batchHold places or lifts a hold on a batch.
func batchHold(id, typ, at, hold, batch string, more ...doc) doc {
	data := doc{"hold": "hold/qms/" + hold, "scope": []any{doc{"kind": "batch", "batch": "batch/graz/" + batch}}}
	if typ == "hold.placed" {
		data["reason"] = "equipment"
	}
	return cloud("qms", id, typ, at, data, more...)
}

func batchHeld(id, hold, batch string, more ...doc) doc {
	return batchHold(id, "hold.placed", "2026-03-03T08:00:00+01:00", hold, batch, more...)
}

func batchFreed(id, hold, batch string) doc {
	return batchHold(id, "hold.lifted", "2026-03-04T08:00:00+01:00", hold, batch)
}

// stated is the last status of each lot that the ERP was told.
func (x *following) stated() map[string]string {
	x.quiet()
	last := map[string]string{}
	for _, line := range x.erp.lines() {
		if words := strings.Fields(line); words[0] == "stock-status" {
			last[strings.TrimPrefix(words[1], "lot/M-100/")] = words[2]
		}
	}
	return last
}

func (x *following) states(want map[string]string) {
	x.t.Helper()
	if diff := cmp.Diff(want, x.stated()); diff != "" {
		x.t.Errorf("what the ERP was told (-want +got):\n%s", diff)
	}
}

func TestAHoldOnABatchBlocksEveryLotOfItAlsoThoseMadeLater(t *testing.T) {
	x := newReached(t, filepath.Join(t.TempDir(), "gapless.db"))
	for _, e := range []doc{
		ofBatch("e1", "1", "B"), ofBatch("e2", "2", "B"), ofBatch("e3", "3", "OTHER"), lotReleased("q1", "1"), lotReleased("q3", "3"),
		batchHeld("h1", "H-1", "B"), ofBatch("e4", "4", "B"),
	} {
		x.becomes(x.says(e), "recorded")
	}
	x.states(map[string]string{"1": "blocked", "2": "blocked", "3": "free", "4": "blocked"})
	x.becomes(x.says(batchFreed("h2", "H-1", "B")), "recorded")
	x.becomes(x.says(ofBatch("e5", "5", "B")), "recorded")
	x.states(map[string]string{"1": "free", "2": "quality", "3": "free", "4": "quality", "5": "quality"})
	x.verified()
}

func TestAHoldWaitsForTheLotsOfItsBatch(t *testing.T) {
	x := newReached(t, filepath.Join(t.TempDir(), "gapless.db"))
	x.becomes(x.says(batchHeld("h1", "H-1", "B")), "recorded")
	x.becomes(x.says(batchHeld("h2", "H-2", "B")), "recorded")
	x.becomes(x.says(batchFreed("h3", "H-1", "B")), "recorded")
	x.states(map[string]string{})
	x.becomes(x.says(ofBatch("e1", "1", "B")), "recorded")
	x.states(map[string]string{"1": "blocked"})
	x.becomes(x.says(batchFreed("h4", "H-2", "B")), "recorded")
	x.states(map[string]string{"1": "quality"})
	x.verified()
}

func TestALotThatIsHeldByItselfStaysSoWhenItsBatchIsFree(t *testing.T) {
	x := newReached(t, filepath.Join(t.TempDir(), "gapless.db"))
	own := cloud("qms", "h0", "hold.placed", "2026-03-02T09:00:00+01:00", doc{"hold": "hold/qms/H-0", "scope": []any{doc{"kind": "lot", "lot": "lot/M-100/1"}}, "reason": "equipment"})
	for _, e := range []doc{ofBatch("e1", "1", "B"), ofBatch("e2", "2", "B"), own, batchHeld("h1", "H-1", "B"), batchFreed("h2", "H-1", "B")} {
		x.becomes(x.says(e), "recorded")
	}
	x.states(map[string]string{"1": "blocked", "2": "quality"})
	x.verified()
}

func TestAHoldThatIsCorrectedToAnotherBatchLeavesTheLotsOfTheFirst(t *testing.T) {
	x := newReached(t, filepath.Join(t.TempDir(), "gapless.db"))
	for _, e := range []doc{ofBatch("e1", "1", "B"), ofBatch("e2", "2", "C"), batchHeld("h1", "H-1", "B")} {
		x.becomes(x.says(e), "recorded")
	}
	x.states(map[string]string{"1": "blocked"})
	x.becomes(x.says(batchHeld("h2", "H-1", "C", corrects("h1"))), "recorded")
	x.states(map[string]string{"1": "quality", "2": "blocked"})
	x.becomes(x.says(batchHeld("h3", "H-1", "C", reverses("h2"))), "recorded")
	x.becomes(x.says(ofBatch("e3", "3", "C")), "recorded")
	x.states(map[string]string{"1": "quality", "2": "quality"})
	x.verified()
}

// commitsOf is in how many commits the events of a system went on record.
func (x *following) commitsOf(system string) (n int) {
	x.t.Helper()
	err := x.Ledger().Read(x.t.Context(), func(ctx context.Context, r *ledger.Reader) error {
		return r.Query(ctx, "select count(distinct link) from events where system = $1", []any{system}, func(row ledger.Row) error { return row.Scan(&n) })
	})
	if err != nil {
		x.t.Fatal(err)
	}
	return n
}

func TestWhatReachesALotInOneCommitIsNotedInWhateverOrder(t *testing.T) {
	said := []doc{ofBatch("e1", "1", "B"), batchHeld("h1", "H-1", "B"), ofBatch("e2", "2", "B"), batchHeld("h2", "H-2", "B")}
	for i, order := range [][]int{{0, 1, 2, 3}, {1, 3, 0, 2}, {3, 2, 1, 0}, {2, 3, 0, 1}} {
		t.Run(fmt.Sprint(i), func(t *testing.T) {
			x := newReached(t, filepath.Join(t.TempDir(), "gapless.db"))
			var all []doc
			for _, n := range order {
				e := maps.Clone(said[n])
				e["source"] = "graz-all"
				all = append(all, e)
			}
			answers, err := x.take(events(t, key("graz-all"), all...))
			if err != nil || len(answers) != len(all) || x.commitsOf("graz-all") != 1 {
				t.Fatalf("%d answers, %d commits, %v", len(answers), x.commitsOf("graz-all"), err)
			}
			for _, a := range answers {
				x.becomes(a, "recorded")
			}
			x.states(map[string]string{"1": "blocked", "2": "blocked"})
			x.becomes(x.says(batchFreed("h3", "H-1", "B")), "recorded")
			x.states(map[string]string{"1": "blocked", "2": "blocked"})
			x.becomes(x.says(batchFreed("h4", "H-2", "B")), "recorded")
			x.states(map[string]string{"1": "quality", "2": "quality"})
			x.verified()
		})
	}
}

func TestTwoHubsMissNoHoldAndNoLotOfABatchWhateverTheOrder(t *testing.T) {
	t.Parallel()
	dsn := testpostgres.Database(t)
	graz := newReached(t, dsn)
	linz := hubOn(t, flow.Config{Catalog: graz.Catalog(), Ledger: ledger.Config{Database: dsn}, Node: "linz"})
	want := map[string]string{}
	for i := range 30 {
		name := fmt.Sprint(i)
		var both sync.WaitGroup
		both.Go(func() { graz.says(ofBatch("e"+name, name, "B"+name)) })
		both.Go(func() { linz.says(batchHeld("h"+name, "H-"+name, "B"+name, doc{"plant": "linz"})) })
		both.Wait()
		want[name] = "blocked"
	}
	graz.states(want)
	graz.verified()
}
