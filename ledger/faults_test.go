package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/internal/testpostgres"
)

// errInjected is what a step of the commit fails with.
var errInjected = errors.New("injected")

// TestEveryStepOfACommitCanFail is the fault matrix: each external step fails
// before it is done or after it is done but unanswered, once or always. The answers
// must be true, and a sender that repeats what was not acknowledged must end with
// everything on record exactly once.
func TestEveryStepOfACommitCanFail(t *testing.T) {
	type want struct {
		answered bool // the entries are acknowledged although the step fails
		reason   *fault.Reason
	}
	matrix := map[string]struct{ once, always want }{
		"before begin":  {want{answered: true}, want{reason: fault.Unavailable}},
		"after begin":   {want{answered: true}, want{reason: fault.Unavailable}},
		"after write":   {want{answered: true}, want{}},
		"before commit": {want{answered: true}, want{reason: fault.Unavailable}},
		"after commit":  {want{answered: true}, want{answered: true}},
	}
	for database, dsn := range databases(t) {
		for step, times := range matrix {
			for frequency, want := range map[string]want{"once": times.once, "always": times.always} {
				t.Run(database+"/"+step+"/"+frequency, func(t *testing.T) {
					failOneStep(t, dsn, step, frequency == "always", want.answered, want.reason)
				})
			}
		}
	}
}

func failOneStep(t *testing.T, dsn, step string, always, answered bool, reason *fault.Reason) {
	var failing atomic.Bool
	var failed atomic.Int64
	var mu sync.Mutex
	var woken []string
	patience := 200 * time.Millisecond
	if answered { // however slow the machine is
		patience = time.Minute
	}
	l := open(t, dsn, Config{
		Patience: patience,
		Woken:    func(keys []string) { mu.Lock(); defer mu.Unlock(); woken = append(woken, keys...) },
		Faults: func(s string) error {
			if s != step || !failing.Load() {
				return nil
			}
			failed.Add(1)
			if !always {
				failing.Store(false)
			}
			return errInjected
		},
	})
	plant := fmt.Sprintf("p%d", time.Now().UnixNano())
	var entries []*Entry
	for i := range 5 {
		entries = append(entries, said(t, plant, fmt.Sprint(plant, i), "1", "2"))
	}
	waiting := said(t, plant, plant+"waiting")
	waiting.Fault, waiting.Waits = fault.New("test", fault.PredecessorMissing, "", ""), []string{MessageWanted(entries[0].Message.Key())}
	record(t, l, waiting)
	moved := l.Moved()

	failing.Store(true)
	results, err := l.RecordAll(t.Context(), entries)
	if failed.Load() == 0 {
		t.Fatal("the step did not fail")
	}
	if (err == nil) != answered || reason != nil && !errors.Is(err, reason) {
		t.Errorf("error = %v, want answered %v, reason %v", err, answered, reason)
	}
	for i, r := range results {
		if (r.Outcome == Recorded) != answered || !answered && r.Outcome != "" {
			t.Errorf("answer %d = %+v", i, r)
		}
		if answered {
			if e, err := l.Event(t.Context(), r.Events[1]); err != nil || e.Position != r.Position {
				t.Errorf("the answer %+v is not true: %+v, %v", r, e, err)
			}
		}
	}
	if answered {
		select {
		case <-moved:
		default:
			t.Error("who follows the feed was not told")
		}
		if mu.Lock(); len(woken) != 1 || woken[0] != waiting.Message.Key() {
			t.Errorf("woken = %v", woken)
		}
		mu.Unlock()
	}
	failing.Store(false)
	if n := len(everything(t, l, FeedFilter{Plants: []string{plant}})); n != map[bool]int{true: 10}[answered] {
		t.Errorf("%d events are on record, answered %v", n, answered)
	}

	again, err := l.RecordAll(t.Context(), entries)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range again {
		if want := map[bool]Outcome{true: Duplicate, false: Recorded}[answered]; r.Outcome != want {
			t.Errorf("sent again, answer %d = %+v, want %s", i, r, want)
		}
	}
	if n := len(everything(t, l, FeedFilter{Plants: []string{plant}})); n != 10 {
		t.Errorf("%d events are on record in the end, want 10", n)
	}
	for i := range 5 {
		if got := sums(t, l)[fmt.Sprint(plant, i)+" good"].String(); got != "3" {
			t.Errorf("good of entry %d = %s, want 3", i, got)
		}
	}
	contiguous(t, l)
}

