package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/gapless/gapless/catalog"
)

// Times of the connector while everything is disturbed: the same catalog with shorter
// ones, so that many attempts are lost and found within minutes.
const (
	chaosTimeout = 12 * time.Second
	chaosSettles = 30 * time.Second
	lateAnswer   = chaosTimeout + 3*time.Second
)

// How often what is not in the proxy happens, and how often an operator lets one command
// go on.
const (
	wantedKills    = 5
	wantedRestarts = 2
	wantedLocks    = 4
	maxResumes     = 5
)

// chaos disturbs the hub, the ERP, and what is between them, all from one seed.
type chaos struct {
	d       *demo
	proxy   *proxy
	random  *rand.Rand
	psql    string         // the program
	resumed map[string]int // by command: how often the operator let it go on

	all      sync.WaitGroup
	mu       sync.Mutex
	restarts int // of the ERP, while calls that change something were under way
	locks    int // times in which rows were locked and calls of the ERP waited or failed for it
	failed   []error
}

func newChaos(ctx context.Context, d *demo) (*chaos, error) {
	p, err := newProxy(ctx, d.server.url, d.seed, lateAnswer)
	if err != nil {
		return nil, err
	}
	folder, err := exec.CommandContext(ctx, filepath.Join(d.root, "scripts", "postgres"), "where").Output()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("scripts/postgres where: %w", err), p.close())
	}
	return &chaos{
		d: d, proxy: p, psql: filepath.Join(strings.TrimSpace(string(folder)), "psql"),
		random: rand.New(rand.NewPCG(d.seed, 0x6368616f73)), resumed: map[string]int{},
	}, nil
}

