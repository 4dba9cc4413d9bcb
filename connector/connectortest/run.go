package connectortest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
)

// span is how long the attempts of the suite may still go out.
const span = time.Minute

// A run is one test against one subject.
type run struct {
	Subject
	t *testing.T
}

func begin(t *testing.T, open func(t *testing.T) Subject) *run {
	t.Helper()
	return &run{Subject: open(t), t: t}
}

// needs skips a test of what the outside system cannot be made to do.
func (r *run) needs(trouble Trouble) {
	r.t.Helper()
	if !slices.Contains(r.Troubles, trouble) {
		r.t.Skipf("this outside system never meets it: %s", trouble)
	}
}

// keyOf is a command key of its own for each name.
func keyOf(name string) string {
	sum := sha256.Sum256([]byte(name))
	return hex.EncodeToString(sum[:])
}

// first is the first attempt at a command of a name.
func (r *run) first(name string) connector.Command { return r.attempt(r.Command(keyOf(name)), name) }

func (r *run) attempt(cmd connector.Command, name string) connector.Command {
	now := r.Outside.Now()
	cmd.Key, cmd.Attempt, cmd.FirstSent, cmd.SendBefore = keyOf(name), 1, now, now.Add(span)
	return cmd
}

// again is the next attempt at a command.
func (r *run) again(cmd connector.Command) connector.Command {
	cmd.Attempt++
	cmd.SendBefore = r.Outside.Now().Add(span)
	return cmd
}

// perform makes an attempt and holds what comes of it to what is always promised.
func (r *run) perform(ctx context.Context, cmd connector.Command) (connector.Outcome, error) {
	r.t.Helper()
	before := maps.Clone(cmd.Request)
	outcome, err := r.System.Perform(ctx, cmd)
	if diff := cmp.Diff(before, cmd.Request); diff != "" {
		r.t.Errorf("the request was changed:\n%s", diff)
	}
	if err != nil {
		if outcome.Status != "" {
			r.t.Errorf("an error comes with the outcome %s", outcome.Status)
		}
		r.told(err)
		return outcome, err
	}
	if err := outcome.Check(); err != nil {
		r.t.Errorf("the outcome breaks its rules: %v", err)
	}
	r.discreet(outcome.Text)
	return outcome, nil
}

// find asks for a command and holds the finding to what is always promised.
func (r *run) find(ctx context.Context, cmd connector.Command) (connector.Finding, error) {
	r.t.Helper()
	finding, err := r.System.Find(ctx, cmd)
	if err != nil {
		if finding.Status != "" {
			r.t.Errorf("an error comes with the finding %s", finding.Status)
		}
		r.told(err)
		return finding, err
	}
	if err := finding.Check(); err != nil {
		r.t.Errorf("the finding breaks its rules: %v", err)
	}
	r.discreet(finding.Text)
	return finding, nil
}

// told holds an error to its promises: it carries a reason and no secret, and is
// short enough for a log.
func (r *run) told(err error) {
	r.t.Helper()
	if fault.Of(err) == nil {
		r.t.Errorf("the error carries no reason: %v", err)
	}
	if len(err.Error()) > 2*connector.MaxText {
		r.t.Errorf("the error has %d bytes", len(err.Error()))
	}
	r.discreet(err.Error())
}

func (r *run) discreet(text string) {
	r.t.Helper()
	for _, secret := range r.Secrets {
		if strings.Contains(text, secret) {
			r.t.Errorf("a secret is told: %s", strings.ReplaceAll(text, secret, "(secret)"))
		}
	}
}

// applies performs a command that must be applied, and gives its documents.
func (r *run) applies(cmd connector.Command) []connector.Document {
	r.t.Helper()
	outcome, err := r.perform(r.t.Context(), cmd)
	if err != nil || outcome.Status != connector.Applied {
		r.t.Fatalf("%s %q: %v", outcome.Status, outcome.Text, err)
	}
	return outcome.Documents
}

// unknown performs a command whose outcome nobody can know.
func (r *run) unknown(cmd connector.Command) {
	r.t.Helper()
	outcome, err := r.perform(r.t.Context(), cmd)
	if err == nil {
		r.t.Fatalf("the outcome is told as %s %q", outcome.Status, outcome.Text)
	}
	if errors.Is(err, connector.ErrNotSent) {
		r.t.Fatalf("it says that nothing was done: %v", err)
	}
}

// finds asks for a command that must be found in one of several ways.
func (r *run) finds(cmd connector.Command, allowed ...connector.FindStatus) connector.Finding {
	r.t.Helper()
	finding, err := r.find(r.t.Context(), cmd)
	if err != nil {
		r.t.Fatal(err)
	}
	if !slices.Contains(allowed, finding.Status) {
		r.t.Fatalf("found %s %q, want %v", finding.Status, finding.Text, allowed)
	}
	return finding
}

// settle lets the time pass after which no attempt can land any more.
func (r *run) settle(cmd connector.Command) {
	r.Outside.Advance(r.Traits.SettledAt(cmd).Sub(r.Outside.Now()))
}

// has holds the books to having done a command so many times.
func (r *run) has(cmd connector.Command, times int) []connector.Document {
	r.t.Helper()
	var documents []connector.Document
	for _, e := range r.Outside.Books() {
		if e.Key == r.Traits.Carried(cmd) {
			documents = append(documents, e.Document)
		}
	}
	if len(documents) != times {
		r.t.Errorf("it was done %d times, not %d", len(documents), times)
	}
	return documents
}

// goesOn holds the System to being of use after trouble.
func (r *run) goesOn() {
	r.t.Helper()
	cmd := r.first("after the trouble")
	r.applies(cmd)
	r.has(cmd, 1)
}
