package api

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"
)

const shiftReport = "/v1/messages/graz-mes/shift-report"

func TestATraceTellsWhatBecameOfSomethingAndWhy(t *testing.T) {
	h := newHub(t, Config{})
	h.person("viewer")
	r := h.post("graz-mes", shiftReport, "text/csv", sheet)
	h.post("graz-mes", shiftReport, "text/csv", strings.Replace(sheet, "10400", "10300", 1))
	message, event := r.at("answers/0/message"), r.at("answers/0/events/0")

	order := h.get("viewer", "/v1/trace?name=order/1000123")
	if order.at("kind") != "order" || order.at("lines/2/change") != "correction" || order.at("lines/0/current") != "false" || order.at("lines/0/newest") != event+".2" {
		t.Errorf("of the order: %s", order.text)
	}
	one := h.get("viewer", "/v1/trace?explain=true&name="+message)
	if one.at("kind") != "message" || one.at("messages/1/version") != "2" || one.at("explanations/0/mapping") != "graz-mes/shift-report" {
		t.Errorf("of the message: %s", one.text)
	}
	fields := map[string]string{}
	explained, _ := one.json["explanations"].([]any)
	for _, x := range explained {
		all, _ := x.(map[string]any)["fields"].([]any)
		for _, f := range all {
			field := f.(map[string]any)
			fields[fmt.Sprint(field["target"])] = fmt.Sprint(field["sources"])
		}
	}
	if !strings.Contains(fields["data/outputs/0/quantity/value"], "good") || fields["data/order"] != "[order]" {
		t.Errorf("why: %v", fields)
	}
	if r := h.get("viewer", "/v1/trace?explain=true&name="+event); r.at("kind") != "event" || r.at("explanations/0/fields/0/target") == "" {
		t.Errorf("of the event: %s", r.text)
	}
	if r := h.get("viewer", "/v1/trace?name=order/9"); r.status != http.StatusNotFound || r.at("reason") != "not_found" {
		t.Errorf("of nothing: %d %s", r.status, r.text)
	}
}

func TestAnObjectHasAStateRelationsAndAHistory(t *testing.T) {
	h := newHub(t, Config{})
	for i := range 5 {
		h.record("graz-mes", strconv.Itoa(i), "lot/M-100/graz", fmt.Sprintf("lot/M-100/%d", i), "06:00:00", fmt.Sprintf("06:0%d:00", i))
	}
	one := h.get("erp", "/v1/objects?ref=order/1000123")
	if one.at("objects/0/kind") != "order" || one.at("objects/0/state/status") == "" || one.at("objects/0/relations/0/kind") != "order-lot" {
		t.Errorf("the order: %s", one.text)
	}
	seen, after := 0, ""
	for range 10 {
		page := h.get("erp", "/v1/objects?kind=lot&limit=2&after="+after)
		seen += len(page.json["objects"].([]any))
		if after = page.at("next"); after == "" {
			break
		}
	}
	if seen != 5 {
		t.Errorf("%d lots page by page, not 5", seen)
	}
	seen, after = 0, ""
	for range 10 {
		page := h.get("erp", "/v1/objects/history?ref=order/1000123&limit=2&after="+url.QueryEscape(after))
		seen += len(page.json["events"].([]any))
		if after = page.at("next"); after == "" {
			break
		}
	}
	if seen != 5 {
		t.Errorf("%d statements page by page, not 5", seen)
	}
}

