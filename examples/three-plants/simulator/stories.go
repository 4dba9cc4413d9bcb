package simulator

import (
	"fmt"
	"time"

	"github.com/gapless/gapless/event"
)

// Stories are what every day holds, by the words that its acts carry.
func Stories() []string {
	return []string{
		"release before production", "release before completion", "hold, release, hold again", "two holds, one lifted",
		"three lots, one rejected, one partly released", "correction after posting", "reversal", "unknown material",
		"three operations and serial inspection", "late from a closed month", "order locked too early",
	}
}

// tellStories gives each plant its orders with a story.
func (d *dayMaker) tellStories() {
	early := dayBegins.Truncate(24 * time.Hour).Add(time.Duration(d.plant.opens) * time.Hour)
	stories := []func(time.Time){d.releasedEarly, d.releasedBeforeCompletion, d.heldAgain, d.twoHolds, d.corrected, d.reversed, d.unknownMaterial, d.closedMonth, d.lockedEarly}
	switch d.plant.name {
	case "graz":
		stories = append(stories, d.threeLots, d.serialInspection, d.serialInspection)
	case "lyon":
		stories = append(stories, d.threeLots)
	}
	for _, tell := range stories {
		tell(early.Add(d.minutes(0, 180)))
		d.told++
	}
}

func (d *dayMaker) releasedEarly(start time.Time) {
	const story = "release before production"
	r := d.begin(start, d.pick(), story)
	m := d.produce(r, d.quantity(r.material), story)
	d.quality(r, m, m.at.Add(-d.minutes(3, 6)), Act{Does: Release})
	d.finish(r)
}

func (d *dayMaker) releasedBeforeCompletion(start time.Time) {
	const story = "release before completion"
	r := d.begin(start, d.pick(), story)
	m := d.produce(r, d.quantity(r.material), story)
	d.quality(r, m, m.at.Add(d.minutes(2, 4)), Act{Does: Release})
	d.finish(r)
}

func (d *dayMaker) heldAgain(start time.Time) {
	const story = "hold, release, hold again"
	r := d.begin(start, d.pick(), story)
	m := d.produce(r, d.quantity(r.material), story)
	d.finish(r)
	first, second := d.next("H-%05d"), d.next("H-%05d")
	d.quality(r, m, r.end.Add(10*time.Minute), Act{Does: PlaceHold, Number: first, Reason: "deviation"})
	d.quality(r, m, r.end.Add(50*time.Minute), Act{Does: Inspect, Passed: true})
	d.quality(r, m, r.end.Add(90*time.Minute), Act{Does: LiftHold, Number: first})
	d.quality(r, m, r.end.Add(100*time.Minute), Act{Does: Release})
	d.quality(r, m, r.end.Add(240*time.Minute), Act{Does: PlaceHold, Number: second, Reason: "complaint"})
}

func (d *dayMaker) twoHolds(start time.Time) {
	const story = "two holds, one lifted"
	r := d.begin(start, d.pick(), story)
	m := d.produce(r, d.quantity(r.material), story)
	d.finish(r)
	first, second := d.next("H-%05d"), d.next("H-%05d")
	d.quality(r, m, r.end.Add(40*time.Minute), Act{Does: PlaceHold, Number: first, Reason: "equipment"})
	d.quality(r, m, r.end.Add(60*time.Minute), Act{Does: PlaceHold, Number: second, Reason: "documents"})
	d.quality(r, m, r.end.Add(150*time.Minute), Act{Does: LiftHold, Number: first})
}

func (d *dayMaker) threeLots(start time.Time) {
	const story = "three lots, one rejected, one partly released"
	r := d.begin(start, d.pick(), story)
	for range 3 {
		d.produce(r, amount(d.between(400, 900)*100, d.unit(r.material)), story)
	}
	d.finish(r)
	for i := range r.lots {
		d.quality(r, &r.lots[i], r.end.Add(20*time.Minute), Act{Does: Inspect, Passed: i == 0})
	}
	whole := r.lots[2].quantity
	free := amount(d.between(100, 300)*100, whole.Unit)
	rest := event.Quantity{Value: whole.Value.Sub(free.Value), Unit: whole.Unit}
	at := r.end.Add(80 * time.Minute)
	d.quality(r, &r.lots[0], at, Act{Does: Release})
	d.quality(r, &r.lots[1], at.Add(time.Minute), Act{Does: Reject, Reason: "specification"})
	d.quality(r, &r.lots[2], at.Add(2*time.Minute), Act{Does: Decide, Quantity: whole, Parts: []Part{{Free, free}, {Blocked, rest}}, Reason: "specification"})
}

// corrected restates a lot after everything was posted; the warehouse counts it anew.
func (d *dayMaker) corrected(start time.Time) {
	const story = "correction after posting"
	r := d.begin(start, d.pick(), story)
	m := d.produce(r, d.quantity(r.material), story)
	d.finish(r)
	d.quality(r, m, r.end.Add(30*time.Minute), Act{Does: Release})
	other := m.quantity
	change := amount(d.between(-3_000, 3_000)*2+100, other.Unit)
	other.Value = other.Value.Add(change.Value)
	at := r.end.Add(d.minutes(120, 200))
	d.add(at, d.plant.mes(), d.report(r, Act{Does: Restate, Report: m.report, Lot: m.lot, Quantity: other, Occurred: m.at, Passed: true}))
	d.recount(r, m, at.Add(time.Minute), other)
}

