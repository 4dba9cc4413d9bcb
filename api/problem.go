package api

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"maps"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/gapless/gapless/fault"
)

// Problem is a refusal in the form of RFC 9457: nothing was kept, or nothing can
// be shown.
type Problem struct {
	Type   string `json:"type" doc:"URN of the reason: urn:gapless:reason:<reason>" example:"urn:gapless:reason:id_missing"`
	Title  string `json:"title" doc:"What is wrong, in a few words" example:"message has no identity"`
	Status int    `json:"status" doc:"HTTP status" example:"422"`
	Reason string `json:"reason" doc:"Code of the closed list of reasons" example:"id_missing"`
	Field  string `json:"field,omitempty" doc:"Parameter, attribute or field in question, with slashes between its parts" example:"outputs/0/quantity"`
	Detail string `json:"detail,omitempty" doc:"The values in question"`
	Remedy string `json:"remedy" doc:"What to do about it"`

	retryAfter time.Duration
}

// Error makes a Problem an error that huma writes as it is.
func (p *Problem) Error() string { return p.Reason + ": " + p.Detail }

// GetStatus is the HTTP status of the answer.
func (p *Problem) GetStatus() int { return p.Status }

// GetHeaders are the headers that go with the problem.
func (p *Problem) GetHeaders() http.Header {
	h := http.Header{}
	if p.Status == http.StatusUnauthorized {
		h.Add("WWW-Authenticate", `Bearer realm="gapless"`)
		h.Add("WWW-Authenticate", `Basic realm="gapless", charset="UTF-8"`)
	}
	if p.retryAfter > 0 {
		h.Set("Retry-After", strconv.FormatInt(int64((p.retryAfter+time.Second-1)/time.Second), 10))
	}
	return h
}

// ContentType is that of RFC 9457.
func (p *Problem) ContentType(string) string { return problemType }

const (
	problemType = "application/problem+json"
	jsonType    = "application/json"
)

// statuses are the HTTP statuses of refusals by reason. What is not named here
// can be understood, but not be done: 422.
func statuses() map[*fault.Reason]int {
	return map[*fault.Reason]int{
		fault.Unauthenticated: http.StatusUnauthorized,
		fault.Forbidden:       http.StatusForbidden,
		fault.ForeignSource:   http.StatusForbidden,
		fault.NotFound:        http.StatusNotFound,
		fault.SystemUnknown:   http.StatusNotFound,
		fault.MessageUnknown:  http.StatusNotFound,
		fault.LimitExceeded:   http.StatusRequestEntityTooLarge,
		fault.TypeUnsupported: http.StatusUnsupportedMediaType,
		fault.RateLimited:     http.StatusTooManyRequests,
		fault.Unavailable:     http.StatusServiceUnavailable,
		fault.NotReadable:     http.StatusBadRequest,
		fault.InvalidRequest:  http.StatusBadRequest,
		fault.DecidedAlready:  http.StatusConflict,
	}
}

// statusByReason is read only.
var statusByReason = statuses()

// How long a client should wait where the answer depends on time.
const (
	retryUnavailable = 5 * time.Second
	retryLogin       = 5 * time.Minute // the window in which log-ins are counted
)

// refusal is a fault as a problem.
func refusal(f *fault.Fault) *Problem {
	p := &Problem{
		Type: "urn:gapless:reason:" + f.Reason.Code, Title: f.Reason.Title, Status: http.StatusUnprocessableEntity,
		Reason: f.Reason.Code, Field: f.Field, Detail: f.Explanation(), Remedy: f.Reason.Remedy,
	}
	if status, ok := statusByReason[f.Reason]; ok {
		p.Status = status
	}
	switch f.Reason {
	case fault.Unavailable:
		p.retryAfter = retryUnavailable
		p.Detail = f.Detail // the cause below is for the log
	case fault.RateLimited:
		p.retryAfter = retryLogin
	}
	return p
}

// problem is any error as a problem. What is no fault is not the asker's: it is
// logged here, where it stops, and answered as unavailable.
func (a *API) problem(ctx context.Context, err error) *Problem {
	if p, ok := errors.AsType[*Problem](err); ok {
		return p
	}
	f := fault.Of(err)
	if f == nil {
		f = fault.Wrap("api", fault.Unavailable, "", err)
	}
	if f.Reason == fault.Unavailable && ctx.Err() == nil {
		a.cfg.Log.ErrorContext(ctx, "request cannot be answered", slog.Any("error", err))
	}
	return refusal(f)
}

// refuse writes an error as a problem.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, err error) {
	p := a.problem(r.Context(), err)
	maps.Copy(w.Header(), p.GetHeaders())
	a.metrics.refused(p.Reason)
	write(w, p.Status, problemType, p)
}

// write writes a value as JSON. That the client is gone is nobody's fault: what
// was recorded stays on record.
func write(w http.ResponseWriter, status int, contentType string, value any) {
	w.Header().Set("Content-Type", contentType)
	w.WriteHeader(status)
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	_ = e.Encode(value)
}

// ourProblems turns what huma itself refuses into a Problem.
func ourProblems(_ huma.Context, _ string, v any) (any, error) {
	e, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	f := fault.New("api", fault.InvalidRequest, "", "%s", e.Detail)
	for i, d := range e.Errors {
		if i == 0 {
			f.Field = lastPart(d.Location)
			f.Detail = d.Message
			continue
		}
		f.Detail += "; " + d.Location + ": " + d.Message
	}
	p := refusal(f)
	p.Status = e.Status
	return p, nil
}

func lastPart(location string) string {
	for i := len(location) - 1; i >= 0; i-- {
		if location[i] == '.' {
			return location[i+1:]
		}
	}
	return location
}

func invalid(field, detail string, args ...any) error {
	return fault.New("api", fault.InvalidRequest, field, detail, args...)
}

func forbidden(detail string, args ...any) error {
	return fault.New("api", fault.Forbidden, "", detail, args...)
}

func notFound(field, detail string, args ...any) error {
	return fault.New("api", fault.NotFound, field, detail, args...)
}
