package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/gapless/gapless/fault"
)

// commitTimeout bounds one try of a commit on PostgreSQL; a server that takes longer
// is as good as away. SQLite waits for locks as long as its busy_timeout says and for
// the disk as long as that takes, which no context ends; its driver would start a
// goroutine for each statement to watch one.
const commitTimeout = 30 * time.Second

// races is how often a commit is tried again that another node has overtaken with
// the same key. What fails more often than that has a fault of its own.
const races = 5

// item is one unit of work in a commit, and where its answer goes.
type item struct {
	entry  *Entry
	key    string // of the entry's message: a hash, worked out by whoever waits
	act    *act   // instead of an entry: a write of a person or of the hub itself
	turn   *turn  // instead of an entry: attempts that begin or end
	result Result
	err    error
}

// act is a write that is not a message: keys, accounts, revisions, cursors. One without
// a name leaves no audit entry.
type act struct {
	row   Act
	also  []Act // what else write has done, filled in by it: its members' turns in bulk work
	write func(ctx context.Context, s *session, at time.Time) error
}

// request is what one caller waits for.
type request struct {
	items []*item
	bytes int
	done  chan struct{}
}

// batch is what one database transaction holds.
type batch struct {
	id      string
	items   []*item
	tried   bool    // it may be on record though nobody knows
	later   []*item // decided to go into the next commit
	events  int
	wanted  []string           // waits that it may end
	waiting map[string][][]any // rows of waits that it adds, by message version
	due     []string           // systems for which it has made steps due
	begun   int                // attempts
	settled int                // steps

	exceptions map[exceptionKey]*ExceptionCount
}

// Record puts an entry on record together with what follows from it, and answers
// when that is synced to disk. Entries of concurrent callers share commits.
func (l *Ledger) Record(ctx context.Context, e *Entry) (Result, error) {
	it := &item{entry: e}
	if err := l.submit(ctx, l.single, []*item{it}); err != nil {
		return Result{}, err
	}
	return it.result, it.err
}

// RecordAll is Record for many entries, of a file or a batch. It leaves room for
// others between its commits. The error is the first of an entry.
func (l *Ledger) RecordAll(ctx context.Context, entries []*Entry) ([]Result, error) {
	items := make([]*item, len(entries))
	for i, e := range entries {
		items[i] = &item{entry: e}
	}
	for rest := items; len(rest) > 0; {
		n := min(len(rest), l.cfg.BatchEntries)
		if err := l.submit(ctx, l.bulk, rest[:n]); err != nil {
			return nil, err
		}
		rest = rest[n:]
	}
	results := make([]Result, len(items))
	var first error
	for i, it := range items {
		results[i] = it.result
		if it.err != nil && first == nil {
			first = it.err
		}
	}
	return results, first
}

// submit hands items to the committer and waits for the answer. A caller that
// gives up does not take its entry back: it may be on record.
func (l *Ledger) submit(ctx context.Context, queue chan *request, items []*item) error {
	if err := l.roomOnDisk(); err != nil {
		return err
	}
	r := &request{items: items, done: make(chan struct{})}
	for _, it := range items {
		if it.entry != nil {
			it.key = it.entry.Message.Key()
			r.bytes += len(it.entry.Message.Body)
		}
	}
	select {
	case queue <- r:
	case <-ctx.Done():
		return ctx.Err()
	case <-l.closed:
		return fault.New("ledger.Record", fault.Unavailable, "", "the hub is stopping")
	}
	select {
	case <-r.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-l.closed:
		select { // Run answers everything it has taken before it closes
		case <-r.done:
			return nil
		default:
			return fault.New("ledger.Record", fault.Unavailable, "", "the hub is stopping")
		}
	}
}

// Run commits what is submitted until the context ends, finishes the commit at
// hand and the ones waiting, and returns. One goroutine owns the writing session.
func (l *Ledger) Run(ctx context.Context) error {
	defer close(l.closed)
	keeper, stopKeeper := context.WithCancel(context.WithoutCancel(ctx))
	kept := make(chan struct{})
	go func() { defer close(kept); l.keep(keeper) }()
	defer func() { stopKeeper(); <-kept }()

	c := &committer{ledger: l}
	defer c.disconnect()
	for {
		requests, ok := l.next(ctx)
		if !ok {
			return nil
		}
		c.commit(context.WithoutCancel(ctx), requests)
		c.restartWAL(context.WithoutCancel(ctx))
	}
}

