package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gapless/gapless/catalog"
)

func (c *cli) catalogCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "catalog",
		Short: "write, check and try the catalog of a company",
		Long: `The catalog holds everything that is agreed: what the objects are called, which
events there are and what they mean, what systems call things, who may say what,
how messages become events. It is a folder of YAML files, best kept in git. Each
file carries its own examples, and they are run.

Where no folder is named, it is the one you are in. docs/first-plant.md leads
through all of it in ten minutes; docs/catalog.md is the reference.`,
		Example: `  gapless catalog init graz                       a small catalog to begin with
  gapless catalog lint graz                       what is wrong, with file and line
  gapless catalog test graz                       run every example
  gapless catalog try graz graz-mes shift-report report.csv
                                                  what would become of a message
  gapless catalog diff graz-released.zip graz     what a change means
  gapless catalog docs graz --out graz-pages      pages for people
  gapless catalog export graz graz-7.zip          pack a revision into one file`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(
		c.catalogInitCommand(), c.catalogLintCommand(), c.catalogTestCommand(), c.catalogTryCommand(),
		c.catalogDiffCommand(), c.catalogDocsCommand(), c.catalogDigestCommand(), c.catalogExportCommand(),
	)
	return cmd
}

// A readCatalog is a catalog as it was read for a command, with whatever was
// found on the way.
type readCatalog struct {
	folder      string           // as it was named; that of the packed file where it is none
	catalog     *catalog.Catalog // nil where a finding is an error
	findings    []catalog.Finding
	definitions int // files of the folder, the standard catalog's not counted; 0 for a packed revision
}

// headerOf is the file that makes a folder a catalog.
const headerOf = "catalog.yaml"

// isCatalog says whether a folder is one of a catalog.
func isCatalog(folder string) bool {
	info, err := os.Stat(filepath.Join(folder, headerOf))
	return err == nil && info.Mode().IsRegular()
}

// openCatalog reads the catalog in a folder.
func openCatalog(folder string) (*readCatalog, error) {
	info, err := os.Stat(folder)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("there is no folder %s; `gapless catalog init %s` begins a catalog there", folder, folder)
	case err != nil:
		return nil, err
	case !info.IsDir():
		return nil, fmt.Errorf("%s is a file; name the folder of a catalog", folder)
	case !isCatalog(folder):
		return nil, fmt.Errorf("%s is no catalog: it has no %s; name the folder of a catalog, or begin one with `gapless catalog init`", folder, headerOf)
	}
	r := &readCatalog{folder: folder}
	r.catalog, r.findings = catalog.Load(os.DirFS(folder))
	r.definitions, err = definitionsIn(os.DirFS(folder))
	return r, err
}

// openRevision reads a folder, or a revision that `gapless catalog export` packed.
func openRevision(name string) (*readCatalog, error) {
	info, err := os.Stat(name)
	if err != nil || info.IsDir() {
		return openCatalog(name)
	}
	packed, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	r := &readCatalog{folder: filepath.Dir(name)}
	r.catalog, r.findings = catalog.Unpack(packed)
	if r.catalog == nil {
		r.folder = name // the findings are about what is in it
	}
	return r, nil
}

// definitionsIn counts the files of a catalog.
func definitionsIn(fsys fs.FS) (int, error) {
	n := 0
	err := fs.WalkDir(fsys, ".", func(file string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case file != "." && strings.HasPrefix(entry.Name(), "."):
			if entry.IsDir() {
				return fs.SkipDir
			}
		case !entry.IsDir() && path.Ext(file) == ".yaml" && file != headerOf:
			n++
		}
		return nil
	})
	return n, err
}

// standardFile begins the names of files of the standard catalog in findings.
const standardFile = "standard:"

// place is a file as a person opens it: below the folder that was named.
func (r *readCatalog) place(file string) string {
	if strings.HasPrefix(file, standardFile) {
		return file
	}
	return filepath.ToSlash(filepath.Join(r.folder, file))
}

// count is the number of findings of a severity.
func (r *readCatalog) count(severity catalog.Severity) int {
	n := 0
	for _, f := range r.findings {
		if f.Severity == severity {
			n++
		}
	}
	return n
}

// writeFindings prints every finding as `file:line:column: error: message`, and
// below it what to do.
func (c *cli) writeFindings(r *readCatalog) {
	w := screen{c.out}
	for _, f := range r.findings {
		place := r.place(f.File)
		if f.Line > 0 {
			place = fmt.Sprintf("%s:%d:%d", place, f.Line, f.Column)
		}
		fmt.Fprintf(w, "%s: %s: %s\n", place, f.Severity, f.Message)
		if f.Remedy != "" {
			fmt.Fprintf(w, "    %s\n", f.Remedy)
		}
	}
}

// usable is nil where the catalog can be used. Where not, its findings are
// printed, and the command ends with the exit code that says so.
func (c *cli) usable(r *readCatalog) error {
	if r.catalog != nil {
		return nil
	}
	if c.json {
		if err := c.printJSON(lintOf(r)); err != nil {
			return err
		}
	} else {
		c.writeFindings(r)
		fmt.Fprintf(c.out, "the catalog cannot be used: %s\n", plural(r.count(catalog.Error), "error"))
	}
	return foundError{errors.New("the catalog cannot be used")}
}

// folderOf is the folder that the arguments name, the current one where they name
// none.
func folderOf(args []string) string {
	if len(args) == 0 {
		return "."
	}
	return args[0]
}

// shortDigest is as much of a digest as a person compares.
func shortDigest(digest string) string { return digest[:min(12, len(digest))] }
