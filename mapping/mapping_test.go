package mapping

import (
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// shiftReport is the mapping of a made-up moulding plant.
const shiftReport = `
message: shift-report
system: moulding-mes
title: Shift report
plant: moulding
format:
  kind: csv
  columns: [recordDate, workingShift, machineNo, itemCode, itemGoodQuantity, itemTotalQuantity]
identity: [recordDate, workingShift, machineNo, "?poNote"]
on-change: correction
volatile: [exportedAt]
lookups:
  bill: {reference: 'ref("specification", this.itemCode)', when: 'this.resinLot != null'}
occurred: {from: 'shift_from(this.recordDate, this.workingShift)', to: 'shift_to(this.recordDate, this.workingShift)'}
events:
  - slot: output
    type: production.completed
    version: 1
    when: 'this.poNote != null'
    subject: 'ref("order", this.poNote)'
    map: |
      # what the shift made
      root.order = ref("order", this.poNote)
      root.work_center = ref("work-center", "moulding", this.machineNo)
      let good = quantity(this.itemGoodQuantity, "H87")
      root.outputs = [{
        "role": "main",
        "material": local("material", this.itemCode),
        "quantity": $good
      }]
      root.rejected = [this.blackSpot | 0, this.scratch | 0].sum()
      if this.colour != null {
        root.colour = code("colour", this.colour)
      }
  - slot: scrap/{key}
    type: scrap.declared
    version: 1
    when: 'this.each.value.is_more(0)'
    each: '{"black-spot": this.blackSpot | 0, "scratch": this.scratch | 0}'
    map: |
      root.reason = this.each.key
      root.quantity = quantity(this.each.value, "H87")
  - slot: resin
    type: material.consumed
    version: 1
    when: 'this.resinLot != null && this.itemTotalQuantity.is_more(0)'
    map: |
      root.lot = ref("lot", this.lookups.bill.resin, this.resinLot.trim())
      root.quantity = quantity(this.itemTotalQuantity.times(this.lookups.bill.per_ten_thousand).divided_by(10000, 6), unit(this.lookups.bill.unit))
cases:
  - name: a shift with rejects
    message: &row {recordDate: "2018-11-01", workingShift: "1", machineNo: "04", poNote: PO-1, itemCode: M-1,
      itemTotalQuantity: "110", itemGoodQuantity: "103", blackSpot: "7", colour: BK, resinLot: " AB 1 "}
    lookups: {bill: {resin: R-9, per_ten_thousand: "31.92", unit: kg}}
    events:
      - slot: output
        type: production.completed
        version: 1
        identity: '["2018-11-01","1","04","PO-1"]'
        subject: order/PO-1
        occurred: {from: "2018-11-01T06:00:00+07:00", to: "2018-11-01T14:00:00+07:00"}
        data:
          order: order/PO-1
          work_center: work-center/moulding/04
          outputs: [{role: main, material: {$local: {kind: material, id: M-1}}, quantity: {value: "103", unit: H87}}]
          rejected: "7"
          colour: black
      - slot: scrap/black-spot
        type: scrap.declared
        data: {reason: black-spot, quantity: {value: "7", unit: H87}}
      - slot: resin
        type: material.consumed
        data: {lot: lot/R-9/AB%201, quantity: {value: "0.35112", unit: KGM}}
  - name: the text as it is sent
    raw: |
      recordDate,workingShift, machineNo ,itemCode,itemGoodQuantity,itemTotalQuantity
      2018-11-01,1,04,,,
    events: []
  - name: a row without a quantity
    message: {recordDate: "2018-11-01", workingShift: "1", machineNo: "04", poNote: PO-1, itemCode: M-1}
    fault: {reason: field_missing, field: itemGoodQuantity}
`

// plant is an environment as the catalog hands it in.
func plant(tb testing.TB) Environment {
	tb.Helper()
	zone := time.FixedZone("", 7*3600)
	kinds := map[string]int{"order": 1, "material": 1, "lot": 2, "work-center": 2, "specification": 1, "bom": 1}
	codes := map[string]string{"colour/BK": "black", "unit/kg": "KGM", "unit/pcs": "H87"}
	return Environment{
		Codes:  func(list, local string) (string, bool) { code, ok := codes[list+"/"+local]; return code, ok },
		Kinds:  func(kind string) (int, bool) { n, ok := kinds[kind]; return n, ok },
		Zone:   zone,
		Shifts: func(string) []string { return []string{"1", "2", "3"} },
		Calendar: func(day, shift string) (from, to time.Time, ok bool) {
			date, err := time.ParseInLocation(dayLayout, day, zone)
			n := strings.Index("123", shift)
			if err != nil || n < 0 || len(shift) != 1 {
				return from, to, false
			}
			from = date.Add(time.Duration(6+8*n) * time.Hour)
			return from, from.Add(8 * time.Hour), true
		},
	}
}

func vienna(tb testing.TB) *time.Location {
	tb.Helper()
	zone, err := time.LoadLocation("Europe/Vienna")
	if err != nil {
		tb.Fatal(err)
	}
	return zone
}

func definition(tb testing.TB, text string) Definition {
	tb.Helper()
	var def Definition
	decoder := yaml.NewDecoder(strings.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&def); err != nil {
		tb.Fatal(err)
	}
	return def
}

func mustCompile(tb testing.TB, def Definition) *Mapping {
	tb.Helper()
	m, err := Compile(def, plant(tb))
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

// single is a mapping of one output with this map.
func single(text string) Definition {
	return Definition{
		Message: "report", System: "graz-mes", Identity: []string{"id"},
		Occurred: OccurredDefinition{From: `"2026-01-02T06:00:00+01:00"`},
		Events:   []OutputDefinition{{Slot: "good", Type: "production.completed", Version: 1, Map: text}},
	}
}

// apply makes the data of a mapping of one output; text is the JSON of the record.
func apply(tb testing.TB, text, record string) (map[string]any, error) {
	tb.Helper()
	outputs, err := mustCompile(tb, single(text)).Apply(object(tb, record), nil)
	if err != nil {
		return nil, err
	}
	if len(outputs) != 1 {
		tb.Fatalf("%d outputs", len(outputs))
	}
	return outputs[0].Data, nil
}

// object reads JSON as intake does.
func object(tb testing.TB, text string) map[string]any {
	tb.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var v map[string]any
	if err := decoder.Decode(&v); err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	return v
}

func TestAMappingMeetsItsOwnCases(t *testing.T) {
	results := mustCompile(t, definition(t, shiftReport)).Test()
	if len(results) != 3 {
		t.Fatalf("%d results", len(results))
	}
	for _, r := range results {
		if !r.OK() {
			t.Errorf("%s: %s", r.Name, strings.Join(r.Differences, "\n"))
		}
	}
}

func TestExpressionsGiveExactJSONValues(t *testing.T) {
	tests := []struct{ name, expression, record, want string }{
		{"decimals add without binary noise", `this.a.plus(this.b)`, `{"id":"1","a":"0.1","b":"0.2"}`, `"0.3"`},
		{"numbers and texts are amounts alike", `this.a.plus(this.b)`, `{"id":"1","a":0.1,"b":" 0.2 "}`, `"0.3"`},
		{"a literal is the number that was written", `this.a.times(0.001)`, `{"id":"1","a":"3"}`, `"0.003"`},
		{"nineteen digits survive", `this.a.minus(1)`, `{"id":"1","a":"9007199254740993.000000001"}`, `"9007199254740992.000000001"`},
		{"division rounds once, half to even", `this.a.divided_by(8, 2)`, `{"id":"1","a":"1"}`, `"0.12"`},
		{"division of a negative rounds half to even too", `this.a.divided_by(8, 2)`, `{"id":"1","a":"-3"}`, `"-0.38"`},
		{"rounding is half to even", `this.a.round_to(0)`, `{"id":"1","a":"2.5"}`, `"2"`},
		{"a quantity can be added to", `quantity(this.a, "KGM").plus(1)`, `{"id":"1","a":"2.50"}`, `"3.5"`},
		{"a list is summed exactly", `[this.a, this.b, 1].sum()`, `{"id":"1","a":"0.1","b":0.2}`, `"1.3"`},
		{"a count becomes a number", `this.a.integer()`, `{"id":"1","a":"4.0"}`, `4`},
		{"a number of the record stays as it came", `this.a`, `{"id":"1","a":31.919999999999998}`, `31.919999999999998`},
		{"amounts compare by value", `[this.a.is_equal(5), this.a.is_more("4.99"), this.a.is_less(5)]`, `{"id":"1","a":"5.0"}`, `[true,true,false]`},
		{"texts are joined", `"a" + this.a + "-" + this.a`, `{"id":"1","a":"x"}`, `"ax-x"`},
		{"a number is joined when it is said to be text", `this.a.string() + "x"`, `{"id":"1","a":12.50}`, `"12.50x"`},
		{"a name with a blank is quoted", `this."po note".trim()`, `{"id":"1","po note":" P "}`, `"P"`},
		{"a length is compared", `this.a.length() > 1 && this.a.length() == 2`, `{"id":"1","a":[1,2]}`, `true`},
		{"an object is listed by its keys", `this.a.key_values().map_each(x -> x.key + "=" + x.value.string())`, `{"id":"1","a":{"z":1,"b":"2"}}`, `["b=2","z=1"]`},
		{"values come by the keys", `this.a.values()`, `{"id":"1","a":{"z":1,"b":2}}`, `[2,1]`},
		{"a quantity keeps its digits", `quantity(this.a, "KGM")`, `{"id":"1","a":"0.120"}`, `{"unit":"KGM","value":"0.12"}`},
		{"a quantity is rounded where digits are given", `quantity(this.a, "KGM", 3)`, `{"id":"1","a":31.919999999999998}`, `{"unit":"KGM","value":"31.92"}`},
		{"a unit is translated", `quantity(this.a, unit("kg"))`, `{"id":"1","a":1}`, `{"unit":"KGM","value":"1"}`},
		{"a ref is encoded", `ref("lot", this.m, this.l)`, `{"id":"1","m":4711,"l":" A/1 "}`, `"lot/4711/A%2F1"`},
		{"a local identifier is marked", `local("material", this.m)`, `{"id":"1","m":"4711"}`, `{"$local":{"id":"4711","kind":"material"}}`},
		{"a day is read off a time", `day_of(this.t)`, `{"id":"1","t":"2018-11-01T23:59:00"}`, `"2018-11-01"`},
		{"a local time gets the plant's offset", `time_of(this.t, "DD.MM.YYYY hh:mm")`, `{"id":"1","t":"01.11.2018 06:30"}`, `"2018-11-01T06:30:00+07:00"`},
		{"a case is chosen", `match this.s { "A" => 1, _ => 2 }`, `{"id":"1","s":"A"}`, `1`},
		{"what is not assigned is nothing, not the record", `if this.s == "B" { 1 }`, `{"id":"1","s":"A"}`, ``},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			data, err := apply(t, "root.x = "+tt.expression, tt.record)
			if err != nil {
				t.Fatal(err)
			}
			got := ""
			if x, ok := data["x"]; ok {
				got = show(x)
				if n, isNumber := x.(json.Number); isNumber {
					got = n.String()
				}
			}
			if got != tt.want {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func TestAFaultNamesReasonFieldAndPlace(t *testing.T) {
	tests := []struct {
		name, text, record string
		reason             *fault.Reason
		field, detail      string
	}{
		{
			"an argument that is absent", "root.a = 1\nroot.o = ref(\"order\", this.poNote)", `{"id":"1"}`,
			fault.FieldMissing, "poNote", "slot good, events[0].map line 2: the field is absent or empty",
		},
		{"an argument that is empty", `root.o = ref("order", this.poNote)`, `{"id":"1","poNote":" "}`, fault.FieldMissing, "poNote", ""},
		{"the second of two arguments", `root.o = ref("lot", this.m, this.head.lot)`, `{"id":"1","m":"1","head":{}}`, fault.FieldMissing, "head/lot", ""},
		{"what a library method is called on", `root.o = this.poNote.uppercase()`, `{"id":"1"}`, fault.FieldMissing, "poNote", ""},
		{"what our method is called on", `root.o = this.a.plus(this.b)`, `{"id":"1","b":"1"}`, fault.FieldMissing, "a", ""},
		{"the argument of our method", `root.o = this.a.plus(this.b)`, `{"id":"1","a":"1"}`, fault.FieldMissing, "b", ""},
		{"the operand of a join", `root.o = "x" + this.b`, `{"id":"1","a":"1"}`, fault.FieldMissing, "b", ""},
		{"a list that is absent", `root.o = this.lines.map_each(x -> x.a)`, `{"id":"1"}`, fault.FieldMissing, "lines", ""},
		{"a field of an element", `root.o = this.lines.map_each(x -> ref("order", x.po))`, `{"id":"1","lines":[{}]}`, fault.FieldMissing, "po", ""},
		{"a field of the record within a loop", `root.o = this.lines.map_each(x -> ref("order", this.po))`, `{"id":"1","lines":[{}]}`, fault.FieldMissing, "po", ""},
		{
			"a code that no list has", `root.o = code("colour", this.colour)`, `{"id":"1","colour":"RD","other":"RD"}`,
			fault.CodeUnknown, "colour", `list colour has no code for "RD" of system graz-mes`,
		},
		{"a code that is computed, by its value", `root.o = code("colour", this.colour.uppercase())`, `{"id":"1","colour":"RD"}`, fault.CodeUnknown, "colour", ""},
		{
			"a code that two fields hold, by what the assignment reads", `root.o = [code("colour", this.a.trim()), this.other].sort()`,
			`{"id":"1","a":"RD","b":"RD","other":"x"}`, fault.CodeUnknown, "a", "",
		},
		{"a code that two fields hold and both are read", `root.o = code("colour", (this.a + "").trim()) + this.b`, `{"id":"1","a":"RD","b":"RD"}`, fault.CodeUnknown, "", ""},
		{"a segment that is an object", `root.o = ref("order", this.o)`, `{"id":"1","o":{}}`, fault.MappingFailed, "", "ref takes text, not an object"},
		{"an amount that is a list", `root.o = this.o.plus(1)`, `{"id":"1","o":[]}`, fault.MappingFailed, "", "plus takes a number, not a list"},
		{"a fraction where a count is meant", `root.o = this.o.integer()`, `{"id":"1","o":"1.5"}`, fault.MappingFailed, "", "1.5 is no whole number"},
		{"digits beyond a decimal", `root.o = this.o.round_to(20)`, `{"id":"1","o":"1.5"}`, fault.MappingFailed, "", "0 up to 19 digits"},
		{"a sum with a gap", `root.o = this.o.sum()`, `{"id":"1","o":["1",null]}`, fault.FieldMissing, "o/1", ""},
		{"a sum of fields with a gap", `root.o = [this.a, this.b].sum()`, `{"id":"1","a":"1"}`, fault.FieldMissing, "b", ""},
		{"a loop over an object", `root.o = this.o.filter(x -> true)`, `{"id":"1","o":{}}`, fault.MappingFailed, "", ".key_values()"},
		{"a local identifier that is absent", `root.o = local("material", this.o)`, `{"id":"1"}`, fault.FieldMissing, "o", ""},
		{"a unit that is absent", `root.o = quantity(1, this.o)`, `{"id":"1","o":""}`, fault.FieldMissing, "o", ""},
		{"a unit that no list has", `root.o = unit(this.u)`, `{"id":"1","u":"ea"}`, fault.CodeUnknown, "u", `list unit has no code for "ea"`},
		{"an amount that is no number", `root.o = quantity(this.q, "KGM")`, `{"id":"1","q":"1,5"}`, fault.QuantityInvalid, "q", `"1,5"`},
		{"a number with binary noise", `root.o = quantity(this.q, "KGM")`, `{"id":"1","q":31.919999999999998}`, fault.QuantityInexact, "q", "round_to"},
		{"a ref of control characters", `root.o = ref("order", this.o)`, `{"id":"1","o":"a\u0001b"}`, fault.RefInvalid, "o", ""},
		{"a kind that is computed and unknown", `root.o = ref(this.k, "1")`, `{"id":"1","k":"wagon"}`, fault.RefKindUnknown, "", `"wagon"`},
		{"a shift that the calendar has not", `root.o = shift_from("2018-11-01", this.s)`, `{"id":"1","s":"9"}`, fault.MappingFailed, "s", `no shift "9" on the day 2018-11-01: its shifts are 1, 2, 3`},
		{"a shift of a day that is none", `root.o = shift_from(this.d, "1")`, `{"id":"1","d":"01.11.2018"}`, fault.TimeInvalid, "d", `"01.11.2018" is no day such as 2018-11-01`},
		{"a shift that is not said", `root.o = shift_to("2018-11-01", this.s)`, `{"id":"1","s":" "}`, fault.FieldMissing, "s", "absent or empty"},
		{"a shift of a day that is not said", `root.o = shift_to(this.d, "1")`, `{"id":"1","d":""}`, fault.FieldMissing, "d", "absent or empty"},
		{"a day that is none", `root.o = day_of(this.d)`, `{"id":"1","d":"43405"}`, fault.TimeInvalid, "d", "43405"},
		{"what the author throws", `root.o = if this.a == null { throw("no a") }`, `{"id":"1"}`, fault.MappingFailed, "", "no a"},
		{"a condition that is no bool", `root.o = if this.a { 1 }`, `{"id":"1","a":"yes"}`, fault.MappingFailed, "", "non-boolean"},
		{
			"an assignment in an if, by the line of the if", "root.a = 1\nif this.b == null {\n  root.o = ref(\"order\", this.po)\n}", `{"id":"1"}`,
			fault.FieldMissing, "po", "line 2",
		},
		{"data that is no object", `root = "x"`, `{"id":"1"}`, fault.MappingFailed, "", "an object is expected"},
		{"data that is deleted", `root = deleted()`, `{"id":"1"}`, fault.MappingFailed, "", "when"},
		{"division by zero", `root.o = this.a.divided_by(0, 2)`, `{"id":"1","a":"1"}`, fault.MappingFailed, "", "division by zero"},
		{"a product of too many digits", `root.o = this.a.times(this.a)`, `{"id":"1","a":"0.0000000000001"}`, fault.QuantityInvalid, "a", ""},
		{"reserved names", `root.o = 1`, `{"id":"1","each":1}`, fault.MappingFailed, "each", "reserved"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := apply(t, tt.text, tt.record)
			f := fault.Of(err)
			if f == nil {
				t.Fatalf("got %v", err)
			}
			if f.Reason != tt.reason || f.Field != tt.field || !strings.Contains(f.Explanation(), tt.detail) {
				t.Errorf("got %s, field %q: %s", f.Reason, f.Field, f.Explanation())
			}
			for _, noise := range []string{"failed assignment", "json.Number", "function '", "extract input arg", "interface {}", "method list"} {
				if strings.Contains(f.Explanation(), noise) {
					t.Errorf("%q is noise: %s", noise, f.Explanation())
				}
			}
		})
	}
}

func TestEachGivesOneEventPerItem(t *testing.T) {
	def := single("root.q = this.each.q")
	def.Events[0].Slot, def.Events[0].Each = "line/{no}", "this.lines"
	m := mustCompile(t, def)
	t.Run("in the order of a list", func(t *testing.T) {
		outputs, err := m.Apply(object(t, `{"id":"1","lines":[{"no":20,"q":"b"},{"no":"10","q":"a"}]}`), nil)
		if err != nil {
			t.Fatal(err)
		}
		if outputs[0].Slot != "line/20" || outputs[1].Slot != "line/10" || outputs[1].Data["q"] != "a" {
			t.Errorf("%+v", outputs)
		}
	})
	for name, tt := range map[string]struct {
		lines  string
		reason *fault.Reason
		detail string
	}{
		"a slot that two items share is a fault": {`[{"no":1},{"no":"1"}]`, fault.MappingFailed, `slot "line/1"`},
		"an item without its part is a fault":    {`[{"no":1},{}]`, fault.MappingFailed, "braces"},
		"no list is a fault":                     {`null`, fault.FieldMissing, "absent"},
		"a text is a fault":                      {`"x"`, fault.MappingFailed, "a list or an object is expected"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := m.Apply(object(t, `{"id":"1","lines":`+tt.lines+`}`), nil)
			if f := fault.Of(err); f == nil || f.Reason != tt.reason || !strings.Contains(f.Explanation(), tt.detail) {
				t.Errorf("got %v", err)
			}
		})
	}
	t.Run("a fault names the place in the list", func(t *testing.T) {
		def.Events[0].Map = "root.o = ref(\"order\", this.each.po)"
		_, err := mustCompile(t, def).Apply(object(t, `{"id":"1","lines":[{"no":1,"po":"1"},{"no":2}]}`), nil)
		if f := fault.Of(err); f == nil || f.Field != "lines/1/po" {
			t.Errorf("got %v", err)
		}
	})
}

func TestIdentityTellsMessagesApart(t *testing.T) {
	def := single("root.a = 1")
	def.Identity = []string{"day", "head.no", "?po"}
	m := mustCompile(t, def)
	identify := func(t *testing.T, record string) string {
		t.Helper()
		id, err := m.Identify(object(t, record))
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	t.Run("as a JSON array of texts", func(t *testing.T) {
		if got := identify(t, `{"day":" 2018-11-01","head":{"no":4}}`); got != `["2018-11-01","4",""]` {
			t.Errorf("got %s", got)
		}
	})
	t.Run("a number is the same by file and by HTTP", func(t *testing.T) {
		if a, b := identify(t, `{"day":"1","head":{"no":4.0}}`), identify(t, `{"day":"1","head":{"no":"4"}}`); a != b {
			t.Errorf("%s and %s", a, b)
		}
	})
	t.Run("parts do not run into each other", func(t *testing.T) {
		if a, b := identify(t, `{"day":"1\",\"2","head":{"no":"3"}}`), identify(t, `{"day":"1","head":{"no":"2\",\"3"}}`); a == b {
			t.Errorf("both are %s", a)
		}
	})
	for name, record := range map[string]string{
		"an absent field is named":     `{"day":"1"}`,
		"an empty field is absent":     `{"day":"1","head":{"no":" "}}`,
		"an object identifies nothing": `{"day":"1","head":{"no":{}}}`,
	} {
		t.Run(name, func(t *testing.T) {
			_, err := m.Identify(object(t, record))
			if f := fault.Of(err); !errors.Is(err, fault.IDMissing) || f.Field != "head/no" {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestDigestIsOfTheContent(t *testing.T) {
	def := single("root.a = 1")
	def.Volatile = []string{"exportedAt", "head.printed"}
	m := mustCompile(t, def)
	digest := func(record string) string {
		d, err := m.Digest(object(t, record))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	base := digest(`{"id":"1","q":"5","head":{"a":"x"}}`)
	for name, tt := range map[string]struct {
		record string
		same   bool
	}{
		"volatile fields do not count":     {`{"id":"1","q":"5","exportedAt":"today","head":{"a":"x","printed":true}}`, true},
		"a number counts as its text":      {`{"id":"1","q":5.0,"head":{"a":"x"}}`, true},
		"null is absent":                   {`{"id":"1","q":"5","r":null,"head":{"a":"x"}}`, true},
		"another value is another content": {`{"id":"1","q":"6","head":{"a":"x"}}`, false},
		"leading zeros of a code count":    {`{"id":"1","q":"05","head":{"a":"x"}}`, false},
		"a field more is another content":  {`{"id":"1","q":"5","r":"","head":{"a":"x"}}`, false},
	} {
		t.Run(name, func(t *testing.T) {
			if same := digest(tt.record) == base; same != tt.same {
				t.Errorf("same content: %v", same)
			}
		})
	}
}

func TestLookupsAreNamedAndRequired(t *testing.T) {
	def := single(`root.kg = this.lookups.bill.kg`)
	def.Lookups = map[string]LookupDefinition{
		"bill":  {Reference: `ref("bom", this.item)`, Required: true, When: `this.item != null`},
		"extra": {Reference: `ref("specification", this.item)`, When: `this.extra != null`},
	}
	m := mustCompile(t, def)
	t.Run("those that apply", func(t *testing.T) {
		got, err := m.Lookups(object(t, `{"id":"1","item":"M 1"}`))
		if diff := cmp.Diff([]Lookup{{Name: "bill", Ref: "bom/M%201", Required: true, At: time.Date(2026, 1, 2, 6, 0, 0, 0, time.FixedZone("", 3600))}}, got); diff != "" || err != nil {
			t.Errorf("%v %s", err, diff)
		}
	})
	t.Run("a required one that is absent is a fault with its ref", func(t *testing.T) {
		_, err := m.Apply(object(t, `{"id":"1","item":"M-1"}`), nil)
		if f := fault.Of(err); !errors.Is(err, fault.ReferenceMissing) || f.Ref != "bom/M-1" || f.Field != "lookups/bill" {
			t.Errorf("got %v", err)
		}
	})
	t.Run("its body is read", func(t *testing.T) {
		outputs, err := m.Apply(object(t, `{"id":"1","item":"M-1"}`), map[string]any{"bill": map[string]any{"kg": json.Number("1.50")}})
		if err != nil || outputs[0].Data["kg"] != json.Number("1.50") {
			t.Errorf("%+v %v", outputs, err)
		}
	})
	t.Run("one that the mapping reads unguarded is a fault of the mapping", func(t *testing.T) {
		def := def
		def.Events = slices.Clone(def.Events)
		def.Events[0].Map = `root.kg = this.lookups.extra.kg.plus(1)`
		_, err := mustCompile(t, def).Apply(object(t, `{"id":"1","item":"M-1"}`), map[string]any{"bill": map[string]any{}})
		if f := fault.Of(err); !errors.Is(err, fault.MappingFailed) || f.Field != "lookups/extra/kg" {
			t.Errorf("got %v", err)
		}
	})
}

func TestAnOutputHasItsOwnTimeSubjectAndOrder(t *testing.T) {
	def := single(`root.a = 1`)
	o := &def.Events[0]
	o.Identity, o.Subject = `this.key`, `ref("order", this.po)`
	o.Correlation, o.Causation, o.Sequence = `this.run`, `this.cause`, `this.no`
	o.Occurred = OccurredDefinition{From: `this.from`, To: `this.to`}
	m := mustCompile(t, def)
	outputs, err := m.Apply(object(t, `{"id":"1","key":"k","po":"7","run":"r","no":12,"from":"2026-03-02T06:00:00+01:00","to":"2026-03-02T14:00:00+01:00"}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	zone := time.FixedZone("", 3600)
	want := []Output{{
		Slot: "good", Type: "production.completed", Version: 1, Identity: "k", Subject: "order/7", Correlation: "r", Sequence: "12",
		Occurred: event.Span{From: time.Date(2026, 3, 2, 6, 0, 0, 0, zone), To: time.Date(2026, 3, 2, 14, 0, 0, 0, zone)},
		Data:     map[string]any{"a": json.Number("1")},
	}}
	if diff := cmp.Diff(want, outputs); diff != "" {
		t.Error(diff)
	}
	for name, tt := range map[string]struct {
		change map[string]any
		reason *fault.Reason
		field  string
	}{
		"a time without offset":        {map[string]any{"from": "2026-03-02T06:00:00"}, fault.TimeInvalid, "from"},
		"an end before the begin":      {map[string]any{"to": "2026-03-02T05:00:00+01:00"}, fault.TimeInvalid, "to"},
		"an absent time":               {map[string]any{"from": nil}, fault.FieldMissing, "from"},
		"an identity of nothing":       {map[string]any{"key": nil}, fault.FieldMissing, "key"},
		"a correlation that is a list": {map[string]any{"run": []any{}}, fault.MappingFailed, ""},
	} {
		t.Run(name+" is a fault", func(t *testing.T) {
			record := object(t, `{"id":"1","key":"k","po":"7","from":"2026-03-02T06:00:00+01:00","to":"2026-03-02T14:00:00+01:00"}`)
			maps.Copy(record, tt.change)
			_, err := m.Apply(record, nil)
			if f := fault.Of(err); f == nil || f.Reason != tt.reason || f.Field != tt.field {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestApplyIsSafeForConcurrentUse(t *testing.T) {
	m := mustCompile(t, definition(t, shiftReport))
	c := m.def.Cases[0]
	want, err := m.Apply(c.Message, c.Lookups)
	if err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 50 {
				got, err := m.Apply(c.Message, c.Lookups)
				if diff := cmp.Diff(want, got); diff != "" || err != nil {
					t.Errorf("%v %s", err, diff)
					return
				}
			}
		})
	}
	group.Wait()
}

func TestPatternsOfFilesAreNamesWithoutFolders(t *testing.T) {
	def := single("root.a = 1")
	def.Files = []string{"monthlyReports_*.csv"}
	mustCompile(t, def)
	for _, pattern := range []string{" ", "reports/*.csv", "report[.csv"} {
		def.Files = []string{"ok.csv", pattern}
		_, err := Compile(def, plant(t))
		var wrong *DefinitionError
		if !errors.As(err, &wrong) || wrong.Field != "files[1]" {
			t.Errorf("%q: got %v", pattern, err)
		}
	}
}

func TestAPanicBelowIsAFault(t *testing.T) {
	m := mustCompile(t, single(`root.a = 1`))
	m.outputs[0].data.program = nil
	_, err := m.Apply(map[string]any{"id": "1"}, nil)
	if f := fault.Of(err); !errors.Is(err, fault.MappingFailed) || !strings.Contains(f.Explanation(), "cannot be evaluated") {
		t.Errorf("got %v", err)
	}
}

func TestTwoEventsOfOneSlotAreAFault(t *testing.T) {
	def := single(`root.a = 1`)
	def.Events = append(def.Events, def.Events[0])
	def.Events[0].When, def.Events[1].When = `this.one == "1"`, `this.two == "1"`
	m := mustCompile(t, def)
	for record, faulty := range map[string]bool{`{"id":"1","one":"1"}`: false, `{"id":"1","two":"1"}`: false, `{"id":"1","one":"1","two":"1"}`: true} {
		outputs, err := m.Apply(object(t, record), nil)
		if got := errors.Is(err, fault.MappingFailed); got != faulty || !faulty && len(outputs) != 1 {
			t.Errorf("%s gives %+v, %v", record, outputs, err)
		}
	}
}

func TestThePlantIsNamedOrRead(t *testing.T) {
	def := single(`root.a = 1`)
	def.PlantFrom = `this.site.lowercase()`
	m := mustCompile(t, def)
	if got, err := m.Plant(map[string]any{"id": "1", "site": "GRAZ"}); got != "graz" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
	_, err := m.Plant(map[string]any{"id": "1"})
	if f := fault.Of(err); !errors.Is(err, fault.FieldMissing) || f.Field != "site" {
		t.Errorf("got %v", err)
	}
	if got, err := mustCompile(t, definition(t, shiftReport)).Plant(nil); got != "moulding" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}
