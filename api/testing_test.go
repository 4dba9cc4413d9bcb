package api

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
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

	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/ledger"
)

// update rewrites the golden files: go test ./api -update.
var update = flag.Bool("update", false, "write the golden files anew")

// twoPlants is the catalog of testdata over the standard one.
var twoPlants = sync.OnceValues(func() (*catalog.Catalog, error) {
	cat, findings := catalog.Load(os.DirFS("testdata/catalog"))
	if cat == nil {
		return nil, fmt.Errorf("the catalog does not load: %v", findings)
	}
	return cat, nil
})

// password is that of all people in tests.
const password = "a long pass phrase of tests"

// hub is a running hub: a real flow over SQLite behind a real server.
type hub struct {
	t    testing.TB
	flow *flow.Flow
	api  *API
	url  string
	key  map[string]string // by system
}

// people of the tests and their roles.
var people = map[string][]ledger.Grant{
	"graz.viewer":   {{Role: ledger.Viewer, Plant: "graz"}},
	"graz.operator": {{Role: ledger.Operator, Plant: "graz"}},
	"linz.operator": {{Role: ledger.Operator, Plant: "linz"}},
	"graz.quality":  {{Role: ledger.Quality, Plant: "graz"}},
	"linz.quality":  {{Role: ledger.Quality, Plant: "linz"}},
	"steward":       {{Role: ledger.Steward}},
	"viewer":        {{Role: ledger.Viewer}},
	"nobody":        {},
}

// newHub starts a hub with a key for each system. People are made by hub.person.
func newHub(t testing.TB, cfg Config) *hub {
	t.Helper()
	return newHubOn(t, filepath.Join(t.TempDir(), "gapless.db"), cfg)
}

// newHubOn is newHub over a database.
func newHubOn(t testing.TB, database string, cfg Config) *hub {
	t.Helper()
	cat, err := twoPlants()
	if err != nil {
		t.Fatal(err)
	}
	f, err := flow.Open(t.Context(), flow.Config{Catalog: cat, Ledger: ledger.Config{Database: database, DiskReserve: 1}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	cfg.Flow = f
	a, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(nil)
	server.Config = a.Server("")
	server.Start()
	t.Cleanup(func() {
		server.Close()
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
		f.Close()
	})
	h := &hub{t: t, flow: f, api: a, url: server.URL, key: map[string]string{}}
	for _, s := range cat.Systems() {
		if h.key[s.System], _, err = f.Ledger().CreateSystemKey(t.Context(), "test", s.System, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	return h
}

// person makes an account of the table people.
func (h *hub) person(names ...string) {
	h.t.Helper()
	for _, name := range names {
		if err := h.flow.Ledger().CreatePerson(h.t.Context(), "test", name, password, people[name]); err != nil {
			h.t.Fatal(err)
		}
	}
}

// request asks as a system or a person; "" as nobody.
func (h *hub) request(as, method, path string, header map[string]string, body string) *http.Request {
	h.t.Helper()
	r, err := http.NewRequestWithContext(h.t.Context(), method, h.url+path, strings.NewReader(body))
	if err != nil {
		h.t.Fatal(err)
	}
	if key, ok := h.key[as]; ok {
		r.Header.Set("Authorization", "Bearer "+key)
	} else if as != "" {
		r.SetBasicAuth(as, password)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	return r
}

// reply is an answer that was read whole.
type reply struct {
	status int
	header http.Header
	text   string
	json   map[string]any
}

func (h *hub) do(r *http.Request) reply {
	h.t.Helper()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		h.t.Fatal(err)
	}
	b, err := io.ReadAll(response.Body)
	_ = response.Body.Close()
	if err != nil {
		h.t.Fatal(err)
	}
	out := reply{status: response.StatusCode, header: response.Header, text: string(b)}
	if strings.Contains(response.Header.Get("Content-Type"), "json") && !strings.Contains(response.Header.Get("Content-Type"), "ndjson") {
		d := json.NewDecoder(bytes.NewReader(b))
		d.UseNumber()
		if err := d.Decode(&out.json); err != nil {
			h.t.Fatalf("%s %s: %v in %.200q", r.Method, r.URL, err, b)
		}
	}
	return out
}

func (h *hub) get(as, path string) reply {
	h.t.Helper()
	return h.do(h.request(as, http.MethodGet, path, nil, ""))
}

func (h *hub) post(as, path, contentType, body string) reply {
	h.t.Helper()
	return h.do(h.request(as, http.MethodPost, path, map[string]string{"Content-Type": contentType}, body))
}

// text reads a path of an answer: "exception/reason".
func (r reply) at(path string) string {
	var v any = r.json
	for name := range strings.SplitSeq(path, "/") {
		switch x := v.(type) {
		case map[string]any:
			v = x[name]
		case []any:
			i := 0
			if _, err := fmt.Sscan(name, &i); err != nil || i >= len(x) {
				return ""
			}
			v = x[i]
		default:
			return ""
		}
	}
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// produced is a production.completed of a system as a structured CloudEvent. An
// edit is put in place of the part of the text that it names.
func produced(system, id string, edits ...string) string {
	plant := strings.TrimSuffix(system, "-mes")
	text := `{"specversion":"1.0","id":"` + id + `","source":"` + system + `","type":"production.completed","plant":"` + plant + `","time":"2026-03-02T06:00:00+01:00",` +
		`"data":{"order":"order/1000123","outputs":[{"role":"main","material":"material/M-100","lot":"lot/M-100/` + plant + `","quantity":{"value":"12.5","unit":"KGM"}}]}}`
	return strings.NewReplacer(edits...).Replace(text)
}

// record posts a production.completed and checks that it is on record.
func (h *hub) record(system, id string, edits ...string) reply {
	h.t.Helper()
	r := h.post(system, "/v1/events", structuredType, produced(system, id, edits...))
	if r.status != http.StatusOK || r.at("outcome") != "recorded" {
		h.t.Fatalf("%s %s: %d %s", system, id, r.status, r.text)
	}
	return r
}
