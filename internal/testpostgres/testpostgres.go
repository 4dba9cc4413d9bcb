// Package testpostgres gives tests databases of their own on a PostgreSQL server.
package testpostgres

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/hex"
	"net/url"
	"os"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver
)

// Server is the connection URL of the server that tests may use; "" for none.
func Server() string { return os.Getenv("GAPLESS_TEST_POSTGRES") }

// Need skips the test where there is no server, and says how to get one.
func Need(t testing.TB) {
	t.Helper()
	if Server() == "" {
		t.Skip("no PostgreSQL: GAPLESS_TEST_POSTGRES is empty; `scripts/postgres run -- go test ./...` gives one")
	}
}

// Database makes an empty database, which is dropped when the test ends, and gives its
// connection URL. Without a server the test is skipped.
func Database(t testing.TB) string {
	t.Helper()
	Need(t)
	u, err := url.Parse(Server())
	if err != nil {
		t.Fatalf("GAPLESS_TEST_POSTGRES is no URL: %v", err)
	}
	db, err := sql.Open("pgx", Server())
	if err != nil {
		t.Fatal(err)
	}
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails: it ends the process instead
	name := "gapless_" + hex.EncodeToString(b[:])
	if _, err := db.ExecContext(t.Context(), "create database "+name); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := db.ExecContext(context.WithoutCancel(t.Context()), "drop database "+name+" with (force)"); err != nil { // its context has ended by then
			t.Error(err)
		}
		_ = db.Close()
	})
	u.Path = "/" + name
	return u.String()
}
