package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// units reads alternative units. Two factors of the same rank for one moment are
// an error: neither could be preferred.
func (l *loader) units() {
	l.in("units", func(d *document) {
		var file unitFile
		d.decode(&file, l.findings)
		for i, u := range file.Units {
			at := fmt.Sprintf("units[%d]", i)
			a := event.AlternativeUnit{Unit: u.Unit, Base: u.Base, Version: u.Version, Material: l.ref(d, at+".material", u.Material)}
			if u.Lot != "" {
				a.Lot = l.ref(d, at+".lot", u.Lot)
			}
			factor, err := event.ParseDecimal(u.Factor)
			if err != nil || factor.Sign() <= 0 {
				l.errorAt(d, at+".factor", "Write the base units in one alternative unit as a decimal in quotes, above 0.", "%.80q is no factor", u.Factor)
			}
			a.Factor = factor
			a.ValidFrom, a.ValidTo = l.validity(d, at, u.ValidFrom, u.ValidTo)
			if u.Version == "" {
				l.errorAt(d, at, "Name the version; it is recorded with every quantity that used the factor.", "version is missing")
			}
			if u.Unit == "" || u.Unit == u.Base {
				l.errorAt(d, at, "Name the unit that is reported and, as base, the unit that the factor counts.", "unit and base must differ")
			}
			l.overlapping(d, at, a)
			l.catalog.alternatives[a.Material] = append(l.catalog.alternatives[a.Material], a)
			if known, ok := event.LookupUnit(u.Unit); !ok || known.Status == event.UnitDeleted {
				l.catalog.extraUnits[u.Unit] = true
			}
		}
	})
	for material, all := range l.catalog.alternatives {
		l.baseUnits(material, all)
	}
}

func (l *loader) overlapping(d *document, at string, a event.AlternativeUnit) {
	for _, b := range l.catalog.alternatives[a.Material] {
		if a.Unit == b.Unit && a.Lot == b.Lot && overlap(a.ValidFrom, a.ValidTo, b.ValidFrom, b.ValidTo) {
			l.errorAt(d, at, "Let one factor end where the next begins.", "unit %s of %s has versions %s and %s at the same time", a.Unit, a.Material, b.Version, a.Version)
		}
	}
}

// baseUnits checks that every chain of factors ends in a unit of Recommendation 20.
func (l *loader) baseUnits(material event.Ref, all []event.AlternativeUnit) {
	for _, a := range all {
		if u, ok := event.LookupUnit(a.Base); ok && u.Status != event.UnitDeleted {
			continue
		}
		if slices.ContainsFunc(all, func(b event.AlternativeUnit) bool { return b.Unit == a.Base }) {
			continue
		}
		l.list = append(l.list, Finding{
			File: "units", Severity: Error, Message: fmt.Sprintf("unit %s of %s: base %q is no unit", a.Unit, material, a.Base),
			Remedy: "Write a code of Recommendation 20, or another alternative unit of the material.",
		})
	}
}

// overlap says whether two spans share a moment; zero ends are open.
func overlap(fromA, toA, fromB, toB time.Time) bool {
	return (toB.IsZero() || fromA.Before(toB)) && (toA.IsZero() || fromB.Before(toA))
}

// ref reads a ref of a declared kind.
func (l *loader) ref(d *document, at, text string) event.Ref {
	r, err := event.ParseRef(text)
	if err != nil {
		l.errorAt(d, at, "Write a reference such as material/M-100.", "%v", err)
		return ""
	}
	kind, ok := l.catalog.kinds[r.Kind()]
	switch {
	case !ok:
		l.errorAt(d, at, "Declare it in kinds/, or correct the name.", "kind %q is not in the catalog", r.Kind())
	case strings.Count(text, "/") != len(kind.Segments):
		l.errorAt(d, at, "Write it "+kind.form()+".", "%s does not have the segments of a %s", text, r.Kind())
	}
	return r
}

