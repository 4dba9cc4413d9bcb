// Package connectortest is the suite of what a connector.System promises. Every
// connector runs it against its own kind of outside system, which does for real
// what it is told, keeps books of it, and misbehaves on request.
package connectortest

import (
	"testing"
	"time"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
)

// A Trouble is what an outside system does to one request.
type Trouble string

// The troubles. Those that keep an answer back or spoil it come after the system
// has done what it was asked, where nothing else is said.
const (
	LostAfter  Trouble = "the answer is lost after posting"
	LostBefore Trouble = "the answer is lost before posting"
	Late       Trouble = "it is posted only later, and not answered" // at Outside.Land
	Silent     Trouble = "it never answers"                          // until the caller goes
	Down       Trouble = "nobody is there"                           // from now on
	Busy       Trouble = "too many requests"                         // nothing is done; the system says when to ask again
	Failing    Trouble = "the system fails"                          // HTTP 500
	Garbage    Trouble = "bytes that are no answer"
	Page       Trouble = "a page for people" // HTML with status 200, as portals and proxies give
	Empty      Trouble = "an empty answer"
	Inside     Trouble = "a refusal inside a success" // HTTP 200 that says it is an error; nothing is done
	Huge       Trouble = "100 MB"
	Drip       Trouble = "a byte a second"
	Redirect   Trouble = "a redirect to itself" // nothing is done
)

// A Call is which of a System's methods a trouble is for.
type Call string

// The calls.
const (
	Performing Call = "performing"
	Finding    Call = "finding"
)

// An Outside is the outside system, seen from behind.
type Outside interface {
	// Books are what it has done, in order.
	Books() []Entry
	// Expect makes the next request of a call meet a trouble. The channel is
	// closed when it has.
	Expect(call Call, trouble Trouble) (met <-chan struct{})
	// Land posts what was Late.
	Land()
	// Now and Advance are the clock that the System was given.
	Now() time.Time
	Advance(d time.Duration)
}

// An Entry is one thing that an outside system has done.
type Entry struct {
	Key      string // as it was carried; "" where the system knows none
	Document connector.Document
}

// A Subject is a System and what stands behind it.
type Subject struct {
	System  connector.System
	Traits  connector.Traits
	Outside Outside

	// Command is a command that the outside system performs, under a key of 64
	// hex digits. The suite sets its key and its times.
	Command func(key string) connector.Command
	// Refusable is a command that it refuses for this reason, with these words.
	// Nil where the outside system refuses nothing.
	Refusable func(key string) connector.Command
	Reason    *fault.Reason
	Words     string

	Troubles []Trouble     // that the outside system can make; the others are not tested
	Patience time.Duration // within which a call ends by itself; 0 where only its context ends it
	Secrets  []string      // that must not be in an error or a text
}

// Run holds a System to its promises. It opens a subject for each test.
func Run(t *testing.T, open func(t *testing.T) Subject) {
	t.Helper()
	for _, c := range []struct {
		name string
		test func(*testing.T, *run)
	}{
		{"the traits can be kept", traits},
		{"a command is performed once, and found again with its documents", performedOnce},
		{"many commands at once are each performed once", manyAtOnce},
		{"a refusal is an answer in the system's own words", refused},
		{"performing again under the same key changes nothing where the system is keyed", performedTwice},
		{"an answer lost after posting is found", lostAfter},
		{"an answer lost before posting is absent once nothing can land any more", lostBefore},
		{"what is posted late is never called absent before it could have landed", late},
		{"too late is not sent", tooLate},
		{"a context that has ended sends nothing", endedBefore},
		{"a context that ends during a call ends the call", endedDuring},
		{"where nobody is there, nothing was done and nothing is found", down},
		{"a system that is busy has done nothing, and says for how long", busy},
		{"a refusal inside a success is a refusal", inside},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, begin(t, open)) })
	}
	for _, trouble := range []Trouble{Failing, Garbage, Page, Empty, Huge, Drip, Redirect, Silent} {
		t.Run("performing meets "+string(trouble), func(t *testing.T) { spoilt(t, begin(t, open), trouble) })
	}
	for _, trouble := range []Trouble{LostAfter, Failing, Garbage, Page, Empty, Huge, Drip, Redirect, Silent} {
		t.Run("finding meets "+string(trouble), func(t *testing.T) { notFound(t, begin(t, open), trouble) })
	}
}
