package flow_test

import (
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/connector/simulated"
	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/internal/testpostgres"
	"github.com/gapless/gapless/ledger"
)

// instant is a system that answers at once.
func instant(b *testing.B) (*simulated.System, flow.Follower) {
	b.Helper()
	s, err := simulated.New(simulated.Config{Class: connector.Findable, Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	return s, flow.Follower{System: s, Traits: s.Traits(), Concurrency: 256}
}

// onEachDatabase runs a benchmark on SQLite, and on PostgreSQL where there is one.
func onEachDatabase(b *testing.B, bench func(b *testing.B, dsn string)) {
	b.Run("sqlite", func(b *testing.B) { bench(b, filepath.Join(b.TempDir(), "gapless.db")) })
	b.Run("postgres", func(b *testing.B) {
		bench(b, testpostgres.Database(b))
	})
}

// lotsMade takes production of so many lots in, in batches, from lot first on.
func lotsMade(b *testing.B, h *hub, first, n int) {
	b.Helper()
	for from := first; from < first+n; from += 100 {
		var all []doc
		for i := from; i < min(from+100, first+n); i++ {
			all = append(all, lotMade(fmt.Sprintf("e%07d", i), fmt.Sprintf("%07d", i), "100"))
		}
		if _, err := h.take(events(b, key("graz-mes"), all...)); err != nil {
			b.Fatal(err)
		}
	}
}

// reportCommits tells how long a commit took, how many entries it held, and how much of
// the time there was one.
func reportCommits(b *testing.B, l *ledger.Ledger) {
	b.Helper()
	n := l.Counts()
	b.ReportMetric(float64(n.CommitTime.Microseconds())/float64(n.Commits), "us/commit")
	b.ReportMetric(float64(n.Entries)/float64(n.Commits), "entries/commit")
	b.ReportMetric(n.CommitTime.Seconds()/b.Elapsed().Seconds(), "busy")
}

// BenchmarkSteps is how many steps are performed and settled while everything is on
// record already, at a system that answers at once.
func BenchmarkSteps(b *testing.B) {
	onEachDatabase(b, func(b *testing.B, dsn string) {
		cfg := flow.Config{Catalog: followingCompany(b), Ledger: ledger.Config{Database: dsn, Clock: time.Now}}
		h := hubOn(b, cfg)
		lotsMade(b, h, 0, b.N)
		h.stop()
		erp, follower := instant(b)
		cfg.Systems = map[string]flow.Follower{"erp": follower}
		b.ResetTimer()
		x := &following{hub: hubOn(b, cfg)}
		x.quiet()
		b.StopTimer()
		b.ReportMetric(float64(len(erp.Books()))/b.Elapsed().Seconds(), "steps/s")
		reportCommits(b, x.Ledger())
	})
}

// BenchmarkFollow is a transaction from its first event to its last command: what
// is made is received, and a release follows to the stock of the ERP and the
// warehouse.
func BenchmarkFollow(b *testing.B) {
	onEachDatabase(b, func(b *testing.B, dsn string) {
		_, erp := instant(b)
		_, wms := instant(b)
		x := &following{hub: hubOn(b, flow.Config{
			Catalog: followingCompany(b), Ledger: ledger.Config{Database: dsn, Clock: time.Now},
			Systems: map[string]flow.Follower{"erp": erp, "graz-wms": wms},
		})}
		b.ResetTimer()
		for from := 0; from < b.N; from += 100 {
			n := min(100, b.N-from)
			lotsMade(b, x.hub, from, n)
			var all []doc
			for i := from; i < from+n; i++ {
				all = append(all, lotReleased(fmt.Sprintf("q%07d", i), fmt.Sprintf("%07d", i)))
			}
			if _, err := x.take(events(b, key("qms"), all...)); err != nil {
				b.Fatal(err)
			}
		}
		x.quiet()
		b.StopTimer()
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "transactions/s")
		reportCommits(b, x.Ledger())
	})
}

// noting is a system that notes when each command came.
type noting struct {
	*simulated.System
	mu   sync.Mutex
	came map[event.Ref]time.Time // by the command's subject
}

func (n *noting) Perform(ctx context.Context, c connector.Command) (connector.Outcome, error) {
	n.mu.Lock()
	n.came[c.Subject] = time.Now()
	n.mu.Unlock()
	return n.System.Perform(ctx, c)
}

// BenchmarkRecordedToSent is how long it takes from the commit of an event until its
// command reaches the system, at half of the load that the hub carries, which is measured
// first.
func BenchmarkRecordedToSent(b *testing.B) {
	onEachDatabase(b, func(b *testing.B, dsn string) {
		books, erp := instant(b)
		sent := &noting{System: books, came: map[event.Ref]time.Time{}}
		erp.System = sent
		x := &following{hub: hubOn(b, flow.Config{
			Catalog: followingCompany(b), Ledger: ledger.Config{Database: dsn, Clock: time.Now}, Systems: map[string]flow.Follower{"erp": erp},
		})}
		const most = 2000
		begin := time.Now()
		lotsMade(b, x.hub, 0, most)
		x.quiet()
		every := 2 * time.Since(begin) / most

		recorded := make([]time.Time, b.N)
		var senders sync.WaitGroup
		b.ResetTimer()
		begin = time.Now()
		for i := range b.N {
			time.Sleep(time.Until(begin.Add(time.Duration(i) * every)))
			senders.Go(func() {
				lot := fmt.Sprintf("%07d", most+i)
				answers, err := x.take(events(b, key("graz-mes"), lotMade("e"+lot, lot, "100")))
				if err != nil || len(answers) != 1 {
					b.Errorf("%d answers, %v", len(answers), err)
					return
				}
				recorded[i] = answers[0].Recorded
			})
		}
		senders.Wait()
		x.quiet()
		b.StopTimer()
		if b.Failed() {
			return
		}
		took := make([]time.Duration, b.N)
		for i := range took {
			took[i] = sent.came[event.Ref("lot/M-100/"+fmt.Sprintf("%07d", most+i))].Sub(recorded[i])
		}
		slices.Sort(took)
		b.ReportMetric(float64(time.Second/every), "events/s")
		b.ReportMetric(took[len(took)/2].Seconds()*1000, "p50-ms")
		b.ReportMetric(took[len(took)*99/100].Seconds()*1000, "p99-ms")
	})
}

// BenchmarkBulk is how many refused commands bulk work resumes, until a system that
// answers at once has performed them all; compare with BenchmarkSteps.
func BenchmarkBulk(b *testing.B) {
	onEachDatabase(b, func(b *testing.B, dsn string) {
		x := &following{erp: &books{}}
		x.hub = hubOn(b, flow.Config{
			Catalog: followingCompany(b), Ledger: ledger.Config{Database: dsn, Clock: time.Now},
			Systems: map[string]flow.Follower{"erp": {System: x.erp, Traits: connector.Traits{Class: connector.Findable, KeyCarrier: "reference"}, Concurrency: 256}},
		})
		open := x.refusing()
		lotsMade(b, x.hub, 0, b.N)
		x.quiet()
		g := x.theGroup()
		open()
		b.ResetTimer()
		work := x.over(x.resumeAll(g, 0).ID, ledger.BulkDone)
		bulk := b.Elapsed()
		x.quiet()
		b.StopTimer()
		if n := int(work.Outcomes[ledger.BulkResumed]); n != b.N || len(x.erp.lines()) != b.N {
			b.Fatalf("%d of %d are resumed, %d performed", n, b.N, len(x.erp.lines()))
		}
		b.ReportMetric(float64(b.N)/bulk.Seconds(), "resumed/s")
		b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "steps/s")
	})
}

