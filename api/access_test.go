package api

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gapless/gapless/ledger"
)

// filled is a hub with events, a held message and a corrected event in two plants.
func filled(t *testing.T) (h *hub, linz reply) {
	t.Helper()
	h = newHub(t, Config{})
	h.person("graz.viewer", "graz.operator", "linz.operator", "linz.quality", "steward", "viewer", "nobody")
	h.record("graz-mes", "g1")
	linz = h.record("linz-mes", "l1", "order/1000123", "order/5000777")
	for _, system := range []string{"graz-mes", "linz-mes"} {
		if r := h.post(system, "/v1/events", structuredType, produced(system, "held", "KGM", "kilo")); r.status != http.StatusAccepted {
			t.Fatal(r.text)
		}
	}
	h.record("linz-mes", "l2", `"time"`, `"corrects":"l1","time"`, "order/1000123", "order/5000777")
	return h, linz
}

func TestAReaderOfOnePlantNeverSeesAnother(t *testing.T) {
	h, linz := filled(t)
	held := h.get("linz.operator", "/v1/held").at("held/0/message")
	hidden := []string{
		"/v1/events/" + linz.at("events/0"), "/v1/messages/" + linz.at("message"), "/v1/messages/" + held,
		"/v1/trace?name=order/5000777", "/v1/trace?name=lot/M-100/linz", "/v1/trace?name=" + linz.at("message"), "/v1/trace?name=" + linz.at("events/0"),
		"/v1/objects?ref=order/5000777", "/v1/objects?ref=lot/M-100/linz", "/v1/exceptions/" + held,
	}
	partial := []string{
		"/v1/exceptions", "/v1/exceptions/groups", "/v1/exceptions/groups?state=all", "/v1/exceptions/search", "/v1/exceptions/search?text=kilo&state=all",
		"/v1/feed", "/v1/held", "/v1/held?state=open", "/v1/account", "/v1/reports/production", "/v1/reports/production?by=order",
		"/v1/reports/production/details?by=order&key=order/5000777", "/v1/objects?kind=order", "/v1/objects?kind=lot", "/v1/objects/history?ref=order/5000777",
		"/v1/objects/history?ref=material/M-100", "/v1/trace?name=material/M-100", "/v1/objects?ref=material/M-100",
		"/v1/reports/production?as_of=" + h.get("viewer", "/v1/account").at("as_of"),
	}
	for _, as := range []string{"graz.viewer", "graz-mes"} {
		for _, path := range hidden {
			if r := h.get(as, path); r.status != http.StatusNotFound {
				t.Errorf("%s %s: %d %s", as, path, r.status, r.text)
			}
		}
		for _, path := range partial {
			r := h.get(as, path)
			if as == "graz-mes" && strings.HasPrefix(path, "/v1/reports") {
				if r.status != http.StatusForbidden {
					t.Errorf("%s %s: %d", as, path, r.status)
				}
				continue
			}
			if r.status != http.StatusOK || strings.Contains(r.text, "linz") || strings.Contains(r.text, "5000777") {
				t.Errorf("%s %s: %d %s", as, path, r.status, r.text)
			}
			if c := cursorOf(r); strings.Contains(c, "linz") {
				t.Errorf("%s %s: the cursor names another plant: %s", as, path, c)
			}
		}
		for _, path := range []string{"/v1/feed?plant=linz", "/v1/feed/stream?plant=linz", "/v1/held?plant=linz", "/v1/reference?ref=material/M-100&plant=linz", "/v1/cross-references?system=linz-mes&kind=material&id=1"} {
			if r := h.get(as, path); r.status != http.StatusForbidden {
				t.Errorf("%s %s: %d %s", as, path, r.status, r.text)
			}
		}
	}
	for _, path := range hidden {
		if r := h.get("viewer", path); r.status != http.StatusOK {
			t.Errorf("who may see all plants: %s: %d %s", path, r.status, r.text)
		}
	}
	r := h.get("graz.viewer", "/v1/reports/production")
	if r.at("totals/0/good") != "12.5" || r.at("completeness/held_total") != "1" {
		t.Errorf("the figures of graz: %s", r.text)
	}
	if r := h.get("viewer", "/v1/reports/production"); r.at("totals/0/good") != "25" {
		t.Errorf("the figures of both: %s", r.text)
	}
}

