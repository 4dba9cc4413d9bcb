package api

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/ledger"
)

// replayRoutes take kept messages in once more, safely.
func (a *API) replayRoutes() {
	read(a, operation(http.MethodPost, "/v1/replays", "start-replay", tagReplay, "Begin the dry run of a replay",
		"Chooses kept messages of one plant and looks at what would become of each under the catalog in force. Nothing is changed. "+
			"Where no message is chosen, nothing is begun, and the answer has no id. Needs the role steward at the plant."), a.startReplay)
	read(a, operation(http.MethodGet, "/v1/replays", "list-replays", tagReplay, "Replays", "The newest first."), a.listReplays)
	read(a, operation(http.MethodGet, "/v1/replays/{replay}", "get-replay", tagReplay, "One replay",
		"How far it has come, what its dry run has found, which figures would move and which commands would go out."), a.getReplay)
	read(a, operation(http.MethodGet, "/v1/replays/{replay}/members", "list-replay-members", tagReplay, "The messages of a replay",
		"What the dry run has found of each, field by field, and what became of it, page by page."), a.replayMembers)
	read(a, operation(http.MethodGet, "/v1/replays/{replay}/figures", "list-replay-figures", tagReplay, "The figures of a replay",
		"What would be counted otherwise, by measure, unit, material and order, page by page."), a.replayFigures)
	read(a, operation(http.MethodPost, "/v1/replays/{replay}/approve", "approve-replay", tagReplay, "Approve a replay",
		"As a second person: needs the role approver at its plant, and not to have proposed it."), a.approveReplay)
	read(a, operation(http.MethodPost, "/v1/replays/{replay}/run", "run-replay", tagReplay, "Run a replay",
		"What runs is what was shown. Refused where the catalog in force is another than that of the dry run, where that is older than a day, or where a second person has yet to approve. "+
			"Needs the role steward at its plant."), a.runReplay)
	for _, move := range []struct{ name, to, summary string }{
		{"pause", ledger.BulkPaused, "Pause a replay"}, {"continue", ledger.BulkRunning, "Let a paused replay go on"}, {"cancel", ledger.BulkCancelled, "Cancel a replay"},
	} {
		op := operation(http.MethodPost, "/v1/replays/{replay}/"+move.name, move.name+"-replay", tagReplay, move.summary, "What had its turn stays. Needs the role steward at its plant.")
		read(a, op, func(ctx context.Context, who caller, in *moveReplayIn) (ReplayView, error) {
			return a.moveReplay(ctx, who, in, move.to)
		})
	}
}

type startReplayIn struct {
	Asker
	Body replayStart
}

// replayStart is what is to be replayed, and why.
type replayStart struct {
	ReplayChoice
	Why string `json:"why,omitempty" doc:"Kept on record"`
}

// ReplayChoice says which messages are replayed: those for which everything holds.
type ReplayChoice struct {
	Plant        string   `json:"plant" example:"graz"`
	Keys         []string `json:"keys,omitempty" doc:"Refs such as order/1000123, ids of messages or of events: about any of them"`
	System       string   `json:"system,omitempty" doc:"That sent them"`
	Message      string   `json:"message,omitempty" doc:"Name of the source message"`
	Type         string   `json:"type,omitempty" doc:"One of their events is of this type"`
	Revision     string   `json:"revision,omitempty" doc:"One of their events was made under the catalog whose digest begins so"`
	Outdated     bool     `json:"outdated,omitempty" doc:"One of their events was made by another version of its mapping than the one in force"`
	RecordedFrom Instant  `json:"recorded_from,omitempty"`
	RecordedTo   Instant  `json:"recorded_to,omitempty" doc:"Recorded before this time"`
	OccurredFrom Instant  `json:"occurred_from,omitempty" doc:"One of their events occurred at this time or later"`
	OccurredTo   Instant  `json:"occurred_to,omitempty" doc:"And before this one"`
}

// mostKeys bounds the keys of a choice.
const mostKeys = 1000

func (c *ReplayChoice) choice() (ledger.Choice, error) {
	out := ledger.Choice{Plant: c.Plant, Keys: c.Keys, System: c.System, Message: c.Message, Type: c.Type, Revision: c.Revision, Outdated: c.Outdated}
	if len(c.Keys) > mostKeys {
		return out, invalid("keys", "%d keys; give at most %d", len(c.Keys), mostKeys)
	}
	for _, t := range []struct {
		field string
		given Instant
		into  *time.Time
	}{
		{"recorded_from", c.RecordedFrom, &out.RecordedFrom},
		{"recorded_to", c.RecordedTo, &out.RecordedTo},
		{"occurred_from", c.OccurredFrom, &out.OccurredFrom},
		{"occurred_to", c.OccurredTo, &out.OccurredTo},
	} {
		at, err := t.given.time(t.field, time.Time{})
		if err != nil {
			return out, err
		}
		*t.into = at
	}
	return out, nil
}

