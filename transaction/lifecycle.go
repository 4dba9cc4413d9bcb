// Package transaction holds what objects go through: lifecycles, which fold the
// events of one object into its state. It is given everything and reaches
// nothing: the same events in the same order always give the same state.
package transaction

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Definition is one lifecycle file of the catalog, lifecycles/<kind>.yaml.
type Definition struct {
	Lifecycle   string            `yaml:"lifecycle"` // the kind of object it is for
	Title       string            `yaml:"title"`
	Order       Order             `yaml:"order"`
	Initial     string            `yaml:"initial"` // status before the first event
	States      map[string]string `yaml:"states"`  // status and what it means
	Transitions []Transition      `yaml:"transitions"`
	Open        []Open            `yaml:"open"`
	Cases       []Case            `yaml:"cases"`
}

// An Order says which event of an object comes first.
type Order string

// The two orders. Occurred is the default.
const (
	Occurred Order = "occurred" // when it happened
	Sequence Order = "sequence" // the source's own numbers; for objects with one source
)

// A Transition is what an event of one type does to the status. An event of a
// type that no transition names leaves the status alone.
type Transition struct {
	On   string   `yaml:"on"`
	From []string `yaml:"from"` // empty: from every status
	To   string   `yaml:"to"`
}

// An Open is a set of open things of the object: holds, deviations.
type Open struct {
	Name   string   `yaml:"name"`
	Opens  []string `yaml:"opens"`  // event types that add a key
	Closes []string `yaml:"closes"` // event types that take it out
	Key    string   `yaml:"key"`    // path in the event's data, "hold" or "lots[].lot"
}

// A Lifecycle is a compiled Definition. It is immutable and safe for concurrent use.
type Lifecycle struct {
	def         Definition
	transitions map[string][]Transition // by event type
	opens       []openSet
}

// openSet is an Open with its path split.
type openSet struct {
	Open
	path []string
}

// Kind is the kind of object it is for.
func (l *Lifecycle) Kind() string { return l.def.Lifecycle }

// Definition is what it was compiled from; it must not be changed.
func (l *Lifecycle) Definition() *Definition { return &l.def }

// Order says which event of an object comes first.
func (l *Lifecycle) Order() Order { return l.def.Order }

// Concerns says whether events of the type can change the status or an open set.
func (l *Lifecycle) Concerns(eventType string) bool {
	if _, ok := l.transitions[eventType]; ok {
		return true
	}
	return slices.ContainsFunc(l.opens, func(o openSet) bool {
		return slices.Contains(o.Opens, eventType) || slices.Contains(o.Closes, eventType)
	})
}

// A DefinitionError is one thing wrong in a Definition.
type DefinitionError struct {
	Field string // "transitions[2].to"
	Text  string // what is wrong and what to write instead
}

// Error is "field: text".
func (e *DefinitionError) Error() string { return e.Field + ": " + e.Text }

// Compile checks a definition and makes its lifecycle. The error joins one
// *DefinitionError for everything that is wrong. Whether the event types exist
// is the catalog's to know.
func Compile(def Definition) (*Lifecycle, error) {
	if def.Order == "" {
		def.Order = Occurred
	}
	c := checker{def: &def}
	c.fields()
	c.transitions()
	c.open()
	c.cases()
	if len(c.faults) > 0 {
		return nil, errors.Join(c.faults...)
	}
	l := &Lifecycle{def: def, transitions: map[string][]Transition{}}
	for _, t := range def.Transitions {
		l.transitions[t.On] = append(l.transitions[t.On], t)
	}
	for _, o := range def.Open {
		l.opens = append(l.opens, openSet{Open: o, path: splitPath(o.Key)})
	}
	return l, nil
}

// checker collects what is wrong in a definition.
type checker struct {
	def    *Definition
	faults []error
}

func (c *checker) report(field, text string, args ...any) {
	c.faults = append(c.faults, &DefinitionError{Field: field, Text: fmt.Sprintf(text, args...)})
}

