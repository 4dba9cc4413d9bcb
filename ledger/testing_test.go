package ledger

import (
	"context"
	flags "flag"
	"path/filepath"
	"testing"

	"github.com/gapless/gapless/internal/testpostgres"
)

// update rewrites the golden files: go test ./ledger -update.
var update = flags.Bool("update", false, "write the golden files anew")

// databases gives one empty database of each kind by name, for tests that hold
// on both. Without GAPLESS_TEST_POSTGRES a subtest says that PostgreSQL was left
// out: `scripts/postgres run -- go test ./ledger` gives one.
func databases(t *testing.T) map[string]string {
	t.Helper()
	all := map[string]string{"sqlite": filepath.Join(t.TempDir(), "ledger.db")}
	if testpostgres.Server() != "" {
		all["postgres"] = testpostgres.Database(t)
		return all
	}
	t.Run("postgres", func(t *testing.T) { testpostgres.Need(t) })
	return all
}

// onBoth runs a test on an empty database of each kind.
func onBoth(t *testing.T, test func(t *testing.T, dsn string)) {
	t.Helper()
	for name, dsn := range databases(t) {
		t.Run(name, func(t *testing.T) { test(t, dsn) })
	}
}

// open opens a ledger, runs its committer and ends both with the test.
func open(t testing.TB, dsn string, cfg Config) *Ledger {
	t.Helper()
	l, stop := openUntil(t, dsn, cfg)
	t.Cleanup(stop)
	return l
}

// openUntil is open with an end of the caller's choice; ending twice is harmless.
func openUntil(t testing.TB, dsn string, cfg Config) (l *Ledger, stop func()) {
	t.Helper()
	cfg.Database = dsn
	if cfg.Decide == nil {
		cfg.Decide = restating
	}
	if cfg.DiskReserve == 0 {
		cfg.DiskReserve = 1
	}
	l, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- l.Run(ctx) }()
	stopped := false
	return l, func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		l.Close()
	}
}
