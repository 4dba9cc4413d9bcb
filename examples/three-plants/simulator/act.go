package simulator

import (
	"time"

	"github.com/gapless/gapless/event"
)

// A Verb is what a system does. Each belongs to one kind of system.
type Verb string

// What the systems do by the script of the day.
const (
	PublishItem   Verb = "publish-item" // ERP
	ReleaseOrder  Verb = "release-order"
	ReceiveGoods  Verb = "receive-goods" // of a supplier
	AdjustStock   Verb = "adjust-stock"  // after a count, by a clerk
	LockOrder     Verb = "lock-order"    // by a clerk, too early
	UnlockOrder   Verb = "unlock-order"
	OpenPeriod    Verb = "open-period" // by a clerk, for what comes late
	StartBatch    Verb = "start-batch" // MES
	Consume       Verb = "consume"
	Produce       Verb = "produce"
	Restate       Verb = "restate" // a report of production, with another quantity
	Cancel        Verb = "cancel"  // a report of production
	Scrap         Verb = "scrap"
	EndOperation  Verb = "end-operation"
	InspectSerial Verb = "inspect-serial"
	EndBatch      Verb = "end-batch"
	PutAway       Verb = "put-away" // WMS
	Relocate      Verb = "relocate"
	Recount       Verb = "recount"
	TestTerminal  Verb = "test-terminal" // which reports moves that are none
	Inspect       Verb = "inspect"       // QMS
	PlaceHold     Verb = "place-hold"
	LiftHold      Verb = "lift-hold"
	Release       Verb = "release"
	Reject        Verb = "reject"
	Decide        Verb = "decide" // by quantities
)

// An Act is one thing that one system does at one time. Which fields count, the
// verb says. Quantities are in the unit in which the system counts.
type Act struct {
	ID        string         `json:"id"`
	At        time.Time      `json:"at"`
	Occurred  time.Time      `json:"occurred"` // as reported: At, but for what is reported late
	System    string         `json:"system"`
	Does      Verb           `json:"does"`
	Plant     string         `json:"plant"`
	Report    string         `json:"report,omitempty"` // the system's own number of the report
	Order     string         `json:"order,omitempty"`
	Batch     string         `json:"batch,omitempty"`
	Line      string         `json:"line,omitempty"`
	Material  string         `json:"material,omitempty"` // the company's number
	Lot       string         `json:"lot,omitempty"`
	Lots      []string       `json:"lots,omitempty"`
	Operation string         `json:"operation,omitempty"`
	Quantity  event.Quantity `json:"quantity,omitzero"`
	Parts     []Part         `json:"parts,omitempty"`
	Serials   []string       `json:"serials,omitempty"`
	Number    string         `json:"number,omitempty"` // of a hold, an inspection or a decision
	Reason    string         `json:"reason,omitempty"`
	Passed    bool           `json:"passed,omitempty"`
	Final     bool           `json:"final,omitempty"`
	Bin       string         `json:"bin,omitempty"`
	Story     string         `json:"story,omitempty"`   // what this is an example of
	Wrong     Mistake        `json:"wrong,omitempty"`   // what the system says wrongly
	Again     bool           `json:"again,omitempty"`   // it was said before, wrongly: it counts already
	Period    string         `json:"period,omitempty"`  // a month, as in 2026-02
	Without   string         `json:"without,omitempty"` // the system whose number is not agreed yet
	ValidFrom string         `json:"valid_from,omitempty"`
	Supplier  string         `json:"supplier,omitempty"`
}

// A Part is so much of a lot with one stock status.
type Part struct {
	Status   Status         `json:"status"`
	Quantity event.Quantity `json:"quantity"`
}

// A Status says what may be done with stock. The systems have codes of their own for it.
type Status string

// The statuses, in the words of the company.
const (
	Free    Status = "free"
	Quality Status = "quality"
	Blocked Status = "blocked"
)
