package flow_test

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/event"
)

// shiftReport is the mapping of the shift report, with a text in it exchanged.
func shiftReport(t testing.TB, old, text string) map[string]string {
	t.Helper()
	const path = "mappings/graz-mes/shift-report.yaml"
	data, err := os.ReadFile("testdata/company/" + path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(data), old) {
		t.Fatalf("the mapping has no %q", old)
	}
	return map[string]string{path: strings.ReplaceAll(string(data), old, text)}
}

func rejects(reason string) string {
	return `{"day":"2026-03-02","shift":"1","machine":"M1","order":"1","item":"FREE","total":"10","good":"8","bad":"2","reason":"` + reason + `"}`
}

func TestWhatTheCatalogDidNotKnowGoesOnUnderTheRevisionThatKnowsIt(t *testing.T) {
	h := newHub(t)
	h.says(material("m1", "FREE", "material/M-9", ""))
	a := h.one(native("shift-report", "application/json", rejects("XX")))
	h.becomes(a, "held code_unknown")
	if n := h.count(); n.Events != 1 {
		t.Fatalf("part of the row is on record: %+v", n)
	}
	h.verified()
	h = h.again(map[string]string{"codes/scrap-reason.yaml": "list: scrap-reason\ntitle: Why goods are scrap\nextends: standard\nlocal:\n  graz-mes: {KR: scratch, FL: stain, XX: bend}\n"})
	k := rowKey("2026-03-02", "1")
	h.goesOn(k)
	made, err := h.Ledger().EventsOfMessage(t.Context(), k)
	if err != nil || len(made) != 2 {
		t.Fatalf("%d events, want 2: %v", len(made), err)
	}
	for _, e := range made {
		if e.Revision != h.Catalog().Digest() {
			t.Errorf("%s names revision %.12s, recorded by %.12s", e.Type, e.Revision, h.Catalog().Digest())
		}
	}
	h.verified()
}

func TestAnEventTypeThatIsAddedLetsItsEventsGoOn(t *testing.T) {
	h := newHub(t)
	h.becomes(h.says(cloud("graz-mes", "e1", "mould.cleaned", "2026-03-02T08:00:00Z", doc{"equipment": "equipment/graz/M-1"})), "held event_type_unknown")
	h = h.again(map[string]string{"contracts/mould.cleaned.v1.yaml": `type: mould.cleaned
version: 1
title: Mould cleaned
definition: A mould was taken apart and cleaned.
nature: fact
owner: production
role: mes
subject: {kind: [equipment], from: equipment}
schema: {type: object, additionalProperties: false, required: [equipment], properties: {equipment: {x-ref: equipment}}}
retention: 1y
examples:
  good: [{name: cleaned, event: {occurred: {from: "2026-03-02T08:00:00Z"}, data: {equipment: equipment/graz/M-1}}}]
  bad: [{name: which one, event: {occurred: {from: "2026-03-02T08:00:00Z"}, data: {}}, reason: contract_broken, field: equipment}]
`})
	h.goesOn(messageKey("graz-mes", "e1"))
	h.verified()
}

func TestAPlantThatIsAddedTakesWhatWasHeldForIt(t *testing.T) {
	h := newHub(t)
	h.becomes(h.says(cloud("erp", "o1", "order.released", "2026-03-02T08:00:00Z", doc{"order": "order/1", "type": "production"}, doc{"plant": "wels"})), "held plant_unknown")
	h.verified()
	h = h.again(map[string]string{"plants/wels.yaml": "plant: wels\ntitle: A new plant\nzone: Europe/Vienna\nday-starts: \"06:00\"\nshifts: [{shift: D, from: \"06:00\", to: \"06:00\"}]\n"})
	h.goesOn(messageKey("erp", "o1"))
	if e := h.statement(messageKey("erp", "o1")); e.Plant != "wels" || e.Position != 1 {
		t.Errorf("it stands at %s/%d", e.Plant, e.Position)
	}
	h.verified()
}

func TestExplainUsesTheRevisionThatRecorded(t *testing.T) {
	h := newHub(t)
	h.says(material("m1", "NEW", "material/M-1", ""))
	h.says(bill("b1", "NEW", "2026-02-01", "2.5"))
	h.becomes(h.one(row("2026-03-02", "1", "NEW", "1000")), "recorded")
	k := rowKey("2026-03-02", "1")
	amount := func(h *hub, version int) string {
		all, err := h.Explain(t.Context(), event.StatementID(k, version))
		if err != nil {
			t.Fatal(err)
		}
		for _, x := range all {
			if x.Slot == "resin" && strings.HasSuffix(x.Field, "quantity/value") {
				return x.Value.(string)
			}
		}
		t.Fatalf("nothing explains the quantity: %+v", all)
		return ""
	}
	if got := amount(h, 1); got != "2.5" {
		t.Fatalf("explained as %s", got)
	}
	// From now on half is wasted, and the bill of then is restated.
	h = h.again(shiftReport(t, "this.lookups.bill.base_quantity.value, 6)", `this.lookups.bill.base_quantity.value, 6).times("2")`))
	b2 := bill("b2", "NEW", "2026-02-01", "3")
	b2["corrects"] = "b1"
	h.becomes(h.says(b2), "recorded")
	if got := amount(h, 1); got != "2.5" {
		t.Errorf("before a correction: explained as %s; it was recorded as 2.5", got)
	}
	h.becomes(h.one(row("2026-03-02", "1", "NEW", "2000")), "corrected")
	got := map[int]string{1: amount(h, 1), 2: amount(h, 2)}
	if diff := cmp.Diff(map[int]string{1: "2.5", 2: "12"}, got); diff != "" {
		t.Error(diff)
	}
	h.verified()
}
