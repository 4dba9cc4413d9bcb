package transaction_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/transaction"
)

// A desk notes and settles by hand, where a story has no words for it.
type desk struct {
	t     testing.TB
	plan  *transaction.Plan
	world transaction.World
	in    transaction.Instance
	n     int
}

// newDesk is a desk with a system for every role, called as the role and the plant.
func newDesk(t testing.TB, def transaction.PlanDefinition) *desk {
	return &desk{t: t, plan: compiledPlan(t, def), in: transaction.Instance{Key: "lot/M/1"}, world: transaction.World{
		Resolve: func(role, plant string, _ time.Time) (string, bool) { return plant + "-" + role, true },
	}}
}

// happens notes the first statement of an event, one day after the one before.
func (d *desk) happens(id, typ, plant string, change func(*transaction.Happened)) {
	d.n++
	h := transaction.Happened{
		Key: id, ID: id, Statement: 1, Type: typ, Plant: plant, Ordering: day(d.n), Position: int64(d.n), Occurred: time.Date(2026, 3, d.n, 0, 0, 0, 0, time.UTC),
	}
	if change != nil {
		change(&h)
	}
	d.in = d.plan.Note(d.in, h)
	d.next()
}

func (d *desk) next() { d.in = d.plan.Next(d.in, d.world) }

// settle gives a step, by its place, a result.
func (d *desk) settle(place int, status transaction.StepStatus) {
	d.t.Helper()
	d.in = d.plan.Settle(d.in, d.in.Steps[place].Key, transaction.Result{Status: status})
	d.next()
}

// shown is every step in words.
func (d *desk) shown() []string {
	var all []string
	for _, s := range d.in.Steps {
		text := fmt.Sprintf("%s %s%s of %s in %s: %s", s.Kind, s.Reaction, strings.TrimRight(" "+s.Wanted, " "), s.Cause, s.System, s.Status)
		if s.Reason != "" {
			text += " (" + s.Reason + ")"
		}
		all = append(all, text)
	}
	return all
}

func (d *desk) wants(want ...string) {
	d.t.Helper()
	if diff := cmp.Diff(want, d.shown()); diff != "" {
		d.t.Errorf("(-want +got):\n%s", diff)
	}
}

// only takes all but one reaction out of the plan.
func only(def transaction.PlanDefinition, reaction string, roles ...string) transaction.PlanDefinition {
	r := def.Reactions[reaction]
	r.After, r.In = nil, roles
	def.Reactions = map[string]transaction.Reaction{reaction: r}
	def.Complete = transaction.Completion{Settled: []string{reaction}}
	def.Cases[0].Story = []transaction.StoryLine{{Complete: new(false)}}
	def.Expect = nil
	return def
}

func TestAStatusIsStatedAgainWhereNobodyKnowsWhichCameLast(t *testing.T) {
	d := newDesk(t, only(lotPlan(), "status", "erp"))
	d.world.State.Status = "released"
	d.happens("free", "lot.released", "graz", nil)
	d.settle(0, transaction.StepAccepted)
	d.world.State.Open = map[string][]string{"holds": {"H"}}
	d.happens("stop", "hold.placed", "graz", nil)
	d.settle(1, transaction.StepApplied)
	d.wants("do status free of free in graz-erp: accepted", "do status blocked of stop in graz-erp: applied")
	d.settle(0, transaction.StepApplied) // before or after the block?
	d.wants("do status free of free in graz-erp: applied", "do status blocked of stop in graz-erp: applied", "do status blocked of stop in graz-erp: due")
	if d.in.Steps[1].Key == d.in.Steps[2].Key {
		t.Error("two steps have one key")
	}
}

