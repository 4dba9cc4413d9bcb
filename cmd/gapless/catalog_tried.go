package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gapless/gapless/api"
	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/mapping"
	"github.com/gapless/gapless/policy"
)

// A triedView is the JSON form of a trial, in the words of the API.
type triedView struct {
	System    string        `json:"system"`
	Message   string        `json:"message"`
	Revision  string        `json:"revision"`
	Passes    bool          `json:"passes"`  // nothing would be held or forbidden
	Held      int           `json:"held"`    // records
	Waiting   int           `json:"waiting"` // records that are not held, with an identifier that nothing resolves
	Forbidden int           `json:"forbidden"`
	Disputed  int           `json:"disputed"` // events, as the next
	Events    int           `json:"events"`
	Records   []triedRecord `json:"records"`
}

type triedRecord struct {
	Record    int            `json:"record"`
	Identity  string         `json:"identity,omitempty"`
	Plant     string         `json:"plant,omitempty"`
	Exception *api.FaultView `json:"exception,omitempty"` // why there are no events
	Events    []triedEvent   `json:"events"`
	Unused    []string       `json:"unused,omitempty"` // fields that no event is made of
}

type triedEvent struct {
	Event      map[string]any    `json:"event"` // in the JSON form of CloudEvents 1.0
	Slot       string            `json:"slot"`
	Exceptions []*api.FaultView  `json:"exceptions,omitempty"`
	Verdicts   []api.VerdictView `json:"verdicts,omitempty"`
	Facts      []api.FactView    `json:"facts,omitempty"`
	Relations  []event.Relation  `json:"relations,omitempty"`
	StandIns   []string          `json:"stand_ins,omitempty"` // local identifiers that nothing resolves
	Fields     []api.FieldView   `json:"fields"`

	source *catalog.TriedEvent // for people, who read it in another form
}

// held says whether the record would be held as a whole.
func (r *triedRecord) held() bool {
	return r.Exception != nil || slices.ContainsFunc(r.Events, func(e triedEvent) bool { return len(e.Exceptions) > 0 })
}

// waits says whether the record would wait for a cross-reference.
func (r *triedRecord) waits() bool {
	return slices.ContainsFunc(r.Events, func(e triedEvent) bool { return len(e.StandIns) > 0 })
}

func trialOf(t *catalog.Trial, m *catalog.Message, revision string) triedView {
	v := triedView{System: m.System, Message: m.Definition.Message, Revision: revision, Passes: t.OK(), Records: make([]triedRecord, len(t.Records))}
	for i := range t.Records {
		r := &t.Records[i]
		v.Records[i] = recordOf(r, m)
		switch {
		case v.Records[i].held():
			v.Held++
		case v.Records[i].waits():
			v.Waiting++
		}
		for j := range r.Events {
			v.Events++
			switch {
			case r.Events[j].Stopped():
				v.Forbidden++
			case disputed(r.Events[j].Verdicts):
				v.Disputed++
			}
		}
	}
	return v
}

func disputed(all []policy.Verdict) bool {
	return slices.ContainsFunc(all, func(v policy.Verdict) bool { return v.Stops() && v.Effect == policy.Dispute })
}

func recordOf(r *catalog.TriedRecord, m *catalog.Message) triedRecord {
	v := triedRecord{Record: r.Number, Identity: r.Identity, Plant: r.Plant, Exception: faultOf(r.Fault), Events: make([]triedEvent, len(r.Events))}
	for i := range r.Events {
		v.Events[i] = eventOf(&r.Events[i], r.Explanations)
	}
	if r.Fault == nil {
		v.Unused = unusedOf(r, m.Definition.Volatile)
	}
	return v
}

// unusedOf are the fields of a record that decide nothing of what is made of it.
// What a column says is lost where nobody maps it, and nobody notices.
func unusedOf(r *catalog.TriedRecord, volatile []string) []string {
	used := map[string]bool{}
	for _, field := range volatile { // said to say nothing
		name, _, _ := strings.Cut(field, ".")
		used[name] = true
	}
	for _, x := range r.Explanations {
		for _, source := range x.Sources {
			name, _, _ := strings.Cut(source, "/")
			used[name] = true
		}
	}
	var unused []string
	for _, name := range slices.Sorted(maps.Keys(r.Record)) {
		if top, _, _ := strings.Cut(name, "/"); r.Record[name] != nil && !used[top] {
			unused = append(unused, name)
		}
	}
	return unused
}

