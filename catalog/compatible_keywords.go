package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// keywordRule compares what the keywords of one concern say in two schemas.
type keywordRule struct {
	keywords []string
	compare  func(c *comparison, at place, before, after schemaNode)
}

func (r keywordRule) concerns(n schemaNode) bool {
	return slices.ContainsFunc(r.keywords, func(keyword string) bool {
		_, found := n.keywords()[keyword]
		return found
	})
}

// keywordRules is the comparison keyword by keyword. Each rule is sound by
// itself: it adds no change that breaks for senders only where what the old
// schema demands implies what the new one demands, and likewise for readers.
func keywordRules() []keywordRule {
	return []keywordRule{
		{[]string{"type"}, (*comparison).compareTypes},
		{[]string{"enum", "const"}, (*comparison).compareValues},
		{[]string{"required"}, (*comparison).compareRequired},
		{[]string{"properties", "patternProperties", "additionalProperties"}, (*comparison).compareFields},
		{[]string{"items", "prefixItems", "additionalItems"}, (*comparison).compareElements},
		{[]string{"minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"}, (*comparison).compareRange},
		{[]string{"minLength", "maxLength"}, compareCount(lengthFamily, "minLength", "maxLength")},
		{[]string{"minItems", "maxItems"}, compareCount(elementCountFamily, "minItems", "maxItems")},
		{[]string{"minProperties", "maxProperties"}, compareCount(constraintFamily, "minProperties", "maxProperties")},
		{[]string{"multipleOf"}, (*comparison).compareStep},
		{[]string{"pattern"}, compareWhole(patternFamily, "pattern")},
		{[]string{"format"}, compareWhole(formatFamily, "format")},
		{[]string{"contentEncoding"}, compareWhole(constraintFamily, "contentEncoding")},
		{[]string{"contentMediaType"}, compareWhole(constraintFamily, "contentMediaType")},
		{[]string{"uniqueItems"}, compareFlag(uniquenessFamily, "uniqueItems")},
		{[]string{"contains"}, (*comparison).compareContains},
		{[]string{"propertyNames"}, (*comparison).comparePropertyNames},
		{[]string{"dependencies"}, compareDependencies("dependencies")},
		{[]string{"dependentRequired"}, compareDependencies("dependentRequired")},
		{[]string{"dependentSchemas"}, compareDependencies("dependentSchemas")},
		{[]string{"x-ref"}, (*comparison).compareRefKinds},
		{[]string{"x-quantity"}, (*comparison).compareQuantity},
		{[]string{"x-code"}, compareWhole(codeListFamily, "x-code")},
		{[]string{"x-record"}, compareFlag(recordFieldFamily, "x-record")},
		{[]string{"deprecated"}, compareFlag(deprecationFamily, "deprecated")},
		{[]string{"default"}, (*comparison).compareDefault},
		{annotationKeywords(), (*comparison).compareAnnotations},
	}
}

// The families of changes that the rules add. The slot says which way a rule
// found the change to go; what it breaks, if anything, the change table says.
var (
	typeFamily         = family{narrowed: TypeNarrowed, widened: TypeWidened, changed: TypeChanged}
	fieldAddedFamily   = family{FieldDeclared, FieldAddedToOpenObject, FieldAdded, FieldRedeclared}
	fieldRemovedFamily = family{FieldUndeclared, FieldRemoved, FieldLeftOpen, FieldReplaced}
	valueRangeFamily   = family{narrowed: RangeNarrowed, widened: RangeWidened}
	lengthFamily       = family{narrowed: LengthNarrowed, widened: LengthWidened}
	elementCountFamily = family{narrowed: ElementCountNarrowed, widened: ElementCountWidened}
	stepFamily         = family{narrowed: StepNarrowed, widened: StepWidened, changed: StepChanged}
	patternFamily      = family{narrowed: PatternAdded, widened: PatternRemoved, changed: PatternChanged}
	formatFamily       = family{narrowed: FormatAdded, widened: FormatRemoved, changed: FormatChanged}
	uniquenessFamily   = family{narrowed: UniquenessAdded, widened: UniquenessRemoved}
	refKindFamily      = family{narrowed: RefKindNarrowed, widened: RefKindWidened, changed: RefKindChanged}
	dimensionFamily    = family{narrowed: UnitDimensionAdded, widened: UnitDimensionRemoved, changed: UnitDimensionChanged}
	signFamily         = family{narrowed: SignNarrowed, widened: SignWidened}
	codeListFamily     = family{narrowed: CodeListAdded, widened: CodeListRemoved, changed: CodeListChanged}
	recordFieldFamily  = family{narrowed: RecordFieldAdded, widened: RecordFieldWeakened}
	deprecationFamily  = family{narrowed: DeprecationAdded, widened: DeprecationRemoved}
	constraintFamily   = family{narrowed: ConstraintNarrowed, widened: ConstraintWidened, changed: ConstraintChanged}
)

