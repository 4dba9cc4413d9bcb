package erp

import (
	"os"
	"testing"
)

// The month is counted here from its files, and must come out as whoever made it counted.
func TestTheMonthIsCountedAsItWasMade(t *testing.T) {
	months := map[string]string{"made up": ""}
	if data := os.Getenv("GAPLESS_DATA"); data != "" {
		months["real"] = data
	} else {
		t.Log("GAPLESS_DATA names no folder: only the made-up month is counted")
	}
	for name, data := range months {
		t.Run(name, func(t *testing.T) {
			m, err := ReadMonth(data, t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			var good, scrap int64
			produced := map[string]bool{}
			for _, s := range m.Shifts {
				good, scrap = good+s.Good, scrap+s.Scrap
				if s.Total > 0 {
					produced[s.Order] = true
				}
				if s.Total > 0 && s.Grams.Sign() <= 0 {
					t.Errorf("order %s: %d parts took %s g", s.Order, s.Total, s.Grams)
				}
			}
			if good != m.Totals.Good || scrap != m.Totals.Rejected || len(produced) != m.Totals.OrdersProduced || len(m.Orders) != m.Totals.OrdersPlaced {
				t.Errorf("good %d, scrap %d, %d of %d orders produced; want %+v", good, scrap, len(produced), len(m.Orders), m.Totals)
			}
		})
	}
}
