package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2/event"
	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"pgregory.net/rapid"
)

// whole is a CloudEvent with everything that is read.
func whole() map[string]any {
	return map[string]any{
		"specversion": "1.0", "id": "e-1", "source": "graz-mes/line-1", "type": "production.completed", "subject": "order/1000123",
		"time": "2026-03-02T06:00:00+01:00", "occurredto": "2026-03-02T14:00:00+01:00", "datacontenttype": "application/json",
		"dataschema": "urn:gapless:contract:production.completed:2", "plant": "graz", "correlationid": "c-1", "causationid": "e-0", "sequence": "17",
		"corrects": "e-1", "data": map[string]any{"order": "order/1000123"},
	}
}

func TestAnEnvelopeIsReadAsItWasSent(t *testing.T) {
	e, faults := ParseEnvelope(whole())
	want := Envelope{
		SpecVersion: "1.0", ID: "e-1", Source: "graz-mes/line-1", Type: "production.completed", Subject: "order/1000123",
		Time: "2026-03-02T06:00:00+01:00", OccurredTo: "2026-03-02T14:00:00+01:00", DataContentType: "application/json",
		DataSchema: "urn:gapless:contract:production.completed:2", Plant: "graz", CorrelationID: "c-1", CausationID: "e-0", Sequence: "17",
		Corrects: "e-1", Data: map[string]any{"order": "order/1000123"},
	}
	if diff := cmp.Diff(want, e); diff != "" || len(faults) > 0 {
		t.Error(diff, faults)
	}
}

func TestWhatASourceMaySendOtherwise(t *testing.T) {
	for name, change := range map[string]map[string]any{
		"an unknown extension as text":      {"myextension1": "x"},
		"an unknown extension as integer":   {"partitionkey": json.Number("7")},
		"an unknown extension as boolean":   {"sampled": true},
		"null counts as absent":             {"subject": nil, "correlationid": nil},
		"a sequence as integer":             {"sequence": json.Number("17")},
		"a charset":                         {"datacontenttype": "application/json; charset=utf-8"},
		"a media type in capitals":          {"datacontenttype": "Application/JSON"},
		"a JSON type of its own":            {"datacontenttype": "application/vnd.plant.shift+json;v=1"},
		"no media type":                     {"datacontenttype": nil},
		"text of 512 bytes":                 {"correlationid": strings.Repeat("x", 512)},
		"data without members":              {"data": map[string]any{}},
		"a reversal instead of corrections": {"corrects": nil, "reverses": "e-1"},
	} {
		t.Run(name, func(t *testing.T) {
			doc := whole()
			maps.Copy(doc, change)
			if _, faults := ParseEnvelope(doc); len(faults) > 0 {
				t.Error(texts(faults))
			}
		})
	}
	doc := whole()
	doc["sequence"] = json.Number("17")
	if e, _ := ParseEnvelope(doc); e.Sequence != "17" {
		t.Errorf("an integer is read as %q", e.Sequence)
	}
}

func texts(faults []*AttributeError) []string {
	all := []string{}
	for _, f := range faults {
		all = append(all, f.Error())
	}
	return all
}

