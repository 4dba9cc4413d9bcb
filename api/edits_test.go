package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gapless/gapless/ledger"
)

// heldRow is a shift report of graz with a unit that nobody has translated.
func heldRow(t *testing.T, h *hub, row string) string {
	t.Helper()
	r := h.do(h.request("graz-mes", http.MethodPost, "/v1/messages/graz-mes/shift-report", map[string]string{"Content-Type": "text/csv"},
		"day;shift;machine;order;material;good;unit\n"+row+"\n"))
	id := r.at("answers/0/message")
	if r.status != http.StatusAccepted || id == "" {
		t.Fatalf("%d %s", r.status, r.text)
	}
	return id
}

func TestAnEditIsShownSignedAndOnRecord(t *testing.T) {
	h := newHub(t, Config{})
	h.person("graz.operator", "graz.quality", "linz.operator", "viewer")
	id := heldRow(t, h, "2026-03-02;1;IMM-01;1000123;4711;100;parts")
	for name, test := range map[string]struct {
		as, body string
		status   int
		says     string
	}{
		"a value that is a list":       {"graz.operator", `{"fields":[{"field":"unit","value":["pcs"]}],"why":"x"}`, http.StatusUnprocessableEntity, "a text, a number, true or false"},
		"a field without a name":       {"graz.operator", `{"fields":[{"value":"pcs"}],"why":"x"}`, http.StatusUnprocessableEntity, "not_editable"},
		"a field that is not declared": {"graz.operator", `{"fields":[{"field":"material","value":"4712"}],"why":"x"}`, http.StatusUnprocessableEntity, "not_editable"},
		"no reason":                    {"graz.operator", `{"fields":[{"field":"unit","value":"pcs"}]}`, http.StatusBadRequest, "say why"},
		"no fields":                    {"graz.operator", `{"why":"x"}`, http.StatusBadRequest, "name the fields"},
		"a number for a text":          {"graz.operator", `{"fields":[{"field":"unit","value":12}],"why":"x"}`, http.StatusBadRequest, "it is a text"},
		"another role":                 {"graz.quality", `{"fields":[{"field":"unit","value":"pcs"}],"why":"x"}`, http.StatusForbidden, "needs the role operator at plant graz"},
		"another plant":                {"linz.operator", `{"fields":[{"field":"unit","value":"pcs"}],"why":"x"}`, http.StatusNotFound, "no exception"},
		"a key":                        {"graz-mes", `{"fields":[{"field":"unit","value":"pcs"}],"why":"x"}`, http.StatusForbidden, "needs the role"},
		"another digest":               {"graz.operator", `{"fields":[{"field":"unit","value":"pcs"}],"why":"x","signed":"00"}`, http.StatusConflict, "is not the digest"},
	} {
		if r := h.act(test.as, id, "edit", test.body); r.status != test.status || !strings.Contains(r.text, test.says) {
			t.Errorf("%s: %d %s", name, r.status, r.text)
		}
	}
	shown := h.act("graz.operator", id, "edit", `{"fields":[{"field":"unit","value":"pcs"}],"why":"it means pieces"}`)
	if shown.at("outcome") != "shown" || shown.at("changes/0/before") != "parts" || shown.at("changes/0/after") != "pcs" || shown.at("events/0") != "production.completed" {
		t.Fatalf("shown: %s", shown.text)
	}
	if h.get("graz.operator", "/v1/exceptions/"+id).at("state") != "open" {
		t.Error("showing it has changed something")
	}
	done := h.act("graz.operator", id, "edit", `{"fields":[{"field":"unit","value":"pcs"}],"why":"it means pieces","signed":"`+shown.at("digest")+`"}`)
	if done.at("outcome") != "recorded" || done.at("edited") != id+".2" {
		t.Fatalf("signed: %s", done.text)
	}
	whole := h.get("graz.operator", "/v1/exceptions/"+id)
	if whole.at("state") != "resolved" || whole.at("edits/0/author/by") != "graz.operator" || whole.at("edits/0/author/roles/0") != ledger.Operator || whole.at("edits/0/state") != "made" {
		t.Errorf("the exception: %s", whole.text)
	}
	if r := h.get("viewer", "/v1/reports/production"); r.at("completeness/edited") != "1" || r.at("completeness/edited_open") != "0" || !strings.Contains(r.at("completeness/statement"), "1 event was edited in the hub;") {
		t.Errorf("the figures: %s", r.text)
	}
}

