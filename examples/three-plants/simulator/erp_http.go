package simulator

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"
)

// An erpServer is the ERP as its clients see it. It has two interfaces, of two ages:
// documents answer every request with 200 and say inside what became of it; stock
// statuses and confirmations answer with the status codes of HTTP.
type erpServer struct {
	system *system
	books  *erpBooks
	clock  *clock
	seed   uint64
}

// statusOf is the status code with which the newer interface refuses.
var statusOf = map[string]int{
	"LOT_MISSING": http.StatusNotFound, "ORDER_UNKNOWN": http.StatusNotFound, "ORDER_STATE": http.StatusConflict,
	"PERIOD_CLOSED": http.StatusConflict, "INSUFFICIENT_STOCK": http.StatusConflict,
}

// handler serves until the run ends, which its late postings must know.
func (e *erpServer) handler(run context.Context) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /erp/documents", func(w http.ResponseWriter, r *http.Request) { e.serve(run, w, r, "", answerOld) })
	mux.HandleFunc("POST /erp/stock-status", func(w http.ResponseWriter, r *http.Request) {
		e.serve(run, w, r, erpMovements[StatusChange], answerNew)
	})
	mux.HandleFunc("POST /erp/confirmations", func(w http.ResponseWriter, r *http.Request) {
		e.serve(run, w, r, erpMovements[Confirmation], answerNew)
	})
	mux.HandleFunc("GET /erp/documents", e.find)
	mux.HandleFunc("GET /erp/stock", e.stock)
	return mux
}

// An answer is how an interface says what became of a request.
type answer func(w http.ResponseWriter, p *Posting, refused *refusal)

func answerOld(w http.ResponseWriter, p *Posting, refused *refusal) {
	if refused != nil {
		writeJSON(w, http.StatusOK, map[string]any{"return": map[string]string{"type": "E", "code": refused.Code, "text": refused.Text}})
		return
	}
	writeJSON(w, http.StatusOK, map[string]any{
		"return": map[string]string{"type": "S", "code": "POSTED", "text": "document " + p.Document + " posted"}, "document": p.Document,
	})
}

func answerNew(w http.ResponseWriter, p *Posting, refused *refusal) {
	if refused == nil {
		writeJSON(w, http.StatusCreated, map[string]string{"document": p.Document})
		return
	}
	status := statusOf[refused.Code]
	if status == 0 {
		status = http.StatusUnprocessableEntity
	}
	writeJSON(w, status, map[string]any{"error": map[string]string{"code": refused.Code, "message": refused.Text}})
}

// serve posts what a client asks for, as the seed has it: at once, without an
// answer, not at all, or when the client has given up.
func (e *erpServer) serve(run context.Context, w http.ResponseWriter, r *http.Request, movement string, answers answer) {
	var asked request
	if !readJSON(w, r, &asked) {
		return
	}
	if movement != "" {
		asked.Movement = movement
	} else if asked.Movement == erpMovements[StatusChange] || asked.Movement == erpMovements[Confirmation] {
		asked.Movement = "?" + asked.Movement // those have an interface of their own
	}
	fate, broken := e.receive(&asked)
	switch {
	case broken:
		cut(w)
	case fate == nil:
		writeJSON(w, http.StatusServiceUnavailable, map[string]string{"message": "down for maintenance"})
	case fate.fate == lostBefore:
		cut(w)
	case fate.fate == postedLate:
		e.late(run, w, r, &asked, fate, answers)
	default:
		p, refused, err := e.post(&asked, fate, fate.fate == lostAfter, false)
		if err != nil || fate.fate == lostAfter {
			cut(w)
			return
		}
		answers(w, p, refused)
	}
}

// receive draws what happens to a request, and notes what is decided by that alone.
// Nothing is drawn while the ERP is down.
func (e *erpServer) receive(asked *request) (fate *drawn, broken bool) {
	err := e.system.with(func() error {
		now := e.clock.now()
		if down(e.seed, now) {
			return e.system.write(now, "", change{kind: faultKind, note: faulted{Fault: downFault}})
		}
		subject := asked.Movement + asked.Reference
		d := draw(e.seed, subject, e.books.tries[asked.Reference])
		fate = &d
		if d.fate == lostBefore {
			return e.system.write(now, "", change{kind: faultKind, note: faulted{Fault: lostFault, Reference: asked.Reference}})
		}
		return nil
	})
	return fate, err != nil
}

