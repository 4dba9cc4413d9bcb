package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/report"
)

// editRoutes are what people change of held messages, and what they ask of sources.
func (a *API) editRoutes() {
	read(a, operation(http.MethodPost, "/v1/exceptions/{exception}/edit", "edit-exception", tagHeld, "Edit a held message",
		"Shows what would be changed, and what would become of the message; with signed, the digest of that, it goes on record, or is proposed where a second person has to sign. "+
			"What still stands in the way is told, and nothing is recorded. Needs the role that the catalog names for each field, and the password with the request."), a.editMessage)
	read(a, operation(http.MethodGet, "/v1/edits", "list-edits", tagHeld, "What was edited", "What waits for a signature or for the source to agree; with all=true everything. The newest first."), a.listEdits)
	read(a, operation(http.MethodGet, "/v1/edits/{edit}", "get-edit", tagHeld, "One edit", "Of what is proposed, with what would become of the message now."), a.getEdit)
	read(a, operation(http.MethodPost, "/v1/edits/{edit}/sign", "sign-edit", tagHeld, "Sign what another person has proposed",
		"The message goes on with the edited content, and a difference stays open until its source agrees. Needs the role that the catalog names, and the password with the request."), a.signEdit)
	read(a, operation(http.MethodPost, "/v1/edits/{edit}/refuse", "refuse-edit", tagHeld, "Refuse what is proposed",
		"By who could sign it, or takes it back. The message stays as it was."), a.refuseEdit)
	read(a, operation(http.MethodPost, "/v1/exceptions/{exception}/correct", "correct-exception", tagHeld, "Ask for a correction at source",
		"Of the message, or of the one that a command follows from. It ends by itself when the source sends another version, or corrects or reverses what it stated. "+needs(ledger.Correct)), a.correct)
	read(a, operation(http.MethodGet, "/v1/corrections", "list-corrections", tagHeld, "Corrections that are asked of sources", "Those that are open, the next due first; with all=true everything."), a.listCorrections)
	read(a, operation(http.MethodPost, "/v1/corrections/{correction}/end", "end-correction", tagHeld, "End a correction", "Nobody waits for it any more. "+needs(ledger.Correct)), a.endCorrection)
}

// Scalar is a text, a number, true or false.
type Scalar struct{ value any }

// Schema describes it.
func (Scalar) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{OneOf: []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeNumber}, {Type: huma.TypeBoolean}}}
}

// UnmarshalJSON reads it; a number stays as it is written.
func (s *Scalar) UnmarshalJSON(b []byte) error {
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	if err := d.Decode(&s.value); err != nil {
		return err
	}
	switch s.value.(type) {
	case string, json.Number, bool:
		return nil
	}
	return errors.New("a value is a text, a number, true or false")
}

type editIn struct {
	ExceptionIn
	Body editBody
}

// editBody is what a person wants to change.
type editBody struct {
	Fields []editedField `json:"fields" nullable:"false"`
	Why    string        `json:"why" doc:"Kept on record"`
	Signed string        `json:"signed,omitempty" doc:"Digest of the difference as it was shown; absent: it is shown, and nothing is kept"`
}

// editedField is a field and its new value.
type editedField struct {
	Field string `json:"field" doc:"As the mapping names it; an item of a list by its number from 0" example:"lines.2.unit"`
	Value Scalar `json:"value"`
}

// DifferenceView is what an edit changes, and what becomes of the message.
type DifferenceView struct {
	Message string       `json:"message" doc:"Id of the version that is held"`
	Plant   string       `json:"plant,omitempty"`
	Changes []ChangeView `json:"changes" nullable:"false"`
	Why     string       `json:"why"`
	Digest  string       `json:"digest" doc:"Of all of the above: give it as signed"`
	Second  []string     `json:"second,omitempty" nullable:"false" doc:"Roles of which another person has to sign too"`
	Events  []string     `json:"events,omitempty" nullable:"false" doc:"Types of the events that it would make"`
	Stops   *StopView    `json:"stops,omitempty" doc:"What would still stand in its way, or does"`

	Outcome string `json:"outcome" enum:"shown,recorded,corrected,proposed,refused" doc:"refused: something stands in its way, and nothing was recorded"`
	Edited  string `json:"edited,omitempty" doc:"Id of the version with the edited content"`
	Edit    string `json:"edit,omitempty" doc:"Id of what was proposed"`
}

