package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"math/big"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Limits of what Compatible reads. Contracts are a few kilobytes; what is past
// these bounds is answered as not comparable instead of being worked on without end.
const (
	maxSchemaBytes     = 1 << 20 // size of one schema as JSON
	maxComparisons     = 20_000  // pairs of subschemas, over the whole comparison
	maxComparedDepth   = 64      // schemas inside of schemas, references followed
	maxReferenceHops   = 32      // $ref to $ref to $ref ...
	maxNumberText      = 64      // characters of one number
	maxNumberExponent  = 308     // largest power of ten in a number
	maxShownCharacters = 80      // of a schema value quoted in a sentence
)

// Drafts of JSON Schema that Compatible can tell apart. What a keyword means
// depends on them: see keywordDrafts and schemaNode.resolve.
const (
	draft04     = 4
	draft06     = 6
	draft07     = 7
	draft202012 = 2020
)

// schemaDocument is one whole schema, the scope in which a $ref is resolved.
type schemaDocument struct {
	name     string // "old" or "new"; with a pointer the identity of a node
	root     any
	draft    int
	nestedID bool // a $id below the root moves the base of references
}

// schemaNode is one schema within a document: a bool or a map[string]any.
type schemaNode struct {
	doc   *schemaDocument
	at    string // JSON pointer from the root of doc
	value any
}

// readSchema turns a decoded schema into a document.
func readSchema(name string, schema any) (*schemaDocument, error) {
	root, err := decodeSchema(schema)
	if err != nil {
		return nil, fmt.Errorf("the %s schema, which %w", name, err)
	}
	if !isSchema(root) {
		return nil, fmt.Errorf("the %s schema, which is neither an object nor true or false", name)
	}
	doc := &schemaDocument{name: name, root: root}
	if doc.draft, err = draftOf(doc.root); err != nil {
		return nil, fmt.Errorf("the %s schema, whose %w", name, err)
	}
	doc.nestedID = hasNestedID(doc.root, doc.draft, true)
	return doc, nil
}

// decodeSchema passes a value through JSON once, so that it does not matter how
// it was decoded before: every number becomes its text, and none is rounded here.
func decodeSchema(schema any) (any, error) {
	text, err := json.Marshal(schema)
	if err != nil {
		return nil, fmt.Errorf("cannot be written as JSON: %w", err)
	}
	if len(text) > maxSchemaBytes {
		return nil, fmt.Errorf("has %d bytes, more than the %d that are read", len(text), maxSchemaBytes)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, fmt.Errorf("cannot be read as JSON: %w", err)
	}
	return value, nil
}

func (d *schemaDocument) node() schemaNode { return schemaNode{doc: d, value: d.root} }

func isSchema(v any) bool {
	switch v.(type) {
	case bool, map[string]any:
		return true
	}
	return false
}

// draftOf reads $schema; a schema without one is of draft 2020-12, as contracts are.
func draftOf(root any) (int, error) {
	keywords, _ := root.(map[string]any)
	stated, found := keywords["$schema"]
	if !found {
		return draft202012, nil
	}
	uri, _ := stated.(string)
	_, address, _ := strings.Cut(strings.TrimSuffix(uri, "#"), "://")
	switch address {
	case "json-schema.org/draft-04/schema":
		return draft04, nil
	case "json-schema.org/draft-06/schema":
		return draft06, nil
	case "json-schema.org/draft-07/schema":
		return draft07, nil
	case "json-schema.org/draft/2020-12/schema":
		return draft202012, nil
	}
	return 0, fmt.Errorf("$schema %s is not one of draft-04, draft-06, draft-07, 2020-12", shown(stated))
}

// hasNestedID reports a $id below the root that starts a schema of its own.
// It looks into values such as examples too; that errs on the careful side.
func hasNestedID(v any, draft int, root bool) bool {
	switch v := v.(type) {
	case []any:
		return slices.ContainsFunc(v, func(e any) bool { return hasNestedID(e, draft, false) })
	case map[string]any:
		if !root && movesBase(v, draft) {
			return true
		}
		for _, e := range v {
			if hasNestedID(e, draft, false) {
				return true
			}
		}
	}
	return false
}

func movesBase(keywords map[string]any, draft int) bool {
	name := "$id"
	if draft == draft04 {
		name = "id"
	}
	id, ok := keywords[name].(string)
	return ok && !strings.HasPrefix(id, "#")
}

