package ledger

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// feed is one plant's feed during a commit.
type feed struct {
	plant    string
	epoch    int64
	last     int64
	recorded int64
	link     int64
	head     string
	first    int64 // first position given in this commit; 0 while none
	rows     int64
	n        int64 // order of messages and acts within the link
	sum      linkSum
}

// tick is the next time of the feed: never the same twice, never backwards.
func (f *feed) tick(now int64) int64 {
	f.recorded = max(now, f.recorded+1)
	return f.recorded
}

// transaction gathers what one commit writes.
type transaction struct {
	*session
	ledger *Ledger
	batch  *batch
	now    int64
	feeds  map[string]*feed
	w      *Working
	rows   map[*table][][]any
	states map[event.Ref]bool // objects, messages and statements of w that this commit has moved
	inbox  map[string]bool
	keys   map[string]bool
	raised map[string][]any   // rows of exceptions by message id, as this commit leaves them
	waits  map[string][][]any // rows of waits by message id
	ended  []ended            // exceptions that this commit resolves
	freed  []string           // waits of messages that go on: by message id
	wanted []string           // waits that this commit may satisfy

	untimely   error // set where no attempt begins
	following  following
	awaited    awaited
	endedSteps []ended       // steps whose exceptions this commit resolves
	noted      []raisedAbout // what the exceptions that it raises are found by
	edits      edits
	turns      map[BulkPlace]bulkTurn // members of bulk work that may have their turn
	told       [][]any                // rows of members, with what became of them
	counts     map[exceptionKey]*ExceptionCount
	moments    moments
}

type ended struct {
	message    string
	version    int
	state      string // resolved or waived
	by         string
	resolution string
	at         int64
}

// writeOrder is the order in which tables are written: the same everywhere, so
// that two nodes on one database never wait for each other in a circle.
var writeOrder = [...]*table{
	messagesTable, contentsTable, inboxTable, eventsTable, eventKeysTable, objectEventsTable, objectsTable, relationsTable,
	factsTable, referenceTable, crossReferencesTable, transactionsTable, expectationsTable, timersTable, momentsTable, passedTable, stepsTable, stepMembersTable, commandKeysTable, attemptsTable,
	documentsTable, sightingsTable, editsTable, exceptionsTable, waitsTable, actsTable, auditTable, feedsTable, commitsTable,
}

// try runs one database transaction: lock the feeds, load what is touched, decide
// entry by entry, write in bulk, commit. It is the only place that begins or ends
// a transaction on record.
func (c *committer) try(ctx context.Context, b *batch) (later []*item, err error) {
	if c.ledger.store.dialect == postgres {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, commitTimeout)
		defer cancel()
	}
	if c.session == nil {
		if c.session, err = c.ledger.store.session(ctx); err != nil {
			return nil, err
		}
		c.ledger.findWAL()
	}
	start := c.ledger.cfg.Clock()
	if err := c.step(ctx, "begin", c.session.begin); err != nil {
		return nil, &unanswered{"BEGIN", err}
	}
	t := &transaction{
		session: c.session, ledger: c.ledger, batch: b, now: start.UnixMicro(), feeds: map[string]*feed{}, rows: map[*table][][]any{},
		states: map[event.Ref]bool{}, inbox: map[string]bool{}, keys: map[string]bool{},
		raised: map[string][]any{}, waits: map[string][][]any{}, following: newFollowing(), awaited: newAwaited(), moments: newMoments(),
	}
	later, done, err := t.run(ctx)
	if err != nil || done {
		c.session.rollback(ctx)
	}
	if err != nil {
		return nil, err
	}
	if !done {
		if err := c.step(ctx, "commit", c.session.commit); err != nil {
			return nil, &unanswered{"COMMIT", err}
		}
	}
	c.ledger.committed(b, c.ledger.cfg.Clock().Sub(start))
	if slices.Sort(b.due); len(b.due) > 0 {
		c.ledger.cfg.Due(slices.Compact(b.due))
	}
	c.ledger.logged("find who waited", c.wake(ctx, b))
	return later, nil
}

