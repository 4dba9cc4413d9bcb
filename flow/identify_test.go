package flow_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/ledger"
)

// material is master data that tells what graz-mes calls a material.
func material(id, local, ref, from string) doc {
	data := doc{"material": ref, "identifiers": []any{doc{"system": "graz-mes", "id": local}}}
	if from != "" {
		data["valid_from"] = from
	} else {
		data["valid_from"] = "2026-01-01"
	}
	return cloud("erp", id, "material.changed", "2026-01-05T08:00:00+01:00", data)
}

// weighing is a message of graz-mes with a local identifier and no lookup.
func weighing(number, item, at string) flow.Delivery {
	return native("weighing", "application/json", fmt.Sprintf(`{"number":%q,"at":%q,"order":"1","item":%q,"amount":"0.5","unit":"kg"}`, number, at, item))
}

func weighingKey(number string) string {
	return event.MessageKey("graz-mes", "weighing", fmt.Sprintf("[%q]", number))
}

// bill is a version of a bill of materials from a day on.
func bill(id, bom, from, kilograms string) doc {
	return cloud("erp", id, "bom.changed", "2026-01-05T08:00:00+01:00", doc{
		"material": "material/M-1", "valid_from": from, "base_quantity": doc{"value": "1000", "unit": "H87"},
		"components": []any{doc{"material": "material/R-7", "quantity": doc{"value": kilograms, "unit": "KGM"}}},
	}, doc{"subject": "bom/" + bom})
}

// row is a row of the shift report without rejects.
func row(day, order, item, total string) flow.Delivery {
	return native("shift-report", "application/json", fmt.Sprintf(`{"day":%q,"shift":"1","machine":"M1","order":%q,"item":%q,"total":%q,"good":%q}`, day, order, item, total, total))
}

func rowKey(day, order string) string {
	return event.MessageKey("graz-mes", "shift-report", fmt.Sprintf(`[%q,"1","M1",%q]`, day, order))
}

// used is the material of the first input of a message's only event.
func (h *hub) used(key string) (material, amount string) {
	h.t.Helper()
	all, err := h.Ledger().EventsOfMessage(h.t.Context(), key)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, e := range all {
		if inputs, ok := e.Data["inputs"].([]any); ok {
			first := inputs[0].(doc)
			return first["material"].(string), first["quantity"].(doc)["value"].(string)
		}
	}
	h.t.Fatalf("message %s made no event with inputs", key)
	return "", ""
}

func TestALocalIdentifierIsTheObjectThatItStoodForWhenItHappened(t *testing.T) {
	h := newHub(t)
	// The catalog says that CAP28 went from M-100 to M-101 with the first of March, UTC.
	for number, x := range map[string]struct{ at, want string }{
		"before": {"2026-02-28T23:59:59Z", "material/M-100"},
		"from":   {"2026-03-01T00:00:00Z", "material/M-101"},
		"zone":   {"2026-03-01T00:30:00+01:00", "material/M-100"},
	} {
		h.becomes(h.one(weighing(number, "CAP28", x.at)), "recorded")
		if got, _ := h.used(weighingKey(number)); got != x.want {
			t.Errorf("%s: CAP28 at %s is %s, want %s", number, x.at, got, x.want)
		}
	}
	h.verified()
}

func TestMasterDataGoBeforeTheCatalog(t *testing.T) {
	h := newHub(t)
	h.becomes(h.says(material("m1", "CAP28", "material/M-77", "2026-04-01")), "recorded")
	h.becomes(h.one(weighing("W-1", "CAP28", "2026-04-02T08:00:00Z")), "recorded")
	h.becomes(h.one(weighing("W-2", "CAP28", "2026-03-30T08:00:00Z")), "recorded")
	first, _ := h.used(weighingKey("W-1"))
	second, _ := h.used(weighingKey("W-2"))
	if diff := cmp.Diff([]string{"material/M-77", "material/M-101"}, []string{first, second}); diff != "" {
		t.Error(diff)
	}
}

func TestAnUnknownIdentifierWaitsForItsCrossReference(t *testing.T) {
	h := newHub(t)
	a := h.one(weighing("W-1", "NEW", "2026-03-02T08:00:00Z"))
	h.becomes(a, "held identifier_unknown")
	if a.Fault.Field != "inputs/0/material" {
		t.Errorf("field %q", a.Fault.Field)
	}
	held, err := h.Ledger().ExceptionsOf(t.Context(), weighingKey("W-1"))
	if err != nil || len(held) != 1 {
		t.Fatal(held, err)
	}
	if diff := cmp.Diff([]string{"cross-reference:graz-mes/material/NEW"}, held[0].Waits); diff != "" {
		t.Error(diff)
	}
	// Of another system, and valid only later: neither ends the wait.
	other := material("m1", "NEW", "material/M-5", "")
	other["data"].(doc)["identifiers"] = []any{doc{"system": "linz-mes", "id": "NEW"}}
	h.becomes(h.says(other), "recorded")
	h.becomes(h.says(material("m2", "NEW", "material/M-5", "2026-05-01")), "recorded")
	h.becomes(h.retried(weighingKey("W-1")), "held identifier_unknown")
	h.becomes(h.says(material("m3", "NEW", "material/M-6", "2026-02-01")), "recorded")
	h.goesOn(weighingKey("W-1"))
	if got, _ := h.used(weighingKey("W-1")); got != "material/M-6" {
		t.Errorf("NEW is %s", got)
	}
	h.verified()
}

