package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"

	"github.com/gapless/gapless/api"
	"github.com/gapless/gapless/fault"
)

// A tally counts what became of messages.
type tally struct {
	Rows      int `json:"rows"`
	Recorded  int `json:"recorded"`
	Corrected int `json:"corrected"`
	Duplicate int `json:"duplicate"`
	Held      int `json:"held"`
	Refused   int `json:"refused"`
}

func (t *tally) plus(u tally) {
	t.Rows, t.Recorded, t.Corrected = t.Rows+u.Rows, t.Recorded+u.Recorded, t.Corrected+u.Corrected
	t.Duplicate, t.Held, t.Refused = t.Duplicate+u.Duplicate, t.Held+u.Held, t.Refused+u.Refused
}

func (t *tally) add(a *api.Answer) {
	t.Rows++
	switch a.Outcome {
	case "recorded":
		t.Recorded++
	case "corrected":
		t.Corrected++
	case "duplicate":
		t.Duplicate++
	case "held":
		t.Held++
	default:
		t.Refused++
	}
}

// String is "697 rows: 690 recorded, 7 held".
func (t *tally) String() string {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{t.Recorded, "recorded"}, {t.Corrected, "corrected"}, {t.Duplicate, "duplicate"}, {t.Held, "held"}, {t.Refused, "refused"}} {
		if p.n > 0 {
			parts = append(parts, count(p.n)+" "+p.what)
		}
	}
	if len(parts) == 0 {
		return "nothing in it"
	}
	return plural(t.Rows, "message") + ": " + strings.Join(parts, ", ")
}

// A sentFile is what became of one file.
type sentFile struct {
	File    string `json:"file"`
	System  string `json:"system,omitempty"`
	Message string `json:"message,omitempty"`
	tally
}

// A stopped is why messages were held or refused, counted by reason, with one
// example.
type stopped struct {
	Outcome string `json:"outcome"` // held or refused
	Reason  string `json:"reason"`
	Class   string `json:"class,omitempty"`
	Title   string `json:"title"`
	Count   int    `json:"count"`
	Remedy  string `json:"remedy"`
	File    string `json:"file"` // of the example
	Row     int    `json:"row,omitempty"`
	Message string `json:"message,omitempty"`
	Field   string `json:"field,omitempty"`
	Detail  string `json:"detail,omitempty"`
}

// An outcome is all that a run of send has to tell.
type outcome struct {
	Files   []sentFile `json:"files"`
	Total   tally      `json:"total"`
	Stopped []stopped  `json:"stopped"`
	LeftOut []string   `json:"left_out"` // files of a folder that no message claims

	byReason map[string]*stopped
}

func newOutcome() *outcome {
	return &outcome{Files: []sentFile{}, Stopped: []stopped{}, LeftOut: []string{}, byReason: map[string]*stopped{}}
}

// stop counts why a message does not go on. Reasons are counted over all files.
func (o *outcome) stop(file string, row int, a *api.Answer) {
	s := stopped{File: file, Row: row, Count: 1, Message: a.Message}
	switch {
	case a.Refused != nil:
		p := a.Refused
		s.Outcome, s.Reason, s.Title, s.Remedy, s.Field, s.Detail = "refused", p.Reason, p.Title, p.Remedy, p.Field, p.Detail
	case a.Exception != nil:
		x := a.Exception
		s.Outcome, s.Reason, s.Title, s.Remedy, s.Field, s.Detail = "held", x.Reason, x.Title, x.Remedy, x.Field, x.Detail
		s.Class = x.Class
	default:
		return
	}
	o.stopAs(s)
}

// stopFile counts a file that was refused as a whole.
func (o *outcome) stopFile(file string, f *fault.Fault) {
	o.stopAs(stopped{
		Outcome: "refused", Reason: f.Reason.Code, Title: f.Reason.Title, Remedy: f.Reason.Remedy, Field: f.Field, Detail: f.Explanation(),
		File: file, Count: 1,
	})
}

func (o *outcome) stopAs(s stopped) {
	key := s.Outcome + " " + s.Reason
	if known := o.byReason[key]; known != nil {
		known.Count++
		return
	}
	o.byReason[key] = &s
}

// finish puts the counts in order, the most frequent first.
func (o *outcome) finish() {
	for _, f := range o.Files {
		o.Total.plus(f.tally)
	}
	for _, key := range slices.Sorted(maps.Keys(o.byReason)) {
		o.Stopped = append(o.Stopped, *o.byReason[key])
	}
	slices.SortStableFunc(o.Stopped, func(a, b stopped) int { return cmp.Compare(b.Count, a.Count) })
}

// print writes the summary for a person.
func (o *outcome) print(w io.Writer) {
	if len(o.Files) > 1 {
		fmt.Fprintf(w, "%d files, %s\n", len(o.Files), &o.Total)
	}
	for _, s := range o.Stopped {
		fmt.Fprintf(w, "\n%s %s: %s (%s)\n", count(s.Count), s.Outcome, s.Title, s.Reason)
		fmt.Fprintf(w, "  for example %s\n", s.example())
		fmt.Fprintf(w, "  %s\n", s.Remedy)
	}
	if len(o.LeftOut) > 0 {
		fmt.Fprintf(w, "\nnot sent, because no message of the catalog has files of this name:\n")
		for _, file := range o.LeftOut {
			fmt.Fprintf(w, "  %s\n", file)
		}
	}
}

func (s *stopped) example() string {
	text := s.File
	if s.Row > 0 {
		text += fmt.Sprintf(" row %d", s.Row)
	}
	if s.Field != "" {
		text += ", field " + s.Field
	}
	if s.Detail != "" {
		text += ": " + s.Detail
	}
	return text
}
