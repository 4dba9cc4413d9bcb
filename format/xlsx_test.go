package format_test

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/xuri/excelize/v2"

	"github.com/gapless/gapless/format"
)

const (
	spreadsheet   = `xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"`
	relationships = `xmlns="http://schemas.openxmlformats.org/package/2006/relationships"`
	relationType  = `http://schemas.openxmlformats.org/officeDocument/2006/relationships/`
)

// parts are the smallest set of parts of a workbook with one sheet, "Orders".
func parts(sheet, shared string) map[string]string {
	return map[string]string{
		"_rels/.rels":     `<Relationships ` + relationships + `><Relationship Id="rId1" Type="` + relationType + `officeDocument" Target="xl/workbook.xml"/></Relationships>`,
		"xl/workbook.xml": `<workbook ` + spreadsheet + `><sheets><sheet name="Chart" sheetId="2" r:id="rId3"/><sheet name="Orders" sheetId="1" r:id="rId1"/></sheets></workbook>`,
		"xl/_rels/workbook.xml.rels": `<Relationships ` + relationships + `>` +
			`<Relationship Id="rId1" Type="` + relationType + `worksheet" Target="worksheets/sheet1.xml"/>` +
			`<Relationship Id="rId2" Type="` + relationType + `sharedStrings" Target="/xl/sharedStrings.xml"/>` +
			`<Relationship Id="rId3" Type="` + relationType + `chartsheet" Target="chartsheets/sheet1.xml"/></Relationships>`,
		"xl/sharedStrings.xml":     `<sst ` + spreadsheet + `>` + shared + `</sst>`,
		"xl/worksheets/sheet1.xml": sheet,
	}
}

func zipped(t testing.TB, parts map[string]string) string {
	t.Helper()
	return archived(t, parts, zip.Deflate)
}

