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
	plan    *transaction.Plan
	before  transaction.Instance // as the ledger has it
	now     transaction.Instance
	plant   string
	version string // of the plan that decides its steps
}

// follow adds what follows from the drafts and settlements to a decision.
func (d *decision) follow(drafts []ledger.Draft) (ledger.Following, error) {
	f := &follower{d: d, instances: map[string]*instance{}}
	for i := range d.e.Refolds {
		if err := f.refold(&d.e.Refolds[i]); err != nil {
			return ledger.Following{}, err
		}
	}
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
		if err := f.relate(&drafts[i]); err != nil {
			return ledger.Following{}, err
		}
		if err := f.note(&drafts[i], d.w.Last+int64(i)+1); err != nil {
			return ledger.Following{}, err
		}
	}
	return f.next()
}

// note tells the transactions of an event what happened. A correction that names or
// reaches an object no longer is a reversal to the transaction of that object.
func (f *follower) note(draft *ledger.Draft, position int64) error {
	before := f.d.w.Statements[draft.Key]
	for _, plan := range f.d.cat.PlansOn(draft.Type) {
		keys := keysOf(f.d.w, plan, draft.Type, draft.Refs)
		for _, k := range keysOf(f.d.w, plan, draft.Type, slices.Concat(draft.Refs, before.Refs)) {
			in, err := f.instance(plan, k.key, draft.Plant)
			if err != nil {
				return err
			}
			in.plant = draft.Plant
			h := f.d.happened(plan, k, draft, position)
			if !slices.ContainsFunc(keys, func(x reachedKey) bool { return x.key == k.key }) {
				h.Change = event.Reversal
			}
			in.now = plan.Note(in.now, h)
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
	if movedOn(s, &step) || s.Echo && !doubtful(&step) || f.d.w.Outrun(s) {
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
	if s.Split || splitsByItself(&in.now, s) {
		in.now = plan.Split(in.now, s.Step, s.Blamed)
	}
	if s.Outcome == ledger.AttemptRefused || s.Outcome == ledger.AttemptPartly {
		f.raise(&step, s)
	} else if step.Status.Stuck() {
		f.out.Resolved = append(f.out.Resolved, endOf(s))
	}
	return nil
}

// endOf is how the exceptions of a settled step end.
func endOf(s *ledger.Settlement) ledger.StepEnd {
	end := ledger.StepEnd{Step: s.Step, Resolution: string(s.Outcome)}
	if s.Outcome == ledger.AttemptWaived {
		end.Waived, end.Resolution = true, s.Words
	}
	if s.Split {
		end.Resolution = "taken apart"
	}
	return end
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
		f.out.Resolved = append(f.out.Resolved, endOf(s))
	}
}

func (f *follower) raise(step *ledger.Step, s *ledger.Settlement) {
	reason := s.Reason
	switch {
	case s.Outcome == ledger.AttemptPartly: // is neither done nor refused: a group of its own
		reason = fault.PartlyApplied
	case reason == nil:
		reason = fault.UnclassifiedRefusal
	}
	x := fault.New("flow.settle", reason, "", "%s", s.Words)
	f.out.Raised = append(f.out.Raised, *stepException(f.d.cat, step, x, nil, f.d.e.Groups))
}

// instance reads a transaction as the ledger has it, with where its steps stand.
func (f *follower) instance(plan *transaction.Plan, key event.Ref, plant string) (*instance, error) {
	id := transactionID(plan, key, plant)
	if in := f.instances[id]; in != nil {
		return in, nil
	}
	in := &instance{plan: plan, before: transaction.Instance{Key: key, Home: homeOf(plan, plant)}, version: f.d.cat.PlanDigest(plan.Name())}
	if known, ok := f.d.w.Transactions[id]; ok {
		if err := json.Unmarshal(known.State, &in.before); err != nil {
			return nil, fmt.Errorf("flow.follow: transaction %s cannot be read: %w", id, err)
		}
		in.plant, in.version = known.Plant, known.Version // until it is moved
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
			Plan: planOf(id), Object: in.now.Key, Plant: in.plant, Version: in.version, State: state, Complete: after.Complete,
			Expectations: f.expectations(id, in, &after), Windows: windows(in.before.Bundles, after.Bundles),
		})
		for _, s := range transaction.Changes(in.before, after) {
			f.step(id, in, &s)
		}
		f.settledSteps(id, in, after)
	}
	// What was refused and has no longer to be done, because a newer step took its place
	// at once, needs nobody.
	f.out.Raised = slices.DeleteFunc(f.out.Raised, func(x ledger.StepException) bool { return !f.stuck(x.Step) })
	return f.out, nil
}

