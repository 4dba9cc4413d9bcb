package flow

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
)

// A Resolution is what a person decides about a step that does not go on by itself.
type Resolution struct {
	Command   string // key of the command
	By        ledger.Principal
	How       How
	Documents []string // with Done: the numbers that the system gave, where it gave any
	Blamed    []string // with Split: ids of the events that are to blame; none where nobody knows
	Why       string   // required for Done and Waive
}

// How says what is decided.
type How string

// What can be decided. Resume lets the plan decide anew from the state of now: the
// step goes out again, or is no longer wanted. Done and NotDone answer what nobody
// else can: whether an attempt without an answer was performed.
const (
	Resume  How = "resume"
	Done    How = "done"
	NotDone How = "not-done"
	Waive   How = "waive" // it is not performed any more
	Split   How = "split" // what performs several events is taken apart, so that one does not hold the others
)

// resolutionMessage is the name of the messages that keep what people decide.
const resolutionMessage = "resolution"

// Resolve puts on record what a person decides about a step, and what follows.
func (f *Flow) Resolve(ctx context.Context, r Resolution) error {
	if err := f.running(ctx); err != nil {
		return err
	}
	step, err := f.ledger.Step(ctx, r.Command)
	if err != nil {
		return err
	}
	outcome, err := f.decided(ctx, &step, &r)
	if err != nil {
		return err
	}
	e, err := f.resolutionEntry(ctx, &step, &r, outcome)
	if err != nil {
		return err
	}
	result, err := f.ledger.Record(ctx, e)
	if err != nil {
		return fmt.Errorf("flow.Resolve: command %s: %w", step.Key, err)
	}
	if result.Outcome == ledger.Duplicate { // it stands otherwise than it did when we looked
		return fault.New("flow.Resolve", fault.DecidedAlready, "command", "somebody else has just decided about command %s", step.Key)
	}
	return nil
}

// resolutionEntry puts a decision on record, as long as the step stands where it was
// looked at.
func (f *Flow) resolutionEntry(ctx context.Context, step *ledger.Step, r *Resolution, outcome ledger.AttemptOutcome) (*ledger.Entry, error) {
	a, err := f.resolution(step, r)
	if err != nil {
		return nil, err
	}
	e := newEntry(f.Catalog())
	e.Message = a.Message
	settlement := ledger.Settlement{Step: step.Key, Transaction: step.Transaction, System: step.System, Outcome: outcome, From: step.Status, Since: step.Changed, Words: r.Why, Split: r.How == Split, Blamed: r.Blamed}
	for _, number := range r.Documents {
		settlement.Documents = append(settlement.Documents, ledger.StepDocument{Number: number})
	}
	e.Settlements, e.Attempt = []ledger.Settlement{settlement}, attempts-1 // a person's word is taken as it is
	if e.Groups, err = f.materialGroups(ctx, step.Plant, refsOfStep(step)); err != nil {
		return nil, err
	}
	e.Undoes, err = f.echoes(ctx, step.Plant, &settlement)
	return e, err
}

// decided is what a resolution says of a step as it stands.
func (f *Flow) decided(ctx context.Context, step *ledger.Step, r *Resolution) (ledger.AttemptOutcome, error) {
	doubtful, err := f.ledger.InDoubt(ctx, []string{step.Key})
	if err != nil {
		return "", err
	}
	return r.outcome(step, doubtful[step.Key])
}

// outcome is what a resolution says of a step; doubtful tells that an attempt may
// have been done.
func (r *Resolution) outcome(step *ledger.Step, doubtful bool) (ledger.AttemptOutcome, error) {
	wrong := func(text string, args ...any) (ledger.AttemptOutcome, error) {
		return "", fault.New("flow.Resolve", fault.InvalidRequest, "command", text, args...)
	}
	switch {
	case !step.Status.Stuck():
		return "", fault.New("flow.Resolve", fault.DecidedAlready, "command", "command %s is %s: only what is held, refused or partly applied waits for a person", step.Key, step.Status)
	case strings.TrimSpace(r.Why) == "" && r.How != Resume && r.How != Split:
		return "", fault.New("flow.Resolve", fault.InvalidRequest, "why", "say why: it goes on record")
	case r.How == Resume && doubtful:
		return wrong("an attempt may have been done: find out at %s and answer done or not-done", step.System)
	case r.How == Split && (doubtful || step.Status == ledger.StepPartly):
		return wrong("some of it may have been done: only what certainly was not is taken apart")
	case r.How == Split && len(step.Members) < 2:
		return wrong("it performs one event: there is nothing to take apart")
	case (r.How == Done || r.How == NotDone) && !doubtful:
		return wrong("no attempt of it is in doubt: resume or waive it")
	case r.How != Done && len(r.Documents) > 0:
		return wrong("documents belong to done")
	case r.How != Split && len(r.Blamed) > 0:
		return wrong("who is to blame belongs to split")
	}
	if err := r.blames(step); err != nil {
		return "", err
	}
	switch r.How {
	case Resume, NotDone, Split:
		return ledger.AttemptAbsent, nil
	case Done:
		return ledger.AttemptApplied, nil
	case Waive:
		return ledger.AttemptWaived, nil
	}
	return wrong("%.40q is none of resume, done, not-done, waive, split", r.How)
}

// blames is a fault where an event is said to be to blame that the step does not perform.
func (r *Resolution) blames(step *ledger.Step) error {
	for _, id := range r.Blamed {
		if !slices.Contains(step.Members, id) {
			return fault.New("flow.Resolve", fault.InvalidRequest, "members", "command %s does not perform event %.80q: name some of %s", step.Key, id, strings.Join(step.Members, ", "))
		}
	}
	return nil
}

// resolution is the message that keeps what was decided, by whom and why.
func (f *Flow) resolution(step *ledger.Step, r *Resolution) (arrival, error) {
	documents := make([]any, len(r.Documents))
	for i, number := range r.Documents {
		documents[i] = number
	}
	record := map[string]any{"command": step.Key, "how": string(r.How), "why": r.Why, "by": r.By.Name, "documents": documents, "status": string(step.Status)}
	if len(r.Blamed) > 0 {
		blamed := make([]any, len(r.Blamed))
		for i, id := range r.Blamed {
			blamed[i] = id
		}
		record["members"] = blamed
	}
	a := arrival{record: record}
	a.System, a.Name = hubSystem, resolutionMessage
	a.ID = fmt.Sprintf("%s/%d", step.Key, step.Changed.UnixMicro()) // one for each time that it stands still
	a.Plant, a.ContentType, a.Channel, a.Principal, a.Received = step.Plant, "application/json", "resolution", r.By.Name, f.ledger.Now()
	var err error
	if a.Body, err = event.Canonical(record); err != nil {
		return a, fmt.Errorf("flow.Resolve: %w", err)
	}
	a.Digest, err = event.Digest(record)
	return a, err
}
