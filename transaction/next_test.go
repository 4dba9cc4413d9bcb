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

// story reads the lines of a story, each as one of
//
//	made: production.completed [on DAY] [at PLANT] [disputed] [hold H]
//	better corrects made [on DAY] [at PLANT]
//	gone reverses made
//	receive applied, status/wms refused
//
// Events happen one day after the other where they say nothing else.
func story(t *testing.T, text string) []transaction.StoryLine {
	t.Helper()
	var lines []transaction.StoryLine
	for i, sentence := range strings.Split(text, "; ") {
		words := strings.Fields(sentence)
		var line transaction.StoryLine
		switch name, isEvent := strings.CutSuffix(words[0], ":"); {
		case isEvent:
			line.Event, line.Type, line.At = name, words[1], day(i+1)
			words = words[2:]
		case words[1] == "corrects":
			line.Event, line.Corrects, words = words[0], words[2], words[3:]
		case words[1] == "reverses":
			line.Event, line.Reverses, words = words[0], words[2], words[3:]
		default:
			line.Outcome, line.In, _ = strings.Cut(words[0], "/")
			line.Is, words = transaction.StepStatus(words[1]), words[2:]
		}
		for len(words) > 0 {
			switch words[0] {
			case "on":
				n := 0
				if _, err := fmt.Sscan(words[1], &n); err != nil {
					t.Fatal(err)
				}
				line.At, words = day(n), words[2:]
			case "at":
				line.Plant, words = words[1], words[2:]
			case "hold":
				line.Data, words = held(words[1]), words[2:]
			case "disputed":
				line.Disputed, words = true, words[1:]
			default:
				t.Fatalf("%q is not understood", words[0])
			}
		}
		lines = append(lines, line)
	}
	return lines
}

// stockLot is a lifecycle of lots that are released whether their making is on
// record or not.
func stockLot() transaction.Definition {
	def := lot()
	for i := range def.Transitions {
		def.Transitions[i].From = nil
	}
	def.Cases = []transaction.Case{{Name: "released", Events: []transaction.CaseEvent{{Type: "lot.released"}}, State: "released"}}
	return def
}

func day(n int) string { return fmt.Sprintf("2026-03-%02dT06:00:00Z", n) }

