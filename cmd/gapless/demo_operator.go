package main

import (
	"context"
	"net/http"
	"net/url"
	"slices"

	"github.com/gapless/gapless/api"
	"github.com/gapless/gapless/examples/three-plants/simulator"
	"github.com/gapless/gapless/fault"
)

// An operator works the queue of the day, by its groups, as a person would: where a cause
// is put right, a few of a group go on first, to see whether it is, and then all of them.
// What was only a test is given up.
type operator struct {
	groups  map[string]*attended
	waived  int
	resumed int
}

// attended is how far the operator is with a group.
type attended struct {
	bulk string // the work under way
	all  bool   // it is about all of the group
	done bool
}

func newOperator() operator { return operator{groups: map[string]*attended{}} }

// tryFirst is how many of a group go on before all of them do.
const tryFirst = 3

// attend looks at the queue. It answers whether something that it let go on is under way.
func (o *operator) attend(ctx context.Context, h *client, books *companyBooks) (waiting bool, err error) {
	var queue api.Groups
	if err := h.get(ctx, "/v1/exceptions/groups", nil, &queue); err != nil {
		return false, err
	}
	for i := range queue.Groups {
		g := &queue.Groups[i]
		switch g.Reason {
		case fault.QuantityInvalid.Code:
			err = o.waive(ctx, h, g)
		case fault.WrongState.Code, fault.PeriodClosed.Code:
			if books.putRight(g) {
				err = o.resume(ctx, h, g.Group)
			}
		}
		if err != nil {
			return false, err
		}
	}
	for name := range o.groups { // also those that are gone from the queue
		if err := o.goOn(ctx, h, name); err != nil {
			return false, err
		}
		waiting = waiting || !o.groups[name].done
	}
	return waiting, nil
}

// let tells whether the operator let the group of an exception go on.
func (o *operator) let(x *exception) bool {
	return o.groups[x.Plant+"/"+x.System+"/command/"+x.Name+"/"+x.Reason] != nil
}

// putRight tells whether the clerks of the ERP have put the cause of a group right.
func (b *companyBooks) putRight(g *api.GroupView) bool {
	if g.Reason == fault.PeriodClosed.Code {
		return slices.Contains(b.erp.Opened, g.Plant+" 2026-02")
	}
	return !slices.ContainsFunc(b.erp.Orders, func(o simulator.Order) bool { return o.Plant == g.Plant && o.Locked })
}

// resume begins to resume a group, with a few.
func (o *operator) resume(ctx context.Context, h *client, group string) error {
	if o.groups[group] != nil {
		return nil
	}
	id, err := o.start(ctx, h, group, tryFirst)
	if err == nil {
		o.groups[group] = &attended{bulk: id}
	}
	return err
}

func (o *operator) start(ctx context.Context, h *client, group string, first int) (bulk string, err error) {
	body := map[string]any{"group": group, "why": "the clerk has put it right"}
	if first > 0 {
		body["first"] = first
	}
	var b api.BulkView
	err = h.send(ctx, http.MethodPost, "/v1/bulk", body, &b)
	return b.Bulk, err
}

// goOn looks at the work on a group, and lets all go on where the few did.
func (o *operator) goOn(ctx context.Context, h *client, group string) error {
	g := o.groups[group]
	if g.done {
		return nil
	}
	var b api.BulkView
	if err := h.get(ctx, "/v1/bulk/"+url.PathEscape(g.bulk), nil, &b); err != nil {
		return err
	}
	if b.State == "running" {
		return nil
	}
	o.resumed += int(b.Outcomes["resumed"])
	if g.all || b.Outcomes["resumed"] == 0 {
		g.done = true
		return nil
	}
	id, err := o.start(ctx, h, group, 0)
	if err == nil {
		g.bulk, g.all = id, true
	}
	return err
}

// waive gives up what a group holds: the warehouse has tried a terminal.
func (o *operator) waive(ctx context.Context, h *client, g *api.GroupView) error {
	tests, err := allHeld(ctx, h, "/v1/held", values("reason", g.Reason))
	if err != nil {
		return err
	}
	for i := range tests {
		var x api.CaseView
		err := h.send(ctx, http.MethodPost, "/v1/exceptions/"+url.PathEscape(tests[i].ID)+"/waive", map[string]string{"why": "a test of the terminal"}, &x)
		if err != nil {
			return err
		}
		o.waived++
	}
	return nil
}