func TestWhatIsProposedIsOfItsPlantAlone(t *testing.T) {
	h := newHub(t, Config{})
	h.person("graz.operator", "graz.quality", "linz.quality", "graz.viewer")
	id := heldRow(t, h, "2026-03-02;1;IMM-01;1000123;4711;-100;pcs")
	const fields = `{"fields":[{"field":"good","value":"100"}],"why":"a slip of the pen"`
	digest := h.act("graz.operator", id, "edit", fields+"}").at("digest")
	proposed := h.act("graz.operator", id, "edit", fields+`,"signed":"`+digest+`"}`)
	edit := proposed.at("edit")
	if proposed.at("outcome") != "proposed" || proposed.at("second/0") != ledger.Quality || edit == "" {
		t.Fatalf("proposed: %s", proposed.text)
	}
	sign := func(as string) reply {
		return h.post(as, "/v1/edits/"+edit+"/sign", jsonType, `{"signed":"`+digest+`"}`)
	}
	for as, status := range map[string]int{"linz.quality": 404, "linz-mes": 404, "graz.viewer": 403, "graz.operator": 403, "graz-mes": 403, "": 401} {
		if r := sign(as); r.status != status {
			t.Errorf("%q signs: %d %s", as, r.status, r.text)
		}
		if r := h.post(as, "/v1/edits/"+edit+"/refuse", jsonType, `{"why":""}`); as != "graz.operator" && r.status != status { // who has proposed it may take it back
			t.Errorf("%q refuses: %d %s", as, r.status, r.text)
		}
	}
	if r := h.get("linz.quality", "/v1/edits?all=true"); r.at("edits/0") != "" {
		t.Errorf("linz sees what is proposed at graz: %s", r.text)
	}
	if r := h.get("linz.quality", "/v1/edits/"+edit); r.status != http.StatusNotFound {
		t.Errorf("linz opens what is proposed at graz: %s", r.text)
	}
	if r := h.get("graz.viewer", "/v1/exceptions/groups"); r.at("edits") != "1" {
		t.Errorf("the queue does not say that something waits: %s", r.text)
	}
	if r := h.get("graz.quality", "/v1/edits/"+edit); r.at("difference/digest") != digest || r.at("difference/changes/0/after") != "100" {
		t.Errorf("what is to be signed: %s", r.text)
	}
	if r := sign("graz.quality"); r.at("outcome") != "recorded" {
		t.Fatalf("signed: %d %s", r.status, r.text)
	}
	metrics := h.do(h.request("", http.MethodGet, "/metrics", nil, "")).text
	for _, line := range []string{`gapless_events_edited{plant="graz",system="graz-mes"} 1`, `gapless_differences_edited_open{plant="graz",system="graz-mes"} 1`} {
		if !strings.Contains(metrics, line) {
			t.Errorf("the metrics do not say %s", line)
		}
	}
}

func TestACorrectionIsOfItsPlantAlone(t *testing.T) {
	h := newHub(t, Config{})
	h.person("graz.operator", "linz.operator", "graz.viewer")
	id := heldRow(t, h, "2026-03-02;1;IMM-01;1000123;4711;-100;pcs")
	const body = `{"what":"the amount","due":"2099-01-01T00:00:00Z"}`
	for as, status := range map[string]int{"linz.operator": 404, "graz.viewer": 403, "graz-mes": 403} {
		if r := h.act(as, id, "correct", body); r.status != status {
			t.Errorf("%s: %d %s", as, r.status, r.text)
		}
	}
	if r := h.act("graz.operator", id, "correct", body); r.status != http.StatusBadRequest || !strings.Contains(r.text, "within a year") {
		t.Errorf("in 2099: %d %s", r.status, r.text)
	}
	due := h.flow.Ledger().Now().Add(time.Hour).UTC().Format(time.RFC3339)
	asked := h.act("graz.operator", id, "correct", strings.Replace(body, "2099-01-01T00:00:00Z", due, 1))
	if asked.at("state") != "open" || asked.at("to") != "graz-mes" {
		t.Fatalf("asked: %d %s", asked.status, asked.text)
	}
	end := "/v1/corrections/" + asked.at("correction") + "/end"
	for as, status := range map[string]int{"linz.operator": 404, "graz.viewer": 403, "graz-mes": 403} {
		if r := h.post(as, end, jsonType, `{"why":"x"}`); r.status != status {
			t.Errorf("%s ends it: %d %s", as, r.status, r.text)
		}
	}
	for as, want := range map[string]string{"linz.operator": "", "graz-mes": asked.at("correction"), "graz.viewer": asked.at("correction")} {
		if r := h.get(as, "/v1/corrections"); r.at("corrections/0/correction") != want {
			t.Errorf("%s sees %s", as, r.text)
		}
	}
	if r := h.get("graz.viewer", "/v1/exceptions/"+id); r.at("corrections/0/what") != "the amount" {
		t.Errorf("the exception: %s", r.text)
	}
}
