package connector

import (
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/gapless/gapless/fault"
)

// A Status is what the system has answered to an attempt.
type Status string

// The answers. There is none for "not known": that is an error.
const (
	Accepted      Status = "accepted"       // taken; what it came to comes later, as a message
	Applied       Status = "applied"        // done, with all its lines
	PartlyApplied Status = "partly-applied" // done with some of its lines: see Outcome.Lines
	Refused       Status = "refused"        // not done and never will be by this attempt
)

// An Outcome is the system's answer to an attempt.
type Outcome struct {
	Status    Status
	Documents []Document    // what the system made; none where it was refused
	Reason    *fault.Reason // why it was refused; nil for every other status
	Text      string        // the system's own words, at most MaxText bytes
	Lines     []LineOutcome // of what was partly applied: one for each line of the request that the system told apart; of what was refused: those that the system names as the cause
}

// A LineOutcome is the answer to one line of a request.
type LineOutcome struct {
	Line   string        // as the system names it: a number, a position; of what performs several events and was refused the place of one among them, from 1
	Status Status        // Accepted, Applied or Refused
	Reason *fault.Reason // why the line was refused
	Text   string        // the system's own words
}

// A Document is what the system made, by its own number.
type Document struct {
	Number string // "5000000123", at most MaxNumber bytes
	Kind   string // "material-document", as the catalog's mapping calls it; "" where there is one kind
}

// MaxText is how many bytes of the system's own words are kept; MaxNumber how many
// a document's number has at most.
const (
	MaxText   = 2000
	MaxNumber = 255
)

// Words are a system's own words as they may be kept: valid text without NUL, which
// no database takes, at most MaxText bytes of it.
func Words(text string) string {
	text = strings.ReplaceAll(strings.ToValidUTF8(text, "�"), "\x00", "�")
	if len(text) > MaxText {
		text = strings.ToValidUTF8(text[:MaxText-len("…")], "") + "…"
	}
	return text
}

// checkTexts says which text is none that can be put on record.
func checkTexts(texts ...string) error {
	for _, text := range texts {
		if !utf8.ValidString(text) || strings.Contains(text, "\x00") {
			return fmt.Errorf("%.80q holds what is no text", text)
		}
	}
	return nil
}

// checkDocuments says what is wrong with documents.
func checkDocuments(documents []Document) error {
	var wrong []error
	for _, d := range documents {
		switch {
		case d.Number == "":
			wrong = append(wrong, errors.New("a document needs a number"))
		case len(d.Number) > MaxNumber:
			wrong = append(wrong, fmt.Errorf("the number of a document has %d bytes, more than %d", len(d.Number), MaxNumber))
		}
		wrong = append(wrong, checkTexts(d.Number, d.Kind))
	}
	return errors.Join(wrong...)
}

// Check says what is wrong with an outcome; nil for one that keeps the rules
// stated with its fields.
func (o Outcome) Check() error {
	wrong := []error{checkTexts(o.Text), checkDocuments(o.Documents)}
	add := func(bad bool, text string, args ...any) {
		if bad {
			wrong = append(wrong, fmt.Errorf(text, args...))
		}
	}
	switch o.Status {
	case Accepted, Applied, PartlyApplied, Refused:
	default:
		add(true, "%q is no status of an outcome", o.Status)
	}
	add(o.Status == Refused && o.Reason == nil, "a refusal needs a reason")
	add(o.Status != Refused && o.Reason != nil, "an outcome that is %s has no reason", o.Status)
	add(o.Status == Refused && len(o.Documents) > 0, "what was refused has no documents")
	add(o.Status == PartlyApplied && len(o.Lines) == 0, "what was partly applied says which lines")
	add(len(o.Text) > MaxText, "the text has %d bytes, more than %d", len(o.Text), MaxText)
	add(o.Status != PartlyApplied && o.Status != Refused && len(o.Lines) > 0, "lines are told of what was partly applied or refused")
	for _, l := range o.Lines {
		wrong = append(wrong, checkTexts(l.Line, l.Text))
		add(o.Status == Refused && l.Status != Refused, "line %s: of what was refused no line is %s", l.Line, l.Status)
		add(l.Status != Accepted && l.Status != Applied && l.Status != Refused, "line %s: %q is no status of a line", l.Line, l.Status)
		add((l.Status == Refused) != (l.Reason != nil), "line %s: a reason belongs to a refused line, and to no other", l.Line)
	}
	return errors.Join(wrong...)
}

// A FindStatus is what the system shows of a command.
type FindStatus string

// The findings.
const (
	FoundApplied FindStatus = "applied"   // done: its documents are there
	FoundRefused FindStatus = "refused"   // the system remembers that it refused it
	Begun        FindStatus = "begun"     // partly done; performing again goes on where it stopped
	Absent       FindStatus = "absent"    // not done, and no attempt so far can still land
	Undecided    FindStatus = "undecided" // not seen, or not to be told: an attempt may still land
)

// A Finding is what Find has found.
type Finding struct {
	Status    FindStatus
	Documents []Document    // what the system made
	Reason    *fault.Reason // with FoundRefused
	Text      string        // the system's own words, at most MaxText bytes
}

// Check says what is wrong with a finding; nil for one that keeps the rules.
func (f Finding) Check() error {
	switch f.Status {
	case FoundApplied, FoundRefused, Begun, Absent, Undecided:
	default:
		return fmt.Errorf("%q is no status of a finding", f.Status)
	}
	switch {
	case (f.Status == FoundRefused) != (f.Reason != nil):
		return errors.New("a reason belongs to what was refused, and to nothing else")
	case (f.Status == Absent || f.Status == FoundRefused) && len(f.Documents) > 0:
		return fmt.Errorf("what is %s has no documents", f.Status)
	case len(f.Text) > MaxText:
		return fmt.Errorf("the text has %d bytes, more than %d", len(f.Text), MaxText)
	}
	return errors.Join(checkTexts(f.Text), checkDocuments(f.Documents))
}
