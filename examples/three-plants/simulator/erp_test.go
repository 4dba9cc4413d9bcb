package simulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gapless/gapless/event"
)

// A desk is a client of the simulated systems: it stands at a time of the day, and
// the day does not go on by itself.
type desk struct {
	t       *testing.T
	company *company
	urls    map[string]string
}

// noFaults is a seed of no consequence: tests name their references by the fate that
// the seed holds for them.
const noFaults = 1

func newDesk(t *testing.T, at time.Time, acts ...Act) *desk {
	t.Helper()
	c, err := open(Config{Seed: noFaults, Speed: 1, Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.close() })
	c.clock.from = at
	d := &desk{t: t, company: c, urls: map[string]string{}}
	for i := range acts {
		a := &acts[i]
		a.ID, a.At, a.Occurred = fmt.Sprintf("t%d", i), dayBegins, dayBegins
		if err := c.byName[a.System].do(a); err != nil {
			t.Fatal(err)
		}
	}
	for name, handler := range c.handler {
		s := httptest.NewServer(handler(t.Context()))
		t.Cleanup(s.Close)
		d.urls[name] = s.URL
	}
	return d
}

// reference is one that has this fate at its first attempt, and is found at once
// unless it may lag.
func reference(movement string, want fate, lagging bool) string {
	for i := 0; ; i++ {
		r := fmt.Sprintf("ref-%04d", i)
		if d := draw(noFaults, movement+r, 0); d.fate == want && (d.lag > 0) == lagging {
			return r
		}
	}
}

// ask sends a request; a status of 0 says that there was no answer.
func (d *desk) ask(method, system, path string, body map[string]any, headers ...string) (int, string) {
	d.t.Helper()
	return d.within(10*time.Second, method, system, path, body, headers...)
}

