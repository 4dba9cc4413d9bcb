package flow_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/alert"
	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/internal/testpostgres"
	"github.com/gapless/gapless/ledger"
)

// A teller is a hub that tells people by a file, with a clock that the test moves.
type teller struct {
	*hub
	config flow.Config
	folder string // of the file; where it is not there the channel is down
	mu     sync.Mutex
	ahead  time.Duration
}

func newTeller(t *testing.T, database string, changed map[string]string) *teller {
	t.Helper()
	a := &teller{folder: filepath.Join(t.TempDir(), "channel")}
	a.config = flow.Config{Catalog: company(t, changed), Ledger: ledger.Config{Database: database, Clock: a.clockOf()}, Alerts: a.outlets(t)}
	a.hub = hubOn(t, a.config)
	return a
}

// clockOf is today, and as much later as the test has let pass.
func (a *teller) clockOf() func() time.Time {
	running := clock()
	return func() time.Time {
		a.mu.Lock()
		defer a.mu.Unlock()
		return running().Add(a.ahead)
	}
}

func (a *teller) pass(d time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.ahead += d
}

func (a *teller) outlets(t *testing.T) *alert.Outlets {
	t.Helper()
	text := fmt.Sprintf("channels: {log: {kind: file, path: %q}}\nroutes: [{to: [log]}]\n", a.path())
	o, err := alert.Open([]byte(text), func(catalog.SecretRef) (string, error) { return "", errors.New("none") }, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func (a *teller) path() string { return filepath.Join(a.folder, "told.jsonl") }

// up lets the channel work.
func (a *teller) up() {
	a.t.Helper()
	if err := os.MkdirAll(a.folder, 0o700); err != nil {
		a.t.Fatal(err)
	}
}

// told is what stands in the file: kind and count, and how many messages there were.
func (a *teller) told() (all []string, messages int) {
	a.t.Helper()
	text, err := os.ReadFile(a.path())
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		a.t.Fatal(err)
	}
	ids := map[string]bool{}
	for line := range strings.Lines(string(text)) {
		var kind, id string
		var count int
		for part := range strings.SplitSeq(strings.Trim(line, "{}\n"), ",") {
			name, value, _ := strings.Cut(part, ":")
			switch name {
			case `"message"`:
				id = value
			case `"kind"`:
				kind = strings.Trim(value, `"`)
			case `"count"`:
				if _, err := fmt.Sscan(value, &count); err != nil {
					a.t.Fatal(err)
				}
			}
		}
		if kind == "grew" { // how far beyond the power of ten it was when somebody looked is chance
			for power := 1; ; power *= 10 {
				if count < 10*power {
					count = power
					break
				}
			}
		}
		ids[id] = true
		all = append(all, fmt.Sprint(kind, " ", count))
	}
	return all, len(ids)
}

// tells waits until this was told, in this order, and wants nothing else.
func (a *teller) tells(want ...string) (messages int) {
	a.t.Helper()
	a.eventually(strings.Join(want, ", "), func() bool { all, _ := a.told(); return len(all) >= len(want) })
	all, messages := a.told()
	if diff := cmp.Diff(want, all); diff != "" {
		a.t.Fatal(diff)
	}
	return messages
}

// eventually waits until something is so.
func (a *teller) eventually(what string, is func() bool) {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(a.t.Context(), 30*time.Second)
	defer cancel()
	every := time.NewTicker(20 * time.Millisecond)
	defer every.Stop()
	for !is() {
		select {
		case <-ctx.Done():
			all, _ := a.told()
			a.t.Fatalf("it was not told in time: %s; but %q", what, all)
		case <-every.C:
		}
	}
}

// holds lets so many messages be held that wait for the same.
func (a *teller) holds(from, to int) {
	a.t.Helper()
	for i := from; i <= to; i++ {
		a.becomes(a.says(unknownUnit(i)), "held unit_unknown")
	}
}

// decided waits until so many alerts are on record.
func (a *teller) decided(want int) []ledger.SentAlert {
	a.t.Helper()
	var all []ledger.SentAlert
	a.eventually(fmt.Sprintf("%d alerts are decided", want), func() bool {
		var err error
		if all, _, err = a.Ledger().Alerts(a.t.Context(), ledger.AlertFilter{}); err != nil {
			a.t.Fatal(err)
		}
		return len(all) >= want
	})
	if len(all) != want {
		a.t.Fatalf("%d alerts are decided, want %d", len(all), want)
	}
	return all
}

const patient = "slas:\n  - {reason: unit_unknown, within: 4h, warn: 1h, escalate: [{after: 1h, to: heads}]}\n"

func sqlite(t *testing.T) string { t.Helper(); return filepath.Join(t.TempDir(), "gapless.db") }

func TestPeopleAreToldWhenAGroupStartsGrowsIsWarnedOfHandedOnAndEnds(t *testing.T) {
	for name, database := range map[string]func(*testing.T) string{"sqlite": sqlite, "postgres": func(t *testing.T) string { t.Helper(); return testpostgres.Database(t) }} {
		t.Run(name, func(t *testing.T) {
			a := newTeller(t, database(t), map[string]string{"slas/alerts.yaml": patient})
			a.up()
			a.holds(1, 1)
			a.tells("started 1")
			a.holds(2, 25)
			a.tells("started 1", "grew 10")
			a.pass(3*time.Hour + time.Minute)
			a.tells("started 1", "grew 10", "warned 25")
			a.pass(2 * time.Hour)
			a.tells("started 1", "grew 10", "warned 25", "escalated 25")
			all, _, err := a.Ledger().Desk(t.Context(), ledger.DeskFilter{Owner: "heads"})
			if err != nil || len(all) != 25 || all[0].Stage != 2 {
				t.Errorf("handed on: %d, %v", len(all), err)
			}
			for i := range all {
				if err := a.Ledger().WaiveMessage(t.Context(), "anna", all[i].Message, "a trial"); err != nil {
					t.Fatal(err)
				}
			}
			a.eventually("it is empty", func() bool { return a.emptied() })
			a.tells("started 1", "grew 10", "warned 25", "escalated 25")
			a.pass(15 * time.Minute)
			a.tells("started 1", "grew 10", "warned 25", "escalated 25", "ended 0")
			a.stop()
			a.hub = hubOn(t, a.config)
			a.holds(26, 26)
			a.tells("started 1", "grew 10", "warned 25", "escalated 25", "ended 0", "started 1")
		})
	}
}

// emptied tells whether every series was found without members.
func (a *teller) emptied() bool {
	a.t.Helper()
	all, err := a.Ledger().AlertStandings(a.t.Context())
	if err != nil {
		a.t.Fatal(err)
	}
	for _, s := range all {
		if s.Emptied.IsZero() {
			return false
		}
	}
	return true
}

// A channel that is down delays what it tells: it is tried again as it was, and what has
// waited meanwhile goes out together. A restart loses nothing and tells nothing twice.
func TestWhatWaitsForAChannelIsToldTogether(t *testing.T) {
	a := newTeller(t, sqlite(t), map[string]string{"slas/alerts.yaml": patient})
	a.holds(1, 1)
	a.decided(1)
	a.eventually("it was tried", func() bool { s := a.decided(1)[0].Sends; return len(s) == 1 && s[0].Attempts > 0 && s[0].Words != "" })
	a.holds(2, 10)
	a.decided(2)
	a.holds(11, 100)
	a.decided(3)
	a.stop()
	a.up()
	a.pass(time.Minute)
	a.hub = hubOn(t, a.config)
	if messages := a.tells("started 1", "grew 10", "grew 100"); messages != 2 {
		t.Errorf("told in %d messages", messages)
	}
	a.eventually("it is settled", func() bool {
		return !slices.ContainsFunc(a.decided(3), func(x ledger.SentAlert) bool { return x.Sends[0].State != ledger.AlertSent })
	})
}

// What nobody could be told for a day is given up, and says so.
func TestWhatCannotBeToldForADayIsGivenUp(t *testing.T) {
	a := newTeller(t, sqlite(t), nil)
	a.holds(1, 1)
	a.decided(1)
	a.eventually("it was tried", func() bool { return a.decided(1)[0].Sends[0].Attempts > 0 })
	a.pass(25 * time.Hour)
	a.eventually("it is given up", func() bool {
		all, _, err := a.Ledger().Alerts(t.Context(), ledger.AlertFilter{State: ledger.AlertGivenUp})
		if err != nil {
			t.Fatal(err)
		}
		return slices.ContainsFunc(all, func(x ledger.SentAlert) bool { return x.Kind == alert.Started })
	})
}

// Two nodes on one ledger tell once.
func TestTwoNodesTellOnce(t *testing.T) {
	a := newTeller(t, testpostgres.Database(t), map[string]string{"slas/alerts.yaml": patient})
	a.up()
	other := a.config
	other.Node = "other"
	hubOn(t, other)
	a.holds(1, 12)
	a.pass(6 * time.Hour)
	a.eventually("it was handed on", func() bool {
		all, _ := a.told()
		return slices.ContainsFunc(all, func(text string) bool { return strings.HasPrefix(text, alert.Escalated) })
	})
	text, err := os.ReadFile(a.path())
	if err != nil {
		t.Fatal(err)
	}
	told := regexp.MustCompile(`"id":"[0-9a-f]+"`).FindAllString(string(text), -1)
	if once := slices.Compact(slices.Sorted(slices.Values(told))); len(once) != len(told) || len(once) < 3 {
		t.Errorf("%d alerts were told %d times:\n%s", len(once), len(told), text)
	}
	if got := strings.Count(string(text), `"kind":"started"`); got != 1 {
		t.Errorf("it started %d times:\n%s", got, text)
	}
}
