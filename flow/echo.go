package flow

import (
	"context"
	"slices"

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
	if !ok { // somebody else did that, or the number is not known yet
		if e.Document != "" {
			p.e.Sighted = &ledger.Sighting{System: p.a.System, Number: e.Document}
		}
		return false, nil
	}
	s := ledger.Settlement{Step: step.Key, Transaction: step.Transaction, System: step.System, Outcome: ledger.AttemptApplied, Words: p.a.Name + " " + p.a.ID + " tells of it", Echo: true}
	if e.Document != "" {
		s.Documents = []ledger.StepDocument{{Number: e.Document}}
	}
	p.e.Settlements = []ledger.Settlement{s}
	if p.e.Undoes, err = p.flow.echoes(p.ctx, step.Plant, &s); err != nil {
		return false, fault.Wrap("flow.echo", fault.Unavailable, "", err)
	}
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

// echoes are the keys of the messages that told of the documents of a settlement before
// it was known that they belong to the step: what they stated was no fact of its own.
func (f *Flow) echoes(ctx context.Context, plant string, s *ledger.Settlement) ([]string, error) {
	var all []string
	for _, doc := range s.Documents {
		keys, err := f.ledger.Sightings(ctx, plant, ledger.Sighting{System: s.System, Number: doc.Number})
		if err != nil {
			return nil, err
		}
		all = append(all, keys...)
	}
	return all, nil
}

// sightedMeanwhile tells whether an entry was prepared before it was on record that a number
// that it tells of belongs to a step, or that a message told of one that it gives.
func (d *decision) sightedMeanwhile() bool {
	if d.e.Attempt >= attempts-1 { // what is left are messages of other plants, which cannot be undone here
		return false
	}
	if s := d.e.Sighted; s != nil && d.w.Given(*s) {
		return true
	}
	for _, s := range d.e.Settlements {
		for _, doc := range s.Documents {
			for _, message := range d.w.Seen(ledger.Sighting{System: s.System, Number: doc.Number}) {
				if !slices.Contains(d.e.Undoes, message) {
					return true
				}
			}
		}
	}
	return false
}
