package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
)

// Combinations are outside of the contract dialect; they are understood here
// so that schemas from elsewhere can be compared. A schema that combines is
// read as a list of clauses which a document must all satisfy.

var errCombination = errors.New("a combination")

// combinationKeywords are taken out of a schema before its keywords are compared one by one.
func combinationKeywords() []string {
	return []string{"allOf", "anyOf", "oneOf", "not", "if", "then", "else"}
}

func combines(n schemaNode) bool {
	return slices.ContainsFunc(combinationKeywords(), func(keyword string) bool {
		_, found := n.keywords()[keyword]
		return found
	})
}

// clause is one demand of a schema: a plain schema (keyword ""), anyOf or oneOf
// with the alternatives as parts, not with one part, or if with the three parts
// condition, then and else.
type clause struct {
	keyword string
	parts   []schemaNode
}

// compareCombinations compares what two schemas combine, and returns both
// without it, for the comparison of their plain keywords.
func (c *comparison) compareCombinations(at place, before, after schemaNode) (plainBefore, plainAfter schemaNode) {
	plainBefore, plainAfter = before.without(combinationKeywords()...), after.without(combinationKeywords()...)
	had, errBefore := c.clauses(before, plainBefore)
	has, errAfter := c.clauses(after, plainAfter)
	if err := firstError(errBefore, errAfter); err != nil {
		c.notComparable(at, err.Error())
		return plainBefore, plainAfter
	}
	// The first clause is the plain schema, compared by the caller.
	narrowed := !c.impliesAll(had, has[1:])
	widened := !c.impliesAll(has, had[1:])
	c.relate(constraintFamily, at, effectOf(narrowed, widened), "", "")
	return plainBefore, plainAfter
}

// clauses of a schema: the plain one first, the members of allOf spread out.
func (c *comparison) clauses(n, plain schemaNode) ([]clause, error) {
	for keyword := range n.keywords() {
		if !n.understands(keyword) {
			return nil, fmt.Errorf("%w beside the keyword %s", errCombination, keyword)
		}
	}
	found := []clause{{"", []schemaNode{plain}}}
	for _, keyword := range []string{"allOf", "anyOf", "oneOf"} {
		members, err := n.members(keyword)
		switch {
		case err != nil:
			return nil, err
		case members == nil:
		case keyword != "allOf":
			found = append(found, clause{keyword, members})
		default:
			for _, member := range members {
				spread, err := c.clausesOf(member)
				if err != nil {
					return nil, err
				}
				found = append(found, spread...)
			}
		}
	}
	for _, group := range [][]string{{"not"}, {"if", "then", "else"}} {
		if _, stated := n.keywords()[group[0]]; !stated {
			continue
		}
		parts := make([]schemaNode, len(group))
		for i, keyword := range group {
			part, ok := n.under(keyword)
			if !ok {
				return nil, malformed(keyword, "a schema")
			}
			parts[i] = part
		}
		found = append(found, clause{group[0], parts})
	}
	return found, nil
}

func (c *comparison) clausesOf(n schemaNode) ([]clause, error) {
	if !c.spend(place{}) {
		return nil, fmt.Errorf("%w that is too large", errCombination)
	}
	n, err := n.resolve()
	if err != nil {
		return nil, err
	}
	if !combines(n) {
		return []clause{{"", []schemaNode{n}}}, nil
	}
	return c.clauses(n, n.without(combinationKeywords()...))
}

// members of a list of schemas; nil without an error where the keyword is absent.
func (n schemaNode) members(keyword string) ([]schemaNode, error) {
	value, found := n.keywords()[keyword]
	if !found {
		return nil, nil
	}
	list, _ := value.([]any)
	if len(list) == 0 || !allSchemas(list) {
		return nil, malformed(keyword, "a list of schemas")
	}
	members := make([]schemaNode, len(list))
	for i, member := range list {
		members[i] = n.below(member, keyword, strconv.Itoa(i))
	}
	return members, nil
}

func (c *comparison) impliesAll(have, want []clause) bool {
	return !slices.ContainsFunc(want, func(w clause) bool { return !c.implies(have, w) })
}

// implies holds where a document that satisfies every clause of have satisfies want.
func (c *comparison) implies(have []clause, want clause) bool {
	switch want.keyword {
	case "anyOf":
		return slices.ContainsFunc(want.parts, func(w schemaNode) bool { return c.impliesSchema(have, w) }) ||
			slices.ContainsFunc(have, func(h clause) bool { return c.eachWithinOne(h, want) })
	case "oneOf":
		return len(want.parts) == 1 && c.impliesSchema(have, want.parts[0]) ||
			slices.ContainsFunc(have, func(h clause) bool { return h.keyword == "oneOf" && c.samePart(h, want) })
	case "not":
		return slices.ContainsFunc(have, func(h clause) bool {
			return h.keyword == "not" && c.within(want.parts[0], h.parts[0])
		})
	case "if":
		return slices.ContainsFunc(have, func(h clause) bool {
			return h.keyword == "if" && c.equivalent(h.parts[0], want.parts[0]) &&
				c.impliesSchema(with(have, h.parts[1]), want.parts[1]) && c.impliesSchema(with(have, h.parts[2]), want.parts[2])
		})
	default:
		return slices.ContainsFunc(have, func(h clause) bool { return c.clauseWithin(h, want.parts[0]) })
	}
}

// with is have and one schema more.
func with(have []clause, schema schemaNode) []clause {
	return append(slices.Clip(have), clause{"", []schemaNode{schema}})
}

func (c *comparison) impliesSchema(have []clause, want schemaNode) bool {
	clauses, err := c.clausesOf(want)
	return err == nil && c.impliesAll(have, clauses)
}

// clauseWithin holds where the clause alone is enough to satisfy the schema.
func (c *comparison) clauseWithin(have clause, want schemaNode) bool {
	switch have.keyword {
	case "", "anyOf", "oneOf":
		return !slices.ContainsFunc(have.parts, func(h schemaNode) bool { return !c.within(h, want) })
	default:
		return false
	}
}

// eachWithinOne holds where each alternative of have lies within one of want.
func (c *comparison) eachWithinOne(have, want clause) bool {
	if have.keyword != "anyOf" && have.keyword != "oneOf" {
		return false
	}
	return !slices.ContainsFunc(have.parts, func(h schemaNode) bool {
		return !slices.ContainsFunc(want.parts, func(w schemaNode) bool { return c.within(h, w) })
	})
}

// samePart holds where two oneOf have the same alternatives in any order. To
// widen an alternative is not enough: a document that then matches two is refused.
func (c *comparison) samePart(have, want clause) bool {
	open := slices.Clone(want.parts)
	for _, h := range have.parts {
		i := slices.IndexFunc(open, func(w schemaNode) bool { return c.equivalent(h, w) })
		if i < 0 {
			return false
		}
		open = slices.Delete(open, i, i+1)
	}
	return len(open) == 0
}

func (c *comparison) equivalent(a, b schemaNode) bool { return c.within(a, b) && c.within(b, a) }
