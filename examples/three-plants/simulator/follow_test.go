package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// A clerk posts what the floor has made, as a careful client does: what was not
// answered is looked for, and only posted again when it cannot be there any more.
type clerk struct {
	*desk
	patience time.Duration // with an answer
	settles  time.Duration // how long something may still land after that
	unknown  int
	mu       sync.Mutex
}

// receive posts a receipt once, whatever the ERP does; it answers why it was refused.
func (c *clerk) receive(reference string, body map[string]any) string {
	body["reference"] = reference
	for range 50 {
		status, answer := c.within(c.patience, "POST", erpName, "/erp/documents", body)
		if status == http.StatusOK {
			return refusedIn(answer)
		}
		if status == http.StatusServiceUnavailable {
			pause(c.t.Context(), c.settles/8)
			continue // down: an answer, if not a nice one
		}
		c.mu.Lock()
		c.unknown++
		c.mu.Unlock()
		pause(c.t.Context(), c.settles)
		if c.found(reference) {
			return ""
		}
	}
	c.t.Errorf("%s was never answered", reference)
	return ""
}

func refusedIn(answer string) string {
	var a struct {
		Return struct{ Type, Code string } `json:"return"`
	}
	if err := json.Unmarshal([]byte(answer), &a); err != nil || a.Return.Type == "E" {
		return a.Return.Code
	}
	return ""
}

// found asks until the search is sure.
func (c *clerk) found(reference string) bool {
	for range 400 {
		status, answer := c.within(c.patience, "GET", erpName, "/erp/documents?reference="+reference, nil)
		switch {
		case status == http.StatusOK && !strings.Contains(answer, `"hits":[]`):
			return true
		case status == http.StatusOK && strings.Contains(answer, `"current":true`):
			return false
		}
		pause(c.t.Context(), c.settles/8)
	}
	c.t.Errorf("the search is never sure of %s", reference)
	return false
}

// TestACarefulClientPostsEveryReceiptOnce shows that the ERP can be followed without
// a gap and without a double, whatever it loses: so what a hub does worse is the hub's.
func TestACarefulClientPostsEveryReceiptOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("it posts several hundred receipts: not among the short tests")
	}
	d := newDesk(t, dayBegins)
	c := &clerk{desk: d, patience: 500 * time.Millisecond, settles: 850 * time.Millisecond}
	var made []*Act
	for i := range d.company.day {
		a := &d.company.day[i]
		if a.System == erpName && a.Does != LockOrder {
			if err := d.company.byName[erpName].do(a); err != nil {
				t.Fatal(err)
			}
		}
		if a.Does == Produce {
			made = append(made, a)
		}
	}
	d.look(func(*erpBooks) { d.company.clock.began, d.company.clock.speed = time.Now(), DefaultSpeed*4 }) // delays are a quarter
	refused := map[string]int{}
	var wg sync.WaitGroup
	desks := make(chan struct{}, 64)
	for i, a := range made {
		wg.Go(func() {
			desks <- struct{}{}
			defer func() { <-desks }()
			p, _ := plantOf(a.Plant)
			code := c.receive(fmt.Sprintf("lot-%05d", i), map[string]any{
				"movement": "PR", "site": p.site, "order": a.Order, "itemNo": newGoods().number(erpName, a.Material), "lot": a.Lot,
				"quantity": a.Quantity.Value.String(), "uom": erpUnits[a.Quantity.Unit], "postingDate": a.Occurred.Format(time.DateOnly),
			})
			c.mu.Lock()
			refused[code]++
			c.mu.Unlock()
		})
	}
	wg.Wait()
	if refused["PERIOD_CLOSED"] != 1 || len(refused) != 2 {
		t.Errorf("refused: %v", refused)
	}
	lots := map[string]int{}
	d.look(func(e *erpBooks) {
		for i := range e.postings {
			if e.postings[i].Movement == Receipt {
				lots[e.postings[i].Lot]++
			}
		}
	})
	for lot, n := range lots {
		if n != 1 {
			t.Errorf("lot %s was received %d times", lot, n)
		}
	}
	if len(lots) != len(made)-1 {
		t.Errorf("of %d lots %d were received", len(made), len(lots))
	}
	f := d.faults()
	if f.AnswersLost < 60 || f.LatePosts < 25 || f.FindLagged < 25 || c.unknown < 85 {
		t.Errorf("too little went wrong: %+v, %d unknown", f, c.unknown)
	}
}
