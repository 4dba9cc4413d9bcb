package flow

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/mapping"
)

// Limits of one edit: it puts single fields right and writes no message anew.
const (
	maxEdited      = 20      // fields
	maxEditedValue = 4 << 10 // bytes of a value, and of the reason
)

// An Edit is what a person wants to change of a held message.
type Edit struct {
	Message string // id of the version that is held
	Fields  []EditedField
	Why     string
	By      ledger.Principal
	Signed  string // digest of what was shown; "" to be shown it
}

// EditedField is a field as a mapping names it, "header.unit", and its new value: a text,
// a json.Number, or a bool.
type EditedField struct {
	Field string
	Value any
}

// A Difference is what an edit changes, as it is shown to whoever signs it.
type Difference struct {
	Message string // id of the version that is held
	Plant   string
	Changes []ledger.FieldChange
	Why     string
	Digest  string   // of all of the above: what is signed
	Second  []string // roles that have to sign too; none where the fields are technical
	Trial   Trial    // what would become of the edited message, as far as that needs no state
}

// ShowEdit tells what an edit would change and what would become of the message. Nothing
// is kept.
func (f *Flow) ShowEdit(ctx context.Context, e Edit) (Difference, error) {
	a, d, err := f.difference(ctx, &e)
	if err != nil {
		return d, err
	}
	d.Trial.ID = a.ID
	return d, f.try(ctx, a, &d.Trial)
}

// Edit puts edited content on record, as a version of the message beside the one that
// came, and all that follows from it: or nothing, where something still stands in its way,
// which the answer says. Where a field needs the signature of a second person the edit is
// proposed, under the id that is answered, and the message stays as it was.
func (f *Flow) Edit(ctx context.Context, e Edit) (answer Answer, proposed string, err error) {
	if err := f.running(ctx); err != nil {
		return Answer{}, "", err
	}
	a, d, err := f.difference(ctx, &e)
	if err != nil {
		return Answer{}, "", err
	}
	if err := signedAs(e.Signed, d.Digest); err != nil {
		return Answer{}, "", err
	}
	edit := ledger.Edit{
		Message: a.Key(), Original: a.edit.Original, Plant: d.Plant, System: a.System, Name: a.Name, SourceID: a.ID, Changes: d.Changes, Why: e.Why, Digest: d.Digest,
		Author: signature(e.By, d.Plant, ledger.MeaningEdited, d.Digest),
	}
	if len(d.Second) == 0 {
		a.edit = &edit
		answer, err = f.recordEdit(ctx, a)
		return answer, "", err
	}
	return f.propose(ctx, a, &d, edit)
}

// propose puts on record what a second person has to sign. Nobody shall sign what cannot
// go on: that is refused as if it were signed.
func (f *Flow) propose(ctx context.Context, a arrival, d *Difference, edit ledger.Edit) (Answer, string, error) {
	answer := Answer{ID: a.ID, Result: ledger.Result{Outcome: ledger.Held, Message: d.Message, Plant: d.Plant}}
	if err := f.try(ctx, a, &d.Trial); err != nil {
		return answer, "", err
	}
	proposed := ""
	if answer.Fault = d.Trial.Fault; answer.Fault == nil {
		made, err := f.ledger.ProposeEdit(ctx, edit)
		if err != nil {
			return answer, "", err
		}
		proposed = made.ID
	} else {
		answer.Outcome = ledger.Refused
	}
	return answer, proposed, nil
}

// ShowProposed is ShowEdit for what somebody has proposed.
func (f *Flow) ShowProposed(ctx context.Context, id string) (ledger.Edit, Difference, error) {
	edit, e, err := f.proposed(ctx, id)
	if err != nil {
		return edit, Difference{}, err
	}
	a, d, err := f.changed(ctx, &e)
	if err != nil {
		return edit, d, err
	}
	d.Trial.ID = a.ID
	return edit, d, f.try(ctx, a, &d.Trial)
}

// SignEdit puts on record what another person has proposed: the second signature. It must
// be of somebody else, who has the roles that the catalog names today.
func (f *Flow) SignEdit(ctx context.Context, id string, by ledger.Principal, signed string) (Answer, error) {
	if err := f.running(ctx); err != nil {
		return Answer{}, err
	}
	edit, e, err := f.proposed(ctx, id)
	if err != nil {
		return Answer{}, err
	}
	a, d, err := f.changed(ctx, &e)
	if err != nil {
		return Answer{}, err
	}
	if err := secondOf(&edit, d.Second, by); err != nil {
		return Answer{}, err
	}
	if d.Digest != edit.Digest {
		return Answer{}, fault.New("flow.SignEdit", fault.DecidedAlready, "signed", "what the edit would change is no longer what was proposed: refuse it, and have it proposed anew")
	}
	if err := signedAs(signed, d.Digest); err != nil {
		return Answer{}, err
	}
	second := signature(by, d.Plant, ledger.MeaningChecked, d.Digest)
	edit.Second = &second
	a.edit, a.Principal, a.by = &edit, by.Name, by.Name
	return f.recordEdit(ctx, a)
}

