package transaction_test

import (
	"fmt"
	"slices"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/transaction"
)

// refusedBundle is a transaction whose bundle of so many reports is refused.
func refusedBundle(t *testing.T, n int) *desk {
	t.Helper()
	def := orderPlan()
	edit(&def, "post", func(r *transaction.Reaction) { r.Collect = &transaction.Collect{Until: []string{"order.closed"}} })
	d := newDesk(t, def)
	for i := range n {
		d.happens(fmt.Sprint("e", i), "production.completed", "graz", func(h *transaction.Happened) { h.Ordering = fmt.Sprintf("%06d", i) })
	}
	d.in = d.plan.Close(d.in, "post/1")
	d.next()
	d.settle(0, transaction.StepRefused)
	return d
}

func (d *desk) split(at int, blamed ...string) {
	d.in = d.plan.Split(d.in, d.in.Steps[at].Key, blamed)
	d.next()
}

// members are what each step that is not superseded performs.
func (d *desk) members() (all []string) {
	for _, s := range d.in.Steps {
		if s.Status != transaction.StepSuperseded {
			all = append(all, fmt.Sprint(s.Status, " ", s.Statements()))
		}
	}
	return all
}

func TestWhoIsNotToBlameGoesOnTogether(t *testing.T) {
	d := refusedBundle(t, 5)
	d.split(0, "e1", "e4")
	want := []string{"due [e0 e2 e3]", "due [e1]", "due [e4]"}
	if diff := gocmp.Diff(want, d.members()); diff != "" {
		t.Fatal(diff)
	}
	d.settle(1, transaction.StepApplied)
	d.settle(2, transaction.StepRefused)
	d.settle(3, transaction.StepApplied)
	d.split(2) // it stands alone: there is nothing to take apart
	want = []string{"applied [e0 e2 e3]", "refused [e1]", "applied [e4]"}
	if diff := gocmp.Diff(want, d.members()); diff != "" {
		t.Error(diff)
	}
	d.settle(2, transaction.StepDue)
	d.settle(2, transaction.StepApplied)
	if !slices.Equal([]string{"applied [e0 e2 e3]", "applied [e1]", "applied [e4]"}, d.members()) {
		t.Error(d.members())
	}
}

func TestWhereNobodyKnowsWhoIsToBlameABundleIsHalved(t *testing.T) {
	for _, blamed := range [][]string{nil, {"e0", "e1", "e2"}, {"nobody"}} {
		d := refusedBundle(t, 3)
		d.split(0, blamed...)
		want := []string{"due [e0 e1]", "due [e2]"}
		if diff := gocmp.Diff(want, d.members()); diff != "" {
			t.Errorf("%q: %s", blamed, diff)
		}
		if before := d.in.Splits(d.in.Steps[0].Key); !before || !d.in.Splits(d.in.Steps[2].Key) || d.in.Splits("none") {
			t.Error("that it came of taking one apart is not known")
		}
	}
}

func TestOnlyWhatIsCertainlyNotDoneIsTakenApart(t *testing.T) {
	for _, status := range []transaction.StepStatus{transaction.StepSent, transaction.StepAccepted, transaction.StepApplied, transaction.StepPartlyApplied, transaction.StepWaived} {
		d := refusedBundle(t, 4)
		d.settle(0, transaction.StepDue)
		d.settle(0, status)
		before := d.in
		d.split(0)
		if diff := gocmp.Diff(before, d.in); diff != "" {
			t.Errorf("%s: %s", status, diff)
		}
	}
}

func TestAMemberThatIsCorrectedWhenItsBundleWasTakenApartGoesOutCorrected(t *testing.T) {
	d := refusedBundle(t, 4)
	d.split(0, "e3")
	d.happens("e3.2", "production.completed", "graz", func(h *transaction.Happened) { h.Key, h.Statement, h.Change = "e3", 2, "correction" })
	want := []string{"due [e0 e1 e2]", "due [e3.2]"}
	if diff := gocmp.Diff(want, d.members()); diff != "" {
		t.Error(diff)
	}
}
