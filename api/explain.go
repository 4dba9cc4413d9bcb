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
			line := lineOf(v, x.Message, field)
			if line == nil && v.Kind == "event" {
				continue
			}
			x.Fields = append(x.Fields, fieldView(field, line))
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

// lineOf is the event of a trace that a field belongs to; nil where it does not
// show that event.
func lineOf(v *TraceView, message string, field mapping.Explanation) *EventView {
	for i := range v.Lines {
		l := &v.Lines[i]
		if l.Message == message && l.Slot == field.Slot && l.Event["type"] == field.Type {
			return l
		}
	}
	return nil
}

// fieldView tells why a field has its value: what is on record, where the trace
// shows it.
func fieldView(x mapping.Explanation, line *EventView) FieldView {
	value := x.Value
	if line != nil {
		if data, ok := line.Event["data"].(map[string]any); ok {
			value = x.In(data)
		}
	}
	return FieldView{
		Slot: x.Slot, Type: x.Type, Target: x.Field, Value: value, Sources: x.Sources, Place: x.Place, Line: x.Line, Expression: x.Expression,
	}
}
