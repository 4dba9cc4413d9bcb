package catalog

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPagesAreAsInTheGoldenFiles(t *testing.T) {
	err := small(t).WriteDocs(func(name string, page []byte) error {
		golden := filepath.Join("testdata", "pages", name)
		if *update {
			return os.WriteFile(golden, page, 0o644)
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			return err
		}
		if diff := cmp.Diff(string(want), string(page)); diff != "" {
			t.Errorf("%s (renew with -update):\n%s", name, diff)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestAPageThatCannotBeWrittenIsTold(t *testing.T) {
	full := errors.New("disk full")
	err := small(t).WriteDocs(func(string, []byte) error { return full })
	if !errors.Is(err, full) || !strings.Contains(err.Error(), "README.md") {
		t.Errorf("got %v", err)
	}
}
