package flow_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/internal/testpostgres"
	"github.com/gapless/gapless/ledger"
)

// TestAReplayGoesOnWhereTheHubWasStopped stops the hub in the middle of the dry run and of
// the run, as often as it takes.
func TestAReplayGoesOnWhereTheHubWasStopped(t *testing.T) {
	t.Parallel()
	x := newReplaying(t, filepath.Join(t.TempDir(), "gapless.db"))
	const rows = 300
	for at := 0; at < rows; at += 100 {
		var lines []string
		for i := at; i < at+100; i++ {
			lines = append(lines, string(shiftRow(fmt.Sprint(i), "8").Body))
		}
		d := native("shift-report", "application/x-ndjson", strings.Join(lines, "\n"))
		if all, err := x.take(d); err != nil || len(all) != 100 {
			t.Fatal(len(all), err)
		}
	}
	x.quiet()
	files := inDozens(t)
	systems := x.cfg.Systems
	x.cfg.Systems = nil // nothing is sent before everything has had its turn
	x.under(files)
	p, err := x.ProposeReplay(t.Context(), "anna", &ledger.Choice{Plant: "graz", Message: "shift-report"}, "")
	if err != nil {
		t.Fatal(err)
	}
	stops := 0
	until := func(state string) {
		for x.further(p.ID, state) {
			x.under(files)
			stops++
		}
	}
	until(ledger.ReplayProposed)
	if r := x.replay(p.ID); r.Found[ledger.ReplayCorrected] != rows || r.Examined != rows {
		t.Errorf("%+v", r)
	}
	if _, err := x.RunReplay(t.Context(), "anna", p.ID, ""); err != nil {
		t.Fatal(err)
	}
	until(ledger.BulkDone)
	x.cfg.Systems = systems
	x.under(files)
	x.quiet()
	if stops == 0 {
		t.Error("it was done before the hub could be stopped")
	}
	if work := x.replay(p.ID); work.Outcomes[ledger.BulkCorrected] != rows {
		t.Errorf("%+v after %d stops", work, stops)
	}
	if got := x.erp.lines(); len(got) != 2*rows {
		t.Errorf("the ERP has %d postings", len(got))
	}
	x.postedOnce()
	x.verified()
}

// TestACommitOfAReplayThatFailsIsMadeOnce lets the commits of a dry run and of its run fail
// before anything of them is on record, and after all of it is but the answer is lost.
func TestACommitOfAReplayThatFailsIsMadeOnce(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"before begin", "before commit", "after commit"} {
		t.Run(step, func(t *testing.T) {
			x := newReplaying(t, filepath.Join(t.TempDir(), "gapless.db"))
			for i := range 20 {
				x.becomes(x.one(shiftRow(fmt.Sprint(i), "8")), "recorded")
			}
			x.quiet()
			var failing atomic.Int64
			x.cfg.Ledger.Faults = func(at string) error {
				if at == step && failing.Add(-1) >= 0 {
					return errors.New("the database is away")
				}
				return nil
			}
			x.under(inDozens(t))
			failing.Store(3)
			r := x.proposed(ledger.Choice{Message: "shift-report"})
			if left := failing.Load(); left > 0 || r.Found[ledger.ReplayCorrected] != 20 || r.Examined != 20 {
				t.Errorf("%d commits have not failed: %+v", left, r)
			}
			if got := x.figures(r.ID); len(got) != 20 {
				t.Errorf("%v", got)
			}
			if _, err := x.RunReplay(t.Context(), anna.Name, r.ID, ""); err != nil {
				t.Fatal(err)
			}
			failing.Store(3)
			done := x.over(r.ID, ledger.BulkDone)
			x.quiet()
			if diff := cmp.Diff(map[ledger.BulkOutcome]int64{ledger.BulkCorrected: 20}, done.Outcomes); diff != "" {
				t.Error(diff)
			}
			if got := x.erp.lines(); len(got) != 40 {
				t.Errorf("the ERP has %d postings", len(got))
			}
			x.postedOnce()
			x.verified()
		})
	}
}

