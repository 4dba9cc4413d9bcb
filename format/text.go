package format

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"
)

// Character sets of a Spec.
const (
	utf8Name        = "utf-8"
	windows1252Name = "windows-1252"
	latin1Name      = "iso-8859-1"
	utf16Name       = "utf-16"
)

var charsets = []string{utf8Name, windows1252Name, latin1Name, utf16Name}

const charsetRemedy = "send UTF-8, or set charset to what the system writes: windows-1252, iso-8859-1 or utf-16"

var (
	markUTF8  = []byte{0xef, 0xbb, 0xbf}
	markUTF16 = [][]byte{{0xff, 0xfe}, {0xfe, 0xff}} // little-endian, big-endian
)

// decode is the message as UTF-8 without byte order mark. UTF-8 of a table is
// checked later, cell by cell, so that one wrong byte costs one row.
func (s Spec) decode(body []byte) ([]byte, *Error) {
	switch name := s.charset(body); name {
	case "", utf8Name:
	case windows1252Name:
		return decodeBytes(body, windows1252Name, charmap.Windows1252.DecodeByte)
	case latin1Name:
		return decodeBytes(body, latin1Name, func(b byte) rune { return rune(b) })
	case utf16Name:
		return decodeUTF16(body)
	default:
		return nil, &Error{Problem: fmt.Sprintf("the document declares encoding %q, which is not read", name), Remedy: charsetRemedy}
	}
	for _, mark := range markUTF16 {
		if bytes.HasPrefix(body, mark) {
			return nil, &Error{Problem: "line 1, byte 1: the message starts like UTF-16", Remedy: "send UTF-8, or set charset to utf-16"}
		}
	}
	body = bytes.TrimPrefix(body, markUTF8)
	if s.kind() == CSV || s.kind() == NDJSON || utf8.Valid(body) {
		return body, nil
	}
	return nil, invalidUTF8(body)
}

func invalidUTF8(text []byte) *Error {
	at := 0
	for at < len(text) {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 {
			break
		}
		at += size
	}
	return &Error{Problem: fmt.Sprintf("%s: byte 0x%02X is not UTF-8", position(text, at), text[at]), Remedy: charsetRemedy}
}

var encodingDeclaration = regexp.MustCompile(`^(?:\xef\xbb\xbf)?<\?xml[^>]*?\sencoding\s*=\s*["']([A-Za-z0-9._-]+)["']`)

// charset is what the Spec says, else what an XML document declares about
// itself (XML 1.0 section 4.3.3), else "".
func (s Spec) charset(body []byte) string {
	if s.Charset != "" || s.kind() != XML {
		return s.Charset
	}
	for _, mark := range markUTF16 {
		if bytes.HasPrefix(body, mark) {
			return utf16Name
		}
	}
	declared := encodingDeclaration.FindSubmatch(body[:min(len(body), 200)])
	if declared == nil {
		return ""
	}
	// A declaration that can be read byte by byte is none of UTF-16, whatever it
	// says: it was written into a text that was sent as UTF-8 afterwards.
	if name := strings.ToLower(string(declared[1])); name != utf16Name && name != "us-ascii" {
		return name
	}
	return ""
}

// decodeBytes reads a character set of one byte per character. The control
// characters 0x80 to 0x9F are refused: no text has them, but a text of another
// character set looks as if it had.
func decodeBytes(body []byte, name string, decode func(byte) rune) ([]byte, *Error) {
	if bytes.HasPrefix(body, markUTF8) {
		return nil, &Error{Problem: "line 1, byte 1: the message starts like UTF-8, and is to be read as " + name, Remedy: "take charset out of the definition"}
	}
	text := make([]byte, 0, len(body)+len(body)/8)
	for i, b := range body {
		if b < utf8.RuneSelf {
			text = append(text, b)
			continue
		}
		r := decode(b)
		if r == utf8.RuneError || r >= 0x80 && r <= 0x9f {
			return nil, &Error{Problem: fmt.Sprintf("%s: byte 0x%02X is no character of %s", position(body, i), b, name), Remedy: "set charset to what the system writes"}
		}
		text = utf8.AppendRune(text, r)
	}
	return text, nil
}

// decodeUTF16 needs the byte order mark: without it half of all systems mean
// one order and half the other.
func decodeUTF16(body []byte) ([]byte, *Error) {
	little := bytes.HasPrefix(body, markUTF16[0])
	if !little && !bytes.HasPrefix(body, markUTF16[1]) {
		return nil, &Error{Problem: "line 1, byte 1: the message has no byte order mark of UTF-16", Remedy: "write it with byte order mark, or set charset to what the system writes"}
	}
	if len(body)%2 != 0 {
		return nil, &Error{Problem: fmt.Sprintf("byte %d: the message ends within a character of UTF-16", len(body)), Remedy: "send the file whole"}
	}
	text := make([]byte, 0, len(body))
	for i := 2; i < len(body); i += 2 {
		r := unit16(body[i:], little)
		if utf16.IsSurrogate(r) {
			second := rune(0)
			if i+2 < len(body) {
				second = unit16(body[i+2:], little)
			}
			if r = utf16.DecodeRune(r, second); r == unicode.ReplacementChar {
				line := bytes.Count(text, []byte{'\n'}) + 1
				return nil, &Error{Problem: fmt.Sprintf("line %d, byte %d of the message: half a character of UTF-16", line, i+1), Remedy: "send what the system wrote, unchanged"}
			}
			i += 2
		}
		text = utf8.AppendRune(text, r)
	}
	return text, nil
}

func unit16(b []byte, little bool) rune {
	if little {
		return rune(b[0]) | rune(b[1])<<8
	}
	return rune(b[1]) | rune(b[0])<<8
}

// position is a place in a message for a person: line and byte from 1.
func position(text []byte, at int) string {
	at = min(at, len(text))
	line := bytes.Count(text[:at], []byte{'\n'}) + 1
	column := at - bytes.LastIndexByte(text[:at], '\n')
	return fmt.Sprintf("line %d, byte %d", line, column)
}

func fits(text string, limits Limits) *Error {
	if len(text) > limits.Cell {
		return exceeds("the text", int64(len(text)), int64(limits.Cell), "bytes", "send a reference to a document in place of the document")
	}
	return nil
}

// lineBreaks writes every line break as "\n".
func lineBreaks(text string) string {
	if !strings.Contains(text, "\r") {
		return text
	}
	return strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
}

// clean is a text as it stands in a record: checked, with "\n" for every line break.
func clean(text string, limits Limits) (string, *Error) {
	if fault := fits(text, limits); fault != nil {
		return "", fault
	}
	plain := true
	for i := range len(text) {
		if b := text[i]; b < ' ' && b != '\n' && b != '\t' || b >= 0x7f {
			plain = false
			break
		}
	}
	if plain {
		return text, nil
	}
	text = lineBreaks(text)
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], string(utf8.RuneError)):
			return "", &Error{Problem: fmt.Sprintf("byte 0x%02X at byte %d of the text is not UTF-8", text[i], i+1), Remedy: charsetRemedy}
		case unicode.IsControl(r) && r != '\n' && r != '\t':
			return "", &Error{Problem: fmt.Sprintf("control character U+%04X at byte %d of the text", r, i+1), Remedy: "remove it where it was entered, or set charset to what the system writes"}
		}
	}
	return text, nil
}
