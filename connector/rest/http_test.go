package rest_test

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/connector/connectortest"
	"github.com/gapless/gapless/connector/rest"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/mapping"
)

// attempt is a first attempt that is in time.
func attempt(server *connectortest.Server, n int) connector.Command {
	cmd := command(fmt.Sprintf("%064x", n))
	cmd.Attempt, cmd.FirstSent, cmd.SendBefore = 1, server.Now(), server.Now().Add(time.Minute)
	return cmd
}

func TestARequestIsNeverWrittenASecondTime(t *testing.T) {
	server, system := open(t, connector.Findable, false, nil)
	if _, err := system.Perform(t.Context(), attempt(server, 1)); err != nil {
		t.Fatal(err) // and the connection is used again
	}
	server.Expect(connectortest.Performing, connectortest.LostAfter)
	_, err := system.Perform(t.Context(), attempt(server, 2)) // with a key that net/http takes as leave to repeat
	if err == nil || errors.Is(err, connector.ErrNotSent) || !errors.Is(err, fault.AnswerLost) {
		t.Error(err)
	}
	if n := server.Requests(connectortest.Performing); n != 2 {
		t.Errorf("%d requests came for two attempts", n)
	}
}

func TestNoRedirectIsFollowed(t *testing.T) {
	server, system := open(t, connector.Findable, false, nil)
	server.Expect(connectortest.Performing, connectortest.Redirect)
	if _, err := system.Perform(t.Context(), attempt(server, 1)); !errors.Is(err, fault.AnswerUnread) {
		t.Error(err)
	}
	if n := server.Requests(connectortest.Performing); n != 1 {
		t.Errorf("%d requests came", n)
	}
}

func TestALongAnswerIsReadNoFurtherThanTheLimit(t *testing.T) {
	server, system := open(t, connector.Findable, false, func(c *rest.Config) { c.Timeout = 10 * time.Second })
	server.Expect(connectortest.Performing, connectortest.Huge)
	if _, err := system.Perform(t.Context(), attempt(server, 1)); !errors.Is(err, fault.AnswerUnread) {
		t.Error(err)
	}
	server.Close() // the handler is done
	if n := server.Written(); n > 20<<20 {
		t.Errorf("%d bytes of 100 MB were taken", n)
	}
}

func TestWhatTheSystemRepeatsOfUsIsNotTold(t *testing.T) {
	server, system := open(t, connector.Findable, false, nil)
	server.Expect(connectortest.Performing, connectortest.Failing)
	_, err := system.Perform(t.Context(), attempt(server, 1))
	if err == nil || !strings.Contains(err.Error(), "NullPointerException") || !strings.Contains(err.Error(), "(secret)") {
		t.Error(err)
	}
}

func TestASecretIsNotToldInAnyFormInWhichASystemRepeatsIt(t *testing.T) {
	const secret = `s3cr3t/"<with>+signs???` // whose credentials have a slash
	base := base64.StdEncoding.EncodeToString([]byte("gapless:" + secret))
	escaped := strings.NewReplacer("/", `\/`, `"`, `\"`)
	for name, repeated := range map[string]string{
		"in JSON": escaped.Replace(secret), "in JSON for pages": `s3cr3t/\"\u003cwith\u003e+signs???`, "in an address": url.QueryEscape(secret), "in a path": url.PathEscape(secret), "on a page": html.EscapeString(secret),
		"as credentials": base, "as credentials in JSON": escaped.Replace(base), "as credentials in an address": url.QueryEscape(base),
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(http.StatusBadRequest)
			_, _ = w.Write([]byte(`{"refused": "` + repeated + `"}`))
		}))
		t.Cleanup(server.Close)
		system, err := rest.New(rest.Config{
			URL: server.URL, Traits: connector.Traits{Class: connector.Blind}, Auth: rest.Auth{Kind: rest.BasicAuth, User: "gapless", Secret: secret},
			Commands: map[string]*mapping.Command{"ping": ping(t)},
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(system.Close)
		outcome, err := system.Perform(t.Context(), connector.Command{Name: "ping", Request: map[string]any{"path": "/a"}, SendBefore: time.Now().Add(time.Minute)})
		if err != nil || outcome.Text != `{"refused": "(secret)"}` {
			t.Errorf("%s: %q, %v", name, outcome.Text, err)
		}
	}
}

func TestACertificateThatNobodyHasSignedIsNotTalkedTo(t *testing.T) {
	server, system := open(t, connector.Findable, true, func(c *rest.Config) { c.Roots = nil })
	if _, err := system.Perform(t.Context(), attempt(server, 1)); !errors.Is(err, connector.ErrNotSent) || !strings.Contains(err.Error(), "certificate") {
		t.Error(err)
	}
	if n := server.Requests(connectortest.Performing); n != 0 {
		t.Errorf("%d requests came", n)
	}
}

// A desk gives out tokens and stands before a Server, which it shields.
type desk struct {
	*httptest.Server
	mu       sync.Mutex
	given    int
	valid    string // the one token that is let in
	refuses  bool
	asking   func() // called when a token is asked for
	requests atomic.Int32
}

