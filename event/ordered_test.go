package event

import (
	"cmp"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestOrderedTextsSortAsTheirDecimalsDo(t *testing.T) {
	sorted := []string{"-100", "-99.5", "-10", "-1.5", "-1", "-0.15", "-0.1", "-0.001", "0", "0.001", "0.0011", "0.1", "0.15", "1", "1.05", "1.5", "9", "10", "99.5", "100", "9223372036854775807"}
	texts := make([]string, len(sorted))
	for i, text := range sorted {
		texts[i] = mustDecimal(t, text).Ordered()
	}
	if !slices.IsSorted(texts) || len(slices.Compact(slices.Clone(texts))) != len(texts) {
		t.Errorf("%q", texts)
	}
	rapid.Check(t, func(g *rapid.T) {
		a, b := anyDecimal(12, 18).Draw(g, "a"), anyDecimal(12, 18).Draw(g, "b")
		if got, want := cmp.Compare(a.Ordered(), b.Ordered()), a.Cmp(b); got != want {
			g.Errorf("%s %q and %s %q: %d, want %d", a, a.Ordered(), b, b.Ordered(), got, want)
		}
	})
}
