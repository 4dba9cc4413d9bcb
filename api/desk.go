package api

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/report"
)

// deskRoutes are what people do about what does not go on.
func (a *API) deskRoutes() {
	read(a, operation(http.MethodGet, "/v1/exceptions/groups", "list-groups", tagHeld, "The queue, by cause",
		"What does not go on, grouped by plant, system, message or command, and reason: how many, since when, until when, for whom, and what is at stake. The nearest deadline first."), a.groups)
	read(a, operation(http.MethodGet, "/v1/exceptions/search", "search-exceptions", tagHeld, "Exceptions one by one",
		"Of a group, or found by business keys and words, page by page."), a.searchExceptions)
	read(a, operation(http.MethodGet, "/v1/exceptions/{exception}", "get-exception", tagHeld, "One exception",
		"With the message, the mapped event, the command, the system's own words and the history of acts."), a.getException)
	act := func(need *ledger.Permission, name, summary, text string, do func(ctx context.Context, who caller, in *actIn, x *ledger.DeskException) error) {
		op := operation(http.MethodPost, "/v1/exceptions/{exception}/"+name, name+"-exception", tagHeld, summary, text+" "+needs(need))
		read(a, op, func(ctx context.Context, who caller, in *actIn) (CaseView, error) {
			return a.atDesk(ctx, who, in, need, do)
		})
	}
	act(ledger.Assign, "assign", "Give it to somebody", "To a person, an owner group, or back to its owner. Refused where somebody else has it than from names.", a.assign)
	act(ledger.Comment, "comment", "Say something about it", "Kept on record.", a.comment)
	act(ledger.Snooze, "snooze", "Put it off", "It is not shown before the time, unless something else stands in its way until then.", a.snooze)
	act(ledger.Snooze, "wake", "End its snoozing", "It is shown again at once.", a.wake)
	act(ledger.Waive, "waive", "Give it up", "A message is not recorded, and counts among what figures leave out; a command is not performed.", a.waive)
	act(ledger.Resume, "resume", "Let it go on", "A message is taken in again from what was kept; of a command its plan decides anew.", a.resume)

	read(a, operation(http.MethodPost, "/v1/bulk", "start-bulk", tagHeld, "Decide about a group",
		"Begins bulk work: resumes a few of the group to test what was put right, or all of it; or assigns, comments, snoozes, wakes or waives them. Needs what each of these needs for one."), a.startBulk)
	read(a, operation(http.MethodGet, "/v1/bulk", "list-bulk", tagHeld, "Bulk work", "The newest first."), a.listBulk)
	read(a, operation(http.MethodGet, "/v1/bulk/{bulk}", "get-bulk", tagHeld, "One piece of bulk work", "How far it has come, and what became of its members, page by page."), a.getBulk)
	for _, move := range []struct{ name, to, summary string }{
		{"pause", ledger.BulkPaused, "Pause bulk work"}, {"continue", ledger.BulkRunning, "Let paused bulk work go on"}, {"cancel", ledger.BulkCancelled, "Cancel bulk work"},
	} {
		op := operation(http.MethodPost, "/v1/bulk/{bulk}/"+move.name, move.name+"-bulk", tagHeld, move.summary, "What had its turn stays. "+needs(ledger.Resume))
		read(a, op, func(ctx context.Context, who caller, in *moveBulkIn) (BulkView, error) {
			return a.moveBulk(ctx, who, in, move.to)
		})
	}
}

// needs says in the description of a route which roles it needs.
func needs(do *ledger.Permission) string {
	return "Needs the role " + strings.Join(do.Roles, " or ") + " at its plant."
}

