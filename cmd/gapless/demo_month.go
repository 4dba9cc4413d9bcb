package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/gapless/gapless"
	mouldingplant "github.com/gapless/gapless/examples/moulding-plant"
	"github.com/gapless/gapless/fault"
)

// monthDemo is the demonstration with a moulding plant.
type monthDemo struct {
	*demo
	month  string               // "made-up" or "real"
	totals mouldingplant.Totals // what the figures must come out as, by whoever made the month
	files  []string
	server server
}

func (d *monthDemo) run(ctx context.Context) error {
	for _, step := range []func(context.Context) error{d.makeFolder, d.makeMonth, d.makeCatalog, func(ctx context.Context) error { return d.makeKeys(ctx, d.server.Catalog) }} {
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

// makeMonth finds the real month, or writes a made-up one.
func (d *monthDemo) makeMonth(context.Context) error {
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
func (d *monthDemo) makeCatalog(ctx context.Context) error {
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

// show sends the month and tells what became of it.
func (d *monthDemo) show(ctx context.Context, url string) error {
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
	if a.Verified, err = verified(ctx, d.folder); err != nil {
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
func (d *monthDemo) send(ctx context.Context, s *sender) (*account, error) {
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
func (d *monthDemo) invite(url string, a *account) {
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
