package report_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/report"
)

func trace(t *testing.T, b *book, name string) report.Trace {
	t.Helper()
	tr, err := report.TraceOf(t.Context(), b.Ledger, name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if tr.Name != name {
		t.Errorf("the trace of %s is named %s", name, tr.Name)
	}
	return tr
}

// told are the lines of a trace to read: statement, change, amounts, whether it stands.
func told(tr report.Trace) []string {
	all := []string{}
	for _, l := range tr.Lines {
		text := fmt.Sprintf("%s.%d%s", l.Identity, l.Statement, l.Change)
		for _, f := range l.Facts {
			text += fmt.Sprintf(" %s %s", f.Measure, f.Base.Value)
		}
		if l.Current {
			text += " stands"
		}
		all = append(all, text)
	}
	return all
}

func TestATraceTellsWhatBecameOfIt(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		first := b.state(stated{id: "a", facts: []event.Fact{made(t, "good", "100", "H87")}})
		other := b.state(stated{id: "b", facts: []event.Fact{made(t, "good", "7", "H87")}})
		second := b.state(stated{id: "a", message: "a corrected", facts: []event.Fact{made(t, "good", "90", "H87"), made(t, "scrap", "10", "H87")}})
		third := b.state(stated{id: "a", message: "a taken back", change: event.Reversal})
		held := b.hold("x", "graz", fault.OpenHold, "order/1")
		about := b.hold("y", "graz", fault.IdentifierUnknown, "order/9")

		chain := []string{"a.1 good 100", "a.2correction good -100 good 90 scrap 10", "a.3reversal good -90 scrap -10"}
		key := first.Events[0]
		for _, c := range []struct {
			name  string
			of    string
			kind  string
			lines []string
			open  int
		}{
			{"an object: everything that touched it, corrections too", "order/1", "order", []string{chain[0], "b.1 good 7 stands", chain[1], chain[2]}, 1},
			{"another object of the same events", "material/M-1", "material", []string{chain[0], "b.1 good 7 stands", chain[1]}, 0},
			{"an object that is known only by what is held", "order/9", "order", []string{}, 1},
			{"an event: its chain", key, "event", chain, 0},
			{"a correction: the same chain", second.Events[0], "event", chain, 0},
			{"a reversal: the same chain", key + ".3", "event", chain, 0},
			{"an event that stands", other.Events[0], "event", []string{"b.1 good 7 stands"}, 0},
			{"a message whose statement others corrected", first.Message, "message", chain, 0},
			{"the message that corrected it", second.Message, "message", chain, 0},
			{"the message that took it back", third.Message, "message", chain, 0},
			{"a message that is held", held.Message, "message", []string{}, 1},
			{"another one", about.Message, "message", []string{}, 1},
		} {
			t.Run(c.name, func(t *testing.T) {
				tr := trace(t, b, c.of)
				if diff := cmp.Diff(c.lines, told(tr)); diff != "" {
					t.Error(diff)
				}
				if tr.Kind != c.kind || len(tr.Open) != c.open || len(tr.Ended) != 0 || tr.More || tr.Lines == nil {
					t.Errorf("%+v", tr)
				}
				if c.kind == "message" && len(tr.Messages) != 1 {
					t.Errorf("%d versions", len(tr.Messages))
				}
			})
		}
	})
}

func TestATraceOfAMessageShowsItsVersionsAndWhatStoodInItsWay(t *testing.T) {
	onBoth(t, func(t *testing.T, b *book) {
		held := b.hold("a", "graz", fault.UnitUnknown, "")
		recorded := b.state(stated{id: "a", facts: []event.Fact{made(t, "good", "1", "H87")}})
		if recorded.Message != held.Message+".2" {
			t.Fatalf("%s, then %s", held.Message, recorded.Message)
		}
		for _, name := range []string{held.Message, recorded.Message} {
			tr := trace(t, b, name)
			if len(tr.Messages) != 2 || len(tr.Open) != 0 || len(tr.Ended) != 1 || tr.Ended[0].Reason != fault.UnitUnknown || len(tr.Acts) == 0 {
				t.Errorf("%s: %+v", name, tr)
			}
			if diff := cmp.Diff([]string{"a.1 good 1 stands"}, told(tr)); diff != "" {
				t.Error(diff)
			}
		}
		if tr := trace(t, b, recorded.Events[0]); len(tr.Ended) != 1 {
			t.Errorf("the event does not say what stood in its way: %+v", tr.Ended)
		}
	})
}

func TestALongHistorySaysThatThereIsMore(t *testing.T) {
	b := open(t, t.TempDir()+"/gapless.db")
	const limit = 1000
	var entries []*ledger.Entry
	for i := range limit {
		entries = append(entries, stated{id: fmt.Sprint(i)}.entry(t))
	}
	if _, err := b.RecordAll(t.Context(), entries); err != nil {
		t.Fatal(err)
	}
	if tr := trace(t, b, "order/1"); len(tr.Lines) != limit || tr.More {
		t.Errorf("%d lines, more: %v", len(tr.Lines), tr.More)
	}
	b.state(stated{id: "one more"})
	if tr := trace(t, b, "order/1"); len(tr.Lines) != limit || !tr.More || tr.Lines[0].Identity != "0" {
		t.Errorf("%d lines, more: %v", len(tr.Lines), tr.More)
	}
}

func TestWhatIsNotOnRecordHasNoTrace(t *testing.T) {
	b := open(t, t.TempDir()+"/gapless.db")
	known := b.state(stated{id: "a"})
	unknown := strings.Repeat("0", 32)
	for _, c := range []struct {
		name, of string
		want     *fault.Reason
	}{
		{"an object nobody spoke of", "lot/M-100/4711", fault.NotFound},
		{"a kind nobody knows", "colour/red", fault.NotFound},
		{"a key that nothing has", unknown, fault.NotFound},
		{"a statement that nothing has", unknown + ".2", fault.NotFound},
		{"a statement behind the last", known.Events[0] + ".2", fault.NotFound},
		{"a version behind the last", known.Message + ".2", fault.NotFound},
		{"nothing", "", fault.InvalidRequest},
		{"a word", "hello", fault.InvalidRequest},
		{"a ref with a space", "lot/M 100", fault.InvalidRequest},
		{"a ref with NUL", "lot/M\x00", fault.InvalidRequest},
		{"a ref that ends early", "lot/", fault.InvalidRequest},
		{"a key in capitals", strings.Repeat("A", 32), fault.InvalidRequest},
		{"SQL", "' or 1=1 --", fault.InvalidRequest},
		{"10,000 characters", strings.Repeat("x/", 5_000), fault.InvalidRequest},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := report.TraceOf(t.Context(), b.Ledger, c.of)
			if !errors.Is(err, c.want) || fault.Of(err).Field != "name" || len(err.Error()) > 500 {
				t.Errorf("%v", err)
			}
		})
	}
}
