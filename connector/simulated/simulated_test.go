package simulated_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"pgregory.net/rapid"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/connector/connectortest"
	"github.com/gapless/gapless/connector/simulated"
	"github.com/gapless/gapless/fault"
)

// outside shows a simulated system to the suite from behind.
type outside struct {
	*simulated.System
	*connectortest.Clock
}

func (o outside) Books() []connectortest.Entry {
	var books []connectortest.Entry
	for _, e := range o.System.Books() {
		books = append(books, connectortest.Entry{Key: e.Key, Document: e.Document})
	}
	return books
}

// fates are the fate for each trouble that a system in memory can meet.
var fates = map[connectortest.Trouble]simulated.Fate{
	connectortest.LostAfter: simulated.LostAfter, connectortest.LostBefore: simulated.LostBefore, connectortest.Late: simulated.Late,
	connectortest.Silent: simulated.Silent, connectortest.Busy: simulated.Busy, connectortest.Garbage: simulated.Garbled,
}

func (o outside) Expect(call connectortest.Call, trouble connectortest.Trouble) <-chan struct{} {
	switch {
	case trouble == connectortest.Down:
		o.SetDown(true)
		return nil
	case call == connectortest.Finding && trouble == connectortest.LostAfter:
		return o.ForceFind(simulated.Garbled) // of a question it is all the same
	case call == connectortest.Finding:
		return o.ForceFind(fates[trouble])
	}
	return o.Force(fates[trouble])
}

func command(key string) connector.Command {
	return connector.Command{Key: key, Name: "receive-goods", Plant: "graz", Subject: "lot/M-100/4711", Request: map[string]any{"material": "M-100", "quantity": "72"}}
}

func TestItKeepsThePromisesOfASystem(t *testing.T) {
	for _, class := range connector.Classes() {
		t.Run(string(class), func(t *testing.T) {
			connectortest.Run(t, func(t *testing.T) connectortest.Subject {
				clock := connectortest.NewClock()
				system, err := simulated.New(simulated.Config{
					Class: class, Now: clock.Now,
					Rules: []simulated.Rule{{Field: "material", Value: "M-OLD", Reason: fault.PeriodClosed, Words: "M7 053: posting only possible in period 2026/03"}},
				})
				if err != nil {
					t.Fatal(err)
				}
				return connectortest.Subject{
					System: system, Traits: system.Traits(), Outside: outside{system, clock}, Command: command,
					Refusable: func(key string) connector.Command {
						cmd := command(key)
						cmd.Request["material"] = "M-OLD"
						return cmd
					},
					Reason: fault.PeriodClosed, Words: "M7 053",
					Troubles: []connectortest.Trouble{
						connectortest.LostAfter, connectortest.LostBefore, connectortest.Late, connectortest.Silent,
						connectortest.Down, connectortest.Busy, connectortest.Garbage,
					},
				}
			})
		})
	}
}

// perform is what a hub does with one command until it knows what became of it.
// It gives how often nobody can tell.
func perform(t *rapid.T, s *simulated.System, clock *connectortest.Clock, key string) (undecided bool) {
	cmd := command(key)
	for cmd.Attempt = 1; cmd.Attempt < 50; cmd.Attempt++ {
		cmd.SendBefore = clock.Now().Add(10 * time.Second)
		outcome, err := s.Perform(t.Context(), cmd)
		if err == nil {
			if outcome.Status == connector.Applied {
				return false
			}
			continue // refused as locked: tried again
		}
		if errors.Is(err, connector.ErrNotSent) {
			clock.Advance(connector.WaitOf(err))
			continue
		}
		clock.Advance(s.Traits().SettledAt(cmd).Sub(clock.Now()))
		finding, err := s.Find(t.Context(), cmd)
		switch {
		case err != nil:
			t.Fatal(err)
		case finding.Status == connector.FoundApplied:
			return false
		case finding.Status == connector.Undecided:
			return true
		}
	}
	t.Fatal("it never ends")
	return false
}

