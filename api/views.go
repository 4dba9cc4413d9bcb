package api

import (
	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/report"
)

// EventView is an event on record with where it came from.
type EventView struct {
	Event     map[string]any `json:"event" doc:"The event in the JSON form of CloudEvents 1.0"`
	Key       string         `json:"key" doc:"The same for every statement about the same thing"`
	Statement int            `json:"statement" doc:"1 states it first; 2, 3 ... correct or reverse the one before"`
	Change    string         `json:"change,omitempty" enum:"correction,reversal" doc:"What the statement does to the one before"`
	Current   bool           `json:"current" doc:"No later statement corrects or reverses it"`
	Newest    string         `json:"newest" doc:"Id of the newest statement"`
	Disputed  bool           `json:"disputed,omitempty" doc:"A policy objects: recorded, counted apart"`
	Identity  string         `json:"identity" doc:"Business key within system and type"`
	Slot      string         `json:"slot" doc:"Which output of the mapping"`
	Message   string         `json:"message" doc:"Id of the message version that caused it"`
	Mapping   string         `json:"mapping,omitempty" doc:"system/message; absent for an event sent as such"`
	Revision  string         `json:"revision" doc:"Digest of the catalog that mapped and judged it"`
	Refs      []string       `json:"refs" nullable:"false" doc:"Every object that it touches, its subject first"`
	Relations []RelationView `json:"relations,omitempty" nullable:"false"`
	Verdicts  []VerdictView  `json:"verdicts,omitempty" nullable:"false"`
	Facts     []FactView     `json:"facts,omitempty" nullable:"false" doc:"Rows that figures are made of; negative where a correction takes back"`
	Replayed  *ActView       `json:"replayed,omitempty" doc:"In a trace: the act of the replay that it came of; absent where its source has stated it"`
}

// RelationView links two objects.
type RelationView struct {
	Kind  string `json:"kind" example:"order-lot"`
	From  string `json:"from" example:"order/1000123"`
	To    string `json:"to" example:"lot/M-100/4711"`
	Event string `json:"event,omitempty" doc:"Key of the event that states it"`
}

// VerdictView is what a policy said of an event.
type VerdictView struct {
	Policy  string `json:"policy"`
	Outcome string `json:"outcome" enum:"pass,stop,error"`
	Effect  string `json:"effect,omitempty" doc:"What stop means: forbid, dispute, warn"`
	Reason  string `json:"reason,omitempty"`
	Field   string `json:"field,omitempty"`
	Message string `json:"message,omitempty"`
	Remedy  string `json:"remedy,omitempty"`
}

// FactView is a row that figures are made of. Quantities are decimal texts.
type FactView struct {
	Measure    string       `json:"measure" example:"good"`
	Material   string       `json:"material,omitempty"`
	Lot        string       `json:"lot,omitempty"`
	Order      string       `json:"order,omitempty"`
	Operation  string       `json:"operation,omitempty"`
	WorkCenter string       `json:"work_center,omitempty"`
	Equipment  string       `json:"equipment,omitempty"`
	Reason     string       `json:"reason,omitempty"`
	Quantity   QuantityView `json:"quantity" doc:"As reported"`
	Base       QuantityView `json:"base" doc:"In the base unit"`
	Factor     string       `json:"factor,omitempty" doc:"Version of the material's own factor, where one was used"`
}

// QuantityView is an exact decimal and its unit.
type QuantityView struct {
	Value string `json:"value" example:"12.50" doc:"Exact decimal"`
	Unit  string `json:"unit" example:"KGM" doc:"Code of UN/ECE Recommendation 20, or a unit of the material"`
}

