package flow

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/gapless/gapless/alert"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
)

// How a node looks at groups and tells about them.
const (
	alertEvery  = time.Second // a group is looked at so often, at most
	alertShare  = 10          // and looking takes a tenth of the time, at most
	bundleLimit = 500         // alerts of a message, at most
	sendLease   = 2 * time.Minute
	sendTimeout = time.Minute
	sendDrain   = 3 * time.Second // that a message has left when the node ends
	firstRetry  = 5 * time.Second
	lastRetry   = 5 * time.Minute
	giveUpAfter = 24 * time.Hour // since the oldest alert of a message was decided
)

// watchGroups decides what people are told of groups, until the context ends. What was
// told is a row: a restart, or another node, goes on from there.
func (f *Flow) watchGroups(ctx context.Context) {
	if f.alerts == nil {
		return
	}
	for ctx.Err() == nil {
		began := time.Now()
		if err := f.alertTurn(ctx); err != nil && ctx.Err() == nil {
			f.log.WarnContext(ctx, "alerts cannot be decided now; they are later", slog.Any("error", err))
		}
		rest(ctx, max(alertEvery, alertShare*time.Since(began)))
	}
}

// rest waits, or less where the context ends.
func rest(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
	case <-t.C:
	}
}

// alertTurn looks at every group once.
func (f *Flow) alertTurn(ctx context.Context) error {
	counts, err := f.ledger.AlertCounts(ctx)
	if err != nil {
		return err
	}
	standing, err := f.ledger.AlertStandings(ctx)
	if err != nil {
		return err
	}
	now := f.ledger.Now()
	byPlant := map[string][]ledger.AlertDecision{}
	for _, s := range seriesOf(counts, standing) {
		d := ledger.AlertDecision{Series: s, Before: standing[s]}
		var kind string
		if d.After, kind = decideAlert(d.Before, s.Stage, counts[s], now, f.alerts.Quiet()); d.After == d.Before {
			continue
		}
		if kind != "" {
			if err := f.addAlert(ctx, &d, kind, counts[s], now); err != nil {
				return err
			}
		}
		byPlant[s.Plant] = append(byPlant[s.Plant], d)
	}
	for _, plant := range slices.Sorted(maps.Keys(byPlant)) {
		if err := f.ledger.DecideAlerts(ctx, plant, byPlant[plant]); err != nil {
			return fmt.Errorf("flow.alerts: %w", err)
		}
	}
	return nil
}

// seriesOf are the series that have members or stand, in order.
func seriesOf(counts map[ledger.AlertSeries]int64, standing map[ledger.AlertSeries]ledger.AlertStanding) []ledger.AlertSeries {
	all := slices.AppendSeq(slices.Collect(maps.Keys(counts)), maps.Keys(standing))
	slices.SortFunc(all, func(a, b ledger.AlertSeries) int {
		return cmp.Or(cmp.Compare(a.String(), b.String()), a.Stage-b.Stage)
	})
	return slices.Compact(all)
}

// decideAlert is what is told of a series that has so many members now: nothing, where
// kind is "". One alert when it begins to stand; one for each power of ten that it grows
// beyond what was told; one when it has ended, which it has once it had no members for
// the quiet time. So a group that comes and goes is one, and begins once in that time at
// most.
func decideAlert(before ledger.AlertStanding, stage int, members int64, now time.Time, quiet time.Duration) (after ledger.AlertStanding, kind string) {
	after = before
	switch {
	case members == 0 && before.Started.IsZero():
	case members == 0 && before.Emptied.IsZero():
		after.Emptied = now
	case members == 0 && now.Sub(before.Emptied) >= quiet:
		after = ledger.AlertStanding{}
		if stage == 0 {
			kind = alert.Ended
		}
	case members == 0:
	case before.Started.IsZero():
		after = ledger.AlertStanding{Started: now, Told: magnitude(members)}
		kind = kindOf(stage, alert.Started)
	default:
		after.Emptied = time.Time{}
		if told := magnitude(members); told > before.Told {
			after.Told = told
			kind = kindOf(stage, alert.Grew)
		}
	}
	return after, kind
}

// kindOf is what a growing series tells.
func kindOf(stage int, ofGroup string) string {
	switch stage {
	case 0:
		return ofGroup
	case ledger.StageWarned:
		return alert.Warned
	}
	return alert.Escalated
}

// magnitude is the largest power of ten that is not more than a number above 0.
func magnitude(n int64) int64 {
	m := int64(1)
	for n >= 10 {
		n, m = n/10, m*10
	}
	return m
}

// addAlert makes what is told of a decision, and says by which channels.
func (f *Flow) addAlert(ctx context.Context, d *ledger.AlertDecision, kind string, members int64, now time.Time) error {
	n, err := f.notice(ctx, d, kind, members, now)
	if err != nil {
		return err
	}
	text, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("flow.alerts: %w", err)
	}
	d.Alert = &ledger.Alert{ID: n.ID, Plant: d.Series.Plant, Kind: kind, Notice: text}
	d.Channels = f.alerts.Route(n)
	return nil
}