// validity reads a span of time; an empty end is open. A date is midnight UTC.
func (l *loader) validity(d *document, at, from, to string) (begin, end time.Time) {
	for _, part := range []struct {
		key, text string
		into      *time.Time
	}{{"valid-from", from, &begin}, {"valid-to", to, &end}} {
		if part.text == "" {
			continue
		}
		moment, err := parseMoment(part.text, time.UTC)
		if err != nil {
			l.errorAt(d, at+"."+part.key, "Write a date such as 2026-01-31, or a time with zone.", "%.80q is no time", part.text)
		}
		*part.into = moment
	}
	if !end.IsZero() && !end.After(begin) {
		l.errorAt(d, at+".valid-to", "Let it end after it begins.", "valid to %s is not after valid from %s", to, from)
	}
	return begin, end
}

func (l *loader) crossReferences() {
	known := map[CrossReference][]CrossReference{} // by system, kind and id
	l.in("cross-references", func(d *document) {
		var file crossReferenceFile
		d.decode(&file, l.findings)
		if _, ok := l.catalog.systems[file.System]; !ok {
			l.errorAt(d, "system", "Declare it in systems/, or correct the name.", "system %.80q is not in the catalog", file.System)
		}
		if _, ok := l.catalog.kinds[file.Kind]; !ok {
			l.errorAt(d, "kind", "Declare it in kinds/, or correct the name.", "kind %.80q is not in the catalog", file.Kind)
		}
		for i, entry := range file.Entries {
			at := fmt.Sprintf("entries[%d]", i)
			x := CrossReference{System: file.System, Kind: file.Kind, ID: entry.ID, Ref: l.ref(d, at+".ref", entry.Ref)}
			x.ValidFrom, x.ValidTo = l.validity(d, at, entry.ValidFrom, entry.ValidTo)
			if x.ID == "" {
				l.errorAt(d, at, "Write the identifier as the system does.", "id is missing")
			}
			if x.Ref != "" && x.Ref.Kind() != file.Kind {
				l.errorAt(d, at+".ref", "Correct the reference, or move the entry to the file of its kind.", "%s is no %s", x.Ref, file.Kind)
			}
			key := CrossReference{System: x.System, Kind: x.Kind, ID: x.ID}
			l.ambiguous(d, at, x, known[key])
			known[key] = append(known[key], x)
			l.catalog.crossReferences = append(l.catalog.crossReferences, x)
		}
	})
	slices.SortStableFunc(l.catalog.crossReferences, func(a, b CrossReference) int {
		return cmp.Or(compareIdentifiers(a, b), a.ValidFrom.Compare(b.ValidFrom))
	})
}

// ambiguous reports an identifier that stands for two objects at one time.
func (l *loader) ambiguous(d *document, at string, x CrossReference, known []CrossReference) {
	for _, y := range known {
		if overlap(x.ValidFrom, x.ValidTo, y.ValidFrom, y.ValidTo) {
			l.errorAt(d, at, "Let one entry end where the next begins.", "%s %s of %s stands for %s and %s at the same time", x.Kind, x.ID, x.System, y.Ref, x.Ref)
		}
	}
}

func (l *loader) owners() {
	l.in("owners", func(d *document) {
		var file ownerFile
		d.decode(&file, l.findings)
		for i, o := range file.Owners {
			at := fmt.Sprintf("owners[%d]", i)
			l.reasonOrClass(d, at, o.Reason, o.Class)
			l.knownPlant(d, at, o.Plant)
			if o.Group == "" {
				l.errorAt(d, at, "Name the group of people.", "group is missing")
			}
			l.catalog.owners = append(l.catalog.owners, o)
		}
	})
}

func (l *loader) reasonOrClass(d *document, at, reason, class string) {
	if reason != "" && fault.ByCode(reason) == nil {
		l.errorAt(d, at+".reason", "Write a code of docs/reasons.md.", "%.80q is no reason", reason)
	}
	if class != "" && !slices.Contains(fault.Classes(), fault.Class(class)) {
		l.errorAt(d, at+".class", "Write heals, data, business, definition or operations.", "%.40q is no class of reasons", class)
	}
}
