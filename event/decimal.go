package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strconv"
	"strings"

	"github.com/quagmt/udecimal"
)

// Limits of a Decimal that is read. They are far beyond any quantity of a plant
// and keep one hostile number from costing memory.
const (
	MaxDigits         = 30 // of the plain text, leading zeros and trailing zeros of the fraction not counted
	MaxFractionDigits = 19 // behind the decimal point
	maxDecimalText    = 200
	maxExponent       = 60
)

// MaxNumberDigits is how many significant digits a JSON number literal may have.
// A binary double keeps 15 for certain; from the 16th on the digits of a literal
// such as 31.919999999999998 may be the noise of a system that computed in binary.
const MaxNumberDigits = 15

// Errors of decimals, for errors.Is; each message says what to change.
var (
	ErrDecimalForm   = errors.New("a decimal is written like 12.5, -3 or 1.25e-3, with a point and without blanks or grouping")
	ErrDecimalDigits = fmt.Errorf("a decimal has at most %d digits, %d of them behind the point: report fewer digits or use a larger unit", MaxDigits, MaxFractionDigits)
	ErrDecimalNoise  = fmt.Errorf("a JSON number has at most %d significant digits, further ones may be binary noise: send the exact value as a JSON string", MaxNumberDigits)
	ErrDecimalRange  = errors.New("the value does not fit a scaled 64-bit integer: use fewer digits behind the point")
)

// A Decimal is an exact decimal number with at most MaxFractionDigits digits
// behind the point. The zero Decimal is 0. Compare with Cmp or Equal, never
// with ==: one value has several representations.
type Decimal struct{ value udecimal.Decimal }

// ParseDecimal reads plain and exponent notation as JSON numbers have it;
// zeros in front are accepted, since many systems pad. It never rounds:
// what cannot be kept exactly is an error.
func ParseDecimal(text string) (Decimal, error) {
	if len(text) > maxDecimalText {
		return Decimal{}, fmt.Errorf("%.40q... has %d bytes: %w", text, len(text), ErrDecimalDigits)
	}
	n, err := scanNumber(text)
	if err != nil {
		return Decimal{}, err
	}
	plain, err := n.plain()
	if err != nil {
		return Decimal{}, fmt.Errorf("%.80q: %w", text, err)
	}
	value, err := udecimal.Parse(plain)
	if err != nil {
		return Decimal{}, fmt.Errorf("%.80q: %w", text, errors.Join(ErrDecimalForm, err))
	}
	return Decimal{value}, nil
}

// FromScaled is scaled divided by 10^digits, the reverse of Scaled; digits is 0 to 19.
func FromScaled(scaled int64, digits int) (Decimal, error) {
	if digits < 0 || digits > MaxFractionDigits {
		return Decimal{}, fmt.Errorf("%d digits behind the point: %w", digits, ErrDecimalDigits)
	}
	value, err := udecimal.NewFromInt64(scaled, uint8(digits))
	if err != nil {
		return Decimal{}, fmt.Errorf("%d scaled by %d digits: %w", scaled, digits, err)
	}
	return Decimal{value}, nil
}

// SignificantDigits counts the digits of a number from the first to the last
// that is not zero, the exponent left out: 2 for "0.0120", 1 for "5e9", 1 for
// "1000". It is 0 for zero and for text that is no number.
func SignificantDigits(text string) int {
	n, err := scanNumber(text)
	if err != nil {
		return 0
	}
	return len(strings.Trim(n.whole+n.fraction, "0"))
}

// number is a decimal literal taken apart.
type number struct {
	negative        bool
	whole, fraction string // digits, whole without leading and fraction without trailing zeros
	exponent        int
}

