// Package tryton is the connector to Tryton 6.0, an open-source ERP, over its
// JSON-RPC interface.
//
// The ERP honours no key, and nothing of ours is unique there. So a command is
// looked up, made as a draft that carries the first 32 digits of the command key,
// taken through its states, and read back: the class is findable. Every call is a
// transaction of its own, therefore an attempt may end anywhere between two of
// them; the next one goes on from the state that it finds.
//
// The request of a command has a field do, and with it
//
//	issue      order, lines: [{product, lot, quantity, unit}], date
//	           goods issue: writes what was consumed into the order's component
//	           lines, reserves and issues it. Planned lines of a product that the
//	           request names are replaced, all others stay as planned.
//	receive    order, outputs: [{product, lot, quantity, unit, to}], date
//	           goods receipt: lots are made where they do not exist, every output
//	           goes to its location, the order is done. All operations must be
//	           finished.
//	operation  order, operation, minutes
//	           the operation is reported with one cycle.
//	transfer   from, to, lines: [{product, lot, quantity, unit}], date, text
//	           an internal shipment: release, rejection, scrap, and the
//	           counter-moves of reversals and corrections. From may be several
//	           locations: the first that holds all of it. A line of a lot without
//	           quantity and unit is all of the lot that lies there; where it lies at
//	           the other location already, nothing is moved.
//	count      location, lines: [{product, lot, quantity, unit}], date, text
//	           an inventory: the ERP posts what was counted less what it expected.
//	order      product, quantity, unit, warehouse, date, text, release
//	           a production order with the components of the product's BOM.
//
// Products, units, locations and lots are called by code, symbol, code and number.
// A quantity is exact decimal text. A date is "2026-11-23"; without one it is the
// ERP's today, in UTC. A text stands behind the key for people.
//
// Documents have the kinds goods-issue, goods-receipt, operation, shipment,
// inventory and production-order. Those of an order have its number, that of an
// operation "MO000001/Dispensing".
package tryton

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
)

// DefaultSettles is how long after its send-before an attempt can still land where
// a Config says nothing: the attempt's own timeout, and as much again for a call
// that the server has accepted and not finished.
const DefaultSettles = 2 * time.Minute

// keyLength is how many digits of a command key a document carries: 128 bits.
const keyLength = 32

// Config says how to talk to one ERP.
type Config struct {
	ClientConfig               // Timeout is that of a whole attempt
	Settles      time.Duration // 0 is DefaultSettles; more than Timeout
	Poll         []string      // what Source fetches: some of Messages; none where it fetches nothing
	Overlap      time.Duration // how far a poll looks back behind the last one; 0 is DefaultOverlap
	Lookback     time.Duration // how far the first poll looks back for postings; 0 is DefaultLookback
}

// A System is one Tryton database. It is a connector.System, Source, Stater and
// Lookup.
type System struct {
	config Config
	client *Client
	names  *names
}

// New checks the configuration and makes a System. It calls nobody yet. The error
// names everything that is wrong, and no secret.
func New(c Config) (*System, error) {
	c.Timeout, c.Settles, c.Overlap = cmp.Or(c.Timeout, DefaultTimeout), cmp.Or(c.Settles, DefaultSettles), cmp.Or(c.Overlap, DefaultOverlap)
	c.Lookback = cmp.Or(c.Lookback, DefaultLookback)
	if c.Now == nil {
		c.Now = time.Now
	}
	client, err := NewClient(c.ClientConfig)
	wrong := []error{err}
	if c.Settles <= c.Timeout {
		wrong = append(wrong, fmt.Errorf("settles %s is not more than the timeout %s: what an attempt has begun can land as late", c.Settles, c.Timeout))
	}
	if c.Overlap < 0 || c.Lookback < 0 {
		wrong = append(wrong, errors.New("overlap and lookback are more than zero"))
	}
	for _, message := range c.Poll {
		if !slices.Contains(Messages(), message) {
			wrong = append(wrong, fmt.Errorf("poll: there is no message %.40q", message))
		}
	}
	if err := errors.Join(wrong...); err != nil {
		return nil, fmt.Errorf("tryton.New: %w", err)
	}
	return &System{config: c, client: client, names: newNames(client)}, nil
}

// Close lets go of connections that are not in use.
func (s *System) Close() { s.client.Close() }

// Traits are those of every Tryton.
func (s *System) Traits() connector.Traits {
	return connector.Traits{Class: connector.Findable, KeyCarrier: "reference of shipments and orders, number of inventories", KeyLength: keyLength, Settles: s.config.Settles}
}

// An action is what one do means.
type action struct {
	needs   []string
	perform func(ctx context.Context, a *attempt) ([]connector.Document, error)
	find    func(ctx context.Context, a *attempt) (connector.Finding, error)
}

// actions are all of them, by do.
func actions() map[string]action {
	return map[string]action{
		"issue":     {[]string{"order", "lines"}, issue, findIssue},
		"receive":   {[]string{"order", "outputs"}, receive, findReceipt},
		"operation": {[]string{"order", "operation", "minutes"}, report, findReport},
		"transfer":  {[]string{"from", "to", "lines"}, transfer, findDraft},
		"count":     {[]string{"location", "lines"}, count, findDraft},
		"order":     {[]string{"product", "quantity", "unit", "warehouse"}, makeOrder, findDraft},
	}
}

// Perform makes an attempt, as connector.System says.
func (s *System) Perform(ctx context.Context, cmd connector.Command) (connector.Outcome, error) {
	const op = "tryton.Perform"
	r, err := requestOf(cmd.Request)
	if err != nil {
		return connector.Outcome{}, connector.NotSent(op, fault.NotSendable, err)
	}
	if err := cmd.InTime(s.config.Now()); err != nil {
		return connector.Outcome{}, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.config.Timeout, fmt.Errorf("the attempt was not done within %s", s.config.Timeout))
	defer cancel()
	a := &attempt{s: s, cmd: cmd, request: r, key: s.Traits().Carried(cmd)}
	perform := actions()[r.Do].perform
	documents, err := perform(ctx, a)
	if r, ok := errors.AsType[*Refusal](err); ok && r.Method != "" && r.Reason == fault.MasterDataMissing && s.names.forget() { // an id of a record that is gone
		documents, err = perform(ctx, a)
	}
	return a.outcome(op, documents, err)
}

// Find asks for a command, as connector.System says.
func (s *System) Find(ctx context.Context, cmd connector.Command) (connector.Finding, error) {
	const op = "tryton.Find"
	r, err := requestOf(cmd.Request)
	if err != nil {
		return connector.Finding{}, connector.Unknown(op, fault.NotSendable, err)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, s.config.Timeout, fmt.Errorf("no answer within %s", s.config.Timeout))
	defer cancel()
	a := &attempt{s: s, cmd: cmd, request: r, key: s.Traits().Carried(cmd), asked: s.config.Now()}
	f, err := actions()[r.Do].find(ctx, a)
	if err != nil {
		return connector.Finding{}, unknowing(op, err)
	}
	return f, nil
}

// unknowing is an error after which nobody knows, with the wait that was asked for.
func unknowing(op string, err error) error {
	reason := fault.AnswerUnread
	if f := fault.Of(err); f != nil {
		reason = f.Reason
	}
	told := connector.Unknown(op, reason, err)
	if wait := connector.WaitOf(err); wait > 0 {
		return &connector.WaitError{Wait: wait, Err: told}
	}
	return told
}
