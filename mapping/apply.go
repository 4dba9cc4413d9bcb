package mapping

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// maxSlot bounds a slot in bytes.
const maxSlot = 200

const applyOp = "mapping.Apply"

// Apply makes the events of a record, in the order of the definition; items of
// an object in the order of its keys. Lookups are the bodies of reference data by
// lookup name. The record and the lookups stay as they are. The error is the
// first *fault.Fault that is met; a message is atomic, so there are no events then.
func (m *Mapping) Apply(record, lookups map[string]any) ([]Output, error) {
	if err := m.requireLookups(record, lookups); err != nil {
		return nil, err
	}
	drafts, err := m.drafts(record, lookups, false)
	if err != nil {
		return nil, err
	}
	outputs := make([]Output, len(drafts))
	seen := make(map[string]bool, len(drafts))
	for i, d := range drafts {
		if seen[d.Slot] {
			return nil, fault.New(applyOp, fault.MappingFailed, "", "slot %q: the message gives two events of this slot, which could not be told apart", d.Slot)
		}
		seen[d.Slot] = true
		outputs[i] = d.Output
	}
	return outputs, nil
}

// requireLookups reports a required lookup that is absent where it applies.
func (m *Mapping) requireLookups(record, lookups map[string]any) error {
	complete := true
	for _, l := range m.lookups {
		complete = complete && (!l.required || lookups[l.name] != nil)
	}
	if complete {
		return nil
	}
	needed, err := m.Lookups(record)
	if err != nil {
		return err
	}
	for _, l := range needed {
		if l.Required && lookups[l.Name] == nil {
			f := fault.New(applyOp, fault.ReferenceMissing, lookupsName+"/"+l.Name, "")
			f.Ref = l.Ref
			return f
		}
	}
	return nil
}

// A draft is an output while it is made.
type draft struct {
	Output
	rule   *output
	failed []*failure // only where the caller is tolerant
}

// A maker makes the drafts of one record.
type maker struct {
	*Mapping
	*scope
	record   map[string]any
	tolerant bool // an expression that fails is noted and the others go on
	identity string
	moments  map[*expression]time.Time // what occurred expressions gave
	drafts   []*draft
}

func (m *Mapping) drafts(record, lookups map[string]any, tolerant bool) ([]*draft, error) {
	sc, err := newScope(applyOp, record, lookups)
	if err != nil {
		return nil, err
	}
	mk := &maker{Mapping: m, scope: sc, record: record, tolerant: tolerant}
	if mk.identity, err = m.Identify(record); err != nil && !tolerant {
		return nil, err
	}
	for _, o := range m.outputs {
		if err := mk.output(o); err != nil {
			return nil, err
		}
	}
	return mk.drafts, nil
}

// output makes every event of an output. For a tolerant caller an output of
// which it cannot be told whether it applies does not.
func (mk *maker) output(o *output) error {
	if !o.whenPerItem {
		if applies, fail := o.when.condition(mk.scope); fail != nil || !applies {
			return mk.stop(o.def.Slot, fail)
		}
	}
	if o.each == nil {
		return mk.make(o, o.def.Slot)
	}
	value, fail := o.each.query(mk.scope)
	if fail != nil {
		return mk.stop(o.def.Slot, fail)
	}
	items, err := itemsOf(value)
	if err != nil {
		return mk.stop(o.def.Slot, &failure{o.each, 0, err})
	}
	defer mk.leaveEach()
	for _, item := range items {
		mk.value[eachName], mk.eachPath = item.value, ""
		if o.each.plainPath != "" {
			mk.eachPath = o.each.plainPath + "/" + item.key
		}
		if err := mk.item(o, item); err != nil {
			return err
		}
	}
	return nil
}

func (sc *scope) leaveEach() {
	delete(sc.value, eachName)
	sc.eachPath = ""
}

// item makes the event of one item.
func (mk *maker) item(o *output, item item) error {
	if o.whenPerItem {
		if applies, fail := o.when.condition(mk.scope); fail != nil || !applies {
			return mk.stop(o.def.Slot, fail)
		}
	}
	slot, err := o.slot.of(item.value)
	if err != nil {
		return mk.stop(o.def.Slot, &failure{o.each, 0, err})
	}
	return mk.make(o, slot)
}

// stop is the fault of a failure; nil where there is none or the caller is tolerant.
func (mk *maker) stop(slot string, fail *failure) error {
	if fail == nil || mk.tolerant {
		return nil
	}
	return mk.fault(applyOp, slot, mk.scope, fail)
}

