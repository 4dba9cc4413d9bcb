package mapping

import (
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/format"
)

// A Case is an example in a mapping file: a message, and the events or the fault
// that it must give.
type Case struct {
	Name    string          `yaml:"name"`
	Message map[string]any  `yaml:"message"` // a decoded record, or
	Raw     string          `yaml:"raw"`     // the message as sent, of one or more records
	Kind    format.Kind     `yaml:"kind"`    // of Raw; "" where the mapping has one format
	Lookups map[string]any  `yaml:"lookups"` // bodies of reference data by name
	Events  []ExpectedEvent `yaml:"events"`  // all of them, in their order; none with Fault
	Echo    *Echo           `yaml:"echo"`    // of the last record; not compared where it is left out
	Fault   *ExpectedFault  `yaml:"fault"`
}

// An ExpectedEvent is compared in the parts that it gives; Slot and Type always.
type ExpectedEvent struct {
	Slot        string         `yaml:"slot"`
	Type        string         `yaml:"type"`
	Version     int            `yaml:"version"`
	Identity    string         `yaml:"identity"`
	Subject     string         `yaml:"subject"`
	Occurred    ExpectedSpan   `yaml:"occurred"`
	Correlation string         `yaml:"correlation"`
	Causation   string         `yaml:"causation"`
	Sequence    string         `yaml:"sequence"`
	Data        map[string]any `yaml:"data"` // all of the data
}

// An ExpectedSpan is RFC 3339; To "" is not compared.
type ExpectedSpan struct {
	From string `yaml:"from"`
	To   string `yaml:"to"`
}

// An ExpectedFault is a reason, and the field it names.
type ExpectedFault struct {
	Reason string `yaml:"reason"`
	Field  string `yaml:"field"` // "" is not compared
}

// A CaseResult is what came out of one case.
type CaseResult struct {
	Name        string
	Differences []string // what came out otherwise than expected, one a line; none where it is as expected
}

// OK says whether the mapping did what the case expects.
func (r CaseResult) OK() bool { return len(r.Differences) == 0 }

// Test runs the mapping's cases in their order.
func (m *Mapping) Test() []CaseResult {
	results := make([]CaseResult, 0, len(m.def.Cases))
	for _, c := range m.def.Cases {
		results = append(results, CaseResult{Name: c.Name, Differences: m.run(c)})
	}
	return results
}

func (m *Mapping) run(c Case) []string {
	records, err := m.recordsOf(c)
	if err != nil {
		return []string{"the message cannot be read: " + err.Error()}
	}
	var outputs []Output
	var echo Echo
	for _, record := range records {
		made, err := m.take(record, c.Lookups)
		if err == nil {
			echo, err = m.Echo(record)
		}
		if err != nil {
			return compareFault(c.Fault, err)
		}
		outputs = append(outputs, made...)
	}
	if c.Fault != nil {
		return []string{fmt.Sprintf("fault %s is expected, it gave %d events", c.Fault.Reason, len(outputs))}
	}
	return append(compareEvents(c.Events, outputs), compareEcho(c.Echo, echo)...)
}

// take does with a record what is done with one that is sent.
func (m *Mapping) take(record, lookups map[string]any) ([]Output, error) {
	if _, err := m.Identify(record); err != nil {
		return nil, err
	}
	if _, err := m.Digest(record); err != nil {
		return nil, err
	}
	if _, err := m.Plant(record); err != nil {
		return nil, err
	}
	return m.Apply(record, lookups)
}

// recordsOf are the records of a case's message.
func (m *Mapping) recordsOf(c Case) ([]map[string]any, error) {
	if c.Raw == "" {
		return []map[string]any{c.Message}, nil
	}
	spec, _ := m.Format(c.Kind)
	if c.Kind == "" {
		spec = m.def.Format
	}
	var records []map[string]any
	for record, err := range format.Split(spec, []byte(c.Raw), format.Limits{}) {
		if err != nil {
			return nil, err
		}
		records = append(records, record.Value)
	}
	return records, nil
}

