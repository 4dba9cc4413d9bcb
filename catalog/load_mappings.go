package catalog

import (
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/mapping"
	"github.com/gapless/gapless/policy"
)

// mappings compiles every message of every system.
func (l *loader) mappings() {
	l.in("mappings", func(d *document) {
		if isCommand(d) {
			l.command(d)
			return
		}
		m := &Message{System: path.Base(path.Dir(d.file))}
		d.decode(&m.Definition, l.findings)
		def := &m.Definition
		l.name(d, "message", def.Message)
		if def.System != m.System {
			l.errorAt(d, "system", "Move the file to mappings/"+def.System+"/, or correct the name.", "the folder is %s, the file says system %.80q", m.System, def.System)
		}
		if _, ok := l.catalog.systems[def.System]; !ok {
			l.errorAt(d, "system", "Declare it in systems/, or correct the name.", "system %.80q is not in the catalog", def.System)
		}
		plant := l.mappingPlant(d, def)
		compiled, err := mapping.Compile(*def, l.catalog.environment(def.System, plant))
		for _, cause := range causes(err) {
			l.mappingFault(d, cause)
		}
		l.mappedTypes(d, def)
		l.mappedLists(d, d.root)
		m.Mapping, m.Digest = compiled, d.digest()
		l.editable(d, m)
		l.catalog.mappings[messageName{m.System, def.Message}] = m
	})
}

// mappingPlant is the plant that a mapping names, for its calendar; nil where
// the message says it.
func (l *loader) mappingPlant(d *document, def *mapping.Definition) *Plant {
	if def.Plant == "" {
		if def.PlantFrom == "" {
			l.errorAt(d, "", "Add plant, or plant-from with an expression.", "the mapping does not say of which plant its events are")
		}
		return nil
	}
	plant, ok := l.catalog.plants[def.Plant]
	if !ok {
		l.errorAt(d, "plant", "Declare it in plants/, or correct the name.", "plant %.80q is not in the catalog", def.Plant)
		return nil
	}
	if system, known := l.catalog.systems[def.System]; known && !system.SpeaksFor(def.Plant) {
		l.errorAt(d, "plant", "Add the plant to the system, or correct the name.", "system %s does not speak for plant %s", def.System, def.Plant)
	}
	return plant
}

// environment is what the mappings of a system are compiled against: its local
// codes, the plant's calendar and zone, the kinds. The plant is nil where the
// message says it.
func (c *Catalog) environment(system string, plant *Plant) mapping.Environment {
	env := mapping.Environment{
		Codes: func(list, local string) (string, bool) {
			codes, ok := c.codes[list]
			if !ok {
				return "", false
			}
			return codes.Canonical(system, local)
		},
		Kinds: func(kind string) (segments int, ok bool) {
			k, ok := c.kinds[kind]
			if !ok {
				return 0, false
			}
			return len(k.Segments), true
		},
	}
	if plant != nil {
		env.Zone, env.Calendar, env.Shifts = plant.Zone, plant.ShiftSpan, plant.ShiftNames
	}
	return env
}

// mappedTypes checks that the events of a mapping have contracts, that the
// system may assert them, and that it has a case.
func (l *loader) mappedTypes(d *document, def *mapping.Definition) {
	for i, e := range def.Events {
		at := fmt.Sprintf("events[%d]", i)
		contract, ok := l.catalog.Contract(e.Type, e.Version)
		switch {
		case !ok && l.unreadableType(e.Type):
		case !ok:
			l.errorAt(d, at+".type", "Write its contract, or correct type and version.", "event type %s version %d is not in the catalog", e.Type, e.Version)
		case def.Plant != "" && !l.catalog.MayAssert(def.System, e.Type, def.Plant):
			l.errorAt(d, at+".type", fmt.Sprintf("Give the system the role %s or the authority, or let the right system report it.", contract.Role),
				"system %s has no authority for %s", def.System, e.Type)
		}
	}
	if len(def.Cases) == 0 {
		l.errorAt(d, "cases", "Add a message as the system sends it, and the events that it gives.", "a mapping needs a case")
	}
}

// codeCall finds the code list that an expression of a mapping names.
var codeCall = regexp.MustCompile(`\b(?:external_)?code\(\s*"([^"]*)"`)

// mappedLists checks the code lists that the expressions of a mapping name, which
// package mapping cannot know.
func (l *loader) mappedLists(d *document, n *yaml.Node) {
	for _, inner := range n.Content {
		l.mappedLists(d, inner)
	}
	if n.Kind != yaml.ScalarNode {
		return
	}
	first := n.Line
	if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
		first++
	}
	for i, line := range strings.Split(n.Value, "\n") {
		for _, call := range codeCall.FindAllStringSubmatch(line, -1) {
			if _, ok := l.catalog.codes[call[1]]; !ok {
				l.list = append(l.list, Finding{
					File: d.file, Line: first + i, Column: 1, Severity: Error,
					Message: fmt.Sprintf("code list %s is not in the catalog", call[1]), Remedy: "Declare it in codes/, or correct the name.",
				})
			}
		}
	}
}

// policyNames checks the names that a policy speaks of.
func (l *loader) policyNames(d *document, def policy.Definition) {
	reason := fault.ByCode(def.Reason)
	if reason == nil {
		l.errorAt(d, "reason", "Write a code of docs/reasons.md.", "%.80q is no reason", def.Reason)
	}
	for i, pattern := range def.On {
		matched := l.matching(pattern)
		at := fmt.Sprintf("on[%d]", i)
		if len(matched) == 0 && !l.unreadableType(pattern) {
			l.errorAt(d, at, "Write its contract, or correct the name.", "no event type of the catalog is %s", pattern)
		}
		for _, k := range matched {
			switch {
			case def.Effect == policy.Forbid && !k.IsDecision() && !strings.HasSuffix(pattern, "*"):
				l.errorAt(d, at, "Let it dispute or warn.", "%s is a fact: it happened and cannot be forbidden", k.Type)
			case def.Effect == policy.Dispute && k.IsDecision() && !strings.HasSuffix(pattern, "*"):
				l.errorAt(d, at, "Let it forbid or warn.", "%s is a decision: only facts are disputed", k.Type)
			}
		}
	}
	for i, c := range def.Cases {
		if typ, _ := c.Event["type"].(string); typ != "" && len(l.matching(typ)) == 0 && !l.unreadableType(typ) {
			l.errorAt(d, fmt.Sprintf("cases[%d].event.type", i), "Correct the type.", "event type %.80q is not in the catalog", typ)
		}
	}
}

// matching is the contracts, the newest of each type, that a pattern covers.
func (l *loader) matching(pattern string) []*Contract {
	var all []*Contract
	for typ, versions := range l.catalog.contracts {
		if matchesType(pattern, typ) {
			all = append(all, versions[len(versions)-1])
		}
	}
	slices.SortFunc(all, func(a, b *Contract) int { return strings.Compare(a.Type, b.Type) })
	return all
}

func (l *loader) mappingFault(d *document, cause error) {
	wrong, ok := errors.AsType[*mapping.DefinitionError](cause)
	if !ok {
		l.errorAt(d, "", "Correct the mapping.", "%s", cause.Error())
		return
	}
	l.errorInText(d, wrong.Field, wrong.Line, lookUp("docs/mapping.md", wrong.Field, wrong.Line), wrong.Error())
}
