package flow_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/ledger"
)

// A reaction's SLA counts to the business outcome: it is warned of while the step is
// under way, and handed on once it is late, until it is done.
func TestTheSLAOfAReactionCountsUntilItsStepIsDone(t *testing.T) {
	c := newCollecting(t, map[string]string{
		"plans/decisions.yaml": decisionPlan,
		"slas/company.yaml": "slas:\n  - {plan: decisions, reaction: lock, warn: 40%, escalate: [{after: 1h, to: heads}]}\n" +
			"  - {plan: decisions, expect: quality decision, warn: 2h, escalate: [{after: 10h, to: plant-manager}]}\n",
	})
	var down atomic.Bool
	down.Store(true)
	c.erp.fate = func(connector.Command) fate {
		if down.Load() {
			return notSent
		}
		return well
	}
	acts := func(about string) []string {
		var names []string
		all, _, err := c.Ledger().Desk(t.Context(), ledger.DeskFilter{State: ledger.DeskAll})
		if err != nil {
			t.Fatal(err)
		}
		for i := range all {
			if all[i].Cause().About != about {
				continue
			}
			acts, err := c.Ledger().ActsOnException(t.Context(), &all[i].Exception)
			if err != nil {
				t.Fatal(err)
			}
			for _, a := range acts {
				names = append(names, a.Act)
			}
		}
		return names
	}
	c.becomes(c.says(placed("p1", "H-1", lot1, "2026-03-02T08:00:00Z")), "recorded")
	c.pass(4 * time.Minute) // of 5, with a warning after 3
	warned := func() bool {
		counts, err := c.Ledger().AlertCounts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return len(counts) == 1
	}
	c.eventually("it is warned of", warned)
	if got := c.late(); len(got) != 0 {
		t.Fatalf("late already: %q", got)
	}
	c.verified()
	c.pass(2 * time.Minute)
	c.becomesLate("open step_overdue of lock-lot")
	c.pass(time.Hour)
	handed := func(to string) func() bool {
		return func() bool {
			all, _, err := c.Ledger().Desk(t.Context(), ledger.DeskFilter{Owner: to})
			if err != nil {
				t.Fatal(err)
			}
			return len(all) == 1
		}
	}
	c.eventually("it was handed on", handed("heads"))
	c.verified()
	c.restarted()
	down.Store(false)
	c.becomesLate("resolved step_overdue of lock-lot ended late: applied")
	if diff := cmp.Diff([]string{"exception.warned", "exception.raised", "exception.escalated", "exception.resolved"}, acts("deadline")); diff != "" {
		t.Error(diff)
	}
	c.pass(45*time.Hour + 30*time.Minute)
	c.eventually("what is expected is warned of", warned)
	c.pass(12 * time.Hour)
	c.eventually("what was expected was handed on", handed("plant-manager"))
	if diff := cmp.Diff([]string{"exception.warned", "exception.raised", "exception.escalated"}, acts("expectation")); diff != "" {
		t.Error(diff)
	}
	c.verified()
}

// By working time, what comes on Friday evening is not late before Monday.
func TestAnSLAMayCountTheWorkingTimeOfThePlant(t *testing.T) {
	now := time.Date(2026, 6, 5, 19, 0, 0, 0, time.UTC) // a Friday, 21:00 in Graz
	plant := "plant: graz\ntitle: Graz\nzone: Europe/Vienna\nday-starts: \"06:00\"\nshifts: [{shift: early, from: \"06:00\", to: \"14:00\"}, {shift: late, from: \"14:00\", to: \"22:00\"}]\n" +
		"working-days: [monday, tuesday, wednesday, thursday, friday]\nholidays: [{day: 2026-06-08, title: closed}]\nbegins-at: {default: 2026-01-01T00:00:00+01:00}\nwithout: [erp]\n"
	h := hubOn(t, flow.Config{
		Catalog: company(t, map[string]string{"plants/graz.yaml": plant, "slas/company.yaml": "slas:\n  - {reason: unit_unknown, plant: graz, within: 3h, warn: 1h, counts: working}\n"}),
		Ledger:  ledger.Config{Database: filepath.Join(t.TempDir(), "gapless.db"), Clock: func() time.Time { return now }},
	})
	held := h.says(unknownUnit(1))
	h.becomes(held, "held unit_unknown")
	x, err := h.Ledger().DeskOf(t.Context(), held.Message)
	if err != nil {
		t.Fatal(err)
	}
	moments, err := h.Ledger().MomentsOf(t.Context(), x.Key(), x.Version())
	if err != nil || len(moments) != 1 {
		t.Fatalf("%+v %v", moments, err)
	}
	const minute = time.RFC3339
	got := []string{x.Deadline.Truncate(time.Minute).Format(minute), moments[0].Due.Truncate(time.Minute).Format(minute)}
	if diff := cmp.Diff([]string{"2026-06-09T06:00:00Z", "2026-06-09T05:00:00Z"}, got); diff != "" { // an hour on Friday, the rest on Tuesday from 06:00
		t.Error(diff)
	}
}

// Who takes care of an exception may depend on the group of the material that it is
// about, as reference data says.
func TestTheOwnerMayDependOnTheGroupOfTheMaterial(t *testing.T) {
	c := newCollecting(t, map[string]string{
		"plans/decisions.yaml": decisionPlan,
		"owners/company.yaml":  "owners:\n  - {class: data, group: shift-leaders}\n  - {class: data, material-group: resin, group: chemists}\n  - {class: business, material-group: resin, group: resin-planners}\n",
	})
	for i, group := range []string{"resin", "caps"} {
		c.becomes(c.says(cloud("erp", fmt.Sprint("mat", i), "material.changed", "2026-02-01T08:00:00+01:00",
			doc{"material": fmt.Sprintf("material/M-10%d", i), "group": group, "base_unit": "KGM"})), "recorded")
	}
	unknown := func(id, material string) doc {
		return cloud("graz-mes", id, "production.completed", "2026-03-02T08:00:00+01:00", doc{
			"order": "order/1", "outputs": []any{doc{"role": "main", "material": "material/" + material, "lot": "lot/" + material + "/1", "quantity": doc{"value": "1", "unit": "XYZ"}}},
		})
	}
	for material, want := range map[string]string{"M-100": "chemists", "M-101": "shift-leaders", "M-102": "shift-leaders"} {
		held := c.says(unknown("u"+material, material))
		c.becomes(held, "held unit_unknown")
		if x, err := c.Ledger().DeskOf(t.Context(), held.Message); err != nil || x.Owner != want {
			t.Errorf("%s is for %s, want %s: %v", material, x.Owner, want, err)
		}
	}
	c.erp.fate = func(connector.Command) fate { return refuses }
	c.becomes(c.says(placed("p1", "H-1", lot1, "2026-03-02T08:00:00Z")), "recorded")
	c.eventually("the refusal is for those who plan resin", func() bool {
		all, _, err := c.Ledger().Desk(t.Context(), ledger.DeskFilter{Owner: "resin-planners"})
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(all, func(x ledger.DeskException) bool { return x.Step != "" })
	})
}
