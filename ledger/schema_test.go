package ledger

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/internal/testpostgres"
)

func TestTheSchemaIsTheOneThatWasAgreed(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{})
		got := map[string]func(*testing.T, *Ledger) string{"sqlite": schemaSQLite, "postgres": schemaPostgres}[l.Database()](t, l)
		golden := filepath.Join("testdata", "schema."+l.Database()+".sql")
		if *update {
			if err := os.WriteFile(golden, []byte(got), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("%s differs; if that is meant, run the test with -update:\n%s", golden, diff)
		}
	})
}

// lines runs a query of one text column.
func lines(t *testing.T, l *Ledger, query string) []string {
	t.Helper()
	var all []string
	err := l.each(t.Context(), query, nil, func(r Row) error {
		var line string
		err := r.Scan(&line)
		all = append(all, line)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// schemaSQLite is what SQLite itself keeps of the schema, comments left out.
func schemaSQLite(t *testing.T, l *Ledger) string {
	t.Helper()
	var b strings.Builder
	for _, text := range lines(t, l, "select sql from sqlite_master where sql is not null and name not like 'goose%' and name not like 'sqlite%' order by tbl_name, type desc, name") {
		for line := range strings.Lines(text) {
			line, _, _ = strings.Cut(line, "--")
			b.WriteString(strings.TrimRight(line, " \t\n") + "\n")
		}
		b.WriteString("\n")
	}
	return b.String()
}

// schemaPostgres is columns, constraints, indexes and the way of partitioning of
// each table, without the partitions, whose names depend on the date.
func schemaPostgres(t *testing.T, l *Ledger) string {
	t.Helper()
	const ours = " c.relnamespace = 'public'::regnamespace and not c.relispartition and c.relname not like 'goose%' "
	var b strings.Builder
	for _, table := range lines(t, l, "select c.relname::text from pg_class c where c.relkind in ('r', 'p') and"+ours+"order by c.relname::text collate \"C\"") {
		is := fmt.Sprintf(" c.relname = '%s' and", table)
		fmt.Fprintf(&b, "table %s\n", table)
		for _, query := range []string{
			`select a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || coalesce(' collate "' || co.collname || '"', '') || case when a.attnotnull then ' not null' else '' end
				from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0
				left join pg_collation co on co.oid = a.attcollation and co.collname <> 'default' where` + is + ours + "order by a.attnum",
			"select 'partition by ' || pg_get_partkeydef(c.oid) from pg_class c where c.relkind = 'p' and" + is + ours,
			"select pg_get_constraintdef(k.oid) from pg_class c join pg_constraint k on k.conrelid = c.oid and k.contype <> 'n' where" + is + ours + "order by 1",
			"select pg_get_indexdef(i.indexrelid) from pg_class c join pg_index i on i.indrelid = c.oid and not i.indisprimary where" + is + ours + "order by 1",
		} {
			for _, line := range lines(t, l, query) {
				b.WriteString("\t" + line + "\n")
			}
		}
	}
	return b.String()
}

func TestBigTablesArePartitionedByMonthAndNothingFallsBesideThem(t *testing.T) {
	dsn := testpostgres.Database(t)
	c := newClock()
	l := open(t, dsn, Config{Clock: c.now})
	for _, table := range partitioned {
		got := lines(t, l, "select inhrelid::regclass::text from pg_inherits where inhparent = '"+table+"'::regclass order by 1")
		want := []string{table + "_202603", table + "_202604", table + "_202605", table + "_202606", table + "_rest"}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	}
	record(t, l, said(t, "graz", "followed-now", "1"))
	c.move(60 * 24 * time.Hour)
	record(t, l, said(t, "graz", "followed-soon", "1"))
	c.move(40 * 365 * 24 * time.Hour)
	record(t, l, said(t, "graz", "followed-far-away", "1"))
	for _, table := range partitioned {
		got := lines(t, l, "select distinct tableoid::regclass::text from "+table+" order by 1")
		if diff := cmp.Diff([]string{table + "_202603", table + "_202605", table + "_rest"}, got); diff != "" {
			t.Error(diff)
		}
	}
	if err := l.store.makePartitions(t.Context(), c.now()); err != nil {
		t.Errorf("the month that has rows in the default partition: %v", err)
	}
	contiguous(t, l)
}

func TestRefsAndKeysSortByTheirBytesOnBothDatabases(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{})
		for _, id := range []string{"b", "B", "a", "_", "A", "%C3%A4", "10", "9"} {
			record(t, l, said(t, "graz", id, "1"))
		}
		objects, err := l.Objects(t.Context(), "lot", "", 100)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, o := range objects {
			got = append(got, strings.TrimPrefix(string(o.Ref), "lot/M-1/"))
		}
		if diff := cmp.Diff([]string{"%C3%A4", "10", "9", "A", "B", "_", "a", "b"}, got); diff != "" {
			t.Error(diff)
		}
	})
}

func TestOpeningALedgerAgainChangesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l, stop := openUntil(t, dsn, Config{Name: "first"})
		record(t, l, said(t, "graz", "a", "1"))
		before := dump(t, l)
		stop()
		l = open(t, dsn, Config{Name: "second"})
		if l.Name() != "first" {
			t.Errorf("the ledger's name is %q now", l.Name())
		}
		if diff := cmp.Diff(before, dump(t, l)); diff != "" {
			t.Error(diff)
		}
	})
}

func TestSQLiteKeepsWhatItAcknowledges(t *testing.T) {
	dsn := databases(t)["sqlite"]
	l := open(t, dsn, Config{})
	for pragma, want := range map[string]string{"journal_mode": "wal", "synchronous": "2", "foreign_keys": "1", "wal_autocheckpoint": "0"} {
		var got string
		if err := l.store.write.QueryRowContext(t.Context(), "pragma "+pragma).Scan(&got); err != nil || got != want {
			t.Errorf("%s = %q, %v; want %s", pragma, got, err, want)
		}
	}
	db, err := sql.Open("sqlite", dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close() //nolint:errcheck // the file goes with the test
	var check string
	if err := db.QueryRowContext(t.Context(), "pragma integrity_check").Scan(&check); err != nil || check != "ok" {
		t.Errorf("integrity_check: %s, %v", check, err)
	}
}
