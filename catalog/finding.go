package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// A Severity says whether a finding keeps the catalog from being used.
type Severity string

// The two severities.
const (
	Error   Severity = "error"   // the catalog cannot be used
	Warning Severity = "warning" // it can, and somebody should look at it
)

// A Finding is one thing that reading or linting a catalog brought up.
type Finding struct {
	File     string   `json:"file"`   // path in the catalog: "contracts/production.completed.v1.yaml"; the standard catalog's begin with "standard:"
	Line     int      `json:"line"`   // from 1; 0 where it is about the file as a whole
	Column   int      `json:"column"` // from 1; 0 with Line 0
	Severity Severity `json:"severity"`
	Message  string   `json:"message"` // what is wrong
	Remedy   string   `json:"remedy"`  // what to do, in the imperative
}

// String is "file:line:column: severity: message (remedy)".
func (f Finding) String() string {
	var b strings.Builder
	b.WriteString(f.File)
	if f.Line > 0 {
		fmt.Fprintf(&b, ":%d:%d", f.Line, f.Column)
	}
	fmt.Fprintf(&b, ": %s: %s", f.Severity, f.Message)
	if f.Remedy != "" {
		fmt.Fprintf(&b, " (%s)", f.Remedy)
	}
	return b.String()
}

// HasErrors says whether a finding keeps the catalog from being used.
func HasErrors(findings []Finding) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return f.Severity == Error })
}

// findings collects what is found, so that everything is told at once.
type findings struct{ list []Finding }

// sorted is every finding once, by file, line and column.
func (f *findings) sorted() []Finding {
	slices.SortStableFunc(f.list, func(a, b Finding) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			strings.Compare(a.Message, b.Message))
	})
	return slices.Compact(f.list)
}

// errorAt reports an error at a path of a document: "relations[0].from"; "" is
// the document as a whole.
func (f *findings) errorAt(d *document, path, remedy, message string, args ...any) {
	f.at(d, Error, path, remedy, message, args...)
}

// warningAt reports a warning.
func (f *findings) warningAt(d *document, path, remedy, message string, args ...any) {
	f.at(d, Warning, path, remedy, message, args...)
}

func (f *findings) at(d *document, severity Severity, path, remedy, message string, args ...any) {
	line, column := d.position(path)
	if len(args) > 0 {
		message = fmt.Sprintf(message, args...)
	}
	f.list = append(f.list, Finding{File: d.file, Line: line, Column: column, Severity: severity, Message: message, Remedy: remedy})
}
