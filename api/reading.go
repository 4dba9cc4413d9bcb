package api

import (
	"context"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/report"
)

type eventIn struct {
	Asker
	ID string `path:"id" doc:"Id of a statement, as answers and feeds name it"`
}

func (a *API) getEvent(ctx context.Context, who caller, in *eventIn) (EventView, error) {
	e, err := a.ledger().Event(ctx, in.ID)
	if err != nil {
		return EventView{}, err
	}
	if !who.scope.sees(e.Plant) {
		return EventView{}, notFound("event", "no event %.60s is on record", in.ID)
	}
	facts, err := a.ledger().EventFacts(ctx, e.Plant, e.Position)
	return eventView(&e, facts), err
}

type messageIn struct {
	Asker
	ID  string `path:"id" doc:"Id of a message version, as answers name it"`
	Raw Flag   `query:"raw" doc:"Show the content as it came; needs the role quality or steward at the message's plant"`
}

func (a *API) getMessage(ctx context.Context, who caller, in *messageIn) (MessageView, error) {
	raw, err := in.Raw.set("raw")
	if err != nil {
		return MessageView{}, err
	}
	m, err := a.visibleMessage(ctx, who, in.ID)
	if err != nil {
		return MessageView{}, err
	}
	v := messageView(&m)
	if raw {
		if err := a.addRaw(ctx, who, in.ID, m.Plant, &v); err != nil {
			return v, err
		}
	}
	exceptions, err := a.ledger().ExceptionsOf(ctx, m.Key())
	if err != nil {
		return v, err
	}
	v.Exceptions = visibleExceptions(who, exceptions) // a version of another plant has others
	events, err := a.ledger().EventsOfMessage(ctx, m.Key())
	for _, e := range events {
		v.Events = append(v.Events, e.ID())
	}
	return v, err
}

// visibleMessage is a message that the caller may see; to others it does not exist.
func (a *API) visibleMessage(ctx context.Context, who caller, id string) (ledger.StoredMessage, error) {
	m, err := a.ledger().Message(ctx, id, false)
	if err == nil && !who.scope.seesMessage(m.System, m.Plant) {
		err = notFound("message", "no message %.60s is on record", id)
	}
	return m, err
}

func (a *API) addRaw(ctx context.Context, who caller, id, plant string, v *MessageView) error {
	if err := who.Need(ledger.SeeRaw, plant); err != nil {
		return err
	}
	m, err := a.ledger().Message(ctx, id, true)
	if err != nil {
		return err
	}
	if err := a.ledger().Note(ctx, ledger.Act{Plant: m.Plant, Principal: who.Name, Act: "content.read", Subject: m.StatementID()}); err != nil {
		return err
	}
	v.Erased = m.Erased
	switch {
	case m.Erased:
	case utf8.Valid(m.Body):
		text := string(m.Body)
		v.Body = &text
	default:
		v.BodyBase64 = m.Body
	}
	return nil
}

type traceIn struct {
	Asker
	Name    string `query:"name" required:"true" doc:"order/1000123, lot/M-100/4711, or the id of a message or event"`
	Explain Flag   `query:"explain" doc:"Tell for each field of an event which source fields decide it; of a message or event"`
}

func (a *API) trace(ctx context.Context, who caller, in *traceIn) (TraceView, error) {
	explain, err := in.Explain.set("explain")
	if err == nil {
		err = required("name", in.Name)
	}
	if err != nil {
		return TraceView{}, err
	}
	t, err := report.TraceOf(ctx, a.ledger(), in.Name)
	if err != nil {
		return TraceView{}, err
	}
	v, err := a.traceView(ctx, who, &t)
	if err == nil && explain {
		err = a.explain(ctx, &v)
	}
	return v, err
}

