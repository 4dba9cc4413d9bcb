package file

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/connector/connectortest"
	"github.com/gapless/gapless/fault"
)

// reader is who takes the files of a folder away.
type reader struct {
	*connectortest.Clock
	folder string
	taken  []string
}

// names are the files that are there for a reader, in the order of their names.
func names(folder string) []string {
	var all []string
	entries, _ := os.ReadDir(folder)
	for _, e := range entries {
		if !e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			all = append(all, e.Name())
		}
	}
	return all
}

// take takes all files away.
func (r *reader) take(t *testing.T) {
	t.Helper()
	for _, name := range names(r.folder) {
		if err := os.Remove(filepath.Join(r.folder, name)); err != nil {
			t.Fatal(err)
		}
		r.taken = append(r.taken, name)
	}
}

// Books are the files that were ever seen.
func (r *reader) Books() []connectortest.Entry {
	var books []connectortest.Entry
	for _, name := range append(slices.Clone(r.taken), names(r.folder)...) {
		key := strings.TrimSuffix(strings.TrimPrefix(name, "receive-goods-"), ".json")
		books = append(books, connectortest.Entry{Key: key, Document: connector.Document{Number: name, Kind: "file"}})
	}
	return books
}

// Expect takes the folder away: a folder has no other trouble.
func (r *reader) Expect(connectortest.Call, connectortest.Trouble) <-chan struct{} {
	_ = os.Rename(r.folder, r.folder+".away")
	return nil
}

// Land does nothing: what is written is there.
func (r *reader) Land() {}

func command(key string) connector.Command {
	return connector.Command{Key: key, Name: "receive-goods", Subject: "lot/M-100/4711", Request: map[string]any{"body": map[string]any{"material": "M-100", "quantity": "72"}}}
}

func openOutbox(t *testing.T) (*Outbox, *reader) {
	t.Helper()
	r := &reader{Clock: connectortest.NewClock(), folder: filepath.Join(t.TempDir(), "out")}
	if err := os.Mkdir(r.folder, 0o750); err != nil {
		t.Fatal(err)
	}
	o, err := NewOutbox(OutboxConfig{Folder: r.folder, Now: r.Now})
	if err != nil {
		t.Fatal(err)
	}
	return o, r
}

func TestAnOutboxKeepsThePromisesOfASystem(t *testing.T) {
	connectortest.Run(t, func(t *testing.T) connectortest.Subject {
		o, r := openOutbox(t)
		return connectortest.Subject{System: o, Traits: o.Traits(), Outside: r, Command: command, Troubles: []connectortest.Trouble{connectortest.Down}}
	})
}

func attempt(r *reader, number int) connector.Command {
	cmd := command(strings.Repeat("ab", 32))
	cmd.Attempt, cmd.SendBefore = number, r.Now().Add(time.Minute)
	return cmd
}

func TestAFileThatWasTakenAwayIsNotWrittenAgain(t *testing.T) {
	o, r := openOutbox(t)
	for n := range 3 {
		outcome, err := o.Perform(t.Context(), attempt(r, n+1))
		if err != nil || outcome.Status != connector.Applied {
			t.Fatal(outcome, err)
		}
		r.take(t)
	}
	if len(r.taken) != 1 {
		t.Errorf("taken: %v", r.taken)
	}
	if finding, err := o.Find(t.Context(), attempt(r, 3)); err != nil || finding.Status != connector.FoundApplied {
		t.Error(finding, err)
	}
}