// cursorOf is the readable form of the cursor in an answer.
func cursorOf(r reply) string {
	for _, path := range []string{"cursor", "as_of", "completeness/as_of"} {
		if c, err := ledger.ParseCursor(r.at(path)); err == nil && len(c) > 0 {
			var names []string
			for plant := range c {
				names = append(names, plant)
			}
			return strings.Join(names, " ")
		}
	}
	return ""
}

func TestWhoMayDoWhat(t *testing.T) {
	h, linz := filled(t)
	message := linz.at("message")
	held := h.get("linz.operator", "/v1/held").at("held/0/message")
	event := produced("graz-mes", "by-hand")
	for name, test := range map[string]struct {
		as, method, path, body string
		status                 int
	}{
		"nobody reads":                             {"", http.MethodGet, "/v1/feed", "", 401},
		"a wrong password":                         {"no.such", http.MethodGet, "/v1/feed", "", 401},
		"an account without roles sees nothing":    {"nobody", http.MethodGet, "/v1/feed", "", 403},
		"an account without roles sends nothing":   {"nobody", http.MethodPost, "/v1/events", event, 403},
		"a viewer sends nothing":                   {"viewer", http.MethodPost, "/v1/events", event, 403},
		"a steward sends for a system":             {"steward", http.MethodPost, "/v1/events", event, 200},
		"a viewer takes nothing in again":          {"viewer", http.MethodPost, "/v1/held/" + held + "/retry", "", 403},
		"a system takes nothing in again":          {"linz-mes", http.MethodPost, "/v1/held/" + held + "/retry", "", 403},
		"an operator of another plant does not":    {"graz.operator", http.MethodPost, "/v1/held/" + held + "/retry", "", 404},
		"an operator takes it in again":            {"linz.operator", http.MethodPost, "/v1/held/" + held + "/retry", "", 200},
		"an operator reads no raw content":         {"linz.operator", http.MethodGet, "/v1/messages/" + message + "?raw=true", "", 403},
		"a system reads no raw content":            {"linz-mes", http.MethodGet, "/v1/messages/" + message + "?raw=true", "", 403},
		"quality reads raw content of its plant":   {"linz.quality", http.MethodGet, "/v1/messages/" + message + "?raw=true", "", 200},
		"a steward reads raw content":              {"steward", http.MethodGet, "/v1/messages/" + message + "?raw=true", "", 200},
		"a system reads its own message":           {"linz-mes", http.MethodGet, "/v1/messages/" + message, "", 200},
		"a system reads no message of another":     {"qms", http.MethodGet, "/v1/messages/" + message, "", 404},
		"a system of all plants reads all feeds":   {"qms", http.MethodGet, "/v1/events/" + linz.at("events/0"), "", 200},
		"a system sees no figures":                 {"qms", http.MethodGet, "/v1/reports/production", "", 403},
		"everybody may ask whether it is alive":    {"", http.MethodGet, "/healthz", "", 200},
		"everybody may ask whether it is ready":    {"", http.MethodGet, "/readyz", "", 200},
		"everybody may read the description":       {"", http.MethodGet, "/openapi.json", "", 200},
		"no route is answered as a problem":        {"viewer", http.MethodGet, "/v1/nothing", "", 404},
		"another method is answered as a problem":  {"viewer", http.MethodDelete, "/v1/feed", "", 405},
		"a parameter that no route has is a fault": {"viewer", http.MethodGet, "/v1/held?plnt=graz", "", 400},
	} {
		t.Run(name, func(t *testing.T) {
			r := h.do(h.request(test.as, test.method, test.path, map[string]string{"Content-Type": structuredType}, test.body))
			if r.status != test.status {
				t.Errorf("%d %s, want %d", r.status, r.text, test.status)
			}
			if r.status >= 400 && (r.at("reason") == "" || r.at("remedy") == "" || r.header.Get("Content-Type") != problemType) {
				t.Errorf("no problem: %s", r.text)
			}
			if r.status == 401 && len(r.header.Values("WWW-Authenticate")) != 2 {
				t.Errorf("WWW-Authenticate %q", r.header.Values("WWW-Authenticate"))
			}
		})
	}
	raw := h.get("steward", "/v1/messages/"+message+"?raw=true").at("body")
	if !strings.Contains(raw, `"order":"order/5000777"`) {
		t.Errorf("raw content %q", raw)
	}
}