// wire is a line to the PostgreSQL of the tests that can be cut.
type wire struct {
	listener net.Listener
	target   string
	mu       sync.Mutex
	cut      bool
	mends    int // a cut line works again after so many tries; 0 for never
	lines    map[net.Conn]bool
}

// newWire gives the URL of a database through a line that can be cut.
func newWire(t *testing.T, dsn string) (*wire, string) {
	t.Helper()
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	var listen net.ListenConfig
	listener, err := listen.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: listener, target: u.Host, lines: map[net.Conn]bool{}}
	go w.serve()
	t.Cleanup(func() { _ = listener.Close(); w.set(true) })
	u.Host = listener.Addr().String()
	return w, u.String()
}

func (w *wire) serve() {
	for {
		near, err := w.listener.Accept()
		if err != nil {
			return // closed with the test
		}
		far, err := net.Dial("tcp", w.target)
		if err != nil || !w.add(near, far) {
			_ = near.Close()
			continue
		}
		for _, pair := range [][2]net.Conn{{near, far}, {far, near}} {
			go func() {
				_, _ = io.Copy(pair[0], pair[1]) // ends when either side does
				_ = pair[0].Close()
				_ = pair[1].Close()
			}()
		}
	}
}

func (w *wire) add(lines ...net.Conn) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut && w.mends > 0 {
		w.mends--
		w.cut = w.mends > 0
	}
	for _, c := range lines {
		if w.cut {
			_ = c.Close()
		}
		w.lines[c] = true
	}
	return !w.cut
}

// set cuts the line or joins it again.
func (w *wire) set(cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut = cut
	for c := range w.lines {
		if cut {
			_ = c.Close()
		}
	}
	if cut {
		clear(w.lines)
	}
}

func TestADatabaseThatIsAwayLongerThanPatienceIsSaidToBeUnavailable(t *testing.T) {
	w, dsn := newWire(t, testpostgres.Database(t))
	l := open(t, dsn, Config{Patience: 500 * time.Millisecond})
	record(t, l, said(t, "graz", "a", "1"))
	w.set(true)
	if _, err := l.Record(t.Context(), said(t, "graz", "b", "1")); !errors.Is(err, fault.Unavailable) {
		t.Errorf("Record = %v, want unavailable", err)
	}
	w.set(false)
	if r := record(t, l, said(t, "graz", "b", "1")); r.Outcome != Recorded || r.Position != 2 {
		t.Errorf("afterwards: %+v", r)
	}
}

func TestADatabaseThatComesBackInTimeIsNotNoticedByTheSender(t *testing.T) {
	w, dsn := newWire(t, testpostgres.Database(t))
	l := open(t, dsn, Config{})
	record(t, l, said(t, "graz", "a", "1"))
	w.mends = 4
	w.set(true)
	if r := record(t, l, said(t, "graz", "b", "1")); r.Outcome != Recorded || r.Position != 2 {
		t.Errorf("Record = %+v", r)
	}
	if l.Counts().Retried == 0 {
		t.Error("the database was not away")
	}
}

