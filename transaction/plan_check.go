package transaction

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"
)

// CompilePlan checks a definition and makes its plan. The error joins one
// *DefinitionError for everything that is wrong. Whether event types, roles,
// kinds, open sets and commands exist is the catalog's to know.
func CompilePlan(def PlanDefinition) (*Plan, error) {
	if def.Home == "" {
		def.Home = Centre
	}
	c := planChecker{def: &def}
	c.head()
	for _, name := range slices.Sorted(maps.Keys(def.Reactions)) {
		c.reaction(name, def.Reactions[name])
	}
	c.circles()
	c.expectations()
	c.completion()
	c.stories()
	if len(c.faults) > 0 {
		return nil, errors.Join(c.faults...)
	}
	return c.compiled(), nil
}

// planChecker collects what is wrong in a plan.
type planChecker struct {
	def    *PlanDefinition
	faults []error
}

func (c *planChecker) report(field, text string, args ...any) {
	c.faults = append(c.faults, &DefinitionError{Field: field, Text: fmt.Sprintf(text, args...)})
}

func (c *planChecker) compiled() *Plan {
	p := &Plan{def: *c.def, reactions: order(c.def.Reactions), types: map[string]bool{}}
	for i := range p.reactions {
		r := &p.reactions[i]
		r.within = c.duration("", r.Within)
		if r.ClosedPeriod == "" && !r.ensures() {
			r.ClosedPeriod = HoldClosed
		}
		for _, typ := range r.types() {
			p.types[typ] = true
		}
		if r.Collect != nil {
			r.collecting, _ = r.Collect.Terms() // checked before
			for _, typ := range r.Collect.Until {
				p.types[typ] = true
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.def.Expect)) {
		e := c.def.Expect[name]
		p.expect = append(p.expect, expectation{e, name, c.duration("", e.Within)})
		p.types[e.After] = true
		for _, typ := range e.OneOf {
			p.types[typ] = true
		}
	}
	return p
}

var planName = regexp.MustCompile(`^[a-z][a-z0-9-]*$`)

// name checks a name that stands at a field.
func (c *planChecker) name(field, name, example string) {
	switch {
	case name == "":
		c.report(field, "missing: write for example %s", example)
	case !planName.MatchString(name):
		c.report(field, "%.80q is no name: use lower-case letters, digits and hyphens, a letter first, for example %s", name, example)
	}
}

func (c *planChecker) head() {
	c.name("plan", c.def.Plan, "lot-to-stock")
	if c.def.Title == "" {
		c.report("title", "missing: say in one sentence what follows from what")
	}
	if c.def.Home != Centre && c.def.Home != AtPlant {
		c.report("home", "%.40q is none of centre, plant: write plant only for what must go on while the plant is cut off", c.def.Home)
	}
	c.name("key", c.def.Key, "lot, the kind of object that has a transaction of its own")
	if len(c.def.Reactions) == 0 {
		c.report("reactions", "missing: write at least one, by its name")
	}
}

func (c *planChecker) reaction(name string, r Reaction) {
	at := "reactions." + name
	if !planName.MatchString(name) {
		c.report(at, "%.80q is no name: use lower-case letters, digits and hyphens, a letter first", name)
	}
	switch {
	case r.Do == nil && r.Ensure == "":
		c.report(at, "it does nothing: write do with system and command, or ensure with the command that states a status")
	case r.Do != nil && r.Ensure != "":
		c.report(at, "do and ensure both stand here: make two reactions of it")
	case r.Do != nil:
		c.doReaction(at, r)
	default:
		c.ensureReaction(at, r)
	}
	for i, before := range r.After {
		field := fmt.Sprintf("%s.after[%d]", at, i)
		switch _, known := c.def.Reactions[before]; {
		case before == name:
			c.report(field, "%s comes after itself: take it out", name)
		case !known:
			c.report(field, "%.80q is no reaction of this plan: write one of %s", before, strings.Join(slices.Sorted(maps.Keys(c.def.Reactions)), ", "))
		case slices.Index(r.After, before) < i:
			c.report(field, "%s stands here twice: take one out", before)
		}
	}
	c.duration(at+".within", r.Within)
	for i, kind := range r.Lanes {
		c.name(fmt.Sprintf("%s.lanes[%d]", at, i), kind, "material")
	}
}

func (c *planChecker) doReaction(at string, r Reaction) {
	c.eventTypes(at+".on", r.On)
	c.name(at+".do.system", r.Do.System, "erp, the role of the system that performs it")
	c.name(at+".do.command", r.Do.Command, "receive-goods")
	for _, foreign := range []struct {
		key   string
		given bool
	}{{"from", len(r.From) > 0}, {"wanted", len(r.Wanted) > 0}, {"in", len(r.In) > 0}, {"again", len(r.Again) > 0}} {
		if foreign.given {
			c.report(at+"."+foreign.key, "belongs to ensure, and this reaction does: take it out, or write ensure instead of do")
		}
	}
	if r.Amend != nil {
		c.name(at+".amend.command", r.Amend.Command, "correct-receipt")
		if r.Amend.With != WithDelta && r.Amend.With != WithWhole {
			c.report(at+".amend.with", "%.40q is none of delta, whole: write delta where the command takes the difference to what was applied, whole where it takes the corrected event", r.Amend.With)
		}
	}
	if r.Undo != nil {
		c.name(at+".undo.command", r.Undo.Command, "reverse-receipt")
	}
	c.collect(at, r)
	if r.ClosedPeriod != "" && r.ClosedPeriod != HoldClosed {
		c.report(at+".closed-period", "%.40q is not hold: a posting in a closed period waits for a person", r.ClosedPeriod)
	}
}

func (c *planChecker) ensureReaction(at string, r Reaction) {
	c.eventTypes(at+".from", r.From)
	c.name(at+".ensure", r.Ensure, "stock-status")
	for _, foreign := range []struct {
		key, instead string
		given        bool
	}{
		{"on", "write the event types that decide the status into from", len(r.On) > 0},
		{"amend", "a status is stated anew, not corrected: take it out", r.Amend != nil},
		{"undo", "a status is stated anew, not taken back: take it out", r.Undo != nil},
		{"closed-period", "a status has no posting date: take it out", r.ClosedPeriod != ""},
		{"collect", "a status is stated once for all events already: take it out", r.Collect != nil},
	} {
		if foreign.given {
			c.report(at+"."+foreign.key, "belongs to do: %s", foreign.instead)
		}
	}
	for i, name := range r.Again {
		if !slices.Contains(r.After, name) {
			c.report(fmt.Sprintf("%s.again[%d]", at, i), "%.80q is not among the reactions in after: the status can only follow what it comes after", name)
		}
	}
	if len(r.In) == 0 {
		c.report(at+".in", "missing: name the roles of the systems that must have the status, for example [erp, wms]")
	}
	for i, role := range r.In {
		field := fmt.Sprintf("%s.in[%d]", at, i)
		c.name(field, role, "erp")
		if slices.Index(r.In, role) < i {
			c.report(field, "%s stands here twice: take one out", role)
		}
	}
	if len(r.Wanted) == 0 {
		c.report(at+".wanted", "missing: say which status is wanted, the last line as {is: ...} for all that is left")
		return
	}
	for i, w := range r.Wanted {
		field := fmt.Sprintf("%s.wanted[%d]", at, i)
		always, last := len(w.Open) == 0 && len(w.Status) == 0, i == len(r.Wanted)-1
		if w.Is == "" {
			c.report(field+".is", "missing: write the status to state")
		}
		switch {
		case always && !last:
			c.report(field, "it always holds, so that the lines below it never count: move it to the end")
		case last && !always:
			c.report(field, "nothing is wanted where no line holds: let the last line be {is: ...} alone")
		}
		if w.By != "" && !slices.Contains(r.From, w.By) {
			c.report(field+".by", "%.80q is none of the types in from, which decide the status: add it there or correct it", w.By)
		}
	}
}

// outcomes are the event types that the hub itself states of its commands.
var outcomes = []string{"command.applied", "command.refused"}

func (c *planChecker) eventTypes(field string, types []string) {
	if len(types) == 0 {
		c.report(field, "missing: name the event types, for example [production.completed]")
	}
	for i, typ := range types {
		at := fmt.Sprintf("%s[%d]", field, i)
		switch {
		case typ == "" || strings.Contains(typ, "*"):
			c.report(at, "%.80q is no event type: write each out in full", typ)
		case slices.Index(types, typ) < i:
			c.report(at, "%s stands here twice: take one out", typ)
		case slices.Contains(outcomes, typ):
			c.report(at, "%s is what the plan's own commands lead to, so that it would answer itself for ever: write after where a step must wait for another", typ)
		}
	}
}

// circles reports reactions that wait for each other. Each circle is told once.
func (c *planChecker) circles() {
	told := map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(c.def.Reactions)) {
		path := c.circle(name, name, map[string]bool{})
		if path == nil || told[name] {
			continue
		}
		for _, member := range path {
			told[member] = true
		}
		c.report("reactions."+name+".after", "%s wait for each other, so that none would ever go out: take one of the after out", strings.Join(path, ", "))
	}
}

