package format_test

import (
	"encoding/json"
	"testing"

	"github.com/gapless/gapless/format"
)

func TestJSONIsReadAsItIsWritten(t *testing.T) {
	testGood(t, []good{
		{"an object is one record", format.Spec{}, `{"lot":"4711","n":1.50,"big":1e400,"yes":true,"none":null,"list":[1,"a",[]],"inner":{"x":{}}}`, []format.Record{
			numbered(1, object{
				"lot": "4711", "n": json.Number("1.50"), "big": json.Number("1e400"), "yes": true, "none": nil,
				"list": []any{json.Number("1"), "a", []any{}}, "inner": object{"x": object{}},
			}),
		}},
		{"an array holds records", format.Spec{}, `[{"a":1},{"a":2}]`, []format.Record{
			numbered(1, object{"a": json.Number("1")}), numbered(2, object{"a": json.Number("2")}),
		}},
		{"an empty array holds none", format.Spec{}, ` [ ] `, nil},
		{"a path leads to the array", format.Spec{Records: "data/rows"}, `{"rows":[{"no":1}],"data":{"count":1,"rows":[{"a":"x"}],"more":[[{}]]}}`, []format.Record{
			numbered(1, object{"a": "x"}),
		}},
		{"a byte order mark is no part of it", format.Spec{}, "\xef\xbb\xbf{\"a\":\"ä\"}", []format.Record{numbered(1, object{"a": "ä"})}},
		{"escapes, also of two halves", format.Spec{}, `{"a":"\u00e4\ud83d\ude00\\ud800\n\t\"","\u0062":1}`, []format.Record{
			numbered(1, object{"a": "ä😀\\ud800\n\t\"", "b": json.Number("1")}),
		}},
		{"equal names in different objects", format.Spec{}, `{"a":{"a":{"a":1}}}`, []format.Record{numbered(1, object{"a": object{"a": object{"a": json.Number("1")}}})}},
		{"line breaks are one character", format.Spec{}, `{"a":"x\r\ny\rz"}`, []format.Record{numbered(1, object{"a": "x\ny\nz"})}},
		{"lines, with blank ones between", format.Spec{Kind: format.NDJSON}, "{\"a\":1}\r\n\n  \n{\"a\":2}", []format.Record{
			numbered(1, object{"a": json.Number("1")}), numbered(4, object{"a": json.Number("2")}),
		}},
		{"named fields that are empty are left out", format.Spec{Numbers: []string{"n", "m", "o"}}, `{"n":"","m":null,"k":""}`, []format.Record{numbered(1, object{"k": ""})}},
		{"latin letters of one byte", format.Spec{Charset: "iso-8859-1"}, "{\"a\":\"\xe4\"}", []format.Record{numbered(1, object{"a": "ä"})}},
	})
}

