package ledger

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// fold is the fold of restating, from the history alone.
func fold(kind string, events []Folded) (state map[string]any, ordering string, ok bool) {
	if kind != "lot" {
		return nil, "", false
	}
	order := func(f Folded) string {
		e := event.Event{Occurred: event.Span{From: f.Occurred}, Sequence: f.Sequence}
		return e.Order()
	}
	slices.SortStableFunc(events, func(a, b Folded) int {
		return cmp.Or(cmp.Compare(order(a), order(b)), cmp.Compare(a.Position, b.Position))
	})
	ids := []any{}
	for _, e := range events {
		ids, ordering = append(ids, e.ID), order(e)
	}
	return map[string]any{"events": ids}, ordering, true
}

// reacts and noted are a plan that reacts to what is followed, and needs to know no more.
func reacts(_ *Working, d *Draft) []string {
	if !strings.HasPrefix(d.Identity, "followed-") {
		return nil
	}
	return []string{TransactionID("lot-to-stock", d.Subject)}
}

func noted(state []byte, _ string) bool { return len(state) > 0 }

// gathersIn are the open bundles of a state that says "gathers post/1".
func gathersIn(state []byte) []string {
	bundles, _ := strings.CutPrefix(string(state), "gathers ")
	if bundles == string(state) {
		return nil
	}
	return strings.Fields(bundles)
}

// verify runs a verification with everything and gives its findings.
func verify(t testing.TB, l *Ledger, against ...Checkpoint) []string {
	t.Helper()
	report, err := l.Verify(t.Context(), VerifyOptions{Against: against, Refold: fold, Reacts: reacts, Noted: noted, Gathers: gathersIn})
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, c := range report.Checks {
		for _, f := range c.Findings {
			all = append(all, c.Name+": "+f)
		}
	}
	if report.OK() != (len(all) == 0) {
		t.Errorf("OK is %v with findings %q", report.OK(), all)
	}
	return all
}

func wantInOrder(t testing.TB, l *Ledger) {
	t.Helper()
	for _, f := range verify(t, l) {
		t.Error(f)
	}
}

// masterData publishes a material of a supplier's number from a time on.
func masterData(t testing.TB, plant, id, title string) *Entry {
	t.Helper()
	ref := event.Ref("material/" + id)
	e := &Entry{
		Message:  event.Message{System: "erp", Name: "material", ID: id, Plant: plant, ContentType: "application/json", Channel: "test", Principal: "erp", Body: []byte(title)},
		Restates: true, Mapping: "erp/material", Revision: "r1",
	}
	e.Message.Digest = digestOf(t, []string{id, title})
	d := Draft{Event: event.Event{
		Type: "material.changed", Version: 1, System: "erp", Plant: plant, Identity: id, Slot: "material", Subject: ref,
		Occurred: event.Span{From: base, To: base}, Data: map[string]any{"title": title}, Refs: []event.Ref{ref}, Mapping: "erp/material", Revision: "r1",
	}}
	d.Key = event.Identity(d.System, d.Type, d.Identity, d.Slot)
	d.Digest = e.Message.Digest
	d.Reference = &Reference{Ref: ref, Plant: plant, ValidFrom: base, Body: d.Data}
	d.CrossReferences = []CrossReference{{System: "mes", Kind: "material", ID: "local-" + id, Ref: ref, ValidFrom: base}}
	e.Drafts = []Draft{d}
	return e
}

// unreadable is a message that is held for the data itself.
func unreadable(t testing.TB, plant, id string, waits ...string) *Entry {
	t.Helper()
	e := said(t, plant, id, "1")
	e.Drafts, e.Waits, e.Fault = nil, waits, fault.New("test", fault.IdentifierUnknown, "lot", "nobody knows it")
	return e
}