// ChangeView is one field before and after an edit.
type ChangeView struct {
	Field  string `json:"field"`
	Before any    `json:"before,omitempty" doc:"Absent where the field was"`
	After  any    `json:"after"`
	Role   string `json:"role" doc:"Who may edit the field"`
	Second string `json:"second,omitempty" doc:"Who has to sign too: it is a field of the record"`
}

// StopView is what stands in the way of a message.
type StopView struct {
	Reason string `json:"reason"`
	Title  string `json:"title"`
	Field  string `json:"field,omitempty"`
	Detail string `json:"detail,omitempty"`
	Remedy string `json:"remedy"`
}

func stopView(f *fault.Fault) *StopView {
	if f == nil {
		return nil
	}
	return &StopView{Reason: f.Reason.Code, Title: f.Reason.Title, Field: f.Field, Detail: f.Explanation(), Remedy: f.Reason.Remedy}
}

func changeViews(all []ledger.FieldChange) []ChangeView {
	views := []ChangeView{}
	for _, c := range all {
		views = append(views, ChangeView(c))
	}
	return views
}

func differenceView(d *flow.Difference) DifferenceView {
	v := DifferenceView{Message: d.Message, Plant: d.Plant, Changes: changeViews(d.Changes), Why: d.Why, Digest: d.Digest, Second: d.Second, Stops: stopView(d.Trial.Fault), Outcome: "shown"}
	for i := range d.Trial.Events {
		v.Events = append(v.Events, d.Trial.Events[i].Type)
	}
	return v
}

// tell adds what became of an edit.
func (v *DifferenceView) tell(answer *flow.Answer, proposed string) {
	v.Outcome, v.Stops, v.Edit = string(answer.Outcome), stopView(answer.Fault), proposed
	switch {
	case proposed != "":
		v.Outcome = "proposed"
	case answer.Outcome != ledger.Refused:
		v.Edited = answer.Message
	}
}

func (a *API) editMessage(ctx context.Context, who caller, in *editIn) (DifferenceView, error) {
	x, err := a.visibleCase(ctx, who, in.Exception)
	if err != nil {
		return DifferenceView{}, err
	}
	if err := who.Need(ledger.EditField, x.Plant); err != nil {
		return DifferenceView{}, err
	}
	if err := a.editable(ctx, &x); err != nil {
		return DifferenceView{}, err
	}
	e := flow.Edit{Message: in.Exception, Why: in.Body.Why, By: who.Principal}
	for _, f := range in.Body.Fields {
		e.Fields = append(e.Fields, flow.EditedField{Field: f.Field, Value: f.Value.value})
	}
	shown, err := a.flow.ShowEdit(ctx, e)
	if err != nil || in.Body.Signed == "" {
		return differenceView(&shown), err
	}
	if err := a.signs(ctx, who, &in.Asker); err != nil {
		return DifferenceView{}, err
	}
	e.Signed = in.Body.Signed
	answer, proposed, err := a.flow.Edit(ctx, e)
	v := differenceView(&shown)
	if err == nil {
		v.tell(&answer, proposed)
	}
	return v, err
}

// editable is a fault where an exception is not about a message that is held.
func (a *API) editable(ctx context.Context, x *ledger.DeskException) error {
	switch {
	case x.State != ledger.DeskOpen:
		return fault.New("api.edit", fault.DecidedAlready, "exception", "the exception about %s was %s at %s: %s", x.ID, x.State, utc(x.Ended), x.Resolution)
	case x.Message != "":
		return nil
	}
	message, err := a.messageOf(ctx, x)
	if err != nil {
		return err
	}
	return fault.New("api.edit", fault.NotEditable, "exception", "a command is made of its event, and has no fields of its own: ask for a correction of message %s", message)
}

// messageOf is the id of the message that an exception is about, or that the event of its
// command was made of.
func (a *API) messageOf(ctx context.Context, x *ledger.DeskException) (string, error) {
	if x.Message != "" {
		return x.Message, nil
	}
	if x.Step == "" {
		return "", invalid("exception", "it is about what has not come: there is nothing to correct")
	}
	s, err := report.StepOf(ctx, a.ledger(), x.Step)
	if err != nil {
		return "", err
	}
	cause, err := a.ledger().Event(ctx, s.Cause)
	return cause.Message, err
}

