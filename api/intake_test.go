package api

import (
	"net/http"
	"testing"
)

func TestAnEventIsAnsweredWhenItIsOnRecord(t *testing.T) {
	h := newHub(t, Config{})
	r := h.record("graz-mes", "1")
	for path, want := range map[string]string{"id": "1", "plant": "graz", "position": "1"} {
		if got := r.at(path); got != want {
			t.Errorf("%s is %q, want %q", path, got, want)
		}
	}
	e := h.get("graz-mes", "/v1/events/"+r.at("events/0"))
	if e.at("event/type") != "production.completed" || e.at("facts/0/base/value") != "12.5" || e.at("message") != r.at("message") {
		t.Errorf("event: %s", e.text)
	}
	again := h.post("graz-mes", "/v1/events", structuredType, produced("graz-mes", "1"))
	if again.status != http.StatusOK || again.at("outcome") != "duplicate" || again.at("message") != r.at("message") {
		t.Errorf("the second time: %d %s", again.status, again.text)
	}
}
