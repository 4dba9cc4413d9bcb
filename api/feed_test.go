package api

import (
	"bufio"
	"context"
	"encoding/json"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gapless/gapless/ledger"
)

func TestTheFeedIsReadPageByPageFromACursor(t *testing.T) {
	h := newHub(t, Config{})
	for _, id := range []string{"1", "2", "3"} {
		h.record("graz-mes", id)
	}
	h.record("linz-mes", "4")
	after, seen := "", 0
	for range 5 {
		r := h.get("erp", "/v1/feed?limit=2&after="+after)
		seen += len(r.json["events"].([]any))
		after = r.at("cursor")
	}
	if seen != 4 {
		t.Errorf("%d events were read, not 4", seen)
	}
	if r := h.get("erp", "/v1/feed?plant=linz"); r.at("events/0/plant") != "linz" || r.at("events/1/plant") != "" {
		t.Errorf("of one plant: %s", r.text)
	}
	if r := h.get("erp", "/v1/feed?type=lot.released,hold.placed"); r.at("events/0/id") != "" {
		t.Errorf("of other types: %s", r.text)
	}
}

func TestALongPollIsAnsweredByTheNextEvent(t *testing.T) {
	h := newHub(t, Config{})
	h.record("graz-mes", "1")
	after := h.get("erp", "/v1/feed").at("cursor")
	answer := make(chan reply, 1)
	go func() { answer <- h.get("erp", "/v1/feed?wait=30s&after="+after) }()
	began := time.Now()
	for posted := 2; ; posted++ { // until one of them falls into the wait
		h.record("graz-mes", strings.Repeat("2", posted))
		select {
		case r := <-answer:
			if r.at("events/0/position") == "" || time.Since(began) > 20*time.Second {
				t.Errorf("after %s: %s", time.Since(began), r.text)
			}
			return
		default:
		}
	}
}

func TestALongPollWithoutAnEventEndsInTime(t *testing.T) {
	h := newHub(t, Config{})
	if r := h.get("erp", "/v1/feed?wait=20ms"); r.status != 200 || r.at("events/0/id") != "" {
		t.Errorf("%d %s", r.status, r.text)
	}
}

// follower reads a stream of server-sent events.
type follower struct {
	t     *testing.T
	lines *bufio.Scanner
	close func() error
}

func (h *hub) follow(t *testing.T, as, path string, header map[string]string) follower {
	t.Helper()
	response, err := http.DefaultClient.Do(h.request(as, http.MethodGet, path, header, "")) //nolint:bodyclose // by close
	if err != nil {
		t.Fatal(err)
	}
	if response.StatusCode != http.StatusOK || response.Header.Get("Content-Type") != mediaStream {
		t.Fatalf("%d %s", response.StatusCode, response.Header.Get("Content-Type"))
	}
	f := follower{t, bufio.NewScanner(response.Body), response.Body.Close}
	t.Cleanup(func() { _ = f.close() })
	return f
}

// next is the next event and its id, or the next comment.
func (f follower) next() (id string, event map[string]any, comment string) {
	f.t.Helper()
	for f.lines.Scan() {
		line := f.lines.Text()
		switch {
		case strings.HasPrefix(line, "id: "):
			id = line[4:]
		case strings.HasPrefix(line, "data: "):
			if err := json.Unmarshal([]byte(line[6:]), &event); err != nil {
				f.t.Fatal(err)
			}
		case strings.HasPrefix(line, ": "):
			comment = line[2:]
		case line == "":
			return id, event, comment
		}
	}
	return "", nil, "end"
}

func TestAStreamGoesOnWhereItsReaderWas(t *testing.T) {
	h := newHub(t, Config{})
	first := h.record("graz-mes", "1").at("events/0")
	f := h.follow(t, "erp", streamRoute, nil)
	id, event, _ := f.next()
	if event["id"] != first {
		t.Fatalf("%v", event)
	}
	second := h.record("graz-mes", "2").at("events/0")
	if _, event, _ := f.next(); event["id"] != second {
		t.Errorf("what was recorded while it was open: %v", event)
	}
	third := h.record("linz-mes", "3").at("events/0")
	again := h.follow(t, "erp", streamRoute+"?after=", map[string]string{"Last-Event-ID": id})
	for _, want := range []string{second, third} {
		if _, event, _ := again.next(); event["id"] != want {
			t.Errorf("after coming back: %v, want %s", event["id"], want)
		}
	}
	if r := h.do(h.request("erp", http.MethodGet, streamRoute, map[string]string{"Last-Event-ID": "%"}, "")); r.status != 400 {
		t.Errorf("a cursor that is none: %d", r.status)
	}
	if r := h.get("", streamRoute); r.status != 401 {
		t.Errorf("without a key: %d", r.status)
	}
}

