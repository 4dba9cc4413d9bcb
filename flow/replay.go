package flow

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/transaction"
)

// ReplayProposal is what was begun to be proposed: the replay, without an id where no
// message was chosen, and the chosen messages of which the content is gone.
type ReplayProposal struct {
	ledger.Replay
	Erased []ledger.ChosenMessage
}

// ProposeReplay chooses messages and begins the dry run that tells what would become of
// them under the catalog in force. Where none is chosen it begins nothing.
func (f *Flow) ProposeReplay(ctx context.Context, by string, c *ledger.Choice, why string) (ReplayProposal, error) {
	if err := f.running(ctx); err != nil {
		return ReplayProposal{}, err
	}
	if err := f.choosable(c); err != nil {
		return ReplayProposal{}, err
	}
	chosen, err := f.ledger.Choose(ctx, c, f.outdated())
	p := ReplayProposal{Replay: ledger.Replay{Choice: *c, Revision: f.Catalog().Digest()}, Erased: chosen.Erased}
	if err != nil || len(chosen.Members) == 0 {
		return p, err
	}
	p.Replay, err = f.ledger.StartReplay(ctx, by, c, &chosen, p.Revision, why)
	f.pokeBulk()
	return p, err
}

// choosable refuses a choice that can choose nothing.
func (f *Flow) choosable(c *ledger.Choice) error {
	cat := f.Catalog()
	invalid := func(field, format string, args ...any) error {
		return fault.New("flow.ProposeReplay", fault.InvalidRequest, field, format, args...)
	}
	if _, ok := cat.Plant(c.Plant); !ok {
		return invalid("plant", "%.60q is not in the catalog: say of which plant, a replay is of one", c.Plant)
	}
	if _, ok := cat.System(c.System); !ok && c.System != "" {
		return invalid("system", "%.60q is not in the catalog", c.System)
	}
	if !c.RecordedTo.IsZero() && !c.RecordedFrom.Before(c.RecordedTo) {
		return invalid("recorded_to", "it is not behind recorded_from")
	}
	if !c.OccurredTo.IsZero() && !c.OccurredFrom.Before(c.OccurredTo) {
		return invalid("occurred_to", "it is not behind occurred_from")
	}
	return nil
}

// outdated tells whether an event was made by another version of its mapping than the
// one in force. What a revision had that cannot be read any more counts as another.
func (f *Flow) outdated() ledger.Outdated {
	now := f.Catalog()
	known := map[string]map[string]string{} // digests of mappings, by revision
	return func(ctx context.Context, name, revision string) (bool, error) {
		system, message, mapped := strings.Cut(name, "/")
		if !mapped || revision == now.Digest() {
			return false, nil
		}
		digests, ok := known[revision]
		if !ok {
			digests = map[string]string{}
			cat, err := f.revision(ctx, revision)
			if err != nil && (ctx.Err() != nil || errors.Is(err, fault.Unavailable)) {
				return false, err
			}
			if err == nil {
				for _, m := range cat.Messages() {
					digests[m.System+"/"+m.Definition.Message] = m.Digest
				}
			}
			known[revision] = digests
		}
		m, ok := now.Message(system, message)
		return !ok || digests[name] != m.Digest, nil
	}
}

// ApproveReplay approves a replay as a second person.
func (f *Flow) ApproveReplay(ctx context.Context, by, id, why string) (ledger.Replay, error) {
	return f.ledger.ApproveReplay(ctx, by, id, f.Catalog().Digest(), why)
}

// RunReplay lets a replay run as it was shown.
func (f *Flow) RunReplay(ctx context.Context, by, id, why string) (ledger.Replay, error) {
	if err := f.running(ctx); err != nil {
		return ledger.Replay{}, err
	}
	r, err := f.ledger.RunReplay(ctx, by, id, f.Catalog().Digest(), why)
	f.pokeBulk()
	return r, err
}

// replayed is the version of a message that is a member of a replay, as it was kept. The
// fault is DecidedAlready where another one has come since.
func (f *Flow) replayed(ctx context.Context, m *ledger.BulkMember) (arrival, error) {
	stored, err := f.ledger.Message(ctx, m.ID(), true)
	if err != nil {
		return arrival{}, err
	}
	a := arrival{Message: stored.Message}
	switch {
	case stored.Newest != m.Version:
		return a, fault.New("flow.replay", fault.DecidedAlready, "", "another version of the message has come since")
	case stored.Erased:
		return a, fault.New("flow.replay", fault.NotFound, "message", "the raw content of %s was erased", m.ID())
	}
	if a.record, err = decodeKept(a.Body); err != nil {
		return a, fault.Wrap("flow.replay", fault.NotReadable, "", err)
	}
	return a, nil
}

