package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/gapless/gapless/internal/erp"
)

// products makes all items: those of the three plants, and those of the moulding plant.
func (s *seeder) products(ctx context.Context) error {
	category, err := s.ensure(ctx, "product.category", domain("name", "Kept in the books"), values{
		"name": "Kept in the books", "accounting": true,
		"account_expense": s.ids["account/Main Expense"], "account_revenue": s.ids["account/Main Revenue"],
		"account_stock": s.ids["account/Stock"], "account_stock_in": s.ids["account/Stock Expense"], "account_stock_out": s.ids["account/Stock Expense"],
	})
	if err != nil {
		return err
	}
	if err := s.lookups(ctx, "product", "product.product", "code", []any{"code", "!=", nil}); err != nil {
		return err
	}
	var missing []map[string]any
	for _, items := range [][]erp.Item{erp.Items(), s.month.Items, s.month.Resins} {
		for _, item := range items {
			if _, twice := s.items[item.Code]; twice {
				return fmt.Errorf("item %s is there twice", item.Code)
			}
			s.items[item.Code] = item
			if _, made := s.ids["product/"+item.Code]; !made {
				missing = append(missing, s.template(item, category))
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	if _, err := s.c.Create(ctx, "product.template", missing...); err != nil {
		return err
	}
	return s.lookups(ctx, "product", "product.product", "code", []any{"code", "!=", nil})
}

func (s *seeder) template(item erp.Item, category int64) values {
	v := values{
		"code": item.Code, "name": item.Name, "type": "goods", "default_uom": s.ids["uom/"+item.Unit],
		"list_price": erp.Money(item.Cost), "cost_price_method": "average", "account_category": category,
		"producible": item.Made, "consumable": item.Code == "RM-1006", "lot_required": []string{}, "shelf_life_state": "none",
		"products": erp.Add(values{"cost_price": erp.Money(item.Cost)}),
	}
	if item.Lots {
		v["lot_required"] = []string{"supplier", "customer", "lost_found", "storage", "production"}
	}
	if item.ShelfLife > 0 {
		v["shelf_life_state"], v["shelf_life_time"] = "required", item.ShelfLife
	}
	return v
}

// bills makes bills and routings, and gives each item its own.
func (s *seeder) bills(ctx context.Context) error {
	for _, b := range erp.Bills() {
		if err := s.bill(ctx, b); err != nil {
			return fmt.Errorf("%s: %w", b.Item, err)
		}
	}
	return nil
}

func (s *seeder) bill(ctx context.Context, b erp.Bill) error {
	var inputs []map[string]any
	for _, need := range b.Needs {
		inputs = append(inputs, s.line(need.Item, need.Quantity))
	}
	name := "Bill " + b.Item
	if err := s.keep(ctx, "bill/"+b.Item, "production.bom", domain("name", name), values{
		"name": name, "inputs": erp.Add(inputs...), "outputs": erp.Add(s.line(b.Item, b.Quantity)),
	}); err != nil {
		return err
	}
	var steps []map[string]any
	for i, does := range b.Operations {
		steps = append(steps, values{"operation": s.ids["operation/"+does], "sequence": 10 * (i + 1)})
	}
	name = "Routing " + b.Item
	if err := s.keep(ctx, "routing/"+b.Item, "production.routing", domain("name", name), values{
		"name": name, "boms": erp.Link(s.ids["bill/"+b.Item]), "steps": erp.Add(steps...),
	}); err != nil {
		return err
	}
	product := s.ids["product/"+b.Item]
	_, made, err := s.c.Find(ctx, "product.product-production.bom", domain("product", product)...)
	if err != nil || made {
		return err
	}
	return s.c.Write(ctx, "product.product", values{
		"boms": erp.Add(values{"bom": s.ids["bill/"+b.Item], "routing": s.ids["routing/"+b.Item]}),
	}, product)
}

// line is a quantity of an item in its unit.
func (s *seeder) line(item, quantity string) values {
	return values{"product": s.ids["product/"+item], "quantity": json.Number(quantity), "uom": s.ids["uom/"+s.items[item].Unit]}
}

// openings buys what lies in the plants before the hub begins.
func (s *seeder) openings(ctx context.Context) error {
	var moves []map[string]any
	for _, o := range erp.Openings() {
		move, err := s.opening(ctx, o)
		if err != nil {
			return fmt.Errorf("%s %s: %w", o.Plant, o.Item, err)
		}
		if move != nil {
			moves = append(moves, move)
		}
	}
	for _, resin := range s.month.Resins {
		move, err := s.opening(ctx, erp.Opening{Plant: erp.MouldingPlant, Item: resin.Code, Quantity: erp.ResinStock})
		if err != nil {
			return fmt.Errorf("resin %s: %w", resin.Code, err)
		}
		if move != nil {
			moves = append(moves, move)
		}
	}
	if len(moves) > 0 {
		if _, err := s.c.Create(ctx, "stock.move", moves...); err != nil {
			return err
		}
	}
	return s.post(ctx)
}

// opening is the move of a purchase, nil where it was made before.
func (s *seeder) opening(ctx context.Context, o erp.Opening) (values, error) {
	to := s.ids["location/"+erp.Storage.At(o.Plant)]
	v := s.line(o.Item, o.Quantity)
	before := domain("product", v["product"], "to_location", to, "from_location", s.ids["location/SUP"])
	if o.Lot != "" {
		lot := values{"number": erp.LotOf(o.Item, o.Lot), "product": v["product"]}
		if days := s.items[o.Item].ShelfLife; days > 0 {
			if o.Expired {
				days = 3
			}
			lot["shelf_life_expiration_date"] = erp.Date(s.opened().AddDate(0, 0, days))
		}
		id, err := s.ensure(ctx, "stock.lot", domain("number", lot["number"], "product", v["product"]), lot)
		if err != nil {
			return nil, err
		}
		v["lot"] = id
		before = append(before, []any{"lot", "=", id})
	}
	_, made, err := s.c.Find(ctx, "stock.move", before...)
	if err != nil || made {
		return nil, err
	}
	v["company"], v["currency"] = s.ids["company"], s.ids["currency"]
	v["from_location"], v["to_location"] = s.ids["location/SUP"], to
	v["unit_price"] = erp.Money(s.items[o.Item].Cost)
	v["effective_date"], v["planned_date"] = erp.Date(s.opened()), erp.Date(s.opened())
	return v, nil
}

// post posts the purchases that are still drafts, of this run or of one that was ended.
func (s *seeder) post(ctx context.Context) error {
	type move struct{ ID int64 }
	drafts, err := erp.Read[move](ctx, s.c, "stock.move", domain("from_location", s.ids["location/SUP"], "state", "draft"), nil, "id")
	if err != nil || len(drafts) == 0 {
		return err
	}
	var ids []int64
	for _, d := range drafts {
		ids = append(ids, d.ID)
	}
	return s.c.Press(ctx, "stock.move", "do", ids...)
}
