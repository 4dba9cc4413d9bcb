package file

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/connector/connectortest"
	"github.com/gapless/gapless/fault"
)

// A book is a ledger as a source sees it: it knows repetitions.
type book struct {
	received []string // channel and content
	known    map[string]bool
	err      error // that it gives
	changes  func()
}

func (b *book) take(_ context.Context, r connector.Received) (connector.Taken, error) {
	if b.err != nil {
		return connector.Taken{}, b.err
	}
	b.received = append(b.received, r.Message+" "+r.ContentType+" "+r.Channel+" "+string(r.Body))
	if b.changes != nil {
		b.changes()
	}
	if b.known == nil {
		b.known = map[string]bool{}
	}
	var taken connector.Taken
	for i, line := range strings.Split(strings.TrimSpace(string(r.Body)), "\n") {
		record := connector.TakenRecord{Record: i + 1, ID: line, Status: "recorded"}
		switch {
		case line == "rubbish":
			return connector.Taken{Refused: fault.New("test", fault.NotReadable, "", "rubbish")}, nil
		case line == "bad":
			record.Status, record.Refused = "", fault.New("test", fault.IDMissing, "order", "")
		case line == "late":
			record.Status, record.Held = "held", fault.New("test", fault.IdentifierUnknown, "machine", "M9")
		case b.known[line]:
			record.Status = "duplicate"
		}
		b.known[line] = true
		taken.Records = append(taken.Records, record)
	}
	return taken, nil
}

// A drop folder, with the clock of its Inbox.
type dropFolder struct {
	*connectortest.Clock
	t      *testing.T
	folder string
	inbox  *Inbox
	book   book
}

func openInbox(t *testing.T, change func(*InboxConfig)) *dropFolder {
	t.Helper()
	f := &dropFolder{Clock: connectortest.NewClock(), t: t, folder: t.TempDir()}
	config := InboxConfig{Folder: f.folder, Messages: []Message{{"shift-report", "shift-*.csv"}, {"boxes", "*.json"}}, Now: f.Now, Limit: 1000}
	if change != nil {
		change(&config)
	}
	var err error
	if f.inbox, err = NewInbox(config); err != nil {
		t.Fatal(err)
	}
	return f
}

// put writes a file, age before the clock's time.
func (f *dropFolder) put(name, content string, age time.Duration) {
	f.t.Helper()
	file := filepath.Join(f.folder, name)
	if err := os.WriteFile(file, []byte(content), 0o640); err != nil {
		f.t.Fatal(err)
	}
	if err := os.Chtimes(file, time.Time{}, f.Now().Add(-age)); err != nil {
		f.t.Fatal(err)
	}
}

func (f *dropFolder) poll() {
	f.t.Helper()
	if _, err := f.inbox.Poll(f.t.Context(), "", f.book.take); err != nil {
		f.t.Fatal(err)
	}
}

// settle polls, lets the time pass in which nothing may change, and polls again.
func (f *dropFolder) settle() {
	f.t.Helper()
	f.poll()
	f.Advance(DefaultStable)
	f.poll()
}

// tree is every file below the folder, with its content.
func (f *dropFolder) tree() map[string]string {
	f.t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(f.folder, func(file string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		name, _ := filepath.Rel(f.folder, file)
		content, err := os.ReadFile(file)
		all[filepath.ToSlash(name)] = string(content)
		return err
	})
	if err != nil {
		f.t.Fatal(err)
	}
	return all
}

func (f *dropFolder) received(want ...string) {
	f.t.Helper()
	if diff := cmp.Diff(want, f.book.received); diff != "" {
		f.t.Errorf("received:\n%s", diff)
	}
}

func TestFilesAreTakenInTheOrderOfTheirTimesAndPutAwayWithWhatBecameOfThem(t *testing.T) {
	f := openInbox(t, nil)
	f.put("shift-2.csv", "a\nlate\n", time.Minute)
	f.put("shift-1.csv", "a", time.Second)
	f.put("boxes.json", "rubbish", time.Hour)
	f.put("shift-3.csv", "b\nbad\n", 0)
	f.put("notes.md", "keep me", time.Hour)
	f.settle()
	f.received("boxes application/json file:boxes.json rubbish", "shift-report text/csv file:shift-2.csv a\nlate\n",
		"shift-report text/csv file:shift-1.csv a", "shift-report text/csv file:shift-3.csv b\nbad\n")
	tree := f.tree()
	for name, want := range map[string]string{
		"notes.md": "keep me", "done/shift-2.csv": "a\nlate\n", "done/shift-1.csv": "a", "refused/boxes.json": "rubbish", "refused/shift-3.csv": "b\nbad\n",
		"done/shift-2.csv.txt":    "shift-2.csv, read as shift-report\nheld: 1\nrecorded: 1\n\nrecord 2 held: local identifier has no cross-reference (machine): M9\n  Publish",
		"done/shift-1.csv.txt":    "shift-1.csv, read as shift-report\nduplicate: 1\n",
		"refused/boxes.json.txt":  "boxes.json, read as boxes\nnothing of it was kept: content cannot be read: rubbish\n",
		"refused/shift-3.csv.txt": "shift-3.csv, read as shift-report\nrecorded: 1\nrefused: 1\n\nrecord 2 refused: message has no identity (order)",
	} {
		if !strings.HasPrefix(tree[name], want) {
			t.Errorf("%s: %q", name, tree[name])
		}
		delete(tree, name)
	}
	if len(tree) > 0 {
		t.Errorf("left over: %v", tree)
	}
}

