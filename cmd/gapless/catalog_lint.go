package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gapless/gapless/catalog"
)

func (c *cli) catalogInitCommand() *cobra.Command {
	var name string
	cmd := &cobra.Command{
		Use:   "init DIR",
		Short: "begin a catalog",
		Long: `Writes a small catalog for one plant into a new or empty folder: a system that
sends shift reports as CSV, what it calls units, scrap reasons and materials, one
policy of the plant's own. It lints, its cases pass, and its comments teach: change
it until it is yours.

The name is that of the plant, and stands in file names and refs; it is the last
part of DIR where --name does not say otherwise.`,
		Example: `  gapless catalog init graz
  gapless catalog init . --name graz`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error { return c.catalogInit(args[0], name) },
	}
	cmd.Flags().StringVar(&name, "name", "", "`NAME` of the plant, for example graz")
	return cmd
}

// A newFile is a file that is yet to be written.
type newFile struct {
	name string // below the folder, with slashes
	body []byte
}

func (c *cli) catalogInit(folder, name string) error {
	if name == "" {
		whole, err := filepath.Abs(folder)
		if err != nil {
			return err
		}
		name = filepath.Base(whole)
	}
	var files []newFile
	err := catalog.Init(name, func(file string, body []byte) error {
		files = append(files, newFile{file, body})
		return nil
	})
	if err != nil { // nothing is written yet, so the name is at fault
		return usageError{fmt.Errorf("%q cannot name a plant: use lower-case letters, digits and hyphens, a letter first; say --name graz", name)}
	}
	if err := writeNew(folder, files); err != nil {
		return err
	}
	if c.json {
		written := make([]string, len(files))
		for i, f := range files {
			written[i] = f.name
		}
		return c.printJSON(map[string]any{"catalog": name, "folder": folder, "files": written})
	}
	here := filepath.ToSlash(filepath.Clean(folder))
	for _, f := range files {
		fmt.Fprintf(c.out, "wrote %s\n", filepath.ToSlash(filepath.Join(here, f.name)))
	}
	fmt.Fprintf(c.out, `
A catalog for plant %s. Next:
  gapless catalog lint %s
  gapless catalog test %s
  gapless catalog try %s %s-mes shift-report     and paste a message
`, name, here, here, here, name)
	return nil
}

// writeNew writes files into a folder that is new or empty.
func writeNew(folder string, files []newFile) error {
	entries, err := os.ReadDir(folder)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	if len(entries) > 0 {
		return fmt.Errorf("%s is not empty: it holds %s; name a new folder", folder, entries[0].Name())
	}
	for _, f := range files {
		name := filepath.Join(folder, filepath.FromSlash(f.name))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(name, f.body, 0o644); err != nil {
			return err
		}
	}
	return nil
}