// DeskIn are the parameters that choose exceptions.
type DeskIn struct {
	Asker
	State  string  `query:"state" enum:"open,snoozed,resolved,waived,all" doc:"open where nothing is said: not what is snoozed"`
	Plant  string  `query:"plant"`
	System string  `query:"system"`
	Reason string  `query:"reason" doc:"Code of the closed list of reasons"`
	Owner  string  `query:"owner" doc:"Whom it is assigned to, or else its owner group"`
	Mine   Flag    `query:"mine" doc:"Only what is assigned to the caller"`
	From   Instant `query:"from" doc:"Raised at this time or later"`
	To     Instant `query:"to" doc:"Raised before this time"`
	Text   string  `query:"text" doc:"Words and refs that must all be found: the beginning of a ref such as order/1000123, of a part of one, or of a word of what is wrong"`

	Content string `query:"content" doc:"Words that the raw content of its message must say, or the beginning of them: the first 200 different ones of it are found. Needs the role quality or steward; what is of other plants is not found"`
	Amount  string `query:"amount" example:">=100 kg" doc:"What is at stake, exactly: of any measure or of a named one, compared by >=, >, <=, < or = with an amount in a unit, by its code or symbol"`
}

// filter reads the parameters, within what the caller may see.
func (in *DeskIn) filter(ctx context.Context, a *API, who caller) (f ledger.DeskFilter, err error) {
	f = ledger.DeskFilter{State: in.State, Plant: in.Plant, System: in.System, Reason: in.Reason, Owner: in.Owner, Text: in.Text, Only: who.scope.system}
	if f.Only == "" && !who.scope.all {
		f.Plants = who.scope.plants
	}
	if f.State != "" && !slices.Contains(ledger.DeskStates(), f.State) {
		return f, invalid("state", "%.40q; give %s", f.State, strings.Join(ledger.DeskStates(), ", "))
	}
	if f.Only == "" {
		if err := a.known(ctx, who.scope, in.Plant); err != nil {
			return f, err
		}
	}
	if in.Reason != "" && fault.ByCode(in.Reason) == nil {
		return f, invalid("reason", "%.60q is none; docs/reasons.md lists them", in.Reason)
	}
	mine, err := in.Mine.set("mine")
	if mine {
		f.Assignee = who.Name
	}
	if err == nil && in.Amount != "" {
		f.Amount, err = amountFilter(in.Amount)
	}
	f.Content = in.Content
	if err == nil {
		err = addRawPlants(&f, who)
	}
	if err == nil {
		f.From, err = in.From.time("from", time.Time{})
	}
	if err == nil {
		f.To, err = in.To.time("to", time.Time{})
	}
	return f, err
}

// Groups is the queue.
type Groups struct {
	Groups []GroupView `json:"groups" nullable:"false" doc:"The nearest deadline first"`
	Open   int64       `json:"open" doc:"Exceptions in all of them"`

	Edits       int64 `json:"edits" doc:"Edits that wait for a signature, or for the source to agree; whatever is filtered"`
	Corrections int64 `json:"corrections" doc:"Corrections that are asked of sources; whatever is filtered"`
}

// GroupView is the exceptions of one cause.
type GroupView struct {
	Group      string           `json:"group" doc:"Its name, for everything that is done about it" example:"graz/erp/command/receive-goods/period_closed"`
	Plant      string           `json:"plant,omitempty"`
	System     string           `json:"system"`
	About      string           `json:"about" doc:"message or command"`
	Name       string           `json:"name" doc:"Of the message or the command"`
	Reason     string           `json:"reason"`
	Class      string           `json:"class"`
	Title      string           `json:"title"`
	Remedy     string           `json:"remedy"`
	Count      int64            `json:"count"`
	Oldest     string           `json:"oldest" format:"date-time"`
	Newest     string           `json:"newest" format:"date-time"`
	AgeSeconds int64            `json:"age_seconds" doc:"Of the oldest"`
	Deadline   string           `json:"deadline,omitempty" format:"date-time" doc:"The nearest"`
	Late       bool             `json:"late,omitempty" doc:"The nearest deadline has passed"`
	Warned     int64            `json:"warned,omitempty" doc:"Of them, those that were warned of before their deadline, or have gone to another owner"`
	Escalated  int64            `json:"escalated,omitempty" doc:"Of them, those that have gone to another owner after their deadline"`
	Owners     []string         `json:"owners" nullable:"false" doc:"People and owner groups that have them; two at most are named"`
	Objects    map[string]int64 `json:"objects,omitempty" doc:"Different objects that they are about, by kind"`
	Amounts    []AmountView     `json:"amounts,omitempty" nullable:"false" doc:"Sums of what is at stake, in base units, as far as it is known"`
	Effect     string           `json:"effect" doc:"The same in words" example:"receive-goods not done for 12 lots, good 4,200 kg"`
}

