package policy

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/cost"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// Costs of our functions, in the unit of CEL's own model, where reading a field
// costs 1. Measured: reading an amount takes as long as about five fields.
const (
	costOfAmount = 5
	textListed   = 20 // elements of a list that text names
)

// functions declares what expressions have beyond the standard library. An
// amount is a decimal, a decimal text, a whole number or a quantity.
//
//	dec(text | int) decimal          the exact number without a unit
//	plus(a, b), minus(a, b) decimal  both in one unit, or with one base unit
//	times(a, b) decimal              at most one of them with a unit; exact or an error
//	sum(list of amounts) decimal     0 for an empty list
//	less(a, b), lessOrEqual(a, b), equal(a, b), isNegative(a) bool
//	sameUnit(q, r) bool              as reported
//	refKind(ref) string              "lot" of "lot/M-100/4711"; "" of ""
//	text(any) string                 for messages: "12.5 KGM", "a, b, c"
func functions() []cel.EnvOption {
	amount2 := []*cel.Type{cel.DynType, cel.DynType}
	return []cel.EnvOption{
		cel.Function("dec", cel.Overload("dec_dyn", []*cel.Type{cel.DynType}, decimalType, cel.UnaryBinding(dec))),
		cel.Function("plus", cel.Overload("plus_dyn_dyn", amount2, decimalType, binary((*amount).plus))),
		cel.Function("minus", cel.Overload("minus_dyn_dyn", amount2, decimalType, binary((*amount).minus))),
		cel.Function("times", cel.Overload("times_dyn_dyn", amount2, decimalType, binary((*amount).times))),
		cel.Function("sum", cel.Overload("sum_list", []*cel.Type{cel.ListType(cel.DynType)}, decimalType, cel.UnaryBinding(sum))),
		cel.Function("less", cel.Overload("less_dyn_dyn", amount2, cel.BoolType, comparison(func(c int) bool { return c < 0 }))),
		cel.Function("lessOrEqual", cel.Overload("less_or_equal_dyn_dyn", amount2, cel.BoolType, comparison(func(c int) bool { return c <= 0 }))),
		cel.Function("equal", cel.Overload("equal_dyn_dyn", amount2, cel.BoolType, comparison(func(c int) bool { return c == 0 }))),
		cel.Function("isNegative", cel.Overload("is_negative_dyn", []*cel.Type{cel.DynType}, cel.BoolType, cel.UnaryBinding(isNegative))),
		cel.Function("sameUnit", cel.Overload("same_unit_dyn_dyn", amount2, cel.BoolType, cel.BinaryBinding(sameUnit))),
		cel.Function("refKind", cel.Overload("ref_kind_string", []*cel.Type{cel.StringType}, cel.StringType, cel.UnaryBinding(refKind))),
		cel.Function("text", cel.Overload("text_dyn", []*cel.Type{cel.DynType}, cel.StringType, cel.UnaryBinding(text))),
		cel.CostModel(costs()...),
	}
}

// costs prices every overload of functions; sum by the length of its list.
func costs() []cost.OverloadModel {
	models := []cost.OverloadModel{
		cost.Overload("sum_list", cost.EvalCost(cost.Sum(cost.Const(1), cost.Scale(cost.Length(cost.Arg(0)), costOfAmount)))),
		cost.Overload("ref_kind_string", cost.EvalCost(cost.Const(1)), cost.ResultSize(cost.Arg(0))),
		cost.Overload("text_dyn", cost.EvalCost(cost.Sum(cost.Const(costOfAmount), cost.Arg(0))),
			cost.ResultSize(cost.Const(assumedText))),
	}
	for _, id := range []string{
		"dec_dyn", "plus_dyn_dyn", "minus_dyn_dyn", "times_dyn_dyn", "less_dyn_dyn",
		"less_or_equal_dyn_dyn", "equal_dyn_dyn", "is_negative_dyn", "same_unit_dyn_dyn",
	} {
		models = append(models, cost.Overload(id, cost.EvalCost(cost.Const(2*costOfAmount))))
	}
	return models
}

