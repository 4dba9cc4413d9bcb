package mapping

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// fault is what a failure means for the person who looks at the message: the
// reason, the field of the record where it can be told, and where in the mapping.
func (m *Mapping) fault(op, slot string, sc *scope, fail *failure) *fault.Fault {
	b := &blame{failure: fail, scope: sc, at: fail.expression.statementAt(fail.line)}
	reason, field, text := b.judge(m.def.System)
	f := fault.New(op, reason, field, "")
	f.Detail = place(slot, fail) + ": " + text
	f.Err = fail.err
	return f
}

// place says where in the mapping: "slot good, events[0].map line 3".
func place(slot string, fail *failure) string {
	where := fail.expression.field
	if slot != "" {
		where = "slot " + slot + ", " + where
	}
	return fmt.Sprintf("%s line %d", where, max(fail.line, 1))
}

// statementAt is the token range of the statement that begins at a line, the
// whole expression where there is none. An `if` fails as a whole: all of it.
func (e *expression) statementAt(line int) [2]int {
	found := [2]int{0, len(e.tokens)}
	first := true
	for _, s := range e.statements {
		if line == 0 || s.within != line {
			continue
		}
		if first {
			found[0], first = s.start, false
		}
		found[1] = s.end
	}
	if !first { // the condition of an if stands before its first assignment
		for found[0] > 0 && e.tokens[found[0]-1].line >= line {
			found[0]--
		}
	}
	return found
}

// A blame looks for the field that made an expression fail.
type blame struct {
	*failure
	*scope
	at [2]int // token range of the statement
}

// judge gives the reason, the field and the text for a person.
func (b *blame) judge(system string) (reason *fault.Reason, field, text string) {
	var (
		none    *missing
		code    *codeUnknown
		local   *localUnknown
		amount  *notDecimal
		noisy   *inexact
		ref     *refInvalid
		kind    *kindUnknown
		shift   *shiftUnknown
		moment  *timeInvalid
		nothing *noResult
	)
	err := b.err
	switch {
	case errors.As(err, &none):
		return b.absent(b.missingArgument(none), none.Error())
	case errors.As(err, &code):
		text = fmt.Sprintf("list %s has no code for %q of system %s", code.list, code.local, system)
		return fault.CodeUnknown, b.fieldHolding(b.argumentOf(code.call, argumentOfCode(code.call), nil), code.local), text
	case errors.As(err, &local):
		return fault.CodeUnknown, b.fieldHolding(b.argumentOf(local.call, local.argument, nil), local.code), local.Error()
	case errors.As(err, &amount):
		return fault.QuantityInvalid, b.fieldHolding("", amount.text), clean(amount.Error())
	case errors.As(err, &noisy):
		return fault.QuantityInexact, b.fieldHolding("", noisy.text), noisy.Error()
	case errors.As(err, &kind):
		return fault.RefKindUnknown, "", kind.Error()
	case errors.As(err, &ref):
		return fault.RefInvalid, b.expression.onlyField(), ref.Error()
	case errors.As(err, &shift):
		return fault.MappingFailed, b.fieldHolding(b.argumentOf(shift.call, 1, nil), shift.shift), shift.Error()
	case errors.As(err, &moment):
		return fault.TimeInvalid, b.expression.onlyField(), moment.Error()
	case errors.As(err, &nothing):
		return b.absent(b.onlyNull(), nothing.Error())
	}
	text = clean(err.Error())
	if path, ok := nullField(text); ok {
		return b.absent(b.place(strings.Split(path, ".")), text)
	}
	return fault.MappingFailed, "", text
}

func argumentOfCode(call string) int {
	if call == "code" {
		return 1
	}
	return 0
}

// absent is a field that is missing: of the record a fault of the sender, of
// reference data or of what the mapping made itself one of the mapping.
func (b *blame) absent(field, text string) (*fault.Reason, string, string) {
	if field == "" || field == lookupsName || strings.HasPrefix(field, lookupsName+"/") {
		if field != "" {
			text += ": guard it with when, or with | for another value"
		}
		return fault.MappingFailed, field, text
	}
	return fault.FieldMissing, field, "the field is absent or empty"
}

// nullField finds the field that the library names as null.
var nullPattern = regexp.MustCompile("(?:null from (?:field|path)|null \\(from (?:field|path)) `(?:[A-Za-z0-9_]+\\.)?([^`]+)`")

func nullField(text string) (string, bool) {
	parts := nullPattern.FindStringSubmatch(text)
	if parts == nil {
		return "", false
	}
	return parts[1], true
}

// place writes a path as the field of a fault: what is read of this.each as part
// of what each goes through, where that is a plain path.
func (b *blame) place(names []string) string {
	if len(names) > 0 && names[0] == eachName && b.eachPath != "" {
		names = append([]string{b.eachPath}, names[1:]...)
	}
	return strings.Join(names, "/")
}