func TestAKeyThatIsRevokedAndAnAccountThatIsDisabledAreRefusedAtOnce(t *testing.T) {
	h := newHub(t, Config{})
	h.person("viewer")
	if r := h.get("viewer", "/v1/account"); r.status != 200 {
		t.Fatal(r.text)
	}
	if err := h.flow.Ledger().Disable(t.Context(), "test", "viewer"); err != nil {
		t.Fatal(err)
	}
	if r := h.get("viewer", "/v1/account"); r.status != 401 {
		t.Errorf("the account: %d %s", r.status, r.text)
	}
	if err := h.flow.Ledger().RevokeKey(t.Context(), "test", strings.Split(h.key["erp"], "_")[1]); err != nil {
		t.Fatal(err)
	}
	if r := h.get("erp", "/v1/feed"); r.status != 401 {
		t.Errorf("the key: %d %s", r.status, r.text)
	}
}

func TestAPasswordIsHashedOnceAMinute(t *testing.T) {
	h := newHub(t, Config{})
	h.person("viewer")
	began := time.Now()
	h.get("viewer", "/v1/catalog")
	first := time.Since(began)
	began = time.Now()
	for range 20 {
		if r := h.get("viewer", "/v1/catalog"); r.status != 200 {
			t.Fatal(r.text)
		}
	}
	if all := time.Since(began); all > 20*first {
		t.Errorf("20 requests took %s, the first one %s", all, first)
	}
	// Many at once, none of them verified before, must not count as many log-ins.
	h.person("steward")
	status := make(chan int, 12)
	for range cap(status) {
		go func() { status <- h.get("steward", "/v1/catalog").status }()
	}
	for range cap(status) {
		if s := <-status; s != 200 {
			t.Errorf("one of many at once: %d", s)
		}
	}
}

func TestAPrincipalThatAsksTooOftenIsToldWhenToComeBack(t *testing.T) {
	h := newHub(t, Config{Rate: 1, Burst: 2})
	for range 2 {
		if r := h.get("erp", "/v1/catalog"); r.status != 200 {
			t.Fatal(r.text)
		}
	}
	r := h.get("erp", "/v1/catalog")
	if r.status != 429 || r.at("reason") != "rate_limited" || r.header.Get("Retry-After") != "1" {
		t.Errorf("%d %s, Retry-After %q", r.status, r.text, r.header.Get("Retry-After"))
	}
	if r := h.get("qms", "/v1/catalog"); r.status != 200 {
		t.Errorf("another principal: %d", r.status)
	}
}

