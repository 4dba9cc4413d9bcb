package format_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/format"
)

// object is a record's value, short.
type object = map[string]any

// numbered is a record with its number.
func numbered(number int, value object) format.Record {
	return format.Record{Number: number, Value: value}
}

// read collects what Split yields.
func read(t testing.TB, spec format.Spec, body string, limits format.Limits) ([]format.Record, []*format.Error) {
	t.Helper()
	return collect(t, format.Split(spec, []byte(body), limits))
}

func collect(t testing.TB, all iter.Seq2[format.Record, error]) ([]format.Record, []*format.Error) {
	t.Helper()
	var records []format.Record
	var faults []*format.Error
	for record, err := range all {
		if err == nil {
			records = append(records, record)
			continue
		}
		var fault *format.Error
		if !errors.As(err, &fault) {
			t.Fatalf("%T is no *format.Error: %v", err, err)
		}
		if n := len(faults); n > 0 && faults[n-1].Record == 0 {
			t.Fatalf("%v follows an error about the whole message: %v", fault, faults[n-1])
		}
		faults = append(faults, fault)
	}
	return records, faults
}

// good is one message that is read without a fault.
type good struct {
	name string
	spec format.Spec
	body string
	want []format.Record
}

func testGood(t *testing.T, cases []good) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			got, faults := read(t, c.spec, c.body, format.Limits{})
			for _, fault := range faults {
				t.Errorf("unexpected: %v", fault)
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("records (-want +got):\n%s", diff)
			}
		})
	}
}

// bad is one message in which something is wrong.
type bad struct {
	name    string
	spec    format.Spec
	body    string
	limits  format.Limits
	want    string // the texts of all errors, one a line
	limit   bool   // the last of them is about a limit
	records int    // how many records are read all the same
}

func testBad(t *testing.T, cases []bad) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			records, faults := read(t, c.spec, c.body, c.limits)
			var texts []string
			for _, fault := range faults {
				texts = append(texts, fault.Error())
			}
			if diff := cmp.Diff(c.want, strings.Join(texts, "\n")); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
			if n := len(faults); n > 0 && faults[n-1].Limit != c.limit {
				t.Errorf("Limit is %v: %v", faults[n-1].Limit, faults[n-1])
			}
			if len(records) != c.records {
				t.Errorf("%d records, want %d: %v", len(records), c.records, records)
			}
		})
	}
}

func TestASpecTellsAllItsFaultsAtOnce(t *testing.T) {
	for _, c := range []struct {
		name string
		spec format.Spec
		want string
	}{
		{"the zero Spec is one JSON object", format.Spec{}, ""},
		{"a table with all its settings", format.Spec{
			Kind: format.CSV, Delimiter: "auto", Charset: "windows-1252", HeaderRow: 3, SkipEmpty: true, DecimalComma: true,
			Columns: []string{"order", "quantity"}, Optional: []string{"day"}, Numbers: []string{"quantity"}, Dates: []string{"day"},
		}, ""},
		{"an unknown kind", format.Spec{Kind: "xlsb"}, `field "kind": "xlsb" is no format: use one of json, ndjson, csv, xlsx, xml`},
		{"settings of other kinds", format.Spec{Kind: format.XML, Delimiter: ";", Sheet: "Orders", Columns: []string{"a"}}, strings.Join([]string{
			`field "delimiter": has no effect for xml: remove it, it is for csv`,
			`field "sheet": has no effect for xml: remove it, it is for xlsx`,
			`field "columns": has no effect for xml: remove it, it is for csv, xlsx`,
		}, "\n")},
		{"a character set of a workbook", format.Spec{Kind: format.XLSX, Charset: "utf-8"}, `field "charset": has no effect for xlsx: remove it, it is for json, ndjson, csv, xml`},
		{"a character set that is not read", format.Spec{Charset: "ebcdic"}, `field "charset": "ebcdic" is not known: use one of utf-8, windows-1252, iso-8859-1, utf-16`},
		{"a path with a hole", format.Spec{Records: "data//rows"}, `field "records": "data//rows" has an empty name in it: write the names with one "/" between them, such as "Report/Row"`},
		{"a delimiter of two characters", format.Spec{Kind: format.CSV, Delimiter: "||"}, `field "delimiter": "||" separates nothing: use one character such as "," or ";", or "auto"`},
		{"a quote as delimiter", format.Spec{Kind: format.CSV, Delimiter: `"`}, `field "delimiter": "\"" separates nothing: use one character such as "," or ";", or "auto"`},
		{"a row below the first", format.Spec{Kind: format.CSV, HeaderRow: -1}, `field "header-row": -1 is no row: count rows from 1`},
		{"names that cannot be right", format.Spec{
			Kind: format.XLSX, Columns: []string{"order", "order", " quantity "}, Optional: []string{"day", "order"},
			Numbers: []string{"amount", "day"}, Dates: []string{"day"},
		}, strings.Join([]string{
			`field "columns": "order" stands there twice: remove one of them`,
			`field "columns": " quantity " is empty or has blanks around it: write the name without blanks, those of the file are removed too`,
			`field "numbers": "amount" is no column: add it to columns or optional, or correct its spelling`,
			`field "columns": "order" stands in optional as well: remove it from one of them`,
			`field "numbers": "day" stands in dates as well: remove it from one of them`,
		}, "\n")},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := ""
			if err := c.spec.Validate(); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Errorf("Validate (-want +got):\n%s", diff)
			}
		})
	}
}

