package format

import (
	"fmt"
	"strings"
)

// An Error says what cannot be read, where it is and what to do about it.
type Error struct {
	Record  int    // number of the record; 0 where it is about the whole message
	Field   string // column or path within the record, "outputs/0/lot"; "" where it is about all of it
	Problem string // what is wrong, with the values in question
	Remedy  string // what to do about it, in the imperative; may be ""
	Limit   bool   // one of the Limits is exceeded
}

// Error is one line: where, what, and the remedy.
func (e *Error) Error() string {
	var b strings.Builder
	if e.Record > 0 {
		fmt.Fprintf(&b, "record %d", e.Record)
	}
	if e.Field != "" {
		if b.Len() > 0 {
			b.WriteString(", ")
		}
		fmt.Fprintf(&b, "field %q", e.Field)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	b.WriteString(e.Problem)
	if e.Remedy != "" {
		b.WriteString(": ")
		b.WriteString(e.Remedy)
	}
	return b.String()
}

// at puts the Error into its record; nil stays nil.
func (e *Error) at(record int) *Error {
	if e != nil {
		e.Record = record
	}
	return e
}

// in puts the Error one step deeper into a record: the name or index of the
// field that holds what it was about so far. nil stays nil.
func (e *Error) in(name string) *Error {
	if e == nil {
		return nil
	}
	if e.Field == "" {
		e.Field = name
	} else {
		e.Field = name + "/" + e.Field
	}
	return e
}

// exceeds is an Error about a limit. A size below 0 is not known.
func exceeds(what string, size, limit int64, unit, remedy string) *Error {
	problem := fmt.Sprintf("%s has more than the %d %s allowed", what, limit, unit)
	if size >= 0 {
		problem = fmt.Sprintf("%s has %d %s, %d are allowed", what, size, unit, limit)
	}
	return &Error{Problem: problem, Remedy: remedy, Limit: true}
}

// short is text for a message: quoted, and cut where it is long.
func short(text string) string {
	const most = 40
	if runes := []rune(text[:min(len(text), most*4)]); len(runes) > most {
		return fmt.Sprintf("%q...", string(runes[:most]))
	}
	return fmt.Sprintf("%q", text)
}
