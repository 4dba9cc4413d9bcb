package catalog

import (
	"crypto/sha256"
	"encoding/hex"
	"maps"
	"slices"

	"github.com/gapless/gapless/event"
)

// Digest is the revision: SHA-256, in hex, over the canonical content of every
// file that counts, the standard catalog's included. Comments, blanks and the
// order of keys do not matter, the names of files do.
func (c *Catalog) Digest() string { return c.digest }

func digestOf(documents map[string]*document) string {
	h := sha256.New()
	for _, file := range slices.Sorted(maps.Keys(documents)) {
		sum := documents[file].digest()
		h.Write([]byte(file + "\x00" + sum + "\n"))
	}
	return hex.EncodeToString(h.Sum(nil))
}

// digest is that of one file's content.
func (d *document) digest() string {
	sum, err := event.Digest(d.value())
	if err != nil { // a file nested deeper than a JSON value may be: its text tells it apart
		return err.Error()
	}
	return sum
}
