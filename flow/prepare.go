package flow

import (
	"context"
	"errors"
	"maps"
	"slices"
	"time"

	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/mapping"
	"github.com/gapless/gapless/policy"
)

// The clock of a source may be ahead of ours by so much; nothing happened before
// the year 2000.
const clockTolerance = 5 * time.Minute

var earliest = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC)

// output is one event as a message states it, before identification.
type output struct {
	mapping.Output
	Change event.Change
	Amends string // message key
}

// preparation makes an entry of one message: everything that needs no state.
type preparation struct {
	flow *Flow
	cat  *catalog.Catalog
	ctx  context.Context //nolint:containedctx // lives as long as prepare, which made it
	a    *arrival
	e    *ledger.Entry

	known time.Time // reference data as on record then; zero: now

	failing *ledger.Draft     // the draft at hand, as far as it came
	terms   *catalog.Contract // its contract
	made    []ledger.Draft    // with a fault: the drafts as far as they came
}

func newEntry(cat *catalog.Catalog) *ledger.Entry { return &ledger.Entry{Revision: cat.Digest()} }

// prepare maps, identifies, validates and judges a message as far as that goes
// without state. What stands in the way becomes the entry's Fault: the message is
// kept and held.
// The error is for a ledger that cannot be read: then nothing is known of the
// message, and the sender sends again.
func (f *Flow) prepare(ctx context.Context, a arrival, attempt int) (*ledger.Entry, error) {
	p, err := f.preparation(ctx, a, attempt)
	if err != nil {
		return nil, err
	}
	return p.e, nil
}

// preparation is prepare with what it went through.
func (f *Flow) preparation(ctx context.Context, a arrival, attempt int) (*preparation, error) {
	cat := f.Catalog()
	p := &preparation{flow: f, cat: cat, ctx: ctx, a: &a, e: newEntry(cat)}
	p.e.Attempt, p.e.By, p.e.Bulk, p.e.Edit, p.e.Replay = attempt, a.by, a.bulk, a.edit, a.replay
	outputs, failed := p.outputs()
	p.e.Message = a.Message
	if failed == nil && len(p.e.Settlements) > 0 {
		return p, nil // an echo: what it tells is on record as ours already
	}
	for i := 0; failed == nil && i < len(outputs); i++ {
		failed = p.draft(&outputs[i])
	}
	if failed != nil && failed.Reason == fault.Unavailable {
		return nil, failed
	}
	if failed != nil {
		p.e.Refs, p.e.Facts = p.atStake()
		p.made = p.e.Drafts
		if p.failing != nil {
			p.made = append(p.made, *p.failing)
		}
		p.e.Fault, p.e.Drafts, p.e.Needs = failed, nil, nil
		if failed.Reason.Class != fault.Heals {
			p.e.Waits = nil
		}
	}
	var err error
	p.e.Groups, err = f.materialGroups(ctx, a.Plant, p.about)
	return p, err
}

// about is every object that the entry is about.
func (p *preparation) about() []event.Ref {
	all := slices.Clone(p.e.Refs)
	for i := range p.e.Drafts {
		all = append(all, p.e.Drafts[i].Refs...)
	}
	return all
}

// outputs reads what the message states: the CloudEvent as it is, a native
// message through its mapping.
func (p *preparation) outputs() ([]output, *fault.Fault) {
	if p.a.Name == event.CloudEventMessage {
		return p.envelope()
	}
	return p.mapped()
}

func (p *preparation) envelope() ([]output, *fault.Fault) {
	e, faults := event.ParseEnvelope(p.a.record)
	p.a.Plant = e.Plant
	if p.a.Plant == "" {
		p.a.Plant = plantOf(p.cat, p.a.System)
	}
	if len(faults) > 0 {
		return nil, fault.New("flow.envelope", fault.AttributeInvalid, faults[0].Attribute, "%s", joinFaults(faults))
	}
	if f := p.plant(); f != nil {
		return nil, f
	}
	version, err := e.Version()
	if err != nil {
		return nil, fault.Wrap("flow.envelope", fault.TypeUnknown, "dataschema", err)
	}
	span, err := e.Occurred()
	if err != nil {
		return nil, fault.Wrap("flow.envelope", fault.TimeInvalid, "time", err)
	}
	data, _ := e.Data.(map[string]any) // ParseEnvelope has looked
	o := output{Output: mapping.Output{
		Slot: "event", Type: e.Type, Version: version, Identity: e.ID, Subject: e.Subject, Occurred: span,
		Correlation: e.CorrelationID, Causation: e.CausationID, Sequence: e.Sequence, Data: data,
	}}
	switch {
	case e.Corrects != "":
		o.Change, o.Amends = event.Correction, event.MessageKey(p.a.System, p.a.Name, e.Corrects)
	case e.Reverses != "":
		o.Change, o.Amends = event.Reversal, event.MessageKey(p.a.System, p.a.Name, e.Reverses)
	}
	return []output{o}, nil
}

