package catalog

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/format"
	"github.com/gapless/gapless/mapping"
	"github.com/gapless/gapless/policy"
)

const opTry = "catalog.Try"

// Given is what a trial knows beyond the catalog, in place of a ledger.
type Given struct {
	Reference map[event.Ref]any            // bodies of reference data
	Local     map[string]event.Ref         // "material/4711" -> ref, of the system that is tried
	States    map[event.Ref]map[string]any // of objects, for policies that read state
}

// A Trial says what would become of a message, record by record.
type Trial struct {
	Records []TriedRecord
}

// OK says whether every record became events that nothing stands against.
func (t Trial) OK() bool {
	return !slices.ContainsFunc(t.Records, func(r TriedRecord) bool {
		return r.Fault != nil || slices.ContainsFunc(r.Events, func(e TriedEvent) bool { return len(e.Faults) > 0 || e.Stopped() })
	})
}

// A TriedRecord is what would become of one record. Fault is set where it would
// be held before there are events.
type TriedRecord struct {
	Number       int // as a person counts rows
	Identity     string
	Plant        string
	Record       map[string]any
	Events       []TriedEvent
	Fault        *fault.Fault
	Explanations []mapping.Explanation
}

// A TriedEvent is one event with everything that is known of it without a ledger.
type TriedEvent struct {
	event.Event
	Faults   []*fault.Fault
	Verdicts []policy.Verdict
	StandIns []string // local identifiers that nothing resolves, with a stand-in ref in their place: "material 4711"
}

// Stopped says whether a policy that forbids stops the event.
func (e TriedEvent) Stopped() bool {
	return slices.ContainsFunc(e.Verdicts, func(v policy.Verdict) bool { return v.Stops() && v.Effect == policy.Forbid })
}

// Try takes a message through the catalog without any ledger: it reads the
// records, maps, identifies, checks and judges each, and explains which source
// field gave which target field its value. The error is for a message that the
// catalog does not have; what is wrong with the content is in the Trial.
func (c *Catalog) Try(system, message string, kind format.Kind, body []byte, given Given) (Trial, error) {
	m, ok := c.Message(system, message)
	if !ok {
		return Trial{}, fault.New(opTry, fault.MessageUnknown, "", "%s of %s", message, system)
	}
	spec, ok := m.Mapping.Format(kind)
	if !ok && kind != format.JSON && kind != "" {
		return Trial{}, fault.New(opTry, fault.TypeUnsupported, "", "%s of %s does not come as %s", message, system, kind)
	}
	var trial Trial
	for record, err := range format.Split(spec, body, format.Limits{}) {
		if err != nil {
			trial.Records = append(trial.Records, TriedRecord{Number: recordNumber(err), Fault: fault.Wrap(opTry, fault.NotReadable, "", err)})
			continue
		}
		tried := c.tryRecord(m, record.Value, given)
		tried.Number = record.Number
		trial.Records = append(trial.Records, tried)
	}
	return trial, nil
}

func recordNumber(err error) int {
	if unreadable, ok := errors.AsType[*format.Error](err); ok {
		return unreadable.Record
	}
	return 0
}

func (c *Catalog) tryRecord(m *Message, record map[string]any, given Given) TriedRecord {
	tried := TriedRecord{Record: record}
	held := func(err error) TriedRecord {
		tried.Fault = fault.Of(err)
		if tried.Fault == nil {
			tried.Fault = fault.Wrap(opTry, fault.MappingFailed, "", err)
		}
		return tried
	}
	var err error
	if tried.Identity, err = m.Mapping.Identify(record); err != nil {
		return held(err)
	}
	if tried.Plant, err = m.Mapping.Plant(record); err != nil {
		return held(err)
	}
	lookups, err := givenLookups(m.Mapping, record, given)
	if err != nil {
		return held(err)
	}
	outputs, err := m.Mapping.Apply(record, lookups)
	if err != nil {
		return held(err)
	}
	for _, o := range outputs {
		tried.Events = append(tried.Events, c.tryEvent(m.System, tried.Plant, o, given))
	}
	if tried.Explanations, err = m.Mapping.Explain(record, lookups); err != nil {
		return held(err)
	}
	return tried
}

func givenLookups(m *mapping.Mapping, record map[string]any, given Given) (map[string]any, error) {
	wanted, err := m.Lookups(record)
	if err != nil {
		return nil, err
	}
	found := map[string]any{}
	for _, l := range wanted {
		body, ok := given.Reference[l.Ref]
		if !ok && l.Required {
			missing := fault.New(opTry, fault.ReferenceMissing, "lookups/"+l.Name, "give the body of %s", l.Ref)
			missing.Ref = l.Ref
			return nil, missing
		}
		if ok {
			found[l.Name] = body
		}
	}
	return found, nil
}

