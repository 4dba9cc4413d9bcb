package catalog

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// dialectKeyword is a keyword of the contract dialect.
type dialectKeyword struct {
	name      string
	on        typeSet // the types it speaks of
	besideRef bool    // may stand beside $ref, because it says something of this place
	rootOnly  bool
	meaning   string // for docs/compatibility.md
	check     func(d *dialectCheck, s dialectSchema, at string, value any)
}

const typeNumber = typeWhole | typePointZero | typeFraction

const draft202012Address = "https://json-schema.org/draft/2020-12/schema"

// dialectKeywords is the whole dialect.
func dialectKeywords() []dialectKeyword {
	return []dialectKeyword{
		{name: "$schema", on: typeAny, rootOnly: true, check: wantsDraft, meaning: "optional; only `" + draft202012Address + "`"},
		{name: "$defs", on: typeAny, rootOnly: true, check: wantsSchemas, meaning: "definitions, by name"},
		{name: "$ref", on: typeAny, besideRef: true, check: wantsDefinition, meaning: "`#/$defs/name`, a definition of the same contract; none contains itself"},
		{name: "type", on: typeAny, check: wantsTypes, meaning: "object, array, string, integer, number, boolean, null, or a list of them"},
		{name: "title", on: typeAny, besideRef: true, check: wantsText, meaning: "name for people"},
		{name: "description", on: typeAny, besideRef: true, check: wantsText, meaning: "text for people"},
		{name: "default", on: typeAny, besideRef: true, check: wantsAnything, meaning: "a note; never filled in"},
		{name: "examples", on: typeAny, besideRef: true, check: wantsList, meaning: "a list of values"},
		{name: "deprecated", on: typeAny, besideRef: true, check: wantsFlag, meaning: "true: accepted, and may go in a later version"},
		{name: "enum", on: typeAny, check: wantsValues, meaning: fmt.Sprintf("the values accepted, at most %d; longer lists are code lists", maxEnumValues)},
		{name: "const", on: typeAny, check: wantsAnything, meaning: "the one value accepted"},
		{name: "properties", on: typeObject, check: wantsSchemas, meaning: "the fields, by name"},
		{name: "required", on: typeObject, check: wantsNames, meaning: "the fields that every message has"},
		{name: "additionalProperties", on: typeObject, check: wantsRest, meaning: "**every object states it**: false (closed), true (open), or the schema of all other fields"},
		{name: "items", on: typeArray, check: wantsSchema, meaning: "the schema of every element"},
		{name: "minItems", on: typeArray, check: wantsCount, meaning: "fewest elements"},
		{name: "maxItems", on: typeArray, check: wantsCount, meaning: "most elements"},
		{name: "uniqueItems", on: typeArray, check: wantsFlag, meaning: "true: no two elements are equal"},
		{name: "minimum", on: typeNumber, check: wantsNumber, meaning: "smallest number"},
		{name: "maximum", on: typeNumber, check: wantsNumber, meaning: "largest number"},
		{name: "exclusiveMinimum", on: typeNumber, check: wantsNumber, meaning: "every number is above it"},
		{name: "exclusiveMaximum", on: typeNumber, check: wantsNumber, meaning: "every number is below it"},
		{name: "multipleOf", on: typeNumber, check: wantsStep, meaning: "the step, above zero"},
		{name: "minLength", on: typeString, check: wantsCount, meaning: "fewest characters"},
		{name: "maxLength", on: typeString, check: wantsCount, meaning: "most characters"},
		{name: "pattern", on: typeString, check: wantsPattern, meaning: "regular expression (RE2 syntax); matches anywhere, so write `^` and `$`"},
		{name: "format", on: typeString, check: wantsFormat, meaning: "one of " + strings.Join(dialectFormats(), ", ") + "; always enforced"},
		{name: "x-ref", on: typeString, check: wantsRefKinds, meaning: "the text is a ref of this kind, or of one of a list of kinds"},
		{name: "x-quantity", on: typeObject, check: wantsQuantity, meaning: "a quantity with value and unit: true, or {dimension, sign}; sign is one of " + strings.Join(quantitySigns(), ", ") + ", where none is stated " + defaultSign},
		{name: "x-code", on: typeString, check: wantsCodeList, meaning: "the text is a code of this code list"},
		{name: "x-record", on: typeAny, besideRef: true, check: wantsTrue, meaning: "true: GMP record field, never edited in the hub"},
	}
}

func dialectKeywordNamed(name string) (dialectKeyword, bool) {
	keywords := dialectKeywords()
	i := slices.IndexFunc(keywords, func(k dialectKeyword) bool { return k.name == name })
	if i < 0 {
		return dialectKeyword{}, false
	}
	return keywords[i], true
}

// dialectFormats is the closed list; each is enforced by the validator.
func dialectFormats() []string {
	return []string{"date", "time", "date-time", "duration", "uri", "uri-reference", "uuid", "email", "hostname", "ipv4", "ipv6", "json-pointer"}
}

// refusal says why keywords of JSON Schema are not in the dialect.
type refusal struct {
	keywords     []string
	why, instead string
}