// plant checks that the message's plant is in the catalog.
func (p *preparation) plant() *fault.Fault {
	if _, ok := p.cat.Plant(p.a.Plant); !ok {
		named := p.a.Plant
		p.a.Plant = ""
		return fault.New("flow.prepare", fault.PlantUnknown, "plant", "%q", named)
	}
	return nil
}

// mapped applies the mapping, with the reference data that it asks for.
func (p *preparation) mapped() ([]output, *fault.Fault) {
	m, ok := p.cat.Message(p.a.System, p.a.Name)
	if !ok {
		return nil, fault.New("flow.map", fault.MessageUnknown, "", "%s of %s", p.a.Name, p.a.System)
	}
	p.e.Mapping, p.e.Restates = p.a.System+"/"+p.a.Name, m.Mapping.OnChange() == mapping.Correction
	plant, err := m.Mapping.Plant(p.a.record)
	if err != nil {
		return nil, asFault("flow.map", fault.MappingFailed, err)
	}
	p.a.Plant = plant
	if f := p.plant(); f != nil {
		return nil, f
	}
	if echo, f := p.echo(m.Mapping); f != nil || echo {
		return nil, f
	}
	lookups, f := p.lookups(m.Mapping)
	if f != nil {
		return nil, f
	}
	mappedOutputs, err := m.Mapping.Apply(p.a.record, lookups)
	if err != nil {
		return nil, asFault("flow.map", fault.MappingFailed, err)
	}
	all := make([]output, len(mappedOutputs))
	for i, o := range mappedOutputs {
		all[i] = output{Output: o}
	}
	return all, nil
}

// lookups reads the reference data that a mapping asks for, valid when it
// happened.
func (p *preparation) lookups(m *mapping.Mapping) (map[string]any, *fault.Fault) {
	wanted, err := m.Lookups(p.a.record)
	if err != nil {
		return nil, asFault("flow.lookup", fault.MappingFailed, err)
	}
	found := map[string]any{}
	var missing *fault.Fault
	for _, l := range wanted {
		at := l.At
		if at.IsZero() {
			at = p.a.Received
		}
		r, err := p.flow.ledger.ReferenceAt(p.ctx, l.Ref, p.a.Plant, at, p.known)
		switch {
		case err == nil:
			found[l.Name] = r.Body
		case !errors.Is(err, fault.NotFound):
			return nil, fault.Wrap("flow.lookup", fault.Unavailable, "", err)
		case l.Required:
			p.e.Waits = append(p.e.Waits, ledger.ReferenceWanted(l.Ref))
			if missing == nil {
				missing = fault.Wrap("flow.lookup", fault.ReferenceMissing, "lookups/"+l.Name, err)
				missing.Ref = l.Ref
			}
		}
	}
	return found, missing
}

// draft makes a draft of an output: identified, validated, judged.
func (p *preparation) draft(o *output) *fault.Fault {
	contract, ok := p.cat.Contract(o.Type, o.Version)
	if !ok {
		return fault.New("flow.draft", fault.TypeUnknown, "type", "%s version %d", o.Type, o.Version)
	}
	if p.a.System != hubSystem && !p.cat.MayAssert(p.a.System, o.Type, p.a.Plant) {
		return fault.New("flow.draft", fault.AuthorityMissing, "type", "%s may not report %s for plant %s", p.a.System, o.Type, p.a.Plant)
	}
	d := ledger.Draft{Amends: o.Amends}
	d.Change, d.Type, d.Version, d.System, d.Plant = o.Change, contract.Type, contract.Version, p.a.System, p.a.Plant
	d.Identity, d.Slot, d.Occurred, d.Sequence = o.Identity, o.Slot, o.Occurred, o.Sequence
	d.Edited = p.a.Channel == ledger.EditChannel
	d.Correlation, d.Causation, d.Mapping, d.Revision = o.Correlation, o.Causation, p.e.Mapping, p.e.Revision
	d.Key = event.Identity(d.System, d.Type, d.Identity, d.Slot)
	p.failing, p.terms = &d, contract
	steps := []func(*catalog.Contract, *output, *ledger.Draft) *fault.Fault{p.texts, p.time, p.identify, p.validate, p.derive, p.judge}
	for _, step := range steps {
		if f := step(contract, o, &d); f != nil {
			return f
		}
	}
	p.e.Drafts = append(p.e.Drafts, d)
	p.failing = nil
	return nil
}

