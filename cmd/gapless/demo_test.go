package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/examples/three-plants/simulator"
)

func TestADayFailsWhereItIsNotAsItMustBe(t *testing.T) {
	for name, test := range map[string]struct {
		change func(a *dayAccount)
		usual  bool
		want   string // of the only failure; "" for none
	}{
		"as it must be":              {func(*dayAccount) {}, true, ""},
		"too few answers were lost":  {func(a *dayAccount) { a.AnswersLost = 49 }, true, "49 answers were lost"},
		"too few were posted late":   {func(a *dayAccount) { a.LatePosts = 19 }, true, "19 were posted late"},
		"the search missed too few":  {func(a *dayAccount) { a.FindLagged = 19 }, true, "missed what was posted 19 times"},
		"a small day has few faults": {func(a *dayAccount) { a.AnswersLost, a.LatePosts, a.FindLagged = 1, 0, 0 }, false, ""},
		"too few kills":              {func(a *dayAccount) { a.Kills = 2 }, false, "killed 2 times"},
		"too few exceptions":         {func(a *dayAccount) { a.Causes[0].Raised-- }, true, "299 exceptions of 10 causes"},
		"posted twice":               {func(a *dayAccount) { a.PostedTwice = 1 }, true, "1 were posted twice"},
		"acknowledged and lost":      {func(a *dayAccount) { a.Missing = []string{"erp: 7"} }, true, "not on record"},
		"unexplained":                {func(a *dayAccount) { a.Unexplained = make([]difference, 2) }, true, "2 differences"},
		"not acknowledged":           {func(a *dayAccount) { a.Waiting = 1 }, true, "1 messages of the systems"},
		"still under way":            {func(a *dayAccount) { a.UnderWay = 3 }, true, "3 steps are still under way"},
	} {
		t.Run(name, func(t *testing.T) {
			a := &dayAccount{Kills: wantedKills, Causes: slices.Repeat([]cause{{Raised: wantedExceptions / wantedCauses}}, wantedCauses), Faults: simulator.Faults{AnswersLost: wantedLost, LatePosts: wantedLate, FindLagged: wantedLagged}}
			test.change(a)
			a.judge(test.usual)
			if got := strings.Join(a.Failures, "; "); (test.want == "") != (got == "") || !strings.Contains(got, test.want) || len(a.Failures) > 1 {
				t.Errorf("failures %q, want %q", got, test.want)
			}
		})
	}
}

func TestADifferenceIsExplainedByWhatIsOpenAboutTheSameThing(t *testing.T) {
	books := booksOf([]simulator.Books{{System: "graz-mes", Kind: "mes", Lots: []simulator.Lot{{Lot: "G26-00004", Order: "1000003"}}}})
	receipt := exception{Command: "c", System: "erp", Name: "receive-goods", Ref: "lot/G-1100/G26-00004", Reason: "period_closed"}
	status := exception{Command: "c", System: "erp", Name: "stock-status", Ref: "lot/G-1100/G26-00004", Reason: "lot_missing"}
	confirmation := exception{Command: "c", System: "erp", Name: "confirm-order", Ref: "order/1000003", Reason: "period_closed"}
	scrap := exception{Command: "c", System: "erp", Name: "post-scrap", Ref: "order/1000003", Reason: "wrong_state"}
	message := exception{Message: "m", System: "graz-mes", Name: "gutmeldung", Ref: "lot/G-1100/G26-00004", Reason: "reference_missing"}
	good := simulator.Disagreement{System: "erp", About: "good", Order: "1000003"}
	of := func(system, about string) simulator.Disagreement {
		return simulator.Disagreement{System: system, About: about, Lot: "G26-00004", Order: "1000003"}
	}
	for name, test := range map[string]struct {
		open      exception
		differs   simulator.Disagreement
		explained bool
	}{
		"a receipt by the receipt":                      {receipt, of("erp", "receipt"), true},
		"the good of an order by the receipt of a lot":  {receipt, good, true},
		"a status by the receipt that it waits for":     {receipt, of("graz-wms", "status"), true},
		"a receipt not by one of another lot":           {receipt, simulator.Disagreement{System: "erp", About: "receipt", Lot: "G26-00005"}, false},
		"scrap not by a receipt":                        {receipt, simulator.Disagreement{System: "erp", About: "scrap", Order: "1000003"}, false},
		"a status by a status":                          {status, of("erp", "status"), true},
		"a status not by a status at another system":    {status, of("graz-wms", "status"), false},
		"a receipt not by a status":                     {status, of("erp", "receipt"), false},
		"the good of an order not by a confirmation":    {confirmation, good, false},
		"scrap by scrap":                                {scrap, simulator.Disagreement{System: "erp", About: "scrap", Order: "1000003"}, true},
		"anything by a message about it that is held":   {message, of("erp", "status"), true},
		"nothing by a message about another thing":      {message, simulator.Disagreement{System: "erp", About: "status", Lot: "G26-00005"}, false},
		"the good of another order not by that receipt": {receipt, simulator.Disagreement{System: "erp", About: "good", Order: "1000004"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			e := &explainer{books, []exception{test.open}}
			if x := e.explain(&test.differs, "mes"); (x.Reason != "") != test.explained {
				t.Errorf("%+v", x)
			}
		})
	}
}

func TestWhatWasPostedTwiceIsFoundInTheBooksAlone(t *testing.T) {
	folder := t.TempDir()
	lines := `{"kind":"act","note":{"number":"x","key":"k"}}
{"kind":"status-task","note":{"number":"C-1","key":"once"}}
{"kind":"status-task","note":{"number":"C-2","key":"again"}}
{"kind":"status-task","note":{"number":"C-3","key":"again"}}
`
	if err := os.MkdirAll(filepath.Join(folder, "graz-wms"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(folder, "graz-wms", "books.jsonl"), []byte(lines), 0o600); err != nil {
		t.Fatal(err)
	}
	quantity := event.Decimal{}
	books := booksOf([]simulator.Books{
		{System: "graz-wms", Kind: "wms"},
		{System: "erp", Kind: "erp", Postings: []simulator.Posting{
			{Document: "1", Movement: simulator.Receipt, Reference: "once", Quantity: quantity},
			{Document: "2", Movement: simulator.Receipt, Reference: "twice", Quantity: quantity},
			{Document: "3", Movement: simulator.Receipt, Reference: "twice", Quantity: quantity},
			{Document: "4", Movement: simulator.Receipt, Reference: "reversed by hand", Quantity: quantity},
			{Document: "5", Movement: simulator.Receipt, Reference: "reversed by hand", Quantity: quantity},
			{Document: "6", Movement: simulator.Reversal, Amends: "5", Quantity: quantity},
			{Document: "7", Movement: simulator.SupplierReceipt, Quantity: quantity},
			{Document: "8", Movement: simulator.SupplierReceipt, Quantity: quantity},
		}},
	})
	twice, err := books.postedTwice(folder)
	if diff := cmp.Diff([]string{"erp twice: 2, 3", "graz-wms again: C-2, C-3"}, twice); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}
