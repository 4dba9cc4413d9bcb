package ledger

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// EditChannel is the channel of message versions whose content a person has edited.
const EditChannel = "edit"

// Acts about edits.
const (
	actEdited       = "message.edited" // its subject is the edited version
	actEditProposed = "edit.proposed"  // its subject is the version to be edited
	actEditRefused  = "edit.refused"   // as before
	actEditAgreed   = "edit.agreed"    // its subject is the edited version
	actEditReplaced = "edit.replaced"  // as before
)

// The states of an edit.
const (
	EditProposed = "proposed" // waits for the signature of a second person; nothing follows from it
	EditRefused  = "refused"  // by that person
	EditMade     = "made"     // of technical fields: the edited content went on record
	EditOpen     = "open"     // of a field of the record: made, and the source says otherwise
	EditAgreed   = "agreed"   // the source has said the same since
	EditReplaced = "replaced" // the source has said something else since, which counts
)

// An Edit is content that a person has changed: a version of the message beside the one
// that came.
type Edit struct {
	ID         string // 32 hex digits
	Message    string // key of the message
	Original   int    // the version that was edited
	Version    int    // the version with the edited content; 0 while there is none
	Plant      string
	System     string
	Name       string // of the message
	SourceID   string
	State      string
	Changes    []FieldChange
	Why        string
	Digest     string     // of what was shown and signed
	Author     Signature  // of whoever edits
	Second     *Signature // of a second person; nil where none has signed
	Made       time.Time  // when it was proposed, or made
	Ended      time.Time  // when it was refused, or the difference closed
	Resolution string
}

// FieldChange is one field before and after an edit. Values are JSON: a text, a number,
// true or false; Before is nil where the field was absent.
type FieldChange struct {
	Field  string `json:"field"`
	Before any    `json:"before"`
	After  any    `json:"after"`
	Role   string `json:"role"`             // whose field it is, as the catalog says
	Second string `json:"second,omitempty"` // the role that has to sign too, for a field of the record
}

// What a signature means: a closed list.
const (
	MeaningEdited  = "edited: this is what is right"
	MeaningChecked = "checked: I agree to what was edited"
	MeaningRefused = "refused: this is not what is right"
)

// A Signature says who signed, in which roles, and what it means. What was signed is the
// digest of what was shown.
type Signature struct {
	By      string    `json:"by"`
	Roles   []string  `json:"roles"`
	Meaning string    `json:"meaning"`
	Digest  string    `json:"digest"`
	At      time.Time `json:"at"`
}

// OriginalID is the id of the version that was edited.
func (e *Edit) OriginalID() string { return event.StatementID(e.Message, e.Original) }

// VersionID is the id of the version with the edited content; "" while there is none.
func (e *Edit) VersionID() string {
	if e.Version == 0 {
		return ""
	}
	return event.StatementID(e.Message, e.Version)
}

// Seconds are the roles that have to sign besides the author; none for technical fields.
func (e *Edit) Seconds() []string {
	var roles []string
	for _, c := range e.Changes {
		if c.Second != "" && !slices.Contains(roles, c.Second) {
			roles = append(roles, c.Second)
		}
	}
	return roles
}

// change is an edit as the detail of an act.
func (e *Edit) change() Change {
	c := Change{Before: map[string]string{"version": e.OriginalID()}, After: map[string]string{}, Why: e.Why}
	for _, f := range e.Changes {
		c.Before[f.Field], c.After[f.Field] = plainValue(f.Before), plainValue(f.After)
	}
	c.Signatures = append(c.Signatures, e.Author)
	if e.Second != nil {
		c.Signatures = append(c.Signatures, *e.Second)
	}
	return c
}

// plainValue is a value as a person reads it.
func plainValue(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return v
	}
	return fmt.Sprint(v)
}

// editsTable is written by the commit that edits, and by the acts before and after it.
var editsTable = &table{
	name: "edits", columns: concat(texts("id", "message"), numbers("original", "version"), texts("plant", "system", "name", "source_id", "state", "changes", "why", "digest", "author", "second"),
		numbers("made", "ended"), texts("resolution")),
	conflict: `on conflict (id) do update set version = excluded.version, state = excluded.state, second = excluded.second, made = excluded.made
		where edits.state = 'proposed'`,
}

