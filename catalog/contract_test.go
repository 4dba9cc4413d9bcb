package catalog

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// decoded is JSON as the hub decodes it.
func decoded(t testing.TB, text string) map[string]any {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(text))
	d.UseNumber()
	var data map[string]any
	if err := d.Decode(&data); err != nil {
		t.Fatalf("%v in %s", err, text)
	}
	return data
}

// produced is data of production.completed with a further field and an output.
func produced(field, output string) string {
	if field != "" {
		field += ", "
	}
	return `{"order": "order/1", ` + field + `"outputs": [` + output + `]}`
}

func output(quantity string) string {
	return `{"role": "main", "material": "material/M-100", "lot": "lot/M-100/4711", "quantity": ` + quantity + `}`
}

const kilograms = `{"value": "12.5", "unit": "KGM"}`

func smallProduction(t testing.TB) *Contract {
	t.Helper()
	k, ok := small(t).Contract("production.completed", 1)
	if !ok {
		t.Fatal("no contract")
	}
	return k
}

func TestWhatAContractRefuses(t *testing.T) {
	k := smallProduction(t)
	for name, test := range map[string]struct {
		data string
		want string // reason field: detail
	}{
		"a missing field":                         {`{"outputs": [` + output(kilograms) + `]}`, "contract_broken order: the field is required and missing"},
		"a field that is not in the contract":     {produced(`"colour": "red"`, output(kilograms)), "contract_broken colour: the contract has no such field"},
		"a value that is not in the enum":         {produced("", strings.Replace(output(kilograms), "main", "foo", 1)), `contract_broken outputs/0/role: expected one of main, co, by, rework; got "foo"`},
		"another type":                            {produced(`"final": "yes"`, output(kilograms)), "contract_broken final: expected true or false, got a text"},
		"too few elements":                        {produced("", ""), "contract_broken outputs: 0 elements are too few, at least 1 are needed"},
		"too many elements":                       {produced("", strings.Repeat(output(kilograms)+",", 3)+output(kilograms)), "contract_broken outputs: 4 elements are too many, at most 3 are allowed"},
		"a text that is too long":                 {produced(`"note": "Abcdefghijklmnopqrstuvwxyz"`, output(kilograms)), "contract_broken note: 26 characters are too many, at most 20 are allowed"},
		"a text of another form":                  {produced(`"note": "small"`, output(kilograms)), `contract_broken note: "small" does not have the form ^[A-Z]`},
		"a number below the minimum":              {produced(`"count": 0`, output(kilograms)), "contract_broken count: 0 is below 1"},
		"a fraction where a whole number belongs": {produced(`"count": 1.25`, output(kilograms)), "contract_broken count: expected a whole number, got a number"},
		"a day that does not exist":               {produced(`"day": "2026-02-30"`, output(kilograms)), `contract_broken day: "2026-02-30" is not a valid date, such as 2026-01-31`},
		"null where a ref belongs":                {produced(`"work_center": null`, output(kilograms)), "contract_broken work_center: expected a value, got null"},
		"a ref that is none":                      {produced(`"work_center": "L1"`, output(kilograms)), "ref_invalid work_center: "},
		"a ref that is a number":                  {produced(`"work_center": 1`, output(kilograms)), "ref_invalid work_center: expected a reference such as work-center/<plant>/<work-center>, got 1"},
		"a ref of another kind":                   {produced(`"work_center": "lot/M-100/1"`, output(kilograms)), "ref_invalid work_center: lot/M-100/1: expected a work-center"},
		"a ref of an unknown kind":                {produced(`"work_center": "line/1"`, output(kilograms)), "ref_kind_unknown work_center: line/1: there is no kind line"},
		"a ref with too few segments":             {produced(`"work_center": "work-center/L1"`, output(kilograms)), "ref_invalid work_center: work-center/L1: a work-center is written work-center/<plant>/<work-center>"},
		"a code that is not on the list":          {produced("", strings.Replace(output(kilograms), `"role"`, `"reason": "dust", "role"`, 1)), `code_unknown outputs/0/reason: "dust" is not on the list scrap-reason`},
		"a quantity that is a number":             {produced("", output(`12.5`)), "quantity_invalid outputs/0/quantity: expected a quantity such as"},
		"a quantity without value":                {produced("", output(`{"unit": "KGM"}`)), "quantity_invalid outputs/0/quantity/value: the value is missing"},
		"a quantity with a decimal comma":         {produced("", output(`{"value": "12,5", "unit": "KGM"}`)), "quantity_invalid outputs/0/quantity/value: "},
		"a quantity with another member":          {produced("", output(`{"value": "1", "unit": "KGM", "scale": 3}`)), `quantity_invalid outputs/0/quantity/scale: a quantity has value, unit and text, and nothing called "scale"`},
		"a number with the noise of a float":      {produced("", output(`{"value": 31.919999999999998, "unit": "KGM"}`)), "quantity_inexact outputs/0/quantity/value: 31.919999999999998 has 17 significant digits"},
		"a quantity too large to be summed":       {produced("", output(`{"value": "1234567890123", "unit": "KGM"}`)), "quantity_invalid outputs/0/quantity/value: 1234567890123 has 13 digits before the point"},
		"an unknown unit":                         {produced("", output(`{"value": "1", "unit": "kilo"}`)), `unit_unknown outputs/0/quantity/unit: "kilo"`},
		"a quantity without unit":                 {produced("", output(`{"value": "1"}`)), "unit_unknown outputs/0/quantity/unit: expected the code of a unit, got null"},
		"a deleted unit":                          {produced("", output(`{"value": "1", "unit": "EV"}`)), "unit_deleted outputs/0/quantity/unit: EV"},
		"a unit of another dimension":             {produced(`"gross": {"value": "1", "unit": "MTR"}`, output(kilograms)), "unit_dimension gross/unit: MTR (metre) measures length, expected mass"},
		"a negative quantity":                     {produced("", output(`{"value": "-1", "unit": "KGM"}`)), "quantity_negative outputs/0/quantity/value: -1 KGM is below 0"},
	} {
		t.Run(name, func(t *testing.T) {
			_, faults := k.Validate(decoded(t, test.data))
			if len(faults) != 1 {
				t.Fatalf("%d faults, want one: %v", len(faults), faults)
			}
			f := faults[0]
			if got := fmt.Sprintf("%s %s: %s", f.Reason, f.Field, f.Explanation()); !strings.HasPrefix(got, test.want) {
				t.Errorf("got  %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestWhatAContractAccepts(t *testing.T) {
	k := smallProduction(t)
	for name, data := range map[string]string{
		"one output":                                      produced("", output(kilograms)),
		"a number of 15 significant digits":               produced("", output(`{"value": 31.9199999999999, "unit": "KGM"}`)),
		"more digits as text":                             produced("", output(`{"value": "31.919999999999998", "unit": "KGM"}`)),
		"a quantity of zero":                              produced("", output(`{"value": "0", "unit": "KGM"}`)),
		"a negative quantity where any sign is allowed":   produced(`"balance": {"value": "-1", "unit": "KGM"}`, output(kilograms)),
		"a unit of the dimension that is asked for":       produced(`"gross": {"value": "1", "unit": "TNE"}`, output(kilograms)),
		"a unit that only the material has":               produced("", output(`{"value": "2", "unit": "CASE"}`)),
		"the text of the source beside the value":         produced("", output(`{"value": "12.5", "text": "12.50", "unit": "KGM"}`)),
		"a ref to a lot with characters that are encoded": produced("", strings.Replace(output(kilograms), "4711", "47%2F11", 1)),
	} {
		t.Run(name, func(t *testing.T) {
			if _, faults := k.Validate(decoded(t, data)); len(faults) > 0 {
				t.Error(faults)
			}
		})
	}
}

func TestEveryFaultOfTheDataIsToldAtOnce(t *testing.T) {
	k := smallProduction(t)
	data := decoded(t, `{"colour": "red", "work_center": "L1", "outputs": [{"role": "foo", "material": "lot/M-100/1", "quantity": {"value": "x", "unit": "y"}}]}`)
	_, faults := k.Validate(data)
	var fields []string
	for _, f := range faults {
		fields = append(fields, f.Field)
	}
	slices.Sort(fields)
	want := []string{"colour", "order", "outputs/0/material", "outputs/0/quantity/unit", "outputs/0/quantity/value", "outputs/0/role", "work_center"}
	if diff := cmp.Diff(want, fields); diff != "" {
		t.Error(diff)
	}
}

func TestOneWalkCollectsRefsRelationsAndQuantities(t *testing.T) {
	k := smallProduction(t)
	second := strings.Replace(output(`{"value": "1.50", "unit": "KGM"}`), "4711", "4712", 1)
	checked, faults := k.Validate(decoded(t, produced(`"gross": {"value": "14", "unit": "KGM"}`, output(kilograms)+","+second)))
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	quantity := func(field, value, dimension string) FieldQuantity {
		q, err := event.NewQuantity(value, "KGM")
		if err != nil {
			t.Fatal(err)
		}
		return FieldQuantity{Field: field, Quantity: q, Dimension: dimension}
	}
	want := Checked{
		Refs:      []event.Ref{"order/1", "lot/M-100/4711", "material/M-100", "lot/M-100/4712"},
		Relations: []event.Relation{{Kind: "order-lot", From: "order/1", To: "lot/M-100/4711"}, {Kind: "order-lot", From: "order/1", To: "lot/M-100/4712"}},
		Quantities: []FieldQuantity{
			quantity("gross", "14", "mass"), quantity("outputs/0/quantity", "12.5", ""), quantity("outputs/1/quantity", "1.50", ""),
		},
	}
	if diff := cmp.Diff(want, checked, equalDecimals()); diff != "" {
		t.Error(diff)
	}
}

func equalDecimals() cmp.Option {
	return cmp.Comparer(func(a, b event.Decimal) bool { return a.Equal(b) })
}

func TestFactsOfAnEvent(t *testing.T) {
	k := smallProduction(t)
	data := decoded(t, `{"order": "order/1", "work_center": "work-center/graz/L1", "outputs": [
		{"role": "main", "material": "material/M-100", "lot": "lot/M-100/1", "quantity": {"value": "2", "unit": "CASE"}},
		{"role": "by", "material": "material/M-200", "quantity": {"value": "1", "unit": "KGM"}},
		{"role": "rework", "reason": "scratch", "material": "material/M-100", "quantity": {"value": "0.5", "unit": "TNE"}}]}`)
	c := small(t)
	at := time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)
	facts, err := k.Facts(data, func(q event.Quantity, material, lot event.Ref) (event.Quantity, string, error) {
		return event.Base(q, c.AlternativeUnits(material), material, lot, at)
	})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range facts {
		got = append(got, fmt.Sprintf("%s %s lot=%s order=%s at=%s reason=%s %s = %s by %q", f.Measure, f.Material, f.Lot, f.Order, f.WorkCenter, f.Reason, f.Quantity, f.Base, f.Factor))
	}
	want := []string{
		`good material/M-100 lot=lot/M-100/1 order=order/1 at=work-center/graz/L1 reason= 2 CASE = 48 H87 by "2026-01"`,
		`rework material/M-100 lot= order=order/1 at=work-center/graz/L1 reason=scratch 0.5 TNE = 500 KGM by ""`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAQuantityWithoutABaseIsAFaultOfItsField(t *testing.T) {
	k := smallProduction(t)
	data := decoded(t, produced("", output(`{"value": "2", "unit": "CASE"}`)))
	_, err := k.Facts(data, func(q event.Quantity, material, lot event.Ref) (event.Quantity, string, error) {
		return event.Base(q, nil, material, lot, time.Time{})
	})
	f := fault.Of(err)
	if f == nil || f.Field != "outputs/0/quantity" || !errors.Is(err, fault.UnitUnknown) {
		t.Errorf("got %v", err)
	}
}

func TestSubjectOfAnEvent(t *testing.T) {
	k := smallProduction(t)
	for name, test := range map[string]struct {
		given event.Ref
		data  string
		want  event.Ref
		fault *fault.Reason
	}{
		"the one given":                        {"order/7", `{}`, "order/7", nil},
		"else the one that the data names":     {"", `{"order": "order/1"}`, "order/1", nil},
		"none at all is a fault":               {"", `{}`, "", fault.AttributeInvalid},
		"one of another kind is a fault":       {"lot/M-100/1", `{}`, "", fault.RefInvalid},
		"one of an undeclared kind is a fault": {"job/1", `{}`, "", fault.RefKindUnknown},
	} {
		t.Run(name, func(t *testing.T) {
			got, f := k.Subject(test.given, decoded(t, test.data))
			if got != test.want {
				t.Errorf("got %s, want %s", got, test.want)
			}
			if (f == nil) != (test.fault == nil) || f != nil && f.Reason != test.fault {
				t.Errorf("fault %v, want %v", f, test.fault)
			}
		})
	}
}

func TestReferenceData(t *testing.T) {
	c := small(t)
	k, _ := c.Contract("material.changed", 0)
	if other, _ := c.Contract("lot.released", 0); other.IsReference() || !k.IsReference() {
		t.Fatal("reference data is told by the key reference")
	}
	zone, err := time.LoadLocation("Europe/Vienna")
	if err != nil {
		t.Fatal(err)
	}
	occurred := time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)
	from, to, f := k.Validity(decoded(t, `{"valid_from": "2026-07-01"}`), occurred, zone)
	if want := time.Date(2026, 6, 30, 22, 0, 0, 0, time.UTC); f != nil || !from.Equal(want) || !to.IsZero() {
		t.Errorf("valid from %s to %s, %v; want from %s for ever", from, to, f, want)
	}
	if from, _, _ := k.Validity(map[string]any{}, occurred, zone); !from.Equal(occurred) {
		t.Errorf("without a begin valid from %s, want when it occurred", from)
	}
	if _, _, f := k.Validity(decoded(t, `{"valid_from": "2026-07-01", "valid_to": "2026-07-01"}`), occurred, zone); f == nil || f.Reason != fault.TimeInvalid {
		t.Errorf("an empty span is %v, want time_invalid", f)
	}
	ids := k.Identifiers(decoded(t, `{"identifiers": [{"system": "graz-mes", "id": "4711"}, {"system": "qms", "kind": "material", "id": "A"}]}`))
	want := []Identifier{{System: "graz-mes", ID: "4711"}, {System: "qms", Kind: "material", ID: "A"}}
	if diff := cmp.Diff(want, ids); diff != "" {
		t.Error(diff)
	}
}

func TestPredecessorOfAnEvent(t *testing.T) {
	c := small(t)
	k, _ := c.Contract("lot.released", 0)
	of, types := k.Predecessor(decoded(t, `{"lot": "lot/M-100/1"}`))
	if of != "lot/M-100/1" || !slices.Equal(types, []string{"production.completed"}) {
		t.Errorf("waits for %v of %s", types, of)
	}
}

func TestPathsThatBelongTogetherStayInOneElement(t *testing.T) {
	data := decoded(t, `{"order": "o", "in": [{"lot": "a"}, {"lot": "b"}], "out": [{"lot": "x", "serials": ["1", "2"]}, {"lot": "y", "serials": ["3"]}]}`)
	for name, test := range map[string]struct{ from, to, want string }{
		"one to each":           {"order", "out[].lot", "o-x o-y"},
		"each to its own":       {"out[].lot", "out[].serials[]", "x-1 x-2 y-3"},
		"each to each":          {"in[].lot", "out[].lot", "a-x a-y b-x b-y"},
		"nothing where missing": {"order", "out[].batch", ""},
		"all of one list":       {"out[].serials[]", "order", "1-o 2-o 3-o"},
	} {
		t.Run(name, func(t *testing.T) {
			from, _ := parsePath(test.from)
			to, _ := parsePath(test.to)
			var got []string
			pairs(data, from, to, func(a, b string) { got = append(got, a+"-"+b) })
			if strings.Join(got, " ") != test.want {
				t.Errorf("got %q, want %q", strings.Join(got, " "), test.want)
			}
		})
	}
}

// Whatever the data, the walk ends without a panic, changes nothing, and what it
// says is the same every time.
func TestValidateIsAPureFunctionOfTheData(t *testing.T) {
	k := smallProduction(t)
	rapid.Check(t, func(t *rapid.T) {
		data := anyObject(3).Draw(t, "data")
		before := canonicalJSON(data)
		first, faults := k.Validate(data)
		second, again := k.Validate(data)
		if canonicalJSON(data) != before {
			t.Fatal("the data was changed")
		}
		if diff := cmp.Diff(first, second, equalDecimals(), cmpopts.EquateEmpty()); diff != "" {
			t.Fatal(diff)
		}
		sorted := func(all []*fault.Fault) []string {
			var texts []string
			for _, f := range all {
				texts = append(texts, f.Error())
			}
			slices.Sort(texts)
			return texts
		}
		if diff := cmp.Diff(sorted(faults), sorted(again)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func anyObject(depth int) *rapid.Generator[map[string]any] {
	names := rapid.SampledFrom([]string{"order", "outputs", "role", "material", "quantity", "value", "unit", "gross", "note", "reason"})
	return rapid.MapOfN(names, anyValue(depth), 0, 5)
}

func anyValue(depth int) *rapid.Generator[any] {
	leaf := rapid.SampledFrom([]any{nil, true, "order/1", "material/M-100", "main", "KGM", "12.5", "", json.Number("1"), json.Number("1e400"), "lot/%"})
	if depth == 0 {
		return leaf
	}
	return rapid.OneOf(leaf,
		rapid.Map(anyObject(depth-1), func(m map[string]any) any { return m }),
		rapid.Map(rapid.SliceOfN(anyValue(depth-1), 0, 3), func(s []any) any { return s }))
}

func BenchmarkValidate(b *testing.B) {
	k := smallProduction(b)
	data := decoded(b, produced(`"gross": {"value": "14", "unit": "KGM"}`, output(kilograms)+","+output(kilograms)))
	b.ReportAllocs()
	for b.Loop() {
		if _, faults := k.Validate(data); len(faults) > 0 {
			b.Fatal(faults)
		}
	}
}

func BenchmarkCheckSchemaAlone(b *testing.B) {
	k := smallProduction(b)
	data := decoded(b, produced(`"gross": {"value": "14", "unit": "KGM"}`, output(kilograms)+","+output(kilograms)))
	b.ReportAllocs()
	for b.Loop() {
		k.Check(data)
	}
}
