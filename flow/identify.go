package flow

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"

	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/format"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/mapping"
)

// identifyRecord reads the identity and digest of a native record.
func (f *Flow) identifyRecord(a *arrival, d Delivery) error {
	m, ok := f.Catalog().Message(d.System, d.Message)
	if !ok {
		return fault.New("flow.Take", fault.MessageUnknown, "message", "%q of %s", d.Message, d.System)
	}
	if _, tabular := tableOf(&m.Definition); tabular {
		a.record = cells(a.record)
	}
	a.System, a.Name = d.System, d.Message
	var err error
	if a.ID, err = m.Mapping.Identify(a.record); err != nil {
		return err
	}
	if len(a.ID) > maxID {
		return fault.New("flow.Take", fault.IDMissing, strings.Join(m.Definition.Identity, ","), "the identity has %d bytes, more than %d", len(a.ID), maxID)
	}
	if a.Digest, err = m.Mapping.Digest(a.record); err != nil {
		return fault.Wrap("flow.Take", fault.NotReadable, "", err)
	}
	a.Body, err = event.Canonical(a.record)
	return err
}

// maxID is the longest id of a message, and the longest identifier, in bytes.
const maxID = 512

// identifier tells whether a text can name something.
func identifier(text string) bool { return event.Printable(text) && len(text) <= maxID }

// identifyEvent reads source and id of a CloudEvent. Everything else about it can
// be wrong and is kept; without these two it could not be told from others.
func (f *Flow) identifyEvent(a *arrival, from ledger.Principal) error {
	source, _ := a.record["source"].(string)
	id, _ := a.record["id"].(string)
	if source == "" {
		return fault.New("flow.Take", fault.IDMissing, "source", "the CloudEvent has no source")
	}
	if id == "" || len(id) > maxID || !event.Printable(id) {
		return fault.New("flow.Take", fault.IDMissing, "id", "the CloudEvent has no id of 1 to %d bytes of printable text", maxID)
	}
	e := event.Envelope{Source: source}
	a.System, a.Name, a.ID = e.System(), event.CloudEventMessage, id
	if err := f.speaksFor(from, a.System); err != nil {
		return err
	}
	if _, ok := f.Catalog().System(a.System); !ok {
		return fault.New("flow.Take", fault.SystemUnknown, "source", "%q", a.System)
	}
	lasting := make(map[string]any, len(a.record))
	for name, value := range a.record {
		if !slices.Contains(event.VolatileAttributes, name) {
			lasting[name] = value
		}
	}
	if t, _ := lasting["datacontenttype"].(string); mediaType(t) == "application/json" {
		delete(lasting, "datacontenttype") // the default, said or not
	}
	var err error
	if a.Digest, err = event.Digest(lasting); err != nil {
		return fault.Wrap("flow.Take", fault.NotReadable, "", err)
	}
	a.ContentType = "application/cloudevents+json"
	a.Body, err = event.Canonical(a.record)
	return err
}

// decodeKept reads the raw content of a kept message back.
func decodeKept(body []byte) (map[string]any, error) {
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var record map[string]any
	err := d.Decode(&record)
	return record, err
}

// unreadable turns a fault of the format into ours: the record was not kept.
func unreadable(err error) *fault.Fault {
	f := fault.Wrap("flow.Take", fault.NotReadable, "", err)
	if known, ok := asFormatError(err); ok {
		f.Field = known.Field
		if known.Limit {
			f.Reason = fault.LimitExceeded
		}
	}
	return f
}

// specFor finds how to read a native message that comes as a media type. The
// records of a table may come one by one as JSON: then their cells are read by
// the rules of the table, so that a row is the same message by file and by HTTP.
func specFor(m *catalog.Message, contentType string) (format.Spec, error) {
	kind, known := mediaKinds[mediaType(contentType)]
	if contentType == "" {
		kind, known = format.JSON, true
	}
	table, tabular := tableOf(&m.Definition)
	if tabular && (kind == format.JSON || kind == format.NDJSON) {
		return format.Spec{Kind: kind, Numbers: table.Numbers, Dates: table.Dates, DecimalComma: table.DecimalComma}, nil
	}
	if spec, ok := m.Mapping.Format(kind); known && ok {
		return spec, nil
	}
	if spec, ok := m.Mapping.Format(format.JSON); ok && kind == format.NDJSON { // the same records, one a line
		spec.Kind, spec.Records = kind, ""
		return spec, nil
	}
	return format.Spec{}, fault.New("flow.Take", fault.TypeUnsupported, "content-type", "%q; see the formats of the message %s in the catalog", contentType, m.Mapping.Message())
}

// tableOf is the format of a message that is a row of a table.
func tableOf(def *mapping.Definition) (format.Spec, bool) {
	for _, spec := range [...]format.Spec{def.Format, def.Formats[format.CSV], def.Formats[format.XLSX]} {
		if spec.Kind == format.CSV || spec.Kind == format.XLSX || len(spec.Columns) > 0 {
			return spec, true
		}
	}
	return format.Spec{}, false
}

// cells reads a JSON record as the row of a table: texts without surrounding
// blanks, empty ones left out, numbers as their text.
func cells(record map[string]any) map[string]any {
	row := make(map[string]any, len(record))
	for name, value := range record {
		switch v := value.(type) {
		case string:
			if v = strings.TrimSpace(v); v != "" {
				row[strings.TrimSpace(name)] = v
			}
		case json.Number:
			row[strings.TrimSpace(name)] = v.String()
		case nil:
		default:
			row[strings.TrimSpace(name)] = v
		}
	}
	return row
}

// resolver exchanges local identifiers for refs.
type resolver struct {
	find  func(kind, id string) (event.Ref, error)
	waits []string
	fault *fault.Fault
	self  string // the system whose identifiers they are
}

// exchange is the ref for one local identifier. What cannot be resolved is
// gathered, so that a message waits for everything it needs.
func (r *resolver) exchange(place, kind, id string) string {
	if !identifier(id) { // nobody can publish it: there is nothing to wait for
		r.fault = fault.New("flow.identify", fault.RefInvalid, place, "%s %.80q of %s", kind, id, r.self)
		return ""
	}
	ref, err := r.find(kind, id)
	if err == nil {
		return string(ref)
	}
	r.waits = append(r.waits, ledger.CrossReferenceWanted(r.self, kind, id))
	if r.fault == nil {
		r.fault = fault.New("flow.identify", fault.IdentifierUnknown, place, "%s %q of %s", kind, id, r.self)
	}
	return ""
}

// plantOf is the plant of a system's message that names none: its only one.
func plantOf(cat *catalog.Catalog, system string) string {
	if s, ok := cat.System(system); ok && len(s.Plants) == 1 {
		return s.Plants[0]
	}
	return ""
}