// AmountView is a sum of facts of one measure.
type AmountView struct {
	Measure string `json:"measure" example:"good"`
	Value   string `json:"value" example:"4200" doc:"Exact decimal"`
	Unit    string `json:"unit" example:"KGM" doc:"Base unit"`
}

func (a *API) groups(ctx context.Context, who caller, in *DeskIn) (Groups, error) {
	v := Groups{Groups: []GroupView{}}
	f, err := in.filter(ctx, a, who)
	if err != nil {
		return v, err
	}
	found, err := a.ledger().Groups(ctx, f)
	for i := range found {
		v.Groups = append(v.Groups, a.groupView(&found[i]))
		v.Open += found[i].Count
	}
	if err != nil {
		return v, err
	}
	plants, only := who.scope.filter()
	if v.Edits, err = a.ledger().CountEdits(ctx, ledger.EditFilter{Plants: plants, Only: only, Open: true}); err == nil {
		v.Corrections, err = a.ledger().CountCorrections(ctx, ledger.CorrectionFilter{Plants: plants, Only: only, Open: true})
	}
	return v, err
}

func (a *API) groupView(g *ledger.Group) GroupView {
	now := a.ledger().Now()
	v := GroupView{
		Group: g.String(), Plant: g.Plant, System: g.System, About: aboutView(g.About), Name: g.Name, Reason: g.Reason, Class: g.Class, Title: g.Reason,
		Count: g.Count, Oldest: utc(g.Oldest), Newest: utc(g.Newest), AgeSeconds: int64(now.Sub(g.Oldest).Seconds()), Deadline: utc(g.Deadline),
		Late: !g.Deadline.IsZero() && now.After(g.Deadline), Warned: g.Warned, Escalated: g.Escalated, Owners: g.Owners, Objects: g.Objects, Amounts: amountViews(g.Amounts), Effect: g.Effect(),
	}
	if r := fault.ByCode(g.Reason); r != nil {
		v.Title, v.Remedy = r.Title, r.Remedy
	}
	return v
}

// aboutView is what an exception is about, in the word of people.
func aboutView(about string) string {
	if about == "step" {
		return "command"
	}
	return about
}

func amountViews(all []ledger.Amount) []AmountView {
	var views []AmountView
	for _, x := range all {
		views = append(views, AmountView{Measure: x.Measure, Value: x.Value.String(), Unit: x.Unit})
	}
	return views
}

type searchIn struct {
	DeskIn
	Group string `query:"group" doc:"Only those of this group"`
	Order string `query:"order" enum:"newest,oldest" doc:"newest first where nothing is said"`
	After string `query:"after" doc:"As next of the page before says"`
	Limit Limit  `query:"limit" doc:"1 to 1000, 100 where nothing is said"`
}

// Cases is a page of exceptions.
type Cases struct {
	Exceptions []CaseView `json:"exceptions" nullable:"false"`
	Next       string     `json:"next,omitempty" doc:"Give it as after for the next page; absent on the last one"`
}

// CaseView is an exception with all that is needed to decide about it.
type CaseView struct {
	ExceptionView
	Group    string       `json:"group" doc:"Of exceptions with the same cause"`
	SourceID string       `json:"source_id,omitempty" doc:"Id of the message, as its source knows it"`
	Assignee string       `json:"assignee,omitempty" doc:"Who has it; absent: its owner"`
	Snoozed  string       `json:"snoozed,omitempty" format:"date-time" doc:"It is put off to this time"`
	Late     bool         `json:"late,omitempty" doc:"Its deadline has passed"`
	Stage    string       `json:"stage,omitempty" enum:"warned,escalated" doc:"How far its time has come: it was warned of, or went to another owner"`
	Moments  []MomentView `json:"moments,omitempty" nullable:"false" doc:"When it is or was warned of, and goes or went to another owner"`
	Keys     []string     `json:"keys,omitempty" nullable:"false" doc:"Refs of the objects that it is about: order, batch, lot, material ..."`
	Amounts  []AmountView `json:"amounts,omitempty" nullable:"false" doc:"What is at stake, in base units"`

	Received    *MessageView     `json:"received,omitempty" doc:"The message; its raw content needs a permission of its own, and raw=true"`
	Event       *EventView       `json:"event,omitempty" doc:"Of a command: the event that it follows from"`
	Mapped      []MappedView     `json:"mapped,omitempty" nullable:"false" doc:"Of a held message: its events as far as they can be made now"`
	Step        *StepView        `json:"step,omitempty" doc:"The command with every attempt and the system's own words"`
	Edits       []EditView       `json:"edits,omitempty" nullable:"false" doc:"What was edited of the message, or is proposed, oldest first"`
	Corrections []CorrectionView `json:"corrections,omitempty" nullable:"false" doc:"What was asked of its source, oldest first"`

	History []ActView `json:"history,omitempty" nullable:"false" doc:"Every act about it, oldest first; also from before it was raised anew"`
}

