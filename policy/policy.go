// Package policy judges events: it evaluates the catalog's policies, written in
// CEL, over one event, the state of the objects it touches and reference data,
// and answers with verdicts. It never changes an event and reaches nothing that
// is not handed in, so the same input always gets the same verdicts.
//
// The variables of an expression:
//
//	event      holds the event in canonical form: id, type, version, plant, system, subject,
//	           day, shift, occurred{from,to}, relations[], data{}
//	subject    holds the state of the event's subject, an empty map where it is unknown
//	state      holds the state of every object that the event touches, by ref
//	reference  holds reference data by name
//
// Quantities are maps {"value": "12.5", "unit": "KGM"} and may carry their base
// quantity {"base": {"value": "12500", "unit": "GRM"}}. Text compares by letters,
// so amounts are compared and added by functions only; see amount.go for their
// rules and functions.go for the list.
package policy

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Definition is one policy file of the catalog, policies/<name>.yaml.
type Definition struct {
	Name    string   `yaml:"policy"`
	Title   string   `yaml:"title"`
	Why     string   `yaml:"why"`     // what goes wrong without it, for the person who meets it
	On      []string `yaml:"on"`      // event types: "lot.released", "lot.*" or "*"
	Reads   []string `yaml:"reads"`   // of "state" and "reference", exactly those that the expressions use
	When    string   `yaml:"when"`    // CEL, bool: where false the policy does not apply; "" always applies
	Require string   `yaml:"require"` // CEL, bool: true passes
	Message string   `yaml:"message"` // CEL, string: names the field and the values to the person
	Reason  string   `yaml:"reason"`  // a code of package fault; the catalog checks that it exists
	Remedy  string   `yaml:"remedy"`
	Effect  Effect   `yaml:"effect"`
	Field   string   `yaml:"field"` // the field it is about: "data/quantity"; "" where it is about the whole
	Cases   []Case   `yaml:"cases"`
}

// An Effect is what a policy that stops does to the event.
type Effect string

// The three effects.
const (
	Forbid  Effect = "forbid"  // a decision is not recorded
	Dispute Effect = "dispute" // a fact is recorded and marked disputed, its steps are withheld
	Warn    Effect = "warn"    // noted in the trace
)

// A Stage is where a policy is judged.
type Stage string

// The two stages.
const (
	BeforeQueue Stage = "before-queue" // from the event and reference data alone, in parallel
	InCommit    Stage = "in-commit"    // from object state too, inside the transaction that records
)

// What a definition may declare in Reads.
const (
	readState     = "state"
	readReference = "reference"
)

// A Policy is a compiled Definition. It is immutable and safe for concurrent use.
type Policy struct {
	def     Definition
	stage   Stage
	when    *expression // nil where the policy always applies
	require *expression
	message *expression
}

// Name is the name of the policy.
func (p *Policy) Name() string { return p.def.Name }

// Stage is InCommit for a policy that reads state, else BeforeQueue.
func (p *Policy) Stage() Stage { return p.stage }

// Effect is what happens to an event that the policy stops.
func (p *Policy) Effect() Effect { return p.def.Effect }

// Applies says whether the policy is on events of this type.
func (p *Policy) Applies(eventType string) bool {
	return slices.ContainsFunc(p.def.On, func(pattern string) bool { return matches(pattern, eventType) })
}

// A DefinitionError is one thing wrong in a Definition.
type DefinitionError struct {
	Field  string // "require", "cases[2].event"
	Line   int    // in the text of the field, from 1; 0 where it is about the field as a whole
	Column int    // in characters, from 1; 0 with Line 0
	Text   string // what is wrong and what to write instead
}

// Error is "field:line:column: text".
func (e *DefinitionError) Error() string {
	if e.Line == 0 {
		return e.Field + ": " + e.Text
	}
	return fmt.Sprintf("%s:%d:%d: %s", e.Field, e.Line, e.Column, e.Text)
}

