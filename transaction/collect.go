package transaction

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gapless/gapless/event"
)

// A Bundle gathers events of a reaction that collects, of one plant, while it is open.
// Then one step performs them. What happens to a member that was performed is a step of
// its own.
type Bundle struct {
	Key      string        `json:"key"` // "post/3": the reaction, and the place among the bundles of the transaction
	Reaction string        `json:"reaction"`
	Plant    string        `json:"plant,omitempty"`
	Members  []string      `json:"members,omitempty"` // keys of events, in the order in which they came
	Opened   int           `json:"opened"`            // Noted.Arrival of the first member as it joined
	Within   time.Duration `json:"within,omitempty"`  // from when the first member was recorded; 0: no window
	Closed   bool          `json:"closed,omitempty"`
	Shadow   bool          `json:"shadow,omitempty"` // its steps are never performed
	Split    bool          `json:"split,omitempty"`  // it is what came of taking one apart; see Split
}

// A Member is one event of a step that performs several.
type Member struct {
	Event     string `json:"event"`     // key
	Statement string `json:"statement"` // id of the statement that is performed
}

// Close ends the time window of a bundle: that it is over is told to a transaction,
// as an event or an outcome is, because Next knows no clock. A bundle that is closed
// already, or that the transaction has not, changes nothing.
func (p *Plan) Close(in Instance, bundle string) Instance {
	i := slices.IndexFunc(in.Bundles, func(b Bundle) bool { return b.Key == bundle })
	if i < 0 || in.Bundles[i].Closed {
		return in
	}
	in.Bundles = slices.Clone(in.Bundles)
	in.Bundles[i].Closed = true
	return in
}

// collect decides about the events of a reaction that collects. It answers which of
// them are decided about: the others are followed one by one.
//
//   - An event joins the open bundle of its plant. Reversed there, it leaves it.
//   - A bundle that is closed is one step. While that did not go out, it is superseded
//     where a member changes.
//   - A member of what is in effect that is corrected or reversed is amended by a step
//     of its own: by what it changes, a reversed one by all of it.
//   - A disputed event stands in a bundle of its own: it holds no other.
//   - A bundle that a system refuses may be taken apart; see Split.
func (d *decision) collect(r *reaction) (collected map[string]bool) {
	if r.Collect == nil && !slices.ContainsFunc(d.in.Bundles, func(b Bundle) bool { return b.Reaction == r.name }) {
		return nil
	}
	d.indexMembers()
	d.keepPerformed(r)
	d.gather(r)
	collected = map[string]bool{}
	for i := range d.in.Bundles {
		b := &d.in.Bundles[i]
		if b.Reaction != r.name {
			continue
		}
		for _, key := range b.Members {
			collected[key] = true
		}
		if b.Closed {
			d.followBundle(r, b)
		}
	}
	return collected
}

// cloneBundles is a copy whose members may be changed.
func cloneBundles(bundles []Bundle) []Bundle {
	all := slices.Clone(bundles)
	for i := range all {
		all[i].Members = slices.Clone(all[i].Members)
	}
	return all
}

// terms say how the events of a reaction are collected at a plant.
func (d *decision) terms(r *reaction, plant string) Collecting {
	if r.Collect == nil {
		return Collecting{}
	}
	if d.world.Collect != nil {
		if terms, says := d.world.Collect(r.name, plant); says {
			return terms
		}
	}
	return r.collecting
}

// indexMembers finds events, and the bundles that they are in.
func (d *decision) indexMembers() {
	d.members, d.events = map[chainKey]int{}, make(map[string]int, len(d.in.Events))
	for i := range d.in.Events {
		d.events[d.in.Events[i].Key] = i
	}
	for i := range d.in.Bundles {
		for _, key := range d.in.Bundles[i].Members {
			d.members[chainKey{d.in.Bundles[i].Reaction, key}] = i
		}
	}
}

// event finds a noted event by its key; nil where the transaction has it not.
func (d *decision) event(key string) *Noted {
	if i, ok := d.events[key]; ok {
		return &d.in.Events[i]
	}
	return nil
}

// bundleOf finds the bundle of a reaction that an event is in; nil for none.
func (d *decision) bundleOf(reaction, event string) *Bundle {
	if i, ok := d.members[chainKey{reaction, event}]; ok {
		return &d.in.Bundles[i]
	}
	return nil
}

// enter puts an event into a bundle that nothing else has put it into.
func (d *decision) enter(bundle int, event string) {
	b := &d.in.Bundles[bundle]
	b.Members = append(b.Members, event)
	d.members[chainKey{b.Reaction, event}] = bundle
}

// leave takes an event out of a bundle. An open one that nothing is left of is given
// up: the next one has a window of its own.
func (d *decision) leave(b *Bundle, event string) {
	b.Members = slices.DeleteFunc(b.Members, func(key string) bool { return key == event })
	if len(b.Members) == 0 {
		b.Members, b.Closed = nil, true
	}
	delete(d.members, chainKey{b.Reaction, event})
}