// fill puts at least one of everything on record.
func fill(t testing.TB, l *Ledger) {
	t.Helper()
	for i := range 12 {
		record(t, l, said(t, "graz", fmt.Sprintf("shift-%d", i), "12.5", "0.0000005"))
	}
	record(t, l, said(t, "linz", "shift-l", "7"))
	record(t, l, said(t, "graz", "shift-3", "13", "0.0000005")) // a correction
	record(t, l, said(t, "graz", "shift-4", "12.5"))            // a reversal of the second slot
	record(t, l, said(t, "graz", "shift-4", "12.5", "8"))       // which happened after all
	record(t, l, masterData(t, "graz", "M-7", "a bolt"))
	record(t, l, masterData(t, "graz", "M-7", "a long bolt"))
	record(t, l, unreadable(t, "graz", "held", "reference:material/M-8"))
	record(t, l, unreadable(t, "graz", "went-on", "reference:material/M-8"))
	record(t, l, said(t, "graz", "went-on", "1"))
	strict := said(t, "graz", "strict", "3")
	strict.Restates = false
	record(t, l, strict)
	other := said(t, "graz", "strict", "4")
	other.Restates = false
	record(t, l, other)
	r := record(t, l, said(t, "graz", "personal", "5"))
	if err := l.Erase(t.Context(), "anna", r.Message, "a name was in it"); err != nil {
		t.Fatal(err)
	}
	if err := l.Release(t.Context(), "anna", "r1", []byte("archive")); err != nil { // of no plant
		t.Fatal(err)
	}
	record(t, l, unreadable(t, "graz", "edited"))
	record(t, l, edited(t, "graz", "edited", 1))
	asked := said(t, "graz", "asked", "1")
	record(t, l, asked)
	if _, err := l.AskCorrection(t.Context(), Correction{
		Message: asked.Message.Key(), Version: 1, Plant: "graz", System: "mes", Name: "shift-report", SourceID: "asked", What: "the lot", AskedOf: "mes", AskedBy: "quinn", Due: l.Now().Add(time.Hour),
	}); err != nil {
		t.Fatal(err)
	}
	record(t, l, said(t, "graz", "followed-1", "1"))
	due, err := l.Due(t.Context(), "graz", "erp", 10)
	if err != nil || len(due) != 1 || due[0].Event.Key == "" {
		t.Fatalf("due: %+v, %v", due, err)
	}
	begun, err := l.Claim(t.Context(), "graz", "node-1", nil, []Begin{{Step: due[0].Key, Digest: "d", Attempts: due[0].Attempts, Until: micros(l.Now().Add(time.Hour))}})
	if err != nil || !begun[0].OK {
		t.Fatalf("begun: %+v, %v", begun, err)
	}
}

// edited is a message that was edited in a field of the record, by two people.
func edited(t testing.TB, plant, id string, original int) *Entry {
	t.Helper()
	e := said(t, plant, id, "2")
	e.Message.Channel, e.Message.Principal, e.By = EditChannel, "alma", "alma"
	e.Edit = &Edit{
		Original: original, Plant: plant, System: "mes", Name: "shift-report", SourceID: id, Why: "read at the scale", Digest: "d",
		Changes: []FieldChange{{Field: "lot", Before: "4711", After: "4712", Role: Quality, Second: Approver}},
		Author:  Signature{By: "quinn", Roles: []string{Quality}, Meaning: MeaningEdited, Digest: "d", At: base}, Second: &Signature{By: "alma", Roles: []string{Approver}, Meaning: MeaningChecked, Digest: "d"},
	}
	return e
}