func TestReferenceDataIsReadAsItWasValidAndAsItWasKnown(t *testing.T) {
	h := newHub(t, Config{})
	material := func(id, from, title string) string {
		return `{"specversion":"1.0","id":"` + id + `","source":"erp","type":"material.changed","plant":"graz","time":"2026-03-02T06:00:00+01:00",` +
			`"data":{"material":"material/M-7","valid_from":"` + from + `","title":"` + title + `","identifiers":[{"system":"graz-mes","id":"77"}]}}`
	}
	if r := h.post("erp", "/v1/events", structuredType, material("1", "2026-02-01", "first")); r.at("outcome") != "recorded" {
		t.Fatal(r.text)
	}
	known := h.flow.Ledger().Now()
	if r := h.post("erp", "/v1/events", structuredType, material("2", "2026-04-01", "second")); r.at("outcome") != "recorded" {
		t.Fatal(r.text)
	}
	at := func(at string, known time.Time) string {
		path := "/v1/reference?ref=material/M-7&plant=graz&at=" + url.QueryEscape(at)
		if !known.IsZero() {
			path += "&known=" + url.QueryEscape(known.Format(time.RFC3339Nano))
		}
		return h.get("graz-mes", path).at("body/title")
	}
	for _, test := range []struct {
		at    string
		known time.Time
		want  string
	}{
		{"2026-03-01T00:00:00Z", time.Time{}, "first"},
		{"2026-05-01T00:00:00Z", time.Time{}, "second"},
		{"2026-05-01T00:00:00Z", known, "first"},
		{"2026-01-01T00:00:00Z", time.Time{}, ""},
	} {
		if got := at(test.at, test.known); got != test.want {
			t.Errorf("at %s known %s: %q, want %q", test.at, test.known, got, test.want)
		}
	}
	if r := h.get("graz-mes", "/v1/cross-references?system=graz-mes&kind=material&id=77"); r.at("ref") != "material/M-7" || r.at("event") == "" {
		t.Errorf("from master data: %s", r.text)
	}
	if r := h.get("graz-mes", "/v1/cross-references?system=graz-mes&kind=material&id=4711"); r.at("ref") != "material/M-100" {
		t.Errorf("from the catalog: %s", r.text)
	}
	if r := h.get("graz-mes", "/v1/cross-references?system=graz-mes&kind=material&id=none"); r.status != http.StatusNotFound {
		t.Errorf("of nothing: %d %s", r.status, r.text)
	}
}

func TestHeldMessagesArePagedAndTakenInAgain(t *testing.T) {
	h := newHub(t, Config{})
	h.person("linz.operator", "graz.operator")
	for i := range 5 {
		h.post("graz-mes", "/v1/events", structuredType, produced("graz-mes", strconv.Itoa(i), "KGM", "kilo"))
	}
	seen, after := map[string]bool{}, ""
	for range 10 {
		page := h.get("graz.operator", "/v1/held?reason=unit_unknown&limit=2&after="+url.QueryEscape(after))
		for _, x := range page.json["held"].([]any) {
			seen[fmt.Sprint(x.(map[string]any)["message"])] = true
		}
		if after = page.at("next"); after == "" {
			break
		}
	}
	if len(seen) != 5 {
		t.Errorf("%d held messages page by page, not 5", len(seen))
	}
	for message := range seen {
		r := h.do(h.request("graz.operator", http.MethodPost, "/v1/held/"+message+"/retry", nil, ""))
		if r.status != 200 || r.at("outcome") != "held" || r.at("exception/reason") != "unit_unknown" {
			t.Errorf("taken in again as it is: %d %s", r.status, r.text)
		}
	}
}

func TestAReportIsTheSameAgainAsOfItsPosition(t *testing.T) {
	h := newHub(t, Config{})
	h.person("viewer")
	h.record("graz-mes", "1")
	before := h.get("viewer", "/v1/reports/production?by=day")
	at := h.flow.Ledger().Now()
	h.record("graz-mes", "2", "12.5", "1")
	for _, asOf := range []string{before.at("completeness/as_of"), at.Format(time.RFC3339Nano)} {
		if r := h.get("viewer", "/v1/reports/production?by=day&as_of="+url.QueryEscape(asOf)); r.at("rows/0/good") != "12.5" || r.at("rows/0/key") != "2026-03-02" {
			t.Errorf("as of %s: %s", asOf, r.text)
		}
	}
	now := h.get("viewer", "/v1/reports/production?by=day")
	if now.at("rows/0/good") != "13.5" {
		t.Errorf("now: %s", now.text)
	}
	details := h.get("viewer", "/v1/reports/production/details?by=day&key=2026-03-02&limit=1")
	if details.at("details/0/amount") != "12.5" || details.at("more") != "true" {
		t.Errorf("details: %s", details.text)
	}
	if r := h.get("viewer", "/v1/reports/production?from=2026-03-03"); r.at("rows/0/good") != "" {
		t.Errorf("from a later day: %s", r.text)
	}
}
