package flow_test

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/ledger"
)

// postingMapping reads what the ERP posted; it tells only the number of the document.
const postingMapping = `
message: posting
system: erp
title: A document that the ERP posted
plant-from: this.site
format: {kind: json}
identity: [document]
occurred: {from: this.at}
echo: {document: this.document}
events:
  - slot: adjusted
    type: inventory.adjusted
    version: 1
    map: |
      root.material = "material/M-100"
      root.lot = "lot/M-100/4711"
      root.quantity = {"value": "100", "unit": "H87"}
      root.reason = "count"
      root.document = ref("document", "erp", this.document)
cases:
  - name: posted
    message: {document: "1", site: graz, at: "2026-03-02T08:00:00Z"}
    events:
      - slot: adjusted
        type: inventory.adjusted
        occurred: {from: "2026-03-02T08:00:00Z"}
        data: {material: material/M-100, lot: lot/M-100/4711, quantity: {value: "100", unit: H87}, reason: count, document: document/erp/1}
`

// newEchoing is a hub whose ERP tells of what it posts. The fate of a command is asked
// for while it is under way.
func newEchoing(t *testing.T) *following {
	t.Helper()
	x := &following{erp: &books{}, wms: &books{}}
	x.hub = hubOn(t, flow.Config{
		Catalog: company(t, map[string]string{
			"plans/lot-to-stock.yaml":   lotPlan,
			"mappings/erp/posting.yaml": postingMapping,
			"systems/graz-wms.yaml":     "system: graz-wms\ntitle: Warehouse\nroles: [wms]\nplants: [graz]\n",
		}),
		Ledger:  ledger.Config{Database: filepath.Join(t.TempDir(), "gapless.db")},
		Systems: map[string]flow.Follower{"erp": findable(x.erp), "graz-wms": findable(x.wms)},
	})
	return x
}

// posting is the message of a document.
func postingOf(number string) flow.Delivery {
	return flow.Delivery{
		From: key("erp"), System: "erp", Message: "posting", ContentType: "application/json", Channel: "http",
		Body: fmt.Appendf(nil, `{"document": %q, "site": "graz", "at": "2026-03-02T08:00:00Z"}`, number),
	}
}

// adjusted is how much the facts say was adjusted.
func (x *following) adjusted() string {
	x.t.Helper()
	sum := 0
	err := x.Ledger().Read(x.t.Context(), func(ctx context.Context, r *ledger.Reader) error {
		sum = 0
		return r.Query(ctx, "select cast(base_value as integer) from facts where measure like '%adjust%'", nil, func(row ledger.Row) error {
			n := 0
			err := row.Scan(&n)
			sum += n
			return err
		})
	})
	if err != nil {
		x.t.Fatal(err)
	}
	return fmt.Sprint(sum)
}

// The first document of the ERP is the receipt of the lot.
const receiptNumber = "5000000001"

func TestAnEchoThatComesBeforeTheAnswerIsNoFact(t *testing.T) {
	x := newEchoing(t)
	told := make(chan flow.Answer, 1)
	x.erp.fate = func(cmd connector.Command) fate {
		if cmd.Name == "receive-goods" && cmd.Attempt == 1 {
			told <- x.one(postingOf(receiptNumber)) // the number is on its way to us still
		}
		return well
	}
	x.becomes(x.says(lotMade("e1", "4711", "100")), "recorded")
	x.becomes(<-told, "recorded")
	x.quiet()
	if got := x.adjusted(); got != "0" {
		t.Errorf("%s are adjusted by what the hub itself had posted", got)
	}
	x.becomes(x.one(postingOf(receiptNumber)), "duplicate")
	x.becomes(x.one(postingOf("4900000077")), "recorded") // of somebody else
	if got := x.adjusted(); got != "100" {
		t.Errorf("%s are adjusted, and a person posted 100", got)
	}
	x.verified()
}

func TestAnEchoThatComesAfterTheAnswerIsNoFact(t *testing.T) {
	x := newEchoing(t)
	x.becomes(x.says(lotMade("e1", "4711", "100")), "recorded")
	x.quiet()
	x.becomes(x.one(postingOf(receiptNumber)), "recorded")
	if got := x.adjusted(); got != "0" {
		t.Errorf("%s are adjusted by what the hub itself had posted", got)
	}
	x.verified()
}

func TestAnEchoThatComesBeforeALostAnswerIsFoundIsNoFact(t *testing.T) {
	x := newEchoing(t)
	x.erp.fate = func(cmd connector.Command) fate {
		if cmd.Name == "receive-goods" && cmd.Attempt == 1 {
			return lostAfter
		}
		return well
	}
	x.becomes(x.says(lotMade("e1", "4711", "100")), "recorded")
	x.becomes(x.one(postingOf(receiptNumber)), "recorded")
	x.quiet()
	if got := x.adjusted(); got != "0" {
		t.Errorf("%s are adjusted by what the hub itself had posted", got)
	}
	x.verified()
}
