package mouldingplant

import (
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/format"
)

func TestTheSameSeedWritesTheSameBytes(t *testing.T) {
	one, totals := madeUp(t, 7)
	two, again := madeUp(t, 7)
	if diff := cmp.Diff(contents(t, one), contents(t, two)); diff != "" {
		t.Errorf("two months of one seed differ:\n%.2000s", diff)
	}
	if diff := cmp.Diff(totals, again); diff != "" {
		t.Errorf("their totals differ:\n%s", diff)
	}
	other, _ := madeUp(t, 8)
	report := "shift-reports/monthlyReports_201903.csv"
	if contents(t, one)[report] == contents(t, other)[report] {
		t.Error("two seeds write the same shift reports")
	}
}

// contents reads every file below a folder.
func contents(t *testing.T, dir string) map[string]string {
	t.Helper()
	read := map[string]string{}
	for _, folder := range []string{masterFolder, orderFolder, reportFolder} {
		entries, err := os.ReadDir(filepath.Join(dir, folder))
		if err != nil {
			t.Fatal(err)
		}
		for _, entry := range entries {
			body, err := os.ReadFile(filepath.Join(dir, folder, entry.Name()))
			if err != nil {
				t.Fatal(err)
			}
			read[folder+"/"+entry.Name()] = string(body)
		}
	}
	return read
}

func TestTotalsAreWhatTheWrittenFilesSay(t *testing.T) {
	for seed := range uint64(12) {
		dir, totals := madeUp(t, seed)
		if diff := cmp.Diff(recount(t, dir), totals); diff != "" {
			t.Errorf("seed %d (-files +totals):\n%s", seed, diff)
		}
	}
}

func TestTheRealFilesGiveTheirPublishedTotals(t *testing.T) {
	got := recount(t, plantData(t))
	got.ByItem, got.ByOrder, got.ByMachine, got.ByDay, got.ResinMilligrams = nil, nil, nil, nil, nil // not published
	if diff := cmp.Diff(RealTotals(), got); diff != "" {
		t.Errorf("(-published +files):\n%s", diff)
	}
}

func TestAMonthIsAsLargeAsARealOne(t *testing.T) {
	for seed := range uint64(12) {
		_, got := madeUp(t, seed)
		for _, check := range []struct {
			what         string
			is, from, to int
		}{
			{"rows", got.Rows, 680, 720},
			{"idle rows", got.IdleRows, 5, 40},
			{"rows of which nothing was made", got.ZeroRows, 1, 30},
			{"shifts with two orders", got.SharedShifts, 10, 40},
			{"orders placed", got.OrdersPlaced, 70, 70},
			{"orders produced", got.OrdersProduced, 45, 69},
			{"resin lots", got.ResinLots, 10, 16},
			{"thousands of parts", int(got.Total / 1000), 3500, 6000},
			{"rejected per thousand", int(got.Rejected * 1000 / got.Total), 15, 50},
			{"days", len(got.ByDay), 25, 25},
			{"machines", len(got.ByMachine), 9, 9},
		} {
			if check.is < check.from || check.is > check.to {
				t.Errorf("seed %d: %d %s, want %d to %d", seed, check.is, check.what, check.from, check.to)
			}
		}
	}
}

// TestAMonthHasTheQuirksOfARealOne names each quirk by the line of a file that shows it.
func TestAMonthHasTheQuirksOfARealOne(t *testing.T) {
	quirks := []struct{ name, file, line string }{
		{"dates are serial numbers", "shift-reports/monthlyReports_201903.csv", `^43525,1,NO\.01,`},
		{"a column is misspelt", "shift-reports/monthlyReports_201903.csv", `^recordDate,.*,plasticResine,plasticResineCode,plasticResineLot,`},
		{"an idle row has no order and no figures", "shift-reports/monthlyReports_201903.csv", `^\d+,\d,NO\.\d\d,[^,]+,{28}$`},
		{"a row may say 0, without a number of cavities", "shift-reports/monthlyReports_201903.csv", `,SP\d+,[^,]+,0,,0,0,,`},
		{"a lot number may have a blank within it", "shift-reports/monthlyReports_201903.csv", `,\dK\d\d \d{3},`},
		{"a lot number may have blanks around it", "shift-reports/monthlyReports_201903.csv", `,( [^ ,]+|[^ ,]+ ),`},
		{"a lot number may be missing", "shift-reports/monthlyReports_201903.csv", `,SP\d+,.*-N,\w+,,`},
		{"a change of mould is noted", "shift-reports/monthlyReports_201903.csv", `,\w+-M-\d+>\w+-M-\d+,`},
		{"a header has blanks around it", "orders/purchaseOrder_190301.csv", `^poReceivedDate,.*, itemQuantity ,`},
		{"a sum carries the noise of binary numbers", "orders/purchaseOrder_190301.csv", `,\d+\.\d{15},`},
		{"a bill carries it too", "master-data/itemCompositionSummary.csv", `,\d+\.\d{15},`},
		{"a machine left its place", "master-data/machineInfo.csv", `^NO\.02,TR50E-001,TR50E,Tarnow,50,1,\d+,\d+,None$`},
		{"another one took it", "master-data/machineInfo.csv", `^NO\.02,KB100S-002,KB100S,Kellberg,100,2,\d+,,TR50E-001$`},
		{"a formula is amiss", "master-data/moldInfo.csv", `,#REF!,`},
	}
	for seed := range uint64(12) {
		dir, _ := madeUp(t, seed)
		files := contents(t, dir)
		for _, q := range quirks {
			if !regexp.MustCompile(`(?m)` + q.line).MatchString(files[q.file]) {
				t.Errorf("seed %d: %s: no line of %s shows it", seed, q.name, q.file)
			}
		}
	}
}

