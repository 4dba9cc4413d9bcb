package erp

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/gapless/gapless/event"
)

// A Spot is where something of an item lies: in a location, and of a lot, which is ""
// for an item without lots.
type Spot struct{ Location, Item, Lot string }

// A Move is one posted movement.
type Move struct {
	Item, Lot, Unit string
	Quantity        event.Decimal // in Unit
	From, To        string        // codes of locations
	Order           string        // number of the production order that it belongs to; "" for none
	Output          bool          // it came out of that order, else it went into it
}

// A Production is a production order as the books have it.
type Production struct {
	Number, Plan, State, Plant, Item string
}

// A Document is an internal shipment or an inventory.
type Document struct {
	Number, State string
	Reference     string // what it carries: of ours the key of the command, and words behind it
}

type coded struct{ Code string }

type numbered struct{ Number string }

// Moves reads every posted movement, exactly as it was posted.
func Moves(ctx context.Context, c *Client) ([]Move, error) {
	type row struct {
		Quantity json.Number
		Product  coded `json:"product."`
		Unit     struct {
			Symbol string
		} `json:"uom."`
		Lot  *numbered `json:"lot."`
		From coded     `json:"from_location."`
		To   coded     `json:"to_location."`
		In   *numbered `json:"production_input."`
		Out  *numbered `json:"production_output."`
	}
	rows, err := Read[row](ctx, c, "stock.move", []any{[]any{"state", "=", "done"}}, nil,
		"quantity", "product.code", "uom.symbol", "lot.number", "from_location.code", "to_location.code", "production_input.number", "production_output.number")
	if err != nil {
		return nil, fmt.Errorf("read the moves: %w", err)
	}
	var all []Move
	for _, r := range rows {
		quantity, err := event.ParseDecimal(r.Quantity.String())
		if err != nil {
			return nil, fmt.Errorf("a move of %s: %w", r.Product.Code, err)
		}
		m := Move{Item: r.Product.Code, Unit: r.Unit.Symbol, Quantity: quantity, From: r.From.Code, To: r.To.Code}
		if r.Lot != nil {
			m.Lot = r.Lot.Number
		}
		switch {
		case r.In != nil:
			m.Order = r.In.Number
		case r.Out != nil:
			m.Order, m.Output = r.Out.Number, true
		}
		all = append(all, m)
	}
	return all, nil
}

// Productions reads every production order.
func Productions(ctx context.Context, c *Client) ([]Production, error) {
	type row struct {
		Number, Reference, State string
		Product                  coded `json:"product."`
		Warehouse                coded `json:"warehouse."`
	}
	rows, err := Read[row](ctx, c, "production", []any{}, nil, "number", "reference", "state", "product.code", "warehouse.code")
	if err != nil {
		return nil, fmt.Errorf("read the productions: %w", err)
	}
	var all []Production
	for _, r := range rows {
		all = append(all, Production{r.Number, r.Reference, r.State, r.Warehouse.Code, r.Product.Code})
	}
	return all, nil
}

// Documents reads every internal shipment and inventory that is not cancelled.
func Documents(ctx context.Context, c *Client) ([]Document, error) {
	alive := []any{[]any{"state", "!=", "cancelled"}}
	type row struct{ Number, Reference, State string }
	shipments, err := Read[row](ctx, c, "stock.shipment.internal", alive, nil, "number", "reference", "state")
	if err != nil {
		return nil, fmt.Errorf("read the shipments: %w", err)
	}
	inventories, err := Read[row](ctx, c, "stock.inventory", alive, nil, "number", "state")
	if err != nil {
		return nil, fmt.Errorf("read the inventories: %w", err)
	}
	var all []Document
	for _, r := range shipments {
		all = append(all, Document{r.Number, r.State, r.Reference})
	}
	for _, r := range inventories {
		all = append(all, Document{r.Number, r.State, r.Number})
	}
	return all, nil
}

// Stock is what the ERP itself says lies in a location, by item, rounded to the three
// decimals that its units have at most: it adds in binary.
func Stock(ctx context.Context, c *Client, location string) (map[string]event.Decimal, error) {
	id, found, err := c.Find(ctx, "stock.location", []any{"code", "=", location})
	if err != nil || !found {
		return nil, fmt.Errorf("location %s: found %t: %w", location, found, err)
	}
	type row struct {
		Code     string
		Quantity json.Number
	}
	here := map[string]any{"locations": []int64{id}, "with_childs": false}
	rows, err := Read[row](ctx, c, "product.product", []any{[]any{"quantity", "!=", 0}}, here, "code", "quantity")
	if err != nil {
		return nil, fmt.Errorf("read the stock of %s: %w", location, err)
	}
	stock := map[string]event.Decimal{}
	for _, r := range rows {
		quantity, err := event.ParseDecimal(r.Quantity.String())
		if err != nil {
			return nil, fmt.Errorf("stock of %s in %s: %w", r.Code, location, err)
		}
		if quantity = quantity.RoundHalfEven(3); !quantity.IsZero() {
			stock[r.Code] = quantity
		}
	}
	return stock, nil
}
