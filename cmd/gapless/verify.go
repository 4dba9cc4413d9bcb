package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/gapless/gapless"
	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/ledger"
)

func (c *cli) verifyCommand() *cobra.Command {
	var v verification
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "check that the ledger keeps every promise",
		Long: `Check every promise of docs/ledger.md that can be seen from what is on record: the audit
chain is intact and its digests are those of the rows, positions have no holes, facts are
what the events state, states are what the events add up to, nothing that was acknowledged
is missing, and so on. It works on the data folder or the database itself, beside a hub
that runs, and looks at what was on record when it began.

A ledger of which somebody made every hash anew looks right by itself. --against compares
it with a checkpoint that was signed earlier and kept elsewhere: the hub writes one into
checkpoints/ of its data folder every ten minutes; copy them away. --checkpoint writes one
now. --public-key names the file of the public key; where nothing is said, that of the
data folder is taken, which whoever altered the ledger could have exchanged as well.

Exit code 3 says that something is not in order.`,
		Example: `  gapless verify
  gapless verify --data /var/lib/gapless --checkpoint /mnt/worm/monday.txt
  gapless verify --against /mnt/worm/monday.txt --public-key /mnt/worm/checkpoint.pub`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return c.verify(cmd.Context(), &v) },
	}
	v.place.flags(cmd)
	flags := cmd.Flags()
	flags.StringArrayVar(&v.against, "against", nil, "compare with the signed checkpoint in this `FILE`; may be given more than once")
	flags.StringVar(&v.publicKey, "public-key", "", "`FILE` with the public key of the checkpoints")
	flags.StringVar(&v.checkpoint, "checkpoint", "", "write a signed checkpoint to this `FILE` where all is in order")
	return cmd
}

// verification is what verify is told.
type verification struct {
	place
	against               []string
	publicKey, checkpoint string
}

func (c *cli) verify(ctx context.Context, v *verification) error {
	against, err := v.checkpoints()
	if err != nil {
		return err
	}
	l, err := v.open(ctx, false)
	if err != nil {
		return err
	}
	defer l.Close()
	options, err := optionsOf(ctx, l)
	if err != nil {
		return err
	}
	options.Against = against
	line := c.progress()
	options.Progress = func(done, total int64) {
		line.show("%d%% of about %s rows", done*100/max(total, 1), count(total))
	}
	report, err := l.Verify(ctx, options)
	line.clear()
	if err != nil {
		return err
	}
	if c.json {
		err = c.printJSON(map[string]any{"ok": report.OK(), "report": report})
	} else {
		printVerified(c.out, &report)
	}
	if err == nil && !report.OK() {
		err = foundError{errors.New("the ledger is not in order")}
	}
	if err != nil || v.checkpoint == "" {
		return err
	}
	return v.sign(ctx, l)
}

// checkpoints reads the checkpoints to compare with.
func (v *verification) checkpoints() ([]ledger.Checkpoint, error) {
	if len(v.against) == 0 {
		return nil, nil
	}
	file := v.publicKey
	if file == "" {
		file = gapless.PublicKeyIn(v.data)
	}
	public, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read the public key of the checkpoints: %w", err)
	}
	var all []ledger.Checkpoint
	for _, name := range v.against {
		signed, err := os.ReadFile(name)
		if err != nil {
			return nil, fmt.Errorf("read the checkpoint: %w", err)
		}
		checkpoint, err := ledger.OpenCheckpoint(string(signed), string(public))
		if f := fault.Of(err); f != nil { // its remedy is for messages
			return nil, fmt.Errorf("%s is no checkpoint that the key in %s signed (%s): name the public key of its hub with --public-key; if that does not open it, somebody has changed it", name, file, f.Explanation())
		}
		if err != nil {
			return nil, fmt.Errorf("checkpoint %s: %w", name, err)
		}
		all = append(all, checkpoint)
	}
	return all, nil
}

// optionsOf are what the revision that was released last tells a verification; none
// before the first.
func optionsOf(ctx context.Context, l *ledger.Ledger) (ledger.VerifyOptions, error) {
	r, err := l.NewestRevision(ctx)
	if errors.Is(err, fault.NotFound) {
		return ledger.VerifyOptions{}, nil // the report says what was not looked at
	}
	if err != nil {
		return ledger.VerifyOptions{}, err
	}
	cat, findings := catalog.Unpack(r.Content)
	if cat == nil {
		return ledger.VerifyOptions{}, fmt.Errorf("revision %.12s on record cannot be read by this version: %s", r.Digest, findings[0])
	}
	return flow.VerifyOptions(cat), nil
}

func printVerified(w io.Writer, r *ledger.VerifyReport) {
	t := newTable("", "check", ">looked at", ">found", "promise")
	for _, k := range r.Checks {
		mark := "ok"
		if k.Found > 0 {
			mark = "RED"
		}
		t.add(mark, k.Name, count(k.Looked), count(k.Found), strconv.Itoa(k.Promise))
	}
	t.write(w, "")
	for _, k := range r.Checks {
		if k.Found == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s (promise %d of docs/ledger.md)\n", k.Name, k.Promise)
		for _, text := range k.Findings {
			fmt.Fprintf(w, "  %s\n", text)
		}
		if rest := k.Found - int64(len(k.Findings)); rest > 0 {
			fmt.Fprintf(w, "  and %s more\n", count(rest))
		}
	}
	for _, text := range r.Skipped {
		fmt.Fprintf(w, "not looked at: %s\n", text)
	}
	if r.OK() {
		fmt.Fprintln(w, "everything that was looked at is in order")
	} else {
		fmt.Fprintln(w, "NOT in order")
	}
}

// sign writes a checkpoint of a ledger that was found in order.
func (v *verification) sign(ctx context.Context, l *ledger.Ledger) error {
	n, err := gapless.OpenNotary(v.data, l.Name())
	if err != nil {
		return err
	}
	signed, _, err := n.Sign(ctx, l)
	if err != nil {
		return err
	}
	if err := os.WriteFile(v.checkpoint, []byte(signed), 0o644); err != nil {
		return fmt.Errorf("write the checkpoint: %w", err)
	}
	return nil
}
