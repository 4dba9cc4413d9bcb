// Package flow is the order of things. A message that arrives is kept, mapped,
// identified, validated, judged, decided and recorded; one that cannot go on is
// held with its reason, and goes on by itself when what it waits for arrives.
//
// The path of one message is Take, one, prepare and Decide, in this order. Flow
// holds no SQL and no protocol.
package flow

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"

	"github.com/gapless/gapless/alert"
	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
)

// Config opens a flow.
type Config struct {
	Catalog *catalog.Catalog // the revision that maps and judges; required
	Ledger  ledger.Config    // Decide and Woken are set by Open
	Log     *slog.Logger     // default: nothing
	// Node names this process among those on one ledger. Default "node".
	Node string
	// Systems perform commands, by the names that the catalog gives them. Steps of
	// others wait.
	Systems map[string]Follower
	// Alerts are the channels and routes by which people are told of groups of
	// exceptions. nil: nobody is told.
	Alerts *alert.Outlets
}

// Flow takes messages in and puts them on record.
type Flow struct {
	ledger  *ledger.Ledger
	log     *slog.Logger
	catalog atomic.Pointer[catalog.Catalog]

	node       string
	performers map[string]*performer // by system

	released chan struct{} // closed when the catalog's revision is on record
	ended    chan struct{} // closed when Run returns

	mu    sync.Mutex
	woken map[string]bool // message keys to take in again
	wake  chan struct{}

	bulkWork chan struct{} // capacity 1: there may be bulk work

	alerts  *alert.Outlets     // nil: nobody is told
	tellers map[string]*teller // by channel
}

// Open opens the ledger and puts the flow above it.
func Open(ctx context.Context, cfg Config) (*Flow, error) {
	if cfg.Catalog == nil {
		return nil, errors.New("flow.Open: no catalog")
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	f := &Flow{log: cfg.Log, woken: map[string]bool{}, wake: make(chan struct{}, 1), bulkWork: make(chan struct{}, 1), released: make(chan struct{}), ended: make(chan struct{})}
	f.catalog.Store(cfg.Catalog)
	f.alerts, f.tellers = cfg.Alerts, newTellers(cfg.Alerts)
	if f.node = cfg.Node; f.node == "" {
		f.node = "node"
	}
	f.performers = f.newPerformers(cfg.Systems)
	cfg.Ledger.Due = f.poke
	cfg.Ledger.Decide = func(w *ledger.Working, e *ledger.Entry) ledger.Decision { return Decide(f.catalog.Load(), w, e) }
	cfg.Ledger.Concerns = func(w *ledger.Working, d *ledger.Draft) []string { return concerns(f.catalog.Load(), w, d) }
	cfg.Ledger.Reaches = func(d *ledger.Draft) []ledger.Reach { return reaches(f.catalog.Load(), d) }
	cfg.Ledger.Woken = f.Wake
	if cfg.Ledger.Log == nil {
		cfg.Ledger.Log = cfg.Log
	}
	var err error
	if f.ledger, err = ledger.Open(ctx, cfg.Ledger); err != nil {
		return nil, fmt.Errorf("flow.Open: %w", err)
	}
	return f, nil
}

// Ledger is what it records in.
func (f *Flow) Ledger() *ledger.Ledger { return f.ledger }

// Catalog is the revision in force.
func (f *Flow) Catalog() *catalog.Catalog { return f.catalog.Load() }

// Close lets the ledger go. Run must have returned.
func (f *Flow) Close() { f.ledger.Close() }

// Run commits and heals until the context ends. Messages are taken once the
// catalog's revision is on record.
func (f *Flow) Run(ctx context.Context) error {
	defer close(f.ended)
	committing, stop := context.WithCancel(context.WithoutCancel(ctx))
	committed := make(chan error, 1)
	go func() { committed <- f.ledger.Run(committing) }()
	err := f.release(context.WithoutCancel(ctx))
	if err == nil {
		close(f.released)
		var performing sync.WaitGroup
		for _, p := range f.performers {
			performing.Go(func() { p.run(ctx) })
		}
		performing.Go(func() { f.keepTime(ctx) })
		performing.Go(func() { f.workOff(ctx) })
		performing.Go(func() { f.moveOpen(ctx) })
		performing.Go(func() { f.watchGroups(ctx) })
		for _, t := range f.tellers {
			performing.Go(func() { f.tell(ctx, t) })
		}
		f.heal(ctx) // returns when ctx ends
		performing.Wait()
	}
	stop() // the healer is done: nothing of ours is submitted any more
	return errors.Join(err, <-committed)
}

// running waits until messages are taken, so that no event is ever on record
// before the revision that made it.
func (f *Flow) running(ctx context.Context) error {
	select {
	case <-f.released:
		return nil
	case <-f.ended:
		return fault.New("flow.Take", fault.Unavailable, "", "the hub is stopping")
	case <-ctx.Done():
		return ctx.Err()
	}
}

// release puts the catalog's revision on record, so that whoever reads an event
// later can see what mapped it.
func (f *Flow) release(ctx context.Context) error {
	cat := f.catalog.Load()
	content, err := pack(cat)
	if err != nil {
		return fmt.Errorf("flow.Run: pack the catalog: %w", err)
	}
	if err := f.ledger.Release(ctx, "hub", cat.Digest(), content); err != nil {
		return fmt.Errorf("flow.Run: put the catalog on record: %w", err)
	}
	return nil
}
