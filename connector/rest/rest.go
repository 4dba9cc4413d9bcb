// Package rest talks to any system that takes JSON over HTTP, by configuration:
// the catalog's mapping of a command makes the request, its rules say what the
// answers mean.
//
// The request of a command is
//
//	{method, path, query, headers, body, find: {method, path, query, headers, body}}
//
// where path is a text that begins with a slash or a list of segments, which are
// encoded; query and headers are objects of texts; body is any JSON value.
//
// What is sent leaves by one place, package guard, which knows whether a byte of the
// request was written. Only where none was does an error say ErrNotSent.
package rest

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/connector/guard"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/mapping"
)

// What stands where a Config says nothing.
const (
	DefaultTimeout = 30 * time.Second
	DefaultStall   = 10 * time.Second
	DefaultLimit   = 1 << 20

	// longestWait bounds what a system can ask for with Retry-After.
	longestWait = time.Hour
)

// Config says how to talk to one system.
type Config struct {
	URL      string // "https://erp.example.com/api/v1"; paths of requests go behind it
	Traits   connector.Traits
	Timeout  time.Duration // of a whole call, with the token that it may need
	Stall    time.Duration // between two pieces of an answer
	Limit    int           // of an answer, in bytes
	Auth     Auth
	Roots    *x509.CertPool              // that sign the system's certificate; nil is those of the machine
	Commands map[string]*mapping.Command // by name
	Answers  *mapping.Answers            // rules for all commands, behind their own; nil for none
	Now      func() time.Time            // nil is time.Now
}

// A System is one outside system. It is a connector.System.
type System struct {
	config    Config
	base      *url.URL
	transport *guard.Transport
	auth      *authority
}