func compareFault(expected *ExpectedFault, err error) []string {
	got := fault.Of(err)
	switch {
	case got == nil:
		return []string{err.Error()}
	case expected == nil:
		return []string{fmt.Sprintf("events are expected, it gave the fault %s: %s", got.Reason, got.Text())}
	case expected.Reason != got.Reason.Code:
		return []string{fmt.Sprintf("fault %s is expected, it gave %s: %s", expected.Reason, got.Reason, got.Text())}
	case expected.Field != "" && expected.Field != got.Field:
		return []string{fmt.Sprintf("fault %s is expected for field %q, it names %q: %s", expected.Reason, expected.Field, got.Field, got.Text())}
	}
	return nil
}

func compareEvents(expected []ExpectedEvent, outputs []Output) []string {
	var want, got []string
	for _, e := range expected {
		want = append(want, e.Slot+" "+e.Type)
	}
	for _, o := range outputs {
		got = append(got, o.Slot+" "+o.Type)
	}
	if !slices.Equal(want, got) {
		return []string{fmt.Sprintf("expected events: %s; it gave: %s", named(want), named(got))}
	}
	var differences []string
	for i, e := range expected {
		differences = append(differences, e.compare(outputs[i])...)
	}
	return differences
}

func named(items []string) string {
	if len(items) == 0 {
		return "none"
	}
	return strings.Join(items, ", ")
}

// compare lists what is otherwise than expected.
func (e ExpectedEvent) compare(o Output) []string {
	var differences []string
	differ := func(field string, want, got any) {
		differences = append(differences, fmt.Sprintf("slot %s, %s: %v is expected, it gave %v", e.Slot, field, want, got))
	}
	if e.Version != 0 && e.Version != o.Version {
		differ("version", e.Version, o.Version)
	}
	for _, part := range []struct{ field, want, got string }{
		{"identity", e.Identity, o.Identity},
		{"subject", e.Subject, o.Subject},
		{"correlation", e.Correlation, o.Correlation},
		{"causation", e.Causation, o.Causation},
		{"sequence", e.Sequence, o.Sequence},
	} {
		if part.want != "" && part.want != part.got {
			differ(part.field, part.want, part.got)
		}
	}
	for _, moment := range []struct {
		field, want string
		got         time.Time
	}{{"occurred/from", e.Occurred.From, o.Occurred.From}, {"occurred/to", e.Occurred.To, o.Occurred.To}} {
		want, err := time.Parse(time.RFC3339, moment.want)
		if moment.want != "" && (err != nil || !want.Equal(moment.got)) {
			differ(moment.field, moment.want, moment.got.Format(time.RFC3339Nano))
		}
	}
	if e.Data != nil {
		compareValues("data", e.Data, o.Data, differ)
	}
	return differences
}

// compareValues reports every leaf that differs; numbers compare by value.
func compareValues(field string, want, got any, differ func(field string, want, got any)) {
	w, wantObject := want.(map[string]any)
	g, gotObject := got.(map[string]any)
	if wantObject && gotObject {
		names := sortedKeys(w)
		for _, name := range sortedKeys(g) {
			if _, ok := w[name]; !ok {
				names = append(names, name)
			}
		}
		for _, name := range names {
			compareMember(field+"/"+name, w, g, name, differ)
		}
		return
	}
	wl, wantList := want.([]any)
	gl, gotList := got.([]any)
	if wantList && gotList && len(wl) == len(gl) {
		for i := range wl {
			compareValues(field+"/"+strconv.Itoa(i), wl[i], gl[i], differ)
		}
		return
	}
	a, errA := event.Canonical(want)
	b, errB := event.Canonical(got)
	if errA != nil || errB != nil || !reflect.DeepEqual(a, b) {
		differ(field, show(want), show(got))
	}
}