func TestASpecWithFaultsReadsNothing(t *testing.T) {
	testBad(t, []bad{{
		name: "unknown kind", spec: format.Spec{Kind: "pdf"}, body: "{}",
		want: `the format is not defined well: field "kind": "pdf" is no format: use one of json, ndjson, csv, xlsx, xml`,
	}})
}

func TestOneRowIsOneRecordHoweverItIsSent(t *testing.T) {
	fields := format.Spec{Numbers: []string{"quantity", "resin"}, Dates: []string{"day", "at"}}
	want := object{
		"order": "IM1811001", "day": "2018-11-01", "at": "2018-11-01T06:30:00",
		"quantity": "280000", "resin": "31.92", "note": "two\nlines",
	}
	jsonRow := `{"order":" IM1811001 ","day":43405,"at":"2018-11-01 06:30","quantity":2.8e5,"resin":31.919999999999998,"note":"two\r\nlines","empty":""}`
	csvRows := "order, quantity ,resin,day,at,note,empty\r\nIM1811001,280000,\"31,919999999999998\",43405,\"43405,270833333336\",\"two\r\nlines\",  \r\n"
	sheet := sheetXML(`<row r="1">` + inline("A1", "order") + inline("B1", " quantity ") + inline("C1", "resin") + inline("D1", "day") + inline("E1", "at") + inline("F1", "note") + `</row>` +
		`<row r="2">` + inline("A2", "IM1811001 ") + `<c r="B2"><v>2.8E5</v></c><c r="C2"><v>31.919999999999998</v></c><c r="D2"><v>43405</v></c><c r="E2"><v>43405.270833333336</v></c>` + inline("F2", "two_x000D_\nlines") + `<c r="G2" s="3"/></row>`)
	for _, c := range []struct {
		name string
		kind format.Kind
		body string
	}{
		{"as JSON", format.JSON, jsonRow},
		{"as NDJSON", format.NDJSON, jsonRow + "\n"},
		{"as CSV", format.CSV, csvRows},
		{"as XLSX", format.XLSX, workbookOf(t, sheet)},
		{"as XML", format.XML, `<row><order>IM1811001</order><day>43405</day><at>2018-11-01T06:30:00</at><quantity>+280000,0</quantity><resin> 31,919999999999998 </resin><note>two&#13;
lines</note><empty/></row>`},
	} {
		t.Run(c.name, func(t *testing.T) {
			spec := fields
			spec.Kind, spec.DecimalComma = c.kind, true
			records, faults := read(t, spec, c.body, format.Limits{})
			if len(faults) > 0 || len(records) != 1 {
				t.Fatalf("%d records, faults %v", len(records), faults)
			}
			got := records[0].Value
			// Of the fields that are not named, JSON keeps blanks and empty texts as sent.
			if c.kind == format.JSON || c.kind == format.NDJSON {
				delete(got, "empty")
				got["order"] = strings.TrimSpace(got["order"].(string))
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestLimitsAreErrorsOfTheirOwn(t *testing.T) {
	lines := strings.Repeat("{}\n", 5)
	array := "[" + strings.TrimSuffix(strings.Repeat("{},", 5), ",") + "]"
	four := format.Limits{Records: 4}
	testBad(t, []bad{
		{name: "bytes", body: `{"a":1}`, limits: format.Limits{Bytes: 6}, limit: true, want: "the message has 7 bytes, 6 are allowed: send it in several messages"},
		{name: "depth of JSON", body: `[{"a":[1]}]`, limits: format.Limits{Depth: 2}, limit: true, want: "the document has more than the 2 levels allowed: nest it less"},
		{name: "depth of XML", spec: format.Spec{Kind: format.XML}, body: `<a><b><c/></b></a>`, limits: format.Limits{Depth: 2}, limit: true, want: "the document has more than the 2 levels allowed: nest it less"},
		{name: "depth of XML above the records", spec: format.Spec{Kind: format.XML, Records: "a/b/c"}, body: `<a><b><c/></b></a>`, limits: format.Limits{Depth: 2}, limit: true, want: "the document has more than the 2 levels allowed: nest it less"},
		{name: "records of JSON, of which none is read", body: array, limits: four, limit: true, want: "the message has more than the 4 records allowed: send it in several messages"},
		{name: "records of NDJSON", spec: format.Spec{Kind: format.NDJSON}, body: lines, limits: four, limit: true, records: 4, want: "the message has more than the 4 records allowed: send it in several messages"},
		{name: "records of XML", spec: format.Spec{Kind: format.XML, Records: "a/b"}, body: "<a><b/><b/><b/><b/><b/></a>", limits: four, limit: true, want: "the message has more than the 4 records allowed: send it in several messages"},
		{name: "rows of CSV", spec: format.Spec{Kind: format.CSV}, body: "h\n1\n2\n3\n4\n5\n", limits: four, limit: true, records: 4, want: "the table has more than the 4 rows allowed: send it in several messages"},
		{name: "a cell, and the next row is read", spec: format.Spec{Kind: format.CSV}, body: "h\n12345\n1\n", limits: format.Limits{Cell: 4}, limit: true, records: 1, want: `record 2, field "h": line 2: the text has 5 bytes, 4 are allowed: send a reference to a document in place of the document`},
		{name: "a JSON number", body: `{"n":12345}`, limits: format.Limits{Cell: 4}, limit: true, want: `record 1, field "n": the number has 5 bytes, 4 are allowed: report fewer digits`},
		{name: "columns", spec: format.Spec{Kind: format.CSV}, body: strings.Repeat(",", 16_384), limit: true, want: "a row has 16385 columns, 16384 are allowed: send a table"},
		{name: "what is unzipped", spec: format.Spec{Kind: format.XLSX}, body: workbookOf(t, sheetXML(strings.Repeat(" ", 100_000))), limits: format.Limits{Unzipped: 50_000}, limit: true, want: "the unzipped workbook has more than the 50000 bytes allowed: send fewer rows in each file"},
		{name: "empty shared texts", spec: format.Spec{Kind: format.XLSX}, body: workbookOf(t, sheetXML(""), strings.Repeat("<si/>", 10_000)), limits: format.Limits{Unzipped: 100_000}, limit: true, want: "the unzipped workbook has more than the 100000 bytes allowed: send fewer rows in each file"},
		// What is small in the file and large in the records: a few kilobytes must not become gigabytes.
		{name: "a shared text in many cells", spec: format.Spec{Kind: format.XLSX}, body: workbookOf(t, sheetXML(headerRow+sharedRows(50)), "<si><t>"+strings.Repeat("x", 1000)+"</t></si>"), limits: format.Limits{Unzipped: 30_000}, limit: true, records: 14, want: "the table has more than the 30000 bytes of names and texts in its records allowed: send fewer rows in each file"},
		{name: "a shared text in many names", spec: format.Spec{Kind: format.XLSX, HeaderRow: 2}, body: workbookOf(t, sheetXML(sharedRows(2)), "<si><t>"+strings.Repeat("x", 5_000)+"</t></si>"), limits: format.Limits{Unzipped: 9_000}, limit: true, want: "the table has more than the 9000 bytes of names and texts in its records allowed: send fewer rows in each file"},
		{name: "a long name in many rows", spec: format.Spec{Kind: format.CSV}, body: strings.Repeat("x", 1000) + strings.Repeat("\n1", 50), limits: format.Limits{Unzipped: 10_500}, limit: true, records: 9, want: "the table has more than the 10500 bytes of names and texts in its records allowed: send fewer rows in each file"},
	})
}

// sharedRows are rows 2 to n of two cells that both hold the first shared text.
func sharedRows(n int) string {
	var b strings.Builder
	for i := 2; i <= n; i++ {
		fmt.Fprintf(&b, `<row r="%d"><c r="A%d" t="s"><v>0</v></c><c r="B%d" t="s"><v>0</v></c></row>`, i, i, i)
	}
	return b.String()
}

func TestAZeroLimitIsTheDefault(t *testing.T) {
	deep := func(levels int) string { return strings.Repeat(`{"a":`, levels) + "1" + strings.Repeat("}", levels) }
	if _, faults := read(t, format.Spec{}, deep(64), format.Limits{}); len(faults) != 0 {
		t.Errorf("64 levels: %v", faults)
	}
	if _, faults := read(t, format.Spec{}, deep(65), format.Limits{}); len(faults) != 1 || !faults[0].Limit {
		t.Errorf("65 levels: %v", faults)
	}
}

func TestWhoeverReadsMayStopAtAnyRecord(t *testing.T) {
	for _, c := range []struct {
		name string
		spec format.Spec
		body string
	}{
		{"JSON", format.Spec{}, `[{"a":1},{"a":1,"a":2},{}]`},
		{"NDJSON", format.Spec{Kind: format.NDJSON}, "{}\n[]\n{}\n"},
		{"CSV", format.Spec{Kind: format.CSV}, "a,b\n1,2\n1\n3,4\n"},
		{"CSV with a quote out of place", format.Spec{Kind: format.CSV}, "a,b\n1,2\n1,x\"\n3,4\n"},
		{"XLSX", format.Spec{Kind: format.XLSX}, workbookOf(t, sheetXML(`<row>`+inline("A1", "a")+`</row><row><c><v>1</v></c></row><row><c t="e"><v>#REF!</v></c></row><row><c><v>2</v></c></row>`))},
		{"XML", format.Spec{Kind: format.XML, Records: "a/b"}, `<a><b/><b x="1" x="2"/><b/></a>`},
	} {
		for stop := 1; stop <= 3; stop++ {
			good, bad := 0, 0
			for _, err := range format.Split(c.spec, []byte(c.body), format.Limits{}) {
				if err == nil {
					good++
				} else {
					bad++
				}
				if good+bad == stop {
					break
				}
			}
			if good+bad != stop || bad != min(stop-1, 1) {
				t.Errorf("%s: %d records and %d errors when stopped at %d", c.name, good, bad, stop)
			}
		}
	}
}

func TestSplitDoesNotChangeTheMessage(t *testing.T) {
	body := []byte("\xef\xbb\xbfa;b\r\n\"x\"\"y\";2\r\n")
	before := string(body)
	records, faults := collect(t, format.Split(format.Spec{Kind: format.CSV, Delimiter: ";"}, body, format.Limits{}))
	if string(body) != before || len(faults) > 0 {
		t.Errorf("body %q, faults %v", body, faults)
	}
	clear(body)
	if diff := cmp.Diff([]format.Record{numbered(2, object{"a": `x"y`, "b": "2"})}, records); diff != "" {
		t.Errorf("records share memory with the message (-want +got):\n%s", diff)
	}
}

func TestASpecIsTheSameAfterAJourneyThroughJSON(t *testing.T) {
	spec := format.Spec{Kind: format.XLSX, Sheet: "poList", HeaderRow: 2, Columns: []string{"poNo"}, Numbers: []string{"poNo"}, SkipEmpty: true}
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	var back format.Spec
	if err := json.Unmarshal(text, &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(spec, back); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
