package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/gapless/gapless/api"
	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/examples/three-plants/simulator"
)

// companyBooks are the books of all systems, as their control tells them.
type companyBooks struct {
	all     []simulator.Books
	erp     simulator.Books
	locked  map[string]bool   // orders that the ERP has locked
	ordered map[string]string // lot -> order, by the MES that made it
}

func (d *dayDemo) books(ctx context.Context) (*companyBooks, error) {
	var told struct {
		Books []simulator.Books `json:"books"`
	}
	if err := d.read(ctx, "/books", &told); err != nil {
		return nil, err
	}
	return booksOf(told.Books), nil
}

func booksOf(all []simulator.Books) *companyBooks {
	b := &companyBooks{all: all, locked: map[string]bool{}, ordered: map[string]string{}}
	for _, one := range all {
		switch one.Kind {
		case "erp":
			b.erp = one
			for i := range one.Orders {
				b.locked[one.Orders[i].Order] = one.Orders[i].Locked
			}
		case "mes":
			for i := range one.Lots {
				b.ordered[one.Lots[i].Lot] = one.Lots[i].Order
			}
		}
	}
	return b
}

// orderOf is the order that a ref is about: its own, or that of the lot. A lot's
// number is unique within its material, and in this company within all.
func (b *companyBooks) orderOf(ref string) string {
	if number, ok := strings.CutPrefix(ref, "order/"); ok {
		return number
	}
	return b.ordered[lotOf(ref)]
}

// lotOf is the number of a lot by its ref; "" where it is none.
func lotOf(ref string) string {
	if !strings.HasPrefix(ref, "lot/") {
		return ""
	}
	return ref[strings.LastIndex(ref, "/")+1:]
}

// A comparison is one system's books beside others' or the ledger: how many things
// both should know, and how many of them are equal, explained by what is open, or not
// explained.
type comparison struct {
	System      string `json:"system"`
	What        string `json:"what"`
	Against     string `json:"against"`
	Compared    int    `json:"compared"`
	Equal       int    `json:"equal"`
	Explained   int    `json:"explained"`
	Unexplained int    `json:"unexplained"`
}

// A difference is a disagreement and the open exception that explains it; none where
// it is unexplained.
type difference struct {
	simulator.Disagreement
	Against string `json:"against"`
	Reason  string `json:"reason,omitempty"`
	Command string `json:"command,omitempty"`
	Message string `json:"message,omitempty"`
	Because string `json:"because,omitempty"`
}

// explainer finds the exception that explains a disagreement.
type explainer struct {
	books *companyBooks
	open  []exception
}

// explain looks for an exception about the same thing: for a receipt and the good of
// an order one of a receipt, for scrap one of scrap, and for a status one of a status
// at the same system, or one of the receipt for which it waits.
func (e *explainer) explain(d *simulator.Disagreement, against string) difference {
	x := difference{Disagreement: *d, Against: against}
	i := slices.IndexFunc(e.open, func(o exception) bool { return e.about(&o, d) })
	if i >= 0 {
		o := &e.open[i]
		x.Reason, x.Command, x.Message = o.Reason, o.Command, o.Message
		x.Because = fmt.Sprintf("%s/%s of %s is open: %s", o.System, o.Name, o.Ref, o.Title)
	}
	return x
}

func (e *explainer) about(o *exception, d *simulator.Disagreement) bool {
	same := d.Lot != "" && lotOf(o.Ref) == d.Lot || d.Lot == "" && d.Order != "" && e.books.orderOf(o.Ref) == d.Order
	switch {
	case !same:
		return false
	case o.Message != "":
		return true // what the hub has not taken in, nobody was told
	case slices.Contains([]string{"receive-goods", "correct-receipt", "reverse-receipt"}, o.Name):
		return d.About != "scrap"
	case o.Name == "post-scrap":
		return d.About == "scrap"
	case o.Name == "stock-status":
		return d.About == "status" && o.System == d.System
	}
	return false
}

