package ledger

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// readLimit bounds a read transaction: a longer one would keep the WAL from
// starting over. What is longer goes page by page.
const readLimit = 2 * time.Second

// Reader runs SELECTs within one consistent view of the ledger.
type Reader struct{ session *session }

// Query runs a SELECT and calls scan for each row.
func (r *Reader) Query(ctx context.Context, query string, args []any, scan func(row Row) error) error {
	return r.session.each(ctx, query, args, scan)
}

// In is a condition that a column is one of many values, and its argument.
func (r *Reader) In(column, parameter string, values []string) (condition string, arg any) {
	return r.session.dialect.isIn(column, parameter), r.session.dialect.list(values)
}

// Read runs do within one consistent view of at most two seconds.
func (l *Ledger) Read(ctx context.Context, do func(ctx context.Context, r *Reader) error) error {
	return l.readWithin(ctx, readLimit, do)
}

func (l *Ledger) readWithin(ctx context.Context, limit time.Duration, do func(ctx context.Context, r *Reader) error) error {
	l.passGate()
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return l.store.readers.view(ctx, func(on *session) error { return do(ctx, &Reader{on}) })
}

// passGate waits while the WAL starts over.
func (l *Ledger) passGate() {
	l.readGate.RLock()
	l.readGate.RUnlock() //nolint:staticcheck // nothing is guarded: to have come through is all
}

// each reads rows outside any view.
func (l *Ledger) each(ctx context.Context, query string, args []any, scan func(Row) error) error {
	l.passGate()
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	return l.store.readers.each(ctx, query, args, scan)
}

// StoredMessage is a kept version of a message and what it stands at.
type StoredMessage struct {
	event.Message
	Held      bool // the newest version is held
	Effective int  // the version whose events stand; 0 while none
	Newest    int  // the newest version
	Erased    bool // the raw content is no longer there
	Echo      bool // it told of what the hub had asked for, and so made no event
}

// connectorChannel begins the channel of what the hub itself states of attempts.
const connectorChannel = "connector:"

// Message is a version of a message by its id; version 0 of a key means the
// newest. The Body is read only withBody.
func (l *Ledger) Message(ctx context.Context, id string, withBody bool) (StoredMessage, error) {
	key, version, err := event.ParseStatementID(id)
	if err != nil {
		return StoredMessage{}, fault.Wrap("ledger.Message", fault.InvalidRequest, "message", err)
	}
	var m StoredMessage
	err = l.each(ctx, messageQuery+" where m.key = $1 and m.version = $2", []any{key, version}, func(r Row) error {
		m, err = scanMessage(r)
		return err
	})
	if err == nil && m.ID == "" && m.System == "" {
		return m, fault.New("ledger.Message", fault.NotFound, "message", "no message %s is on record", id)
	}
	if err != nil || !withBody {
		return m, err
	}
	m.Erased = true
	err = l.each(ctx, "select body from contents where recorded = $1 and key = $2", []any{micros(m.Received), key}, func(r Row) error {
		m.Erased = false
		return r.Scan(&m.Body)
	})
	return m, err
}

const messageQuery = `select m.system, m.name, m.id, m.version, m.plant, m.content_type, m.channel, m.principal, m.digest, m.recorded,
	i.state, i.effective, i.version, i.events from messages m join inbox i on i.key = m.key`

func scanMessage(r Row) (StoredMessage, error) {
	var m StoredMessage
	var recorded int64
	var state, events string
	err := r.Scan(&m.System, &m.Name, &m.ID, &m.Version, &m.Plant, &m.ContentType, &m.Channel, &m.Principal, &m.Digest, &recorded,
		&state, &m.Effective, &m.Newest, &events)
	m.Received, m.Held = fromMicros(recorded), state == "held"
	m.Echo = !m.Held && events == "" && !strings.HasPrefix(m.Channel, connectorChannel)
	return m, err
}