func TestVerifyFindsNothingInALedgerThatWasLeftAlone(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{})
		wantInOrder(t, l) // empty
		fill(t, l)
		before, err := l.Checkpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		record(t, l, said(t, "graz", "later", "1"))
		var done, total int64
		report, err := l.Verify(t.Context(), VerifyOptions{Against: []Checkpoint{before}, Refold: fold, Reacts: reacts, Noted: noted, Gathers: gathersIn, Progress: func(d, n int64) {
			if d < done || d > n {
				t.Errorf("progress goes from %d to %d of %d", done, d, n)
			}
			done, total = d, n
		}})
		if err != nil {
			t.Fatal(err)
		}
		if done != total || done == 0 {
			t.Errorf("progress ends at %d of %d", done, total)
		}
		head, err := l.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if diff := gocmp.Diff(head, report.At); diff != "" {
			t.Errorf("verified up to (-head +report):\n%s", diff)
		}
		promises := map[int]bool{}
		for _, c := range report.Checks {
			promises[c.Promise] = true
			if c.Looked == 0 {
				t.Errorf("%s looked at nothing", c.Name)
			}
			for _, f := range c.Findings {
				t.Errorf("%s: %s", c.Name, f)
			}
		}
		for _, n := range []int{2, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 18, 21, 22, 27} {
			if !promises[n] {
				t.Errorf("no check is about promise %d", n)
			}
		}
		if len(report.Skipped) > 0 {
			t.Errorf("skipped: %q", report.Skipped)
		}
	})
}

