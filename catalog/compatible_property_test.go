package catalog

import (
	"bytes"
	"encoding/json"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"
)

// The promise of Compatible, against an independent validator: where it says
// that no sender breaks, no document accepted by the old schema is refused by
// the new one, and the other way round for readers.

func TestCompatibleIsSoundForSchemasOfTheDialect(t *testing.T) {
	checkSoundness(t, func(t *rapid.T) *schemaMaker { return &schemaMaker{t: t, draft: draft202012} })
}

func TestCompatibleIsSoundForSchemasBeyondTheDialect(t *testing.T) {
	checkSoundness(t, func(t *rapid.T) *schemaMaker {
		draft := rapid.SampledFrom([]int{draft04, draft06, draft07, draft202012}).Draw(t, "draft")
		return &schemaMaker{t: t, draft: draft, wide: true}
	})
}

// checkSoundness draws pairs of schemas and documents that fit one of them, and
// fails too when it never met a pair that put the promise to the test.
func checkSoundness(t *testing.T, maker func(*rapid.T) *schemaMaker) {
	tested := map[string]int{}
	rounds := 10
	if testing.Short() {
		rounds = 1
	}
	for range rounds {
		rapid.Check(t, func(t *rapid.T) { checkPair(t, maker(t), tested) })
	}
	for _, what := range []string{"schemas told apart", "senders", "readers", "breaks met"} {
		if tested[what] == 0 && !t.Failed() && !testing.Short() { // a short run draws too few to be sure
			t.Errorf("the test never met the case %q: %v", what, tested)
		}
	}
	t.Logf("met: %v", tested)
}

// checkPair draws one pair and a dozen documents, and counts what it met.
func checkPair(t *rapid.T, m *schemaMaker, tested map[string]int) {
	old := m.document()
	updated := m.altered(old)
	if !m.wide {
		old, updated = tidied(old), tidied(updated)
		if len(CheckDialect(old))+len(CheckDialect(updated)) > 0 {
			return
		}
		tested["in the dialect"]++
	}
	before, errBefore := compileSchema(old)
	after, errAfter := compileSchema(updated)
	if errBefore != nil || errAfter != nil {
		if !m.wide {
			t.Fatalf("the test drew a schema that is none: %v, %v\n%s\n%s", errBefore, errAfter, jsonText(old), jsonText(updated))
		}
		return
	}
	changes := Compatible(old, updated)
	effect := EffectOf(changes)
	if !m.wide && slices.ContainsFunc(changes, func(c Change) bool { return c.Kind == NotComparable }) {
		t.Fatalf("in the dialect, and not comparable\nold  %s\nnew  %s\n%+v", jsonText(old), jsonText(updated), changes)
	}
	tested["schemas told apart"] += min(1, len(changes))
	for i := range 12 {
		source := old
		if i%2 == 1 {
			source = updated
		}
		doc := m.fitting(source, source, 4)
		fitsOld, fitsNew := before.Validate(doc) == nil, after.Validate(doc) == nil
		if fitsOld && !fitsNew && !effect.BreaksSenders() {
			t.Fatalf("a sender breaks, and Compatible says %s\nold  %s\nnew  %s\nsent %s\n%+v", effect, jsonText(old), jsonText(updated), jsonText(doc), changes)
		}
		if fitsNew && !fitsOld && !effect.BreaksReaders() {
			t.Fatalf("a reader breaks, and Compatible says %s\nold  %s\nnew  %s\nsent %s\n%+v", effect, jsonText(old), jsonText(updated), jsonText(doc), changes)
		}
		if len(changes) > 0 && fitsOld && !effect.BreaksSenders() {
			tested["senders"]++
		}
		if len(changes) > 0 && fitsNew && !effect.BreaksReaders() {
			tested["readers"]++
		}
		if fitsOld != fitsNew {
			tested["breaks met"]++
		}
	}
}

func compileSchema(schema any) (*jsonschema.Schema, error) {
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(jsonText(schema)))
	if err != nil {
		return nil, err
	}
	compiler := jsonschema.NewCompiler()
	compiler.AssertFormat()
	compiler.AssertContent()
	if err := compiler.AddResource("contract.json", value); err != nil {
		return nil, err
	}
	return compiler.Compile("contract.json")
}

