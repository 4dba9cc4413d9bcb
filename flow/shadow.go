package flow

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
)

// A Shadow is a step that is never performed, with what would have been sent, beside what
// its system itself has reported about the same object.
type Shadow struct {
	ledger.Step
	Request  map[string]any // in the system's terms; nil where it cannot be made
	Fault    *fault.Fault   // why it cannot be made
	Verdict  ShadowVerdict
	Reported *ledger.StoredEvent // that it is compared with; nil where nothing is left
}

// A ShadowVerdict says how a step in the shadow compares with what its system did.
type ShadowVerdict string

// The verdicts.
const (
	ShadowEqual    ShadowVerdict = "equal"    // the system reported the same amount, or the same status
	ShadowDiffers  ShadowVerdict = "differs"  // it reported something else
	ShadowReported ShadowVerdict = "reported" // it reported something, and the step has nothing that could be compared
	ShadowMissing  ShadowVerdict = "missing"  // it reported nothing that is not another step's
)

// A ShadowAccount compares what would have been sent with what systems did, object by
// object.
type ShadowAccount struct {
	Steps  []Shadow
	Others []ledger.StoredEvent // what the systems reported about the objects, and no step would have asked for
	Next   string               // the transaction behind which the account goes on; "" at its end
}

// mostReported bounds the events about one object that are looked at.
const mostReported = 1000

// Shadow accounts for the steps in the shadow, of so many transactions behind one. No
// plants are all of them, "" is every system.
func (f *Flow) Shadow(ctx context.Context, plants []string, system, after string, limit int) (ShadowAccount, error) {
	var account ShadowAccount
	ids, err := f.ledger.InShadow(ctx, plants, system, after, limit+1)
	if err != nil {
		return account, err
	}
	if len(ids) > limit {
		ids = ids[:limit]
		account.Next = ids[limit-1]
	}
	for _, id := range ids {
		if err := f.accountFor(ctx, &account, id, plants, system); err != nil {
			return account, err
		}
	}
	return account, nil
}

// accountFor compares the steps of one transaction with what their systems reported: a
// step with what equals it, and what is left with one another in the order of the record.
func (f *Flow) accountFor(ctx context.Context, account *ShadowAccount, id string, plants []string, system string) error {
	steps, err := f.ledger.StepsOf(ctx, id)
	if err != nil {
		return err
	}
	steps = slices.DeleteFunc(steps, func(s ledger.Step) bool {
		return s.Status != ledger.StepShadow || system != "" && s.System != system || len(plants) > 0 && !slices.Contains(plants, s.Plant)
	})
	if len(steps) == 0 {
		return nil
	}
	reported, err := f.reportedBySystems(ctx, id, steps)
	if err != nil {
		return err
	}
	shadows := make([]Shadow, len(steps))
	for i := range steps {
		x := &shadows[i]
		x.Step, x.Verdict = steps[i], ShadowMissing
		amounts, err := f.amountsOf(ctx, &steps[i])
		if err != nil {
			return err
		}
		x.Request, x.Fault = f.wouldSend(ctx, &steps[i])
		judged := len(amounts) > 0 || x.Wanted != ""
		at := slices.IndexFunc(reported, func(e ledger.StoredEvent) bool { return e.System == x.System && sameAs(x.Wanted, amounts, e.Data) })
		switch {
		case judged && at >= 0:
			x.Verdict = ShadowEqual
		case judged:
			continue
		default:
			at = slices.IndexFunc(reported, func(e ledger.StoredEvent) bool { return e.System == x.System })
			if at < 0 {
				continue
			}
			x.Verdict = ShadowReported
		}
		x.Reported = &reported[at]
		reported = slices.Concat(reported[:at], reported[at+1:])
	}
	for i := range shadows {
		x := &shadows[i]
		at := slices.IndexFunc(reported, func(e ledger.StoredEvent) bool { return e.System == x.System })
		if x.Verdict != ShadowMissing || at < 0 {
			continue
		}
		x.Verdict, x.Reported = ShadowDiffers, &reported[at]
		reported = slices.Concat(reported[:at], reported[at+1:])
	}
	account.Steps = append(account.Steps, shadows...)
	account.Others = append(account.Others, reported...)
	return nil
}

