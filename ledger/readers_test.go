package ledger

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/fault"
)

func TestAReadTransactionEndsAfterTwoSeconds(t *testing.T) {
	endless := map[string]string{
		"sqlite":   "with recursive n(i) as (select 1 union all select i + 1 from n) select i from n where i < 0",
		"postgres": "select pg_sleep(30)",
	}
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{})
		start := time.Now()
		err := l.Read(t.Context(), func(ctx context.Context, r *Reader) error {
			return r.Query(ctx, endless[l.Database()], nil, func(Row) error { return nil })
		})
		if took := time.Since(start); err == nil || took < readLimit || took > readLimit+3*time.Second {
			t.Errorf("it ended after %s with %v", took, err)
		}
		record(t, l, said(t, "graz", "a", "1"))
	})
}

func TestAReaderSeesOneMomentAndCannotWrite(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{})
		record(t, l, said(t, "graz", "a", "1"))
		err := l.Read(t.Context(), func(ctx context.Context, r *Reader) error {
			count := func() (n int) {
				err := r.Query(ctx, "select count(*) from events", nil, func(row Row) error { return row.Scan(&n) })
				if err != nil {
					t.Error(err)
				}
				return n
			}
			before := count()
			record(t, l, said(t, "graz", "b", "1"))
			if after := count(); before != 1 || after != 1 {
				t.Errorf("%d events at first, %d later in the same view", before, after)
			}
			if err := r.Query(ctx, "delete from events returning 1", nil, func(Row) error { return nil }); err == nil {
				t.Error("a reader deleted events")
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
		if n := len(contiguous(t, l)); n != 2 {
			t.Errorf("%d events are on record, want 2", n)
		}
	})
}

func TestTheFeedIsReadInPagesFromACursorOverSeveralPlants(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		c := newClock()
		l := open(t, dsn, Config{Clock: c.now})
		var times []time.Time
		var cursors []Cursor
		for i := range 30 {
			c.move(time.Minute)
			e := said(t, []string{"graz", "linz", "wien"}[i%3], fmt.Sprint(i), "1")
			if i%5 == 0 {
				e.Drafts[0].Type = "scrap.declared"
			}
			record(t, l, e)
			head, err := l.Head(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			times, cursors = append(times, c.now().Add(time.Second)), append(cursors, head)
		}
		read := func(after Cursor, f FeedFilter) []string {
			t.Helper()
			var ids []string
			for {
				page, next, err := l.Feed(t.Context(), after, f)
				if err != nil || len(page) > max(f.Limit, 1) {
					t.Fatalf("a page of %d, %v", len(page), err)
				}
				for _, e := range page {
					ids = append(ids, e.Identity)
				}
				if next.String() == after.String() {
					return ids
				}
				again, err := ParseCursor(next.String()) // as a consumer keeps it
				if diff := cmp.Diff(next, again); diff != "" || err != nil {
					t.Fatal(err, diff)
				}
				after = again
			}
		}
		want := func(plant int, from int, keep func(i int) bool) []string {
			var ids []string
			for i := from; i < 30; i++ {
				if (plant < 0 || i%3 == plant) && keep(i) {
					ids = append(ids, fmt.Sprint(i))
				}
			}
			return ids
		}
		all := func(int) bool { return true }
		scrap := func(i int) bool { return i%5 == 0 }
		sorted := func(ids []string) []string { return slices.Sorted(slices.Values(ids)) }
		for _, test := range []struct {
			name   string
			after  Cursor
			f      FeedFilter
			want   []string
			inTurn bool // one plant: in the order of its feed
		}{
			{"everything", nil, FeedFilter{Limit: 4}, want(-1, 0, all), false},
			{"one plant", nil, FeedFilter{Limit: 4, Plants: []string{"linz"}}, want(1, 0, all), true},
			{"one type", nil, FeedFilter{Limit: 1, Types: []string{"scrap.declared"}}, want(-1, 0, scrap), false},
			{"one type of one plant", nil, FeedFilter{Limit: 3, Plants: []string{"graz"}, Types: []string{"scrap.declared", "ghost"}}, want(0, 0, scrap), true},
			{"a type that nobody records", nil, FeedFilter{Limit: 3, Types: []string{"ghost"}}, nil, true},
			{"a plant that is not there", nil, FeedFilter{Limit: 3, Plants: []string{"ghost"}}, nil, true},
			{"from a cursor", cursors[16], FeedFilter{Limit: 4}, want(-1, 17, all), false},
			{"from a cursor, one type", cursors[16], FeedFilter{Limit: 4, Types: []string{"scrap.declared"}}, want(-1, 17, scrap), false},
			{"from the end", cursors[29], FeedFilter{Limit: 4}, nil, true},
		} {
			t.Run(test.name, func(t *testing.T) {
				got := read(test.after, test.f)
				if !test.inTurn {
					got, test.want = sorted(got), sorted(test.want)
				}
				if diff := cmp.Diff(test.want, got); diff != "" {
					t.Error(diff)
				}
			})
		}
		for i, at := range times {
			got, err := l.At(t.Context(), at)
			if diff := cmp.Diff(cursors[i], got); diff != "" || err != nil {
				t.Errorf("as of %s: %v %s", at, err, diff)
			}
		}
		if got, err := l.At(t.Context(), base); err != nil || len(got) != 0 {
			t.Errorf("as of before the first: %v, %v", got, err)
		}
	})
}

