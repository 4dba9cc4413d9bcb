// Package report makes figures of what is on record, as of a position. Every
// figure can be opened down to the events and messages that it is made of, and
// every report says how complete it is. It only reads.
package report

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
)

// Dimension is what figures are grouped by.
type Dimension string

// The dimensions, and the columns of facts that they read.
var dimensions = map[Dimension]string{
	"item": "material", "order": "order_ref", "reason": "reason", "day": "day", "machine": "equipment",
	"work-center": "work_center", "shift": "trim(day || ' ' || shift)", "lot": "lot", "operation": "operation",
}

// Dimensions lists what figures can be grouped by.
func Dimensions() []string {
	names := make([]string, 0, len(dimensions))
	for d := range dimensions {
		names = append(names, string(d))
	}
	slices.Sort(names)
	return names
}

// Query chooses what a report is about. Empty fields choose all.
type Query struct {
	By     Dimension
	Plants []string
	From   string        // first production day, "2018-11-01"
	To     string        // last production day; with either, what has no production day is left out
	AsOf   ledger.Cursor // nil: now

	// One row of a report is a key and a unit: for drill-down.
	Key     string
	Unkeyed bool   // the group without a key, which an empty Key does not choose
	Unit    string // base unit
}

// Figures are the sums of one group in one unit. Amounts are in base units.
type Figures struct {
	Key       string        `json:"key"` // ref, code or day; "" for what has none
	Unit      string        `json:"unit"`
	Total     event.Decimal `json:"total"` // good, rejected, rework and remainder together
	Good      event.Decimal `json:"good"`
	Rejected  event.Decimal `json:"rejected"`
	Rework    event.Decimal `json:"rework"`
	Remainder event.Decimal `json:"remainder"`
	Disputed  event.Decimal `json:"disputed"` // of the total, what a policy disputes
}

// Completeness says what a report knows and what it cannot know.
type Completeness struct {
	AsOf      string             `json:"as_of"`     // cursor: the position in every feed
	Positions map[string]int64   `json:"positions"` // the same, readable
	Recorded  time.Time          `json:"recorded"`  // when the last event in it was recorded
	Held      []ledger.HeldCount `json:"held"`      // messages that are kept but not counted, at the time of asking
	HeldTotal int64              `json:"held_total"`

	Waived      []ledger.HeldCount `json:"waived"` // messages that people gave up: they will not be counted
	WaivedTotal int64              `json:"waived_total"`

	Edited     int64 `json:"edited"`      // events that stand by content that people edited in the hub, at the time of asking
	EditedOpen int64 `json:"edited_open"` // of them, those of which the source says otherwise

	Assured   bool   `json:"assured"` // a source says that everything before a time was sent
	Statement string `json:"statement"`
}

// Production is the report of what was made and what was rejected.
type Production struct {
	By           Dimension    `json:"by"`
	Rows         []Figures    `json:"rows"`
	Totals       []Figures    `json:"totals"` // one row for each unit
	Orders       int          `json:"orders"` // with anything produced
	Completeness Completeness `json:"completeness"`
}

// ProductionReport sums production and scrap by a dimension.
func ProductionReport(ctx context.Context, l *ledger.Ledger, q Query) (Production, error) {
	p := Production{By: q.By, Rows: []Figures{}, Totals: []Figures{}}
	if err := q.fix(ctx, l); err != nil {
		return p, err
	}
	var err error
	if p.Completeness, err = complete(ctx, l, q); err != nil {
		return p, err
	}
	groups, totals, orders := map[groupKey]*Figures{}, map[groupKey]*Figures{}, map[groupKey]event.Decimal{}
	err = q.sums(ctx, l, func(s sum) {
		s.addTo(groups, s.key)
		s.addTo(totals, "")
		order := groupKey{s.order, s.unit}
		orders[order] = orders[order].Add(s.amount)
	})
	if err != nil {
		return p, err
	}
	p.Rows, p.Totals, p.Orders = values(groups), values(totals), produced(orders)
	return p, nil
}

// produced counts the orders of which there is anything, in whatever unit.
func produced(amounts map[groupKey]event.Decimal) int {
	orders := map[string]bool{}
	for k, amount := range amounts {
		if k.key != "" && amount.Sign() > 0 {
			orders[k.key] = true
		}
	}
	return len(orders)
}

type groupKey struct{ key, unit string }

// addTo counts a sum in the figures of a group.
func (s *sum) addTo(groups map[groupKey]*Figures, key string) {
	k := groupKey{key, s.unit}
	f := groups[k]
	if f == nil {
		f = &Figures{Key: key, Unit: s.unit}
		groups[k] = f
	}
	part := map[string]*event.Decimal{"good": &f.Good, "scrap": &f.Rejected, "rework": &f.Rework, "remainder": &f.Remainder}[s.measure]
	*part = part.Add(s.amount)
	f.Total = f.Total.Add(s.amount)
	if s.disputed {
		f.Disputed = f.Disputed.Add(s.amount)
	}
}