// replayAgain is how a member of a replay is taken in again.
func (f *Flow) replayAgain(ctx context.Context, work *ledger.Bulk, m *ledger.BulkMember, place *ledger.BulkPlace) (goingOn, error) {
	a, err := f.replayed(ctx, m)
	if err != nil {
		return goingOn{}, err
	}
	a.by, a.bulk, a.replay = work.By, place, &ledger.Replaying{Shown: m.Shown, Why: work.Why}
	e, err := f.prepare(ctx, a, 0)
	return goingOn{a, e}, err
}

// replayLeft are the next members of a replay that runs. One that was looked at under
// another catalog than the one in force is cancelled: it would not become what was shown.
func (f *Flow) replayLeft(ctx context.Context, work *ledger.Bulk) ([]ledger.BulkMember, error) {
	r, err := f.ledger.Uncounted(ctx, work.ID)
	if err != nil {
		return nil, err
	}
	if err := f.underItsCatalog(ctx, &r); err != nil {
		return nil, err
	}
	work.By = r.Runner
	return f.ledger.ReplayLeft(ctx, work.ID, bulkTurn)
}

// underItsCatalog cancels a replay whose catalog is no longer in force. The fault is
// DecidedAlready then.
func (f *Flow) underItsCatalog(ctx context.Context, r *ledger.Replay) error {
	digest := f.Catalog().Digest()
	if r.Revision == digest {
		return nil
	}
	why := fmt.Sprintf("the catalog in force is %.12s, and it was looked at under %.12s: propose it anew", digest, r.Revision)
	if err := f.ledger.StopReplay(ctx, f.principal(), r.ID, why); err != nil {
		return err
	}
	return fault.New("flow.replay", fault.DecidedAlready, "state", "%s", why)
}

// examinePage is how many members a dry run looks at between two commits, and rehearsed
// is how many it looks at in one read.
const (
	examinePage = 256
	rehearsed   = 64
)

// examineAll lets each dry run look at its next members, and tells whether there was any.
func (f *Flow) examineAll(ctx context.Context) (bool, error) {
	all, err := f.ledger.Examining(ctx)
	for i := range all {
		if failed := f.examine(ctx, &all[i]); failed != nil && !errors.Is(failed, fault.DecidedAlready) { // cancelled, or done by another node
			err = errors.Join(err, failed)
		}
	}
	return len(all) > 0, err
}

// examine looks at the next members of a dry run, or ends it.
func (f *Flow) examine(ctx context.Context, r *ledger.Replay) error {
	if err := f.underItsCatalog(ctx, r); err != nil {
		return err
	}
	members, err := f.ledger.Unexamined(ctx, r, examinePage)
	if err != nil {
		return err
	}
	if len(members) == 0 {
		return f.ledger.Propose(ctx, f.principal(), r.ID, r.Members > f.Catalog().ApproveAbove())
	}
	x := examination{page: ledger.ReplayPage{Figures: map[ledger.FigureKey]*ledger.ReplayFigure{}, Commands: map[ledger.ReplayCommand]int64{}}}
	for some := range slices.Chunk(members, rehearsed) {
		if err := f.rehearse(ctx, some, &x); err != nil {
			return err
		}
	}
	slices.SortFunc(x.page.Findings, func(a, b ledger.ReplayFinding) int { return int(a.N - b.N) })
	return f.ledger.Examined(ctx, f.principal(), r, &x.page)
}

