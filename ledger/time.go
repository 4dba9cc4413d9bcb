package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// A TimerKind says what a timer is about.
type TimerKind string

// The kinds of timers.
const (
	StepTimer        TimerKind = "step"        // a step is to be settled
	ExpectationTimer TimerKind = "expectation" // what is expected is to come
	WindowTimer      TimerKind = "window"      // a bundle of events is closed
	CorrectionTimer  TimerKind = "correction"  // a source is to correct what it sent
)

// A Timer is a time at which something is due that has not come. It is a row that
// goes in the commit in which it comes, or in which it is on record that it did not:
// who finds one missing has nothing to do.
type Timer struct {
	Kind        TimerKind
	About       string // key of the command, of the expectation, of the window, or of the correction
	Transaction string
	Name        string // of the expectation, of the bundle, or of the message to be corrected
	Cause       string // statement after which something is expected
	Plant       string
	Due         time.Time
}

// Object is what the timer's transaction is about.
func (t *Timer) Object() event.Ref { return event.Ref(objectOf(t.Transaction)) }

func (t *Timer) id() string { return string(t.Kind) + " " + t.About }

// A Late is a timer whose time has passed, with what is raised because of it.
type Late struct {
	Timer
	Fault  *fault.Fault
	System string // whose correction it is
	Owner  string
	Terms  Terms // of the exception, from when it is raised
}

// A Window is the time of a bundle that a plan gathers.
type Window struct {
	Bundle string        `json:"bundle"`
	Plant  string        `json:"plant"`
	Within time.Duration `json:"-"` // from recording
	Over   bool          `json:"over"`
}

// A WindowEnd tells that the time of a bundle is over.
type WindowEnd struct{ Transaction, Bundle string }

// windowKey is what the timer of a window is about.
func windowKey(transaction, bundle string) string { return transaction + " " + bundle }

// ExpectationKey is the key of the exception about an expectation: 32 hex digits.
func ExpectationKey(transaction, name, cause string) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "expectation %d:%s %d:%s %d:%s", len(transaction), transaction, len(name), name, len(cause), cause))
	return hex.EncodeToString(sum[:16])
}

// ended tells whether the step has come to an end: nothing is awaited of it.
func (s StepStatus) ended() bool { return !s.queued() && !s.Stuck() && s != StepWaiting }

// Timers are those that are due, the earliest first. They are found by an index; what
// came in time left no row.
func (l *Ledger) Timers(ctx context.Context, limit int) ([]Timer, error) {
	var all []Timer
	err := l.each(ctx, "select "+timerColumns+" from timers where due <= $1 order by due limit $2", []any{micros(l.cfg.Clock()), limit}, func(r Row) error {
		t, err := scanTimer(r)
		all = append(all, t)
		return err
	})
	return all, err
}

// NextTimer is when the next timer is due; zero for never.
func (l *Ledger) NextTimer(ctx context.Context) (time.Time, error) {
	next := int64(0)
	err := l.each(ctx, "select due from timers order by due limit 1", nil, func(r Row) error { return r.Scan(&next) })
	return fromMicros(next), err
}

// Windows are the bundles of a transaction that are open until a time, the next first.
func (l *Ledger) Windows(ctx context.Context, transaction string) ([]Timer, error) {
	var all []Timer
	err := l.each(ctx, "select "+timerColumns+" from timers where transaction_id = $1 and kind = 'window' order by due, name", []any{transaction}, func(r Row) error {
		t, err := scanTimer(r)
		all = append(all, t)
		return err
	})
	return all, err
}

func (t *Timer) row() []any {
	return []any{string(t.Kind), t.About, t.Transaction, t.Name, t.Cause, t.Plant, micros(t.Due)}
}

// The condition that timers are of any kind that can be late, and of any kind at all: the
// key of a timer begins with its kind.
const (
	lateTimer = "kind in ('step', 'expectation', 'correction')"
	anyTimer  = "kind in ('step', 'expectation', 'correction', 'window')"
)

const timerColumns = "kind, about, transaction_id, name, cause, plant, due"

func scanTimer(r Row) (Timer, error) {
	var t Timer
	var due int64
	err := r.Scan(&t.Kind, &t.About, &t.Transaction, &t.Name, &t.Cause, &t.Plant, &due)
	t.Due = fromMicros(due)
	return t, err
}

// RaiseLate puts on record that something of a plant did not come in time. What came
// meanwhile, or what another node was faster with, raises nothing.
func (l *Ledger) RaiseLate(ctx context.Context, plant, node string, late []Late) error {
	it := &item{turn: &turn{plant: plant, node: node, late: late}}
	if err := l.submit(ctx, l.single, []*item{it}); err != nil {
		return err
	}
	return it.err
}

// awaited is what one commit writes about times.
type awaited struct {
	timers map[string]*Timer // that it sets, by id; nil: that it ends
	came   map[string]came   // what is awaited no longer, by the key of an exception about it
}

// came says how something came that was awaited, and who told it.
type came struct {
	feed      *feed
	principal string
	how       string
}

func newAwaited() awaited { return awaited{timers: map[string]*Timer{}, came: map[string]came{}} }