func TestACursorThatIsNoneIsRefused(t *testing.T) {
	for _, text := range []string{"!", "eyJ9", "bnVsbGw", Cursor{"graz": -1}.String()} {
		if c, err := ParseCursor(text); !errors.Is(err, fault.InvalidRequest) {
			t.Errorf("ParseCursor(%q) = %v, %v", text, c, err)
		}
	}
}

func TestAConsumerFindsHowFarItHasCome(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{})
		for i := range 7 {
			record(t, l, said(t, "graz", fmt.Sprint(i), "1"))
		}
		record(t, l, said(t, "linz", "a", "1", "2"))
		for _, c := range []Cursor{{"graz": 3}, {"graz": 7, "linz": 2}} {
			if err := l.Acknowledge(t.Context(), "erp", "finance", c); err != nil {
				t.Fatal(err)
			}
			got, err := l.Acknowledged(t.Context(), "finance")
			if diff := cmp.Diff(c, got); diff != "" || err != nil {
				t.Error(err, diff)
			}
		}
		for plant, c := range map[string]Cursor{
			"graz": {"graz": 8, "linz": 1}, "linz": {"graz": 1, "linz": 3}, "wien": {"graz": 7, "wien": 1}, "one before the begin": {"graz": 7, "one before the begin": -1},
		} {
			err := l.Acknowledge(t.Context(), "erp", "finance", c)
			if !errors.Is(err, fault.InvalidRequest) || !strings.Contains(err.Error(), strconv.Quote(plant)) {
				t.Errorf("acknowledging what the feed of %s has not: %v", plant, err)
			}
		}
		if got, err := l.Acknowledged(t.Context(), "finance"); err != nil || !cmp.Equal(got, Cursor{"graz": 7, "linz": 2}) {
			t.Errorf("what was refused moved the consumer to %v, %v", got, err)
		}
		if acts, err := l.ActsOn(t.Context(), "consumer/finance"); err != nil || len(acts) != 2 || acts[1].Principal != "erp" {
			t.Errorf("acts: %+v, %v", acts, err)
		}
	})
}

func TestNothingIsTakenWhileTheDiskIsNearlyFull(t *testing.T) {
	dsn := databases(t)["sqlite"]
	c := newClock()
	l := open(t, dsn, Config{DiskReserve: 1 << 60, Clock: c.now})
	before := dump(t, l)
	if _, err := l.Record(t.Context(), said(t, "graz", "a", "1")); !errors.Is(err, fault.Unavailable) {
		t.Errorf("Record = %v, want unavailable", err)
	}
	if _, err := l.RecordAll(t.Context(), []*Entry{said(t, "graz", "a", "1")}); !errors.Is(err, fault.Unavailable) {
		t.Errorf("RecordAll = %v, want unavailable", err)
	}
	if diff := cmp.Diff(before, dump(t, l)); diff != "" {
		t.Errorf("something was written: %s", diff)
	}
	l.cfg.DiskReserve = 1 // somebody has made room
	c.move(time.Second)
	record(t, l, said(t, "graz", "a", "1"))
}

// TestTheWALStaysBoundedUnderLoadAndReaders writes several times the WAL's limit
// while there is always a reader that holds its view for a second.
func TestTheWALStaysBoundedUnderLoadAndReaders(t *testing.T) {
	if testing.Short() {
		t.Skip("writes 600 MB")
	}
	dsn := databases(t)["sqlite"]
	l := open(t, dsn, Config{})
	ctx, stop := context.WithCancel(t.Context())
	var wg sync.WaitGroup
	for i := range 2 { // so that one view begins before the other ends
		wg.Go(func() {
			for ctx.Err() == nil {
				err := l.Read(ctx, func(_ context.Context, r *Reader) error {
					err := r.Query(ctx, "select count(*) from feeds", nil, func(Row) error { return nil })
					select {
					case <-time.After(time.Second + time.Duration(i)*100*time.Millisecond):
					case <-ctx.Done():
					}
					return err
				})
				if err != nil && ctx.Err() == nil {
					t.Error(err)
				}
			}
		})
	}
	const bodies = 64 << 10
	var largest, written int64
	for i := 0; written < 600<<20; i++ {
		var entries []*Entry
		for j := range 64 {
			e := said(t, "graz", fmt.Sprint(i, "-", j), "1")
			e.Message.Body = make([]byte, bodies)
			entries = append(entries, e)
			written += bodies
		}
		if _, err := l.RecordAll(ctx, entries); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(dsn + "-wal")
		if err != nil {
			t.Fatal(err)
		}
		largest = max(largest, info.Size())
	}
	stop()
	wg.Wait()
	t.Logf("%d MiB written, the WAL had %d MiB at most", written>>20, largest>>20)
	if largest > 4*walLimit {
		t.Errorf("the WAL grew to %d MiB", largest>>20)
	}
}
