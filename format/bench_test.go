package format_test

import (
	"fmt"
	"strconv"
	"strings"
	"testing"

	"github.com/gapless/gapless/format"
)

// Rows of the size of a shift report's, about 200 bytes in 12 columns.
const benchRows = 1000

func benchSplit(b *testing.B, spec format.Spec, body string) {
	b.Helper()
	message := []byte(body)
	b.SetBytes(int64(len(message)))
	b.ReportAllocs()
	for b.Loop() {
		count := 0
		for _, err := range format.Split(spec, message, format.Limits{}) {
			if err != nil {
				b.Fatal(err)
			}
			count++
		}
		if count != benchRows {
			b.Fatalf("%d records", count)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/benchRows, "ns/record")
}

var benchFields = format.Spec{Numbers: []string{"itemTotalQuantity", "itemGoodQuantity", "resin"}, Dates: []string{"recordDate"}}

func benchRow(i int) []string {
	return []string{
		strconv.Itoa(43405 + i%30), strconv.Itoa(i%3 + 1), "NO.01", "MD50S-000", "26001122M", "CT-CA-BASE-T.SMOKE(NO-PRINT)",
		"IM1811001", "14000CBQ-M-001", strconv.Itoa(9000 + i), strconv.Itoa(8000 + i), "31.919999999999998", "8S84A031",
	}
}

var benchNames = strings.Split("recordDate,workingShift,machineNo,machineCode,itemCode,itemName,poNote,moldNo,itemTotalQuantity,itemGoodQuantity,resin,lot", ",")

func BenchmarkCSV(b *testing.B) {
	var text strings.Builder
	text.WriteString(strings.Join(benchNames, ",") + "\n")
	for i := range benchRows {
		text.WriteString(strings.Join(benchRow(i), ",") + "\n")
	}
	spec := benchFields
	spec.Kind = format.CSV
	benchSplit(b, spec, text.String())
}

func benchJSON(separator string) string {
	var rows []string
	for i := range benchRows {
		var fields []string
		for j, text := range benchRow(i) {
			fields = append(fields, fmt.Sprintf("%q:%q", benchNames[j], text))
		}
		rows = append(rows, "{"+strings.Join(fields, ",")+"}")
	}
	return strings.Join(rows, separator)
}

func BenchmarkJSON(b *testing.B) { benchSplit(b, benchFields, "["+benchJSON(",")+"]") }

func BenchmarkNDJSON(b *testing.B) {
	spec := benchFields
	spec.Kind = format.NDJSON
	benchSplit(b, spec, benchJSON("\n"))
}

func BenchmarkXLSX(b *testing.B) {
	var rows strings.Builder
	row := func(number int, texts []string) {
		fmt.Fprintf(&rows, `<row r="%d">`, number)
		for i, text := range texts {
			rows.WriteString(inline(fmt.Sprintf("%c%d", 'A'+i, number), text))
		}
		rows.WriteString("</row>")
	}
	row(1, benchNames)
	for i := range benchRows {
		row(i+2, benchRow(i))
	}
	spec := benchFields
	spec.Kind = format.XLSX
	benchSplit(b, spec, workbookOf(b, sheetXML(rows.String())))
}
