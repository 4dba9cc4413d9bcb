package catalog

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
)

// A dataPath leads to values in the data of an event: "order", "quantity.unit",
// "outputs[].lot". It is compiled once and followed for every event.
type dataPath []pathStep

// A pathStep goes to a member of an object and, with each, on to every element
// of the array found there.
type pathStep struct {
	name string
	each bool
}

// parsePath reads a path; ok is false where it is none.
func parsePath(text string) (p dataPath, ok bool) {
	if text == "" {
		return nil, false
	}
	for part := range strings.SplitSeq(text, ".") {
		name, each := strings.CutSuffix(part, "[]")
		if name == "" || strings.ContainsAny(name, "[] /") {
			return nil, false
		}
		p = append(p, pathStep{name, each})
	}
	return p, true
}

// first is the first value at the path; nil where there is none.
func (p dataPath) first(value any) any {
	for i, step := range p {
		object, ok := value.(map[string]any)
		if !ok {
			return nil
		}
		value = object[step.name]
		if !step.each {
			continue
		}
		items, _ := value.([]any)
		for _, item := range items {
			if found := p[i+1:].first(item); found != nil {
				return found
			}
		}
		return nil
	}
	return value
}

// text is the first value at the path as text; "" where there is none.
func (p dataPath) text(value any) string { return textOf(p.first(value)) }

// walk yields every value at the path with its place, "outputs/0/lot".
func (p dataPath) walk(value any, place string, yield func(place string, value any)) {
	if len(p) == 0 {
		if value != nil {
			yield(place, value)
		}
		return
	}
	object, ok := value.(map[string]any)
	if !ok {
		return
	}
	value, place = object[p[0].name], below(place, p[0].name)
	if !p[0].each {
		p[1:].walk(value, place, yield)
		return
	}
	items, _ := value.([]any)
	for i, item := range items {
		p[1:].walk(item, below(place, strconv.Itoa(i)), yield)
	}
}

// texts is every text at the path.
func (p dataPath) texts(value any) []string {
	var all []string
	p.walk(value, "", func(_ string, v any) {
		if text := textOf(v); text != "" {
			all = append(all, text)
		}
	})
	return all
}

// pairs yields every pair of texts at two paths that belong together: as long as
// both go the same way they stay in the same element, from there on each is
// paired with each.
func pairs(value any, a, b dataPath, yield func(a, b string)) {
	if len(a) > 1 && len(b) > 1 && a[0] == b[0] || len(a) > 0 && len(b) > 0 && a[0] == b[0] && a[0].each {
		object, ok := value.(map[string]any)
		if !ok {
			return
		}
		value = object[a[0].name]
		if !a[0].each {
			pairs(value, a[1:], b[1:], yield)
			return
		}
		items, _ := value.([]any)
		for _, item := range items {
			pairs(item, a[1:], b[1:], yield)
		}
		return
	}
	right := b.texts(value)
	for _, left := range a.texts(value) {
		for _, r := range right {
			yield(left, r)
		}
	}
}

// resolve says what the schema states at the path: its steps lead through
// properties and items. ok is false where the schema declares no such field.
func (p dataPath) resolve(schema *field) (*field, bool) {
	for _, step := range p {
		i, ok := slices.BinarySearchFunc(schema.properties, step.name, compareProperty)
		if !ok {
			return nil, false
		}
		schema = schema.properties[i].field
		if step.each {
			if schema.items == nil {
				return nil, false
			}
			schema = schema.items
		}
	}
	return schema, true
}

// textOf is a text or number as text; "" for anything else.
func textOf(value any) string {
	switch v := value.(type) {
	case string:
		return v
	case json.Number:
		return v.String()
	}
	return ""
}

func below(place, name string) string {
	if place == "" {
		return name
	}
	return place + "/" + name
}

// place is the path as faults write it: "outputs/lot".
func (p dataPath) place() string {
	var names []string
	for _, step := range p {
		names = append(names, step.name)
	}
	return strings.Join(names, "/")
}
