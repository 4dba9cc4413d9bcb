// Command testsummary runs go test and tells what came of it: each package when it is
// through, each failure in full, each skipped test with its reason, and a closing line
// "N passed, N failed, N skipped". It fails when a test failed and also when no test
// ran, so that a wrong pattern cannot pass for success.
//
//	testsummary [-ending FILE] [PACKAGE...] [-- FLAG OF GO TEST...]
//
// Exit codes: 0 every test that ran passed, 1 a test failed or none ran, 2 wrong usage.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// grace is how long go test may take to end its test programs once it is told to.
const grace = 10 * time.Second

// every is how long a run is silent before it says what it is at.
const every = 30 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is main without the process: it returns the exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	var testFlags []string
	if i := slices.Index(args, "--"); i >= 0 {
		args, testFlags = args[:i], args[i+1:]
	}
	flags := flag.NewFlagSet("testsummary", flag.ContinueOnError)
	flags.SetOutput(stderr)
	ending := flags.String("ending", "", "also write skips and the closing line to this `file`")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	packages := flags.Args()
	if len(packages) == 0 {
		packages = []string{"./..."}
	}

	report := NewReport(stdout)
	if total, err := countPackages(ctx, packages); err == nil {
		report.Total = total // otherwise go test itself tells what is wrong
	}
	err := goTest(ctx, packages, testFlags, report, stderr)
	report.End()
	if *ending != "" {
		err = errors.Join(err, os.WriteFile(*ending, []byte(report.Ending()), 0o644))
	}
	if err != nil {
		fmt.Fprintln(stderr, "testsummary:", err)
		return 1
	}
	if !report.OK() {
		return 1
	}
	return 0
}

// countPackages says how many packages the patterns name.
func countPackages(ctx context.Context, patterns []string) (int, error) {
	out, err := exec.CommandContext(ctx, "go", append([]string{"list"}, patterns...)...).Output()
	if err != nil {
		return 0, fmt.Errorf("go list: %w", err)
	}
	return strings.Count(string(out), "\n"), nil
}

// goTest runs go test in a process group of its own and reads its events into report.
// When ctx ends, the whole group ends, test programs included. A failed test is no
// error here: report knows it.
func goTest(ctx context.Context, packages, flags []string, report *Report, stderr io.Writer) error {
	args := slices.Concat([]string{"test", "-json"}, flags, packages)
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Stderr = stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = grace
	events, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("go test: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("go test: %w", err)
	}
	stop := tick(ctx, report)
	readErr := report.Read(events)
	stop()
	err = cmd.Wait()
	if ctx.Err() != nil {
		return errors.Join(ctx.Err(), endGroup(cmd.Process.Pid))
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		if len(report.failed) > 0 {
			return readErr
		}
		return errors.Join(readErr, fmt.Errorf("go test: %w, though no test failed", exit))
	}
	return errors.Join(readErr, err)
}

// tick lets report say now and then what runs, until ctx ends or stop is called; stop
// returns when nothing more is written.
func tick(ctx context.Context, report *Report) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var wait sync.WaitGroup
	wait.Go(func() {
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				report.Tick()
			}
		}
	})
	return func() {
		cancel()
		wait.Wait()
	}
}

// endGroup ends what is left of a process group.
func endGroup(group int) error {
	if err := syscall.Kill(-group, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
		return fmt.Errorf("end process group %d: %w", group, err)
	}
	return nil
}
