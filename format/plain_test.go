package format

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// fuzzed are limits that fuzzing can reach.
var fuzzed = Limits{Bytes: 1 << 16, Depth: 4, Records: 100, Cell: 20}.withDefaults()

// tokenByToken is what the jsonReader makes of a document.
func tokenByToken(text []byte) ([]parsed, *Error) {
	r := newJSONReader(text, fuzzed, newColumns(Spec{}))
	r.document()
	fault := r.finish()
	return r.records, fault
}

func samePlain(t *testing.T, text []byte) bool {
	t.Helper()
	object, ok := plainObject(text, fuzzed)
	if !ok {
		return false
	}
	records, fault := tokenByToken(text)
	if fault != nil || len(records) != 1 || records[0].fault != nil {
		t.Fatalf("%q is read, but token by token: %v, %+v", text, fault, records)
	}
	if diff := cmp.Diff(records[0].record.Value, object); diff != "" {
		t.Fatalf("%q: %s", text, diff)
	}
	return true
}

func TestADocumentWithoutAnythingSpecialIsReadInOnePass(t *testing.T) {
	for _, text := range []string{
		`{}`, ` { "a" : "b" , "c" : [ ] , "d" : { } } ` + "\r\n\t", `{"a":[1,-2.50,0,-0,0.1,true,false,null,"","ü€😀","a\u007f"]}`, `{"a":{"b":{"c":[1]}}}`,
		`{"` + strings.Repeat("n", 20) + `":"` + strings.Repeat("t", 20) + `"}`,
	} {
		text = strings.ReplaceAll(text, `\u007f`, "\x7f")
		if !samePlain(t, []byte(text)) {
			t.Errorf("%q is not read in one pass", text)
		}
	}
}

func TestWhatIsSpecialIsLeftToTheReaderOfTokens(t *testing.T) {
	for _, text := range []string{
		"", " ", "[]", `"a"`, "1", "null", `{"a":1,"a":2}`, `{"a":"\n"}`, "{\"a\":\"\n\"}", `{"a":1}x`, `{"a":1}{}`, `{"a":1,}`, `{,}`, `{"a"}`, `{"a":}`, `{"a" 1}`, `{"a":[1,]}`,
		`{"a":[1 2]}`, `{"a":01}`, `{"a":-}`, `{"a":1.}`, `{"a":.5}`, `{"a":+1}`, `{"a":1e5}`, `{"a":1_0}`, `{"a":tru}`, `{"a":nulll}`, `{"a":"b`, `{"a`, `{`, `{"a":{"b":{"c":{"d":[1]}}}}`,
		"{\"a\":\"\xff\"}", "{\"\xc3\":1}", "{\"ü\":1}", "{\"a\x7f\":1}", `{"a":"` + strings.Repeat("t", 21) + `"}`, `{"` + strings.Repeat("n", 21) + `":1}`,
		`{"a":` + strings.Repeat("1", 21) + `}`, "{\"a\":1}\x00", "\ufeff{}", `{"a":NaN}`, "{\"a\":1\v}",
	} {
		if object, ok := plainObject([]byte(text), fuzzed); ok {
			t.Errorf("%q is read as %v", text, object)
		}
	}
}

func FuzzPlain(f *testing.F) {
	for _, seed := range []string{`{"a":[1,-2.5,true,null,"ü"],"b":{}}`, `{"a":1e5}`, `{"a":"\u00e4"}`, `{"a":1,"a":2}`, " {\r\n\t} ", `{"a":[[[1]]]}`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) { samePlain(t, text) })
}
