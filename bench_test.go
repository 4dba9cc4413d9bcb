package gapless_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	neturl "net/url"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gapless/gapless"
	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/internal/testpostgres"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/report"
)

// senders is how many clients post at the same time.
const senders = 64

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

// boxesOf is a batch of messages, one a line.
func boxesOf(n int) []byte {
	var b bytes.Buffer
	for range n {
		b.Write(box())
		b.WriteByte('\n')
	}
	return b.Bytes()
}

// benchDatabases are the databases to measure on; PostgreSQL where there is one.
func benchDatabases(b *testing.B) map[string]string {
	b.Helper()
	all := map[string]string{"sqlite": ""}
	if testpostgres.Server() == "" {
		b.Log("PostgreSQL is not measured: name a server in GAPLESS_TEST_POSTGRES")
		return all
	}
	all["postgres"] = testpostgres.Database(b)
	return all
}

// startHub runs a hub until the benchmark ends; it answers its URL and a key.
func startHub(b *testing.B, database string) (url, key string) {
	b.Helper()
	data := b.TempDir()
	if database == "" {
		database = filepath.Join(data, "gapless.db")
	}
	key = benchKey(b, database)
	url, stop := runHub(b, data, database)
	b.Cleanup(stop)
	return url, key
}

// runHub runs a hub until stop is called.
func runHub(b *testing.B, data, database string) (url string, stop func()) {
	b.Helper()
	cat, findings := catalog.Load(os.DirFS("testdata/bench"))
	if cat == nil {
		b.Fatal(findings)
	}
	ctx, cancel := context.WithCancel(context.Background()) //nolint:usetesting // it outlives the benchmark's own context
	ready, done := make(chan string, 1), make(chan error, 1)
	go func() {
		done <- gapless.Run(ctx, gapless.Config{Catalog: cat, Data: data, Database: database, Listen: "127.0.0.1:0", Ready: func(url string) { ready <- url }})
	}()
	select {
	case url = <-ready:
	case err := <-done:
		b.Fatal(err)
	}
	return url, func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
	}
}

func benchKey(b *testing.B, database string) string {
	b.Helper()
	l, err := ledger.Open(b.Context(), ledger.Config{Database: database})
	if err != nil {
		b.Fatal(err)
	}
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- l.Run(ctx) }()
	key, _, err := l.CreateSystemKey(b.Context(), "bench", "bench-mes", time.Time{})
	if err != nil {
		b.Fatal(err)
	}
	stop()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	l.Close()
	return key
}

// BenchmarkIntake is durable intake over HTTP: messages of 1 KiB through a mapping
// and the standard policies, acknowledged after the synced commit. The load
// generator runs in the same process.
func BenchmarkIntake(b *testing.B) {
	for database, dsn := range benchDatabases(b) {
		for _, size := range []int{1, 100} {
			b.Run(fmt.Sprintf("%s/batch=%d", database, size), func(b *testing.B) {
				url, key := startHub(b, dsn)
				contentType := "application/json"
				if size > 1 {
					contentType = "application/x-ndjson"
				}
				var sent atomic.Int64
				var group sync.WaitGroup
				b.ResetTimer()
				for range senders {
					s := newSender(b, url, key, contentType)
					group.Go(func() {
						for sent.Add(int64(size)) <= int64(b.N) {
							if err := s.post(boxesOf(size)); err != nil {
								b.Error(err)
								return
							}
						}
					})
				}
				group.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
			})
		}
	}
}

// A sender posts over one connection that it keeps. It writes the request and reads
// the answer by itself: what a client of net/http does for each request would cost
// as much as a tenth of what is measured.
type sender struct {
	head   string
	conn   net.Conn
	answer *bufio.Reader
	out    []byte
}

func newSender(b *testing.B, address, key, contentType string) *sender {
	b.Helper()
	host := strings.TrimPrefix(address, "http://")
	conn, err := (&net.Dialer{}).DialContext(context.WithoutCancel(b.Context()), "tcp", host)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	head := fmt.Sprintf("POST /v1/messages/bench-mes/box HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Type: %s\r\nContent-Length: ",
		host, key, contentType)
	return &sender{head: head, conn: conn, answer: bufio.NewReader(conn)}
}