func TestEveryFaultOfAnEnvelopeIsToldAtOnce(t *testing.T) {
	const (
		text      = "must be text"
		printable = "must be printable text of at most 512 bytes"
	)
	for _, c := range []struct {
		name   string
		change map[string]any
		want   []string
	}{
		{"no id", map[string]any{"id": nil}, []string{"id: is missing"}},
		{"an empty id", map[string]any{"id": ""}, []string{"id: is missing"}},
		{"an id that is a number", map[string]any{"id": json.Number("1")}, []string{"id: " + text}},
		{"a type that is an object", map[string]any{"type": map[string]any{}}, []string{"type: " + text}},
		{"a time that is a number", map[string]any{"time": json.Number("1772427600")}, []string{"time: " + text}},
		{"a sequence that is no integer", map[string]any{"sequence": json.Number("1.5")}, []string{"sequence: must be text or an integer"}},
		{"a plant that is a boolean", map[string]any{"plant": true}, []string{"plant: must be text or an integer"}},
		{"another version of the specification", map[string]any{"specversion": "0.3"}, []string{`specversion: is "0.3"; this hub speaks CloudEvents 1.0`}},
		{"no time", map[string]any{"time": nil}, []string{"time: is missing; send when it happened, with its zone offset (RFC 3339)"}},
		{"data as base64", map[string]any{"data": nil, "data_base64": "AAAA"}, []string{"data_base64: binary data is not taken; send JSON in data", "data: must be a JSON object"}},
		{"data that is a list", map[string]any{"data": []any{}}, []string{"data: must be a JSON object"}},
		{"another media type", map[string]any{"datacontenttype": "application/xml"}, []string{`datacontenttype: is "application/xml"; data must be JSON`}},
		{"a media type that only begins like JSON", map[string]any{"datacontenttype": "application/jsonp"}, []string{`datacontenttype: is "application/jsonp"; data must be JSON`}},
		{"a correction that is a reversal too", map[string]any{"reverses": "e-1"}, []string{"corrects: goes not together with reverses"}},
		{"NUL in any attribute", map[string]any{"correlationid": "a\x00"}, []string{"correlationid: " + printable}},
		{"10,000 characters", map[string]any{"subject": strings.Repeat("x", 10_000)}, []string{"subject: " + printable}},
		{"an unknown extension with structure", map[string]any{"myextension": []any{}}, []string{"myextension: must be text; only data has structure"}},
		{"a name in capitals", map[string]any{"MyExtension": "x"}, []string{"MyExtension: attribute names have 1 to 20 lower-case letters and digits"}},
		{
			"a name of 10,000 characters",
			map[string]any{strings.Repeat("x", 10_000): "x"},
			[]string{strings.Repeat("x", 60) + "...: attribute names have 1 to 20 lower-case letters and digits"},
		},
		{
			"nothing at all",
			map[string]any{"specversion": nil, "id": nil, "source": nil, "type": nil, "time": nil, "data": nil},
			[]string{
				`specversion: is ""; this hub speaks CloudEvents 1.0`, "id: is missing", "source: is missing", "type: is missing",
				"time: is missing; send when it happened, with its zone offset (RFC 3339)", "data: must be a JSON object",
			},
		},
		{
			"everything wrong, in one order",
			map[string]any{
				"specversion": "2.0", "id": "\x01", "source": json.Number("5"), "type": "", "time": nil, "datacontenttype": "text/plain", "data": "x",
				"reverses": "e-1", "trace-parent": "x", "a": map[string]any{},
			},
			[]string{
				"a: must be text; only data has structure", "id: " + printable, "source: " + text,
				"trace-parent: attribute names have 1 to 20 lower-case letters and digits",
				`specversion: is "2.0"; this hub speaks CloudEvents 1.0`, "type: is missing",
				"time: is missing; send when it happened, with its zone offset (RFC 3339)", `datacontenttype: is "text/plain"; data must be JSON`,
				"data: must be a JSON object", "corrects: goes not together with reverses",
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 10 { // maps have no order; faults have
				doc := whole()
				maps.Copy(doc, c.change)
				_, faults := ParseEnvelope(doc)
				if diff := cmp.Diff(c.want, texts(faults)); diff != "" {
					t.Fatal(diff)
				}
			}
		})
	}
}

func TestAHostileEnvelopeHasABoundedAnswer(t *testing.T) {
	doc := whole()
	for i := range 1_000 {
		doc["X"+strings.Repeat("y", i)] = map[string]any{}
	}
	_, faults := ParseEnvelope(doc)
	if len(faults) != maxFaults {
		t.Errorf("%d faults", len(faults))
	}
}

func TestTheSystemIsTheFirstSegmentOfTheSource(t *testing.T) {
	for source, want := range map[string]string{
		"graz-mes": "graz-mes", "/graz-mes": "graz-mes", "graz-mes/line-1/cell-2": "graz-mes", "/graz-mes/line-1": "graz-mes",
		"graz-mes/": "graz-mes", "": "", "/": "", "//graz-mes": "", "urn:plant:graz": "urn:plant:graz", "https://graz.example/mes": "https:",
	} {
		if got := (&Envelope{Source: source}).System(); got != want {
			t.Errorf("%q is of system %q, want %q", source, got, want)
		}
	}
}

