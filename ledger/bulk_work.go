package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
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
	What     BulkWhat
	Cause    string // the group, as Cause.String names it; "" where it is about something else
	Input    BulkInput
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

// BulkWhat says what bulk work does with each member.
type BulkWhat string

// What is done with the members of a group of exceptions.
const (
	BulkResume  BulkWhat = "resume"
	BulkAssign  BulkWhat = "assign"
	BulkComment BulkWhat = "comment"
	BulkSnooze  BulkWhat = "snooze"
	BulkWake    BulkWhat = "wake"
	BulkWaive   BulkWhat = "waive"
)

// BulkInput is what bulk work is told besides why.
type BulkInput struct {
	To    string    `json:"to,omitempty"`   // assign: a person or an owner group; "" gives them back to their owners
	From  string    `json:"from,omitempty"` // assign: who has them; "" for nobody
	Until time.Time `json:"until,omitzero"` // snooze
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
	BulkActed   BulkOutcome = "done"     // what else was to be done is done
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
	Now     string    // how the command or the message stands now; of BulkLeft, why its exception is not that of the cause any more, "" where it is
}

// ID names the exception of the member, as DeskOf takes it.
func (m *BulkMember) ID() string {
	if m.About == aboutMessage {
		return event.StatementID(m.Key, m.Version)
	}
	return m.Key
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

const bulkColumns = "select id, plant, what, cause, input, state, members, principal, why, created, changed from bulk "

func (l *Ledger) bulks(ctx context.Context, query string, args ...any) ([]Bulk, error) {
	var all []Bulk
	err := l.each(ctx, query, args, func(r Row) error {
		var b Bulk
		var created, changed int64
		var input string
		err := r.Scan(&b.ID, &b.Plant, &b.What, &b.Cause, &input, &b.State, &b.Members, &b.By, &b.Why, &created, &changed)
		if err == nil && input != "" {
			err = json.Unmarshal([]byte(input), &b.Input)
		}
		b.Created, b.Changed, b.Outcomes = fromMicros(created), fromMicros(changed), map[BulkOutcome]int64{}
		all = append(all, b)
		return err
	})
	return all, err
}

// counted is bulk work with how far it has come.
func (l *Ledger) counted(ctx context.Context, query string, args ...any) ([]Bulk, error) {
	all, err := l.bulks(ctx, query, args...)
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
	all, err := l.counted(ctx, bulkColumns+"where id = $1", id)
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
	where, args := "where what <> $1 order by created desc, id limit $2", []any{string(ReplayWork), limit}
	if plants != nil {
		where, args = "where what <> $1 and "+l.store.dialect.isIn("plant", "$2")+" order by created desc, id limit $3", []any{string(ReplayWork), l.store.dialect.list(plants), limit}
	}
	return l.counted(ctx, bulkColumns+where, args...)
}

// BulkRunning is the bulk work that is to be done, oldest first. How far it has come is
// not counted.
func (l *Ledger) BulkRunning(ctx context.Context) ([]Bulk, error) {
	return l.bulks(ctx, bulkColumns+"where state = 'running' order by created, id")
}

// BulkMembers are members behind a number, with how they stand now.
func (l *Ledger) BulkMembers(ctx context.Context, id string, after int64, limit int) ([]BulkMember, error) {
	return l.bulkMembers(ctx, `select m.n, m.message, m.version, m.about, m.outcome, m.words, m.ended,
		coalesce((select c.status from command_keys c where c.key = m.message), (select i.state from inbox i where i.key = m.message), '')
		from bulk_members m where m.bulk = $1 and m.n > $2 order by m.n limit $3`, id, after, limit)
}

// raisedAnew is what is said of a member whose exception stands for another reason by now.
const raisedAnew = "raised anew for "

// BulkLeft are the next members of work about a cause that have not had their turn.
func (l *Ledger) BulkLeft(ctx context.Context, b *Bulk, limit int) ([]BulkMember, error) {
	c, err := ParseCause(b.Cause)
	if err != nil {
		return nil, err
	}
	return l.bulkMembers(ctx, `select m.n, m.message, m.version, m.about, m.outcome, m.words, m.ended,
		case when x.state <> 'open' then x.state || ' (' || x.resolution || ')' when x.reason <> $3 then '`+raisedAnew+`' || x.reason else '' end
		from bulk_members m join exceptions x on x.message = m.message and x.version = m.version
		where m.bulk = $1 and m.outcome = '' order by m.n limit $2`, b.ID, limit, c.Reason)
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

// bulkTurn is a member of bulk work that may have its turn.
type bulkTurn struct {
	bulk    string
	n       int64
	key     string
	version int64
	about   string
	what    BulkWhat
}

// told is the row of the member once it had its turn.
func (m *bulkTurn) told(outcome BulkOutcome, words string, at int64) []any {
	return []any{m.bulk, m.n, m.key, m.version, m.about, string(outcome), words, at}
}

// bulkTurns reads the members of bulk work between two numbers that may have their
// turn: none where it does not run.
func (s *session) bulkTurns(ctx context.Context, id string, from, to int64, take func(m bulkTurn)) error {
	return s.each(ctx, `select m.n, m.message, m.version, m.about, b.what from bulk_members m join bulk b on b.id = m.bulk
		where m.bulk = $1 and m.n between $2 and $3 and m.outcome = '' and b.state = 'running' order by m.n`, []any{id, from, to}, func(r Row) error {
		m := bulkTurn{bulk: id}
		err := r.Scan(&m.n, &m.key, &m.version, &m.about, &m.what)
		take(m)
		return err
	})
}

func (s *session) writeBulkMembers(ctx context.Context, rows [][]any) error {
	return s.insertAll(ctx, []*table{bulkMembersTable}, map[*table][][]any{bulkMembersTable: rows})
}

// TellBulk notes what became of members about which nothing is recorded. The fault is
// DecidedAlready where the work does not run any more.
func (l *Ledger) TellBulk(ctx context.Context, by string, b *Bulk, all []Told) error {
	a := Act{Plant: b.Plant, Principal: by, Act: "bulk.told", Subject: "bulk/" + b.ID, Detail: fmt.Sprintf("%d members", len(all))}
	told, from, to := map[int64]Told{}, int64(math.MaxInt64), int64(0)
	for _, x := range all {
		told[x.N], from, to = x, min(from, x.N), max(to, x.N)
	}
	return l.act(ctx, a, func(ctx context.Context, s *session, at time.Time) error {
		if err := s.bulkRuns(ctx, "ledger.TellBulk", b.ID); err != nil {
			return err
		}
		var rows [][]any
		err := s.bulkTurns(ctx, b.ID, from, to, func(m bulkTurn) {
			if x, ok := told[m.n]; ok {
				rows = append(rows, m.told(x.Outcome, x.Words, micros(at)))
			}
		})
		if err != nil {
			return err
		}
		return s.writeBulkMembers(ctx, rows)
	})
}

// bulkRuns is a fault where bulk work does not run.
func (s *session) bulkRuns(ctx context.Context, op, id string) error {
	state, err := s.bulkState(ctx, id)
	if err == nil && state != BulkRunning {
		err = fault.New(op, fault.DecidedAlready, "state", "bulk work %s is %s", id, state)
	}
	return err
}

// loadBulk reads which of the batch's members of bulk work may have their turn.
func (t *transaction) loadBulk(ctx context.Context, _ *touched) error {
	type span struct{ from, to int64 }
	places, spans := map[BulkPlace]bool{}, map[string]span{}
	for _, it := range t.batch.items {
		if it.entry == nil || it.entry.Bulk == nil {
			continue
		}
		place := *it.entry.Bulk
		x, ok := spans[place.Bulk]
		if !ok {
			x = span{place.N, place.N}
		}
		places[place], spans[place.Bulk] = true, span{min(x.from, place.N), max(x.to, place.N)}
	}
	t.turns = make(map[BulkPlace]bulkTurn, len(places))
	for _, id := range sortedKeys(spans) {
		err := t.bulkTurns(ctx, id, spans[id].from, spans[id].to, func(m bulkTurn) {
			if place := (BulkPlace{m.bulk, m.n}); places[place] {
				t.turns[place] = m
			}
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
	m := t.turns[*e.Bulk]
	outcome, words := BulkActed, "recorded"
	if m.what == BulkResume {
		outcome = BulkResumed
	}
	switch {
	case r.Outcome == Duplicate:
		outcome, words = BulkMovedOn, "it was decided before its turn"
	case r.Outcome == Held:
		outcome, words = BulkHeld, r.Fault.Text()
	case len(e.Settlements) > 0:
		status := t.w.Steps[e.Settlements[0].Step].Status
		if words = "the command is " + string(status); status.Stuck() {
			outcome = BulkHeld
		}
	}
	t.told = append(t.told, m.told(outcome, words, t.now))
	delete(t.turns, *e.Bulk)
}

func (t *transaction) writeTold(ctx context.Context) error { return t.writeBulkMembers(ctx, t.told) }
