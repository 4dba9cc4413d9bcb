package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/connector/guard"
	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// A draft is a request before it has an address and credentials.
type draft struct {
	method string
	path   string // encoded, with the slash before it; "" for none
	query  url.Values
	header http.Header
	body   []byte // nil for none
}

// ownHeaders are set here and by nobody else.
func ownHeaders() []string {
	return []string{"Host", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Te", "Trailer", "Expect", "Authorization"}
}

// draftOf reads the request of a command; method is what it has where it says none.
func draftOf(request map[string]any, method string) (*draft, error) {
	d := &draft{method: method, query: url.Values{}, header: http.Header{}}
	for _, name := range slices.Sorted(maps.Keys(request)) {
		var err error
		switch value := request[name]; name {
		case "method":
			if text, ok := value.(string); ok && knownMethod(text) {
				d.method = text
			} else {
				err = fmt.Errorf("%.20q is none of %s", fmt.Sprint(value), strings.Join(methods(), ", "))
			}
		case "path":
			d.path, err = pathOf(value)
		case "query":
			err = eachText(value, func(key, text string) { d.query.Add(key, text) })
		case "headers":
			err = eachText(value, func(key, text string) { d.header.Add(key, text) })
		case "body":
			d.body, err = json.Marshal(value)
		case "find":
		default:
			err = errors.New("a request has method, path, query, headers and body")
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	if err := checkHeaders(d.header); err != nil {
		return nil, fmt.Errorf("headers: %w", err)
	}
	if d.body != nil && d.header.Get("Content-Type") == "" {
		d.header.Set("Content-Type", "application/json")
	}
	if d.header.Get("Accept") == "" {
		d.header.Set("Accept", "application/json")
	}
	return d, nil
}

// headerName is a token of RFC 9110 section 5.6.2.
var headerName = regexp.MustCompile("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")

// checkHeaders refuses what would be another header or another request.
func checkHeaders(header http.Header) error {
	for name, values := range header {
		if slices.Contains(ownHeaders(), name) {
			return fmt.Errorf("%s is set by the connector", name)
		}
		if !headerName.MatchString(name) {
			return fmt.Errorf("%.40q is no name of one", name)
		}
		for _, value := range values {
			if strings.ContainsFunc(value, func(c rune) bool { return c < ' ' && c != '\t' || c == 0x7f }) {
				return fmt.Errorf("%s holds control characters", name)
			}
		}
	}
	return nil
}

// pathOf is a path as it goes into the address: a text as it is, or a list of
// segments, each encoded. No part may lead out of the base address.
func pathOf(value any) (string, error) {
	var segments []string
	switch v := value.(type) {
	case string:
		u, err := url.Parse(v)
		if err != nil || u.Path == "" || u.Scheme != "" || u.Host != "" || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || !strings.HasPrefix(v, "/") || strings.HasPrefix(v, "//") {
			return "", fmt.Errorf("%.200q is no path: it begins with one slash, and a query has its own place", v)
		}
		segments = strings.Split(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	case []any:
		for i, item := range v {
			text, err := textOf(item)
			if err != nil || text == "" {
				return "", fmt.Errorf("segment %d is no text", i+1)
			}
			segments = append(segments, url.PathEscape(text))
		}
	default:
		return "", errors.New("a path is a text or a list of segments")
	}
	for _, s := range segments {
		if plain, err := url.PathUnescape(s); err != nil || plain == "." || plain == ".." {
			return "", fmt.Errorf("%.80q is no segment of a path", s)
		}
	}
	return "/" + strings.Join(segments, "/"), nil
}

// eachText goes through an object of texts, numbers, truths and lists of them, in
// the order of its keys. What is null is left out.
func eachText(value any, add func(key, text string)) error {
	object, ok := value.(map[string]any)
	if !ok {
		return errors.New("an object of texts is expected")
	}
	for _, key := range slices.Sorted(maps.Keys(object)) {
		items, isList := object[key].([]any)
		if !isList {
			items = []any{object[key]}
		}
		for _, item := range items {
			if item == nil {
				continue
			}
			text, err := textOf(item)
			if err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
			add(key, text)
		}
	}
	return nil
}

func textOf(value any) (string, error) {
	switch v := value.(type) {
	case string:
		return v, nil
	case json.Number:
		return v.String(), nil
	case bool:
		return strconv.FormatBool(v), nil
	}
	return "", errors.New("a text is expected")
}

// An answer is what came back.
type answer struct {
	status  int
	headers map[string]any // texts, by names in lower case
	body    any            // as JSON; nil where it is none
	text    string
	wait    time.Duration // asked for by Retry-After; 0 for none
}

// seen is the answer as rules see it.
func (a *answer) seen() map[string]any {
	return map[string]any{"status": int64(a.status), "headers": a.headers, "body": a.body, "text": a.text}
}

// call sends a request, once, and reads its answer. Where a cached token is not
// accepted any more, it is sent a second time with a new one, if the answer says
// that nothing was done.
func (s *System) call(ctx context.Context, op string, d *draft, inTime func(time.Time) error, notDone func(*answer) bool) (*answer, error) {
	if ctx.Err() != nil {
		return nil, connector.NotSent(op, fault.NotSentInTime, context.Cause(ctx))
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.config.Timeout, fmt.Errorf("no answer within %s", s.config.Timeout))
	defer cancel()
	for again := false; ; again = true {
		credentials, fresh, err := s.auth.credentials(ctx)
		if err != nil {
			return nil, s.noCredentials(ctx, op, err)
		}
		answer, err := s.send(ctx, op, d, credentials, inTime)
		if err != nil || answer.status != http.StatusUnauthorized || fresh {
			return answer, err
		}
		s.auth.forget(ctx, credentials)
		if again || !notDone(answer) {
			return answer, nil
		}
	}
}

// send writes one request and reads the answer.
func (s *System) send(ctx context.Context, op string, d *draft, c credentials, inTime func(time.Time) error) (*answer, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	l := &guard.Leave{Check: inTime, Now: s.config.Now}
	req, err := s.request(l.Trace(ctx), d, c)
	if err != nil {
		return nil, connector.NotSent(op, fault.NotSendable, errors.New(s.words(err.Error())))
	}
	res, err := s.transport.RoundTrip(req)
	if err != nil {
		return nil, l.Failed(ctx, op, err, s.words)
	}
	defer res.Body.Close() //nolint:errcheck // what is read is read
	body, err := s.read(res.Body, cancel)
	if err != nil {
		return nil, l.Failed(ctx, op, err, s.words)
	}
	return s.answerOf(res, body), nil
}

func (s *System) request(ctx context.Context, d *draft, c credentials) (*http.Request, error) {
	address := s.base.String() + d.path
	if len(d.query) > 0 {
		address += "?" + d.query.Encode()
	}
	var body io.Reader
	if d.body != nil {
		body = bytes.NewReader(d.body)
	}
	req, err := http.NewRequestWithContext(ctx, d.method, address, body)
	if err != nil {
		return nil, err
	}
	maps.Copy(req.Header, d.header)
	req.Header.Set("User-Agent", "gapless")
	if c.header != "" {
		req.Header.Set(c.header, c.value)
	}
	return req, nil
}

// read reads an answer of bounded length, whose pieces must not come too far apart.
func (s *System) read(from io.Reader, cancel context.CancelCauseFunc) ([]byte, error) {
	stall := time.AfterFunc(s.config.Stall, func() { cancel(fmt.Errorf("the answer stopped for %s", s.config.Stall)) })
	defer stall.Stop()
	watched := readerFunc(func(p []byte) (int, error) {
		n, err := from.Read(p)
		stall.Reset(s.config.Stall)
		return n, err
	})
	body, err := io.ReadAll(io.LimitReader(watched, int64(s.config.Limit)+1))
	if err == nil && len(body) > s.config.Limit {
		err = guard.ErrTooMuch
	}
	return body, err
}

type readerFunc func([]byte) (int, error)

// Read calls the function.
func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func (s *System) answerOf(res *http.Response, body []byte) *answer {
	a := &answer{status: res.StatusCode, headers: map[string]any{}, text: strings.ToValidUTF8(string(body), "�")}
	for name, values := range res.Header {
		a.headers[strings.ToLower(name)] = strings.ToValidUTF8(strings.Join(values, ", "), "�")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var value any
	if d.Decode(&value) == nil {
		if _, err := d.Token(); errors.Is(err, io.EOF) && shallow(value, 0) {
			a.body = value
		}
	}
	a.wait = min(waitOf(res.Header.Get("Retry-After"), s.config.Now()), longestWait)
	return a
}

// shallow says whether a value is nested no deeper than an event may be.
func shallow(value any, depth int) bool {
	if depth > event.MaxDepth {
		return false
	}
	switch v := value.(type) {
	case map[string]any:
		for _, item := range v {
			if !shallow(item, depth+1) {
				return false
			}
		}
	case []any:
		for _, item := range v {
			if !shallow(item, depth+1) {
				return false
			}
		}
	}
	return true
}

// waitOf reads Retry-After (RFC 9110 section 10.2.3): seconds or a date.
func waitOf(text string, now time.Time) time.Duration {
	if text = strings.TrimSpace(text); text == "" {
		return 0
	}
	switch seconds, err := strconv.ParseUint(text, 10, 31); {
	case err == nil:
		return time.Duration(seconds) * time.Second
	case errors.Is(err, strconv.ErrRange):
		return longestWait
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0
	}
	return max(at.Sub(now), 0)
}
