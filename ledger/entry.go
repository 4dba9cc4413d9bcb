package ledger

import (
	"cmp"
	"slices"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// An Entry is one message with all that was made of it without state, ready for
// the commit. Either Fault is set, and the message will be held, or Drafts holds
// the events that it states.
type Entry struct {
	Message event.Message
	Drafts  []Draft
	Fault   *fault.Fault
	Waits   []string     // what the message waits for, where Fault heals: see ReferenceWanted and its like
	Refs    []event.Ref  // with Fault: the objects that it is about, as far as that is known
	Facts   []event.Fact // with Fault: what is at stake, as far as that is known
	Groups  []string     // of the materials that it is about, where owners depend on them

	Mapping  string // "system/message" and revision that prepared it, for reversals
	Revision string
	Attempt  int // how often it was prepared before: what heals is asked for once more only at 0
	// Replay is set where known content is taken in again on purpose, and what it states
	// is compared with what stands.
	Replay *Replaying

	// Restates says that other content under the same id restates the message;
	// otherwise it is a conflict.
	Restates bool
	// Needs are the objects whose state the decision reads, besides those that
	// the drafts fold into.
	Needs []event.Ref
	// Settlements are steps whose end the message tells.
	Settlements []Settlement
	// Sighted is the number of a document that the message tells of and no step has.
	Sighted *Sighting
	// Undoes are the keys of messages whose events were an echo of a settlement of this
	// entry: they are reversed.
	Undoes []string
	// Refolds are transactions that move to another version of their plan.
	Refolds []Refold
	// Windows are bundles whose time is over, as the message tells.
	Windows []WindowEnd

	// By is who lets a held message go on: a person, or hub@node where it heals; ""
	// where its source sends it.
	By   string
	Bulk *BulkPlace // set where it is a member of bulk work
	// Edit is set where a person has edited the content: it goes on record as a whole, or
	// is Refused. With an ID it was proposed, and a second person has signed.
	Edit *Edit
}

// A Refold moves a transaction to another version of its plan. The Working tells the
// events on record about its object that are of the Types; see Working.About.
type Refold struct {
	Transaction string
	Types       []string
}

// by is on whose account the exception of a message ends.
func (e *Entry) by() string { return cmp.Or(e.By, e.Message.Principal) }

// defers notes what an entry that is put off is about, so that nothing overtakes it.
func (e *Entry) defers(deferred map[string]bool) {
	deferred[e.Message.Key()] = true
	for i := range e.Drafts {
		deferred[e.Drafts[i].Key] = true
	}
}

// follows tells whether an entry that is put off comes before this one: about the
// same message, or the same statement. Then this one is put off too.
func (e *Entry) follows(deferred map[string]bool) bool {
	if len(deferred) == 0 {
		return false
	}
	found := deferred[e.Message.Key()]
	for i := range e.Drafts {
		found = found || deferred[e.Drafts[i].Key] || deferred[e.Drafts[i].Amends]
	}
	if found {
		e.defers(deferred)
	}
	return found
}

// A Draft is an event that is mapped, identified, validated and judged as far as
// that goes without state.
type Draft struct {
	event.Event
	Written         event.Written // the data; nil: they are written when the event is recorded
	Digest          string        // of what the statement says: see flow.Digest
	Folds           []Fold        // objects whose state the event moves
	Verdicts        []Verdict
	Reference       *Reference // set where the event is a version of reference data
	CrossReferences []CrossReference

	// Amends names the message, of the same source, whose one event this draft
	// corrects or reverses; "" where the draft's own key says it all.
	Amends string
	// After are things that must be on record before, in the form of waits.
	After []string
}

// A Fold says that an event moves the state of an object, and its place among
// the events that do.
type Fold struct {
	Ref      event.Ref
	Ordering string
}

// A Verdict is what one policy said of an event.
type Verdict struct {
	Policy  string `json:"policy"`
	Outcome string `json:"outcome"` // pass, stop, error
	Effect  string `json:"effect,omitempty"`
	Reason  string `json:"reason,omitempty"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message,omitempty"`
	Remedy  string `json:"remedy,omitempty"`
}

// Reference is a version of reference data about one object.
type Reference struct {
	Ref                event.Ref
	Plant              string    // "" for all plants
	ValidFrom, ValidTo time.Time // ValidTo zero: open
	Recorded           time.Time
	Event              string // id of the event, its version
	Body               map[string]any
}

// A CrossReference says which object a system means by a local identifier.
type CrossReference struct {
	System, Kind, ID   string
	Ref                event.Ref
	ValidFrom, ValidTo time.Time // ValidTo zero: open
	Recorded           time.Time
	Event              string
}

// replaces tells whether x takes the place of what y says, so that y need not be
// withdrawn.
func (x *CrossReference) replaces(y *CrossReference) bool {
	return x.System == y.System && x.Kind == y.Kind && x.ID == y.ID && x.ValidFrom.Equal(y.ValidFrom)
}

// replaces tells whether r, which may be nil, takes the place of what o says.
func (r *Reference) replaces(o *Reference) bool {
	return r != nil && r.Ref == o.Ref && r.Plant == o.Plant && r.ValidFrom.Equal(o.ValidFrom)
}

// ReferenceWanted is the wait for reference data about a ref. A wait is one text,
// and what ends it makes the same.
func ReferenceWanted(ref event.Ref) string { return "reference:" + string(ref) }

// CrossReferenceWanted is the wait for a local identifier.
func CrossReferenceWanted(system, kind, id string) string {
	return "cross-reference:" + system + "/" + kind + "/" + id
}

// IdentifierWanted is the wait for what a system calls an object.
func IdentifierWanted(system string, ref event.Ref) string {
	return "identifier:" + system + "/" + string(ref)
}

// MessageWanted is the wait for another message of the same source.
func MessageWanted(messageKey string) string { return "message:" + messageKey }

// EventWanted is the wait for an event of a type about a ref.
func EventWanted(typ string, ref event.Ref) string { return "event:" + typ + ":" + string(ref) }

// Working is what the ledger knows of everything that a batch of entries
// touches, loaded inside the commit. Decide reads it; the ledger keeps it true
// from one entry to the next.
type Working struct {
	Inbox      map[string]Inbox          // by message key; absent = never seen
	Versions   map[string]map[string]int // message key -> digest -> version, for messages seen with other content
	Statements map[string]Statement      // newest statement by event key
	ByMessage  map[string][]string       // message key -> event keys whose newest statement it made
	Objects    map[event.Ref]Object      // absent = no state yet
	Satisfied  map[string]bool           // of the waits that entries and drafts name: already on record
	Proposed   map[string]bool           // ids of edits that the entries sign, as long as they are proposed
	Asked      map[string]Correction     // open corrections by message key
	Now        time.Time                 // the commit's time
	Last       int64                     // position of the last event of the plant's feed

	Transactions map[string]Transaction // by id; absent = not begun
	Steps        map[string]Step        // by key: those of the transactions, and those that settlements name

	timers    map[string]Timer // by id: those of turns that are still there
	reached   reached
	sightings sightings
	attempts  map[string][]Attempt // by step: those of which no end is known
	due       map[string]int64     // by step: when the lane that it heads is due
}

// newWorking is a Working that knows nothing yet.
func newWorking() *Working {
	return &Working{
		Inbox: map[string]Inbox{}, Versions: map[string]map[string]int{}, Statements: map[string]Statement{},
		Proposed: map[string]bool{}, Asked: map[string]Correction{},
		ByMessage: map[string][]string{}, Objects: map[event.Ref]Object{}, Satisfied: map[string]bool{},
		Transactions: map[string]Transaction{}, Steps: map[string]Step{}, reached: newReached(), sightings: newSightings(), timers: map[string]Timer{}, attempts: map[string][]Attempt{}, due: map[string]int64{},
	}
}

// Inbox is what is known of a message id.
type Inbox struct {
	Held      bool
	Version   int    // the version that Held is about: the newest that was no conflict
	Effective int    // the version whose events stand; 0 while none
	Digest    string // of the content of Version
	Conflict  string // digest of the last content that was refused as a conflict
	Recorded  time.Time
	Exception string        // while Held: why, as ExceptionText gives it
	Waived    bool          // while Held: a person has given this content up
	Edit      *EditStanding // set where the content of Effective was edited
	events    []string      // keys of the statements that it made; some may be of another message by now
}

// ExceptionText is what two exceptions share that say the same.
func ExceptionText(f *fault.Fault) string {
	return f.Reason.Code + "|" + f.Field + "|" + f.Explanation()
}

// A Statement is the newest statement under an event key.
type Statement struct {
	Draft          // as recorded; Facts are those that stand
	Message string // key of the message that made it
	loaded  bool   // the Draft is complete, not only its key columns
}

// Object is the state of one object, the fold of its authority's events.
type Object struct {
	State    map[string]any
	Ordering string // of the last event in the fold
	Plant    string
	Position int64
	Recorded time.Time
	// History are the events in effect of the fold, by position. It is filled where a
	// refold is necessary, for a late event, a correction, a reversal, and where the
	// object is new in this commit.
	History  []Folded
	Complete bool // History is filled
}

// historyWith is the history after drafts were recorded: without the statements
// that they correct or reverse, with those that they make.
func (o *Object) historyWith(ref event.Ref, drafts []Draft) []Folded {
	history := o.History
	if slices.ContainsFunc(drafts, func(d Draft) bool { return d.Statement > 1 }) {
		history = slices.DeleteFunc(slices.Clone(history), func(h Folded) bool {
			return slices.ContainsFunc(drafts, func(d Draft) bool { return d.Key == h.Key })
		})
	}
	for i := range drafts {
		d := &drafts[i]
		if d.Change == event.Reversal || !slices.ContainsFunc(d.Folds, func(f Fold) bool { return f.Ref == ref }) {
			continue
		}
		history = append(history, Folded{
			Key: d.Key, ID: d.ID(), Type: d.Type, Occurred: d.Occurred.From, Sequence: d.Sequence, Position: d.Position, Data: d.Data,
		})
	}
	return history
}

// Folded is one event of a fold.
type Folded struct {
	Key, ID, Type string
	Occurred      time.Time
	Sequence      string
	Position      int64
	Data          map[string]any
}

// Outcome says what became of a message.
type Outcome string

// The outcomes.
const (
	Recorded  Outcome = "recorded"  // its events are on record
	Corrected Outcome = "corrected" // it restated what was on record; the difference is on record
	Duplicate Outcome = "duplicate" // known; nothing changed
	Held      Outcome = "held"      // kept as it came; an exception says why it does not go on
	Refused   Outcome = "refused"   // edited content that does not go on either; nothing was written
)

// Four decisions are never an answer to a sender.
const (
	// Again prepares the entry anew, because what it waits for has arrived between
	// its preparation and the commit.
	Again Outcome = "again"
	// Later takes the entry in the next commit, because it needs the history of an
	// object that another entry of the same commit has just moved.
	Later Outcome = "later"
	// Stopped leaves a member of bulk work alone that has had its turn, or whose work
	// does not run: nothing is written.
	Stopped Outcome = "stopped"
	// Unforeseen leaves a member of a replay alone of which something else would follow
	// than was shown: nothing is written.
	Unforeseen Outcome = "unforeseen"
)

// A Decision is what follows from one entry.
type Decision struct {
	Outcome  Outcome
	Version  int                  // of the message, where none is added; a Duplicate names the version that it repeats
	Keep     bool                 // a version of the message is added; the ledger numbers it
	Drafts   []Draft              // events to be recorded, in order, with Statement and Change set
	Objects  map[event.Ref]Object // new states
	Fault    *fault.Fault         // with Held
	Owner    string               // with Held: the group that takes care of it
	Terms    Terms                // with Held: until when
	Waits    []string
	Conflict bool // Held as a conflict: what stands stays effective
	Same     bool // Held already, for the same reason: nothing is written

	Following Following // what other systems must do because of it
}

// Decide says what follows from an entry, given the state. It is pure: the same
// arguments give the same decision, and it changes neither.
type Decide func(w *Working, e *Entry) Decision

// An Act is what a person or the hub itself did, on record for audit.
type Act struct {
	Plant     string // "" for the hub as a whole
	Principal string
	Act       string // "key.created", "exception.raised"
	Subject   string
	Detail    string
	Recorded  time.Time
}

// A Result is the answer to one entry.
type Result struct {
	Outcome  Outcome
	Message  string // id of the message version
	Plant    string
	Position int64    // of its last event; 0 without one
	Events   []string // ids of the events that stand for the message
	Recorded time.Time
	Fault    *fault.Fault // with Held
}