// set adds a timer, unless the commit has ended it already.
func (a *awaited) set(t Timer) {
	if known, ok := a.timers[t.id()]; !ok || known == nil {
		a.timers[t.id()] = &t
	}
}

// end takes a timer away.
func (a *awaited) end(kind TimerKind, about string) {
	a.timers[(&Timer{Kind: kind, About: about}).id()] = nil
}

// awaitStep sets or ends the timer of a step that was added or moved.
func (t *transaction) awaitStep(f *feed, principal string, before StepStatus, s *Step) {
	switch was, is := before == "" || before.ended(), s.Status.ended(); {
	case s.Deadline.IsZero() || was == is:
	case is:
		t.awaited.end(StepTimer, s.Key)
		t.endMoments(s.Key, 0)
		t.awaited.came[s.Key] = came{f, principal, string(s.Status)}
	default:
		delete(t.awaited.came, s.Key)
		t.awaited.set(Timer{Kind: StepTimer, About: s.Key, Transaction: s.Transaction, Plant: s.Plant, Due: s.Deadline})
	}
}

// awaitTransaction sets and ends the timers of what a transaction expects and gathers.
func (t *transaction) awaitTransaction(f *feed, principal string, x *Transaction) {
	for _, e := range x.Expectations {
		key := ExpectationKey(x.ID(), e.Name, e.Cause)
		if e.Met {
			t.awaited.end(ExpectationTimer, key)
			t.endMoments(key, 0)
			t.awaited.came[key] = came{f, principal, e.How}
			continue
		}
		delete(t.awaited.came, key)
		d := e.Terms.from(t.now)
		t.awaited.set(Timer{Kind: ExpectationTimer, About: key, Transaction: x.ID(), Name: e.Name, Cause: e.Cause, Plant: x.Plant, Due: d.Until})
		t.warnOf(key, Cause{Plant: x.Plant, About: aboutExpectation, Name: e.Name, Reason: fault.ExpectMissed.Code}, d)
	}
	for _, w := range x.Windows {
		key := windowKey(x.ID(), w.Bundle)
		if w.Over {
			t.awaited.end(WindowTimer, key)
			continue
		}
		t.awaited.set(Timer{Kind: WindowTimer, About: key, Transaction: x.ID(), Name: w.Bundle, Plant: w.Plant, Due: fromMicros(t.now + w.Within.Microseconds())})
	}
}

// loadTimers reads which of the timers of turns are still there.
func (t *transaction) loadTimers(ctx context.Context) error {
	var about []string
	for _, it := range t.batch.items {
		if it.turn != nil {
			for i := range it.turn.late {
				about = append(about, it.turn.late[i].About)
			}
		}
	}
	return t.in(ctx, "select "+timerColumns+" from timers where "+anyTimer+" and ", "about", about, func(r Row) error {
		timer, err := scanTimer(r)
		t.w.timers[timer.id()] = timer
		return err
	})
}

// raiseLate raises what a turn found late, as far as it still is.
func (t *transaction) raiseLate(f *feed, node string, x *Late) {
	timer, awaited := t.w.timers[x.id()]
	if _, touched := t.awaited.timers[x.id()]; !awaited || touched {
		return
	}
	t.awaited.end(timer.Kind, timer.About)
	about, system, name := aboutExpectation, x.System, x.Name
	if x.Kind == CorrectionTimer {
		t.edits.late = append(t.edits.late, x.About)
	}
	if x.Kind == StepTimer {
		s := t.w.Steps[x.About]
		about, system, name = aboutDeadline, s.System, s.Command
		t.noteStep(&s, 0, x.Fault)
	} else {
		t.noteExpectation(x)
	}
	at := f.tick(t.now)
	deadline := t.promise(x.About, 0, Cause{f.plant, system, about, name, x.Fault.Reason.Code}, x.Terms.from(at))
	t.raised[lateID(x.About)] = []any{
		x.About, int64(0), f.plant, system, name, DeskOpen, x.Fault.Reason.Code, string(x.Fault.Reason.Class), x.Fault.Field, string(x.Object()),
		x.Fault.Explanation(), x.Owner, at, deadline, int64(0), "", about,
	}
	t.addActAt(f, Act{Plant: f.plant, Principal: "hub@" + node, Act: "exception.raised", Subject: lateSubject(about, x.About), Detail: x.Fault.Reason.Code + ": " + x.Fault.Text()}, at)
}

// lateID is where the exception about something late stands among those of a commit.
func lateID(key string) string { return "late " + key }

// lateSubject is what the acts about something late name.
func lateSubject(about, key string) string {
	if about == aboutExpectation {
		return "expectation/" + key
	}
	return "command/" + key
}

