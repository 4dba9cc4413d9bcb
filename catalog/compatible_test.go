package catalog

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

func mustCompile(t *testing.T, schema string) *jsonschema.Schema {
	t.Helper()
	compiled, err := compileSchema(parsed(schema))
	if err != nil {
		t.Fatalf("%s: %v", schema, err)
	}
	return compiled
}

func accepts(schema *jsonschema.Schema, document string) bool {
	return schema.Validate(parsed(document)) == nil
}

// told is the answer in short: kind, path and effect of every change.
func told(changes []Change) []string {
	var lines []string
	for _, change := range changes {
		lines = append(lines, fmt.Sprintf("%s %s %s", change.Kind, change.Path, change.Effect))
	}
	return lines
}

func TestCompatibleAnswersEveryDifferenceOfAContract(t *testing.T) {
	before := parsed(`{
		"type": "object", "additionalProperties": false, "required": ["lot", "outputs"],
		"properties": {
			"lot": {"type": "string", "x-ref": "lot", "maxLength": 40},
			"order": {"type": "string"},
			"outputs": {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/output"}}
		},
		"$defs": {"output": {
			"type": "object", "additionalProperties": false,
			"properties": {
				"role": {"enum": ["main", "by"]},
				"quantity": {"x-quantity": {"dimension": "mass", "sign": "not-negative"}, "x-record": true}
			}
		}}
	}`)
	after := parsed(`{
		"type": "object", "additionalProperties": false, "required": ["lot", "shift"],
		"properties": {
			"lot": {"type": "string", "x-ref": ["lot", "batch"], "maxLength": 20},
			"shift": {"type": "string"},
			"outputs": {"type": "array", "items": {"$ref": "#/$defs/out"}}
		},
		"$defs": {"out": {
			"type": "object", "additionalProperties": false,
			"properties": {
				"role": {"enum": ["main", "co"]},
				"quantity": {"x-quantity": {"dimension": "volume", "sign": "positive"}}
			}
		}}
	}`)
	want := []Change{
		{FieldRequiredAdded, "/required", "Messages that left out `shift` were accepted; now they are refused.", BreakingForSenders},
		{FieldRequiredRemoved, "/required", "Every message had `outputs`; now it can be left out, and readers that rely on it miss it.", BreakingForReaders},
		{LengthNarrowed, "/properties/lot", "The length of `lot` in characters was from 0 to 40 and is now from 0 to 20: some texts that were accepted are refused.", BreakingForSenders},
		{RefKindWidened, "/properties/lot/x-ref", "`lot` was a ref to lot; now it can be a ref to batch or lot, which readers of the old contract cannot look up.", BreakingForReaders},
		{FieldRemoved, "/properties/order", "Messages with `order` were accepted; now the contract does not have it, and they can be refused.", BreakingForSenders},
		{
			UnitDimensionChanged, "/properties/outputs/items/properties/quantity/x-quantity",
			"`outputs[].quantity` had a unit of mass; now it must have one of volume, into which the old ones cannot be converted.", BreakingForBoth,
		},
		{
			SignNarrowed, "/properties/outputs/items/properties/quantity/x-quantity",
			"The sign accepted for `outputs[].quantity` was not-negative and is now positive: some quantities that were accepted are refused.", BreakingForSenders,
		},
		{
			RecordFieldWeakened, "/properties/outputs/items/properties/quantity/x-record",
			"`outputs[].quantity` was a record field; now it can be edited in the hub, and readers can no longer rely on it being as its source wrote it.", BreakingForReaders,
		},
		{EnumValueRemoved, "/properties/outputs/items/properties/role/enum", "`outputs[].role` could be \"by\"; now that is refused.", BreakingForSenders},
		{
			EnumValueAdded, "/properties/outputs/items/properties/role/enum",
			"`outputs[].role` can now also be \"co\", which readers of the old contract do not know.", BreakingForReaders,
		},
		{
			ElementCountWidened, "/properties/outputs",
			"The number of elements of `outputs` was from 1 and is now from 0: readers can meet lists that they did not have to expect.", BreakingForReaders,
		},
		{FieldAdded, "/properties/shift", "`shift` was not accepted; now messages can carry it, and readers of the old contract do not know it.", BreakingForReaders},
	}
	if diff := cmp.Diff(want, Compatible(before, after)); diff != "" {
		t.Errorf("changes (-want +got):\n%s", diff)
	}
}

