package simulator

import (
	"time"

	"github.com/gapless/gapless/event"
)

// A refusal is why the ERP does not post something.
type refusal struct {
	Code string
	Text string
}

// longestReference is how much text of a client the ERP keeps with a document.
const longestReference = 32

// A request is what a client wants posted: the fields of both of its interfaces.
type request struct {
	Movement    string        `json:"movement"`
	Site        string        `json:"site"`
	Order       string        `json:"order"`
	Batch       string        `json:"batch"`
	Item        string        `json:"itemNo"`
	Lot         string        `json:"lot"`
	Quantity    string        `json:"quantity"`
	Unit        string        `json:"uom"`
	To          string        `json:"to"`
	Parts       []requestPart `json:"parts"`
	PostingDate string        `json:"postingDate"`
	Amends      string        `json:"amends"`
	Reason      string        `json:"reason"`
	Reference   string        `json:"reference"`
}

type requestPart struct {
	To       string `json:"to"`
	Quantity string `json:"quantity"`
}

// check works out the document of a request, or why there is none.
func (e *erpBooks) check(r *request) (*Posting, *refusal) {
	p := &Posting{Order: r.Order, Batch: r.Batch, Lot: r.Lot, PostingDate: r.PostingDate, Reason: r.Reason, Reference: r.Reference, Amends: r.Amends}
	movement, ok := keyOf(erpMovements, r.Movement)
	if !ok || movement == SupplierReceipt || movement == Adjustment {
		return nil, &refusal{"MOVEMENT_UNKNOWN", "movement " + r.Movement + " is not for clients"}
	}
	p.Movement = movement
	site, ok := plantOf(r.Site)
	if !ok || site.site != r.Site {
		return nil, &refusal{"SITE_UNKNOWN", "site " + r.Site}
	}
	p.Plant = site.name
	if len(r.Reference) > longestReference {
		return nil, &refusal{"REFERENCE_TOO_LONG", "a reference has at most 32 characters"}
	}
	if _, err := time.Parse(time.DateOnly, r.PostingDate); err != nil {
		return nil, &refusal{"DATE_INVALID", "posting date " + r.PostingDate}
	}
	if month := r.PostingDate[:len("2026-01")]; r.PostingDate < periodOpens && !e.opened[p.Plant+" "+month] {
		return nil, &refusal{"PERIOD_CLOSED", "period " + month + " is closed"}
	}
	for _, rule := range []func(*request, *Posting) *refusal{e.checkOrder, e.checkItem, e.checkQuantity, e.checkStock} {
		if refused := rule(r, p); refused != nil {
			return nil, refused
		}
	}
	p.Document = e.document()
	return p, nil
}

func (e *erpBooks) checkOrder(_ *request, p *Posting) *refusal {
	if p.Movement == StatusChange {
		return nil
	}
	o := e.orders[p.Order]
	switch {
	case o == nil || o.Plant != p.Plant:
		return &refusal{"ORDER_UNKNOWN", "order " + p.Order + " at " + p.Plant}
	case o.Locked:
		return &refusal{"ORDER_STATE", "order " + p.Order + " is locked"}
	}
	p.Material = o.Material
	return nil
}

func (e *erpBooks) checkItem(r *request, p *Posting) *refusal {
	if p.Movement == Confirmation {
		return nil
	}
	m, ok := e.goods.known(erpName, r.Item)
	switch {
	case !ok || !e.items[m.number]:
		return &refusal{"MATERIAL_UNKNOWN", "item " + r.Item}
	case p.Movement != StatusChange && p.Movement != Scrapping && m.number != p.Material:
		return &refusal{"MATERIAL_WRONG", "order " + p.Order + " makes another item than " + r.Item}
	}
	p.Material, p.Unit = m.number, m.unit
	if r.Lot == "" && p.Movement != Scrapping {
		return &refusal{"LOT_MISSING", "item " + r.Item + " is kept by lot"}
	}
	return nil
}

