package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/api"
	"github.com/gapless/gapless/fault"
)

// script is a hub that answers its requests one after the other as it is told.
type script struct {
	t       *testing.T
	answers []func(w http.ResponseWriter, body string)
	bodies  []string
}

// ServeHTTP gives the next answer.
func (s *script) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		s.t.Error(err)
	}
	if len(s.bodies) >= len(s.answers) {
		s.t.Errorf("request %d was not expected", len(s.bodies)+1)
		w.WriteHeader(http.StatusTeapot)
		return
	}
	s.bodies = append(s.bodies, string(body))
	s.answers[len(s.bodies)-1](w, string(body))
}

// lines answers rows 2, 3 ... with these outcomes; whole tells whether the stream
// comes to its end.
func lines(whole bool, outcomes ...string) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, _ string) {
		w.Header().Set("Content-Type", jsonLines)
		e := json.NewEncoder(w)
		for i, outcome := range outcomes {
			_ = e.Encode(api.Answer{Record: i + 2, Outcome: outcome, Message: fmt.Sprintf("%032d", i+2), ID: fmt.Sprint(i)})
		}
		if whole {
			_ = e.Encode(map[string]any{"summary": api.Summary{Messages: len(outcomes)}})
			return
		}
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		panic(http.ErrAbortHandler) // breaks the connection
	}
}

func refusal(status int, reason *fault.Reason) func(http.ResponseWriter, string) {
	return func(w http.ResponseWriter, _ string) {
		w.Header().Set("Content-Type", "application/problem+json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(api.Problem{Reason: reason.Code, Title: reason.Title, Status: status, Remedy: reason.Remedy})
	}
}

// sending sends one file of two rows to a hub that answers by a script.
func sending(t *testing.T, patience time.Duration, answers ...func(http.ResponseWriter, string)) (o *outcome, journal string, hub *script, err error) {
	t.Helper()
	hub = &script{t: t, answers: answers}
	server := httptest.NewServer(hub)
	defer server.Close()
	file, notes := filepath.Join(t.TempDir(), "report.csv"), filepath.Join(t.TempDir(), "journal.jsonl")
	if err := os.WriteFile(file, []byte("a,b\n1,2\n3,4\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &sender{cli: &cli{streams: streams{out: io.Discard, err: io.Discard}}, as: "graz-mes/shift-report", patience: patience}
	if s.hub, err = (&connection{hub: server.URL, key: "gpl_a_b"}).client(); err != nil {
		t.Fatal(err)
	}
	if s.journal, err = openJournal(notes); err != nil {
		t.Fatal(err)
	}
	o, err = s.sendAll(t.Context(), []string{file})
	if err := s.journal.close(); err != nil {
		t.Fatal(err)
	}
	o.finish()
	text, readErr := os.ReadFile(notes)
	if readErr != nil {
		t.Fatal(readErr)
	}
	return o, string(text), hub, err
}

func TestARowIsCountedOnceHoweverOftenItIsSent(t *testing.T) {
	t.Run("the hub breaks off in its answer", func(t *testing.T) {
		o, journal, hub, err := sending(t, time.Minute, lines(false, "recorded"), lines(true, "duplicate", "recorded"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tally{Rows: 2, Recorded: 2}, o.Total); diff != "" {
			t.Error(diff)
		}
		if n := strings.Count(journal, "\n"); n != 2 {
			t.Errorf("the journal has %d lines:\n%s", n, journal)
		}
		if len(hub.bodies) != 2 || hub.bodies[0] != hub.bodies[1] {
			t.Errorf("not the same was sent again: %q", hub.bodies)
		}
	})
	t.Run("the hub takes nothing at the moment", func(t *testing.T) {
		o, _, _, err := sending(t, time.Minute, refusal(http.StatusServiceUnavailable, fault.Unavailable), refusal(http.StatusTooManyRequests, fault.RateLimited), lines(true, "recorded", "held"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tally{Rows: 2, Recorded: 1, Held: 1}, o.Total); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("the hub says in the middle that the ledger is away", func(t *testing.T) {
		away := func(w http.ResponseWriter, _ string) {
			w.Header().Set("Content-Type", jsonLines)
			_ = json.NewEncoder(w).Encode(api.Answer{Record: 2, Outcome: "recorded", Message: strings.Repeat("0", 32)})
			_ = json.NewEncoder(w).Encode(map[string]any{"error": api.Problem{Reason: fault.Unavailable.Code}, "summary": api.Summary{}})
		}
		o, _, _, err := sending(t, time.Minute, away, lines(true, "duplicate", "corrected"))
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(tally{Rows: 2, Recorded: 1, Corrected: 1}, o.Total); diff != "" {
			t.Error(diff)
		}
	})
}

func TestPatienceIsBounded(t *testing.T) {
	away := refusal(http.StatusServiceUnavailable, fault.Unavailable)
	_, journal, _, err := sending(t, 300*time.Millisecond, away, away)
	if !errors.Is(err, fault.Unavailable) || !strings.Contains(err.Error(), "gave up after 300ms") {
		t.Errorf("got %v", err)
	}
	if journal != "" {
		t.Errorf("the journal holds %q", journal)
	}
}

func TestWhatIsRefusedIsNotSentAgain(t *testing.T) {
	t.Run("for its content: the next file is sent", func(t *testing.T) {
		o, journal, _, err := sending(t, time.Minute, refusal(http.StatusBadRequest, fault.NotReadable))
		if err != nil || len(o.Stopped) != 1 || o.Stopped[0].Reason != fault.NotReadable.Code || journal != "" {
			t.Errorf("got %v, %+v, journal %q", err, o.Stopped, journal)
		}
	})
	t.Run("for who sends it: nothing more is sent", func(t *testing.T) {
		if _, _, _, err := sending(t, time.Minute, refusal(http.StatusUnauthorized, fault.Unauthenticated)); !errors.Is(err, fault.Unauthenticated) {
			t.Errorf("got %v", err)
		}
	})
	t.Run("by something that is no hub", func(t *testing.T) {
		_, _, _, err := sending(t, time.Minute, func(w http.ResponseWriter, _ string) { http.Error(w, "<html>", http.StatusForbidden) })
		if err == nil || !strings.Contains(err.Error(), "is no hub") {
			t.Errorf("got %v", err)
		}
	})
}