func TestTheSchemaNamesTheContractOfTheTypeAndItsVersion(t *testing.T) {
	for schema, want := range map[string]int{
		"": 0, "urn:gapless:contract:lot.created:1": 1, "urn:gapless:contract:lot.created:12": 12,
	} {
		if got, err := (&Envelope{Type: "lot.created", DataSchema: schema}).Version(); err != nil || got != want {
			t.Errorf("%q: %d, %v", schema, got, err)
		}
	}
	for name, schema := range map[string]string{
		"another type": "urn:gapless:contract:lot.released:1", "no version": "urn:gapless:contract:lot.created", "an empty version": "urn:gapless:contract:lot.created:",
		"version 0": "urn:gapless:contract:lot.created:0", "a negative one": "urn:gapless:contract:lot.created:-1", "a signed one": "urn:gapless:contract:lot.created:+1",
		"a zero in front": "urn:gapless:contract:lot.created:01", "a word": "urn:gapless:contract:lot.created:new", "a URL": "https://example.com/schema", "one that overflows": "urn:gapless:contract:lot.created:99999999999999999999",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := (&Envelope{Type: "lot.created", DataSchema: schema}).Version()
			var fault *AttributeError
			if !errors.As(err, &fault) || fault.Attribute != "dataschema" || !strings.Contains(fault.Problem, "send urn:gapless:contract:lot.created:<version>") {
				t.Errorf("%d, %v", got, err)
			}
		})
	}
}

func TestWhenItHappenedKeepsTheZoneOfTheSource(t *testing.T) {
	for name, c := range map[string]struct{ from, to, wantFrom, wantTo string }{
		"a moment":                 {"2026-03-02T06:00:00+01:00", "", "2026-03-02T06:00:00+01:00", "2026-03-02T06:00:00+01:00"},
		"a span":                   {"2026-03-02T06:00:00+01:00", "2026-03-02T14:00:00+01:00", "2026-03-02T06:00:00+01:00", "2026-03-02T14:00:00+01:00"},
		"two zones":                {"2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00", "2026-03-29T01:30:00+01:00", "2026-03-29T03:30:00+02:00"},
		"UTC":                      {"2026-03-02T06:00:00Z", "", "2026-03-02T06:00:00Z", "2026-03-02T06:00:00Z"},
		"cut to microseconds":      {"2026-03-02T06:00:00.123456789Z", "", "2026-03-02T06:00:00.123456Z", "2026-03-02T06:00:00.123456Z"},
		"before the epoch":         {"1969-12-31T23:59:59.9999999Z", "", "1969-12-31T23:59:59.999999Z", "1969-12-31T23:59:59.999999Z"},
		"a span within one micro":  {"2026-03-02T06:00:00.0000009Z", "2026-03-02T06:00:00.0000001Z", "2026-03-02T06:00:00Z", "2026-03-02T06:00:00Z"},
		"the year 1 is a time too": {"0001-01-01T00:00:00Z", "", "0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"},
	} {
		t.Run(name, func(t *testing.T) {
			span, err := (&Envelope{Time: c.from, OccurredTo: c.to}).Occurred()
			if err != nil {
				t.Fatal(err)
			}
			if from, to := span.From.Format(time.RFC3339Nano), span.To.Format(time.RFC3339Nano); from != c.wantFrom || to != c.wantTo {
				t.Errorf("%s to %s", from, to)
			}
		})
	}
}