// keywords of the schema; nil for true and false.
func (n schemaNode) keywords() map[string]any {
	keywords, _ := n.value.(map[string]any)
	return keywords
}

func (n schemaNode) forbidsAll() bool { return n.value == false }

// identity is the same for two nodes only if they are the same schema. What a
// schema leaves out is true wherever it stands.
func (n schemaNode) identity() string {
	if flag, ok := n.value.(bool); ok {
		return strconv.FormatBool(flag)
	}
	return n.doc.name + "#" + n.at
}

// below is the node of a schema that stands under n at the given steps.
func (n schemaNode) below(value any, steps ...string) schemaNode {
	return schemaNode{doc: n.doc, at: pointerBelow(n.at, steps...), value: value}
}

// under is the schema that a keyword holds, or true where the keyword is absent;
// ok is false where it holds something else than a schema.
func (n schemaNode) under(keyword string) (child schemaNode, ok bool) {
	value, found := n.keywords()[keyword]
	if !found {
		value = true
	}
	return n.below(value, keyword), isSchema(value)
}

// without is n less some keywords, under an identity of its own.
func (n schemaNode) without(names ...string) schemaNode {
	rest := maps.Clone(n.keywords())
	for _, name := range names {
		delete(rest, name)
	}
	return schemaNode{doc: n.doc, at: n.at + "!", value: rest}
}

var errUnresolved = errors.New("it cannot be resolved inside this document")

// resolve follows $ref until the node has none. Up to draft-07 the keywords
// beside a $ref are ignored, as those drafts say; later ones apply beside it.
func (n schemaNode) resolve() (schemaNode, error) {
	for range maxReferenceHops {
		ref, found := n.keywords()["$ref"]
		if !found {
			return n, nil
		}
		name, _ := ref.(string)
		target, ok := n.doc.lookup(name)
		if !ok {
			return n, fmt.Errorf("$ref %s: %w", shown(ref), errUnresolved)
		}
		if n.doc.draft <= draft07 {
			n = target
			continue
		}
		n = n.besides(name, target)
	}
	return n, fmt.Errorf("more than %d references lead to one another", maxReferenceHops)
}

// besides joins the keywords that stand beside a $ref with the schema it names:
// in one schema where they cannot disagree, else as an allOf of both.
func (n schemaNode) besides(ref string, target schemaNode) schemaNode {
	beside := maps.Clone(n.keywords())
	maps.DeleteFunc(beside, func(keyword string, _ any) bool {
		return keyword == "$ref" || slices.Contains(structuralKeywords(), keyword)
	})
	if len(beside) == 0 {
		return target
	}
	if canJoin(beside, target.keywords()) {
		joined := maps.Clone(target.keywords())
		maps.Copy(joined, beside)
		return schemaNode{doc: n.doc, at: target.at + "+" + canonicalJSON(beside), value: joined}
	}
	members, _ := beside["allOf"].([]any)
	beside["allOf"] = append(slices.Clone(members), map[string]any{"$ref": ref})
	return schemaNode{doc: n.doc, at: n.at + "&", value: beside}
}

// canJoin holds where the keywords beside a $ref say something of their own:
// annotations, and our keywords that the definition does not state itself.
func canJoin(beside, definition map[string]any) bool {
	for keyword := range beside {
		_, taken := definition[keyword]
		if !isAnnotation(keyword) && (taken || !strings.HasPrefix(keyword, "x-")) {
			return false
		}
	}
	return definition != nil
}

// lookup finds what a local reference names: "#", "#/a/pointer", or "#name" for
// a definition with that $anchor (before 2019: with that $id).
func (d *schemaDocument) lookup(ref string) (schemaNode, bool) {
	fragment, local := strings.CutPrefix(ref, "#")
	if !local || d.nestedID {
		return schemaNode{}, false
	}
	fragment, err := url.PathUnescape(fragment)
	if err != nil {
		return schemaNode{}, false
	}
	if fragment != "" && !strings.HasPrefix(fragment, "/") {
		return d.anchor(fragment)
	}
	value := d.root
	for step := range strings.SplitSeq(strings.TrimPrefix(fragment, "/"), "/") {
		if fragment == "" {
			break
		}
		value, err = stepInto(value, unescapePointer(step))
		if err != nil {
			return schemaNode{}, false
		}
	}
	return schemaNode{doc: d, at: fragment, value: value}, isSchema(value)
}

