package ledger

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"hash"
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
	h := sha256.New()
	for _, part := range [][]byte{s.messages, s.events, s.acts} {
		frame(h, part)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// rowDigest is the digest of a row and of the rows that belong to it.
func rowDigest(row []any, more ...[]any) []byte {
	h := sha256.New()
	for _, r := range append([][]any{row}, more...) {
		for _, v := range r {
			switch v := v.(type) {
			case string:
				frame(h, []byte(v))
			case int64:
				frame(h, strconv.AppendInt(nil, v, 10))
			case []byte:
				frame(h, v)
			}
		}
	}
	return h.Sum(nil)
}

// frame writes bytes with their length in front.
func frame(h hash.Hash, b []byte) {
	var n [8]byte
	binary.BigEndian.PutUint64(n[:], uint64(len(b)))
	h.Write(n[:])
	h.Write(b)
}

// linkHash is the hash of a link: RFC 6962 style domain separation by the word.
func linkHash(previous, plant string, link, recorded, first, last, rows int64, digest string) string {
	return hex.EncodeToString(rowDigest([]any{"gapless link 1", previous, plant, link, recorded, first, last, rows, digest}))
}
