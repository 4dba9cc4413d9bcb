package mapping

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gapless/gapless/fault"
)

// An Explanation says of one field of one event where its value comes from.
type Explanation struct {
	Slot       string   `json:"slot"`
	Type       string   `json:"type"`
	Field      string   `json:"field"`      // "data/outputs/0/quantity/value", "subject", "occurred/from"
	Value      any      `json:"value"`      // a plain JSON value, or a marker, see LocalRef
	Sources    []string `json:"sources"`    // fields of the record or of lookups that decide it: "poNote", "lookups/bill/kg"
	Place      string   `json:"place"`      // of the expression in the definition: "events[0].map"
	Line       int      `json:"line"`       // in that text, from 1; 0 where nothing is written for it
	Expression string   `json:"expression"` // the assignment as written; every branch of an if that assigns it
}

// In is the value as the event carries it: for a marker what the data of the event
// holds in its place, the ref once it is resolved.
func (x *Explanation) In(data map[string]any) any {
	path, inData := strings.CutPrefix(x.Field, dataField)
	if _, _, marker := LocalRef(x.Value); !marker || !inData {
		return x.Value
	}
	return at(data, strings.Split(path, "/"))
}

const (
	explainOp = "mapping.Explain"

	dataField = "data/" // before the path of a field of the data

	// maxExplained bounds the plain values of a record, since the mapping is asked
	// twice for each.
	maxExplained = 1000
)

// Explain tells for every field of every event that Apply makes which source
// fields decide it. It does not read the expressions for that but asks the
// mapping again with each source field absent, and again with another value of
// the same shape: a field that changes, vanishes or can no longer be made
// depends on it. An assignment is made or fails as a whole, so a field that only
// one part of an object needs is a source of all of it. A field that chooses the
// reference data of a lookup decides what is read from that lookup.
func (m *Mapping) Explain(record, lookups map[string]any) ([]Explanation, error) {
	if _, err := m.Apply(record, lookups); err != nil {
		return nil, err
	}
	drafts, err := m.drafts(record, lookups, false)
	if err != nil {
		return nil, err
	}
	leaves := leavesOf(record)
	if len(lookups) > 0 {
		leaves = append(leaves, leavesOf(map[string]any{lookupsName: lookups})...)
	}
	if len(leaves) > maxExplained {
		return nil, fault.New(explainOp, fault.LimitExceeded, "", "the record has %d values, %d can be explained", len(leaves), maxExplained)
	}
	x := &explainer{Mapping: m, record: record, given: lookups}
	for _, d := range drafts {
		x.targets = append(x.targets, x.targetsOf(d)...)
	}
	for _, l := range leaves {
		if err := x.ask(l); err != nil {
			return nil, err
		}
	}
	if err := x.followLookups(leaves); err != nil {
		return nil, err
	}
	explanations := make([]Explanation, len(x.targets))
	for i, t := range x.targets {
		explanations[i] = t.explanation
		explanations[i].Sources = slices.Sorted(maps.Keys(t.sources))
	}
	return explanations, nil
}

// A targetField is one field of one event, while its sources are looked for.
type targetField struct {
	explanation Explanation
	expression  *expression // nil for the identity of the message
	statements  []int       // of the expression, that assign it
	sources     map[string]bool
}

type explainer struct {
	*Mapping
	record, given map[string]any // given are the lookups
	targets       []*targetField
}

// targetsOf lists the fields of an event in a fixed order.
func (x *explainer) targetsOf(d *draft) []*targetField {
	var targets []*targetField
	add := func(e *expression, field string, value any) {
		t := &targetField{
			expression: e, sources: map[string]bool{},
			explanation: Explanation{Slot: d.Slot, Type: d.Type, Field: field, Value: value},
		}
		if e != nil {
			t.explanation.Place, t.explanation.Line, t.explanation.Expression = e.field, 1, strings.TrimSpace(e.source)
		}
		if e != nil && e == d.rule.data {
			t.assigned(strings.Split(strings.TrimPrefix(field, dataField), "/"))
		}
		targets = append(targets, t)
	}
	for _, part := range partsOf(d) {
		add(part.expression, part.field, part.value)
	}
	for _, l := range fieldsOf(d.Data) {
		add(d.rule.data, dataField+strings.Join(l.path, "/"), l.value)
	}
	return targets
}

// fieldsOf are the fields of an event's data in the order of their paths. A
// marker is one: what it stands for is one value.
func fieldsOf(data map[string]any) []leaf {
	var fields []leaf
	for _, l := range leavesOf(data) {
		if last := len(l.path) - 2; last > 0 && l.path[last] == LocalKey {
			path := l.path[:last]
			if marker := at(data, path); isMarker(marker) {
				l = leaf{path, marker}
			}
		}
		if n := len(fields); n > 0 && slices.Equal(fields[n-1].path, l.path) {
			continue // the other half of a marker
		}
		fields = append(fields, l)
	}
	return fields
}

