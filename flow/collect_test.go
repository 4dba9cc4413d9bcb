package flow_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/report"
)

const orderPlan = `
plan: order-to-erp
title: What an order makes is posted, many reports at once
key: order
reactions:
  post:
    on: [production.completed]
    do: {system: erp, command: post-production}
    collect: {until: [order.closed], count: 40, within: 8h}
    amend: {command: correct-production, with: delta}
    within: 5m
complete: {applied: [post]}
cases:
  - name: two reports are one posting
    story:
      - {event: a, type: production.completed, at: "2026-03-02T08:00:00Z"}
      - {event: b, type: production.completed, at: "2026-03-02T14:00:00Z"}
      - {over: post}
      - steps: [{reaction: post, members: [a, b], status: due}]
`

// A collectingHub is a hub whose plan collects, with a clock that only the test moves
// on, and an ERP.
type collectingHub struct {
	*following
	ahead atomic.Int64 // how far the clock was moved, in nanoseconds
}

func (c *collectingHub) pass(d time.Duration) { c.ahead.Add(int64(d)) }

func newCollecting(t testing.TB, changed map[string]string) *collectingHub {
	t.Helper()
	return newCollectingOn(t, filepath.Join(t.TempDir(), "gapless.db"), changed)
}

// newCollectingOn is newCollecting on a database.
func newCollectingOn(t testing.TB, database string, changed map[string]string) *collectingHub {
	t.Helper()
	c := &collectingHub{following: &following{erp: &books{}, wms: &books{}}}
	began := clock()
	c.hub = hubOn(t, c.config(collectingCompany(t, changed), ledger.Config{
		Database: database, Clock: func() time.Time { return began().Add(time.Duration(c.ahead.Load())) },
	}))
	return c
}

func collectingCompany(t testing.TB, changed map[string]string) *catalog.Catalog {
	files := map[string]string{"plans/order-to-erp.yaml": orderPlan}
	maps.Copy(files, changed)
	return company(t, files)
}

func (c *collectingHub) config(cat *catalog.Catalog, l ledger.Config) flow.Config {
	return flow.Config{Catalog: cat, Ledger: l, Systems: map[string]flow.Follower{"erp": {
		System: c.erp, Traits: connector.Traits{Class: connector.Findable, Settles: time.Millisecond, KeyCarrier: "reference"}, SendWithin: time.Second, Wait: 10 * time.Millisecond,
	}}}
}

// restarted is the same hub after its process ended and began again.
func (c *collectingHub) restarted() {
	c.t.Helper()
	c.stop()
	c.hub = hubOn(c.t, c.config(c.Catalog(), ledger.Config{Database: c.database, Clock: c.clock}))
}

// report is what a shift reports of the order.
func (c *collectingHub) report(id, good string, more ...doc) {
	c.t.Helper()
	c.becomes(c.says(lotMade(id, "4711", good, more...)), "recorded")
}

func orderClosed(id string) doc {
	return cloud("erp", id, "order.closed", "2026-03-03T08:00:00Z", doc{"order": "order/1", "outcome": "completed"})
}