// MomentView is when an exception is warned of or goes to another owner.
type MomentView struct {
	What   string `json:"what" enum:"warning,escalation"`
	To     string `json:"to,omitempty" doc:"The owner group that it goes to"`
	Due    string `json:"due" format:"date-time"`
	Passed string `json:"passed,omitempty" format:"date-time" doc:"Absent: it is to come"`
}

func momentViews(all []ledger.Moment) []MomentView {
	var views []MomentView
	for i := range all {
		m := &all[i]
		v := MomentView{What: "escalation", To: m.To, Due: utc(m.Due), Passed: utc(m.Passed)}
		if m.Stage == ledger.StageWarned {
			v.What = "warning"
		}
		views = append(views, v)
	}
	return views
}

// stageView is how far the time of an exception has come.
func stageView(stage int) string {
	switch stage {
	case 0:
		return ""
	case ledger.StageWarned:
		return "warned"
	}
	return "escalated"
}

// MappedView is an event that would be made of a message.
type MappedView struct {
	Type string         `json:"type"`
	Data map[string]any `json:"data"`
}

func (a *API) searchExceptions(ctx context.Context, who caller, in *searchIn) (Cases, error) {
	page := Cases{Exceptions: []CaseView{}}
	limit, err := in.Limit.upTo(1000, 100)
	if err != nil {
		return page, err
	}
	f, err := in.filter(ctx, a, who)
	if err != nil {
		return page, err
	}
	if in.Order != "" && in.Order != "newest" && in.Order != "oldest" {
		return page, invalid("order", "%.40q; give newest or oldest", in.Order)
	}
	f.Oldest, f.After, f.Limit = in.Order == "oldest", in.After, limit
	if in.Group != "" {
		c, err := ledger.ParseCause(in.Group)
		if err != nil {
			return page, err
		}
		f.Cause = &c
	}
	found, more, err := a.ledger().Desk(ctx, f)
	for i := range found {
		page.Exceptions = append(page.Exceptions, a.caseView(&found[i]))
	}
	if more {
		page.Next = found[len(found)-1].Place()
	}
	return page, err
}

func (a *API) caseView(x *ledger.DeskException) CaseView {
	v := CaseView{
		ExceptionView: exceptionView(&x.Exception), Group: x.Cause().String(), SourceID: x.ID, Assignee: x.Assignee, Stage: stageView(x.Stage), Snoozed: utc(x.Until), Amounts: amountViews(x.Amounts),
		Late: x.State == ledger.DeskOpen && !x.Deadline.IsZero() && a.ledger().Now().After(x.Deadline),
	}
	for _, ref := range x.Refs {
		v.Keys = append(v.Keys, string(ref))
	}
	return v
}

// ExceptionIn names an exception.
type ExceptionIn struct {
	Asker
	Exception string `path:"exception" doc:"As the exception names itself: id of the message version, key of the command or of the expectation"`
}

type getExceptionIn struct {
	ExceptionIn
	Raw Flag `query:"raw" doc:"With the raw content of the message, which is a permission of its own; reading it goes on record"`
}

// visibleCase is an exception that the caller may see; to others it does not exist.
func (a *API) visibleCase(ctx context.Context, who caller, id string) (ledger.DeskException, error) {
	x, err := a.ledger().DeskOf(ctx, id)
	if err == nil && !who.scope.seesMessage(x.System, x.Plant) {
		err = notFound("exception", "no exception about %.80s is on record", id)
	}
	return x, err
}

