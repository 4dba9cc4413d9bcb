package catalog

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const shiftReportFile = "mappings/graz-mes/shift-report.yaml"

// withEditable declares what may be edited of the shift report.
func withEditable(list string) edit {
	return edit{shiftReportFile, "lookups:\n", "editable:\n" + list + "lookups:\n"}
}

// What a field decides is found by the cases: a technical one decides nothing of the
// record.
func TestWhatMayBeEditedIsLinted(t *testing.T) {
	for name, test := range map[string]struct {
		list string
		want string // part of the only finding; "" for none
	}{
		"a unit":                              {"  - {field: unit, role: steward}\n", ""},
		"an amount":                           {"  - {field: good, role: steward}\n", "good decides outputs/0/quantity/value of production.completed, which is of the record"},
		"an amount, with a second person":     {"  - {field: good, role: quality, second: approver}\n", ""},
		"a material":                          {"  - {field: material, role: steward}\n", "material decides outputs/0/material of production.completed, which is of the record"},
		"a field that identifies the message": {"  - {field: order, role: quality, second: approver}\n", `"order" is part of the identity`},
		"a field that no case has":            {"  - {field: remark, role: steward}\n", `no case has the field "remark"`},
		"no field":                            {"  - {role: steward}\n", "missing: name a field"},
		"a field twice":                       {"  - {field: unit, role: steward}\n  - {field: unit, role: quality}\n", `"unit" stands here twice`},
		"a role that nobody has":              {"  - {field: unit, role: boss}\n", `"boss" is no role that edits: one of operator, quality, steward, approver`},
		"a role that does not sign":           {"  - {field: unit, role: steward, second: viewer}\n", `"viewer" is no role that signs`},
		"a key that is unknown":               {"  - {field: unit, role: steward, rolle: x}\n", "unknown key"},
	} {
		t.Run(name, func(t *testing.T) {
			_, findings := Load(smallFS(t, withEditable(test.list)))
			switch {
			case test.want == "" && len(findings) > 0:
				t.Errorf("found: %v", findings)
			case test.want != "" && (len(findings) == 0 || !strings.Contains(findings[0].String(), test.want)):
				t.Errorf("found: %v; want %s", findings, test.want)
			case test.want != "" && !strings.HasPrefix(findings[0].String(), shiftReportFile+":"):
				t.Errorf("%v does not name the file", findings[0])
			}
		})
	}
}

func TestAFieldThatDecidesTimesLookupsOrEventsIsOfTheRecord(t *testing.T) {
	for name, test := range map[string]struct {
		edits []edit
		want  string
	}{
		"when it happened": {
			[]edit{withEditable("  - {field: end, role: steward}\n"), {shiftReportFile, "  to: shift_to(this.day, this.shift)", "  to: this.end"}},
			"end decides when production.completed happened",
		},
		"which reference data is read": {
			[]edit{withEditable("  - {field: end, role: steward}\n"), {shiftReportFile, `'ref("material", this.material)', when: this.bill == "yes", required: true`, `'ref("material", this.end)'`}},
			"end decides which reference data is read (bill)",
		},
		"whether there is an event": {
			[]edit{withEditable("  - {field: end, role: steward}\n"), {shiftReportFile, "    version: 1\n    map:", "    version: 1\n    when: this.end == \"2026-03-02T14:00:00+01:00\"\n    map:"}},
			"end decides whether there is a production.completed",
		},
		"the plant": {
			[]edit{
				withEditable("  - {field: end, role: quality, second: approver}\n"),
				{shiftReportFile, "plant: graz\n", "plant-from: 'if this.end == \"2026-03-02T14:00:00+01:00\" { \"graz\" } else { \"linz\" }'\n"},
				{shiftReportFile, "shift_from(this.day, this.shift)", `'"2026-03-02T06:00:00+01:00"'`},
				{shiftReportFile, "shift_to(this.day, this.shift)", `'"2026-03-02T14:00:00+01:00"'`},
			},
			"end decides the plant, which nobody may edit",
		},
	} {
		t.Run(name, func(t *testing.T) {
			edits := append(test.edits, edit{shiftReportFile, "columns: [day, shift, order, material, good, unit]", "columns: [day, shift, order, material, good, unit, end]"},
				edit{shiftReportFile, "day,shift,order,material,good,unit\n", "day,shift,order,material,good,unit,end\n"}, edit{shiftReportFile, "12.5,kg\n", "12.5,kg,2026-03-02T14:00:00+01:00\n"})
			_, findings := Load(smallFS(t, edits...))
			if len(findings) == 0 || !strings.Contains(findings[0].String(), test.want) {
				t.Errorf("found: %v; want %s", findings, test.want)
			}
		})
	}
}

func TestWhatMayBeEditedIsDocumentedAndCompared(t *testing.T) {
	before := small(t, withEditable("  - {field: unit, role: steward}\n"))
	pages := map[string]string{}
	if err := before.WriteDocs(func(name string, page []byte) error { pages[name] = string(page); return nil }); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(pages["mappings.md"], "| `unit` | steward | nobody: it is technical |") {
		t.Errorf("mappings.md does not say who may edit what:\n%s", pages["mappings.md"])
	}
	now := small(t, withEditable("  - {field: unit, role: operator}\n  - {field: good, role: quality, second: approver}\n"))
	changes := Diff(before, now)
	if len(changes) != 1 {
		t.Fatalf("changes: %v", changes)
	}
	want := []string{
		"editable: good can be edited in the hub from now on: by the role quality, signed too by the role approver.",
		"editable: unit was edited by the role steward, now by the role operator.",
	}
	if diff := cmp.Diff(want, changes[0].Reasons); diff != "" {
		t.Error(diff)
	}
	want = []string{"editable: unit can no longer be edited in the hub: what is wrong with it is corrected at its source."}
	if diff := cmp.Diff(want, Diff(before, small(t))[0].Reasons); diff != "" {
		t.Error(diff)
	}
}
