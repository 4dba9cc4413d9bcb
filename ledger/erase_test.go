package ledger

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/gapless/gapless/fault"
)

func TestErasureTakesTheContentAndLeavesTheRest(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{})
		first := record(t, l, said(t, "graz", "a", "1"))
		second := record(t, l, said(t, "graz", "a", "2"))
		before, err := l.Checkpoint(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		kept := message(t, l, second.Message)
		if err := l.Erase(t.Context(), "anna", second.Message, "a name was in it"); err != nil {
			t.Fatal(err)
		}
		erased := message(t, l, second.Message)
		if !erased.Erased || erased.Body != nil {
			t.Errorf("after erasure the content is %q", erased.Body)
		}
		if diff := cmp.Diff(kept, erased, cmpopts.IgnoreFields(StoredMessage{}, "Erased", "Body")); diff != "" {
			t.Errorf("erasure changed more than the content (-before +after):\n%s", diff)
		}
		if m := message(t, l, first.Message); m.Erased || len(m.Body) == 0 {
			t.Error("the content of another version is gone too")
		}
		if e, err := l.Event(t.Context(), second.Events[0]); err != nil || e.Data["quantity"] == nil {
			t.Errorf("the event is %+v, %v", e, err)
		}
		acts, err := l.ActsOn(t.Context(), second.Message)
		if err != nil {
			t.Fatal(err)
		}
		want := []Act{{Plant: "graz", Principal: "anna", Act: "content.erased", Subject: second.Message, Detail: "a name was in it"}}
		if diff := cmp.Diff(want, acts, cmpopts.IgnoreFields(Act{}, "Recorded")); diff != "" {
			t.Errorf("acts (-want +got):\n%s", diff)
		}
		if findings := verify(t, l, before); len(findings) > 0 {
			t.Errorf("after erasure: %q", findings)
		}
		if r := record(t, l, said(t, "graz", "a", "2")); r.Outcome != Duplicate {
			t.Errorf("what was erased comes again and is %s", r.Outcome)
		}
	})
}

func message(t *testing.T, l *Ledger, id string) StoredMessage {
	t.Helper()
	m, err := l.Message(t.Context(), id, true)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func TestErasureIsRefusedWhereThereIsNothingOrNoReason(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{})
		r := record(t, l, said(t, "graz", "a", "1"))
		if err := l.Erase(t.Context(), "anna", r.Message, " "); !errors.Is(err, fault.InvalidRequest) {
			t.Errorf("without a reason: %v", err)
		}
		if err := l.Erase(t.Context(), "anna", "a", "x"); !errors.Is(err, fault.InvalidRequest) {
			t.Errorf("with something that is no id: %v", err)
		}
		for _, id := range []string{strings.Repeat("0", 32), r.Message + ".2"} {
			if err := l.Erase(t.Context(), "anna", id, "x"); !errors.Is(err, fault.NotFound) {
				t.Errorf("of %s: %v", id, err)
			}
		}
		if m := message(t, l, r.Message); m.Erased {
			t.Fatal("a refused erasure erased")
		}
		if err := l.Erase(t.Context(), "anna", r.Message, "x"); err != nil {
			t.Fatal(err)
		}
		if err := l.Erase(t.Context(), "anna", r.Message, "x"); !errors.Is(err, fault.NotFound) {
			t.Errorf("for the second time: %v", err)
		}
	})
}

func TestErasedContentIsNotLeftInTheDatabaseFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	marker := []byte("Katharina Musterfrau, personnel number 4711")
	content := bytes.Repeat(marker, 1000) // more than a page
	l, stop := openUntil(t, path, Config{})
	e := said(t, "graz", "a", "1")
	e.Message.Body = content
	r := record(t, l, e)
	if err := l.checkpointWAL(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := count(t, path, marker); n == 0 {
		t.Fatal("the content was never in the file: the test sees nothing")
	}
	if err := l.Erase(t.Context(), "anna", r.Message, "x"); err != nil {
		t.Fatal(err)
	}
	stop() // which moves the WAL into the file
	if n := count(t, path, marker); n != 0 {
		t.Errorf("the file still has it %d times", n)
	}
}

func count(t *testing.T, path string, marker []byte) int {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.Count(b, marker)
}