// keywordDrafts is the first and last draft of the keywords that not every
// draft has. A validator ignores a keyword that its draft does not have.
var keywordDrafts = map[string]struct{ first, last int }{
	"const":             {draft06, draft202012},
	"contains":          {draft06, draft202012},
	"propertyNames":     {draft06, draft202012},
	"if":                {draft07, draft202012},
	"then":              {draft07, draft202012},
	"else":              {draft07, draft202012},
	"contentEncoding":   {draft07, draft202012},
	"contentMediaType":  {draft07, draft202012},
	"dependencies":      {draft04, draft07},
	"additionalItems":   {draft04, draft07},
	"prefixItems":       {draft202012, draft202012},
	"dependentRequired": {draft202012, draft202012},
	"dependentSchemas":  {draft202012, draft202012},
}

// structuralKeywords hold no demand of their own.
func structuralKeywords() []string {
	return []string{"$schema", "$id", "id", "$anchor", "$defs", "definitions", "$comment"}
}

// annotationKeywords are told where they differ and change no document.
func annotationKeywords() []string {
	return []string{"title", "description", "examples", "$comment", "readOnly", "writeOnly", "$schema", "$id", "id", "$anchor"}
}

// isAnnotation holds for keywords that never decide whether a document is accepted.
func isAnnotation(keyword string) bool {
	return keyword == "default" || keyword == "deprecated" ||
		slices.Contains(annotationKeywords(), keyword) || slices.Contains(structuralKeywords(), keyword)
}

// understands holds for the keywords whose meaning in n's draft is compared.
func (n schemaNode) understands(keyword string) bool {
	if span, limited := keywordDrafts[keyword]; limited && (n.doc.draft < span.first || n.doc.draft > span.last) {
		return false
	}
	if keyword == "$schema" || keyword == "$id" || keyword == "id" && n.doc.draft == draft04 {
		return n.at == "" || n.at == "!" || keyword != "$schema" && !movesBase(n.keywords(), n.doc.draft)
	}
	return isAnnotation(keyword) || slices.Contains(combinationKeywords(), keyword) ||
		slices.ContainsFunc(keywordRules(), func(r keywordRule) bool { return slices.Contains(r.keywords, keyword) })
}

func malformed(keyword, want string) error {
	return fmt.Errorf("the keyword %s, which does not hold %s", keyword, want)
}

// malformed answers a keyword with a value of the wrong form: what a validator makes of it is unknown.
func (c *comparison) malformed(at place, keyword, want string) {
	c.notComparable(at.keyword(keyword), malformed(keyword, want).Error())
}

// compareWhole compares a keyword of which only equality is understood.
func compareWhole(family family, keyword string) func(*comparison, place, schemaNode, schemaNode) {
	return func(c *comparison, at place, before, after schemaNode) {
		b, had := before.keywords()[keyword]
		a, has := after.keywords()[keyword]
		if _, ok := b.(string); had && !ok {
			c.malformed(at, keyword, "a text")
			return
		}
		if _, ok := a.(string); has && !ok {
			c.malformed(at, keyword, "a text")
			return
		}
		if had && has && a == b {
			return
		}
		c.relate(family, at.keyword(keyword), effectOf(has, had), shown(b), shown(a))
	}
}

