package transaction

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/gapless/gapless/event"
)

// PlanDefinition is one plan file of the catalog, plans/<plan>.yaml: what other
// systems have to do because of what is on record. There is one transaction for
// each object of the key's kind.
type PlanDefinition struct {
	Plan      string                 `yaml:"plan"`
	Title     string                 `yaml:"title"`
	Home      string                 `yaml:"home"` // Centre, which is the default, or AtPlant
	Key       string                 `yaml:"key"`  // kind of object
	Reactions map[string]Reaction    `yaml:"reactions"`
	Expect    map[string]Expectation `yaml:"expect"`
	Complete  Completion             `yaml:"complete"`
	Cases     []PlanCase             `yaml:"cases"`
}

// The two homes: the ledger in which the transactions of a plan are decided.
const (
	Centre  = "centre"
	AtPlant = "plant" // for what must go on while the plant is cut off
)

// A Reaction says what follows from events: one command because of each (do), or
// a status that other systems must have (ensure).
type Reaction struct {
	On           []string `yaml:"on"` // do: event types
	Do           *Do      `yaml:"do"`
	Ensure       string   `yaml:"ensure"` // ensure: the command that states a status
	From         []string `yaml:"from"`   // ensure: event types that decide the status
	Wanted       []Wanted `yaml:"wanted"` // ensure: the first line that holds counts
	In           []string `yaml:"in"`     // ensure: roles, a step for each
	After        []string `yaml:"after"`  // reactions whose steps must be applied before
	Again        []string `yaml:"again"`  // ensure: of these, those after whose steps the status is stated again, because what comes later does not have it
	Within       string   `yaml:"within"` // how long a step may take, from when its cause is on record: "5m"
	ClosedPeriod string   `yaml:"closed-period"`
	Amend        *Amend   `yaml:"amend"`   // do: how a correction reaches a system that has performed the step
	Undo         *Undo    `yaml:"undo"`    // do: how a reversal reaches it
	Collect      *Collect `yaml:"collect"` // do: many events are performed together
	Lanes        []string `yaml:"lanes"`   // kinds of the cause's refs that order the step besides the key
}

// HoldClosed says what happens to a step whose posting date lies in a closed period:
// it stands for a person. There is nothing else that could be said yet.
const HoldClosed = "hold"

// A Do names the command of a reaction.
type Do struct {
	System  string `yaml:"system"` // a role; the plant says which system that is
	Command string `yaml:"command"`
}

// An Amend is the command that brings a correction to what was applied.
type Amend struct {
	Command string `yaml:"command"`
	With    string `yaml:"with"` // WithDelta or WithWhole
}

// What an amend step is made of.
const (
	WithDelta = "delta" // the difference between the statement that was applied and the corrected one
	WithWhole = "whole" // the corrected statement
)

// An Undo is the command that takes back what was applied.
type Undo struct {
	Command string `yaml:"command"`
}

// A Wanted is one line of the status that an ensure reaction wants. It holds where
// everything that it names does; a line that names nothing always holds.
type Wanted struct {
	Open   []string `yaml:"open"`   // something is open in one of these sets of the key's lifecycle
	Status []string `yaml:"status"` // the key's status is one of these
	Is     string   `yaml:"is"`     // the status to state
	// By is the event type that tells the details of the status, such as the parts
	// of a usage decision: a newer event of the type is stated anew, though the
	// status is called the same.
	By string `yaml:"by"`
}

// An Expectation says that something must follow: after each event of a type, one
// of several, in time.
type Expectation struct {
	After  string   `yaml:"after"`
	OneOf  []string `yaml:"one of"`
	Within string   `yaml:"within"`
}

// A Completion says when a transaction is complete: where every reaction that it
// names has come to an end, and nothing that the plan expects is open.
type Completion struct {
	Applied []string `yaml:"applied"` // at least one step is applied, and none is under way
	Settled []string `yaml:"settled"` // no step is under way; there need not be one
}

// A Plan is a compiled PlanDefinition. It is immutable and safe for concurrent use.
type Plan struct {
	def       PlanDefinition
	reactions []reaction // those that others come after first
	expect    []expectation
	types     map[string]bool // event types that it concerns
}

