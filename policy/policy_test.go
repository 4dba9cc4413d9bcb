package policy

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"gopkg.in/yaml.v3"

	"github.com/gapless/gapless/fault"
)

// balance is a policy as it stands in a catalog.
const balance = `
policy: balance
title: Outputs stay within what was ordered
why: A slip of a digit at the terminal would fill the store with parts that do not exist.
"on": [production.completed]
reads: [state]
when: has(subject.ordered)
require: lessOrEqual(sum(event.data.outputs.map(o, o.quantity)), times(subject.ordered, "1.05"))
message: '"outputs of " + text(sum(event.data.outputs.map(o, o.quantity))) + " against " + text(subject.ordered) + " ordered"'
reason: policy_disputes
remedy: Count again and send a correction.
effect: dispute
field: data/outputs
cases:
  - name: five percent more than ordered
    event: {type: production.completed, subject: order/1, data: {outputs: [{quantity: {value: "100", unit: H87}}, {quantity: {value: "5", unit: H87}}]}}
    state: {order/1: {ordered: {value: "100", unit: H87}}}
    expect: pass
  - name: one part too many
    event: {type: production.completed, subject: order/1, data: {outputs: [{quantity: {value: "106", unit: H87}}]}}
    state: {order/1: {ordered: {value: "100", unit: H87}}}
    expect: stop
  - name: the order is not known yet
    event: {type: production.completed, subject: order/2, data: {outputs: []}}
    expect: skip
`

func read(t testing.TB, text string) Definition {
	t.Helper()
	var def Definition
	dec := yaml.NewDecoder(strings.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&def); err != nil {
		t.Fatal(err)
	}
	return def
}

func mustCompile(t testing.TB, def Definition) *Policy {
	t.Helper()
	p, err := Compile(def)
	if err != nil {
		t.Fatalf("Compile: %v", err)
	}
	return p
}

// requiring is a policy on lots with one condition. It declares what it reads.
func requiring(require string) Definition {
	def := Definition{
		Name: "p", Title: "Title", Why: "why", On: []string{"lot.*"}, Require: require,
		Message: `"stopped"`, Reason: "policy_forbids", Effect: Forbid,
	}
	if strings.Contains(require, "state") || strings.Contains(require, "subject") {
		def.Reads = append(def.Reads, "state")
	}
	if strings.Contains(require, "reference") {
		def.Reads = append(def.Reads, "reference")
	}
	return def
}

func object(t testing.TB, text string) map[string]any {
	t.Helper()
	dec := json.NewDecoder(bytes.NewReader([]byte(text)))
	dec.UseNumber()
	var m map[string]any
	if err := dec.Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m
}

func lot(t testing.TB, data string) Input {
	t.Helper()
	return Input{Event: object(t, `{"type": "lot.released", "data": `+data+`}`)}
}

func TestPolicyOfACatalogDoesWhatItsCasesSay(t *testing.T) {
	p := mustCompile(t, read(t, balance))
	if p.Stage() != InCommit || p.Effect() != Dispute || p.Name() != "balance" {
		t.Errorf("stage %s, effect %s, name %s", p.Stage(), p.Effect(), p.Name())
	}
	results := p.Test()
	if len(results) != 3 {
		t.Fatalf("%d results of 3 cases", len(results))
	}
	for _, r := range results {
		if !r.OK() {
			t.Errorf("%s: got %s, expected %s: %s", r.Name, r.Got, r.Expect, r.Verdict.Message)
		}
	}
	want := Verdict{
		Policy: "balance", Outcome: Stop, Effect: Dispute, Reason: "policy_disputes", Field: "data/outputs",
		Message: "outputs of 106 H87 against 100 H87 ordered", Remedy: "Count again and send a correction.",
	}
	if diff := cmp.Diff(want, results[1].Verdict); diff != "" {
		t.Error(diff)
	}
	if got := p.Uncovered(); len(got) != 0 {
		t.Errorf("uncovered: %v", got)
	}
}

