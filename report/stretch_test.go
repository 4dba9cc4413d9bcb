package report

import (
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/ledger"
)

func TestStretchesCoverEachFeedOnce(t *testing.T) {
	q := Query{AsOf: ledger.Cursor{"linz": 2*stretchLength + 1, "graz": stretchLength, "wels": 1, "empty": 0}}
	want := []stretch{
		{"graz", 0, stretchLength},
		{"linz", 0, stretchLength},
		{"linz", stretchLength, 2 * stretchLength},
		{"linz", 2 * stretchLength, 2*stretchLength + 1},
		{"wels", 0, 1},
	}
	if diff := cmp.Diff(want, slices.Collect(q.stretches()), cmp.AllowUnexported(stretch{})); diff != "" {
		t.Error(diff)
	}
	for range q.stretches() {
		break // a reader that has enough
	}
}
