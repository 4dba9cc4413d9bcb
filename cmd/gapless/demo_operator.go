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

// putRight is why the operator lets a group go on.
const putRight = "the clerk has put it right"

// attend looks at the queue. It answers whether something that it let go on is under way.
func (o *operator) attend(ctx context.Context, h *client, books *companyBooks) (waiting bool, err error) {
	var queue api.Groups
	if err := h.get(ctx, "/v1/exceptions/groups", nil, &queue); err != nil {
		return false, err
	}
	for i := range queue.Groups {
		g := &queue.Groups[i]
		switch g.Reason {
		case fault.QuantityInvalid.Code: // whatever came since the last look
			waiting = true
			_, err = o.start(ctx, h, map[string]any{"what": "waive", "group": g.Group, "why": "a test of the terminal"})
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
	id, err := o.start(ctx, h, map[string]any{"group": group, "first": tryFirst, "why": putRight})
	if err == nil {
		o.groups[group] = &attended{bulk: id}
	}
	return err
}

// start begins bulk work.
func (o *operator) start(ctx context.Context, h *client, body map[string]any) (bulk string, err error) {
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
	id, err := o.start(ctx, h, map[string]any{"group": group, "why": putRight})
	if err == nil {
		g.bulk, g.all = id, true
	}
	return err
}
