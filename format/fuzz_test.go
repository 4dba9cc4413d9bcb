package format_test

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/format"
)

// small are limits under which fuzzing stays quick, and which it can reach.
var small = format.Limits{Bytes: 1 << 16, Depth: 8, Records: 100, Cell: 1 << 10, Unzipped: 1 << 20}

// within fails where a record is beyond the limits or holds what no record may.
func within(t *testing.T, records []format.Record, faults []*format.Error) {
	t.Helper()
	if len(records) > small.Records {
		t.Errorf("%d records", len(records))
	}
	last := 0
	for _, record := range records {
		if record.Number <= last {
			t.Errorf("record %d follows %d", record.Number, last)
		}
		last = record.Number
		proper(t, record.Value, small.Depth)
	}
	for _, fault := range faults {
		if fault.Problem == "" || fault.Record < 0 || !utf8.ValidString(fault.Error()) {
			t.Errorf("fault %q", fault.Error())
		}
	}
}

func proper(t *testing.T, value any, depth int) {
	t.Helper()
	if depth < -1 {
		t.Errorf("too deep")
	}
	switch v := value.(type) {
	case nil, bool:
	case json.Number:
		if len(v) > small.Cell {
			t.Errorf("a number of %d bytes", len(v))
		}
	case string:
		if len(v) > small.Cell || !utf8.ValidString(v) || strings.ContainsAny(v, "\x00\r\x1b") {
			t.Errorf("text %q", v)
		}
	case []any:
		for _, element := range v {
			proper(t, element, depth-1)
		}
	case map[string]any:
		for name, element := range v {
			proper(t, name, depth)
			proper(t, element, depth-1)
		}
	default:
		t.Errorf("%T in a record", v)
	}
}

// Whatever is read without fault reads the same after encoding/csv wrote it anew.
func FuzzCSV(f *testing.F) {
	f.Add("a,b\n1,2\n", ",")
	f.Add("\xef\xbb\xbfa;b\r\n\"x\"\"\r\ny\";2\r\n;\n", "auto")
	f.Add("a\tb\n1\t\n\n\"2\t3\",\" 4\"", "\t")
	f.Fuzz(func(t *testing.T, body, delimiter string) {
		spec := format.Spec{Kind: format.CSV, Delimiter: delimiter, SkipEmpty: true}
		records, faults := read(t, spec, body, small)
		within(t, records, faults)
		if len(faults) > 0 || len(records) == 0 {
			return
		}
		again, faults := read(t, format.Spec{Kind: format.CSV}, rewritten(t, records), small)
		if len(faults) > 0 {
			t.Fatalf("rewritten: %v", faults)
		}
		if diff := cmp.Diff(values(records), values(again)); diff != "" {
			t.Errorf("(-first +again):\n%s", diff)
		}
	})
}

func values(records []format.Record) []object {
	var values []object
	for _, record := range records {
		values = append(values, record.Value)
	}
	return values
}

