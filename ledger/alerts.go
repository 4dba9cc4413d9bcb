package ledger

import (
	"cmp"
	"context"
	"fmt"
	"time"
)

// An AlertSeries is what alerts are about: a group of exceptions, or those of its
// members that have come to a stage.
type AlertSeries struct {
	Cause
	Stage int // 0: the group
}

// An AlertStanding is what was told about a series. The zero one is that nothing stands.
type AlertStanding struct {
	Started time.Time // since when it stands; zero: it does not
	Told    int64     // power of ten of its members that was told last
	Emptied time.Time // when it was found without members; zero where it has some
}

// An Alert is what is told about a group, once.
type Alert struct {
	ID      string
	Plant   string
	Kind    string
	Decided time.Time
	Notice  []byte // JSON
}

// An AlertDecision moves the standing of a series, and may tell so.
type AlertDecision struct {
	Series        AlertSeries
	Before, After AlertStanding
	Alert         *Alert   // nil: nothing is told
	Channels      []string // that it goes out by
}

// AlertCounts are the members of every series that has any: all that stand open, whether
// they are snoozed or not, and what is awaited and was warned of.
func (l *Ledger) AlertCounts(ctx context.Context) (map[AlertSeries]int64, error) {
	counts := map[AlertSeries]int64{}
	add := func(row Row) error {
		var s AlertSeries
		var n int64
		err := row.Scan(&s.Plant, &s.System, &s.About, &s.Name, &s.Reason, &s.Stage, &n)
		counts[s] += n
		for stage := s.Stage - 1; stage >= StageWarned; stage-- { // what was handed on was warned of
			counts[AlertSeries{s.Cause, stage}] += n
		}
		return err
	}
	err := l.Read(ctx, func(ctx context.Context, r *Reader) error {
		clear(counts)
		for _, query := range [...]string{ // each by an index of its own
			"select " + causeColumns + ", 0, count(*) from exceptions x where x.state = 'open' group by 1, 2, 3, 4, 5",
			"select " + causeColumns + ", x.stage, count(*) from exceptions x where x.state = 'open' and x.stage > 0 group by 1, 2, 3, 4, 5, 6",
			"select " + causeColumns + `, x.n, count(*) from moments x where x.passed > 0 and x.version = 0
				and not exists (select 1 from exceptions e where e.message = x.message and e.version = 0) group by 1, 2, 3, 4, 5, 6`,
		} {
			if err := r.Query(ctx, query, nil, add); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("ledger.AlertCounts: %w", err)
	}
	return counts, nil
}

const alertGroupQuery = "select plant, system, about, name, reason, stage, started, told, emptied from alert_groups where started > 0"

func scanAlertGroup(r Row, into map[AlertSeries]AlertStanding) error {
	var s AlertSeries
	var a AlertStanding
	var started, emptied int64
	err := r.Scan(&s.Plant, &s.System, &s.About, &s.Name, &s.Reason, &s.Stage, &started, &a.Told, &emptied)
	a.Started, a.Emptied = fromMicros(started), fromMicros(emptied)
	into[s] = a
	return err
}

// AlertStandings are the series that stand, with what was told about them.
func (l *Ledger) AlertStandings(ctx context.Context) (map[AlertSeries]AlertStanding, error) {
	all := map[AlertSeries]AlertStanding{}
	err := l.each(ctx, alertGroupQuery, nil, func(r Row) error { return scanAlertGroup(r, all) })
	if err != nil {
		return nil, fmt.Errorf("ledger.AlertStandings: %w", err)
	}
	return all, nil
}

// GroupOf is the group of a cause as it stands, snoozed or not; ok is false where none of
// it is open.
func (l *Ledger) GroupOf(ctx context.Context, cause Cause) (g Group, ok bool, err error) {
	c := &conditions{dialect: l.store.dialect}
	c.add("x.state = 'open'")
	c.cause(&cause)
	all, err := l.groupsBy(ctx, c)
	if err != nil || len(all) == 0 {
		return Group{}, false, err
	}
	return all[0], true, nil
}

// DecideAlerts puts decisions about series of one plant on record. One that was made on
// what stands no longer, because another node was faster, is left out whole.
func (l *Ledger) DecideAlerts(ctx context.Context, plant string, decisions []AlertDecision) error {
	return l.act(ctx, Act{Plant: plant}, func(ctx context.Context, s *session, at time.Time) error {
		standing := map[AlertSeries]AlertStanding{}
		if err := s.each(ctx, alertGroupQuery+" and plant = $1", []any{plant}, func(r Row) error { return scanAlertGroup(r, standing) }); err != nil {
			return err
		}
		rows := map[*table][][]any{}
		for i := range decisions {
			d := &decisions[i]
			if standing[d.Series] != d.Before {
				continue
			}
			g := &d.Series
			rows[alertGroupsTable] = append(rows[alertGroupsTable], []any{g.Plant, g.System, g.About, g.Name, g.Reason, int64(g.Stage), micros(d.After.Started), d.After.Told, micros(d.After.Emptied)})
			if d.Alert == nil {
				continue
			}
			rows[alertsTable] = append(rows[alertsTable], []any{d.Alert.ID, plant, d.Alert.Kind, micros(at), d.Alert.Notice})
			for _, channel := range d.Channels {
				rows[alertSendsTable] = append(rows[alertSendsTable], []any{channel, d.Alert.ID, string(AlertWaiting), "", int64(0), micros(at), "", micros(at)})
			}
		}
		return s.insertAll(ctx, []*table{alertGroupsTable, alertsTable, alertSendsTable}, rows)
	})
}

// An AlertState says how far an alert has come on a channel.
type AlertState string

// The states of an alert on a channel.
const (
	AlertWaiting AlertState = "waiting"
	AlertSent    AlertState = "sent"
	AlertGivenUp AlertState = "given-up"
)

// A Bundle is what goes out by a channel together: one alert, or several that have waited.
type Bundle struct {
	ID       string // the same for every try
	Channel  string
	Attempts int // this one among them
	Alerts   []Alert
}

// AlertsDue tells whether anything waits for a channel that may be tried now.
func (l *Ledger) AlertsDue(ctx context.Context, channel string) (due bool, err error) {
	err = l.each(ctx, "select 1 from alert_sends where channel = $1 and state = 'waiting' and due <= $2 limit 1", []any{channel, micros(l.Now())}, func(Row) error {
		due = true
		return nil
	})
	return due, err
}

// ClaimAlerts takes what goes out by a channel next: what was tried before as it was
// then, else all that waits, up to a limit. Nobody else tries anything there before the
// lease has passed. An empty bundle: there is nothing to do now.
func (l *Ledger) ClaimAlerts(ctx context.Context, channel string, limit int, lease time.Duration) (Bundle, error) {
	b := Bundle{Channel: channel}
	fresh := newID()
	err := l.act(ctx, Act{}, func(ctx context.Context, s *session, at time.Time) error {
		b.ID, b.Attempts, b.Alerts = "", 0, nil
		waiting := "select bundle, attempts, due from alert_sends where channel = $1 and state = 'waiting' and bundle <> '' limit 1" + s.forUpdate()
		due := int64(0)
		err := s.each(ctx, waiting, []any{channel}, func(r Row) error { return r.Scan(&b.ID, &b.Attempts, &due) })
		if err != nil || due > micros(at) {
			b.ID = ""
			return err
		}
		query := "select a.id, a.plant, a.kind, a.decided, a.notice from alert_sends s join alerts a on a.id = s.alert where s.channel = $1 and s.state = 'waiting' and s.bundle = $2 order by a.decided, a.id limit $3"
		err = s.each(ctx, query, []any{channel, b.ID, int64(limit)}, func(r Row) error {
			a, err := scanAlert(r)
			b.Alerts = append(b.Alerts, a)
			return err
		})
		if err != nil || len(b.Alerts) == 0 {
			return err
		}
		b.ID = cmp.Or(b.ID, fresh)
		b.Attempts++
		return s.exec(ctx, "update alert_sends set bundle = $1, attempts = $2, due = $3, changed = $4 where channel = $5 and state = 'waiting' and "+s.dialect.isIn("alert", "$6"),
			b.ID, int64(b.Attempts), micros(at.Add(lease)), micros(at), channel, s.dialect.list(b.ids()))
	})
	if err != nil { // whoever gives up waiting leaves b to the commit
		return Bundle{}, err
	}
	return b, nil
}

func (b *Bundle) ids() []string {
	ids := make([]string, len(b.Alerts))
	for i := range b.Alerts {
		ids[i] = b.Alerts[i].ID
	}
	return ids
}

func scanAlert(r Row, more ...any) (Alert, error) {
	var a Alert
	var decided int64
	err := r.Scan(append([]any{&a.ID, &a.Plant, &a.Kind, &decided, &a.Notice}, more...)...)
	a.Decided = fromMicros(decided)
	return a, err
}

// SettleAlerts puts on record what became of a try: sent, given up, or still waiting to
// be tried again at a time. Where another node has taken the bundle over, nothing is.
func (l *Ledger) SettleAlerts(ctx context.Context, b *Bundle, state AlertState, words string, again time.Time) error {
	return l.act(ctx, Act{}, func(ctx context.Context, s *session, at time.Time) error {
		return s.exec(ctx, "update alert_sends set state = $1, words = $2, due = $3, changed = $4 where channel = $5 and bundle = $6 and state = 'waiting' and (attempts = $7 or $1 = 'sent')",
			string(state), words, micros(again), micros(at), b.Channel, b.ID, int64(b.Attempts))
	})
}

// An AlertSend is how far an alert has come on one channel.
type AlertSend struct {
	Channel  string
	State    AlertState
	Bundle   string // message that it went out with
	Attempts int
	Due      time.Time // with AlertWaiting: when it is tried again
	Words    string    // why it did not go out
	Changed  time.Time
}

// A SentAlert is an alert with how far it has come.
type SentAlert struct {
	Alert
	Sends []AlertSend // none: no route takes it
}

// AlertFilter chooses alerts; empty fields choose all.
type AlertFilter struct {
	Plants []string // what the asker may see; nil: all
	State  AlertState
	After  string // Place of the last one of the page before
	Limit  int    // default 100
}

// Place is where an alert stands in a list, for AlertFilter.After.
func (a *Alert) Place() string { return fmt.Sprintf("%d-%s", micros(a.Decided), a.ID) }

// Alerts lists alerts, the newest first; more says that there are others behind them.
func (l *Ledger) Alerts(ctx context.Context, f AlertFilter) (all []SentAlert, more bool, err error) {
	c := &conditions{dialect: l.store.dialect}
	if f.Plants != nil {
		c.list("x.plant", f.Plants)
	}
	if f.State != "" {
		c.add("exists (select 1 from alert_sends s where s.alert = x.id and s.state = ?)", string(f.State))
	}
	if f.After != "" {
		decided, id, err := parsePlace(f.After)
		if err != nil {
			return nil, false, err
		}
		c.add("(x.decided, x.id) < (?, ?)", decided, id)
	}
	limit := cmp.Or(f.Limit, 100)
	query := fmt.Sprintf("select x.id, x.plant, x.kind, x.decided, x.notice from alerts x%s order by x.decided desc, x.id desc limit %d", c.where(), limit+1)
	err = l.Read(ctx, func(ctx context.Context, r *Reader) error {
		all = nil
		err := r.Query(ctx, query, c.args, func(row Row) error {
			a, err := scanAlert(row)
			all = append(all, SentAlert{Alert: a})
			return err
		})
		if err != nil {
			return err
		}
		if more = len(all) > limit; more {
			all = all[:limit]
		}
		return r.sends(ctx, all)
	})
	if err != nil {
		return nil, false, fmt.Errorf("ledger.Alerts: %w", err)
	}
	return all, more, nil
}

func (r *Reader) sends(ctx context.Context, all []SentAlert) error {
	byID := map[string]*SentAlert{}
	for i := range all {
		byID[all[i].ID] = &all[i]
	}
	if len(byID) == 0 {
		return nil
	}
	condition, arg := r.In("alert", "$1", sortedKeys(byID))
	return r.Query(ctx, "select alert, channel, state, bundle, attempts, due, words, changed from alert_sends where "+condition+" order by channel", []any{arg}, func(row Row) error {
		var s AlertSend
		var id string
		var due, changed int64
		err := row.Scan(&id, &s.Channel, &s.State, &s.Bundle, &s.Attempts, &due, &s.Words, &changed)
		s.Due, s.Changed = fromMicros(due), fromMicros(changed)
		byID[id].Sends = append(byID[id].Sends, s)
		return err
	})
}

// AlertsWaiting counts what waits by channel.
func (l *Ledger) AlertsWaiting(ctx context.Context) (map[string]int64, error) {
	waiting := map[string]int64{}
	err := l.each(ctx, "select channel, count(*) from alert_sends where state = 'waiting' group by channel", nil, func(r Row) error {
		var channel string
		var n int64
		err := r.Scan(&channel, &n)
		waiting[channel] = n
		return err
	})
	return waiting, err
}

// EscalatedTo is the owner group that members of a series went to last; "" where that is
// not known any more.
func (l *Ledger) EscalatedTo(ctx context.Context, s *AlertSeries) (to string, err error) {
	err = l.each(ctx, `select m.owner from exceptions x join moments m on m.message = x.message and m.version = x.version and m.n = x.stage
		where x.state = 'open' and x.stage >= $1 and x.plant = $2 and x.system = $3 and x.about = $4 and x.name = $5 and x.reason = $6 order by m.passed desc limit 1`,
		[]any{int64(s.Stage), s.Plant, s.System, s.About, s.Name, s.Reason}, func(r Row) error { return r.Scan(&to) })
	if err != nil {
		return "", fmt.Errorf("ledger.EscalatedTo: %w", err)
	}
	return to, nil
}
