package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/examples/three-plants/simulator"
	"github.com/gapless/gapless/ledger"
)

func (c *cli) demoCommand() *cobra.Command {
	d := &demo{cli: c}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "play a working day of a company with three plants, and account for it",
		Long: `Play a working day of a company with three plants, and account for it: make a folder, start
the company's systems (gapless simulate) and a hub (gapless serve) on this machine, let
them work, kill the hub three times in the middle of it, and tell what came of it. The
systems keep books of their own; in the end what each holds must be equal to what the
others and the hub hold, or be explained, line by line, by something that is open.

It takes about two minutes and a half. The day fails (exit code 1) where anything was
posted twice, was lost, or is unexplained, where the ledger is not in order, or where too
little went wrong to be a proof. Then the hub and the systems go on until Ctrl-C, to be
explored. The folder is made anew each time; a folder that the demo did not make is left
alone. A day can be faster than usual, not slower: how long the ERP may be late at the
usual speed is agreed in the catalog.

With --month it is the month of an injection-moulding plant instead: its files are sent as
the plant would drop them, and the shift reports once more. The month is made up; the
published month of a real plant is taken where --real or GAPLESS_DATA names a folder that
holds it.`,
		Example: `  gapless demo
  gapless demo --once --json --seed 7
  gapless demo --month --once`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if d.monthly {
				return (&monthDemo{demo: d}).run(cmd.Context())
			}
			return (&dayDemo{demo: d}).run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&d.once, "once", false, "end when the account is told")
	flags.Uint64Var(&d.seed, "seed", 1, "another number makes another day, or month")
	flags.Int64Var(&d.speed, "speed", simulator.DefaultSpeed, "how many seconds of the day pass in one")
	flags.IntVar(&d.orders, "orders", simulator.DefaultOrders, "how many orders each plant works on in the day")
	flags.StringVar(&d.folder, "data", "gapless-demo", "`FOLDER` to make")
	flags.BoolVar(&d.monthly, "month", false, "take a plant's month in instead")
	flags.BoolVar(&d.keep, "keep", false, "with --month: go on with the folder of the month before")
	declare(cmd, "real", &d.real)
	return cmd
}

// demo is what the demonstrations share.
type demo struct {
	*cli
	once, monthly, keep bool
	seed                uint64
	speed               int64
	orders              int
	folder, real        string
	keys                string // the key file
}

// demoMarker is the file that says that a folder was made by the demo.
const demoMarker = ".gapless-demo"

// makeFolder makes the folder anew, unless somebody else's things are in it.
func (d *demo) makeFolder(context.Context) error {
	marker := filepath.Join(d.folder, demoMarker)
	entries, err := os.ReadDir(d.folder)
	switch {
	case errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0:
	case err != nil:
		return err
	default:
		if _, err := os.Stat(marker); err != nil {
			return usageError{fmt.Errorf("%s is there already and was not made by the demo: name another folder with --data", d.folder)}
		}
		if d.keep {
			return nil
		}
		if err := os.RemoveAll(d.folder); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(d.folder, 0o700); err != nil {
		return err
	}
	return os.WriteFile(marker, []byte("This folder was made by `gapless demo`, which removes it when it runs again.\n"), 0o600)
}

// listen takes the address, or any free port where somebody has it already.
func listen(ctx context.Context, address string) (net.Listener, error) {
	var config net.ListenConfig
	if l, err := config.Listen(ctx, "tcp", address); err == nil {
		return l, nil
	}
	return config.Listen(ctx, "tcp", "127.0.0.1:0")
}

// explorer is the account with which the demo can be looked at.
const explorer = "explorer"

// makeKeys makes a key for each system of the company and an account for whoever
// looks, and keeps them in a file of the folder.
func (d *demo) makeKeys(ctx context.Context, cat *catalog.Catalog) error {
	d.keys = filepath.Join(d.folder, "keys.txt")
	if _, err := os.Stat(d.keys); err == nil {
		return nil // of the demo before, whose ledger is kept
	}
	password := rand.Text()
	lines := []string{explorer + ":" + password}
	p := place{data: d.folder}
	err := p.writing(ctx, func(ctx context.Context, l *ledger.Ledger) error {
		grants := []ledger.Grant{{Role: ledger.Steward}, {Role: ledger.Quality}, {Role: ledger.Operator}}
		if err := l.CreatePerson(ctx, byHand, explorer, password, grants); err != nil {
			return err
		}
		for _, system := range systemsWithMessages(cat) {
			key, _, err := l.CreateSystemKey(ctx, byHand, system, time.Time{})
			if err != nil {
				return err
			}
			lines = append(lines, system+" "+key)
		}
		return nil
	})
	if err != nil {
		return err
	}
	return os.WriteFile(d.keys, []byte(strings.Join(lines, "\n")+"\n"), 0o600)
}

func systemsWithMessages(cat *catalog.Catalog) []string {
	var systems []string
	for _, m := range cat.Messages() {
		if !slices.Contains(systems, m.System) {
			systems = append(systems, m.System)
		}
	}
	return systems
}

// quoted is a file name as a shell takes it.
func quoted(name string) string {
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-") == "" {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}
