package tryton

import (
	"context"
	"encoding/json"
	"fmt"
	"math/big"
	"slices"
	"strings"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
)

// An order is a production order with its lines.
type order struct {
	ID        int64
	Number    string
	State     string
	Location  int64  // where it is produced
	Began     Date   `json:"effective_start_date"` // zero before it has begun
	Timestamp string `json:"_timestamp"`
	Inputs    []move `json:"inputs."`
	Outputs   []move `json:"outputs."`
	Works     []work `json:"works."`
}

// A move is a line of an order: planned while it is a draft.
type move struct {
	ID       int64
	State    string
	Quantity json.Number
	Product  named  `json:"product."`
	Unit     named  `json:"uom."`
	Lot      *named `json:"lot."`
	From     named  `json:"from_location."`
	To       named  `json:"to_location."`
}

// named is a record that another one points at; which of the names it has hangs on
// what it is.
type named struct {
	ID     int64
	Code   string
	Symbol string
	Number string
	Name   string
}

// A work is an operation of an order.
type work struct {
	ID        int64
	State     string
	Sequence  *int
	Operation named `json:"operation."`
	Center    named `json:"work_center."`
}

func (m move) lot() string {
	if m.Lot == nil {
		return ""
	}
	return m.Lot.Number
}

// orderFields are what is read of an order; lines are read with it.
func orderFields(lines ...string) []string {
	fields := []string{"number", "state", "location", "effective_start_date", "_timestamp"}
	for _, l := range lines {
		fields = append(fields, lineFields(l)...)
	}
	return fields
}

// order finds the order of the command by its number.
func (a *attempt) order(ctx context.Context, fields ...string) (*order, error) {
	var all []order
	q := Query{Domain: []any{is("number", a.request.Order)}, Fields: append(orderFields(), fields...), Limit: 2}
	if err := a.s.client.SearchRead(ctx, "production", q, &all); err != nil {
		return nil, err
	}
	switch len(all) {
	case 0:
		return nil, refuse(fault.MasterDataMissing, "the ERP has no production order %q", a.request.Order)
	case 1:
		return &all[0], nil
	}
	return nil, refuse(fault.WrongState, "the ERP has more than one production order %q", a.request.Order)
}

// sums are the quantities of lines by product, lot and unit.
type sums map[[3]string]*big.Rat

func (s sums) add(product, lot, unit, quantity string) {
	key := [3]string{product, lot, unit}
	if s[key] == nil {
		s[key] = new(big.Rat)
	}
	if q, ok := new(big.Rat).SetString(quantity); ok {
		s[key].Add(s[key], rounded(q))
	}
}

func (s sums) equal(t sums) bool {
	if len(s) != len(t) {
		return false
	}
	for key, q := range s {
		if t[key] == nil || t[key].Cmp(q) != 0 {
			return false
		}
	}
	return true
}

// String is the sums for people, in order.
func (s sums) String() string {
	var all []string
	for key, q := range s {
		all = append(all, strings.Join(strings.Fields(fmt.Sprintf("%s %s of %s %s", plain(q), key[2], key[0], key[1])), " "))
	}
	slices.Sort(all)
	return strings.Join(all, ", ")
}

func sumsOf(lines []line) sums {
	s := sums{}
	for _, l := range lines {
		s.add(l.Product, l.Lot, l.Unit, l.Quantity.String())
	}
	return s
}

// sumsOfMoves are those of moves that are not cancelled, of the products of lines.
func sumsOfMoves(moves []move, lines []line) sums {
	s := sums{}
	for _, m := range moves {
		if m.State != "cancelled" && slices.ContainsFunc(lines, func(l line) bool { return l.Product == m.Product.Code }) {
			s.add(m.Product.Code, m.lot(), m.Unit.Symbol, m.Quantity.String())
		}
	}
	return s
}

