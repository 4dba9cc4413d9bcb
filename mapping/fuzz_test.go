package mapping

import (
	"bytes"
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/gapless/gapless/fault"
)

// FuzzCompile holds that no text makes Compile or Apply crash, that every fault
// of a definition has a place, and that what compiles gives the same twice and
// leaves its input alone.
func FuzzCompile(f *testing.F) {
	f.Add(`root.order = ref("order", this.poNote)`, `this.poNote != null`)
	f.Add("let a = this.lines.map_each(l -> l.q.decimal())\nif $a.length() > 0 {\n  root.a = $a.sum()\n} else {\n  root.a = \"0\"\n}", `this.lines`)
	f.Add(`root = match this.s { "a" => {"x": 1}, _ => deleted() }`, `this.lines.filter(x -> x.q != null)`)
	f.Add(`root."a.b".c = """x""" + this."po note".string() # end`, `{"a": 1, "b": [null, true, -2.5]}`)
	f.Add("root.a = ((([[[{\"a\":", `"\u00e9\x`)
	f.Add("root.a = this.a.0.b.1\nroot.a.0 = 1\nroot.b.- = 2", `!!!this.x`)
	f.Add(`root.a = this.(s | poNote).slice(-3, 1)`, "this.lines.index(9)\r\n")
	f.Fuzz(func(t *testing.T, text, each string) {
		if len(text)+len(each) > 2000 {
			t.Skip("long texts only make the fuzzer slow")
		}
		def := single(text)
		def.Events[0].Each, def.Events[0].Slot = each, "line/{q}"
		def.Events = append(def.Events, single(text).Events...)
		m, err := Compile(def, plant(t))
		if err != nil {
			for _, one := range unjoin(err) {
				var d *DefinitionError
				if !errors.As(one, &d) || d.Field == "" || d.Text == "" {
					t.Fatalf("a fault without a place: %v", one)
				}
			}
			return
		}
		const input = `{"id":"1","poNote":"PO","s":"a","lines":[{"q":"1"},{"q":2}],"a":{"b":"c"},"n":5,"x":true}`
		record := object(t, input)
		first, errFirst := m.Apply(record, nil)
		second, errSecond := m.Apply(record, nil)
		if diff := cmp.Diff(object(t, input), record); diff != "" {
			t.Fatalf("the input is changed: %s", diff)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Fatalf("something else the second time: %s", diff)
		}
		holdFault(t, errFirst)
		if errFirst != nil && errFirst.Error() != errSecond.Error() {
			t.Fatalf("another fault the second time: %v, then %v", errFirst, errSecond)
		}
		if errFirst == nil {
			if _, err := m.Explain(record, nil); err != nil {
				t.Fatalf("what can be made cannot be explained: %v", err)
			}
		}
	})
}

func unjoin(err error) []error {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// holdFault holds that an error of Apply is a fault that a person can use.
func holdFault(t *testing.T, err error) {
	t.Helper()
	if err == nil {
		return
	}
	f := fault.Of(err)
	if f == nil || f.Reason == nil || f.Explanation() == "" && f.Field == "" {
		t.Fatalf("no fault of use: %v", err)
	}
	if strings.Contains(f.Explanation(), "cannot be evaluated") {
		t.Fatalf("a panic below: %s", f.Explanation())
	}
}

// FuzzApply holds that no record makes a mapping crash or give another thing twice.
func FuzzApply(f *testing.F) {
	m := mustCompile(f, definition(f, shiftReport))
	for _, c := range m.def.Cases {
		if c.Message == nil {
			continue
		}
		b, err := json.Marshal(c.Message)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, []byte(`{"resin":"R-9","per_ten_thousand":"31.92","unit":"kg"}`))
	}
	f.Add([]byte(`{"recordDate":43405,"poNote":{},"blackSpot":[1],"itemGoodQuantity":1e999,"resinLot":1}`), []byte(`[]`))
	f.Add([]byte(`{"each":1,"lookups":2}`), []byte(`null`))
	f.Fuzz(func(t *testing.T, body, bill []byte) {
		record, ok := decoded(body).(map[string]any)
		if !ok {
			return
		}
		lookups := map[string]any{"bill": decoded(bill)}
		first, errFirst := m.Apply(record, lookups)
		second, errSecond := m.Apply(record, lookups)
		if diff := cmp.Diff(decoded(body), any(record)); diff != "" {
			t.Fatalf("the input is changed: %s", diff)
		}
		if diff := cmp.Diff(first, second); diff != "" {
			t.Fatalf("something else the second time: %s", diff)
		}
		holdFault(t, errFirst)
		if errFirst != nil && errFirst.Error() != errSecond.Error() {
			t.Fatalf("another fault the second time: %v, then %v", errFirst, errSecond)
		}
		if _, err := m.Digest(record); err != nil {
			holdFault(t, err)
		}
	})
}

func decoded(body []byte) any {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var v any
	if decoder.Decode(&v) != nil {
		return nil
	}
	return v
}

func TestIdentityIsInjective(t *testing.T) {
	def := single("root.a = 1")
	def.Identity = []string{"?a", "?b", "?c"}
	m := mustCompile(t, def)
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringMatching(`[a-c"\\,\[\] ]{0,4}`)
		record := func(label string) (map[string]any, [3]string) {
			r, parts := map[string]any{}, [3]string{}
			for i, name := range []string{"a", "b", "c"} {
				parts[i] = strings.TrimSpace(text.Draw(t, label+name))
				r[name] = parts[i]
			}
			return r, parts
		}
		one, partsOne := record("1")
		two, partsTwo := record("2")
		idOne, errOne := m.Identify(one)
		idTwo, errTwo := m.Identify(two)
		if errOne != nil || errTwo != nil || (idOne == idTwo) != (partsOne == partsTwo) {
			t.Fatalf("%q %v and %q %v: %v %v", idOne, partsOne, idTwo, partsTwo, errOne, errTwo)
		}
	})
}
