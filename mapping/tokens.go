package mapping

import (
	"slices"
	"strings"
	"unicode"
)

// A tokenKind is what a token of Bloblang is.
type tokenKind int

const (
	word     tokenKind = iota // this, poNote, root, if
	number                    // 12, 0.5
	literal                   // "text" or """text""", quotes included
	variable                  // $name
	symbol                    // operators, brackets, dot, comma
	bad                       // a quote that is not closed
)

// A token is one piece of an expression. Comments and blanks are left out.
type token struct {
	kind   tokenKind
	text   string
	line   int  // from 1
	column int  // in characters, from 1
	offset int  // in characters
	depth  int  // of brackets around it; that of the outside for a bracket itself
	match  int  // index of the other bracket of the pair; -1 for none
	rebind bool // `this` is something else here: within map_each(...), .(...), match x {...}
}

// is says whether the token is this symbol or word.
func (t token) is(text string) bool {
	return (t.kind == symbol || t.kind == word) && t.text == text
}

// symbols of two characters; all others are single.
var doubled = []string{"->", "=>", "==", "!=", ">=", "<=", "&&", "||"}

// tokenize splits an expression. It is only for looking at: the library parses.
func tokenize(text string) []token {
	s := scanner{input: []rune(text), line: 1, column: 1}
	var tokens []token
	for {
		s.skipBlank()
		if s.at >= len(s.input) {
			break
		}
		t := token{line: s.line, column: s.column, offset: s.at, match: -1}
		t.kind, t.text = s.next()
		tokens = append(tokens, t)
	}
	pairBrackets(tokens)
	markRebinding(tokens)
	return tokens
}

type scanner struct {
	input        []rune
	at           int
	line, column int
}

func (s *scanner) peek(text string) bool {
	return strings.HasPrefix(string(s.input[s.at:min(len(s.input), s.at+len(text))]), text)
}

// take moves over n characters and gives them.
func (s *scanner) take(n int) string {
	n = min(n, len(s.input)-s.at)
	taken := s.input[s.at : s.at+n]
	for _, c := range taken {
		s.column++
		if c == '\n' {
			s.line, s.column = s.line+1, 1
		}
	}
	s.at += n
	return string(taken)
}

func (s *scanner) skipBlank() {
	for s.at < len(s.input) {
		switch c := s.input[s.at]; {
		case c == '#':
			n := 0
			for s.at+n < len(s.input) && s.input[s.at+n] != '\n' {
				n++
			}
			s.take(n)
		case unicode.IsSpace(c):
			s.take(1)
		default:
			return
		}
	}
}

func (s *scanner) next() (tokenKind, string) {
	switch c := s.input[s.at]; {
	case s.peek(`"""`):
		return s.quoted(`"""`, false)
	case c == '"':
		return s.quoted(`"`, true)
	case isDigit(c):
		return s.number()
	case isWord(c):
		return word, s.take(s.run(s.at, isWord))
	case c == '$':
		return variable, s.take(1 + s.run(s.at+1, isWord))
	}
	if slices.ContainsFunc(doubled, s.peek) {
		return symbol, s.take(2)
	}
	return symbol, s.take(1)
}

// number takes digits with an optional fraction; a name that begins with digits is a word.
func (s *scanner) number() (tokenKind, string) {
	if n := s.run(s.at, isWord); n > s.run(s.at, isDigit) {
		return word, s.take(n)
	}
	n := s.run(s.at, isDigit)
	if s.at+n+1 < len(s.input) && s.input[s.at+n] == '.' && isDigit(s.input[s.at+n+1]) && !s.afterDot() {
		n += 1 + s.run(s.at+n+1, isDigit)
	}
	return number, s.take(n)
}

// afterDot says that what comes is a step of a path: this.lines.0.1
func (s *scanner) afterDot() bool { return s.at > 0 && s.input[s.at-1] == '.' }

