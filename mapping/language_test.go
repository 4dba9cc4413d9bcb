package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/redpanda-data/benthos/v4/public/bloblang"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/format"
)

// refusedFunctions and refusedMethods are what the library offers beside the
// lists in language.go, each looked at once. A new version of the library that
// offers more fails the test below: then look at it, and put it on one of the lists.
var (
	refusedFunctions = []string{
		// a broker's message, its batch and its trace
		"batch_index", "batch_size", "content", "error", "error_source_label", "error_source_name", "error_source_path",
		"errored", "json", "meta", "metadata", "root_meta", "tracing_id", "tracing_span", "var",
		// clock, chance, machine
		"counter", "count", "env", "file", "hostname", "ksuid", "nanoid", "now", "random_int", "timestamp_unix",
		"timestamp_unix_micro", "timestamp_unix_milli", "timestamp_unix_nano", "uuid_v4", "uuid_v7",
		// no bound
		"range",
	}
	refusedMethods = []string{
		// binary floats
		"ceil", "floor", "log", "log10", "max", "min", "number", "round", "unique",
		// order of a Go map
		"map_each_key",
		// no bound, or the definition of a function at run time
		"apply", "bloblang", "fold",
		// a broker's batch
		"from", "from_all",
		// other formats, secrets, files and schemas
		"bytes", "decode", "decrypt_aes", "encode", "encrypt_aes", "escape_html", "escape_url_query", "filepath_join", "filepath_split",
		"format_json", "format_yaml", "hash", "json_schema", "parse_csv", "parse_json", "parse_url", "parse_yaml", "timestamp",
		"unescape_html", "unescape_url_query", "unquote", "uuid_v5",
		// addresses of memory, guessed types and shapes
		"assign", "collapse", "explode", "format", "merge",
		// regular expressions and replacements that have another way
		"re_find_all_object", "re_find_object", "re_replace", "replace", "replace_many",
	}
	// replaced are methods of ours under a name of the library.
	replaced = []string{"key_values", "sum", "values"}
)

func mustLanguage(tb testing.TB, env Environment) *bloblang.Environment {
	tb.Helper()
	language, err := newLanguage(env)
	if err != nil {
		tb.Fatal(err)
	}
	return language
}

func names(walk func(see func(string))) []string {
	var found []string
	walk(func(name string) { found = append(found, name) })
	slices.Sort(found)
	return found
}

func functionNames(e *bloblang.Environment) []string {
	return names(func(see func(string)) { e.WalkFunctions(func(n string, _ *bloblang.FunctionView) { see(n) }) })
}

func methodNames(e *bloblang.Environment) []string {
	return names(func(see func(string)) { e.WalkMethods(func(n string, _ *bloblang.MethodView) { see(n) }) })
}

func ours(all []function) []string {
	var own []string
	for _, f := range all {
		own = append(own, f.name)
	}
	return own
}

func sorted(lists ...[]string) []string { return slices.Sorted(slices.Values(slices.Concat(lists...))) }

func TestTheLanguageIsWhatIsListedAndNothingElse(t *testing.T) {
	env := plant(t)
	language := mustLanguage(t, env)
	if diff := cmp.Diff(sorted(libraryFunctions(), ours(functions(env))), functionNames(language)); diff != "" {
		t.Errorf("functions: %s", diff)
	}
	if diff := cmp.Diff(sorted(libraryMethods(), ours(methods())), methodNames(language)); diff != "" {
		t.Errorf("methods: %s", diff)
	}
}

func TestEverythingTheLibraryOffersWasLookedAt(t *testing.T) {
	library := bloblang.NewEnvironment()
	known := sorted(libraryFunctions(), refusedFunctions)
	for _, name := range functionNames(library) {
		if !slices.Contains(known, name) {
			t.Errorf("function %s is new: allow it in language.go or refuse it here", name)
		}
	}
	known = sorted(libraryMethods(), refusedMethods, replaced)
	for _, name := range methodNames(library) {
		if !slices.Contains(known, name) {
			t.Errorf("method %s is new: allow it in language.go or refuse it here", name)
		}
	}
	for _, name := range libraryMethods() {
		if !slices.Contains(methodNames(library), name) {
			t.Errorf("method %s is gone from the library", name)
		}
	}
}

