package ledger

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
)

// VerifyOptions say what a verification looks at besides the ledger itself.
type VerifyOptions struct {
	// Against are checkpoints that were signed earlier and kept elsewhere. Without
	// one, nobody can tell a ledger from a copy of which every hash was made anew.
	Against []Checkpoint
	// Refold gives the state of an object from the events in effect of its fold,
	// by position, and the ordering of the last; ok is false for a kind without a
	// lifecycle. nil leaves the states of objects unchecked, and the report says so.
	Refold func(kind string, events []Folded) (state map[string]any, ordering string, ok bool)
	// Reacts names the transactions that an event moves, and Noted tells whether the
	// state of one knows a statement. nil leaves unchecked that every event that a plan
	// reacts to is noted, and the report says so.
	Reacts  func(w *Working, d *Draft) []string
	Reaches func(d *Draft) []Reach // as in Config: what the Working must know of relations
	Noted   func(state []byte, statement string) bool
	// Gathers names the open bundles in the state of a transaction that a time ends. nil
	// leaves them unchecked, and the report says so.
	Gathers func(state []byte) []string
	// Progress is told now and then how far the verification has come, in rows;
	// total is an estimate until the end.
	Progress func(done, total int64)
}

// maxFindings is how many findings of one check a report spells out.
const maxFindings = 20

// A CheckResult is what one check found.
type CheckResult struct {
	Name     string   `json:"name"`
	Promise  int      `json:"promise"`  // its number in docs/ledger.md
	Looked   int64    `json:"looked"`   // rows, or whatever the check counts
	Found    int64    `json:"found"`    // all findings
	Findings []string `json:"findings"` // the first 20 of them
}

func (c *CheckResult) find(format string, args ...any) {
	c.Found++
	if len(c.Findings) < maxFindings {
		c.Findings = append(c.Findings, fmt.Sprintf(format, args...))
	}
}

// A VerifyReport says what was looked at, up to where, and what is not in order.
type VerifyReport struct {
	Ledger  string        `json:"ledger"`
	At      Cursor        `json:"at"` // the end of each feed when the verification began
	Checks  []CheckResult `json:"checks"`
	Skipped []string      `json:"skipped"` // what was not looked at, and why
}

// OK tells that nothing was found. What was skipped is not in it.
func (r *VerifyReport) OK() bool {
	for _, c := range r.Checks {
		if c.Found > 0 {
			return false
		}
	}
	return true
}

// The checks, by the number of the promise in docs/ledger.md. verification has one
// result for each.
const (
	checkAudit = iota
	checkPositions
	checkTimes
	checkStatements
	checkFacts
	checkMessages
	checkIndexes
	checkInbox
	checkWaits
	checkMasterData
	checkContents
	checkObjects
	checkCheckpoints
	checkSteps
	checkReactions
	checkTimers
	checkEdits
	checkCount
)

func newChecks() [checkCount]CheckResult {
	return [checkCount]CheckResult{
		checkAudit:       {Name: "audit chain", Promise: 12},
		checkPositions:   {Name: "positions", Promise: 4},
		checkTimes:       {Name: "times", Promise: 5},
		checkStatements:  {Name: "statements", Promise: 6},
		checkFacts:       {Name: "facts", Promise: 7},
		checkMessages:    {Name: "messages", Promise: 10},
		checkIndexes:     {Name: "histories and relations", Promise: 2},
		checkInbox:       {Name: "inbox and exceptions", Promise: 8},
		checkWaits:       {Name: "waits", Promise: 9},
		checkMasterData:  {Name: "master data", Promise: 15},
		checkContents:    {Name: "raw contents", Promise: 13},
		checkObjects:     {Name: "object states", Promise: 11},
		checkCheckpoints: {Name: "checkpoints", Promise: 14},
		checkSteps:       {Name: "steps and lanes", Promise: 18},
		checkReactions:   {Name: "reactions", Promise: 21},
		checkTimers:      {Name: "times awaited", Promise: 22},
		checkEdits:       {Name: "edits", Promise: 27},
	}
}

