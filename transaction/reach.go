package transaction

import (
	"fmt"
	"maps"
	"slices"

	"github.com/gapless/gapless/event"
)

// A Reach says that events of some types also concern the transactions of objects that
// they do not name: those that a relation leads to from an object that they name. A
// hold on a batch is a hold on every lot of it, also on those made later.
type Reach struct {
	On   []string `yaml:"on"`   // event types that are carried over
	From string   `yaml:"from"` // kind of the object that the event names
	By   string   `yaml:"by"`   // kind of the relation that leads from it to the key object
}

// A Move is what an event does to an open set of the key's lifecycle.
type Move struct {
	Set  string `json:"set"`  // "holds"
	Key  string `json:"key"`  // "hold/qms/H-1"
	Open bool   `json:"open"` // false: it is closed
}

// Moves is what an event does to the open sets.
func (l *Lifecycle) Moves(eventType string, data map[string]any) []Move {
	var moves []Move
	for _, o := range l.opens {
		opens := slices.Contains(o.Opens, eventType)
		if !opens && !slices.Contains(o.Closes, eventType) {
			continue
		}
		for _, key := range textsAt(data, o.path) {
			moves = append(moves, Move{o.Name, key, opens})
		}
	}
	return moves
}

// withReached adds to the open sets of the key object what events opened that reached
// it through a relation, and are not part of its fold. What such an event opened or
// closed is open if the last event noted about it opens it.
func (in *Instance) withReached(s State) State {
	type key struct{ set, key string }
	reached, open := map[key]bool{}, map[key]bool{}
	for i := range in.Events {
		e := &in.Events[i]
		if e.gone() {
			continue
		}
		for _, m := range e.Moves {
			k := key{m.Set, m.Key}
			reached[k] = reached[k] || e.Via != ""
			open[k] = m.Open
		}
	}
	maps.DeleteFunc(open, func(k key, _ bool) bool { return !reached[k] })
	if len(open) == 0 {
		return s
	}
	sets := map[string][]string{}
	for name, keys := range s.Open {
		sets[name] = slices.DeleteFunc(slices.Clone(keys), func(k string) bool { return reached[key{name, k}] })
	}
	for k, is := range open {
		if is {
			sets[k.set] = append(sets[k.set], k.key)
		}
	}
	for _, keys := range sets {
		slices.Sort(keys)
	}
	s.Open = sets
	return s
}

// ReachedFrom calls use with each object that an event names and with each relation by
// which its type is carried over from there.
func (p *Plan) ReachedFrom(eventType string, refs []event.Ref, use func(from event.Ref, by string)) {
	for i := range p.def.Reached {
		r := &p.def.Reached[i]
		if !slices.Contains(r.On, eventType) {
			continue
		}
		for _, ref := range refs {
			if ref.Kind() == r.From {
				use(ref, r.By)
			}
		}
	}
}

// CarriedOver is the types of the events that are carried over by a relation: what was
// reported of them about the object that it leads from concerns the one that it leads
// to as well. nil where the relation leads to no key of the plan.
func (p *Plan) CarriedOver(relation event.Relation) []string {
	var types []string
	for i := range p.def.Reached {
		if r := &p.def.Reached[i]; r.By == relation.Kind && r.From == relation.From.Kind() && p.def.Key == relation.To.Kind() {
			types = union(types, r.On)
		}
	}
	return types
}

// reached checks the ways to the keys.
func (c *planChecker) reached() {
	concerned := map[string]bool{}
	for _, r := range c.def.Reactions {
		for _, typ := range slices.Concat(r.On, r.From) {
			concerned[typ] = true
		}
	}
	for _, e := range c.def.Expect {
		for _, typ := range append([]string{e.After}, e.OneOf...) {
			concerned[typ] = true
		}
	}
	for i, r := range c.def.Reached {
		at := fmt.Sprintf("reached[%d]", i)
		c.eventTypes(at+".on", r.On)
		for j, typ := range r.On {
			if !concerned[typ] {
				c.report(fmt.Sprintf("%s.on[%d]", at, j), "%.80q is an event type that no reaction and no expectation of this plan is about: take it out", typ)
			}
		}
		c.name(at+".from", r.From, "batch, the kind of object that the events name")
		c.name(at+".by", r.By, "batch-lot, the relation that leads from it to the key")
	}
}
