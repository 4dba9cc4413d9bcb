package flow

import (
	"slices"

	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/transaction"
)

// reaches names the ways from an event to transactions through relations: from what it
// names, for types that are carried over; and along relations that it states itself,
// over which earlier events may be.
func reaches(cat *catalog.Catalog, d *ledger.Draft) []ledger.Reach {
	var ways []ledger.Reach
	for _, plan := range cat.PlansReached() {
		plan.ReachedFrom(d.Type, d.Refs, func(from event.Ref, by string) {
			ways = append(ways, ledger.Reach{From: from, Relation: by})
		})
		if d.Change == event.Reversal {
			continue
		}
		for _, r := range d.Relations {
			if types := plan.CarriedOver(r); len(types) > 0 {
				ways = append(ways, ledger.Reach{From: r.From, Relation: r.Kind, To: r.To, Types: types})
			}
		}
	}
	return ways
}

// A reachedKey is the key of a transaction that an event concerns; via is the object that
// the event names, where it reaches the key through a relation from there.
type reachedKey struct{ key, via event.Ref }

// keysOf are the keys of the transactions of a plan that an event with these refs
// concerns, each once: first those that it names.
func keysOf(w *ledger.Working, plan *transaction.Plan, eventType string, refs []event.Ref) []reachedKey {
	var keys []reachedKey
	for _, key := range plan.KeysOf(refs) {
		keys = append(keys, reachedKey{key: key})
	}
	plan.ReachedFrom(eventType, refs, func(from event.Ref, by string) {
		for _, key := range plan.KeysOf(w.Related(from, by)) {
			if !slices.ContainsFunc(keys, func(k reachedKey) bool { return k.key == key }) {
				keys = append(keys, reachedKey{key, from})
			}
		}
	})
	return keys
}

// concerns names the transactions that an event may move, for the ledger to load:
// those in which it is noted, and those of the objects that it relates to others.
func concerns(cat *catalog.Catalog, w *ledger.Working, d *ledger.Draft) []string {
	all := noting(cat, w, d)
	for _, plan := range cat.PlansReached() {
		for _, r := range d.Relations {
			if len(plan.CarriedOver(r)) == 0 {
				continue
			}
			for _, plant := range w.Plants(r) {
				all = append(all, transactionID(plan, r.To, plant))
			}
		}
	}
	return all
}

// noting names the transactions in which an event is noted: those of the plans on its
// type about the objects that it names or reaches.
func noting(cat *catalog.Catalog, w *ledger.Working, d *ledger.Draft) []string {
	var all []string
	for _, plan := range cat.PlansOn(d.Type) {
		for _, k := range keysOf(w, plan, d.Type, d.Refs) {
			all = append(all, transactionID(plan, k.key, d.Plant))
		}
	}
	return all
}

// relate tells the transactions of objects that an event relates to others what was
// reported about those before: a lot that is made later is under the holds on its batch.
func (f *follower) relate(draft *ledger.Draft) error {
	if draft.Change == event.Reversal {
		return nil
	}
	for _, plan := range f.d.cat.PlansReached() {
		for _, r := range draft.Relations {
			earlier := f.d.w.Earlier(r, plan.CarriedOver(r))
			for i := range earlier {
				e := &earlier[i]
				in, err := f.instance(plan, r.To, e.Plant)
				if err != nil {
					return err
				}
				in.plant = draft.Plant
				in.now = plan.Note(in.now, f.d.happened(plan, reachedKey{r.To, r.From}, e, e.Position))
			}
		}
	}
	return nil
}

// happened is an event as a plan sees it for one of its keys. Only a plan that is reached
// through relations works out by itself what is open: those events are in no fold.
func (d *decision) happened(plan *transaction.Plan, k reachedKey, draft *ledger.Draft, position int64) transaction.Happened {
	h := transaction.Happened{
		Key: draft.Key, ID: event.StatementID(draft.Key, draft.Statement), Statement: draft.Statement, Type: draft.Type, Change: draft.Change,
		Plant: draft.Plant, Ordering: d.ordering(k.key, draft), Position: position, Refs: draft.Refs, Occurred: draft.Occurred.From.UTC(),
		Disputed: draft.Disputed, Via: k.via,
	}
	if lifecycle := d.cat.Lifecycle(k.key.Kind()); lifecycle != nil && len(plan.Definition().Reached) > 0 {
		h.Moves = lifecycle.Moves(draft.Type, draft.Data)
	}
	return h
}