// step runs one external write, or in tests lets it fail before or after.
func (c *committer) step(ctx context.Context, name string, do func(context.Context) error) error {
	if err := c.ledger.cfg.Faults("before " + name); err != nil {
		return err
	}
	if err := do(ctx); err != nil {
		return err
	}
	return c.ledger.cfg.Faults("after " + name)
}

// run does all between BEGIN and COMMIT. done says that an earlier try of the
// same batch is on record already.
func (t *transaction) run(ctx context.Context) (later []*item, done bool, err error) {
	if err := t.lockFeeds(ctx); err != nil {
		return nil, false, err
	}
	if done, err := t.alreadyCommitted(ctx); done || err != nil {
		return t.batch.later, done, err
	}
	if t.w, err = t.load(ctx); err != nil {
		return nil, false, err
	}
	if t.untimely, err = t.timely(ctx); err != nil {
		return nil, false, err
	}
	if later, err = t.decideAll(ctx); err != nil {
		return nil, false, err
	}
	t.batch.later, t.batch.wanted, t.batch.waiting = later, t.wanted, t.waits
	t.batch.begun, t.batch.settled = t.following.begun, t.following.settled
	if err := t.write(ctx); err != nil {
		return nil, false, err
	}
	t.batch.exceptions = t.counts
	return later, false, t.ledger.cfg.Faults("after write")
}

// lockFeeds takes the feeds of all plants in the batch, in order of plant. From
// here on no other node changes anything of these plants.
func (t *transaction) lockFeeds(ctx context.Context) error {
	var plants []string
	for _, it := range t.batch.items {
		plants = append(plants, it.plant())
	}
	slices.Sort(plants)
	plants = slices.Compact(plants)
	query := "select plant, epoch, last, recorded, link, head from feeds where " + t.dialect.isIn("plant", "$1") + " order by plant" + t.forUpdate()
	read := func() error {
		return t.each(ctx, query, []any{t.dialect.list(plants)}, func(r Row) error {
			f := &feed{}
			if err := r.Scan(&f.plant, &f.epoch, &f.last, &f.recorded, &f.link, &f.head); err != nil {
				return err
			}
			t.feeds[f.plant] = f
			return nil
		})
	}
	if err := read(); err != nil {
		return err
	}
	if len(t.feeds) == len(plants) {
		return nil
	}
	for _, plant := range plants {
		if t.feeds[plant] != nil {
			continue
		}
		if err := t.exec(ctx, "insert into feeds (plant, epoch, last, recorded, link, head) values ($1, $2, 0, 0, 0, '') on conflict do nothing",
			plant, t.ledger.epoch); err != nil {
			return err
		}
	}
	return read()
}

func (it *item) plant() string {
	if it.entry != nil {
		return it.entry.Message.Plant
	}
	if it.turn != nil {
		return it.turn.plant
	}
	return it.act.row.Plant
}

// alreadyCommitted looks for the batch where it was tried before.
func (t *transaction) alreadyCommitted(ctx context.Context) (bool, error) {
	found := false
	if !t.batch.tried {
		t.batch.tried = true
		return false, nil
	}
	err := t.each(ctx, "select 1 from commits where batch = $1", []any{t.batch.id}, func(Row) error {
		found = true
		return nil
	})
	return found, err
}

// decideAll folds the entries in order: decide, apply to what is known, gather rows.
func (t *transaction) decideAll(ctx context.Context) (later []*item, err error) {
	t.batch.events, t.batch.due = 0, nil
	deferred := map[string]bool{}
	for i, it := range t.batch.items {
		it.err, it.result = nil, Result{}
		if it.act != nil {
			if err := t.perform(ctx, it); err != nil {
				return nil, err
			}
			continue
		}
		t.w.Now = fromMicros(t.now)
		if it.turn != nil {
			if err := t.take(it); err != nil {
				return nil, err
			}
			continue
		}
		if it.entry.follows(deferred) {
			later = append(later, it)
			continue
		}
		if it.entry.Bulk != nil && t.turns[*it.entry.Bulk].bulk == "" {
			it.result = Result{Outcome: Stopped}
			continue
		}
		t.w.Last = t.feeds[it.entry.Message.Plant].last
		d := t.ledger.cfg.Decide(t.w, it.entry)
		if d.Outcome == Later {
			if i == 0 { // nothing of this commit stands in its way
				return nil, fmt.Errorf("ledger.Record: message %s is put off although it stands first", it.entry.Message.StatementID())
			}
			it.entry.defers(deferred)
			later = append(later, it)
			continue
		}
		if it.result, err = t.apply(it.entry, it.key, &d); err != nil {
			return nil, err
		}
		if it.entry.Replay != nil {
			err = t.tellReplay(it, &d)
		} else {
			t.tell(it.entry, &it.result)
		}
		if err != nil {
			return nil, err
		}
	}
	return later, nil
}

