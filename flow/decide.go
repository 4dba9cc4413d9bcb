package flow

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/policy"
)

// decision is what Decide works on: one entry against the state of then.
type decision struct {
	cat     *catalog.Catalog
	w       *ledger.Working
	e       *ledger.Entry
	known   ledger.Inbox
	seen    bool
	objects map[event.Ref]ledger.Object // states as this entry leaves them
}

// Decide says what follows from an entry, inside the commit and from state alone. Of a
// replay nothing follows but what was shown.
func Decide(cat *catalog.Catalog, w *ledger.Working, e *ledger.Entry) ledger.Decision {
	answer := decide(cat, w, e)
	if r := e.Replay; r != nil && r.Shown != "" && answer.Outcome != ledger.Again && answer.Outcome != ledger.Later && foreseen(&answer) != r.Shown {
		return ledger.Decision{Outcome: ledger.Unforeseen}
	}
	return answer
}

func decide(cat *catalog.Catalog, w *ledger.Working, e *ledger.Entry) ledger.Decision {
	d := &decision{cat: cat, w: w, e: e, objects: map[event.Ref]ledger.Object{}}
	key := e.Message.Key()
	d.known, d.seen = w.Inbox[key]
	if e.Edit != nil && !d.editable() {
		return ledger.Decision{Outcome: ledger.Duplicate, Version: d.known.Version}
	}
	if repeated, answer := d.repetition(key); repeated {
		return answer
	}
	if d.seen && !d.restates() {
		return d.conflict()
	}
	if d.overtaken() {
		return ledger.Decision{Outcome: ledger.Duplicate}
	}
	if e.Fault != nil {
		return d.hold(e.Fault, e.Waits)
	}
	if d.sightedMeanwhile() {
		return ledger.Decision{Outcome: ledger.Again}
	}
	drafts, stop := d.statements(key)
	if stop != nil {
		return *stop
	}
	for i := range drafts {
		if stop := d.judge(&drafts[i]); stop != nil {
			return *stop
		}
	}
	if stop := d.foldAll(drafts); stop != nil {
		return *stop
	}
	answer := d.record(drafts)
	var err error
	if answer.Following, err = d.follow(drafts); err != nil {
		return d.hold(asFault("flow.Decide", fault.PoisonedMessage, err), nil)
	}
	return answer
}

// repetition recognises content that was seen before: of the newest version, or
// of an earlier one that comes late.
func (d *decision) repetition(key string) (bool, ledger.Decision) {
	if !d.seen {
		return false, ledger.Decision{}
	}
	digest := d.e.Message.Digest
	switch {
	case digest == d.known.Digest && !d.known.Held:
		if d.e.Replay != nil {
			return false, ledger.Decision{}
		}
		return true, ledger.Decision{Outcome: ledger.Duplicate, Version: d.known.Version}
	case digest == d.known.Digest && d.known.Waived: // what a person gave up stays given up, until it is sent with other content
		return true, ledger.Decision{Outcome: ledger.Duplicate, Version: d.known.Version}
	case digest == d.known.Digest:
		return false, ledger.Decision{} // held: perhaps it can go on now
	}
	if version, ok := d.w.Versions[key][digest]; ok && digest != d.known.Conflict {
		return true, ledger.Decision{Outcome: ledger.Duplicate, Version: version}
	}
	return false, ledger.Decision{}
}

// restates tells whether the entry may take the place of the known version. Where
// nothing of that is on record and its content is at fault, the remedy is to send
// it again corrected, under the same id. What was edited here, or asked to be
// corrected, the source may always restate.
func (d *decision) restates() bool {
	if d.e.Message.Digest == d.known.Digest || d.e.Restates || d.e.Edit != nil || d.known.Edit != nil {
		return true
	}
	if _, asked := d.w.Asked[d.e.Message.Key()]; asked {
		return true
	}
	if !d.known.Held || d.known.Effective > 0 {
		return false
	}
	if d.known.Waived {
		return true
	}
	code, _, _ := strings.Cut(d.known.Exception, "|")
	reason := fault.ByCode(code)
	return reason != nil && (reason.Class == fault.Data || reason.Class == fault.Definition)
}

