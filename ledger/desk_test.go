package ledger

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// heldAbout records a message that is held and knows what it is about.
func heldAbout(t testing.TB, l *Ledger, id string, r *fault.Reason, lot event.Ref, good string) string {
	t.Helper()
	e := said(t, "graz", id)
	e.Fault = &fault.Fault{Op: "test", Reason: r, Field: "outputs/0/material", Detail: `material "7K41-053" of mes`}
	if r.Class == fault.Heals {
		e.Waits = []string{CrossReferenceWanted("mes", "material", "7K41-053")}
	}
	e.Refs = []event.Ref{lot, "order/1000123"}
	if good != "" {
		d := produced(t, "graz", id, "s0", good)
		e.Facts = d.Facts
	}
	return record(t, l, e).Message
}

func desk(t testing.TB, l *Ledger, f DeskFilter) []DeskException {
	t.Helper()
	all, _, err := l.Desk(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func groupsOf(t testing.TB, l *Ledger, f DeskFilter) []Group {
	t.Helper()
	all, err := l.Groups(t.Context(), f)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// ids are the exceptions in order.
func ids(all []DeskException) []string {
	out := make([]string, len(all))
	for i := range all {
		out[i] = subjectOf(&all[i].Exception)
	}
	return out
}

// named tells whether an error is a fault of a reason that names a field and says
// something.
func named(t testing.TB, err error, r *fault.Reason, field, says string) {
	t.Helper()
	f := fault.Of(err)
	if f == nil || f.Reason != r || f.Field != field || !strings.Contains(f.Explanation(), says) {
		t.Errorf("%v, want %s about %s that says %q", err, r, field, says)
	}
}

func TestTheQueueSumsEachCauseExactly(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		for i, good := range []string{"0.1", "0.0000001", "9223372036854", "9223372036854"} {
			heldAbout(t, f.Ledger, fmt.Sprint(i), fault.IdentifierUnknown, event.Ref(fmt.Sprintf("lot/M-1/%d", i%2)), good)
		}
		heldAbout(t, f.Ledger, "other", fault.ContractBroken, "lot/M-1/9", "")
		f.pass(time.Minute)
		f.say(Following{Steps: []Step{receipt(k1, "lot/M-1/1")}})
		f.begin("d", k1)
		f.stop(Stop{Step: k1, Number: 1, Outcome: AttemptUnknown, Hold: &StepException{Step: k1, Fault: fault.New("test", fault.StepUndecided, "", "look at it"), Owner: "stores", Terms: Within(time.Minute)}})
		all := groupsOf(t, f.Ledger, DeskFilter{})
		var got []string
		for _, g := range all {
			got = append(got, fmt.Sprintf("%s %d %v %v %s", g, g.Count, g.Owners, g.Objects, g.Class))
		}
		want := []string{
			"graz/erp/command/receive-goods/step_undecided 1 [stores] map[lot:1] operations",
			"graz/mes/message/shift-report/identifier_unknown 4 [master-data] map[lot:2 order:1] heals",
			"graz/mes/message/shift-report/contract_broken 1 [master-data] map[lot:1 order:1] data",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		sums := map[string]string{}
		for _, a := range all[1].Amounts {
			sums[a.Measure+" "+a.Unit] = a.Value.String()
		}
		if diff := cmp.Diff(map[string]string{"good KGM": "18446744073708.1000001", "scrap KGM": "0.5"}, sums); diff != "" {
			t.Error(diff)
		}
		if g := all[1]; !g.Deadline.Equal(g.Oldest.Add(time.Hour)) || g.Newest.Before(g.Oldest) {
			t.Errorf("from %s to %s, until %s", g.Oldest, g.Newest, g.Deadline)
		}
		if back, err := ParseCause(all[0].String()); err != nil || back != all[0].Cause {
			t.Errorf("%+v, %v", back, err)
		}
		noFindings(t, f.Ledger)
	})
}

func noFindings(t testing.TB, l *Ledger) {
	t.Helper()
	r, err := l.Verify(t.Context(), VerifyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range r.Checks {
		for _, finding := range c.Findings {
			if c.Name != "steps and lanes" { // the causes of these tests are made up
				t.Errorf("%s: %s", c.Name, finding)
			}
		}
	}
}

func TestAGroupWithoutANameIsRefused(t *testing.T) {
	for _, text := range []string{"", "graz", "graz/erp/command/receive-goods", "graz/erp/command/receive-goods/x/y", "graz//command/x/y", "graz/%zz/command/x/y"} {
		_, err := ParseCause(text)
		named(t, err, fault.InvalidRequest, "group", "is no group")
	}
	c := Cause{System: "mes", About: "message", Name: "a/b c", Reason: "plant_unknown"}
	if back, err := ParseCause(c.String()); err != nil || back != c {
		t.Errorf("%s is %+v, %v", c, back, err)
	}
}

func TestTheDeskIsFilteredAndPaged(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		var want []string
		for i := range 7 {
			f.pass(time.Minute)
			want = append(want, heldAbout(t, f.Ledger, fmt.Sprintf("r-%d", i), fault.IdentifierUnknown, event.Ref(fmt.Sprintf("lot/M-1/B-20%d", i)), "1"))
		}
		g := groupsOf(t, f.Ledger, DeskFilter{})[0]
		var got []string
		page := DeskFilter{Cause: &g.Cause, Oldest: true, Limit: 3}
		for range 4 {
			found, more, err := f.Desk(t.Context(), page)
			if err != nil {
				t.Fatal(err)
			}
			got = append(got, ids(found)...)
			if !more {
				break
			}
			page.After = found[len(found)-1].Place()
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("oldest first:\n%s", diff)
		}
		newest := ids(desk(t, f.Ledger, DeskFilter{}))
		if slices.Reverse(newest); !slices.Equal(newest, want) {
			t.Errorf("newest first: %v", newest)
		}
		second := fromMicros(micros(desk(t, f.Ledger, DeskFilter{Oldest: true})[1].Raised))
		for _, c := range []struct {
			name   string
			filter DeskFilter
			want   int
		}{
			{"of its plant", DeskFilter{Plant: "graz"}, 7},
			{"of the asker's plants", DeskFilter{Plants: []string{"graz", "linz"}}, 7},
			{"of other plants", DeskFilter{Plants: []string{"linz"}}, 0},
			{"of no plant", DeskFilter{Plants: []string{}}, 0},
			{"of the asking system", DeskFilter{Only: "erp"}, 0},
			{"of the owner", DeskFilter{Owner: "master-data"}, 7},
			{"of a person", DeskFilter{Owner: "anna"}, 0},
			{"from a time", DeskFilter{From: second}, 6},
			{"up to a time", DeskFilter{To: second}, 1},
			{"ended", DeskFilter{State: DeskResolved}, 0},
			{"every state", DeskFilter{State: DeskAll}, 7},
			{"by ref", DeskFilter{Text: "lot/M-1/B-203"}, 1},
			{"by the beginning of a ref", DeskFilter{Text: "lot/M-1/B-20"}, 7},
			{"by a part of a ref, however it is written", DeskFilter{Text: "b-203"}, 1},
			{"by an order", DeskFilter{Text: "1000123"}, 7},
			{"by the message's own id", DeskFilter{Text: "r-4"}, 1},
			{"by the key", DeskFilter{Text: want[2][:12]}, 1},
			{"by words of the detail", DeskFilter{Text: "material 7K41"}, 7},
			{"by all words", DeskFilter{Text: "7k41-053 B-201 order/1000123"}, 1},
			{"by a word that is not there", DeskFilter{Text: "B-201 nowhere"}, 0},
		} {
			if found := desk(t, f.Ledger, c.filter); len(found) != c.want {
				t.Errorf("%s: %v, want %d", c.name, ids(found), c.want)
			}
			n := int64(0)
			for _, g := range groupsOf(t, f.Ledger, c.filter) {
				n += g.Count
			}
			if n != int64(c.want) {
				t.Errorf("%s: the groups count %d, want %d", c.name, n, c.want)
			}
		}
		for filter, field := range map[*DeskFilter]string{{State: "closed"}: "state", {Text: `"`}: "text", {Text: strings.Repeat("a ", 9)}: "text", {After: "x"}: "after"} {
			_, _, err := f.Desk(t.Context(), *filter)
			named(t, err, fault.InvalidRequest, field, "")
		}
	})
}

func TestOfTwoWhoDecideAtOnceOneWinsAndTheOtherIsTold(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		id := heldAbout(t, f.Ledger, "1", fault.IdentifierUnknown, "lot/M-1/1", "1")
		acts := map[string]func(by string) error{
			"assign": func(by string) error { return f.Assign(t.Context(), by, id, by, "", "mine") },
			"snooze": func(by string) error {
				return f.Snooze(t.Context(), by, id, f.Now().Add(time.Hour), "the supplier answers tomorrow")
			},
			"wake":  func(by string) error { return f.Wake(t.Context(), by, id, "") },
			"waive": func(by string) error { return f.WaiveMessage(t.Context(), by, id, "a trial run") },
		}
		for _, name := range []string{"assign", "snooze", "wake", "waive"} {
			var wg sync.WaitGroup
			errs := make([]error, 8)
			for i := range errs {
				wg.Go(func() { errs[i] = acts[name](fmt.Sprintf("p%d", i)) })
			}
			wg.Wait()
			won := 0
			for _, err := range errs {
				if err == nil {
					won++
				} else if !errors.Is(err, fault.DecidedAlready) {
					t.Errorf("%s: %v", name, err)
				}
			}
			if won != 1 {
				t.Errorf("%s: %d have won", name, won)
			}
		}
		noFindings(t, f.Ledger)
	})
}

