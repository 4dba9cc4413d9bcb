package ledger

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gapless/gapless/event"
)

// A Reach is a way from an event to transactions of objects that it does not name.
type Reach struct {
	// From is an object that the event names, and Relation the kind of relation that
	// leads from there to others.
	From     event.Ref
	Relation string
	// To is set where the event states such a relation itself: then earlier events about
	// From, of the Types, concern To as well, if the relation is new.
	To    event.Ref
	Types []string
}

func (r *Reach) relation() event.Relation {
	return event.Relation{Kind: r.Relation, From: r.From, To: r.To}
}

// reached is what a Working knows of relations.
type reached struct {
	related map[from][]event.Ref    // where relations lead to, by where they lead from; absent: not asked for
	about   map[event.Ref][]Draft   // the statements in effect about objects, of the types that are carried over; absent: not asked for
	known   map[event.Relation]bool // relations that were on record before the batch
	plants  []string                // of the entries of the batch
}

type from struct {
	ref      event.Ref
	relation string
}

func newReached() reached {
	return reached{related: map[from][]event.Ref{}, about: map[event.Ref][]Draft{}, known: map[event.Relation]bool{}}
}

// Related are the objects that relations of a kind lead to from an object, in the order
// of their refs as far as they were on record before the batch.
func (w *Working) Related(ref event.Ref, relation string) []event.Ref {
	return w.reached.related[from{ref, relation}]
}

// Earlier are the events that a relation carries over to the object that it leads to:
// those in effect about where it leads from, of the types. A relation that was on record
// before the batch carries over nothing more.
func (w *Working) Earlier(r event.Relation, types []string) []Draft {
	if w.reached.known[r] {
		return nil
	}
	return w.About(r.From, types)
}

// About are the events in effect about an object, of the types, as far as a new relation
// carries them over or a Refold asks for them, in the order in which they were recorded.
func (w *Working) About(ref event.Ref, types []string) []Draft {
	var all []Draft
	for _, d := range w.reached.about[ref] {
		if slices.Contains(types, d.Type) {
			all = append(all, d)
		}
	}
	return all
}

// Plants are those of the entries of the batch, and of the events that relations of the
// batch carry over: where those may be noted that reach an object in this batch.
func (w *Working) Plants(r event.Relation) []string {
	plants := slices.Clone(w.reached.plants)
	for _, d := range w.reached.about[r.From] {
		plants = append(plants, d.Plant)
	}
	slices.Sort(plants)
	return slices.Compact(plants)
}

// note keeps what is known true when an event is recorded.
func (r *reached) note(d *Draft) {
	for _, ref := range d.Refs {
		drafts, asked := r.about[ref]
		if !asked {
			continue
		}
		drafts = slices.DeleteFunc(slices.Clone(drafts), func(o Draft) bool { return o.Key == d.Key })
		if d.Change != event.Reversal {
			drafts = append(drafts, *d)
		}
		r.about[ref] = drafts
	}
	if d.Change == event.Reversal {
		return
	}
	for _, x := range d.Relations {
		k := from{x.From, x.Kind}
		if refs, asked := r.related[k]; asked && !slices.Contains(refs, x.To) {
			r.related[k] = append(slices.Clip(refs), x.To)
		}
	}
}

// loadReached finds the transactions that the entries of the batch concern: those of the
// objects that their events name, and those that they reach through relations. Where no
// plan is reached so, it asks the database for nothing.
func (t *transaction) loadReached(ctx context.Context, s *touched) error {
	var drafts []*Draft
	refs, types := map[event.Ref]bool{}, map[string]bool{}
	for _, it := range t.batch.items {
		if it.entry == nil {
			continue
		}
		for i := range it.entry.Drafts {
			drafts = append(drafts, &it.entry.Drafts[i])
		}
		for _, x := range it.entry.Refolds {
			refs[event.Ref(objectOf(x.Transaction))] = true
			for _, typ := range x.Types {
				types[typ] = true
			}
		}
	}
	return t.concern(ctx, s, drafts, refs, types)
}

// loadReachedBefore finds those that the statements concerned which the batch may correct
// or reverse. They are known only when other locks are taken: should two commits wait for
// each other in a circle, PostgreSQL ends one of them, and it is tried again.
func (t *transaction) loadReachedBefore(ctx context.Context, s *touched) error {
	var drafts []*Draft
	for _, key := range s.changing {
		before := t.w.Statements[key]
		drafts = append(drafts, &before.Draft)
	}
	return t.concern(ctx, s, drafts, map[event.Ref]bool{}, map[string]bool{})
}

// concern finds the transactions of events. The refs are those about which events of the
// types are read, besides those that new relations ask for.
func (t *transaction) concern(ctx context.Context, s *touched, drafts []*Draft, refs map[event.Ref]bool, types map[string]bool) error {
	var ways []Reach
	for _, d := range drafts {
		ways = append(ways, t.ledger.cfg.Reaches(d)...)
	}
	if len(ways) > 0 {
		t.w.reached.plants = sortedKeys(t.feeds)
		if err := t.loadWays(ctx, ways, refs, types); err != nil {
			return err
		}
	}
	if err := t.loadAbout(ctx, refs, sortedKeys(types)); err != nil {
		return err
	}
	for _, d := range drafts {
		s.transactions = append(s.transactions, t.ledger.cfg.Concerns(t.w, d)...)
	}
	for _, id := range s.transactions {
		s.refs = append(s.refs, objectOf(id))
	}
	for _, list := range []*[]string{&s.transactions, &s.refs} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return nil
}

