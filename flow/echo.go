package flow

import (
	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/mapping"
)

// echo recognises a message in which a system tells of what the hub itself asked it
// to do: by the command key that the system carries, or by the number that it gave.
// Such a message settles the command, also one whose answer was lost, and states no
// new fact.
func (p *preparation) echo(m *mapping.Mapping) (bool, *fault.Fault) {
	e, err := m.Echo(p.a.record)
	if err != nil {
		return false, asFault("flow.echo", fault.MappingFailed, err)
	}
	if e == (mapping.Echo{}) {
		return false, nil
	}
	step, ok, err := p.echoed(e)
	if err != nil {
		return false, fault.Wrap("flow.echo", fault.Unavailable, "", err)
	}
	if !ok {
		return false, nil // somebody else did that
	}
	s := ledger.Settlement{Step: step.Key, Transaction: step.Transaction, Outcome: ledger.AttemptApplied, Words: p.a.Name + " " + p.a.ID + " tells of it", Echo: true}
	if e.Document != "" {
		s.Documents = []ledger.StepDocument{{Number: e.Document}}
	}
	p.e.Settlements = []ledger.Settlement{s}
	return true, nil
}

// echoed finds the step that an echo is of.
func (p *preparation) echoed(e mapping.Echo) (ledger.Step, bool, error) {
	l := p.flow.ledger
	if len(e.Key) >= connector.MinKeyDigits {
		steps, err := l.StepsByKey(p.ctx, p.a.System, e.Key)
		if err != nil || len(steps) == 1 {
			return first(steps), len(steps) == 1, err
		}
	}
	if e.Document == "" {
		return ledger.Step{}, false, nil
	}
	steps, err := l.StepsOfDocument(p.ctx, p.a.System, e.Document)
	return first(steps), len(steps) > 0, err
}

func first(steps []ledger.Step) ledger.Step {
	if len(steps) == 0 {
		return ledger.Step{}
	}
	return steps[0]
}
