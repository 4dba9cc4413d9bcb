package mapping

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
)

// An expression is one compiled text of a definition.
type expression struct {
	field      string // "events[0].map"
	source     string
	tokens     []token
	statements []statement
	program    *bloblang.Executor
	readsEach  bool   // this.each stands in it
	plainPath  string // "header/lines" where the expression is a path of the record and nothing else; else ""
}

// A statement is one assignment of an expression.
type statement struct {
	target []string // behind root; nil for root itself or a variable
	name   string   // of the variable that it sets; "" for a target
	line   int      // where it begins
	within int      // line of the statement at the outermost level that holds it
	text   string
	start  int // token range
	end    int
}

// A failure is an expression that gave no usable value.
type failure struct {
	expression *expression
	line       int // 1 for expressions of a single line
	err        error
}

// parse compiles an expression; nil for an empty text.
func (c *compiler) parse(field, text string) *expression {
	if strings.TrimSpace(text) == "" {
		return nil
	}
	e := &expression{field: field, source: text, tokens: tokenize(text)}
	if faults := e.lint(c.env); len(faults) > 0 {
		for _, f := range faults {
			c.faults = append(c.faults, f)
		}
		return nil
	}
	program, err := safeParse(c.language, text)
	if err == nil {
		if guarded := guardLoops(text, e.tokens); guarded != text {
			program, err = safeParse(c.language, guarded)
		}
	}
	if err != nil {
		c.faults = append(c.faults, parseFault(field, err))
		return nil
	}
	e.program = program
	e.statements, e.readsEach = findStatements(text, e.tokens), e.findEach()
	if p, ok := readPath(e.tokens, 0); ok && p.root == "this" && p.end == len(e.tokens) {
		e.plainPath = strings.Join(p.names, "/")
	}
	return e
}

// safeParse keeps a panic of the library an error of the definition. The
// library wants a line break behind every comment, the last one too.
func safeParse(language *bloblang.Environment, text string) (program *bloblang.Executor, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("the expression cannot be read: %v", r)
		}
	}()
	if program, err = language.Parse(text); err == nil {
		return program, nil
	}
	if ended, again := language.Parse(text + "\n"); again == nil {
		return ended, nil
	}
	return nil, err
}

func parseFault(field string, err error) *DefinitionError {
	f := &DefinitionError{Field: field, Text: clean(err.Error())}
	if parse, ok := errors.AsType[*bloblang.ParseError](err); ok {
		f.Line, f.Column = parse.Line, parse.Column
		f.Text = clean(libraryPosition.ReplaceAllString(parse.Error(), ""))
	}
	return f
}

// query evaluates the expression. The result is the caller's own copy, in JSON
// values; nil where nothing was assigned.
func (e *expression) query(sc *scope) (value any, fail *failure) {
	defer func() {
		if r := recover(); r != nil {
			value, fail = nil, &failure{e, 0, fmt.Errorf("the expression cannot be evaluated: %v", r)}
		}
	}()
	var result any
	if err := e.program.Overlay(sc.value, &result); err != nil {
		return nil, e.failed(err)
	}
	value, err := jsonValue(result, 0)
	if err != nil {
		return nil, &failure{e, 0, fmt.Errorf("the result is no JSON value: %w", err)}
	}
	return value, nil
}

func (e *expression) failed(err error) *failure {
	if errors.Is(err, bloblang.ErrRootDeleted) {
		return &failure{e, 0, errors.New("the result was deleted: say with `when` that there is no event")}
	}
	line := 0
	if place := assignmentLine.FindStringSubmatch(err.Error()); place != nil {
		line, _ = strconv.Atoi(place[1]) // digits by the pattern; 0 names no line
	}
	return &failure{e, line, err}
}

var (
	assignmentLine  = regexp.MustCompile(`^failed assignment \(line (\d+)\): `)
	libraryPosition = regexp.MustCompile(`^line \d+ char \d+: `)
	libraryNoise    = regexp.MustCompile(`failed to extract input arg '[^']*': |function '[^']*': |\(?failed assignment \(line \d+\)\)?: |method ` + listMethod + `: `)
	goType          = regexp.MustCompile(` \((?:json\.Number|string|map\[string\]interface \{\}|\[\]interface \{\}|bool|int64|<nil>)\)`)
)

// clean takes out of the library's text what speaks of its own inside.
func clean(text string) string {
	return goType.ReplaceAllString(libraryNoise.ReplaceAllString(text, ""), "")
}

