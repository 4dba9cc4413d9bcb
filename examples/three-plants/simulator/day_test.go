package simulator

import (
	"encoding/json"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func asText(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheSameSeedIsTheSameDay(t *testing.T) {
	if diff := cmp.Diff(asText(t, Day(7, 12)), asText(t, Day(7, 12))); diff != "" {
		t.Errorf("two days of one seed differ:\n%.2000s", diff)
	}
	if asText(t, Day(7, 12)) == asText(t, Day(8, 12)) {
		t.Error("two seeds give the same day")
	}
}

func TestEveryDayTellsEveryStory(t *testing.T) {
	for seed := range uint64(5) {
		told := map[string]bool{}
		for _, a := range Day(seed, fewestOrders) {
			told[a.Story] = true
		}
		for _, story := range Stories() {
			if !told[story] {
				t.Errorf("day %d has no %s", seed, story)
			}
		}
	}
}

// TestADayIsPlausible holds what the day says together: nothing is made without an
// order, released before its lot has a number, or done after the day has ended.
func TestADayIsPlausible(t *testing.T) {
	for seed := range uint64(5) {
		orders, lots, ids := map[string]bool{}, map[string]bool{}, map[string]bool{}
		counts := map[Verb]int{}
		last := dayBegins
		for _, a := range Day(seed, DefaultOrders) {
			counts[a.Does]++
			if ids[a.ID] || a.At.Before(last) || a.At.After(dayEnds) {
				t.Errorf("day %d: act %s at %v is out of order", seed, a.ID, a.At)
			}
			ids[a.ID], last = true, a.At
			switch a.Does {
			case ReleaseOrder:
				orders[a.Order] = true
			case PutAway:
				lots[a.Lot] = true
			case Produce, EndOperation, Consume, Scrap:
				if !orders[a.Order] {
					t.Errorf("day %d: %s of order %s, which is not released", seed, a.Does, a.Order)
				}
			case Reject, Decide, PlaceHold, LiftHold, Relocate, Recount:
				if !lots[a.Lot] {
					t.Errorf("day %d: %s of lot %s, which was not made", seed, a.Does, a.Lot)
				}
			default:
			}
			if a.Quantity.Value.Sign() < 0 && a.Does != AdjustStock || a.Does == Produce && a.Quantity.Value.Sign() == 0 {
				t.Errorf("day %d: %s of %v", seed, a.Does, a.Quantity)
			}
		}
		if counts[ReleaseOrder] != 3*DefaultOrders || counts[Produce] < 400 || counts[Release] < 350 {
			t.Errorf("day %d: %d orders, %d lots, %d releases", seed, counts[ReleaseOrder], counts[Produce], counts[Release])
		}
	}
}
