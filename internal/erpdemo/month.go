package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/internal/erp"
)

// A monthRun is the moulding plant's month on its way into the ERP.
type monthRun struct {
	d      *demo
	month  *erp.Month
	closed []string // orders whose end was reported, in the order of that
	last   []string // orders whose end is reported later: see endLast
}

func newMonthRun(d *demo) (*monthRun, error) {
	month, err := erp.ReadMonth(os.Getenv("GAPLESS_DATA"), filepath.Join(d.folder, "month"))
	if err != nil {
		return nil, err
	}
	kind := "the made-up month: GAPLESS_DATA names no folder with the published one"
	if month.Real {
		kind = "the published month of a real plant"
	}
	d.say("%s: %d orders, %d shifts with an order", kind, len(month.Orders), len(month.Shifts))
	return &monthRun{d: d, month: month}, nil
}

// send sends the plant's tables and shift reports as files, and then the end of each order
// that gave anything.
func (m *monthRun) send(ctx context.Context) error {
	args := []string{"send", filepath.Join(m.month.Folder, "master-data", "itemCompositionSummary.csv")}
	reports, err := filepath.Glob(filepath.Join(m.month.Folder, "shift-reports", "monthlyReports_*.csv"))
	if err != nil {
		return err
	}
	if err := m.d.hub.command(ctx, "", append(args, reports...)...); err != nil {
		return err
	}
	ends := m.ends()
	if keep := len(ends) - ofDesk; m.d.faults == nil && keep > 0 {
		ends, m.last = ends[:keep], ends[keep:]
	}
	for _, order := range ends {
		if err := m.end(ctx, order); err != nil {
			return err
		}
	}
	m.d.say("%d shift reports are on record, and the end of %d orders", len(m.month.Shifts), len(m.closed))
	return nil
}

// endLast reports the end of the orders that send has left.
func (m *monthRun) endLast(ctx context.Context) error {
	for _, order := range m.last {
		if err := m.end(ctx, order); err != nil {
			return err
		}
	}
	return nil
}

// ends are the orders that gave anything, in the order of their first shift: the others
// stay open.
func (m *monthRun) ends() []string {
	gave, all := map[string]int64{}, []string{}
	for _, s := range m.month.Shifts {
		if _, known := gave[s.Order]; !known {
			all = append(all, s.Order)
		}
		gave[s.Order] += s.Good + s.Scrap
	}
	all = slices.DeleteFunc(all, func(order string) bool { return gave[order] == 0 })
	if m.d.limit > 0 {
		all = all[:min(m.d.limit, len(all))]
	}
	return all
}

// end reports the end of an order, and counts what all of its shifts gave and took.
func (m *monthRun) end(ctx context.Context, order string) error {
	var good, scrap int64
	var grams event.Decimal
	var one erp.Shift
	for _, s := range m.month.Shifts {
		if s.Order == order {
			if one.Order == "" {
				one = s
			}
			good, scrap, grams = good+s.Good, scrap+s.Scrap, grams.Add(s.Grams)
		}
	}
	account := m.d.books.order(order, erp.MouldingPlant, one.Item)
	m.d.books.use(account, one.Resin, "", grams)
	m.d.books.give(account, "", whole(good), whole(scrap), erp.Storage)
	m.closed = append(m.closed, order)
	err := m.d.hub.send(ctx, "moulding-mes", "order-end", map[string]any{
		"order": order, "at": m.d.today(2 * time.Hour), "outcome": "completed",
	})
	if err != nil {
		return fmt.Errorf("end of order %s: %w", order, err)
	}
	return nil
}
