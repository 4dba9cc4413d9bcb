package ledger

import (
	"context"
	"slices"
)

// verifyTimes checks that what is awaited has a timer, or an open exception because it
// is late; and that nothing is left of what came.
func (v *verification) verifyTimes(ctx context.Context) error {
	for _, check := range []func(context.Context) error{v.verifyDeadlines, v.verifyExpectations, v.verifyWindows, v.verifyTimers, v.verifyMoments} {
		if err := check(ctx); err != nil {
			return err
		}
	}
	return nil
}

// lateOpen counts the open exceptions about something late, by a column with its key.
func lateOpen(key, about string) string {
	return "(select count(*) from exceptions x where x.message = " + key + " and x.version = 0 and x.about = '" + about + "' and x.state = 'open')"
}

func (v *verification) verifyDeadlines(ctx context.Context) error {
	c := &v.checks[checkTimers]
	w := &walk{
		columns: []string{"c.key", "c.status", "s.deadline", "(select count(*) from timers t where t.kind = 'step' and t.about = c.key)", lateOpen("c.key", "deadline")},
		from:    "command_keys c join steps s on s.key = c.key and s.recorded = c.recorded", key: []any{""}, limit: 1000,
	}
	return v.each(ctx, w, func(page []row) error {
		for _, x := range page {
			c.Looked++
			v.verifyAwaited("command "+x.text(0)+", "+x.text(1)+",", x.number(2) > 0 && !StepStatus(x.text(1)).ended(), x.number(3), x.number(4))
		}
		return nil
	}, nil)
}

// verifyAwaited checks the timers and the open exceptions of one thing that may be awaited.
func (v *verification) verifyAwaited(what string, awaited bool, timers, late int64) {
	c := &v.checks[checkTimers]
	switch {
	case awaited && timers+late == 0:
		c.find("%s has a deadline, and neither a timer nor an exception because it is late", what)
	case awaited && timers > 0 && late > 0:
		c.find("%s has an exception because it is late, and a timer that would raise it again", what)
	case !awaited && timers > 0:
		c.find("%s is awaited no longer, and has a timer", what)
	case !awaited && late > 0:
		c.find("%s is awaited no longer, and has an open exception because it is late", what)
	}
}

// verifyExpectations needs the keys of expectations, which are hashes: the timers and
// exceptions of a page are asked for by them.
func (v *verification) verifyExpectations(ctx context.Context) error {
	c := &v.checks[checkTimers]
	w := &walk{columns: []string{"transaction_id", "name", "cause", "state"}, from: "expectations", key: []any{"", "", ""}, limit: 500}
	var timers, late map[string]int64
	return v.each(ctx, w, func(page []row) error {
		for _, x := range page {
			c.Looked++
			key := ExpectationKey(x.text(0), x.text(1), x.text(2))
			v.verifyAwaited("expectation "+x.text(1)+" of transaction "+x.text(0), x.text(3) == "open", timers[key], late[key])
		}
		return nil
	}, func(ctx context.Context, r *Reader, page []row) error {
		keys := make([]string, len(page))
		for i, x := range page {
			keys[i] = ExpectationKey(x.text(0), x.text(1), x.text(2))
		}
		var err error
		if timers, err = r.counted(ctx, "select about from timers where kind = 'expectation' and ", "about", keys); err != nil {
			return err
		}
		late, err = r.counted(ctx, "select message from exceptions where about = 'expectation' and version = 0 and state = 'open' and ", "message", keys)
		return err
	})
}

// counted reads a column, and counts what it holds.
func (r *Reader) counted(ctx context.Context, query, column string, keys []string) (map[string]int64, error) {
	counts := map[string]int64{}
	if len(keys) == 0 {
		return counts, nil
	}
	condition, arg := r.In(column, "$1", keys)
	err := r.Query(ctx, query+condition, []any{arg}, func(row Row) error {
		var key string
		err := row.Scan(&key)
		counts[key]++
		return err
	})
	return counts, err
}

