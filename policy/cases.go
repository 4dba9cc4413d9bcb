package policy

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// A Case is an example in a policy file: an input and what the policy must say.
// Event must name its type. The state of the event's subject is that of its ref
// in State.
type Case struct {
	Name      string                    `yaml:"name"`
	Event     map[string]any            `yaml:"event"`
	State     map[string]map[string]any `yaml:"state"` // ref -> state
	Reference map[string]any            `yaml:"reference"`
	Expect    Expectation               `yaml:"expect"`
}

// An Expectation is what a case says of its policy.
type Expectation string

// What a case can expect. A policy that could not be judged meets none of them.
const (
	ExpectPass Expectation = "pass"
	ExpectStop Expectation = "stop"
	ExpectSkip Expectation = "skip" // the policy does not apply: type or When
)

// A CaseResult is what came out of one case.
type CaseResult struct {
	Name    string
	Expect  Expectation
	Got     Expectation // "error" where it could not be judged
	Verdict Verdict     // zero where the policy does not apply
}

// OK says whether the policy did what the case expects.
func (r CaseResult) OK() bool { return r.Got == r.Expect }

// Test runs the policy's cases in their order.
func (p *Policy) Test() []CaseResult {
	results := make([]CaseResult, 0, len(p.def.Cases))
	for _, c := range p.def.Cases {
		subject, _ := c.Event["subject"].(string)
		verdict, applies := p.Judge(Input{
			Event:     c.Event,
			Subject:   c.State[subject],
			State:     c.State,
			Reference: c.Reference,
		})
		r := CaseResult{Name: c.Name, Expect: c.Expect, Got: ExpectSkip, Verdict: verdict}
		if applies {
			r.Got = Expectation(verdict.Outcome)
		}
		results = append(results, r)
	}
	return results
}

// Uncovered is what no case of the policy expects, of pass and stop. A policy
// is proven by one event that it passes and one that it stops: the catalog's
// lint reports the rest.
func (p *Policy) Uncovered() []Expectation {
	var missing []Expectation
	for _, e := range []Expectation{ExpectPass, ExpectStop} {
		covered := false
		for _, c := range p.def.Cases {
			covered = covered || c.Expect == e
		}
		if !covered {
			missing = append(missing, e)
		}
	}
	return missing
}

// checkCases checks the cases and puts copies in JSON form in their place.
func checkCases(cases []Case) []error {
	var faults []error
	names := map[string]bool{}
	for i := range cases {
		c := &cases[i]
		path := fmt.Sprintf("cases[%d]", i)
		report := func(field, text string, args ...any) {
			faults = append(faults, &DefinitionError{Field: path + field, Text: fmt.Sprintf(text, args...)})
		}
		switch {
		case strings.TrimSpace(c.Name) == "":
			report(".name", "missing: say what the case shows")
		case names[c.Name]:
			report(".name", "%.80q stands here twice", c.Name)
		}
		names[c.Name] = true
		switch c.Expect {
		case ExpectPass, ExpectStop, ExpectSkip:
		default:
			report(".expect", "%.80q is none of pass, stop, skip", string(c.Expect))
		}
		if t, ok := c.Event["type"].(string); !ok || t == "" {
			report(".event.type", "missing: name the type of the event")
		}
		c.Event = plainMap(c.Event, ".event", report)
		c.Reference = plainMap(c.Reference, ".reference", report)
		state := make(map[string]map[string]any, len(c.State))
		for _, name := range slices.Sorted(maps.Keys(c.State)) {
			state[name] = plainMap(c.State[name], ".state["+name+"]", report)
		}
		c.State = state
	}
	return faults
}

func plainMap(m map[string]any, path string, report func(field, text string, args ...any)) map[string]any {
	copied := make(map[string]any, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) { // in order, so that faults come in order
		copied[k] = plainValue(m[k], path+"."+k, report)
	}
	return copied
}

// plainValue copies what a YAML reader made into what a JSON reader would have
// made of the same event, and reports what an event cannot hold.
func plainValue(value any, path string, report func(field, text string, args ...any)) any {
	switch v := value.(type) {
	case nil, bool, string:
		return v
	case json.Number:
		return v
	case int:
		return json.Number(strconv.Itoa(v))
	case int64:
		return json.Number(strconv.FormatInt(v, 10))
	case uint64:
		return json.Number(strconv.FormatUint(v, 10))
	case map[string]any:
		return plainMap(v, path, report)
	case []any:
		copied := make([]any, len(v))
		for i, e := range v {
			copied[i] = plainValue(e, fmt.Sprintf("%s[%d]", path, i), report)
		}
		return copied
	case float64: //nolint:forbidigo // YAML readers make it; it is refused here
		report(path, "the number %v is read as a binary fraction and not exact: put it in quotes", v)
	default:
		report(path, "a %T is nothing that an event holds: put it in quotes", value)
	}
	return nil
}
