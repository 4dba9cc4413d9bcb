package catalog

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gapless/gapless/transaction"
)

// plans compiles every plan.
func (l *loader) plans() {
	l.catalog.plansOn, l.catalog.planDigests = map[string][]*transaction.Plan{}, map[string]string{}
	l.in("plans", func(d *document) {
		var def transaction.PlanDefinition
		d.decode(&def, l.findings)
		named := l.name(d, "plan", def.Plan)
		l.planFiles = append(l.planFiles, planFile{d, def})
		compiled, err := transaction.CompilePlan(def)
		for _, cause := range causes(err) {
			wrong, ok := errors.AsType[*transaction.DefinitionError](cause)
			if !ok {
				l.errorAt(d, "", "Correct the plan.", "%s", cause.Error())
				continue
			}
			if wrong.Field != "plan" { // told with the name of the file
				l.errorAt(d, wrong.Field, `Write it as docs/catalog.md shows under "Plans".`, "%s", wrong.Error())
			}
		}
		if compiled == nil || !named {
			return
		}
		l.catalog.plans[def.Plan], l.catalog.planDigests[def.Plan] = compiled, d.digest()
		for _, typ := range compiled.Types() {
			l.catalog.plansOn[typ] = append(l.catalog.plansOn[typ], compiled)
		}
	})
}

// lintPlans checks the names that plans speak of. That every command has a mapping
// is checked where mappings of commands are read: Catalog.PlannedCommands names them.
func (l *loader) lintPlans() {
	for _, f := range l.planFiles {
		d, def := f.doc, f.def
		l.knownKind(d, "key", def.Key)
		for _, name := range slices.Sorted(maps.Keys(def.Reactions)) {
			r, at := def.Reactions[name], "reactions."+name
			l.reportedTypes(d, at+".on", r.On)
			l.reportedTypes(d, at+".from", r.From)
			if r.Collect != nil {
				l.reportedTypes(d, at+".collect.until", r.Collect.Until)
				l.endless(d, at+".collect", r.Collect.Within, r.Collect.Until)
				l.performsAll(d, at+".collect", r.Do)
			}
			for i, kind := range r.Lanes {
				l.knownKind(d, fmt.Sprintf("%s.lanes[%d]", at, i), kind)
			}
			if r.Do != nil {
				l.roleFilled(d, at+".do.system", r.Do.System)
			}
			for i, role := range r.In {
				l.roleFilled(d, fmt.Sprintf("%s.in[%d]", at, i), role)
			}
			l.wantedStatus(d, at, def.Key, r)
		}
		for _, name := range slices.Sorted(maps.Keys(def.Expect)) {
			l.reportedTypes(d, "expect."+name+".after", []string{def.Expect[name].After})
			l.reportedTypes(d, "expect."+name+".one of", def.Expect[name].OneOf)
		}
		for i := range def.Cases {
			for j := range def.Cases[i].Story {
				l.knownType(d, fmt.Sprintf("cases[%d].story[%d].type", i, j), def.Cases[i].Story[j].Type)
			}
		}
	}
}

func (l *loader) knownKind(d *document, at, kind string) {
	if _, ok := l.catalog.kinds[kind]; !ok && kind != "" {
		l.errorAt(d, at, "Declare it in kinds/, or correct the name.", "kind %.80q is not in the catalog", kind)
	}
}

// reportedTypes checks that event types exist and that some system may report them.
func (l *loader) reportedTypes(d *document, at string, types []string) {
	for i, typ := range types {
		at := fmt.Sprintf("%s[%d]", at, i)
		l.knownType(d, at, typ)
		k, ok := l.catalog.Contract(typ, 0)
		if !ok || k.Role == "hub" { // the hub states its own events
			continue
		}
		if !slices.ContainsFunc(l.catalog.Systems(), func(s *System) bool { return l.catalog.mayReport(s, typ) }) {
			l.warningAt(d, at, fmt.Sprintf("Declare the system that reports it, with the role %s, or take the type out.", k.Role), "no system of the catalog may report %s, so that nothing ever follows from it", typ)
		}
	}
}

