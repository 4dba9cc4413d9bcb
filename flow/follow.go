package flow

import (
	"encoding/json"
	"fmt"
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

// concerns names the transactions that an event may move, for the ledger to load:
// those of the plans on its type, about the objects of the plan's kind that it
// refers to.
func concerns(cat *catalog.Catalog, d *ledger.Draft) []string {
	var all []string
	for _, plan := range cat.PlansOn(d.Type) {
		for _, key := range plan.KeysOf(d.Refs) {
			all = append(all, transactionID(plan, key, d.Plant))
		}
	}
	return all
}

// follower works out, inside the commit, what follows from one entry for other
// systems: it notes events and outcomes in their transactions and asks each for
// its next steps.
type follower struct {
	d         *decision
	instances map[string]*instance // by transaction id
	out       ledger.Following
}

// instance is one transaction while an entry is decided.
type instance struct {
	plan   *transaction.Plan
	before transaction.Instance // as the ledger has it
	now    transaction.Instance
	plant  string
}

// follow adds what follows from the drafts and settlements to a decision.
func (d *decision) follow(drafts []ledger.Draft) (ledger.Following, error) {
	f := &follower{d: d, instances: map[string]*instance{}}
	for i := range d.e.Settlements {
		if err := f.settle(&d.e.Settlements[i]); err != nil {
			return ledger.Following{}, err
		}
	}
	for _, w := range d.e.Windows {
		if err := f.end(w); err != nil {
			return ledger.Following{}, err
		}
	}
	for i := range drafts {
		if err := f.note(&drafts[i], d.w.Last+int64(i)+1); err != nil {
			return ledger.Following{}, err
		}
	}
	return f.next()
}

// note tells the transactions of an event what happened. A correction that names
// an object no longer is a reversal to the transaction of that object.
func (f *follower) note(draft *ledger.Draft, position int64) error {
	before := f.d.w.Statements[draft.Key]
	for _, plan := range f.d.cat.PlansOn(draft.Type) {
		keys := plan.KeysOf(draft.Refs)
		for _, key := range plan.KeysOf(slices.Concat(draft.Refs, before.Refs)) {
			in, err := f.instance(plan, key, draft.Plant)
			if err != nil {
				return err
			}
			change := draft.Change
			if !slices.Contains(keys, key) {
				change = event.Reversal
			}
			in.plant = draft.Plant
			in.now = plan.Note(in.now, transaction.Happened{
				Key: draft.Key, ID: event.StatementID(draft.Key, draft.Statement), Statement: draft.Statement, Type: draft.Type, Change: change,
				Plant: draft.Plant, Ordering: f.d.ordering(key, draft), Position: position, Refs: draft.Refs, Occurred: draft.Occurred.From.UTC(),
				Disputed: draft.Disputed,
			})
		}
	}
	return nil
}

// ordering is the place of an event among those of an object.
func (d *decision) ordering(key event.Ref, draft *ledger.Draft) string {
	if lifecycle := d.cat.Lifecycle(key.Kind()); lifecycle != nil {
		return Ordering(lifecycle, &draft.Event)
	}
	return draft.Order()
}

// settle tells a transaction what became of a step.
func (f *follower) settle(s *ledger.Settlement) error {
	step, ok := f.d.w.Steps[s.Step]
	if !ok {
		return fmt.Errorf("flow.settle: command %s is not on record", s.Step)
	}
	if s.From != "" && s.From != step.Status || s.Echo && !doubtful(&step) {
		return nil // it has moved on since, or is settled already
	}
	f.out.Settled = append(f.out.Settled, *s)
	plan, home, ok := planAndHome(f.d.cat, s.Transaction)
	if !ok {
		f.orphan(&step, s)
		return nil
	}
	in, err := f.instance(plan, step.Object, home)
	if err != nil {
		return err
	}
	in.plant = step.Plant
	result := transaction.Result{Status: statusOf(s.Outcome), Reason: s.Words}
	for _, doc := range s.Documents {
		result.Documents = append(result.Documents, doc.Number)
	}
	if s.Reason != nil {
		result.Reason = s.Reason.Code
	}
	in.now = plan.Settle(in.now, s.Step, result)
	if s.Outcome == ledger.AttemptRefused || s.Outcome == ledger.AttemptPartly {
		f.raise(&step, s)
	} else if step.Status.Stuck() {
		f.out.Resolved = append(f.out.Resolved, ledger.StepEnd{Step: s.Step, Resolution: string(s.Outcome)})
	}
	return nil
}

// doubtful tells whether an attempt at a step may have done something that is not
// known yet.
func doubtful(s *ledger.Step) bool {
	return s.Attempts > 0 && (s.Status == ledger.StepDue || s.Status.InFlight() || s.Status == ledger.StepHeld)
}

// orphan notes the end of a step whose plan is no longer in the catalog: nothing
// follows from it any more.
func (f *follower) orphan(step *ledger.Step, s *ledger.Settlement) {
	was := step.Status
	step.Status = ledger.StepStatus(statusOf(s.Outcome))
	f.out.Steps = append(f.out.Steps, *step)
	switch {
	case step.Status.Stuck():
		f.raise(step, s)
	case was.Stuck():
		f.out.Resolved = append(f.out.Resolved, ledger.StepEnd{Step: s.Step, Resolution: string(s.Outcome)})
	}
}

func (f *follower) raise(step *ledger.Step, s *ledger.Settlement) {
	reason := s.Reason
	if reason == nil {
		reason = fault.UnclassifiedRefusal
	}
	x := fault.New("flow.settle", reason, "", "%s", s.Words)
	f.out.Raised = append(f.out.Raised, *stepException(f.d.cat, step, x, nil))
}

// instance reads a transaction as the ledger has it, with where its steps stand.
func (f *follower) instance(plan *transaction.Plan, key event.Ref, plant string) (*instance, error) {
	id := transactionID(plan, key, plant)
	if in := f.instances[id]; in != nil {
		return in, nil
	}
	in := &instance{plan: plan, before: transaction.Instance{Key: key, Home: homeOf(plan, plant)}}
	if known, ok := f.d.w.Transactions[id]; ok {
		if err := json.Unmarshal(known.State, &in.before); err != nil {
			return nil, fmt.Errorf("flow.follow: transaction %s cannot be read: %w", id, err)
		}
		in.plant = known.Plant
	}
	in.now = in.before
	for i := range in.before.Steps {
		s := &in.before.Steps[i]
		known, ok := f.d.w.Steps[s.Key]
		if !ok || transaction.StepStatus(known.Status) == s.Status {
			continue
		}
		in.now = plan.Settle(in.now, s.Key, transaction.Result{Status: transaction.StepStatus(known.Status)})
	}
	f.instances[id] = in
	return in, nil
}

// next asks each transaction that was told something for its next steps.
func (f *follower) next() (ledger.Following, error) {
	for _, id := range slices.Sorted(maps.Keys(f.instances)) {
		in := f.instances[id]
		after := in.plan.Next(in.now, f.d.world(in))
		state, err := json.Marshal(after)
		if err != nil {
			return ledger.Following{}, fmt.Errorf("flow.follow: transaction %s: %w", id, err)
		}
		f.out.Transactions = append(f.out.Transactions, ledger.Transaction{
			Plan: planOf(id), Object: in.now.Key, Plant: in.plant, Version: f.d.cat.PlanDigest(in.plan.Name()), State: state, Complete: after.Complete,
			Expectations: expectations(&in.before, &after), Windows: windows(in.before.Bundles, after.Bundles),
		})
		for _, s := range transaction.Changes(in.before, after) {
			f.step(id, in, &s)
		}
	}
	// What was refused and has no longer to be done, because a newer step took its place
	// at once, needs nobody.
	f.out.Raised = slices.DeleteFunc(f.out.Raised, func(x ledger.StepException) bool { return !f.stuck(x.Step) })
	return f.out, nil
}

// stuck tells whether a step stands still as the entry leaves it.
func (f *follower) stuck(step string) bool {
	status := f.d.w.Steps[step].Status
	for i := range f.out.Steps {
		if f.out.Steps[i].Key == step {
			status = f.out.Steps[i].Status
		}
	}
	return status.Stuck()
}

// expectations are those that open, and those that are open no longer.
func expectations(was, is *transaction.Instance) []ledger.Expectation {
	var all []ledger.Expectation
	before, after := was.Open, is.Open
	for _, e := range after {
		if !slices.Contains(before, e) {
			all = append(all, ledger.Expectation{Name: e.Name, Cause: e.Since, Within: e.Within})
		}
	}
	for _, e := range before {
		if !slices.Contains(after, e) {
			all = append(all, ledger.Expectation{Name: e.Name, Cause: e.Since, Within: e.Within, Met: true, How: met(was, is, e)})
		}
	}
	return all
}

func (f *follower) step(id string, in *instance, s *transaction.Step) {
	plant := s.Plant
	if plant == "" {
		plant = in.plant
	}
	step := ledger.Step{
		Key: s.Key, Transaction: id, Object: in.now.Key, Plant: plant, Reaction: s.Reaction, Role: s.Role, System: s.System, Command: s.Command,
		Cause: s.Cause, Basis: s.Basis, Amends: s.Amends, Wanted: s.Wanted, Members: s.Statements(), Lanes: s.Lanes, Within: in.plan.Within(s.Reaction),
		Status: ledger.StepStatus(s.Status), Position: causePosition(in, s),
	}
	known, ok := f.d.w.Steps[s.Key]
	if ok && known.Status == step.Status {
		return
	}
	f.out.Steps = append(f.out.Steps, step)
	switch {
	case step.Status == ledger.StepHeld:
		f.hold(&step, s.Reason)
	case ok && known.Status.Stuck() && !f.ended(s.Key):
		f.out.Resolved = append(f.out.Resolved, ledger.StepEnd{Step: s.Key, Resolution: string(step.Status)})
	}
}

// causePosition is where the cause of a step stands in the feed of its plant; 0 where
// the transaction knows a later statement of it by now.
func causePosition(in *instance, s *transaction.Step) int64 {
	for i := range in.now.Events {
		if e := &in.now.Events[i]; e.ID == s.Cause {
			return e.Position
		}
	}
	return 0
}

// ended tells whether the exceptions of a step end by its settlement already.
func (f *follower) ended(step string) bool {
	return slices.ContainsFunc(f.out.Resolved, func(e ledger.StepEnd) bool { return e.Step == step })
}

// heldReasons are the reasons for what a plan holds.
var heldReasons = map[string]*fault.Reason{
	transaction.HeldRole:     fault.RoleUnresolved,
	transaction.HeldDisputed: fault.PolicyDisputes,
}

func (f *follower) hold(step *ledger.Step, why string) {
	reason := heldReasons[why]
	if reason == nil {
		reason = fault.StepHeld
	}
	x := fault.New("flow.follow", reason, "", "%s of %s: %s", step.Command, step.Reaction, why)
	f.out.Raised = append(f.out.Raised, *stepException(f.d.cat, step, x, nil))
}

// stepException is what stands in the way of a step, for the group that takes care of it.
func stepException(cat *catalog.Catalog, s *ledger.Step, x *fault.Fault, waits []string) *ledger.StepException {
	x.Ref = s.Object
	return &ledger.StepException{Step: s.Key, Fault: x, Owner: cat.Owner(x.Reason, s.Plant), Within: cat.Deadline(x.Reason), Waits: waits}
}

// world is what a plan is given besides its transaction.
func (d *decision) world(in *instance) transaction.World {
	o, ok := d.objects[in.now.Key]
	if !ok {
		o = d.w.Objects[in.now.Key]
	}
	return transaction.World{
		State:   stateOf(o.State),
		Resolve: func(role, plant string, at time.Time) (string, bool) { return d.cat.RoleSystem(role, plant, at) },
		Mode: func(reaction, plant string) transaction.Mode {
			return d.cat.ReactionMode(in.plan.Name(), reaction, plant)
		},
		Collect: func(reaction, plant string) (transaction.Collecting, bool) {
			return d.cat.Collecting(in.plan.Name(), reaction, plant)
		},
	}
}

// statusOf is the status that an outcome leads to.
func statusOf(o ledger.AttemptOutcome) transaction.StepStatus {
	switch o {
	case ledger.AttemptAccepted:
		return transaction.StepAccepted
	case ledger.AttemptApplied:
		return transaction.StepApplied
	case ledger.AttemptPartly:
		return transaction.StepPartlyApplied
	case ledger.AttemptRefused:
		return transaction.StepRefused
	case ledger.AttemptNotSent, ledger.AttemptAbsent:
		return transaction.StepDue
	case ledger.AttemptWaived:
		return transaction.StepWaived
	case ledger.AttemptOpen, ledger.AttemptUnknown:
	}
	return transaction.StepSent
}

// homeOf is the plant at which the transactions of a plan are decided; "" for a plan
// whose home is the centre.
func homeOf(plan *transaction.Plan, plant string) string {
	if plan.Definition().Home == transaction.AtPlant {
		return plant
	}
	return ""
}

// transactionID names a transaction. Those of a plan that is at home at plants are
// kept apart by plant: "quarantine@graz lot/M-100/4711".
func transactionID(plan *transaction.Plan, key event.Ref, plant string) string {
	name := plan.Name()
	if home := homeOf(plan, plant); home != "" {
		name += "@" + home
	}
	return ledger.TransactionID(name, key)
}

// planOf is the plan of a transaction with the plant that it is at home at, by the
// transaction's id.
func planOf(id string) string {
	plan, _, _ := strings.Cut(id, " ")
	return plan
}
