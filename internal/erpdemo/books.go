package main

import (
	"strings"
	"sync"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/internal/erp"
)

// books are what must be in the ERP in the end, as this program counts it while it
// plays: nothing of it comes from the hub or from the ERP.
type books struct {
	mu     sync.Mutex
	stock  map[erp.Spot]event.Decimal
	orders map[string]*made // by number
}

// made is what an order gave and took, in the units of the items.
type made struct {
	plant, item string
	good, scrap event.Decimal
	inputs      map[string]event.Decimal // by item
}

func newBooks() *books {
	return &books{stock: map[erp.Spot]event.Decimal{}, orders: map[string]*made{}}
}

// must is the decimal of a text of this program.
func must(text string) event.Decimal {
	d, err := event.ParseDecimal(text)
	if err != nil {
		panic(err) //nolint:forbidigo // a number of this program that is none
	}
	return d
}

// whole is a number of pieces, or of what comes in whole ones.
func whole(n int64) event.Decimal {
	d, err := event.FromScaled(n, 0)
	if err != nil {
		panic(err) //nolint:forbidigo // every int64 fits
	}
	return d
}

// open puts in what lies in the plants before.
func (b *books) open(month *erp.Month) {
	for _, o := range erp.Openings() {
		lot := ""
		if o.Lot != "" {
			lot = erp.LotOf(o.Item, o.Lot)
		}
		b.put(erp.Spot{Location: erp.Storage.At(o.Plant), Item: o.Item, Lot: lot}, must(o.Quantity))
	}
	for _, r := range month.Resins {
		b.put(erp.Spot{Location: erp.Storage.At(erp.MouldingPlant), Item: r.Code}, must(erp.ResinStock))
	}
}

func (b *books) put(at erp.Spot, quantity event.Decimal) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.stock[at] = b.stock[at].Add(quantity)
}

// at is what must lie somewhere by now.
func (b *books) at(spot erp.Spot) event.Decimal {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.stock[spot]
}

// move moves some of an item within a plant.
func (b *books) move(plant, item, lot string, quantity event.Decimal, from, to erp.Place) {
	b.put(erp.Spot{Location: from.At(plant), Item: item, Lot: lot}, quantity.Neg())
	b.put(erp.Spot{Location: to.At(plant), Item: item, Lot: lot}, quantity)
}

// moveAll moves all of a lot within a plant.
func (b *books) moveAll(plant, item, lot string, from, to erp.Place) {
	b.move(plant, item, lot, b.at(erp.Spot{Location: from.At(plant), Item: item, Lot: lot}), from, to)
}

// order finds or begins the account of an order.
func (b *books) order(number, plant, item string) *made {
	if b.orders[number] == nil {
		b.orders[number] = &made{plant: plant, item: item, inputs: map[string]event.Decimal{}}
	}
	return b.orders[number]
}

// use takes an input of an order out of the storage.
func (b *books) use(m *made, item, lot string, quantity event.Decimal) {
	m.inputs[item] = m.inputs[item].Add(quantity)
	b.move(m.plant, item, lot, quantity, erp.Storage, erp.Floor)
}

// give brings what an order gave to its places.
func (b *books) give(m *made, lot string, good, scrap event.Decimal, to erp.Place) {
	m.good, m.scrap = m.good.Add(good), m.scrap.Add(scrap)
	b.move(m.plant, m.item, lot, good, erp.Floor, to)
	b.move(m.plant, m.item, lot, scrap, erp.Floor, erp.Scrap)
}

// ofFloor says whether a location is the floor, through which orders take and give:
// what lies there is nobody's stock.
func ofFloor(location string) bool { return strings.HasSuffix(location, "-"+string(erp.Floor)) }
