package mapping

import (
	"errors"
	"fmt"
	"maps"
	gopath "path"
	"slices"
	"strings"
	"unicode"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
)

// Compile checks a definition and makes its mapping. The error joins one
// *DefinitionError for each thing that is wrong.
func Compile(def Definition, env Environment) (*Mapping, error) {
	language, err := newLanguage(env)
	if err != nil {
		return nil, err
	}
	c := &compiler{env: env, language: language}
	if def.OnChange == "" {
		def.OnChange = Conflict
	}
	def.Cases = c.cases(def.Cases)
	m := &Mapping{def: def}
	c.head(m)
	c.identity(m)
	c.editable(m)
	c.lookups(m)
	for i := range def.Events {
		m.outputs = append(m.outputs, c.output(def, i))
	}
	c.slots(m)
	c.lookupNames(m)
	if len(c.faults) > 0 {
		return nil, errors.Join(c.faults...)
	}
	return m, nil
}

// A compiler gathers what is wrong.
type compiler struct {
	env      Environment
	language *bloblang.Environment
	faults   []error
	parsed   []*expression
}

func (c *compiler) report(field, text string, args ...any) {
	c.faults = append(c.faults, &DefinitionError{Field: field, Text: fmt.Sprintf(text, args...)})
}

// expression parses and remembers an expression.
func (c *compiler) expression(field, text string) *expression {
	e := c.parse(field, text)
	if e != nil {
		c.parsed = append(c.parsed, e)
	}
	return e
}

// value is an expression that is no list of assignments.
func (c *compiler) value(field, text string) *expression {
	e := c.expression(field, text)
	if e != nil && len(e.statements) > 0 && slices.ContainsFunc(e.statements, func(s statement) bool { return s.name == "" && len(s.target) > 0 }) {
		c.report(field, "assignments belong in map: write the value alone")
	}
	return e
}

// head checks what is not Bloblang.
func (c *compiler) head(m *Mapping) {
	def := m.def
	if strings.TrimSpace(def.Message) == "" {
		c.report("message", "missing: name it as the file is named")
	}
	if strings.TrimSpace(def.System) == "" {
		c.report("system", "missing: name it as the folder is named")
	}
	switch def.OnChange {
	case Correction, Conflict:
	default:
		c.report("on-change", "%.80q is neither correction nor conflict", string(def.OnChange))
	}
	if def.Plant != "" && def.PlantFrom != "" {
		c.report("plant-from", "plant is given as well: keep one of the two")
	}
	m.plantFrom = c.value("plant-from", def.PlantFrom)
	m.echoKey, m.echoDocument = c.value("echo.key", def.Echo.Key), c.value("echo.document", def.Echo.Document)
	c.formats(def)
	c.files(def)
	if len(def.Events) == 0 {
		c.report("events", "missing: a message that makes no event needs no mapping")
	}
}

func (c *compiler) formats(def Definition) {
	if err := def.Format.Validate(); err != nil {
		c.report("format", "%v", err)
	}
	if len(def.Formats) > 0 && def.Format.Kind != "" {
		c.report("formats", "format is given as well: keep one of the two")
	}
	for _, kind := range slices.Sorted(maps.Keys(def.Formats)) {
		spec := def.Formats[kind]
		if spec.Kind != "" && spec.Kind != kind {
			c.report("formats."+string(kind)+".kind", "%q stands under %q: leave kind out here", string(spec.Kind), string(kind))
			continue
		}
		spec.Kind = kind
		if err := spec.Validate(); err != nil {
			c.report("formats."+string(kind), "%v", err)
		}
	}
}

// files checks the patterns by which a sender finds the message of a file.
func (c *compiler) files(def Definition) {
	for i, pattern := range def.Files {
		field := fmt.Sprintf("files[%d]", i)
		switch _, err := gopath.Match(pattern, ""); {
		case strings.TrimSpace(pattern) == "" || strings.Contains(pattern, "/"):
			c.report(field, "%.80q is no pattern of a file's name: write the name without its folder, * for any text, as in monthlyReports_*.csv", pattern)
		case err != nil:
			c.report(field, "%.80q is no pattern: [ opens a set of characters, close it with ]", pattern)
		}
	}
}

func (c *compiler) identity(m *Mapping) {
	if len(m.def.Identity) == 0 {
		c.report("identity", "missing: name the fields that tell one message from a repetition")
	}
	seen := map[string]bool{}
	for i, text := range m.def.Identity {
		name, optional := strings.CutPrefix(text, "?")
		field := fmt.Sprintf("identity[%d]", i)
		switch {
		case strings.TrimSpace(name) == "":
			c.report(field, "missing: name a field")
		case seen[name]:
			c.report(field, "%.80q stands here twice", name)
		}
		seen[name] = true
		m.identity = append(m.identity, identityField{name: name, path: fieldPath(name), optional: optional})
	}
	for i, name := range m.def.Volatile {
		field := fmt.Sprintf("volatile[%d]", i)
		switch {
		case strings.TrimSpace(name) == "":
			c.report(field, "missing: name a field")
		case seen[name]:
			c.report(field, "%.80q is part of the identity, which must not change: take it out of one of the two", name)
		}
		m.volatile = append(m.volatile, fieldPath(name))
	}
}

