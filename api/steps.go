package api

import (
	"context"
	"strings"

	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/report"
)

// TransactionView is what a plan makes of the events about one object.
type TransactionView struct {
	Plan     string         `json:"plan"`
	Object   string         `json:"object"`
	Complete bool           `json:"complete" doc:"Everything that the plan asks for is done"`
	Changed  string         `json:"changed" format:"date-time"`
	Steps    []StepView     `json:"steps" nullable:"false" doc:"In the order in which they were decided"`
	Expected []ExpectedView `json:"expected,omitempty" nullable:"false" doc:"What is awaited, and until when"`
	Gathers  []BundleView   `json:"gathers,omitempty" nullable:"false" doc:"Bundles of events that are open, and until when at the latest"`
}

// ExpectedView is something that must follow after an event.
type ExpectedView struct {
	Name  string          `json:"name" example:"quality decision"`
	After string          `json:"after" doc:"Id of the event's statement"`
	Due   string          `json:"due" format:"date-time"`
	Open  []ExceptionView `json:"open,omitempty" nullable:"false" doc:"The exception about it while it is late"`
}

// BundleView is a bundle of events that are performed together when it is closed.
type BundleView struct {
	Bundle string `json:"bundle" example:"post/3" doc:"The reaction, and its place among the bundles of the transaction"`
	Plant  string `json:"plant"`
	Due    string `json:"due" format:"date-time"`
}

// StepView is one thing that a system has to do because of an event.
type StepView struct {
	Command   string          `json:"command" doc:"The command key: one command, however often it is attempted"`
	Plan      string          `json:"plan"`
	Object    string          `json:"object"`
	Plant     string          `json:"plant"`
	Reaction  string          `json:"reaction"`
	System    string          `json:"system,omitempty" doc:"Absent while no system has the role"`
	Role      string          `json:"role"`
	Name      string          `json:"name" example:"receive-goods"`
	Wanted    string          `json:"wanted,omitempty" doc:"The status that it brings about"`
	Posting   string          `json:"posting_date,omitempty" format:"date" doc:"Day of the plant on which it is posted; a later one than the event's where the period was closed"`
	Status    string          `json:"status" enum:"waiting,due,sent,accepted,applied,partly-applied,refused,held,superseded,obsolete,reversed,waived,shadow"`
	Cause     string          `json:"cause" doc:"Id of the event's statement"`
	Members   []string        `json:"members,omitempty" nullable:"false" doc:"Ids of the statements that it performs together; absent where that is the cause alone"`
	Amends    string          `json:"amends,omitempty" doc:"Key of the command that it amends or undoes"`
	Recorded  string          `json:"recorded" format:"date-time"`
	Changed   string          `json:"changed" format:"date-time"`
	Deadline  string          `json:"deadline,omitempty" format:"date-time"`
	Warned    string          `json:"warned,omitempty" format:"date-time" doc:"Of one command: when it was warned of that its deadline is near"`
	Attempts  []AttemptView   `json:"attempts,omitempty" nullable:"false"`
	Documents []DocumentView  `json:"documents,omitempty" nullable:"false" doc:"Numbers that the system gave"`
	Open      []ExceptionView `json:"open,omitempty" nullable:"false"`
	OnTop     []OnTopView     `json:"on_top,omitempty" nullable:"false" doc:"Of a command that does not go on: what the system has done on top of what it amends or takes back, the newest first, which is the order to take it back in"`
}

// OnTopView is a command that stands on another one.
type OnTopView struct {
	Command string `json:"command"`
	Name    string `json:"name" example:"stock-status"`
	Object  string `json:"object"`
	Wanted  string `json:"wanted,omitempty"`
	Status  string `json:"status"`
	Cause   string `json:"cause" doc:"Id of the event's statement"`
	Changed string `json:"changed" format:"date-time"`
}

// AttemptView is one try of a step.
type AttemptView struct {
	Number     int    `json:"number"`
	Node       string `json:"node"`
	Begun      string `json:"begun" format:"date-time"`
	SendBefore string `json:"send_before" format:"date-time" doc:"Nothing of it left the hub later"`
	Ended      string `json:"ended,omitempty" format:"date-time" doc:"Absent while nothing is known of its end"`
	Outcome    string `json:"outcome,omitempty" enum:"not-sent,unknown,absent,accepted,applied,partly-applied,refused,waived"`
	Words      string `json:"words,omitempty" doc:"What the system said, or what stood in the way"`
}

// DocumentView is a number that a system gave to what it did.
type DocumentView struct {
	Number string `json:"number"`
	Kind   string `json:"kind,omitempty"`
}