func TestASilentStreamSaysThatItIsThereAndEndsWithItsKey(t *testing.T) {
	h := newHub(t, Config{})
	h.api.heartbeat = 10 * time.Millisecond
	f := h.follow(t, "erp", streamRoute, nil)
	if _, _, comment := f.next(); comment != "still here" {
		t.Errorf("%q", comment)
	}
	if err := h.flow.Ledger().RevokeKey(t.Context(), "test", strings.Split(h.key["erp"], "_")[1]); err != nil {
		t.Fatal(err)
	}
	for {
		switch _, _, comment := f.next(); comment {
		case "still here":
		case "the key is no longer valid":
			return
		default:
			t.Fatalf("%q", comment)
		}
	}
}

func TestStreamsAndLongPollsEndWhenTheServerStops(t *testing.T) {
	h := newHub(t, Config{})
	f := h.follow(t, "erp", streamRoute, nil)
	poll := make(chan reply, 1)
	go func() { poll <- h.get("qms", "/v1/feed?wait=60s") }()
	h.api.stop() // what Shutdown calls
	if _, _, comment := f.next(); comment != "end" {
		t.Errorf("the stream goes on: %q", comment)
	}
	if r := <-poll; r.status != 200 {
		t.Errorf("the poll: %d", r.status)
	}
	if r := h.get("", "/readyz"); r.status != 503 || r.at("reason") != "unavailable" || r.header.Get("Retry-After") == "" {
		t.Errorf("ready: %d %s", r.status, r.text)
	}
}

func TestEveryPrincipalHasConsumersOfItsOwn(t *testing.T) {
	h := newHub(t, Config{})
	h.record("graz-mes", "1")
	cursor := h.get("erp", "/v1/feed").at("cursor")
	const path = "/v1/consumers/stock/cursor"
	if r := h.get("erp", path); r.status != 200 || r.at("cursor") != "" {
		t.Errorf("before: %d %s", r.status, r.text)
	}
	if r := h.post("erp", path, jsonType, `{"cursor":"`+cursor+`"}`); r.status != 200 || r.at("cursor") != cursor {
		t.Errorf("acknowledged: %d %s", r.status, r.text)
	}
	if r := h.get("erp", path); r.at("cursor") != cursor {
		t.Errorf("after: %s", r.text)
	}
	if r := h.get("qms", path); r.at("cursor") != "" {
		t.Errorf("another principal's: %s", r.text)
	}
}

// A position far below the first would have the whole range up to it looked through.
func TestACursorBelowTheFirstPositionIsRefused(t *testing.T) {
	h := newHub(t, Config{})
	h.record("graz-mes", "1")
	below := ledger.Cursor{"graz": math.MinInt64}.String()
	for _, path := range []string{"/v1/feed?after=" + below, streamRoute + "?after=" + below} {
		ctx, stop := context.WithTimeout(t.Context(), 5*time.Second)
		defer stop()
		response, err := http.DefaultClient.Do(h.request("erp", http.MethodGet, path, nil, "").WithContext(ctx))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if _ = response.Body.Close(); response.StatusCode != http.StatusBadRequest {
			t.Errorf("%s: %d", path, response.StatusCode)
		}
	}
}

// A stream shows what its reader may see now, not what the reader might see when it began.
func TestAStreamShowsAPlantNoLongerThanItsReaderMaySeeIt(t *testing.T) {
	h := newHub(t, Config{})
	h.api.heartbeat = 10 * time.Millisecond
	grant := func(plants ...string) {
		t.Helper()
		var grants []ledger.Grant
		for _, plant := range plants {
			grants = append(grants, ledger.Grant{Role: ledger.Viewer, Plant: plant})
		}
		if err := h.flow.Ledger().SetGrants(t.Context(), "test", "graz.viewer", grants); err != nil {
			t.Fatal(err)
		}
	}
	h.person("graz.viewer")
	grant("graz", "linz")
	all, asked := h.follow(t, "graz.viewer", streamRoute, nil), h.follow(t, "graz.viewer", streamRoute+"?plant=linz", nil)
	for _, f := range []follower{all, asked} {
		if _, _, comment := f.next(); comment != "still here" {
			t.Fatalf("%q", comment)
		}
	}
	// talks are what a stream says beside that it is still there, for so many beats.
	talks := func(f follower) (event map[string]any, comment string) {
		comment = "still here"
		for beat := 0; beat < 100 && comment == "still here"; beat++ {
			_, event, comment = f.next()
		}
		return event, comment
	}
	grant("graz")
	if _, comment := talks(asked); comment != "the caller no longer sees what was asked for" {
		t.Errorf("a stream of the plant alone: %q", comment)
	}
	talks(all) // until it has heard of it
	h.record("linz-mes", "1")
	h.record("graz-mes", "2")
	if event, comment := talks(all); event["plant"] != "graz" {
		t.Errorf("a stream of all plants: %v %s", event, comment)
	}
}
