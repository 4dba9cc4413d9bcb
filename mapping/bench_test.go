package mapping

import (
	"encoding/json"
	"testing"
)

// BenchmarkApplyOneOutput is one row of a shift that made no scrap.
func BenchmarkApplyOneOutput(b *testing.B) {
	m := mustCompile(b, definition(b, shiftReport))
	row := object(b, `{"recordDate":"2018-11-01","workingShift":"1","machineNo":"04","poNote":"PO-1","itemCode":"M-1","itemTotalQuantity":"110","itemGoodQuantity":"110"}`)
	b.ReportAllocs()
	for b.Loop() {
		if outputs, err := m.Apply(row, nil); err != nil || len(outputs) != 1 {
			b.Fatalf("%d outputs, %v", len(outputs), err)
		}
	}
}

// BenchmarkApplyThreeOutputs is a row with scrap and consumption.
func BenchmarkApplyThreeOutputs(b *testing.B) {
	m := mustCompile(b, definition(b, shiftReport))
	c := m.def.Cases[0]
	b.ReportAllocs()
	for b.Loop() {
		if outputs, err := m.Apply(c.Message, c.Lookups); err != nil || len(outputs) != 3 {
			b.Fatalf("%d outputs, %v", len(outputs), err)
		}
	}
}

func BenchmarkApplyInParallel(b *testing.B) {
	m := mustCompile(b, definition(b, shiftReport))
	c := m.def.Cases[0]
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := m.Apply(c.Message, c.Lookups); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func BenchmarkIdentifyAndDigest(b *testing.B) {
	m := mustCompile(b, definition(b, shiftReport))
	row := m.def.Cases[0].Message
	b.ReportAllocs()
	for b.Loop() {
		if _, err := m.Identify(row); err != nil {
			b.Fatal(err)
		}
		if _, err := m.Digest(row); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkExplain(b *testing.B) {
	m := mustCompile(b, definition(b, shiftReport))
	c := m.def.Cases[0]
	for b.Loop() {
		if _, err := m.Explain(c.Message, c.Lookups); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkCompile(b *testing.B) {
	def, env := definition(b, shiftReport), plant(b)
	for b.Loop() {
		if _, err := Compile(def, env); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSum(b *testing.B) {
	items := make([]any, 1000)
	for i := range items {
		items[i] = json.Number("12.5")
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := sum([]any{items}); err != nil {
			b.Fatal(err)
		}
	}
}
