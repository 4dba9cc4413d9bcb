package mapping

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// EditRoles are the roles of people that may be named in an EditableField.
func EditRoles() []string { return []string{"operator", "quality", "steward", "approver"} }

// anyItem stands in the path of an editable field for every item of a list.
const anyItem = "*"

// editable checks which fields may be edited, as far as no contract is needed for it.
func (c *compiler) editable(m *Mapping) {
	seen := map[string]bool{}
	for i, f := range m.def.Editable {
		at := fmt.Sprintf("editable[%d]", i)
		switch {
		case strings.TrimSpace(f.Field) == "":
			c.report(at+".field", "missing: name a field")
		case seen[f.Field]:
			c.report(at+".field", "%.80q stands here twice", f.Field)
		case slices.Contains(m.def.Identity, f.Field) || slices.Contains(m.def.Identity, "?"+f.Field):
			c.report(at+".field", "%.80q is part of the identity: with another one it would be another message", f.Field)
		case slices.Contains(m.def.Volatile, f.Field):
			c.report(at+".field", "%.80q is volatile: it says nothing about the content, so there is nothing to edit", f.Field)
		}
		seen[f.Field] = true
		if !slices.Contains(EditRoles(), f.Role) {
			c.report(at+".role", "%.80q is no role that edits: one of %s", f.Role, strings.Join(EditRoles(), ", "))
		}
		if f.Second != "" && !slices.Contains(EditRoles(), f.Second) {
			c.report(at+".second", "%.80q is no role that signs: one of %s", f.Second, strings.Join(EditRoles(), ", "))
		}
	}
}

// Editable is how a field of a record may be edited; ok is false where it may not. The
// field is named as in Identity, an item of a list by its number from 0: "lines.2.unit".
func (m *Mapping) Editable(field string) (f EditableField, ok bool) {
	for _, f := range m.def.Editable {
		if f.Field == field || matches(fieldPath(f.Field), fieldPath(field)) {
			return f, true
		}
	}
	return EditableField{}, false
}

// matches tells whether a path is one that a pattern stands for.
func matches(pattern, path []string) bool {
	if len(pattern) != len(path) {
		return false
	}
	for i, part := range pattern {
		if _, err := strconv.Atoi(path[i]); part != path[i] && (part != anyItem || err != nil) {
			return false
		}
	}
	return true
}

// Edit is a copy of a record in which a field has another value, and the value before:
// nil where it was absent. The value becomes what the field was: a text that is written as
// a number becomes one. The error is a *fault.Fault of fault.InvalidRequest: what the
// field belongs to does not exist, or the value is of another type.
func Edit(record map[string]any, field string, value any) (edited map[string]any, before any, err error) {
	path := fieldPath(field)
	if _, whole := record[field]; whole {
		path = []string{field}
	}
	before, found := member(record, path)
	if !found {
		return nil, nil, fault.New("mapping.Edit", fault.InvalidRequest, field, "the message has no such field, and nothing that it could belong to")
	}
	value, err = like(before, value)
	if err != nil {
		return nil, nil, fault.New("mapping.Edit", fault.InvalidRequest, field, "%v", err)
	}
	return with(record, path, value, false), before, nil
}

// member is the value at a path, nil where only its last part is absent; found is false
// where there is nothing that it could belong to.
func member(record map[string]any, path []string) (value any, found bool) {
	switch parent := at(record, path[:len(path)-1]).(type) {
	case map[string]any:
		return parent[path[len(path)-1]], true
	case []any:
		i, err := strconv.Atoi(path[len(path)-1])
		if err != nil || i < 0 || i >= len(parent) {
			return nil, false
		}
		return parent[i], true
	}
	return nil, false
}

