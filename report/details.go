package report

import (
	"context"
	"fmt"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/ledger"
)

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

// Details opens a figure: at most limit facts of one group in the order of each
// plant's feed, those taken back included, so that all of them add up to the figure.
func Details(ctx context.Context, l *ledger.Ledger, q Query, limit int) ([]Detail, error) {
	if err := q.fix(ctx, l); err != nil {
		return nil, err
	}
	all := []Detail{}
	for s := range q.stretches() {
		if len(all) >= limit {
			break
		}
		err := l.Read(ctx, func(ctx context.Context, r *ledger.Reader) error {
			where, args := q.conditions(r, s)
			query := fmt.Sprintf(`select e.key, e.statement, e.message, e.system, f.measure, f.day, f.shift, f.order_ref, f.material, f.equipment, f.reason,
				f.base_value, f.base_unit, f.disputed, f.recorded
				from (select * from facts where %s order by position, n limit $%d) f
				join events e on e.plant = f.plant and e.position = f.position and e.recorded = f.recorded order by f.position, f.n`, where, len(args)+1)
			return r.Query(ctx, query, append(args, limit-len(all)), func(row ledger.Row) error {
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
