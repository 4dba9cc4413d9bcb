package ledger

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// Bulk is bulk work: one decision about many exceptions of a cause. Its members are
// fixed when it begins, and each is told of: what became of it goes on record in the
// commit that does it, so that none is done twice, whatever befalls the program.
type Bulk struct {
	ID       string
	Plant    string
	What     string // "resume", "replay"
	Cause    string // the group, as Cause.String names it
	State    string // running, paused, cancelled, done
	Members  int64
	By       string
	Why      string
	Created  time.Time
	Changed  time.Time
	Outcomes map[BulkOutcome]int64 // of members that had their turn
}

// Left is how many members have not had their turn.
func (b *Bulk) Left() int64 {
	left := b.Members
	for _, n := range b.Outcomes {
		left -= n
	}
	return left
}

// The states of bulk work.
const (
	BulkRunning   = "running"
	BulkPaused    = "paused"
	BulkCancelled = "cancelled"
	BulkDone      = "done"
)

// BulkOutcome says what became of a member.
type BulkOutcome string

// The outcomes of a member.
const (
	BulkWaits   BulkOutcome = ""         // it has not had its turn
	BulkResumed BulkOutcome = "resumed"  // it went on
	BulkHeld    BulkOutcome = "held"     // it was tried, and still does not go on
	BulkMovedOn BulkOutcome = "moved-on" // its exception had ended before its turn
	BulkFailed  BulkOutcome = "failed"   // it could not be tried
)

// A BulkMember is one exception of bulk work.
type BulkMember struct {
	N       int64 // from 1
	Key     string
	Version int
	About   string
	Outcome BulkOutcome
	Words   string
	Ended   time.Time // zero before its turn
	Shown   string    // of a replay: digest of what was shown
	Now     string    // how the command or the message stands now; of BulkLeft, why its exception is no longer open, "" where it is
}

// ID names the exception of the member, as DeskOf takes it.
func (m *BulkMember) ID() string {
	if m.About == aboutStep {
		return m.Key
	}
	return event.StatementID(m.Key, m.Version)
}

// IsStep tells whether the member is a step.
func (m *BulkMember) IsStep() bool { return m.About == aboutStep }

// BulkPlace is the place of an entry among the members of bulk work.
type BulkPlace struct {
	Bulk string
	N    int64
}

// Told is what became of a member without anything being recorded about it.
type Told struct {
	N       int64
	Outcome BulkOutcome
	Words   string
}

// mostMembers bounds the members of bulk work: they are fixed in one commit, and
// nobody waits long for that.
const mostMembers = 100_000

// bulkMembers chooses the members: what the queue shows of the group, oldest first.
const bulkMembers = ` from exceptions x left join desk d on d.message = x.message
	where x.state = 'open' and x.plant = $1 and x.system = $2 and x.about = $3 and x.name = $4 and x.reason = $5
	and not (coalesce(d.until, 0) > $6 and x.raised <= d.since and x.reason = d.reason)`

// StartBulk begins to resume the open exceptions of a cause that are not snoozed: the
// oldest first of them, or all where first is 0. Without any it is done at once.
func (l *Ledger) StartBulk(ctx context.Context, by string, c Cause, first int, why string) (Bulk, error) {
	if first < 0 || first > mostMembers {
		return Bulk{}, fault.New("ledger.StartBulk", fault.InvalidRequest, "first", "%d; give a number from 1 to %d, or leave it out for all", first, mostMembers)
	}
	if c.About != aboutStep && c.About != aboutMessage {
		return Bulk{}, fault.New("ledger.StartBulk", fault.InvalidRequest, "group", "%s is late and not stuck: it goes on by itself, and there is nothing to resume", c)
	}
	id := newID()
	err := l.actTelling(ctx, Act{Plant: c.Plant, Principal: by, Act: "bulk.started", Subject: "bulk/" + id}, func(ctx context.Context, s *session, at time.Time) (string, error) {
		args := []any{c.Plant, c.System, c.About, c.Name, c.Reason, micros(at)}
		var members int64
		if err := s.each(ctx, "select count(*)"+bulkMembers, args, func(r Row) error { return r.Scan(&members) }); err != nil {
			return "", err
		}
		if members > mostMembers && first == 0 {
			return "", fault.New("ledger.StartBulk", fault.LimitExceeded, "first", "%d exceptions, and bulk work has at most %d: resume the first %[2]d, then go on", members, mostMembers)
		}
		if first > 0 {
			members = min(members, int64(first))
		}
		if err := s.insertBulk(ctx, id, by, c, members, why, at); err != nil {
			return "", err
		}
		change := Change{After: map[string]string{"group": c.String(), "members": strconv.FormatInt(members, 10)}, Why: why}
		return change.text()
	})
	if err != nil {
		return Bulk{}, err
	}
	return l.Bulk(ctx, id)
}

