package mapping

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/gapless/gapless/fault"
)

// An AnswerRule says what an answer of a system means. Rules are tried in order;
// the first whose condition holds counts. Expressions see
//
//	this.status    a whole number, as of HTTP
//	this.headers   texts by name in lower case
//	this.body      the content as JSON; null where it is none
//	this.text      the content as text
type AnswerRule struct {
	When      string `yaml:"when"`      // Bloblang, bool; "" always
	Outcome   string `yaml:"outcome"`   // see PerformOutcomes and FindOutcomes
	Reason    string `yaml:"reason"`    // code of package fault, for refused and not-done
	Documents string `yaml:"documents"` // Bloblang, list of {number, kind}, or null
	Lines     string `yaml:"lines"`     // Bloblang, list of {line, outcome, reason, text}, for partly-applied; for refused those that are to blame, by their place among the events of the command, from 1
	Text      string `yaml:"text"`      // Bloblang, the system's own words; "" is the content where it was refused
}

// PerformOutcomes are what an answer to a request can mean. Of what is unknown
// nobody can tell what was done; of what is not-done the system says that nothing
// was and that the same may be asked again.
func PerformOutcomes() []string {
	return []string{"accepted", "applied", "partly-applied", "refused", "not-done", "unknown"}
}

// FindOutcomes are what an answer to the question for a command can mean. Absent
// is that the system shows nothing: whether something can still come, the hub knows.
func FindOutcomes() []string {
	return []string{"applied", "refused", "begun", "absent", "undecided", "unknown"}
}

// standardRules stand behind those of command and system. A success counts as
// applied only where none of those says what applied looks like, and only where
// it is no page for people. 202 says that it is not done yet (RFC 9110 section
// 15.3.3), 207 that each part has its own answer (RFC 4918 section 13).
func standardRules(applies bool) []AnswerRule {
	rules := []AnswerRule{
		{When: "this.status == 401", Outcome: "not-done", Reason: fault.CredentialsRefused.Code},
		{When: "this.status == 403", Outcome: "refused", Reason: fault.AccessDenied.Code},
		{When: "this.status == 408", Outcome: "unknown"},
		{When: "this.status == 429", Outcome: "not-done", Reason: fault.RateLimited.Code},
		{When: "this.status >= 400 && this.status < 500", Outcome: "refused", Reason: fault.UnclassifiedRefusal.Code},
	}
	if applies {
		const answered = `(this.body != null || this.text == "")`
		rules = append(rules,
			AnswerRule{When: "this.status == 202 && " + answered, Outcome: "accepted"},
			AnswerRule{When: "this.status >= 200 && this.status < 300 && this.status != 207 && " + answered, Outcome: "applied"})
	}
	return append(rules, AnswerRule{Outcome: "unknown"})
}

// standardAnswers are the standard rules, compiled once each.
func standardAnswers(applies bool) *Answers {
	if applies {
		return standardApplying()
	}
	return standardCautious()
}

var (
	standardApplying = sync.OnceValue(func() *Answers { return compileStandard(standardRules(true)) })
	standardCautious = sync.OnceValue(func() *Answers { return compileStandard(standardRules(false)) })
)

// compileStandard compiles rules of this package; a test holds that they are right.
func compileStandard(rules []AnswerRule) *Answers {
	a, err := CompileAnswers(rules, "standard", PerformOutcomes())
	if err != nil {
		return &Answers{}
	}
	return a
}

// applies says whether one of the rules tells what success looks like.
func (a *Answers) applies() bool {
	return a != nil && slices.ContainsFunc(a.rules, func(r *answerRule) bool {
		return r.def.Outcome == "applied" || r.def.Outcome == "accepted" || r.def.Outcome == "partly-applied"
	})
}

// Answers are compiled rules. They are immutable and safe for concurrent use.
type Answers struct{ rules []*answerRule }

