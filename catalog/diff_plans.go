package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gapless/gapless/transaction"
)

// plan tells what a change of a plan means for open transactions. One of the two is
// nil where the plan is new or gone.
func (c *DefinitionChange) plan(was, is *transaction.Plan) {
	if !strings.HasPrefix(c.File, "plans/") {
		return
	}
	switch {
	case was == nil && is == nil: // a file of another name in the folder
	case was == nil:
		c.Reasons = append(c.Reasons, "Transactions begin with the next event of each object; for what is on record already nothing follows.")
	case is == nil:
		c.Reasons = append(c.Reasons, "Transactions that are open stay with the plan that they began with; no new one begins.")
	default:
		c.Reasons = append(c.Reasons, planChanges(was.Definition(), is.Definition())...)
	}
}

// planChanges is what a change means, a sentence each.
func planChanges(was, is *transaction.PlanDefinition) []string {
	var reasons []string
	if was.Key != is.Key || was.Home != is.Home {
		reasons = append(reasons, fmt.Sprintf("A transaction for each %s at the %s, it was for each %s at the %s: those that are open cannot move.", is.Key, is.Home, was.Key, was.Home))
	}
	names := maps.Clone(was.Reactions)
	maps.Copy(names, is.Reactions)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		before, had := was.Reactions[name]
		now, has := is.Reactions[name]
		switch {
		case !had:
			reasons = append(reasons, fmt.Sprintf("Reaction %s is new: a transaction that moves gets its steps for what is on record too.", name))
		case !has:
			reasons = append(reasons, fmt.Sprintf("Reaction %s is gone: %s", name, cannotMove))
		default:
			reasons = append(reasons, reactionChanges(name, before, now)...)
		}
	}
	return reasons
}

// cannotMove ends the sentence about a step that the plan would not send any more.
const cannotMove = "a transaction that has performed a step of it moves only with a person (plan changed)."

func reactionChanges(name string, was, is transaction.Reaction) []string {
	var reasons []string
	tell := func(text string, args ...any) {
		reasons = append(reasons, fmt.Sprintf("Reaction "+name+" "+text, args...))
	}
	before, now := commands(was), commands(is)
	for _, kind := range []transaction.Kind{transaction.KindDo, transaction.KindAmend, transaction.KindUndo} {
		switch b, n := before[kind], now[kind]; {
		case b == n:
		case b == "":
			tell("commands %s to %s from now on; before, it was held for a person.", n, kind)
		case n == "":
			tell("has no command to %s any more: it is held for a person.", kind)
		default:
			tell("commands %s instead of %s to %s: %s", n, b, kind, cannotMove)
		}
	}
	if gone := without(roles(was), roles(is)); len(gone) > 0 {
		tell("commands %s no longer: %s", strings.Join(gone, ", "), cannotMove)
	}
	if added := without(roles(is), roles(was)); len(added) > 0 {
		tell("commands %s too: a transaction that moves gets its steps there.", strings.Join(added, ", "))
	}
	if was.Collect == nil && is.Collect != nil {
		tell("collects from now on: what comes is performed together; what has a step keeps it.")
	}
	if was.Collect != nil && is.Collect == nil {
		tell("collects no longer: what has gathered is performed at once.")
	}
	types := func(r transaction.Reaction) []string { return slices.Concat(r.On, r.From) }
	if gone := without(types(was), types(is)); len(gone) > 0 {
		tell("does not follow %s any more: %s", strings.Join(gone, ", "), cannotMove)
	}
	if added := without(types(is), types(was)); len(added) > 0 {
		tell("follows %s too: a transaction that moves gets its steps for what is on record.", strings.Join(added, ", "))
	}
	return reasons
}

// commands is what a reaction commands, by kind of step.
func commands(r transaction.Reaction) map[transaction.Kind]string {
	all := map[transaction.Kind]string{transaction.KindDo: r.Ensure}
	if r.Do != nil {
		all[transaction.KindDo] = r.Do.Command
	}
	if r.Amend != nil {
		all[transaction.KindAmend] = r.Amend.Command
	}
	if r.Undo != nil {
		all[transaction.KindUndo] = r.Undo.Command
	}
	return all
}

func roles(r transaction.Reaction) []string {
	if r.Do != nil {
		return []string{r.Do.System}
	}
	return r.In
}

// without is the texts of one list that the other has not.
func without(all, taken []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(text string) bool { return slices.Contains(taken, text) })
}

// rerunPlan tells the stories of before with the plan and the lifecycle of now.
func rerunPlan(before, now *Catalog, name string) []string {
	was, is := before.plans[name], now.plans[name]
	if was == nil || is == nil {
		return nil
	}
	var reasons []string
	for _, k := range was.Definition().Cases {
		earlier := was.Run(k, before.Lifecycle(was.Definition().Key))
		later := is.Run(k, now.Lifecycle(is.Definition().Key))
		if earlier != later {
			reasons = append(reasons, changedCase(k.Name, fmt.Sprintf("now leads to %s; it led to %s", later, earlier)))
		}
	}
	return reasons
}
