package mapping

import (
	"encoding/json"
	"fmt"
	"maps"
	"strconv"
	"strings"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// identityField is one part of a message's identity.
type identityField struct {
	name     string
	path     []string
	optional bool
}

// fieldPath splits "header.number". A field of a record whose own name has dots
// in it is found first, see find.
func fieldPath(name string) []string { return strings.Split(name, ".") }

// find is the value of a field by its name, or by its path.
func find(record map[string]any, name string, path []string) any {
	if v, ok := record[name]; ok {
		return v
	}
	return at(record, path)
}

// Identify gives what tells the record from every other of its message: the texts
// of its identity fields as a JSON array, so that ["ab","c"] and ["a","bc"]
// differ. A number counts by its value and text without the blanks around it, as
// a row is the same message by file and by HTTP. An optional field that is
// absent is "". The error is a *fault.Fault of fault.IDMissing with the field.
func (m *Mapping) Identify(record map[string]any) (string, error) {
	const op = "mapping.Identify"
	parts := make([]any, len(m.identity))
	for i, f := range m.identity {
		text, err := identityText(find(record, f.name, f.path))
		if err != nil {
			return "", fault.New(op, fault.IDMissing, faultField(f.path), "%v", err)
		}
		if text == "" && !f.optional {
			return "", fault.New(op, fault.IDMissing, faultField(f.path), "the field is absent or empty")
		}
		parts[i] = text
	}
	b, err := event.Canonical(parts)
	if err != nil {
		return "", fault.Wrap(op, fault.IDMissing, faultField(m.identity[0].path), err)
	}
	return string(b), nil
}

func identityText(value any) (string, error) {
	switch v := value.(type) {
	case nil:
		return "", nil
	case string:
		return strings.TrimSpace(v), nil
	case bool:
		return strconv.FormatBool(v), nil
	case json.Number:
		return numberText(v), nil
	default:
		return "", fmt.Errorf("%s identifies nothing: a text or a number is expected", describe(value))
	}
}

// numberText is a number by its value: 5.0 is 5. A number beyond the digits of a
// decimal counts as it is written.
func numberText(n json.Number) string {
	d, err := event.ParseDecimal(n.String())
	if err != nil {
		return n.String()
	}
	return d.String()
}

func faultField(path []string) string { return strings.Join(path, "/") }

// Digest is the digest of the record's content without its volatile fields.
// As for Identify, a number counts by its value, whether it came as number or as
// text of the same digits; null counts as absent.
func (m *Mapping) Digest(record map[string]any) (string, error) {
	content, _ := contentOf(record).(map[string]any)
	for i, path := range m.volatile {
		if _, ok := content[m.def.Volatile[i]]; ok {
			delete(content, m.def.Volatile[i])
			continue
		}
		if parent, ok := at(content, path[:len(path)-1]).(map[string]any); ok {
			delete(parent, path[len(path)-1])
		}
	}
	digest, err := event.Digest(content)
	if err != nil {
		return "", fault.Wrap("mapping.Digest", fault.NotReadable, "", err)
	}
	return digest, nil
}

// contentOf copies a value into the form in which contents are compared.
func contentOf(value any) any {
	switch v := value.(type) {
	case json.Number:
		return numberText(v)
	case map[string]any:
		copied := make(map[string]any, len(v))
		for name, item := range v {
			if item != nil {
				copied[name] = contentOf(item)
			}
		}
		return copied
	case []any:
		copied := make([]any, len(v))
		for i, item := range v {
			copied[i] = contentOf(item)
		}
		return copied
	default:
		return value
	}
}

// A scope is what expressions see: the record with lookups and each.
type scope struct {
	value    map[string]any
	eachPath string // of the current item, as in a fault's field: "lines/2"; "" outside each
}

// The names that the scope adds to a record.
const (
	lookupsName = "lookups"
	eachName    = "each"
)

// newScope copies the record's top level, so that the caller's stays as it is.
func newScope(op string, record, lookups map[string]any) (*scope, error) {
	value := make(map[string]any, len(record)+2)
	maps.Copy(value, record)
	for _, name := range []string{lookupsName, eachName} {
		if _, taken := record[name]; taken {
			return nil, fault.New(op, fault.MappingFailed, name, "the record has a field of this name, which is reserved for what the mapping reads beside the record: have it renamed at the source")
		}
	}
	if lookups == nil {
		lookups = map[string]any{}
	}
	value[lookupsName] = lookups
	return &scope{value: value}, nil
}
