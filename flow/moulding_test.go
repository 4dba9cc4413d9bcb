package flow_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/event"
	mouldingplant "github.com/gapless/gapless/examples/moulding-plant"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/report"
)

// open runs a flow over a new SQLite ledger until the test ends.
func open(t testing.TB, cat *catalog.Catalog) *flow.Flow {
	t.Helper()
	f, err := flow.Open(t.Context(), flow.Config{Catalog: cat, Ledger: ledger.Config{Database: filepath.Join(t.TempDir(), "gapless.db")}})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
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

func mouldingCatalog(t *testing.T) *catalog.Catalog {
	t.Helper()
	cat, findings := catalog.Load(mouldingplant.Catalog())
	if cat == nil {
		t.Fatalf("the catalog of the example does not load: %v", findings)
	}
	return cat
}

// month is a plant's month: files and the totals that do not come from the hub.
type month struct {
	files  []mouldingplant.File
	totals mouldingplant.Totals
}

// months are the made-up month and, where its data is present, the real one.
func months(t *testing.T) map[string]month {
	t.Helper()
	dir := t.TempDir()
	totals, err := mouldingplant.Write(dir, 1)
	if err != nil {
		t.Fatal(err)
	}
	files, err := mouldingplant.Files(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]month{"made-up": {files, totals}}
	actual, ok := realMonth(t)
	if !ok {
		t.Log("only the made-up month is tested: name the folder with the real one in GAPLESS_DATA")
		return all
	}
	all["real"] = month{actual, mouldingplant.RealTotals()}
	return all
}

func realMonth(t *testing.T) ([]mouldingplant.File, bool) {
	t.Helper()
	dir := os.Getenv("GAPLESS_DATA")
	if dir == "" {
		dir = "../../shared/data"
	}
	dir = filepath.Join(dir, "moulding-plant")
	if _, err := os.Stat(dir); err != nil {
		return nil, false
	}
	files, err := mouldingplant.Files(dir)
	if err != nil {
		t.Fatal(err)
	}
	return files, true
}

var media = map[string]string{".csv": "text/csv", ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet", ".json": "application/json"}

// sent counts what became of a file's records.
type sent struct {
	outcomes map[ledger.Outcome]int
	refused  int
}

// send takes content in as a file of the plant.
func send(t *testing.T, f *flow.Flow, file mouldingplant.File, body []byte) sent {
	t.Helper()
	result := sent{outcomes: map[ledger.Outcome]int{}}
	d := flow.Delivery{
		From: ledger.Principal{Name: file.System, System: file.System}, System: file.System, Message: file.Message,
		ContentType: media[filepath.Ext(file.Path)], Channel: "file:" + filepath.Base(file.Path), Body: body,
	}
	for answer, err := range f.Take(t.Context(), d) {
		switch {
		case err != nil:
			t.Fatalf("%s: %v", file.Path, err)
		case answer.Refused != nil:
			result.refused++
		default:
			result.outcomes[answer.Outcome]++
		}
	}
	return result
}

func sendFile(t *testing.T, f *flow.Flow, file mouldingplant.File) sent {
	t.Helper()
	body, err := os.ReadFile(file.Path)
	if err != nil {
		t.Fatal(err)
	}
	return send(t, f, file, body)
}

// settled waits until nothing heals any more.
func settled(t *testing.T, f *flow.Flow) {
	t.Helper()
	deadline := time.After(time.Minute)
	for {
		moved := f.Ledger().Moved()
		held, err := f.Ledger().Held(t.Context(), ledger.HeldFilter{Reason: fault.ReferenceMissing.Code, Limit: 1})
		if err != nil {
			t.Fatal(err)
		}
		if len(held) == 0 {
			return
		}
		select {
		case <-moved:
		case <-deadline:
			t.Fatalf("still held after a minute: %+v", held[0])
		}
	}
}

// figures are what a plant's month must come out as.
type figures struct {
	Total, Good, Rejected int64
	Orders                int
	ByReason              map[string]int64
}

func figuresOf(t *testing.T, f *flow.Flow) figures {
	t.Helper()
	p, err := report.ProductionReport(t.Context(), f.Ledger(), report.Query{By: "reason"})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Totals) != 1 {
		t.Fatalf("totals in one unit are wanted, there are %+v", p.Totals)
	}
	whole := func(d event.Decimal) int64 {
		n, err := strconv.ParseInt(d.String(), 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	got := figures{Total: whole(p.Totals[0].Total), Good: whole(p.Totals[0].Good), Rejected: whole(p.Totals[0].Rejected), Orders: p.Orders, ByReason: map[string]int64{}}
	for _, row := range p.Rows {
		if n := whole(row.Rejected); n != 0 {
			got.ByReason[row.Key] = n
		}
	}
	return got
}

func wanted(m month) figures {
	want := figures{Total: m.totals.Total, Good: m.totals.Good, Rejected: m.totals.Rejected, Orders: m.totals.OrdersProduced, ByReason: map[string]int64{}}
	for reason, n := range m.totals.ByReason {
		if n != 0 {
			want.ByReason[reason] = n
		}
	}
	return want
}

func TestAMonthComesOutExactlyInAnyOrderAndSentAgain(t *testing.T) {
	t.Parallel()
	cat := mouldingCatalog(t)
	for name, m := range months(t) {
		t.Run(name, func(t *testing.T) {
			forward, backward := open(t, cat), open(t, cat)
			for _, file := range m.files {
				sendFile(t, forward, file)
			}
			reversed := slices.Clone(m.files)
			slices.Reverse(reversed)
			for _, file := range reversed {
				sendFile(t, backward, file)
			}
			settled(t, backward)
			for order, f := range map[string]*flow.Flow{"in order": forward, "reversed": backward} {
				if diff := cmp.Diff(wanted(m), figuresOf(t, f)); diff != "" {
					t.Errorf("%s: figures differ (-want +got):\n%s", order, diff)
				}
			}
			before, err := forward.Ledger().Count(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range reversed {
				if got := sendFile(t, forward, file); got.outcomes[ledger.Duplicate] == 0 || len(got.outcomes) != 1 {
					t.Errorf("%s sent again: %v", filepath.Base(file.Path), got.outcomes)
				}
			}
			after, err := forward.Ledger().Count(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(before, after); diff != "" {
				t.Errorf("sending again changed the ledger:\n%s", diff)
			}
		})
	}
}

// reports are the rows of the shift reports, by column.
func reports(t *testing.T, m month) (mouldingplant.File, []string, []map[string]string) {
	t.Helper()
	for _, file := range m.files {
		if file.Message != "shift-report" {
			continue
		}
		body, err := os.ReadFile(file.Path)
		if err != nil {
			t.Fatal(err)
		}
		table, err := csv.NewReader(bytes.NewReader(body)).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		var rows []map[string]string
		for _, cells := range table[1:] {
			row := map[string]string{}
			for i, cell := range cells {
				row[table[0][i]] = cell
			}
			rows = append(rows, row)
		}
		return file, table[0], rows
	}
	t.Fatal("the month has no shift reports")
	return mouldingplant.File{}, nil, nil
}

func asCSV(t *testing.T, header []string, rows ...map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	_ = w.Write(header)
	for _, row := range rows {
		cells := make([]string, len(header))
		for i, name := range header {
			cells[i] = row[name]
		}
		_ = w.Write(cells)
	}
	w.Flush()
	if err := w.Error(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestARowIsTheSameMessageByFileAndByHTTP(t *testing.T) {
	for name, m := range months(t) {
		t.Run(name, func(t *testing.T) {
			f := open(t, mouldingCatalog(t))
			for _, file := range m.files {
				sendFile(t, f, file)
			}
			file, _, rows := reports(t, m)
			file.Path += ".json"
			for _, row := range rows[:100] {
				body, err := json.Marshal(row)
				if err != nil {
					t.Fatal(err)
				}
				if got := send(t, f, file, body); got.outcomes[ledger.Duplicate] != 1 {
					t.Fatalf("row %v: %+v", row, got)
				}
			}
			if diff := cmp.Diff(wanted(m), figuresOf(t, f)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestARowExportedAgainWithAnotherCountIsACorrection(t *testing.T) {
	m := months(t)["made-up"]
	f := open(t, mouldingCatalog(t))
	for _, file := range m.files {
		sendFile(t, f, file)
	}
	file, header, rows := reports(t, m)
	i := slices.IndexFunc(rows, func(r map[string]string) bool { return r["itemBlackSpot"] != "" && r["itemBlackSpot"] != "0" })
	row := rows[i]
	spots, _ := strconv.ParseInt(row["itemBlackSpot"], 10, 64)
	good, _ := strconv.ParseInt(row["itemGoodQuantity"], 10, 64)
	row["itemBlackSpot"], row["itemGoodQuantity"] = "", strconv.FormatInt(good+spots, 10) // good after all
	if got := send(t, f, file, asCSV(t, header, row)); got.outcomes[ledger.Corrected] != 1 {
		t.Fatalf("the new count: %+v", got)
	}
	want := wanted(m)
	want.Good, want.Rejected = want.Good+spots, want.Rejected-spots
	want.ByReason["black-spot"] -= spots
	if diff := cmp.Diff(want, figuresOf(t, f)); diff != "" {
		t.Error(diff)
	}
	trace, err := report.TraceOf(t.Context(), f.Ledger(), "order/"+row["poNote"])
	if err != nil {
		t.Fatal(err)
	}
	changes := map[event.Change]int{}
	for _, line := range trace.Lines {
		changes[line.Change]++
	}
	if changes[event.Correction] != 1 || changes[event.Reversal] != 1 {
		t.Errorf("the trace must show the corrected output and the reversed scrap, it has %v", changes)
	}
	if got := sendFile(t, f, file); len(got.outcomes) != 1 {
		t.Errorf("the first export sent again: %v", got.outcomes)
	}
	if diff := cmp.Diff(want, figuresOf(t, f)); diff != "" {
		t.Errorf("the first export sent again changed the figures:\n%s", diff)
	}
}

func TestWithoutOneRowTheTotalsAreLowerByExactlyThatRow(t *testing.T) {
	m := months(t)["made-up"]
	f := open(t, mouldingCatalog(t))
	for _, file := range m.files {
		if file.Message != "shift-report" {
			sendFile(t, f, file)
		}
	}
	file, header, rows := reports(t, m)
	i := slices.IndexFunc(rows, func(r map[string]string) bool { return len(r["itemTotalQuantity"]) > 2 })
	total, _ := strconv.ParseInt(rows[i]["itemTotalQuantity"], 10, 64)
	good, _ := strconv.ParseInt(rows[i]["itemGoodQuantity"], 10, 64)
	send(t, f, file, asCSV(t, header, slices.Delete(rows, i, i+1)...))
	got, want := figuresOf(t, f), wanted(m)
	if got.Total != want.Total-total || got.Good != want.Good-good || got.Rejected != want.Rejected-(total-good) {
		t.Errorf("without a row of %d parts, %d good: %+v; with it %+v", total, good, got, want)
	}
}