// perform does a write that is not a message. A Fault is its answer to the one who
// asked: it has written nothing then, and the rest of the batch goes on.
func (t *transaction) perform(ctx context.Context, it *item) error {
	f := t.feeds[it.act.row.Plant]
	at := f.tick(t.now)
	err := it.act.write(ctx, t.session, fromMicros(at))
	switch {
	case err == nil && it.act.row.Act != "": // what nobody decided is on record as a row alone
		t.addActAt(f, it.act.row, at)
		for _, a := range it.act.also {
			t.addAct(f, a)
		}
	case fault.Of(err) != nil:
		it.err, err = err, nil
	}
	return err
}

// keyed is a message with its key, which is a hash and worked out once.
type keyed struct {
	event.Message
	key string
}

// Key is the message's key.
func (m *keyed) Key() string { return m.key }

// StatementID is the id of the message's version.
func (m *keyed) StatementID() string { return event.StatementID(m.key, m.Version) }

// apply turns a decision into rows and keeps the working set true.
func (t *transaction) apply(e *Entry, key string, d *Decision) (Result, error) {
	m := &keyed{e.Message, key}
	m.Version = t.version(m, d)
	f := t.feeds[m.Plant]
	known := t.w.Inbox[m.Key()]
	for _, w := range e.Windows { // whatever becomes of it: it was told
		t.awaited.end(WindowTimer, windowKey(w.Transaction, w.Bundle))
	}
	result := Result{Outcome: d.Outcome, Message: m.StatementID(), Plant: m.Plant, Fault: d.Fault, Recorded: known.Recorded}
	if d.Outcome == Duplicate {
		t.agree(f, e, m)
	}
	if d.Outcome == Duplicate || d.Outcome == Again || d.Outcome == Refused || d.Outcome == Unforeseen || d.Same {
		result.Events, result.Position = t.standing(m.Key())
		return result, nil
	}
	recorded := f.tick(t.now)
	result.Recorded = fromMicros(recorded)
	if d.Keep {
		t.keepMessage(f, m, recorded)
	}
	for i := range d.Drafts {
		if err := t.recordDraft(f, m, &d.Drafts[i]); err != nil {
			return Result{}, err
		}
	}
	for ref, o := range d.Objects {
		o.Plant, o.Position, o.Recorded = m.Plant, f.last, fromMicros(f.recorded)
		before, known := t.w.Objects[ref]
		o.History, o.Complete = nil, before.Complete || !known
		if o.Complete {
			o.History = before.historyWith(ref, d.Drafts)
		}
		t.w.Objects[ref], t.states[ref] = o, true
	}
	t.follow(f, e, d)
	if d.Outcome != Held {
		t.sight(e, key, recorded)
	}
	t.settleInbox(f, e, d, m, known, recorded)
	t.answers(f, e, d, m)
	if e.Edit != nil {
		if err := t.edit(f, m, e.Edit); err != nil {
			return Result{}, err
		}
	}
	result.Events, result.Position = t.standing(m.Key())
	return result, nil
}

// version is the number of the version that a decision is about. The ledger numbers
// what it keeps: content that was refused as a conflict has a number too, though
// what stands never moved to it.
func (t *transaction) version(m *keyed, d *Decision) int {
	key := m.Key()
	known, versions := t.w.Inbox[key], t.w.Versions[key]
	if !d.Keep {
		if v, ok := versions[m.Digest]; ok && known.Digest != m.Digest {
			return v
		}
		return d.Version
	}
	newest := known.Version
	for _, v := range versions {
		newest = max(newest, v)
	}
	return newest + 1
}

