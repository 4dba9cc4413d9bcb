package ledger

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/gapless/gapless/fault"
)

// A BulkStart is what is to be done with the open exceptions of a cause.
type BulkStart struct {
	What  BulkWhat
	Cause Cause
	First int    // so many, the oldest first; 0: all
	Why   string // comment: what is said
	Input BulkInput
}

// mostMembers bounds the members of bulk work: they are fixed in one commit, and
// nobody waits long for that.
const mostMembers = 100_000

// check answers what keeps the work from being begun, whatever its members are.
func (b *BulkStart) check(l *Ledger) error {
	const op = "ledger.StartBulk"
	if b.First < 0 || b.First > mostMembers {
		return fault.New(op, fault.InvalidRequest, "first", "%d; give a number from 1 to %d, or leave it out for all", b.First, mostMembers)
	}
	if late := b.Cause.About != aboutStep && b.Cause.About != aboutMessage; late && (b.What == BulkResume || b.What == BulkWaive) {
		return fault.New(op, fault.InvalidRequest, "group", "%s is late and not stuck: it goes on by itself, and there is nothing to %s", b.Cause, b.What)
	}
	switch b.What {
	case BulkResume, BulkWake:
		return nil
	case BulkAssign:
		if b.Input.To == b.Input.From {
			return fault.New(op, fault.InvalidRequest, "to", "say to whom; to give them back to their owners, say from whom")
		}
		return nil
	case BulkComment:
		return spoken(op, b.Why)
	case BulkSnooze:
		return l.snoozable(op, b.Input.Until)
	case BulkWaive:
		return waivable(op, b.Why)
	case ReplayWork: // is about messages, not about what does not go on
	}
	return fault.New(op, fault.InvalidRequest, "what", "%.40q; give resume, assign, comment, snooze, wake or waive", b.What)
}

// members is the part of a query that chooses them, with its arguments: what the queue
// shows of the group, and of what is to be woken what it does not show.
func (b *BulkStart) members(at time.Time) (string, []any) {
	which := "not "
	if b.What == BulkWake {
		which = ""
	}
	return deskFrom + ` where x.state = 'open' and x.plant = $1 and x.system = $2 and x.about = $3 and x.name = $4 and x.reason = $5
		and ` + which + `(coalesce(d.until, 0) > $6 and x.raised <= d.since and x.reason = d.reason)`,
		[]any{b.Cause.Plant, b.Cause.System, b.Cause.About, b.Cause.Name, b.Cause.Reason, micros(at)}
}

// StartBulk begins to do something with the open exceptions of a cause that are not
// snoozed, of which it wakes those that are: the oldest first of them, or all. Without
// any it is done at once.
func (l *Ledger) StartBulk(ctx context.Context, by string, b BulkStart) (Bulk, error) {
	if err := b.check(l); err != nil {
		return Bulk{}, err
	}
	id := newID()
	err := l.actTelling(ctx, Act{Plant: b.Cause.Plant, Principal: by, Act: "bulk.started", Subject: "bulk/" + id}, func(ctx context.Context, s *session, at time.Time) (string, error) {
		chosen, args := b.members(at)
		var members int64
		if err := s.each(ctx, "select count(*)"+chosen, args, func(r Row) error { return r.Scan(&members) }); err != nil {
			return "", err
		}
		if members > mostMembers && b.First == 0 {
			return "", fault.New("ledger.StartBulk", fault.LimitExceeded, "first", "%d exceptions, and bulk work has at most %d: take the first %[2]d, then go on", members, mostMembers)
		}
		if b.First > 0 {
			members = min(members, int64(b.First))
		}
		if err := s.insertBulk(ctx, id, by, &b, members, at); err != nil {
			return "", err
		}
		change := Change{After: b.audited(members), Why: b.Why}
		return change.text()
	})
	if err != nil {
		return Bulk{}, err
	}
	return l.Bulk(ctx, id)
}

// audited is what is on record about the beginning of the work.
func (b *BulkStart) audited(members int64) map[string]string {
	after := map[string]string{"what": string(b.What), "group": b.Cause.String(), "members": strconv.FormatInt(members, 10)}
	if b.What == BulkAssign {
		after["to"], after["from"] = b.Input.To, b.Input.From
	}
	if b.What == BulkSnooze {
		after["until"] = b.Input.Until.UTC().Format(time.RFC3339)
	}
	return after
}