func TestAFileHoldsWhatTheRequestSays(t *testing.T) {
	for _, c := range []struct {
		request map[string]any
		name    string
		content string
	}{
		{map[string]any{"body": []any{"a", nil}}, ".json", "[\n  \"a\",\n  null\n]\n"},
		{map[string]any{"text": "a;b\n1;2\n", "extension": "csv"}, ".csv", "a;b\n1;2\n"},
	} {
		o, r := openOutbox(t)
		cmd := attempt(r, 1)
		cmd.Request = c.request
		if _, err := o.Perform(t.Context(), cmd); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join(r.folder, "receive-goods-"+cmd.Key+c.name))
		if err != nil || string(got) != c.content {
			t.Errorf("%q, %v", got, err)
		}
	}
	o, r := openOutbox(t)
	for name, change := range map[string]func(*connector.Command){
		"nothing":               func(c *connector.Command) { c.Request = nil },
		"both":                  func(c *connector.Command) { c.Request["text"] = "x" },
		"a folder as extension": func(c *connector.Command) { c.Request["extension"] = "/../x" },
		"a path as key":         func(c *connector.Command) { c.Key = "../x" },
		"something unknown":     func(c *connector.Command) { c.Request["folder"] = "x" },
	} {
		cmd := attempt(r, 1)
		change(&cmd)
		if _, err := o.Perform(t.Context(), cmd); !errors.Is(err, connector.ErrNotSent) || !errors.Is(err, fault.NotSendable) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

var errPower = errors.New("the power is gone")

// powerless opens a disk that is cut off before its n-th change and all after it.
// It counts changes in made.
func powerless(n int, made *int) func(string) (*disk, error) {
	return func(folder string) (*disk, error) {
		d, err := openDisk(folder)
		if err != nil {
			return nil, err
		}
		d.step = func(string) error {
			if *made >= n {
				return errPower
			}
			*made++
			return nil
		}
		return d, nil
	}
}

// TestCrashOfAnOutbox takes the power away before each change to the disk, with a
// reader who takes files away whenever there are any, and without one.
func TestCrashOfAnOutbox(t *testing.T) {
	for _, takes := range []bool{true, false} {
		for n := 0; ; n++ {
			o, r := openOutbox(t)
			made := 0
			o.open = powerless(n, &made)
			_, err := o.Perform(t.Context(), attempt(r, 1))
			if err == nil {
				if n < 4 {
					t.Errorf("it takes only %d changes", n)
				}
				break
			}
			if takes {
				r.take(t)
			}
			o.open = openDisk
			if errors.Is(err, connector.ErrNotSent) && len(r.Books()) > 0 {
				t.Errorf("before change %d: the file is there, and the error says that nothing was done", n)
			}
			finding, err := o.Find(t.Context(), attempt(r, 1))
			if err != nil {
				t.Fatal(err)
			}
			if wrote := len(r.Books()) > 0; wrote && finding.Status == connector.Absent || !wrote && finding.Status == connector.FoundApplied {
				t.Errorf("before change %d: found %s, written %v", n, finding.Status, wrote)
			}
			outcome, err := o.Perform(t.Context(), attempt(r, 2))
			if (err == nil) != (finding.Status != connector.Undecided) {
				t.Errorf("before change %d: found %s, then %s, %v", n, finding.Status, outcome.Status, err)
			}
			if books := r.Books(); len(books) > 1 || err == nil && len(books) != 1 {
				t.Errorf("before change %d: written %d times", n, len(books))
			}
		}
	}
}

func TestAFileThatCannotBeGivenItsNameIsNotSent(t *testing.T) {
	o, r := openOutbox(t)
	o.open = func(folder string) (*disk, error) {
		d, err := openDisk(folder)
		if err == nil {
			d.step = func(what string) error {
				if strings.HasPrefix(what, "rename .") {
					return fmt.Errorf("%s: %w", what, syscall.ENOSPC)
				}
				return nil
			}
		}
		return d, err
	}
	if _, err := o.Perform(t.Context(), attempt(r, 1)); !errors.Is(err, connector.ErrNotSent) || !errors.Is(err, fault.SystemDown) {
		t.Error(err)
	}
	o.open = openDisk
	if finding, err := o.Find(t.Context(), attempt(r, 1)); err != nil || finding.Status != connector.Absent {
		t.Errorf("found %s, %v", finding.Status, err)
	}
	if outcome, err := o.Perform(t.Context(), attempt(r, 2)); err != nil || outcome.Status != connector.Applied || len(r.Books()) != 1 {
		t.Errorf("then %s, %v, %v", outcome.Status, err, r.Books())
	}
}

func TestAFolderThatMayNotBeWrittenToIsNotSent(t *testing.T) {
	o, r := openOutbox(t)
	o.open = func(folder string) (*disk, error) {
		d, err := openDisk(folder)
		if err == nil {
			d.step = func(what string) error { return fmt.Errorf("%s: %w", what, fs.ErrPermission) }
		}
		return d, err
	}
	if _, err := o.Perform(t.Context(), attempt(r, 1)); !errors.Is(err, connector.ErrNotSent) || !errors.Is(err, fault.AccessDenied) {
		t.Error(err)
	}
	if _, err := NewOutbox(OutboxConfig{}); err == nil {
		t.Error("an outbox without a folder is made")
	}
}
