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
	"work-center": "work_center", "shift": "day || ' ' || shift", "lot": "lot", "operation": "operation",
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
	To     string        // last production day
	Key    string        // only the group of this key: for drill-down
	AsOf   ledger.Cursor // nil: now
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
	Held      []ledger.HeldCount `json:"held"`      // messages that are kept but not counted
	HeldTotal int64              `json:"held_total"`
	Assured   bool               `json:"assured"` // a source says that everything before a time was sent
	Statement string             `json:"statement"`
}

// Production is the report of what was made and what was rejected.
type Production struct {
	By           Dimension    `json:"by"`
	Rows         []Figures    `json:"rows"`
	Totals       []Figures    `json:"totals"` // one row for each unit
	Orders       int          `json:"orders"` // with anything produced
	Completeness Completeness `json:"completeness"`
}

// productionMeasures are the measures of facts that production is made of.
var productionMeasures = []string{"good", "scrap", "rework", "remainder"}

// ProductionReport sums production and scrap by a dimension.
func ProductionReport(ctx context.Context, l *ledger.Ledger, q Query) (Production, error) {
	column, ok := dimensions[q.By]
	if !ok {
		return Production{}, fault.New("report.Production", fault.InvalidRequest, "by", "%q; figures can be grouped by %s", q.By, strings.Join(Dimensions(), ", "))
	}
	p := Production{By: q.By, Rows: []Figures{}, Totals: []Figures{}}
	var err error
	if p.Completeness, err = complete(ctx, l, &q); err != nil {
		return p, err
	}
	groups, totals, orders := map[groupKey]*Figures{}, map[groupKey]*Figures{}, map[string]event.Decimal{}
	for _, plant := range sorted(q.AsOf) {
		if len(q.Plants) > 0 && !slices.Contains(q.Plants, plant) {
			continue
		}
		err := sums(ctx, l, q, plant, column, func(s sum) {
			add(groups, groupKey{s.key, s.unit}, s)
			add(totals, groupKey{"", s.unit}, s)
		})
		if err != nil {
			return p, err
		}
		if err := sums(ctx, l, q, plant, "order_ref", func(s sum) { orders[s.key] = orders[s.key].Add(s.amount) }); err != nil {
			return p, err
		}
	}
	for order, amount := range orders {
		if order != "" && amount.Sign() > 0 {
			p.Orders++
		}
	}
	p.Rows, p.Totals = values(groups), values(totals)
	return p, nil
}

type groupKey struct{ key, unit string }

// sum is one measure of one group.
type sum struct {
	key, unit, measure string
	disputed           bool
	amount             event.Decimal
}

