package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/gapless/gapless/event"
)

// Bounds of one expression. Far beyond any mapping that a person can read, and
// low enough that the library's parser, which descends by recursion, stays within
// its stack.
const (
	maxExpression = 64 << 10 // bytes
	maxNesting    = 40       // brackets within brackets
)

// lint reports what the library would accept and a mapping must not say. It
// looks at the tokens, so it sees how a thing is written, not what it is; the
// rules are chosen so that this is enough:
//
//   - `- * / %` compute in binary floats: never. `+` joins texts only, so one of
//     the operands joined must be a text for sure.
//   - `< <= > >=` compare amounts as letters where they are text, and as binary
//     floats where they are numbers: only against a text literal, or between a
//     whole number literal and a method that counts.
//   - `== !=` and `match` cases find "5" and 5 different: a number literal may only
//     be compared with a method that counts, a decimal method with nothing.
//   - `|` and .or(...) stand for what is absent, and the library lets them hide
//     every error as well: a wrong amount would become a zero. They may not stand
//     behind a call of ours; .catch(...), which says what it does, may.
//   - fields are written out from `this`, targets from `root`, so that every
//     field that a mapping reads can be found.
func (e *expression) lint(env Environment) []*DefinitionError {
	l := linter{expression: e, env: env}
	l.shape()
	if len(l.faults) > 0 {
		return l.faults
	}
	for i, t := range e.tokens {
		switch t.kind {
		case symbol:
			l.operator(i)
		case number:
			l.numberLiteral(i)
		case word:
			l.word(i)
		case literal, variable, bad: // a bad token is the parser's to report
		}
	}
	return l.faults
}

type linter struct {
	*expression
	env    Environment
	faults []*DefinitionError
}

func (l *linter) report(t token, text string, args ...any) {
	l.faults = append(l.faults, &DefinitionError{Field: l.field, Line: t.line, Column: t.column, Text: fmt.Sprintf(text, args...)})
}

// shape holds the bounds, before anything recursive looks at the text.
func (l *linter) shape() {
	if len(l.source) > maxExpression {
		l.report(token{line: 1, column: 1}, "the expression has %d bytes, %d are allowed: divide it among several outputs", len(l.source), maxExpression)
		return
	}
	for _, t := range l.tokens {
		if t.depth > maxNesting {
			l.report(t, "brackets are nested deeper than %d: give parts a name with let", maxNesting)
			return
		}
	}
}

// What an operand is for certain, from the way it is written.
type operandKind int

const (
	unknown  operandKind = iota
	aText                // a text literal, or a method that gives text
	aNumber              // a number literal
	aCount               // a method that gives a whole number of its own
	anAmount             // a decimal method: a text of digits
)

var (
	textMethods = []string{
		"capitalize", "lowercase", "uppercase", "trim", "trim_prefix", "trim_suffix", "string", "join", "quote",
		"replace_all", "replace_all_many", "re_replace_all", "type",
	}
	textFunctions  = []string{"ref", "unit", "code", "day_of", "time_of", "shift_from", "shift_to", "external", "external_unit", "external_code"}
	countMethods   = []string{"length", "find", "find_by", "index_of"}
	decimalMethods = []string{"decimal", "plus", "minus", "times", "divided_by", "round_to", "sum", "integer"}
)

// operators that stand between two operands, all but `|`, && and ||.
var (
	arithmetics = []string{"-", "*", "/", "%"}
	orders      = []string{"<", "<=", ">", ">="}
	equalities  = []string{"==", "!="}
)

func (l *linter) operator(i int) {
	t := l.tokens[i]
	switch {
	case t.text == "@":
		l.report(t, "@ reads a broker's metadata, a record has none: read a field, this.<name>")
	case t.text == "-" && !l.binary(i):
		if i+1 >= len(l.tokens) || l.tokens[i+1].kind != number {
			l.report(t, `- before a field computes in binary floats: write "0".minus(x)`)
		}
	case slices.Contains(arithmetics, t.text):
		names := map[string]string{"-": "a.minus(b)", "*": "a.times(b)", "/": "a.divided_by(b, digits)", "%": "a.minus(b) of what fits, or a code list"}
		l.report(t, "%s computes in binary floats and loses digits: write %s", t.text, names[t.text])
	case t.text == "+":
		if !l.joinsText(i) {
			l.report(t, "+ on numbers computes in binary floats and loses digits: write a.plus(b); to join texts say so, a.string() + b")
		}
	case t.text == "|":
		l.fallback(i, l.operandStart(i), i)
	case slices.Contains(orders, t.text):
		l.order(i)
	case slices.Contains(equalities, t.text):
		l.equality(i)
	case t.text == "=>":
		if i > 0 && l.tokens[i-1].kind == number {
			l.report(l.tokens[i-1], "a case of a number never meets the text %q: write this.is_equal(%s) =>", l.tokens[i-1].text, l.tokens[i-1].text)
		}
	}
}

