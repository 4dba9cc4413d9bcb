package flow_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/connector/simulated"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/internal/testpostgres"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/transaction"
)

const lotPlan = `
plan: lot-to-stock
title: What is made is received, and its stock follows the decisions of quality
key: lot
reactions:
  receive:
    on: [production.completed]
    do: {system: erp, command: receive-goods}
    within: 5m
    amend: {command: correct-receipt, with: delta}
    undo: {command: reverse-receipt}
  status:
    ensure: stock-status
    from: [lot.released, lot.rejected, hold.placed, hold.lifted, inspection.decided]
    wanted:
      - {open: [holds], is: blocked}
      - {status: [rejected], is: blocked}
      - {status: [released], is: free}
      - {is: quality}
    after: [receive]
    in: [erp, wms]
    within: 1m
complete: {applied: [receive], settled: [status]}
cases:
  - name: made
    story:
      - {event: e1, type: production.completed, at: "2026-03-02T08:00:00Z"}
      - steps: [{reaction: receive, status: due}]
`

// books is a system that keeps books of what it has done, and lets a test choose
// what happens to a command. It honours no key, but shows what it has done.
type books struct {
	mu     sync.Mutex
	posted []posting
	fate   func(cmd connector.Command) fate               // nil: all goes well
	judge  func(cmd connector.Command) *connector.Outcome // its answer instead, where it refuses; nil: none
	number int
}

type posting struct {
	key, name, subject, wanted string
	request                    map[string]any
	number                     string
}

type fate int

const (
	well       fate = iota
	lostBefore      // nothing is done, and no answer comes
	lostAfter       // it is done, and no answer comes
	notSent
	refuses
)

func (b *books) Perform(_ context.Context, cmd connector.Command) (connector.Outcome, error) {
	if err := cmd.InTime(time.Now()); err != nil {
		return connector.Outcome{}, err
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.judge != nil {
		if o := b.judge(cmd); o != nil {
			return *o, nil
		}
	}
	what := well
	if b.fate != nil {
		what = b.fate(cmd)
	}
	switch what {
	case lostBefore:
		return connector.Outcome{}, errors.New("connection reset by peer")
	case notSent:
		return connector.Outcome{}, connector.NotSent("books", fault.SystemDown, errors.New("connection refused"))
	case refuses:
		return connector.Outcome{Status: connector.Refused, Reason: fault.PeriodClosed, Text: "Period 2026/03 is closed"}, nil
	case well, lostAfter:
	}
	b.number++
	number := fmt.Sprintf("50000%05d", b.number)
	wanted, _ := cmd.Request["wanted"].(string)
	b.posted = append(b.posted, posting{cmd.Key, cmd.Name, string(cmd.Subject), wanted, cmd.Request, number})
	if what == lostAfter {
		return connector.Outcome{}, errors.New("timeout awaiting response headers")
	}
	return connector.Outcome{Status: connector.Applied, Documents: []connector.Document{{Number: number, Kind: "material-document"}}}, nil
}

func (b *books) Find(_ context.Context, cmd connector.Command) (connector.Finding, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range b.posted {
		if p.key == cmd.Key {
			return connector.Finding{Status: connector.FoundApplied, Documents: []connector.Document{{Number: p.number, Kind: "material-document"}}}, nil
		}
	}
	return connector.Traits{Class: connector.Findable, Settles: time.Millisecond}.Missing(cmd, today.Add(1000*time.Hour)), nil
}

// lines are the postings in short, in order.
func (b *books) lines() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	all := []string{}
	for _, p := range b.posted {
		line := p.name + " " + p.subject
		if p.wanted != "" {
			line += " " + p.wanted
		}
		all = append(all, line)
	}
	return all
}

// following is a hub with a plan, an ERP and a WMS.
type following struct {
	*hub
	erp, wms *books
}

func newFollowing(t testing.TB) *following {
	t.Helper()
	return followingOn(t, filepath.Join(t.TempDir(), "gapless.db"))
}

func followingOn(t testing.TB, database string) *following {
	t.Helper()
	x := &following{erp: &books{}, wms: &books{}}
	x.hub = hubOn(t, flow.Config{
		Catalog: followingCompany(t),
		Ledger:  ledger.Config{Database: database},
		Systems: map[string]flow.Follower{"erp": findable(x.erp), "graz-wms": findable(x.wms)},
	})
	return x
}

// findable is how a hub treats books.
func findable(b *books) flow.Follower {
	return flow.Follower{System: b, Traits: connector.Traits{Class: connector.Findable, Settles: time.Millisecond, KeyCarrier: "reference"}, SendWithin: time.Second, Wait: 10 * time.Millisecond}
}