func TestWhatIsRefusedDoesNotCompile(t *testing.T) {
	expressions := []string{`import "x.blobl"`, `from "x.blobl"`, `@origin`, `meta("a")`, `$undeclared()`, `"%p".format(this)`}
	for _, f := range refusedFunctions {
		expressions = append(expressions, f+"()")
	}
	for _, m := range refusedMethods {
		expressions = append(expressions, "this.a."+m+"()")
	}
	for _, text := range expressions {
		if _, err := Compile(single("root.a = "+text), plant(t)); err == nil {
			t.Errorf("%s compiles", text)
		}
	}
	for _, text := range []string{"import \"x\"\nroot.a = 1", "from \"x\"", "map x {\n  root.a = 1\n}\nroot.b = 1", "meta a = 1\nroot.b = 1"} {
		if _, err := Compile(single(text), plant(t)); err == nil {
			t.Errorf("%s compiles", text)
		}
	}
}

// TestNoMethodChangesItsInput calls every method on every shape, twice, with the
// same value and looks at what became of it.
func TestNoMethodChangesItsInput(t *testing.T) {
	language := mustLanguage(t, plant(t))
	arguments := []string{``, `"a"`, `0`, `0, 1`, `2, 2`, `"a", "b"`, `this`, `x -> x`, `x -> true`, `["a", "b"]`, `["a","b"].append("c")`}
	shapes := []string{`{"v":"b a"}`, `{"v":5}`, `{"v":["b","a",["c"]]}`, `{"v":{"b":"x","a":{"c":1}}}`, `{"v":[3,1,2]}`, `{"v":["b","a"]}`, `{"v":null}`, `{"v":true}`, `{"v":[{"b":1},{"a":2}]}`}
	for _, name := range methodNames(language) {
		ran := false
		for _, argument := range arguments {
			program, err := safeParse(language, fmt.Sprintf("root.r = this.v.%s(%s)\nroot.s = this.v", name, argument))
			if err != nil {
				continue
			}
			for _, shape := range shapes {
				e := &expression{program: program, field: "map"}
				record := object(t, shape)
				first, failFirst := e.query(&scope{value: record})
				second, failSecond := e.query(&scope{value: record})
				if diff := cmp.Diff(object(t, shape), record); diff != "" {
					t.Errorf("%s(%s) changes its input %s: %s", name, argument, shape, diff)
				}
				if diff := cmp.Diff(first, second); diff != "" || (failFirst == nil) != (failSecond == nil) {
					t.Errorf("%s(%s) on %s gives other things twice: %s", name, argument, shape, diff)
				}
				ran = ran || failFirst == nil
			}
		}
		if !ran {
			t.Errorf("no call of %s gave anything: give it an argument here", name)
		}
	}
}