func eventView(e *ledger.StoredEvent, facts []event.Fact) EventView {
	v := EventView{
		Event: e.CloudEvent(), Key: e.Key, Statement: e.Statement, Change: string(e.Change), Current: e.Current, Newest: e.Newest, Disputed: e.Disputed,
		Identity: e.Identity, Slot: e.Slot, Message: e.Message, Mapping: e.Mapping, Revision: e.Revision, Refs: make([]string, len(e.Refs)),
	}
	for i, ref := range e.Refs {
		v.Refs[i] = string(ref)
	}
	for _, r := range e.Relations {
		v.Relations = append(v.Relations, RelationView{Kind: r.Kind, From: string(r.From), To: string(r.To)})
	}
	v.Verdicts = verdictViews(e.Verdicts)
	v.Facts = factViews(facts)
	return v
}

func verdictViews(all []ledger.Verdict) []VerdictView {
	var views []VerdictView
	for _, v := range all {
		views = append(views, VerdictView(v))
	}
	return views
}

func factViews(all []event.Fact) []FactView {
	var views []FactView
	for _, f := range all {
		views = append(views, FactView{
			Measure: f.Measure, Material: string(f.Material), Lot: string(f.Lot), Order: string(f.Order), Operation: string(f.Operation),
			WorkCenter: string(f.WorkCenter), Equipment: string(f.Equipment), Reason: f.Reason, Quantity: quantityView(f.Quantity), Base: quantityView(f.Base), Factor: f.Factor,
		})
	}
	return views
}

func quantityView(q event.Quantity) QuantityView {
	return QuantityView{Value: q.Value.String(), Unit: q.Unit}
}

// MessageView is a kept version of a message.
type MessageView struct {
	ID          string          `json:"id" doc:"Id of this version"`
	System      string          `json:"system"`
	Name        string          `json:"name" doc:"Message of the system's mappings; event for a CloudEvent"`
	SourceID    string          `json:"source_id" doc:"The id that the source gave, or the identity that the mapping declares"`
	Version     int             `json:"version"`
	Newest      int             `json:"newest" doc:"The newest version"`
	Effective   int             `json:"effective" doc:"The version whose events stand; 0 while none"`
	Held        bool            `json:"held" doc:"The newest version is held"`
	Echo        bool            `json:"echo,omitempty" doc:"It told of what the hub had asked the system to do, and so made no event"`
	Plant       string          `json:"plant,omitempty"`
	ContentType string          `json:"content_type"`
	Channel     string          `json:"channel" doc:"How it came"`
	Principal   string          `json:"principal" doc:"Who delivered it"`
	Digest      string          `json:"digest" doc:"Of the canonical form without volatile attributes"`
	Received    string          `json:"received" format:"date-time"`
	Erased      bool            `json:"erased,omitempty" doc:"The raw content is no longer there"`
	Body        *string         `json:"body,omitempty" doc:"With raw=true: the content as it came, where it is text"`
	BodyBase64  []byte          `json:"body_base64,omitempty" nullable:"false" doc:"With raw=true: the content as it came, where it is no text"`
	Events      []string        `json:"events,omitempty" nullable:"false" doc:"Ids of the newest statements that the message made"`
	Exceptions  []ExceptionView `json:"exceptions,omitempty" nullable:"false"`
}

func messageView(m *ledger.StoredMessage) MessageView {
	return MessageView{
		ID: m.StatementID(), System: m.System, Name: m.Name, SourceID: m.ID, Version: m.Version, Newest: m.Newest, Effective: m.Effective, Held: m.Held, Echo: m.Echo,
		Plant: m.Plant, ContentType: m.ContentType, Channel: m.Channel, Principal: m.Principal, Digest: m.Digest, Received: utc(m.Received),
	}
}

