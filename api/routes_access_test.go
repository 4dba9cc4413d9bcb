package api

import (
	"context"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gapless/gapless/ledger"
)

// callers are who asks for everything below, about what is of plant graz: nobody, an account
// without roles, a system and a viewer of another plant, the system that sent it, and each
// role at its plant.
var callers = []string{"", "nobody", "linz-mes", "linz.viewer", "graz-mes", "graz.viewer", "graz.operator", "graz.quality", "graz.steward", "graz.approver", "graz.admin"}

// What callers may meet with, one letter for each of callers: - who asks is not known, f is
// forbidden, n does not exist for the caller, o is looked at.
const (
	toAll       = "ooooooooooo" // who asks is not asked
	toKnown     = "-fooooooooo" // everybody who sees something; what is shown is of plants that they see
	toPeople    = "-ffofoooooo"
	ofGraz      = "-fnnooooooo" // of something at graz, also to the system that sent it
	atGraz      = "-fffooooooo" // plant graz is named
	peopleAt    = "-ffffoooooo"
	peopleOf    = "-fnnnoooooo"
	onlyOwn     = "-fofooooooo" // a system is shown its own, whichever plant is named
	byOperator  = "-fnnffoooff" // a steward is an operator too
	bySender    = "-fffofffoff"
	nothing     = "-fnnnnnnnnn"
	nothingThen = "-fffnnnnnnn"
)

// route is how a route is asked for, and what callers meet with.
type route struct{ path, body, who string }

