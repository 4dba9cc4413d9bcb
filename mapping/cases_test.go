package mapping

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/format"
)

func TestAMappingSaysHowItsMessagesAreRead(t *testing.T) {
	one := mustCompile(t, definition(t, shiftReport))
	def := single(`root.a = 1`)
	def.Formats = map[format.Kind]format.Spec{format.XLSX: {Sheet: "poList"}, format.CSV: {Delimiter: ";"}}
	several := mustCompile(t, def)
	plain := mustCompile(t, single(`root.a = 1`))
	for name, tt := range map[string]struct {
		m    *Mapping
		kind format.Kind
		want string // delimiter, sheet or first column
		ok   bool
	}{
		"the one format":                    {one, format.CSV, "recordDate", true},
		"JSON of the same fields":           {one, format.JSON, "", true},
		"another format is not declared":    {one, format.XLSX, "", false},
		"one of several":                    {several, format.XLSX, "poList", true},
		"another of several":                {several, format.CSV, ";", true},
		"JSON beside several":               {several, format.JSON, "", true},
		"JSON where nothing is declared":    {plain, format.JSON, "", true},
		"a table where nothing is declared": {plain, format.CSV, "", false},
	} {
		t.Run(name, func(t *testing.T) {
			spec, ok := tt.m.Format(tt.kind)
			got := spec.Sheet + spec.Delimiter
			if len(spec.Columns) > 0 {
				got = spec.Columns[0]
			}
			if ok != tt.ok || got != tt.want || ok && spec.Kind != tt.kind && spec.Kind != "" {
				t.Errorf("got %+v, %v", spec, ok)
			}
		})
	}
	if one.OnChange() != Correction || plain.OnChange() != Conflict {
		t.Errorf("on change: %s, %s", one.OnChange(), plain.OnChange())
	}
	if diff := cmp.Diff([]string{"production.completed", "scrap.declared", "material.consumed"}, one.Types()); diff != "" {
		t.Error(diff)
	}
}

func TestACaseThatIsNotMetSaysWhatDiffers(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Case)
		want   string
	}{
		{"another value", func(c *Case) { c.Events[0].Data["rejected"] = "8" }, `slot output, data/rejected: "8" is expected, it gave "7"`},
		{"a value too many", func(c *Case) { delete(c.Events[0].Data, "rejected") }, `data/rejected: nothing is expected, it gave "7"`},
		{"a value too few", func(c *Case) { c.Events[0].Data["more"] = "8" }, `data/more: "8" is expected, it gave nothing`},
		{"another list", func(c *Case) { c.Events[0].Data["outputs"] = []any{} }, "data/outputs: [] is expected"},
		{"another subject", func(c *Case) { c.Events[0].Subject = "order/2" }, "subject: order/2 is expected, it gave order/PO-1"},
		{"another time", func(c *Case) { c.Events[0].Occurred.To = "2018-11-01T14:00:00Z" }, "occurred/to"},
		{"another version", func(c *Case) { c.Events[0].Version = 2 }, "version: 2 is expected, it gave 1"},
		{"an event too few", func(c *Case) { c.Events = c.Events[1:] }, "expected events: scrap/black-spot"},
		{"no event", func(c *Case) { c.Events = nil }, "expected events: none; it gave: output production.completed, "},
		{"a fault", func(c *Case) { c.Events, c.Fault = nil, &ExpectedFault{Reason: "field_missing"} }, "fault field_missing is expected, it gave 3 events"},
		{"no fault", func(c *Case) { delete(c.Message, "itemGoodQuantity") }, "events are expected, it gave the fault field_missing"},
		{"another fault", func(c *Case) {
			delete(c.Message, "itemGoodQuantity")
			c.Events, c.Fault = nil, &ExpectedFault{Reason: "id_missing"}
		}, "fault id_missing is expected, it gave field_missing"},
		{"a fault of another field", func(c *Case) {
			delete(c.Message, "itemGoodQuantity")
			c.Events, c.Fault = nil, &ExpectedFault{Reason: "field_missing", Field: "poNote"}
		}, `for field "poNote", it names "itemGoodQuantity"`},
		{"no identity", func(c *Case) { delete(c.Message, "machineNo") }, "it gave the fault id_missing"},
		{"an unreadable text", func(c *Case) { c.Message, c.Raw = nil, "recordDate\n1\n" }, "the message cannot be read"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			def := definition(t, shiftReport)
			tt.change(&def.Cases[0])
			r := mustCompile(t, def).Test()[0]
			if r.OK() || !strings.Contains(strings.Join(r.Differences, "\n"), tt.want) {
				t.Errorf("got %q", r.Differences)
			}
		})
	}
}