const editQuery = "select id, message, original, version, plant, system, name, source_id, state, changes, why, digest, author, second, made, ended, resolution from edits"

func (e *Edit) row() ([]any, error) {
	changes, err := json.Marshal(e.Changes)
	if err != nil {
		return nil, fmt.Errorf("ledger.edit: %w", err)
	}
	author, err := json.Marshal(e.Author)
	if err != nil {
		return nil, fmt.Errorf("ledger.edit: %w", err)
	}
	second := []byte{}
	if e.Second != nil {
		if second, err = json.Marshal(e.Second); err != nil {
			return nil, fmt.Errorf("ledger.edit: %w", err)
		}
	}
	return []any{
		e.ID, e.Message, int64(e.Original), int64(e.Version), e.Plant, e.System, e.Name, e.SourceID, e.State, string(changes), e.Why, e.Digest, string(author), string(second),
		micros(e.Made), micros(e.Ended), e.Resolution,
	}, nil
}

func scanEdit(r Row) (Edit, error) {
	var e Edit
	var changes, author, second string
	var made, ended int64
	err := r.Scan(&e.ID, &e.Message, &e.Original, &e.Version, &e.Plant, &e.System, &e.Name, &e.SourceID, &e.State, &changes, &e.Why, &e.Digest, &author, &second, &made, &ended, &e.Resolution)
	if err != nil {
		return e, err
	}
	e.Made, e.Ended = fromMicros(made), fromMicros(ended)
	return e, e.read(changes, author, second)
}

// read reads the columns that are JSON.
func (e *Edit) read(changes, author, second string) error {
	d := json.NewDecoder(strings.NewReader(changes))
	d.UseNumber()
	if err := d.Decode(&e.Changes); err != nil {
		return fmt.Errorf("edit %s: changes: %w", e.ID, err)
	}
	if d.More() {
		return fmt.Errorf("edit %s: changes: there is more than a list", e.ID)
	}
	if err := json.Unmarshal([]byte(author), &e.Author); err != nil {
		return fmt.Errorf("edit %s: author: %w", e.ID, err)
	}
	if second == "" {
		return nil
	}
	if err := json.Unmarshal([]byte(second), &e.Second); err != nil {
		return fmt.Errorf("edit %s: second: %w", e.ID, err)
	}
	return nil
}

// EditFilter chooses edits; empty fields choose all.
type EditFilter struct {
	Plants []string // what the asker may see; nil: all
	Only   string   // only what is of this system
	Open   bool     // only what waits for a signature, or for the source to agree
	Limit  int      // default 100
}

// Edits are those that a filter chooses, the newest first. What is proposed about a
// message that has moved on is not open.
func (l *Ledger) Edits(ctx context.Context, f EditFilter) ([]Edit, error) {
	c := f.conditions(l.store.dialect)
	return l.edits(ctx, editQuery+c.where()+fmt.Sprintf(" order by made desc, id limit %d", cmp.Or(f.Limit, 100)), c.args...)
}

// CountEdits is how many edits a filter chooses, whatever its limit.
func (l *Ledger) CountEdits(ctx context.Context, f EditFilter) (n int64, err error) {
	c := f.conditions(l.store.dialect)
	err = l.each(ctx, "select count(*) from edits"+c.where(), c.args, func(r Row) error { return r.Scan(&n) })
	return n, err
}

func (f *EditFilter) conditions(d dialect) *conditions {
	c := &conditions{dialect: d}
	if f.Open {
		c.add("state in ('proposed', 'open')")
		c.add("(state = 'open' or exists (select 1 from exceptions x where x.message = edits.message and x.version = edits.original and x.state = 'open'))")
	}
	c.within(f.Plants, f.Only)
	return c
}

// within adds that something is of the plants and the system: nil and "" for all.
func (c *conditions) within(plants []string, system string) {
	if plants != nil {
		c.list("plant", plants)
	}
	if system != "" {
		c.add("system = ?", system)
	}
}

// EditsOf are all edits of a message, oldest first.
func (l *Ledger) EditsOf(ctx context.Context, key string) ([]Edit, error) {
	return l.edits(ctx, editQuery+" where message = $1 order by made, id", key)
}