// loadWays reads what is related to where the ways come from. Of relations that are new
// it adds where they lead from to refs, and what they carry over to types.
func (t *transaction) loadWays(ctx context.Context, ways []Reach, refs map[event.Ref]bool, types map[string]bool) error {
	if err := t.lockWays(ctx, ways); err != nil {
		return err
	}
	var stated []event.Relation
	asked := map[from]bool{}
	for i := range ways {
		w := &ways[i]
		if w.To == "" {
			k := from{w.From, w.Relation}
			if _, known := t.w.reached.related[k]; !known {
				asked[k] = true
			}
			continue
		}
		if !slices.Contains(stated, w.relation()) {
			stated = append(stated, w.relation())
		}
		for _, typ := range w.Types {
			types[typ] = true
		}
	}
	if err := t.w.reached.loadRelated(ctx, t.dialect, asked, t.each); err != nil {
		return err
	}
	for chunk := range slices.Chunk(stated, 64) {
		if err := t.loadKnown(ctx, chunk); err != nil {
			return err
		}
	}
	for _, x := range stated {
		refs[x.From] = refs[x.From] || !t.w.reached.known[x]
	}
	return nil
}

// lockWays makes commits of different plants on one PostgreSQL wait for each other where
// one reports about an object and the other relates one to it, so that none misses what
// the other records. Its locks are apart from those of lockKeys and taken before them,
// but for what a correction takes back.
func (t *transaction) lockWays(ctx context.Context, ways []Reach) error {
	if !t.locks() {
		return nil
	}
	locks := make([]int64, len(ways))
	for i := range ways {
		locks[i] = lockOf(string(ways[i].From))
	}
	slices.Sort(locks)
	return t.exec(ctx, "select pg_advisory_xact_lock($2, k::integer) from unnest($1::bigint[]) as k", slices.Compact(locks), int64(wayLockSpace))
}

// wayLockSpace is "ways" in ASCII.
const wayLockSpace = 0x77617973

// inEffect joins a relation to the statement that makes it, where that stands.
const inEffect = "join event_keys k on k.key = r.key and k.plant = r.plant and k.position = r.position and k.change <> 'reversal'"

// loadRelated reads where relations lead to from all that is asked for.
func (r *reached) loadRelated(ctx context.Context, d dialect, asked map[from]bool, each func(context.Context, string, []any, func(Row) error) error) error {
	var refs, kinds []string
	for k := range asked {
		r.related[k] = nil
		refs, kinds = append(refs, string(k.ref)), append(kinds, k.relation)
	}
	if len(refs) == 0 {
		return nil
	}
	slices.Sort(refs)
	slices.Sort(kinds)
	query := "select distinct r.from_ref, r.kind, r.to_ref from relations r " + inEffect + " where " + d.isIn("r.from_ref", "$1") + " and " + d.isIn("r.kind", "$2") +
		" order by r.from_ref, r.kind, r.to_ref"
	return each(ctx, query, []any{d.list(slices.Compact(refs)), d.list(slices.Compact(kinds))}, func(row Row) error {
		var k from
		var to event.Ref
		err := row.Scan(&k.ref, &k.relation, &to)
		if asked[k] {
			r.related[k] = append(r.related[k], to)
		}
		return err
	})
}

// loadKnown tells which relations are on record and in effect.
func (t *transaction) loadKnown(ctx context.Context, stated []event.Relation) error {
	questions, args := make([]string, len(stated)), make([]any, 0, 3*len(stated))
	for i, x := range stated {
		n := 3 * i
		questions[i] = fmt.Sprintf("select %d where exists (select 1 from relations r %s where r.from_ref = $%d and r.kind = $%d and r.to_ref = $%d)", i, inEffect, n+1, n+2, n+3)
		args = append(args, string(x.From), x.Kind, string(x.To))
	}
	if len(questions) == 0 {
		return nil
	}
	return t.each(ctx, strings.Join(questions, " union all "), args, func(r Row) error {
		var i int
		err := r.Scan(&i)
		t.w.reached.known[stated[i]] = true
		return err
	})
}

// loadAbout reads the events in effect about objects.
func (t *transaction) loadAbout(ctx context.Context, about map[event.Ref]bool, types []string) error {
	var refs []string
	for _, ref := range sortedKeys(about) {
		if _, asked := t.w.reached.about[ref]; about[ref] && !asked {
			t.w.reached.about[ref] = nil
			refs = append(refs, string(ref))
		}
	}
	if len(refs) == 0 {
		return nil
	}
	query := "select " + eventColumns + ", o.ref from object_events o join events e on e.plant = o.plant and e.position = o.position and e.recorded = o.recorded " +
		"join event_keys k on k.key = e.key and k.plant = e.plant and k.position = e.position and k.change <> 'reversal' where " +
		t.dialect.isIn("o.ref", "$1") + " and " + t.dialect.isIn("o.type", "$2") + " order by e.recorded, e.plant, e.position"
	return t.each(ctx, query, []any{t.dialect.list(refs), t.dialect.list(types)}, func(r Row) error {
		var ref event.Ref
		d, err := scanEvent(r, &ref)
		t.w.reached.about[ref] = append(t.w.reached.about[ref], d)
		return err
	})
}
