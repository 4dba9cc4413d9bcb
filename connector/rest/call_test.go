package rest

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/mapping"
)

func TestAWaitIsReadAsSecondsOrAsADate(t *testing.T) {
	now := time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)
	for text, want := range map[string]time.Duration{
		"": 0, "3": 3 * time.Second, " 120 ": 2 * time.Minute, "Mon, 02 Mar 2026 06:00:30 GMT": 30 * time.Second,
		"Mon, 02 Mar 2026 05:00:00 GMT": 0, "-3": 0, "soon": 0,
		"4294967296": longestWait, "99999999999999999999": longestWait,
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

// FuzzNoAnswerIsTakenForMore holds that whatever comes back, a command is called
// applied only by an answer that a rule describes, and absent only in JSON.
func FuzzNoAnswerIsTakenForMore(f *testing.F) {
	command, err := mapping.CompileCommand(mapping.CommandDefinition{
		Command: "post", System: "erp", Request: "root.body = this.key", Find: "root.query.key = this.key",
		Answers: []mapping.AnswerRule{{When: "this.status == 201", Outcome: "applied", Documents: `{"number": this.body.number}`, Text: "this.body.text"}},
		Found: []mapping.AnswerRule{
			{When: "this.body.list.length() > 0", Outcome: "applied", Documents: "this.body.list"},
			{When: "this.status == 200", Outcome: "absent"},
		},
	}, mapping.Environment{})
	if err != nil {
		f.Fatal(err)
	}
	traits := connector.Traits{Class: connector.Keyed, KeyCarrier: "key"}
	s, err := New(Config{URL: "http://127.0.0.1", Traits: traits, Commands: map[string]*mapping.Command{"post": command}})
	if err != nil {
		f.Fatal(err)
	}
	for _, seed := range []string{"", "{}", `{"number": "1"}`, `{"number": 1, "text": "x"}`, `{"list": [{"number": "1"}]}`, `{"list": []}`, "<html>", "\xff", `{"number": {}}`, `{"list": "a"}`, `{"text": "` + strings.Repeat("ü", 3000) + `", "number": 1}`} {
		for _, status := range []int{200, 201, 204, 302, 401, 404, 422, 429, 500} {
			f.Add(status, []byte(seed))
		}
	}
	f.Fuzz(func(t *testing.T, status int, body []byte) {
		a := s.answerOf(&http.Response{StatusCode: status, Header: http.Header{}}, body)
		judged, err := command.Judge(a.seen(), nil)
		if err == nil {
			outcome, err := s.outcome("test", a, judged)
			if err == nil && outcome.Check() != nil {
				t.Errorf("%d %q: %v", status, body, outcome.Check())
			}
			if object, _ := a.body.(map[string]any); outcome.Status == connector.Applied && (status != 201 || object["number"] == nil) {
				t.Errorf("%d %q is applied", status, body)
			}
		}
		if judged, err = command.JudgeFound(a.seen()); err != nil {
			return
		}
		finding, err := s.finding("test", connector.Command{}, time.Time{}, a, judged)
		if err == nil && finding.Check() != nil {
			t.Errorf("%d %q: %v", status, body, finding.Check())
		}
		if finding.Status == connector.Absent && a.body == nil {
			t.Errorf("%d %q is absent", status, body)
		}
	})
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
