package format

import (
	"encoding/json"
	"unicode/utf8"
)

// A plainReader reads a JSON document in which nothing is special: no escape, nothing
// beyond the limits, no name twice, no fault. That is what machines send thousands of
// times a second, and takes a fifth of the time of reading it token by token. Where
// anything is special it gives up, and the jsonReader reads the document from its
// begin and says what is wrong, if anything is.
type plainReader struct {
	text   []byte
	at     int
	limits Limits
}

// plainObject is the one object that a document holds; ok is false where it holds
// anything else or anything special.
func plainObject(text []byte, limits Limits) (object map[string]any, ok bool) {
	p := &plainReader{text: text, limits: limits}
	if p.next() != '{' {
		return nil, false
	}
	value, ok := p.value(0)
	if !ok || p.next() != 0 || p.at != len(text) {
		return nil, false
	}
	object, ok = value.(map[string]any)
	return object, ok
}

// next is the next byte that is no blank, and stays where it is; 0 at the end.
func (p *plainReader) next() byte {
	for ; p.at < len(p.text); p.at++ {
		switch c := p.text[p.at]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c
		}
	}
	return 0
}

// take passes over a byte; false where another one comes next.
func (p *plainReader) take(c byte) bool {
	if p.next() != c {
		return false
	}
	p.at++
	return true
}

func (p *plainReader) value(depth int) (any, bool) {
	switch c := p.next(); c {
	case '{':
		return p.object(depth + 1)
	case '[':
		return p.list(depth + 1)
	case '"':
		return p.string()
	case 't':
		return true, p.word("true")
	case 'f':
		return false, p.word("false")
	case 'n':
		return nil, p.word("null")
	default:
		return p.number()
	}
}

func (p *plainReader) word(word string) bool {
	if len(p.text)-p.at < len(word) || string(p.text[p.at:p.at+len(word)]) != word {
		return false
	}
	p.at += len(word)
	return true
}

func (p *plainReader) object(depth int) (any, bool) {
	p.at++
	values := map[string]any{}
	if depth > p.limits.Depth {
		return nil, false
	}
	if p.take('}') {
		return values, true
	}
	for {
		if p.next() != '"' {
			return nil, false
		}
		name, ok := p.string()
		if !ok || !printableASCII(name) || !p.take(':') {
			return nil, false
		}
		if _, double := values[name]; double {
			return nil, false
		}
		if values[name], ok = p.value(depth); !ok {
			return nil, false
		}
		if p.take('}') {
			return values, true
		}
		if !p.take(',') {
			return nil, false
		}
	}
}

func (p *plainReader) list(depth int) (any, bool) {
	p.at++
	values := []any{}
	if depth > p.limits.Depth {
		return nil, false
	}
	if p.take(']') {
		return values, true
	}
	for {
		value, ok := p.value(depth)
		if !ok {
			return nil, false
		}
		values = append(values, value)
		if p.take(']') {
			return values, true
		}
		if !p.take(',') {
			return nil, false
		}
	}
}

// string reads a text without an escape.
func (p *plainReader) string() (string, bool) {
	start, ascii := p.at+1, true
	for i := start; i < len(p.text); i++ {
		switch c := p.text[i]; {
		case c == '"':
			text := p.text[start:i]
			p.at = i + 1
			return string(text), len(text) <= p.limits.Cell && (ascii || utf8.Valid(text))
		case c == '\\' || c < ' ':
			return "", false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	return "", false
}

// number reads a number of the form of RFC 8259 section 6.
func (p *plainReader) number() (any, bool) {
	start := p.at
	if p.at < len(p.text) && p.text[p.at] == '-' {
		p.at++
	}
	whole := p.at
	if n := p.digits(); n == 0 || n > 1 && p.text[whole] == '0' {
		return nil, false
	}
	if p.at < len(p.text) && p.text[p.at] == '.' {
		p.at++
		if p.digits() == 0 {
			return nil, false
		}
	}
	if p.at < len(p.text) && (p.text[p.at] == 'e' || p.text[p.at] == 'E') {
		return nil, false // rare enough
	}
	return json.Number(p.text[start:p.at]), p.at-start <= p.limits.Cell
}

// digits passes over digits and tells how many there were.
func (p *plainReader) digits() int {
	start := p.at
	for p.at < len(p.text) && p.text[p.at] >= '0' && p.text[p.at] <= '9' {
		p.at++
	}
	return p.at - start
}

func printableASCII(text string) bool {
	for i := range len(text) {
		if text[i] < ' ' || text[i] >= 0x7f {
			return false
		}
	}
	return true
}