// overtaken tells whether a person's decision is about a step that stands otherwise by
// now: somebody else has decided, or its system has told of it.
func (d *decision) overtaken() bool {
	return slices.ContainsFunc(d.e.Settlements, func(s ledger.Settlement) bool {
		step := d.w.Steps[s.Step]
		return movedOn(&s, &step)
	})
}

// movedOn tells whether a step stands otherwise than it did when somebody decided about it,
// or so once more: what came between, nobody has looked at.
func movedOn(s *ledger.Settlement, step *ledger.Step) bool {
	return s.From != "" && (s.From != step.Status || !s.Since.Equal(step.Changed))
}

// conflict keeps other content under a known id where the source does not
// restate: once, however often it comes.
func (d *decision) conflict() ledger.Decision {
	m := &d.e.Message
	if m.System == hubSystem && m.Name == resolutionMessage { // of two who decide at once the first one counts, and the other is told
		return ledger.Decision{Outcome: ledger.Duplicate, Version: d.known.Version}
	}
	f := fault.New("flow.Decide", fault.IdentityConflict, "id", "%s %q of %s came before with other content (%s)", m.Name, m.ID, m.System, d.known.Recorded.Format(time.RFC3339))
	if d.known.Conflict == m.Digest {
		return ledger.Decision{Outcome: ledger.Duplicate, Version: d.w.Versions[m.Key()][m.Digest]}
	}
	return d.held(f, ledger.Decision{Version: d.next(), Keep: true, Conflict: true})
}

// version is the number under which the entry's content is kept, and whether it
// has to be added.
func (d *decision) version() (int, bool) {
	if d.seen && d.e.Message.Digest == d.known.Digest {
		return d.known.Version, false
	}
	if refused, ok := d.w.Versions[d.e.Message.Key()][d.known.Conflict]; ok && d.e.Message.Digest == d.known.Conflict {
		return refused, false
	}
	return d.next(), true
}

// next is the number behind all versions that were ever kept, refused ones too.
func (d *decision) next() int {
	last := d.known.Version
	for _, version := range d.w.Versions[d.e.Message.Key()] {
		last = max(last, version)
	}
	return last + 1
}

// hold keeps the message and says why it does not go on. What heals is checked
// once more here, where no wake-up can be lost.
func (d *decision) hold(f *fault.Fault, waits []string) ledger.Decision {
	if f.Reason.Class == fault.Heals && d.e.Attempt == 0 && slices.ContainsFunc(waits, func(w string) bool { return d.w.Satisfied[w] }) {
		return ledger.Decision{Outcome: ledger.Again}
	}
	if d.e.Edit != nil { // it goes on record as a whole, or not at all
		return ledger.Decision{Outcome: ledger.Refused, Fault: f}
	}
	version, keep := d.version()
	same := !keep && d.known.Held && d.known.Exception == ledger.ExceptionText(f)
	return d.held(f, ledger.Decision{Version: version, Keep: keep, Waits: waits, Same: same})
}

// held completes the decision that a message does not go on: for whom, and until when.
func (d *decision) held(f *fault.Fault, answer ledger.Decision) ledger.Decision {
	answer.Outcome, answer.Fault = ledger.Held, f
	answer.Owner, answer.Terms = cared(d.cat, f.Reason, d.e.Message.Plant, d.e.Groups)
	return answer
}