// archived is a zip file; with zip.Store the bytes of its parts stand in it as
// they are.
func archived(t testing.TB, parts map[string]string, method uint16) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range slices.Sorted(maps.Keys(parts)) {
		part, err := w.CreateHeader(&zip.FileHeader{Name: name, Method: method})
		if err != nil {
			t.Fatal(err)
		}
		if _, err = part.Write([]byte(parts[name])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// workbookOf is a workbook with one sheet and, if given, shared texts.
func workbookOf(t testing.TB, sheet string, shared ...string) string {
	t.Helper()
	return zipped(t, parts(sheet, strings.Join(shared, "")))
}

// changed is a workbook of which one part is another; "" removes it.
func changed(t testing.TB, part, text string) string {
	t.Helper()
	all := parts(sheetXML(headerRow), "")
	if all[part] = text; text == "" {
		delete(all, part)
	}
	return zipped(t, all)
}

func sheetXML(rows string) string {
	return `<?xml version="1.0" encoding="UTF-8"?><worksheet ` + spreadsheet + `><sheetData>` + rows + `</sheetData><pageMargins/></worksheet>`
}

func inline(reference, text string) string {
	var b strings.Builder
	if err := xml.EscapeText(&b, []byte(text)); err != nil {
		panic(err)
	}
	return fmt.Sprintf(`<c r="%s" t="inlineStr"><is><t>%s</t></is></c>`, reference, b.String())
}

var headerRow = `<row r="1">` + inline("A1", "a") + inline("B1", "b") + `</row>`

func TestASheetIsReadAsItIsStored(t *testing.T) {
	xlsx := format.Spec{Kind: format.XLSX}
	shared := `<si><t>a</t></si><si><r><t xml:space="preserve">b </t></r><rPh sb="0" eb="1"><t>spoken</t></rPh></si><si><r><t>ri</t></r><r><rPr><b/></rPr><t>ch</t></r><phoneticPr/></si><si/>`
	header := `<row r="1" spans="1:2"><c r="A1" t="s"><v>0</v></c><c r="B1" t="s"><v>1</v></c></row>`
	one := func(name, cells string, want object) good {
		return good{name, xlsx, workbookOf(t, sheetXML(header+`<row r="2">`+cells+`</row>`), shared), []format.Record{numbered(2, want)}}
	}
	testGood(t, []good{
		one("numbers stay as they are", `<c r="A2" s="5"><v>31.919999999999998</v></c><c r="B2" t="n"><v>9917349000</v></c>`, object{"a": "31.919999999999998", "b": "9917349000"}),
		one("numbers lose their exponent", `<c r="A2"><v>9.917349E9</v></c><c r="B2"><v>-1.25e-3</v></c>`, object{"a": "9917349000", "b": "-0.00125"}),
		one("texts in several runs, without pronunciation", `<c r="A2" t="s"><v>2</v></c><c r="B2" t="s"><v>3</v></c>`, object{"a": "rich"}),
		one("texts in place", inline("A2", "<x> _x000D_\ny_x005F_x000A_")+inline("B2", " "), object{"a": "<x> \ny_x000A_"}),
		one("the value of a formula", `<c r="A2"><f>1+1</f><v>2</v></c><c r="B2" t="str"><f>"x"&amp;"y"</f><v>xy</v></c>`, object{"a": "2", "b": "xy"}),
		one("the empty text of a formula", `<c r="A2" t="str"><f>""</f><v></v></c><c r="B2"><v>1</v></c>`, object{"b": "1"}),
		one("true and false", `<c r="A2" t="b"><v>1</v></c><c r="B2" t="b"><v>0</v></c>`, object{"a": "TRUE", "b": "FALSE"}),
		one("a date of the strict form", `<c r="A2" t="d"><v>2018-11-01</v></c>`, object{"a": "2018-11-01"}),
		one("cells without place", `<c s="1"/><c><v>2</v></c>`, object{"b": "2"}),
		{"rows that are missing, or hold nothing", xlsx, workbookOf(t, sheetXML(headerRow+`<row r="3"/><row r="4"><c r="A4" s="1"/></row><row r="7"><c r="B7"><v>1</v></c></row><row><c><v>2</v></c></row>`)), []format.Record{
			numbered(7, object{"b": "1"}), numbered(8, object{"a": "2"}),
		}},
		{"a header further down", format.Spec{Kind: format.XLSX, HeaderRow: 2}, workbookOf(t, sheetXML(`<row r="1">`+inline("D1", "title")+`</row><row r="2">`+inline("B2", "x")+`</row><row r="3"><c r="B3"><v>1</v></c></row>`)), []format.Record{numbered(3, object{"x": "1"})}},
		{"a sheet by name", format.Spec{Kind: format.XLSX, Sheet: "Orders"}, workbookOf(t, sheetXML(headerRow)), nil},
		{"a number that is a name", xlsx, workbookOf(t, sheetXML(`<row><c><v>2018</v></c></row><row><c><v>1</v></c></row>`)), []format.Record{numbered(2, object{"2018": "1"})}},
		{"dates of the 1904 date system", format.Spec{Kind: format.XLSX, Dates: []string{"a", "b"}}, func() string {
			all := parts(sheetXML(headerRow+`<row r="2"><c r="A2"><v>41943</v></c><c r="B2"><v>0</v></c></row>`), "")
			all["xl/workbook.xml"] = strings.Replace(all["xl/workbook.xml"], "<sheets>", `<workbookPr date1904="1"/><sheets>`, 1)
			return zipped(t, all)
		}(), []format.Record{numbered(2, object{"a": "2018-11-01", "b": "1904-01-01"})}},
	})
}

func TestOneBadRowOfASheetDoesNotHideTheOthers(t *testing.T) {
	xlsx := format.Spec{Kind: format.XLSX}
	sheet := func(cells string) string {
		return workbookOf(t, sheetXML(headerRow+`<row r="2">`+cells+`</row><row r="3"><c r="A3"><v>1</v></c></row>`))
	}
	testBad(t, []bad{
		{name: "a failed formula", spec: xlsx, body: sheet(`<c r="B2" t="e"><f>A2/0</f><v>#DIV/0!</v></c>`), records: 1, want: `record 2, field "b": row 2: a formula failed with #DIV/0!: correct it in the spreadsheet and send the file again`},
		{name: "a formula that was never computed", spec: xlsx, body: sheet(`<c r="A2"><f>1+1</f></c>`), records: 1, want: `record 2, field "a": row 2: a formula without its value: open the file in a spreadsheet program, save it and send it again`},
		{name: "a text that is not there", spec: xlsx, body: sheet(`<c r="A2" t="s"><v>9</v></c>`), records: 1, want: `record 2, field "a": row 2: the text number "9" is not in the workbook: save the file anew with a spreadsheet program and send it again`},
		{name: "a number that is none", spec: xlsx, body: sheet(`<c r="A2"><v>12,5</v></c>`), records: 1, want: `record 2, field "a": row 2: "12,5" is not a number: send digits without unit and grouping, such as 1250.5`},
		{name: "a value below no name", spec: xlsx, body: sheet(`<c r="A2"><v>1</v></c><c r="AA2"><v>2</v></c>`), records: 1, want: `record 2, field "AA": row 2: "2" stands in a column without a name: name the column in the header, or empty the cell`},
		{name: "blanks alone", spec: xlsx, body: sheet(inline("A2", " ")), records: 1, want: `record 2: row 2 is empty: remove the row, or set skip-empty`},
		{name: "a control character", spec: xlsx, body: sheet(inline("A2", "x_x0000_")), records: 1, want: `record 2, field "a": row 2: control character U+0000 at byte 2 of the text: remove it where it was entered, or set charset to what the system writes`},
		{name: "a text where a date should be", spec: format.Spec{Kind: format.XLSX, Dates: []string{"a"}}, body: sheet(inline("A2", "01.11.2018")), records: 1, want: `record 2, field "a": row 2: "01.11.2018" is neither a date such as 2018-11-01 nor a serial date of a spreadsheet: send dates as year-month-day; a time alone is no date`},
	})
}

func TestAWorkbookThatCannotBeReadIsRefusedWhole(t *testing.T) {
	xlsx := format.Spec{Kind: format.XLSX}
	const anew = ": save the file anew with a spreadsheet program and send it again"
	const brokenSheet = "the workbook is broken: xl/worksheets/sheet1.xml "
	rows := func(rows string) string { return workbookOf(t, sheetXML(headerRow+rows)) }
	damaged := func() string {
		file := []byte(archived(t, parts(sheetXML(headerRow+`<row r="2"><c r="A2"><v>1250</v></c></row>`), ""), zip.Store))
		at := bytes.Index(file, []byte("1250"))
		file[at] = '7'
		return string(file)
	}
	testBad(t, []bad{
		{name: "nothing", spec: xlsx, body: "", want: "the file is no workbook: zip: not a valid zip file: send the .xlsx file whole, or set kind to what is sent"},
		{name: "another format", spec: xlsx, body: "a,b\n1,2\n", want: "the file is no workbook: zip: not a valid zip file: send the .xlsx file whole, or set kind to what is sent"},
		{name: "cut off", spec: xlsx, body: rows("")[:700], want: "the file is no workbook: zip: not a valid zip file: send the .xlsx file whole, or set kind to what is sent"},
		{name: "an old workbook", spec: xlsx, body: "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1xxxx", want: "the file is an old workbook (.xls), or protected by a password: save it as .xlsx or .csv without password"},
		{name: "a binary workbook", spec: xlsx, body: changed(t, "_rels/.rels", `<Relationships><Relationship Id="r" Type="x/officeDocument" Target="xl/workbook.bin"/></Relationships>`), want: "the file is a binary workbook (.xlsb), which is not read: save it as .xlsx or .csv"},
		{name: "another archive", spec: xlsx, body: zipped(t, map[string]string{"readme.txt": "x"}), want: "the workbook is broken: _rels/.rels is missing" + anew},
		{name: "another document", spec: xlsx, body: changed(t, "_rels/.rels", `<Relationships/>`), want: "the file holds no workbook: save it as .xlsx or .csv"},
		{name: "no workbook part", spec: xlsx, body: changed(t, "xl/workbook.xml", ""), want: "the workbook is broken: xl/workbook.xml is missing" + anew},
		{name: "no sheet part", spec: xlsx, body: changed(t, "xl/worksheets/sheet1.xml", ""), want: brokenSheet + "is missing" + anew},
		{name: "no sheet", spec: xlsx, body: changed(t, "xl/workbook.xml", `<workbook/>`), want: "the workbook has no sheet" + anew},
		{name: "no sheet of that name", spec: format.Spec{Kind: format.XLSX, Sheet: "orders"}, body: rows(""), want: `the workbook has no sheet "orders": name the sheet so, or correct sheet; found: "Orders"`},
		{name: "a sheet cut off", spec: xlsx, body: changed(t, "xl/worksheets/sheet1.xml", sheetXML(headerRow)[:250]), want: brokenSheet + "cannot be read: XML syntax error on line 1: unexpected EOF" + anew},
		{name: "a sheet cut off behind a row, which is read", spec: xlsx, records: 1, body: changed(t, "xl/worksheets/sheet1.xml", `<worksheet><sheetData>`+headerRow+`<row r="2"><c r="A2"><v>1</v></c></row>`), want: brokenSheet + "cannot be read: XML syntax error on line 1: unexpected EOF" + anew},
		{name: "a changed byte, which the check sum tells", spec: xlsx, records: 1, body: damaged(), want: brokenSheet + "cannot be read: zip: checksum error" + anew},
		{name: "a document type", spec: xlsx, body: changed(t, "xl/worksheets/sheet1.xml", `<!DOCTYPE x>`+sheetXML(headerRow)[38:]), want: brokenSheet + "cannot be read: has a document type definition" + anew},
		{name: "rows out of order", spec: xlsx, records: 1, body: rows(`<row r="3"><c r="A3"><v>1</v></c></row><row r="2"/>`), want: brokenSheet + `cannot be read: row "2" follows row 3` + anew},
		{name: "a row beyond the last", spec: xlsx, body: rows(`<row r="1048577"/>`), want: brokenSheet + `cannot be read: row "1048577" follows row 1` + anew},
		{name: "two values in one cell", spec: xlsx, body: rows(`<row r="2"><c r="A2"><v>1</v></c><c r="A2"><v>2</v></c></row>`), want: brokenSheet + `cannot be read: cell "A2" is out of its place in row 2` + anew},
		{name: "a cell of another row", spec: xlsx, body: rows(`<row r="2"><c r="A3"><v>1</v></c></row>`), want: brokenSheet + `cannot be read: cell "A3" is out of its place in row 2` + anew},
		{name: "a cell beyond the last column", spec: xlsx, body: rows(`<row r="2"><c r="XFE2"><v>1</v></c></row>`), want: brokenSheet + `cannot be read: cell "XFE2" is out of its place in row 2` + anew},
		{name: "a cell without column", spec: xlsx, body: rows(`<row r="2"><c r="2"><v>1</v></c></row>`), want: brokenSheet + `cannot be read: cell "2" is out of its place in row 2` + anew},
		{name: "no header", spec: xlsx, body: workbookOf(t, sheetXML("")), want: "row 1, where the column names should be, does not exist: send the table with its header, or correct header-row"},
		{name: "a failed formula in the header", spec: xlsx, body: workbookOf(t, sheetXML(`<row r="1"><c r="C1" t="e"><v>#REF!</v></c></row>`)), want: "row 1, column C: a formula failed with #REF!: correct it in the spreadsheet and send the file again"},
	})
}

func TestWhatAnotherLibraryWritesIsReadBack(t *testing.T) {
	file := excelize.NewFile()
	cells := [][]any{
		{" order ", "quantity", "day", "done", "note"},
		{"IM1811001", 280000, 43405.25, true, "Größe <5> & \"6\"\nzweite Zeile"},
		{"0012", "31.92", nil, false, " rand "},
	}
	for i, row := range cells {
		if err := file.SetSheetRow("Sheet1", fmt.Sprintf("A%d", i+1), &row); err != nil {
			t.Fatal(err)
		}
	}
	var b bytes.Buffer
	if err := file.Write(&b); err != nil {
		t.Fatal(err)
	}
	spec := format.Spec{Kind: format.XLSX, Sheet: "Sheet1", Numbers: []string{"quantity"}, Dates: []string{"day"}}
	records, faults := read(t, spec, b.String(), format.Limits{})
	for _, fault := range faults {
		t.Error(fault)
	}
	want := []format.Record{
		numbered(2, object{"order": "IM1811001", "quantity": "280000", "day": "2018-11-01T06:00:00", "done": "TRUE", "note": "Größe <5> & \"6\"\nzweite Zeile"}),
		numbered(3, object{"order": "0012", "quantity": "31.92", "done": "FALSE", "note": "rand"}),
	}
	if diff := cmp.Diff(want, records); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
