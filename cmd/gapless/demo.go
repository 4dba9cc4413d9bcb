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

	"github.com/gapless/gapless"
	"github.com/gapless/gapless/catalog"
	mouldingplant "github.com/gapless/gapless/examples/moulding-plant"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
)

func (c *cli) demoCommand() *cobra.Command {
	d := &demo{cli: c}
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "take a plant's month in, and account for it",
		Long: `Take the month of an injection-moulding plant in and account for it: make a folder, start
a hub on this machine, send the plant's files over HTTP as the plant would drop them
(master data, order workbooks, shift reports), send the shift reports once more, and tell
what is on record. Then the hub goes on serving until Ctrl-C, to be explored.

The month is made up, in the plant's own file formats with all their quirks; another seed
gives another month. The published month of a real plant is taken where --real or
GAPLESS_DATA names a folder that holds it. The folder is made anew each time, unless it is
kept; a folder that the demo did not make is left alone.`,
		Example: `  gapless demo
  gapless demo --once
  gapless demo --once --json --seed 7`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return d.run(cmd.Context()) },
	}
	flags := cmd.Flags()
	flags.BoolVar(&d.once, "once", false, "end when the account is told")
	flags.Uint64Var(&d.seed, "seed", 1, "another number makes another month")
	flags.StringVar(&d.folder, "data", "gapless-demo", "`FOLDER` to make")
	flags.BoolVar(&d.keep, "keep", false, "go on with the folder of the demo before")
	declare(cmd, "real", &d.real)
	return cmd
}

// demo is one demonstration.
type demo struct {
	*cli
	once, keep   bool
	seed         uint64
	folder, real string

	month  string               // "made-up" or "real"
	totals mouldingplant.Totals // what the figures must come out as, by whoever made the month
	files  []string
	keys   string // the key file
	server server
}

// demoMarker is the file that says that a folder was made by the demo.
const demoMarker = ".gapless-demo"

func (d *demo) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{d.makeFolder, d.makeMonth, d.makeCatalog, d.makeKeys} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
	}
	ready, ended := make(chan string, 1), make(chan error, 1)
	serving, stop := context.WithCancel(ctx)
	defer stop()
	d.server.Ready = func(url string) { ready <- url }
	go func() { ended <- gapless.Run(serving, d.server.Config) }()
	select {
	case err := <-ended:
		return err
	case url := <-ready:
		err := d.show(ctx, url)
		if err != nil || d.once || d.json {
			stop()
			return errors.Join(err, <-ended)
		}
		return <-ended
	}
}

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

// makeMonth finds the real month, or writes a made-up one.
func (d *demo) makeMonth(context.Context) error {
	dir := filepath.Join(d.folder, "month")
	d.month, d.totals = "real", mouldingplant.RealTotals()
	if d.real != "" {
		dir = filepath.Join(d.real, "moulding-plant")
		if _, err := os.Stat(dir); err != nil {
			return fmt.Errorf("there is no real month: %w; name the folder above moulding-plant in --real or GAPLESS_DATA, or leave it out for a made-up month", err)
		}
	} else {
		d.month = "made-up"
		var err error
		if d.totals, err = mouldingplant.Write(dir, d.seed); err != nil {
			return err
		}
	}
	files, err := mouldingplant.Files(dir)
	for _, f := range files {
		d.files = append(d.files, f.Path)
	}
	return err
}

