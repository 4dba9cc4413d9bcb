package report_test

import (
	"cmp"
	"fmt"
	"maps"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/report"
)

// counted is one fact of the model: what a figure is made of, as a fraction.
type counted struct {
	plant    string
	position int64
	keys     map[string]string // by dimension
	day      string
	unit     string
	measure  string
	disputed bool
	amount   *big.Rat
}

// model is what a controller with paper and pencil would have.
type model struct {
	counted []counted
	stands  map[string]stated // by plant and id: what counts now
}

func (m *model) note(s stated, position int64, sign int64) {
	for _, f := range s.facts {
		amount, ok := new(big.Rat).SetString(f.Base.Value.String())
		if !ok {
			panic(f.Base.Value.String())
		}
		shift := s.day
		if s.shift != "" {
			shift += " " + s.shift
		}
		m.counted = append(m.counted, counted{
			plant: s.plant, position: position, day: s.day, unit: f.Base.Unit, measure: f.Measure, disputed: s.disputed,
			amount: amount.Mul(amount, big.NewRat(sign, 1)),
			keys: map[string]string{
				"item": string(f.Material), "order": string(f.Order), "reason": f.Reason, "day": s.day, "machine": string(f.Equipment),
				"work-center": string(f.WorkCenter), "shift": shift, "lot": string(f.Lot), "operation": string(f.Operation),
			},
		})
	}
}

func (m *model) record(s stated, position int64) {
	name := s.plant + "/" + s.id
	if before, ok := m.stands[name]; ok {
		m.note(before, position, -1)
	}
	delete(m.stands, name)
	if s.change != event.Reversal {
		m.note(s, position, 1)
		m.stands[name] = s
	}
}

// figures are by key and unit what a report shows, all as text of fractions.
type figures map[[2]string]map[string]string

// of sums what a query is about.
func (m *model) of(q report.Query) (rows, totals figures, orders int) {
	sums := map[[2]string]map[string]*big.Rat{}
	all := map[[2]string]map[string]*big.Rat{}
	produced := map[[2]string]*big.Rat{}
	add := func(to map[[2]string]map[string]*big.Rat, key [2]string, column string, amount *big.Rat) {
		if to[key] == nil {
			to[key] = map[string]*big.Rat{}
			for _, c := range []string{"total", "good", "scrap", "rework", "remainder", "disputed"} {
				to[key][c] = new(big.Rat)
			}
		}
		to[key][column].Add(to[key][column], amount)
	}
	for _, c := range m.counted {
		inDays := (q.From == "" || c.day >= q.From) && (q.To == "" || c.day != "" && c.day <= q.To)
		inPlants := len(q.Plants) == 0 || slices.Contains(q.Plants, c.plant)
		if !inDays || !inPlants || q.AsOf != nil && c.position > q.AsOf[c.plant] || c.measure == "consumed" {
			continue
		}
		for _, column := range []string{"total", c.measure, "disputed"} {
			if column != "disputed" || c.disputed {
				add(sums, [2]string{c.keys[string(q.By)], c.unit}, column, c.amount)
				add(all, [2]string{"", c.unit}, column, c.amount)
			}
		}
		order := [2]string{c.keys["order"], c.unit}
		if produced[order] == nil {
			produced[order] = new(big.Rat)
		}
		produced[order].Add(produced[order], c.amount)
	}
	made := map[string]bool{}
	for order, amount := range produced {
		if order[0] != "" && amount.Sign() > 0 {
			made[order[0]] = true
		}
	}
	return asText(sums), asText(all), len(made)
}

func asText(sums map[[2]string]map[string]*big.Rat) figures {
	all := figures{}
	for key, columns := range sums {
		all[key] = map[string]string{}
		for column, amount := range columns {
			all[key][column] = amount.RatString()
		}
	}
	return all
}

// shown are the rows of a report in the form of the model.
func shown(t *testing.T, rows []report.Figures) figures {
	t.Helper()
	all := figures{}
	for _, f := range rows {
		columns := map[string]string{}
		for column, amount := range map[string]event.Decimal{
			"total": f.Total, "good": f.Good, "scrap": f.Rejected, "rework": f.Rework, "remainder": f.Remainder, "disputed": f.Disputed,
		} {
			columns[column] = rat(t, amount).RatString()
		}
		key := [2]string{f.Key, f.Unit}
		if all[key] != nil {
			t.Errorf("two rows of %v", key)
		}
		all[key] = columns
	}
	return all
}

func rat(t *testing.T, d event.Decimal) *big.Rat {
	t.Helper()
	r, ok := new(big.Rat).SetString(d.String())
	if !ok {
		t.Fatal(d)
	}
	return r
}

