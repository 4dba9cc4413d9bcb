package api

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gapless/gapless/ledger"
)

// tells puts an alert about a plant on record that waits for a channel, or for none.
func (h *hub) tells(plant string, channels ...string) {
	h.t.Helper()
	l := h.flow.Ledger()
	s := ledger.AlertSeries{Cause: ledger.Cause{Plant: plant, System: "erp", About: "step", Name: "receive-goods", Reason: "period_closed"}}
	err := l.DecideAlerts(h.t.Context(), plant, []ledger.AlertDecision{{
		Series: s, After: ledger.AlertStanding{Started: l.Now(), Told: 1}, Channels: channels,
		Alert: &ledger.Alert{ID: "of-" + plant, Plant: plant, Kind: "started", Notice: fmt.Appendf(nil, `{"id":"of-%[1]s","kind":"started","plant":%[1]q,"count":3}`, plant)},
	}})
	if err != nil {
		h.t.Fatal(err)
	}
}

func TestPeopleSeeTheAlertsOfTheirPlants(t *testing.T) {
	h, _ := filled(t)
	h.tells("graz", "log")
	h.tells("linz")
	b, err := h.flow.Ledger().ClaimAlerts(t.Context(), "log", 10, time.Minute)
	if err == nil {
		err = h.flow.Ledger().SettleAlerts(t.Context(), &b, ledger.AlertWaiting, "the disk is full", h.flow.Ledger().Now().Add(time.Hour))
	}
	if err != nil {
		t.Fatal(err)
	}
	all := h.get("viewer", "/v1/alerts")
	if all.at("alerts/0/id") != "of-linz" || all.at("alerts/0/sends/0") != "" || all.at("alerts/1/sends/0/words") != "the disk is full" || all.at("alerts/1/sends/0/due") == "" {
		t.Errorf("%s", all.text)
	}
	if r := h.get("viewer", "/v1/alerts?limit=1"); r.at("alerts/0/id") != "of-linz" || r.at("next") == "" || h.get("viewer", "/v1/alerts?after="+r.at("next")).at("alerts/0/id") != "of-graz" {
		t.Errorf("by page: %s", r.text)
	}
	if r := h.get("viewer", "/v1/alerts?state=waiting"); r.at("alerts/0/id") != "of-graz" || r.at("alerts/1") != "" {
		t.Errorf("what waits: %s", r.text)
	}
	if r := h.get("graz.viewer", "/v1/alerts"); r.at("alerts/0/id") != "of-graz" || r.at("alerts/1") != "" {
		t.Errorf("of one plant: %s", r.text)
	}
	for _, test := range []struct {
		as, query string
		status    int
		field     string
	}{
		{"", "", http.StatusUnauthorized, "authorization"},
		{"graz-mes", "", http.StatusForbidden, ""},
		{"graz.viewer", "?plant=linz", http.StatusForbidden, ""},
		{"viewer", "?state=lost", http.StatusBadRequest, "state"},
		{"viewer", "?limit=0", http.StatusBadRequest, "limit"},
		{"viewer", "?after=x", http.StatusBadRequest, "after"},
	} {
		if r := h.get(test.as, "/v1/alerts"+test.query); r.status != test.status || r.at("field") != test.field {
			t.Errorf("%q asks %q: %d %s", test.as, test.query, r.status, r.text)
		}
	}
	if text := h.get("", "/metrics").text; !strings.Contains(text, `gapless_alerts_waiting{channel="log"} 1`) {
		t.Error("the metrics do not say what waits")
	}
}
