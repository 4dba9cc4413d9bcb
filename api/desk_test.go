package api

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gapless/gapless/ledger"
)

// act does something about an exception as a person.
func (h *hub) act(as, exception, act, body string) reply {
	h.t.Helper()
	return h.post(as, "/v1/exceptions/"+exception+"/"+act, jsonType, body)
}

func TestTheQueueGroupsWhatDoesNotGoOn(t *testing.T) {
	h, _ := filled(t)
	for i := range 3 {
		h.post("graz-mes", "/v1/events", structuredType, produced("graz-mes", fmt.Sprint("more", i), "KGM", "kilo", "lot/M-100/graz", fmt.Sprint("lot/M-100/", i)))
	}
	h.post("graz-mes", "/v1/messages/graz-mes/shift-report", "text/csv", strings.Replace(sheet, "4711", "4799", 1))
	r := h.get("graz.operator", "/v1/exceptions/groups")
	if r.status != http.StatusOK || r.at("open") == "" {
		t.Fatal(r.text)
	}
	groups, _ := r.json["groups"].([]any)
	var unit map[string]any
	for _, g := range groups {
		if g := g.(map[string]any); g["reason"] == "unit_unknown" {
			unit = g
		}
	}
	if unit == nil || unit["group"] != "graz/graz-mes/message/event/unit_unknown" || fmt.Sprint(unit["count"]) != "4" || unit["remedy"] == "" ||
		!strings.HasPrefix(fmt.Sprint(unit["effect"]), "4 messages not recorded, about 4 lots, ") {
		t.Errorf("%v", unit)
	}
	members := h.get("graz.operator", "/v1/exceptions/search?order=oldest&limit=3&group="+url.QueryEscape(fmt.Sprint(unit["group"])))
	if members.at("exceptions/2/message") == "" || members.at("exceptions/3") != "" || members.at("next") == "" {
		t.Fatalf("a page: %s", members.text)
	}
	rest := h.get("graz.operator", "/v1/exceptions/search?order=oldest&limit=3&group="+url.QueryEscape(fmt.Sprint(unit["group"]))+"&after="+members.at("next"))
	if rest.at("exceptions/0/message") == "" || rest.at("exceptions/1") != "" || rest.at("next") != "" {
		t.Errorf("the rest: %s", rest.text)
	}
	if found := h.get("viewer", "/v1/exceptions/search?text=lot/M-100/2"); found.at("exceptions/0/keys/0") != "lot/M-100/2" || found.at("exceptions/1") != "" {
		t.Errorf("by ref: %s", found.text)
	}
}

func TestOneExceptionTellsEverything(t *testing.T) {
	h, _ := filled(t)
	h.person("graz.quality")
	id := h.get("graz.operator", "/v1/exceptions/search?reason=unit_unknown").at("exceptions/0/message")
	if r := h.act("graz.operator", id, "comment", `{"text":"asked the line"}`); r.status != http.StatusOK || r.at("history/1/why") != "asked the line" {
		t.Errorf("%d %s", r.status, r.text)
	}
	one := h.get("graz.operator", "/v1/exceptions/"+id)
	if one.at("received/system") != "graz-mes" || one.at("received/body") != "" || one.at("mapped/0/type") != "" || one.at("remedy") == "" || one.at("history/0/act") != "exception.raised" {
		t.Errorf("without its raw content: %s", one.text)
	}
	if r := h.get("graz.operator", "/v1/exceptions/"+id+"?raw=true"); r.status != http.StatusForbidden {
		t.Errorf("raw content for an operator: %d", r.status)
	}
	raw := h.get("graz.quality", "/v1/exceptions/"+id+"?raw=true")
	if !strings.Contains(raw.at("received/body"), "kilo") || raw.at("mapped/0/type") != "production.completed" {
		t.Errorf("raw: %s", raw.text)
	}
}

