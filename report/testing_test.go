package report_test

import (
	"context"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/internal/testpostgres"
	"github.com/gapless/gapless/ledger"
)

// onBoth runs a test over an empty ledger of each database. Without
// GAPLESS_TEST_POSTGRES a subtest says that PostgreSQL was left out:
// `scripts/postgres run -- go test ./report` gives one.
func onBoth(t *testing.T, test func(t *testing.T, b *book)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { test(t, open(t, filepath.Join(t.TempDir(), "gapless.db"))) })
	t.Run("postgres", func(t *testing.T) {
		test(t, open(t, testpostgres.Database(t)))
	})
}

// book is a ledger that a test fills.
type book struct {
	*ledger.Ledger
	t *testing.T
}

// open opens a ledger, runs its committer and ends both with the test.
func open(t *testing.T, dsn string) *book {
	t.Helper()
	l, err := ledger.Open(t.Context(), ledger.Config{Database: dsn, Decide: decide, DiskReserve: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		l.Close()
	})
	return &book{l, t}
}

// decide records what is stated: the first time as it is, then as a correction or,
// where the draft says so, a reversal. A fault holds.
func decide(w *ledger.Working, e *ledger.Entry) ledger.Decision {
	known, seen := w.Inbox[e.Message.Key()]
	version, keep := known.Version+1, true
	if seen && known.Digest == e.Message.Digest {
		if !known.Held {
			return ledger.Decision{Outcome: ledger.Duplicate, Version: known.Version}
		}
		version, keep = known.Version, false
	}
	if e.Fault != nil {
		return ledger.Decision{Outcome: ledger.Held, Version: version, Keep: keep, Fault: e.Fault, Waits: e.Waits}
	}
	d := ledger.Decision{Outcome: ledger.Recorded, Version: version, Keep: keep}
	for _, draft := range e.Drafts {
		before, ok := w.Statements[draft.Key]
		draft.Statement = before.Statement + 1
		if ok && draft.Change == event.First {
			draft.Change = event.Correction
		}
		d.Drafts = append(d.Drafts, draft)
	}
	return d
}

// What a shift made of one thing, as a message of one event states it.
type stated struct {
	message  string // id of the message; default is id
	id       string // of the statement
	plant    string // default graz
	day      string
	shift    string
	change   event.Change
	disputed bool
	facts    []event.Fact
}

var happened = time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)

// entry is the statement as it reaches the ledger.
func (s stated) entry(t *testing.T) *ledger.Entry {
	t.Helper()
	if s.message == "" {
		s.message = s.id
	}
	if s.plant == "" {
		s.plant = "graz"
	}
	var content []any
	for _, f := range s.facts {
		content = append(content, f.Measure, f.Base.String(), string(f.Material), string(f.Order), f.Reason)
	}
	digest, err := event.Digest([]any{s.id, s.day, s.shift, string(s.change), s.disputed, content})
	if err != nil {
		t.Fatal(err)
	}
	d := ledger.Draft{Digest: digest, Event: event.Event{
		Key: event.Identity("mes", "production.completed", s.plant+"/"+s.id, "good"), Change: s.change,
		Type: "production.completed", Version: 1, System: "mes", Plant: s.plant, Identity: s.id, Slot: "good", Subject: "order/1",
		Occurred: event.Span{From: happened, To: happened}, Day: s.day, Shift: s.shift, Disputed: s.disputed,
		Data: map[string]any{"id": s.id}, Refs: []event.Ref{"order/1"}, Facts: s.facts, Revision: "r1",
	}}
	for _, f := range s.facts {
		for _, ref := range []event.Ref{f.Order, f.Material} {
			if ref != "" && !slices.Contains(d.Refs, ref) {
				d.Refs = append(d.Refs, ref)
			}
		}
	}
	return &ledger.Entry{Message: s.kept(digest), Drafts: []ledger.Draft{d}, Revision: "r1"}
}

func (s stated) kept(digest string) event.Message {
	return event.Message{
		System: "mes", Name: "shift-report", ID: s.plant + "/" + s.message, Plant: s.plant, ContentType: "application/json", Channel: "http", Principal: "system/mes",
		Body: []byte(`{"id":"` + s.id + `"}`), Digest: digest, Received: happened,
	}
}

// state records a statement and answers what became of it.
func (b *book) state(s stated) ledger.Result {
	b.t.Helper()
	r, err := b.Record(b.t.Context(), s.entry(b.t))
	if err != nil {
		b.t.Fatal(err)
	}
	if r.Outcome != ledger.Recorded {
		b.t.Fatalf("%s: %s", s.id, r.Outcome)
	}
	return r
}

// hold keeps a message that cannot go on.
func (b *book) hold(id, plant string, reason *fault.Reason, ref event.Ref) ledger.Result {
	b.t.Helper()
	s := stated{message: id, id: id, plant: plant}
	f := fault.New("test", reason, "", "")
	f.Ref = ref
	r, err := b.Record(b.t.Context(), &ledger.Entry{Message: s.kept("digest of " + id), Fault: f})
	if err != nil {
		b.t.Fatal(err)
	}
	if r.Outcome != ledger.Held {
		b.t.Fatalf("%s: %s", id, r.Outcome)
	}
	return r
}

func (b *book) head() ledger.Cursor {
	b.t.Helper()
	c, err := b.Head(b.t.Context())
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

// made is a fact of an amount in a base unit.
func made(t *testing.T, measure, amount, unit string) event.Fact {
	t.Helper()
	q, err := event.NewQuantity(amount, unit)
	if err != nil {
		t.Fatal(err)
	}
	return event.Fact{Measure: measure, Quantity: q, Base: q, Material: "material/M-1", Order: "order/1"}
}
