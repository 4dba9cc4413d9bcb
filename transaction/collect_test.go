package transaction_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/transaction"
)

// orderPlan posts what an order makes, many reports at once, and tells when it is done.
func orderPlan() transaction.PlanDefinition {
	return transaction.PlanDefinition{
		Plan: "order-to-erp", Title: "What an order makes is posted", Key: "order",
		Reactions: map[string]transaction.Reaction{
			"post": {
				On: []string{"production.completed", "scrap.declared"}, Do: &transaction.Do{System: "erp", Command: "post-production"},
				Collect: &transaction.Collect{Until: []string{"order.closed"}, Count: 3, Within: "8h"},
				Amend:   &transaction.Amend{Command: "correct-production", With: transaction.WithDelta},
			},
			"finish": {On: []string{"order.closed"}, Do: &transaction.Do{System: "erp", Command: "close-order"}, After: []string{"post"}},
		},
		Complete: transaction.Completion{Applied: []string{"post"}, Settled: []string{"finish"}},
		Cases: []transaction.PlanCase{{
			Name: "two reports, one posting",
			Story: []transaction.StoryLine{
				{Event: "a", Type: "production.completed", At: "2026-03-02T06:00:00Z"},
				{Event: "b", Type: "production.completed", At: "2026-03-02T14:00:00Z"},
				{Steps: []transaction.StoryStep{}},
				{Over: "post"},
				{Steps: []transaction.StoryStep{{Reaction: "post", Because: "b", Members: []string{"a", "b"}, Status: transaction.StepDue}}},
			},
		}},
	}
}

const (
	aMade = "a: production.completed; "
	bMade = "b: production.completed; "
	cMade = "c: production.completed; "
)

