// Package catalog holds everything that is agreed: kinds of objects, contracts,
// lifecycles, policies, code lists, units, systems, plants, cross-references,
// mappings, plans. It reads them from files, checks them against each other, runs their
// own examples, tells what changed between two revisions, and hands the compiled
// parts to those who use them. A Catalog is immutable and safe for concurrent use.
package catalog

import (
	"cmp"
	"embed"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // the zones of plants must not depend on the machine

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/mapping"
	"github.com/gapless/gapless/policy"
	"github.com/gapless/gapless/transaction"
)

//go:embed all:standard
var standard embed.FS

// Standard is the catalog that comes with the product: kinds, event types,
// lifecycles, policies and code lists. Load reads it by itself where a catalog
// says `extends: standard`.
func Standard() fs.FS {
	sub, err := fs.Sub(standard, "standard")
	if err != nil { // only for a path that is not valid, and this one is a constant
		return standard
	}
	return sub
}

// A Header is catalog.yaml, which says what the catalog is.
type Header struct {
	Catalog string `yaml:"catalog"` // its name
	Title   string `yaml:"title"`
	Extends string `yaml:"extends"` // "standard" or nothing
	Version string `yaml:"version"` // for people; the revision is the digest
	Replay  struct {
		ApproveAbove *int `yaml:"approve-above"` // nil: the default
	} `yaml:"replay"`
}

// ReplayApproval is how many messages one person may replay unless the catalog says
// otherwise.
const ReplayApproval = 1000

// ApproveAbove is how many messages one person may replay. More of them need a second one.
func (c *Catalog) ApproveAbove() int64 {
	if n := c.Replay.ApproveAbove; n != nil {
		return int64(*n)
	}
	return ReplayApproval
}

// A Catalog is one revision of everything that is agreed.
type Catalog struct {
	Header

	kinds           map[string]*Kind
	contracts       map[string][]*Contract // by type, ascending by version
	lifecycles      map[string]*transaction.Lifecycle
	policies        *policy.Set
	policyByName    map[string]*NamedPolicy
	codes           map[string]*CodeList
	alternatives    map[event.Ref][]event.AlternativeUnit
	extraUnits      map[string]bool // units that only exist for some material
	crossReferences []CrossReference
	owners          []Ownership
	slas            []SLA
	systems         map[string]*System
	plants          map[string]*Plant
	mappings        map[messageName]*Message
	plans           map[string]*transaction.Plan
	plansOn         map[string][]*transaction.Plan // by event type
	collecting      map[collectedAt]transaction.Collecting
	plansReached    []*transaction.Plan // whose keys are reached through relations too
	planDigests     map[string]string
	soleFillers     map[filledRole]string // systems that alone have a role at a plant
	commands        map[messageName]*Command

	documents map[string]*document // by path in the catalog
	sources   map[string][]byte    // every file as it was read, for Pack
	digest    string
}

// messageName is a message of a system.
type messageName struct{ system, message string }

// A Message is one message of a system with its definition and compiled mapping.
type Message struct {
	System     string
	Definition mapping.Definition
	Mapping    *mapping.Mapping
	Digest     string // of its own file
}

// A NamedPolicy is a policy with its definition.
type NamedPolicy struct {
	Definition policy.Definition
	Policy     *policy.Policy
}

// PolicyFiles is every policy with its definition, by name.
func (c *Catalog) PolicyFiles() []*NamedPolicy { return ordered(c.policyByName) }

// Contract finds the contract of an event type; version 0 is the newest.
func (c *Catalog) Contract(typ string, version int) (*Contract, bool) {
	versions := c.contracts[typ]
	if len(versions) == 0 {
		return nil, false
	}
	if version == 0 {
		return versions[len(versions)-1], true
	}
	for _, k := range versions {
		if k.Version == version {
			return k, true
		}
	}
	return nil, false
}

// Contracts is every contract, by type and version.
func (c *Catalog) Contracts() []*Contract {
	var all []*Contract
	for _, typ := range slices.Sorted(maps.Keys(c.contracts)) {
		all = append(all, c.contracts[typ]...)
	}
	return all
}

// Kind finds a kind of object.
func (c *Catalog) Kind(name string) (*Kind, bool) { return found(c.kinds, name) }

// Kinds is every kind, by name.
func (c *Catalog) Kinds() []*Kind { return ordered(c.kinds) }

// Lifecycle is that of a kind of object; nil where it has none.
func (c *Catalog) Lifecycle(kind string) *transaction.Lifecycle { return c.lifecycles[kind] }

// Lifecycles is every lifecycle, by kind.
func (c *Catalog) Lifecycles() []*transaction.Lifecycle { return ordered(c.lifecycles) }

// Policies is every policy of the catalog.
func (c *Catalog) Policies() *policy.Set { return c.policies }

// Codes finds a code list.
func (c *Catalog) Codes(list string) (*CodeList, bool) { return found(c.codes, list) }

// CodeLists is every code list, by name.
func (c *Catalog) CodeLists() []*CodeList { return ordered(c.codes) }

// System finds a system.
func (c *Catalog) System(name string) (*System, bool) { return found(c.systems, name) }

