package connectortest

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/gapless/gapless/connector"
)

// A Server is an outside system over HTTP, as many are. It keeps books, and
// misbehaves on request.
//
//	POST /postings     {"key", "material", "quantity"}, the key in the header
//	                   Idempotency-Key too; 201 {"document": {"number"}}, or
//	                   422 {"code", "message"} for the material M-OLD
//	GET  /postings?key=  200 {"postings": [{"number"}]}
//
// A keyed one answers a key that it knows with the document it has made.
type Server struct {
	*httptest.Server
	*Clock

	class connector.Class

	mu       sync.Mutex
	books    []Entry
	late     []string // keys
	expected map[Call][]trouble
	requests map[Call]int
	written  int           // bytes of Huge that were taken
	closing  chan struct{} // ends what hangs
}

type trouble struct {
	kind Trouble
	met  chan struct{}
}

// Words are what the Server says when it refuses.
const Words = "M7053: posting is only possible in period 2026/03"

// NewServer starts a Server on 127.0.0.1, with TLS where that is asked for. It is
// gone when the test ends.
func NewServer(t *testing.T, class connector.Class, secure bool) *Server {
	t.Helper()
	s := &Server{Clock: NewClock(), class: class, expected: map[Call][]trouble{}, requests: map[Call]int{}, closing: make(chan struct{})}
	s.Server = httptest.NewUnstartedServer(s)
	s.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	if secure {
		s.StartTLS()
	} else {
		s.Start()
	}
	t.Cleanup(func() {
		close(s.closing)
		s.CloseClientConnections()
		s.Close()
	})
	return s
}

// Troubles are those that a Server can make.
func Troubles() []Trouble {
	return []Trouble{LostAfter, LostBefore, Late, Silent, Down, Busy, Failing, Garbage, Page, Empty, Inside, Huge, Drip, Redirect}
}

// Books are what was done, in order.
func (s *Server) Books() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Entry(nil), s.books...)
}

// Requests is how many of a call have come.
func (s *Server) Requests(call Call) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests[call]
}

// Written is how much of Huge was taken, in bytes.
func (s *Server) Written() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.written
}

// Expect makes the next request of a call meet a trouble. Down is at once.
func (s *Server) Expect(call Call, kind Trouble) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	met := make(chan struct{})
	if kind == Down {
		_ = s.Listener.Close()
		s.CloseClientConnections()
		close(met)
		return met
	}
	s.expected[call] = append(s.expected[call], trouble{kind, met})
	return met
}

// Land posts what was late.
func (s *Server) Land() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range s.late {
		s.post(key)
	}
	s.late = nil
}

// post writes into the books; with the lock.
func (s *Server) post(key string) string {
	if s.class == connector.Keyed {
		for _, e := range s.books {
			if e.Key == key {
				return e.Document.Number
			}
		}
	}
	number := fmt.Sprintf("%010d", 5000000000+len(s.books))
	s.books = append(s.books, Entry{Key: key, Document: connector.Document{Number: number, Kind: "goods-receipt"}})
	return number
}

// next is the trouble that a request meets; "" for none.
func (s *Server) next(call Call) Trouble {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.requests[call]++
	queue := s.expected[call]
	if len(queue) == 0 {
		return ""
	}
	s.expected[call] = queue[1:]
	close(queue[0].met)
	return queue[0].kind
}

// ServeHTTP does what it is asked, with the trouble that is expected.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.Method == http.MethodPost && r.URL.Path == "/postings":
		s.perform(w, r)
	case r.Method == http.MethodGet && r.URL.Path == "/postings":
		if !s.spoil(w, r, s.next(Finding)) {
			s.list(w, r)
		}
	default:
		http.NotFound(w, r)
	}
}

func (s *Server) perform(w http.ResponseWriter, r *http.Request) {
	var posting struct{ Key, Material, Quantity string }
	if err := json.NewDecoder(r.Body).Decode(&posting); err != nil {
		answer(w, http.StatusBadRequest, map[string]any{"code": "JSON", "message": err.Error()})
		return
	}
	kind := s.next(Performing)
	switch kind {
	case LostBefore:
		abort(w)
		return
	case Late:
		s.mu.Lock()
		s.late = append(s.late, posting.Key)
		s.mu.Unlock()
		abort(w)
		return
	case Busy:
		w.Header().Set("Retry-After", "3")
		answer(w, http.StatusTooManyRequests, map[string]any{"code": "BUSY"})
		return
	case Inside:
		answer(w, http.StatusOK, map[string]any{"ok": false, "code": "M7053", "message": "posting is only possible in period 2026/03"})
		return
	case Redirect:
		http.Redirect(w, r, r.URL.String(), http.StatusTemporaryRedirect)
		return
	default:
	}
	if posting.Material == "M-OLD" {
		answer(w, http.StatusUnprocessableEntity, map[string]any{"code": "M7053", "message": "posting is only possible in period 2026/03"})
		return
	}
	s.mu.Lock()
	number := s.post(posting.Key)
	s.mu.Unlock()
	if !s.spoil(w, r, kind) {
		answer(w, http.StatusCreated, map[string]any{"document": map[string]any{"number": number}})
	}
}

func (s *Server) list(w http.ResponseWriter, r *http.Request) {
	postings := []map[string]any{}
	for _, e := range s.Books() {
		if e.Key == r.URL.Query().Get("key") {
			postings = append(postings, map[string]any{"number": e.Document.Number})
		}
	}
	answer(w, http.StatusOK, map[string]any{"postings": postings})
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // to a client that may be gone
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
func (s *Server) spoil(w http.ResponseWriter, r *http.Request, kind Trouble) bool {
	switch kind {
	case LostAfter:
		abort(w)
	case Silent:
		s.wait(r, nil)
	case Failing: // with what came in, as some do
		answer(w, http.StatusInternalServerError, map[string]any{"message": "NullPointerException", "request": r.Header, "query": r.URL.RawQuery})
	case Garbage:
		_, _ = w.Write([]byte("\x00\xff{\"document\": {\"number\": \"1\"}}\x80"))
	case Page:
		w.Header().Set("Content-Type", "text/html")
		_, _ = w.Write([]byte("<!DOCTYPE html><title>Sign in</title><p>Your session has ended.</p>"))
	case Empty:
		w.WriteHeader(http.StatusOK)
	case Huge:
		s.huge(w)
	case Drip:
		s.drip(w, r)
	case Redirect:
		http.Redirect(w, r, r.URL.String(), http.StatusTemporaryRedirect)
	default:
		return false
	}
	return true
}

// wait waits until the caller goes or tick comes; false means that the caller went.
func (s *Server) wait(r *http.Request, tick <-chan time.Time) bool {
	select {
	case <-tick:
		return true
	case <-r.Context().Done():
	case <-s.closing:
	}
	return false
}

// huge writes 100 MB of JSON, as far as they are taken.
func (s *Server) huge(w http.ResponseWriter) {
	piece := make([]byte, 1<<20)
	for i := range piece {
		piece[i] = ' '
	}
	w.Header().Set("Content-Type", "application/json")
	for range 100 {
		n, err := w.Write(piece)
		s.mu.Lock()
		s.written += n
		s.mu.Unlock()
		if err != nil {
			return
		}
	}
}

func (s *Server) drip(w http.ResponseWriter, r *http.Request) {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	for {
		if _, err := w.Write([]byte(" ")); err != nil {
			return
		}
		if f, ok := w.(http.Flusher); ok {
			f.Flush()
		}
		if !s.wait(r, second.C) {
			return
		}
	}
}
