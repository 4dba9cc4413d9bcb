package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// ReplayWork is what bulk work is called that takes kept messages in once more, under
// the catalog in force. It begins with a dry run, which is on record: what runs is what
// was shown.
const ReplayWork BulkWhat = "replay"

// The states of a replay before it runs.
const (
	ReplayExamining = "examining" // the dry run looks at its members
	ReplayProposed  = "proposed"  // everything was looked at
	ReplayApproved  = "approved"  // a second person has approved it
)

// ReplayFresh is how long a dry run may be run: later too much may have changed.
const ReplayFresh = 24 * time.Hour

// A Replay is one replay and how far it has come.
type Replay struct {
	Bulk
	Choice   Choice
	Revision string // of the catalog under which it was looked at
	Examined int64  // members that were looked at
	Erased   int64  // messages that were chosen, and are no members because their content is gone
	Shown    string // digest over all that was found
	Approval bool   // a second person must approve it; known once it is proposed
	Proposed time.Time
	Approver string
	Approved time.Time
	Runner   string
	Found    map[ReplayResult]int64
}

// ReplayResult says what would become of a member.
type ReplayResult string

// The results of a dry run.
const (
	ReplayUnchanged ReplayResult = "unchanged"  // it states what stands
	ReplayCorrected ReplayResult = "corrected"  // something that stands would be restated
	ReplayRecorded  ReplayResult = "recorded"   // it is held, and would go on
	ReplayHeld      ReplayResult = "held"       // it would be held: what stands stays until it goes on
	ReplayStillHeld ReplayResult = "still-held" // it is held, and would not go on
	ReplayWaived    ReplayResult = "waived"     // a person has given it up, and it stays so
	ReplayMovedOn   ReplayResult = "moved-on"   // another version of it has come since
	ReplayFailed    ReplayResult = "failed"     // it cannot be tried
)

// ReplayResults are all results of a dry run.
func ReplayResults() []ReplayResult {
	return []ReplayResult{ReplayUnchanged, ReplayCorrected, ReplayRecorded, ReplayHeld, ReplayStillHeld, ReplayWaived, ReplayMovedOn, ReplayFailed}
}

// What becomes of a member of a replay, besides what BulkOutcome has for all bulk work.
const (
	BulkUnchanged BulkOutcome = "unchanged"
	BulkRecorded  BulkOutcome = "recorded"
	BulkCorrected BulkOutcome = "corrected"
)

// Replaying is what an entry knows of the replay that it is of.
type Replaying struct {
	Shown string // digest of the statements that were shown; "" where nothing was
	Why   string
}

// A ReplayFinding is what a dry run has found of one member.
type ReplayFinding struct {
	N      int64
	Result ReplayResult
	Shown  string // digest of the statements that would follow
	Words  string // why it would be held, or cannot be tried
	ReplayDetail
}

// ReplayDetail is what would change, one by one.
type ReplayDetail struct {
	Unchanged int          `json:"unchanged,omitempty" doc:"Events that stay as they are"`
	Slots     []ReplaySlot `json:"slots,omitempty" doc:"Events that would change"`
	Commands  []ReplayStep `json:"commands,omitempty" doc:"Commands that would go out, or would not"`
}

// text is the detail as a column: "" where nothing changes.
func (d *ReplayDetail) text() (string, error) {
	if len(d.Slots) == 0 {
		return "", nil
	}
	b, err := json.Marshal(d)
	return string(b), err
}

// A ReplaySlot is one event of a message that would change.
type ReplaySlot struct {
	Change  string        `json:"change" enum:"new,changed,gone"`
	Event   string        `json:"event,omitempty" doc:"Id of the statement that stands; absent for a new one"`
	Type    string        `json:"type"`
	Slot    string        `json:"slot,omitempty"`
	Subject string        `json:"subject,omitempty"`
	Fields  []ReplayField `json:"fields,omitempty" doc:"Of an event that changes: the fields that would differ"`
	More    int           `json:"more,omitempty" doc:"How many further fields would differ"`
}

