package ledger

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
	"strings"

	"github.com/gapless/gapless/event"
)

// touched is what a batch names, gathered before anything is read.
type touched struct {
	transactions []string // ids of those that may move
	changing     []string // event keys whose statement may be corrected or reversed; found by completeStatements
	messages     []string // message keys
	keys         []string // event keys
	folds        []string // refs whose state moves
	refs         []string // refs whose state is read or moves
	waits        []string
}

func (t *transaction) touches() touched {
	var s touched
	for _, it := range t.batch.items {
		if it.entry == nil {
			continue
		}
		e := it.entry
		s.messages = append(append(s.messages, it.key), e.Undoes...)
		s.waits = append(s.waits, e.Waits...)
		for _, ref := range e.Needs {
			s.refs = append(s.refs, string(ref))
		}
		for _, x := range e.Settlements {
			s.transactions = append(s.transactions, x.Transaction)
		}
		for _, w := range e.Windows {
			s.transactions = append(s.transactions, w.Transaction)
		}
		for _, x := range e.Refolds {
			s.transactions = append(s.transactions, x.Transaction)
		}
		for i := range e.Drafts {
			d := &e.Drafts[i]
			s.keys = append(s.keys, d.Key)
			s.waits = append(s.waits, d.After...)
			if d.Amends != "" {
				s.messages = append(s.messages, d.Amends)
			}
			for _, f := range d.Folds {
				s.folds = append(s.folds, string(f.Ref))
			}
		}
	}
	s.refs = append(s.refs, s.folds...)
	for _, list := range []*[]string{&s.messages, &s.keys, &s.folds, &s.refs, &s.waits} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return s
}

// load reads what the ledger knows of everything that the batch touches, in a
// handful of queries whatever the size of the batch.
func (t *transaction) load(ctx context.Context) (*Working, error) {
	s := t.touches()
	t.w = newWorking()
	t.w.Now = fromMicros(t.now)
	steps := []func(context.Context, *touched) error{
		t.loadReached, t.lockKeys, t.loadInbox, t.loadEdits, t.loadExceptions, t.loadVersions, t.loadStatements, t.completeStatements, t.loadReachedBefore, t.loadObjects, t.loadHistories, t.loadSatisfied, t.loadSightings, t.loadFollowing, t.loadBulk,
	}
	for _, step := range steps {
		if err := step(ctx, &s); err != nil {
			return nil, err
		}
	}
	return t.w, nil
}

// lockKeys makes commits of different plants on one PostgreSQL wait for each
// other where they touch the same object or wait, whether it exists already or
// not, so that no fold and no wake-up is lost. Keys share 4,096 locks, taken in
// order.
func (t *transaction) lockKeys(ctx context.Context, s *touched) error {
	if !t.locks() {
		return nil
	}
	var locks []int64
	for _, list := range [][]string{s.folds, s.waits, s.transactions} {
		for _, key := range list {
			locks = append(locks, lockOf(key))
		}
	}
	for _, it := range t.batch.items { // what may end a wait of another plant
		if it.turn != nil {
			for i := range it.turn.late {
				locks = append(locks, lockOf(it.turn.late[i].Transaction))
			}
		}
		if it.entry == nil {
			continue
		}
		for _, s := range it.entry.sights() {
			locks = append(locks, lockOf(s.wanted()))
		}
		for i := range it.entry.Drafts {
			for _, wanted := range it.entry.Drafts[i].ends() {
				locks = append(locks, lockOf(wanted))
			}
		}
	}
	if len(locks) == 0 {
		return nil
	}
	slices.Sort(locks)
	return t.exec(ctx, "select pg_advisory_xact_lock($2, k::integer) from unnest($1::bigint[]) as k", slices.Compact(locks), int64(lockSpace))
}

// lockSpace keeps our advisory locks apart from those of others: "gaps" in ASCII.
const lockSpace = 0x67617073

func lockOf(key string) int64 {
	h := fnv.New32a()
	_, _ = io.WriteString(h, key) // a hash never fails
	return int64(h.Sum32() % 4096)
}

// ends are the waits that a draft ends and that another plant may have: those for
// master data.
func (d *Draft) ends() []string {
	var all []string
	if d.Reference != nil {
		all = append(all, ReferenceWanted(d.Reference.Ref))
	}
	for _, x := range d.CrossReferences {
		all = append(all, CrossReferenceWanted(x.System, x.Kind, x.ID), IdentifierWanted(x.System, x.Ref))
	}
	return all
}

func (t *transaction) loadInbox(ctx context.Context, s *touched) error {
	return t.in(ctx, "select key, state, version, effective, digest, conflict, events, recorded from inbox where ", "key", s.messages, func(r Row) error {
		var (
			key, state, events string
			in                 Inbox
			recorded           int64
		)
		if err := r.Scan(&key, &state, &in.Version, &in.Effective, &in.Digest, &in.Conflict, &events, &recorded); err != nil {
			return err
		}
		in.events = strings.Fields(events)
		in.Held, in.Recorded = state == "held", fromMicros(recorded)
		t.w.Inbox[key] = in
		return nil
	})
}