func (c *checker) fields() {
	if c.def.Lifecycle == "" {
		c.report("lifecycle", "missing: name the kind of object")
	}
	if c.def.Title == "" {
		c.report("title", "missing: say in a few words what goes through it")
	}
	if c.def.Order != Occurred && c.def.Order != Sequence {
		c.report("order", "%.40q is none of occurred, sequence", string(c.def.Order))
	}
	if len(c.def.States) == 0 {
		c.report("states", "missing: name every status and say what it means")
	}
	c.state("initial", c.def.Initial)
}

func (c *checker) state(field, status string) {
	if _, ok := c.def.States[status]; !ok {
		c.report(field, "%.80q is no status of this lifecycle: write one of %s", status, strings.Join(slices.Sorted(maps.Keys(c.def.States)), ", "))
	}
}

func (c *checker) transitions() {
	seen := map[string]bool{}
	for i, t := range c.def.Transitions {
		field := fmt.Sprintf("transitions[%d]", i)
		if t.On == "" {
			c.report(field+".on", "missing: name the event type")
		}
		c.state(field+".to", t.To)
		from := t.From
		if len(from) == 0 {
			from = slices.Sorted(maps.Keys(c.def.States))
		}
		for j, status := range from {
			if len(t.From) > 0 {
				c.state(fmt.Sprintf("%s.from[%d]", field, j), status)
			}
			if key := t.On + " " + status; seen[key] {
				c.report(field, "a transition on %s from %s stands here already: one event has one outcome", t.On, status)
			} else {
				seen[key] = true
			}
		}
	}
	for _, status := range slices.Sorted(maps.Keys(c.def.States)) {
		if !c.reachable()[status] && status != "" {
			c.report("states."+status, "no sequence of events leads to it: add the transition or take the status out")
		}
	}
}

// reachable is every status that some sequence of events leads to.
func (c *checker) reachable() map[string]bool {
	found := map[string]bool{c.def.Initial: true}
	for grown := true; grown; {
		grown = false
		for _, t := range c.def.Transitions {
			from := len(t.From) == 0 || slices.ContainsFunc(t.From, func(s string) bool { return found[s] })
			if from && !found[t.To] {
				found[t.To], grown = true, true
			}
		}
	}
	return found
}

func (c *checker) open() {
	seen := map[string]bool{}
	for i, o := range c.def.Open {
		field := fmt.Sprintf("open[%d]", i)
		switch {
		case o.Name == "":
			c.report(field+".name", "missing: name the set, for example holds")
		case seen[o.Name]:
			c.report(field+".name", "%s stands here twice", o.Name)
		}
		seen[o.Name] = true
		if len(o.Opens) == 0 || len(o.Closes) == 0 {
			c.report(field, "opens and closes are both needed: what can never be closed blocks for ever")
		}
		for _, typ := range o.Opens {
			if slices.Contains(o.Closes, typ) {
				c.report(field, "%s both opens and closes", typ)
			}
		}
		if o.Key == "" || slices.Contains(splitPath(o.Key), "") {
			c.report(field+".key", "%.80q is no path: write the field of the data that tells one from the other, for example hold", o.Key)
		}
	}
}

func (c *checker) cases() {
	if len(c.def.Cases) == 0 {
		c.report("cases", "missing: give at least one sequence of events and the status it leads to")
	}
	for i, k := range c.def.Cases {
		field := fmt.Sprintf("cases[%d]", i)
		if k.Name == "" {
			c.report(field+".name", "missing: say what the case shows")
		}
		if len(k.Events) == 0 {
			c.report(field+".events", "missing")
		}
		switch {
		case (k.State == "") == (k.Refuses == ""):
			c.report(field, "state or refuses, one of both, says what is expected")
		case k.State != "":
			c.state(field+".state", k.State)
		case len(k.Events) > 0 && k.Events[len(k.Events)-1].Type != k.Refuses:
			c.report(field+".refuses", "%s is not the last event of the case", k.Refuses)
		}
	}
}