func (d *schemaDocument) anchor(name string) (schemaNode, bool) {
	root := d.node()
	for _, container := range []string{"$defs", "definitions"} {
		definitions, _ := root.keywords()[container].(map[string]any)
		for _, key := range slices.Sorted(maps.Keys(definitions)) {
			node := root.below(definitions[key], container, key)
			if node.keywords()["$anchor"] == name || node.keywords()["$id"] == "#"+name {
				return node, true
			}
		}
	}
	return schemaNode{}, false
}

func stepInto(value any, step string) (any, error) {
	switch value := value.(type) {
	case map[string]any:
		if next, ok := value[step]; ok {
			return next, nil
		}
	case []any:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(value) {
			return value[i], nil
		}
	}
	return nil, errUnresolved
}

// sameMeaning holds for two schemas that are the same text in the same draft
// and do not depend on anything outside of themselves.
func sameMeaning(before, after schemaNode) bool {
	return before.doc.draft == after.doc.draft && !hasReference(before.value) &&
		canonicalJSON(before.value) == canonicalJSON(after.value)
}

func hasReference(v any) bool {
	switch v := v.(type) {
	case []any:
		return slices.ContainsFunc(v, hasReference)
	case map[string]any:
		for keyword, e := range v {
			if keyword == "$ref" || keyword == "$dynamicRef" || keyword == "$recursiveRef" || hasReference(e) {
				return true
			}
		}
	}
	return false
}

// canonicalJSON is a text that two JSON values share exactly when JSON Schema
// calls them equal: keys sorted, 1, 1.0 and 1e0 the same number.
func canonicalJSON(v any) string {
	var b strings.Builder
	writeCanonical(&b, v)
	return b.String()
}

func writeCanonical(b *strings.Builder, v any) {
	switch v := v.(type) {
	case map[string]any:
		b.WriteByte('{')
		for _, key := range slices.Sorted(maps.Keys(v)) {
			b.WriteString(strconv.Quote(key) + ":")
			writeCanonical(b, v[key])
			b.WriteByte(',')
		}
		b.WriteByte('}')
	case []any:
		b.WriteByte('[')
		for _, e := range v {
			writeCanonical(b, e)
			b.WriteByte(',')
		}
		b.WriteByte(']')
	case json.Number:
		if number, ok := exactNumber(v); ok {
			b.WriteString(number.RatString())
			return
		}
		b.WriteString("number " + v.String())
	case string:
		b.WriteString(strconv.Quote(v))
	default:
		fmt.Fprint(b, v)
	}
}

// exactNumber reads a number of a schema exactly. Numbers of absurd size are
// refused: as a fraction they would fill the memory.
func exactNumber(v any) (*big.Rat, bool) {
	number, ok := v.(json.Number)
	if !ok || len(number) > maxNumberText {
		return nil, false
	}
	if _, exponent, found := strings.Cut(strings.ToLower(number.String()), "e"); found {
		power, err := strconv.Atoi(exponent)
		if err != nil || power > maxNumberExponent || power < -maxNumberExponent {
			return nil, false
		}
	}
	return new(big.Rat).SetString(number.String())
}

// shown is a value of a schema as a sentence quotes it.
func shown(v any) string {
	var b bytes.Buffer
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return "a value that is not JSON"
	}
	text := []rune(strings.TrimSpace(b.String()))
	if len(text) > maxShownCharacters {
		return string(text[:maxShownCharacters]) + "…"
	}
	return string(text)
}

var (
	pointerEscaper   = strings.NewReplacer("~", "~0", "/", "~1")
	pointerUnescaper = strings.NewReplacer("~1", "/", "~0", "~")
)

// pointerBelow is the JSON pointer that leads on from one by some steps.
func pointerBelow(at string, steps ...string) string {
	var b strings.Builder
	b.WriteString(at)
	for _, step := range steps {
		b.WriteByte('/')
		b.WriteString(escapePointer(step))
	}
	return b.String()
}

// escapePointer and unescapePointer write and read one step of a JSON pointer (RFC 6901, section 3).
func escapePointer(step string) string   { return pointerEscaper.Replace(step) }
func unescapePointer(step string) string { return pointerUnescaper.Replace(step) }