// standing are the events that stand for a message, and the last one's position.
func (t *transaction) standing(message string) (ids []string, position int64) {
	for _, key := range t.w.ByMessage[message] {
		s := t.w.Statements[key]
		if s.Change == event.Reversal {
			continue
		}
		ids = append(ids, s.ID())
		position = max(position, s.Position)
	}
	return ids, position
}

// keepMessage adds a version of a message, its raw content apart and salted.
func (t *transaction) keepMessage(f *feed, m *keyed, recorded int64) {
	salt := make([]byte, 16)
	_, _ = rand.Read(salt) // never fails: it ends the process instead
	key := m.Key()
	row := []any{
		key, int64(m.Version), recorded, m.Plant, m.System, m.Name, m.ID, m.ContentType, m.Channel, m.Principal,
		m.Digest, contentDigest(salt, m.Body), f.link + 1, f.n,
	}
	f.n++
	f.rows++
	f.sum.message(row)
	t.add(messagesTable, row)
	body := m.Body
	if body == nil {
		body = []byte{}
	}
	t.add(contentsTable, []any{recorded, key, int64(m.Version), salt, body})
	if t.w.Versions[key] == nil {
		t.w.Versions[key] = map[string]int{}
	}
	t.w.Versions[key][m.Digest] = m.Version
}

func contentDigest(salt, body []byte) string {
	h := sha256.New()
	h.Write(salt)
	h.Write(body)
	return hex.EncodeToString(h.Sum(nil))
}

// settleInbox writes what the message's id stands for now, and the exception that
// begins or ends with it.
func (t *transaction) settleInbox(f *feed, e *Entry, d *Decision, m *keyed, known Inbox, recorded int64) {
	key := m.Key()
	now := known
	if d.Conflict {
		now.Conflict = m.Digest
	} else {
		now = Inbox{Held: d.Outcome == Held, Version: m.Version, Effective: known.Effective, Digest: m.Digest, Conflict: known.Conflict, Recorded: fromMicros(recorded)}
		if now.Held {
			now.Exception = ExceptionText(d.Fault)
		} else {
			now.Effective = m.Version
			if known.Effective != m.Version {
				t.spoken(f, e, m, known.Edit, len(d.Drafts))
			}
		}
		if now.Effective == known.Effective {
			now.Edit = known.Edit
		}
	}
	if !d.Conflict && known.Conflict == m.Digest { // what was refused beside what was held has taken its place
		if now.Conflict = ""; d.Outcome != Held {
			t.resolve(f, m, e.by(), m.Version, "recorded")
		}
	}
	now.events = t.w.ByMessage[key]
	t.w.Inbox[key], t.inbox[key] = now, true
	if known.Held && !d.Conflict {
		id := event.StatementID(key, known.Version)
		t.freed = append(t.freed, id)
		delete(t.waits, id)
		switch {
		case known.Waived: // its exception has ended, and stays as a person decided
		case e.Edit != nil:
			t.resolve(f, m, e.by(), known.Version, "its content was edited: "+m.StatementID())
		case m.Version != known.Version:
			t.resolve(f, m, e.by(), known.Version, "a later version of the message replaces it")
		case d.Outcome != Held:
			t.resolve(f, m, e.by(), known.Version, "recorded")
		}
	}
	if d.Outcome == Held {
		t.raise(f, e, d, m, recorded)
	} else {
		t.wanted = append(t.wanted, MessageWanted(key))
	}
}

func (t *transaction) raise(f *feed, e *Entry, d *Decision, m *keyed, recorded int64) {
	r := d.Fault
	deadline := t.promise(m.Key(), m.Version, Cause{m.Plant, m.System, aboutMessage, m.Name, r.Reason.Code}, d.Terms.from(recorded))
	id := m.StatementID()
	t.raised[id] = []any{
		m.Key(), int64(m.Version), m.Plant, m.System, m.Name, "open", r.Reason.Code, string(r.Reason.Class), r.Field, string(r.Ref),
		r.Explanation(), d.Owner, recorded, deadline, int64(0), "", aboutMessage,
	}
	t.noteMessage(e, r, m)
	t.addAct(f, Act{Plant: m.Plant, Principal: m.Principal, Act: "exception.raised", Subject: id, Detail: r.Reason.Code + ": " + r.Text()})
	t.waits[id] = nil
	for _, wanted := range d.Waits {
		t.waits[id] = append(t.waits[id], []any{wanted, m.Key(), int64(m.Version), recorded})
	}
}

