package simulator

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"
	_ "time/tzdata" // machines without a zone database know the plants' zones too

	"github.com/gapless/gapless/event"
)

// Kinds of changes that are an act of the script as it stands.
const actKind = "act"

// mesBooks is what the MES of a plant counted: its reports, and what they add up to.
type mesBooks struct {
	plant   plant
	zone    *time.Location
	goods   *goods
	orders  map[string]*Order
	reports map[string]reported // that stand, by number
	first   []string            // numbers of reports as they came, for the order of the lots
}

// reported is one report of production that stands.
type reported struct {
	Order    string
	Material string
	Lot      string
	Quantity event.Quantity // in base units
}

func newMES(p plant, g *goods) (*mesBooks, error) {
	zone, err := time.LoadLocation(p.zone)
	if err != nil {
		return nil, fmt.Errorf("plant %s: %w", p.name, err)
	}
	return &mesBooks{plant: p, zone: zone, goods: g, orders: map[string]*Order{}, reports: map[string]reported{}}, nil
}

func (m *mesBooks) act(a *Act, _ time.Time) (change, error) {
	messages, err := m.native(a)
	return change{actKind, a, messages}, err
}

// taken is an order that was sent to the MES.
type taken struct {
	Order    string         `json:"order"`
	Material string         `json:"material"`
	Quantity event.Quantity `json:"quantity"`
}

const takenKind = "order-taken"

func (m *mesBooks) fold(kind string, note json.RawMessage) error {
	if kind == takenKind {
		var t taken
		if err := json.Unmarshal(note, &t); err != nil {
			return err
		}
		o := m.order(t.Order, t.Material)
		o.Ordered, o.Taken = t.Quantity.Value, true
		return nil
	}
	var a Act
	if err := json.Unmarshal(note, &a); err != nil {
		return err
	}
	q, err := base(a.Quantity)
	if err != nil || a.Again {
		return err
	}
	switch a.Does {
	case StartBatch:
		m.order(a.Order, a.Material).Batches++
	case Produce, Restate:
		m.report(&a, q)
	case EndOperation:
		if a.Operation == countingOperation {
			m.report(&a, q)
		}
	case Cancel:
		delete(m.reports, a.Report)
	case Scrap:
		o := m.order(a.Order, a.Material)
		o.Scrap = o.Scrap.Add(q.Value)
	default: // told, and nothing is counted
	}
	return nil
}

func (m *mesBooks) report(a *Act, q event.Quantity) {
	if _, again := m.reports[a.Report]; !again {
		m.first = append(m.first, a.Report)
	}
	m.order(a.Order, a.Material)
	m.reports[a.Report] = reported{a.Order, a.Material, a.Lot, q}
}

// order is an order by its number, which work on it makes known.
func (m *mesBooks) order(number, company string) *Order {
	o := m.orders[number]
	if o == nil {
		o = &Order{Order: number, Plant: m.plant.name, Material: company}
		if g, ok := m.goods.of(company); ok {
			o.Unit = g.unit
		}
		m.orders[number] = o
	}
	return o
}

func (m *mesBooks) normal() Books {
	b := Books{System: m.plant.mes(), Kind: kindMES}
	good := map[string]event.Decimal{}
	for _, number := range m.first {
		r, stands := m.reports[number]
		if !stands {
			continue
		}
		good[r.Order] = good[r.Order].Add(r.Quantity.Value)
		b.Lots = append(b.Lots, Lot{
			Plant: m.plant.name, Material: r.Material, Lot: r.Lot, Order: r.Order, Quantity: r.Quantity.Value, Unit: r.Quantity.Unit,
		})
	}
	for _, number := range slices.Sorted(maps.Keys(m.orders)) {
		o := *m.orders[number]
		o.Good = good[number]
		b.Orders = append(b.Orders, o)
	}
	return b
}

// wmsBooks is what lies in the warehouse of a plant, and where.
type wmsBooks struct {
	plant plant
	goods *goods
	store store
	bins  map[string]string // by lot
	tasks map[string]task   // by the client's key
	last  int               // number of the last task of its own
}

