package mapping

import (
	"errors"
	"fmt"
	"strings"

	"github.com/gapless/gapless/fault"
)

// A CommandDefinition is one file of the catalog, mappings/<system>/<command>.yaml
// with `command` instead of `message`: how a command becomes a request in the
// system's own terms, and what its answers mean.
//
// Request and Find are assignments to root. They see the canonical command:
// this.key (as the system carries it), command, plant, subject, posting_date,
// wanted, event, events, basis.
type CommandDefinition struct {
	Command string        `yaml:"command"`
	System  string        `yaml:"system"`
	Title   string        `yaml:"title"`
	Request string        `yaml:"request"` // Bloblang assignments
	Find    string        `yaml:"find"`    // Bloblang assignments: the question what became of it; "" where it is not asked
	Answers []AnswerRule  `yaml:"answers"` // to the request, tried before those of the system
	Found   []AnswerRule  `yaml:"found"`   // to the question
	Cases   []CommandCase `yaml:"cases"`
}

// FindKey is where a request holds the question for it.
const FindKey = "find"

// A Command is a compiled CommandDefinition. It is immutable and safe for
// concurrent use.
type Command struct {
	def     CommandDefinition
	request *expression
	find    *expression
	answers *Answers
	found   *Answers
}

// CompileCommand checks a definition and compiles it. The error joins one
// *DefinitionError for each thing that is wrong.
func CompileCommand(def CommandDefinition, env Environment) (*Command, error) {
	env.dialect = ofCommands
	c, err := newCompiler(env)
	if err != nil {
		return nil, err
	}
	rules, err := newCompiler(Environment{dialect: ofAnswers})
	if err != nil {
		return nil, err
	}
	if strings.TrimSpace(def.Command) == "" {
		c.report("command", "missing: name it as the file is named")
	}
	if strings.TrimSpace(def.System) == "" {
		c.report("system", "missing: name it as the folder is named")
	}
	if strings.TrimSpace(def.Request) == "" {
		c.report("request", "missing: say what is sent, with assignments to root")
	}
	m := &Command{
		request: c.expression("request", def.Request), find: c.expression("find", def.Find),
		answers: rules.answers(def.Answers, "answers", PerformOutcomes()), found: rules.answers(def.Found, "found", FindOutcomes()),
	}
	if m.find != nil && len(def.Found) == 0 {
		c.report("found", "missing: say what the answers to find mean")
	}
	if strings.TrimSpace(def.Find) == "" && len(def.Found) > 0 {
		c.report("find", "missing: say with which request the system is asked")
	}
	c.reservedTarget(m.request)
	def.Cases = c.commandCases(def.Cases)
	m.def = def
	if faults := append(c.faults, rules.faults...); len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return m, nil
}

// reservedTarget refuses an assignment to what holds the question.
func (c *compiler) reservedTarget(e *expression) {
	if e == nil {
		return
	}
	for _, s := range e.statements {
		if len(s.target) > 0 && s.target[0] == FindKey {
			c.faults = append(c.faults, &DefinitionError{Field: e.field, Line: s.line, Column: 1, Text: "root.find is the place of the question: write it under `find`"})
		}
	}
}

// System is the system that the command goes to.
func (m *Command) System() string { return m.def.System }

// Name is the name of the command.
func (m *Command) Name() string { return m.def.Command }

// Asks says whether the system can be asked what became of a command.
func (m *Command) Asks() bool { return m.find != nil }

// Reads says whether the request reads a field of the command, as far as its text
// shows: one that takes the command as a whole may read any.
func (m *Command) Reads(field string) bool {
	for i, t := range m.request.tokens {
		if p, _ := readPath(m.request.tokens, i); t.is("this") && !t.rebind && (len(p.names) == 0 || p.names[0] == field) {
			return true
		}
	}
	return false
}

// Apply makes the request of a command, the question for it under the key find.
// It holds markers of external, which ResolveExternal exchanges. The command
// stays as it is. The error is a *fault.Fault.
func (m *Command) Apply(command map[string]any) (map[string]any, error) {
	const op = "mapping.ApplyCommand"
	if place, found := strayMarker(command, "", false); found {
		return nil, fault.New(op, fault.NotSendable, place, "the text holds control characters that no system takes")
	}
	sc, err := newScope(op, command, nil)
	if err != nil {
		return nil, err
	}
	request, err := m.part(op, sc, m.request)
	if err != nil || m.find == nil {
		return request, err
	}
	question, err := m.part(op, sc, m.find)
	if err != nil {
		return nil, err
	}
	request[FindKey] = question
	return request, nil
}

// part evaluates one request, which must be an object.
func (m *Command) part(op string, sc *scope, e *expression) (map[string]any, error) {
	value, fail := e.query(sc)
	if fail == nil {
		if object, ok := value.(map[string]any); ok {
			if place, broken := strayMarker(object, "", true); broken {
				return nil, fault.New(op, fault.MappingFailed, "", "%s: what external gave was cut or changed (%s): put it into a text as it is", e.field, place)
			}
			return object, nil
		}
		fail = &failure{e, 0, fmt.Errorf("an object is expected, it gave %s", describe(value))}
	}
	b := &blame{failure: fail, scope: sc, at: fail.expression.statementAt(fail.line)}
	reason, field, text := b.judge(m.def.System)
	f := fault.New(op, reason, field, "")
	f.Detail = place("", fail) + ": " + text
	f.Err = fail.err
	return nil, f
}