func compareMember(field string, want, got map[string]any, name string, differ func(field string, want, got any)) {
	w, wantOK := want[name]
	g, gotOK := got[name]
	switch {
	case !wantOK:
		differ(field, "nothing", show(g))
	case !gotOK:
		differ(field, show(w), "nothing")
	default:
		compareValues(field, w, g, differ)
	}
}

func show(value any) string {
	b, err := event.Canonical(value)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// caseName checks that a case says what it shows, and none says it twice.
func (c *compiler) caseName(name, path string, seen map[string]bool) {
	switch {
	case strings.TrimSpace(name) == "":
		c.report(path+".name", "missing: say what the case shows")
	case seen[name]:
		c.report(path+".name", "%.80q stands here twice", name)
	}
	seen[name] = true
}

// cases checks the cases and gives copies in JSON form.
func (c *compiler) cases(cases []Case) []Case {
	checked := slices.Clone(cases)
	names := map[string]bool{}
	for i := range checked {
		example, path := &checked[i], fmt.Sprintf("cases[%d]", i)
		c.caseName(example.Name, path, names)
		c.caseMessage(example, path)
		c.caseExpectation(example, path)
	}
	return checked
}

func (c *compiler) caseMessage(example *Case, path string) {
	switch {
	case (example.Raw == "") == (example.Message == nil):
		c.report(path+".message", "give the decoded record as message, or the text as sent as raw: one of the two")
	case example.Kind != "" && example.Raw == "":
		c.report(path+".kind", "is only for raw: leave it out")
	case example.Kind == format.XLSX:
		c.report(path+".kind", "a workbook is no text: give the record as message")
	}
	example.Message = c.plainMap(example.Message, path+".message")
	example.Lookups = c.plainMap(example.Lookups, path+".lookups")
}

func (c *compiler) caseExpectation(example *Case, path string) {
	if example.Fault != nil {
		if len(example.Events) > 0 {
			c.report(path+".fault", "events are given as well: a message is atomic, keep one of the two")
		}
		if fault.ByCode(example.Fault.Reason) == nil {
			c.report(path+".fault.reason", "%.80q is no reason: see docs/reasons.md", example.Fault.Reason)
		}
	}
	example.Events = slices.Clone(example.Events)
	for j := range example.Events {
		e, at := &example.Events[j], fmt.Sprintf("%s.events[%d]", path, j)
		if e.Slot == "" || e.Type == "" {
			c.report(at, "slot and type are missing: they say which event is meant")
		}
		c.caseMoment(at+".occurred.from", e.Occurred.From)
		c.caseMoment(at+".occurred.to", e.Occurred.To)
		e.Data = c.plainMap(e.Data, at+".data")
	}
}

func (c *compiler) caseMoment(field, text string) {
	if _, err := time.Parse(time.RFC3339, text); text != "" && err != nil {
		c.report(field, "%.60q is no time such as 2018-11-01T06:00:00+07:00", text)
	}
}

// plainMap copies what a YAML reader made into what a JSON reader would have
// made of the same record; nil stays nil.
func (c *compiler) plainMap(m map[string]any, path string) map[string]any {
	if m == nil {
		return nil
	}
	copied := make(map[string]any, len(m))
	for _, name := range sortedKeys(m) {
		copied[name] = c.plainValue(m[name], path+"."+name)
	}
	return copied
}

func (c *compiler) plainValue(value any, path string) any {
	switch v := value.(type) {
	case nil, bool, string, json.Number:
		return v
	case int:
		return json.Number(strconv.Itoa(v))
	case int64:
		return json.Number(strconv.FormatInt(v, 10))
	case uint64:
		return json.Number(strconv.FormatUint(v, 10))
	case map[string]any:
		return c.plainMap(v, path)
	case []any:
		copied := make([]any, len(v))
		for i, item := range v {
			copied[i] = c.plainValue(item, fmt.Sprintf("%s[%d]", path, i))
		}
		return copied
	default:
		c.report(path, "a %T is nothing that a record holds: put it in quotes", value)
		return nil
	}
}
