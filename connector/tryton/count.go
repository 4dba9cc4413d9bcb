package tryton

import (
	"context"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
)

// count posts what was counted.
func count(ctx context.Context, a *attempt) ([]connector.Document, error) {
	f := a.request.form()
	d, err := a.one(ctx, f)
	if err != nil {
		return nil, err
	}
	if d != nil && !f.isDone(d.State) { // what it expects may be as old as the draft
		if err := a.cancel(ctx, f, *d); err != nil {
			return nil, err
		}
		d = nil
	}
	if d == nil {
		id, err := a.newInventory(ctx)
		if err != nil {
			return nil, err
		}
		d = &draft{ID: id}
		if err := a.press(ctx, f.model, "confirm", id, "", nil); err != nil {
			return nil, a.abandon(ctx, f, id, err)
		}
	}
	return a.finish(ctx, f, d.ID)
}

// newInventory makes the draft. Its lines are in the units of the products.
func (a *attempt) newInventory(ctx context.Context) (int64, error) {
	r := a.request
	at, err := a.s.names.location(ctx, r.Location)
	if err != nil {
		return 0, err
	}
	lots, err := a.inStock(ctx, r.Lines, at, false)
	if err != nil {
		return 0, err
	}
	var lines []map[string]any
	for _, l := range r.Lines {
		p, err := a.s.names.product(ctx, l.Product)
		if err != nil {
			return 0, err
		}
		if p.Unit.Symbol != l.Unit {
			return 0, refuse(fault.UnitRefused, "%s is counted in %s, not in %s", l.Product, p.Unit.Symbol, l.Unit)
		}
		values := map[string]any{"product": p.ID, "quantity": literal(*l.Quantity.Decimal)}
		if id := lots[lotName{l.Product, l.Lot}]; id != 0 {
			values["lot"] = id
		}
		lines = append(lines, values)
	}
	company, _, err := a.s.names.company(ctx)
	if err != nil {
		return 0, err
	}
	values := map[string]any{"company": company, "number": a.text(), "location": at.ID, "empty_quantity": "keep", "lines": []any{[]any{"create", lines}}}
	if !r.Date.IsZero() {
		values["date"] = r.Date.Date
	}
	return a.create(ctx, "stock.inventory", values)
}