// traceView is the part of a trace that the caller may see. A thing of which
// nothing may be seen does not exist.
func (a *API) traceView(ctx context.Context, who caller, t *report.Trace) (TraceView, error) {
	v := TraceView{Name: t.Name, Kind: t.Kind, State: t.State, Lines: []EventView{}, More: t.More}
	own := false
	for i := range t.Messages {
		if m := &t.Messages[i]; who.scope.seesMessage(m.System, m.Plant) {
			v.Messages = append(v.Messages, messageView(m))
			own = true
		}
	}
	for i := range t.Lines {
		if l := &t.Lines[i]; who.scope.sees(l.Plant) {
			line := eventView(&l.StoredEvent, l.Facts)
			if l.Replayed != nil {
				act := actView(l.Replayed)
				line.Replayed = &act
			}
			v.Lines = append(v.Lines, line)
		}
	}
	if len(v.Lines) == 0 && !who.scope.all { // nothing that the caller may see has made it what it is
		v.State, v.More = nil, false
	}
	v.Followed, v.Steps = transactionViews(who, t.Followed), stepViews(who, t.Steps)
	v.Open, v.Ended = visibleExceptions(who, t.Open), visibleExceptions(who, t.Ended)
	if !own && len(v.Lines) == 0 && len(v.Open) == 0 && len(v.Steps) == 0 {
		return v, notFound("name", "%.120s", t.Name)
	}
	for _, act := range t.Acts {
		if who.scope.sees(act.Plant) {
			v.Acts = append(v.Acts, actView(&act))
		}
	}
	var err error
	v.Relations, err = a.visibleRelations(ctx, who, t.Relations)
	return v, err
}

func visibleExceptions(who caller, all []ledger.Exception) []ExceptionView {
	var views []ExceptionView
	for i := range all {
		if x := &all[i]; who.scope.seesMessage(x.System, x.Plant) {
			views = append(views, exceptionView(x))
		}
	}
	return views
}

// visibleRelations leaves out the relations that events of other plants state.
func (a *API) visibleRelations(ctx context.Context, who caller, all []ledger.Related) ([]RelationView, error) {
	var views []RelationView
	for _, r := range all {
		if !who.scope.all {
			statements, err := a.ledger().Statements(ctx, r.Event)
			if err != nil {
				return nil, err
			}
			if !slices.ContainsFunc(statements, func(e ledger.StoredEvent) bool { return who.scope.sees(e.Plant) }) {
				continue
			}
		}
		views = append(views, RelationView{Kind: r.Kind, From: string(r.From), To: string(r.To), Event: r.Event})
	}
	return views, nil
}

type objectsIn struct {
	Asker
	Ref   string `query:"ref" doc:"One object: lot/M-100/4711"`
	Kind  string `query:"kind" doc:"All objects of a kind that have a state, in order"`
	After string `query:"after" doc:"With kind: the ref behind which to go on, as next says"`
	Limit Limit  `query:"limit" doc:"1 to 1000, 100 where nothing is said"`
}

// Objects is a page of objects.
type Objects struct {
	Objects []ObjectView `json:"objects" nullable:"false"`
	Next    string       `json:"next,omitempty" doc:"Give it as after for the next page; absent on the last one"`
}

func (a *API) objects(ctx context.Context, who caller, in *objectsIn) (Objects, error) {
	limit, err := in.Limit.upTo(1000, 100)
	switch {
	case err != nil:
		return Objects{}, err
	case (in.Ref == "") == (in.Kind == ""):
		return Objects{}, invalid("ref", "give either ref or kind")
	case in.Ref != "":
		o, err := a.object(ctx, who, in.Ref)
		return Objects{Objects: []ObjectView{o}}, err
	}
	if _, ok := a.flow.Catalog().Kind(in.Kind); !ok {
		return Objects{}, invalid("kind", "kind %.60q is not in the catalog", in.Kind)
	}
	page := Objects{Objects: []ObjectView{}}
	after := event.Ref(in.After)
	for len(page.Objects) < limit {
		found, err := a.ledger().Objects(ctx, in.Kind, after, limit)
		if err != nil {
			return page, err
		}
		for i := range found {
			after = found[i].Ref
			visible, err := a.touched(ctx, who, &found[i])
			if err != nil {
				return page, err
			}
			if visible {
				page.Objects = append(page.Objects, objectView(&found[i]))
			}
			if len(page.Objects) == limit {
				page.Next = string(after)
				return page, nil
			}
		}
		if len(found) < limit {
			return page, nil
		}
	}
	return page, nil
}

