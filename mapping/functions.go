package mapping

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redpanda-data/benthos/v4/public/bloblang"

	"github.com/gapless/gapless/event"
)

// An Environment is what a mapping is compiled against. A nil function knows
// nothing; what needs it is refused or a fault.
type Environment struct {
	Codes    func(list, local string) (code string, ok bool)       // of the mapping's system
	Calendar func(day, shift string) (from, to time.Time, ok bool) // of the mapping's plant
	Kinds    func(kind string) (segments int, ok bool)             // of refs
	Shifts   func(day string) []string                             // names of those of a production day, for who named another
	Zone     *time.Location                                        // of the mapping's plant; nil where it is not known
	Locals   func(list, code string) (local []string)              // what the system of a command calls a code

	dialect dialect
}

// A dialect is what an expression is for: which functions of ours it may call.
type dialect int

const (
	ofMessages dialect = iota
	ofCommands         // requests: external identifiers and codes instead of local ones
	ofAnswers          // answer rules: none
)

// LocalKey is the one key of a marker that stands for a system's own identifier.
const LocalKey = "$local"

// LocalRef reads the marker that the function local makes: the kind of ref and
// what the system calls it. It is resolved by cross-reference, valid when it happened.
func LocalRef(value any) (kind, id string, ok bool) {
	marker, isObject := value.(map[string]any)
	if !isObject || len(marker) != 1 {
		return "", "", false
	}
	inner, isObject := marker[LocalKey].(map[string]any)
	if !isObject || len(inner) != 2 {
		return "", "", false
	}
	kind, kindOK := inner["kind"].(string)
	id, idOK := inner["id"].(string)
	return kind, id, kindOK && idOK
}

// A codeUnknown is the error of a local code that no list translates.
type codeUnknown struct{ call, list, local string }

func (e *codeUnknown) Error() string { return fmt.Sprintf("%q is not on the list %s", e.local, e.list) }

// A refInvalid is the error of segments that cannot be a ref.
type refInvalid struct{ err error }

func (e *refInvalid) Error() string { return e.err.Error() }
func (e *refInvalid) Unwrap() error { return e.err }

// A kindUnknown is the error of a kind that is not declared.
type kindUnknown struct{ kind string }

func (e *kindUnknown) Error() string { return fmt.Sprintf("%q is no declared kind", e.kind) }

// A shiftUnknown is the error of a shift that the plant's calendar has not.
type shiftUnknown struct {
	call, day, shift string
	known            []string // shifts of that day
}

func (e *shiftUnknown) Error() string {
	text := fmt.Sprintf("the plant's calendar has no shift %.40q on the day %s", e.shift, e.day)
	if len(e.known) == 0 {
		return text
	}
	return text + ": its shifts are " + strings.Join(e.known, ", ")
}

// A timeInvalid is the error of a text that is no usable time.
type timeInvalid struct{ text string }

func (e *timeInvalid) Error() string { return e.text }

// An inexact is the error of a JSON number that carries binary noise.
type inexact struct{ text string }

func (e *inexact) Error() string {
	return fmt.Sprintf("%s has more than %d significant digits: send it as text, or round it with .round_to(digits)", e.text, event.MaxNumberDigits)
}

// A function is one of ours: its name, its parameters and what it does with
// their values. A name that ends in "?" is an optional parameter.
type function struct {
	name       string
	parameters []string // nil takes any number
	call       func(arguments []any) (any, error)
}

func functions(env Environment) []function {
	switch env.dialect {
	case ofCommands:
		return commandFunctions(env)
	case ofAnswers:
		return nil
	case ofMessages:
	}
	return []function{
		{"ref", nil, env.ref},
		{"local", []string{"kind", "id"}, env.local},
		{"quantity", []string{"value", "unit", "digits?"}, quantity},
		{"unit", []string{"local"}, func(a []any) (any, error) { return env.code("unit", "unit", 0, a[0]) }},
		{"code", []string{"list", "local"}, env.codeOf},
		{"day_of", []string{"text"}, dayOf},
		{"time_of", []string{"text", "layout"}, env.timeOf},
		{"shift_from", []string{"day", "shift"}, func(a []any) (any, error) { from, _, err := env.shift("shift_from", a); return from, err }},
		{"shift_to", []string{"day", "shift"}, func(a []any) (any, error) { _, to, err := env.shift("shift_to", a); return to, err }},
	}
}

// A method is like a function; the first value is what it is called on.
type method = function

func methods() []method {
	return []method{
		{"decimal", []string{}, func(a []any) (any, error) { return decimalText("decimal", a) }},
		{"plus", []string{"x"}, arithmetic("plus", func(x, y event.Decimal) (event.Decimal, error) { return x.Add(y), nil })},
		{"minus", []string{"x"}, arithmetic("minus", func(x, y event.Decimal) (event.Decimal, error) { return x.Sub(y), nil })},
		{"times", []string{"x"}, arithmetic("times", event.Decimal.Mul)},
		{"divided_by", []string{"x", "digits"}, dividedBy},
		{"round_to", []string{"digits"}, roundTo},
		{"is_equal", []string{"x"}, comparison("is_equal", func(c int) bool { return c == 0 })},
		{"is_less", []string{"x"}, comparison("is_less", func(c int) bool { return c < 0 })},
		{"is_more", []string{"x"}, comparison("is_more", func(c int) bool { return c > 0 })},
		{"integer", []string{}, integer},
		{"sum", []string{}, sum},
		{"values", []string{}, func(a []any) (any, error) { return pairs("values", a[0], func(_ string, v any) any { return v }) }},
		{"key_values", []string{}, func(a []any) (any, error) {
			return pairs("key_values", a[0], func(k string, v any) any { return map[string]any{"key": k, "value": v} })
		}},
		{listMethod, []string{}, list},
	}
}

