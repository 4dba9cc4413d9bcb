package connectortest

import (
	"sync"
	"time"
)

// A Clock is one that a test moves. It carries a monotonic reading, as that of
// the program does.
type Clock struct {
	mu sync.Mutex
	at time.Time
}

// NewClock is a Clock that begins now.
func NewClock() *Clock { return &Clock{at: time.Now()} }

// Now is what the clock says.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

// Advance moves it; back where d is negative.
func (c *Clock) Advance(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}
