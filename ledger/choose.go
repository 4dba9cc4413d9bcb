package ledger

import (
	"cmp"
	"context"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// A Choice says which kept messages of a plant are replayed: the newest version of each
// for which everything holds that is given.
type Choice struct {
	Plant   string   `json:"plant"`
	Keys    []string `json:"keys,omitempty"`    // refs, and ids of messages or events: about any of them
	System  string   `json:"system,omitempty"`  // that sent it
	Message string   `json:"message,omitempty"` // name of the source message
	// Of one of its events:
	Type     string `json:"type,omitempty"`
	Revision string `json:"revision,omitempty"` // the beginning of the digest of the catalog that made it
	Outdated bool   `json:"outdated,omitempty"` // another version of its mapping made it than the one in force

	RecordedFrom time.Time `json:"recorded_from,omitzero"`
	RecordedTo   time.Time `json:"recorded_to,omitzero"` // before
	OccurredFrom time.Time `json:"occurred_from,omitzero"`
	OccurredTo   time.Time `json:"occurred_to,omitzero"` // before
}

// ofEvents tells whether the choice asks for something of the events of a message. One
// that made none is not chosen then.
func (c *Choice) ofEvents() bool {
	return c.Type != "" || c.Revision != "" || c.Outdated || !c.OccurredFrom.IsZero() || !c.OccurredTo.IsZero()
}

// within tells whether a time is in a span with open ends.
func within(at, from, to time.Time) bool {
	return (from.IsZero() || !at.Before(from)) && (to.IsZero() || at.Before(to))
}

// A ChosenMessage is one version of a message.
type ChosenMessage struct {
	Key      string
	Version  int
	Recorded time.Time
}

// ID is that of the version.
func (m *ChosenMessage) ID() string { return event.StatementID(m.Key, m.Version) }

// Chosen are messages, the oldest first.
type Chosen struct {
	Members []ChosenMessage
	Erased  []ChosenMessage // whose content is no longer there, so that they cannot be replayed
}

// Outdated tells whether another version of a mapping made an event than the one in
// force, by the name of the mapping and the revision of the catalog.
type Outdated func(ctx context.Context, mapping, revision string) (bool, error)

// Choose finds the messages of a choice, page by page. The fault is LimitExceeded where
// there are more than bulk work may have.
func (l *Ledger) Choose(ctx context.Context, c *Choice, outdated Outdated) (Chosen, error) {
	if c.Plant == "" {
		return Chosen{}, fault.New("ledger.Choose", fault.InvalidRequest, "plant", "say of which plant: a replay is of one")
	}
	x := &choosing{ledger: l, Choice: c, outdated: outdated, seen: map[string]bool{}}
	var err error
	if len(c.Keys) > 0 {
		err = x.byKeys(ctx)
	} else {
		err = x.byTime(ctx)
	}
	oldest := func(a, b ChosenMessage) int {
		return cmp.Or(a.Recorded.Compare(b.Recorded), cmp.Compare(a.Key, b.Key))
	}
	slices.SortFunc(x.chosen.Members, oldest)
	slices.SortFunc(x.chosen.Erased, oldest)
	return x.chosen, err
}

// choosing is the state of one Choose.
type choosing struct {
	*Choice
	ledger   *Ledger
	outdated Outdated
	seen     map[string]bool // keys that are chosen
	chosen   Chosen
}

// choosePage is how many rows one read looks at: each is short.
const choosePage = 1000

// byKeys looks at what is on record about the keys.
func (x *choosing) byKeys(ctx context.Context) error {
	for _, key := range x.Keys {
		var err error
		if strings.Contains(key, "/") {
			err = x.about(ctx, key)
		} else {
			err = x.named(ctx, key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// named looks at the message of an id, or of the event of an id.
func (x *choosing) named(ctx context.Context, id string) error {
	key, _, err := event.ParseStatementID(id)
	if err != nil {
		return fault.Wrap("ledger.Choose", fault.InvalidRequest, "keys", err)
	}
	keys := []string{key}
	err = x.ledger.each(ctx, "select message from event_keys where key = $1", []any{key}, func(r Row) error {
		var message string
		err := r.Scan(&message)
		keys = append(keys, message)
		return err
	})
	if err != nil {
		return err
	}
	return x.look(ctx, keys)
}

// about looks at the messages whose events name an object, and at those that are held
// and name it.
func (x *choosing) about(ctx context.Context, text string) error {
	ref, err := event.ParseRef(text)
	if err != nil {
		return fault.Wrap("ledger.Choose", fault.InvalidRequest, "keys", err)
	}
	for position, more := int64(0), true; more; {
		var keys []string
		err := x.ledger.each(ctx, `select e.position, e.message from object_events o join events e on e.plant = o.plant and e.position = o.position and e.recorded = o.recorded
			where o.ref = $1 and o.plant = $2 and o.position > $3 order by o.position limit $4`, []any{string(ref), x.Plant, position, choosePage}, func(r Row) error {
			var message string
			err := r.Scan(&position, &message)
			key, _, _ := strings.Cut(message, ".")
			keys = append(keys, key)
			return err
		})
		if err != nil {
			return err
		}
		if err := x.look(ctx, keys); err != nil {
			return err
		}
		more = len(keys) == choosePage
	}
	for behind, more := "", true; more; {
		var keys []string
		err := x.ledger.each(ctx, "select distinct message from exception_refs where ref = $1 and message > $2 order by message limit $3",
			[]any{string(ref), behind, choosePage}, func(r Row) error {
				err := r.Scan(&behind)
				keys = append(keys, behind)
				return err
			})
		if err != nil {
			return err
		}
		if err := x.look(ctx, keys); err != nil {
			return err
		}
		more = len(keys) == choosePage
	}
	return nil
}

// byTime looks at the messages of the plant in the order in which they were recorded.
func (x *choosing) byTime(ctx context.Context) error {
	link, last, err := x.links(ctx)
	if err != nil {
		return err
	}
	from, to := int64(math.MinInt64), int64(math.MaxInt64)
	if !x.RecordedFrom.IsZero() {
		from = micros(x.RecordedFrom)
	}
	if !x.RecordedTo.IsZero() {
		to = micros(x.RecordedTo)
	}
	for n, rows := int64(-1), choosePage; rows == choosePage; {
		rows = 0
		var keys []string
		err := x.ledger.each(ctx, `select key, system, name, link, n from messages where plant = $1 and (link, n) > ($2, $3) and link <= $4
			and recorded >= $5 and recorded < $6 order by link, n limit $7`, []any{x.Plant, link, n, last, from, to, choosePage}, func(r Row) error {
			var key, system, name string
			if err := r.Scan(&key, &system, &name, &link, &n); err != nil {
				return err
			}
			rows++
			if system != hubSystem && (x.System == "" || system == x.System) && (x.Message == "" || name == x.Message) {
				keys = append(keys, key)
			}
			return nil
		})
		if err != nil {
			return err
		}
		if err := x.look(ctx, keys); err != nil {
			return err
		}
	}
	return nil
}

// hubSystem is in whose name the hub itself states what it did: that is not replayed.
const hubSystem = "hub"

// links are the first and the last link of the audit chain with messages of the time.
func (x *choosing) links(ctx context.Context) (first, last int64, err error) {
	read := func(target *int64, query string, args ...any) {
		if err == nil {
			err = x.ledger.each(ctx, query, args, func(r Row) error { return r.Scan(target) })
		}
	}
	read(&last, "select coalesce(max(link), 0) from audit where plant = $1", x.Plant)
	if !x.RecordedTo.IsZero() {
		read(&last, "select coalesce(min(link), $1) from audit where plant = $2 and recorded >= $3", last, x.Plant, micros(x.RecordedTo))
	}
	if !x.RecordedFrom.IsZero() {
		read(&first, "select coalesce(min(link), $1) from audit where plant = $2 and recorded >= $3", last+1, x.Plant, micros(x.RecordedFrom))
	}
	return first, last, err
}

// candidate is a message that may be chosen.
type candidate struct {
	ChosenMessage
	erased bool
	fits   bool // of its events one is as it was asked for
}

// look takes what is chosen of some messages.
func (x *choosing) look(ctx context.Context, keys []string) error {
	keys = slices.DeleteFunc(keys, func(k string) bool { return x.seen[k] })
	slices.Sort(keys)
	keys = slices.Compact(keys)
	if len(keys) == 0 {
		return nil
	}
	found, order, events, err := x.candidates(ctx, keys)
	if err != nil {
		return err
	}
	if x.ofEvents() {
		if err := x.fit(ctx, found, events); err != nil {
			return err
		}
	}
	for _, key := range order {
		m := found[key]
		if x.ofEvents() && !m.fits {
			continue
		}
		x.seen[key] = true
		if m.erased {
			x.chosen.Erased = append(x.chosen.Erased, m.ChosenMessage)
		} else {
			x.chosen.Members = append(x.chosen.Members, m.ChosenMessage)
		}
	}
	if len(x.chosen.Members) > mostMembers || len(x.chosen.Erased) > mostMembers {
		return fault.New("ledger.Choose", fault.LimitExceeded, "recorded_to", "more than %d messages: choose fewer, such as those that were recorded in a week, and then the next", mostMembers)
	}
	return nil
}

// candidates are the messages under the keys that are as it was asked for, as far as
// that can be told without their events, and the keys of those.
func (x *choosing) candidates(ctx context.Context, keys []string) (found map[string]*candidate, order, events []string, err error) {
	found = map[string]*candidate{}
	d := x.ledger.store.dialect
	err = x.ledger.each(ctx, `select i.key, i.version, i.events, m.recorded, case when c.key is null then 1 else 0 end
		from inbox i join messages m on m.key = i.key and m.version = i.version left join contents c on c.recorded = m.recorded and c.key = m.key
		where `+d.isIn("i.key", "$1")+` and m.plant = $2 and m.system <> $3 and ($4 = '' or m.system = $4) and ($5 = '' or m.name = $5) order by i.key`,
		[]any{d.list(keys), x.Plant, hubSystem, x.System, x.Message}, func(r Row) error {
			var m candidate
			var stated string
			var recorded, erased int64
			if err := r.Scan(&m.Key, &m.Version, &stated, &recorded, &erased); err != nil {
				return err
			}
			m.Recorded, m.erased = fromMicros(recorded), erased == 1
			if within(m.Recorded, x.RecordedFrom, x.RecordedTo) {
				found[m.Key] = &m
				order, events = append(order, m.Key), append(events, strings.Fields(stated)...)
			}
			return nil
		})
	return found, order, events, err
}

// fit notes which messages have an event as it was asked for.
func (x *choosing) fit(ctx context.Context, found map[string]*candidate, events []string) error {
	type made struct {
		message, typ, mapping, revision string
		occurred                        time.Time
	}
	d := x.ledger.store.dialect
	for keys := range slices.Chunk(events, choosePage) {
		var all []made
		err := x.ledger.each(ctx, `select k.message, e.type, e.mapping, e.revision, e.occurred_from
			from event_keys k join events e on e.plant = k.plant and e.position = k.position and e.recorded = k.recorded where `+d.isIn("k.key", "$1"),
			[]any{d.list(keys)}, func(r Row) error {
				var m made
				var occurred int64
				err := r.Scan(&m.message, &m.typ, &m.mapping, &m.revision, &occurred)
				m.occurred = fromMicros(occurred)
				all = append(all, m)
				return err
			})
		if err != nil {
			return err
		}
		for _, m := range all {
			of := found[m.message]
			if of == nil || of.fits || x.Type != "" && m.typ != x.Type || !strings.HasPrefix(m.revision, x.Revision) || !within(m.occurred, x.OccurredFrom, x.OccurredTo) {
				continue
			}
			of.fits = true
			if x.Outdated {
				if of.fits, err = x.outdated(ctx, m.mapping, m.revision); err != nil {
					return err
				}
			}
		}
	}
	return nil
}