// statements compares what the entry states with what stands: equal is nothing,
// other content is a correction, a slot that is gone is a reversal, the rest is
// new. The same comparison serves a restated message and a replay.
func (d *decision) statements(key string) ([]ledger.Draft, *ledger.Decision) {
	var drafts []ledger.Draft
	stated := map[string]bool{}
	for i := range d.e.Drafts {
		draft := d.e.Drafts[i]
		if wanted := d.missing(draft.After); wanted != "" {
			f := fault.New("flow.Decide", fault.PredecessorMissing, "", "waits for %s", wanted)
			stop := d.hold(f, draft.After)
			return nil, &stop
		}
		if d.replays() && !d.restated(key, &draft) {
			stated[draft.Key] = true
			continue
		}
		if f, waits := d.amend(&draft); f != nil {
			stop := d.hold(f, waits)
			return nil, &stop
		}
		stated[draft.Key] = true
		before, known := d.w.Statements[draft.Key]
		if !known {
			draft.Statement = 1
			drafts = append(drafts, draft)
			continue
		}
		if draft.Amends == "" && before.Digest == draft.Digest && before.Change != event.Reversal {
			continue
		}
		if f := d.follows(&draft, &before); f != nil {
			stop := d.hold(f, nil)
			return nil, &stop
		}
		draft.Statement = before.Statement + 1
		if draft.Change == event.First {
			draft.Change = event.Correction
		}
		drafts = append(drafts, draft)
	}
	gone, f := d.gone(key, stated)
	if f != nil {
		stop := d.hold(f, nil)
		return nil, &stop
	}
	drafts = append(drafts, gone...)
	for _, message := range d.e.Undoes {
		if gone, f = d.gone(message, nil); f != nil {
			stop := d.hold(f, nil)
			return nil, &stop
		}
		drafts = append(drafts, gone...)
	}
	return drafts, nil
}

// replays tells whether content is taken in again of which events stand, or stood: by a
// replay, or because a replay has held it and now it goes on.
func (d *decision) replays() bool {
	again := d.known.Held && d.known.Effective == d.known.Version && d.e.Message.Digest == d.known.Digest
	return d.known.Effective > 0 && (d.e.Replay != nil || again)
}

// restated points a draft of a replay to the statement of the same message that it is
// compared with. It is false where the draft has nothing to say: what another message has
// stated or amended since is that message's, and a reversal that stands is not made again.
func (d *decision) restated(key string, draft *ledger.Draft) bool {
	if draft.Amends == "" {
		before, known := d.w.Statements[draft.Key]
		return !known || before.Message == key
	}
	own := d.w.ByMessage[key]
	if len(own) == 0 {
		return false
	}
	before := d.w.Statements[own[0]] // a message that amends states one event
	draft.Key, draft.Identity, draft.Slot, draft.Amends = before.Key, before.Identity, before.Slot, ""
	return draft.Change != event.Reversal
}

// follows tells what keeps a draft from being the next statement behind another.
func (d *decision) follows(draft *ledger.Draft, before *ledger.Statement) *fault.Fault {
	if before.Message != d.e.Message.Key() && draft.Amends == "" && !d.e.Restates {
		return fault.New("flow.Decide", fault.IdentityConflict, "id", "another message of %s has stated %s with other content", draft.System, before.ID())
	}
	return d.elsewhere(before)
}

// elsewhere refuses to change what was stated for another plant: a chain of
// statements stays in one feed.
func (d *decision) elsewhere(before *ledger.Statement) *fault.Fault {
	if before.Plant == d.e.Message.Plant {
		return nil
	}
	return fault.New("flow.Decide", fault.ChainConflict, "plant", "statement %s is of plant %q, this message of %q: reverse it there, and state it anew here",
		before.ID(), before.Plant, d.e.Message.Plant)
}

func (d *decision) missing(after []string) string {
	if len(after) == 0 || slices.ContainsFunc(after, func(w string) bool { return d.w.Satisfied[w] }) {
		return ""
	}
	return after[0]
}

// gone reverses the statements that the message made before and makes no more.
func (d *decision) gone(key string, stated map[string]bool) ([]ledger.Draft, *fault.Fault) {
	var drafts []ledger.Draft
	for _, k := range d.w.ByMessage[key] {
		before := d.w.Statements[k]
		if stated[k] || before.Change == event.Reversal {
			continue
		}
		if f := d.elsewhere(&before); f != nil {
			return nil, f
		}
		r := before.Draft
		r.Statement, r.Change, r.Facts, r.Verdicts = before.Statement+1, event.Reversal, nil, nil
		r.Mapping, r.Revision, r.Edited = d.e.Mapping, d.e.Revision, d.e.Message.Channel == ledger.EditChannel
		drafts = append(drafts, r)
	}
	return drafts, nil
}