// fallback refuses another value for a range of tokens that calls one of ours.
func (l *linter) fallback(i, start, end int) {
	for j := start; j < end-1; j++ {
		t := l.tokens[j]
		if t.kind != word || !l.tokens[j+1].is("(") {
			continue
		}
		all := functions(l.env)
		if j > 0 && l.tokens[j-1].is(".") {
			all = methods()
		}
		if slices.ContainsFunc(all, func(f function) bool { return f.name == t.text }) {
			l.report(l.tokens[i], "%s would hide a wrong value behind %s as well as an absent one: give the field the other value, this.a.or(b).%s(...), or say .catch(b)", l.tokens[i].text, t.text, t.text)
			return
		}
	}
}

// binary says whether an operand ends right before the operator.
func (l *linter) binary(i int) bool {
	if i == 0 {
		return false
	}
	before := l.tokens[i-1]
	switch before.kind {
	case symbol:
		return before.text == ")" || before.text == "]" || before.text == "}" && before.line == l.tokens[i].line
	case word:
		return !slices.Contains(keywords, before.text)
	default:
		return true
	}
}

var keywords = []string{"if", "else", "match", "let", "map", "meta"}

// joinsText says whether the chain of + that ends with this one holds a text,
// seen from the left: with a text in front everything behind must be text too.
func (l *linter) joinsText(i int) bool {
	if l.right(i) == aText {
		return true
	}
	for {
		if l.left(i) == aText {
			return true
		}
		start := l.operandStart(i)
		if start == 0 || !l.tokens[start-1].is("+") {
			return false
		}
		i = start - 1
		if l.right(i) == aText {
			return true
		}
	}
}

func (l *linter) order(i int) {
	left, right := l.left(i), l.right(i)
	if left == aText || right == aText || left == aCount && right == aNumber || left == aNumber && right == aCount || left == aCount && right == aCount {
		if left != anAmount && right != anAmount {
			return
		}
	}
	l.report(l.tokens[i], `%s compares amounts as letters or as binary floats: write a.is_less(b) or a.is_more(b); to compare texts say so, a.string() %s b.string()`, l.tokens[i].text, l.tokens[i].text)
}

func (l *linter) equality(i int) {
	left, right := l.left(i), l.right(i)
	numeric := func(k operandKind) bool { return k == aNumber || k == anAmount }
	switch {
	case left == anAmount || right == anAmount:
	case (left == aNumber) != (right == aNumber):
		other := left
		if left == aNumber {
			other = right
		}
		if other == aCount {
			return
		}
	case !numeric(left) && !numeric(right):
		return
	}
	l.report(l.tokens[i], `%s finds the text "5" and the number 5 different, and 5.0 and 5 as well: write a.is_equal(b)`, l.tokens[i].text)
}

// left is what stands before the operator at an index.
func (l *linter) left(i int) operandKind {
	if i == 0 {
		return unknown
	}
	last := l.tokens[i-1]
	switch last.kind {
	case literal:
		if i < 2 || !l.tokens[i-2].is(".") {
			return aText
		}
	case number:
		if i < 2 || !l.tokens[i-2].is(".") {
			return aNumber
		}
	case symbol:
		if last.text == ")" && last.match > 0 {
			return l.call(last.match)
		}
	case word:
		if l.env.dialect == ofAnswers && last.text == "status" && i > 2 && l.tokens[i-2].is(".") && l.tokens[i-3].is("this") {
			return aCount // always a whole number, never a text
		}
	case variable, bad:
	}
	return unknown
}

// right is what stands behind the operator at an index.
func (l *linter) right(i int) operandKind {
	end := l.operandEnd(i + 1)
	if end == i+1 {
		return unknown
	}
	if kind := l.left(end); kind != unknown {
		return kind
	}
	return unknown
}

// call is what the call with its opening bracket at an index gives.
func (l *linter) call(open int) operandKind {
	name := l.tokens[open-1]
	if name.kind != word {
		return unknown
	}
	isMethod := open > 1 && l.tokens[open-2].is(".")
	switch {
	case isMethod && slices.Contains(textMethods, name.text), !isMethod && slices.Contains(textFunctions, name.text):
		return aText
	case isMethod && slices.Contains(countMethods, name.text):
		return aCount
	case isMethod && slices.Contains(decimalMethods, name.text):
		return anAmount
	}
	return unknown
}

// operandEnd is the index behind the operand that begins at an index: a name, a
// literal or a bracket, then any number of steps and calls.
func (l *linter) operandEnd(i int) int {
	for i < len(l.tokens) && (l.tokens[i].is("!") || l.tokens[i].is("-")) {
		i++
	}
	if i >= len(l.tokens) {
		return i
	}
	i = l.over(i)
	for i < len(l.tokens) {
		switch {
		case l.tokens[i].is("(") && l.tokens[i-1].kind == word:
			i = l.over(i)
		case l.tokens[i].is(".") && i+1 < len(l.tokens):
			i = l.over(i + 1)
		default:
			return i
		}
	}
	return i
}

