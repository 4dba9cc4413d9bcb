package catalog

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

// worker is a plant in Graz that works in two shifts, on the days of a usual week.
func worker(t testing.TB, change func(*PlantDefinition)) *Plant {
	t.Helper()
	def := PlantDefinition{
		Plant: "graz", ZoneName: "Europe/Vienna", DayStarts: "06:00",
		Shifts:      []Shift{{"late", "14:00", "22:00"}, {"night", "22:00", "06:00"}},
		WorkingDays: []string{"monday", "tuesday", "wednesday", "thursday", "friday"},
		Holidays:    []Holiday{{Day: "2026-12-25"}},
	}
	if change != nil {
		change(&def)
	}
	p, faults := newPlant(def)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	return p
}

func TestAddWorking(t *testing.T) {
	noShifts := func(def *PlantDefinition) { def.Shifts = nil }
	for name, test := range map[string]struct {
		change func(*PlantDefinition)
		from   string
		d      time.Duration
		want   string
	}{
		"within a shift":                           {nil, "2026-03-02T15:00:00+01:00", 2 * time.Hour, "2026-03-02T17:00:00+01:00"},
		"nothing to count":                         {nil, "2026-03-02T08:00:00+01:00", 0, "2026-03-02T08:00:00+01:00"},
		"before the first shift it waits":          {nil, "2026-03-02T08:00:00+01:00", time.Hour, "2026-03-02T15:00:00+01:00"},
		"to the end of a shift":                    {nil, "2026-03-02T14:00:00+01:00", 8 * time.Hour, "2026-03-02T22:00:00+01:00"},
		"over midnight":                            {nil, "2026-03-02T23:00:00+01:00", 3 * time.Hour, "2026-03-03T02:00:00+01:00"},
		"in the night that belongs to the day":     {nil, "2026-03-03T01:00:00+01:00", 6 * time.Hour, "2026-03-03T15:00:00+01:00"},
		"the night of Friday is worked to its end": {nil, "2026-03-07T05:00:00+01:00", 2 * time.Hour, "2026-03-09T15:00:00+01:00"},
		"over a weekend":                           {nil, "2026-03-07T12:00:00+01:00", time.Hour, "2026-03-09T15:00:00+01:00"},
		"over a holiday and the weekend behind it": {nil, "2026-12-25T05:00:00+01:00", 2 * time.Hour, "2026-12-28T15:00:00+01:00"},
		"a night an hour shorter":                  {func(def *PlantDefinition) { def.WorkingDays = nil }, "2026-03-28T22:00:00+01:00", 8 * time.Hour, "2026-03-29T15:00:00+02:00"},
		"a night an hour longer":                   {func(def *PlantDefinition) { def.WorkingDays = nil }, "2026-10-24T22:00:00+02:00", 9 * time.Hour, "2026-10-25T06:00:00+01:00"},
		"no shifts: production days are worked":    {noShifts, "2026-03-06T12:00:00+01:00", 20 * time.Hour, "2026-03-09T08:00:00+01:00"},
		"another calendar from a day on": {
			func(def *PlantDefinition) {
				def.Calendars = []Calendar{{ValidFrom: "2026-03-03", ValidTo: "2026-03-04", DayStarts: "06:00", Shifts: []Shift{{"day", "08:00", "12:00"}}}}
			}, "2026-03-03T06:00:00+01:00", 5 * time.Hour, "2026-03-04T15:00:00+01:00",
		},
	} {
		t.Run(name, func(t *testing.T) {
			if got := worker(t, test.change).AddWorking(moment(t, test.from), test.d); !got.Equal(moment(t, test.want)) {
				t.Errorf("got %s, want %s", got.In(time.FixedZone("", 3600)), test.want)
			}
		})
	}
}

// A plant that never works gives an answer all the same.
func TestAddWorkingEndsWhereNoWorkIsDone(t *testing.T) {
	p := worker(t, nil)
	p.works = [7]bool{}
	from := moment(t, "2026-03-02T15:00:00+01:00")
	if got := p.AddWorking(from, time.Hour); !got.Equal(from) {
		t.Errorf("got %s", got)
	}
}

func TestWorkingTimeIsAdditiveAndNeverRunsBackwards(t *testing.T) {
	p := worker(t, func(def *PlantDefinition) {
		def.Calendars = []Calendar{{ValidFrom: "2026-10-20", ValidTo: "2026-11-05", DayStarts: "05:00", Shifts: []Shift{{"long", "05:00", "17:00"}, {"short", "18:30", "02:00"}}}}
	})
	begin := moment(t, "2026-03-01T00:00:00+01:00")
	rapid.Check(t, func(t *rapid.T) {
		from := begin.Add(time.Duration(rapid.Int64Range(0, int64(300*24*time.Hour)).Draw(t, "from")))
		later := from.Add(time.Duration(rapid.Int64Range(0, int64(5*24*time.Hour)).Draw(t, "later")))
		a := time.Duration(rapid.Int64Range(0, int64(60*time.Hour)).Draw(t, "a"))
		b := time.Duration(rapid.Int64Range(0, int64(60*time.Hour)).Draw(t, "b"))
		end := p.AddWorking(from, a)
		if end.Sub(from) < a {
			t.Errorf("%s of work end %s after they began", a, end.Sub(from))
		}
		if both := p.AddWorking(from, a+b); !p.AddWorking(end, b).Equal(both) {
			t.Errorf("%s and %s end at %s, together at %s", a, b, p.AddWorking(end, b), both)
		}
		if p.AddWorking(later, a).Before(end) {
			t.Errorf("what begins later, at %s, ends earlier: %s, not %s", later, p.AddWorking(later, a), end)
		}
	})
}
