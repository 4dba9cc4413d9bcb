package api

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/gapless/gapless/ledger"
)

// Asker is what every reading request carries.
type Asker struct {
	Authorization string `header:"Authorization" hidden:"true"`
}

func (a *Asker) credentials() string { return a.Authorization }

// asking is a request that says who asks.
type asking interface{ credentials() string }

// caller is who asks, and what may be shown.
type caller struct {
	ledger.Principal
	scope scope
}

// Out is an answer.
type Out[T any] struct{ Body T }

// read registers a route that reads. Who asks is known, and sees something,
// before do is called.
func read[I, O any, P interface {
	*I
	asking
}](a *API, op huma.Operation, do func(ctx context.Context, who caller, in *I) (O, error)) {
	a.describe(&op)
	op.Middlewares = append(op.Middlewares, a.onlyKnown)
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*Out[O], error) {
		out, err := answer(ctx, a, P(in), func(who caller) (O, error) { return do(ctx, who, in) })
		if err != nil {
			p := a.problem(ctx, err)
			a.metrics.refused(p.Reason)
			return nil, p
		}
		return &Out[O]{out}, nil
	})
}

func answer[O any](ctx context.Context, a *API, in asking, do func(who caller) (O, error)) (out O, err error) {
	p, err := a.principal(ctx, in.credentials())
	if err != nil {
		return out, err
	}
	s, err := a.scopeOf(p)
	if err != nil {
		return out, err
	}
	return do(caller{p, s})
}

// describe completes an operation: security and the form of its problems.
// Parameters are read by us, so that each fault has reason, field and remedy.
func (a *API) describe(op *huma.Operation) {
	op.SkipValidateParams, op.SkipValidateBody = true, true
	op.Security = []map[string][]string{{"key": {}}, {"person": {}}}
	if op.Responses == nil {
		op.Responses = map[string]*huma.Response{}
	}
	op.Responses["default"] = &huma.Response{
		Description: "A refusal: reason, field and remedy",
		Content:     map[string]*huma.MediaType{problemType: {Schema: a.schema(Problem{}, "Problem")}},
	}
	if op.Responses["200"] == nil {
		op.Responses["200"] = &huma.Response{Description: http.StatusText(http.StatusOK)}
	}
}

func (a *API) schema(of any, name string) *huma.Schema {
	return a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeOf(of), true, name)
}

// Parameters come as text and are read here, so that a fault in one of them is
// told like every other fault.

// Limit is a parameter that says how much at most to answer.
type Limit string

// Schema describes it.
func (Limit) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeInteger, Format: "int32"}
}

func (l Limit) upTo(most, fallback int) (int, error) {
	if l == "" {
		return fallback, nil
	}
	n, err := strconv.Atoi(string(l))
	if err != nil || n < 1 || n > most {
		return 0, invalid("limit", "%.40q; give a whole number from 1 to %d", string(l), most)
	}
	return n, nil
}

// Instant is a parameter that is a time with its zone offset.
type Instant string

// Schema describes it.
func (Instant) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date-time", Examples: []any{"2026-03-02T06:00:00+01:00"}}
}

func (t Instant) time(field string, fallback time.Time) (time.Time, error) {
	if t == "" {
		return fallback, nil
	}
	at, err := time.Parse(time.RFC3339Nano, string(t))
	if err != nil {
		return at, invalid(field, "%.60q is no time; give it with its zone offset as in 2026-03-02T06:00:00+01:00 (+ is %%2B in a URL)", string(t))
	}
	return at, nil
}

// Day is a parameter that is a production day.
type Day string

// Schema describes it.
func (Day) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Format: "date", Examples: []any{"2026-03-02"}}
}

func (d Day) text(field string) (string, error) {
	if d == "" {
		return "", nil
	}
	if _, err := time.Parse(time.DateOnly, string(d)); err != nil {
		return "", invalid(field, "%.40q is no day of the form 2026-03-02", string(d))
	}
	return string(d), nil
}

// Flag is a parameter that is true or false.
type Flag string

// Schema describes it.
func (Flag) Schema(huma.Registry) *huma.Schema { return &huma.Schema{Type: huma.TypeBoolean} }

func (f Flag) set(field string) (bool, error) {
	switch f {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	}
	return false, invalid(field, "%.40q; give true or false", string(f))
}

// Several is a parameter with several values, separated by commas.
type Several string

// Schema describes it.
func (Several) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Description: "One or several, separated by commas"}
}

func (s Several) list() []string {
	var all []string
	for part := range strings.SplitSeq(string(s), ",") {
		if part = strings.TrimSpace(part); part != "" && !slices.Contains(all, part) {
			all = append(all, part)
		}
	}
	return all
}

// Wait is a parameter that is a duration.
type Wait string

// Schema describes it.
func (Wait) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Examples: []any{"30s"}, Description: "At most 60s"}
}

func (w Wait) duration(field string, most time.Duration) (time.Duration, error) {
	if w == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(string(w))
	if err != nil || d < 0 || d > most {
		return 0, invalid(field, "%.40q; give a time such as 30s, at most %s", string(w), most)
	}
	return d, nil
}

// required is a parameter that must be there.
func required(field, value string) error {
	if value == "" {
		return invalid(field, "is missing")
	}
	return nil
}

// onlyParameters refuses query parameters that a route does not know, and what cannot be
// read: one that is misspelt would silently not filter.
func onlyParameters(r *http.Request, known ...string) error {
	query, err := url.ParseQuery(r.URL.RawQuery)
	switch {
	case err != nil:
		return invalid("", "the query cannot be read: %v", err)
	case !isText(r.URL.Path):
		return invalid("", "the path is no text")
	}
	for name, values := range query {
		if !slices.Contains(known, name) {
			return invalid(name, "the route has no parameter %.60q; it has %s", name, cmp.Or(strings.Join(known, ", "), "none"))
		}
		if !isText(strings.Join(values, "")) {
			return invalid(name, "%.60q is no text", values)
		}
	}
	return nil
}

// onlyKnown is onlyParameters for the routes of huma.
func (a *API) onlyKnown(ctx huma.Context, next func(huma.Context)) {
	var known []string
	for _, p := range ctx.Operation().Parameters {
		if p.In == "query" {
			known = append(known, p.Name)
		}
	}
	r, w := humago.Unwrap(ctx)
	if err := onlyParameters(r, known...); err != nil {
		a.refuse(w, r, err)
		return
	}
	next(ctx)
}