func (s *session) insertBulk(ctx context.Context, id, by string, b *BulkStart, members int64, at time.Time) error {
	state, input := BulkRunning, ""
	if members == 0 {
		state = BulkDone
	}
	if b.Input != (BulkInput{}) {
		text, err := json.Marshal(b.Input)
		if err != nil {
			return fmt.Errorf("ledger.StartBulk: %w", err)
		}
		input = string(text)
	}
	if err := s.exec(ctx, `insert into bulk (id, plant, what, cause, input, state, members, principal, why, created, changed)
		values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)`,
		id, b.Cause.Plant, string(b.What), b.Cause.String(), input, state, members, by, b.Why, micros(at), micros(at)); err != nil {
		return err
	}
	chosen, args := b.members(at)
	return s.exec(ctx, `insert into bulk_members (bulk, n, message, version, about, outcome, words, ended)
		select cast($7 as text), row_number() over (order by raised, message, version), message, version, about, '', '', 0
		from (select x.message, x.version, x.about, x.raised`+chosen+` order by x.raised, x.message, x.version limit $8) as chosen`,
		append(args, id, members)...)
}

// deskAct is what the work does with a member at the desk; nothing where that goes on
// record as a message.
func (b *Bulk) deskAct() (deskAct, bool) {
	why := "bulk work " + b.ID
	if b.Why != "" {
		why += ": " + b.Why
	}
	switch b.What {
	case BulkAssign:
		return assigning(b.Input.To, b.Input.From, why), true
	case BulkComment:
		return commenting(why), true
	case BulkSnooze:
		return snoozing(b.Input.Until, why), true
	case BulkWake:
		return waking(why), true
	case BulkWaive:
		if c, err := ParseCause(b.Cause); err == nil && c.About == aboutMessage {
			return waiving(why), true
		}
	case BulkResume, ReplayWork: // go on record as messages
	}
	return deskAct{}, false
}

// AtDesk tells whether the work only changes how exceptions stand at the desk, so that
// ActBulk does it.
func (b *Bulk) AtDesk() bool {
	_, ok := b.deskAct()
	return ok
}

// ActBulk gives the next members of work at the desk their turn, so many together in one
// commit, and tells how many had it. Each act is on record as the person's who began the
// work. The fault is DecidedAlready where it does not run any more.
func (l *Ledger) ActBulk(ctx context.Context, by string, b *Bulk, limit int) (int, error) {
	do, _ := b.deskAct()
	cause, err := ParseCause(b.Cause)
	if err != nil {
		return 0, err
	}
	had := 0
	var after []standing
	a := &act{row: Act{Plant: b.Plant, Principal: by, Act: "bulk.told", Subject: "bulk/" + b.ID}}
	a.write = func(ctx context.Context, s *session, at time.Time) error {
		if err := s.bulkRuns(ctx, "ledger.ActBulk", b.ID); err != nil {
			return err
		}
		members, found, err := s.bulkStandings(ctx, b.ID, limit)
		if err != nil {
			return err
		}
		var before []standing
		var told [][]any
		a.also, after = nil, nil
		for i := range members {
			now := found[i]
			detail, err := do.about(&now, at)
			if err == nil && now.reason != cause.Reason {
				err = fault.New("ledger.ActBulk", fault.DecidedAlready, "", "it was %s%s before its turn", raisedAnew, now.reason)
			}
			outcome, words := BulkActed, ""
			switch f := fault.Of(err); {
			case f != nil && errors.Is(err, fault.DecidedAlready):
				outcome, words = BulkMovedOn, f.Explanation()
			case f != nil:
				outcome, words = BulkFailed, f.Text()
			case err != nil:
				return err
			default:
				before, after = append(before, found[i]), append(after, now)
				a.also = append(a.also, Act{Plant: b.Plant, Principal: b.By, Act: do.name, Subject: now.subject(), Detail: detail})
			}
			told = append(told, members[i].told(outcome, words, micros(at)))
		}
		had, a.row.Detail = len(members), fmt.Sprintf("%d members", len(members))
		return errors.Join(s.writeStandings(ctx, before, after), s.writeBulkMembers(ctx, told))
	}
	if err := l.actAs(ctx, a); err != nil {
		return 0, err
	}
	l.countWaived(b.Plant, after)
	return had, nil
}

// bulkStandings are the next members of bulk work, and how the exception of each stands.
func (s *session) bulkStandings(ctx context.Context, id string, limit int) (members []bulkTurn, found []standing, err error) {
	query := "select " + standingColumns + `, m.n from bulk_members m join exceptions x on x.message = m.message and x.version = m.version
		left join desk d on d.message = x.message where m.bulk = $1 and m.outcome = '' order by m.n limit $2`
	err = s.each(ctx, query, []any{id, int64(limit)}, func(r Row) error {
		m := bulkTurn{bulk: id}
		x, err := scanStanding(r, &m.n)
		m.key, m.version, m.about = x.key, x.version, x.about
		members, found = append(members, m), append(found, x)
		return err
	})
	return members, found, err
}
