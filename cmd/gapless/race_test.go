//go:build race

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// plain runs the tests with a program on the path that was built without the race
// detector. The stories start it hundreds of times, and what runs at once in it is tested
// with the detector where it is written: in the hub, the flow, the ledger, the API.
type plain struct{ *testing.M }

func program(m *testing.M) testscript.TestingM { return plain{m} }

func (p plain) Run() int {
	folder, err := os.MkdirTemp("", "gapless-plain-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(folder) //nolint:errcheck // what is left of it is temporary
	if out, err := exec.Command("go", "build", "-o", filepath.Join(folder, "gapless"), ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "the program cannot be built: %v\n%s", err, out)
		return 1
	}
	if err := os.Setenv("PATH", folder+string(os.PathListSeparator)+os.Getenv("PATH")); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return p.M.Run()
}