func TestAStatusThatWasRefusedBeforeTheReceiptGoesOutAgainAfterIt(t *testing.T) {
	d := newDesk(t, lotPlan())
	d.world.State.Open = map[string][]string{"holds": {"H"}}
	d.happens("stop", "hold.placed", "graz", nil)
	d.settle(0, transaction.StepRefused)
	d.settle(1, transaction.StepRefused)
	d.happens("made", "production.completed", "graz", nil)
	d.wants("do status blocked of stop in graz-erp: refused", "do status blocked of stop in graz-wms: refused", "do receive of made in graz-erp: due")
	d.settle(2, transaction.StepApplied) // the warehouse has not refused for want of a receipt in the ERP
	d.wants("do status blocked of stop in graz-erp: due", "do status blocked of stop in graz-wms: refused", "do receive of made in graz-erp: applied")
	d.settle(0, transaction.StepRefused)
	d.wants("do status blocked of stop in graz-erp: refused", "do status blocked of stop in graz-wms: refused", "do receive of made in graz-erp: applied")
}

func TestAStatusThatWasGivenUpAndAppliedAllTheSameIsPutRight(t *testing.T) {
	d := newDesk(t, only(lotPlan(), "status", "erp"))
	d.world.State.Status = "released"
	d.happens("free", "lot.released", "graz", nil)
	d.settle(0, transaction.StepApplied)
	d.world.State.Open = map[string][]string{"holds": {"H"}}
	d.happens("stop", "hold.placed", "graz", nil)
	d.settle(1, transaction.StepSent)
	d.settle(1, transaction.StepDue) // absent
	d.world.State.Open = nil
	d.happens("go", "hold.lifted", "graz", nil)
	d.wants("do status free of free in graz-erp: applied", "do status blocked of stop in graz-erp: superseded")
	d.settle(1, transaction.StepApplied)
	d.wants("do status free of free in graz-erp: applied", "do status blocked of stop in graz-erp: applied", "do status free of go in graz-erp: due")
}

func TestAStatusHoldsAtEveryPlantThatTheEventsName(t *testing.T) {
	d := newDesk(t, only(lotPlan(), "status", "wms"))
	d.world.State.Status = "released"
	d.happens("free", "lot.released", "graz", nil)
	d.happens("here", "lot.released", "wien", nil)
	d.settle(0, transaction.StepApplied)
	d.settle(1, transaction.StepApplied)
	d.wants("do status free of free in graz-wms: applied", "do status free of here in wien-wms: applied")
	d.world.State.Open = map[string][]string{"holds": {"H"}}
	d.happens("stop", "hold.placed", "graz", nil)
	d.wants("do status free of free in graz-wms: applied", "do status free of here in wien-wms: applied",
		"do status blocked of stop in graz-wms: due", "do status blocked of stop in wien-wms: due")
	if d.in.Steps[2].Key == d.in.Steps[3].Key {
		t.Error("two plants have one key")
	}
}

func TestDetailsOfAStatusAreStatedAnewWithTheEventThatTellsThem(t *testing.T) {
	def := only(lotPlan(), "status", "erp")
	edit(&def, "status", func(r *transaction.Reaction) {
		r.From = append(r.From, "inspection.decided")
		r.Wanted = []transaction.Wanted{{Status: []string{"decided"}, Is: "as-decided", By: "inspection.decided"}, {Is: "quality"}}
	})
	d := newDesk(t, def)
	d.world.State.Status = "decided"
	d.happens("first", "inspection.decided", "graz", nil)
	d.settle(0, transaction.StepApplied)
	d.happens("stop", "hold.placed", "graz", nil) // tells no details
	d.wants("do status as-decided of first in graz-erp: applied")
	d.happens("second", "inspection.decided", "graz", nil)
	d.wants("do status as-decided of first in graz-erp: applied", "do status as-decided of second in graz-erp: due")
	d.happens("second.2", "inspection.decided", "graz", func(h *transaction.Happened) { h.Key, h.Statement, h.Change = "second", 2, event.Correction })
	d.wants("do status as-decided of first in graz-erp: applied", "do status as-decided of second in graz-erp: superseded", "do status as-decided of second.2 in graz-erp: due")
	if got := d.in.Steps[2].Basis; got != "second.2" {
		t.Errorf("basis %s", got)
	}
}