func TestCompatibleOnPairsOfSchemas(t *testing.T) {
	tests := map[string]struct {
		before, after string
		want          []string
	}{
		"the same numbers written differently are no change": {
			`{"type": "number", "minimum": 1, "enum": [1, 2]}`, `{"type": "number", "minimum": 1.0, "enum": [2.0, 1e0]}`, nil,
		},
		"the order of lists that are sets is no change": {
			`{"type": ["string", "null"], "required": ["a", "b"]}`, `{"type": ["null", "string"], "required": ["b", "a"]}`, nil,
		},
		"a definition written out is no change": {
			`{"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"type": "string"}}}`,
			`{"type": "object", "properties": {"a": {"type": "string"}}}`, nil,
		},
		"definitions of one name are followed, not taken for equal": {
			`{"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"type": "string"}}}`,
			`{"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"type": "integer"}}}`,
			[]string{"type-changed /properties/a/type breaking-for-both"},
		},
		"a type that an enum implies may be stated": {
			`{"enum": ["a", "b"]}`, `{"type": "string", "enum": ["a", "b"]}`, nil,
		},
		"both bounds that move apart are two changes": {
			`{"type": "integer", "minimum": 0, "maximum": 10}`, `{"type": "integer", "minimum": 1, "maximum": 11}`,
			[]string{"range-narrowed  breaking-for-senders", "range-widened  breaking-for-readers"},
		},
		"a limit that no longer belongs to the range narrows it": {
			`{"type": "number", "minimum": 0, "maximum": 9}`, `{"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 9}`,
			[]string{"range-narrowed  breaking-for-senders"},
		},
		"1.0 is no integer in draft-04, and is one later": {
			`{"$schema": "http://json-schema.org/draft-07/schema#", "type": "integer"}`, `{"$schema": "http://json-schema.org/draft-04/schema#", "type": "integer"}`,
			[]string{"type-narrowed /type breaking-for-senders", "annotation-changed /$schema compatible"},
		},
		"a field name with a slash is escaped in the path": {
			`{"type": "object", "properties": {"a/b": {"type": "string"}}}`, `{"type": "object", "properties": {"a/b": {"type": "null"}}}`,
			[]string{"type-changed /properties/a~1b/type breaking-for-both"},
		},
		"a schema that contains itself is compared once around": {
			`{"$ref": "#/$defs/n", "$defs": {"n": {"type": "object", "properties": {"next": {"$ref": "#/$defs/n"}, "v": {"type": "integer"}}}}}`,
			`{"$ref": "#/$defs/n", "$defs": {"n": {"type": "object", "properties": {"next": {"$ref": "#/$defs/n"}, "v": {"type": "number"}}}}}`,
			[]string{"type-widened /properties/v/type breaking-for-readers"},
		},
		"a schema that contains itself inside a combination is not decided": {
			`{"$ref": "#/$defs/n", "$defs": {"n": {"anyOf": [{"type": "null"}, {"type": "array", "items": {"$ref": "#/$defs/n"}}]}}}`,
			`{"$ref": "#/$defs/n", "title": "n", "$defs": {"n": {"anyOf": [{"type": "array", "items": {"$ref": "#/$defs/n"}}, {"type": "null"}]}}}`,
			[]string{"constraint-changed  breaking-for-both", "annotation-changed /title compatible"},
		},
		"a quantity without a sign is not negative": {
			`{"x-quantity": true}`, `{"x-quantity": {"sign": "not-negative"}}`, nil,
		},
		"a sign no longer stated can be a demand": {
			`{"x-quantity": {"sign": "any", "dimension": "mass"}}`, `{"x-quantity": {"dimension": "mass"}}`,
			[]string{"sign-narrowed /x-quantity breaking-for-senders"},
		},
		"a quantity of a dimension, where none was asked for, is one change": {
			`{}`, `{"x-quantity": {"dimension": "mass"}}`, []string{"quantity-required /x-quantity breaking-for-senders"},
		},
		"x-record beside a reference counts": {
			`{"type": "object", "properties": {"a": {"$ref": "#/$defs/x", "x-record": true}}, "$defs": {"x": {"type": "string"}}}`,
			`{"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"type": "string"}}}`,
			[]string{"record-field-weakened /properties/a/x-record breaking-for-readers"},
		},
		"a demand beside a reference counts in draft 2020-12": {
			`{"type": "object", "properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"type": "string"}}}`,
			`{"type": "object", "properties": {"a": {"$ref": "#/$defs/x", "maxLength": 3}}, "$defs": {"x": {"type": "string"}}}`,
			[]string{"type-widened /properties/a/type breaking-for-readers", "length-narrowed /properties/a breaking-for-senders"},
		},
		"a demand beside a reference is ignored in draft-07": {
			`{"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"a": {"$ref": "#/definitions/x"}}, "definitions": {"x": {"type": "string"}}}`,
			`{"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"a": {"$ref": "#/definitions/x", "maxLength": 3}}, "definitions": {"x": {"type": "string"}}}`, nil,
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, told(Compatible(parsed(test.before), parsed(test.after)))); diff != "" {
				t.Errorf("changes (-want +got):\n%s", diff)
			}
		})
	}
}

