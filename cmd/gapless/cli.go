package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gapless/gapless/fault"
)

// Exit codes are interface: scripts and schedulers decide by them.
const (
	exitDone   = 0 // done
	exitFailed = 1 // it could not be done
	exitUsage  = 2 // the command line is wrong
	exitFound  = 3 // done, and what was looked at is not in order
)

type streams struct {
	in       io.Reader
	out, err io.Writer
}

// cli is what every command shares.
type cli struct {
	streams
	getenv func(string) string
	json   bool // --json: one JSON document on standard output instead of text
}

// usageError is a command line that cannot be meant: exit code 2.
type usageError struct{ error }

// foundError says that the command did its work and found something not in
// order: exit code 3. Its text has been printed by the command already.
type foundError struct{ error }

// run is the command line as a function.
func run(ctx context.Context, args []string, s streams, getenv func(string) string) int {
	c := &cli{streams: s, getenv: getenv}
	if isTerminal(s.out) {
		c.out = screen{s.out}
	}
	out := &output{w: c.out}
	c.out = out
	root := c.rootCommand() //nolint:contextcheck // commands take the context from cmd.Context
	root.SetArgs(args)
	root.SetIn(s.in)
	root.SetOut(c.out)
	root.SetErr(s.err)
	err := root.ExecuteContext(ctx)
	if found := (foundError{}); out.err != nil && (err == nil || errors.As(err, &found)) {
		err = fmt.Errorf("write what there is to tell: %w", out.err)
	}
	return c.exit(err)
}

// output is standard output that remembers whether all of it could be written: what nobody
// could read was not told.
type output struct {
	w   io.Writer
	err error
}

// Write writes as long as nothing has failed.
func (o *output) Write(b []byte) (n int, err error) {
	if o.err == nil {
		n, o.err = o.w.Write(b)
	}
	return n, o.err
}

func (c *cli) exit(err error) int {
	var usage usageError
	var found foundError
	switch {
	case err == nil:
		return exitDone
	case errors.As(err, &found):
		return exitFound
	case errors.As(err, &usage):
		fmt.Fprintf(c.err, "gapless: %s\n", printable(err.Error()))
		return exitUsage
	case errors.Is(err, context.Canceled): // what goes on until it is ended answers nil
		fmt.Fprintln(c.err, "gapless: interrupted")
		return exitFailed
	}
	fmt.Fprintf(c.err, "gapless: %s\n", printable(err.Error()))
	if f := fault.Of(err); f != nil {
		fmt.Fprintf(c.err, "remedy: %s\n", printable(f.Reason.Remedy))
	}
	return exitFailed
}

func (c *cli) rootCommand() *cobra.Command {
	root := &cobra.Command{
		Use:   "gapless",
		Short: "manufacturing integration without reporting gaps",
		Long: `Gapless stands between the systems of a manufacturer. It takes what each system
reports, puts it on record in one vocabulary agreed in a catalog, and accounts
for every difference.

Start with "gapless demo". Exit codes: 0 done, 1 failed or interrupted, 2 wrong
usage, 3 done and what it looked at is not in order.`,
		SilenceUsage:      true,
		SilenceErrors:     true,
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return c.fromEnvironment(cmd) },
		Args:              arguments(cobra.NoArgs),
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().BoolVar(&c.json, "json", false, "print one JSON document instead of text")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usageError{fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath())}
	})
	c.addCommands(root)
	return root
}

// arguments turns cobra's complaint about arguments into wrong usage.
func arguments(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		err := check(cmd, args)
		if _, takes, ok := strings.Cut(cmd.Use, " "); err != nil && ok {
			err = fmt.Errorf("%w: write %s %s", err, cmd.CommandPath(), takes)
		}
		if err != nil {
			return usageError{fmt.Errorf("%w; see `%s --help`", err, cmd.CommandPath())}
		}
		return nil
	}
}

// endedByHand is the error of a command that goes on until it is ended: being ended is
// none.
func endedByHand(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// awaited waits for what somebody types or another program writes, which no context
// interrupts. Given up, the reading ends with the program.
func awaited[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	ended := make(chan result, 1)
	go func() {
		value, err := read()
		ended <- result{value, err}
	}()
	select {
	case r := <-ended:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

// printJSON writes the one document of --json.
func (c *cli) printJSON(v any) error {
	e := json.NewEncoder(c.out)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