func choiceView(c *ledger.Choice) ReplayChoice {
	return ReplayChoice{
		Plant: c.Plant, Keys: c.Keys, System: c.System, Message: c.Message, Type: c.Type, Revision: c.Revision, Outdated: c.Outdated,
		RecordedFrom: Instant(utc(c.RecordedFrom)), RecordedTo: Instant(utc(c.RecordedTo)), OccurredFrom: Instant(utc(c.OccurredFrom)), OccurredTo: Instant(utc(c.OccurredTo)),
	}
}

// ReplayView is a replay, what its dry run has found and how far it has come.
type ReplayView struct {
	Replay   string           `json:"replay,omitempty" doc:"Its id; absent where no message was chosen and nothing was begun"`
	State    string           `json:"state,omitempty" enum:"examining,proposed,approved,running,paused,cancelled,done"`
	Choice   ReplayChoice     `json:"choice"`
	Revision string           `json:"revision" doc:"Digest of the catalog under which it is looked at"`
	Members  int64            `json:"members" doc:"Messages, fixed when it began"`
	Examined int64            `json:"examined" doc:"Of them the dry run has looked at"`
	Found    map[string]int64 `json:"found,omitempty" doc:"What would become of them: unchanged, corrected, recorded (held until now), held (what stands stays), still-held, waived, moved-on (another version has come), failed (cannot be tried)"`
	Shown    string           `json:"shown,omitempty" doc:"Digest over all that was found: what is approved"`

	Erased         int64    `json:"erased" doc:"Messages that were chosen and are no members: their content was erased"`
	ErasedMessages []string `json:"erased_messages,omitempty" doc:"The first 100 of them"`

	Figures  []ReplayFigureView      `json:"figures,omitempty" doc:"That would move, by measure, unit and material: the first 1000"`
	Commands []ledger.ReplayCommands `json:"commands,omitempty"`

	NeedsApproval bool   `json:"needs_approval,omitempty" doc:"It has more members than one person may replay"`
	By            string `json:"by,omitempty" doc:"Who has proposed it"`
	Why           string `json:"why,omitempty"`
	Created       string `json:"created,omitempty" format:"date-time"`
	Proposed      string `json:"proposed,omitempty" format:"date-time" doc:"When the dry run was complete; it may be run for a day"`
	Approver      string `json:"approver,omitempty"`
	Approved      string `json:"approved,omitempty" format:"date-time"`
	Runner        string `json:"runner,omitempty" doc:"Who has let it run"`
	Changed       string `json:"changed,omitempty" format:"date-time"`

	Left     int64            `json:"left" doc:"Members that have not had their turn"`
	Outcomes map[string]int64 `json:"outcomes,omitempty" doc:"Of the others: recorded, corrected, unchanged, held, moved-on (something else than was shown would follow by now), failed"`
}

// ReplayFigureView is a figure that would move.
type ReplayFigureView struct {
	Measure    string `json:"measure"`
	Material   string `json:"material,omitempty"`
	Order      string `json:"order,omitempty"`
	Unit       string `json:"unit"`
	Before     string `json:"before" doc:"What the events count that would change"`
	After      string `json:"after"`
	Difference string `json:"difference"`
}

func figureView(f *ledger.ReplayFigure) ReplayFigureView {
	return ReplayFigureView{
		Measure: f.Measure, Material: string(f.Material), Order: string(f.Order), Unit: f.Unit,
		Before: f.Before.String(), After: f.After.String(), Difference: f.After.Sub(f.Before).String(),
	}
}

func replayView(r *ledger.Replay) ReplayView {
	v := ReplayView{
		Replay: r.ID, State: r.State, Choice: choiceView(&r.Choice), Revision: r.Revision, Members: r.Members, Examined: r.Examined, Shown: r.Shown,
		Erased: r.Erased, NeedsApproval: r.Approval, By: r.By, Why: r.Why, Created: utc(r.Created), Proposed: utc(r.Proposed),
		Approver: r.Approver, Approved: utc(r.Approved), Runner: r.Runner, Changed: utc(r.Changed), Left: r.Left(),
		Found: map[string]int64{}, Outcomes: map[string]int64{},
	}
	for result, n := range r.Found {
		v.Found[string(result)] = n
	}
	for outcome, n := range r.Outcomes {
		v.Outcomes[string(outcome)] = n
	}
	return v
}

