package tryton

import (
	"encoding/json"
	"math/big"
	"regexp"
	"slices"
	"time"
)

// A topic is what a message is made of.
type topic struct {
	model     string
	fields    []string
	reference bool // data of which the first poll reads everything
	domain    func(since Time) []any
	// body is the content of a message; open is the number of an order that is not closed.
	body func(record json.RawMessage) (body map[string]any, open string, err error)
}

// topics are all of them, by message.
func topics() map[string]topic {
	return map[string]topic{
		"orders": {
			model: "production", domain: ordersSince, body: orderBody,
			fields: append(orderFields("inputs", "outputs"), "reference", "product.code", "quantity", "uom.symbol", "warehouse.code", "bom.name",
				"planned_start_date", "planned_date", "effective_date", "write_date", "create_date",
				"works.state", "works.sequence", "works.operation.name", "works.work_center.name"),
		},
		"products": {
			model: "product.product", reference: true, body: productBody,
			domain: func(since Time) []any {
				return []any{active(), []any{"OR", after("write_date", since), after("create_date", since), after("template.write_date", since)}}
			},
			fields: []string{"code", "name", "type", "active", "default_uom.symbol", "lot_required", "write_date", "create_date", "template.write_date"},
		},
		"units": {
			model: "product.uom", reference: true, domain: writtenAfter, body: unitBody,
			fields: []string{"symbol", "name", "digits", "factor", "rate", "active", "category.name", "write_date", "create_date"},
		},
		"locations": {
			model: "stock.location", reference: true, domain: writtenAfter, body: locationBody,
			fields: []string{"code", "name", "type", "active", "parent.code", "warehouse.code", "write_date", "create_date"},
		},
		"shipments": {
			model: "stock.shipment.internal", domain: doneAfter, body: shipmentBody,
			fields: append(lineFields("moves"), "number", "reference", "state", "effective_date", "from_location.code", "to_location.code", "write_date", "create_date"),
		},
		"inventories": {
			model: "stock.inventory", domain: doneAfter, body: inventoryBody,
			fields: []string{"number", "state", "date", "location.code", "lines.product.code", "lines.lot.number", "lines.uom.symbol", "lines.expected_quantity", "lines.quantity", "write_date", "create_date"},
		},
	}
}

func lineFields(lines string) []string {
	var fields []string
	for _, field := range []string{"state", "quantity", "product.code", "uom.symbol", "lot.number", "from_location.code", "to_location.code"} {
		fields = append(fields, lines+"."+field)
	}
	return fields
}

func after(field string, since Time) []any { return []any{field, ">=", since} }

// active are also the records that are not: a search leaves them out by itself.
func active() []any { return in("active", []bool{true, false}) }

func writtenAfter(since Time) []any {
	return []any{active(), []any{"OR", after("write_date", since), after("create_date", since)}}
}

func doneAfter(since Time) []any {
	return []any{is("state", "done"), []any{"OR", after("write_date", since), after("create_date", since)}}
}

// openStates are those of an order that is released and not closed.
func openStates() []string { return []string{"waiting", "assigned", "running"} }

// released is an order that is no draft.
func released() []any { return []any{"state", "not in", []string{"request", "draft"}} }

func ordersSince(since Time) []any {
	return []any{released(), []any{"OR", in("state", openStates()), after("write_date", since), after("create_date", since)}}
}

// keyForm is a command key as our documents carry it, with words behind it.
var keyForm = regexp.MustCompile(`^([0-9a-f]{32})(?: |$)`)

// withKey adds the command key that a document carries; a document without one was
// made by others.
func withKey(body map[string]any, carrier string) map[string]any {
	if parts := keyForm.FindStringSubmatch(carrier); parts != nil {
		body["key"] = parts[1]
	}
	return body
}

// exact is a quantity as text, without the noise of a binary float.
func exact(n json.Number) any {
	if r, ok := new(big.Rat).SetString(n.String()); ok {
		return plain(rounded(r))
	}
	return nil
}

