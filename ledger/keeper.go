package ledger

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"modernc.org/sqlite"

	"github.com/gapless/gapless/fault"
)

// keep does the housekeeping that no sender should pay for: checkpoints of the
// WAL, partitions ahead, old batch ids. It returns when the context ends.
func (l *Ledger) keep(ctx context.Context) {
	checkpoint, daily := time.NewTicker(time.Second), time.NewTicker(time.Hour)
	defer checkpoint.Stop()
	defer daily.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-checkpoint.C:
			l.logged("checkpoint", l.tendWAL(ctx))
		case <-l.walGrown:
			l.logged("checkpoint", l.checkpointWAL(ctx))
		case <-daily.C:
			l.logged("make partitions", l.store.makePartitions(ctx, l.cfg.Clock()))
			l.logged("trim batch ids", l.trimCommits(ctx))
		}
	}
}

func (l *Ledger) logged(what string, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		l.cfg.Log.Warn("housekeeping failed; it is tried again", slog.String("step", what), slog.Any("error", err))
	}
}

// walWorth is how many bytes more in the WAL make moving its pages worth while: a
// page that many commits have touched is then written once.
const walWorth = 16 << 20

// tendWAL moves committed pages into the database file, once they are many or
// nothing has been committed for a while.
func (l *Ledger) tendWAL(ctx context.Context) error {
	if l.store.dialect != sqlite3 {
		return nil
	}
	commits := l.Counts().Commits
	busy := commits != l.commitsBefore
	l.commitsBefore = commits
	if busy && l.walSize.Load()-l.walMoved.Load() < walWorth {
		return nil
	}
	return l.checkpointWAL(ctx)
}

// checkpointWAL moves committed pages into the database file. It runs beside the
// writer on a connection of its own; readers are short, so it always gets through.
func (l *Ledger) checkpointWAL(ctx context.Context) error {
	l.checkpointing.Lock()
	defer l.checkpointing.Unlock()
	size := l.walSize.Load()
	var blocked, log, moved int
	err := l.store.chores.QueryRowContext(ctx, "pragma wal_checkpoint(passive)").Scan(&blocked, &log, &moved)
	if err == nil {
		l.walMoved.Store(size)
	}
	return err
}

// walFile is the path of the WAL.
func (l *Ledger) walFile() string { return strings.TrimPrefix(l.cfg.Database, "sqlite:") + "-wal" }

// walLimit is the size of the WAL from which it starts over, in bytes. Under
// constant load only the writer can make it. walTail is what the writer itself moves
// then at most: the rest was moved beside it.
const (
	walLimit = 64 << 20
	walTail  = 16 << 20
)

// restartWAL lets the WAL start over where it has grown. That needs a moment in
// which nobody reads from it: at first one is waited for only briefly; at twice the
// limit new readers wait, until those that read already are done.
func (c *committer) restartWAL(ctx context.Context) {
	l := c.ledger
	if c.session == nil || c.session.dialect != sqlite3 {
		return
	}
	l.logged("measure the WAL", c.countWAL())
	if time.Now().Before(c.restartAfter) {
		return
	}
	size := l.walSize.Load()
	switch {
	case size < walLimit:
		return
	case size-l.walMoved.Load() > walTail && size < 2*walLimit:
		select {
		case l.walGrown <- struct{}{}:
		default: // the keeper is at it already
		}
		return
	}
	wait, pause := 50*time.Millisecond, time.Second/2
	if size >= 2*walLimit {
		wait, pause = readLimit+readLimit/4, 10*time.Second
		l.readGate.Lock()
		defer l.readGate.Unlock()
	}
	busy, err := c.beginWAL(ctx, wait)
	l.logged("restart the WAL", err)
	if busy {
		c.restartAfter = time.Now().Add(pause)
	}
}