type answerRule struct {
	def       AnswerRule
	when      *expression
	documents *expression
	lines     *expression
	text      *expression
}

// A Judged is what an answer means.
type Judged struct {
	Rule      int // place of the rule that counts, from 0
	Outcome   string
	Reason    string // code
	Documents []JudgedDocument
	Lines     []JudgedLine
	Text      string
}

// A JudgedDocument is what a system made.
type JudgedDocument struct{ Number, Kind string }

// A JudgedLine is what became of one line.
type JudgedLine struct{ Line, Outcome, Reason, Text string }

// CompileAnswers compiles rules; field is where they stand in their file, and
// outcomes what they may say. The error joins a *DefinitionError for each fault.
func CompileAnswers(rules []AnswerRule, field string, outcomes []string) (*Answers, error) {
	c, err := newCompiler(Environment{dialect: ofAnswers})
	if err != nil {
		return nil, err
	}
	a := c.answers(rules, field, outcomes)
	if len(c.faults) > 0 {
		return nil, errors.Join(c.faults...)
	}
	return a, nil
}

func newCompiler(env Environment) (*compiler, error) {
	language, err := newLanguage(env)
	if err != nil {
		return nil, err
	}
	return &compiler{env: env, language: language}, nil
}

func (c *compiler) answers(rules []AnswerRule, field string, outcomes []string) *Answers {
	a := &Answers{}
	for i, def := range rules {
		at := fmt.Sprintf("%s[%d]", field, i)
		if !slices.Contains(outcomes, def.Outcome) {
			c.report(at+".outcome", "%.80q is none of %s", def.Outcome, strings.Join(outcomes, ", "))
		}
		refuses := def.Outcome == "refused" || def.Outcome == "not-done"
		switch {
		case refuses && def.Reason == "":
			c.report(at+".reason", "missing: say which reason of docs/reasons.md it is")
		case !refuses && def.Reason != "":
			c.report(at+".reason", "only what is refused or not-done has a reason")
		case def.Reason != "" && fault.ByCode(def.Reason) == nil:
			c.report(at+".reason", "%.80q is no reason: see docs/reasons.md", def.Reason)
		}
		switch lines := strings.TrimSpace(def.Lines) != ""; {
		case def.Outcome == "partly-applied" && !lines:
			c.report(at+".lines", "missing: what was partly applied says which lines")
		case def.Outcome != "partly-applied" && def.Outcome != "refused" && lines:
			c.report(at+".lines", "only what was partly applied or refused says which lines")
		}
		if strings.TrimSpace(def.When) == "" && i < len(rules)-1 {
			c.report(at+".when", "missing: a rule without a condition always counts, so it must be the last")
		}
		a.rules = append(a.rules, &answerRule{
			def: def, when: c.value(at+".when", def.When), documents: c.value(at+".documents", def.Documents),
			lines: c.value(at+".lines", def.Lines), text: c.value(at+".text", def.Text),
		})
	}
	return a
}

// Judge says what an answer to the request means, by the rules of the command,
// those of its system, which may be nil, and the standard ones behind them.
func (m *Command) Judge(answer map[string]any, ofSystem *Answers) (Judged, error) {
	standard := standardAnswers(!m.answers.applies() && !ofSystem.applies())
	return judgeFirst(answer, m.answers, ofSystem, standard)
}

// JudgeFound says what an answer to the question means. Where no rule counts, it
// is unknown.
func (m *Command) JudgeFound(answer map[string]any) (Judged, error) {
	return judgeFirst(answer, m.found)
}

