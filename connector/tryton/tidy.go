package tryton

import (
	"context"
	"errors"
	"slices"
	"strconv"
	"strings"
)

// surplusMessage lists the drafts that were cancelled because another document of
// their key is done.
const surplusMessage = "surplus"

// forms are all kinds of documents that carry our key.
func forms() []form {
	var all []form
	for _, r := range []request{{Do: "transfer"}, {Do: "count"}, {Do: "order", Release: true}} {
		all = append(all, r.form())
	}
	return all
}

// tidy cancels drafts that came late: such as carry the key of a command whose
// document is done, which no attempt needs any more.
func (p *poll) tidy(ctx context.Context) error {
	a := &attempt{s: p.s} // of no command: in time at any time
	for _, f := range forms() {
		surplus, err := p.s.surplus(ctx, f)
		if err != nil {
			return err
		}
		for _, d := range surplus {
			err := p.drop(ctx, a, f, d)
			if _, refused := errors.AsType[*Refusal](err); refused { // the others are none the worse for it
				p.failed = errors.Join(p.failed, err)
				continue
			}
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// drop cancels one. It is delivered before that as it is, and afterwards as it has
// become: what nobody can put on record now is left for the next look.
func (p *poll) drop(ctx context.Context, a *attempt, f form, d keyedDraft) error {
	p.topic.model = f.model
	told := func(state string) error {
		return p.deliver(ctx, d.ID, map[string]any{"id": d.ID, "kind": f.kind, "number": d.number(f), "state": state, "surplus_of": d.key}, "")
	}
	if err := told(d.State); err != nil || p.after.Records[strconv.FormatInt(d.ID, 10)].Revision == "" {
		return err
	}
	call := pressing(f.model, "cancel", []int64{d.ID})
	call.Context = unchanged(f.model, d.ID, d.Timestamp)
	if err := p.s.client.Do(ctx, call, nil); err != nil {
		return err
	}
	left, err := a.readBack(ctx, f, d.ID)
	if err != nil {
		return err
	}
	return told(left.State)
}

// A keyedDraft is a document that is not done, and the key that it carries.
type keyedDraft struct {
	draft
	Reference string
	key       string
}

// surplus are the documents that are not done though another one of their key is.
func (s *System) surplus(ctx context.Context, f form) ([]keyedDraft, error) {
	var open []keyedDraft
	early := f.states[:slices.Index(f.states, f.done)]
	q := Query{
		Domain: []any{in("state", early), []any{f.field, "like", strings.Repeat("_", keyLength) + "%"}},
		Fields: unique([]string{"number", "state", f.field, "_timestamp"}),
	}
	err := pages(ctx, s.client, f.model, q, func(d keyedDraft) int64 { return d.ID }, func(d keyedDraft) error {
		carrier := d.Reference
		if f.field == "number" {
			carrier = d.Number
		}
		if parts := keyForm.FindStringSubmatch(carrier); parts != nil {
			d.key = parts[1]
			open = append(open, d)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	var all []keyedDraft
	for _, d := range open {
		var done []struct{ ID int64 }
		others := Query{Domain: []any{begins(f.field, d.key), in("state", f.states[len(early):])}, Fields: []string{"state"}, Limit: 1}
		if err := s.client.SearchRead(ctx, f.model, others, &done); err != nil {
			return nil, err
		}
		if len(done) > 0 {
			all = append(all, d)
		}
	}
	return all, nil
}