// figures are good and scrap by order as the hub reports them, beside those of the
// systems on the floor.
func (b *companyBooks) figures(p *api.ProductionView) (compared map[string]int, all []simulator.Disagreement) {
	hub := map[string]*api.FiguresView{}
	for i := range p.Rows {
		hub[strings.TrimPrefix(p.Rows[i].Key, "order/")] = &p.Rows[i]
	}
	compared = map[string]int{}
	for _, one := range b.all {
		for i := range one.Orders {
			o := &one.Orders[i]
			if one.Kind != "mes" || o.Good.IsZero() && o.Scrap.IsZero() {
				continue
			}
			compared[one.System]++
			row := hub[o.Order]
			if row == nil {
				row = &api.FiguresView{Good: "0", Rejected: "0"}
			}
			for about, pair := range map[string][2]string{"good": {o.Good.String(), row.Good}, "scrap": {o.Scrap.String(), row.Rejected}} {
				if !sameNumber(pair[0], pair[1]) {
					all = append(all, simulator.Disagreement{System: one.System, About: about, Plant: o.Plant, Order: o.Order, Want: pair[0], Got: pair[1]})
				}
			}
		}
	}
	return compared, all
}

func sameNumber(a, b string) bool {
	x, err := event.ParseDecimal(a)
	y, err2 := event.ParseDecimal(b)
	return err == nil && err2 == nil && x.Equal(y)
}

// decided compares what quality holds of each lot with the state of the lot in the
// hub: what may be done with stock of it.
func (b *companyBooks) decided(states map[string]string) (compared int, all []simulator.Disagreement) {
	for _, one := range b.all {
		for i := range one.Lots {
			l := &one.Lots[i]
			if one.Kind != "qms" {
				continue
			}
			compared++
			got, known := states[l.Lot]
			if !known {
				got = "not on record"
			}
			if got != string(l.Status) {
				all = append(all, simulator.Disagreement{System: one.System, About: "status", Plant: l.Plant, Lot: l.Lot, Order: l.Order, Want: string(l.Status), Got: got})
			}
		}
	}
	return compared, all
}

// lotStates are the states of all lots in the hub, as what may be done with stock:
// free, quality or blocked, and "" where its parts have each their own.
func lotStates(ctx context.Context, h *client) (map[string]string, error) {
	states, after := map[string]string{}, ""
	for {
		var page api.Objects
		if err := h.get(ctx, "/v1/objects", values("kind", "lot", "limit", "1000", "after", after), &page); err != nil {
			return nil, err
		}
		for _, o := range page.Objects {
			states[lotOf(o.Ref)] = mayBeDone(o.State)
		}
		if page.Next == "" {
			return states, nil
		}
		after = page.Next
	}
}

func mayBeDone(state map[string]any) string {
	open, _ := state["open"].(map[string]any)
	holds, _ := open["holds"].([]any)
	switch status, _ := state["status"].(string); {
	case len(holds) > 0 || status == "rejected":
		return "blocked"
	case status == "decided":
		return ""
	case status == "released":
		return "free"
	}
	return "quality"
}

// postedTwice are the references under which a system has posted more than once,
// where nobody has reversed what was too much. It looks into the books alone: the
// ERP's documents, and the tasks in the warehouses' own journals.
func (b *companyBooks) postedTwice(folder string) ([]string, error) {
	reversed := map[string]bool{}
	for i := range b.erp.Postings {
		if p := &b.erp.Postings[i]; p.Movement == simulator.Reversal {
			reversed[p.Amends] = true
		}
	}
	documents := map[string][]string{}
	for i := range b.erp.Postings {
		if p := &b.erp.Postings[i]; p.Reference != "" && !reversed[p.Document] {
			key := b.erp.System + " " + p.Reference
			documents[key] = append(documents[key], p.Document)
		}
	}
	for _, one := range b.all {
		if one.Kind == "wms" {
			if err := tasksOf(filepath.Join(folder, one.System, "books.jsonl"), one.System, documents); err != nil {
				return nil, err
			}
		}
	}
	twice := []string{}
	for key, numbers := range documents {
		if len(numbers) > 1 {
			twice = append(twice, key+": "+strings.Join(numbers, ", "))
		}
	}
	slices.Sort(twice)
	return twice, nil
}

// tasksOf reads the tasks of a warehouse out of its journal, by the client's key.
func tasksOf(file, system string, tasks map[string][]string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return fmt.Errorf("read the books of %s: %w", system, err)
	}
	lines := bufio.NewScanner(bytes.NewReader(text))
	lines.Buffer(nil, longestLine)
	for lines.Scan() {
		var l struct {
			Kind string `json:"kind"`
			Note struct {
				Number string `json:"number"`
				Key    string `json:"key"`
			} `json:"note"`
		}
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return fmt.Errorf("read the books of %s: %w", system, err)
		}
		if l.Kind == "status-task" {
			key := system + " " + l.Note.Key
			tasks[key] = append(tasks[key], l.Note.Number)
		}
	}
	return lines.Err()
}
