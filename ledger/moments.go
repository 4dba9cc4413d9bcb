package ledger

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/gapless/gapless/event"
)

// Terms tell until when something is to be put right, counted from a time: as the
// catalog says. A pure function. nil: until never.
type Terms func(from time.Time) Deadlines

// Deadlines are until when something is to be put right, when that is warned of, and
// when and to whom it goes then, each later than the one before. Zero times are never.
type Deadlines struct {
	Until, Warn time.Time
	Handed      []Handed
}

// A Handed is the time at which something late goes to another owner group.
type Handed struct {
	At time.Time
	To string
}

// Within are the terms of a time that passes; 0 is for ever.
func Within(d time.Duration) Terms {
	if d <= 0 {
		return nil
	}
	return func(from time.Time) Deadlines { return Deadlines{Until: from.Add(d)} }
}

// from are the deadlines counted from a time in microseconds.
func (t Terms) from(at int64) Deadlines {
	if t == nil {
		return Deadlines{}
	}
	return t(fromMicros(at))
}

// StageWarned is the stage of an exception that was warned of. Those behind it are as
// often handed on as they are larger.
const StageWarned = 1

// Acts that the passing of time brings about. What is awaited and not late yet is
// warned of as its exception would be.
const (
	actWarned    = "exception.warned"
	actEscalated = "exception.escalated"
)

// A Moment is a time at which an exception, or what is awaited, is warned of or goes to
// another owner group. It is passed once: by the commit that puts that on record.
type Moment struct {
	Message string // key of the message, the step or the expectation
	Version int    // of the exception; 0: of what is awaited and not late yet, or of what is late
	Stage   int    // that is reached
	Cause
	Due    time.Time
	To     string    // the owner group; "" for a warning
	Passed time.Time // zero: to come
}

// A momentOf is what moments are about: an exception, or with version 0 what is awaited.
type momentOf struct {
	key     string
	version int
}

// text is what it is in versionColumn.
func (o momentOf) text() string { return versionText(o.key, o.version) }

// inOrder is a set in order.
func inOrder[V any](set map[momentOf]V) []momentOf {
	return slices.SortedFunc(maps.Keys(set), func(a, b momentOf) int { return cmp.Or(cmp.Compare(a.key, b.key), a.version-b.version) })
}

// listed are the keys and the texts of a set, in order.
func listed[V any](set map[momentOf]V) (keys, texts []string) {
	for _, o := range inOrder(set) {
		keys, texts = append(keys, o.key), append(texts, o.text())
	}
	return keys, texts
}

func (m *Moment) of() momentOf { return momentOf{m.Message, m.Version} }

// row is the moment as the database has it.
func (m *Moment) row() []any {
	return []any{m.Message, int64(m.Version), int64(m.Stage), m.Plant, m.System, m.About, m.Name, m.Reason, micros(m.Due), m.To, micros(m.Passed)}
}

const momentColumns = "m.message, m.version, m.n, m.plant, m.system, m.about, m.name, m.reason, m.due, m.owner, m.passed"

func scanMoment(r Row, more ...any) (Moment, error) {
	var m Moment
	var due, passed int64
	err := r.Scan(append([]any{&m.Message, &m.Version, &m.Stage, &m.Plant, &m.System, &m.About, &m.Name, &m.Reason, &due, &m.To, &passed}, more...)...)
	m.Due, m.Passed = fromMicros(due), fromMicros(passed)
	return m, err
}

// MomentsDue are those that have come and are not passed, the earliest first. They are
// found by an index.
func (l *Ledger) MomentsDue(ctx context.Context, limit int) ([]Moment, error) {
	return l.moments(ctx, "m.passed = 0 and m.due <= $1 order by m.due limit $2", micros(l.cfg.Clock()), limit)
}

// MomentsOf are those of an exception or of what is awaited, in the order of their stages.
func (l *Ledger) MomentsOf(ctx context.Context, key string, version int) ([]Moment, error) {
	return l.moments(ctx, "m.message = $1 and m.version = $2 order by m.n", key, int64(version))
}

func (l *Ledger) moments(ctx context.Context, where string, args ...any) ([]Moment, error) {
	var all []Moment
	err := l.each(ctx, "select "+momentColumns+" from moments m where "+where, args, func(r Row) error {
		m, err := scanMoment(r)
		all = append(all, m)
		return err
	})
	return all, err
}

// PassMoments puts on record that moments of a plant have come. What has ended
// meanwhile, or what another node was faster with, is left alone.
func (l *Ledger) PassMoments(ctx context.Context, plant, node string, moments []Moment) error {
	it := &item{turn: &turn{plant: plant, node: node, moments: moments}}
	if err := l.submit(ctx, l.single, []*item{it}); err != nil {
		return err
	}
	return it.err
}