// Edit is one edit by its id.
func (l *Ledger) Edit(ctx context.Context, id string) (Edit, error) {
	all, err := l.edits(ctx, editQuery+" where id = $1", id)
	if err == nil && len(all) == 0 {
		err = fault.New("ledger.Edit", fault.NotFound, "edit", "no edit %.60s is on record", id)
	}
	if err != nil {
		return Edit{}, err
	}
	return all[0], nil
}

func (l *Ledger) edits(ctx context.Context, query string, args ...any) ([]Edit, error) {
	var all []Edit
	err := l.each(ctx, query, args, func(r Row) error {
		e, err := scanEdit(r)
		all = append(all, e)
		return err
	})
	return all, err
}

// ProposeEdit puts on record what a person wants to edit and a second one has to sign. The
// message is as it was. DecidedAlready where it has moved on, or something is proposed.
func (l *Ledger) ProposeEdit(ctx context.Context, e Edit) (Edit, error) {
	e.ID, e.State = newID(), EditProposed
	x, err := l.DeskOf(ctx, e.OriginalID())
	if err != nil {
		return e, err
	}
	err = l.actTelling(ctx, Act{Plant: x.Plant, Principal: e.Author.By, Act: actEditProposed, Subject: subjectOf(&x.Exception)}, func(ctx context.Context, s *session, at time.Time) (string, error) {
		now, err := s.standing(ctx, &x.Exception)
		if err == nil {
			err = errors.Join(now.open("ledger.ProposeEdit"), s.proposable(ctx, &e))
		}
		if err != nil {
			return "", err
		}
		e.Made, e.Author.At = at, at
		row, err := e.row()
		if err != nil {
			return "", err
		}
		c := e.change()
		c.Why = e.Why
		detail, err := c.text()
		return detail, errors.Join(err, s.insertAll(ctx, []*table{editsTable}, map[*table][][]any{editsTable: {row}}))
	})
	if err != nil { // whoever gives up waiting leaves e to the commit
		return Edit{}, err
	}
	return e, nil
}

// proposable is a fault where another edit of the version waits for a signature.
func (s *session) proposable(ctx context.Context, e *Edit) error {
	waits := false
	err := s.each(ctx, "select 1 from edits where message = $1 and original = $2 and state = 'proposed'", []any{e.Message, e.Original}, func(Row) error {
		waits = true
		return nil
	})
	if err == nil && waits {
		err = fault.New("ledger.ProposeEdit", fault.DecidedAlready, "exception", "an edit of it waits for a second signature: have that signed or refused first")
	}
	return err
}

// RefuseEdit ends what was proposed: the message is as it was.
func (l *Ledger) RefuseEdit(ctx context.Context, id string, by Signature, why string) error {
	if strings.TrimSpace(why) == "" {
		return fault.New("ledger.RefuseEdit", fault.InvalidRequest, "why", "say why: it goes on record")
	}
	e, err := l.Edit(ctx, id)
	if err != nil {
		return err
	}
	return l.actTelling(ctx, Act{Plant: e.Plant, Principal: by.By, Act: actEditRefused, Subject: e.OriginalID()}, func(ctx context.Context, s *session, at time.Time) (string, error) {
		by.At = at
		ended, err := s.endEdit(ctx, e.ID, EditProposed, EditRefused, at, why)
		if err != nil {
			return "", err
		}
		if !ended {
			return "", fault.New("ledger.RefuseEdit", fault.DecidedAlready, "edit", "the edit is no longer proposed")
		}
		c := Change{Before: map[string]string{"edit": EditProposed}, After: map[string]string{"edit": EditRefused}, Why: why, Signatures: []Signature{by}}
		return c.text()
	})
}

// endEdit moves an edit from one state to the next; false where it stands otherwise.
func (s *session) endEdit(ctx context.Context, id, from, to string, at time.Time, resolution string) (moved bool, err error) {
	err = s.each(ctx, "update edits set state = $1, ended = $2, resolution = $3 where id = $4 and state = $5 returning id", []any{to, micros(at), resolution, id, from}, func(Row) error {
		moved = true
		return nil
	})
	return moved, err
}

// edits is what one commit does with edits and corrections.
type edits struct {
	signed []string // ids of those that were proposed, and are made
	late   []string // ids of corrections that it raises
	closed map[closing][]string
}