func (t *transaction) resolve(f *feed, m *keyed, by string, version int, resolution string) {
	id := event.StatementID(m.Key(), version)
	t.moments.stirred[m.Key()] = true
	at := t.addAct(f, Act{Plant: m.Plant, Principal: by, Act: "exception.resolved", Subject: id, Detail: resolution})
	if row, ok := t.raised[id]; ok { // by an earlier entry of this commit
		row[exceptionState], row[exceptionEnded], row[exceptionResolution] = DeskResolved, at, resolution
		t.countEnded(row, DeskResolved, by, at)
	}
	t.ended = append(t.ended, ended{message: m.Key(), version: version, state: DeskResolved, by: by, resolution: resolution, at: at})
}

// addAct appends to the list of acts and to the link; it answers the act's time.
func (t *transaction) addAct(f *feed, a Act) int64 {
	at := f.tick(t.now)
	t.addActAt(f, a, at)
	return at
}

func (t *transaction) addActAt(f *feed, a Act, at int64) {
	row := []any{f.plant, f.link + 1, f.n, at, a.Principal, a.Act, a.Subject, a.Detail}
	f.n++
	f.rows++
	f.sum.act(row)
	t.add(actsTable, row)
}

func (t *transaction) add(to *table, row []any) { t.rows[to] = append(t.rows[to], row) }

// recordDraft gives a draft its place in the feed and gathers its rows.
func (t *transaction) recordDraft(f *feed, m *keyed, d *Draft) error {
	previous := t.w.Statements[d.Key]
	if d.Plant != f.plant || previous.Key != "" && previous.Plant != d.Plant {
		return fmt.Errorf("ledger.Record: event %s is of plant %q, its message of %q and the statement before of %q: a chain stays in one feed",
			d.Key, d.Plant, f.plant, previous.Plant)
	}
	f.last++
	if f.first == 0 {
		f.first = f.last
	}
	d.Position, d.Recorded, d.Message = f.last, fromMicros(f.tick(t.now)), m.StatementID()
	at := f.recorded
	row, err := eventRow(d, previous.Position, f.link+1)
	if err != nil {
		return err
	}
	facts, err := factRows(d, &previous, at)
	if err != nil {
		return fault.Wrap("ledger.Record", fault.QuantityInvalid, "", err)
	}
	f.rows++
	f.sum.event(row, facts)
	t.add(eventsTable, row)
	t.rows[factsTable] = append(t.rows[factsTable], facts...)
	t.addIndexes(d, at)
	t.addMasterData(d, &previous.Draft, at)
	t.batch.events++

	s := Statement{Draft: *d, Message: m.Key(), loaded: true}
	if previous.Key != "" && previous.Message != s.Message {
		t.w.ByMessage[previous.Message] = slices.DeleteFunc(t.w.ByMessage[previous.Message], func(k string) bool { return k == d.Key })
	}
	if !slices.Contains(t.w.ByMessage[s.Message], d.Key) {
		t.w.ByMessage[s.Message] = append(t.w.ByMessage[s.Message], d.Key)
	}
	t.w.Statements[d.Key], t.keys[d.Key] = s, true
	t.w.reached.note(&s.Draft)
	return nil
}

// addIndexes gathers what finds an event again: by object and by relation.
func (t *transaction) addIndexes(d *Draft, at int64) {
	for _, ref := range d.Refs {
		folds := slices.ContainsFunc(d.Folds, func(f Fold) bool { return f.Ref == ref })
		t.add(objectEventsTable, []any{string(ref), d.Plant, d.Position, at, d.Type, flag(folds)})
		t.wanted = append(t.wanted, EventWanted(d.Type, ref))
	}
	if d.Change == event.Reversal {
		return
	}
	for _, r := range d.Relations {
		t.add(relationsTable, []any{string(r.From), r.Kind, string(r.To), d.Key, d.Plant, d.Position})
	}
}

