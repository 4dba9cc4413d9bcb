// Package threeplants is an example of a company with three plants that make
// regulated goods in batches: its catalog, and beside it, in package simulator, its
// systems.
package threeplants

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

//go:embed all:catalog all:catalog.followed
var embedded embed.FS

// Catalog is the company's catalog, which extends the standard one.
func Catalog() fs.FS {
	sub, err := fs.Sub(embedded, "catalog")
	if err != nil {
		panic("threeplants: " + err.Error()) //nolint:forbidigo // the name is a constant that fs.ValidPath accepts: never
	}
	return sub
}

// WriteFollowed writes the catalog into a folder, with the files that make the
// systems follow, and with the addresses at which they listen in place of those of
// the example: a URL for each system.
func WriteFollowed(folder string, addresses map[string]string) error {
	var texts []string
	for system, url := range addresses {
		texts = append(texts, "https://"+system+".three-plants.example", url)
	}
	replace := strings.NewReplacer(texts...)
	for _, part := range []string{"catalog", "catalog.followed"} { // the second lies over the first
		err := fs.WalkDir(embedded, part, func(name string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || path.Ext(name) != ".yaml" {
				return err
			}
			text, err := fs.ReadFile(embedded, name)
			if err != nil {
				return err
			}
			file := filepath.Join(folder, filepath.FromSlash(strings.TrimPrefix(name, part+"/")))
			return errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(replace.Replace(string(text))), 0o600))
		})
		if err != nil {
			return fmt.Errorf("write the catalog: %w", err)
		}
	}
	return nil
}
