package ledger

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// publishes is a message whose one event is a version of reference data.
func publishes(t testing.TB, plant, id string, ref event.Ref, r *Reference, xs ...CrossReference) *Entry {
	t.Helper()
	e := said(t, plant, id, "1")
	d := &e.Drafts[0]
	d.Type, d.Subject, d.Refs, d.Relations, d.Facts, d.Folds = "bom.changed", ref, []event.Ref{ref}, nil, nil, nil
	d.Key = event.Identity(d.System, d.Type, d.Identity, d.Slot)
	d.Reference, d.CrossReferences = r, xs
	content := []string{id, fmt.Sprint(xs)}
	if r != nil {
		content = append(content, r.Plant, r.ValidFrom.String(), r.ValidTo.String(), fmt.Sprint(r.Body))
	}
	e.Message.Digest = digestOf(t, content)
	d.Digest = e.Message.Digest
	return e
}

// month is the first of a month in 2026.
func month(m time.Month) time.Time { return time.Date(2026, m, 1, 0, 0, 0, 0, time.UTC) }

func TestReferenceDataIsWhatWasValidThenAsKnownThen(t *testing.T) {
	const bom = event.Ref("bom/M-1")
	version := func(plant string, from, to time.Month, body string) *Reference {
		r := &Reference{Ref: bom, Plant: plant, ValidFrom: month(from), Body: map[string]any{"v": body}}
		if to != 0 {
			r.ValidTo = month(to)
		}
		return r
	}
	onBoth(t, func(t *testing.T, dsn string) {
		c := newClock()
		l := open(t, dsn, Config{Clock: c.now})
		history := []struct {
			says string
			do   func() *Entry
			// what is valid in February, April and June as known from then on:
			// for all plants, then at Graz
			want [6]string
		}{
			{"a from January on", func() *Entry { return publishes(t, "graz", "a", bom, version("", 1, 0, "a1")) }, [6]string{"a1", "a1", "a1", "a1", "a1", "a1"}},
			{"b from March on", func() *Entry { return publishes(t, "graz", "b", bom, version("", 3, 0, "b1")) }, [6]string{"a1", "b1", "b1", "a1", "b1", "b1"}},
			{"a has other content", func() *Entry { return publishes(t, "graz", "a", bom, version("", 1, 0, "a2")) }, [6]string{"a2", "b1", "b1", "a2", "b1", "b1"}},
			{"b is taken back", func() *Entry { return said(t, "graz", "b") }, [6]string{"a2", "a2", "a2", "a2", "a2", "a2"}},
			{"b is back, until May", func() *Entry { return publishes(t, "graz", "b", bom, version("", 3, 5, "b2")) }, [6]string{"a2", "b2", "a2", "a2", "b2", "a2"}},
			{"c says otherwise for the same January", func() *Entry { return publishes(t, "graz", "c", bom, version("", 1, 0, "c1")) }, [6]string{"c1", "b2", "c1", "c1", "b2", "c1"}},
			{"c is taken back: a stands again", func() *Entry { return said(t, "graz", "c") }, [6]string{"a2", "b2", "a2", "a2", "b2", "a2"}},
			{"d for Graz from April on", func() *Entry { return publishes(t, "graz", "d", bom, version("graz", 4, 0, "d1")) }, [6]string{"a2", "b2", "a2", "a2", "d1", "d1"}},
			{"d begins in March instead", func() *Entry { return publishes(t, "graz", "d", bom, version("graz", 3, 4, "d2")) }, [6]string{"a2", "b2", "a2", "a2", "b2", "a2"}},
			{"d is for all plants instead", func() *Entry { return publishes(t, "graz", "d", bom, version("", 6, 0, "d3")) }, [6]string{"a2", "b2", "d3", "a2", "b2", "d3"}},
			{"a is taken back", func() *Entry { return said(t, "graz", "a") }, [6]string{"", "b2", "d3", "", "b2", "d3"}},
		}
		known := make([]time.Time, len(history))
		for i, step := range history {
			c.move(time.Hour)
			record(t, l, step.do())
			known[i] = c.now().Add(time.Minute)
		}
		for i, step := range history { // afterwards, so that the past is asked too
			t.Run(step.says, func(t *testing.T) {
				var got [6]string
				for j := range got {
					plant := []string{"linz", "graz"}[j/3]
					r, err := l.ReferenceAt(t.Context(), bom, plant, month([]time.Month{2, 4, 6}[j%3]), known[i])
					if err != nil && !errors.Is(err, fault.NotFound) {
						t.Fatal(err)
					}
					got[j], _ = r.Body["v"].(string)
				}
				if diff := cmp.Diff(step.want, got); diff != "" {
					t.Error(diff)
				}
			})
		}
		if _, err := l.ReferenceAt(t.Context(), bom, "linz", month(4), base); !errors.Is(err, fault.NotFound) {
			t.Errorf("before anything was known: %v", err)
		}
		if r, err := l.ReferenceAt(t.Context(), bom, "linz", month(4), time.Time{}); err != nil || r.Body["v"] != "b2" || r.Event != event.Identity("mes", "bom.changed", "b", "s0")+".3" {
			t.Errorf("as known now: %+v, %v", r, err)
		}
	})
}

