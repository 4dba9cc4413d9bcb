package mouldingplant

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// plantData is the folder of the real plant's month. Without it the test is skipped.
func plantData(t *testing.T) string {
	t.Helper()
	root := os.Getenv("GAPLESS_DATA")
	if root == "" {
		root = filepath.Join("..", "..", "..", "shared", "data")
	}
	dir := filepath.Join(root, "moulding-plant")
	if _, err := os.Stat(dir); err != nil {
		t.Skipf("the data of the real plant is not there (%v): only the made-up month is tested", err)
	}
	return dir
}

// madeUp writes the made-up month of a seed.
func madeUp(t *testing.T, seed uint64) (dir string, totals Totals) {
	t.Helper()
	dir = t.TempDir()
	totals, err := Write(dir, seed)
	if err != nil {
		t.Fatal(err)
	}
	return dir, totals
}

func TestFilesComeInTheOrderInWhichAPlantDropsThem(t *testing.T) {
	originals := []string{
		"master-data/resineInfo.xlsx moulding-erp/resin",
		"master-data/itemInfo.xlsx moulding-erp/item",
		"master-data/itemCompositionSummary.xlsx moulding-erp/item-composition",
		"master-data/machineInfo.xlsx moulding-erp/machine",
		"master-data/moldInfo.xlsx moulding-erp/mold",
		"master-data/moldSpecificationSummary.xlsx moulding-erp/mold-specification",
		"master-data/holidayNotes.xlsx moulding-erp/holiday",
		"orders/purchaseOrder_181020.xlsx moulding-erp/order",
		"orders/purchaseOrder_181101.xlsx moulding-erp/order",
		"orders/purchaseOrder_181120.xlsx moulding-erp/order",
		"shift-reports/monthlyReports_201811.csv moulding-mes/shift-report",
	}
	renamed := strings.NewReplacer(
		"master-data/resineInfo.xlsx", "master-data/resineInfo.csv", "itemInfo.xlsx", "itemInfo.csv", "Summary.xlsx", "Summary.csv",
		"machineInfo.xlsx", "machineInfo.csv", "moldInfo.xlsx", "moldInfo.csv", "holidayNotes.xlsx", "holidayNotes.csv",
		"181020", "190217", "181101", "190301", "181120", "190320", "201811", "201903",
	)
	var made []string
	for _, line := range originals {
		made = append(made, renamed.Replace(line))
	}

	t.Run("of the made-up month", func(t *testing.T) {
		dir, _ := madeUp(t, 1)
		compareFiles(t, dir, made)
	})
	t.Run("of the real month", func(t *testing.T) { compareFiles(t, plantData(t), originals) })
}

func compareFiles(t *testing.T, dir string, want []string) {
	t.Helper()
	files, err := Files(dir)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, f := range files {
		path, err := filepath.Rel(dir, f.Path)
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, filepath.ToSlash(path)+" "+f.System+"/"+f.Message)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("files (-want +got):\n%s", diff)
	}
}

func TestATableThatBelongsToNoMessageIsAnError(t *testing.T) {
	dir, _ := madeUp(t, 1)
	stray := filepath.Join(dir, "shift-reports", "dailyReport_0301.csv")
	if err := os.WriteFile(stray, []byte("a,b\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Files(dir); err == nil || !strings.Contains(err.Error(), stray) {
		t.Errorf("Files = %v, want an error that names %s", err, stray)
	}
}

func TestAFolderThatIsMissingIsAnError(t *testing.T) {
	_, err := Files(t.TempDir())
	if err == nil {
		t.Fatal("Files of an empty folder: no error")
	}
	for _, folder := range []string{"master-data", "orders", "shift-reports"} {
		if !strings.Contains(err.Error(), folder) {
			t.Errorf("the error does not name the folder %s: %v", folder, err)
		}
	}
}
