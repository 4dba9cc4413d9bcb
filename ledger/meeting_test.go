package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// Entries of one commit can be about the same message. RecordAll puts them into one.

func recordTogether(t *testing.T, l *Ledger, entries ...*Entry) []Result {
	t.Helper()
	before := l.Counts().Commits
	results, err := l.RecordAll(t.Context(), entries)
	if err != nil {
		t.Fatal(err)
	}
	if n := l.Counts().Commits - before; n != 1 {
		t.Fatalf("%d entries went into %d commits", len(entries), n)
	}
	return results
}

// sumOf adds up the facts of a measure, exactly.
func sumOf(t *testing.T, l *Ledger, measure string) string {
	t.Helper()
	var sum event.Decimal
	err := l.Read(t.Context(), func(ctx context.Context, r *Reader) error {
		rows, err := r.rows(ctx, "select base_value from facts where measure = $1", []any{measure}, 1)
		for _, f := range rows {
			d, err := event.ParseDecimal(f.text(0))
			if err != nil {
				return err
			}
			sum = sum.Add(d)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return sum.String()
}

func TestARepetitionInTheSameCommitHidesNoCorrection(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{})
		record(t, l, said(t, "graz", "a", "10", "1"))
		late := said(t, "graz", "a", "10", "1")
		late.Message.Digest = digestOf(t, []string{"another content with the same events"})
		recordTogether(t, l, late, said(t, "graz", "a", "12"), late)
		record(t, l, said(t, "graz", "a", "12"))
		if got := sumOf(t, l, "good"); got != "12" {
			t.Errorf("good is %s, 12 was said last", got)
		}
		wantInOrder(t, l)
	})
}

func TestAMessageThatIsHeldAndReplacedInOneCommitIsNotHeldAfterwards(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{})
		bad := unreadable(t, "graz", "a", "reference:material/M-8")
		bad.Message.Digest = digestOf(t, []string{"unreadable"})
		results := recordTogether(t, l, bad, said(t, "graz", "a", "1"), unreadable(t, "graz", "b", "reference:material/M-8"), said(t, "graz", "b", "1"))
		for i, want := range []Outcome{Held, Recorded, Held, Recorded} {
			if results[i].Outcome != want {
				t.Errorf("entry %d is %s, not %s", i, results[i].Outcome, want)
			}
		}
		open, err := l.Held(t.Context(), HeldFilter{})
		if err != nil || len(open) > 0 {
			t.Errorf("still held: %+v, %v", open, err)
		}
		resolved, err := l.Held(t.Context(), HeldFilter{State: "resolved"})
		if err != nil || len(resolved) != 2 {
			t.Fatalf("resolved: %+v, %v", resolved, err)
		}
		for _, x := range resolved {
			if x.Resolution == "" || !x.Ended.After(x.Raised) || len(x.Waits) > 0 {
				t.Errorf("resolved: %+v", x)
			}
		}
		wantInOrder(t, l)
	})
}

func TestACorrectionOfMasterDataKeepsTheIdentifiersThatItRepeats(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{})
		record(t, l, masterData(t, "graz", "M-7", "a bolt"))
		record(t, l, masterData(t, "graz", "M-7", "a long bolt"))
		x, err := l.CrossReferenceAt(t.Context(), "mes", "material", "local-M-7", base.Add(time.Hour))
		if err != nil || x.Ref != "material/M-7" {
			t.Errorf("the local identifier means %+v, %v", x, err)
		}
		r, err := l.ReferenceAt(t.Context(), "material/M-7", "graz", base.Add(time.Hour), time.Time{})
		if err != nil || r.Body["title"] != "a long bolt" {
			t.Errorf("the reference data is %+v, %v", r, err)
		}
		wantInOrder(t, l)
	})
}

func TestARefusedConflictHasANumberOfItsOwnAndMovesNothing(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{})
		strict := func(quantity string) *Entry {
			e := said(t, "graz", "a", quantity)
			e.Restates = false
			return e
		}
		first := record(t, l, strict("1"))
		seen := []string{first.Message}
		for _, q := range []string{"2", "3"} {
			r := record(t, l, strict(q))
			if r.Outcome != Held || slices.Contains(seen, r.Message) {
				t.Errorf("conflict %s is %s under %s; known are %q", q, r.Outcome, r.Message, seen)
			}
			seen = append(seen, r.Message)
		}
		again := record(t, l, strict("1"))
		if again.Outcome != Duplicate || again.Message != first.Message {
			t.Errorf("the first content again is %s under %s, not %s", again.Outcome, again.Message, first.Message)
		}
		restated := said(t, "graz", "a", "4")
		if r := record(t, l, restated); r.Outcome != Corrected || slices.Contains(seen, r.Message) {
			t.Errorf("a restatement is %s under %s", r.Outcome, r.Message)
		}
		if got := sumOf(t, l, "good"); got != "4" {
			t.Errorf("good is %s", got)
		}
		wantInOrder(t, l)
	})
}

func TestWhoWaitsIsWokenAlthoughTheAnswerToCommitWasLost(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		var mu sync.Mutex
		var woken []string
		lose := false
		l := open(t, dsn, Config{
			Woken: func(messages []string) {
				mu.Lock()
				defer mu.Unlock()
				woken = append(woken, messages...)
			},
			Faults: func(step string) error {
				mu.Lock()
				defer mu.Unlock()
				if lose && step == "after commit" {
					lose = false
					return errors.New("the connection broke")
				}
				return nil
			},
		})
		held := record(t, l, unreadable(t, "graz", "a", ReferenceWanted("material/M-7")))
		mu.Lock()
		lose = true
		mu.Unlock()
		if r := record(t, l, masterData(t, "graz", "M-7", "a bolt")); r.Outcome != Recorded {
			t.Errorf("outcome %s", r.Outcome)
		}
		mu.Lock()
		defer mu.Unlock()
		if lose || !slices.Contains(woken, held.Message) {
			t.Errorf("woken: %q, not %s", woken, held.Message)
		}
		wantInOrder(t, l)
	})
}

func TestAnEntryThatCannotBeStoredTakesNobodyWithIt(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{})
		var entries []*Entry
		for i := range 7 {
			entries = append(entries, said(t, "graz", fmt.Sprint("m", i), "1"))
		}
		entries[3] = said(t, "graz", "m3", "1"+strings.Repeat("0", 15)) // in millionths no number of 64 bits
		entries[5].Drafts[0].Plant = "linz"                             // a chain stays in one feed
		results, err := l.RecordAll(t.Context(), entries)
		if err != nil {
			t.Fatal(err)
		}
		for i, r := range results {
			switch i {
			case 3, 5:
				if r.Outcome != Held || !errors.Is(r.Fault, fault.PoisonedMessage) {
					t.Errorf("entry %d is %s: %v", i, r.Outcome, r.Fault)
				}
			default:
				if r.Outcome != Recorded {
					t.Errorf("entry %d is %s", i, r.Outcome)
				}
			}
		}
		wantInOrder(t, l)
	})
}
