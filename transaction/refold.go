package transaction

import (
	"errors"
	"fmt"
	"slices"
)

// A PlanChanged says that a transaction cannot move to another version of its plan
// by itself: it has performed a step that the plan would not have sent.
type PlanChanged struct {
	Step Step
	Text string // what the plan says instead
}

// Error is "plan changed: ..." with the step.
func (e *PlanChanged) Error() string {
	return fmt.Sprintf("plan changed: step %s of %s in %s because of %s is %s, but %s", e.Step.Kind, e.Step.Reaction, e.Step.Role, e.Step.Cause, e.Step.Status, e.Text)
}

// Refold moves a transaction of another version of the plan to this one: its
// history is kept, and decided about anew. Steps that this version would have sent
// too are carried over, as they stand; others of which nothing is in effect are
// superseded. Where one is in effect or on its way that this version would not have
// sent, nothing is moved, and the error joins a *PlanChanged for each: a person
// decides. Events of types that only this version concerns are for the caller to
// Note before.
func (p *Plan) Refold(old Instance, w World) (Instance, error) {
	moved := old
	moved.Steps = slices.Clone(old.Steps)
	var changed []error
	for i := range moved.Steps {
		s := &moved.Steps[i]
		if s.Status.Dead() {
			continue
		}
		text := p.wouldNotSend(&moved, s)
		unsent := s.Status.Unsent() && !s.Partly
		switch {
		case text == "" && unsent:
			s.Lanes = p.reaction(s.Reaction).lanes(moved.Key, moved.refsOf(s))
		case text == "":
		case unsent:
			s.end(StepSuperseded)
		default:
			changed = append(changed, &PlanChanged{Step: *s, Text: text})
		}
	}
	if len(changed) > 0 {
		return old, errors.Join(changed...)
	}
	moved.Bundles = p.followed(moved.Bundles)
	return p.Next(moved, w), nil
}

// wouldNotSend says why the plan would not send a step, "" where it would.
func (p *Plan) wouldNotSend(in *Instance, s *Step) string {
	r := p.reaction(s.Reaction)
	if r == nil {
		return "the plan has no such reaction"
	}
	if r.ensures() != (s.Wanted != "") {
		return "the reaction does something else now"
	}
	if e := in.event(s.Event); e == nil || !slices.Contains(r.types(), e.Type) {
		return "the reaction does not follow such an event"
	}
	if !slices.Contains(r.roles(), s.Role) {
		return "the reaction commands " + textList(r.roles())
	}
	command, known := r.command(s.Kind)
	switch {
	case s.Command == command, s.Command == "" && s.Status == StepApplied: // by hand
		return ""
	case !known:
		return fmt.Sprintf("the plan says no %s", s.Kind)
	}
	return fmt.Sprintf("the plan commands %s instead of %s", command, s.Command)
}

// command is the command of a kind of step.
func (r *reaction) command(kind Kind) (command string, known bool) {
	switch {
	case r.ensures():
		return r.Ensure, kind == KindDo
	case kind == KindDo:
		return r.Do.Command, true
	case kind == KindAmend && r.Amend != nil:
		return r.Amend.Command, true
	case kind == KindUndo && r.Undo != nil:
		return r.Undo.Command, true
	}
	return "", false
}