// atStake is what a message is about that does not go on: the objects and the
// quantities of its events, as far as it came.
func (p *preparation) atStake() (refs []event.Ref, facts []event.Fact) {
	for i := range p.e.Drafts {
		refs = append(refs, p.e.Drafts[i].Refs...)
		facts = append(facts, p.e.Drafts[i].Facts...)
	}
	if p.failing == nil {
		return refs, facts
	}
	own := *p.failing
	if len(own.Facts) == 0 {
		own.Facts, _ = p.terms.Facts(own.Data, p.base(own.Occurred.From)) // what has no base is not at stake in figures
	}
	return p.refsIn(own.Data, append(refs, own.Refs...)), append(facts, own.Facts...)
}

// refsIn adds the refs that stand in a value to others.
func (p *preparation) refsIn(value any, refs []event.Ref) []event.Ref {
	switch v := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			refs = p.refsIn(v[name], refs)
		}
	case []any:
		for _, item := range v {
			refs = p.refsIn(item, refs)
		}
	case string:
		if ref, err := event.ParseRef(v); err == nil {
			if _, known := p.cat.Kind(ref.Kind()); known && !slices.Contains(refs, ref) {
				refs = append(refs, ref)
			}
		}
	}
	return refs
}

// texts checks what names and orders the event: identifiers, not prose.
func (p *preparation) texts(_ *catalog.Contract, _ *output, d *ledger.Draft) *fault.Fault {
	for _, x := range [][2]string{
		{"identity", d.Identity}, {"slot", d.Slot}, {"sequence", d.Sequence}, {"correlationid", d.Correlation}, {"causationid", d.Causation},
	} {
		if !identifier(x[1]) {
			return fault.New("flow.draft", fault.AttributeInvalid, x[0], "%.80q is no printable text of at most %d bytes", x[1], maxID)
		}
	}
	return nil
}

// time checks that the event can have happened then.
func (p *preparation) time(_ *catalog.Contract, _ *output, d *ledger.Draft) *fault.Fault {
	from, now := d.Occurred.From, p.flow.ledger.Now()
	switch {
	case from.Before(earliest):
		return fault.New("flow.draft", fault.TimeInvalid, "time", "%s is before the year 2000", from.Format(time.RFC3339))
	case from.After(now.Add(clockTolerance)), d.Occurred.To.After(now.Add(clockTolerance)):
		return fault.New("flow.draft", fault.TimeInvalid, "time", "%s is in the future; here it is %s", d.Occurred.To.Format(time.RFC3339), now.UTC().Format(time.RFC3339))
	}
	plant, _ := p.cat.Plant(d.Plant)
	if begin := plant.Begins(d.System); from.Before(begin) {
		return fault.New("flow.draft", fault.BeforeBegin, "time", "%s; plant %s begins at %s for %s", from.Format(time.RFC3339), d.Plant, begin.Format(time.RFC3339), d.System)
	}
	return nil
}

// identify exchanges local identifiers for refs, by the cross-reference that was
// valid when it happened.
func (p *preparation) identify(_ *catalog.Contract, o *output, d *ledger.Draft) *fault.Fault {
	at := d.Occurred.From
	var unread error
	r := resolver{self: p.a.System, find: func(kind, id string) (event.Ref, error) {
		x, err := p.flow.ledger.CrossReferenceAt(p.ctx, p.a.System, kind, id, at)
		if err == nil {
			return x.Ref, nil
		}
		if !errors.Is(err, fault.NotFound) {
			unread = err
		}
		if ref, ok := p.cat.Resolve(p.a.System, kind, id, at); ok {
			return ref, nil
		}
		return "", err
	}}
	d.Data, _ = mapping.Resolve(o.Data, r.exchange).(map[string]any) // an object stays one
	if unread != nil {
		return fault.Wrap("flow.identify", fault.Unavailable, "", unread)
	}
	if r.fault != nil {
		p.e.Waits = append(p.e.Waits, r.waits...)
		return r.fault
	}
	return nil
}

// validate holds the data against the contract. A reversal carries none of its own.
func (p *preparation) validate(k *catalog.Contract, o *output, d *ledger.Draft) *fault.Fault {
	if d.Change == event.Reversal {
		return nil
	}
	checked, faults := k.Validate(d.Data)
	if len(faults) > 0 {
		return firstOf(faults)
	}
	subject, f := k.Subject(event.Ref(o.Subject), d.Data)
	if f != nil {
		return f
	}
	d.Subject, d.Relations = subject, checked.Relations
	d.Refs = append(make([]event.Ref, 0, len(checked.Refs)+1), subject)
	for _, ref := range checked.Refs {
		if !slices.Contains(d.Refs, ref) {
			d.Refs = append(d.Refs, ref)
		}
	}
	return nil
}

