package simulator

import "net/http"

// control is what whoever looks on may read: the books of all systems in one
// vocabulary, the faults, and the time. No system of the company answers to it.
func (c *company) control() http.Handler {
	mux := http.NewServeMux()
	books := func() []Books {
		all := make([]Books, len(c.systems))
		for i, s := range c.systems {
			all[i] = s.normal()
		}
		return all
	}
	mux.HandleFunc("GET /books", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{"books": books()})
	})
	mux.HandleFunc("GET /disagreements", func(w http.ResponseWriter, _ *http.Request) {
		writeJSON(w, http.StatusOK, map[string]any{"disagreements": append([]Disagreement{}, Compare(books())...)})
	})
	mux.HandleFunc("GET /faults", func(w http.ResponseWriter, _ *http.Request) {
		var f Faults
		_ = c.erp.system.with(func() error { f = c.erp.books.faults.copy(); return nil }) // reading cannot fail
		writeJSON(w, http.StatusOK, f)
	})
	mux.HandleFunc("GET /now", func(w http.ResponseWriter, _ *http.Request) { writeJSON(w, http.StatusOK, c.progress()) })
	return mux
}
