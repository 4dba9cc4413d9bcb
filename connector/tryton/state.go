package tryton

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"time"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
)

// A mark is what tells that something was written: the newest time, and how many
// there are, as a transaction that began early may commit late.
type mark struct {
	newest time.Time
	number int64
}

// mark looks at the records of a domain.
func (s *System) mark(ctx context.Context, model string, domain []any) (mark, error) {
	var m mark
	var newest []struct {
		Written Time `json:"write_date"`
		Created Time `json:"create_date"`
	}
	if err := s.client.Do(ctx, Call{Method: "model." + model + ".search_count", Args: []any{domain}}, &m.number); err != nil {
		return m, err
	}
	for _, order := range []string{"write_date", "create_date"} {
		there := append(slices.Clip(domain), []any{order, "!=", nil})
		call := Call{Method: "model." + model + ".search_read", Args: []any{there, 0, 1, [][]string{{order, "DESC"}}, []string{"write_date", "create_date"}}}
		if err := s.client.Do(ctx, call, &newest); err != nil {
			return m, err
		}
		for _, n := range newest {
			for _, t := range []Time{n.Written, n.Created} {
				if t.After(m.newest) {
					m.newest = t.Time
				}
			}
		}
	}
	return m, nil
}

// state reads between two looks at the mark.
func (s *System) state(ctx context.Context, model string, domain []any, read func() (int, error)) (connector.Statement, error) {
	st := connector.Statement{From: s.config.Now()}
	before, err := s.mark(ctx, model, domain)
	if err != nil {
		return connector.Statement{}, err
	}
	if st.Lines, err = read(); err != nil {
		return connector.Statement{}, err
	}
	after, err := s.mark(ctx, model, domain)
	if err != nil {
		return connector.Statement{}, err
	}
	st.To = s.config.Now()
	if st.Consistent = before == after; !st.Consistent {
		st.Why = fmt.Sprintf("the ERP has written %s while it was read: %d records, the newest of %s; before %d, of %s",
			model, after.number, after.newest.Format(time.RFC3339Nano), before.number, before.newest.Format(time.RFC3339Nano))
	}
	return st, nil
}

// pages reads the records of a query by their ids, page after page.
func pages[T any](ctx context.Context, c *Client, model string, q Query, id func(T) int64, each func(T) error) error {
	domain := q.Domain
	q.Limit = page
	for last := int64(0); ; {
		q.Domain = append(slices.Clip(domain), []any{"id", ">", last})
		var all []T
		if err := c.SearchRead(ctx, model, q, &all); err != nil {
			return err
		}
		for _, one := range all {
			if err := each(one); err != nil {
				return err
			}
			last = id(one)
		}
		if len(all) < page {
			return nil
		}
	}
}

// StateOrders states the orders that are released and not closed.
func (s *System) StateOrders(ctx context.Context, take func(connector.OrderLine) error) (connector.Statement, error) {
	type stated struct {
		ID        int64
		Number    string
		State     string
		Reference string
		Quantity  json.Number
		Product   named `json:"product."`
		Unit      named `json:"uom."`
	}
	open := []any{in("state", openStates())}
	return s.state(ctx, "production", []any{}, func() (n int, err error) {
		q := Query{Domain: open, Fields: []string{"number", "state", "reference", "quantity", "product.code", "uom.symbol"}}
		err = pages(ctx, s.client, "production", q, func(o stated) int64 { return o.ID }, func(o stated) error {
			l := connector.OrderLine{Number: o.Number, State: o.State, Product: o.Product.Code, Unit: o.Unit.Symbol}
			var err error
			if l.Quantity, err = decimalText(o.Quantity); err != nil {
				return err
			}
			if parts := keyForm.FindStringSubmatch(o.Reference); parts != nil {
				l.Key = parts[1]
			}
			n++
			return take(l)
		})
		return n, err
	})
}

// decimalText is a quantity without the noise of a binary float.
func decimalText(n json.Number) (string, error) {
	r, ok := new(big.Rat).SetString(n.String())
	if !ok {
		return "", connector.Unknown("tryton.State", fault.AnswerUnread, fmt.Errorf("%.40q is no quantity", n))
	}
	return plain(rounded(r)), nil
}

// A stocked is a product or a lot and how much there is of it at one place.
type stocked struct {
	ID       int64
	Code     string      // of a product
	Number   string      // of a lot
	Product  named       `json:"product."` // of a lot
	Unit     named       `json:"default_uom."`
	Quantity json.Number // in the unit of the product
}

// StateStock states the stock of every storage location by lot, and what there is
// without a lot.
func (s *System) StateStock(ctx context.Context, take func(connector.StockLine) error) (connector.Statement, error) {
	return s.state(ctx, "stock.move", []any{is("state", "done")}, func() (n int, err error) {
		q := Query{Domain: []any{is("type", "storage"), []any{"code", "!=", nil}}, Fields: []string{"code", "type"}}
		err = pages(ctx, s.client, "stock.location", q, func(l location) int64 { return l.ID }, func(l location) error {
			return s.stateLocation(ctx, l, func(line connector.StockLine) error {
				n++
				return take(line)
			})
		})
		return n, err
	})
}

// stateLocation states one location, without those below it: its lots, and of each
// product what is in none of them.
func (s *System) stateLocation(ctx context.Context, at location, take func(connector.StockLine) error) error {
	here := map[string]any{"locations": []int64{at.ID}, "with_childs": false}
	there := []any{[]any{"quantity", "!=", 0}}
	inLots := map[string]*big.Rat{}
	lots := Query{Domain: there, Context: here, Fields: []string{"number", "product.code", "quantity", "default_uom.symbol"}}
	err := pages(ctx, s.client, "stock.lot", lots, func(l stocked) int64 { return l.ID }, func(l stocked) error {
		q, ok := new(big.Rat).SetString(l.Quantity.String())
		if !ok {
			return connector.Unknown("tryton.StateStock", fault.AnswerUnread, fmt.Errorf("%.40q is no quantity", l.Quantity))
		}
		sum := inLots[l.Product.Code]
		if sum == nil {
			sum = new(big.Rat)
			inLots[l.Product.Code] = sum
		}
		sum.Add(sum, rounded(q))
		return stated(at.Code, l.Product.Code, l.Number, l.Unit.Symbol, rounded(q), take)
	})
	if err != nil {
		return err
	}
	products := Query{Domain: []any{there[0], active()}, Context: here, Fields: []string{"code", "quantity", "default_uom.symbol"}}
	return pages(ctx, s.client, "product.product", products, func(p stocked) int64 { return p.ID }, func(p stocked) error {
		q, ok := new(big.Rat).SetString(p.Quantity.String())
		if !ok {
			return connector.Unknown("tryton.StateStock", fault.AnswerUnread, fmt.Errorf("%.40q is no quantity", p.Quantity))
		}
		if sum := inLots[p.Code]; sum != nil {
			q.Sub(q, sum)
		}
		return stated(at.Code, p.Code, "", p.Unit.Symbol, rounded(q), take)
	})
}

// stated hands over a line that is not zero.
func stated(at, product, lot, unit string, q *big.Rat, take func(connector.StockLine) error) error {
	if q.Sign() == 0 {
		return nil
	}
	return take(connector.StockLine{Location: at, Product: product, Lot: lot, Quantity: plain(q), Unit: unit})
}
