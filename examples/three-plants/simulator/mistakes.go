package simulator

import (
	"time"
)

// A Mistake is what a system says wrongly, before somebody sees it and has it sent again.
type Mistake string

// The mistakes. Each belongs to one kind of report.
const (
	wrongScale  Mistake = "scale"  // a scale of Graz was not tared
	wrongReason Mistake = "reason" // the MES of Lyon has a new reason for scrap
	noOrder     Mistake = "order"  // the MES of Puebla leaves the order out
	wrongClock  Mistake = "clock"  // a terminal of the warehouse is in the wrong century
)

// budget is how much of what does not go on by itself a plant still has in a day.
type budget struct {
	mistakes map[Mistake]int
	early    int // lots that are released before they are reported
	tests    int // of the terminals of a warehouse
}

// budgetOf is that of the plant, in a day of so many orders for each.
func (d *dayMaker) budgetOf(orders int) budget {
	share := max(orders*9/20, 1)
	b := budget{mistakes: map[Mistake]int{wrongClock: max(share/3, 1)}, early: max(share/3, 1)}
	switch d.plant.name {
	case "graz":
		b.mistakes[wrongScale] = share
	case "lyon":
		b.mistakes[wrongReason] = share
		b.tests = share
	case "puebla":
		b.mistakes[noOrder] = share
	}
	return b
}

// say adds an act. While the plant has any left of the mistake, it is reported wrongly
// first, and right when somebody has seen it.
func (d *dayMaker) say(at time.Time, system string, a Act, m Mistake) {
	if d.left.mistakes[m] == 0 {
		d.add(at, system, a)
		return
	}
	d.left.mistakes[m]--
	a.Occurred = at.UTC()
	wrong, again := a, a
	wrong.Wrong, again.Again = m, true
	d.add(at, system, wrong)
	d.add(at.Add(d.minutes(30, 120)), system, again)
}

// decide is what quality says of a lot that nothing special happens to: mostly after the
// batch has ended, now and then before the MES has told of the lot.
func (d *dayMaker) decide(r *run, m *made) time.Time {
	if d.left.early > 0 {
		d.left.early--
		at := m.at.Add(-d.minutes(3, 6))
		d.quality(r, m, at, Act{Does: Release})
		return r.end
	}
	return d.judge(r, m)
}

// test lets somebody try a terminal of the warehouse on the pallet of a lot.
func (d *dayMaker) test(r *run, m *made) {
	if d.left.tests > 0 {
		d.left.tests--
		d.add(m.at.Add(d.minutes(4, 8)), d.plant.wms(), Act{Does: TestTerminal, Report: d.next("T-%06d"), Material: r.material.number, Lot: m.lot, Quantity: amount(0, r.material.unit)})
	}
}
