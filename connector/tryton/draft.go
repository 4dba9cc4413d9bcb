package tryton

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
)

// A form is a kind of document that carries our key.
type form struct {
	model  string
	field  string   // that carries it
	kind   string   // of connector.Document
	states []string // how far it is, in order; the first is that of a draft
	done   string   // from this state on it is done
}

func (r *request) form() form {
	switch r.Do {
	case "transfer":
		return form{"stock.shipment.internal", "reference", "shipment", []string{"request", "draft", "waiting", "assigned", "shipped", "done"}, "done"}
	case "count":
		return form{"stock.inventory", "number", "inventory", []string{"draft", "done"}, "done"}
	}
	f := form{"production", "reference", "production-order", []string{"request", "draft", "waiting", "assigned", "running", "done"}, "draft"}
	if r.Release {
		f.done = "waiting"
	}
	return f
}

// isDone says whether a document of a state is what the command asks for.
func (f form) isDone(state string) bool {
	return slices.Index(f.states, state) >= slices.Index(f.states, f.done)
}

// A draft is a document that carries our key, whatever became of it.
type draft struct {
	ID        int64
	Number    string
	State     string
	Timestamp string `json:"_timestamp"`
}

// number is how people find it.
func (d draft) number(f form) string {
	if d.Number == "" { // an order before it is released
		return fmt.Sprintf("%s,%d", f.model, d.ID)
	}
	return d.Number
}

// drafts are the documents that carry our key and are not cancelled: first the one
// that counts, which is the one furthest on, of several the one of the lowest id.
func (a *attempt) drafts(ctx context.Context, f form) ([]draft, error) {
	var all []draft
	q := Query{Domain: []any{begins(f.field, a.key), []any{"state", "!=", "cancelled"}}, Fields: []string{"number", "state", "_timestamp"}}
	if err := a.s.client.SearchRead(ctx, f.model, q, &all); err != nil {
		return nil, err
	}
	slices.SortStableFunc(all, func(x, y draft) int {
		return slices.Index(f.states, y.State) - slices.Index(f.states, x.State)
	})
	return all, nil
}

// one is the document that counts, nil where there is none. Surplus drafts are
// cancelled: of one key one document at most leaves draft.
func (a *attempt) one(ctx context.Context, f form) (*draft, error) {
	all, err := a.drafts(ctx, f)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	for _, surplus := range all[1:] {
		if surplus.State == "done" {
			a.note("%s %s was done under the same key: one too many", f.kind, surplus.number(f))
			continue
		}
		if err := a.cancel(ctx, f, surplus); err != nil {
			return nil, err
		}
		a.note("surplus draft %s was cancelled", surplus.number(f))
	}
	return &all[0], nil
}

// cancel takes a document out of what anybody may go on with, unless somebody has
// changed it meanwhile.
func (a *attempt) cancel(ctx context.Context, f form, d draft) error {
	return a.press(ctx, f.model, "cancel", d.ID, d.Timestamp, nil)
}

// abandon cancels the document of a command that the ERP has refused for good, so
// that nobody goes on with it by hand. It gives the refusal back.
func (a *attempt) abandon(ctx context.Context, f form, id int64, refusal error) error {
	if r, ok := errors.AsType[*Refusal](refusal); !ok || r.Reason.Class == fault.Heals {
		return refusal
	}
	if err := a.press(ctx, f.model, "cancel", id, "", nil); err != nil {
		a.note("its draft could not be cancelled: %s", err)
	}
	return refusal
}

// readBack reads what became of a document: a step that its state does not allow
// is answered like one that was done.
func (a *attempt) readBack(ctx context.Context, f form, id int64) (draft, error) {
	var all []draft
	if err := a.s.client.Read(ctx, f.model, []int64{id}, []string{"number", "state", "_timestamp"}, &all); err != nil {
		return draft{}, err
	}
	if len(all) != 1 {
		return draft{}, refuse(fault.ChangedMeanwhile, "%s %d is not there any more", f.model, id)
	}
	return all[0], nil
}

// finish reads a document back that should be done.
func (a *attempt) finish(ctx context.Context, f form, id int64) ([]connector.Document, error) {
	d, err := a.readBack(ctx, f, id)
	switch {
	case err != nil:
		return nil, err
	case d.State == "cancelled":
		return nil, refuse(fault.ChangedMeanwhile, "%s %s was cancelled meanwhile", f.kind, d.number(f))
	case !f.isDone(d.State):
		return nil, refuse(fault.WrongState, "%s %s is %s after the ERP has answered that it went on", f.kind, d.number(f), d.State)
	}
	return []connector.Document{{Number: d.number(f), Kind: f.kind}}, nil
}

// findDraft asks for a command whose document carries our key.
func findDraft(ctx context.Context, a *attempt) (connector.Finding, error) {
	f := a.request.form()
	all, err := a.drafts(ctx, f)
	if err != nil {
		return connector.Finding{}, err
	}
	if len(all) == 0 {
		return a.missing("the ERP shows no " + f.kind + " with the key"), nil
	}
	var done []connector.Document
	var words []string
	for _, d := range all {
		if f.isDone(d.State) {
			done = append(done, connector.Document{Number: d.number(f), Kind: f.kind})
		}
		words = append(words, d.number(f)+" is "+d.State)
	}
	status := connector.Begun
	if len(done) > 0 {
		status = connector.FoundApplied
	}
	return connector.Finding{Status: status, Documents: done, Text: connector.Words(strings.Join(words, ", "))}, nil
}

// missing is the finding where the ERP shows nothing of a command.
func (a *attempt) missing(words string) connector.Finding {
	f := a.s.Traits().Missing(a.cmd, a.asked)
	f.Text = connector.Words(words)
	return f
}
