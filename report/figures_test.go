package report_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/report"
)

func production(t *testing.T, b *book, q report.Query) report.Production {
	t.Helper()
	if q.By == "" {
		q.By = "item"
	}
	p, err := report.ProductionReport(t.Context(), b.Ledger, q)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// line is one row of figures to read: key unit total=good+rejected+rework+remainder !disputed.
func line(f report.Figures) string {
	return fmt.Sprintf("%s %s %s=%s+%s+%s+%s !%s", f.Key, f.Unit, f.Total, f.Good, f.Rejected, f.Rework, f.Remainder, f.Disputed)
}

func lines(all []report.Figures) []string {
	texts := []string{}
	for _, f := range all {
		texts = append(texts, line(f))
	}
	return texts
}

func TestAmountsNearTheEndOfAnIntegerAddUp(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		const times = 40
		for i := range times { // each is nearly 2^63 millionths: two of them are beyond
			facts := []event.Fact{made(t, "good", "9223372036854.775807", "H87"), made(t, "scrap", "9000000000000.333333333333", "KGM")}
			b.state(stated{id: fmt.Sprint(i), day: "2018-11-01", facts: facts})
		}
		b.state(stated{id: "0", message: "again", day: "2018-11-01", facts: []event.Fact{made(t, "good", "0.000001", "H87")}})
		p := production(t, b, report.Query{})
		want := []string{
			"material/M-1 H87 359711509437336.256474=359711509437336.256474+0+0+0 !0",
			"material/M-1 KGM 351000000000012.999999999987=0+351000000000012.999999999987+0+0 !0",
		}
		if diff := cmp.Diff(want, lines(p.Rows)); diff != "" {
			t.Error(diff)
		}
		part, _ := new(big.Rat).SetString("9223372036854.775807")
		sum := part.Mul(part, big.NewRat(times-1, 1))
		if sum.Add(sum, big.NewRat(1, 1_000_000)); rat(t, p.Rows[0].Good).Cmp(sum) != 0 {
			t.Errorf("the expectation is wrong: %s", sum.FloatString(6))
		}
		if _, err := json.Marshal(p); err != nil {
			t.Error(err)
		}
	})
}

func TestWhatMillionthsCannotCarryIsNotLost(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		for i := range 3 {
			b.state(stated{id: fmt.Sprint(i), facts: []event.Fact{made(t, "good", "0.333333333333", "KGM")}})
		}
		b.state(stated{id: "rest", facts: []event.Fact{made(t, "good", "0.000000000001", "KGM")}})
		b.state(stated{id: "tiny", facts: []event.Fact{made(t, "scrap", "0.0000000000000000001", "KGM")}})
		want := []string{"material/M-1 KGM 1.0000000000000000001=1+0.0000000000000000001+0+0 !0"}
		if diff := cmp.Diff(want, lines(production(t, b, report.Query{}).Rows)); diff != "" {
			t.Error(diff)
		}
		for _, id := range []string{"0", "1", "2", "rest", "tiny"} {
			b.state(stated{id: id, message: "not " + id, change: event.Reversal})
		}
		want = []string{"material/M-1 KGM 0=0+0+0+0 !0"}
		p := production(t, b, report.Query{})
		if diff := cmp.Diff(want, lines(p.Rows)); diff != "" || p.Orders != 0 {
			t.Error(diff, p.Orders)
		}
	})
}

func TestWhatIsDisputedStandsInItsOwnColumnUntilItIsCleared(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		b.state(stated{id: "a", facts: []event.Fact{made(t, "good", "100", "H87"), made(t, "rework", "5", "H87"), made(t, "remainder", "1", "H87")}})
		b.state(stated{id: "b", message: "b1", disputed: true, facts: []event.Fact{made(t, "good", "70", "H87"), made(t, "scrap", "7", "H87")}})
		then := b.head()
		b.state(stated{id: "b", message: "b2", facts: []event.Fact{made(t, "good", "60", "H87")}})
		for _, c := range []struct {
			name string
			asOf ledger.Cursor
			want string
		}{
			{"before it was cleared", then, "material/M-1 H87 183=170+7+5+1 !77"},
			{"after", nil, "material/M-1 H87 166=160+0+5+1 !0"},
		} {
			if got := lines(production(t, b, report.Query{AsOf: c.asOf}).Rows); len(got) != 1 || got[0] != c.want {
				t.Errorf("%s: %q", c.name, got)
			}
		}
	})
}

func TestUnitsAreNeverAddedToEachOther(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		b.state(stated{id: "a", facts: []event.Fact{made(t, "good", "100", "H87"), made(t, "good", "2.5", "KGM"), made(t, "good", "3", "MTR")}})
		p := production(t, b, report.Query{})
		want := []string{"material/M-1 H87 100=100+0+0+0 !0", "material/M-1 KGM 2.5=2.5+0+0+0 !0", "material/M-1 MTR 3=3+0+0+0 !0"}
		if diff := cmp.Diff(want, lines(p.Rows)); diff != "" {
			t.Error(diff)
		}
		if len(p.Totals) != 3 || p.Totals[0].Key != "" || p.Orders != 1 {
			t.Errorf("%v, %d orders", lines(p.Totals), p.Orders)
		}
	})
}

