package ledger

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/internal/testpostgres"
)

// The rows of one ordinary event: two facts, five refs, one relation, its message
// with content and inbox. The benchmarks report events/s.

// benchDatabases runs a benchmark on an empty database of each kind.
func benchDatabases(b *testing.B, bench func(b *testing.B, dsn string)) {
	b.Helper()
	b.Run("sqlite", func(b *testing.B) { bench(b, filepath.Join(b.TempDir(), "ledger.db")) })
	b.Run("postgres", func(b *testing.B) {
		bench(b, testpostgres.Database(b))
	})
}

func perSecond(b *testing.B, events int) {
	b.Helper()
	b.ReportMetric(float64(events)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(0, "ns/op")
}

// BenchmarkFloor is what the database alone gives: the same rows in bulk and
// nothing decided, in transactions of so many events.
func BenchmarkFloor(b *testing.B) {
	for _, size := range []int{64, 256, 1024} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			benchDatabases(b, func(b *testing.B, dsn string) {
				cfg, err := Config{Database: dsn}.withDefaults()
				if err != nil {
					b.Fatal(err)
				}
				l, err := Open(b.Context(), cfg)
				if err != nil {
					b.Fatal(err)
				}
				defer l.Close()
				s, err := l.store.session(b.Context())
				if err != nil {
					b.Fatal(err)
				}
				defer s.close()
				n := 0
				for b.Loop() {
					b.StopTimer()
					t := gathered(b, l, s, n, size)
					b.StartTimer()
					n += size
					if err := s.begin(b.Context()); err != nil {
						b.Fatal(err)
					}
					if err := s.insertAll(b.Context(), writeOrder[:], t.rows); err != nil {
						b.Fatal(err)
					}
					if err := s.commit(b.Context()); err != nil {
						b.Fatal(err)
					}
				}
				perSecond(b, n)
			})
		})
	}
}

// gathered are the rows of a commit of so many entries, made without a database.
func gathered(b *testing.B, l *Ledger, s *session, from, size int) *transaction {
	b.Helper()
	t := &transaction{
		session: s, ledger: l, batch: &batch{id: newID()}, now: time.Now().UnixMicro(), rows: map[*table][][]any{},
		feeds:  map[string]*feed{"graz": {plant: "graz", last: int64(from), link: int64(from)}},
		states: map[event.Ref]bool{}, inbox: map[string]bool{}, keys: map[string]bool{}, raised: map[string][]any{}, waits: map[string][][]any{},
		w: newWorking(), following: newFollowing(),
	}
	for i := range size {
		e := said(b, "graz", fmt.Sprint(from+i), "12.5")
		d := restating(t.w, e)
		if _, err := t.apply(e, e.Message.Key(), &d); err != nil {
			b.Fatal(err)
		}
	}
	t.addStates()
	return t
}

// BenchmarkRecord is 64 senders that each wait for their answer.
func BenchmarkRecord(b *testing.B) {
	benchDatabases(b, func(b *testing.B, dsn string) {
		l := open(b, dsn, Config{})
		entries := make([]*Entry, b.N)
		for i := range entries {
			entries[i] = said(b, "graz", fmt.Sprint(i), "12.5")
		}
		var next atomic.Int64
		b.SetParallelism(max(1, 64/runtime.GOMAXPROCS(0)))
		b.ResetTimer()
		b.RunParallel(func(p *testing.PB) {
			for p.Next() {
				if _, err := l.Record(context.Background(), entries[next.Add(1)-1]); err != nil { //nolint:usetesting // shared by all goroutines
					b.Error(err)
					return
				}
			}
		})
		b.StopTimer()
		perSecond(b, b.N)
		b.ReportMetric(float64(l.Counts().Entries)/float64(l.Counts().Commits), "entries/commit")
	})
}

// BenchmarkRecordAll is one sender of files, 100 records at a time.
func BenchmarkRecordAll(b *testing.B) {
	benchDatabases(b, func(b *testing.B, dsn string) {
		l := open(b, dsn, Config{})
		n := 0
		for b.Loop() {
			b.StopTimer()
			entries := make([]*Entry, 100)
			for i := range entries {
				entries[i] = said(b, "graz", fmt.Sprint(n+i), "12.5")
			}
			b.StartTimer()
			if _, err := l.RecordAll(b.Context(), entries); err != nil {
				b.Fatal(err)
			}
			n += len(entries)
		}
		perSecond(b, n)
	})
}