func eventOf(e *catalog.TriedEvent, explanations []mapping.Explanation) triedEvent {
	v := triedEvent{
		Event: e.CloudEvent(), Slot: e.Slot, Relations: e.Relations, StandIns: e.StandIns, Fields: fieldsOf(e, explanations),
		source: e,
	}
	for _, f := range e.Faults {
		v.Exceptions = append(v.Exceptions, faultOf(f))
	}
	for _, judged := range e.Verdicts {
		v.Verdicts = append(v.Verdicts, api.VerdictView{
			Policy: judged.Policy, Outcome: string(judged.Outcome), Effect: string(judged.Effect), Reason: judged.Reason,
			Field: judged.Field, Message: judged.Message, Remedy: judged.Remedy,
		})
	}
	for _, f := range e.Facts {
		v.Facts = append(v.Facts, api.FactView{
			Measure: f.Measure, Material: string(f.Material), Lot: string(f.Lot), Order: string(f.Order), Operation: string(f.Operation),
			WorkCenter: string(f.WorkCenter), Equipment: string(f.Equipment), Reason: f.Reason,
			Quantity: api.QuantityView{Value: f.Quantity.Value.String(), Unit: f.Quantity.Unit},
			Base:     api.QuantityView{Value: f.Base.Value.String(), Unit: f.Base.Unit}, Factor: f.Factor,
		})
	}
	return v
}

func faultOf(f *fault.Fault) *api.FaultView {
	if f == nil {
		return nil
	}
	return &api.FaultView{
		Reason: f.Reason.Code, Class: string(f.Reason.Class), Title: f.Reason.Title, Field: f.Field, Ref: string(f.Ref),
		Detail: f.Explanation(), Remedy: f.Reason.Remedy,
	}
}

// fieldsOf are the explanations of an event's fields.
func fieldsOf(e *catalog.TriedEvent, explanations []mapping.Explanation) []api.FieldView {
	fields := []api.FieldView{}
	for _, x := range explanations {
		if x.Slot != e.Slot || x.Type != e.Type {
			continue
		}
		fields = append(fields, api.FieldView{
			Slot: x.Slot, Type: x.Type, Target: x.Field, Value: x.In(e.Data), Sources: x.Sources, Place: x.Place, Line: x.Line, Expression: x.Expression,
		})
	}
	return fields
}

// maxTroubled is how many records are shown because something stands against
// them, once those that are shown in full are.
const maxTroubled = 20

func (c *cli) writeTrial(v triedView, shown int) {
	w := screen{c.out}
	left, troubled := 0, 0
	for i := range v.Records {
		r := &v.Records[i]
		switch {
		case shown == 0 || i < shown:
		case r.held() && troubled < maxTroubled:
			troubled++
		default:
			left++
			continue
		}
		r.write(w)
	}
	if left > 0 {
		fmt.Fprintf(w, "%s not shown; see --records\n\n", plural(left, "record"))
	}
	fmt.Fprintln(c.out, v.summary())
}

func (v triedView) summary() string {
	parts := []string{fmt.Sprintf("%s, %s", plural(len(v.Records), "record"), plural(v.Events, "event"))}
	for _, p := range []struct {
		n    int
		text string
	}{{v.Held, "held"}, {v.Waiting, "waiting"}, {v.Forbidden, "forbidden"}, {v.Disputed, "disputed"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.text))
		}
	}
	if len(parts) == 1 {
		parts = append(parts, "nothing stands against it")
	}
	text := strings.Join(parts, ", ")
	if unused := v.unused(); len(unused) > 0 {
		text += "; nothing is made of " + strings.Join(unused, ", ")
	}
	return text
}

