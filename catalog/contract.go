package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// opValidate names the operation in faults of a contract.
const opValidate = "catalog.Validate"

// A Nature says whether events of a type happened or were decided.
type Nature string

// The two natures.
const (
	FactNature     Nature = "fact"     // it happened: it can be disputed, not unmade
	DecisionNature Nature = "decision" // it can be forbidden
)

// A ContractDefinition is contracts/<type>.v<version>.yaml.
type ContractDefinition struct {
	Type        string              `yaml:"type"` // "production.completed"
	Version     int                 `yaml:"version"`
	Title       string              `yaml:"title"`
	Definition  string              `yaml:"definition"`
	Nature      Nature              `yaml:"nature"`
	Owner       string              `yaml:"owner"` // group of people
	Role        string              `yaml:"role"`  // of the systems that may assert it
	Subject     SubjectRule         `yaml:"subject"`
	Relations   []RelationRule      `yaml:"relations"`
	Facts       []FactRule          `yaml:"facts"`
	Reference   ReferenceRule       `yaml:"reference"`
	Identifiers string              `yaml:"identifiers"` // path of the list of local identifiers that the event publishes
	Predecessor PredecessorRule     `yaml:"predecessor"`
	Schema      map[string]any      `yaml:"schema"` // in the dialect of docs/compatibility.md
	Retention   string              `yaml:"retention"`
	Examples    ContractExampleList `yaml:"examples"`
}

// A SubjectRule says what an event is about.
type SubjectRule struct {
	Kind []string `yaml:"kind"` // allowed kinds
	From string   `yaml:"from"` // path in the data where the event does not name its subject itself
}

// A RelationRule says which objects of the data the event relates.
type RelationRule struct {
	Kind string `yaml:"kind"` // code of the list "relation"
	From string `yaml:"from"`
	To   string `yaml:"to"`
}

// A FactRule says which rows for figures an event gives.
type FactRule struct {
	Measure  string              `yaml:"measure"`  // code of the list "measure"
	Each     string              `yaml:"each"`     // path of an array; "": one fact of the whole
	Where    map[string][]string `yaml:"where"`    // path -> values that count
	Quantity string              `yaml:"quantity"` // path, tried in the element first, then in the data
}

// A ReferenceRule makes an event a version of reference data about its subject.
// It applies where the file has the key `reference`.
type ReferenceRule struct {
	ValidFrom string `yaml:"valid-from"` // path
	ValidTo   string `yaml:"valid-to"`   // path; "": until the next version
}

// A PredecessorRule makes an event wait until one of the types is on record for
// the object that it refers to.
type PredecessorRule struct {
	Type []string `yaml:"type"`
	Of   string   `yaml:"of"` // path of the ref
}

// A ContractExampleList shows events that the contract accepts and refuses.
type ContractExampleList struct {
	Good []ContractExample `yaml:"good"`
	Bad  []ContractExample `yaml:"bad"`
}

// A ContractExample is an event, and for a bad one why it is refused.
type ContractExample struct {
	Name   string       `yaml:"name"`
	Event  ExampleEvent `yaml:"event"`
	Reason string       `yaml:"reason"` // code of package fault
	Field  string       `yaml:"field"`  // "outputs/0/quantity"; "" for any
}

// An ExampleEvent is as much of an event as a contract looks at.
type ExampleEvent struct {
	Subject  string         `yaml:"subject"`
	Occurred ExampleSpan    `yaml:"occurred"`
	Data     map[string]any `yaml:"data"`
}

// An ExampleSpan is when an example happened, RFC 3339. To is From where it is empty.
type ExampleSpan struct {
	From string `yaml:"from" json:"from"`
	To   string `yaml:"to" json:"to"`
}

// A Contract is a compiled ContractDefinition. It is immutable and safe for
// concurrent use.
type Contract struct {
	ContractDefinition

	schema      *jsonschema.Schema
	fields      *field
	subject     dataPath
	relations   []relationPaths
	facts       []factPaths
	identifiers dataPath
	predecessor dataPath
	validFrom   dataPath
	validTo     dataPath
	isReference bool

	kinds      map[string]*Kind
	extraUnits map[string]bool
}

// relationPaths is a RelationRule with its paths read.
type relationPaths struct {
	kind     string
	from, to dataPath
}

// Checked is what one pass over the data of an event brings up.
type Checked struct {
	Refs       []event.Ref      // every object that the data names, without repetition, in the order of the field names
	Relations  []event.Relation // without repetition
	Quantities []FieldQuantity
}

// A FieldQuantity is a quantity and where it stands.
type FieldQuantity struct {
	Field     string // "outputs/0/quantity"
	Quantity  event.Quantity
	Dimension string // that the contract asks for; "" any
}

// An Identifier is a local identifier of the subject that an event publishes.
type Identifier struct {
	System string
	Kind   string // of the subject, where the data names none
	ID     string
}

// IsDecision says whether events of the type can be forbidden.
func (k *Contract) IsDecision() bool { return k.Nature == DecisionNature }

// IsReference says whether an event of the type is a version of reference data
// about its subject.
func (k *Contract) IsReference() bool { return k.isReference }

// Check is what the schema alone says about the data: every fault, each with the
// field in the form outputs/0/quantity. Validate includes it.
func (k *Contract) Check(data map[string]any) []*fault.Fault {
	err := k.schema.Validate(data)
	if err == nil {
		return nil
	}
	invalid, ok := errors.AsType[*jsonschema.ValidationError](err)
	if !ok {
		return []*fault.Fault{fault.Wrap(opValidate, fault.ContractBroken, "", err)}
	}
	return schemaFaults(invalid)
}

