// Package event holds the vocabulary that all of Gapless shares: refs, units,
// quantities, messages, events and facts, their canonical form and their
// identity. It knows no local codes, reads no clock and has no float.
package event

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// An Event is one business fact or decision in the vocabulary of the catalog.
// A draft is an Event that is mapped and identified but not yet on record; its
// Position and Recorded are zero.
type Event struct {
	Key       string // what is stated about what: see Identity
	Statement int    // 1 states it first; 2, 3 ... correct or reverse the one before
	Change    Change // what this statement does to the one before
	Type      string // "production.completed"
	Version   int    // of the contract, from 1
	System    string // who asserts it
	Plant     string
	Identity  string // the business key within system and type
	Slot      string // which output of the mapping: "scrap/black-spot", never an index
	Subject   Ref
	Occurred  Span
	Day       string // production day, "2018-11-01", by the calendar valid then; "" where none applies
	Shift     string // shift of that day; "" where none applies
	Sequence  string // the source's own order of events about one subject; "" where it has none

	Correlation string // what belongs together, given by the source
	Causation   string // the id of the event or message that this one follows from

	Data      map[string]any // JSON values; numbers are json.Number
	Refs      []Ref          // every object that it touches, subject first, without repetition
	Relations []Relation
	Facts     []Fact
	Disputed  bool // a policy objects: recorded, counted apart, its steps withheld
	Edited    bool // made of content that a person has edited in the hub

	Message  string // id of the message that caused it
	Mapping  string // "system/message", "" for an event sent as such
	Revision string // digest of the catalog that mapped and judged it

	Position int64     // place in the plant's feed, from 1
	Recorded time.Time // taken with the position, never twice the same in one feed
}

// A Change says what a statement does to the statement before it.
type Change string

// The three changes. The zero Change is a first statement.
const (
	First      Change = ""
	Correction Change = "correction" // restates the whole event
	Reversal   Change = "reversal"   // it did not happen after all
)

// A Span is when something happened, in the zone where it happened. To equals
// From for a moment.
type Span struct{ From, To time.Time }

// A Relation links two objects: an order and its lot, a lot and the lot made of it.
// Genealogy is read from relations alone.
type Relation struct {
	Kind string `json:"kind"` // "order-lot", declared in the catalog
	From Ref    `json:"from"`
	To   Ref    `json:"to"`
}

// A Fact is one row that figures are made of. It is a function of its event alone.
type Fact struct {
	Measure    string // "good", "scrap", "rework", "consumed" ...
	Material   Ref
	Lot        Ref
	Order      Ref
	Operation  Ref
	WorkCenter Ref
	Equipment  Ref
	Reason     string   // code from the list that the contract names; "" where none applies
	Quantity   Quantity // as reported
	Base       Quantity // in the base unit of its dimension or material
	Factor     string   // version of the material-specific factor used; "" for a factor of Rec 20
}

// Identity is the Key of a statement: what the same source says about the same
// thing, whatever file, channel, position or catalog revision it came through.
func Identity(system, typ, identity, slot string) string {
	return digestKey("event", system, typ, identity, slot)
}

// MessageKey is the key of a message: the same for every version of its content.
func MessageKey(system, name, id string) string {
	return digestKey("message", system, name, id)
}

// digestKey hashes its parts, each with its length in front, so that no two
// lists of parts collide by concatenation. 128 bits, as 32 hex digits.
func digestKey(parts ...string) string {
	b := make([]byte, 0, 256)
	for _, p := range parts {
		b = strconv.AppendInt(b, int64(len(p)), 10)
		b = append(b, ':')
		b = append(b, p...)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:16])
}

// ID names one statement: the Key for the first, Key.2, Key.3 ... for those that
// correct or reverse it.
func (e *Event) ID() string { return StatementID(e.Key, e.Statement) }

// StatementID joins a key and the number of a statement or version.
func StatementID(key string, n int) string {
	if n <= 1 {
		return key
	}
	return key + "." + strconv.Itoa(n)
}

// ParseStatementID splits what StatementID joined.
func ParseStatementID(id string) (key string, n int, err error) {
	key, number, versioned := strings.Cut(id, ".")
	if raw, err := hex.DecodeString(key); err != nil || len(raw) != 16 || key != strings.ToLower(key) {
		return "", 0, fmt.Errorf("%.80q is no id: an id has 32 hex digits and, from the second statement on, a dot and its number", id)
	}
	if !versioned {
		return key, 1, nil
	}
	n, err = strconv.Atoi(number)
	if err != nil || n < 2 || strconv.Itoa(n) != number {
		return "", 0, fmt.Errorf("%.80q is no id: behind the dot stands the number of the statement, from 2", id)
	}
	return key, n, nil
}

// Order is the place of an event among the others of an object: by when it
// happened, then by the source's sequence. Orders compare as text; where both are
// equal the position in the feed decides.
func (e *Event) Order() string {
	return fmt.Sprintf("%016x/", uint64(e.Occurred.From.UnixMicro())+1<<63) + padSequence(e.Sequence)
}

// OrderBySequence is Order for objects whose events come from one source that
// numbers them: its numbers before its clock. A tab ends the sequence, because it
// comes before every character that a sequence may hold.
func (e *Event) OrderBySequence() string {
	return padSequence(e.Sequence) + fmt.Sprintf("\t%016x", uint64(e.Occurred.From.UnixMicro())+1<<63)
}

// padSequence makes decimal sequence numbers compare by value as text; what is no
// number compares as the text that it is.
func padSequence(s string) string {
	if !digitsOnly(s) {
		return s
	}
	n := strings.TrimLeft(s, "0")
	if len(n) <= sequenceDigits {
		return strings.Repeat("0", sequenceDigits-len(n)) + n
	}
	return fmt.Sprintf(":%04d", len(n)) + n // a colon comes behind all digits
}

// sequenceDigits is enough for a counter of 64 bits.
const sequenceDigits = 20