// verifyWindows checks that the open bundles of every transaction with a window have a timer for the end of their window; that no other has is seen at the timers.
func (v *verification) verifyWindows(ctx context.Context) error {
	if v.options.Gathers == nil {
		return nil
	}
	c := &v.checks[checkTimers]
	w := &walk{columns: []string{"id", "state"}, from: "transactions", key: []any{""}, limit: 500}
	var open []string
	var timers map[string]int64
	return v.each(ctx, w, func([]row) error {
		for _, window := range open {
			c.Looked++
			if timers[window] == 0 {
				c.find("window %s is open, and no timer ends it", window)
			}
		}
		return nil
	}, func(ctx context.Context, r *Reader, page []row) error {
		open = nil
		for _, x := range page {
			for _, bundle := range v.options.Gathers(x.bytes(1)) {
				open = append(open, windowKey(x.text(0), bundle))
			}
		}
		var err error
		timers, err = r.counted(ctx, "select about from timers where kind = 'window' and ", "about", open)
		return err
	})
}

// verifyTimers checks that no timer is about what is not on record.
func (v *verification) verifyTimers(ctx context.Context) error {
	c := &v.checks[checkTimers]
	w := &walk{
		columns: []string{
			"t.kind", "t.about", "t.transaction_id", "t.name", "t.cause", "t.due",
			"(select s.deadline from command_keys k join steps s on s.key = k.key and s.recorded = k.recorded where t.kind = 'step' and k.key = t.about)",
			"(select e.due from expectations e where t.kind = 'expectation' and e.transaction_id = t.transaction_id and e.name = t.name and e.cause = t.cause)",
			"x.state",
			"(select c.due from corrections c where t.kind = 'correction' and c.id = t.about and c.state = 'open')",
		},
		from: "timers t left join transactions x on x.id = t.transaction_id", key: []any{"", ""}, limit: 1000,
	}
	return v.each(ctx, w, func(page []row) error {
		for _, x := range page {
			c.Looked++
			kind, about := TimerKind(x.text(0)), x.text(1)
			switch {
			case kind == WindowTimer && x.absent(8):
				c.find("timer of window %s: the transaction is not on record", about)
			case kind == WindowTimer && v.options.Gathers != nil && !slices.Contains(v.options.Gathers(x.bytes(8)), x.text(3)):
				c.find("timer of window %s: the bundle is not open", about)
			case kind == StepTimer && (x.absent(6) || x.number(6) != x.number(5)):
				c.find("timer of command %s: no step has that deadline", about)
			case kind == CorrectionTimer && (x.absent(9) || x.number(9) != x.number(5)):
				c.find("timer of correction %s: none is open until then", about)
			case kind == ExpectationTimer && (x.absent(7) || x.number(7) != x.number(5)):
				c.find("timer of %s of transaction %s: nothing is expected until then", x.text(3), x.text(2))
			}
		}
		return nil
	}, nil)
}

// verifyMoments checks that open exceptions stand where the moments that have passed
// have brought them, and that what is to come is behind that.
func (v *verification) verifyMoments(ctx context.Context) error {
	c := &v.checks[checkTimers]
	const of = "from moments m where m.message = x.message and m.version = x.version and m.passed "
	w := &walk{
		columns: []string{"x.message", "x.version", "x.stage", "(select coalesce(max(m.n), 0) " + of + "> 0)", "(select coalesce(min(m.n), 0) " + of + "= 0)"},
		from:    "exceptions x", where: "x.state = 'open'", key: []any{"", least}, limit: 1000,
	}
	return v.each(ctx, w, func(page []row) error {
		for _, x := range page {
			c.Looked++
			stage, passed, next := x.number(2), x.number(3), x.number(4)
			switch {
			case stage != passed:
				c.find("exception %s.%d stands at stage %d, and the last moment that it has passed is %d", x.text(0), x.number(1), stage, passed)
			case next > 0 && next <= stage:
				c.find("exception %s.%d stands at stage %d, and moment %d is still to come", x.text(0), x.number(1), stage, next)
			}
		}
		return nil
	}, nil)
}
