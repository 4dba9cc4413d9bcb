package simulator

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"time"

	"github.com/gapless/gapless/event"
)

// DefaultOrders is how many orders each plant works on in a day of the usual size.
const DefaultOrders = 100

// fewestOrders is what the stories need.
const fewestOrders = 16

// Day is everything that the systems of the company do in one day, in order of
// time: the same seed and size give the same day. Each plant works on so many
// orders; the first ones of each plant tell the stories of [Stories].
func Day(seed uint64, orders int) []Act {
	d := &dayMaker{random: rand.New(rand.NewPCG(seed, 0x6a70)), goods: newGoods(), raw: map[string][]string{}}
	d.masterData()
	for _, p := range plants() {
		d.plant = p
		d.left = budget{}
		d.receipts()
		d.tellStories()
		d.left = d.budgetOf(orders)
		for n := d.told; n < max(orders, fewestOrders); n++ {
			d.ordinary()
		}
		d.told = 0
	}
	slices.SortStableFunc(d.acts, func(a, b Act) int { return a.At.Compare(b.At) })
	for i := range d.acts {
		d.acts[i].ID = fmt.Sprintf("a%05d", i+1)
	}
	return d.acts
}

// A dayMaker makes the acts of a day, order by order.
type dayMaker struct {
	random  *rand.Rand
	goods   *goods
	plant   plant
	acts    []Act
	told    int                 // orders of the plant that tell a story
	left    budget              // of the plant
	raw     map[string][]string // bought material -> its lots on hand
	orders  int
	lots    int
	batches int
	numbers int
}

// between is a number from low to high, both included.
func (d *dayMaker) between(low, high int) int { return low + d.random.IntN(high-low+1) }

// minutes is a time of so many minutes, with seconds of its own.
func (d *dayMaker) minutes(low, high int) time.Duration {
	return time.Duration(d.between(60*low, 60*high)) * time.Second
}

// amount is a quantity in hundredths of a unit, or in whole ones for pieces. A
// part of a piece is a piece.
func amount(hundredths int, unit string) event.Quantity {
	digits := 2
	if unit == piece {
		if whole := hundredths / 100; whole != 0 || hundredths == 0 {
			hundredths = whole
		} else {
			hundredths = 1
		}
		digits = 0
	}
	value, _ := event.FromScaled(int64(hundredths), digits) // two digits are always in range
	return event.Quantity{Value: value, Unit: unit}
}

func (d *dayMaker) add(at time.Time, system string, a Act) {
	a.At, a.System = at.UTC(), system
	if a.Occurred.IsZero() {
		a.Occurred = a.At
	}
	if a.Plant == "" {
		a.Plant = d.plant.name
	}
	d.acts = append(d.acts, a)
}

// next is a number of one of the company's series.
func (d *dayMaker) next(form string) string {
	d.numbers++
	return fmt.Sprintf(form, d.numbers)
}

// masterData are published before anything is made, but for what comes late.
func (d *dayMaker) masterData() {
	for i := range d.goods.all {
		m := &d.goods.all[i]
		if !m.late {
			d.publish(dayBegins.Add(time.Duration(i)*time.Second), m, "2026-01-01", "")
		}
	}
}

func (d *dayMaker) publish(at time.Time, m *material, from, without string) {
	a := Act{Does: PublishItem, Plant: m.plant, Material: m.number, ValidFrom: from, Without: without}
	if m.late {
		a.Story = "unknown material"
	}
	d.add(at, erpName, a)
}

