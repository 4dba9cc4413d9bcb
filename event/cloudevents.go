package event

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// An Envelope is a CloudEvent 1.0 as a source sent it: the attributes of the
// specification, its extensions correlation and sequence, and ours (plant,
// occurredto, corrects, reverses).
type Envelope struct {
	SpecVersion     string
	ID              string
	Source          string // the system, or system/part
	Type            string
	Subject         string
	Time            string // RFC 3339: when it happened, or began
	DataContentType string
	DataSchema      string // "urn:gapless:contract:<type>:<version>"; "" for the newest version
	Plant           string
	OccurredTo      string // when it ended; "" for a moment
	CorrelationID   string
	CausationID     string
	Sequence        string
	Corrects        string // id of the event of the same source that this one restates
	Reverses        string // id of the event of the same source that did not happen after all
	Data            any
}

// VolatileAttributes are those that the way of a CloudEvent may change; they do
// not count for its digest.
var VolatileAttributes = []string{"traceparent", "tracestate", "recordedtime"}

// An AttributeError says what is wrong with an attribute of a CloudEvent.
type AttributeError struct{ Attribute, Problem string }

func (e *AttributeError) Error() string { return e.Attribute + ": " + e.Problem }

// attributeName is the form of section "Naming Conventions" of CloudEvents 1.0.
var attributeName = regexp.MustCompile(`^[a-z0-9]{1,20}$`)

// maxAttribute is how long the text of an attribute may be, in bytes, and
// maxFaults how many faults of one CloudEvent are told.
const (
	maxAttribute = 512
	maxFaults    = 20
)

// required are the attributes without which there is no event.
var required = []string{"id", "source", "type"}

// extensions are the attributes beyond the specification's own. Their values may
// be integers too.
var extensions = []string{"plant", "correlationid", "causationid", "sequence", "corrects", "reverses"}

// attributes are the places of the attributes that are read, by name.
func (e *Envelope) attributes() map[string]*string {
	return map[string]*string{
		"specversion": &e.SpecVersion, "id": &e.ID, "source": &e.Source, "type": &e.Type, "subject": &e.Subject, "time": &e.Time,
		"datacontenttype": &e.DataContentType, "dataschema": &e.DataSchema, "plant": &e.Plant, "occurredto": &e.OccurredTo,
		"correlationid": &e.CorrelationID, "causationid": &e.CausationID, "sequence": &e.Sequence, "corrects": &e.Corrects, "reverses": &e.Reverses,
	}
}

// attributeFaults gathers one fault for each attribute, in the order in which
// they are found.
type attributeFaults []*AttributeError

func (faults *attributeFaults) add(name, problem string, args ...any) {
	known := slices.ContainsFunc(*faults, func(f *AttributeError) bool { return f.Attribute == name })
	if !known && len(*faults) < maxFaults {
		*faults = append(*faults, &AttributeError{name, fmt.Sprintf(problem, args...)})
	}
}

// ParseEnvelope reads a CloudEvent in its JSON form and tells every fault at once,
// always in the same order. What is said in dataschema and the times is read by
// Version and Occurred.
func ParseEnvelope(doc map[string]any) (Envelope, []*AttributeError) {
	var e Envelope
	var faults attributeFaults
	targets := e.attributes()
	for _, name := range slices.Sorted(maps.Keys(doc)) {
		value := doc[name]
		switch target, known := targets[name]; {
		case name == "data":
			e.Data = value
		case name == "data_base64":
			faults.add(name, "binary data is not taken; send JSON in data")
		case known:
			text, problem := attributeText(value, slices.Contains(extensions, name))
			if *target = text; problem != "" {
				faults.add(name, "%s", problem)
			}
		case !attributeName.MatchString(name):
			faults.add(shortened(name), "attribute names have 1 to 20 lower-case letters and digits")
		default: // an extension that means nothing here
			if !simple(value) {
				faults.add(name, "must be text; only data has structure")
			}
		}
	}
	e.check(&faults)
	return e, faults
}

// attributeText is the value of an attribute as text; null counts as absent, as
// in section 2.2 of the JSON format. An integer is its digits.
func attributeText(value any, integers bool) (text, problem string) {
	switch v := value.(type) {
	case nil:
		return "", ""
	case string:
		if !Printable(v) || len(v) > maxAttribute {
			return "", fmt.Sprintf("must be printable text of at most %d bytes", maxAttribute)
		}
		return v, ""
	case json.Number:
		if _, err := strconv.ParseInt(v.String(), 10, 64); err == nil && integers {
			return v.String(), ""
		}
	}
	if integers {
		return "", "must be text or an integer"
	}
	return "", "must be text"
}

func simple(value any) bool {
	switch value.(type) {
	case map[string]any, []any:
		return false
	}
	return true
}

// shortened is an attribute's name as far as it is worth telling.
func shortened(name string) string {
	const enough = 60
	if len(name) <= enough {
		return name
	}
	return strings.ToValidUTF8(name[:enough], "") + "..."
}