func TestVerifySaysWhatItDidNotLookAt(t *testing.T) {
	l := open(t, databases(t)["sqlite"], Config{})
	report, err := l.Verify(t.Context(), VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	var skipped []string
	for _, s := range report.Skipped {
		what, _, _ := strings.Cut(s, ":")
		skipped = append(skipped, what)
	}
	if diff := gocmp.Diff([]string{"object states", "reactions", "windows", "checkpoints"}, skipped); diff != "" {
		t.Errorf("skipped (-want +got):\n%s", diff)
	}
}

// tampering is somebody with the database's password.
type tampering struct {
	*testing.T
	ledger *Ledger
}

func (t *tampering) exec(text string, args ...any) int64 {
	t.Helper()
	r, err := t.ledger.store.chores.ExecContext(t.Context(), text, args...)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	n, err := r.RowsAffected()
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// pick reads one row of a table.
func (t *tampering) pick(table, columns, where string) row {
	t.Helper()
	var rows []row
	err := t.ledger.Read(t.Context(), func(ctx context.Context, r *Reader) error {
		var err error
		rows, err = r.rows(ctx, fmt.Sprintf("select %s from %s where %s limit 1", columns, table, where), nil, strings.Count(columns, ",")+1)
		return err
	})
	if err != nil || len(rows) == 0 {
		t.Fatalf("no row of %s where %s: %v", table, where, err)
	}
	return rows[0]
}

// other is another value that the column can hold. Numbers of keys move far, so that
// they do not meet another row.
func other(table, column string, key []string, v any) any {
	closed := map[string]string{"recorded": "held", "held": "recorded", "open": "waived", "": "correction", "correction": "reversal", "reversal": "correction"}
	switch v := v.(type) {
	case int64:
		switch column {
		case "sign":
			return -v
		case "disputed", "folds", "withdrawn":
			return 1 - v
		}
		if slices.Contains(key, column) {
			return v + 1000
		}
		return v + 1
	case string:
		if column == "state" && table != "objects" || column == "change" && table == "event_keys" {
			return closed[v]
		}
		return v + "x"
	case []byte:
		return append(slices.Clone(v), 'x')
	}
	return nil
}

// where is a condition on a key.
func where(key []string, from int) string {
	parts := make([]string, len(key))
	for i, k := range key {
		parts[i] = fmt.Sprintf("%s = $%d", k, from+i)
	}
	return strings.Join(parts, " and ")
}

func names(t *table) []string {
	var all []string
	for _, c := range t.columns {
		all = append(all, c.name)
	}
	return all
}

// guarded are the tables, their keys, the columns of which no alteration may go
// unnoticed, and the row that is altered.
var guarded = []struct {
	table   string
	key     []string
	columns []string
	row     string
}{
	{"messages", []string{"key", "version", "recorded"}, names(messagesTable), "id = 'shift-3' and version = 1"},
	{"events", []string{"plant", "position", "recorded"}, names(eventsTable), "position = 3"},
	{"events", []string{"plant", "position", "recorded"}, names(eventsTable), "change = 'reversal'"},
	{"facts", []string{"plant", "position", "n", "recorded"}, names(factsTable), "position = 3 and n = 1"},
	{"facts", []string{"plant", "position", "n", "recorded"}, names(factsTable), "sign = -1"},
	{"acts", []string{"plant", "link", "n"}, names(actsTable), "act = 'exception.resolved'"},
	{"acts", []string{"plant", "link", "n"}, names(actsTable), "act = 'content.erased'"},
	{"contents", []string{"recorded", "key"}, names(contentsTable), "version = 2"},
	{"audit", []string{"plant", "link"}, []string{"plant", "link", "recorded", "first", "last", "rows", "digest", "hash"}, "plant = 'graz' and link = 5"},
	{"audit", []string{"plant", "link"}, []string{"plant", "link", "recorded", "first", "last", "rows", "digest", "hash"}, "plant = ''"},
	{"feeds", []string{"plant"}, []string{"plant", "last", "recorded", "link", "head"}, "plant = 'graz'"},
	{"event_keys", []string{"key"}, []string{"key", "statement", "change", "plant", "position", "recorded", "message"}, "statement = 1"},
	{"event_keys", []string{"key"}, []string{"key", "statement", "change", "plant", "position", "recorded", "message"}, "statement = 2"},
	{"inbox", []string{"key"}, []string{"key", "state", "version", "digest"}, "state = 'held'"},
	{"inbox", []string{"key"}, []string{"key", "state", "version", "effective", "digest", "events"}, "version = 2"},
	{"exceptions", []string{"message", "version"}, []string{"message", "version", "state", "ended"}, "state = 'open' and about = 'message' and reason <> 'identity_conflict'"},
	{"waits", []string{"wanted", "message", "version"}, []string{"message", "version"}, "wanted = 'reference:material/M-8'"},
	{"object_events", []string{"ref", "plant", "position"}, []string{"ref", "plant", "position", "recorded", "type", "folds"}, "position = 3"},
	{"relations", []string{"from_ref", "kind", "to_ref", "key", "position"}, []string{"from_ref", "kind", "to_ref", "key", "plant", "position"}, "position = 3"},
	{"objects", []string{"ref"}, []string{"ref", "kind", "state", "ordering"}, "ref = 'lot/M-1/shift-3'"},
	{"reference", []string{"ref", "plant", "valid_from", "recorded"}, []string{"event"}, "ref = 'material/M-7'"},
	{"edits", []string{"id"}, []string{"message", "original", "version", "changes", "why", "digest", "author", "second"}, "version > 0"},
	{"corrections", []string{"id"}, []string{"id", "state", "due"}, "state = 'open'"},
	{"cross_references", []string{"system", "kind", "id", "valid_from", "recorded"}, []string{"event"}, "kind = 'material'"},
}

func TestVerifyFindsEveryAlteredColumn(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{})
		fill(t, l)
		for _, g := range guarded {
			for _, column := range g.columns {
				t.Run(g.table+"."+column+" where "+g.row, func(t *testing.T) {
					w := &tampering{t, l}
					found := w.pick(g.table, column+", "+strings.Join(g.key, ", "), g.row)
					key := append([]any{}, found[1:]...)
					altered := other(g.table, column, g.key, found[0])
					update := fmt.Sprintf("update %s set %s = $1 where %s", g.table, column, where(g.key, 2))
					if n := w.exec(update, append([]any{altered}, key...)...); n != 1 {
						t.Fatalf("%d rows were altered", n)
					}
					if findings := verify(t, l); len(findings) == 0 {
						t.Errorf("%v instead of %v was not noticed", altered, found[0])
					}
					if i := slices.Index(g.key, column); i >= 0 {
						key[i] = altered
					}
					w.exec(update, append([]any{found[0]}, key...)...)
				})
			}
		}
		wantInOrder(t, l) // everything was put back
	})
}