// reversed takes a lot back that was never made.
func (d *dayMaker) reversed(start time.Time) {
	const story = "reversal"
	r := d.begin(start, d.pick(), story)
	d.produce(r, d.quantity(r.material), "")
	m := d.produce(r, d.quantity(r.material), story)
	d.finish(r)
	d.quality(r, &r.lots[0], r.end.Add(45*time.Minute), Act{Does: Release})
	at := r.end.Add(d.minutes(60, 120))
	d.add(at, d.plant.mes(), d.report(r, Act{Does: Cancel, Report: m.report, Lot: m.lot, Quantity: m.quantity, Occurred: m.at}))
	d.recount(r, m, at.Add(time.Minute), amount(0, m.quantity.Unit))
}

func (d *dayMaker) recount(r *run, m *made, at time.Time, q event.Quantity) {
	counted, err := base(q)
	if err != nil {
		counted = q // as with putting away
	}
	d.add(at, d.plant.wms(), Act{Does: Recount, Report: d.next("T-%06d"), Material: r.material.number, Lot: m.lot, Quantity: counted, Story: r.story})
}

// unknownMaterial is made for an hour before its master data are published. Its number
// in the warehouse is agreed later still, when quality has released it.
func (d *dayMaker) unknownMaterial(start time.Time) {
	const story = "unknown material"
	m := d.goods.lateAt(d.plant.name)
	r := d.begin(start, m, story)
	for range 6 {
		d.produce(r, d.quantity(m), story)
	}
	d.finish(r)
	d.publish(start.Add(90*time.Minute), m, "2026-03-03", d.plant.wms())
	for i := range r.lots {
		d.quality(r, &r.lots[i], r.end.Add(2*time.Hour), Act{Does: Release})
	}
	d.publish(r.end.Add(3*time.Hour), m, "2026-03-03", "")
}

// closedMonth is made on the last Friday of February, and reported today, when the ERP
// has closed the month. A clerk opens it again in the afternoon, but not for Puebla.
func (d *dayMaker) closedMonth(start time.Time) {
	const story = "late from a closed month"
	first, lots := len(d.acts), 10
	if d.plant.name == "puebla" {
		lots = 1
	}
	r := d.begin(start, d.pick(), story)
	for range lots {
		d.produce(r, d.quantity(r.material), story)
	}
	d.finish(r)
	for i := first; i < len(d.acts); i++ {
		d.acts[i].Occurred = d.acts[i].Occurred.AddDate(0, 0, -4)
	}
	for i := range r.lots {
		d.quality(r, &r.lots[i], r.end.Add(time.Hour), Act{Does: Release})
	}
	if d.plant.name != "puebla" {
		d.add(r.end.Add(3*time.Hour), erpName, Act{Does: OpenPeriod, Period: "2026-02", Story: story})
	}
}

// lockedEarly is an order that a clerk locks in the ERP before its last lots are made.
func (d *dayMaker) lockedEarly(start time.Time) {
	const story = "order locked too early"
	r := d.begin(start, d.pick(), story)
	d.produce(r, d.quantity(r.material), story)
	d.add(r.end.Add(4*time.Minute), erpName, Act{Does: LockOrder, Order: r.order, Story: story})
	for range 8 {
		d.produce(r, d.quantity(r.material), story)
	}
	d.finish(r)
	d.add(r.end.Add(3*time.Hour), erpName, Act{Does: UnlockOrder, Order: r.order, Story: story})
	for i := range r.lots {
		d.quality(r, &r.lots[i], r.end.Add(4*time.Hour), Act{Does: Release})
	}
}

// serialInspection is pieces with numbers of their own through three operations.
// Each operation reports its good pieces; the counting point's are those of the order.
func (d *dayMaker) serialInspection(start time.Time) {
	const story = "three operations and serial inspection"
	pump, ok := d.goods.of("G-9000")
	if !ok {
		return
	}
	r := d.begin(start, pump, story)
	d.lots++
	m := made{lot: fmt.Sprintf("%s26-%05d", d.plant.letter, d.lots), story: story}
	var serials []string
	for range d.between(8, 14) {
		serials = append(serials, d.next("S%07d"))
	}
	for _, operation := range []string{"0010", "0020"} {
		r.end = r.end.Add(d.minutes(15, 30))
		d.add(r.end, d.plant.mes(), d.report(r, Act{Does: EndOperation, Operation: operation, Lot: m.lot, Quantity: amount(len(serials)*100, piece)}))
	}
	bad := d.random.IntN(len(serials))
	for i, serial := range serials {
		r.end = r.end.Add(d.minutes(1, 3))
		d.add(r.end, d.plant.mes(), d.report(r, Act{Does: InspectSerial, Operation: countingOperation, Lot: m.lot, Serials: []string{serial}, Passed: i != bad}))
	}
	d.add(r.end, d.plant.mes(), d.report(r, Act{Does: Scrap, Lot: m.lot, Quantity: amount(100, piece), Reason: "weight"}))
	good := append(append([]string(nil), serials[:bad]...), serials[bad+1:]...)
	r.end = r.end.Add(d.minutes(2, 6))
	m.at, m.quantity = r.end, amount(len(good)*100, piece)
	d.putAway(r, &m)
	a := d.report(r, Act{Does: EndOperation, Operation: countingOperation, Lot: m.lot, Quantity: m.quantity, Serials: good})
	m.report = a.Report
	d.add(m.at, d.plant.mes(), a)
	r.lots = append(r.lots, m)
	d.finish(r)
	d.judge(r, &r.lots[0])
}
