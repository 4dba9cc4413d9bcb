package connectortest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
)

func traits(t *testing.T, r *run) {
	if err := r.Traits.Check(); err != nil {
		t.Error(err)
	}
}

func performedOnce(t *testing.T, r *run) {
	cmd := r.first("once")
	documents := r.applies(cmd)
	if diff := cmp.Diff(r.has(cmd, 1), documents); diff != "" {
		t.Errorf("not the documents of the books:\n%s", diff)
	}
	r.has(r.first("another"), 0)
	r.foundAgain(cmd, documents)
	if r.Traits.Class != connector.Blind {
		r.finds(r.first("another"), connector.Absent, connector.Undecided)
	}
}

// foundAgain asks for what was done: a findable system must show it, a keyed one
// may leave it to performing again.
func (r *run) foundAgain(cmd connector.Command, documents []connector.Document) {
	r.t.Helper()
	switch r.Traits.Class {
	case connector.Findable:
		finding := r.finds(cmd, connector.FoundApplied)
		if diff := cmp.Diff(documents, finding.Documents); diff != "" {
			r.t.Errorf("other documents are found:\n%s", diff)
		}
	case connector.Keyed:
		found := r.finds(cmd, connector.FoundApplied, connector.Absent).Documents
		if len(found) == 0 {
			found = r.applies(r.again(cmd))
		}
		if diff := cmp.Diff(documents, found); diff != "" {
			r.t.Errorf("other documents are found:\n%s", diff)
		}
	case connector.Blind:
		r.finds(cmd, connector.FoundApplied, connector.Undecided)
	}
	r.has(cmd, 1)
}

func manyAtOnce(t *testing.T, r *run) {
	const commands = 10
	var all sync.WaitGroup
	var told [commands][]connector.Document
	for i := range commands {
		cmd := r.first(fmt.Sprint("command ", i))
		all.Go(func() {
			outcome, err := r.perform(t.Context(), cmd)
			if err != nil || outcome.Status != connector.Applied {
				t.Errorf("command %d: %s: %v", i, outcome.Status, err)
			}
			told[i] = outcome.Documents
		})
	}
	all.Wait()
	for i := range commands {
		if diff := cmp.Diff(r.has(r.first(fmt.Sprint("command ", i)), 1), told[i]); diff != "" {
			t.Errorf("command %d: %s", i, diff)
		}
	}
}

func refused(t *testing.T, r *run) {
	if r.Refusable == nil {
		t.Skip("this outside system refuses nothing")
	}
	cmd := r.attempt(r.Refusable(keyOf("refused")), "refused")
	outcome, err := r.perform(t.Context(), cmd)
	r.isRefusal(outcome, err)
	r.has(cmd, 0)
	r.settle(cmd)
	r.finds(cmd, connector.FoundRefused, connector.Absent, connector.Undecided)
}

func (r *run) isRefusal(outcome connector.Outcome, err error) {
	r.t.Helper()
	if err != nil || outcome.Status != connector.Refused {
		r.t.Fatalf("%s: %v", outcome.Status, err)
	}
	if outcome.Reason != r.Reason {
		r.t.Errorf("the reason is %v, not %v", outcome.Reason, r.Reason)
	}
	if !strings.Contains(outcome.Text, r.Words) {
		r.t.Errorf("%q has not the system's words %q", outcome.Text, r.Words)
	}
}

func performedTwice(t *testing.T, r *run) {
	if r.Traits.Class != connector.Keyed {
		t.Skip("this outside system is not keyed")
	}
	cmd := r.first("twice")
	before := r.applies(cmd)
	if diff := cmp.Diff(before, r.applies(r.again(cmd))); diff != "" {
		t.Errorf("the second time it made something else:\n%s", diff)
	}
	r.has(cmd, 1)
}

func lostAfter(_ *testing.T, r *run) {
	r.needs(LostAfter)
	cmd := r.first("lost after")
	r.Outside.Expect(Performing, LostAfter)
	r.unknown(cmd)
	r.foundAgain(cmd, r.has(cmd, 1))
}

func lostBefore(_ *testing.T, r *run) {
	r.needs(LostBefore)
	cmd := r.first("lost before")
	r.Outside.Expect(Performing, LostBefore)
	r.unknown(cmd)
	r.has(cmd, 0)
	switch r.Traits.Class {
	case connector.Keyed:
		r.finds(cmd, connector.Absent)
	case connector.Findable:
		r.finds(cmd, connector.Undecided)
		r.Outside.Advance(r.Traits.SettledAt(cmd).Sub(r.Outside.Now()) - time.Nanosecond)
		r.finds(cmd, connector.Undecided)
		r.settle(cmd)
		r.finds(cmd, connector.Absent)
	case connector.Blind:
		r.settle(cmd)
		r.Outside.Advance(1000 * time.Hour)
		r.finds(cmd, connector.Undecided)
		return
	}
	next := r.again(cmd)
	r.applies(next)
	r.has(next, 1)
	if r.Traits.Class == connector.Findable {
		r.finds(next, connector.FoundApplied)
	}
}

