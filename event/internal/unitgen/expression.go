package main

import (
	"errors"
	"fmt"
	"maps"
	"math/big"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A term is a number times powers of units: 9.80665 · kg¹ · m¹ · s⁻².
type term struct {
	number *big.Rat
	powers map[string]int // no entry is 0
}

func pure(number *big.Rat) term { return term{number, map[string]int{}} }

// times multiplies t by u^power.
func (t term) times(u term, power int) term {
	product := term{new(big.Rat).Set(t.number), map[string]int{}}
	factor := new(big.Rat).Set(u.number)
	if power < 0 {
		factor.Inv(factor)
	}
	for range max(power, -power) {
		product.number.Mul(product.number, factor)
	}
	maps.Copy(product.powers, t.powers)
	for unit, p := range u.powers {
		if product.powers[unit] += p * power; product.powers[unit] == 0 {
			delete(product.powers, unit)
		}
	}
	return product
}

// superscripts are the characters of an exponent and what they stand for.
var superscripts = map[rune]rune{
	'⁰': '0', '¹': '1', '²': '2', '³': '3', '⁴': '4', '⁵': '5', '⁶': '6', '⁷': '7', '⁸': '8', '⁹': '9', '⁻': '-',
}

// dimension writes the powers in one fixed order: "kg·m⁻³". Equal dimensions
// written differently in the source get the same text.
func (t term) dimension() string {
	units := make([]string, 0, len(t.powers))
	for unit := range t.powers {
		units = append(units, unit)
	}
	slices.Sort(units)
	for i, unit := range units {
		if p := t.powers[unit]; p != 1 {
			units[i] += superscript(p)
		}
	}
	return strings.Join(units, "·")
}

func superscript(n int) string {
	text := strconv.Itoa(n)
	for raised, plain := range superscripts {
		text = strings.ReplaceAll(text, string(plain), string(raised))
	}
	return text
}

// A reader evaluates expressions such as "10³ kg/(m x s²)" or "lb·ft²/h".
// Product signs are x, · and a blank; a slash divides by the one factor or
// parenthesis behind it.
type reader struct {
	text  string
	basic bool // expand N, Pa, J ... down to m, kg, s, A; else keep those names
	depth int  // of definitions within definitions
}

func evaluate(text string, basic bool) (term, error) {
	r := &reader{text: text, basic: basic}
	return r.all()
}

func (r *reader) all() (term, error) {
	whole := r.text
	t, err := r.product()
	if err == nil && r.text != "" {
		err = fmt.Errorf("%q is not understood", r.text)
	}
	if err != nil {
		return term{}, fmt.Errorf("%q: %w", whole, err)
	}
	return t, nil
}

func (r *reader) product() (term, error) {
	result := pure(big.NewRat(1, 1))
	for first := true; ; first = false {
		separated, sign := r.separator()
		power := 1
		switch {
		case r.text == "" || strings.HasPrefix(r.text, ")"):
			if first || sign {
				return term{}, errors.New("a factor is missing")
			}
			return result, nil
		case r.skip("/"):
			power = -1
		case !first && !separated:
			return term{}, fmt.Errorf("nothing stands between two factors before %q", r.text)
		}
		f, err := r.factor()
		if err != nil {
			return term{}, err
		}
		result = result.times(f, power)
	}
}

func (r *reader) factor() (term, error) {
	r.blanks()
	var base term
	switch {
	case r.skip("("):
		inner, err := r.product()
		if err != nil {
			return term{}, err
		}
		if !r.skip(")") {
			return term{}, errors.New("a parenthesis is not closed")
		}
		base = inner
	case r.text != "" && isDigit(r.text[0]):
		number, err := r.number()
		if err != nil {
			return term{}, err
		}
		base = pure(number)
	default:
		u, err := r.unit()
		if err != nil {
			return term{}, err
		}
		base = u
	}
	power, err := r.power()
	if err != nil {
		return term{}, err
	}
	return pure(big.NewRat(1, 1)).times(base, power), nil
}

func (r *reader) number() (*big.Rat, error) {
	end := 0
	for end < len(r.text) && (isDigit(r.text[end]) || r.text[end] == '.') {
		end++
	}
	number, ok := new(big.Rat).SetString(r.text[:end])
	if !ok {
		return nil, fmt.Errorf("%q is no number", r.text[:end])
	}
	r.text = r.text[end:]
	return number, nil
}

// unit takes the longest unit known that the text begins with.
func (r *reader) unit() (term, error) {
	if r.depth > 10 {
		return term{}, errors.New("a definition leads back to itself")
	}
	for end := len(r.text); end > 0; end-- {
		if end < len(r.text) && !utf8.RuneStart(r.text[end]) {
			continue
		}
		name := r.text[:end]
		scale, symbol, ok := known(name)
		if !ok {
			continue
		}
		r.text = r.text[end:]
		definition := units[symbol]
		if definition == "" || !r.basic && coherent[symbol] {
			return term{scale, map[string]int{symbol: 1}}, nil
		}
		inner := &reader{text: definition, basic: r.basic, depth: r.depth + 1}
		t, err := inner.all()
		if err != nil {
			return term{}, err
		}
		return t.times(pure(scale), 1), nil
	}
	return term{}, fmt.Errorf("no unit known begins %q", r.text)
}

// known finds a unit by its symbol, with an SI prefix where it takes one.
func known(name string) (scale *big.Rat, symbol string, ok bool) {
	if _, ok := units[name]; ok {
		return big.NewRat(1, 1), name, true
	}
	for _, prefix := range prefixes {
		rest, found := strings.CutPrefix(name, prefix.symbol)
		if !found || !takesPrefix[rest] {
			continue
		}
		return powerOfTen(prefix.exponent), rest, true
	}
	return nil, "", false
}

// power reads an exponent: superscripts, or plain digits directly behind a unit.
func (r *reader) power() (int, error) {
	var digits strings.Builder
	rest := r.text
	for rest != "" {
		c, size := utf8.DecodeRuneInString(rest)
		plain, raised := superscripts[c]
		if !raised {
			if c < '0' || c > '9' {
				break
			}
			plain = c
		}
		digits.WriteRune(plain)
		rest = rest[size:]
	}
	if digits.Len() == 0 {
		return 1, nil
	}
	r.text = rest
	var power int
	if _, err := fmt.Sscanf(digits.String(), "%d", &power); err != nil || power == 0 || power > 40 || power < -40 {
		return 0, fmt.Errorf("%q is no exponent", digits.String())
	}
	return power, nil
}

// separator takes the blanks and product signs before a factor. Without one,
// "ppm" would be two ponds per metre.
func (r *reader) separator() (separated, sign bool) {
	before := len(r.text)
	r.blanks()
	sign = r.skip("·") || r.skip("‧") || r.skip("x ")
	r.blanks()
	return len(r.text) < before, sign
}

func (r *reader) blanks() { r.text = strings.TrimLeft(r.text, " ") }

func (r *reader) skip(s string) bool {
	rest, found := strings.CutPrefix(r.text, s)
	r.text = rest
	return found
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func powerOfTen(n int) *big.Rat {
	p := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(int64(max(n, -n))), nil))
	if n < 0 {
		p.Inv(p)
	}
	return p
}
