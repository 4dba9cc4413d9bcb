package simulator

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// quick is a speed at which a day takes a second or two.
const quick = 86_400

// A hub that keeps what it is sent, and fails both ways: it refuses for the moment,
// and it keeps a message whose answer is lost.
type fakeHub struct {
	*httptest.Server

	mu     sync.Mutex
	bodies map[string]int // system, message and body -> how often it was kept
	order  []string
	calls  int
}

func newFakeHub(t *testing.T) *fakeHub {
	h := &fakeHub{bodies: map[string]int{}}
	h.Server = httptest.NewServer(http.HandlerFunc(h.take))
	t.Cleanup(h.Close)
	return h
}

func (h *fakeHub) take(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	h.mu.Lock()
	defer h.mu.Unlock()
	h.calls++
	key := strings.TrimPrefix(r.URL.Path, "/v1/messages/") + " " + string(body)
	switch {
	case r.Header.Get("Authorization") == "":
		http.Error(w, "who is that?", http.StatusUnauthorized)
		return
	case h.calls%17 == 0:
		http.Error(w, "not now", http.StatusServiceUnavailable)
		return
	}
	h.bodies[key]++
	h.order = append(h.order, key)
	if h.calls%13 == 0 {
		cut(w)
		return
	}
	one := fmt.Sprintf(`{"outcome":"recorded","message":"m%d","id":"%d"}`, len(h.bodies), len(h.bodies))
	if r.Header.Get("Content-Type") == "text/csv" {
		one = `{"answers":[` + one + `],"summary":{}}`
	}
	w.WriteHeader(http.StatusAccepted)
	_, _ = io.WriteString(w, one)
}

func someKeys() map[string]string {
	keys := map[string]string{}
	for _, name := range SystemNames() {
		keys[name] = "key-of-" + name
	}
	return keys
}

// simulate runs a day, or as much of it as the context lets.
func simulate(ctx context.Context, t *testing.T, h *fakeHub, folder string, speed int64) {
	t.Helper()
	err := Run(ctx, Config{Seed: 3, Orders: fewestOrders, Speed: speed, Folder: folder, Hub: h.URL, Keys: someKeys(), Once: true})
	if err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
}

