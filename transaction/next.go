package transaction

import (
	"cmp"
	"slices"
	"strconv"
)

// Next decides which steps follow from what was noted and from what became of the
// steps decided before. It is a function of its arguments alone, and asking again
// changes nothing: Next(Next(x)) is Next(x). Whoever performs steps asks after every
// Note and Settle, writes what Changes tells, and only then lets a step go out.
//
// The rules, for a reaction that does something because of each event:
//
//   - A step that did not go out follows its event: corrected, it is superseded by
//     one with the new cause; reversed, it is obsolete.
//   - What is in effect is amended, or undone and done anew, or undone; where the
//     plan says no command for it, the step is held for a person.
//   - While an attempt is under way nothing is decided about its event.
//
// A reaction that collects does it because of bundles of events; see Collect.
//
// For a reaction that ensures a status:
//
//   - The status is worked out from the folded state of the key object, for every
//     plant that the events of the transaction name.
//   - It is stated where it is not what the newest step for the system states;
//     older steps that did not go out are superseded.
//   - A statement never waits for another one: what orders them is their lane.
func (p *Plan) Next(in Instance, w World) Instance {
	d := decision{plan: p, world: w, in: in}
	d.in.Steps = slices.Clone(in.Steps)
	d.in.Events = slices.Clone(in.Events)
	d.in.Bundles = cloneBundles(in.Bundles)
	d.resolveHeld()
	d.index()
	for i := range p.reactions {
		r := &p.reactions[i]
		if r.ensures() {
			d.ensure(r)
			continue
		}
		collected := d.collect(r)
		for j := range d.in.Events {
			if e := &d.in.Events[j]; slices.Contains(r.On, e.Type) && !collected[e.Key] {
				d.follow(r, e)
			}
		}
	}
	d.bind()
	d.expect()
	d.in.Complete = d.complete()
	return d.in
}

// A decision is one Next under way. Its instance is a copy that may be changed.
type decision struct {
	plan   *Plan
	world  World
	in     Instance
	chains map[chainKey][]int // places of steps, in order

	members map[chainKey]int // places of bundles; with events, filled where a reaction collects
	events  map[string]int   // places of events, by key
}

// chainKey names what is decided about one event, or one bundle, by one reaction.
type chainKey struct{ reaction, event string }

func (d *decision) index() {
	d.chains = make(map[chainKey][]int, len(d.in.Steps))
	for i := range d.in.Steps {
		s := &d.in.Steps[i]
		k := chainKey{s.Reaction, cmp.Or(s.Bundle, s.Event)}
		d.chains[k] = append(d.chains[k], i)
	}
}

// home is the part of command keys that tells ledgers apart.
func (d *decision) home() string {
	if d.in.Home != "" {
		return d.in.Home
	}
	return d.plan.def.Home
}

// mode is that in which an event was first decided about; see Mode.
func (d *decision) mode(r *reaction, e *Noted) Mode {
	if chain := d.chains[chainKey{r.name, e.Key}]; len(chain) > 0 {
		if d.in.Steps[chain[0]].Status == StepShadow {
			return ModeShadow
		}
		return ModeLive
	}
	if slices.Contains(e.Passed, r.name) {
		return ModeOff
	}
	mode := ModeLive
	if d.world.Mode != nil {
		mode = d.world.Mode(r.name, e.Plant)
	}
	if mode == ModeOff {
		e.Passed = append(slices.Clip(e.Passed), r.name)
	}
	return mode
}

// resolve names the system that has a role; none where the plant has none and needs none.
func (d *decision) resolve(role string, e *Noted, plant string) (system string, none bool) {
	if d.world.Resolve == nil {
		return "", false
	}
	system, ok := d.world.Resolve(role, plant, e.Occurred)
	if !ok {
		return "", false
	}
	return system, system == ""
}