// issue posts the goods issue of an order: what the request says was consumed.
func issue(ctx context.Context, a *attempt) ([]connector.Document, error) {
	o, err := a.order(ctx, orderFields("inputs")...)
	if err != nil {
		return nil, err
	}
	wanted := sumsOf(a.request.Lines)
	same := sumsOfMoves(o.Inputs, a.request.Lines).equal(wanted)
	switch {
	case (o.State == "running" || o.State == "done") && same:
		return a.issued(o), nil
	case o.State == "assigned" && !same:
		if err := a.press(ctx, "production", "wait", o.ID, o.Timestamp, nil); err != nil { // reserved lines cannot be changed
			return nil, err
		}
		if o, err = a.order(ctx, orderFields("inputs")...); err != nil {
			return nil, err
		}
	case o.State != "waiting" && o.State != "assigned":
		return nil, refuse(fault.WrongState, "production order %s is %s with the components %s; it is issued while it is waiting or assigned", o.Number, o.State, sumsOfMoves(o.Inputs, a.request.Lines))
	}
	switch day := a.request.Date.Date; {
	case o.State == "waiting":
		err = a.consume(ctx, o, same)
	case !day.IsZero() && !day.Equal(o.Began.Time): // somebody else has reserved the same
		err = a.change(ctx, "production", o.ID, o.Timestamp, map[string]any{"effective_start_date": day})
	}
	if err != nil {
		return nil, err
	}
	if err := a.press(ctx, "production", "run", o.ID, "", nil); err != nil {
		return nil, err
	}
	o, err = a.order(ctx)
	if err != nil {
		return nil, err
	}
	if o.State != "running" && o.State != "done" {
		return nil, refuse(fault.WrongState, "production order %s is %s after the ERP has answered that it runs", o.Number, o.State)
	}
	return a.issued(o), nil
}

func (a *attempt) issued(o *order) []connector.Document {
	return []connector.Document{{Number: o.Number, Kind: "goods-issue"}}
}

// consume writes the lines of a waiting order and reserves them.
func (a *attempt) consume(ctx context.Context, o *order, same bool) error {
	from, err := a.from(ctx, o)
	if err != nil {
		return err
	}
	lots, err := a.inStock(ctx, a.request.Lines, from)
	if err != nil {
		return err
	}
	values := map[string]any{}
	if !same {
		if values["inputs"], err = edits(o.Inputs, a.request.Lines, func(l line, old *move) (map[string]any, error) {
			m, err := a.move(ctx, l, lots, from.ID, o.Location)
			if err == nil && old != nil {
				m = kept(m, "lot", "quantity", "uom")
			}
			return m, err
		}); err != nil {
			return err
		}
	}
	if !a.request.Date.IsZero() {
		values["effective_start_date"] = a.request.Date.Date
	}
	if len(values) > 0 {
		if err := a.change(ctx, "production", o.ID, o.Timestamp, values); err != nil {
			return err
		}
	}
	var reserved bool
	if err := a.press(ctx, "production", "assign_try", o.ID, "", &reserved); err != nil || reserved {
		return err
	}
	return a.unreserved(ctx, o)
}

// unreserved drops what the ERP could reserve of an order that is short of others.
func (a *attempt) unreserved(ctx context.Context, o *order) error {
	short := sums{}
	if now, err := a.order(ctx, orderFields("inputs")...); err == nil {
		for _, m := range now.Inputs {
			if m.State == "draft" {
				short.add(m.Product.Code, m.lot(), m.Unit.Symbol, m.Quantity.String())
			}
		}
		if now.State == "waiting" {
			if err := a.press(ctx, "production", "wait", now.ID, now.Timestamp, nil); err != nil {
				return err
			}
		}
	}
	return refuse(fault.StockInsufficient, "assign_try of production order %s was answered false; not free: %s", o.Number, short)
}

// from is where the components of an order are taken from: the place of its planned
// lines.
func (a *attempt) from(ctx context.Context, o *order) (location, error) {
	if len(o.Inputs) == 0 {
		return location{}, refuse(fault.WrongState, "production order %s has no component lines", o.Number)
	}
	return a.s.names.location(ctx, o.Inputs[0].From.Code)
}

// kept is some of the values of a line.
func kept(values map[string]any, fields ...string) map[string]any {
	some := map[string]any{}
	for _, field := range fields {
		if value, ok := values[field]; ok {
			some[field] = value
		}
	}
	return some
}

// edits are the nested changes that make planned lines those of a request: a line
// of the same product is changed, further ones are added, and planned lines of a
// product that the request names are taken out where none is left for them.
func edits(planned []move, lines []line, values func(l line, old *move) (map[string]any, error)) ([]any, error) {
	var all []any
	var added []map[string]any
	free := slices.DeleteFunc(slices.Clone(planned), func(m move) bool { return m.State != "draft" })
	for _, l := range lines {
		at := slices.IndexFunc(free, func(m move) bool { return m.Product.Code == l.Product && m.lot() == l.Lot })
		if at < 0 {
			at = slices.IndexFunc(free, func(m move) bool { return m.Product.Code == l.Product })
		}
		var old *move
		if at >= 0 {
			old = &free[at]
		}
		v, err := values(l, old)
		if err != nil {
			return nil, err
		}
		if old == nil {
			added = append(added, v)
			continue
		}
		all = append(all, []any{"write", []int64{old.ID}, v})
		free = slices.Delete(free, at, at+1)
	}
	if len(added) > 0 {
		all = append(all, []any{"create", added})
	}
	var surplus []int64
	for _, m := range free {
		if slices.ContainsFunc(lines, func(l line) bool { return l.Product == m.Product.Code }) {
			surplus = append(surplus, m.ID)
		}
	}
	if len(surplus) > 0 {
		all = append(all, []any{"delete", surplus})
	}
	return all, nil
}

