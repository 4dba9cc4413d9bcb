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
		if err != nil || decoded == "" {
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
	Owners         []string         // assignees and owner groups, at most two named
	Objects        map[string]int64 // different objects by kind: of commands their own, of messages all that are known
	Amounts        []Amount         // sums of what is at stake, exact
}

// deskFrom is what exceptions at the desk are read from.
const deskFrom = " from exceptions x left join desk d on d.message = x.message"

// ownerOf is whom an exception is for.
const ownerOf = "coalesce(nullif(d.assignee, ''), x.owner)"

// conditions gathers a where clause and its arguments.
type conditions struct {
	dialect dialect
	text    []string
	args    []any
}

// add adds a condition; ? in it stands for the values, in their order.
func (c *conditions) add(text string, values ...any) {
	for _, v := range values {
		c.args = append(c.args, v)
		text = strings.Replace(text, "?", fmt.Sprintf("$%d", len(c.args)), 1)
	}
	c.text = append(c.text, text)
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
func (l *Ledger) conditions(f *DeskFilter) (*conditions, error) {
	c := &conditions{dialect: l.store.dialect}
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
	if g := f.Cause; g != nil {
		c.add("x.plant = ? and x.system = ? and x.about = ? and x.name = ? and x.reason = ?", g.Plant, g.System, g.About, g.Name, g.Reason)
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
	return c, c.addText(f.Text)
}

// DeskWords is how many words one search may have.
const DeskWords = 8

// addText adds that every word of a text is found. A word with a slash is the
// beginning of a ref, as it is written; any other that of a word, in small letters.
func (c *conditions) addText(text string) error {
	all := strings.Fields(text)
	if len(all) > DeskWords {
		return fault.New("ledger.Desk", fault.InvalidRequest, "text", "%d words; search for %d at most", len(all), DeskWords)
	}
	for _, word := range all {
		const among = "(x.message, x.version) in (select message, version from %s where %s >= ? and %[2]s < ?)"
		if strings.Contains(word, "/") {
			c.add(fmt.Sprintf(among, "exception_refs", "ref"), word, behind(word))
			continue
		}
		if word = trimmed(word); word == "" {
			return fault.New("ledger.Desk", fault.InvalidRequest, "text", "%.60q has no word to search for", text)
		}
		c.add(fmt.Sprintf(among, "exception_words", "word"), word, behind(word))
	}
	return nil
}

// behind is what comes behind everything that begins with a text.
func behind(text string) string { return text + "\U0010FFFF" }

const causeColumns = "x.plant, x.system, x.about, x.name, x.reason"

// Groups are the exceptions that a filter chooses, by cause: those with the nearest
// deadline first. Paging of the filter does not count.
func (l *Ledger) Groups(ctx context.Context, f DeskFilter) ([]Group, error) {
	c, err := l.conditions(&f)
	if err != nil {
		return nil, err
	}
	groups := map[Cause]*Group{}
	err = l.Read(ctx, func(ctx context.Context, r *Reader) error {
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
	query := "select " + causeColumns + ", min(x.class), count(*), min(x.raised), max(x.raised), coalesce(min(nullif(x.deadline, 0)), 0), min(" + ownerOf + "), max(" + ownerOf + ")" +
		deskFrom + c.where() + " group by 1, 2, 3, 4, 5"
	return r.Query(ctx, query, c.args, func(row Row) error {
		g := &Group{Objects: map[string]int64{}}
		var oldest, newest, deadline int64
		var first, last string
		if err := row.Scan(&g.Plant, &g.System, &g.About, &g.Name, &g.Reason, &g.Class, &g.Count, &oldest, &newest, &deadline, &first, &last); err != nil {
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

// groupObjects counts different objects: of commands those that they are about, of
// messages all that are known. SQLite keeps to the order of a cross join: from the few
// exceptions that are open to what belongs to them.
func (r *Reader) groupObjects(ctx context.Context, c *conditions, groups map[Cause]*Group) error {
	add := func(row Row) error {
		var g Cause
		var ref event.Ref
		err := row.Scan(&g.Plant, &g.System, &g.About, &g.Name, &g.Reason, &ref)
		if known := groups[g]; err == nil && known != nil && ref != "" {
			known.Objects[ref.Kind()]++
		}
		return err
	}
	of := *c
	of.text = append(slices.Clone(c.text), "x.about <> 'message'")
	if err := r.Query(ctx, "select distinct "+causeColumns+", x.ref"+deskFrom+of.where(), c.args, add); err != nil {
		return err
	}
	of.text = append(slices.Clone(c.text), "r.message = x.message and r.version = x.version", "x.about = 'message'", "(r.ref <> x.ref or x.class <> 'heals')") // what is missing is not what stands still
	return r.Query(ctx, "select distinct "+causeColumns+", r.ref"+deskFrom+
		" cross join exception_refs r"+of.where(), c.args, add)
}

func (r *Reader) groupAmounts(ctx context.Context, c *conditions, groups map[Cause]*Group) error {
	of := *c
	of.text = append(slices.Clone(c.text), "a.message = x.message and a.version = x.version")
	query := "select " + causeColumns + ", a.measure, a.unit, a.value, count(*)" + deskFrom + " cross join exception_amounts a" + of.where() + " group by 1, 2, 3, 4, 5, 6, 7, 8 order by 6, 7"
	return r.Query(ctx, query, c.args, func(row Row) error {
		var g Cause
		var a Amount
		var value string
		var count int64
		err := row.Scan(&g.Plant, &g.System, &g.About, &g.Name, &g.Reason, &a.Measure, &a.Unit, &value, &count)
		if err == nil {
			a.Value, err = event.ParseTimes(value, count)
		}
		if known := groups[g]; err == nil && known != nil {
			known.Amounts = addAmount(known.Amounts, a)
		}
		return err
	})
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

const deskQuery = "select x.message, x.version, x.plant, x.system, x.name, x.state, x.reason, x.field, x.ref, x.detail, x.owner, x.raised, x.deadline, x.ended, x.resolution, x.about" + deskFrom

// Desk lists the exceptions that a filter chooses; more says that there are others
// behind them.
func (l *Ledger) Desk(ctx context.Context, f DeskFilter) (all []DeskException, more bool, err error) {
	c, err := l.conditions(&f)
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
	query := fmt.Sprintf("%s%s order by x.raised%s, x.message%[3]s limit %[4]d", deskQuery, c.where(), order, limit+1)
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

// atDesk adds what people have decided, what exceptions are about and what is at stake.
func (l *Ledger) atDesk(ctx context.Context, found []Exception) ([]DeskException, error) {
	all := make([]DeskException, len(found))
	for i := range found {
		x := DeskException{Exception: found[i]}
		err := l.each(ctx, "select assignee, until, since, reason from desk where message = $1", []any{x.key}, func(r Row) error {
			var until, since int64
			var reason string
			err := r.Scan(&x.Assignee, &until, &since, &reason)
			if x.State == DeskOpen && until > micros(l.Now()) && micros(x.Raised) <= since && reason == x.Reason.Code {
				x.Until = fromMicros(until)
			}
			return err
		})
		if err == nil {
			err = l.each(ctx, "select ref from exception_refs where message = $1 and version = $2 order by ref", []any{x.key, x.version}, func(r Row) error {
				var ref event.Ref
				err := r.Scan(&ref)
				x.Refs = append(x.Refs, ref)
				return err
			})
		}
		if err == nil {
			x.Amounts, err = l.amountsOf(ctx, x.key, x.version)
		}
		if err == nil && x.Message != "" {
			err = l.each(ctx, "select id from messages where key = $1 and version = $2", []any{x.key, x.version}, func(r Row) error { return r.Scan(&x.ID) })
		}
		if err != nil {
			return nil, fmt.Errorf("ledger.Desk: %w", err)
		}
		all[i] = x
	}
	return all, nil
}

func (l *Ledger) amountsOf(ctx context.Context, key string, version int) ([]Amount, error) {
	var all []Amount
	err := l.each(ctx, "select measure, unit, value from exception_amounts where message = $1 and version = $2 order by measure, unit", []any{key, version}, func(r Row) error {
		var a Amount
		var value string
		err := r.Scan(&a.Measure, &a.Unit, &value)
		if err == nil {
			a.Value, err = event.ParseDecimal(value)
		}
		all = append(all, a)
		return err
	})
	return all, err
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
	found, err := l.exceptions(ctx, deskQuery+" where x.message = $1 and (x.about <> 'message' or x.version = $2) order by x.state <> 'open', x.version desc limit 1", key, version)
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
