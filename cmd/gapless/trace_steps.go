package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gapless/gapless/api"
	"github.com/gapless/gapless/fault"
)

// printFollowed prints what other systems had to do: the transactions of an
// object, or the steps of an event or a document.
func printFollowed(w io.Writer, t *api.TraceView) {
	for i := range t.Followed {
		f := &t.Followed[i]
		state := "goes on"
		if f.Complete {
			state = "complete"
		}
		fmt.Fprintf(w, "\nfollowed by %s: %s\n", f.Plan, state)
		for j := range f.Steps {
			printStep(w, &f.Steps[j])
		}
		for _, e := range f.Expected {
			printExpected(w, &e)
		}
		for _, b := range f.Gathers {
			fmt.Fprintf(w, "  gathers: %s at %s, until %s at the latest\n", b.Bundle, b.Plant, b.Due)
		}
	}
	if len(t.Steps) > 0 {
		fmt.Fprintln(w, "\nfollowed by")
	}
	for i := range t.Steps {
		printStep(w, &t.Steps[i])
	}
}

// printExpected prints what is awaited, and since when it is late.
func printExpected(w io.Writer, e *api.ExpectedView) {
	if len(e.Open) == 0 {
		fmt.Fprintf(w, "  awaited until %s: %s, after event %s\n", e.Due, e.Name, e.After)
		return
	}
	fmt.Fprintf(w, "  overdue since %s: %s, after event %s\n", e.Due, e.Name, e.After)
	for i := range e.Open {
		printException(w, &e.Open[i])
	}
}

// printStep prints one step: what is asked of whom and how far it is, then every
// attempt with the system's own words, and what is open.
func printStep(w io.Writer, s *api.StepView) {
	system := s.System
	if system == "" {
		system = "role " + s.Role
	}
	text := fmt.Sprintf("  %s: %s of %s", s.Status, s.Name, system)
	if s.Wanted != "" {
		text += ", wanted " + s.Wanted
	}
	if s.Posting != "" {
		text += ", posted on " + s.Posting
	}
	var numbers []string
	for _, d := range s.Documents {
		numbers = append(numbers, strings.TrimSpace(d.Kind+" "+d.Number))
	}
	if len(numbers) > 0 {
		text += ", document " + strings.Join(numbers, ", ")
	}
	fmt.Fprintln(w, text)
	fmt.Fprintf(w, "    because of event %s, decided %s, command %s\n", s.Cause, s.Recorded, s.Command)
	for _, m := range s.Members {
		fmt.Fprintf(w, "    performs event %s\n", m)
	}
	if s.Amends != "" {
		fmt.Fprintf(w, "    amends command %s\n", s.Amends)
	}
	for i := range s.Attempts {
		fmt.Fprintf(w, "    %s\n", attemptText(&s.Attempts[i]))
	}
	overdue := slices.ContainsFunc(s.Open, func(x api.ExceptionView) bool { return x.Reason == fault.StepOverdue.Code })
	switch {
	case overdue:
		fmt.Fprintf(w, "    overdue since %s\n", s.Deadline)
	case s.Deadline != "" && (s.Status == "waiting" || s.Status == "due" || s.Status == "sent"):
		fmt.Fprintf(w, "    to be done until %s\n", s.Deadline)
	}
	for i := range s.Open {
		printException(w, &s.Open[i])
	}
	for i := range s.OnTop {
		t := &s.OnTop[i]
		fmt.Fprintf(w, "    on top of what it is about: %s, command %s\n", strings.TrimSpace(t.Status+" "+t.Name+" of "+t.Object+" "+t.Wanted), t.Command)
	}
}

func attemptText(a *api.AttemptView) string {
	text := fmt.Sprintf("attempt %d at %s by %s: ", a.Number, a.Begun, a.Node)
	switch a.Outcome {
	case "":
		text += "under way, nothing of it leaves after " + a.SendBefore
	case "unknown":
		text += "no answer; it may have been done"
	default:
		text += a.Outcome
		if a.Ended != "" {
			text += " " + a.Ended
		}
	}
	if a.Words != "" {
		text += ": " + a.Words
	}
	return text
}
