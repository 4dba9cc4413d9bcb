// Command erpseed gives a new ERP the master data of the example's company, over its
// own interface. Everything is looked up before it is made: run again, it changes
// nothing. scripts/erp runs it.
//
// Environment: TRYTON_URL, TRYTON_DB, and TRYTON_<USER>_PASSWORD for ADMIN, HUB, MES,
// QMS, READER and CLERK; GAPLESS_DATA names the folder with the published month of the
// moulding plant, a made-up one is taken where it says nothing.
package main

import (
	"context"
	"crypto/sha256"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"time"

	"github.com/gapless/gapless/internal/erp"
)

func main() {
	digest := flag.Bool("digest", false, "print the digest of what would be seeded beyond the program itself, and do nothing")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, *digest); err != nil {
		fmt.Fprintln(os.Stderr, "erpseed:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, digest bool) error {
	scratch, err := os.MkdirTemp("", "gapless-month-*")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(scratch) }() // a folder of tables that nobody reads any more
	month, err := erp.ReadMonth(os.Getenv("GAPLESS_DATA"), scratch)
	if err != nil {
		return err
	}
	if digest {
		fmt.Fprintf(os.Stdout, "%x\n", sha256.Sum256(fmt.Append(nil, month.Items, month.Resins, month.Orders)))
		return nil
	}
	passwords := map[string]string{}
	var missing []error
	for _, user := range append([]string{"ADMIN"}, logins()...) {
		name := "TRYTON_" + user + "_PASSWORD"
		if passwords[user] = os.Getenv(name); passwords[user] == "" {
			missing = append(missing, fmt.Errorf("%s is not set: scripts/erp writes it into its file env", name))
		}
	}
	if err := errors.Join(missing...); err != nil {
		return err
	}
	client, err := erp.Login(ctx, os.Getenv("TRYTON_URL"), os.Getenv("TRYTON_DB"), "admin", passwords["ADMIN"])
	if err != nil {
		return err
	}
	s := &seeder{
		c: client, month: month, passwords: passwords, today: time.Now().UTC().Truncate(24 * time.Hour), began: time.Now(),
		ids: map[string]int64{}, items: map[string]erp.Item{},
	}
	return s.seed(ctx)
}