// moments gathers what one commit writes about moments.
type moments struct {
	set     map[momentOf][]Moment   // of what this commit raises or awaits
	ended   map[momentOf]bool       // what has ended
	stirred map[string]bool         // keys of what this commit has changed: a turn leaves it to the next one
	loaded  map[stageKey]*momentNow // those of turns, as they are on record
	passed  []Moment
}

// stageKey names a moment.
type stageKey struct {
	of    momentOf
	stage int
}

// momentNow is a moment as the commit finds it.
type momentNow struct {
	Moment
	open            bool // the exception is open, or what is awaited has not come
	owner, assignee string
	until           int64 // snoozed to, microseconds; 0 where it is not
}

func newMoments() moments {
	return moments{set: map[momentOf][]Moment{}, ended: map[momentOf]bool{}, stirred: map[string]bool{}, loaded: map[stageKey]*momentNow{}}
}

// promise keeps the moments of what is raised or awaited, and answers its deadline in
// microseconds.
func (t *transaction) promise(key string, version int, about Cause, d Deadlines) (deadline int64) {
	m := Moment{Message: key, Version: version, Cause: about}
	of := m.of()
	t.moments.set[of], t.moments.stirred[key] = nil, true
	delete(t.moments.ended, of)
	add := func(stage int, due time.Time, to string) {
		m.Stage, m.Due, m.To = stage, due, to
		t.moments.set[of] = append(t.moments.set[of], m)
	}
	if !d.Warn.IsZero() {
		add(StageWarned, d.Warn, "")
	}
	for i, h := range d.Handed {
		add(StageWarned+1+i, h.At, h.To)
	}
	return micros(d.Until)
}

// warnOf keeps when what is awaited is warned of; what comes after its deadline is of
// the exception that is raised then.
func (t *transaction) warnOf(key string, about Cause, d Deadlines) {
	t.promise(key, 0, about, Deadlines{Warn: d.Warn})
}

// endMoments takes the moments of something away that has ended.
func (t *transaction) endMoments(key string, version int) {
	of := momentOf{key, version}
	t.moments.stirred[key], t.moments.ended[of] = true, true
	delete(t.moments.set, of)
}

// loadMoments reads how the moments of turns stand.
func (t *transaction) loadMoments(ctx context.Context) error {
	var keys []string
	for _, it := range t.batch.items {
		if it.turn != nil {
			for i := range it.turn.moments {
				keys = append(keys, it.turn.moments[i].Message)
			}
		}
	}
	slices.Sort(keys)
	return t.in(ctx, "select "+momentColumns+`, coalesce(x.state, ''), coalesce(x.owner, ''), coalesce(d.assignee, ''), coalesce(d.until, 0),
			(select count(*) from timers where about = m.message and `+lateTimer+`)
		from moments m left join exceptions x on x.message = m.message and x.version = m.version left join desk d on d.message = m.message
		where m.passed = 0 and `, "m.message", slices.Compact(keys), func(r Row) error {
		var state string
		var timers int64
		now := &momentNow{}
		var err error
		now.Moment, err = scanMoment(r, &state, &now.owner, &now.assignee, &now.until, &timers)
		now.open = state == DeskOpen || state == "" && timers > 0
		t.moments.loaded[now.key()] = now
		return err
	})
}

func (m *Moment) key() stageKey { return stageKey{m.of(), m.Stage} }

// pass puts on record that a moment has come, as far as what it is about still stands.
func (t *transaction) pass(f *feed, node string, asked *Moment) error {
	now := t.moments.loaded[asked.key()]
	switch {
	case now == nil || !now.Passed.IsZero() || t.moments.stirred[asked.Message] || micros(now.Due) > t.now:
		return nil // by another node, or it is looked at again
	case !now.open:
		t.moments.ended[now.of()] = true
		return nil
	}
	c := Change{After: map[string]string{"stage": now.stageName()}}
	if now.To != "" {
		c.Before = map[string]string{"owner": cmp.Or(now.assignee, now.owner)}
		c.After["owner"] = now.To
		if now.until > t.now { // whoever put it off has it no longer
			c.Before["until"] = fromMicros(now.until).Format(time.RFC3339)
		}
		for stage := now.Stage + 1; t.moments.loaded[stageKey{now.of(), stage}] != nil; stage++ { // those of the same commit see it
			later := t.moments.loaded[stageKey{now.of(), stage}]
			later.owner, later.assignee, later.until = now.To, "", 0
		}
	}
	now.Passed = fromMicros(f.tick(t.now))
	t.moments.passed = append(t.moments.passed, now.Moment)
	detail, err := c.text()
	t.addActAt(f, Act{Plant: f.plant, Principal: hubPrincipal + node, Act: now.act(), Subject: now.subject(), Detail: detail}, micros(now.Passed))
	return err
}

