package catalog

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// A Holiday is a production day on which a plant does not work.
type Holiday struct {
	Day   string `yaml:"day"` // "2026-12-25"
	Title string `yaml:"title"`
}

// weekdays are the names of days as calendars write them, by time.Weekday.
var weekdays = [...]string{"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"}

// workless is how many days in a row may pass without work before working time is
// counted no further.
const workless = 400

// readWorking reads on which days the plant works.
func (p *Plant) readWorking() []fieldFault {
	var faults []fieldFault
	p.holidays = map[string]bool{}
	for i, h := range p.Holidays {
		if _, err := time.Parse(dayLayout, h.Day); err != nil {
			faults = append(faults, fieldFault{fmt.Sprintf("holidays[%d].day", i), fmt.Sprintf("%.80q is no day", h.Day), "Write it like 2026-12-25."})
		}
		if p.holidays[h.Day] {
			faults = append(faults, fieldFault{fmt.Sprintf("holidays[%d].day", i), h.Day + " stands here twice", "Leave one of both out."})
		}
		p.holidays[h.Day] = true
	}
	for i, name := range p.WorkingDays {
		at := slices.Index(weekdays[:], name)
		if at < 0 {
			faults = append(faults, fieldFault{fmt.Sprintf("working-days[%d]", i), fmt.Sprintf("%.40q is no day of the week", name), "Write " + strings.Join(weekdays[:], ", ") + "."})
			continue
		}
		p.works[at] = true
	}
	if len(p.WorkingDays) == 0 {
		p.works = [7]bool{true, true, true, true, true, true, true}
	}
	return faults
}

// A span is a time from its begin to its end, the end not included.
type span struct{ from, to time.Time }

// worked are the times of a production day at which the plant works, by the calendar
// of the plant as a whole: its shifts, or all of the day where it has none. Nothing on
// a holiday and on days of the week that are none of its working days.
func (p *Plant) worked(date time.Time) []span {
	day := date.Format(dayLayout)
	if p.holidays[day] || !p.works[date.Weekday()] {
		return nil
	}
	c := p.calendarOf("", day)
	if len(c.shifts) == 0 {
		return []span{{p.instant(day, c.dayStarts), p.instant(day, c.dayStarts+dayMinutes)}}
	}
	spans := make([]span, len(c.shifts))
	for i, s := range c.shifts {
		spans[i] = span{p.instant(day, s.from), p.instant(day, s.to)}
	}
	slices.SortFunc(spans, func(a, b span) int { return a.from.Compare(b.from) })
	return spans
}

// AddWorking is the moment at which the plant has worked for a duration since another
// moment. Time counts as it passes: a night in which the clocks are put forward is an
// hour shorter. A duration of 0 or less is the moment itself. Where no work is done for
// more than a year it is the end of the last.
func (p *Plant) AddWorking(from time.Time, d time.Duration) time.Time {
	if d <= 0 {
		return from
	}
	local := from.In(p.Zone)
	now := from
	for day, idle := -2, 0; idle < workless; day, idle = day+1, idle+1 { // a shift of two days before may still go on
		date := time.Date(local.Year(), local.Month(), local.Day()+day, 12, 0, 0, 0, time.UTC)
		for _, s := range p.worked(date) {
			begin := s.from
			if begin.Before(now) {
				begin = now
			}
			left := s.to.Sub(begin)
			if left <= 0 {
				continue
			}
			if d <= left {
				return begin.Add(d)
			}
			d, now, idle = d-left, s.to, 0
		}
	}
	return now
}