// keepPerformed makes the members of what is in effect those of its bundle. An event
// that came in or back while the step was on its way is not among them: it is free.
func (d *decision) keepPerformed(r *reaction) {
	for i := range d.in.Bundles {
		b := &d.in.Bundles[i]
		if b.Reaction != r.name || !b.Closed {
			continue
		}
		whole := d.wholes(b)
		heads := d.heads(whole, b.mode())
		if len(heads) == 0 {
			continue
		}
		performed := d.in.Steps[heads[len(heads)-1]].Members
		for _, m := range performed {
			owner := d.bundleOf(r.name, m.Event)
			switch {
			case owner == b:
			case owner == nil:
				d.enter(i, m.Event)
			case d.untouched(owner): // an answer came after the event had moved there
				d.leave(owner, m.Event)
				d.enter(i, m.Event)
			}
		}
		if d.inFlight(whole) {
			continue
		}
		for _, key := range slices.Clone(b.Members) {
			if !slices.ContainsFunc(performed, func(m Member) bool { return m.Event == key }) && !d.waived(whole, d.event(key)) {
				d.leave(b, key)
			}
		}
	}
}

// gather lets events join and leave bundles, and closes those that are full or ended
// by an event, all in the order in which the events came.
func (d *decision) gather(r *reaction) {
	arrivals := make([]*Noted, len(d.in.Events))
	for i := range d.in.Events {
		arrivals[i] = &d.in.Events[i]
	}
	slices.SortFunc(arrivals, func(a, b *Noted) int { return cmp.Compare(a.Arrival, b.Arrival) })
	for _, e := range arrivals {
		if slices.Contains(r.On, e.Type) {
			d.join(r, e)
		}
		for i := range d.in.Bundles {
			b := &d.in.Bundles[i]
			if b.Reaction != r.name || b.Closed || b.Opened >= e.Arrival || e.gone() {
				continue
			}
			terms := d.terms(r, b.Plant)
			b.Closed = slices.Contains(terms.Until, e.Type)
		}
	}
	for i := range d.in.Bundles { // the plant, or the plan, collects no longer
		if b := &d.in.Bundles[i]; b.Reaction == r.name && !b.Closed {
			terms := d.terms(r, b.Plant)
			b.Closed = !terms.on()
		}
	}
}

// join puts an event into the bundle that it belongs to, or takes it out.
func (d *decision) join(r *reaction, e *Noted) {
	if b := d.bundleOf(r.name, e.Key); b != nil {
		elsewhere := e.gone() && !b.Closed || !e.gone() && (e.Plant != b.Plant || e.Disputed && len(b.Members) > 1)
		if !elsewhere || b.Closed && !d.untouched(b) {
			return
		}
		d.leave(b, e.Key)
	}
	terms := d.terms(r, e.Plant)
	if e.gone() || !terms.on() || len(d.chains[chainKey{r.name, e.Key}]) > 0 {
		return
	}
	mode := d.mode(r, e)
	if _, none := d.resolve(r.Do.System, e, e.Plant); mode == ModeOff || none {
		return
	}
	at := slices.IndexFunc(d.in.Bundles, func(b Bundle) bool {
		return !b.Closed && b.Reaction == r.name && b.Plant == e.Plant && b.mode() == mode
	})
	if at < 0 || e.Disputed {
		at = len(d.in.Bundles)
		d.in.Bundles = append(d.in.Bundles, Bundle{
			Key: r.name + "/" + strconv.Itoa(at+1), Reaction: r.name, Plant: e.Plant, Opened: e.Arrival, Within: terms.Within, Shadow: mode == ModeShadow,
		})
	}
	d.enter(at, e.Key)
	b := &d.in.Bundles[at]
	b.Closed = e.Disputed || len(b.Members) >= terms.Count
}

func (b *Bundle) mode() Mode {
	if b.Shadow {
		return ModeShadow
	}
	return ModeLive
}

// wholes are the places of the steps that perform a bundle, or take it back.
func (d *decision) wholes(b *Bundle) []int {
	var all []int
	for _, i := range d.chains[chainKey{b.Reaction, b.Key}] {
		if s := &d.in.Steps[i]; s.Kind == KindDo || len(s.Members) > 0 {
			all = append(all, i)
		}
	}
	return all
}

// untouched says whether nothing of a bundle is in effect or on its way.
func (d *decision) untouched(b *Bundle) bool { return !d.in.touched(b.Key) }

// waived says whether a person decided that the statement of an event as it stands is
// not performed.
func (d *decision) waived(wholes []int, e *Noted) bool {
	return e != nil && slices.ContainsFunc(wholes, func(i int) bool {
		s := &d.in.Steps[i]
		return s.Status == StepWaived && slices.Contains(s.Members, Member{e.Key, e.ID})
	})
}