// rehearse tells of some members what would become of them.
func (f *Flow) rehearse(ctx context.Context, members []ledger.BulkMember, x *examination) error {
	var numbers []int64
	var arrivals []arrival
	for i := range members {
		a, err := f.replayed(ctx, &members[i])
		switch {
		case errors.Is(err, fault.DecidedAlready):
			x.tell(members[i].N, ledger.ReplayMovedOn, fault.Of(err).Explanation())
		case fault.Of(err) != nil && !errors.Is(err, fault.Unavailable):
			x.tell(members[i].N, ledger.ReplayFailed, fault.Of(err).Text())
		case err != nil:
			return err
		default:
			a.replay = &ledger.Replaying{}
			numbers, arrivals = append(numbers, members[i].N), append(arrivals, a)
		}
	}
	for attempt := 0; len(arrivals) > 0; attempt++ {
		entries := make([]*ledger.Entry, len(arrivals))
		for i, a := range arrivals {
			var err error
			if entries[i], err = f.prepare(ctx, a, attempt); err != nil {
				return err
			}
		}
		all, err := f.ledger.Rehearse(ctx, entries)
		if err != nil {
			return err
		}
		var again []arrival
		var numbersAgain []int64
		for i := range all {
			if all[i].Outcome == ledger.Again && attempt < attempts { // what it waits for has arrived meanwhile
				again, numbersAgain = append(again, arrivals[i]), append(numbersAgain, numbers[i])
				continue
			}
			x.add(numbers[i], &all[i])
		}
		arrivals, numbers = again, numbersAgain
	}
	return nil
}

// foreseen is a digest of what a decision says about events. Two that are equal put the
// same statements on record, or hold the message for the same reason.
func foreseen(d *ledger.Decision) string {
	lines := []string{"goes on"}
	if d.Outcome == ledger.Held {
		lines[0] = "held " + d.Fault.Reason.Code
	}
	if d.Outcome == ledger.Duplicate {
		lines[0] = "unchanged"
	}
	for i := range d.Drafts {
		s := &d.Drafts[i]
		lines = append(lines, fmt.Sprintf("%s %s %s %t", s.ID(), s.Change, s.Digest, s.Disputed))
	}
	slices.Sort(lines[1:])
	sum := sha256.Sum256([]byte(strings.Join(lines, "\n")))
	return hex.EncodeToString(sum[:])
}

// examination gathers what a dry run finds of a page of members.
type examination struct{ page ledger.ReplayPage }

func (x *examination) tell(n int64, result ledger.ReplayResult, words string) {
	x.page.Findings = append(x.page.Findings, ledger.ReplayFinding{N: n, Result: result, Words: words})
}

// add takes what would follow from a member.
func (x *examination) add(n int64, r *ledger.Rehearsal) {
	found := ledger.ReplayFinding{N: n, Result: resultOf(r), Shown: foreseen(&r.Decision)}
	if r.Outcome == ledger.Held {
		found.Words = r.Fault.Text()
	}
	found.Unchanged = r.Stand
	for i := range r.Drafts {
		d := &r.Drafts[i]
		before, stands := r.Before[d.Key]
		if stands && before.Change != event.Reversal {
			found.Unchanged--
		}
		found.Slots = append(found.Slots, slotOf(d, &before))
		x.count(before.Facts, func(f *ledger.ReplayFigure, value event.Decimal) { f.Before = f.Before.Add(value) })
		if d.Change != event.Reversal {
			x.count(d.Facts, func(f *ledger.ReplayFigure, value event.Decimal) { f.After = f.After.Add(value) })
		}
	}
	found.Commands = commandsOf(r)
	for i := range found.Commands {
		x.page.Commands[found.Commands[i].ReplayCommand]++
	}
	x.page.Findings = append(x.page.Findings, found)
}

func (x *examination) count(facts []event.Fact, add func(*ledger.ReplayFigure, event.Decimal)) {
	for i := range facts {
		f := &facts[i]
		key := ledger.FigureKey{Measure: f.Measure, Unit: f.Base.Unit, Material: f.Material, Order: f.Order}
		if x.page.Figures[key] == nil {
			x.page.Figures[key] = &ledger.ReplayFigure{FigureKey: key}
		}
		add(x.page.Figures[key], f.Base.Value)
	}
}

// resultOf is what would become of a member.
func resultOf(r *ledger.Rehearsal) ledger.ReplayResult {
	switch {
	case r.Held && r.Waived:
		return ledger.ReplayWaived
	case r.Outcome == ledger.Held && r.Held:
		return ledger.ReplayStillHeld
	case r.Outcome == ledger.Held:
		return ledger.ReplayHeld
	case r.Outcome == ledger.Duplicate:
		return ledger.ReplayUnchanged
	case r.Held:
		return ledger.ReplayRecorded
	}
	return ledger.ReplayCorrected
}

