package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/internal/erp"
)

// A floor is the MES of the three plants: it takes orders in, and reports what comes of
// them.
type floor struct {
	url    string
	server *http.Server
	served chan error

	mu     sync.Mutex
	orders map[string]job
}

// A job is an order as the floor has taken it in.
type job struct {
	number     string
	Plant      string   `json:"plant"`
	Item       string   `json:"item"`
	Quantity   string   `json:"quantity"`
	Unit       string   `json:"unit"`
	Operations []string `json:"operations"`
}

// code is the plant as the ERP calls it.
func (j job) code() string { return strings.ToUpper(j.Plant) }

// lot is the number of the lot that the job gives.
func (j job) lot() string { return "L-" + j.number }

func newFloor(ctx context.Context) (*floor, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	f := &floor{url: "http://" + listener.Addr().String(), orders: map[string]job{}, served: make(chan error, 1)}
	routes := http.NewServeMux()
	routes.HandleFunc("PUT /orders/{number}", f.takeIn)
	f.server = &http.Server{Handler: routes, ReadHeaderTimeout: 10 * time.Second}
	go func() { f.served <- f.server.Serve(listener) }()
	return f, nil
}

func (f *floor) close() error {
	err := f.server.Close()
	if served := <-f.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

func (f *floor) takeIn(w http.ResponseWriter, r *http.Request) {
	j := job{number: r.PathValue("number")}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, 1<<20)).Decode(&j); err != nil {
		w.WriteHeader(http.StatusUnprocessableEntity)
		fmt.Fprintf(w, `{"error": %q}`, err)
		return
	}
	f.mu.Lock()
	f.orders[j.number] = j
	f.mu.Unlock()
	fmt.Fprintf(w, `{"order": %q}`, j.number)
}

func (f *floor) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.orders)
}

// jobs are the orders in the order of their numbers.
func (f *floor) jobs() []job {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []job
	for _, j := range f.orders {
		all = append(all, j)
	}
	slices.SortFunc(all, func(a, b job) int { return cmp.Compare(a.number, b.number) })
	return all
}

// waitForOrders waits until every order that the ERP has released is on the floor.
func (f *floor) waitForOrders(ctx context.Context) error {
	released := 0
	for _, o := range erp.Orders() {
		if !o.Draft {
			released++
		}
	}
	for until := time.Now().Add(3 * time.Minute); f.count() < released; {
		if time.Now().After(until) {
			return fmt.Errorf("%d of %d orders came to the floor within three minutes", f.count(), released)
		}
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// A line is so much of an item, as messages of the floor and the handhelds say it.
type line struct {
	Item     string `json:"item"`
	Lot      string `json:"lot,omitempty"`
	Quantity string `json:"quantity"`
	Unit     string `json:"unit"`
}

// unitOf is what the floor calls the unit of an item.
func unitOf(item string) string {
	for _, i := range erp.Items() {
		if i.Code == item && i.Unit != "u" {
			return i.Unit
		}
	}
	return "pcs"
}

// lotAt is the lot that a plant takes an item from: the first that was opened.
func lotAt(plant, item string) string {
	for _, o := range erp.Openings() {
		if o.Plant == plant && o.Item == item && o.Lot != "" {
			return erp.LotOf(item, o.Lot)
		}
	}
	return ""
}

// today is when things happen on the floor: a while ago, so that no clock of a plant is
// ahead of the ERP's.
func (d *demo) today(after time.Duration) string {
	return d.began.Add(-3 * time.Hour).Add(after).UTC().Format(time.RFC3339)
}

// produce works every job: consumption, operations, completion with good and scrap.
func (d *demo) produce(ctx context.Context) error {
	for i, j := range d.floor.jobs() {
		if err := d.consume(ctx, i, j); err != nil {
			return err
		}
		for n, operation := range j.Operations {
			err := d.hub.send(ctx, "mes", "operation", map[string]any{
				"number": fmt.Sprintf("O-%s-%d", j.number, n), "plant": j.Plant, "order": j.number, "operation": operation,
				"from": d.today(time.Duration(n) * time.Minute), "to": d.today(time.Duration(n+1) * time.Minute), "minutes": "1",
			})
			if err != nil {
				return err
			}
		}
		good, scrap := j.yield()
		if err := d.complete(ctx, j, good, scrap, false); err != nil {
			return err
		}
		d.books.give(d.books.order(j.number, j.code(), j.Item), j.lot(), good, scrap, erp.Hold)
	}
	return nil
}

// consume reports what went into a job: what its bill asks for, of the first input a
// little more or less.
func (d *demo) consume(ctx context.Context, i int, j job) error {
	at := slices.IndexFunc(erp.Bills(), func(b erp.Bill) bool { return b.Item == j.Item })
	if at < 0 {
		return fmt.Errorf("order %s is of %s, which has no bill", j.number, j.Item)
	}
	bill, account := erp.Bills()[at], d.books.order(j.number, j.code(), j.Item)
	var lines []line
	for n, need := range bill.Needs {
		quantity, err := must(need.Quantity).Mul(must(j.Quantity))
		if err != nil {
			return err
		}
		scaled, err := event.FromScaled(1, len(bill.Quantity)-1) // bills are for 100 or 1000
		if err != nil {
			return err
		}
		if quantity, err = quantity.Mul(scaled); err != nil {
			return err
		}
		if n == 0 && unitOf(need.Item) == "kg" {
			quantity = quantity.Add([]event.Decimal{must("0.125"), must("-0.25")}[i%2])
		}
		lot := lotAt(j.code(), need.Item)
		lines = append(lines, line{need.Item, lot, quantity.String(), unitOf(need.Item)})
		d.books.use(account, need.Item, lot, quantity)
	}
	return d.hub.send(ctx, "mes", "consumption", map[string]any{
		"number": "C-" + j.number, "plant": j.Plant, "order": j.number, "center": j.Operations[0], "at": d.today(0), "lines": lines,
	})
}

// yield is what comes of a job: a hundredth of it and a bit is scrap.
func (j job) yield() (good, scrap event.Decimal) {
	ordered := must(j.Quantity)
	scrap = map[string]event.Decimal{"kg": must("1.5"), "l": must("12.5")}[j.Unit]
	if scrap.IsZero() {
		scrap = must("25")
	}
	return ordered.Sub(scrap), scrap
}

// complete reports the completion of a job, anew where it was reported before.
func (d *demo) complete(ctx context.Context, j job, good, scrap event.Decimal, cancelled bool) error {
	return d.hub.send(ctx, "mes", "completion", map[string]any{
		"number": "P-" + j.number, "plant": j.Plant, "order": j.number, "center": j.Operations[len(j.Operations)-1], "at": d.today(time.Hour),
		"unit": j.Unit, "rejected": scrap.String(), "reason": "START", "cancelled": cancelled,
		"lines": []line{{j.Item, j.lot(), good.String(), j.Unit}},
	})
}