// next waits for work and takes as much as fits into one commit: the singles
// that wait, then bulk. With the context ended it takes what waits and no more.
func (l *Ledger) next(ctx context.Context) ([]*request, bool) {
	var first *request
	select {
	case first = <-l.single:
	case first = <-l.bulk:
	case <-ctx.Done():
		select {
		case first = <-l.single:
		case first = <-l.bulk:
		default:
			return nil, false
		}
	}
	requests, entries, size := []*request{first}, len(first.items), first.bytes
	for entries < l.cfg.BatchEntries && size < l.cfg.BatchBytes {
		var r *request
		select {
		case r = <-l.single:
		default:
			select {
			case r = <-l.single:
			case r = <-l.bulk:
			default:
				return requests, true
			}
		}
		requests = append(requests, r)
		entries += len(r.items)
		size += r.bytes
	}
	return requests, true
}

// committer owns the writing session. It is used by one goroutine.
type committer struct {
	ledger       *Ledger
	session      *session
	restartAfter time.Time // the WAL is not restarted before: readers were in the way
}

func (c *committer) disconnect() {
	if c.session != nil {
		c.session.close()
		c.session = nil
	}
}

// commit puts the requests on record and answers each.
func (c *committer) commit(ctx context.Context, requests []*request) {
	var items []*item
	for _, r := range requests {
		items = append(items, r.items...)
	}
	for rest := items; len(rest) > 0; {
		rest = c.commitItems(ctx, rest)
	}
	for _, r := range requests {
		close(r.done)
	}
}

// commitItems commits the items and returns those that must go into the next
// commit. A batch that fails for what it holds is halved until the culprit stands
// alone; the others are not affected.
func (c *committer) commitItems(ctx context.Context, items []*item) (later []*item) {
	b := &batch{id: newID(), items: items}
	later, err := c.persist(ctx, b)
	switch {
	case err == nil:
		return later
	case errors.Is(err, fault.Unavailable): // the database is away: nobody's content is to blame
		for _, it := range items {
			it.result, it.err = Result{}, err
		}
		return nil
	case len(items) > 1:
		c.ledger.count(func(n *Counts) { n.Halved++ })
		half := len(items) / 2
		return append(c.commitItems(ctx, items[:half]), c.commitItems(ctx, items[half:])...)
	}
	return c.poisoned(ctx, items[0], err)
}

// poisoned keeps a message that cannot be stored with what follows from it: as
// it came, held, with the database's own words.
func (c *committer) poisoned(ctx context.Context, it *item, cause error) []*item {
	c.ledger.cfg.Log.ErrorContext(ctx, "entry cannot be stored", slog.Any("error", cause))
	if it.entry == nil || it.entry.Fault != nil && it.entry.Fault.Reason == fault.PoisonedMessage {
		it.result, it.err = Result{}, fmt.Errorf("ledger.Record: %w", cause)
		return nil
	}
	held := *it.entry
	held.Drafts, held.Needs, held.Waits = nil, nil, nil
	held.Fault = fault.Wrap("ledger.Record", fault.PoisonedMessage, "", cause)
	it.entry = &held
	return c.commitItems(ctx, []*item{it})
}

// persist tries a batch until the database has answered. A COMMIT whose answer
// was lost is looked up by the batch's id, never repeated blindly.
func (c *committer) persist(ctx context.Context, b *batch) (later []*item, err error) {
	log := c.ledger.cfg.Log
	start, lost := time.Now(), 0
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 2*time.Second) {
		later, err = c.try(ctx, b)
		if err == nil || !c.away(ctx, err) {
			return later, err
		}
		if raced(err) {
			if lost++; lost > races {
				return nil, err
			}
		}
		c.ledger.count(func(n *Counts) { n.Retried++ })
		log.WarnContext(ctx, "commit is tried again", slog.Any("error", err))
		c.disconnect()
		if time.Since(start)+wait > c.ledger.cfg.Patience {
			return nil, fault.Wrap("ledger.Record", fault.Unavailable, "", err)
		}
		pause(ctx, wait)
	}
}

// away tells whether an error is about the database, not about what was written.
func (c *committer) away(ctx context.Context, err error) bool {
	var silent *unanswered
	if errors.As(err, &silent) || c.session == nil || transient(err) {
		return true
	}
	probe, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return c.session.conn.PingContext(probe) != nil
}

// unanswered says that no good answer came to BEGIN or COMMIT. That is never about
// what is written; after COMMIT it may be on record.
type unanswered struct {
	statement string
	err       error
}

func (e *unanswered) Error() string { return "no good answer to " + e.statement + ": " + e.err.Error() }
func (e *unanswered) Unwrap() error { return e.err }

func (l *Ledger) count(add func(*Counts)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	add(&l.counts)
}

// pause waits, or less where the context ends.
func pause(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