// derive works out what follows from the data alone: production day and shift,
// facts, folds, master data, what must be on record before.
func (p *preparation) derive(k *catalog.Contract, _ *output, d *ledger.Draft) *fault.Fault {
	plant, _ := p.cat.Plant(d.Plant)
	if d.Change == event.Reversal {
		return nil
	}
	workCenter, _ := d.Data["work_center"].(string)
	d.Day, d.Shift = plant.ShiftOf(event.Ref(workCenter), d.Occurred.From)
	var err error
	if d.Facts, err = k.Facts(d.Data, p.base(d.Occurred.From)); err != nil {
		return asFault("flow.draft", fault.QuantityInvalid, err)
	}
	for i := range d.Facts {
		if _, _, err := d.Facts[i].Base.Value.Scaled(ledger.FactDigits); err != nil {
			q, base := d.Facts[i].Quantity, d.Facts[i].Base
			return fault.New("flow.draft", fault.QuantityInvalid, "", "%s %s %s are %s %s: %v", d.Facts[i].Measure, q.Value, q.Unit, base.Value, base.Unit, err)
		}
	}
	for _, ref := range d.Refs {
		lifecycle := p.cat.Lifecycle(ref.Kind())
		if lifecycle != nil && lifecycle.Concerns(d.Type) {
			d.Folds = append(d.Folds, ledger.Fold{Ref: ref, Ordering: Ordering(lifecycle, &d.Event)})
		}
	}
	if ref, types := k.Predecessor(d.Data); ref != "" {
		for _, typ := range types {
			d.After = append(d.After, ledger.EventWanted(typ, ref))
		}
	}
	if d.Written, err = event.Canonical(d.Data); err == nil {
		d.Digest, err = digest(&d.Event, d.Written)
	}
	if err != nil {
		return fault.Wrap("flow.draft", fault.ContractBroken, "data", err)
	}
	return p.masterData(k, d, plant)
}

// base converts a quantity to its base unit, with the material's own units.
func (p *preparation) base(at time.Time) catalog.BaseFunc {
	return func(q event.Quantity, material, lot event.Ref) (event.Quantity, string, error) {
		return event.Base(q, p.cat.AlternativeUnits(material), material, lot, at)
	}
}

func (p *preparation) masterData(k *catalog.Contract, d *ledger.Draft, plant *catalog.Plant) *fault.Fault {
	ids := k.Identifiers(d.Data)
	if !k.IsReference() && len(ids) == 0 {
		return nil
	}
	from, to, f := k.Validity(d.Data, d.Occurred.From, plant.Zone)
	if f != nil {
		return f
	}
	if k.IsReference() {
		d.Reference = &ledger.Reference{Ref: d.Subject, Plant: d.Plant, ValidFrom: from, ValidTo: to, Body: d.Data}
	}
	for _, x := range ids {
		if !identifier(x.System) || !identifier(x.Kind) || !identifier(x.ID) {
			return fault.New("flow.draft", fault.RefInvalid, "identifiers", "%.80q of %.80q", x.ID, x.System)
		}
		kind := x.Kind
		if kind == "" {
			kind = d.Subject.Kind()
		}
		d.CrossReferences = append(d.CrossReferences, ledger.CrossReference{System: x.System, Kind: kind, ID: x.ID, Ref: d.Subject, ValidFrom: from, ValidTo: to})
	}
	return nil
}

// judge asks the policies that need no state, and names the objects that the
// others will ask for.
func (p *preparation) judge(_ *catalog.Contract, _ *output, d *ledger.Draft) *fault.Fault {
	if d.Change == event.Reversal {
		return nil
	}
	if len(p.cat.Policies().For(d.Type, policy.InCommit)) > 0 {
		for _, ref := range d.Refs {
			if p.cat.Lifecycle(ref.Kind()) != nil {
				p.e.Needs = append(p.e.Needs, ref)
			}
		}
	}
	if len(p.cat.Policies().For(d.Type, policy.BeforeQueue)) == 0 {
		return nil
	}
	for _, v := range p.cat.Policies().Judge(policy.BeforeQueue, policy.Input{Event: catalog.PolicyEvent(&d.Event)}) {
		d.Verdicts = append(d.Verdicts, storedVerdict(v))
		f, disputed := applyVerdict(v)
		d.Disputed = d.Disputed || disputed
		if f != nil {
			f.Ref = d.Subject
			return f
		}
	}
	return nil
}
