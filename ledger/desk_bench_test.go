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

// How much is on record in BenchmarkDesk. GAPLESS_BENCH_MESSAGES makes it smaller.
const (
	deskSize      = 1_000_000
	deskOpen      = 30_000 // messages that are held
	deskEnded     = 70_000 // that were
	deskReasonNth = 10     // of so many held ones, one is held for another reason
)

// BenchmarkDesk asks the desk beside a million messages, of which a hundred thousand
// were held and thirty thousand still are: the queue, a page of a group, searches of
// every kind. What is on record is made by SQL.
func BenchmarkDesk(b *testing.B) {
	benchDatabases(b, func(b *testing.B, dsn string) {
		size := deskSize
		if n, err := strconv.Atoi(os.Getenv("GAPLESS_BENCH_MESSAGES")); err == nil {
			size = n
		}
		l := open(b, dsn, Config{})
		b.StopTimer()
		fillDesk(b, l, size, min(deskOpen, size/10), min(deskEnded, size/5))
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
			{"search by ref", deskSearch(l, DeskFilter{State: DeskAll, Text: "lot/M-1/1000031"})},
			{"search by a part", deskSearch(l, DeskFilter{State: DeskAll, Text: "o-100017"})},
			{"search by words of many", deskSearch(l, DeskFilter{State: DeskAll, Text: "material press"})},
			{"search of a day", deskSearch(l, DeskFilter{State: DeskAll, Reason: group.Reason, From: l.Now().Add(-time.Hour)})},
			{"search in content", deskSearch(l, DeskFilter{State: DeskAll, Content: "press spot", ContentPlants: []string{"graz"}})},
			{"search in content for one", deskSearch(l, DeskFilter{State: DeskAll, Content: "serial-1000017"})},
			{"search by amount of many", deskSearch(l, DeskFilter{State: DeskAll, Amount: amountOf(b, ">=", "10")})},
			{"search by amount of few", deskSearch(l, DeskFilter{State: DeskAll, Amount: amountOf(b, ">", "9999")})},
			{"search by amount of one", deskSearch(l, DeskFilter{State: DeskAll, Amount: amountOf(b, "=", "17.125")})},
			{"search by amount, word and reason", deskSearch(l, DeskFilter{State: DeskAll, Plant: "graz", System: "mes", Reason: group.Reason, Text: "press", Amount: amountOf(b, ">=", "500")})},
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

func amountOf(b *testing.B, than, value string) *AmountFilter {
	b.Helper()
	q, err := event.NewQuantity(value, "KGM")
	if err != nil {
		b.Fatal(err)
	}
	return &AmountFilter{Than: than, Amount: q}
}

// fillDesk makes messages by SQL, of which some are held and others were, and what those
// are found by. None of it could be verified: it is as much as the desk reads.
func fillDesk(b *testing.B, l *Ledger, size, open, ended int) {
	b.Helper()
	ctx := b.Context()
	do := func(text string, args ...any) {
		b.Helper()
		if _, err := l.store.write.ExecContext(ctx, text, args...); err != nil {
			b.Fatalf("%.80q: %v", text, err)
		}
	}
	held, all := open+ended, "with recursive n(i) as (select cast(0 as bigint) union all select i + 1 from n where i + 1 < $1) "
	now := micros(l.Now())
	do("insert into messages (key, version, recorded, plant, system, name, id, content_type, channel, principal, digest, content, link, n) "+all+
		"select 'key-' || (10000000 + i), 1, $2 + i, 'graz', 'mes', 'shift-report', 'm-' || i, 'application/json', 'bench', 'mes', '', '', i / 100, i % 100 from n", size, now-int64(size))
	do("insert into inbox (key, state, version, effective, digest, conflict, events, recorded) "+all+
		"select 'key-' || (10000000 + i), case when i < $2 then 'held' else 'recorded' end, 1, 1, '', '', '', $3 + i from n", size, open, now-int64(size))
	do("insert into exceptions (message, version, plant, system, name, state, reason, class, field, ref, detail, owner, raised, deadline, ended, resolution, about) "+all+
		`select 'key-' || (10000000 + i), 1, 'graz', 'mes', 'shift-report', case when i < $2 then 'open' else 'resolved' end, case when i % $3 = 0 then 'unit_unknown' else 'identifier_unknown' end,
		'heals', 'material', '', 'material 7K41-' || i || ' of press ' || (i % 7), 'master-data', $4 + i, 0, 0, '', 'message' from n`, held, open, deskReasonNth, now-int64(held))
	for _, ref := range []string{"'order/o-' || (1000000 + i / 10)", "'lot/M-1/' || (10000000 + i)", "'material/M-' || (i % 50)"} {
		do("insert into exception_refs (ref, message, version) "+all+"select "+ref+", 'key-' || (10000000 + i), 1 from n", held)
	}
	for _, word := range []string{"'material'", "'press'", "'o-' || (1000000 + i / 10)", "'7k41-' || i", "'m-' || i", "'press' || (i % 7)"} {
		do("insert into exception_words (word, message, version) "+all+"select "+word+", 'key-' || (10000000 + i), 1 from n", held)
	}
	for _, word := range []string{"'press'", "'spot'", "'black'", "'serial-' || (1000000 + i)", "'operator' || (i % 40)", "'early'"} {
		do("insert into exception_contents (word, message, version, plant, source) "+all+"select "+word+", 'key-' || (10000000 + i), 1, 'graz', 'key-' || (10000000 + i) from n", held)
	}
	fillAmounts(b, l, held)
	if l.store.dialect == postgres {
		do("vacuum analyze") // as a server does by itself
	}
}

// fillAmounts makes what is at stake: 0.125, 1.125 ... kilogram.
func fillAmounts(b *testing.B, l *Ledger, held int) {
	b.Helper()
	s, err := l.store.session(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	defer s.close()
	rows := make([][]any, held)
	for i := range rows {
		value, err := event.ParseDecimal(fmt.Sprintf("%d.125", i%10_010))
		if err != nil {
			b.Fatal(err)
		}
		rows[i] = amountRow(fmt.Sprintf("key-%d", 10_000_000+i), 1, &Amount{"good", value, "KGM"})
	}
	if err := s.insertAll(b.Context(), []*table{exceptionAmountsTable}, map[*table][][]any{exceptionAmountsTable: rows}); err != nil {
		b.Fatal(err)
	}
}
