// Package gapless assembles the hub: catalog, ledger, flow and API in one process
// that listens, takes messages in, and keeps signed checkpoints of what is on
// record. It is the only package that knows every part.
package gapless

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gapless/gapless/alert"
	"github.com/gapless/gapless/api"
	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/ledger"
)

// Config is what a hub is made of. Zero fields take the defaults named.
type Config struct {
	// Catalog is the revision that maps and judges. Required.
	Catalog *catalog.Catalog
	// Data is the folder of the ledger's file, of the key that signs checkpoints,
	// and of the checkpoints. Required; it is made where it does not exist.
	Data string
	// Database is the path of a SQLite file or a postgres:// URL. Default
	// gapless.db in Data.
	Database string
	// Name of the ledger, in checkpoints. Default "gapless".
	Name string
	// Node names this process among those that share the ledger, in attempts. Default
	// the machine's name and the process id.
	Node string
	// Listen is the address and port. Default 127.0.0.1:8470; port 0 takes a free one.
	Listen string
	// Listener, where it is given, is open already and takes the place of Listen. Run
	// closes it.
	Listener net.Listener
	// TLSCert and TLSKey are files in PEM. Both or none.
	TLSCert, TLSKey string
	// Insecure lets keys pass in the clear on an address that others can reach,
	// because something in front of the hub ends TLS.
	Insecure bool
	// MaxBody, Rate and Burst bound what a request and a principal may ask for: see
	// api.Config.
	MaxBody     int64
	Rate, Burst int
	// CheckpointEvery is how often a signed checkpoint is written. Default 10 minutes.
	CheckpointEvery time.Duration
	// Connected are the systems that the hub talks to, as Connect makes them.
	Connected []Connected
	// Alerts are the channels and routes by which people are told of groups of
	// exceptions. Default: nobody is told.
	Alerts *alert.Outlets
	// PollEvery is how often sources are looked into. Default 5 seconds.
	PollEvery time.Duration
	// Version of the program, as in the API's description. Default "dev".
	Version string
	// Log takes what the hub has to say. Default: nothing.
	Log *slog.Logger
	// Ready is told the URL, once the hub takes messages.
	Ready func(url string)
}

// drain is how long requests at hand may go on when the hub ends.
const drain = 5 * time.Second

func (c Config) withDefaults() (Config, error) {
	var faults []error
	if c.Catalog == nil {
		faults = append(faults, errors.New("the Catalog is missing: load one with catalog.Load"))
	}
	if c.Data == "" {
		faults = append(faults, errors.New("the Data folder is missing: name a folder that only the hub writes to"))
	}
	if err := c.checkCertificate(); err != nil {
		faults = append(faults, err)
	}
	if c.CheckpointEvery < 0 {
		faults = append(faults, errors.New("CheckpointEvery is negative: give a duration, or 0 for 10 minutes"))
	}
	if c.PollEvery < 0 {
		faults = append(faults, errors.New("PollEvery is negative: give a duration, or 0 for 5 seconds"))
	}
	if c.Listener != nil {
		c.Listen = c.Listener.Addr().String()
	}
	c.Listen = cmp.Or(c.Listen, "127.0.0.1:8470")
	if err := c.checkListen(); err != nil {
		faults = append(faults, err)
	}
	c.Database = cmp.Or(c.Database, DatabaseIn(c.Data))
	c.CheckpointEvery = cmp.Or(c.CheckpointEvery, 10*time.Minute)
	c.PollEvery = cmp.Or(c.PollEvery, 5*time.Second)
	c.Version = cmp.Or(c.Version, "dev")
	if c.Node == "" {
		host, err := os.Hostname()
		if err != nil {
			host = "node" // a name is for people; the process id tells nodes apart
		}
		c.Node = fmt.Sprintf("%s/%d", host, os.Getpid())
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Ready == nil {
		c.Ready = func(string) {}
	}
	return c, errors.Join(faults...)
}

// DatabaseIn is the ledger's file in a data folder.
func DatabaseIn(data string) string { return filepath.Join(data, "gapless.db") }

// checkListen refuses to let keys pass in the clear where others can read them.
func (c Config) checkListen() error {
	host, _, err := net.SplitHostPort(c.Listen)
	if err != nil {
		return fmt.Errorf("address %q to listen on: %w; write it as 127.0.0.1:8470", c.Listen, err)
	}
	ip := net.ParseIP(host)
	loopback := host == "localhost" || ip != nil && ip.IsLoopback()
	if !loopback && c.TLSCert == "" && !c.Insecure {
		return fmt.Errorf("address %s can be reached from other machines, and keys would pass in the clear: give a TLS certificate and its key, or set Insecure where something in front of the hub ends TLS", c.Listen)
	}
	return nil
}

// checkCertificate reads the certificate, before the hub says that it listens with it.
func (c Config) checkCertificate() error {
	if (c.TLSCert == "") != (c.TLSKey == "") {
		return errors.New("TLSCert and TLSKey go together: name both files or none")
	}
	if c.TLSCert == "" {
		return nil
	}
	if _, err := tls.LoadX509KeyPair(c.TLSCert, c.TLSKey); err != nil {
		return fmt.Errorf("the TLS certificate %s with the key %s: %w", c.TLSCert, c.TLSKey, err)
	}
	return nil
}

// hub is the parts of a running hub. Run owns it.
type hub struct {
	cfg      Config
	flow     *flow.Flow
	server   *http.Server
	listener net.Listener
	notary   *Notary
}

// Run runs a hub until the context ends. Then it takes no more requests, lets
// those at hand come to their end, puts what they bring on record and signs a last
// checkpoint. When Run returns, nothing of the hub is left.
func Run(ctx context.Context, cfg Config) error {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return fmt.Errorf("gapless.Run: %w", err)
	}
	if err := os.MkdirAll(cfg.Data, 0o700); err != nil {
		return fmt.Errorf("gapless.Run: make the data folder: %w", err)
	}
	h, err := open(ctx, cfg)
	if err != nil {
		return fmt.Errorf("gapless.Run: %w", err)
	}
	defer h.flow.Close()
	if err := h.run(ctx); err != nil {
		return fmt.Errorf("gapless.Run: %w", err)
	}
	return nil
}