// Systems is every system, by name.
func (c *Catalog) Systems() []*System { return ordered(c.systems) }

// Plant finds a plant.
func (c *Catalog) Plant(name string) (*Plant, bool) { return found(c.plants, name) }

// Plants is every plant, by name.
func (c *Catalog) Plants() []*Plant { return ordered(c.plants) }

// Mapping finds the compiled mapping of a system's message.
func (c *Catalog) Mapping(system, message string) (*mapping.Mapping, bool) {
	m, ok := c.Message(system, message)
	if !ok {
		return nil, false
	}
	return m.Mapping, true
}

// Message finds a message of a system.
func (c *Catalog) Message(system, message string) (*Message, bool) {
	m, ok := c.mappings[messageName{system, message}]
	return m, ok
}

// Messages is every message, by system and name.
func (c *Catalog) Messages() []*Message {
	return slices.SortedFunc(maps.Values(c.mappings), func(a, b *Message) int {
		return strings.Compare(a.System+"\x00"+a.Definition.Message, b.System+"\x00"+b.Definition.Message)
	})
}

// AlternativeUnits is every unit that only means something for the material or
// its lots. The caller must not change the slice.
func (c *Catalog) AlternativeUnits(material event.Ref) []event.AlternativeUnit {
	return c.alternatives[material]
}

// CrossReferences is every local identifier that the catalog itself resolves, by
// system, kind and identifier. The caller must not change the slice.
func (c *Catalog) CrossReferences() []CrossReference { return c.crossReferences }

// Resolve is what a system's own identifier stood for at a time, as far as the
// catalog itself says it.
func (c *Catalog) Resolve(system, kind, id string, at time.Time) (event.Ref, bool) {
	first, _ := slices.BinarySearchFunc(c.crossReferences, CrossReference{System: system, Kind: kind, ID: id}, compareIdentifiers)
	for _, x := range c.crossReferences[first:] {
		if x.System != system || x.Kind != kind || x.ID != id {
			break
		}
		if x.ValidAt(at) {
			return x.Ref, true
		}
	}
	return "", false
}

// Identifier is what a system called an object at a time, as far as the catalog
// itself says it.
func (c *Catalog) Identifier(system string, ref event.Ref, at time.Time) (string, bool) {
	for i := range c.crossReferences {
		if x := &c.crossReferences[i]; x.System == system && x.Ref == ref && x.ValidAt(at) {
			return x.ID, true
		}
	}
	return "", false
}

// compareIdentifiers orders cross-references by what they resolve.
func compareIdentifiers(a, b CrossReference) int {
	return cmp.Or(strings.Compare(a.System, b.System), strings.Compare(a.Kind, b.Kind), strings.Compare(a.ID, b.ID))
}

// MayAssert says whether the system may assert events of the type for the plant:
// the plant is one of its plants, and the type is among its authority, or its
// contract names one of its roles.
func (c *Catalog) MayAssert(system, typ, plant string) bool {
	s, ok := c.systems[system]
	if !ok || !s.SpeaksFor(plant) {
		return false
	}
	if len(s.Authority) > 0 {
		return slices.ContainsFunc(s.Authority, func(pattern string) bool { return matchesType(pattern, typ) })
	}
	k, ok := c.Contract(typ, 0)
	return ok && slices.Contains(s.Roles, k.Role)
}

// Owner is the group of people who take care of an exception: that of the most
// specific entry for its reason and plant, and for the groups of the materials that it
// is about, as far as they are known. A reason counts more than its class, that more
// than the group of a material, and all more than the plant.
func (c *Catalog) Owner(reason *fault.Reason, plant string, materialGroups ...string) string {
	best, group := -1, fallbackGroup
	for i := range c.owners {
		if rank := c.owners[i].rank(reason, plant, materialGroups); rank > best {
			best, group = rank, c.owners[i].Group
		}
	}
	return group
}

// OwnsByMaterial tells whether any entry asks for the group of a material.
func (c *Catalog) OwnsByMaterial() bool {
	return slices.ContainsFunc(c.owners, func(o Ownership) bool { return o.MaterialGroup != "" })
}

// OwnerGroups are all groups that take care of exceptions, in order: of their own, and
// those that exceptions are handed to.
func (c *Catalog) OwnerGroups() []string {
	groups := []string{fallbackGroup}
	for _, o := range c.owners {
		groups = append(groups, o.Group)
	}
	for i := range c.slas {
		for _, e := range c.slas[i].Escalate {
			groups = append(groups, e.To)
		}
	}
	slices.Sort(groups)
	return slices.Compact(groups)
}

// found is a map's value as pointer and ok.
func found[T any](all map[string]*T, name string) (*T, bool) {
	v, ok := all[name]
	return v, ok
}

// ordered is a map's values by their keys.
func ordered[T any](all map[string]*T) []*T {
	values := make([]*T, 0, len(all))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		values = append(values, all[name])
	}
	return values
}

// matchesType says whether an event type falls under a pattern: the type itself,
// "lot.*" or "*".
func matchesType(pattern, typ string) bool {
	if prefix, wild := strings.CutSuffix(pattern, "*"); wild {
		return strings.HasPrefix(typ, prefix)
	}
	return pattern == typ
}
