package simulator

import (
	"cmp"
	"encoding/json"
	"slices"
	"time"

	"github.com/gapless/gapless/event"
)

// Books is what one system holds to be true, in the words and numbers of the
// company and in base units, so that the books of two systems can be compared.
type Books struct {
	System   string    `json:"system"`
	Kind     string    `json:"kind"`
	Stock    []Stock   `json:"stock,omitempty"`    // ERP and WMS; nothing is left out but what is zero
	Postings []Posting `json:"postings,omitempty"` // ERP, in the order of their documents
	Orders   []Order   `json:"orders,omitempty"`   // ERP and MES
	Lots     []Lot     `json:"lots,omitempty"`     // MES: what was made; QMS: what was decided
	Opened   []string  `json:"opened,omitempty"`   // ERP: closed months that are open again, as in "graz 2026-02"
}

// Stock is so much of a lot at a plant with one status.
type Stock struct {
	Plant    string        `json:"plant"`
	Material string        `json:"material"`
	Lot      string        `json:"lot"`
	Status   Status        `json:"status"`
	Quantity event.Decimal `json:"quantity"`
	Unit     string        `json:"unit"`
}

// A Posting is one document of the ERP. A correction names the receipt that it
// corrects and carries the difference; a reversal names what it takes back, with
// all that corrected it.
type Posting struct {
	Document    string        `json:"document"`
	Movement    Movement      `json:"movement"`
	Plant       string        `json:"plant"`
	Order       string        `json:"order,omitempty"`
	Batch       string        `json:"batch,omitempty"`
	Material    string        `json:"material,omitempty"`
	Lot         string        `json:"lot,omitempty"`
	Quantity    event.Decimal `json:"quantity"`
	Unit        string        `json:"unit,omitempty"`
	Status      Status        `json:"status,omitempty"` // a status change: to this one, where all of it goes there
	Parts       []Part        `json:"parts,omitempty"`  // else so
	Amends      string        `json:"amends,omitempty"` // document
	Reference   string        `json:"reference,omitempty"`
	Reason      string        `json:"reason,omitempty"`
	Supplier    string        `json:"supplier,omitempty"`
	PostingDate string        `json:"posting_date"`
	Posted      time.Time     `json:"posted"`
	Found       time.Time     `json:"found"`          // from when on a search finds it
	Lost        bool          `json:"lost,omitempty"` // its answer never reached the client
	Late        bool          `json:"late,omitempty"` // it was posted after the client had gone
}

// A Movement is the kind of a posting.
type Movement string

// The movements, in the words of the company. The ERP has codes of its own for them.
const (
	Receipt         Movement = "receipt" // of own production
	Correction      Movement = "receipt-correction"
	Reversal        Movement = "receipt-reversal"
	StatusChange    Movement = "status-change"
	Scrapping       Movement = "scrap"
	Confirmation    Movement = "confirmation"
	SupplierReceipt Movement = "supplier-receipt"
	Adjustment      Movement = "adjustment"
)

// An Order is what was ordered and what came of it.
type Order struct {
	Order    string        `json:"order"`
	Plant    string        `json:"plant"`
	Material string        `json:"material"`
	Unit     string        `json:"unit"`
	Ordered  event.Decimal `json:"ordered"`
	Good     event.Decimal `json:"good"`  // MES: made; ERP: received into stock
	Scrap    event.Decimal `json:"scrap"` // MES: declared; ERP: posted
	Batches  int           `json:"batches,omitempty"`
	Locked   bool          `json:"locked,omitempty"`
	Taken    bool          `json:"taken,omitempty"` // MES: the order was sent to it
}

// A Lot is what a system knows of a lot.
type Lot struct {
	Plant    string        `json:"plant"`
	Material string        `json:"material"`
	Lot      string        `json:"lot"`
	Order    string        `json:"order,omitempty"`
	Quantity event.Decimal `json:"quantity,omitzero"` // MES: made
	Unit     string        `json:"unit,omitempty"`
	Status   Status        `json:"status,omitempty"` // QMS: what follows from all its decisions and holds
	Decided  string        `json:"decided,omitempty"`
	Parts    []Part        `json:"parts,omitempty"` // QMS: where Status is "" the lot is decided by quantities
	Holds    []string      `json:"holds,omitempty"`
}

// A store keeps stock by lot and status, for the ERP and the warehouses.
type store map[lotKey]*shelf

type lotKey struct{ plant, material, lot string }

// A shelf is all of one lot.
type shelf struct {
	unit   string
	amount map[Status]event.Decimal
}

func (s store) of(k lotKey, unit string) *shelf {
	if s[k] == nil {
		s[k] = &shelf{unit: unit, amount: map[Status]event.Decimal{}}
	}
	return s[k]
}

// whole is how much there is of a lot, whatever its status.
func (s *shelf) whole() event.Decimal {
	var sum event.Decimal
	if s == nil {
		return sum
	}
	for _, d := range s.amount {
		sum = sum.Add(d)
	}
	return sum
}

// main is the status that most of a lot has.
func (s *shelf) main() Status {
	best := Quality
	for _, status := range []Status{Quality, Free, Blocked} {
		if s.amount[status].Cmp(s.amount[best]) > 0 {
			best = status
		}
	}
	return best
}

// change adds to what most of the lot is; what is taken beyond that comes from the rest.
func (s *shelf) change(by event.Decimal) {
	for range 3 {
		status := s.main()
		left := s.amount[status].Add(by)
		if left.Sign() >= 0 {
			s.amount[status] = left
			return
		}
		s.amount[status], by = event.Decimal{}, left
	}
}

// set gives all of a lot one status, or its parts theirs.
func (s *shelf) set(status Status, parts []Part) {
	whole := s.whole()
	clear(s.amount)
	for _, p := range parts {
		s.amount[p.Status] = s.amount[p.Status].Add(p.Quantity.Value)
	}
	if len(parts) == 0 {
		s.amount[status] = whole
	}
}

func (s store) list() []Stock {
	all := []Stock{}
	for k, shelf := range s {
		for status, d := range shelf.amount {
			if d.Sign() != 0 {
				all = append(all, Stock{k.plant, k.material, k.lot, status, d, shelf.unit})
			}
		}
	}
	slices.SortFunc(all, func(a, b Stock) int {
		return cmp.Or(cmp.Compare(a.Plant, b.Plant), cmp.Compare(a.Lot, b.Lot), cmp.Compare(a.Status, b.Status))
	})
	return all
}

// books is what one system keeps, the fold of its changes.
type books interface {
	// act is what an act of the script changes, and what is reported because of it.
	act(a *Act, now time.Time) (change, error)
	// fold takes a change in, now or when the journal is read again.
	fold(kind string, note json.RawMessage) error
	// normal is the books in the words of the company.
	normal() Books
}

// A change is one line of a system's journal.
type change struct {
	kind     string
	note     any
	messages []Message
}

// A Message is one report to the hub, in the system's own format.
type Message struct {
	Name  string    `json:"message"`
	Type  string    `json:"type"` // media type
	Body  string    `json:"body"`
	After time.Time `json:"after,omitzero"` // of the day: it is not reported earlier
}
