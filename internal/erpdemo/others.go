package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/internal/erp"
)

// decide lets quality decide about the lots, and the floor find out more: the first lot
// is released and then corrected, the second rejected and partly scrapped, the third put
// on hold and freed, of the fourth something is scrapped, the last never was.
func (d *demo) decide(ctx context.Context) error {
	jobs := d.floor.jobs()
	for i, j := range jobs {
		var err error
		switch {
		case i == len(jobs)-1:
			err = d.takeBack(ctx, j)
		case i == 1:
			err = d.reject(ctx, j)
		default:
			err = d.release(ctx, i, j)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (d *demo) quality(ctx context.Context, message string, j job, more map[string]any) error {
	body := map[string]any{"number": message + "-" + j.number, "plant": j.Plant, "at": d.today(0), "item": j.Item, "lot": j.lot()}
	maps.Copy(body, more)
	return d.hub.send(ctx, "qms", message, body)
}

func (d *demo) release(ctx context.Context, i int, j job) error {
	if err := d.quality(ctx, "decision", j, map[string]any{"at": d.today(61 * time.Minute), "verdict": "released"}); err != nil {
		return err
	}
	d.books.moveAll(j.code(), j.Item, j.lot(), erp.Hold, erp.Storage)
	switch i {
	case 0:
		good, scrap := j.yield()
		less := must("0.25")
		d.books.move(j.code(), j.Item, j.lot(), less, erp.Storage, erp.Difference)
		return d.complete(ctx, j, good.Sub(less), scrap, false)
	case 2:
		if err := d.quality(ctx, "hold", j, map[string]any{"at": d.today(62 * time.Minute), "reason": "DEV"}); err != nil {
			return err
		}
		return d.quality(ctx, "hold-lift", j, map[string]any{"number": "hold-" + j.number, "at": d.today(63 * time.Minute)})
	case 3:
		d.books.move(j.code(), j.Item, j.lot(), must("2"), erp.Storage, erp.Scrap)
		return d.scrap(ctx, j, must("2"), false)
	}
	return nil
}

func (d *demo) reject(ctx context.Context, j job) error {
	if err := d.quality(ctx, "decision", j, map[string]any{"at": d.today(61 * time.Minute), "verdict": "rejected", "reason": "SPEC"}); err != nil {
		return err
	}
	d.books.moveAll(j.code(), j.Item, j.lot(), erp.Hold, erp.Rejected)
	d.books.move(j.code(), j.Item, j.lot(), must("5.125"), erp.Rejected, erp.Scrap)
	return d.scrap(ctx, j, must("5.125"), false)
}

// takeBack says that a job gave nothing.
func (d *demo) takeBack(ctx context.Context, j job) error {
	good, scrap := j.yield()
	d.books.move(j.code(), j.Item, j.lot(), good, erp.Hold, erp.Difference)
	return d.complete(ctx, j, good, scrap, true)
}

func (d *demo) scrap(ctx context.Context, j job, quantity event.Decimal, cancelled bool) error {
	return d.hub.send(ctx, "mes", "scrap", map[string]any{
		"number": "S-" + j.number, "plant": j.Plant, "at": d.today(64 * time.Minute), "item": j.Item, "lot": j.lot(),
		"quantity": quantity.String(), "unit": j.Unit, "reason": "DAM", "cancelled": cancelled,
	})
}

// count lets handhelds count less and more than the books say; and the scrap of the
// fourth lot turns out to be none.
func (d *demo) count(ctx context.Context) error {
	if jobs := d.floor.jobs(); len(jobs) > 4 {
		d.books.move(jobs[3].code(), jobs[3].Item, jobs[3].lot(), must("2"), erp.Scrap, erp.Hold)
		if err := d.scrap(ctx, jobs[3], must("2"), true); err != nil {
			return err
		}
	}
	for i, c := range []struct{ plant, item, lot, change string }{
		{"P100", "RM-1003", "RM-1003-2610-A", "-0.4"},
		{"P200", "RM-1005", "RM-1005-2610-A", "0.5"},
		{"P300", "PK-2002", "", "-12"},
	} {
		spot := erp.Spot{Location: erp.Storage.At(c.plant), Item: c.item, Lot: c.lot}
		d.books.move(c.plant, c.item, c.lot, must(c.change), erp.Difference, erp.Storage)
		err := d.hub.send(ctx, "wms", "count", map[string]any{
			"number": fmt.Sprintf("N-%d", i+1), "plant": "p" + c.plant[1:], "place": erp.Storage, "at": d.today(65 * time.Minute),
			"lines": []line{{c.item, c.lot, d.books.at(spot).String(), unitOf(c.item)}},
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// What others do in the ERP by hand, and the hub must take as facts.
const (
	foreignMoves  = 1
	foreignCounts = 1
)

// foreign lets a clerk move and count in the ERP itself.
func (d *demo) foreign(ctx context.Context) error {
	if err := d.clerkCounts(ctx, "P200", "PK-2001", must("-7")); err != nil {
		return fmt.Errorf("the clerk counts: %w", err)
	}
	if err := d.clerkMoves(ctx, "P300", "PK-2003", must("100")); err != nil {
		return fmt.Errorf("the clerk moves: %w", err)
	}
	return d.waitForFacts(ctx)
}

// idOf finds a record by its code.
func (d *demo) idOf(ctx context.Context, model, code string) (int64, error) {
	id, found, err := d.server.client.Find(ctx, model, []any{"code", "=", code})
	if err == nil && !found {
		err = fmt.Errorf("the ERP has no %s %s", model, code)
	}
	return id, err
}

func (d *demo) clerkCounts(ctx context.Context, plant, item string, change event.Decimal) error {
	location, err := d.idOf(ctx, "stock.location", erp.Storage.At(plant))
	if err != nil {
		return err
	}
	product, err := d.idOf(ctx, "product.product", item)
	if err != nil {
		return err
	}
	d.books.move(plant, item, "", change, erp.Difference, erp.Storage)
	counted := d.books.at(erp.Spot{Location: erp.Storage.At(plant), Item: item})
	ids, err := d.server.client.Create(ctx, "stock.inventory", map[string]any{
		"location": location, "empty_quantity": "keep", "date": erp.Date(d.began.UTC()),
		"lines": erp.Add(map[string]any{"product": product, "quantity": json.Number(counted.String())}),
	})
	if err != nil {
		return err
	}
	return d.server.client.Press(ctx, "stock.inventory", "confirm", ids...)
}

func (d *demo) clerkMoves(ctx context.Context, plant, item string, quantity event.Decimal) error {
	from, err := d.idOf(ctx, "stock.location", erp.Storage.At(plant))
	if err != nil {
		return err
	}
	to, err := d.idOf(ctx, "stock.location", erp.Output.At(plant))
	if err != nil {
		return err
	}
	product, err := d.idOf(ctx, "product.product", item)
	if err != nil {
		return err
	}
	unit, found, err := d.server.client.Find(ctx, "product.uom", []any{"symbol", "=", "u"})
	if err != nil || !found {
		return fmt.Errorf("the unit u: found %t: %w", found, err)
	}
	d.books.move(plant, item, "", quantity, erp.Storage, erp.Output)
	ids, err := d.server.client.Create(ctx, "stock.shipment.internal", map[string]any{
		"from_location": from, "to_location": to, "reference": "by hand",
		"moves": erp.Add(map[string]any{"product": product, "uom": unit, "quantity": json.Number(quantity.String()), "from_location": from, "to_location": to}),
	})
	if err != nil {
		return err
	}
	for _, button := range []string{"wait", "assign_try", "done"} {
		if err := d.server.client.Press(ctx, "stock.shipment.internal", button, ids...); err != nil {
			return err
		}
	}
	return nil
}