func transactionViews(who caller, all []report.Followed) []TransactionView {
	var views []TransactionView
	for i := range all {
		t := &all[i]
		if !who.scope.sees(t.Plant) {
			continue
		}
		v := TransactionView{Plan: t.Plan, Object: string(t.Object), Complete: t.Complete, Changed: utc(t.Changed), Steps: append([]StepView{}, stepViews(who, t.Steps)...)}
		for _, e := range t.Expected {
			v.Expected = append(v.Expected, ExpectedView{Name: e.Name, After: e.Cause, Due: utc(e.Due), Open: visibleExceptions(who, e.Open)})
		}
		for i := range t.Gathers {
			if b := &t.Gathers[i]; who.scope.sees(b.Plant) {
				v.Gathers = append(v.Gathers, BundleView{Bundle: b.Name, Plant: b.Plant, Due: utc(b.Due)})
			}
		}
		views = append(views, v)
	}
	return views
}

func stepViews(who caller, all []report.Step) []StepView {
	var views []StepView
	for i := range all {
		if who.scope.sees(all[i].Plant) {
			views = append(views, stepView(who, &all[i]))
		}
	}
	return views
}

func stepView(who caller, s *report.Step) StepView {
	plan, _, _ := strings.Cut(s.Transaction, " ")
	v := StepView{
		Command: s.Key, Plan: plan, Object: string(s.Object), Plant: s.Plant, Reaction: s.Reaction, System: s.System, Role: s.Role, Name: s.Command, Wanted: s.Wanted, Posting: s.Posting,
		Status: string(s.Status), Cause: s.Cause, Members: s.Members, Amends: s.Amends, Recorded: utc(s.Recorded), Changed: utc(s.Changed), Deadline: utc(s.Deadline), Open: visibleExceptions(who, s.Open),
	}
	for _, a := range s.Tries {
		v.Attempts = append(v.Attempts, attemptView(&a))
	}
	for _, d := range s.Documents {
		v.Documents = append(v.Documents, DocumentView(d))
	}
	for i := range s.OnTop {
		if t := &s.OnTop[i]; who.scope.sees(t.Plant) {
			v.OnTop = append(v.OnTop, OnTopView{Command: t.Key, Name: t.Command, Object: string(t.Object), Wanted: t.Wanted, Status: string(t.Status), Cause: t.Cause, Changed: utc(t.Changed)})
		}
	}
	return v
}

func attemptView(a *ledger.Attempt) AttemptView {
	return AttemptView{Number: a.Number, Node: a.Node, Begun: utc(a.Begun), SendBefore: utc(a.SendBefore), Ended: utc(a.Ended), Outcome: string(a.Outcome), Words: a.Words}
}

// CommandIn names a command.
type CommandIn struct {
	Asker
	Command string `path:"command" doc:"Key of the command, as exceptions and traces name it"`
}

func (a *API) command(ctx context.Context, who caller, in *CommandIn) (StepView, error) {
	s, err := report.StepOf(ctx, a.ledger(), in.Command)
	if err == nil && !who.scope.sees(s.Plant) {
		err = notFound("command", "%.80s", in.Command)
	}
	if err != nil {
		return StepView{}, err
	}
	v := stepView(who, &s)
	moments, err := a.ledger().MomentsOf(ctx, s.Key, 0)
	for i := range moments {
		if moments[i].Stage == ledger.StageWarned {
			v.Warned = utc(moments[i].Passed)
		}
	}
	return v, err
}

type resolveIn struct {
	CommandIn
	Body resolution
}

// resolution is what a person decides about a command.
type resolution struct {
	How       string   `json:"how" enum:"resume,done,not-done,waive,split"`
	Why       string   `json:"why,omitempty" doc:"Required but for resume and split; kept on record"`
	Documents []string `json:"documents,omitempty" nullable:"false" doc:"With done: the numbers that the system gave"`
	Members   []string `json:"members,omitempty" nullable:"false" doc:"With split: ids of the events that are to blame; absent where nobody knows"`
}

func (a *API) resolve(ctx context.Context, who caller, in *resolveIn) (StepView, error) {
	s, err := a.command(ctx, who, &in.CommandIn)
	if err != nil {
		return s, err
	}
	need := ledger.Settle
	switch flow.How(in.Body.How) {
	case flow.Resume, flow.Split:
		need = ledger.Resume
	case flow.Waive:
		need = ledger.Waive
	case flow.Done, flow.NotDone:
	}
	if err := who.Need(need, s.Plant); err != nil {
		return s, err
	}
	if need == ledger.Waive {
		if err := a.signs(ctx, who, &in.Asker); err != nil {
			return s, err
		}
	}
	err = a.flow.Resolve(ctx, flow.Resolution{Command: in.Command, By: who.Principal, How: flow.How(in.Body.How), Why: in.Body.Why, Documents: in.Body.Documents, Blamed: in.Body.Members})
	if err != nil {
		return s, err
	}
	return a.command(ctx, who, &in.CommandIn)
}
