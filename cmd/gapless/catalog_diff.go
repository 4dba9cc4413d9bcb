package main

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gapless/gapless/catalog"
)

func (c *cli) catalogDiffCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "diff OLD NEW",
		Short: "tell what changed and whom it breaks",
		Long: `Compares two revisions of a catalog, each a folder or a file that "gapless catalog
export" packed, and tells file by file what changed and what it means. Contracts
are compared by the published table of changes (docs/compatibility.md): a change
breaks senders where a message that was taken may be refused now, and readers where
one may arrive that they do not know. The old cases of mappings, plans, policies
and lifecycles are run with the new definitions, so that what they do differently is
told even where their own file is the same.

A new version of a contract beside the old one breaks nobody. Exit code 3 where a
change breaks senders or readers.`,
		Example: `  gapless catalog diff graz-released.zip graz
  git worktree add /tmp/main main && gapless catalog diff /tmp/main/graz graz`,
		Args: arguments(cobra.ExactArgs(2)),
		RunE: func(_ *cobra.Command, args []string) error { return c.catalogDiff(args[0], args[1]) },
	}
}

// diffView is the JSON form of a comparison.
type diffView struct {
	Old             revisionView               `json:"old"`
	New             revisionView               `json:"new"`
	Compatible      bool                       `json:"compatible"`
	BreakingSenders int                        `json:"breaking_senders"` // changes
	BreakingReaders int                        `json:"breaking_readers"`
	Changes         []catalog.DefinitionChange `json:"changes"`
}

type revisionView struct {
	Name     string `json:"name"` // as it was named
	Revision string `json:"revision"`
}

// effectOn is whom a change breaks. A new version of a contract stands beside
// the old one and breaks nobody, whatever it refuses.
func effectOn(change *catalog.DefinitionChange) catalog.Effect {
	if change.Revision == catalog.Added {
		return catalog.EffectCompatible
	}
	return change.Effect
}

// ownFile is the name of a file in the folder: what extends a list of the standard
// catalog is told apart from the list itself by a suffix.
func ownFile(file string) string {
	if name, ok := strings.CutSuffix(file, ".extension.yaml"); ok {
		return name + ".yaml"
	}
	return file
}

func (c *cli) catalogDiff(before, now string) error {
	var read [2]*readCatalog
	for i, name := range []string{before, now} {
		r, err := openRevision(name)
		if err == nil {
			err = c.usable(r)
		}
		if err != nil {
			return err
		}
		read[i] = r
	}
	v := diffView{
		Old:     revisionView{before, read[0].catalog.Digest()},
		New:     revisionView{now, read[1].catalog.Digest()},
		Changes: append([]catalog.DefinitionChange{}, catalog.Diff(read[0].catalog, read[1].catalog)...),
	}
	for i := range v.Changes {
		effect := effectOn(&v.Changes[i])
		v.Changes[i].Effect, v.Changes[i].File = effect, ownFile(v.Changes[i].File)
		if effect.BreaksSenders() {
			v.BreakingSenders++
		}
		if effect.BreaksReaders() {
			v.BreakingReaders++
		}
	}
	v.Compatible = v.BreakingSenders+v.BreakingReaders == 0
	var err error
	if c.json {
		err = c.printJSON(v)
	} else {
		c.writeDiff(v)
	}
	if err == nil && !v.Compatible {
		err = foundError{errors.New("the changes break senders or readers")}
	}
	return err
}

func (c *cli) writeDiff(v diffView) {
	w := screen{c.out}
	for i := range v.Changes {
		change := &v.Changes[i]
		effect := ""
		if change.Effect != catalog.EffectCompatible {
			effect = " (" + string(change.Effect) + ")"
		}
		fmt.Fprintf(w, "%s %s%s\n", change.Revision, change.File, effect)
		for _, reason := range change.Reasons {
			fmt.Fprintf(w, "    %s\n", reason)
		}
	}
	fmt.Fprintln(c.out, v.summary())
}

func (v diffView) summary() string {
	text := fmt.Sprintf("%s, from revision %s to %s", plural(len(v.Changes), "change"), shortDigest(v.Old.Revision), shortDigest(v.New.Revision))
	switch {
	case v.Old.Revision == v.New.Revision:
		return "no change, both are revision " + shortDigest(v.Old.Revision)
	case v.Compatible:
		return text + ": contracts are compatible"
	case v.BreakingReaders == 0:
		return fmt.Sprintf("%s: contracts are not compatible, %d breaking for senders", text, v.BreakingSenders)
	case v.BreakingSenders == 0:
		return fmt.Sprintf("%s: contracts are not compatible, %d breaking for readers", text, v.BreakingReaders)
	}
	return fmt.Sprintf("%s: contracts are not compatible, %d breaking for senders, %d for readers", text, v.BreakingSenders, v.BreakingReaders)
}

