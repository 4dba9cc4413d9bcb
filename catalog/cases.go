package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// A CaseResult says how one example of one definition went.
type CaseResult struct {
	File    string `json:"file"` // as in Finding
	Line    int    `json:"line"`
	Case    string `json:"case"`
	Passed  bool   `json:"passed"`
	Problem string `json:"problem,omitempty"` // what was expected and what came
}

// String is "file:line: case: ok" or the problem.
func (r CaseResult) String() string {
	outcome := "ok"
	if !r.Passed {
		outcome = r.Problem
	}
	return fmt.Sprintf("%s:%d: %s: %s", r.File, r.Line, r.Case, outcome)
}

// Test runs the examples of every definition: events that contracts accept and
// refuse, the cases of policies, lifecycles, mappings and plans; and it holds what a
// mapping makes against the contracts. The results are in the order of the files.
func (c *Catalog) Test() []CaseResult {
	t := &tester{catalog: c}
	for _, file := range slices.Sorted(maps.Keys(c.documents)) {
		d := c.documents[file]
		switch folder, _, _ := strings.Cut(file, "/"); folder {
		case "contracts":
			t.contract(d)
		case "policies":
			t.policy(d)
		case "lifecycles":
			t.lifecycle(d)
		case "mappings":
			if isCommand(d) {
				t.command(file, d)
			} else {
				t.mapping(file, d)
			}
		case "plans":
			t.plan(d)
		}
	}
	return t.results
}

// tester collects results.
type tester struct {
	catalog *Catalog
	results []CaseResult
}

// add notes how the case at a path of a document went; "" is well.
func (t *tester) add(d *document, path, name, problem string) {
	line, _ := d.position(path)
	t.results = append(t.results, CaseResult{File: d.file, Line: line, Case: name, Passed: problem == "", Problem: problem})
}

func (t *tester) contract(d *document) {
	for _, k := range t.catalog.Contracts() {
		if fmt.Sprintf("%s.v%d", k.Type, k.Version) != d.name {
			continue
		}
		for i, e := range k.Examples.Good {
			t.add(d, fmt.Sprintf("examples.good[%d]", i), e.Name, k.accepts(e.Event))
		}
		for i, e := range k.Examples.Bad {
			t.add(d, fmt.Sprintf("examples.bad[%d]", i), e.Name, k.refuses(e))
		}
	}
}

// accepts answers what the contract has against an example, "" for nothing.
func (k *Contract) accepts(e ExampleEvent) string {
	var texts []string
	for _, f := range k.faults(e) {
		texts = append(texts, f.Text())
	}
	return strings.Join(texts, "; ")
}

// refuses answers in what way the contract does not refuse an example as it says.
func (k *Contract) refuses(e ContractExample) string {
	var got []string
	for _, f := range k.faults(e.Event) {
		if f.Reason.Code == e.Reason && (e.Field == "" || e.Field == f.Field) {
			return ""
		}
		got = append(got, fmt.Sprintf("%s at %q", f.Reason, f.Field))
	}
	if len(got) == 0 {
		got = []string{"nothing"}
	}
	return fmt.Sprintf("expected %s at %q, got %s", e.Reason, e.Field, strings.Join(got, ", "))
}

// faults is everything that a contract has against an example.
func (k *Contract) faults(e ExampleEvent) []*fault.Fault {
	faults := e.Occurred.faults()
	_, invalid := k.Validate(e.Data)
	faults = append(faults, invalid...)
	if _, f := k.Subject(event.Ref(e.Subject), e.Data); f != nil {
		faults = append(faults, f)
	}
	return faults
}

func (s ExampleSpan) faults() []*fault.Fault {
	var ends [2]time.Time
	for i, text := range []string{s.From, s.To} {
		if text == "" {
			continue
		}
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return []*fault.Fault{fault.New(opValidate, fault.TimeInvalid, "occurred", "%q is no time with zone", text)}
		}
		ends[i] = at
	}
	if !ends[1].IsZero() && ends[1].Before(ends[0]) {
		return []*fault.Fault{fault.New(opValidate, fault.TimeInvalid, "occurred", "it ends before it begins")}
	}
	return nil
}

func (t *tester) policy(d *document) {
	p, ok := t.catalog.policyByName[d.name]
	if !ok {
		return
	}
	for i, r := range p.Policy.Test() {
		problem := ""
		if !r.OK() {
			problem = strings.TrimSpace(fmt.Sprintf("expected %s, got %s %s", r.Expect, r.Got, r.Verdict.Message))
		}
		t.add(d, fmt.Sprintf("cases[%d]", i), r.Name, problem)
	}
}

func (t *tester) lifecycle(d *document) {
	if l := t.catalog.lifecycles[d.name]; l != nil {
		for _, r := range l.Test() {
			t.add(d, fmt.Sprintf("cases[%d]", r.Index), r.Case, r.Problem)
		}
	}
}

func (t *tester) plan(d *document) {
	p, ok := t.catalog.Plan(d.name)
	if !ok {
		return
	}
	for _, r := range p.Test(t.catalog.Lifecycle(p.Definition().Key)) {
		t.add(d, fmt.Sprintf("cases[%d]", r.Index), r.Case, r.Problem)
	}
}