// A ReplayField is a field that would differ.
type ReplayField struct {
	Field  string `json:"field" doc:"Path in the data, or an attribute"`
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// A ReplayStep is a command that a member concerns.
type ReplayStep struct {
	ReplayCommand
	Key    string    `json:"command_key"`
	Object event.Ref `json:"object"`
}

// ReplayCommand is what commands of a dry run have in common.
type ReplayCommand struct {
	Effect   string `json:"effect" enum:"sends,holds,shadows,withdraws,moves,stands" doc:"sends: it would go out; holds: a person would have to look first; shadows: it would only be compared; withdraws: it would no longer go out; moves: its status changes; stands: it stays as it is, and is not sent again"`
	Kind     string `json:"kind,omitempty" doc:"do, ensure, amend or undo"`
	Reaction string `json:"reaction"`
	System   string `json:"system"`
	Command  string `json:"command"`
	Status   string `json:"status" doc:"That it would have"`
}

// ReplayCommands counts commands of a dry run.
type ReplayCommands struct {
	ReplayCommand
	Steps int64 `json:"steps"`
}

// ReplayFigure is what the events that change count before and after.
type ReplayFigure struct {
	FigureKey
	Before, After event.Decimal
}

// FigureKey tells figures of a dry run apart.
type FigureKey struct {
	Measure, Unit   string // the base unit
	Material, Order event.Ref
}

// ReplayPage is what a dry run has found of the next members.
type ReplayPage struct {
	Findings []ReplayFinding
	Figures  map[FigureKey]*ReplayFigure
	Commands map[ReplayCommand]int64
}

var (
	replayErasedTable   = &table{name: "replay_erased", columns: concat(texts("replay"), numbers("n"), texts("message"), numbers("version"))}
	replayFindingsTable = &table{name: "replay_findings", columns: concat(texts("replay"), numbers("n"), texts("result", "shown", "words", "detail"))}
	replayFiguresTable  = &table{
		name: "replay_figures", columns: texts("replay", "measure", "unit", "material", "order_ref", "before", "after"),
		conflict: "on conflict (replay, measure, unit, material, order_ref) do update set before = excluded.before, after = excluded.after",
	}
	replayCommandsTable = &table{
		name: "replay_commands", columns: concat(texts("replay", "effect", "kind", "reaction", "system", "command", "status"), numbers("steps")),
		conflict: "on conflict (replay, effect, kind, reaction, system, command, status) do update set steps = excluded.steps",
	}
)

// StartReplay begins the dry run of what was chosen under a revision of the catalog.
func (l *Ledger) StartReplay(ctx context.Context, by string, c *Choice, chosen *Chosen, revision, why string) (Replay, error) {
	id := newID()
	input, err := json.Marshal(c)
	if err != nil {
		return Replay{}, fmt.Errorf("ledger.StartReplay: %w", err)
	}
	change := Change{After: map[string]string{"choice": string(input), "members": strconv.Itoa(len(chosen.Members)), "revision": revision}, Why: why}
	detail, err := change.text()
	if err != nil {
		return Replay{}, fmt.Errorf("ledger.StartReplay: %w", err)
	}
	err = l.act(ctx, Act{Plant: c.Plant, Principal: by, Act: "replay.begun", Subject: "bulk/" + id, Detail: detail}, func(ctx context.Context, s *session, at time.Time) error {
		if err := s.exec(ctx, `insert into bulk (id, plant, what, cause, input, state, members, principal, why, created, changed)
			values ($1, $2, $3, '', $4, $5, $6, $7, $8, $9, $10)`, id, c.Plant, string(ReplayWork), string(input), ReplayExamining, len(chosen.Members), by, why, micros(at), micros(at)); err != nil {
			return err
		}
		if err := s.exec(ctx, `insert into replays (id, revision, examined, erased, shown, approval, proposed, approver, approved, runner)
			values ($1, $2, 0, $3, '', 0, 0, '', 0, '')`, id, revision, len(chosen.Erased)); err != nil {
			return err
		}
		rows := map[*table][][]any{}
		for i, m := range chosen.Members {
			rows[bulkMembersTable] = append(rows[bulkMembersTable], []any{id, int64(i + 1), m.Key, int64(m.Version), aboutMessage, "", "", int64(0)})
		}
		for i, m := range chosen.Erased {
			rows[replayErasedTable] = append(rows[replayErasedTable], []any{id, int64(i + 1), m.Key, int64(m.Version)})
		}
		return s.insertAll(ctx, []*table{bulkMembersTable, replayErasedTable}, rows)
	})
	if err != nil {
		return Replay{}, err
	}
	return l.Replay(ctx, id)
}

// Replay is one replay.
func (l *Ledger) Replay(ctx context.Context, id string) (Replay, error) {
	r, err := l.Uncounted(ctx, id)
	if err == nil {
		err = l.countReplay(ctx, &r)
	}
	return r, err
}

// Uncounted is Replay without what was found of its members, and what became of them.
func (l *Ledger) Uncounted(ctx context.Context, id string) (Replay, error) {
	all, err := l.replays(ctx, "where b.id = $1", id)
	if err == nil && len(all) == 0 {
		err = fault.New("ledger.Replay", fault.NotFound, "replay", "no replay %.60s is on record", id)
	}
	if err != nil {
		return Replay{}, err
	}
	return all[0], nil
}

// Replays are the newest replays of plants; of all where plants is nil.
func (l *Ledger) Replays(ctx context.Context, plants []string, limit int) ([]Replay, error) {
	where, args := "order by b.created desc, b.id limit $1", []any{limit}
	if plants != nil {
		where, args = "where "+l.store.dialect.isIn("b.plant", "$1")+" order by b.created desc, b.id limit $2", []any{l.store.dialect.list(plants), limit}
	}
	all, err := l.replays(ctx, where, args...)
	for i := range all {
		if err == nil {
			err = l.countReplay(ctx, &all[i])
		}
	}
	return all, err
}

// Examining are the replays of which the dry run goes on, oldest first, uncounted.
func (l *Ledger) Examining(ctx context.Context) ([]Replay, error) {
	return l.replays(ctx, "where b.state = 'examining' order by b.created, b.id")
}

func (l *Ledger) replays(ctx context.Context, where string, args ...any) ([]Replay, error) {
	var all []Replay
	err := l.each(ctx, `select b.id, b.plant, b.what, b.input, b.state, b.members, b.principal, b.why, b.created, b.changed,
		r.revision, r.examined, r.erased, r.shown, r.approval, r.proposed, r.approver, r.approved, r.runner
		from bulk b join replays r on r.id = b.id `+where, args, func(row Row) error {
		r := Replay{Bulk: Bulk{Outcomes: map[BulkOutcome]int64{}}, Found: map[ReplayResult]int64{}}
		var input string
		var created, changed, approval, proposed, approved int64
		if err := row.Scan(&r.ID, &r.Plant, &r.What, &input, &r.State, &r.Members, &r.By, &r.Why, &created, &changed,
			&r.Revision, &r.Examined, &r.Erased, &r.Shown, &approval, &proposed, &r.Approver, &approved, &r.Runner); err != nil {
			return err
		}
		r.Created, r.Changed, r.Approval, r.Proposed, r.Approved = fromMicros(created), fromMicros(changed), approval == 1, fromMicros(proposed), fromMicros(approved)
		err := json.Unmarshal([]byte(input), &r.Choice)
		all = append(all, r)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("ledger.Replay: %w", err)
	}
	return all, nil
}

// countReplay counts what was found of the members of a replay, and what became of them.
func (l *Ledger) countReplay(ctx context.Context, r *Replay) error {
	work, err := l.Bulk(ctx, r.ID)
	if err != nil {
		return err
	}
	r.Outcomes = work.Outcomes
	return l.each(ctx, "select result, count(*) from replay_findings where replay = $1 group by result", []any{r.ID}, func(row Row) error {
		var result ReplayResult
		var n int64
		err := row.Scan(&result, &n)
		r.Found[result] = n
		return err
	})
}

// dryRun is where a replay stands, as the commit of an act finds it.
type dryRun struct {
	state, by, revision, shown, approver string
	examined, approval, proposed         int64
}

func (s *session) dryRun(ctx context.Context, id string) (d dryRun, err error) {
	err = s.each(ctx, `select b.state, b.principal, r.revision, r.shown, r.approver, r.examined, r.approval, r.proposed
		from bulk b join replays r on r.id = b.id where b.id = $1`, []any{id}, func(row Row) error {
		return row.Scan(&d.state, &d.by, &d.revision, &d.shown, &d.approver, &d.examined, &d.approval, &d.proposed)
	})
	return d, err
}

// Unexamined are the next members that the dry run has not looked at.
func (l *Ledger) Unexamined(ctx context.Context, r *Replay, limit int) ([]BulkMember, error) {
	return l.bulkMembers(ctx, `select n, message, version, about, outcome, words, ended, '' from bulk_members where bulk = $1 and n > $2 order by n limit $3`, r.ID, r.Examined, limit)
}

// Examined puts on record what the dry run has found of its next members. The fault is
// DecidedAlready where it was cancelled, or another node has looked at them.
func (l *Ledger) Examined(ctx context.Context, by string, r *Replay, p *ReplayPage) error {
	a := Act{Plant: r.Plant, Principal: by, Act: "replay.examined", Subject: "bulk/" + r.ID, Detail: fmt.Sprintf("%d members", len(p.Findings))}
	return l.act(ctx, a, func(ctx context.Context, s *session, _ time.Time) error {
		d, err := s.dryRun(ctx, r.ID)
		if err != nil || d.state != ReplayExamining || d.examined != r.Examined {
			return cmp.Or(err, error(fault.New("ledger.Examined", fault.DecidedAlready, "state", "replay %s is %s, and %d members were looked at", r.ID, d.state, d.examined)))
		}
		rows := map[*table][][]any{}
		shown := d.shown
		for i := range p.Findings {
			x := &p.Findings[i]
			detail, err := x.text()
			if err != nil {
				return err
			}
			if shown, err = event.Digest(map[string]any{"before": shown, "member": strconv.FormatInt(x.N, 10), "result": string(x.Result), "shown": x.Shown}); err != nil {
				return err
			}
			rows[replayFindingsTable] = append(rows[replayFindingsTable], []any{r.ID, x.N, string(x.Result), x.Shown, x.Words, detail})
		}
		if rows[replayFiguresTable], err = s.addedFigures(ctx, r.ID, p); err != nil {
			return err
		}
		if rows[replayCommandsTable], err = s.addedCommands(ctx, r.ID, p); err != nil {
			return err
		}
		if err := s.insertAll(ctx, []*table{replayFindingsTable, replayFiguresTable, replayCommandsTable}, rows); err != nil {
			return err
		}
		return s.exec(ctx, "update replays set examined = $1, shown = $2 where id = $3", d.examined+int64(len(p.Findings)), shown, r.ID)
	})
}

// addedFigures are the figures of a page, added to what was found before.
func (s *session) addedFigures(ctx context.Context, id string, p *ReplayPage) ([][]any, error) {
	if len(p.Figures) == 0 {
		return nil, nil
	}
	orders := map[string]bool{}
	sums := map[FigureKey]ReplayFigure{}
	for key, f := range p.Figures {
		orders[string(key.Order)] = true
		sums[key] = *f
	}
	query := "select " + figureColumns + " from replay_figures where replay = $1 and " + s.dialect.isIn("order_ref", "$2")
	err := s.each(ctx, query, []any{id, s.dialect.list(sortedKeys(orders))}, func(r Row) error {
		f, err := scanFigure(r)
		if sum, ok := sums[f.FigureKey]; ok {
			sum.Before, sum.After = sum.Before.Add(f.Before), sum.After.Add(f.After)
			sums[f.FigureKey] = sum
		}
		return err
	})
	rows := make([][]any, 0, len(sums))
	for key, f := range sums {
		rows = append(rows, []any{id, key.Measure, key.Unit, string(key.Material), string(key.Order), f.Before.String(), f.After.String()})
	}
	return rows, err
}

const figureColumns = "measure, unit, material, order_ref, before, after"

func scanFigure(r Row) (ReplayFigure, error) {
	var f ReplayFigure
	var before, after string
	err := r.Scan(&f.Measure, &f.Unit, &f.Material, &f.Order, &before, &after)
	if err == nil {
		f.Before, err = event.ParseDecimal(before)
	}
	if err == nil {
		f.After, err = event.ParseDecimal(after)
	}
	return f, err
}

// addedCommands are the counts of a page, added to those before.
func (s *session) addedCommands(ctx context.Context, id string, p *ReplayPage) ([][]any, error) {
	before := map[ReplayCommand]int64{}
	if len(p.Commands) > 0 {
		if err := s.each(ctx, "select "+commandColumns+" from replay_commands where replay = $1", []any{id}, func(r Row) error {
			c, err := scanCommands(r)
			before[c.ReplayCommand] = c.Steps
			return err
		}); err != nil {
			return nil, err
		}
	}
	rows := make([][]any, 0, len(p.Commands))
	for c, n := range p.Commands {
		rows = append(rows, []any{id, c.Effect, c.Kind, c.Reaction, c.System, c.Command, c.Status, before[c] + n})
	}
	return rows, nil
}

const commandColumns = "effect, kind, reaction, system, command, status, steps"

func scanCommands(r Row) (ReplayCommands, error) {
	var c ReplayCommands
	err := r.Scan(&c.Effect, &c.Kind, &c.Reaction, &c.System, &c.Command, &c.Status, &c.Steps)
	return c, err
}

// Propose ends the dry run: from now on it can be run. approval says that a second
// person must approve it first.
func (l *Ledger) Propose(ctx context.Context, by, id string, approval bool) error {
	return l.moveReplay(ctx, by, id, ReplayProposed, "", func(ctx context.Context, s *session, d *dryRun, at time.Time) error {
		if d.state != ReplayExamining {
			return decidedReplay(id, d)
		}
		return s.exec(ctx, "update replays set approval = $1, proposed = $2 where id = $3", flag(approval), micros(at), id)
	})
}

// ApproveReplay notes that a second person approves what the dry run has shown.
func (l *Ledger) ApproveReplay(ctx context.Context, by, id, revision, why string) (Replay, error) {
	err := l.moveReplay(ctx, by, id, ReplayApproved, why, func(ctx context.Context, s *session, d *dryRun, at time.Time) error {
		switch {
		case d.state != ReplayProposed:
			return decidedReplay(id, d)
		case d.approval == 0:
			return fault.New("ledger.ApproveReplay", fault.InvalidRequest, "replay", "it needs no approval: run it")
		case by == d.by:
			return fault.New("ledger.ApproveReplay", fault.Forbidden, "replay", "%s has proposed it: a second person must approve it", by)
		}
		if err := d.runnable(id, revision, at); err != nil {
			return err
		}
		return s.exec(ctx, "update replays set approver = $1, approved = $2 where id = $3", by, micros(at), id)
	})
	if err != nil {
		return Replay{}, err
	}
	return l.Replay(ctx, id)
}

// RunReplay lets a replay run, given the revision of the catalog in force.
func (l *Ledger) RunReplay(ctx context.Context, by, id, revision, why string) (Replay, error) {
	err := l.moveReplay(ctx, by, id, BulkRunning, why, func(ctx context.Context, s *session, d *dryRun, at time.Time) error {
		switch {
		case d.state == ReplayProposed && d.approval == 1:
			return fault.New("ledger.RunReplay", fault.Forbidden, "replay", "it has more members than one person may replay: a second one with the role approver must approve it first")
		case d.state != ReplayProposed && d.state != ReplayApproved:
			return decidedReplay(id, d)
		}
		if err := d.runnable(id, revision, at); err != nil {
			return err
		}
		return s.exec(ctx, "update replays set runner = $1 where id = $2", by, id)
	})
	if err != nil {
		return Replay{}, err
	}
	return l.Replay(ctx, id)
}

// runnable refuses what would not be what was shown.
func (d *dryRun) runnable(id, revision string, at time.Time) error {
	if d.revision != revision {
		return fault.New("ledger.RunReplay", fault.DecidedAlready, "revision", "the catalog in force is %.12s, and replay %s was looked at under %.12s: propose it anew", revision, id, d.revision)
	}
	if age := at.Sub(fromMicros(d.proposed)); age > ReplayFresh {
		return fault.New("ledger.RunReplay", fault.DecidedAlready, "proposed", "replay %s was looked at %s ago, and may be run for %s: propose it anew", id, age.Round(time.Minute), ReplayFresh)
	}
	return nil
}

func decidedReplay(id string, d *dryRun) error {
	return fault.New("ledger.Replay", fault.DecidedAlready, "state", "replay %s is %s", id, d.state)
}

// moveReplay moves a replay to another state, where do lets it.
func (l *Ledger) moveReplay(ctx context.Context, by, id, to, why string, do func(ctx context.Context, s *session, d *dryRun, at time.Time) error) error {
	r, err := l.Uncounted(ctx, id)
	if err != nil {
		return err
	}
	return l.actTelling(ctx, Act{Plant: r.Plant, Principal: by, Act: "replay." + to, Subject: "bulk/" + id}, func(ctx context.Context, s *session, at time.Time) (string, error) {
		d, err := s.dryRun(ctx, id)
		if err != nil {
			return "", err
		}
		if err := do(ctx, s, &d, at); err != nil {
			return "", err
		}
		if err := s.exec(ctx, "update bulk set state = $1, changed = $2 where id = $3", to, micros(at), id); err != nil {
			return "", err
		}
		c := Change{Before: map[string]string{"state": d.state}, After: map[string]string{"state": to, "shown": d.shown}, Why: why}
		return c.text()
	})
}

// StopReplay cancels a replay that can no longer become what was shown.
func (l *Ledger) StopReplay(ctx context.Context, by, id, why string) error {
	_, err := l.moveBulk(ctx, by, id, BulkCancelled, why, bulkMoves[BulkCancelled]...)
	return err
}

// ReplayLeft are the next members of a replay that have not had their turn.
func (l *Ledger) ReplayLeft(ctx context.Context, id string, limit int) ([]BulkMember, error) {
	var all []BulkMember
	err := l.each(ctx, `select m.n, m.message, m.version, m.about, f.shown from bulk_members m join replay_findings f on f.replay = m.bulk and f.n = m.n
		where m.bulk = $1 and m.outcome = '' order by m.n limit $2`, []any{id, limit}, func(r Row) error {
		var m BulkMember
		err := r.Scan(&m.N, &m.Key, &m.Version, &m.About, &m.Shown)
		all = append(all, m)
		return err
	})
	return all, err
}

// tellReplay gathers what became of a member of a replay, and puts on record on whose
// account events came of it.
func (t *transaction) tellReplay(it *item, d *Decision) error {
	e, r := it.entry, &it.result
	outcome, words := BulkOutcome(r.Outcome), ""
	switch {
	case r.Outcome == Again:
		return nil
	case t.w.Inbox[it.key].Digest != e.Message.Digest:
		outcome, words = BulkMovedOn, "another version of the message has come since"
	case r.Outcome == Unforeseen:
		outcome, words = BulkMovedOn, "something else than was shown would follow by now: propose it anew"
	case r.Outcome == Duplicate:
		outcome = BulkUnchanged
	case r.Outcome == Held:
		words = r.Fault.Text()
	}
	m := t.turns[*e.Bulk]
	t.told = append(t.told, m.told(outcome, words, t.now))
	delete(t.turns, *e.Bulk)
	if outcome == BulkMovedOn || outcome == BulkUnchanged || d.Same {
		return nil
	}
	var before, after []string
	for i := range d.Drafts {
		s := &d.Drafts[i]
		after = append(after, s.ID())
		if s.Statement > 1 {
			before = append(before, event.StatementID(s.Key, s.Statement-1))
		}
	}
	c := Change{
		Before: map[string]string{"events": strings.Join(before, " ")}, After: map[string]string{"events": strings.Join(after, " "), "outcome": string(outcome)},
		Why: strings.TrimSuffix("replay "+e.Bulk.Bulk+": "+e.Replay.Why, ": "),
	}
	detail, err := c.text()
	t.addAct(t.feeds[e.Message.Plant], Act{Plant: e.Message.Plant, Principal: e.By, Act: actReplayed, Subject: r.Message, Detail: detail})
	return err
}
