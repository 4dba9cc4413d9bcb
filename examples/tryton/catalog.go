// Package tryton is an example of a company whose ERP is a real one: its catalog, with
// the connector to Tryton, for three plants that make medicines and the moulding plant
// of examples/moulding-plant. See docs/examples/tryton.md.
package tryton

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
		panic("tryton: " + err.Error()) //nolint:forbidigo // the name is a constant that fs.ValidPath accepts: never
	}
	return sub
}
