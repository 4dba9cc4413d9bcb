package simulator

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/gapless/gapless/event"
)

// A wmsServer is a warehouse as its clients see it. It honours keys: the same key
// with the same wish is the same task, however often it comes.
type wmsServer struct {
	system *system
	books  *wmsBooks
	clock  *clock
}

func (s *wmsServer) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /wms/lots/{sku}/{lot}/status", s.setStatus)
	mux.HandleFunc("GET /wms/tasks/{key}", s.task)
	mux.HandleFunc("GET /wms/stock", s.stock)
	return mux
}

// A statusWish is the body of a change of status.
type statusWish struct {
	Status    string `json:"status"`
	Parts     []part `json:"parts"`
	Unit      string `json:"uom"`
	Reference string `json:"ref"`
}

type part struct {
	Status   string `json:"status"`
	Quantity string `json:"qty"`
}

func (s *wmsServer) setStatus(w http.ResponseWriter, r *http.Request) {
	var wish statusWish
	if !readJSON(w, r, &wish) {
		return
	}
	key := r.Header.Get("Idempotency-Key")
	if key == "" {
		writeJSON(w, http.StatusBadRequest, map[string]string{"error": "KEY_MISSING", "message": "give an Idempotency-Key"})
		return
	}
	status, body := http.StatusOK, map[string]string{}
	err := s.system.with(func() error {
		t, code, text := s.plan(key, r.PathValue("sku"), r.PathValue("lot"), &wish)
		switch {
		case code != "":
			status, body = refusedBy[code], map[string]string{"error": code, "message": text}
			return nil
		case s.books.tasks[key].Key == "":
			if err := s.system.write(t.At, "", change{taskKind, t, s.reported(t)}); err != nil {
				return err
			}
		}
		body = map[string]string{"task": t.Number, "ref": t.Reference}
		return nil
	})
	if err != nil {
		cut(w)
		return
	}
	writeJSON(w, status, body)
}

var refusedBy = map[string]int{
	"KEY_USED": http.StatusUnprocessableEntity, "SKU_UNKNOWN": http.StatusNotFound, "LOT_UNKNOWN": http.StatusNotFound,
	"STATUS_UNKNOWN": http.StatusUnprocessableEntity, "QUANTITY": http.StatusConflict,
}

// plan is the task that a wish comes to, the one that there is, or why there is none.
func (s *wmsServer) plan(key, sku, lot string, wish *statusWish) (t task, code, text string) {
	wished, err := json.Marshal([]any{sku, lot, wish})
	if err != nil {
		return task{}, "STATUS_UNKNOWN", err.Error()
	}
	digest := sha256.Sum256(wished)
	asked := hex.EncodeToString(digest[:])
	if known, ok := s.books.tasks[key]; ok {
		if known.Asked != asked {
			return task{}, "KEY_USED", "the key was used for something else"
		}
		return known, "", ""
	}
	m, ok := s.books.goods.known(s.system.name, sku)
	if !ok {
		return task{}, "SKU_UNKNOWN", "sku " + sku
	}
	shelf := s.books.store[s.books.key(m.number, lot)]
	left := shelf.whole()
	if shelf == nil {
		return task{}, "LOT_UNKNOWN", "lot " + lot + " was never here"
	}
	t = task{
		Number: fmt.Sprintf("C-%06d", s.books.last+1), Key: key, Asked: asked, Material: m.number, Lot: lot,
		Reference: wish.Reference, At: s.clock.now(),
	}
	if len(wish.Parts) == 0 {
		if t.Status, ok = keyOf(wmsStatus, wish.Status); !ok {
			return task{}, "STATUS_UNKNOWN", "status " + wish.Status
		}
		return t, "", ""
	}
	for _, p := range wish.Parts {
		status, ok := keyOf(wmsStatus, p.Status)
		value, err := event.ParseDecimal(p.Quantity)
		if !ok || err != nil || wmsUnits[m.unit] != wish.Unit {
			return task{}, "STATUS_UNKNOWN", "part " + p.Quantity + " " + wish.Unit + " " + p.Status
		}
		if left = left.Sub(value); left.Sign() < 0 {
			return task{}, "QUANTITY", "there is less of lot " + lot
		}
		t.Parts = append(t.Parts, Part{status, event.Quantity{Value: value, Unit: m.unit}})
	}
	if left.Sign() > 0 {
		t.Parts = append(t.Parts, Part{Quality, event.Quantity{Value: left, Unit: m.unit}})
	}
	return t, "", ""
}