func (c *cli) catalogDocsCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "docs [DIR] --out FOLDER",
		Short: "write pages for people",
		Long: `Writes the catalog as Markdown pages: events and their fields, kinds of objects,
lifecycles with their diagrams, policies with their reasons, code lists with what
systems call them, messages and what becomes of them, plans with their drawings,
systems and plants. The pages are a function of the catalog alone, so they can be
kept in git beside it.`,
		Example: `  gapless catalog docs graz --out graz-pages`,
		Args:    arguments(cobra.MaximumNArgs(1)),
		RunE:    func(_ *cobra.Command, args []string) error { return c.catalogDocs(folderOf(args), out) },
	}
	cmd.Flags().StringVar(&out, "out", "", "`FOLDER` that the pages are written to")
	return cmd
}

func (c *cli) catalogDocs(folder, out string) error {
	if out == "" {
		return usageError{errors.New("say --out FOLDER: where the pages are written to")}
	}
	r, err := openCatalog(folder)
	if err != nil {
		return err
	}
	if err := c.usable(r); err != nil {
		return err
	}
	if err := os.MkdirAll(out, 0o755); err != nil {
		return err
	}
	pages := []string{}
	err = r.catalog.WriteDocs(func(name string, page []byte) error {
		pages = append(pages, name)
		return os.WriteFile(filepath.Join(out, name), page, 0o644)
	})
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(map[string]any{"folder": out, "pages": pages, "revision": r.catalog.Digest()})
	}
	fmt.Fprintf(c.out, "%s in %s; begin with %s\n", plural(len(pages), "page"), out, filepath.ToSlash(filepath.Join(out, pages[0])))
	return nil
}

func (c *cli) catalogDigestCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "digest [DIR]",
		Short: "print the revision",
		Long: `Prints the digest of the catalog, which names its revision: SHA-256 over the content
of all its files and of the standard catalog below it. Comments, blanks and the
order of keys do not matter. Every event on record carries the digest of the
catalog that mapped and judged it.`,
		Args: arguments(cobra.MaximumNArgs(1)),
		RunE: func(_ *cobra.Command, args []string) error {
			r, err := openCatalog(folderOf(args))
			if err != nil {
				return err
			}
			if err := c.usable(r); err != nil {
				return err
			}
			if c.json {
				return c.printJSON(map[string]any{"revision": r.catalog.Digest()})
			}
			fmt.Fprintln(c.out, r.catalog.Digest())
			return nil
		},
	}
}

func (c *cli) catalogExportCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "export [DIR] FILE.zip",
		Short: "pack a revision into one file",
		Long: `Packs the catalog and the standard catalog below it into one file, so that this
very revision can be read again by a later program: to compare with it, or to tell
in five years why a message became what it became. The same files pack to the same
bytes. A file that holds something else is not written over.`,
		Example: `  gapless catalog export graz graz-7.zip
  gapless catalog diff graz-7.zip graz`,
		Args: arguments(cobra.RangeArgs(1, 2)),
		RunE: func(_ *cobra.Command, args []string) error {
			return c.catalogExport(folderOf(args[:len(args)-1]), args[len(args)-1])
		},
	}
}

func (c *cli) catalogExport(folder, file string) error {
	if isCatalog(file) {
		return usageError{fmt.Errorf("%s is the folder of a catalog; name the file to write as well: gapless catalog export %s FILE.zip", file, file)}
	}
	r, err := openCatalog(folder)
	if err != nil {
		return err
	}
	if err := c.usable(r); err != nil {
		return err
	}
	var packed bytes.Buffer
	if err := r.catalog.Pack(&packed); err != nil {
		return err
	}
	if err := writeOnce(file, packed.Bytes()); err != nil {
		return err
	}
	if c.json {
		return c.printJSON(map[string]any{"file": file, "revision": r.catalog.Digest(), "bytes": packed.Len()})
	}
	fmt.Fprintf(c.out, "revision %s in %s\n", shortDigest(r.catalog.Digest()), file)
	return nil
}

// writeOnce writes a file whole or not at all, and never over other content.
func writeOnce(file string, body []byte) error {
	known, err := os.ReadFile(file)
	switch {
	case err == nil && bytes.Equal(known, body):
		return nil
	case err == nil:
		return fmt.Errorf("%s holds something else already; choose another name", file)
	case !errors.Is(err, os.ErrNotExist):
		return err
	}
	part, err := os.CreateTemp(filepath.Dir(file), "."+filepath.Base(file)+"-*")
	if err != nil {
		return err
	}
	_, err = part.Write(body)
	err = errors.Join(err, part.Chmod(0o644), part.Close())
	if err == nil {
		err = os.Rename(part.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(part.Name()))
	}
	return nil
}
