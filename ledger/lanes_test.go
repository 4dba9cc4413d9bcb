package ledger

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/gapless/gapless/event"
)

// lanesInOrder fails the test where verify finds something about lanes. The causes of the
// steps of these tests are not on record.
func (f *follower) lanesInOrder() {
	f.t.Helper()
	for _, finding := range verify(f.t, f.Ledger) {
		if strings.Contains(finding, ": lane ") || strings.Contains(finding, "stands in") {
			f.t.Error(finding)
		}
	}
}

// ordered is a receipt whose cause stands somewhere among the events of its object.
func ordered(key, ordering string, lanes ...event.Ref) Step {
	s := receipt(key, lanes...)
	s.Ordering = ordering
	return s
}

func TestTheStepOfAnOlderEventGoesFirstUnlessOneIsOnItsWay(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		wants := func(want ...string) {
			t.Helper()
			if diff := cmp.Diff(want, f.due()); diff != "" {
				t.Errorf("due:\n%s", diff)
			}
		}
		const lot = event.Ref("lot/M-1/1")
		young, old, oldest := ordered("a1", "3", lot), ordered("a2", "2", lot), ordered("a3", "1", lot)
		f.say(Following{Steps: []Step{young}})
		wants("a1")
		f.say(Following{Steps: []Step{old}}) // it comes late
		wants("a2")
		f.begin("d", "a2")
		f.say(Following{Steps: []Step{oldest}}) // later still: a2 may have gone out
		f.pass(time.Hour)
		wants("a2")
		f.say(Following{Steps: []Step{moved(old, StepApplied)}}, Settlement{Step: "a2", Transaction: old.Transaction, Outcome: AttemptApplied})
		wants("a3")
		f.begin("d", "a3")
		f.say(Following{Steps: []Step{ordered("a0", "0", lot)}})
		f.pass(time.Hour)
		wants("a3")
		f.stop(Stop{Step: "a3", Number: 1, Outcome: AttemptNotSent, Due: micros(f.Now())})
		wants("a0") // nothing of the other went out
		f.say(Following{Steps: []Step{moved(ordered("a0", "0", lot), StepSuperseded)}})
		f.say(Following{Steps: []Step{ordered("a4", "1", lot)}}) // of the same place: the one that came first goes first
		wants("a3")
		f.say(Following{Steps: []Step{moved(oldest, StepSuperseded)}})
		wants("a4")
		f.say(Following{Steps: []Step{moved(ordered("a4", "1", lot), StepWaiting)}})
		wants("a1")
		f.say(Following{Steps: []Step{moved(ordered("a4", "1", lot), StepDue)}}) // what it waited for is there
		wants("a4")
		f.lanesInOrder()
	})
}

// In whatever order steps come, go out and end, one of them is due, and of those that
// have not gone out the one with the smallest place.
func TestStepsInSeveralLanesNeverWaitForEachOtherInACircle(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		round := 0
		rapid.Check(t, func(rt *rapid.T) {
			round++
			lanes := []event.Ref{}
			for i := range 4 {
				lanes = append(lanes, event.Ref(fmt.Sprintf("lot/M-%d/%d", round, i)))
			}
			open := map[string]Step{}
			for i := range rapid.IntRange(2, 5).Draw(rt, "steps") {
				key := fmt.Sprintf("%06x%02x", round, i)
				some := rapid.SliceOfNDistinct(rapid.SampledFrom(lanes), 1, 3, rapid.ID).Draw(rt, "lanes")
				open[key] = ordered(key, rapid.SampledFrom([]string{"1", "2", "3"}).Draw(rt, "ordering"), some...)
				f.say(Following{Steps: []Step{open[key]}})
				f.pass(time.Hour) // what is under way is looked at again
				if due := f.dueOf(open); len(due) == 0 {
					rt.Fatalf("nothing is due of %v", open)
				} else if rapid.Bool().Draw(rt, "begins") {
					f.begin("d", due[0])
				}
			}
			for len(open) > 0 {
				f.pass(time.Hour)
				due := f.dueOf(open)
				if len(due) == 0 {
					rt.Fatalf("nothing is due of %v", open)
				}
				s := open[due[0]]
				f.say(Following{Steps: []Step{moved(s, StepApplied)}}, Settlement{Step: s.Key, Transaction: s.Transaction, Outcome: AttemptApplied})
				delete(open, due[0])
			}
		})
		f.lanesInOrder()
	})
}

// dueOf are those of some steps that are due.
func (f *follower) dueOf(steps map[string]Step) []string {
	return slices.DeleteFunc(f.due(), func(key string) bool { _, ours := steps[key]; return !ours })
}