func TestTwoStepsOfOneEventInEffectAreForAPerson(t *testing.T) {
	d := newDesk(t, only(lotPlan(), "receive"))
	d.happens("made", "production.completed", "graz", nil)
	d.settle(0, transaction.StepSent)
	d.settle(0, transaction.StepDue) // absent, it is said
	d.happens("made.2", "production.completed", "graz", func(h *transaction.Happened) { h.Key, h.Statement, h.Change = "made", 2, event.Correction })
	d.settle(1, transaction.StepApplied)
	d.wants("do receive of made in graz-erp: superseded", "do receive of made.2 in graz-erp: applied")
	d.settle(0, transaction.StepApplied)
	d.wants("do receive of made in graz-erp: applied", "do receive of made.2 in graz-erp: applied", "undo receive of made in graz-erp: held (applied-twice)")
	d.settle(2, transaction.StepDue) // the person says so
	d.settle(2, transaction.StepApplied)
	d.wants("do receive of made in graz-erp: reversed", "do receive of made.2 in graz-erp: applied", "undo receive of made in graz-erp: applied")
}

func TestAnAnswerThatCameAfterItWasGivenUpIsAmended(t *testing.T) {
	d := newDesk(t, only(lotPlan(), "receive"))
	d.happens("made", "production.completed", "graz", nil)
	d.settle(0, transaction.StepSent)
	d.settle(0, transaction.StepDue)
	d.happens("made.2", "production.completed", "graz", func(h *transaction.Happened) { h.Key, h.Statement, h.Change = "made", 2, event.Correction })
	d.settle(0, transaction.StepApplied)
	d.wants("do receive of made in graz-erp: applied", "do receive of made.2 in graz-erp: superseded", "amend receive of made.2 in graz-erp: due")
}

func TestAnUnresolvedRoleGoesOnByItselfAndKeepsItsSystem(t *testing.T) {
	d := newDesk(t, only(lotPlan(), "receive"))
	system := ""
	d.world.Resolve = func(string, string, time.Time) (string, bool) { return system, system != "" }
	d.happens("made", "production.completed", "graz", nil)
	d.wants("do receive of made in : held (role-unresolved)")
	system = "old-erp"
	d.next()
	d.wants("do receive of made in old-erp: due")
	system = "new-erp"
	d.settle(0, transaction.StepApplied)
	d.happens("made.2", "production.completed", "graz", func(h *transaction.Happened) { h.Key, h.Statement, h.Change = "made", 2, event.Correction })
	d.wants("do receive of made in old-erp: applied", "amend receive of made.2 in old-erp: due")
}

func TestAPlantWithoutASystemNeedsNoStep(t *testing.T) {
	def := only(lotPlan(), "receive")
	status := lotPlan().Reactions["status"]
	status.After = nil
	def.Reactions["status"] = status
	d := newDesk(t, def)
	none := map[string]bool{"erp": true}
	d.world.Resolve = func(role, _ string, _ time.Time) (string, bool) {
		if none[role] {
			return "", true
		}
		return role, true
	}
	d.happens("made", "production.completed", "graz", nil)
	d.happens("free", "lot.released", "graz", nil)
	d.wants("do status quality of free in wms: due")
	none = nil // it gets one: what was made before is its own affair, the status is stated
	d.happens("made.2", "production.completed", "graz", func(h *transaction.Happened) { h.Key, h.Statement, h.Change = "made", 2, event.Correction })
	d.wants("do status quality of free in wms: due", "do status quality of free in erp: due")
}

func TestAStepThatIsHeldForASystemEndsWhereThePlantNeedsNone(t *testing.T) {
	d := newDesk(t, only(lotPlan(), "receive"))
	known := false
	d.world.Resolve = func(string, string, time.Time) (string, bool) { return "", known }
	d.happens("made", "production.completed", "graz", nil)
	d.wants("do receive of made in : held (role-unresolved)")
	known = true
	d.next()
	d.wants("do receive of made in : obsolete")
	d.next()
	d.wants("do receive of made in : obsolete")
}

