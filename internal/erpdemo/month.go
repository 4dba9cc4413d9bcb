package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/internal/erp"
)

// A monthRun is the moulding plant's month on its way into the ERP.
type monthRun struct {
	d      *demo
	month  *erp.Month
	closed []string // orders whose end was reported, in the order of that
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
	for _, s := range m.month.Shifts {
		if err := m.end(ctx, s); err != nil {
			return err
		}
	}
	m.d.say("%d shift reports are on record, and the end of %d orders", len(m.month.Shifts), len(m.closed))
	return nil
}

// end reports the end of an order the first time that it is met, and counts what all of
// its shifts gave and took.
func (m *monthRun) end(ctx context.Context, first erp.Shift) error {
	if m.d.books.orders[first.Order] != nil || m.d.limit > 0 && len(m.closed) >= m.d.limit {
		return nil
	}
	var good, scrap int64
	var grams event.Decimal
	for _, s := range m.month.Shifts {
		if s.Order == first.Order {
			good, scrap, grams = good+s.Good, scrap+s.Scrap, grams.Add(s.Grams)
		}
	}
	if good+scrap == 0 {
		return nil // nothing came of it, and it stays open
	}
	account := m.d.books.order(first.Order, erp.MouldingPlant, first.Item)
	m.d.books.use(account, first.Resin, "", grams)
	m.d.books.give(account, "", whole(good), whole(scrap), erp.Storage)
	m.closed = append(m.closed, first.Order)
	err := m.d.hub.send(ctx, "moulding-mes", "order-end", map[string]any{
		"order": first.Order, "at": m.d.today(2 * time.Hour), "outcome": "completed",
	})
	if err != nil {
		return fmt.Errorf("end of order %s: %w", first.Order, err)
	}
	return nil
}
