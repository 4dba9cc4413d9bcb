package api

import (
	"net/http"
	"net/url"
	"testing"
	"time"
)

// replayed begins a replay as a steward and waits for its dry run.
func (h *hub) replayed(body string) reply {
	h.t.Helper()
	r := h.post("steward", "/v1/replays", jsonType, body)
	if r.status != http.StatusOK || r.at("replay") == "" {
		h.t.Fatalf("%d %s", r.status, r.text)
	}
	return h.replayIs(r.at("replay"), "examining")
}

// replayIs waits while a replay is in a state.
func (h *hub) replayIs(id, state string) reply {
	h.t.Helper()
	for tick, deadline := time.NewTicker(5*time.Millisecond), time.Now().Add(time.Minute); ; <-tick.C {
		r := h.get("steward", "/v1/replays/"+id)
		if r.status != http.StatusOK || time.Now().After(deadline) {
			h.t.Fatalf("%d %s", r.status, r.text)
		}
		if r.at("state") != state {
			return r
		}
	}
}

func TestAReplayIsShownRunAndTold(t *testing.T) {
	h, _ := filled(t)
	r := h.replayed(`{"plant":"graz","why":"to see"}`)
	id := r.at("replay")
	if r.at("state") != "proposed" || r.at("by") != "steward" || r.at("why") != "to see" || r.at("members") == "0" || r.at("found/unchanged") == "" || r.at("found/still-held") == "" || r.at("needs_approval") != "" {
		t.Errorf("%s", r.text)
	}
	page := h.get("graz.viewer", "/v1/replays/"+id+"/members?limit=1")
	if page.at("members/0/n") != "1" || page.at("members/0/result") == "" || page.at("members/1") != "" || page.at("next") != "1" {
		t.Errorf("%s", page.text)
	}
	held := h.get("graz.viewer", "/v1/replays/"+id+"/members?result=still-held")
	if held.at("members/0/found") == "" || held.at("members/0/outcome") != "" {
		t.Errorf("%s", held.text)
	}
	if f := h.get("graz.viewer", "/v1/replays/"+id+"/figures"); f.status != http.StatusOK || f.at("figures/0") != "" {
		t.Errorf("nothing changes: %s", f.text)
	}
	if run := h.post("steward", "/v1/replays/"+id+"/run", jsonType, `{"why":"nothing changes"}`); run.status != http.StatusOK || run.at("runner") != "steward" {
		t.Errorf("%s", run.text)
	}
	done := h.replayIs(id, "running")
	if done.at("state") != "done" || done.at("left") != "0" || done.at("outcomes/unchanged") != r.at("found/unchanged") || done.at("outcomes/held") != r.at("found/still-held") {
		t.Errorf("%s", done.text)
	}
	if all := h.get("graz.viewer", "/v1/replays"); all.at("replays/0/replay") != id || all.at("replays/1") != "" {
		t.Errorf("%s", all.text)
	}
	if bulk := h.get("steward", "/v1/bulk"); bulk.at("bulk/0") != "" {
		t.Errorf("a replay is told among bulk work about exceptions: %s", bulk.text)
	}
	none := h.post("steward", "/v1/replays", jsonType, `{"plant":"graz","keys":["order/nothing"]}`)
	if none.status != http.StatusOK || none.at("replay") != "" || none.at("members") != "0" {
		t.Errorf("of nothing: %d %s", none.status, none.text)
	}
}

func TestAReplayIsForThoseWhoMayDecideAboutItsPlant(t *testing.T) {
	h, _ := filled(t)
	id := h.replayed(`{"plant":"graz"}`).at("replay")
	for _, c := range []struct {
		name, as, method, path, body string
		status                       int
		reason, field                string
	}{
		{"begun by an operator", "graz.operator", "POST", "", `{"plant":"graz"}`, 403, "forbidden", ""},
		{"begun by a system", "graz-mes", "POST", "", `{"plant":"graz"}`, 403, "forbidden", ""},
		{"begun of a plant that is not seen", "linz.operator", "POST", "", `{"plant":"graz"}`, 403, "forbidden", ""},
		{"begun of no plant", "steward", "POST", "", `{}`, 400, "invalid_request", "plant"},
		{"begun of a plant that is not there", "steward", "POST", "", `{"plant":"wels"}`, 400, "invalid_request", "plant"},
		{"begun from no time", "steward", "POST", "", `{"plant":"graz","recorded_from":"yesterday"}`, 400, "invalid_request", "recorded_from"},
		{"begun of no key", "steward", "POST", "", `{"plant":"graz","keys":["Order 5"]}`, 400, "invalid_request", "keys"},
		{"begun with what is not known", "steward", "POST", "", `{"plant":`, 422, "invalid_request", "body"},
		{"run by an operator", "graz.operator", "POST", "/" + id + "/run", `{}`, 403, "forbidden", ""},
		{"run by a system", "graz-mes", "POST", "/" + id + "/run", `{}`, 404, "not_found", "replay"},
		{"run from another plant", "linz.operator", "POST", "/" + id + "/run", `{}`, 404, "not_found", "replay"},
		{"cancelled by an operator", "graz.operator", "POST", "/" + id + "/cancel", `{}`, 403, "forbidden", ""},
		{"cancelled as other bulk work", "steward", "POST", "/v1/bulk/" + id + "/cancel", `{}`, 404, "not_found", "bulk"},
		{"approved by a steward", "steward", "POST", "/" + id + "/approve", `{}`, 403, "forbidden", ""},
		{"paused though it does not run", "steward", "POST", "/" + id + "/pause", `{}`, 409, "decided_already", "state"},
		{"seen from another plant", "linz.operator", "GET", "/" + id, "", 404, "not_found", "replay"},
		{"its members seen from another plant", "linz.operator", "GET", "/" + id + "/members", "", 404, "not_found", "replay"},
		{"its figures seen by a system", "graz-mes", "GET", "/" + id + "/figures", "", 404, "not_found", "replay"},
		{"listed by a system", "graz-mes", "GET", "", "", 403, "forbidden", ""},
		{"members of no result", "steward", "GET", "/" + id + "/members?result=fine", "", 400, "invalid_request", "result"},
		{"figures behind nothing", "steward", "GET", "/" + id + "/figures?after=" + url.QueryEscape("a b"), "", 400, "invalid_request", "after"},
		{"one that is not there", "steward", "GET", "/nothing", "", 404, "not_found", "replay"},
		{"cancelled", "steward", "POST", "/" + id + "/cancel", `{"why":"a mistake"}`, 200, "", ""},
		{"run though it is cancelled", "steward", "POST", "/" + id + "/run", `{}`, 409, "decided_already", "state"},
	} {
		path := "/v1/replays" + c.path
		if len(c.path) > 3 && c.path[:4] == "/v1/" {
			path = c.path
		}
		r := h.do(h.request(c.as, c.method, path, map[string]string{"Content-Type": jsonType}, c.body))
		if r.status != c.status || r.at("reason") != c.reason || r.at("field") != c.field {
			t.Errorf("%s: %d %s %s: %s", c.name, r.status, r.at("reason"), r.at("field"), r.text)
		}
	}
}
