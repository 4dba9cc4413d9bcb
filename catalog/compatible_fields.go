package catalog

import (
	"maps"
	"strconv"
)

// Rules for objects and arrays, which compare what stands below them.

// objectForm is what a schema says of the fields of an object.
type objectForm struct {
	fields   map[string]any
	patterns map[string]any
	rest     schemaNode // of every field that neither names
}

func (n schemaNode) objectForm() (form objectForm, ok bool) {
	fields, okFields := n.schemas("properties")
	patterns, okPatterns := n.schemas("patternProperties")
	rest, okRest := n.under("additionalProperties")
	return objectForm{fields, patterns, rest}, okFields && okPatterns && okRest
}

func (c *comparison) compareFields(at place, before, after schemaNode) {
	b, okBefore := before.objectForm()
	a, okAfter := after.objectForm()
	if !okBefore || !okAfter {
		c.notComparable(at, "properties, patternProperties or additionalProperties that do not hold schemas")
		return
	}
	for _, name := range namesOfBoth(b.fields, a.fields) {
		c.compareField(at.property(name), name, before, after, b, a)
	}
	for _, name := range namesOfBoth(b.patterns, a.patterns) {
		c.compare(at.others("patternProperties").keyword(name),
			before.below(orTrue(b.patterns, name), "patternProperties", name),
			after.below(orTrue(a.patterns, name), "patternProperties", name))
	}
	c.compareRest(at, b, a)
}

// compareField compares one named field. Where one side does not name it, that
// side's rule for other fields applies to it.
func (c *comparison) compareField(at place, name string, before, after schemaNode, b, a objectForm) {
	was, had := b.fields[name]
	is, has := a.fields[name]
	named, renamed := before.below(was, "properties", name), after.below(is, "properties", name)
	switch {
	case had && has:
		c.compare(at, named, renamed)
	case len(b.patterns)+len(a.patterns) > 0:
		c.notComparable(at, "a field that one side names and the other may describe by a pattern")
	case has:
		c.sum(fieldAddedFamily, at, c.differences(at, b.rest, renamed))
	default:
		c.sum(fieldRemovedFamily, at, c.differences(at, named, a.rest))
	}
}

// compareRest compares the rule for fields that neither side names. Which
// fields those are depends on the patterns, so these must be the same.
func (c *comparison) compareRest(at place, b, a objectForm) {
	at = at.others("additionalProperties")
	samePatterns := maps.EqualFunc(b.patterns, a.patterns, func(any, any) bool { return true })
	bothOpen := b.rest.value == true && a.rest.value == true
	switch {
	case !samePatterns && !bothOpen:
		c.notComparable(at, "other fields, where the patterns differ")
	case b.rest.forbidsAll() && !a.rest.forbidsAll():
		c.add(ObjectOpened, at, "", "")
	case !b.rest.forbidsAll() && a.rest.forbidsAll():
		c.add(ObjectClosed, at, "", "")
	default:
		c.compare(at, b.rest, a.rest)
	}
}

// arrayForm is what a schema says of the elements of an array: the first ones
// one by one, then the rest.
type arrayForm struct {
	first []any
	named string // keyword of first
	rest  schemaNode
}

// arrayForm reads prefixItems and items, up to draft-07 items and additionalItems.
func (n schemaNode) arrayForm() (form arrayForm, ok bool) {
	items, isList := n.keywords()["items"].([]any)
	if isList && n.doc.draft <= draft07 {
		rest, ok := n.under("additionalItems")
		return arrayForm{items, "items", rest}, ok && allSchemas(items)
	}
	rest, ok := n.under("items")
	first, found := n.keywords()["prefixItems"]
	list, isList := first.([]any)
	return arrayForm{list, "prefixItems", rest}, ok && (isList || !found) && allSchemas(list)
}

func (f arrayForm) element(n schemaNode, i int) schemaNode {
	if i < len(f.first) {
		return n.below(f.first[i], f.named, strconv.Itoa(i))
	}
	return f.rest
}

func (c *comparison) compareElements(at place, before, after schemaNode) {
	b, okBefore := before.arrayForm()
	a, okAfter := after.arrayForm()
	if !okBefore || !okAfter {
		c.malformed(at, "items", "a schema, or schemas one by one as its draft writes them")
		return
	}
	positions := max(len(b.first), len(a.first))
	for i := range positions {
		numbered := place{at.keyword(a.named).keyword(strconv.Itoa(i)).pointer, at.field + "[" + strconv.Itoa(i) + "]"}
		c.compare(numbered, b.element(before, i), a.element(after, i))
	}
	c.compare(at.element("items"), b.rest, a.rest)
}