func binary(op func(a, b *amount) (*amount, error)) cel.OverloadOpt {
	return cel.BinaryBinding(func(lhs, rhs ref.Val) ref.Val {
		a, b, err := toAmounts(lhs, rhs)
		if err != nil {
			return types.WrapErr(err)
		}
		r, err := op(a, b)
		if err != nil {
			return types.WrapErr(err)
		}
		return r
	})
}

func comparison(holds func(c int) bool) cel.OverloadOpt {
	return cel.BinaryBinding(func(lhs, rhs ref.Val) ref.Val {
		a, b, err := toAmounts(lhs, rhs)
		if err != nil {
			return types.WrapErr(err)
		}
		c, err := a.compare(b)
		if err != nil {
			return types.WrapErr(err)
		}
		return types.Bool(holds(c))
	})
}

func toAmounts(lhs, rhs ref.Val) (a, b *amount, err error) {
	if a, err = toAmount(lhs); err != nil {
		return nil, nil, err
	}
	b, err = toAmount(rhs)
	return a, b, err
}

func dec(v ref.Val) ref.Val {
	if _, isMap := v.(traits.Mapper); isMap {
		return types.NewErr("dec takes a text or a whole number: a quantity is used as it is, or as dec(q.value) where the unit plays no part")
	}
	a, err := toAmount(v)
	if err != nil {
		return types.WrapErr(err)
	}
	return a
}

func sum(v ref.Val) ref.Val {
	list, ok := v.(traits.Lister)
	if !ok {
		return types.NewErr("sum takes a list, not %s", describe(v))
	}
	total := plain(zero)
	for it := list.Iterator(); it.HasNext() == types.True; {
		a, err := toAmount(it.Next())
		if err != nil {
			return types.WrapErr(err)
		}
		if total, err = total.plus(a); err != nil {
			return types.WrapErr(err)
		}
	}
	return total
}

func isNegative(v ref.Val) ref.Val {
	a, err := toAmount(v)
	if err != nil {
		return types.WrapErr(err)
	}
	return types.Bool(a.measure().value.IsNeg())
}

func sameUnit(lhs, rhs ref.Val) ref.Val {
	a, b, err := toAmounts(lhs, rhs)
	if err != nil {
		return types.WrapErr(err)
	}
	if a.measure().unit == "" || b.measure().unit == "" {
		return types.NewErr("sameUnit takes two quantities, not %s and %s", a, b)
	}
	return types.Bool(a.measure().unit == b.measure().unit)
}

func refKind(v ref.Val) ref.Val {
	s, ok := v.(types.String)
	if !ok {
		return types.NewErr("refKind takes a reference, not %s", describe(v))
	}
	kind, _, slash := strings.Cut(string(s), "/")
	if s != "" && (!slash || kind == "") {
		return types.NewErr("%.80q is no reference such as lot/M-100/4711", string(s))
	}
	return types.String(kind)
}

// text writes a value for a person. A long list is cut, and says so.
func text(v ref.Val) ref.Val {
	switch v := v.(type) {
	case types.String:
		return v
	case types.Null:
		return types.String("nothing")
	case traits.Mapper:
		a, err := quantity(v)
		if err != nil {
			return types.NewErr("text takes no map but a quantity: name the field of it")
		}
		return types.String(a.text())
	case traits.Lister:
		return textOfList(v)
	case *amount:
		return types.String(v.text())
	}
	return v.ConvertToType(types.StringType)
}

func textOfList(list traits.Lister) ref.Val {
	size, ok := list.Size().(types.Int)
	if !ok {
		return types.NewErr("text takes no list without a length")
	}
	var parts []string
	for i := range min(size, textListed) {
		element := list.Get(i)
		if _, nested := element.(traits.Lister); nested {
			return types.NewErr("text takes no list of lists")
		}
		t, ok := text(element).(types.String)
		if !ok {
			return text(element)
		}
		parts = append(parts, string(t))
	}
	s := strings.Join(parts, ", ")
	if rest := size - textListed; rest > 0 {
		s += fmt.Sprintf(" and %d more", rest)
	}
	return types.String(s)
}
