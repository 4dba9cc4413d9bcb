package catalog

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
	"go.yaml.in/yaml/v3"
)

func TestFreeFormPartsKeepWhatWasWritten(t *testing.T) {
	f := &findings{}
	d := readDocument("x.yaml", []byte(`
number: 12.50
whole: 3
exponent: 1e3
date: 2026-03-02
time: 2026-03-02T06:00:00+01:00
clock: 06:00
truth: true
word: yes
quoted: "007"
nothing:
list: [1, "1", {a: null}]
`), f)
	want := map[string]any{
		"number": json.Number("12.50"), "whole": json.Number("3"), "exponent": json.Number("1e3"), "date": "2026-03-02",
		"time": "2026-03-02T06:00:00+01:00", "clock": "06:00", "truth": true, "word": "yes", "quoted": "007", "nothing": nil,
		"list": []any{json.Number("1"), "1", map[string]any{"a": nil}},
	}
	if diff := cmp.Diff(want, d.value()); diff != "" || len(f.list) > 0 {
		t.Error(diff, f.list)
	}
}

func TestPositionsInADocument(t *testing.T) {
	f := &findings{}
	d := readDocument("x.yaml", []byte("a:\n  - b: 1\n    c.d: {e: 2}\nlist: one\ntext: |\n  first\n  second\n"), f)
	for path, want := range map[string]int{"": 1, "a": 1, "a[0]": 2, "a[0].b": 2, "a[0].c.d.e": 3, "a[0].c.d[e]": 3, "a[7]": 1, "list[0]": 4, "nowhere": 1} {
		if line, _ := d.position(path); line != want {
			t.Errorf("%q is in line %d, want %d", path, line, want)
		}
	}
	if line, _ := d.line("text", 2); line != 7 {
		t.Errorf("the second line of the text is line %d, want 7", line)
	}
}

// Whatever a file holds, reading it ends in findings or in a value that YAML
// writes and that is read back the same.
func FuzzReadDocument(f *testing.F) {
	for _, seed := range []string{
		"a: 1\n", "a: [1, {b: x}]\n", "a: &x 1\nb: *x\n", "a: |\n  text\n", "? [a]\n: b\n", "a: 0x1F\n", "a: 2026-01-01\n", "<<: {a: 1}\n", "a: !!binary aGk=\n", "replaces: standard\na: b\n", "---\n---\n",
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		found := &findings{}
		d := readDocument("x.yaml", body, found)
		if d == nil {
			if len(found.list) == 0 {
				t.Fatal("nothing was read and nothing is told")
			}
			return
		}
		d.decode(&ContractDefinition{}, found)
		value := (&decoder{document: d, findings: found}).plain(d.root)
		if len(found.list) > 0 {
			return
		}
		written, err := yaml.Marshal(plainNode(value))
		if err != nil {
			t.Fatal(err)
		}
		again := readDocument("x.yaml", written, found)
		if again == nil {
			t.Fatalf("%v in %q", found.list, written)
		}
		if diff := cmp.Diff(value, again.value()); diff != "" {
			t.Fatalf("%q was read back otherwise:\n%s", written, diff)
		}
	})
}

// plainNode is a JSON value as nodes, texts in quotes and numbers as they are.
func plainNode(value any) *yaml.Node {
	switch v := value.(type) {
	case map[string]any:
		n := &yaml.Node{Kind: yaml.MappingNode}
		for name, item := range v {
			n.Content = append(n.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: name}, plainNode(item))
		}
		return n
	case []any:
		n := &yaml.Node{Kind: yaml.SequenceNode}
		for _, item := range v {
			n.Content = append(n.Content, plainNode(item))
		}
		return n
	case string:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Style: yaml.DoubleQuotedStyle, Value: v}
	case json.Number:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: v.String()}
	case bool:
		if v {
			return &yaml.Node{Kind: yaml.ScalarNode, Value: "true"}
		}
		return &yaml.Node{Kind: yaml.ScalarNode, Value: "false"}
	}
	return &yaml.Node{Kind: yaml.ScalarNode, Value: "null"}
}
