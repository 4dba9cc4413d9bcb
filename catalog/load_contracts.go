package catalog

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/gapless/gapless/fault"
)

var (
	typeName      = regexp.MustCompile(`^[a-z][a-z0-9-]*(\.[a-z][a-z0-9-]*)+$`)
	retentionForm = regexp.MustCompile(`^[1-9][0-9]*[dmy]$`)
)

// Lists of codes that contracts speak of.
const (
	relationList = "relation"
	measureList  = "measure"
)

func (l *loader) contracts() {
	l.in("contracts", func(d *document) {
		k := &Contract{kinds: l.catalog.kinds, extraUnits: l.catalog.extraUnits}
		d.decode(&k.ContractDefinition, l.findings)
		_, reference, _ := child(d.root, "reference")
		k.isReference = reference != nil
		c := contractLoader{loader: l, doc: d, contract: k}
		c.head()
		c.schema()
		c.rules()
		c.examples()
		l.catalog.contracts[k.Type] = append(l.catalog.contracts[k.Type], k)
	})
	for _, versions := range l.catalog.contracts {
		slices.SortFunc(versions, func(a, b *Contract) int { return a.Version - b.Version })
	}
}

// contractLoader compiles and lints one contract.
type contractLoader struct {
	*loader
	doc      *document
	contract *Contract
}

func (c *contractLoader) error(path, remedy, message string, args ...any) {
	c.errorAt(c.doc, path, remedy, message, args...)
}

func (c *contractLoader) head() {
	k := c.contract
	if !typeName.MatchString(k.Type) {
		c.error("type", "Write what it is about and what happened, for example production.completed.", "%.80q is no event type", k.Type)
	}
	if k.Version < 1 {
		c.error("version", "Count versions from 1.", "%d is no version", k.Version)
	}
	if want := fmt.Sprintf("%s.v%d", k.Type, k.Version); want != c.doc.name {
		c.error("type", fmt.Sprintf("Rename the file to %s.yaml, or correct type and version.", want), "the file %s.yaml defines %s", c.doc.name, want)
	}
	c.present(c.doc, [2]string{"title", k.Title}, [2]string{"definition", k.Definition}, [2]string{"owner", k.Owner})
	if k.Nature != FactNature && k.Nature != DecisionNature {
		c.error("nature", "Write fact for what happened, decision for what was decided.", "%.40q is neither fact nor decision", k.Nature)
	}
	if !slices.Contains(Roles(), k.Role) {
		c.error("role", "Write one of "+strings.Join(Roles(), ", ")+".", "%.40q is no role of a system", k.Role)
	}
	if !retentionForm.MatchString(k.Retention) {
		c.error("retention", "Write days, months or years, for example 10y.", "%.40q is no time of retention", k.Retention)
	}
	if len(k.ContractDefinition.Subject.Kind) == 0 {
		c.error("subject", "Name the kinds of objects that the event is about.", "the event has no subject")
	}
	for i, kind := range k.ContractDefinition.Subject.Kind {
		c.knownKind(fmt.Sprintf("subject.kind[%d]", i), kind)
	}
}

func (c *contractLoader) knownKind(at, kind string) {
	if _, ok := c.catalog.kinds[kind]; !ok {
		c.error(at, "Declare it in kinds/, or correct the name.", "kind %.80q is not in the catalog", kind)
	}
}

// schema checks the dialect and compiles the schema and its fields.
func (c *contractLoader) schema() {
	k := c.contract
	k.fields = &field{}
	problems := CheckDialect(k.ContractDefinition.Schema)
	for _, p := range problems {
		c.error("schema"+dotted(p.Path), p.Remedy, "%s: %s", p.Path, p.Message)
	}
	if len(problems) > 0 {
		return
	}
	compiled, err := compileJSONSchema(k.ContractDefinition.Schema)
	if err != nil {
		c.error("schema", "Correct the schema.", "%v", err)
		return
	}
	k.schema = compiled
	fields := &fieldCompiler{
		root: k.ContractDefinition.Schema, shared: map[string]*field{}, codes: c.catalog.codes,
		report: func(pointer, message, remedy string) {
			c.error("schema"+dotted(pointer), remedy, "%s: %s", pointer, message)
		},
	}
	k.fields = fields.compile(k.ContractDefinition.Schema, "")
	activate(k.fields)
	c.kindsOf(k.fields, "")
}

// kindsOf checks every kind that the schema names.
func (c *contractLoader) kindsOf(f *field, place string) {
	for _, kind := range f.kinds {
		if _, ok := c.catalog.kinds[kind]; !ok {
			c.error("schema", "Declare it in kinds/, or correct the name.", "field %s: kind %.80q is not in the catalog", place, kind)
		}
	}
	for _, p := range f.properties {
		c.kindsOf(p.field, below(place, p.name))
	}
	if f.items != nil {
		c.kindsOf(f.items, place)
	}
	if f.additional != nil {
		c.kindsOf(f.additional, place)
	}
}

// dotted turns a JSON pointer into a path of position.
func dotted(pointer string) string { return strings.ReplaceAll(pointer, "/", ".") }

