package ledger

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/pressly/goose/v3"
)

// A ledger of a program before timers keeps everything, and what is open on it gets
// timers.
func TestALedgerFromBeforeTimersKeepsWhatItHas(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		st, err := openStore(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		steps, err := st.dialect.migrations()
		if err != nil {
			t.Fatal(err)
		}
		kind := map[dialect]goose.Dialect{sqlite3: goose.DialectSQLite3, postgres: goose.DialectPostgres}[st.dialect]
		provider, err := goose.NewProvider(kind, st.write, nil, goose.WithGoMigrations(steps[:2]...), goose.WithDisableGlobalRegistry(true))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := provider.Up(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := st.makePartitions(t.Context(), base); err != nil {
			t.Fatal(err)
		}
		for _, statement := range []string{
			`insert into exceptions (message, version, plant, system, name, state, reason, class, field, ref, detail, owner, raised, deadline, ended, resolution, about)
				values ('m', 1, 'graz', 'mes', 'shift', 'open', 'unit_unknown', 'data', 'f', 'r', 'd', 'o', 5, 6, 0, '', 'message'), ('k1', 2, 'graz', 'erp', 'post', 'resolved', 'period_closed', 'business', '', '', '', 'o', 7, 8, 9, 'applied', 'step')`,
			`insert into steps (key, recorded, transaction_id, plant, reaction, role, system, command, object, cause, position, basis, amends, wanted, lanes, deadline)
				values ('k1', 3, 'p lot/1', 'graz', 'r', 'erp', 'erp', 'post', 'lot/1', 'c.1', 1, '', '', '', 'lot/1', 77), ('k2', 3, 'p lot/1', 'graz', 'r', 'erp', 'erp', 'post', 'lot/1', 'c.1', 1, '', '', '', 'lot/1', 78)`,
			"insert into command_keys (key, recorded, transaction_id, plant, system, status, attempts, digest, changed) values ('k1', 3, 'p lot/1', 'graz', 'erp', 'applied', 0, '', 4), ('k2', 3, 'p lot/1', 'graz', 'erp', 'waiting', 0, '', 4)",
			"insert into expectations (transaction_id, name, cause, plant, due, state) values ('p lot/1', 'decision', 'c.1', 'graz', 99, 'open'), ('p lot/1', 'end', 'c.1', 'graz', 98, 'met')",
		} {
			if _, err := st.write.ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
		st.close()
		l := open(t, dsn, Config{})
		exceptions, err := l.exceptions(t.Context(), exceptionQuery+"order by message")
		if err != nil || len(exceptions) != 2 || exceptions[0].Step != "k1" || exceptions[0].Resolution != "applied" || exceptions[1].Field != "f" || exceptions[1].State != "open" {
			t.Errorf("exceptions: %+v %v", exceptions, err)
		}
		if s, err := l.Step(t.Context(), "k2"); err != nil || len(s.Members) != 0 || s.Command != "post" {
			t.Errorf("step: %+v %v", s, err)
		}
		want := []string{"expectation decision 99", "step  78"}
		if diff := cmp.Diff(want, lines(t, l, "select kind || ' ' || name || ' ' || due from timers order by kind, about")); diff != "" {
			t.Errorf("timers (-want +got):\n%s", diff)
		}
	})
}
