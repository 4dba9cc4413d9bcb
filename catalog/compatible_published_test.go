package catalog

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
)

// publishedCase is one of the JSON Schema compatibility cases of Apicurio
// Registry (github.com/Apicurio/apicurio-registry at b40e0173, Apache-2.0).
type publishedCase struct {
	ID            string `json:"id"`
	Enabled       bool   `json:"enabled"`
	Compatibility string `json:"compatibility"` // backward: only the new accepts all of the old; both; none
	Original      any    `json:"original"`
	Updated       any    `json:"updated"`
}

// deviations are the published cases that we answer otherwise on purpose, by
// number in the file and id. They must be on the careful side.
var deviations = map[string]string{
	"117 Complex: oneOf 1": "the published answer compares alternatives one by one. A text of 7 letters matched one alternative of the old schema and matches two of the new one, " +
		"so it is refused now; that breaks for senders",
	"119 Complex: oneOf 3": "the published answer takes one more alternative as widening. A text of 3 letters matched one alternative and matches two now, so it is refused; " +
		"that breaks for senders",
}

const publishedCount = 145

func publishedCases(t *testing.T) []publishedCase {
	t.Helper()
	folder := os.Getenv("GAPLESS_DATA")
	if folder == "" {
		folder = filepath.Join("..", "..", "shared", "data")
	}
	file := filepath.Join(folder, "schema-compatibility", "json", "src", "test", "resources", "io", "apicurio", "registry",
		"rules", "compatibility", "jsonschema", "compatibility-test-data.json")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the published compatibility cases are not here (%s); set GAPLESS_DATA to the folder that has schema-compatibility/", file)
	}
	if err != nil {
		t.Fatal(err)
	}
	var content struct {
		Tests []publishedCase `json:"tests"`
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	if err := decoder.Decode(&content); err != nil {
		t.Fatal(err)
	}
	if len(content.Tests) != publishedCount {
		t.Fatalf("%d published cases, want %d", len(content.Tests), publishedCount)
	}
	return content.Tests
}

func TestCompatibleAgreesWithThePublishedCasesExceptWhereStated(t *testing.T) {
	found := map[string]bool{}
	for i, test := range publishedCases(t) {
		name := fmt.Sprintf("%d %s", i, test.ID)
		t.Run(name, func(t *testing.T) {
			if !test.Enabled {
				t.Skip("the file marks this case as not enabled")
			}
			want, known := map[string]Effect{"backward": BreakingForReaders, "both": EffectCompatible, "none": BreakingForBoth}[test.Compatibility]
			if !known {
				t.Fatalf("compatibility %q is new", test.Compatibility)
			}
			changes := Compatible(test.Original, test.Updated)
			got := EffectOf(changes)
			why, deviates := deviations[name]
			found[name] = deviates
			switch {
			case !deviates && got != want:
				t.Errorf("effect %s, published %s\n%+v", got, want, changes)
			case deviates && got == want:
				t.Errorf("stale deviation: we agree now (%s)", why)
			case deviates && (want.BreaksSenders() && !got.BreaksSenders() || want.BreaksReaders() && !got.BreaksReaders()):
				t.Errorf("a deviation must be on the careful side: effect %s, published %s", got, want)
			}
		})
	}
	for name := range deviations {
		if !found[name] {
			t.Errorf("deviation %q names no published case", name)
		}
	}
}