// RefuseEdit ends what was proposed, by a person who could have signed it or who made it.
func (f *Flow) RefuseEdit(ctx context.Context, id string, by ledger.Principal, why string) error {
	edit, err := f.ledger.Edit(ctx, id)
	if err != nil {
		return err
	}
	if by.Name != edit.Author.By {
		if err := secondOf(&edit, edit.Seconds(), by); err != nil {
			return err
		}
	}
	return f.ledger.RefuseEdit(ctx, id, signature(by, edit.Plant, ledger.MeaningRefused, edit.Digest), why)
}

// secondOf is a fault where somebody cannot be the second person of an edit.
func secondOf(edit *ledger.Edit, roles []string, by ledger.Principal) error {
	if by.Name == edit.Author.By {
		return fault.New("flow.SignEdit", fault.Forbidden, "", "%s has proposed it: somebody else has to sign", by.Name)
	}
	for _, role := range roles {
		if !by.May(role, edit.Plant) {
			return ledger.MissingRole("signing this edit", []string{role}, edit.Plant)
		}
	}
	return nil
}

// proposed is an edit that waits for a signature, and what it asks for.
func (f *Flow) proposed(ctx context.Context, id string) (ledger.Edit, Edit, error) {
	edit, err := f.ledger.Edit(ctx, id)
	if err != nil {
		return edit, Edit{}, err
	}
	if edit.State != ledger.EditProposed {
		return edit, Edit{}, fault.New("flow.SignEdit", fault.DecidedAlready, "edit", "the edit is no longer proposed: it is %s", edit.State)
	}
	e := Edit{Message: edit.OriginalID(), Why: edit.Why, By: ledger.Principal{Name: edit.Author.By}}
	for _, c := range edit.Changes {
		e.Fields = append(e.Fields, EditedField{c.Field, c.After})
	}
	return edit, e, nil
}

// recordEdit takes edited content in. What is not recorded changes nothing.
func (f *Flow) recordEdit(ctx context.Context, a arrival) (Answer, error) {
	answer, err := f.one(ctx, a)
	if err != nil || answer.Outcome != ledger.Duplicate {
		return answer, err
	}
	now, held, err := f.kept(ctx, a.Key())
	if err != nil {
		return Answer{}, err
	}
	if held && now.Version == a.edit.Original {
		return Answer{}, fault.New("flow.Edit", fault.DecidedAlready, "fields", "the message came with this content before, as %s", answer.Message)
	}
	return Answer{}, fault.New("flow.Edit", fault.DecidedAlready, "message", "message %s has moved on meanwhile", answer.Message)
}

// signature is what a person signs, with the roles at the plant.
func signature(by ledger.Principal, plant, meaning, digest string) ledger.Signature {
	s := ledger.Signature{By: by.Name, Meaning: meaning, Digest: digest}
	for _, g := range by.Grants {
		if (g.Plant == "" || g.Plant == plant) && !slices.Contains(s.Roles, g.Role) {
			s.Roles = append(s.Roles, g.Role)
		}
	}
	return s
}

// signedAs holds a signature against what it must be of.
func signedAs(signed, digest string) error {
	switch signed {
	case digest:
		return nil
	case "":
		return fault.New("flow.Edit", fault.InvalidRequest, "signed", "look at the difference first, and sign its digest")
	}
	return fault.New("flow.Edit", fault.DecidedAlready, "signed", "%.80q is not the digest of what would be changed now: look at it again", signed)
}

// difference is an edit with who may make it.
func (f *Flow) difference(ctx context.Context, e *Edit) (arrival, Difference, error) {
	a, d, err := f.changed(ctx, e)
	if err != nil {
		return a, d, err
	}
	for _, c := range d.Changes {
		if !e.By.May(c.Role, d.Plant) {
			return a, d, ledger.MissingRole("editing "+c.Field, []string{c.Role}, d.Plant)
		}
	}
	return a, d, nil
}

// changed is a held message with its fields changed, and the difference. It may be edited
// as the catalog says, and stays the message that it is.
func (f *Flow) changed(ctx context.Context, e *Edit) (arrival, Difference, error) {
	d := Difference{Message: e.Message, Why: e.Why}
	if err := e.check(); err != nil {
		return arrival{}, d, err
	}
	a, err := f.heldAs(ctx, e.Message)
	if err != nil {
		return a, d, err
	}
	m, err := editableMessage(f.Catalog(), &a)
	if err != nil {
		return a, d, err
	}
	d.Plant = a.Plant
	record := a.record
	for _, field := range e.Fields {
		c, edited, err := change(m.Mapping, record, field)
		if err != nil {
			return a, d, err
		}
		record = edited
		d.Changes = append(d.Changes, c)
	}
	original := a.Digest
	if err := a.become(m.Mapping, record); err != nil {
		return a, d, err
	}
	if a.Digest == original {
		return a, d, fault.New("flow.Edit", fault.InvalidRequest, "fields", "nothing would be changed")
	}
	a.edit = &ledger.Edit{Original: a.Version}
	a.Channel, a.Principal, a.by, a.Received = ledger.EditChannel, e.By.Name, e.By.Name, f.ledger.Now()
	d.Second = (&ledger.Edit{Changes: d.Changes}).Seconds()
	d.Digest, err = d.digest(original)
	return a, d, err
}

