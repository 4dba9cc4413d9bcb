package policy

import (
	"errors"
	"fmt"
	"strings"

	"cel.dev/cel-go/common/types"
)

// Input is everything that a policy may look at. Nothing in it is changed.
// Values are those of JSON, numbers as json.Number or an integer type; with a
// float anywhere in it every verdict is an error.
type Input struct {
	Event     map[string]any            // the event in canonical form
	Subject   map[string]any            // state of its subject; nil where it is unknown
	State     map[string]map[string]any // ref -> state of every object that it touches
	Reference map[string]any            // reference data by name
}

// An Outcome is what a policy says about an event.
type Outcome string

// The three outcomes.
const (
	Pass   Outcome = "pass"
	Stop   Outcome = "stop"
	Failed Outcome = "error" // it could not be judged; it counts like Stop, never like Pass
)

// ReasonFailed is the reason of a Failed verdict: the code in package fault for
// a policy that could not be judged.
const ReasonFailed = "policy_failed"

// maxMessage is the length of a message in characters; longer ones are cut.
const maxMessage = 500

// A Verdict is what one policy says about one event. Reason, Field, Message and
// Remedy are empty where it passes.
type Verdict struct {
	Policy  string
	Outcome Outcome
	Effect  Effect
	Reason  string // code of package fault
	Field   string // the field it is about; "" where it is about the whole
	Message string // for the person: field and values
	Remedy  string // "" where the reason's own remedy says it
}

// Stops says whether the effect of the policy takes place: not where it passes.
func (v Verdict) Stops() bool { return v.Outcome != Pass }

// Judge evaluates the policy. The second result is false where it does not
// apply: the event's type is not among On, or When is false.
func (p *Policy) Judge(in Input) (Verdict, bool) {
	eventType, _ := in.Event["type"].(string)
	if !p.Applies(eventType) {
		return Verdict{}, false
	}
	return p.judge(in.variables())
}

func (in *Input) variables() *variables {
	v := &variables{event: in.Event, subject: in.Subject, state: in.State, reference: in.Reference}
	for _, part := range []struct {
		name  string
		value any
	}{{"event", in.Event}, {"subject", in.Subject}, {"state", in.State}, {"reference", in.Reference}} {
		if f := flaw(part.value); f != "" {
			v.flaw = errors.New(under(part.name, f))
			break
		}
	}
	v.ordinary = v.flaw == nil && ordinaryMap(in.Event) && ordinaryMap(in.Subject) && ordinaryMap(in.State) && ordinaryMap(in.Reference)
	return v
}

// judge evaluates the policy on an event whose type it is on.
func (p *Policy) judge(vars *variables) (Verdict, bool) {
	if vars.flaw != nil {
		return p.failed(vars.flaw), true
	}
	if p.when != nil {
		applies, err := p.when.holds(vars)
		if err != nil {
			return p.failed(err), true
		}
		if !applies {
			return Verdict{}, false
		}
	}
	passes, err := p.require.holds(vars)
	switch {
	case err != nil:
		return p.failed(err), true
	case passes:
		return Verdict{Policy: p.def.Name, Outcome: Pass, Effect: p.def.Effect}, true
	}
	return Verdict{
		Policy:  p.def.Name,
		Outcome: Stop,
		Effect:  p.def.Effect,
		Reason:  p.def.Reason,
		Field:   p.def.Field,
		Message: p.say(vars),
		Remedy:  p.def.Remedy,
	}, true
}

func (p *Policy) failed(err error) Verdict {
	return Verdict{
		Policy:  p.def.Name,
		Outcome: Failed,
		Effect:  p.def.Effect,
		Reason:  ReasonFailed,
		Field:   p.def.Field,
		Message: cut(fmt.Sprintf("policy %s could not be judged: %v", p.def.Name, err)),
	}
}

// say makes the message. The event is stopped already, so a message that fails
// gives way to the title and tells why.
func (p *Policy) say(vars *variables) string {
	v, err := p.message.eval(vars)
	if err != nil {
		return cut(fmt.Sprintf("%s (its message failed: %v)", p.def.Title, err))
	}
	s, ok := v.(types.String)
	if !ok || strings.TrimSpace(string(s)) == "" {
		return p.def.Title
	}
	return cut(string(s))
}

// holds evaluates a condition.
func (x *expression) holds(vars *variables) (bool, error) {
	v, err := x.eval(vars)
	if err != nil {
		return false, err
	}
	b, ok := v.(types.Bool)
	if !ok {
		return false, fmt.Errorf("%s: gives %s, not a condition", x.field, describe(v))
	}
	return bool(b), nil
}

// cut shortens a text to maxMessage characters.
func cut(s string) string {
	if len(s) <= maxMessage {
		return s
	}
	n := 0
	for i := range s {
		if n == maxMessage {
			return s[:i] + " ..."
		}
		n++
	}
	return s
}
