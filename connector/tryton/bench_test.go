package tryton_test

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/connector/tryton"
)

// A plain is a client that does what a release needs and nothing else: it looks
// whether it was done, makes the shipment, takes it through its states and reads
// it back. All ids are known to it.
type plain struct {
	b       testing.TB
	url     string
	session string
}

func (p *plain) call(method string, args ...any) any {
	if method != "common.db.login" {
		args = append(args, map[string]any{"company": 1, "language": "en"})
	}
	body, err := json.Marshal(map[string]any{"id": 1, "method": method, "params": args})
	if err != nil {
		p.b.Error(err)
	}
	req, err := http.NewRequestWithContext(p.b.Context(), http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		p.b.Error(err)
		return nil
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", p.session)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.b.Error(err)
		return nil
	}
	defer res.Body.Close() //nolint:errcheck // what is read is read
	var a struct{ Result, Error any }
	if err := json.NewDecoder(res.Body).Decode(&a); err != nil || a.Error != nil {
		p.b.Errorf("%s: %v %.200v", method, err, a.Error)
	}
	return a.Result
}

func (p *plain) login(user, password string) {
	opened, ok := p.call("common.db.login", user, map[string]any{"password": password}, "en").([]any)
	if !ok {
		p.b.Fatal("no session")
	}
	p.session = "Session " + base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s:%.0f:%s", user, opened[0], opened[1]))
}

func (p *plain) release(reference string, r route, forth bool) {
	const model = "model.stock.shipment.internal."
	from, to := r.from, r.to
	if !forth {
		from, to = to, from
	}
	p.call(model+"search_read", []any{[]any{"reference", "=", reference}}, 0, nil, nil, []string{"number", "state"})
	move := map[string]any{"product": r.product, "uom": r.unit, "quantity": 0.5, "from_location": from, "to_location": to, "company": 1, "currency": 1}
	if r.lot != 0 {
		move["lot"] = r.lot
	}
	id := p.call(model+"create", []any{map[string]any{"company": 1, "reference": reference, "from_location": from, "to_location": to, "moves": []any{[]any{"create", []any{move}}}}})
	p.call(model+"wait", id)
	if reserved := p.call(model+"assign_try", id); reserved != true {
		p.b.Errorf("reserved: %v", reserved)
	}
	p.call(model+"done", id)
	if read, ok := p.call(model+"read", id, []string{"number", "state"}).([]any); !ok || len(read) != 1 || fmt.Sprint(read[0]) == "" {
		p.b.Errorf("read %v", read)
	}
}

// A route is what one worker moves forth and back; no two move one product, so
// that the ERP's locks are not what is measured.
type route struct {
	plant, code, number, symbol  string
	product, lot, unit, from, to int64
}

// BenchmarkRelease measures releases through the connector against those of a
// plain client, in turn and at the same server: the connector must reach 90 % of
// what the server takes. Run it with -benchtime=5x.
func BenchmarkRelease(b *testing.B) {
	env := environment(b)
	if env == nil {
		b.Skipf("needs a real Tryton server: set %s", environmentName)
	}
	config := tryton.ClientConfig{URL: env["TRYTON_URL"], Database: env["TRYTON_DB"], User: "hub", Password: env["TRYTON_HUB_PASSWORD"]}
	system, err := tryton.New(tryton.Config{ClientConfig: config})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(system.Close)
	p := &plain{b: b, url: env["TRYTON_URL"] + "/" + env["TRYTON_DB"] + "/"}
	p.login("hub", env["TRYTON_HUB_PASSWORD"])
	routes := routesOf(b, config)
	for _, workers := range []int{1, 4} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			const posts = 4 // of each worker in a turn: forth and back
			var ours, theirs time.Duration
			turn := 0
			run := func(release func(worker, n int)) time.Duration {
				began := time.Now()
				var all sync.WaitGroup
				for w := range workers {
					all.Go(func() {
						for n := range posts {
							release(w, n)
						}
					})
				}
				all.Wait()
				return time.Since(began)
			}
			for b.Loop() {
				turn++
				plainly := func() {
					theirs += run(func(w, n int) {
						p.release(fmt.Sprintf("plain-%d-%d-%d-%d", time.Now().UnixNano(), turn, w, n), routes[w], n%2 == 0)
					})
				}
				connected := func() { ours += run(func(w, n int) { releaseBy(b, system, routes[w], n%2 == 0) }) }
				if turn%2 == 0 { // who comes first has no advantage
					plainly, connected = connected, plainly
				}
				plainly()
				connected()
			}
			done := float64(turn * workers * posts)
			ratio := theirs.Seconds() / ours.Seconds()
			b.ReportMetric(done/ours.Seconds(), "connector/s")
			b.ReportMetric(done/theirs.Seconds(), "plain/s")
			b.ReportMetric(100*ratio, "%ofplain")
			b.ReportMetric(0, "ns/op")
			if ratio < 0.9 {
				b.Errorf("the connector reaches %.0f %% of a plain client", 100*ratio)
			}
		})
	}
}

// newKey is a command key that nobody has used.
func newKey() string {
	b := make([]byte, connector.KeyDigits/2)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// releaseBy makes one release through the connector.
func releaseBy(b *testing.B, system *tryton.System, r route, forth bool) {
	from, to := r.plant+"-STO", r.plant+"-REJ"
	if !forth {
		from, to = to, from
	}
	line := map[string]any{"product": r.code, "quantity": "0.5", "unit": r.symbol}
	if r.number != "" {
		line["lot"] = r.number
	}
	outcome, err := system.Perform(b.Context(), connector.Command{
		Key: newKey(), Name: "release", Attempt: 1, SendBefore: time.Now().Add(time.Minute),
		Request: map[string]any{"do": "transfer", "from": from, "to": to, "text": "bench", "lines": []any{line}},
	})
	if err != nil || outcome.Status != connector.Applied {
		b.Errorf("%s %q: %v", outcome.Status, outcome.Text, err)
	}
}

// routesOf are the routes, with the ids of this database.
func routesOf(b *testing.B, config tryton.ClientConfig) []route {
	b.Helper()
	client, err := tryton.NewClient(config)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(client.Close)
	id := func(model, field, value string) int64 {
		var all []struct{ ID int64 }
		if err := client.SearchRead(b.Context(), model, tryton.Query{Domain: []any{[]any{field, "=", value}}, Fields: []string{"rec_name"}}, &all); err != nil || len(all) == 0 {
			b.Fatal(model, value, all, err)
		}
		return all[0].ID
	}
	routes := []route{
		{plant: "P100", code: "RM-1001", number: "RM-1001-2610-A", symbol: "kg"},
		{plant: "P100", code: "RM-1002", number: "RM-1002-2610-A", symbol: "kg"},
		{plant: "P200", code: "RM-1004", number: "RM-1004-2610-A", symbol: "kg"},
		{plant: "P300", code: "PK-2002", symbol: "m"},
	}
	for i := range routes {
		r := &routes[i]
		r.product, r.unit = id("product.product", "code", r.code), id("product.uom", "symbol", r.symbol)
		r.from, r.to = id("stock.location", "code", r.plant+"-STO"), id("stock.location", "code", r.plant+"-REJ")
		if r.number != "" {
			r.lot = id("stock.lot", "number", r.number)
		}
	}
	return routes
}