func late(_ *testing.T, r *run) {
	r.needs(Late)
	cmd := r.first("late")
	r.Outside.Expect(Performing, Late)
	r.unknown(cmd)
	r.has(cmd, 0)
	switch r.Traits.Class {
	case connector.Keyed:
		// It may be performed again at once: the late one then finds its key taken.
		r.finds(cmd, connector.Absent)
		documents := r.applies(r.again(cmd))
		r.Outside.Land()
		r.foundAgain(cmd, documents)
	case connector.Findable:
		documents := []connector.Document(nil)
		if r.finds(cmd, connector.Undecided, connector.Begun).Status == connector.Begun {
			documents = r.applies(r.again(cmd)) // it goes on at once, and what lands then adds nothing
		}
		r.Outside.Land()
		if documents = append(documents, r.has(cmd, 1)...); len(documents) > 1 && documents[0] != documents[1] {
			r.t.Errorf("what landed late made %v beside %v", documents[1], documents[0])
		}
		r.foundAgain(cmd, documents[:1])
	case connector.Blind:
		r.finds(cmd, connector.Undecided)
		r.Outside.Land()
		r.has(cmd, 1)
	}
}

func tooLate(t *testing.T, r *run) {
	for name, bound := range map[string]time.Time{"just now": r.Outside.Now(), "long ago": r.Outside.Now().Add(-time.Hour), "no bound": {}} {
		cmd := r.first(name)
		cmd.SendBefore = bound
		outcome, err := r.perform(t.Context(), cmd)
		if !errors.Is(err, connector.ErrTooLate) {
			t.Errorf("%s: %s, %v", name, outcome.Status, err)
		}
		r.has(cmd, 0)
	}
	r.goesOn()
}

func endedBefore(t *testing.T, r *run) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	cmd := r.first("ended before")
	if _, err := r.perform(ctx, cmd); !errors.Is(err, connector.ErrNotSent) {
		t.Errorf("performing: %v", err)
	}
	r.has(cmd, 0)
	if r.Traits.Class == connector.Findable {
		r.settle(cmd)
		if finding, err := r.find(ctx, cmd); err == nil {
			t.Errorf("finding: %s, though nobody was asked", finding.Status)
		}
	}
	r.goesOn()
}

func endedDuring(t *testing.T, r *run) {
	r.needs(Silent)
	ctx, cancel := context.WithCancel(t.Context())
	met := r.Outside.Expect(Performing, Silent)
	var all sync.WaitGroup
	all.Go(func() {
		<-met
		cancel()
	})
	cmd := r.first("ended during")
	_, err := r.perform(ctx, cmd)
	cancel()
	all.Wait()
	if err == nil || errors.Is(err, connector.ErrNotSent) {
		t.Errorf("%v: the request was sent, and its answer is not known", err)
	}
	r.goesOn()
}

func down(t *testing.T, r *run) {
	r.needs(Down)
	r.Outside.Expect(Performing, Down)
	cmd := r.first("down")
	if _, err := r.perform(t.Context(), cmd); !errors.Is(err, connector.ErrNotSent) || !errors.Is(err, fault.SystemDown) {
		t.Errorf("performing: %v", err)
	}
	r.has(cmd, 0)
	if r.Traits.Class == connector.Findable {
		r.settle(cmd)
		if finding, err := r.find(t.Context(), cmd); err == nil {
			t.Errorf("finding: %s, though nobody was there", finding.Status)
		}
	}
}

func busy(t *testing.T, r *run) {
	r.needs(Busy)
	r.Outside.Expect(Performing, Busy)
	cmd := r.first("busy")
	_, err := r.perform(t.Context(), cmd)
	if !errors.Is(err, connector.ErrNotSent) || !errors.Is(err, fault.RateLimited) || connector.WaitOf(err) <= 0 {
		t.Errorf("%v, wait %s", err, connector.WaitOf(err))
	}
	r.has(cmd, 0)
	r.applies(r.again(cmd))
	r.has(cmd, 1)
}

func inside(t *testing.T, r *run) {
	r.needs(Inside)
	r.Outside.Expect(Performing, Inside)
	cmd := r.first("inside")
	outcome, err := r.perform(t.Context(), cmd)
	r.isRefusal(outcome, err)
	r.has(cmd, 0)
	r.goesOn()
}

// spoilt performs a command whose answer says nothing.
func spoilt(_ *testing.T, r *run, trouble Trouble) {
	r.needs(trouble)
	if trouble == Silent && r.Patience == 0 {
		r.t.Skip("only its context ends a call of this System")
	}
	r.Outside.Expect(Performing, trouble)
	cmd := r.first(string(trouble))
	r.inPatience(func() { r.unknown(cmd) })
	if r.Traits.Class == connector.Findable {
		r.finds(cmd, connector.FoundApplied, connector.Begun, connector.Undecided)
	}
	r.goesOn()
}

// notFound asks for a command, and the answer says nothing: that is no Absent,
// even where nothing can land any more.
func notFound(_ *testing.T, r *run, trouble Trouble) {
	r.needs(trouble)
	if r.Traits.Class == connector.Blind {
		r.t.Skip("a blind system is not asked")
	}
	if trouble == Silent && r.Patience == 0 {
		r.t.Skip("only its context ends a call of this System")
	}
	cmd := r.first("sought")
	r.applies(cmd)
	r.settle(cmd)
	r.Outside.Expect(Finding, trouble)
	r.inPatience(func() {
		if finding, err := r.find(r.t.Context(), cmd); err == nil && finding.Status != connector.FoundApplied {
			r.t.Errorf("found %s", finding.Status)
		}
	})
	r.foundAgain(cmd, r.has(cmd, 1))
}

// inPatience runs a call that must end by itself.
func (r *run) inPatience(call func()) {
	r.t.Helper()
	if r.Patience == 0 {
		call()
		return
	}
	began := time.Now()
	call()
	if took := time.Since(began); took > r.Patience {
		r.t.Errorf("it took %s, more than %s", took, r.Patience)
	}
}
