package catalog

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"strings"
)

//go:embed all:template
var templateFiles embed.FS

// templateName stands in the template for the name of the plant.
const templateName = "acme"

// Init writes a small but complete catalog for a plant of that name, to begin
// with: it lints, its cases pass, and its comments teach. Each file is handed to
// write with its path in the new catalog.
func Init(name string, write func(file string, body []byte) error) error {
	if !catalogName.MatchString(name) {
		return fmt.Errorf("catalog.Init: %.80q is no name of a plant: use lower-case letters, digits and hyphens, a letter first", name)
	}
	return fs.WalkDir(templateFiles, "template", func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := templateFiles.ReadFile(file)
		if err != nil {
			return err
		}
		target := strings.ReplaceAll(strings.TrimPrefix(file, "template/"), templateName, name)
		if err := write(target, bytes.ReplaceAll(body, []byte(templateName), []byte(name))); err != nil {
			return fmt.Errorf("catalog.Init: %s: %w", target, err)
		}
		return nil
	})
}