// reportedBySystems are the events that stand about the object of a transaction, of the
// systems of the steps, but for those that its plan is about: they are causes.
func (f *Flow) reportedBySystems(ctx context.Context, id string, steps []ledger.Step) ([]ledger.StoredEvent, error) {
	history, err := f.ledger.History(ctx, steps[0].Object, time.Time{}, mostReported)
	if err != nil {
		return nil, err
	}
	name, _, _ := strings.Cut(planOf(id), "@")
	plan, known := f.Catalog().Plan(name)
	return slices.DeleteFunc(history, func(e ledger.StoredEvent) bool {
		of := slices.ContainsFunc(steps, func(s ledger.Step) bool { return s.System == e.System })
		return !of || !e.Current || e.Change == event.Reversal || known && plan.Concerns(e.Type)
	}), nil
}

// wouldSend is the request that a step would have been.
func (f *Flow) wouldSend(ctx context.Context, s *ledger.Step) (map[string]any, *fault.Fault) {
	var traits connector.Traits
	if p := f.performers[s.System]; p != nil {
		traits = p.f.Traits
	}
	t := &task{due: ledger.DueStep{Step: *s}}
	if failed, _ := f.request(ctx, traits, t); failed != nil {
		return nil, failed
	}
	return t.command.Request, nil
}

// amountsOf are the amounts that a step is about, in base units: the sums of the facts of
// the statements that it performs, of a correction what it changes.
func (f *Flow) amountsOf(ctx context.Context, s *ledger.Step) ([]event.Quantity, error) {
	statements := s.Members
	if len(statements) == 0 {
		statements = []string{s.Cause}
	}
	sums := map[[2]string]event.Quantity{} // by measure and unit
	for _, id := range statements {
		e, err := f.ledger.Event(ctx, id)
		if err != nil {
			return nil, err
		}
		facts, err := f.ledger.EventFacts(ctx, e.Plant, e.Position)
		if err != nil {
			return nil, err
		}
		for _, fact := range facts {
			key := [2]string{fact.Measure, fact.Base.Unit}
			sum := sums[key]
			sums[key] = event.Quantity{Value: sum.Value.Add(fact.Base.Value), Unit: fact.Base.Unit}
		}
	}
	var all []event.Quantity
	for _, q := range sums {
		if !q.Value.IsZero() {
			all = append(all, q)
		}
	}
	return all, nil
}

// sameAs tells whether data state a status, or one of the amounts whatever its sign.
func sameAs(wanted string, amounts []event.Quantity, data any) bool {
	switch v := data.(type) {
	case string:
		return wanted != "" && v == wanted
	case []any:
		return slices.ContainsFunc(v, func(item any) bool { return sameAs(wanted, amounts, item) })
	case map[string]any:
		if q, ok := baseOf(v); ok {
			return slices.ContainsFunc(amounts, func(a event.Quantity) bool {
				return a.Unit == q.Unit && (a.Value.Cmp(q.Value) == 0 || a.Value.Cmp(q.Value.Neg()) == 0)
			})
		}
		for _, item := range v {
			if sameAs(wanted, amounts, item) {
				return true
			}
		}
	}
	return false
}

// baseOf reads a quantity in base units; ok is false for what is none.
func baseOf(v map[string]any) (event.Quantity, bool) {
	unit, ok := v["unit"].(string)
	if !ok {
		return event.Quantity{}, false
	}
	text, ok := v["value"].(string)
	if number, is := v["value"].(json.Number); is {
		text, ok = number.String(), true
	}
	if !ok {
		return event.Quantity{}, false
	}
	q, err := event.NewQuantity(text, unit)
	if err != nil {
		return event.Quantity{}, false
	}
	if base, _, err := event.Base(q, nil, "", "", time.Time{}); err == nil {
		q = base
	}
	return q, true
}