func TestVerifyFindsEveryRemovedAndInsertedRow(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{})
		fill(t, l)
		for _, g := range guarded {
			i := slices.IndexFunc(writeOrder[:], func(t *table) bool { return t.name == g.table })
			if i < 0 {
				continue // feeds are not a list
			}
			columns := names(writeOrder[i])
			if g.table != "reference" && g.table != "cross_references" { // only the catalog knows which events publish master data
				t.Run("removed from "+g.table+" where "+g.row, func(t *testing.T) {
					w := &tampering{t, l}
					values := w.pick(g.table, strings.Join(columns, ", "), g.row)
					w.remove(g.table, g.key, columns, values)
					if findings := verify(t, l); len(findings) == 0 {
						t.Error("it was not noticed")
					}
					w.insert(g.table, columns, values)
				})
			}
			t.Run("inserted into "+g.table+" where "+g.row, func(t *testing.T) {
				w := &tampering{t, l}
				values := w.pick(g.table, strings.Join(columns, ", "), g.row)
				last := len(g.key) - 1 // of the key, leaving the time of partitions alone
				if last > 0 && g.key[last] == "recorded" {
					last--
				}
				at := slices.Index(columns, g.key[last])
				values[at] = other(g.table, g.key[last], g.key, values[at])
				if g.table == "reference" || g.table == "cross_references" {
					at = slices.Index(columns, "event")
					values[at] = strings.Repeat("0", 32)
				}
				w.insert(g.table, columns, values)
				if findings := verify(t, l); len(findings) == 0 {
					t.Error("it was not noticed")
				}
				w.remove(g.table, g.key, columns, values)
			})
		}
		wantInOrder(t, l)
	})
}

func (t *tampering) insert(table string, columns []string, values row) {
	t.Helper()
	t.exec(fmt.Sprintf("insert into %s (%s) values (%s)", table, strings.Join(columns, ", "), strings.Join(parameters(len(columns)), ", ")), values...)
}

func (t *tampering) remove(table string, key, columns []string, values row) {
	t.Helper()
	var of []any
	for _, k := range key {
		of = append(of, values[slices.Index(columns, k)])
	}
	if n := t.exec(fmt.Sprintf("delete from %s where %s", table, where(key, 1)), of...); n != 1 {
		t.Fatalf("%d rows were removed", n)
	}
}

func parameters(n int) []string {
	all := make([]string, n)
	for i := range all {
		all[i] = fmt.Sprintf("$%d", i+1)
	}
	return all
}

func TestVerifyNamesWhatItFound(t *testing.T) {
	l := open(t, databases(t)["sqlite"], Config{})
	fill(t, l)
	w := &tampering{t, l}
	w.exec("update facts set value = '99' where position = 3 and n = 0 and plant = 'graz'")
	want := []string{`audit chain: feed of "graz": link 2 was altered: the digest of its messages, events, facts and acts is another`}
	if diff := gocmp.Diff(want, verify(t, l), cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
}

// rehash makes the chain of a feed anew from what is in the tables, as somebody
// would who knows how this program works.
func (t *tampering) rehash(plant string) {
	t.Helper()
	v := &verification{ledger: t.ledger}
	head := t.pick("feeds", "last, link", "plant = '"+plant+"'")
	messages, acts := v.stream(messagesTable, plant, head.number(1), "link", "n"), v.stream(actsTable, plant, head.number(1), "link", "n")
	events, facts := v.stream(eventsTable, plant, head.number(0), "position"), v.stream(factsTable, plant, head.number(0), "position", "n")
	links := v.stream(auditTable, plant, head.number(1), "link")
	hash := ""
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	must(links.upTo(t.Context(), auditLink, head.number(1), func(r row) error {
		var sum linkSum
		link := r.number(auditLink)
		must(messages.upTo(t.Context(), messageLink, link, func(m row) error { sum.message(m); return nil }))
		must(events.upTo(t.Context(), eventPosition, r.number(auditLast), func(e row) error {
			var own [][]any
			must(facts.upTo(t.Context(), factPosition, e.number(eventPosition), func(f row) error { own = append(own, f); return nil }))
			sum.event(e, own)
			return nil
		}))
		must(acts.upTo(t.Context(), actLink, link, func(a row) error { sum.act(a); return nil }))
		digest := sum.digest()
		hash = linkHash(hash, plant, link, r.number(auditRecorded), r.number(auditFirst), r.number(auditLast), r.number(auditRows), digest)
		t.exec("update audit set digest = $1, hash = $2 where plant = $3 and link = $4", digest, hash, plant, link)
		return nil
	}))
	t.exec("update feeds set head = $1 where plant = $2", hash, plant)
}

func TestOnlyACheckpointFindsAChainThatWasMadeAnew(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{})
		fill(t, l)
		kept, err := l.Checkpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		w := &tampering{t, l}
		w.exec("update acts set detail = 'nothing to see' where act = 'content.erased'")
		w.rehash("graz")
		if findings := verify(t, l); len(findings) > 0 {
			t.Fatalf("the chain was not made anew as a whole: %q", findings)
		}
		findings := verify(t, l, kept)
		if len(findings) != 1 || !strings.Contains(findings[0], "is not the one of the checkpoint") {
			t.Errorf("against the checkpoint: %q", findings)
		}
	})
}

