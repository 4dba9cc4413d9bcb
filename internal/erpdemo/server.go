package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gapless/gapless/internal/erp"
)

// A server is the ERP of this run, of scripts/erp.
type server struct {
	root   string
	state  string // folder that scripts/erp keeps
	url    string
	env    map[string]string
	client *erp.Client // the witness: it posts nothing but what others do by hand
}

// newServer makes a fresh ERP.
func newServer(ctx context.Context, root string) (*server, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	s := &server{root: root, state: filepath.Join(root, "build", "erp-of-demo")}
	if err := s.script(ctx, "new"); err != nil {
		return nil, err
	}
	if s.env, err = readEnv(filepath.Join(s.state, "env")); err != nil {
		return nil, err
	}
	s.url = s.env["TRYTON_URL"]
	s.client, err = erp.Login(ctx, s.url, s.env["TRYTON_DB"], "admin", s.env["TRYTON_ADMIN_PASSWORD"])
	return s, err
}

// script runs scripts/erp for this ERP.
func (s *server) script(ctx context.Context, command string) error {
	cmd := exec.CommandContext(ctx, filepath.Join(s.root, "scripts", "erp"), command)
	cmd.Env = append(os.Environ(), "GAPLESS_ERP="+s.state)
	cmd.Stderr = os.Stderr
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	if _, err := cmd.Output(); err != nil {
		return fmt.Errorf("scripts/erp %s: %w", command, err)
	}
	return nil
}

func (s *server) remove(ctx context.Context) error { return s.script(ctx, "remove") }

// restart ends the ERP's server at once, whatever it is doing, and starts it again.
func (s *server) restart(ctx context.Context) error {
	text, err := os.ReadFile(filepath.Join(s.state, "tryton.pid"))
	if err != nil {
		return err
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil {
		return err
	}
	if err := syscall.Kill(pid, syscall.SIGQUIT); err != nil { // its processes end in the middle of their work
		return fmt.Errorf("end the ERP's server: %w", err)
	}
	for range 600 { // a machine with other work takes its time
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			break
		}
		if err := pause(ctx, 100*time.Millisecond); err != nil {
			return err
		}
	}
	return s.script(ctx, "up")
}

// readEnv reads a file of NAME=value.
func readEnv(file string) (map[string]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	env := map[string]string{}
	for lines := bufio.NewScanner(f); lines.Scan(); {
		if name, value, found := strings.Cut(lines.Text(), "="); found {
			env[name] = value
		}
	}
	return env, nil
}

// pause waits, unless the context ends.
func pause(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-time.After(d):
		return nil
	}
}