// check looks at what the specification demands of the attributes' values.
func (e *Envelope) check(faults *attributeFaults) {
	if e.SpecVersion != "1.0" {
		faults.add("specversion", "is %q; this hub speaks CloudEvents 1.0", e.SpecVersion)
	}
	values := e.attributes()
	for _, name := range required {
		if *values[name] == "" {
			faults.add(name, "is missing")
		}
	}
	if e.Time == "" {
		faults.add("time", "is missing; send when it happened, with its zone offset (RFC 3339)")
	}
	if t := e.DataContentType; t != "" && !isJSON(t) {
		faults.add("datacontenttype", "is %.80q; data must be JSON", t)
	}
	if _, ok := e.Data.(map[string]any); !ok {
		faults.add("data", "must be a JSON object")
	}
	if e.Corrects != "" && e.Reverses != "" {
		faults.add("corrects", "goes not together with reverses")
	}
}

// isJSON says whether a media type is JSON by RFC 8259 or by its suffix (RFC 6839).
func isJSON(mediaType string) bool {
	essence, _, _ := strings.Cut(mediaType, ";")
	essence = strings.ToLower(strings.TrimSpace(essence))
	return essence == "application/json" || strings.HasSuffix(essence, "+json")
}

// System is the system that the source names: its first segment.
func (e *Envelope) System() string {
	system, _, _ := strings.Cut(strings.TrimPrefix(e.Source, "/"), "/")
	return system
}

// schemaPrefix begins the URN that names a contract.
const schemaPrefix = "urn:gapless:contract:"

// Version is the contract version that dataschema names; 0 for the newest.
func (e *Envelope) Version() (int, error) {
	if e.DataSchema == "" {
		return 0, nil
	}
	rest, ok := strings.CutPrefix(e.DataSchema, schemaPrefix+e.Type+":")
	if ok {
		if n, err := strconv.Atoi(rest); err == nil && n > 0 && strconv.Itoa(n) == rest {
			return n, nil
		}
	}
	return 0, &AttributeError{"dataschema", fmt.Sprintf("is %.120q; send %s%s:<version>, or leave it out for the newest version", e.DataSchema, schemaPrefix, e.Type)}
}

// Occurred is when it happened, in the zone that the source gave.
func (e *Envelope) Occurred() (Span, error) {
	from, err := ParseTime(e.Time)
	if err != nil {
		return Span{}, &AttributeError{"time", err.Error()}
	}
	if e.OccurredTo == "" {
		return Span{from, from}, nil
	}
	to, err := ParseTime(e.OccurredTo)
	if err != nil {
		return Span{}, &AttributeError{"occurredto", err.Error()}
	}
	if to.Before(from) {
		return Span{}, &AttributeError{"occurredto", "is before time"}
	}
	return Span{from, to}, nil
}

// timeForm is what time.Parse does not insist on: two digits for the hour, a
// decimal point, a zone of less than a day.
var timeForm = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d+)?(Z|[+-]([01]\d|2[0-3]):\d{2})$`)

// ParseTime reads a time with its zone offset (RFC 3339), kept to microseconds.
func ParseTime(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || !timeForm.MatchString(text) {
		return time.Time{}, fmt.Errorf("%.60q is no time of the form 2026-03-02T06:00:00+01:00", text)
	}
	return t.Truncate(time.Microsecond), nil
}

// CloudEvent is an event on record in the JSON form of CloudEvents 1.0.
func (e *Event) CloudEvent() map[string]any {
	doc := map[string]any{
		"specversion": "1.0", "id": e.ID(), "source": e.System, "type": e.Type,
		"time": e.Occurred.From.Format(time.RFC3339Nano), "datacontenttype": "application/json",
		"dataschema": schemaPrefix + e.Type + ":" + strconv.Itoa(e.Version), "data": e.Data,
	}
	optional := map[string]string{
		"subject": string(e.Subject), "plant": e.Plant,
		"correlationid": e.Correlation, "causationid": e.Causation, "sequence": e.Sequence,
		"productionday": e.Day, "shift": e.Shift, "change": string(e.Change),
	}
	if !e.Occurred.To.Equal(e.Occurred.From) {
		optional["occurredto"] = e.Occurred.To.Format(time.RFC3339Nano)
	}
	if !e.Recorded.IsZero() {
		optional["recordedtime"] = e.Recorded.Format(time.RFC3339Nano)
		optional["position"] = strconv.FormatInt(e.Position, 10)
	}
	if e.Statement > 1 {
		optional["previous"] = StatementID(e.Key, e.Statement-1)
	}
	if e.Disputed {
		optional["disputed"] = "true"
	}
	if e.Edited {
		optional["edited"] = "true"
	}
	for name, value := range optional {
		if value != "" {
			doc[name] = value
		}
	}
	return doc
}