// followingCompany is the company with a plan and a warehouse.
func followingCompany(t testing.TB) *catalog.Catalog {
	t.Helper()
	return company(t, map[string]string{
		"plans/lot-to-stock.yaml": lotPlan,
		"systems/graz-wms.yaml":   "system: graz-wms\ntitle: Warehouse\nroles: [wms]\nplants: [graz]\n",
	})
}

// quiet waits until nothing is to be performed any more. It gives up where nothing
// changes for some time.
func (x *following) quiet() {
	x.t.Helper()
	last, deadline := -1, time.Time{}
	for wait := 5 * time.Millisecond; ; wait = min(2*wait, 50*time.Millisecond) {
		open := 0
		err := x.Ledger().Read(x.t.Context(), func(ctx context.Context, r *ledger.Reader) error {
			return r.Query(ctx, "select count(*) from command_keys where status in ('due', 'sent')", nil, func(row ledger.Row) error { return row.Scan(&open) })
		})
		if err != nil {
			x.t.Fatal(err)
		}
		switch now := time.Now(); {
		case open == 0:
			return
		case open != last:
			last, deadline = open, now.Add(20*time.Second)
		case now.After(deadline):
			x.t.Fatalf("%d steps are still under way", open)
		}
		time.Sleep(wait) // counting costs what the steps cost too
	}
}

// lotMade is production of a lot.
func lotMade(id, lot, good string, more ...doc) doc {
	return cloud("graz-mes", id, "production.completed", "2026-03-02T08:00:00+01:00", doc{
		"order":   "order/1",
		"outputs": []any{doc{"role": "main", "material": "material/M-100", "lot": "lot/M-100/" + lot, "quantity": doc{"value": good, "unit": "H87"}}},
	}, more...)
}

func quality(id, typ, at string, data doc) doc { return cloud("qms", id, typ, at, data) }

func lotReleased(id, lot string) doc {
	return quality(id, "lot.released", "2026-03-03T08:00:00+01:00", doc{"lot": "lot/M-100/" + lot})
}

func TestWhatIsMadeIsReceivedAndItsStockFollowsTheDecision(t *testing.T) {
	x := newFollowing(t)
	x.becomes(x.says(lotMade("e1", "4711", "100")), "recorded")
	x.becomes(x.says(lotReleased("q1", "4711")), "recorded")
	x.quiet()
	if diff := cmp.Diff([]string{"receive-goods lot/M-100/4711", "stock-status lot/M-100/4711 free"}, x.erp.lines()); diff != "" {
		t.Errorf("ERP:\n%s", diff)
	}
	if diff := cmp.Diff([]string{"stock-status lot/M-100/4711 free"}, x.wms.lines()); diff != "" {
		t.Errorf("WMS:\n%s", diff)
	}
	x.verified()
}

func TestACorrectionAmendsWhatIsAppliedAndAReversalUndoesIt(t *testing.T) {
	x := newFollowing(t)
	x.becomes(x.says(lotMade("e1", "4711", "100")), "recorded")
	x.quiet()
	x.becomes(x.says(lotMade("e2", "4711", "90", corrects("e1"))), "recorded")
	x.quiet()
	x.becomes(x.says(lotMade("e3", "4711", "90", reverses("e2"))), "recorded")
	x.quiet()
	want := []string{"receive-goods lot/M-100/4711", "correct-receipt lot/M-100/4711", "reverse-receipt lot/M-100/4711"}
	if diff := cmp.Diff(want, x.erp.lines()); diff != "" {
		t.Errorf("ERP:\n%s", diff)
	}
	amendment := x.erp.posted[1].request
	basis, _ := amendment["basis"].(map[string]any)
	if documents, _ := basis["documents"].([]any); len(documents) != 1 {
		t.Errorf("an amendment does not say what it starts from: %v", amendment)
	}
	x.verified()
}

// TestWhatStandsOnTopOfWhatIsTakenBackIsTold lets a system refuse to take a receipt back:
// whoever looks is told what it has done with the lot since.
func TestWhatStandsOnTopOfWhatIsTakenBackIsTold(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) { standsOnTop(t, sqlite(t)) })
	t.Run("postgres", func(t *testing.T) { standsOnTop(t, testpostgres.Database(t)) })
}