// task is a change of status that somebody asked the warehouse for. The same key
// asks for the same task.
type task struct {
	Number    string    `json:"number"`
	Key       string    `json:"key"`
	Asked     string    `json:"asked"` // digest of what was asked for
	Material  string    `json:"material"`
	Lot       string    `json:"lot"`
	Status    Status    `json:"status,omitempty"`
	Parts     []Part    `json:"parts,omitempty"`
	Reference string    `json:"reference,omitempty"`
	At        time.Time `json:"at"`
}

const taskKind = "status-task"

func newWMS(p plant, g *goods) *wmsBooks {
	return &wmsBooks{plant: p, goods: g, store: store{}, bins: map[string]string{}, tasks: map[string]task{}}
}

func (w *wmsBooks) key(company, lot string) lotKey { return lotKey{w.plant.name, company, lot} }

func (w *wmsBooks) act(a *Act, _ time.Time) (change, error) {
	return change{actKind, a, w.native(a)}, nil
}

func (w *wmsBooks) fold(kind string, note json.RawMessage) error {
	if kind == taskKind {
		var t task
		if err := json.Unmarshal(note, &t); err != nil {
			return err
		}
		w.store[w.key(t.Material, t.Lot)].set(t.Status, t.Parts)
		w.tasks[t.Key] = t
		w.last++
		return nil
	}
	var a Act
	if err := json.Unmarshal(note, &a); err != nil {
		return err
	}
	if a.Again || a.Does == TestTerminal {
		return nil // it counts already, or is only said
	}
	shelf := w.store.of(w.key(a.Material, a.Lot), a.Quantity.Unit)
	switch a.Does {
	case PutAway:
		shelf.amount[Quality] = shelf.amount[Quality].Add(a.Quantity.Value)
		w.bins[a.Lot] = a.Bin
	case Relocate:
		w.bins[a.Lot] = a.Bin
	case Recount:
		shelf.change(a.Quantity.Value.Sub(shelf.whole()))
	default:
		return fmt.Errorf("a warehouse does no %s", a.Does)
	}
	return nil
}

func (w *wmsBooks) normal() Books {
	return Books{System: w.plant.wms(), Kind: kindWMS, Stock: w.store.list()}
}

// qmsBooks is what quality decided, and what is on hold.
type qmsBooks struct {
	lots map[lotKey]*Lot
}

func newQMS() *qmsBooks { return &qmsBooks{lots: map[lotKey]*Lot{}} }

func (q *qmsBooks) act(a *Act, _ time.Time) (change, error) {
	m, err := qmsNative(a)
	return change{actKind, a, []Message{m}}, err
}

func (q *qmsBooks) fold(_ string, note json.RawMessage) error {
	var a Act
	if err := json.Unmarshal(note, &a); err != nil {
		return err
	}
	k := lotKey{a.Plant, a.Material, a.Lot}
	l := q.lots[k]
	if l == nil {
		l = &Lot{Plant: a.Plant, Material: a.Material, Lot: a.Lot}
		q.lots[k] = l
	}
	switch a.Does {
	case PlaceHold:
		l.Holds = append(l.Holds, a.Number)
	case LiftHold:
		l.Holds = slices.DeleteFunc(l.Holds, func(h string) bool { return h == a.Number })
	case Release, Reject, Decide:
		l.Decided, l.Parts = string(a.Does), a.Parts
	default: // an inspection decides nothing
	}
	return nil
}

func (q *qmsBooks) normal() Books {
	b := Books{System: qmsName, Kind: kindQMS}
	for _, l := range q.lots {
		known := *l
		known.Holds = slices.Clone(l.Holds)
		known.Status = known.follows()
		b.Lots = append(b.Lots, known)
	}
	slices.SortFunc(b.Lots, func(a, b Lot) int { return cmp.Or(cmp.Compare(a.Plant, b.Plant), cmp.Compare(a.Lot, b.Lot)) })
	return b
}

// follows is the status that stock of the lot must have; "" where its parts have
// each their own.
func (l *Lot) follows() Status {
	switch {
	case len(l.Holds) > 0, l.Decided == string(Reject):
		return Blocked
	case l.Decided == string(Decide):
		return ""
	case l.Decided == string(Release):
		return Free
	}
	return Quality
}