// notice is what is told about a series.
func (f *Flow) notice(ctx context.Context, d *ledger.AlertDecision, kind string, members int64, now time.Time) (*alert.Notice, error) {
	s := &d.Series
	since := d.After.Started
	if since.IsZero() {
		since = d.Before.Started
	}
	n := &alert.Notice{
		ID: alertID(s, kind, since, d.After.Told), Kind: kind, Group: s.String(), Plant: s.Plant, System: s.System, Reason: s.Reason, Title: s.Reason, Count: members,
		Since: since.UTC().Format(time.RFC3339), At: now.UTC().Format(time.RFC3339), Link: f.alerts.Link(s.String()),
	}
	reason := fault.ByCode(s.Reason)
	if reason != nil {
		n.Class, n.Title, n.Remedy = string(reason.Class), reason.Title, reason.Remedy
		n.Owners = []string{f.Catalog().Owner(reason, s.Plant)}
	}
	g, ok, err := f.ledger.GroupOf(ctx, s.Cause)
	if err != nil {
		return nil, fmt.Errorf("flow.alerts: %w", err)
	}
	switch {
	case ok:
		n.Effect, n.Owners = g.Effect(), g.Owners
		if !g.Deadline.IsZero() {
			n.Deadline = g.Deadline.UTC().Format(time.RFC3339)
		}
	case kind == alert.Ended:
		n.Effect = "nothing of it stands any more"
	default:
		n.Effect = s.Name + " is to be done soon, and is not"
	}
	if s.Stage > ledger.StageWarned {
		n.To, err = f.ledger.EscalatedTo(ctx, s)
	}
	return n, err
}

// alertID names an alert: whichever node decides it, and however often.
func alertID(s *ledger.AlertSeries, kind string, since time.Time, told int64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "alert %q %d %s %d %d", s.String(), s.Stage, kind, since.UnixMicro(), told))
	return hex.EncodeToString(sum[:16])
}

// A teller sends what waits for one channel.
type teller struct {
	name         string
	channel      alert.Channel
	sent, failed atomic.Int64
}

func newTellers(o *alert.Outlets) map[string]*teller {
	all := map[string]*teller{}
	if o == nil {
		return all
	}
	for name, channel := range o.Channels() {
		all[name] = &teller{name: name, channel: channel}
	}
	return all
}

// tell sends what waits for a channel until the context ends. A channel that is down
// delays what is told there, and nothing else; what has waited then goes out together.
func (f *Flow) tell(ctx context.Context, t *teller) {
	for ctx.Err() == nil {
		sent, err := f.tellOnce(ctx, t)
		if err != nil && ctx.Err() == nil {
			f.log.WarnContext(ctx, "alerts cannot be sent now; they are later", slog.String("channel", t.name), slog.Any("error", err))
		}
		if !sent {
			rest(ctx, alertEvery)
		}
	}
}

// tellOnce sends the next message of a channel, and answers whether there was one that
// arrived. The error is about the ledger; that a channel fails is on record.
func (f *Flow) tellOnce(ctx context.Context, t *teller) (sent bool, err error) {
	due, err := f.ledger.AlertsDue(ctx, t.name)
	if err != nil || !due {
		return false, err
	}
	b, err := f.ledger.ClaimAlerts(ctx, t.name, bundleLimit, sendLease)
	if err != nil || len(b.Alerts) == 0 {
		return false, err
	}
	m, err := messageOf(&b)
	if err != nil {
		return false, err
	}
	failed := t.send(ctx, m)
	ctx = context.WithoutCancel(ctx) // what became of it goes on record
	if failed == nil {
		t.sent.Add(int64(len(b.Alerts)))
		return true, f.ledger.SettleAlerts(ctx, &b, ledger.AlertSent, "", time.Time{})
	}
	t.failed.Add(1)
	now := f.ledger.Now()
	state := ledger.AlertWaiting
	if now.Sub(b.Alerts[0].Decided) >= giveUpAfter {
		state = ledger.AlertGivenUp
	}
	f.log.WarnContext(ctx, "alerts did not go out", slog.String("channel", t.name), slog.Int("attempt", b.Attempts), slog.String("state", string(state)), slog.Any("error", failed))
	return false, f.ledger.SettleAlerts(ctx, &b, state, failed.Error(), now.Add(retryAfter(b.Attempts)))
}

// send hands a message to the channel. When the context ends it has a short time left.
func (t *teller) send(ctx context.Context, m *alert.Message) error {
	sending, cancel := context.WithTimeout(context.WithoutCancel(ctx), sendTimeout)
	defer cancel()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(sendDrain, cancel) })()
	return t.channel.Send(sending, m)
}

// retryAfter is how long a channel rests that has failed so often.
func retryAfter(attempts int) time.Duration {
	return min(firstRetry<<min(attempts-1, 10), lastRetry)
}

// messageOf is what goes out for a bundle.
func messageOf(b *ledger.Bundle) (*alert.Message, error) {
	m := &alert.Message{ID: b.ID, Notices: make([]alert.Notice, len(b.Alerts))}
	for i := range b.Alerts {
		if err := json.Unmarshal(b.Alerts[i].Notice, &m.Notices[i]); err != nil {
			return nil, fmt.Errorf("flow.alerts: alert %s: %w", b.Alerts[i].ID, err)
		}
	}
	return m, nil
}

// An AlertCount is what this node has sent by a channel since it began.
type AlertCount struct {
	Channel string
	Sent    int64 // alerts
	Failed  int64 // tries
}

// AlertCounts are the counts of all channels, by name.
func (f *Flow) AlertCounts() []AlertCount {
	var all []AlertCount
	for _, name := range slices.Sorted(maps.Keys(f.tellers)) {
		t := f.tellers[name]
		all = append(all, AlertCount{name, t.sent.Load(), t.failed.Load()})
	}
	return all
}
