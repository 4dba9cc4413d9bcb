package catalog

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gapless/gapless/transaction"
)

// lint checks the definitions against each other, once all are read. What one
// file alone shows is checked where it is read.
func (l *loader) lint() {
	l.lintLifecycles()
	l.lintPlans()
	l.lintPlants()
	l.lintPredecessors()
	l.lintAuthority()
	l.lintLocalCodes()
	l.lintHierarchy()
	l.lintVersions()
	l.lintConnectors()
}

func (l *loader) document(folder, name string) *document {
	if d, ok := l.documents[folder+"/"+name+".yaml"]; ok {
		return d
	}
	return &document{file: folder, root: emptyNode()}
}

// lintLifecycles checks the kinds and event types of lifecycles.
func (l *loader) lintLifecycles() {
	for _, fold := range l.folds {
		d, def := fold.doc, fold.def
		if _, ok := l.catalog.kinds[def.Lifecycle]; !ok && def.Lifecycle != "" {
			l.errorAt(d, "lifecycle", "Declare it in kinds/, or correct the name.", "kind %.80q is not in the catalog", def.Lifecycle)
		}
		for i, t := range def.Transitions {
			l.knownType(d, fmt.Sprintf("transitions[%d].on", i), t.On)
		}
		for i, o := range def.Open {
			at := fmt.Sprintf("open[%d]", i)
			for _, typ := range slices.Concat(o.Opens, o.Closes) {
				l.knownType(d, at, typ)
				l.openKey(d, at+".key", typ, o)
			}
		}
		for i, c := range def.Cases {
			for j, e := range c.Events {
				l.knownType(d, fmt.Sprintf("cases[%d].events[%d]", i, j), e.Type)
			}
		}
	}
}

// knownType checks a type that a definition names; that none is named is told
// where the definition is read.
func (l *loader) knownType(d *document, at, typ string) {
	if typ == "" {
		return
	}
	if _, ok := l.catalog.Contract(typ, 0); !ok && !l.unreadableType(typ) {
		l.errorAt(d, at, "Write its contract, or correct the name.", "event type %.80q is not in the catalog", typ)
	}
}

// unreadableType says whether the contract of a type, or of one that a pattern
// covers, is a file that is no YAML, which is told once, where it is.
func (l *loader) unreadableType(pattern string) bool {
	for name := range l.unreadable {
		if typ, _, versioned := strings.Cut(name, ".v"); versioned && matchesType(pattern, typ) {
			return true
		}
	}
	return false
}

// openKey checks that the contract of a type declares the field that tells open
// things apart: without it nothing would ever be opened or closed.
func (l *loader) openKey(d *document, at, typ string, o transaction.Open) {
	k, ok := l.catalog.Contract(typ, 0)
	if !ok {
		return
	}
	p, ok := parsePath(o.Key)
	if !ok {
		return // told by the lifecycle
	}
	if _, declared := p.resolve(k.fields); !declared {
		l.errorAt(d, at, "Declare the field in the contract, or correct the path.", "%s has no field %s", typ, o.Key)
	}
}

// lintPredecessors checks the types that events wait for.
func (l *loader) lintPredecessors() {
	for _, k := range l.catalog.Contracts() {
		for i, typ := range k.ContractDefinition.Predecessor.Type {
			d := l.document("contracts", fmt.Sprintf("%s.v%d", k.Type, k.Version))
			l.knownType(d, fmt.Sprintf("predecessor.type[%d]", i), typ)
		}
	}
}

// lintAuthority checks the event types that systems may assert.
func (l *loader) lintAuthority() {
	for _, s := range l.catalog.Systems() {
		for i, pattern := range s.Authority {
			if len(l.matching(pattern)) == 0 && !l.unreadableType(pattern) {
				l.errorAt(l.document("systems", s.System), fmt.Sprintf("authority[%d]", i), "Write its contract, or correct the name.", "no event type of the catalog is %.80q", pattern)
			}
		}
	}
}

// lintLocalCodes checks the systems that code lists speak of.
func (l *loader) lintLocalCodes() {
	for _, list := range l.catalog.CodeLists() {
		l.systemsOfCodes(list, "local", slices.Sorted(maps.Keys(list.Local)))
		l.systemsOfCodes(list, "external", slices.Sorted(maps.Keys(list.External)))
	}
}

func (l *loader) systemsOfCodes(list *CodeList, key string, systems []string) {
	for _, system := range systems {
		if _, ok := l.catalog.systems[system]; ok {
			continue
		}
		d := l.document("codes", list.List)
		if extended, ok := l.documents["codes/"+list.List+extensionSuffix]; ok && d.standard {
			d = extended
		}
		l.errorAt(d, key+"."+system, "Declare it in systems/, or correct the name.", "system %s is not in the catalog", system)
	}
}

// lintHierarchy checks that a work center and a machine stand in one place only,
// and that calendars speak of work centers that exist.
func (l *loader) lintHierarchy() {
	for _, p := range l.catalog.Plants() {
		d := l.document("plants", p.Plant)
		seen := map[string]bool{}
		once := func(at, kind, name string) {
			switch {
			case name == "":
				l.errorAt(d, at, "Name it.", "%s without a name", kind)
			case seen[kind+"/"+name]:
				l.errorAt(d, at, "Keep it in one place.", "%s %s stands here twice", kind, name)
			}
			seen[kind+"/"+name] = true
		}
		for i, a := range p.Hierarchy.Areas {
			at := fmt.Sprintf("hierarchy.areas[%d]", i)
			once(at, "area", a.Area)
			for j, w := range a.WorkCenters {
				at := fmt.Sprintf("%s.work-centers[%d]", at, j)
				once(at, "work-center", w.WorkCenter)
				for _, e := range w.Equipment {
					once(at, "equipment", e)
				}
			}
		}
		for i, c := range p.Calendars {
			for _, w := range c.WorkCenters {
				if len(p.Hierarchy.Areas) > 0 && !seen["work-center/"+w] {
					l.errorAt(d, fmt.Sprintf("calendars[%d].work-centers", i), "Add it to the hierarchy, or correct the name.", "work center %.80q is not in the hierarchy", w)
				}
			}
		}
		for system := range p.PlantDefinition.BeginsAt.Systems {
			if _, ok := l.catalog.systems[system]; !ok {
				l.errorAt(d, "begins-at.systems."+system, "Declare it in systems/, or correct the name.", "system %.80q is not in the catalog", system)
			}
		}
	}
}

// lintVersions tells where a new version of a contract refuses what senders of
// the one before may send.
func (l *loader) lintVersions() {
	for _, typ := range slices.Sorted(maps.Keys(l.catalog.contracts)) {
		versions := l.catalog.contracts[typ]
		for i, k := range versions[1:] {
			before := versions[i]
			if before.Version == k.Version || before.schema == nil || k.schema == nil {
				continue
			}
			d := l.document("contracts", fmt.Sprintf("%s.v%d", typ, k.Version))
			if k.Nature != before.Nature {
				l.errorAt(d, "nature", "Give what changed its nature a type of its own.", "version %d is a %s, version %d a %s", before.Version, before.Nature, k.Version, k.Nature)
			}
			for _, change := range Compatible(before.ContractDefinition.Schema, k.ContractDefinition.Schema) {
				if change.Effect.BreaksSenders() {
					l.warningAt(d, "schema"+dotted(change.Path), "Keep both versions until every sender has changed.", "since version %d: %s", before.Version, strings.TrimSuffix(change.Plain, "."))
				}
			}
		}
	}
}