func (c *cli) catalogLintCommand() *cobra.Command {
	var strict bool
	cmd := &cobra.Command{
		Use:   "lint [DIR]",
		Short: "tell everything that is wrong, with file, line and remedy",
		Long: `Reads every file of the catalog, the standard one below it, and tells all that is
wrong at once: keys that nobody knows, names that lead nowhere, expressions that
do not compile or are not exact, definitions without examples, a new version of a
contract that refuses what the one before takes. Nothing is changed.

An error keeps the catalog from being used; a warning wants to be looked at.
Exit code 3 where there is an error, with --strict for warnings too.`,
		Example: `  gapless catalog lint
  gapless catalog lint graz --strict
  gapless catalog lint graz --json`,
		Args: arguments(cobra.MaximumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error { return c.catalogLint(folderOf(args), strict) },
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "count warnings as errors")
	return cmd
}

// lintView is the JSON form of a lint.
type lintView struct {
	Folder      string            `json:"folder"`
	Revision    string            `json:"revision,omitempty"` // absent where the catalog cannot be used
	Definitions int               `json:"definitions"`
	Errors      int               `json:"errors"`
	Warnings    int               `json:"warnings"`
	Findings    []catalog.Finding `json:"findings"` // files below the folder
}

func lintOf(r *readCatalog) lintView {
	v := lintView{
		Folder: r.folder, Definitions: r.definitions, Errors: r.count(catalog.Error), Warnings: r.count(catalog.Warning),
		Findings: append([]catalog.Finding{}, r.findings...),
	}
	if r.catalog != nil {
		v.Revision = r.catalog.Digest()
	}
	return v
}

func (c *cli) catalogLint(folder string, strict bool) error {
	r, err := openCatalog(folder)
	if err != nil {
		return err
	}
	v := lintOf(r)
	if c.json {
		err = c.printJSON(v)
	} else {
		c.writeFindings(r)
		fmt.Fprintln(c.out, v.summary())
	}
	if err == nil && (v.Errors > 0 || strict && v.Warnings > 0) {
		err = foundError{errors.New("the catalog has findings")}
	}
	return err
}

func (v lintView) summary() string {
	parts := []string{plural(v.Definitions, "definition")}
	if v.Errors > 0 {
		parts = append(parts, plural(v.Errors, "error"))
	}
	if v.Warnings > 0 {
		parts = append(parts, plural(v.Warnings, "warning"))
	}
	if v.Errors+v.Warnings == 0 {
		parts = append(parts, "nothing is wrong")
	}
	text := strings.Join(parts, ", ")
	if v.Revision != "" {
		text += "; revision " + shortDigest(v.Revision)
	}
	return text
}

func (c *cli) catalogTestCommand() *cobra.Command {
	var verbose bool
	cmd := &cobra.Command{
		Use:   "test [DIR]",
		Short: "run the examples of every definition",
		Long: `Runs what the definitions say about themselves: events that contracts take and
refuse, cases of policies, lifecycles, mappings and plans; and holds every event
that a mapping makes in a case against its contract. The examples of the standard
catalog are run too, since a replaced file may break one.

A case that fails is shown with file and line, what was expected and what came.
Exit code 3 where a case fails or the catalog has errors.`,
		Example: `  gapless catalog test
  gapless catalog test graz -v`,
		Args: arguments(cobra.MaximumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error { return c.catalogTest(folderOf(args), verbose) },
	}
	cmd.Flags().BoolVarP(&verbose, "verbose", "v", false, "show the cases that pass, too")
	return cmd
}

// testView is the JSON form of a test run.
type testView struct {
	Folder      string               `json:"folder"`
	Revision    string               `json:"revision"`
	Definitions int                  `json:"definitions"`
	Passed      int                  `json:"passed"`
	Failed      int                  `json:"failed"`
	Standard    int                  `json:"standard"` // cases of the standard catalog that passed
	Cases       []catalog.CaseResult `json:"cases"`    // its own, and those of the standard catalog that failed
}

func testOf(r *readCatalog) testView {
	v := testView{Folder: r.folder, Revision: r.catalog.Digest(), Definitions: r.definitions, Cases: []catalog.CaseResult{}}
	for _, k := range r.catalog.Test() {
		switch {
		case !k.Passed:
			v.Failed++
		case strings.HasPrefix(k.File, standardFile):
			v.Standard++
			continue
		default:
			v.Passed++
		}
		v.Cases = append(v.Cases, k)
	}
	return v
}

func (c *cli) catalogTest(folder string, verbose bool) error {
	r, err := openCatalog(folder)
	if err != nil {
		return err
	}
	if err := c.usable(r); err != nil {
		return err
	}
	v := testOf(r)
	if c.json {
		err = c.printJSON(v)
	} else {
		c.writeCases(r, v, verbose)
	}
	if err == nil && v.Failed > 0 {
		err = foundError{errors.New("cases failed")}
	}
	return err
}

func (c *cli) writeCases(r *readCatalog, v testView, verbose bool) {
	w := screen{c.out}
	for _, k := range v.Cases {
		place := fmt.Sprintf("%s:%d", r.place(k.File), k.Line)
		switch {
		case !k.Passed:
			fmt.Fprintf(w, "%s: failed: %s\n", place, k.Case)
			for problem := range strings.SplitSeq(k.Problem, "; ") {
				fmt.Fprintf(w, "    %s\n", problem)
			}
		case verbose:
			fmt.Fprintf(w, "%s: ok: %s\n", place, k.Case)
		}
	}
	fmt.Fprintln(c.out, v.summary())
}

func (v testView) summary() string {
	text := fmt.Sprintf("%s, %s passed", plural(v.Definitions, "definition"), plural(v.Passed, "case"))
	if v.Failed > 0 {
		text += fmt.Sprintf(", %d failed", v.Failed)
	}
	if v.Standard > 0 {
		text += fmt.Sprintf("; of the standard catalog %s passed", grouped(strconv.Itoa(v.Standard)))
	}
	return text
}
