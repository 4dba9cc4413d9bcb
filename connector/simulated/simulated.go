// Package simulated is an outside system in memory, with books to read and
// troubles by rate: for benchmarks, for stories of a catalog, for tests of what
// stands above a connector. What happens to an attempt hangs on the seed, the
// command's key and the number of the attempt alone, so a run can be repeated,
// however its calls are mixed.
package simulated

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// Config says what the system is and what befalls it. Only Now must be given.
type Config struct {
	Class   connector.Class  // keyed where nothing is said
	Settles time.Duration    // 30 s where nothing is said
	Now     func() time.Time // the clock; it must not be nil
	Seed    uint64
	Rates   Rates
	Rules   []Rule
	Downs   []Down
	Lag     time.Duration // what was done is shown by Find only up to so much later
	Latency time.Duration // each call takes so long, by the clock of the machine; the only waiting there is
}

// Rates are how many of 1,000 attempts a trouble befalls. Their sum is 1,000 at most.
type Rates struct {
	LostBefore int // no answer, nothing done
	LostAfter  int // no answer, done
	Late       int // no answer, done some time before it settles
	Refused    int // refused as a locked record
	Busy       int // nothing done, a wait asked for
}

// A Rule refuses commands. Every condition that is stated must hold.
type Rule struct {
	Command string // the command's name; "" for every one
	Field   string // a key of the request; "" for none
	Value   string // what stands there, as text
	Reason  *fault.Reason
	Words   string
}

// A Down is a time in which nobody is there.
type Down struct{ From, To time.Time }

// An Entry is one thing that was done.
type Entry struct {
	Key      string
	Name     string
	Plant    string
	Subject  event.Ref
	Request  map[string]any
	Attempt  int
	At       time.Time // by the clock of Config
	Document connector.Document

	shown time.Time // from when on Find sees it
}

// A Fate is what befalls one call.
type Fate string

// The fates. Perform may meet all of them; Find meets Done, Garbled and Silent.
const (
	Done       Fate = "done"
	LostBefore Fate = "lost-before"
	LostAfter  Fate = "lost-after"
	Late       Fate = "late"
	Locked     Fate = "locked" // refused
	Busy       Fate = "busy"
	Garbled    Fate = "garbled" // done, and answered in a way that cannot be read
	Silent     Fate = "silent"  // done, and not answered before the context ends
)

// A System is the simulated system. It is a connector.System.
type System struct {
	config Config
	traits connector.Traits

	mu      sync.Mutex
	books   []Entry
	byKey   map[string][]int // places in books
	pending []Entry          // late ones; At says when they land, zero where Land says
	down    bool
	next    []forced // fates of the next performing calls
	asked   []forced // and of the next finding ones
}

// A forced fate is met by the next call, which closes the channel.
type forced struct {
	fate Fate
	met  chan struct{}
}

// New is a System without entries. The error names everything that is wrong.
func New(c Config) (*System, error) {
	if c.Class == "" {
		c.Class = connector.Keyed
	}
	if c.Settles == 0 {
		c.Settles = 30 * time.Second
	}
	s := &System{config: c, byKey: map[string][]int{}, traits: connector.Traits{Class: c.Class, KeyCarrier: "key", Settles: c.Settles}}
	var wrong []error
	if c.Now == nil {
		wrong = append(wrong, errors.New("a clock is missing"))
	}
	r := c.Rates
	each := []int{r.LostBefore, r.LostAfter, r.Late, r.Refused, r.Busy}
	sum := 0
	for _, rate := range each {
		sum += rate
	}
	if slices.Min(each) < 0 || sum > 1000 {
		wrong = append(wrong, errors.New("rates are of 1,000 attempts, together 1,000 at most"))
	}
	for i, rule := range c.Rules {
		if rule.Reason == nil {
			wrong = append(wrong, fmt.Errorf("rule %d: a refusal needs a reason", i+1))
		}
	}
	if c.Latency < 0 || c.Lag < 0 || c.Settles < 0 {
		wrong = append(wrong, errors.New("a time is less than zero"))
	}
	wrong = append(wrong, s.traits.Check())
	if err := errors.Join(wrong...); err != nil {
		return nil, fmt.Errorf("simulated.New: %w", err)
	}
	return s, nil
}

// Traits are what the system was configured to be.
func (s *System) Traits() connector.Traits { return s.traits }

// Books are what was done so far, in order.
func (s *System) Books() []Entry {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.land(s.config.Now())
	return slices.Clone(s.books)
}