// receipts are the deliveries of the morning, and a count of what lies there.
func (d *dayMaker) receipts() {
	at := dayBegins.Add(time.Duration(20+d.between(0, 5)) * time.Minute)
	for i := range d.goods.all {
		m := &d.goods.all[i]
		if !m.bought || m.plant != d.plant.name {
			continue
		}
		for range 2 {
			lot := d.next("V%05d")
			d.raw[m.number] = append(d.raw[m.number], lot)
			at = at.Add(d.minutes(1, 4))
			d.add(at, erpName, Act{
				Does: ReceiveGoods, Material: m.number, Lot: lot, Quantity: amount(d.between(8_000, 20_000)*100, m.unit),
				Supplier: fmt.Sprintf("70%03d", d.between(1, 40)), Order: d.next("45%05d"),
			})
		}
		d.add(at.Add(d.minutes(200, 500)), erpName, Act{
			Does: AdjustStock, Material: m.number, Lot: d.raw[m.number][0], Quantity: amount(-d.between(10, 900), m.unit), Reason: "count",
		})
	}
}

// A run is one order of the day and its batch.
type run struct {
	start    time.Time
	material *material
	order    string
	batch    string
	line     string
	lots     []made
	end      time.Time // of the batch
	story    string
}

// made is one lot of a batch.
type made struct {
	lot      string
	report   string
	at       time.Time
	quantity event.Quantity // in the unit of the MES
	story    string
}

// unit is the one in which the MES of the plant counts a material.
func (d *dayMaker) unit(m *material) string {
	if m.unit == kilogram && d.plant.name == "puebla" {
		return pound
	}
	return m.unit
}

// pick is one of the plant's own products without a story of their own.
func (d *dayMaker) pick() *material {
	var own []*material
	for i := range d.goods.all {
		if m := &d.goods.all[i]; m.plant == d.plant.name && !m.bought && !m.serials && !m.late {
			own = append(own, m)
		}
	}
	return own[d.random.IntN(len(own))]
}

// begin releases an order and starts its batch.
func (d *dayMaker) begin(start time.Time, m *material, story string) *run {
	d.orders, d.batches = d.orders+1, d.batches+1
	r := &run{
		start: start, material: m, story: story,
		order: strconv.Itoa(1_000_000 + d.orders),
		batch: fmt.Sprintf("%sB-%04d", d.plant.letter, d.batches),
		line:  d.plant.lines[d.random.IntN(len(d.plant.lines))],
	}
	planned := amount(d.between(20_000, 160_000), m.unit)
	d.add(start, erpName, Act{Does: ReleaseOrder, Order: r.order, Batch: r.batch, Material: m.number, Quantity: planned, Story: story})
	r.end = start.Add(d.minutes(4, 9))
	d.add(r.end, d.plant.mes(), d.report(r, Act{Does: StartBatch, Quantity: amount(d.between(20_000, 160_000), d.unit(m))}))
	d.consume(r)
	return r
}

// report is what an MES says about a run.
func (d *dayMaker) report(r *run, a Act) Act {
	a.Order, a.Batch, a.Line, a.Story = r.order, r.batch, r.line, r.story
	if a.Material == "" {
		a.Material = r.material.number
	}
	if a.Report == "" {
		a.Report = d.next("%06d")
	}
	return a
}

// consume charges what is bought.
func (d *dayMaker) consume(r *run) {
	for i := range d.goods.all {
		m := &d.goods.all[i]
		if !m.bought || m.plant != d.plant.name {
			continue
		}
		lots := d.raw[m.number]
		r.end = r.end.Add(d.minutes(1, 4))
		d.say(r.end, d.plant.mes(), d.report(r, Act{
			Does: Consume, Material: m.number, Lot: lots[d.random.IntN(len(lots))], Quantity: amount(d.between(1_000, 40_000), d.unit(m)),
		}), map[string]Mistake{"graz": wrongScale, "puebla": noOrder}[d.plant.name])
	}
}

