package format_test

import (
	"strings"
	"testing"

	"github.com/gapless/gapless/format"
)

func TestCSVIsReadAsSpreadsheetsWriteIt(t *testing.T) {
	comma := format.Spec{Kind: format.CSV}
	auto := format.Spec{Kind: format.CSV, Delimiter: "auto"}
	want := []format.Record{numbered(2, object{"a": "1", "b": "2"})}
	testGood(t, []good{
		{"blanks around names and cells", comma, " a , b\n 1 ,\u00a02\t\n", want},
		{"byte order mark, CR LF, no end of the last line", comma, "\xef\xbb\xbfa,b\r\n1,2", want},
		{"quotes, delimiters and line breaks in fields", comma, "a,b\n\"x \"\"y\"\"\",\"1,5\r\n2\"\nz,\n", []format.Record{
			numbered(2, object{"a": `x "y"`, "b": "1,5\n2"}), numbered(3, object{"a": "z"}),
		}},
		{"rows are counted with blank lines, not with the lines of a field", comma, "a,b\n\n\"1\n\n\",2\n\n\n3,4\n", []format.Record{
			numbered(3, object{"a": "1", "b": "2"}), numbered(6, object{"a": "3", "b": "4"}),
		}},
		{"a semicolon", format.Spec{Kind: format.CSV, Delimiter: ";"}, "a;b\n1;2\n", want},
		{"a tab, with empty cells", format.Spec{Kind: format.CSV, Delimiter: "\t"}, "a\tb\tc\n1\t\t2\n", []format.Record{numbered(2, object{"a": "1", "c": "2"})}},
		{"finding a comma", auto, "a,b\n1,2\n", want},
		{"finding a semicolon", auto, "a;b\n1;2\n", want},
		{"finding a tab", auto, "a\tb\n1\t2\n", want},
		{"finding a bar", auto, "a|b\n1|2\n", want},
		{"finding none in one column", auto, "a\n1\n", []format.Record{numbered(2, object{"a": "1"})}},
		{"finding the delimiter outside of quotes", auto, "\"a,x,y\";b\n1;2\n", []format.Record{numbered(2, object{"a,x,y": "1", "b": "2"})}},
		{"finding it in a later header row", format.Spec{Kind: format.CSV, Delimiter: "auto", HeaderRow: 2}, "Report, of, today, with, commas\na;b\n1;2\n", []format.Record{numbered(3, object{"a": "1", "b": "2"})}},
		{"a title above the header", format.Spec{Kind: format.CSV, HeaderRow: 3}, "Shift report\n\na,b\n1,2\n", []format.Record{numbered(4, object{"a": "1", "b": "2"})}},
		{"a column without name and values", comma, "a,b,\n1,2,\n", want},
		{"empty rows that are to be passed over", format.Spec{Kind: format.CSV, SkipEmpty: true}, "a,b\n,\n1,2\n , \n", []format.Record{numbered(3, object{"a": "1", "b": "2"})}},
		{"columns that nobody asked for", format.Spec{Kind: format.CSV, Columns: []string{"b"}, Optional: []string{"c"}}, "a,b\n1,2\n", want},
		{"a header alone", comma, "a,b\n", nil},
		{"windows-1252", format.Spec{Kind: format.CSV, Charset: "windows-1252"}, "a\n\x80 \xfc\n", []format.Record{numbered(2, object{"a": "€ ü"})}},
		{"iso-8859-1", format.Spec{Kind: format.CSV, Charset: "iso-8859-1"}, "a\n\xa7 \xfc\n", []format.Record{numbered(2, object{"a": "§ ü"})}},
		{"utf-16, low byte first", format.Spec{Kind: format.CSV, Charset: "utf-16"}, "\xff\xfea\x00\n\x00\x3d\xd8\x00\xde\n\x00", []format.Record{numbered(2, object{"a": "😀"})}},
		{"utf-16, high byte first", format.Spec{Kind: format.CSV, Charset: "utf-16"}, "\xfe\xff\x00a\x00\n\x20\xac\x00\n", []format.Record{numbered(2, object{"a": "€"})}},
		{"numbers and dates", format.Spec{Kind: format.CSV, Numbers: []string{"a"}, Dates: []string{"b"}}, "a,b\n0012.50,43405\n,43405.5\n", []format.Record{
			numbered(2, object{"a": "12.5", "b": "2018-11-01"}), numbered(3, object{"b": "2018-11-01T12:00:00"}),
		}},
	})
}

