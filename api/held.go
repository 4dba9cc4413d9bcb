package api

import (
	"context"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
)

type heldIn struct {
	Asker
	State  string  `query:"state" enum:"open,resolved,waived" doc:"open where nothing is said"`
	Plant  string  `query:"plant"`
	System string  `query:"system"`
	Reason string  `query:"reason" doc:"Code of the closed list of reasons"`
	After  Instant `query:"after" doc:"Raised later than this, as next says"`
	Limit  Limit   `query:"limit" doc:"1 to 1000, 100 where nothing is said"`
}

// Held is a page of exceptions.
type Held struct {
	Held []ExceptionView `json:"held" nullable:"false" doc:"In the order in which they were raised"`
	Next string          `json:"next,omitempty" format:"date-time" doc:"Give it as after for the next page; absent on the last one"`
}

// held lists the messages that do not go on.
func (a *API) held(ctx context.Context, who caller, in *heldIn) (Held, error) {
	return a.openPage(ctx, who, in, "message")
}

// exceptions lists everything that does not go on: messages and steps.
func (a *API) exceptions(ctx context.Context, who caller, in *heldIn) (Held, error) {
	return a.openPage(ctx, who, in, "")
}

func (a *API) openPage(ctx context.Context, who caller, in *heldIn, about string) (Held, error) {
	page := Held{Held: []ExceptionView{}}
	limit, err := in.Limit.upTo(1000, 100)
	if err != nil {
		return page, err
	}
	after, err := in.After.time("after", time.Time{})
	switch {
	case err != nil:
		return page, err
	case in.State != "" && in.State != "open" && in.State != "resolved" && in.State != "waived":
		return page, invalid("state", "%.40q; give open, resolved or waived", in.State)
	}
	if in.Reason != "" && fault.ByCode(in.Reason) == nil {
		return page, invalid("reason", "%.60q is none; docs/reasons.md lists them", in.Reason)
	}
	if err := a.known(ctx, who.scope, in.Plant); err != nil {
		return page, err
	}
	filter := ledger.HeldFilter{About: about, State: in.State, Plant: in.Plant, System: in.System, Reason: in.Reason, After: after}
	for len(page.Held) < limit {
		found, more, err := a.heldPage(ctx, filter, limit)
		if err != nil {
			return page, err
		}
		page.Held = append(page.Held, visibleExceptions(who, found)...)
		if !more {
			return page, nil
		}
		filter.After = found[len(found)-1].Raised
	}
	page.Next = utc(filter.After)
	return page, nil
}

// heldPage is a stretch of exceptions that does not end among some that were
// raised at the same time.
func (a *API) heldPage(ctx context.Context, f ledger.HeldFilter, limit int) (found []ledger.Exception, more bool, err error) {
	for f.Limit = limit + 1; ; f.Limit *= 2 {
		found, err = a.ledger().Held(ctx, f)
		if err != nil || len(found) < f.Limit {
			return found, false, err
		}
		for end := len(found) - 1; end > 0; end-- {
			if !found[end].Raised.Equal(found[end-1].Raised) {
				return found[:end], true, nil
			}
		}
	}
}

type retryIn struct {
	Asker
	Message string `path:"message" doc:"Id of the message, as the exception names it"`
}

// retry takes a held message in again, for a person who may resume.
func (a *API) retry(ctx context.Context, who caller, in *retryIn) (Answer, error) {
	m, err := a.visibleMessage(ctx, who, in.Message)
	if err == nil && m.Newest != m.Version { // that is taken in, and may be of another plant
		m, err = a.visibleMessage(ctx, who, event.StatementID(m.Key(), m.Newest))
	}
	if err != nil {
		return Answer{}, err
	}
	if err := who.Need(ledger.Resume, m.Plant); err != nil {
		return Answer{}, err
	}
	answer, err := a.flow.Retry(ctx, m.Key())
	if err != nil {
		return Answer{}, err
	}
	note := ledger.Act{Plant: m.Plant, Principal: who.Name, Act: "message.retried", Subject: m.StatementID(), Detail: string(answer.Outcome)}
	if err := a.ledger().Note(ctx, note); err != nil {
		return Answer{}, err
	}
	return answerOf(&answer), nil
}
