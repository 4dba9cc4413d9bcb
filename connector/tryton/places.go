package tryton

import (
	"context"
	"encoding/json"
	"errors"
	"math/big"
	"strings"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// places are the codes of one location or of several.
type places []string

// UnmarshalJSON reads a text or a list of texts.
func (p *places) UnmarshalJSON(text []byte) error {
	var one string
	if err := json.Unmarshal(text, &one); err == nil {
		*p = nil
		if one != "" {
			*p = places{one}
		}
		return nil
	}
	var several []string
	if err := json.Unmarshal(text, &several); err != nil {
		return errors.New("a location is a text, or several are a list of texts")
	}
	*p = several
	return nil
}

func (p places) String() string { return strings.Join(p, ", ") }

// whole says whether a line is all of a lot that lies in a place.
func (l line) whole() bool {
	return l.Product != "" && l.Lot != "" && l.Quantity.Decimal == nil && l.Unit == ""
}

// taken is the location from which a transfer takes its lines, and the lines with
// their quantities. There are none where all of it lies at the other location already.
func (a *attempt) taken(ctx context.Context) (location, []line, error) {
	var whole []line
	for _, l := range a.request.Lines {
		if l.whole() {
			whole = append(whole, l)
		}
	}
	switch {
	case len(whole) == 0:
		return a.holding(ctx)
	case len(whole) < len(a.request.Lines):
		return location{}, nil, refuse(fault.NotSendable, "some lines of the transfer have a quantity and others are all of a lot: send them apart")
	}
	return a.lying(ctx, whole)
}

// holding is the first of the places that holds what the lines ask for. Of one place
// alone nothing is asked here.
func (a *attempt) holding(ctx context.Context) (location, []line, error) {
	lines := a.request.Lines
	var failed error
	for _, code := range a.request.From {
		at, err := a.s.names.location(ctx, code)
		if err != nil {
			return location{}, nil, err
		}
		if len(a.request.From) == 1 {
			return at, lines, nil
		}
		if _, err = a.inStock(ctx, lines, at); err == nil {
			return at, lines, nil
		}
		if _, own := asOwn(err); !own {
			return location{}, nil, err
		}
		failed = err
	}
	return location{}, nil, failed
}

// lying finds the one place where lots lie, and how much of each. In several places
// at once nobody knows which of it is meant.
func (a *attempt) lying(ctx context.Context, lots []line) (location, []line, error) {
	var found []location
	var lines []line
	for _, code := range a.request.From {
		at, err := a.s.names.location(ctx, code)
		if err != nil {
			return location{}, nil, err
		}
		there, err := a.allOf(ctx, lots, at)
		if err != nil {
			return location{}, nil, err
		}
		if len(there) > 0 {
			found, lines = append(found, at), there
		}
	}
	switch len(found) {
	case 1:
		return found[0], lines, nil
	case 0:
		return location{}, nil, a.arrived(ctx, lots)
	}
	return location{}, nil, refuse(fault.WrongState, "%s lies at %s and at %s: bring it together by hand", lots[0].Lot, found[0].Code, found[1].Code)
}

// arrived is nil where lots lie at the other location already.
func (a *attempt) arrived(ctx context.Context, lots []line) error {
	to, err := a.s.names.location(ctx, a.request.To)
	if err != nil {
		return err
	}
	there, err := a.allOf(ctx, lots, to)
	switch {
	case err != nil:
		return err
	case len(there) < len(lots):
		return refuse(fault.StockInsufficient, "nothing of lot %s of %s lies at %s, and not all at %s", lots[0].Lot, lots[0].Product, a.request.From, to.Code)
	}
	a.note("it lies at %s already", to.Code)
	return nil
}

// allOf is what lies of lots at a location, in the units of their products.
func (a *attempt) allOf(ctx context.Context, lots []line, at location) ([]line, error) {
	found, err := a.lotsOf(ctx, lots, &at, true)
	if err != nil {
		return nil, err
	}
	var lines []line
	for _, l := range lots {
		p, err := a.s.names.product(ctx, l.Product)
		if err != nil {
			return nil, err
		}
		all := found[lotName{l.Product, l.Lot}]
		if len(all) == 0 {
			return nil, refuse(fault.LotMissing, "the ERP has no lot %q of the product %s", l.Lot, l.Product)
		}
		there, ok := new(big.Rat).SetString(all[0].Quantity.String())
		if !ok {
			return nil, refuse(fault.AnswerUnread, "the stock of lot %s is no number: %.40q", l.Lot, all[0].Quantity)
		}
		if there = rounded(there); there.Sign() <= 0 {
			continue
		}
		quantity, err := event.ParseDecimal(plain(there))
		if err != nil {
			return nil, err
		}
		l.Quantity, l.Unit = amount{&quantity}, p.Unit.Symbol
		lines = append(lines, l)
	}
	return lines, nil
}
