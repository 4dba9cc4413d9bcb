package flow_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/gapless/gapless/catalog"
	mouldingplant "github.com/gapless/gapless/examples/moulding-plant"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/report"
)

// open runs a flow over a new SQLite ledger until the test ends.
func open(t *testing.T, cat *catalog.Catalog) *flow.Flow {
	t.Helper()
	f, err := flow.Open(t.Context(), flow.Config{Catalog: cat, Ledger: ledger.Config{Database: filepath.Join(t.TempDir(), "gapless.db")}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- f.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Errorf("Run: %v", err)
		}
		f.Close()
	})
	return f
}

func load(t *testing.T) *catalog.Catalog {
	t.Helper()
	cat, findings := catalog.Load(mouldingplant.Catalog())
	for _, f := range findings {
		t.Log(f)
	}
	if cat == nil {
		t.Fatal("the catalog of the example does not load")
	}
	return cat
}

var media = map[string]string{".csv": "text/csv", ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}

// send takes a file in and counts the answers by outcome.
func send(t *testing.T, f *flow.Flow, file mouldingplant.File) map[ledger.Outcome]int {
	t.Helper()
	body, err := os.ReadFile(file.Path)
	if err != nil {
		t.Fatal(err)
	}
	outcomes := map[ledger.Outcome]int{}
	d := flow.Delivery{From: ledger.Principal{Name: file.System, System: file.System}, System: file.System, Message: file.Message,
		ContentType: media[filepath.Ext(file.Path)], Channel: "file:" + filepath.Base(file.Path), Body: body}
	for answer, err := range f.Take(t.Context(), d) {
		switch {
		case err != nil:
			t.Fatalf("%s: %v", file.Path, err)
		case answer.Refused != nil:
			t.Errorf("%s row %d: refused: %v", file.Path, answer.Record, answer.Refused)
		case answer.Fault != nil:
			outcomes[answer.Outcome]++
			if outcomes[answer.Outcome] <= 2 {
				t.Logf("%s row %d: %v", file.Path, answer.Record, answer.Fault)
			}
		default:
			outcomes[answer.Outcome]++
		}
	}
	return outcomes
}

func TestAMadeUpMonthComesOutExactly(t *testing.T) {
	dir := t.TempDir()
	totals, err := mouldingplant.Write(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	files, err := mouldingplant.Files(dir)
	if err != nil {
		t.Fatal(err)
	}
	f := open(t, load(t))
	for _, file := range files {
		t.Log(filepath.Base(file.Path), send(t, f, file))
	}
	p, err := report.ProductionReport(t.Context(), f.Ledger(), report.Query{By: "reason"})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", totals)
	t.Logf("%+v orders %d", p.Totals, p.Orders)
}