// unused are the fields that no event of any record is made of.
func (v triedView) unused() []string {
	var all []string
	for i := range v.Records {
		all = append(all, v.Records[i].Unused...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (r *triedRecord) write(w screen) {
	fmt.Fprintf(w, "record %d", r.Record)
	if r.Plant != "" {
		fmt.Fprintf(w, " of plant %s", r.Plant)
	}
	if r.Identity != "" {
		fmt.Fprintf(w, ", identified by %s", r.Identity)
	}
	fmt.Fprint(w, "\n\n")
	for i := range r.Events {
		r.Events[i].write(w)
	}
	if r.Exception != nil {
		writeException(w, r.Exception)
		fmt.Fprintln(w)
	}
	if len(r.Unused) > 0 {
		fmt.Fprintf(w, "  nothing is made of: %s\n\n", strings.Join(r.Unused, ", "))
	}
	if r.Exception == nil && len(r.Events) == 0 {
		fmt.Fprint(w, "  no event: the mapping has nothing to say about it\n\n")
	}
}

func (e *triedEvent) write(w screen) {
	fmt.Fprintf(w, "  %s v%d, slot %s\n", e.source.Type, e.source.Version, e.Slot)
	fmt.Fprintf(w, "    %-9s %s\n", "about", e.source.Subject)
	fmt.Fprintf(w, "    %-9s %s\n", "happened", e.happened())
	for _, r := range e.Relations {
		fmt.Fprintf(w, "    %-9s %s: %s to %s\n", "relation", r.Kind, r.From, r.To)
	}
	for _, f := range e.source.Facts {
		fmt.Fprintf(w, "    %-9s %s\n", "figure", figureText(f))
	}
	for _, name := range e.StandIns {
		fmt.Fprintf(w, "    %-9s %s is unknown; a stand-in takes its place here, a hub waits for its cross-reference\n", "waits", name)
	}
	e.writeVerdicts(w)
	t := newTable("field", "value", "from", "by")
	for _, f := range e.Fields {
		place := ""
		if f.Line > 0 {
			place = fmt.Sprintf("%s:%d", f.Place, f.Line)
		}
		t.add(f.Target, shortText(f.Value), strings.Join(f.Sources, ", "), place)
	}
	fmt.Fprintln(w)
	t.write(w, "    ")
	fmt.Fprintln(w)
	for _, x := range e.Exceptions {
		writeException(w, x)
		fmt.Fprintln(w)
	}
}

// happened is when it happened, by the plant's own clock.
func (e *triedEvent) happened() string {
	const layout = "2006-01-02 15:04:05 -07:00"
	from, to := e.source.Occurred.From, e.source.Occurred.To
	text := from.Format(layout)
	if !to.Equal(from) {
		text += " to " + to.Format(layout)
	}
	if e.source.Day != "" {
		text += ", production day " + e.source.Day
	}
	if e.source.Shift != "" {
		text += ", shift " + e.source.Shift
	}
	return text
}

func figureText(f event.Fact) string {
	parts := []string{f.Measure, f.Quantity.String()}
	if f.Base.Unit != f.Quantity.Unit {
		parts = append(parts, "=", f.Base.String())
	}
	for _, part := range []struct{ of, value string }{{"of", string(f.Material)}, {"of", string(f.Lot)}, {"for", f.Reason}} {
		if part.value != "" {
			parts = append(parts, part.of, part.value)
		}
	}
	return strings.Join(parts, " ")
}

func (e *triedEvent) writeVerdicts(w screen) {
	passed := 0
	for _, v := range e.Verdicts {
		if v.Outcome == string(policy.Pass) {
			passed++
			continue
		}
		text := v.Message // of one that could not be judged it says which
		if v.Outcome == string(policy.Stop) {
			text = fmt.Sprintf("%s %ss: %s", v.Policy, v.Effect, v.Message)
		}
		remedy := v.Remedy
		if reason := fault.ByCode(v.Reason); remedy == "" && reason != nil {
			remedy = reason.Remedy
		}
		fmt.Fprintf(w, "    %-9s %s\n    %-9s %s\n    %-9s reason %s\n", "policy", text, "", remedy, "", v.Reason)
	}
	if passed > 0 {
		fmt.Fprintf(w, "    %-9s %d passed\n", "policies", passed)
	}
}

func writeException(w screen, f *api.FaultView) {
	text := f.Title
	if f.Field != "" {
		text += " (" + f.Field + ")"
	}
	if f.Ref != "" {
		text += " [" + f.Ref + "]"
	}
	if f.Detail != "" {
		text += ": " + f.Detail
	}
	fmt.Fprintf(w, "  held: %s\n    %s\n    reason %s\n", text, f.Remedy, f.Reason)
}

// maxShown is how many characters of a value are shown.
const maxShown = 60

func shortText(value any) string {
	text, isText := value.(string)
	if !isText {
		b, err := json.Marshal(value)
		if err != nil {
			return err.Error()
		}
		text = string(b)
	}
	if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
		return at.Format("2006-01-02T15:04:05Z07:00")
	}
	if runes := []rune(text); len(runes) > maxShown {
		return string(runes[:maxShown]) + "..."
	}
	return text
}