// mayReport says whether a system may assert events of the type for some plant.
func (c *Catalog) mayReport(s *System, typ string) bool {
	plants := s.Plants
	if len(plants) == 0 {
		plants = slices.Sorted(maps.Keys(c.plants))
	}
	return slices.ContainsFunc(plants, func(plant string) bool { return c.MayAssert(s.System, typ, plant) })
}

// roleFilled checks that a role exists and that a system of some plant has it.
func (l *loader) roleFilled(d *document, at, role string) {
	switch {
	case role == "":
		return
	case !slices.Contains(Roles(), role):
		l.errorAt(d, at, "Write one of "+strings.Join(Roles(), ", ")+".", "%.80q is no role", role)
		return
	}
	for _, p := range l.catalog.Plants() {
		named := slices.ContainsFunc(p.PlantDefinition.Roles, func(f Filled) bool { return f.Role == role })
		if named || len(l.catalog.couldFill(role, p.Plant)) > 0 {
			return
		}
	}
	l.errorAt(d, at, "Declare the system in systems/ with the role, or correct the name.", "no system of any plant has the role %s", role)
}

// wantedStatus checks the sets and statuses that a wanted status is worked out from,
// and that every event type that changes them is among those that decide it: what is
// missing there would never reach the systems.
func (l *loader) wantedStatus(d *document, at, key string, r transaction.Reaction) {
	lifecycle := l.catalog.lifecycles[key]
	for i, w := range r.Wanted {
		at := fmt.Sprintf("%s.wanted[%d]", at, i)
		if lifecycle == nil {
			if len(w.Open)+len(w.Status) > 0 {
				l.errorAt(d, at, "Write its lifecycle in lifecycles/, or want one status alone.", "kind %.80q has no lifecycle, so that nothing is known of its state", key)
			}
			continue
		}
		def := lifecycle.Definition()
		for _, set := range w.Open {
			j := slices.IndexFunc(def.Open, func(o transaction.Open) bool { return o.Name == set })
			if j < 0 {
				l.errorAt(d, at+".open", "Correct the name, or add it to the lifecycle.", "the lifecycle of %s has no open set %.80q", key, set)
				continue
			}
			l.decided(d, at+".open", r, set, slices.Concat(def.Open[j].Opens, def.Open[j].Closes))
		}
		for _, status := range w.Status {
			if _, ok := def.States[status]; !ok {
				l.errorAt(d, at+".status", "Write one of "+strings.Join(slices.Sorted(maps.Keys(def.States)), ", ")+".", "the lifecycle of %s has no status %.80q", key, status)
				continue
			}
			l.decided(d, at+".status", r, status, movers(def, status))
		}
	}
}

// movers are the event types that lead into a status or out of it.
func movers(def *transaction.Definition, status string) []string {
	var types []string
	for _, t := range def.Transitions {
		into := t.To == status && !slices.Equal(t.From, []string{status})
		out := t.To != status && (len(t.From) == 0 || slices.Contains(t.From, status))
		if into || out {
			types = append(types, t.On)
		}
	}
	return types
}

func (l *loader) decided(d *document, at string, r transaction.Reaction, what string, types []string) {
	for _, typ := range types {
		if !slices.Contains(r.From, typ) {
			l.errorAt(d, at, "Add the type to from.", "%s changes whether %s holds, and is not among the types in from: the status would not follow it", typ, what)
		}
	}
}

// lintPlants checks what plants say of roles and reactions.
func (l *loader) lintPlants() {
	for _, p := range l.catalog.Plants() {
		d := l.document("plants", p.Plant)
		for i, f := range p.PlantDefinition.Roles {
			l.lintFilled(d, p, i, f)
		}
		for i, role := range p.Without {
			if !slices.Contains(Roles(), role) {
				l.errorAt(d, fmt.Sprintf("without[%d]", i), "Write one of "+strings.Join(Roles(), ", ")+".", "%.80q is no role", role)
			}
		}
		l.commandedRoles(d, p)
		for _, name := range slices.Sorted(maps.Keys(p.Reactions)) {
			l.lintMode(d, name, p.Reactions[name])
		}
	}
	l.lintCollects()
}

