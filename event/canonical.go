package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth bounds the nesting of a JSON value.
const MaxDepth = 64

// Errors of Canonical.
var (
	ErrDepth  = fmt.Errorf("nested deeper than %d levels", MaxDepth)
	ErrText   = errors.New("text is not valid UTF-8")
	ErrNumber = errors.New("not a JSON number, or its exponent is beyond 32 bits")
)

// Canonical writes a JSON value in the canonical form of RFC 8785: members
// sorted by UTF-16 code units, shortest escapes, numbers as ECMAScript prints
// them. Values are those of encoding/json with UseNumber.
//
// One rule goes beyond the RFC: a number that a binary double cannot carry
// exactly keeps its exact decimal digits, so that two different quantities never
// have the same digest.
func Canonical(value any) ([]byte, error) {
	return appendCanonical(make([]byte, 0, 1024), value, 0)
}

// Written is a JSON value that is in canonical form already.
type Written []byte

func appendCanonical(b []byte, value any, depth int) ([]byte, error) {
	if depth > MaxDepth {
		return nil, ErrDepth
	}
	switch v := value.(type) {
	case nil:
		return append(b, "null"...), nil
	case bool:
		return strconv.AppendBool(b, v), nil
	case string:
		return appendText(b, v)
	case Ref:
		return appendText(b, string(v))
	case json.Number:
		return appendNumber(b, string(v))
	case int:
		return strconv.AppendInt(b, int64(v), 10), nil
	case int64:
		return appendNumber(b, strconv.FormatInt(v, 10))
	case Written:
		return append(b, v...), nil
	case map[string]any:
		return appendObject(b, v, depth)
	case []any:
		b = append(b, '[')
		for i, item := range v {
			if i > 0 {
				b = append(b, ',')
			}
			var err error
			if b, err = appendCanonical(b, item, depth+1); err != nil {
				return nil, err
			}
		}
		return append(b, ']'), nil
	default:
		return nil, fmt.Errorf("%T is no JSON value", value)
	}
}

func appendObject(b []byte, object map[string]any, depth int) ([]byte, error) {
	names := make([]string, 0, len(object))
	ascii := true
	for name := range object {
		names = append(names, name)
		ascii = ascii && isASCII(name)
	}
	if ascii {
		slices.Sort(names)
	} else {
		slices.SortFunc(names, compareUTF16)
	}
	b = append(b, '{')
	for i, name := range names {
		if i > 0 {
			b = append(b, ',')
		}
		var err error
		if b, err = appendText(b, name); err != nil {
			return nil, err
		}
		b = append(b, ':')
		if b, err = appendCanonical(b, object[name], depth+1); err != nil {
			return nil, fmt.Errorf("%.80s: %w", name, err)
		}
	}
	return append(b, '}'), nil
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func compareUTF16(a, b string) int {
	return slices.Compare(utf16.Encode([]rune(a)), utf16.Encode([]rune(b)))
}

// appendText escapes only what RFC 8785 section 3.2.2.2 demands.
func appendText(b []byte, s string) ([]byte, error) {
	if !utf8.ValidString(s) {
		return nil, ErrText
	}
	b = append(b, '"')
	start := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, `\b`...)
		case '\t':
			b = append(b, `\t`...)
		case '\n':
			b = append(b, `\n`...)
		case '\f':
			b = append(b, `\f`...)
		case '\r':
			b = append(b, `\r`...)
		default:
			b = fmt.Appendf(b, `\u%04x`, c)
		}
	}
	return append(append(b, s[start:]...), '"'), nil
}

// maxPlain is how many digits a number in exact decimals has at most; a longer
// one is written with an exponent.
const maxPlain = 400

// appendNumber prints a number literal as ECMAScript's Number::toString does
// where a double carries it exactly as its shortest form, else in exact decimals.
// Both forms read back as the same value, so equal text means equal value.
func appendNumber(b []byte, literal string) ([]byte, error) {
	if isCount(literal) {
		return append(b, literal...), nil
	}
	if n, err := strconv.ParseInt(literal, 10, 64); err == nil && n > -1<<53 && n < 1<<53 && validNumber(literal) {
		return strconv.AppendInt(b, n, 10), nil // "-0" becomes 0, as in the RFC
	}
	exact, err := scanScientific(literal)
	if err != nil {
		return nil, fmt.Errorf("%.40s: %w", literal, err)
	}
	if exact.digits == "" {
		return append(b, '0'), nil
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err == nil {
		shortest, err := scanScientific(strconv.FormatFloat(f, 'e', -1, 64))
		if err == nil && shortest == exact {
			return appendECMA(b, f), nil
		}
	}
	return exact.append(b), nil
}

// isCount says whether a literal is a natural number that any double carries.
func isCount(literal string) bool {
	return literal != "" && len(literal) <= 15 && digitsOnly(literal) && (literal[0] != '0' || literal == "0")
}

// validNumber says whether a literal has the form of RFC 8259 section 6.
func validNumber(literal string) bool {
	digits := strings.TrimPrefix(literal, "-")
	return digits != "" && digitsOnly(digits[:1]) && digitsOnly(digits[len(digits)-1:]) && json.Valid([]byte(literal))
}

// scientific is a number as 0.digits * 10^point; digits neither begins nor ends
// with a zero, and is empty for zero. Equal numbers are equal values of it.
type scientific struct {
	negative bool
	digits   string
	point    int
}

// scanScientific reads a literal of any length in one pass.
func scanScientific(literal string) (scientific, error) {
	if !validNumber(literal) {
		return scientific{}, ErrNumber
	}
	rest, negative := strings.CutPrefix(literal, "-")
	exponent := int64(0)
	if at := strings.IndexAny(rest, "eE"); at >= 0 {
		var err error
		if exponent, err = strconv.ParseInt(rest[at+1:], 10, 32); err != nil {
			return scientific{}, ErrNumber
		}
		rest = rest[:at]
	}
	whole, fraction, _ := strings.Cut(rest, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	point := len(digits) - len(fraction) + int(exponent)
	digits = strings.TrimRight(digits, "0")
	if digits == "" {
		return scientific{}, nil
	}
	return scientific{negative, digits, point}, nil
}

// append prints the number without loss: plain where that stays short.
func (n scientific) append(b []byte) []byte {
	if n.negative {
		b = append(b, '-')
	}
	switch {
	case n.point < -maxPlain || n.point > maxPlain:
		b = append(b, n.digits[0])
		if len(n.digits) > 1 {
			b = append(append(b, '.'), n.digits[1:]...)
		}
		return fmt.Appendf(b, "e%+d", n.point-1)
	case n.point <= 0:
		b = append(append(b, "0."...), strings.Repeat("0", -n.point)...)
		return append(b, n.digits...)
	case n.point >= len(n.digits):
		return append(append(b, n.digits...), strings.Repeat("0", n.point-len(n.digits))...)
	}
	b = append(append(b, n.digits[:n.point]...), '.')
	return append(b, n.digits[n.point:]...)
}

// appendECMA follows ECMA-262 section 6.1.6.1.20 for a number that is not zero:
// plain notation from 1e-6 up to below 1e21, else an exponent without leading zeros.
func appendECMA(b []byte, f float64) []byte { //nolint:forbidigo // the RFC is about doubles
	if a := math.Abs(f); a >= 1e-6 && a < 1e21 {
		return strconv.AppendFloat(b, f, 'f', -1, 64)
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	if n := len(s); s[n-2] == '0' && (s[n-3] == '-' || s[n-3] == '+') {
		s = s[:n-2] + s[n-1:] // e-07 is written e-7
	}
	return append(b, s...)
}
