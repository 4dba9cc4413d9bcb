package tryton

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
)

// An attempt is one at a command, or one question for it.
type attempt struct {
	s       *System
	cmd     connector.Command
	request *request
	key     string    // as documents carry it
	asked   time.Time // of a question: what the ERP shows may be as old as this
	acted   bool      // a call that changes something may have reached the ERP
	notes   []string  // for people, beside the outcome
}

// text is what a document carries: the key, and words for people.
func (a *attempt) text() string { return strings.TrimSpace(a.key + " " + a.request.Text) }

// note keeps something that a person should know.
func (a *attempt) note(text string, args ...any) {
	a.notes = append(a.notes, fmt.Sprintf(text, args...))
}

// Repetitions of a call that the ERP has rolled back because of a lock.
const (
	repetitions = 5
	firstPause  = 40 * time.Millisecond
)

// act makes a call that changes something. The first one of an attempt goes out
// before the attempt's bound, the others before the time that an attempt may take
// has passed too: Traits.Settles counts with that.
//
// A call that the ERP has rolled back because somebody else held a lock is made
// again a few times: nothing of it was done, and the attempt is still the same.
func (a *attempt) act(ctx context.Context, call Call, out any) error {
	bound := a.cmd
	if a.acted {
		bound.SendBefore = bound.SendBefore.Add(a.s.config.Timeout)
	}
	call.InTime = bound.InTime
	for n := 0; ; n++ {
		err := a.s.client.Do(ctx, call, out)
		refused, isRefusal := errors.AsType[*Refusal](err)
		if !isRefusal && !errors.Is(err, connector.ErrNotSent) {
			a.acted = true
		}
		if !isRefusal || refused.kind == "ConcurrencyException" || refused.Reason.Class != fault.Heals || n == repetitions {
			return err
		}
		pause := firstPause << n
		select {
		case <-time.After(pause/2 + rand.N(pause)):
		case <-ctx.Done():
			return err
		}
	}
}

// press takes a document a step further. Where a timestamp is given, the ERP
// refuses if somebody has changed the document since it was read.
func (a *attempt) press(ctx context.Context, model, button string, id int64, timestamp string, out any) error {
	call := pressing(model, button, []int64{id})
	call.Context = unchanged(model, id, timestamp)
	return a.act(ctx, call, out)
}

// change writes a document that must not have changed since it was read.
func (a *attempt) change(ctx context.Context, model string, id int64, timestamp string, values map[string]any) error {
	call := writing(model, id, values)
	call.Context = unchanged(model, id, timestamp)
	return a.act(ctx, call, nil)
}

func unchanged(model string, id int64, timestamp string) map[string]any {
	if timestamp == "" {
		return nil
	}
	return map[string]any{"_timestamp": map[string]string{fmt.Sprintf("%s,%d", model, id): timestamp}}
}

// create makes a record and gives its id.
func (a *attempt) create(ctx context.Context, model string, values map[string]any) (int64, error) {
	var ids []int64
	if err := a.act(ctx, creating(model, []map[string]any{values}), &ids); err != nil {
		return 0, err
	}
	if len(ids) != 1 {
		return 0, connector.Unknown("tryton.create", fault.AnswerUnread, fmt.Errorf("one %s was made, and %d ids came back", model, len(ids)))
	}
	return ids[0], nil
}

// refuse is a refusal that the connector itself has found in the ERP's state.
func refuse(reason *fault.Reason, text string, args ...any) error {
	return &Refusal{Reason: reason, Text: connector.Words(fmt.Sprintf(text, args...))}
}

// asOwn is a refusal that the connector itself has found.
func asOwn(err error) (*Refusal, bool) {
	r, ok := errors.AsType[*Refusal](err)
	return r, ok && r.Method == ""
}

// outcome is what an attempt came to. An error after which nothing was done is
// one only while nothing before it was.
func (a *attempt) outcome(op string, documents []connector.Document, err error) (connector.Outcome, error) {
	notes := strings.Join(a.notes, "; ")
	if err == nil {
		return connector.Outcome{Status: connector.Applied, Documents: documents, Text: connector.Words(notes)}, nil
	}
	if refused, ok := errors.AsType[*Refusal](err); ok {
		text := refused.Text
		if notes != "" {
			text += " (" + notes + ")"
		}
		return connector.Outcome{Status: connector.Refused, Reason: refused.Reason, Text: connector.Words(text)}, nil
	}
	if a.acted {
		return connector.Outcome{}, unknowing(op, err)
	}
	if errors.Is(err, connector.ErrNotSent) {
		return connector.Outcome{}, err
	}
	reason := fault.AnswerLost // of a question: the ERP has done nothing
	if f := fault.Of(err); f != nil {
		reason = f.Reason
	}
	return connector.Outcome{}, connector.NotSent(op, reason, err)
}