func (s *session) insertBulk(ctx context.Context, id, by string, c Cause, members int64, why string, at time.Time) error {
	state := BulkRunning
	if members == 0 {
		state = BulkDone
	}
	if err := s.exec(ctx, `insert into bulk (id, plant, what, cause, state, members, principal, why, created, changed)
		values ($1, $2, 'resume', $3, $4, $5, $6, $7, $8, $9)`, id, c.Plant, c.String(), state, members, by, why, micros(at), micros(at)); err != nil {
		return err
	}
	return s.exec(ctx, `insert into bulk_members (bulk, n, message, version, about, outcome, words, ended)
		select cast($7 as text), row_number() over (order by raised, message, version), message, version, about, '', '', 0
		from (select x.message, x.version, x.about, x.raised`+bulkMembers+` order by x.raised, x.message, x.version limit $8) as chosen`,
		c.Plant, c.System, c.About, c.Name, c.Reason, micros(at), id, members)
}

const bulkColumns = "select id, plant, what, cause, state, members, principal, why, created, changed from bulk "

func (l *Ledger) bulks(ctx context.Context, query string, args ...any) ([]Bulk, error) {
	var all []Bulk
	err := l.each(ctx, query, args, func(r Row) error {
		var b Bulk
		var created, changed int64
		err := r.Scan(&b.ID, &b.Plant, &b.What, &b.Cause, &b.State, &b.Members, &b.By, &b.Why, &created, &changed)
		b.Created, b.Changed, b.Outcomes = fromMicros(created), fromMicros(changed), map[BulkOutcome]int64{}
		all = append(all, b)
		return err
	})
	for i := range all {
		if err != nil {
			break
		}
		err = l.each(ctx, "select outcome, count(*) from bulk_members where bulk = $1 and outcome <> '' group by outcome", []any{all[i].ID}, func(r Row) error {
			var outcome BulkOutcome
			var n int64
			err := r.Scan(&outcome, &n)
			all[i].Outcomes[outcome] = n
			return err
		})
	}
	return all, err
}

// Bulk is one piece of bulk work with how far it has come.
func (l *Ledger) Bulk(ctx context.Context, id string) (Bulk, error) {
	all, err := l.bulks(ctx, bulkColumns+"where id = $1", id)
	if err == nil && len(all) == 0 {
		err = fault.New("ledger.Bulk", fault.NotFound, "bulk", "no bulk work %.60s is on record", id)
	}
	if err != nil {
		return Bulk{}, err
	}
	return all[0], nil
}

// Bulks is the newest bulk work about exceptions, of plants; of all where plants is nil.
func (l *Ledger) Bulks(ctx context.Context, plants []string, limit int) ([]Bulk, error) {
	if plants == nil {
		return l.bulks(ctx, bulkColumns+"where what <> $1 order by created desc, id limit $2", ReplayWork, limit)
	}
	return l.bulks(ctx, bulkColumns+"where what <> $1 and "+l.store.dialect.isIn("plant", "$2")+" order by created desc, id limit $3", ReplayWork, l.store.dialect.list(plants), limit)
}

// BulkRunning is the bulk work that is to be done, oldest first.
func (l *Ledger) BulkRunning(ctx context.Context) ([]Bulk, error) {
	return l.bulks(ctx, bulkColumns+"where state = 'running' order by created, id")
}

// BulkMembers are members behind a number, with how they stand now.
func (l *Ledger) BulkMembers(ctx context.Context, id string, after int64, limit int) ([]BulkMember, error) {
	return l.bulkMembers(ctx, `select m.n, m.message, m.version, m.about, m.outcome, m.words, m.ended,
		coalesce((select c.status from command_keys c where c.key = m.message), (select i.state from inbox i where i.key = m.message), '')
		from bulk_members m where m.bulk = $1 and m.n > $2 order by m.n limit $3`, id, after, limit)
}

// BulkLeft are the next members that have not had their turn.
func (l *Ledger) BulkLeft(ctx context.Context, id string, limit int) ([]BulkMember, error) {
	return l.bulkMembers(ctx, `select m.n, m.message, m.version, m.about, m.outcome, m.words, m.ended,
		case when x.state = 'open' then '' else x.state || ' (' || x.resolution || ')' end
		from bulk_members m join exceptions x on x.message = m.message and x.version = m.version
		where m.bulk = $1 and m.outcome = '' order by m.n limit $2`, id, limit)
}

func (l *Ledger) bulkMembers(ctx context.Context, query string, args ...any) ([]BulkMember, error) {
	var all []BulkMember
	err := l.each(ctx, query, args, func(r Row) error {
		var m BulkMember
		var ended int64
		err := r.Scan(&m.N, &m.Key, &m.Version, &m.About, &m.Outcome, &m.Words, &ended, &m.Now)
		m.Ended = fromMicros(ended)
		all = append(all, m)
		return err
	})
	return all, err
}

// bulkMoves are the states of bulk work that a person may change, by the new one.
var bulkMoves = map[string][]string{BulkPaused: {BulkRunning}, BulkRunning: {BulkPaused}, BulkCancelled: {BulkRunning, BulkPaused, ReplayExamining, ReplayProposed, ReplayApproved}}

