package tryton

import (
	"context"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
)

// transfer moves stock by an internal shipment.
func transfer(ctx context.Context, a *attempt) ([]connector.Document, error) {
	f := a.request.form()
	d, err := a.one(ctx, f)
	if err != nil {
		return nil, err
	}
	if d == nil {
		from, lines, err := a.taken(ctx)
		if err != nil || len(lines) == 0 { // it lies there already
			return nil, err
		}
		id, err := a.newShipment(ctx, from, lines)
		if err != nil {
			return nil, err
		}
		d = &draft{ID: id, State: "draft"}
	}
	if err := a.ship(ctx, f, d); err != nil {
		return nil, a.abandon(ctx, f, d.ID, err)
	}
	return a.finish(ctx, f, d.ID)
}

// ship takes a shipment from the state in which it is through those that follow.
func (a *attempt) ship(ctx context.Context, f form, d *draft) error {
	if d.State == "request" || d.State == "draft" {
		if err := a.press(ctx, f.model, "wait", d.ID, d.Timestamp, nil); err != nil {
			return err
		}
		d.State = "waiting"
	}
	if d.State == "waiting" {
		var reserved bool
		if err := a.press(ctx, f.model, "assign_try", d.ID, "", &reserved); err != nil {
			return err
		}
		if !reserved {
			return refuse(fault.StockInsufficient, "assign_try of the shipment was answered false: %s has not enough that is free", a.request.From)
		}
		d.State = "assigned"
	}
	if d.State == "assigned" {
		return a.press(ctx, f.model, "done", d.ID, "", nil)
	}
	return nil
}

// newShipment makes the draft.
func (a *attempt) newShipment(ctx context.Context, from location, lines []line) (int64, error) {
	r := a.request
	to, err := a.s.names.location(ctx, r.To)
	if err != nil {
		return 0, err
	}
	lots, err := a.lots(ctx, lines, from)
	if err != nil {
		return 0, err
	}
	moves, err := a.moves(ctx, lines, lots, from.ID, to.ID)
	if err != nil {
		return 0, err
	}
	company, _, err := a.s.names.company(ctx)
	if err != nil {
		return 0, err
	}
	values := map[string]any{
		"company": company, "reference": a.text(), "from_location": from.ID, "to_location": to.ID,
		"moves": []any{[]any{"create", moves}},
	}
	if !r.Date.IsZero() {
		values["effective_date"] = r.Date.Date
	}
	return a.create(ctx, "stock.shipment.internal", values)
}

// moves are the values of new lines between two locations.
func (a *attempt) moves(ctx context.Context, lines []line, lots map[lotName]int64, from, to int64) ([]map[string]any, error) {
	var all []map[string]any
	for _, l := range lines {
		m, err := a.move(ctx, l, lots, from, to)
		if err != nil {
			return nil, err
		}
		all = append(all, m)
	}
	return all, nil
}

func (a *attempt) move(ctx context.Context, l line, lots map[lotName]int64, from, to int64) (map[string]any, error) {
	p, err := a.s.names.product(ctx, l.Product)
	if err != nil {
		return nil, err
	}
	u, err := a.s.names.unit(ctx, l.Unit)
	if err != nil {
		return nil, err
	}
	company, currency, err := a.s.names.company(ctx)
	if err != nil {
		return nil, err
	}
	m := map[string]any{
		"company": company, "currency": currency, "product": p.ID, "uom": u.ID, "quantity": literal(*l.Quantity.Decimal),
		"from_location": from, "to_location": to,
	}
	if id := lots[lotName{l.Product, l.Lot}]; id != 0 {
		m["lot"] = id
	}
	return m, nil
}

// lots are those of lines that are moved from a location. Of what is off the books
// there may be less than nothing.
func (a *attempt) lots(ctx context.Context, lines []line, from location) (map[lotName]int64, error) {
	if from.Type == "storage" {
		return a.inStock(ctx, lines, from)
	}
	found, err := a.lotsOf(ctx, lines, nil, false)
	if err != nil {
		return nil, err
	}
	return a.known(lines, found)
}