// verification is one run of Verify. What was on record when it began is looked at
// completely; what comes later is left alone, so that a working hub gives no
// findings.
type verification struct {
	ledger  *Ledger
	options VerifyOptions
	feeds   map[string]*feed // as they stood when it began
	checks  [checkCount]CheckResult
	skipped []string

	histories, relations int64              // rows that the events call for
	messagesOf           map[string][]place // events whose message is still to be looked up, by its id

	looked, total int64
}

// place is where an event stands.
type place struct {
	plant    string
	position int64
}

// Verify checks every promise of docs/ledger.md that can be seen from what is on
// record. It reads page by page, none for longer than two seconds, and needs the
// same memory for any number of events, so that it runs beside a working hub. The
// error is about reading; what is not in order stands in the report.
func (l *Ledger) Verify(ctx context.Context, o VerifyOptions) (VerifyReport, error) {
	v := &verification{ledger: l, options: o, feeds: map[string]*feed{}, checks: newChecks(), messagesOf: map[string][]place{}}
	steps := []func(context.Context) error{
		v.begin, v.verifyFeeds, v.verifyEnds, v.verifyStatements, v.verifyHistories, v.verifyRelations, v.verifyInbox,
		v.verifyExceptions, v.verifyWaits, v.verifyMasterData, v.verifyContents, v.verifyStrayContents, v.verifyObjects, v.verifySteps, v.verifyLanes, v.verifyReactions, v.verifyTimes, v.verifyEdits, v.verifyAgainst,
	}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return VerifyReport{}, fmt.Errorf("ledger.Verify: %w", err)
		}
	}
	v.progress(max(v.total-v.looked, 0))
	report := VerifyReport{Ledger: l.cfg.Name, At: Cursor{}, Checks: v.checks[:], Skipped: v.skipped}
	for plant, f := range v.feeds {
		if f.last > 0 {
			report.At[plant] = f.last
		}
	}
	return report, nil
}

// begin notes where every feed ends now.
func (v *verification) begin(ctx context.Context) error {
	if v.options.Refold == nil {
		v.skipped = append(v.skipped, "object states: no lifecycles were given to fold the events again")
	}
	if v.options.Reacts == nil || v.options.Noted == nil {
		v.skipped = append(v.skipped, "reactions: no plans were given to tell which events they react to")
	}
	if v.options.Gathers == nil {
		v.skipped = append(v.skipped, "windows: no plans were given to tell which bundles are open")
	}
	if len(v.options.Against) == 0 {
		v.skipped = append(v.skipped, "checkpoints: none was given; without one a chain that was made anew as a whole cannot be told from the original")
	}
	err := v.ledger.each(ctx, "select plant, epoch, last, recorded, link, head from feeds", nil, func(r Row) error {
		f := &feed{}
		err := r.Scan(&f.plant, &f.epoch, &f.last, &f.recorded, &f.link, &f.head)
		v.feeds[f.plant] = f
		v.total += 8 * f.last // rows that an event has in all tables, as a rule
		return err
	})
	v.progress(0)
	return err
}

// progress adds rows to what was looked at.
func (v *verification) progress(rows int64) {
	v.looked += rows
	v.total = max(v.total, v.looked)
	if v.options.Progress != nil {
		v.options.Progress(v.looked, v.total)
	}
}

// within tells whether a place in a feed was on record when the verification began.
func (v *verification) within(plant string, position int64) bool {
	f := v.feeds[plant]
	return f != nil && position <= f.last
}

// row is one row as it stands in the database: string, int64, []byte, or nil where
// a join found none.
type row []any

func (r row) text(i int) string {
	switch v := r[i].(type) {
	case string:
		return v
	case []byte:
		return string(v)
	}
	return ""
}

func (r row) number(i int) int64 {
	n, _ := r[i].(int64)
	return n
}

func (r row) bytes(i int) []byte {
	switch v := r[i].(type) {
	case []byte:
		return v
	case string:
		return []byte(v)
	}
	return nil
}

