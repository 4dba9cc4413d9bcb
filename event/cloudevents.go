package event

import (
	"encoding/json"
	"fmt"
	"regexp"
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

// ParseEnvelope reads a CloudEvent in its JSON form and tells every fault at once.
func ParseEnvelope(doc map[string]any) (Envelope, []*AttributeError) {
	var e Envelope
	var faults []*AttributeError
	targets := map[string]*string{
		"specversion": &e.SpecVersion, "id": &e.ID, "source": &e.Source, "type": &e.Type, "subject": &e.Subject, "time": &e.Time,
		"datacontenttype": &e.DataContentType, "dataschema": &e.DataSchema, "plant": &e.Plant, "occurredto": &e.OccurredTo,
		"correlationid": &e.CorrelationID, "causationid": &e.CausationID, "sequence": &e.Sequence, "corrects": &e.Corrects, "reverses": &e.Reverses,
	}
	for name, value := range doc {
		if name == "data" {
			e.Data = value
			continue
		}
		if name == "data_base64" {
			faults = append(faults, &AttributeError{name, "binary data is not taken; send JSON in data"})
			continue
		}
		target, known := targets[name]
		switch v := value.(type) {
		case string:
			if known {
				*target = v
			}
		case json.Number:
			if known {
				*target = v.String()
			}
		case bool, nil:
			if known && value != nil {
				faults = append(faults, &AttributeError{name, "must be text"})
			}
		default:
			faults = append(faults, &AttributeError{name, "must be text; only data has structure"})
		}
		if !known && !attributeName.MatchString(name) && len(faults) < 20 {
			faults = append(faults, &AttributeError{name, "attribute names have 1 to 20 lower-case letters and digits"})
		}
	}
	return e, append(faults, e.check()...)
}

// check looks at what the specification demands of the attributes' values.
func (e *Envelope) check() []*AttributeError {
	var faults []*AttributeError
	add := func(name, problem string, args ...any) {
		faults = append(faults, &AttributeError{name, fmt.Sprintf(problem, args...)})
	}
	if e.SpecVersion != "1.0" {
		add("specversion", "is %q; this hub speaks CloudEvents 1.0", e.SpecVersion)
	}
	for name, value := range map[string]string{"id": e.ID, "source": e.Source, "type": e.Type} {
		if value == "" {
			add(name, "is missing")
		} else if !printable(value) || len(value) > 512 {
			add(name, "must be printable text of at most 512 bytes")
		}
	}
	if e.Time == "" {
		add("time", "is missing; send when it happened, with its zone offset (RFC 3339)")
	}
	if t := e.DataContentType; t != "" && !strings.HasPrefix(t, "application/json") && !strings.HasSuffix(strings.SplitN(t, ";", 2)[0], "+json") {
		add("datacontenttype", "is %q; data must be JSON", t)
	}
	if _, ok := e.Data.(map[string]any); !ok {
		add("data", "must be a JSON object")
	}
	if e.Corrects != "" && e.Reverses != "" {
		add("corrects", "goes not together with reverses")
	}
	return faults
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
		if n, err := strconv.Atoi(rest); err == nil && n > 0 {
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

// ParseTime reads a time with its zone offset (RFC 3339), kept to microseconds.
func ParseTime(text string) (time.Time, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return time.Time{}, fmt.Errorf("%.60q is no time of the form 2026-03-02T06:00:00+01:00", text)
	}
	return t.Truncate(time.Microsecond), nil
}

// CloudEvent is an event on record in the JSON form of CloudEvents 1.0.
func (e *Event) CloudEvent() map[string]any {
	doc := map[string]any{
		"specversion": "1.0", "id": e.ID(), "source": e.System, "type": e.Type, "subject": string(e.Subject),
		"time": e.Occurred.From.Format(time.RFC3339Nano), "datacontenttype": "application/json",
		"dataschema": schemaPrefix + e.Type + ":" + strconv.Itoa(e.Version), "plant": e.Plant, "data": e.Data,
	}
	optional := map[string]string{
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
	for name, value := range optional {
		if value != "" {
			doc[name] = value
		}
	}
	return doc
}
