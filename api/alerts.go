package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/gapless/gapless/alert"
	"github.com/gapless/gapless/ledger"
)

// alertRoutes tell what people were told.
func (a *API) alertRoutes() {
	read(a, operation(http.MethodGet, "/v1/alerts", "list-alerts", tagHeld, "What people were told",
		"Alerts about groups of exceptions, the newest first: what was told, by which channels it went out, and what waits and why."), a.listAlerts)
}

type alertsIn struct {
	Asker
	Plant string `query:"plant"`
	State string `query:"state" enum:"waiting,sent,given-up" doc:"Only those that have come so far on some channel"`
	After string `query:"after" doc:"As next of the page before says"`
	Limit Limit  `query:"limit" doc:"1 to 1000, 100 where nothing is said"`
}

// Alerts is a page of alerts.
type Alerts struct {
	Alerts []AlertView `json:"alerts" nullable:"false" doc:"The newest first"`
	Next   string      `json:"next,omitempty" doc:"Give it as after for the next page; absent on the last one"`
}

// AlertView is what was told about a group, and how far it has come.
type AlertView struct {
	alert.Notice
	Sends []AlertSendView `json:"sends" nullable:"false" doc:"By channel; none where no route takes it"`
}

// AlertSendView is how far an alert has come on a channel.
type AlertSendView struct {
	Channel  string `json:"channel"`
	State    string `json:"state" enum:"waiting,sent,given-up"`
	Message  string `json:"message,omitempty" doc:"Id of the message that it goes out with, the same for every try; absent before the first"`
	Attempts int    `json:"attempts"`
	Due      string `json:"due,omitempty" format:"date-time" doc:"While it waits: when it is tried again"`
	Words    string `json:"words,omitempty" doc:"Why it did not go out"`
	Changed  string `json:"changed" format:"date-time"`
}

func (a *API) listAlerts(ctx context.Context, who caller, in *alertsIn) (Alerts, error) {
	page := Alerts{Alerts: []AlertView{}}
	limit, err := in.Limit.upTo(1000, 100)
	if err != nil {
		return page, err
	}
	f := ledger.AlertFilter{State: ledger.AlertState(in.State), After: in.After, Limit: limit}
	switch f.State {
	case "", ledger.AlertWaiting, ledger.AlertSent, ledger.AlertGivenUp:
	default:
		return page, invalid("state", "%.40q; give waiting, sent or given-up", in.State)
	}
	if who.scope.system != "" {
		return page, forbidden("alerts are for people")
	}
	if err := a.known(ctx, who.scope, in.Plant); err != nil {
		return page, err
	}
	switch {
	case in.Plant != "":
		f.Plants = []string{in.Plant}
	case !who.scope.all:
		f.Plants = who.scope.plants
	}
	found, more, err := a.ledger().Alerts(ctx, f)
	if err != nil {
		return page, err
	}
	for i := range found {
		v, err := alertView(&found[i])
		if err != nil {
			return page, err
		}
		page.Alerts = append(page.Alerts, v)
	}
	if more {
		page.Next = found[len(found)-1].Place()
	}
	return page, nil
}

func alertView(x *ledger.SentAlert) (AlertView, error) {
	v := AlertView{Sends: []AlertSendView{}}
	if err := json.Unmarshal(x.Notice, &v.Notice); err != nil {
		return v, fmt.Errorf("api.alerts: alert %s: %w", x.ID, err)
	}
	for i := range x.Sends {
		s := &x.Sends[i]
		send := AlertSendView{Channel: s.Channel, State: string(s.State), Message: s.Bundle, Attempts: s.Attempts, Words: s.Words, Changed: utc(s.Changed)}
		if s.State == ledger.AlertWaiting {
			send.Due = utc(s.Due)
		}
		v.Sends = append(v.Sends, send)
	}
	return v, nil
}
