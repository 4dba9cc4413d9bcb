package transaction

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gapless/gapless/event"
)

// Test tells the story of every case. The lifecycle is that of the plan's key; nil
// where it has none.
func (p *Plan) Test(l *Lifecycle) []CaseResult {
	results := make([]CaseResult, len(p.def.Cases))
	for i := range p.def.Cases {
		k := &p.def.Cases[i]
		_, problem := p.tell(k, l, (*teller).compare)
		results[i] = CaseResult{Case: k.Name, Index: i, Passed: problem == "", Problem: problem}
	}
	return results
}

// Run tells the story of a case of this or another version of the plan, whatever it
// expects, and says what it leads to, in words: every step, and what is open.
func (p *Plan) Run(k PlanCase, l *Lifecycle) string {
	t, problem := p.tell(&k, l, func(*teller, *StoryLine) string { return "" })
	if problem != "" {
		return problem
	}
	parts := []string{t.steps()}
	for _, x := range t.in.Open {
		parts = append(parts, x.Name+" open")
	}
	if t.in.Complete {
		parts = append(parts, "complete")
	}
	return strings.Join(parts, "; ")
}

// A teller is one story under way.
type teller struct {
	plan      *Plan
	lifecycle *Lifecycle
	plot      *PlanCase
	in        Instance
	events    []toldEvent
}

// A toldEvent is the newest statement of an event of a story.
type toldEvent struct {
	Happened
	data  map[string]any
	names []string // of its statements
}

// tell answers what is wrong with a case, "" for nothing. Lines that say what is
// expected are for compare.
func (p *Plan) tell(k *PlanCase, l *Lifecycle, compare func(*teller, *StoryLine) string) (*teller, string) {
	t := &teller{plan: p, lifecycle: l, plot: k, in: Instance{Key: k.Key}}
	if t.in.Key == "" {
		t.in.Key = event.Ref(p.def.Key + "/example")
	}
	for i := range k.Story {
		line := &k.Story[i]
		problem := ""
		switch {
		case line.Event != "":
			t.happen(line)
		case line.Outcome != "":
			problem = t.settle(line)
		case line.Over != "":
			problem = t.end(line.Over)
		default:
			problem = compare(t, line)
		}
		if problem != "" {
			return t, fmt.Sprintf("line %d: %s", i+1, problem)
		}
	}
	return t, ""
}

// happen notes the event of a line and decides.
func (t *teller) happen(line *StoryLine) {
	h := toldEvent{
		Happened: Happened{Key: line.Event, Statement: 1, Type: line.Type, Plant: cmp.Or(line.Plant, t.plot.Plant), Refs: line.Refs, Disputed: line.Disputed},
		data:     line.Data,
	}
	at := line.At
	if earlier := line.Corrects + line.Reverses; earlier != "" {
		i := slices.IndexFunc(t.events, func(e toldEvent) bool { return slices.Contains(e.names, earlier) })
		was := t.events[i]
		h.Key, h.Statement, h.Change, h.names = was.Key, was.Statement+1, event.Correction, was.names
		if line.Reverses != "" {
			h.Change = event.Reversal
		}
		h.Type, h.Plant, at = cmp.Or(line.Type, was.Type), cmp.Or(line.Plant, was.Plant), cmp.Or(line.At, was.Occurred.Format(time.RFC3339))
		if line.Refs == nil {
			h.Refs = was.Refs
		}
		if line.Data == nil {
			h.data = was.data
		}
		t.events = slices.Delete(t.events, i, i+1)
	}
	h.ID, h.names = line.Event, append(slices.Clip(h.names), line.Event)
	h.Occurred, _ = time.Parse(time.RFC3339, at) // checked when the plan was compiled
	h.Ordering = (&event.Event{Occurred: event.Span{From: h.Occurred}}).Order()
	for _, e := range t.events {
		h.Position = max(h.Position, e.Position)
	}
	h.Position++
	t.events = append(t.events, h)
	if t.plan.Concerns(h.Type) {
		t.in = t.plan.Note(t.in, h.Happened)
	}
	t.decide()
}

func (t *teller) decide() { t.in = t.plan.Next(t.in, t.world()) }

// world is that of the story: its events folded by the lifecycle of the key, and a
// system for every role, called as the role is.
func (t *teller) world() World {
	w := World{
		Resolve: func(role, _ string, _ time.Time) (string, bool) {
			return role, !slices.Contains(t.plot.Unresolved, role)
		},
		Mode: func(reaction, _ string) Mode { return cmp.Or(t.plot.Modes[reaction], ModeLive) },
	}
	if t.lifecycle == nil {
		return w
	}
	slices.SortStableFunc(t.events, func(a, b toldEvent) int {
		return cmp.Or(cmp.Compare(a.Ordering, b.Ordering), cmp.Compare(a.Position, b.Position))
	})
	w.State = t.lifecycle.Initial()
	for _, e := range t.events {
		if e.Change != event.Reversal {
			w.State, _ = t.lifecycle.Fold(w.State, LifecycleEvent{ID: e.ID, Type: e.Type, Since: e.Occurred.Format(time.RFC3339), Data: e.data})
		}
	}
	return w
}

