package catalog

import (
	"fmt"
	"math/big"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/gapless/gapless/fault"
)

// compileJSONSchema compiles a contract's schema by JSON Schema 2020-12, with
// formats enforced.
func compileJSONSchema(schema map[string]any) (*jsonschema.Schema, error) {
	compiler := jsonschema.NewCompiler()
	compiler.DefaultDraft(jsonschema.Draft2020)
	compiler.AssertFormat()
	const address = "contract.json"
	if err := compiler.AddResource(address, schema); err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	compiled, err := compiler.Compile(address)
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	return compiled, nil
}

// schemaFaults tells what a schema found, one fault for every field, in words
// for the person who sent it.
func schemaFaults(e *jsonschema.ValidationError) []*fault.Fault {
	if len(e.Causes) > 0 {
		var all []*fault.Fault
		for _, cause := range e.Causes {
			all = append(all, schemaFaults(cause)...)
		}
		return all
	}
	field := strings.Join(e.InstanceLocation, "/")
	broken := func(field, detail string, args ...any) *fault.Fault {
		return fault.New(opValidate, fault.ContractBroken, field, detail, args...)
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		var all []*fault.Fault
		for _, name := range k.Missing {
			all = append(all, broken(below(field, name), "the field is required and missing"))
		}
		return all
	case *kind.AdditionalProperties:
		var all []*fault.Fault
		for _, name := range k.Properties {
			all = append(all, broken(below(field, name), "the contract has no such field: check its spelling, or leave it out"))
		}
		return all
	default:
		return []*fault.Fault{broken(field, "%s", inWords(k))}
	}
}

// inWords is what a keyword of JSON Schema found, as a sentence.
func inWords(found jsonschema.ErrorKind) string {
	switch k := found.(type) {
	case *kind.Type:
		return fmt.Sprintf("expected %s, got %s", article(k.Want), article([]string{k.Got}))
	case *kind.Enum:
		return fmt.Sprintf("expected one of %s; got %s", listing(k.Want), shown(k.Got))
	case *kind.Const:
		return fmt.Sprintf("expected %s; got %s", shown(k.Want), shown(k.Got))
	case *kind.Format:
		return fmt.Sprintf("%s is not a valid %s, such as %s", shown(k.Got), k.Want, formatExample(k.Want))
	case *kind.Pattern:
		return fmt.Sprintf("%s does not have the form %s", shown(k.Got), k.Want)
	case *kind.MinLength:
		return fmt.Sprintf("%d characters are too few, at least %d are needed", k.Got, k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("%d characters are too many, at most %d are allowed", k.Got, k.Want)
	case *kind.MinItems:
		return fmt.Sprintf("%d elements are too few, at least %d are needed", k.Got, k.Want)
	case *kind.MaxItems:
		return fmt.Sprintf("%d elements are too many, at most %d are allowed", k.Got, k.Want)
	case *kind.UniqueItems:
		return fmt.Sprintf("elements %d and %d are equal", k.Duplicates[0], k.Duplicates[1])
	case *kind.Minimum:
		return fmt.Sprintf("%s is below %s", decimal(k.Got), decimal(k.Want))
	case *kind.Maximum:
		return fmt.Sprintf("%s is above %s", decimal(k.Got), decimal(k.Want))
	case *kind.ExclusiveMinimum:
		return fmt.Sprintf("%s is not above %s", decimal(k.Got), decimal(k.Want))
	case *kind.ExclusiveMaximum:
		return fmt.Sprintf("%s is not below %s", decimal(k.Got), decimal(k.Want))
	case *kind.MultipleOf:
		return fmt.Sprintf("%s is not a multiple of %s", decimal(k.Got), decimal(k.Want))
	case *kind.FalseSchema:
		return "nothing is allowed here"
	default: // a keyword that the dialect does not have
		return found.LocalizedString(message.NewPrinter(language.English))
	}
}

// article is a list of JSON types in words: "a text or a number".
func article(types []string) string {
	words := map[string]string{
		"string": "a text", "number": "a number", "integer": "a whole number", "boolean": "true or false",
		"object": "an object", "array": "a list", "null": "null",
	}
	var all []string
	for _, t := range types {
		all = append(all, words[t])
	}
	return strings.Join(all, " or ")
}

// listing is the values of an enum: texts without quotes.
func listing(values []any) string {
	var all []string
	for _, v := range values {
		if text, ok := v.(string); ok {
			all = append(all, text)
			continue
		}
		all = append(all, shown(v))
	}
	return strings.Join(all, ", ")
}

// formatExample is a value of a format of the dialect.
func formatExample(format string) string {
	examples := map[string]string{
		"date": "2026-01-31", "time": "06:30:00+01:00", "date-time": "2026-01-31T06:30:00+01:00", "duration": "PT8H",
		"uri": "https://example.com/a", "uri-reference": "/a", "uuid": "123e4567-e89b-12d3-a456-426614174000",
		"email": "someone@example.com", "hostname": "example.com", "ipv4": "192.0.2.1", "ipv6": "2001:db8::1", "json-pointer": "/a/0",
	}
	return examples[format]
}

// decimal is an exact number as text, with a fraction bar only where it has no end.
func decimal(r *big.Rat) string {
	if digits, finite := r.FloatPrec(); finite {
		return r.FloatString(digits)
	}
	return r.RatString()
}