func (c *compiler) lookups(m *Mapping) {
	for _, name := range slices.Sorted(maps.Keys(m.def.Lookups)) {
		l, field := m.def.Lookups[name], "lookups."+name
		if name == "" || strings.ContainsFunc(name, func(r rune) bool { return !isWord(r) }) {
			c.report(field, "a lookup is named with letters, digits and _: it is read as this.lookups.<name>")
		}
		if strings.TrimSpace(l.Reference) == "" {
			c.report(field+".reference", `missing: write the ref of the reference data, for example ref("bom", this.itemCode)`)
		}
		m.lookups = append(m.lookups, &lookup{
			name: name, required: l.Required,
			reference: c.value(field+".reference", l.Reference),
			when:      c.value(field+".when", l.When),
		})
	}
}

func (c *compiler) output(def Definition, i int) *output {
	d := def.Events[i]
	field := func(name string) string { return fmt.Sprintf("events[%d].%s", i, name) }
	if strings.TrimSpace(d.Type) == "" {
		c.report(field("type"), "missing: name the event type, for example production.completed")
	}
	if d.Version < 1 {
		c.report(field("version"), "missing: name the version of the contract, from 1")
	}
	if strings.TrimSpace(d.Map) == "" {
		c.report(field("map"), "missing: assign the data, for example root.order = ref(\"order\", this.order)")
	}
	o := &output{
		def:         d,
		slot:        c.slot(field("slot"), d),
		when:        c.value(field("when"), d.When),
		each:        c.value(field("each"), d.Each),
		data:        c.expression(field("map"), d.Map),
		identity:    c.value(field("identity"), d.Identity),
		subject:     c.value(field("subject"), d.Subject),
		correlation: c.value(field("correlation"), d.Correlation),
		causation:   c.value(field("causation"), d.Causation),
		sequence:    c.value(field("sequence"), d.Sequence),
	}
	o.whenPerItem = o.when != nil && o.each != nil && o.when.readsEach
	switch {
	case d.Occurred.From != "":
		o.from, o.to = c.value(field("occurred.from"), d.Occurred.From), c.value(field("occurred.to"), d.Occurred.To)
	case d.Occurred.To != "":
		c.report(field("occurred.from"), "missing: occurred.to is given without it")
	case def.Occurred.From != "":
		o.from, o.to = c.shared("occurred.from", def.Occurred.From), c.shared("occurred.to", def.Occurred.To)
	default:
		c.report(field("occurred.from"), "missing: say when it happened, here or for all outputs in occurred.from of the message")
	}
	return o
}

// shared is an expression that several outputs use; it is compiled once.
func (c *compiler) shared(field, text string) *expression {
	for _, e := range c.parsed {
		if e.field == field {
			return e
		}
	}
	if slices.ContainsFunc(c.faults, func(err error) bool {
		var f *DefinitionError
		return errors.As(err, &f) && f.Field == field
	}) {
		return nil
	}
	return c.value(field, text)
}

// lookupNames reports lookups that are read and not declared.
func (c *compiler) lookupNames(m *Mapping) {
	for _, e := range c.parsed {
		for i, t := range e.tokens {
			p, ok := readPath(e.tokens, i)
			if !t.is("this") || t.rebind || !ok && len(p.names) < 2 || len(p.names) < 2 || p.names[0] != "lookups" {
				continue
			}
			if _, declared := m.def.Lookups[p.names[1]]; !declared {
				c.faults = append(c.faults, &DefinitionError{
					Field: e.field, Line: t.line, Column: t.column,
					Text: fmt.Sprintf("lookup %q is not declared: declare it in lookups", p.names[1]),
				})
			}
		}
	}
}

// A slotTemplate is a slot: plain text, or text around one path in the item.
type slotTemplate struct {
	before, after string
	path          []string // in this.each; nil for plain text and for {each}
	templated     bool
}

func (c *compiler) slot(field string, d OutputDefinition) slotTemplate {
	before, rest, opened := strings.Cut(d.Slot, "{")
	part, after, closed := strings.Cut(rest, "}")
	each := strings.TrimSpace(d.Each) != ""
	switch {
	case strings.TrimSpace(d.Slot) == "":
		c.report(field, "missing: name what this event is of the message, for example good")
	case opened != closed || strings.ContainsAny(after, "{}") || opened && part == "" || strings.Contains(before, "}"):
		c.report(field, "%.80q: at most one part in braces, for example scrap/{key}", d.Slot)
	case each && !opened:
		c.report(field, "with each, the slot needs one part in braces that tells the items apart, for example scrap/{key}")
	case !each && opened:
		c.report(field, "a part in braces is taken from the item of each, and there is no each")
	case len(d.Slot) > maxSlot || strings.ContainsFunc(d.Slot, func(r rune) bool { return !unicode.IsPrint(r) }):
		c.report(field, "a slot is printable text of at most %d bytes", maxSlot)
	}
	t := slotTemplate{before: before, after: after, templated: opened}
	if part != "each" {
		t.path = strings.Split(part, ".")
	}
	return t
}

// slots reports plain slots that two outputs share.
func (c *compiler) slots(m *Mapping) {
	seen := map[string]int{}
	for i, o := range m.outputs {
		if first, ok := seen[o.def.Slot]; ok && o.def.Slot != "" {
			if o.def.When == "" || m.outputs[first].def.When == "" {
				c.report(fmt.Sprintf("events[%d].slot", i), "%.80q is the slot of events[%d] as well: the events could not be told apart", o.def.Slot, first)
			}
			continue
		}
		seen[o.def.Slot] = i
	}
}
