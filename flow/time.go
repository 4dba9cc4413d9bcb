package flow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/transaction"
)

// How a node looks at what is due at a time. A commit that sets a timer does not wake
// it: a second later is soon enough.
const (
	timeEvery = time.Second
	dueAtOnce = 256 // timers of a turn, at most
)

// windowMessage is the name of the messages that tell that the time of a bundle is over.
const windowMessage = "window"

// keepTime raises what is late and ends windows, until the context ends. Nothing in
// memory matters: what is due is found by its row, and the row goes in the commit that
// acts on it, so that of two nodes one acts.
func (f *Flow) keepTime(ctx context.Context) {
	tick := time.NewTicker(timeEvery)
	defer tick.Stop()
	for {
		for more := true; more && ctx.Err() == nil; {
			late, err := f.timeTurn(ctx)
			moments, failed := f.momentTurn(ctx)
			more = late || moments
			if err = errors.Join(err, failed); err != nil {
				if ctx.Err() == nil {
					f.log.WarnContext(ctx, "what is due cannot be looked at now; it is looked at later", slog.Any("error", err))
				}
				break
			}
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// timeTurn acts on timers that are due, and answers whether there may be more.
func (f *Flow) timeTurn(ctx context.Context) (more bool, err error) {
	timers, err := f.ledger.Timers(ctx, dueAtOnce)
	if err != nil || len(timers) == 0 {
		return false, err
	}
	late := map[string][]ledger.Late{} // by plant
	var ends []*ledger.Entry
	for i := range timers {
		t := &timers[i]
		if t.Kind == ledger.WindowTimer {
			e, err := f.windowEntry(t)
			if err != nil {
				return false, err
			}
			ends = append(ends, e)
			continue
		}
		x, err := f.late(ctx, t)
		if err != nil {
			return false, err
		}
		late[t.Plant] = append(late[t.Plant], x)
	}
	for _, plant := range slices.Sorted(maps.Keys(late)) {
		if err := f.ledger.RaiseLate(ctx, plant, f.node, late[plant]); err != nil {
			return false, fmt.Errorf("flow.time: %w", err)
		}
	}
	if _, err := f.ledger.RecordAll(ctx, ends); err != nil {
		return false, fmt.Errorf("flow.time: %w", err)
	}
	return len(timers) == dueAtOnce, nil
}

// momentTurn warns of what is to be put right soon and hands on what was not, and
// answers whether there may be more.
func (f *Flow) momentTurn(ctx context.Context) (more bool, err error) {
	due, err := f.ledger.MomentsDue(ctx, dueAtOnce)
	if err != nil || len(due) == 0 {
		return false, err
	}
	byPlant := map[string][]ledger.Moment{}
	for i := range due {
		byPlant[due[i].Plant] = append(byPlant[due[i].Plant], due[i])
	}
	for _, plant := range slices.Sorted(maps.Keys(byPlant)) {
		if err := f.ledger.PassMoments(ctx, plant, f.node, byPlant[plant]); err != nil {
			return false, fmt.Errorf("flow.time: %w", err)
		}
	}
	return len(due) == dueAtOnce, nil
}

// late is what is raised because of a timer.
func (f *Flow) late(ctx context.Context, t *ledger.Timer) (ledger.Late, error) {
	cat := f.Catalog()
	due := t.Due.Format(time.RFC3339)
	var x *fault.Fault
	system := ""
	var promised catalog.SLA // of the reaction or the expectation itself
	refs := func() []event.Ref { return []event.Ref{t.Object()} }
	switch t.Kind {
	case ledger.StepTimer:
		step, err := f.ledger.Step(ctx, t.About)
		if err != nil && !errors.Is(err, fault.NotFound) { // where it is gone verify tells so; here it must not stop the others
			return ledger.Late{}, fmt.Errorf("flow.time: %w", err)
		}
		promised, refs = reactionSLA(cat, t.Transaction, step.Reaction, t.Plant), refsOfStep(&step)
		x = fault.New("flow.time", fault.StepOverdue, "", "%s of %s was to be done until %s, and is %s", step.Command, step.Reaction, due, step.Status)
	case ledger.CorrectionTimer:
		asked, err := f.ledger.Correction(ctx, t.About)
		if err != nil && !errors.Is(err, fault.NotFound) {
			return ledger.Late{}, fmt.Errorf("flow.time: %w", err)
		}
		system = asked.System
		x = fault.New("flow.time", fault.CorrectionOverdue, "", "asked of %s until %s about message %s: %s", asked.AskedOf, due, asked.MessageID(), asked.What)
	default:
		promised = expectationSLA(cat, t.Transaction, t.Name, t.Plant, 0)
		x = fault.New("flow.time", fault.ExpectMissed, "", "%s was expected until %s, after event %s", t.Name, due, t.Cause)
	}
	x.Ref = t.Object()
	groups, err := f.materialGroups(ctx, t.Plant, refs)
	if err != nil {
		return ledger.Late{}, err
	}
	owner, terms := cared(cat, x.Reason, t.Plant, groups)
	return ledger.Late{Timer: *t, Fault: x, System: system, Owner: owner, Terms: lateTerms(cat, t, &promised, terms)}, nil
}

// windowEntry is the message that tells that the time of a bundle is over. It is an
// input, as an event or an outcome is: a plan knows no clock. It is the same whichever
// node tells it, so that it counts once.
func (f *Flow) windowEntry(t *ledger.Timer) (*ledger.Entry, error) {
	record := map[string]any{"transaction": t.Transaction, "bundle": t.Name, "due": t.Due.Format(time.RFC3339Nano)}
	e := newEntry(f.Catalog())
	m := &e.Message
	m.System, m.Name, m.ID = hubSystem, windowMessage, t.About
	m.Plant, m.ContentType, m.Channel, m.Principal, m.Received = t.Plant, "application/json", "time", "hub@"+f.node, f.ledger.Now()
	var err error
	if m.Body, err = event.Canonical(record); err != nil {
		return nil, fmt.Errorf("flow.time: %w", err)
	}
	if m.Digest, err = event.Digest(record); err != nil {
		return nil, fmt.Errorf("flow.time: %w", err)
	}
	e.Windows = []ledger.WindowEnd{{Transaction: t.Transaction, Bundle: t.Name}}
	return e, nil
}

// end tells a transaction that the time of a bundle is over. Where its plan is no
// longer in the catalog nothing follows.
func (f *follower) end(w ledger.WindowEnd) error {
	known, ok := f.d.w.Transactions[w.Transaction]
	if !ok {
		return fmt.Errorf("flow.end: transaction %s is not on record", w.Transaction)
	}
	plan, home, ok := planAndHome(f.d.cat, w.Transaction)
	if !ok {
		return nil
	}
	in, err := f.instance(plan, known.Object, home)
	if err != nil {
		return err
	}
	in.now = plan.Close(in.now, w.Bundle)
	return nil
}

// windows are the times of bundles that opened, and of those that are closed.
func windows(before, after []transaction.Bundle) []ledger.Window {
	var all []ledger.Window
	for i := range after {
		b := &after[i]
		was := i < len(before) // none is ever taken out
		switch {
		case b.Within == 0:
		case !was && !b.Closed:
			all = append(all, ledger.Window{Bundle: b.Key, Plant: b.Plant, Within: b.Within})
		case was && !before[i].Closed && b.Closed:
			all = append(all, ledger.Window{Bundle: b.Key, Plant: b.Plant, Over: true})
		}
	}
	return all
}

// met says how an expectation ended that is open no longer.
func met(before, after *transaction.Instance, e transaction.Expected) string {
	was := slices.IndexFunc(before.Events, func(n transaction.Noted) bool { return n.ID == e.Since })
	if was < 0 {
		return "what was expected is on record"
	}
	is := slices.IndexFunc(after.Events, func(n transaction.Noted) bool { return n.Key == before.Events[was].Key })
	switch {
	case is >= 0 && after.Events[is].Change == event.Reversal:
		return "the event is reversed"
	case is >= 0 && after.Events[is].ID != e.Since:
		return "the event was corrected"
	}
	return "what was expected is on record"
}

// planAndHome is the plan of a transaction, and the plant that it is at home at.
func planAndHome(cat *catalog.Catalog, id string) (plan *transaction.Plan, home string, ok bool) {
	name, home, _ := strings.Cut(planOf(id), "@")
	plan, ok = cat.Plan(name)
	return plan, home, ok
}