func TestAMessageWaitsForAllIdentifiersThatItLacks(t *testing.T) {
	h := newHub(t)
	h.becomes(h.one(row("2026-03-02", "1", "NEW", "100")), "held reference_missing")
	h.becomes(h.says(bill("b1", "NEW", "2026-01-01", "2.5")), "recorded")
	// The bill is there; now the item's identifier is missing.
	waitsFor(h, rowKey("2026-03-02", "1"), "cross-reference:graz-mes/material/NEW")
	h.becomes(h.says(material("m1", "NEW", "material/M-1", "")), "recorded")
	h.goesOn(rowKey("2026-03-02", "1"))
	if _, got := h.used(rowKey("2026-03-02", "1")); got != "0.25" {
		t.Errorf("%s kg of resin, want 0.25", got)
	}
	h.verified()
}

// waitsFor waits until a held message wants just that.
func waitsFor(h *hub, key, want string) {
	h.t.Helper()
	deadline := time.After(20 * time.Second)
	for {
		moved := h.Ledger().Moved()
		held, err := h.Ledger().ExceptionsOf(h.t.Context(), key)
		if err != nil {
			h.t.Fatal(err)
		}
		if len(held) == 1 && slices.Equal(held[0].Waits, []string{want}) {
			return
		}
		select {
		case <-moved:
		case <-deadline:
			h.t.Fatalf("%+v, want it to wait for %s", held, want)
		}
	}
}

func TestReferenceDataAreThoseThatWereValidWhenItHappened(t *testing.T) {
	h := newHub(t)
	h.says(material("m1", "NEW", "material/M-1", ""))
	h.becomes(h.says(bill("b2", "NEW", "2026-03-15", "4")), "recorded")
	h.becomes(h.one(row("2026-03-20", "1", "NEW", "1000")), "recorded")
	h.becomes(h.one(row("2026-03-02", "1", "NEW", "1000")), "held reference_missing")
	h.becomes(h.says(bill("b1", "NEW", "2026-02-01", "2.5")), "recorded") // late, and of an earlier time
	h.goesOn(rowKey("2026-03-02", "1"))
	h.becomes(h.one(row("2026-03-14", "2", "NEW", "1000")), "recorded")
	h.becomes(h.one(row("2026-03-15", "2", "NEW", "1000")), "recorded")
	for _, x := range []struct{ day, order, want string }{
		{"2026-03-20", "1", "4"}, {"2026-03-02", "1", "2.5"}, {"2026-03-14", "2", "2.5"}, {"2026-03-15", "2", "4"},
	} {
		if _, got := h.used(rowKey(x.day, x.order)); got != x.want {
			t.Errorf("on %s: %s kg, want %s", x.day, got, x.want)
		}
	}
	h.verified()
}

func TestReversedMasterDataNoLongerCount(t *testing.T) {
	h := newHub(t)
	h.becomes(h.says(material("m1", "NEW", "material/M-1", "")), "recorded")
	h.becomes(h.one(weighing("W-1", "NEW", "2026-03-02T08:00:00Z")), "recorded")
	wrong := material("m2", "NEW", "material/M-1", "")
	wrong["reverses"] = "m1"
	h.becomes(h.says(wrong), "recorded")
	h.becomes(h.one(weighing("W-2", "NEW", "2026-03-02T08:00:00Z")), "held identifier_unknown")
	h.becomes(h.says(material("m3", "NEW", "material/M-2", "")), "recorded")
	h.goesOn(weighingKey("W-2"))
	first, _ := h.used(weighingKey("W-1"))
	second, _ := h.used(weighingKey("W-2"))
	if diff := cmp.Diff([]string{"material/M-1", "material/M-2"}, []string{first, second}); diff != "" {
		t.Error(diff)
	}
	h.verified()
}

func TestWhatArrivesBetweenPreparationAndCommitIsNotMissed(t *testing.T) {
	for name, arrivals := range map[string][]doc{
		"the cross-reference": {material("m1", "NEW", "material/M-1", "")},
		"one that is not valid yet, then the one that counts": {material("m1", "NEW", "material/M-9", "2026-05-01"), material("m2", "NEW", "material/M-1", "")},
	} {
		t.Run(name, func(t *testing.T) {
			database := filepath.Join(t.TempDir(), "gapless.db")
			beside := hubOn(t, flow.Config{Catalog: company(t, nil), Ledger: ledger.Config{Database: database}})
			var between atomic.Pointer[func()]
			h := hubOn(t, flow.Config{Catalog: company(t, nil), Ledger: ledger.Config{Database: database, Faults: func(step string) error {
				if do := between.Load(); step == "before begin" && do != nil {
					(*do)()
				}
				return nil
			}}})
			// What is held at the start is looked at once; after this one that is over.
			h.becomes(h.one(weighing("W-0", "OLD", "2026-03-02T08:00:00Z")), "held identifier_unknown")
			h.becomes(h.says(material("m0", "OLD", "material/M-1", "")), "recorded")
			h.goesOn(weighingKey("W-0"))
			left := arrivals // of the committer from here on
			next := func() {
				if len(left) == 0 {
					return
				}
				all, err := beside.take(events(t, key("erp"), left[0]))
				if left = left[1:]; err != nil || outcome(all[0]) != "recorded" {
					t.Errorf("what comes between: %v %v", all, err)
				}
			}
			between.Store(&next)
			a := h.one(weighing("W-1", "NEW", "2026-03-02T08:00:00Z"))
			if len(arrivals) == 1 {
				h.becomes(a, "recorded")
			} else {
				h.becomes(a, "held identifier_unknown") // and goes on at once
			}
			h.goesOn(weighingKey("W-1"))
			if got, _ := h.used(weighingKey("W-1")); got != "material/M-1" {
				t.Errorf("NEW is %s", got)
			}
			h.verified()
		})
	}
}
