package api

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/ledger"
)

func newRecorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }

func TestTheDescriptionIsOpenAPIAndCurrent(t *testing.T) {
	a, err := New(Config{Version: "golden"})
	if err != nil {
		t.Fatal(err)
	}
	got, err := a.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "openapi.yaml")
	if *update {
		if err := os.WriteFile(golden, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), string(got)); diff != "" {
		t.Errorf("the description has changed (go test ./api -update writes it anew):\n%s", diff)
	}
	var doc map[string]any
	if err := yaml.Unmarshal(got, &doc); err != nil {
		t.Fatal(err)
	}
	checkDescription(t, doc)
}

// checkDescription holds what OpenAPI 3.1 demands and what we promise: every
// reference leads somewhere, path parameters are declared, ids are unique, every
// operation says what a refusal looks like.
func checkDescription(t *testing.T, doc map[string]any) {
	t.Helper()
	if v, _ := doc["openapi"].(string); !strings.HasPrefix(v, "3.1.") {
		t.Errorf("openapi is %q", v)
	}
	followRefs(t, doc, doc)
	ids := map[string]bool{}
	paths, _ := doc["paths"].(map[string]any)
	for path, item := range paths {
		operations, _ := item.(map[string]any)
		for method, o := range operations {
			op, _ := o.(map[string]any)
			id, _ := op["operationId"].(string)
			if id == "" || ids[id] {
				t.Errorf("%s %s: operationId %q is empty or used twice", method, path, id)
			}
			ids[id] = true
			responses, _ := op["responses"].(map[string]any)
			if responses["default"] == nil || len(responses) < 2 {
				t.Errorf("%s %s: responses %v", method, path, responses)
			}
			declared := map[string]bool{}
			parameters, _ := op["parameters"].([]any)
			for _, p := range parameters {
				parameter, _ := p.(map[string]any)
				name, _ := parameter["name"].(string)
				declared[name] = true
				if name == "Authorization" {
					t.Errorf("%s %s: the header Authorization is no parameter", method, path)
				}
			}
			for part := range strings.SplitSeq(path, "/") {
				if name, ok := strings.CutPrefix(part, "{"); ok && !declared[strings.TrimSuffix(name, "}")] {
					t.Errorf("%s %s: the parameter %s is not declared", method, path, name)
				}
			}
		}
	}
	if len(ids) < 24 {
		t.Errorf("only %d operations", len(ids))
	}
}

func followRefs(t *testing.T, doc map[string]any, v any) {
	t.Helper()
	switch x := v.(type) {
	case []any:
		for _, item := range x {
			followRefs(t, doc, item)
		}
	case map[string]any:
		if ref, ok := x["$ref"].(string); ok {
			var at any = doc
			for part := range strings.SplitSeq(strings.TrimPrefix(ref, "#/"), "/") {
				m, _ := at.(map[string]any)
				at = m[part]
			}
			if at == nil {
				t.Errorf("%s leads nowhere", ref)
			}
		}
		for _, item := range x {
			followRefs(t, doc, item)
		}
	}
}

func TestWithoutAFlowTheAPIDescribesItselfAndAnswersNothingElse(t *testing.T) {
	a, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	for path, status := range map[string]int{"/openapi.json": 200, "/healthz": 200, "/readyz": 503, "/v1/feed": 503, "/v1/feed/stream": 503} {
		w := newRecorder()
		a.Handler().ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
		if w.Code != status {
			t.Errorf("%s: %d, want %d", path, w.Code, status)
		}
		if status == 503 {
			var p Problem
			if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Reason != "unavailable" {
				t.Errorf("%s: %s", path, w.Body)
			}
		}
	}
}

func TestAFaultOfThisProgramIsAnAnswerToo(t *testing.T) {
	a, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	w := newRecorder()
	a.observed(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("of a test") })).ServeHTTP(w, httptest.NewRequest(http.MethodGet, "/", nil))
	var p Problem
	if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || w.Code != 503 || p.Reason != "unavailable" || strings.Contains(p.Detail, "of a test") {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestEverythingWrongWithAConfigIsToldAtOnce(t *testing.T) {
	_, err := New(Config{MaxBody: -1, Rate: -1})
	if err == nil || !strings.Contains(err.Error(), "MaxBody") || !strings.Contains(err.Error(), "Rate") {
		t.Error(err)
	}
}

func TestAHubWhoseCommitterDoesNotRunIsNotReady(t *testing.T) {
	cat, err := twoPlants()
	if err != nil {
		t.Fatal(err)
	}
	f, err := flow.Open(t.Context(), flow.Config{Catalog: cat, Ledger: ledger.Config{Database: filepath.Join(t.TempDir(), "gapless.db"), DiskReserve: 1}})
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	a, err := New(Config{Flow: f})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if err := a.ready(ctx); !errors.Is(err, fault.Unavailable) {
		t.Errorf("ready says %v", err)
	}
}
