// Package fault holds the closed list of reasons why something cannot go on,
// and the one error type that carries them.
//
// A reason is what a person reads, what a metric counts and what an alert is
// about: the same word everywhere. It never depends on where it was met.
package fault

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/gapless/gapless/event"
)

// A Class says who or what can put a fault right.
type Class string

// The five classes.
const (
	Heals      Class = "heals"      // goes on by itself when what it waits for arrives
	Data       Class = "data"       // the sender corrects what it sent
	Business   Class = "business"   // a person of the business decides
	Definition Class = "definition" // an engineer corrects the catalog
	Operations Class = "operations" // the one who runs the hub or a system acts
)

// A Reason is one entry of the closed list in reasons.go.
type Reason struct {
	Code   string // "unit_unknown": metric label, API code, column
	Class  Class
	Title  string // what is wrong, in a few words
	Remedy string // what to do about it, in the imperative
}

// String is the code.
func (r *Reason) String() string { return r.Code }

// A Fault is a Reason met while doing something.
type Fault struct {
	Op     string    // "flow.identify": package and step
	Reason *Reason   // never nil
	Ref    event.Ref // what it was about; "" where unknown
	Field  string    // where in the message or event: "outputs/0/quantity/unit"; "" where it is about the whole
	Detail string    // the values in question, for a person; "" where the reason says it all
	Err    error     // the cause below; nil where there is none
}

// New is a Fault with a detail that names the values in question.
func New(op string, reason *Reason, field, detail string, args ...any) *Fault {
	if len(args) > 0 {
		detail = fmt.Sprintf(detail, args...)
	}
	return &Fault{Op: op, Reason: reason, Field: field, Detail: detail}
}

// Wrap is a Fault whose detail is the text of the cause below.
func Wrap(op string, reason *Reason, field string, err error) *Fault {
	return &Fault{Op: op, Reason: reason, Field: field, Err: err}
}

// Error names the operation, the reason, the field and the detail.
func (f *Fault) Error() string {
	var b strings.Builder
	b.WriteString(f.Op)
	b.WriteString(": ")
	b.WriteString(f.Text())
	return b.String()
}

// Text is the fault for a person: title, field and detail, without the operation.
func (f *Fault) Text() string {
	var b strings.Builder
	b.WriteString(f.Reason.Title)
	if f.Field != "" {
		fmt.Fprintf(&b, " (%s)", f.Field)
	}
	if f.Ref != "" {
		fmt.Fprintf(&b, " [%s]", f.Ref)
	}
	if d := f.Explanation(); d != "" {
		b.WriteString(": ")
		b.WriteString(d)
	}
	return b.String()
}

// Explanation is the detail, or the cause's text where there is no detail.
func (f *Fault) Explanation() string {
	if f.Detail == "" && f.Err != nil {
		return f.Err.Error()
	}
	return f.Detail
}

// Unwrap is the cause below.
func (f *Fault) Unwrap() error { return f.Err }

// Is reports whether the target is the same reason: errors.Is(err, fault.UnitUnknown).
func (f *Fault) Is(target error) bool {
	r, ok := target.(*Reason)
	return ok && r == f.Reason
}

// Error makes a Reason usable as the target of errors.Is.
func (r *Reason) Error() string { return r.Code }

// Of finds the Fault in an error; nil where there is none.
func Of(err error) *Fault {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f
	}
	return nil
}

// Classes are all of them.
func Classes() []Class { return []Class{Heals, Data, Business, Definition, Operations} }

// ByCode finds a Reason by its code; nil where the list has none.
func ByCode(code string) *Reason { return byCode()[code] }

var byCode = sync.OnceValue(func() map[string]*Reason {
	all := map[string]*Reason{}
	for _, r := range Reasons() {
		all[r.Code] = r
	}
	return all
})
