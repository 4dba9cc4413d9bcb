package flow_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/ledger"
)

// TestHoweverPeopleDecideEachCommandIsDoneOnceAndEachExceptionHasOneEnd lets people
// resume, waive and edit, begin, pause and cancel bulk work and replays, one on top of the
// other, while sources repeat themselves, the ERP opens and closes, and the hub is stopped
// and started under one catalog or another.
func TestHoweverPeopleDecideEachCommandIsDoneOnceAndEachExceptionHasOneEnd(t *testing.T) {
	t.Parallel()
	runs := 0
	rapid.Check(t, func(g *rapid.T) {
		if runs++; runs > 15 { // each starts hubs
			return
		}
		decideAnyhow(t, g)
	})
}

func decideAnyhow(t *testing.T, g *rapid.T) {
	x := newDeciding(t, g)
	acts := []func(){
		x.editOne, x.restart, x.propose, x.turn, x.runReplay,
		func() { x.resolveOne(flow.Resume) },
		func() {
			x.beginBulk(x.cause, ledger.BulkResume, ledger.BulkResume, ledger.BulkWaive, ledger.BulkComment)
		},
		func() { x.beginBulk(x.unmapped, ledger.BulkResume, ledger.BulkComment) },
		func() { x.resolveOne(flow.Waive) },
		x.moveWork, x.repeat,
	}
	for _, act := range rapid.Permutation(slices.Concat(acts, acts)).Draw(g, "acts") {
		act()
	}
	for _, id := range x.works {
		x.toTheEnd(id)
	}
	x.quiet()
	x.eachOnce(x.erp)
	for _, came := range x.weighings {
		x.asEdited(came)
	}
	x.verified()
	x.stop()
}

// deciding is a hub at which people do everything that the desk lets them do.
type deciding struct {
	*following
	g         *rapid.T
	cfg       flow.Config
	catalogs  []*catalog.Catalog // the second one counts otherwise
	catalog   int                // which of them is in force
	closed    atomic.Bool        // the ERP refuses everything
	cause     ledger.Cause       // of all that the ERP has refused
	unmapped  ledger.Cause       // of the weighings, as long as they are held
	works     []string           // ids of bulk work and of replays
	replays   []string           // those of the works that are replays
	sent      []flow.Delivery    // what the MES has delivered
	weighings []flow.Answer      // those that were held as they came
	edited    map[string]string  // units by the id of the message as it came
}

func newDeciding(t *testing.T, g *rapid.T) *deciding {
	x := &deciding{following: &following{erp: &books{}}, g: g, edited: map[string]string{}}
	x.erp.fate = func(connector.Command) fate {
		if x.closed.Load() {
			return refuses
		}
		return well
	}
	plan := map[string]string{"plans/lot-to-stock.yaml": lotPlan, "systems/graz-wms.yaml": "system: graz-wms\ntitle: Warehouse\nroles: [wms]\nplants: [graz]\n"}
	for _, more := range [][]map[string]string{{editableWeighing(t)}, {doubled(t), inDozens(t)}} {
		files := maps.Clone(plan)
		for _, changed := range more {
			maps.Copy(files, changed)
		}
		x.catalogs = append(x.catalogs, company(t, files))
	}
	follower := findable(x.erp)
	follower.Timeout = time.Second
	x.cfg = flow.Config{
		Catalog: x.catalogs[0], Ledger: ledger.Config{Database: filepath.Join(t.TempDir(), "gapless.db"), Clock: clock()},
		Systems: map[string]flow.Follower{"erp": follower},
	}
	x.hub = hubOn(t, x.cfg)
	x.says(material("m1", "FREE", "material/M-9", ""))
	x.closed.Store(rapid.Bool().Draw(g, "closed")) // else the rows are received, and what they are corrected to is an amendment
	for i := range rapid.IntRange(1, 3).Draw(g, "rows") {
		x.becomes(x.send(shiftRow(fmt.Sprint(i), "8")), "recorded")
	}
	x.quiet()
	x.closed.Store(true)
	x.makeLots(0, rapid.IntRange(1, 100).Draw(g, "lots"))
	x.quiet()
	x.cause = x.theGroup().Cause
	for i := range rapid.IntRange(1, 3).Draw(g, "weighings") {
		came := x.send(weighed(fmt.Sprint("W-", i), "0.5", "Kilo"))
		x.becomes(came, "held code_unknown")
		x.weighings = append(x.weighings, came)
	}
	x.unmapped = ledger.Cause{Plant: "graz", System: "graz-mes", About: "message", Name: "weighing", Reason: "code_unknown"}
	return x
}

