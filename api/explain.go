package api

import (
	"context"

	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/mapping"
)

// explained is how many messages of a trace are explained: a trace of an order
// may show hundreds, and a person reads a few.
const explained = 20

// explain adds to a trace why the fields of its events have their values, for the
// messages that made them. Of a trace of one event only that event's fields are
// told. A message that cannot be explained says why.
func (a *API) explain(ctx context.Context, v *TraceView) error {
	for i, x := range explainable(v) {
		if i == explained {
			return nil
		}
		fields, err := a.flow.Explain(ctx, x.Message)
		if f := fault.Of(err); f != nil && f.Reason != fault.Unavailable {
			x.Missing = f.Text()
		} else if err != nil {
			return err
		}
		for _, field := range fields {
			if v.Kind != "event" || shows(v, x.Message, field) {
				x.Fields = append(x.Fields, fieldView(field))
			}
		}
		v.Explanations = append(v.Explanations, x)
	}
	return nil
}

// explainable are the messages whose mapped events a trace shows, each once.
func explainable(v *TraceView) []ExplanationView {
	var all []ExplanationView
	seen := map[string]bool{}
	for _, l := range v.Lines {
		if l.Mapping != "" && l.Change != "reversal" && !seen[l.Message] {
			seen[l.Message] = true
			all = append(all, ExplanationView{Message: l.Message, Mapping: l.Mapping, Revision: l.Revision})
		}
	}
	return all
}

// shows tells whether a trace shows the event that a field belongs to.
func shows(v *TraceView, message string, field mapping.Explanation) bool {
	for _, l := range v.Lines {
		if l.Message == message && l.Slot == field.Slot && l.Event["type"] == field.Type {
			return true
		}
	}
	return false
}

func fieldView(x mapping.Explanation) FieldView {
	return FieldView{
		Slot: x.Slot, Type: x.Type, Target: x.Field, Value: x.Value, Sources: x.Sources, Place: x.Place, Line: x.Line, Expression: x.Expression,
	}
}
