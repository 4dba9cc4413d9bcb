// Package connector says what the hub and a connector promise each other. A
// connector is a package below this one that talks to one outside system or
// protocol: connector/rest, connector/file, connector/simulated, connector/tryton.
//
// A System performs commands, a Source brings messages in; what only some systems
// can are a Stater, which states what they have, and a Lookup. The words are those
// of the ledger: a command may have several attempts; what an attempt came to is
// an Outcome where the system has answered, and an error where nobody knows.
//
// A refusal is an answer, an error is ignorance. A connector never decides to
// make another attempt; within one it may repeat a call of which the system has
// said that it was rolled back. It never writes a secret into a log or an error,
// bounds in size and time what it reads, and follows no redirect.
package connector

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// A System performs commands in one outside system. Every implementation passes
// connectortest.Run, which holds it to what is said here. It is safe for use by
// several goroutines; two calls for one command never overlap.
type System interface {
	// Perform makes one attempt at a command.
	//
	// An error never means that nothing happened, except where
	// errors.Is(err, ErrNotSent): then the system has not acted on this attempt
	// and never will. After any other error the attempt may have been performed
	// or may still be; only Find tells. An error carries a fault (fault.Of).
	//
	// Right before the request is written, Command.InTime is asked; where it says
	// no, nothing is sent and the error is ErrTooLate. Perform returns soon after
	// the context ends.
	Perform(ctx context.Context, cmd Command) (Outcome, error)

	// Find asks the system what became of the attempts at a command so far.
	//
	// Absent is said only where no earlier attempt can still land: the system is
	// keyed, so that a late one changes nothing, or its Traits.Settles has passed
	// since cmd.SendBefore, the bound of the newest attempt. Else what is not
	// seen is Undecided. An error says that the system could not be asked: it
	// tells nothing about the command.
	Find(ctx context.Context, cmd Command) (Finding, error)
}

// A Command is one thing to be done in one system, and the attempt at it.
type Command struct {
	Key     string    // the command key, 64 hex digits; see Traits.Carried
	Name    string    // "receive-goods": names the mapping
	Plant   string    // whose business it is
	Subject event.Ref // what it is about

	// Request is what the catalog's mapping of the command made of it, in the
	// system's own terms: JSON values as encoding/json decodes them, numbers as
	// json.Number or decimal text. It is never changed.
	Request map[string]any

	Attempt    int       // 1 for the first
	SendBefore time.Time // bound of this attempt, or for Find of the newest one; see InTime
	FirstSent  time.Time // when the first attempt may have gone out; zero before that
}

// InTime is nil while the attempt may still go out, else ErrTooLate. A connector
// asks it right before the request is written, with time.Now(): a node that was
// paused in between must not send what another has taken over.
//
// Both clocks are asked where SendBefore carries a monotonic reading: the wall
// clock may be set back, and the monotonic one may stand still while a machine
// sleeps. A command without a bound is never in time.
func (c Command) InTime(now time.Time) error {
	if now.Before(c.SendBefore) && now.Round(0).Before(c.SendBefore.Round(0)) {
		return nil
	}
	return ErrTooLate
}

// Errors of Perform that say that nothing happened.
var (
	// ErrNotSent says that the system has not acted on this attempt and never
	// will: nothing of the request was written, or the system has said so.
	ErrNotSent = errors.New("nothing was done")

	// ErrTooLate is an ErrNotSent: the bound of the attempt had passed.
	ErrTooLate = fault.Wrap("connector", fault.NotSentInTime, "", fmt.Errorf("the attempt's time had passed: %w", ErrNotSent))
)

// NotSent is the error of an attempt that has not reached the system.
func NotSent(op string, reason *fault.Reason, cause error) error {
	return fault.Wrap(op, reason, "", both{ErrNotSent, cause})
}

// Unknown is the error of an attempt of which nobody knows what it came to. A
// cause that says ErrNotSent says so no longer.
func Unknown(op string, reason *fault.Reason, cause error) error {
	if errors.Is(cause, ErrNotSent) {
		cause = errors.New(cause.Error())
	}
	return fault.Wrap(op, reason, "", cause)
}

// both is two errors told in one line.
type both [2]error

func (b both) Error() string   { return b[0].Error() + ": " + b[1].Error() }
func (b both) Unwrap() []error { return b[:] }

// A WaitError is an error with which the system says when to ask again. Whether
// anything was done, the error below it says.
type WaitError struct {
	Wait time.Duration // more than zero
	Err  error
}

// Error is the error below and the wait.
func (e *WaitError) Error() string { return fmt.Sprintf("%s (ask again in %s)", e.Err, e.Wait) }

// Unwrap is the error below.
func (e *WaitError) Unwrap() error { return e.Err }

// WaitOf is how long a system has asked to be left alone; 0 where it has not.
func WaitOf(err error) time.Duration {
	if w, ok := errors.AsType[*WaitError](err); ok {
		return w.Wait
	}
	return 0
}
