package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gapless/gapless/api"
	"github.com/gapless/gapless/fault"
)

// connection is how the commands that talk to a hub reach it.
type connection struct {
	hub, key, keyFile string
}

func (n *connection) flags(cmd *cobra.Command) {
	declare(cmd, "hub", &n.hub)
	declare(cmd, "key", &n.key)
	declare(cmd, "key-file", &n.keyFile)
}

// credentials are what the sender may speak with: one for all, and some for single
// systems.
type credentials struct {
	any      string
	bySystem map[string]string
}

// of is the credential to speak for a system.
func (k credentials) of(system string) (string, error) {
	if key := cmp.Or(k.bySystem[system], k.any); key != "" {
		return key, nil
	}
	return "", usageError{fmt.Errorf("there is no key of %q: the key file has keys of %s", system, k.systems())}
}

// asker is the credential of whoever asks. Of several systems it is none: each sees what
// is its own, and so the answer would depend on whose key is taken.
func (k credentials) asker() (string, error) {
	if all := k.all(); len(all) == 1 || k.any != "" {
		return all[0], nil
	}
	return "", usageError{fmt.Errorf("the key file has keys of %s, and each sees what is its own: give one as --key, or name:password of a person", k.systems())}
}

// all are the credentials, the one for all first, those of systems by name.
func (k credentials) all() []string {
	var all []string
	if k.any != "" {
		all = append(all, k.any)
	}
	for _, system := range slices.Sorted(maps.Keys(k.bySystem)) {
		all = append(all, k.bySystem[system])
	}
	return all
}

func (k credentials) systems() string {
	return strings.Join(slices.Sorted(maps.Keys(k.bySystem)), ", ")
}

// parseKeys reads a key file: a credential alone on a line, or the name of a
// system before it. Lines that begin with # are comments.
func parseKeys(text string) (credentials, error) {
	k := credentials{bySystem: map[string]string{}}
	for i, line := range strings.Split(text, "\n") {
		fields := strings.Fields(line)
		switch {
		case len(fields) == 0 || strings.HasPrefix(fields[0], "#"):
		case strings.Contains(fields[0], ":"):
			k.any = strings.TrimSpace(line) // a password may hold blanks
		case len(fields) == 1:
			k.any = fields[0]
		case len(fields) == 2:
			k.bySystem[fields[0]] = fields[1]
		default:
			return k, usageError{fmt.Errorf("key file, line %d: write a key, or the name of a system and its key", i+1)}
		}
	}
	return k, nil
}

func (n *connection) credentials() (credentials, error) {
	if n.key != "" {
		return credentials{any: strings.TrimSpace(n.key)}, nil
	}
	if n.keyFile == "" {
		return credentials{}, usageError{errors.New("no key: give --key, --key-file, GAPLESS_KEY or GAPLESS_KEY_FILE; `gapless keys create` makes a key")}
	}
	text, err := os.ReadFile(n.keyFile)
	if err != nil {
		return credentials{}, fmt.Errorf("read the key file: %w", err)
	}
	keys, err := parseKeys(string(text))
	if err == nil && len(keys.all()) == 0 {
		err = usageError{fmt.Errorf("no key is in the key file %s; `gapless keys create --keep` adds one", n.keyFile)}
	}
	return keys, err
}

// client talks to one hub.
type client struct {
	base string
	keys credentials
	http *http.Client
}

func (n *connection) client() (*client, error) {
	keys, err := n.credentials()
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(n.hub)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, usageError{fmt.Errorf("--hub %q is no URL of the form http://127.0.0.1:8470", n.hub)}
	}
	transport := &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
		TLSHandshakeTimeout:   10 * time.Second,
		ResponseHeaderTimeout: 2 * time.Minute,
		MaxIdleConnsPerHost:   4,
		IdleConnTimeout:       30 * time.Second,
	}
	return &client{base: strings.TrimSuffix(n.hub, "/"), keys: keys, http: &http.Client{Transport: transport}}, nil
}

