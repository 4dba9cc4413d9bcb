package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"strconv"
)

// A link of the audit chain covers all rows that one commit adds to one feed:
// messages, then events with their facts, then acts, each in its order. Its hash
// covers the hash of the link before, so that nothing can be altered, removed or
// put between without every later hash being another.

// linkSum gathers the row digests of one link.
type linkSum struct {
	messages, events, acts []byte
}

func (s *linkSum) message(row []any) { s.messages = append(s.messages, rowDigest(row)...) }
func (s *linkSum) act(row []any)     { s.acts = append(s.acts, rowDigest(row)...) }
func (s *linkSum) event(row []any, facts [][]any) {
	s.events = append(s.events, rowDigest(row, facts...)...)
}

// digest is the digest of all rows of the link.
func (s *linkSum) digest() string {
	var b []byte
	for _, part := range [][]byte{s.messages, s.events, s.acts} {
		b = append(frameOf(b, len(part)), part...)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

// rowDigest is the digest of a row and of the rows that belong to it.
func rowDigest(row []any, more ...[]any) []byte {
	b := frameRow(make([]byte, 0, 4096), row)
	for _, r := range more {
		b = frameRow(b, r)
	}
	sum := sha256.Sum256(b)
	return sum[:]
}

// frameRow appends the values of a row, each with its length in front.
func frameRow(b []byte, row []any) []byte {
	for _, v := range row {
		switch v := v.(type) {
		case string:
			b = append(frameOf(b, len(v)), v...)
		case int64:
			var digits [20]byte
			number := strconv.AppendInt(digits[:0], v, 10)
			b = append(frameOf(b, len(number)), number...)
		case []byte:
			b = append(frameOf(b, len(v)), v...)
		}
	}
	return b
}

// frameOf appends the length of what follows.
func frameOf(b []byte, n int) []byte { return binary.BigEndian.AppendUint64(b, uint64(n)) }

// linkHash is the hash of a link: RFC 6962 style domain separation by the word.
func linkHash(previous, plant string, link, recorded, first, last, rows int64, digest string) string {
	return hex.EncodeToString(rowDigest([]any{"gapless link 1", previous, plant, link, recorded, first, last, rows, digest}))
}
