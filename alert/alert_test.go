package alert_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/alert"
	"github.com/gapless/gapless/catalog"
)

// secrets are those of the tests.
func secrets(ref catalog.SecretRef) (string, error) {
	known := map[catalog.SecretRef]string{"env:HOOK": "hunter2", "env:MAIL": "swordfish"}
	if s, ok := known[ref]; ok {
		return s, nil
	}
	if path, ok := strings.CutPrefix(string(ref), "file:"); ok {
		text, err := os.ReadFile(path)
		return string(text), err
	}
	return "", errors.New(string(ref) + ": the variable is not set")
}

func opened(t *testing.T, text string) *alert.Outlets {
	t.Helper()
	o, err := alert.Open([]byte(text), secrets, time.Now)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

func channel(t *testing.T, text string) alert.Channel {
	t.Helper()
	c, err := opened(t, "channels: {c: "+text+"}").Channel("c")
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// started is a notice as a hub makes it.
func started() alert.Notice {
	return alert.Notice{
		ID: "a1", Kind: alert.Started, Group: "graz/erp/command/receive-goods/period_closed", Plant: "graz", System: "erp", Reason: "period_closed", Class: "business",
		Title: "posting period is closed", Count: 12, Effect: "receive-goods not done for 12 lots, good 4,200 kg", Remedy: "Have the period opened.", Owners: []string{"quality"},
		Since: "2026-03-02T08:00:00Z", At: "2026-03-02T08:00:01Z", Link: "https://hub.example.com/g",
	}
}

func TestAMessageSaysWhatItIsAbout(t *testing.T) {
	m := alert.Message{ID: "m1", Notices: []alert.Notice{started()}}
	if diff := cmp.Diff("[gapless] graz, erp: posting period is closed stands (12)", m.Subject()); diff != "" {
		t.Error(diff)
	}
	want := `graz, erp: posting period is closed stands (12)
  at stake: receive-goods not done for 12 lots, good 4,200 kg
  what to do: Have the period opened.
  for: quality
  since: 2026-03-02T08:00:00Z
  group: graz/erp/command/receive-goods/period_closed
  open it: https://hub.example.com/g
  alert: a1
`
	if diff := cmp.Diff(want, m.Text()); diff != "" {
		t.Error(diff)
	}
	for range 60 {
		m.Notices = append(m.Notices, started())
	}
	if diff := cmp.Diff("[gapless] 61 alerts about 1 groups", m.Subject()); diff != "" {
		t.Error(diff)
	}
	if text := m.Text(); !strings.HasSuffix(text, "and 11 more: gapless alerts list\n") || strings.Count(text, "what to do") != 50 {
		t.Errorf("a long text:\n%s", text)
	}
}

// What a system calls something becomes neither a header nor a line of its own.
func TestNamesAreOneLine(t *testing.T) {
	n := started()
	n.System, n.Effect, n.Title = "erp\r\nBcc: eve@example.com", "a\x1b[31mred\nline", strings.Repeat("long ", 100)
	m := alert.Message{ID: "m1", Notices: []alert.Notice{n}}
	if s := m.Subject(); strings.ContainsAny(s, "\r\n\x1b") || len([]rune(s)) > 150 {
		t.Errorf("%q", s)
	}
	for line := range strings.SplitSeq(m.Text(), "\n") {
		if strings.HasPrefix(line, "Bcc") || strings.HasPrefix(line, "line") || strings.Contains(line, "\x1b") {
			t.Errorf("%q", line)
		}
	}
}

func TestAFileThatIsNotInOrderIsToldInFull(t *testing.T) {
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"an unknown key and more":   {"chanels: {}\nroutes: [{}]", []string{"line 1: there is no key chanels", "routes[0]: to is missing"}},
		"a channel without keys":    {"channels: {c: }", []string{`channel "c"`}},
		"a channel that is none":    {"channels: {c: 5}", []string{"line 1: `5` has another form than docs/alerts.md shows"}},
		"an unknown kind":           {"channels: {c: {kind: sms}}", []string{`channel "c": kind "sms": write file, webhook or smtp`}},
		"a bad name":                {"channels: {\"C c\": {kind: file, path: x}}", []string{"letters, digits and hyphens"}},
		"a file without a path":     {"channels: {c: {kind: file}}", []string{"path is missing"}},
		"http to elsewhere":         {"channels: {c: {kind: webhook, url: \"http://example.com\", secret: env:HOOK}}", []string{"only https leaves this machine"}},
		"a webhook without secret":  {"channels: {c: {kind: webhook, url: \"https://example.com\"}}", []string{"secret is missing"}},
		"a secret itself":           {"channels: {c: {kind: webhook, url: \"https://example.com\", secret: hunter2}}", []string{"no reference to a secret"}},
		"a secret that is not set":  {"channels: {c: {kind: webhook, url: \"https://example.com\", secret: env:NONE}}", []string{"env:NONE: the variable is not set"}},
		"a server without port":     {"channels: {c: {kind: smtp, server: mail, from: a@b, to: [c@d]}}", []string{"server: write host:port"}},
		"nobody to write to":        {"channels: {c: {kind: smtp, server: \"mail:25\", from: a@b}}", []string{"to is missing"}},
		"an address that is none":   {"channels: {c: {kind: smtp, server: \"mail:25\", from: a@b, to: [anna]}}", []string{`"anna" is no address`}},
		"a header in an address":    {"channels: {c: {kind: smtp, server: \"mail:25\", from: a@b, to: [\"c@d\\r\\nBcc: e@f\"]}}", []string{"is no address"}},
		"a user without password":   {"channels: {c: {kind: smtp, server: \"mail:25\", from: a@b, to: [c@d], user: u}}", []string{"user and password go together"}},
		"no tls to elsewhere":       {"channels: {c: {kind: smtp, server: \"mail:25\", from: a@b, to: [c@d], tls: none}}", []string{"on this machine alone"}},
		"another tls":               {"channels: {c: {kind: smtp, server: \"mail:25\", from: a@b, to: [c@d], tls: ssl}}", []string{`tls "ssl"`}},
		"a long timeout":            {"channels: {c: {kind: webhook, timeout: 1h, url: \"https://example.com\", secret: env:HOOK}}", []string{`timeout "1h"`}},
		"a ca that holds none":      {"channels: {c: {kind: webhook, url: \"https://example.com\", secret: env:HOOK, ca: env:MAIL}}", []string{"holds no certificate"}},
		"a quiet time that is none": {"quiet: soon", []string{`quiet "soon"`}},
		"a link without the group":  {"link: https://hub.example.com", []string{"with {group} in it"}},
		"routes": {"routes: [{reason: nothing}, {class: bad, to: [c]}, {kinds: [began], to: [c]}]", []string{
			"routes[0]: to is missing", `routes[0]: "nothing" is no reason`, `routes[1]: there is no channel "c"`, `routes[1]: "bad" is no class`, `routes[2]: "began" is no kind`,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := alert.Open([]byte(test.text), secrets, time.Now)
			if err == nil {
				t.Fatal("it opens")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("want %q in: %v", want, err)
				}
			}
			if strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "swordfish") {
				t.Errorf("a secret is told: %v", err)
			}
		})
	}
	if o := opened(t, ""); o.Quiet() != 15*time.Minute || len(o.Channels()) != 0 {
		t.Errorf("an empty file: %+v", o)
	}
}

