package tryton

import (
	"bytes"
	"cmp"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/connector/guard"
	"github.com/gapless/gapless/fault"
)

// What stands where a ClientConfig says nothing.
const (
	DefaultTimeout = time.Minute
	DefaultLimit   = 16 << 20
	language       = "en" // texts of refusals are told apart in English
)

// Pauses after a log-in that was not accepted. The ERP locks an account for five
// minutes after six wrong passwords within five minutes: one try in ten never
// gets there.
const (
	pauseAfterWrongPassword = 10 * time.Minute
	pauseAfterTooMany       = 5 * time.Minute
)

// ClientConfig says how one database of a Tryton server is reached.
type ClientConfig struct {
	URL      string // "http://127.0.0.1:8000"; the database's name goes behind it
	Database string
	User     string
	Password string
	Timeout  time.Duration    // of a call, with the log-in that it may need; 0 is DefaultTimeout
	Limit    int              // of an answer, in bytes; 0 is DefaultLimit
	Roots    *x509.CertPool   // that sign the server's certificate; nil is those of the machine
	Now      func() time.Time // nil is time.Now
}

// A Client calls methods of a Tryton server by JSON-RPC. It logs in by itself, at
// the first call and once more where the server knows its session no longer. It
// is safe for use by several goroutines.
//
// An error of a call is one of three: a *Refusal, with which the server has
// answered and rolled back what the call did; a connector.ErrNotSent, where
// nothing was done; anything else, where nobody knows. All carry a fault.
type Client struct {
	config    ClientConfig
	address   string
	transport *guard.Transport
	id        atomic.Int64

	turn chan struct{} // held by who logs in

	mu      sync.Mutex
	session session
	pause   time.Time // no log-in before
	paused  error     // why
}

// A session is what a log-in has given.
type session struct {
	header  string         // of Authorization; "" before the first log-in
	context map[string]any // company and language, which every call needs
}

// NewClient checks the configuration and makes a Client. It calls nobody yet. The
// error names everything that is wrong, and no secret.
func NewClient(c ClientConfig) (*Client, error) {
	c.Timeout, c.Limit = cmp.Or(c.Timeout, DefaultTimeout), cmp.Or(c.Limit, DefaultLimit)
	if c.Now == nil {
		c.Now = time.Now
	}
	var wrong []error
	u, err := url.Parse(c.URL)
	switch {
	case err != nil:
		wrong = append(wrong, errors.New("the address cannot be read"))
	case u.Scheme != "http" && u.Scheme != "https" || u.Host == "":
		wrong = append(wrong, errors.New("an address begins with https:// and a host"))
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		wrong = append(wrong, errors.New("an address is without account, query and fragment"))
	}
	for _, needed := range []struct{ name, value string }{{"database", c.Database}, {"user", c.User}, {"password", c.Password}} {
		if needed.value == "" {
			wrong = append(wrong, fmt.Errorf("the %s is missing", needed.name))
		}
	}
	if c.Timeout < 0 || c.Limit < 0 {
		wrong = append(wrong, errors.New("timeout and limit are more than zero"))
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, fmt.Errorf("tryton.NewClient: %w", err)
	}
	return &Client{
		config: c, address: strings.TrimSuffix(c.URL, "/") + "/" + url.PathEscape(c.Database) + "/", // with the slash: a redirect is not followed
		transport: guard.NewTransport(c.Roots), turn: make(chan struct{}, 1),
	}, nil
}

// Close lets go of connections that are not in use. The session stays at the
// server until it expires there.
func (c *Client) Close() { c.transport.CloseIdleConnections() }

// A Call is one method of the server and what it is given.
type Call struct {
	Method  string         // "model.production.search_read"
	Args    []any          // without the context, which the Client adds
	Context map[string]any // beside company and language; nil for nothing
	// InTime is asked right before the request is written: see connector.Command. Nil
	// is always in time.
	InTime func(now time.Time) error
}

