package catalog

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A document is one file of the catalog as it was read. Its nodes keep their
// places, so that whatever is found later can be told with file and line.
type document struct {
	file     string // as findings name it
	name     string // file name without folder and .yaml
	root     *yaml.Node
	replaces string // "standard", or "" where it stands for itself
	standard bool   // part of the embedded standard catalog
}

// readDocument parses one file. It takes the key `replaces` out, which every
// kind of file may have.
func readDocument(file string, body []byte, f *findings) *document {
	d := &document{file: file, root: emptyNode()}
	decoder := yaml.NewDecoder(bytes.NewReader(body))
	var node yaml.Node
	if err := decoder.Decode(&node); err != nil {
		if errors.Is(err, io.EOF) {
			f.errorAt(d, "", "Write the definition, or remove the file.", "the file is empty")
			return nil
		}
		f.list = append(f.list, syntaxFinding(file, err))
		return nil
	}
	var second yaml.Node
	switch err := decoder.Decode(&second); {
	case err == nil:
		f.errorAt(&document{file: file, root: &second}, "", "Put every definition into a file of its own.", "the file holds more than one document")
	case !errors.Is(err, io.EOF):
		f.list = append(f.list, syntaxFinding(file, err))
	}
	if len(node.Content) != 1 || node.Content[0].Kind != yaml.MappingNode {
		f.errorAt(d, "", "Write keys and values.", "the file is not a mapping of keys to values")
		return nil
	}
	d.root = node.Content[0]
	d.takeReplaces(f)
	return d
}

// emptyNode stands for the content of a file that has none.
func emptyNode() *yaml.Node { return &yaml.Node{Kind: yaml.MappingNode} }

func (d *document) takeReplaces(f *findings) {
	for i := 0; i+1 < len(d.root.Content); i += 2 {
		if d.root.Content[i].Value != "replaces" {
			continue
		}
		d.replaces = d.root.Content[i+1].Value
		if d.replaces != "standard" {
			f.errorAt(d, "replaces", "Write `replaces: standard`, or leave the key out.", "%.80q cannot be replaced", d.replaces)
		}
		d.root.Content = slices.Delete(d.root.Content, i, i+2)
		return
	}
}

var syntaxLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// syntaxFinding takes the line out of the library's text, the only place where
// it says it.
func syntaxFinding(file string, err error) Finding {
	finding := Finding{File: file, Severity: Error, Message: "not readable as YAML: " + err.Error(), Remedy: "Correct the indentation, quotes or brackets near this line."}
	if parts := syntaxLine.FindStringSubmatch(err.Error()); parts != nil {
		finding.Message = "not readable as YAML: " + parts[2]
		if line, err := strconv.Atoi(parts[1]); err == nil {
			finding.Line, finding.Column = line, 1
		}
	}
	return finding
}

// position is where a path of the document stands: "cases[2].event". It goes as
// deep as the document does; keys may hold dots themselves.
func (d *document) position(path string) (line, column int) {
	n := d.root
	line, column = n.Line, n.Column
	for path != "" {
		key, value, rest := child(n, path)
		if value == nil {
			break
		}
		line, column = key.Line, key.Column
		n, path = value, rest
	}
	return line, column
}

// line is where a line of a text stands: line 1 of a block scalar is below its key.
func (d *document) line(path string, within int) (line, column int) {
	line, column = d.position(path)
	n := d.root
	for rest := path; rest != ""; {
		_, value, left := child(n, rest)
		if value == nil {
			return line, column
		}
		n, rest = value, left
	}
	if within > 0 && n.Kind == yaml.ScalarNode {
		if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 {
			return n.Line + within, 1
		}
		return n.Line, n.Column
	}
	return line, column
}

