package tryton

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"sync"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// A product is what the connector knows of one.
type product struct {
	ID   int64
	Code string
	Unit struct {
		ID     int64
		Symbol string
	} `json:"default_uom."`
}

// A unit is what the connector knows of one. Units of a category are converted by
// their factors, one of either being exact.
type unit struct {
	ID       int64
	Symbol   string
	Digits   int
	Category int64
	Factor   json.Number
	Rate     json.Number
}

// A location is what the connector knows of one.
type location struct {
	ID        int64
	Code      string
	Type      string // storage, lost_found, production, warehouse
	Warehouse *int64
}

// maxNames bounds how many records of a kind are kept; then all are forgotten.
const maxNames = 20_000

// names finds records by what people call them, and keeps what it has found. Ids
// hold for one database and change with it, so all are forgotten where one proves
// to be unknown.
type names struct {
	client *Client

	mu        sync.Mutex
	products  map[string]product
	units     map[string]unit
	locations map[string]location
	currency  int64
}

func newNames(client *Client) *names {
	n := &names{client: client}
	n.forget()
	return n
}

// forget drops everything; false where there was nothing.
func (n *names) forget() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	had := len(n.products)+len(n.units)+len(n.locations) > 0
	n.products, n.units, n.locations, n.currency = map[string]product{}, map[string]unit{}, map[string]location{}, 0
	return had
}

// found is a record by its name: one that is kept, or the one that the ERP finds.
func found[T any](ctx context.Context, n *names, kept func(*names) map[string]T, model, field, name string, fields []string) (T, error) {
	n.mu.Lock()
	one, ok := kept(n)[name]
	n.mu.Unlock()
	if ok {
		return one, nil
	}
	var all []T
	if err := n.client.SearchRead(ctx, model, Query{Domain: []any{is(field, name)}, Fields: fields, Limit: 2}, &all); err != nil {
		return one, err
	}
	switch len(all) {
	case 0:
		return one, refuse(fault.MasterDataMissing, "the ERP has no active %s with the %s %q", model, field, name)
	case 1:
		n.mu.Lock()
		defer n.mu.Unlock()
		if len(kept(n)) >= maxNames {
			clear(kept(n))
		}
		kept(n)[name] = all[0]
		return all[0], nil
	}
	return one, refuse(fault.MasterDataMissing, "the ERP has more than one %s with the %s %q", model, field, name)
}

func (n *names) product(ctx context.Context, code string) (product, error) {
	return found(ctx, n, func(n *names) map[string]product { return n.products }, "product.product", "code", code, []string{"code", "default_uom.symbol"})
}

func (n *names) unit(ctx context.Context, symbol string) (unit, error) {
	return found(ctx, n, func(n *names) map[string]unit { return n.units }, "product.uom", "symbol", symbol, []string{"symbol", "digits", "category", "factor", "rate"})
}

func (n *names) location(ctx context.Context, code string) (location, error) {
	return found(ctx, n, func(n *names) map[string]location { return n.locations }, "stock.location", "code", code, []string{"code", "type", "warehouse"})
}

// company is the company of the user's context, and its currency.
func (n *names) company(ctx context.Context) (company, currency int64, err error) {
	s, err := n.client.loggedIn(ctx, "")
	if err != nil {
		return 0, 0, err
	}
	company, ok := s.context["company"].(int64)
	if !ok {
		return 0, 0, refuse(fault.AccessDenied, "the ERP's user %s belongs to no company", n.client.config.User)
	}
	n.mu.Lock()
	currency = n.currency
	n.mu.Unlock()
	if currency != 0 {
		return company, currency, nil
	}
	var all []struct{ Currency int64 }
	if err := n.client.Read(ctx, "company.company", []int64{company}, []string{"currency"}, &all); err != nil {
		return 0, 0, err
	}
	if len(all) != 1 {
		return 0, 0, refuse(fault.MasterDataMissing, "the ERP has no company %d", company)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.currency = all[0].Currency
	return company, n.currency, nil
}

// inUnit is a quantity of one unit in another of the same category, exactly.
func inUnit(quantity event.Decimal, from, to unit) (*big.Rat, error) {
	q, ok := new(big.Rat).SetString(quantity.String())
	if !ok {
		return nil, fmt.Errorf("%s is no number", quantity)
	}
	if from.ID == to.ID {
		return q, nil
	}
	if from.Category != to.Category {
		return nil, refuse(fault.UnitRefused, "%s and %s are of different categories", from.Symbol, to.Symbol)
	}
	f, okFrom := from.perBase()
	t, okTo := to.perBase()
	if !okFrom || !okTo {
		return nil, refuse(fault.UnitRefused, "%s and %s have no factors", from.Symbol, to.Symbol)
	}
	return q.Quo(q.Mul(q, f), t), nil
}

// perBase is how much of the category's base unit one is. Of factor and rate, one
// the reciprocal of the other, the shorter is the one that was entered.
func (u unit) perBase() (*big.Rat, bool) {
	factor, ok1 := new(big.Rat).SetString(u.Factor.String())
	rate, ok2 := new(big.Rat).SetString(u.Rate.String())
	if !ok1 || !ok2 || factor.Sign() <= 0 || rate.Sign() <= 0 {
		return nil, false
	}
	if event.SignificantDigits(u.Rate.String()) < event.SignificantDigits(u.Factor.String()) {
		return rate.Inv(rate), true
	}
	return factor, true
}
