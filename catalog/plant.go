package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/transaction"
)

// A PlantDefinition is plants/<plant>.yaml.
type PlantDefinition struct {
	Plant     string     `yaml:"plant"`
	Title     string     `yaml:"title"`
	ZoneName  string     `yaml:"zone"` // IANA name: "Europe/Vienna"
	Hierarchy Hierarchy  `yaml:"hierarchy"`
	DayStarts string     `yaml:"day-starts"` // "06:00"; "" is midnight
	Shifts    []Shift    `yaml:"shifts"`
	Calendars []Calendar `yaml:"calendars"` // where and when other shifts are worked

	// WorkingDays are the days of the week on which the plant works, and Holidays the
	// days on which it does not: by production day. What is made then has a shift all
	// the same; they count for working time alone.
	WorkingDays []string  `yaml:"working-days"` // "monday" ...; none: all
	Holidays    []Holiday `yaml:"holidays"`

	BeginsAt Begins   `yaml:"begins-at"`
	Roles    []Filled `yaml:"roles"` // which system has a role, where several could

	// Without is the roles that no system has at the plant, and that need none: plans
	// command nothing there.
	Without []string `yaml:"without"`

	// Reactions is what the plant does with the reactions of plans: off, shadow or
	// live, by "plan/reaction", or by "plan" for all others of it. Live where it
	// says nothing.
	Reactions map[string]transaction.Mode `yaml:"reactions"`

	// Collect is how the plant collects the events of reactions that do, by
	// "plan/reaction"; as the plan says where it says nothing.
	Collect map[string]Collected `yaml:"collect"`
}

// A Filled says which system has a role at the plant, and when.
type Filled struct {
	Role      string `yaml:"role"`
	System    string `yaml:"system"`
	ValidFrom string `yaml:"valid-from"` // inclusive; a day begins at midnight of the plant; "" since ever
	ValidTo   string `yaml:"valid-to"`   // exclusive; "" for ever

	validFrom, validTo time.Time
}

// validAt says whether the entry counts for what happened then.
func (f Filled) validAt(at time.Time) bool {
	return !at.Before(f.validFrom) && (f.validTo.IsZero() || at.Before(f.validTo))
}

// A Hierarchy is the plant's equipment by ISA-95 Part 1.
type Hierarchy struct {
	Areas []Area `yaml:"areas"`
}

// An Area is a part of the plant.
type Area struct {
	Area        string       `yaml:"area"`
	Title       string       `yaml:"title"`
	WorkCenters []WorkCenter `yaml:"work-centers"`
}

// A WorkCenter is a line, a cell or a unit with its machines.
type WorkCenter struct {
	WorkCenter string   `yaml:"work-center"`
	Title      string   `yaml:"title"`
	Equipment  []string `yaml:"equipment"`
}

// A Shift is a part of the production day in local time. One that ends at or
// before its begin goes over midnight.
type Shift struct {
	Shift string `yaml:"shift"`
	From  string `yaml:"from"` // "22:00"
	To    string `yaml:"to"`   // "06:00"
}

// A Calendar overrides the plant's shifts for a time, for some work centers or all.
type Calendar struct {
	ValidFrom   string   `yaml:"valid-from"` // first production day, "2026-01-01"; "" since ever
	ValidTo     string   `yaml:"valid-to"`   // first production day that it no longer counts for; "" for ever
	WorkCenters []string `yaml:"work-centers"`
	DayStarts   string   `yaml:"day-starts"`
	Shifts      []Shift  `yaml:"shifts"`
}

// Begins says from when on the hub takes what happened.
type Begins struct {
	Default string            `yaml:"default"` // RFC 3339
	Systems map[string]string `yaml:"systems"`
}

// A Plant is one plant with its zone and calendars.
type Plant struct {
	PlantDefinition
	Zone *time.Location

	calendars []calendar // the most specific first; the last is the plant's own
	begins    map[string]time.Time
	works     [7]bool         // by day of the week
	holidays  map[string]bool // by day
}

// A calendar is a Calendar with its times read.
type calendar struct {
	validFrom, validTo string // days
	workCenters        []string
	dayStarts          int // minutes from midnight
	shifts             []shift
}

// A shift is when it is worked, in minutes from the midnight before the
// production day. A shift that begins before the day starts belongs to the day before.
type shift struct {
	name     string
	from, to int
}

const (
	dayMinutes = 24 * 60
	dayLayout  = "2006-01-02"
)

