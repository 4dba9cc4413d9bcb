package ledger

import (
	"context"
	"errors"
	"strings"

	"github.com/gapless/gapless/event"
)

// verifySteps checks that every command has one step with a cause on record and all that it performs, that
// what is known of it fits its attempts, and that it stands in its lanes exactly
// while it is to be performed.
func (v *verification) verifySteps(ctx context.Context) error {
	c := &v.checks[checkSteps]
	w := &walk{
		columns: []string{
			"c.key", "c.status", "c.attempts", "c.system", "s.lanes", "s.cause", "t.id", "c.changed", "c.plant",
			"(select count(*) from attempts a where a.step = c.key)",
			"(select count(*) from attempts a where a.step = c.key and a." + attemptOpen + ")",
			"(select count(*) from lane_steps l where l.step = c.key)",
			"(select count(*) from exceptions x where x.message = c.key and x.about = 'step' and x.state = 'open')",
			"(select count(*) from event_keys k where k.key = substr(s.cause, 1, 32))",
			"s.members",
			"(select count(*) from step_members m where m.step = c.key)",
			"(select count(*) from step_members m join event_keys k on k.key = substr(m.statement, 1, 32) where m.step = c.key)",
		},
		from: "command_keys c left join steps s on s.key = c.key and s.recorded = c.recorded left join transactions t on t.id = c.transaction_id",
		key:  []any{""}, limit: 500,
	}
	return v.each(ctx, w, func(page []row) error {
		for _, x := range page {
			c.Looked++
			v.verifyStep(c, x)
		}
		return nil
	}, nil)
}

func (v *verification) verifyStep(c *CheckResult, x row) {
	key, status := x.text(0), StepStatus(x.text(1))
	if x.absent(4) || x.absent(6) {
		c.find("command %s has no step or no transaction", key)
		return
	}
	if x.number(13) != 1 {
		c.find("command %s: its cause %s is not on record", key, x.text(5))
	}
	if members := strings.Fields(x.text(14)); int64(len(members)) != x.number(15) {
		c.find("command %s performs %d statements together, and is found by %d", key, len(members), x.number(15))
	} else if x.number(15) != x.number(16) {
		c.find("command %s performs %d statements together, and %d of them are on record", key, x.number(15), x.number(16))
	}
	if x.number(2) != x.number(9) {
		c.find("command %s counts %d attempts, and %d are on record", key, x.number(2), x.number(9))
	}
	if open := x.number(10) > 0; open != status.InFlight() && (!open || status != StepHeld) { // what nobody can tell is held for a person
		c.find("command %s is %s, but of %d attempts no end is known", key, status, x.number(10))
	}
	lanes := (&Step{System: x.text(3), Lanes: refsOf(x.text(4))}).laneNames()
	if want := int64(len(lanes)); status.queued() && x.number(11) != want || !status.queued() && x.number(11) != 0 {
		c.find("command %s is %s and has %d lanes, and stands in %d", key, status, want, x.number(11))
	}
	if stuck := status.Stuck(); stuck != (x.number(12) > 0) {
		c.find("command %s is %s and has %d open exceptions", key, status, x.number(12))
	}
}

// verifyReactions checks that the newest statement of every event that a plan reacts
// to is noted in its transactions: what follows from it was decided.
func (v *verification) verifyReactions(ctx context.Context) error {
	if v.options.Reacts == nil || v.options.Noted == nil {
		return nil
	}
	for _, plant := range sortedKeys(v.feeds) {
		for after := int64(0); after < v.feeds[plant].last; {
			last, err := v.verifyReactionsBehind(ctx, plant, after)
			if err != nil {
				return err
			}
			after = last
		}
	}
	return nil
}

// verifyReactionsBehind looks at the events of a plant behind a position, a page of
// them, and answers the last position that it has looked at.
func (v *verification) verifyReactionsBehind(ctx context.Context, plant string, after int64) (int64, error) {
	const page = 500
	c, last := &v.checks[checkReactions], v.feeds[plant].last
	upTo := min(after+page, last)
	wanted := map[string][]string{} // statements that a transaction must know, by its id
	states := map[string][]byte{}   // what the transactions know, by their ids
	var unreadable []string
	err := v.ledger.Read(ctx, func(ctx context.Context, r *Reader) error {
		clear(wanted)
		clear(states)
		unreadable = nil
		err := r.Query(ctx, "select "+eventColumns+" from events e join event_keys k on k.key = e.key and k.plant = e.plant and k.position = e.position "+
			"where e.plant = $1 and e.position > $2 and e.position <= $3", []any{plant, after, upTo}, func(row Row) error {
			d, err := scanEvent(row)
			if altered, ok := errors.AsType[unreadableError](err); ok {
				unreadable = append(unreadable, altered.Error())
				return nil
			}
			if err != nil {
				return err
			}
			for _, id := range v.options.Reacts(&d) {
				wanted[id] = append(wanted[id], d.ID())
			}
			return nil
		})
		if err != nil || len(wanted) == 0 {
			return err
		}
		condition, arg := r.In("id", "$1", sortedKeys(wanted))
		return r.Query(ctx, "select id, state from transactions where "+condition, []any{arg}, func(row Row) error {
			var id string
			var state []byte
			err := row.Scan(&id, &state)
			states[id] = state
			return err
		})
	})
	if err != nil {
		return after, err
	}
	for _, what := range unreadable {
		c.find("%s", what)
	}
	for _, id := range sortedKeys(wanted) {
		for _, statement := range wanted[id] {
			c.Looked++
			if !v.options.Noted(states[id], statement) {
				c.find("transaction %s does not know event %s", id, statement)
			}
		}
	}
	return upTo, nil
}

// verifyLanes checks that every lane names its first step, and no lane is left
// without steps.
func (v *verification) verifyLanes(ctx context.Context) error {
	c := &v.checks[checkSteps]
	w := &walk{
		columns: []string{"l.lane", "l.head", "(select q.step from lane_steps q where q.lane = l.lane order by q.place, q.step limit 1)"},
		from:    "lanes l", key: []any{""}, limit: 1000,
	}
	err := v.each(ctx, w, func(page []row) error {
		for _, x := range page {
			c.Looked++
			if x.absent(2) || x.text(1) != x.text(2) {
				c.find("lane %s names %s as its first step, not %s", x.text(0), x.text(1), x.text(2))
			}
		}
		return nil
	}, nil)
	if err != nil {
		return err
	}
	lost := &walk{
		columns: []string{"q.lane", "q.place", "q.step"}, where: "l.lane is null",
		from: "lane_steps q left join lanes l on l.lane = q.lane", key: []any{"", least, ""}, limit: 1000,
	}
	return v.each(ctx, lost, func(page []row) error {
		for _, x := range page {
			c.find("command %s stands in lane %s, which is never due", x.text(2), x.text(0))
		}
		return nil
	}, nil)
}

func refsOf(lines string) []event.Ref {
	var refs []event.Ref
	for line := range strings.FieldsSeq(lines) {
		refs = append(refs, event.Ref(line))
	}
	return refs
}
