package tryton

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/gapless/gapless/event"
)

// A Date is a day as the server writes it. The zero Date is none.
type Date struct{ time.Time }

// ParseDate reads "2026-11-23".
func ParseDate(text string) (Date, error) {
	t, err := time.Parse(time.DateOnly, text)
	return Date{t}, err
}

// MarshalJSON writes the server's object of a day; null for none.
func (d Date) MarshalJSON() ([]byte, error) {
	if d.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(map[string]any{"__class__": "date", "year": d.Year(), "month": int(d.Month()), "day": d.Day()})
}

// UnmarshalJSON reads the server's object of a day; null is none.
func (d *Date) UnmarshalJSON(text []byte) error {
	t, err := timeOf(text, "date")
	d.Time = t
	return err
}

// String is "2026-11-23"; "" for none.
func (d Date) String() string {
	if d.IsZero() {
		return ""
	}
	return d.Format(time.DateOnly)
}

// A Time is a moment as the server writes it: UTC, to the microsecond. The zero
// Time is none.
type Time struct{ time.Time }

// MarshalJSON writes the server's object of a moment; null for none.
func (t Time) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	u := t.UTC()
	return json.Marshal(map[string]any{
		"__class__": "datetime", "year": u.Year(), "month": int(u.Month()), "day": u.Day(),
		"hour": u.Hour(), "minute": u.Minute(), "second": u.Second(), "microsecond": u.Nanosecond() / 1000,
	})
}

// UnmarshalJSON reads the server's object of a moment; null is none.
func (t *Time) UnmarshalJSON(text []byte) error {
	read, err := timeOf(text, "datetime")
	t.Time = read
	return err
}

func timeOf(text []byte, class string) (time.Time, error) {
	var v struct {
		Class                                               string `json:"__class__"`
		Year, Month, Day, Hour, Minute, Second, Microsecond int
	}
	if string(text) == "null" {
		return time.Time{}, nil
	}
	if err := json.Unmarshal(text, &v); err != nil || v.Class != class {
		return time.Time{}, fmt.Errorf("%.80s is no %s", text, class)
	}
	return time.Date(v.Year, time.Month(v.Month), v.Day, v.Hour, v.Minute, v.Second, v.Microsecond*1000, time.UTC), nil
}

// decimal is an amount of money as the server writes it.
func decimal(text string) map[string]any {
	return map[string]any{"__class__": "Decimal", "decimal": text}
}

// seconds is a duration as the server writes it.
func seconds(minutes json.Number) (map[string]any, error) {
	m, err := event.ParseDecimal(minutes.String())
	if err != nil {
		return nil, err
	}
	sixty, err := event.FromScaled(60, 0)
	if err != nil {
		return nil, err
	}
	s, err := m.Mul(sixty)
	if err != nil {
		return nil, err
	}
	return map[string]any{"__class__": "timedelta", "seconds": json.Number(s.String())}, nil
}

// literal is a quantity as a JSON number with the digits that it has: it never
// passes through a binary float of ours.
func literal(d event.Decimal) json.Number { return json.Number(d.String()) }
