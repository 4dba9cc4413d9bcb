package policy

import (
	"errors"
	"fmt"
	"reflect"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"github.com/quagmt/udecimal"
)

// decimalType is the type that expressions see. It is opaque: no operator
// works on it.
var decimalType = cel.OpaqueType("decimal")

const (
	maxDecimals = 19  // digits behind the point that udecimal keeps exactly
	maxDigits   = 150 // length of a decimal text; udecimal reads 200
)

// An amount is an exact number with or without a unit. A quantity is known by
// two measures at once, as it was reported and in its base unit; arithmetic
// carries both as long as each agrees, so that a sum of kilograms and tonnes is
// possible where both have a base in grams, and one without base quantities is
// possible where all are in kilograms. A number without unit agrees with no
// unit, except that zero is zero in all of them.
type amount struct {
	reported measure
	base     measure
}

// A measure is a value in one unit; unit "" is a plain number. A measure that
// is not ok was lost in arithmetic over different units.
type measure struct {
	value udecimal.Decimal
	unit  string
	ok    bool
}

var errUnits = errors.New("units differ and there is no common base unit")

// plain is a number without unit.
func plain(d udecimal.Decimal) *amount {
	m := measure{value: d, ok: true}
	return &amount{reported: m, base: m}
}

// agrees says whether two measures are in one unit, and in which.
func (m measure) agrees(o measure) (unit string, ok bool) {
	switch {
	case !m.ok || !o.ok:
		return "", false
	case m.unit == o.unit:
		return m.unit, true
	case m.unit == "" && m.value.IsZero():
		return o.unit, true
	case o.unit == "" && o.value.IsZero():
		return m.unit, true
	}
	return "", false
}

// combine adds or subtracts both measures; one of them must survive.
func (a *amount) combine(b *amount, op func(x, y udecimal.Decimal) udecimal.Decimal) (*amount, error) {
	var r amount
	r.reported.unit, r.reported.ok = a.reported.agrees(b.reported)
	r.base.unit, r.base.ok = a.base.agrees(b.base)
	if r.reported.ok {
		r.reported.value = op(a.reported.value, b.reported.value)
	}
	if r.base.ok {
		r.base.value = op(a.base.value, b.base.value)
	}
	if !r.reported.ok && !r.base.ok {
		return nil, fmt.Errorf("%s and %s: %w", a, b, errUnits)
	}
	return &r, nil
}

// compare is negative, zero or positive as a is less than, equal to or greater than b.
func (a *amount) compare(b *amount) (int, error) {
	if _, ok := a.reported.agrees(b.reported); ok {
		return a.reported.value.Cmp(b.reported.value), nil
	}
	if _, ok := a.base.agrees(b.base); ok {
		return a.base.value.Cmp(b.base.value), nil
	}
	return 0, fmt.Errorf("%s and %s: %w", a, b, errUnits)
}

// times multiplies a quantity by a plain number. The product is exact or an error.
func (a *amount) times(b *amount) (*amount, error) {
	if b.measure().unit != "" {
		a, b = b, a
	}
	if b.measure().unit != "" {
		return nil, fmt.Errorf("%s and %s: one of two factors must be a plain number", a, b)
	}
	factor := b.measure().value
	var r amount
	var err error
	if r.reported, err = a.reported.times(factor); err != nil {
		return nil, err
	}
	if r.base, err = a.base.times(factor); err != nil {
		return nil, err
	}
	return &r, nil
}

func (m measure) times(factor udecimal.Decimal) (measure, error) {
	if !m.ok {
		return m, nil
	}
	// A decimal keeps the zeros it was written with; without them fewer
	// products are out of reach.
	x, y := trim(m.value), trim(factor)
	if x.Prec()+y.Prec() > maxDecimals {
		return m, fmt.Errorf("%s times %s has more than %d decimals and would have to be rounded", m.value, factor, maxDecimals)
	}
	m.value = x.Mul(y)
	return m, nil
}

// trim drops the zeros at the end of the decimals.
func trim(d udecimal.Decimal) udecimal.Decimal {
	t, err := udecimal.Parse(d.String())
	if err != nil {
		return d // too long to be read back: it stays as it is, which is correct too
	}
	return t
}

// measure is the reported one while it is known, else the base.
func (a *amount) measure() measure {
	if a.reported.ok {
		return a.reported
	}
	return a.base
}

// text is "12.5 KGM", or "12.5" for a plain number.
func (a *amount) text() string {
	m := a.measure()
	if m.unit == "" {
		return m.value.String()
	}
	return m.value.String() + " " + m.unit
}

// String is for messages of errors.
func (a *amount) String() string { return a.text() }

