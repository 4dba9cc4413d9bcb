package catalog

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gapless/gapless/event"
)

func graz(t testing.TB) *Plant {
	t.Helper()
	p, ok := small(t).Plant("graz")
	if !ok {
		t.Fatal("no plant")
	}
	return p
}

func moment(t testing.TB, text string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestShiftOf(t *testing.T) {
	p := graz(t)
	for name, test := range map[string]struct {
		workCenter event.Ref
		at         string
		day, shift string
	}{
		"the early shift":                                     {"", "2026-03-02T06:00:00+01:00", "2026-03-02", "1"},
		"a moment before the day starts":                      {"", "2026-03-02T05:59:59+01:00", "2026-03-01", "3"},
		"the night shift before midnight":                     {"", "2026-03-02T23:00:00+01:00", "2026-03-02", "3"},
		"the night shift after midnight is of the day before": {"", "2026-03-03T01:00:00+01:00", "2026-03-02", "3"},
		"a time in another zone":                              {"", "2026-03-02T13:00:00Z", "2026-03-02", "2"},
		"a work center with a calendar of its own":            {"work-center/graz/L2", "2026-07-15T06:30:00+02:00", "2026-07-14", "summer"},
		"another work center at that time":                    {"work-center/graz/L1", "2026-07-15T06:30:00+02:00", "2026-07-15", "1"},
		"that work center after its calendar ended":           {"work-center/graz/L2", "2026-09-15T06:30:00+02:00", "2026-09-15", "1"},
		"the hour that is put forward":                        {"", "2026-03-29T03:30:00+02:00", "2026-03-28", "3"},
		"the hour that comes twice, the second time":          {"", "2026-10-25T02:30:00+01:00", "2026-10-24", "3"},
	} {
		t.Run(name, func(t *testing.T) {
			day, shift := p.ShiftOf(test.workCenter, moment(t, test.at))
			if day != test.day || shift != test.shift {
				t.Errorf("got day %s shift %s, want day %s shift %s", day, shift, test.day, test.shift)
			}
		})
	}
}

func TestShiftSpanFollowsTheClocks(t *testing.T) {
	p := graz(t)
	for name, test := range map[string]struct {
		day, shift, from, to string
		length               time.Duration
	}{
		"an ordinary night":                         {"2026-03-02", "3", "2026-03-02T22:00:00+01:00", "2026-03-03T06:00:00+01:00", 8 * time.Hour},
		"the night the clocks are put forward":      {"2026-03-28", "3", "2026-03-28T22:00:00+01:00", "2026-03-29T06:00:00+02:00", 7 * time.Hour},
		"the night the clocks are put back":         {"2026-10-24", "3", "2026-10-24T22:00:00+02:00", "2026-10-25T06:00:00+01:00", 9 * time.Hour},
		"the day after the clocks were put forward": {"2026-03-29", "1", "2026-03-29T06:00:00+02:00", "2026-03-29T14:00:00+02:00", 8 * time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			from, to, ok := p.ShiftSpan(test.day, test.shift)
			if !ok || !from.Equal(moment(t, test.from)) || !to.Equal(moment(t, test.to)) || to.Sub(from) != test.length {
				t.Errorf("got %s to %s, want %s to %s", from, to, test.from, test.to)
			}
		})
	}
	for _, unknown := range [][2]string{{"2026-03-02", "4"}, {"2026-02-30", "1"}, {"", "1"}} {
		if _, _, ok := p.ShiftSpan(unknown[0], unknown[1]); ok {
			t.Errorf("day %q has a shift %s", unknown[0], unknown[1])
		}
	}
}

// In a zone whose clocks skip or repeat the very hour at which shifts change,
// every moment still belongs to exactly one shift.
func TestEveryMomentBelongsToOneShift(t *testing.T) {
	def := PlantDefinition{
		Plant: "p", Title: "p", ZoneName: "Europe/Vienna", DayStarts: "02:30",
		Shifts: []Shift{{"a", "02:30", "10:30"}, {"b", "10:30", "18:30"}, {"c", "18:30", "02:30"}},
	}
	p, faults := newPlant(def)
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	begin := moment(t, "2026-01-01T00:00:00Z")
	rapid.Check(t, func(t *rapid.T) {
		at := begin.Add(time.Duration(rapid.Int64Range(0, 366*24*60*60).Draw(t, "second")) * time.Second)
		if rapid.Bool().Draw(t, "near a change of the clocks") {
			change := rapid.SampledFrom([]time.Time{time.Date(2026, 3, 29, 1, 0, 0, 0, time.UTC), time.Date(2026, 10, 25, 1, 0, 0, 0, time.UTC)}).Draw(t, "change")
			at = change.Add(time.Duration(rapid.Int64Range(-7200, 7200).Draw(t, "seconds from it")) * time.Second)
		}
		day, shift := p.ShiftOf("", at)
		from, to, ok := p.ShiftSpan(day, shift)
		if !ok || at.Before(from) || !at.Before(to) {
			t.Fatalf("%s is of day %s shift %q, which is %s to %s", at, day, shift, from, to)
		}
	})
}

func TestBegins(t *testing.T) {
	p := graz(t)
	if got := p.Begins("graz-mes"); !got.Equal(moment(t, "2026-02-01T00:00:00+01:00")) {
		t.Errorf("for graz-mes %s", got)
	}
	if got := p.Begins("qms"); !got.Equal(moment(t, "2026-01-01T00:00:00+01:00")) {
		t.Errorf("for others %s", got)
	}
}
