package flow_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/ledger"
)

var boxes atomic.Int64

// box is a message of about 1 KiB; one in ten is about one hot lot.
func box() []byte {
	n := boxes.Add(1)
	lot := strconv.FormatInt(n/20, 10)
	if n%10 == 0 {
		lot = "hot"
	}
	return fmt.Appendf(nil, `{"box":"b%d","at":"2026-03-02T08:00:00+01:00","order":"%d","line":"L%d","machine":"M%d","item":"I%d","lot":"%s","total":100,"bad":2,"good":98,"note":"%s"}`,
		n, n/200, n%5, n%20, n%50, lot, strings.Repeat("x", 800))
}

func benchCatalog(b testing.TB) *catalog.Catalog {
	cat, findings := catalog.Load(os.DirFS("testdata/bench"))
	if cat == nil {
		b.Fatal(findings)
	}
	return cat
}

func delivery(body []byte, contentType string) flow.Delivery {
	return flow.Delivery{From: ledger.Principal{Name: "bench-mes", System: "bench-mes"}, System: "bench-mes", Message: "box", ContentType: contentType, Channel: "bench", Body: body}
}

// BenchmarkTakeSingles is one message at a time from 64 senders.
func BenchmarkTakeSingles(b *testing.B) {
	f := open(b, benchCatalog(b))
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			for answer, err := range f.Take(b.Context(), delivery(box(), "application/json")) {
				if err != nil || answer.Outcome != ledger.Recorded {
					b.Fatal(answer, err)
				}
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
