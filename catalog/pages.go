package catalog

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gapless/gapless/transaction"
)

// WriteDocs writes the catalog as Markdown pages, one for each kind of
// definition, by calling write for every page.
func (c *Catalog) WriteDocs(write func(name string, page []byte) error) error {
	for _, page := range []struct {
		name, title string
		body        func(b *strings.Builder)
	}{
		{"README.md", c.title(), c.writeIndex},
		{"events.md", "Events", c.writeEvents},
		{"kinds.md", "Kinds of objects", c.writeKinds},
		{"lifecycles.md", "Lifecycles", c.writeLifecycles},
		{"policies.md", "Policies", c.writePolicies},
		{"codes.md", "Code lists", c.writeCodes},
		{"mappings.md", "Messages and mappings", c.writeMappings},
		{"plans.md", "Plans", c.writePlans},
		{"systems.md", "Systems and plants", c.writeSystems},
	} {
		var b strings.Builder
		fmt.Fprintf(&b, "# %s\n\n<!-- Written by `gapless catalog docs` from revision %.12s; do not edit. -->\n", page.title, c.digest)
		page.body(&b)
		if err := write(page.name, []byte(b.String())); err != nil {
			return fmt.Errorf("catalog.WriteDocs: %s: %w", page.name, err)
		}
	}
	return nil
}

func (c *Catalog) title() string {
	if c.Title == "" {
		return c.Header.Catalog
	}
	return c.Title
}

// table writes a Markdown table; cells may hold anything but a line break.
func table(b *strings.Builder, head []string, rows [][]string) {
	if len(rows) == 0 {
		b.WriteString("\nNone.\n")
		return
	}
	b.WriteString("\n| " + strings.Join(head, " | ") + " |\n|" + strings.Repeat("---|", len(head)) + "\n")
	for _, row := range rows {
		for i := range row {
			row[i] = strings.Join(strings.Fields(strings.ReplaceAll(row[i], "|", "\\|")), " ")
		}
		b.WriteString("| " + strings.Join(row, " | ") + " |\n")
	}
}

func coded(all []string) string {
	quoted := make([]string, len(all))
	for i, text := range all {
		quoted[i] = "`" + text + "`"
	}
	return strings.Join(quoted, ", ")
}

func (c *Catalog) writeIndex(b *strings.Builder) {
	table(b, []string{"page", "what it holds"}, [][]string{
		{"[events](events.md)", fmt.Sprintf("%d types of events and their fields", len(c.contracts))},
		{"[kinds](kinds.md)", fmt.Sprintf("%d kinds of objects and how they are named", len(c.kinds))},
		{"[lifecycles](lifecycles.md)", fmt.Sprintf("%d lifecycles", len(c.lifecycles))},
		{"[policies](policies.md)", fmt.Sprintf("%d policies", len(c.policyByName))},
		{"[codes](codes.md)", fmt.Sprintf("%d code lists", len(c.codes))},
		{"[mappings](mappings.md)", fmt.Sprintf("%d messages of systems", len(c.mappings))},
		{"[plans](plans.md)", fmt.Sprintf("%d plans", len(c.plans))},
		{"[systems](systems.md)", fmt.Sprintf("%d systems, %d plants", len(c.systems), len(c.plants))},
	})
	fmt.Fprintf(b, "\nA replay of more than %d messages needs a second person who approves it.\n", c.ApproveAbove())
}

func (c *Catalog) writeEvents(b *strings.Builder) {
	var rows [][]string
	for _, k := range c.Contracts() {
		rows = append(rows, []string{fmt.Sprintf("[%s](#%s)", k.Type, anchor(k.Type, k.Version)), strconv.Itoa(k.Version), string(k.Nature), k.Role, k.Title})
	}
	table(b, []string{"type", "version", "nature", "role", "title"}, rows)
	for _, k := range c.Contracts() {
		c.writeEvent(b, k)
	}
}

// anchor is what the heading of a contract becomes in a link.
func anchor(typ string, version int) string {
	return strings.ReplaceAll(fmt.Sprintf("%s-version-%d", typ, version), ".", "")
}

