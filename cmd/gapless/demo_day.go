package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gapless/gapless/api"
	threeplants "github.com/gapless/gapless/examples/three-plants"
	"github.com/gapless/gapless/examples/three-plants/simulator"
)

// dayDemo is the demonstration with a company of three plants.
type dayDemo struct {
	*demo
	address     string   // of the hub
	environment []string // of the hub: where the systems listen
	control     string   // of the systems, for whoever looks on

	systems, hub *child
	client       *client // asks the hub
	began        time.Time
	killAt       []int // after so many acts the hub is killed, in this order
	kills        int   // so far
	operator     operator
	line         *progress
	told         time.Time // when the last line about the progress was written
}

// run plays a day.
func (d *dayDemo) run(ctx context.Context) (err error) {
	if d.speed < simulator.DefaultSpeed {
		return usageError{fmt.Errorf("--speed %d: the demo plays at %d or faster. How long the ERP may be late is agreed in the catalog for that speed; slower, it would be late for longer than agreed, and what is posted late could be posted twice", d.speed, simulator.DefaultSpeed)}
	}
	if d.keep {
		return usageError{errors.New("--keep is for the month: give --month, or leave it out")}
	}
	d.operator, d.line, d.began = newOperator(), d.progress(), time.Now()
	defer func() { err = errors.Join(err, d.hub.end(), d.systems.end()) }()
	for _, step := range []func(context.Context) error{d.makeFolder, d.make, d.startSystems, d.startHub} {
		if err := step(ctx); err != nil {
			return fmt.Errorf("demo: %w", err)
		}
	}
	d.say("A company with three plants works on this machine, and a hub on %s keeps everything in %s.\nThe day takes about %s; the hub is killed three times in the middle of it.\n\n", d.url(), d.folder, d.lasts())
	if err := d.play(ctx); err != nil {
		return err
	}
	a, err := d.account(ctx)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	if d.json {
		if err := d.printJSON(a); err != nil {
			return err
		}
	} else {
		a.print(d.out)
	}
	if len(a.Failures) > 0 {
		return fmt.Errorf("demo: the day is not as it must be: %s", strings.Join(a.Failures, "; "))
	}
	if d.once || d.json {
		return nil
	}
	d.invite(a)
	return d.live(ctx)
}

func (d *dayDemo) url() string { return "http://" + d.address }

// lasts is how long the day takes.
func (d *dayDemo) lasts() time.Duration {
	return (24*time.Hour/time.Duration(d.speed) + 30*time.Second).Round(10 * time.Second)
}

func (d *dayDemo) say(format string, args ...any) {
	if !d.json {
		fmt.Fprintf(d.out, format, args...)
	}
}

// make puts the catalog into the folder, makes keys and takes an address for the hub:
// the systems must know it before the hub is there.
func (d *dayDemo) make(ctx context.Context) error {
	folder := filepath.Join(d.folder, "catalog")
	if err := os.CopyFS(folder, threeplants.Catalog()); err != nil {
		return err
	}
	cat, err := d.loadCatalog(folder, d.folder)
	if err != nil {
		return err
	}
	if err := d.makeKeys(ctx, cat); err != nil {
		return err
	}
	l, err := listen(ctx, "127.0.0.1:8470")
	if err != nil {
		return err
	}
	d.address = l.Addr().String()
	return l.Close()
}

// startSystems starts the company's systems. Their first line tells where they listen.
func (d *dayDemo) startSystems(ctx context.Context) error {
	var first string
	var err error
	d.systems, first, err = startChild(ctx, d.folder, "systems", nil, "simulate", "--keys", d.keys, "--data", filepath.Join(d.folder, "systems"),
		"--hub", d.url(), "--seed", strconv.FormatUint(d.seed, 10), "--orders", strconv.Itoa(d.orders), "--speed", strconv.FormatInt(d.speed, 10))
	if err != nil {
		return err
	}
	var told struct {
		Control     string            `json:"control"`
		Environment map[string]string `json:"environment"`
	}
	if err := json.Unmarshal([]byte(first), &told); err != nil {
		return fmt.Errorf("the first line of gapless simulate: %w", err)
	}
	d.control = told.Control
	for name, url := range told.Environment {
		d.environment = append(d.environment, name+"="+url)
	}
	acts := len(simulator.Day(d.seed, d.orders))
	r := rand.New(rand.NewPCG(d.seed, 0xdead)) //nolint:gosec // moments are to be the same for the same seed
	for i := range wantedKills {
		// One in each third of the day, but not at its very beginning or end.
		d.killAt = append(d.killAt, acts*(10*i+2+r.IntN(7))/(10*wantedKills))
	}
	return nil
}

// startHub starts the hub, on the same folder and port as the one before.
func (d *dayDemo) startHub(ctx context.Context) error {
	var err error
	d.hub, _, err = startChild(ctx, d.folder, "hub", d.environment,
		"serve", "--data", d.folder, "--listen", d.address, "--log-level", "error")
	if err != nil {
		return err
	}
	n := connection{hub: d.url(), keyFile: d.keys}
	d.client, err = n.client()
	return err
}

// look is how often the day is looked at, and lookedAfter how often a line is written
// where nobody watches a terminal.
const (
	look        = 100 * time.Millisecond
	lookedAfter = 10 * time.Second
)

// settlesWithin bounds the wait for what is under way when the day is over.
const settlesWithin = 5 * time.Minute

