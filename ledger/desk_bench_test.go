package ledger

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// deskSize is how many messages are on record in BenchmarkDesk.
const deskSize = 1_000_000

// BenchmarkDesk asks the desk beside a million messages, of which a hundred thousand
// were held and ten thousand still are: the queue, a page of a group, searches. It
// takes minutes to fill. GAPLESS_BENCH_MESSAGES makes it smaller.
func BenchmarkDesk(b *testing.B) {
	benchDatabases(b, func(b *testing.B, dsn string) {
		size := deskSize
		if n, err := strconv.Atoi(os.Getenv("GAPLESS_BENCH_MESSAGES")); err == nil {
			size = n
		}
		l := open(b, dsn, Config{})
		b.StopTimer()
		fillDesk(b, l, size)
		group := Cause{Plant: "graz", System: "mes", About: "message", Name: "shift-report", Reason: fault.IdentifierUnknown.Code}
		for _, bench := range []struct {
			name string
			do   func(ctx context.Context) (found int, err error)
		}{
			{"queue", func(ctx context.Context) (int, error) {
				all, err := l.Groups(ctx, DeskFilter{Plants: []string{"graz"}})
				return len(all), err
			}},
			{"page", func(ctx context.Context) (int, error) {
				all, _, err := l.Desk(ctx, DeskFilter{Cause: &group, Limit: 20})
				return len(all), err
			}},
			{"search by ref", deskSearch(l, DeskFilter{State: DeskAll, Text: "lot/M-1/000031"})},
			{"search by a part", deskSearch(l, DeskFilter{State: DeskAll, Text: "o-000017"})},
			{"search by words of many", deskSearch(l, DeskFilter{State: DeskAll, Text: "material press"})},
			{"search of a day", deskSearch(l, DeskFilter{State: DeskAll, Reason: group.Reason, From: l.Now().Add(-time.Minute)})},
			{"search for nothing", func(ctx context.Context) (int, error) {
				all, _, err := l.Desk(ctx, DeskFilter{State: DeskAll, Text: "material nowhere"})
				return 1 + len(all), err
			}},
		} {
			b.Run(bench.name, func(b *testing.B) {
				for b.Loop() {
					if found, err := bench.do(b.Context()); err != nil || found == 0 {
						b.Fatalf("%d found, %v", found, err)
					}
				}
			})
		}
	})
}

func deskSearch(l *Ledger, f DeskFilter) func(ctx context.Context) (int, error) {
	f.Limit = 20
	return func(ctx context.Context) (int, error) {
		all, _, err := l.Desk(ctx, f)
		return len(all), err
	}
}

// fillDesk records messages of which one in ten is held at first, and one in a hundred
// still is.
func fillDesk(b *testing.B, l *Ledger, size int) {
	b.Helper()
	const together = 2_000
	for from := 0; from < size; from += together {
		var entries, again []*Entry
		for i := from; i < from+together; i++ {
			e := said(b, "graz", fmt.Sprintf("m-%07d", i), "12.5")
			if i%10 == 0 {
				held := *e
				held.Drafts, held.Facts, held.Refs = nil, e.Drafts[0].Facts, append([]event.Ref{event.Ref(fmt.Sprintf("order/o-%06d", i/10))}, e.Drafts[0].Refs...)
				held.Refs[1] = event.Ref(fmt.Sprintf("lot/M-1/%07d", i))
				held.Fault = &fault.Fault{Op: "test", Reason: fault.IdentifierUnknown, Field: "material", Detail: fmt.Sprintf("material 7K41-%d of press %d", i, i%7)}
				held.Waits = []string{CrossReferenceWanted("mes", "material", strconv.Itoa(i))}
				entries = append(entries, &held)
				if i%100 != 0 {
					again = append(again, e)
				}
				continue
			}
			entries = append(entries, e)
		}
		for _, all := range [][]*Entry{entries, again} {
			if _, err := l.RecordAll(b.Context(), all); err != nil {
				b.Fatal(err)
			}
		}
	}
}