func TestLintRefusesWhatLosesDigits(t *testing.T) {
	tests := []struct {
		name, expression string
		text             string // in the fault; "" where it is good
	}{
		{"adding fields", `this.a + this.b`, "a.plus(b)"},
		{"adding a number", `this.a + 1`, "a.plus(b)"},
		{"adding in brackets", `(this.a + this.b).string()`, "a.plus(b)"},
		{"subtracting", `this.a - this.b`, "a.minus(b)"},
		{"subtracting without blanks", `this.a-1`, "a.minus(b)"},
		{"multiplying a bracket", `(this.a)*2`, "a.times(b)"},
		{"dividing", `this.a / 10000`, "a.divided_by(b, digits)"},
		{"a remainder", `this.a % 2`, "code list"},
		{"the negative of a field", `-this.a`, "minus"},
		{"the negative of a bracket", `[-(this.a)]`, "minus"},
		{"a negative number", `this.a.times(-1)`, ""},
		{"a negative number in a list", `[1, -2]`, ""},
		{"a negative number alone", `-2.5`, ""},
		{"operators in a text", `"a * b - c / d"`, ""},
		{"operators in a long text", `"""a "*" - 1"""`, ""},
		{"operators in a comment, also at the very end", "1 # a * b", ""},
		{"a date with dashes in a text", `this.d == "2018-11-01"`, ""},
		{"joining a text", `this.a + "-" + this.b`, ""},
		{"joining two fields before a text", `this.a + this.b + "x"`, "a.plus(b)"},
		{"joining behind a text", `"x" + this.a + this.b`, ""},
		{"joining what is made text", `this.a.string() + this.b`, ""},
		{"joining what a function makes", `ref("order", this.a) + this.b`, ""},
		{"joining a bracket of texts", `("a" + this.a) + "b"`, ""},
		{"joining a quoted field", `this."a b" + this.b`, "a.plus(b)"},
		{"ordering fields", `this.a > this.b`, "is_more"},
		{"ordering a field and a number", `this.a > 0`, "is_more"},
		{"ordering an amount and a number", `this.a.decimal() >= 0`, "is_more"},
		{"ordering a length", `this.a.length() >= 1`, ""},
		{"ordering from the other side", `0 < this.a.length()`, ""},
		{"ordering texts", `this.a.string() < this.b.string()`, ""},
		{"ordering against a text", `this.day >= "2018-01-01"`, ""},
		{"comparing a field with a number", `this.a == 0`, "is_equal"},
		{"comparing an amount", `this.a.decimal() != this.b.decimal()`, "is_equal"},
		{"comparing an amount with a text", `this.a.plus(1) == "2"`, "is_equal"},
		{"comparing fields", `this.a == this.b`, ""},
		{"comparing with null", `this.a != null`, ""},
		{"comparing a step of a path", `this.a.0 == "x"`, ""},
		{"a case of a number", `match this.a { 1 => "a", _ => "b" }`, "is_equal(1)"},
		{"a case of a text", `match this.a { "1" => 5, _ => 6 }`, ""},
		{"another value for an absent field", `this.a.or("0").decimal()`, ""},
		{"another value for an absent field, by operator", `(this.a | "0").plus(1)`, ""},
		{"another value for a wrong amount", `this.a.decimal().or("0")`, "hide a wrong value behind decimal"},
		{"another value for a wrong amount, by operator", `this.a.plus(this.b).string() | "0"`, "hide a wrong value behind plus"},
		{"another value for an unknown code", `code("colour", this.a) | "none"`, "hide a wrong value behind code"},
		{"another value for an unknown code that is meant", `code("colour", this.a).catch("none")`, ""},
		{"another value in a list of amounts", `[this.a | 0, this.b.or(0)].sum()`, ""},
		{"a long number", `this.a.times(0.1234567890123456)`, `"0.1234567890123456"`},
		{"a field without this", `poNote`, "this.poNote"},
		{"a path without this", `head.poNote.trim()`, "this.head"},
		{"a name that is bound", `this.a.map_each(line -> line.no)`, ""},
		{"a name that is bound elsewhere", `this.a.map_each(line -> no)`, "this.no"},
		{"a variable", `$good`, ""},
		{"an unknown kind", `ref("wagon", this.a)`, `"wagon" is no declared kind`},
		{"an unknown local kind", `local("wagon", this.a)`, `"wagon" is no declared kind`},
		{"a ref with a segment too few", `ref("lot", this.a)`, "has 2 segments, not 1"},
		{"a ref with brackets in its segments", `ref("lot", this.a.replace_all(",", "."), [this.b, "x"].join(","))`, ""},
		{"a lookup that is not declared", `this.lookups.bom.kg`, `"bom" is not declared`},
		{"deep brackets", strings.Repeat("(", 60) + "1" + strings.Repeat(")", 60), "nested deeper"},
		{"a function without an argument", `code("colour")`, "missing parameter: local"},
		{"an argument too many", `unit("a", "b")`, "wrong number of arguments"},
		{"an open quote", `"abc`, "expected"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Compile(single("let good = 1\nroot.x = "+tt.expression), plant(t))
			switch {
			case tt.text == "" && err != nil:
				t.Errorf("refused: %v", err)
			case tt.text != "" && err == nil:
				t.Error("compiles")
			case tt.text != "" && !strings.Contains(err.Error(), tt.text):
				t.Errorf("got %v", err)
			}
			var f *DefinitionError
			if err != nil && (!errors.As(err, &f) || f.Field != "events[0].map" || f.Line != 2) {
				t.Errorf("the place is %+v", f)
			}
		})
	}
}