// ExceptionView is what stands, or stood, in the way of a message version or a command,
// or what is late.
type ExceptionView struct {
	ID         string   `json:"exception" doc:"Names it for everything that is done about it: id of the message version, key of the command or of the expectation"`
	Message    string   `json:"message,omitempty" doc:"Id of the message version; absent where it is about a command or an expectation"`
	Command    string   `json:"command,omitempty" doc:"Key of the command; absent where it is about a message or an expectation"`
	Plant      string   `json:"plant,omitempty"`
	System     string   `json:"system"`
	Name       string   `json:"name" doc:"Of the message, of the command, or of the expectation"`
	State      string   `json:"state" enum:"open,resolved,waived"`
	Reason     string   `json:"reason"`
	Class      string   `json:"class"`
	Title      string   `json:"title"`
	Field      string   `json:"field,omitempty"`
	Ref        string   `json:"ref,omitempty"`
	Detail     string   `json:"detail,omitempty"`
	Remedy     string   `json:"remedy"`
	Owner      string   `json:"owner" doc:"Group that takes care of it"`
	Raised     string   `json:"raised" format:"date-time"`
	Deadline   string   `json:"deadline,omitempty" format:"date-time"`
	Ended      string   `json:"ended,omitempty" format:"date-time"`
	Resolution string   `json:"resolution,omitempty"`
	Waits      []string `json:"waits,omitempty" nullable:"false" doc:"What the message waits for"`
}

func exceptionView(x *ledger.Exception) ExceptionView {
	return ExceptionView{
		ID: x.ID(), Message: x.Message, Command: x.Step, Plant: x.Plant, System: x.System, Name: x.Name, State: x.State, Reason: x.Reason.Code, Class: string(x.Reason.Class),
		Title: x.Reason.Title, Field: x.Field, Ref: string(x.Ref), Detail: x.Detail, Remedy: x.Reason.Remedy, Owner: x.Owner,
		Raised: utc(x.Raised), Deadline: utc(x.Deadline), Ended: utc(x.Ended), Resolution: x.Resolution, Waits: x.Waits,
	}
}

// ActView is what a person or the hub did.
type ActView struct {
	Plant     string `json:"plant,omitempty"`
	Principal string `json:"principal"`
	Act       string `json:"act" example:"exception.raised"`
	Subject   string `json:"subject"`
	Detail    string `json:"detail,omitempty"`
	Recorded  string `json:"recorded" format:"date-time"`

	Before map[string]string `json:"before,omitempty" doc:"Of an act at the desk: what was before"`
	After  map[string]string `json:"after,omitempty" doc:"What is after it"`
	Why    string            `json:"why,omitempty"`

	Signatures []SignatureView `json:"signatures,omitempty" nullable:"false"`
}

// actView shows an act; what is structured in its detail is shown as such.
func actView(a *ledger.Act) ActView {
	v := ActView{Plant: a.Plant, Principal: a.Principal, Act: a.Act, Subject: a.Subject, Detail: a.Detail, Recorded: utc(a.Recorded)}
	if c, ok := ledger.ParseChange(a.Detail); ok {
		v.Detail, v.Before, v.After, v.Why = "", c.Before, c.After, c.Why
		for i := range c.Signatures {
			v.Signatures = append(v.Signatures, signatureView(&c.Signatures[i]))
		}
	}
	return v
}

// TraceView is what is on record about one thing, as far as the asker may see it.
type TraceView struct {
	Name         string            `json:"name"`
	Kind         string            `json:"kind" doc:"message, event, or the kind of the object"`
	State        map[string]any    `json:"state,omitempty"`
	Relations    []RelationView    `json:"relations,omitempty" nullable:"false"`
	Lines        []EventView       `json:"lines" nullable:"false" doc:"Statements in the order in which they were recorded"`
	Followed     []TransactionView `json:"followed,omitempty" nullable:"false" doc:"Of an object: what other systems have to do because of what is on record"`
	Steps        []StepView        `json:"steps,omitempty" nullable:"false" doc:"Of an event: the steps that it caused; of a document: those that it was given for"`
	Open         []ExceptionView   `json:"open,omitempty" nullable:"false"`
	Ended        []ExceptionView   `json:"ended,omitempty" nullable:"false"`
	Messages     []MessageView     `json:"messages,omitempty" nullable:"false" doc:"Of a message: its versions"`
	Acts         []ActView         `json:"acts,omitempty" nullable:"false"`
	More         bool              `json:"more,omitempty" doc:"The history is longer than what is shown: see /v1/objects/history"`
	Explanations []ExplanationView `json:"explanations,omitempty" nullable:"false" doc:"With explain=true: why the fields have their values"`
}