func isMarker(value any) bool {
	_, _, ok := LocalRef(value)
	return ok
}

// A part is a field of an event outside its data.
type part struct {
	expression *expression
	field      string
	value      any
}

func partsOf(d *draft) []part {
	to := d.rule.to
	if to == nil {
		to = d.rule.from
	}
	all := []part{
		{d.rule.identity, "identity", d.Identity},
		{d.rule.subject, "subject", d.Subject},
		{d.rule.from, "occurred/from", d.Occurred.From.Format(time.RFC3339Nano)},
		{to, "occurred/to", d.Occurred.To.Format(time.RFC3339Nano)},
		{d.rule.correlation, "correlation", d.Correlation},
		{d.rule.causation, "causation", d.Causation},
		{d.rule.sequence, "sequence", d.Sequence},
	}
	return slices.DeleteFunc(all, func(p part) bool { return p.value == "" })
}

// assigned finds the assignments of a field of the data: those with the longest
// target that holds it. Several are branches of an if.
func (t *targetField) assigned(path []string) {
	longest := -1
	for i, s := range t.expression.statements {
		if s.name != "" || len(s.target) > len(path) || !slices.Equal(s.target, path[:len(s.target)]) || len(s.target) < longest {
			continue
		}
		if len(s.target) > longest || s.within == s.line {
			longest, t.statements = len(s.target), nil
		}
		t.statements = append(t.statements, i)
	}
	t.explanation.Line, t.explanation.Expression = 0, ""
	var texts []string
	for _, i := range t.statements {
		s := t.expression.statements[i]
		texts = append(texts, s.text)
		t.explanation.Line = s.line
		if len(t.statements) > 1 {
			t.explanation.Line = s.within
		}
	}
	t.explanation.Expression = strings.Join(texts, "\n")
}

// ask makes the events again without a source value and with another one.
func (x *explainer) ask(l leaf) error {
	for _, other := range []struct {
		value  any
		remove bool
	}{{nil, true}, {alter(l.value), false}} {
		record, lookups := x.record, x.given
		if l.path[0] == lookupsName {
			lookups = with(lookups, l.path[1:], other.value, other.remove)
		} else {
			record = with(record, l.path, other.value, other.remove)
		}
		drafts, err := x.drafts(record, lookups, true)
		if err != nil {
			return err
		}
		x.compare(strings.Join(l.path, "/"), l.path, drafts)
	}
	return nil
}

// compare notes the source for every target that is not what it was.
func (x *explainer) compare(source string, path []string, drafts []*draft) {
	bySlot := make(map[string]*draft, len(drafts))
	values := make(map[string]map[string]any, len(drafts))
	for _, d := range drafts {
		bySlot[d.Slot] = d
		values[d.Slot] = map[string]any{}
		for _, p := range partsOf(d) {
			values[d.Slot][p.field] = p.value
		}
		for _, l := range fieldsOf(d.Data) {
			values[d.Slot][dataField+strings.Join(l.path, "/")] = l.value
		}
	}
	for _, t := range x.targets {
		d := bySlot[t.explanation.Slot]
		if d == nil || t.depends(d, values[t.explanation.Slot], path) {
			t.sources[source] = true
		}
	}
}

// depends says whether the target is another one, or cannot be made any more.
func (t *targetField) depends(d *draft, values map[string]any, path []string) bool {
	for _, fail := range d.failed {
		if fail.expression == t.expression {
			return t.fails(fail, path)
		}
	}
	value, ok := values[t.explanation.Field]
	if !ok && t.skipped(d) {
		return false
	}
	return !ok || !reflect.DeepEqual(value, t.explanation.Value)
}

// skipped says whether the target was not made because another part failed
// before it: when about to end before it begins, or an identity after a subject.
func (t *targetField) skipped(d *draft) bool {
	for _, fail := range d.failed {
		for _, group := range [][]*expression{
			{d.rule.from, d.rule.to},
			{d.rule.subject, d.rule.identity},
			{d.rule.correlation, d.rule.causation, d.rule.sequence},
		} {
			if fail.expression != nil && t.expression != nil && slices.Contains(group, fail.expression) && slices.Contains(group, t.expression) {
				return true
			}
		}
	}
	return false
}

