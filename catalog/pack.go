package catalog

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
)

// standardPrefix stands before the files of the standard catalog in findings.
const standardPrefix = "standard:"

// The two folders of a packed revision.
const (
	packedOwn      = "catalog"
	packedStandard = "standard"
)

// Pack writes the revision as a zip archive that holds everything it is made of,
// the standard catalog of then too, so that a later program reads the same
// revision from it. The files are packed as they were read, comments included,
// which the revision does not depend on: the same files pack to the same bytes.
func (c *Catalog) Pack(w io.Writer) error {
	archive := zip.NewWriter(w)
	for _, name := range slices.Sorted(maps.Keys(c.sources)) {
		inside := packedOwn + "/" + name
		if rest, ok := strings.CutPrefix(name, standardPrefix); ok {
			inside = packedStandard + "/" + rest
		}
		file, err := archive.Create(inside)
		if err != nil {
			return fmt.Errorf("catalog.Pack: %w", err)
		}
		if _, err := file.Write(c.sources[name]); err != nil {
			return fmt.Errorf("catalog.Pack: %w", err)
		}
	}
	if err := archive.Close(); err != nil {
		return fmt.Errorf("catalog.Pack: %w", err)
	}
	return nil
}

// maxPacked bounds what is read out of one packed revision.
const maxPacked = 64 << 20

// Unpack reads a revision that Pack wrote.
func Unpack(packed []byte) (*Catalog, []Finding) {
	broken := func(err error) (*Catalog, []Finding) {
		return nil, []Finding{{File: "revision.zip", Severity: Error, Message: err.Error(), Remedy: "Name an archive that `gapless catalog export` wrote."}}
	}
	archive, err := zip.NewReader(bytes.NewReader(packed), int64(len(packed)))
	if err != nil {
		return broken(err)
	}
	var size uint64
	for _, entry := range archive.File {
		size += entry.UncompressedSize64
	}
	if size > maxPacked {
		return broken(fmt.Errorf("the archive holds %d MiB, more than %d", size>>20, maxPacked>>20))
	}
	standard, err := fs.Sub(archive, packedStandard)
	if err != nil {
		return broken(err)
	}
	own, err := fs.Sub(archive, packedOwn)
	if err != nil {
		return broken(err)
	}
	return loadOver(standard, own)
}