// compareFlag compares a keyword that is true, or absent for false.
func compareFlag(family family, keyword string) func(*comparison, place, schemaNode, schemaNode) {
	return func(c *comparison, at place, before, after schemaNode) {
		had, okBefore := before.flag(keyword)
		has, okAfter := after.flag(keyword)
		if !okBefore || !okAfter {
			c.malformed(at, keyword, "true or false")
			return
		}
		c.relate(family, at.keyword(keyword), effectOf(has && !had, had && !has), "", "")
	}
}

func (n schemaNode) flag(keyword string) (value, ok bool) {
	stated, found := n.keywords()[keyword]
	value, ok = stated.(bool)
	return value, ok || !found
}

func (c *comparison) compareValues(at place, before, after schemaNode) {
	b, limited, okBefore := before.allowedValues()
	a, limits, okAfter := after.allowedValues()
	at = at.keyword(valueKeyword(before, after))
	switch {
	case !okBefore || !okAfter:
		c.notComparable(at, malformed("enum", "a list of values").Error())
	case !limited:
		c.add(EnumIntroduced, at, "", listed(a))
	case !limits:
		c.add(EnumDropped, at, listed(b), "")
	default:
		if removed := less(b, a); len(removed) > 0 {
			c.add(EnumValueRemoved, at, listed(removed), listed(a))
		}
		if added := less(a, b); len(added) > 0 {
			c.add(EnumValueAdded, at, listed(b), listed(added))
		}
	}
}

func valueKeyword(before, after schemaNode) string {
	for _, n := range []schemaNode{after, before} {
		if _, found := n.keywords()["enum"]; found {
			return "enum"
		}
	}
	return "const"
}

// allowedValues is what enum and const leave over, by canonical text; limited is
// false where the schema has neither.
func (n schemaNode) allowedValues() (values map[string]any, limited, ok bool) {
	enum, hasEnum := n.keywords()["enum"]
	constant, hasConst := n.keywords()["const"]
	list, isList := enum.([]any)
	if hasEnum && !isList {
		return nil, true, false
	}
	values = map[string]any{}
	for _, value := range list {
		values[canonicalJSON(value)] = value
	}
	if hasConst {
		key := canonicalJSON(constant)
		_, listed := values[key]
		clear(values)
		if listed || !hasEnum {
			values[key] = constant
		}
	}
	return values, hasEnum || hasConst, true
}

func less[V any](from, taken map[string]V) map[string]V {
	left := maps.Clone(from)
	maps.DeleteFunc(left, func(key string, _ V) bool { _, found := taken[key]; return found })
	return left
}

func listed(values map[string]any) string {
	const most = 12
	keys := slices.Sorted(maps.Keys(values))
	var texts []string
	for _, key := range keys[:min(most, len(keys))] {
		texts = append(texts, shown(values[key]))
	}
	if len(keys) > most {
		texts = append(texts, fmt.Sprintf("and %d more", len(keys)-most))
	}
	return strings.Join(texts, ", ")
}

func (c *comparison) compareRequired(at place, before, after schemaNode) {
	b, okBefore := before.names("required")
	a, okAfter := after.names("required")
	if !okBefore || !okAfter {
		c.malformed(at, "required", "a list of field names")
		return
	}
	for _, name := range slices.Sorted(maps.Keys(less(a, b))) {
		c.add(FieldRequiredAdded, place{at.keyword("required").pointer, at.property(name).field}, "", "")
	}
	for _, name := range slices.Sorted(maps.Keys(less(b, a))) {
		c.add(FieldRequiredRemoved, place{at.keyword("required").pointer, at.property(name).field}, "", "")
	}
}

