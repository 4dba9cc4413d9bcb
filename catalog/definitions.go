package catalog

import (
	"slices"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// What stands where the catalog says nothing.
const (
	fallbackGroup    = "operations"
	fallbackDeadline = 24 * time.Hour
)

// unitList is the code list whose codes are those of Recommendation 20.
const unitList = "unit"

// A Kind is a kind of object: what a ref of the kind stands for and which
// segments make it unique in the company.
type Kind struct {
	Kind       string   `yaml:"kind"`
	Title      string   `yaml:"title"`
	Definition string   `yaml:"definition"`
	Segments   []string `yaml:"segments"` // names, in order: [material, lot]
	Standard   string   `yaml:"standard"` // where the term comes from
}

// A CodeList is a closed list of codes and what systems call them.
type CodeList struct {
	List  string                       `yaml:"list"`
	Title string                       `yaml:"title"`
	Codes map[string]Code              `yaml:"codes"` // nothing for the list "unit": its codes are those of Recommendation 20
	Local map[string]map[string]string `yaml:"local"` // system -> its code -> ours

	// External says what a system is told for a code, where Local has several
	// names for it or another: system -> our code -> its.
	External map[string]map[string]string `yaml:"external"`

	// Extends is "standard" where the file adds codes and local codes to the
	// standard list of the same name.
	Extends string `yaml:"extends"`
}

// A Code is one entry of a code list.
type Code struct {
	Title      string `yaml:"title"`
	Definition string `yaml:"definition"`
}

// Has says whether the code is on the list.
func (l *CodeList) Has(code string) bool {
	if l.List == unitList {
		u, ok := event.LookupUnit(code)
		return ok && u.Status != event.UnitDeleted
	}
	_, ok := l.Codes[code]
	return ok
}

// Canonical is the code for what a system calls it. Only the system's own table
// counts: that a local code looks like one of ours does not make it one.
func (l *CodeList) Canonical(system, local string) (string, bool) {
	code, ok := l.Local[system][local]
	return code, ok
}

// A CrossReference says what a system's own identifier stands for.
type CrossReference struct {
	System    string
	Kind      string
	ID        string // as the system writes it
	Ref       event.Ref
	ValidFrom time.Time // inclusive; zero: since ever
	ValidTo   time.Time // exclusive; zero: for ever
}

// ValidAt says whether it counts for what happened then.
func (x CrossReference) ValidAt(at time.Time) bool {
	return !at.Before(x.ValidFrom) && (x.ValidTo.IsZero() || at.Before(x.ValidTo))
}

// crossReferenceFile is cross-references/<name>.yaml.
type crossReferenceFile struct {
	System  string `yaml:"system"`
	Kind    string `yaml:"kind"`
	Entries []struct {
		ID        string `yaml:"id"`
		Ref       string `yaml:"ref"`
		ValidFrom string `yaml:"valid-from"`
		ValidTo   string `yaml:"valid-to"`
	} `yaml:"entries"`
}

// unitFile is units/<name>.yaml.
type unitFile struct {
	Units []struct {
		Material  string `yaml:"material"`
		Lot       string `yaml:"lot"`
		Unit      string `yaml:"unit"`
		Base      string `yaml:"base"`
		Factor    string `yaml:"factor"`
		Version   string `yaml:"version"`
		ValidFrom string `yaml:"valid-from"`
		ValidTo   string `yaml:"valid-to"`
	} `yaml:"units"`
}

// An Ownership says which group takes care of exceptions.
type Ownership struct {
	Reason        string `yaml:"reason"`         // code of package fault; "" any
	Class         string `yaml:"class"`          // class of package fault; "" any
	Plant         string `yaml:"plant"`          // "" any
	MaterialGroup string `yaml:"material-group"` // as reference data of the material says; "" any
	Group         string `yaml:"group"`
}

// rank is how closely the entry fits, -1 where it does not.
func (o *Ownership) rank(reason *fault.Reason, plant string, materialGroups []string) int {
	group := ""
	if slices.Contains(materialGroups, o.MaterialGroup) {
		group = o.MaterialGroup
	}
	return rankOf(match{o.Reason, reason.Code, 8}, match{o.Class, string(reason.Class), 4}, match{o.MaterialGroup, group, 2}, match{o.Plant, plant, 1})
}

// ownerFile is owners/<name>.yaml.
type ownerFile struct {
	Owners []Ownership `yaml:"owners"`
}

// A System is one system of the company: who reports, and who may say what.
type System struct {
	System    string   `yaml:"system"`
	Title     string   `yaml:"title"`
	Roles     []string `yaml:"roles"`     // mes, erp, qms ...
	Plants    []string `yaml:"plants"`    // it may speak for; empty: all
	Authority []string `yaml:"authority"` // event types instead of those of its roles; "production.*"

	Connector *ConnectorDefinition `yaml:"connector"` // how the hub reaches it; nil where it does not
}

// SpeaksFor says whether the system may speak for the plant.
func (s *System) SpeaksFor(plant string) bool {
	return len(s.Plants) == 0 || slices.Contains(s.Plants, plant)
}

// Roles is the closed list of what a system can be.
func Roles() []string {
	return []string{"erp", "mes", "qms", "wms", "cmms", "supplier", "logistics", "hub"}
}