// check refuses what is no edit.
func (e *Edit) check() error {
	wrong := func(field, text string, args ...any) error {
		return fault.New("flow.Edit", fault.InvalidRequest, field, text, args...)
	}
	switch {
	case strings.TrimSpace(e.Why) == "":
		return wrong("why", "say why: it goes on record")
	case len(e.Why) > maxEditedValue:
		return wrong("why", "has %d bytes, more than %d", len(e.Why), maxEditedValue)
	case len(e.Fields) == 0:
		return wrong("fields", "name the fields to be edited, and their values")
	case len(e.Fields) > maxEdited:
		return wrong("fields", "%d fields; edit %d at most, or have the message sent anew", len(e.Fields), maxEdited)
	}
	seen := map[string]bool{}
	for _, f := range e.Fields {
		if seen[f.Field] {
			return wrong(f.Field, "is given twice")
		}
		seen[f.Field] = true
		if n := len(fmt.Sprint(f.Value)); n > maxEditedValue {
			return fault.New("flow.Edit", fault.LimitExceeded, f.Field, "the value has %d bytes, more than %d", n, maxEditedValue)
		}
	}
	return nil
}

// heldAs is a message that is held in the version named.
func (f *Flow) heldAs(ctx context.Context, id string) (arrival, error) {
	key, version, err := event.ParseStatementID(id)
	if err != nil {
		return arrival{}, fault.Wrap("flow.Edit", fault.InvalidRequest, "message", err)
	}
	a, held, err := f.kept(ctx, key)
	switch {
	case err != nil:
		return a, err
	case a.Version > version:
		return a, fault.New("flow.Edit", fault.DecidedAlready, "message", "message %s has a later version, %d: look at that", id, a.Version)
	case !held || a.Version != version:
		return a, fault.New("flow.Edit", fault.DecidedAlready, "message", "message %s is not held", id)
	}
	return a, nil
}

// editableMessage is the mapping of a message that has one.
func editableMessage(cat *catalog.Catalog, a *arrival) (*catalog.Message, error) {
	if a.Name == event.CloudEventMessage || a.System == hubSystem {
		return nil, fault.New("flow.Edit", fault.NotEditable, "message", "%s of %s is not mapped here: nothing of it is declared as editable", a.Name, a.System)
	}
	m, ok := cat.Message(a.System, a.Name)
	if !ok {
		return nil, fault.New("flow.Edit", fault.MessageUnknown, "message", "%s of %s", a.Name, a.System)
	}
	return m, nil
}

// change is a record with one field changed, as the catalog allows.
func change(m *mapping.Mapping, record map[string]any, field EditedField) (ledger.FieldChange, map[string]any, error) {
	may, ok := m.Editable(field.Field)
	if !ok {
		return ledger.FieldChange{}, nil, fault.New("flow.Edit", fault.NotEditable, field.Field, "%.80q is not declared as editable for %s of %s", field.Field, m.Message(), m.System())
	}
	edited, before, err := mapping.Edit(record, field.Field, field.Value)
	if err != nil {
		return ledger.FieldChange{}, nil, err
	}
	_, after, err := mapping.Edit(edited, field.Field, field.Value) // as it stands in the record now
	return ledger.FieldChange{Field: field.Field, Before: before, After: after, Role: may.Role, Second: may.Second}, edited, err
}

// become gives an arrival edited content. It stays the same message of the same plant.
func (a *arrival) become(m *mapping.Mapping, record map[string]any) error {
	id, err := m.Identify(record)
	if err != nil {
		return err
	}
	plant, err := m.Plant(record)
	switch {
	case err != nil:
		return err
	case id != a.ID:
		return fault.New("flow.Edit", fault.NotEditable, "message", "it would become another message, %s", id)
	case plant != a.Plant:
		return fault.New("flow.Edit", fault.NotEditable, "plant", "it would become a message of plant %.80q", plant)
	}
	if a.Digest, err = m.Digest(record); err != nil {
		return err
	}
	a.Body, err = event.Canonical(record)
	a.record = record
	return err
}

// digest is what is signed: everything that is shown, and the content that it is about.
func (d *Difference) digest(content string) (string, error) {
	changes := make([]any, len(d.Changes))
	for i, c := range d.Changes {
		changes[i] = map[string]any{"field": c.Field, "before": c.Before, "after": c.After}
	}
	digest, err := event.Digest(map[string]any{"message": d.Message, "content": content, "plant": d.Plant, "changes": changes, "why": d.Why})
	if err != nil {
		return "", fmt.Errorf("flow.Edit: %w", err)
	}
	return digest, nil
}