// Newest is the newest version of a message, with its body.
func (l *Ledger) Newest(ctx context.Context, key string) (StoredMessage, error) {
	var id string
	err := l.each(ctx, "select version from inbox where key = $1", []any{key}, func(r Row) error {
		var version int
		err := r.Scan(&version)
		id = event.StatementID(key, version)
		return err
	})
	if err != nil {
		return StoredMessage{}, err
	}
	if id == "" {
		return StoredMessage{}, fault.New("ledger.Newest", fault.NotFound, "message", "no message %s is on record", key)
	}
	return l.Message(ctx, id, true)
}

// NewestOf are the newest versions of messages by key, with their bodies. A key that is
// of no message is absent.
func (l *Ledger) NewestOf(ctx context.Context, keys []string) (map[string]StoredMessage, error) {
	all := make(map[string]StoredMessage, len(keys))
	query := messageQuery + " and i.version = m.version where " + l.store.dialect.isIn("m.key", "$1")
	err := l.each(ctx, query, []any{l.store.dialect.list(keys)}, func(r Row) error {
		m, err := scanMessage(r)
		m.Erased = true
		all[m.Key()] = m
		return err
	})
	if err != nil {
		return nil, err
	}
	query = "select c.key, c.body from inbox i join messages m on m.key = i.key and m.version = i.version join contents c on c.recorded = m.recorded and c.key = m.key where " +
		l.store.dialect.isIn("i.key", "$1")
	err = l.each(ctx, query, []any{l.store.dialect.list(keys)}, func(r Row) error {
		var key string
		var body []byte
		if err := r.Scan(&key, &body); err != nil {
			return err
		}
		if m, ok := all[key]; ok {
			m.Erased, m.Body = false, body
			all[key] = m
		}
		return nil
	})
	return all, err
}