func (c *Catalog) writeEvent(b *strings.Builder, k *Contract) {
	fmt.Fprintf(b, "\n## %s version %d\n\n%s. %s\n\n", k.Type, k.Version, strings.TrimSuffix(k.Title, "."), strings.TrimSpace(k.Definition))
	fmt.Fprintf(b, "A %s about a %s; said by a system with the role %s; kept for %s; owned by %s.\n",
		k.Nature, strings.Join(k.ContractDefinition.Subject.Kind, " or "), k.Role, k.Retention, k.Owner)
	var rows [][]string
	fieldRows("", k.fields, func(row []string) { rows = append(rows, row) })
	table(b, []string{"field", "required", "what it is", "meaning"}, rows)
	for _, r := range k.ContractDefinition.Relations {
		fmt.Fprintf(b, "\nRelation `%s` from `%s` to `%s`.\n", r.Kind, r.From, r.To)
	}
	for _, f := range k.ContractDefinition.Facts {
		fmt.Fprintf(b, "\nFigure `%s` from `%s`%s.\n", f.Measure, strings.TrimPrefix(f.Each+"[]."+f.Quantity, "[]."), conditions(f.Where))
	}
	if p := k.ContractDefinition.Predecessor; len(p.Type) > 0 {
		fmt.Fprintf(b, "\nWaits until %s is on record for `%s`.\n", coded(p.Type), p.Of)
	}
}

func conditions(where map[string][]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(where)) {
		fmt.Fprintf(&b, ", where `%s` is %s", name, strings.Join(where[name], " or "))
	}
	return b.String()
}

// fieldRows yields a row for every field, those of elements below their list.
func fieldRows(prefix string, f *field, yield func(row []string)) {
	for _, p := range f.properties {
		name, required := prefix+p.name, ""
		if f.required[p.name] {
			required = "yes"
		}
		inner := p.field
		yield([]string{"`" + name + "`", required, inner.describe(), inner.meaning()})
		for inner.items != nil {
			name, inner = name+"[]", inner.items
		}
		fieldRows(name+".", inner, yield)
	}
}

// describe says what a value of the field is, for a person.
func (f *field) describe() string {
	var text string
	switch {
	case f.items != nil:
		text = "list of " + f.items.describe()
	case f.quantity != nil && f.quantity.dimension != "":
		text = "quantity of " + f.quantity.dimension
	case f.quantity != nil:
		text = "quantity"
	case f.kinds != nil:
		text = "reference to " + strings.Join(f.kinds, " or ")
	case f.codeName != "":
		text = "code of [" + f.codeName + "](codes.md#" + f.codeName + ")"
	case len(f.values) > 0:
		text = "one of " + strings.Join(f.values, ", ")
	case f.format != "":
		text = f.format
	default:
		text = strings.Join(f.types, " or ")
	}
	if f.record {
		text += " (record)"
	}
	return text
}

func (f *field) meaning() string {
	if f.title != "" && f.description != "" {
		return f.title + ". " + f.description
	}
	return f.title + f.description
}

func (c *Catalog) writeKinds(b *strings.Builder) {
	var rows [][]string
	for _, k := range c.Kinds() {
		rows = append(rows, []string{"`" + k.Kind + "`", k.Title, "`" + k.form() + "`", k.Definition, k.Standard})
	}
	table(b, []string{"kind", "title", "written", "what it is", "source"}, rows)
}

func (c *Catalog) writeLifecycles(b *strings.Builder) {
	for _, l := range c.Lifecycles() {
		def := l.Definition()
		fmt.Fprintf(b, "\n## %s\n\n%s. Begins as `%s`; events count in the order of `%s`.\n", def.Lifecycle, strings.TrimSuffix(def.Title, "."), def.Initial, def.Order)
		var rows [][]string
		for _, status := range slices.Sorted(maps.Keys(def.States)) {
			rows = append(rows, []string{"`" + status + "`", def.States[status]})
		}
		table(b, []string{"status", "meaning"}, rows)
		writeDiagram(b, def)
		for _, o := range def.Open {
			fmt.Fprintf(b, "\nOpen `%s`: opened by %s, closed by %s, told apart by `%s`.\n", o.Name, coded(o.Opens), coded(o.Closes), o.Key)
		}
	}
}