func TestActsAreRefusedThatCannotBeMeant(t *testing.T) {
	h, _ := filled(t)
	id := h.get("graz.operator", "/v1/exceptions/search?reason=unit_unknown").at("exceptions/0/message")
	soon := time.Now().Add(time.Hour).Format(time.RFC3339)
	for _, c := range []struct {
		name, as, act, body string
		status              int
		reason, field       string
	}{
		{"by a viewer", "graz.viewer", "comment", `{"text":"x"}`, 403, "forbidden", ""},
		{"by a system", "graz-mes", "comment", `{"text":"x"}`, 403, "forbidden", ""},
		{"of another plant", "linz.operator", "waive", `{"why":"x"}`, 404, "not_found", "exception"},
		{"a comment without text", "graz.operator", "comment", `{}`, 400, "invalid_request", "text"},
		{"snoozed without a time", "graz.operator", "snooze", `{}`, 400, "invalid_request", "until"},
		{"snoozed to no time", "graz.operator", "snooze", `{"until":"tomorrow"}`, 400, "invalid_request", "until"},
		{"snoozed to the past", "graz.operator", "snooze", `{"until":"2020-01-01T00:00:00Z"}`, 400, "invalid_request", "until"},
		{"woken though it is awake", "graz.operator", "wake", `{}`, 409, "decided_already", "exception"},
		{"waived without a reason", "graz.operator", "waive", `{"why":" "}`, 400, "invalid_request", "why"},
		{"assigned to nobody known", "graz.operator", "assign", `{"to":"santa"}`, 400, "invalid_request", "to"},
		{"assigned to one of another plant", "graz.operator", "assign", `{"to":"linz.operator"}`, 400, "invalid_request", "to"},
		{"assigned from somebody who has it not", "graz.operator", "assign", `{"to":"graz.operator","from":"steward"}`, 409, "decided_already", "from"},
		{"given back though nobody has it", "graz.operator", "assign", `{}`, 409, "decided_already", "to"},
		{"snoozed", "graz.operator", "snooze", `{"until":"` + soon + `","why":"the supplier answers"}`, 200, "", ""},
		{"snoozed twice", "graz.operator", "snooze", `{"until":"` + soon + `"}`, 409, "decided_already", "until"},
		{"waived", "graz.operator", "waive", `{"why":"a trial run"}`, 200, "", ""},
		{"waived twice", "graz.operator", "waive", `{"why":"a trial run"}`, 409, "decided_already", "exception"},
		{"resumed though it is waived", "graz.operator", "resume", `{}`, 409, "decided_already", "exception"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := h.act(c.as, id, c.act, c.body)
			if r.status != c.status || r.at("field") != c.field && c.status >= 400 || c.status >= 400 && r.at("reason") != c.reason || c.status >= 400 && r.at("remedy") == "" {
				t.Errorf("%d %s", r.status, r.text)
			}
		})
	}
	for path, field := range map[string]string{
		"/v1/exceptions/groups?state=shut": "state", "/v1/exceptions/groups?reason=none": "reason", "/v1/exceptions/search?group=graz": "group", "/v1/exceptions/search?order=up": "order",
		"/v1/exceptions/search?after=x": "after", "/v1/exceptions/search?from=today": "from", "/v1/exceptions/groups?mine=perhaps": "mine", "/v1/exceptions/xyz": "exception", "/v1/exceptions/groups?plnt=graz": "plnt",
	} {
		if r := h.get("steward", path); r.status != http.StatusBadRequest || r.at("field") != field {
			t.Errorf("%s: %d %s", path, r.status, r.text)
		}
	}
	if r := h.get("graz.operator", "/v1/exceptions/groups?plant=linz"); r.status != http.StatusForbidden {
		t.Errorf("the queue of another plant: %d", r.status)
	}
	report := h.get("viewer", "/v1/reports/production")
	if report.at("completeness/waived_total") != "1" || report.at("completeness/waived/0/reason") != "unit_unknown" || !strings.Contains(report.at("completeness/statement"), "1 message was given up") {
		t.Errorf("figures do not say what was given up: %s", report.text)
	}
}

func TestOfTwoWhoTakeAnExceptionOneGetsIt(t *testing.T) {
	h, _ := filled(t)
	id := h.get("graz.operator", "/v1/exceptions/search?reason=unit_unknown").at("exceptions/0/message")
	var wg sync.WaitGroup
	replies := make([]reply, 2)
	for i, who := range []string{"graz.operator", "steward"} {
		wg.Go(func() { replies[i] = h.act(who, id, "assign", `{"to":"`+who+`"}`) })
	}
	wg.Wait()
	if replies[0].status+replies[1].status != 200+409 {
		t.Errorf("%s\n%s", replies[0].text, replies[1].text)
	}
	for i, r := range replies {
		if r.status == 409 && !strings.Contains(r.at("detail"), "has it") {
			t.Errorf("%d is told %s", i, r.text)
		}
	}
}

