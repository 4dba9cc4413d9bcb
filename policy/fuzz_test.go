package policy

import (
	"strings"
	"testing"
)

// FuzzCompile holds that no text makes Compile or Judge crash, that a fault has
// a field, and that a policy that compiles judges the same event the same way twice.
func FuzzCompile(f *testing.F) {
	for _, require := range clauses {
		f.Add(require, `"message"`)
	}
	f.Add(read(f, balance).Require, read(f, balance).Message)
	f.Add(`event.data.outputs.all(x, event.data.outputs.exists(y, x != y))`, `text([1, "a", null])`)
	f.Add(`sum([1, "2.5", {"value": "1", "unit": "KGM"}]) == dec("1")`, `text(dec("1"))`)
	f.Add(`timestamp("2018-11-01T00:00:00Z").getHours("+01:00") < 1`, `string(1)`)
	f.Add("\x00(", "((((")
	f.Add(`1.5 < double("2")`, `refKind("")`)
	in := benchmarkInput(3)
	f.Fuzz(func(t *testing.T, require, message string) {
		def := requiring(require)
		def.Message, def.Reads = message, nil
		p, err := Compile(def)
		if err != nil && strings.Contains(err.Error(), "add it") {
			def.Reads = nil
			for _, name := range []string{"state", "reference"} {
				if strings.Contains(err.Error(), "uses "+name+":") {
					def.Reads = append(def.Reads, name)
				}
			}
			p, err = Compile(def)
		}
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if line == "" {
					t.Fatalf("an empty fault in %q", err)
				}
			}
			return
		}
		first, applies := p.Judge(in)
		again, _ := p.Judge(in)
		if !applies || first != again {
			t.Fatalf("%+v, then %+v", first, again)
		}
		if strings.Contains(first.Message, "internal error") {
			t.Fatalf("a panic below: %s", first.Message)
		}
	})
}
