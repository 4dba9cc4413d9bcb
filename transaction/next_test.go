package transaction_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/transaction"
)

// story reads the lines of a story, each as one of
//
//	made: production.completed [on DAY] [at PLANT] [disputed] [hold H]
//	better corrects made [on DAY] [at PLANT]
//	gone reverses made
//	receive applied, status/wms refused
//	post over
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
		case words[1] == "over":
			line.Over, words = words[0], words[2:]
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
		"what no command can do does not go out, whatever a person says": {
			change: noRemedy,
			story:  "made: production.completed; receive applied; better corrects made; receive due",
			want:   "receive of made in erp: applied, amend receive of better in erp: held (no-amend); quality decision open",
		},
		"nor does what has no system": {
			plot:  transaction.PlanCase{Unresolved: []string{"erp"}},
			story: "made: production.completed; receive due",
			want:  "receive of made in erp: held (role-unresolved); quality decision open",
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
		"goods that come later have no step of their own status": {
			story: "made: production.completed; free: lot.released; receive applied; status/erp applied; status/wms applied; more: production.completed; receive applied",
			want:  "receive of made in erp: applied, status free of free in erp: applied, status free of free in wms: applied, receive of more in erp: applied; quality decision open",
		},
		"a status is stated again after goods that come later, where the plan says so": {
			change: func(d *transaction.PlanDefinition) {
				edit(d, "status", func(r *transaction.Reaction) { r.Again = []string{"receive"} })
			},
			story: "made: production.completed; free: lot.released; receive applied; status/erp applied; status/wms sent; more: production.completed; receive applied",
			want: "receive of made in erp: applied, status free of free in erp: applied, status free of free in wms: sent, receive of more in erp: applied, " +
				"status free of free in erp: due, status free of free in wms: due; quality decision open",
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
