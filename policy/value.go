package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
	"github.com/quagmt/udecimal"
)

// variables hands an Input to expressions by name. One serves all policies that
// judge an event; it is not changed after it was made.
type variables struct {
	event, subject, reference map[string]any
	state                     map[string]map[string]any
	flaw                      error // why nothing can be judged from this; nil where it can
	ordinary                  bool  // nothing in it is large: see ordinarySize
}

// ResolveName implements cel.Activation.
func (v *variables) ResolveName(name string) (any, bool) {
	switch name {
	case "event":
		return v.event, true
	case "subject":
		return v.subject, true
	case "state":
		return v.state, true
	case "reference":
		return v.reference, true
	}
	return nil, false
}

// Parent implements cel.Activation.
func (v *variables) Parent() cel.Activation { return nil }

// An adapter brings JSON values into expressions: whole numbers as int, other
// numbers as exact decimals, never as double, and maps in the order of their
// keys, so that a loop over one is the same in every replay.
type adapter struct{ fallback types.Adapter }

// NativeToValue implements types.Adapter.
func (a adapter) NativeToValue(value any) ref.Val {
	switch v := value.(type) {
	case ref.Val:
		return v
	case string:
		return types.String(v)
	case map[string]any:
		return ordered{types.NewMap(a, v), func() []ref.Val { return sortedKeys(v) }}
	case map[string]map[string]any:
		return ordered{types.NewMap(a, v), func() []ref.Val { return sortedKeys(v) }}
	case []any:
		return types.NewDynamicList(a, v)
	case []map[string]any:
		return types.NewDynamicList(a, v)
	case json.Number:
		return number(string(v))
	}
	return a.fallback.NativeToValue(value)
}

// number reads a JSON number: 12 and 12.0 as int, 12.5 as decimal.
func number(s string) ref.Val {
	d, err := parseNumber(s)
	if err != nil {
		return types.WrapErr(err)
	}
	if whole := d.Trunc(0); whole.Equal(d) {
		if i, err := whole.Int64(); err == nil {
			return types.Int(i)
		}
	}
	return plain(d)
}

// parseNumber reads a JSON number, whose exponent it writes out: RFC 8785
// writes 1e+21 and 1e-7.
func parseNumber(s string) (udecimal.Decimal, error) {
	mantissa, exponent, ok := strings.Cut(strings.ToLower(s), "e")
	if !ok {
		return parseDecimal(s)
	}
	shift, err := strconv.Atoi(exponent)
	if err != nil || shift < -maxDigits || shift > maxDigits {
		return udecimal.Decimal{}, fmt.Errorf("the number %.40s is out of range", s)
	}
	unsigned, negative := strings.CutPrefix(mantissa, "-")
	whole, fraction, _ := strings.Cut(unsigned, ".")
	if shift >= 0 {
		fraction += strings.Repeat("0", max(0, shift-len(fraction)))
		whole, fraction = whole+fraction[:shift], fraction[shift:]
	} else {
		whole = strings.Repeat("0", max(0, 1-shift-len(whole))) + whole
		at := len(whole) + shift
		whole, fraction = whole[:at], whole[at:]+fraction
	}
	text := whole
	if fraction = strings.TrimRight(fraction, "0"); fraction != "" {
		text += "." + fraction
	}
	if negative {
		text = "-" + text
	}
	return parseDecimal(text)
}

// flaw tells where in a value something stands that is not of JSON or not
// exact, as "data/a: what is wrong"; "" where all is well. It is looked for
// beforehand, since CEL takes an unreadable element of a list for equal to
// whatever it is compared with.
func flaw(value any) string {
	switch v := value.(type) {
	case nil, bool, string, int, int32, int64, uint32, uint64:
		return ""
	case json.Number:
		if _, err := parseNumber(string(v)); err != nil {
			return ": " + err.Error()
		}
		return ""
	case map[string]any:
		return flawInMap(v)
	case map[string]map[string]any:
		return flawInMap(v)
	case []any:
		return flawInList(v)
	case []map[string]any:
		return flawInList(v)
	case float64, float32: //nolint:forbidigo // refused here
		return fmt.Sprintf(": the number %v arrived as a binary fraction, numbers are read as decimal text", v)
	}
	return fmt.Sprintf(": a %T is no value of JSON", value)
}

// ordinary says that nothing in a value is larger than in an ordinary event.
func ordinary(value any) bool {
	switch v := value.(type) {
	case string:
		return len(v) <= ordinarySize
	case json.Number:
		return len(v) <= ordinarySize
	case map[string]any:
		return ordinaryMap(v)
	case map[string]map[string]any:
		return ordinaryMap(v)
	case []any:
		return len(v) <= ordinarySize && !slices.ContainsFunc(v, func(item any) bool { return !ordinary(item) })
	case []map[string]any:
		return len(v) <= ordinarySize && !slices.ContainsFunc(v, func(item map[string]any) bool { return !ordinaryMap(item) })
	}
	return true
}

func ordinaryMap[V any](m map[string]V) bool {
	if len(m) > ordinarySize {
		return false
	}
	for k, v := range m {
		if len(k) > ordinarySize || !ordinary(v) {
			return false
		}
	}
	return true
}

// flawInMap is the first flaw in the order of paths.
func flawInMap[V any](m map[string]V) string {
	first := ""
	for k, v := range m {
		if f := flaw(v); f != "" {
			if path := under(k, f); first == "" || path < first {
				first = path
			}
		}
	}
	return first
}

func flawInList[V any](l []V) string {
	for i, v := range l {
		if f := flaw(v); f != "" {
			return under(strconv.Itoa(i), f)
		}
	}
	return ""
}

func under(name, flaw string) string {
	if strings.HasPrefix(flaw, ":") {
		return name + flaw
	}
	return name + "/" + flaw
}

// ordered is a map whose entries come in the order of their keys.
type ordered struct {
	traits.Mapper
	keys func() []ref.Val
}

// Iterator implements traits.Iterable.
func (m ordered) Iterator() traits.Iterator {
	return types.NewRefValList(types.DefaultTypeAdapter, m.keys()).Iterator()
}

// Fold implements traits.Foldable.
func (m ordered) Fold(f traits.Folder) {
	for _, k := range m.keys() {
		v, _ := m.Find(k)
		if !f.FoldEntry(k, v) {
			return
		}
	}
}

func sortedKeys[V any](m map[string]V) []ref.Val {
	names := make([]string, 0, len(m))
	for k := range m {
		names = append(names, k)
	}
	slices.Sort(names)
	keys := make([]ref.Val, len(names))
	for i, k := range names {
		keys[i] = types.String(k)
	}
	return keys
}