func TestParametersAreRefusedByName(t *testing.T) {
	h := newHub(t, Config{})
	h.person("viewer")
	for path, field := range map[string]string{
		"/v1/feed?limit=0": "limit", "/v1/feed?limit=many": "limit", "/v1/feed?wait=2h": "wait", "/v1/feed?after=%25": "cursor",
		"/v1/held?state=shut": "state", "/v1/held?after=yesterday": "after", "/v1/objects": "ref", "/v1/objects?kind=dragon": "kind", "/v1/objects?ref=dragon": "ref",
		"/v1/objects/history": "ref", "/v1/trace": "name", "/v1/trace?name=x": "name", "/v1/trace?name=order/1&explain=perhaps": "explain",
		"/v1/reference": "ref", "/v1/reference?ref=material/M-1&at=" + url.QueryEscape("2026-03-02"): "at", "/v1/cross-references?kind=material&id=1": "system",
		"/v1/reports/production?by=colour": "by", "/v1/reports/production?from=monday": "from", "/v1/reports/production?as_of=monday": "as_of",
		"/v1/reports/production/details?limit=-1": "limit", "/v1/messages/0?raw=true": "message", "/v1/events/0": "event", "/v1/consumers/A%20B/cursor": "consumer",
	} {
		if r := h.get("viewer", path); r.status != 400 || r.at("reason") != "invalid_request" || r.at("field") != field {
			t.Errorf("%s: %d %s %s", path, r.status, r.at("reason"), r.at("field"))
		}
	}
	for _, body := range []string{"", "{", `{"cursor":""}`, `{"cursor":"%"}`, `{"cursor":"` + ledger.Cursor{"graz": 99}.String() + `"}`} {
		if r := h.post("viewer", "/v1/consumers/stock/cursor", jsonType, body); r.status != 400 && r.status != 422 || r.at("reason") != "invalid_request" {
			t.Errorf("cursor %q: %d %s", body, r.status, r.text)
		}
	}
}

func TestMetricsAreForTheMachineItselfAndForThoseWhoSeeAll(t *testing.T) {
	h := newHub(t, Config{})
	h.person("viewer", "graz.viewer")
	h.record("graz-mes", "1")
	for _, test := range []struct {
		as     string
		status int
	}{{"", 401}, {"graz.viewer", 403}, {"graz-mes", 403}, {"viewer", 200}} {
		r := h.request(test.as, http.MethodGet, "/metrics", map[string]string{"X-Forwarded-For": "192.0.2.1"}, "")
		if got := h.do(r); got.status != test.status {
			t.Errorf("%q from elsewhere: %d %.200s", test.as, got.status, got.text)
		}
	}
	text := h.get("", "/metrics").text
	for _, m := range MetricNames() {
		if !strings.Contains(text, m.Name) && m.Type != "gauge" && !strings.Contains(m.Name, "messages_") && !strings.Contains(m.Name, "exceptions_") && !strings.Contains(m.Name, "alerts_") {
			t.Errorf("%s is not there", m.Name)
		}
		for _, l := range m.Labels {
			switch l {
			case "plant", "system", "reason", "route", "status", "stage", "channel":
			default:
				t.Errorf("%s has the label %s", m.Name, l)
			}
		}
	}
	if !strings.Contains(text, `gapless_messages_recorded_total{plant="graz",system="graz-mes"} 1`) {
		t.Error(text)
	}
}

func TestWhoDecidesAboutACommandIsKnown(t *testing.T) {
	h, _ := filled(t)
	path := "/v1/commands/" + strings.Repeat("0", 64) + "/resolve"
	for as, status := range map[string]int{"": 401, "linz.operator": 404} {
		r := h.do(h.request(as, http.MethodPost, path, map[string]string{"Content-Type": "application/json"}, `{"how":"resume"}`))
		if r.status != status {
			t.Errorf("%q: %d %s, want %d", as, r.status, r.text, status)
		}
	}
}

