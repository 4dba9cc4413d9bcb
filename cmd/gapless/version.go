package main

import (
	"cmp"
	"errors"
	"fmt"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/gapless/gapless/catalog"
)

// versionView is what --json prints.
type versionView struct {
	Version  string `json:"version"`
	Go       string `json:"go"`
	Revision string `json:"revision"` // of the source; "" where it was built without version control
	Modified bool   `json:"modified"` // the source differed from the revision
	Standard string `json:"standard"` // digest of the embedded standard catalog
}

func (c *cli) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "tell which version this is",
		Long:  "Tell the version of the program, the Go it was built with, the revision of its source, and the digest of the standard catalog that it holds.",
		Args:  arguments(cobra.NoArgs),
		RunE: func(*cobra.Command, []string) error {
			v, err := thisVersion()
			if err != nil {
				return err
			}
			if c.json {
				return c.printJSON(v)
			}
			changed := ""
			if v.Modified {
				changed = ", changed since"
			}
			fmt.Fprintf(c.out, "gapless %s\nbuilt with %s\nsource %s%s\nstandard catalog %s\n", v.Version, v.Go, cmp.Or(v.Revision, "of no known revision"), changed, v.Standard)
			return nil
		},
	}
}

func thisVersion() (versionView, error) {
	v := versionView{Version: programVersion()}
	if info, ok := debug.ReadBuildInfo(); ok {
		v.Go = info.GoVersion
		for _, s := range info.Settings {
			switch s.Key {
			case "vcs.revision":
				v.Revision = s.Value
			case "vcs.modified":
				v.Modified = s.Value == "true"
			}
		}
	}
	standard, err := standardCatalog()
	if err != nil {
		return v, err
	}
	v.Standard = standard.Digest()
	return v, nil
}

// programVersion is the version of the module, or dev.
func programVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "dev"
	}
	return info.Main.Version
}

// standardCatalog is the embedded catalog by itself.
func standardCatalog() (*catalog.Catalog, error) {
	cat, findings := catalog.Load(catalog.Standard())
	if cat == nil {
		return nil, errors.New("the embedded catalog is not in order: " + findings[0].String())
	}
	return cat, nil
}
