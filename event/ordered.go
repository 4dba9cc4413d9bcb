package event

import (
	"fmt"
	"strings"
)

// Ordered is a text that sorts by its bytes as decimals do by their value: for columns and
// indexes of databases that have no exact numbers.
//
// It begins with 4, 5 or 6 for what is below, at and above zero. Behind that stand the
// place of the first digit that counts and the digits, of a negative number each taken
// from 9 and closed by "~", which comes behind all digits.
func (d Decimal) Ordered() string {
	if d.IsZero() {
		return "5"
	}
	text, negative := strings.CutPrefix(d.String(), "-")
	whole, fraction, _ := strings.Cut(text, ".")
	whole = strings.TrimLeft(whole, "0")
	exponent, digits := len(whole), whole+fraction
	if whole == "" {
		digits = strings.TrimLeft(fraction, "0")
		exponent = len(digits) - len(fraction)
	}
	place := fmt.Sprintf("%03d%s", 500+exponent, strings.TrimRight(digits, "0"))
	if !negative {
		return "6" + place
	}
	return "4" + strings.Map(func(r rune) rune { return '0' + '9' - r }, place) + "~"
}
