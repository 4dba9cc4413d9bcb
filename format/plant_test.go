package format_test

import (
	"encoding/csv"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/format"
)

// plantFile reads a file of the moulding plant, or says that it is not there.
func plantFile(t testing.TB, name string) string {
	t.Helper()
	folder := os.Getenv("GAPLESS_DATA")
	if folder == "" {
		folder = filepath.Join("..", "..", "shared", "data")
	}
	content, err := os.ReadFile(filepath.Join(folder, "moulding-plant", filepath.FromSlash(name)))
	if errors.Is(err, fs.ErrNotExist) {
		t.Skip("the files of the moulding plant are not here: set GAPLESS_DATA to the folder that holds moulding-plant")
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// plantTables are the tables that the plant has both as CSV and as XLSX.
var plantTables = []struct {
	name    string
	records int
	failed  int // rows with a failed formula
	spec    format.Spec
}{
	{name: "orders/purchaseOrder_181020", records: 10, spec: plantOrders},
	{name: "orders/purchaseOrder_181101", records: 55, spec: plantOrders},
	{name: "orders/purchaseOrder_181120", records: 9, spec: plantOrders},
	{name: "master-data/holidayNotes", records: 20, spec: format.Spec{Dates: []string{"Date"}}},
	{name: "master-data/itemInfo", records: 115},
	{name: "master-data/itemCompositionSummary", records: 121, spec: format.Spec{
		Numbers: []string{"plasticResinQuantity", "colorMasterbatchQuantity", "additiveMasterbatchQuantity"},
	}},
	{name: "master-data/machineInfo", records: 11, spec: format.Spec{Dates: []string{"layoutStartDate", "layoutEndDate"}}},
	{name: "master-data/moldInfo", records: 63, failed: 3, spec: format.Spec{
		Numbers: []string{"itemsWeight", "runnerWeight"}, Dates: []string{"acquisitionDate"},
	}},
	{name: "master-data/moldSpecificationSummary", records: 116, spec: format.Spec{Numbers: []string{"moldNum"}}},
	{name: "master-data/resineInfo", records: 78},
}

var plantOrders = format.Spec{
	Columns: []string{"poReceivedDate", "poNo", "poETA", "itemCode", "itemName", "itemQuantity", "plasticResinQuantity", "colorMasterbatchQuantity", "additiveMasterbatchQuantity"},
	Numbers: []string{"itemQuantity", "plasticResinQuantity", "colorMasterbatchQuantity", "additiveMasterbatchQuantity"},
	Dates:   []string{"poReceivedDate", "poETA"},
}

func TestThePlantsTablesAreTheSameAsCSVAndAsXLSX(t *testing.T) {
	for _, table := range plantTables {
		t.Run(table.name, func(t *testing.T) {
			spec := table.spec
			spec.Kind = format.CSV
			fromCSV, csvFaults := read(t, spec, plantFile(t, table.name+".csv"), format.Limits{})
			spec.Kind = format.XLSX
			fromXLSX, xlsxFaults := read(t, spec, plantFile(t, table.name+".xlsx"), format.Limits{})
			if len(fromCSV) != table.records || len(csvFaults) != table.failed {
				t.Errorf("%d records and %v, want %d and %d faults", len(fromCSV), csvFaults, table.records, table.failed)
			}
			if diff := cmp.Diff(fromCSV, fromXLSX); diff != "" {
				t.Errorf("records (-csv +xlsx):\n%s", diff)
			}
			rowsOf := func(faults []*format.Error) (rows []string) {
				for _, fault := range faults {
					rows = append(rows, strings.Replace(fault.Error(), ": line ", ": row ", 1))
				}
				return rows
			}
			if diff := cmp.Diff(rowsOf(csvFaults), rowsOf(xlsxFaults)); diff != "" {
				t.Errorf("faults (-csv +xlsx):\n%s", diff)
			}
		})
	}
}

// The same rows sent one by one over HTTP: numbers as JSON numbers, as a system
// sends them that has read the file into binary numbers.
func TestThePlantsOrdersAreTheSameAsJSON(t *testing.T) {
	for _, table := range plantTables[:3] {
		text := plantFile(t, table.name+".csv")
		spec := table.spec
		spec.Kind = format.CSV
		fromCSV, _ := read(t, spec, text, format.Limits{})
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		binary := map[string]bool{}
		for _, name := range append(plantOrders.Numbers, plantOrders.Dates...) {
			binary[name] = true
		}
		for i, row := range rows[1:] {
			sent := object{}
			for j, text := range row {
				name := strings.TrimSpace(rows[0][j])
				if text == "" {
					continue
				}
				if sent[name] = text; binary[name] {
					sent[name] = json.Number(text)
				}
			}
			body, err := json.Marshal(sent)
			if err != nil {
				t.Fatal(err)
			}
			fromJSON, faults := read(t, format.Spec{Numbers: plantOrders.Numbers, Dates: plantOrders.Dates}, string(body), format.Limits{})
			if len(faults) > 0 {
				t.Fatalf("row %d: %v", i+2, faults)
			}
			if diff := cmp.Diff(fromCSV[i].Value, fromJSON[0].Value); diff != "" {
				t.Errorf("%s, row %d (-csv +json):\n%s", table.name, i+2, diff)
			}
		}
	}
}

func TestThePlantsShiftReportIsReadWhole(t *testing.T) {
	spec := format.Spec{
		Kind:    format.CSV,
		Columns: []string{"recordDate", "workingShift", "machineCode", "poNote", "itemTotalQuantity", "itemGoodQuantity"},
		Numbers: []string{"itemTotalQuantity", "itemGoodQuantity"},
		Dates:   []string{"recordDate"},
	}
	text := plantFile(t, "shift-reports/monthlyReports_201811.csv")
	records, faults := read(t, spec, text, format.Limits{})
	for _, fault := range faults {
		t.Error(fault)
	}
	sums, idle := map[string]int64{}, 0
	for _, record := range records {
		if _, ordered := record.Value["poNote"]; !ordered {
			idle++
		}
		for _, name := range spec.Numbers {
			if text, is := record.Value[name].(string); is {
				count, err := json.Number(text).Int64()
				if err != nil {
					t.Fatalf("row %d: %v", record.Number, err)
				}
				sums[name] += count
			}
		}
		if day, _ := record.Value["recordDate"].(string); !strings.HasPrefix(day, "2018-11-") {
			t.Errorf("row %d is of %q", record.Number, day)
		}
	}
	if len(records) != 697 || records[696].Number != 698 || idle != 20 {
		t.Errorf("%d rows, %d of them idle; want 697 and 20", len(records), idle)
	}
	want := map[string]int64{"itemTotalQuantity": 5_397_276, "itemGoodQuantity": 5_194_003}
	if diff := cmp.Diff(want, sums); diff != "" {
		t.Errorf("control totals (-want +got):\n%s", diff)
	}
}

func TestThePlantsBinaryWorkbookIsRefusedWithARemedy(t *testing.T) {
	body := plantFile(t, "shift-reports/monthlyReports_201811.xlsb")
	const want = "the file is a binary workbook (.xlsb), which is not read: save it as .xlsx or .csv"
	if _, err := format.Detect("monthlyReports_201811.xlsb", []byte(body[:1024])); err == nil || err.Error() != want {
		t.Errorf("Detect: %v", err)
	}
	records, faults := read(t, format.Spec{Kind: format.XLSX}, body, format.Limits{})
	if len(records) != 0 || len(faults) != 1 || faults[0].Error() != want {
		t.Errorf("Split: %d records, %v", len(records), faults)
	}
}
