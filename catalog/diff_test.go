package catalog

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDiffTellsWhatAChangeMeans(t *testing.T) {
	const production = "contracts/production.completed.v1.yaml"
	const policyFile = "policies/no-release-under-hold.yaml"
	for name, test := range map[string]struct {
		edits []edit
		want  []string
	}{
		"nothing but a comment": {[]edit{{"kinds/lot.yaml", "title: Lot", "# so\ntitle: Lot"}}, nil},
		"a text of a definition": {
			[]edit{{"kinds/lot.yaml", "title: Lot", "title: Los"}},
			[]string{"changed kinds/lot.yaml\n  title: \"Los\" was \"Lot\""},
		},
		"an expression, as it is written": {
			[]edit{{policyFile, "size(subject.open.holds) == 0\"", "size(subject.open.holds) == 0 && event.type != \\\"x\\\"\""}},
			[]string{"\n  require: `…| !has(subject.open.holds) || size(subject.open.holds) == 0 && event.type != \"x\"` was \"!has(subject.open) ||"},
		},
		"the lines of a text that differ": {
			[]edit{{"mappings/graz-mes/shift-report.yaml", `root.order = ref("order", this.order)`, `root.order = ref("order", this.order.trim())`}},
			[]string{": line 1: `root.order = ref(\"order\", this.order.trim())` was `root.order = ref(\"order\", this.order)`"},
		},
		"a file that is new": {
			[]edit{write("slas/more.yaml", "slas: [{class: heals, within: 1h}]\n")},
			[]string{"added slas/more.yaml"},
		},
		"a contract that refuses what it took": {
			[]edit{{production, "required: [role, material, quantity]", "required: [role, material, quantity, lot]"}},
			[]string{"changed " + production + " (breaking-for-senders)\n  Messages that left out"},
		},
		"a field that is added to a closed contract": {
			[]edit{{production, "    final: {type: boolean}", "    final: {type: boolean}\n    crew: {type: string}"}},
			[]string{"changed " + production + " (breaking-for-readers)\n"},
		},
		"a new version of a contract": {
			[]edit{write("contracts/lot.released.v2.yaml", lotReleased2)},
			[]string{"added contracts/lot.released.v2.yaml (breaking-for-both)\n  Version 2 beside version 1, which stays."},
		},
		"a policy that passes what it stopped": {
			[]edit{{policyFile, "size(subject.open.holds) == 0\"", "size(subject.open.holds) <= 1\""}, {policyFile, "holds: [hold/qms/1]}}}, expect: stop", "holds: [hold/qms/1, hold/qms/2]}}}, expect: stop"}},
			[]string{"changed " + policyFile, `Case "a hold" of before: now gives pass, it gave stop.`},
		},
		"a mapping that does something else because of a code list": {
			[]edit{{"codes/unit.yaml", "kg: KGM", "kg: GRM"}, {"mappings/graz-mes/shift-report.yaml", "unit: KGM}", "unit: GRM}"}},
			[]string{"changed codes/unit.yaml\n  local.graz-mes.kg: \"GRM\" was \"KGM\"", "changed mappings/graz-mes/shift-report.yaml", `Case "a normal row" of before: now gives`},
		},
		"a mapping that is affected by the calendar of its plant": {
			[]edit{{"plants/graz.yaml", "  - {shift: \"1\", from", "  - {shift: one, from"}},
			[]string{"affected mappings/graz-mes/shift-report.yaml\n  Case \"a normal row\" of before: now gives"},
		},
		"a lifecycle that leads elsewhere": {
			[]edit{
				{"lifecycles/lot.yaml", "released: may be used}", "released: may be used, free: may be used by all}"},
				{"lifecycles/lot.yaml", "to: released}", "to: free}"},
				{"lifecycles/lot.yaml", "from: [unknown, released]", "from: [unknown, free]"},
				{"lifecycles/lot.yaml", "events: [lot.released], state: released", "events: [lot.released], state: free"},
				{"lifecycles/lot.yaml", "open:\n", "  - {on: hold.placed, from: [unknown], to: released}\nopen:\n"},
				{"lifecycles/lot.yaml", "state: unknown, open", "state: released, open"},
			},
			[]string{"changed lifecycles/lot.yaml", `Case "released" of before: now gives status free, it gave status released.`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			changes := Diff(small(t), small(t, test.edits...))
			var all []string
			for _, c := range changes {
				all = append(all, c.String())
			}
			text := strings.Join(all, "\n")
			if test.want == nil && len(changes) > 0 {
				t.Errorf("told changes:\n%s", text)
			}
			for _, want := range test.want {
				if !strings.Contains(text, want) {
					t.Errorf("nothing says %q:\n%s", want, text)
				}
			}
		})
	}
}

func TestAContractThatIsRemovedBreaksItsSenders(t *testing.T) {
	with := small(t, write("contracts/lot.released.v2.yaml", lotReleased2))
	changes := Diff(with, small(t))
	if len(changes) != 1 || changes[0].Revision != Removed || !changes[0].Effect.BreaksSenders() {
		t.Errorf("got %v", changes)
	}
	if diff := cmp.Diff([]string{"Events of this type and version were accepted; now they are held."}, changes[0].Reasons); diff != "" {
		t.Error(diff)
	}
}
