package transaction_test

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/transaction"
)

// lotPlan is the plan that most tests use: goods are received, and their status
// follows quality.
func lotPlan() transaction.PlanDefinition {
	released := true
	return transaction.PlanDefinition{
		Plan: "lot-to-stock", Title: "What is made is received, and its stock follows quality", Key: "lot",
		Reactions: map[string]transaction.Reaction{
			"receive": {
				On: []string{"production.completed"}, Do: &transaction.Do{System: "erp", Command: "receive-goods"}, Within: "5m",
				Amend: &transaction.Amend{Command: "correct-receipt", With: transaction.WithDelta},
				Undo:  &transaction.Undo{Command: "reverse-receipt"},
				Lanes: []string{"order", "material"},
			},
			"status": {
				Ensure: "stock-status", From: []string{"lot.released", "lot.rejected", "hold.placed", "hold.lifted"},
				Wanted: []transaction.Wanted{
					{Open: []string{"holds"}, Is: "blocked"},
					{Status: []string{"rejected"}, Is: "blocked"},
					{Status: []string{"released"}, Is: "free"},
					{Is: "quality"},
				},
				After: []string{"receive"}, In: []string{"erp", "wms"}, Within: "1m",
			},
		},
		Expect: map[string]transaction.Expectation{
			"quality decision": {After: "production.completed", OneOf: []string{"lot.released", "lot.rejected"}, Within: "48h"},
		},
		Complete: transaction.Completion{Applied: []string{"receive"}, Settled: []string{"status"}},
		Cases: []transaction.PlanCase{{
			Name: "made and released",
			Story: []transaction.StoryLine{
				{Event: "made", Type: "production.completed", At: "2026-03-02T06:00:00Z"},
				{Outcome: "receive", Is: transaction.StepApplied},
				{Event: "free", Type: "lot.released", At: "2026-03-03T06:00:00Z"},
				{Outcome: "status", In: "erp", Is: transaction.StepApplied},
				{Outcome: "status", In: "wms", Is: transaction.StepApplied},
				{Complete: &released},
			},
		}},
	}
}

