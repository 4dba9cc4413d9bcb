package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// Acts at the desk.
const (
	actAssigned  = "exception.assigned"
	actCommented = "exception.commented"
	actSnoozed   = "exception.snoozed"
	actWoken     = "exception.woken"
	actWaived    = "exception.waived"
)

// A Change is the detail of an act at the desk: what it was before and after, and
// why. It stands in acts as JSON.
type Change struct {
	Before map[string]string `json:"before,omitempty"`
	After  map[string]string `json:"after,omitempty"`
	Why    string            `json:"why,omitempty"`

	Signatures []Signature `json:"signatures,omitempty"` // where it was signed
}

// ParseChange reads the detail of an act; ok is false where it is not of the desk.
func ParseChange(detail string) (c Change, ok bool) {
	if !strings.HasPrefix(detail, "{") {
		return c, false
	}
	err := json.Unmarshal([]byte(detail), &c)
	return c, err == nil
}

// text is the change as a column.
func (c *Change) text() (string, error) {
	b, err := json.Marshal(c)
	return string(b), err
}

// standing is an exception as the commit of an act finds it, and leaves it.
type standing struct {
	key        string
	version    int64
	about      string
	state      string
	ended      int64
	resolution string
	assignee   string
	until      int64
	raised     int64
	since      int64
	reason     string // of the exception
	snoozedFor string // reason that it was snoozed for
}

const standingColumns = `x.message, x.version, x.about, x.state, x.ended, x.resolution, x.raised, x.reason,
	coalesce(d.assignee, ''), coalesce(d.until, 0), coalesce(d.since, 0), coalesce(d.reason, '')`

// scanStanding reads standingColumns; more are targets for columns behind them.
func scanStanding(r Row, more ...any) (standing, error) {
	var x standing
	err := r.Scan(append([]any{
		&x.key, &x.version, &x.about, &x.state, &x.ended, &x.resolution, &x.raised, &x.reason, &x.assignee, &x.until, &x.since, &x.snoozedFor,
	}, more...)...)
	return x, err
}

func (x *standing) snoozed(at time.Time) bool {
	return x.until > micros(at) && x.raised <= x.since && x.snoozedFor == x.reason
}

// id names the exception, as DeskOf takes it.
func (x *standing) id() string {
	if x.about == aboutMessage {
		return event.StatementID(x.key, int(x.version))
	}
	return x.key
}

// subject is how acts name what the exception is about.
func (x *standing) subject() string {
	if x.about == aboutMessage {
		return x.id()
	}
	return lateSubject(x.about, x.key)
}

// open is a fault where the exception has ended.
func (x *standing) open(op string) error {
	if x.state == DeskOpen {
		return nil
	}
	return fault.New(op, fault.DecidedAlready, "exception", "the exception about %s was %s at %s: %s", x.id(), x.state, fromMicros(x.ended).Format(time.RFC3339), x.resolution)
}

// A deskAct is what somebody does about exceptions: it looks at one as it stands inside
// the commit, changes how it stands, and answers what is on record about that.
type deskAct struct {
	name string
	why  string
	do   func(x *standing, at time.Time) (Change, error)
}

// about does the act to one exception, and answers the change as a column.
func (a *deskAct) about(x *standing, at time.Time) (detail string, err error) {
	c, err := a.do(x, at)
	if err != nil {
		return "", err
	}
	c.Why = a.why
	return c.text()
}

// decide puts an act about an exception on record: of two who decide at once, the
// second sees what the first has decided.
func (l *Ledger) decide(ctx context.Context, by, id string, a deskAct) error {
	x, err := l.DeskOf(ctx, id)
	if err != nil {
		return err
	}
	var now standing
	err = l.actTelling(ctx, Act{Plant: x.Plant, Principal: by, Act: a.name, Subject: subjectOf(&x.Exception)}, func(ctx context.Context, s *session, at time.Time) (string, error) {
		before, err := s.standing(ctx, &x.Exception)
		if err != nil {
			return "", err
		}
		now = before
		detail, err := a.about(&now, at)
		if err != nil {
			return "", err
		}
		return detail, s.writeStandings(ctx, []standing{before}, []standing{now})
	})
	if err == nil {
		l.countWaived(x.Plant, []standing{now})
	}
	return err
}

