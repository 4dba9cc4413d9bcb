package api

import (
	"net/http"

	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/ledger"
)

// Trials are what would become of messages.
type Trials struct {
	Trials []TrialView `json:"trials" nullable:"false"`
	Valid  bool        `json:"valid" doc:"Nothing would be held or refused"`
}

// TrialView is what would become of one message, as far as that can be told
// without the state of its objects. Nothing is kept.
type TrialView struct {
	Record    int              `json:"record,omitempty" doc:"Number in the file as a person counts, or place in the batch from 1"`
	ID        string           `json:"id,omitempty"`
	Plant     string           `json:"plant,omitempty"`
	Events    []map[string]any `json:"events,omitempty" nullable:"false" doc:"As they would be recorded, in the JSON form of CloudEvents 1.0"`
	Verdicts  [][]VerdictView  `json:"verdicts,omitempty" nullable:"false" doc:"Of each event, of the policies that need no state"`
	Facts     [][]FactView     `json:"facts,omitempty" nullable:"false" doc:"Of each event"`
	Exception *FaultView       `json:"exception,omitempty" doc:"Why it would be held"`
	Waits     []string         `json:"waits,omitempty" nullable:"false" doc:"What it would wait for"`
	Refused   *Problem         `json:"refused,omitempty" doc:"Why nothing of it would be kept"`
}

// validate tells what would become of a message and keeps nothing. Whoever may
// send it may try it.
func (a *API) validate(w http.ResponseWriter, r *http.Request) {
	p, err := a.principal(r.Context(), r.Header.Get("Authorization"))
	if err == nil {
		err = onlyParameters(r, "system", "message")
	}
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	d, err := a.trialDelivery(w, r, p)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	trials, err := a.flow.Try(r.Context(), d)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	v := Trials{Trials: make([]TrialView, len(trials)), Valid: true}
	for i := range trials {
		v.Trials[i] = trialView(&trials[i])
		v.Valid = v.Valid && trials[i].Fault == nil && trials[i].Refused == nil
	}
	write(w, http.StatusOK, jsonType, v)
}

func (a *API) trialDelivery(w http.ResponseWriter, r *http.Request, p ledger.Principal) (flow.Delivery, error) {
	system, message := r.URL.Query().Get("system"), r.URL.Query().Get("message")
	if system == "" && message == "" {
		d, _, err := a.eventDelivery(w, r, p)
		return d, err
	}
	if system == "" || message == "" {
		return flow.Delivery{}, invalid("message", "give system and message together, or neither for a CloudEvent")
	}
	return a.messageDelivery(w, r, p, system, message)
}

func trialView(t *flow.Trial) TrialView {
	v := TrialView{Record: t.Record, ID: t.ID, Plant: t.Plant, Exception: faultView(t.Fault), Waits: t.Waits}
	if t.Refused != nil {
		v.Refused = refusal(t.Refused)
	}
	for i := range t.Events {
		v.Events = append(v.Events, t.Events[i].CloudEvent())
		v.Verdicts = append(v.Verdicts, verdictViews(t.Verdicts[i]))
		v.Facts = append(v.Facts, factViews(t.Events[i].Facts))
	}
	return v
}