func TestAReplayAsksWhatBecameOfALostAnswerBeforeAnythingIsAmended(t *testing.T) {
	x := newReplaying(t, filepath.Join(t.TempDir(), "gapless.db"))
	x.erp.fate = func(cmd connector.Command) fate {
		if cmd.Attempt == 1 {
			return lostAfter
		}
		return well
	}
	x.becomes(x.one(shiftRow("1", "8")), "recorded")
	x.quiet()
	x.under(inDozens(t))
	x.run(x.proposed(ledger.Choice{Outdated: true}).ID)
	x.quiet()
	if diff := cmp.Diff([]string{"receive-goods lot/FREE/L1", "correct-receipt lot/FREE/L1"}, x.erp.lines()); diff != "" {
		t.Error(diff)
	}
	x.postedOnce()
	x.verified()
}

func TestTwoHubsReplayOnce(t *testing.T) {
	dsn := testpostgres.Database(t)
	x := newReplaying(t, dsn)
	for i := range 150 {
		x.becomes(x.one(shiftRow(fmt.Sprint(i), "8")), "recorded")
	}
	x.quiet()
	x.under(inDozens(t))
	other := x.cfg
	other.Node = "second"
	hubOn(t, other)
	r := x.proposed(ledger.Choice{Outdated: true})
	if r.Found[ledger.ReplayCorrected] != 150 {
		t.Errorf("%+v", r.Found)
	}
	done := x.run(r.ID)
	x.quiet()
	if diff := cmp.Diff(map[ledger.BulkOutcome]int64{ledger.BulkCorrected: 150}, done.Outcomes); diff != "" {
		t.Error(diff)
	}
	if got := x.erp.lines(); len(got) != 300 {
		t.Errorf("the ERP has %d postings", len(got))
	}
	x.postedOnce()
	x.verified()
}

func TestADryRunOfAnotherCatalogIsCancelled(t *testing.T) {
	x := newReplaying(t, filepath.Join(t.TempDir(), "gapless.db"))
	x.becomes(x.one(shiftRow("1", "8")), "recorded")
	c := ledger.Choice{Plant: "graz"}
	chosen, err := x.Ledger().Choose(t.Context(), &c, nil)
	if err != nil {
		t.Fatal(err)
	}
	r, err := x.Ledger().StartReplay(t.Context(), "anna", &c, &chosen, "another", "")
	if err != nil {
		t.Fatal(err)
	}
	x.over(r.ID, ledger.BulkCancelled)
	acts, err := x.Ledger().ActsOn(t.Context(), "bulk/"+r.ID)
	if last := acts[len(acts)-1]; err != nil || last.Act != "bulk.cancelled" || last.Principal != "hub@node" || !strings.Contains(last.Detail, "propose it anew") {
		t.Errorf("%+v, %v", last, err)
	}
}

// postedOnce checks that no command was done twice.
func (x *replaying) postedOnce() {
	x.t.Helper()
	x.erp.mu.Lock()
	defer x.erp.mu.Unlock()
	done := map[string]bool{}
	for _, p := range x.erp.posted {
		if done[p.key] {
			x.t.Errorf("command %s was done twice", p.key)
		}
		done[p.key] = true
	}
}

// further waits until a replay has come further, and tells whether that was before it came
// to a state.
func (x *replaying) further(id, state string) bool {
	x.t.Helper()
	before := x.replay(id)
	for tick, deadline := time.NewTicker(2*time.Millisecond), time.Now().Add(time.Minute); ; <-tick.C {
		now := x.replay(id)
		if now.State == state {
			return false
		}
		if now.Examined > before.Examined || now.Left() < before.Left() {
			return true
		}
		if time.Now().After(deadline) {
			x.t.Fatalf("it does not go on: %+v", now)
		}
	}
}

