package format

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A cell is one value of a record before it has its final form.
type cell struct {
	column  int    // of a table, from 0
	text    string // as it was sent
	literal bool   // a number of JSON or of a workbook: its decimal sign is a point, whatever the Spec says
	fault   *Error // why it has no text
}

// columns knows which fields of a record become decimals and dates.
type columns struct {
	named          []string // all of them, in the order of the Spec
	numbers, dates map[string]bool
	comma          bool
	serialOffset   int64 // added to serial dates: the 1904 date system of some workbooks
}

func newColumns(spec Spec) columns {
	return columns{
		named:   slices.Concat(spec.Numbers, spec.Dates),
		numbers: set(spec.Numbers),
		dates:   set(spec.Dates),
		comma:   spec.DecimalComma,
	}
}

func set(names []string) map[string]bool {
	s := make(map[string]bool, len(names))
	for _, name := range names {
		s[name] = true
	}
	return s
}

// normal gives the text of a field its one form. text is clean and not empty.
func (c columns) normal(field, text string, literal bool) (string, *Error) {
	decimal := byte('.')
	if c.comma && !literal {
		decimal = ','
	}
	switch {
	case c.numbers[field]:
		return decimalText(text, decimal)
	case c.dates[field]:
		return dateText(text, decimal, c.serialOffset)
	case literal && strings.ContainsAny(text, "eE"):
		n, fault := scanNumber(text, decimal)
		if fault != nil {
			return "", fault
		}
		return n.plain()
	}
	return text, nil
}

// normalRecord gives the named fields of an object of JSON or XML the form that
// they have in a table, so that one row is one record however it was sent.
func (c columns) normalRecord(record map[string]any) *Error {
	for _, field := range c.named {
		if fault := c.normalField(record, field); fault != nil {
			return fault.in(field)
		}
	}
	return nil
}

func (c columns) normalField(record map[string]any, field string) *Error {
	var text string
	literal := false
	switch value := record[field].(type) {
	case nil:
	case string:
		text = strings.TrimSpace(value)
	case json.Number:
		text, literal = value.String(), true
	default:
		return &Error{Problem: "is neither a number nor a text", Remedy: "send the value itself, or take the field out of numbers and dates"}
	}
	if text == "" {
		delete(record, field)
		return nil
	}
	text, fault := c.normal(field, text, literal)
	if fault == nil {
		record[field] = text
	}
	return fault
}

// A number is a decimal literal taken apart: digits times ten to the exponent.
type number struct {
	negative bool
	digits   string // without zeros in front and behind, "" is zero
	exponent int
}

// What a binary double keeps for certain, and what it takes to write one down
// such that it can be read back (IEEE 754). A spreadsheet computes in doubles.
const (
	certainDigits = 15
	binaryDigits  = 17
)

const maxPlain = 60 // characters of a number without exponent, far beyond any quantity

// scanNumber reads [+-]digits[.digits][e[+-]digits]; decimal is the sign between
// whole and fraction.
func scanNumber(text string, decimal byte) (number, *Error) {
	var n number
	rest, negative := strings.CutPrefix(text, "-")
	if n.negative = negative; !negative {
		rest = strings.TrimPrefix(rest, "+")
	}
	mantissa := rest
	if at := strings.IndexAny(rest, "eE"); at >= 0 {
		power := rest[at+1:]
		mantissa = rest[:at]
		digits := strings.TrimLeft(power, "+-")
		if len(power)-len(digits) > 1 || !isDigits(digits) {
			return n, notNumber(text, decimal)
		}
		// A power of more than three digits is out of reach, see plain.
		digits = strings.TrimLeft(digits, "0")
		for _, d := range digits[:min(len(digits), 4)] {
			n.exponent = n.exponent*10 + int(d-'0')
		}
		if power[0] == '-' {
			n.exponent = -n.exponent
		}
	}
	whole, fraction, _ := strings.Cut(mantissa, string(decimal))
	if !isDigits(whole + fraction) {
		return n, notNumber(text, decimal)
	}
	n.exponent -= len(fraction)
	n.digits = strings.TrimLeft(whole+fraction, "0")
	return n.trimmed(), nil
}

func notNumber(text string, decimal byte) *Error {
	return &Error{Problem: short(text) + " is not a number", Remedy: "send digits without unit and grouping, such as 1250" + string(decimal) + "5"}
}

// trimmed moves zeros at the end of the digits into the exponent.
func (n number) trimmed() number {
	digits := strings.TrimRight(n.digits, "0")
	n.exponent += len(n.digits) - len(digits)
	n.digits = digits
	return n
}

