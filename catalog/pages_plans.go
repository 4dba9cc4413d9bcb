package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gapless/gapless/transaction"
)

// writePlans writes every plan: its drawing, and its rules in words.
func (c *Catalog) writePlans(b *strings.Builder) {
	if len(c.plans) == 0 {
		b.WriteString("\nNone.\n")
	}
	for _, p := range c.Plans() {
		def := p.Definition()
		fmt.Fprintf(b, "\n## %s\n\n%s. A transaction for each `%s`, decided at the %s.\n", def.Plan, strings.TrimSuffix(def.Title, "."), def.Key, def.Home)
		writePlanDiagram(b, def)
		for _, name := range slices.Sorted(maps.Keys(def.Reactions)) {
			writeReaction(b, def.Key, name, def.Reactions[name])
		}
		for _, name := range slices.Sorted(maps.Keys(def.Expect)) {
			x := def.Expect[name]
			fmt.Fprintf(b, "\nExpected: %s. After %s comes %s within %s.\n", name, coded([]string{x.After}), strings.ReplaceAll(coded(x.OneOf), ", ", " or "), x.Within)
		}
		var ends []string
		if len(def.Complete.Applied) > 0 {
			ends = append(ends, coded(def.Complete.Applied)+" applied")
		}
		if len(def.Complete.Settled) > 0 {
			ends = append(ends, coded(def.Complete.Settled)+" settled")
		}
		fmt.Fprintf(b, "\nComplete with %s and nothing expected open.\n", strings.Join(ends, ", "))
		c.writeModes(b, p)
	}
	if len(c.plans) > 0 {
		c.writeCommands(b)
	}
}

// writePlanDiagram draws a plan as a Mermaid flowchart: events, what follows from
// them, and the roles of the systems that perform it.
func writePlanDiagram(b *strings.Builder, def *transaction.PlanDefinition) {
	alias := func(prefix, name string) string {
		return prefix + strings.NewReplacer(".", "_", "-", "_").Replace(name)
	}
	b.WriteString("\n```mermaid\nflowchart LR\n")
	events, performers := map[string]bool{}, map[string]bool{}
	for _, name := range slices.Sorted(maps.Keys(def.Reactions)) {
		r := def.Reactions[name]
		command := r.Ensure
		if r.Do != nil {
			command = r.Do.Command
		}
		fmt.Fprintf(b, "  %s[\"%s: %s\"]\n", alias("r_", name), name, command)
		for _, typ := range slices.Concat(r.On, r.From) {
			if !events[typ] {
				fmt.Fprintf(b, "  %s([\"%s\"])\n", alias("e_", typ), typ)
			}
			events[typ] = true
			fmt.Fprintf(b, "  %s --> %s\n", alias("e_", typ), alias("r_", name))
		}
		if r.Collect != nil {
			for _, typ := range r.Collect.Until {
				if !events[typ] {
					fmt.Fprintf(b, "  %s([\"%s\"])\n", alias("e_", typ), typ)
				}
				events[typ] = true
				fmt.Fprintf(b, "  %s -. closes .-> %s\n", alias("e_", typ), alias("r_", name))
			}
		}
		for _, role := range roles(r) {
			if !performers[role] {
				fmt.Fprintf(b, "  %s[(\"%s\")]\n", alias("s_", role), role)
			}
			performers[role] = true
			fmt.Fprintf(b, "  %s --> %s\n", alias("r_", name), alias("s_", role))
		}
		for _, before := range r.After {
			fmt.Fprintf(b, "  %s -. then .-> %s\n", alias("r_", before), alias("r_", name))
		}
	}
	b.WriteString("```\n")
}

