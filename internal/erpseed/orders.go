package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/gapless/gapless/internal/erp"
)

// orders makes the production orders of the three plants and releases them.
func (s *seeder) orders(ctx context.Context) error {
	var released []int64
	for _, o := range erp.Orders() {
		id, found, err := s.c.Find(ctx, "production", domain("reference", o.Plan)...)
		if err != nil {
			return err
		}
		if !found {
			v, err := s.exploded(ctx, o)
			if err != nil {
				return fmt.Errorf("%s: %w", o.Plan, err)
			}
			ids, err := s.c.Create(ctx, "production", v)
			if err != nil {
				return fmt.Errorf("%s: %w", o.Plan, err)
			}
			id = ids[0]
		}
		if !o.Draft {
			released = append(released, id)
		}
	}
	return s.release(ctx, released)
}

// exploded is an order with the lines of its bill. The server works them out only where
// a field is changed, as its own client asks it to; it saves nothing then.
func (s *seeder) exploded(ctx context.Context, o erp.Order) (values, error) {
	v := s.order(o)
	v["bom"], v["routing"] = s.ids["bill/"+o.Item], s.ids["routing/"+o.Item]
	asked := values{"inputs": []any{}, "outputs": []any{}}
	for _, field := range []string{"company", "warehouse", "location", "product", "bom", "uom", "quantity"} {
		asked[field] = v[field]
	}
	var changes []struct {
		Inputs, Outputs struct{ Add [][]any }
	}
	if err := s.c.Call(ctx, &changes, nil, "model.production.on_change", asked, []string{"bom"}); err != nil {
		return nil, err
	}
	if len(changes) != 1 {
		return nil, fmt.Errorf("the ERP worked out %d orders, not 1", len(changes))
	}
	inputs, err := proposed(changes[0].Inputs.Add)
	if err != nil {
		return nil, err
	}
	outputs, err := proposed(changes[0].Outputs.Add)
	if err != nil {
		return nil, err
	}
	for _, line := range outputs {
		line["unit_price"] = erp.Money("0")
	}
	v["inputs"], v["outputs"] = erp.Add(inputs...), erp.Add(outputs...)
	return v, nil
}

// proposed takes of the lines that the server proposes what it takes back: [place, line].
func proposed(added [][]any) ([]map[string]any, error) {
	var lines []map[string]any
	for _, pair := range added {
		if len(pair) != 2 {
			return nil, fmt.Errorf("a line of the bill has %d parts, not place and content", len(pair))
		}
		content, ok := pair[1].(map[string]any)
		if !ok {
			return nil, fmt.Errorf("a line of the bill is a %T", pair[1])
		}
		line := values{}
		for _, field := range []string{"product", "uom", "quantity", "from_location", "to_location", "company", "currency"} {
			if content[field] != nil {
				line[field] = content[field]
			}
		}
		lines = append(lines, line)
	}
	return lines, nil
}

// order is what every order has.
func (s *seeder) order(o erp.Order) values {
	v := s.line(o.Item, o.Quantity)
	v["company"], v["reference"] = s.ids["company"], o.Plan
	v["warehouse"], v["location"] = s.ids["location/"+o.Plant], s.ids["location/"+erp.Floor.At(o.Plant)]
	v["work_center"] = s.ids["centre/"+o.Plant]
	v["planned_start_date"], v["planned_date"] = erp.Date(s.today.AddDate(0, 0, -1)), erp.Date(s.today.AddDate(0, 0, 1))
	if o.Number != "" {
		v["number"] = o.Number
	}
	return v
}

// mouldingOrders makes the orders of the moulding plant in a few calls. They have no bill in
// the ERP: what they are made of stands in them.
func (s *seeder) mouldingOrders(ctx context.Context) error {
	if err := s.lookups(ctx, "production", "production", "reference", []any{"warehouse", "=", s.ids["location/"+erp.MouldingPlant]}); err != nil {
		return err
	}
	var missing []map[string]any
	for _, o := range s.month.Orders {
		if _, made := s.ids["production/"+o.Plan]; made {
			continue
		}
		v := s.order(o.Order)
		v["inputs"] = erp.Add(s.moved(o.Resin, o.Grams, erp.Storage, erp.Floor))
		out := s.moved(o.Item, o.Quantity, erp.Floor, erp.Storage)
		out["unit_price"] = erp.Money("0")
		v["outputs"] = erp.Add(out)
		missing = append(missing, v)
	}
	for some := range slices.Chunk(missing, 20) {
		if _, err := s.c.Create(ctx, "production", some...); err != nil {
			return err
		}
	}
	if err := s.lookups(ctx, "production", "production", "reference", []any{"warehouse", "=", s.ids["location/"+erp.MouldingPlant]}); err != nil {
		return err
	}
	var ids []int64
	for _, o := range s.month.Orders {
		id, err := s.id("production/" + o.Plan)
		if err != nil {
			return err
		}
		ids = append(ids, id)
	}
	return s.release(ctx, ids)
}

// moved is a line of a moulding order, from one place of the plant to another.
func (s *seeder) moved(item string, quantity string, from, to erp.Place) values {
	v := s.line(item, quantity)
	v["company"], v["currency"] = s.ids["company"], s.ids["currency"]
	v["from_location"] = s.ids["location/"+from.At(erp.MouldingPlant)]
	v["to_location"] = s.ids["location/"+to.At(erp.MouldingPlant)]
	return v
}

// release releases those orders that are drafts: to ask it of one that runs would put it back.
func (s *seeder) release(ctx context.Context, ids []int64) error {
	type production struct{ ID int64 }
	drafts, err := erp.Read[production](ctx, s.c, "production", []any{[]any{"id", "in", ids}, []any{"state", "=", "draft"}}, nil, "id")
	if err != nil || len(drafts) == 0 {
		return err
	}
	ids = ids[:0]
	for _, d := range drafts {
		ids = append(ids, d.ID)
	}
	return s.c.Press(ctx, "production", "wait", ids...)
}