func TestWhatIsNotUnderstoodIsNeverCompatible(t *testing.T) {
	tests := map[string]struct{ before, after string }{
		"a keyword nobody knows, added":                {`{"type": "string"}`, `{"type": "string", "maxLenght": 3}`},
		"a keyword nobody knows, taken out":            {`{"type": "string", "x-unit": "KGM"}`, `{"type": "string"}`},
		"a keyword nobody knows, kept beside a change": {`{"type": "string", "x-unit": "KGM"}`, `{"type": "string", "x-unit": "KGM", "title": "weight"}`},
		"a keyword that hangs on its neighbours":       {`{"unevaluatedProperties": false, "properties": {"a": {}}}`, `{"unevaluatedProperties": false, "properties": {"a": {}, "b": {}}}`},
		"one inside a combination":                     {`{"allOf": [{"unevaluatedProperties": false, "allOf": [{"properties": {"a": {}}}]}]}`, `{"allOf": [{"unevaluatedProperties": false, "allOf": [{"properties": {"b": {}}}]}]}`},
		"a keyword that its draft does not have":       {`{"$schema": "http://json-schema.org/draft-04/schema#", "const": 1}`, `{"$schema": "http://json-schema.org/draft-04/schema#", "const": 1, "type": "integer"}`},
		"elements one by one in the wrong draft":       {`{"items": [{"type": "string"}]}`, `{"items": [{"type": "string"}, {}]}`},
		"a draft nobody knows":                         {`{"$schema": "https://example.com/draft-99"}`, `{"$schema": "https://example.com/draft-99", "type": "string"}`},
		"a reference to another document":              {`{"$ref": "https://example.com/lot.json"}`, `{"$ref": "https://example.com/lot.json", "title": "lot"}`},
		"a reference to nothing":                       {`{"type": "string"}`, `{"$ref": "#/$defs/lot"}`},
		"a reference to itself":                        {`{"type": "string"}`, `{"$ref": "#"}`},
		"a base moved by $id":                          {`{"$ref": "#/$defs/a", "$defs": {"a": {"$id": "https://example.com/a", "$ref": "#/$defs/b"}}}`, `{"$ref": "#/$defs/a", "$defs": {"a": {"$id": "https://example.com/a", "$ref": "#/$defs/c"}}}`},
		"a reference past a $id, behind which # is another schema": {
			`{"$ref": "#/$defs/a/properties/b", "$defs": {"c": {}, "a": {"$id": "https://example.com/a", "$defs": {"c": {"type": "string"}}, "properties": {"b": {"$ref": "#/$defs/c"}}}}}`,
			`{"$ref": "#/$defs/a/properties/b", "$defs": {"c": {}, "a": {"$id": "https://example.com/a", "$defs": {"c": {"type": "null"}}, "properties": {"b": {"$ref": "#/$defs/c"}}}}}`,
		},
		"the same keyword where only one draft has it": {
			`{"$schema": "http://json-schema.org/draft-07/schema#", "properties": {"a": {"prefixItems": [{"type": "string"}]}}}`,
			`{"$schema": "https://json-schema.org/draft/2020-12/schema", "properties": {"a": {"prefixItems": [{"type": "string"}]}}}`,
		},
		"a dynamic reference":                             {`{"$dynamicRef": "#a"}`, `{"$dynamicRef": "#a", "title": "a"}`},
		"a type that is none":                             {`{"type": "text"}`, `{"type": "string"}`},
		"a minimum that is a text":                        {`{"minimum": "0"}`, `{"minimum": 0}`},
		"a number too large to work with":                 {`{"minimum": 1}`, `{"minimum": 1e999999999}`},
		"a step of zero":                                  {`{"multipleOf": 0}`, `{"multipleOf": 1}`},
		"a length below zero":                             {`{"minLength": -1}`, `{"minLength": 0}`},
		"an enum that is no list":                         {`{"enum": "a"}`, `{"enum": ["a"]}`},
		"required that is no list":                        {`{"required": true}`, `{"required": ["a"]}`},
		"properties that are no schemas":                  {`{"properties": {"a": "string"}}`, `{"properties": {"a": {"type": "string"}}}`},
		"a combination of nothing":                        {`{"anyOf": []}`, `{"anyOf": [{"type": "string"}]}`},
		"a pattern that is a number":                      {`{"pattern": 1}`, `{"pattern": "1"}`},
		"x-quantity with a member nobody knows":           {`{"x-quantity": {"unit": "KGM"}}`, `{"x-quantity": {"unit": "KGM", "sign": "positive"}}`},
		"x-record that is a text":                         {`{"x-record": "yes"}`, `{"x-record": true}`},
		"fields that may be described by another name":    {`{"patternProperties": {"^a": {"type": "string"}}}`, `{"patternProperties": {"^a": {"type": "string"}}, "properties": {"ab": {"type": "string"}}}`},
		"other fields where the patterns differ":          {`{"patternProperties": {"^a": {}}, "additionalProperties": false}`, `{"patternProperties": {"^b": {}}, "additionalProperties": false}`},
		"a schema that is a text":                         {`"string"`, `{"type": "string"}`},
		"a schema that is null, which is easy to pass on": {`null`, `{"type": "string"}`},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, changes := range [][]Change{Compatible(parsed(test.before), parsed(test.after)), Compatible(parsed(test.after), parsed(test.before))} {
				found := false
				for _, change := range changes {
					found = found || change.Kind == NotComparable && strings.Contains(change.Plain, "cannot be compared, because of ")
				}
				if !found || EffectOf(changes) != BreakingForBoth {
					t.Errorf("got %+v", changes)
				}
			}
		})
	}
}