func TestATimeThatIsNoneNamesItsAttribute(t *testing.T) {
	const good = "2026-03-02T06:00:00+01:00"
	for name, c := range map[string]struct{ from, to, attribute string }{
		"no zone":                      {"2026-03-02T06:00:00", "", "time"},
		"a blank instead of T":         {"2026-03-02 06:00:00Z", "", "time"},
		"a day":                        {"2026-03-02", "", "time"},
		"a day that does not exist":    {"2026-02-29T06:00:00Z", "", "time"},
		"hour 24":                      {"2026-03-02T24:00:00Z", "", "time"},
		"an hour of one digit":         {"2026-03-02T6:00:00Z", "", "time"},
		"a decimal comma":              {"2026-03-02T06:00:00,5Z", "", "time"},
		"a zone of 25 hours":           {"2026-03-02T06:00:00+25:00", "", "time"},
		"a German time":                {"02.03.2026 06:00", "", "time"},
		"seconds since 1970":           {"1772427600", "", "time"},
		"10,000 characters":            {strings.Repeat("2", 10_000), "", "time"},
		"an end that is none":          {good, "later", "occurredto"},
		"an end before the beginning":  {good, "2026-03-02T05:59:59+01:00", "occurredto"},
		"an end before it, other zone": {good, "2026-03-02T06:00:00+02:00", "occurredto"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := (&Envelope{Time: c.from, OccurredTo: c.to}).Occurred()
			var fault *AttributeError
			if !errors.As(err, &fault) || fault.Attribute != c.attribute || len(err.Error()) > 200 {
				t.Errorf("%v", err)
			}
		})
	}
}

// recorded is an event with everything that its CloudEvent shows.
func recorded() Event {
	zone := time.FixedZone("", 3600)
	return Event{
		Key: Identity("graz-mes", "production.completed", "e-1", "event"), Statement: 2, Change: Correction, Type: "production.completed", Version: 2,
		System: "graz-mes", Plant: "graz", Identity: "e-1", Slot: "event", Subject: "order/1000123",
		Occurred: Span{time.Date(2026, 3, 2, 6, 0, 0, 0, zone), time.Date(2026, 3, 2, 14, 0, 0, 500_000, zone)},
		Day:      "2026-03-02", Shift: "1", Sequence: "17", Correlation: "c-1", Causation: "e-0",
		Data: map[string]any{"quantity": json.Number("12.50")}, Disputed: true,
		Position: 42, Recorded: time.Date(2026, 3, 2, 14, 1, 0, 0, time.UTC),
	}
}

func TestAnEventOnRecordIsACloudEvent(t *testing.T) {
	e := recorded()
	want := map[string]any{
		"specversion": "1.0", "id": e.Key + ".2", "source": "graz-mes", "type": "production.completed", "subject": "order/1000123",
		"time": "2026-03-02T06:00:00+01:00", "occurredto": "2026-03-02T14:00:00.0005+01:00", "datacontenttype": "application/json",
		"dataschema": "urn:gapless:contract:production.completed:2", "plant": "graz", "correlationid": "c-1", "causationid": "e-0", "sequence": "17",
		"productionday": "2026-03-02", "shift": "1", "change": "correction", "previous": e.Key, "disputed": "true",
		"position": "42", "recordedtime": "2026-03-02T14:01:00Z", "data": map[string]any{"quantity": json.Number("12.50")},
	}
	if diff := cmp.Diff(want, e.CloudEvent()); diff != "" {
		t.Error(diff)
	}
	at := time.Date(2026, 3, 2, 5, 0, 0, 0, time.UTC)
	draft := Event{Key: e.Key, Statement: 1, Type: "lot.created", Version: 1, System: "graz-mes", Occurred: Span{at, at}, Data: map[string]any{}}
	want = map[string]any{
		"specversion": "1.0", "id": e.Key, "source": "graz-mes", "type": "lot.created", "time": "2026-03-02T05:00:00Z",
		"datacontenttype": "application/json", "dataschema": "urn:gapless:contract:lot.created:1", "data": map[string]any{},
	}
	if diff := cmp.Diff(want, draft.CloudEvent()); diff != "" {
		t.Error(diff)
	}
}

// drawn are events of every shape that can be on record.
func drawn() *rapid.Generator[Event] {
	return rapid.Custom(func(t *rapid.T) Event {
		e := recorded()
		text := rapid.StringMatching(`[a-zØ€ ]{0,8}`)
		e.Statement = rapid.IntRange(1, 3).Draw(t, "statement")
		e.Change = rapid.SampledFrom([]Change{First, Correction, Reversal}).Draw(t, "change")
		e.Subject = rapid.SampledFrom([]Ref{"", "order/1", "lot/M%20100/%C3%98"}).Draw(t, "subject")
		e.Day, e.Shift, e.Plant = text.Draw(t, "day"), text.Draw(t, "shift"), text.Draw(t, "plant")
		e.Sequence, e.Correlation, e.Causation = text.Draw(t, "sequence"), text.Draw(t, "correlation"), text.Draw(t, "causation")
		e.Occurred.From = moments().Draw(t, "from")
		e.Occurred.To = e.Occurred.From.Add(time.Duration(rapid.Int64Range(0, 1<<50).Draw(t, "took")) / 1000 * 1000)
		e.Disputed = rapid.Bool().Draw(t, "disputed")
		if rapid.Bool().Draw(t, "a draft") {
			e.Position, e.Recorded = 0, time.Time{}
		}
		return e
	})
}

