package ledger

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// An ExceptionCount is what became of the exceptions of one plant and reason since the
// ledger was opened here, for metrics.
type ExceptionCount struct {
	Plant, Reason string
	Opened        int64 // raised; anew for another reason counts again
	Healed        int64 // ended because what they waited for arrived
	Resolved      int64 // ended because somebody did something: a person, or the source
	Waived        int64 // given up by a person
	Took          Took  // of those that ended
}

// A Took is how long exceptions stood, as a histogram.
type Took struct {
	UpTo [len(tookBounds)]int64 // those that stood no longer than the bound
	All  int64
	Sum  time.Duration
}

// tookBounds are the bounds of Took, ascending: of what heals by itself, of a shift, of
// days.
var tookBounds = [...]time.Duration{
	time.Minute, 5 * time.Minute, 15 * time.Minute, time.Hour, 4 * time.Hour, 8 * time.Hour, 24 * time.Hour, 48 * time.Hour, 7 * 24 * time.Hour,
}

// TookBounds are the bounds of a Took, ascending.
func TookBounds() []time.Duration { return tookBounds[:] }

func (k *Took) add(d time.Duration) {
	for i, bound := range tookBounds {
		if d <= bound {
			k.UpTo[i]++
		}
	}
	k.All++
	k.Sum += d
}

func (k *Took) merge(m *Took) {
	for i := range k.UpTo {
		k.UpTo[i] += m.UpTo[i]
	}
	k.All += m.All
	k.Sum += m.Sum
}

// exceptionKey is what exceptions are counted by.
type exceptionKey struct{ plant, reason string }

func (n *ExceptionCount) add(m *ExceptionCount) {
	n.Opened += m.Opened
	n.Healed += m.Healed
	n.Resolved += m.Resolved
	n.Waived += m.Waived
	n.Took.merge(&m.Took)
}

// hubPrincipal begins the name in which a node acts by itself.
const hubPrincipal = "hub@"

// ended counts an exception that has ended in a state, on whose account, and how long it
// stood, in microseconds.
func (n *ExceptionCount) ended(state, by string, took int64) {
	n.Took.add(time.Duration(max(took, 0)) * time.Microsecond)
	switch {
	case state == DeskWaived:
		n.Waived++
	case strings.HasPrefix(by, hubPrincipal):
		n.Healed++
	default:
		n.Resolved++
	}
}

// countEnded counts an exception that this commit has raised and ended.
func (t *transaction) countEnded(row []any, state, by string, at int64) {
	raised, _ := row[exceptionRaised].(int64)
	t.counted(row[exceptionPlant], row[exceptionReason]).ended(state, by, at-raised)
}

// counted is the count of a plant and reason in this commit.
func (t *transaction) counted(plant, reason any) *ExceptionCount {
	key := exceptionKey{}
	key.plant, _ = plant.(string)
	key.reason, _ = reason.(string)
	if t.counts == nil {
		t.counts = map[exceptionKey]*ExceptionCount{}
	}
	if t.counts[key] == nil {
		t.counts[key] = &ExceptionCount{}
	}
	return t.counts[key]
}

// An ending is how exceptions end.
type ending struct{ state, by, resolution string }

// endExceptions ends open exceptions of steps, or of message versions, and counts those
// that it ends: all that end alike by one statement, at the time of the last.
func (t *transaction) endExceptions(ctx context.Context, all []ended, ofSteps bool) error {
	var order []ending
	alike := map[ending][]ended{}
	for _, x := range all {
		how := ending{x.state, x.by, x.resolution}
		if alike[how] == nil {
			order = append(order, how)
		}
		alike[how] = append(alike[how], x)
	}
	for _, how := range order {
		var keys, versions []string
		at := int64(0)
		for _, x := range alike[how] {
			keys, versions, at = append(keys, x.message), append(versions, versionText(x.message, x.version)), max(at, x.at)
		}
		where, args := t.dialect.isIn("message", "$4")+" and about = 'step'", []any{how.state, at, how.resolution, t.dialect.list(keys)}
		if !ofSteps {
			where, args = t.dialect.isIn("message", "$4")+" and "+t.dialect.isIn(versionColumn, "$5"), append(args, t.dialect.list(versions))
		}
		if err := t.endException(ctx, how.state, how.by, where, args...); err != nil {
			return err
		}
	}
	return nil
}

// endException ends open exceptions by an update that takes $1 and $2 as state and time,
// and counts those that it ends.
func (t *transaction) endException(ctx context.Context, state, by, where string, args ...any) error {
	return t.each(ctx, "update exceptions set state = $1, ended = $2, resolution = $3 where "+where+" and state = 'open' returning plant, reason, message, version, ended - raised", args, func(r Row) error {
		var plant, reason, message string
		var version int
		var took int64
		err := r.Scan(&plant, &reason, &message, &version, &took)
		t.endMoments(message, version)
		t.counted(plant, reason).ended(state, by, took)
		return err
	})
}

// countExceptions adds what a commit did to exceptions.
func (l *Ledger) countExceptions(counts map[exceptionKey]*ExceptionCount) {
	for key, n := range counts {
		if l.exceptionCounts[key] == nil {
			l.exceptionCounts[key] = &ExceptionCount{Plant: key.plant, Reason: key.reason}
		}
		l.exceptionCounts[key].add(n)
	}
}

// ExceptionCounts are the counts by plant and reason, in order.
func (l *Ledger) ExceptionCounts() []ExceptionCount {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]ExceptionCount, 0, len(l.exceptionCounts))
	for _, n := range l.exceptionCounts {
		all = append(all, *n)
	}
	slices.SortFunc(all, func(a, b ExceptionCount) int {
		return cmp.Or(cmp.Compare(a.Plant, b.Plant), cmp.Compare(a.Reason, b.Reason))
	})
	return all
}
