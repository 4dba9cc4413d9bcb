package simulator

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/gapless/gapless/event"
)

// erpBooks is the company's ERP: orders, documents, and stock by lot and status. It
// has no unique keys: what is posted twice is posted twice.
type erpBooks struct {
	goods    *goods
	items    map[string]bool // that it has master data of
	orders   map[string]*Order
	store    store
	postings []Posting
	place    map[string]int // document -> place in postings
	reversed map[string]bool
	opened   map[string]bool // closed months that a clerk has opened again, by plant
	tries    map[string]int  // reference -> how often it was seen
	faults   Faults
}

func newERP(g *goods) *erpBooks {
	return &erpBooks{
		goods: g, items: map[string]bool{}, orders: map[string]*Order{}, store: store{}, place: map[string]int{},
		reversed: map[string]bool{}, opened: map[string]bool{}, tries: map[string]int{}, faults: Faults{RefusalsByCode: map[string]int{}},
	}
}

// Kinds of lines in the ERP's journal beside the acts.
const (
	postingKind = "posting"
	faultKind   = "fault"
)

func (e *erpBooks) act(a *Act, now time.Time) (change, error) {
	p := Posting{
		Document: e.document(), Plant: a.Plant, Order: a.Order, Material: a.Material, Lot: a.Lot, Quantity: a.Quantity.Value, Unit: a.Quantity.Unit,
		Reason: a.Reason, Supplier: a.Supplier, PostingDate: a.Occurred.Format(time.DateOnly), Posted: a.Occurred, Found: now,
	}
	switch a.Does {
	case PublishItem:
		m, err := e.item(a)
		return change{actKind, a, []Message{m}}, err
	case ReleaseOrder:
		m, err := e.productionOrder(a)
		return change{actKind, a, []Message{m}}, err
	case LockOrder, UnlockOrder, OpenPeriod:
		return change{actKind, a, nil}, nil
	case ReceiveGoods:
		p.Movement, p.Status = SupplierReceipt, Free
	case AdjustStock:
		p.Movement = Adjustment
	default:
		return change{}, wrong(erpName, a)
	}
	return e.posting(&p)
}

// posting is the change that a document makes: the ERP reports all of its own
// documents, those too that somebody else had it post.
func (e *erpBooks) posting(p *Posting) (change, error) {
	m, err := e.posted(p)
	if p.Found.After(p.Posted) && p.Reference != "" {
		m.After = p.Found // it is reported out of the index that the search reads
	}
	return change{postingKind, p, []Message{m}}, err
}

func (e *erpBooks) document() string { return fmt.Sprintf("50%08d", len(e.postings)+1) }

func (e *erpBooks) fold(kind string, note json.RawMessage) error {
	switch kind {
	case postingKind:
		var p Posting
		if err := json.Unmarshal(note, &p); err != nil {
			return err
		}
		e.post(&p)
		return nil
	case faultKind:
		var f faulted
		if err := json.Unmarshal(note, &f); err != nil {
			return err
		}
		e.tries[f.Reference]++
		e.faults.add(&f)
		return nil
	}
	var a Act
	if err := json.Unmarshal(note, &a); err != nil {
		return err
	}
	switch a.Does {
	case PublishItem:
		e.items[a.Material] = true
	case ReleaseOrder:
		e.items[a.Material] = true // it could not have ordered what it has not
		e.orders[a.Order] = &Order{Order: a.Order, Plant: a.Plant, Material: a.Material, Unit: a.Quantity.Unit, Ordered: a.Quantity.Value}
	case LockOrder, UnlockOrder:
		e.orders[a.Order].Locked = a.Does == LockOrder
	case OpenPeriod:
		e.opened[a.Plant+" "+a.Period] = true
	default:
		return wrong(erpName, &a)
	}
	return nil
}

// post takes a document into the books.
func (e *erpBooks) post(p *Posting) {
	e.place[p.Document] = len(e.postings)
	e.postings = append(e.postings, *p)
	if p.Reference != "" {
		e.tries[p.Reference]++
	}
	e.faults.posted(p)
	k := lotKey{p.Plant, p.Material, p.Lot}
	order := e.orders[p.Order]
	switch p.Movement {
	case Receipt:
		shelf := e.store.of(k, p.Unit)
		shelf.amount[Quality] = shelf.amount[Quality].Add(p.Quantity)
		order.Good = order.Good.Add(p.Quantity)
	case Correction, Reversal:
		e.store.of(k, p.Unit).change(p.Quantity)
		order.Good = order.Good.Add(p.Quantity)
		if p.Movement == Reversal {
			e.reversed[p.Amends] = true
		}
	case StatusChange:
		e.store.of(k, p.Unit).set(p.Status, p.Parts)
	case Scrapping:
		order.Scrap = order.Scrap.Add(p.Quantity)
	case Confirmation:
		order.Batches++
	case SupplierReceipt:
		shelf := e.store.of(k, p.Unit)
		shelf.amount[Free] = shelf.amount[Free].Add(p.Quantity)
	case Adjustment:
		e.store.of(k, p.Unit).change(p.Quantity)
	}
}

