package report

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"math/big"
	"slices"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/ledger"
)

// A stretch is a part of one feed: the positions behind after, up to last.
type stretch struct {
	plant       string
	after, last int64
}

// stretchLength is how many positions one read looks at. Summed at once, a hundred
// thousand take longer than a read may last on a busy machine, and keep the WAL
// from starting over.
const stretchLength = 5_000

// stretches cut the feeds of a query that is fixed into parts, plant by plant.
func (q *Query) stretches() iter.Seq[stretch] {
	return func(yield func(stretch) bool) {
		for _, plant := range slices.Sorted(maps.Keys(q.AsOf)) {
			for after := int64(0); after < q.AsOf[plant]; after += stretchLength {
				if !yield(stretch{plant, after, min(after+stretchLength, q.AsOf[plant])}) {
					return
				}
			}
		}
	}
}

// A sum is a part of one measure of one group: of one order and one stretch.
type sum struct {
	key, order, unit, measure string
	disputed                  bool
	amount                    event.Decimal
}

// sums yields the parts of every figure of a query. They add up exactly.
func (q *Query) sums(ctx context.Context, l *ledger.Ledger, yield func(sum)) error {
	for s := range q.stretches() {
		err := l.Read(ctx, func(ctx context.Context, r *ledger.Reader) error {
			where, args := q.conditions(r, s)
			return r.Query(ctx, fmt.Sprintf(sumQuery, dimensions[q.By], where), args, func(row ledger.Row) error {
				s, err := scanSum(row)
				if err == nil {
					yield(s)
				}
				return err
			})
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// A sum of 64-bit integers overflows where amounts are near their end. So SQL
// sums what is above a billion millionths and what is below apart. What millionths
// cannot carry is summed as so many times the same residue: nearly always none.
const (
	billion  = 1_000_000_000
	sumQuery = `select %s, order_ref, base_unit, measure, disputed, residue, count(*),
		cast(sum(scaled / 1000000000) as bigint), cast(sum(scaled %% 1000000000) as bigint)
		from facts where %s group by 1, 2, 3, 4, 5, 6`
)

func scanSum(row ledger.Row) (sum, error) {
	var (
		s                          sum
		residue                    string
		disputed, count, high, low int64
	)
	if err := row.Scan(&s.key, &s.order, &s.unit, &s.measure, &disputed, &residue, &count, &high, &low); err != nil {
		return s, err
	}
	s.disputed = disputed != 0
	millionths := new(big.Int).Mul(big.NewInt(high), big.NewInt(billion))
	millionths.Add(millionths, big.NewInt(low))
	var err error
	if s.amount, err = event.ParseDecimal(millionths.String() + "e-6"); err != nil || residue == "" {
		return s, err
	}
	rest, err := event.ParseTimes(residue, count)
	s.amount = s.amount.Add(rest)
	return s, err
}

// productionMeasures are the measures of facts that production is made of.
var productionMeasures = []string{"good", "scrap", "rework", "remainder"}

// conditions are the where clause of a query over the facts of a stretch, and its
// arguments.
func (q *Query) conditions(r *ledger.Reader, s stretch) (string, []any) {
	in, measures := r.In("measure", "$4", productionMeasures)
	where := "plant = $1 and position > $2 and position <= $3 and " + in
	args := []any{s.plant, s.after, s.last, measures}
	more := func(text string, value any) {
		args = append(args, value)
		where += fmt.Sprintf(" and "+text, len(args))
	}
	if q.From != "" {
		more("day >= $%d", q.From)
	}
	if q.To != "" {
		more("day <= $%d and day <> ''", q.To)
	}
	if q.Key != "" || q.Unkeyed {
		more(dimensions[q.By]+" = $%d", q.Key)
	}
	if q.Unit != "" {
		more("base_unit = $%d", q.Unit)
	}
	return where, args
}