// EditView is what was edited, or is proposed.
type EditView struct {
	Edit       string         `json:"edit" doc:"Its id"`
	State      string         `json:"state" enum:"proposed,refused,made,open,agreed,replaced" doc:"proposed: waits for a second signature; made: of technical fields; open: the source says otherwise; agreed, replaced: the source has said the same, or something else, which counts"`
	Message    string         `json:"message" doc:"Id of the version that was edited"`
	Edited     string         `json:"edited,omitempty" doc:"Id of the version with the edited content"`
	Plant      string         `json:"plant,omitempty"`
	System     string         `json:"system"`
	Name       string         `json:"name" doc:"Of the message"`
	SourceID   string         `json:"source_id"`
	Changes    []ChangeView   `json:"changes" nullable:"false"`
	Why        string         `json:"why"`
	Digest     string         `json:"digest" doc:"Of what was shown and signed"`
	Author     SignatureView  `json:"author"`
	Second     *SignatureView `json:"second,omitempty"`
	Made       string         `json:"made" format:"date-time"`
	Ended      string         `json:"ended,omitempty" format:"date-time"`
	Resolution string         `json:"resolution,omitempty"`

	Difference *DifferenceView `json:"difference,omitempty" doc:"Of one that is proposed: what would become of it now"`
}

// SignatureView says who signed, in which roles, and what it means.
type SignatureView struct {
	By      string   `json:"by"`
	Roles   []string `json:"roles" nullable:"false"`
	Meaning string   `json:"meaning"`
	Digest  string   `json:"digest"`
	At      string   `json:"at" format:"date-time"`
}

func signatureView(s *ledger.Signature) SignatureView {
	return SignatureView{By: s.By, Roles: s.Roles, Meaning: s.Meaning, Digest: s.Digest, At: utc(s.At)}
}

func editView(e *ledger.Edit) EditView {
	v := EditView{
		Edit: e.ID, State: e.State, Message: e.OriginalID(), Edited: e.VersionID(), Plant: e.Plant, System: e.System, Name: e.Name, SourceID: e.SourceID,
		Changes: changeViews(e.Changes), Why: e.Why, Digest: e.Digest, Author: signatureView(&e.Author), Made: utc(e.Made), Ended: utc(e.Ended), Resolution: e.Resolution,
	}
	if e.Second != nil {
		second := signatureView(e.Second)
		v.Second = &second
	}
	return v
}

type allIn struct {
	Asker
	All   Flag  `query:"all" doc:"Also what is no longer open"`
	Limit Limit `query:"limit" doc:"1 to 1000, 100 where nothing is said"`
}

// EditList is what was edited.
type EditList struct {
	Edits []EditView `json:"edits" nullable:"false" doc:"The newest first"`
}

func (a *API) listEdits(ctx context.Context, who caller, in *allIn) (EditList, error) {
	v := EditList{Edits: []EditView{}}
	limit, all, err := in.read()
	if err != nil {
		return v, err
	}
	plants, only := who.scope.filter()
	found, err := a.ledger().Edits(ctx, ledger.EditFilter{Plants: plants, Only: only, Open: !all, Limit: limit})
	for i := range found {
		v.Edits = append(v.Edits, editView(&found[i]))
	}
	return v, err
}

func (in *allIn) read() (limit int, all bool, err error) {
	if limit, err = in.Limit.upTo(1000, 100); err == nil {
		all, err = in.All.set("all")
	}
	return limit, all, err
}

// filter is a scope as filters of the ledger have it: nil for all plants.
func (s scope) filter() (plants []string, only string) {
	if s.system == "" && !s.all {
		plants = s.plants
	}
	return plants, s.system
}

// EditIn names an edit.
type EditIn struct {
	Asker
	Edit string `path:"edit" doc:"Its id"`
}

// visibleEdit is an edit that the caller may see; to others it does not exist.
func (a *API) visibleEdit(ctx context.Context, who caller, id string) (ledger.Edit, error) {
	e, err := a.ledger().Edit(ctx, id)
	if err == nil && !who.scope.seesMessage(e.System, e.Plant) {
		err = notFound("edit", "no edit %.60s is on record", id)
	}
	return e, err
}