func TestCloudEventsKeepToThePublishedSchema(t *testing.T) {
	schema := publishedSchema(t)
	rapid.Check(t, func(t *rapid.T) {
		e := drawn().Draw(t, "event")
		if err := schema.Validate(overTheWire(t, &e)); err != nil {
			t.Error(err)
		}
	})
	broken := overTheWire(t, &Event{})
	if err := schema.Validate(broken); err == nil {
		t.Error("the schema has no teeth: it takes an event without source and type")
	}
}

func TestCloudEventsAreAcceptedByTheReferenceImplementation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := drawn().Draw(t, "event")
		text, err := json.Marshal(e.CloudEvent())
		if err != nil {
			t.Fatal(err)
		}
		var other cloudevents.Event
		if err := json.Unmarshal(text, &other); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if err := other.Validate(); err != nil {
			t.Errorf("%s: %v", text, err)
		}
		if other.ID() != e.ID() || other.Source() != e.System || other.Type() != e.Type || other.Subject() != string(e.Subject) || !other.Time().Equal(e.Occurred.From) {
			t.Errorf("%s is read as %s", text, other)
		}
		back, err := json.Marshal(other)
		if err != nil {
			t.Fatal(err)
		}
		ours, err := decodeJSON(text)
		if err != nil {
			t.Fatal(err)
		}
		theirs, err := decodeJSON(back)
		if err != nil {
			t.Fatal(err)
		}
		want, got := ours.(map[string]any), theirs.(map[string]any)
		for _, name := range []string{"time"} { // they write times in UTC
			delete(want, name)
			delete(got, name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Error(diff)
		}
	})
}

// What one hub shows, another can take in: plant to centre.
func TestACloudEventOfOursIsAnEnvelopeWithoutFault(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		e := drawn().Draw(t, "event")
		doc := overTheWire(t, &e).(map[string]any)
		envelope, faults := ParseEnvelope(doc)
		if len(faults) > 0 {
			t.Fatal(texts(faults))
		}
		span, err := envelope.Occurred()
		if err != nil || !span.From.Equal(e.Occurred.From) || !span.To.Equal(e.Occurred.To) {
			t.Errorf("%v, %v, want %v", span, err, e.Occurred)
		}
		version, err := envelope.Version()
		if err != nil || version != e.Version || envelope.System() != e.System || envelope.Sequence != e.Sequence {
			t.Errorf("%d, %v, %+v", version, err, envelope)
		}
	})
}

func overTheWire(t interface{ Fatal(args ...any) }, e *Event) any {
	text, err := json.Marshal(e.CloudEvent())
	if err != nil {
		t.Fatal(err)
	}
	value, err := decodeJSON(text)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// publishedSchema is the JSON Schema of the CloudEvents specification.
func publishedSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	folder := os.Getenv("GAPLESS_DATA")
	if folder == "" {
		folder = filepath.Join("..", "..", "shared", "data")
	}
	path := filepath.Join(folder, "cloudevents", "spec", "cloudevents", "formats", "cloudevents.json")
	text, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		t.Skipf("the JSON Schema of CloudEvents is not here, so our events are not held against it: name the folder of data in GAPLESS_DATA (looked for %s)", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("cloudevents.json", doc); err != nil {
		t.Fatal(err)
	}
	return c.MustCompile("cloudevents.json")
}

func TestVolatileAttributesAreNotPartOfWhatIsSaid(t *testing.T) {
	for _, name := range VolatileAttributes {
		if !attributeName.MatchString(name) || slices.Contains(slices.Collect(maps.Keys((&Envelope{}).attributes())), name) {
			t.Errorf("%s", name)
		}
	}
}