func TestACrossReferenceMeansWhatItMeantThen(t *testing.T) {
	first, second := event.Ref("material/M-1"), event.Ref("material/M-2")
	x := func(from, to time.Month, ref event.Ref) CrossReference {
		x := CrossReference{System: "mes", Kind: "material", ID: "4711", ValidFrom: month(from), Ref: ref}
		if to != 0 {
			x.ValidTo = month(to)
		}
		return x
	}
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{})
		for _, step := range []struct {
			says string
			e    *Entry
			want [3]event.Ref // in February, April and June
		}{
			{"from January on", publishes(t, "graz", "a", first, nil, x(1, 0, first)), [3]event.Ref{first, first, first}},
			{"the event has other content, its cross-reference is the same", publishes(t, "graz", "a", first, &Reference{Ref: first, ValidFrom: month(1)}, x(1, 0, first)), [3]event.Ref{first, first, first}},
			{"another material from March on", publishes(t, "graz", "b", second, nil, x(3, 0, second)), [3]event.Ref{first, second, second}},
			{"the other one only until May", publishes(t, "graz", "b", second, nil, x(3, 5, second)), [3]event.Ref{first, second, first}},
			{"the other one is taken back", said(t, "graz", "b"), [3]event.Ref{first, first, first}},
			{"the first begins in March", publishes(t, "graz", "a", first, nil, x(3, 0, first)), [3]event.Ref{"", first, first}},
			{"nothing is left", said(t, "graz", "a"), [3]event.Ref{}},
			{"the first again", publishes(t, "graz", "a", first, nil, x(1, 0, first)), [3]event.Ref{first, first, first}},
		} {
			record(t, l, step.e)
			var got [3]event.Ref
			for i, m := range []time.Month{2, 4, 6} {
				found, err := l.CrossReferenceAt(t.Context(), "mes", "material", "4711", month(m))
				if err != nil && !errors.Is(err, fault.NotFound) {
					t.Fatal(err)
				}
				got[i] = found.Ref
			}
			if diff := cmp.Diff(step.want, got); diff != "" {
				t.Errorf("%s: %s", step.says, diff)
			}
		}
	})
}

func TestWhoWaitsIsWokenByWhatItWaitsFor(t *testing.T) {
	ref := event.Ref("bom/M-1")
	for name, test := range map[string]struct {
		waits string
		ends  func(t *testing.T) *Entry
	}{
		"reference data": {ReferenceWanted(ref), func(t *testing.T) *Entry {
			return publishes(t, "graz", "b", ref, &Reference{Ref: ref, ValidFrom: base})
		}},
		"a cross-reference": {CrossReferenceWanted("mes", "material", "a/b:c"), func(t *testing.T) *Entry {
			return publishes(t, "graz", "b", ref, nil, CrossReference{System: "mes", Kind: "material", ID: "a/b:c", Ref: ref, ValidFrom: base})
		}},
		"a message":         {MessageWanted(event.MessageKey("mes", "shift-report", "b")), func(t *testing.T) *Entry { return said(t, "graz", "b", "1") }},
		"an event about it": {EventWanted("production.completed", "lot/M-1/b"), func(t *testing.T) *Entry { return said(t, "graz", "b", "1") }},
	} {
		t.Run(name, func(t *testing.T) {
			onBoth(t, func(t *testing.T, dsn string) {
				var woken []string
				l := open(t, dsn, Config{Woken: func(keys []string) { woken = append(woken, keys...) }})
				waiting := func() *Entry {
					e := said(t, "graz", "a", "1")
					e.Fault, e.Waits = fault.New("test", fault.PredecessorMissing, "", ""), []string{test.waits}
					return e
				}
				held := record(t, l, waiting())
				if held.Outcome != Held || len(woken) != 0 {
					t.Fatalf("%+v, woken %v", held, woken)
				}
				record(t, l, said(t, "graz", "unrelated", "1"))
				if len(woken) != 0 {
					t.Fatalf("woken by something else: %v", woken)
				}
				record(t, l, test.ends(t))
				if diff := cmp.Diff([]string{held.Message}, woken); diff != "" {
					t.Error(diff)
				}
				if r := record(t, l, waiting()); r.Outcome != Again {
					t.Errorf("what it waits for is on record: %+v", r)
				}
				if r := record(t, l, said(t, "graz", "a", "1")); r.Outcome != Recorded || r.Message != held.Message {
					t.Errorf("went on: %+v", r)
				}
				if all, err := l.ExceptionsOf(t.Context(), held.Message); err != nil || len(all) != 1 || all[0].State != "resolved" || len(all[0].Waits) != 0 || all[0].Ended.IsZero() {
					t.Errorf("exceptions: %+v, %v", all, err)
				}
			})
		})
	}
}
