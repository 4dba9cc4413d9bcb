package policy

import (
	"encoding/json"
	"fmt"
	"testing"
)

// clauses are seven conditions as they stand in a catalog, each its own policy.
var clauses = []string{
	`has(event.data.quantity) && !isNegative(event.data.quantity)`,
	`event.data.quantity.unit == "KGM"`,
	`event.type.startsWith("lot.")`,
	`size(event.data.outputs) > 0`,
	`event.data.outputs[0].role == "main"`,
	`event.plant in ["graz", "linz"]`,
	`event.version == 1`,
}

func benchmarkInput(rows int) Input {
	var outputs []any
	for range rows {
		outputs = append(outputs, map[string]any{"role": "main", "quantity": map[string]any{"value": "12.5", "unit": "KGM"}})
	}
	return Input{Event: map[string]any{
		"type": "lot.released", "plant": "graz", "version": json.Number("1"), "subject": "lot/M-100/4711",
		"data": map[string]any{"quantity": map[string]any{"value": "12.5", "unit": "KGM"}, "outputs": outputs},
	}}
}

func benchmarkSet(b *testing.B, in Input, requires ...string) {
	b.Helper()
	var policies []*Policy
	for i, require := range requires {
		def := requiring(require)
		def.Name = fmt.Sprintf("p%d", i)
		policies = append(policies, mustCompile(b, def))
	}
	set, err := NewSet(policies)
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		for _, v := range set.Judge(BeforeQueue, in) {
			if v.Outcome != Pass {
				b.Fatalf("%+v", v)
			}
		}
	}
}

func BenchmarkSevenPolicies(b *testing.B) { benchmarkSet(b, benchmarkInput(1), clauses...) }

func BenchmarkOnePolicy(b *testing.B) { benchmarkSet(b, benchmarkInput(1), clauses[6]) }

func BenchmarkSumOfAThousandRows(b *testing.B) {
	benchmarkSet(b, benchmarkInput(1000), `!isNegative(sum(event.data.outputs.map(o, o.quantity)))`)
}

func BenchmarkLoopOverAThousandRows(b *testing.B) {
	benchmarkSet(b, benchmarkInput(1000), `event.data.outputs.all(o, o.role == "main")`)
}

// BenchmarkCostLimit is how long an evaluation can hold up a commit.
func BenchmarkCostLimit(b *testing.B) {
	p := mustCompile(b, requiring(`event.data.outputs.all(x, event.data.outputs.all(y, x.role == y.role))`))
	in := benchmarkInput(1000)
	for b.Loop() {
		if v, _ := p.Judge(in); v.Outcome != Failed {
			b.Fatalf("%+v", v)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	def := read(b, balance)
	for b.Loop() {
		if _, err := Compile(def); err != nil {
			b.Fatal(err)
		}
	}
}