// TestReplayingAnythingUnderTheSameCatalogMovesNothing plays a random shift and replays
// all of it, as often as is drawn.
func TestReplayingAnythingUnderTheSameCatalogMovesNothing(t *testing.T) {
	t.Parallel()
	runs := 0
	rapid.Check(t, func(g *rapid.T) {
		if runs++; runs > 5 { // each starts a hub
			return
		}
		x := newReplaying(t, filepath.Join(t.TempDir(), "gapless.db"))
		defer x.stop()
		for i := range rapid.IntRange(1, 20).Draw(g, "acts") {
			lot := fmt.Sprint(rapid.IntRange(1, 4).Draw(g, "lot"))
			switch rapid.IntRange(0, 6).Draw(g, "act") {
			case 0:
				x.one(shiftRow(lot, fmt.Sprint(rapid.IntRange(1, 8).Draw(g, "good"))))
			case 1:
				x.says(lotMade(fmt.Sprint("e", i), lot, "100"))
			case 2:
				x.says(lotMade(fmt.Sprint("e", i), lot, "90", corrects(fmt.Sprint("e", i-1))))
			case 3:
				x.says(lotMade(fmt.Sprint("e", i), lot, "90", reverses(fmt.Sprint("e", i-1))))
			case 4:
				x.says(lotReleased(fmt.Sprint("q", i), lot))
			case 5:
				x.says(unknownUnit(i))
			case 6:
				x.one(row("2026-03-02", lot, "NOBILL", "10"))
			}
		}
		x.quiet()
		before := x.moved()
		for range rapid.IntRange(1, 3).Draw(g, "times") {
			r := x.proposed(ledger.Choice{})
			for _, result := range []ledger.ReplayResult{ledger.ReplayCorrected, ledger.ReplayRecorded, ledger.ReplayHeld, ledger.ReplayFailed} {
				if r.Found[result] > 0 {
					t.Errorf("%+v: %+v", r.Found, x.members(r.ID))
				}
			}
			x.run(r.ID)
			x.quiet()
			if after := x.moved(); after != before {
				t.Errorf("something has moved:\n%s\n%s", before, after)
			}
		}
		x.postedOnce()
		x.verified()
	})
}

// TestHoweverItIsReplayedFiguresAreThoseOfTheMappingInForce lets reports come and be restated
// under changing mappings, replays some of them, runs, leaves and cancels the replays and
// stops the hub. In the end, with everything replayed, the figures are those of a hub that
// has only ever known the last mapping, and nothing was posted twice.
func TestHoweverItIsReplayedFiguresAreThoseOfTheMappingInForce(t *testing.T) {
	mappings := []map[string]string{nil, inDozens(t), shiftReport(t, "slot: scrap/{reason}", "slot: rejects/{reason}")}
	runs := 0
	rapid.Check(t, func(g *rapid.T) {
		if runs++; runs > 4 { // each starts hubs
			return
		}
		x := newReplaying(t, filepath.Join(t.TempDir(), "gapless.db"))
		defer func() { x.stop() }()
		inForce := 0
		last := map[string]string{}
		for range rapid.IntRange(3, 15).Draw(g, "acts") {
			order := fmt.Sprint(rapid.IntRange(1, 5).Draw(g, "order"))
			switch rapid.IntRange(0, 4).Draw(g, "act") {
			case 0, 1:
				good := fmt.Sprint(rapid.IntRange(1, 8).Draw(g, "good"))
				a := x.one(shiftRow(order, good))
				if a.Outcome == ledger.Held {
					t.Fatal(outcome(a))
				}
				if a.Outcome != ledger.Duplicate {
					last[order] = good
				}
			case 2:
				inForce = rapid.IntRange(0, len(mappings)-1).Draw(g, "mapping")
				x.under(mappings[inForce])
			default:
				c := ledger.Choice{Plant: "graz", Keys: []string{"order/" + order}}
				p, err := x.ProposeReplay(t.Context(), "anna", &c, "")
				if err != nil || p.ID == "" {
					continue
				}
				if rapid.Bool().Draw(g, "stopped") {
					x.under(mappings[inForce])
				}
				x.over(p.ID, ledger.ReplayProposed)
				if rapid.Bool().Draw(g, "run") {
					if _, err := x.RunReplay(t.Context(), "anna", p.ID, ""); err != nil {
						t.Fatal(err)
					}
				}
			}
		}
		if len(last) > 0 {
			x.run(x.proposed(ledger.Choice{Message: "shift-report"}).ID)
		}
		x.quiet()
		fresh := newReplaying(t, filepath.Join(t.TempDir(), "gapless.db"))
		defer func() { fresh.stop() }()
		fresh.under(mappings[inForce])
		for order, good := range last {
			fresh.becomes(fresh.one(shiftRow(order, good)), "recorded")
		}
		if got, want := x.produced("H87"), fresh.produced("H87"); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("the figures are %+v, want %+v", got, want)
		}
		x.postedOnce()
		x.verified()
	})
}