// writeReaction says in words what a reaction does.
func writeReaction(b *strings.Builder, key, name string, r transaction.Reaction) {
	within := ""
	if r.Within != "" {
		within = " within " + r.Within
	}
	fmt.Fprintf(b, "\n### %s\n\n", name)
	if r.Do != nil {
		fmt.Fprintf(b, "Because of each %s the %s performs `%s`%s.", strings.ReplaceAll(coded(r.On), ", ", " or "), r.Do.System, r.Do.Command, within)
		switch {
		case r.Collect != nil:
			b.WriteString(" " + collectText(&r))
		case r.Amend != nil && r.Amend.With == transaction.WithDelta:
			fmt.Fprintf(b, " What is corrected after it was applied is amended by `%s` with the difference.", r.Amend.Command)
		case r.Amend != nil:
			fmt.Fprintf(b, " What is corrected after it was applied is amended by `%s` with the corrected event.", r.Amend.Command)
		case r.Undo != nil:
			b.WriteString(" What is corrected after it was applied is undone and done anew.")
		default:
			b.WriteString(" What is corrected after it was applied is held for a person.")
		}
		switch {
		case r.Collect != nil:
		case r.Undo != nil:
			fmt.Fprintf(b, " What is reversed is undone by `%s`.", r.Undo.Command)
		default:
			b.WriteString(" What is reversed after it was applied is held for a person.")
		}
		b.WriteString(" In a closed period it is held.")
	} else {
		fmt.Fprintf(b, "`%s` states the status of the %s in %s%s, after each %s that changes it. The first line that holds counts:\n",
			r.Ensure, key, strings.Join(r.In, " and "), within, strings.ReplaceAll(coded(r.From), ", ", " or "))
		var rows [][]string
		for _, w := range r.Wanted {
			rows = append(rows, []string{whereWanted(w), "`" + w.Is + "`"})
		}
		table(b, []string{"where", "status"}, rows)
	}
	if len(r.After) > 0 {
		fmt.Fprintf(b, "\nIt waits until %s is applied.", strings.ReplaceAll(coded(r.After), ", ", " and "))
	}
	if len(r.Again) > 0 {
		fmt.Fprintf(b, " It is stated again after each %s that comes later.", strings.ReplaceAll(coded(r.Again), ", ", " or "))
	}
	fmt.Fprintf(b, "\nOrdered by %s.\n", strings.Join(append([]string{key}, r.Lanes...), ", "))
}

// whereWanted is when a line of a wanted status holds, in words.
func whereWanted(w transaction.Wanted) string {
	var parts []string
	if len(w.Open) > 0 {
		parts = append(parts, strings.Join(w.Open, " or ")+" open")
	}
	if len(w.Status) > 0 {
		parts = append(parts, "it is "+strings.Join(w.Status, " or "))
	}
	if len(parts) == 0 {
		parts = append(parts, "else")
	}
	if w.By != "" {
		parts = append(parts, "as "+w.By+" says")
	}
	return strings.Join(parts, ", ")
}

// writeModes says what plants do otherwise than live.
func (c *Catalog) writeModes(b *strings.Builder, p *transaction.Plan) {
	var rows [][]string
	for _, plant := range c.Plants() {
		for _, name := range slices.Sorted(maps.Keys(p.Definition().Reactions)) {
			if mode := c.ReactionMode(p.Name(), name, plant.Plant); mode != transaction.ModeLive {
				rows = append(rows, []string{plant.Plant, "`" + name + "`", string(mode)})
			}
		}
	}
	if len(rows) > 0 {
		table(b, []string{"plant", "reaction", "mode"}, rows)
	}
}

// writeCommands lists what systems must take, by role.
func (c *Catalog) writeCommands(b *strings.Builder) {
	b.WriteString("\n## Commands\n")
	var rows [][]string
	for _, x := range c.PlannedCommands() {
		rows = append(rows, []string{x.Role, "`" + x.Command + "`", string(x.Kind), x.Plan + "/" + x.Reaction})
	}
	slices.SortStableFunc(rows, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	table(b, []string{"role", "command", "kind", "because of"}, rows)
}