// over is the index behind a token, or behind the bracket that it opens.
func (l *linter) over(i int) int {
	if t := l.tokens[i]; t.match > i {
		return t.match + 1
	}
	return i + 1
}

// operandStart is the index where the operand begins that ends before an index.
func (l *linter) operandStart(i int) int {
	i--
	for i > 0 {
		if t := l.tokens[i]; t.match >= 0 && t.match < i {
			i = t.match
		}
		switch {
		case i > 0 && l.tokens[i].is("(") && l.tokens[i-1].kind == word && !slices.Contains(keywords, l.tokens[i-1].text):
			i--
		case i > 1 && l.tokens[i-1].is("."):
			i -= 2
		default:
			return i
		}
	}
	return max(i, 0)
}

func (l *linter) numberLiteral(i int) {
	t := l.tokens[i]
	if i > 0 && l.tokens[i-1].is(".") {
		return // a step of a path
	}
	if event.SignificantDigits(t.text) > event.MaxNumberDigits {
		l.report(t, `a number has at most %d significant digits here: put it in quotes, "%s"`, event.MaxNumberDigits, t.text)
	}
}

// reserved are the words that are neither fields nor functions.
var reserved = []string{"this", "root", "true", "false", "null", "_", "if", "else", "match", "let"}

func (l *linter) word(i int) {
	t := l.tokens[i]
	called := i+1 < len(l.tokens) && l.tokens[i+1].is("(")
	switch {
	case i > 0 && l.tokens[i-1].is("."):
		if called && t.text == "or" {
			l.fallback(i, l.operandStart(i-1), i)
		}
		return
	case t.text == "meta" && !called, t.text == "map" && !called, t.text == "import":
		if l.startsStatement(i) {
			l.report(t, "%s is not part of mappings: write the assignment out", t.text)
			return
		}
	case called && (t.text == "ref" || t.text == "local"):
		l.kind(i)
		return
	case called, slices.Contains(reserved, t.text), l.bound(i):
		return
	case i+1 < len(l.tokens) && (l.tokens[i+1].is("->") || l.tokens[i+1].is(":")), i > 0 && l.tokens[i-1].is("let"):
		return
	}
	if l.isTarget(i) {
		l.report(t, "a target begins with root: write root.%s", t.text)
		return
	}
	l.report(t, "a field begins with this: write this.%s", t.text)
}

// startsStatement says whether the token is the first of its line.
func (l *linter) startsStatement(i int) bool { return i == 0 || l.tokens[i-1].line < l.tokens[i].line }

// bound says whether a name is bound by -> before it: x -> x.qty
func (l *linter) bound(i int) bool {
	for j := range i {
		if l.tokens[j].kind == word && l.tokens[j].text == l.tokens[i].text && l.tokens[j+1].is("->") {
			return true
		}
	}
	return false
}

// isTarget says whether the path at an index is assigned to.
func (l *linter) isTarget(i int) bool {
	p, ok := readPath(l.tokens, i)
	return ok && p.end < len(l.tokens) && l.tokens[p.end].is("=")
}

// kind checks ref("lot", a, b) and local("material", a) where the kind is a literal.
func (l *linter) kind(i int) {
	arguments := l.arguments(i + 1)
	if len(arguments) == 0 || l.env.Kinds == nil {
		return
	}
	first := arguments[0]
	if first[1]-first[0] != 1 || l.tokens[first[0]].kind != literal {
		return
	}
	kind := l.tokens[first[0]].plainText()
	segments, ok := l.env.Kinds(kind)
	switch {
	case !ok:
		l.report(l.tokens[first[0]], "%q is no declared kind: use one of kinds/ of the catalog, or declare it there", kind)
	case l.tokens[i].text == "ref" && segments > 0 && len(arguments)-1 != segments:
		l.report(l.tokens[i], "a ref of kind %s has %d segments, not %d", kind, segments, len(arguments)-1)
	}
}

// arguments are the token ranges between the brackets that open at an index.
func (e *expression) arguments(open int) [][2]int {
	end := e.tokens[open].match
	if end < 0 || end == open+1 {
		return nil
	}
	var ranges [][2]int
	start := open + 1
	for i := start; i <= end; i++ {
		if i == end || e.tokens[i].is(",") && e.tokens[i].depth == e.tokens[open].depth+1 {
			ranges = append(ranges, [2]int{start, i})
			start = i + 1
		}
	}
	return ranges
}

// guardLoops puts .list() before map_each and filter. On an object the library
// lets them go through a Go map, whose order changes from run to run, and with it
// which of several faults is met first.
func guardLoops(text string, tokens []token) string {
	input := []rune(text)
	var b strings.Builder
	done := 0
	for i, t := range tokens {
		if i == 0 || !t.is("map_each") && !t.is("filter") || !tokens[i-1].is(".") || i+1 >= len(tokens) || !tokens[i+1].is("(") {
			continue
		}
		b.WriteString(string(input[done:t.offset]))
		b.WriteString(listMethod + "().")
		done = t.offset
	}
	b.WriteString(string(input[done:]))
	return b.String()
}
