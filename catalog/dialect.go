package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Limits of a contract schema. They are far above what a person can review, and
// keep every check and comparison short.
const (
	maxDialectDepth   = 16   // schemas inside of schemas
	maxDialectSchemas = 2000 // schemas in one contract
	maxEnumValues     = 1000 // past that it is a code list: x-code
	maxPatternLength  = 500  // characters
)

// DialectProblem is something in a schema that the contract dialect does not have.
type DialectProblem struct {
	Path    string // JSON pointer: "/properties/lot/anyOf"
	Message string // what is wrong, and why it is not in the dialect
	Remedy  string // what to write instead
}

// CheckDialect answers everything in a schema, decoded from JSON or YAML, that
// is outside of the contract dialect; nothing if the schema is in it. The
// dialect is described in docs/compatibility.md, written from the same tables.
func CheckDialect(schema any) []DialectProblem {
	check := &dialectCheck{}
	root, err := decodeSchema(schema)
	if err != nil {
		check.report("", "The schema "+err.Error()+".", "Split the contract, or move long lists of values into a code list.")
		return check.problems
	}
	check.root, _ = root.(map[string]any)
	check.schema("", root, 1)
	check.recursion()
	return check.problems
}

// dialectCheck is the state of one check.
type dialectCheck struct {
	root     map[string]any
	schemas  int
	tooLarge bool
	problems []DialectProblem
}

func (d *dialectCheck) report(at, message, remedy string) {
	d.problems = append(d.problems, DialectProblem{Path: at, Message: message, Remedy: remedy})
}

// schema checks one schema and all below it.
func (d *dialectCheck) schema(at string, value any, depth int) {
	d.schemas++
	if d.schemas > maxDialectSchemas || depth > maxDialectDepth {
		if !d.tooLarge {
			d.tooLarge = true
			d.report(at, fmt.Sprintf("The contract is larger than %d schemas or deeper than %d levels; the rest is not checked.", maxDialectSchemas, maxDialectDepth),
				"Split it into several event types, or flatten it.")
		}
		return
	}
	keywords, ok := value.(map[string]any)
	if !ok {
		d.report(at, shown(value)+" is not a schema of the dialect: it says nothing about the value.", "State a type, for example type: string.")
		return
	}
	s := dialectSchema{at: at, keywords: keywords, depth: depth}
	for _, keyword := range slices.Sorted(maps.Keys(keywords)) {
		d.keyword(s, keyword)
	}
	if _, isRef := keywords["$ref"]; !isRef {
		d.typed(s)
		d.declared(s)
		d.consistent(s)
	}
}

// dialectSchema is the schema that a keyword is checked in.
type dialectSchema struct {
	at       string
	keywords map[string]any
	depth    int
}

func (s dialectSchema) below(keyword string) string { return pointerBelow(s.at, keyword) }

func (s dialectSchema) has(keyword string) bool {
	_, found := s.keywords[keyword]
	return found
}

// types that the values of the schema can have: as declared, or as its other
// keywords imply; typeAny where nothing says so.
func (s dialectSchema) types() typeSet {
	node := schemaNode{doc: &schemaDocument{draft: draft202012}, value: s.keywords}
	switch declared, ok := node.declaredTypes(); {
	case !ok:
		return typeAny // reported with the keyword
	case s.has("type"):
		return declared
	case s.has("x-ref"), s.has("x-code"):
		return typeString
	case s.has("x-quantity"):
		return typeObject
	default:
		return node.valueTypes()
	}
}

// keyword checks that the keyword is in the dialect, in a place where it
// matters, and holds what it should.
func (d *dialectCheck) keyword(s dialectSchema, name string) {
	at := s.below(name)
	if reason, refused := refusedKeyword(name); refused {
		d.report(at, fmt.Sprintf("%s is not in the contract dialect: %s.", name, reason.why), reason.instead)
		return
	}
	keyword, known := dialectKeywordNamed(name)
	if !known {
		d.report(at, name+" is no keyword of the contract dialect; it would have no effect.",
			"Check the spelling against the keywords in docs/compatibility.md, or take it out.")
		return
	}
	switch {
	case keyword.rootOnly && s.at != "":
		d.report(at, name+" stands only at the root of a contract.", "Move it to the root.")
		return
	case s.has("$ref") && !keyword.besideRef:
		d.report(at, name+" beside $ref: what a definition says would be changed in one place only.", "Put it into the definition, or write the schema out here.")
		return
	case s.types()&keyword.on == 0:
		d.report(at, fmt.Sprintf("%s has no effect on %s; it speaks of %s.", name, typeNames(s.types()), typeNames(keyword.on)), "Take it out, or correct the type.")
	}
	keyword.check(d, s, at, s.keywords[name])
}