// amend finds the statement that a draft corrects or reverses by the message
// that made it. Chains are linear: only the newest can be amended.
func (d *decision) amend(draft *ledger.Draft) (*fault.Fault, []string) {
	if draft.Amends == "" {
		return nil, nil
	}
	keys := d.w.ByMessage[draft.Amends]
	if len(keys) == 0 {
		if _, seen := d.w.Inbox[draft.Amends]; seen {
			if d.w.Inbox[draft.Amends].Held {
				return fault.New("flow.Decide", fault.PredecessorMissing, string(draft.Change), "what it refers to is held itself"), []string{ledger.MessageWanted(draft.Amends)}
			}
			return fault.New("flow.Decide", fault.ChainConflict, string(draft.Change), "another message has amended it already"), nil
		}
		return fault.New("flow.Decide", fault.PredecessorMissing, string(draft.Change), "what it refers to has not arrived"), []string{ledger.MessageWanted(draft.Amends)}
	}
	before := d.w.Statements[keys[0]]
	if before.Change == event.Reversal {
		return fault.New("flow.Decide", fault.AlreadyReversed, string(draft.Change), "statement %s", before.ID()), nil
	}
	if before.Type != draft.Type {
		return fault.New("flow.Decide", fault.ChainConflict, "type", "a %s of %s cannot be a %s", draft.Change, before.Type, draft.Type), nil
	}
	if f := d.elsewhere(&before); f != nil {
		return f, nil
	}
	if draft.Change == event.Reversal {
		own := *draft
		*draft = before.Draft
		draft.Change, draft.Facts, draft.Verdicts, draft.Amends = event.Reversal, nil, nil, own.Amends
		draft.Mapping, draft.Revision, draft.Edited = own.Mapping, own.Revision, own.Edited
		draft.Correlation, draft.Causation = cmp.Or(own.Correlation, before.Correlation), cmp.Or(own.Causation, before.Causation)
		return nil, nil
	}
	draft.Key, draft.Identity, draft.Slot = before.Key, before.Identity, before.Slot
	return nil, nil
}

// judge asks the policies that read state. A decision can be forbidden; a fact
// happened and is disputed.
func (d *decision) judge(draft *ledger.Draft) *ledger.Decision {
	if draft.Change == event.Reversal || len(d.cat.Policies().For(draft.Type, policy.InCommit)) == 0 {
		return nil
	}
	states, ok := d.states(draft)
	if !ok {
		return &ledger.Decision{Outcome: ledger.Later}
	}
	in := policy.Input{Event: catalog.PolicyEvent(&draft.Event), State: states, Subject: states[string(draft.Subject)]}
	for _, v := range d.cat.Policies().Judge(policy.InCommit, in) {
		draft.Verdicts = append(draft.Verdicts, storedVerdict(v))
		if stop := d.verdict(draft, v); stop != nil {
			return stop
		}
	}
	return nil
}

func (d *decision) verdict(draft *ledger.Draft, v policy.Verdict) *ledger.Decision {
	f, disputed := applyVerdict(v)
	draft.Disputed = draft.Disputed || disputed
	if f == nil {
		return nil
	}
	f.Ref = draft.Subject
	stop := d.hold(f, nil)
	return &stop
}

// foldAll moves the states of all objects that the drafts touch, or that the
// statements before them did.
func (d *decision) foldAll(drafts []ledger.Draft) *ledger.Decision {
	touching := map[event.Ref][]*ledger.Draft{}
	var refs []event.Ref
	for i := range drafts {
		for _, ref := range d.moves(&drafts[i]) {
			if touching[ref] == nil {
				refs = append(refs, ref)
			}
			touching[ref] = append(touching[ref], &drafts[i])
		}
	}
	for _, ref := range refs {
		lifecycle := d.cat.Lifecycle(ref.Kind())
		if lifecycle == nil {
			continue // this revision of the catalog has none for the kind
		}
		before, known := d.w.Objects[ref]
		steps := newSteps(lifecycle, ref, touching[ref])
		after := before
		switch {
		case steps.inOrder(before.Ordering):
			after.State = steps.fold(lifecycle, stateOf(before.State)).Map()
			after.Ordering = steps[len(steps)-1].ordering
		case known && !before.Complete:
			return &ledger.Decision{Outcome: ledger.Later}
		default:
			steps = steps.among(lifecycle, before.History)
			after.State = steps.fold(lifecycle, lifecycle.Initial()).Map()
			after.Ordering = steps.last()
		}
		if stop := d.refused(ref, steps); stop != nil {
			return stop
		}
		d.objects[ref] = after
	}
	return nil
}