func TestPolicyWithoutAPassingAndAStoppingCaseIsUncovered(t *testing.T) {
	def := requiring("event.data.ok == true")
	def.Cases = []Case{{Name: "skipped", Event: map[string]any{"type": "order.released"}, Expect: ExpectSkip}}
	p := mustCompile(t, def)
	if diff := cmp.Diff([]Expectation{ExpectPass, ExpectStop}, p.Uncovered()); diff != "" {
		t.Error(diff)
	}
}

func TestCaseThatCannotBeJudgedIsNotOK(t *testing.T) {
	def := requiring("event.data.ok == true")
	for _, e := range []Expectation{ExpectPass, ExpectStop, ExpectSkip} {
		def.Cases = append(def.Cases, Case{Name: string(e), Event: map[string]any{"type": "lot.released"}, Expect: e})
	}
	for _, r := range mustCompile(t, def).Test() {
		if r.OK() {
			t.Errorf("%s is OK with a missing field", r.Name)
		}
	}
}

func TestCompileTellsEveryFaultAtOnceWithItsPlace(t *testing.T) {
	_, err := Compile(Definition{
		Name: "Bad Name", On: []string{"lot*", "", "a..b", "lot.*"}, Effect: "block", Field: "data quantity",
		When: "event.x", Require: "event.data.a ==\n  wrong(1)", Message: "1 +",
		Cases: []Case{
			{Event: map[string]any{"n": 1.5}, Expect: "fail"},
			{Name: "a", Event: map[string]any{"type": "x"}, Expect: "pass"},
			{Name: "a", Event: map[string]any{"type": "x"}, Expect: "pass"},
		},
	})
	want := []string{
		`policy: "Bad Name" is no name`,
		"title: missing", "why: missing", "reason: missing",
		`effect: "block" is none of`,
		`on[0]: "lot*" is no event type`, `on[1]: ""`, `on[2]: "a..b"`,
		"field: ",
		"cases[0].name: missing", `cases[0].expect: "fail" is none of`, "cases[0].event.type: missing",
		"cases[0].event.n: the number 1.5 is read as a binary fraction",
		`cases[2].name: "a" stands here twice`,
		"when:1:6: gives dyn, not bool",
		"require:2:8: undeclared reference to 'wrong'",
		"message:1:4: Syntax error",
	}
	var got []string
	for line := range strings.SplitSeq(err.Error(), "\n") {
		got = append(got, line)
	}
	if len(got) != len(want) {
		t.Fatalf("%d faults, want %d:\n%v", len(got), len(want), err)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("fault %d is %q, want %q ...", i, got[i], want[i])
		}
	}
	var one *DefinitionError
	if !errors.As(err, &one) || one.Field != "policy" {
		t.Errorf("no *DefinitionError in %v", err)
	}
}