// beginWAL makes the next commit write to the begin of the WAL. Its file keeps its
// size, up to journal_size_limit: writing over what is there costs half of what
// making a file longer does, and a sync of it does not touch the file's metadata.
// It tells whether readers were in its way for as long as it waited.
func (c *committer) beginWAL(ctx context.Context, wait time.Duration) (busy bool, err error) {
	if _, err := c.session.conn.ExecContext(ctx, fmt.Sprintf("pragma busy_timeout(%d)", wait.Milliseconds())); err != nil {
		return false, err
	}
	c.ledger.checkpointing.Lock()
	defer c.ledger.checkpointing.Unlock()
	var log, moved int
	err = c.session.conn.QueryRowContext(ctx, "pragma wal_checkpoint(restart)").Scan(&busy, &log, &moved)
	if err == nil && !busy {
		c.ledger.walSize.Store(0)
		c.ledger.walMoved.Store(0)
	}
	if _, back := c.session.conn.ExecContext(ctx, "pragma busy_timeout(10000)"); err == nil {
		err = back
	}
	return busy, err
}

// walFrame is a page in the WAL with its header, in bytes.
const walFrame = 4096 + 24

// findWAL takes the file that a new writer finds for a full WAL. Where it is not, or
// where the WAL has started over by itself, it starts over once without need.
func (l *Ledger) findWAL() {
	if info, err := os.Stat(l.walFile()); err == nil {
		l.walSize.Store(info.Size())
	}
}

// countWAL adds what was committed to the size of the WAL.
func (c *committer) countWAL() error {
	return c.session.conn.Raw(func(on any) error {
		conn, ok := on.(sqlite.DBStatus)
		if !ok {
			return fmt.Errorf("the driver's connection is a %T", on)
		}
		pages, _, err := conn.Status(sqlite.DBStatusCacheWrite, true)
		c.ledger.walSize.Add(int64(pages) * walFrame)
		return err
	})
}

// trimCommits drops batch ids that nobody can still ask for.
func (l *Ledger) trimCommits(ctx context.Context) error {
	_, err := l.store.chores.ExecContext(ctx, "delete from commits where recorded < $1", l.cfg.Clock().Add(-24*time.Hour).UnixMicro())
	return err
}

// roomOnDisk refuses new work while the disk is nearly full, before anything that
// was accepted can be lost.
func (l *Ledger) roomOnDisk() error {
	if l.store.dialect != sqlite3 {
		return nil
	}
	now := l.cfg.Clock().UnixMilli()
	if last := l.diskChecked.Load(); now-last >= 1000 && l.diskChecked.CompareAndSwap(last, now) {
		free, err := freeSpace(filepath.Dir(strings.TrimPrefix(l.cfg.Database, "sqlite:")))
		l.diskFull.Store(err == nil && free < l.cfg.DiskReserve)
	}
	if l.diskFull.Load() {
		return fault.New("ledger.Record", fault.Unavailable, "", "less than %d MiB are free on the ledger's disk", l.cfg.DiskReserve>>20)
	}
	return nil
}

// raced tells whether another node has written the same key at the same time. The
// next try reads what it wrote.
func raced(err error) bool {
	pg, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pg.Code == "23505"
}

// transient tells whether an error of the database is about its condition, not
// about what was written.
func transient(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		switch {
		case strings.HasPrefix(pg.Code, "08"), strings.HasPrefix(pg.Code, "53"), strings.HasPrefix(pg.Code, "57P"), strings.HasPrefix(pg.Code, "58"):
			return true // connection, resources, shutdown, system
		case pg.Code == "40001", pg.Code == "40P01", raced(err):
			return true // lost a race against another node
		}
		return false
	}
	if lite, ok := errors.AsType[*sqlite.Error](err); ok {
		switch lite.Code() & 0xff {
		case 5, 6, 10, 13, 14: // BUSY, LOCKED, IOERR, FULL, CANTOPEN
			return true
		}
		return false
	}
	return errors.Is(err, context.DeadlineExceeded)
}
