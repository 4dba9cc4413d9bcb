package transaction

import (
	"cmp"
	"slices"

	"github.com/gapless/gapless/event"
)

// Note puts an event into a transaction: its place is that of its ordering, and the
// newest statement of a key takes the place of the one before. An event that is
// noted already, and a statement older than the one that counts, change nothing.
func (p *Plan) Note(in Instance, h Happened) Instance {
	passed := []string(nil)
	known := slices.IndexFunc(in.Events, func(n Noted) bool { return n.Key == h.Key })
	if known >= 0 {
		if in.Events[known].Statement >= h.Statement {
			return in
		}
		passed = in.Events[known].Passed
	}
	h.Occurred = h.Occurred.UTC().Round(0)
	h.Refs = slices.Clone(h.Refs)
	if len(h.Refs) == 0 {
		h.Refs = nil // as it reads back
	}
	in.Arrivals++
	noted := Noted{Happened: h, Arrival: in.Arrivals, Passed: passed}
	events := make([]Noted, 0, len(in.Events)+1)
	for i := range in.Events {
		if i != known {
			events = append(events, in.Events[i])
		}
	}
	at, _ := slices.BinarySearchFunc(events, &noted, compareNoted)
	in.Events = slices.Insert(events, at, noted)
	return in
}

// compareNoted is the fold order. The key decides last, so that the order is one
// for events of several feeds too.
func compareNoted(a Noted, b *Noted) int {
	return cmp.Or(cmp.Compare(a.Ordering, b.Ordering), cmp.Compare(a.Position, b.Position), cmp.Compare(a.Key, b.Key))
}

// gone says whether the event did not happen after all.
func (n *Noted) gone() bool { return n.Change == event.Reversal }

// Settle puts what became known of a step into its transaction. What is known to be
// in effect stays so: only that it is applied changes a step that ended as
// superseded or obsolete, and nothing but documents is added to one that is
// applied. A key that the transaction has not changes nothing.
func (p *Plan) Settle(in Instance, stepKey string, r Result) Instance {
	i := in.find(stepKey)
	if i < 0 {
		return in
	}
	s := in.Steps[i]
	takes := s.takes(r.Status)
	documents := union(s.Documents, r.Documents)
	if !takes && len(documents) == len(s.Documents) {
		return in
	}
	in.Steps = slices.Clone(in.Steps)
	s.Documents = documents
	if takes {
		s.Status, s.Reason = r.Status, ""
		if r.Status == StepHeld || r.Status == StepRefused {
			s.Reason = r.Reason
		}
		s.Partly = r.Status == StepPartlyApplied || s.Partly && r.Status != StepApplied
	}
	in.Steps[i] = s
	if takes && r.Status == StepApplied {
		in.markReversed(&s)
		in.markAgain(i)
		p.markBare(&in, &s)
		p.letGo(in.Steps, &s)
	}
	return in
}

// letGo lets steps go out again that were refused before a step was applied that they
// come after: they may have been refused for want of it, as a status of a lot that the
// system had not yet received. The steps are the instance's own already.
func (p *Plan) letGo(steps []Step, applied *Step) {
	if applied.Kind == KindUndo {
		return
	}
	for i := range steps {
		s := &steps[i]
		if s.Status != StepRefused || s.Kind == KindUndo || s.System != applied.System {
			continue
		}
		if r := p.reaction(s.Reaction); r != nil && slices.Contains(r.After, applied.Reaction) {
			s.Status, s.Reason = StepDue, ""
		}
	}
}

// takes says whether a step with all that is known of it takes a result.
func (s *Step) takes(result StepStatus) bool {
	if s.Partly && result == StepWaived { // it is in effect, in part: it cannot be said that it is not
		return false
	}
	switch s.Status {
	case StepApplied, StepReversed, StepShadow:
		return false
	case StepPartlyApplied:
		return result == StepApplied || result == StepDue || result == StepHeld || result == StepSent
	case StepSuperseded, StepObsolete, StepWaived:
		return result == StepApplied || result == StepPartlyApplied || result.InFlight()
	case StepAccepted: // that it was sent is known
		return slices.Contains(answers, result) && result != StepSent
	default:
		return slices.Contains(answers, result)
	}
}

// inEffect says whether the step or a part of it is.
func (s *Step) inEffect() bool { return s.Status == StepApplied || s.Partly && !s.Status.Dead() }

// markReversed ends what an applied undo took back. The steps are the instance's
// own already.
func (in *Instance) markReversed(undo *Step) {
	if undo.Kind != KindUndo {
		return
	}
	behind := in.Behind(*undo)
	if undo.Bundle != "" && len(behind) > 1 { // what a member's amendment stands on is all of the bundle
		behind = behind[:1]
	}
	for _, s := range behind {
		if i := in.find(s.Key); in.Steps[i].inEffect() {
			in.Steps[i].Status, in.Steps[i].Partly = StepReversed, false
		}
	}
}

// markAgain notes on the newest statement of a status that an older one was applied
// while the newer one was on its way: nobody knows which of them came last.
func (in *Instance) markAgain(applied int) {
	s := &in.Steps[applied]
	if s.Wanted == "" {
		return
	}
	for i := len(in.Steps) - 1; i > applied; i-- {
		newer := &in.Steps[i]
		if newer.Reaction != s.Reaction || newer.Role != s.Role || newer.System != s.System {
			continue
		}
		if newer.Status.InFlight() || newer.Status == StepApplied || newer.Status == StepPartlyApplied {
			newer.Again = true
			return
		}
	}
}

// markBare notes on the statements of a status that went out before goods came in
// that those do not have it yet.
func (p *Plan) markBare(in *Instance, goods *Step) {
	if goods.Kind == KindUndo {
		return
	}
	for i := range in.Steps {
		s := &in.Steps[i]
		if s.Wanted == "" || !s.Status.InFlight() && s.Status != StepApplied && s.Status != StepPartlyApplied {
			continue
		}
		if r := p.reaction(s.Reaction); r != nil && slices.Contains(r.Again, goods.Reaction) {
			s.Again = true
		}
	}
}

// union adds the texts that are new, in order.
func union(known, more []string) []string {
	all := slices.Clip(known)
	for _, text := range more {
		if text != "" && !slices.Contains(all, text) {
			all = append(all, text)
		}
	}
	return all
}
