package ledger

import (
	"slices"
	"strings"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// StepStatus says where a step stands.
type StepStatus string

// The statuses of a step. Only due, sent and accepted stand in lanes.
const (
	StepWaiting    StepStatus = "waiting"        // for a step before it
	StepDue        StepStatus = "due"            // to be performed
	StepSent       StepStatus = "sent"           // an attempt may have gone out, and nothing is known of its end
	StepAccepted   StepStatus = "accepted"       // the system tells later, in a message
	StepApplied    StepStatus = "applied"        // done, with what documents
	StepPartly     StepStatus = "partly-applied" // some lines are done, others refused
	StepRefused    StepStatus = "refused"        // the system did nothing and said why
	StepHeld       StepStatus = "held"           // a person must look before it goes out
	StepSuperseded StepStatus = "superseded"     // a newer one took its place before it went out
	StepObsolete   StepStatus = "obsolete"       // what it followed from is gone
	StepReversed   StepStatus = "reversed"       // it was applied and is undone
	StepWaived     StepStatus = "waived"         // a person decided that it is not performed
	StepShadow     StepStatus = "shadow"         // what would have gone out
)

// queued tells whether a step of the status stands in its lanes.
func (s StepStatus) queued() bool {
	return s == StepDue || s == StepSent || s == StepAccepted
}

// Stuck tells whether the step does not go on by itself: then it has an exception.
func (s StepStatus) Stuck() bool { return s == StepHeld || s == StepRefused || s == StepPartly }

// InFlight tells whether an attempt may have done something that is not yet known.
func (s StepStatus) InFlight() bool { return s == StepSent || s == StepAccepted }

// A Step is what a plan decided that a system must do.
type Step struct {
	Key         string    `json:"key"`         // the command key
	Transaction string    `json:"transaction"` // see TransactionID
	Object      event.Ref `json:"object"`
	Plant       string    `json:"plant"`
	Reaction    string    `json:"reaction"`
	Role        string    `json:"role"`
	System      string    `json:"system"`
	Command     string    `json:"command"`
	Cause       string    `json:"cause"`            // id of the event's statement
	Position    int64     `json:"-"`                // of the cause in the plant's feed; 0 where that is not known
	Basis       string    `json:"basis,omitempty"`  // id of the statement that it starts from
	Amends      string    `json:"amends,omitempty"` // key of the step that it amends or undoes
	Wanted      string    `json:"wanted,omitempty"`
	Members     []string  `json:"members,omitempty"` // ids of the statements that it performs together; nil where that is its cause alone
	Posting     string    `json:"posting,omitempty"` // day of the plant on which it is posted, "2026-04-01"; "" for a status
	Ordering    string    `json:"-"`                 // of the cause among the events of the object: in its lanes the smaller goes first, then the one that came first
	Lanes       []event.Ref
	Terms       Terms      `json:"-"` // from recording
	Status      StepStatus `json:"status"`

	// What the ledger fills in.
	Recorded time.Time `json:"recorded"`
	Deadline time.Time `json:"deadline"` // zero: none
	Changed  time.Time `json:"changed"`
	Attempts int       `json:"attempts"`
	Digest   string    `json:"-"` // of the request of the first attempt; "" before
}

// laneNames are the names of the lanes that the step stands in, sorted: the first
// is the one that is claimed.
func (s *Step) laneNames() []string {
	names := make([]string, len(s.Lanes))
	for i, ref := range s.Lanes {
		names[i] = s.System + " " + string(ref)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// A Transaction is what a plan makes of the events about one object.
type Transaction struct {
	Plan         string
	Object       event.Ref
	Plant        string
	Version      string // digest of the plan that decided its steps
	State        []byte // the plan's own; nil for one that is not yet on record
	Complete     bool
	Expectations []Expectation // that the entry opens, or that are no longer open
	Windows      []Window      // the same for what it gathers until a time
}

// ID names the transaction.
func (t *Transaction) ID() string { return TransactionID(t.Plan, t.Object) }

// TransactionID names the transaction of a plan about an object.
func TransactionID(plan string, object event.Ref) string { return plan + " " + string(object) }

// objectOf is what a transaction is about, by the transaction's id.
func objectOf(id string) string {
	_, object, _ := strings.Cut(id, " ")
	return object
}

// An Expectation is what a plan expects after an event. It stays due when it was
// first, though the event is noted again.
type Expectation struct {
	Name  string    `json:"name"`
	Cause string    `json:"cause"` // id of the statement after which it is expected
	Terms Terms     `json:"-"`     // from recording
	Met   bool      `json:"met"`
	How   string    `json:"how,omitempty"` // with Met: what ended it
	Due   time.Time `json:"due"`           // filled in by the ledger
}

// AttemptOutcome says what became of an attempt.
type AttemptOutcome string

// The outcomes of an attempt.
const (
	AttemptOpen     AttemptOutcome = ""
	AttemptNotSent  AttemptOutcome = "not-sent" // certainly nothing went out
	AttemptUnknown  AttemptOutcome = "unknown"  // it may have been done
	AttemptAbsent   AttemptOutcome = "absent"   // asked for later, and certainly not done
	AttemptAccepted AttemptOutcome = "accepted"
	AttemptApplied  AttemptOutcome = "applied"
	AttemptPartly   AttemptOutcome = "partly-applied"
	AttemptRefused  AttemptOutcome = "refused"
	AttemptWaived   AttemptOutcome = "waived" // a person decided that nobody asks any more
)

// An Attempt is one try of a step. It is on record before anything leaves.
type Attempt struct {
	Step       string         `json:"step"`
	Number     int            `json:"number"`
	Node       string         `json:"node"`
	Begun      time.Time      `json:"begun"`
	SendBefore time.Time      `json:"send_before"`
	Ended      time.Time      `json:"ended"` // zero: nothing is known of its end
	Outcome    AttemptOutcome `json:"outcome"`
	Words      string         `json:"words,omitempty"`
}

// A StepDocument is a number that a system gave to what it did.
type StepDocument struct {
	Number string `json:"number"`
	Kind   string `json:"kind,omitempty"`
}

// A Settlement tells what became of a step: by an answer, by asking, by an echo.
type Settlement struct {
	Step        string
	Transaction string
	Attempt     int    // that was answered, or the newest one that was asked for; 0: it is not of an attempt
	System      string // that gave the documents
	Outcome     AttemptOutcome
	From        StepStatus // where set, it counts only while the step has this status
	Since       time.Time  // with From: since when, as Step.Changed has it
	Documents   []StepDocument
	Words       string
	Reason      *fault.Reason // with AttemptRefused
	// Split takes the bundle that the step performs apart, as a person asks. Blamed are the
	// ids of the statements that are to blame, as the person or the system says.
	Split  bool
	Blamed []string
	// Echo says that the system told of it by itself. That moves only a step of which
	// something was known to be under way or in doubt.
	Echo bool
}

// A StepException is what stands in the way of a step.
type StepException struct {
	Step  string
	Fault *fault.Fault
	Owner string
	Terms Terms
	Waits []string
}

// A Following is what follows from an entry for other systems.
type Following struct {
	Settled      []Settlement  // those of the entry's that count
	Transactions []Transaction // new states
	Steps        []Step        // new or moved
	Raised       []StepException
	Resolved     []StepEnd
}

// A StepEnd ends the open exceptions of a step.
type StepEnd struct {
	Step, Resolution string
	Waived           bool // a person gave the step up
}