// send delivers something that may be delivered again.
func (x *deciding) send(d flow.Delivery) flow.Answer {
	x.sent = append(x.sent, d)
	return x.one(d)
}

// told allows that somebody is told that it was decided already.
func (x *deciding) told(err error) {
	x.t.Helper()
	if err != nil && !errors.Is(err, fault.DecidedAlready) {
		x.t.Fatal(err)
	}
}

// turn opens the ERP, or closes it.
func (x *deciding) turn() { x.closed.Store(!x.closed.Load()) }

func (x *deciding) resolveOne(how flow.How) {
	open, _, err := x.Ledger().Desk(x.t.Context(), ledger.DeskFilter{Cause: &x.cause, Limit: 5})
	x.told(err)
	if len(open) > 0 {
		x.told(x.Resolve(x.t.Context(), flow.Resolution{Command: open[len(open)-1].Step, By: anna, How: how, Why: "tried"}))
	}
}

func (x *deciding) beginBulk(cause ledger.Cause, whats ...ledger.BulkWhat) {
	what := rapid.SampledFrom(whats).Draw(x.g, "what")
	work, err := x.StartBulk(x.t.Context(), otto.Name, ledger.BulkStart{What: what, Cause: cause, First: rapid.IntRange(0, 20).Draw(x.g, "first"), Why: "tried"})
	x.told(err)
	x.works = append(x.works, work.ID)
}

func (x *deciding) moveWork() {
	if len(x.works) > 0 {
		to := rapid.SampledFrom([]string{ledger.BulkPaused, ledger.BulkRunning, ledger.BulkCancelled}).Draw(x.g, "to")
		_, err := x.MoveBulk(x.t.Context(), anna.Name, rapid.SampledFrom(x.works).Draw(x.g, "work"), to, "")
		x.told(err)
	}
}

// editOne edits a weighing as it came: that goes on record once.
func (x *deciding) editOne() {
	came := rapid.SampledFrom(x.weighings).Draw(x.g, "weighing")
	unit := rapid.SampledFrom([]string{"kg", "Stk"}).Draw(x.g, "unit")
	a, _, err := x.edit(came.Message, stella, "unit", unit)
	if _, before := x.edited[came.Message]; before {
		refusedEdit(x.t, err, fault.DecidedAlready, "later version")
		return
	}
	if err != nil {
		x.t.Fatal(err)
	}
	x.becomes(a, "recorded")
	x.edited[came.Message] = unit
}

// repeat delivers something again: it is a duplicate, or is still held.
func (x *deciding) repeat() {
	a := x.one(rapid.SampledFrom(x.sent).Draw(x.g, "again"))
	if a.Outcome != ledger.Duplicate && a.Outcome != ledger.Held {
		x.t.Errorf("%s again: %s", a.ID, outcome(a))
	}
}

func (x *deciding) propose() {
	c := rapid.SampledFrom([]ledger.Choice{{System: "graz-mes"}, {Message: "weighing"}, {Message: "shift-report"}, {Outdated: true}}).Draw(x.g, "choice")
	c.Plant = "graz"
	p, err := x.ProposeReplay(x.t.Context(), anna.Name, &c, "tried")
	x.told(err)
	if p.ID != "" {
		x.works, x.replays = append(x.works, p.ID), append(x.replays, p.ID)
	}
}

func (x *deciding) runReplay() {
	if len(x.replays) > 0 {
		x.runProposed(rapid.SampledFrom(x.replays).Draw(x.g, "replay"))
	}
}

// runProposed runs a replay where it is proposed, and was under the catalog in force.
func (x *deciding) runProposed(id string) {
	x.over(id, ledger.ReplayProposed, ledger.BulkRunning, ledger.BulkPaused, ledger.BulkCancelled, ledger.BulkDone)
	_, err := x.RunReplay(x.t.Context(), otto.Name, id, "")
	x.told(err)
}

