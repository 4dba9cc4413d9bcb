package format

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A parsed is one record of a document, or what is wrong with it.
type parsed struct {
	record Record
	fault  *Error
}

// yieldAll hands on the records of a document that could be read to its end.
func yieldAll(records []parsed, yield func(Record, error) bool) {
	for _, p := range records {
		if p.fault != nil {
			if !yield(Record{}, p.fault) {
				return
			}
		} else if !yield(p.record, nil) {
			return
		}
	}
}

func splitJSON(spec Spec, text []byte, limits Limits, yield func(Record, error) bool) *Error {
	path := spec.path()
	if path == nil {
		if object, ok := plainObject(text, limits); ok {
			yieldAll([]parsed{plainRecord(object, newColumns(spec))}, yield)
			return nil
		}
	}
	r := newJSONReader(text, limits, newColumns(spec))
	if path == nil {
		r.document()
	} else {
		r.find(path)
	}
	if fault := r.finish(); fault != nil {
		return fault
	}
	yieldAll(r.records, yield)
	return nil
}

// splitLines reads each line as a document of its own. A line without text is
// no record.
func splitLines(spec Spec, text []byte, limits Limits, yield func(Record, error) bool) *Error {
	columns := newColumns(spec)
	number, count := 0, 0
	for line := range bytes.Lines(text) {
		number++
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		if count++; count > limits.Records {
			return exceeds("the message", -1, int64(limits.Records), "records", "send it in several messages")
		}
		p := jsonLine(line, limits, columns)
		p.record.Number = number
		if fault := p.fault.at(number); fault != nil {
			if !yield(Record{}, fault) {
				return nil
			}
		} else if !yield(p.record, nil) {
			return nil
		}
	}
	return nil
}

func jsonLine(line []byte, limits Limits, columns columns) parsed {
	if object, ok := plainObject(line, limits); ok {
		return plainRecord(object, columns)
	}
	if !utf8.Valid(line) {
		return parsed{fault: invalidUTF8(line)}
	}
	r := newJSONReader(line, limits, columns)
	r.element()
	if fault := r.finish(); fault != nil {
		return parsed{fault: fault}
	}
	return r.records[0]
}

// plainRecord is an object that was read as the first record of its document.
func plainRecord(object map[string]any, columns columns) parsed {
	return parsed{Record{1, object}, columns.normalRecord(object).at(1)}
}

// jsonReader reads a document token by token, since encoding/json alone would
// take the last of two equal keys and put U+FFFD for half a character.
type jsonReader struct {
	text    []byte
	dec     *json.Decoder
	limits  Limits
	columns columns
	depth   int
	records []parsed
	broken  *Error // why nothing more can be read
}

func newJSONReader(text []byte, limits Limits, columns columns) *jsonReader {
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.UseNumber()
	r := &jsonReader{text: text, dec: dec, limits: limits, columns: columns}
	if at := loneSurrogate(text); at >= 0 {
		r.broken = &Error{Problem: position(text, at) + ": half a character, " + string(text[at:at+6]), Remedy: "send what the system wrote, unchanged"}
	}
	return r
}

// token is the next token; nil where there is none that can be read.
func (r *jsonReader) token() json.Token {
	if r.broken != nil {
		return nil
	}
	token, err := r.dec.Token()
	if err == nil {
		return token
	}
	where := position(r.text, int(r.dec.InputOffset()))
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		r.broken = &Error{Problem: where + ": the document ends too early", Remedy: "send it whole"}
	} else {
		r.broken = &Error{Problem: fmt.Sprintf("%s: not JSON: %v", where, err), Remedy: "send JSON as RFC 8259 has it"}
	}
	return nil
}

// finish is what is wrong with the document as a whole, also after its end.
func (r *jsonReader) finish() *Error {
	if r.broken != nil {
		return r.broken
	}
	end := int(r.dec.InputOffset())
	if _, err := r.dec.Token(); !errors.Is(err, io.EOF) {
		return &Error{Problem: position(r.text, end) + ": something follows the end of the document", Remedy: "send one document, or set kind to ndjson"}
	}
	return nil
}

// document reads the whole as one record, or as an array of them.
func (r *jsonReader) document() {
	start := r.token()
	if start == json.Delim('[') {
		r.elements()
		return
	}
	r.add(r.value(start))
}

// element reads one record.
func (r *jsonReader) element() { r.add(r.value(r.token())) }

// elements reads the records of an array whose bracket was read.
func (r *jsonReader) elements() {
	if !r.enter() {
		return
	}
	for r.more() {
		if len(r.records) == r.limits.Records {
			r.broken = exceeds("the message", -1, int64(r.limits.Records), "records", "send it in several messages")
			return
		}
		r.element()
	}
	r.leave()
}

func (r *jsonReader) add(value any, fault *Error) {
	number := len(r.records) + 1
	object, ok := value.(map[string]any)
	switch {
	case fault != nil:
	case !ok:
		fault = &Error{Problem: "the record is not a JSON object", Remedy: "send objects, or set records to the path of the array that holds them"}
	default:
		fault = r.columns.normalRecord(object)
	}
	r.records = append(r.records, parsed{Record{number, object}, fault.at(number)})
}

