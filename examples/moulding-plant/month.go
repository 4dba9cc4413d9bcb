package mouldingplant

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// A month is made by running the plant: orders wait in a pool, a machine that is
// free takes the next one whose mould is free, and every machine reports every
// shift. The control totals are counted at the moment a row is made.
type month struct {
	random *rand.Rand
	first  time.Time // its first day
	days   []time.Time
	items  []item
	orders []*order
	lots   map[string][2]string // by resin code: the lot of the first half and of the second
	places []*standing
	rows   []row
	totals Totals
	seen   map[string]bool // what is counted once: orders, shifts of a machine, resin lots
}

// An order is one line of an order workbook.
type order struct {
	number         string
	received, due  time.Time
	item           item
	bill           bill
	quantity, made int64 // parts ordered, good parts so far
	started        bool
}

// A standing is a place on the floor with its machine and what it works on.
type standing struct {
	place   string
	machine machine
	order   *order
	mould   *mould
	colour  string
}

// A row is one row of the shift report.
type row struct {
	day          time.Time
	shift        string
	place        string
	machineCode  string
	order        *order // nil for an idle row
	colourChange string
	mouldChange  string
	shots        int64
	cavities     int64
	total, good  int64
	rejected     map[string]int64 // by column
	lot          string           // as typed in
}

const shiftSeconds = 8 * 60 * 60

// newMonth makes the month of a seed.
func newMonth(seed uint64) *month {
	m := &month{
		random: rand.New(rand.NewPCG(seed, 0x6d6f756c64)),
		first:  time.Date(2019, time.March, 1, 0, 0, 0, 0, time.UTC),
		items:  items(),
		lots:   map[string][2]string{},
		seen:   map[string]bool{},
		totals: newTotals(),
	}
	for day := m.first; day.Month() == m.first.Month(); day = day.AddDate(0, 0, 1) {
		if !m.off(day) {
			m.days = append(m.days, day)
		}
	}
	for i, machine := range machines() {
		m.places = append(m.places, &standing{place: place(i), machine: machine})
	}
	for i, r := range resins() {
		m.lots[r.code] = [2]string{m.newLot(i), m.newLot(i + 1)}
	}
	for _, md := range moulds() {
		if md.formulaFailed {
			m.totals.FailedFormulas++
		}
	}
	m.placeOrders()
	m.run()
	return m
}

// off says whether the plant rests: on Sundays, and on one Saturday.
func (m *month) off(day time.Time) bool {
	return day.Weekday() == time.Sunday || day.Equal(m.first.AddDate(0, 0, 15))
}

// newLot is a supplier's lot number, of which every supplier has a form of its
// own: one puts a blank into it.
func (m *month) newLot(form int) string {
	switch form % 4 {
	case 0:
		return fmt.Sprintf("%dK%02d %03d", 7+m.random.IntN(2), m.random.IntN(100), m.random.IntN(1000))
	case 1:
		return fmt.Sprintf("%06d-%d", 180000+m.random.IntN(2000), 1+m.random.IntN(9))
	case 2:
		return fmt.Sprintf("G%05d", m.random.IntN(100_000))
	default:
		return fmt.Sprintf("%dS%02dB%03d", 6+m.random.IntN(3), m.random.IntN(100), m.random.IntN(1000))
	}
}

// placeOrders fills three workbooks: a few orders before the month, most on its
// first day, some for the next month on the twentieth.
func (m *month) placeOrders() {
	chosen := m.random.Perm(len(m.items))
	for i := range 70 {
		o := &order{item: m.items[chosen[i%60]]}
		switch {
		case i < 10:
			o.received, o.due = m.first.AddDate(0, 0, -12), m.first.AddDate(0, 0, 4)
		case i < 60:
			o.received, o.due = m.first, m.first.AddDate(0, 0, 29)
		default:
			o.received, o.due = m.first.AddDate(0, 0, 19), m.first.AddDate(0, 0, 44)
		}
		o.number = fmt.Sprintf("SP%s%03d", m.first.Format("0601"), i+1)
		if i >= 60 {
			o.number = fmt.Sprintf("SP%s%03d", m.first.AddDate(0, 1, 0).Format("0601"), i-59)
		}
		o.bill = o.item.bills[m.random.IntN(len(o.item.bills))]
		o.quantity = 5_000 * int64(3+m.random.IntN(10)+m.random.IntN(16))
		m.orders = append(m.orders, o)
		m.totals.OrdersPlaced++
	}
}

// run lets the plant work. In the middle of the month two machines change places.
func (m *month) run() {
	for i, day := range m.days {
		if i == m.moveDay() {
			a, b := m.places[1], m.places[5]
			a.machine, b.machine = b.machine, a.machine
		}
		for _, shift := range []string{"1", "2", "3"} {
			for _, s := range m.places {
				m.work(day, shift, s)
			}
		}
	}
}

// moveDay is the place among the working days of the day on which machines move.
func (m *month) moveDay() int { return len(m.days) / 2 }

