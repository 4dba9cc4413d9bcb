package flow_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/report"
)

// today is when the tests of the company play: what its plants report is of spring.
var today = time.Date(2026, 6, 1, 8, 0, 0, 0, time.UTC)

// clock goes on from today.
func clock() func() time.Time {
	began := time.Now()
	return func() time.Time { return today.Add(time.Since(began)) }
}

// companies are the catalogs that were loaded already: one is immutable, and takes
// long under the race detector.
var companies sync.Map

// company is the catalog of testdata/company, with some of its files changed.
func company(t testing.TB, changed map[string]string) *catalog.Catalog {
	t.Helper()
	name := fmt.Sprint(changed) // prints maps in the order of their keys
	if known, ok := companies.Load(name); ok {
		return known.(*catalog.Catalog)
	}
	files := fstest.MapFS{}
	root := os.DirFS("testdata/company")
	err := fs.WalkDir(root, ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := fs.ReadFile(root, path)
		files[path] = &fstest.MapFile{Data: data}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range changed {
		files[name] = &fstest.MapFile{Data: []byte(text)}
	}
	cat, findings := catalog.Load(files)
	if cat == nil {
		t.Fatalf("the catalog of the company does not load: %v", findings)
	}
	companies.Store(name, cat)
	return cat
}

// hub is a running flow and what tests of it need.
type hub struct {
	*flow.Flow
	t        testing.TB
	stop     func()
	database string
	clock    func() time.Time
}

// newHub runs a flow of the company over an empty SQLite ledger.
func newHub(t testing.TB) *hub {
	t.Helper()
	return hubOn(t, flow.Config{Catalog: company(t, nil), Ledger: ledger.Config{Database: filepath.Join(t.TempDir(), "gapless.db")}})
}

// hubOn runs a flow until the test ends, or stop is called.
func hubOn(t testing.TB, cfg flow.Config) *hub {
	t.Helper()
	if cfg.Ledger.Clock == nil {
		cfg.Ledger.Clock = clock()
	}
	f, err := flow.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	h := &hub{Flow: f, t: t, database: cfg.Ledger.Database, clock: cfg.Ledger.Clock}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	stopped := false
	h.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		f.Close()
	}
	t.Cleanup(h.stop)
	return h
}

// doc is a JSON object.
type doc = map[string]any

// cloud is a CloudEvent; later attributes go before earlier ones.
func cloud(system, id, typ, at string, data doc, more ...doc) doc {
	e := doc{"specversion": "1.0", "source": system, "id": id, "type": typ, "time": at, "plant": "graz", "data": data}
	for _, m := range more {
		maps.Copy(e, m)
	}
	return e
}

func key(system string) ledger.Principal {
	return ledger.Principal{Name: "system/" + system, Kind: ledger.SystemKind, System: system}
}

// events is a delivery of CloudEvents.
func events(t testing.TB, from ledger.Principal, all ...doc) flow.Delivery {
	t.Helper()
	var body []byte
	var err error
	if len(all) == 1 {
		body, err = json.Marshal(all[0])
	} else {
		body, err = json.Marshal(all)
	}
	if err != nil {
		t.Fatal(err)
	}
	return flow.Delivery{From: from, Message: event.CloudEventMessage, Channel: "http", Body: body}
}

// native is a delivery of a message of graz-mes.
func native(message, contentType, body string) flow.Delivery {
	return flow.Delivery{From: key("graz-mes"), System: "graz-mes", Message: message, ContentType: contentType, Channel: "http", Body: []byte(body)}
}

// take gives all answers of a delivery, and the error that ends it.
func (h *hub) take(d flow.Delivery) ([]flow.Answer, error) {
	var all []flow.Answer
	for a, err := range h.Take(context.Background(), d) {
		if err != nil {
			return all, err
		}
		all = append(all, a)
	}
	return all, nil
}

// one takes a delivery of one message in.
func (h *hub) one(d flow.Delivery) flow.Answer {
	h.t.Helper()
	all, err := h.take(d)
	if err != nil {
		h.t.Fatal(err)
	}
	if len(all) != 1 {
		h.t.Fatalf("one message was delivered; there are %d answers", len(all))
	}
	return all[0]
}

// says takes one CloudEvent of a system in.
func (h *hub) says(e doc) flow.Answer {
	h.t.Helper()
	system, _ := e["source"].(string)
	return h.one(events(h.t, key(system), e))
}