func TestACheckpointFindsALedgerThatEndsBeforeIt(t *testing.T) {
	l := open(t, databases(t)["sqlite"], Config{})
	fill(t, l)
	kept, err := l.Checkpoint(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	kept.Feeds[1].Link++
	if findings := verify(t, l, kept); len(findings) != 1 || !strings.Contains(findings[0], "ends before it") {
		t.Errorf("findings: %q", findings)
	}
	kept.Feeds[1].Link--
	kept.Origin = "another"
	if findings := verify(t, l, kept); len(findings) != 1 || !strings.Contains(findings[0], `ledger "another"`) {
		t.Errorf("findings: %q", findings)
	}
}

func TestVerifyFindsNothingBesideAWorkingHub(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{})
		fill(t, l)
		var stop atomic.Bool
		var workers sync.WaitGroup
		for n := range 4 {
			workers.Go(func() {
				for i := 0; !stop.Load(); i++ {
					id := fmt.Sprintf("live-%d-%d", n, i%7)
					e := said(t, []string{"graz", "linz"}[n%2], id, fmt.Sprint(i), fmt.Sprint(i+1))
					if i%5 == 4 {
						e.Drafts, e.Fault, e.Waits = nil, fault.New("test", fault.IdentifierUnknown, "", ""), []string{"reference:material/M-8"}
					}
					r, err := l.Record(t.Context(), e)
					if err == nil && i%11 == 10 {
						err = l.Erase(t.Context(), "anna", r.Message, "live")
					}
					if err != nil {
						t.Error(err)
						return
					}
				}
			})
		}
		for range 6 {
			wantInOrder(t, l)
		}
		stop.Store(true)
		workers.Wait()
		wantInOrder(t, l)
	})
}

func TestAWalkReadsSmallerPagesWhereTheyTakeTooLong(t *testing.T) {
	l := open(t, databases(t)["sqlite"], Config{})
	fill(t, l)
	w := &walk{columns: []string{"key", "version", "recorded"}, from: "messages", key: []any{"", least, least}, limit: 16}
	asked, seen := 0, 0
	for {
		page, err := w.next(t.Context(), l, func(ctx context.Context, _ *Reader, page []row) error {
			asked++
			if len(page) > 4 { // as if the disk were slow
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
		if page == nil {
			break
		}
		seen += len(page)
	}
	total, err := l.Count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if int64(seen) != total.Messages || w.limit != 4 {
		t.Errorf("saw %d of %d messages in pages of %d", seen, total.Messages, w.limit)
	}
}
