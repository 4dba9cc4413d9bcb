package catalog

import (
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
)

// initialised is a new catalog for a plant of that name.
func initialised(t testing.TB, name string) fs.FS {
	t.Helper()
	files := fstest.MapFS{}
	err := Init(name, func(file string, body []byte) error {
		files[file] = &fstest.MapFile{Data: body}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestANewCatalogLintsAndItsCasesHold(t *testing.T) {
	for _, name := range []string{"acme", "north-plant2"} {
		c, findings := Load(initialised(t, name))
		for _, f := range findings {
			t.Error(f)
		}
		if c == nil {
			continue
		}
		own := 0
		for _, r := range c.Test() {
			if !strings.HasPrefix(r.File, "standard:") {
				own++
			}
			if !r.Passed {
				t.Error(r)
			}
		}
		if own < 5 {
			t.Errorf("%d cases of its own", own)
		}
		if _, ok := c.Mapping(name+"-mes", "shift-report"); !ok {
			t.Errorf("%s has no message shift-report", name)
		}
	}
}

func TestTheReadmeOfANewCatalogNamesItsMessage(t *testing.T) {
	text, err := fs.ReadFile(initialised(t, "north-plant2"), "README.md")
	if err != nil {
		t.Fatal(err)
	}
	if want := "gapless catalog try . north-plant2-mes shift-report report.csv\n"; !strings.Contains(string(text), want) {
		t.Errorf("nothing says %q:\n%s", want, text)
	}
}

func TestANewCatalogNeedsAName(t *testing.T) {
	for _, name := range []string{"", "Graz", "../etc", "a b"} {
		if err := Init(name, func(string, []byte) error { return nil }); err == nil {
			t.Errorf("%q was taken", name)
		}
	}
}
