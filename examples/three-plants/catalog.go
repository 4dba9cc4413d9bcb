// Package threeplants is an example of a company with three plants that make
// regulated goods in batches: its catalog, and beside it, in package simulator, its
// systems.
package threeplants

import (
	"embed"
	"io/fs"
)

//go:embed all:catalog
var embedded embed.FS

// Catalog is the company's catalog, which extends the standard one.
func Catalog() fs.FS {
	sub, err := fs.Sub(embedded, "catalog")
	if err != nil {
		panic("threeplants: " + err.Error()) //nolint:forbidigo // the name is a constant that fs.ValidPath accepts: never
	}
	return sub
}
