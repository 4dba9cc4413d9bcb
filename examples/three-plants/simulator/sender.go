package simulator

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// How long a sender waits before it tries again, and how much of an answer it reads.
const (
	firstPause   = 20 * time.Millisecond
	lastPause    = 500 * time.Millisecond
	answerWithin = 10 * time.Second
	largestReply = 1 << 20
)

// A sender reports the messages of one system to the hub, one after the other. Each
// is sent again until the hub has acknowledged it, however long that takes.
type sender struct {
	hub    string
	key    string
	http   *http.Client
	outbox *outbox
	clock  *clock
}

// run sends until the context ends.
func (s *sender) run(ctx context.Context) error {
	for ctx.Err() == nil {
		m, ok, wait := s.outbox.next(s.clock.now())
		if !ok {
			s.idle(ctx, wait)
			continue
		}
		a, err := s.deliver(ctx, m)
		if err != nil {
			return err
		}
		if a == nil {
			return nil // told to end; the message is sent when the systems run again
		}
		if err := s.outbox.acknowledge(a); err != nil {
			return err
		}
	}
	return nil
}

// idle waits until there may be something to send: when something was put in, or a
// part of the day has passed, where it is not negative.
func (s *sender) idle(ctx context.Context, wait time.Duration) {
	var passed <-chan time.Time
	if wait >= 0 {
		timer := time.NewTimer(wait/time.Duration(s.clock.speed) + time.Millisecond)
		defer timer.Stop()
		passed = timer.C
	}
	select {
	case <-ctx.Done():
	case <-s.outbox.more:
	case <-passed:
	}
}

// deliver sends one message until it is acknowledged; nil where the context ended first.
func (s *sender) deliver(ctx context.Context, m outgoing) (*Acknowledged, error) {
	wait := firstPause
	for attempt := 1; ctx.Err() == nil; attempt++ {
		a, err := s.post(ctx, m)
		if err != nil {
			return nil, err
		}
		if a != nil {
			a.File, a.Row, a.Key, a.Attempts = m.Name, rowOf(m.key), m.key, attempt
			return a, nil
		}
		if !pause(ctx, wait) {
			break
		}
		wait = min(2*wait, lastPause)
	}
	return nil, nil //nolint:nilnil // no answer and no error: told to end, as the comment says
}

// rowOf is the line of the journal in which a message stands.
func rowOf(key string) int {
	line, _, _ := strings.Cut(key, ".")
	return atoi(line)
}

// post sends a message once. Nothing is answered where trying again may help; an
// error says that it will not.
func (s *sender) post(ctx context.Context, m outgoing) (*Acknowledged, error) {
	bounded, stop := context.WithTimeout(ctx, answerWithin)
	defer stop()
	route := s.hub + "/v1/messages/" + url.PathEscape(s.outbox.system) + "/" + url.PathEscape(m.Name)
	r, err := http.NewRequestWithContext(bounded, http.MethodPost, route, strings.NewReader(m.Body))
	if err != nil {
		return nil, fmt.Errorf("report to the hub: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+s.key)
	r.Header.Set("Content-Type", m.Type)
	r.Header.Set("Accept", "application/json")
	response, err := s.http.Do(r)
	if err != nil {
		return nil, nil //nolint:nilnil // the hub is away: it may come back
	}
	defer response.Body.Close() //nolint:errcheck // it is only read
	text, err := io.ReadAll(io.LimitReader(response.Body, largestReply))
	switch {
	case err != nil, response.StatusCode >= http.StatusInternalServerError, response.StatusCode == http.StatusTooManyRequests:
		return nil, nil //nolint:nilnil // as above
	case response.StatusCode >= http.StatusBadRequest:
		return nil, fmt.Errorf("the hub refuses %s of %s: %s: %.500s", m.Name, s.outbox.system, response.Status, text)
	}
	return acknowledgement(text, m)
}

// acknowledgement reads the answer to one message: alone, or in the list that is
// answered to a table.
func acknowledgement(text []byte, m outgoing) (*Acknowledged, error) {
	var answer struct {
		Acknowledged
		Answers []struct {
			Acknowledged
			Refused any `json:"refused"`
		} `json:"answers"`
		Error any `json:"error"`
	}
	if err := json.Unmarshal(text, &answer); err != nil || answer.Error != nil {
		return nil, nil //nolint:nilnil,nilerr // the hub broke off in its answer
	}
	a := answer.Acknowledged
	if len(answer.Answers) == 1 {
		if answer.Answers[0].Refused != nil {
			return nil, fmt.Errorf("the hub refuses the row of %s: %v", m.Name, answer.Answers[0].Refused)
		}
		a = answer.Answers[0].Acknowledged
	}
	if a.Outcome == "" || a.Message == "" {
		return nil, fmt.Errorf("the hub's answer to %s acknowledges nothing: %.500s", m.Name, text)
	}
	return &a, nil
}