// judgeFirst asks several sets of rules in order. Where none counts, the outcome
// is unknown and the rule -1. What the answer does not have is null or empty.
func judgeFirst(answer map[string]any, sets ...*Answers) (Judged, error) {
	complete := map[string]any{"status": int64(0), "headers": map[string]any{}, "body": nil, "text": ""}
	maps.Copy(complete, answer)
	if n, ok := complete["status"].(json.Number); ok {
		whole, err := n.Int64()
		if err != nil {
			return Judged{}, fmt.Errorf("status %s is no whole number", n)
		}
		complete["status"] = whole
	}
	for _, set := range sets {
		judged, ok, err := set.judge(complete)
		if err != nil || ok {
			return judged, err
		}
	}
	return Judged{Rule: -1, Outcome: "unknown"}, nil
}

// judge says what an answer means; ok is false where no rule counts. An error
// says that a rule could not be evaluated for this answer: then nobody knows.
func (a *Answers) judge(answer map[string]any) (judged Judged, ok bool, err error) {
	if a == nil {
		return Judged{}, false, nil
	}
	sc := &scope{value: answer}
	for i, rule := range a.rules {
		holds, fail := rule.when.condition(sc)
		if fail != nil {
			var none *missing
			if _, absent := nullField(fail.err.Error()); absent || errors.As(fail.err, &none) {
				continue // a condition on what the answer has not does not hold
			}
			return Judged{}, false, fail.told()
		}
		if !holds {
			continue
		}
		if judged, fail = rule.judge(sc); fail != nil {
			return Judged{}, false, fail.told()
		}
		judged.Rule = i
		return judged, true, nil
	}
	return Judged{}, false, nil
}

// told is a failure as an error that says where in the rules.
func (f *failure) told() error {
	return fmt.Errorf("%s line %d: %s", f.expression.field, max(f.line, 1), clean(f.err.Error()))
}

func (r *answerRule) judge(sc *scope) (Judged, *failure) {
	j := Judged{Outcome: r.def.Outcome, Reason: r.def.Reason}
	var fail *failure
	if j.Text, fail = r.text.textValue(sc, false); fail != nil {
		return Judged{}, fail
	}
	rows, fail := r.documents.rows(sc, "number", "kind")
	if fail != nil {
		return Judged{}, fail
	}
	for _, row := range rows {
		if row["number"] == "" {
			return Judged{}, &failure{r.documents, 0, errors.New("a document needs a number")}
		}
		j.Documents = append(j.Documents, JudgedDocument{row["number"], row["kind"]})
	}
	if rows, fail = r.lines.rows(sc, "line", "outcome", "reason", "text"); fail != nil {
		return Judged{}, fail
	}
	for _, row := range rows {
		line := JudgedLine{row["line"], row["outcome"], row["reason"], row["text"]}
		if refused := line.Outcome == "refused"; !refused && line.Outcome != "applied" && line.Outcome != "accepted" || refused && fault.ByCode(line.Reason) == nil {
			return Judged{}, &failure{r.lines, 0, fmt.Errorf("line %s: the outcome is applied, accepted or refused, the last with a reason of docs/reasons.md", line.Line)}
		}
		j.Lines = append(j.Lines, line)
	}
	return j, nil
}

// rows is a list of objects of texts; none for a nil expression and for null.
// A single object stands for a list of one.
func (e *expression) rows(sc *scope, names ...string) ([]map[string]string, *failure) {
	if e == nil {
		return nil, nil
	}
	value, fail := e.query(sc)
	if fail != nil || value == nil {
		return nil, fail
	}
	items, isList := value.([]any)
	if !isList {
		items = []any{value}
	}
	var rows []map[string]string
	for i, item := range items {
		object, ok := item.(map[string]any)
		if !ok {
			return nil, &failure{e, 0, fmt.Errorf("item %d is %s, an object is expected", i+1, describe(item))}
		}
		row := map[string]string{}
		for _, name := range names {
			if object[name] == nil {
				continue
			}
			text, err := textOf(e.field, target, object[name])
			if err != nil {
				return nil, &failure{e, 0, fmt.Errorf("%s of item %d is no text: %s", name, i+1, describe(object[name]))}
			}
			row[name] = text
		}
		rows = append(rows, row)
	}
	return rows, nil
}
