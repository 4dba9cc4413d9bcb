package simulator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"
)

// Config is one simulation.
type Config struct {
	Seed   uint64
	Orders int               // at each plant; 0 is DefaultOrders
	Speed  int64             // seconds of the day in one of ours; 0 is DefaultSpeed
	Folder string            // of the systems' files
	Hub    string            // where it listens: http://127.0.0.1:8470
	Keys   map[string]string // with which each system speaks to the hub
	Once   bool              // end when the day is over and everything is acknowledged

	Ready  func(Addresses) // where the systems listen; nil is left out
	Report func(Progress)  // every hour of the day; nil is left out
}

// Addresses are where the systems listen, by their names, and the control.
type Addresses struct {
	Control string            `json:"control"`
	Systems map[string]string `json:"systems"`
}

// Progress is how far the day is.
type Progress struct {
	Now          time.Time `json:"now"` // of the day
	Acts         int       `json:"acts"`
	Done         int       `json:"done"`
	Messages     int       `json:"messages"`
	Acknowledged int       `json:"acknowledged"`
	Over         bool      `json:"over"` // every act is done, and every message so far acknowledged
}

// A company is all systems at work.
type company struct {
	cfg     Config
	clock   *clock
	day     []Act
	systems []*system
	byName  map[string]*system
	erp     *erpServer
	handler map[string]func(run context.Context) http.Handler

	mu   sync.Mutex
	done int
}

// Run simulates the day, and lets the systems live on when it is over, until the
// context ends. Started again on the same folder it goes on where it was: the books
// are rebuilt, the systems listen where they did, and what the hub has not
// acknowledged is sent.
func Run(ctx context.Context, cfg Config) (err error) {
	c, err := open(cfg)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	listeners, addresses, err := c.listen(ctx)
	if err != nil {
		return err
	}
	work := newTeam(ctx)
	for name, l := range listeners {
		work.start(func(run context.Context) error { return serve(run, l, c.handler[name](run)) })
	}
	if c.cfg.Ready != nil {
		c.cfg.Ready(addresses)
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: len(c.systems)}}
	defer client.CloseIdleConnections()
	for _, s := range c.systems {
		out := &sender{hub: strings.TrimSuffix(cfg.Hub, "/"), key: cfg.Keys[s.name], http: client, outbox: s.outbox, clock: c.clock}
		work.start(out.run)
	}
	work.start(c.script)
	work.start(func(run context.Context) error {
		if err := c.watch(run); err != nil || !c.cfg.Once {
			return err
		}
		work.stop()
		return nil
	})
	return work.wait()
}

// open opens every system's files.
func open(cfg Config) (*company, error) {
	if cfg.Orders == 0 {
		cfg.Orders = DefaultOrders
	}
	if cfg.Speed == 0 {
		cfg.Speed = DefaultSpeed
	}
	if cfg.Orders < fewestOrders || cfg.Speed < 1 || cfg.Speed > fastest {
		return nil, fmt.Errorf("simulate: at least %d orders, and a speed from 1 to %d", fewestOrders, fastest)
	}
	c := &company{cfg: cfg, byName: map[string]*system{}, handler: map[string]func(context.Context) http.Handler{}}
	if err := c.sameDay(); err != nil {
		return nil, err
	}
	c.day = Day(cfg.Seed, cfg.Orders)
	g := newGoods()
	erp := newERP(g)
	all := map[string]books{erpName: erp, qmsName: newQMS()}
	for _, p := range plants() {
		m, err := newMES(p, g)
		if err != nil {
			return nil, err
		}
		all[p.mes()], all[p.wms()] = m, newWMS(p, g)
	}
	from := dayBegins
	for _, name := range SystemNames() {
		s, err := openSystem(cfg.Folder, name, all[name])
		if err != nil {
			return nil, errors.Join(err, c.close())
		}
		c.systems, c.byName[name] = append(c.systems, s), s
		if s.last.After(from) {
			from = s.last
		}
		c.done += len(s.acts)
	}
	c.clock = newClock(from, cfg.Speed)
	for _, s := range c.systems {
		s.clock = c.clock
		c.serves(s)
	}
	c.handler[controlName] = func(context.Context) http.Handler { return c.control() }
	return c, nil
}