// ExplanationView tells for the events of one message why each field has its value.
type ExplanationView struct {
	Message  string      `json:"message" doc:"Id of the message version"`
	Mapping  string      `json:"mapping"`
	Revision string      `json:"revision" doc:"Digest of the catalog that it was explained with"`
	Fields   []FieldView `json:"fields,omitempty" nullable:"false"`
	Missing  string      `json:"missing,omitempty" doc:"Why there is no explanation"`
}

// FieldView is one target field of an event and the source fields that decide it.
type FieldView struct {
	Slot       string   `json:"slot"`
	Type       string   `json:"type"`
	Target     string   `json:"target" example:"data/outputs/0/quantity/value"`
	Value      any      `json:"value"`
	Sources    []string `json:"sources" nullable:"false" doc:"Fields of the message that the value depends on"`
	Place      string   `json:"place,omitempty" doc:"Of the expression in the mapping" example:"events[0].map"`
	Line       int      `json:"line,omitempty" doc:"Line of the assignment in that text"`
	Expression string   `json:"expression,omitempty"`
}

// ObjectView is an object and its state.
type ObjectView struct {
	Ref       string          `json:"ref"`
	Kind      string          `json:"kind"`
	State     map[string]any  `json:"state,omitempty" doc:"Absent for a kind without a lifecycle"`
	Plant     string          `json:"plant,omitempty" doc:"Of the last event that moved it"`
	Position  int64           `json:"position,omitempty"`
	Recorded  string          `json:"recorded,omitempty" format:"date-time"`
	Relations []RelationView  `json:"relations,omitempty" nullable:"false" doc:"Only where one object is asked for"`
	Open      []ExceptionView `json:"open,omitempty" nullable:"false" doc:"Open exceptions about it; only where one object is asked for"`
}

// ReferenceView is a version of reference data.
type ReferenceView struct {
	Ref        string         `json:"ref"`
	Plant      string         `json:"plant,omitempty" doc:"Absent: for all plants"`
	ValidFrom  string         `json:"valid_from" format:"date-time"`
	ValidTo    string         `json:"valid_to,omitempty" format:"date-time" doc:"Absent: open"`
	Recorded   string         `json:"recorded" format:"date-time"`
	AgeSeconds int64          `json:"age_seconds" doc:"Since it was recorded"`
	Event      string         `json:"event" doc:"Id of the event that states it"`
	Body       map[string]any `json:"body"`
}

// CrossReferenceView says which object a system means by a local identifier.
type CrossReferenceView struct {
	System    string `json:"system"`
	Kind      string `json:"kind"`
	ID        string `json:"id"`
	Ref       string `json:"ref"`
	ValidFrom string `json:"valid_from,omitempty" format:"date-time"`
	ValidTo   string `json:"valid_to,omitempty" format:"date-time"`
	Event     string `json:"event,omitempty" doc:"Absent where it comes from the catalog"`
}

// HeldCountView counts what is open.
type HeldCountView struct {
	Plant  string `json:"plant,omitempty"`
	System string `json:"system"`
	Reason string `json:"reason"`
	Open   int64  `json:"open"`
	Oldest string `json:"oldest" format:"date-time"`
}

func heldCountView(h ledger.HeldCount) HeldCountView {
	return HeldCountView{Plant: h.Plant, System: h.System, Reason: h.Reason, Open: h.Open, Oldest: utc(h.Oldest)}
}

// FiguresView are the sums of one group in one unit, as exact decimals.
type FiguresView struct {
	Key       string `json:"key" doc:"Ref, code or day; empty for what has none"`
	Unit      string `json:"unit"`
	Total     string `json:"total" doc:"Good, rejected, rework and remainder together"`
	Good      string `json:"good"`
	Rejected  string `json:"rejected"`
	Rework    string `json:"rework"`
	Remainder string `json:"remainder"`
	Disputed  string `json:"disputed" doc:"Of the total, what a policy disputes"`
}