func TestCompletenessSaysWhatIsNotCounted(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		const estimated = "everything on record up to the position; estimated, because no source has said up to when it has sent everything"
		empty := production(t, b, report.Query{})
		if c := empty.Completeness; c.Statement != estimated || len(c.Positions) != 0 || !c.Recorded.IsZero() || c.Assured || c.Held == nil || empty.Rows == nil || empty.Totals == nil {
			t.Errorf("of nothing: %+v", empty)
		}
		b.state(stated{id: "a", facts: []event.Fact{made(t, "good", "1", "H87")}})
		last := b.state(stated{id: "b", plant: "linz", facts: []event.Fact{made(t, "good", "1", "H87")}})
		b.hold("x", "graz", fault.UnitUnknown, "")
		b.hold("y", "linz", fault.UnitUnknown, "")
		b.hold("z", "linz", fault.OpenHold, "")
		b.hold("nobody knows where", "", fault.PlantUnknown, "")

		all := production(t, b, report.Query{}).Completeness
		if all.HeldTotal != 4 || len(all.Held) != 4 || all.Statement != "4 held messages are not counted; "+estimated {
			t.Errorf("of all plants: %+v", all)
		}
		if e, err := b.Event(t.Context(), last.Events[0]); err != nil || !all.Recorded.Equal(e.Recorded) {
			t.Errorf("recorded %s, want %s, %v", all.Recorded, e.Recorded, err)
		}
		one := production(t, b, report.Query{Plants: []string{"graz"}}).Completeness
		if one.HeldTotal != 1 || one.Statement != "1 held message is not counted; "+estimated {
			t.Errorf("of graz: %+v", one)
		}
		shown, err := json.Marshal(production(t, b, report.Query{Plants: []string{"graz"}}))
		if err != nil || strings.Contains(string(shown), "linz") || strings.Contains(one.AsOf, last.Message) {
			t.Errorf("a report of graz speaks of linz: %s, %v", shown, err)
		}
		at, err := ledger.ParseCursor(one.AsOf)
		if diff := cmp.Diff(ledger.Cursor{"graz": 1}, at); diff != "" || err != nil {
			t.Error(diff, err)
		}
	})
}

func TestWhatCannotBeAskedIsRefusedWithItsParameter(t *testing.T) {
	b := open(t, t.TempDir()+"/gapless.db")
	b.state(stated{id: "a", facts: []event.Fact{made(t, "good", "1", "H87")}})
	for _, c := range []struct {
		name, field string
		q           report.Query
	}{
		{"an unknown dimension", "by", report.Query{By: "colour"}},
		{"no dimension", "by", report.Query{}},
		{"SQL as a dimension", "by", report.Query{By: "material from facts --"}},
		{"a day that does not exist", "from", report.Query{By: "item", From: "2018-02-30"}},
		{"a time instead of a day", "to", report.Query{By: "item", To: "2018-11-01T00:00:00Z"}},
		{"an end before the beginning", "to", report.Query{By: "item", From: "2018-11-02", To: "2018-11-01"}},
		{"a position that is not on record yet", "as_of", report.Query{By: "item", AsOf: ledger.Cursor{"graz": 2}}},
		{"a plant of another hub", "as_of", report.Query{By: "item", AsOf: ledger.Cursor{"paris": 1}}},
		{"a position below the beginning", "as_of", report.Query{By: "item", AsOf: ledger.Cursor{"graz": -1}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := report.ProductionReport(t.Context(), b.Ledger, c.q)
			_, opened := report.Details(t.Context(), b.Ledger, c.q, 10)
			for _, err := range []error{err, opened} {
				if f := fault.Of(err); f == nil || !errors.Is(err, fault.InvalidRequest) || f.Field != c.field {
					t.Errorf("%v", err)
				}
			}
		})
	}
	if _, err := report.ProductionReport(t.Context(), b.Ledger, report.Query{By: "item", Plants: []string{"graz"}, AsOf: ledger.Cursor{"graz": 1, "paris": 7}}); err != nil {
		t.Errorf("a plant that is not asked for is not looked at: %v", err)
	}
}

func TestDetailsComeInTheOrderOfTheFeedAndNotMoreThanAsked(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		first := b.state(stated{id: "a", message: "a1", day: "2018-11-01", shift: "1", facts: []event.Fact{made(t, "good", "100", "H87"), made(t, "scrap", "3", "H87")}})
		second := b.state(stated{id: "a", message: "a2", day: "2018-11-02", shift: "2", facts: []event.Fact{made(t, "good", "90", "H87")}})
		b.state(stated{id: "b", plant: "linz", facts: []event.Fact{made(t, "good", "1", "H87")}})
		all, err := report.Details(t.Context(), b.Ledger, report.Query{By: "item"}, 100)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, d := range all {
			got = append(got, fmt.Sprintf("%s %s %s %s", d.Measure, d.Amount, d.Day, d.Shift))
		}
		want := []string{"good 100 2018-11-01 1", "scrap 3 2018-11-01 1", "good -100 2018-11-01 1", "scrap -3 2018-11-01 1", "good 90 2018-11-02 2", "good 1  "}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		if all[0].Event != first.Events[0] || all[0].Message != first.Message || all[2].Event != second.Events[0] || all[4].Message != second.Message || all[4].Recorded.Before(all[0].Recorded) {
			t.Errorf("lineage: %+v, %+v", all[0], all[2])
		}
		for limit := range len(all) + 1 {
			some, err := report.Details(t.Context(), b.Ledger, report.Query{By: "item"}, limit)
			if diff := cmp.Diff(all[:limit], some); err != nil || diff != "" {
				t.Errorf("%d: %v\n%s", limit, err, diff)
			}
		}
	})
}