func TestAFileIsReadOnlyWhenItHasNotChangedForAWhile(t *testing.T) {
	f := openInbox(t, nil)
	f.put("shift-1.csv", "a", 0)
	f.poll()
	f.Advance(DefaultStable - 1)
	f.poll()
	f.received()
	f.put("shift-1.csv", "a\nb", 0) // it grew
	f.Advance(1)
	f.poll()
	f.Advance(DefaultStable - 1)
	f.poll()
	f.received()
	f.Advance(1)
	f.poll()
	f.received("shift-report text/csv file:shift-1.csv a\nb")
	f.settle()
	f.received("shift-report text/csv file:shift-1.csv a\nb")
}

func TestAFileIsReadOnlyWhenItsMarkerWasMadeAfterIt(t *testing.T) {
	f := openInbox(t, func(c *InboxConfig) { c.Complete = Marker })
	f.put("shift-1.csv.done", "", time.Minute) // one that a file before has left
	f.put("shift-1.csv", "half", 0)
	f.settle()
	f.received()
	f.put("shift-1.csv.done", "", 0)
	f.put("shift-1.csv", "whole", time.Second)
	f.poll()
	f.received("shift-report text/csv file:shift-1.csv whole")
	for name := range f.tree() {
		if !strings.HasPrefix(name, doneFolder+"/") {
			t.Errorf("%s is left", name)
		}
	}
}

func TestAFileThatGotItsNameWhenItWasCompleteIsReadAtOnce(t *testing.T) {
	f := openInbox(t, func(c *InboxConfig) { c.Complete = Renamed; c.Messages = []Message{{"any", "*"}} })
	f.put("shift-1.csv.part", "half", 0)
	f.put(".shift-2.csv", "half", 0)
	f.put("shift-3.CSV", "whole", 0)
	f.poll()
	f.received("any text/csv file:shift-3.CSV whole")
}

func TestAFileThatChangesWhileItIsTakenIsTakenAgain(t *testing.T) {
	f := openInbox(t, nil)
	f.put("shift-1.csv", "a", 0)
	f.book.changes = func() {
		f.book.changes = nil
		f.put("shift-1.csv", "a\nb", 0)
	}
	f.settle()
	if _, moved := f.tree()["done/shift-1.csv"]; moved {
		t.Error("it was put away though it had changed")
	}
	f.settle()
	if got := f.tree()["done/shift-1.csv"]; got != "a\nb" {
		t.Errorf("%q", got)
	}
}

func TestAFileThatIsReplacedWhileItIsPutAwayIsRead(t *testing.T) {
	for _, complete := range []Complete{Stable, Marker, Renamed} {
		for _, before := range []string{"write done/.shift-1.csv.txt.part", "rename shift-1.csv to done/shift-1.csv"} {
			f := openInbox(t, func(c *InboxConfig) { c.Complete = complete })
			f.put("shift-1.csv", "a", time.Minute)
			f.put("shift-1.csv.done", "", 0)
			f.inbox.open = func(folder string) (*disk, error) {
				d, err := openDisk(folder)
				if err == nil {
					d.step = func(what string) error {
						if what == before {
							f.inbox.open = openDisk
							f.put("new", "b", time.Second)
							return os.Rename(filepath.Join(f.folder, "new"), filepath.Join(f.folder, "shift-1.csv"))
						}
						return nil
					}
				}
				return d, err
			}
			f.settle()
			f.settle()
			tree := f.tree()
			if !f.book.known["b"] {
				t.Errorf("%s, before %q: what came was never read: %v", complete, before, tree)
			}
			if tree["done/shift-1.csv"] != "b" || !strings.Contains(tree["done/shift-1.csv.txt"], "recorded: 1") {
				t.Errorf("%s, before %q: %v", complete, before, tree)
			}
		}
	}
}

func TestAFileStaysWhereItIsWhileTheLedgerIsAway(t *testing.T) {
	f := openInbox(t, nil)
	f.put("shift-1.csv", "a", 0)
	f.poll()
	f.Advance(DefaultStable)
	f.book.err = fault.New("ledger.Record", fault.Unavailable, "", "")
	if _, err := f.inbox.Poll(t.Context(), "", f.book.take); !errors.Is(err, fault.Unavailable) {
		t.Error(err)
	}
	if diff := cmp.Diff(map[string]string{"shift-1.csv": "a"}, f.tree()); diff != "" {
		t.Error(diff)
	}
	f.book.err = nil
	f.poll()
	f.received("shift-report text/csv file:shift-1.csv a")
}

