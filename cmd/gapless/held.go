package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gapless/gapless/api"
)

func (c *cli) heldCommand() *cobra.Command {
	var n connection
	f := &openFilter{}
	cmd := &cobra.Command{
		Use:   "held",
		Short: "list what is held, why, and what to do about it",
		Long: `List the messages that are kept but do not go on: why, for whom, until when, and what to
do about it. What waits for something else, such as master data, goes on by itself when
that arrives; what an engineer corrects in the catalog goes on when the hub starts with
it; the rest is corrected at its source and sent again, or retried.`,
		Example: `  gapless held
  gapless held --plant graz --reason identifier_unknown
  gapless held retry 6f0c2f9a52d44a6cbd1e5ef2a3cf7b10`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return c.listOpen(cmd.Context(), &n, "/v1/held", f) },
	}
	n.flags(cmd)
	f.flags(cmd)
	cmd.AddCommand(c.retryCommand(), c.proposeCommand())
	return cmd
}

// openFilter chooses exceptions.
type openFilter struct{ plant, system, reason string }

func (f *openFilter) flags(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.plant, "plant", "", "only this `PLANT`")
	flags.StringVar(&f.system, "system", "", "only what is of this `SYSTEM`")
	flags.StringVar(&f.reason, "reason", "", "only this `REASON`")
}

// listOpen lists what a route answers, page by page.
func (c *cli) listOpen(ctx context.Context, n *connection, route string, f *openFilter) error {
	h, err := n.client()
	if err != nil {
		return err
	}
	asked := values("plant", f.plant, "system", f.system, "reason", f.reason)
	heading, none := "held", "is held"
	if route != "/v1/held" { // commands are refused, or late, or undecided
		heading, none = "open", "stands still"
	}
	if len(asked) > 0 {
		none = "of what is asked for " + none
	}
	all, err := allHeld(ctx, h, route, asked)
	if err != nil {
		return err
	}
	if c.json {
		return c.printJSON(map[string]any{strings.TrimPrefix(route, "/v1/"): all})
	}
	if len(all) == 0 {
		fmt.Fprintln(c.out, "nothing "+none)
		return nil
	}
	c.printHeld(all, heading)
	return nil
}

// allHeld reads every page.
func allHeld(ctx context.Context, h *client, route string, query url.Values) ([]api.ExceptionView, error) {
	all := []api.ExceptionView{}
	query.Set("limit", "1000")
	for {
		var page api.Held
		if err := h.get(ctx, route, query, &page); err != nil {
			return nil, err
		}
		all = append(all, page.Held...)
		if page.Next == "" {
			return all, nil
		}
		query.Set("after", page.Next)
	}
}

// printHeld prints a summary by reason, then each message.
func (c *cli) printHeld(all []api.ExceptionView, heading string) {
	type group struct{ reason, class, system, owner string }
	counts := map[group]int{}
	var groups []group
	for _, x := range all {
		g := group{x.Reason, x.Class, of(&x), x.Owner}
		if counts[g] == 0 {
			groups = append(groups, g)
		}
		counts[g]++
	}
	t := newTable(">"+heading, "reason", "class", "of", "for")
	for _, g := range groups {
		t.add(count(counts[g]), g.reason, g.class, g.system, g.owner)
	}
	t.write(c.out, "")
	fmt.Fprintln(c.out)
	for i := range all {
		printException(c.out, &all[i])
	}
}

func (c *cli) retryCommand() *cobra.Command {
	var n connection
	cmd := &cobra.Command{
		Use:     "retry MESSAGE",
		Short:   "take a held message in again",
		Long:    "Take a held message in again from what was kept of it, and tell what became of it. MESSAGE is its id. It needs the role operator or quality at its plant.",
		Example: "  gapless held retry 6f0c2f9a52d44a6cbd1e5ef2a3cf7b10",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := n.client()
			if err != nil {
				return err
			}
			var a api.Answer
			if err := h.call(cmd.Context(), http.MethodPost, "/v1/held/"+url.PathEscape(args[0])+"/retry", &a); err != nil {
				return err
			}
			return c.tellRetry(&a)
		},
	}
	n.flags(cmd)
	return cmd
}

func (c *cli) tellRetry(a *api.Answer) error {
	if c.json {
		if err := c.printJSON(a); err != nil {
			return err
		}
	} else if a.Exception == nil {
		fmt.Fprintf(c.out, "%s %s\n", a.Message, a.Outcome)
	} else {
		fmt.Fprintf(c.out, "%s is still held: %s (%s) %s\n  %s\n", a.Message, a.Exception.Title, a.Exception.Reason, a.Exception.Detail, a.Exception.Remedy)
	}
	if a.Exception != nil {
		return foundError{fmt.Errorf("%s is still held", a.Message)}
	}
	return nil
}
