package transaction_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/gapless/gapless/transaction"
)

// lot is a small lifecycle with a status, a hold and a refused transition.
func lot() transaction.Definition {
	return transaction.Definition{
		Lifecycle: "lot", Title: "Lot", Initial: "unknown",
		States: map[string]string{"unknown": "nothing heard of it", "created": "made", "released": "may be used", "rejected": "must not be used"},
		Transitions: []transaction.Transition{
			{On: "lot.created", From: []string{"unknown"}, To: "created"},
			{On: "lot.released", From: []string{"created", "released"}, To: "released"},
			{On: "lot.rejected", To: "rejected"},
		},
		Open: []transaction.Open{{Name: "holds", Opens: []string{"hold.placed"}, Closes: []string{"hold.lifted"}, Key: "holds[].id"}},
		Cases: []transaction.Case{
			{Name: "made and released", Events: []transaction.CaseEvent{{Type: "lot.created"}, {Type: "lot.released"}}, State: "released"},
			{Name: "a rejected lot is not released", Events: []transaction.CaseEvent{{Type: "lot.rejected"}, {Type: "lot.released"}}, Refuses: "lot.released"},
		},
	}
}

func compiled(t testing.TB, def transaction.Definition) *transaction.Lifecycle {
	t.Helper()
	l, err := transaction.Compile(def)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func held(ids ...string) map[string]any {
	var holds []any
	for _, id := range ids {
		holds = append(holds, map[string]any{"id": id})
	}
	return map[string]any{"holds": holds}
}

func TestFold(t *testing.T) {
	type events = []transaction.LifecycleEvent
	for name, test := range map[string]struct {
		events events
		want   transaction.State
		ok     bool // of the last event
	}{
		"an event of a transition changes the status and says since when": {
			events{{ID: "a", Type: "lot.created", Since: "2026-01-01T06:00:00Z"}},
			transaction.State{Status: "created", Since: "2026-01-01T06:00:00Z", Last: map[string]string{"lot.created": "a"}},
			true,
		},
		"an event that leads to the same status does not move its begin": {
			events{{ID: "a", Type: "lot.created", Since: "t1"}, {ID: "b", Type: "lot.released", Since: "t2"}, {ID: "c", Type: "lot.released", Since: "t3"}},
			transaction.State{Status: "released", Since: "t2", Last: map[string]string{"lot.created": "a", "lot.released": "c"}},
			true,
		},
		"an event of another type leaves the status alone and is noted": {
			events{{ID: "a", Type: "sample.taken", Since: "t1"}},
			transaction.State{Status: "unknown", Last: map[string]string{"sample.taken": "a"}},
			true,
		},
		"an event that the status does not allow is refused, and noted for a fact": {
			events{{ID: "a", Type: "lot.released", Since: "t1"}},
			transaction.State{Status: "unknown", Last: map[string]string{"lot.released": "a"}},
			false,
		},
		"a transition without from is allowed from every status": {
			events{{ID: "a", Type: "lot.rejected", Since: "t1"}},
			transaction.State{Status: "rejected", Since: "t1", Last: map[string]string{"lot.rejected": "a"}},
			true,
		},
		"holds are open until each is lifted, and one placed twice is one": {
			events{
				{ID: "a", Type: "hold.placed", Data: held("h1", "h2")},
				{ID: "b", Type: "hold.placed", Data: held("h2", "h3")},
				{ID: "c", Type: "hold.lifted", Data: held("h1", "never placed")},
			},
			transaction.State{Status: "unknown", Open: map[string][]string{"holds": {"h2", "h3"}}, Last: map[string]string{"hold.placed": "b", "hold.lifted": "c"}},
			true,
		},
	} {
		t.Run(name, func(t *testing.T) {
			l := compiled(t, lot())
			state, ok := transaction.State{}, false
			for _, e := range test.events {
				state, ok = l.Fold(state, e)
			}
			if diff := cmp.Diff(test.want, state); diff != "" {
				t.Errorf("state (-want +got):\n%s", diff)
			}
			if ok != test.ok {
				t.Errorf("ok = %v, want %v", ok, test.ok)
			}
		})
	}
}

func TestEveryThingWrongInADefinitionIsToldAtOnce(t *testing.T) {
	def := lot()
	def.Order = "alphabetical"
	def.Initial = "nowhere"
	def.States["orphan"] = "nothing leads here"
	def.Transitions = append(def.Transitions, transaction.Transition{On: "lot.created", From: []string{"unknown"}, To: "lost"})
	def.Open[0].Closes = nil
	def.Open[0].Key = "holds[]..id"
	def.Cases = append(def.Cases, transaction.Case{Name: "says nothing", Events: []transaction.CaseEvent{{Type: "lot.created"}}})
	_, err := transaction.Compile(def)
	if err == nil {
		t.Fatal("compiled")
	}
	for _, field := range []string{"order:", "initial:", "states.orphan:", "transitions[3].to:", "transitions[3]: a transition on lot.created", "open[0]: opens", "open[0].key:", "cases[2]:"} {
		if !strings.Contains(err.Error(), field) {
			t.Errorf("nothing is said about %s\n%v", field, err)
		}
	}
	if _, ok := errors.AsType[*transaction.DefinitionError](err); !ok {
		t.Errorf("%T holds no *DefinitionError", err)
	}
}

func TestCasesOfALifecycle(t *testing.T) {
	def := lot()
	def.Cases = append(def.Cases,
		transaction.Case{Name: "wrong status", Events: []transaction.CaseEvent{{Type: "lot.created"}}, State: "released"},
		transaction.Case{Name: "refuses what is allowed", Events: []transaction.CaseEvent{{Type: "lot.created"}}, Refuses: "lot.created"},
		transaction.Case{Name: "refused on the way", Events: []transaction.CaseEvent{{Type: "lot.released"}, {Type: "lot.created"}}, State: "created"},
		transaction.Case{Name: "still held", Events: []transaction.CaseEvent{{Type: "hold.placed", Data: held("h1")}}, State: "unknown", Open: map[string][]string{}},
	)
	var got []string
	for _, r := range compiled(t, def).Test() {
		got = append(got, r.Case+": "+r.Problem)
	}
	want := []string{
		"made and released: ",
		"a rejected lot is not released: ",
		"wrong status: expected status released, got created",
		"refuses what is allowed: expected that lot.created is refused; it leads from unknown to created",
		"refused on the way: event 1, lot.released, is refused in status unknown",
		`still held: expected holds open: [], got ["h1"]`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// The model: a fold in one go is the fold in two parts, nothing given is
// changed, and what is open is what was opened and not closed since.
func TestFoldIsAPureFunctionOfTheEvents(t *testing.T) {
	l := compiled(t, lot())
	rapid.Check(t, func(t *rapid.T) {
		types := []string{"lot.created", "lot.released", "lot.rejected", "hold.placed", "hold.lifted", "sample.taken"}
		state, open := l.Initial(), map[string]bool{}
		for range rapid.IntRange(0, 30).Draw(t, "events") {
			e := transaction.LifecycleEvent{
				ID: rapid.StringN(1, 4, 8).Draw(t, "id"), Type: rapid.SampledFrom(types).Draw(t, "type"), Since: "t",
				Data: held(rapid.SliceOfN(rapid.SampledFrom([]string{"h1", "h2", "h3"}), 1, 3).Draw(t, "holds")...),
			}
			before := state.Map()
			next, _ := l.Fold(state, e)
			again, _ := l.Fold(state, e)
			if diff := cmp.Diff(before, state.Map()); diff != "" {
				t.Fatalf("the state given was changed:\n%s", diff)
			}
			if diff := cmp.Diff(next, again); diff != "" {
				t.Fatalf("the same event gave two states:\n%s", diff)
			}
			for _, h := range e.Data["holds"].([]any) {
				switch e.Type {
				case "hold.placed":
					open[h.(map[string]any)["id"].(string)] = true
				case "hold.lifted":
					delete(open, h.(map[string]any)["id"].(string))
				}
			}
			if len(next.Open["holds"]) != len(open) {
				t.Fatalf("open %v, want %v", next.Open["holds"], open)
			}
			if next.Last[e.Type] != e.ID {
				t.Fatalf("the event is not noted: %v", next.Last)
			}
			state = next
		}
	})
}

func BenchmarkFold(b *testing.B) {
	l := compiled(b, lot())
	state, _ := l.Fold(l.Initial(), transaction.LifecycleEvent{ID: "a", Type: "lot.created", Since: "t1"})
	e := transaction.LifecycleEvent{ID: "b", Type: "lot.released", Since: "t2"}
	b.ReportAllocs()
	for b.Loop() {
		l.Fold(state, e)
	}
}

func TestRunTellsWhatComesOfTheEventsOfACase(t *testing.T) {
	l := compiled(t, lot())
	for want, events := range map[string][]transaction.CaseEvent{
		"status released":                        {{Type: "lot.created"}, {Type: "lot.released"}},
		"lot.released refused in status unknown": {{Type: "lot.released"}},
		"status unknown, holds h1 h2":            {{Type: "hold.placed", Data: held("h1", "h2")}},
	} {
		if got := l.Run(transaction.Case{Events: events}); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestAStateAsPoliciesReadIt(t *testing.T) {
	l := compiled(t, lot())
	state, _ := l.Fold(l.Initial(), transaction.LifecycleEvent{ID: "a", Type: "hold.placed", Data: held("h1")})
	want := map[string]any{"status": "unknown", "since": "", "open": map[string]any{"holds": []any{"h1"}}, "last": map[string]any{"hold.placed": "a"}}
	if diff := cmp.Diff(want, state.Map()); diff != "" {
		t.Error(diff)
	}
}