func refusals() []refusal {
	policy := "State the rule in a policy: it can be tested, and tells the sender why."
	return []refusal{
		{
			[]string{"anyOf", "oneOf"},
			"a message would have several forms, and two versions of it could not be compared",
			"Define one event type per form, or one object whose enum field says which fields apply.",
		},
		{[]string{"allOf"}, "what is demanded of a field would stand in several places", "State all keywords in one schema, or name a definition with $ref."},
		{[]string{"not", "if", "then", "else"}, "a refusal could not be told in terms of one field", policy},
		{[]string{"dependentRequired", "dependentSchemas", "dependencies"}, "what a field must be would hang on another field", policy},
		{[]string{"contains", "minContains", "maxContains"}, "a refusal could not name the element", policy},
		{
			[]string{"patternProperties", "propertyNames"},
			"the names of fields would be data, which no report or mapping can name",
			"Send a list of objects, each with the name and the value.",
		},
		{[]string{"minProperties", "maxProperties"}, "a refusal could not name the field that is missing", "Name the fields in required, and close the object."},
		{
			[]string{"prefixItems", "additionalItems", "unevaluatedItems"},
			"what an element means would hang on its position",
			"Use an object with named fields, or items for every element.",
		},
		{[]string{"unevaluatedProperties"}, "it depends on keywords that the dialect does not have", "Use additionalProperties."},
		{[]string{"$dynamicRef", "$dynamicAnchor", "$recursiveRef", "$recursiveAnchor", "$anchor"}, "what it names would hang on where it is used", "Use $ref: '#/$defs/name'."},
		{[]string{"$id", "id"}, "the catalog names contracts by type and version", "Take it out."},
		{[]string{"definitions"}, "it is the older name of $defs", "Rename it to $defs."},
		{[]string{"$vocabulary", "$comment"}, "it would say nothing to sender, reader or hub", "Use description, or a comment of the YAML file."},
		{[]string{"contentEncoding", "contentMediaType", "contentSchema"}, "content within a text is not checked", "Send the parts as fields, or the uri of the document."},
		{[]string{"readOnly", "writeOnly"}, "a message is sent as a whole", "Take it out; authority says who may assert a type."},
		{[]string{"nullable"}, "it is no keyword of JSON Schema", `Add "null" to type, or better leave the field out of required.`},
	}
}

func refusedKeyword(name string) (refusal, bool) {
	all := refusals()
	i := slices.IndexFunc(all, func(r refusal) bool { return slices.Contains(r.keywords, name) })
	if i < 0 {
		return refusal{}, false
	}
	return all[i], true
}

// wrong reports a keyword that does not hold what it should.
func (d *dialectCheck) wrong(at string, value any, want string) {
	d.report(at, fmt.Sprintf("%s is not %s.", shown(value), want), "Write "+want+".")
}

func wantsAnything(*dialectCheck, dialectSchema, string, any) {}

func wantsDraft(d *dialectCheck, _ dialectSchema, at string, value any) {
	if value != draft202012Address {
		d.wrong(at, value, draft202012Address)
	}
}

func wantsText(d *dialectCheck, _ dialectSchema, at string, value any) {
	if _, ok := value.(string); !ok {
		d.wrong(at, value, "a text")
	}
}

func wantsList(d *dialectCheck, _ dialectSchema, at string, value any) {
	if _, ok := value.([]any); !ok {
		d.wrong(at, value, "a list")
	}
}

func wantsFlag(d *dialectCheck, _ dialectSchema, at string, value any) {
	if _, ok := value.(bool); !ok {
		d.wrong(at, value, "true or false")
	}
}

func wantsTrue(d *dialectCheck, _ dialectSchema, at string, value any) {
	if value != true {
		d.wrong(at, value, "true (leave the keyword out otherwise)")
	}
}

func wantsSchema(d *dialectCheck, s dialectSchema, at string, value any) {
	if _, isList := value.([]any); isList {
		d.report(at, "A list of schemas gives each position a meaning of its own.", "Write one schema for every element; for named parts use an object.")
		return
	}
	d.schema(at, value, s.depth+1)
}

func wantsRest(d *dialectCheck, s dialectSchema, at string, value any) {
	if _, ok := value.(bool); !ok {
		d.schema(at, value, s.depth+1)
	}
}

func wantsSchemas(d *dialectCheck, s dialectSchema, at string, value any) {
	schemas, ok := value.(map[string]any)
	if !ok {
		d.wrong(at, value, "an object of schemas by name")
		return
	}
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		d.schema(at+"/"+escapePointer(name), schemas[name], s.depth+1)
	}
}

func wantsDefinition(d *dialectCheck, _ dialectSchema, at string, value any) {
	ref, _ := value.(string)
	name, ok := definitionName(ref)
	if !ok {
		d.report(at, shown(value)+" does not name a definition of this contract: a contract is complete in itself.", "Copy the definition into $defs and write #/$defs/name.")
		return
	}
	definitions, _ := d.root["$defs"].(map[string]any)
	if _, found := definitions[name]; !found {
		d.report(at, fmt.Sprintf("There is no definition %q.", name), "Define it in $defs, or correct the name.")
	}
}