// catalog is the folder of the catalog that the hub uses: the example's, or with chaos a
// copy with shorter times.
func (d *demo) catalog() (string, error) {
	folder := filepath.Join(d.root, "examples", "tryton", "catalog")
	if !d.chaos {
		return folder, nil
	}
	copied := filepath.Join(d.folder, "catalog")
	if err := os.CopyFS(copied, os.DirFS(folder)); err != nil {
		return "", err
	}
	file := filepath.Join(copied, "systems", "tryton.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	shorter := strings.Replace(string(text), "timeout: 60s", fmt.Sprintf("timeout: %s\n  settles: %s", chaosTimeout, chaosSettles), 1)
	if shorter == string(text) {
		return "", fmt.Errorf("%s: there is no timeout of 60s to shorten", file)
	}
	if err := os.WriteFile(file, []byte(shorter), 0o600); err != nil {
		return "", err
	}
	_, findings := catalog.Load(os.DirFS(copied))
	for _, f := range findings {
		err = errors.Join(err, fmt.Errorf("%s", f))
	}
	return copied, err
}

// begin disturbs until the context ends, or until everything has happened as often as it
// may.
func (c *chaos) begin(ctx context.Context) {
	c.proxy.mu.Lock()
	c.proxy.on = true
	c.proxy.mu.Unlock()
	for _, disturb := range []struct {
		times       int
		least, most time.Duration
		do          func(context.Context) error
	}{
		{wantedKills, 3 * time.Second, 12 * time.Second, c.kill},
		{wantedRestarts, 15 * time.Second, 30 * time.Second, c.restart},
		{wantedLocks, 6 * time.Second, 15 * time.Second, c.lock},
	} {
		waits := make([]time.Duration, disturb.times)
		for i := range waits {
			waits[i] = disturb.least + time.Duration(c.random.Int64N(int64(disturb.most-disturb.least)))
		}
		c.all.Go(func() {
			for _, wait := range waits {
				if pause(ctx, wait) != nil {
					return
				}
				if err := disturb.do(ctx); err != nil && ctx.Err() == nil {
					c.mu.Lock()
					c.failed = append(c.failed, err)
					c.mu.Unlock()
					return
				}
			}
		})
	}
}

// stop ends the disturbances, and sees that hub and ERP are up.
func (c *chaos) stop(ctx context.Context) error {
	c.all.Wait()
	c.proxy.mu.Lock()
	c.proxy.on = false
	c.proxy.mu.Unlock()
	c.d.say("the disturbances are over")
	return errors.Join(append(c.failed, c.d.server.script(ctx, "up"))...)
}

func (c *chaos) close() error { return c.proxy.close() }

func (c *chaos) kill(ctx context.Context) error {
	c.d.say("the hub is killed")
	return c.d.hub.kill(context.WithoutCancel(ctx))
}

// underWay waits until calls that change something are under way.
func (c *chaos) underWay(ctx context.Context) error {
	for {
		c.proxy.mu.Lock()
		n := c.proxy.posting
		c.proxy.mu.Unlock()
		if n > 0 {
			return nil
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return err
		}
	}
}

func (c *chaos) restart(ctx context.Context) error {
	if err := c.underWay(ctx); err != nil {
		return err
	}
	c.d.say("the ERP is ended in the middle of a post, and started again")
	c.mu.Lock()
	c.restarts++
	c.mu.Unlock()
	return c.d.server.restart(context.WithoutCancel(ctx))
}

// lockFor is how long rows are locked: longer than an attempt may take, so that what was
// given up lands later.
const lockFor = chaosTimeout + 2*time.Second

// lock locks the rows of open orders and drafts in a session of its own, and sees whether
// anybody waited for it or was turned away.
func (c *chaos) lock(ctx context.Context) error {
	c.d.say("rows of the ERP are locked for %s", lockFor)
	before := c.conflicts()
	held := make(chan error, 1)
	go func() {
		_, err := c.sql(context.WithoutCancel(ctx), fmt.Sprintf(`begin;
			select count(*) from (select id from production where state in ('waiting', 'assigned', 'running') for update) as open;
			select count(*) from (select id from stock_move where state in ('draft', 'assigned') for update) as drafts;
			select pg_sleep(%d); commit`, int(lockFor.Seconds())))
		held <- err
	}()
	waited := false
	for {
		select {
		case err := <-held:
			if err != nil && strings.Contains(err.Error(), "deadlock detected") { // between this session and the ERP's
				waited, err = true, nil
			}
			if waited || c.conflicts() > before {
				c.mu.Lock()
				c.locks++
				c.mu.Unlock()
			}
			return err
		case <-time.After(300 * time.Millisecond):
			out, err := c.sql(context.WithoutCancel(ctx), "select count(*) from pg_locks where not granted")
			if err != nil {
				return errors.Join(err, <-held)
			}
			waited = waited || strings.TrimSpace(out) != "0"
		}
	}
}

func (c *chaos) conflicts() int {
	c.proxy.mu.Lock()
	defer c.proxy.mu.Unlock()
	return c.proxy.conflict
}

// sql runs statements in a session of their own.
func (c *chaos) sql(ctx context.Context, statements string) (string, error) {
	cmd := exec.CommandContext(ctx, c.psql, "-qAt", "-v", "ON_ERROR_STOP=1", "-c", statements)
	cmd.Env = append(os.Environ(), "PGHOST=127.0.0.1", "PGUSER=tryton", "PGDATABASE="+c.d.server.env["TRYTON_DB"],
		"PGPORT="+c.d.server.env["TRYTON_POSTGRES_PORT"], "PGPASSWORD="+c.d.server.env["TRYTON_POSTGRES_PASSWORD"])
	out, err := cmd.CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("psql: %w: %.500s", err, out)
	}
	return string(out), nil
}

// happened is what really happened, by kind.
func (c *chaos) happened() []struct {
	what  string
	times int
} {
	return []struct {
		what  string
		times int
	}{
		{"hub killed", c.d.hub.kills},
		{"ERP restarted in mid-post", c.restarts},
		{"connections reset after sending", c.proxy.resets},
		{"answers after the time-out", c.proxy.lates},
		{"rows locked, with calls that waited or failed", c.locks},
	}
}

func (c *chaos) tell(d *demo) {
	resumes := 0
	for _, n := range c.resumed {
		resumes += n
	}
	var parts []string
	for _, h := range c.happened() {
		parts = append(parts, fmt.Sprintf("%s: %d", h.what, h.times))
	}
	d.say("seed %d; %s; commands that the operator let go on: %d", d.seed, strings.Join(parts, "; "), resumes)
}

// complete is an error where a kind of fault never happened: then nothing was proved of it.
func (c *chaos) complete() error {
	var missing []error
	for _, h := range c.happened() {
		if h.times == 0 {
			missing = append(missing, fmt.Errorf("%s: it never happened, so nothing is proved of it; try another seed", h.what))
		}
	}
	return errors.Join(missing...)
}