func TestWhatFollowsFromWhatIsOnRecord(t *testing.T) {
	noAmend := func(d *transaction.PlanDefinition) {
		edit(d, "receive", func(r *transaction.Reaction) { r.Amend = nil })
	}
	noRemedy := func(d *transaction.PlanDefinition) {
		edit(d, "receive", func(r *transaction.Reaction) { r.Amend, r.Undo = nil, nil })
	}
	for name, test := range map[string]struct {
		change func(*transaction.PlanDefinition)
		plot   transaction.PlanCase
		story  string
		want   string
	}{
		"a command is due because of a fact": {
			story: "made: production.completed",
			want:  "receive of made in erp: due; quality decision open",
		},
		"a fact that is corrected before its command went out is commanded as corrected": {
			story: "made: production.completed; better corrects made",
			want:  "receive of made in erp: superseded, receive of better in erp: due; quality decision open",
		},
		"a fact that is reversed before its command went out is not commanded": {
			story: "made: production.completed; gone reverses made",
			want:  "receive of made in erp: obsolete; complete",
		},
		"a refused command follows its event like one that did not go out": {
			story: "made: production.completed; receive refused; better corrects made",
			want:  "receive of made in erp: superseded, receive of better in erp: due; quality decision open",
		},
		"a refused command goes out again when a person says so": {
			story: "made: production.completed; receive refused; receive due",
			want:  "receive of made in erp: due; quality decision open",
		},
		"while an attempt is under way a correction waits": {
			story: "made: production.completed; receive sent; better corrects made",
			want:  "receive of made in erp: sent; quality decision open",
		},
		"a correction amends what was applied": {
			story: "made: production.completed; receive applied; better corrects made",
			want:  "receive of made in erp: applied, amend receive of better in erp: due; quality decision open",
		},
		"a correction that came while the attempt was under way amends it when it is applied": {
			story: "made: production.completed; receive sent; better corrects made; receive applied",
			want:  "receive of made in erp: applied, amend receive of better in erp: due; quality decision open",
		},
		"a correction that came while the attempt was under way takes its place when it is absent": {
			story: "made: production.completed; receive sent; better corrects made; receive due",
			want:  "receive of made in erp: superseded, receive of better in erp: due; quality decision open",
		},
		"an amendment that did not go out is superseded by the next": {
			story: "made: production.completed; receive applied; better corrects made; best corrects better",
			want:  "receive of made in erp: applied, amend receive of better in erp: superseded, amend receive of best in erp: due; quality decision open",
		},
		"an amendment is amended": {
			story: "made: production.completed; receive applied; better corrects made; receive applied; best corrects better",
			want:  "receive of made in erp: applied, amend receive of better in erp: applied, amend receive of best in erp: due; quality decision open",
		},
		"a reversal takes back what was applied, with its amendments": {
			story: "made: production.completed; receive applied; better corrects made; receive applied; gone reverses made; receive applied",
			want:  "receive of made in erp: reversed, amend receive of better in erp: reversed, undo receive of gone in erp: applied; complete",
		},
		"without a command to amend it is undone and done anew": {
			change: noAmend,
			story:  "made: production.completed; receive applied; better corrects made",
			want:   "receive of made in erp: applied, undo receive of better in erp: due, receive of better in erp: waiting; quality decision open",
		},
		"done anew once it is undone": {
			change: noAmend,
			story:  "made: production.completed; receive applied; better corrects made; receive applied",
			want:   "receive of made in erp: reversed, undo receive of better in erp: applied, receive of better in erp: due; quality decision open",
		},
		"a refused undo keeps what would be done anew": {
			change: noAmend,
			story:  "made: production.completed; receive applied; better corrects made; receive refused",
			want:   "receive of made in erp: applied, undo receive of better in erp: refused, receive of better in erp: waiting; quality decision open",
		},
		"a correction during the undo counts once it is undone": {
			change: noAmend,
			story:  "made: production.completed; receive applied; better corrects made; receive sent; best corrects better; receive applied",
			want: "receive of made in erp: reversed, undo receive of better in erp: applied, receive of better in erp: superseded, " +
				"receive of best in erp: due; quality decision open",
		},
		"a correction into another plant is undone here and done there": {
			story: "made: production.completed at graz; receive applied; moved corrects made at wien",
			want:  "receive of made in erp: applied, undo receive of moved in erp: due, receive of moved in erp: waiting; quality decision open",
		},
		"what can neither be amended nor undone is held for a person": {
			change: noRemedy,
			story:  "made: production.completed; receive applied; better corrects made",
			want:   "receive of made in erp: applied, amend receive of better in erp: held (no-amend); quality decision open",
		},
		"what a person amended by hand counts": {
			change: noRemedy,
			story:  "made: production.completed; receive applied; better corrects made; receive applied",
			want:   "receive of made in erp: applied, amend receive of better in erp: applied; quality decision open",
		},
		"what cannot be undone is held for a person": {
			change: noRemedy,
			story:  "made: production.completed; receive applied; gone reverses made",
			want:   "receive of made in erp: applied, undo receive of gone in erp: held (no-undo)",
		},
		"what was applied in part is not amended without a person": {
			story: "made: production.completed; receive partly-applied; better corrects made",
			want:  "receive of made in erp: partly-applied, amend receive of better in erp: held (partly-applied); quality decision open",
		},
		"what was applied in part is tried again when a person says so": {
			story: "made: production.completed; receive partly-applied; receive due; receive applied",
			want:  "receive of made in erp: applied; quality decision open",
		},
		"what was applied in part and is corrected is not tried again": {
			story: "made: production.completed; receive partly-applied; receive due; better corrects made",
			want:  "receive of made in erp: partly-applied, amend receive of better in erp: held (partly-applied); quality decision open",
		},
		"what was applied in part cannot be waived": {
			story: "made: production.completed; receive partly-applied; receive waived",
			want:  "receive of made in erp: partly-applied; quality decision open",
		},
		"a step that a person waived is not decided again": {
			story: "made: production.completed; receive waived; free: lot.released",
			want:  "receive of made in erp: waived, status free of free in erp: due, status free of free in wms: due",
		},
		"a waived step is decided anew when its event is corrected": {
			story: "made: production.completed; receive waived; better corrects made",
			want:  "receive of made in erp: waived, receive of better in erp: due; quality decision open",
		},
		"a disputed fact is held until it is corrected": {
			story: "made: production.completed disputed; better corrects made",
			want:  "receive of made in erp: superseded, receive of better in erp: due; quality decision open",
		},
		"a disputed fact is held": {
			story: "made: production.completed disputed",
			want:  "receive of made in erp: held (disputed); quality decision open",
		},
		"a person lets a disputed fact go on": {
			story: "made: production.completed disputed; receive due",
			want:  "receive of made in erp: due; quality decision open",
		},
		"a role without a system holds the step": {
			plot:  transaction.PlanCase{Unresolved: []string{"erp"}},
			story: "made: production.completed",
			want:  "receive of made in erp: held (role-unresolved); quality decision open",
		},
		"a reaction that is off has no steps": {
			plot:  transaction.PlanCase{Modes: map[string]transaction.Mode{"receive": transaction.ModeOff}},
			story: "made: production.completed; better corrects made; free: lot.released",
			want:  "status free of free in erp: due, status free of free in wms: due",
		},
		"a reaction in the shadow has steps that are never performed": {
			plot:  transaction.PlanCase{Modes: map[string]transaction.Mode{"receive": transaction.ModeShadow}},
			story: "made: production.completed; better corrects made; gone reverses better",
			want:  "receive of made in erp: shadow, amend receive of better in erp: shadow, undo receive of gone in erp: shadow; complete",
		},
		"a status in the shadow follows the decisions": {
			plot:  transaction.PlanCase{Modes: map[string]transaction.Mode{"status": transaction.ModeShadow}},
			story: "made: production.completed; receive applied; free: lot.released; again: lot.released; stop: hold.placed hold H",
			want: "receive of made in erp: applied, status free of free in erp: shadow, status free of free in wms: shadow, " +
				"status blocked of stop in erp: shadow, status blocked of stop in wms: shadow; complete",
		},
		"a status waits for the goods": {
			story: "made: production.completed; free: lot.released",
			want:  "receive of made in erp: due, status free of free in erp: waiting, status free of free in wms: waiting",
		},
		"a status is due when the goods are there": {
			story: "made: production.completed; free: lot.released; receive applied",
			want:  "receive of made in erp: applied, status free of free in erp: due, status free of free in wms: due",
		},
		"a status waits for goods that are reported late": {
			story: "free: lot.released on 9; made: production.completed on 1",
			want:  "status free of free in erp: waiting, status free of free in wms: waiting, receive of made in erp: due",
		},
		"a status does not wait for a correction of the goods": {
			story: "made: production.completed; receive applied; better corrects made; receive refused; stop: hold.placed hold H",
			want: "receive of made in erp: applied, amend receive of better in erp: refused, " +
				"status blocked of stop in erp: due, status blocked of stop in wms: due; quality decision open",
		},
		"the newest decision wins": {
			story: "free: lot.released; stop: hold.placed hold H",
			want: "status free of free in erp: superseded, status free of free in wms: superseded, " +
				"status blocked of stop in erp: due, status blocked of stop in wms: due",
		},
		"a block does not wait for a release that was refused": {
			story: "free: lot.released; status/erp refused; status/wms sent; stop: hold.placed hold H",
			want: "status free of free in erp: superseded, status free of free in wms: sent, " +
				"status blocked of stop in erp: due, status blocked of stop in wms: due",
		},
		"a status that is stated already is not stated again": {
			story: "free: lot.released; status/erp applied; status/wms applied; again: lot.released",
			want:  "status free of free in erp: applied, status free of free in wms: applied",
		},
		"a late decision that changes nothing has no step": {
			story: "free: lot.released on 9; status/erp applied; status/wms applied; made: lot.released on 1",
			want:  "status free of free in erp: applied, status free of free in wms: applied",
		},
		"a hold that is reported late blocks": {
			story: "free: lot.released on 9; status/erp applied; status/wms applied; stop: hold.placed on 1 hold H",
			want: "status free of free in erp: applied, status free of free in wms: applied, " +
				"status blocked of stop in erp: due, status blocked of stop in wms: due",
		},
		"a block that did not go out ends with its hold": {
			story: "free: lot.released; status/erp applied; status/wms sent; stop: hold.placed hold H; go: hold.lifted hold H",
			want: "status free of free in erp: applied, status free of free in wms: sent, " +
				"status blocked of stop in erp: superseded, status blocked of stop in wms: superseded",
		},
		"a release that is reversed is taken back": {
			story: "free: lot.released; status/erp applied; status/wms refused; oops reverses free",
			want: "status free of free in erp: applied, status free of free in wms: superseded, " +
				"status quality of oops in erp: due, status quality of oops in wms: due",
		},
		"a refused status is not decided again by itself": {
			story: "free: lot.released; status/erp refused; status/wms applied; made: production.completed",
			want:  "status free of free in erp: refused, status free of free in wms: applied, receive of made in erp: due; quality decision open",
		},
		"a late answer leaves the newer status due": {
			story: "free: lot.released; status/erp sent; status/wms applied; stop: hold.placed hold H; " +
				"status/wms applied; status/erp accepted; status/erp applied",
			want: "status free of free in erp: applied, status free of free in wms: applied, " +
				"status blocked of stop in erp: due, status blocked of stop in wms: applied",
		},
	} {
		t.Run(name, func(t *testing.T) {
			def := lotPlan()
			if test.change != nil {
				test.change(&def)
			}
			k := test.plot
			k.Story = story(t, test.story)
			got := compiledPlan(t, def).Run(k, compiled(t, stockLot()))
			if diff := cmp.Diff(strings.Split(test.want, ", "), strings.Split(got, ", ")); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

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