func TestAModeConcernsTheEventsThatComeInIt(t *testing.T) {
	d := newDesk(t, only(lotPlan(), "receive"))
	mode := transaction.ModeOff
	d.world.Mode = func(string, string) transaction.Mode { return mode }
	d.happens("off", "production.completed", "graz", nil)
	mode = transaction.ModeShadow
	d.happens("shadow", "production.completed", "graz", nil)
	mode = transaction.ModeLive
	d.happens("live", "production.completed", "graz", nil)
	correct := func(of string) {
		d.happens(of+".2", "production.completed", "graz", func(h *transaction.Happened) { h.Key, h.Statement, h.Change = of, 2, event.Correction })
	}
	correct("off")
	correct("shadow")
	mode = transaction.ModeOff
	correct("live")
	d.wants("do receive of shadow in graz-erp: shadow", "do receive of live in graz-erp: superseded",
		"amend receive of shadow.2 in graz-erp: shadow", "do receive of live.2 in graz-erp: due")
}

func TestWhatWasDoneInOrderIsUndoneInTheOppositeOrder(t *testing.T) {
	def := only(lotPlan(), "receive")
	def.Reactions["store"] = transaction.Reaction{
		On: []string{"production.completed"}, Do: &transaction.Do{System: "wms", Command: "put-away"}, Undo: &transaction.Undo{Command: "take-out"}, After: []string{"receive"},
	}
	d := newDesk(t, def)
	d.happens("made", "production.completed", "graz", nil)
	d.wants("do receive of made in graz-erp: due", "do store of made in graz-wms: waiting")
	d.settle(0, transaction.StepApplied)
	d.settle(1, transaction.StepApplied)
	d.happens("made.2", "production.completed", "graz", func(h *transaction.Happened) { h.Key, h.Statement, h.Change = "made", 2, event.Reversal })
	d.wants("do receive of made in graz-erp: applied", "do store of made in graz-wms: applied",
		"undo receive of made.2 in graz-erp: waiting", "undo store of made.2 in graz-wms: due")
	d.settle(3, transaction.StepApplied)
	d.wants("do receive of made in graz-erp: applied", "do store of made in graz-wms: reversed",
		"undo receive of made.2 in graz-erp: due", "undo store of made.2 in graz-wms: applied")
}

func TestAfterBindsToTheStepOfTheSameCause(t *testing.T) {
	def := only(lotPlan(), "receive")
	def.Reactions["store"] = transaction.Reaction{
		On: []string{"production.completed", "stock.moved"}, Do: &transaction.Do{System: "wms", Command: "put-away"}, After: []string{"receive"},
	}
	d := newDesk(t, def)
	d.happens("one", "production.completed", "graz", nil)
	d.happens("two", "production.completed", "graz", nil)
	d.happens("moved", "stock.moved", "graz", nil) // without a receipt of its own: after both
	d.settle(0, transaction.StepApplied)
	d.wants("do receive of one in graz-erp: applied", "do store of one in graz-wms: due", "do receive of two in graz-erp: due",
		"do store of two in graz-wms: waiting", "do store of moved in graz-wms: waiting")
	if diff := cmp.Diff([]string{d.in.Steps[2].Key}, d.in.Steps[4].After); diff != "" {
		t.Error(diff)
	}
}

