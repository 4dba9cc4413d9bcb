package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/gapless/gapless/api"
	"github.com/gapless/gapless/event"
)

// An exception is why a message is held.
type exception = api.ExceptionView

// An account tells what became of a month: what --json of the demo prints.
type account struct {
	Month    string              `json:"month"` // made-up or real
	Sent     tally               `json:"sent"`
	Again    tally               `json:"again"`   // of the last file, sent once more
	Stopped  []stopped           `json:"stopped"` // held at first, or refused, by reason with an example
	Messages int64               `json:"messages"`
	Events   int64               `json:"events"`
	Held     []api.HeldCountView `json:"held"`
	Totals   []api.FiguresView   `json:"totals"`
	Orders   []api.FiguresView   `json:"orders"`   // with anything produced, the largest first
	Scrap    []api.FiguresView   `json:"scrap"`    // by reason, the largest first
	Control  string              `json:"control"`  // totals that were counted when the month was made, not by the hub
	Complete string              `json:"complete"` // how complete the figures are
	Verified []string            `json:"verified"` // names of the checks of the ledger, all in order
}

// read asks the hub.
func (a *account) read(ctx context.Context, h *client) error {
	var counts api.Account
	var orders, reasons api.ProductionView
	for route, into := range map[string]any{
		"/v1/account":                      &counts,
		"/v1/reports/production?by=order":  &orders,
		"/v1/reports/production?by=reason": &reasons,
	} {
		if err := h.get(ctx, route, nil, into); err != nil {
			return err
		}
	}
	if counts.Messages != nil {
		a.Messages = *counts.Messages
	}
	a.Events, a.Held, a.Totals, a.Complete = counts.Events, counts.HeldBy, orders.Totals, orders.Completeness.Statement
	a.Orders = largest(orders.Rows, func(r *api.FiguresView) string { return r.Total })
	a.Scrap = largest(reasons.Rows, func(r *api.FiguresView) string { return r.Rejected })
	return nil
}

// largest are the rows that have a key and an amount, in descending order of it.
func largest(rows []api.FiguresView, of func(*api.FiguresView) string) []api.FiguresView {
	amount := func(r *api.FiguresView) event.Decimal {
		d, err := event.ParseDecimal(of(r))
		if err != nil {
			return event.Decimal{} // the hub writes decimals
		}
		return d
	}
	all := slices.DeleteFunc(slices.Clone(rows), func(r api.FiguresView) bool { return r.Key == "" || amount(&r).Sign() <= 0 })
	slices.SortStableFunc(all, func(x, y api.FiguresView) int { return amount(&y).Cmp(amount(&x)) })
	return all
}

// verified checks the ledger beside the hub, and names the checks.
func verified(ctx context.Context, data string) ([]string, error) {
	p := place{data: data}
	l, err := p.open(ctx, false)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	options, err := optionsOf(ctx, l)
	if err != nil {
		return nil, err
	}
	r, err := l.Verify(ctx, options)
	if err != nil {
		return nil, err
	}
	if !r.OK() {
		return nil, errors.New("the ledger is not in order: see `gapless verify`")
	}
	var names []string
	for _, k := range r.Checks {
		if k.Looked > 0 {
			names = append(names, k.Name)
		}
	}
	return names, nil
}

// topOrders is how many orders are shown to a person.
const topOrders = 10

func (a *account) print(w io.Writer) {
	fmt.Fprintf(w, "\nOn record: %s versions of messages, %s events.\n", count(a.Messages), count(a.Events))
	for _, s := range a.Stopped {
		if s.Outcome == "refused" {
			fmt.Fprintf(w, "Refused: %d, %s, for example %s.\n", s.Count, s.Title, s.example())
		}
	}
	if len(a.Held) == 0 {
		fmt.Fprintln(w, "Nothing is held.")
	}
	for _, h := range a.Held {
		fmt.Fprintf(w, "Held: %d of %s, %s.\n", h.Open, h.System, h.Reason)
	}
	fmt.Fprintf(w, "Verified: %d checks of the ledger, all in order.\n\n", len(a.Verified))
	orders := newTable("order", ">total", ">good", ">rejected", "unit")
	for _, r := range a.Orders[:min(topOrders, len(a.Orders))] {
		orders.add(r.Key, grouped(r.Total), grouped(r.Good), grouped(r.Rejected), r.Unit)
	}
	orders.write(w, "")
	if more := len(a.Orders) - topOrders; more > 0 {
		fmt.Fprintf(w, "and %s more\n", plural(more, "order"))
	}
	fmt.Fprintln(w)
	scrap := newTable("scrap", ">rejected", "unit")
	for _, r := range a.Scrap {
		scrap.add(r.Key, grouped(r.Rejected), r.Unit)
	}
	scrap.write(w, "")
	fmt.Fprintf(w, "\nCompleteness: %s.\n", a.Complete)
	fmt.Fprintf(w, "Counted when the month was made, not by the hub:\n%s\nCounted by the hub:\n%s\n", a.Control, a.totalsLine())
}

// totalsLine is the totals of the month: it counts parts, so there is one unit.
func (a *account) totalsLine() string {
	p := api.ProductionView{Totals: a.Totals, Orders: len(a.Orders)}
	lines := make([]string, len(a.Totals))
	for i := range a.Totals {
		lines[i] = totalsLine(&p, &a.Totals[i])
	}
	return strings.Join(lines, "; ")
}
