package flow

import (
	"context"
	"fmt"
	"log/slog"
	"strconv"
	"strings"
	"time"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/mapping"
)

// hubSystem is the source of what the hub itself states.
const hubSystem = "hub"

// outcomeMessage is the name of the messages that tell what became of attempts.
const outcomeMessage = "outcome"

// settle puts on record what a system did because of a step: the answer as a
// message, the event that states it, and what follows from it for the transaction.
// Recording the same answer twice changes nothing.
func (f *Flow) settle(ctx context.Context, step *ledger.Step, number int, o connector.Outcome, found bool) error {
	a, err := f.outcome(step, number, o, found)
	if err != nil {
		return err
	}
	for attempt := range attempts {
		e, err := f.outcomeEntry(ctx, a, step, number, o, found)
		if err == nil && attempt > 0 { // the commit saw that a message told of the document before
			e.Undoes, err = f.echoes(ctx, step.Plant, &e.Settlements[0])
		}
		if err != nil {
			return fmt.Errorf("flow.settle: command %s: %w", step.Key, err)
		}
		e.Attempt = attempt
		result, err := f.ledger.Record(ctx, e)
		if err != nil {
			return fmt.Errorf("flow.settle: command %s: %w", step.Key, err)
		}
		if result.Outcome != ledger.Again {
			return nil
		}
	}
	return fault.New("flow.settle", fault.Unavailable, "", "the outcome of command %s was overtaken %d times", step.Key, attempts)
}

// outcome is the message that tells of an outcome. The system's own words are kept
// as they came, so that nobody has to trust our reading of them.
func (f *Flow) outcome(step *ledger.Step, number int, o connector.Outcome, found bool) (arrival, error) {
	record := map[string]any{
		"command": step.Key, "system": step.System, "name": step.Command, "attempt": strconv.Itoa(number), "status": string(o.Status), "words": o.Text, "found": found,
	}
	if o.Reason != nil {
		record["reason"] = o.Reason.Code
	}
	documents := make([]any, len(o.Documents))
	for i, d := range o.Documents {
		documents[i] = map[string]any{"number": d.Number, "kind": d.Kind}
	}
	record["documents"] = documents
	if len(o.Lines) > 0 {
		lines := make([]any, len(o.Lines))
		for i, l := range o.Lines {
			line := map[string]any{"line": l.Line, "status": string(l.Status), "words": l.Text}
			if l.Reason != nil {
				line["reason"] = l.Reason.Code
			}
			lines[i] = line
		}
		record["lines"] = lines
	}
	a := arrival{record: record}
	a.System, a.Name, a.ID = hubSystem, outcomeMessage, fmt.Sprintf("%s/%d", step.Key, number)
	if found {
		a.ID += "/found"
	}
	a.Plant, a.ContentType, a.Channel, a.Principal, a.Received = step.Plant, "application/json", "connector:"+step.System, "hub@"+f.node, f.ledger.Now()
	var err error
	if a.Body, err = event.Canonical(record); err != nil {
		return a, fmt.Errorf("flow.settle: %w", err)
	}
	if a.Digest, err = event.Digest(record); err != nil {
		return a, fmt.Errorf("flow.settle: %w", err)
	}
	return a, nil
}

// outcomeEntry makes the entry of an outcome. Where the event that states it does
// not keep to its contract, what is known of the step goes on record all the same.
func (f *Flow) outcomeEntry(ctx context.Context, a arrival, step *ledger.Step, number int, o connector.Outcome, found bool) (*ledger.Entry, error) {
	cat := f.Catalog()
	p := &preparation{flow: f, cat: cat, ctx: ctx, a: &a, e: newEntry(cat)}
	p.e.Message, p.e.Restates = a.Message, true
	if out := f.outcomeEvent(step, number, o, found); out != nil {
		if failed := p.draft(out); failed != nil {
			f.log.WarnContext(ctx, "outcome is on record without its event", slog.String("command", step.Key), slog.Any("error", failed))
			p.e.Drafts = nil
		}
	}
	settlement := ledger.Settlement{Step: step.Key, Transaction: step.Transaction, Attempt: number, System: step.System, Outcome: ledger.AttemptOutcome(o.Status), Words: wordsOf(&o), Reason: o.Reason}
	for _, d := range o.Documents {
		settlement.Documents = append(settlement.Documents, ledger.StepDocument{Number: d.Number, Kind: d.Kind})
	}
	settlement.Blamed = blamed(step, &o)
	p.e.Settlements = []ledger.Settlement{settlement}
	var err error
	p.e.Groups, err = f.materialGroups(ctx, step.Plant, refsOfStep(step))
	return p.e, err
}

// wordsOf are the system's own words; of what was done in part also what became of each
// line that it tells apart.
func wordsOf(o *connector.Outcome) string {
	words := o.Text
	if o.Status != connector.PartlyApplied {
		return words
	}
	for _, l := range o.Lines {
		line := fmt.Sprintf("line %s %s", l.Line, l.Status)
		if l.Reason != nil {
			line += fmt.Sprintf(" (%s)", l.Reason.Code)
		}
		if l.Text != "" {
			line += ": " + l.Text
		}
		if words != "" {
			words += "; "
		}
		words += line
	}
	return strings.ToValidUTF8(words[:min(len(words), connector.MaxText)], "")
}

// outcomeEvent is the event that states an outcome; nil where nothing is stated
// yet: what was only accepted, and what was done in part, which a person looks at.
func (f *Flow) outcomeEvent(step *ledger.Step, number int, o connector.Outcome, found bool) *output {
	data := map[string]any{"command": refText("command", step.Key), "system": refText("system", step.System), "name": step.Command, "reaction": step.Reaction, "plan": planOf(step.Transaction)}
	if kind := step.Object.Kind(); kind == "lot" || kind == "order" {
		data[kind] = string(step.Object)
	}
	now := f.ledger.Now().UTC().Truncate(time.Microsecond)
	out := &output{Output: mapping.Output{Slot: "outcome", Version: 1, Identity: step.Key, Occurred: event.Span{From: now, To: now}, Causation: step.Cause, Data: data}}
	switch o.Status {
	case connector.Applied:
		out.Type = "command.applied"
		documents := make([]any, 0, len(o.Documents))
		for _, d := range o.Documents {
			documents = append(documents, refText("document", step.System, d.Number))
		}
		if len(documents) > 0 {
			data["documents"] = documents
		}
		data["attempts"] = jsonNumber(number)
		if found {
			data["found"] = true
		}
	case connector.Refused:
		out.Type = "command.refused"
		data["words"] = o.Text
		if o.Text == "" {
			data["words"] = "(nothing was said)"
		}
		if o.Reason != nil {
			data["class"] = string(o.Reason.Class)
		}
	case connector.Accepted, connector.PartlyApplied:
		return nil
	}
	return out
}

// refText is a ref as it stands in data. Texts that cannot be one are refused by
// the contract.
func refText(kind string, segments ...string) string {
	ref, err := event.NewRef(kind, segments...)
	if err != nil {
		return ""
	}
	return string(ref)
}
