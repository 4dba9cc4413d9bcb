package ledger

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
)

// column is one column of a table that is written in bulk.
type column struct {
	name string
	kind columnKind
}

type columnKind int

const (
	textColumn columnKind = iota
	numberColumn
	bytesColumn
)

func (k columnKind) array() string {
	return [...]string{"text[]", "bigint[]", "bytea[]"}[k]
}

// table describes the bulk insert into one table. Values of a row are string,
// int64 or []byte, in the order of the columns.
type table struct {
	name     string
	columns  []column
	conflict string // "on conflict ..." clause; "" where a second row is a fault
}

func (t *table) names() string {
	names := make([]string, len(t.columns))
	for i, c := range t.columns {
		names[i] = c.name
	}
	return strings.Join(names, ", ")
}

// chunks are the row counts for which SQLite has a prepared statement; a bulk is
// cut greedily. Larger ones gain nothing (measured) and cost memory.
var chunks = [...]int{64, 32, 16, 8, 4, 2, 1}

// insert writes rows into SQLite in multi-row statements, on the driver's own
// connection: the hundreds of values of a statement would else be looked at and
// copied once more on their way.
func (s *session) insert(ctx context.Context, conn driver.ConnPrepareContext, t *table, rows [][]any) error {
	for _, size := range chunks {
		for len(rows) >= size {
			st, err := s.inserting(ctx, conn, t, size)
			if err != nil {
				return err
			}
			s.args = s.args[:0]
			for _, row := range rows[:size] {
				for _, value := range row {
					s.args = append(s.args, driver.NamedValue{Ordinal: len(s.args) + 1, Value: value})
				}
			}
			if _, err := st.ExecContext(ctx, s.args); err != nil {
				return fmt.Errorf("insert into %s: %w", t.name, err)
			}
			rows = rows[size:]
		}
	}
	return nil
}

// insertStatement is a statement of the SQLite driver.
type insertStatement interface {
	driver.Stmt
	driver.StmtExecContext
}

// inserting is the statement that inserts a number of rows.
func (s *session) inserting(ctx context.Context, conn driver.ConnPrepareContext, t *table, rows int) (insertStatement, error) {
	key := bulkKey{t, rows}
	if st, ok := s.inserts[key]; ok {
		return st, nil
	}
	prepared, err := conn.PrepareContext(ctx, t.values(rows))
	if err != nil {
		return nil, fmt.Errorf("prepare the insert into %s: %w", t.name, err)
	}
	st, ok := prepared.(insertStatement)
	if !ok {
		return nil, fmt.Errorf("the driver's statement is a %T", prepared)
	}
	s.inserts[key] = st
	return st, nil
}

type bulkKey struct {
	table *table
	rows  int
}

// values is the text of the statement for a number of rows. Its parameters have no
// names: the driver would look each of them up. One that fails ends its transaction:
// to end alone, SQLite would keep a copy of every page that it touches.
func (t *table) values(rows int) string {
	var b strings.Builder
	fmt.Fprintf(&b, "insert or rollback into %s (%s) values ", t.name, t.names())
	row := "(" + strings.Repeat("?,", len(t.columns)-1) + "?)"
	b.WriteString(strings.Repeat(row+",", rows-1) + row)
	if t.conflict != "" {
		b.WriteByte(' ')
		b.WriteString(t.conflict)
	}
	return b.String()
}

// insertAll writes the rows of several tables in their order. PostgreSQL gets all
// statements in one round trip.
func (s *session) insertAll(ctx context.Context, tables []*table, rows map[*table][][]any) error {
	if s.dialect != postgres {
		return s.conn.Raw(func(on any) error {
			conn, ok := on.(driver.ConnPrepareContext)
			if !ok {
				return fmt.Errorf("the driver's connection is a %T", on)
			}
			for _, t := range tables {
				if err := s.insert(ctx, conn, t, rows[t]); err != nil {
					return err
				}
			}
			return nil
		})
	}
	var batch pgx.Batch
	for _, t := range tables {
		if len(rows[t]) == 0 {
			continue
		}
		args, err := t.arrays(rows[t])
		if err != nil {
			return err
		}
		batch.Queue(s.unnest(t), args...)
	}
	err := s.conn.Raw(func(on any) error {
		conn, ok := on.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("the driver's connection is a %T", on)
		}
		return conn.Conn().SendBatch(ctx, &batch).Close()
	})
	if err != nil {
		return fmt.Errorf("insert: %w", err)
	}
	return nil
}

// unnest is the statement that inserts any number of rows from one array for each
// column.
func (s *session) unnest(t *table) string {
	text, ok := s.unnests[t]
	if !ok {
		casts := make([]string, len(t.columns))
		for i, c := range t.columns {
			casts[i] = fmt.Sprintf("$%d::%s", i+1, c.kind.array())
		}
		text = fmt.Sprintf("insert into %s (%s) select * from unnest(%s) %s", t.name, t.names(), strings.Join(casts, ", "), t.conflict)
		s.unnests[t] = text
	}
	return text
}

// arrays are the rows by column.
func (t *table) arrays(rows [][]any) (args []any, err error) {
	args = make([]any, len(t.columns))
	for i, c := range t.columns {
		switch c.kind {
		case textColumn:
			args[i], err = transpose[string](rows, i)
		case numberColumn:
			args[i], err = transpose[int64](rows, i)
		case bytesColumn:
			args[i], err = transpose[[]byte](rows, i)
		}
		if err != nil {
			return nil, fmt.Errorf("insert into %s: %w", t.name, err)
		}
	}
	return args, nil
}

// transpose takes one column out of the rows. A value of another type is a fault
// of this package.
func transpose[T any](rows [][]any, i int) ([]T, error) {
	out := make([]T, len(rows))
	for r, row := range rows {
		v, ok := row[i].(T)
		if !ok {
			return nil, fmt.Errorf("column %d holds a %T", i, row[i])
		}
		out[r] = v
	}
	return out, nil
}

func columns(kind columnKind, names []string) []column {
	out := make([]column, len(names))
	for i, n := range names {
		out[i] = column{n, kind}
	}
	return out
}

func texts(names ...string) []column   { return columns(textColumn, names) }
func numbers(names ...string) []column { return columns(numberColumn, names) }
func blobs(names ...string) []column   { return columns(bytesColumn, names) }
