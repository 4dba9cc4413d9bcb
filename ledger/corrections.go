package ledger

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// Acts about corrections. Their subject is the message version that is wrong.
const (
	actCorrectionAsked    = "correction.asked"
	actCorrectionAnswered = "correction.answered"
	actCorrectionEnded    = "correction.ended"
)

// The states of a correction.
const (
	CorrectionOpen     = "open"
	CorrectionAnswered = "answered" // the source has sent another version, or corrected or reversed what it stated
	CorrectionEnded    = "ended"    // by a person, with a reason
)

// A Correction is asked of the source of a message: what only the source can put right.
type Correction struct {
	ID         string // 32 hex digits
	Message    string // key of the message
	Version    int    // the version that is wrong
	Plant      string
	System     string
	Name       string // of the message
	SourceID   string
	What       string // is to be corrected
	AskedOf    string // a person, an owner group, or the system
	AskedBy    string
	State      string
	Asked      time.Time
	Due        time.Time
	Ended      time.Time // zero while open
	Resolution string
}

// MessageID is the id of the version that is wrong.
func (c *Correction) MessageID() string { return event.StatementID(c.Message, c.Version) }

var correctionsTable = &table{name: "corrections", columns: concat(
	texts("id", "message"), numbers("version"), texts("plant", "system", "name", "source_id", "what", "asked_of", "asked_by", "state"),
	numbers("asked", "due", "ended"), texts("resolution"))}

const correctionQuery = "select id, message, version, plant, system, name, source_id, what, asked_of, asked_by, state, asked, due, ended, resolution from corrections"

func (c *Correction) row() []any {
	return []any{
		c.ID, c.Message, int64(c.Version), c.Plant, c.System, c.Name, c.SourceID, c.What, c.AskedOf, c.AskedBy, c.State, micros(c.Asked), micros(c.Due), micros(c.Ended), c.Resolution,
	}
}

func scanCorrection(r Row) (Correction, error) {
	var c Correction
	var asked, due, ended int64
	err := r.Scan(&c.ID, &c.Message, &c.Version, &c.Plant, &c.System, &c.Name, &c.SourceID, &c.What, &c.AskedOf, &c.AskedBy, &c.State, &asked, &due, &ended, &c.Resolution)
	c.Asked, c.Due, c.Ended = fromMicros(asked), fromMicros(due), fromMicros(ended)
	return c, err
}

// CorrectionFilter chooses corrections; empty fields choose all.
type CorrectionFilter struct {
	Plants []string // what the asker may see; nil: all
	Only   string   // only what is of this system
	Open   bool
	Limit  int // default 100
}

// Corrections are those that a filter chooses, the one that is due next first.
func (l *Ledger) Corrections(ctx context.Context, f CorrectionFilter) ([]Correction, error) {
	c := f.conditions(l.store.dialect)
	return l.corrections(ctx, correctionQuery+c.where()+fmt.Sprintf(" order by due, id limit %d", cmp.Or(f.Limit, 100)), c.args...)
}

// CountCorrections is how many corrections a filter chooses, whatever its limit.
func (l *Ledger) CountCorrections(ctx context.Context, f CorrectionFilter) (n int64, err error) {
	c := f.conditions(l.store.dialect)
	err = l.each(ctx, "select count(*) from corrections"+c.where(), c.args, func(r Row) error { return r.Scan(&n) })
	return n, err
}

func (f *CorrectionFilter) conditions(d dialect) *conditions {
	c := &conditions{dialect: d}
	if f.Open {
		c.add("state = 'open'")
	}
	c.within(f.Plants, f.Only)
	return c
}

// CorrectionsOf are all corrections that were asked about a message, oldest first.
func (l *Ledger) CorrectionsOf(ctx context.Context, key string) ([]Correction, error) {
	return l.corrections(ctx, correctionQuery+" where message = $1 order by asked, id", key)
}

// Correction is one correction by its id.
func (l *Ledger) Correction(ctx context.Context, id string) (Correction, error) {
	all, err := l.corrections(ctx, correctionQuery+" where id = $1", id)
	if err == nil && len(all) == 0 {
		err = fault.New("ledger.Correction", fault.NotFound, "correction", "no correction %.60s is on record", id)
	}
	if err != nil {
		return Correction{}, err
	}
	return all[0], nil
}

func (l *Ledger) corrections(ctx context.Context, query string, args ...any) ([]Correction, error) {
	var all []Correction
	err := l.each(ctx, query, args, func(r Row) error {
		c, err := scanCorrection(r)
		all = append(all, c)
		return err
	})
	return all, err
}

// Limits of a correction: how far away the time may be until which it is asked, and bytes
// of what is asked.
const (
	longestCorrection = 366 * 24 * time.Hour
	maxAsked          = 4 << 10
)

// AskCorrection puts on record that a correction of a message is asked of its source. It
// is DecidedAlready where one is asked already, or where the message has a later version.
func (l *Ledger) AskCorrection(ctx context.Context, c Correction) (Correction, error) {
	if strings.TrimSpace(c.What) == "" {
		return c, fault.New("ledger.AskCorrection", fault.InvalidRequest, "what", "say what is to be corrected")
	}
	if len(c.What) > maxAsked {
		return c, fault.New("ledger.AskCorrection", fault.LimitExceeded, "what", "has %d bytes, more than %d", len(c.What), maxAsked)
	}
	if left := c.Due.Sub(l.Now()); left <= 0 || left > longestCorrection {
		return c, fault.New("ledger.AskCorrection", fault.InvalidRequest, "due", "%s; give a time that is to come, within a year", c.Due.UTC().Format(time.RFC3339))
	}
	c.ID, c.State = newID(), CorrectionOpen
	err := l.actTelling(ctx, Act{Plant: c.Plant, Principal: c.AskedBy, Act: actCorrectionAsked, Subject: c.MessageID()}, func(ctx context.Context, s *session, at time.Time) (string, error) {
		if err := s.askable(ctx, &c); err != nil {
			return "", err
		}
		c.Asked = at
		timer := Timer{Kind: CorrectionTimer, About: c.ID, Name: c.Name, Plant: c.Plant, Due: c.Due}
		err := s.insertAll(ctx, []*table{correctionsTable, timersTable}, map[*table][][]any{correctionsTable: {c.row()}, timersTable: {timer.row()}})
		if err != nil {
			return "", err
		}
		change := Change{After: map[string]string{"correction": c.ID, "asked of": c.AskedOf, "due": c.Due.UTC().Format(time.RFC3339)}, Why: c.What}
		return change.text()
	})
	if err != nil { // whoever gives up waiting leaves c to the commit
		return Correction{}, err
	}
	return c, nil
}