// loadExceptions reads why messages of the batch are held, so that looking at
// one again and finding the same writes nothing.
func (t *transaction) loadExceptions(ctx context.Context, _ *touched) error {
	var held []string
	for key, in := range t.w.Inbox {
		if in.Held {
			held = append(held, key)
		}
	}
	slices.Sort(held)
	return t.in(ctx, "select message, version, state, reason, field, detail from exceptions where state in ('open', 'waived') and ", "message", held, func(r Row) error {
		var key, state, reason, field, detail string
		var version int
		if err := r.Scan(&key, &version, &state, &reason, &field, &detail); err != nil {
			return err
		}
		if in := t.w.Inbox[key]; in.Version == version {
			in.Exception, in.Waived = reason+"|"+field+"|"+detail, state == DeskWaived
			t.w.Inbox[key] = in
		}
		return nil
	})
}

// in runs a query whose condition is that a column is one of the values.
func (t *transaction) in(ctx context.Context, query, column string, values []string, scan func(Row) error) error {
	if len(values) == 0 {
		return nil
	}
	return t.each(ctx, query+t.dialect.isIn(column, "$1"), []any{t.dialect.list(values)}, scan)
}

// loadVersions reads the digests of all versions of messages that come with
// other content than the newest.
func (t *transaction) loadVersions(ctx context.Context, _ *touched) error {
	var changed []string
	for _, it := range t.batch.items {
		if it.entry == nil {
			continue
		}
		key := it.key
		if known, ok := t.w.Inbox[key]; ok && known.Digest != it.entry.Message.Digest {
			changed = append(changed, key)
		}
	}
	slices.Sort(changed)
	return t.in(ctx, "select key, version, digest from messages where ", "key", slices.Compact(changed), func(r Row) error {
		var key, digest string
		var version int
		if err := r.Scan(&key, &version, &digest); err != nil {
			return err
		}
		if t.w.Versions[key] == nil {
			t.w.Versions[key] = map[string]int{}
		}
		t.w.Versions[key][digest] = version
		return nil
	})
}

const versionColumns = "select key, statement, change, plant, position, recorded, message, digest from event_keys where "

// loadStatements reads the newest statement under every event key of the batch,
// and those that known messages made.
func (t *transaction) loadStatements(ctx context.Context, s *touched) error {
	scan := func(r Row) error {
		var st Statement
		var change string
		var recorded int64
		if err := r.Scan(&st.Key, &st.Statement, &change, &st.Plant, &st.Position, &recorded, &st.Message, &st.Digest); err != nil {
			return err
		}
		if _, seen := t.w.Statements[st.Key]; seen {
			return nil
		}
		st.Change, st.Recorded = event.Change(change), fromMicros(recorded)
		t.w.Statements[st.Key] = st
		t.w.ByMessage[st.Message] = append(t.w.ByMessage[st.Message], st.Key)
		return nil
	}
	keys := s.keys
	for _, message := range sortedKeys(t.w.Inbox) {
		keys = append(keys, t.w.Inbox[message].events...)
	}
	slices.Sort(keys)
	return t.in(ctx, versionColumns, "key", slices.Compact(keys), scan)
}

// completeStatements reads the whole event of those statements that the batch may
// correct or reverse: in a stream of new facts, none.
func (t *transaction) completeStatements(ctx context.Context, s *touched) error {
	s.changing = t.changing()
	for _, key := range s.changing {
		st := t.w.Statements[key]
		if err := t.completeStatement(ctx, &st); err != nil {
			return err
		}
		t.w.Statements[key] = st
	}
	return nil
}

// changing are the keys of the statements that any entry of the batch states with
// other content, amends or leaves out. One entry that repeats a statement does not
// excuse another that corrects it.
func (t *transaction) changing() []string {
	changing := map[string]bool{}
	for _, it := range t.batch.items {
		if it.entry == nil {
			continue
		}
		stated := map[string]bool{}
		for i := range it.entry.Drafts {
			d := &it.entry.Drafts[i]
			stated[d.Key] = true
			if known, ok := t.w.Statements[d.Key]; ok && known.Digest != d.Digest {
				changing[d.Key] = true
			}
			for _, key := range t.w.ByMessage[d.Amends] {
				changing[key] = true
			}
		}
		for _, key := range t.w.ByMessage[it.key] {
			if !stated[key] {
				changing[key] = true
			}
		}
		for _, message := range it.entry.Undoes {
			for _, key := range t.w.ByMessage[message] {
				changing[key] = true
			}
		}
	}
	return sortedKeys(changing)
}

