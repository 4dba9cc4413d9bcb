package simulator

import (
	"context"
	"time"
)

// DefaultSpeed is how many seconds of the day pass in one: the day takes two minutes.
const DefaultSpeed = 720

// fastest bounds the speed, so that no time of the day leaves its type.
const fastest = 1_000_000

// A clock is the time of the simulated day, which passes faster than ours.
type clock struct {
	began time.Time // ours
	from  time.Time // of the day, at that moment
	speed int64
}

func newClock(from time.Time, speed int64) *clock {
	return &clock{began: time.Now(), from: from, speed: speed}
}

// now is the time of the day.
func (c *clock) now() time.Time {
	return c.from.Add(time.Since(c.began) * time.Duration(c.speed)).Truncate(time.Microsecond)
}

// real is how long something takes that takes so long at the usual speed.
func (c *clock) real(d time.Duration) time.Duration {
	return max(d*DefaultSpeed/time.Duration(c.speed), time.Millisecond)
}

// simulated is the part of the day that passes in a time of the usual speed.
func (c *clock) simulated(d time.Duration) time.Duration { return d * DefaultSpeed }

// until waits for a time of the day; false where the context ended first.
func (c *clock) until(ctx context.Context, at time.Time) bool {
	return pause(ctx, at.Sub(c.now())/time.Duration(c.speed))
}

// pause waits on a timer; false where the context ended first.
func pause(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
