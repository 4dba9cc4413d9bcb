package tryton_test

import (
	"encoding/json"
	"testing"

	"github.com/gapless/gapless/connector/tryton"
)

func TestAClientLogsInByItselfAndReads(t *testing.T) {
	client := clientOf(t, newOutside(t), "hub")
	var orders []struct {
		ID       int64
		Number   string
		State    string
		Quantity json.Number
		Product  struct{ Code string } `json:"product."`
	}
	err := client.SearchRead(t.Context(), "production", tryton.Query{
		Domain: []any{[]any{"number", "=", "MO000001"}}, Fields: []string{"number", "state", "quantity", "product.code"},
	}, &orders)
	if err != nil {
		t.Fatal(err)
	}
	if len(orders) != 1 || orders[0].Number != "MO000001" || orders[0].Product.Code != "SF-3001" || orders[0].Quantity == "" {
		t.Errorf("read %+v", orders)
	}
}