// addMasterData gathers the versions of reference data and of cross-references
// that an event publishes. A later statement withdraws what the one before said.
func (t *transaction) addMasterData(d, previous *Draft, at int64) {
	reversed := d.Change == event.Reversal
	if r := previous.Reference; r != nil && (reversed || !d.Reference.replaces(r)) {
		t.add(referenceTable, referenceRow(r, d.ID(), at, true))
	}
	for i := range previous.CrossReferences {
		x := &previous.CrossReferences[i]
		if reversed || !slices.ContainsFunc(d.CrossReferences, func(y CrossReference) bool { return y.replaces(x) }) {
			t.add(crossReferencesTable, crossReferenceRow(x, d.ID(), at, true))
		}
	}
	if reversed {
		return
	}
	if d.Reference != nil {
		t.add(referenceTable, referenceRow(d.Reference, d.ID(), at, false))
		t.wanted = append(t.wanted, ReferenceWanted(d.Reference.Ref))
	}
	for i := range d.CrossReferences {
		x := &d.CrossReferences[i]
		t.add(crossReferencesTable, crossReferenceRow(x, d.ID(), at, false))
		t.wanted = append(t.wanted, CrossReferenceWanted(x.System, x.Kind, x.ID), IdentifierWanted(x.System, x.Ref))
	}
}

// write sends the gathered rows, table by table. The last is the batch's own id, by
// which a lost COMMIT answer is looked up.
func (t *transaction) write(ctx context.Context) error {
	if err := errors.Join(t.endLate(ctx), t.writeTimers(ctx)); err != nil {
		return err
	}
	t.addFollowing()
	t.addStates()
	t.closeLinks()
	t.add(commitsTable, []any{t.batch.id, t.now})
	if err := t.release(ctx); err != nil {
		return err
	}
	if err := t.writeMoments(ctx); err != nil {
		return err
	}
	if err := t.insertAll(ctx, writeOrder[:], t.rows); err != nil {
		return err
	}
	if err := errors.Join(t.writeNoted(ctx), t.writeTold(ctx), t.writeEdits(ctx)); err != nil {
		return err
	}
	return errors.Join(t.writeFollowing(ctx), t.handOn(ctx), t.dropMoments(ctx))
}

// addStates gathers the rows that are written once per commit, whatever the
// number of entries that moved them.
func (t *transaction) addStates() {
	for _, key := range sortedKeys(t.inbox) {
		in := t.w.Inbox[key]
		state := "recorded"
		if in.Held {
			state = "held"
		}
		t.add(inboxTable, []any{key, state, int64(in.Version), int64(in.Effective), in.Digest, in.Conflict, strings.Join(in.events, "\n"), micros(in.Recorded)})
	}
	for _, key := range sortedKeys(t.keys) {
		s := t.w.Statements[key]
		t.add(eventKeysTable, []any{key, int64(s.Statement), string(s.Change), s.Plant, s.Position, micros(s.Recorded), s.Message, s.Digest})
	}
	for _, id := range sortedKeys(t.raised) {
		row := t.raised[id]
		t.add(exceptionsTable, row)
		t.counted(row[exceptionPlant], row[exceptionReason]).Opened++
	}
	for _, id := range sortedKeys(t.waits) {
		t.rows[waitsTable] = append(t.rows[waitsTable], t.waits[id]...)
	}
	for _, ref := range sortedKeys(t.states) {
		o := t.w.Objects[ref]
		t.add(objectsTable, []any{string(ref), ref.Kind(), canonicalState(o.State), o.Ordering, o.Plant, o.Position, micros(o.Recorded)})
	}
}

// release ends the exceptions and waits of messages that went on.
func (t *transaction) release(ctx context.Context) error {
	var keys, versions []string
	for _, id := range t.freed {
		key, version, err := event.ParseStatementID(id)
		if err != nil {
			return fmt.Errorf("ledger.release: %w", err)
		}
		keys, versions = append(keys, key), append(versions, versionText(key, version))
	}
	if len(keys) > 0 {
		err := t.exec(ctx, "delete from waits where "+t.dialect.isIn("message", "$1")+" and "+t.dialect.isIn(versionColumn, "$2"), t.dialect.list(keys), t.dialect.list(versions))
		if err != nil {
			return err
		}
	}
	return t.endExceptions(ctx, t.ended, false)
}