// path reads a path and checks that the schema declares the field.
func (c *contractLoader) path(at, text string) (dataPath, *field) {
	p, ok := parsePath(text)
	if !ok {
		c.error(at, "Write field names with dots, and [] behind a list: outputs[].lot.", "%.80q is no path", text)
		return nil, nil
	}
	if c.contract.schema == nil { // told already
		return p, nil
	}
	declared, ok := p.resolve(c.contract.fields)
	if !ok {
		c.error(at, "Declare the field in the schema, or correct the path.", "the schema has no field %s", text)
		return p, nil
	}
	return p, declared
}

// refPath reads a path that must lead to refs.
func (c *contractLoader) refPath(at, text string) dataPath {
	p, declared := c.path(at, text)
	if declared != nil && declared.kinds == nil {
		c.error(at, "Give the field x-ref with its kind.", "field %s is no reference", text)
	}
	return p
}

// rules compiles what the contract reads out of the data.
func (c *contractLoader) rules() {
	k, def := c.contract, &c.contract.ContractDefinition
	if def.Subject.From != "" {
		k.subject = c.refPath("subject.from", def.Subject.From)
	}
	for i, r := range def.Relations {
		at := fmt.Sprintf("relations[%d]", i)
		c.listed(at+".kind", relationList, r.Kind)
		k.relations = append(k.relations, relationPaths{r.Kind, c.refPath(at+".from", r.From), c.refPath(at+".to", r.To)})
	}
	for i, r := range def.Facts {
		k.facts = append(k.facts, c.fact(fmt.Sprintf("facts[%d]", i), r))
	}
	if def.Identifiers != "" {
		k.identifiers, _ = c.path("identifiers", def.Identifiers)
	}
	if def.Predecessor.Of != "" {
		k.predecessor = c.refPath("predecessor.of", def.Predecessor.Of)
		if len(def.Predecessor.Type) == 0 {
			c.error("predecessor.type", "Name the event types that it waits for.", "predecessor has no types")
		}
	}
	if k.isReference {
		k.validFrom = c.optionalPath("reference.valid-from", def.Reference.ValidFrom)
		k.validTo = c.optionalPath("reference.valid-to", def.Reference.ValidTo)
	}
}

func (c *contractLoader) optionalPath(at, text string) dataPath {
	if text == "" {
		return nil
	}
	p, _ := c.path(at, text)
	return p
}

// listed checks that a code is on a list of the catalog.
func (c *contractLoader) listed(at, list, code string) {
	codes, ok := c.catalog.codes[list]
	switch {
	case !ok:
		c.error(at, fmt.Sprintf("Write codes/%s.yaml, or extend the standard catalog.", list), "the catalog has no list %s", list)
	case !codes.Has(code):
		c.error(at, fmt.Sprintf("Add it to codes/%s.yaml, or correct it.", list), "%.80q is not on the list %s", code, list)
	}
}

// fact compiles a rule. Its paths are tried in the element first.
func (c *contractLoader) fact(at string, r FactRule) factPaths {
	c.listed(at+".measure", measureList, r.Measure)
	rule := factPaths{measure: r.Measure}
	prefix := ""
	if r.Each != "" {
		each := strings.TrimSuffix(r.Each, "[]")
		rule.each, _ = c.path(at+".each", each+"[]")
		prefix = each + "[]."
	}
	var declared *field
	rule.quantity, declared = c.near(at+".quantity", prefix, r.Quantity)
	if declared != nil && declared.quantity == nil {
		c.error(at+".quantity", "Give the field x-quantity.", "field %s is no quantity", r.Quantity)
	}
	for _, text := range slices.Sorted(maps.Keys(r.Where)) {
		p, _ := c.near(at+".where."+text, prefix, text)
		rule.where = append(rule.where, condition{p, r.Where[text]})
	}
	return rule
}

// near reads a path relative to an element, where the schema has it there, else
// from the root.
func (c *contractLoader) near(at, prefix, text string) (dataPath, *field) {
	if inner, ok := parsePath(prefix + text); ok && c.contract.schema != nil {
		if declared, ok := inner.resolve(c.contract.fields); ok {
			p, _ := parsePath(text)
			return p, declared
		}
	}
	return c.path(at, text)
}

// examples checks the form of the examples; Test runs them.
func (c *contractLoader) examples() {
	k := c.contract
	if len(k.Examples.Good) == 0 || len(k.Examples.Bad) == 0 {
		c.error("examples", "Add an event that the contract accepts and a realistic one that it refuses.", "a contract needs a good and a bad example")
	}
	for i, e := range k.Examples.Good {
		c.example(fmt.Sprintf("examples.good[%d]", i), e)
	}
	for i, e := range k.Examples.Bad {
		at := fmt.Sprintf("examples.bad[%d]", i)
		c.example(at, e)
		if fault.ByCode(e.Reason) == nil {
			c.error(at+".reason", "Write a code of docs/reasons.md.", "%.80q is no reason", e.Reason)
		}
	}
}

func (c *contractLoader) example(at string, e ContractExample) {
	if e.Name == "" {
		c.error(at, "Say in a few words what it shows.", "the example has no name")
	}
}