func (a *API) getException(ctx context.Context, who caller, in *getExceptionIn) (CaseView, error) {
	raw, err := in.Raw.set("raw")
	if err != nil {
		return CaseView{}, err
	}
	x, err := a.visibleCase(ctx, who, in.Exception)
	if err != nil {
		return CaseView{}, err
	}
	return a.wholeCase(ctx, who, &x, raw)
}

// wholeCase is an exception with what it is about and what was done about it.
func (a *API) wholeCase(ctx context.Context, who caller, x *ledger.DeskException, raw bool) (CaseView, error) {
	v := a.caseView(x)
	acts, err := a.ledger().ActsOnException(ctx, &x.Exception)
	if err != nil {
		return v, err
	}
	for i := range acts {
		if who.scope.seesMessage(x.System, cmp.Or(acts[i].Plant, x.Plant)) { // a version of another plant has others
			v.History = append(v.History, actView(&acts[i]))
		}
	}
	if x.State == ledger.DeskOpen {
		moments, err := a.ledger().MomentsOf(ctx, x.Key(), x.Version())
		if err != nil {
			return v, err
		}
		v.Moments = momentViews(moments)
	}
	message := x.Message
	if x.Step != "" {
		if message, err = a.addStep(ctx, who, x, &v); err != nil {
			return v, err
		}
	}
	if message == "" {
		return v, nil
	}
	m, err := a.visibleMessage(ctx, who, message)
	if errors.Is(err, fault.NotFound) { // the event is of a plant that the caller may not see
		return v, nil
	}
	if err != nil {
		return v, err
	}
	received := messageView(&m)
	if raw {
		if err := a.addRaw(ctx, who, message, m.Plant, &received); err != nil {
			return v, err
		}
	}
	v.Received = &received
	if err := a.addEdits(ctx, who, message, &v); err != nil {
		return v, err
	}
	if x.Message != "" && x.State == ledger.DeskOpen && (raw || m.Name != event.CloudEventMessage) { // what is sent as an event is the raw content itself
		v.Mapped, err = a.mapped(ctx, x.Key())
	}
	return v, err
}

// addStep adds the command, and the event that it follows from with the id of its
// message.
func (a *API) addStep(ctx context.Context, who caller, x *ledger.DeskException, v *CaseView) (message string, err error) {
	s, err := report.StepOf(ctx, a.ledger(), x.Step)
	if err != nil {
		return "", err
	}
	step := stepView(who, &s)
	v.Step = &step
	cause, err := a.ledger().Event(ctx, s.Cause)
	if errors.Is(err, fault.NotFound) {
		return "", nil
	}
	if err != nil || !who.scope.sees(cause.Plant) {
		return "", err
	}
	facts, err := a.ledger().EventFacts(ctx, cause.Plant, cause.Position)
	view := eventView(&cause, facts)
	v.Event = &view
	return cause.Message, err
}

// mapped are the events of a held message, as far as they can be made now.
func (a *API) mapped(ctx context.Context, key string) ([]MappedView, error) {
	trial, err := a.flow.TryKept(ctx, key)
	if errors.Is(err, fault.NotFound) || errors.Is(err, fault.DecidedAlready) { // erased, or no longer held: there is nothing to make them of
		return nil, nil
	}
	var views []MappedView
	for i := range trial.Events {
		views = append(views, MappedView{Type: trial.Events[i].Type, Data: trial.Events[i].Data})
	}
	return views, err
}

type actIn struct {
	ExceptionIn
	Body deskAct
}

// deskAct is what a person does about an exception.
type deskAct struct {
	To    string `json:"to,omitempty" doc:"assign: a person or an owner group; absent gives it back to its owner"`
	From  string `json:"from,omitempty" doc:"assign: who has it now; absent: nobody"`
	Until string `json:"until,omitempty" format:"date-time" doc:"snooze: up to when"`
	Text  string `json:"text,omitempty" doc:"comment: what is said"`
	Why   string `json:"why,omitempty" doc:"Kept on record; waive needs it"`
}

