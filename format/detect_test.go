package format_test

import (
	"testing"

	"github.com/gapless/gapless/format"
)

func TestAFormatIsKnownByNameAndContent(t *testing.T) {
	const zip, compound = "PK\x03\x04", "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
	for _, c := range []struct {
		name, file, head string
		want             format.Kind
		problem          string
	}{
		{"an object", "", ` {"a":1}`, format.JSON, ""},
		{"an object on many lines", "", "{\n\"a\":1}", format.JSON, ""},
		{"an array behind a byte order mark", "", "\xef\xbb\xbf[", format.JSON, ""},
		{"lines of objects", "", "{\"a\":1}\n{\"a\":2}\n", format.NDJSON, ""},
		{"lines of objects by name", `C:\drop\x.JSONL`, "", format.NDJSON, ""},
		{"an element", "", `<?xml version="1.0"?>`, format.XML, ""},
		{"a workbook", "", zip, format.XLSX, ""},
		{"a workbook by name", "in/orders.XLSX", zip, format.XLSX, ""},
		{"a workbook with macros", "orders.xlsm", zip, format.XLSX, ""},
		{"a table by name", "orders.csv", "a;b\n", format.CSV, ""},
		{"a table with tabs", "orders.tsv", "", format.CSV, ""},
		{"a table that begins like JSON", "orders.csv", "[a],b\n", format.CSV, ""},
		{"a binary workbook", "report.xlsb", zip, "", "the file is a binary workbook (.xlsb), which is not read: save it as .xlsx or .csv"},
		{"an old workbook", "report.xls", compound, "", `"report.xls" is an old workbook (.xls), or protected by a password: save it as .xlsx or .csv without password`},
		{"a workbook under a password", "report.xlsx", compound, "", `"report.xlsx" is an old workbook (.xls), or protected by a password: save it as .xlsx or .csv without password`},
		{"a workbook that is none", "report.xlsx", "a,b\n", "", `"report.xlsx" is named .xlsx, its content is something else: send the file as the system wrote it, under its own name`},
		{"a table that is a workbook", "report.csv", zip, "", `"report.csv" is named .csv, its content is something else: send the file as the system wrote it, under its own name`},
		{"text without a name", "", "a,b\n1,2\n", "", `the format of "" is not known: send JSON, NDJSON, CSV, XLSX or XML, and name the file so`},
		{"nothing", "report.pdf", "", "", `the format of "report.pdf" is not known: send JSON, NDJSON, CSV, XLSX or XML, and name the file so`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := format.Detect(c.file, []byte(c.head))
			problem := ""
			if err != nil {
				problem = err.Error()
			}
			if got != c.want || problem != c.problem {
				t.Errorf("%q, %q; want %q, %q", got, problem, c.want, c.problem)
			}
		})
	}
}
