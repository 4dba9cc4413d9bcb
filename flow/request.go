package flow

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/mapping"
)

// request makes what is sent for a step: the canonical command, through the
// system's mapping where it has one. What keeps it from being made is a fault, and
// waits where it heals.
func (f *Flow) request(ctx context.Context, traits connector.Traits, t *task) (*fault.Fault, []string) {
	s := &t.due.Step
	t.command = connector.Command{Key: s.Key, Name: s.Command, Plant: s.Plant, Subject: s.Object}
	canonical, failed := f.canonicalCommand(ctx, s, &t.due.Event)
	if failed != nil {
		return failed, nil
	}
	canonical["key"] = traits.Carried(t.command)
	t.command.Request = canonical
	if command, ok := f.Catalog().Command(s.System, s.Command); ok {
		var waits []string
		if t.command.Request, failed, waits = f.inTermsOf(ctx, s, command.Mapping, canonical); failed != nil {
			return failed, waits
		}
	}
	var err error
	if t.digest, err = event.Digest(t.command.Request); err != nil {
		return fault.Wrap("flow.request", fault.MappingFailed, "", err), nil
	}
	return nil, nil
}

// inTermsOf maps a canonical command to the system's request, with its own names of
// the objects.
func (f *Flow) inTermsOf(ctx context.Context, s *ledger.Step, m *mapping.Command, canonical map[string]any) (map[string]any, *fault.Fault, []string) {
	request, err := m.Apply(canonical)
	if err != nil {
		return nil, asFault("flow.request", fault.MappingFailed, err), nil
	}
	now := f.ledger.Now()
	names := map[event.Ref]string{}
	for _, ref := range mapping.Externals(request) {
		id, ok := f.Catalog().Identifier(s.System, ref, now)
		if !ok {
			id, err = f.ledger.IdentifierAt(ctx, s.System, ref, now)
			switch {
			case errors.Is(err, fault.NotFound):
				return nil, fault.Wrap("flow.request", fault.IdentifierUnknown, string(ref), err), []string{ledger.IdentifierWanted(s.System, ref)}
			case err != nil:
				return nil, fault.Wrap("flow.request", fault.Unavailable, "", err), nil
			}
		}
		names[ref] = id
	}
	return mapping.ResolveExternal(request, func(_ string, ref event.Ref) string { return names[ref] }), nil, nil
}

// canonicalCommand is a command in the hub's own terms, as docs/mapping.md
// describes it: what is asked, because of which event, and for an amendment the
// event that was applied.
func (f *Flow) canonicalCommand(ctx context.Context, s *ledger.Step, cause *ledger.Draft) (map[string]any, *fault.Fault) {
	var failed *fault.Fault
	if cause.Key == "" {
		if cause, failed = f.eventOf(ctx, s.Cause); failed != nil {
			return nil, failed
		}
	}
	command := map[string]any{
		"command": s.Command, "plant": s.Plant, "subject": string(s.Object), "reaction": s.Reaction, "event": eventDocument(cause),
		"posting_date": cmp.Or(s.Posting, dayAt(f.Catalog(), s.Plant, cause.Occurred.From)),
	}
	if s.Wanted != "" {
		command["wanted"] = s.Wanted
	}
	if failed := f.collected(ctx, command, s, cause); failed != nil {
		return nil, failed
	}
	if s.Basis != "" {
		basis, failed := f.eventOf(ctx, s.Basis)
		if failed != nil {
			return nil, failed
		}
		document := eventDocument(basis)
		if basis.Change == event.Reversal { // a member that came back after it was taken back
			document = withoutData(basis)
		}
		if s.Amends != "" {
			if document["documents"], failed = f.documentsOf(ctx, s.Amends); failed != nil {
				return nil, failed
			}
		}
		command["basis"] = document
	}
	return command, nil
}

func (f *Flow) eventOf(ctx context.Context, id string) (*ledger.Draft, *fault.Fault) {
	e, err := f.ledger.Event(ctx, id)
	if err == nil {
		return &e.Draft, nil
	}
	if errors.Is(err, fault.NotFound) {
		return nil, fault.Wrap("flow.request", fault.NotFound, "cause", err)
	}
	return nil, fault.Wrap("flow.request", fault.Unavailable, "", err)
}

// eventDocument is an event as the mapping of a command reads it.
func eventDocument(e *ledger.Draft) map[string]any {
	return map[string]any{
		"id": e.ID(), "type": e.Type, "version": jsonNumber(e.Version), "subject": string(e.Subject), "system": e.System, "day": e.Day, "shift": e.Shift,
		"occurred": occurred(e.Occurred), "change": string(e.Change), "data": e.Data,
	}
}

// documentsOf are the numbers that a system gave to what it did for a command.
func (f *Flow) documentsOf(ctx context.Context, command string) ([]any, *fault.Fault) {
	documents, err := f.ledger.Documents(ctx, command)
	if err != nil {
		return nil, fault.Wrap("flow.request", fault.Unavailable, "", err)
	}
	all := make([]any, len(documents))
	for i, d := range documents {
		all[i] = map[string]any{"number": d.Number, "kind": d.Kind}
	}
	return all, nil
}

// dayAt is the day of a moment in the plant's time.
func dayAt(cat *catalog.Catalog, plant string, at time.Time) string {
	if p, ok := cat.Plant(plant); ok {
		at = at.In(p.Zone)
	}
	return at.Format(time.DateOnly)
}

func jsonNumber(n int) json.Number { return json.Number(strconv.Itoa(n)) }

// exception is stepException by the revision in force. What cannot be looked up of its
// material now is not waited for: the exception goes to whom it goes without.
func (f *Flow) exception(ctx context.Context, s *ledger.Step, x *fault.Fault, waits []string) *ledger.StepException {
	groups, err := f.materialGroups(ctx, s.Plant, refsOfStep(s))
	if err != nil {
		f.log.WarnContext(ctx, "the material group of an exception is not known now", slog.String("command", s.Key), slog.Any("error", err))
	}
	return stepException(f.Catalog(), s, x, waits, groups)
}