// make evaluates every part of one event.
func (mk *maker) make(o *output, slot string) error {
	d := &draft{rule: o, Output: Output{Slot: slot, Type: o.def.Type, Version: o.def.Version, Identity: mk.identity}}
	for _, part := range []func(*draft) *failure{mk.when, mk.about, mk.order, mk.data} {
		fail := part(d)
		if fail == nil {
			continue
		}
		if !mk.tolerant {
			return mk.fault(applyOp, slot, mk.scope, fail)
		}
		d.failed = append(d.failed, fail)
	}
	mk.drafts = append(mk.drafts, d)
	return nil
}

// when is the time at which it happened.
func (mk *maker) when(d *draft) *failure {
	from, fail := mk.moment(d.rule.from)
	if fail != nil {
		return fail
	}
	to := from
	if d.rule.to != nil {
		if to, fail = mk.moment(d.rule.to); fail != nil {
			return fail
		}
	}
	if to.Before(from) {
		return &failure{d.rule.to, 0, &timeInvalid{fmt.Sprintf("it ends at %s, before it begins at %s", to.Format(time.RFC3339), from.Format(time.RFC3339))}}
	}
	d.Occurred = event.Span{From: from, To: to}
	return nil
}

// about is the subject and the identity.
func (mk *maker) about(d *draft) *failure {
	var fail *failure
	if d.Subject, fail = d.rule.subject.textValue(mk.scope, true); fail != nil {
		return fail
	}
	if d.Subject != "" {
		if _, err := event.ParseRef(d.Subject); err != nil {
			return &failure{d.rule.subject, 0, &refInvalid{err}}
		}
	}
	if d.rule.identity != nil {
		d.Identity, fail = d.rule.identity.textValue(mk.scope, true)
	}
	return fail
}

// order is what the source says of its place among others.
func (mk *maker) order(d *draft) *failure {
	var fail *failure
	for _, part := range []struct {
		from *expression
		into *string
	}{{d.rule.correlation, &d.Correlation}, {d.rule.causation, &d.Causation}, {d.rule.sequence, &d.Sequence}} {
		if *part.into, fail = part.from.textValue(mk.scope, false); fail != nil {
			return fail
		}
	}
	return nil
}

func (mk *maker) data(d *draft) *failure {
	value, fail := d.rule.data.query(mk.scope)
	if fail != nil {
		return fail
	}
	switch v := value.(type) {
	case map[string]any:
		d.Data = v
	case nil:
		d.Data = map[string]any{}
	default:
		return &failure{d.rule.data, 0, fmt.Errorf("an object is expected, it gave %s: assign to fields of root", describe(value))}
	}
	return nil
}

// moment is the time that an expression gives. Most messages have one for all
// outputs; it is evaluated once for a record unless it reads the item.
func (mk *maker) moment(e *expression) (time.Time, *failure) {
	if known, ok := mk.moments[e]; ok {
		return known, nil
	}
	at, fail := e.moment(mk.scope)
	if fail == nil && !e.readsEach {
		if mk.moments == nil {
			mk.moments = make(map[*expression]time.Time, 2)
		}
		mk.moments[e] = at
	}
	return at, fail
}

// moment is an RFC 3339 time with its offset.
func (e *expression) moment(sc *scope) (time.Time, *failure) {
	text, fail := e.textValue(sc, true)
	if fail != nil {
		return time.Time{}, fail
	}
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, &failure{e, 0, &timeInvalid{fmt.Sprintf("%.60q is no time with offset such as 2018-11-01T06:00:00+07:00: use time_of or shift_from for local times", text)}}
	}
	return at, nil
}

// An item is one of `each`.
type item struct {
	key   string // of the object, or the place in the list, from 0
	value any    // as this.each
}

func itemsOf(value any) ([]item, error) {
	switch v := value.(type) {
	case []any:
		items := make([]item, len(v))
		for i, element := range v {
			items[i] = item{strconv.Itoa(i), element}
		}
		return items, nil
	case map[string]any:
		items := make([]item, 0, len(v))
		for _, key := range sortedKeys(v) {
			items = append(items, item{key, map[string]any{"key": key, "value": v[key]}})
		}
		return items, nil
	case nil:
		return nil, &noResult{}
	default:
		return nil, fmt.Errorf("a list or an object is expected, it gave %s", describe(value))
	}
}

var errSlotPart = errors.New("the part of the slot in braces gives no text for an item: it must tell the items apart")

// of is the slot of an item.
func (t slotTemplate) of(item any) (string, error) {
	text, err := textOf("slot", target, at(item, t.path))
	if err != nil || text == "" {
		return "", errSlotPart
	}
	slot := t.before + text + t.after
	if len(slot) > maxSlot || strings.ContainsFunc(slot, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return "", fmt.Errorf("%.60q is no slot: printable text of at most %d bytes is expected", slot, maxSlot)
	}
	return slot, nil
}
