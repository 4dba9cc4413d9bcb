package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

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

// standing is an exception as the commit of an act finds it.
type standing struct {
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

func (x *standing) snoozed(at time.Time) bool {
	return x.until > micros(at) && x.raised <= x.since && x.snoozedFor == x.reason
}

// atDesk puts an act about an exception on record. decide looks at the exception
// inside the commit, writes, and answers what changes: of two who decide at once, the
// second sees what the first has decided.
func (l *Ledger) deskAct(ctx context.Context, by, act, id, why string, decide func(ctx context.Context, s *session, x *DeskException, now *standing, at time.Time) (Change, error)) error {
	x, err := l.DeskOf(ctx, id)
	if err != nil {
		return err
	}
	return l.actTelling(ctx, Act{Plant: x.Plant, Principal: by, Act: act, Subject: subjectOf(&x.Exception)}, func(ctx context.Context, s *session, at time.Time) (string, error) {
		now, err := s.standing(ctx, &x.Exception)
		if err != nil {
			return "", err
		}
		c, err := decide(ctx, s, &x, &now, at)
		if err != nil {
			return "", err
		}
		c.Why = why
		return c.text()
	})
}

// actTelling is act for a write whose detail is known only once it is done.
func (l *Ledger) actTelling(ctx context.Context, row Act, write func(ctx context.Context, s *session, at time.Time) (detail string, err error)) error {
	a := &act{row: row}
	a.write = func(ctx context.Context, s *session, at time.Time) error {
		detail, err := write(ctx, s, at)
		a.row.Detail = detail
		return err
	}
	it := &item{act: a}
	if err := l.submit(ctx, l.single, []*item{it}); err != nil {
		return err
	}
	return it.err
}

func (s *session) standing(ctx context.Context, x *Exception) (standing, error) {
	var now standing
	err := s.each(ctx, `select x.state, x.ended, x.resolution, x.raised, x.reason, coalesce(d.assignee, ''), coalesce(d.until, 0), coalesce(d.since, 0), coalesce(d.reason, '')
		from exceptions x left join desk d on d.message = x.message where x.message = $1 and x.version = $2`, []any{x.key, int64(x.version)}, func(r Row) error {
		return r.Scan(&now.state, &now.ended, &now.resolution, &now.raised, &now.reason, &now.assignee, &now.until, &now.since, &now.snoozedFor)
	})
	return now, err
}

// open is a fault where the exception has ended.
func (x *standing) open(op, id string) error {
	if x.state == DeskOpen {
		return nil
	}
	return fault.New(op, fault.DecidedAlready, "exception", "the exception about %s was %s at %s: %s", id, x.state, fromMicros(x.ended).Format(time.RFC3339), x.resolution)
}

// keepDesk writes the row of the desk, which is read by the commit before.
func (s *session) keepDesk(ctx context.Context, key string, now *standing) error {
	return s.exec(ctx, `insert into desk (message, assignee, until, since, reason) values ($1, $2, $3, $4, $5)
		on conflict (message) do update set assignee = excluded.assignee, until = excluded.until, since = excluded.since, reason = excluded.reason`,
		key, now.assignee, now.until, now.since, now.snoozedFor)
}

// Assign gives an open exception to a person or an owner group; to "" gives it back
// to its owner. from is who has it, "" for nobody: where it is somebody else by now,
// the fault is DecidedAlready and nothing changes.
func (l *Ledger) Assign(ctx context.Context, by, id, to, from, why string) error {
	return l.deskAct(ctx, by, actAssigned, id, why, func(ctx context.Context, s *session, x *DeskException, now *standing, _ time.Time) (Change, error) {
		if err := now.open("ledger.Assign", id); err != nil {
			return Change{}, err
		}
		if now.assignee != from {
			return Change{}, fault.New("ledger.Assign", fault.DecidedAlready, "from", "%s has it: to take it over, say from whom", cmp.Or(now.assignee, "nobody"))
		}
		if to == from {
			return Change{}, fault.New("ledger.Assign", fault.DecidedAlready, "to", "%s has it already", cmp.Or(to, "nobody"))
		}
		c := Change{Before: map[string]string{"assignee": now.assignee}, After: map[string]string{"assignee": to}}
		now.assignee = to
		return c, s.keepDesk(ctx, x.key, now)
	})
}

// Comment says something about an exception, open or ended.
func (l *Ledger) Comment(ctx context.Context, by, id, text string) error {
	if strings.TrimSpace(text) == "" {
		return fault.New("ledger.Comment", fault.InvalidRequest, "text", "is empty: say something")
	}
	return l.deskAct(ctx, by, actCommented, id, text, func(context.Context, *session, *DeskException, *standing, time.Time) (Change, error) {
		return Change{}, nil
	})
}

// longestSnooze is how far away the time may be to which something is put off.
const longestSnooze = 366 * 24 * time.Hour

// Snooze puts an open exception off: it is not shown before the time has come, unless
// something else stands in the way until then, or it is raised anew.
func (l *Ledger) Snooze(ctx context.Context, by, id string, until time.Time, why string) error {
	if left := until.Sub(l.Now()); left <= 0 || left > longestSnooze {
		return fault.New("ledger.Snooze", fault.InvalidRequest, "until", "%s; give a time that is to come, within a year", until.UTC().Format(time.RFC3339))
	}
	return l.deskAct(ctx, by, actSnoozed, id, why, func(ctx context.Context, s *session, x *DeskException, now *standing, at time.Time) (Change, error) {
		if err := now.open("ledger.Snooze", id); err != nil {
			return Change{}, err
		}
		if now.snoozed(at) {
			return Change{}, fault.New("ledger.Snooze", fault.DecidedAlready, "until", "it is snoozed to %s already: wake it first", fromMicros(now.until).Format(time.RFC3339))
		}
		now.until, now.since, now.snoozedFor = micros(until), micros(at), now.reason
		return Change{After: map[string]string{"until": until.UTC().Format(time.RFC3339)}}, s.keepDesk(ctx, x.key, now)
	})
}

// Wake ends the snoozing of an exception before its time.
func (l *Ledger) Wake(ctx context.Context, by, id, why string) error {
	return l.deskAct(ctx, by, actWoken, id, why, func(ctx context.Context, s *session, x *DeskException, now *standing, at time.Time) (Change, error) {
		if err := now.open("ledger.Wake", id); err != nil {
			return Change{}, err
		}
		if !now.snoozed(at) {
			return Change{}, fault.New("ledger.Wake", fault.DecidedAlready, "exception", "it is not snoozed")
		}
		c := Change{Before: map[string]string{"until": fromMicros(now.until).Format(time.RFC3339)}}
		now.until, now.since, now.snoozedFor = 0, 0, ""
		return c, s.keepDesk(ctx, x.key, now)
	})
}

// WaiveMessage gives a held message up: what it says is not recorded, and its waits
// end. It stays kept, and counts among what figures leave out. Other content under its
// id is taken in; the same content changes nothing any more.
func (l *Ledger) WaiveMessage(ctx context.Context, by, id, why string) error {
	if strings.TrimSpace(why) == "" {
		return fault.New("ledger.WaiveMessage", fault.InvalidRequest, "why", "say why: it goes on record")
	}
	var plant, reason string
	err := l.deskAct(ctx, by, actWaived, id, why, func(ctx context.Context, s *session, x *DeskException, now *standing, at time.Time) (Change, error) {
		plant, reason = x.Plant, now.reason
		if err := now.open("ledger.WaiveMessage", id); err != nil {
			return Change{}, err
		}
		if x.Message == "" {
			return Change{}, fault.New("ledger.WaiveMessage", fault.InvalidRequest, "exception", "%s is not about a message", id)
		}
		err := s.exec(ctx, "update exceptions set state = 'waived', ended = $1, resolution = $2 where message = $3 and version = $4 and state = 'open'",
			micros(at), why, x.key, int64(x.version))
		if err == nil {
			err = s.exec(ctx, "delete from waits where message = $1 and version = $2", x.key, int64(x.version))
		}
		if err != nil {
			return Change{}, fmt.Errorf("ledger.WaiveMessage: %w", err)
		}
		return Change{Before: map[string]string{"state": DeskOpen, "reason": now.reason}, After: map[string]string{"state": DeskWaived}}, nil
	})
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.countExceptions(map[exceptionKey]*ExceptionCount{{plant, reason}: {Waived: 1}})
	return nil
}