// MoveBulk pauses bulk work, lets it go on or cancels it. From the commit on no member
// has its turn while it does not run; what had its turn stays.
func (l *Ledger) MoveBulk(ctx context.Context, by, id, to, why string) (Bulk, error) {
	from, ok := bulkMoves[to]
	if !ok {
		return Bulk{}, fault.New("ledger.MoveBulk", fault.InvalidRequest, "state", "%.40q; give paused, running or cancelled", to)
	}
	return l.moveBulk(ctx, by, id, to, why, from...)
}

// EndBulk notes that every member of running bulk work has had its turn.
func (l *Ledger) EndBulk(ctx context.Context, by, id string) (Bulk, error) {
	return l.moveBulk(ctx, by, id, BulkDone, "", BulkRunning)
}

func (l *Ledger) moveBulk(ctx context.Context, by, id, to, why string, from ...string) (Bulk, error) {
	b, err := l.Bulk(ctx, id)
	if err != nil {
		return b, err
	}
	err = l.actTelling(ctx, Act{Plant: b.Plant, Principal: by, Act: "bulk." + to, Subject: "bulk/" + id}, func(ctx context.Context, s *session, at time.Time) (string, error) {
		now, err := s.bulkState(ctx, id)
		if err != nil {
			return "", err
		}
		for _, state := range from {
			if now == state {
				c := Change{Before: map[string]string{"state": now}, After: map[string]string{"state": to}, Why: why}
				if err := s.exec(ctx, "update bulk set state = $1, changed = $2 where id = $3", to, micros(at), id); err != nil {
					return "", err
				}
				return c.text()
			}
		}
		return "", fault.New("ledger.MoveBulk", fault.DecidedAlready, "state", "bulk work %s is %s", id, now)
	})
	if err != nil {
		return b, err
	}
	return l.Bulk(ctx, id)
}

func (s *session) bulkState(ctx context.Context, id string) (state string, err error) {
	err = s.each(ctx, "select state from bulk where id = $1", []any{id}, func(r Row) error { return r.Scan(&state) })
	return state, err
}

// TellBulk notes what became of members about which nothing is recorded. The fault is
// DecidedAlready where the work does not run any more.
func (l *Ledger) TellBulk(ctx context.Context, by string, b *Bulk, all []Told) error {
	a := Act{Plant: b.Plant, Principal: by, Act: "bulk.told", Subject: "bulk/" + b.ID, Detail: fmt.Sprintf("%d members", len(all))}
	return l.act(ctx, a, func(ctx context.Context, s *session, at time.Time) error {
		if state, err := s.bulkState(ctx, b.ID); err != nil || state != BulkRunning {
			return cmp.Or(err, error(fault.New("ledger.TellBulk", fault.DecidedAlready, "state", "bulk work %s is %s", b.ID, state)))
		}
		for _, x := range all {
			if err := s.tellBulk(ctx, b.ID, x, micros(at)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *session) tellBulk(ctx context.Context, id string, x Told, at int64) error {
	return s.exec(ctx, "update bulk_members set outcome = $1, words = $2, ended = $3 where bulk = $4 and n = $5 and outcome = ''",
		string(x.Outcome), x.Words, at, id, x.N)
}

// loadBulk reads which of the batch's members of bulk work may have their turn.
func (t *transaction) loadBulk(ctx context.Context, _ *touched) error {
	for _, it := range t.batch.items {
		if it.entry == nil || it.entry.Bulk == nil {
			continue
		}
		place := *it.entry.Bulk
		err := t.each(ctx, "select 1 from bulk_members m join bulk b on b.id = m.bulk where m.bulk = $1 and m.n = $2 and m.outcome = '' and b.state = 'running'",
			[]any{place.Bulk, place.N}, func(Row) error {
				if t.turns == nil {
					t.turns = map[BulkPlace]bool{}
				}
				t.turns[place] = true
				return nil
			})
		if err != nil {
			return err
		}
	}
	return nil
}

// tell gathers what became of a member of bulk work.
func (t *transaction) tell(e *Entry, r *Result) {
	if e.Bulk == nil || r.Outcome == Again {
		return
	}
	told := Told{N: e.Bulk.N, Outcome: BulkResumed}
	switch {
	case r.Outcome == Duplicate:
		told.Outcome, told.Words = BulkMovedOn, "it was decided before its turn"
	case r.Outcome == Held:
		told.Outcome, told.Words = BulkHeld, r.Fault.Text()
	case len(e.Settlements) > 0:
		status := t.w.Steps[e.Settlements[0].Step].Status
		if told.Words = "the command is " + string(status); status.Stuck() {
			told.Outcome = BulkHeld
		}
	default:
		told.Words = "recorded"
	}
	t.told = append(t.told, toldOf{e.Bulk.Bulk, told})
	delete(t.turns, *e.Bulk)
}

// toldOf is what became of a member, and of which work it is.
type toldOf struct {
	bulk string
	Told
}

func (t *transaction) writeTold(ctx context.Context) error {
	for _, x := range t.told {
		if err := t.tellBulk(ctx, x.bulk, x.Told, t.now); err != nil {
			return err
		}
	}
	return nil
}