// Corrected are the versions that were refused as a conflict with a held message that can
// no longer go on as it is, because its content or the catalog is at fault: of the
// messages with the keys, with their bodies.
func (l *Ledger) Corrected(ctx context.Context, keys []string) ([]StoredMessage, error) {
	var ids []string
	query := `select m.key, max(m.version) from inbox i join messages m on m.key = i.key and m.digest = i.conflict
		join exceptions x on x.message = i.key and x.version = i.version and x.state = 'open' and x.class in ('data', 'definition')
		where i.conflict <> '' and i.state = 'held' and i.effective = 0 and ` + l.store.dialect.isIn("i.key", "$1") + " group by m.key"
	err := l.each(ctx, query, []any{l.store.dialect.list(keys)}, func(r Row) error {
		var key string
		var version int
		err := r.Scan(&key, &version)
		ids = append(ids, event.StatementID(key, version))
		return err
	})
	if err != nil {
		return nil, err
	}
	all := make([]StoredMessage, len(ids))
	for i, id := range ids {
		if all[i], err = l.Message(ctx, id, true); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// Versions are all kept versions of a message, oldest first, without bodies.
func (l *Ledger) Versions(ctx context.Context, key string) ([]StoredMessage, error) {
	var all []StoredMessage
	err := l.each(ctx, messageQuery+" where m.key = $1 order by m.version", []any{key}, func(r Row) error {
		m, err := scanMessage(r)
		all = append(all, m)
		return err
	})
	return all, err
}

// StoredEvent is an event on record.
type StoredEvent struct {
	Draft
	Current bool   // no later statement corrects or reverses it
	Newest  string // id of the newest statement of its key
}

const storedEventQuery = "select " + eventColumns + ", k.statement, k.change from events e join event_keys k on k.key = e.key "

func scanStoredEvent(r Row) (StoredEvent, error) {
	var statement int
	var change string
	d, err := scanEvent(r, &statement, &change)
	return StoredEvent{
		Draft: d, Current: statement == d.Statement && change != string(event.Reversal), Newest: event.StatementID(d.Key, statement),
	}, err
}

// Event is one statement by its id.
func (l *Ledger) Event(ctx context.Context, id string) (StoredEvent, error) {
	key, statement, err := event.ParseStatementID(id)
	if err != nil {
		return StoredEvent{}, fault.Wrap("ledger.Event", fault.InvalidRequest, "event", err)
	}
	all, err := l.Statements(ctx, key)
	if err != nil {
		return StoredEvent{}, err
	}
	for _, e := range all {
		if e.Statement == statement {
			return e, nil
		}
	}
	return StoredEvent{}, fault.New("ledger.Event", fault.NotFound, "event", "no event %s is on record", id)
}

// Newests are those of the statements that are the newest of their key, by id, without
// facts.
func (l *Ledger) Newests(ctx context.Context, ids []string) (map[string]Draft, error) {
	keys := make([]string, len(ids))
	for i, id := range ids {
		key, _, err := event.ParseStatementID(id)
		if err != nil {
			return nil, fault.Wrap("ledger.Newests", fault.InvalidRequest, "event", err)
		}
		keys[i] = key
	}
	all := map[string]Draft{}
	query := "select " + eventColumns + " from event_keys k join events e on e.plant = k.plant and e.position = k.position and e.recorded = k.recorded where " +
		l.store.dialect.isIn("k.key", "$1")
	err := l.each(ctx, query, []any{l.store.dialect.list(keys)}, func(r Row) error {
		d, err := scanEvent(r)
		if id := d.ID(); slices.Contains(ids, id) {
			all[id] = d
		}
		return err
	})
	return all, err
}

// Statements are all statements under an event key, oldest first: what was said
// first, then its corrections and its reversal. They are found by walking back
// from the newest, which the narrow table of keys names.
func (l *Ledger) Statements(ctx context.Context, key string) ([]StoredEvent, error) {
	var plant string
	var position int64
	err := l.each(ctx, "select plant, position from event_keys where key = $1", []any{key}, func(r Row) error {
		return r.Scan(&plant, &position)
	})
	var all []StoredEvent
	for err == nil && position > 0 {
		at := position
		position = 0
		err = l.each(ctx, "select "+eventColumns+", k.statement, k.change, e.previous from events e join event_keys k on k.key = e.key where e.plant = $1 and e.position = $2",
			[]any{plant, at}, func(r Row) error {
				var statement int
				var change string
				d, err := scanEvent(r, &statement, &change, &position)
				all = append([]StoredEvent{{Draft: d, Current: statement == d.Statement && change != string(event.Reversal), Newest: event.StatementID(d.Key, statement)}}, all...)
				return err
			})
	}
	return all, err
}

// EventFacts are the facts of one statement, as they count: those that it took
// back come first and negative.
func (l *Ledger) EventFacts(ctx context.Context, plant string, position int64) ([]event.Fact, error) {
	var facts []event.Fact
	err := l.each(ctx, `select measure, material, lot, order_ref, operation, work_center, equipment, reason, value, unit, base_value, base_unit, factor
		from facts where plant = $1 and position = $2 order by n`, []any{plant, position}, func(r Row) error {
		f, err := scanFact(r)
		facts = append(facts, f)
		return err
	})
	return facts, err
}

// EventsOfMessage are the statements that any version of a message made and that
// are the newest of their key.
func (l *Ledger) EventsOfMessage(ctx context.Context, key string) ([]StoredEvent, error) {
	var all []StoredEvent
	var keys string
	err := l.each(ctx, "select events from inbox where key = $1", []any{key}, func(r Row) error { return r.Scan(&keys) })
	if err != nil {
		return nil, err
	}
	condition := l.store.dialect.isIn("k.key", "$1")
	err = l.each(ctx, storedEventQuery+"and k.plant = e.plant and k.position = e.position where "+condition+" and k.message = $2 order by e.position",
		[]any{l.store.dialect.list(strings.Fields(keys)), key}, func(r Row) error {
			e, err := scanStoredEvent(r)
			all = append(all, e)
			return err
		})
	return all, err
}

// History are the events that touch an object, newest last, from behind a place
// in the history; every statement, corrected ones too.
func (l *Ledger) History(ctx context.Context, ref event.Ref, after time.Time, limit int) ([]StoredEvent, error) {
	var all []StoredEvent
	err := l.each(ctx, "select "+eventColumns+`, k.statement, k.change from object_events o
		join events e on e.plant = o.plant and e.position = o.position and e.recorded = o.recorded
		join event_keys k on k.key = e.key
		where o.ref = $1 and o.recorded > $2 order by o.recorded limit $3`, []any{string(ref), micros(after), limit}, func(r Row) error {
		e, err := scanStoredEvent(r)
		all = append(all, e)
		return err
	})
	return all, err
}

// StoredObject is the state of an object.
type StoredObject struct {
	Ref   event.Ref
	Known bool // an event has touched it
	Object
}

// Object reads an object's state. An object without a lifecycle has none, but is
// Known when an event has touched it.
func (l *Ledger) Object(ctx context.Context, ref event.Ref) (StoredObject, error) {
	o := StoredObject{Ref: ref}
	err := l.each(ctx, "select state, ordering, plant, position, recorded from objects where ref = $1", []any{string(ref)}, func(r Row) error {
		var state []byte
		var recorded int64
		if err := r.Scan(&state, &o.Ordering, &o.Plant, &o.Position, &recorded); err != nil {
			return err
		}
		o.Known, o.Recorded = true, fromMicros(recorded)
		var err error
		o.State, err = decodeObject(state)
		return err
	})
	if err != nil || o.Known {
		return o, err
	}
	err = l.each(ctx, "select 1 from object_events where ref = $1 limit 1", []any{string(ref)}, func(Row) error {
		o.Known = true
		return nil
	})
	return o, err
}

// Objects lists refs of a kind with a state, in order, from behind one.
func (l *Ledger) Objects(ctx context.Context, kind string, after event.Ref, limit int) ([]StoredObject, error) {
	var all []StoredObject
	err := l.each(ctx, "select ref, state, ordering, plant, position, recorded from objects where ref > $1 and ref < $2 order by ref limit $3",
		[]any{max(string(after), kind+"/"), kind + "0", limit}, func(r Row) error {
			o := StoredObject{Known: true}
			var state []byte
			var recorded int64
			if err := r.Scan(&o.Ref, &state, &o.Ordering, &o.Plant, &o.Position, &recorded); err != nil {
				return err
			}
			o.Recorded = fromMicros(recorded)
			var err error
			o.State, err = decodeObject(state)
			all = append(all, o)
			return err
		})
	return all, err
}

// Related is a relation in effect and the event that states it.
type Related struct {
	event.Relation
	Event string
}

// Relations are the relations of an object, in both directions, that a statement
// in effect makes.
func (l *Ledger) Relations(ctx context.Context, ref event.Ref, limit int) ([]Related, error) {
	var all []Related
	err := l.each(ctx, `select distinct r.kind, r.from_ref, r.to_ref, min(r.key) from relations r
		join event_keys k on k.key = r.key and k.plant = r.plant and k.position = r.position and k.change <> 'reversal'
		where r.from_ref = $1 or r.to_ref = $2 group by r.kind, r.from_ref, r.to_ref order by r.kind, r.from_ref, r.to_ref limit $3`,
		[]any{string(ref), string(ref), limit}, func(r Row) error {
			var x Related
			err := r.Scan(&x.Kind, &x.From, &x.To, &x.Event)
			all = append(all, x)
			return err
		})
	return all, err
}

// Exception is what stands, or stood, in the way of a message version or a step, or
// what is late.
type Exception struct {
	Message    string // id of the version; "" where it is about a step or an expectation
	Step       string // command key; "" where it is about a message or an expectation
	Plant      string
	System     string
	Name       string // of the message, or of the command
	State      string // open, resolved, waived
	Reason     *fault.Reason
	Field      string
	Ref        event.Ref
	Detail     string
	Owner      string
	Raised     time.Time
	Deadline   time.Time // zero: none
	Ended      time.Time // zero: open
	Resolution string
	Waits      []string
	Stage      int // 0; StageWarned; behind it once for each time that it went to another owner

	key     string
	version int
	about   string
}

// ID names the exception: the id of the message version, the key of the command or of
// the expectation.
func (x *Exception) ID() string { return cmp.Or(x.Message, x.key) }

// Late tells whether it says only that something did not come in time: that goes on all
// the same, and the exception ends by itself when it comes.
func (x *Exception) Late() bool { return x.about == aboutDeadline || x.about == aboutExpectation }

// Version is that of the message; of a command one more than its attempts, 0 for what is late.
func (x *Exception) Version() int { return x.version }

// Key is that of the message, the step or the expectation that it is about.
func (x *Exception) Key() string { return x.key }

// HeldFilter chooses exceptions; empty fields choose all.
type HeldFilter struct {
	About  string // "message", "step", "deadline" of a step, or "expectation"
	State  string // default open
	Plant  string
	System string
	Reason string
	After  time.Time // raised later than this
	Behind string    // or raised at that time, of a message behind this one: the last of the page before
	Limit  int       // default 100
}

const exceptionQuery = `select message, version, plant, system, name, state, reason, field, ref, detail, owner, raised, deadline, ended, resolution, about, stage from exceptions `

// Held lists exceptions in the order in which they were raised.
func (l *Ledger) Held(ctx context.Context, f HeldFilter) ([]Exception, error) {
	if f.State == "" {
		f.State = "open"
	}
	if f.Limit == 0 {
		f.Limit = 100
	}
	if f.Behind == "" {
		f.Behind = "g" // behind every key, which are hex digits
	}
	return l.exceptions(ctx, exceptionQuery+`where state = $1 and (raised > $2 or raised = $2 and message > $3) and ($4 = '' or plant = $4)
		and ($5 = '' or system = $5) and ($6 = '' or reason = $6) and ($7 = '' or about = $7) order by raised, message limit $8`,
		f.State, micros(f.After), f.Behind, f.Plant, f.System, f.Reason, f.About, f.Limit)
}

// ExceptionsOf are the exceptions of all versions of a message, oldest first.
func (l *Ledger) ExceptionsOf(ctx context.Context, key string) ([]Exception, error) {
	return l.exceptions(ctx, exceptionQuery+"where message = $1 order by version", key)
}

func (l *Ledger) exceptions(ctx context.Context, query string, args ...any) ([]Exception, error) {
	var all []Exception
	err := l.each(ctx, query, args, func(r Row) error {
		var (
			x                       Exception
			reason                  string
			raised, deadline, ended int64
		)
		if err := r.Scan(&x.key, &x.version, &x.Plant, &x.System, &x.Name, &x.State, &reason, &x.Field, &x.Ref, &x.Detail, &x.Owner,
			&raised, &deadline, &ended, &x.Resolution, &x.about, &x.Stage); err != nil {
			return err
		}
		switch x.about {
		case aboutMessage:
			x.Message = event.StatementID(x.key, x.version)
		case aboutStep, aboutDeadline:
			x.Step = x.key
		}
		x.Raised, x.Deadline, x.Ended = fromMicros(raised), fromMicros(deadline), fromMicros(ended)
		if x.Reason = fault.ByCode(reason); x.Reason == nil {
			x.Reason = &fault.Reason{Code: reason, Title: reason} // of a later version of the program
		}
		all = append(all, x)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, l.addWaits(ctx, all)
}

// addWaits adds what exceptions wait for.
func (l *Ledger) addWaits(ctx context.Context, all []Exception) error {
	keys, at := make([]string, len(all)), make(map[string][]*Exception, len(all))
	for i := range all {
		keys[i] = all[i].key
		at[keys[i]] = append(at[keys[i]], &all[i])
	}
	return l.keyed(ctx, "select message, version, wanted from waits where ", "message", keys, " order by wanted", func(r Row) error {
		var key, wanted string
		var version int
		err := r.Scan(&key, &version, &wanted)
		for _, x := range at[key] {
			if x.version == version {
				x.Waits = append(x.Waits, wanted)
			}
		}
		return err
	})
}

// HeldCount counts open exceptions by plant and reason.
type HeldCount struct {
	Plant, System, Reason string
	Open                  int64
	Oldest                time.Time
}

// CountHeld counts what is open about messages or steps, or both where about is "".
func (l *Ledger) CountHeld(ctx context.Context, about string) ([]HeldCount, error) {
	var all []HeldCount
	err := l.each(ctx, "select plant, system, reason, count(*), min(raised) from exceptions where state = 'open' and ($1 = '' or about = $1) group by plant, system, reason order by plant, system, reason", []any{about},
		func(r Row) error {
			var c HeldCount
			var oldest int64
			err := r.Scan(&c.Plant, &c.System, &c.Reason, &c.Open, &oldest)
			c.Oldest = fromMicros(oldest)
			all = append(all, c)
			return err
		})
	return all, err
}

// CountWaived counts the messages that people gave up and that nothing replaced since:
// Open is how many, Oldest when the first of them was raised. One that a replay had held
// does not count: its events stand.
func (l *Ledger) CountWaived(ctx context.Context) ([]HeldCount, error) {
	var all []HeldCount
	err := l.each(ctx, `select x.plant, x.system, x.reason, count(*), min(x.raised) from exceptions x join inbox i on i.key = x.message and i.version = x.version and i.state = 'held' and i.effective < i.version
		where x.state = 'waived' and x.about = 'message' group by x.plant, x.system, x.reason order by x.plant, x.system, x.reason`, nil, func(r Row) error {
		var c HeldCount
		var oldest int64
		err := r.Scan(&c.Plant, &c.System, &c.Reason, &c.Open, &oldest)
		c.Oldest = fromMicros(oldest)
		all = append(all, c)
		return err
	})
	return all, err
}

// Totals count what is on record.
type Totals struct {
	Messages int64 `json:"messages"` // versions kept
	Events   int64 `json:"events"`   // statements, corrections and reversals included
	Echoes   int64 `json:"echoes"`   // messages that told of what the hub had asked for, and so made no event
	Held     int64 `json:"held"`     // open exceptions
}

// Count reads the totals. It walks the tables: for accounts and tests, not for a
// page that is asked every second.
func (l *Ledger) Count(ctx context.Context) (Totals, error) {
	var t Totals
	err := l.readWithin(ctx, time.Minute, func(ctx context.Context, r *Reader) error {
		for query, target := range map[string]*int64{
			"select count(*) from messages":            &t.Messages,
			"select coalesce(sum(last), 0) from feeds": &t.Events,
			"select count(*) from inbox i where i.state = 'recorded' and i.events = '' and exists (select 1 from messages m where m.key = i.key and m.channel not like '" + connectorChannel + "%')": &t.Echoes,
			"select count(*) from exceptions where state = 'open'": &t.Held,
		} {
			if err := r.Query(ctx, query, nil, func(row Row) error { return row.Scan(target) }); err != nil {
				return err
			}
		}
		return nil
	})
	return t, err
}

// Note puts an act on record that writes nothing else: raw content that was read,
// a message that was taken in again by hand.
func (l *Ledger) Note(ctx context.Context, a Act) error {
	return l.act(ctx, a, func(context.Context, *session, time.Time) error { return nil })
}

// ActsOn are the acts on a subject, oldest first.
func (l *Ledger) ActsOn(ctx context.Context, subject string) ([]Act, error) {
	var all []Act
	err := l.each(ctx, "select plant, principal, act, subject, detail, recorded from acts where subject = $1 order by recorded", []any{subject}, func(r Row) error {
		var a Act
		var recorded int64
		err := r.Scan(&a.Plant, &a.Principal, &a.Act, &a.Subject, &a.Detail, &recorded)
		a.Recorded = fromMicros(recorded)
		all = append(all, a)
		return err
	})
	return all, err
}

// OpenAbout are the open exceptions that name a ref.
func (l *Ledger) OpenAbout(ctx context.Context, ref event.Ref) ([]Exception, error) {
	return l.exceptions(ctx, exceptionQuery+"where state = 'open' and ref = $1 order by raised limit 1000", string(ref))
}

// RecordedAt is when the last event up to a cursor was recorded; zero for none.
func (l *Ledger) RecordedAt(ctx context.Context, c Cursor) (time.Time, error) {
	var last int64
	for _, plant := range sortedKeys(c) {
		err := l.each(ctx, "select recorded from events where plant = $1 and position = $2", []any{plant, c[plant]}, func(r Row) error {
			var recorded int64
			err := r.Scan(&recorded)
			last = max(last, recorded)
			return err
		})
		if err != nil {
			return time.Time{}, err
		}
	}
	return fromMicros(last), nil
}