func (t *transaction) completeStatement(ctx context.Context, st *Statement) error {
	err := t.each(ctx, "select "+eventColumns+" from events e where e.plant = $1 and e.position = $2 and e.recorded = $3",
		[]any{st.Plant, st.Position, micros(st.Recorded)}, func(r Row) error {
			d, err := scanEvent(r)
			if err != nil {
				return err
			}
			d.Digest = st.Digest
			st.Draft, st.loaded = d, true
			return nil
		})
	if err != nil {
		return err
	}
	if !st.loaded {
		return fmt.Errorf("ledger.load: event %s at %s/%d is not on record: run `gapless verify`", st.Key, st.Plant, st.Position)
	}
	if st.Facts, err = loadFacts(ctx, t.session, st.Plant, st.Position, micros(st.Recorded)); err != nil {
		return err
	}
	return t.loadMasterData(ctx, st)
}

// loadFacts reads the facts that stand by a statement: its own, not those that it
// took back.
func loadFacts(ctx context.Context, s *session, plant string, position, recorded int64) ([]event.Fact, error) {
	var facts []event.Fact
	err := s.each(ctx, "select "+factColumns+" from facts f where f.plant = $1 and f.position = $2 and f.recorded = $3 and f.sign = 1 order by f.n",
		[]any{plant, position, recorded}, func(r Row) error {
			f, err := scanFact(r)
			facts = append(facts, f)
			return err
		})
	return facts, err
}

// factColumns are those that a fact is read with.
const factColumns = "f.measure, f.material, f.lot, f.order_ref, f.operation, f.work_center, f.equipment, f.reason, f.value, f.unit, f.base_value, f.base_unit, f.factor"

// scanFact reads factColumns; before are targets for columns in front of them.
func scanFact(r Row, before ...any) (event.Fact, error) {
	var f event.Fact
	var value, base string
	err := r.Scan(append(before, &f.Measure, &f.Material, &f.Lot, &f.Order, &f.Operation, &f.WorkCenter, &f.Equipment, &f.Reason,
		&value, &f.Quantity.Unit, &base, &f.Base.Unit, &f.Factor)...)
	if err != nil {
		return f, err
	}
	if f.Quantity.Value, err = event.ParseDecimal(value); err != nil {
		return f, err
	}
	f.Base.Value, err = event.ParseDecimal(base)
	return f, err
}

// loadMasterData reads what a statement published, so that it can be withdrawn.
func (t *transaction) loadMasterData(ctx context.Context, st *Statement) error {
	err := t.each(ctx, "select ref, plant, valid_from, valid_to, body from reference where ref = $1 and event = $2 and withdrawn = 0",
		[]any{string(st.Subject), st.ID()}, func(r Row) error {
			ref, err := scanReference(r)
			st.Reference = &ref
			return err
		})
	if err != nil {
		return err
	}
	return t.each(ctx, "select system, kind, id, valid_from, valid_to, ref from cross_references where ref = $1 and event = $2 and withdrawn = 0",
		[]any{string(st.Subject), st.ID()}, func(r Row) error {
			x, err := scanCrossReference(r)
			st.CrossReferences = append(st.CrossReferences, x)
			return err
		})
}

func scanReference(r Row, more ...any) (Reference, error) {
	var ref Reference
	var from, to int64
	var body []byte
	if err := r.Scan(append([]any{&ref.Ref, &ref.Plant, &from, &to, &body}, more...)...); err != nil {
		return ref, err
	}
	ref.ValidFrom, ref.ValidTo = fromMicros(from), fromMicros(to)
	var err error
	ref.Body, err = decodeObject(body)
	return ref, err
}

func scanCrossReference(r Row, more ...any) (CrossReference, error) {
	var x CrossReference
	var from, to int64
	if err := r.Scan(append([]any{&x.System, &x.Kind, &x.ID, &from, &to, &x.Ref}, more...)...); err != nil {
		return x, err
	}
	x.ValidFrom, x.ValidTo = fromMicros(from), fromMicros(to)
	return x, nil
}

func (t *transaction) loadObjects(ctx context.Context, s *touched) error {
	return t.in(ctx, "select ref, state, ordering, plant, position, recorded from objects where ", "ref", s.refs, func(r Row) error {
		var (
			ref      event.Ref
			o        Object
			state    []byte
			recorded int64
			err      error
		)
		if err := r.Scan(&ref, &state, &o.Ordering, &o.Plant, &o.Position, &recorded); err != nil {
			return err
		}
		if o.State, err = decodeObject(state); err != nil {
			return fmt.Errorf("object %s: %w", ref, err)
		}
		o.Recorded = fromMicros(recorded)
		t.w.Objects[ref] = o
		return nil
	})
}