// inBase is a quantity of a request in the item's own unit.
func inBase(text, local string, unit string) (event.Decimal, *refusal) {
	code, ok := keyOf(erpUnits, local)
	value, err := event.ParseDecimal(text)
	if !ok || err != nil {
		return event.Decimal{}, &refusal{"QUANTITY_INVALID", "quantity " + text + " " + local}
	}
	q, err := base(event.Quantity{Value: value, Unit: code})
	if err != nil || q.Unit != unit {
		return event.Decimal{}, &refusal{"UNIT_WRONG", "unit " + local + " is none of the item"}
	}
	return q.Value, nil
}

func (e *erpBooks) checkQuantity(r *request, p *Posting) *refusal {
	switch p.Movement {
	case Receipt, Scrapping, Correction:
		value, refused := inBase(r.Quantity, r.Unit, p.Unit)
		if refused != nil {
			return refused
		}
		if value.IsZero() || value.Sign() < 0 && p.Movement != Correction {
			return &refusal{"QUANTITY_INVALID", "quantity " + r.Quantity}
		}
		p.Quantity = value
	case StatusChange:
		return e.checkParts(r, p)
	default: // a reversal takes back what there is; a confirmation has none
	}
	return nil
}

// checkParts reads what a lot's stock becomes. What no part names stays in quality.
func (e *erpBooks) checkParts(r *request, p *Posting) *refusal {
	shelf := e.store[lotKey{p.Plant, p.Material, p.Lot}]
	left := shelf.whole()
	if left.Sign() <= 0 {
		return &refusal{"LOT_MISSING", "there is no stock of lot " + p.Lot}
	}
	p.Quantity = left
	if len(r.Parts) == 0 {
		var ok bool
		if p.Status, ok = keyOf(erpStatus, r.To); !ok {
			return &refusal{"STATUS_UNKNOWN", "status " + r.To}
		}
		return nil
	}
	for _, part := range r.Parts {
		status, ok := keyOf(erpStatus, part.To)
		if !ok {
			return &refusal{"STATUS_UNKNOWN", "status " + part.To}
		}
		value, refused := inBase(part.Quantity, r.Unit, p.Unit)
		if refused != nil {
			return refused
		}
		if left = left.Sub(value); left.Sign() < 0 {
			return &refusal{"INSUFFICIENT_STOCK", "there is less of lot " + p.Lot}
		}
		p.Parts = append(p.Parts, Part{status, event.Quantity{Value: value, Unit: p.Unit}})
	}
	if left.Sign() > 0 {
		p.Parts = append(p.Parts, Part{Quality, event.Quantity{Value: left, Unit: p.Unit}})
	}
	return nil
}

func (e *erpBooks) checkStock(_ *request, p *Posting) *refusal {
	if p.Movement != Correction && p.Movement != Reversal {
		return nil
	}
	i, ok := e.place[p.Amends]
	if ok && e.postings[i].Movement == Correction { // a correction of a correction is one of its receipt
		p.Amends = e.postings[i].Amends
		i = e.place[p.Amends]
	}
	switch {
	case !ok || e.postings[i].Movement != Receipt || e.postings[i].Lot != p.Lot:
		return &refusal{"DOCUMENT_UNKNOWN", "document " + p.Amends + " is no receipt of lot " + p.Lot}
	case e.reversed[p.Amends]:
		return &refusal{"DOCUMENT_REVERSED", "document " + p.Amends + " is reversed"}
	}
	if p.Movement == Reversal {
		p.Quantity = e.standing(p.Amends).Neg()
	}
	whole := e.store[lotKey{p.Plant, p.Material, p.Lot}].whole()
	if whole.Add(p.Quantity).Sign() < 0 {
		return &refusal{"INSUFFICIENT_STOCK", "there is less of lot " + p.Lot}
	}
	return nil
}