// moves are the objects whose state a draft moves: those of its own fold, and those
// of the statement before it, which it may leave.
func (d *decision) moves(draft *ledger.Draft) []event.Ref {
	refs := make([]event.Ref, 0, len(draft.Folds))
	for _, f := range draft.Folds {
		refs = append(refs, f.Ref)
	}
	if draft.Statement == 1 {
		return refs
	}
	for _, f := range d.w.Statements[draft.Key].Folds {
		if !slices.Contains(refs, f.Ref) {
			refs = append(refs, f.Ref)
		}
	}
	return refs
}

// refused answers the transitions that the state does not allow: a decision is
// held, a fact is disputed.
func (d *decision) refused(ref event.Ref, steps steps) *ledger.Decision {
	for _, s := range steps {
		if !s.refused || s.draft == nil {
			continue
		}
		text := fmt.Sprintf("%s is %q, which allows no %s", ref, s.status, s.draft.Type)
		if k, ok := d.cat.Contract(s.draft.Type, s.draft.Version); ok && k.IsDecision() {
			f := fault.New("flow.Decide", fault.TransitionInvalid, "type", "%s", text)
			f.Ref = ref
			stop := d.hold(f, nil)
			return &stop
		}
		s.draft.Disputed = true
		s.draft.Verdicts = append(s.draft.Verdicts, ledger.Verdict{
			Policy: "lifecycle " + ref.Kind(), Outcome: string(policy.Stop), Effect: string(policy.Dispute),
			Reason: fault.TransitionInvalid.Code, Message: text, Remedy: fault.TransitionInvalid.Remedy,
		})
	}
	return nil
}

// states are the states of all objects of a draft, as policies read them: what
// they were when the entry came. A correction is judged as if the statement that
// it restates had not been made. ok is false where that needs a history that this
// commit does not have.
func (d *decision) states(draft *ledger.Draft) (all map[string]map[string]any, ok bool) {
	all = map[string]map[string]any{}
	var before []ledger.Fold
	if draft.Statement > 1 {
		before = d.w.Statements[draft.Key].Folds
	}
	for _, ref := range draft.Refs {
		o := d.w.Objects[ref]
		if lifecycle := d.cat.Lifecycle(ref.Kind()); lifecycle != nil && slices.ContainsFunc(before, func(f ledger.Fold) bool { return f.Ref == ref }) {
			if !o.Complete {
				return nil, false
			}
			others := slices.DeleteFunc(slices.Clone(o.History), func(h ledger.Folded) bool { return h.Key == draft.Key })
			if len(others) > 0 {
				all[string(ref)] = steps(nil).among(lifecycle, others).fold(lifecycle, lifecycle.Initial()).Map()
			}
		} else if o.State != nil {
			all[string(ref)] = o.State
		}
	}
	return all, true
}

// record is the decision for an entry that goes on record.
func (d *decision) record(drafts []ledger.Draft) ledger.Decision {
	version, keep := d.version()
	outcome := ledger.Recorded
	if d.known.Effective > 0 {
		outcome = ledger.Corrected
		if len(drafts) == 0 && !keep && !d.known.Held {
			outcome = ledger.Duplicate
		}
	}
	return ledger.Decision{Outcome: outcome, Version: version, Keep: keep, Drafts: drafts, Objects: d.objects}
}

// editable tells whether the message stands as it did when a person looked at it to edit
// it: held, in the version that was edited. Of two who edit at once the first one counts.
func (d *decision) editable() bool {
	edit := d.e.Edit
	if edit.ID != "" && !d.w.Proposed[edit.ID] {
		return false
	}
	return d.known.Held && !d.known.Waived && d.known.Version == edit.Original
}