// play lets the day pass: it kills the hub when its moments come, does what the
// operator does, and waits until nothing is under way any more.
func (d *dayDemo) play(ctx context.Context) error {
	defer d.line.clear()
	every := time.NewTicker(look)
	defer every.Stop()
	var over time.Time
	for n := 0; ; n++ {
		if err := d.waitFor(ctx, every.C); err != nil {
			return err
		}
		var p simulator.Progress
		if err := d.read(ctx, "/now", &p); err != nil {
			return err
		}
		if d.kills < len(d.killAt) && p.Done >= d.killAt[d.kills] {
			d.hub.kill()
			d.kills++
			if err := d.startHub(ctx); err != nil {
				return fmt.Errorf("demo: after kill %d: %w", d.kills, err)
			}
		}
		if n%20 != 0 {
			continue // the rest is asked of the hub: not that often
		}
		quiet, err := d.attend(ctx, &p)
		if err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		if p.Over && over.IsZero() {
			over = time.Now()
		}
		switch {
		case p.Over && quiet:
			return nil
		case !over.IsZero() && time.Since(over) > settlesWithin, time.Since(d.began) > 3*d.lasts()+settlesWithin:
			return nil // the account says what is still under way
		}
	}
}

// waitFor waits for the next look; an error where a child has ended by itself.
func (d *dayDemo) waitFor(ctx context.Context, tick <-chan time.Time) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-d.systems.ended:
		return d.unasked(ctx, d.systems)
	case <-d.hub.ended:
		return d.unasked(ctx, d.hub)
	case <-tick:
		return nil
	}
}

// unasked is the error of a child that has ended. Ctrl-C ends the children of a
// terminal as well, perhaps a moment before this program hears of it.
func (d *dayDemo) unasked(ctx context.Context, c *child) error {
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return fmt.Errorf("demo: %w", c.gone())
	}
}

// live goes on until somebody ends it.
func (d *dayDemo) live(ctx context.Context) error {
	return endedByHand(ctx, d.waitFor(ctx, nil))
}

// attend asks the hub how far it is, tells that, and does what the operator does.
// It answers whether nothing is under way any more.
func (d *dayDemo) attend(ctx context.Context, p *simulator.Progress) (quiet bool, err error) {
	var a api.Account
	if err := d.client.get(ctx, "/v1/account", nil, &a); err != nil {
		return false, err
	}
	heals, err := allHeld(ctx, d.client, "/v1/held", values())
	if err != nil {
		return false, err
	}
	books, err := d.books(ctx)
	if err != nil {
		return false, err
	}
	waiting, err := d.operator.attend(ctx, d.client, books)
	if err != nil {
		return false, err
	}
	w := underWay(&a)
	d.tell(p, &a, w)
	for _, x := range heals {
		waiting = waiting || x.Class == "heals"
	}
	return w.steps == 0 && !waiting, nil
}

// work is the steps that go on by themselves.
type work struct {
	steps  int64
	oldest time.Time // when the first of them was decided
}

func underWay(a *api.Account) work {
	var w work
	for _, s := range a.Steps {
		if s.Status != "due" && s.Status != "sent" && s.Status != "accepted" {
			continue
		}
		w.steps += s.Steps
		if at, err := time.Parse(time.RFC3339Nano, s.Oldest); err == nil && (w.oldest.IsZero() || at.Before(w.oldest)) {
			w.oldest = at
		}
	}
	return w
}

// tell tells how far the day is: on one line, or on a line every now and then.
func (d *dayDemo) tell(p *simulator.Progress, a *api.Account, w work) {
	oldest := "none"
	if w.steps > 0 {
		oldest = time.Since(w.oldest).Round(time.Second).String()
	}
	text := fmt.Sprintf("%s  %s events  %s applied  %d held  %d under way, oldest %s  %s",
		p.Now.Format("Mon 15:04"), count(a.Events), count(stepsOf(a, "applied")), a.Held+stepsOf(a, "refused")+stepsOf(a, "held"), w.steps, oldest, plural(d.kills, "kill"))
	if d.line.live {
		d.line.show("%s", text)
		return
	}
	if !d.json && time.Since(d.told) >= lookedAfter {
		d.told = time.Now()
		fmt.Fprintln(d.out, text)
	}
}

func stepsOf(a *api.Account, status string) int64 {
	for _, s := range a.Steps {
		if s.Status == status {
			return s.Steps
		}
	}
	return 0
}

// read reads from the control of the systems.
func (d *dayDemo) read(ctx context.Context, path string, into any) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, d.control+path, nil)
	if err != nil {
		return err
	}
	response, err := d.client.http.Do(r)
	if err != nil {
		return fmt.Errorf("ask the systems: %w", err)
	}
	defer response.Body.Close() //nolint:errcheck // it is only read
	text, err := io.ReadAll(response.Body)
	if err := errors.Join(err, json.Unmarshal(text, into)); err != nil {
		return fmt.Errorf("ask the systems: %s: %w", path, err)
	}
	return nil
}

// invite tells how to look around.
func (d *dayDemo) invite(a *dayAccount) {
	keys, err := filepath.Abs(d.keys)
	if err != nil {
		keys = d.keys
	}
	fmt.Fprintf(d.out, `
The hub and the systems go on until Ctrl-C. Look around from another window:

  export GAPLESS_HUB=%s GAPLESS_KEY_FILE=%s
  %s trace %s
  %s exceptions
  %s trace %s
`, d.url(), quoted(keys), os.Args[0], a.Lot, os.Args[0], os.Args[0], a.Document)
}