// settle gives the step of a line its outcome and decides.
func (t *teller) settle(line *StoryLine) string {
	ours := func(s *Step) bool { return s.Reaction == line.Outcome && (line.In == "" || s.Role == line.In) }
	at := slices.IndexFunc(t.in.Steps, func(s Step) bool { return ours(&s) && (s.Status == StepDue || s.Status.InFlight()) })
	if at < 0 { // a person has settled it
		at = slices.IndexFunc(t.in.Steps, func(s Step) bool {
			return ours(&s) && (s.Status == StepHeld || s.Status == StepRefused || s.Status == StepPartlyApplied)
		})
	}
	if at < 0 {
		return fmt.Sprintf("no step of %s waits for an outcome; the steps are %s", line.Outcome, t.steps())
	}
	s := t.in.Steps[at]
	if s.Status == StepDue && line.Is != StepHeld && line.Is != StepWaived {
		t.in = t.plan.Settle(t.in, s.Key, Result{Status: StepSent})
	}
	t.in = t.plan.Settle(t.in, s.Key, Result{Status: line.Is, Documents: line.Documents, Reason: line.Reason})
	t.decide()
	return ""
}

// end tells that the window of a reaction's open bundle is over, and decides.
func (t *teller) end(reaction string) string {
	at := slices.IndexFunc(t.in.Bundles, func(b Bundle) bool { return b.Reaction == reaction && !b.Closed && b.Within > 0 })
	if at < 0 {
		return fmt.Sprintf("no bundle of %s with a window is open; the steps are %s", reaction, t.steps())
	}
	t.in = t.plan.Close(t.in, t.in.Bundles[at].Key)
	t.decide()
	return ""
}

// compare answers in what way the transaction is not as the line says.
func (t *teller) compare(line *StoryLine) string {
	if line.Steps != nil {
		if len(line.Steps) != len(t.in.Steps) {
			return fmt.Sprintf("expected %d steps, got %d: %s", len(line.Steps), len(t.in.Steps), t.steps())
		}
		for i := range line.Steps {
			if differs := line.Steps[i].differs(&t.in.Steps[i]); differs != "" {
				return fmt.Sprintf("step %d: %s; the steps are %s", i+1, differs, t.steps())
			}
		}
	}
	if line.Open != nil {
		var open []string
		for _, x := range t.in.Open {
			open = append(open, x.Name)
		}
		if wanted := slices.Sorted(slices.Values(line.Open)); !slices.Equal(wanted, open) {
			return fmt.Sprintf("expected open: %q, got %q", wanted, open)
		}
	}
	if line.Complete != nil && *line.Complete != t.in.Complete {
		return fmt.Sprintf("expected complete: %t, got %t; the steps are %s", *line.Complete, t.in.Complete, t.steps())
	}
	return ""
}

// differs is the first thing in which a step is not what is expected.
func (want *StoryStep) differs(got *Step) string {
	for _, f := range []struct{ name, want, got string }{
		{"reaction", want.Reaction, got.Reaction},
		{"kind", string(want.Kind), string(got.Kind)},
		{"in", want.In, got.Role},
		{"command", want.Command, got.Command},
		{"because", want.Because, got.Cause},
		{"wanted", want.Wanted, got.Wanted},
		{"status", string(want.Status), string(got.Status)},
		{"reason", want.Reason, got.Reason},
	} {
		if f.want != "" && f.want != f.got {
			return fmt.Sprintf("expected %s %s, got %q", f.name, f.want, f.got)
		}
	}
	if members := got.Statements(); want.Members != nil && !slices.Equal(want.Members, members) {
		return fmt.Sprintf("expected members %q, got %q", want.Members, members)
	}
	if want.Documents != nil && !slices.Equal(want.Documents, got.Documents) {
		return fmt.Sprintf("expected documents %q, got %q", want.Documents, got.Documents)
	}
	return ""
}

// steps is every step in words: "receive of made in erp: applied".
func (t *teller) steps() string {
	if len(t.in.Steps) == 0 {
		return "none"
	}
	texts := make([]string, len(t.in.Steps))
	for i, s := range t.in.Steps {
		what := s.Reaction
		if s.Kind != KindDo {
			what = string(s.Kind) + " " + what
		}
		if s.Wanted != "" {
			what += " " + s.Wanted
		}
		because := s.Cause
		if len(s.Members) > 0 {
			because = strings.Join(s.Statements(), " and ")
		}
		texts[i] = fmt.Sprintf("%s of %s in %s: %s", what, because, s.Role, s.Status)
		if s.Reason != "" {
			texts[i] += " (" + s.Reason + ")"
		}
	}
	return strings.Join(texts, ", ")
}
