package mapping

import (
	"maps"
	"slices"
	"strconv"
)

// Resolve answers a value with every local identifier in it exchanged for what
// find gives, in the order of the names; place is where it stands in the value:
// "outputs/0/material". The value given is not changed.
func Resolve(value any, find func(place, kind, id string) string) any {
	return resolve(value, "", find)
}

func resolve(value any, place string, find func(place, kind, id string) string) any {
	if kind, id, ok := LocalRef(value); ok {
		return find(place, kind, id)
	}
	switch v := value.(type) {
	case map[string]any:
		resolved := make(map[string]any, len(v))
		for _, name := range slices.Sorted(maps.Keys(v)) {
			resolved[name] = resolve(v[name], inside(place, name), find)
		}
		return resolved
	case []any:
		resolved := make([]any, len(v))
		for n, item := range v {
			resolved[n] = resolve(item, inside(place, strconv.Itoa(n)), find)
		}
		return resolved
	}
	return value
}

func inside(place, name string) string {
	if place == "" {
		return name
	}
	return place + "/" + name
}