func rewritten(t *testing.T, records []format.Record) string {
	t.Helper()
	var names []string
	seen := map[string]bool{}
	for _, record := range records {
		for name := range record.Value {
			if !seen[name] {
				seen[name] = true
				names = append(names, name)
			}
		}
	}
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	rows := [][]string{names}
	for _, record := range records {
		var row []string
		for _, name := range names {
			text, _ := record.Value[name].(string)
			row = append(row, text)
		}
		rows = append(rows, row)
	}
	if err := w.WriteAll(rows); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// What is read without fault is JSON to encoding/json too, and means the same.
func FuzzJSON(f *testing.F) {
	f.Add(`{"a":[1,{"b":"\ud83d\ude00"}],"c":null}`, "")
	f.Add(`[{"a":1,"a":2},{"x":1e5}]`, "")
	f.Add(`{"d":{"rows":[{"a":"x\r\n"},{}]}}`, "d/rows")
	f.Add(`{"a":"\ud800"}`, "")
	f.Fuzz(func(t *testing.T, body, path string) {
		records, faults := read(t, format.Spec{Records: path, Numbers: []string{"x"}}, body, small)
		within(t, records, faults)
		whole := len(faults) == 0 || faults[0].Record > 0
		text := strings.TrimPrefix(body, "\xef\xbb\xbf")
		if whole && !json.Valid([]byte(text)) {
			t.Errorf("read, but not JSON: %q", text)
		}
		if len(faults) > 0 || path != "" || len(records) != 1 || strings.HasPrefix(strings.TrimSpace(text), "[") {
			return
		}
		want := object{}
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber()
		if err := dec.Decode(&want); err != nil {
			t.Fatal(err)
		}
		got := records[0].Value
		delete(want, "x")
		delete(got, "x")
		if diff := cmp.Diff(withLineFeeds(want), got); diff != "" {
			t.Errorf("(-encoding/json +format):\n%s", diff)
		}
	})
}

// withLineFeeds is the value with "\n" for each line break in its texts.
func withLineFeeds(value any) any {
	switch v := value.(type) {
	case string:
		return strings.ReplaceAll(strings.ReplaceAll(v, "\r\n", "\n"), "\r", "\n")
	case []any:
		for i := range v {
			v[i] = withLineFeeds(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = withLineFeeds(v[name])
		}
	}
	return value
}

func FuzzXML(f *testing.F) {
	f.Add(`<?xml version="1.0"?><Report a="1"><Row b="2">x<c/><c>y</c></Row></Report>`, "Report/Row")
	f.Add(`<r xmlns:n="u"><n:q n:u="KGM"> 1 </n:q><!-- c --><![CDATA[<]]></r>`, "")
	f.Add(`<!DOCTYPE r [<!ENTITY a "b">]><r>&a;</r>`, "")
	f.Add("<?xml version='1.0' encoding='windows-1252'?><r>\x80</r>", "r")
	f.Fuzz(func(t *testing.T, body, path string) {
		records, faults := read(t, format.Spec{Kind: format.XML, Records: path, Lists: []string{"c"}}, body, small)
		within(t, records, faults)
		if len(faults) == 0 && strings.Contains(body, "<!DOCTYPE") && !strings.ContainsAny(body, "-[\"'") {
			t.Errorf("a document type was read: %q", body)
		}
	})
}

// FuzzXLSX changes the parts of a workbook, and the bytes of the archive: most
// changes of the bytes alone would never come past the check sums.
func FuzzXLSX(f *testing.F) {
	sheet := sheetXML(headerRow + `<row r="2"><c r="A2" t="s"><v>0</v></c><c r="B2"><f>1</f><v>2.5E1</v></c></row>`)
	all := parts(sheet, "<si><r><t>x_x000D_</t></r><rPh><t>y</t></rPh></si>")
	f.Add(all["xl/workbook.xml"], all["xl/_rels/workbook.xml.rels"], all["xl/sharedStrings.xml"], sheet, 0, byte(0))
	f.Add(all["xl/workbook.xml"], all["xl/_rels/workbook.xml.rels"], all["xl/sharedStrings.xml"], sheet, 700, byte(1))
	f.Fuzz(func(t *testing.T, book, relations, shared, sheet string, at int, change byte) {
		all := parts(sheet, "")
		all["xl/workbook.xml"], all["xl/_rels/workbook.xml.rels"], all["xl/sharedStrings.xml"] = book, relations, shared
		file := []byte(archived(t, all, zip.Store))
		file[uint(at)%uint(len(file))] ^= change
		records, faults := read(t, format.Spec{Kind: format.XLSX, Numbers: []string{"b"}}, string(file), small)
		within(t, records, faults)
	})
}

// The bytes of the archive may be anything at all.
func FuzzXLSXBytes(f *testing.F) {
	f.Add([]byte(workbookOf(f, sheetXML(headerRow))))
	f.Add([]byte("PK\x03\x04"))
	f.Fuzz(func(t *testing.T, body []byte) {
		records, faults := read(t, format.Spec{Kind: format.XLSX}, string(body), small)
		within(t, records, faults)
		if _, err := format.Detect("", body); err != nil {
			var fault *format.Error
			if !errors.As(err, &fault) || fault.Remedy == "" {
				t.Errorf("Detect: %v", err)
			}
		}
	})
}