func TestCompatibleTakesNumbersAsAnyDecoderGivesThem(t *testing.T) {
	schema := func(limit any) any { return map[string]any{"type": "number", "minimum": limit} }
	for name, limit := range map[string]any{"json.Number": json.Number("10"), "float64": 10.0, "int": 10, "uint64": uint64(10)} {
		t.Run(name, func(t *testing.T) {
			if changes := Compatible(schema(limit), schema(json.Number("1e1"))); len(changes) > 0 {
				t.Errorf("got %+v", changes)
			}
			if effect := EffectOf(Compatible(schema(limit), schema(json.Number("10.5")))); effect != BreakingForSenders {
				t.Errorf("got %s", effect)
			}
		})
	}
	t.Run("exactly, also where binary numbers are not", func(t *testing.T) {
		if effect := EffectOf(Compatible(schema(json.Number("0.1000000000000000055")), schema(json.Number("0.1")))); effect != BreakingForReaders {
			t.Errorf("got %s", effect)
		}
	})
}

func TestCompatibleDoesNotChangeWhatItIsGiven(t *testing.T) {
	text := `{"type":"object","properties":{"a":{"$ref":"#/$defs/x","maxLength":3,"allOf":[{"minLength":1}]}},"$defs":{"x":{"type":"string"}}}`
	schema := parsed(text)
	Compatible(schema, parsed(`{"type": "string"}`))
	if diff := cmp.Diff(parsed(text), schema); diff != "" {
		t.Errorf("the schema was changed:\n%s", diff)
	}
}

// A chain in which each definition uses the next one twice has 2^40 paths.
func TestCompatibleEndsOnSchemasBuiltToNeverEnd(t *testing.T) {
	doubling := func(keyword string, last any) any {
		definitions := map[string]any{"d40": last}
		for i := range 40 {
			next := map[string]any{"$ref": fmt.Sprintf("#/$defs/d%d", i+1)}
			definitions[fmt.Sprintf("d%d", i)] = map[string]any{keyword: map[string]any{"l": next, "r": next}}
			if keyword != "properties" {
				definitions[fmt.Sprintf("d%d", i)] = map[string]any{keyword: []any{next, next}}
			}
		}
		return map[string]any{"$ref": "#/$defs/d0", "$defs": definitions}
	}
	for _, keyword := range []string{"properties", "anyOf", "oneOf", "allOf"} {
		t.Run(keyword, func(t *testing.T) {
			changes := Compatible(doubling(keyword, map[string]any{"type": "string"}), doubling(keyword, map[string]any{"type": "integer"}))
			if effect := EffectOf(changes); effect != BreakingForBoth {
				t.Errorf("got %s", effect)
			}
		})
	}
}

func TestCompatibleSaysWhereItStopped(t *testing.T) {
	nested := func(last string) any {
		schema := any(map[string]any{"type": last})
		for range maxComparedDepth {
			schema = map[string]any{"type": "array", "items": schema}
		}
		return schema
	}
	changes := Compatible(nested("integer"), nested("number"))
	if len(changes) != 1 || changes[0].Kind != NotComparable || !strings.Contains(changes[0].Plain, "its size") {
		t.Errorf("got %+v", changes)
	}
	if changes := Compatible(nested("integer"), nested("integer")); len(changes) > 0 {
		t.Errorf("what is the same needs no comparison: %+v", changes)
	}
}
