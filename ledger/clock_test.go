package ledger

import (
	"errors"
	"testing"
	"time"

	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/internal/testpostgres"
)

func TestANodeWhoseClockIsOffBeginsNoAttempt(t *testing.T) {
	f := newFollower(t, testpostgres.Database(t))
	sets := func(off time.Duration) { f.mu.Lock(); defer f.mu.Unlock(); f.off = off }
	f.say(Following{Steps: []Step{receipt(k1, "lot/M-1/1")}})
	for _, by := range []time.Duration{maxDrift + time.Second, -maxDrift - time.Second} {
		sets(by)
		begun, err := f.Claim(t.Context(), "graz", "node-1", nil, []Begin{f.knowing("d", k1)})
		if !errors.Is(err, fault.Unavailable) || len(begun) != 1 || begun[0].OK {
			t.Errorf("a clock that is off by %s: began %+v, %v", by, begun, err)
		}
	}
	if got := f.status(k1); got != StepDue {
		t.Errorf("the step is %s", got)
	}
	sets(maxDrift / 2)
	if got := f.begin("d", k1)[0]; !got.OK {
		t.Errorf("with a clock that is good enough: began %+v", got)
	}
	sets(time.Hour) // what became of an attempt goes on record all the same
	f.stop(Stop{Step: k1, Number: 1, Outcome: AttemptNotSent, Due: micros(f.Now())})
	if got := f.status(k1); got != StepDue {
		t.Errorf("the step is %s, and nothing of it went out", got)
	}
}

func TestAClockIsOffByAtLeastWhatTwoLooksShow(t *testing.T) {
	at := time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)
	for other, want := range map[time.Duration]time.Duration{-3 * time.Second: 3 * time.Second, 0: 0, time.Second: 0, 2 * time.Second: 0, 5 * time.Second: -3 * time.Second} {
		if got := drift(at, at.Add(2*time.Second), at.Add(other)); got != want {
			t.Errorf("%s after the first look: off by %s, want %s", other, got, want)
		}
	}
}
