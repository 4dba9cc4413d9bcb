package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/gapless/gapless"
	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/ledger"
)

func (c *cli) serveCommand() *cobra.Command {
	var s server
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "run a hub",
		Long: `Run a hub: it takes what systems report over HTTP, puts it on record, and answers what
became of it. It runs until it is told to end (Ctrl-C, SIGTERM), lets requests at hand
come to their end, and leaves nothing unfinished.

A hub needs a catalog, which "gapless catalog init" begins. It is linted at the start,
and a hub with a catalog that is not in order does not start. Systems need keys, and
people need accounts: see "gapless keys".

Everything can be set by flags or by the environment: docs/config.md lists all. The hub
listens on the machine itself only, unless it has a certificate: keys must not pass in
the clear.`,
		Example: `  gapless catalog init gapless-data/catalog --name graz
  gapless serve
  gapless serve --catalog ./catalog --data /var/lib/gapless --log json
  gapless serve --listen :8470 --tls-cert hub.crt --tls-key hub.key
  gapless serve --database postgres://gapless@db/gapless`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return c.serve(cmd.Context(), &s) },
	}
	s.flags(cmd)
	return cmd
}

// server is what serve is told.
type server struct {
	gapless.Config
	catalog, log, logLevel string
	alerts                 string
}

func (s *server) flags(cmd *cobra.Command) {
	declare(cmd, "data", &s.Data)
	declare(cmd, "database", &s.Database)
	declare(cmd, "catalog", &s.catalog)
	declare(cmd, "listen", &s.Listen)
	declare(cmd, "tls-cert", &s.TLSCert)
	declare(cmd, "tls-key", &s.TLSKey)
	declare(cmd, "insecure", &s.Insecure)
	declare(cmd, "alerts", &s.alerts)
	declare(cmd, "checkpoint-every", &s.CheckpointEvery)
	declare(cmd, "max-body", &s.MaxBody)
	declare(cmd, "rate", &s.Rate)
	declare(cmd, "burst", &s.Burst)
	declare(cmd, "log", &s.log)
	declare(cmd, "log-level", &s.logLevel)
}

func (c *cli) serve(ctx context.Context, s *server) error {
	var err error
	if s.Log, err = c.serverLog(s.log, s.logLevel); err != nil {
		return err
	}
	if s.Catalog, err = c.loadCatalog(s.catalog, s.Data); err != nil {
		return err
	}
	s.Version = programVersion()
	if s.Connected, err = gapless.Connect(s.Catalog, gapless.Secrets(c.getenv), time.Now); err != nil {
		return err
	}
	if s.alerts != "" {
		if s.Alerts, err = c.openAlerts(s.alerts); err != nil {
			return err
		}
	}
	var failed error
	s.Ready = func(url string) { failed = c.tellReady(s, url) }
	return errors.Join(endedByHand(ctx, gapless.Run(ctx, s.Config)), failed)
}

// tellReady says where the hub listens, on standard output: a program that started
// it can wait for that line.
func (c *cli) tellReady(s *server, url string) error {
	if c.json {
		return c.printJSON(map[string]any{"url": url, "catalog": s.Catalog.Header.Catalog, "revision": s.Catalog.Digest()})
	}
	fmt.Fprintf(c.out, "listening on %s with catalog %s, revision %.12s\n", url, s.Catalog.Header.Catalog, s.Catalog.Digest())
	return nil
}

// serverLog is the log of a hub, on standard error.
func (c *cli) serverLog(form, level string) (*slog.Logger, error) {
	var least slog.Level
	if err := least.UnmarshalText([]byte(level)); err != nil {
		return nil, usageError{fmt.Errorf("--log-level %q: give debug, info, warn or error", level)}
	}
	options := &slog.HandlerOptions{Level: least}
	switch form {
	case "text":
		return slog.New(slog.NewTextHandler(c.err, options)), nil
	case "json":
		return slog.New(slog.NewJSONHandler(c.err, options)), nil
	}
	return nil, usageError{fmt.Errorf("--log %q: give text or json", form)}
}

// loadCatalog loads the catalog of a hub, or tells every finding.
func (c *cli) loadCatalog(folder, data string) (*catalog.Catalog, error) {
	if folder == "" {
		folder = filepath.Join(data, "catalog")
	}
	if _, err := os.Stat(folder); errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no catalog at %s: begin one with `gapless catalog init %s`, or name another folder with --catalog", folder, folder)
	}
	cat, findings := catalog.Load(os.DirFS(folder))
	for _, f := range findings {
		fmt.Fprintln(c.err, f)
	}
	if cat == nil {
		return nil, fmt.Errorf("the catalog at %s is not in order: see the findings above, and `gapless catalog lint %s`", folder, folder)
	}
	return cat, nil
}

// A place is a ledger that a command opens by itself, with the right of whoever
// may write to its folder.
type place struct{ data, database string }

func (p *place) flags(cmd *cobra.Command) {
	declare(cmd, "data", &p.data)
	declare(cmd, "database", &p.database)
}

// open opens a ledger that is there already, unless it may be made.
func (p *place) open(ctx context.Context, mayMake bool) (*ledger.Ledger, error) {
	database := p.database
	if database == "" {
		database = gapless.DatabaseIn(p.data)
		if mayMake {
			if err := os.MkdirAll(p.data, 0o700); err != nil {
				return nil, fmt.Errorf("make the data folder: %w", err)
			}
		} else if _, err := os.Stat(database); err != nil {
			return nil, fmt.Errorf("there is no ledger at %s: name the hub's folder with --data, or its database with --database", database)
		}
	}
	return ledger.Open(ctx, ledger.Config{Database: database})
}

// writing opens a ledger and keeps its committer at work while do runs.
func (p *place) writing(ctx context.Context, do func(ctx context.Context, l *ledger.Ledger) error) error {
	l, err := p.open(ctx, true)
	if err != nil {
		return err
	}
	defer l.Close()
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	ended := make(chan error, 1)
	go func() { ended <- l.Run(working) }()
	err = do(ctx, l)
	stop()
	return errors.Join(err, <-ended)
}