// Do calls a method and decodes its result into out, with numbers as json.Number
// where out leaves that open; nil throws the result away. One call is one
// transaction of the server.
func (c *Client) Do(ctx context.Context, call Call, out any) error {
	if ctx.Err() != nil {
		return connector.NotSent(call.Method, fault.NotSentInTime, context.Cause(ctx))
	}
	ctx, cancel := context.WithTimeoutCause(ctx, c.config.Timeout, fmt.Errorf("no answer within %s", c.config.Timeout))
	defer cancel()
	var unknown string // the header of a session that the server does not know
	for {
		s, err := c.loggedIn(ctx, unknown)
		if err != nil {
			return err
		}
		result, err := c.rpc(ctx, call, s)
		if errors.Is(err, fault.SessionExpired) && unknown == "" {
			unknown = s.header
			continue
		}
		if err != nil || out == nil {
			return err
		}
		if err := decode(result, out); err != nil {
			return connector.Unknown(call.Method, fault.AnswerUnread, err)
		}
		return nil
	}
}

// decode reads one JSON value.
func decode(text []byte, out any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(out)
}

// loggedIn is the session of the next call: the one at hand, or a new one where
// there is none or where it is the one that the server does not know. Whoever
// comes meanwhile waits for it.
func (c *Client) loggedIn(ctx context.Context, unknown string) (session, error) {
	select {
	case c.turn <- struct{}{}:
		defer func() { <-c.turn }()
	case <-ctx.Done():
		return session{}, connector.NotSent("tryton.login", fault.NotSentInTime, context.Cause(ctx))
	}
	if c.session.header != "" && c.session.header != unknown {
		return c.session, nil
	}
	if wait := c.pause.Sub(c.config.Now()); wait > 0 {
		return session{}, &connector.WaitError{Wait: wait, Err: c.paused}
	}
	s, err := c.logIn(ctx)
	if err != nil {
		return session{}, c.noSession(ctx, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session = s
	return s, nil
}

// logIn opens a session and reads what context the user's calls need.
func (c *Client) logIn(ctx context.Context) (session, error) {
	var opened []any
	login := Call{Method: "common.db.login", Args: []any{c.config.User, map[string]any{"password": c.config.Password}, language}}
	if err := c.bare(ctx, login, session{}, &opened); err != nil {
		return session{}, err
	}
	if len(opened) != 2 {
		return session{}, errors.New("the answer to a log-in is no session")
	}
	key := fmt.Sprintf("%s:%v:%v", c.config.User, opened[0], opened[1])
	s := session{header: "Session " + base64.StdEncoding.EncodeToString([]byte(key))}
	c.learn(s) // before the next call can fail with it
	var preferences struct {
		Company *int64 `json:"company"`
	}
	read := Call{Method: "model.res.user.get_preferences", Args: []any{true, map[string]any{}}}
	if err := c.bare(ctx, read, s, &preferences); err != nil {
		return session{}, err
	}
	s.context = map[string]any{"language": language}
	if preferences.Company != nil {
		s.context["company"] = *preferences.Company
	}
	return s, nil
}

// learn keeps the session among what is secret.
func (c *Client) learn(s session) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.session.header = s.header
}

// bare calls a method with exactly its arguments.
func (c *Client) bare(ctx context.Context, call Call, s session, out any) error {
	result, err := c.send(ctx, call, s.header, call.Args)
	if err != nil {
		return err
	}
	return decode(result, out)
}

// noSession is the error where no session could be had: nothing was done. After
// credentials that were not accepted nobody logs in for some time.
func (c *Client) noSession(ctx context.Context, err error) error {
	const op = "tryton.login"
	c.mu.Lock()
	c.session = session{}
	c.mu.Unlock()
	told := errors.New(c.words(err.Error()))
	refused, _ := errors.AsType[*Refusal](err)
	wait := time.Duration(0)
	switch {
	case errors.Is(err, fault.SessionExpired), refused != nil && refused.kind == "LoginException":
		told, wait = errors.New("the server does not accept user and password; nobody logs in for "+pauseAfterWrongPassword.String()+", lest it locks the account"), pauseAfterWrongPassword
		err = connector.NotSent(op, fault.CredentialsRefused, told)
	case errors.Is(err, fault.RateLimited):
		wait = pauseAfterTooMany
		err = connector.NotSent(op, fault.RateLimited, told)
	case ctx.Err() != nil:
		err = connector.NotSent(op, fault.NotSentInTime, context.Cause(ctx))
	default:
		err = connector.NotSent(op, fault.SystemDown, told)
	}
	if wait == 0 {
		return err
	}
	c.pause, c.paused = c.config.Now().Add(wait), err
	return &connector.WaitError{Wait: wait, Err: err}
}

// rpc calls a method in a session.
func (c *Client) rpc(ctx context.Context, call Call, s session) (json.RawMessage, error) {
	full := maps.Clone(s.context)
	maps.Copy(full, call.Context)
	return c.send(ctx, call, s.header, append(append([]any(nil), call.Args...), full))
}

// send writes one request and reads its answer.
func (c *Client) send(ctx context.Context, call Call, header string, params []any) (json.RawMessage, error) {
	id := c.id.Add(1)
	body, err := json.Marshal(map[string]any{"id": id, "method": call.Method, "params": params}) // exactly these: it chooses the dialect
	if err != nil {
		return nil, connector.NotSent(call.Method, fault.NotSendable, err)
	}
	l := &guard.Leave{Check: call.InTime, Now: c.config.Now}
	if l.Check == nil {
		l.Check = func(time.Time) error { return nil }
	}
	req, err := http.NewRequestWithContext(l.Trace(ctx), http.MethodPost, c.address, bytes.NewReader(body))
	if err != nil {
		return nil, connector.NotSent(call.Method, fault.NotSendable, errors.New(c.words(err.Error())))
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "gapless")
	if header != "" {
		req.Header.Set("Authorization", header)
	}
	res, err := c.transport.RoundTrip(req)
	if err != nil {
		return nil, l.Failed(ctx, call.Method, err, c.words)
	}
	defer res.Body.Close() //nolint:errcheck // what is read is read
	text, err := io.ReadAll(io.LimitReader(res.Body, int64(c.config.Limit)+1))
	if err == nil && len(text) > c.config.Limit {
		err = guard.ErrTooMuch
	}
	if err != nil {
		return nil, l.Failed(ctx, call.Method, err, c.words)
	}
	return c.answer(call.Method, id, res, text)
}

// answer is the result of a call, or the error that an answer stands for.
func (c *Client) answer(op string, id int64, res *http.Response, text []byte) (json.RawMessage, error) {
	if res.StatusCode != http.StatusOK {
		return nil, c.status(op, res, text)
	}
	var a struct {
		ID     *int64            `json:"id"`
		Result json.RawMessage   `json:"result"`
		Error  []json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(text, &a); err != nil || a.ID == nil || *a.ID != id || a.Result == nil && a.Error == nil {
		return nil, connector.Unknown(op, fault.AnswerUnread, errors.New(c.told("the answer is none to this call", text)))
	}
	if a.Error != nil {
		return nil, c.refusal(op, a.Error)
	}
	return a.Result, nil
}

// status is the error that an HTTP status stands for. The server looks at the
// session, the path and the size before it does anything.
func (c *Client) status(op string, res *http.Response, text []byte) error {
	told := errors.New(c.told("the server answered "+strconv.Itoa(res.StatusCode)+" "+http.StatusText(res.StatusCode), text))
	switch res.StatusCode {
	case http.StatusUnauthorized:
		return connector.NotSent(op, fault.SessionExpired, told)
	case http.StatusTooManyRequests:
		wait := pauseAfterTooMany
		if seconds, err := strconv.ParseUint(res.Header.Get("Retry-After"), 10, 12); err == nil && seconds > 0 {
			wait = time.Duration(seconds) * time.Second
		}
		return &connector.WaitError{Wait: wait, Err: connector.NotSent(op, fault.RateLimited, told)}
	case http.StatusForbidden, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge:
		return connector.NotSent(op, fault.NotSendable, told)
	}
	if res.StatusCode >= http.StatusInternalServerError {
		return connector.Unknown(op, fault.AnswerLost, told)
	}
	return connector.Unknown(op, fault.AnswerUnread, told)
}

// told is an answer in a few words, for an error.
func (c *Client) told(what string, text []byte) string {
	words := c.words(string(text))
	if len(words) > 300 {
		words = strings.ToValidUTF8(words[:300], "") + "…"
	}
	return fmt.Sprintf("%s: %q", what, words)
}

// words are the server's own words as they may be kept: bounded, valid, and
// without what is secret.
func (c *Client) words(text string) string {
	c.mu.Lock()
	header := c.session.header
	c.mu.Unlock()
	key := ""
	if raw, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(header, "Session ")); err == nil {
		_, key, _ = strings.Cut(strings.TrimPrefix(string(raw), c.config.User+":"), ":")
	}
	return connector.Words(guard.Mask(text, c.config.Password, strings.TrimPrefix(header, "Session "), key))
}