// condition is a bool; true for a nil expression.
func (e *expression) condition(sc *scope) (bool, *failure) {
	if e == nil {
		return true, nil
	}
	value, fail := e.query(sc)
	if fail != nil {
		return false, fail
	}
	holds, ok := value.(bool)
	if !ok {
		return false, &failure{e, 0, fmt.Errorf("true or false is expected, it gave %s", describe(value))}
	}
	return holds, nil
}

// textValue is a text; empty for a nil expression and, unless required, for null.
func (e *expression) textValue(sc *scope, required bool) (string, *failure) {
	if e == nil {
		return "", nil
	}
	value, fail := e.query(sc)
	if fail != nil {
		return "", fail
	}
	if value == nil && !required {
		return "", nil
	}
	text, err := textOf(e.field, target, value)
	var none *missing
	switch {
	case errors.As(err, &none) || err == nil && text == "" && required:
		return "", &failure{e, 0, &noResult{}}
	case err != nil:
		return "", &failure{e, 0, fmt.Errorf("text is expected, it gave %s", describe(value))}
	}
	return text, nil
}

// A noResult is the error of an expression that gave null or empty text.
type noResult struct{}

func (*noResult) Error() string { return "a text is expected, it gave nothing" }

// findStatements finds the assignments: what stands before each `=`.
func findStatements(text string, tokens []token) []statement {
	var found []statement
	for i, t := range tokens {
		if !t.is("=") {
			continue
		}
		start, ok := assignmentStart(tokens, i)
		if !ok {
			continue
		}
		s := statement{line: tokens[start].line, within: tokens[start].line, start: start, end: len(tokens)}
		if tokens[start].is("let") {
			s.name = tokens[start+1].plainText()
		} else if p, ok := readPath(tokens, start); ok {
			s.target = p.names
		}
		if tokens[start].depth > 0 {
			s.within = blockLine(tokens, start)
		}
		if n := len(found); n > 0 {
			found[n-1].end = start
		}
		found = append(found, s)
	}
	input := []rune(text)
	for i := range found {
		found[i].end = statementEnd(tokens, found[i])
		found[i].text = sourceText(input, tokens[found[i].start:found[i].end])
	}
	return found
}

// assignmentStart is the index where the target or variable before `=` begins.
func assignmentStart(tokens []token, equals int) (int, bool) {
	i := equals - 1
	if i < 0 {
		return 0, false
	}
	for i > 1 && tokens[i-1].is(".") {
		i -= 2
	}
	if i > 0 && tokens[i-1].is("let") {
		i--
	}
	return i, true
}

// statementEnd is the index behind the statement: where a bracket closes that
// was opened before it, or where a line begins with the `if` of another statement.
func statementEnd(tokens []token, s statement) int {
	for i := s.start + 1; i < s.end; i++ {
		closes := tokens[i].match >= 0 && tokens[i].match < s.start
		next := tokens[i].is("if") && tokens[i].depth <= tokens[s.start].depth && tokens[i].line > tokens[i-1].line
		if closes || next {
			return i
		}
	}
	return s.end
}

// blockLine is the line of the outermost `if` around a token.
func blockLine(tokens []token, i int) int {
	line := tokens[i].line
	for j := i - 1; j >= 0; j-- {
		if tokens[j].is("if") && tokens[j].depth == 0 && (j == 0 || !tokens[j-1].is("else")) {
			return tokens[j].line
		}
	}
	return line
}

// sourceText is the text from the first to the last token, comments behind it left out.
func sourceText(input []rune, tokens []token) string {
	if len(tokens) == 0 {
		return ""
	}
	last := tokens[len(tokens)-1]
	end := last.offset + len([]rune(last.text))
	return string(input[tokens[0].offset:end])
}

// onlyField is the field that the expression reads, where it reads exactly one.
func (e *expression) onlyField() string {
	found := ""
	for i, t := range e.tokens {
		if !t.is("this") || t.rebind {
			continue
		}
		p, _ := readPath(e.tokens, i)
		name := strings.Join(p.names, "/")
		if name == "" || found != "" && found != name {
			return ""
		}
		found = name
	}
	return found
}

// findEach says whether this.each, or all of this, stands in the expression.
func (e *expression) findEach() bool {
	for i, t := range e.tokens {
		if p, _ := readPath(e.tokens, i); t.is("this") && (len(p.names) == 0 || p.names[0] == eachName) {
			return true
		}
	}
	return false
}
