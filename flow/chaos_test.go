package flow_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/connector/simulated"
	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/internal/testpostgres"
	"github.com/gapless/gapless/ledger"
)

// troubled is a system that loses answers, is late, locks records and is busy.
func troubled(t testing.TB, class connector.Class, seed uint64, now func() time.Time) (*simulated.System, flow.Follower) {
	t.Helper()
	s, err := simulated.New(simulated.Config{
		Class: class, Settles: 40 * time.Millisecond, Now: now, Seed: seed, Lag: 30 * time.Millisecond,
		Rates: simulated.Rates{LostBefore: 100, LostAfter: 100, Late: 100, Refused: 50, Busy: 10},
	})
	if err != nil {
		t.Fatal(err)
	}
	return s, flow.Follower{System: s, Traits: s.Traits(), Concurrency: 8, Timeout: time.Second, SendWithin: 200 * time.Millisecond, Wait: 5 * time.Millisecond}
}

// shift is a random working day: lots are made, corrected, taken back, released,
// rejected, held and let go. It says what must hold in the end.
type shift struct {
	x      *following
	random *rand.Rand
	lots   []*madeLot
	n      int
}

type madeLot struct {
	name, last string // of its last production message
	good       int    // 0: reversed
	reversed   bool
	status     string
	holds      map[string]bool
}

func (s *shift) id() string { s.n++; return fmt.Sprintf("m%04d", s.n) }

func (s *shift) act() {
	if len(s.lots) < 3 || s.random.IntN(4) == 0 {
		l := &madeLot{name: fmt.Sprintf("L%03d", len(s.lots)), last: s.id(), good: 1 + s.random.IntN(500), status: "created", holds: map[string]bool{}}
		s.lots = append(s.lots, l)
		s.x.becomes(s.x.says(lotMade(l.last, l.name, fmt.Sprint(l.good))), "recorded")
		return
	}
	l := s.lots[s.random.IntN(len(s.lots))]
	at := fmt.Sprintf("2026-03-03T%02d:%02d:%02d+01:00", s.n/3600, s.n/60%60, s.n%60)
	lot := "lot/M-100/" + l.name
	switch what := s.random.IntN(8); {
	case what < 2 && !l.reversed:
		id := s.id()
		l.good = 1 + s.random.IntN(500)
		s.x.becomes(s.x.says(lotMade(id, l.name, fmt.Sprint(l.good), corrects(l.last))), "recorded")
		l.last = id
	case what == 2 && !l.reversed && l.status == "created" && len(l.holds) == 0:
		s.x.becomes(s.x.says(lotMade(s.id(), l.name, "1", reverses(l.last))), "recorded")
		l.reversed = true
	case what == 3 && !l.reversed:
		hold := "hold/qms/" + s.id()
		s.x.becomes(s.x.says(quality(s.id(), "hold.placed", at, doc{"hold": hold, "scope": []any{doc{"kind": "lot", "lot": lot}}, "reason": "supplier-notice"})), "recorded")
		l.holds[hold] = true
	case what == 4 && len(l.holds) > 0:
		for hold := range l.holds {
			s.x.becomes(s.x.says(quality(s.id(), "hold.lifted", at, doc{"hold": hold, "scope": []any{doc{"kind": "lot", "lot": lot}}})), "recorded")
			delete(l.holds, hold)
			break
		}
	case what >= 5 && !l.reversed && len(l.holds) == 0 && l.status != "rejected":
		if what == 7 {
			s.x.becomes(s.x.says(quality(s.id(), "lot.rejected", at, doc{"lot": lot, "reason": "supplier-notice"})), "recorded")
			l.status = "rejected"
			return
		}
		s.x.becomes(s.x.says(quality(s.id(), "lot.released", at, doc{"lot": lot})), "recorded")
		l.status = "released"
	}
}

// wanted is the stock status that a lot must have in the end; "" where quality
// never said anything.
func (l *madeLot) wanted() string {
	switch {
	case len(l.holds) > 0 || l.status == "rejected":
		return "blocked"
	case l.status == "released":
		return "free"
	}
	return ""
}