func (a *API) startReplay(ctx context.Context, who caller, in *startReplayIn) (ReplayView, error) {
	c, err := in.Body.choice()
	switch {
	case err != nil:
		return ReplayView{}, err
	case c.Plant == "":
		return ReplayView{}, invalid("plant", "say of which plant: a replay is of one")
	}
	if err := a.known(ctx, who.scope, c.Plant); err != nil {
		return ReplayView{}, err
	}
	if err := who.Need(ledger.Replays, c.Plant); err != nil {
		return ReplayView{}, err
	}
	p, err := a.flow.ProposeReplay(ctx, who.Name, &c, in.Body.Why)
	if err != nil {
		return ReplayView{}, err
	}
	v := replayView(&p.Replay)
	v.Erased = int64(len(p.Erased))
	v.ErasedMessages = idsOf(p.Erased)
	return v, nil
}

// shownErased is how many messages are named whose content was erased.
const shownErased = 100

func idsOf(messages []ledger.ChosenMessage) []string {
	var ids []string
	for i := range messages[:min(len(messages), shownErased)] {
		ids = append(ids, messages[i].ID())
	}
	return ids
}

type listReplaysIn struct {
	Asker
	Limit Limit `query:"limit" doc:"1 to 1000, 20 where nothing is said"`
}

// ReplayList is the newest replays.
type ReplayList struct {
	Replays []ReplayView `json:"replays" nullable:"false"`
}

func (a *API) listReplays(ctx context.Context, who caller, in *listReplaysIn) (ReplayList, error) {
	v := ReplayList{Replays: []ReplayView{}}
	limit, err := in.Limit.upTo(1000, 20)
	if err != nil {
		return v, err
	}
	if who.Kind != ledger.PersonKind {
		return v, forbidden("replays are for people: they need the role viewer")
	}
	var plants []string
	if !who.scope.all {
		plants = who.scope.plants
	}
	all, err := a.ledger().Replays(ctx, plants, limit)
	for i := range all {
		v.Replays = append(v.Replays, replayView(&all[i]))
	}
	return v, err
}

// ReplayIn names a replay.
type ReplayIn struct {
	Asker
	Replay string `path:"replay" doc:"Its id"`
}

// visibleReplay is a replay that the caller may see; to others it does not exist.
func (a *API) visibleReplay(ctx context.Context, who caller, id string) (ledger.Replay, error) {
	r, err := a.ledger().Replay(ctx, id)
	if err == nil && (who.Kind != ledger.PersonKind || !who.scope.sees(r.Plant)) {
		err = notFound("replay", "no replay %.60s is on record", id)
	}
	return r, err
}

// replayAs is a replay about which the caller decides, in a role.
func (a *API) replayAs(ctx context.Context, who caller, id string, need *ledger.Permission) error {
	r, err := a.visibleReplay(ctx, who, id)
	if err == nil {
		err = who.Need(need, r.Plant)
	}
	return err
}

// shownFigures is how many figures one replay shows at once.
const shownFigures = 1000

func (a *API) getReplay(ctx context.Context, who caller, in *ReplayIn) (ReplayView, error) {
	r, err := a.visibleReplay(ctx, who, in.Replay)
	if err != nil {
		return ReplayView{}, err
	}
	return a.wholeReplay(ctx, &r)
}

// wholeReplay is a replay with what its dry run has found, once that is complete.
func (a *API) wholeReplay(ctx context.Context, r *ledger.Replay) (ReplayView, error) {
	v := replayView(r)
	erased, err := a.ledger().ReplayErased(ctx, r.ID, 0, shownErased)
	v.ErasedMessages = idsOf(erased)
	if err != nil || r.State == ledger.ReplayExamining {
		return v, err
	}
	figures, err := a.ledger().ReplayTotals(ctx, r.ID)
	if err != nil {
		return v, err
	}
	for i := range figures[:min(len(figures), shownFigures)] {
		v.Figures = append(v.Figures, figureView(&figures[i]))
	}
	v.Commands, err = a.ledger().ReplayCommands(ctx, r.ID)
	return v, err
}

type replayMembersIn struct {
	ReplayIn
	Result string `query:"result" enum:"unchanged,corrected,recorded,held,still-held,waived,moved-on,failed" doc:"Only those of which the dry run has found this"`
	After  int64  `query:"after" doc:"Members behind this number"`
	Limit  Limit  `query:"limit" doc:"1 to 1000, 100 where nothing is said"`
}

// ReplayMembers is a page of the messages of a replay.
type ReplayMembers struct {
	Members []ReplayMemberView `json:"members" nullable:"false"`
	Next    int64              `json:"next,omitempty" doc:"Give it as after for the next page; absent on the last one"`
}