func (s *scanner) quoted(quote string, escapes bool) (tokenKind, string) {
	n := len(quote)
	for s.at+n < len(s.input) {
		switch {
		case escapes && s.input[s.at+n] == '\\':
			n += 2
			continue
		case strings.HasPrefix(string(s.input[s.at+n:min(len(s.input), s.at+n+len(quote))]), quote):
			return literal, s.take(n + len(quote))
		case escapes && s.input[s.at+n] == '\n':
			return bad, s.take(n)
		}
		n++
	}
	return bad, s.take(n)
}

// run is how many characters from a place on are of a kind.
func (s *scanner) run(from int, of func(rune) bool) int {
	n := 0
	for from+n < len(s.input) && of(s.input[from+n]) {
		n++
	}
	return n
}

func isDigit(c rune) bool { return c >= '0' && c <= '9' }

func isWord(c rune) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || isDigit(c) || c == '_'
}

func pairBrackets(tokens []token) {
	var open []int
	for i := range tokens {
		t := &tokens[i]
		t.depth = len(open)
		if t.kind != symbol {
			continue
		}
		switch t.text {
		case "(", "[", "{":
			open = append(open, i)
		case ")", "]", "}":
			if len(open) == 0 {
				continue
			}
			last := open[len(open)-1]
			open = open[:len(open)-1]
			t.depth = len(open)
			t.match, tokens[last].match = last, i
		}
	}
}

// rebinding are the methods whose argument sees another `this`.
var rebinding = map[string]bool{
	"all": true, "any": true, "catch": true, "filter": true, "find_all_by": true, "find_by": true,
	"map": true, "map_each": true, "sort": true, "sort_by": true,
}

// markRebinding marks the tokens for which `this` is not the record.
func markRebinding(tokens []token) {
	for i, t := range tokens {
		within := -1
		switch {
		case t.is("(") && i > 0 && tokens[i-1].is("."):
			within = i
		case t.is("(") && i > 1 && tokens[i-1].kind == word && rebinding[tokens[i-1].text] && tokens[i-2].is("."):
			within = i
		case t.is("match") && i+1 < len(tokens) && !tokens[i+1].is("{") && (i == 0 || !tokens[i-1].is(".")):
			within = nextAtDepth(tokens, i+1, "{", t.depth)
		}
		if within < 0 || within+2 < len(tokens) && tokens[within+2].is("->") { // with a name for it, `this` stays what it was
			continue
		}
		end := tokens[within].match
		if end < 0 {
			end = len(tokens)
		}
		for j := within + 1; j < end; j++ {
			tokens[j].rebind = true
		}
	}
}

// nextAtDepth finds a symbol from an index on; -1 where it is not found.
func nextAtDepth(tokens []token, from int, text string, depth int) int {
	for i := from; i < len(tokens); i++ {
		if tokens[i].is(text) && tokens[i].depth == depth {
			return i
		}
	}
	return -1
}

// plainText is what a literal token says; escapes stay as written.
func (t token) plainText() string {
	return strings.Trim(t.text, `"`)
}

// A path is a chain of names in an expression: this.lines.qty, x.qty, $bill.kg.
type path struct {
	root  string   // "this", "root", "$bill" or a name bound by ->
	names []string // behind it
	end   int      // index of the first token behind the path
}

// readPath reads the path that begins at an index. A name with brackets behind
// it is a method, where the path ends.
func readPath(tokens []token, i int) (path, bool) {
	if i >= len(tokens) || tokens[i].kind != word && tokens[i].kind != variable || i > 0 && tokens[i-1].is(".") {
		return path{}, false
	}
	p := path{root: tokens[i].text, end: i + 1}
	for p.end+1 < len(tokens) && tokens[p.end].is(".") {
		name := tokens[p.end+1]
		if name.kind == symbol || name.kind == bad || p.end+2 < len(tokens) && tokens[p.end+2].is("(") && name.kind == word {
			break
		}
		p.names = append(p.names, name.plainText())
		p.end += 2
	}
	return p, p.end >= len(tokens) || !tokens[p.end].is("(")
}
