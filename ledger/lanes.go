package ledger

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// never is the due time of a lane whose first step must wait for another lane.
const never = int64(1) << 62

// lane is a row of lanes while a commit puts them in order.
type lane struct {
	name, system, plant, head string
	due                       int64
}

// queuedStep is a row of lane_steps.
type queuedStep struct {
	step, plant string
	width       int64
}

// moveLanes takes steps out of their lanes that are done, puts new ones in, and
// finds who is first now. The number of statements does not depend on how many
// steps stand in a lane.
func (t *transaction) moveLanes(ctx context.Context) error {
	leaving, entering, touched := t.laneChanges()
	if len(touched) == 0 && len(t.following.due) == 0 {
		return nil
	}
	if err := t.lockLanes(ctx, touched); err != nil {
		return err
	}
	if len(leaving) > 0 {
		if err := t.exec(ctx, "delete from lane_steps where "+t.dialect.isIn("step", "$1"), t.dialect.list(leaving)); err != nil {
			return err
		}
	}
	if err := t.insertAll(ctx, []*table{laneStepsTable}, map[*table][][]any{laneStepsTable: entering}); err != nil {
		return err
	}
	if err := t.keepFirst(ctx); err != nil {
		return err
	}
	before, err := t.lanesNow(ctx, touched)
	if err != nil {
		return err
	}
	after, err := t.lanesThen(ctx, touched, before)
	if err != nil {
		return err
	}
	return t.writeLanes(ctx, before, after)
}

// laneChanges are the steps that leave and enter, and the names of all lanes
// that this touches.
func (t *transaction) laneChanges() (leaving []string, entering [][]any, lanes []string) {
	for _, key := range sortedKeys(t.following.moved) {
		s := t.w.Steps[key]
		was, is := t.following.before[key].queued(), s.Status.queued()
		if was == is {
			switch _, ok := t.following.due[key]; {
			case !ok || !is:
			case t.begins(key) || t.returns(key): // who is first in them may be another now
				lanes = append(lanes, s.laneNames()...)
			default:
				lanes = append(lanes, s.laneNames()[0])
			}
			continue
		}
		names := s.laneNames()
		lanes = append(lanes, names...)
		if was {
			leaving = append(leaving, key)
			continue
		}
		for _, name := range names {
			entering = append(entering, []any{name, micros(s.Changed), key, s.Plant, int64(len(names)), s.Ordering})
		}
	}
	slices.Sort(lanes)
	return leaving, entering, slices.Compact(lanes)
}

// begins tells whether this commit lets a step go out of which no attempt was under way.
func (t *transaction) begins(step string) bool {
	return t.w.Steps[step].Status.InFlight() && !t.following.before[step].InFlight()
}

// returns tells whether this commit has a step wait for its turn again, because nothing of
// it went out.
func (t *transaction) returns(step string) bool {
	return t.w.Steps[step].Status == StepDue && t.following.before[step].InFlight()
}

// lockLanes makes commits of different plants wait for each other where they
// share a lane. Its locks are apart from those of lockKeys and taken after them.
func (t *transaction) lockLanes(ctx context.Context, lanes []string) error {
	if t.dialect != postgres || len(lanes) == 0 {
		return nil
	}
	locks := make([]int64, len(lanes))
	for i, name := range lanes {
		locks[i] = lockOf(name)
	}
	slices.Sort(locks)
	return t.exec(ctx, "select pg_advisory_xact_lock($2, k::integer) from unnest($1::bigint[]) as k", slices.Compact(locks), int64(laneLockSpace))
}

// laneLockSpace is "lane" in ASCII.
const laneLockSpace = 0x6c616e65

// keepFirst lets steps that this commit lets go out stand first in their lanes, whatever
// comes later, also where a commit of another plant put one before them after it was seen
// that they are first. One of which nothing went out stands again where its cause does. A
// step has the same ordering in all of its lanes, so that no two steps ever wait for each
// other in a circle.
func (t *transaction) keepFirst(ctx context.Context) error {
	var begun []string
	for _, key := range sortedKeys(t.following.moved) {
		switch {
		case t.begins(key):
			begun = append(begun, key)
		case t.returns(key):
			if err := t.exec(ctx, "update lane_steps set ordering = $1 where step = $2", t.w.Steps[key].Ordering, key); err != nil {
				return err
			}
		}
	}
	if len(begun) == 0 {
		return nil
	}
	return t.exec(ctx, "update lane_steps set ordering = '' where ordering <> '' and "+t.dialect.isIn("step", "$1"), t.dialect.list(begun))
}

