package transaction

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"time"

	"github.com/gapless/gapless/event"
)

// Happened is an event as a plan sees it.
type Happened struct {
	Key       string       `json:"key"`       // what is stated about what; see event.Identity
	ID        string       `json:"id"`        // of the statement; see event.StatementID
	Statement int          `json:"statement"` // 1 first; the newest of a key counts
	Type      string       `json:"type"`
	Change    event.Change `json:"change,omitempty"` // event.Reversal too where a correction concerns the transaction no longer
	Plant     string       `json:"plant,omitempty"`
	Ordering  string       `json:"ordering"` // its place among the events of the key object; see event.Event.Order
	Position  int64        `json:"position"` // in the plant's feed; decides where orderings are equal
	Refs      []event.Ref  `json:"refs,omitempty"`
	Occurred  time.Time    `json:"occurred"`           // from when; kept in UTC
	Disputed  bool         `json:"disputed,omitempty"` // a policy objects: its steps are held for a person
}

// Noted is an event of a transaction: the newest statement of its key.
type Noted struct {
	Happened
	Arrival int      `json:"arrival"`          // the how many'th note it was, from 1
	Passed  []string `json:"passed,omitempty"` // reactions that were off, or had no system to command, when it was first decided about: it stays without steps of theirs
}

// An Instance is the state of one transaction: the fold of what was noted, what
// was decided and what became of it. It is plain data, that reads back from its
// JSON as the same value; no function of this package changes one that it is given.
// A new one is an Instance with Key, and Home where the plan is at home at plants.
type Instance struct {
	Key      event.Ref  `json:"key"`
	Home     string     `json:"home,omitempty"`     // the plant whose ledger it stands in; "" for the plan's own home
	Events   []Noted    `json:"events,omitempty"`   // in fold order: by ordering, then position
	Steps    []Step     `json:"steps,omitempty"`    // in the order in which they were decided; none is ever taken out
	Bundles  []Bundle   `json:"bundles,omitempty"`  // of reactions that collect, in the order in which they were opened; none is ever taken out
	Open     []Expected `json:"open,omitempty"`     // what is expected and has not come, by name
	Complete bool       `json:"complete,omitempty"` // as of the last Next; a later event may open it again
	Arrivals int        `json:"arrivals,omitempty"` // how many notes changed it
}

// An Expected is an expectation that is open. Its deadline is Within after the
// event Since was recorded, which the caller knows.
type Expected struct {
	Name   string        `json:"name"`
	Since  string        `json:"since"` // statement id of the earliest event that nothing followed
	Within time.Duration `json:"within"`
}

// A Kind says what a step does to what is applied already.
type Kind string

// The three kinds.
const (
	KindDo    Kind = "do"    // performs what follows from an event
	KindAmend Kind = "amend" // brings a correction to what was applied
	KindUndo  Kind = "undo"  // takes back what was applied
)

// A Step is one command to one system because of one event.
type Step struct {
	Key       string      `json:"key"` // the command key; see CommandKey
	Kind      Kind        `json:"kind"`
	Reaction  string      `json:"reaction"`
	Role      string      `json:"role"`
	Plant     string      `json:"plant,omitempty"`  // for which the role was resolved
	System    string      `json:"system,omitempty"` // it keeps the one that it was resolved to; "" where none was yet
	Command   string      `json:"command,omitempty"`
	Event     string      `json:"event"`             // key of the event that caused it; of a bundle the member that came last
	Bundle    string      `json:"bundle,omitempty"`  // key of the bundle that it performs, or a member of which it amends
	Members   []Member    `json:"members,omitempty"` // what it performs or takes back as a whole, in the order in which it came; nil where that is Cause alone
	Cause     string      `json:"cause"`             // statement id of that event
	Ordering  string      `json:"ordering"`          // of the cause: within a lane the smaller goes first, then the one decided first
	Basis     string      `json:"basis,omitempty"`   // amend, undo: statement id of what was applied; ensure: of the event that decides the status
	Amends    string      `json:"amends,omitempty"`  // key of the applied step that it amends or undoes; see Instance.Behind
	Wanted    string      `json:"wanted,omitempty"`  // ensure: the status that it states
	Lanes     []event.Ref `json:"lanes"`             // sorted
	After     []string    `json:"after,omitempty"`   // keys of steps that must be applied before
	Status    StepStatus  `json:"status"`
	Reason    string      `json:"reason,omitempty"`    // held: why, one of the Held constants or what Settle was given; refused: the same
	Documents []string    `json:"documents,omitempty"` // numbers that the system gave

	Partly bool `json:"partly,omitempty"` // some lines of it are in effect, also while it is tried again
	Again  bool `json:"again,omitempty"`  // ensure: since it went out, an older one or goods that it is for came in; it is to be stated again
}

// A StepStatus says how far a step is.
type StepStatus string

// The statuses of a step.
const (
	StepWaiting       StepStatus = "waiting"        // steps that it comes after are not applied yet
	StepDue           StepStatus = "due"            // it may go out
	StepHeld          StepStatus = "held"           // it needs a person; Reason says why
	StepSent          StepStatus = "sent"           // an attempt may have gone out, no answer is known
	StepAccepted      StepStatus = "accepted"       // the answer comes later, as a message
	StepApplied       StepStatus = "applied"        // it is in effect
	StepPartlyApplied StepStatus = "partly-applied" // some lines of it are
	StepRefused       StepStatus = "refused"        // the system said no
	StepSuperseded    StepStatus = "superseded"     // a newer one took its place before it went out
	StepObsolete      StepStatus = "obsolete"       // its cause is gone; it did not go out
	StepReversed      StepStatus = "reversed"       // it was applied, and so is its undo
	StepShadow        StepStatus = "shadow"         // it is never performed, only compared with what happened
	StepWaived        StepStatus = "waived"         // a person decided that it is not performed
)

