package catalog

import (
	"fmt"
	"maps"
	"slices"
)

// Change is one difference between two versions of a contract's schema.
type Change struct {
	Kind   ChangeKind // from the change table
	Path   string     // JSON pointer into the schema, references followed: "/properties/lot/maxLength"
	Plain  string     // what it means, for the person who runs the plant
	Effect Effect     // as the change table states it for Kind
}

// Compatible compares two contract schemas, decoded from JSON or YAML, and
// answers every difference. EffectOf sums the answer up.
//
// It is sound: where no change breaks for senders, every document that the old
// schema accepts is accepted by the new one; where none breaks for readers, the
// other way round. It need not find every compatible change: what it does not
// understand, or cannot decide, is NotComparable, which breaks for both.
//
// It reads more of JSON Schema than CheckDialect admits, in draft-04, -06, -07
// and 2020-12, so that schemas from elsewhere can be compared too. Formats,
// content keywords and our x- keywords count as if they were enforced.
func Compatible(old, updated any) []Change {
	c := &comparison{left: new(maxComparisons), onPath: map[[2]string]bool{}}
	before, errBefore := readSchema("old", old)
	after, errAfter := readSchema("new", updated)
	for _, err := range []error{errBefore, errAfter} {
		if err != nil {
			c.notComparable(place{}, err.Error())
		}
	}
	if len(c.changes) > 0 || canonicalJSON(before.root) == canonicalJSON(after.root) {
		return c.changes
	}
	c.compare(place{}, before.node(), after.node())
	return c.changes
}

// comparison is the state of one comparison: what it may still spend, which
// pairs of schemas it is inside of, and what it has found.
type comparison struct {
	left    *int               // pairs that may still be compared; shared with nested comparisons
	onPath  map[[2]string]bool // pairs being compared further up, through references
	depth   int                // schemas that the comparison is inside of
	nested  bool               // decides inside a combination (anyOf, not, if ...)
	spent   bool               // said already that the bound is reached
	changes []Change
}

// place is where in the schema a comparison stands, for machines and for people.
type place struct {
	pointer string
	field   string // "outputs[].lot"; "" for the whole message
}

func (p place) keyword(name string) place {
	return place{pointerBelow(p.pointer, name), p.field}
}

func (p place) property(name string) place {
	field := name
	if p.field != "" {
		field = p.field + "." + name
	}
	return place{p.keyword("properties").keyword(name).pointer, field}
}

func (p place) element(keyword string) place {
	return place{p.keyword(keyword).pointer, p.field + "[]"}
}

func (p place) others(keyword string) place {
	other := p.property("*")
	return place{p.keyword(keyword).pointer, other.field}
}

// String is the place as a sentence names it.
func (p place) String() string {
	if p.field == "" {
		return "the message"
	}
	return "`" + p.field + "`"
}

func (c *comparison) add(kind ChangeKind, at place, before, after string) {
	c.changes = append(c.changes, kind.change(at, before, after))
}

func (c *comparison) notComparable(at place, why string) {
	c.add(NotComparable, at, why, "")
}

// compare finds the differences of two schemas and of all below them.
//
// A schema may contain itself through references. A pair met again below
// itself adds nothing: documents are finite, so whatever differs shows on the
// way. That argument needs both directions to stay apart, which a combination
// does not grant; there such a pair is not comparable.
func (c *comparison) compare(at place, before, after schemaNode) {
	if !c.spend(at) || sameMeaning(before, after) {
		return
	}
	before, errBefore := before.resolve()
	after, errAfter := after.resolve()
	if errBefore != nil || errAfter != nil {
		c.notComparable(at.keyword("$ref"), firstError(errBefore, errAfter).Error())
		return
	}
	pair := [2]string{before.identity(), after.identity()}
	if c.onPath[pair] {
		if c.nested {
			c.notComparable(at, "a schema that contains itself inside a combination")
		}
		return
	}
	c.onPath[pair] = true
	c.depth++
	c.compareResolved(at, before, after)
	c.depth--
	delete(c.onPath, pair)
}

func (c *comparison) compareResolved(at place, before, after schemaNode) {
	switch {
	case before.forbidsAll() && after.forbidsAll():
		return
	case before.forbidsAll():
		c.add(ValueAllowed, at, "", "")
		return
	case after.forbidsAll():
		c.add(ValueForbidden, at, "", "")
		return
	}
	c.refuseUnknown(at, before, after)
	if combines(before) || combines(after) {
		before, after = c.compareCombinations(at, before, after)
	}
	for _, rule := range keywordRules() {
		if rule.concerns(before) || rule.concerns(after) {
			rule.compare(c, at, before, after)
		}
	}
}

// spend counts one pair and says, once, when a bound is reached.
func (c *comparison) spend(at place) bool {
	if *c.left > 0 && c.depth < maxComparedDepth {
		*c.left--
		return true
	}
	if !c.spent {
		c.spent = true
		c.notComparable(at, fmt.Sprintf("its size: at most %d pairs of schemas are compared, and at most %d inside of one another", maxComparisons, maxComparedDepth))
	}
	return false
}

// refuseUnknown answers every keyword without a rule as not comparable, also
// where it is the same on both sides: its meaning may hang on its neighbours.
func (c *comparison) refuseUnknown(at place, before, after schemaNode) {
	unknown := map[string]bool{}
	for _, node := range []schemaNode{before, after} {
		for keyword := range node.keywords() {
			if !node.understands(keyword) {
				unknown[keyword] = true
			}
		}
	}
	for _, keyword := range slices.Sorted(maps.Keys(unknown)) {
		c.notComparable(at.keyword(keyword), "the keyword "+keyword)
	}
}

// differences compares two schemas apart from the list of changes.
func (c *comparison) differences(at place, before, after schemaNode) []Change {
	inner := &comparison{left: c.left, onPath: c.onPath, depth: c.depth, nested: c.nested}
	inner.compare(at, before, after)
	return inner.changes
}

// within holds where every document that narrow accepts is accepted by wide.
func (c *comparison) within(narrow, wide schemaNode) bool {
	inner := &comparison{left: c.left, onPath: c.onPath, depth: c.depth, nested: true}
	inner.compare(place{}, narrow, wide)
	return !EffectOf(inner.changes).BreaksSenders()
}

// sum adds one change in place of several: the one of the family with their
// effect. What is not comparable is passed on as it is.
func (c *comparison) sum(family family, at place, changes []Change) {
	var rest []Change
	for _, change := range changes {
		if change.Kind == NotComparable {
			c.changes = append(c.changes, change)
			continue
		}
		rest = append(rest, change)
	}
	if len(rest) > 0 || len(changes) == 0 {
		c.relate(family, at, EffectOf(rest), "", "")
	}
}

// relate adds the change of the family with the effect, if there is one.
func (c *comparison) relate(family family, at place, effect Effect, before, after string) {
	if kind := family.kind(effect); kind != "" {
		c.add(kind, at, before, after)
	}
}

// family is the kinds of change that one thing can undergo, by effect. Without
// a kind for both, a change with both effects is told as two.
type family struct {
	neither, narrowed, widened, changed ChangeKind
}

func (f family) kind(effect Effect) ChangeKind {
	switch effect {
	case BreakingForSenders:
		return f.narrowed
	case BreakingForReaders:
		return f.widened
	case BreakingForBoth:
		return f.changed
	default:
		return f.neither
	}
}

func firstError(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