// resolveHeld gives steps their system that had none when they were decided, and are
// held for want of it or let go on by a person.
func (d *decision) resolveHeld() {
	for i := range d.in.Steps {
		s := &d.in.Steps[i]
		if s.System != "" || s.Status != StepDue && (s.Status != StepHeld || s.Reason != HeldRole) {
			continue
		}
		if e := d.in.event(s.Event); e != nil {
			switch system, none := d.resolve(s.Role, e, s.Plant); {
			case none && s.Kind == KindDo: // what is in effect was done somewhere, and is amended and undone there
				s.end(StepObsolete)
			case system != "":
				s.System, s.Status, s.Reason = system, StepWaiting, ""
			}
		}
	}
}

// event finds a noted event by its key.
func (in *Instance) event(key string) *Noted {
	for i := range in.Events {
		if in.Events[i].Key == key {
			return &in.Events[i]
		}
	}
	return nil
}

// follow decides about one event of a reaction that does something.
func (d *decision) follow(r *reaction, e *Noted) {
	chain := d.chains[chainKey{r.name, e.Key}]
	if e.gone() && len(chain) == 0 {
		return
	}
	mode := d.mode(r, e)
	if mode == ModeOff || d.inFlight(chain) {
		return
	}
	_, none := d.resolve(r.Do.System, e, e.Plant)
	if none && len(chain) == 0 {
		e.Passed = append(slices.Clip(e.Passed), r.name)
		return
	}
	wanted := d.wantedSteps(r, e, chain, mode)
	if none { // what is done anew would have nowhere to go
		wanted = slices.DeleteFunc(wanted, func(s Step) bool { return s.Kind == KindDo })
	}
	for _, i := range chain {
		s := &d.in.Steps[i]
		switch {
		case !s.Status.Unsent() && s.Status != StepWaived:
			continue
		case s.Partly: // to be tried again, but for an event that has changed
			if s.Cause != e.ID {
				s.Status, s.Reason = StepPartlyApplied, ""
			}
			continue
		}
		at := slices.IndexFunc(wanted, func(x Step) bool { return x.Kind == s.Kind && x.Cause == s.Cause && x.Amends == s.Amends })
		switch {
		case at >= 0:
			wanted = slices.Delete(wanted, at, at+1)
		case s.Status == StepWaived:
		case e.gone():
			s.end(StepObsolete)
		default:
			s.end(StepSuperseded)
		}
	}
	for _, s := range wanted {
		d.add(r, e, s, mode)
	}
}

// end ends a step of which nothing is in effect.
func (s *Step) end(status StepStatus) { s.Status, s.Reason = status, "" }

func (d *decision) inFlight(chain []int) bool {
	return slices.ContainsFunc(chain, func(i int) bool { return d.in.Steps[i].Status.InFlight() })
}

// wantedSteps is what is yet to be performed because of an event, given what is in
// effect. What is only in the shadow counts as in effect there.
func (d *decision) wantedSteps(r *reaction, e *Noted, chain []int, mode Mode) []Step {
	heads := d.heads(chain, mode)
	var wanted []Step
	for _, i := range heads[:max(0, len(heads)-1)] { // an answer came after it was given up
		double := takingBack(r, &d.in.Steps[i], d.in.Steps[i].Cause)
		double.Status, double.Reason = StepHeld, HeldTwice
		wanted = append(wanted, double)
	}
	do := Step{Kind: KindDo, Role: r.Do.System, Plant: e.Plant, Command: r.Do.Command, Cause: e.ID}
	if len(heads) == 0 {
		if !e.gone() {
			wanted = append(wanted, do)
		}
		return wanted
	}
	head := &d.in.Steps[heads[len(heads)-1]]
	switch {
	case e.gone():
		return append(wanted, takingBack(r, head, e.ID))
	case head.Cause == e.ID:
		return wanted
	case r.Amend != nil && head.Plant == e.Plant:
		return append(wanted, amending(head, e.ID, r.Amend.Command))
	case r.Undo != nil:
		return append(wanted, takingBack(r, head, e.ID), do)
	}
	byHand := amending(head, e.ID, "")
	byHand.Status, byHand.Reason = StepHeld, HeldNoAmend
	return append(wanted, byHand)
}