func (x *deciding) restart() {
	x.stop()
	if rapid.Bool().Draw(x.g, "changed") {
		x.catalog = 1 - x.catalog
	}
	x.cfg.Catalog = x.catalogs[x.catalog]
	x.hub = hubOn(x.t, x.cfg)
}

// toTheEnd lets work run to its end, where it was not cancelled. A replay that was looked
// at under another catalog stays proposed.
func (x *deciding) toTheEnd(id string) {
	ends := []string{ledger.BulkDone, ledger.BulkCancelled}
	if slices.Contains(x.replays, id) {
		x.runProposed(id)
		if r, err := x.Ledger().Replay(x.t.Context(), id); err != nil || r.Revision != x.Catalog().Digest() {
			x.told(err)
			ends = append(ends, ledger.ReplayProposed)
		}
	}
	_, err := x.MoveBulk(x.t.Context(), anna.Name, id, ledger.BulkRunning, "")
	x.told(err)
	if done := x.over(id, ends...); done.State == ledger.BulkDone && done.Left() != 0 {
		x.t.Errorf("%s %s is done, and %d are left", done.What, id, done.Left())
	}
}

// asEdited checks that a weighing stands by its edit, as the catalog had it that made its
// statement, or is held as it came.
func (x *deciding) asEdited(came flow.Answer) {
	key, _, err := event.ParseStatementID(came.Message)
	if err != nil {
		x.t.Fatal(err)
	}
	all, err := x.Ledger().EventsOfMessage(x.t.Context(), key)
	if err != nil {
		x.t.Fatal(err)
	}
	m, err := x.Ledger().Newest(x.t.Context(), key)
	if err != nil {
		x.t.Fatal(err)
	}
	unit, edited := x.edited[came.Message]
	if !edited {
		if len(all) != 0 || !m.Held || m.StatementID() != came.Message {
			x.t.Errorf("nobody has edited %s, and it has %d events; held: %t", came.Message, len(all), m.Held)
		}
		return
	}
	if len(all) != 1 || m.Held || m.Version != 2 {
		x.t.Fatalf("%s was edited, and has %d events, as version %d; held: %t", came.Message, len(all), m.Version, m.Held)
	}
	want := map[string]string{"kg": "KGM", "Stk": "H87"}[unit]
	if amount := map[bool]string{true: "1 ", false: "0.5 "}[all[0].Revision == x.catalogs[1].Digest()] + want; weight(&all[0]) != amount {
		x.t.Errorf("%s stands as %s, want %s", came.Message, weight(&all[0]), amount)
	}
	if e := &all[0]; !e.Edited || e.Message != m.StatementID() {
		x.t.Errorf("%s stands by %s, edited: %t", came.Message, e.Message, e.Edited)
	}
}

// eachOnce checks that no command was done twice, and that each exception has one end.
func (x *following) eachOnce(erp *books) {
	x.t.Helper()
	erp.mu.Lock()
	defer erp.mu.Unlock()
	done := map[string]bool{}
	for _, p := range erp.posted {
		if done[p.key] {
			x.t.Errorf("command %s was done twice", p.key)
		}
		done[p.key] = true
	}
	all, more, err := x.Ledger().Desk(context.Background(), ledger.DeskFilter{State: ledger.DeskAll, Limit: 10_000})
	if err != nil || more {
		x.t.Fatal(err, more)
	}
	ends := map[string]string{}
	for i := range all {
		e := &all[i]
		if open := e.State == ledger.DeskOpen; open != e.Ended.IsZero() {
			x.t.Errorf("the exception of %s is %s and ended at %s", e.Exception.ID(), e.State, e.Ended)
		}
		if e.State == ledger.DeskWaived && done[e.Step] {
			x.t.Errorf("command %s was waived, and done", e.Step)
		}
		if e.State != ledger.DeskResolved {
			if before := ends[e.Key()]; before != "" {
				x.t.Errorf("%s has two last exceptions: %s and %s", e.Key(), before, e.State)
			}
			ends[e.Key()] = e.State
		}
	}
	for _, state := range ends {
		if state != ledger.DeskOpen && state != ledger.DeskWaived {
			x.t.Errorf("an exception is %s", state)
		}
	}
}
