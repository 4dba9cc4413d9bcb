// Command gapless is the hub, its tools and its demonstration in one program.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	_ "time/tzdata" // plants have zones, and not every machine has their table
)

func main() {
	// A hub allocates much and keeps little: at this rate collecting takes about a
	// twentieth of the processor less than at the default. GOGC overrules.
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(300)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], streams{os.Stdin, os.Stdout, os.Stderr}, os.Getenv)
	stop()
	os.Exit(code)
}