func add(groups map[groupKey]*Figures, k groupKey, s sum) {
	f := groups[k]
	if f == nil {
		f = &Figures{Key: k.key, Unit: k.unit}
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

// sums yields the sum of each measure by group, exactly: millionths in SQL, what
// they cannot carry added here.
func sums(ctx context.Context, l *ledger.Ledger, q Query, plant, column string, yield func(sum)) error {
	return l.Read(ctx, func(ctx context.Context, r *ledger.Reader) error {
		where, args := conditions(r, q, plant)
		query := fmt.Sprintf(`select %s, base_unit, measure, disputed, cast(sum(scaled) as text) from facts where %s group by 1, 2, 3, 4`, column, where)
		var failed error
		err := r.Query(ctx, query, args, func(row ledger.Row) error {
			var s sum
			var disputed int64
			var scaled string
			if err := row.Scan(&s.key, &s.unit, &s.measure, &disputed, &scaled); err != nil {
				return err
			}
			s.disputed = disputed != 0
			if s.amount, failed = event.ParseDecimal(scaled); failed != nil {
				return failed
			}
			if s.amount, failed = s.amount.Mul(millionth); failed != nil {
				return failed
			}
			yield(s)
			return nil
		})
		if err != nil {
			return err
		}
		query = fmt.Sprintf(`select %s, base_unit, measure, disputed, residue from facts where %s and residue <> ''`, column, where)
		return r.Query(ctx, query, args, func(row ledger.Row) error {
			var s sum
			var disputed int64
			var residue string
			if err := row.Scan(&s.key, &s.unit, &s.measure, &disputed, &residue); err != nil {
				return err
			}
			s.disputed = disputed != 0
			if s.amount, failed = event.ParseDecimal(residue); failed != nil {
				return failed
			}
			yield(s)
			return nil
		})
	})
}

// millionth is the scale of facts.scaled.
var millionth = func() event.Decimal {
	d, err := event.FromScaled(1, 6)
	if err != nil {
		panic(err) //nolint:forbidigo // a constant that is wrong is a fault of this file
	}
	return d
}()

// conditions are the where clause of a query over facts and its arguments.
func conditions(r *ledger.Reader, q Query, plant string) (string, []any) {
	in, measures := r.In("measure", "$3", productionMeasures)
	where := "plant = $1 and position <= $2 and " + in
	args := []any{plant, q.AsOf[plant], measures}
	more := func(text string, value any) {
		args = append(args, value)
		where += fmt.Sprintf(" and "+text, len(args))
	}
	if q.From != "" {
		more("day >= $%d", q.From)
	}
	if q.To != "" {
		more("day <= $%d", q.To)
	}
	if q.Key != "" {
		more(dimensions[q.By]+" = $%d", q.Key)
	}
	return where, args
}

// complete fixes the position that a report is of, and says what it leaves out.
func complete(ctx context.Context, l *ledger.Ledger, q *Query) (Completeness, error) {
	if q.AsOf == nil {
		head, err := l.Head(ctx)
		if err != nil {
			return Completeness{}, err
		}
		q.AsOf = head
	}
	c := Completeness{AsOf: q.AsOf.String(), Positions: q.AsOf, Held: []ledger.HeldCount{}}
	held, err := l.CountHeld(ctx)
	if err != nil {
		return c, err
	}
	for _, h := range held {
		if len(q.Plants) == 0 || slices.Contains(q.Plants, h.Plant) {
			c.Held = append(c.Held, h)
			c.HeldTotal += h.Open
		}
	}
	if c.Recorded, err = l.RecordedAt(ctx, q.AsOf); err != nil {
		return c, err
	}
	c.Statement = "everything on record up to the position; estimated, because no source has said up to when it has sent everything"
	if c.HeldTotal > 0 {
		c.Statement = fmt.Sprintf("%d held messages are not counted; %s", c.HeldTotal, c.Statement)
	}
	return c, nil
}

// A Detail is one fact behind a figure, with the event and message it came from.
type Detail struct {
	Event    string        `json:"event"`
	Message  string        `json:"message"`
	System   string        `json:"system"`
	Measure  string        `json:"measure"`
	Day      string        `json:"day"`
	Shift    string        `json:"shift"`
	Order    event.Ref     `json:"order"`
	Material event.Ref     `json:"material"`
	Machine  event.Ref     `json:"machine"`
	Reason   string        `json:"reason,omitempty"`
	Amount   event.Decimal `json:"amount"` // negative where a correction takes back
	Unit     string        `json:"unit"`
	Disputed bool          `json:"disputed,omitempty"`
	Recorded time.Time     `json:"recorded"`
}

// Details opens a figure: the facts of one group in the order of the feed, those
// taken back included, so that they add up to the figure.
func Details(ctx context.Context, l *ledger.Ledger, q Query, limit int) ([]Detail, error) {
	if _, ok := dimensions[q.By]; !ok {
		return nil, fault.New("report.Details", fault.InvalidRequest, "by", "%q; figures can be grouped by %s", q.By, strings.Join(Dimensions(), ", "))
	}
	if _, err := complete(ctx, l, &q); err != nil {
		return nil, err
	}
	all := []Detail{}
	for _, plant := range sorted(q.AsOf) {
		if len(q.Plants) > 0 && !slices.Contains(q.Plants, plant) {
			continue
		}
		err := l.Read(ctx, func(ctx context.Context, r *ledger.Reader) error {
			where, args := conditions(r, q, plant)
			query := fmt.Sprintf(`select e.key, e.statement, e.message, e.system, f.measure, f.day, f.shift, f.order_ref, f.material, f.equipment, f.reason,
				f.base_value, f.base_unit, f.disputed, f.recorded
				from (select * from facts where %s order by position, n limit %d) f
				join events e on e.plant = f.plant and e.position = f.position order by f.position, f.n`, where, limit-len(all))
			return r.Query(ctx, query, args, func(row ledger.Row) error {
				d, err := scanDetail(row)
				all = append(all, d)
				return err
			})
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func scanDetail(row ledger.Row) (Detail, error) {
	var (
		d                  Detail
		key, amount        string
		statement          int
		disputed, recorded int64
	)
	err := row.Scan(&key, &statement, &d.Message, &d.System, &d.Measure, &d.Day, &d.Shift, &d.Order, &d.Material, &d.Machine, &d.Reason,
		&amount, &d.Unit, &disputed, &recorded)
	if err != nil {
		return d, err
	}
	d.Event, d.Disputed, d.Recorded = event.StatementID(key, statement), disputed != 0, time.UnixMicro(recorded).UTC()
	d.Amount, err = event.ParseDecimal(amount)
	return d, err
}

func sorted(c ledger.Cursor) []string {
	plants := make([]string, 0, len(c))
	for plant := range c {
		plants = append(plants, plant)
	}
	slices.Sort(plants)
	return plants
}
