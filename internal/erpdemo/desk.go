package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"time"

	"github.com/gapless/gapless/internal/erp"
)

// ofDesk is how many orders end while the ERP has closed its books.
const ofDesk = 20

// aFew is how many of them the operator lets go on first, to see whether it is put right.
const aFew = 3

// A group is one line of the hub's queue.
type group struct {
	Group, Reason, Effect, Remedy string
	Count                         int64
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
	if err := clerk.Press(ctx, "account.period", "reopen", period); err != nil {
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

func (d *demo) groups(ctx context.Context) ([]group, error) {
	var queue struct{ Groups []group }
	err := d.hub.get(ctx, "/v1/exceptions/groups", nil, &queue)
	return queue.Groups, err
}

// countOf is how many a group has at the moment.
func (d *demo) countOf(ctx context.Context, g group) (int64, error) {
	all, err := d.groups(ctx)
	for _, x := range all {
		if x.Group == g.Group {
			return x.Count, err
		}
	}
	return 0, err
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
	before, err := d.countOf(ctx, g)
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
	left, err := d.countOf(ctx, g)
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