// child is the next node on a path: the key's node for its place, its value,
// and what is left of the path. The value is nil where there is no such child.
func child(n *yaml.Node, path string) (key, value *yaml.Node, rest string) {
	path = strings.TrimPrefix(path, ".")
	bracketed := ""
	if inner, after, ok := strings.Cut(strings.TrimPrefix(path, "["), "]"); ok && path[0] == '[' {
		bracketed, rest = inner, after
	}
	switch {
	case n.Kind == yaml.SequenceNode && bracketed != "":
		i, err := strconv.Atoi(bracketed)
		if err != nil || i < 0 || i >= len(n.Content) {
			return nil, nil, ""
		}
		return n.Content[i], n.Content[i], rest
	case n.Kind == yaml.ScalarNode && bracketed == "0": // a list of one, written without brackets
		return n, n, rest
	case n.Kind != yaml.MappingNode:
		return nil, nil, ""
	}
	longest := -1
	for i := 0; i+1 < len(n.Content); i += 2 {
		name := n.Content[i].Value
		if bracketed == name && name != "" {
			return n.Content[i], n.Content[i+1], rest
		}
		after, found := strings.CutPrefix(path, name)
		if found && len(name) > longest && (after == "" || after[0] == '.' || after[0] == '[') {
			longest, key, value, rest = len(name), n.Content[i], n.Content[i+1], after
		}
	}
	return key, value, rest
}

// decode fills a definition from the document, strictly: unknown and repeated
// keys and values of another shape are findings, all of them.
func (d *document) decode(into any, f *findings) {
	(&decoder{document: d, findings: f}).decodeInto(d.root, reflect.ValueOf(into).Elem(), "")
}

// value is the document as a JSON value, the `replaces` key left out.
func (d *document) value() any {
	return (&decoder{document: d, findings: &findings{}}).plain(d.root)
}

// A decoder puts nodes into Go values. Numbers in free-form parts become
// json.Number, dates stay the text that was written.
type decoder struct {
	*document
	*findings
}

func (d *decoder) report(n *yaml.Node, remedy, message string, args ...any) {
	d.list = append(d.list, Finding{File: d.file, Line: n.Line, Column: n.Column, Severity: Error, Message: fmt.Sprintf(message, args...), Remedy: remedy})
}

// refuseAnchor reports anchors and aliases: what a file says stands where it is read.
func (d *decoder) refuseAnchor(n *yaml.Node) bool {
	if n.Kind != yaml.AliasNode && n.Anchor == "" {
		return false
	}
	d.report(n, "Write the part out where it belongs.", "anchors and aliases (& and *) are not read")
	return n.Kind == yaml.AliasNode
}

// decodeInto fills v from a node.
func (d *decoder) decodeInto(n *yaml.Node, v reflect.Value, path string) {
	if d.refuseAnchor(n) {
		return
	}
	if n.Kind == yaml.ScalarNode && v.CanAddr() {
		if text, ok := reflect.TypeAssert[encoding.TextUnmarshaler](v.Addr()); ok {
			if err := text.UnmarshalText([]byte(n.Value)); err != nil {
				d.report(n, "Correct the value.", "%s: %v", path, err)
			}
			return
		}
	}
	switch v.Kind() {
	case reflect.Interface:
		if plain := d.plain(n); plain != nil {
			v.Set(reflect.ValueOf(plain))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		d.decodeInto(n, v.Elem(), path)
	case reflect.Struct:
		d.object(n, v, path)
	case reflect.Map:
		d.dictionary(n, v, path)
	case reflect.Slice:
		d.sequence(n, v, path)
	default:
		d.scalar(n, v, path)
	}
}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

func shape(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys and values"
	case yaml.SequenceNode:
		return "a list"
	default:
		return fmt.Sprintf("%.40q", n.Value)
	}
}

func named(path string) string {
	if path == "" {
		return "the file"
	}
	return path
}

// members yields the pairs of a mapping, each key once.
func (d *decoder) members(n *yaml.Node, path string, yield func(key, value *yaml.Node)) {
	if isNull(n) {
		return
	}
	if n.Kind != yaml.MappingNode {
		d.report(n, "Write keys and values.", "%s is %s, expected keys and values", named(path), shape(n))
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key := n.Content[i]
		switch {
		case key.Kind != yaml.ScalarNode:
			d.report(key, "Write a plain name.", "a key of %s is %s", named(path), shape(key))
			continue
		case key.Value == "<<" && key.ShortTag() == "!!merge":
			d.report(key, "Write the part out where it belongs.", "merge keys (<<) are not read")
			continue
		case seen[key.Value] > 0:
			d.report(key, "Keep one of the two.", "key %s stands here twice, first in line %d", key.Value, seen[key.Value])
			continue
		}
		seen[key.Value] = key.Line
		yield(key, n.Content[i+1])
	}
}