// absent tells that a join found nothing.
func (r row) absent(i int) bool { return r[i] == nil }

// rows reads all rows of a query.
func (r *Reader) rows(ctx context.Context, query string, args []any, width int) ([]row, error) {
	var all []row
	err := r.eachRow(ctx, query, args, width, func(values row) { all = append(all, values) })
	return all, err
}

func (r *Reader) eachRow(ctx context.Context, query string, args []any, width int, use func(row)) error {
	return r.Query(ctx, query, args, func(s Row) error {
		values, targets := make(row, width), make([]any, width)
		for i := range values {
			targets[i] = &values[i]
		}
		if err := s.Scan(targets...); err != nil {
			return err
		}
		use(values)
		return nil
	})
}

// least is smaller than any number of a key.
const least = int64(math.MinInt64)

// A walk reads a table in the order of a key, a page at a time. Pages that take too
// long become smaller.
type walk struct {
	columns []string  // the key first
	from    string    // table and joins
	where   string    // further condition on arguments from $1; "" for none
	args    []any     // of where
	key     []any     // the key behind which the next page begins
	limit   int       // rows of a page
	shrink  func(row) // where given, lets go of what is not needed as soon as a row is read
}

// next is the next page, nil at the end. use, where given, reads what belongs to
// the rows in the same view.
func (w *walk) next(ctx context.Context, l *Ledger, use func(ctx context.Context, r *Reader, page []row) error) ([]row, error) {
	for {
		var page []row
		limited, cancel := context.WithTimeout(ctx, readLimit)
		err := l.Read(limited, func(ctx context.Context, r *Reader) error {
			page = nil
			args := slices.Concat(w.args, w.key, []any{w.limit})
			err := r.eachRow(ctx, w.query(), args, len(w.columns), func(values row) {
				if w.shrink != nil {
					w.shrink(values)
				}
				page = append(page, values)
			})
			if err != nil || use == nil {
				return err
			}
			return use(ctx, r, page)
		})
		late := limited.Err() != nil
		cancel()
		switch {
		case err == nil && len(page) > 0:
			w.key = append([]any{}, page[len(page)-1][:len(w.key)]...)
			return page, nil
		case err == nil:
			return nil, nil
		case late && ctx.Err() == nil && w.limit > 1:
			w.limit = max(w.limit/4, 1)
		default:
			return nil, err
		}
	}
}

func columnList(columns []string) string { return strings.Join(columns, ", ") }

func (w *walk) query() string {
	key := w.columns[:len(w.key)]
	parameters := make([]string, len(key))
	for i := range key {
		parameters[i] = fmt.Sprintf("$%d", len(w.args)+i+1)
	}
	where := ""
	if w.where != "" {
		where = w.where + " and "
	}
	order := strings.Join(key, ", ")
	return fmt.Sprintf("select %s from %s where %s(%s) > (%s) order by %s limit $%d",
		columnList(w.columns), w.from, where, order, strings.Join(parameters, ", "), order, len(w.args)+len(key)+1)
}

// each walks a whole table. use gets every page in the view that it was read in, and
// again where a view was cut off: only check, which comes once, may count and find.
func (v *verification) each(ctx context.Context, w *walk, check func(page []row) error, use func(ctx context.Context, r *Reader, page []row) error) error {
	for {
		page, err := w.next(ctx, v.ledger, use)
		if err != nil || page == nil {
			return err
		}
		if err := check(page); err != nil {
			return err
		}
		v.progress(int64(len(page)))
	}
}

// reading is how a table is read back: its columns with the key first, and where
// among them each column of the table stands.
func (t *table) reading(key ...string) (columns []string, order []int) {
	columns = append(columns, key...)
	place := map[string]int{}
	for i, k := range key {
		place[k] = i
	}
	for _, c := range t.columns {
		i, ok := place[c.name]
		if !ok {
			i = len(columns)
			columns = append(columns, c.name)
		}
		order = append(order, i)
	}
	return columns, order
}