func (s *sender) post(body []byte) error {
	s.out = append(strconv.AppendInt(append(s.out[:0], s.head...), int64(len(body)), 10), "\r\n\r\n"...)
	s.out = append(s.out, body...)
	if _, err := s.conn.Write(s.out); err != nil {
		return err
	}
	resp, err := http.ReadResponse(s.answer, nil)
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", resp.Status, answer)
	}
	return err
}

// BenchmarkMillion fills a SQLite ledger with a million events and then measures
// what an operator feels: how long until the hub is ready, how long the trace of
// one lot takes, and what an idle hub holds in memory.
func BenchmarkMillion(b *testing.B) {
	const events = 1_000_000
	data := b.TempDir()
	database := filepath.Join(data, "gapless.db")
	key := benchKey(b, database)
	run := func() (url string, stop func()) {
		return runHub(b, data, database)
	}
	url, stop := run()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: senders}}
	var sent atomic.Int64
	var group sync.WaitGroup
	for range 4 {
		s := newSender(b, url, key, "application/x-ndjson")
		group.Go(func() {
			for sent.Add(1000) <= events {
				if err := s.post(boxesOf(1000)); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	group.Wait()
	stop()
	runtime.GC()

	began := time.Now()
	url, stop = run()
	ready := time.Since(began)
	defer stop()
	began = time.Now()
	for range 20 {
		if _, status := fetch(b, client, url+"/v1/feed?limit=1", key); status != http.StatusOK {
			b.Fatal(status)
		}
	}
	feed := time.Since(began) / 20
	l, err := ledger.Open(b.Context(), ledger.Config{Database: database})
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	began = time.Now()
	trace, err := report.TraceOf(b.Context(), l, "lot/I7/25000")
	if err != nil {
		b.Fatal(err)
	}
	took := time.Since(began)
	var memory runtime.MemStats
	debug.FreeOSMemory()
	runtime.ReadMemStats(&memory)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(ready.Milliseconds()), "ready-ms")
	b.ReportMetric(float64(took.Microseconds())/1000, "trace-ms")
	b.ReportMetric(float64(len(trace.Lines)), "trace-lines")
	b.ReportMetric(float64(feed.Microseconds())/1000, "feed-ms")
	b.ReportMetric(float64(memory.Sys-memory.HeapReleased)/(1<<20), "idle-MiB")
}

// BenchmarkExport reads the whole feed over HTTP, again and again, in pages of 1,000
// events while others go on sending, and watches the file of the WAL: -benchtime 600s
// is an export of ten minutes.
func BenchmarkExport(b *testing.B) {
	data := b.TempDir()
	database := filepath.Join(data, "gapless.db")
	key := benchKey(b, database)
	url, stop := runHub(b, data, database)
	defer stop()
	ctx, end := context.WithCancel(b.Context())
	var group sync.WaitGroup
	defer group.Wait()
	defer end()
	var sent atomic.Int64
	for range 4 {
		s := newSender(b, url, key, "application/x-ndjson")
		group.Go(func() {
			for ctx.Err() == nil {
				if err := s.post(boxesOf(100)); err != nil {
					b.Error(err)
					return
				}
				sent.Add(100)
			}
		})
	}
	client := &http.Client{}
	var largest, exported, busy int64
	after := ""
	for b.Loop() {
		var page struct {
			Events []json.RawMessage
			Cursor string
		}
		body, status := fetch(b, client, url+"/v1/feed?limit=1000&after="+neturl.QueryEscape(after), key)
		if status == http.StatusServiceUnavailable { // no read lasts longer than two seconds
			busy++
			continue
		}
		if err := json.Unmarshal(body, &page); err != nil || status != http.StatusOK {
			b.Fatal(status, err)
		}
		exported += int64(len(page.Events))
		if after = page.Cursor; len(page.Events) == 0 {
			after = ""
		}
		if info, err := os.Stat(database + "-wal"); err == nil {
			largest = max(largest, info.Size())
		}
	}
	b.ReportMetric(float64(largest)/(1<<20), "WAL-MiB")
	b.ReportMetric(float64(exported)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(sent.Load())/b.Elapsed().Seconds(), "sent/s")
	b.ReportMetric(float64(busy), "busy")
}

func fetch(b *testing.B, client *http.Client, url, key string) (body []byte, status int) {
	b.Helper()
	req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, url, http.NoBody)
	if err != nil {
		b.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	resp, err := client.Do(req)
	if err != nil {
		b.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if body, err = io.ReadAll(resp.Body); err != nil {
		b.Fatal(err)
	}
	return body, resp.StatusCode
}