// parseDecimal reads "-12.50": an optional minus, digits, and optionally a point
// and one to nineteen digits. No exponent, no plus, no blanks, no separators.
func parseDecimal(s string) (udecimal.Decimal, error) {
	whole, fraction, point := strings.Cut(strings.TrimPrefix(s, "-"), ".")
	if len(s) > maxDigits || !digits(whole) || point && (!digits(fraction) || len(fraction) > maxDecimals) {
		return udecimal.Decimal{}, fmt.Errorf("%.40q is no decimal: write digits, a point and at most %d decimals, such as \"12.50\"", s, maxDecimals)
	}
	return udecimal.Parse(s)
}

func digits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// toAmount takes what the functions accept: a decimal, a decimal text, a whole
// number, or a quantity {"value": text, "unit": text, "base": {value, unit}}.
func toAmount(v ref.Val) (*amount, error) {
	switch v := v.(type) {
	case *amount:
		return v, nil
	case traits.Mapper:
		return quantity(v)
	}
	d, err := toNumber(v)
	if err != nil {
		return nil, err
	}
	return plain(d), nil
}

func toNumber(v ref.Val) (udecimal.Decimal, error) {
	switch v := v.(type) {
	case types.String:
		return parseDecimal(string(v))
	case types.Int:
		return udecimal.NewFromInt64(int64(v), 0)
	case types.Uint:
		return udecimal.NewFromUint64(uint64(v), 0)
	case *amount:
		if m := v.measure(); m.unit == "" {
			return m.value, nil
		}
	}
	return udecimal.Decimal{}, fmt.Errorf("a decimal text, a whole number or a quantity is needed, not %s", describe(v))
}

func quantity(m traits.Mapper) (*amount, error) {
	reported, err := toMeasure(m)
	if err != nil {
		return nil, err
	}
	a := &amount{reported: reported, base: reported}
	base, found := m.Find(types.String("base"))
	if !found || base == types.NullValue {
		return a, nil
	}
	b, ok := base.(traits.Mapper)
	if !ok {
		return nil, fmt.Errorf("base of a quantity is %s, not a quantity", describe(base))
	}
	if a.base, err = toMeasure(b); err != nil {
		return nil, fmt.Errorf("base of a quantity: %w", err)
	}
	return a, nil
}

func toMeasure(m traits.Mapper) (measure, error) {
	value, found := m.Find(types.String("value"))
	if !found {
		return measure{}, errors.New("a map without value is no quantity")
	}
	unit, found := m.Find(types.String("unit"))
	u, isText := unit.(types.String)
	if !found || !isText || u == "" {
		return measure{}, errors.New("a quantity has no unit: use dec(q.value) where the unit plays no part")
	}
	d, err := toNumber(value)
	if err != nil {
		return measure{}, fmt.Errorf("value of a quantity: %w", err)
	}
	return measure{value: d, unit: string(u), ok: true}, nil
}

func describe(v ref.Val) string {
	if s, ok := v.(types.String); ok {
		return fmt.Sprintf("%.40q", string(s))
	}
	return v.Type().TypeName()
}

// ConvertToNative implements ref.Val for callers that want the decimal itself.
func (a *amount) ConvertToNative(want reflect.Type) (any, error) {
	if want == reflect.TypeFor[string]() {
		return a.text(), nil
	}
	return nil, fmt.Errorf("a decimal is not converted to %s", want)
}

// ConvertToType implements ref.Val: text is the only other form.
func (a *amount) ConvertToType(want ref.Type) ref.Val {
	switch want {
	case types.StringType:
		return types.String(a.text())
	case types.TypeType:
		return decimalType
	}
	return types.NewErr("a decimal is not converted to %s", want.TypeName())
}

// Equal implements ref.Val by value: 1.0 equals 1. It answers false where units
// differ, since CEL takes an error inside a list for equality; check.equality
// keeps expressions from comparing decimals with operators at all, so that this
// only serves lists of JSON numbers, which have no units.
func (a *amount) Equal(other ref.Val) ref.Val {
	b, ok := other.(*amount)
	if !ok {
		return types.False
	}
	c, err := a.compare(b)
	return types.Bool(err == nil && c == 0)
}

// Type implements ref.Val.
func (a *amount) Type() ref.Type { return decimalType }

// Value implements ref.Val.
func (a *amount) Value() any { return a }

var zero = udecimal.Zero

func (a *amount) plus(b *amount) (*amount, error)  { return a.combine(b, udecimal.Decimal.Add) }
func (a *amount) minus(b *amount) (*amount, error) { return a.combine(b, udecimal.Decimal.Sub) }
