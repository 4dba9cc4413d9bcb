package mapping

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gapless/gapless/event"
)

// A marker of external stands in a text for what a system calls an object: the
// ref between two control characters, which neither a ref nor the data of a
// command can hold. So it can be put together with other text, as a path is.
const (
	externalBegins = "\x02"
	externalEnds   = "\x03"
)

// A localUnknown is the error of a code that the system has no name for, or
// several without saying which is meant.
type localUnknown struct {
	call     string
	argument int
	list     string
	code     string
	several  []string
}

func (e *localUnknown) Error() string {
	if len(e.several) > 0 {
		return fmt.Sprintf("the system calls %q of the list %s %s: say under `external` of the list which is meant", e.code, e.list, strings.Join(e.several, " and "))
	}
	return fmt.Sprintf("the system has no name for %q of the list %s", e.code, e.list)
}

// commandFunctions are those that a request may call.
func commandFunctions(env Environment) []function {
	return []function{
		{"ref", nil, env.ref},
		{"quantity", []string{"value", "unit", "digits?"}, quantity},
		{"day_of", []string{"text"}, dayOf},
		{"external", []string{"ref"}, external},
		{"external_unit", []string{"code"}, func(a []any) (any, error) { return env.external("external_unit", "unit", 0, a[0]) }},
		{"external_code", []string{"list", "code"}, func(a []any) (any, error) {
			list, err := textOf("external_code", 0, a[0])
			if err != nil {
				return nil, err
			}
			return env.external("external_code", list, 1, a[1])
		}},
	}
}

// external is the marker for what the system calls the object of a ref.
func external(arguments []any) (any, error) {
	text, err := textOf("external", 0, arguments[0])
	if err != nil {
		return nil, err
	}
	if text == "" {
		return nil, &missing{call: "external", argument: 0}
	}
	if _, err := event.ParseRef(text); err != nil {
		return nil, &refInvalid{err}
	}
	return externalBegins + text + externalEnds, nil
}

// external is what the system calls a code.
func (env Environment) external(call, list string, argument int, value any) (any, error) {
	code, err := textOf(call, argument, value)
	if err != nil {
		return nil, err
	}
	if code == "" {
		return nil, &missing{call: call, argument: argument}
	}
	var locals []string
	if env.Locals != nil {
		locals = env.Locals(list, code)
	}
	switch len(locals) {
	case 1:
		return locals[0], nil
	case 0:
		return nil, &localUnknown{call: call, argument: argument, list: list, code: code}
	}
	return nil, &localUnknown{call: call, argument: argument, list: list, code: code, several: locals}
}

// Externals are the refs whose external identifiers a request asks for, each
// once, in order.
func Externals(request map[string]any) []event.Ref {
	seen := map[event.Ref]bool{}
	ResolveExternal(request, func(_ string, ref event.Ref) string {
		seen[ref] = true
		return ""
	})
	return slices.Sorted(maps.Keys(seen))
}

// ResolveExternal answers a request with every marker of external exchanged for
// what find gives: what the system calls the object. Place is where it stands:
// "body/lines/0/lot". The request given is not changed.
func ResolveExternal(request map[string]any, find func(place string, ref event.Ref) string) map[string]any {
	resolved, _ := resolveExternal(request, "", find).(map[string]any)
	return resolved
}

func resolveExternal(value any, place string, find func(place string, ref event.Ref) string) any {
	switch v := value.(type) {
	case string:
		return exchangeMarkers(v, func(ref event.Ref) string { return find(place, ref) })
	case map[string]any:
		resolved := make(map[string]any, len(v))
		for _, name := range sortedKeys(v) {
			resolved[name] = resolveExternal(v[name], inside(place, name), find)
		}
		return resolved
	case []any:
		resolved := make([]any, len(v))
		for i, item := range v {
			resolved[i] = resolveExternal(item, inside(place, strconv.Itoa(i)), find)
		}
		return resolved
	}
	return value
}

func exchangeMarkers(text string, find func(event.Ref) string) string {
	var b strings.Builder
	for {
		before, rest, opened := strings.Cut(text, externalBegins)
		ref, after, closed := strings.Cut(rest, externalEnds)
		if !opened || !closed {
			b.WriteString(text)
			return b.String()
		}
		b.WriteString(before)
		b.WriteString(find(event.Ref(ref)))
		text = after
	}
}

// strayMarker finds where a value holds a control character of markers that is
// no part of a whole one; with whole false, where it holds any.
func strayMarker(value any, place string, whole bool) (string, bool) {
	switch v := value.(type) {
	case string:
		return place, strays(v, whole)
	case map[string]any:
		for _, name := range sortedKeys(v) {
			if strays(name, false) {
				return inside(place, "keys"), true
			}
			if at, found := strayMarker(v[name], inside(place, name), whole); found {
				return at, true
			}
		}
	case []any:
		for i, item := range v {
			if at, found := strayMarker(item, inside(place, strconv.Itoa(i)), whole); found {
				return at, true
			}
		}
	}
	return "", false
}

func strays(text string, whole bool) bool {
	if !strings.ContainsAny(text, externalBegins+externalEnds) {
		return false
	}
	broken := !whole
	rest := exchangeMarkers(text, func(ref event.Ref) string {
		_, err := event.ParseRef(string(ref))
		broken = broken || err != nil
		return ""
	})
	return broken || strings.ContainsAny(rest, externalBegins+externalEnds)
}