// slotOf tells how an event would differ from what stands.
func slotOf(d *ledger.Draft, before *ledger.Statement) ledger.ReplaySlot {
	s := ledger.ReplaySlot{Change: "changed", Type: d.Type, Slot: d.Slot, Subject: string(d.Subject)}
	switch {
	case before.Key == "":
		s.Change = "new"
		return s
	case d.Change == event.Reversal:
		s.Change = "gone"
	}
	s.Event = before.ID()
	if before.Change == event.Reversal {
		s.Change = "new" // it was taken back, and comes again
		return s
	}
	if s.Change == "changed" {
		s.Fields = differences(&before.Event, &d.Event)
		if s.More = len(s.Fields) - shownFields; s.More > 0 {
			s.Fields = s.Fields[:shownFields]
		}
		s.More = max(s.More, 0)
	}
	return s
}

// What is shown of one event: so many fields, and so much of each.
const (
	shownFields = 50
	shownText   = 200
)

// differences are the fields in which two statements differ.
func differences(before, after *event.Event) []ledger.ReplayField {
	was, is := fieldsOf(before), fieldsOf(after)
	var names []string
	for name := range was {
		names = append(names, name)
	}
	for name := range is {
		if _, known := was[name]; !known {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var all []ledger.ReplayField
	for _, name := range names {
		if was[name] != is[name] {
			all = append(all, ledger.ReplayField{Field: name, Before: clipped(was[name]), After: clipped(is[name])})
		}
	}
	return all
}

func clipped(text string) string {
	if runes := []rune(text); len(runes) > shownText {
		return string(runes[:shownText]) + " ..."
	}
	return text
}

// fieldsOf are the attributes and the data of an event as text, by path.
func fieldsOf(e *event.Event) map[string]string {
	all := map[string]string{"subject": string(e.Subject)}
	addFields(all, "occurred", occurred(e.Occurred))
	if e.Sequence != "" {
		all["sequence"] = e.Sequence
	}
	if e.Disputed {
		all["disputed"] = "true"
	}
	addFields(all, "", e.Data)
	return all
}

func addFields(all map[string]string, path string, value any) {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			addFields(all, strings.TrimPrefix(path+"/"+name, "/"), member)
		}
	case []any:
		for i, item := range v {
			addFields(all, fmt.Sprintf("%s/%d", path, i), item)
		}
	case string:
		all[path] = v
	default:
		all[path] = fmt.Sprint(v)
	}
}

// commandsOf are the commands that a member concerns: those that it would bring about or
// move, and those that stay as they are.
func commandsOf(r *ledger.Rehearsal) []ledger.ReplayStep {
	kinds := kindsOf(&r.Following)
	var all []ledger.ReplayStep
	moved := map[string]bool{}
	for i := range r.Following.Steps {
		s := &r.Following.Steps[i]
		moved[s.Key] = true
		before, known := r.Known[s.Key]
		c := commandOf(s, effectOf(s.Status, known))
		c.Kind = kinds[s.Key]
		if known {
			c.System = before.System
		}
		all = append(all, c)
	}
	for i := range r.Performed {
		if s := &r.Performed[i]; !moved[s.Key] {
			all = append(all, commandOf(s, "stands"))
		}
	}
	return all
}

func commandOf(s *ledger.Step, effect string) ledger.ReplayStep {
	c := ledger.ReplayCommand{Effect: effect, Reaction: s.Reaction, System: s.System, Command: s.Command, Status: string(s.Status)}
	return ledger.ReplayStep{ReplayCommand: c, Key: s.Key, Object: s.Object}
}

// effectOf says what it means that a step comes to a status.
func effectOf(status ledger.StepStatus, known bool) string {
	switch {
	case status == ledger.StepSuperseded || status == ledger.StepObsolete:
		return "withdraws"
	case known:
		return "moves"
	case status == ledger.StepHeld:
		return "holds"
	case status == ledger.StepShadow:
		return "shadows"
	}
	return "sends"
}

// kindsOf are the kinds of the steps of the transactions that move, by key.
func kindsOf(f *ledger.Following) map[string]string {
	kinds := map[string]string{}
	for i := range f.Transactions {
		var in transaction.Instance
		if json.Unmarshal(f.Transactions[i].State, &in) != nil {
			continue // the plan has just written it
		}
		for j := range in.Steps {
			kinds[in.Steps[j].Key] = string(in.Steps[j].Kind)
		}
	}
	return kinds
}
