package report

import (
	"context"
	"slices"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/ledger"
)

// A Followed is one transaction of an object in a trace: what other systems had to
// do because of what is on record about it.
type Followed struct {
	ledger.StoredTransaction
	Steps    []Step         `json:"steps"`
	Expected []Expected     `json:"expected,omitempty"` // what is awaited, and until when
	Gathers  []ledger.Timer `json:"gathers,omitempty"`  // bundles that are open, and until when
}

// Expected is what is awaited in a transaction, with the exception about it while it is late.
type Expected struct {
	ledger.Expectation
	Open []ledger.Exception `json:"open,omitempty"`
}

// A Step is one step in a trace, with every attempt at it.
type Step struct {
	ledger.Step
	Tries     []ledger.Attempt      `json:"tries,omitempty"`
	Documents []ledger.StepDocument `json:"documents,omitempty"`
	Open      []ledger.Exception    `json:"open,omitempty"`
	OnTop     []ledger.Step         `json:"on_top,omitempty"` // of one that does not go on: what stands on what it amends or takes back
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
		if f.Expected, err = expected(ctx, l, t.ID()); err != nil {
			return nil, err
		}
		if f.Gathers, err = l.Windows(ctx, t.ID()); err != nil {
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
		if x.Open, err = open(ctx, l, s.Key); err != nil {
			return nil, err
		}
		if s.Status.Stuck() {
			if x.OnTop, err = l.OnTop(ctx, &s); err != nil {
				return nil, err
			}
		}
		all[i] = x
	}
	return all, nil
}

// expected is what a transaction awaits.
func expected(ctx context.Context, l *ledger.Ledger, transaction string) ([]Expected, error) {
	awaited, err := l.Expected(ctx, transaction)
	if err != nil {
		return nil, err
	}
	all := make([]Expected, len(awaited))
	for i, e := range awaited {
		all[i].Expectation = e
		if all[i].Open, err = open(ctx, l, ledger.ExpectationKey(transaction, e.Name, e.Cause)); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// open are the open exceptions about a command or an expectation.
func open(ctx context.Context, l *ledger.Ledger, key string) ([]ledger.Exception, error) {
	exceptions, err := l.ExceptionsOf(ctx, key)
	return slices.DeleteFunc(exceptions, func(x ledger.Exception) bool { return x.State != "open" }), err
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
