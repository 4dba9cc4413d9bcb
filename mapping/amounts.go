package mapping

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"

	"github.com/gapless/gapless/event"
)

func decimalText(call string, arguments []any) (any, error) {
	d, err := decimalOf(call, target, arguments[0])
	if err != nil {
		return nil, err
	}
	return d.String(), nil
}

// arithmetic is a method of two amounts that gives a decimal text. Its result
// must be readable again: beyond event.MaxDigits it is an error.
func arithmetic(call string, op func(x, y event.Decimal) (event.Decimal, error)) func([]any) (any, error) {
	return func(arguments []any) (any, error) {
		x, err := decimalOf(call, target, arguments[0])
		if err != nil {
			return nil, err
		}
		y, err := decimalOf(call, 0, arguments[1])
		if err != nil {
			return nil, err
		}
		z, err := op(x, y)
		if err != nil {
			return nil, &notDecimal{x.String(), err}
		}
		return readable(z)
	}
}

func readable(d event.Decimal) (any, error) {
	text, err := d.MarshalText()
	if err != nil {
		return nil, &notDecimal{d.String(), err}
	}
	return string(text), nil
}

func comparison(call string, holds func(c int) bool) func([]any) (any, error) {
	return func(arguments []any) (any, error) {
		x, err := decimalOf(call, target, arguments[0])
		if err != nil {
			return nil, err
		}
		y, err := decimalOf(call, 0, arguments[1])
		if err != nil {
			return nil, err
		}
		return holds(x.Cmp(y)), nil
	}
}

var errDivideByZero = errors.New("division by zero")

// dividedBy divides exactly and rounds once, half-even, to the digits asked for.
func dividedBy(arguments []any) (any, error) {
	x, err := decimalOf("divided_by", target, arguments[0])
	if err != nil {
		return nil, err
	}
	y, err := decimalOf("divided_by", 0, arguments[1])
	if err != nil {
		return nil, err
	}
	digits, err := digitsOf("divided_by", 1, arguments[2])
	if err != nil {
		return nil, err
	}
	if y.IsZero() {
		return nil, errDivideByZero
	}
	quotient, err := roundQuotient(x, y, digits)
	if err != nil {
		return nil, &notDecimal{x.String(), err}
	}
	return quotient.String(), nil
}

// roundQuotient is x/y rounded half-even. With n = floor(|x/y| * 10^digits) and
// the rest of that division, twice the rest against the divisor says on which
// side of the half it lies.
func roundQuotient(x, y event.Decimal, digits int) (event.Decimal, error) {
	rx, okX := new(big.Rat).SetString(x.String())
	ry, okY := new(big.Rat).SetString(y.String())
	if !okX || !okY {
		return event.Decimal{}, event.ErrDecimalForm
	}
	exact := rx.Quo(rx, ry)
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil)
	n, rest := new(big.Int).QuoRem(new(big.Int).Mul(new(big.Int).Abs(exact.Num()), scale), exact.Denom(), new(big.Int))
	if half := rest.Lsh(rest, 1).Cmp(exact.Denom()); half > 0 || half == 0 && n.Bit(0) == 1 {
		n.Add(n, big.NewInt(1))
	}
	if exact.Sign() < 0 {
		n.Neg(n)
	}
	return event.ParseDecimal(new(big.Rat).SetFrac(n, scale).FloatString(digits))
}

func roundTo(arguments []any) (any, error) {
	x, err := decimalOf("round_to", target, arguments[0])
	if err != nil {
		return nil, err
	}
	digits, err := digitsOf("round_to", 0, arguments[1])
	if err != nil {
		return nil, err
	}
	return x.RoundHalfEven(digits).String(), nil
}

func digitsOf(call string, argument int, value any) (int, error) {
	d, err := decimalOf(call, argument, value)
	if err != nil {
		return 0, err
	}
	digits, err := strconv.Atoi(d.String())
	if err != nil || digits < 0 || digits > event.MaxFractionDigits {
		return 0, fmt.Errorf("%s rounds to 0 up to %d digits, not %s", call, event.MaxFractionDigits, d)
	}
	return digits, nil
}

// integer gives a JSON number for fields that a contract wants as one: counts,
// positions, years.
func integer(arguments []any) (any, error) {
	d, err := decimalOf("integer", target, arguments[0])
	if err != nil {
		return nil, err
	}
	if !d.Equal(d.RoundHalfEven(0)) {
		return nil, fmt.Errorf("%s is no whole number", d)
	}
	return json.Number(d.String()), nil
}

func sum(arguments []any) (any, error) {
	if arguments[0] == nil {
		return nil, &missing{call: "sum", argument: target}
	}
	items, ok := arguments[0].([]any)
	if !ok {
		return nil, fmt.Errorf("sum takes a list, not %s", describe(arguments[0]))
	}
	var total event.Decimal
	for i, item := range items {
		d, err := decimalOf("sum", target, item)
		if err != nil {
			if none, ok := errors.AsType[*missing](err); ok {
				none.element = strconv.Itoa(i)
			}
			return nil, fmt.Errorf("item %d: %w", i, err)
		}
		total = total.Add(d)
	}
	return readable(total)
}
