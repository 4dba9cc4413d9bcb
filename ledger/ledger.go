// Package ledger keeps what is on record: one SQL database per site, SQLite or
// PostgreSQL, behind one committer.
//
// A message, its events, lineage, object states, facts and places in the feed are
// written in one database transaction, and only then acknowledged. The promises
// are in docs/ledger.md; Verify checks each. The ledger calls no system and holds
// no business rule: what follows from an entry is told by the Decide that it is
// opened with.
package ledger

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Config opens a ledger. Zero fields take the defaults named.
type Config struct {
	// Database is the path of a SQLite file, or a postgres:// URL.
	Database string
	// Name of the ledger, in origins and checkpoints. Default "gapless".
	Name string
	// Decide says what follows from an entry. Required for Record.
	Decide Decide
	// Concerns names the transactions, by id, that an event may move, those too that it
	// reaches through the relations of the Working. nil: none.
	Concerns func(w *Working, d *Draft) []string
	// Reaches names the ways from an event to transactions through relations. nil: none.
	Reaches func(d *Draft) []Reach
	// Woken is told the keys of messages that waited for what has just been
	// recorded. It is called by the committer and must not block.
	Woken func(messages []string)
	// Due is told the systems for which steps have come due. It is called by the
	// committer and must not block.
	Due func(systems []string)
	// Clock gives the present. Default time.Now.
	Clock func() time.Time
	// Log takes what the committer has to say. Default: nothing.
	Log *slog.Logger
	// BatchEntries and BatchBytes bound one commit. Default 512 and 8 MiB.
	BatchEntries int
	BatchBytes   int
	// DiskReserve is the free space, in bytes, below which nothing more is taken
	// into a SQLite ledger. Default 256 MiB.
	DiskReserve int64
	// Patience is how long a commit is tried again while the database is away.
	// Default 20 s.
	Patience time.Duration
	// Faults, in tests, makes a step of the commit fail. nil in production.
	Faults func(step string) error

	wall func() time.Time // the clock of the machine; in tests another
}

func (c Config) withDefaults() (Config, error) {
	var faults []error
	if c.Database == "" {
		faults = append(faults, errors.New("the ledger's Database is empty: name a SQLite file or a postgres:// URL"))
	}
	if c.Name == "" {
		c.Name = "gapless"
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	if c.wall == nil {
		c.wall = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.BatchEntries == 0 {
		c.BatchEntries = 512
	}
	if c.BatchBytes == 0 {
		c.BatchBytes = 8 << 20
	}
	if c.DiskReserve == 0 {
		c.DiskReserve = 256 << 20
	}
	if c.Patience == 0 {
		c.Patience = 20 * time.Second
	}
	if c.Concerns == nil {
		c.Concerns = func(*Working, *Draft) []string { return nil }
	}
	if c.Reaches == nil {
		c.Reaches = func(*Draft) []Reach { return nil }
	}
	if c.Due == nil {
		c.Due = func([]string) {}
	}
	if c.Woken == nil {
		c.Woken = func([]string) {}
	}
	if c.Faults == nil {
		c.Faults = func(string) error { return nil }
	}
	return c, errors.Join(faults...)
}

// Ledger is an open ledger. Writes are taken while Run runs; reads always.
type Ledger struct {
	cfg   Config
	store *store
	epoch int64

	single chan *request // one message each, somebody waits
	bulk   chan *request // of files and batches
	closed chan struct{} // Run has ended: nothing is taken any more

	mu     sync.Mutex
	moved  chan struct{} // closed and replaced at each commit: wakes those who follow the feed
	counts Counts

	exceptionCounts map[exceptionKey]*ExceptionCount // owned by mu

	commitsBefore int64 // at the last look of the keeper, which owns it

	diskChecked atomic.Int64 // unix milliseconds
	diskFull    atomic.Bool

	walSize       atomic.Int64  // bytes in SQLite's WAL since it started over; the committer counts
	walMoved      atomic.Int64  // of them, bytes whose pages are in the database file
	walGrown      chan struct{} // asks the keeper to move pages
	checkpointing sync.Mutex    // SQLite refuses a second checkpoint at the same time
	readGate      sync.RWMutex  // passed by each reader before it begins; locked while the WAL starts over

	access access
}

// Counts are totals since the ledger was opened, for metrics.
type Counts struct {
	Commits, Entries, Events int64
	Halved, Retried          int64
	Attempts, Settled        int64         // of steps: begun here, and brought to an end here
	CommitTime               time.Duration // sum
	Largest                  int           // entries in the largest commit
}

// Open opens the database, brings its schema up to date and makes it ready.
func Open(ctx context.Context, cfg Config) (*Ledger, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	st, err := openStore(ctx, cfg.Database)
	if err != nil {
		return nil, fmt.Errorf("ledger.Open: %w", err)
	}
	l := &Ledger{
		cfg: cfg, store: st,
		single: make(chan *request, 4*cfg.BatchEntries), bulk: make(chan *request, 4),
		closed: make(chan struct{}), moved: make(chan struct{}), walGrown: make(chan struct{}, 1), access: newAccess(),
		exceptionCounts: map[exceptionKey]*ExceptionCount{},
	}
	if err := st.migrate(ctx, cfg.Clock()); err != nil {
		st.close()
		return nil, err
	}
	if err := errors.Join(l.begin(ctx), l.await(ctx, st.write)); err != nil {
		st.close()
		return nil, err
	}
	return l, nil
}

// begin writes the ledger's own row once, and reads its epoch.
func (l *Ledger) begin(ctx context.Context) error {
	_, err := l.store.write.ExecContext(ctx, "insert into ledger (name, epoch, created) select $1, 1, $2 where not exists (select 1 from ledger)",
		l.cfg.Name, l.cfg.Clock().UnixMicro())
	if err != nil {
		return fmt.Errorf("ledger.Open: %w", err)
	}
	if err := l.store.write.QueryRowContext(ctx, "select name, epoch from ledger").Scan(&l.cfg.Name, &l.epoch); err != nil {
		return fmt.Errorf("ledger.Open: %w", err)
	}
	return nil
}

// Close lets the database go. Run must have returned.
func (l *Ledger) Close() { l.store.close() }

// Name is the ledger's name, as in checkpoints and origins.
func (l *Ledger) Name() string { return l.cfg.Name }

// Now is the ledger's clock.
func (l *Ledger) Now() time.Time { return l.cfg.Clock() }

// Database is "sqlite" or "postgres".
func (l *Ledger) Database() string { return l.store.dialect.String() }

// Counts since the ledger was opened.
func (l *Ledger) Counts() Counts {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.counts
}

// Moved is closed at the next commit of this node.
func (l *Ledger) Moved() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.moved
}

func (l *Ledger) committed(b *batch, took time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.countExceptions(b.exceptions)
	l.counts.Commits++
	l.counts.Entries += int64(len(b.items))
	l.counts.Events += int64(b.events)
	l.counts.Attempts += int64(b.begun)
	l.counts.Settled += int64(b.settled)
	l.counts.CommitTime += took
	l.counts.Largest = max(l.counts.Largest, len(b.items))
	close(l.moved)
	l.moved = make(chan struct{})
}

// micros is how times stand in the database; the zero time is 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// fromMicros reads micros back, in UTC.
func fromMicros(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}

// newID is 128 random bits in hex.
func newID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the process instead
	return hex.EncodeToString(b[:])
}
