package main

import (
	"bufio"
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	mouldingplant "github.com/gapless/gapless/examples/moulding-plant"
)

// TestCrashLosesNothingThatWasAcknowledged kills the hub in the middle of its work,
// as often as GAPLESS_CRASHES says, while a sender keeps a journal of what was
// acknowledged. Every line of it must be on record, and the ledger in order.
func TestCrashLosesNothingThatWasAcknowledged(t *testing.T) {
	if testing.Short() {
		t.Skip("it kills a hub again and again: not among the short tests")
	}
	crashes := 3
	if text := os.Getenv("GAPLESS_CRASHES"); text != "" {
		var err error
		if crashes, err = strconv.Atoi(text); err != nil {
			t.Fatalf("GAPLESS_CRASHES: %v", err)
		}
	}
	p := newCrashPlant(t)
	for done := 0; done < crashes; {
		// Each month restates rows of the one before: there are corrections among them.
		done += p.send(uint64(done+1), crashes-done)
	}
	p.must("gapless", "journal", p.journal)
	p.kill()
	p.must("gapless", "verify")
}

// crashPlant is a hub that is killed, and what is sent to it.
type crashPlant struct {
	t       *testing.T
	folder  string
	journal string
	env     []string
	address string
	hub     *exec.Cmd
}

func newCrashPlant(t *testing.T) *crashPlant {
	folder := t.TempDir()
	p := &crashPlant{t: t, folder: folder, journal: filepath.Join(folder, "journal.jsonl"), address: "127.0.0.1:0"}
	keys := filepath.Join(folder, "keys.txt")
	p.env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GAPLESS_") })
	p.env = append(p.env, "GAPLESS_HOME="+filepath.Join(folder, "hub"), "GAPLESS_KEY_FILE="+keys,
		"GAPLESS_CATALOG="+absolute("../../examples/moulding-plant/catalog"))
	if err := os.WriteFile(keys, []byte("anna:correct horse battery staple\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, system := range []string{"moulding-erp", "moulding-mes"} {
		p.must("gapless", "keys", "create", "--system", system, "--keep", keys)
	}
	p.must("sh", "-c", "echo correct horse battery staple | gapless keys person anna --role viewer")
	t.Cleanup(p.kill)
	return p
}

func (p *crashPlant) command(name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(context.WithoutCancel(p.t.Context()), name, args...)
	cmd.Dir, cmd.Env = p.folder, append(slices.Clone(p.env), "GAPLESS_HUB=http://"+p.address)
	return cmd
}

func (p *crashPlant) must(name string, args ...string) {
	p.t.Helper()
	if out, err := p.command(name, args...).CombinedOutput(); err != nil {
		p.t.Fatalf("%s %v: %v\n%s", name, args, err, out)
	}
}

// start starts the hub, where it was before.
func (p *crashPlant) start() {
	p.t.Helper()
	p.hub = p.command("gapless", "serve", "--listen", p.address, "--log-level", "error")
	var log bytes.Buffer
	p.hub.Stderr = &log
	stdout, err := p.hub.StdoutPipe()
	if err != nil {
		p.t.Fatal(err)
	}
	if err := p.hub.Start(); err != nil {
		p.t.Fatal(err)
	}
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		p.t.Fatalf("the hub did not start: %v\n%s", err, log.String())
	}
	p.address = strings.TrimPrefix(strings.Fields(line)[2], "http://")
}

// kill ends the hub as a power cut does, as far as a process can tell.
func (p *crashPlant) kill() {
	if p.hub == nil {
		return
	}
	_ = p.hub.Process.Kill() // it may have ended by itself: then something else fails
	_ = p.hub.Wait()
	p.hub = nil
}

// send sends one made-up month, kills the hub at random places of it, at most so
// many times, and tells how often.
func (p *crashPlant) send(seed uint64, most int) int {
	p.t.Helper()
	month := filepath.Join(p.folder, "month")
	if _, err := mouldingplant.Write(month, seed); err != nil {
		p.t.Fatal(err)
	}
	if p.hub == nil {
		p.start()
	}
	var told bytes.Buffer
	sender := p.command("gapless", "send", "--rows", "5", "--journal", p.journal, month)
	sender.Stdout, sender.Stderr = &told, &told
	if err := sender.Start(); err != nil {
		p.t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- sender.Wait() }()
	for crashes := 0; ; {
		if crashes < most && p.grown(p.lines()+1+rand.IntN(300), ended) {
			crashes++
			p.kill()
			p.start()
			continue
		}
		if err := <-ended; sender.ProcessState.ExitCode() != 0 && sender.ProcessState.ExitCode() != exitFound {
			p.t.Fatalf("send: %v\n%s", err, told.String())
		}
		if crashes == 0 {
			p.t.Fatal("the month was sent before the hub could be killed")
		}
		return crashes
	}
}

func (p *crashPlant) lines() int {
	text, err := os.ReadFile(p.journal)
	if err != nil {
		return 0 // not there yet
	}
	return bytes.Count(text, []byte("\n"))
}

// grown waits until the journal has so many lines; false where the sender ended first.
func (p *crashPlant) grown(lines int, ended chan error) bool {
	every := time.NewTicker(2 * time.Millisecond)
	defer every.Stop()
	for {
		select {
		case err := <-ended:
			ended <- err
			return false
		case <-every.C:
			if p.lines() >= lines {
				return true
			}
		}
	}
}
