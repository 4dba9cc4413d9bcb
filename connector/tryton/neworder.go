package tryton

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
)

// makeOrder makes a production order, and releases it where that is asked for.
func makeOrder(ctx context.Context, a *attempt) ([]connector.Document, error) {
	f := a.request.form()
	d, err := a.one(ctx, f)
	if err != nil {
		return nil, err
	}
	if d == nil {
		id, err := a.newOrder(ctx)
		if err != nil {
			return nil, err
		}
		d = &draft{ID: id, State: "draft"}
	}
	if !f.isDone(d.State) {
		if err := a.press(ctx, f.model, "wait", d.ID, d.Timestamp, nil); err != nil {
			return nil, a.abandon(ctx, f, d.ID, err)
		}
	}
	return a.finish(ctx, f, d.ID)
}

// newOrder makes the draft with the lines that the ERP proposes.
func (a *attempt) newOrder(ctx context.Context) (int64, error) {
	values, err := a.orderValues(ctx)
	if err != nil {
		return 0, err
	}
	var changed []struct {
		Inputs, Outputs struct {
			Add [][]json.RawMessage
		}
	}
	explode := Call{Method: "model.production.on_change", Args: []any{values, []string{"bom"}}}
	if err := a.s.client.Do(ctx, explode, &changed); err != nil {
		return 0, err
	}
	for _, change := range changed {
		for field, proposed := range map[string][][]json.RawMessage{"inputs": change.Inputs.Add, "outputs": change.Outputs.Add} {
			lines, err := linesOf(proposed, field == "outputs")
			if err != nil {
				return 0, err
			}
			if len(lines) > 0 {
				values[field] = []any{[]any{"create", lines}}
			}
		}
	}
	return a.create(ctx, "production", values)
}

// linesOf are the values of proposed lines. Outputs need a price; the ERP computes
// the cost when the order is done.
func linesOf(proposed [][]json.RawMessage, outputs bool) ([]map[string]any, error) {
	var all []map[string]any
	for _, p := range proposed { // place, values
		if len(p) != 2 {
			return nil, fmt.Errorf("a proposed line has %d parts, not 2", len(p))
		}
		var from map[string]any
		if err := decode(p[1], &from); err != nil {
			return nil, err
		}
		values := map[string]any{}
		for _, field := range []string{"product", "uom", "quantity", "from_location", "to_location", "company", "currency"} {
			values[field] = from[field]
		}
		if outputs {
			values["unit_price"] = decimal("0")
		}
		all = append(all, values)
	}
	return all, nil
}

// orderValues are those of an order before its BOM is exploded.
func (a *attempt) orderValues(ctx context.Context) (map[string]any, error) {
	r := a.request
	p, err := a.s.names.product(ctx, r.Product)
	if err != nil {
		return nil, err
	}
	u, err := a.s.names.unit(ctx, r.Unit)
	if err != nil {
		return nil, err
	}
	company, _, err := a.s.names.company(ctx)
	if err != nil {
		return nil, err
	}
	var warehouses []struct {
		ID         int64
		Production *int64 `json:"production_location"`
	}
	if err := a.s.client.SearchRead(ctx, "stock.location", Query{Domain: []any{is("code", r.Warehouse), is("type", "warehouse")}, Fields: []string{"production_location"}, Limit: 2}, &warehouses); err != nil {
		return nil, err
	}
	if len(warehouses) != 1 || warehouses[0].Production == nil {
		return nil, refuse(fault.MasterDataMissing, "the ERP has no one warehouse %q with a production location", r.Warehouse)
	}
	var boms []struct {
		BOM     int64 `json:"bom"`
		Routing *int64
	}
	if err := a.s.client.SearchRead(ctx, "product.product-production.bom", Query{Domain: []any{is("product", p.ID)}, Fields: []string{"bom", "routing"}}, &boms); err != nil {
		return nil, err
	}
	if len(boms) == 0 {
		return nil, refuse(fault.MasterDataMissing, "the ERP has no BOM for the product %s", r.Product)
	}
	values := map[string]any{
		"company": company, "warehouse": warehouses[0].ID, "location": *warehouses[0].Production, "product": p.ID, "bom": boms[0].BOM,
		"uom": u.ID, "quantity": literal(*r.Quantity.Decimal), "reference": a.text(), "inputs": []any{}, "outputs": []any{},
	}
	if boms[0].Routing != nil { // whose operations are given work centers below that of the plant
		center, err := a.workCenter(ctx, warehouses[0].ID)
		if err != nil {
			return nil, err
		}
		values["routing"], values["work_center"] = *boms[0].Routing, center
	}
	if !r.Date.IsZero() {
		values["planned_start_date"], values["planned_date"] = r.Date.Date, r.Date.Date
	}
	return values, nil
}

// workCenter is the topmost work center of a warehouse.
func (a *attempt) workCenter(ctx context.Context, warehouse int64) (int64, error) {
	var all []struct{ ID int64 }
	q := Query{Domain: []any{is("warehouse", warehouse), is("parent", nil)}, Fields: []string{"name"}, Limit: 2}
	if err := a.s.client.SearchRead(ctx, "production.work.center", q, &all); err != nil {
		return 0, err
	}
	if len(all) != 1 {
		return 0, refuse(fault.MasterDataMissing, "the ERP has no one topmost work center of the warehouse %s", a.request.Warehouse)
	}
	return all[0].ID, nil
}
