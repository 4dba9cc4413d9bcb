package catalog

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strings"
)

// Rules for types, numbers and our own keywords.

// typeSet is a set of kinds of JSON value. Numbers are split in three, because
// draft-04 does not call 1.0 an integer and later drafts do.
type typeSet uint8

const (
	typeNull typeSet = 1 << iota
	typeBoolean
	typeObject
	typeArray
	typeString
	typeWhole     // 1
	typePointZero // 1.0
	typeFraction  // 1.5

	typeAny = typeNull | typeBoolean | typeObject | typeArray | typeString | typeWhole | typePointZero | typeFraction
)

func (c *comparison) compareTypes(at place, before, after schemaNode) {
	b, okBefore := before.declaredTypes()
	a, okAfter := after.declaredTypes()
	if !okBefore || !okAfter {
		c.malformed(at, "type", "the name of a type or a list of them")
		return
	}
	if b == a {
		return
	}
	// An enum of texts has the type of a text, said or not.
	b, a = b&before.valueTypes(), a&after.valueTypes()
	c.relate(typeFamily, at.keyword("type"), effectOf(b&^a != 0, a&^b != 0), before.typeText(), after.typeText())
}

func (n schemaNode) declaredTypes() (types typeSet, ok bool) {
	stated, found := n.keywords()["type"]
	if !found {
		return typeAny, true
	}
	list, isList := stated.([]any)
	if !isList {
		list = []any{stated}
	}
	for _, e := range list {
		name, _ := e.(string)
		one := n.typeNamed(name)
		if one == 0 {
			return 0, false
		}
		types |= one
	}
	return types, true
}

func (n schemaNode) typeNamed(name string) typeSet {
	if name == "integer" && n.doc.draft == draft04 {
		return typeWhole
	}
	return typeByName[name]
}

var typeByName = map[string]typeSet{
	"null": typeNull, "boolean": typeBoolean, "object": typeObject, "array": typeArray, "string": typeString,
	"integer": typeWhole | typePointZero,
	"number":  typeWhole | typePointZero | typeFraction,
}

// valueTypes are the types of the values that enum and const allow.
func (n schemaNode) valueTypes() typeSet {
	values, limited, ok := n.allowedValues()
	if !limited || !ok {
		return typeAny
	}
	var types typeSet
	for _, value := range values {
		types |= typeOf(value)
	}
	return types
}

func typeOf(value any) typeSet {
	switch value := value.(type) {
	case nil:
		return typeNull
	case bool:
		return typeBoolean
	case map[string]any:
		return typeObject
	case []any:
		return typeArray
	case string:
		return typeString
	case json.Number:
		return typeOfNumber(value)
	}
	return typeAny
}

func typeOfNumber(text json.Number) typeSet {
	number, ok := exactNumber(text)
	switch {
	case !ok:
		return typeWhole | typePointZero | typeFraction
	case number.IsInt():
		return typeWhole | typePointZero
	default:
		return typeFraction
	}
}

func (n schemaNode) typeText() string {
	switch stated := n.keywords()["type"].(type) {
	case string:
		return stated
	case []any:
		names := make([]string, len(stated))
		for i, name := range stated {
			names[i] = fmt.Sprint(name)
		}
		return strings.Join(names, " or ")
	}
	return "any type"
}

// bound is one end of a range; nil is no bound.
type bound struct {
	value *big.Rat
	text  string
	open  bool // the value itself is outside
}

// bounds of a range, from below and from above.
type bounds struct{ low, high *bound }

func (c *comparison) compareRange(at place, before, after schemaNode) {
	b, okBefore := before.numberBounds()
	a, okAfter := after.numberBounds()
	if !okBefore || !okAfter {
		c.notComparable(at, "a limit (minimum, maximum) that is not a number of usual size")
		return
	}
	c.compareBounds(valueRangeFamily, at, b, a)
}

