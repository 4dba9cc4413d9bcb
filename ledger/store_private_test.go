package ledger

import (
	"os"
	"path/filepath"
	"testing"
)

// Raw content and password hashes are in it: nobody else on the machine reads it, also where
// somebody has made the folder for everybody.
func TestTheFileOfALedgerIsItsOwnersAlone(t *testing.T) {
	folder := t.TempDir()
	if err := os.Chmod(folder, 0o755); err != nil { //nolint:gosec // that is what is tried
		t.Fatal(err)
	}
	l := open(t, filepath.Join(folder, "gapless.db"), Config{})
	if err := l.CreatePerson(t.Context(), "test", "anna", "a long pass phrase of tests", nil); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(folder)
	if err != nil || len(files) < 2 {
		t.Fatalf("%v %v", files, err)
	}
	for _, f := range files {
		if info, err := f.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v %v", f.Name(), info.Mode(), err)
		}
	}
}