// history is a reproducible life of two plants: shifts reported, restated, taken
// back, disputed and cleared, in pieces and kilograms, some with digits beyond
// millionths.
func history(t *testing.T, b *book, steps int) (*model, []ledger.Cursor) {
	t.Helper()
	const seed = 20181101
	r := rand.New(rand.NewPCG(seed, 0)) //nolint:gosec // reproducible on purpose
	m := &model{stands: map[string]stated{}}
	pick := func(values ...string) string { return values[r.IntN(len(values))] }
	refs := func(values ...string) event.Ref { return event.Ref(pick(values...)) }
	cursors := []ledger.Cursor{{}}
	for i := range steps {
		s := stated{
			id: fmt.Sprint(r.IntN(steps / 2)), message: fmt.Sprint("m", i), plant: pick("graz", "linz"),
			day: pick("2018-11-01", "2018-11-02", "2018-11-03", ""), disputed: r.IntN(5) == 0,
		}
		if s.day != "" {
			s.shift = pick("1", "2", "3", "")
		}
		if _, known := m.stands[s.plant+"/"+s.id]; known && r.IntN(3) == 0 {
			s.change = event.Reversal
		} else {
			for range 1 + r.IntN(3) {
				amount, unit := fmt.Sprint(r.IntN(5000)), "H87"
				if r.IntN(3) == 0 {
					amount, unit = pick("0.333333333333", "0.666666666667", "12.5", "0.000000000000000001", "1234567.1234567", "31.92"), "KGM"
				}
				f := made(t, pick("good", "good", "scrap", "rework", "remainder", "consumed"), amount, unit)
				f.Material, f.Order, f.Lot = refs("material/M-1", "material/M-2", ""), refs("order/1", "order/2", "order/3", ""), refs("lot/M-1/1", "")
				f.Operation, f.Equipment, f.WorkCenter = refs("operation/1/10", ""), refs("equipment/graz/E1", "equipment/graz/E2"), refs("work-center/graz/L1", "")
				if f.Measure == "scrap" {
					f.Reason = pick("black-spot", "crack")
				}
				s.facts = append(s.facts, f)
			}
		}
		b.state(s)
		m.record(s, b.head()[s.plant])
		if i%(steps/3) == 0 {
			cursors = append(cursors, b.head())
		}
	}
	return m, append(cursors, nil)
}

func TestFiguresAreThoseOfPaperAndPencil(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		m, cursors := history(t, b, 240)
		for _, by := range report.Dimensions() {
			for i, asOf := range cursors {
				for _, q := range []report.Query{
					{},
					{Plants: []string{"linz"}},
					{Plants: []string{"graz", "linz"}, From: "2018-11-02"},
					{To: "2018-11-02"},
					{From: "2018-11-02", To: "2018-11-02"},
					{Plants: []string{"nowhere"}},
				} {
					q.By, q.AsOf = report.Dimension(by), asOf
					t.Run(fmt.Sprintf("%s/cursor %d/plants %v/from %s to %s", by, i, q.Plants, q.From, q.To), func(t *testing.T) { compare(t, b, m, q) })
				}
			}
		}
	})
}

// compare holds a report against the model, and its rows against their details.
func compare(t *testing.T, b *book, m *model, q report.Query) {
	t.Helper()
	p, err := report.ProductionReport(t.Context(), b.Ledger, q)
	if err != nil {
		t.Fatal(err)
	}
	rows, totals, orders := m.of(q)
	if diff := gocmp.Diff(rows, shown(t, p.Rows)); diff != "" {
		t.Errorf("rows: %s", diff)
	}
	if diff := gocmp.Diff(totals, shown(t, p.Totals)); diff != "" {
		t.Errorf("totals: %s", diff)
	}
	if p.Orders != orders {
		t.Errorf("%d orders, want %d", p.Orders, orders)
	}
	if !slices.IsSortedFunc(p.Rows, func(a, b report.Figures) int { return cmp.Or(cmp.Compare(a.Key, b.Key), cmp.Compare(a.Unit, b.Unit)) }) {
		t.Error("the rows have no order")
	}
	for plant := range p.Completeness.Positions {
		if len(q.Plants) > 0 && !slices.Contains(q.Plants, plant) {
			t.Errorf("the position of %s is shown", plant)
		}
	}
	for _, f := range p.Rows {
		opened(t, b, q, f)
	}
}

// opened checks that the facts behind a row add up to it.
func opened(t *testing.T, b *book, q report.Query, f report.Figures) {
	t.Helper()
	q.Key, q.Unkeyed, q.Unit = f.Key, f.Key == "", f.Unit
	found, err := report.Details(t.Context(), b.Ledger, q, 10_000)
	if err != nil {
		t.Fatal(err)
	}
	columns := map[string]*big.Rat{}
	for _, c := range []string{"total", "good", "scrap", "rework", "remainder", "disputed"} {
		columns[c] = new(big.Rat)
	}
	for _, d := range found {
		if d.Unit != f.Unit {
			t.Errorf("a detail of %s in a row of %s", d.Unit, f.Unit)
		}
		columns["total"].Add(columns["total"], rat(t, d.Amount))
		columns[d.Measure].Add(columns[d.Measure], rat(t, d.Amount))
		if d.Disputed {
			columns["disputed"].Add(columns["disputed"], rat(t, d.Amount))
		}
	}
	key := [2]string{f.Key, f.Unit}
	if diff := gocmp.Diff(shown(t, []report.Figures{f}), asText(map[[2]string]map[string]*big.Rat{key: columns})); diff != "" {
		t.Errorf("the details of %v do not add up: %s", key, diff)
	}
}

func TestAnOldPositionGivesTheOldFigures(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		b.state(stated{id: "a", message: "a1", day: "2018-11-01", facts: []event.Fact{made(t, "good", "100", "H87")}})
		then := b.head()
		before, err := report.ProductionReport(t.Context(), b.Ledger, report.Query{By: "item"})
		if err != nil {
			t.Fatal(err)
		}
		b.state(stated{id: "a", message: "a2", day: "2018-11-02", facts: []event.Fact{made(t, "good", "90", "H87"), made(t, "scrap", "10", "H87")}})
		b.state(stated{id: "b", plant: "linz", day: "2018-11-01", facts: []event.Fact{made(t, "good", "1", "H87")}})
		again, err := report.ProductionReport(t.Context(), b.Ledger, report.Query{By: "item", AsOf: then})
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(before, again); diff != "" {
			t.Error(diff)
		}
		if _, leaked := then["linz"]; leaked || !maps.Equal(then, ledger.Cursor{"graz": 1}) {
			t.Errorf("the caller's cursor is changed: %v", then)
		}
	})
}