func TestOneBadRowOfCSVDoesNotHideTheOthers(t *testing.T) {
	comma := format.Spec{Kind: format.CSV}
	const fields = ": put quotes around a text that holds the delimiter, and send all fields"
	const quotes = `: put quotes around the whole field, and write a quote within it twice ("")`
	testBad(t, []bad{
		{name: "too few and too many fields", spec: comma, body: "a,b\n1\n1,2,3\n1,2\n1,2,\n", records: 1, want: "record 2: line 2 has 1 fields, the header has 2" + fields +
			"\nrecord 3: line 3 has 3 fields, the header has 2" + fields + "\nrecord 5: line 5 has 3 fields, the header has 2" + fields},
		{name: "the line is named where it differs from the row", spec: comma, body: "a,b\n\"1\n2\",2\n1\n", records: 1, want: "record 3: line 4 has 1 fields, the header has 2" + fields},
		{name: "an empty row", spec: comma, body: "a,b\n,\n1,2\n", records: 1, want: "record 2: line 2 is empty: remove the row, or set skip-empty"},
		{name: "a quote within a field", spec: comma, body: "a,b\n1,5\" pipe\n1,2\n", records: 1, want: "record 2: line 2, byte 4: a quote is out of place or missing" + quotes},
		{name: "a quote that ends a field too early", spec: comma, body: "a,b\n\"x\"y,2\n\n1,2\n", records: 1, want: "record 2: line 2, byte 3: a quote is out of place or missing" + quotes},
		{name: "a quote that takes in the next rows", spec: comma, body: "a,b\n1,\"x\n3,\"4\n5,6\n", records: 1, want: "record 2: line 3, byte 3: a quote is out of place or missing; lines 2 to 3 were read as one row" + quotes},
		{name: "a quote that is never closed", spec: comma, body: "a,b\n1,2\n1,\"x\n3,4\n5,6\n", records: 1, want: "line 5, byte 5: a quote is out of place or missing; lines 3 to 5 were read as one row" + quotes},
		{name: "a control character", spec: comma, body: "a,b\n1,x\x00y\n1,2\n", records: 1, want: `record 2, field "b": line 2: control character U+0000 at byte 2 of the text: remove it where it was entered, or set charset to what the system writes`},
		{name: "not UTF-8", spec: comma, body: "a,b\n1,M\xfchle\n1,2\n", records: 1, want: `record 2, field "b": line 2: byte 0xFC at byte 2 of the text is not UTF-8: send UTF-8, or set charset to what the system writes: windows-1252, iso-8859-1 or utf-16`},
		{name: "a failed formula", spec: comma, body: "a,b\n1,#DIV/0!\n1,#7\n", records: 1, want: `record 2, field "b": line 2: a formula failed with #DIV/0!: correct it in the spreadsheet and send the file again`},
		{name: "a value below no name", spec: comma, body: "a,\n1,2\n1,\n", records: 1, want: `record 2, field "B": line 2: "2" stands in a column without a name: name the column in the header, or empty the cell`},
		{name: "a number with grouping", spec: format.Spec{Kind: format.CSV, Numbers: []string{"a"}}, body: "a,b\n\"1,250\",2\n1250,2\n", records: 1, want: `record 2, field "a": line 2: "1,250" is not a number: send digits without unit and grouping, such as 1250.5`},
		{name: "a decimal point where commas are", spec: format.Spec{Kind: format.CSV, Delimiter: ";", DecimalComma: true, Numbers: []string{"a"}}, body: "a;b\n1.250;2\n1,25;2\n", records: 1, want: `record 2, field "a": line 2: "1.250" is not a number: send digits without unit and grouping, such as 1250,5`},
	})
}