// heads are the places of the steps in effect that nothing amends or undoes: one,
// but for an answer that came after its step was given up.
func (d *decision) heads(chain []int, mode Mode) []int {
	inEffect := func(s *Step) bool {
		if mode == ModeShadow {
			return s.Status == StepShadow
		}
		return s.inEffect()
	}
	var heads []int
	for _, i := range chain {
		s := &d.in.Steps[i]
		if !inEffect(s) {
			continue
		}
		heads = slices.DeleteFunc(heads, func(h int) bool { return d.in.Steps[h].Key == s.Amends })
		if s.Kind != KindUndo {
			heads = append(heads, i)
		}
	}
	return heads
}

// amending is the step that brings a corrected statement to what is in effect.
func amending(head *Step, cause, command string) Step {
	s := Step{Kind: KindAmend, Role: head.Role, Plant: head.Plant, System: head.System, Command: command, Cause: cause, Basis: head.Cause, Amends: head.Key}
	if head.Partly {
		s.Status, s.Reason = StepHeld, HeldPartly
	}
	return s
}

// takingBack is the step that undoes what is in effect.
func takingBack(r *reaction, head *Step, cause string) Step {
	s := amending(head, cause, "")
	s.Kind = KindUndo
	switch {
	case r.Undo != nil:
		s.Command = r.Undo.Command
	case s.Status == "":
		s.Status, s.Reason = StepHeld, HeldNoUndo
	}
	return s
}

// add decides one more step. It comes with what is particular about it; a status
// that it comes with stays, but in the shadow.
func (d *decision) add(r *reaction, e *Noted, s Step, mode Mode) {
	s.Reaction, s.Event, s.Ordering = r.name, e.Key, e.Ordering
	s.Lanes = r.lanes(d.in.Key, e.Refs)
	s.Key = d.key(r, e, &s)
	d.stand(r, e, &s, mode)
	k := chainKey{r.name, e.Key}
	d.chains[k] = append(d.chains[k], len(d.in.Steps))
	d.in.Steps = append(d.in.Steps, s)
}

// stand gives a new step its system and its status.
func (d *decision) stand(r *reaction, e *Noted, s *Step, mode Mode) {
	if s.System == "" {
		s.System, _ = d.resolve(s.Role, e, s.Plant)
	}
	switch {
	case mode == ModeShadow:
		s.Status, s.Reason = StepShadow, ""
	case s.Status != "":
	case e.Disputed && s.Kind != KindUndo && !r.ensures():
		s.Status, s.Reason = StepHeld, HeldDisputed
	case s.System == "":
		s.Status, s.Reason = StepHeld, HeldRole
	default:
		s.Status = StepWaiting
	}
}

// key is the command key of a step. A status for another plant than the cause's
// names it with the role; what is stated again because of the same cause is numbered.
func (d *decision) key(r *reaction, e *Noted, s *Step) string {
	times := 1
	for _, i := range d.chains[chainKey{r.name, e.Key}] {
		if o := &d.in.Steps[i]; o.Kind == s.Kind && o.Cause == s.Cause && o.Role == s.Role && o.Plant == s.Plant {
			times++
		}
	}
	role, kind := s.Role, string(s.Kind)
	if s.Plant != e.Plant {
		role += "@" + s.Plant
	}
	if times > 1 {
		kind += " " + strconv.Itoa(times)
	}
	return CommandKey(d.home(), d.plan.def.Plan, d.in.Key, r.name, role, s.Cause, kind)
}

// bind says of every step that did not go out what it still waits for.
func (d *decision) bind() {
	for i := range d.in.Steps {
		s := &d.in.Steps[i]
		if !s.Status.Unsent() || s.Status == StepRefused {
			s.After = nil
			continue
		}
		if r := d.plan.reaction(s.Reaction); r != nil {
			s.After = d.waitsFor(r, s)
		}
		if s.Status == StepHeld {
			continue
		}
		s.Status = StepDue
		if len(s.After) > 0 {
			s.Status = StepWaiting
		}
		s.holdIncomplete()
	}
}