func newDesk(t *testing.T, behind http.Handler) *desk {
	t.Helper()
	d := &desk{}
	d.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			d.token(w, r)
			return
		}
		d.requests.Add(1)
		d.mu.Lock()
		letIn := r.Header.Get("Authorization") == "Bearer "+d.valid
		d.mu.Unlock()
		if !letIn {
			http.Error(w, "no: "+r.Header.Get("Authorization"), http.StatusUnauthorized)
			return
		}
		behind.ServeHTTP(w, r)
	}))
	t.Cleanup(d.Close)
	return d
}

func (d *desk) token(w http.ResponseWriter, r *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.asking != nil {
		d.asking()
	}
	user, password, _ := r.BasicAuth()
	if plain, _ := url.QueryUnescape(password); user != "hub" || plain != secret || d.refuses {
		http.Error(w, `{"error": "invalid_client", "error_description": "not `+password+`"}`, http.StatusUnauthorized)
		return
	}
	d.given++
	d.valid = fmt.Sprintf("token-%d", d.given)
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"access_token": d.valid, "token_type": "bearer", "expires_in": 600})
}

func (d *desk) with(change func(*desk)) {
	d.mu.Lock()
	defer d.mu.Unlock()
	change(d)
}

// openDesk is open with tokens.
func openDesk(t *testing.T, answers ...mapping.AnswerRule) (*desk, *connectortest.Server, *rest.System) {
	t.Helper()
	server := connectortest.NewServer(t, connector.Findable, false)
	d := newDesk(t, server)
	rules, err := mapping.CompileAnswers(answers, "answers", mapping.PerformOutcomes())
	if err != nil {
		t.Fatal(err)
	}
	system, err := rest.New(rest.Config{
		URL: d.URL, Traits: traits(connector.Findable), Timeout: 5 * time.Second, Now: server.Now,
		Auth:     rest.Auth{Kind: rest.ClientCredentials, ClientID: "hub", TokenURL: d.URL + "/token", Secret: secret},
		Commands: map[string]*mapping.Command{"receive-goods": receiveGoods(t)}, Answers: rules,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(system.Close)
	return d, server, system
}

func TestATokenIsKeptUntilItExpires(t *testing.T) {
	d, server, system := openDesk(t)
	var all sync.WaitGroup
	for i := range 10 {
		all.Go(func() {
			if _, err := system.Perform(t.Context(), attempt(server, i)); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if d.given != 1 {
		t.Errorf("%d tokens for ten commands", d.given)
	}
	server.Advance(595 * time.Second)
	if _, err := system.Perform(t.Context(), attempt(server, 11)); err != nil || d.given != 2 {
		t.Errorf("%d tokens, %v", d.given, err)
	}
}

func TestATokenThatIsNotAcceptedAnyMoreIsRenewedOnce(t *testing.T) {
	d, server, system := openDesk(t)
	if _, err := system.Perform(t.Context(), attempt(server, 1)); err != nil {
		t.Fatal(err)
	}
	d.with(func(d *desk) { d.valid = "none" })
	if _, err := system.Perform(t.Context(), attempt(server, 2)); err != nil || d.given != 2 {
		t.Errorf("%d tokens, %v", d.given, err)
	}
	if n := d.requests.Load(); n != 3 {
		t.Errorf("%d requests for two commands and one that was not let in", n)
	}
}

func TestATokenThatIsNotAcceptedIsNotRenewedWhereThatMayHaveBeenDone(t *testing.T) {
	d, server, system := openDesk(t, mapping.AnswerRule{When: "this.status == 401", Outcome: "unknown"}) // as of a system that loses a session in the middle
	if _, err := system.Perform(t.Context(), attempt(server, 1)); err != nil {
		t.Fatal(err)
	}
	d.with(func(d *desk) { d.valid = "none" })
	if _, err := system.Perform(t.Context(), attempt(server, 2)); err == nil || errors.Is(err, connector.ErrNotSent) {
		t.Error(err)
	}
	if n := d.requests.Load(); n != 2 {
		t.Errorf("%d requests for two attempts", n)
	}
	if _, err := system.Perform(t.Context(), attempt(server, 3)); err != nil {
		t.Errorf("with a new token: %v", err)
	}
}

func TestCredentialsThatAreRefusedSendNothing(t *testing.T) {
	d, server, system := openDesk(t)
	d.with(func(d *desk) { d.refuses = true })
	before := d.requests.Load()
	_, err := system.Perform(t.Context(), attempt(server, 3))
	if !errors.Is(err, connector.ErrNotSent) || !errors.Is(err, fault.CredentialsRefused) || strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "s3cr3t") {
		t.Error(err)
	}
	if d.requests.Load() != before {
		t.Error("a request was sent without a token")
	}
}

func TestWhatBecomesTooLateWhileATokenIsFetchedIsNotSent(t *testing.T) {
	d, server, system := openDesk(t)
	d.with(func(d *desk) { d.asking = func() { server.Advance(2 * time.Minute) } })
	if _, err := system.Perform(t.Context(), attempt(server, 1)); !errors.Is(err, connector.ErrTooLate) {
		t.Error(err)
	}
	if n := d.requests.Load(); n != 0 {
		t.Errorf("%d requests came", n)
	}
}

func TestWithoutATokenServerNothingIsDone(t *testing.T) {
	d, server, system := openDesk(t)
	d.Close()
	if _, err := system.Perform(t.Context(), attempt(server, 1)); !errors.Is(err, connector.ErrNotSent) || !errors.Is(err, fault.SystemDown) {
		t.Error(err)
	}
	if _, err := system.Find(t.Context(), attempt(server, 1)); err == nil || errors.Is(err, connector.ErrNotSent) {
		t.Errorf("finding: %v", err)
	}
}

func TestTheHubSaysWhoItIs(t *testing.T) {
	for name, c := range map[string]struct {
		auth   rest.Auth
		header string
		want   string
	}{
		"not at all":      {rest.Auth{}, "Authorization", ""},
		"by a key":        {rest.Auth{Kind: rest.KeyAuth, Header: "X-Api-Key", Secret: "k"}, "X-Api-Key", "k"},
		"by a bearer key": {rest.Auth{Kind: rest.KeyAuth, Secret: "k"}, "Authorization", "Bearer k"},
		"by a password":   {rest.Auth{Kind: rest.BasicAuth, User: "u", Secret: "p"}, "Authorization", "Basic dTpw"},
	} {
		t.Run(name, func(t *testing.T) {
			var got, path string
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				got, path = r.Header.Get(c.header), r.URL.Path
				w.WriteHeader(http.StatusNoContent)
			}))
			t.Cleanup(server.Close)
			system, err := rest.New(rest.Config{
				URL: server.URL + "/base/", Traits: connector.Traits{Class: connector.Blind}, Auth: c.auth,
				Commands: map[string]*mapping.Command{"ping": ping(t)},
			})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(system.Close)
			outcome, err := system.Perform(t.Context(), connector.Command{Name: "ping", Request: map[string]any{"path": "/a"}, SendBefore: time.Now().Add(time.Minute)})
			if err != nil || outcome.Status != connector.Applied || got != c.want || path != "/base/a" {
				t.Errorf("%s %q at %s, %v", outcome.Status, got, path, err)
			}
			if finding, err := system.Find(t.Context(), connector.Command{Name: "ping"}); err != nil || finding.Status != connector.Undecided {
				t.Errorf("%s, %v", finding.Status, err)
			}
		})
	}
}

func ping(t *testing.T) *mapping.Command {
	t.Helper()
	command, err := mapping.CompileCommand(mapping.CommandDefinition{Command: "ping", System: "erp", Request: `root.path = "/a"`}, mapping.Environment{})
	if err != nil {
		t.Fatal(err)
	}
	return command
}

func TestACommandThatCannotBeSentIsNotSent(t *testing.T) {
	server, system := open(t, connector.Keyed, false, nil)
	for name, change := range map[string]func(*connector.Command){
		"no mapping":             func(c *connector.Command) { c.Name = "dance" },
		"another host":           func(c *connector.Command) { c.Request["path"] = "//evil.example.com/postings" },
		"out of the base":        func(c *connector.Command) { c.Request["path"] = "/a/../../admin" },
		"out of it, encoded":     func(c *connector.Command) { c.Request["path"] = []any{"..", "admin"} },
		"a query in the path":    func(c *connector.Command) { c.Request["path"] = "/postings?all=true" },
		"our credentials":        func(c *connector.Command) { c.Request["headers"] = map[string]any{"authorization": "Bearer x"} },
		"another header":         func(c *connector.Command) { c.Request["headers"] = map[string]any{"X": "a\r\nY: b"} },
		"a method of its own":    func(c *connector.Command) { c.Request["method"] = "CONNECT" },
		"something unknown":      func(c *connector.Command) { c.Request["timeout"] = "1h" },
		"a query that is a text": func(c *connector.Command) { c.Request["query"] = "a=b" },
	} {
		cmd := attempt(server, 1)
		change(&cmd)
		if _, err := system.Perform(t.Context(), cmd); !errors.Is(err, connector.ErrNotSent) || !errors.Is(err, fault.NotSendable) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n := server.Requests(connectortest.Performing); n != 0 {
		t.Errorf("%d requests came", n)
	}
}

func TestAConfigurationThatCannotBeMeantIsRefusedAsAWhole(t *testing.T) {
	_, err := rest.New(rest.Config{
		URL: "https://user:s3cr3t@erp.example.com", Traits: connector.Traits{Class: connector.Findable}, Timeout: -1,
		Auth: rest.Auth{Kind: rest.ClientCredentials, Secret: secret}, Commands: map[string]*mapping.Command{"ping": ping(t)},
	})
	if err == nil {
		t.Fatal("it is taken")
	}
	for _, part := range []string{"account", "settles", "more than zero", "client-id", "token-url", "command ping"} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("%v does not tell of %s", err, part)
		}
	}
	if strings.Contains(err.Error(), "s3cr3t") {
		t.Error("a secret is told")
	}
}
