package tryton_test

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gapless/gapless/connector/connectortest"
	"github.com/gapless/gapless/connector/tryton"
)

// An outside stands before a backend, passes calls on, and misbehaves on request.
type outside struct {
	*httptest.Server
	behind *httptest.Server // the same without troubles
	*connectortest.Clock
	*backend

	mu       sync.Mutex
	expected []*trouble
	before   map[string]func() // what happens right before the next call of a method
	session  string            // Authorization of the newest call
	late     []func()
	closing  chan struct{}
}

// A trouble is met by the next call whose method has this end.
type trouble struct {
	kind   connectortest.Trouble
	method string
	met    chan struct{}
}

// newOutside starts one on 127.0.0.1. It is gone when the test ends.
func newOutside(t testing.TB) *outside {
	t.Helper()
	o := &outside{backend: newBackend(t), Clock: connectortest.NewClock(), closing: make(chan struct{}), before: map[string]func(){}}
	o.Advance(o.tape.At.Sub(o.Clock.Now())) // what is asked for by time is recorded with it
	o.Server = httptest.NewUnstartedServer(o)
	o.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	o.Start()
	o.behind = httptest.NewServer(http.HandlerFunc(o.pass))
	t.Cleanup(func() {
		o.behind.Close()
		close(o.closing)
		o.CloseClientConnections()
		o.Close()
	})
	return o
}

// config is how a user reaches it.
func (o *outside) config(user string) tryton.ClientConfig {
	return tryton.ClientConfig{URL: o.URL, Database: database, User: user, Password: o.password(user), Now: o.Now}
}

// meet makes the next call of a method meet a trouble.
func (o *outside) meet(method string, kind connectortest.Trouble) <-chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := &trouble{kind: kind, method: method, met: make(chan struct{})}
	if kind == connectortest.Down {
		_ = o.Listener.Close()
		o.CloseClientConnections()
		close(t.met)
		return t.met
	}
	o.expected = append(o.expected, t)
	return t.met
}

// Land passes on what was late.
func (o *outside) Land() {
	o.mu.Lock()
	late := o.late
	o.late = nil
	o.mu.Unlock()
	for _, call := range late {
		call()
	}
}

// next is the trouble that a call meets; "" for none.
func (o *outside) next(method string) connectortest.Trouble {
	o.mu.Lock()
	defer o.mu.Unlock()
	for i, t := range o.expected {
		if strings.HasSuffix(method, t.method) {
			o.expected = append(o.expected[:i:i], o.expected[i+1:]...)
			close(t.met)
			return t.kind
		}
	}
	return ""
}

// ServeHTTP passes a call on, with the trouble that is expected.
func (o *outside) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller is gone
	}
	var call struct {
		ID     json.Number
		Method string
	}
	_ = json.Unmarshal(body, &call) // what is no call meets no trouble
	authorization := r.Header.Get("Authorization")
	o.mu.Lock()
	before := o.before[call.Method]
	delete(o.before, call.Method)
	o.session = authorization
	o.mu.Unlock()
	if before != nil {
		before()
	}
	kind := o.next(call.Method)
	switch kind {
	case connectortest.LostBefore:
		abort(w)
	case connectortest.Late:
		o.mu.Lock()
		o.late = append(o.late, func() { o.answer(body, authorization) })
		o.mu.Unlock()
		abort(w)
	case connectortest.Busy:
		w.Header().Set("Retry-After", "3")
		w.WriteHeader(http.StatusTooManyRequests)
	case connectortest.Redirect:
		http.Redirect(w, r, r.URL.String(), http.StatusTemporaryRedirect)
	case connectortest.Inside:
		_, _ = io.WriteString(w, `{"id": `+call.ID.String()+`, "error": ["UserError", ["To modify stock move \"3.0u\" you must reopen period \"2026-08-31\".", "", null]]}`)
	default:
		status, answer := o.answer(body, authorization)
		if !o.spoil(w, r, kind) {
			w.WriteHeader(status)
			_, _ = w.Write(answer)
		}
	}
}

// pass passes a call on.
func (o *outside) pass(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller is gone
	}
	status, answer := o.answer(body, r.Header.Get("Authorization"))
	w.WriteHeader(status)
	_, _ = w.Write(answer)
}

// abort closes the connection instead of answering.
func abort(w http.ResponseWriter) {
	if h, ok := w.(http.Hijacker); ok {
		if conn, _, err := h.Hijack(); err == nil {
			_ = conn.Close()
		}
	}
}

// spoil gives an answer that says nothing; false where there is no trouble.
func (o *outside) spoil(w http.ResponseWriter, r *http.Request, kind connectortest.Trouble) bool {
	switch kind {
	case connectortest.LostAfter:
		abort(w)
	case connectortest.Silent:
		o.wait(r, nil)
	case connectortest.Failing: // with what came in, as some do
		w.WriteHeader(http.StatusInternalServerError)
		_ = json.NewEncoder(w).Encode(r.Header)
	case connectortest.Garbage:
		_, _ = w.Write([]byte("\x00\xff{\"id\": 1, \"result\": null}\x80"))
	case connectortest.Page:
		_, _ = io.WriteString(w, "<!DOCTYPE html><title>Sign in</title><p>Your session has ended.</p>")
	case connectortest.Empty:
		w.WriteHeader(http.StatusOK)
	case connectortest.Huge:
		for range 100 {
			if _, err := io.WriteString(w, strings.Repeat(" ", 1<<20)); err != nil {
				break
			}
		}
	case connectortest.Drip:
		o.drip(w, r)
	default:
		return false
	}
	return true
}

// wait waits until the caller goes or tick comes; false means that the caller went.
func (o *outside) wait(r *http.Request, tick <-chan time.Time) bool {
	select {
	case <-tick:
		return true
	case <-r.Context().Done():
	case <-o.closing:
	}
	return false
}

func (o *outside) drip(w http.ResponseWriter, r *http.Request) {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		if _, err := io.WriteString(w, " "); err != nil {
			return
		}
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		if !o.wait(r, second.C) {
			return
		}
	}
}

// send sends a call behind the back of any System.
func (o *outside) send(body, authorization string) (status int, err error) {
	req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, o.behind.URL, strings.NewReader(body))
	if err != nil {
		return 0, err
	}
	req.Header.Set("Authorization", authorization)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, err
	}
	return res.StatusCode, res.Body.Close()
}
