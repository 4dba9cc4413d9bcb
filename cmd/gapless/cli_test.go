package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gapless/gapless/ledger"
)

// interrupted runs a command whose context ends, and answers its exit code and what it
// said on standard error.
func interrupted(t *testing.T, ctx context.Context, in io.Reader, args ...string) (code int, said string) { //nolint:revive // t goes first in helpers
	t.Helper()
	var out, errs strings.Builder
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, args, streams{in: in, out: &out, err: &errs}, func(string) string { return "" })
	}()
	select {
	case code = <-ended:
	case <-time.After(20 * time.Second):
		t.Fatalf("%q does not end when it is interrupted", args)
	}
	if out.Len() > 0 {
		t.Errorf("%q printed %q, though it was interrupted", args, out.String())
	}
	return code, errs.String()
}

// TestWhatIsInterruptedIsNotDone: a script that asks whether a ledger is in order must not
// take an answer that was never given for yes.
func TestWhatIsInterruptedIsNotDone(t *testing.T) {
	data := t.TempDir()
	l, err := ledger.Open(t.Context(), ledger.Config{Database: filepath.Join(data, "gapless.db")})
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	ctx, interrupt := context.WithCancel(t.Context())
	hub := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		interrupt()
		<-r.Context().Done()
	}))
	defer hub.Close()
	for _, args := range [][]string{
		{"report", "production", "--hub", hub.URL, "--key", "anna:secret"}, // it interrupts
		{"exceptions", "--hub", hub.URL, "--key", "anna:secret"},
		{"verify", "--data", data},
	} {
		if code, said := interrupted(t, ctx, strings.NewReader(""), args...); code != exitFailed || said != "gapless: interrupted\n" {
			t.Errorf("%q: exit code %d, said %q", args, code, said)
		}
	}
}

// TestWhatReadsStandardInputCanBeInterrupted though nobody types anything.
func TestWhatReadsStandardInputCanBeInterrupted(t *testing.T) {
	for _, args := range [][]string{
		{"keys", "person", "anna", "--role", "viewer", "--data", t.TempDir()},
		{"send", "--as", "graz-mes/shift-report", "--key", "gpl_a_b", "-"},
		{"catalog", "try", "../../catalog/template", "acme-mes", "shift-report"},
	} {
		ctx, interrupt := context.WithCancel(t.Context())
		in, typed := io.Pipe()
		time.AfterFunc(100*time.Millisecond, interrupt)
		code, said := interrupted(t, ctx, in, args...)
		if code != exitFailed || !strings.Contains(said, "interrupted") {
			t.Errorf("%q: exit code %d, said %q", args, code, said)
		}
		_ = typed.Close()
	}
}

// TestBulkWorkThatIsWaitedForGoesOnByItself says so to whoever does not wait for its end.
func TestBulkWorkThatIsWaitedForGoesOnByItself(t *testing.T) {
	for _, test := range []struct {
		args   []string
		answer string
		want   string
	}{
		{[]string{"exceptions", "bulk", "show", "b1"}, `{"bulk":"b1","state":"running","members":9}`, "bulk work b1 goes on by itself"},
		{[]string{"replay", "run", "r1"}, `{"replay":"r1","state":"running","members":9}`, "replay r1 goes on by itself"},
	} {
		ctx, interrupt := context.WithCancel(t.Context())
		hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprint(w, test.answer)
			if r.Method == http.MethodGet {
				interrupt()
			}
		}))
		code, said := interrupted(t, ctx, strings.NewReader(""), append(test.args, "--wait", "--hub", hub.URL, "--key", "anna:secret")...)
		if code != exitFailed || !strings.Contains(said, test.want) {
			t.Errorf("%q: exit code %d, said %q", test.args, code, said)
		}
		hub.Close()
	}
}

// TestAListThatIsCutSaysSo: lists without pages ask for as much as a hub tells, and say
// when that may not be all.
func TestAListThatIsCutSaysSo(t *testing.T) {
	for list, args := range map[string][]string{
		"bulk": {"exceptions", "bulk", "list"}, "replays": {"replay", "list"},
		"edits": {"exceptions", "edits"}, "corrections": {"exceptions", "corrections", "--all"},
	} {
		hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			n, err := strconv.Atoi(r.URL.Query().Get("limit"))
			if err != nil {
				n = 20 // what a hub lists where nothing is said
			}
			w.Header().Set("Content-Type", "application/json")
			fmt.Fprintf(w, `{%q: [{}%s]}`, list, strings.Repeat(", {}", n-1))
		}))
		var out, errs strings.Builder
		code := run(t.Context(), append(args, "--hub", hub.URL, "--key", "anna:secret"), streams{strings.NewReader(""), &out, &errs}, func(string) string { return "" })
		if code != exitDone || !strings.HasSuffix(out.String(), "these are 1,000: there may be more\n") {
			t.Errorf("%q: exit code %d, ends in %q; %s", args, code, out.String()[max(0, out.Len()-200):], errs.String())
		}
		hub.Close()
	}
}

// full is standard output on a disk that is full.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// TestWhatCouldNotBeToldIsNotDone: a key that is shown once, a verification or figures that
// went nowhere.
func TestWhatCouldNotBeToldIsNotDone(t *testing.T) {
	data := t.TempDir()
	for _, args := range [][]string{
		{"keys", "create", "--system", "graz-mes", "--data", data},
		{"verify", "--data", data},
		{"verify", "--data", data, "--json"},
		{"version"},
		{"--help"},
	} {
		var errs strings.Builder
		code := run(t.Context(), args, streams{strings.NewReader(""), full{}, &errs}, func(string) string { return "" })
		if code != exitFailed || !strings.Contains(errs.String(), "no space left on device") {
			t.Errorf("%q: exit code %d, said %q", args, code, errs.String())
		}
	}
}

// TestAnErrorGivesTheTerminalNoOrders though what a hub answers may hold what somebody sent.
func TestAnErrorGivesTheTerminalNoOrders(t *testing.T) {
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		fmt.Fprint(w, `{"reason":"of_later","title":"new","detail":"lot \u001b[2J","remedy":"look \u009b1m"}`)
	}))
	defer hub.Close()
	var out, errs strings.Builder
	code := run(t.Context(), []string{"held", "--hub", hub.URL, "--key", "anna:secret"}, streams{strings.NewReader(""), &out, &errs}, func(string) string { return "" })
	if want := "gapless: hub: new: lot ?[2J\nremedy: look ?1m\n"; code != exitFailed || errs.String() != want {
		t.Errorf("exit code %d, said %q, want %q", code, errs.String(), want)
	}
}
