package catalog

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gapless/gapless/transaction"
)

// A Collected is how a plant collects the events of a reaction otherwise than the plan
// says: what it does not say is not taken from there.
type Collected struct {
	Off    bool     `yaml:"off"` // each event is performed by itself
	Until  []string `yaml:"until"`
	Count  int      `yaml:"count"`
	Within string   `yaml:"within"`
}

// terms reads what the plant says, and what is wrong with it by the field.
func (c Collected) terms() (transaction.Collecting, []*transaction.DefinitionError) {
	if !c.Off {
		return transaction.Collect{Until: c.Until, Count: c.Count, Within: c.Within}.Terms()
	}
	if len(c.Until) > 0 || c.Count != 0 || c.Within != "" {
		return transaction.Collecting{}, []*transaction.DefinitionError{{Field: ".off", Text: "with off nothing gathers: take the rest out, or take off out"}}
	}
	return transaction.Collecting{}, nil
}

// Collecting is how a plant collects the events of a reaction, where it says so; a
// plant that says nothing does as the plan says.
func (c *Catalog) Collecting(plan, reaction, plant string) (terms transaction.Collecting, says bool) {
	terms, says = c.collecting[collectedAt{plan + "/" + reaction, plant}]
	return terms, says
}

// collectedAt is a reaction, "plan/reaction", at a plant.
type collectedAt struct{ reaction, plant string }

// lintCollects checks what plants say of collecting, and keeps it.
func (l *loader) lintCollects() {
	l.catalog.collecting = map[collectedAt]transaction.Collecting{}
	for _, p := range l.catalog.Plants() {
		d := l.document("plants", p.Plant)
		for _, name := range slices.Sorted(maps.Keys(p.Collect)) {
			l.lintCollected(d, "collect."+name, name, p.Collect[name])
			terms, _ := p.Collect[name].terms()
			l.catalog.collecting[collectedAt{name, p.Plant}] = terms
		}
	}
}

func (l *loader) lintCollected(d *document, at, name string, c Collected) {
	_, wrong := c.terms()
	for _, w := range wrong {
		l.errorAt(d, at+w.Field, `Write it as docs/catalog.md shows under "Plans".`, "%s", w.Text)
	}
	plan, reaction, _ := strings.Cut(name, "/")
	p, ok := l.catalog.plans[plan]
	if !ok {
		if !l.unreadable[plan] && !l.planNamed(plan) {
			l.errorAt(d, at, "Correct the name: it is plan/reaction.", "plan %.80q is not in the catalog", plan)
		}
		return
	}
	r, known := p.Reaction(reaction)
	switch {
	case !known:
		l.errorAt(d, at, "Write one of "+strings.Join(slices.Sorted(maps.Keys(p.Definition().Reactions)), ", ")+".", "plan %s has no reaction %.80q", plan, reaction)
	case r.Collect == nil:
		l.errorAt(d, at, "Write collect into the plan first: its command must take several events.", "reaction %s of plan %s collects nothing", reaction, plan)
	}
	for i, typ := range c.Until {
		if known && !p.Concerns(typ) {
			l.errorAt(d, fmt.Sprintf("%s.until[%d]", at, i), "Write one of "+strings.Join(p.Types(), ", ")+".", "plan %s does not note %.80q", plan, typ)
		}
	}
	if !c.Off {
		l.endless(d, at, c.Within, c.Until)
	}
}

// endless warns of a bundle that nothing may ever close.
func (l *loader) endless(d *document, at, within string, until []string) {
	if within == "" {
		l.warningAt(d, at, "Add within, for example 8h.", "without a time what comes after %s may wait for ever", cmp.Or(strings.Join(until, " or "), "the last full bundle"))
	}
}

// performsAll checks that the mappings of a command that performs several events read
// them all: one that reads the last alone would leave the others out of the books.
func (l *loader) performsAll(d *document, at string, do *transaction.Do) {
	if do == nil {
		return
	}
	for _, c := range l.catalog.Commands() {
		s, ok := l.catalog.systems[c.System]
		if !ok || c.Definition.Command != do.Command || !slices.Contains(s.Roles, do.System) || c.Mapping == nil || c.Mapping.Reads("events") {
			continue
		}
		l.errorAt(d, at, fmt.Sprintf("Make the request in mappings/%s/%s.yaml of this.events.", c.System, do.Command),
			"the mapping of %s in %s does not read this.events: of a bundle it would perform the last event alone", do.Command, c.System)
	}
}

// collectText is how a reaction collects, in words.
func collectText(r *transaction.Reaction) string {
	c := r.Collect
	var ends []string
	if len(c.Until) > 0 {
		ends = append(ends, "comes "+strings.ReplaceAll(coded(c.Until), ", ", " or "))
	}
	if c.Count > 0 {
		ends = append(ends, fmt.Sprintf("it holds %d", c.Count))
	}
	if c.Within != "" {
		ends = append(ends, "its first is on record for "+c.Within)
	}
	changed := "held for a person"
	if r.Amend != nil {
		changed = "amended by `" + r.Amend.Command + "`, each by itself, with the difference"
	}
	return "They are collected: a bundle is performed as one when " + strings.Join(ends, ", or ") + ". What is corrected or reversed after it was applied is " + changed + "."
}
