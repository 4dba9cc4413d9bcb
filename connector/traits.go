package connector

import (
	"errors"
	"fmt"
	"time"
)

// A Class says how a system can be kept from doing a command twice.
type Class string

// The classes. The promise is once in effect for the first two; for a blind
// system a double is detected, and said so.
const (
	Keyed    Class = "keyed"    // honours the command key: performing again changes nothing
	Findable Class = "findable" // does not, but shows what it has done: ask before performing again
	Blind    Class = "blind"    // neither: what became of an attempt without an answer, a person must tell
)

// Classes are all of them.
func Classes() []Class { return []Class{Keyed, Findable, Blind} }

// KeyDigits is the length of a command key; MinKeyDigits the shortest prefix of
// one that a system may carry: 64 bits, so that among a billion commands two
// that look alike are not to be expected.
const (
	KeyDigits    = 64
	MinKeyDigits = 16
)

// Traits are what a connector declares of its system.
type Traits struct {
	Class Class

	// KeyCarrier is the system's own name for where the command key goes: a
	// header, a field, a file's name. "" for a blind system without one.
	KeyCarrier string

	// KeyLength is how many digits of the key fit there; 0 is all of them.
	KeyLength int

	// Settles is how long after an attempt's send-before it can still land: what
	// waits in queues and connections of others. It counts for findable systems.
	Settles time.Duration
}

// Check says what is wrong with the traits.
func (t Traits) Check() error {
	var wrong []error
	switch t.Class {
	case Keyed, Findable, Blind:
	default:
		wrong = append(wrong, fmt.Errorf("%q is no class: keyed, findable or blind", t.Class))
	}
	if t.Class == Findable && t.Settles <= 0 {
		wrong = append(wrong, errors.New("a findable system needs settles: how long after its send-before an attempt can still land"))
	}
	if t.Class != Blind && t.KeyCarrier == "" {
		wrong = append(wrong, fmt.Errorf("a system that is %s needs a carrier for the command key", t.Class))
	}
	if t.KeyLength != 0 && (t.KeyLength < MinKeyDigits || t.KeyLength > KeyDigits) {
		wrong = append(wrong, fmt.Errorf("a key of %d digits: it has %d to %d", t.KeyLength, MinKeyDigits, KeyDigits))
	}
	return errors.Join(wrong...)
}

// Carried is the command key as the system carries it: all of it or a prefix.
func (t Traits) Carried(cmd Command) string {
	if t.KeyLength > 0 && t.KeyLength < len(cmd.Key) {
		return cmd.Key[:t.KeyLength]
	}
	return cmd.Key
}

// Missing is the finding where the system shows nothing of a command: Absent
// where no attempt so far can still land, else Undecided.
func (t Traits) Missing(cmd Command, now time.Time) Finding {
	switch {
	case t.Class == Keyed:
		return Finding{Status: Absent}
	case t.Class == Findable && t.Settles > 0 && !now.Before(t.SettledAt(cmd)) && !now.Round(0).Before(t.SettledAt(cmd).Round(0)):
		return Finding{Status: Absent}
	}
	return Finding{Status: Undecided}
}

// SettledAt is when no attempt so far can land any more. For a blind system
// nobody knows that; what is given then means nothing.
func (t Traits) SettledAt(cmd Command) time.Time {
	if t.Class == Keyed {
		return cmd.SendBefore
	}
	return cmd.SendBefore.Add(t.Settles)
}
