package mapping

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gapless/gapless/event"
)

// A missing is the error of a function or method that got null.
type missing struct {
	call     string // "ref", "plus"
	argument int    // from 0; target for what the method was called on
	element  string // of a list that is there, its place from 0; "" for the argument itself
}

const target = -1

func (e *missing) Error() string {
	if e.argument == target {
		return e.call + " is called on a value that is missing"
	}
	return fmt.Sprintf("argument %d of %s is missing", e.argument+1, e.call)
}

// textOf is a value that stands for an identifier or a code: text without
// surrounding blanks, or a number as it was written.
func textOf(call string, argument int, value any) (string, error) {
	switch v := value.(type) {
	case nil:
		return "", &missing{call: call, argument: argument}
	case string:
		return strings.TrimSpace(v), nil
	case json.Number:
		return v.String(), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	default:
		return "", fmt.Errorf("%s takes text, not %s", call, describe(value))
	}
}

// decimalOf reads an amount: a number, a decimal text or the value of a
// quantity. Literals of an expression arrive as int64 or, with a point, as a
// float whose shortest text is what was written; lint refuses longer ones.
func decimalOf(call string, argument int, value any) (event.Decimal, error) {
	text, err := amountText(call, argument, value)
	if err != nil {
		return event.Decimal{}, err
	}
	d, err := event.ParseDecimal(text)
	if err != nil {
		return event.Decimal{}, &notDecimal{text, err}
	}
	return d, nil
}

func amountText(call string, argument int, value any) (string, error) {
	switch v := value.(type) {
	case nil:
		return "", &missing{call: call, argument: argument}
	case string:
		return strings.TrimSpace(v), nil
	case json.Number:
		return v.String(), nil
	case int64:
		return strconv.FormatInt(v, 10), nil
	case float64: //nolint:forbidigo // a literal of the expression, written out again without loss
		return strconv.FormatFloat(v, 'f', -1, 64), nil
	case map[string]any:
		if inner, ok := v["value"]; ok {
			if _, nested := inner.(map[string]any); !nested {
				return amountText(call, argument, inner)
			}
		}
	}
	return "", fmt.Errorf("%s takes a number, not %s", call, describe(value))
}

// A notDecimal is the error of an amount that is no exact decimal.
type notDecimal struct {
	text string
	err  error
}

func (e *notDecimal) Error() string { return e.err.Error() }
func (e *notDecimal) Unwrap() error { return e.err }

// describe names the shape of a value for a person.
func describe(value any) string {
	switch v := value.(type) {
	case nil:
		return "null"
	case bool:
		return strconv.FormatBool(v)
	case string:
		return fmt.Sprintf("%.60q", v)
	case json.Number:
		return fmt.Sprintf("%.60s", v.String())
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	default:
		return fmt.Sprintf("a %T", value)
	}
}

// jsonValue makes what an expression gave a JSON value, in place: the copies are
// ours. Numbers of literals become json.Number.
func jsonValue(value any, depth int) (any, error) {
	if depth > event.MaxDepth {
		return nil, event.ErrDepth
	}
	switch v := value.(type) {
	case nil, bool, string, json.Number:
		return v, nil
	case int:
		return json.Number(strconv.Itoa(v)), nil
	case int64:
		return json.Number(strconv.FormatInt(v, 10)), nil
	case float64: //nolint:forbidigo // a literal of the expression, written out again without loss
		return json.Number(strconv.FormatFloat(v, 'f', -1, 64)), nil
	case map[string]any:
		for name, item := range v {
			plain, err := jsonValue(item, depth+1)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
			v[name] = plain
		}
		return v, nil
	case []any:
		for i, item := range v {
			plain, err := jsonValue(item, depth+1)
			if err != nil {
				return nil, fmt.Errorf("%d: %w", i, err)
			}
			v[i] = plain
		}
		return v, nil
	default:
		return nil, fmt.Errorf("%T is nothing that an event holds", value)
	}
}

// at finds the value of a path; nil where there is none.
func at(value any, path []string) any {
	for _, name := range path {
		switch v := value.(type) {
		case map[string]any:
			value = v[name]
		case []any:
			i, err := strconv.Atoi(name)
			if err != nil || i < 0 || i >= len(v) {
				return nil
			}
			value = v[i]
		default:
			return nil
		}
	}
	return value
}

func sortedKeys(object map[string]any) []string { return slices.Sorted(maps.Keys(object)) }
