package tryton

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
)

// Look shows one object: an order by its number, a product by its code, a unit by
// its symbol, a location by its code, all as the messages of Source have them; a
// lot by "product/number", with its stock by location.
func (s *System) Look(ctx context.Context, kind, id string) (connector.Looked, error) {
	const op = "tryton.Look"
	looked := connector.Looked{Read: s.config.Now()}
	var err error
	switch kind {
	case "order":
		looked.Value, err = s.look(ctx, "orders", "number", id)
	case "product":
		looked.Value, err = s.look(ctx, "products", "code", id)
	case "unit":
		looked.Value, err = s.look(ctx, "units", "symbol", id)
	case "location":
		looked.Value, err = s.look(ctx, "locations", "code", id)
	case "lot":
		looked.Value, err = s.lookLot(ctx, id)
	default:
		return connector.Looked{}, fault.New(op, fault.InvalidRequest, "kind", "%.40q is none of order, product, unit, location, lot", kind)
	}
	if err != nil {
		return connector.Looked{}, err
	}
	looked.Found = looked.Value != nil
	return looked, nil
}

// look is the body of a message, of the record with a name; nil where there is none.
func (s *System) look(ctx context.Context, message, field, name string) (map[string]any, error) {
	t := topics()[message]
	var all []json.RawMessage
	if err := s.client.SearchRead(ctx, t.model, Query{Domain: []any{is(field, name)}, Fields: t.fields, Limit: 2}, &all); err != nil {
		return nil, err
	}
	switch len(all) {
	case 0:
		return nil, nil
	case 1:
		body, _, err := t.body(all[0])
		return body, err
	}
	return nil, fault.New("tryton.Look", fault.ChainConflict, field, "the ERP has more than one %s called %s", t.model, name)
}

// lookLot is a lot and where it is.
func (s *System) lookLot(ctx context.Context, id string) (map[string]any, error) {
	code, number, ok := strings.Cut(id, "/")
	if !ok {
		return nil, fault.New("tryton.Look", fault.InvalidRequest, "id", "%.80q is not product/number", id)
	}
	var lots []struct {
		ID      int64
		Product named `json:"product."`
		Unit    named `json:"default_uom."`
		Expires Date  `json:"shelf_life_expiration_date"`
	}
	q := Query{Domain: []any{is("number", number), is("product.code", code)}, Fields: []string{"product.code", "default_uom.symbol", "shelf_life_expiration_date"}}
	if err := s.client.SearchRead(ctx, "stock.lot", q, &lots); err != nil || len(lots) == 0 {
		return nil, err
	}
	var places []struct {
		Code     string
		Quantity json.Number
	}
	where := Query{
		Domain: []any{in("type", []string{"storage", "lost_found"}), []any{"code", "!=", nil}}, Fields: []string{"code", "quantity"},
		Context: map[string]any{"product": lots[0].Product.ID, "lot": lots[0].ID, "with_childs": false},
	}
	if err := s.client.SearchRead(ctx, "stock.location", where, &places); err != nil {
		return nil, err
	}
	stock := []any{}
	for _, p := range places {
		q, err := decimalText(p.Quantity)
		if err != nil {
			return nil, fmt.Errorf("at %s: %w", p.Code, err)
		}
		if q != "0" {
			stock = append(stock, map[string]any{"location": p.Code, "quantity": q})
		}
	}
	return map[string]any{
		"product": code, "number": number, "unit": lots[0].Unit.Symbol, "expires": or(lots[0].Expires.String()), "same_number": len(lots), "stock": stock,
	}, nil
}