func TestEveryRouteThatTakesANoticeAddsItsChannels(t *testing.T) {
	o := opened(t, `
link: "https://hub.example.com/queue?group={group}"
channels: {a: {kind: file, path: a}, b: {kind: file, path: b}, c: {kind: file, path: c}}
routes:
  - {owner: quality, to: [a]}
  - {plant: graz, class: business, kinds: [started, ended], to: [b, a]}
  - {reason: open_hold, to: [c]}
  - {owner: heads, to: [c]}
`)
	for name, test := range map[string]struct {
		change func(*alert.Notice)
		want   string
	}{
		"two routes":          {func(*alert.Notice) {}, "a b"},
		"another kind":        {func(n *alert.Notice) { n.Kind = alert.Grew }, "a"},
		"another plant":       {func(n *alert.Notice) { n.Plant = "linz" }, "a"},
		"nobody's":            {func(n *alert.Notice) { n.Plant, n.Owners = "linz", []string{"stores"} }, ""},
		"to whom it goes now": {func(n *alert.Notice) { n.Kind, n.To = alert.Escalated, "heads" }, "a c"},
		"by reason":           {func(n *alert.Notice) { n.Reason, n.Owners, n.Plant = "open_hold", nil, "" }, "c"},
	} {
		t.Run(name, func(t *testing.T) {
			n := started()
			test.change(&n)
			if got := strings.Join(o.Route(&n), " "); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
	if got := o.Link("graz/erp/command/a b/c"); got != "https://hub.example.com/queue?group=graz%2Ferp%2Fcommand%2Fa+b%2Fc" {
		t.Error(got)
	}
	if got := opened(t, "").Link("g"); got != "gapless exceptions show g" {
		t.Error(got)
	}
}

// A full disk or a crash may leave half a line.
func TestALineBehindHalfOfOneStandsByItself(t *testing.T) {
	path := filepath.Join(t.TempDir(), "told.jsonl")
	if err := os.WriteFile(path, []byte(`{"message":"m0","id":"a`), 0o600); err != nil {
		t.Fatal(err)
	}
	c := channel(t, "{kind: file, path: "+path+"}")
	for _, id := range []string{"m1", "m2"} {
		if err := c.Send(t.Context(), &alert.Message{ID: id, Notices: []alert.Notice{started()}}); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	if len(lines) != 3 || !json.Valid([]byte(lines[1])) || !json.Valid([]byte(lines[2])) {
		t.Errorf("%q", lines)
	}
}

func TestAFileGetsALineForEachNotice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "told.jsonl")
	c := channel(t, "{kind: file, path: "+path+"}")
	for _, m := range []alert.Message{{ID: "m1", Notices: []alert.Notice{started()}}, {ID: "m2", Notices: []alert.Notice{started(), started()}}} {
		if err := c.Send(t.Context(), &m); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var messages []string
	for line := range strings.Lines(string(text)) {
		var got struct {
			Message string `json:"message"`
			alert.Notice
		}
		if err := json.Unmarshal([]byte(line), &got); err != nil {
			t.Fatal(err)
		}
		messages = append(messages, got.Message)
		if diff := cmp.Diff(started(), got.Notice); diff != "" {
			t.Error(diff)
		}
	}
	if diff := cmp.Diff([]string{"m1", "m2", "m2"}, messages); diff != "" {
		t.Error(diff)
	}
}

// receiver is a webhook's other end.
type receiver struct {
	status   int
	location string
	bodies   [][]byte
	headers  []http.Header
}

func (r *receiver) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	body, _ := io.ReadAll(q.Body)
	r.bodies, r.headers = append(r.bodies, body), append(r.headers, q.Header)
	if r.location != "" {
		w.Header().Set("Location", r.location)
	}
	w.WriteHeader(r.status)
}

func TestAWebhookIsSignedAndOnlyA2xxHasTakenIt(t *testing.T) {
	r := &receiver{status: http.StatusNoContent}
	server := httptest.NewServer(r)
	defer server.Close()
	c := channel(t, "{kind: webhook, url: \""+server.URL+"/hook?token=abc\", secret: env:HOOK}")
	m := alert.Message{ID: "m1", Notices: []alert.Notice{started()}}
	if err := c.Send(t.Context(), &m); err != nil {
		t.Fatal(err)
	}
	var got alert.Message
	if err := json.Unmarshal(r.bodies[0], &got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(m, got); diff != "" {
		t.Error(diff)
	}
	signature := r.headers[0].Get(alert.SignatureHeader)
	seconds, _, _ := strings.Cut(strings.TrimPrefix(signature, "t="), ",")
	if want := alert.Sign([]byte("hunter2"), r.bodies[0], unix(t, seconds)); signature != want || r.headers[0].Get(alert.MessageHeader) != "m1" {
		t.Errorf("signature %s, want %s; headers %v", signature, want, r.headers[0])
	}
	elsewhere := &receiver{status: http.StatusOK}
	other := httptest.NewServer(elsewhere)
	defer other.Close()
	for _, test := range []struct {
		status   int
		location string
	}{{http.StatusInternalServerError, ""}, {http.StatusNotFound, ""}, {http.StatusTemporaryRedirect, other.URL}, {http.StatusFound, other.URL}} {
		r.status, r.location = test.status, test.location
		err := c.Send(t.Context(), &m)
		if err == nil || strings.Contains(err.Error(), "abc") || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%d: %v", test.status, err)
		}
	}
	if len(elsewhere.bodies) != 0 {
		t.Error("a redirect was followed")
	}
	server.Close()
	if err := c.Send(t.Context(), &m); err == nil || strings.Contains(err.Error(), "abc") {
		t.Errorf("a receiver that is down: %v", err)
	}
}

func TestAWebhookDoesNotWaitForEver(t *testing.T) {
	release := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release }))
	defer server.Close()
	defer close(release)
	c := channel(t, "{kind: webhook, url: \""+server.URL+"\", secret: env:HOOK, timeout: 50ms}")
	if err := c.Send(t.Context(), &alert.Message{ID: "m1"}); err == nil {
		t.Error("it was taken")
	}
}

// Over TLS only a server with a certificate of those that are trusted is told.
func TestAWebhookTrustsTheCertificatesThatItIsGiven(t *testing.T) {
	r := &receiver{status: http.StatusOK}
	server := httptest.NewTLSServer(r)
	defer server.Close()
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pemOf(server.Certificate().Raw), 0o600); err != nil {
		t.Fatal(err)
	}
	m := alert.Message{ID: "m1", Notices: []alert.Notice{started()}}
	if err := channel(t, "{kind: webhook, url: \""+server.URL+"\", secret: env:HOOK}").Send(t.Context(), &m); err == nil || len(r.bodies) != 0 {
		t.Errorf("a stranger was told: %v", err)
	}
	if err := channel(t, "{kind: webhook, url: \""+server.URL+"\", secret: env:HOOK, ca: \"file:"+ca+"\"}").Send(t.Context(), &m); err != nil || len(r.bodies) != 1 {
		t.Errorf("%v", err)
	}
}