// ReplayMemberView is one message of a replay.
type ReplayMemberView struct {
	N        int64  `json:"n" doc:"From 1, the oldest first"`
	Message  string `json:"message" doc:"Id of the version"`
	System   string `json:"system"`
	Name     string `json:"name"`
	SourceID string `json:"source_id"`
	Result   string `json:"result,omitempty" doc:"What the dry run has found; absent before it was looked at"`
	Found    string `json:"found,omitempty" doc:"Why it would be held, or cannot be tried"`
	ledger.ReplayDetail
	Outcome string `json:"outcome,omitempty" doc:"What became of it; absent before its turn"`
	Words   string `json:"words,omitempty"`
	Ended   string `json:"ended,omitempty" format:"date-time"`
}

func (a *API) replayMembers(ctx context.Context, who caller, in *replayMembersIn) (ReplayMembers, error) {
	v := ReplayMembers{Members: []ReplayMemberView{}}
	limit, err := in.Limit.upTo(1000, 100)
	if err != nil {
		return v, err
	}
	if in.Result != "" && !slices.Contains(ledger.ReplayResults(), ledger.ReplayResult(in.Result)) {
		return v, invalid("result", "%.40q is none of what a dry run finds", in.Result)
	}
	if _, err := a.visibleReplay(ctx, who, in.Replay); err != nil {
		return v, err
	}
	members, err := a.ledger().ReplayMembers(ctx, in.Replay, ledger.ReplayResult(in.Result), in.After, limit+1)
	for i := range members[:min(len(members), limit)] {
		m := &members[i]
		v.Members = append(v.Members, ReplayMemberView{
			N: m.N, Message: m.ID(), System: m.System, Name: m.Name, SourceID: m.SourceID, Result: string(m.Result), Found: m.Found,
			ReplayDetail: m.Detail, Outcome: string(m.Outcome), Words: m.Words, Ended: utc(m.Ended),
		})
	}
	if len(members) > limit {
		v.Next = members[limit-1].N
	}
	return v, err
}

type replayFiguresIn struct {
	ReplayIn
	After string `query:"after" doc:"Next of the page before"`
	Limit Limit  `query:"limit" doc:"1 to 1000, 100 where nothing is said"`
}

// ReplayFigures is a page of the figures that would move.
type ReplayFigures struct {
	Figures []ReplayFigureView `json:"figures" nullable:"false"`
	Next    string             `json:"next,omitempty" doc:"Give it as after for the next page; absent on the last one"`
}

func (a *API) replayFigures(ctx context.Context, who caller, in *replayFiguresIn) (ReplayFigures, error) {
	v := ReplayFigures{Figures: []ReplayFigureView{}}
	limit, err := in.Limit.upTo(1000, 100)
	if err != nil {
		return v, err
	}
	var behind ledger.FigureKey
	if part := strings.Split(in.After, " "); len(part) == 4 {
		behind = ledger.FigureKey{Measure: part[0], Unit: part[1], Material: event.Ref(part[2]), Order: event.Ref(part[3])}
	} else if in.After != "" {
		return v, invalid("after", "%.80q is not the next of another page", in.After)
	}
	if _, err := a.visibleReplay(ctx, who, in.Replay); err != nil {
		return v, err
	}
	all, err := a.ledger().ReplayFigures(ctx, in.Replay, behind, limit+1)
	for i := range all[:min(len(all), limit)] {
		v.Figures = append(v.Figures, figureView(&all[i]))
	}
	if len(all) > limit {
		last := all[limit-1]
		v.Next = strings.Join([]string{last.Measure, last.Unit, string(last.Material), string(last.Order)}, " ")
	}
	return v, err
}

type moveReplayIn struct {
	ReplayIn
	Body replayMove
}

// replayMove is why a person decides about a replay.
type replayMove struct {
	Why string `json:"why,omitempty" doc:"Kept on record"`
}

func (a *API) approveReplay(ctx context.Context, who caller, in *moveReplayIn) (ReplayView, error) {
	if err := a.replayAs(ctx, who, in.Replay, ledger.Approve); err != nil {
		return ReplayView{}, err
	}
	r, err := a.flow.ApproveReplay(ctx, who.Name, in.Replay, in.Body.Why)
	return replayView(&r), err
}

func (a *API) runReplay(ctx context.Context, who caller, in *moveReplayIn) (ReplayView, error) {
	if err := a.replayAs(ctx, who, in.Replay, ledger.Replays); err != nil {
		return ReplayView{}, err
	}
	r, err := a.flow.RunReplay(ctx, who.Name, in.Replay, in.Body.Why)
	return replayView(&r), err
}

func (a *API) moveReplay(ctx context.Context, who caller, in *moveReplayIn, to string) (ReplayView, error) {
	if err := a.replayAs(ctx, who, in.Replay, ledger.Replays); err != nil {
		return ReplayView{}, err
	}
	if _, err := a.flow.MoveBulk(ctx, who.Name, in.Replay, to, in.Body.Why); err != nil {
		return ReplayView{}, err
	}
	r, err := a.ledger().Replay(ctx, in.Replay)
	return replayView(&r), err
}
