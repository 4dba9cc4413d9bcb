package format

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

func splitXML(spec Spec, text []byte, limits Limits, yield func(Record, error) bool) *Error {
	r := &xmlReader{text: text, dec: newXMLDecoder(bytes.NewReader(text)), limits: limits, columns: newColumns(spec), lists: set(spec.Lists)}
	r.document(spec.path())
	if r.broken != nil {
		return r.broken
	}
	yieldAll(r.records, yield)
	return nil
}

// newXMLDecoder reads UTF-8, whatever the document declares: it is UTF-8 by now.
// It knows no entities but the five of XML itself.
func newXMLDecoder(text io.Reader) *xml.Decoder {
	dec := xml.NewDecoder(text)
	dec.CharsetReader = func(_ string, input io.Reader) (io.Reader, error) { return input, nil }
	return dec
}

// xmlReader reads a document token by token.
type xmlReader struct {
	text    []byte
	dec     *xml.Decoder
	limits  Limits
	columns columns
	lists   map[string]bool
	depth   int
	records []parsed
	broken  *Error // why nothing more can be read
}

// document reads the root element, and that nothing but comments is around it.
func (r *xmlReader) document(path []string) {
	root, ok := r.outside()
	if !ok {
		r.fail("there is no element", "send an XML document")
		return
	}
	if path == nil {
		r.add(root)
	} else if name := root.Name.Local; name != path[0] {
		r.fail(fmt.Sprintf("the root element is %q, not %q", name, path[0]), "correct the path in records")
	} else {
		r.find(root, path[1:])
	}
	if _, more := r.outside(); more {
		r.fail("a second root element", "send one document in each message")
	}
}

// outside goes on to an element that stands in no other; false where there is
// none.
func (r *xmlReader) outside() (xml.StartElement, bool) {
	for {
		switch token := r.token().(type) {
		case nil:
			return xml.StartElement{}, false
		case xml.StartElement:
			return token, true
		case xml.CharData:
			if len(bytes.TrimSpace(token)) > 0 {
				r.fail("text outside of the root element", "send an XML document")
			}
		}
	}
}

// token is the next token that matters; nil at the end, and where nothing more
// can be read.
func (r *xmlReader) token() xml.Token {
	for r.broken == nil {
		token, err := r.dec.Token()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			r.fail("not XML: "+err.Error(), "send well-formed XML 1.0")
			return nil
		}
		switch token.(type) {
		case xml.Directive:
			r.fail("a document type definition", "send the document without <!DOCTYPE>: definitions are not read, since they can grow without bound")
		case xml.Comment, xml.ProcInst:
		default:
			return token
		}
	}
	return nil
}

// fail keeps the first reason why nothing more can be read.
func (r *xmlReader) fail(problem, remedy string) {
	if r.broken == nil {
		r.broken = &Error{Problem: position(r.text, int(r.dec.InputOffset())) + ": " + problem, Remedy: remedy}
	}
}

func (r *xmlReader) enter() bool {
	if r.depth++; r.depth > r.limits.Depth && r.broken == nil {
		r.broken = exceeds("the document", -1, int64(r.limits.Depth), "levels", "nest it less")
	}
	return r.broken == nil
}

// find goes down the path and reads every element at its end.
func (r *xmlReader) find(start xml.StartElement, path []string) {
	if len(path) == 0 {
		r.add(start)
		return
	}
	if !r.enter() {
		return
	}
	defer func() { r.depth-- }()
	for {
		switch token := r.token().(type) {
		case nil, xml.EndElement:
			return
		case xml.StartElement:
			if token.Name.Local == path[0] {
				r.find(token, path[1:])
			} else {
				_, _ = r.element(token) // no part of a record
			}
		}
	}
}

func (r *xmlReader) add(start xml.StartElement) {
	if len(r.records) == r.limits.Records {
		r.broken = exceeds("the message", -1, int64(r.limits.Records), "records", "send it in several messages")
		return
	}
	value, fault := r.element(start)
	record, ok := value.(map[string]any)
	if text, isText := value.(string); isText && text != "" {
		record = map[string]any{"#text": text}
	} else if !ok {
		record = map[string]any{}
	}
	if fault == nil {
		fault = r.columns.normalRecord(record)
	}
	number := len(r.records) + 1
	r.records = append(r.records, parsed{Record{number, record}, fault.at(number)})
}

// element is the element that begins with start: a string, or a map where it has
// attributes or children. It is read to its end also where something is wrong
// with it; the first fault counts.
func (r *xmlReader) element(start xml.StartElement) (any, *Error) {
	if !r.enter() {
		return "", nil
	}
	defer func() { r.depth-- }()
	value, first := r.attributes(start)
	children := map[string][]any{}
	var text strings.Builder
	for open := true; open; {
		switch token := r.token().(type) {
		case nil, xml.EndElement:
			open = false
		case xml.CharData:
			text.Write(token)
		case xml.StartElement:
			name := token.Name.Local
			child, fault := r.element(token)
			if first == nil && fault != nil {
				first = r.childFault(fault, name, len(children[name]))
			}
			children[name] = append(children[name], child)
		}
	}
	content, fault := clean(text.String(), r.limits)
	if first == nil {
		first = fault
	}
	content = strings.TrimSpace(content)
	if len(value) == 0 && len(children) == 0 {
		return content, first
	}
	if content != "" {
		value["#text"] = content
	}
	r.fold(value, children)
	return value, first
}

// childFault names the child by its place among those of its name, from the
// second on: whether the first is one of several is not known while it is read.
func (r *xmlReader) childFault(fault *Error, name string, index int) *Error {
	if index > 0 || r.lists[name] {
		fault = fault.in(strconv.Itoa(index))
	}
	return fault.in(name)
}

// fold puts the children into the value: alone, or as a list where they repeat.
// One that is alone and empty has no key, like the empty cell of a table.
func (r *xmlReader) fold(value map[string]any, children map[string][]any) {
	for name, all := range children {
		switch {
		case len(all) > 1 || r.lists[name]:
			value[name] = all
		case all[0] != "":
			value[name] = all[0]
		}
	}
}

func (r *xmlReader) attributes(start xml.StartElement) (map[string]any, *Error) {
	value := map[string]any{}
	var first *Error
	for _, a := range start.Attr {
		if a.Name.Space == "xmlns" || a.Name.Local == "xmlns" {
			continue
		}
		name := "@" + a.Name.Local
		text, fault := clean(a.Value, r.limits)
		if _, double := value[name]; double && fault == nil {
			fault = &Error{Problem: "the attribute stands twice in one element", Remedy: "send each attribute once; namespace prefixes do not tell them apart"}
		}
		if first == nil {
			first = fault.in(name)
		}
		value[name] = strings.TrimSpace(text)
	}
	return value, first
}