// findIssue asks whether the components of the order are issued as the request
// says. The order itself is the document: its state and its lines tell.
func findIssue(ctx context.Context, a *attempt) (connector.Finding, error) {
	o, err := a.order(ctx, orderFields("inputs")...)
	if err != nil {
		return a.notThere(err)
	}
	same := sumsOfMoves(o.Inputs, a.request.Lines).equal(sumsOf(a.request.Lines))
	words := fmt.Sprintf("%s is %s with the components %s", o.Number, o.State, sumsOfMoves(o.Inputs, a.request.Lines))
	switch {
	case same && (o.State == "running" || o.State == "done"):
		return connector.Finding{Status: connector.FoundApplied, Documents: a.issued(o), Text: connector.Words(words)}, nil
	case same && (o.State == "waiting" || o.State == "assigned"):
		return connector.Finding{Status: connector.Begun, Text: connector.Words(words)}, nil
	}
	return a.missing(words), nil
}

// notThere is the finding where the order itself is not known to the ERP.
func (a *attempt) notThere(err error) (connector.Finding, error) {
	if r, ok := asOwn(err); ok {
		return a.missing(r.Text), nil
	}
	return connector.Finding{}, err
}

// receive posts the goods receipt of an order.
func receive(ctx context.Context, a *attempt) ([]connector.Document, error) {
	o, err := a.order(ctx, orderFields("outputs")...)
	if err != nil {
		return nil, err
	}
	same := a.received(o)
	switch {
	case o.State == "done" && same:
		return a.receipt(o), nil
	case o.State != "running":
		return nil, refuse(fault.WrongState, "production order %s is %s with the outputs %s; it is received while it is running, after its goods issue", o.Number, o.State, sumsOfMoves(o.Outputs, a.request.Outputs))
	}
	if err := a.produce(ctx, o, same); err != nil {
		return nil, err
	}
	if err := a.press(ctx, "production", "done", o.ID, "", nil); err != nil {
		return nil, err
	}
	o, err = a.order(ctx)
	if err != nil {
		return nil, err
	}
	if o.State != "done" {
		return nil, refuse(fault.WrongState, "production order %s is %s after the ERP has answered that it is done", o.Number, o.State)
	}
	return a.receipt(o), nil
}

func (a *attempt) receipt(o *order) []connector.Document {
	return []connector.Document{{Number: o.Number, Kind: "goods-receipt"}}
}

// received says whether the outputs of an order are those of the request.
func (a *attempt) received(o *order) bool {
	if !sumsOfMoves(o.Outputs, a.request.Outputs).equal(sumsOf(a.request.Outputs)) {
		return false
	}
	there, wanted := sums{}, sums{}
	for _, m := range o.Outputs {
		there.add(m.To.Code, m.lot(), m.Unit.Symbol, m.Quantity.String())
	}
	for _, l := range a.request.Outputs {
		wanted.add(l.To, l.Lot, l.Unit, l.Quantity.String())
	}
	return there.equal(wanted)
}

// produce writes the outputs of a running order.
func (a *attempt) produce(ctx context.Context, o *order, same bool) error {
	lots, err := a.madeLots(ctx, a.request.Outputs)
	if err != nil {
		return err
	}
	values := map[string]any{}
	if !same {
		if values["outputs"], err = edits(o.Outputs, a.request.Outputs, func(l line, old *move) (map[string]any, error) {
			to, err := a.s.names.location(ctx, l.To)
			if err != nil {
				return nil, err
			}
			m, err := a.move(ctx, l, lots, o.Location, to.ID)
			switch {
			case err != nil:
				return nil, err
			case old != nil:
				return kept(m, "lot", "quantity", "uom", "to_location"), nil
			}
			m["unit_price"] = decimal("0") // the ERP computes the cost
			return m, nil
		}); err != nil {
			return err
		}
	}
	if !a.request.Date.IsZero() {
		values["effective_date"] = a.request.Date.Date
	}
	if len(values) == 0 {
		return nil
	}
	return a.change(ctx, "production", o.ID, o.Timestamp, values)
}