func standsOnTop(t *testing.T, database string) {
	t.Helper()
	x := followingOn(t, database)
	x.erp.fate = func(cmd connector.Command) fate {
		if cmd.Name == "reverse-receipt" {
			return refuses
		}
		return well
	}
	x.becomes(x.says(lotMade("e1", "4711", "100")), "recorded")
	x.quiet()
	x.becomes(x.says(lotReleased("q1", "4711")), "recorded")
	x.quiet()
	x.becomes(x.says(lotMade("e2", "4711", "90", corrects("e1"))), "recorded")
	x.quiet()
	x.becomes(x.says(lotMade("e3", "4711", "90", reverses("e2"))), "recorded")
	x.quiet()
	steps, err := x.Ledger().StepsOf(t.Context(), "lot-to-stock lot/M-100/4711")
	if err != nil {
		t.Fatal(err)
	}
	told := map[string][]string{}
	for i := range steps {
		if !steps[i].Status.Stuck() {
			continue
		}
		tops, err := x.Ledger().OnTop(t.Context(), &steps[i])
		if err != nil {
			t.Fatal(err)
		}
		for _, top := range tops {
			told[steps[i].Command] = append(told[steps[i].Command], string(top.Status)+" "+top.Command+" "+top.Wanted)
		}
	}
	if diff := cmp.Diff(map[string][]string{"reverse-receipt": {"applied stock-status free"}}, told); diff != "" {
		t.Errorf("on top (-want +got):\n%s", diff)
	}
	x.verified()
}

func TestALostAnswerIsAskedForAndNothingIsDoneTwice(t *testing.T) {
	for name, what := range map[string]fate{"before it was done": lostBefore, "after it was done": lostAfter, "nothing went out": notSent} {
		t.Run(name, func(t *testing.T) {
			x := newFollowing(t)
			x.erp.fate = func(cmd connector.Command) fate {
				if cmd.Attempt == 1 {
					return what
				}
				return well
			}
			x.becomes(x.says(lotMade("e1", "4711", "100")), "recorded")
			x.quiet()
			if diff := cmp.Diff([]string{"receive-goods lot/M-100/4711"}, x.erp.lines()); diff != "" {
				t.Errorf("ERP:\n%s", diff)
			}
			x.verified()
		})
	}
}

// slow is a keyed system that is still at the first attempt when the second comes, and
// refuses that one.
type slow struct {
	*simulated.System
	calls atomic.Int64
}

func (s *slow) Perform(ctx context.Context, c connector.Command) (connector.Outcome, error) {
	switch s.calls.Add(1) {
	case 1:
		<-ctx.Done()
		return connector.Outcome{}, connector.Unknown("slow", fault.AnswerLost, ctx.Err())
	case 2:
		return connector.Outcome{Status: connector.Refused, Reason: fault.UnclassifiedRefusal, Text: "409: this key is being processed"}, nil
	}
	return s.System.Perform(ctx, c)
}

