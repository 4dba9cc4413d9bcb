package report_test

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/report"
)

// waiting holds a message that waits for an identifier.
func (b *book) waiting(id, kind, identifier string) {
	b.t.Helper()
	s := stated{id: id, day: "2026-03-02"}
	e := s.entry(b.t)
	e.Fault = fault.New("test", fault.IdentifierUnknown, "", "%s", identifier)
	e.Waits = []string{ledger.CrossReferenceWanted("mes", kind, identifier)}
	if r, err := b.Record(b.t.Context(), e); err != nil || r.Outcome != ledger.Held {
		b.t.Fatalf("%v, %v", r, err)
	}
}

// learns records master data about a material.
func (b *book) learns(id string, ref event.Ref, number string, body map[string]any) {
	b.t.Helper()
	s := stated{id: id, day: "2026-03-02"}
	e := s.entry(b.t)
	if number != "" {
		e.Drafts[0].CrossReferences = []ledger.CrossReference{{System: "erp", Kind: "material", ID: number, Ref: ref, ValidFrom: happened}}
	}
	e.Drafts[0].Reference = &ledger.Reference{Ref: ref, ValidFrom: happened, Body: body}
	if r, err := b.Record(b.t.Context(), e); err != nil || r.Outcome != ledger.Recorded {
		b.t.Fatalf("%v, %v", r, err)
	}
}

func TestAnIdentifierThatNobodyHasExplainedIsProposedForWhatIsAlike(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		proposed := func() []report.Proposal {
			t.Helper()
			all, err := report.Proposals(t.Context(), b.Ledger, &catalog.Catalog{})
			if err != nil {
				t.Fatal(err)
			}
			return all
		}
		b.learns("m1", "material/M-7", "RM-1001", map[string]any{"title": "Lactose"})
		b.learns("m2", "material/M-8", "", map[string]any{"title": "rm 1001", "length": 12})
		b.learns("m3", "material/00420", "", nil)
		if got := proposed(); len(got) != 0 {
			t.Errorf("although nothing waits: %+v", got)
		}
		b.waiting("w1", "material", "rm1001")
		b.waiting("w2", "material", "rm1001")
		b.waiting("w3", "material", "420")
		b.waiting("w4", "material", "nothing like it")
		b.waiting("w5", "material", "--")
		b.waiting("w6", "order", "420")
		want := []report.Proposal{
			{System: "mes", Kind: "material", ID: "420", Waiting: 1, Ref: "material/00420", Because: "its ref is alike"},
			{System: "mes", Kind: "material", ID: "rm1001", Waiting: 2, Ref: "material/M-7", Because: `erp calls it "RM-1001"`},
			{System: "mes", Kind: "material", ID: "rm1001", Waiting: 2, Ref: "material/M-8", Because: `its title is "rm 1001"`},
		}
		got := proposed()
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(report.Proposal{}, "Known")); diff != "" {
			t.Error(diff)
		}
		for _, p := range got {
			if age := b.Now().Sub(p.Known); age < 0 || age > time.Hour {
				t.Errorf("%s is said to be known for %s", p.Ref, age)
			}
		}
	})
}
