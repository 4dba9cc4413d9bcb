package main

import (
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
)

// stated is a conversion factor as Recommendation 20 writes it, taken apart.
type stated struct {
	number    *big.Rat // as written, powers of ten included
	precision *big.Rat // one unit of the last digit written
	whole     bool     // the number is a power of ten or a plain fraction: nothing was rounded
	base      string   // the expression behind the number; "" for a pure number
}

var (
	tidy = strings.NewReplacer("\u00a0", " ", "×", "x", "\u2126", "Ω", "·x ", "·", "( ", "(", " /", "/", "/ ", "/", "pascal", "Pa", "º", "°")

	// A number: digits in groups of three, with decimal comma or point; perhaps
	// over another; perhaps times ten to a power, whose sign may be missing.
	leading = regexp.MustCompile(`^(\d[\d ]*(?:[,.] ?\d[\d ]*)?)(?:/(\d+)(?:\s|$))?`)
	tenTo   = regexp.MustCompile(`^\s*(?:x\s*)?10([⁰¹²³⁴⁵⁶⁷⁸⁹⁻0-9-]*)`)
)

// readStated takes a factor apart: "0,453 592 37 kg", "10⁻³ m", "5/9 x K",
// "3,6 x 10³ s", "kg/m³", "1.667 x 10-2 /s".
func readStated(text string) (stated, error) {
	rest := strings.Join(strings.Fields(tidy.Replace(text)), " ")
	one := big.NewRat(1, 1)
	s := stated{number: one, precision: new(big.Rat), whole: true}
	written := false
	if !tenTo.MatchString(rest) || leadingNumber(rest) {
		if m := leading.FindStringSubmatch(rest); m != nil {
			if err := s.mantissa(m[1], m[2]); err != nil {
				return s, err
			}
			rest, written = rest[len(m[0]):], true
		}
	}
	if m := tenTo.FindStringSubmatch(rest); m != nil {
		power, err := exponent(m[1])
		if err != nil {
			return s, err
		}
		s.number = new(big.Rat).Mul(s.number, powerOfTen(power))
		s.precision = new(big.Rat).Mul(s.precision, powerOfTen(power))
		rest, written = rest[len(m[0]):], true
	}
	s.base = strings.TrimPrefix(strings.TrimSpace(rest), "x ")
	if s.base == "1" {
		s.base = ""
	}
	if !written && s.base == "" {
		return s, fmt.Errorf("%q holds neither number nor unit", text)
	}
	return s, nil
}

// leadingNumber says whether a text that begins with 10 goes on as a longer
// number ("103,323 kN", "1,0", "10,5") and is not a power of ten.
func leadingNumber(text string) bool {
	m := leading.FindString(text)
	digits := strings.ReplaceAll(m, " ", "")
	return digits != "10"
}

func (s *stated) mantissa(digits, under string) error {
	plain := strings.ReplaceAll(strings.ReplaceAll(digits, " ", ""), ",", ".")
	number, ok := new(big.Rat).SetString(plain)
	if !ok || number.Sign() == 0 {
		return fmt.Errorf("%q is no factor", digits)
	}
	_, fraction, _ := strings.Cut(plain, ".")
	s.precision = powerOfTen(-len(fraction))
	s.whole = strings.Trim(plain, "0.") == "1"
	if under != "" {
		divisor, ok := new(big.Rat).SetString(under)
		if !ok || divisor.Sign() == 0 {
			return fmt.Errorf("%q is no divisor", under)
		}
		number.Quo(number, divisor)
		s.precision, s.whole = new(big.Rat), true
	}
	s.number = number
	return nil
}

func exponent(text string) (int, error) {
	var plain strings.Builder
	for _, c := range text {
		if p, raised := superscripts[c]; raised {
			c = p
		}
		plain.WriteRune(c)
	}
	if plain.Len() == 0 {
		return 1, nil
	}
	power, err := strconv.Atoi(plain.String())
	if err != nil || power > 40 || power < -40 {
		return 0, fmt.Errorf("ten to the power %q is not understood", text)
	}
	return power, nil
}

// slack is how far, relative to the value, a published factor may be off beyond
// its last digit: a millionth. Some were rounded twice on the way.
var slack = big.NewRat(1, 1_000_000)

// agrees says whether the stated number is the exact one, up to one unit of the
// last digit that was written. A power of ten or a fraction was not rounded.
func (s *stated) agrees(exact *big.Rat) bool {
	difference := new(big.Rat).Sub(exact, s.number)
	difference.Abs(difference)
	if s.whole {
		return difference.Sign() == 0
	}
	allowed := new(big.Rat).Mul(slack, exact)
	return difference.Cmp(s.precision) <= 0 || difference.Cmp(allowed) <= 0
}