func compiledPlan(t testing.TB, def transaction.PlanDefinition) *transaction.Plan {
	t.Helper()
	p, err := transaction.CompilePlan(def)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestASoundPlanCompiles(t *testing.T) {
	p := compiledPlan(t, lotPlan())
	if p.Name() != "lot-to-stock" || p.Definition().Home != transaction.Centre {
		t.Errorf("name %s, home %s", p.Name(), p.Definition().Home)
	}
	if p.Within("receive") != 5*time.Minute || p.Within("nothing") != 0 {
		t.Errorf("within %v, %v", p.Within("receive"), p.Within("nothing"))
	}
	if r, ok := p.Reaction("receive"); !ok || r.ClosedPeriod != transaction.HoldClosed {
		t.Errorf("a closed period: %q", r.ClosedPeriod)
	}
	if _, ok := p.Reaction("nothing"); ok {
		t.Error("a reaction that is not there was found")
	}
	want := []string{"hold.lifted", "hold.placed", "lot.rejected", "lot.released", "production.completed"}
	if diff := cmp.Diff(want, p.Types()); diff != "" {
		t.Error(diff)
	}
	if !p.Concerns("lot.released") || p.Concerns("lot.split") {
		t.Error("it concerns the wrong types")
	}
}

func TestKeysOfAnEventAreItsRefsOfThePlansKind(t *testing.T) {
	p := compiledPlan(t, lotPlan())
	got := p.KeysOf([]event.Ref{"order/1", "lot/M/2", "lot/M/1", "lot/M/2", "material/M"})
	if diff := cmp.Diff([]event.Ref{"lot/M/2", "lot/M/1"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsWrongInAPlanIsToldWithARemedy(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*transaction.PlanDefinition)
		want   []string
	}{
		"nothing at all": {
			func(d *transaction.PlanDefinition) { *d = transaction.PlanDefinition{} },
			[]string{"plan: missing: write for example lot-to-stock", "title: missing", "key: missing", "reactions: missing", "complete: missing", "cases: missing"},
		},
		"a home that is none": {
			func(d *transaction.PlanDefinition) { d.Home = "cloud" },
			[]string{`home: "cloud" is none of centre, plant`},
		},
		"a reaction that does nothing": {
			func(d *transaction.PlanDefinition) { d.Reactions["idle"] = transaction.Reaction{} },
			[]string{"reactions.idle: it does nothing: write do"},
		},
		"a reaction that does and ensures": {
			func(d *transaction.PlanDefinition) {
				edit(d, "status", func(r *transaction.Reaction) { r.Do = &transaction.Do{System: "erp", Command: "x"} })
			},
			[]string{"reactions.status: do and ensure both stand here: make two reactions of it"},
		},
		"a do with what belongs to ensure": {
			func(d *transaction.PlanDefinition) {
				edit(d, "receive", func(r *transaction.Reaction) {
					r.From, r.In, r.Wanted = []string{"a"}, []string{"erp"}, []transaction.Wanted{{Is: "x"}}
				})
			},
			[]string{"reactions.receive.from: belongs to ensure", "reactions.receive.in: belongs to ensure", "reactions.receive.wanted: belongs to ensure"},
		},
		"an ensure with what belongs to do": {
			func(d *transaction.PlanDefinition) {
				edit(d, "status", func(r *transaction.Reaction) {
					r.On, r.Amend, r.Undo, r.ClosedPeriod = []string{"a"}, &transaction.Amend{}, &transaction.Undo{}, transaction.HoldClosed
				})
			},
			[]string{"reactions.status.on: belongs to do", "reactions.status.amend: belongs to do", "reactions.status.undo: belongs to do", "reactions.status.closed-period: belongs to do"},
		},
		"an amendment of neither form": {
			func(d *transaction.PlanDefinition) {
				edit(d, "receive", func(r *transaction.Reaction) { r.Amend = &transaction.Amend{Command: "Correct", With: "half"} })
			},
			[]string{`reactions.receive.amend.command: "Correct" is no name`, `reactions.receive.amend.with: "half" is none of delta, whole`},
		},
		"a closed period of neither form": {
			func(d *transaction.PlanDefinition) {
				edit(d, "receive", func(r *transaction.Reaction) { r.ClosedPeriod = "ignore" })
			},
			[]string{`reactions.receive.closed-period: "ignore" is none of hold, next-open`},
		},
		"an after that leads nowhere": {
			func(d *transaction.PlanDefinition) {
				edit(d, "status", func(r *transaction.Reaction) { r.After = []string{"reception", "status"} })
			},
			[]string{`reactions.status.after[0]: "reception" is no reaction of this plan: write one of receive, status`, "reactions.status.after[1]: status comes after itself"},
		},
		"reactions that wait for each other": {
			func(d *transaction.PlanDefinition) {
				edit(d, "receive", func(r *transaction.Reaction) { r.After = []string{"status"} })
			},
			[]string{"reactions.receive.after: receive, status wait for each other, so that none would ever go out"},
		},
		"a reaction on what its own commands lead to": {
			func(d *transaction.PlanDefinition) {
				edit(d, "receive", func(r *transaction.Reaction) { r.On = []string{"command.applied"} })
			},
			[]string{"reactions.receive.on[0]: command.applied is what the plan's own commands lead to"},
		},
		"a pattern instead of a type": {
			func(d *transaction.PlanDefinition) {
				edit(d, "receive", func(r *transaction.Reaction) { r.On = []string{"production.*"} })
			},
			[]string{`reactions.receive.on[0]: "production.*" is no event type`},
		},
		"a status that is never wanted": {
			func(d *transaction.PlanDefinition) {
				edit(d, "status", func(r *transaction.Reaction) {
					r.Wanted = []transaction.Wanted{{Is: "quality"}, {Status: []string{"released"}, Is: "free", By: "lot.split"}}
				})
			},
			[]string{"wanted[0]: it always holds", "wanted[1]: nothing is wanted where no line holds", `wanted[1].by: "lot.split" is none of the types in from`},
		},
		"a status that is stated again after what it does not come after": {
			func(d *transaction.PlanDefinition) {
				edit(d, "status", func(r *transaction.Reaction) { r.After, r.Again = nil, []string{"receive"} })
				edit(d, "receive", func(r *transaction.Reaction) { r.Again = []string{"status"} })
			},
			[]string{`reactions.status.again[0]: "receive" is not among the reactions in after`, "reactions.receive.again: belongs to ensure"},
		},
		"times that are none": {
			func(d *transaction.PlanDefinition) {
				edit(d, "receive", func(r *transaction.Reaction) { r.Within = "soon" })
				d.Expect["quality decision"] = transaction.Expectation{After: "production.completed", OneOf: []string{"production.completed"}}
			},
			[]string{`reactions.receive.within: "soon" is no time span`, "expect.quality decision.within: missing", "expect.quality decision.one of: production.completed would be followed by itself"},
		},
		"a completion of what is no reaction": {
			func(d *transaction.PlanDefinition) {
				d.Complete = transaction.Completion{Applied: []string{"reception"}}
			},
			[]string{`complete.applied[0]: "reception" is no reaction`},
		},
		"a story that says nothing": {
			func(d *transaction.PlanDefinition) {
				d.Cases = []transaction.PlanCase{{Key: "order/1", Story: []transaction.StoryLine{
					{Event: "a", Type: "production.completed", At: "yesterday"},
					{Event: "a", Corrects: "b"},
					{Outcome: "reception", Is: "done"},
					{},
				}}}
			},
			[]string{
				"cases[0].name: missing", "cases[0].key: order/1 is no lot", `story[0].at: "yesterday" is no time`, "story[1].event: an event is called a already",
				`story[1]: no event before is called "b"`, `story[2].outcome: "reception"`, `story[2].is: "done" is no outcome`, "story[3]: a line is one of",
				"story[3]: the story ends without saying what follows",
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			def := lotPlan()
			test.change(&def)
			_, err := transaction.CompilePlan(def)
			if err == nil {
				t.Fatal("it compiled")
			}
			told := strings.Split(err.Error(), "\n")
			for _, want := range test.want {
				if !slices.ContainsFunc(told, func(s string) bool { return strings.Contains(s, want) }) {
					t.Errorf("nothing says %q in\n%v", want, err)
				}
			}
			if len(told) != len(test.want) {
				t.Errorf("%d faults, want %d:\n%v", len(told), len(test.want), err)
			}
			if _, ok := errors.AsType[*transaction.DefinitionError](err); !ok {
				t.Errorf("%T holds no *DefinitionError", err)
			}
		})
	}
}

// edit changes one reaction of a definition.
func edit(d *transaction.PlanDefinition, name string, change func(*transaction.Reaction)) {
	r := d.Reactions[name]
	change(&r)
	d.Reactions[name] = r
}

func TestACommandKeyIsAFunctionOfItsPartsAlone(t *testing.T) {
	base := []string{"centre", "lot-to-stock", "lot/M/1", "receive", "erp", "cause", "do"}
	key := func(p []string) string {
		return transaction.CommandKey(p[0], p[1], event.Ref(p[2]), p[3], p[4], p[5], p[6])
	}
	if got := key(base); len(got) != 64 || got != key(slices.Clone(base)) {
		t.Errorf("key %q", got)
	}
	seen := map[string]bool{key(base): true}
	for i := range base {
		parts := slices.Clone(base)
		parts[i] += "x"
		if seen[key(parts)] {
			t.Errorf("part %d does not count", i)
		}
		seen[key(parts)] = true
		if i > 0 { // the same text, cut elsewhere
			parts = slices.Clone(base)
			parts[i-1], parts[i] = parts[i-1]+parts[i][:1], parts[i][1:]
			if seen[key(parts)] {
				t.Errorf("the cut before part %d does not count", i)
			}
		}
	}
}

func TestReactionsThatComeAfterEachOtherCompileWhereTheyMakeNoCircle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		names := []string{"a", "b", "c", "d", "e"}
		def := lotPlan()
		def.Reactions = map[string]transaction.Reaction{}
		after := map[string][]string{}
		for i, name := range names {
			others := slices.Concat(names[:i], names[i+1:])
			after[name] = rapid.SliceOfNDistinct(rapid.SampledFrom(others), 0, 2, rapid.ID).Draw(t, name)
			def.Reactions[name] = transaction.Reaction{On: []string{"production.completed"}, Do: &transaction.Do{System: "erp", Command: "do-" + name}, After: after[name]}
		}
		def.Complete = transaction.Completion{Settled: names}
		def.Cases[0].Story = []transaction.StoryLine{{Open: []string{}}}
		done, grown := map[string]bool{}, true // what can go out, one after the other
		for grown {
			grown = false
			for _, name := range names {
				if !done[name] && !slices.ContainsFunc(after[name], func(before string) bool { return !done[before] }) {
					done[name], grown = true, true
				}
			}
		}
		_, err := transaction.CompilePlan(def)
		if circle := len(done) < len(names); circle != (err != nil) {
			t.Fatalf("after %v: %v", after, err)
		}
		if err != nil && !strings.Contains(err.Error(), "wait for each other") {
			t.Fatal(err)
		}
	})
}