// serves says what listens for a system.
func (c *company) serves(s *system) {
	var h http.Handler
	switch b := s.books.(type) {
	case *erpBooks:
		c.erp = &erpServer{s, b, c.clock, c.cfg.Seed}
		c.handler[s.name] = c.erp.handler
		return
	case *wmsBooks:
		h = (&wmsServer{s, b, c.clock}).handler()
	case *mesBooks:
		h = (&mesServer{s, b, c.clock}).handler()
	default:
		h = qmsHandler(s)
	}
	c.handler[s.name] = func(context.Context) http.Handler { return h }
}

// sameDay refuses a folder in which another day is going on.
func (c *company) sameDay() error {
	name := filepath.Join(c.cfg.Folder, "day.json")
	mine := fmt.Sprintf("{\"seed\":%d,\"orders\":%d}\n", c.cfg.Seed, c.cfg.Orders)
	text, err := os.ReadFile(name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(c.cfg.Folder, 0o700); err != nil {
			return fmt.Errorf("make the folder of the systems: %w", err)
		}
		return os.WriteFile(name, []byte(mine), 0o600)
	case err != nil:
		return err
	case string(text) != mine:
		return fmt.Errorf("in %s another day goes on: %s", c.cfg.Folder, strings.TrimSpace(string(text)))
	}
	return nil
}

// controlName is what the control listens as.
const controlName = "control"

// listen takes a port for each system: those of the run before, where there was one,
// since that is where clients look for them.
func (c *company) listen(ctx context.Context) (map[string]net.Listener, Addresses, error) {
	name := filepath.Join(c.cfg.Folder, "addresses.json")
	before := map[string]string{}
	if text, err := os.ReadFile(name); err == nil {
		if err := json.Unmarshal(text, &before); err != nil {
			return nil, Addresses{}, fmt.Errorf("read %s: %w", name, err)
		}
	}
	listeners, taken := map[string]net.Listener{}, map[string]string{}
	a := Addresses{Systems: map[string]string{}}
	var config net.ListenConfig
	for _, system := range append(SystemNames(), controlName) {
		address := before[system]
		if address == "" {
			address = "127.0.0.1:0"
		}
		l, err := config.Listen(ctx, "tcp", address)
		if err != nil {
			for _, other := range listeners {
				err = errors.Join(err, other.Close())
			}
			return nil, Addresses{}, fmt.Errorf("listen for %s: %w", system, err)
		}
		listeners[system], taken[system] = l, l.Addr().String()
		if system == controlName {
			a.Control = "http://" + l.Addr().String()
		} else {
			a.Systems[system] = "http://" + l.Addr().String()
		}
	}
	text, err := json.Marshal(taken)
	if err != nil {
		return nil, Addresses{}, err
	}
	return listeners, a, os.WriteFile(name, append(text, '\n'), 0o600)
}

// script does the acts of the day, each when its time comes.
func (c *company) script(ctx context.Context) error {
	for i := range c.day {
		a := &c.day[i]
		s := c.byName[a.System]
		if s.did(a.ID) {
			continue
		}
		if !c.clock.until(ctx, a.At) {
			return nil // told to end
		}
		if err := s.do(a); err != nil {
			return err
		}
		c.mu.Lock()
		c.done++
		c.mu.Unlock()
	}
	return nil
}

// progress is how far the day is.
func (c *company) progress() Progress {
	c.mu.Lock()
	p := Progress{Now: c.clock.now(), Acts: len(c.day), Done: c.done}
	c.mu.Unlock()
	for _, s := range c.systems {
		all, sent := s.outbox.counts()
		p.Messages, p.Acknowledged = p.Messages+all, p.Acknowledged+sent
	}
	p.Over = p.Done == p.Acts && p.Messages == p.Acknowledged
	return p
}

// watch reports the progress every hour of the day, and ends with the day where the
// simulation shall.
func (c *company) watch(ctx context.Context) error {
	every := max(time.Hour/time.Duration(c.cfg.Speed), 20*time.Millisecond)
	for told := false; ; {
		p := c.progress()
		if c.cfg.Report != nil && !told {
			c.cfg.Report(p)
		}
		told = p.Over
		for _, s := range c.systems {
			if err := s.fault(); err != nil {
				return err // a client was cut off because of it, and nobody else tells
			}
		}
		if p.Over && c.cfg.Once || !pause(ctx, every) {
			return nil
		}
	}
}

func (c *company) close() error {
	var all []error
	for _, s := range c.systems {
		all = append(all, s.close())
	}
	return errors.Join(all...)
}