func TestReportsThatAreCollectedArePostedTogether(t *testing.T) {
	noAmend := func(d *transaction.PlanDefinition) {
		edit(d, "post", func(r *transaction.Reaction) { r.Amend = nil })
	}
	for name, test := range map[string]struct {
		change func(*transaction.PlanDefinition)
		modes  map[string]transaction.Mode
		story  string
		want   string
	}{
		"nothing goes out while the bundle is open":      {story: aMade + bMade + "x: scrap.moved", want: "none"},
		"so many members close it":                       {story: aMade + bMade + cMade + "d: production.completed", want: "post of a and b and c in erp: due"},
		"the end of the order closes it":                 {story: aMade + bMade + "o: order.closed", want: "post of a and b in erp: due, finish of o in erp: waiting"},
		"the end of its window closes it":                {story: aMade + bMade + "post over; " + cMade + "d: scrap.declared", want: "post of a and b in erp: due"},
		"an event that comes later opens the next":       {story: aMade + "post over; " + bMade + "post over", want: "post of a in erp: due, post of b in erp: due"},
		"a correction inside replaces":                   {story: aMade + bMade + "a2 corrects a; post over", want: "post of a2 and b in erp: due"},
		"a reversal inside removes":                      {story: aMade + bMade + "a2 reverses a; post over", want: "post of b in erp: due"},
		"what is reversed is gone, and so is its bundle": {story: aMade + "a2 reverses a; o: order.closed", want: "finish of o in erp: due"},
		"a correction before it goes out supersedes":     {story: aMade + bMade + "post over; b2 corrects b", want: "post of a and b in erp: superseded, post of a and b2 in erp: due"},
		"a reversal before it goes out too":              {story: aMade + bMade + "post over; a2 reverses a", want: "post of a and b in erp: superseded, post of b in erp: due"},
		"reversed as a whole it is obsolete":             {story: aMade + "post over; a2 reverses a", want: "post of a in erp: obsolete"},
		"what comes back before it goes out stays":       {story: aMade + bMade + "post over; a2 reverses a; a3 corrects a2", want: "post of a and b in erp: superseded, post of b in erp: superseded, post of a3 and b in erp: due"},
		"nothing is decided while it is on its way":      {story: aMade + bMade + "post over; post sent; a2 corrects a", want: "post of a and b in erp: sent"},
		"a correction afterwards amends":                 {story: aMade + bMade + "post over; post applied; a2 corrects a", want: "post of a and b in erp: applied, amend post of a2 in erp: due"},
		"a reversal afterwards amends too":               {story: aMade + bMade + "post over; post applied; a2 reverses a", want: "post of a and b in erp: applied, amend post of a2 in erp: due"},
		"members are amended each by itself":             {story: aMade + bMade + "post over; post applied; a2 corrects a; post sent; b2 reverses b", want: "post of a and b in erp: applied, amend post of a2 in erp: sent, amend post of b2 in erp: due"},
		"an amendment is amended":                        {story: aMade + bMade + "post over; post applied; a2 corrects a; post applied; a3 reverses a2", want: "post of a and b in erp: applied, amend post of a2 in erp: applied, amend post of a3 in erp: due"},
		"what came back while it was on its way": {
			story: aMade + bMade + "post over; a2 reverses a; post sent; a3 corrects a2; post applied; post over",
			want:  "post of a and b in erp: superseded, post of b in erp: applied, post of a3 in erp: due",
		},
		"without a command to amend a person is needed": {change: noAmend, story: aMade + bMade + "post over; post applied; a2 corrects a", want: "post of a and b in erp: applied, amend post of a2 in erp: held (no-amend)"},
		"a disputed event holds no other":               {story: aMade + "b: production.completed disputed; " + cMade + "post over", want: "post of b in erp: held (disputed), post of a and c in erp: due"},
		"one that is disputed later leaves":             {story: aMade + bMade + "post over; b2 corrects b disputed", want: "post of a and b in erp: superseded, post of a in erp: due, post of b2 in erp: held (disputed)"},
		"what is waived is not posted again":            {story: aMade + bMade + "post over; post waived; b2 corrects b", want: "post of a and b in erp: waived, post of b2 in erp: due"},
		"in the shadow it is decided the same":          {modes: map[string]transaction.Mode{"post": transaction.ModeShadow}, story: aMade + bMade + "post over; a2 corrects a", want: "post of a and b in erp: shadow, amend post of a2 in erp: shadow"},
		"where it is off nothing gathers":               {modes: map[string]transaction.Mode{"post": transaction.ModeOff}, story: aMade + bMade + "o: order.closed", want: "finish of o in erp: due"},
		"other plants have bundles of their own":        {story: aMade + "b: production.completed at wien; o: order.closed", want: "post of a in erp: due, post of b in erp: due, finish of o in erp: waiting"},
		"partly performed, a correction is for a person": {
			story: aMade + bMade + "post over; post partly-applied; a2 corrects a",
			want:  "post of a and b in erp: partly-applied, amend post of a2 in erp: held (partly-applied)",
		},
		"refused, a correction goes out instead": {story: aMade + bMade + "post over; post refused; a2 corrects a", want: "post of a and b in erp: superseded, post of a2 and b in erp: due"},
	} {
		t.Run(name, func(t *testing.T) {
			def := orderPlan()
			if test.change != nil {
				test.change(&def)
			}
			got := compiledPlan(t, def).Run(transaction.PlanCase{Key: "order/1", Modes: test.modes, Plant: "graz", Story: story(t, test.story)}, nil)
			got, _, _ = strings.Cut(got, ";")
			if got != test.want {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestABundleIsOpenUntilItIsClosed(t *testing.T) {
	d := newDesk(t, orderPlan())
	d.happens("a", "production.completed", "graz", nil)
	if d.in.Complete || len(d.in.Bundles) != 1 || d.in.Bundles[0].Within != 8*time.Hour {
		t.Fatalf("bundles %+v, complete %t", d.in.Bundles, d.in.Complete)
	}
	d.in = d.plan.Close(d.in, "post/1")
	d.next()
	d.settle(0, transaction.StepApplied)
	if !d.in.Complete {
		t.Errorf("all is posted, and it is not complete: %+v", d.in)
	}
	before := d.in
	d.in = d.plan.Close(d.in, "post/1") // told again
	d.in = d.plan.Close(d.in, "post/9")
	d.next()
	if diff := gocmp.Diff(before, d.in); diff != "" {
		t.Errorf("the end of a window that was told before changes something:\n%s", diff)
	}
}

// What comes after a reaction that collects waits for the bundle of its own event.
func TestWhatComesAfterWaitsForTheBundle(t *testing.T) {
	def := orderPlan()
	def.Reactions["store"] = transaction.Reaction{
		On: []string{"production.completed"}, Do: &transaction.Do{System: "wms", Command: "put-away"}, After: []string{"post"}, Undo: &transaction.Undo{Command: "take-out"},
	}
	d := newDesk(t, def)
	d.happens("a", "production.completed", "graz", nil)
	want := []string{"do store of a in graz-wms: waiting"}
	if diff := gocmp.Diff(want, d.shown()); diff != "" {
		t.Fatal(diff)
	}
	d.in = d.plan.Close(d.in, "post/1")
	d.next()
	d.settle(1, transaction.StepApplied)
	d.settle(0, transaction.StepApplied)
	d.happens("a.2", "production.completed", "graz", func(h *transaction.Happened) { h.Key, h.Statement, h.Change = "a", 2, event.Reversal })
	want = []string{
		"do store of a in graz-wms: applied", "do post of a in graz-erp: applied",
		"amend post of a.2 in graz-erp: waiting", "undo store of a.2 in graz-wms: due", // taken back in the opposite order
	}
	if diff := gocmp.Diff(want, d.shown()); diff != "" {
		t.Fatal(diff)
	}
}

// A plant may collect otherwise than the plan says, or not at all.
func TestAPlantCollectsAsItSays(t *testing.T) {
	d := newDesk(t, orderPlan())
	d.world.Collect = func(_, plant string) (transaction.Collecting, bool) {
		return map[string]transaction.Collecting{"graz": {}, "wien": {Count: 2}}[plant], plant != "linz"
	}
	for i, plant := range []string{"graz", "wien", "linz", "graz", "wien", "linz", "linz"} {
		d.happens(fmt.Sprint("e", i), "production.completed", plant, nil)
	}
	want := []string{"do post of e0 in graz-erp: due", "do post of e3 in graz-erp: due", "do post of e4 in wien-erp: due", "do post of e6 in linz-erp: due"}
	if diff := gocmp.Diff(want, d.shown()); diff != "" {
		t.Error(diff)
	}
	d.happens("open", "production.completed", "wien", nil)
	d.world.Collect = func(string, string) (transaction.Collecting, bool) { return transaction.Collecting{}, true }
	d.next()
	if got := d.shown(); len(got) != 5 || got[4] != "do post of open in wien-erp: due" {
		t.Errorf("what gathered when the plant stopped collecting is not posted: %q", got)
	}
}

func TestABundleHasALimit(t *testing.T) {
	def := orderPlan()
	edit(&def, "post", func(r *transaction.Reaction) { r.Collect = &transaction.Collect{Within: "8h"} })
	d := newDesk(t, def)
	for i := range transaction.MaxBundle + 1 {
		d.happens(fmt.Sprint("e", i), "production.completed", "graz", func(h *transaction.Happened) { h.Ordering = fmt.Sprintf("%06d", i) })
	}
	if len(d.in.Steps) != 1 || len(d.in.Steps[0].Members) != transaction.MaxBundle || len(d.in.Bundles) != 2 {
		t.Errorf("%d steps and %d bundles", len(d.in.Steps), len(d.in.Bundles))
	}
}

func TestTheCommandKeyIsMadeOfAllMembers(t *testing.T) {
	keys := map[string]string{}
	for _, names := range [][]string{{"a"}, {"a", "b"}, {"a", "c"}, {"b", "a"}} {
		d := newDesk(t, orderPlan())
		for _, name := range names {
			d.happens(name, "production.completed", "graz", nil)
		}
		d.in = d.plan.Close(d.in, "post/1")
		d.next()
		key := d.in.Steps[0].Key
		if other, taken := keys[key]; taken {
			t.Errorf("%v has the key of %s", names, other)
		}
		keys[key] = fmt.Sprint(names)
	}
}

func TestWhatIsWrongInCollectingIsTold(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*transaction.Reaction)
		want   string
	}{
		"nothing closes it":      {func(r *transaction.Reaction) { r.Collect = &transaction.Collect{} }, "reactions.post.collect: nothing closes a bundle"},
		"one member":             {func(r *transaction.Reaction) { r.Collect.Count = 1 }, "reactions.post.collect.count: 1 is no number of members from 2 to 500"},
		"too many members":       {func(r *transaction.Reaction) { r.Collect.Count = 501 }, "reactions.post.collect.count: 501"},
		"a window that is none":  {func(r *transaction.Reaction) { r.Collect.Within = "a shift" }, `reactions.post.collect.within: "a shift" is no time span`},
		"until what is gathered": {func(r *transaction.Reaction) { r.Collect.Until = []string{"scrap.declared"} }, "reactions.post.collect.until[0]: scrap.declared is collected itself"},
		"until a pattern":        {func(r *transaction.Reaction) { r.Collect.Until = []string{"order.*"} }, `reactions.post.collect.until[0]: "order.*" is no event type`},
		"amended as a whole":     {func(r *transaction.Reaction) { r.Amend.With = transaction.WithWhole }, "reactions.post.collect: a member that is corrected"},
		"collecting a status": {func(r *transaction.Reaction) {
			*r = transaction.Reaction{Ensure: "state", From: []string{"production.completed", "scrap.declared"}, Wanted: []transaction.Wanted{{Is: "x"}}, In: []string{"erp"}, Collect: r.Collect}
		}, "reactions.post.collect: belongs to do"},
	} {
		t.Run(name, func(t *testing.T) {
			def := orderPlan()
			edit(&def, "post", test.change)
			_, err := transaction.CompilePlan(def)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
}

// postings are those of an ERP that posts what bundles hold, and amends it member by
// member.
type postings struct {
	keyed    bool
	done     map[string]bool
	quantity map[string]int // by event
	times    map[string]int // how often an event was posted, less the times it was taken back
}

// A collecting is a hub with one order and its ERP. What is in memory only is lost in a
// crash.
type collecting struct {
	t       *rapid.T
	plan    *transaction.Plan
	in      transaction.Instance
	reports map[string]report // by statement id
	erp     *postings
	flying  []landing
	answers []string
	arrived int64
	world   transaction.World
}

func (c *collecting) turn(change func(transaction.Instance) transaction.Instance) {
	text := asJSON(c.t, c.in)
	changed := change(c.in)
	changedText := asJSON(c.t, changed)
	next := c.plan.Next(changed, c.world)
	if asJSON(c.t, c.in) != text || asJSON(c.t, changed) != changedText {
		c.t.Fatal("an argument was changed")
	}
	if diff := gocmp.Diff(next, c.plan.Next(next, c.world)); diff != "" {
		c.t.Fatalf("asking again changes something:\n%s", diff)
	}
	keys, in := map[string]bool{}, map[string]string{}
	for _, s := range next.Steps {
		if keys[s.Key] {
			c.t.Fatalf("two steps have one key: %+v", s)
		}
		keys[s.Key] = true
		if s.Status == transaction.StepHeld {
			c.t.Fatalf("held: %+v", s)
		}
	}
	for _, b := range next.Bundles {
		for _, m := range b.Members {
			if in[m] != "" {
				c.t.Fatalf("%s is in %s and in %s", m, in[m], b.Key)
			}
			in[m] = b.Key
		}
	}
	var back transaction.Instance
	if err := json.Unmarshal([]byte(asJSON(c.t, next)), &back); err != nil {
		c.t.Fatal(err)
	}
	if diff := gocmp.Diff(next, back); diff != "" {
		c.t.Fatalf("it does not read back:\n%s", diff)
	}
	c.in = back
}

func (c *collecting) note(r report) {
	c.reports[r.ID] = r
	c.arrived++
	r.Position = c.arrived
	c.turn(func(in transaction.Instance) transaction.Instance { return c.plan.Note(in, r.Happened) })
}

func (c *collecting) settle(key string, status transaction.StepStatus) {
	c.turn(func(in transaction.Instance) transaction.Instance {
		return c.plan.Settle(in, key, transaction.Result{Status: status})
	})
}

// over ends the window of an open bundle, or tells of one that ended before.
func (c *collecting) over(pick func(n int) int) {
	if n := len(c.in.Bundles); n > 0 {
		key := c.in.Bundles[pick(n)].Key
		c.turn(func(in transaction.Instance) transaction.Instance { return c.plan.Close(in, key) })
	}
}

// amount is what a statement counts for: a reversal nothing.
func (c *collecting) amount(statement string) int {
	if r := c.reports[statement]; r.Change != event.Reversal {
		return r.quantity
	}
	return 0
}

func (c *collecting) lands(s transaction.Step) {
	if c.erp.done[s.Key] {
		if !c.erp.keyed {
			c.t.Fatalf("applied twice: %+v", s)
		}
		return
	}
	c.erp.done[s.Key] = true
	switch s.Kind {
	case transaction.KindDo:
		for _, m := range s.Members {
			if c.erp.times[m.Event]++; c.erp.times[m.Event] != 1 {
				c.t.Fatalf("%s is posted twice: %+v", m.Event, s)
			}
			c.erp.quantity[m.Event] = c.amount(m.Statement)
		}
	case transaction.KindAmend:
		if have := c.erp.quantity[s.Event]; c.erp.times[s.Event] != 1 || have != c.amount(s.Basis) {
			c.t.Fatalf("amended from %s, and %d is in effect: %+v", s.Basis, have, s)
		}
		c.erp.quantity[s.Event] += c.amount(s.Cause) - c.amount(s.Basis)
	case transaction.KindUndo:
		c.t.Fatalf("a bundle is never taken back: %+v", s)
	}
}

func (c *collecting) due() (transaction.Step, bool) {
	if slices.ContainsFunc(c.in.Steps, func(s transaction.Step) bool { return s.Status == transaction.StepSent }) {
		return transaction.Step{}, false
	}
	i := slices.IndexFunc(c.in.Steps, func(s transaction.Step) bool { return s.Status == transaction.StepDue && s.Reaction == "post" })
	if i < 0 {
		return transaction.Step{}, false
	}
	return c.in.Steps[i], true
}

func (c *collecting) perform() {
	s, ok := c.due()
	if !ok {
		return
	}
	c.settle(s.Key, transaction.StepSent)
	switch rapid.SampledFrom([]string{"applied", "lost", "late", "never", "refused", "accepted"}).Draw(c.t, "answer") {
	case "applied":
		c.lands(s)
		c.answers = append(c.answers, s.Key)
		c.settle(s.Key, transaction.StepApplied)
	case "lost": // done, and no answer
		c.lands(s)
	case "late":
		c.flying = append(c.flying, landing{s, false})
	case "never":
		c.flying = append(c.flying, landing{s, true})
	case "refused":
		c.settle(s.Key, transaction.StepRefused)
	case "accepted":
		c.settle(s.Key, transaction.StepAccepted)
		c.flying = append(c.flying, landing{s, false})
	}
}

func (c *collecting) land() {
	if len(c.flying) > 0 {
		if l := c.flying[0]; !l.never {
			c.lands(l.step)
		}
		c.flying = c.flying[1:]
	}
}

// find asks after every step of which nothing is known and nothing can land any more.
func (c *collecting) find() {
	for _, s := range slices.Clone(c.in.Steps) {
		flying := slices.ContainsFunc(c.flying, func(l landing) bool { return l.step.Key == s.Key })
		switch {
		case !s.Status.InFlight() || flying:
		case c.erp.done[s.Key]:
			c.settle(s.Key, transaction.StepApplied)
		default:
			c.settle(s.Key, transaction.StepDue)
		}
	}
}

func (c *collecting) resume() {
	for _, s := range slices.Clone(c.in.Steps) {
		if s.Status == transaction.StepRefused {
			c.settle(s.Key, transaction.StepDue)
		}
	}
}

// split takes a refused bundle apart, as a system names who is to blame or a person asks
// for it; also one that is not refused, which changes nothing.
func (c *collecting) split() {
	if len(c.in.Steps) == 0 {
		return
	}
	refused := slices.DeleteFunc(slices.Clone(c.in.Steps), func(s transaction.Step) bool { return s.Status != transaction.StepRefused || len(s.Members) < 2 })
	if len(refused) == 0 || rapid.IntRange(0, 5).Draw(c.t, "any") == 0 {
		refused = c.in.Steps
	}
	s := rapid.SampledFrom(refused).Draw(c.t, "refused")
	var blamed []string
	for _, m := range s.Members {
		if rapid.Bool().Draw(c.t, "blamed") {
			blamed = append(blamed, m.Statement)
		}
	}
	c.turn(func(in transaction.Instance) transaction.Instance { return c.plan.Split(in, s.Key, blamed) })
}

// finish closes every bundle, and lets everything come to an end without more faults.
func (c *collecting) finish() {
	for range 200 {
		for i := range c.in.Bundles {
			c.over(func(int) int { return i })
		}
		for len(c.flying) > 0 {
			c.land()
		}
		c.find()
		c.resume()
		s, ok := c.due()
		if !ok {
			return
		}
		c.settle(s.Key, transaction.StepSent)
		c.lands(s)
		c.settle(s.Key, transaction.StepApplied)
	}
	c.t.Fatalf("it comes to no end: %+v", c.in.Steps)
}

// The model: in whatever order reports come, repeated, corrected and reversed, with
// windows that end at any time, crashes, answers lost and late, refusals, bundles taken
// apart: every report is in effect exactly once, and the sum of what is applied is that of what counts.
func TestEveryReportOfABundleIsInEffectExactlyOnce(t *testing.T) {
	def := orderPlan()
	delete(def.Reactions, "finish")
	def.Complete.Settled = nil
	plan := compiledPlan(t, def)
	resolve := func(role, _ string, _ time.Time) (string, bool) { return role, true }
	rapid.Check(t, func(t *rapid.T) {
		h := drawHistory(t, []string{"production.completed", "production.completed", "scrap.declared", "order.closed"})
		c := &collecting{
			t: t, plan: plan, in: transaction.Instance{Key: "order/1"}, reports: map[string]report{}, world: transaction.World{Resolve: resolve},
			erp: &postings{keyed: rapid.Bool().Draw(t, "keyed"), done: map[string]bool{}, quantity: map[string]int{}, times: map[string]int{}},
		}
		next := make([]int, len(h))
		for range rapid.IntRange(10, 60).Draw(t, "turns") {
			i := rapid.IntRange(0, len(h)-1).Draw(t, "event")
			switch rapid.SampledFrom([]string{"note", "note", "note", "repeat", "over", "perform", "perform", "land", "find", "resume", "split", "split", "answer"}).Draw(t, "turn") {
			case "note":
				if next[i] < len(h[i]) {
					c.note(h[i][next[i]])
					next[i]++
				}
			case "repeat":
				if next[i] > 0 {
					c.note(h[i][rapid.IntRange(0, next[i]-1).Draw(t, "statement")])
				}
			case "split":
				c.split()
			case "over":
				c.over(func(n int) int { return rapid.IntRange(0, n-1).Draw(t, "bundle") })
			case "perform":
				c.perform()
			case "land":
				c.land()
			case "find":
				c.find()
			case "resume":
				c.resume()
			case "answer":
				if len(c.answers) > 0 {
					c.settle(rapid.SampledFrom(c.answers).Draw(t, "answer"), transaction.StepApplied)
				}
			}
		}
		for i, chain := range h {
			for ; next[i] < len(chain); next[i]++ {
				c.note(chain[next[i]])
			}
		}
		c.finish()
		for _, chain := range h {
			last := chain[len(chain)-1]
			want := 0
			if last.Type != "order.closed" && last.Change != event.Reversal {
				want = last.quantity
			}
			if got := c.erp.quantity[last.Key]; got != want {
				t.Fatalf("of %s %d is in effect, want %d: %+v", last.Key, got, want, c.in.Steps)
			}
		}
		for _, s := range c.in.Steps {
			if !s.Status.Settled() {
				t.Fatalf("forgotten: %+v", s)
			}
		}
		if slices.ContainsFunc(h, func(chain []report) bool { return chain[0].Type != "order.closed" }) && !c.in.Complete && len(c.erp.done) > 0 {
			t.Fatalf("not complete: %+v", c.in)
		}
	})
}
