package catalog

import (
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

const productionCompleted = `{
	"$schema": "https://json-schema.org/draft/2020-12/schema",
	"title": "Production completed", "type": "object", "additionalProperties": false,
	"required": ["order", "outputs"],
	"properties": {
		"order": {"type": "string", "x-ref": "order"},
		"machine": {"x-ref": ["work-center", "equipment"], "description": "where it was made"},
		"day": {"type": "string", "format": "date", "examples": ["2018-11-01"]},
		"cycle": {"type": ["number", "null"], "exclusiveMinimum": 0, "exclusiveMaximum": 3600, "multipleOf": 0.1},
		"shots": {"type": "integer", "minimum": 0, "maximum": 100000, "default": 0},
		"final": {"const": true, "deprecated": true},
		"labels": {"type": "object", "additionalProperties": {"type": "string"}},
		"outputs": {"type": "array", "minItems": 1, "maxItems": 50, "uniqueItems": true, "items": {"$ref": "#/$defs/output"}}
	},
	"$defs": {
		"amount": {"x-quantity": {"dimension": "mass", "sign": "not-negative"}},
		"output": {
			"type": "object", "additionalProperties": false,
			"properties": {
				"role": {"enum": ["main", "co", "by", "rework", "remainder"]},
				"lot": {"type": "string", "x-ref": "lot", "minLength": 1, "maxLength": 40, "pattern": "^lot/"},
				"reason": {"x-code": "scrap-reason"},
				"good": {"$ref": "#/$defs/amount", "x-record": true, "title": "Good quantity"}
			}
		}
	}
}`

func TestAContractWithEveryKeywordIsInTheDialect(t *testing.T) {
	if problems := CheckDialect(parsed(productionCompleted)); len(problems) > 0 {
		t.Errorf("got %+v", problems)
	}
	for _, keyword := range dialectKeywords() {
		if !strings.Contains(productionCompleted, `"`+keyword.name+`"`) {
			t.Errorf("the example does not use %s", keyword.name)
		}
	}
	mustCompile(t, productionCompleted)
}

func TestCheckDialectTellsAllProblemsAtOnce(t *testing.T) {
	problems := CheckDialect(parsed(`{
		"type": "object",
		"required": ["lot"],
		"properties": {
			"a": {"anyOf": [{"type": "string"}, {"type": "null"}]},
			"b": {"type": "integer", "minLength": 3},
			"c": {"type": "strin"},
			"d": {"type": "array", "items": {"type": "object"}}
		}
	}`))
	var at []string
	for _, problem := range problems {
		at = append(at, problem.Path)
		if !strings.HasSuffix(problem.Message, ".") || problem.Remedy == "" {
			t.Errorf("not a sentence and a remedy: %+v", problem)
		}
	}
	want := []string{"/properties/a/anyOf", "/properties/a", "/properties/b/minLength", "/properties/c/type", "/properties/d/items", ""}
	if diff := cmp.Diff(want, at); diff != "" {
		t.Errorf("paths (-want +got):\n%s", diff)
	}
}

func TestCheckDialectRefuses(t *testing.T) {
	tests := map[string]struct {
		schema  string
		at      string
		message string
	}{
		"an object that does not say whether it is open": {`{"type": "object"}`, "", "does not say whether it accepts fields"},
		"one that may be null too":                       {`{"type": ["object", "null"]}`, "", "does not say whether it accepts fields"},
		"a schema without a type":                        {`{"title": "anything"}`, "", "states no type"},
		"true as the schema of a field":                  {`{"type": "object", "additionalProperties": false, "properties": {"a": true}}`, "/properties/a", "says nothing about the value"},
		"a misspelt keyword":                             {`{"type": "string", "maxLenght": 3}`, "/maxLenght", "no keyword"},
		"a keyword of ours that does not exist":          {`{"type": "string", "x-unit": "KGM"}`, "/x-unit", "no keyword"},
		"a reference to another file":                    {`{"$ref": "lot.json"}`, "/$ref", "does not name a definition of this contract"},
		"a reference into a definition":                  {`{"$ref": "#/$defs/a/properties/b", "$defs": {"a": {"type": "string"}}}`, "/$ref", "does not name a definition"},
		"a reference to nothing":                         {`{"$ref": "#/$defs/lot"}`, "/$ref", `no definition "lot"`},
		"a demand beside a reference":                    {`{"type": "array", "items": {"$ref": "#/$defs/a", "maxLength": 3}, "$defs": {"a": {"type": "string"}}}`, "/items/maxLength", "beside $ref"},
		"a definition that contains itself":              {`{"$ref": "#/$defs/a", "$defs": {"a": {"type": "array", "items": {"$ref": "#/$defs/b"}}, "b": {"$ref": "#/$defs/a"}}}`, "/$defs/a", "contains itself"},
		"definitions below the root":                     {`{"type": "array", "items": {"type": "string", "$defs": {}}}`, "/items/$defs", "only at the root"},
		"another draft":                                  {`{"$schema": "http://json-schema.org/draft-07/schema#", "type": "string"}`, "/$schema", "is not https://json-schema.org/draft/2020-12/schema"},
		"elements one by one":                            {`{"type": "array", "items": [{"type": "string"}]}`, "/items", "a meaning of its own"},
		"an enum without a value":                        {`{"enum": []}`, "/enum", "at least one value"},
		"an enum with a value twice":                     {`{"enum": [1, 1.0]}`, "/enum", "stands there twice"},
		"an enum value of another type":                  {`{"type": "string", "enum": ["1", 1]}`, "/enum", "1 is not of the type string"},
		"a constant of another type":                     {`{"type": "integer", "const": 1.5}`, "/const", "1.5 is not of the type integer"},
		"a minimum above the maximum":                    {`{"type": "integer", "minimum": 2, "maximum": 1}`, "", "no value is accepted"},
		"a range of nothing":                             {`{"type": "number", "exclusiveMinimum": 1, "maximum": 1}`, "", "no value is accepted"},
		"a shortest text above the longest":              {`{"type": "string", "minLength": 2, "maxLength": 1}`, "/maxLength", "no value is accepted"},
		"a length that is no whole number":               {`{"type": "string", "minLength": 1.5}`, "/minLength", "whole number"},
		"a step of zero":                                 {`{"type": "number", "multipleOf": 0}`, "/multipleOf", "above zero"},
		"a number that nobody can work with":             {`{"type": "number", "maximum": 1e999999999}`, "/maximum", "usual size"},
		"a limit on a text":                              {`{"type": "string", "minimum": 0}`, "/minimum", "no effect on string; it speaks of number"},
		"a required field that a closed object lacks":    {`{"type": "object", "additionalProperties": false, "required": ["lot"]}`, "/required", "closed object does not have it"},
		"a required field twice":                         {`{"type": "object", "additionalProperties": true, "required": ["a", "a"]}`, "/required", "stands there twice"},
		"a pattern that is none":                         {`{"type": "string", "pattern": "("}`, "/pattern", "is not a regular expression"},
		"a pattern with look-ahead":                      {`{"type": "string", "pattern": "(?=a)"}`, "/pattern", "is not a regular expression"},
		"a format outside of the list":                   {`{"type": "string", "format": "color"}`, "/format", "one of date, time"},
		"a kind of ref with a blank":                     {`{"x-ref": "work center"}`, "/x-ref", "a kind of ref"},
		"an empty list of kinds":                         {`{"x-ref": []}`, "/x-ref", "a kind of ref"},
		"a ref that is a number":                         {`{"type": "integer", "x-ref": "lot"}`, "/x-ref", "no effect on integer"},
		"a quantity with a unit":                         {`{"x-quantity": {"unit": "KGM"}}`, "/x-quantity", "dimension"},
		"a quantity that is none":                        {`{"x-quantity": false}`, "/x-quantity", "dimension"},
		"a code list that is a list":                     {`{"x-code": ["a", "b"]}`, "/x-code", "name of a code list"},
		"x-record false":                                 {`{"type": "string", "x-record": false}`, "/x-record", "is not true"},
		"a type twice":                                   {`{"type": ["string", "string"]}`, "/type", "stands there twice"},
		"no type in the list":                            {`{"type": []}`, "/type", "or a list of them"},
		"a title that is a number":                       {`{"type": "string", "title": 1}`, "/title", "is not a text"},
		"a schema that is a list":                        {`[]`, "", "is not a schema"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			problems := CheckDialect(parsed(test.schema))
			for _, problem := range problems {
				if problem.Path == test.at && strings.Contains(problem.Message, test.message) {
					return
				}
			}
			t.Errorf("got %+v, want a problem at %q with %q", problems, test.at, test.message)
		})
	}
}

