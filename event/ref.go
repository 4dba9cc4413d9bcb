package event

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// MaxRef is the longest Ref in bytes, in its encoded form.
const MaxRef = 512

// A Ref is the canonical identifier of one object: its kind, then the segments
// that make it unique in the company, percent-encoded and joined by slashes:
//
//	material/M-100   lot/M-100/4711   work-center/graz/L1   order/1000123
//
// Which kinds exist and what their segments mean is declared in the catalog.
// The empty Ref stands for "none".
type Ref string

// Errors of NewRef and ParseRef; each message says what to change.
var (
	ErrRefForm = errors.New("a reference is kind/segment[/segment...], for example lot/M-100/4711")
	ErrRefLong = fmt.Errorf("a reference has at most %d bytes", MaxRef)
	ErrRefText = errors.New("a reference holds printable UTF-8 text; control characters are refused")
)

// NewRef makes the Ref of a kind from plain segments, which it encodes.
// Blanks around a segment are the system's formatting and are dropped; text that
// Unicode counts as the same, such as an umlaut in one code point or in two, is
// brought to one form (NFC).
func NewRef(kind string, segments ...string) (Ref, error) {
	if !validKind(kind) || len(segments) == 0 {
		return "", fmt.Errorf("kind %.40q with %d segments: %w", kind, len(segments), ErrRefForm)
	}
	var b strings.Builder
	b.WriteString(kind)
	for _, s := range segments {
		s = norm.NFC.String(strings.TrimSpace(s))
		if s == "" {
			return "", fmt.Errorf("kind %.40q: a segment is empty: %w", kind, ErrRefForm)
		}
		if !Printable(s) {
			return "", fmt.Errorf("kind %.40q: segment %.80q: %w", kind, s, ErrRefText)
		}
		b.WriteByte('/')
		encodeSegment(&b, s)
	}
	if b.Len() > MaxRef {
		return "", fmt.Errorf("kind %.40q: %d bytes: %w", kind, b.Len(), ErrRefLong)
	}
	return Ref(b.String()), nil
}

// ParseRef reads the encoded form back. It accepts only what NewRef makes, so
// that one object never has two spellings.
func ParseRef(s string) (Ref, error) {
	if len(s) > MaxRef {
		return "", fmt.Errorf("%.40q...: %d bytes: %w", s, len(s), ErrRefLong)
	}
	kind, rest, ok := strings.Cut(s, "/")
	if !ok {
		return "", fmt.Errorf("%.80q: %w", s, ErrRefForm)
	}
	var segments []string
	for part := range strings.SplitSeq(rest, "/") {
		plain, err := decodeSegment(part)
		if err != nil {
			return "", fmt.Errorf("%.80q: %w", s, err)
		}
		segments = append(segments, plain)
	}
	r, err := NewRef(kind, segments...)
	if err != nil {
		return "", err
	}
	if string(r) != s {
		return "", fmt.Errorf("%.80q is written %q: %w", s, string(r), ErrRefForm)
	}
	return r, nil
}

// Kind is the part before the first slash: "lot" of lot/M-100/4711.
func (r Ref) Kind() string {
	kind, _, _ := strings.Cut(string(r), "/")
	return kind
}

// Segments are the decoded parts behind the kind.
func (r Ref) Segments() []string {
	_, rest, ok := strings.Cut(string(r), "/")
	if !ok {
		return nil
	}
	parts := strings.Split(rest, "/")
	for i, p := range parts {
		if plain, err := decodeSegment(p); err == nil {
			parts[i] = plain
		}
	}
	return parts
}

func validKind(kind string) bool {
	if kind == "" || len(kind) > 40 || kind[0] == '-' {
		return false
	}
	for _, c := range []byte(kind) {
		if (c < 'a' || c > 'z') && c != '-' {
			return false
		}
	}
	return true
}

// Printable tells whether a text is UTF-8 without control characters: what an
// identifier may hold.
func Printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, c := range s {
		if c == ' ' {
			continue
		}
		if !unicode.IsPrint(c) {
			return false
		}
	}
	return true
}

// unreserved are the characters of RFC 3986 section 2.3, which stay as they are.
func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' ||
		c == '-' || c == '.' || c == '_' || c == '~'
}

const upperHex = "0123456789ABCDEF"

func encodeSegment(b *strings.Builder, s string) {
	for i := range len(s) {
		if c := s[i]; unreserved(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', upperHex[c>>4], upperHex[c&15]})
		}
	}
}

func decodeSegment(s string) (string, error) {
	if !strings.Contains(s, "%") {
		return s, nil
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			out = append(out, s[i])
			continue
		}
		if i+2 >= len(s) {
			return "", fmt.Errorf("%q ends inside a percent escape: %w", s, ErrRefForm)
		}
		hi, lo := strings.IndexByte(upperHex, s[i+1]), strings.IndexByte(upperHex, s[i+2])
		if hi < 0 || lo < 0 {
			return "", fmt.Errorf("%q has a bad percent escape: %w", s, ErrRefForm)
		}
		out = append(out, byte(hi<<4|lo))
		i += 2
	}
	return string(out), nil
}