// atDesk does one act, and answers the exception as it stands then.
func (a *API) atDesk(ctx context.Context, who caller, in *actIn, need *ledger.Permission, do func(ctx context.Context, who caller, in *actIn, x *ledger.DeskException) error) (CaseView, error) {
	x, err := a.visibleCase(ctx, who, in.Exception)
	if err != nil {
		return CaseView{}, err
	}
	if err := who.Need(need, x.Plant); err != nil {
		return CaseView{}, err
	}
	if err := do(ctx, who, in, &x); err != nil {
		return CaseView{}, err
	}
	if x, err = a.ledger().DeskOf(ctx, in.Exception); err != nil {
		return CaseView{}, err
	}
	return a.wholeCase(ctx, who, &x, false)
}

func (a *API) assign(ctx context.Context, who caller, in *actIn, x *ledger.DeskException) error {
	if err := a.assignable(ctx, in.Body.To, x.Plant); err != nil {
		return err
	}
	return a.ledger().Assign(ctx, who.Name, in.Exception, in.Body.To, in.Body.From, in.Body.Why)
}

// assignable refuses to give an exception to nobody: to must be an owner group, or a
// person who may decide about it.
func (a *API) assignable(ctx context.Context, to, plant string) error {
	if to == "" || slices.Contains(a.flow.Catalog().OwnerGroups(), to) {
		return nil
	}
	p, err := a.ledger().Person(ctx, to)
	if errors.Is(err, fault.Unauthenticated) {
		return invalid("to", "%.80q is no account and no owner group; the groups are %s", to, strings.Join(a.flow.Catalog().OwnerGroups(), ", "))
	}
	if err == nil && !p.Can(ledger.Resume, plant) {
		err = invalid("to", "%.80s has not the role %s at plant %q", to, strings.Join(ledger.Resume.Roles, " or "), plant)
	}
	return err
}

func (a *API) comment(ctx context.Context, who caller, in *actIn, _ *ledger.DeskException) error {
	return a.ledger().Comment(ctx, who.Name, in.Exception, in.Body.Text)
}

func (a *API) snooze(ctx context.Context, who caller, in *actIn, _ *ledger.DeskException) error {
	if err := required("until", in.Body.Until); err != nil {
		return err
	}
	until, err := Instant(in.Body.Until).time("until", time.Time{})
	if err != nil {
		return err
	}
	return a.ledger().Snooze(ctx, who.Name, in.Exception, until, in.Body.Why)
}

func (a *API) wake(ctx context.Context, who caller, in *actIn, _ *ledger.DeskException) error {
	return a.ledger().Wake(ctx, who.Name, in.Exception, in.Body.Why)
}

func (a *API) waive(ctx context.Context, who caller, in *actIn, x *ledger.DeskException) error {
	if x.Late() {
		return invalid("exception", "it is late and not stuck: it ends by itself when what is awaited comes; snooze it, or waive the command where that stands still")
	}
	if err := a.signs(ctx, who, &in.Asker); err != nil {
		return err
	}
	if x.Step != "" {
		return a.flow.Resolve(ctx, flow.Resolution{Command: x.Step, By: who.Principal, How: flow.Waive, Why: in.Body.Why})
	}
	return a.ledger().WaiveMessage(ctx, who.Name, in.Exception, in.Body.Why)
}

func (a *API) resume(ctx context.Context, who caller, in *actIn, x *ledger.DeskException) error {
	if x.State != ledger.DeskOpen {
		return fault.New("api.resume", fault.DecidedAlready, "exception", "the exception about %s was %s at %s: %s", in.Exception, x.State, utc(x.Ended), x.Resolution)
	}
	if x.Late() {
		return invalid("exception", "it is late and not stuck: it goes on by itself, and there is nothing to resume")
	}
	if x.Step != "" {
		return a.flow.Resolve(ctx, flow.Resolution{Command: x.Step, By: who.Principal, How: flow.Resume, Why: in.Body.Why})
	}
	answer, err := a.flow.ResumeMessage(ctx, in.Exception, who.Name)
	if err != nil {
		return err
	}
	return a.ledger().Note(ctx, ledger.Act{Plant: x.Plant, Principal: who.Name, Act: "message.retried", Subject: x.Message, Detail: string(answer.Outcome)})
}