// Perform makes an attempt, as connector.System says.
func (s *System) Perform(ctx context.Context, cmd connector.Command) (connector.Outcome, error) {
	const op = "simulated.Perform"
	if err := s.latency(ctx); err != nil {
		return connector.Outcome{}, connector.NotSent(op, fault.NotSentInTime, err)
	}
	outcome, fate, err := s.attempt(op, cmd)
	if fate != Silent {
		return outcome, err
	}
	<-ctx.Done()
	return connector.Outcome{}, connector.Unknown(op, fault.AnswerLost, context.Cause(ctx))
}

// attempt is what befalls one attempt.
func (s *System) attempt(op string, cmd connector.Command) (connector.Outcome, Fate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.config.Now()
	s.land(now)
	if err := cmd.InTime(now); err != nil {
		return connector.Outcome{}, "", err
	}
	if s.isDown(now) {
		return connector.Outcome{}, "", connector.NotSent(op, fault.SystemDown, errors.New("nobody is there"))
	}
	chance := s.chance(cmd)
	fate, forced := take(&s.next)
	if !forced {
		fate = s.draw(chance)
	}
	lost := connector.Unknown(op, fault.AnswerLost, errors.New("the connection broke"))
	switch fate {
	case Busy:
		err := connector.NotSent(op, fault.RateLimited, errors.New("too many requests"))
		return connector.Outcome{}, fate, &connector.WaitError{Wait: time.Second, Err: err}
	case LostBefore:
		return connector.Outcome{}, fate, lost
	case Late:
		s.postpone(cmd, now, forced, chance)
		return connector.Outcome{}, fate, lost
	case Locked:
		return connector.Outcome{Status: connector.Refused, Reason: fault.RecordLocked, Text: "the record is locked by another user"}, fate, nil
	case Done, LostAfter, Garbled, Silent:
	}
	outcome := s.answer(cmd, now, chance)
	switch fate {
	case LostAfter:
		return connector.Outcome{}, fate, lost
	case Garbled:
		return connector.Outcome{}, fate, connector.Unknown(op, fault.AnswerUnread, errors.New("the answer makes no sense"))
	case Silent:
		return connector.Outcome{}, fate, nil
	default:
		return outcome, fate, nil
	}
}

// answer does what is asked, or refuses it by a rule.
func (s *System) answer(cmd connector.Command, now time.Time, chance uint64) connector.Outcome {
	for _, rule := range s.config.Rules {
		if rule.covers(cmd) {
			return connector.Outcome{Status: connector.Refused, Reason: rule.Reason, Text: rule.Words}
		}
	}
	return connector.Outcome{Status: connector.Applied, Documents: []connector.Document{s.post(s.entry(cmd, now, chance))}}
}

func (r Rule) covers(cmd connector.Command) bool {
	if r.Command != "" && r.Command != cmd.Name {
		return false
	}
	return r.Field == "" || fmt.Sprint(cmd.Request[r.Field]) == r.Value
}

// Find asks for a command, as connector.System says.
func (s *System) Find(ctx context.Context, cmd connector.Command) (connector.Finding, error) {
	const op = "simulated.Find"
	if err := s.latency(ctx); err != nil {
		return connector.Finding{}, connector.Unknown(op, fault.AnswerLost, err)
	}
	finding, fate, err := s.look(op, cmd)
	if fate != Silent {
		return finding, err
	}
	<-ctx.Done()
	return connector.Finding{}, connector.Unknown(op, fault.AnswerLost, context.Cause(ctx))
}

func (s *System) look(op string, cmd connector.Command) (connector.Finding, Fate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := s.config.Now()
	s.land(now)
	if s.isDown(now) {
		return connector.Finding{}, "", connector.Unknown(op, fault.SystemDown, errors.New("nobody is there"))
	}
	switch fate, _ := take(&s.asked); fate {
	case Garbled:
		return connector.Finding{}, fate, connector.Unknown(op, fault.AnswerUnread, errors.New("the answer makes no sense"))
	case Silent:
		return connector.Finding{}, fate, nil
	default:
	}
	var documents []connector.Document
	for _, place := range s.byKey[s.traits.Carried(cmd)] {
		if e := s.books[place]; !e.shown.After(now) && s.traits.Class != connector.Blind {
			documents = append(documents, e.Document)
		}
	}
	if len(documents) > 0 {
		return connector.Finding{Status: connector.FoundApplied, Documents: documents}, Done, nil
	}
	return s.traits.Missing(cmd, now), Done, nil
}

// latency waits as long as configured; the error is the context's.
func (s *System) latency(ctx context.Context) error {
	if s.config.Latency == 0 || ctx.Err() != nil {
		return context.Cause(ctx)
	}
	timer := time.NewTimer(s.config.Latency)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
