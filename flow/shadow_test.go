package flow_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/ledger"
)

// goodsReceived is a receipt that the ERP itself reports.
func goodsReceived(id, lot, quantity, unit, stockType string) doc {
	return cloud("erp", id, "goods.received", "2026-03-02T09:00:00+01:00", doc{"order": "order/1", "lines": []any{doc{
		"material": "material/M-100", "lot": "lot/M-100/" + lot, "quantity": doc{"value": quantity, "unit": unit}, "stock_type": stockType,
	}}})
}

func TestTheShadowIsHeldAgainstWhatTheSystemsDid(t *testing.T) {
	x := &following{erp: &books{}}
	x.hub = hubOn(t, flow.Config{
		Catalog: company(t, map[string]string{
			"plans/lot-to-stock.yaml": lotPlan,
			"systems/graz-wms.yaml":   "system: graz-wms\ntitle: Warehouse\nroles: [wms]\nplants: [graz]\n",
			"plants/graz.yaml":        graz + "reactions: {lot-to-stock: shadow}\n",
		}),
		Ledger:  ledger.Config{Database: filepath.Join(t.TempDir(), "gapless.db")},
		Systems: map[string]flow.Follower{"erp": findable(x.erp)},
	})
	x.becomes(x.says(lotMade("e1", "4711", "100")), "recorded")
	x.becomes(x.says(lotMade("e2", "4712", "50")), "recorded")
	x.becomes(x.says(lotMade("e3", "4713", "24")), "recorded")
	x.becomes(x.says(lotMade("e4", "4714", "9")), "recorded")
	x.becomes(x.says(lotReleased("q1", "4711")), "recorded")
	x.becomes(x.says(goodsReceived("g1", "4711", "100", "H87", "quality")), "recorded")
	x.becomes(x.says(goodsReceived("g2", "4711", "3", "H87", "free")), "recorded")
	x.becomes(x.says(goodsReceived("g3", "4711", "7", "H87", "quality")), "recorded")
	x.becomes(x.says(goodsReceived("g4", "4712", "40", "H87", "quality")), "recorded")
	x.becomes(x.says(goodsReceived("g5", "4713", "2", "DZN", "quality")), "recorded")

	var got, others []string
	for after, pages := "", 0; ; pages++ {
		account, err := x.Shadow(t.Context(), []string{"graz"}, "erp", after, 2)
		if err != nil {
			t.Fatal(err)
		}
		for i := range account.Steps {
			s := &account.Steps[i]
			if s.Fault != nil || s.Request["subject"] != string(s.Object) {
				t.Errorf("%s would have sent %v: %v", s.Command, s.Request, s.Fault)
			}
			line := fmt.Sprintf("%s %s %s", s.Command, s.Object, s.Verdict)
			if s.Reported != nil {
				line += " " + s.Reported.Type
			}
			got = append(got, line)
		}
		for i := range account.Others {
			lines, _ := account.Others[i].Data["lines"].([]any)
			others = append(others, fmt.Sprint(lines))
		}
		if after = account.Next; after == "" {
			if pages != 1 {
				t.Errorf("%d pages of two objects each", pages+1)
			}
			break
		}
	}
	want := []string{
		"receive-goods lot/M-100/4711 equal goods.received", "stock-status lot/M-100/4711 equal goods.received",
		"receive-goods lot/M-100/4712 differs goods.received", "receive-goods lot/M-100/4713 equal goods.received", "receive-goods lot/M-100/4714 missing",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(others) != 1 {
		t.Errorf("what no step would have asked for: %q", others)
	}
	if none, err := x.Shadow(t.Context(), []string{"linz"}, "", "", 10); err != nil || len(none.Steps) > 0 {
		t.Errorf("another plant has %v, %v", none.Steps, err)
	}
	if lines := x.erp.lines(); len(lines) > 0 {
		t.Errorf("the ERP was told: %q", lines)
	}
	x.verified()
}

const graz = `
plant: graz
title: Moulding plant in Graz
zone: Europe/Vienna
day-starts: "06:00"
shifts: [{shift: "1", from: "06:00", to: "14:00"}, {shift: "2", from: "14:00", to: "22:00"}, {shift: "3", from: "22:00", to: "06:00"}]
begins-at: {default: 2026-01-01T00:00:00+01:00}
`