// standing is what a receipt comes to with all that corrected it.
func (e *erpBooks) standing(document string) event.Decimal {
	var sum event.Decimal
	for i := range e.postings {
		if p := &e.postings[i]; p.Document == document || p.Amends == document {
			sum = sum.Add(p.Quantity)
		}
	}
	return sum
}

func (e *erpBooks) normal() Books {
	b := Books{System: erpName, Kind: kindERP, Stock: e.store.list(), Postings: slices.Clone(e.postings), Opened: slices.Sorted(maps.Keys(e.opened))}
	for _, number := range slices.Sorted(maps.Keys(e.orders)) {
		b.Orders = append(b.Orders, *e.orders[number])
	}
	return b
}

// erpMovements are the ERP's codes for what its documents are.
var erpMovements = map[Movement]string{
	Receipt: "PR", Correction: "PC", Reversal: "PX", StatusChange: "ST", Scrapping: "SC", Confirmation: "CF", SupplierReceipt: "SR", Adjustment: "AD",
}

// item is a version of the master data of an item, with the numbers that other
// systems have for it.
func (e *erpBooks) item(a *Act) (Message, error) {
	m, ok := e.goods.of(a.Material)
	if !ok {
		return Message{}, fmt.Errorf("there is no material %s", a.Material)
	}
	p, _ := plantOf(m.plant)
	all := numbers(m)
	others := []map[string]string{}
	for _, system := range slices.Sorted(maps.Keys(all)) {
		if system == a.Without {
			continue
		}
		others = append(others, map[string]string{"system": system, "number": all[system]})
	}
	f := map[string]any{
		"itemNo": all[erpName], "globalNo": m.number, "text": m.title, "type": map[bool]string{true: "ROH", false: "FERT"}[m.bought],
		"uom": erpUnits[m.unit], "site": p.site, "validFrom": a.ValidFrom, "changedAt": a.Occurred.Format(time.RFC3339), "numbers": others,
	}
	if m.serials {
		f["countingOperation"] = countingOperation
	}
	return asJSON("item", f)
}

func (e *erpBooks) productionOrder(a *Act) (Message, error) {
	p, _ := plantOf(a.Plant)
	return asJSON("production-order", map[string]any{
		"order": a.Order, "orderType": "PI01", "site": p.site, "itemNo": e.goods.number(erpName, a.Material), "batch": a.Batch,
		"quantity": a.Quantity.Value.String(), "uom": erpUnits[a.Quantity.Unit], "due": a.Occurred.AddDate(0, 0, 3).Format(time.DateOnly),
		"releasedAt": a.Occurred.Format(time.RFC3339),
	})
}

// posted is what the ERP reports of a document.
func (e *erpBooks) posted(p *Posting) (Message, error) {
	f := nativePosting(e.goods, p)
	f["postedAt"] = p.Posted.UTC().Format(time.RFC3339)
	return asJSON("posting", f)
}

// nativePosting is a document as the ERP shows it. What is empty is left out.
func nativePosting(g *goods, p *Posting) map[string]any {
	site, _ := plantOf(p.Plant)
	f := map[string]any{"document": p.Document, "movement": erpMovements[p.Movement], "site": site.site, "postingDate": p.PostingDate}
	for name, text := range map[string]string{
		"order": p.Order, "batch": p.Batch, "lot": p.Lot, "to": erpStatus[p.Status], "amends": p.Amends, "reference": p.Reference,
		"reason": p.Reason, "vendor": p.Supplier,
	} {
		if text != "" {
			f[name] = text
		}
	}
	if p.Material != "" {
		f["itemNo"] = g.number(erpName, p.Material)
	}
	if p.Unit != "" {
		f["quantity"], f["uom"] = p.Quantity.String(), erpUnits[p.Unit]
	}
	if len(p.Parts) > 0 {
		parts := []map[string]string{}
		for _, part := range p.Parts {
			parts = append(parts, map[string]string{"to": erpStatus[part.Status], "quantity": part.Quantity.Value.String()})
		}
		f["parts"] = parts
	}
	return f
}