// A browser that remembers a password sends it along with what any page asks for: a form, or
// a body without a type, is sent without asking the hub first.
func TestAPageOfAnotherSiteDoesNothingHere(t *testing.T) {
	h, _ := filled(t)
	id := h.get("graz.operator", "/v1/held").at("held/0/message")
	for name, test := range map[string]struct {
		header map[string]string
		status int
	}{
		"another site":             {map[string]string{"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}, 403},
		"another site, old":        {map[string]string{"Origin": "https://evil.example"}, 403},
		"another port of the host": {map[string]string{"Sec-Fetch-Site": "same-site"}, 403},
		"a page of the hub":        {map[string]string{"Origin": h.url, "Sec-Fetch-Site": "same-origin"}, 200},
		"a program":                {nil, 200},
	} {
		t.Run(name, func(t *testing.T) {
			for path, body := range map[string]string{"/v1/exceptions/" + id + "/comment": `{"text":"seen"}`, "/v1/held/" + id + "/retry": ""} {
				if r := h.do(h.request("graz.operator", http.MethodPost, path, test.header, body)); r.status != test.status {
					t.Errorf("%s: %d %s", path, r.status, r.text)
				}
			}
			if r := h.do(h.request("graz.operator", http.MethodGet, "/v1/held", test.header, "")); r.status != 200 {
				t.Errorf("reading: %d", r.status)
			}
		})
	}
}

// The versions of a message may be of several plants: what is of one of them is not shown,
// nor taken in, by way of another.
func TestAVersionOfAnotherPlantIsAsHiddenAsAMessageOfIt(t *testing.T) {
	h, _ := filled(t)
	first := h.post("graz-mes", "/v1/events", structuredType, produced("graz-mes", "moves", "KGM", "kilo")).at("message")
	second := h.post("graz-mes", "/v1/events", structuredType, produced("graz-mes", "moves", "KGM", "kilo", `"plant":"graz"`, `"plant":"linz"`)).at("message")
	if first == "" || second != first+".2" {
		t.Fatalf("%q %q", first, second)
	}
	due := h.flow.Ledger().Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for act, body := range map[string]string{"comment": `{"text":"of linz"}`, "correct": `{"what":"of linz","due":"` + due + `"}`} {
		if r := h.act("linz.operator", second, act, body); r.status != http.StatusOK {
			t.Fatalf("%s: %d %s", act, r.status, r.text)
		}
	}
	for _, path := range []string{"/v1/messages/" + first, "/v1/exceptions/" + first, "/v1/trace?name=" + first} {
		if r := h.get("graz.operator", path); r.status != http.StatusOK || strings.Contains(r.text, "linz") {
			t.Errorf("%s: %d %s", path, r.status, r.text)
		}
		if r := h.get("graz-mes", path); r.status != http.StatusOK || !strings.Contains(r.text, "linz") {
			t.Errorf("%s by the system that sent both: %d %s", path, r.status, r.text)
		}
	}
	if r := h.post("graz.operator", "/v1/held/"+first+"/retry", jsonType, ""); r.status != http.StatusNotFound {
		t.Errorf("taken in by way of the first: %d %s", r.status, r.text)
	}
	if r := h.post("linz.operator", "/v1/held/"+second+"/retry", jsonType, ""); r.status != http.StatusOK {
		t.Errorf("taken in where it is: %d %s", r.status, r.text)
	}
}

// An exception of one's own about an object does not show what others have made of the object.
func TestAnExceptionAboutAnObjectShowsNotItsState(t *testing.T) {
	h, _ := filled(t)
	decided := func(id, what, plant, because string) reply {
		return h.post("qms", "/v1/events", structuredType, `{"specversion":"1.0","id":"`+id+`","source":"qms","type":"lot.`+what+`","plant":"`+plant+`","time":"2026-03-02T09:00:00+01:00",`+
			`"data":{"lot":"lot/M-100/linz"`+because+`}}`)
	}
	if r := decided("1", "rejected", "linz", `,"reason":"specification"`); r.at("outcome") != "recorded" {
		t.Fatalf("rejected: %s", r.text)
	}
	if r := decided("2", "released", "graz", ""); r.at("exception/reason") != "transition_invalid" {
		t.Fatalf("released: %s", r.text)
	}
	for _, path := range []string{"/v1/trace?name=lot/M-100/linz", "/v1/objects?ref=lot/M-100/linz"} {
		if r := h.get("graz.viewer", path); r.status != http.StatusOK || !strings.Contains(r.text, "transition_invalid") || strings.Contains(r.text, `"state":{`) {
			t.Errorf("%s: %d %s", path, r.status, r.text)
		}
		if r := h.get("viewer", path); !strings.Contains(r.text, `"state":{`) {
			t.Errorf("%s by who sees all plants: %d %s", path, r.status, r.text)
		}
	}
}
