package ledger

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// choice finds, among the versions of master data that begin at the same time, the
// one that stands: the newest whose event has not withdrawn it. Versions are shown
// to it newest first. The zero choice is ready.
type choice struct {
	stands, withdrawn map[string]bool
}

func (c *choice) is(plant string, from time.Time, version string, withdrawn bool) bool {
	if c.stands == nil {
		c.stands, c.withdrawn = map[string]bool{}, map[string]bool{}
	}
	key, _, _ := strings.Cut(version, ".")
	place := fmt.Sprintf("%s/%d", plant, micros(from))
	switch {
	case withdrawn:
		c.withdrawn[place+"/"+key] = true
		return false
	case c.stands[place] || c.withdrawn[place+"/"+key]:
		return false
	}
	c.stands[place] = true
	return true
}

// ReferenceAt is the reference data about an object that was valid at a time, as
// known at another (zero: now). A plant's own goes before the one for all plants.
func (l *Ledger) ReferenceAt(ctx context.Context, ref event.Ref, plant string, at, known time.Time) (Reference, error) {
	limit := int64(1<<62 - 1)
	if !known.IsZero() {
		limit = micros(known)
	}
	var best *Reference
	var standing choice
	err := l.each(ctx, `select ref, plant, valid_from, valid_to, body, recorded, event, withdrawn from reference
		where ref = $1 and (plant = $2 or plant = '') and valid_from <= $3 and recorded <= $4 order by plant desc, valid_from desc, recorded desc`,
		[]any{string(ref), plant, micros(at), limit}, func(r Row) error {
			var recorded, withdrawn int64
			var version string
			x, err := scanReference(r, &recorded, &version, &withdrawn)
			if err != nil || best != nil || !standing.is(x.Plant, x.ValidFrom, version, withdrawn != 0) {
				return err
			}
			if x.ValidTo.IsZero() || at.Before(x.ValidTo) {
				x.Recorded, x.Event = fromMicros(recorded), version
				best = &x
			}
			return nil
		})
	if err != nil {
		return Reference{}, err
	}
	if best == nil {
		return Reference{}, fault.New("ledger.ReferenceAt", fault.NotFound, "", "no reference data about %s is valid at %s", ref, at.UTC().Format(time.RFC3339))
	}
	return *best, nil
}

// CrossReferenceAt is the object that a system meant by a local identifier at a time.
func (l *Ledger) CrossReferenceAt(ctx context.Context, system, kind, id string, at time.Time) (CrossReference, error) {
	var best *CrossReference
	var standing choice
	err := l.each(ctx, `select system, kind, id, valid_from, valid_to, ref, withdrawn, recorded, event from cross_references
		where system = $1 and kind = $2 and id = $3 and valid_from <= $4 order by valid_from desc, recorded desc`,
		[]any{system, kind, id, micros(at)}, func(r Row) error {
			var withdrawn, recorded int64
			var version string
			x, err := scanCrossReference(r, &withdrawn, &recorded, &version)
			if err != nil || best != nil || !standing.is("", x.ValidFrom, version, withdrawn != 0) {
				return err
			}
			if x.ValidTo.IsZero() || at.Before(x.ValidTo) {
				x.Recorded, x.Event = fromMicros(recorded), version
				best = &x
			}
			return nil
		})
	if err != nil {
		return CrossReference{}, err
	}
	if best == nil {
		return CrossReference{}, fault.New("ledger.CrossReferenceAt", fault.NotFound, "", "%s %q of %s has no cross-reference valid at %s", kind, id, system, at.UTC().Format(time.RFC3339))
	}
	return *best, nil
}

// IdentifierAt is what a system called an object at a time: the other way round of
// CrossReferenceAt. Of several identifiers it is the one whose validity began last.
func (l *Ledger) IdentifierAt(ctx context.Context, system string, ref event.Ref, at time.Time) (string, error) {
	var candidates []CrossReference
	err := l.each(ctx, `select distinct system, kind, id, valid_from, valid_to, ref from cross_references
		where ref = $1 and system = $2 and valid_from <= $3 order by valid_from desc, kind, id`,
		[]any{string(ref), system, micros(at)}, func(r Row) error {
			x, err := scanCrossReference(r)
			candidates = append(candidates, x)
			return err
		})
	if err != nil {
		return "", err
	}
	for _, x := range candidates { // what was withdrawn since, or means something else by now, is no name of it
		meant, err := l.CrossReferenceAt(ctx, x.System, x.Kind, x.ID, at)
		if err != nil && !errors.Is(err, fault.NotFound) {
			return "", err
		}
		if err == nil && meant.Ref == ref {
			return x.ID, nil
		}
	}
	return "", fault.New("ledger.IdentifierAt", fault.NotFound, "", "%s has no identifier at %s that is valid at %s", ref, system, at.UTC().Format(time.RFC3339))
}
