package flow

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/gapless/gapless/alert"
	"github.com/gapless/gapless/ledger"
)

// told plays a series: each step is so many members after so many minutes.
func told(stage int, steps ...[2]int) []string {
	now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
	begin, standing := now, ledger.AlertStanding{}
	var all []string
	for _, s := range steps {
		now = now.Add(time.Duration(s[0]) * time.Minute)
		var kind string
		if standing, kind = decideAlert(standing, stage, int64(s[1]), now, 15*time.Minute); kind != "" {
			all = append(all, fmt.Sprintf("%s after %d min", kind, now.Sub(begin)/time.Minute))
		}
	}
	return all
}

func TestOneAlertWhenAGroupStartsOneForEachPowerOfTenAndOneWhenItEnds(t *testing.T) {
	for name, test := range map[string]struct {
		stage int
		steps [][2]int
		want  []string
	}{
		"nothing":                             {0, [][2]int{{0, 0}, {1, 0}}, nil},
		"one that grows to 25":                {0, [][2]int{{0, 1}, {1, 9}, {1, 10}, {1, 25}, {1, 0}, {15, 0}}, []string{"started after 0 min", "grew after 2 min", "ended after 19 min"}},
		"25 at once":                          {0, [][2]int{{0, 25}, {1, 99}, {1, 100}}, []string{"started after 0 min", "grew after 2 min"}},
		"from 1 to 1,000 at once":             {0, [][2]int{{0, 1}, {1, 1000}, {1, 1001}}, []string{"started after 0 min", "grew after 1 min"}},
		"less and more again":                 {0, [][2]int{{0, 20}, {1, 3}, {1, 20}}, []string{"started after 0 min"}},
		"gone and back within a quarter hour": {0, [][2]int{{0, 1}, {1, 0}, {14, 1}, {1, 0}, {14, 0}, {1, 0}}, []string{"started after 0 min", "ended after 31 min"}},
		"gone and back after it":              {0, [][2]int{{0, 1}, {1, 0}, {15, 0}, {1, 1}}, []string{"started after 0 min", "ended after 16 min", "started after 17 min"}},
		"back while nobody looked":            {0, [][2]int{{0, 1}, {1, 0}, {600, 1}}, []string{"started after 0 min"}},
		"warned":                              {1, [][2]int{{0, 1}, {1, 5}, {1, 12}, {1, 0}, {15, 0}, {1, 1}}, []string{"warned after 0 min", "warned after 2 min", "warned after 19 min"}},
		"handed on":                           {3, [][2]int{{0, 1}, {1, 0}, {15, 0}}, []string{"escalated after 0 min"}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, told(test.stage, test.steps...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Whatever a group does, it starts once in the quiet time at most, each start has at
// most one end, and between two starts each power of ten is told once.
func TestAlertsNeverFlood(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		const quiet = 15 * time.Minute
		now := time.Date(2026, 3, 2, 8, 0, 0, 0, time.UTC)
		standing := ledger.AlertStanding{}
		var started time.Time
		grown, open := int64(0), false
		for range rapid.IntRange(1, 200).Draw(t, "steps") {
			now = now.Add(time.Duration(rapid.Int64Range(0, int64(10*time.Minute)).Draw(t, "pause")))
			members := rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(0, 12), rapid.Int64Range(0, 100_000)).Draw(t, "members")
			var kind string
			standing, kind = decideAlert(standing, 0, members, now, quiet)
			switch kind {
			case alert.Started:
				if open || members == 0 || !started.IsZero() && now.Sub(started) < quiet {
					t.Fatalf("started again after %s, with %d members", now.Sub(started), members)
				}
				started, grown, open = now, magnitude(members), true
			case alert.Grew:
				if !open || magnitude(members) <= grown {
					t.Fatalf("grew to %d, told was %d", members, grown)
				}
				grown = magnitude(members)
			case alert.Ended:
				if !open || members != 0 {
					t.Fatal("ended what does not stand")
				}
				open = false
			}
			if members > 0 && !open {
				t.Fatalf("%d members, and nobody was told", members)
			}
		}
	})
}

func TestRetriesBecomeSeldom(t *testing.T) {
	var all []string
	for attempts := 1; attempts <= 9; attempts++ {
		all = append(all, retryAfter(attempts).String())
	}
	if got := strings.Join(all, " "); got != "5s 10s 20s 40s 1m20s 2m40s 5m0s 5m0s 5m0s" || retryAfter(10_000) != lastRetry {
		t.Error(got)
	}
	if !slices.IsSorted([]time.Duration{firstRetry, lastRetry, giveUpAfter}) {
		t.Error("the times are in disorder")
	}
}