// post posts, or refuses; both stand in the journal before anybody is answered.
func (e *erpServer) post(asked *request, d *drawn, lost, late bool) (posted *Posting, refused *refusal, err error) {
	err = e.system.with(func() error {
		now := e.clock.now()
		posted, refused = e.books.check(asked)
		if refused != nil {
			return e.system.write(now, "", change{kind: faultKind, note: faulted{Fault: refusedFault, Reference: asked.Reference, Code: refused.Code, Lost: lost}})
		}
		posted.Posted, posted.Found = now, now.Add(e.clock.simulated(d.lag))
		posted.Lost, posted.Late = lost, late
		c, err := e.books.posting(posted)
		if err != nil {
			return err
		}
		return e.system.write(now, "", c)
	})
	return posted, refused, err
}

// late lets the client wait until it gives up, and posts then. A client that is more
// patient than the ERP is answered after all.
func (e *erpServer) late(run context.Context, w http.ResponseWriter, r *http.Request, asked *request, d *drawn, answers answer) {
	waiting, stop := context.WithTimeout(r.Context(), e.clock.real(patience))
	defer stop()
	<-waiting.Done()
	if run.Err() != nil {
		return // the ERP ends, and what it had not posted it never will
	}
	if r.Context().Err() == nil {
		p, refused, err := e.post(asked, d, false, false)
		if err != nil {
			cut(w)
			return
		}
		answers(w, p, refused)
		return
	}
	if !pause(run, e.clock.real(d.delay)) {
		return
	}
	_, _, _ = e.post(asked, d, false, true) // nobody is there to be told; a broken journal ends the run
}

// find answers the documents with a reference, as far as the search knows them, and
// whether its part of the index is current.
func (e *erpServer) find(w http.ResponseWriter, r *http.Request) {
	reference := r.URL.Query().Get("reference")
	if reference == "" {
		writeJSON(w, http.StatusBadRequest, map[string]string{"message": "give a reference"})
		return
	}
	hits, current, isDown := []map[string]any{}, true, false
	err := e.system.with(func() error {
		now := e.clock.now()
		if down(e.seed, now) {
			isDown = true
			return e.system.write(now, "", change{kind: faultKind, note: faulted{Fault: downFault}})
		}
		missed := false
		for i := range e.books.postings {
			p := &e.books.postings[i]
			indexed := !p.Found.After(now)
			if !indexed && shard(p.Reference) == shard(reference) {
				current = false
			}
			if p.Reference != reference {
				continue
			}
			missed = missed || !indexed
			if indexed {
				f := nativePosting(e.books.goods, p)
				f["reversed"] = e.books.reversed[p.Document]
				hits = append(hits, f)
			}
		}
		if missed {
			return e.system.write(now, "", change{kind: faultKind, note: faulted{Fault: laggedFault, Reference: reference}})
		}
		return nil
	})
	switch {
	case err != nil:
		cut(w)
	case isDown:
		writeJSON(w, http.StatusServiceUnavailable, map[string]string{"message": "down for maintenance"})
	default:
		writeJSON(w, http.StatusOK, map[string]any{"hits": hits, "index": map[string]bool{"current": current}})
	}
}

// stock states the stock of a site, or of all.
func (e *erpServer) stock(w http.ResponseWriter, r *http.Request) {
	asked := r.URL.Query().Get("site")
	rows := []map[string]string{}
	for _, s := range e.system.normal().Stock {
		site, _ := plantOf(s.Plant)
		if asked == "" || asked == site.site {
			rows = append(rows, map[string]string{
				"site": site.site, "itemNo": e.books.goods.number(erpName, s.Material), "lot": s.Lot, "status": erpStatus[s.Status],
				"quantity": s.Quantity.String(), "uom": erpUnits[s.Unit],
			})
		}
	}
	writeJSON(w, http.StatusOK, map[string]any{"asOf": e.clock.now().Format(time.RFC3339), "stock": rows})
}

// largestRequest bounds what a system reads of a client.
const largestRequest = 64 << 10

// readJSON reads a request to its end, so that a client that goes away is noticed.
func readJSON(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, largestRequest))
	err := d.Decode(into)
	if err == nil {
		if _, err = d.Token(); errors.Is(err, io.EOF) {
			return true
		}
	}
	writeJSON(w, http.StatusBadRequest, map[string]string{"message": "this is no object of JSON"})
	return false
}

func writeJSON(w http.ResponseWriter, status int, value any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(value) // a client that has gone is none of the server's business
}

// cut ends a connection without an answer.
func cut(w http.ResponseWriter) {
	connection, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return // it is cut already
	}
	_ = connection.Close() // as meant
}