// argumentOf is the field that a call got as one of its arguments, or was called
// on: the first plain path of the record at that place whose value is as asked
// for, else the only plain path of an element, else "".
func (b *blame) argumentOf(call string, argument int, asked func(any) bool) string {
	elements := map[string]bool{}
	for i := b.at[0]; i < b.at[1]-1; i++ {
		if !b.expression.tokens[i].is(call) || !b.expression.tokens[i+1].is("(") {
			continue
		}
		p, rebound, ok := b.expression.argumentPath(i, argument)
		if !ok {
			continue
		}
		switch {
		case rebound:
			elements[strings.Join(p, "/")] = true
		case asked == nil || asked(at(b.value, p)):
			return b.place(p)
		}
	}
	if len(elements) == 1 {
		for field := range elements {
			return field
		}
	}
	return ""
}

// missingArgument is the field that a call did not get. What a loop goes through
// is missed by the method that guards it. Where the place is no plain path, the
// one field that the statement reads and that is null is the one.
func (b *blame) missingArgument(none *missing) string {
	if none.element != "" {
		if list := b.argumentOf(none.call, target, nil); list != "" {
			return list + "/" + none.element
		}
	}
	calls := []string{none.call}
	if none.call == listMethod {
		calls = []string{"map_each", "filter"}
	}
	for _, call := range calls {
		if field := b.argumentOf(call, none.argument, isAbsent); field != "" {
			return field
		}
	}
	return b.onlyNull()
}

func isAbsent(value any) bool {
	text, isText := value.(string)
	return value == nil || isText && strings.TrimSpace(text) == ""
}

// argumentPath is the path at one place of the call at an index, if it is plain.
func (e *expression) argumentPath(call, argument int) (names []string, rebound, ok bool) {
	var start, end int
	if argument == target {
		if call < 2 || !e.tokens[call-1].is(".") {
			return nil, false, false
		}
		l := linter{expression: e}
		start, end = l.operandStart(call-1), call-1
	} else {
		arguments := e.arguments(call + 1)
		if argument >= len(arguments) {
			return nil, false, false
		}
		start, end = arguments[argument][0], arguments[argument][1]
	}
	p, plain := readPath(e.tokens, start)
	if !plain && p.end != end || p.end != end || len(p.names) == 0 {
		return nil, false, false
	}
	t := e.tokens[start]
	return p.names, t.rebind || p.root != "this", t.kind == word && p.root != "root"
}

// onlyNull is the one field that the statement reads and that is null; "" where
// there are several or none.
func (b *blame) onlyNull() string {
	found := ""
	for i := b.at[0]; i < b.at[1]; i++ {
		t := b.expression.tokens[i]
		if !t.is("this") || t.rebind {
			continue
		}
		p, _ := readPath(b.expression.tokens, i)
		if len(p.names) == 0 || at(b.value, p.names) != nil {
			continue
		}
		field := b.place(p.names)
		if found != "" && found != field {
			return ""
		}
		found = field
	}
	return found
}

// fieldHolding is the field itself where it is known; else the one field of the
// record that holds a text and that the statement could have read; "" where
// there are several or none.
func (b *blame) fieldHolding(known, text string) string {
	if known != "" {
		return known
	}
	var found []string
	for _, l := range leavesOf(b.value) {
		if value, err := amountText("", target, l.value); err == nil && value == text {
			found = append(found, strings.Join(l.path, "/"))
		}
	}
	if len(found) > 1 {
		found = b.mentioned(found)
	}
	if len(found) != 1 {
		return ""
	}
	return b.place(strings.Split(found[0], "/"))
}

// mentioned are the fields that the statement reads by a plain path.
func (b *blame) mentioned(fields []string) []string {
	var read []string
	for _, field := range fields {
		for i := b.at[0]; i < b.at[1]; i++ {
			p, _ := readPath(b.expression.tokens, i)
			if p.root == "this" && strings.Join(p.names, "/") == field {
				read = append(read, field)
				break
			}
		}
	}
	return read
}

// A leaf is a plain value in a record, with its path.
type leaf struct {
	path  []string
	value any
}

// leavesOf are the plain values, in the order of their paths: fields by name,
// elements by place.
func leavesOf(value any) []leaf {
	var leaves []leaf
	collectLeaves(value, nil, &leaves)
	return leaves
}

func collectLeaves(value any, path []string, leaves *[]leaf) {
	if len(path) > event.MaxDepth {
		return
	}
	switch v := value.(type) {
	case map[string]any:
		for _, key := range sortedKeys(v) {
			collectLeaves(v[key], append(slices.Clip(path), key), leaves)
		}
	case []any:
		for i, item := range v {
			collectLeaves(item, append(slices.Clip(path), strconv.Itoa(i)), leaves)
		}
	default:
		*leaves = append(*leaves, leaf{path, value})
	}
}
