package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/fault"
)

// sourcesOf is the sources of every field of a slot.
func sourcesOf(t *testing.T, m *Mapping, slot string, record, lookups map[string]any) map[string]string {
	t.Helper()
	all, err := m.Explain(record, lookups)
	if err != nil {
		t.Fatal(err)
	}
	sources := map[string]string{}
	for _, x := range all {
		if x.Slot == slot {
			sources[x.Field] = strings.Join(x.Sources, " ")
		}
	}
	return sources
}

func TestExplainFindsTheSourcesOfEveryTarget(t *testing.T) {
	m := mustCompile(t, definition(t, shiftReport))
	row, lookups := m.def.Cases[0].Message, m.def.Cases[0].Lookups
	t.Run("of a plain event", func(t *testing.T) {
		want := map[string]string{
			"identity":                      "machineNo poNote recordDate workingShift",
			"subject":                       "poNote",
			"occurred/from":                 "poNote recordDate workingShift",
			"occurred/to":                   "poNote recordDate workingShift",
			"data/order":                    "poNote",
			"data/work_center":              "machineNo poNote",
			"data/outputs/0/role":           "poNote",
			"data/outputs/0/material":       "itemCode poNote",
			"data/outputs/0/quantity/value": "itemGoodQuantity poNote",
			"data/outputs/0/quantity/unit":  "itemGoodQuantity poNote",
			"data/rejected":                 "blackSpot poNote",
			"data/colour":                   "colour poNote",
		}
		got := sourcesOf(t, m, "output", row, lookups)
		for field, sources := range want {
			have := strings.Fields(got[field])
			for source := range strings.FieldsSeq(sources) {
				if !slices.Contains(have, source) {
					t.Errorf("%s: %s is not among %v", field, source, have)
				}
			}
		}
		exact := map[string]string{"subject": "poNote", "data/work_center": "machineNo poNote", "data/rejected": "blackSpot poNote", "data/colour": "colour poNote", "data/outputs/0/quantity/value": "itemCode itemGoodQuantity poNote"}
		for field, sources := range exact {
			if got[field] != sources {
				t.Errorf("%s: got %s, want %s", field, got[field], sources)
			}
		}
		if len(got) != len(want) {
			t.Errorf("fields: %v", got)
		}
	})
	t.Run("through reference data, with the field that chooses it", func(t *testing.T) {
		got := sourcesOf(t, m, "resin", row, lookups)
		if want := "itemCode itemTotalQuantity lookups/bill/per_ten_thousand lookups/bill/unit resinLot"; got["data/quantity/value"] != want {
			t.Errorf("got %s, want %s", got["data/quantity/value"], want)
		}
		if want := "itemCode lookups/bill/resin resinLot"; !containsAll(got["data/lot"], want) {
			t.Errorf("got %s, want %s", got["data/lot"], want)
		}
	})
	t.Run("with the assignment as it is written", func(t *testing.T) {
		all, err := m.Explain(row, lookups)
		if err != nil {
			t.Fatal(err)
		}
		var got []Explanation
		for _, x := range all {
			if x.Slot == "output" && (x.Field == "data/work_center" || x.Field == "data/colour" || x.Field == "data/outputs/0/role") {
				x.Sources, x.Type = nil, ""
				got = append(got, x)
			}
		}
		want := []Explanation{
			{Slot: "output", Field: "data/colour", Value: "black", Place: "events[0].map", Line: 12, Expression: `root.colour = code("colour", this.colour)`},
			{
				Slot: "output", Field: "data/outputs/0/role", Value: "main", Place: "events[0].map", Line: 5,
				Expression: "root.outputs = [{\n  \"role\": \"main\",\n  \"material\": local(\"material\", this.itemCode),\n  \"quantity\": $good\n}]",
			},
			{
				Slot: "output", Field: "data/work_center", Value: "work-center/moulding/04", Place: "events[0].map", Line: 3,
				Expression: `root.work_center = ref("work-center", "moulding", this.machineNo)`,
			},
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
	t.Run("the same twice", func(t *testing.T) {
		first, _ := m.Explain(row, lookups)
		second, _ := m.Explain(row, lookups)
		if diff := cmp.Diff(first, second); diff != "" {
			t.Error(diff)
		}
	})
}

func TestExplainTellsOfAnIdentifierAsOneValue(t *testing.T) {
	m := mustCompile(t, single(`root.material = local("material", this.m)
root.pair = {"kind": this.k, "id": this.m}
root.parts = [local("lot", this.a), local("lot", this.b)]`))
	all, err := m.Explain(object(t, `{"id":"1","m":"4711","k":"x","a":"A","b":"B"}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	data := object(t, `{"material":"material/M-100","pair":{"kind":"x","id":"4711"},"parts":["lot/M-100/A","lot/M-100/B"]}`)
	got := map[string]string{}
	for _, x := range all {
		if field, ok := strings.CutPrefix(x.Field, "data/"); ok {
			_, id, _ := LocalRef(x.Value)
			got[field] = fmt.Sprintf("%s %v from %s", id, x.In(data), strings.Join(x.Sources, " "))
		}
	}
	want := map[string]string{
		"material": "4711 material/M-100 from m", "pair/kind": " x from k m", "pair/id": " 4711 from m",
		"parts/0": "A lot/M-100/A from a b", "parts/1": "B lot/M-100/B from a b",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func containsAll(have, want string) bool {
	for w := range strings.FieldsSeq(want) {
		if !slices.Contains(strings.Fields(have), w) {
			return false
		}
	}
	return true
}

func TestExplainTellsTheFailingAssignmentFromTheOthers(t *testing.T) {
	text := `root.first = this.a.uppercase()
let b = this.b.trim()
root.second = "x" + $b
root.third = this.c
root.fourth = this.a.length()
if this.d == "1" {
  root.fifth = "one"
} else {
  root.fifth = this.c
}
root.whole = this.list`
	m := mustCompile(t, single(text))
	record := object(t, `{"id":"1","a":"q","b":"w","c":"e","d":"1","list":[{"n":1},{"n":2}],"unused":"u"}`)
	got := sourcesOf(t, m, "good", record, nil)
	want := map[string]string{
		"identity": "id", "occurred/from": "", "occurred/to": "",
		"data/first": "a", "data/second": "b", "data/third": "c", "data/fourth": "a", "data/fifth": "d",
		"data/whole/0/n": "list/0/n", "data/whole/1/n": "list/1/n",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	all, err := m.Explain(record, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range all {
		if x.Field == "data/fifth" && (x.Line != 6 || x.Expression != "root.fifth = \"one\"\nroot.fifth = this.c") {
			t.Errorf("branches of an if: line %d, %q", x.Line, x.Expression)
		}
		if x.Field == "data/third" && x.Line != 4 {
			t.Errorf("got line %d", x.Line)
		}
	}
}

func TestExplainIsBounded(t *testing.T) {
	record := map[string]any{"id": "1"}
	for i := range maxExplained + 1 {
		record["f"+strconv.Itoa(i)] = "x"
	}
	_, err := mustCompile(t, single("root.a = 1")).Explain(record, nil)
	if !errors.Is(err, fault.LimitExceeded) {
		t.Errorf("got %v", err)
	}
}

func TestExplainGivesTheFaultOfApply(t *testing.T) {
	_, err := mustCompile(t, single("root.a = this.a.trim()")).Explain(map[string]any{"id": "1"}, nil)
	if !errors.Is(err, fault.FieldMissing) {
		t.Errorf("got %v", err)
	}
}

func TestAlteredTextKeepsItsShape(t *testing.T) {
	for text, want := range map[string]string{"2018-11-01": "2018-11-02", "9": "8", "M-100": "M-101", "abc": "abd", "Z!": "Y!", "": "x", "ä": "äx", "1.5e3": "1.5e4"} {
		if got := alterText(text); got != want {
			t.Errorf("%q becomes %q, want %q", text, got, want)
		}
	}
}