// tryEvent checks and judges one event as flow would.
func (c *Catalog) tryEvent(system, plant string, o mapping.Output, given Given) TriedEvent {
	tried := TriedEvent{Event: event.Event{
		Key: event.Identity(system, o.Type, o.Identity, o.Slot), Statement: 1, Type: o.Type, Version: o.Version, System: system, Plant: plant,
		Identity: o.Identity, Slot: o.Slot, Occurred: o.Occurred, Sequence: o.Sequence, Correlation: o.Correlation, Causation: o.Causation, Revision: c.digest,
	}}
	k, ok := c.Contract(o.Type, o.Version)
	if !ok {
		tried.Faults = append(tried.Faults, fault.New(opTry, fault.TypeUnknown, "type", "%s version %d", o.Type, o.Version))
		return tried
	}
	id := identifier{catalog: c, system: system, at: o.Occurred.From, given: given.Local}
	tried.Data, _ = mapping.Resolve(o.Data, func(_, kind, local string) string { return string(id.ref(kind, local)) }).(map[string]any) // an object stays one
	tried.StandIns = id.standIns
	checked, faults := k.Validate(tried.Data)
	subject, f := k.Subject(event.Ref(o.Subject), tried.Data)
	if f != nil && !slices.ContainsFunc(faults, func(known *fault.Fault) bool { return known.Field == f.Field }) {
		faults = append(faults, f)
	}
	tried.Faults, tried.Subject, tried.Relations = faults, subject, checked.Relations
	tried.Refs = append([]event.Ref{subject}, slices.DeleteFunc(checked.Refs, func(r event.Ref) bool { return r == subject })...)
	if !c.MayAssert(system, o.Type, plant) {
		tried.Faults = append(tried.Faults, fault.New(opTry, fault.AuthorityMissing, "type", "%s may not report %s for plant %s", system, o.Type, plant))
	}
	if p, known := c.plants[plant]; known {
		tried.Day, tried.Shift = p.ShiftOf(event.Ref(textOf(tried.Data["work_center"])), o.Occurred.From)
	}
	if len(tried.Faults) > 0 {
		return tried
	}
	c.tryFacts(k, &tried)
	c.tryPolicies(&tried, given)
	return tried
}

func (c *Catalog) tryFacts(k *Contract, tried *TriedEvent) {
	facts, err := k.Facts(tried.Data, func(q event.Quantity, material, lot event.Ref) (event.Quantity, string, error) {
		return event.Base(q, c.AlternativeUnits(material), material, lot, tried.Occurred.From)
	})
	tried.Facts = facts
	for _, cause := range causes(err) {
		if f := fault.Of(cause); f != nil {
			tried.Faults = append(tried.Faults, f)
		}
	}
}

func (c *Catalog) tryPolicies(tried *TriedEvent, given Given) {
	states := map[string]map[string]any{}
	for ref, state := range given.States {
		states[string(ref)] = state
	}
	in := policy.Input{Event: PolicyEvent(&tried.Event), Subject: states[string(tried.Subject)], State: states}
	for _, stage := range []policy.Stage{policy.BeforeQueue, policy.InCommit} {
		tried.Verdicts = append(tried.Verdicts, c.policies.Judge(stage, in)...)
	}
}

// PolicyEvent is an event as policies read it.
func PolicyEvent(e *event.Event) map[string]any {
	relations := make([]any, len(e.Relations))
	for i, r := range e.Relations {
		relations[i] = map[string]any{"kind": r.Kind, "from": string(r.From), "to": string(r.To)}
	}
	return map[string]any{
		"id": e.ID(), "type": e.Type, "version": int64(e.Version), "plant": e.Plant, "system": e.System, "subject": string(e.Subject),
		"day": e.Day, "shift": e.Shift, "relations": relations, "data": e.Data,
		"occurred": map[string]any{"from": e.Occurred.From.Format(time.RFC3339Nano), "to": e.Occurred.To.Format(time.RFC3339Nano)},
	}
}

// An identifier exchanges local identifiers for refs. One that nothing resolves
// gets a stand-in of the right form, so that the rest can be checked.
type identifier struct {
	catalog  *Catalog
	system   string
	at       time.Time
	given    map[string]event.Ref
	standIns []string
}

func (i *identifier) ref(kind, id string) event.Ref {
	if r, ok := i.given[kind+"/"+id]; ok {
		return r
	}
	if r, ok := i.catalog.Resolve(i.system, kind, id, i.at); ok {
		return r
	}
	if name := fmt.Sprintf("%s %s", kind, id); !slices.Contains(i.standIns, name) {
		i.standIns = append(i.standIns, name)
	}
	segments := []string{"local-" + id}
	if k, ok := i.catalog.kinds[kind]; ok {
		for n := 1; n < len(k.Segments); n++ {
			segments = append(segments, "local-"+id+"-"+strconv.Itoa(n))
		}
	}
	r, err := event.NewRef(kind, segments...)
	if err != nil {
		return event.Ref(id) // the contract says what is wrong with it
	}
	return r
}