func (d *decoder) object(n *yaml.Node, v reflect.Value, path string) {
	fields := map[string]reflect.Value{}
	collectFields(v, fields)
	d.members(n, path, func(key, value *yaml.Node) {
		field, ok := fields[key.Value]
		if !ok {
			d.report(key, "Known keys: "+strings.Join(slices.Sorted(maps.Keys(fields)), ", ")+".", "unknown key %s", key.Value)
			return
		}
		d.decodeInto(value, field, join(path, key.Value))
	})
}

// collectFields maps the keys of a struct to its fields; inline structs count as their own.
func collectFields(v reflect.Value, into map[string]reflect.Value) {
	for i := range v.NumField() {
		field := v.Type().Field(i)
		name, option, _ := strings.Cut(field.Tag.Get("yaml"), ",")
		switch {
		case option == "inline" || field.Anonymous && name == "":
			collectFields(v.Field(i), into)
		case !field.IsExported() || name == "-":
		case name == "":
			into[strings.ToLower(field.Name)] = v.Field(i)
		default:
			into[name] = v.Field(i)
		}
	}
}

func (d *decoder) dictionary(n *yaml.Node, v reflect.Value, path string) {
	made := reflect.MakeMap(v.Type())
	d.members(n, path, func(key, value *yaml.Node) {
		item := reflect.New(v.Type().Elem()).Elem()
		d.decodeInto(value, item, join(path, key.Value))
		made.SetMapIndex(reflect.ValueOf(key.Value).Convert(v.Type().Key()), item)
	})
	v.Set(made)
}

// sequence reads a list. A single value stands for a list of one.
func (d *decoder) sequence(n *yaml.Node, v reflect.Value, path string) {
	items := n.Content
	switch {
	case isNull(n):
		return
	case n.Kind != yaml.SequenceNode && v.Type().Elem().Kind() != reflect.String:
		d.report(n, "Write a list.", "%s is %s, expected a list", named(path), shape(n))
		return
	case n.Kind != yaml.SequenceNode:
		items = []*yaml.Node{n}
	}
	made := reflect.MakeSlice(v.Type(), len(items), len(items))
	for i, item := range items {
		d.decodeInto(item, made.Index(i), fmt.Sprintf("%s[%d]", path, i))
	}
	v.Set(made)
}

func (d *decoder) scalar(n *yaml.Node, v reflect.Value, path string) {
	if n.Kind != yaml.ScalarNode {
		d.report(n, "Write a single value.", "%s is %s, expected a single value", named(path), shape(n))
		return
	}
	if isNull(n) {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(n.Value)
	case reflect.Bool:
		if n.Value != "true" && n.Value != "false" {
			d.report(n, "Write true or false.", "%s is %s, expected true or false", path, shape(n))
		}
		v.SetBool(n.Value == "true")
	case reflect.Int, reflect.Int64:
		whole, err := strconv.ParseInt(n.Value, 10, 64)
		if err != nil {
			d.report(n, "Write a whole number.", "%s is %s, expected a whole number", path, shape(n))
		}
		v.SetInt(whole)
	default:
		d.report(n, "Leave it out and report it to the maintainers.", "%s: a %s cannot be read", path, v.Type())
	}
}

func join(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}

var jsonNumber = regexp.MustCompile(`^-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?$`)

// plain is a node as a JSON value.
func (d *decoder) plain(n *yaml.Node) any {
	if d.refuseAnchor(n) {
		return nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		object := map[string]any{}
		d.members(n, "", func(key, value *yaml.Node) { object[key.Value] = d.plain(value) })
		return object
	case yaml.SequenceNode:
		items := make([]any, len(n.Content))
		for i, item := range n.Content {
			items[i] = d.plain(item)
		}
		return items
	default:
		return d.plainScalar(n)
	}
}

// plainScalar is a single value: numbers as written, dates as text.
func (d *decoder) plainScalar(n *yaml.Node) any {
	switch n.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return n.Value == "true" || n.Value == "True" || n.Value == "TRUE"
	case "!!int", "!!float":
		if !jsonNumber.MatchString(n.Value) {
			d.report(n, "Put it in quotes if it is text, or write a plain decimal number.", "%s could be a number or a text", n.Value)
			return nil
		}
		return json.Number(n.Value)
	}
	return n.Value
}