func TestEveryCommandIsDoneOnceWhateverBefallsTheAttempts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		clock := connectortest.NewClock()
		class := rapid.SampledFrom(connector.Classes()).Draw(t, "class")
		rate := rapid.IntRange(0, 150)
		s, err := simulated.New(simulated.Config{
			Class: class, Now: clock.Now, Seed: rapid.Uint64().Draw(t, "seed"), Lag: time.Duration(rapid.IntRange(0, 60).Draw(t, "lag")) * time.Second,
			Rates: simulated.Rates{
				LostBefore: rate.Draw(t, "lost before"), LostAfter: rate.Draw(t, "lost after"), Late: rate.Draw(t, "late"),
				Refused: rate.Draw(t, "refused"), Busy: rate.Draw(t, "busy"),
			},
		})
		if err != nil {
			t.Fatal(err)
		}
		undecided := map[string]bool{}
		for i := range 20 {
			key := fmt.Sprintf("%064x", i)
			undecided[key] = perform(t, s, clock, key)
		}
		clock.Advance(time.Hour)
		done := map[string]int{}
		for _, e := range s.Books() {
			done[e.Key]++
		}
		for key, unknown := range undecided {
			if n := done[key]; n > 1 || n == 0 && !unknown || unknown && class != connector.Blind {
				t.Errorf("%s system: command %s was done %d times, undecided: %v", class, key, n, unknown)
			}
		}
	})
}

func TestTheSameSeedGivesTheSameBooks(t *testing.T) {
	books := func(seed uint64) []simulated.Entry {
		clock := connectortest.NewClock()
		s, err := simulated.New(simulated.Config{Now: clock.Now, Seed: seed, Rates: simulated.Rates{LostBefore: 300, LostAfter: 200, Late: 100}})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 100 {
			cmd := command(fmt.Sprintf("%064x", i))
			cmd.Attempt, cmd.SendBefore = 1, clock.Now().Add(time.Second)
			_, _ = s.Perform(t.Context(), cmd)
		}
		return s.Books()
	}
	ignored := []cmp.Option{cmpopts.IgnoreFields(simulated.Entry{}, "At"), cmpopts.IgnoreUnexported(simulated.Entry{})}
	if diff := cmp.Diff(books(1), books(1), ignored...); diff != "" {
		t.Error(diff)
	}
	if cmp.Equal(books(1), books(2), ignored...) {
		t.Error("another seed gives the same")
	}
	if n := len(books(1)); n < 50 || n > 75 {
		t.Errorf("%d of 100 are done at once", n)
	}
}

func TestItIsAwayForAsLongAsItIsSaid(t *testing.T) {
	clock := connectortest.NewClock()
	s, err := simulated.New(simulated.Config{Now: clock.Now, Downs: []simulated.Down{{From: clock.Now(), To: clock.Now().Add(time.Minute)}}})
	if err != nil {
		t.Fatal(err)
	}
	cmd := command(strings.Repeat("a", 64))
	cmd.SendBefore = clock.Now().Add(time.Hour)
	if _, err := s.Perform(t.Context(), cmd); !errors.Is(err, connector.ErrNotSent) || !errors.Is(err, fault.SystemDown) {
		t.Error(err)
	}
	clock.Advance(time.Minute)
	if _, err := s.Perform(t.Context(), cmd); err != nil {
		t.Error(err)
	}
}

func TestAConfigurationThatCannotBeMeantIsRefusedAsAWhole(t *testing.T) {
	_, err := simulated.New(simulated.Config{Class: "psychic", Rates: simulated.Rates{LostAfter: 600, Late: 600}, Rules: []simulated.Rule{{}}, Lag: -1})
	if err == nil {
		t.Fatal("it is taken")
	}
	for _, part := range []string{"psychic", "clock", "1,000", "reason", "less than zero"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not tell of %s", err, part)
		}
	}
}
