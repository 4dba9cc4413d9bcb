package main

import (
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// TestADryRunForWhichNobodyWaitsIsCancelled interrupts the command while the dry run goes on.
func TestADryRunForWhichNobodyWaitsIsCancelled(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	var requests []string
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests = append(requests, r.Method+" "+r.URL.Path)
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"replay":"r1","state":"examining","members":9,"examined":3}`)
		if r.Method == http.MethodGet {
			interrupt()
		}
	}))
	defer hub.Close()
	var out, errs strings.Builder
	code := run(ctx, []string{"replay", "--plant", "graz", "--hub", hub.URL, "--key", "anna:secret"}, streams{in: strings.NewReader(""), out: &out, err: &errs}, func(string) string { return "" })
	last := requests[len(requests)-1]
	if code != exitFailed || !strings.Contains(errs.String(), "the dry run r1 is cancelled") || last != "POST /v1/replays/r1/cancel" || out.Len() > 0 {
		t.Errorf("exit code %d, requests %q, %s%s", code, requests, out.String(), errs.String())
	}
}
