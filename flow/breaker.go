package flow

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/gapless/gapless/connector"
)

// A breaker keeps a system that does not answer from being asked by everybody at
// once: after some errors in a row nothing is sent for a while, then one attempt
// only, until one is answered. A refusal is an answer.
type breaker struct {
	mu     sync.Mutex
	errors int
	until  time.Time // nothing is sent before, as it does not answer
	asked  time.Time // nor before, as the system has asked for it
}

const (
	breaksAfter  = 5
	shortestRest = 2 * time.Second
	longestRest  = time.Minute
)

// note takes in how an attempt ended.
func (b *breaker) note(now time.Time, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if errors.Is(err, connector.ErrTooLate) { // it was our own fault, and tells nothing of the system
		return
	}
	if err == nil {
		b.errors, b.until = 0, time.Time{}
		return
	}
	if b.errors++; b.errors >= breaksAfter {
		b.until = now.Add(min(shortestRest<<min(b.errors-breaksAfter, 8), longestRest))
	}
	if asked := now.Add(connector.WaitOf(err)); asked.After(b.asked) {
		b.asked = asked
	}
}

// closedFor is how long nothing is sent.
func (b *breaker) closedFor(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(b.until.Sub(now), b.asked.Sub(now), 0)
}

// limit is how many of n attempts may be made.
func (b *breaker) limit(n int) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.errors >= breaksAfter {
		return min(n, 1)
	}
	return n
}

// pace spreads attempts over time. One goroutine uses it.
type pace struct {
	every time.Duration // 0 for no limit
	next  time.Time
}

// wait waits until the next attempt may begin, or the context ends.
func (p *pace) wait(ctx context.Context) {
	if p.every <= 0 {
		return
	}
	now := time.Now()
	if p.next.Before(now) {
		p.next = now
	}
	wait := p.next.Sub(now)
	p.next = p.next.Add(p.every)
	if wait > 0 {
		rest(ctx, wait)
	}
}
