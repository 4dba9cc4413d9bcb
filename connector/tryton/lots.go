package tryton

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/gapless/gapless/fault"
)

// A lot is one of a product. Numbers are not unique by force: of several with one
// number the one of the lowest id counts.
type lot struct {
	ID       int64
	Number   string
	Product  int64
	Quantity json.Number // free at the location that was asked for, in the product's unit
	Created  int64       `json:"create_uid"`
}

// A lotName is what people call a lot.
type lotName struct{ product, number string }

// lotsOf finds the lots of lines. At is the location whose stock is asked for;
// 0 for none.
func (a *attempt) lotsOf(ctx context.Context, lines []line, at int64) (map[lotName][]lot, error) {
	var numbers []string
	var products []int64
	codes := map[int64]string{}
	for _, l := range lines {
		if l.Lot == "" {
			continue
		}
		p, err := a.s.names.product(ctx, l.Product)
		if err != nil {
			return nil, err
		}
		numbers, products = append(numbers, l.Lot), append(products, p.ID)
		codes[p.ID] = p.Code
	}
	found := map[lotName][]lot{}
	if len(numbers) == 0 {
		return found, nil
	}
	q := Query{Domain: []any{in("number", unique(numbers)), in("product", unique(products))}, Fields: []string{"number", "product", "create_uid"}}
	if at != 0 { // what others have reserved is not free
		q.Fields = append(q.Fields, "quantity")
		q.Context = map[string]any{"locations": []int64{at}, "with_childs": true, "stock_assign": true}
	}
	var all []lot
	if err := a.s.client.SearchRead(ctx, "stock.lot", q, &all); err != nil {
		return nil, err
	}
	for _, l := range all {
		name := lotName{codes[l.Product], l.Number}
		found[name] = append(found[name], l)
	}
	return found, nil
}

func unique[T ~int64 | ~string](values []T) []T {
	values = slices.Clone(values)
	slices.Sort(values)
	return slices.Compact(values)
}

// inStock finds the lots of lines, each of which must be there in that quantity:
// the ERP itself looks at the product only, and lets a lot go below zero.
func (a *attempt) inStock(ctx context.Context, lines []line, at location, check bool) (map[lotName]int64, error) {
	asked := at.ID
	if !check {
		asked = 0
	}
	found, err := a.lotsOf(ctx, lines, asked)
	if err != nil {
		return nil, err
	}
	ids := map[lotName]int64{}
	needed := map[lotName]*big.Rat{}
	for _, l := range lines {
		if l.Lot == "" {
			continue
		}
		name := lotName{l.Product, l.Lot}
		lots := found[name]
		if len(lots) == 0 {
			return nil, refuse(fault.LotMissing, "the ERP has no lot %q of the product %s", l.Lot, l.Product)
		}
		ids[name] = lots[0].ID
		if len(lots) > 1 {
			a.note("the ERP has %d lots %s of %s, the first is used", len(lots), l.Lot, l.Product)
		}
		if !check {
			continue
		}
		q, err := a.inProductUnit(ctx, l)
		if err != nil {
			return nil, err
		}
		if needed[name] == nil {
			needed[name] = new(big.Rat)
		}
		needed[name].Add(needed[name], q)
		there, ok := new(big.Rat).SetString(lots[0].Quantity.String())
		if !ok {
			return nil, fmt.Errorf("the stock of lot %s is no number: %.40q", l.Lot, lots[0].Quantity)
		}
		if needed[name].Cmp(rounded(there)) > 0 {
			return nil, refuse(fault.StockInsufficient, "lot %s of %s: %s is needed, %s is free at %s", l.Lot, l.Product, plain(needed[name]), plain(rounded(there)), at.Code)
		}
	}
	return ids, nil
}

// inProductUnit is the quantity of a line in the unit of its product.
func (a *attempt) inProductUnit(ctx context.Context, l line) (*big.Rat, error) {
	p, err := a.s.names.product(ctx, l.Product)
	if err != nil {
		return nil, err
	}
	from, err := a.s.names.unit(ctx, l.Unit)
	if err != nil {
		return nil, err
	}
	to, err := a.s.names.unit(ctx, p.Unit.Symbol)
	if err != nil {
		return nil, err
	}
	return inUnit(*l.Quantity.Decimal, from, to)
}

// sumDigits is how many digits of a sum that the ERP has made of binary floats
// mean something: more than any unit has.
const sumDigits = 9

// rounded takes the noise of binary floats off a sum.
func rounded(r *big.Rat) *big.Rat {
	text, _ := new(big.Rat).SetString(r.FloatString(sumDigits)) // it has just been written
	return text
}

// plain is a number for people.
func plain(r *big.Rat) string {
	text := r.FloatString(sumDigits)
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// madeLots finds the lots of outputs, and makes those that are not there.
func (a *attempt) madeLots(ctx context.Context, lines []line) (map[lotName]int64, error) {
	found, err := a.lotsOf(ctx, lines, 0)
	if err != nil {
		return nil, err
	}
	ids := map[lotName]int64{}
	for _, l := range lines {
		name := lotName{l.Product, l.Lot}
		switch {
		case l.Lot == "" || ids[name] != 0:
		case len(found[name]) > 0:
			ids[name] = found[name][0].ID
			a.dropLots(ctx, l, found[name][1:])
		default:
			p, err := a.s.names.product(ctx, l.Product)
			if err != nil {
				return nil, err
			}
			if ids[name], err = a.create(ctx, "stock.lot", map[string]any{"number": l.Lot, "product": p.ID}); err != nil {
				return nil, err
			}
		}
	}
	return ids, nil
}

// dropLots deletes surplus lots of one number that nothing has moved: such as an
// attempt leaves whose answer was lost and which landed late.
func (a *attempt) dropLots(ctx context.Context, l line, surplus []lot) {
	for _, s := range surplus {
		var moves []struct{ ID int64 }
		err := a.s.client.SearchRead(ctx, "stock.move", Query{Domain: []any{is("lot", s.ID)}, Fields: []string{"id"}, Limit: 1}, &moves)
		if err == nil && len(moves) == 0 {
			err = a.act(ctx, Call{Method: "model.stock.lot.delete", Args: []any{[]int64{s.ID}}}, nil)
		}
		switch {
		case err != nil:
			a.note("surplus lot %s of %s (id %d) stands: %s", l.Lot, l.Product, s.ID, err)
		case len(moves) > 0:
			a.note("surplus lot %s of %s (id %d) stands, it has moves", l.Lot, l.Product, s.ID)
		default:
			a.note("surplus lot %s of %s (id %d) was deleted", l.Lot, l.Product, s.ID)
		}
	}
}