// fails says whether the target is among what failed: the whole of an
// expression; of assignments those of the failing statement, those that read a
// variable that it sets, and, as nothing behind it was tried, those that read the
// source field by name.
func (t *targetField) fails(fail *failure, path []string) bool {
	e := t.expression
	if len(e.statements) == 0 || fail.line == 0 {
		return true
	}
	touched := map[string]bool{}
	for i, s := range e.statements {
		hit := s.within == fail.line || e.statementReads(s, touched, path)
		if hit && s.name != "" {
			touched[s.name] = true
		}
		if hit && slices.Contains(t.statements, i) {
			return true
		}
	}
	return false
}

// statementReads says whether a statement reads one of the variables, or the
// field by name or as part of an object that it reads.
func (e *expression) statementReads(s statement, variables map[string]bool, path []string) bool {
	for i := s.start; i < s.end; i++ {
		t := e.tokens[i]
		if t.kind == variable && variables[strings.TrimPrefix(t.text, "$")] {
			return true
		}
		if !t.is("this") || t.rebind {
			continue
		}
		if p, _ := readPath(e.tokens, i); len(p.names) > 0 && len(p.names) <= len(path) && slices.Equal(p.names, path[:len(p.names)]) {
			return true
		}
	}
	return false
}

// followLookups adds to what is read from a lookup the fields that choose it.
func (x *explainer) followLookups(leaves []leaf) error {
	before, err := x.needs(x.record)
	if err != nil || len(before) == 0 {
		return err
	}
	for _, l := range leaves {
		if l.path[0] == lookupsName {
			continue
		}
		for _, record := range []map[string]any{with(x.record, l.path, nil, true), with(x.record, l.path, alter(l.value), false)} {
			after, err := x.needs(record)
			if err != nil {
				return err
			}
			for i, needed := range before {
				if after[i] != needed {
					x.addThrough(lookupsName+"/"+x.Mapping.lookups[i].name, strings.Join(l.path, "/"))
				}
			}
		}
	}
	return nil
}

// needs is what every lookup of the mapping needs; the zero Lookup where it
// does not apply or cannot be told.
func (x *explainer) needs(record map[string]any) ([]Lookup, error) {
	sc, err := newScope(explainOp, record, nil)
	if err != nil {
		return nil, err
	}
	needs := make([]Lookup, len(x.Mapping.lookups))
	for i, l := range x.Mapping.lookups {
		if need, applies, fail := l.need(sc); fail == nil && applies {
			needs[i] = need
		}
	}
	return needs, nil
}

// addThrough adds a source to every target that depends on a lookup.
func (x *explainer) addThrough(lookup, source string) {
	for _, t := range x.targets {
		for known := range t.sources {
			if strings.HasPrefix(known, lookup+"/") {
				t.sources[source] = true
				break
			}
		}
	}
}

// alter gives another value of the same shape: the last digit, else the last
// letter, is another one.
func alter(value any) any {
	switch v := value.(type) {
	case bool:
		return !v
	case json.Number:
		return json.Number(alterText(v.String()))
	case string:
		return alterText(v)
	default:
		return "0"
	}
}

func alterText(text string) string {
	b := []byte(text)
	for i := len(b) - 1; i >= 0; i-- {
		if c := b[i]; c >= '0' && c <= '9' {
			b[i] = otherIn(c, '9')
			return string(b)
		}
	}
	for i := len(b) - 1; i >= 0; i-- {
		switch c := b[i]; {
		case c >= 'a' && c <= 'z':
			b[i] = otherIn(c, 'z')
			return string(b)
		case c >= 'A' && c <= 'Z':
			b[i] = otherIn(c, 'Z')
			return string(b)
		}
	}
	return text + "x"
}

// otherIn is the next character of a range, or the one before at its end.
func otherIn(c, last byte) byte {
	if c == last {
		return c - 1
	}
	return c + 1
}

// with copies an object with one value changed or removed; an element of a list
// becomes null, so that the others stay in their places.
func with(object map[string]any, path []string, value any, remove bool) map[string]any {
	copied, _ := changed(object, path, value, remove).(map[string]any)
	return copied
}

func changed(from any, path []string, value any, remove bool) any {
	if len(path) == 0 {
		return value
	}
	switch v := from.(type) {
	case map[string]any:
		copied := maps.Clone(v)
		if len(path) == 1 && remove {
			delete(copied, path[0])
			return copied
		}
		copied[path[0]] = changed(v[path[0]], path[1:], value, remove)
		return copied
	case []any:
		copied := slices.Clone(v)
		if i, err := strconv.Atoi(path[0]); err == nil && i < len(copied) {
			copied[i] = changed(v[i], path[1:], value, remove)
		}
		return copied
	default:
		return from
	}
}