// writeDiagram draws a lifecycle as a Mermaid state diagram. Its names have no
// hyphens, so statuses get aliases.
func writeDiagram(b *strings.Builder, def *transaction.Definition) {
	alias := func(status string) string { return strings.ReplaceAll(status, "-", "_") }
	b.WriteString("\n```mermaid\nstateDiagram-v2\n")
	for _, status := range slices.Sorted(maps.Keys(def.States)) {
		fmt.Fprintf(b, "  state \"%s\" as %s\n", status, alias(status))
	}
	fmt.Fprintf(b, "  [*] --> %s\n", alias(def.Initial))
	for _, t := range def.Transitions {
		from := t.From
		if len(from) == 0 {
			from = slices.Sorted(maps.Keys(def.States))
		}
		for _, status := range from {
			fmt.Fprintf(b, "  %s --> %s: %s\n", alias(status), alias(t.To), t.On)
		}
	}
	b.WriteString("```\n")
}

func (c *Catalog) writePolicies(b *strings.Builder) {
	for _, p := range c.PolicyFiles() {
		def := p.Definition
		fmt.Fprintf(b, "\n## %s\n\n%s. %s\n\nOn %s; effect `%s`, reason `%s`.\n", def.Name, strings.TrimSuffix(def.Title, "."), strings.TrimSpace(def.Why), coded(def.On), def.Effect, def.Reason)
		if def.When != "" {
			fmt.Fprintf(b, "\nWhere:\n\n```cel\n%s\n```\n", strings.TrimSpace(def.When))
		}
		fmt.Fprintf(b, "\nRequires:\n\n```cel\n%s\n```\n", strings.TrimSpace(def.Require))
		if def.Remedy != "" {
			fmt.Fprintf(b, "\nRemedy: %s\n", strings.TrimSpace(def.Remedy))
		}
	}
}

func (c *Catalog) writeCodes(b *strings.Builder) {
	for _, list := range c.CodeLists() {
		fmt.Fprintf(b, "\n## %s\n\n%s.\n", list.List, strings.TrimSuffix(list.Title, "."))
		if list.List == unitList {
			b.WriteString("\nThe codes are those of UN/ECE Recommendation 20.\n")
		} else {
			var rows [][]string
			for _, code := range slices.Sorted(maps.Keys(list.Codes)) {
				rows = append(rows, []string{"`" + code + "`", list.Codes[code].Title, list.Codes[code].Definition})
			}
			table(b, []string{"code", "title", "definition"}, rows)
		}
		var rows [][]string
		for _, system := range slices.Sorted(maps.Keys(list.Local)) {
			for _, local := range slices.Sorted(maps.Keys(list.Local[system])) {
				rows = append(rows, []string{system, "`" + local + "`", "`" + list.Local[system][local] + "`"})
			}
		}
		if len(rows) > 0 {
			table(b, []string{"system", "calls it", "code"}, rows)
		}
	}
}

func (c *Catalog) writeMappings(b *strings.Builder) {
	for _, m := range c.Messages() {
		def := m.Definition
		fmt.Fprintf(b, "\n## %s of %s\n\n%s. Identified by %s.\n", def.Message, m.System, strings.TrimSuffix(def.Title, "."), coded(def.Identity))
		var rows [][]string
		for _, e := range def.Events {
			rows = append(rows, []string{"`" + e.Slot + "`", fmt.Sprintf("[%s](events.md#%s)", e.Type, anchor(e.Type, e.Version)), e.When})
		}
		table(b, []string{"slot", "event", "where"}, rows)
		writeEditable(b, def.Editable)
		for _, e := range def.Events {
			fmt.Fprintf(b, "\n`%s`:\n\n```coffee\n%s\n```\n", e.Slot, strings.TrimSpace(e.Map))
		}
	}
	for _, m := range c.Commands() {
		def := m.Definition
		fmt.Fprintf(b, "\n## %s, a command to %s\n\n%s.\n\n```coffee\n%s\n```\n", def.Command, m.System, strings.TrimSuffix(def.Title, "."), strings.TrimSpace(def.Request))
	}
}