// compareCount compares limits on a length or a number of elements, which is never below zero.
func compareCount(family family, low, high string) func(*comparison, place, schemaNode, schemaNode) {
	return func(c *comparison, at place, before, after schemaNode) {
		b, okBefore := before.countBounds(low, high)
		a, okAfter := after.countBounds(low, high)
		if !okBefore || !okAfter {
			c.notComparable(at, fmt.Sprintf("a limit (%s, %s) that is not a whole number of usual size", low, high))
			return
		}
		c.compareBounds(family, at, b, a)
	}
}

func (c *comparison) compareBounds(family family, at place, before, after bounds) {
	lower, upper := before.low.compare(after.low, 1), before.high.compare(after.high, -1)
	narrowed, widened := lower < 0 || upper < 0, lower > 0 || upper > 0
	c.relate(family, at, effectOf(narrowed, false), before.String(), after.String())
	c.relate(family, at, effectOf(false, widened), before.String(), after.String())
}

// compare is negative where b lets more through than other, 0 where as much.
// The side is 1 for lower bounds and -1 for upper ones.
func (b *bound) compare(other *bound, side int) int {
	switch {
	case b == nil && other == nil:
		return 0
	case b == nil:
		return -1
	case other == nil:
		return 1
	}
	if order := b.value.Cmp(other.value); order != 0 {
		return order * side
	}
	switch {
	case other.open && !b.open:
		return -1
	case b.open && !other.open:
		return 1
	}
	return 0
}

// numberBounds reads minimum and maximum with their exclusive forms: a number
// of its own, or in draft-04 a flag beside the limit.
func (n schemaNode) numberBounds() (bounds, bool) {
	low, okLow := n.numberBound("minimum", "exclusiveMinimum", 1)
	high, okHigh := n.numberBound("maximum", "exclusiveMaximum", -1)
	return bounds{low, high}, okLow && okHigh
}

func (n schemaNode) numberBound(limit, exclusive string, side int) (*bound, bool) {
	closed, ok := n.bound(limit)
	if !ok {
		return nil, false
	}
	if n.doc.draft == draft04 {
		open, isFlag := n.flag(exclusive)
		if open && closed != nil {
			closed.open = true
		}
		return closed, isFlag
	}
	open, ok := n.bound(exclusive)
	if open != nil {
		open.open = true
	}
	if closed.compare(open, side) < 0 {
		return open, ok
	}
	return closed, ok
}

func (n schemaNode) countBounds(low, high string) (bounds, bool) {
	lower, okLow := n.bound(low)
	upper, okHigh := n.bound(high)
	for _, b := range []*bound{lower, upper} {
		if b != nil && (!b.value.IsInt() || b.value.Sign() < 0) {
			return bounds{}, false
		}
	}
	if lower == nil {
		lower = &bound{value: new(big.Rat), text: "0"}
	}
	return bounds{lower, upper}, okLow && okHigh
}

func (n schemaNode) bound(keyword string) (*bound, bool) {
	stated, found := n.keywords()[keyword]
	if !found {
		return nil, true
	}
	value, ok := exactNumber(stated)
	if !ok {
		return nil, false
	}
	return &bound{value: value, text: shown(stated)}, true
}

// String is the range as a sentence quotes it: "from 0 to below 10".
func (b bounds) String() string {
	var words []string
	if b.low != nil && b.low.open {
		words = append(words, "above "+b.low.text)
	} else if b.low != nil {
		words = append(words, "from "+b.low.text)
	}
	if b.high != nil && b.high.open {
		words = append(words, "to below "+b.high.text)
	} else if b.high != nil {
		words = append(words, "to "+b.high.text)
	}
	if len(words) == 0 {
		return "any"
	}
	return strings.Join(words, " ")
}

