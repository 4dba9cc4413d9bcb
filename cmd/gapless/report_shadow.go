package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gapless/gapless/api"
)

func (c *cli) shadowCommand() *cobra.Command {
	var n connection
	var plant, system string
	cmd := &cobra.Command{
		Use:   "shadow",
		Short: "what would have been sent, against what the systems did",
		Long: `Account for the reactions that a plant has in the shadow: each command that would have
been sent, beside what the system itself has reported about the same object.

equal     the system reported one of the amounts of the events, in the base unit, or the
          status that was wanted
differs   it reported something else
reported  it reported something, and the command has no amount and no status to compare by
missing   it reported nothing that is not another command's

At the end stands what the systems reported about the same objects that no command would
have asked for. When all of it is equal or explained, the plant may go live.`,
		Example: "  gapless report shadow --plant graz\n  gapless report shadow --system erp --json",
		Args:    arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.reportShadow(cmd.Context(), &n, plant, system)
		},
	}
	n.flags(cmd)
	cmd.Flags().StringVar(&plant, "plant", "", "only this `PLANT`")
	cmd.Flags().StringVar(&system, "system", "", "only commands to this `SYSTEM`")
	return cmd
}

func (c *cli) reportShadow(ctx context.Context, n *connection, plant, system string) error {
	h, err := n.client()
	if err != nil {
		return err
	}
	query := values("plant", plant, "system", system)
	all := api.Shadows{Steps: []api.ShadowView{}, Others: []api.ReportedView{}}
	for {
		var page api.Shadows
		if err := h.get(ctx, "/v1/reports/shadow", query, &page); err != nil {
			return err
		}
		all.Steps, all.Others = append(all.Steps, page.Steps...), append(all.Others, page.Others...)
		if page.Next == "" {
			break
		}
		query.Set("after", page.Next)
	}
	if c.json {
		return c.printJSON(all)
	}
	c.printShadow(&all)
	return nil
}

func (c *cli) printShadow(all *api.Shadows) {
	if len(all.Steps) == 0 {
		fmt.Fprintln(c.out, "nothing is in the shadow: plants/*.yaml say under reactions what is, and it begins with the next event")
		return
	}
	counts := map[string]int{}
	for i := range all.Steps {
		x := &all.Steps[i]
		counts[x.Verdict]++
		fmt.Fprintf(c.out, "%-8s  %s of %s about %s at %s\n", x.Verdict, x.Name, cmp.Or(x.System, x.Role), x.Object, x.Plant)
		if x.Fault != nil {
			fmt.Fprintf(c.out, "    could not have been sent: %s (%s) %s\n", x.Fault.Title, x.Fault.Reason, x.Fault.Detail)
		} else {
			fmt.Fprintf(c.out, "    would have sent %s\n", compact(x.Request))
		}
		if x.Reported != nil {
			fmt.Fprintf(c.out, "    %s reported %s %s\n", x.Reported.System, x.Reported.Type, compact(x.Reported.Data))
		}
	}
	for i := range all.Others {
		e := &all.Others[i]
		fmt.Fprintf(c.out, "others    %s reported %s %s\n", e.System, e.Type, compact(e.Data))
	}
	fmt.Fprintf(c.out, "\nequal=%d differs=%d reported=%d missing=%d others=%d\n", counts["equal"], counts["differs"], counts["reported"], counts["missing"], len(all.Others))
}

// compact is a document in one line.
func compact(v map[string]any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}
