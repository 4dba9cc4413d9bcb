package transaction

import "slices"

// A target is a system that must have a status.
type target struct{ role, plant, system string }

// ensure decides about a reaction that states a status.
func (d *decision) ensure(r *reaction) {
	cause := d.newestArrival(r)
	if cause == nil {
		return
	}
	mode := d.mode(r, cause)
	line := d.wantedLine(r)
	basis := d.basis(r, line)
	for _, role := range r.In {
		for _, t := range d.targets(role, cause) {
			s := Step{
				Kind: KindDo, Role: t.role, Plant: t.plant, System: t.system, Command: r.Ensure,
				Cause: cause.ID, Basis: basis, Wanted: line.Is,
			}
			if d.unstated(r, t, &s, line.By != "", mode) && mode != ModeOff {
				d.add(r, cause, s, mode)
			}
		}
	}
}

// newestArrival is the deciding event that was noted last, reversed ones too: it
// made the status what it is now. That need not be the newest by its ordering.
func (d *decision) newestArrival(r *reaction) *Noted {
	var newest *Noted
	for i := range d.in.Events {
		if e := &d.in.Events[i]; slices.Contains(r.From, e.Type) && (newest == nil || e.Arrival > newest.Arrival) {
			newest = e
		}
	}
	return newest
}

// wantedLine is the first line that holds; the last one always does.
func (d *decision) wantedLine(r *reaction) *Wanted {
	for i := range r.Wanted {
		w := &r.Wanted[i]
		open := len(w.Open) == 0 || slices.ContainsFunc(w.Open, func(set string) bool { return len(d.world.State.Open[set]) > 0 })
		status := len(w.Status) == 0 || slices.Contains(w.Status, d.world.State.Status)
		if open && status {
			return w
		}
	}
	return &r.Wanted[len(r.Wanted)-1]
}

// basis is the newest event, by its ordering, that decides the status: of the type
// that tells its details, else of any. "" where all are reversed.
func (d *decision) basis(r *reaction, line *Wanted) string {
	for i := len(d.in.Events) - 1; i >= 0; i-- {
		e := &d.in.Events[i]
		if !e.gone() && (e.Type == line.By || line.By == "" && slices.Contains(r.From, e.Type)) {
			return e.ID
		}
	}
	return ""
}

// targets are the systems with the role at the plants that the events name, the
// cause's plant first: a lot is blocked wherever it is. At another plant than that
// of the cause nobody needs to know one.
func (d *decision) targets(role string, cause *Noted) []target {
	var targets []target
	if system, none := d.resolve(role, cause, cause.Plant); !none {
		targets = append(targets, target{role, cause.Plant, system})
	}
	var others []string
	for i := range d.in.Events {
		if e := &d.in.Events[i]; !e.gone() && e.Plant != cause.Plant && !slices.Contains(others, e.Plant) {
			others = append(others, e.Plant)
		}
	}
	slices.Sort(others)
	for _, plant := range others {
		system, _ := d.resolve(role, cause, plant)
		if system != "" && !slices.ContainsFunc(targets, func(t target) bool { return t.system == system }) {
			targets = append(targets, target{role, plant, system})
		}
	}
	return targets
}

// unstated says whether a status is yet to be stated to a system, and ends the steps
// that did not go out and are not the newest that states it.
func (d *decision) unstated(r *reaction, t target, wanted *Step, detailed bool, mode Mode) bool {
	seen, stated := false, false // the newest step that counts; that it states what is wanted
	for i := len(d.in.Steps) - 1; i >= 0; i-- {
		s := &d.in.Steps[i]
		if s.Reaction != r.name || s.Role != t.role || s.Status == StepSuperseded || s.Status == StepObsolete {
			continue
		}
		if ours := s.System == t.system && t.system != "" || s.System == "" && s.Plant == t.plant; !ours {
			continue
		}
		switch {
		case !seen && d.states(s, wanted, detailed, mode):
			seen, stated = true, true
		case s.Status.Unsent():
			s.end(StepSuperseded)
		default:
			seen = true
		}
	}
	return !stated
}

// states says whether a step states what is wanted, so that it need not be stated
// anew. A step that did not go out has to have a cause that still counts, one that
// was waived only stands for its own cause, and one in the shadow was not performed.
func (d *decision) states(s, wanted *Step, detailed bool, mode Mode) bool {
	if s.Wanted != wanted.Wanted || s.Again || detailed && s.Basis != wanted.Basis {
		return false
	}
	switch {
	case s.Status == StepShadow:
		return mode == ModeShadow
	case s.Status == StepWaived:
		return s.Cause == wanted.Cause
	case s.Status.Unsent():
		e := d.in.event(s.Event)
		return e != nil && e.ID == s.Cause
	}
	return true
}