func TestAKeyedSystemThatIsStillAtItHasNotRefused(t *testing.T) {
	books, err := simulated.New(simulated.Config{Class: connector.Keyed, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	erp := flow.Follower{
		System: &slow{System: books}, Traits: connector.Traits{Class: connector.Keyed, KeyCarrier: "key"},
		Timeout: 300 * time.Millisecond, SendWithin: 50 * time.Millisecond, Wait: 5 * time.Millisecond,
	}
	x := &following{hub: hubOn(t, flow.Config{
		Catalog: followingCompany(t), Ledger: ledger.Config{Database: filepath.Join(t.TempDir(), "gapless.db"), Clock: time.Now},
		Systems: map[string]flow.Follower{"erp": erp},
	})}
	x.becomes(x.says(lotMade("m1", "4711", "100")), "recorded")
	x.quiet()
	if all := books.Books(); len(all) != 1 {
		t.Errorf("the books have %+v", all)
	}
	x.verified()
}

func TestARefusalStopsItsSubjectOnlyAndIsResumed(t *testing.T) {
	x := newFollowing(t)
	closed := true
	x.erp.fate = func(cmd connector.Command) fate {
		if closed && cmd.Subject == "lot/M-100/4711" {
			return refuses
		}
		return well
	}
	x.becomes(x.says(lotMade("e1", "4711", "100")), "recorded")
	x.becomes(x.says(lotMade("e2", "4712", "50")), "recorded")
	x.becomes(x.says(lotReleased("q1", "4711")), "recorded")
	x.quiet()
	if diff := cmp.Diff([]string{"receive-goods lot/M-100/4712"}, x.erp.lines()); diff != "" {
		t.Errorf("ERP:\n%s", diff)
	}
	open, err := x.Ledger().Held(t.Context(), ledger.HeldFilter{})
	if err != nil || len(open) != 1 || open[0].Reason != fault.PeriodClosed || open[0].Detail != "Period 2026/03 is closed" {
		t.Fatalf("open: %+v, %v", open, err)
	}
	x.erp.mu.Lock()
	closed = false
	x.erp.mu.Unlock()
	person := ledger.Principal{Name: "anna", Kind: ledger.PersonKind}
	if err := x.Resolve(t.Context(), flow.Resolution{Command: open[0].Step, By: person, How: flow.Resume}); err != nil {
		t.Fatal(err)
	}
	if err := x.Resolve(t.Context(), flow.Resolution{Command: open[0].Step, By: person, How: flow.Resume}); !errors.Is(err, fault.DecidedAlready) {
		t.Errorf("resumed twice: %v", err)
	}
	x.quiet()
	if got := x.erp.lines(); !slices.Contains(got, "receive-goods lot/M-100/4711") || !slices.Contains(got, "stock-status lot/M-100/4711 free") {
		t.Errorf("ERP: %q", got)
	}
	if open, err = x.Ledger().Held(t.Context(), ledger.HeldFilter{}); err != nil || len(open) != 0 {
		t.Errorf("open afterwards: %+v, %v", open, err)
	}
	x.verified()
}

const quarantinePlan = `
plan: quarantine
title: A plant blocks what is on hold by itself, also while it is cut off
home: plant
key: lot
reactions:
  block:
    ensure: stock-status
    from: [hold.placed, hold.lifted]
    wanted:
      - {open: [holds], is: blocked}
      - {is: quality}
    in: [wms]
complete: {settled: [block]}
cases:
  - name: on hold
    plant: graz
    story:
      - {event: e1, type: hold.placed, at: "2026-03-02T08:00:00Z", data: {hold: hold/qms/H-1}}
      - steps: [{reaction: block, wanted: blocked, status: due}]
`

func TestAPlanThatIsAtHomeAtPlantsKeepsThemApart(t *testing.T) {
	cat := company(t, map[string]string{
		"plans/quarantine.yaml": quarantinePlan,
		"systems/graz-wms.yaml": "system: graz-wms\ntitle: Warehouse\nroles: [wms]\nplants: [graz]\n",
		"systems/linz-wms.yaml": "system: linz-wms\ntitle: Warehouse\nroles: [wms]\nplants: [linz]\n",
	})
	graz, linz := &books{}, &books{}
	follower := func(b *books) flow.Follower {
		return flow.Follower{System: b, Traits: connector.Traits{Class: connector.Findable, Settles: time.Millisecond, KeyCarrier: "reference"}}
	}
	x := &following{hub: hubOn(t, flow.Config{
		Catalog: cat, Ledger: ledger.Config{Database: filepath.Join(t.TempDir(), "gapless.db")},
		Systems: map[string]flow.Follower{"graz-wms": follower(graz), "linz-wms": follower(linz)},
	})}
	hold := func(id, plant string) doc {
		return cloud("qms", id, "hold.placed", "2026-03-03T08:00:00+01:00", doc{
			"hold": "hold/qms/" + id, "scope": []any{doc{"kind": "lot", "lot": "lot/M-100/4711"}}, "reason": "supplier-notice",
		}, doc{"plant": plant})
	}
	x.becomes(x.says(hold("H-1", "graz")), "recorded")
	x.quiet()
	if diff := cmp.Diff([]int{1, 0}, []int{len(graz.lines()), len(linz.lines())}); diff != "" {
		t.Errorf("blocked at graz and linz:\n%s", diff)
	}
	x.becomes(x.says(hold("H-2", "linz")), "recorded")
	x.quiet()
	if diff := cmp.Diff([]int{1, 1}, []int{len(graz.lines()), len(linz.lines())}); diff != "" {
		t.Errorf("blocked at graz and linz:\n%s", diff)
	}
	all, err := x.Ledger().TransactionsOf(t.Context(), "lot/M-100/4711")
	if err != nil || len(all) != 2 || all[0].Plan != "quarantine@graz" || all[1].Plan != "quarantine@linz" {
		t.Errorf("transactions: %+v, %v", all, err)
	}
	x.verified()
}

func TestARefusalThatANewerStatusOvertookNeedsNobody(t *testing.T) {
	x := newFollowing(t)
	x.becomes(x.says(lotMade("e1", "4711", "100")), "recorded")
	x.quiet()
	asked, answer := make(chan struct{}), make(chan struct{})
	var once sync.Once
	x.wms.fate = func(cmd connector.Command) fate {
		if cmd.Request["wanted"] != "free" {
			return well
		}
		once.Do(func() { close(asked) })
		<-answer
		return refuses
	}
	x.becomes(x.says(lotReleased("q1", "4711")), "recorded")
	<-asked // the release is on its way when the hold comes
	x.becomes(x.says(quality("q2", "hold.placed", "2026-03-03T09:00:00+01:00", doc{
		"hold": "hold/qms/H-1", "scope": []any{doc{"kind": "lot", "lot": "lot/M-100/4711"}}, "reason": "supplier-notice",
	})), "recorded")
	close(answer)
	x.quiet()
	if got := x.wms.lines(); len(got) != 1 || got[0] != "stock-status lot/M-100/4711 blocked" {
		t.Errorf("WMS: %q", got)
	}
	open, err := x.Ledger().Held(t.Context(), ledger.HeldFilter{})
	if err != nil || len(open) != 0 {
		t.Errorf("open: %+v, %v", open, err)
	}
	x.verified()
}

func TestARefusalOfAClosedPeriodIsPostedInTheNextOpenOne(t *testing.T) {
	if transaction.RefusedClosed != fault.PeriodClosed.Code {
		t.Fatal("plans and systems call a closed period by different names")
	}
	x := &following{erp: &books{}, wms: &books{}}
	var asked []string
	x.erp.fate = func(cmd connector.Command) fate {
		day, _ := cmd.Request["posting_date"].(string)
		asked = append(asked, day)
		if day < "2026-05-01" {
			return refuses
		}
		return well
	}
	x.hub = hubOn(t, flow.Config{
		Catalog: company(t, map[string]string{
			"plans/lot-to-stock.yaml": strings.Replace(lotPlan, "    within: 5m\n", "    within: 5m\n    closed-period: next-open\n", 1),
			"systems/graz-wms.yaml":   "system: graz-wms\ntitle: Warehouse\nroles: [wms]\nplants: [graz]\n",
		}),
		Ledger:  ledger.Config{Database: filepath.Join(t.TempDir(), "gapless.db")},
		Systems: map[string]flow.Follower{"erp": findable(x.erp), "graz-wms": findable(x.wms)},
	})
	x.becomes(x.says(lotMade("e1", "4711", "100")), "recorded")
	x.quiet()
	x.erp.mu.Lock()
	if diff := cmp.Diff([]string{"2026-03-02", "2026-04-01", "2026-05-01"}, asked); diff != "" {
		t.Errorf("posting dates:\n%s", diff)
	}
	x.erp.mu.Unlock()
	steps, err := x.Ledger().StepsOf(t.Context(), "lot-to-stock lot/M-100/4711")
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range steps {
		got = append(got, fmt.Sprintf("%s %s", s.Posting, s.Status))
	}
	if diff := cmp.Diff([]string{"2026-03-02 superseded", "2026-04-01 superseded", "2026-05-01 applied"}, got); diff != "" {
		t.Errorf("steps:\n%s", diff)
	}
	if open, err := x.Ledger().Held(t.Context(), ledger.HeldFilter{}); err != nil || len(open) != 0 {
		t.Errorf("a person is asked though nothing is to be decided: %+v, %v", open, err)
	}
	x.verified()
}

func TestAnOlderEventThatComesLateGoesOutFirst(t *testing.T) {
	x := newFollowing(t)
	posted := func(cmd connector.Command) string {
		e, _ := cmd.Request["event"].(doc)
		return fmt.Sprint(e["occurred"].(doc)["from"])
	}
	late := false
	x.erp.fate = func(cmd connector.Command) fate {
		if late = late || posted(cmd) == "2026-03-02T09:00:00+01:00"; late {
			return well
		}
		return notSent // until the older one is there
	}
	x.becomes(x.says(lotMade("e2", "4711", "20", doc{"time": "2026-03-02T10:00:00+01:00"})), "recorded")
	x.becomes(x.says(lotMade("e1", "4711", "10", doc{"time": "2026-03-02T09:00:00+01:00"})), "recorded")
	x.quiet()
	var got []string
	for _, p := range x.erp.posted {
		got = append(got, posted(connector.Command{Request: p.request}))
	}
	if diff := cmp.Diff([]string{"2026-03-02T09:00:00+01:00", "2026-03-02T10:00:00+01:00"}, got); diff != "" {
		t.Errorf("posted:\n%s", diff)
	}
	x.verified()
}