func isDigits(s string) bool {
	for i := range len(s) {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// rounded takes away the noise of binary numbers: a fraction with 16 or 17
// significant digits is rounded to 15, a half to the even neighbour. Whatever
// else has more than 15 digits cannot have come from a double and is refused:
// rounding it would change the number.
func (n number) rounded() (number, *Error) {
	drop := len(n.digits) - certainDigits
	if drop <= 0 {
		return n, nil
	}
	if n.exponent >= 0 || len(n.digits) > binaryDigits {
		return n, &Error{
			Problem: fmt.Sprintf("the number has %d significant digits, %d are certain", len(n.digits), certainDigits),
			Remedy:  "report fewer digits; an identifier is text: take it out of numbers",
		}
	}
	kept, rest := []byte(n.digits[:certainDigits]), n.digits[certainDigits:]
	half := "5" + strings.Repeat("0", drop-1)
	odd := kept[certainDigits-1]%2 == 1
	n.exponent += drop
	if rest > half || rest == half && odd {
		kept = increment(kept)
	}
	n.digits = string(kept)
	return n.trimmed(), nil
}

// increment adds one to a number written in digits.
func increment(digits []byte) []byte {
	for i := len(digits) - 1; i >= 0; i-- {
		if digits[i] != '9' {
			digits[i]++
			return digits
		}
		digits[i] = '0'
	}
	return append([]byte{'1'}, digits...)
}

// plain writes the number without exponent: "-0.0125", "1250", "0".
func (n number) plain() (string, *Error) {
	if n.digits == "" {
		return "0", nil
	}
	point := len(n.digits) + n.exponent // of digits, where the point stands
	if point > maxPlain || -n.exponent > maxPlain || len(n.digits) > maxPlain {
		return "", &Error{Problem: "the number is beyond any quantity", Remedy: "correct it, or use another unit"}
	}
	text := n.digits
	switch {
	case point <= 0:
		text = "0." + strings.Repeat("0", -point) + n.digits
	case point < len(n.digits):
		text = n.digits[:point] + "." + n.digits[point:]
	default:
		text += strings.Repeat("0", n.exponent)
	}
	if n.negative {
		return "-" + text, nil
	}
	return text, nil
}

func decimalText(text string, decimal byte) (string, *Error) {
	n, fault := scanNumber(text, decimal)
	if fault == nil {
		n, fault = n.rounded()
	}
	if fault != nil {
		return "", fault
	}
	return n.plain()
}

// Serial dates of the 1900 date system (ECMA-376 part 1, section 18.17.4.1):
// day 1 is 1 January 1900, and day 60 is 29 February 1900, which never was, so
// that every later day is one higher than it should be.
const (
	phantomDay  = 60
	lastDay     = 2_958_465 // 31 December 9999
	offset1904  = 1_462     // between the day numbers of the 1904 and the 1900 date system
	millisADay  = 24 * 60 * 60 * 1000
	maxDateText = 40
)

func dateText(text string, decimal byte, serialOffset int64) (string, *Error) {
	if len(text) > maxDateText {
		return "", noDate(text)
	}
	if len(text) >= len(time.DateOnly) && text[4] == '-' {
		return isoText(text)
	}
	serial, fault := decimalText(text, decimal)
	if fault != nil {
		return "", noDate(text)
	}
	whole, fraction, _ := strings.Cut(serial, ".")
	day, err := strconv.ParseInt(whole, 10, 64)
	if err != nil || len(whole) > len("2958465") || whole[0] == '-' {
		return "", noDate(text)
	}
	milli := dayMillis(fraction)
	day += serialOffset + milli/millisADay
	switch {
	case day == phantomDay:
		return "", &Error{Problem: short(text) + " is 29 February 1900, a day that never was", Remedy: "correct the date"}
	case day < 1 || day > lastDay:
		return "", noDate(text)
	case day < phantomDay:
		day++
	}
	epoch := time.Date(1899, 12, 30, 0, 0, 0, 0, time.UTC)
	return civil(epoch.AddDate(0, 0, int(day)).Add(time.Duration(milli%millisADay) * time.Millisecond)), nil
}

// dayMillis is a fraction of a day in milliseconds, a half rounded up: a double
// keeps no more of a date. fraction is the digits behind the point; those behind
// the eleventh are less than a microsecond, and left out.
func dayMillis(fraction string) int64 {
	const places, scale = 11, 100_000_000_000
	digits := fraction + strings.Repeat("0", places)
	part, err := strconv.ParseInt(digits[:places], 10, 64)
	if err != nil {
		return 0 // fraction holds digits only, see decimalText
	}
	// part * millisADay would not fit: a day has 86,400 seconds of 1,000 milliseconds.
	seconds := part * 86_400
	return seconds/scale*1000 + (seconds%scale*1000+scale/2)/scale
}

// civil writes a time without zone; midnight is the day alone, as in a serial date.
func civil(t time.Time) string {
	if t.Equal(t.Truncate(24 * time.Hour)) {
		return t.Format(time.DateOnly)
	}
	return t.Format("2006-01-02T15:04:05.999999999")
}

// isoText reads dates and date-times of ISO 8601 in the extended form, with "T"
// or a blank between. A zone offset stays as it was sent.
func isoText(text string) (string, *Error) {
	form := strings.Replace(text, " ", "T", 1)
	for _, layout := range []string{time.DateOnly, "2006-01-02T15:04:05", "2006-01-02T15:04"} {
		if t, err := time.Parse(layout, form); err == nil {
			return civil(t), nil
		}
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04Z07:00"} {
		if t, err := time.Parse(layout, form); err == nil {
			return t.Format(time.RFC3339Nano), nil
		}
	}
	return "", noDate(text)
}

func noDate(text string) *Error {
	return &Error{Problem: short(text) + " is neither a date such as 2018-11-01 nor a serial date of a spreadsheet", Remedy: "send dates as year-month-day; a time alone is no date"}
}
