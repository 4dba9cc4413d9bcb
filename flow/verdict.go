package flow

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/format"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/policy"
)

func occurred(s event.Span) map[string]any {
	return map[string]any{"from": s.From.Format(time.RFC3339Nano), "to": s.To.Format(time.RFC3339Nano)}
}

// Digest is the digest of what a statement says: two statements of the same key
// with the same digest say the same. Mapping, revision and contract version are
// not part of it.
func Digest(e *event.Event) (string, error) {
	data, err := event.Canonical(e.Data)
	if err != nil {
		return "", err
	}
	return digest(e, data)
}

// digest is Digest where the data are written already.
func digest(e *event.Event, data event.Written) (string, error) {
	return event.Digest(map[string]any{
		"type": e.Type, "subject": string(e.Subject), "plant": e.Plant, "occurred": occurred(e.Occurred), "sequence": e.Sequence, "data": data,
	})
}

func storedVerdict(v policy.Verdict) ledger.Verdict {
	return ledger.Verdict{
		Policy: v.Policy, Outcome: string(v.Outcome), Effect: string(v.Effect), Reason: v.Reason, Field: v.Field, Message: v.Message, Remedy: v.Remedy,
	}
}

// applyVerdict says what a verdict does: it forbids a decision, which becomes a
// fault, or disputes a fact. A policy that could not be judged counts by its
// effect, never as a pass.
func applyVerdict(v policy.Verdict) (f *fault.Fault, disputed bool) {
	if !v.Stops() {
		return nil, false
	}
	if v.Effect != policy.Forbid {
		return nil, v.Effect == policy.Dispute
	}
	reason := fault.ByCode(v.Reason)
	if reason == nil {
		reason = fault.PolicyForbids
	}
	return fault.New("flow.judge", reason, v.Field, "%s: %s", v.Policy, v.Message), false
}

// asFault is the Fault in an error, or the error as a fault of the reason.
func asFault(op string, reason *fault.Reason, err error) *fault.Fault {
	if f := fault.Of(err); f != nil {
		return f
	}
	return fault.Wrap(op, reason, "", err)
}

// firstOf is the first fault, with the others in its detail: one exception names
// everything that has to be put right.
func firstOf(faults []*fault.Fault) *fault.Fault {
	f := *faults[0]
	if len(faults) > 1 {
		texts := []string{f.Explanation()}
		for _, other := range faults[1:] {
			texts = append(texts, fmt.Sprintf("%s: %s", other.Field, other.Explanation()))
		}
		f.Detail = strings.Join(texts, "; ")
	}
	return &f
}

func joinFaults(faults []*event.AttributeError) string {
	texts := make([]string, len(faults))
	for i, f := range faults {
		texts[i] = f.Error()
	}
	return strings.Join(texts, "; ")
}

func asFormatError(err error) (*format.Error, bool) {
	var e *format.Error
	ok := errors.As(err, &e)
	return e, ok
}
