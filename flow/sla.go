package flow

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
)

// termsOf are the terms of an SLA at a plant.
func termsOf(cat *catalog.Catalog, s *catalog.SLA, plant string) ledger.Terms {
	p, _ := cat.Plant(plant)
	return func(from time.Time) ledger.Deadlines {
		t := s.Term(p, from)
		return ledger.Deadlines{Until: t.Until, Warn: t.Warn, Handed: handed(t.Handed)}
	}
}

func handed(all []catalog.Handed) []ledger.Handed {
	var out []ledger.Handed
	for _, h := range all {
		out = append(out, ledger.Handed(h))
	}
	return out
}

// cared is who takes care of an exception, and until when.
func cared(cat *catalog.Catalog, reason *fault.Reason, plant string, materialGroups []string) (owner string, terms ledger.Terms) {
	owner = cat.Owner(reason, plant, materialGroups...)
	return owner, termsOf(cat, cat.SLA(reason, plant, owner), plant)
}

// reactionSLA is that of a step's reaction.
func reactionSLA(cat *catalog.Catalog, transaction, reaction, plant string) catalog.SLA {
	plan, _, _ := strings.Cut(planOf(transaction), "@")
	return cat.ReactionSLA(plan, reaction, plant)
}

// expectationSLA is that of what a transaction expects.
func expectationSLA(cat *catalog.Catalog, transaction, name, plant string, within time.Duration) catalog.SLA {
	plan, _, _ := strings.Cut(planOf(transaction), "@")
	return cat.ExpectationSLA(plan, name, plant, within)
}

// lateTerms are those of an exception about something late: until when somebody has to
// look at it is as its reason says; to whom it goes, as was agreed about the reaction or
// the expectation itself, where anything was.
func lateTerms(cat *catalog.Catalog, t *ledger.Timer, promised *catalog.SLA, own ledger.Terms) ledger.Terms {
	if len(promised.Escalate) == 0 {
		return own
	}
	p, _ := cat.Plant(t.Plant)
	return func(from time.Time) ledger.Deadlines {
		d := own(from)
		d.Handed = handed(promised.Handed(p, t.Due))
		return d
	}
}

// materialGroups are the groups of the materials that refs are about, as reference data
// of a plant says now. Refs are asked for, and groups looked up, where an owner depends on
// them alone: mostly none does.
func (f *Flow) materialGroups(ctx context.Context, plant string, refs func() []event.Ref) ([]string, error) {
	cat := f.Catalog()
	if !cat.OwnsByMaterial() {
		return nil, nil
	}
	var materials []event.Ref
	for _, ref := range refs() {
		if m := materialOf(cat, ref); m != "" && !slices.Contains(materials, m) {
			materials = append(materials, m)
		}
	}
	var groups []string
	now := f.ledger.Now()
	for _, m := range materials {
		r, err := f.ledger.ReferenceAt(ctx, m, plant, now, now)
		if errors.Is(err, fault.NotFound) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("flow.materialGroups: %w", err)
		}
		if group, _ := r.Body["group"].(string); group != "" {
			groups = append(groups, group)
		}
	}
	return groups, nil
}

// materialKind is the kind of materials, and the segment that names one in other kinds.
const materialKind = "material"

// materialOf is the material that a ref is, or is of; "" where it is of none.
func materialOf(cat *catalog.Catalog, ref event.Ref) event.Ref {
	kind, ok := cat.Kind(ref.Kind())
	if !ok {
		return ""
	}
	segments := ref.Segments()
	at := slices.Index(kind.Segments, materialKind)
	if at < 0 || at >= len(segments) {
		return ""
	}
	m, err := event.NewRef(materialKind, segments[at])
	if err != nil {
		return ""
	}
	return m
}

// refsOfStep are what a step is about.
func refsOfStep(s *ledger.Step) func() []event.Ref {
	return func() []event.Ref { return append([]event.Ref{s.Object}, s.Lanes...) }
}
