package rest

import (
	"context"
	"encoding/base64"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/connector/guard"
	"github.com/gapless/gapless/fault"
)

// An AuthKind is how the hub says who it is.
type AuthKind string

// The kinds.
const (
	NoAuth            AuthKind = "none"
	KeyAuth           AuthKind = "key"   // a secret in a header
	BasicAuth         AuthKind = "basic" // RFC 7617
	ClientCredentials AuthKind = "oauth2-client-credentials"
)

// Auth is how the hub says who it is. Secret is the secret itself, as the
// assembly has read it from where the catalog refers to.
type Auth struct {
	Kind     AuthKind // "" is none
	Header   string   // of a key; "" is Authorization, where the secret follows the word Bearer
	User     string   // of basic
	ClientID string
	TokenURL string
	Scopes   []string
	Secret   string
}

func (a Auth) check() error {
	var wrong []error
	missing := func(value, name string) {
		if value == "" {
			wrong = append(wrong, errors.New("auth "+string(a.Kind)+" needs "+name))
		}
	}
	switch a.Kind {
	case "", NoAuth:
		return nil
	case KeyAuth:
	case BasicAuth:
		missing(a.User, "user")
	case ClientCredentials:
		missing(a.ClientID, "client-id")
		if u, err := url.Parse(a.TokenURL); err != nil || u.Host == "" {
			wrong = append(wrong, errors.New("auth oauth2-client-credentials needs token-url"))
		}
	default:
		wrong = append(wrong, errors.New("auth is none, key, basic or oauth2-client-credentials"))
	}
	missing(a.Secret, "a secret")
	return errors.Join(wrong...)
}

// credentials are a header of a request.
type credentials struct{ header, value string }

// An authority gives the credentials of requests and knows what is secret.
type authority struct {
	auth   Auth
	config *clientcredentials.Config
	client *http.Client
	now    func() time.Time
	turn   chan struct{} // held by who looks after the token

	token *oauth2.Token // with the turn

	mu      sync.Mutex
	secrets []string
}

func newAuthority(a Auth, transport *guard.Transport, now func() time.Time) *authority {
	au := &authority{auth: a, now: now, turn: make(chan struct{}, 1)}
	au.config = &clientcredentials.Config{ClientID: a.ClientID, ClientSecret: a.Secret, TokenURL: a.TokenURL, Scopes: a.Scopes}
	au.client = &http.Client{
		Transport:     tokenTransport{transport},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	if a.Secret != "" {
		au.secrets = []string{a.Secret, basic(a.User, a.Secret), basic(a.ClientID, a.Secret), basic(url.QueryEscape(a.ClientID), url.QueryEscape(a.Secret))}
	}
	return au
}

func basic(user, secret string) string {
	return base64.StdEncoding.EncodeToString([]byte(user + ":" + secret))
}

// credentials are those of the next request. Fresh says that fetching new ones
// would give no others.
func (au *authority) credentials(ctx context.Context) (c credentials, fresh bool, err error) {
	switch au.auth.Kind {
	case KeyAuth:
		if au.auth.Header == "" || strings.EqualFold(au.auth.Header, "Authorization") {
			return credentials{"Authorization", "Bearer " + au.auth.Secret}, true, nil
		}
		return credentials{au.auth.Header, au.auth.Secret}, true, nil
	case BasicAuth:
		return credentials{"Authorization", "Basic " + basic(au.auth.User, au.auth.Secret)}, true, nil
	case ClientCredentials:
		return au.bearer(ctx)
	case NoAuth:
	}
	return credentials{}, true, nil
}

// bearer is the cached token while it is valid for some time, else a new one.
// Whoever comes meanwhile waits for it.
func (au *authority) bearer(ctx context.Context) (c credentials, fresh bool, err error) {
	const margin = 10 * time.Second // it must still be valid when the request arrives
	select {
	case au.turn <- struct{}{}:
		defer func() { <-au.turn }()
	case <-ctx.Done():
		return credentials{}, false, context.Cause(ctx)
	}
	if t := au.token; t != nil && (t.Expiry.IsZero() || au.now().Add(margin).Before(t.Expiry)) {
		return credentials{"Authorization", "Bearer " + t.AccessToken}, false, nil
	}
	t, err := au.config.Token(context.WithValue(ctx, oauth2.HTTPClient, au.client))
	if err != nil {
		return credentials{}, false, err
	}
	if t.ExpiresIn > 0 { // by our clock, not that of the library
		t.Expiry = au.now().Add(time.Duration(t.ExpiresIn) * time.Second)
	}
	au.token = t
	au.learn(t.AccessToken)
	return credentials{"Authorization", "Bearer " + t.AccessToken}, true, nil
}

// forget drops the cached token where it is the one that was not accepted.
func (au *authority) forget(ctx context.Context, c credentials) {
	select {
	case au.turn <- struct{}{}:
		defer func() { <-au.turn }()
	case <-ctx.Done(): // the next one who meets it does
		return
	}
	if au.token != nil && c.value == "Bearer "+au.token.AccessToken {
		au.token = nil
	}
}

// learn keeps a token among what is secret; very old ones are worth nothing.
func (au *authority) learn(token string) {
	const constant, kept = 4, 17
	au.mu.Lock()
	defer au.mu.Unlock()
	au.secrets = append(au.secrets, token)
	if extra := len(au.secrets) - kept; extra > 0 {
		au.secrets = slices.Delete(au.secrets, constant, constant+extra)
	}
}

// noCredentials is the error where no token could be had: nothing was sent.
func (s *System) noCredentials(ctx context.Context, op string, err error) error {
	if refused, ok := errors.AsType[*oauth2.RetrieveError](err); ok {
		code := 0
		if refused.Response != nil {
			code = refused.Response.StatusCode
		}
		told := errors.New(s.words("the token server answered " + http.StatusText(code) + " " + refused.ErrorCode + " " + refused.ErrorDescription))
		if code >= 400 && code < 500 && code != http.StatusTooManyRequests {
			return connector.NotSent(op, fault.CredentialsRefused, told)
		}
		return connector.NotSent(op, fault.SystemDown, told)
	}
	if ctx.Err() != nil {
		return connector.NotSent(op, fault.NotSentInTime, context.Cause(ctx))
	}
	return connector.NotSent(op, fault.SystemDown, errors.New(s.words("no token: "+err.Error())))
}

// mask takes out of a text what is secret.
func (au *authority) mask(text string) string {
	au.mu.Lock()
	defer au.mu.Unlock()
	return guard.Mask(text, au.secrets...)
}

// A tokenTransport gives leave to requests for tokens, which do nothing.
type tokenTransport struct{ *guard.Transport }

// RoundTrip sends one request for a token.
func (t tokenTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	l := &guard.Leave{Check: func(time.Time) error { return nil }, Now: time.Now}
	return t.Transport.RoundTrip(req.WithContext(l.Trace(req.Context())))
}