// commandedRoles checks that it is clear which system of a plant has each role that
// plans command there.
func (l *loader) commandedRoles(d *document, p *Plant) {
	needed := map[string]bool{}
	for _, c := range l.catalog.PlannedCommands() {
		if l.catalog.ReactionMode(c.Plan, c.Reaction, p.Plant) != transaction.ModeOff {
			needed[c.Role] = true
		}
	}
	for _, role := range slices.Sorted(maps.Keys(needed)) {
		if slices.Contains(p.Without, role) || slices.ContainsFunc(p.PlantDefinition.Roles, func(f Filled) bool { return f.Role == role }) {
			continue
		}
		switch could := l.catalog.couldFill(role, p.Plant); len(could) {
		case 1:
		case 0:
			l.warningAt(d, "without", fmt.Sprintf("Declare the system, or say that there is none: without: [%s].", role), "no system of plant %s has the role %s, which plans command: their steps are held", p.Plant, role)
		default:
			l.errorAt(d, "roles", fmt.Sprintf("Say which one plans command: roles: [{role: %s, system: %s}].", role, could[0]), "%s all have the role %s", strings.Join(could, ", "), role)
		}
	}
}

func (l *loader) lintFilled(d *document, p *Plant, i int, f Filled) {
	at := fmt.Sprintf("roles[%d]", i)
	if !slices.Contains(Roles(), f.Role) {
		l.errorAt(d, at+".role", "Write one of "+strings.Join(Roles(), ", ")+".", "%.80q is no role", f.Role)
	}
	s, ok := l.catalog.systems[f.System]
	switch {
	case !ok:
		l.errorAt(d, at+".system", "Declare it in systems/, or correct the name.", "system %.80q is not in the catalog", f.System)
	case !slices.Contains(s.Roles, f.Role) || !s.SpeaksFor(p.Plant):
		l.errorAt(d, at+".system", "Correct the name, or the roles and plants of the system.", "system %s has not the role %s at plant %s", f.System, f.Role, p.Plant)
	}
	if !f.validTo.IsZero() && !f.validFrom.Before(f.validTo) {
		l.errorAt(d, at+".valid-to", "Correct the times.", "it ends before it begins")
	}
	for j, o := range p.PlantDefinition.Roles[:i] {
		if o.Role == f.Role && overlap(o.validFrom, o.validTo, f.validFrom, f.validTo) {
			l.errorAt(d, at, "Let one end where the other begins.", "roles[%d] says at the same time which system has the role %s", j, f.Role)
		}
	}
}

func (l *loader) lintMode(d *document, name string, mode transaction.Mode) {
	at := "reactions." + name
	plan, reaction, one := strings.Cut(name, "/")
	p, ok := l.catalog.plans[plan]
	switch {
	case !ok && !l.unreadable[plan] && !l.planNamed(plan):
		l.errorAt(d, at, "Correct the name: it is plan/reaction, or plan for all of it.", "plan %.80q is not in the catalog", plan)
	case ok && one:
		if _, known := p.Reaction(reaction); !known {
			l.errorAt(d, at, "Write one of "+strings.Join(slices.Sorted(maps.Keys(p.Definition().Reactions)), ", ")+".", "plan %s has no reaction %.80q", plan, reaction)
		}
	}
	if mode != transaction.ModeOff && mode != transaction.ModeShadow && mode != transaction.ModeLive {
		l.errorAt(d, at, "Write off, shadow or live.", "%.40q is none of off, shadow, live", cmp.Or(string(mode), "nothing"))
	}
}

// planNamed says whether a file defines the plan, even one that does not compile.
func (l *loader) planNamed(plan string) bool {
	return slices.ContainsFunc(l.planFiles, func(f planFile) bool { return f.def.Plan == plan })
}
