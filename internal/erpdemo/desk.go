package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/gapless/gapless/internal/erp"
)

// ofDesk is how many orders end while the ERP has closed its books.
const ofDesk = 20

// aFew is how many of them the operator lets go on first, to see whether it is put right.
const aFew = 3

// A group is one line of the hub's queue.
type group struct {
	Group, About, Reason, Effect, Remedy string
	Count                                int64
}

// A bulk is bulk work of the hub.
type bulk struct {
	Bulk, State   string
	Members, Left int64
	Outcomes      map[string]int64
}

// desk is a morning at the desk: a clerk has closed the period too early, the ERP refuses
// what is reported, one line of the queue says so, and when the clerk has opened it again
// the operator lets a few go on, and then all.
func (d *demo) desk(ctx context.Context) error {
	clerk, err := erp.Login(ctx, d.server.url, d.server.env["TRYTON_DB"], "clerk", d.server.env["TRYTON_CLERK_PASSWORD"])
	if err != nil {
		return err
	}
	period, err := d.periodOfToday(ctx, clerk)
	if err != nil {
		return err
	}
	if err := clerk.Press(ctx, "account.period", "close", period); err != nil {
		return fmt.Errorf("the clerk closes the period: %w", err)
	}
	if err := d.month.endLast(ctx); err != nil {
		return err
	}
	d.say("the clerk has closed the period of today, and %d orders end", ofDesk)
	if err := d.attempted(ctx); err != nil {
		return err
	}
	g, err := d.theGroup(ctx)
	if err != nil {
		return err
	}
	d.say("the queue has one line: %d  %s\n          %s\n          %s", g.Count, g.Group, g.Effect, g.Remedy)
	if err := reopen(ctx, clerk, period); err != nil {
		return fmt.Errorf("the clerk opens the period: %w", err)
	}
	d.say("the clerk has opened the period again")
	for _, first := range []int{aFew, 0} {
		if err := d.resumeGroup(ctx, g, first); err != nil {
			return err
		}
	}
	if err := d.settle(ctx); err != nil {
		return err
	}
	left, err := d.groups(ctx)
	if err == nil && len(left) > 0 {
		err = errors.Join(fmt.Errorf("%d lines are left in the queue", len(left)), d.listOpen(ctx))
	}
	return err
}

// periodOfToday is the period of accounting that is open today.
func (d *demo) periodOfToday(ctx context.Context, clerk *erp.Client) (int64, error) {
	today := erp.Date(d.began.UTC())
	id, found, err := clerk.Find(ctx, "account.period", []any{"start_date", "<=", today}, []any{"end_date", ">=", today}, []any{"state", "=", "open"})
	if err == nil && !found {
		err = errors.New("the ERP has no open period of today")
	}
	return id, err
}

// reopen opens a period with what was closed with it: the ERP closes the journals of a
// period too, and does not open them with it.
func reopen(ctx context.Context, clerk *erp.Client, period int64) error {
	if err := clerk.Press(ctx, "account.period", "reopen", period); err != nil {
		return err
	}
	type journal struct{ ID int64 }
	closed, err := erp.Read[journal](ctx, clerk, "account.journal.period", []any{[]any{"period", "=", period}, []any{"state", "!=", "open"}}, nil, "id")
	if err != nil || len(closed) == 0 {
		return err
	}
	var ids []int64
	for _, j := range closed {
		ids = append(ids, j.ID)
	}
	return clerk.Press(ctx, "account.journal.period", "reopen", ids...)
}

// groups are the lines of the queue, but for what is only late because of them.
func (d *demo) groups(ctx context.Context) ([]group, error) {
	var queue struct{ Groups []group }
	err := d.hub.get(ctx, "/v1/exceptions/groups", nil, &queue)
	return slices.DeleteFunc(queue.Groups, func(g group) bool { return g.About != "command" && g.About != "message" }), err
}

// standing is how many the queue has in all: what is resumed may be refused for another
// reason.
func (d *demo) standing(ctx context.Context) (n int64, err error) {
	all, err := d.groups(ctx)
	for _, g := range all {
		n += g.Count
	}
	return n, err
}

// theGroup is the one line that the queue must have now.
func (d *demo) theGroup(ctx context.Context) (group, error) {
	all, err := d.groups(ctx)
	switch {
	case err != nil:
		return group{}, err
	case len(all) != 1 || all[0].Count != ofDesk:
		return group{}, errors.Join(fmt.Errorf("the queue has %d lines, it must have one of %d: %+v", len(all), ofDesk, all), d.listOpen(ctx))
	}
	return all[0], nil
}

// resumeGroup lets the first of a group go on, or all, and waits until they are posted.
func (d *demo) resumeGroup(ctx context.Context, g group, first int) error {
	before, err := d.standing(ctx)
	if err != nil {
		return err
	}
	asked := map[string]any{"group": g.Group, "why": "the period is open again"}
	if first > 0 {
		asked["first"] = first
	}
	body, err := json.Marshal(asked)
	if err != nil {
		return err
	}
	var b bulk
	if err := d.hub.ask(ctx, "POST", "/v1/bulk", body, &b); err != nil {
		return err
	}
	for b.State == "running" {
		if err := pause(ctx, 200*time.Millisecond); err != nil {
			return err
		}
		if err := d.hub.get(ctx, "/v1/bulk/"+url.PathEscape(b.Bulk), nil, &b); err != nil {
			return err
		}
	}
	if err := d.attempted(ctx); err != nil {
		return err
	}
	left, err := d.standing(ctx)
	if err != nil {
		return err
	}
	d.say("the operator has let %d of %d go on: %d resumed, %d are left", b.Members, before, b.Outcomes["resumed"], left)
	if b.Outcomes["resumed"] != b.Members || left != before-b.Members {
		return fmt.Errorf("of %d members %v, and %d of %d are left", b.Members, b.Outcomes, left, before)
	}
	return nil
}

// attempted waits until nothing can go on by itself: what waits, waits for something that
// was refused.
func (d *demo) attempted(ctx context.Context) error {
	for began, quiet := time.Now(), 0; quiet < 3; quiet++ {
		if time.Since(began) > standstill {
			return errors.Join(fmt.Errorf("postings are under way for %s", standstill), d.listOpen(ctx))
		}
		if err := pause(ctx, 500*time.Millisecond); err != nil {
			return err
		}
		var a account
		if err := d.hub.get(ctx, "/v1/account", nil, &a); err != nil {
			return err
		}
		if a.steps("due", "sent", "accepted", "unknown") > 0 {
			quiet = -1
		}
	}
	return nil
}