// ProductionView is the report of what was made and what was rejected.
type ProductionView struct {
	By           string           `json:"by"`
	Rows         []FiguresView    `json:"rows" nullable:"false"`
	Totals       []FiguresView    `json:"totals" nullable:"false" doc:"One row for each unit"`
	Orders       int              `json:"orders" doc:"With anything produced"`
	Completeness CompletenessView `json:"completeness"`
}

// CompletenessView says what a report knows and what it cannot know.
type CompletenessView struct {
	AsOf      string           `json:"as_of" doc:"Cursor: the same one gives the same figures again"`
	Positions map[string]int64 `json:"positions"`
	Recorded  string           `json:"recorded,omitempty" format:"date-time"`
	Held      []HeldCountView  `json:"held" nullable:"false"`
	HeldTotal int64            `json:"held_total"`
	Assured   bool             `json:"assured"`

	Waived      []HeldCountView `json:"waived" nullable:"false" doc:"Messages that people gave up: they will not be counted"`
	WaivedTotal int64           `json:"waived_total"`

	Edited     int64 `json:"edited" doc:"Events that stand by content that people edited in the hub"`
	EditedOpen int64 `json:"edited_open" doc:"Of them, those of which the source says otherwise"`

	Statement string `json:"statement"`
}

func productionView(p *report.Production) ProductionView {
	v := ProductionView{By: string(p.By), Rows: figuresViews(p.Rows), Totals: figuresViews(p.Totals), Orders: p.Orders}
	c := p.Completeness
	v.Completeness = CompletenessView{
		AsOf: c.AsOf, Positions: c.Positions, Recorded: utc(c.Recorded), Held: []HeldCountView{}, HeldTotal: c.HeldTotal, Assured: c.Assured, Edited: c.Edited, EditedOpen: c.EditedOpen, Statement: c.Statement,
	}
	for _, h := range c.Held {
		v.Completeness.Held = append(v.Completeness.Held, heldCountView(h))
	}
	v.Completeness.Waived, v.Completeness.WaivedTotal = []HeldCountView{}, c.WaivedTotal
	for _, h := range c.Waived {
		v.Completeness.Waived = append(v.Completeness.Waived, heldCountView(h))
	}
	return v
}

func figuresViews(all []report.Figures) []FiguresView {
	views := make([]FiguresView, len(all))
	for i, f := range all {
		views[i] = FiguresView{
			Key: f.Key, Unit: f.Unit, Total: f.Total.String(), Good: f.Good.String(), Rejected: f.Rejected.String(),
			Rework: f.Rework.String(), Remainder: f.Remainder.String(), Disputed: f.Disputed.String(),
		}
	}
	return views
}

// DetailView is one fact behind a figure.
type DetailView struct {
	Event    string `json:"event"`
	Message  string `json:"message"`
	System   string `json:"system"`
	Measure  string `json:"measure"`
	Day      string `json:"day,omitempty" doc:"Production day"`
	Shift    string `json:"shift,omitempty"`
	Order    string `json:"order,omitempty"`
	Material string `json:"material,omitempty"`
	Machine  string `json:"machine,omitempty"`
	Reason   string `json:"reason,omitempty"`
	Amount   string `json:"amount" doc:"In the base unit; negative where a correction takes back"`
	Unit     string `json:"unit"`
	Disputed bool   `json:"disputed,omitempty"`
	Recorded string `json:"recorded" format:"date-time"`
}

func detailView(d *report.Detail) DetailView {
	return DetailView{
		Event: d.Event, Message: d.Message, System: d.System, Measure: d.Measure, Day: d.Day, Shift: d.Shift, Order: string(d.Order),
		Material: string(d.Material), Machine: string(d.Machine), Reason: d.Reason, Amount: d.Amount.String(), Unit: d.Unit, Disputed: d.Disputed,
		Recorded: utc(d.Recorded),
	}
}
