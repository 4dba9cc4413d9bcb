package main

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/gapless/gapless/api"
)

func (c *cli) proposeCommand() *cobra.Command {
	var n connection
	var system string
	cmd := &cobra.Command{
		Use:   "propose",
		Short: "propose what unexplained identifiers may mean",
		Long: `Propose, for identifiers that messages wait for, the objects that they may mean: what
another system calls alike, what has such a ref, or whose reference data has such a text.
Each says in what they are alike, and how old that knowledge is.

Nothing is taken for true before a person has confirmed it. Put the lines that are right
into a file cross-references/*.yaml of the catalog, and start the hub with it; or let the
system that owns the master data send them. What waits goes on by itself.`,
		Example: "  gapless held propose\n  gapless held propose --system graz-mes --json",
		Args:    arguments(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.propose(cmd.Context(), &n, system) },
	}
	n.flags(cmd)
	cmd.Flags().StringVar(&system, "system", "", "only identifiers of this `SYSTEM`")
	return cmd
}

func (c *cli) propose(ctx context.Context, n *connection, system string) error {
	h, err := n.client()
	if err != nil {
		return err
	}
	var all api.Proposals
	if err := h.get(ctx, "/v1/cross-references/proposals", values("system", system), &all); err != nil {
		return err
	}
	if c.json {
		return c.printJSON(all)
	}
	c.printProposals(all.Proposals)
	return nil
}

// printProposals prints the proposals of each system and kind as the catalog takes them.
func (c *cli) printProposals(all []api.ProposalView) {
	if len(all) == 0 {
		fmt.Fprintln(c.out, "nothing is proposed: no message waits for an identifier that is like what is known")
		return
	}
	for i := range all {
		p := &all[i]
		if i == 0 || p.System != all[i-1].System || p.Kind != all[i-1].Kind {
			if i > 0 {
				fmt.Fprintln(c.out)
			}
			fmt.Fprintf(c.out, "# cross-references/%s-%s.yaml\nsystem: %s\nkind: %s\nentries:\n", p.System, p.Kind, p.System, p.Kind)
		}
		known := "in the catalog"
		if p.Known != "" {
			known = "known for " + (time.Duration(p.AgeSeconds) * time.Second).String()
		}
		if i > 0 && p.ID == all[i-1].ID && p.System == all[i-1].System && p.Kind == all[i-1].Kind {
			fmt.Fprintf(c.out, "  # or {id: %q, ref: %q} # %s, %s\n", p.ID, p.Ref, p.Because, known)
			continue
		}
		fmt.Fprintf(c.out, "  - {id: %q, ref: %q} # %s, %s; %s\n", p.ID, p.Ref, p.Because, known, plural(int(p.Waiting), "message")+" waiting")
	}
}