func TestAMachineIsReportedWhereItStands(t *testing.T) {
	dir, _ := madeUp(t, 3)
	type standing struct{ place, code string }
	last := map[standing]string{}
	first := map[standing]string{}
	for _, r := range readCSV(t, filepath.Join(dir, reportFolder, "monthlyReports_201903.csv")) {
		s := standing{r["machineNo"], r["machineCode"]}
		if last[s] = r["recordDate"]; first[s] == "" {
			first[s] = r["recordDate"]
		}
	}
	if len(last) != 11 {
		t.Errorf("machines at places: %d, want 9 and 2 that moved", len(last))
	}
	for _, m := range readCSV(t, filepath.Join(dir, masterFolder, "machineInfo.csv")) {
		s := standing{m["machineNo"], m["machineCode"]}
		if from := first[s]; from != "" && from < m["layoutStartDate"] {
			t.Errorf("%v is reported on %s, before it stood there on %s", s, from, m["layoutStartDate"])
		}
		if to := m["layoutEndDate"]; to != "" && last[s] >= to {
			t.Errorf("%v is reported on %s, after it left on %s", s, last[s], to)
		}
	}
}

func TestAnOrderIsTheSameRecordAsWorkbookAndAsCSV(t *testing.T) {
	numbers := []string{"itemQuantity", "plasticResinQuantity", "colorMasterbatchQuantity", "additiveMasterbatchQuantity"}
	dates := []string{"poReceivedDate", "poETA"}
	dir, _ := madeUp(t, 5)
	records := 0
	for _, name := range []string{"190217", "190301", "190320"} {
		read := func(kind format.Kind) []map[string]any {
			body, err := os.ReadFile(filepath.Join(dir, orderFolder, "purchaseOrder_"+name+"."+string(kind)))
			if err != nil {
				t.Fatal(err)
			}
			var all []map[string]any
			for record, err := range format.Split(format.Spec{Kind: kind, Numbers: numbers, Dates: dates, SkipEmpty: true}, body, format.Limits{}) {
				if err != nil {
					t.Fatalf("%s.%s: %v", name, kind, err)
				}
				all = append(all, record.Value)
			}
			return all
		}
		table := read(format.CSV)
		records += len(table)
		if diff := cmp.Diff(table, read(format.XLSX)); diff != "" {
			t.Errorf("%s (-csv +xlsx):\n%s", name, diff)
		}
	}
	if records != 70 {
		t.Errorf("%d orders, want 70", records)
	}
}

func TestScaledNumbersAreWrittenAsASpreadsheetDoes(t *testing.T) {
	for _, test := range []struct{ name, got, want string }{
		{"hundredths lose their zeros", hundredths(1250), "12.5"},
		{"whole numbers have no point", hundredths(1200), "12"},
		{"less than one keeps its zero", hundredths(7), "0.07"},
		{"nothing is empty", hundredths(0), ""},
		{"binary noise", noisy(3192), "31.919999999999998"},
		{"whole numbers have no noise", noisy(1200), "12"},
		{"beyond seventeen digits there is none", noisy(12_345), "123.45"},
	} {
		if test.got != test.want {
			t.Errorf("%s: %q, want %q", test.name, test.got, test.want)
		}
	}
}