// standing is how an exception stands inside a commit.
func (s *session) standing(ctx context.Context, x *Exception) (now standing, err error) {
	err = s.each(ctx, "select "+standingColumns+deskFrom+" where x.message = $1 and x.version = $2", []any{x.key, int64(x.version)}, func(r Row) (err error) {
		now, err = scanStanding(r)
		return err
	})
	return now, err
}

// actTelling is act for a write whose detail is known only once it is done.
func (l *Ledger) actTelling(ctx context.Context, row Act, write func(ctx context.Context, s *session, at time.Time) (detail string, err error)) error {
	a := &act{row: row}
	a.write = func(ctx context.Context, s *session, at time.Time) error {
		detail, err := write(ctx, s, at)
		a.row.Detail = detail
		return err
	}
	return l.actAs(ctx, a)
}

// writeStandings writes what acts have changed about exceptions.
func (s *session) writeStandings(ctx context.Context, before, after []standing) error {
	rows := map[*table][][]any{}
	var waived []standing
	for i := range after {
		was, now := &before[i], &after[i]
		if was.assignee != now.assignee || was.until != now.until || was.since != now.since || was.snoozedFor != now.snoozedFor {
			rows[deskTable] = append(rows[deskTable], []any{now.key, now.assignee, now.until, now.since, now.snoozedFor})
		}
		if was.state != now.state {
			waived = append(waived, *now)
		}
	}
	if err := s.insertAll(ctx, []*table{deskTable}, rows); err != nil {
		return err
	}
	return s.waive(ctx, waived)
}

// waive ends the exceptions of messages that are given up together, and their waits.
func (s *session) waive(ctx context.Context, all []standing) error {
	if len(all) == 0 {
		return nil
	}
	var keys, versions []string
	for i := range all {
		keys = append(keys, all[i].key)
		versions = append(versions, versionText(all[i].key, int(all[i].version)))
	}
	keyed, versioned := s.dialect.list(keys), s.dialect.list(versions)
	err := s.exec(ctx, "update exceptions set state = 'waived', ended = $1, resolution = $2 where "+s.dialect.isIn("message", "$3")+" and "+s.dialect.isIn(versionColumn, "$4"),
		all[0].ended, all[0].resolution, keyed, versioned)
	if err != nil {
		return err
	}
	return s.exec(ctx, "delete from waits where "+s.dialect.isIn("message", "$1")+" and "+s.dialect.isIn(versionColumn, "$2"), keyed, versioned)
}