func (a *API) getEdit(ctx context.Context, who caller, in *EditIn) (EditView, error) {
	e, err := a.visibleEdit(ctx, who, in.Edit)
	if err != nil || e.State != ledger.EditProposed {
		return editView(&e), err
	}
	v := editView(&e)
	_, d, err := a.flow.ShowProposed(ctx, in.Edit)
	if errors.Is(err, fault.DecidedAlready) { // the message has moved on: there is nothing to sign
		return v, nil
	}
	difference := differenceView(&d)
	v.Difference = &difference
	return v, err
}

type signIn struct {
	EditIn
	Body struct {
		Signed string `json:"signed" doc:"Digest of the difference as it was shown"`
	}
}

func (a *API) signEdit(ctx context.Context, who caller, in *signIn) (DifferenceView, error) {
	if _, err := a.visibleEdit(ctx, who, in.Edit); err != nil {
		return DifferenceView{}, err
	}
	if err := a.signs(ctx, who, &in.Asker); err != nil {
		return DifferenceView{}, err
	}
	_, d, err := a.flow.ShowProposed(ctx, in.Edit)
	if err != nil {
		return DifferenceView{}, err
	}
	answer, err := a.flow.SignEdit(ctx, in.Edit, who.Principal, in.Body.Signed)
	v := differenceView(&d)
	if err == nil {
		v.tell(&answer, "")
	}
	return v, err
}

type refuseIn struct {
	EditIn
	Body struct {
		Why string `json:"why" doc:"Kept on record"`
	}
}

func (a *API) refuseEdit(ctx context.Context, who caller, in *refuseIn) (EditView, error) {
	if _, err := a.visibleEdit(ctx, who, in.Edit); err != nil {
		return EditView{}, err
	}
	if err := a.signs(ctx, who, &in.Asker); err != nil {
		return EditView{}, err
	}
	if err := a.flow.RefuseEdit(ctx, in.Edit, who.Principal, in.Body.Why); err != nil {
		return EditView{}, err
	}
	e, err := a.ledger().Edit(ctx, in.Edit)
	return editView(&e), err
}

// CorrectionView is what is asked of a source.
type CorrectionView struct {
	Correction string `json:"correction" doc:"Its id"`
	State      string `json:"state" enum:"open,answered,ended" doc:"answered: the source has spoken; ended: by a person"`
	Message    string `json:"message" doc:"Id of the version that is wrong"`
	Plant      string `json:"plant,omitempty"`
	System     string `json:"system"`
	Name       string `json:"name" doc:"Of the message"`
	SourceID   string `json:"source_id"`
	What       string `json:"what" doc:"Is to be corrected"`
	To         string `json:"to" doc:"Of whom it is asked"`
	By         string `json:"by" doc:"Who asks"`
	Asked      string `json:"asked" format:"date-time"`
	Due        string `json:"due" format:"date-time"`
	Late       bool   `json:"late,omitempty" doc:"It is open, and the time has passed"`
	Ended      string `json:"ended,omitempty" format:"date-time"`
	Resolution string `json:"resolution,omitempty"`
}

func (a *API) correctionView(c *ledger.Correction) CorrectionView {
	return CorrectionView{
		Correction: c.ID, State: c.State, Message: c.MessageID(), Plant: c.Plant, System: c.System, Name: c.Name, SourceID: c.SourceID, What: c.What, To: c.AskedOf, By: c.AskedBy,
		Asked: utc(c.Asked), Due: utc(c.Due), Late: c.State == ledger.CorrectionOpen && a.ledger().Now().After(c.Due), Ended: utc(c.Ended), Resolution: c.Resolution,
	}
}

type correctIn struct {
	ExceptionIn
	Body struct {
		What string `json:"what" doc:"Is to be corrected"`
		Due  string `json:"due" format:"date-time"`
		To   string `json:"to,omitempty" doc:"Of whom it is asked: a person, an owner group, or a system; absent: the system that sent the message"`
	}
}

