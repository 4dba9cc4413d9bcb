package api

import (
	"context"

	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/report"
)

type shadowIn struct {
	Asker
	Plant  string `query:"plant"`
	System string `query:"system" doc:"That would have been commanded"`
	After  string `query:"after" doc:"As next says"`
	Limit  Limit  `query:"limit" doc:"Objects, 1 to 1000; 100 where nothing is said"`
}

// Shadows are steps in the shadow beside what their systems did.
type Shadows struct {
	Steps  []ShadowView   `json:"steps" nullable:"false" doc:"Object by object, in the order in which they were decided"`
	Others []ReportedView `json:"others" nullable:"false" doc:"What the systems reported about the same objects, and no step would have asked for"`
	Next   string         `json:"next,omitempty" doc:"Give it as after for the next page; absent on the last one"`
}

// ShadowView is one step that is never performed.
type ShadowView struct {
	StepView
	Verdict  string         `json:"verdict" enum:"equal,differs,reported,missing" doc:"equal: the system reported one of the amounts in base units, or the status; differs: something else; reported: there is nothing to compare by; missing: nothing"`
	Request  map[string]any `json:"request,omitempty" doc:"What would have been sent, in the system's terms"`
	Fault    *FaultView     `json:"fault,omitempty" doc:"Why it could not have been sent"`
	Reported *ReportedView  `json:"reported,omitempty" doc:"What it is compared with"`
}

// ReportedView is an event that a system has reported.
type ReportedView struct {
	Event    string         `json:"event" doc:"Id of the statement"`
	Type     string         `json:"type"`
	System   string         `json:"system"`
	Plant    string         `json:"plant"`
	Recorded string         `json:"recorded" format:"date-time"`
	Data     map[string]any `json:"data"`
}

func reportedView(e *ledger.StoredEvent) ReportedView {
	return ReportedView{Event: e.ID(), Type: e.Type, System: e.System, Plant: e.Plant, Recorded: utc(e.Recorded), Data: e.Data}
}

func (a *API) shadow(ctx context.Context, who caller, in *shadowIn) (Shadows, error) {
	all := Shadows{Steps: []ShadowView{}, Others: []ReportedView{}}
	limit, err := in.Limit.upTo(1000, 100)
	if err != nil {
		return all, err
	}
	var asked []string
	if in.Plant != "" {
		asked = []string{in.Plant}
	}
	plants, err := who.scope.narrow(asked)
	if err == nil {
		err = a.known(ctx, who.scope, in.Plant)
	}
	if err != nil {
		return all, err
	}
	account, err := a.flow.Shadow(ctx, plants, in.System, in.After, limit)
	if err != nil {
		return all, err
	}
	all.Next = account.Next
	for i := range account.Steps {
		x := &account.Steps[i]
		v := ShadowView{StepView: stepView(who, &report.Step{Step: x.Step}), Verdict: string(x.Verdict), Request: x.Request, Fault: faultView(x.Fault)}
		if x.Reported != nil && who.scope.seesMessage(x.Reported.System, x.Reported.Plant) {
			reported := reportedView(x.Reported)
			v.Reported = &reported
		}
		all.Steps = append(all.Steps, v)
	}
	for i := range account.Others {
		if e := &account.Others[i]; who.scope.seesMessage(e.System, e.Plant) {
			all.Others = append(all.Others, reportedView(e))
		}
	}
	return all, nil
}
