package tryton

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/gapless/gapless/event"
)

// A request is the request of a command, as the catalog's mapping makes it; the
// package comment has the vocabulary.
type request struct {
	Do        string `json:"do"`
	Order     string `json:"order"`
	Operation string `json:"operation"`
	Product   string `json:"product"`
	Warehouse string `json:"warehouse"`
	Location  string `json:"location"`
	From      places `json:"from"`
	To        string `json:"to"`
	Unit      string `json:"unit"`
	Text      string `json:"text"`
	Date      day    `json:"date"`
	Quantity  amount `json:"quantity"`
	Minutes   amount `json:"minutes"`
	Release   bool   `json:"release"`
	Lines     []line `json:"lines"`
	Outputs   []line `json:"outputs"`
}

// A line is so much of a product, and of one of its lots.
type line struct {
	Product  string `json:"product"`
	Lot      string `json:"lot"` // "" for a product without lots
	Quantity amount `json:"quantity"`
	Unit     string `json:"unit"` // symbol
	To       string `json:"to"`   // of an output: code of a location
}

// An amount is an exact decimal, as text or as a number.
type amount struct{ *event.Decimal }

// UnmarshalJSON reads an amount.
func (a *amount) UnmarshalJSON(text []byte) error {
	d, err := event.ParseDecimal(strings.Trim(string(text), `"`))
	a.Decimal = &d
	return err
}

// A day is a Date as text.
type day struct{ Date }

// UnmarshalJSON reads "2026-11-23".
func (d *day) UnmarshalJSON(text []byte) error {
	var s string
	if err := json.Unmarshal(text, &s); err != nil || s == "" {
		return err
	}
	date, err := ParseDate(s)
	if err != nil {
		return fmt.Errorf("%.40q is no day such as 2026-11-23", s)
	}
	d.Date = date
	return nil
}

// maxLines and maxText bound a request.
const (
	maxLines = 500
	maxText  = 200 // of the words behind the key, in bytes
)

// requestOf reads the request of a command. The error names what is wrong.
func requestOf(from map[string]any) (*request, error) {
	from = maps.Clone(from)
	delete(from, "find") // mappings of other connectors ask with it; this one knows how
	text, err := json.Marshal(from)
	if err != nil {
		return nil, err
	}
	r := &request{}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(r); err != nil {
		return nil, fmt.Errorf("the request: %w", err)
	}
	return r, r.check()
}

// check says which fields that the request needs are missing or wrong.
func (r *request) check() error {
	a, known := actions()[r.Do]
	if !known {
		return fmt.Errorf("do: %.40q is none of issue, receive, operation, transfer, count, order", r.Do)
	}
	var wrong []error
	given := map[string]bool{
		"order": r.Order != "", "operation": r.Operation != "", "product": r.Product != "", "warehouse": r.Warehouse != "",
		"location": r.Location != "", "from": len(r.From) > 0, "to": r.To != "", "unit": r.Unit != "",
		"quantity": r.Quantity.Decimal != nil, "minutes": r.Minutes.Decimal != nil, "lines": len(r.Lines) > 0, "outputs": len(r.Outputs) > 0,
	}
	for _, field := range a.needs {
		if !given[field] {
			wrong = append(wrong, fmt.Errorf("%s: it is missing, and %s needs it", field, r.Do))
		}
	}
	if len(r.Lines)+len(r.Outputs) > maxLines {
		wrong = append(wrong, fmt.Errorf("%d lines, more than %d", len(r.Lines)+len(r.Outputs), maxLines))
	}
	if len(r.Text) > maxText || strings.ContainsAny(r.Text, "\r\n\x00") {
		wrong = append(wrong, fmt.Errorf("text: one line of at most %d bytes", maxText))
	}
	for i, l := range r.Lines {
		if r.Do == "transfer" && l.whole() {
			continue
		}
		wrong = append(wrong, l.check(fmt.Sprintf("lines[%d]", i), r.Do == "count"))
	}
	for i, l := range r.Outputs {
		wrong = append(wrong, l.check(fmt.Sprintf("outputs[%d]", i), false))
		if l.To == "" {
			wrong = append(wrong, fmt.Errorf("outputs[%d].to: the location is missing", i))
		}
	}
	return errors.Join(wrong...)
}

func (l line) check(at string, zero bool) error {
	switch {
	case l.Product == "":
		return fmt.Errorf("%s.product: it is missing", at)
	case l.Unit == "":
		return fmt.Errorf("%s.unit: it is missing", at)
	case l.Quantity.Decimal == nil:
		return fmt.Errorf("%s.quantity: it is missing", at)
	case l.Quantity.Sign() < 0 || l.Quantity.IsZero() && !zero:
		return fmt.Errorf("%s.quantity: %s is not above zero", at, l.Quantity)
	}
	return nil
}
