package simulator

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/gapless/gapless/event"
)

// follow lives through a day, with somebody who at once has the ERP and the
// warehouses do what follows from every act, and makes no mistake. It answers the
// books, and what the ERP refused.
func follow(t *testing.T, seed uint64, orders int) ([]Books, map[string]int) {
	t.Helper()
	c, err := open(Config{Seed: seed, Orders: orders, Folder: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer c.close() //nolint:errcheck // it is only read
	f := &follower{t: t, company: c, refused: map[string]int{}, receipts: map[string]string{}, stuck: map[string]bool{}}
	for i := range c.day {
		a := &c.day[i]
		f.does(a)
		f.follows(a)
	}
	all := make([]Books, len(c.systems))
	for i, s := range c.systems {
		all[i] = s.normal()
	}
	return all, f.refused
}

type follower struct {
	t        *testing.T
	company  *company
	refused  map[string]int
	receipts map[string]string // report -> document
	stuck    map[string]bool   // reports that the ERP refused
}

// takes folds a change without a journal, which is not what is looked at here.
func (f *follower) takes(s *system, kind string, note any) {
	f.t.Helper()
	text, err := json.Marshal(note)
	if err != nil {
		f.t.Fatal(err)
	}
	if err := s.books.fold(kind, text); err != nil {
		f.t.Fatal(err)
	}
}

func (f *follower) does(a *Act) {
	f.t.Helper()
	s := f.company.byName[a.System]
	c, err := s.books.act(a, a.At)
	if err != nil {
		f.t.Fatal(err)
	}
	f.takes(s, c.kind, c.note)
}

func (f *follower) follows(a *Act) {
	f.t.Helper()
	if a.Wrong != "" {
		return // nothing follows before it is said right
	}
	p, _ := plantOf(a.Plant)
	r := request{
		Site: p.site, Order: a.Order, Item: f.company.erp.books.goods.number(erpName, a.Material), Lot: a.Lot,
		Quantity: a.Quantity.Value.String(), Unit: erpUnits[a.Quantity.Unit], PostingDate: a.Occurred.Format(time.DateOnly), Reason: a.Reason,
	}
	made := a.Does == Produce || a.Does == EndOperation && a.Operation == countingOperation
	switch {
	case made:
		f.receive(a, r)
		f.states(a)
	case a.Does == Restate:
		r.Movement, r.Amends = "PC", f.receipts[a.Report]
		r.Quantity = a.Quantity.Value.Sub(f.reported(a)).String()
		f.posts(r)
	case a.Does == Cancel:
		r.Movement, r.Amends = "PX", f.receipts[a.Report]
		f.posts(r)
	case a.Does == Scrap:
		r.Movement = "SC"
		f.stuck[a.Report] = f.posts(r) == ""
	case a.System == qmsName && a.Does != Inspect:
		f.states(a)
	case a.Does == UnlockOrder, a.Does == OpenPeriod:
		f.resumes()
	}
}

// reported is what a report said before it was restated, in the unit of the report.
func (f *follower) reported(restated *Act) (before event.Decimal) {
	for i := range f.company.day {
		if a := &f.company.day[i]; a.Report == restated.Report && a.Does == Produce && a.System == restated.System {
			before = a.Quantity.Value
		}
	}
	return before
}

func (f *follower) receive(a *Act, r request) {
	r.Movement = "PR"
	document := f.posts(r)
	f.receipts[a.Report], f.stuck[a.Report] = document, document == ""
}

// resumes posts what was refused.
func (f *follower) resumes() {
	for i := range f.company.day {
		if a := &f.company.day[i]; f.stuck[a.Report] && (a.Does == Produce || a.Does == Scrap) {
			f.follows(a)
		}
	}
}

func (f *follower) posts(r request) string {
	erp := f.company.erp
	p, refused := erp.books.check(&r)
	if refused != nil {
		f.refused[refused.Code]++
		return ""
	}
	f.takes(erp.system, postingKind, p)
	return p.Document
}

// states has the ERP and the warehouse give a lot the status that quality wants now.
func (f *follower) states(a *Act) {
	f.t.Helper()
	p, _ := plantOf(a.Plant)
	qms, ok := f.company.byName[qmsName].books.(*qmsBooks)
	l := qms.lots[lotKey{a.Plant, a.Material, a.Lot}]
	if !ok || l == nil {
		return
	}
	r := request{
		Movement: "ST", Site: p.site, Item: f.company.erp.books.goods.number(erpName, a.Material), Lot: a.Lot, To: erpStatus[l.follows()],
		PostingDate: a.At.Format(time.DateOnly),
	}
	wish := statusWish{Status: wmsStatus[l.follows()]}
	if l.follows() == "" {
		r.Unit, wish.Unit = erpUnits[l.Parts[0].Quantity.Unit], wmsUnits[l.Parts[0].Quantity.Unit]
		for _, x := range l.Parts {
			r.Parts = append(r.Parts, requestPart{erpStatus[x.Status], x.Quantity.Value.String()})
			wish.Parts = append(wish.Parts, part{wmsStatus[x.Status], x.Quantity.Value.String()})
		}
	}
	f.posts(r)
	s := f.company.byName[p.wms()]
	books, _ := s.books.(*wmsBooks)
	w := &wmsServer{s, books, f.company.clock}
	task, code, _ := w.plan(fmt.Sprintf("%s/%d", a.ID, books.last), books.goods.number(p.wms(), a.Material), a.Lot, &wish)
	if code != "" {
		f.refused[code]++
		return
	}
	f.takes(s, taskKind, task)
}

// TestAllBooksAgreeWhenEverythingIsFollowed is what makes the day a fair test: when
// every system does what follows, nothing is left but what was made in a month that stays closed.
func TestAllBooksAgreeWhenEverythingIsFollowed(t *testing.T) {
	for seed := range uint64(3) {
		all, refused := follow(t, seed, 40)
		for _, d := range Compare(all) {
			if d.Order != closed(seed, 40).Order && d.Lot != closed(seed, 40).Lot {
				t.Errorf("seed %d: %+v", seed, d)
			}
		}
		if refused["PERIOD_CLOSED"] == 0 || refused["ORDER_STATE"] == 0 || refused["INSUFFICIENT_STOCK"] != 0 || refused["DOCUMENT_UNKNOWN"] != 0 {
			t.Errorf("seed %d: refused %v", seed, refused)
		}
	}
}

// closed is the lot that was made in a month that stays closed.
func closed(seed uint64, orders int) Act {
	for _, a := range Day(seed, orders) {
		if a.Story == "late from a closed month" && a.Plant == "puebla" && a.Does == Produce {
			return a
		}
	}
	return Act{}
}

func TestBooksThatDisagreeAreTold(t *testing.T) {
	all, _ := follow(t, 1, fewestOrders)
	before := len(Compare(all))
	for i := range all {
		switch b := &all[i]; b.Kind {
		case kindERP:
			for j := range b.Postings {
				if p := b.Postings[j]; p.Movement == Receipt {
					b.Postings = append(b.Postings, p) // posted twice
					break
				}
			}
			b.Stock[len(b.Stock)-1].Status = "lost"
		case kindWMS:
			b.Stock = b.Stock[1:]
		}
	}
	if got := len(Compare(all)) - before; got < 4 {
		t.Errorf("%d disagreements more, want a double receipt, a status of the ERP and one of a warehouse at least", got)
	}
}