// open assembles the parts. The listener comes last: whoever can reach the hub
// finds it complete.
func open(ctx context.Context, cfg Config) (*hub, error) {
	f, err := flow.Open(ctx, flow.Config{
		Catalog: cfg.Catalog, Log: cfg.Log, Systems: followers(cfg.Connected), Node: cfg.Node, Alerts: cfg.Alerts,
		Ledger: ledger.Config{Database: cfg.Database, Name: cfg.Name, Log: cfg.Log},
	})
	if err != nil {
		return nil, err
	}
	h := &hub{cfg: cfg, flow: f}
	if err := h.listen(ctx); err != nil {
		f.Close()
		return nil, err
	}
	return h, nil
}

func (h *hub) listen(ctx context.Context) error {
	face, err := api.New(api.Config{
		Flow: h.flow, Log: h.cfg.Log, Version: h.cfg.Version, MaxBody: h.cfg.MaxBody, Rate: h.cfg.Rate, Burst: h.cfg.Burst,
	})
	if err != nil {
		return err
	}
	if h.notary, err = OpenNotary(h.cfg.Data, h.flow.Ledger().Name()); err != nil {
		return err
	}
	h.server = face.Server(h.cfg.Listen)
	if h.listener = h.cfg.Listener; h.listener != nil {
		return nil
	}
	if h.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", h.cfg.Listen); err != nil {
		return fmt.Errorf("listen: %w; choose another address, or end what listens there", err)
	}
	return nil
}

// run brings the parts to work and to their end, in the order in which they need
// each other: the ledger is there before the first request and after the last.
func (h *hub) run(ctx context.Context) error {
	working, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	flowEnded, served := make(chan error, 1), make(chan error, 1)
	go func() { flowEnded <- h.flow.Run(working) }()
	go func() { served <- h.serve() }()
	notarized := make(chan struct{})
	go func() { defer close(notarized); h.notarize(working) }()
	watched := make(chan struct{})
	watching, rest := context.WithCancel(working) // sources rest before the flow ends
	defer rest()
	go func() { defer close(watched); h.watch(watching) }()

	var faults []error
	if err := h.flow.Ledger().Ready(ctx); err == nil {
		h.cfg.Ready(h.url())
	} else if ctx.Err() == nil {
		faults = append(faults, err)
	}
	flowRuns, serves := true, true
	if len(faults) == 0 {
		select {
		case <-ctx.Done():
		case err := <-flowEnded:
			flowRuns = false
			if err == nil {
				err = errors.New("the flow ended by itself")
			}
			faults = append(faults, err)
		case err := <-served:
			serves = false
			faults = append(faults, err)
		}
	}
	rest()
	faults = append(faults, h.shutdown(ctx))
	<-watched
	if serves {
		faults = append(faults, <-served)
	}
	stop()
	if flowRuns {
		faults = append(faults, <-flowEnded)
	}
	<-notarized
	return errors.Join(append(faults, h.notary.Write(context.WithoutCancel(ctx), h.flow.Ledger()))...)
}