// holdIncomplete holds a step that nothing could perform, also where a person let it
// go on.
func (s *Step) holdIncomplete() {
	switch {
	case s.System == "":
		s.Status, s.Reason = StepHeld, HeldRole
	case s.Command == "" && s.Kind == KindUndo:
		s.Status, s.Reason = StepHeld, HeldNoUndo
	case s.Command == "":
		s.Status, s.Reason = StepHeld, HeldNoAmend
	}
}

// waitsFor is the keys of the steps that must be applied before and are not, and of the
// open bundles whose steps must be.
func (d *decision) waitsFor(r *reaction, s *Step) []string {
	var keys []string
	if d.takesBack(s) { // in the order opposite to that in which it was done
		for _, name := range r.before {
			same, _ := d.about(name, s.events())
			keys = d.waiting(keys, same, func(o *Step) bool { return d.takesBack(o) || o.Status.InFlight() })
		}
		return keys
	}
	for _, name := range r.After {
		counts := func(o *Step) bool {
			return o.Kind != KindUndo && o.Status != StepReversed && !o.Status.Dead() && (o.Kind == KindDo || !r.ensures())
		}
		same, open := d.about(name, s.events())
		if keys = append(keys, open...); len(open) > 0 || slices.ContainsFunc(same, func(i int) bool { return counts(&d.in.Steps[i]) }) {
			keys = d.waiting(keys, same, counts)
			continue
		}
		keys = append(keys, d.gathering(name)...)
		for i := range d.in.Steps {
			if o := &d.in.Steps[i]; o.Reaction == name && o.Status != StepApplied && counts(o) {
				keys = append(keys, o.Key)
			}
		}
	}
	if s.Kind == KindDo && !r.ensures() {
		keys = d.waiting(keys, d.chains[chainKey{r.name, s.Event}], func(o *Step) bool { return o.Kind == KindUndo && o.Reason != HeldTwice })
	}
	return keys
}

// waiting adds the keys of the steps of a chain that count and have not come to an end.
func (d *decision) waiting(keys []string, chain []int, counts func(*Step) bool) []string {
	for _, i := range chain {
		if s := &d.in.Steps[i]; !s.Status.Settled() && counts(s) {
			keys = append(keys, s.Key)
		}
	}
	return keys
}

// expect says which expectations are open: since the earliest event that none of
// those that must follow came after.
func (d *decision) expect() {
	d.in.Open = nil
	for i := range d.plan.expect {
		x := &d.plan.expect[i]
		since := ""
		for j := range d.in.Events {
			switch e := &d.in.Events[j]; {
			case e.gone():
			case slices.Contains(x.OneOf, e.Type):
				since = ""
			case e.Type == x.After && since == "":
				since = e.ID
			}
		}
		if since != "" {
			d.in.Open = append(d.in.Open, Expected{x.name, since, x.within})
		}
	}
}

// complete says whether everything that the plan asks for has come to an end.
func (d *decision) complete() bool {
	if len(d.in.Events) == 0 || len(d.in.Open) > 0 {
		return false
	}
	anyLive := slices.ContainsFunc(d.in.Events, func(e Noted) bool { return !e.gone() })
	for _, name := range d.plan.def.Complete.Applied {
		if d.underWay(name) || anyLive && !d.performed(name) {
			return false
		}
	}
	return !slices.ContainsFunc(d.plan.def.Complete.Settled, d.underWay)
}

func (d *decision) underWay(reaction string) bool {
	return len(d.gathering(reaction)) > 0 || slices.ContainsFunc(d.in.Steps, func(s Step) bool { return s.Reaction == reaction && !s.Status.Settled() })
}

// performed says whether a step of the reaction is in effect, by us, by whoever
// performs it while it is in the shadow or off, or by a person.
func (d *decision) performed(reaction string) bool {
	return slices.ContainsFunc(d.in.Steps, func(s Step) bool {
		return s.Reaction == reaction && (s.Status == StepApplied || s.Status == StepShadow || s.Status == StepWaived)
	}) || slices.ContainsFunc(d.in.Events, func(e Noted) bool { return !e.gone() && slices.Contains(e.Passed, reaction) })
}