// countWaived counts what acts have given up, for metrics.
func (l *Ledger) countWaived(plant string, all []standing) {
	counts := map[exceptionKey]*ExceptionCount{}
	for i := range all {
		if x := &all[i]; x.state == DeskWaived {
			key := exceptionKey{plant, x.reason}
			if counts[key] == nil {
				counts[key] = &ExceptionCount{}
			}
			counts[key].ended(DeskWaived, "", x.ended-x.raised)
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.countExceptions(counts)
}

// Assign gives an open exception to a person or an owner group; to "" gives it back
// to its owner. from is who has it, "" for nobody: where it is somebody else by now,
// the fault is DecidedAlready and nothing changes.
func (l *Ledger) Assign(ctx context.Context, by, id, to, from, why string) error {
	return l.decide(ctx, by, id, assigning(to, from, why))
}

func assigning(to, from, why string) deskAct {
	return deskAct{actAssigned, why, func(x *standing, _ time.Time) (Change, error) {
		if err := x.open("ledger.Assign"); err != nil {
			return Change{}, err
		}
		if x.assignee != from {
			return Change{}, fault.New("ledger.Assign", fault.DecidedAlready, "from", "%s has it: to take it over, say from whom", cmp.Or(x.assignee, "nobody"))
		}
		if to == from {
			return Change{}, fault.New("ledger.Assign", fault.DecidedAlready, "to", "%s has it already", cmp.Or(to, "nobody"))
		}
		c := Change{Before: map[string]string{"assignee": x.assignee}, After: map[string]string{"assignee": to}}
		x.assignee = to
		return c, nil
	}}
}

// Comment says something about an exception, open or ended.
func (l *Ledger) Comment(ctx context.Context, by, id, text string) error {
	if err := spoken("ledger.Comment", text); err != nil {
		return err
	}
	return l.decide(ctx, by, id, commenting(text))
}

// spoken is a fault where a comment says nothing.
func spoken(op, text string) error {
	if strings.TrimSpace(text) == "" {
		return fault.New(op, fault.InvalidRequest, "text", "is empty: say something")
	}
	return nil
}

func commenting(text string) deskAct {
	return deskAct{actCommented, text, func(*standing, time.Time) (Change, error) { return Change{}, nil }}
}

// longestSnooze is how far away the time may be to which something is put off.
const longestSnooze = 366 * 24 * time.Hour

// Snooze puts an open exception off: it is not shown before the time has come, unless
// something else stands in the way until then, or it is raised anew.
func (l *Ledger) Snooze(ctx context.Context, by, id string, until time.Time, why string) error {
	if err := l.snoozable("ledger.Snooze", until); err != nil {
		return err
	}
	return l.decide(ctx, by, id, snoozing(until, why))
}

// snoozable is a fault where nothing can be put off to a time.
func (l *Ledger) snoozable(op string, until time.Time) error {
	if left := until.Sub(l.Now()); left <= 0 || left > longestSnooze {
		return fault.New(op, fault.InvalidRequest, "until", "%s; give a time that is to come, within a year", until.UTC().Format(time.RFC3339))
	}
	return nil
}

func snoozing(until time.Time, why string) deskAct {
	return deskAct{actSnoozed, why, func(x *standing, at time.Time) (Change, error) {
		if err := x.open("ledger.Snooze"); err != nil {
			return Change{}, err
		}
		if x.snoozed(at) {
			return Change{}, fault.New("ledger.Snooze", fault.DecidedAlready, "until", "it is snoozed to %s already: wake it first", fromMicros(x.until).Format(time.RFC3339))
		}
		x.until, x.since, x.snoozedFor = micros(until), micros(at), x.reason
		return Change{After: map[string]string{"until": until.UTC().Format(time.RFC3339)}}, nil
	}}
}

// Wake ends the snoozing of an exception before its time.
func (l *Ledger) Wake(ctx context.Context, by, id, why string) error {
	return l.decide(ctx, by, id, waking(why))
}

func waking(why string) deskAct {
	return deskAct{actWoken, why, func(x *standing, at time.Time) (Change, error) {
		if err := x.open("ledger.Wake"); err != nil {
			return Change{}, err
		}
		if !x.snoozed(at) {
			return Change{}, fault.New("ledger.Wake", fault.DecidedAlready, "exception", "it is not snoozed")
		}
		c := Change{Before: map[string]string{"until": fromMicros(x.until).Format(time.RFC3339)}}
		x.until, x.since, x.snoozedFor = 0, 0, ""
		return c, nil
	}}
}

// WaiveMessage gives a held message up: what it says is not recorded, and its waits
// end. It stays kept, and counts among what figures leave out. Other content under its
// id is taken in; the same content changes nothing any more.
func (l *Ledger) WaiveMessage(ctx context.Context, by, id, why string) error {
	if err := waivable("ledger.WaiveMessage", why); err != nil {
		return err
	}
	return l.decide(ctx, by, id, waiving(why))
}

// waivable is a fault where nobody says why something is given up.
func waivable(op, why string) error {
	if strings.TrimSpace(why) == "" {
		return fault.New(op, fault.InvalidRequest, "why", "say why: it goes on record")
	}
	return nil
}

func waiving(why string) deskAct {
	return deskAct{actWaived, why, func(x *standing, at time.Time) (Change, error) {
		if err := x.open("ledger.WaiveMessage"); err != nil {
			return Change{}, err
		}
		if x.about != aboutMessage {
			return Change{}, fault.New("ledger.WaiveMessage", fault.InvalidRequest, "exception", "%s is not about a message", x.id())
		}
		x.state, x.ended, x.resolution = DeskWaived, micros(at), why
		return Change{Before: map[string]string{"state": DeskOpen, "reason": x.reason}, After: map[string]string{"state": DeskWaived}}, nil
	}}
}