// loadHistories reads the folds of those objects that an entry of the batch
// touches out of order, or by correcting or reversing.
func (t *transaction) loadHistories(ctx context.Context, _ *touched) error {
	var refold []string
	for _, it := range t.batch.items {
		if it.entry == nil {
			continue
		}
		for i := range it.entry.Drafts {
			d := &it.entry.Drafts[i]
			before, restated := t.w.Statements[d.Key]
			for _, f := range before.Folds { // it may leave them
				refold = append(refold, string(f.Ref))
			}
			for _, f := range d.Folds {
				if o, ok := t.w.Objects[f.Ref]; ok && (restated || d.Amends != "" || f.Ordering < o.Ordering) {
					refold = append(refold, string(f.Ref))
				}
			}
		}
		for _, key := range t.w.ByMessage[it.key] { // slots that are gone are reversed
			for _, f := range t.w.Statements[key].Folds {
				refold = append(refold, string(f.Ref))
			}
		}
		for _, message := range it.entry.Undoes {
			for _, key := range t.w.ByMessage[message] {
				for _, f := range t.w.Statements[key].Folds {
					refold = append(refold, string(f.Ref))
				}
			}
		}
		for i := range it.entry.Drafts {
			for _, key := range t.w.ByMessage[it.entry.Drafts[i].Amends] {
				for _, f := range t.w.Statements[key].Folds {
					refold = append(refold, string(f.Ref))
				}
			}
		}
	}
	slices.Sort(refold)
	for _, ref := range slices.Compact(refold) {
		if err := t.loadHistory(ctx, event.Ref(ref)); err != nil {
			return err
		}
	}
	return nil
}

func (t *transaction) loadHistory(ctx context.Context, ref event.Ref) error {
	o := t.w.Objects[ref]
	o.Complete = true
	err := t.each(ctx, historyQuery, []any{string(ref)}, func(r Row) error {
		h, err := scanFolded(r)
		o.History = append(o.History, h)
		return err
	})
	t.w.Objects[ref] = o
	return err
}

// historyQuery reads the events in effect that count for an object's state.
const historyQuery = "select " + historyColumns + historyJoins + " where o.ref = $1 and o.folds = 1 order by e.recorded, e.position"

const historyColumns = "k.key, k.statement, e.type, e.occurred_from, e.sequence, e.position, e.data"

const historyJoins = ` from object_events o
	join events e on e.plant = o.plant and e.position = o.position and e.recorded = o.recorded
	join event_keys k on k.key = e.key and k.plant = e.plant and k.position = e.position and k.change <> 'reversal'`

// scanFolded reads one event of a history; more are targets for columns behind
// historyColumns.
func scanFolded(r Row, more ...any) (Folded, error) {
	var (
		h         Folded
		statement int
		from      int64
		data      []byte
		err       error
	)
	if err := r.Scan(append([]any{&h.Key, &statement, &h.Type, &from, &h.Sequence, &h.Position, &data}, more...)...); err != nil {
		return h, err
	}
	h.ID, h.Occurred = event.StatementID(h.Key, statement), fromMicros(from)
	h.Data, err = decodeObject(data)
	return h, err
}

// loadSatisfied tells for each wait whether what it wants is on record already.
func (t *transaction) loadSatisfied(ctx context.Context, s *touched) error {
	for _, wanted := range s.waits {
		satisfied, err := t.satisfied(ctx, wanted)
		if err != nil {
			return err
		}
		t.w.Satisfied[wanted] = satisfied
	}
	return nil
}

func (s *session) satisfied(ctx context.Context, wanted string) (found bool, err error) {
	kind, rest, _ := strings.Cut(wanted, ":")
	var query string
	args := []any{rest}
	switch kind {
	case "reference":
		query = "select 1 from reference where ref = $1 and withdrawn = 0 limit 1"
	case "message":
		query = "select 1 from inbox where key = $1 and state = 'recorded'"
	case "cross-reference":
		part := strings.SplitN(rest, "/", 3)
		query, args = "select 1 from cross_references where system = $1 and kind = $2 and id = $3 and withdrawn = 0 limit 1", []any{part[0], part[1], part[2]}
	case "identifier":
		system, ref, _ := strings.Cut(rest, "/")
		query, args = "select 1 from cross_references where ref = $1 and system = $2 and withdrawn = 0 limit 1", []any{ref, system}
	case "event":
		typ, ref, _ := strings.Cut(rest, ":")
		query, args = "select 1 from object_events where ref = $1 and type = $2 limit 1", []any{ref, typ}
	default:
		return false, fmt.Errorf("ledger.load: %q is no wait", wanted)
	}
	err = s.each(ctx, query, args, func(Row) error { found = true; return nil })
	return found, err
}

// decodeObject reads a JSON object with exact numbers.
func decodeObject(b []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	var v map[string]any
	err := d.Decode(&v)
	return v, err
}