// scanNumber takes a literal apart, as RFC 8259 section 6 defines it, plus leading zeros.
func scanNumber(text string) (number, error) {
	var n number
	rest, negative := strings.CutPrefix(text, "-")
	n.negative = negative
	var exponent string
	marked := false
	if at := strings.IndexAny(rest, "eE"); at >= 0 {
		rest, exponent, marked = rest[:at], rest[at+1:], true
	}
	whole, fraction, point := strings.Cut(rest, ".")
	if !digitsOnly(whole) || point && !digitsOnly(fraction) {
		return n, fmt.Errorf("%.80q: %w", text, ErrDecimalForm)
	}
	if marked {
		sign := strings.TrimLeft(exponent, "+-")
		if len(exponent)-len(sign) > 1 || !digitsOnly(sign) {
			return n, fmt.Errorf("%.80q: %w", text, ErrDecimalForm)
		}
		e, err := strconv.Atoi(exponent)
		if err != nil || e > maxExponent || e < -maxExponent {
			return n, fmt.Errorf("%.80q: the exponent is beyond %d, which no quantity needs: %w", text, maxExponent, ErrDecimalDigits)
		}
		n.exponent = e
	}
	n.whole, n.fraction = strings.TrimLeft(whole, "0"), strings.TrimRight(fraction, "0")
	return n, nil
}

// plain writes the number without exponent and checks the limits on digits.
func (n number) plain() (string, error) {
	digits := n.whole + n.fraction
	point := len(n.whole) + n.exponent // of digits, where the point stands
	if strings.Trim(digits, "0") == "" {
		return "0", nil
	}
	if point < 0 {
		digits, point = strings.Repeat("0", -point)+digits, 0
	}
	if point > len(digits) {
		digits += strings.Repeat("0", point-len(digits))
	}
	whole, fraction := strings.TrimLeft(digits[:point], "0"), strings.TrimRight(digits[point:], "0")
	if len(fraction) > MaxFractionDigits {
		return "", fmt.Errorf("%d digits behind the point: %w", len(fraction), ErrDecimalDigits)
	}
	if count := len(whole) + len(fraction); count > MaxDigits {
		return "", fmt.Errorf("%d digits: %w", count, ErrDecimalDigits)
	}
	var b strings.Builder
	if n.negative {
		b.WriteByte('-')
	}
	if whole == "" {
		whole = "0"
	}
	b.WriteString(whole)
	if fraction != "" {
		b.WriteByte('.')
		b.WriteString(fraction)
	}
	return b.String(), nil
}

func digitsOnly(s string) bool {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}

// String is the canonical text: plain, without trailing zeros, "0" for zero.
func (d Decimal) String() string { return d.value.String() }

// MarshalText writes the canonical text. A result with more than MaxDigits
// digits is an error, since it could not be read back.
func (d Decimal) MarshalText() ([]byte, error) {
	text := d.String()
	if _, err := ParseDecimal(text); err != nil {
		return nil, err
	}
	return []byte(text), nil
}