func TestCompileRefusesWhatPoliciesMustNotUse(t *testing.T) {
	for name, c := range map[string]struct{ require, want string }{
		"a number with a fraction":              {"event.data.a == 12.5", "require:1:17: a number with a fraction is not exact"},
		"a fraction inside a loop":              {"event.data.a.all(x, x < 0.5)", "require:1:25: a number with a fraction"},
		"a conversion to double":                {`double(event.data.a) < double("1")`, "require:1:7: double is not exact"},
		"the type double":                       {"type(event.data.a) == double", "there is no double"},
		"a wrapped double":                      {"google.protobuf.DoubleValue{} == event.data.a", "has no place in a policy"},
		"the clock":                             {"now() == event.data.a", "undeclared reference to 'now'"},
		"an unknown variable":                   {"data.a == 1", "undeclared reference to 'data'"},
		"a zone of the machine's tables":        {`timestamp(event.occurred.from).getHours("Europe/Vienna") > 5`, "a zone by name"},
		"a zone that is not known beforehand":   {"timestamp(event.occurred.from).getHours(event.zone) > 5", "a zone by name"},
		"decimal texts in the order of letters": {`event.data.quantity.value < "10"`, "would compare by its letters"},
		"equality of decimal texts":             {`event.data.quantity.value == "10.0"`, "use equal(a, b)"},
		"equality of decimals":                  {`sum(event.data.a) != sum(event.data.b)`, "require:1:19: decimals do not compare"},
		"equality of lists of decimals":         {`[sum(event.data.a)] == event.data.b`, "decimals do not compare"},
		"a decimal in a list":                   {`!(dec("1") in event.data.b)`, "decimals do not compare"},
		"a loop over a map written there":       {`[{"b": 1, "a": 2}].all(m, m.all(k, k != ""))`, "has no fixed order"},
		"equality of two values":                {"event.data.a.value != event.data.b.value", "use equal(a, b)"},
		"a loop variable that hides another":    {"event.data.a.all(event, event.b == 1)", "hides the variable"},
		"three loops in one another":            {"event.data.a.all(x, event.data.b.all(y, event.data.c.all(z, x + y == z)))", "take out loops inside loops"},
		"a condition that is a text":            {`"yes"`, "gives string, not bool"},
		"a broken regular expression":           {`event.type.matches("(")`, "invalid matches argument"},
		"a text past the limit":                 {strings.Repeat(" ", maxSource) + "true", "size exceeds limit"},
		"nesting past the limit":                {strings.Repeat("(", 200) + "true" + strings.Repeat(")", 200), "recursion limit"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Compile(requiring(c.require))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestReadsMustBeWhatTheExpressionsUse(t *testing.T) {
	for name, c := range map[string]struct {
		reads   []string
		require string
		want    string
	}{
		"state used and not declared":     {nil, "state.size() > 0", "reads: an expression uses state: add it"},
		"subject is state":                {nil, "has(subject.a)", "reads: an expression uses state: add it"},
		"reference used and not declared": {nil, "has(reference.a)", "reads: an expression uses reference: add it"},
		"declared and not used":           {[]string{"state"}, "has(event.a)", "reads[0]: no expression uses state"},
		"unknown":                         {[]string{"clock"}, "has(event.a)", `reads[0]: "clock" is none of`},
		"twice":                           {[]string{"state", "state"}, "has(subject.a)", "reads[1]: state stands here twice"},
	} {
		t.Run(name, func(t *testing.T) {
			def := requiring("true")
			def.Reads, def.Require = c.reads, c.require
			if _, err := Compile(def); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
}

func TestJudgeByTheValuesOfTheEvent(t *testing.T) {
	const kg = `{"value": "12.50", "unit": "KGM", "base": {"value": "12500", "unit": "GRM"}}`
	for name, c := range map[string]struct {
		require, data string
		want          Outcome
		message       string // part of the message of an error
	}{
		"a decimal text is compared by value":        {`less(event.data.q, event.data.r)`, `{"q": "9", "r": "12"}`, Pass, ""},
		"equal amounts are equal in any spelling":    {`equal(event.data.q.value, "12.5")`, `{"q": ` + kg + `}`, Pass, ""},
		"kilograms and tonnes meet in their base":    {`lessOrEqual(event.data.q, event.data.r)`, `{"q": ` + kg + `, "r": {"value": "1", "unit": "TNE", "base": {"value": "1000000", "unit": "GRM"}}}`, Pass, ""},
		"kilograms and tonnes without base do not":   {`lessOrEqual(event.data.q, event.data.r)`, `{"q": {"value": "1", "unit": "KGM"}, "r": {"value": "1", "unit": "TNE"}}`, Failed, "1 KGM and 1 TNE: units differ"},
		"a quantity is no plain number":              {`less(event.data.q, 100)`, `{"q": ` + kg + `}`, Failed, "units differ"},
		"zero is zero in every unit":                 {`less(0, event.data.q)`, `{"q": ` + kg + `}`, Pass, ""},
		"an empty list sums to zero":                 {`equal(sum(event.data.l), 0)`, `{"l": []}`, Pass, ""},
		"a sum keeps its unit":                       {`text(sum(event.data.l)) == "25 KGM"`, `{"l": [` + kg + `, ` + kg + `]}`, Pass, ""},
		"minus and isNegative":                       {`isNegative(minus(event.data.a, event.data.b))`, `{"a": "1", "b": "1.0000000000000000001"}`, Pass, ""},
		"a product that must be rounded":             {`isNegative(times(event.data.a, event.data.a))`, `{"a": "0.0000000001"}`, Failed, "would have to be rounded"},
		"a product of two quantities":                {`isNegative(times(event.data.q, event.data.q))`, `{"q": ` + kg + `}`, Failed, "must be a plain number"},
		"units as reported":                          {`sameUnit(event.data.q, event.data.r)`, `{"q": ` + kg + `, "r": {"value": "1", "unit": "TNE"}}`, Stop, ""},
		"units of plain numbers":                     {`sameUnit(event.data.q, "1")`, `{"q": ` + kg + `}`, Failed, "two quantities"},
		"dec does not drop a unit silently":          {`equal(dec(event.data.q), "12.5")`, `{"q": ` + kg + `}`, Failed, "dec takes a text"},
		"the kind of a reference":                    {`refKind(event.data.r) == "lot"`, `{"r": "lot/M-100/4711"}`, Pass, ""},
		"what is no reference has no kind":           {`refKind(event.data.r) == "lot"`, `{"r": "lot"}`, Failed, "is no reference"},
		"a whole JSON number is an integer":          {`event.data.n + 1 == 13`, `{"n": 12.0}`, Pass, ""},
		"a JSON number with a fraction is exact":     {`equal(plus(event.data.n, "0.2"), "0.3")`, `{"n": 0.1}`, Pass, ""},
		"a JSON number with an exponent":             {`event.data.n == 1000 && equal(event.data.m, "-0.00000012")`, `{"n": 1e3, "m": -1.2e-7}`, Pass, ""},
		"a JSON number out of range":                 {`event.data.n != 1`, `{"n": 1e400}`, Failed, "event/data/n: the number 1e400 is out of range"},
		"a list of numbers out of range":             {`event.data.n == [1]`, `{"n": [1e-30]}`, Failed, "event/data/n/0: "},
		"a text that is no number":                   {`less(event.data.q, 1)`, `{"q": "1,5"}`, Failed, `"1,5" is no decimal`},
		"a quantity without a unit":                  {`less(event.data.q, 1)`, `{"q": {"value": "1"}}`, Failed, "has no unit"},
		"a missing field is an error with its place": {"true &&\n  event.data.missing == 1", `{}`, Failed, "require:2:13: no such key: missing"},
		"the other type":                             {`event.data.a < 3`, `{"a": "2"}`, Failed, "no such overload"},
		"null is nothing":                            {`event.data.a == null && text(event.data.a) == "nothing"`, `{"a": null}`, Pass, ""},
		"a fixed zone":                               {`timestamp(event.data.t).getHours("+01:00") == 7`, `{"t": "2018-11-01T06:00:00Z"}`, Pass, ""},
	} {
		t.Run(name, func(t *testing.T) {
			v, applies := mustCompile(t, requiring(c.require)).Judge(lot(t, c.data))
			if !applies || v.Outcome != c.want || !strings.Contains(v.Message, c.message) {
				t.Errorf("got %+v, applies %t; want %s with %q", v, applies, c.want, c.message)
			}
			if v.Stops() == (c.want == Pass) {
				t.Errorf("outcome %s stops: %t", v.Outcome, v.Stops())
			}
		})
	}
}

func TestWhatIsNotExactJSONFailsEveryPolicy(t *testing.T) {
	for name, c := range map[string]struct {
		value any
		want  string
	}{
		"a float":           {1.0, "event/data/a: the number 1 arrived as a binary fraction"},
		"a float in a list": {[]any{int64(2), 1.5}, "event/data/a/1: the number 1.5"},
		"a struct":          {struct{}{}, "event/data/a: a struct {} is no value of JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			in := Input{Event: map[string]any{"type": "lot.released", "data": map[string]any{"a": c.value, "z": 0.5}}}
			for _, require := range []string{"event.data.a == 1", "event.data.a != 1", "event.data.a == [2, 1]", "!(2 in event.data.a)", "true"} {
				v, _ := mustCompile(t, requiring(require)).Judge(in)
				if v.Outcome != Failed || !strings.Contains(v.Message, c.want) {
					t.Errorf("%s: %+v", require, v)
				}
			}
		})
	}
}

func TestErrorInTheGuardStops(t *testing.T) {
	def := requiring("true")
	def.When = "event.data.missing == 1"
	v, applies := mustCompile(t, def).Judge(lot(t, "{}"))
	if !applies || v.Outcome != Failed || v.Reason != ReasonFailed || !strings.Contains(v.Message, "when:1:11: no such key") {
		t.Errorf("applies %t: %+v", applies, v)
	}
}

func TestReasonOfAFailedPolicyIsInTheClosedList(t *testing.T) {
	if fault.PolicyFailed.Code != ReasonFailed {
		t.Errorf("fault says %s, policy says %s", fault.PolicyFailed.Code, ReasonFailed)
	}
}

func TestMessageThatFailsStillStopsWithTheTitle(t *testing.T) {
	for message, want := range map[string]string{
		`event.data.missing`:               "",
		`"of " + text(event.data.missing)`: "Title (its message failed: message:1:24: no such key: missing)",
		`""`:                               "Title",
		`text(event.data.list)`:            "a, b, 3",
		`text(event.data.long)`:            strings.Repeat("ä", maxMessage) + " ...",
	} {
		def := requiring("false")
		def.Message = message
		p, err := Compile(def)
		if want == "" {
			if err == nil || !strings.Contains(err.Error(), "gives dyn, not string") {
				t.Errorf("%s: %v", message, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		v, _ := p.Judge(lot(t, `{"list": ["a", "b", 3], "long": "`+strings.Repeat("ä", 2000)+`"}`))
		if v.Outcome != Stop || v.Message != want {
			t.Errorf("%s: %s %q, want %q", message, v.Outcome, v.Message, want)
		}
	}
}

func TestLongListIsNamedInPart(t *testing.T) {
	def := requiring("false")
	def.Message = `text(event.data.l)`
	elements := strings.TrimSuffix(strings.Repeat("1,", 25), ",")
	v, _ := mustCompile(t, def).Judge(lot(t, `{"l": [`+elements+`]}`))
	if want := strings.TrimSuffix(strings.Repeat("1, ", 20), ", ") + " and 5 more"; v.Message != want {
		t.Errorf("got %q", v.Message)
	}
}

func TestCostBombIsStopped(t *testing.T) {
	rows := make([]any, 10_000)
	for i := range rows {
		rows[i] = json.Number(strconv.Itoa(i))
	}
	in := Input{Event: map[string]any{"type": "lot.released", "data": map[string]any{"rows": rows}}}
	nested := mustCompile(t, requiring("event.data.rows.all(x, event.data.rows.all(y, x + y >= 0))"))
	v, _ := nested.Judge(in)
	if v.Outcome != Failed || !strings.Contains(v.Message, "require: stopped after 100000 units of cost") {
		t.Errorf("nested loops: %+v", v)
	}
	doubling := mustCompile(t, requiring(`event.data.rows.map(x, event.data.rows.map(y, [x, y])).size() > 0`))
	if v, _ := doubling.Judge(in); v.Outcome != Failed {
		t.Errorf("a list of lists: %+v", v)
	}
	once := mustCompile(t, requiring("event.data.rows.all(x, x >= 0)"))
	if v, _ := once.Judge(in); v.Outcome != Pass {
		t.Errorf("one look at each row: %+v", v)
	}
	summed := mustCompile(t, requiring("equal(sum(event.data.rows), 49995000)"))
	if v, _ := summed.Judge(in); v.Outcome != Pass {
		t.Errorf("one sum: %+v", v)
	}
}

func TestLoopOverAMapIsInTheOrderOfItsKeys(t *testing.T) {
	def := requiring("false")
	def.Message = `text(event.data.m.map(k, k))+ " " + text(state.map(k, k)) + " " + text([event.data].map(d, d.m.map(k, k))[0])`
	def.Reads = []string{"state"}
	p := mustCompile(t, def)
	for range 50 {
		in := lot(t, `{"m": {"d": 1, "a": 1, "c": 1, "b": 1}}`)
		in.State = map[string]map[string]any{"lot/2": nil, "lot/1": nil, "lot/3": nil}
		v, _ := p.Judge(in)
		if v.Message != "a, b, c, d lot/1, lot/2, lot/3 a, b, c, d" {
			t.Fatal(v.Message)
		}
	}
}

func TestPolicyJudgesManyEventsAtOnce(t *testing.T) {
	p := mustCompile(t, requiring(`(event.data.n < 5 || event.data.n.getHours() > 1 || false) && event.data.l.all(x, x >= 0)`))
	ok, stop, broken := lot(t, `{"n": 1, "l": [1]}`), lot(t, `{"n": 1, "l": [-1]}`), lot(t, `{"n": "x", "l": [1]}`)
	set, err := NewSet([]*Policy{p})
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 200 {
				for _, c := range []struct {
					in   Input
					want Outcome
				}{{ok, Pass}, {stop, Stop}, {broken, Failed}} {
					if v := set.Judge(BeforeQueue, c.in); len(v) != 1 || v[0].Outcome != c.want {
						t.Errorf("got %+v, want %s", v, c.want)
					}
				}
			}
		})
	}
	wg.Wait()
}

func TestChangingTheDefinitionAfterwardsChangesNothing(t *testing.T) {
	def := requiring("event.data.ok == true")
	data := map[string]any{"ok": true}
	def.Cases = []Case{{Name: "c", Event: map[string]any{"type": "lot.released", "data": data}, Expect: ExpectPass}}
	p := mustCompile(t, def)
	data["ok"], def.On[0], def.Cases[0].Expect = false, "order.*", ExpectStop
	if r := p.Test(); !r[0].OK() {
		t.Errorf("%+v", r[0])
	}
}

func TestSetChoosesByTypeAndStage(t *testing.T) {
	policies := []struct {
		name, require string
		on            []string
	}{
		{"c-all", "true", []string{"*"}},
		{"b-lots", "true", []string{"lot.*", "lot.released"}},
		{"a-release", "true", []string{"lot.released"}},
		{"d-state", "has(subject.x)", []string{"lot.released"}},
		{"e-lottery", "true", []string{"lottery.*"}},
	}
	var compiled []*Policy
	for _, p := range policies {
		def := requiring(p.require)
		def.Name, def.On = p.name, p.on
		compiled = append(compiled, mustCompile(t, def))
	}
	set, err := NewSet(compiled)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		eventType string
		stage     Stage
		want      []string
	}{
		{"lot.released", BeforeQueue, []string{"a-release", "b-lots", "c-all"}},
		{"lot.released", InCommit, []string{"d-state"}},
		{"lot", BeforeQueue, []string{"c-all"}},
		{"lot.status.changed", BeforeQueue, []string{"b-lots", "c-all"}},
		{"order.released", InCommit, nil},
	} {
		for range 2 { // the second answer is the remembered one
			var got []string
			for _, p := range set.For(c.eventType, c.stage) {
				got = append(got, p.Name())
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("%s %s: %s", c.eventType, c.stage, diff)
			}
		}
	}
	if _, err := NewSet(append(compiled, compiled[0])); err == nil || !strings.Contains(err.Error(), "c-all") {
		t.Errorf("two of one name: %v", err)
	}
}

func TestSetReportsPassesAndLeavesOutWhatDoesNotApply(t *testing.T) {
	guarded := requiring("false")
	guarded.Name, guarded.When = "guarded", "event.data.n > 5"
	passing := requiring("event.data.n > 0")
	passing.Name = "passing"
	set, err := NewSet([]*Policy{mustCompile(t, guarded), mustCompile(t, passing)})
	if err != nil {
		t.Fatal(err)
	}
	got := set.Judge(BeforeQueue, lot(t, `{"n": 1}`))
	want := []Verdict{{Policy: "passing", Outcome: Pass, Effect: Forbid}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if empty, err := NewSet(nil); err != nil || empty.Judge(InCommit, lot(t, "{}")) != nil {
		t.Error("an empty set judges")
	}
}

func TestSetRemembersABoundedNumberOfTypes(t *testing.T) {
	set, err := NewSet([]*Policy{mustCompile(t, requiring("true"))})
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 * maxCachedTypes {
		set.For(fmt.Sprintf("lot.x%d", i), BeforeQueue)
	}
	if n := len(set.cache); n > maxCachedTypes {
		t.Errorf("%d types remembered", n)
	}
	if got := set.For("lot.last", BeforeQueue); len(got) != 1 {
		t.Errorf("past the bound: %d policies", len(got))
	}
}

// Whoever leaves out the counting must be sure what it would have counted.
func TestWhatIsEvaluatedWithoutCountingCostsLittleOnTheLargestOrdinaryEvent(t *testing.T) {
	long := strings.Repeat("x", ordinarySize)
	row := map[string]any{"role": long, "material": long, "quantity": map[string]any{"value": "12.5", "unit": "KGM"}}
	rows, state := make([]any, ordinarySize), map[string]map[string]any{}
	for i := range rows {
		rows[i] = row
		state[fmt.Sprint("lot/", i)] = map[string]any{"status": long}
	}
	in := Input{State: state, Event: map[string]any{"type": "lot.released", "plant": long, "data": map[string]any{"outputs": rows, "gross": row["quantity"]}}}
	for _, require := range []string{
		`equal(event.data.gross, sum(event.data.outputs.filter(o, o.role != "by").map(o, o.quantity)))`,
		`event.data.outputs.all(o, o.role == event.plant && !(o.material in state))`,
		`event.data.outputs.all(o, o.role + o.material + text(o.quantity) != event.plant)`,
		`text(event.data.outputs.map(o, o.material)) + event.plant != ""`,
		`state.all(s, state[s].status == event.plant && refKind(s) == "lot")`,
		`!event.plant.matches("^y+$") && event.plant.contains("x")`,
	} {
		x := mustCompile(t, requiring(require)).require
		vars := in.variables()
		if !vars.ordinary {
			t.Fatal("the event is not ordinary")
		}
		counted, details, err := x.program.Eval(vars)
		if err != nil {
			t.Fatalf("%s: %v", require, err)
		}
		cost := details.ActualCost()
		if x.uncounted == nil {
			t.Logf("%s: counted, %d", require, *cost)
			continue
		}
		if *cost > UncountedLimit {
			t.Errorf("%s costs %d", require, *cost)
		}
		if free, _, err := x.uncounted.Eval(vars); err != nil || free != counted {
			t.Errorf("%s: %v, %v without counting, %v with", require, free, err, counted)
		}
	}
	for name, event := range map[string]map[string]any{
		"a long text":   {"subject": long + "x"},
		"a long number": {"n": json.Number(strings.Repeat("1", ordinarySize+1))},
		"a long list":   {"data": map[string]any{"outputs": slices.Concat(rows, []any{row})}},
	} {
		if (&Input{Event: event}).variables().ordinary {
			t.Errorf("%s is ordinary", name)
		}
	}
	if p := mustCompile(t, requiring(`event.data.outputs.all(x, event.data.outputs.all(y, x.role == y.role))`)); p.require.uncounted != nil {
		t.Error("a loop within a loop is not counted")
	}
}