// asked are all routes by operation id. A second word tells ways to ask for the same route
// apart. Whoever may do something asks for it with a body that is refused for its content.
func asked(o objects) map[string]route {
	get := func(path, who string) route { return route{path, "", who} }
	exception := "/v1/exceptions/" + o.held
	return map[string]route{
		"get-health": get("/healthz", toAll), "get-readiness": get("/readyz", toAll), "get-openapi": get("/openapi.yaml", toAll), "get-openapi-json": get("/openapi.json", toAll),
		"get-metrics": get("/metrics", "-ffffffffff"), // from elsewhere, of all plants

		"post-events":   {"/v1/events", o.event, bySender},
		"post-messages": {"/v1/messages/graz-mes/shift-report", o.row, bySender},
		"validate":      {"/v1/validate?system=graz-mes&message=shift-report", o.row, bySender}, "validate event": {"/v1/validate", o.event, "-oooooooooo"}, // which tells that it would be refused

		"get-event": get("/v1/events/"+o.recorded, ofGraz), "get-message": get("/v1/messages/"+o.held, ofGraz), "get-message raw": get("/v1/messages/"+o.held+"?raw=true", "-fnnfffooff"),
		"get-trace": get("/v1/trace?name=order/7000111", ofGraz), "get-trace event": get("/v1/trace?name="+o.recorded+"&explain=true", ofGraz), "get-trace message": get("/v1/trace?name="+o.held, ofGraz),
		"list-objects": get("/v1/objects?kind=order", toKnown), "list-objects one": get("/v1/objects?ref=order/7000111", ofGraz), "get-history": get("/v1/objects/history?ref=order/7000111", toKnown),
		"get-reference": get("/v1/reference?ref=material/M-100", nothing), "get-reference plant": get("/v1/reference?ref=material/M-100&plant=graz", nothingThen),
		"get-cross-reference": get("/v1/cross-references?system=graz-mes&kind=material&id=4711", atGraz), "propose-cross-references": get("/v1/cross-references/proposals", toKnown),
		"propose-cross-references system": get("/v1/cross-references/proposals?system=graz-mes", atGraz),

		"get-feed": get("/v1/feed", toKnown), "get-feed plant": get("/v1/feed?plant=graz", atGraz), "get-feed forged": get("/v1/feed?after="+ledger.Cursor{"graz": 0}.String(), toKnown),
		"stream-feed": get(streamRoute, toKnown), "stream-feed plant": get(streamRoute+"?plant=graz", atGraz),
		"get-cursor": get("/v1/consumers/stock/cursor", toKnown), "post-cursor": {"/v1/consumers/stock/cursor", `{"cursor":""}`, toKnown},

		"list-exceptions": get("/v1/exceptions", toKnown), "list-exceptions plant": get("/v1/exceptions?plant=graz", atGraz), "list-held": get("/v1/held", toKnown), "list-held plant": get("/v1/held?plant=graz", atGraz),
		"list-groups": get("/v1/exceptions/groups", toKnown), "list-groups plant": get("/v1/exceptions/groups?plant=graz", onlyOwn),
		"search-exceptions": get("/v1/exceptions/search?state=all&text=imm-01", toKnown), "search-exceptions plant": get("/v1/exceptions/search?plant=graz", onlyOwn),
		"search-exceptions group": get("/v1/exceptions/search?group="+o.group, toKnown), "search-exceptions content": get("/v1/exceptions/search?content=pcs", "-ffffffooff"),
		"get-exception": get(exception, ofGraz), "get-exception raw": get(exception+"?raw=true", "-fnnfffooff"),
		"assign-exception": {exception + "/assign", `{"to":"santa"}`, byOperator}, "comment-exception": {exception + "/comment", `{"text":""}`, byOperator},
		"snooze-exception": {exception + "/snooze", `{}`, byOperator}, "wake-exception": {exception + "/wake", `{}`, byOperator}, "waive-exception": {exception + "/waive", `{"why":""}`, byOperator},
		"resume-exception": {exception + "/resume", `{}`, byOperator}, "retry-held": {"/v1/held/" + o.held + "/retry", "", byOperator},
		"edit-exception": {exception + "/edit", `{"fields":[],"why":""}`, "-fnnffoooof"}, "correct-exception": {exception + "/correct", `{"what":"","due":""}`, byOperator},
		"list-corrections": get("/v1/corrections?all=true", toKnown), "end-correction": {"/v1/corrections/" + o.correction + "/end", `{"why":""}`, byOperator},
		"list-edits": get("/v1/edits?all=true", toKnown), "get-edit": get("/v1/edits/"+o.edit, ofGraz),
		"sign-edit": {"/v1/edits/" + o.edit + "/sign", `{"signed":"x"}`, "-fnnfffofff"}, "refuse-edit": {"/v1/edits/" + o.edit + "/refuse", `{"why":""}`, "-fnnffoofff"},

		"list-bulk": get("/v1/bulk", toPeople), "get-bulk": get("/v1/bulk/"+o.bulk, peopleOf), "start-bulk": {"/v1/bulk", `{"group":"` + o.group + `","first":-1}`, "-fffffoooff"},
		"pause-bulk": {"/v1/bulk/" + o.bulk + "/pause", `{}`, "-fnnnfoooff"}, "continue-bulk": {"/v1/bulk/" + o.bulk + "/continue", `{}`, "-fnnnfoooff"}, "cancel-bulk": {"/v1/bulk/" + o.bulk + "/cancel", `{}`, "-fnnnfoooff"},

		"list-replays": get("/v1/replays", toPeople), "get-replay": get("/v1/replays/"+o.replay, peopleOf), "start-replay": {"/v1/replays", `{"plant":"graz","message":"nothing-of-the-kind"}`, "-fffffffoff"},
		"list-replay-members": get("/v1/replays/"+o.replay+"/members", peopleOf), "list-replay-figures": get("/v1/replays/"+o.replay+"/figures", peopleOf),
		"approve-replay": {"/v1/replays/" + o.replay + "/approve", `{}`, "-fnnnffffof"}, "run-replay": {"/v1/replays/" + o.replay + "/run", `{}`, "-fnnnfffoff"},
		"pause-replay": {"/v1/replays/" + o.replay + "/pause", `{}`, "-fnnnfffoff"}, "continue-replay": {"/v1/replays/" + o.replay + "/continue", `{}`, "-fnnnfffoff"}, "cancel-replay": {"/v1/replays/" + o.replay + "/cancel", `{}`, "-fnnnfffoff"},

		"get-command": get("/v1/commands/"+o.command, nothing), "resolve-command": {"/v1/commands/" + o.command + "/resolve", `{"how":"resume"}`, nothing},

		"list-alerts": get("/v1/alerts", toPeople), "list-alerts plant": get("/v1/alerts?plant=graz", peopleAt),
		"get-production": get("/v1/reports/production?by=order", toPeople), "get-production plant": get("/v1/reports/production?plant=graz", peopleAt),
		"get-production-details": get("/v1/reports/production/details?by=order&key=order/7000111", toPeople), "get-production-details plant": get("/v1/reports/production/details?plant=graz", peopleAt),
		"get-shadow": get("/v1/reports/shadow", toKnown), "get-shadow plant": get("/v1/reports/shadow?plant=graz", atGraz),
		"get-account": get("/v1/account", toKnown), "get-catalog": get("/v1/catalog", toKnown),
	}
}

// ofAll are the routes that tell everybody the same, or what was sent.
var ofAll = []string{"validate", "get-catalog", "get-openapi", "get-openapi-json", "get-health", "get-readiness"}

// objects are what is on record at graz, by id.
type objects struct {
	recorded, held, group, edit, correction, bulk, replay, command string

	event, row string // are sent
}