func TestAFileThatCannotBeTakenDoesNotStopTheOthers(t *testing.T) {
	f := openInbox(t, func(c *InboxConfig) { c.Complete = Renamed })
	f.put("shift-1.csv", "poison", time.Minute)
	f.put("shift-2.csv", "a", 0)
	poisoned := errors.New("nobody has thought of that")
	_, err := f.inbox.Poll(t.Context(), "", func(ctx context.Context, r connector.Received) (connector.Taken, error) {
		if string(r.Body) == "poison" {
			return connector.Taken{}, poisoned
		}
		return f.book.take(ctx, r)
	})
	if !errors.Is(err, poisoned) || !strings.Contains(err.Error(), "shift-1.csv") {
		t.Error(err)
	}
	f.received("shift-report text/csv file:shift-2.csv a")
	if _, stays := f.tree()["shift-1.csv"]; !stays {
		t.Error("what was not taken was put away")
	}
}

func TestWhatIsTooLongIsRefusedUnread(t *testing.T) {
	f := openInbox(t, nil)
	f.put("shift-1.csv", strings.Repeat("x", 1001), 0)
	f.settle()
	f.received()
	if text := f.tree()["refused/shift-1.csv.txt"]; !strings.Contains(text, "1001 bytes, more than 1000") {
		t.Errorf("%q", text)
	}
}

func TestAFileOfTheSameNameIsPutBesideTheOneBefore(t *testing.T) {
	f := openInbox(t, nil)
	for _, content := range []string{"a", "b", "c"} {
		f.put("shift-1.csv", content, 0)
		f.settle()
	}
	tree := f.tree()
	if tree["done/shift-1.csv"] != "a" || tree["done/shift-1.2.csv"] != "b" || tree["done/shift-1.3.csv"] != "c" {
		t.Errorf("%v", tree)
	}
}

func TestANameOfAnotherEncodingIsToldAsText(t *testing.T) {
	f := openInbox(t, nil)
	f.put("shift-M\xe4rz.csv", "a", 0)
	f.settle()
	f.received("shift-report text/csv file:shift-M�rz.csv a")
	if f.tree()["done/shift-M\xe4rz.csv"] != "a" {
		t.Error(f.tree())
	}
}

func TestLinksAndFoldersAreNoFiles(t *testing.T) {
	f := openInbox(t, func(c *InboxConfig) { c.Complete = Renamed })
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(secret, filepath.Join(f.folder, "shift-link.csv")); err != nil {
		t.Skip("no links here:", err)
	}
	if err := os.Mkdir(filepath.Join(f.folder, "shift-folder.csv"), 0o750); err != nil {
		t.Fatal(err)
	}
	f.poll()
	f.received()
}

// TestCrashOfAnInbox takes the power away before each change to the disk: in the
// end the file is put away once, and every record is on record once.
func TestCrashOfAnInbox(t *testing.T) {
	for _, complete := range []Complete{Stable, Marker} {
		for n := 0; ; n++ {
			f := openInbox(t, func(c *InboxConfig) { c.Complete = complete })
			f.put("shift-1.csv", "a\nb", 0)
			if complete == Marker {
				f.put("shift-1.csv.done", "", 0)
			}
			made := 0
			f.inbox.open = powerless(n, &made)
			_, first := f.inbox.Poll(t.Context(), "", f.book.take)
			f.Advance(DefaultStable)
			_, second := f.inbox.Poll(t.Context(), "", f.book.take)
			if errors.Join(first, second) == nil {
				if n < 4 {
					t.Errorf("%s: it takes only %d changes", complete, n)
				}
				break
			}
			after := f.inbox.config // another process
			var err error
			if f.inbox, err = NewInbox(after); err != nil {
				t.Fatal(err)
			}
			f.settle()
			tree := f.tree()
			if tree["done/shift-1.csv"] != "a\nb" || tree["done/shift-1.csv.txt"] == "" {
				t.Errorf("%s, before change %d: %v", complete, n, tree)
			}
			if _, left := tree["shift-1.csv"]; left {
				t.Errorf("%s, before change %d: the file is still there", complete, n)
			}
			if ids := len(f.book.known); ids != 2 {
				t.Errorf("%d records", ids)
			}
		}
	}
}

func TestAConfigurationThatCannotBeMeantIsRefusedAsAWhole(t *testing.T) {
	_, err := NewInbox(InboxConfig{Complete: "soon", Stable: -1, Messages: []Message{{"", "["}}})
	if err == nil {
		t.Fatal("it is taken")
	}
	for _, part := range []string{"folder", "pattern", "soon", "more than zero"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not tell of %s", err, part)
		}
	}
	if _, err := NewInbox(InboxConfig{Folder: "x"}); err == nil || !strings.Contains(err.Error(), "no message") {
		t.Error(err)
	}
	f := openInbox(t, func(c *InboxConfig) { c.Folder = filepath.Join(c.Folder, "none") })
	if _, err := f.inbox.Poll(t.Context(), "", f.book.take); !errors.Is(err, fault.SystemDown) {
		t.Error(err)
	}
	if slices.Contains(f.book.received, "") {
		t.Error("something was received")
	}
}
