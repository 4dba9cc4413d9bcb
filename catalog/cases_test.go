package catalog

import (
	"strings"
	"testing"
)

func TestEveryExampleOfASoundCatalogHolds(t *testing.T) {
	results := small(t).Test()
	if len(results) < 15 {
		t.Errorf("%d examples were run", len(results))
	}
	for _, r := range results {
		if !r.Passed {
			t.Error(r)
		}
	}
}

func TestAnExampleThatDoesNotHoldIsToldWithItsLine(t *testing.T) {
	const production = "contracts/production.completed.v1.yaml"
	for name, test := range map[string]struct {
		edit edit
		want string
	}{
		"a good event that the contract refuses": {
			edit{production, "{role: main, material: material/M-100, lot: lot/M-100/4711, quantity: {value: 12.5, unit: KGM}}", "{role: main, material: material/M-100}"},
			production + ":46: one lot: content breaks the contract (outputs/0/quantity): the field is required and missing",
		},
		"a good event with a time without zone": {
			edit{production, "from: 2026-03-02T06:00:00+01:00", "from: 2026-03-02T06:00:00"},
			`one lot: time is not plausible (occurred): "2026-03-02T06:00:00" is no time with zone`,
		},
		"a bad event that the contract accepts": {
			edit{production, "outputs: []}}", "outputs: [{role: main, material: material/M-100, quantity: {value: 1, unit: KGM}}]}}"},
			`: no outputs: expected contract_broken at "outputs", got nothing`,
		},
		"a bad event that is refused for another reason": {
			edit{production, "reason: quantity_inexact", "reason: quantity_invalid"},
			`: a number with noise: expected quantity_invalid at "outputs/0/quantity/value", got quantity_inexact at "outputs/0/quantity/value"`,
		},
		"a policy's case": {
			edit{"policies/no-release-under-hold.yaml", "size(subject.open.holds) == 0\"", "size(subject.open.holds) >= 0\""},
			"policies/no-release-under-hold.yaml:14: a hold: expected stop, got pass",
		},
		"a mapping's case": {
			edit{"mappings/graz-mes/shift-report.yaml", `quantity: {value: "12.5"`, `quantity: {value: "12"`},
			"mappings/graz-mes/shift-report.yaml:25: a normal row: slot good, data/outputs/0/quantity/value: \"12\" is expected, it gave \"12.5\"",
		},
		"a lifecycle's case": {
			edit{"lifecycles/lot.yaml", "events: [lot.released], state: released", "events: [lot.released], state: unknown"},
			"lifecycles/lot.yaml:10: released: expected status unknown, got released",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var failed []string
			for _, r := range small(t, test.edit).Test() {
				if !r.Passed {
					failed = append(failed, r.String())
				}
			}
			if len(failed) != 1 || !strings.Contains(failed[0], test.want) {
				t.Errorf("failed: %q, want one with %q", failed, test.want)
			}
		})
	}
}

func TestAnEventOfAMappingIsHeldAgainstItsContract(t *testing.T) {
	c := small(t, edit{"contracts/production.completed.v1.yaml", "order: {x-ref: order}", "order: {x-ref: order}\n    shift: {type: string}"},
		edit{"contracts/production.completed.v1.yaml", "required: [order, outputs]", "required: [order, outputs, shift]"})
	for _, r := range c.Test() {
		if strings.HasPrefix(r.File, "mappings/") {
			if want := "slot good: content breaks the contract (shift): the field is required and missing"; r.Passed || r.Problem != want {
				t.Errorf("got %q, want %q", r.Problem, want)
			}
		}
	}
}