// followBundle decides about a bundle that is closed.
func (d *decision) followBundle(r *reaction, b *Bundle) {
	wholes := d.wholes(b)
	if d.inFlight(wholes) {
		return
	}
	heads := d.heads(wholes, b.mode())
	var wanted []Step
	for _, i := range heads[:max(0, len(heads)-1)] { // an answer came after it was given up
		wanted = append(wanted, d.double(r, i, d.in.Steps[i].Cause))
	}
	newest := d.newestMember(b)
	if len(heads) == 0 && newest != nil {
		if whole := d.whole(r, b, wholes, newest); len(whole.Members) > 0 {
			wanted = append(wanted, whole)
		}
	}
	for _, s := range d.reconcile(r, wholes, wanted, newest == nil) {
		if e := d.event(s.Event); e != nil {
			d.addBundled(r, b, e, s)
		}
	}
	if len(heads) > 0 {
		head := heads[len(heads)-1]
		for _, m := range slices.Clone(d.in.Steps[head].Members) {
			if e := d.event(m.Event); e != nil {
				d.followMember(r, b, e, m, head)
			}
		}
	}
}

// newestMember is the member that came last of those that count; nil for none.
func (d *decision) newestMember(b *Bundle) *Noted {
	var newest *Noted
	for _, key := range b.Members {
		if e := d.event(key); e != nil && !e.gone() && (newest == nil || e.Arrival > newest.Arrival) {
			newest = e
		}
	}
	return newest
}

// whole is the step that performs a bundle: every member that counts.
func (d *decision) whole(r *reaction, b *Bundle, wholes []int, newest *Noted) Step {
	s := Step{Kind: KindDo, Role: r.Do.System, Plant: b.Plant, Command: r.Do.Command, Event: newest.Key, Cause: newest.ID}
	if _, none := d.resolve(s.Role, newest, b.Plant); none { // it would have nowhere to go
		return s
	}
	for _, key := range b.Members {
		if e := d.event(key); e != nil && !e.gone() && !d.waived(wholes, e) {
			s.Members = append(s.Members, Member{e.Key, e.ID})
		}
	}
	return s
}

// double is the step that takes back, by a person, what is in effect twice.
func (d *decision) double(r *reaction, at int, cause string) Step {
	head := &d.in.Steps[at]
	s := takingBack(r, head, cause)
	s.Event, s.Members, s.Status, s.Reason = head.Event, head.Members, StepHeld, HeldTwice
	return s
}

// followMember decides about a member of what is in effect.
func (d *decision) followMember(r *reaction, b *Bundle, e *Noted, m Member, whole int) {
	chain := []int{whole}
	for _, i := range d.chains[chainKey{r.name, b.Key}] {
		if s := &d.in.Steps[i]; s.Event == e.Key && s.Kind != KindDo && len(s.Members) == 0 {
			chain = append(chain, i)
		}
	}
	amends := chain[1:]
	if d.inFlight(amends) {
		return
	}
	heads := d.heads(chain, b.mode())
	var wanted []Step
	for _, i := range heads[:len(heads)-1] {
		if i != whole {
			wanted = append(wanted, d.double(r, i, d.in.Steps[i].Cause))
		}
	}
	head := &d.in.Steps[heads[len(heads)-1]]
	applied := m.Statement
	if head.Kind == KindAmend {
		applied = head.Cause
	}
	s := amending(head, e.ID, "")
	s.Event, s.Basis = e.Key, applied
	switch owner := d.bundleOf(r.name, e.Key); {
	case owner != b && head.Kind == KindAmend && head.Command == "": // a person has taken it out
	case owner != b: // it is performed once more there
		s.Status, s.Reason = StepHeld, HeldTwice
		wanted = append(wanted, s)
	case applied == e.ID:
	case r.Amend == nil || !e.gone() && e.Plant != b.Plant:
		s.Status, s.Reason = StepHeld, HeldNoAmend
		wanted = append(wanted, s)
	default:
		s.Command = r.Amend.Command
		wanted = append(wanted, s)
	}
	d.notBefore(e, wanted)
	for _, s := range d.reconcile(r, amends, wanted, false) {
		d.addBundled(r, b, e, s)
	}
}