// New checks the configuration and makes the System. The error names everything
// that is wrong with it, and no secret. Close it when it is not needed any more.
func New(c Config) (*System, error) {
	if c.Now == nil {
		c.Now = time.Now
	}
	c.Timeout = cmpOr(c.Timeout, DefaultTimeout)
	c.Stall = cmpOr(c.Stall, DefaultStall)
	c.Limit = cmpOr(c.Limit, DefaultLimit)
	base, err := baseURL(c.URL)
	wrong := []error{err, c.Traits.Check(), c.Auth.check()}
	if c.Timeout < 0 || c.Stall < 0 || c.Limit < 0 {
		wrong = append(wrong, errors.New("timeout, stall and limit are more than zero"))
	}
	for name, command := range c.Commands {
		if c.Traits.Class == connector.Findable && !command.Asks() {
			wrong = append(wrong, fmt.Errorf("command %s: a findable system is asked what became of it: write find and found", name))
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, fmt.Errorf("rest.New: %w", err)
	}
	s := &System{config: c, base: base, transport: guard.NewTransport(c.Roots)}
	s.auth = newAuthority(c.Auth, s.transport, c.Now)
	return s, nil
}

func cmpOr[T comparable](value, otherwise T) T {
	var zero T
	if value == zero {
		return otherwise
	}
	return value
}

func baseURL(text string) (*url.URL, error) {
	u, err := url.Parse(text)
	switch {
	case err != nil:
		return nil, errors.New("the address cannot be read")
	case u.Scheme != "https" && u.Scheme != "http" || u.Host == "":
		return nil, errors.New("an address begins with https:// and a host")
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, errors.New("an address is without account, query and fragment")
	}
	u.Path, u.RawPath = strings.TrimSuffix(u.Path, "/"), ""
	return u, nil
}

// Traits are what the configuration declares of the system.
func (s *System) Traits() connector.Traits { return s.config.Traits }

// Close lets go of connections that are not in use.
func (s *System) Close() { s.transport.CloseIdleConnections() }

// Perform makes an attempt, as connector.System says.
func (s *System) Perform(ctx context.Context, cmd connector.Command) (connector.Outcome, error) {
	const op = "rest.Perform"
	command, ok := s.config.Commands[cmd.Name]
	if !ok {
		return connector.Outcome{}, connector.NotSent(op, fault.NotSendable, fmt.Errorf("command %.80q has no mapping", cmd.Name))
	}
	draft, err := draftOf(cmd.Request, "POST")
	if err != nil {
		return connector.Outcome{}, connector.NotSent(op, fault.NotSendable, err)
	}
	answer, err := s.call(ctx, op, draft, cmd.InTime, func(a *answer) bool {
		judged, err := command.Judge(a.seen(), s.config.Answers)
		return err == nil && judged.Outcome == "not-done"
	})
	if err != nil {
		return connector.Outcome{}, err
	}
	judged, err := command.Judge(answer.seen(), s.config.Answers)
	if err != nil {
		return connector.Outcome{}, s.unread(op, answer, err)
	}
	return s.outcome(op, answer, judged)
}

// outcome is what an answer means for an attempt.
func (s *System) outcome(op string, answer *answer, judged mapping.Judged) (connector.Outcome, error) {
	o := connector.Outcome{Documents: documents(judged.Documents), Text: s.words(judged.Text)}
	switch judged.Outcome {
	case "accepted":
		o.Status = connector.Accepted
	case "applied":
		o.Status = connector.Applied
	case "partly-applied":
		o.Status, o.Lines = connector.PartlyApplied, s.lines(judged.Lines)
	case "refused":
		o.Status, o.Reason, o.Documents, o.Lines = connector.Refused, fault.ByCode(judged.Reason), nil, s.lines(judged.Lines)
		if o.Text == "" {
			o.Text = s.words(answer.text)
		}
	case "not-done":
		return connector.Outcome{}, s.waiting(answer, connector.NotSent(op, fault.ByCode(judged.Reason), errors.New(s.told(answer, judged.Text))))
	default:
		return connector.Outcome{}, s.unread(op, answer, nil)
	}
	if err := o.Check(); err != nil {
		return connector.Outcome{}, s.unread(op, answer, err)
	}
	return o, nil
}

// lines are what became of lines, as far as the answer tells them apart.
func (s *System) lines(judged []mapping.JudgedLine) []connector.LineOutcome {
	var all []connector.LineOutcome
	for _, l := range judged {
		all = append(all, connector.LineOutcome{Line: s.words(l.Line), Status: connector.Status(l.Outcome), Reason: fault.ByCode(l.Reason), Text: s.words(l.Text)})
	}
	return all
}

// Find asks for a command, as connector.System says.
func (s *System) Find(ctx context.Context, cmd connector.Command) (connector.Finding, error) {
	const op = "rest.Find"
	command, ok := s.config.Commands[cmd.Name]
	question, asked := cmd.Request[mapping.FindKey].(map[string]any)
	if !ok || !asked {
		if s.config.Traits.Class == connector.Keyed {
			return connector.Finding{Status: connector.Absent}, nil
		}
		return connector.Finding{Status: connector.Undecided}, nil
	}
	draft, err := draftOf(question, "GET")
	if err != nil {
		return connector.Finding{}, connector.Unknown(op, fault.NotSendable, err)
	}
	asking := s.config.Now()                                                                                        // what the system shows may be as old as this
	answer, err := s.call(ctx, op, draft, func(time.Time) error { return nil }, func(*answer) bool { return true }) // a question does nothing
	if err != nil {
		return connector.Finding{}, unknowing(op, err)
	}
	judged, err := command.JudgeFound(answer.seen())
	if err != nil {
		return connector.Finding{}, s.unread(op, answer, err)
	}
	return s.finding(op, cmd, asking, answer, judged)
}

// unknowing is an error of a question: that the question was not sent tells
// nothing about the command.
func unknowing(op string, err error) error {
	if !errors.Is(err, connector.ErrNotSent) {
		return err
	}
	told := connector.Unknown(op, fault.Of(err).Reason, err)
	if wait := connector.WaitOf(err); wait > 0 {
		return &connector.WaitError{Wait: wait, Err: told}
	}
	return told
}

// finding is what an answer to the question means.
func (s *System) finding(op string, cmd connector.Command, asking time.Time, answer *answer, judged mapping.Judged) (connector.Finding, error) {
	f := connector.Finding{Documents: documents(judged.Documents), Text: s.words(judged.Text)}
	switch judged.Outcome {
	case "applied":
		f.Status = connector.FoundApplied
	case "refused":
		f.Status, f.Reason, f.Documents = connector.FoundRefused, fault.ByCode(judged.Reason), nil
	case "begun":
		f.Status = connector.Begun
	case "undecided":
		f.Status = connector.Undecided
	case "absent":
		if answer.body == nil { // a page, or nothing: whoever it was, it has not looked
			return connector.Finding{}, s.unread(op, answer, errors.New("that it is absent needs an answer in JSON"))
		}
		f = s.config.Traits.Missing(cmd, asking)
		f.Text = s.words(judged.Text)
	default:
		return connector.Finding{}, s.unread(op, answer, nil)
	}
	if err := f.Check(); err != nil {
		return connector.Finding{}, s.unread(op, answer, err)
	}
	return f, nil
}

func documents(judged []mapping.JudgedDocument) []connector.Document {
	var all []connector.Document
	for _, d := range judged {
		all = append(all, connector.Document{Number: d.Number, Kind: d.Kind})
	}
	return all
}

// unread is the error of an answer that does not say what was done.
func (s *System) unread(op string, answer *answer, cause error) error {
	text := s.told(answer, "")
	if cause != nil {
		text = s.words(cause.Error()) + "; " + text
	}
	reason := fault.AnswerUnread
	if answer.status >= http.StatusInternalServerError {
		reason = fault.AnswerLost
	}
	return s.waiting(answer, connector.Unknown(op, reason, errors.New(text)))
}

// told is an answer in a few words, for an error.
func (s *System) told(answer *answer, text string) string {
	if text == "" {
		text = answer.text
	}
	if text = s.words(text); len(text) > 300 {
		text = strings.ToValidUTF8(text[:300], "") + "…"
	}
	return fmt.Sprintf("the system answered %d %s: %q", answer.status, http.StatusText(answer.status), text)
}

// waiting adds the wait that the system has asked for.
func (s *System) waiting(answer *answer, err error) error {
	if answer.wait <= 0 {
		return err
	}
	return &connector.WaitError{Wait: answer.wait, Err: err}
}

// words are the system's own words as they may be kept, without what is secret,
// which some systems repeat.
func (s *System) words(text string) string {
	return connector.Words(s.auth.mask(strings.ToValidUTF8(text, "�")))
}

// methods are those that a request may have.
func methods() []string { return []string{"GET", "POST", "PUT", "PATCH", "DELETE"} }

func knownMethod(method string) bool { return slices.Contains(methods(), method) }
