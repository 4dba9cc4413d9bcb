package api

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/gapless/gapless/fault"
)

// hubRoutes are about the hub itself. Only health, readiness and the description
// are open to everybody.
func (a *API) hubRoutes() {
	plain := func(path, id, summary, text, media string, serve http.HandlerFunc) {
		op := operation(http.MethodGet, path, id, tagHub, summary, text)
		op.Responses = map[string]*huma.Response{"200": {Description: http.StatusText(http.StatusOK), Content: content(&huma.Schema{Type: huma.TypeString}, media)}}
		a.describe(&op)
		op.Security = []map[string][]string{}
		a.huma.OpenAPI().AddOperation(&op)
		a.mux.HandleFunc(op.Method+" "+op.Path, serve)
	}
	plain("/healthz", "get-health", "The process is alive", "", "text/plain", a.healthz)
	plain("/readyz", "get-readiness", "The ledger takes and gives", "503 where a read fails, the committer does not answer or the disk is nearly full.", "text/plain", a.readyz)
	plain("/metrics", "get-metrics", "Metrics for Prometheus", "On the machine itself without a key; else for those who see all plants.", "text/plain", a.scrape)
	yaml := sync.OnceValues(a.OpenAPI)
	plain("/openapi.yaml", "get-openapi", "This description, in YAML", "", "application/openapi+yaml", func(w http.ResponseWriter, r *http.Request) {
		b, err := yaml()
		a.serve(w, r, "application/openapi+yaml", b, err)
	})
	document := sync.OnceValues(func() ([]byte, error) { return json.Marshal(a.huma.OpenAPI()) })
	plain("/openapi.json", "get-openapi-json", "This description, in JSON", "", "application/openapi+json", func(w http.ResponseWriter, r *http.Request) {
		b, err := document()
		a.serve(w, r, "application/openapi+json", b, err)
	})
}

func (a *API) serve(w http.ResponseWriter, r *http.Request, contentType string, body []byte, err error) {
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	w.Header().Set("Content-Type", contentType)
	_, _ = w.Write(body) // the client is gone
}

func (a *API) healthz(w http.ResponseWriter, r *http.Request) {
	a.serve(w, r, "text/plain; charset=utf-8", []byte("ok\n"), nil)
}

// readyWithin bounds how long the ledger may take to say that it is ready.
const readyWithin = 2 * time.Second

func (a *API) readyz(w http.ResponseWriter, r *http.Request) {
	a.serve(w, r, "text/plain; charset=utf-8", []byte("ready\n"), a.ready(r.Context()))
}

func (a *API) ready(ctx context.Context) error {
	if a.flow == nil {
		return fault.New("api", fault.Unavailable, "", "this program has no ledger")
	}
	select {
	case <-a.stopping:
		return fault.New("api", fault.Unavailable, "", "the hub is stopping")
	default:
	}
	ctx, cancel := context.WithTimeout(ctx, readyWithin)
	defer cancel()
	err := a.ledger().Ready(ctx)
	if ctx.Err() != nil {
		return fault.New("api", fault.Unavailable, "", "the ledger did not answer within %s", readyWithin)
	}
	return err
}

// observed is the outermost layer: it counts requests, and turns a panic, which is
// a fault of this program, into an answer.
func (a *API) observed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		began := a.cfg.Clock()
		r = withAddress(r)
		o := &observer{ResponseWriter: w}
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("Cache-Control", "no-store")
		defer func() {
			if cause := recover(); cause != nil {
				a.panicked(o, r, cause)
			}
			route := r.Pattern[strings.IndexByte(r.Pattern, ' ')+1:]
			a.metrics.answered(route, cmp.Or(o.status, http.StatusOK), a.cfg.Clock().Sub(began))
		}()
		next.ServeHTTP(o, r)
	})
}

func (a *API) panicked(o *observer, r *http.Request, cause any) {
	a.cfg.Log.ErrorContext(r.Context(), "request panicked", slog.String("cause", fmt.Sprint(cause)), slog.String("route", r.Pattern), slog.String("stack", string(debug.Stack())))
	if o.status == 0 {
		a.refuse(o, r, fault.New("api", fault.Unavailable, "", "a fault of the hub; its log has the cause"))
		return
	}
	panic(http.ErrAbortHandler) //nolint:forbidigo // half an answer is out: net/http breaks the connection off
}

// observer remembers the status of an answer.
type observer struct {
	http.ResponseWriter
	status int
}

// WriteHeader remembers the status.
func (o *observer) WriteHeader(status int) {
	if o.status == 0 {
		o.status = status
	}
	o.ResponseWriter.WriteHeader(status)
}

// Write is of status 200 where none was set.
func (o *observer) Write(b []byte) (int, error) {
	if o.status == 0 {
		o.status = http.StatusOK
	}
	return o.ResponseWriter.Write(b)
}

// Unwrap lets a response controller reach the connection.
func (o *observer) Unwrap() http.ResponseWriter { return o.ResponseWriter }