func TestJSONThatIsNotCertainIsRefused(t *testing.T) {
	rows := format.Spec{Records: "rows"}
	lines := format.Spec{Kind: format.NDJSON}
	const whole, well = ": the document ends too early: send it whole", ": send JSON as RFC 8259 has it"
	const trailing = ": something follows the end of the document: send one document, or set kind to ndjson"
	testBad(t, []bad{
		{name: "nothing", body: "", want: "line 1, byte 1" + whole},
		{name: "cut off", body: `[{"a":1},{"a":`, want: "line 1, byte 15" + whole},
		{name: "cut off after a whole record", body: `[{"a":1}`, want: "line 1, byte 9" + whole},
		{name: "two documents", body: `{} {}`, want: "line 1, byte 3" + trailing},
		{name: "a bracket too many", body: `{}}`, want: "line 1, byte 3" + trailing},
		{name: "not a number", body: `{"a":NaN}`, want: "line 1, byte 6: not JSON: invalid character 'N' looking for beginning of value" + well},
		{name: "a number with a zero in front", body: `{"a":01}`, want: "line 1, byte 7: not JSON: invalid character '1' after object key:value pair" + well},
		{name: "a comma too many", body: "{\"a\":1,\n}", want: "line 2, byte 1: not JSON: invalid character '}' looking for beginning of object key string" + well},
		{name: "a comma missing", body: "[{}\n{}]", want: "line 2, byte 1: not JSON: invalid character '{' after array element" + well},
		{name: "a name without quotes", body: `{a:1}`, want: "line 1, byte 2: not JSON: invalid character 'a'" + well},
		{name: "a record that is a number", body: `7`, want: `record 1: the record is not a JSON object: send objects, or set records to the path of the array that holds them`},
		{name: "one record among others that is none", body: `[{},"x",{}]`, records: 2, want: `record 2: the record is not a JSON object: send objects, or set records to the path of the array that holds them`},
		{name: "a name twice, deep in one record", body: `[{"o":[{},{"lot":"1","lot":"2"}]},{"a":1}]`, records: 1, want: `record 1, field "o/1/lot": the name stands twice in one object: send each name once`},
		{name: "a name twice, once as an escape", body: `{"a":1,"\u0061":2}`, want: `record 1, field "a": the name stands twice in one object: send each name once`},
		{name: "the first of several faults", body: `{"a":{"b":1,"b":2},"b":{"c":1,"c":2}}`, want: `record 1, field "a/b": the name stands twice in one object: send each name once`},
		{name: "a control character in a name", body: `{"a\u0000":1}`, want: `record 1: control character U+0000 at byte 2 of the text: remove it where it was entered, or set charset to what the system writes`},
		{name: "half a character", body: "{\n\"a\":\"\\ud83d\"}", want: `line 2, byte 6: half a character, \ud83d: send what the system wrote, unchanged`},
		{name: "the wrong half first", body: `{"a":"\ude00\ud83d"}`, want: `line 1, byte 7: half a character, \ude00: send what the system wrote, unchanged`},
		{name: "not UTF-8", body: "{\n\"a\":\"\xe4\"}", want: `line 2, byte 6: byte 0xE4 is not UTF-8: send UTF-8, or set charset to what the system writes: windows-1252, iso-8859-1 or utf-16`},
		{name: "UTF-16 that nobody announced", body: "\xff\xfe{\x00}\x00", want: "line 1, byte 1: the message starts like UTF-16: send UTF-8, or set charset to utf-16"},
		{name: "no array at the path", spec: rows, body: `{"rows":{"a":1}}`, want: "line 1, byte 10: is not an array: set records to the path of the array that holds the records"},
		{name: "no such path", spec: rows, body: `{"row":[{}]}`, want: `line 1, byte 12: there is no field "rows": send the array of records there, empty if there are none, or correct the path in records`},
		{name: "no object on the path", spec: rows, body: `[{}]`, want: `line 1, byte 2: there is no object with the name "rows": set records to the path of the array that holds the records`},
		{name: "two arrays of one name, of which none is read", spec: rows, body: `{"rows":[{}],"rows":[{}]}`, want: `field "rows": the name stands twice in one object: send each name once`},
		{name: "a field that is no number", spec: format.Spec{Numbers: []string{"n"}}, body: `[{"n":"5 kg"},{"n":5}]`, records: 1, want: `record 1, field "n": "5 kg" is not a number: send digits without unit and grouping, such as 1250.5`},
		{name: "a field that is no value", spec: format.Spec{Dates: []string{"d"}}, body: `{"d":[1]}`, want: `record 1, field "d": is neither a number nor a text: send the value itself, or take the field out of numbers and dates`},
		{name: "one line of several", spec: lines, body: "{}\n{\"a\":}\n[]\n{\"a\":\"\xff\"}\n{}{}\n{}", records: 2, want: "record 2: line 1, byte 6: not JSON: invalid character '}' looking for beginning of value" + well + "\n" +
			"record 3: the record is not a JSON object: send objects, or set records to the path of the array that holds them\n" +
			"record 4: line 1, byte 7: byte 0xFF is not UTF-8: send UTF-8, or set charset to what the system writes: windows-1252, iso-8859-1 or utf-16\n" +
			"record 5: line 1, byte 3" + trailing},
	})
}