// Unsent says whether the step is not on its way and has not come to an end: what a
// newer event may still supersede, but for a step of which a part is in effect.
func (s StepStatus) Unsent() bool {
	return s == StepWaiting || s == StepDue || s == StepHeld || s == StepRefused
}

// InFlight says whether an attempt may have gone out of which nothing final is known.
func (s StepStatus) InFlight() bool { return s == StepSent || s == StepAccepted }

// Dead says whether the step never was and will not be in effect.
func (s StepStatus) Dead() bool {
	return s == StepSuperseded || s == StepObsolete || s == StepWaived || s == StepShadow
}

// Settled says whether the step has come to an end.
func (s StepStatus) Settled() bool { return s == StepApplied || s == StepReversed || s.Dead() }

// Why Next holds a step. Whoever settles a step as held gives reasons of their own.
const (
	HeldRole     = "role-unresolved" // no system of the plant has the role; it goes on by itself when one has
	HeldDisputed = "disputed"        // a policy disputes the cause
	HeldNoAmend  = "no-amend"        // it was applied and corrected since, and the plan says neither amend nor undo
	HeldNoUndo   = "no-undo"         // it was applied and reversed since, and the plan says no undo
	HeldPartly   = "partly-applied"  // its event changed after a part of it was applied
	HeldTwice    = "applied-twice"   // two steps of one event are in effect; this takes back the older one
)

// A Mode says what a plant does with a reaction.
type Mode string

// The three modes. An event keeps the mode that it was first decided in, through
// all its corrections: who performed it performs what follows.
const (
	ModeOff    Mode = "off"    // no steps
	ModeShadow Mode = "shadow" // steps that are never performed
	ModeLive   Mode = "live"
)

// A World is what Next is given besides the transaction. There is no clock in it.
type World struct {
	State State // of the key object, folded

	// Resolve names the system that has a role at a plant. Not ok: nobody knows, and
	// the step is held. Ok without a system: the plant has none, and needs no step.
	// Where it is nil, nobody knows of any role.
	Resolve func(role, plant string, at time.Time) (system string, ok bool)

	Mode func(reaction, plant string) Mode // nil: live

	// Collect is how a plant collects the events of a reaction, where it says so; nil,
	// and where it says nothing: as the plan does.
	Collect func(reaction, plant string) (terms Collecting, says bool)
}

// A Result is what became known of a step. Status is one of: sent (before the
// attempt leaves), accepted, applied (by answer, by finding or by echo),
// partly-applied, refused, due (it is absent, or a person lets it go on), held,
// waived.
type Result struct {
	Status    StepStatus
	Documents []string // numbers that the system gave; added to those known
	Reason    string   // with refused and held
}

// CommandKey is the key of a command, 64 hex digits: the same for the same step
// whenever and wherever it is decided. Its parts are hashed each with its length in
// front, so that no two lists of parts collide by concatenation (as event.Identity
// does). An ensure reaction that states a status again because of the same cause
// numbers the kind: "do 2".
func CommandKey(home, plan string, key event.Ref, reaction, role, cause, kind string) string {
	b := make([]byte, 0, 256)
	for _, part := range [...]string{"command", home, plan, string(key), reaction, role, cause, kind} {
		b = strconv.AppendInt(b, int64(len(part)), 10)
		b = append(b, ':')
		b = append(b, part...)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// Changes is the steps of after that are new or changed since before, in order.
// Both are of one transaction; steps are never taken out.
func Changes(before, after Instance) []Step {
	var changed []Step
	for i := range after.Steps {
		if i >= len(before.Steps) || !before.Steps[i].equal(&after.Steps[i]) {
			changed = append(changed, after.Steps[i])
		}
	}
	return changed
}

func (s *Step) equal(o *Step) bool {
	return s.Key == o.Key && s.Kind == o.Kind && s.Reaction == o.Reaction && s.Role == o.Role && s.Plant == o.Plant &&
		s.System == o.System && s.Command == o.Command && s.Event == o.Event && s.Cause == o.Cause && s.Ordering == o.Ordering &&
		s.Basis == o.Basis && s.Amends == o.Amends && s.Wanted == o.Wanted && s.Status == o.Status && s.Reason == o.Reason &&
		s.Partly == o.Partly && s.Again == o.Again && slices.Equal(s.Lanes, o.Lanes) && slices.Equal(s.After, o.After) &&
		slices.Equal(s.Documents, o.Documents)
}

// Step finds a step by its key.
func (in *Instance) Step(key string) (Step, bool) {
	if i := in.find(key); i >= 0 {
		return in.Steps[i], true
	}
	return Step{}, false
}

func (in *Instance) find(key string) int {
	return slices.IndexFunc(in.Steps, func(s Step) bool { return s.Key == key })
}

// Behind is the steps that a step amends or undoes, the newest first: what it
// amends, what that amends, and so on to the first. Their documents are what an
// undo has to take back.
func (in *Instance) Behind(s Step) []Step {
	var all []Step
	for key := s.Amends; key != ""; {
		i := in.find(key)
		if i < 0 {
			break
		}
		all = append(all, in.Steps[i])
		key = in.Steps[i].Amends
	}
	return all
}