// BenchmarkHeal is how many messages one cross-reference heals that all wait for it:
// alone, and beside nine times as many that wait for others, which nobody may look at.
func BenchmarkHeal(b *testing.B) {
	for _, beside := range []int{0, 9} {
		b.Run(fmt.Sprintf("beside %d times as many", beside), func(b *testing.B) {
			onEachDatabase(b, func(b *testing.B, dsn string) {
				h := hubOn(b, flow.Config{Catalog: company(b, nil), Ledger: ledger.Config{Database: dsn, Clock: time.Now}})
				weighedOf(b, h, "NEW", b.N)
				for i := range beside {
					weighedOf(b, h, fmt.Sprint("OTHER", i), b.N)
				}
				b.ResetTimer()
				if _, err := h.take(events(b, key("erp"), material("m", "NEW", "material/M-7", ""))); err != nil {
					b.Fatal(err)
				}
				for h.ends() < int64(b.N) {
					moved := h.Ledger().Moved()
					if h.ends() < int64(b.N) {
						<-moved
					}
				}
				b.StopTimer()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "healed/s")
			})
		})
	}
}

// weighedOf takes in so many messages of an item that nobody knows yet.
func weighedOf(b *testing.B, h *hub, item string, n int) {
	b.Helper()
	for from := 0; from < n; from += 200 {
		var all []string
		for i := from; i < min(from+200, n); i++ {
			all = append(all, fmt.Sprintf(`{"number":"%s-%d","at":"2026-03-02T08:00:00Z","order":"1","item":%q,"amount":"0.5","unit":"kg"}`, item, i, item))
		}
		if _, err := h.take(native("weighing", "application/json", "["+strings.Join(all, ",")+"]")); err != nil {
			b.Fatal(err)
		}
	}
}

// ends is how many exceptions have ended because what they waited for arrived.
func (h *hub) ends() (n int64) {
	for _, c := range h.Ledger().ExceptionCounts() {
		n += c.Healed
	}
	return n
}

// BenchmarkReplay is how many kept messages a dry run looks at, and how many a replay
// takes in again under a mapping that changes each, without systems that follow.
func BenchmarkReplay(b *testing.B) {
	onEachDatabase(b, func(b *testing.B, dsn string) {
		x := &replaying{following: &following{}, cfg: flow.Config{Ledger: ledger.Config{Database: dsn, Clock: clock()}}}
		x.start(b, nil)
		x.says(material("m1", "FREE", "material/M-9", ""))
		for at := 0; at < b.N; at += 1000 {
			var lines []string
			for i := at; i < min(at+1000, b.N); i++ {
				lines = append(lines, string(shiftRow(fmt.Sprint(i), "8").Body))
			}
			if _, err := x.take(native("shift-report", "application/x-ndjson", strings.Join(lines, "\n"))); err != nil {
				b.Fatal(err)
			}
		}
		files := inDozens(b)
		files["catalog.yaml"] = "catalog: company\ntitle: A company\nextends: standard\nreplay: {approve-above: 100000}\n"
		x.under(files)
		b.ResetTimer()
		p, err := x.ProposeReplay(b.Context(), "anna", &ledger.Choice{Plant: "graz", Message: "shift-report"}, "")
		if err != nil {
			b.Fatal(err)
		}
		chosen := b.Elapsed()
		x.over(p.ID, ledger.ReplayProposed)
		shown := b.Elapsed()
		x.run(p.ID)
		b.ReportMetric(float64(b.N)/chosen.Seconds(), "chosen/s")
		b.ReportMetric(float64(b.N)/(shown-chosen).Seconds(), "shown/s")
		b.ReportMetric(float64(b.N)/(b.Elapsed()-shown).Seconds(), "replayed/s")
	})
}