// findReceipt asks whether the outputs of the order are received as the request says.
func findReceipt(ctx context.Context, a *attempt) (connector.Finding, error) {
	o, err := a.order(ctx, orderFields("outputs")...)
	if err != nil {
		return a.notThere(err)
	}
	words := fmt.Sprintf("%s is %s with the outputs %s", o.Number, o.State, sumsOfMoves(o.Outputs, a.request.Outputs))
	switch {
	case o.State == "done" && a.received(o):
		return connector.Finding{Status: connector.FoundApplied, Documents: a.receipt(o), Text: connector.Words(words)}, nil
	case o.State == "running" && a.received(o):
		return connector.Finding{Status: connector.Begun, Text: connector.Words(words)}, nil
	}
	return a.missing(words), nil
}

// A cycle is how an operation is reported. It carries no field of ours: the state
// of the operation tells whether it was.
type cycle struct {
	ID    int64
	State string
}

// workOf finds the operation of the command, which an order has once.
func (a *attempt) workOf(ctx context.Context) (*work, error) {
	var all []work
	q := Query{Domain: []any{is("production.number", a.request.Order), is("operation.name", a.request.Operation)}, Fields: []string{"state", "operation.name"}}
	if err := a.s.client.SearchRead(ctx, "production.work", q, &all); err != nil {
		return nil, err
	}
	switch len(all) {
	case 0:
		return nil, refuse(fault.MasterDataMissing, "production order %q has no operation %q", a.request.Order, a.request.Operation)
	case 1:
		return &all[0], nil
	}
	return nil, refuse(fault.WrongState, "production order %q has the operation %q %d times", a.request.Order, a.request.Operation, len(all))
}

func (w *work) done() bool { return w.State == "finished" || w.State == "done" }

func (a *attempt) cycles(ctx context.Context, w *work) ([]cycle, error) {
	var all []cycle
	q := Query{Domain: []any{is("work", w.ID), in("state", []string{"draft", "running"})}, Fields: []string{"state"}}
	err := a.s.client.SearchRead(ctx, "production.work.cycle", q, &all)
	return all, err
}

// report reports an operation with one cycle.
func report(ctx context.Context, a *attempt) ([]connector.Document, error) {
	w, err := a.workOf(ctx)
	if err != nil || w.done() {
		return a.reported(), err
	}
	open, err := a.cycles(ctx, w)
	if err != nil {
		return nil, err
	}
	if err := a.cycle(ctx, w, open); err != nil {
		return nil, err
	}
	if w, err = a.workOf(ctx); err != nil {
		return nil, err
	}
	if !w.done() {
		return nil, refuse(fault.WrongState, "operation %s of %s is %s after the ERP has answered that its cycle is done", a.request.Operation, a.request.Order, w.State)
	}
	return a.reported(), nil
}

func (a *attempt) reported() []connector.Document {
	return []connector.Document{{Number: a.request.Order + "/" + a.request.Operation, Kind: "operation"}}
}

// cycle does the cycle that an earlier attempt has begun, or a new one.
func (a *attempt) cycle(ctx context.Context, w *work, open []cycle) error {
	const model = "production.work.cycle"
	for _, surplus := range open[min(1, len(open)):] {
		if err := a.press(ctx, model, "cancel", surplus.ID, "", nil); err != nil {
			return err
		}
		a.note("surplus cycle %d of %s was cancelled", surplus.ID, a.request.Operation)
	}
	if len(open) == 0 {
		took, err := seconds(json.Number(a.request.Minutes.String()))
		if err != nil {
			return connector.NotSent("tryton.report", fault.NotSendable, err)
		}
		id, err := a.create(ctx, model, map[string]any{"work": w.ID, "duration": took})
		if err != nil {
			return err
		}
		open = []cycle{{ID: id, State: "draft"}}
	}
	if open[0].State == "draft" {
		if err := a.press(ctx, model, "run", open[0].ID, "", nil); err != nil {
			return err
		}
	}
	return a.press(ctx, model, "do", open[0].ID, "", nil)
}

// findReport asks whether the operation is reported.
func findReport(ctx context.Context, a *attempt) (connector.Finding, error) {
	w, err := a.workOf(ctx)
	if err != nil {
		return a.notThere(err)
	}
	if w.done() {
		return connector.Finding{Status: connector.FoundApplied, Documents: a.reported()}, nil
	}
	open, err := a.cycles(ctx, w)
	if err != nil {
		return connector.Finding{}, err
	}
	if len(open) > 0 {
		return connector.Finding{Status: connector.Begun, Text: "a cycle of the operation is " + open[0].State}, nil
	}
	return a.missing("operation " + a.request.Operation + " is " + w.State), nil
}