func TestEveryActIsOnRecordWithBeforeAndAfter(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		id := heldAbout(t, f.Ledger, "1", fault.IdentifierUnknown, "lot/M-1/1", "1")
		until := f.Now().Add(2 * time.Hour)
		for _, err := range []error{
			f.Assign(t.Context(), "otto", id, "anna", "", "she knows the press"),
			f.Assign(t.Context(), "anna", id, "stores", "anna", ""),
			f.Comment(t.Context(), "anna", id, "asked the supplier"),
			f.Snooze(t.Context(), "anna", id, until, ""),
		} {
			if err != nil {
				t.Fatal(err)
			}
		}
		named(t, f.Assign(t.Context(), "otto", id, "otto", "", ""), fault.DecidedAlready, "from", "stores has it")
		named(t, f.Snooze(t.Context(), "otto", id, until, ""), fault.DecidedAlready, "until", "snoozed to")
		named(t, f.Snooze(t.Context(), "otto", id, f.Now(), ""), fault.InvalidRequest, "until", "to come")
		named(t, f.Comment(t.Context(), "otto", id, " "), fault.InvalidRequest, "text", "empty")
		named(t, f.WaiveMessage(t.Context(), "otto", id, ""), fault.InvalidRequest, "why", "say why")
		named(t, f.WaiveMessage(t.Context(), "otto", k2, "x"), fault.NotFound, "exception", "no exception")
		if n := len(desk(t, f.Ledger, DeskFilter{})); n != 0 {
			t.Errorf("%d are shown while it is snoozed", n)
		}
		if x := desk(t, f.Ledger, DeskFilter{State: DeskSnoozed, Assignee: "stores"}); len(x) != 1 || !x[0].Until.Equal(until) {
			t.Errorf("snoozed: %+v", x)
		}
		f.pass(2*time.Hour + time.Second)
		if x := desk(t, f.Ledger, DeskFilter{Owner: "stores"}); len(x) != 1 || !x[0].Until.IsZero() {
			t.Errorf("it has not come back by itself: %+v", x)
		}
		if err := f.WaiveMessage(t.Context(), "otto", id, "a trial run"); err != nil {
			t.Fatal(err)
		}
		named(t, f.Assign(t.Context(), "otto", id, "otto", "stores", ""), fault.DecidedAlready, "exception", "waived at")
		if err := f.Comment(t.Context(), "otto", id, "for the record"); err != nil {
			t.Error(err)
		}
		x, err := f.DeskOf(t.Context(), id)
		if err != nil || x.State != DeskWaived || len(x.Waits) > 0 {
			t.Errorf("%+v, %v", x, err)
		}
		all, err := f.ActsOnException(t.Context(), &x.Exception)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, a := range all[1:] {
			c, ok := ParseChange(a.Detail)
			got = append(got, fmt.Sprintf("%s %s, before %v, after %v: %s %t", a.Principal, a.Act, c.Before, c.After, c.Why, ok))
		}
		want := []string{
			"otto exception.assigned, before map[assignee:], after map[assignee:anna]: she knows the press true",
			"anna exception.assigned, before map[assignee:anna], after map[assignee:stores]:  true",
			"anna exception.commented, before map[], after map[]: asked the supplier true",
			fmt.Sprintf("anna exception.snoozed, before map[], after map[until:%s]:  true", until.UTC().Format(time.RFC3339)),
			"otto exception.waived, before map[reason:identifier_unknown state:open], after map[state:waived]: a trial run true",
			"otto exception.commented, before map[], after map[]: for the record true",
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
		noFindings(t, f.Ledger)
	})
}

func TestWhatIsRaisedAnewShowsThoughItWasSnoozedAndKeepsItsPerson(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		id := heldAbout(t, f.Ledger, "1", fault.IdentifierUnknown, "lot/M-1/1", "1")
		for _, err := range []error{f.Assign(t.Context(), "otto", id, "anna", "", ""), f.Snooze(t.Context(), "anna", id, f.Now().Add(time.Hour), "")} {
			if err != nil {
				t.Fatal(err)
			}
		}
		heldAbout(t, f.Ledger, "1", fault.ContractBroken, "lot/M-1/1", "1")
		if x := desk(t, f.Ledger, DeskFilter{}); len(x) != 1 || x[0].Assignee != "anna" || x[0].Reason != fault.ContractBroken {
			t.Errorf("for another reason: %+v", x)
		}
	})
}