func objectView(o *ledger.StoredObject) ObjectView {
	return ObjectView{Ref: string(o.Ref), Kind: o.Ref.Kind(), State: o.State, Plant: o.Plant, Position: o.Position, Recorded: utc(o.Recorded)}
}

func (a *API) object(ctx context.Context, who caller, name string) (ObjectView, error) {
	ref, err := event.ParseRef(name)
	if err != nil {
		return ObjectView{}, fault.Wrap("api", fault.InvalidRequest, "ref", err)
	}
	o, err := a.ledger().Object(ctx, ref)
	if err != nil {
		return ObjectView{}, err
	}
	visible := o.Known
	if visible {
		if visible, err = a.touched(ctx, who, &o); err != nil {
			return ObjectView{}, err
		}
	}
	open, err := a.ledger().OpenAbout(ctx, ref)
	if err != nil {
		return ObjectView{}, err
	}
	exceptions := visibleExceptions(who, open)
	if !visible && len(exceptions) == 0 {
		return ObjectView{}, notFound("ref", "%.120s", name)
	}
	v := ObjectView{Ref: name, Kind: ref.Kind()}
	if visible {
		v = objectView(&o)
		relations, err := a.ledger().Relations(ctx, ref, 1000)
		if err != nil {
			return v, err
		}
		if v.Relations, err = a.visibleRelations(ctx, who, relations); err != nil {
			return v, err
		}
	}
	v.Open = exceptions
	return v, nil
}

// touched tells whether the caller may see an object: an event of one of the
// caller's plants has touched it.
func (a *API) touched(ctx context.Context, who caller, o *ledger.StoredObject) (bool, error) {
	if who.scope.all || o.Plant != "" && who.scope.sees(o.Plant) {
		return true, nil
	}
	after := time.Time{}
	for {
		history, err := a.ledger().History(ctx, o.Ref, after, 200)
		if err != nil || len(history) == 0 {
			return false, err
		}
		for i := range history {
			if who.scope.sees(history[i].Plant) {
				return true, nil
			}
		}
		after = history[len(history)-1].Recorded
	}
}

type historyIn struct {
	Asker
	Ref   string  `query:"ref" required:"true" doc:"lot/M-100/4711"`
	After Instant `query:"after" doc:"Recorded later than this, as next says"`
	Limit Limit   `query:"limit" doc:"1 to 1000, 100 where nothing is said"`
}

// History is a page of the statements that touch an object.
type History struct {
	Events []EventView `json:"events" nullable:"false" doc:"In the order in which they were recorded, corrected ones too"`
	Next   string      `json:"next,omitempty" format:"date-time" doc:"Give it as after for the next page; absent on the last one"`
}

func (a *API) history(ctx context.Context, who caller, in *historyIn) (History, error) {
	page := History{Events: []EventView{}}
	limit, err := in.Limit.upTo(1000, 100)
	if err == nil {
		err = required("ref", in.Ref)
	}
	if err != nil {
		return page, err
	}
	after, err := in.After.time("after", time.Time{})
	if err != nil {
		return page, err
	}
	ref, err := event.ParseRef(in.Ref)
	if err != nil {
		return page, fault.Wrap("api", fault.InvalidRequest, "ref", err)
	}
	for len(page.Events) < limit {
		found, more, err := a.historyPage(ctx, ref, after, limit)
		if err != nil {
			return page, err
		}
		for i := range found {
			if who.scope.sees(found[i].Plant) {
				page.Events = append(page.Events, eventView(&found[i], nil))
			}
		}
		if !more {
			return page, nil
		}
		after = found[len(found)-1].Recorded
	}
	page.Next = utc(after)
	return page, nil
}