// produce makes a lot: the warehouse puts it away, and the MES reports it. The
// warehouse has its pallet before the report is sent, as its labels come first.
func (d *dayMaker) produce(r *run, quantity event.Quantity, story string) *made {
	d.lots++
	r.end = r.end.Add(d.minutes(8, 20))
	m := made{lot: fmt.Sprintf("%s26-%05d", d.plant.letter, d.lots), at: r.end, quantity: quantity, story: story}
	d.putAway(r, &m)
	a := d.report(r, Act{Does: Produce, Lot: m.lot, Quantity: quantity, Passed: true})
	m.report = a.Report
	d.add(m.at, d.plant.mes(), a)
	if d.random.IntN(4) == 0 {
		d.say(m.at.Add(d.minutes(1, 3)), d.plant.mes(), d.report(r, Act{
			Does: Scrap, Lot: m.lot, Quantity: amount(d.between(100, 2_500), d.unit(r.material)), Reason: scrapReasons[d.random.IntN(len(scrapReasons))],
		}), map[string]Mistake{"lyon": wrongReason}[d.plant.name])
	}
	r.lots = append(r.lots, m)
	return &r.lots[len(r.lots)-1]
}

// scrapReasons are the company's words for why something is thrown away.
var scrapReasons = []string{"composition", "contamination", "set-up", "weight", "labelling"}

func (d *dayMaker) putAway(r *run, m *made) {
	q, err := base(m.quantity)
	if err != nil {
		q = m.quantity // the pounds of the day have two digits, which are exact
	}
	d.say(m.at, d.plant.wms(), Act{
		Does: PutAway, Report: d.next("T-%06d"), Material: r.material.number, Lot: m.lot, Quantity: q,
		Bin: fmt.Sprintf("%c-%02d-%d", 'A'+rune(d.between(0, 5)), d.between(1, 30), d.between(1, 4)), Story: r.story,
	}, wrongClock)
}

// finish ends the batch.
func (d *dayMaker) finish(r *run) {
	lots := make([]string, len(r.lots))
	for i := range r.lots {
		lots[i] = r.lots[i].lot
	}
	r.end = r.end.Add(d.minutes(10, 25))
	d.add(r.end, d.plant.mes(), d.report(r, Act{Does: EndBatch, Lots: lots, Passed: true}))
}

// quality is what the quality system says of a lot.
func (d *dayMaker) quality(r *run, m *made, at time.Time, a Act) {
	a.Material, a.Lot, a.Batch, a.Story = r.material.number, m.lot, r.batch, m.story
	if a.Number == "" {
		a.Number = d.next("Q-%05d")
	}
	d.add(at, qmsName, a)
}

// judge inspects a lot and releases it, mostly; it answers when.
func (d *dayMaker) judge(r *run, m *made) time.Time {
	at := r.end.Add(d.minutes(5, 40))
	rejected := d.random.IntN(15) == 0
	d.quality(r, m, at, Act{Does: Inspect, Passed: !rejected})
	at = at.Add(d.minutes(15, 120))
	if rejected {
		d.quality(r, m, at, Act{Does: Reject, Reason: "specification"})
	} else {
		d.quality(r, m, at, Act{Does: Release})
	}
	return at
}

// begins is when an order of the plant is released.
func (d *dayMaker) begins() time.Time {
	return dayBegins.Truncate(24 * time.Hour).Add(time.Duration(d.plant.opens) * time.Hour).Add(d.minutes(0, 60*d.plant.hours))
}

// quantity is what a lot of the material comes to.
func (d *dayMaker) quantity(m *material) event.Quantity {
	return amount(d.between(8_000, 90_000), d.unit(m))
}

// ordinary is an order that nothing special happens to.
func (d *dayMaker) ordinary() {
	r := d.begin(d.begins(), d.pick(), "")
	for range d.between(1, 2) {
		d.produce(r, d.quantity(r.material), "")
	}
	d.finish(r)
	for i := range r.lots {
		m := &r.lots[i]
		d.test(r, m)
		at := d.decide(r, m)
		if d.random.IntN(3) == 0 {
			d.add(at.Add(d.minutes(5, 60)), d.plant.wms(), Act{
				Does: Relocate, Report: d.next("T-%06d"), Material: r.material.number, Lot: m.lot, Bin: fmt.Sprintf("S-%02d-1", d.between(1, 60)),
			})
		}
	}
}