// or is nil for an empty text.
func or(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func orderBody(text json.RawMessage) (map[string]any, string, error) {
	var o struct {
		order
		Reference string
		Quantity  json.Number
		Product   named `json:"product."`
		Unit      named `json:"uom."`
		Warehouse named `json:"warehouse."`
		BOM       named `json:"bom."`
		Start     Date  `json:"planned_start_date"`
		End       Date  `json:"planned_date"`
		Ended     Date  `json:"effective_date"`
	}
	if err := decode(text, &o); err != nil {
		return nil, "", err
	}
	works := slices.Clone(o.Works)
	slices.SortFunc(works, func(a, b work) int { return int(a.ID - b.ID) })
	operations := []any{}
	for _, w := range works {
		operations = append(operations, map[string]any{"operation": w.Operation.Name, "work_center": or(w.Center.Name), "sequence": w.Sequence, "state": w.State})
	}
	body := map[string]any{
		"id": o.ID, "number": o.Number, "reference": or(o.Reference), "state": o.State, "product": o.Product.Code, "quantity": exact(o.Quantity),
		"unit": o.Unit.Symbol, "warehouse": o.Warehouse.Code, "bom": or(o.BOM.Name), "planned_start": or(o.Start.String()), "planned_end": or(o.End.String()),
		"started": or(o.Began.String()), "ended": or(o.Ended.String()), "inputs": linesBody(o.Inputs), "outputs": linesBody(o.Outputs), "operations": operations,
	}
	open := ""
	if slices.Contains(openStates(), o.State) {
		open = o.Number
	}
	return withKey(body, o.Reference), open, nil
}

// linesBody are moves in the order of their ids.
func linesBody(moves []move) []any {
	moves = slices.Clone(moves)
	slices.SortFunc(moves, func(a, b move) int { return int(a.ID - b.ID) })
	all := []any{}
	for _, m := range moves {
		all = append(all, map[string]any{
			"product": m.Product.Code, "lot": or(m.lot()), "quantity": exact(m.Quantity), "unit": m.Unit.Symbol, "from": m.From.Code, "to": m.To.Code, "state": m.State,
		})
	}
	return all
}

func productBody(text json.RawMessage) (map[string]any, string, error) {
	var p struct {
		ID     int64
		Code   string
		Name   string
		Type   string
		Active bool
		Unit   named    `json:"default_uom."`
		Lots   []string `json:"lot_required"`
	}
	err := decode(text, &p)
	return map[string]any{"id": p.ID, "code": or(p.Code), "name": p.Name, "type": p.Type, "active": p.Active, "unit": p.Unit.Symbol, "lots": len(p.Lots) > 0}, "", err
}

func unitBody(text json.RawMessage) (map[string]any, string, error) {
	var u struct {
		ID           int64
		Symbol       string
		Name         string
		Digits       int
		Factor, Rate json.Number
		Active       bool
		Category     named `json:"category."`
	}
	err := decode(text, &u)
	return map[string]any{"id": u.ID, "symbol": u.Symbol, "name": u.Name, "digits": u.Digits, "factor": exact(u.Factor), "rate": exact(u.Rate), "active": u.Active, "category": u.Category.Name}, "", err
}

func locationBody(text json.RawMessage) (map[string]any, string, error) {
	var l struct {
		ID        int64
		Code      string
		Name      string
		Type      string
		Active    bool
		Parent    *named `json:"parent."`
		Warehouse *named `json:"warehouse."`
	}
	err := decode(text, &l)
	body := map[string]any{"id": l.ID, "code": or(l.Code), "name": l.Name, "type": l.Type, "active": l.Active, "parent": nil, "warehouse": nil}
	if l.Parent != nil {
		body["parent"] = or(l.Parent.Code)
	}
	if l.Warehouse != nil {
		body["warehouse"] = or(l.Warehouse.Code)
	}
	return body, "", err
}

func shipmentBody(text json.RawMessage) (map[string]any, string, error) {
	var s struct {
		ID        int64
		Number    string
		Reference string
		State     string
		Date      Date   `json:"effective_date"`
		From      named  `json:"from_location."`
		To        named  `json:"to_location."`
		Moves     []move `json:"moves."`
		Written   Time   `json:"write_date"`
	}
	err := decode(text, &s)
	body := map[string]any{
		"id": s.ID, "number": s.Number, "reference": or(s.Reference), "state": s.State, "date": or(s.Date.String()), "from": s.From.Code, "to": s.To.Code,
		"changed": moment(s.Written), "moves": linesBody(s.Moves),
	}
	return withKey(body, s.Reference), "", err
}

// moment is a time as text, to the microsecond.
func moment(t Time) any {
	if t.IsZero() {
		return nil
	}
	return t.Format(time.RFC3339Nano)
}

func inventoryBody(text json.RawMessage) (map[string]any, string, error) {
	var i struct {
		ID       int64
		Number   string
		State    string
		Date     Date
		Location named `json:"location."`
		Written  Time  `json:"write_date"`
		Lines    []struct {
			ID       int64
			Product  named       `json:"product."`
			Lot      *named      `json:"lot."`
			Unit     named       `json:"uom."`
			Expected json.Number `json:"expected_quantity"`
			Quantity json.Number
		} `json:"lines."`
	}
	err := decode(text, &i)
	lines := []any{}
	for _, l := range i.Lines {
		lot := ""
		if l.Lot != nil {
			lot = l.Lot.Number
		}
		lines = append(lines, map[string]any{"product": l.Product.Code, "lot": or(lot), "unit": l.Unit.Symbol, "expected": exact(l.Expected), "quantity": exact(l.Quantity)})
	}
	body := map[string]any{"id": i.ID, "number": i.Number, "state": i.State, "date": or(i.Date.String()), "location": i.Location.Code, "changed": moment(i.Written), "lines": lines}
	return withKey(body, i.Number), "", err
}