// makeCatalog puts the example's catalog where it can be looked at.
func (d *demo) makeCatalog(ctx context.Context) error {
	folder := filepath.Join(d.folder, "catalog")
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	if err := os.CopyFS(folder, mouldingplant.Catalog()); err != nil {
		return err
	}
	log, err := d.serverLog("text", "warn")
	if err != nil {
		return err
	}
	d.server = server{Config: gapless.Config{Data: d.folder, Version: programVersion(), Log: log}}
	if d.server.Listener, err = listen(ctx, "127.0.0.1:8470"); err != nil {
		return err
	}
	d.server.Catalog, err = d.loadCatalog(folder, d.folder)
	return err
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

// makeKeys makes a key for each system of the plant and an account for whoever
// looks, and keeps them in a file of the folder.
func (d *demo) makeKeys(ctx context.Context) error {
	d.keys = filepath.Join(d.folder, "keys.txt")
	if _, err := os.Stat(d.keys); err == nil {
		return nil // of the demo before, whose ledger is kept
	}
	password := rand.Text()
	lines := []string{explorer + ":" + password}
	p := place{data: d.folder}
	err := p.writing(ctx, func(ctx context.Context, l *ledger.Ledger) error {
		grants := []ledger.Grant{{Role: ledger.Steward}, {Role: ledger.Quality}}
		if err := l.CreatePerson(ctx, byHand, explorer, password, grants); err != nil {
			return err
		}
		for _, system := range systemsWithMessages(d.server.Catalog) {
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

// show sends the month and tells what became of it.
func (d *demo) show(ctx context.Context, url string) error {
	n := connection{hub: url, keyFile: d.keys}
	hub, err := n.client()
	if err != nil {
		return err
	}
	if !d.json {
		fmt.Fprintf(d.out, "The month is %s. A hub listens on %s and keeps everything in %s.\n\n", d.month, url, d.folder)
	}
	s := &sender{cli: d.cli, hub: hub, patience: 30 * time.Second, quiet: d.json}
	a, err := d.send(ctx, s)
	if err != nil {
		return err
	}
	if err := a.read(ctx, hub); err != nil {
		return err
	}
	if err := a.verify(ctx, d.folder); err != nil {
		return err
	}
	a.Control = totalsText(&d.totals)
	if d.json {
		if err := d.printJSON(a); err != nil {
			return err
		}
	} else {
		a.print(d.out)
	}
	if got := a.totalsLine(); got != a.Control {
		fmt.Fprintf(d.err, "the figures are not those of the month: %s\n", a.Control)
		return foundError{errors.New("the figures are not those of the month")}
	}
	if !d.once && !d.json {
		d.invite(url, a)
	}
	return nil
}

func totalsText(t *mouldingplant.Totals) string {
	return fmt.Sprintf("total=%d good=%d rejected=%d orders=%d", t.Total, t.Good, t.Rejected, t.OrdersProduced)
}

// send sends all files, and the shift reports once more.
func (d *demo) send(ctx context.Context, s *sender) (*account, error) {
	o, err := s.sendAll(ctx, d.files)
	if err != nil {
		return nil, err
	}
	if err := settle(ctx, s.hub); err != nil {
		return nil, err
	}
	if !d.json {
		fmt.Fprintln(d.out, "\nThe last file once more:")
	}
	again, err := s.sendAll(ctx, d.files[len(d.files)-1:])
	if err != nil {
		return nil, err
	}
	o.finish()
	again.finish()
	return &account{Month: d.month, Sent: o.Total, Again: again.Total, Stopped: o.Stopped}, nil
}

// settle waits until nothing goes on by itself any more, for a few seconds at most.
func settle(ctx context.Context, h *client) error {
	for range 50 {
		all, err := allHeld(ctx, h, "/v1/held", values())
		if err != nil {
			return err
		}
		if !slices.ContainsFunc(all, func(x exception) bool { return x.Class == string(fault.Heals) }) {
			return nil
		}
		timer := time.NewTimer(100 * time.Millisecond)
		select {
		case <-ctx.Done():
			timer.Stop()
			return ctx.Err()
		case <-timer.C:
		}
	}
	return nil
}

// invite tells how to look around.
func (d *demo) invite(url string, a *account) {
	program := os.Args[0]
	order := "order/..."
	if len(a.Orders) > 0 {
		order = a.Orders[0].Key
	}
	keys, err := filepath.Abs(d.keys)
	if err != nil {
		keys = d.keys
	}
	fmt.Fprintf(d.out, `
The hub goes on serving until Ctrl-C. Look around from another window:

  export GAPLESS_HUB=%s GAPLESS_KEY_FILE=%s
  %s report production --by item
  %s trace %s
  %s send %s
`, url, quoted(keys), program, program, order, program, quoted(d.files[len(d.files)-1]))
}

// quoted is a file name as a shell takes it.
func quoted(name string) string {
	if strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-") == "" {
		return name
	}
	return "'" + strings.ReplaceAll(name, "'", `'\''`) + "'"
}