// lanesNow reads the lanes as they stood.
func (t *transaction) lanesNow(ctx context.Context, names []string) (map[string]lane, error) {
	all := map[string]lane{}
	err := t.in(ctx, "select lane, system, plant, head, due from lanes where ", "lane", names, func(r Row) error {
		var x lane
		err := r.Scan(&x.name, &x.system, &x.plant, &x.head, &x.due)
		all[x.name] = x
		return err
	})
	return all, err
}

// lanesThen finds who is first in each lane, and which of the lanes is due: the
// first, by name, of the lanes of a step that is first in all of them.
func (t *transaction) lanesThen(ctx context.Context, names []string, before map[string]lane) (map[string]lane, error) {
	heads, err := t.laneHeads(ctx, names)
	if err != nil {
		return nil, err
	}
	others, err := t.otherLanes(ctx, heads, names)
	if err != nil {
		return nil, err
	}
	if len(others) > 0 {
		more, err := t.laneHeads(ctx, others)
		if err != nil {
			return nil, err
		}
		wide := map[string]bool{}
		for _, head := range heads {
			wide[head.step] = true
		}
		maps.DeleteFunc(more, func(_ string, head queuedStep) bool { return !wide[head.step] }) // nothing changes for those
		maps.Copy(heads, more)
		known, err := t.lanesNow(ctx, slices.Collect(maps.Keys(more)))
		if err != nil {
			return nil, err
		}
		maps.Copy(before, known)
	}
	return t.dueLanes(heads, before), nil
}

// dueLanes works out the rows of the lanes from who is first in each.
func (t *transaction) dueLanes(heads map[string]queuedStep, before map[string]lane) map[string]lane {
	first := map[string][]string{} // lanes that a step is first in, by step
	for _, name := range sortedKeys(heads) {
		first[heads[name].step] = append(first[heads[name].step], name)
	}
	after := map[string]lane{}
	for name, head := range heads {
		x := lane{name: name, system: systemOfLane(name), plant: head.plant, head: head.step, due: never}
		ready := int64(len(first[head.step])) == head.width && first[head.step][0] == name
		known := before[name]
		due, set := t.following.due[head.step]
		switch {
		case !ready:
		case set:
			x.due = due
		case known.head == head.step && known.due != never:
			x.due = known.due
		default:
			x.due = t.now
		}
		after[name] = x
	}
	return after
}

// laneHeads are the first steps of lanes; a lane without steps is absent.
func (t *transaction) laneHeads(ctx context.Context, names []string) (map[string]queuedStep, error) {
	heads := map[string]queuedStep{}
	if len(names) == 0 {
		return heads, nil
	}
	query := "select q.lane, q.step, q.plant, q.width from " + t.dialect.valuesOf("$1", "l") + ` join lane_steps q on q.lane = l.value
		and (q.ordering, q.place, q.step) = (select f.ordering, f.place, f.step from lane_steps f where f.lane = l.value order by f.ordering, f.place, f.step limit 1)`
	err := t.each(ctx, query, []any{t.dialect.list(names)}, func(r Row) error {
		var name string
		var q queuedStep
		err := r.Scan(&name, &q.step, &q.plant, &q.width)
		heads[name] = q
		return err
	})
	return heads, err
}

// otherLanes are the lanes, besides the named, of steps that stand in several and
// are first in one of the named.
func (t *transaction) otherLanes(ctx context.Context, heads map[string]queuedStep, names []string) ([]string, error) {
	var wide []string
	for _, q := range heads {
		if q.width > 1 {
			wide = append(wide, q.step)
		}
	}
	slices.Sort(wide)
	var others []string
	err := t.in(ctx, "select distinct lane from lane_steps where ", "step", slices.Compact(wide), func(r Row) error {
		var name string
		err := r.Scan(&name)
		if _, known := slices.BinarySearch(names, name); !known {
			others = append(others, name)
		}
		return err
	})
	slices.Sort(others)
	return others, err
}

// writeLanes writes the rows that are others now and removes lanes without steps.
func (t *transaction) writeLanes(ctx context.Context, before, after map[string]lane) error {
	var rows [][]any
	for _, name := range sortedKeys(after) {
		if x := after[name]; x != before[name] {
			if x.due <= t.now {
				t.batch.due = append(t.batch.due, x.system)
			}
			rows = append(rows, []any{x.name, x.system, x.plant, x.head, x.due})
		}
	}
	if err := t.insertAll(ctx, []*table{lanesTable}, map[*table][][]any{lanesTable: rows}); err != nil {
		return err
	}
	var empty []string
	for _, name := range sortedKeys(before) {
		if _, ok := after[name]; !ok {
			empty = append(empty, name)
		}
	}
	if len(empty) == 0 {
		return nil
	}
	return t.exec(ctx, "delete from lanes where "+t.dialect.isIn("lane", "$1"), t.dialect.list(empty))
}

func systemOfLane(name string) string {
	system, _, _ := strings.Cut(name, " ")
	return system
}