// reported are the moves that a task of status comes to, one for each status.
func (s *wmsServer) reported(t task) []Message {
	shelf := s.books.store[s.books.key(t.Material, t.Lot)]
	from, bin := wmsStatus[shelf.main()], s.books.bins[t.Lot]
	if len(t.Parts) == 0 {
		return []Message{s.books.move(t.Number, t.At, t.Material, t.Lot, shelf.whole().String(), shelf.unit, bin, bin, from, wmsStatus[t.Status], "STA", t.Reference)}
	}
	all := make([]Message, len(t.Parts))
	for i, p := range t.Parts {
		number := fmt.Sprintf("%s/%d", t.Number, i+1)
		all[i] = s.books.move(number, t.At, t.Material, t.Lot, p.Quantity.Value.String(), p.Quantity.Unit, bin, bin, from, wmsStatus[p.Status], "STA", t.Reference)
	}
	return all
}

func (s *wmsServer) task(w http.ResponseWriter, r *http.Request) {
	var t task
	_ = s.system.with(func() error { t = s.books.tasks[r.PathValue("key")]; return nil }) // reading cannot fail
	if t.Key == "" {
		writeJSON(w, http.StatusNotFound, map[string]string{"error": "TASK_UNKNOWN"})
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"task": t.Number, "ref": t.Reference, "at": t.At.Format(time.RFC3339)})
}

func (s *wmsServer) stock(w http.ResponseWriter, _ *http.Request) {
	rows := []map[string]string{}
	for _, x := range s.system.normal().Stock {
		rows = append(rows, map[string]string{
			"sku": s.books.goods.number(s.system.name, x.Material), "lot": x.Lot, "status": wmsStatus[x.Status], "qty": x.Quantity.String(), "uom": wmsUnits[x.Unit],
		})
	}
	writeJSON(w, http.StatusOK, map[string]any{"asOf": s.clock.now().Format(time.RFC3339), "stock": rows})
}

// A mesServer is an MES as its clients see it: it takes orders in, once each.
type mesServer struct {
	system *system
	books  *mesBooks
	clock  *clock
}

func (s *mesServer) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("PUT /mes/orders/{order}", s.takeIn)
	mux.HandleFunc("GET /mes/orders", s.orders)
	return mux
}

// takeIn takes an order in. The order's number is the key: a second time changes
// nothing, but for a quantity that is another now.
func (s *mesServer) takeIn(w http.ResponseWriter, r *http.Request) {
	var asked struct {
		Item     string `json:"item"`
		Quantity string `json:"quantity"`
		Unit     string `json:"unit"`
	}
	if !readJSON(w, r, &asked) {
		return
	}
	m, known := s.books.goods.known(s.system.name, asked.Item)
	unit, ok := keyOf(s.books.plant.units, asked.Unit)
	value, err := event.ParseDecimal(asked.Quantity)
	if !known || !ok || err != nil || value.Sign() <= 0 {
		writeJSON(w, http.StatusUnprocessableEntity, map[string]string{"error": "item, quantity or unit is not known here"})
		return
	}
	q, err := base(event.Quantity{Value: value, Unit: unit})
	if err != nil || q.Unit != m.unit {
		writeJSON(w, http.StatusUnprocessableEntity, map[string]string{"error": "the item has another unit"})
		return
	}
	t := taken{r.PathValue("order"), m.number, q}
	err = s.system.with(func() error {
		if o := s.books.orders[t.Order]; o != nil && o.Taken && o.Ordered.Equal(q.Value) {
			return nil
		}
		return s.system.write(s.clock.now(), "", change{takenKind, t, nil})
	})
	if err != nil {
		cut(w)
		return
	}
	writeJSON(w, http.StatusOK, map[string]string{"order": t.Order})
}

func (s *mesServer) orders(w http.ResponseWriter, _ *http.Request) {
	rows := []map[string]any{}
	for _, o := range s.system.normal().Orders {
		rows = append(rows, map[string]any{
			"order": o.Order, "item": s.books.goods.number(s.system.name, o.Material), "good": o.Good, "scrap": o.Scrap, "unit": o.Unit, "taken": o.Taken,
		})
	}
	writeJSON(w, http.StatusOK, map[string]any{"orders": rows})
}

// qmsHandler shows the lots of the quality system, which is told nothing.
func qmsHandler(s *system) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /qms/lots", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{"lots": s.normal().Lots})
	})
	return mux
}