// typed asks for a type wherever nothing else says it.
func (d *dialectCheck) typed(s dialectSchema) {
	if slices.ContainsFunc([]string{"type", "enum", "const", "x-ref", "x-code", "x-quantity"}, s.has) {
		return
	}
	d.report(s.at, "The schema states no type, so it accepts any value.", "State type, enum, const, x-ref, x-code or x-quantity.")
}

// declared asks of every object whether it is open. The form of a quantity is the hub's.
func (d *dialectCheck) declared(s dialectSchema) {
	if !s.has("type") || s.types()&typeObject == 0 || s.has("additionalProperties") || s.has("x-quantity") || s.types() == typeAny {
		return
	}
	d.report(s.at, "The object does not say whether it accepts fields that it does not name.",
		"State additionalProperties: false (closed; fields can be added later) or true (open).")
}

// consistent finds demands of one schema that no value meets.
func (d *dialectCheck) consistent(s dialectSchema) {
	node := schemaNode{doc: &schemaDocument{draft: draft202012}, value: s.keywords}
	for _, pair := range [][2]string{{"minLength", "maxLength"}, {"minItems", "maxItems"}} {
		if b, ok := node.countBounds(pair[0], pair[1]); ok && b.empty() {
			d.report(s.below(pair[1]), fmt.Sprintf("%s is below %s: no value is accepted.", pair[1], pair[0]), "Correct one of them.")
		}
	}
	if b, ok := node.numberBounds(); ok && b.empty() {
		d.report(s.at, fmt.Sprintf("No number is %s: no value is accepted.", b), "Correct minimum or maximum.")
	}
	d.valuesFit(s, node)
	if s.keywords["additionalProperties"] != false {
		return
	}
	fields, _ := s.keywords["properties"].(map[string]any)
	required, _ := node.names("required")
	for _, name := range slices.Sorted(maps.Keys(less(required, fields))) {
		d.report(s.below("required"), fmt.Sprintf("%q is required, and the closed object does not have it: no message is accepted.", name), "Add it to properties, or take it out of required.")
	}
}

// valuesFit checks the values of enum and const against the type beside them.
func (d *dialectCheck) valuesFit(s dialectSchema, node schemaNode) {
	declared, ok := node.declaredTypes()
	values, limited, okValues := node.allowedValues()
	if !ok || !okValues || !limited {
		return
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		if typeOf(values[key])&declared == 0 {
			d.report(s.below(valueKeyword(node, node)), fmt.Sprintf("%s is not of the type %s: it is never accepted.", shown(values[key]), node.typeText()), "Correct the value or the type.")
		}
	}
}

// empty holds where no number lies within the bounds.
func (b bounds) empty() bool {
	if b.low == nil || b.high == nil {
		return false
	}
	order := b.low.value.Cmp(b.high.value)
	return order > 0 || order == 0 && (b.low.open || b.high.open)
}

// recursion finds definitions that contain themselves: a message could nest without end.
func (d *dialectCheck) recursion() {
	definitions, _ := d.root["$defs"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(definitions)) {
		if reaches(definitions, definitions[name], name, map[string]bool{}) {
			d.report("/$defs/"+escapePointer(name), fmt.Sprintf("The definition %s contains itself: a message could nest without end.", name),
				"Write out the levels that there are, or send the parts as events of their own with relations.")
		}
	}
}

func reaches(definitions map[string]any, value any, name string, seen map[string]bool) bool {
	switch value := value.(type) {
	case []any:
		return slices.ContainsFunc(value, func(e any) bool { return reaches(definitions, e, name, seen) })
	case map[string]any:
		if ref, isText := value["$ref"].(string); isText {
			target, _ := definitionName(ref)
			if target == name {
				return true
			}
			if !seen[target] {
				seen[target] = true
				if reaches(definitions, definitions[target], name, seen) {
					return true
				}
			}
		}
		for _, e := range value {
			if reaches(definitions, e, name, seen) {
				return true
			}
		}
	}
	return false
}

// definitionName is NAME of #/$defs/NAME.
func definitionName(ref string) (string, bool) {
	name, ok := strings.CutPrefix(ref, "#/$defs/")
	return unescapePointer(name), ok && name != "" && !strings.Contains(name, "/")
}

func typeNames(types typeSet) string {
	if types == typeAny {
		return "any type"
	}
	var names []string
	for _, name := range []string{"object", "array", "string", "number", "integer", "boolean", "null"} {
		if set := typeByName[name]; types&set == set && (name != "integer" || types&typeFraction == 0) {
			names = append(names, name)
		}
	}
	return strings.Join(names, " or ")
}
