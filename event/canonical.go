package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"math/big"
	"slices"
	"strconv"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxDepth bounds the nesting of a JSON value.
const MaxDepth = 64

// Errors of Canonical.
var (
	ErrDepth  = fmt.Errorf("nested deeper than %d levels", MaxDepth)
	ErrText   = errors.New("text is not valid UTF-8")
	ErrNumber = errors.New("number is outside the range of a JSON number")
)

// Canonical writes a JSON value in the canonical form of RFC 8785: members
// sorted by UTF-16 code units, shortest escapes, numbers as ECMAScript prints
// them. Values are those of encoding/json with UseNumber.
//
// One rule goes beyond the RFC: a number that a binary double cannot carry
// exactly keeps its exact decimal digits, so that two different quantities never
// have the same digest.
func Canonical(value any) ([]byte, error) {
	return appendCanonical(make([]byte, 0, 512), value, 0)
}

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
			return nil, fmt.Errorf("%s: %w", name, err)
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

// appendNumber prints a number literal as ECMAScript's Number::toString does
// where a double carries it exactly as its shortest form, else in exact decimals.
func appendNumber(b []byte, literal string) ([]byte, error) {
	if n, err := strconv.ParseInt(literal, 10, 64); err == nil && n > -1<<53 && n < 1<<53 {
		return strconv.AppendInt(b, n, 10), nil // "-0" becomes 0, as in the RFC
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil || math.IsInf(f, 0) || math.IsNaN(f) {
		return nil, fmt.Errorf("%.40s: %w", literal, ErrNumber)
	}
	shortest := strconv.FormatFloat(f, 'g', -1, 64)
	exact, ok := new(big.Rat).SetString(literal)
	if !ok {
		return nil, fmt.Errorf("%.40s: %w", literal, ErrNumber)
	}
	if printed, ok := new(big.Rat).SetString(shortest); !ok || printed.Cmp(exact) != 0 {
		return appendExact(b, literal, exact)
	}
	return appendECMA(b, f), nil
}

// appendExact prints a rational that came from a decimal literal without loss.
func appendExact(b []byte, literal string, exact *big.Rat) ([]byte, error) {
	digits, finite := exact.FloatPrec()
	if !finite || digits > 400 {
		return nil, fmt.Errorf("%.40s: %w", literal, ErrNumber)
	}
	return append(b, exact.FloatString(digits)...), nil
}

// appendECMA follows ECMA-262 section 6.1.6.1.20: plain notation from 1e-7 up to
// 1e21, else an exponent without leading zeros.
func appendECMA(b []byte, f float64) []byte { //nolint:forbidigo // the RFC is about doubles
	if f == 0 {
		return append(b, '0')
	}
	if a := math.Abs(f); a >= 1e-6 && a < 1e21 {
		return strconv.AppendFloat(b, f, 'f', -1, 64)
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	if n := len(s); s[n-2] == '0' && (s[n-3] == '-' || s[n-3] == '+') {
		s = s[:n-2] + s[n-1:] // e-07 is written e-7
	}
	return append(b, s...)
}