// readCSV reads a table by the names of its columns, without the code under test.
func readCSV(t *testing.T, path string) []map[string]string {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	lines, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	var rows []map[string]string
	for _, line := range lines[1:] {
		row := map[string]string{}
		for i, cell := range line {
			row[strings.TrimSpace(lines[0][i])] = strings.TrimSpace(cell)
		}
		rows = append(rows, row)
	}
	return rows
}

// recount counts a month from its CSV files alone.
func recount(t *testing.T, dir string) Totals {
	t.Helper()
	got := newTotals()
	bills := recountBills(t, dir)
	shifts, lots, orders := map[string]int{}, map[string]bool{}, map[string]bool{}
	for _, path := range glob(t, dir, "shift-reports/*.csv") {
		for _, r := range readCSV(t, path) {
			got.Rows++
			shifts[r["recordDate"]+"/"+r["workingShift"]+"/"+r["machineNo"]]++
			if r["poNote"] == "" {
				got.IdleRows++
				continue
			}
			made := Count{Total: whole(t, r["itemTotalQuantity"]), Good: whole(t, r["itemGoodQuantity"])}
			for column, code := range map[string]string{
				"itemBlackSpot": "black-spot", "itemOilDeposit": "oil-deposit", "itemScratch": "scratch", "itemCrack": "crack",
				"itemSinkMark": "sink-mark", "itemShort": "short", "itemBurst": "burst", "itemBend": "bend", "itemStain": "stain", "otherNG": "other",
			} {
				bad := whole(t, r[column])
				got.ByReason[code] += bad
				made.Rejected += bad
			}
			if made.Total != made.Good+made.Rejected {
				t.Errorf("row %v does not balance: %+v", r, made)
			}
			if made.Total == 0 {
				got.ZeroRows++
			} else {
				orders[r["poNote"]] = true
				got.ResinMilligrams[r["plasticResineCode"]] += made.Total * bills[r["itemCode"]+"/"+r["plasticResineCode"]]
			}
			if r["plasticResineLot"] != "" {
				lots[r["plasticResineCode"]+"/"+r["plasticResineLot"]] = true
			}
			got.Count = got.plus(made)
			day := fmt.Sprintf("2019-03-%02d", whole(t, r["recordDate"])-43524)
			for counts, key := range map[*map[string]Count]string{&got.ByItem: r["itemCode"], &got.ByOrder: r["poNote"], &got.ByMachine: r["machineNo"], &got.ByDay: day} {
				(*counts)[key] = (*counts)[key].plus(made)
			}
			if _, ok := bills[r["itemCode"]+"/"+r["plasticResineCode"]]; !ok {
				t.Errorf("row %v: no bill for its item and resin", r)
			}
		}
	}
	for _, rows := range shifts {
		if rows > 1 {
			got.SharedShifts++
		}
	}
	got.ResinLots, got.OrdersProduced = len(lots), len(orders)
	for _, path := range glob(t, dir, "orders/*.csv") {
		got.OrdersPlaced += len(readCSV(t, path))
	}
	for _, path := range glob(t, dir, "master-data/*.csv") {
		for _, row := range readCSV(t, path) {
			for _, cell := range row {
				if strings.HasPrefix(cell, "#") {
					got.FailedFormulas++
				}
			}
		}
	}
	return got
}

// recountBills reads the resin of each item and resin in hundredths of a
// kilogram, without noise: the digits after the fifteenth are rounded away.
func recountBills(t *testing.T, dir string) map[string]int64 {
	t.Helper()
	bills := map[string]int64{}
	for _, row := range readCSV(t, filepath.Join(dir, masterFolder, "itemCompositionSummary.csv")) {
		units, fraction, _ := strings.Cut(row["plasticResinQuantity"], ".")
		fraction = (fraction + "000")[:max(3, len(fraction))]
		hundredth := whole(t, fraction[:2])
		if fraction[2] >= '5' {
			hundredth++
		}
		key := row["itemCode"] + "/" + row["plasticResinCode"]
		if _, twice := bills[key]; twice {
			t.Errorf("item and resin %s have two bills", key)
		}
		bills[key] = whole(t, units)*100 + hundredth
	}
	return bills
}

func glob(t *testing.T, dir, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, filepath.FromSlash(pattern)))
	if err != nil || len(paths) == 0 {
		t.Fatalf("%s in %s: %d files, %v", pattern, dir, len(paths), err)
	}
	return paths
}

func whole(t *testing.T, text string) int64 {
	t.Helper()
	if text == "" {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n
}