// askable is a fault where a correction cannot be asked.
func (s *session) askable(ctx context.Context, c *Correction) error {
	var of string
	var due int64
	if err := s.each(ctx, "select asked_of, due from corrections where message = $1 and state = 'open'", []any{c.Message}, func(r Row) error { return r.Scan(&of, &due) }); err != nil {
		return err
	}
	if due != 0 {
		return fault.New("ledger.AskCorrection", fault.DecidedAlready, "exception", "a correction is asked of %s already, until %s", of, fromMicros(due).Format(time.RFC3339))
	}
	newest := 0
	if err := s.each(ctx, "select max(version) from messages where key = $1", []any{c.Message}, func(r Row) error { return r.Scan(&newest) }); err != nil {
		return err
	}
	if newest != c.Version {
		return fault.New("ledger.AskCorrection", fault.DecidedAlready, "exception", "message %s has a later version, %d", c.MessageID(), newest)
	}
	return nil
}

// EndCorrection ends a correction that nobody waits for any more.
func (l *Ledger) EndCorrection(ctx context.Context, by, id, why string) error {
	if strings.TrimSpace(why) == "" {
		return fault.New("ledger.EndCorrection", fault.InvalidRequest, "why", "say why: it goes on record")
	}
	c, err := l.Correction(ctx, id)
	if err != nil {
		return err
	}
	counts := map[exceptionKey]*ExceptionCount{}
	err = l.actTelling(ctx, Act{Plant: c.Plant, Principal: by, Act: actCorrectionEnded, Subject: c.MessageID()}, func(ctx context.Context, s *session, at time.Time) (string, error) {
		ended := false
		if err := s.each(ctx, "update corrections set state = 'ended', ended = $1, resolution = $2 where id = $3 and state = 'open' returning id", []any{micros(at), why, id},
			func(Row) error { ended = true; return nil }); err != nil {
			return "", err
		}
		if !ended {
			return "", fault.New("ledger.EndCorrection", fault.DecidedAlready, "correction", "it is no longer open")
		}
		if err := s.exec(ctx, "delete from timers where kind = 'correction' and about = $1", id); err != nil {
			return "", err
		}
		clear(counts)
		if err := s.each(ctx, "update exceptions set state = 'resolved', ended = $1, resolution = $2 where message = $3 and version = 0 and state = 'open' returning plant, reason",
			[]any{micros(at), why, id}, func(r Row) error {
				var key exceptionKey
				err := r.Scan(&key.plant, &key.reason)
				counts[key] = &ExceptionCount{Resolved: 1}
				return err
			}); err != nil {
			return "", err
		}
		change := Change{Before: map[string]string{"correction": CorrectionOpen}, After: map[string]string{"correction": CorrectionEnded}, Why: why}
		return change.text()
	})
	if err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.countExceptions(counts)
	return nil
}

// answers ends the corrections that an entry answers: its source has sent another version
// of the message, or has corrected or reversed what it stated.
func (t *transaction) answers(f *feed, e *Entry, d *Decision, m *keyed) {
	if e.Edit != nil {
		return
	}
	if d.Keep {
		t.answer(f, m.Key(), m.Principal, "the source has sent another version")
	}
	if d.Outcome == Held {
		return
	}
	for i := range d.Drafts {
		switch draft := &d.Drafts[i]; {
		case draft.Amends == "":
		case draft.Change == event.Reversal:
			t.answer(f, draft.Amends, m.Principal, "the source has reversed it")
		default:
			t.answer(f, draft.Amends, m.Principal, "the source has corrected it")
		}
	}
}

// answer ends the correction that was asked of a message, if one is open.
func (t *transaction) answer(f *feed, message, by, how string) {
	asked, open := t.w.Asked[message]
	if !open {
		return
	}
	delete(t.w.Asked, message)
	t.awaited.end(CorrectionTimer, asked.ID)
	t.awaited.came[asked.ID] = came{f, by, how}
	t.addAct(f, Act{Plant: f.plant, Principal: by, Act: actCorrectionAnswered, Subject: event.StatementID(message, asked.Version), Detail: how})
	t.edits.close(t.now, "corrections", asked.ID, CorrectionOpen, CorrectionAnswered, how)
}

// OpenCorrections counts the corrections that are open, by plant and system.
func (l *Ledger) OpenCorrections(ctx context.Context) ([]HeldCount, error) {
	var all []HeldCount
	err := l.each(ctx, "select plant, system, count(*), min(asked) from corrections where state = 'open' group by plant, system order by plant, system", nil, func(r Row) error {
		var c HeldCount
		var oldest int64
		err := r.Scan(&c.Plant, &c.System, &c.Open, &oldest)
		c.Oldest = fromMicros(oldest)
		all = append(all, c)
		return err
	})
	return all, err
}