// stageName is the stage in the word of people.
func (m *Moment) stageName() string {
	if m.Stage == StageWarned {
		return "warned"
	}
	return fmt.Sprintf("escalated %d", m.Stage-StageWarned)
}

// act is what passing the moment is called on record.
func (m *Moment) act() string {
	if m.Stage == StageWarned {
		return actWarned
	}
	return actEscalated
}

// subject is how acts name what the moment is about.
func (m *Moment) subject() string {
	if m.About == aboutMessage {
		return event.StatementID(m.Message, m.Version)
	}
	return lateSubject(m.About, m.Message)
}

// writeMoments gathers the rows of moments. What is raised anew for the same reason
// keeps those that it has: its clock goes on.
func (t *transaction) writeMoments(ctx context.Context) error {
	for _, row := range t.raised {
		key, _ := row[exceptionMessage].(string)
		version, _ := row[exceptionVersion].(int64)
		if row[exceptionState] != DeskOpen {
			delete(t.moments.set, momentOf{key, int(version)})
		}
	}
	for _, of := range inOrder(t.moments.set) {
		for _, m := range t.moments.set[of] {
			t.add(momentsTable, m.row())
		}
	}
	for i := range t.moments.passed {
		t.add(passedTable, t.moments.passed[i].row())
	}
	keys, texts := listed(t.moments.set)
	if len(keys) == 0 {
		return nil
	}
	var reasons []string
	for _, of := range inOrder(t.moments.set) {
		for i := range t.moments.set[of] {
			reasons = append(reasons, of.text()+" "+t.moments.set[of][i].Reason)
		}
	}
	return t.exec(ctx, `delete from moments where `+t.dialect.isIn("message", "$1")+" and "+t.dialect.isIn(versionColumn, "$2")+`
		and not (`+t.dialect.isIn(versionColumn+" || ' ' || reason", "$3")+`
			and exists (select 1 from exceptions x where x.message = moments.message and x.version = moments.version and x.state = 'open' and x.reason = moments.reason))`,
		t.dialect.list(keys), t.dialect.list(texts), t.dialect.list(slices.Compact(reasons)))
}

// handOn moves exceptions to the stages that they have come to, and to the groups that
// they are for now: from whoever had them or had put them off. The statements are as many as there are
// different stages and groups.
func (t *transaction) handOn(ctx context.Context) error {
	type step struct {
		stage int
		to    string
	}
	keys, texts, order := map[step][]string{}, map[step][]string{}, []step{}
	for i := range t.moments.passed {
		m := &t.moments.passed[i]
		s := step{m.Stage, m.To}
		if keys[s] == nil {
			order = append(order, s)
		}
		keys[s], texts[s] = append(keys[s], m.Message), append(texts[s], m.of().text())
	}
	slices.SortFunc(order, func(a, b step) int { return cmp.Or(a.stage-b.stage, cmp.Compare(a.to, b.to)) })
	for _, s := range order {
		err := t.exec(ctx, "update exceptions set stage = $1, owner = case when $2 = '' then owner else $2 end where state = 'open' and "+
			t.dialect.isIn("message", "$3")+" and "+t.dialect.isIn(versionColumn, "$4"), int64(s.stage), s.to, t.dialect.list(keys[s]), t.dialect.list(texts[s]))
		if err == nil && s.to != "" {
			err = t.exec(ctx, "update desk set assignee = '', until = 0, since = 0, reason = '' where "+t.dialect.isIn("message", "$1"), t.dialect.list(keys[s]))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// versionColumn is versionText of a row, by which rows of many versions are found together.
const versionColumn = "message || '.' || version"

// versionText names a version of a message, of a step or of an expectation within a query.
func versionText(key string, version int) string { return key + "." + strconv.Itoa(version) }

// dropMoments takes away what has ended.
func (t *transaction) dropMoments(ctx context.Context) error {
	keys, texts := listed(t.moments.ended)
	if len(keys) == 0 {
		return nil
	}
	return t.exec(ctx, "delete from moments where "+t.dialect.isIn("message", "$1")+" and "+t.dialect.isIn(versionColumn, "$2"), t.dialect.list(keys), t.dialect.list(texts))
}