// booksIn are the books that the files of a folder hold, without the times of the clock.
func booksIn(t *testing.T, folder string) string {
	t.Helper()
	c, err := open(Config{Seed: 3, Orders: fewestOrders, Folder: folder})
	if err != nil {
		t.Fatal(err)
	}
	defer c.close() //nolint:errcheck // it is only read
	var all []Books
	for _, s := range c.systems {
		b := s.normal()
		for i := range b.Postings {
			b.Postings[i].Found = time.Time{}
		}
		all = append(all, b)
	}
	text, err := json.MarshalIndent(all, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestASimulationThatIsStoppedAndStartedAgainHasTheSameBooks(t *testing.T) {
	if testing.Short() {
		t.Skip("it lives through two days: not among the short tests")
	}
	h := newFakeHub(t)
	whole := t.TempDir()
	simulate(t.Context(), t, h, whole, quick)

	again := t.TempDir()
	h2 := newFakeHub(t)
	for _, part := range []time.Duration{150 * time.Millisecond, 300 * time.Millisecond, 250 * time.Millisecond} {
		ctx, stop := context.WithTimeout(t.Context(), part)
		simulate(ctx, t, h2, again, quick)
		stop()
		tear(t, again)
	}
	simulate(t.Context(), t, h2, again, quick)
	if diff := cmp.Diff(booksIn(t, whole), booksIn(t, again)); diff != "" {
		t.Errorf("books of a day without and with a pause differ:\n%.3000s", diff)
	}
	for key := range h.bodies {
		if h2.bodies[key] == 0 {
			t.Errorf("the hub never got %.200s", key)
		}
	}
	if len(h.bodies) != len(h2.bodies) {
		t.Errorf("%d messages without a pause, %d with", len(h.bodies), len(h2.bodies))
	}
}

// tear leaves the journals as a process does that is killed while it writes.
func tear(t *testing.T, folder string) {
	t.Helper()
	for _, name := range SystemNames() {
		for _, file := range []string{"books.jsonl", "acknowledged.jsonl"} {
			f, err := os.OpenFile(filepath.Join(folder, name, file), os.O_WRONLY|os.O_APPEND, 0)
			if err != nil {
				t.Fatal(err)
			}
			_, err = f.WriteString(`{"n":999999,"kind":"act","no`)
			if err := errors.Join(err, f.Close()); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestEveryMessageIsInTheJournalBeforeItIsSentAndAcknowledgedAfter(t *testing.T) {
	if testing.Short() {
		t.Skip("it lives through a day: not among the short tests")
	}
	h, folder := newFakeHub(t), t.TempDir()
	simulate(t.Context(), t, h, folder, quick)
	twice := 0
	for _, name := range SystemNames() {
		messages, acknowledged := 0, map[string]bool{}
		eachLine(t, filepath.Join(folder, name, "books.jsonl"), func(text []byte) {
			var l line
			if err := json.Unmarshal(text, &l); err != nil {
				t.Fatal(err)
			}
			messages += len(l.Messages)
			for _, m := range l.Messages {
				if h.bodies[name+"/"+m.Name+" "+m.Body] == 0 {
					t.Errorf("the hub never got message %s of %s", m.Name, name)
				}
			}
			if name == "lyon-mes" && len(l.Messages) == 2 {
				twice++
			}
		})
		eachLine(t, filepath.Join(folder, name, "acknowledged.jsonl"), func(text []byte) {
			var a Acknowledged
			if err := json.Unmarshal(text, &a); err != nil || a.Message == "" || acknowledged[a.Key] {
				t.Errorf("%s: %s: %v", name, text, err)
			}
			acknowledged[a.Key] = true
		})
		if messages != len(acknowledged) || messages == 0 {
			t.Errorf("%s: %d messages, %d acknowledged", name, messages, len(acknowledged))
		}
	}
	if twice < 50 {
		t.Errorf("lyon's MES sent %d messages twice", twice)
	}
}

func eachLine(t *testing.T, name string, do func([]byte)) {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, longestLine)
	for lines.Scan() {
		do(lines.Bytes())
	}
}

func TestAHubThatRefusesTheKeyEndsTheSimulation(t *testing.T) {
	hub := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no", http.StatusUnauthorized) }))
	defer hub.Close()
	err := Run(t.Context(), Config{Seed: 1, Orders: fewestOrders, Speed: quick, Folder: t.TempDir(), Hub: hub.URL, Keys: someKeys(), Once: true})
	if err == nil || !strings.Contains(err.Error(), "the hub refuses") {
		t.Errorf("it ended with %v", err)
	}
}

func TestAnotherDayIsNotMixedIntoAFolder(t *testing.T) {
	folder := t.TempDir()
	c, err := open(Config{Seed: 1, Folder: folder})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.close(); err != nil {
		t.Fatal(err)
	}
	if _, err := open(Config{Seed: 2, Folder: folder}); err == nil || !strings.Contains(err.Error(), "another day") {
		t.Errorf("it opened with %v", err)
	}
}

// TestTheWarehousesHoldWhatTheFloorMade compares books of systems that know nothing
// of each other.
func TestTheWarehousesHoldWhatTheFloorMade(t *testing.T) {
	c, err := open(Config{Seed: 5, Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.close() //nolint:errcheck // it is only read
	for i := range c.day {
		a := &c.day[i]
		s := c.byName[a.System]
		change, err := s.books.act(a, a.At)
		if err != nil {
			t.Fatal(err)
		}
		note, err := json.Marshal(change.note)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.books.fold(change.kind, note); err != nil {
			t.Fatal(err)
		}
	}
	for _, p := range plants() {
		made, stored := map[string]string{}, map[string]string{}
		for _, l := range c.byName[p.mes()].normal().Lots {
			made[l.Lot] = l.Quantity.String() + l.Unit
		}
		for _, s := range c.byName[p.wms()].normal().Stock {
			stored[s.Lot] = s.Quantity.String() + s.Unit
		}
		if diff := cmp.Diff(made, stored); diff != "" || len(made) < 100 {
			t.Errorf("%s (-made +stored):\n%s", p.name, diff)
		}
	}
}