// Compile checks a definition and makes its policy. The error joins one
// *DefinitionError for everything that is wrong.
func Compile(def Definition) (*Policy, error) {
	def = clone(def)
	faults := checkFields(&def)
	faults = append(faults, checkCases(def.Cases)...)

	p := &Policy{def: def, stage: BeforeQueue}
	env, err := newEnvironment()
	if err != nil {
		return nil, fmt.Errorf("policy.Compile: %w", err)
	}
	used := map[string]bool{}
	for _, part := range []struct {
		field, source string
		want          want
		to            **expression
	}{
		{"when", def.When, wantBool, &p.when},
		{"require", def.Require, wantBool, &p.require},
		{"message", def.Message, wantText, &p.message},
	} {
		if strings.TrimSpace(part.source) == "" {
			continue // checkFields reports those that must not be empty
		}
		expr, problems := compile(env, part.field, part.source, part.want)
		faults = append(faults, problems...)
		if expr == nil {
			continue
		}
		*part.to = expr
		for name := range expr.uses {
			used[name] = true
		}
	}
	if len(faults) == 0 { // a broken expression's uses are not known
		faults = checkReads(def.Reads, used)
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	if slices.Contains(def.Reads, readState) {
		p.stage = InCommit
	}
	return p, nil
}

// clone copies what a caller could change after Compile. The maps of a case are
// copied by checkCases, which brings them to JSON form.
func clone(def Definition) Definition {
	def.On = slices.Clone(def.On)
	def.Reads = slices.Clone(def.Reads)
	def.Cases = slices.Clone(def.Cases)
	return def
}

func checkFields(def *Definition) []error {
	var faults []error
	report := func(field, text string, args ...any) {
		faults = append(faults, &DefinitionError{Field: field, Text: fmt.Sprintf(text, args...)})
	}
	if !validName(def.Name) {
		report("policy", "%.80q is no name: lower-case letters, digits and hyphens, a letter first", def.Name)
	}
	for _, f := range []struct{ field, text, why string }{
		{"title", def.Title, "say in a few words what it asks for"},
		{"why", def.Why, "say what goes wrong without it"},
		{"require", def.Require, "write the condition that a good event meets"},
		{"message", def.Message, "write a text that names the field and its values"},
		{"reason", def.Reason, "name a reason code"},
	} {
		if strings.TrimSpace(f.text) == "" {
			report(f.field, "missing: %s", f.why)
		}
	}
	switch def.Effect {
	case Forbid, Dispute, Warn:
	default:
		report("effect", "%.80q is none of forbid, dispute, warn", string(def.Effect))
	}
	if len(def.On) == 0 {
		report("on", "missing: name the event types, for example lot.released or lot.*")
	}
	for i, pattern := range def.On {
		if !validPattern(pattern) {
			report(fmt.Sprintf("on[%d]", i), "%.80q is no event type: write lot.released, lot.* or *", pattern)
		}
	}
	if strings.ContainsFunc(def.Field, func(r rune) bool { return r <= ' ' }) {
		report("field", "%.80q holds a blank: write the path with slashes, for example data/quantity", def.Field)
	}
	return faults
}

// checkReads holds Reads to what the expressions use: too little and a policy
// would be judged where its data is not loaded, too much and it would lengthen
// the commit for nothing.
func checkReads(reads []string, used map[string]bool) []error {
	var faults []error
	for i, name := range reads {
		field := fmt.Sprintf("reads[%d]", i)
		switch {
		case name != readState && name != readReference:
			faults = append(faults, &DefinitionError{Field: field, Text: fmt.Sprintf("%.80q is none of state, reference", name)})
		case slices.Contains(reads[:i], name):
			faults = append(faults, &DefinitionError{Field: field, Text: name + " stands here twice"})
		case !used[name]:
			faults = append(faults, &DefinitionError{Field: field, Text: "no expression uses " + name + ": take it out"})
		}
	}
	for _, name := range []string{readState, readReference} {
		if used[name] && !slices.Contains(reads, name) {
			faults = append(faults, &DefinitionError{Field: "reads", Text: "an expression uses " + name + ": add it"})
		}
	}
	return faults
}

func validName(name string) bool {
	if name == "" || len(name) > 80 || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	return !strings.ContainsFunc(name, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < '0' || r > '9') && r != '-'
	})
}

// validPattern accepts "*", dotted names and dotted names that end in ".*".
func validPattern(pattern string) bool {
	if pattern == "*" {
		return true
	}
	name := strings.TrimSuffix(pattern, ".*")
	for part := range strings.SplitSeq(name, ".") {
		if !validName(part) {
			return false
		}
	}
	return true
}

// matches says whether an event type falls under a valid pattern.
func matches(pattern, eventType string) bool {
	prefix, wild := strings.CutSuffix(pattern, "*")
	if wild {
		return strings.HasPrefix(eventType, prefix)
	}
	return pattern == eventType
}
