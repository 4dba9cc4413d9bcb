package ledger

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/fault"
)

var (
	hashA = strings.Repeat("0a", 32)
	hashB = strings.Repeat("b1", 32)
)

func TestTheTextOfACheckpointHasOneLineForEachFeed(t *testing.T) {
	c := Checkpoint{Origin: "gapless", Feeds: []FeedHead{
		{"", 3, 0, hashA}, {"-", 1, 9, hashB}, {"St. Pölten/2\n", 2, 7, hashA}, {"graz", 12, 4711, hashB},
	}}
	want := "gapless\n" +
		"- 3 0 " + hashA + "\n" +
		"%2D 1 9 " + hashB + "\n" +
		"St.%20P%C3%B6lten%2F2%0A 2 7 " + hashA + "\n" +
		"graz 12 4711 " + hashB + "\n"
	if diff := cmp.Diff(want, c.Text()); diff != "" {
		t.Errorf("text (-want +got):\n%s", diff)
	}
	back, err := ParseCheckpoint(want)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c, back); diff != "" {
		t.Errorf("read back (-want +got):\n%s", diff)
	}
}

func TestATextThatIsNoCheckpointIsRefused(t *testing.T) {
	line := "graz 1 1 " + hashA + "\n"
	for name, text := range map[string]string{
		"empty":                      "",
		"no origin":                  "\n" + line,
		"cut off":                    "gapless\n" + strings.TrimSuffix(line, "\n"),
		"an empty line":              "gapless\n\n" + line,
		"a field too many":           "gapless\ngraz 1 1 " + hashA + " x\n",
		"a link of zero":             "gapless\ngraz 0 1 " + hashA + "\n",
		"a negative position":        "gapless\ngraz 1 -1 " + hashA + "\n",
		"a number written otherwise": "gapless\ngraz 01 1 " + hashA + "\n",
		"a short hash":               "gapless\ngraz 1 1 0a\n",
		"capitals in the hash":       "gapless\ngraz 1 1 " + strings.ToUpper(hashA) + "\n",
		"a plant not encoded":        "gapless\ngr%az 1 1 " + hashA + "\n",
		"a plant encoded otherwise":  "gapless\n%67raz 1 1 " + hashA + "\n",
		"a plant twice":              "gapless\n" + line + line,
		"plants out of order":        "gapless\nlinz 1 1 " + hashA + "\n" + line,
	} {
		t.Run(name, func(t *testing.T) {
			if c, err := ParseCheckpoint(text); fault.Of(err) == nil {
				t.Errorf("%q is read as %+v, %v", text, c, err)
			}
		})
	}
}

func TestASignedCheckpointIsOpenedOnlyByItsKeyAndUnaltered(t *testing.T) {
	c := Checkpoint{Origin: "gapless", Feeds: []FeedHead{{"graz", 12, 4711, hashA}}}
	private, public := newKey(t, "gapless")
	_, stranger := newKey(t, "gapless")
	signed, err := c.Sign(private + "\n") // as read from a file
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(signed, c.Text()+"\n— gapless ") {
		t.Errorf("this is no signed note:\n%s", signed)
	}
	for name, keys := range map[string][]string{"its key": {public}, "its key among others": {stranger, public + "\n"}} {
		back, err := OpenCheckpoint(signed, keys...)
		if diff := cmp.Diff(c, back); err != nil || diff != "" {
			t.Errorf("opened by %s: %v\n%s", name, err, diff)
		}
	}
	for name, try := range map[string]struct {
		signed string
		keys   []string
	}{
		"another key of the same name": {signed, []string{stranger}},
		"no key":                       {signed, nil},
		"an altered position":          {strings.Replace(signed, "4711", "4712", 1), []string{public}},
		"no signature":                 {c.Text(), []string{public}},
		"nothing":                      {"", []string{public}},
	} {
		if _, err := OpenCheckpoint(try.signed, try.keys...); !errors.Is(err, fault.NotReadable) {
			t.Errorf("opened by %s: %v", name, err)
		}
	}
	if _, err := OpenCheckpoint(signed, private); !errors.Is(err, fault.InvalidRequest) || strings.Contains(err.Error(), private) {
		t.Errorf("a private key in place of a public one: %v", err)
	}
	if _, err := c.Sign(public); !errors.Is(err, fault.InvalidRequest) {
		t.Errorf("signed with a public key: %v", err)
	}
}

func newKey(t *testing.T, name string) (private, public string) {
	t.Helper()
	private, public, err := NewCheckpointKey(name)
	if err != nil {
		t.Fatal(err)
	}
	return private, public
}

func TestAKeyNeedsANameThatASignatureCanCarry(t *testing.T) {
	for _, name := range []string{"", "two words", "a+b"} {
		if _, _, err := NewCheckpointKey(name); !errors.Is(err, fault.InvalidRequest) {
			t.Errorf("%q names a key: %v", name, err)
		}
	}
}

func TestACheckpointMovesWithEveryCommitAndOnlyThen(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{Name: "works"})
		texts := []string{}
		note := func() {
			c, err := l.Checkpoint(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			back, err := ParseCheckpoint(c.Text())
			if diff := cmp.Diff(c, back); err != nil || diff != "" {
				t.Errorf("read back: %v\n%s", err, diff)
			}
			texts = append(texts, c.Text())
		}
		note()
		record(t, l, said(t, "graz", "a", "1"))
		note()
		record(t, l, said(t, "graz", "a", "1")) // a repetition
		note()
		record(t, l, said(t, "Linz", "b", "1"))
		note()
		if texts[0] != "works\n" || texts[1] == texts[0] || texts[2] != texts[1] || texts[3] == texts[2] {
			t.Errorf("checkpoints:\n%s", strings.Join(texts, "\n"))
		}
	})
}

func TestALedgerWhoseNameIsNoLineGivesNoCheckpoint(t *testing.T) {
	l := open(t, databases(t)["sqlite"], Config{Name: "two\nlines"})
	if _, err := l.Checkpoint(t.Context()); !errors.Is(err, fault.InvalidRequest) {
		t.Errorf("error: %v", err)
	}
}

func FuzzACheckpointHasOneReading(f *testing.F) {
	f.Add("gapless\ngraz 1 1 " + hashA + "\n")
	f.Add("gapless\n- 3 0 " + hashB + "\n%2D 1 9 " + hashA + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		c, err := ParseCheckpoint(text)
		if err == nil && c.Text() != text {
			t.Errorf("%q is written back as %q", text, c.Text())
		}
	})
}
