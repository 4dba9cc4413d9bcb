package transaction

import (
	"slices"
	"time"
)

// What happens to a step whose posting date lies in a closed period.
const (
	HoldClosed = "hold"      // it stays refused, for a person
	NextOpen   = "next-open" // it is posted on the first day of a later month instead
)

// RefusedClosed is the reason of a refusal that tells that the posting date lies in a
// closed period.
const RefusedClosed = "period_closed"

// movedOn is the step that takes the place of one that was refused because its posting
// date lies in a closed period: on the first day of the next month, with a key of its
// own; the one refused is superseded. ok is false where it stays refused, for a person:
// where the plan does not say NextOpen, and where that day has not come yet at the plant.
func (d *decision) movedOn(r *reaction, e *Noted, s *Step, wanted Step) (moved Step, ok bool) {
	if r.ClosedPeriod != NextOpen || s.Status != StepRefused || s.Reason != RefusedClosed || e == nil || s.Cause != e.ID || d.world.Day == nil {
		return Step{}, false
	}
	refused := s.Posting
	if refused == "" {
		refused = d.world.Day(s.Plant, e.Occurred)
	}
	next := firstOfNextMonth(refused)
	if next == "" || next > d.world.Day(s.Plant, d.world.Now) {
		return Step{}, false
	}
	s.end(StepSuperseded)
	wanted.Posting, wanted.System, wanted.Status, wanted.Reason = next, s.System, StepWaiting, "" // whoever let it go out has decided about all else
	return wanted, true
}

// firstOfNextMonth is the first day of the month after that of a day; "" where the
// text is no day.
func firstOfNextMonth(day string) string {
	at, err := time.Parse(time.DateOnly, day)
	if err != nil {
		return ""
	}
	return time.Date(at.Year(), at.Month()+1, 1, 0, 0, 0, 0, time.UTC).Format(time.DateOnly)
}

// notBefore keeps an amendment or an undo from being posted before what it is about:
// a day that it was moved to counts, where the event did not happen later.
func (d *decision) notBefore(e *Noted, wanted []Step) {
	for i := range wanted {
		s := &wanted[i]
		behind := slices.IndexFunc(d.in.Steps, func(x Step) bool { return x.Key == s.Amends && s.Amends != "" })
		if behind < 0 || d.world.Day == nil {
			continue
		}
		if moved := d.in.Steps[behind].Posting; moved > d.world.Day(s.Plant, e.Occurred) {
			s.Posting = moved
		}
	}
}