// newPlant reads the times of a definition. Faults name the field.
func newPlant(def PlantDefinition) (*Plant, []fieldFault) {
	p := &Plant{PlantDefinition: def, Zone: time.UTC, begins: map[string]time.Time{}}
	var faults []fieldFault
	zone, err := time.LoadLocation(def.ZoneName)
	switch {
	case def.ZoneName == "" || def.ZoneName == "Local":
		faults = append(faults, fieldFault{"zone", "missing", "Name the time zone of the plant, for example Europe/Vienna."})
	case err != nil:
		faults = append(faults, fieldFault{"zone", fmt.Sprintf("%.80q is no time zone", def.ZoneName), "Write a name of the IANA list, for example Europe/Vienna."})
	default:
		p.Zone = zone
	}
	for i, c := range def.Calendars {
		read, wrong := readCalendar(c, fmt.Sprintf("calendars[%d].", i))
		p.calendars = append(p.calendars, read)
		faults = append(faults, wrong...)
	}
	slices.SortStableFunc(p.calendars, func(a, b calendar) int { // those for some work centers first, the newest first
		return cmp.Or(cmp.Compare(min(len(b.workCenters), 1), min(len(a.workCenters), 1)), cmp.Compare(b.validFrom, a.validFrom))
	})
	own, wrong := readCalendar(Calendar{DayStarts: def.DayStarts, Shifts: def.Shifts}, "")
	p.calendars = append(p.calendars, own)
	faults = append(faults, wrong...)
	faults = append(faults, p.readRoles()...)
	faults = append(faults, p.readWorking()...)
	return p, append(faults, p.readBegins()...)
}

// readRoles reads the times of the entries that say which system has a role.
func (p *Plant) readRoles() []fieldFault {
	var faults []fieldFault
	p.PlantDefinition.Roles = slices.Clone(p.PlantDefinition.Roles)
	for i := range p.PlantDefinition.Roles {
		f := &p.PlantDefinition.Roles[i]
		for _, end := range []struct {
			field, text string
			into        *time.Time
		}{{"valid-from", f.ValidFrom, &f.validFrom}, {"valid-to", f.ValidTo, &f.validTo}} {
			if end.text == "" {
				continue
			}
			at, err := parseMoment(end.text, p.Zone)
			if err != nil {
				faults = append(faults, fieldFault{fmt.Sprintf("roles[%d].%s", i, end.field), fmt.Sprintf("%.80q is no time", end.text), "Write a date such as 2026-01-31, or a time with zone."})
			}
			*end.into = at
		}
	}
	return faults
}

func (p *Plant) readBegins() []fieldFault {
	var faults []fieldFault
	read := func(field, system, text string) {
		if text == "" {
			return
		}
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			faults = append(faults, fieldFault{field, fmt.Sprintf("%.80q is no time", text), "Write date, time and zone, for example 2026-01-01T00:00:00Z."})
			return
		}
		p.begins[system] = at
	}
	read("begins-at.default", "", p.PlantDefinition.BeginsAt.Default)
	for system, text := range p.PlantDefinition.BeginsAt.Systems {
		read("begins-at.systems."+system, system, text)
	}
	return faults
}

func readCalendar(c Calendar, field string) (calendar, []fieldFault) {
	read := calendar{validFrom: c.ValidFrom, validTo: c.ValidTo, workCenters: c.WorkCenters}
	var faults []fieldFault
	for _, day := range []struct{ field, text string }{{"valid-from", c.ValidFrom}, {"valid-to", c.ValidTo}} {
		if _, err := time.Parse(dayLayout, day.text); day.text != "" && err != nil {
			faults = append(faults, fieldFault{field + day.field, fmt.Sprintf("%.80q is no day", day.text), "Write it like 2026-01-31."})
		}
	}
	minutes := func(field, text string) int {
		t, err := time.Parse("15:04", text)
		if err != nil {
			faults = append(faults, fieldFault{field, fmt.Sprintf("%.80q is no time of day", text), `Write hours and minutes in quotes, for example "06:00".`})
		}
		return t.Hour()*60 + t.Minute()
	}
	if c.DayStarts != "" {
		read.dayStarts = minutes(field+"day-starts", c.DayStarts)
	}
	for i, s := range c.Shifts {
		at := fmt.Sprintf("%sshifts[%d].", field, i)
		from, to := minutes(at+"from", s.From), minutes(at+"to", s.To)
		if from < read.dayStarts {
			from += dayMinutes
		}
		for to <= from {
			to += dayMinutes
		}
		if to-from > dayMinutes {
			to -= dayMinutes
		}
		read.shifts = append(read.shifts, shift{s.Shift, from, to})
		if s.Shift == "" {
			faults = append(faults, fieldFault{at + "shift", "missing", "Name the shift."})
		}
	}
	return read, append(faults, read.overlaps(field)...)
}