// received adds up what the books say was received of each lot, and which stock
// status came last.
func received(t *testing.T, books []simulated.Entry) (good map[event.Ref]int, status map[event.Ref]string) {
	t.Helper()
	good, status = map[event.Ref]int{}, map[event.Ref]string{}
	keys := map[string]int{}
	for _, e := range books {
		if keys[e.Key]++; keys[e.Key] > 1 {
			t.Errorf("%s of %s was done twice (command %s)", e.Name, e.Subject, e.Key)
		}
		switch e.Name {
		case "receive-goods":
			good[e.Subject] += quantityIn(t, e.Request, "event")
		case "correct-receipt":
			good[e.Subject] += quantityIn(t, e.Request, "event") - quantityIn(t, e.Request, "basis")
		case "reverse-receipt":
			good[e.Subject] -= quantityIn(t, e.Request, "basis")
		case "stock-status":
			status[e.Subject], _ = e.Request["wanted"].(string)
		}
	}
	return good, status
}

func quantityIn(t *testing.T, request map[string]any, part string) int {
	t.Helper()
	e, _ := request[part].(map[string]any)
	data, _ := e["data"].(map[string]any)
	outputs, _ := data["outputs"].([]any)
	if len(outputs) != 1 {
		t.Fatalf("%s of the command has no output: %v", part, request)
	}
	output, _ := outputs[0].(map[string]any)
	quantity, _ := output["quantity"].(map[string]any)
	var n int
	if _, err := fmt.Sscan(fmt.Sprint(quantity["value"]), &n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestWhateverBefallsAnswersEverythingIsDoneOnceAndInTheEnd(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("random working days take long")
	}
	for _, class := range []connector.Class{connector.Keyed, connector.Findable} {
		for seed := range uint64(2) {
			t.Run(fmt.Sprintf("%s seed %d", class, seed), func(t *testing.T) {
				now := time.Now
				erp, erpFollower := troubled(t, class, seed, now)
				wms, wmsFollower := troubled(t, class, seed+100, now)
				x := &following{hub: hubOn(t, flow.Config{
					Catalog: followingCompany(t), Ledger: ledger.Config{Database: filepath.Join(t.TempDir(), "gapless.db"), Clock: now},
					Systems: map[string]flow.Follower{"erp": erpFollower, "graz-wms": wmsFollower},
				})}
				s := &shift{x: x, random: rand.New(rand.NewPCG(seed, 7))}
				for range 120 {
					s.act()
				}
				x.quiet()
				s.check(t, erp, wms)
				x.verified()
			})
		}
	}
}

func TestTwoNodesOnOneLedgerDoEverythingOnce(t *testing.T) {
	dsn := testpostgres.Database(t)
	now := time.Now
	erp, erpFollower := troubled(t, connector.Findable, 1, now)
	wms, wmsFollower := troubled(t, connector.Findable, 2, now)
	node := func(name string) *hub {
		return hubOn(t, flow.Config{
			Catalog: followingCompany(t), Node: name, Ledger: ledger.Config{Database: dsn, Clock: now},
			Systems: map[string]flow.Follower{"erp": erpFollower, "graz-wms": wmsFollower},
		})
	}
	x := &following{hub: node("a")}
	other := node("b")
	s := &shift{x: x, random: rand.New(rand.NewPCG(1, 7))}
	for i := range 120 {
		s.act()
		if i == 60 {
			other.stop() // it dies with what it has claimed
			other = node("c")
		}
	}
	x.quiet()
	s.check(t, erp, wms)
	x.verified()
}

// check compares the books of the systems with what was said.
func (s *shift) check(t *testing.T, erp, wms *simulated.System) {
	t.Helper()
	good, status := received(t, erp.Books())
	_, store := received(t, wms.Books())
	wantGood, wantStatus := map[event.Ref]int{}, map[event.Ref]string{}
	for _, l := range s.lots {
		lot := event.Ref("lot/M-100/" + l.name)
		wantGood[lot] = l.good
		if l.reversed {
			wantGood[lot] = 0
		}
		if w := l.wanted(); w != "" {
			wantStatus[lot] = w
		}
	}
	for lot, w := range wantGood {
		if good[lot] != w {
			t.Errorf("%s: the ERP has %d, %d were made", lot, good[lot], w)
		}
	}
	for lot, w := range wantStatus {
		if status[lot] != w || store[lot] != w {
			t.Errorf("%s: ERP %q, warehouse %q; quality says %q", lot, status[lot], store[lot], w)
		}
	}
	if diff := cmp.Diff(len(wantStatus) > 0, len(status) > 0); diff != "" {
		t.Error(diff)
	}
}