func jsonText(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "not JSON: " + err.Error()
	}
	return string(text)
}

// parsed is the JSON value of a text, numbers as json.Number.
func parsed(text string) any {
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.UseNumber()
	var v any
	if err := decoder.Decode(&v); err != nil {
		panic(text + ": " + err.Error())
	}
	return v
}

// schemaMaker draws schemas over so small a world (three fields, a few texts
// and numbers) that different demands often meet the same documents.
type schemaMaker struct {
	t     *rapid.T
	draft int
	wide  bool // beyond the contract dialect
}

var schemaAddress = map[int]string{
	draft04: "http://json-schema.org/draft-04/schema#", draft06: "http://json-schema.org/draft-06/schema#",
	draft07: "http://json-schema.org/draft-07/schema#", draft202012: "https://json-schema.org/draft/2020-12/schema",
}

func pick[T any](m *schemaMaker, what string, from ...T) T {
	return rapid.SampledFrom(from).Draw(m.t, what)
}

func (m *schemaMaker) chance(in int) bool { return rapid.IntRange(1, in).Draw(m.t, "chance") == 1 }

func (m *schemaMaker) number() any {
	return parsed(pick(m, "number", "-1", "0", "1", "1.0", "1.5", "2", "3", "4", "6", "10", "1e1"))
}

func (m *schemaMaker) count() any { return parsed(pick(m, "count", "0", "1", "2", "3")) }

func (m *schemaMaker) text() string {
	return pick(m, "text", "", "a", "ab", "abc", "b1", "2018-11-01", "2018-11-01T06:00:00Z")
}

func (m *schemaMaker) field() string { return pick(m, "field", "a", "b", "ab") }

// document is a whole schema with definitions that it may refer to.
func (m *schemaMaker) document() map[string]any {
	root, isObject := m.schema(3, false).(map[string]any)
	if !isObject {
		root = map[string]any{}
	}
	definitions := map[string]any{"x": m.schema(2, false), "y": m.schema(2, false)}
	root["$defs"] = definitions
	if m.wide {
		root["$schema"] = schemaAddress[m.draft]
	}
	return root
}

// schema draws one schema. A reference is drawn only below a field or an
// element, so that every schema ends on every document.
func (m *schemaMaker) schema(depth int, descended bool) any {
	if descended && m.chance(6) {
		ref := map[string]any{"$ref": "#/$defs/" + pick(m, "definition", "x", "y")}
		if m.chance(4) {
			ref["title"] = m.text()
		}
		if m.wide && m.chance(4) {
			ref["type"] = m.types()
		}
		return ref
	}
	if m.wide && m.chance(8) {
		if m.draft == draft04 {
			return map[string]any{}
		}
		return pick(m, "boolean", true, true, false)
	}
	s := map[string]any{}
	if !m.wide || !m.chance(3) {
		s["type"] = m.types()
	}
	for range rapid.IntRange(0, 3).Draw(m.t, "keywords") {
		m.keyword(s, depth)
	}
	if m.wide && depth > 0 {
		for m.chance(2) {
			m.wideKeyword(s, depth)
		}
	}
	return s
}

func (m *schemaMaker) types() any {
	one := func() any {
		return pick(m, "type", "object", "array", "string", "integer", "number", "boolean", "null")
	}
	if m.chance(3) {
		a, b := one(), one()
		if a != b {
			return []any{a, b}
		}
	}
	return one()
}