func TestBulkWorkNeedsItsPlantAndARole(t *testing.T) {
	h, _ := filled(t)
	start := func(as, group string) reply {
		return h.post(as, "/v1/bulk", jsonType, `{"group":"`+group+`","why":"tried"}`)
	}
	const graz = "graz/graz-mes/message/event/unit_unknown"
	for as, group := range map[string]string{"graz.viewer": graz, "linz.operator": graz, "graz-mes": graz} {
		if r := start(as, group); r.status != http.StatusForbidden {
			t.Errorf("%s: %d %s", as, r.status, r.text)
		}
	}
	if r := start("graz.operator", "graz"); r.status != http.StatusBadRequest || r.at("field") != "group" {
		t.Errorf("%d %s", r.status, r.text)
	}
	if r := h.post("graz.operator", "/v1/bulk", jsonType, `{"group":"`+graz+`","first":-1}`); r.at("field") != "first" {
		t.Errorf("%d %s", r.status, r.text)
	}
	if r := start("graz.operator", "graz/graz-mes/message/event/time_invalid"); r.status != http.StatusOK || r.at("state") != "done" || r.at("members") != "0" {
		t.Errorf("of nothing: %d %s", r.status, r.text)
	}
	work := start("graz.operator", graz)
	if work.status != http.StatusOK || work.at("members") != "1" {
		t.Fatalf("%d %s", work.status, work.text)
	}
	id := work.at("bulk")
	for moved := h.flow.Ledger().Moved(); h.get("graz.operator", "/v1/bulk/"+id).at("state") != ledger.BulkDone; moved = h.flow.Ledger().Moved() {
		select {
		case <-moved:
		case <-time.After(20 * time.Millisecond):
		}
	}
	done := h.get("graz.viewer", "/v1/bulk/"+id)
	if done.at("results/0/outcome") != "held" || done.at("results/0/now") != "held" || done.at("left") != "0" {
		t.Errorf("%s", done.text)
	}
	for as, status := range map[string]int{"graz.operator": 409, "graz.viewer": 403, "linz.operator": 404, "graz-mes": 404} {
		if r := h.post(as, "/v1/bulk/"+id+"/pause", jsonType, `{}`); r.status != status {
			t.Errorf("%s: %d %s", as, r.status, r.text)
		}
	}
	if r := h.get("linz.operator", "/v1/bulk"); strings.Contains(r.text, id) {
		t.Errorf("another plant's: %s", r.text)
	}
}

func TestMetricsTellHowExceptionsEnd(t *testing.T) {
	h, _ := filled(t)
	waived := h.get("graz.operator", "/v1/exceptions/search?reason=unit_unknown").at("exceptions/0/message")
	h.act("graz.operator", waived, "waive", `{"why":"a trial run"}`)
	if r := h.post("linz-mes", "/v1/events", structuredType, produced("linz-mes", "held")); r.at("outcome") != "recorded" {
		t.Fatal(r.text)
	}
	r := h.get("", "/metrics")
	for _, line := range []string{
		`gapless_exceptions_opened_total{plant="graz",reason="unit_unknown"} 1`, `gapless_exceptions_waived_total{plant="graz",reason="unit_unknown"} 1`,
		`gapless_exceptions_resolved_total{plant="linz",reason="unit_unknown"} 1`, `gapless_exceptions_healed_total{plant="linz",reason="unit_unknown"} 0`,
		`gapless_exceptions_ended_seconds_bucket{plant="graz",reason="unit_unknown",le="60"} 1`, `gapless_exceptions_ended_seconds_count{plant="linz",reason="unit_unknown"} 1`,
	} {
		if !strings.Contains(r.text, line+"\n") {
			t.Errorf("%s is missing", line)
		}
	}
	if strings.Contains(r.text, "gapless_exceptions_open{") || strings.Contains(r.text, "gapless_exceptions_oldest_age_seconds{") {
		t.Error("nothing is open")
	}
}

func TestAGroupThatIsDoneInPartIsNotCalledNotDone(t *testing.T) {
	for reason, want := range map[string]string{
		"partly_applied":     "post-production done in part for 2 orders",
		"stock_insufficient": "post-production not done for 2 orders",
	} {
		g := ledger.Group{Cause: ledger.Cause{About: "step", Name: "post-production", Reason: reason}, Count: 2, Objects: map[string]int64{"order": 2}}
		if got := g.Effect(); got != want {
			t.Errorf("%s: %q, want %q", reason, got, want)
		}
	}
}

func TestAnAmountIsComparedInAnyUnitOfItsKind(t *testing.T) {
	for text, want := range map[string]string{
		">=100 kg": ">= 100 KGM", "scrap > 2.5 TNE": "scrap > 2500 KGM", "=0.5 GRM": "= 0.0005 KGM", "good<12 DZN": "good < 144 H87",
		"much": "", ">=100": "", ">=a kg": "", ">=1 furlong": "", ">>1 kg": "",
	} {
		f, err := amountFilter(text)
		got := ""
		if err == nil {
			got = strings.TrimSpace(fmt.Sprint(f.Measure, " ", f.Than, " ", f.Amount.Value, " ", f.Amount.Unit))
		}
		if got != want {
			t.Errorf("%q is %q (%v), want %q", text, got, err, want)
		}
	}
}