func TestCompileReportsEveryFaultAtOnce(t *testing.T) {
	def := Definition{
		OnChange: "later", Plant: "graz", PlantFrom: "this.p", Identity: []string{"a", "?a", ""}, Volatile: []string{"a"},
		Lookups: map[string]LookupDefinition{"my bill": {}},
		Events: []OutputDefinition{
			{Slot: "x{", Each: "this.l"},
			{Slot: "good", Type: "a.b", Version: 1, Map: "root.a = (", Occurred: OccurredDefinition{To: "this.to"}},
			{Slot: "good", Type: "a.b", Version: 1, Map: "foo = 1"},
		},
		Cases: []Case{{}, {Name: "n", Raw: "x", Kind: "xlsx", Fault: &ExpectedFault{Reason: "bad_luck"}, Events: []ExpectedEvent{{Occurred: ExpectedSpan{From: "today"}}}}},
	}
	_, err := Compile(def, plant(t))
	if err == nil {
		t.Fatal("compiles")
	}
	for _, want := range []string{
		"message: missing", "system: missing", `on-change: "later"`, "plant-from: plant is given", `identity[1]: "a" stands here twice`, "identity[2]: missing",
		"volatile[0]:", "lookups.my bill: a lookup is named", "lookups.my bill.reference: missing",
		"events[0].slot:", "events[0].type: missing", "events[0].version: missing", "events[0].map: missing", "events[0].occurred.from: missing",
		"events[1].map:1:", "events[1].occurred.from: missing: occurred.to", "events[2].map:1:1: a target begins with root",
		`events[2].slot: "good" is the slot of events[1]`,
		"cases[0].name: missing", "cases[0].message: give", "cases[1].kind:", "cases[1].fault: events", "cases[1].fault.reason:", "cases[1].events[0]: slot", "cases[1].events[0].occurred.from:",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not reported", want)
		}
	}
	again, _ := Compile(def, plant(t))
	_, err2 := Compile(def, plant(t))
	if again != nil || err2.Error() != err.Error() {
		t.Error("the faults come in another order the second time")
	}
}

func TestCompileReportsWhatASingleFieldMustNotSay(t *testing.T) {
	for name, tt := range map[string]struct {
		change func(*Definition)
		want   string
	}{
		"assignments where a value is meant": {func(d *Definition) { d.Events[0].When = "root.a = true" }, "events[0].when: assignments belong in map"},
		"a format that is none":              {func(d *Definition) { d.Format.Kind = "xlsb" }, "format: "},
		"two ways to say the format": {func(d *Definition) {
			d.Format.Kind, d.Formats = format.CSV, map[format.Kind]format.Spec{format.XLSX: {}}
		}, "formats: format is given as well"},
		"a format under another name": {func(d *Definition) { d.Formats = map[format.Kind]format.Spec{format.XLSX: {Kind: format.CSV}} }, `formats.xlsx.kind: "csv" stands under "xlsx"`},
		"a bad format among several":  {func(d *Definition) { d.Formats = map[format.Kind]format.Spec{"xlsb": {}} }, "formats.xlsb: "},
		"no events":                   {func(d *Definition) { d.Events = nil }, "events: missing"},
		"no identity":                 {func(d *Definition) { d.Identity = nil }, "identity: missing"},
		"a slot with braces alone":    {func(d *Definition) { d.Events[0].Slot = "line/{no}" }, "there is no each"},
		"each with a plain slot":      {func(d *Definition) { d.Events[0].Each = "this.l" }, "needs one part in braces"},
		"a slot that is no text":      {func(d *Definition) { d.Events[0].Slot = "a\tb" }, "printable text"},
		"a case with a number that YAML made a float": {func(d *Definition) {
			d.Cases = []Case{{Name: "n", Message: map[string]any{"id": "1", "q": []any{1.5}}}}
		}, "cases[0].message.q[0]: a float64 is nothing that a record holds: put it in quotes"},
		"a case with a kind and no text": {func(d *Definition) {
			d.Cases = []Case{{Name: "n", Message: map[string]any{"id": "1"}, Kind: format.CSV}}
		}, "cases[0].kind: is only for raw"},
		"an expression without end": {func(d *Definition) { d.Events[0].Map = "root.a = \"" + strings.Repeat("x", maxExpression) + "\"" }, "bytes, 65536 are allowed"},
	} {
		t.Run(name, func(t *testing.T) {
			def := single("root.a = 1")
			tt.change(&def)
			if _, err := Compile(def, plant(t)); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v", err)
			}
		})
	}
}

