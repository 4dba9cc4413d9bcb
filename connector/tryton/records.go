package tryton

import "context"

// A Query is which records of a model are read, and what of them.
type Query struct {
	Domain  []any          // conditions of Tryton, joined by and: []any{[]any{"number", "=", "MO000001"}}
	Fields  []string       // "product.code" comes as {"product.": {"id": 10, "code": "SF-3001"}}
	Limit   int            // 0 is no limit
	Context map[string]any // beside company and language
}

// SearchRead reads the records of a model that a query finds into out, a pointer
// to a slice, in the order of their ids. Page by the condition id > the last one.
func (c *Client) SearchRead(ctx context.Context, model string, q Query, out any) error {
	return c.Do(ctx, q.call(model), out)
}

func (q Query) call(model string) Call {
	var limit any
	if q.Limit > 0 {
		limit = q.Limit
	}
	domain := q.Domain
	if domain == nil {
		domain = []any{}
	}
	return Call{Method: "model." + model + ".search_read", Args: []any{domain, 0, limit, [][]string{{"id", "ASC"}}, q.Fields}, Context: q.Context}
}

// Read reads fields of records by their ids into out, a pointer to a slice.
func (c *Client) Read(ctx context.Context, model string, ids []int64, fields []string, out any) error {
	return c.Do(ctx, Call{Method: "model." + model + ".read", Args: []any{ids, fields}}, out)
}

// Create makes records and gives their ids. Lines are made with their document:
// {"moves": [["create", [{…}]]]}.
func (c *Client) Create(ctx context.Context, model string, values ...map[string]any) ([]int64, error) {
	var ids []int64
	err := c.Do(ctx, creating(model, values), &ids)
	return ids, err
}

func creating(model string, values []map[string]any) Call {
	return Call{Method: "model." + model + ".create", Args: []any{values}}
}

// Write changes a record and, by nested lines, what belongs to it.
func (c *Client) Write(ctx context.Context, model string, id int64, values map[string]any) error {
	return c.Do(ctx, writing(model, id, values), nil)
}

func writing(model string, id int64, values map[string]any) Call {
	return Call{Method: "model." + model + ".write", Args: []any{[]int64{id}, values}}
}

// Button takes records a step further: "wait", "done". A step that their state
// does not allow is answered like one that was done, so read the state back. Out
// is nil but for assign_try, which answers true or false.
func (c *Client) Button(ctx context.Context, model, button string, out any, ids ...int64) error {
	return c.Do(ctx, pressing(model, button, ids), out)
}

func pressing(model, button string, ids []int64) Call {
	return Call{Method: "model." + model + "." + button, Args: []any{ids}}
}

// is, in and like are conditions of a domain.
func is(field string, value any) []any         { return []any{field, "=", value} }
func in[T any](field string, values []T) []any { return []any{field, "in", values} }
func begins(field, prefix string) []any        { return []any{field, "like", prefix + "%"} }