// reconcile ends the steps of a chain that did not go out and are no longer wanted, and
// answers what is wanted and not there, or is to be posted on another day.
func (d *decision) reconcile(r *reaction, chain []int, wanted []Step, gone bool) (missing []Step) {
	for _, i := range chain {
		s := &d.in.Steps[i]
		at := slices.IndexFunc(wanted, func(x Step) bool {
			same := x.Kind == s.Kind && x.Amends == s.Amends && x.Event == s.Event && slices.Equal(x.Members, s.Members)
			return same && (x.Cause == s.Cause || len(x.Members) > 0)
		})
		switch {
		case !s.Status.Unsent() && s.Status != StepWaived:
		case s.Partly: // to be tried again, but for members that have changed
			if !d.unchanged(s) {
				s.Status, s.Reason = StepPartlyApplied, ""
			}
		case at >= 0:
			if moved, ok := d.movedOn(r, d.event(s.Event), s, wanted[at]); ok {
				missing = append(missing, moved)
			}
			wanted = slices.Delete(wanted, at, at+1)
		case s.Status == StepWaived:
		case gone:
			s.end(StepObsolete)
		default:
			s.end(StepSuperseded)
		}
	}
	return append(missing, wanted...)
}

// unchanged says whether what a step performs is what still counts.
func (d *decision) unchanged(s *Step) bool {
	for _, m := range s.Members {
		if e := d.event(m.Event); e == nil || e.ID != m.Statement {
			return false
		}
	}
	e := d.event(s.Event)
	return len(s.Members) > 0 || e != nil && e.ID == s.Cause
}

// addBundled is add for a step of a bundle. The command key of one that performs it is
// made of all that it performs.
func (d *decision) addBundled(r *reaction, b *Bundle, e *Noted, s Step) {
	s.Reaction, s.Bundle, s.Event, s.Ordering = r.name, b.Key, e.Key, e.Ordering
	s.Lanes = r.lanes(d.in.Key, d.in.refsOf(&s))
	cause, kind, times := s.Cause, string(s.Kind), 1
	if len(s.Members) > 0 {
		cause = strings.Join(s.Statements(), "\n")
	}
	k := chainKey{r.name, b.Key}
	for _, i := range d.chains[k] {
		if o := &d.in.Steps[i]; o.Kind == s.Kind && slices.Equal(o.Members, s.Members) && (o.Cause == s.Cause || len(s.Members) > 0) {
			times++
		}
	}
	if times > 1 {
		kind += " " + strconv.Itoa(times)
	}
	s.Key = CommandKey(d.home(), d.plan.def.Plan, d.in.Key, b.Key, s.Role, cause, kind)
	d.stand(r, e, &s, b.mode())
	d.chains[k] = append(d.chains[k], len(d.in.Steps))
	d.in.Steps = append(d.in.Steps, s)
}

// refsOf are the refs of all that a step performs.
func (in *Instance) refsOf(s *Step) (refs []event.Ref) {
	for _, key := range s.events() {
		if e := in.event(key); e != nil {
			refs = append(refs, e.Refs...)
		}
	}
	return refs
}

// Statements are the ids of all that a step performs together; nil where that is its
// cause alone.
func (s *Step) Statements() []string {
	var ids []string
	for _, m := range s.Members {
		ids = append(ids, m.Statement)
	}
	return ids
}

// events are the keys of the events that a step is about.
func (s *Step) events() []string {
	if len(s.Members) == 0 {
		return []string{s.Event}
	}
	keys := make([]string, len(s.Members))
	for i, m := range s.Members {
		keys[i] = m.Event
	}
	return keys
}

// about are the places of the steps of a reaction because of events, alone or in a
// bundle, and the keys of the bundles of them that are open: their steps are yet to come.
func (d *decision) about(reaction string, events []string) (steps []int, open []string) {
	for _, key := range events {
		steps = append(steps, d.chains[chainKey{reaction, key}]...)
		b := d.bundleOf(reaction, key)
		switch {
		case b == nil:
		case !b.Closed:
			open = append(open, b.Key)
		default:
			for _, i := range d.chains[chainKey{reaction, b.Key}] {
				if s := &d.in.Steps[i]; s.Event == key || slices.Contains(s.events(), key) {
					steps = append(steps, i)
				}
			}
		}
	}
	slices.Sort(steps)
	slices.Sort(open)
	return slices.Compact(steps), slices.Compact(open)
}

// gathering are the keys of the bundles of a reaction that are open.
func (d *decision) gathering(reaction string) (keys []string) {
	for i := range d.in.Bundles {
		if b := &d.in.Bundles[i]; b.Reaction == reaction && !b.Closed {
			keys = append(keys, b.Key)
		}
	}
	return keys
}

// takesBack says whether a step takes back what was done for an event.
func (d *decision) takesBack(s *Step) bool {
	if s.Kind == KindUndo {
		return true
	}
	e := d.event(s.Event)
	return s.Bundle != "" && s.Kind == KindAmend && e != nil && e.gone()
}

// followed gives up the open bundles of reactions that the plan has no longer.
func (p *Plan) followed(bundles []Bundle) []Bundle {
	all := slices.Clone(bundles)
	for i := range all {
		if b := &all[i]; !b.Closed && p.reaction(b.Reaction) == nil {
			b.Closed = true
		}
	}
	return all
}
