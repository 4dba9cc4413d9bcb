package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// readers are the connections that only read, each with its statements prepared: parsing
// one takes longer than most of them run.
type readers struct {
	dialect dialect
	db      *sql.DB
	idle    chan *session // as many as may read at the same time; nil for one that is not open yet
	done    chan struct{}
}

// mostStatements bounds what a reader keeps prepared: the conditions of searches make
// ever new texts.
const mostStatements = 256

func newReaders(d dialect, db *sql.DB, n int) *readers {
	r := &readers{dialect: d, db: db, idle: make(chan *session, n), done: make(chan struct{})}
	for range n {
		r.idle <- nil
	}
	return r
}

var errClosed = errors.New("the ledger is closed")

// take waits for a reader that is free. Fresh tells that it was just opened: one that was
// used before may have lost its server meanwhile.
func (r *readers) take(ctx context.Context) (s *session, fresh bool, err error) {
	select {
	case <-r.done:
		return nil, false, errClosed
	case <-ctx.Done():
		return nil, false, ctx.Err()
	case s := <-r.idle:
		if s != nil {
			return s, false, nil
		}
		conn, err := r.db.Conn(ctx)
		if err != nil {
			r.idle <- nil
			return nil, false, fmt.Errorf("take a connection: %w", err)
		}
		return &session{dialect: r.dialect, reading: true, conn: conn, statements: map[string]*sql.Stmt{}}, true, nil
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

// view runs do within one consistent view.
func (r *readers) view(ctx context.Context, do func(*session) error) error {
	for {
		s, fresh, err := r.take(ctx)
		if err != nil {
			return err
		}
		if err := s.begin(ctx); err != nil {
			if r.give(s, true); fresh || ctx.Err() != nil {
				return fmt.Errorf("begin to read: %w", err)
			}
			continue
		}
		return r.within(ctx, s, do)
	}
}

// within runs do on a reader that has begun to read, and gives the reader back.
func (r *readers) within(ctx context.Context, s *session, do func(*session) error) error {
	broken := true // also where do panics
	defer func() { r.give(s, broken) }()
	err := do(s)
	_, failed := s.conn.ExecContext(context.WithoutCancel(ctx), "rollback") // nothing was written
	broken = failed != nil
	return err
}

// each reads rows outside any view.
func (r *readers) each(ctx context.Context, query string, args []any, scan func(Row) error) error {
	for {
		s, fresh, err := r.take(ctx)
		if err != nil {
			return err
		}
		found := false
		broken := true // also where scan panics
		func() {
			defer func() { r.give(s, broken) }()
			err = s.each(ctx, query, args, func(row Row) error { found = true; return scan(row) })
			broken = err != nil // a context that ended in a query may have taken the connection with it
		}()
		if err == nil || fresh || found || ctx.Err() != nil {
			return err
		}
	}
}
