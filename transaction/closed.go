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

// moveOn posts a step on another day that was refused because its posting date lies in
// a closed period: it is superseded by one with a key of its own, on the first day of
// the next month. A day that has not come yet at the plant is never taken: until then
// the step stays refused, for a person.
func (d *decision) moveOn(r *reaction, e *Noted, at int, wanted Step, mode Mode) {
	s := &d.in.Steps[at]
	if r.ClosedPeriod != NextOpen || s.Status != StepRefused || s.Reason != RefusedClosed || s.Cause != e.ID || d.world.Day == nil {
		return
	}
	refused := s.Posting
	if refused == "" {
		refused = d.world.Day(s.Plant, e.Occurred)
	}
	next := firstOfNextMonth(refused)
	if next == "" || next > d.world.Day(s.Plant, d.world.Now) {
		return
	}
	s.end(StepSuperseded)
	wanted.Posting, wanted.System, wanted.Status, wanted.Reason = next, s.System, StepWaiting, "" // whoever let it go out has decided about all else
	d.add(r, e, wanted, mode)
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