// register adds our functions and methods to the language. An error is one of
// this package: a name or a parameter that the library does not take.
func register(language *bloblang.Environment, env Environment) error {
	for _, f := range functions(env) {
		err := language.RegisterFunctionV2(f.name, f.spec(), func(args *bloblang.ParsedParams) (bloblang.Function, error) {
			values := args.AsSlice()
			return func() (any, error) { return f.call(values) }, nil
		})
		if err != nil {
			return fmt.Errorf("function %s: %w", f.name, err)
		}
	}
	for _, m := range methods() {
		err := language.RegisterMethodV2(m.name, m.spec(), func(args *bloblang.ParsedParams) (bloblang.Method, error) {
			values := args.AsSlice()
			return func(on any) (any, error) { return m.call(append([]any{on}, values...)) }, nil
		})
		if err != nil {
			return fmt.Errorf("method %s: %w", m.name, err)
		}
	}
	return nil
}

func (f function) spec() *bloblang.PluginSpec {
	spec := bloblang.NewPluginSpec()
	if f.parameters == nil {
		return spec.Variadic()
	}
	for _, name := range f.parameters {
		if optional := name[len(name)-1] == '?'; optional {
			spec = spec.Param(bloblang.NewAnyParam(name[:len(name)-1]).Optional())
		} else {
			spec = spec.Param(bloblang.NewAnyParam(name))
		}
	}
	return spec
}

func (env Environment) ref(arguments []any) (any, error) {
	if len(arguments) < 2 {
		return nil, &refInvalid{event.ErrRefForm}
	}
	parts := make([]string, len(arguments))
	for i, a := range arguments {
		text, err := textOf("ref", i, a)
		if err != nil {
			return nil, err
		}
		if text == "" {
			return nil, &missing{call: "ref", argument: i}
		}
		parts[i] = text
	}
	if err := env.checkKind(parts[0], len(parts)-1); err != nil {
		return nil, err
	}
	r, err := event.NewRef(parts[0], parts[1:]...)
	if err != nil {
		return nil, &refInvalid{err}
	}
	return string(r), nil
}

// checkKind checks the number of segments, where it is known (not below 0).
func (env Environment) checkKind(kind string, segments int) error {
	if env.Kinds == nil {
		return nil
	}
	declared, ok := env.Kinds(kind)
	switch {
	case !ok:
		return &kindUnknown{kind}
	case segments >= 0 && declared > 0 && segments != declared:
		return &refInvalid{fmt.Errorf("a ref of kind %s has %d segments, not %d", kind, declared, segments)}
	}
	return nil
}

func (env Environment) local(arguments []any) (any, error) {
	kind, err := textOf("local", 0, arguments[0])
	if err != nil {
		return nil, err
	}
	id, err := textOf("local", 1, arguments[1])
	if err != nil {
		return nil, err
	}
	if id == "" {
		return nil, &missing{call: "local", argument: 1}
	}
	if err := env.checkKind(kind, -1); err != nil {
		return nil, err
	}
	return map[string]any{LocalKey: map[string]any{"kind": kind, "id": id}}, nil
}

func (env Environment) codeOf(arguments []any) (any, error) {
	list, err := textOf("code", 0, arguments[0])
	if err != nil {
		return nil, err
	}
	return env.code("code", list, 1, arguments[1])
}

func (env Environment) code(call, list string, argument int, value any) (any, error) {
	local, err := textOf(call, argument, value)
	if err != nil {
		return nil, err
	}
	if local == "" {
		return nil, &missing{call: call, argument: argument}
	}
	if env.Codes != nil {
		if code, ok := env.Codes(list, local); ok {
			return code, nil
		}
	}
	return nil, &codeUnknown{call, list, local}
}

// quantity makes the JSON form of a quantity. A JSON number with binary noise is
// refused unless the mapping says to how many digits it is rounded.
func quantity(arguments []any) (any, error) {
	value, err := decimalOf("quantity", 0, arguments[0])
	if err != nil {
		return nil, err
	}
	unit, err := textOf("quantity", 1, arguments[1])
	if err != nil {
		return nil, err
	}
	if unit == "" {
		return nil, &missing{call: "quantity", argument: 1}
	}
	if arguments[2] != nil {
		digits, err := digitsOf("quantity", 2, arguments[2])
		if err != nil {
			return nil, err
		}
		value = value.RoundHalfEven(digits)
	} else if n, isNumber := arguments[0].(json.Number); isNumber && event.SignificantDigits(n.String()) > event.MaxNumberDigits {
		return nil, &inexact{n.String()}
	}
	return map[string]any{"value": value.String(), "unit": unit}, nil
}

// pairs lists an object in the order of its keys.
func pairs(call string, value any, item func(key string, value any) any) (any, error) {
	if value == nil {
		return nil, &missing{call: call, argument: target}
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%s takes an object, not %s", call, describe(value))
	}
	items := make([]any, 0, len(object))
	for _, key := range sortedKeys(object) {
		items = append(items, item(key, object[key]))
	}
	return items, nil
}

// listMethod stands before every map_each and filter, see guardLoops.
const listMethod = "list"

// list gives a list as it is and refuses anything else.
func list(arguments []any) (any, error) {
	switch v := arguments[0].(type) {
	case []any:
		return v, nil
	case nil:
		return nil, &missing{call: listMethod, argument: target}
	case map[string]any:
		return nil, errors.New("map_each and filter go through lists: write .key_values() before them for an object")
	default:
		return nil, fmt.Errorf("a list is expected, not %s", describe(v))
	}
}