func values(groups map[groupKey]*Figures) []Figures {
	rows := make([]Figures, 0, len(groups))
	for _, f := range groups {
		rows = append(rows, *f)
	}
	slices.SortFunc(rows, func(a, b Figures) int { return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Unit, b.Unit)) })
	return rows
}

// fix checks a query and fixes the position that it is of: of the plants that it
// is about and of no other.
func (q *Query) fix(ctx context.Context, l *ledger.Ledger) error {
	if _, ok := dimensions[q.By]; !ok {
		return fault.New("report.Query", fault.InvalidRequest, "by", "%.40q; figures can be grouped by %s", q.By, strings.Join(Dimensions(), ", "))
	}
	if err := cmp.Or(checkDay("from", q.From), checkDay("to", q.To)); err != nil {
		return err
	}
	if q.From != "" && q.To != "" && q.From > q.To {
		return fault.New("report.Query", fault.InvalidRequest, "to", "%s is before %s", q.To, q.From)
	}
	head, err := l.Head(ctx)
	if err != nil {
		return err
	}
	asked := q.AsOf
	if asked == nil {
		asked = head
	}
	q.AsOf = ledger.Cursor{}
	for plant, position := range asked {
		if len(q.Plants) > 0 && !slices.Contains(q.Plants, plant) {
			continue
		}
		if position < 0 || position > head[plant] {
			return fault.New("report.Query", fault.InvalidRequest, "as_of", "position %d of plant %.80q is not on record here: take the cursor of a report of this hub", position, plant)
		}
		q.AsOf[plant] = position
	}
	return nil
}

func checkDay(field, day string) error {
	if _, err := time.Parse(time.DateOnly, day); day != "" && err != nil {
		return fault.New("report.Query", fault.InvalidRequest, field, "%.40q is no day of the form 2018-11-01", day)
	}
	return nil
}

// complete says what a report of a query leaves out.
func complete(ctx context.Context, l *ledger.Ledger, q Query) (Completeness, error) {
	c := Completeness{AsOf: q.AsOf.String(), Positions: q.AsOf, Held: []ledger.HeldCount{}, Waived: []ledger.HeldCount{}}
	held, err := l.CountHeld(ctx, "message")
	if err != nil {
		return c, err
	}
	for _, h := range held {
		if len(q.Plants) == 0 || slices.Contains(q.Plants, h.Plant) {
			c.Held = append(c.Held, h)
			c.HeldTotal += h.Open
		}
	}
	waived, err := l.CountWaived(ctx)
	if err != nil {
		return c, err
	}
	for _, w := range waived {
		if len(q.Plants) == 0 || slices.Contains(q.Plants, w.Plant) {
			c.Waived = append(c.Waived, w)
			c.WaivedTotal += w.Open
		}
	}
	edited, err := l.CountEdited(ctx)
	if err != nil {
		return c, err
	}
	for _, e := range edited {
		if len(q.Plants) == 0 || slices.Contains(q.Plants, e.Plant) {
			c.Edited += e.Events
			c.EditedOpen += e.Open
		}
	}
	if c.Recorded, err = l.RecordedAt(ctx, q.AsOf); err != nil {
		return c, err
	}
	c.Statement = "everything on record up to the position; estimated, because no source has said up to when it has sent everything"
	if c.Edited > 0 {
		c.Statement = editedInHub(c.Edited, c.EditedOpen) + "; " + c.Statement
	}
	if c.WaivedTotal > 0 {
		c.Statement = givenUp(c.WaivedTotal) + "; " + c.Statement
	}
	if c.HeldTotal > 0 {
		c.Statement = notCounted(c.HeldTotal) + "; " + c.Statement
	}
	return c, nil
}

// givenUp is the sentence about waived messages.
func givenUp(waived int64) string {
	if waived == 1 {
		return "1 message was given up and is not counted"
	}
	return fmt.Sprintf("%d messages were given up and are not counted", waived)
}

// editedInHub is the sentence about events that were made of edited content.
func editedInHub(edited, open int64) string {
	text := fmt.Sprintf("%d events were edited in the hub", edited)
	if edited == 1 {
		text = "1 event was edited in the hub"
	}
	if open > 0 {
		text += fmt.Sprintf(", and of %d the source says otherwise", open)
	}
	return text
}

// notCounted is the sentence about held messages.
func notCounted(held int64) string {
	if held == 1 {
		return "1 held message is not counted"
	}
	return fmt.Sprintf("%d held messages are not counted", held)
}