func TestLanesAreTheKeyAndTheRefsOfTheCause(t *testing.T) {
	d := newDesk(t, only(lotPlan(), "receive"))
	d.happens("made", "production.completed", "graz", func(h *transaction.Happened) {
		h.Refs = []event.Ref{"order/7", "lot/M/1", "work-center/graz/L1", "material/M", "order/7"}
	})
	if diff := cmp.Diff([]event.Ref{"lot/M/1", "material/M", "order/7"}, d.in.Steps[0].Lanes); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsKnownToBeInEffectStaysSo(t *testing.T) {
	for _, later := range []transaction.StepStatus{
		transaction.StepSent, transaction.StepAccepted, transaction.StepRefused, transaction.StepDue, transaction.StepHeld, transaction.StepPartlyApplied, transaction.StepWaived,
	} {
		d := newDesk(t, only(lotPlan(), "receive"))
		d.happens("made", "production.completed", "graz", nil)
		d.settle(0, transaction.StepApplied)
		d.settle(0, later)
		d.wants("do receive of made in graz-erp: applied")
	}
}

func TestDocumentsAreCollected(t *testing.T) {
	d := newDesk(t, only(lotPlan(), "receive"))
	d.happens("made", "production.completed", "graz", nil)
	for _, r := range []transaction.Result{
		{Status: transaction.StepSent},
		{Status: transaction.StepAccepted, Documents: []string{"IDOC 1"}},
		{Status: transaction.StepApplied, Documents: []string{"49"}},
		{Status: transaction.StepApplied, Documents: []string{"49", "50"}},
	} {
		d.in = d.plan.Settle(d.in, d.in.Steps[0].Key, r)
	}
	if diff := cmp.Diff([]string{"IDOC 1", "49", "50"}, d.in.Steps[0].Documents); diff != "" {
		t.Error(diff)
	}
	before := d.in
	if got := d.plan.Settle(before, "no such step", transaction.Result{Status: transaction.StepApplied}); len(transaction.Changes(before, got)) > 0 {
		t.Error("a key that is not there changed something")
	}
}

func TestTheStepsBehindAnUndoAreWhatItTakesBack(t *testing.T) {
	d := newDesk(t, only(lotPlan(), "receive"))
	d.happens("made", "production.completed", "graz", nil)
	d.settle(0, transaction.StepApplied)
	for n, change := range []event.Change{event.Correction, event.Reversal} {
		d.happens(fmt.Sprint("made.", n+2), "production.completed", "graz", func(h *transaction.Happened) { h.Key, h.Statement, h.Change = "made", n+2, change })
		d.settle(n+1, transaction.StepApplied)
	}
	var behind []string
	for _, s := range d.in.Behind(d.in.Steps[2]) {
		behind = append(behind, s.Cause)
	}
	if diff := cmp.Diff([]string{"made.2", "made"}, behind); diff != "" {
		t.Error(diff)
	}
	if basis := d.in.Steps[2].Basis; basis != "made.2" {
		t.Errorf("basis %s", basis)
	}
}

func TestExpectationsAreOpenUntilOneOfThemFollows(t *testing.T) {
	d := newDesk(t, lotPlan())
	open := func(since string) {
		t.Helper()
		var want []transaction.Expected
		if since != "" {
			want = []transaction.Expected{{Name: "quality decision", Since: since, Within: 48 * time.Hour}}
		}
		if diff := cmp.Diff(want, d.in.Open); diff != "" {
			t.Errorf("(-want +got):\n%s", diff)
		}
	}
	d.happens("first", "production.completed", "graz", nil)
	d.happens("second", "production.completed", "graz", nil)
	open("first")
	d.happens("free", "lot.released", "graz", nil)
	open("")
	d.happens("more", "production.completed", "graz", nil)
	open("more")
	d.happens("more.2", "production.completed", "graz", func(h *transaction.Happened) { h.Key, h.Statement, h.Change = "more", 2, event.Reversal })
	open("")
	d.happens("free.2", "lot.released", "graz", func(h *transaction.Happened) { h.Key, h.Statement, h.Change = "free", 2, event.Reversal })
	open("first")
}

func TestAnEventThatIsNotedAlreadyChangesNothing(t *testing.T) {
	d := newDesk(t, lotPlan())
	d.happens("made", "production.completed", "graz", nil)
	first := d.in.Events[0].Happened
	d.happens("made.2", "production.completed", "graz", func(h *transaction.Happened) { h.Key, h.Statement, h.Change = "made", 2, event.Correction })
	for name, h := range map[string]transaction.Happened{"the newest statement": d.in.Events[0].Happened, "the one before": first} {
		if diff := cmp.Diff(d.in, d.plan.Note(d.in, h)); diff != "" {
			t.Errorf("%s:\n%s", name, diff)
		}
	}
}

func TestEventsAreInFoldOrder(t *testing.T) {
	d := newDesk(t, lotPlan())
	for _, e := range []struct {
		id, ordering string
		position     int64
	}{{"c", "2", 1}, {"a", "1", 9}, {"d", "2", 3}, {"b", "1", 10}} {
		d.happens(e.id, "production.completed", "graz", func(h *transaction.Happened) { h.Ordering, h.Position = e.ordering, e.position })
	}
	d.happens("c.2", "production.completed", "graz", func(h *transaction.Happened) { h.Key, h.Statement, h.Ordering, h.Position = "c", 2, "0", 20 })
	var got []string
	for _, e := range d.in.Events {
		got = append(got, e.ID)
	}
	if diff := cmp.Diff([]string{"c.2", "a", "b", "d"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestChangesAreTheStepsThatAreNewOrOtherThanBefore(t *testing.T) {
	d := newDesk(t, lotPlan())
	d.happens("made", "production.completed", "graz", nil)
	d.happens("free", "lot.released", "graz", nil)
	before := d.in
	if changed := transaction.Changes(before, d.in); changed != nil {
		t.Errorf("nothing happened, and %v changed", changed)
	}
	d.settle(0, transaction.StepApplied)
	d.happens("stop", "hold.placed", "graz", nil)
	changed := transaction.Changes(before, d.in)
	var keys []string
	for _, s := range changed {
		keys = append(keys, s.Reaction+" "+string(s.Status))
	}
	if diff := cmp.Diff([]string{"receive applied", "status due", "status due"}, keys); diff != "" {
		t.Error(diff)
	}
}

func TestCasesOfAPlan(t *testing.T) {
	def := lotPlan()
	made := transaction.StoryLine{Event: "made", Type: "production.completed", At: day(1)}
	def.Cases = append(def.Cases,
		transaction.PlanCase{Name: "another status", Story: []transaction.StoryLine{made, {Steps: []transaction.StoryStep{{Reaction: "receive", Status: transaction.StepApplied}}}}},
		transaction.PlanCase{Name: "too many steps", Story: []transaction.StoryLine{made, {Steps: []transaction.StoryStep{{}, {}}}}},
		transaction.PlanCase{Name: "nothing open", Story: []transaction.StoryLine{made, {Open: []string{}}}},
		transaction.PlanCase{Name: "complete", Story: []transaction.StoryLine{made, {Complete: new(true)}}},
		transaction.PlanCase{Name: "an answer to nothing", Story: []transaction.StoryLine{{Outcome: "receive", Is: transaction.StepApplied}, {Complete: new(false)}}},
		transaction.PlanCase{Name: "a person settles what is held", Unresolved: []string{"erp"}, Story: []transaction.StoryLine{
			made,
			{Steps: []transaction.StoryStep{{Status: transaction.StepHeld, Reason: transaction.HeldRole}}},
			{Outcome: "receive", Is: transaction.StepApplied, Documents: []string{"by hand"}},
			{Steps: []transaction.StoryStep{{Status: transaction.StepApplied, Documents: []string{"by hand"}}}},
		}},
	)
	var got []string
	for _, r := range compiledPlan(t, def).Test(compiled(t, lot())) {
		got = append(got, r.Case+": "+r.Problem)
	}
	want := []string{
		"made and released: ",
		`another status: line 2: step 1: expected status applied, got "due"; the steps are receive of made in erp: due`,
		"too many steps: line 2: expected 2 steps, got 1: receive of made in erp: due",
		`nothing open: line 2: expected open: [], got ["quality decision"]`,
		"complete: line 2: expected complete: true, got false; the steps are receive of made in erp: due",
		"an answer to nothing: line 1: no step of receive waits for an outcome; the steps are none",
		"a person settles what is held: ",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func dayInUTC(_ string, at time.Time) string { return at.UTC().Format(time.DateOnly) }

func parsedDay(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.DateOnly, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}