func (m *schemaMaker) keyword(s map[string]any, depth int) {
	switch pick(m, "keyword", "fields", "fields", "elements", "range", "length", "step", "values", "text", "count", "note") {
	case "fields":
		if depth > 0 {
			m.fields(s, depth-1)
		}
	case "elements":
		if depth > 0 {
			s["items"] = m.schema(depth-1, true)
		}
		if m.chance(3) {
			s["uniqueItems"] = m.chance(2)
		}
	case "range":
		limit := pick(m, "limit", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")
		base := strings.Replace(strings.ToLower(limit), "exclusive", "", 1)
		if m.draft == draft04 && base != limit {
			s[limit], limit = m.chance(2), base
		}
		s[limit] = m.number()
	case "length":
		s[pick(m, "limit", "minLength", "maxLength")] = m.count()
	case "count":
		s[pick(m, "limit", "minItems", "maxItems")] = m.count()
	case "step":
		s["multipleOf"] = parsed(pick(m, "step", "0.5", "1", "2", "3", "1.5"))
	case "values":
		if m.draft > draft04 && m.chance(3) {
			s["const"] = m.value(1)
		} else {
			s["enum"] = m.values()
		}
	case "text":
		if m.chance(2) {
			s["pattern"] = pick(m, "pattern", "^a", "b", "[0-9]")
		} else {
			s["format"] = pick(m, "format", "date", "date-time")
		}
	case "note":
		s[pick(m, "note", "title", "description")] = m.text()
	}
}

func (m *schemaMaker) values() []any {
	values := map[string]any{}
	for range rapid.IntRange(1, 4).Draw(m.t, "values") {
		v := m.value(1)
		values[canonicalJSON(v)] = v
	}
	var list []any
	for _, key := range slices.Sorted(maps.Keys(values)) {
		list = append(list, values[key])
	}
	return list
}

func (m *schemaMaker) fields(s map[string]any, depth int) {
	fields := map[string]any{}
	for range rapid.IntRange(0, 3).Draw(m.t, "fields") {
		fields[m.field()] = m.schema(depth, true)
	}
	s["properties"] = fields
	if m.chance(2) {
		s["required"] = []any{m.field()}
	}
	switch pick(m, "rest", "closed", "closed", "open", "schema", "unstated") {
	case "closed":
		s["additionalProperties"] = false
	case "schema":
		s["additionalProperties"] = m.schema(depth, true)
	case "open":
		s["additionalProperties"] = true
	}
}

func (m *schemaMaker) wideKeyword(s map[string]any, depth int) {
	below := func(descended bool) any { return m.schema(depth-1, descended) }
	keyword := pick(m, "wide keyword", "allOf", "anyOf", "oneOf", "not", "if", "patternProperties", "propertyNames", "contains",
		"dependencies", "tuple", "minProperties", "maxProperties", "rare")
	switch keyword {
	case "allOf", "anyOf", "oneOf":
		s[keyword] = []any{below(false), below(false)}[:rapid.IntRange(1, 2).Draw(m.t, "members")]
	case "not", "propertyNames", "contains":
		s[keyword] = below(false)
	case "if":
		s["if"], s["then"] = below(false), below(false)
		if m.chance(2) {
			s["else"] = below(false)
		}
	case "patternProperties":
		s[keyword] = map[string]any{pick(m, "name pattern", "^a", "b$"): below(true)}
	case "minProperties", "maxProperties":
		s[keyword] = m.count()
	case "dependencies":
		name := map[bool]string{true: "dependencies", false: "dependentSchemas"}[m.draft <= draft07]
		s[name] = map[string]any{m.field(): below(false)}
		if m.chance(2) {
			name = strings.Replace(name, "Schemas", "Required", 1)
			s[name] = map[string]any{m.field(): []any{m.field()}}
		}
	case "tuple":
		names := map[bool][2]string{true: {"items", "additionalItems"}, false: {"prefixItems", "items"}}[m.draft <= draft07]
		s[names[0]] = []any{below(true), below(true)}[:rapid.IntRange(1, 2).Draw(m.t, "members")]
		if m.chance(2) {
			s[names[1]] = below(true)
		}
	case "rare":
		m.rareKeyword(s, depth)
	}
}

// rareKeyword adds what Compatible does not understand, or what the draft does not.
func (m *schemaMaker) rareKeyword(s map[string]any, depth int) {
	switch keyword := pick(m, "rare keyword", "minContains", "maxContains", "unevaluatedProperties", "unevaluatedItems", "const", "if", "prefixItems", "additionalItems", "contentEncoding"); keyword {
	case "minContains", "maxContains":
		s[keyword] = m.count()
	case "const":
		s[keyword] = m.value(1)
	case "prefixItems":
		s[keyword] = []any{m.schema(depth-1, true)}
	case "contentEncoding":
		s[keyword] = "base64"
	default:
		s[keyword] = m.schema(depth-1, true)
	}
}

// altered is a schema near to the given one: some of it drawn anew, dropped or kept.
func (m *schemaMaker) altered(old map[string]any) map[string]any {
	if m.chance(12) {
		return m.document()
	}
	updated := maps.Clone(old)
	for _, keyword := range slices.Sorted(maps.Keys(old)) {
		if keyword == "$schema" {
			if m.chance(10) {
				updated[keyword] = schemaAddress[pick(m, "draft", draft04, draft07, draft202012)]
			}
			continue
		}
		m.alterKeyword(updated, keyword)
	}
	if _, isRef := old["$ref"]; isRef {
		// Before draft 2019-09 keywords beside a $ref are ignored. The validator
		// enforces those that came after draft-04 all the same, so none is drawn.
		return updated
	}
	if m.chance(4) {
		m.keyword(updated, 1)
	}
	if m.wide && m.chance(4) {
		m.wideKeyword(updated, 1)
	}
	return updated
}

func (m *schemaMaker) alterKeyword(s map[string]any, keyword string) {
	switch value := s[keyword].(type) {
	case map[string]any:
		_, isSchemaMap := map[string]bool{"properties": true, "$defs": true, "patternProperties": true, "dependencies": true, "dependentSchemas": true}[keyword]
		switch {
		case isSchemaMap:
			s[keyword] = m.alteredMap(value, keyword == "$defs")
		case keyword != "dependentRequired" && keyword != "const" && keyword != "default":
			s[keyword] = m.altered(value)
		}
	case []any:
		if keyword == "allOf" || keyword == "anyOf" || keyword == "oneOf" || keyword == "prefixItems" || keyword == "items" {
			s[keyword] = m.alteredList(value)
		} else if m.chance(4) && len(value) > 1 {
			s[keyword] = value[1:]
		}
	case json.Number:
		if m.chance(3) && keyword != "const" && !strings.HasSuffix(keyword, "s") && !strings.HasSuffix(keyword, "Length") && keyword != "multipleOf" {
			s[keyword] = m.number()
		}
	}
	if keyword != "$defs" && keyword != "$ref" && m.chance(8) {
		delete(s, keyword)
	}
}

func (m *schemaMaker) alteredMap(schemas map[string]any, keepNames bool) map[string]any {
	updated := maps.Clone(schemas)
	for _, name := range slices.Sorted(maps.Keys(schemas)) {
		if schema, ok := schemas[name].(map[string]any); ok {
			updated[name] = m.altered(schema)
		}
		if !keepNames && m.chance(6) {
			delete(updated, name)
		}
	}
	if !keepNames && m.chance(6) {
		updated[m.field()] = m.schema(1, false)
	}
	return updated
}

func (m *schemaMaker) alteredList(schemas []any) []any {
	updated := slices.Clone(schemas)
	for i, schema := range schemas {
		if schema, ok := schema.(map[string]any); ok && m.chance(2) {
			updated[i] = m.altered(schema)
		}
	}
	switch pick(m, "list", "keep", "keep", "turn", "drop", "add") {
	case "turn":
		slices.Reverse(updated)
	case "drop":
		updated = updated[:max(1, len(updated)-1)]
	case "add":
		updated = append(updated, m.schema(1, false))
	}
	return updated
}

// tidied brings a schema close to the dialect: keywords only where they matter,
// every object open or closed, no definition that refers to others.
func tidied(schema map[string]any) map[string]any {
	root := tidiedSchema(schema)
	definitions, _ := schema["$defs"].(map[string]any)
	tidy := map[string]any{}
	for name, definition := range definitions {
		if definition, ok := definition.(map[string]any); ok && !hasReference(definition) {
			tidy[name] = tidiedSchema(definition)
		} else {
			tidy[name] = map[string]any{"type": "string"}
		}
	}
	root["$defs"] = tidy
	return root
}

func tidiedSchema(schema map[string]any) map[string]any {
	s := maps.Clone(schema)
	delete(s, "$defs")
	if _, isRef := s["$ref"]; isRef {
		return s
	}
	_, hasEnum := s["enum"]
	_, hasConst := s["const"]
	switch {
	case hasEnum || hasConst:
		delete(s, "type")
	case s["type"] == nil:
		s["type"] = "object"
	}
	for name := range s {
		if keyword, known := dialectKeywordNamed(name); !known || keyword.on&(dialectSchema{keywords: s}).types() == 0 {
			delete(s, name)
		}
	}
	if fields, ok := s["properties"].(map[string]any); ok {
		fields = maps.Clone(fields)
		for name, field := range fields {
			if field, ok := field.(map[string]any); ok {
				fields[name] = tidiedSchema(field)
			}
		}
		s["properties"] = fields
	}
	for _, name := range []string{"items", "additionalProperties"} {
		if below, ok := s[name].(map[string]any); ok {
			s[name] = tidiedSchema(below)
		}
	}
	if _, stated := s["additionalProperties"]; !stated && (dialectSchema{keywords: s}).types()&typeObject != 0 {
		s["additionalProperties"] = false
	}
	return s
}

// value is any JSON value of the small world.
func (m *schemaMaker) value(depth int) any {
	kinds := []string{"text", "text", "number", "number", "flag", "null"}
	if depth > 0 {
		kinds = append(kinds, "object", "array", "object")
	}
	switch pick(m, "value", kinds...) {
	case "text":
		return m.text()
	case "number":
		return m.number()
	case "flag":
		return m.chance(2)
	case "object":
		object := map[string]any{}
		for range rapid.IntRange(0, 3).Draw(m.t, "size") {
			object[m.field()] = m.value(depth - 1)
		}
		return object
	case "array":
		array := []any{}
		for range rapid.IntRange(0, 3).Draw(m.t, "size") {
			array = append(array, m.value(depth-1))
		}
		return array
	}
	return nil
}

// fitting draws a document that a schema is likely to accept, or almost.
func (m *schemaMaker) fitting(root map[string]any, schema any, depth int) any {
	s, ok := schema.(map[string]any)
	if !ok || depth == 0 || m.chance(10) {
		return m.value(max(0, depth-2))
	}
	if ref, ok := s["$ref"].(string); ok {
		definitions, _ := root["$defs"].(map[string]any)
		return m.fitting(root, definitions[strings.TrimPrefix(ref, "#/$defs/")], depth)
	}
	if constant, found := s["const"]; found && !m.chance(6) {
		return constant
	}
	if values, ok := s["enum"].([]any); ok && len(values) > 0 && !m.chance(6) {
		return pick(m, "of enum", values...)
	}
	for _, keyword := range []string{"allOf", "anyOf", "oneOf"} {
		if members, ok := s[keyword].([]any); ok && len(members) > 0 && m.chance(2) {
			return m.fitting(root, pick(m, "of "+keyword, members...), depth)
		}
	}
	return m.ofType(root, s, depth)
}

func (m *schemaMaker) ofType(root, s map[string]any, depth int) any {
	types, isList := s["type"].([]any)
	if !isList {
		types = []any{s["type"]}
	}
	switch pick(m, "of type", types...) {
	case "object":
		object := map[string]any{}
		fields, _ := s["properties"].(map[string]any)
		for _, name := range []string{"a", "b", "ab"} {
			schema, named := fields[name]
			if !named {
				schema = s["additionalProperties"]
			}
			if schema != false && (m.chance(2) || named) {
				object[name] = m.fitting(root, schema, depth-1)
			}
		}
		return object
	case "array":
		array := []any{}
		for i := range rapid.IntRange(0, 3).Draw(m.t, "size") {
			element := s["items"]
			if first, ok := s["prefixItems"].([]any); ok && i < len(first) {
				element = first[i]
			} else if first, ok := s["items"].([]any); ok && i < len(first) {
				element = first[i]
			}
			array = append(array, m.fitting(root, element, depth-1))
		}
		return array
	case "string":
		return m.text()
	case "integer", "number":
		return m.number()
	case "boolean":
		return m.chance(2)
	case "null":
		return nil
	}
	return m.value(1)
}