// eventually waits for what only a turn of the node brings.
func (c *collectingHub) eventually(what string, holds func() bool) {
	c.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			c.t.Fatalf("it never came to be: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}

// sums are the quantities of each posting, in order.
func (c *collectingHub) sums() []string {
	c.erp.mu.Lock()
	defer c.erp.mu.Unlock()
	all := []string{}
	for _, p := range c.erp.posted {
		text := p.name
		events, _ := p.request["events"].([]any)
		for _, e := range events {
			text += " " + goodOf(e)
		}
		if p.request["basis"] != nil {
			text += " from " + goodOf(p.request["basis"]) + " to " + goodOf(p.request["event"])
		}
		all = append(all, text)
	}
	return all
}

// goodOf is the quantity of an event as a command shows it; "nothing" where it has no data.
func goodOf(e any) string {
	data, ok := e.(map[string]any)["data"].(map[string]any)
	if !ok {
		return "nothing"
	}
	var made struct {
		Outputs []struct{ Quantity struct{ Value json.Number } }
	}
	text, _ := json.Marshal(data)
	if json.Unmarshal(text, &made) != nil || len(made.Outputs) != 1 {
		return fmt.Sprint(data)
	}
	return made.Outputs[0].Quantity.Value.String()
}

func (c *collectingHub) posts(want ...string) {
	c.t.Helper()
	c.eventually(fmt.Sprint(want), func() bool { return cmp.Equal(want, c.sums()) || len(c.sums()) > len(want) })
	if diff := cmp.Diff(want, c.sums()); diff != "" {
		c.t.Fatal(diff)
	}
}

func TestReportsOfAnOrderArePostedTogetherWhenItEnds(t *testing.T) {
	c := newCollecting(t, nil)
	c.becomes(c.says(cloud("erp", "r", "order.released", "2026-03-01T08:00:00Z", doc{"order": "order/1", "type": "production"})), "recorded")
	c.report("e1", "100")
	c.report("e2", "50")
	c.report("e3", "7")
	c.becomes(c.says(lotMade("e2b", "4711", "60", doc{"corrects": "e2"})), "recorded")
	c.becomes(c.says(lotMade("e3b", "4711", "7", doc{"reverses": "e3"})), "recorded")
	c.quiet()
	if got := c.sums(); len(got) != 0 {
		t.Fatalf("posted while the order goes on: %q", got)
	}
	c.becomes(c.says(orderClosed("o")), "recorded")
	c.posts("post-production 100 60")
	first := c.statement(messageKey("graz-mes", "e1"))
	steps, err := c.Ledger().StepsBecauseOf(t.Context(), first.ID())
	if err != nil || len(steps) != 1 || len(steps[0].Members) != 2 || steps[0].Members[0] != first.ID() {
		t.Fatalf("the posting of the first report: %+v %v", steps, err)
	}
	c.verified()

	// What changes afterwards is brought member by member.
	c.becomes(c.says(lotMade("e1b", "4711", "90", doc{"corrects": "e1"})), "recorded")
	c.posts("post-production 100 60", "correct-production from 100 to 90")
	c.becomes(c.says(lotMade("e1c", "4711", "90", doc{"reverses": "e1b"})), "recorded")
	c.posts("post-production 100 60", "correct-production from 100 to 90", "correct-production from 90 to nothing")
	c.verified()
}

func TestTheWindowOfABundleEndsThoughTheHubStoppedMeanwhile(t *testing.T) {
	c := newCollecting(t, nil)
	c.report("e1", "100")
	opened := c.clock()
	c.pass(7 * time.Hour)
	c.report("e2", "50")
	got := c.traced("order/1")
	if len(got.Gathers) != 1 || got.Gathers[0].Name != "post/1" || got.Gathers[0].Due.Sub(opened).Round(time.Minute) != 8*time.Hour {
		t.Errorf("the trace of an order that gathers: %+v", got.Gathers)
	}
	c.stop()
	c.pass(2 * time.Hour)
	c.restarted()
	c.posts("post-production 100 50")
	if got := c.traced("order/1"); len(got.Gathers) != 0 || len(got.Steps) != 1 || len(got.Steps[0].Members) != 2 {
		t.Errorf("the trace of the order: %+v", got)
	}
	c.report("e3", "7") // the next bundle has a window of its own
	c.pass(2 * time.Hour)
	c.quiet()
	c.posts("post-production 100 50")
	c.pass(7 * time.Hour)
	c.posts("post-production 100 50", "post-production 7")
	c.verified()
}

// traced is the one transaction in the trace of an object.
func (c *collectingHub) traced(ref string) report.Followed {
	c.t.Helper()
	trace, err := report.TraceOf(c.t.Context(), c.Ledger(), ref)
	if err != nil || len(trace.Followed) != 1 {
		c.t.Fatalf("trace of %s: %+v %v", ref, trace.Followed, err)
	}
	return trace.Followed[0]
}

func TestAPlantThatDoesNotCollectPostsEachReport(t *testing.T) {
	plant := companyFile(t, "plants/graz.yaml") + "\ncollect:\n  order-to-erp/post: {off: true}\n"
	c := newCollecting(t, map[string]string{"plants/graz.yaml": plant})
	c.report("e1", "100")
	c.report("e2", "50")
	c.posts("post-production 100", "post-production 50") // one mapping serves both
	c.verified()
}

func companyFile(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata/company", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Whatever befalls answers and the hub, with windows that end at any time: what the ERP
// has of every report in the end is what counts of it, and it has each once.
func TestEveryReportIsPostedOnceWhateverBefalls(t *testing.T) {
	c := newCollecting(t, nil)
	dice := rand.New(rand.NewPCG(11, 1)) //nolint:gosec // the same story each time
	var calm atomic.Bool
	c.erp.fate = func(connector.Command) fate { // called under its lock
		if calm.Load() {
			return well
		}
		return []fate{well, well, well, lostAfter, lostBefore, notSent}[rand.IntN(6)] //nolint:gosec // as it falls
	}
	type stands struct {
		id   string // of the newest message
		good int
	}
	reports := []stands{}
	for turn := range 60 {
		id := fmt.Sprint("m", turn)
		switch at := dice.IntN(max(len(reports), 1)); {
		case dice.IntN(10) < 5 || len(reports) == 0:
			reports = append(reports, stands{id, 100 + turn})
			c.report(id, fmt.Sprint(100+turn))
		case reports[at].good == 0: // it is reversed already
			c.pass(time.Duration(dice.IntN(10)) * time.Hour)
		case dice.IntN(3) == 0:
			c.report(id, fmt.Sprint(reports[at].good), doc{"reverses": reports[at].id})
			reports[at] = stands{id, 0}
		default:
			c.report(id, fmt.Sprint(500+turn), doc{"corrects": reports[at].id})
			reports[at] = stands{id, 500 + turn}
		}
		switch dice.IntN(12) {
		case 0:
			c.restarted()
		case 1, 2:
			c.pass(time.Duration(dice.IntN(10)) * time.Hour)
		}
	}
	calm.Store(true)
	c.pass(9 * time.Hour)
	want := 0
	for _, r := range reports {
		want += r.good
	}
	c.eventually("every window is over", func() bool {
		timers, err := c.Ledger().NextTimer(t.Context())
		return err == nil && timers.IsZero()
	})
	c.quiet()
	got, seen := 0, map[string]bool{}
	c.erp.mu.Lock()
	defer c.erp.mu.Unlock()
	for _, p := range c.erp.posted {
		if seen[p.key] {
			t.Errorf("command %s was posted twice", p.key)
		}
		seen[p.key] = true
		events, _ := p.request["events"].([]any)
		for _, e := range events {
			key, _, _ := strings.Cut(e.(doc)["id"].(string), ".")
			if seen[key] {
				t.Errorf("report %s was posted twice", key)
			}
			seen[key] = true
			got += amount(goodOf(e))
		}
		if p.request["basis"] != nil {
			got += amount(goodOf(p.request["event"])) - amount(goodOf(p.request["basis"]))
		}
	}
	if got != want || len(seen) < 10 {
		t.Errorf("the ERP has %d of %d: %+v", got, want, reports)
	}
	c.verified()
}

func amount(good string) int {
	n, _ := strconv.Atoi(good) // "nothing" is nothing
	return n
}