func TestEveryRefusedKeywordIsToldWithReasonAndRemedy(t *testing.T) {
	for _, refusal := range refusals() {
		for _, keyword := range refusal.keywords {
			t.Run(keyword, func(t *testing.T) {
				if _, both := dialectKeywordNamed(keyword); both {
					t.Fatal("it is in the dialect too")
				}
				problems := CheckDialect(map[string]any{"type": "string", keyword: true})
				want := []DialectProblem{{"/" + keyword, fmt.Sprintf("%s is not in the contract dialect: %s.", keyword, refusal.why), refusal.instead}}
				if diff := cmp.Diff(want, problems); diff != "" {
					t.Errorf("problems (-want +got):\n%s", diff)
				}
			})
		}
	}
}

func TestCheckDialectStopsAtItsLimits(t *testing.T) {
	deep := any(map[string]any{"type": "string"})
	for range maxDialectDepth {
		deep = map[string]any{"type": "array", "items": deep}
	}
	fields := map[string]any{}
	for i := range maxDialectSchemas {
		fields[fmt.Sprintf("f%d", i)] = map[string]any{"type": "string"}
	}
	values := make([]any, maxEnumValues+1)
	for i := range values {
		values[i] = i
	}
	for name, schema := range map[string]any{
		"depth":           deep,
		"schemas":         map[string]any{"type": "object", "additionalProperties": false, "properties": fields},
		"values":          map[string]any{"enum": values},
		"pattern":         map[string]any{"type": "string", "pattern": strings.Repeat("a", maxPatternLength+1)},
		"bytes":           map[string]any{"type": "string", "title": strings.Repeat("a", maxSchemaBytes)},
		"what is no JSON": map[string]any{"type": "string", "default": func() {}},
	} {
		t.Run(name, func(t *testing.T) {
			if problems := CheckDialect(schema); len(problems) != 1 {
				t.Errorf("%d problems, want one that names the limit: %.300v", len(problems), problems)
			}
		})
	}
}
