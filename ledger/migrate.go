package ledger

import (
	"context"
	"database/sql"
	"embed"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// partitioned are the big tables, cut by month of recording on PostgreSQL.
var partitioned = [...]string{"messages", "events", "facts", "steps"}

var textColumnType = regexp.MustCompile(`(?m)^(\t\w+ +|alter table \w+ add column \w+ )text\b`)

// render writes what the two databases spell differently.
func (d dialect) render(text string) string {
	if d == postgres {
		text = textColumnType.ReplaceAllString(text, `${1}text collate "C"`) // refs and keys sort by bytes, whatever the database's language
		return strings.NewReplacer("{bytes}", "bytea", "{partitioned}", " partition by range (recorded)", "{clustered}", "").Replace(text)
	}
	return strings.NewReplacer("{bytes}", "blob", "{partitioned}", "", "{clustered}", " without rowid").Replace(text)
}

// migrate brings the schema up to date and makes the partitions that are needed.
// Migrations go forward only and are correct for the binary before.
func (s *store) migrate(ctx context.Context, now time.Time) error {
	steps, err := s.dialect.migrations()
	if err != nil {
		return fmt.Errorf("ledger.migrate: %w", err)
	}
	kind := goose.DialectSQLite3
	if s.dialect == postgres {
		kind = goose.DialectPostgres
	}
	provider, err := goose.NewProvider(kind, s.write, nil, goose.WithGoMigrations(steps...), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return fmt.Errorf("ledger.migrate: %w", err)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("ledger.migrate: %w", err)
	}
	return s.makePartitions(ctx, now)
}

// migrations are the embedded files 00001_name.sql ..., rendered for the database.
func (d dialect) migrations() ([]*goose.Migration, error) {
	entries, err := migrations.ReadDir("migrations")
	if err != nil {
		return nil, err
	}
	var steps []*goose.Migration
	for _, entry := range entries {
		b, err := migrations.ReadFile("migrations/" + entry.Name())
		if err != nil {
			return nil, err
		}
		number, err := goose.NumericComponent(entry.Name())
		if err != nil {
			return nil, err
		}
		text := d.render(string(b))
		steps = append(steps, goose.NewGoMigration(number, &goose.GoFunc{RunTx: func(ctx context.Context, tx *sql.Tx) error {
			_, err := tx.ExecContext(ctx, text)
			return err
		}}, nil))
	}
	return steps, nil
}

// makePartitions keeps three months ahead ready. A default partition takes what
// no month covers, so that a hub left alone for a year still records.
func (s *store) makePartitions(ctx context.Context, now time.Time) error {
	if s.dialect != postgres {
		return nil
	}
	month := time.Date(now.UTC().Year(), now.UTC().Month(), 1, 0, 0, 0, 0, time.UTC)
	for _, table := range partitioned {
		if err := s.makePartition(ctx, fmt.Sprintf("create table if not exists %s_rest partition of %s default", table, table)); err != nil {
			return err
		}
		for i := range 4 {
			from, to := month.AddDate(0, i, 0), month.AddDate(0, i+1, 0)
			var late bool // rows of that month went to the default partition already: they stay there
			check := fmt.Sprintf("select exists (select 1 from %s_rest where recorded >= %d and recorded < %d)", table, from.UnixMicro(), to.UnixMicro())
			if err := s.write.QueryRowContext(ctx, check).Scan(&late); err != nil {
				return fmt.Errorf("ledger.makePartitions: %w", err)
			}
			if late {
				continue
			}
			text := fmt.Sprintf("create table if not exists %s_%s partition of %s for values from (%d) to (%d)",
				table, from.Format("200601"), table, from.UnixMicro(), to.UnixMicro())
			if err := s.makePartition(ctx, text); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *store) makePartition(ctx context.Context, text string) error {
	if _, err := s.write.ExecContext(ctx, text); err != nil {
		return fmt.Errorf("ledger.makePartitions: %w", err)
	}
	return nil
}