func wantsTypes(d *dialectCheck, s dialectSchema, at string, value any) {
	node := schemaNode{doc: &schemaDocument{draft: draft202012}, value: s.keywords}
	list, isList := value.([]any)
	if _, ok := node.declaredTypes(); !ok || isList && len(list) == 0 {
		d.wrong(at, value, "one of object, array, string, integer, number, boolean, null, or a list of them")
		return
	}
	d.unique(at, list)
}

func (d *dialectCheck) unique(at string, list []any) {
	seen := map[string]bool{}
	for _, value := range list {
		key := canonicalJSON(value)
		if seen[key] {
			d.report(at, shown(value)+" stands there twice.", "Take one out.")
		}
		seen[key] = true
	}
}

func wantsValues(d *dialectCheck, _ dialectSchema, at string, value any) {
	list, ok := value.([]any)
	switch {
	case !ok || len(list) == 0:
		d.wrong(at, value, "a list of at least one value")
	case len(list) > maxEnumValues:
		d.report(at, fmt.Sprintf("The list has %d values, more than %d.", len(list), maxEnumValues), "Make it a code list and name it with x-code.")
	default:
		d.unique(at, list)
	}
}

func wantsNames(d *dialectCheck, s dialectSchema, at string, value any) {
	node := schemaNode{doc: &schemaDocument{draft: draft202012}, value: s.keywords}
	if _, ok := node.names("required"); !ok {
		d.wrong(at, value, "a list of field names")
		return
	}
	list, _ := value.([]any)
	d.unique(at, list)
}

func wantsNumber(d *dialectCheck, _ dialectSchema, at string, value any) {
	if _, ok := exactNumber(value); !ok {
		d.wrong(at, value, "a number of usual size")
	}
}

func wantsStep(d *dialectCheck, _ dialectSchema, at string, value any) {
	if number, ok := exactNumber(value); !ok || number.Sign() <= 0 {
		d.wrong(at, value, "a number above zero")
	}
}

func wantsCount(d *dialectCheck, _ dialectSchema, at string, value any) {
	if number, ok := exactNumber(value); !ok || !number.IsInt() || number.Sign() < 0 {
		d.wrong(at, value, "a whole number, 0 or more")
	}
}

func wantsPattern(d *dialectCheck, _ dialectSchema, at string, value any) {
	pattern, ok := value.(string)
	if !ok || utf8.RuneCountInString(pattern) > maxPatternLength {
		d.wrong(at, value, fmt.Sprintf("a regular expression of at most %d characters", maxPatternLength))
		return
	}
	if _, err := regexp.Compile(pattern); err != nil {
		d.report(at, fmt.Sprintf("%s is not a regular expression: %v.", shown(value), err), "Write it in RE2 syntax, which has no look-ahead and no back-references.")
	}
}

func wantsFormat(d *dialectCheck, _ dialectSchema, at string, value any) {
	if format, ok := value.(string); !ok || !slices.Contains(dialectFormats(), format) {
		d.wrong(at, value, "one of "+strings.Join(dialectFormats(), ", ")+" (for others a pattern)")
	}
}

var catalogName = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

func wantsRefKinds(d *dialectCheck, s dialectSchema, at string, value any) {
	node := schemaNode{doc: &schemaDocument{draft: draft202012}, value: s.keywords}
	kinds, _, ok := node.refKinds()
	bad := slices.ContainsFunc(slices.Collect(maps.Keys(kinds)), func(kind string) bool { return !catalogName.MatchString(kind) })
	if !ok || bad || len(kinds) == 0 {
		d.wrong(at, value, "a kind of ref such as lot, or a list of kinds")
		return
	}
	list, _ := value.([]any)
	d.unique(at, list)
}

func wantsQuantity(d *dialectCheck, s dialectSchema, at string, value any) {
	node := schemaNode{doc: &schemaDocument{draft: draft202012}, value: s.keywords}
	if _, ok := node.quantity(); !ok || value == false {
		d.wrong(at, value, "true or {dimension: mass, sign: "+strings.Join(quantitySigns(), " | ")+"}")
	}
}

func wantsCodeList(d *dialectCheck, _ dialectSchema, at string, value any) {
	if name, ok := value.(string); !ok || !catalogName.MatchString(name) {
		d.wrong(at, value, "the name of a code list such as scrap-reason")
	}
}

// writeDialect writes the part of docs/compatibility.md on the dialect.
func writeDialect(b *strings.Builder) {
	b.WriteString("| keyword | speaks of | meaning |\n|---|---|---|\n")
	for _, k := range dialectKeywords() {
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", k.name, typeNames(k.on), cell(k.meaning))
	}
	fmt.Fprintf(b, `
Every schema states a type, or one of enum, const, x-ref, x-code and x-quantity. Beside %s only notes and x-record stand.
A contract has at most %d schemas in %d levels.

What JSON Schema has and the dialect does not:

| keyword | why not | instead |
|---|---|---|
`, "`$ref`", maxDialectSchemas, maxDialectDepth)
	for _, r := range refusals() {
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", strings.Join(r.keywords, "`, `"), r.why, cell(r.instead))
	}
	b.WriteString("\n")
}