// A closing is how rows of edits or corrections end in one commit.
type closing struct {
	at                          int64
	table, from, to, resolution string
}

func (x *edits) close(at int64, table, id, from, to, resolution string) {
	if x.closed == nil {
		x.closed = map[closing][]string{}
	}
	key := closing{at, table, from, to, resolution}
	x.closed[key] = append(x.closed[key], id)
}

// errMoved ends a commit in which an act has moved what an entry was decided on.
var errMoved = errors.New("ledger.edit: what was proposed or asked stands otherwise by now")

// An EditStanding is the edit by which a message stands.
type EditStanding struct {
	ID, State string
	version   int
}

// loadEdits reads by which edits messages of the batch stand, and which corrections were
// asked of them. What is new has neither: nothing is read for it.
func (t *transaction) loadEdits(ctx context.Context, _ *touched) error {
	seen := sortedKeys(t.w.Inbox)
	err := t.in(ctx, "select id, message, version, state from edits where version > 0 and ", "message", seen, func(r Row) error {
		var x EditStanding
		var message string
		err := r.Scan(&x.ID, &message, &x.version, &x.State)
		if in := t.w.Inbox[message]; err == nil && in.Effective == x.version {
			in.Edit = &x
			t.w.Inbox[message] = in
		}
		return err
	})
	if err != nil {
		return err
	}
	var signed []string
	for _, it := range t.batch.items {
		if it.entry != nil && it.entry.Edit != nil && it.entry.Edit.ID != "" {
			signed = append(signed, it.entry.Edit.ID)
		}
	}
	if err := t.in(ctx, "select id from edits where state = 'proposed' and ", "id", signed, func(r Row) error {
		var id string
		err := r.Scan(&id)
		t.w.Proposed[id] = true
		return err
	}); err != nil {
		return err
	}
	return t.in(ctx, correctionQuery+" where state = 'open' and ", "message", seen, func(r Row) error {
		c, err := scanCorrection(r)
		t.w.Asked[c.Message] = c
		return err
	})
}

// edit puts on record that a version of a message is edited content.
func (t *transaction) edit(f *feed, m *keyed, given *Edit) error {
	e := *given
	e.Message, e.Version = m.Key(), m.Version
	e.State = EditMade
	if len(e.Seconds()) > 0 {
		e.State = EditOpen
	}
	at := fromMicros(f.tick(t.now))
	e.Made = at
	if e.Second != nil {
		second := *e.Second
		second.At = at
		e.Second = &second
	} else {
		e.Author.At = at
	}
	c := e.change()
	detail, err := c.text()
	if err != nil {
		return fmt.Errorf("ledger.edit: %w", err)
	}
	t.addActAt(f, Act{Plant: m.Plant, Principal: m.Principal, Act: actEdited, Subject: m.StatementID(), Detail: detail}, micros(at))
	if e.ID == "" {
		e.ID = newID()
	} else {
		t.edits.signed = append(t.edits.signed, e.ID)
	}
	row, err := e.row()
	if err != nil {
		return err
	}
	t.add(editsTable, row)
	in := t.w.Inbox[m.Key()]
	in.Edit = &EditStanding{ID: e.ID, State: e.State, version: m.Version}
	t.w.Inbox[m.Key()] = in
	return nil
}

// closeEdit closes the difference of an edit by which a message stood: its source has
// spoken.
func (t *transaction) closeEdit(f *feed, m *keyed, by string, was *EditStanding, state, resolution string) {
	if was == nil || was.State != EditOpen {
		return
	}
	act := map[string]string{EditAgreed: actEditAgreed, EditReplaced: actEditReplaced}[state]
	t.addAct(f, Act{Plant: m.Plant, Principal: by, Act: act, Subject: event.StatementID(m.Key(), was.version), Detail: resolution})
	t.edits.close(t.now, "edits", was.ID, EditOpen, state, resolution)
	was.State = state
}