// Validate checks the data of an event against the whole contract: its schema,
// and every ref, quantity, unit and code. It answers all faults, and what it
// collected on the way; that counts only where there is no fault.
func (k *Contract) Validate(data map[string]any) (Checked, []*fault.Fault) {
	faults := k.Check(data)
	w := walker{contract: k, seen: map[event.Ref]bool{}}
	w.walk(data, k.fields)
	for _, f := range w.faults {
		if !slices.ContainsFunc(faults, func(s *fault.Fault) bool { return s.Field == f.Field }) {
			faults = append(faults, f)
		}
	}
	w.checked.Relations = k.Relations(data)
	return w.checked, faults
}

// Subject is the object that the event is about: the one given where there is
// one, else the one that the contract finds in the data.
func (k *Contract) Subject(given event.Ref, data map[string]any) (event.Ref, *fault.Fault) {
	text, field := string(given), "subject"
	if given == "" && k.subject != nil {
		text, field = k.subject.text(data), strings.ReplaceAll(k.ContractDefinition.Subject.From, ".", "/")
	}
	if text == "" {
		return "", fault.New(opValidate, fault.AttributeInvalid, "subject", "%s needs a subject: a %s", k.Type, strings.Join(k.ContractDefinition.Subject.Kind, " or "))
	}
	r, reason, detail := k.parseRef(text, k.ContractDefinition.Subject.Kind)
	if reason != nil {
		return "", fault.New(opValidate, reason, field, "%s", detail)
	}
	return r, nil
}

// Relations is every pair of objects that the event relates, without repetition.
func (k *Contract) Relations(data map[string]any) []event.Relation {
	var all []event.Relation
	for _, r := range k.relations {
		pairs(data, r.from, r.to, func(from, to string) {
			relation := event.Relation{Kind: r.kind, From: event.Ref(from), To: event.Ref(to)}
			if from != to && !slices.Contains(all, relation) {
				all = append(all, relation)
			}
		})
	}
	return all
}

// Predecessor is the object for which an event of one of the types must be on
// record first; "" where nothing is waited for.
func (k *Contract) Predecessor(data map[string]any) (of event.Ref, types []string) {
	if k.predecessor == nil {
		return "", nil
	}
	return event.Ref(k.predecessor.text(data)), k.ContractDefinition.Predecessor.Type
}

// Identifiers is every local identifier of the subject that the event publishes.
func (k *Contract) Identifiers(data map[string]any) []Identifier {
	if k.identifiers == nil {
		return nil
	}
	items, _ := k.identifiers.first(data).([]any)
	var all []Identifier
	for _, item := range items {
		entry, _ := item.(map[string]any)
		x := Identifier{System: textOf(entry["system"]), Kind: textOf(entry["kind"]), ID: textOf(entry["id"])}
		if x.System != "" && x.ID != "" {
			all = append(all, x)
		}
	}
	return all
}

// Validity is from when to when a version of reference data counts. A date is
// midnight in the zone. Where the data names no begin it is the time when the
// event occurred; a zero end is until the next version.
func (k *Contract) Validity(data map[string]any, occurred time.Time, zone *time.Location) (from, to time.Time, f *fault.Fault) {
	from = occurred
	for _, end := range []struct {
		path dataPath
		into *time.Time
	}{{k.validFrom, &from}, {k.validTo, &to}} {
		text := ""
		if end.path != nil {
			text = end.path.text(data)
		}
		if text == "" {
			continue
		}
		at, err := parseMoment(text, zone)
		if err != nil {
			return from, to, fault.New(opValidate, fault.TimeInvalid, end.path.place(), "%q is neither a date nor a time with zone", text)
		}
		*end.into = at
	}
	if !to.IsZero() && !to.After(from) {
		return from, to, fault.New(opValidate, fault.TimeInvalid, k.validTo.place(), "valid to %s is not after valid from %s", to.Format(time.RFC3339), from.Format(time.RFC3339))
	}
	return from, to, nil
}

// parseMoment reads "2026-01-31" as midnight in the zone, or an RFC 3339 time.
func parseMoment(text string, zone *time.Location) (time.Time, error) {
	if day, err := time.ParseInLocation(dayLayout, text, zone); err == nil {
		return day, nil
	}
	return time.Parse(time.RFC3339, text)
}

// parseRef checks the form of a ref, that its kind is declared and among those
// allowed, and that it has as many segments as the kind.
func (k *Contract) parseRef(text string, allowed []string) (r event.Ref, reason *fault.Reason, detail string) {
	r, err := event.ParseRef(text)
	if err != nil {
		return "", fault.RefInvalid, err.Error()
	}
	name := r.Kind()
	kind, declared := k.kinds[name]
	switch {
	case !declared:
		return "", fault.RefKindUnknown, fmt.Sprintf("%s: there is no kind %s", text, name)
	case !slices.Contains(allowed, name):
		return "", fault.RefInvalid, fmt.Sprintf("%s: expected a %s", text, strings.Join(allowed, " or "))
	case strings.Count(text, "/") != len(kind.Segments):
		return "", fault.RefInvalid, fmt.Sprintf("%s: a %s is written %s", text, name, kind.form())
	}
	return r, nil, ""
}

// form is how a ref of the kind is written: lot/<material>/<lot>.
func (k *Kind) form() string {
	return k.Kind + "/<" + strings.Join(k.Segments, ">/<") + ">"
}

func (k *Contract) exampleRef(kind string) string {
	if declared, ok := k.kinds[kind]; ok {
		return declared.form()
	}
	return kind + "/..."
}