// overlaps reports shifts that share a minute or a name.
func (c *calendar) overlaps(field string) []fieldFault {
	var faults []fieldFault
	for i, a := range c.shifts {
		for j, b := range c.shifts[:i] {
			at := fmt.Sprintf("%sshifts[%d]", field, i)
			if a.name == b.name {
				faults = append(faults, fieldFault{at, fmt.Sprintf("shift %s stands here twice", a.name), "Name every shift of a day differently."})
			}
			for _, turn := range []int{-dayMinutes, 0, dayMinutes} {
				if a.from < b.to+turn && b.from+turn < a.to {
					faults = append(faults, fieldFault{at, fmt.Sprintf("shifts %s and %s overlap", c.shifts[j].name, a.name), "Let one shift end where the next begins: what happens in both would belong to neither."})
					break
				}
			}
		}
	}
	return faults
}

// gap is how many minutes of the day no shift covers; 0 for a calendar without shifts.
func (c *calendar) gap() int {
	if len(c.shifts) == 0 {
		return 0
	}
	covered := 0
	for _, s := range c.shifts {
		covered += s.to - s.from
	}
	return max(0, dayMinutes-covered)
}

// calendarOf is the calendar that counts for a work center on a production day;
// "" is the plant as a whole.
func (p *Plant) calendarOf(workCenter, day string) *calendar {
	for i := range p.calendars {
		c := &p.calendars[i]
		if len(c.workCenters) > 0 && !slices.Contains(c.workCenters, workCenter) {
			continue
		}
		if day >= c.validFrom && (c.validTo == "" || day < c.validTo) {
			return c
		}
	}
	return &p.calendars[len(p.calendars)-1]
}

// ShiftOf is the production day and shift that a moment at a work center belongs
// to. The work center is "" where it is not known. The shift is "" where none is
// worked then.
func (p *Plant) ShiftOf(workCenter event.Ref, t time.Time) (day, shift string) {
	center := lastSegment(workCenter)
	local := t.In(p.Zone)
	for back := range 3 { // a shift of yesterday goes on, or the day has not started yet
		date := time.Date(local.Year(), local.Month(), local.Day()-back, 12, 0, 0, 0, time.UTC).Format(dayLayout)
		c := p.calendarOf(center, date)
		for _, s := range c.shifts {
			if !t.Before(p.instant(date, s.from)) && t.Before(p.instant(date, s.to)) {
				return date, s.name
			}
		}
		if day == "" && !t.Before(p.instant(date, c.dayStarts)) {
			day = date
		}
	}
	return day, ""
}

// ShiftSpan is when a shift of a production day begins and ends, by the
// calendar of the plant as a whole. ok is false where no such shift is worked.
func (p *Plant) ShiftSpan(day, shift string) (from, to time.Time, ok bool) {
	if _, err := time.Parse(dayLayout, day); err != nil {
		return from, to, false
	}
	for _, s := range p.calendarOf("", day).shifts {
		if s.name == shift {
			return p.instant(day, s.from), p.instant(day, s.to), true
		}
	}
	return from, to, false
}

// ShiftNames are the shifts of a production day in the order of their times, by
// the calendar of the plant as a whole; none where the text is no day.
func (p *Plant) ShiftNames(day string) []string {
	if _, err := time.Parse(dayLayout, day); err != nil {
		return nil
	}
	var names []string
	for _, s := range p.calendarOf("", day).shifts {
		names = append(names, s.name)
	}
	return names
}

// Begins is from when on the hub takes what a system reports of the plant; the
// zero time is since ever.
func (p *Plant) Begins(system string) time.Time {
	if at, ok := p.begins[system]; ok {
		return at
	}
	return p.begins[""]
}

// instant is the moment at which the plant's clocks first show so many minutes
// from the midnight that begins the day. Where the clocks are put forward over
// that time, it is the moment at which they are: a shift neither overlaps the
// next nor leaves a gap.
func (p *Plant) instant(day string, minutes int) time.Time {
	date, err := time.Parse(dayLayout, day)
	if err != nil {
		return time.Time{}
	}
	wall := date.Add(time.Duration(minutes) * time.Minute) // what the clock shows, as if in UTC
	var best time.Time
	for _, around := range []time.Duration{-dayMinutes * time.Minute, dayMinutes * time.Minute} {
		_, offset := wall.Add(around).In(p.Zone).Zone()
		candidate := wall.Add(-time.Duration(offset) * time.Second)
		_, actual := candidate.In(p.Zone).Zone()
		if actual == offset && (best.IsZero() || candidate.Before(best)) {
			best = candidate
		}
	}
	if best.IsZero() { // the clocks skip it
		_, offset := wall.Add(-dayMinutes * time.Minute).In(p.Zone).Zone()
		best, _ = wall.Add(-time.Duration(offset) * time.Second).In(p.Zone).ZoneBounds()
	}
	return best.In(p.Zone)
}

// lastSegment is the name of an object within its plant.
func lastSegment(r event.Ref) string {
	segments := r.Segments()
	if len(segments) == 0 {
		return ""
	}
	return segments[len(segments)-1]
}