// settledSteps moves the steps that the entry settles and that stand otherwise in the
// ledger alone: what a performer has held is due to its transaction all the while.
func (f *follower) settledSteps(id string, in *instance, after transaction.Instance) {
	for i := range f.out.Settled {
		key := f.out.Settled[i].Step
		if slices.ContainsFunc(f.out.Steps, func(s ledger.Step) bool { return s.Key == key }) {
			continue
		}
		if s, ok := after.Step(key); ok {
			f.step(id, in, &s)
		}
	}
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
func (f *follower) expectations(id string, in *instance, is *transaction.Instance) []ledger.Expectation {
	var all []ledger.Expectation
	was := &in.before
	before, after := was.Open, is.Open
	terms := func(e transaction.Expected) ledger.Terms {
		sla := expectationSLA(f.d.cat, id, e.Name, in.plant, e.Within)
		return termsOf(f.d.cat, &sla, in.plant)
	}
	for _, e := range after {
		if !slices.Contains(before, e) {
			all = append(all, ledger.Expectation{Name: e.Name, Cause: e.Since, Terms: terms(e)})
		}
	}
	for _, e := range before {
		if !slices.Contains(after, e) {
			all = append(all, ledger.Expectation{Name: e.Name, Cause: e.Since, Terms: terms(e), Met: true, How: met(was, is, e)})
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
		Cause: s.Cause, Basis: s.Basis, Amends: s.Amends, Wanted: s.Wanted, Posting: f.d.posting(in, s), Members: s.Statements(), Ordering: s.Ordering, Lanes: s.Lanes,
		Status: ledger.StepStatus(s.Status), Position: causePosition(in, s),
	}
	known, ok := f.d.w.Steps[s.Key]
	if ok && known.Status == step.Status {
		return
	}
	if !ok { // one that is known keeps its deadline
		sla := reactionSLA(f.d.cat, id, s.Reaction, plant)
		step.Terms = termsOf(f.d.cat, &sla, plant)
	}
	f.out.Steps = append(f.out.Steps, step)
	switch {
	case step.Status == ledger.StepHeld:
		f.hold(&step, s.Reason)
	case ok && known.Status.Stuck() && !f.ended(s.Key):
		f.out.Resolved = append(f.out.Resolved, ledger.StepEnd{Step: s.Key, Resolution: string(step.Status)})
	}
}

// posting is the day on which a step is posted: that which it was moved to, else that
// of its cause in the plant's time. A status has none.
func (d *decision) posting(in *instance, s *transaction.Step) string {
	if s.Posting != "" || s.Wanted != "" {
		return s.Posting
	}
	for i := range in.now.Events {
		if e := &in.now.Events[i]; e.ID == s.Cause {
			return dayAt(d.cat, s.Plant, e.Occurred)
		}
	}
	return ""
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
	f.out.Raised = append(f.out.Raised, *stepException(f.d.cat, step, x, nil, f.d.e.Groups))
}

// stepException is what stands in the way of a step, for the group that takes care of it.
func stepException(cat *catalog.Catalog, s *ledger.Step, x *fault.Fault, waits, materialGroups []string) *ledger.StepException {
	x.Ref = s.Object
	owner, terms := cared(cat, x.Reason, s.Plant, materialGroups)
	return &ledger.StepException{Step: s.Key, Fault: x, Owner: owner, Terms: terms, Waits: waits}
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
		Now: d.w.Now,
		Day: func(plant string, at time.Time) string { return dayAt(d.cat, plant, at) },
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
