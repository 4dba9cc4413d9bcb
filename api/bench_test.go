package api

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/ledger"
)

// BenchmarkPostEvent is a single post by one of 64 clients at once, from the
// request to the answer, without the network.
func BenchmarkPostEvent(b *testing.B) {
	h := newHub(b, Config{})
	handler := h.api.Handler()
	body := produced("graz-mes", "ID", `"data":{`, `"note":"`+strings.Repeat("x", 600)+`","data":{`)
	var n atomic.Int64
	b.SetParallelism(64)
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			id := n.Add(1)
			text := strings.Replace(body, "ID", strconv.FormatInt(id, 10), 1)
			text = strings.Replace(text, "order/1000123", fmt.Sprintf("order/%d", id), 1)
			r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/v1/events", bytes.NewReader([]byte(text)))
			r.Header.Set("Authorization", "Bearer "+h.key["graz-mes"])
			r.Header.Set("Content-Type", structuredType)
			w := newRecorder()
			handler.ServeHTTP(w, r)
			if w.Code != http.StatusOK {
				b.Errorf("%d %s", w.Code, w.Body)
			}
		}
	})
}

// BenchmarkDoor is what the API itself adds to a post: key, body, answer.
func BenchmarkDoor(b *testing.B) {
	h := newHub(b, Config{})
	answer := flow.Answer{ID: "1", Result: ledger.Result{
		Outcome: ledger.Recorded, Message: event.MessageKey("a", "b", "c"), Plant: "graz", Position: 17,
		Events: []string{event.MessageKey("a", "b", "d")}, Recorded: h.flow.Ledger().Now(),
	}}
	body := []byte(produced("graz-mes", "1"))
	served := h.api.observed(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := h.api.principal(r.Context(), r.Header.Get("Authorization"))
		if err != nil {
			b.Error(err)
		}
		d, _, err := h.api.eventDelivery(w, r, p)
		if err != nil {
			b.Error(err)
		}
		h.api.took(d, &answer)
		h.api.answer(w, &answer)
	}))
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequestWithContext(b.Context(), http.MethodPost, "/v1/events", bytes.NewReader(body))
		r.Header.Set("Authorization", "Bearer "+h.key["graz-mes"])
		r.Header.Set("Content-Type", structuredType)
		served.ServeHTTP(newRecorder(), r)
	}
}