// agree closes a difference where the source sends what was edited.
func (t *transaction) agree(f *feed, e *Entry, m *keyed) {
	known := t.w.Inbox[m.Key()]
	if e.Edit != nil || e.By != "" || e.Replay != nil || known.Edit == nil || known.Version != known.Edit.version || known.Digest != m.Digest {
		return
	}
	const resolution = "the source has sent what was edited"
	t.closeEdit(f, m, m.Principal, known.Edit, EditAgreed, resolution)
	t.answer(f, m.Key(), m.Principal, resolution)
}

// spoken closes the difference by which a message stood that has another version now.
func (t *transaction) spoken(f *feed, e *Entry, m *keyed, was *EditStanding, statements int) {
	switch {
	case e.Edit != nil:
		t.closeEdit(f, m, e.by(), was, EditReplaced, "a later version of the message was edited")
	case statements == 0:
		t.closeEdit(f, m, m.Principal, was, EditAgreed, "the source has sent what says the same")
	default:
		t.closeEdit(f, m, m.Principal, was, EditReplaced, "the source has sent something else, which counts")
	}
}

// writeEdits ends what this commit ends of edits and corrections, and makes sure that
// what was proposed or asked stood as it was looked at. Where an act of the same commit
// has moved it, the commit is tried again in parts.
func (t *transaction) writeEdits(ctx context.Context) error {
	for _, key := range slices.SortedFunc(maps.Keys(t.edits.closed), func(a, b closing) int { return strings.Compare(a.table+a.to+a.resolution, b.table+b.to+b.resolution) }) {
		ids, moved := t.edits.closed[key], 0
		query := "update " + key.table + " set state = $1, ended = $2, resolution = $3 where state = $4 and " + t.dialect.isIn("id", "$5") + " returning id"
		err := t.each(ctx, query, []any{key.to, key.at, key.resolution, key.from, t.dialect.list(ids)}, func(Row) error { moved++; return nil })
		if err == nil && moved != len(ids) {
			err = errMoved
		}
		if err != nil {
			return err
		}
	}
	for _, gone := range []struct {
		ids   []string
		query string
	}{
		{t.edits.signed, "select count(*) from edits where version = 0 and "},
		{t.edits.late, "select count(*) from corrections where state <> 'open' and "},
	} {
		found := 0
		if err := t.in(ctx, gone.query, "id", gone.ids, func(r Row) error { return r.Scan(&found) }); err != nil {
			return err
		}
		if found > 0 {
			return errMoved
		}
	}
	return nil
}

// An EditedCount is how many events stand that were made of content that people have
// edited.
type EditedCount struct {
	Plant, System string
	Events        int64
	Open          int64 // of them, those of which the source says otherwise
}

// CountEdited counts the events that stand by edited content, by plant and system.
func (l *Ledger) CountEdited(ctx context.Context) ([]EditedCount, error) {
	type of struct{ plant, system string }
	counts := map[of]*EditedCount{}
	err := l.Read(ctx, func(ctx context.Context, r *Reader) error {
		clear(counts)
		edited := map[string]*EditedCount{} // by event key
		open := map[string]bool{}
		err := r.Query(ctx, `select e.plant, e.system, e.state, i.events from edits e join inbox i on i.key = e.message and i.effective = e.version where e.version > 0`, nil, func(row Row) error {
			var x of
			var state, events string
			if err := row.Scan(&x.plant, &x.system, &state, &events); err != nil {
				return err
			}
			if counts[x] == nil {
				counts[x] = &EditedCount{Plant: x.plant, System: x.system}
			}
			for key := range strings.FieldsSeq(events) {
				edited[key], open[key] = counts[x], state == EditOpen
			}
			return nil
		})
		if err != nil || len(edited) == 0 {
			return err
		}
		condition, arg := r.In("key", "$1", sortedKeys(edited))
		return r.Query(ctx, "select key from event_keys where change <> 'reversal' and "+condition, []any{arg}, func(row Row) error {
			var key string
			err := row.Scan(&key)
			if n := edited[key]; n != nil {
				n.Events++
				if open[key] {
					n.Open++
				}
			}
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("ledger.CountEdited: %w", err)
	}
	all := make([]EditedCount, 0, len(counts))
	for _, n := range counts {
		all = append(all, *n)
	}
	slices.SortFunc(all, func(a, b EditedCount) int { return strings.Compare(a.Plant+" "+a.System, b.Plant+" "+b.System) })
	return all, nil
}
