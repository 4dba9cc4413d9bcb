package catalog

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/gapless/gapless/transaction"
)

// Plan finds a plan.
func (c *Catalog) Plan(name string) (*transaction.Plan, bool) { return found(c.plans, name) }

// Plans is every plan, by name.
func (c *Catalog) Plans() []*transaction.Plan { return ordered(c.plans) }

// PlanDigest is the digest of a plan's own file; "" where there is none.
func (c *Catalog) PlanDigest(name string) string { return c.planDigests[name] }

// PlansOn is every plan that concerns events of the type, by name. The caller must
// not change the slice.
func (c *Catalog) PlansOn(eventType string) []*transaction.Plan { return c.plansOn[eventType] }

// PlansReached is every plan whose keys are reached through relations too. The caller
// must not change the slice.
func (c *Catalog) PlansReached() []*transaction.Plan { return c.plansReached }

// ReactionMode is what a plant does with a reaction of a plan: what it says of it,
// else of the plan, else live. A plant that the catalog has not does nothing.
func (c *Catalog) ReactionMode(plan, reaction, plant string) transaction.Mode {
	p, ok := c.plants[plant]
	if !ok {
		return transaction.ModeOff
	}
	return cmp.Or(p.Reactions[plan+"/"+reaction], p.Reactions[plan], transaction.ModeLive)
}

// RoleSystem is the system that has a role at a plant at a time: what the plant says
// under roles, else the one system that has the role and speaks for the plant. ok is
// false where there is none, and where there are several of which the plant names
// none. It is true without a system where the plant says that it has none and needs
// none. A choice between systems by material group is not made here yet.
func (c *Catalog) RoleSystem(role, plant string, at time.Time) (system string, ok bool) {
	p, known := c.plants[plant]
	if !known {
		return "", false
	}
	for _, f := range p.PlantDefinition.Roles {
		if f.Role == role && f.validAt(at) {
			return f.System, true
		}
	}
	if slices.Contains(p.Without, role) {
		return "", true
	}
	system, ok = c.soleFillers[filledRole{role, plant}]
	return system, ok
}

// filledRole is a role at a plant.
type filledRole struct{ role, plant string }

// findSoleFillers notes the roles that one system alone has at a plant.
func (c *Catalog) findSoleFillers() {
	c.soleFillers = map[filledRole]string{}
	for _, role := range Roles() {
		for plant := range c.plants {
			if could := c.couldFill(role, plant); len(could) == 1 {
				c.soleFillers[filledRole{role, plant}] = could[0]
			}
		}
	}
}

// couldFill is the systems that have a role and speak for a plant, by name.
func (c *Catalog) couldFill(role, plant string) []string {
	var could []string
	for _, s := range c.Systems() {
		if slices.Contains(s.Roles, role) && s.SpeaksFor(plant) {
			could = append(could, s.System)
		}
	}
	return could
}

// A PlannedCommand is a command that a reaction of a plan has performed.
type PlannedCommand struct {
	Plan, Reaction string
	Role           string // of the system that performs it
	Command        string
	Kind           transaction.Kind
}

// PlannedCommands is every command of every plan, by plan, reaction, role and
// command: what systems with the roles must take.
func (c *Catalog) PlannedCommands() []PlannedCommand {
	var all []PlannedCommand
	for _, p := range c.Plans() {
		for name, r := range p.Definition().Reactions {
			add := func(role, command string, kind transaction.Kind) {
				all = append(all, PlannedCommand{p.Name(), name, role, command, kind})
			}
			for _, role := range r.In {
				add(role, r.Ensure, transaction.KindDo)
			}
			if r.Do != nil {
				add(r.Do.System, r.Do.Command, transaction.KindDo)
			}
			if r.Amend != nil {
				add(r.Do.System, r.Amend.Command, transaction.KindAmend)
			}
			if r.Undo != nil {
				add(r.Do.System, r.Undo.Command, transaction.KindUndo)
			}
		}
	}
	slices.SortFunc(all, func(a, b PlannedCommand) int {
		return cmp.Or(strings.Compare(a.Plan, b.Plan), strings.Compare(a.Reaction, b.Reaction), strings.Compare(a.Role, b.Role), strings.Compare(a.Command, b.Command))
	})
	return all
}