// names is the set of texts that a keyword lists; empty where it is absent.
func (n schemaNode) names(keyword string) (set map[string]any, ok bool) {
	stated, found := n.keywords()[keyword]
	list, isList := stated.([]any)
	set = map[string]any{}
	for _, e := range list {
		name, isText := e.(string)
		if !isText {
			return nil, false
		}
		set[name] = name
	}
	return set, isList || !found
}

func (c *comparison) compareContains(at place, before, after schemaNode) {
	b, okBefore := before.under("contains")
	a, okAfter := after.under("contains")
	_, had := before.keywords()["contains"]
	_, has := after.keywords()["contains"]
	at = at.keyword("contains")
	switch {
	case !okBefore || !okAfter:
		c.notComparable(at, malformed("contains", "a schema").Error())
	case had && has:
		c.sum(constraintFamily, at, c.differences(at, b, a))
	default:
		// Absent is not the same as true: contains true asks for one element at least.
		c.relate(constraintFamily, at, effectOf(has, had), "", "")
	}
}

func (c *comparison) comparePropertyNames(at place, before, after schemaNode) {
	b, okBefore := before.under("propertyNames")
	a, okAfter := after.under("propertyNames")
	if !okBefore || !okAfter {
		c.malformed(at, "propertyNames", "a schema")
		return
	}
	at = at.keyword("propertyNames")
	c.sum(constraintFamily, at, c.differences(at, b, a))
}

// compareDependencies compares demands that hold where a field is present. A
// list of names is the schema that requires them.
func compareDependencies(keyword string) func(*comparison, place, schemaNode, schemaNode) {
	return func(c *comparison, at place, before, after schemaNode) {
		b, okBefore := before.schemas(keyword)
		a, okAfter := after.schemas(keyword)
		if !okBefore || !okAfter {
			c.malformed(at, keyword, "schemas or lists of names by field")
			return
		}
		at = at.keyword(keyword)
		var changes []Change
		for _, name := range namesOfBoth(b, a) {
			changes = append(changes, c.differences(at.keyword(name), before.below(orTrue(b, name), keyword, name), after.below(orTrue(a, name), keyword, name))...)
		}
		c.sum(constraintFamily, at, changes)
	}
}

// schemas is the map of schemas that a keyword holds, empty where it is absent.
func (n schemaNode) schemas(keyword string) (byName map[string]any, ok bool) {
	stated, found := n.keywords()[keyword]
	if !found {
		return nil, true
	}
	byName, ok = stated.(map[string]any)
	byName = maps.Clone(byName)
	for name, schema := range byName {
		if list, isList := schema.([]any); isList && strings.HasPrefix(keyword, "depend") {
			byName[name] = map[string]any{"required": list}
			continue
		}
		ok = ok && isSchema(schema)
	}
	return byName, ok
}

func namesOfBoth(b, a map[string]any) []string {
	all := maps.Clone(b)
	if all == nil {
		all = map[string]any{}
	}
	maps.Copy(all, a)
	return slices.Sorted(maps.Keys(all))
}

func orTrue(schemas map[string]any, name string) any {
	if schema, found := schemas[name]; found {
		return schema
	}
	return true
}

func allSchemas(list []any) bool {
	return !slices.ContainsFunc(list, func(e any) bool { return !isSchema(e) })
}

func (c *comparison) compareDefault(at place, before, after schemaNode) {
	b, had := before.keywords()["default"]
	a, has := after.keywords()["default"]
	if had != has || canonicalJSON(b) != canonicalJSON(a) {
		c.add(DefaultChanged, at.keyword("default"), shown(b), shown(a))
	}
}

func (c *comparison) compareAnnotations(at place, before, after schemaNode) {
	for _, keyword := range annotationKeywords() {
		b, had := before.keywords()[keyword]
		a, has := after.keywords()[keyword]
		if had != has || canonicalJSON(b) != canonicalJSON(a) {
			c.add(AnnotationChanged, at.keyword(keyword), keyword, "")
		}
	}
}
