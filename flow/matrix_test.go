package flow_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/connector/simulated"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/ledger"
)

// What befalls the node at its first attempt, besides what befalls the answer.
const (
	retry       = "the node goes on"
	crashBefore = "the node dies before it sends"
	crashAfter  = "the node dies before it records the answer"
	paused      = "the node is paused past its send-before"
)

// mortal is a system as a node reaches it that dies or is paused at its first attempt.
type mortal struct {
	connector.System
	how  string
	once sync.Once
	dead *atomic.Bool  // the node writes nothing any more
	died chan struct{} // closed when it does
}

func (m *mortal) Perform(ctx context.Context, cmd connector.Command) (connector.Outcome, error) {
	first := false
	m.once.Do(func() { first = true })
	if !first {
		return m.System.Perform(ctx, cmd)
	}
	switch m.how {
	case crashBefore:
		m.die()
		return connector.Outcome{}, errors.New("this node is dead")
	case crashAfter:
		outcome, err := m.System.Perform(ctx, cmd)
		m.die()
		return outcome, err
	case paused:
		late := time.NewTimer(time.Until(cmd.SendBefore) + time.Millisecond)
		defer late.Stop()
		<-late.C
	}
	return m.System.Perform(ctx, cmd)
}

func (m *mortal) die() {
	m.dead.Store(true)
	close(m.died)
}

// The fault matrix: every way in which an attempt can fail, with everything that can
// befall the node that makes it, for every class of system. Once in effect for what
// is keyed or findable; a person for what is blind, and never twice.
func TestTheFaultMatrix(t *testing.T) {
	for _, class := range connector.Classes() {
		for _, fate := range []simulated.Fate{simulated.Done, simulated.LostBefore, simulated.LostAfter, simulated.Late} {
			for _, how := range []string{retry, crashBefore, crashAfter, paused} {
				t.Run(fmt.Sprintf("%s, answer %s, %s", class, fate, how), func(t *testing.T) {
					t.Parallel()
					matrix(t, class, fate, how)
				})
			}
		}
	}
}

func matrix(t *testing.T, class connector.Class, fate simulated.Fate, how string) {
	t.Helper()
	erp, err := simulated.New(simulated.Config{Class: class, Settles: 30 * time.Millisecond, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	met := erp.Force(fate)
	if fate == simulated.Late { // it lands a little later, well before it has settled
		go func() {
			<-met
			erp.Land()
		}()
	}
	var dead atomic.Bool
	system := &mortal{System: erp, how: how, dead: &dead, died: make(chan struct{})}
	database := filepath.Join(t.TempDir(), "gapless.db")
	node := func(system connector.System, faults func(string) error) *following {
		return &following{hub: hubOn(t, flow.Config{
			Catalog: followingCompany(t),
			Ledger:  ledger.Config{Database: database, Clock: time.Now, Faults: faults, Patience: time.Millisecond},
			Systems: map[string]flow.Follower{"erp": {
				System: system, Traits: erp.Traits(), SendWithin: 150 * time.Millisecond, Timeout: 300 * time.Millisecond, Wait: 5 * time.Millisecond,
			}},
		})}
	}
	x := node(system, func(string) error {
		if dead.Load() {
			return errors.New("dead")
		}
		return nil
	})
	x.becomes(x.says(lotMade("e1", "4711", "100")), "recorded")
	if how == crashBefore || how == crashAfter {
		<-system.died
		x.stop()
		x = node(erp, nil)
	}
	x.quiet()
	inDoubt := how == crashBefore || how == crashAfter || fate != simulated.Done
	if class == connector.Blind && inDoubt {
		x.undecided(t)
	} else {
		x.appliedOnce(t, erp)
	}
	if n := len(erp.Books()); n > 1 {
		t.Errorf("it was done %d times", n)
	}
	x.verified()
}

// undecided wants the step to stand for a person.
func (x *following) undecided(t *testing.T) {
	t.Helper()
	open, err := x.Ledger().Held(t.Context(), ledger.HeldFilter{About: "step"})
	if err != nil || len(open) != 1 || open[0].Reason != fault.StepUndecided {
		t.Errorf("open: %+v, %v; want one step that is undecided", open, err)
	}
}

func (x *following) appliedOnce(t *testing.T, erp *simulated.System) {
	t.Helper()
	books := erp.Books()
	if len(books) != 1 {
		t.Fatalf("the books have %d entries, want 1", len(books))
	}
	step, err := x.Ledger().Step(t.Context(), books[0].Key)
	if err != nil || step.Status != ledger.StepApplied {
		t.Errorf("the step is %s, %v", step.Status, err)
	}
	steps, err := x.Ledger().StepsOfDocument(t.Context(), "erp", books[0].Document.Number)
	if err != nil || len(steps) != 1 {
		t.Errorf("steps of document %s: %d, %v", books[0].Document.Number, len(steps), err)
	}
}