func TestACSVFileThatCannotBeReadIsRefusedWhole(t *testing.T) {
	comma := format.Spec{Kind: format.CSV}
	columns := format.Spec{Kind: format.CSV, Columns: []string{"order", "quantity", "day"}}
	const header = ": send the table with its header, or correct header-row"
	testBad(t, []bad{
		{name: "nothing", spec: comma, body: "", want: "row 1, where the column names should be, does not exist" + header},
		{name: "only a title", spec: format.Spec{Kind: format.CSV, HeaderRow: 2}, body: "title\n", want: "row 2, where the column names should be, does not exist" + header},
		{name: "a blank line in place of the header", spec: comma, body: "\na,b\n1,2\n", want: "row 1, where the column names should be, does not exist" + header},
		{name: "a header without names", spec: comma, body: " ,\n1,2\n", want: "row 1 has no column names" + header},
		{name: "all missing columns at once", spec: columns, body: "Order,quantity\n1,2\n", want: `missing columns: "order", "day": send the file with them, or list them as optional; found: "Order", "quantity"`},
		{name: "a column twice, if only by its blanks", spec: comma, body: "a, a,b,a\n1,2,3,4\n", want: `columns that stand there twice: "a": give every column a name of its own`},
		{name: "missing and twice", spec: columns, body: "order,order,day\n", want: `missing columns: "quantity"; columns that stand there twice: "order": send the file with each column once; found: "order", "order", "day"`},
		{name: "the wrong delimiter", spec: columns, body: "order;quantity;day\n1;2;3\n", want: `missing columns: "order", "quantity", "day": send the file with them, or list them as optional; found: "order;quantity;day"`},
		{name: "two delimiters that fit alike", spec: format.Spec{Kind: format.CSV, Delimiter: "auto"}, body: "a,b;c\n1,2;3\n", want: "more than one delimiter would make 2 columns of the header: set delimiter to the one that the system writes"},
		{name: "a quote out of place in the header", spec: comma, body: "a,b\"\n1,2\n", want: `line 1, byte 4: a quote is out of place or missing: put quotes around the whole field, and write a quote within it twice ("")`},
		{name: "a control character in the header", spec: comma, body: "a,b\x01\n1,2\n", want: "line 1, column B: control character U+0001 at byte 2 of the text: remove it where it was entered, or set charset to what the system writes"},
		{name: "carriage returns alone", spec: comma, body: "a,b\r1,2\r", want: "the lines end with a carriage return alone: save the file with line ends of CR LF or LF"},
		{name: "windows-1252 read as latin", spec: format.Spec{Kind: format.CSV, Charset: "iso-8859-1"}, body: "a\n1\nx \x80\n", want: "line 3, byte 3: byte 0x80 is no character of iso-8859-1: set charset to what the system writes"},
		{name: "a byte that windows-1252 does not have", spec: format.Spec{Kind: format.CSV, Charset: "windows-1252"}, body: "a\n\x81\n", want: "line 2, byte 1: byte 0x81 is no character of windows-1252: set charset to what the system writes"},
		{name: "UTF-8 read as windows-1252", spec: format.Spec{Kind: format.CSV, Charset: "windows-1252"}, body: "\xef\xbb\xbfa\n1\n", want: "line 1, byte 1: the message starts like UTF-8, and is to be read as windows-1252: take charset out of the definition"},
		{name: "utf-16 without mark", spec: format.Spec{Kind: format.CSV, Charset: "utf-16"}, body: "a\x00\n\x00", want: "line 1, byte 1: the message has no byte order mark of UTF-16: write it with byte order mark, or set charset to what the system writes"},
		{name: "utf-16 cut off", spec: format.Spec{Kind: format.CSV, Charset: "utf-16"}, body: "\xff\xfea\x00\n", want: "byte 5: the message ends within a character of UTF-16: send the file whole"},
		{name: "half a character of utf-16", spec: format.Spec{Kind: format.CSV, Charset: "utf-16"}, body: "\xff\xfea\x00\n\x00\x3d\xd8\n\x00", want: "line 2, byte 7 of the message: half a character of UTF-16: send what the system wrote, unchanged"},
		{name: "utf-16 that nobody announced", spec: comma, body: "\xff\xfea\x00", want: "line 1, byte 1: the message starts like UTF-16: send UTF-8, or set charset to utf-16"},
	})
}

func TestALongNameIsCutInMessages(t *testing.T) {
	_, faults := read(t, format.Spec{Kind: format.CSV, Columns: []string{"a"}}, strings.Repeat("é", 1000)+"\n", format.Limits{})
	if len(faults) != 1 || len(faults[0].Error()) > 300 {
		t.Errorf("%v", faults)
	}
}
