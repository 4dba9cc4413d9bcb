package tryton

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
)

// How far polls look back. The ERP has no feed: what was written is found by the
// time of the statement, and nothing orders the transactions that commit it. A
// transaction that takes longer than the overlap is missed, but for one that
// touches an open order.
const (
	DefaultOverlap  = 5 * time.Minute
	DefaultLookback = 7 * 24 * time.Hour // of the first poll, for postings
)

// page is how many records one call reads.
const page = 200

// Messages are what a Source can fetch. Each delivery is one record in JSON, with
// a revision that changes with its content and, where its document carries a
// command key of ours, the key.
//
//	orders       production orders that are released, with all their component lines,
//	             outputs and operations; those open are read at every poll, so that a
//	             changed line is found, which does not touch the order's own date
//	products, units, locations   reference data
//	shipments, inventories       internal shipments and counts that are done
//	surplus                      drafts with a key of ours that came late, after another
//	                             document of the key was done: each poll cancels them
func Messages() []string {
	return []string{"orders", "products", "units", "locations", "shipments", "inventories", surplusMessage}
}

// A cursor is what polls have seen, by message.
type cursor map[string]seen

// seen is what polls of one message have seen.
type seen struct {
	Since   time.Time         `json:"since"`   // the newest time of the ERP among them, never later than the poll
	Records map[string]record `json:"records"` // by id: those that the next poll reads again
}

// A record is one that was delivered.
type record struct {
	Revision string `json:"revision"`
	Open     string `json:"open,omitempty"` // number of an order that is not closed
}

// Poll looks once for what has come, as connector.Source says.
func (s *System) Poll(ctx context.Context, from string, take connector.Take) (string, error) {
	next := cursor{}
	if from != "" {
		if err := json.Unmarshal([]byte(from), &next); err != nil {
			return from, fault.Wrap("tryton.Poll", fault.InvalidRequest, "cursor", err)
		}
	}
	var failed []error
	for _, message := range s.config.Poll {
		p := poll{s: s, topic: topics()[message], message: message, before: next[message], after: seen{Records: map[string]record{}}, take: take}
		err := p.run(ctx)
		if err != nil {
			failed = append(failed, fmt.Errorf("%s: %w", message, err))
			p.keep()
		}
		next[message] = p.after
		if errors.Is(err, fault.Unavailable) || ctx.Err() != nil {
			break
		}
	}
	text, err := json.Marshal(next)
	if err = errors.Join(append(failed, err)...); err != nil {
		err = fmt.Errorf("tryton.Poll: %w", err)
	}
	return string(text), err
}

// A poll is one look for one message.
type poll struct {
	s       *System
	topic   topic
	message string
	before  seen
	after   seen
	take    connector.Take
	failed  error // the first delivery that was not taken
}

// keep is what stays of a look that has failed: what was delivered is not delivered
// again, and what was not is looked for from where this look began.
func (p *poll) keep() {
	p.after.Since = p.before.Since
	for name, r := range p.before.Records {
		if _, ok := p.after.Records[name]; !ok {
			p.after.Records[name] = r
		}
	}
}

// run reads all pages. What is not taken comes again.
func (p *poll) run(ctx context.Context) error {
	if p.message == surplusMessage {
		return errors.Join(p.tidy(ctx), p.failed)
	}
	since, now := p.since(), p.s.config.Now()
	p.after.Since = p.before.Since
	for last := int64(0); ; {
		q := Query{Domain: append(p.topic.domain(Time{since}), []any{"id", ">", last}), Fields: p.topic.fields, Limit: page}
		var all []json.RawMessage
		if err := p.s.client.SearchRead(ctx, p.topic.model, q, &all); err != nil {
			return err
		}
		for _, text := range all {
			id, err := p.one(ctx, text)
			if err != nil {
				return err
			}
			last = id
		}
		if len(all) < page {
			break
		}
	}
	if p.after.Since.After(now) { // a clock was wrong there: what is written next is earlier
		p.after.Since = now
	}
	if p.message == "orders" {
		if err := p.gone(ctx); err != nil {
			return err
		}
	}
	return p.failed
}