// find goes down the path to the array of records. What stands beside it is
// read as well: two equal names there could hide a part of the records.
func (r *jsonReader) find(path []string) {
	start := r.token()
	if len(path) == 0 {
		if start != json.Delim('[') {
			r.fail("is not an array", "set records to the path of the array that holds the records")
			return
		}
		r.elements()
		return
	}
	if start != json.Delim('{') {
		r.fail(fmt.Sprintf("there is no object with the name %q", path[0]), "set records to the path of the array that holds the records")
		return
	}
	r.findIn(path)
}

func (r *jsonReader) findIn(path []string) {
	if !r.enter() {
		return
	}
	names := map[string]bool{}
	for r.more() {
		name, fault := r.name()
		if fault == nil && names[name] {
			fault = twice(name)
		}
		if fault != nil && r.broken == nil {
			r.broken = fault
			return
		}
		names[name] = true
		if name == path[0] {
			r.find(path[1:])
		} else {
			_, _ = r.value(r.token()) // no part of a record
		}
	}
	if !names[path[0]] {
		r.fail(fmt.Sprintf("there is no field %q", path[0]), "send the array of records there, empty if there are none, or correct the path in records")
	}
	r.leave()
}

// fail keeps the first reason why nothing more can be read.
func (r *jsonReader) fail(problem, remedy string) {
	if r.broken == nil {
		r.broken = &Error{Problem: position(r.text, int(r.dec.InputOffset())) + ": " + problem, Remedy: remedy}
	}
}

func (r *jsonReader) more() bool { return r.broken == nil && r.dec.More() }

func (r *jsonReader) enter() bool {
	if r.depth++; r.depth > r.limits.Depth && r.broken == nil {
		r.broken = exceeds("the document", -1, int64(r.limits.Depth), "levels", "nest it less")
	}
	return r.broken == nil
}

// leave reads the closing bracket of an array or object.
func (r *jsonReader) leave() {
	r.token()
	r.depth--
}

// value is the value that begins with the token. It is read to its end also
// where something is wrong with it; the first fault counts.
func (r *jsonReader) value(start json.Token) (any, *Error) {
	switch token := start.(type) {
	case json.Delim:
		if !r.enter() {
			return nil, nil
		}
		defer r.leave()
		if token == '[' {
			return r.list()
		}
		return r.object()
	case string:
		return r.textValue(token)
	case json.Number:
		if len(token) > r.limits.Cell {
			return nil, exceeds("the number", int64(len(token)), int64(r.limits.Cell), "bytes", "report fewer digits")
		}
	}
	return start, nil
}

// textValue keeps control characters: JSON escapes them on purpose, and the
// contract says which texts may hold them.
func (r *jsonReader) textValue(text string) (any, *Error) {
	if fault := fits(text, r.limits); fault != nil {
		return nil, fault
	}
	return lineBreaks(text), nil
}

func (r *jsonReader) list() (any, *Error) {
	values := []any{}
	var first *Error
	for r.more() {
		value, fault := r.value(r.token())
		if first == nil && fault != nil {
			first = fault.in(strconv.Itoa(len(values)))
		}
		values = append(values, value)
	}
	return values, first
}

func (r *jsonReader) object() (any, *Error) {
	values := map[string]any{}
	var first *Error
	for r.more() {
		name, wrongName := r.name()
		value, fault := r.value(r.token())
		fault = fault.in(name)
		if _, double := values[name]; double {
			fault = twice(name)
		}
		if wrongName != nil {
			fault = wrongName
		}
		if first == nil {
			first = fault
		}
		values[name] = value
	}
	return values, first
}

// name is the next name of an object.
func (r *jsonReader) name() (string, *Error) {
	name, _ := r.token().(string)
	_, fault := clean(name, r.limits)
	return name, fault
}

func twice(name string) *Error {
	return &Error{Field: name, Problem: "the name stands twice in one object", Remedy: "send each name once"}
}

// loneSurrogate is where an escaped half of a UTF-16 pair stands without its
// other half, which RFC 8259 section 8.2 leaves open; -1 where there is none.
// A backslash means an escape wherever it stands in JSON.
func loneSurrogate(text []byte) int {
	for at := 0; ; {
		next := bytes.IndexByte(text[at:], '\\')
		if next < 0 {
			return -1
		}
		at += next
		unit := escapedUnit(text[at:])
		switch {
		case unit < 0:
			at = min(at+2, len(text))
		case unit >= 0xdc00 && unit < 0xe000:
			return at
		case unit >= 0xd800 && unit < 0xdc00:
			if low := escapedUnit(text[at+6:]); low < 0xdc00 || low >= 0xe000 {
				return at
			}
			at += 12
		default:
			at += 6
		}
	}
}

// escapedUnit is the value of "\uXXXX" at the start of text, -1 where there is none.
func escapedUnit(text []byte) int64 {
	if len(text) < 6 || !strings.HasPrefix(string(text[:2]), `\u`) {
		return -1
	}
	unit, err := strconv.ParseUint(string(text[2:6]), 16, 16)
	if err != nil {
		return -1
	}
	return int64(unit)
}
