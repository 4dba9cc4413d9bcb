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
	until  time.Time
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
	if err == nil || errors.Is(err, connector.ErrTooLate) { // too late is our own fault
		b.errors, b.until = 0, time.Time{}
		return
	}
	if b.errors++; b.errors >= breaksAfter {
		b.until = now.Add(min(shortestRest<<min(b.errors-breaksAfter, 8), longestRest))
	}
	if wait := connector.WaitOf(err); wait > 0 {
		b.until = now.Add(wait)
	}
}

// closedFor is how long nothing is sent.
func (b *breaker) closedFor(now time.Time) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(b.until.Sub(now), 0)
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