// since is from when on records are read.
func (p *poll) since() time.Time {
	switch {
	case !p.before.Since.IsZero():
		return p.before.Since.Add(-p.s.config.Overlap)
	case p.topic.reference:
		return time.Unix(0, 0).UTC() // all of them, once
	}
	return p.s.config.Now().Add(-p.s.config.Lookback)
}

// one delivers one record, unless it was delivered like this before.
func (p *poll) one(ctx context.Context, text json.RawMessage) (int64, error) {
	var stamps struct {
		ID      int64
		Written Time `json:"write_date"`
		Created Time `json:"create_date"`
	}
	if err := decode(text, &stamps); err != nil {
		return 0, connector.Unknown("tryton.Poll", fault.AnswerUnread, err)
	}
	body, open, err := p.topic.body(text)
	if err != nil { // of this one; the others are none the worse for it
		p.failed = errors.Join(p.failed, connector.Unknown("tryton.Poll", fault.AnswerUnread, fmt.Errorf("%s %d: %w", p.topic.model, stamps.ID, err)))
		return stamps.ID, nil
	}
	for _, t := range []Time{stamps.Written, stamps.Created} {
		if t.After(p.after.Since) {
			p.after.Since = t.Time
		}
	}
	return stamps.ID, p.deliver(ctx, stamps.ID, body, open)
}

// deliver hands a body to take; only what the ledger cannot take now ends the poll.
func (p *poll) deliver(ctx context.Context, id int64, body map[string]any, open string) error {
	revision, err := json.Marshal(body) // keys in order
	if err != nil {
		return err
	}
	sum := sha256.Sum256(revision)
	r := record{Revision: hex.EncodeToString(sum[:8]), Open: open}
	name := strconv.FormatInt(id, 10)
	if p.before.Records[name].Revision == r.Revision {
		p.after.Records[name] = r
		return nil
	}
	body["revision"] = r.Revision
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	_, err = p.take(ctx, connector.Received{
		Message: p.message, ContentType: "application/json", Channel: fmt.Sprintf("tryton:%s/%d", p.topic.model, id), Body: text,
	})
	switch {
	case errors.Is(err, fault.Unavailable) || ctx.Err() != nil:
		return err
	case err != nil: // it comes again
		p.failed = errors.Join(p.failed, err)
		p.after.Records[name] = record{Open: cmp.Or(open, p.before.Records[name].Open)}
	default: // also where it was refused: the same again would be too
		p.after.Records[name] = r
	}
	return nil
}

// gone delivers orders that were open and are so no longer, though their time does
// not show it: those that are not there any more, as the ERP lets a released order
// be deleted, and those that a long transaction has closed.
func (p *poll) gone(ctx context.Context) error {
	missing := map[int64]record{}
	for name, r := range p.before.Records {
		if _, there := p.after.Records[name]; r.Open != "" && !there {
			if id, err := strconv.ParseInt(name, 10, 64); err == nil {
				missing[id] = r
			}
		}
	}
	if len(missing) == 0 {
		return nil
	}
	var left []struct{ ID int64 }
	q := Query{Domain: []any{in("id", slices.Sorted(maps.Keys(missing)))}, Fields: []string{"number"}}
	if err := p.s.client.SearchRead(ctx, p.topic.model, q, &left); err != nil {
		return err
	}
	var closed []int64
	for _, o := range left {
		delete(missing, o.ID)
		closed = append(closed, o.ID)
	}
	if err := p.closed(ctx, closed); err != nil {
		return err
	}
	for _, id := range slices.Sorted(maps.Keys(missing)) {
		if err := p.deliver(ctx, id, map[string]any{"id": id, "number": missing[id].Open, "state": "deleted"}, ""); err != nil {
			return err
		}
	}
	return nil
}

// closed delivers orders by their ids, but for those that are drafts again.
func (p *poll) closed(ctx context.Context, ids []int64) error {
	if len(ids) == 0 {
		return nil
	}
	var all []json.RawMessage
	q := Query{Domain: []any{in("id", ids), released()}, Fields: p.topic.fields}
	if err := p.s.client.SearchRead(ctx, p.topic.model, q, &all); err != nil {
		return err
	}
	for _, text := range all {
		if _, err := p.one(ctx, text); err != nil {
			return err
		}
	}
	return nil
}