func TestACaseOfYAMLNumbersIsARecord(t *testing.T) {
	def := single("root.q = this.q")
	def.Cases = []Case{{
		Name: "n", Message: map[string]any{"id": 1, "q": []any{2, int64(3), uint64(4), true, nil, map[string]any{"a": 5}}},
		Events: []ExpectedEvent{{Slot: "good", Type: "production.completed", Data: map[string]any{"q": []any{2, 3, 4, true, nil, map[string]any{"a": 5}}}}},
	}}
	if r := mustCompile(t, def).Test()[0]; !r.OK() {
		t.Error(r.Differences)
	}
}

func TestATimeOfThePlantHasItsOffset(t *testing.T) {
	env := plant(t)
	env.Zone = vienna(t)
	def := single(`root.t = time_of(this.t, "YYYY-MM-DD hh:mm:ss")`)
	m, err := Compile(def, env)
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{
		"2026-01-02 06:00:00":     "2026-01-02T06:00:00+01:00",
		"2026-07-02 06:00:00.250": "2026-07-02T06:00:00.25+02:00",
		"2026-10-25 02:30:00":     "2026-10-25T02:30:00+02:00", // there are two: the earlier
		"2026-10-25 03:00:00":     "2026-10-25T03:00:00+01:00",
		"2026-03-29 02:30:00":     "", // the clocks skip it
		"2026-02-30 06:00:00":     "",
		"02.01.2026 06:00:00":     "",
	} {
		outputs, err := m.Apply(map[string]any{"id": "1", "t": text}, nil)
		switch {
		case want == "" && err == nil:
			t.Errorf("%s gives %v", text, outputs[0].Data["t"])
		case want != "" && (err != nil || outputs[0].Data["t"] != want):
			t.Errorf("%s gives %+v, %v", text, outputs, err)
		}
	}
}

func TestLocalRefReadsOnlyTheMarker(t *testing.T) {
	kind, id, ok := LocalRef(map[string]any{LocalKey: map[string]any{"kind": "material", "id": "4711"}})
	if kind != "material" || id != "4711" || !ok {
		t.Errorf("got %q %q %v", kind, id, ok)
	}
	for _, other := range []any{
		nil, "material/4711", event.Ref("material/4711"),
		map[string]any{},
		map[string]any{LocalKey: "x"},
		map[string]any{LocalKey: map[string]any{"kind": "material"}},
		map[string]any{LocalKey: map[string]any{"kind": "material", "id": 1}},
		map[string]any{LocalKey: map[string]any{"kind": "material", "id": "1", "more": "2"}},
		map[string]any{LocalKey: map[string]any{"kind": "material", "id": "1"}, "more": "2"},
	} {
		if _, _, ok := LocalRef(other); ok {
			t.Errorf("%v is taken for a marker", other)
		}
	}
}

// TestTheDeepestExpressionsAreRead holds that the bound on nesting is one that
// the library's parser can follow: it tries alternatives on every level.
func TestTheDeepestExpressionsAreRead(t *testing.T) {
	for _, level := range [][2]string{
		{"(", ")"},
		{"[", "]"},
		{`{"a": `, "}"},
		{"this.(", ")"},
		{"this.a.map_each(", ")"},
		{"if true { ", " }"},
		{"match { _ => ", " }"},
		{"!(", ")"},
		{`ref("order", `, ")"},
		{"(this.a | ", ")"},
		{"this.a.or(", ")"},
	} {
		text := strings.Repeat(level[0], maxNesting) + "this.a" + strings.Repeat(level[1], maxNesting)
		if _, err := Compile(single("root.x = "+text), plant(t)); err != nil {
			t.Errorf("%s: %v", level[0], err)
		}
		open := strings.Repeat(level[0], maxNesting) + "this.a" // not closed: every alternative fails
		if _, err := Compile(single("root.x = "+open), plant(t)); err == nil {
			t.Errorf("%s: compiles without its end", level[0])
		}
	}
}
