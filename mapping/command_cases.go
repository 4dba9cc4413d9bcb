package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// A CommandCase is an example in the file of a command: a command and the request
// or the fault that it must give, or answers and what they must mean.
type CommandCase struct {
	Name     string            `yaml:"name"`
	Command  map[string]any    `yaml:"command"`  // canonical
	External map[string]string `yaml:"external"` // what the system calls objects, by ref
	Request  map[string]any    `yaml:"request"`  // all of it, the question under find
	Fault    *ExpectedFault    `yaml:"fault"`
	Answers  []AnswerCase      `yaml:"answers"`
}

// An AnswerCase is an answer to the request, or to the question, and its meaning.
type AnswerCase struct {
	Answer    map[string]any      `yaml:"answer"` // {status, headers, body, text} to the request; or
	Found     map[string]any      `yaml:"found"`  // to the question
	Outcome   string              `yaml:"outcome"`
	Reason    string              `yaml:"reason"`
	Documents []map[string]string `yaml:"documents"` // [{number, kind}], all of them
	Text      string              `yaml:"text"`      // "" is not compared
}

// Test runs the command's cases in their order. The rules of the system stand
// behind those of the command, as they do when an answer comes.
func (m *Command) Test(ofSystem *Answers) []CaseResult {
	results := make([]CaseResult, 0, len(m.def.Cases))
	for _, c := range m.def.Cases {
		results = append(results, CaseResult{Name: c.Name, Differences: append(m.runRequest(c), m.runAnswers(c, ofSystem)...)})
	}
	return results
}

func (m *Command) runRequest(c CommandCase) []string {
	if c.Command == nil {
		return nil
	}
	request, err := m.Apply(c.Command)
	if err != nil {
		return compareFault(c.Fault, err)
	}
	var differences []string
	request = ResolveExternal(request, func(place string, ref event.Ref) string {
		if id, ok := c.External[string(ref)]; ok {
			return id
		}
		differences = append(differences, fmt.Sprintf("%s: what the system calls %s is not given: add it under external", place, ref))
		return ""
	})
	if c.Fault != nil {
		return []string{fmt.Sprintf("fault %s is expected, it gave a request", c.Fault.Reason)}
	}
	compareValues("request", c.Request, request, func(field string, want, got any) {
		differences = append(differences, fmt.Sprintf("%s: %v is expected, it gave %v", field, want, got))
	})
	return differences
}

func (m *Command) runAnswers(c CommandCase, ofSystem *Answers) []string {
	var differences []string
	for i, a := range c.Answers {
		judged, err := m.Judge(a.Answer, ofSystem)
		if a.Found != nil {
			judged, err = m.JudgeFound(a.Found)
		}
		if err != nil {
			differences = append(differences, fmt.Sprintf("answers[%d]: %v", i, err))
			continue
		}
		differences = append(differences, a.compare(i, judged)...)
	}
	return differences
}

func (a AnswerCase) compare(i int, judged Judged) []string {
	var documents []map[string]string
	for _, d := range judged.Documents {
		document := map[string]string{"number": d.Number}
		if d.Kind != "" {
			document["kind"] = d.Kind
		}
		documents = append(documents, document)
	}
	var differences []string
	for _, part := range []struct {
		name, want, got string
		always          bool
	}{
		{"outcome", a.Outcome, judged.Outcome, true},
		{"reason", a.Reason, judged.Reason, true},
		{"documents", fmt.Sprint(a.Documents), fmt.Sprint(documents), true},
		{"text", a.Text, judged.Text, a.Text != ""},
	} {
		if part.always && part.want != part.got {
			differences = append(differences, fmt.Sprintf("answers[%d].%s: %q is expected, it gave %q", i, part.name, part.want, part.got))
		}
	}
	return differences
}

// Uncovered are the command's own rules that no case meets, by their place.
func (m *Command) Uncovered() []string {
	met := map[string]bool{}
	for _, c := range m.def.Cases {
		for _, a := range c.Answers {
			set, answer, name := m.answers, a.Answer, "answers"
			if a.Found != nil {
				set, answer, name = m.found, a.Found, "found"
			}
			if judged, err := judgeFirst(answer, set); err == nil && judged.Rule >= 0 {
				met[fmt.Sprintf("%s[%d]", name, judged.Rule)] = true
			}
		}
	}
	var missing []string
	for name, n := range map[string]int{"answers": len(m.answers.rules), "found": len(m.found.rules)} {
		for i := range n {
			if at := fmt.Sprintf("%s[%d]", name, i); !met[at] {
				missing = append(missing, at)
			}
		}
	}
	slices.Sort(missing)
	return missing
}

// commandCases checks the cases and gives copies in JSON form.
func (c *compiler) commandCases(cases []CommandCase) []CommandCase {
	checked := slices.Clone(cases)
	names := map[string]bool{}
	for i := range checked {
		example, path := &checked[i], fmt.Sprintf("cases[%d]", i)
		c.caseName(example.Name, path, names)
		example.Command = c.plainMap(example.Command, path+".command")
		example.Request = c.plainMap(example.Request, path+".request")
		switch {
		case example.Command == nil && len(example.Answers) == 0:
			c.report(path+".command", "missing: give a command and its request, or answers and what they mean")
		case example.Command != nil && (example.Request == nil) == (example.Fault == nil):
			c.report(path+".request", "give the request that must come, or the fault: one of the two")
		case example.Fault != nil && fault.ByCode(example.Fault.Reason) == nil:
			c.report(path+".fault.reason", "%.80q is no reason: see docs/reasons.md", example.Fault.Reason)
		}
		c.answerCases(example, path)
	}
	return checked
}

func (c *compiler) answerCases(example *CommandCase, path string) {
	example.Answers = slices.Clone(example.Answers)
	for j := range example.Answers {
		a, at := &example.Answers[j], fmt.Sprintf("%s.answers[%d]", path, j)
		if (a.Answer == nil) == (a.Found == nil) {
			c.report(at, "give an answer to the request, or one to the question as found: one of the two")
		}
		outcomes := PerformOutcomes()
		if a.Found != nil {
			outcomes = FindOutcomes()
		}
		if !slices.Contains(outcomes, a.Outcome) {
			c.report(at+".outcome", "%.80q is none of %s", a.Outcome, strings.Join(outcomes, ", "))
		}
		a.Answer = c.plainMap(a.Answer, at+".answer")
		a.Found = c.plainMap(a.Found, at+".found")
	}
}
