package api

import (
	"fmt"
	"net/http"
	"testing"
	"time"
)

func TestWhoeverTriesManyNamesIsToldToStop(t *testing.T) {
	h := newHub(t, Config{})
	h.person("viewer", "graz.viewer", "steward")
	from := func(address, as string) reply {
		return h.do(h.request(as, http.MethodGet, "/v1/account", map[string]string{"X-Forwarded-For": "203.0.113.9, " + address}, ""))
	}
	if r := from("192.0.2.1", "viewer"); r.status != http.StatusOK {
		t.Fatal(r.text)
	}
	for i := range addressAttempts {
		if r := from("192.0.2.1", fmt.Sprintf("made-up-%d", i)); r.status != http.StatusUnauthorized {
			t.Fatalf("name %d: %d %s", i, r.status, r.text)
		}
	}
	if r := from("192.0.2.1", "graz.viewer"); r.status != http.StatusTooManyRequests || r.header.Get("Retry-After") == "" {
		t.Errorf("who has not logged in yet: %d %s", r.status, r.text)
	}
	if r := from("192.0.2.1", "viewer"); r.status != http.StatusOK {
		t.Errorf("who has logged in before: %d %s", r.status, r.text)
	}
	if r := from("192.0.2.2", "graz.viewer"); r.status != http.StatusOK {
		t.Errorf("from another address: %d %s", r.status, r.text)
	}
	if r := h.do(h.request("erp", http.MethodGet, "/v1/feed", map[string]string{"X-Forwarded-For": "192.0.2.1"}, "")); r.status != http.StatusOK {
		t.Errorf("a system from there: %d %s", r.status, r.text)
	}
}

func TestAnAddressIsThatOfWhoAsks(t *testing.T) {
	for name, test := range map[string]struct{ remote, said, want string }{
		"itself":                      {"192.0.2.1:4711", "", "192.0.2.1"},
		"what anybody may say":        {"192.0.2.1:4711", "198.51.100.1", "192.0.2.1"},
		"a proxy on this machine":     {"127.0.0.1:4711", "203.0.113.9, 198.51.100.1", "198.51.100.1"},
		"a proxy that says something": {"[::1]:4711", "unknown", "::/64"},
		"IPv4 within IPv6":            {"[::ffff:192.0.2.1]:4711", "", "192.0.2.1"},
		"one of a network":            {"[2001:db8:1:2:3::4]:4711", "", "2001:db8:1:2::/64"},
		"no address":                  {"@", "", "@"},
	} {
		r := &http.Request{RemoteAddr: test.remote, Header: http.Header{"X-Forwarded-For": {test.said}}}
		if got := addressOf(r); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

func TestAttemptsFromAnAddressAreForgotten(t *testing.T) {
	a, now := addresses{failed: map[string]attemptsFrom{}}, time.Now()
	for range addressAttempts {
		if err := a.attempt("x", now); err != nil {
			t.Fatal(err)
		}
	}
	a.succeeded("x")
	if err := a.attempt("x", now); err != nil {
		t.Errorf("one has succeeded: %v", err)
	}
	if err := a.attempt("x", now.Add(addressWindow-1)); err == nil {
		t.Error("within the window")
	}
	if err := a.attempt("x", now.Add(addressWindow)); err != nil {
		t.Errorf("behind it: %v", err)
	}
}
