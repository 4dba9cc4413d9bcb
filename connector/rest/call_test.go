package rest

import (
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestAWaitIsReadAsSecondsOrAsADate(t *testing.T) {
	now := time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "3": 3 * time.Second, " 120 ": 2 * time.Minute, "Mon, 02 Mar 2026 06:00:30 GMT": 30 * time.Second,
		"Mon, 02 Mar 2026 05:00:00 GMT": 0, "-3": 0, "soon": 0, "99999999999999999999": 0,
	} {
		if got := waitOf(text, now); got != want {
			t.Errorf("%q: %s, want %s", text, got, want)
		}
	}
}

func TestSegmentsAreEncodedAndTextsAreNot(t *testing.T) {
	for _, c := range []struct {
		value any
		want  string
	}{
		{"/a/b%20c", "/a/b%20c"},
		{"/a/b c", "/a/b%20c"},
		{[]any{"lots", "A/B 1", "ü?"}, "/lots/A%2FB%201/%C3%BC%3F"},
	} {
		if got, err := pathOf(c.value); err != nil || got != c.want {
			t.Errorf("%v: %s, %v", c.value, got, err)
		}
	}
}

// FuzzNoPathLeadsOut holds that whatever data a path is made of, the address
// stays below the base.
func FuzzNoPathLeadsOut(f *testing.F) {
	for _, seed := range []string{"/a", "//b", "/../x", "/%2e%2e/x", "/a?b", "/a#b", "http://c", "/\\d", "/a/%2F", "", "/%00", "/;/../"} {
		f.Add(seed, true)
		f.Add(seed, false)
	}
	f.Fuzz(func(t *testing.T, text string, list bool) {
		var value any = text
		if list {
			value = []any{"lots", text}
		}
		path, err := pathOf(value)
		if err != nil {
			return
		}
		u, err := url.Parse("https://erp.example.com/base" + path)
		if err != nil {
			t.Fatalf("%q gives %q: %v", text, path, err)
		}
		clean := u.JoinPath()
		if u.Host != "erp.example.com" || u.RawQuery != "" || u.Fragment != "" || !strings.HasPrefix(clean.EscapedPath(), "/base/") {
			t.Errorf("%q gives %s", text, u)
		}
		if list {
			segments := strings.Split(u.EscapedPath(), "/")
			if plain, err := url.PathUnescape(segments[len(segments)-1]); err != nil || plain != text || len(segments) != 4 {
				t.Errorf("%q gives the segment %q of %v", text, plain, segments)
			}
		}
	})
}
