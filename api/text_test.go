package api

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gapless/gapless/internal/testpostgres"
	"github.com/gapless/gapless/ledger"
)

// What a database cannot hold is refused as what it is. Told as a hub that is away, it would
// be sent again without end, and fill the log: also by those who have no key.
func TestWhatIsNoTextIsRefused(t *testing.T) {
	testpostgres.Need(t)
	h := newHubOn(t, testpostgres.Database(t), Config{})
	h.person("viewer", "graz.operator", "steward")
	id := h.post("graz-mes", "/v1/events", structuredType, produced("graz-mes", "held", "KGM", "kilo")).at("message")
	for _, bad := range []string{"%00", "%FF"} {
		for _, path := range []string{
			"commands/", "edits/", "bulk/", "replays/", "exceptions/", "events/", "messages/", "held?plant=", "held?system=", "exceptions/groups?owner=", "exceptions/search?text=a/",
			"exceptions/search?group=a/b/message/c/", "objects?kind=order&after=", "alerts?plant=", "cross-references?system=erp&kind=material&id=", "reference?ref=material/M&plant=",
			"reports/shadow?after=", "reports/shadow?system=", "feed?plant=", "feed?type=", "trace?name=order/",
		} {
			if r := h.get("viewer", "/v1/"+path+bad); r.status != http.StatusBadRequest {
				t.Errorf("%s: %d %s", path+bad, r.status, r.text)
			}
		}
	}
	due := time.Now().Add(time.Hour).UTC().Format(time.RFC3339)
	for act, body := range map[string]string{
		"comment": `{"text":"a\u0000b"}`, "assign": `{"to":"a\u0000b"}`, "correct": `{"what":"a\u0000b","due":"` + due + `"}`, "waive": `{"why":"\u0000"}`, "edit": `{"fields":[{"field":"\u0000","value":1}],"why":"x"}`,
	} {
		if r := h.act("graz.operator", id, act, body); r.status/100 != 4 || r.at("reason") != "invalid_request" {
			t.Errorf("%s: %d %s", act, r.status, r.text)
		}
	}
	for path, body := range map[string]string{
		"/v1/bulk": `{"group":"graz/graz-mes/message/event%00/unit_unknown"}`, "/v1/consumers/a/cursor": `{"cursor":"` + ledger.Cursor{"\x00": 0}.String() + `"}`,
	} {
		if r := h.post("steward", path, jsonType, body); r.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", path, r.status, r.text)
		}
	}
	for name, authorization := range map[string]string{
		"a key": "Bearer gpl_\xff_x", "a name": "Basic " + base64.StdEncoding.EncodeToString([]byte("a\x00b:x")), "no UTF-8": "Basic " + base64.StdEncoding.EncodeToString([]byte("\xff:x")),
	} {
		if r := h.do(h.request("", http.MethodGet, "/v1/feed", map[string]string{"Authorization": authorization}, "")); r.status != http.StatusUnauthorized {
			t.Errorf("%s: %d %s", name, r.status, r.text)
		}
	}
}

func TestAQueryThatCannotBeReadIsRefused(t *testing.T) {
	h := newHub(t, Config{})
	h.person("viewer")
	for _, query := range []string{"plant=%zz", "plant=graz;state=open"} { // each would be left out, and everything shown
		if r := h.get("viewer", "/v1/held?"+query); r.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", query, r.status, r.text)
		}
	}
}

// A text goes on record for each member of a group.
func TestATextOfAPersonIsNotEndless(t *testing.T) {
	h, _ := filled(t)
	id := h.get("graz.operator", "/v1/held").at("held/0/message")
	for length, status := range map[int]int{8 << 10: 200, 8<<10 + 1: 422} {
		if r := h.act("graz.operator", id, "comment", `{"text":"`+strings.Repeat("x", length)+`"}`); r.status != status {
			t.Errorf("%d bytes: %d %.200s", length, r.status, r.text)
		}
	}
}
