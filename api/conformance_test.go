package api

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"
	"github.com/cloudevents/sdk-go/v2/binding"
	"github.com/cloudevents/sdk-go/v2/protocol"
	cehttp "github.com/cloudevents/sdk-go/v2/protocol/http"
)

// sdkEvent is a production.completed as the SDK of CloudEvents makes it.
func sdkEvent(t *testing.T, id string) cloudevents.Event {
	t.Helper()
	e := cloudevents.NewEvent()
	e.SetID(id)
	e.SetSource("graz-mes")
	e.SetType("production.completed")
	e.SetSubject("order/1000123")
	e.SetTime(time.Date(2026, 3, 2, 5, 0, 0, 0, time.UTC))
	e.SetExtension("plant", "graz")
	e.SetExtension("correlationid", "shift 1, \"Graz\" 100 %")
	data := json.RawMessage(`{"order":"order/1000123","outputs":[{"role":"main","material":"material/M-100","quantity":{"value":"12.5","unit":"KGM"}}]}`)
	if err := e.SetData(cloudevents.ApplicationJSON, data); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestTheSDKOfCloudEventsIsUnderstoodInEveryMode(t *testing.T) {
	h := newHub(t, Config{})
	client, err := cloudevents.NewClientHTTP(cloudevents.WithTarget(h.url+"/v1/events"), cehttp.WithHeader("Authorization", "Bearer "+h.key["graz-mes"]))
	if err != nil {
		t.Fatal(err)
	}
	for mode, encoded := range map[string]func(context.Context) context.Context{
		"structured": binding.WithForceStructured,
		"binary":     binding.WithForceBinary,
	} {
		t.Run(mode, func(t *testing.T) {
			if result := client.Send(encoded(t.Context()), sdkEvent(t, mode)); !protocol.IsACK(result) {
				t.Fatal(result)
			}
		})
	}
	r := h.get("erp", "/v1/feed")
	if len(r.json["events"].([]any)) != 2 {
		t.Fatalf("%s", r.text)
	}
	for i := range 2 {
		at := func(name string) string { return r.at("events/" + string(rune('0'+i)) + "/" + name) }
		if at("correlationid") != `shift 1, "Graz" 100 %` || at("subject") != "order/1000123" || at("data/outputs/0/quantity/value") != "12.5" || at("time") != "2026-03-02T05:00:00Z" {
			t.Errorf("event %d: %s", i, r.text)
		}
	}
	t.Run("the same event is the same in both modes", func(t *testing.T) {
		if result := client.Send(binding.WithForceStructured(t.Context()), sdkEvent(t, "binary")); !protocol.IsACK(result) {
			t.Fatal(result)
		}
		if held := h.get("graz-mes", "/v1/held"); held.at("held/0/reason") != "" {
			t.Errorf("it is no repetition: %s", held.text)
		}
		if n := len(h.get("erp", "/v1/feed").json["events"].([]any)); n != 2 {
			t.Errorf("%d events", n)
		}
	})
	t.Run("batch", func(t *testing.T) {
		request := h.request("graz-mes", http.MethodPost, "/v1/events", nil, "")
		events := []cloudevents.Event{sdkEvent(t, "batch 1"), sdkEvent(t, "batch 2"), sdkEvent(t, "binary")}
		made, err := cehttp.NewHTTPRequestFromEvents(t.Context(), h.url+"/v1/events", events)
		if err != nil {
			t.Fatal(err)
		}
		made.Header.Set("Authorization", request.Header.Get("Authorization"))
		if r := h.do(made); r.status != 200 || r.at("summary/recorded") != "2" || r.at("summary/duplicate") != "1" {
			t.Errorf("%d %s", r.status, r.text)
		}
	})
	t.Run("what the feed gives is a CloudEvent of the SDK", func(t *testing.T) {
		for _, raw := range h.get("erp", "/v1/feed").json["events"].([]any) {
			b, err := json.Marshal(raw)
			if err != nil {
				t.Fatal(err)
			}
			var e cloudevents.Event
			if err := json.Unmarshal(b, &e); err != nil || e.Validate() != nil {
				t.Errorf("%v %v: %s", err, e.Validate(), b)
			}
		}
	})
}

func TestBinaryModeReadsHeadersAsTheBindingSays(t *testing.T) {
	for text, want := range map[string]string{
		"plain": "plain", "Euro%20%E2%82%AC": "Euro €", `"quoted \"text\" \\"`: `quoted "text" \`, "100%25": "100%", "%2525": "%25", "a+b": "a+b", "100 %": "100 %", "%zz": "%zz", "%": "%", `"`: `"`,
	} {
		if got, err := headerValue(text); err != nil || got != want {
			t.Errorf("%q is %q, %v, want %q", text, got, err, want)
		}
	}
	for _, text := range []string{"%ff", "\xe4"} {
		if got, err := headerValue(text); err == nil {
			t.Errorf("%q is %q", text, got)
		}
	}
}

func TestBinaryModeFaultsAreToldLikeOthers(t *testing.T) {
	h := newHub(t, Config{})
	data := `{"order":"order/1000123","outputs":[{"role":"main","material":"material/M-100","quantity":{"value":"12.5","unit":"KGM"}}]}`
	for name, test := range map[string]struct {
		header map[string]string
		body   string
		status int
		reason string
		field  string
	}{
		"all is well":               {nil, data, 200, "", ""},
		"no id":                     {map[string]string{"ce-id": ""}, data, 422, "id_missing", "id"},
		"a value not in UTF-8":      {map[string]string{"ce-subject": "%ff"}, data, 400, "invalid_request", "ce-subject"},
		"an attribute called data":  {map[string]string{"ce-data": "1"}, data, 400, "invalid_request", "ce-data"},
		"a body that is not JSON":   {nil, "hello", 202, "attribute_invalid", ""},
		"a body of another type":    {map[string]string{"Content-Type": "text/xml"}, "<a/>", 202, "attribute_invalid", "data_base64"},
		"no body":                   {nil, "", 202, "attribute_invalid", "data"},
		"a body that is nested":     {nil, strings.Repeat("[", 9000) + strings.Repeat("]", 9000), 413, "limit_exceeded", ""},
		"another system":            {map[string]string{"ce-source": "linz-mes"}, data, 403, "foreign_source", "source"},
		"an unknown type":           {map[string]string{"ce-type": "lot.eaten"}, data, 202, "event_type_unknown", "type"},
		"a version that is not 1.0": {map[string]string{"ce-specversion": "0.3"}, data, 202, "attribute_invalid", "specversion"},
	} {
		t.Run(name, func(t *testing.T) {
			header := map[string]string{
				"Content-Type": jsonType, "ce-specversion": "1.0", "ce-id": name, "ce-source": "graz-mes", "ce-type": "production.completed",
				"ce-time": "2026-03-02T06:00:00+01:00", "ce-plant": "graz",
			}
			maps.Copy(header, test.header)
			r := h.do(h.request("graz-mes", http.MethodPost, "/v1/events", header, test.body))
			at := ""
			if r.status == 202 {
				at = "exception/"
			}
			if r.status != test.status || r.at(at+"reason") != test.reason || test.field != "" && r.at(at+"field") != test.field {
				t.Errorf("%d %s", r.status, r.text)
			}
		})
	}
	twice := h.request("graz-mes", http.MethodPost, "/v1/events", map[string]string{"Content-Type": jsonType, "ce-id": "1"}, data)
	twice.Header.Add("ce-id", "2")
	if r := h.do(twice); r.status != 400 || r.at("field") != "ce-id" {
		t.Errorf("a header twice: %d %s", r.status, r.text)
	}
}

// FuzzPostEvents posts any body under any content type: the answer is always JSON
// with an outcome or a reason, never a crash and never silence.
func FuzzPostEvents(f *testing.F) {
	for name, test := range badInputs() {
		if !strings.HasPrefix(name, "10,000") && !strings.Contains(name, "beyond the limit") {
			f.Add(test.contentType, []byte(test.body), "")
		}
	}
	f.Add(jsonType, []byte(`{"a":1}`), "x")
	f.Add("text/plain", []byte{0xff, 0}, "%41")
	f.Add(batchType, []byte("["+produced("graz-mes", "1")+"]"), "")
	h := newHub(f, Config{MaxBody: 1 << 20})
	f.Fuzz(func(t *testing.T, contentType string, body []byte, id string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/events", bytes.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("Authorization", "Bearer "+h.key["graz-mes"])
		r.Header.Set("Content-Type", contentType)
		if id != "" {
			r.Header.Set("Ce-Id", id)
			r.Header.Set("Ce-Source", "graz-mes")
		}
		w := newRecorder()
		h.api.Handler().ServeHTTP(w, r)
		var answer map[string]any
		if err := json.Unmarshal(w.Body.Bytes(), &answer); err != nil {
			t.Fatalf("%d %q: %v", w.Code, w.Body, err)
		}
		if answer["outcome"] == nil && answer["reason"] == nil && answer["answers"] == nil {
			t.Errorf("%d %s says nothing", w.Code, w.Body)
		}
		if w.Code >= 500 {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}
