package mapping

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

const dayLayout = "2006-01-02"

// dayOf is the day that a text begins with: "2018-11-01", alone or with a time.
func dayOf(arguments []any) (any, error) {
	text, err := textOf("day_of", 0, arguments[0])
	if err != nil {
		return nil, err
	}
	if text == "" {
		return nil, &missing{call: "day_of", argument: 0}
	}
	day := text
	if len(text) > len(dayLayout) && (text[len(dayLayout)] == 'T' || text[len(dayLayout)] == ' ') {
		day = text[:len(dayLayout)]
	}
	if _, err := time.Parse(dayLayout, day); err != nil {
		return nil, &timeInvalid{fmt.Sprintf("%.60q does not begin with a day such as 2018-11-01", text)}
	}
	return day, nil
}

// shift is when a shift of a production day began and ended, in the plant's zone.
func (env Environment) shift(call string, arguments []any) (from, to any, err error) {
	day, err := textOf(call, 0, arguments[0])
	if err != nil {
		return nil, nil, err
	}
	shift, err := textOf(call, 1, arguments[1])
	if err != nil {
		return nil, nil, err
	}
	if env.Calendar == nil {
		return nil, nil, fmt.Errorf("%s needs the calendar of a plant: name the plant of the mapping", call)
	}
	for i, text := range []string{day, shift} {
		if text == "" {
			return nil, nil, &missing{call: call, argument: i}
		}
	}
	if _, err := time.Parse(dayLayout, day); err != nil {
		return nil, nil, &timeInvalid{fmt.Sprintf("%.60q is no day such as 2018-11-01: take it out of a time with day_of", day)}
	}
	begin, end, ok := env.Calendar(day, shift)
	if !ok {
		unknown := &shiftUnknown{call: call, day: day, shift: shift}
		if env.Shifts != nil {
			unknown.known = env.Shifts(day)
		}
		return nil, nil, unknown
	}
	return begin.Format(time.RFC3339Nano), end.Format(time.RFC3339Nano), nil
}

// layoutParts are the parts of a layout as people write it, longest first.
var layoutParts = strings.NewReplacer("YYYY", "2006", "YY", "06", "MM", "01", "DD", "02", "hh", "15", "mm", "04", "ss", "05")

// timeOf reads a local time of the plant, which carries no offset itself. When
// the clocks are put back the earlier of the two moments is meant; a time that
// the clocks skip never was, and is an error.
func (env Environment) timeOf(arguments []any) (any, error) {
	text, err := textOf("time_of", 0, arguments[0])
	if err != nil {
		return nil, err
	}
	layout, err := textOf("time_of", 1, arguments[1])
	if err != nil {
		return nil, err
	}
	if env.Zone == nil {
		return nil, errors.New("time_of needs the time zone of a plant: name the plant of the mapping")
	}
	wall, err := time.Parse(layoutParts.Replace(layout), text)
	if err != nil {
		return nil, &timeInvalid{fmt.Sprintf("%.60q is no time written %s", text, layout)}
	}
	for _, around := range []time.Duration{-24 * time.Hour, 24 * time.Hour} { // with the offset before a change, then with that after it
		_, offset := wall.Add(around).In(env.Zone).Zone()
		moment := wall.Add(-time.Duration(offset) * time.Second).In(env.Zone)
		if moment.Format(time.DateTime) == wall.Format(time.DateTime) {
			return moment.Format(time.RFC3339Nano), nil
		}
	}
	return nil, &timeInvalid{fmt.Sprintf("the plant's clocks never showed %.60q: they were put forward over it", text)}
}