func (d *desk) within(limit time.Duration, method, system, path string, body map[string]any, headers ...string) (int, string) {
	d.t.Helper()
	text, err := json.Marshal(body)
	if err != nil {
		d.t.Fatal(err)
	}
	ctx, stop := context.WithTimeout(d.t.Context(), limit)
	defer stop()
	r, err := http.NewRequestWithContext(ctx, method, d.urls[system]+path, strings.NewReader(string(text)))
	if err != nil {
		d.t.Fatal(err)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	response, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close() //nolint:errcheck // it is only read
	answer, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, strings.TrimSpace(string(answer))
}

// look looks into the books, or puts something right in them, while nobody else does.
func (d *desk) look(do func(e *erpBooks)) {
	_ = d.company.byName[erpName].with(func() error { do(d.company.erp.books); return nil })
}

// faults are the counts so far.
func (d *desk) faults() (f Faults) {
	d.look(func(e *erpBooks) { f = e.faults.copy() })
	return f
}

// untried makes every reference new.
func (d *desk) untried() { d.look(func(e *erpBooks) { e.tries = map[string]int{} }) }

// stock is what the ERP has of a lot, by status.
func (d *desk) stock(lot string) string {
	var all []string
	for _, s := range d.company.byName[erpName].normal().Stock {
		if s.Lot == lot {
			all = append(all, fmt.Sprintf("%s %s %s", s.Status, s.Quantity, s.Unit))
		}
	}
	return strings.Join(all, ", ")
}

func kilograms(t *testing.T, text string) event.Quantity {
	t.Helper()
	q, err := event.NewQuantity(text, kilogram)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

// ordered is an order of Puebla that is released in the ERP.
func ordered(t *testing.T) []Act {
	return []Act{
		{System: erpName, Plant: "puebla", Does: PublishItem, Material: "P-4100", ValidFrom: "2026-01-01"},
		{System: erpName, Plant: "puebla", Does: ReleaseOrder, Order: "1000001", Batch: "PB-1", Material: "P-4100", Quantity: kilograms(t, "1000")},
	}
}

func (d *desk) receipt(reference string, changes ...any) map[string]any {
	body := map[string]any{
		"movement": "PR", "site": "MX01", "order": "1000001", "itemNo": newGoods().number(erpName, "P-4100"), "lot": "P26-1",
		"quantity": "100.5", "uom": "LB", "postingDate": "2026-03-03", "reference": reference,
	}
	for i := 0; i+1 < len(changes); i += 2 {
		body[changes[i].(string)] = changes[i+1]
	}
	return body
}

func TestAReceiptIsPostedCorrectedAndReversed(t *testing.T) {
	d := newDesk(t, dayBegins, ordered(t)...)
	_, answer := d.ask("POST", erpName, "/erp/documents", d.receipt(reference("PR", answered, false)))
	if answer != `{"document":"5000000001","return":{"code":"POSTED","text":"document 5000000001 posted","type":"S"}}` {
		t.Error(answer)
	}
	if got := d.stock("P26-1"); got != "quality 45.586033185 KGM" { // 100.5 * 0.45359237
		t.Errorf("stock: %s", got)
	}
	_, answer = d.ask("POST", erpName, "/erp/documents", d.receipt(reference("PC", answered, false), "movement", "PC", "amends", "5000000001", "quantity", "-0.5", "uom", "KG"))
	if got := d.stock("P26-1"); got != "quality 45.086033185 KGM" {
		t.Errorf("stock: %s after %s", got, answer)
	}
	_, answer = d.ask("POST", erpName, "/erp/documents", d.receipt(reference("PX", answered, false), "movement", "PX", "amends", "5000000001"))
	if got := d.stock("P26-1"); got != "" {
		t.Errorf("stock: %s after %s", got, answer)
	}
	d.look(func(e *erpBooks) {
		if o := e.orders["1000001"]; !o.Good.IsZero() {
			t.Errorf("received for the order: %s", o.Good)
		}
	})
	if all, _ := d.company.byName[erpName].outbox.counts(); all != 5 { // master data, order, three documents
		t.Errorf("the ERP reported %d messages", all)
	}
}

func TestTheERPRefusesInTwoWays(t *testing.T) {
	d := newDesk(t, dayBegins, append(ordered(t),
		Act{System: erpName, Plant: "puebla", Does: ReleaseOrder, Order: "1000002", Batch: "PB-2", Material: "P-4100", Quantity: kilograms(t, "10")},
		Act{System: erpName, Plant: "puebla", Does: LockOrder, Order: "1000002"})...)
	for code, changes := range map[string][]any{
		"PERIOD_CLOSED":      {"postingDate", "2026-02-27"},
		"MATERIAL_UNKNOWN":   {"itemNo", "0000000"},
		"LOT_MISSING":        {"lot", ""},
		"ORDER_STATE":        {"order", "1000002"},
		"ORDER_UNKNOWN":      {"order", "9"},
		"DOCUMENT_UNKNOWN":   {"movement", "PX", "amends", "5000000009"},
		"REFERENCE_TOO_LONG": {"reference", strings.Repeat("r", 33)},
		"MOVEMENT_UNKNOWN":   {"movement", "ST"},
		"UNIT_WRONG":         {"uom", "ST"},
	} {
		body := d.receipt("", changes...)
		if body["reference"] == "" {
			movement := body["movement"].(string)
			if code == "MOVEMENT_UNKNOWN" {
				movement = "?ST"
			}
			body["reference"] = reference(movement, answered, false)
		}
		d.untried()
		status, answer := d.ask("POST", erpName, "/erp/documents", body)
		for try := 0; code == "REFERENCE_TOO_LONG" && status == 0 && try < 20; try++ {
			status, answer = d.ask("POST", erpName, "/erp/documents", body)
		}
		if status != http.StatusOK || !strings.Contains(answer, `"type":"E"`) || !strings.Contains(answer, code) {
			t.Errorf("want %s: %d %s", code, status, answer)
		}
	}
	body := map[string]any{
		"site": "MX01", "itemNo": newGoods().number(erpName, "P-4100"), "lot": "P26-1", "to": "F", "postingDate": "2026-03-03",
		"reference": reference("ST", answered, false),
	}
	d.untried()
	if status, answer := d.ask("POST", erpName, "/erp/stock-status", body); status != http.StatusNotFound || !strings.Contains(answer, "LOT_MISSING") {
		t.Errorf("%d %s", status, answer)
	}
	if f := d.faults(); f.Refusals < 10 {
		t.Errorf("%d refusals are counted", f.Refusals)
	}
}

func TestAPartlyReleasedLotHasTwoStatuses(t *testing.T) {
	d := newDesk(t, dayBegins, ordered(t)...)
	d.ask("POST", erpName, "/erp/documents", d.receipt(reference("PR", answered, false), "quantity", "100", "uom", "KG"))
	body := map[string]any{
		"site": "MX01", "itemNo": newGoods().number(erpName, "P-4100"), "lot": "P26-1", "uom": "KG", "postingDate": "2026-03-03",
		"parts": []map[string]string{{"to": "F", "quantity": "60"}, {"to": "S", "quantity": "30"}}, "reference": reference("ST", answered, false),
	}
	d.untried()
	if status, answer := d.ask("POST", erpName, "/erp/stock-status", body); status != http.StatusCreated {
		t.Errorf("%d %s", status, answer)
	}
	if got := d.stock("P26-1"); got != "blocked 30 KGM, free 60 KGM, quality 10 KGM" {
		t.Errorf("stock: %s", got)
	}
}

func TestALostAnswerIsLostBeforeOrAfterThePosting(t *testing.T) {
	d := newDesk(t, dayBegins, ordered(t)...)
	before, after := reference("PR", lostBefore, true), reference("PR", lostAfter, true)
	for _, r := range []string{before, after} {
		if status, answer := d.ask("POST", erpName, "/erp/documents", d.receipt(r)); status != 0 {
			t.Errorf("an answer to %s: %d %s", r, status, answer)
		}
	}
	d.look(func(e *erpBooks) {
		if n := len(e.postings); n != 1 {
			t.Errorf("%d documents", n)
		}
	})
	// The search misses what was posted a moment ago, and says that it is behind.
	if _, answer := d.ask("GET", erpName, "/erp/documents?reference="+after, nil); answer != `{"hits":[],"index":{"current":false}}` {
		t.Error(answer)
	}
	_ = d.company.byName[erpName].with(func() error { d.company.clock.from = dayBegins.Add(2 * time.Hour); return nil })
	if _, answer := d.ask("GET", erpName, "/erp/documents?reference="+after, nil); !strings.Contains(answer, `"document":"5000000001"`) || !strings.Contains(answer, `"current":true`) {
		t.Error(answer)
	}
	if _, answer := d.ask("GET", erpName, "/erp/documents?reference="+before, nil); answer != `{"hits":[],"index":{"current":true}}` {
		t.Error(answer)
	}
	if f := d.faults(); f.AnswersLost != 2 || f.FindLagged != 1 {
		t.Errorf("counted: %+v", f)
	}
}

func TestALatePostingLandsWhenTheClientHasGone(t *testing.T) {
	d := newDesk(t, dayBegins, ordered(t)...)
	d.company.clock.speed, d.company.clock.began = 10*DefaultSpeed, time.Now() // delays are a tenth
	d.company.clock.from = dayBegins
	r := reference("PR", postedLate, true)
	if status, answer := d.within(400*time.Millisecond, "POST", erpName, "/erp/documents", d.receipt(r)); status != 0 {
		t.Fatalf("it was answered: %d %s", status, answer)
	}
	if n := d.faults().LatePosts; n != 0 {
		t.Errorf("%d documents were posted while the client waited", n)
	}
	every := time.NewTicker(5 * time.Millisecond)
	defer every.Stop()
	for range 1000 {
		if d.faults().LatePosts == 1 {
			return
		}
		<-every.C
	}
	t.Error("it was never posted")
}

func TestTheERPIsDownForAnHourOfTheDay(t *testing.T) {
	d := newDesk(t, downFrom(noFaults).Add(time.Minute), ordered(t)...)
	if status, _ := d.ask("POST", erpName, "/erp/documents", d.receipt("r")); status != http.StatusServiceUnavailable {
		t.Errorf("status %d", status)
	}
	if status, _ := d.ask("GET", erpName, "/erp/documents?reference=r", nil); status != http.StatusServiceUnavailable {
		t.Errorf("status %d", status)
	}
	if f := d.faults(); f.DownRefused != 2 {
		t.Errorf("counted: %+v", f)
	}
}

func TestFaultsAreCountedAnewFromTheJournal(t *testing.T) {
	d := newDesk(t, dayBegins, ordered(t)...)
	d.ask("POST", erpName, "/erp/documents", d.receipt(reference("PR", lostAfter, true)))
	d.ask("POST", erpName, "/erp/documents", d.receipt(reference("PR", answered, false), "order", "9"))
	_, want := d.ask("GET", controlName, "/faults", nil)
	again := newERP(newGoods())
	s, err := openSystem(t.TempDir(), erpName, again)
	if err != nil {
		t.Fatal(err)
	}
	eachLine(t, filepath.Join(d.company.cfg.Folder, erpName, "books.jsonl"), func(text []byte) {
		var l line
		if err := errors.Join(json.Unmarshal(text, &l), s.take(&l)); err != nil {
			t.Fatal(err)
		}
	})
	if got := asText(t, again.faults); got != want || !strings.Contains(got, `"answers_lost":1`) || !strings.Contains(got, `"ORDER_UNKNOWN":1`) {
		t.Errorf("%s, read again %s", want, got)
	}
}

// TestADayOfCommandsMeetsEnoughFaults is what the shares are chosen for: several
// hundred postings lose 60 answers and more, and 25 are posted late.
func TestADayOfCommandsMeetsEnoughFaults(t *testing.T) {
	for seed := range uint64(20) {
		count := map[fate]int{}
		lagging := 0
		for i := range 800 { // receipts and statuses alone
			d := draw(seed, fmt.Sprintf("PR%064d", i), 0)
			count[d.fate]++
			if d.fate != answered && d.fate != lostBefore && d.lag > 0 {
				lagging++
			}
		}
		if count[lostBefore]+count[lostAfter] < 100 || count[postedLate] < 40 || lagging < 60 {
			t.Errorf("seed %d: %v, %d lagging", seed, count, lagging)
		}
	}
}

func TestAWarehouseDoesTheSameTaskOnce(t *testing.T) {
	d := newDesk(t, dayBegins, Act{System: "graz-wms", Plant: "graz", Does: PutAway, Report: "T-1", Material: "G-1100", Lot: "G26-1", Quantity: kilograms(t, "10"), Bin: "A-01-1"})
	path := "/wms/lots/" + newGoods().number("graz-wms", "G-1100") + "/G26-1/status"
	for range 2 {
		status, answer := d.ask("PUT", "graz-wms", path, map[string]any{"status": "AVL", "ref": "k"}, "Idempotency-Key", "k")
		if status != http.StatusOK || answer != `{"ref":"k","task":"C-000001"}` {
			t.Errorf("%d %s", status, answer)
		}
	}
	if status, answer := d.ask("PUT", "graz-wms", path, map[string]any{"status": "BLK"}, "Idempotency-Key", "k"); status != http.StatusUnprocessableEntity {
		t.Errorf("%d %s", status, answer)
	}
	if status, _ := d.ask("PUT", "graz-wms", strings.Replace(path, "G26-1", "G26-2", 1), map[string]any{"status": "BLK"}, "Idempotency-Key", "l"); status != http.StatusNotFound {
		t.Errorf("status %d for a lot that is not there", status)
	}
	if all, _ := d.company.byName["graz-wms"].outbox.counts(); all != 2 {
		t.Errorf("%d moves were reported", all)
	}
	if _, answer := d.ask("GET", "graz-wms", "/wms/stock", nil); !strings.Contains(answer, `"status":"AVL"`) {
		t.Error(answer)
	}
}

func TestAnMESTakesAnOrderInOnce(t *testing.T) {
	d := newDesk(t, dayBegins)
	body := map[string]any{"item": newGoods().number("puebla-mes", "P-4100"), "quantity": "100", "unit": "LB"}
	for range 2 {
		if status, answer := d.ask("PUT", "puebla-mes", "/mes/orders/1000001", body); status != http.StatusOK {
			t.Errorf("%d %s", status, answer)
		}
	}
	s := d.company.byName["puebla-mes"]
	if o := s.normal().Orders; len(o) != 1 || !o[0].Taken || o[0].Ordered.String() != "45.359237" || s.lines != 1 {
		t.Errorf("%+v in %d lines", o, s.lines)
	}
}
