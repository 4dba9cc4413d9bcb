package flow

import (
	"io"
	"testing"
	"time"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
)

func TestASystemThatAsksToBeLeftAloneIsLeftAlone(t *testing.T) {
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	busy := &connector.WaitError{Wait: 5 * time.Minute, Err: connector.NotSent("test", fault.RateLimited, io.EOF)}
	for name, later := range map[string]error{
		"an answer to what was under way": nil, "an attempt that was too late": connector.ErrTooLate,
		"a shorter wait": &connector.WaitError{Wait: time.Second, Err: io.EOF}, "an error": io.EOF,
	} {
		var b breaker
		b.note(now, busy)
		b.note(now.Add(time.Second), later)
		if got := b.closedFor(now.Add(2 * time.Second)); got != 5*time.Minute-2*time.Second {
			t.Errorf("after %s it is left alone for %s", name, got)
		}
	}
}

func TestAnAttemptThatWasTooLateTellsNothingOfTheSystem(t *testing.T) {
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	var b breaker
	for range breaksAfter {
		b.note(now, io.EOF)
	}
	b.note(now, connector.ErrTooLate)
	if b.closedFor(now) != shortestRest || b.limit(4) != 1 {
		t.Errorf("it is left alone for %s, and then asked %d times at once", b.closedFor(now), b.limit(4))
	}
	b.note(now, nil)
	if b.closedFor(now) != 0 || b.limit(4) != 4 {
		t.Errorf("it has answered, and is left alone for %s", b.closedFor(now))
	}
}