// reaction is a Reaction with its name and times read.
type reaction struct {
	Reaction
	name   string
	within time.Duration
	before []string // reactions that come after it: they are undone before it

	collecting Collecting
}

// expectation is an Expectation with its name and time read.
type expectation struct {
	Expectation
	name   string
	within time.Duration
}

// Name is what the plan is called.
func (p *Plan) Name() string { return p.def.Plan }

// Definition is what it was compiled from, defaults filled in; it must not be changed.
func (p *Plan) Definition() *PlanDefinition { return &p.def }

// Types is every event type that the plan concerns, sorted: those that a reaction
// is on or from and those of what is expected. Others need not be noted.
func (p *Plan) Types() []string {
	types := make([]string, 0, len(p.types))
	for typ := range p.types {
		types = append(types, typ)
	}
	slices.Sort(types)
	return types
}

// Concerns says whether events of the type are to be noted.
func (p *Plan) Concerns(eventType string) bool { return p.types[eventType] }

// KeysOf is the keys of the transactions that an event with these refs concerns,
// in the order of the refs, each once. Objects that are only reached through
// relations, such as the lots of a batch, are for the caller to add: relations are
// on record, not in the event. Of a correction the refs of the statement before
// count too; where only they name a key, it is noted there as a reversal.
func (p *Plan) KeysOf(refs []event.Ref) []event.Ref {
	var keys []event.Ref
	for _, r := range refs {
		if r.Kind() == p.def.Key && !slices.Contains(keys, r) {
			keys = append(keys, r)
		}
	}
	return keys
}

// Reaction finds the definition of a reaction; it must not be changed.
func (p *Plan) Reaction(name string) (Reaction, bool) {
	r := p.reaction(name)
	if r == nil {
		return Reaction{}, false
	}
	return r.Reaction, true
}

// Within is how long a step of the reaction may take from when its cause is on
// record; 0 where the plan does not say.
func (p *Plan) Within(name string) time.Duration {
	if r := p.reaction(name); r != nil {
		return r.within
	}
	return 0
}

func (p *Plan) reaction(name string) *reaction {
	for i := range p.reactions {
		if p.reactions[i].name == name {
			return &p.reactions[i]
		}
	}
	return nil
}

// ensures says whether the reaction states a status.
func (r *reaction) ensures() bool { return r.Ensure != "" }

// roles are those that the reaction commands.
func (r *reaction) roles() []string {
	if r.ensures() {
		return r.In
	}
	return []string{r.Do.System}
}

// types are the event types that the reaction reads.
func (r *reaction) types() []string {
	if r.ensures() {
		return r.From
	}
	return r.On
}

// lanes are the refs that order a step: the key, and those of the cause that are
// of the reaction's kinds; sorted, because lanes are taken in that order.
func (r *reaction) lanes(key event.Ref, refs []event.Ref) []event.Ref {
	lanes := make([]event.Ref, 1, 1+len(r.Lanes))
	lanes[0] = key
	for _, ref := range refs {
		if slices.Contains(r.Lanes, ref.Kind()) && !slices.Contains(lanes, ref) {
			lanes = append(lanes, ref)
		}
	}
	slices.Sort(lanes)
	return lanes
}

// order sorts reactions so that each stands behind those that it comes after; by
// name where that leaves it open. There is no circle among them.
func order(reactions map[string]Reaction) []reaction {
	depth := map[string]int{}
	var measure func(name string) int
	measure = func(name string) int {
		if d, known := depth[name]; known {
			return d
		}
		d := 0
		for _, before := range reactions[name].After {
			d = max(d, measure(before)+1)
		}
		depth[name] = d
		return d
	}
	var all []reaction
	for name, r := range reactions {
		measure(name)
		all = append(all, reaction{Reaction: r, name: name})
	}
	slices.SortFunc(all, func(a, b reaction) int {
		return cmp.Or(cmp.Compare(depth[a.name], depth[b.name]), strings.Compare(a.name, b.name))
	})
	for i := range all {
		for j := range all {
			if slices.Contains(all[j].After, all[i].name) {
				all[i].before = append(all[i].before, all[j].name)
			}
		}
	}
	return all
}