// historyPage is a stretch of an object's history that does not end among events
// of several plants that bear the same time.
func (a *API) historyPage(ctx context.Context, ref event.Ref, after time.Time, limit int) (found []ledger.StoredEvent, more bool, err error) {
	for size := limit + 1; ; size *= 2 {
		found, err = a.ledger().History(ctx, ref, after, size)
		if err != nil || len(found) < size {
			return found, false, err
		}
		for end := len(found) - 1; end > 0; end-- {
			if !found[end].Recorded.Equal(found[end-1].Recorded) {
				return found[:end], true, nil
			}
		}
	}
}

type referenceIn struct {
	Asker
	Ref   string  `query:"ref" required:"true" doc:"bom/M-100"`
	Plant string  `query:"plant" doc:"Where it is to hold; where nothing is said, the caller's only plant"`
	At    Instant `query:"at" doc:"Valid at this time; now where nothing is said"`
	Known Instant `query:"known" doc:"As it was on record at this time; now where nothing is said"`
}

func (a *API) reference(ctx context.Context, who caller, in *referenceIn) (ReferenceView, error) {
	now := a.ledger().Now()
	if err := required("ref", in.Ref); err != nil {
		return ReferenceView{}, err
	}
	at, err := in.At.time("at", now)
	if err != nil {
		return ReferenceView{}, err
	}
	known, err := in.Known.time("known", time.Time{})
	if err != nil {
		return ReferenceView{}, err
	}
	ref, err := event.ParseRef(in.Ref)
	if err != nil {
		return ReferenceView{}, fault.Wrap("api", fault.InvalidRequest, "ref", err)
	}
	plant := in.Plant
	switch {
	case plant == "" && !who.scope.all && len(who.scope.plants) == 1:
		plant = who.scope.plants[0]
	case plant != "" && !who.scope.sees(plant):
		return ReferenceView{}, forbidden("no role at plant %.80q", plant)
	}
	r, err := a.ledger().ReferenceAt(ctx, ref, plant, at, known)
	if err != nil {
		return ReferenceView{}, err
	}
	return ReferenceView{
		Ref: string(r.Ref), Plant: r.Plant, ValidFrom: utc(r.ValidFrom), ValidTo: utc(r.ValidTo), Recorded: utc(r.Recorded),
		AgeSeconds: int64(now.Sub(r.Recorded) / time.Second), Event: r.Event, Body: r.Body,
	}, nil
}

type crossReferenceIn struct {
	Asker
	System string  `query:"system" required:"true" doc:"Whose identifier it is"`
	Kind   string  `query:"kind" required:"true" example:"material"`
	ID     string  `query:"id" required:"true" doc:"The identifier as the system writes it"`
	At     Instant `query:"at" doc:"Valid at this time; now where nothing is said"`
}

func (a *API) crossReference(ctx context.Context, who caller, in *crossReferenceIn) (CrossReferenceView, error) {
	for field, value := range map[string]string{"system": in.System, "kind": in.Kind, "id": in.ID} {
		if err := required(field, value); err != nil {
			return CrossReferenceView{}, err
		}
	}
	at, err := in.At.time("at", a.ledger().Now())
	if err != nil {
		return CrossReferenceView{}, err
	}
	if !a.seesSystem(who.scope, in.System) {
		return CrossReferenceView{}, forbidden("%.80q reports for no plant at which you have a role", in.System)
	}
	x, err := a.ledger().CrossReferenceAt(ctx, in.System, in.Kind, in.ID, at)
	if err == nil {
		return CrossReferenceView{
			System: x.System, Kind: x.Kind, ID: x.ID, Ref: string(x.Ref), ValidFrom: utc(x.ValidFrom), ValidTo: utc(x.ValidTo), Event: x.Event,
		}, nil
	}
	for _, x := range a.flow.Catalog().CrossReferences() {
		if x.System == in.System && x.Kind == in.Kind && x.ID == in.ID && x.ValidAt(at) {
			return CrossReferenceView{System: x.System, Kind: x.Kind, ID: x.ID, Ref: string(x.Ref), ValidFrom: utc(x.ValidFrom), ValidTo: utc(x.ValidTo)}, nil
		}
	}
	return CrossReferenceView{}, err
}
