package gapless_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gapless/gapless"
)

// await waits until a file is there, and reads it.
func await(t *testing.T, file string) string {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if content, err := os.ReadFile(file); err == nil {
			return string(content)
		}
		select {
		case <-tick.C:
		case <-t.Context().Done():
			t.Fatalf("%s never came", file)
		}
	}
}

func TestFilesThatASystemDropsAreTakenInAndPutAway(t *testing.T) {
	folder := t.TempDir()
	cat := guideCatalog(t, "docs/catalog.md", "title: Line reports\n",
		"title: Line reports\nconnector: {kind: file, folder: \""+folder+"\", complete: renamed, messages: [{message: line-report, files: \"lines-*.csv\"}]}\n")
	connected, err := gapless.Connect(cat, gapless.Secrets(os.Getenv), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	_, stop := start(t, gapless.Config{Catalog: cat, Data: t.TempDir(), Listen: "127.0.0.1:0", Connected: connected, PollEvery: 10 * time.Millisecond})
	drop := func(name, content string) {
		file := filepath.Join(folder, name)
		if err := os.WriteFile(file+".part", []byte(content), 0o640); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".part", file); err != nil {
			t.Fatal(err)
		}
	}
	const head, row = "day;shift;line;order;material;good;unit;WR\n", "2026-03-02;early;L1;1000123;M-100;10400;PCS;80\n"
	drop("lines-1.csv", head+row)
	if text := await(t, filepath.Join(folder, "done", "lines-1.csv.txt")); text != "lines-1.csv, read as line-report\nrecorded: 1\n" {
		t.Errorf("%q", text)
	}
	drop("lines-2.csv", head+row+"2026-03-02;late;L1;1000123;M-100;3;BOX;\n")
	if text := await(t, filepath.Join(folder, "done", "lines-2.csv.txt")); !strings.HasPrefix(text, "lines-2.csv, read as line-report\nduplicate: 1\nheld: 1\n\nrecord 3 held: code is not in the code list") {
		t.Errorf("%q", text)
	}
	drop("lines-3.csv", "nonsense\n")
	if text := await(t, filepath.Join(folder, "refused", "lines-3.csv.txt")); !strings.Contains(text, "cannot be read") {
		t.Errorf("%q", text)
	}
	if err := stop(); err != nil {
		t.Error(err)
	}
}