// TestAServerProcessThatDiesInACommitLosesNothing ends the backend of the writing
// session at each place where that can happen.
func TestAServerProcessThatDiesInACommitLosesNothing(t *testing.T) {
	dsn := testpostgres.Database(t)
	for i, place := range []string{"after begin", "deciding", "after write", "before commit", "after commit", "between commits"} {
		t.Run(place, func(t *testing.T) {
			killer, err := sql.Open("pgx", dsn)
			if err != nil {
				t.Fatal(err)
			}
			defer killer.Close() //nolint:errcheck // it only ended sessions
			armed := true
			kill := func(at string) {
				if armed && at == place {
					armed = false
					terminate(t, killer)
				}
			}
			plant := fmt.Sprint("p", i)
			l := open(t, dsn, Config{
				Faults: func(step string) error { kill(step); return nil },
				Decide: func(w *Working, e *Entry) Decision { kill("deciding"); return restating(w, e) },
			})
			if place == "between commits" {
				armed = false
				record(t, l, said(t, plant, place+"0", "1"))
				terminate(t, killer)
			}
			results, err := l.RecordAll(t.Context(), []*Entry{said(t, plant, place+"a", "1", "2"), said(t, plant, place+"b", "1")})
			if err != nil || armed {
				t.Fatalf("%v; armed %v", err, armed)
			}
			for _, r := range results {
				if r.Outcome != Recorded {
					t.Errorf("%+v", r)
				}
			}
			statements := map[string]bool{}
			for _, e := range everything(t, l, FeedFilter{Plants: []string{plant}}) {
				if statements[e.ID()] || e.Statement != 1 {
					t.Errorf("on record twice: %s", e.ID())
				}
				statements[e.ID()] = true
			}
			if want := map[bool]int{false: 3, true: 4}[place == "between commits"]; len(statements) != want {
				t.Errorf("%d events are on record, want %d", len(statements), want)
			}
			contiguous(t, l)
		})
	}
}

// terminate ends all sessions of the ledger on this database but the caller's.
func terminate(t testing.TB, killer *sql.DB) {
	t.Helper()
	var ended int
	err := killer.QueryRowContext(t.Context(), `select count(pg_terminate_backend(pid)) from pg_stat_activity
		where datname = current_database() and application_name = 'gapless'`).Scan(&ended)
	if err != nil || ended == 0 {
		t.Errorf("%d sessions ended, %v", ended, err)
	}
}

func TestALockedSQLiteFileIsWaitedFor(t *testing.T) {
	dsn := databases(t)["sqlite"]
	l := open(t, dsn, Config{})
	record(t, l, said(t, "graz", "a", "1"))
	other, err := sql.Open("sqlite", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close() //nolint:errcheck // the file goes with the test
	conn, err := other.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(t.Context(), "begin immediate"); err != nil {
		t.Fatal(err)
	}
	answered := make(chan Result)
	go func() { r, _ := l.Record(context.WithoutCancel(t.Context()), said(t, "graz", "b", "1")); answered <- r }()
	select {
	case r := <-answered:
		t.Errorf("answered beside another writer: %+v", r)
	case <-time.After(300 * time.Millisecond):
	}
	if _, err := conn.ExecContext(t.Context(), "commit"); err != nil {
		t.Fatal(err)
	}
	if r := <-answered; r.Outcome != Recorded {
		t.Errorf("Record = %+v", r)
	}
}

func TestWhatIsTakenIsAnsweredWhenTheHubStops(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		g := newGate(restating)
		l, stop := openUntil(t, dsn, Config{Decide: g.Decide})
		var wg sync.WaitGroup
		var recorded, refused atomic.Int64
		for i := range 40 {
			wg.Go(func() {
				r, err := l.Record(t.Context(), said(t, "graz", fmt.Sprint(i), "1"))
				switch {
				case err == nil && r.Outcome == Recorded:
					recorded.Add(1)
				case errors.Is(err, fault.Unavailable):
					refused.Add(1)
				default:
					t.Errorf("%+v, %v", r, err)
				}
			})
		}
		<-g.entered
		close(g.open)
		stop()
		wg.Wait()
		l = open(t, dsn, Config{})
		if n := int64(len(contiguous(t, l))); n < recorded.Load() || recorded.Load()+refused.Load() != 40 {
			t.Errorf("%d on record, %d acknowledged, %d refused", n, recorded.Load(), refused.Load())
		}
		for i := range 40 {
			key := event.Identity("mes", "production.completed", fmt.Sprint(i), "s0")
			if all, err := l.Statements(t.Context(), key); err != nil || len(all) > 1 {
				t.Errorf("%v, %v", all, err)
			}
		}
	})
}
