package report_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/report"
)

func TestAFeedThatIsLongerThanOneReadAddsUp(t *testing.T) {
	if testing.Short() {
		t.Skip("records 12,000 events: not in short tests")
	}
	const events = 12_000 // more than two stretches
	onBoth(t, func(t *testing.T, b *book) {
		entries := make([]*ledger.Entry, events)
		for i := range entries {
			f := made(t, "good", fmt.Sprint(i), "H87")
			f.Lot = event.Ref(fmt.Sprintf("lot/M-1/%d", i%7))
			entries[i] = stated{id: fmt.Sprint(i), facts: []event.Fact{f}}.entry(t)
		}
		if _, err := b.RecordAll(t.Context(), entries); err != nil {
			t.Fatal(err)
		}
		p := production(t, b, report.Query{By: "lot"})
		if diff := cmp.Diff([]string{" H87 71994000=71994000+0+0+0 !0"}, lines(p.Totals)); diff != "" || len(p.Rows) != 7 {
			t.Errorf("%d rows, %s", len(p.Rows), diff)
		}
		for _, f := range p.Rows {
			opened(t, b, report.Query{By: "lot"}, f)
		}
		last, err := report.Details(t.Context(), b.Ledger, report.Query{By: "item"}, events-1)
		if err != nil || len(last) != events-1 {
			t.Errorf("%d details, %v", len(last), err)
		}
	})
}