// like is a value in the type of the one before.
func like(before, value any) (any, error) {
	text, isText := value.(string)
	switch before.(type) {
	case nil, string:
		switch value.(type) {
		case string, bool, json.Number:
			if before == nil || isText {
				return value, nil
			}
		}
		return nil, fmt.Errorf("it is a text, and %s was given", describe(value))
	case json.Number:
		if isText {
			value = json.Number(text)
		}
		if n, ok := value.(json.Number); ok {
			if _, err := event.ParseDecimal(n.String()); err == nil {
				return n, nil
			}
		}
		return nil, fmt.Errorf("it is a number, and %.60q is none", fmt.Sprint(value))
	case bool:
		if _, ok := value.(bool); ok {
			return value, nil
		}
		if b, err := strconv.ParseBool(text); isText && err == nil {
			return b, nil
		}
		return nil, fmt.Errorf("it is true or false, and %.60q is neither", fmt.Sprint(value))
	}
	return nil, fmt.Errorf("it is %s, of which single fields are edited", describe(before))
}

// A Decided is a field of an event that a field of the message decides.
type Decided struct {
	Slot    string
	Type    string
	Version int
	// Field is named as in an Explanation: "data/outputs/0/quantity/value",
	// "occurred/from". It is "" where the field decides whether there is such an event;
	// "plant", or "lookups/bill" for which reference data is read, of the message as a
	// whole.
	Field string
}

// Decides tells what a field that may be edited decides, as far as the cases of the
// mapping show it: which fields of their events are others where the field has another
// value. The values that are tried are of the same shape, those of the other cases, and
// others. A value that the mapping refuses decides nothing: it would not be recorded. met
// is false where no case has the field.
func (m *Mapping) Decides(field string, others []string) (all []Decided, met bool) {
	var values []any
	for _, text := range others {
		values = append(values, text)
	}
	type example struct {
		record, lookups map[string]any
		path            []string
	}
	var examples []example
	for _, c := range m.def.Cases {
		records, err := m.recordsOf(c)
		if err != nil {
			continue // the case fails, and says so
		}
		for _, record := range records {
			for _, l := range leavesOf(record) {
				if name := strings.Join(l.path, "."); name == field || matches(fieldPath(field), l.path) {
					examples = append(examples, example{record, c.Lookups, l.path})
					values = append(values, l.value)
				}
			}
		}
	}
	seen := map[Decided]bool{}
	for _, x := range examples {
		for _, value := range append([]any{alter(at(x.record, x.path))}, values...) {
			for _, d := range m.differs(x.record, with(x.record, x.path, value, false), x.lookups) {
				seen[d] = true
			}
		}
	}
	all = slices.Collect(maps.Keys(seen))
	slices.SortFunc(all, func(a, b Decided) int { return strings.Compare(a.Slot+" "+a.Field, b.Slot+" "+b.Field) })
	return all, len(examples) > 0
}

// differs tells which fields of the events of two records are not the same; none where
// one of them gives no events.
func (m *Mapping) differs(record, other, lookups map[string]any) []Decided {
	was, err := m.fieldsOfAll(record, lookups)
	if err != nil {
		return nil
	}
	is, err := m.fieldsOfAll(other, lookups)
	if err != nil {
		return nil
	}
	var all []Decided
	for _, pair := range [][2]map[Decided]any{{was, is}, {is, was}} {
		for d, value := range pair[0] {
			there, ok := pair[1][d]
			if !ok || !reflect.DeepEqual(value, there) {
				all = append(all, d)
			}
		}
	}
	return all
}

// fieldsOfAll are the fields of all events of a record; with the Field "" that there is
// such an event.
func (m *Mapping) fieldsOfAll(record, lookups map[string]any) (map[Decided]any, error) {
	if err := m.requireLookups(record, lookups); err != nil {
		return nil, err
	}
	drafts, err := m.drafts(record, lookups, false)
	if err != nil {
		return nil, err
	}
	plant, err := m.Plant(record)
	if err != nil {
		return nil, err
	}
	needed, err := m.Lookups(record)
	if err != nil {
		return nil, err
	}
	all := map[Decided]any{{Field: "plant"}: plant}
	for _, l := range needed {
		all[Decided{Field: lookupsName + "/" + l.Name}] = l.Ref
	}
	for _, d := range drafts {
		of := Decided{Slot: d.Slot, Type: d.Type, Version: d.Version}
		all[of] = true
		for _, p := range partsOf(d) {
			of.Field = p.field
			all[of] = p.value
		}
		for _, l := range fieldsOf(d.Data) {
			of.Field = dataField + strings.Join(l.path, "/")
			all[of] = l.value
		}
	}
	return all, nil
}
