package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// readers are the connections that read SQLite, each with its statements prepared:
// parsing one takes longer than most of them run. On PostgreSQL the driver does that,
// and readers take their connections from its pool.
type readers struct {
	db   *sql.DB
	idle chan *session // as many as may read at the same time; nil for one that is not open yet
	done chan struct{}
}

// mostStatements bounds what a reader keeps prepared: the conditions of searches make
// ever new texts.
const mostStatements = 256

func newReaders(db *sql.DB, n int) *readers {
	r := &readers{db: db, idle: make(chan *session, n), done: make(chan struct{})}
	for range n {
		r.idle <- nil
	}
	return r
}

var errClosed = errors.New("the ledger is closed")

// take waits for a reader that is free.
func (r *readers) take(ctx context.Context) (*session, error) {
	select {
	case <-r.done:
		return nil, errClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	case s := <-r.idle:
		if s != nil {
			return s, nil
		}
		conn, err := r.db.Conn(ctx)
		if err != nil {
			r.idle <- nil
			return nil, err
		}
		return &session{dialect: sqlite3, conn: conn, statements: map[string]*sql.Stmt{}}, nil
	}
}

// give takes a reader back. One that did not come to an orderly end is not used again.
func (r *readers) give(s *session, broken bool) {
	if broken || len(s.statements) > mostStatements {
		s.close()
		s = nil
	}
	r.idle <- s
}

// close waits for those that read, and closes all connections.
func (r *readers) close() {
	close(r.done)
	for range cap(r.idle) {
		if s := <-r.idle; s != nil {
			s.close()
		}
	}
}

// view runs do within one consistent view of the database.
func (s *store) view(ctx context.Context, do func(*Reader) error) error {
	if s.readers != nil {
		return s.readers.view(ctx, func(on *session) error { return do(&Reader{each: on.each, dialect: s.dialect}) })
	}
	tx, err := s.read.BeginTx(ctx, &sql.TxOptions{ReadOnly: true, Isolation: sql.LevelRepeatableRead})
	if err != nil {
		return fmt.Errorf("ledger.Read: %w", err)
	}
	defer tx.Rollback() //nolint:errcheck // nothing was written
	return do(&Reader{each: eachOf(tx), dialect: s.dialect})
}

// each reads rows outside any view.
func (s *store) each(ctx context.Context, query string, args []any, scan func(Row) error) error {
	if s.readers != nil {
		return s.readers.each(ctx, query, args, scan)
	}
	return eachOf(s.read)(ctx, query, args, scan)
}

// eachOf runs queries by database/sql.
func eachOf(on interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
},
) func(ctx context.Context, query string, args []any, scan func(Row) error) error {
	return func(ctx context.Context, query string, args []any, scan func(Row) error) error {
		rows, err := on.QueryContext(ctx, query, args...)
		if err != nil {
			return fmt.Errorf("%.60q: %w", query, err)
		}
		return scanAll(rows, scan)
	}
}

// view runs do within one consistent view.
func (r *readers) view(ctx context.Context, do func(*session) error) error {
	s, err := r.take(ctx)
	if err != nil {
		return err
	}
	if _, err := s.conn.ExecContext(ctx, "begin"); err != nil {
		r.give(s, true)
		return fmt.Errorf("begin to read: %w", err)
	}
	broken := true // also where do panics
	defer func() {
		if !broken {
			_, err := s.conn.ExecContext(context.WithoutCancel(ctx), "rollback") // nothing was written
			broken = err != nil
		}
		r.give(s, broken)
	}()
	err = do(s)
	broken = false
	return err
}

// each reads rows outside any view.
func (r *readers) each(ctx context.Context, query string, args []any, scan func(Row) error) error {
	s, err := r.take(ctx)
	if err != nil {
		return err
	}
	broken := true
	defer func() { r.give(s, broken) }()
	err = s.each(ctx, query, args, scan)
	broken = false
	return err
}