func (a *API) correct(ctx context.Context, who caller, in *correctIn) (CorrectionView, error) {
	x, err := a.visibleCase(ctx, who, in.Exception)
	if err != nil {
		return CorrectionView{}, err
	}
	if err := who.Need(ledger.Correct, x.Plant); err != nil {
		return CorrectionView{}, err
	}
	if err := required("due", in.Body.Due); err != nil {
		return CorrectionView{}, err
	}
	due, err := Instant(in.Body.Due).time("due", time.Time{})
	if err != nil {
		return CorrectionView{}, err
	}
	id, err := a.messageOf(ctx, &x)
	if err != nil {
		return CorrectionView{}, err
	}
	m, err := a.visibleMessage(ctx, who, id)
	if err != nil {
		return CorrectionView{}, err
	}
	if err := who.Need(ledger.Correct, m.Plant); err != nil {
		return CorrectionView{}, err
	}
	to := cmp.Or(in.Body.To, m.System)
	if err := a.askable(ctx, to); err != nil {
		return CorrectionView{}, err
	}
	c, err := a.ledger().AskCorrection(ctx, ledger.Correction{
		Message: m.Key(), Version: m.Version, Plant: m.Plant, System: m.System, Name: m.Name, SourceID: m.ID, What: in.Body.What, AskedOf: to, AskedBy: who.Name, Due: due,
	})
	return a.correctionView(&c), err
}

// askable refuses to ask nobody: it must be a system, an owner group, or an account.
func (a *API) askable(ctx context.Context, to string) error {
	if _, ok := a.flow.Catalog().System(to); ok || slices.Contains(a.flow.Catalog().OwnerGroups(), to) {
		return nil
	}
	_, err := a.ledger().Person(ctx, to)
	if errors.Is(err, fault.Unauthenticated) {
		return invalid("to", "%.80q is no account, no system and no owner group; the groups are %s", to, strings.Join(a.flow.Catalog().OwnerGroups(), ", "))
	}
	return err
}

// CorrectionList is what is asked of sources.
type CorrectionList struct {
	Corrections []CorrectionView `json:"corrections" nullable:"false" doc:"The next due first"`
}

func (a *API) listCorrections(ctx context.Context, who caller, in *allIn) (CorrectionList, error) {
	v := CorrectionList{Corrections: []CorrectionView{}}
	limit, all, err := in.read()
	if err != nil {
		return v, err
	}
	plants, only := who.scope.filter()
	found, err := a.ledger().Corrections(ctx, ledger.CorrectionFilter{Plants: plants, Only: only, Open: !all, Limit: limit})
	for i := range found {
		v.Corrections = append(v.Corrections, a.correctionView(&found[i]))
	}
	return v, err
}

type endCorrectionIn struct {
	Asker
	Correction string `path:"correction" doc:"Its id"`
	Body       struct {
		Why string `json:"why" doc:"Kept on record"`
	}
}

func (a *API) endCorrection(ctx context.Context, who caller, in *endCorrectionIn) (CorrectionView, error) {
	c, err := a.ledger().Correction(ctx, in.Correction)
	if err == nil && !who.scope.seesMessage(c.System, c.Plant) {
		err = notFound("correction", "no correction %.60s is on record", in.Correction)
	}
	if err == nil {
		err = who.Need(ledger.Correct, c.Plant)
	}
	if err == nil {
		err = a.ledger().EndCorrection(ctx, who.Name, in.Correction, in.Body.Why)
	}
	if err == nil {
		c, err = a.ledger().Correction(ctx, in.Correction)
	}
	return a.correctionView(&c), err
}

// addEdits adds to an exception what was edited of its message, and asked of its source.
func (a *API) addEdits(ctx context.Context, who caller, message string, v *CaseView) error {
	key, _, err := event.ParseStatementID(message)
	if err != nil {
		return err
	}
	edits, err := a.ledger().EditsOf(ctx, key)
	if err != nil {
		return err
	}
	for i := range edits {
		if e := &edits[i]; who.scope.seesMessage(e.System, e.Plant) {
			v.Edits = append(v.Edits, editView(e))
		}
	}
	corrections, err := a.ledger().CorrectionsOf(ctx, key)
	for i := range corrections {
		if c := &corrections[i]; who.scope.seesMessage(c.System, c.Plant) {
			v.Corrections = append(v.Corrections, a.correctionView(c))
		}
	}
	return err
}