// UnmarshalText is ParseDecimal.
func (d *Decimal) UnmarshalText(text []byte) error {
	parsed, err := ParseDecimal(string(text))
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

// MarshalJSON writes a JSON string: a number would pass through the binary
// floating point of many readers.
func (d Decimal) MarshalJSON() ([]byte, error) {
	text, err := d.MarshalText()
	if err != nil {
		return nil, err
	}
	return []byte(`"` + string(text) + `"`), nil
}

// UnmarshalJSON reads a JSON string, or a number literal of at most
// MaxNumberDigits significant digits.
func (d *Decimal) UnmarshalJSON(data []byte) error {
	text := string(data)
	if strings.HasPrefix(text, `"`) {
		if err := json.Unmarshal(data, &text); err != nil {
			return fmt.Errorf("%.80q: %w", data, errors.Join(ErrDecimalForm, err))
		}
	} else if n := SignificantDigits(text); n > MaxNumberDigits {
		return fmt.Errorf("%.80s has %d significant digits: %w", text, n, ErrDecimalNoise)
	}
	return d.UnmarshalText([]byte(text))
}

// Add is d + e, exactly.
func (d Decimal) Add(e Decimal) Decimal { return Decimal{d.value.Add(e.value)} }

// Sub is d - e, exactly.
func (d Decimal) Sub(e Decimal) Decimal { return Decimal{d.value.Sub(e.value)} }

// Neg is -d.
func (d Decimal) Neg() Decimal {
	if d.IsZero() {
		return Decimal{}
	}
	return Decimal{d.value.Neg()}
}

// ParseTimes reads a decimal that stands n times, such as equal rows that a database has
// counted: it is ParseDecimal and Mul, with the errors of both.
func ParseTimes(text string, n int64) (Decimal, error) {
	d, err := ParseDecimal(text)
	if err != nil {
		return d, err
	}
	count, err := FromScaled(n, 0)
	if err != nil {
		return d, err
	}
	return d.Mul(count)
}

// Mul is d * e. A product that needs more digits than a Decimal keeps is
// ErrDecimalDigits, never a rounded number.
func (d Decimal) Mul(e Decimal) (Decimal, error) {
	product, exact, err := decimalOf(new(big.Rat).Mul(d.rat(), e.rat()))
	if err == nil && !exact {
		err = ErrDecimalDigits
	}
	if err != nil {
		return Decimal{}, fmt.Errorf("%s times %s: %w", d, e, err)
	}
	return product, nil
}

// Cmp is -1, 0 or +1 where d is less than, equal to or greater than e.
func (d Decimal) Cmp(e Decimal) int { return d.value.Cmp(e.value) }

// Equal says whether both have the same value, however they were written.
func (d Decimal) Equal(e Decimal) bool { return d.Cmp(e) == 0 }

// Sign is -1, 0 or +1.
func (d Decimal) Sign() int { return d.value.Sign() }

// IsZero says whether the value is 0.
func (d Decimal) IsZero() bool { return d.value.IsZero() }

// RoundHalfEven rounds to digits behind the point, a half to the even
// neighbour: 0.5 and 1.5 become 0 and 2. It is the only rounding there is, so
// that no two figures differ by the way they were rounded. Digits below 0
// count as 0.
func (d Decimal) RoundHalfEven(digits int) Decimal {
	if digits >= MaxFractionDigits {
		return d
	}
	rounded := Decimal{d.value.RoundBank(uint8(max(digits, 0)))}
	if rounded.IsZero() {
		return Decimal{}
	}
	return rounded
}

// Scaled splits the value for a store that sums 64-bit integers:
//
//	value = scaled / 10^digits + residue
//
// scaled is truncated toward zero; the residue is exact and has the sign of the
// value. digits is 0 to 19. A value that does not fit is ErrDecimalRange.
func (d Decimal) Scaled(digits int) (scaled int64, residue Decimal, err error) {
	if digits < 0 || digits > MaxFractionDigits {
		return 0, Decimal{}, fmt.Errorf("%d digits behind the point: %w", digits, ErrDecimalDigits)
	}
	whole := d.value.Trunc(uint8(digits))
	scaled, err = whole.Mul(powerOfTen(digits)).Int64()
	if err != nil {
		return 0, Decimal{}, fmt.Errorf("%s with %d digits behind the point: %w", d, digits, ErrDecimalRange)
	}
	return scaled, Decimal{d.value.Sub(whole)}, nil
}

func powerOfTen(digits int) udecimal.Decimal {
	p := udecimal.One
	for range digits {
		p = p.Mul64(10)
	}
	return p
}

// rat is the value as an exact fraction.
func (d Decimal) rat() *big.Rat {
	r, ok := new(big.Rat).SetString(d.String())
	if !ok {
		panic("event: a decimal printed text that is no number: " + d.String()) //nolint:forbidigo // cannot happen: it printed it
	}
	return r
}

// decimalOf is the fraction as a Decimal; exact is false, and the Decimal 0,
// where it has more than MaxFractionDigits digits behind the point.
func decimalOf(r *big.Rat) (d Decimal, exact bool, err error) {
	digits, finite := r.FloatPrec()
	if !finite || digits > MaxFractionDigits {
		return Decimal{}, false, nil
	}
	d, err = ParseDecimal(r.FloatString(digits))
	return d, err == nil, err
}

// roundedDecimal is the fraction rounded half-even to digits behind the point.
func roundedDecimal(r *big.Rat, digits int) (Decimal, error) {
	scale := new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(digits)), nil)
	num := new(big.Int).Mul(r.Num(), scale)
	quotient, rest := new(big.Int).QuoRem(num, r.Denom(), new(big.Int))
	half := rest.Abs(rest).Lsh(rest, 1).Cmp(r.Denom())
	if half > 0 || half == 0 && quotient.Bit(0) == 1 {
		quotient.Add(quotient, big.NewInt(int64(r.Sign())))
	}
	return ParseDecimal(new(big.Rat).SetFrac(quotient, scale).FloatString(digits))
}