func (h *client) request(ctx context.Context, method, route, key string, body []byte) (*http.Request, error) {
	r, err := http.NewRequestWithContext(ctx, method, h.base+route, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if name, password, ok := strings.Cut(key, ":"); ok {
		r.SetBasicAuth(name, password)
	} else {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	return r, nil
}

// awayError says that the hub did not answer, or not now: trying again may help.
type awayError struct {
	error
	after time.Duration // what the hub asked to wait; 0 where it said nothing
}

// Unwrap is the cause below.
func (e awayError) Unwrap() error { return e.error }

// do sends a request; a refusal becomes a fault, silence an awayError.
func (h *client) do(r *http.Request) (*http.Response, error) {
	response, err := h.http.Do(r)
	if err != nil {
		if r.Context().Err() != nil {
			return nil, r.Context().Err()
		}
		return nil, awayError{error: fmt.Errorf("the hub at %s does not answer: %w", h.base, errors.Unwrap(err))}
	}
	if response.StatusCode < 300 {
		return response, nil
	}
	defer response.Body.Close() //nolint:errcheck // the refusal is read or not
	refused := refusalOf(response)
	switch response.StatusCode {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		after, _ := time.ParseDuration(response.Header.Get("Retry-After") + "s")
		return nil, awayError{error: refused, after: after}
	}
	return nil, refused
}

// refusalOf reads a problem of RFC 9457, or whatever something between us and the
// hub has answered.
func refusalOf(response *http.Response) error {
	text, err := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if err != nil {
		return fmt.Errorf("the hub answered %s and broke off: %w", response.Status, err)
	}
	var p api.Problem
	if err := json.Unmarshal(text, &p); err != nil || p.Reason == "" {
		return fmt.Errorf("what answered at %s is no hub: %s", response.Request.URL.Host, response.Status)
	}
	return problemFault(&p)
}

// problemFault is a problem as the fault that the hub met.
func problemFault(p *api.Problem) *fault.Fault {
	reason := fault.ByCode(p.Reason)
	if reason == nil { // of a later version of the hub
		reason = &fault.Reason{Code: p.Reason, Title: p.Title, Remedy: p.Remedy}
	}
	return fault.New("hub", reason, p.Field, "%s", p.Detail)
}

// get reads a route into a view.
func (h *client) get(ctx context.Context, route string, query url.Values, into any) error {
	if len(query) > 0 {
		route += "?" + query.Encode()
	}
	return h.call(ctx, http.MethodGet, route, into)
}

func (h *client) call(ctx context.Context, method, route string, into any) error {
	return h.send(ctx, method, route, nil, into)
}

// send is call with a JSON document.
func (h *client) send(ctx context.Context, method, route string, document, into any) error {
	key, err := h.keys.asker()
	if err != nil {
		return err
	}
	return h.sendAs(ctx, key, method, route, document, into)
}

// sendAs is send with one of the credentials.
func (h *client) sendAs(ctx context.Context, key, method, route string, document, into any) error {
	var body []byte
	var err error
	if document != nil {
		if body, err = json.Marshal(document); err != nil {
			return err
		}
	}
	r, err := h.request(ctx, method, route, key, body)
	if err != nil {
		return err
	}
	if document != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	response, err := h.do(r)
	if err != nil {
		return err
	}
	defer response.Body.Close() //nolint:errcheck // everything wanted is read below
	decoder := json.NewDecoder(response.Body)
	decoder.UseNumber()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("the hub's answer to %s cannot be read: %w", route, err)
	}
	return nil
}

// tells prints the document that the hub answers with.
func tells[T any](c *cli, n *connection, ask func(h *client, answer *T) error, show func(*T)) error {
	h, err := n.client()
	if err != nil {
		return err
	}
	var answer T
	if err := ask(h, &answer); err != nil {
		return err
	}
	if c.json {
		return c.printJSON(answer)
	}
	show(&answer)
	return nil
}

// asks is a command that asks the hub for one document, and prints it.
func asks[T any](c *cli, n *connection, route string, query func() url.Values, show func(*T)) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, _ []string) error {
		return tells(c, n, func(h *client, answer *T) error { return h.get(cmd.Context(), route, query(), answer) }, show)
	}
}

// posts sends a decision to the hub, and prints what became of it.
func posts[T any](ctx context.Context, c *cli, n *connection, route string, body any, show func(*T)) error {
	return tells(c, n, func(h *client, answer *T) error { return h.send(ctx, http.MethodPost, route, body, answer) }, show)
}

// mostListed is how many a list that has no pages shows.
const mostListed = 1000

// newest asks for as much of such a list as there is.
func newest() url.Values { return values("limit", strconv.Itoa(mostListed)) }

// tellCut says below such a list that it does not end there.
func (c *cli) tellCut(listed int) {
	if listed >= mostListed {
		fmt.Fprintf(c.out, "\nthese are %s: there may be more\n", count(listed))
	}
}

// values are the query parameters that are not empty.
func values(pairs ...string) url.Values {
	v := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	return v
}