// circle is a way over after from one reaction to another, nil where there is
// none or where it is one reaction alone, which is told elsewhere.
func (c *planChecker) circle(from, to string, seen map[string]bool) []string {
	for _, before := range c.def.Reactions[from].After {
		if before == to && from != to {
			return []string{from}
		}
		if seen[before] || before == from {
			continue
		}
		seen[before] = true
		if rest := c.circle(before, to, seen); rest != nil {
			return append([]string{from}, rest...)
		}
	}
	return nil
}

// duration reads a time span; "" is none.
func (c *planChecker) duration(field, text string) time.Duration {
	if text == "" {
		return 0
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		c.report(field, "%.40q is no time span: write hours, minutes or seconds, for example 5m or 48h", text)
	}
	return d
}

func (c *planChecker) expectations() {
	for _, name := range slices.Sorted(maps.Keys(c.def.Expect)) {
		e, at := c.def.Expect[name], "expect."+name
		c.eventTypes(at+".after", []string{e.After})
		c.eventTypes(at+".one of", e.OneOf)
		if slices.Contains(e.OneOf, e.After) {
			c.report(at+".one of", "%s would be followed by itself: take it out", e.After)
		}
		if e.Within == "" {
			c.report(at+".within", "missing: what is expected has a time, for example 48h")
		}
		c.duration(at+".within", e.Within)
	}
}

func (c *planChecker) completion() {
	if len(c.def.Complete.Applied)+len(c.def.Complete.Settled) == 0 {
		c.report("complete", "missing: say when the transaction is complete, for example {applied: [receive], settled: [status]}")
	}
	for _, list := range []struct {
		key   string
		names []string
	}{{"applied", c.def.Complete.Applied}, {"settled", c.def.Complete.Settled}} {
		for i, name := range list.names {
			if _, known := c.def.Reactions[name]; !known {
				c.report(fmt.Sprintf("complete.%s[%d]", list.key, i), "%.80q is no reaction of this plan: write one of %s", name, strings.Join(slices.Sorted(maps.Keys(c.def.Reactions)), ", "))
			}
		}
	}
}
