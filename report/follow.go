package report

import (
	"context"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/ledger"
)

// A Followed is one transaction of an object in a trace: what other systems had to
// do because of what is on record about it.
type Followed struct {
	ledger.StoredTransaction
	Steps    []Step               `json:"steps"`
	Expected []ledger.Expectation `json:"expected,omitempty"` // what is awaited, and until when
}

// A Step is one step in a trace, with every attempt at it.
type Step struct {
	ledger.Step
	Tries     []ledger.Attempt      `json:"tries,omitempty"`
	Documents []ledger.StepDocument `json:"documents,omitempty"`
	Open      []ledger.Exception    `json:"open,omitempty"`
}

// followed are the transactions about an object with their steps.
func followed(ctx context.Context, l *ledger.Ledger, object event.Ref) ([]Followed, error) {
	transactions, err := l.TransactionsOf(ctx, object)
	if err != nil {
		return nil, err
	}
	var all []Followed
	for _, t := range transactions {
		steps, err := l.StepsOf(ctx, t.ID())
		if err != nil {
			return nil, err
		}
		f := Followed{StoredTransaction: t}
		if f.Steps, err = traced(ctx, l, steps); err != nil {
			return nil, err
		}
		if f.Expected, err = l.Expected(ctx, t.ID()); err != nil {
			return nil, err
		}
		all = append(all, f)
	}
	return all, nil
}

// traced adds to steps what became of them.
func traced(ctx context.Context, l *ledger.Ledger, steps []ledger.Step) ([]Step, error) {
	all := make([]Step, len(steps))
	for i, s := range steps {
		x := Step{Step: s}
		var err error
		if x.Tries, err = l.Attempts(ctx, s.Key); err != nil {
			return nil, err
		}
		if x.Documents, err = l.Documents(ctx, s.Key); err != nil {
			return nil, err
		}
		exceptions, err := l.ExceptionsOf(ctx, s.Key)
		if err != nil {
			return nil, err
		}
		for _, e := range exceptions {
			if e.State == "open" {
				x.Open = append(x.Open, e)
			}
		}
		all[i] = x
	}
	return all, nil
}

// stepsOfDocument are the steps for which a system gave a number, such as the
// document document/erp/5000009911; none for any other object.
func stepsOfDocument(ctx context.Context, l *ledger.Ledger, object event.Ref) ([]Step, error) {
	segments := object.Segments()
	if object.Kind() != "document" || len(segments) != 2 {
		return nil, nil
	}
	steps, err := l.StepsOfDocument(ctx, segments[0], segments[1])
	if err != nil {
		return nil, err
	}
	return traced(ctx, l, steps)
}

// StepOf is one step by its command key.
func StepOf(ctx context.Context, l *ledger.Ledger, key string) (Step, error) {
	s, err := l.Step(ctx, key)
	if err != nil {
		return Step{}, err
	}
	all, err := traced(ctx, l, []ledger.Step{s})
	if err != nil {
		return Step{}, err
	}
	return all[0], nil
}
