package simulated

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"maps"
	"time"

	"github.com/gapless/gapless/connector"
)

// Force makes the next performing calls meet these fates, one each. The channel
// is closed when the last of them has.
func (s *System) Force(fates ...Fate) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return force(&s.next, fates)
}

// ForceFind is Force for the next finding calls.
func (s *System) ForceFind(fates ...Fate) <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return force(&s.asked, fates)
}

func force(queue *[]forced, fates []Fate) <-chan struct{} {
	met := make(chan struct{})
	for i, fate := range fates {
		f := forced{fate: fate}
		if i == len(fates)-1 {
			f.met = met
		}
		*queue = append(*queue, f)
	}
	return met
}

// take is the next forced fate.
func take(queue *[]forced) (fate Fate, ok bool) {
	if len(*queue) == 0 {
		return Done, false
	}
	next := (*queue)[0]
	*queue = (*queue)[1:]
	if next.met != nil {
		close(next.met)
	}
	return next.fate, true
}

// SetDown takes the system away or brings it back.
func (s *System) SetDown(down bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.down = down
}

func (s *System) isDown(now time.Time) bool {
	for _, d := range s.config.Downs {
		if !now.Before(d.From) && now.Before(d.To) {
			return true
		}
	}
	return s.down
}

// Land posts everything that is late.
func (s *System) Land() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for i := range s.pending {
		s.pending[i].At = time.Time{}
	}
	s.land(s.config.Now())
}

// land posts what is late and due.
func (s *System) land(now time.Time) {
	kept := s.pending[:0]
	for _, e := range s.pending {
		if e.At.After(now) {
			kept = append(kept, e)
			continue
		}
		e.At = now
		s.post(e)
	}
	s.pending = kept
}

// never is when an entry lands that waits for Land.
var never = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// postpone lets a command be done later: in time before it settles, or where the
// fate was forced, by Land.
func (s *System) postpone(cmd connector.Command, now time.Time, forced bool, chance uint64) {
	e := s.entry(cmd, now, chance)
	if e.At = never; !forced {
		e.At = now.Add(part(s.traits.SettledAt(cmd).Sub(now), chance))
	}
	e.shown = e.At
	s.pending = append(s.pending, e)
}

// entry is what a command makes. Find shows it after a part of the lag, and in
// any case once it has settled.
func (s *System) entry(cmd connector.Command, now time.Time, chance uint64) Entry {
	shown := now.Add(part(s.config.Lag, chance))
	if settled := s.traits.SettledAt(cmd); shown.After(settled) {
		shown = settled
	}
	return Entry{
		Key: s.traits.Carried(cmd), Name: cmd.Name, Plant: cmd.Plant, Subject: cmd.Subject, Request: maps.Clone(cmd.Request),
		Attempt: cmd.Attempt, At: now, shown: shown,
	}
}

// part is a time from zero up to, not including, the whole.
func part(whole time.Duration, chance uint64) time.Duration {
	if whole <= 0 {
		return 0
	}
	return time.Duration(chance >> 1 % uint64(whole))
}

// post writes an entry into the books; a keyed system has one for each key. The
// document's number hangs on the key alone, not on who came first.
func (s *System) post(e Entry) connector.Document {
	before := s.byKey[e.Key]
	if len(before) > 0 && s.traits.Class == connector.Keyed {
		return s.books[before[0]].Document
	}
	e.Document = connector.Document{Number: fmt.Sprintf("%.12s-%d", e.Key, len(before)+1), Kind: e.Name}
	if e.shown.Equal(never) {
		e.shown = e.At
	}
	s.byKey[e.Key] = append(before, len(s.books))
	s.books = append(s.books, e)
	return e.Document
}

// chance is a number that hangs on seed, key and attempt alone.
func (s *System) chance(cmd connector.Command) uint64 {
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %d", s.config.Seed, cmd.Key, cmd.Attempt))
	return binary.BigEndian.Uint64(sum[:])
}

// draw is the fate that the rates give.
func (s *System) draw(chance uint64) Fate {
	r := s.config.Rates
	n := int(chance % 1000)
	for _, c := range []struct {
		rate int
		fate Fate
	}{{r.LostBefore, LostBefore}, {r.LostAfter, LostAfter}, {r.Late, Late}, {r.Refused, Locked}, {r.Busy, Busy}} {
		if n < c.rate {
			return c.fate
		}
		n -= c.rate
	}
	return Done
}