func (c *Catalog) writeSystems(b *strings.Builder) {
	var rows [][]string
	for _, s := range c.Systems() {
		plants := strings.Join(s.Plants, ", ")
		if plants == "" {
			plants = "all"
		}
		rows = append(rows, []string{"`" + s.System + "`", s.Title, strings.Join(s.Roles, ", "), plants, coded(s.Authority)})
	}
	b.WriteString("\n## Systems\n")
	table(b, []string{"system", "title", "roles", "plants", "authority"}, rows)
	b.WriteString("\n## Plants\n")
	for _, p := range c.Plants() {
		fmt.Fprintf(b, "\n### %s\n\n%s. Zone %s; the day starts at %s.\n", p.Plant, strings.TrimSuffix(p.Title, "."), p.ZoneName, clock(p.calendars[len(p.calendars)-1].dayStarts))
		var shifts [][]string
		for _, s := range p.PlantDefinition.Shifts {
			shifts = append(shifts, []string{s.Shift, s.From, s.To})
		}
		table(b, []string{"shift", "from", "to"}, shifts)
		p.workingPage(b)
		var filled [][]string
		for _, f := range p.PlantDefinition.Roles {
			filled = append(filled, []string{f.Role, "`" + f.System + "`", f.ValidFrom, f.ValidTo})
		}
		if len(filled) > 0 {
			table(b, []string{"role", "system", "from", "to"}, filled)
		}
		if len(p.Without) > 0 {
			fmt.Fprintf(b, "\nNo system here is %s, and none is needed.\n", strings.Join(p.Without, " or "))
		}
	}
	b.WriteString("\n## Who takes care of exceptions\n")
	var owners [][]string
	for _, o := range c.owners {
		owners = append(owners, []string{o.Reason + o.Class, o.MaterialGroup, o.Plant, o.Group})
	}
	table(b, []string{"reason or class", "material group", "plant", "group"}, append(owners, []string{"all others", "", "", fallbackGroup}))
	c.slaPage(b)
}

// workingPage says on which days the plant works.
func (p *Plant) workingPage(b *strings.Builder) {
	if len(p.WorkingDays) > 0 {
		fmt.Fprintf(b, "\nIt works on %s.\n", strings.Join(p.WorkingDays, ", "))
	}
	var holidays [][]string
	for _, h := range p.Holidays {
		holidays = append(holidays, []string{h.Day, h.Title})
	}
	if len(holidays) > 0 {
		table(b, []string{"holiday", ""}, holidays)
	}
}

// slaPage says until when what is to be put right.
func (c *Catalog) slaPage(b *strings.Builder) {
	b.WriteString("\n## Until when\n")
	var slas [][]string
	for i := range c.slas {
		s := &c.slas[i]
		about, within := s.Reason+s.Class, s.Within
		if s.Plan != "" {
			about = "`" + s.Plan + "/" + s.Reaction + s.Expect + "`"
			within = cmp.Or(within, "as the plan says")
		}
		if s.Counts == countsWorking {
			within += " of working time"
		}
		var handed []string
		for _, e := range s.Escalate {
			handed = append(handed, e.To+" after "+e.After)
		}
		slas = append(slas, []string{about, s.Plant, s.Owner, within, s.Warn, strings.Join(handed, ", then ")})
	}
	table(b, []string{"what", "plant", "group", "within", "warned before", "then handed to"}, append(slas, []string{"all other exceptions", "", "", "24h", "", ""}))
}

// clock is minutes from midnight as "06:00".
func clock(minutes int) string { return fmt.Sprintf("%02d:%02d", minutes/60%24, minutes%60) }