// atGrazRecorded puts one of everything on record at graz.
func atGrazRecorded(t *testing.T, h *hub) objects {
	t.Helper()
	made := func(r reply, what string) string {
		t.Helper()
		id := r.at(what)
		if id == "" {
			t.Fatalf("no %s: %d %s", what, r.status, r.text)
		}
		return id
	}
	o := objects{
		event: produced("graz-mes", "sent", "1000123", "7000111"), row: "day;shift;machine;order;material;good;unit\n2026-03-02;1;IMM-09;7000111;4711;9;pcs\n", command: strings.Repeat("0", 64),
		recorded: h.record("graz-mes", "1", "1000123", "7000111").at("events/0"), held: heldRow(t, h, "2026-03-02;1;IMM-01;7000111;4711;-100;pcs"),
	}
	const fields = `{"fields":[{"field":"good","value":"100"}],"why":"a slip of the pen"`
	shown := h.act("graz.operator", o.held, "edit", fields+"}")
	o.edit = made(h.act("graz.operator", o.held, "edit", fields+`,"signed":"`+shown.at("digest")+`"}`), "edit")
	due := h.flow.Ledger().Now().Add(time.Hour).UTC().Format(time.RFC3339)
	o.correction = made(h.act("graz.operator", o.held, "correct", `{"what":"the amount","due":"`+due+`"}`), "correction")
	o.group = made(h.get("graz.operator", "/v1/exceptions/groups"), "groups/0/group")
	o.bulk = made(h.post("graz.operator", "/v1/bulk", jsonType, `{"group":"`+o.group+`","what":"comment","text":"seen"}`), "bulk")
	o.replay = made(h.post("graz.steward", "/v1/replays", jsonType, `{"plant":"graz","system":"graz-mes"}`), "replay")
	return o
}

// Every route, asked for by everybody. A route that is not in the table is a fault of the
// test: whoever adds one says here who may do what.
func TestEveryRouteIsAnsweredToThoseWhoMayAskAlone(t *testing.T) {
	h := newHub(t, Config{})
	for _, name := range callers[1:] {
		if plant, role, ok := strings.Cut(name, "."); ok {
			if err := h.flow.Ledger().CreatePerson(t.Context(), "test", name, password, []ledger.Grant{{Role: role, Plant: plant}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	h.person("nobody")
	all := asked(atGrazRecorded(t, h))
	methods := map[string]string{}
	for _, item := range h.api.huma.OpenAPI().Paths {
		if item.Get != nil {
			methods[item.Get.OperationID] = http.MethodGet
		}
		if item.Post != nil {
			methods[item.Post.OperationID] = http.MethodPost
		}
	}
	for id := range methods {
		if all[id].who == "" {
			t.Errorf("%s: who may ask for it is not in the table", id)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(all)) {
		id, _, _ := strings.Cut(name, " ")
		if methods[id] == "" {
			t.Errorf("%s: there is no such route", name)
			continue
		}
		var met strings.Builder
		for _, as := range callers {
			status, text := h.met(as, methods[id], all[name])
			met.WriteString(letter(status))
			if status >= 500 {
				t.Errorf("%s by %q: %d %s", name, as, status, text)
			}
			if strings.HasPrefix(as, "linz") && status < 300 && strings.Contains(text, "graz") && !slices.Contains(ofAll, id) {
				t.Errorf("%s tells %s of graz: %s", name, as, text)
			}
		}
		if met.String() != all[name].who {
			t.Errorf("%s %s: %s, want %s", name, all[name].path, met.String(), all[name].who)
		}
	}
}

// met is what a caller from elsewhere meets with; of a stream only that it begins.
func (h *hub) met(as, method string, asked route) (status int, text string) {
	h.t.Helper()
	ctx, stop := context.WithTimeout(h.t.Context(), 20*time.Second)
	defer stop()
	r := h.request(as, method, asked.path, map[string]string{"X-Forwarded-For": "192.0.2.1", "Content-Type": bodyType(asked.body)}, asked.body)
	response, err := http.DefaultClient.Do(r.WithContext(ctx))
	if err != nil {
		h.t.Fatal(err)
	}
	defer response.Body.Close() //nolint:errcheck // it was read or is a stream
	if response.Header.Get("Content-Type") == mediaStream {
		return response.StatusCode, ""
	}
	b, err := io.ReadAll(response.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	return response.StatusCode, string(b)
}

func bodyType(body string) string {
	switch {
	case strings.Contains(body, "specversion"):
		return structuredType
	case strings.HasPrefix(body, "day;"):
		return "text/csv"
	}
	return jsonType
}

func letter(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "-"
	case http.StatusForbidden:
		return "f"
	case http.StatusNotFound:
		return "n"
	}
	return "o"
}
