package mapping

import (
	"slices"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
)

// libraryFunctions are the functions of Bloblang that a mapping may call. The
// others read the clock, chance, the environment or a message broker's metadata;
// `range` and `bytes` have no use here and no bound.
func libraryFunctions() []string { return []string{"deleted", "nothing", "throw"} }

// libraryMethods are the methods of Bloblang that a mapping may call: those whose
// result is a function of their target and arguments alone, always ends, and
// keeps numbers as they came. Left out are, beside the obvious, those that
//
//   - compute in binary floats: number, sum, min, max, round, ceil, floor, log ...
//   - depend on the order of a Go map: values, key_values (replaced by ours)
//   - loop without a bound or build without one: apply, fold
//   - write addresses or guess types: format, collapse, explode, merge, assign
//   - parse or print other formats, which is the work of package format
func libraryMethods() []string {
	return []string{
		"all", "any", "append", "array", "bool", "capitalize", "catch", "contains", "enumerated", "exists",
		"filter", "find", "find_all", "find_all_by", "find_by", "flatten", "get", "has_prefix", "has_suffix",
		"index", "index_of", "join", "keys", "length", "lowercase", "map", "map_each", "not", "not_empty", "not_null", "or",
		"quote", "re_find_all", "re_find_all_submatch", "re_match", "re_replace_all", "replace_all", "replace_all_many",
		"reverse", "slice", "sort", "sort_by", "split", "string", "trim", "trim_prefix", "trim_suffix", "type", "uppercase", "without",
	}
}

// newLanguage is the language of mappings: what is on the two lists, and ours.
// It takes away whatever else the library offers, known or not, so that a new
// version of it adds nothing by itself.
func newLanguage(env Environment) (*bloblang.Environment, error) {
	all := bloblang.NewEnvironment()
	language := all.WithoutFunctions(others(libraryFunctions(), func(see func(string)) {
		all.WalkFunctions(func(name string, _ *bloblang.FunctionView) { see(name) })
	})...).WithoutMethods(others(libraryMethods(), func(see func(string)) {
		all.WalkMethods(func(name string, _ *bloblang.MethodView) { see(name) })
	})...).WithDisabledImports()
	return language, register(language, env)
}

// others are the names of a walk that are not on a list.
func others(list []string, walk func(see func(string))) []string {
	var rest []string
	walk(func(name string) {
		if !slices.Contains(list, name) {
			rest = append(rest, name)
		}
	})
	return rest
}