// endLate ends the exceptions about what is awaited no longer: it came, though late.
func (t *transaction) endLate(ctx context.Context) error {
	about := map[string]string{} // of those that are open, by key
	err := t.in(ctx, "select message, about from exceptions where version = 0 and state = 'open' and about in ('deadline', 'expectation') and ", "message",
		sortedKeys(t.awaited.came), func(r Row) error {
			var key, is string
			err := r.Scan(&key, &is)
			about[key] = is
			return err
		})
	if err != nil {
		return err
	}
	for _, key := range sortedKeys(t.awaited.came) {
		row, fresh := t.raised[lateID(key)] // by a turn of this commit
		is, open := about[key]
		switch {
		case fresh:
			is, _ = row[exceptionAbout].(string)
		case !open:
			continue
		}
		c := t.awaited.came[key]
		resolution := "ended late: " + c.how
		at := t.addAct(c.feed, Act{Plant: c.feed.plant, Principal: c.principal, Act: "exception.resolved", Subject: lateSubject(is, key), Detail: resolution})
		if fresh {
			row[exceptionState], row[exceptionEnded], row[exceptionResolution] = DeskResolved, at, resolution
			t.countEnded(row, DeskResolved, c.principal, at)
			continue
		}
		if err := t.endException(ctx, DeskResolved, c.principal, "message = $4 and version = 0", DeskResolved, at, resolution, key); err != nil {
			return err
		}
	}
	return nil
}

// writeTimers gathers the rows of timers, and takes those away that ended.
func (t *transaction) writeTimers(ctx context.Context) error {
	ended := map[TimerKind][]string{}
	for _, id := range sortedKeys(t.awaited.timers) {
		kind, about, _ := strings.Cut(id, " ")
		if x := t.awaited.timers[id]; x != nil {
			t.add(timersTable, x.row())
		} else {
			ended[TimerKind(kind)] = append(ended[TimerKind(kind)], about)
		}
	}
	for _, kind := range sortedKeys(ended) {
		if err := t.exec(ctx, "delete from timers where kind = '"+string(kind)+"' and "+t.dialect.isIn("about", "$1"), t.dialect.list(ended[kind])); err != nil {
			return err
		}
	}
	return nil
}

// keepDue lets expectations that are open again be due when they first were.
func (t *transaction) keepDue(ctx context.Context) error {
	var about []string
	for _, x := range t.awaited.timers {
		if x != nil && x.Kind == ExpectationTimer {
			about = append(about, x.About)
		}
	}
	if len(about) == 0 {
		return nil
	}
	return t.exec(ctx, `update timers set due = (select e.due from expectations e where e.transaction_id = timers.transaction_id and e.name = timers.name and e.cause = timers.cause)
		where kind = 'expectation' and `+t.dialect.isIn("about", "$1"), t.dialect.list(about))
}

// await gives timers to steps and expectations that a hub before timers has put on
// record, and to those that one puts on record beside this one until it starts anew.
// Other nodes wait meanwhile: what one of them settles must not get a timer again.
func (l *Ledger) await(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("ledger.Open: timers: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // of what is committed there is nothing to roll back
	if l.store.dialect == postgres {
		if _, err := tx.ExecContext(ctx, "select 1 from feeds order by plant for update"); err != nil {
			return fmt.Errorf("ledger.Open: timers: %w", err)
		}
	}
	_, err = tx.ExecContext(ctx, `insert into timers (kind, about, transaction_id, name, cause, plant, due)
		select 'step', c.key, c.transaction_id, '', '', c.plant, s.deadline from command_keys c join steps s on s.key = c.key and s.recorded = c.recorded
		where c.status in ('waiting', 'due', 'sent', 'accepted', 'partly-applied', 'refused', 'held') and s.deadline > 0
		and not exists (select 1 from exceptions x where x.message = c.key and x.version = 0 and x.state = 'open')
		on conflict do nothing`)
	if err != nil {
		return fmt.Errorf("ledger.Open: timers of steps: %w", err)
	}
	if err := awaitExpectations(ctx, tx); err != nil {
		return fmt.Errorf("ledger.Open: timers of expectations: %w", err)
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("ledger.Open: timers: %w", err)
	}
	return nil
}

// awaitExpectations gives timers to open expectations that have none and are not late.
func awaitExpectations(ctx context.Context, tx *sql.Tx) error {
	rows, err := tx.QueryContext(ctx, `select e.transaction_id, e.name, e.cause, e.plant, e.due from expectations e
		left join timers t on t.transaction_id = e.transaction_id and t.kind = 'expectation' and t.name = e.name and t.cause = e.cause
		where e.state = 'open' and t.about is null`)
	if err != nil {
		return err
	}
	var missing []Timer
	err = scanAll(rows, func(r Row) error {
		t := Timer{Kind: ExpectationTimer}
		var due int64
		err := r.Scan(&t.Transaction, &t.Name, &t.Cause, &t.Plant, &due)
		t.About, t.Due = ExpectationKey(t.Transaction, t.Name, t.Cause), fromMicros(due)
		missing = append(missing, t)
		return err
	})
	for _, t := range missing {
		if err != nil {
			break
		}
		_, err = tx.ExecContext(ctx, `insert into timers (kind, about, transaction_id, name, cause, plant, due)
			select $1, $2, $3, $4, $5, $6, $7 where not exists (select 1 from exceptions x where x.message = $2 and x.version = 0 and x.state = 'open')
			on conflict do nothing`, string(t.Kind), t.About, t.Transaction, t.Name, t.Cause, t.Plant, micros(t.Due))
	}
	return err
}
