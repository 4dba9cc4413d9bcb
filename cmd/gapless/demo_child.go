package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// A child is a process of this program that the demo started.
type child struct {
	name  string
	cmd   *exec.Cmd
	first chan string   // its first line, once it is there
	ended chan struct{} // closed when it is gone
	log   string        // the file of what it said
}

// childEnds is how long a child may take to end when it is told to.
const childEnds = 15 * time.Second

// startChild starts this program once more and waits for its first line. What it has
// to say besides goes into a file of the folder.
func startChild(ctx context.Context, folder, name string, environment []string, args ...string) (*child, string, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, "", fmt.Errorf("start %s: %w", name, err)
	}
	c := &child{name: name, first: make(chan string, 1), ended: make(chan struct{}), log: filepath.Join(folder, name+".log")}
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, "", fmt.Errorf("start %s: %w", name, err)
	}
	defer log.Close() //nolint:errcheck // the child has it too, and writes to it
	// It is ended by this program in its order, not by the context.
	c.cmd = exec.CommandContext(context.WithoutCancel(ctx), program, args...)
	c.cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "GAPLESS_") })
	c.cmd.Env = append(c.cmd.Env, environment...)
	c.cmd.Stderr = log
	stdout, err := c.cmd.StdoutPipe()
	if err == nil {
		err = c.cmd.Start()
	}
	if err != nil {
		return nil, "", fmt.Errorf("start %s: %w", name, err)
	}
	go c.follow(stdout)
	select {
	case line := <-c.first:
		return c, line, nil
	case <-c.ended:
		return nil, "", c.gone()
	case <-ctx.Done():
		return nil, "", errors.Join(ctx.Err(), c.end())
	}
}

// follow reads what the child prints, and waits for its end.
func (c *child) follow(stdout io.Reader) {
	lines := bufio.NewReader(stdout)
	if line, err := lines.ReadString('\n'); err == nil {
		c.first <- line
	}
	_, _ = io.Copy(io.Discard, lines) // nobody wants the rest; its end is that of the child
	_ = c.cmd.Wait()                  // how it ended is in its state
	close(c.ended)
}

// gone is the error of a child that ended by itself, with the last that it said.
func (c *child) gone() error {
	text, err := os.ReadFile(c.log)
	if err != nil {
		text = []byte(err.Error())
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return fmt.Errorf("%s ended by itself, %s: %s", c.name, c.cmd.ProcessState, strings.Join(lines[max(0, len(lines)-5):], "\n"))
}

// kill ends the child as a power cut does.
func (c *child) kill() {
	_ = c.cmd.Process.Kill() // it may have ended by itself
	<-c.ended
}

// end ends the child as Ctrl-C does, or kills it where it does not listen.
func (c *child) end() error {
	if c == nil {
		return nil
	}
	if err := c.cmd.Process.Signal(os.Interrupt); err != nil && !errors.Is(err, os.ErrProcessDone) {
		c.kill()
		return nil
	}
	timer := time.NewTimer(childEnds)
	defer timer.Stop()
	select {
	case <-c.ended:
		return nil
	case <-timer.C:
		c.kill()
		return fmt.Errorf("%s did not end when it was told to, and was killed", c.name)
	}
}
