package ledger

import (
	"context"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// DueStep is a step whose turn it is.
type DueStep struct {
	Step
	Event Draft     // that caused it, without facts; its Key is "" where the step does not know the event's place
	Open  []Attempt // earlier attempts of which no end is known: ask before another goes out
	Due   time.Time
}

// dueQuery reads the steps of a plant for a system whose turn it is, those that wait
// longest first. The lanes are chosen before anything is joined: thousands may be due
// after an outage.
const dueQuery = "select " + stepColumns + `, l.due
	from (select head, due from lanes where plant = $1 and system = $2 and due <= $3 order by due limit $4) l
	join command_keys c on c.key = l.head join steps s on s.key = c.key and s.recorded = c.recorded order by l.due`

// Due are steps of a plant for a system whose turn it is, those that wait longest
// first. Stuck steps are not looked at: only the first step of a lane is due.
func (l *Ledger) Due(ctx context.Context, plant, system string, limit int) ([]DueStep, error) {
	var all []DueStep
	err := l.Read(ctx, func(ctx context.Context, r *Reader) error {
		at := map[string]int{}
		var keys []string
		err := r.Query(ctx, dueQuery, []any{plant, system, micros(l.cfg.Clock()), limit}, func(row Row) error {
			var due int64
			s, err := scanStep(row, &due)
			at[s.Key] = len(all)
			all, keys = append(all, DueStep{Step: s, Due: fromMicros(due)}), append(keys, s.Key)
			return err
		})
		if err != nil || len(all) == 0 {
			return err
		}
		if err := readCauses(ctx, r, keys, all, at); err != nil {
			return err
		}
		condition, arg := r.In("step", "$1", keys)
		return r.Query(ctx, "select "+attemptColumns+" from attempts where "+attemptOpen+" and "+condition+" order by step, number", []any{arg}, func(row Row) error {
			a, err := scanAttempt(row)
			if i, ok := at[a.Step]; ok {
				all[i].Open = append(all[i].Open, a)
			}
			return err
		})
	})
	return all, err
}

// readCauses reads the events that caused the due steps.
func readCauses(ctx context.Context, r *Reader, keys []string, steps []DueStep, at map[string]int) error {
	condition, arg := r.In("c.key", "$1", keys)
	query := "select " + eventColumns + ", s.key" + stepJoin + "join events e on e.plant = s.plant and e.position = s.position where " + condition
	return r.Query(ctx, query, []any{arg}, func(row Row) error {
		var key string
		d, err := scanEvent(row, &key)
		if i, ok := at[key]; ok && d.ID() == steps[i].Cause {
			steps[i].Event = d
		}
		return err
	})
}

const attemptColumns = "step, number, node, begun, send_before, ended, outcome, words"

// attemptOpen is the condition on attempts of which no end is known.
const attemptOpen = "outcome in ('', 'unknown', 'accepted')"

// NextDue is when the next step of a plant for a system is due; zero for never.
func (l *Ledger) NextDue(ctx context.Context, plant, system string) (time.Time, error) {
	next := int64(0)
	err := l.each(ctx, "select due from lanes where plant = $1 and system = $2 and due < $3 order by due limit 1", []any{plant, system, never},
		func(r Row) error { return r.Scan(&next) })
	return fromMicros(next), err
}

// Claim ends attempts of which nothing more is known, and puts others on record
// before anything of them leaves. Each answer says whether the attempt may go out:
// another node may have been faster.
func (l *Ledger) Claim(ctx context.Context, plant, node string, stops []Stop, begins []Begin) ([]Begun, error) {
	it := &item{turn: &turn{plant: plant, node: node, stops: stops, begins: begins}}
	if err := l.submit(ctx, l.single, []*item{it}); err != nil {
		return nil, err
	}
	return it.turn.begun, it.err
}

// Step reads one step by its key.
func (l *Ledger) Step(ctx context.Context, key string) (Step, error) {
	steps, err := l.steps(ctx, "where c.key = $1", key)
	if err == nil && len(steps) == 0 {
		return Step{}, fault.New("ledger.Step", fault.NotFound, "command", "no command %s is on record", key)
	}
	if err != nil {
		return Step{}, err
	}
	return steps[0], nil
}

// StepsByKeys are steps by their key. A key that is of no step is absent.
func (l *Ledger) StepsByKeys(ctx context.Context, keys []string) (map[string]Step, error) {
	all := make(map[string]Step, len(keys))
	steps, err := l.steps(ctx, "where "+l.store.dialect.isIn("c.key", "$1"), l.store.dialect.list(keys))
	for i := range steps {
		all[steps[i].Key] = steps[i]
	}
	return all, err
}

// InDoubt are the steps, of those with the keys, of which an attempt may have been done.
func (l *Ledger) InDoubt(ctx context.Context, keys []string) (map[string]bool, error) {
	doubtful := map[string]bool{}
	query := "select distinct step from attempts where outcome in ('', 'unknown') and " + l.store.dialect.isIn("step", "$1")
	err := l.each(ctx, query, []any{l.store.dialect.list(keys)}, func(r Row) error {
		var key string
		err := r.Scan(&key)
		doubtful[key] = true
		return err
	})
	return doubtful, err
}

// StepsOf are the steps of a transaction, in the order in which they were decided.
func (l *Ledger) StepsOf(ctx context.Context, transaction string) ([]Step, error) {
	return l.steps(ctx, "where c.transaction_id = $1 order by c.recorded", transaction)
}

// StepsBecauseOf are the steps that follow from a statement, alone or with others.
func (l *Ledger) StepsBecauseOf(ctx context.Context, statement string) ([]Step, error) {
	return l.steps(ctx, "where c.key in (select key from steps where cause = $1 union all select step from step_members where statement = $1) order by c.recorded", statement)
}

func (l *Ledger) steps(ctx context.Context, where string, args ...any) ([]Step, error) {
	var all []Step
	err := l.each(ctx, "select "+stepColumns+stepJoin+where, args, func(r Row) error {
		s, err := scanStep(r)
		all = append(all, s)
		return err
	})
	return all, err
}

// Attempts are the attempts at a step, oldest first.
func (l *Ledger) Attempts(ctx context.Context, step string) ([]Attempt, error) {
	var all []Attempt
	err := l.each(ctx, "select "+attemptColumns+" from attempts where step = $1 order by number", []any{step}, func(r Row) error {
		a, err := scanAttempt(r)
		all = append(all, a)
		return err
	})
	return all, err
}

// Documents are the numbers that a system gave to what it did for a step.
func (l *Ledger) Documents(ctx context.Context, step string) ([]StepDocument, error) {
	var all []StepDocument
	err := l.each(ctx, "select number, kind from documents where step = $1 order by recorded, number", []any{step}, func(r Row) error {
		var d StepDocument
		err := r.Scan(&d.Number, &d.Kind)
		all = append(all, d)
		return err
	})
	return all, err
}

// StepCount counts steps that are not at their end.
type StepCount struct {
	Plant, System string
	Status        StepStatus
	Open          int64
}

// CountSteps counts the steps that are not at their end, by plant, system and status.
func (l *Ledger) CountSteps(ctx context.Context) ([]StepCount, error) {
	var all []StepCount
	err := l.each(ctx, `select plant, system, status, count(*) from command_keys
		where status in ('waiting', 'due', 'sent', 'accepted', 'partly-applied', 'refused', 'held')
		group by plant, system, status order by plant, system, status`, nil, func(r Row) error {
		var c StepCount
		err := r.Scan(&c.Plant, &c.System, &c.Status, &c.Open)
		all = append(all, c)
		return err
	})
	return all, err
}

// StepTotal counts the steps with one status, those at their end too.
type StepTotal struct {
	Status StepStatus
	Steps  int64
	Oldest time.Time // when the first of them was decided
}

// StepTotals counts all steps by status. It walks the table, as Count does.
func (l *Ledger) StepTotals(ctx context.Context) ([]StepTotal, error) {
	var all []StepTotal
	err := l.readWithin(ctx, time.Minute, func(ctx context.Context, r *Reader) error {
		return r.Query(ctx, "select status, count(*), min(recorded) from command_keys group by status order by status", nil, func(row Row) error {
			var t StepTotal
			var oldest int64
			err := row.Scan(&t.Status, &t.Steps, &oldest)
			t.Oldest = fromMicros(oldest)
			all = append(all, t)
			return err
		})
	})
	return all, err
}

// StepsByKey are the steps of a system whose command key begins with some digits:
// a system may carry no more of it.
func (l *Ledger) StepsByKey(ctx context.Context, system, digits string) ([]Step, error) {
	return l.steps(ctx, "where c.key >= $1 and c.key < $2 and c.system = $3 limit 2", digits, digits+"g", system)
}

// StepsOfDocument are the steps for which a system gave the number; system "" asks
// for any.
func (l *Ledger) StepsOfDocument(ctx context.Context, system, number string) ([]Step, error) {
	return l.steps(ctx, "join documents d on d.step = c.key where d.number = $1 and ($2 = '' or d.system = $2) order by c.recorded", number, system)
}

// StoredTransaction is a transaction on record.
type StoredTransaction struct {
	Transaction
	Changed time.Time
}

// Expected are the expectations of a transaction that are open, the most urgent first.
func (l *Ledger) Expected(ctx context.Context, transaction string) ([]Expectation, error) {
	var all []Expectation
	err := l.each(ctx, "select name, cause, due from expectations where transaction_id = $1 and state = 'open' order by due, name", []any{transaction}, func(r Row) error {
		var e Expectation
		var due int64
		err := r.Scan(&e.Name, &e.Cause, &due)
		e.Due = fromMicros(due)
		all = append(all, e)
		return err
	})
	return all, err
}

// OpenTransactions are the ids of transactions of a plan that are not complete and whose
// steps another version than the one given decided, behind an id, in order. They come
// without state.
func (l *Ledger) OpenTransactions(ctx context.Context, plan, notVersion, after string, limit int) ([]StoredTransaction, error) {
	var all []StoredTransaction
	err := l.each(ctx, `select plan, object, plant, version, changed from transactions
		where plan = $1 and complete = 0 and version <> $2 and id > $3 order by id limit $4`, []any{plan, notVersion, after, limit}, func(r Row) error {
		var x StoredTransaction
		var changed int64
		err := r.Scan(&x.Plan, &x.Object, &x.Plant, &x.Version, &changed)
		x.Changed = fromMicros(changed)
		all = append(all, x)
		return err
	})
	return all, err
}

// TransactionsOf are the transactions about an object.
func (l *Ledger) TransactionsOf(ctx context.Context, object event.Ref) ([]StoredTransaction, error) {
	var all []StoredTransaction
	err := l.each(ctx, "select plan, object, plant, version, state, complete, changed from transactions where object = $1 order by plan", []any{string(object)}, func(r Row) error {
		var x StoredTransaction
		var complete, changed int64
		err := r.Scan(&x.Plan, &x.Object, &x.Plant, &x.Version, &x.State, &complete, &changed)
		x.Complete, x.Changed = complete == 1, fromMicros(changed)
		all = append(all, x)
		return err
	})
	return all, err
}

// InShadow are the ids of the transactions of plants that have steps for a system that are
// never performed, only compared with what happened: in order of id, behind one. No plants
// are all of them, "" is every system.
func (l *Ledger) InShadow(ctx context.Context, plants []string, system, after string, limit int) ([]string, error) {
	where, args := "", []any{after, system, limit}
	if len(plants) > 0 {
		args = append(args, l.store.dialect.list(plants))
		where = " and " + l.store.dialect.isIn("plant", "$4")
	}
	var all []string
	err := l.each(ctx, "select distinct transaction_id from command_keys where status = 'shadow' and transaction_id > $1 and ($2 = '' or system = $2)"+where+
		" order by transaction_id limit $3", args, func(r Row) error {
		var id string
		err := r.Scan(&id)
		all = append(all, id)
		return err
	})
	return all, err
}
