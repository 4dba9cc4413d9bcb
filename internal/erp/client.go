// Package erp knows the ERP that the example with Tryton runs on: its JSON-RPC
// interface as a plain client sees it, the master data of the example's plants,
// and how to read its books back.
//
// It shares no code with connector/tryton, on purpose: what it reads is a witness
// of what the connector did.
package erp

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"sync/atomic"
	"time"
)

// A Client calls one database of a Tryton server as one user. It is safe for use
// by several goroutines, but for Login. It makes no second attempt at anything.
type Client struct {
	url     string // with the database as path and the slash behind it
	http    *http.Client
	session string         // value of the header Authorization
	context map[string]any // what every call carries: company, language
	user    int64
	calls   atomic.Int64
}

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 64 << 20

// A Refusal is an error that the server answered with.
type Refusal struct {
	Method string
	Kind   string // "UserError", or the message of what was not expected
	Text   string
}

func (r *Refusal) Error() string {
	return fmt.Sprintf("%s: the ERP says %.60s: %.300s", r.Method, r.Kind, r.Text)
}

// Login opens a session with a database of the server.
func Login(ctx context.Context, url, database, login, password string) (*Client, error) {
	c := &Client{url: url + "/" + database + "/", http: &http.Client{Timeout: 5 * time.Minute}}
	answer, err := c.rpc(ctx, "common.db.login", []any{login, map[string]any{"password": password}, "en"})
	if err != nil {
		return nil, fmt.Errorf("log in as %s: %w", login, err)
	}
	var key []json.RawMessage
	var token string
	if err := json.Unmarshal(answer, &key); err != nil || len(key) != 2 {
		return nil, fmt.Errorf("log in as %s: the ERP does not know this user and password", login)
	}
	if err := errors.Join(json.Unmarshal(key[0], &c.user), json.Unmarshal(key[1], &token)); err != nil {
		return nil, fmt.Errorf("log in as %s: %w", login, err)
	}
	c.session = "Session " + base64.StdEncoding.EncodeToString(fmt.Appendf(nil, "%s:%d:%s", login, c.user, token))
	return c, c.Refresh(ctx)
}

// Refresh asks the server anew what it wants with every call, such as the company
// that the user works for.
func (c *Client) Refresh(ctx context.Context) error {
	answer, err := c.rpc(ctx, "model.res.user.get_preferences", []any{true, map[string]any{}})
	if err != nil {
		return fmt.Errorf("read the preferences: %w", err)
	}
	c.context = nil
	return decode(answer, &c.context)
}

// User is the id of the user who is logged in.
func (c *Client) User() int64 { return c.user }

// Calls is how many calls were made.
func (c *Client) Calls() int64 { return c.calls.Load() }

// Call calls a method and reads its result into out, which may be nil. Numbers of
// an out of type any are json.Number. The extra context lies over the usual one.
func (c *Client) Call(ctx context.Context, out any, extra map[string]any, method string, args ...any) error {
	with := maps.Clone(c.context)
	maps.Copy(with, extra)
	answer, err := c.rpc(ctx, method, append(args, with))
	if err != nil || out == nil {
		return err
	}
	if err := decode(answer, out); err != nil {
		return fmt.Errorf("%s: %w", method, err)
	}
	return nil
}

// Read reads fields of the records of a model that a domain describes, in the order
// of their ids, page by page, so that no answer grows without bound.
func Read[T any](ctx context.Context, c *Client, model string, domain []any, extra map[string]any, fields ...string) ([]T, error) {
	const page = 500
	var all []T
	for {
		var rows []T
		err := c.Call(ctx, &rows, extra, "model."+model+".search_read", domain, len(all), page, []any{[]any{"id", "ASC"}}, fields)
		if err != nil {
			return nil, err
		}
		all = append(all, rows...)
		if len(rows) < page {
			return all, nil
		}
	}
}

// Find finds the one record of a domain; false where there is none. That there are
// several is an error.
func (c *Client) Find(ctx context.Context, model string, domain ...any) (id int64, found bool, err error) {
	var ids []int64
	err = c.Call(ctx, &ids, map[string]any{"active_test": false}, "model."+model+".search", domain, 0, 2, nil)
	switch {
	case err != nil:
		return 0, false, err
	case len(ids) > 1:
		return 0, false, fmt.Errorf("%s %v: there are several", model, domain)
	case len(ids) == 0:
		return 0, false, nil
	}
	return ids[0], true, nil
}

// Create makes records and returns their ids.
func (c *Client) Create(ctx context.Context, model string, values ...map[string]any) ([]int64, error) {
	var ids []int64
	err := c.Call(ctx, &ids, nil, "model."+model+".create", values)
	if err == nil && len(ids) != len(values) {
		err = fmt.Errorf("model.%s.create: %d records for %d", model, len(ids), len(values))
	}
	return ids, err
}

// Write changes records.
func (c *Client) Write(ctx context.Context, model string, values map[string]any, ids ...int64) error {
	return c.Call(ctx, nil, nil, "model."+model+".write", ids, values)
}

// Press presses a button of records: it asks the ERP to move them on.
func (c *Client) Press(ctx context.Context, model, button string, ids ...int64) error {
	return c.Call(ctx, nil, nil, "model."+model+"."+button, ids)
}

// rpc makes one call and returns its result as it came.
func (c *Client) rpc(ctx context.Context, method string, params []any) (json.RawMessage, error) {
	body, err := json.Marshal(map[string]any{"id": c.calls.Add(1), "method": method, "params": params})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	request.Header.Set("Content-Type", "application/json")
	if c.session != "" {
		request.Header.Set("Authorization", c.session)
	}
	answer, err := c.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	defer func() { _ = answer.Body.Close() }() // all that counts of it has been read
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("%s: read the answer: %w", method, err)
	}
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: the ERP answers %s: %.200s", method, answer.Status, text)
	}
	return result(method, text)
}

// result takes an answer apart. The server answers errors with 200 too.
func result(method string, text []byte) (json.RawMessage, error) {
	var answer struct {
		Result json.RawMessage   `json:"result"`
		Error  []json.RawMessage `json:"error"`
	}
	if err := json.Unmarshal(text, &answer); err != nil {
		return nil, fmt.Errorf("%s: %w", method, err)
	}
	if len(answer.Error) > 0 {
		refusal := &Refusal{Method: method, Text: string(bytes.Join(raw(answer.Error[1:]), []byte(", ")))}
		if err := json.Unmarshal(answer.Error[0], &refusal.Kind); err != nil {
			refusal.Kind = string(answer.Error[0])
		}
		return nil, refusal
	}
	return answer.Result, nil
}

func raw(all []json.RawMessage) [][]byte {
	texts := make([][]byte, len(all))
	for i, one := range all {
		texts[i] = one
	}
	return texts
}

// decode reads JSON, numbers as they are written.
func decode(text []byte, out any) error {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	return d.Decode(out)
}

// Money is an amount as the ERP takes it.
func Money(decimal string) map[string]any {
	return map[string]any{"__class__": "Decimal", "decimal": decimal}
}

// Date is a day as the ERP takes it.
func Date(day time.Time) map[string]any {
	return map[string]any{"__class__": "date", "year": day.Year(), "month": int(day.Month()), "day": day.Day()}
}

// Add is the command by which nested records are made with what they belong to.
func Add(values ...map[string]any) []any { return []any{[]any{"create", values}} }

// Link is the command by which records that exist are linked.
func Link(ids ...int64) []any { return []any{[]any{"add", append([]int64{}, ids...)}} }