func (h *hub) url() string {
	scheme := "http"
	if h.cfg.TLSCert != "" {
		scheme = "https"
	}
	return scheme + "://" + h.listener.Addr().String()
}

func (h *hub) serve() error {
	var err error
	if h.cfg.TLSCert != "" {
		err = h.server.ServeTLS(h.listener, h.cfg.TLSCert, h.cfg.TLSKey)
	} else {
		err = h.server.Serve(h.listener)
	}
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return fmt.Errorf("serve: %w", err)
}

// shutdown takes no more requests and waits for those at hand, for a bounded time.
// What a request that is cut off has handed over is put on record all the same; its
// sender was not told so and sends it again.
func (h *hub) shutdown(ctx context.Context) error {
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), drain)
	defer cancel()
	err := h.server.Shutdown(ending)
	if errors.Is(err, context.DeadlineExceeded) {
		h.cfg.Log.WarnContext(ctx, "requests were cut off at the end")
		err = h.server.Close()
	}
	if err != nil {
		return fmt.Errorf("end the server: %w", err)
	}
	return nil
}

// notarize writes checkpoints until the context ends.
func (h *hub) notarize(ctx context.Context) {
	every := time.NewTicker(h.cfg.CheckpointEvery)
	defer every.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-every.C:
			if err := h.notary.Write(ctx, h.flow.Ledger()); err != nil && ctx.Err() == nil {
				h.cfg.Log.ErrorContext(ctx, "checkpoint cannot be written; it is tried again", slog.Any("error", err))
			}
		}
	}
}

// A Notary signs checkpoints of a ledger and keeps them as files, outside the
// database: whoever alters the ledger would have to alter these too. Copy them to a
// place that the hub cannot write to.
type Notary struct {
	private string
	folder  string
	last    string // text of the newest checkpoint written
}

// The files of a notary in a data folder.
const (
	privateKeyFile   = "checkpoint.key"
	publicKeyFile    = "checkpoint.pub"
	checkpointFolder = "checkpoints"
)

// PublicKeyIn is the file with the public key of the checkpoints of a data folder.
func PublicKeyIn(data string) string { return filepath.Join(data, publicKeyFile) }

// OpenNotary reads the key that signs checkpoints from a data folder, or makes one.
func OpenNotary(data, ledgerName string) (*Notary, error) {
	n := &Notary{folder: filepath.Join(data, checkpointFolder)}
	private, err := os.ReadFile(filepath.Join(data, privateKeyFile))
	switch {
	case err == nil:
		n.private = string(private)
		return n, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("read the key that signs checkpoints: %w", err)
	}
	key, public, err := ledger.NewCheckpointKey(strings.ReplaceAll(ledgerName, " ", "-"))
	if err != nil {
		return nil, fmt.Errorf("make a key that signs checkpoints: %w", err)
	}
	// The public key first: a private key in its place means that both are there.
	if err := writeFile(PublicKeyIn(data), public+"\n", 0o644); err != nil {
		return nil, fmt.Errorf("keep the public key of checkpoints: %w", err)
	}
	if err := writeFile(filepath.Join(data, privateKeyFile), key+"\n", 0o600); err != nil {
		return nil, fmt.Errorf("keep the key that signs checkpoints: %w", err)
	}
	n.private = key
	return n, nil
}

// Sign is a signed checkpoint of the ledger as it stands, and its text without
// the signature.
func (n *Notary) Sign(ctx context.Context, l *ledger.Ledger) (signed, text string, err error) {
	c, err := l.Checkpoint(ctx)
	if err != nil {
		return "", "", err
	}
	signed, err = c.Sign(n.private)
	return signed, c.Text(), err
}

// Write keeps a signed checkpoint as a file of its own, named by the time, where
// anything was recorded since the one before.
func (n *Notary) Write(ctx context.Context, l *ledger.Ledger) error {
	signed, text, err := n.Sign(ctx, l)
	if err != nil || text == n.last {
		return err
	}
	if err := os.MkdirAll(n.folder, 0o700); err != nil {
		return fmt.Errorf("write a checkpoint: %w", err)
	}
	name := l.Now().UTC().Format("20060102T150405.000000Z") + ".txt"
	if err := writeFile(filepath.Join(n.folder, name), signed, 0o644); err != nil {
		return fmt.Errorf("write a checkpoint: %w", err)
	}
	n.last = text
	return nil
}

// writeFile writes a file so that it is there whole or not at all, after a crash too.
func writeFile(name, content string, mode fs.FileMode) error {
	f, err := os.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return err
	}
	_, err = f.WriteString(content)
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	return os.Rename(name+".new", name)
}