func (c *comparison) compareStep(at place, before, after schemaNode) {
	b, okBefore := before.bound("multipleOf")
	a, okAfter := after.bound("multipleOf")
	if !okBefore || !okAfter || b != nil && b.value.Sign() <= 0 || a != nil && a.value.Sign() <= 0 {
		c.malformed(at, "multipleOf", "a number above zero of usual size")
		return
	}
	c.relate(stepFamily, at.keyword("multipleOf"), effectOf(!b.multipleOf(a), !a.multipleOf(b)), b.stepText(), a.stepText())
}

// multipleOf holds where every multiple of b is one of other.
func (b *bound) multipleOf(other *bound) bool {
	switch {
	case other == nil:
		return true
	case b == nil:
		return false
	}
	return new(big.Rat).Quo(b.value, other.value).IsInt()
}

func (b *bound) stepText() string {
	if b == nil {
		return "any step"
	}
	return "steps of " + b.text
}

func (c *comparison) compareRefKinds(at place, before, after schemaNode) {
	b, had, okBefore := before.refKinds()
	a, has, okAfter := after.refKinds()
	if !okBefore || !okAfter {
		c.malformed(at, "x-ref", "a kind of ref or a list of them")
		return
	}
	narrowed := has && (!had || len(less(b, a)) > 0)
	widened := had && (!has || len(less(a, b)) > 0)
	c.relate(refKindFamily, at.keyword("x-ref"), effectOf(narrowed, widened), refText(b, had), refText(a, has))
}

func (n schemaNode) refKinds() (kinds map[string]any, found, ok bool) {
	stated, found := n.keywords()["x-ref"]
	if name, isText := stated.(string); isText {
		return map[string]any{name: name}, true, true
	}
	kinds, ok = n.names("x-ref")
	return kinds, found, ok
}

func refText(kinds map[string]any, found bool) string {
	if !found {
		return "no ref"
	}
	return "a ref to " + strings.Join(slices.Sorted(maps.Keys(kinds)), " or ")
}

// quantityDemand is what x-quantity asks of a quantity.
type quantityDemand struct {
	stated    bool
	dimension string // "" any
	sign      int    // index into quantitySigns
}

// quantitySigns from the widest to the narrowest.
func quantitySigns() []string { return []string{"any", "not-negative", "positive"} }

// defaultSign counts where x-quantity states no sign: a negative quantity is
// a mistake unless the contract asks for it.
const defaultSign = "not-negative"

func (c *comparison) compareQuantity(at place, before, after schemaNode) {
	b, okBefore := before.quantity()
	a, okAfter := after.quantity()
	at = at.keyword("x-quantity")
	switch {
	case !okBefore || !okAfter:
		c.notComparable(at, malformed("x-quantity", "true or {dimension, sign}").Error())
		return
	case !b.stated && a.stated:
		c.add(QuantityRequired, at, "", "")
		return
	case b.stated && !a.stated:
		c.add(QuantityDropped, at, "", "")
		return
	}
	if b.dimension != a.dimension {
		c.relate(dimensionFamily, at, effectOf(a.dimension != "", b.dimension != ""), b.dimension, a.dimension)
	}
	signs := quantitySigns()
	c.relate(signFamily, at, effectOf(a.sign > b.sign, a.sign < b.sign), signs[b.sign], signs[a.sign])
}

func (n schemaNode) quantity() (quantityDemand, bool) {
	stated, found := n.keywords()["x-quantity"]
	demand := quantityDemand{stated: true, sign: slices.Index(quantitySigns(), defaultSign)}
	switch stated := stated.(type) {
	case bool:
		if !stated {
			return quantityDemand{}, true
		}
		return demand, true
	case map[string]any:
		ok := true
		for name, value := range stated {
			text, isText := value.(string)
			switch {
			case name == "dimension" && isText && text != "":
				demand.dimension = text
			case name == "sign" && slices.Contains(quantitySigns(), text):
				demand.sign = slices.Index(quantitySigns(), text)
			default:
				ok = false
			}
		}
		return demand, ok
	}
	return quantityDemand{}, !found
}
