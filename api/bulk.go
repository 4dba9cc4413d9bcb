package api

import (
	"cmp"
	"context"
	"time"

	"github.com/gapless/gapless/ledger"
)

type startBulkIn struct {
	Asker
	Body bulkStart
}

// bulkStart is the bulk work that a person wants done.
type bulkStart struct {
	Group string `json:"group" doc:"Of exceptions, as the queue names it"`
	What  string `json:"what,omitempty" enum:"resume,assign,comment,snooze,wake,waive" doc:"What is done with each of them; resume where nothing is said"`
	First int    `json:"first,omitempty" doc:"So many of them, the oldest first; absent: all"`
	To    string `json:"to,omitempty" doc:"assign: a person or an owner group; absent gives them back to their owners"`
	From  string `json:"from,omitempty" doc:"assign: who has them now; absent: nobody. Those that somebody else has are left alone"`
	Until string `json:"until,omitempty" format:"date-time" doc:"snooze: up to when"`
	Text  string `json:"text,omitempty" doc:"comment: what is said"`
	Why   string `json:"why,omitempty" doc:"Kept on record; waive needs it"`
}

// BulkView is bulk work and how far it has come.
type BulkView struct {
	Bulk     string           `json:"bulk" doc:"Its id"`
	What     string           `json:"what" example:"resume" doc:"What is done with each member"`
	Group    string           `json:"group,omitempty"`
	To       string           `json:"to,omitempty" doc:"assign: to whom"`
	From     string           `json:"from,omitempty" doc:"assign: who had them"`
	Until    string           `json:"until,omitempty" format:"date-time" doc:"snooze: up to when"`
	Plant    string           `json:"plant,omitempty"`
	State    string           `json:"state" enum:"running,paused,cancelled,done"`
	Members  int64            `json:"members" doc:"Fixed when it began"`
	Left     int64            `json:"left" doc:"Members that have not had their turn"`
	Outcomes map[string]int64 `json:"outcomes" doc:"Of the others: resumed, done (what is not resuming), held (tried, and still does not go on), moved-on (decided before its turn), failed (could not be tried)"`
	By       string           `json:"by"`
	Why      string           `json:"why,omitempty"`
	Created  string           `json:"created" format:"date-time"`
	Changed  string           `json:"changed" format:"date-time" doc:"Begun, paused, gone on, cancelled or done"`

	Results []BulkMemberView `json:"results,omitempty" nullable:"false" doc:"A page of members"`
	Next    int64            `json:"next,omitempty" doc:"Give it as after for the next page; absent on the last one"`
}

// BulkMemberView is one exception of bulk work.
type BulkMemberView struct {
	N         int64  `json:"n" doc:"From 1, the oldest first"`
	Exception string `json:"exception"`
	Outcome   string `json:"outcome,omitempty" enum:"resumed,done,held,moved-on,failed" doc:"Absent before its turn"`
	Words     string `json:"words,omitempty"`
	Ended     string `json:"ended,omitempty" format:"date-time"`
	Now       string `json:"now,omitempty" doc:"How the command or the message stands now"`
}

func bulkView(b *ledger.Bulk) BulkView {
	v := BulkView{
		Bulk: b.ID, What: string(b.What), Group: b.Cause, To: b.Input.To, From: b.Input.From, Until: utc(b.Input.Until), Plant: b.Plant, State: b.State, Members: b.Members, Left: b.Left(), Outcomes: map[string]int64{},
		By: b.By, Why: b.Why, Created: utc(b.Created), Changed: utc(b.Changed),
	}
	for outcome, n := range b.Outcomes {
		v.Outcomes[string(outcome)] = n
	}
	return v
}

func (a *API) startBulk(ctx context.Context, who caller, in *startBulkIn) (BulkView, error) {
	c, err := ledger.ParseCause(in.Body.Group)
	switch {
	case err != nil:
		return BulkView{}, err
	case !who.scope.sees(c.Plant):
		return BulkView{}, forbidden("no role at plant %.80q", c.Plant)
	}
	what := ledger.BulkWhat(cmp.Or(in.Body.What, string(ledger.BulkResume)))
	if err := who.Need(bulkNeeds(what), c.Plant); err != nil {
		return BulkView{}, err
	}
	if what == ledger.BulkWaive {
		if err := a.signs(ctx, who, &in.Asker); err != nil {
			return BulkView{}, err
		}
	}
	start, err := a.bulkStart(ctx, c, &in.Body)
	if err != nil {
		return BulkView{}, err
	}
	work, err := a.flow.StartBulk(ctx, who.Name, start)
	return bulkView(&work), err
}