// becomes fails the test unless the answer is the outcome, and for a held message
// the reason: "held open_hold".
func (h *hub) becomes(a flow.Answer, want string) {
	h.t.Helper()
	if got := outcome(a); got != want {
		detail := ""
		if f := faultOf(a); f != nil {
			detail = ": " + f.Text()
		}
		h.t.Fatalf("message %s: %s, want %s%s", a.ID, got, want, detail)
	}
}

// outcome is an answer in words.
func outcome(a flow.Answer) string {
	switch {
	case a.Refused != nil:
		return "refused " + a.Refused.Reason.Code
	case a.Fault != nil:
		return string(a.Outcome) + " " + a.Fault.Reason.Code
	}
	return string(a.Outcome)
}

func faultOf(a flow.Answer) *fault.Fault {
	if a.Refused != nil {
		return a.Refused
	}
	return a.Fault
}

// messageKey is the key of a CloudEvent.
func messageKey(system, id string) string {
	return event.MessageKey(system, event.CloudEventMessage, id)
}

// retried takes a held message in again.
func (h *hub) retried(key string) flow.Answer {
	h.t.Helper()
	a, err := h.Retry(h.t.Context(), key)
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

// goesOn waits until the healer has put a message on record.
func (h *hub) goesOn(key string) {
	h.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		moved := h.Ledger().Moved()
		m, err := h.Ledger().Newest(h.t.Context(), key)
		if err != nil {
			h.t.Fatal(err)
		}
		if !m.Held {
			return
		}
		select {
		case <-moved:
		case <-deadline:
			all, _ := h.Ledger().ExceptionsOf(h.t.Context(), key)
			h.t.Fatalf("message %s of %s does not go on: %+v", m.ID, m.System, all)
		}
	}
}

// object is the state of an object.
func (h *hub) object(ref event.Ref) doc {
	h.t.Helper()
	o, err := h.Ledger().Object(h.t.Context(), ref)
	if err != nil {
		h.t.Fatal(err)
	}
	return o.State
}

// status is the status of an object; "" where it has no state.
func (h *hub) status(ref event.Ref) string {
	h.t.Helper()
	s, _ := h.object(ref)["status"].(string)
	return s
}

// statement is the newest statement that a message made.
func (h *hub) statement(key string) ledger.StoredEvent {
	h.t.Helper()
	all, err := h.Ledger().EventsOfMessage(h.t.Context(), key)
	if err != nil {
		h.t.Fatal(err)
	}
	if len(all) != 1 {
		h.t.Fatalf("message %s has %d newest statements, want 1", key, len(all))
	}
	return all[0]
}

// count is what is on record.
func (h *hub) count() ledger.Totals {
	h.t.Helper()
	n, err := h.Ledger().Count(h.t.Context())
	if err != nil {
		h.t.Fatal(err)
	}
	return n
}

// produced are the figures of all production in a unit.
func (h *hub) produced(unit string) report.Figures {
	h.t.Helper()
	p, err := report.ProductionReport(h.t.Context(), h.Ledger(), report.Query{By: "item"})
	if err != nil {
		h.t.Fatal(err)
	}
	for _, total := range p.Totals {
		if total.Unit == unit {
			return total
		}
	}
	return report.Figures{}
}

// verified holds the ledger against its promises.
func (h *hub) verified() {
	h.t.Helper()
	if problems := h.problems(); problems != "" {
		h.t.Error(problems)
	}
}

// problems is what verify finds; "" where the ledger is in order.
func (h *hub) problems() string {
	r, err := h.Ledger().Verify(context.Background(), flow.VerifyOptions(h.Catalog()))
	if err != nil {
		return err.Error()
	}
	var b strings.Builder
	for _, c := range r.Checks {
		if c.Found > 0 {
			fmt.Fprintf(&b, "verify: %s: %d findings: %v\n", c.Name, c.Found, c.Findings)
		}
	}
	return b.String()
}

// again stops the hub and starts it anew over the same ledger, with some files of
// its catalog changed.
func (h *hub) again(changed map[string]string) *hub {
	h.t.Helper()
	h.stop()
	return hubOn(h.t, flow.Config{Catalog: company(h.t, changed), Ledger: ledger.Config{Database: h.database, Clock: h.clock}})
}

// isFault tells whether an error is of the reason.
func isFault(err error, code string) bool {
	f := fault.Of(err)
	return f != nil && f.Reason.Code == code
}
