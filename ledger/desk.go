package ledger

import (
	"cmp"
	"context"
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// A Cause is what the exceptions of one group have in common: the same reason, at the
// same system and plant, for the same message or command.
type Cause struct {
	Plant  string // "" where it is not known
	System string
	About  string // "message", "step", "deadline" of a step, or "expectation"
	Name   string // of the message or the command
	Reason string // code
}

// What exceptions are about, as it stands in the database.
const (
	aboutMessage     = "message"
	aboutStep        = "step"
	aboutDeadline    = "deadline" // of a step
	aboutExpectation = "expectation"
)

// aboutCommand is how a person reads aboutStep.
const aboutCommand = "command"

// String names the group: "graz/erp/command/receive-goods/period_closed". A plant
// that is not known is "-".
func (c Cause) String() string {
	about := c.About
	if about == aboutStep {
		about = aboutCommand
	}
	parts := []string{cmp.Or(c.Plant, "-"), c.System, about, c.Name, c.Reason}
	for i, part := range parts {
		parts[i] = url.PathEscape(part)
	}
	return strings.Join(parts, "/")
}

// ParseCause reads what String wrote.
func ParseCause(text string) (Cause, error) {
	parts := strings.Split(text, "/")
	for i, part := range parts {
		decoded, err := url.PathUnescape(part)
		if err != nil || decoded == "" || !event.Printable(decoded) {
			parts = nil
			break
		}
		parts[i] = decoded
	}
	if len(parts) != 5 {
		return Cause{}, fault.New("ledger.ParseCause", fault.InvalidRequest, "group",
			"%.200q is no group: name it as the queue does, plant/system/command/name/reason", text)
	}
	c := Cause{Plant: parts[0], System: parts[1], About: parts[2], Name: parts[3], Reason: parts[4]}
	if c.Plant == "-" {
		c.Plant = ""
	}
	if c.About == aboutCommand {
		c.About = aboutStep
	}
	return c, nil
}

// The states by which exceptions are chosen.
const (
	DeskOpen     = "open"     // to be looked at now: not snoozed
	DeskSnoozed  = "snoozed"  // open, and put off to a time
	DeskResolved = "resolved" // the three states of the past
	DeskWaived   = "waived"
	DeskAll      = "all"
)

// DeskStates are all of them.
func DeskStates() []string {
	return []string{DeskOpen, DeskSnoozed, DeskResolved, DeskWaived, DeskAll}
}

// DeskFilter chooses exceptions; empty fields choose all.
type DeskFilter struct {
	Plants []string // what the asker may see; nil: all
	Only   string   // only what is of this system: a system sees its own

	Cause    *Cause // of one group
	State    string // of DeskStates; default open
	Plant    string
	System   string
	Reason   string
	Owner    string // assigned to, or else the owner group
	Assignee string // assigned to
	From, To time.Time
	Text     string // words and refs, each of which it must have; the beginning of one will do
	Amount   *AmountFilter
	// Content are words of raw content, each of which its message must say; the beginning
	// of one will do. ContentPlants are the plants whose raw content the asker may see;
	// nil: all.
	Content       string
	ContentPlants []string

	Oldest bool   // oldest first; else newest first
	After  string // Place of the last exception of the page before
	Limit  int    // default 100
}

// A DeskException is an exception with what people have decided about it.
type DeskException struct {
	Exception
	ID       string      // of a message, as its source knows it
	Assignee string      // "" for the owner
	Until    time.Time   // snoozed to; zero where it shows
	Refs     []event.Ref // what it is about, as far as that is known
	Amounts  []Amount    // what is at stake
}

// Cause is the group of an exception.
func (x *DeskException) Cause() Cause {
	return Cause{Plant: x.Plant, System: x.System, About: x.about, Name: x.Name, Reason: x.Reason.Code}
}

// An Amount is a sum of facts of one measure in a base unit.
type Amount struct {
	Measure string
	Value   event.Decimal
	Unit    string
}

// A Group is the exceptions of one cause.
type Group struct {
	Cause
	Class          string
	Count          int64
	Oldest, Newest time.Time
	Deadline       time.Time        // the nearest; zero: none
	Warned         int64            // of them, those that were warned of or have gone to another owner
	Escalated      int64            // those that have gone to another owner
	Owners         []string         // assignees and owner groups, at most two named
	Objects        map[string]int64 // different objects by kind: of commands their own, of messages all that are known
	Amounts        []Amount         // sums of what is at stake, exact
}

// deskFrom is what exceptions at the desk are read from; see conditions.from.
const deskFrom = " from exceptions x left join desk d on d.message = x.message"

// ownerOf is whom an exception is for.
const ownerOf = "coalesce(nullif(d.assignee, ''), x.owner)"

// conditions gathers a where clause and its arguments.
type conditions struct {
	dialect dialect
	first   string // what the exceptions are found by that are looked at; "" looks at all
	text    []string
	args    []any
}

// from is what exceptions are read from. SQLite keeps to the order of a cross join: from
// the few that are found to what stands behind them.
func (c *conditions) from() string { return " from " + c.first + deskFrom[len(" from "):] }

// add adds a condition; ? in it stands for the values, in their order.
func (c *conditions) add(text string, values ...any) { c.text = append(c.text, c.filled(text, values)) }

// filled is a text with its values among the arguments. They are numbered in the order in
// which they stand in a query: SQLite knows no other.
func (c *conditions) filled(text string, values []any) string {
	for _, v := range values {
		c.args = append(c.args, v)
		text = strings.Replace(text, "?", fmt.Sprintf("$%d", len(c.args)), 1)
	}
	return text
}

func (c *conditions) where() string {
	if len(c.text) == 0 {
		return ""
	}
	return " where " + strings.Join(c.text, " and ")
}

// list adds that a column is one of the values.
func (c *conditions) list(column string, values []string) {
	c.args = append(c.args, c.dialect.list(values))
	c.text = append(c.text, c.dialect.isIn(column, fmt.Sprintf("$%d", len(c.args))))
}

// snoozed is the condition that an exception is put off to a time behind ?.
const snoozed = "(coalesce(d.until, 0) > ? and x.raised <= d.since and x.reason = d.reason)"

// conditions are the where clause of a filter.
func (l *Ledger) conditions(ctx context.Context, f *DeskFilter) (*conditions, error) {
	c := &conditions{dialect: l.store.dialect}
	if err := l.addFinds(ctx, c, f); err != nil {
		return nil, err
	}
	now := micros(l.Now())
	switch cmp.Or(f.State, DeskOpen) {
	case DeskOpen:
		c.add("x.state = 'open'")
		c.add("not "+snoozed, now)
	case DeskSnoozed:
		c.add("x.state = 'open'")
		c.add(snoozed, now)
	case DeskResolved:
		c.add("x.state = 'resolved'")
	case DeskWaived:
		c.add("x.state = 'waived'")
	case DeskAll:
	default:
		return nil, fault.New("ledger.Desk", fault.InvalidRequest, "state", "%.40q; give one of %s", f.State, strings.Join(DeskStates(), ", "))
	}
	if f.Cause != nil {
		c.cause(f.Cause)
	}
	if f.Plants != nil {
		c.list("x.plant", f.Plants)
	}
	for _, is := range [...][2]string{
		{"x.plant", f.Plant}, {"x.system", f.System}, {"x.system", f.Only}, {"x.reason", f.Reason}, {ownerOf, f.Owner}, {"d.assignee", f.Assignee},
	} {
		if is[1] != "" {
			c.add(is[0]+" = ?", is[1])
		}
	}
	if !f.From.IsZero() {
		c.add("x.raised >= ?", micros(f.From))
	}
	if !f.To.IsZero() {
		c.add("x.raised < ?", micros(f.To))
	}
	return c, nil
}

// cause adds that an exception is of a group.
func (c *conditions) cause(g *Cause) {
	c.add("x.plant = ? and x.system = ? and x.about = ? and x.name = ? and x.reason = ?", g.Plant, g.System, g.About, g.Name, g.Reason)
}

const causeColumns = "x.plant, x.system, x.about, x.name, x.reason"

// Groups are the exceptions that a filter chooses, by cause: those with the nearest
// deadline first. Paging of the filter does not count.
func (l *Ledger) Groups(ctx context.Context, f DeskFilter) ([]Group, error) {
	c, err := l.conditions(ctx, &f)
	if err != nil {
		return nil, err
	}
	return l.groupsBy(ctx, c)
}

// groupsBy are the groups of what conditions choose.
func (l *Ledger) groupsBy(ctx context.Context, c *conditions) ([]Group, error) {
	groups := map[Cause]*Group{}
	err := l.Read(ctx, func(ctx context.Context, r *Reader) error {
		if err := r.groups(ctx, c, groups); err != nil {
			return err
		}
		if err := r.groupObjects(ctx, c, groups); err != nil {
			return err
		}
		return r.groupAmounts(ctx, c, groups)
	})
	if err != nil {
		return nil, fmt.Errorf("ledger.Groups: %w", err)
	}
	all := make([]Group, 0, len(groups))
	for _, g := range groups {
		all = append(all, *g)
	}
	slices.SortFunc(all, func(a, b Group) int {
		return cmp.Or(compareDeadlines(a.Deadline, b.Deadline), a.Oldest.Compare(b.Oldest), cmp.Compare(a.String(), b.String()))
	})
	return all, nil
}

// compareDeadlines puts what has none last.
func compareDeadlines(a, b time.Time) int {
	if a.IsZero() != b.IsZero() {
		if a.IsZero() {
			return 1
		}
		return -1
	}
	return a.Compare(b)
}

func (r *Reader) groups(ctx context.Context, c *conditions, groups map[Cause]*Group) error {
	query := "select " + causeColumns + ", min(x.class), count(*), min(x.raised), max(x.raised), coalesce(min(nullif(x.deadline, 0)), 0), min(" + ownerOf + "), max(" + ownerOf + "), count(*) filter (where x.stage >= 1), count(*) filter (where x.stage > 1)" +
		c.from() + c.where() + " group by 1, 2, 3, 4, 5"
	return r.Query(ctx, query, c.args, func(row Row) error {
		g := &Group{Objects: map[string]int64{}}
		var oldest, newest, deadline int64
		var first, last string
		if err := row.Scan(&g.Plant, &g.System, &g.About, &g.Name, &g.Reason, &g.Class, &g.Count, &oldest, &newest, &deadline, &first, &last, &g.Warned, &g.Escalated); err != nil {
			return err
		}
		g.Oldest, g.Newest, g.Deadline = fromMicros(oldest), fromMicros(newest), fromMicros(deadline)
		if g.Owners = []string{first}; last != first {
			g.Owners = append(g.Owners, last)
		}
		groups[g.Cause] = g
		return nil
	})
}

// mostCounted is of how many exceptions of a group the different objects are counted: of
// more that takes too long for a queue, and the number of exceptions says as much.
const mostCounted = 1_000

// groupObjects counts different objects: of commands those that they are about, of
// messages all that are known. SQLite keeps to the order of a cross join: from the few
// exceptions that are open to what belongs to them.
func (r *Reader) groupObjects(ctx context.Context, c *conditions, groups map[Cause]*Group) error {
	for cause, g := range groups {
		if g.Count > mostCounted {
			continue
		}
		of := *c
		of.text, of.args = slices.Clone(c.text), slices.Clone(c.args)
		of.add("x.plant = ? and x.system = ? and x.about = ? and x.name = ? and x.reason = ?", cause.Plant, cause.System, cause.About, cause.Name, cause.Reason)
		query := "select distinct x.ref" + of.from() + of.where()
		if cause.About == aboutMessage {
			of.add("r.message = x.message and r.version = x.version")
			of.add("(r.ref <> x.ref or x.class <> 'heals')") // what is missing is not what stands still
			query = "select distinct r.ref" + of.from() + " cross join exception_refs r" + of.where()
		}
		err := r.Query(ctx, query, of.args, func(row Row) error {
			var ref event.Ref
			err := row.Scan(&ref)
			if err == nil && ref != "" {
				g.Objects[ref.Kind()]++
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// groupAmounts sums what is at stake: in millionths, whole units apart so that no sum runs
// over, and what those leave of a few.
func (r *Reader) groupAmounts(ctx context.Context, c *conditions, groups map[Cause]*Group) error {
	const here = "a.message = x.message and a.version = x.version"
	of := *c
	of.text = append(slices.Clone(c.text), here)
	query := "select " + causeColumns + ", a.measure, a.unit, cast(sum(a.scaled / 1000000) as bigint), cast(sum(a.scaled % 1000000) as bigint)" +
		c.from() + " cross join exception_amounts a" + of.where() + " group by 1, 2, 3, 4, 5, 6, 7 order by 6, 7"
	err := r.Query(ctx, query, c.args, func(row Row) error {
		var g Cause
		var a Amount
		var whole, millionths int64
		err := row.Scan(&g.Plant, &g.System, &g.About, &g.Name, &g.Reason, &a.Measure, &a.Unit, &whole, &millionths)
		if err == nil {
			a.Value, err = event.FromScaled(whole, 0)
		}
		if err == nil {
			var rest event.Decimal
			rest, err = event.FromScaled(millionths, FactDigits)
			groups[g].addAmount(Amount{a.Measure, a.Value.Add(rest), a.Unit})
		}
		return err
	})
	if err != nil {
		return err
	}
	unscaled := *c
	unscaled.first = "exception_amounts a cross join " + c.first
	of.text = append(of.text, "(a.place = '' or a.residue <> '')")
	query = "select " + causeColumns + ", a.measure, a.unit, case when a.place = '' then a.value else a.residue end" + unscaled.from() + of.where()
	return r.Query(ctx, query, c.args, func(row Row) error {
		var g Cause
		var a Amount
		var value string
		err := row.Scan(&g.Plant, &g.System, &g.About, &g.Name, &g.Reason, &a.Measure, &a.Unit, &value)
		if err == nil {
			a.Value, err = event.ParseDecimal(value)
		}
		groups[g].addAmount(a)
		return err
	})
}

// addAmount adds to what is at stake; nil where the group came up since it was counted.
func (g *Group) addAmount(a Amount) {
	if g != nil && !a.Value.IsZero() {
		g.Amounts = addAmount(g.Amounts, a)
	}
}

// addAmount adds to the sum of the same measure and unit.
func addAmount(all []Amount, a Amount) []Amount {
	for i := range all {
		if all[i].Measure == a.Measure && all[i].Unit == a.Unit {
			all[i].Value = all[i].Value.Add(a.Value)
			return all
		}
	}
	return append(all, a)
}

const deskColumns = "select x.message, x.version, x.plant, x.system, x.name, x.state, x.reason, x.field, x.ref, x.detail, x.owner, x.raised, x.deadline, x.ended, x.resolution, x.about, x.stage"

// Desk lists the exceptions that a filter chooses; more says that there are others
// behind them.
func (l *Ledger) Desk(ctx context.Context, f DeskFilter) (all []DeskException, more bool, err error) {
	c, err := l.conditions(ctx, &f)
	if err != nil {
		return nil, false, err
	}
	order, than := " desc", "<"
	if f.Oldest {
		order, than = "", ">"
	}
	if f.After != "" {
		raised, key, err := parsePlace(f.After)
		if err != nil {
			return nil, false, err
		}
		c.add("(x.raised, x.message) "+than+" (?, ?)", raised, key)
	}
	limit := cmp.Or(f.Limit, 100)
	query := fmt.Sprintf("%s%s%s order by x.raised%s, x.message%[4]s limit %[5]d", deskColumns, c.from(), c.where(), order, limit+1)
	found, err := l.exceptions(ctx, query, c.args...)
	if err != nil {
		return nil, false, fmt.Errorf("ledger.Desk: %w", err)
	}
	if more = len(found) > limit; more {
		found = found[:limit]
	}
	all, err = l.atDesk(ctx, found)
	return all, more, err
}

// Place is where an exception stands in a list, for DeskFilter.After.
func (x *DeskException) Place() string { return fmt.Sprintf("%d-%s", micros(x.Raised), x.key) }

func parsePlace(text string) (raised int64, key string, err error) {
	if _, err := fmt.Sscanf(text, "%d-%s", &raised, &key); err != nil {
		return 0, "", fault.New("ledger.Desk", fault.InvalidRequest, "after", "%.80q is no place in the list: take it from the page before", text)
	}
	return raised, key, nil
}

// atDesk adds what people have decided, what exceptions are about and what is at stake:
// in a handful of queries, however many there are.
func (l *Ledger) atDesk(ctx context.Context, found []Exception) ([]DeskException, error) {
	all := make([]DeskException, len(found))
	keys, at := make([]string, len(found)), make(map[string][]*DeskException, len(found)) // several versions of a message may be among them
	for i := range found {
		all[i].Exception, keys[i] = found[i], found[i].key
		at[keys[i]] = append(at[keys[i]], &all[i])
	}
	for _, add := range []func(context.Context, []string, map[string][]*DeskException) error{l.addDecided, l.addRefs, l.addAmounts, l.addSourceIDs} {
		if err := add(ctx, keys, at); err != nil {
			return nil, fmt.Errorf("ledger.Desk: %w", err)
		}
	}
	return all, nil
}

// keyed runs a query whose condition is that a column is one of the keys.
func (l *Ledger) keyed(ctx context.Context, query, column string, keys []string, order string, scan func(Row) error) error {
	return l.each(ctx, query+l.store.dialect.isIn(column, "$1")+order, []any{l.store.dialect.list(keys)}, scan)
}

func (l *Ledger) addDecided(ctx context.Context, keys []string, at map[string][]*DeskException) error {
	now := micros(l.Now())
	return l.keyed(ctx, "select message, assignee, until, since, reason from desk where ", "message", keys, "", func(r Row) error {
		var key, assignee, reason string
		var until, since int64
		err := r.Scan(&key, &assignee, &until, &since, &reason)
		for _, x := range at[key] {
			x.Assignee = assignee
			if x.State == DeskOpen && until > now && micros(x.Raised) <= since && reason == x.Reason.Code {
				x.Until = fromMicros(until)
			}
		}
		return err
	})
}

func (l *Ledger) addRefs(ctx context.Context, keys []string, at map[string][]*DeskException) error {
	return l.keyed(ctx, "select message, version, ref from exception_refs where ", "message", keys, " order by ref", func(r Row) error {
		var key string
		var version int
		var ref event.Ref
		err := r.Scan(&key, &version, &ref)
		for _, x := range at[key] {
			if x.version == version {
				x.Refs = append(x.Refs, ref)
			}
		}
		return err
	})
}

func (l *Ledger) addAmounts(ctx context.Context, keys []string, at map[string][]*DeskException) error {
	return l.keyed(ctx, "select message, version, measure, unit, value from exception_amounts where ", "message", keys, " order by measure, unit", func(r Row) error {
		var key, value string
		var version int
		var a Amount
		err := r.Scan(&key, &version, &a.Measure, &a.Unit, &value)
		if err == nil {
			a.Value, err = event.ParseDecimal(value)
		}
		for _, x := range at[key] {
			if x.version == version {
				x.Amounts = append(x.Amounts, a)
			}
		}
		return err
	})
}

func (l *Ledger) addSourceIDs(ctx context.Context, keys []string, at map[string][]*DeskException) error {
	return l.keyed(ctx, "select key, version, id from messages where ", "key", keys, "", func(r Row) error {
		var key, id string
		var version int
		err := r.Scan(&key, &version, &id)
		for _, x := range at[key] {
			if x.Message != "" && x.version == version {
				x.ID = id
			}
		}
		return err
	})
}

// commandKey is the form of the keys of commands.
var commandKey = regexp.MustCompile(`^[0-9a-f]{64}$`)

// DeskOf is one exception, by its Exception.ID: of a command the one that is open, of
// several the newest, and that it stands still before that it is late.
func (l *Ledger) DeskOf(ctx context.Context, id string) (DeskException, error) {
	key, version, err := event.ParseStatementID(id)
	if commandKey.MatchString(id) {
		key, version, err = id, 1, nil
	}
	if err != nil {
		return DeskException{}, fault.New("ledger.DeskOf", fault.InvalidRequest, "exception", "%.80q is neither the id of a message nor the key of a command", id)
	}
	found, err := l.exceptions(ctx, deskColumns+deskFrom+" where x.message = $1 and (x.about <> 'message' or x.version = $2) order by x.state <> 'open', x.version desc limit 1", key, version)
	if err == nil && len(found) == 0 {
		err = fault.New("ledger.DeskOf", fault.NotFound, "exception", "no exception about %.60s is on record", id)
	}
	if err != nil {
		return DeskException{}, err
	}
	all, err := l.atDesk(ctx, found)
	if err != nil {
		return DeskException{}, err
	}
	return all[0], nil
}

// ActsOnException are the acts on an exception and on those about the same thing
// before and after it, oldest first: nothing that was said is lost when it is raised
// anew. Of a message they are those on all its versions, edited ones too.
func (l *Ledger) ActsOnException(ctx context.Context, x *Exception) ([]Act, error) {
	if x.Message == "" {
		return l.ActsOn(ctx, subjectOf(x))
	}
	versions, err := l.Versions(ctx, x.key)
	if err != nil {
		return nil, err
	}
	var all []Act
	for i := range versions {
		acts, err := l.ActsOn(ctx, versions[i].StatementID())
		if err != nil {
			return nil, err
		}
		all = append(all, acts...)
	}
	slices.SortStableFunc(all, func(a, b Act) int { return a.Recorded.Compare(b.Recorded) })
	return all, nil
}

// subjectOf is how acts name what an exception is about.
func subjectOf(x *Exception) string {
	if x.Message != "" {
		return x.Message
	}
	return lateSubject(x.about, x.key)
}