// bulkNeeds is what a person needs to do something to a group: the same as for one of it.
func bulkNeeds(what ledger.BulkWhat) *ledger.Permission {
	switch what {
	case ledger.BulkAssign:
		return ledger.Assign
	case ledger.BulkComment:
		return ledger.Comment
	case ledger.BulkSnooze, ledger.BulkWake:
		return ledger.Snooze
	case ledger.BulkWaive:
		return ledger.Waive
	case ledger.BulkResume, ledger.ReplayWork: // the latter has routes of its own, and is refused
	}
	return ledger.Resume
}

// bulkStart reads what is to be done with a group.
func (a *API) bulkStart(ctx context.Context, c ledger.Cause, in *bulkStart) (ledger.BulkStart, error) {
	start := ledger.BulkStart{What: ledger.BulkWhat(cmp.Or(in.What, string(ledger.BulkResume))), Cause: c, First: in.First, Why: in.Why}
	var err error
	switch start.What {
	case ledger.BulkAssign:
		start.Input.To, start.Input.From = in.To, in.From
		err = a.assignable(ctx, in.To, c.Plant)
	case ledger.BulkComment:
		start.Why = in.Text
	case ledger.BulkSnooze:
		if err = required("until", in.Until); err == nil {
			start.Input.Until, err = Instant(in.Until).time("until", time.Time{})
		}
	case ledger.BulkResume, ledger.BulkWake, ledger.BulkWaive, ledger.ReplayWork: // are told nothing but why
	}
	return start, err
}

type listBulkIn struct {
	Asker
	Limit Limit `query:"limit" doc:"1 to 1000, 20 where nothing is said"`
}

// BulkList is the newest bulk work.
type BulkList struct {
	Bulk []BulkView `json:"bulk" nullable:"false"`
}

func (a *API) listBulk(ctx context.Context, who caller, in *listBulkIn) (BulkList, error) {
	v := BulkList{Bulk: []BulkView{}}
	limit, err := in.Limit.upTo(1000, 20)
	if err != nil {
		return v, err
	}
	if who.Kind != ledger.PersonKind {
		return v, forbidden("bulk work is for people: it needs the role viewer")
	}
	var plants []string
	if !who.scope.all {
		plants = who.scope.plants
	}
	all, err := a.ledger().Bulks(ctx, plants, limit)
	for i := range all {
		v.Bulk = append(v.Bulk, bulkView(&all[i]))
	}
	return v, err
}

// BulkIn names bulk work.
type BulkIn struct {
	Asker
	Bulk string `path:"bulk" doc:"Its id"`
}

type getBulkIn struct {
	BulkIn
	After int64 `query:"after" doc:"Members behind this number"`
	Limit Limit `query:"limit" doc:"Members on a page: 1 to 1000, 100 where nothing is said"`
}

// visibleBulk is bulk work that the caller may see; to others it does not exist.
func (a *API) visibleBulk(ctx context.Context, who caller, id string) (ledger.Bulk, error) {
	work, err := a.ledger().Bulk(ctx, id)
	if err == nil && (who.Kind != ledger.PersonKind || !who.scope.sees(work.Plant) || work.What == ledger.ReplayWork) { // which has routes of its own
		err = notFound("bulk", "no bulk work %.60s is on record", id)
	}
	return work, err
}

func (a *API) getBulk(ctx context.Context, who caller, in *getBulkIn) (BulkView, error) {
	limit, err := in.Limit.upTo(1000, 100)
	if err != nil {
		return BulkView{}, err
	}
	work, err := a.visibleBulk(ctx, who, in.Bulk)
	if err != nil {
		return BulkView{}, err
	}
	v := bulkView(&work)
	members, err := a.ledger().BulkMembers(ctx, work.ID, in.After, limit+1)
	for i := range members[:min(len(members), limit)] {
		m := &members[i]
		v.Results = append(v.Results, BulkMemberView{N: m.N, Exception: m.ID(), Outcome: string(m.Outcome), Words: m.Words, Ended: utc(m.Ended), Now: m.Now})
	}
	if len(members) > limit {
		v.Next = members[limit-1].N
	}
	return v, err
}

type moveBulkIn struct {
	BulkIn
	Body bulkMove
}

// bulkMove is why bulk work is paused, goes on or is cancelled.
type bulkMove struct {
	Why string `json:"why,omitempty" doc:"Kept on record"`
}

func (a *API) moveBulk(ctx context.Context, who caller, in *moveBulkIn, to string) (BulkView, error) {
	work, err := a.visibleBulk(ctx, who, in.Bulk)
	if err == nil {
		err = who.Need(bulkNeeds(work.What), work.Plant)
	}
	if err != nil {
		return BulkView{}, err
	}
	work, err = a.flow.MoveBulk(ctx, who.Name, in.Bulk, to, in.Body.Why)
	return bulkView(&work), err
}