// work is one shift of one machine: a row, or two where an order ends early
// enough for the next one to begin.
func (m *month) work(day time.Time, shift string, s *standing) {
	r := row{day: day, shift: shift, place: s.place, machineCode: s.machine.code}
	if s.order == nil && !m.take(day, s, &r) || m.random.IntN(100) < 2 {
		m.report(row{day: day, shift: shift, place: s.place, machineCode: s.machine.code})
		return
	}
	left := m.fill(&r, s, shiftSeconds)
	m.report(r)
	if s.order != nil || left < shiftSeconds/3 || m.random.IntN(2) == 0 {
		return
	}
	second := row{day: day, shift: shift, place: s.place, machineCode: s.machine.code}
	if m.take(day, s, &second) {
		m.fill(&second, s, left)
		m.report(second)
	}
}

// take gives the place the next order whose mould is free, and notes what was changed for it.
func (m *month) take(day time.Time, s *standing, r *row) bool {
	next := slices.IndexFunc(m.orders, func(o *order) bool {
		return !o.started && !o.received.After(day) && !slices.ContainsFunc(m.places, func(other *standing) bool {
			return other.order != nil && other.mould == o.item.mould
		})
	})
	if next < 0 {
		return false
	}
	o := m.orders[next]
	if s.mould != nil && s.mould != o.item.mould {
		r.mouldChange = s.mould.number + ">" + o.item.mould.number
	}
	if s.colour != "" && s.colour != o.item.colour {
		r.colourChange = s.colour + ">" + o.item.colour
	}
	o.started, s.order, s.mould, s.colour = true, o, o.item.mould, o.item.colour
	return true
}

// fill makes parts for the order of the place in the seconds that are left of the
// shift, and says how many seconds are left after it. An order that has all its
// parts leaves the place.
func (m *month) fill(r *row, s *standing, seconds int64) int64 {
	o := s.order
	r.order, r.lot = o, m.lotOf(r, o)
	if o.made == 0 && r.mouldChange != "" && m.random.IntN(4) == 0 {
		return 0 // fitting the mould took the shift
	}
	r.cavities = s.mould.cavities
	if m.random.IntN(6) == 0 {
		r.cavities-- // one is blocked
	}
	shots := seconds * int64(80+m.random.IntN(18)) / 100 / s.mould.cycle
	needed := (o.quantity-o.made)*102/100/r.cavities + 1
	used := seconds
	if needed < shots {
		used = seconds * needed / shots
		shots = needed
	}
	r.shots, r.total = shots, shots*r.cavities
	r.rejected = m.reject(r.total)
	r.good = r.total
	for _, reason := range reasons() {
		r.good -= r.rejected[reason.column]
	}
	o.made += r.good
	if o.made >= o.quantity {
		s.order = nil
	}
	return seconds - used
}

// lotOf is the resin lot as somebody typed it: sometimes not at all, sometimes
// with blanks around it.
func (m *month) lotOf(r *row, o *order) string {
	half := 0
	if r.day.Day() > 17 {
		half = 1
	}
	lot := m.lots[o.bill.resin.code][half]
	switch m.random.IntN(20) {
	case 0:
		return ""
	case 1:
		return lot + " "
	case 2:
		return " " + lot
	default:
		return lot
	}
}

// reject says how many of the parts are bad, and why: mostly for no named
// reason, often for oil, seldom for anything else, never for bursts and bends.
func (m *month) reject(total int64) map[string]int64 {
	rejected := map[string]int64{}
	upTo := func(column string, chance int, perMille int64) {
		if m.random.IntN(1000) < chance {
			rejected[column] = m.random.Int64N(total*perMille/1000 + 1)
		}
	}
	upTo("itemBlackSpot", 100, 12)
	upTo("itemOilDeposit", 130, 45)
	upTo("itemScratch", 105, 25)
	upTo("itemCrack", 12, 40)
	upTo("itemSinkMark", 6, 60)
	upTo("itemShort", 6, 15)
	upTo("itemStain", 5, 40)
	upTo("otherNG", 800, 60)
	return rejected
}

// report puts a row into the month and counts it.
func (m *month) report(r row) {
	m.rows = append(m.rows, r)
	t := &m.totals
	t.Rows++
	if r.order == nil {
		t.IdleRows++
		return
	}
	if r.total == 0 {
		t.ZeroRows++
	}
	if m.again(fmt.Sprintf("shift %s %s %s", serial(r.day), r.shift, r.place)) {
		t.SharedShifts++
	}
	if lot := trimmed(r.lot); lot != "" && !m.again("lot "+r.order.bill.resin.code+" "+lot) {
		t.ResinLots++
	}
	if r.total > 0 && !m.again("order "+r.order.number) {
		t.OrdersProduced++
	}
	made := Count{Total: r.total, Good: r.good, Rejected: r.total - r.good}
	t.Count = t.plus(made)
	for _, by := range []struct {
		counts map[string]Count
		key    string
	}{{t.ByItem, r.order.item.code}, {t.ByOrder, r.order.number}, {t.ByMachine, r.place}, {t.ByDay, r.day.Format(time.DateOnly)}} {
		by.counts[by.key] = by.counts[by.key].plus(made)
	}
	for _, reason := range reasons() {
		t.ByReason[reason.code] += r.rejected[reason.column]
	}
	if r.total > 0 {
		t.ResinMilligrams[r.order.bill.resin.code] += r.total * r.order.bill.resinPer
	}
}

// again says whether something was seen before.
func (m *month) again(what string) bool {
	before := m.seen[what]
	m.seen[what] = true
	return before
}
