package main

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"

	"github.com/gapless/gapless/api"
)

func (c *cli) exceptionsCommand() *cobra.Command {
	var n connection
	f := &deskFilter{}
	cmd := &cobra.Command{
		Use:   "exceptions",
		Short: "the queue of what does not go on or is late, and what people decide about it",
		Long: `Show the queue: messages that are held, and commands that a system has refused, that
cannot be sent, or of which nobody can tell whether they were done. And what is late:
commands that were not done in time, and what was to be reported after an event and has
not come; that goes on all the same, and ends by itself when it comes. They are grouped by
cause: plant, system, message or command, and reason. Each group says how many, since
when, until when, for whom, and what is at stake.

"gapless exceptions show GROUP" opens a group, and "show" of one exception tells all that
is known of it. What stands still holds up nothing but its own object.`,
		Example: `  gapless exceptions
  gapless exceptions --plant graz --reason period_closed
  gapless exceptions show graz/erp/command/receive-goods/period_closed
  gapless exceptions resume --group graz/erp/command/receive-goods/period_closed --first 3
  gapless exceptions search lot/M-100/4711
  gapless exceptions done 4be0...91 --document 5000009911 --why "found by hand in the ERP"`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return c.showQueue(cmd.Context(), &n, f) },
	}
	n.flags(cmd)
	f.flags(cmd)
	cmd.AddCommand(c.listExceptionsCommand(), c.showExceptionsCommand(), c.searchExceptionsCommand())
	for _, act := range c.deskActs() {
		cmd.AddCommand(c.actCommand(act))
	}
	cmd.AddCommand(c.resumeCommand(), c.bulkCommand())
	cmd.AddCommand(c.editCommand(), c.editsCommand(), c.signCommand(), c.refuseCommand(), c.correctCommand(), c.correctionsCommand())
	for _, d := range []decision{
		{"done", "state that a command was done", "An attempt had no answer, and you have found at the system that it was done. Name the\ndocuments that the system gave."},
		{"not-done", "state that a command was not done", "An attempt had no answer, and you have found at the system that nothing was done and\nnothing of it can still come. The command goes out again."},
		{"split", "take a refused command apart that performs several reports together", "The reports that --bad names go out each by itself, and the others together. Without it the\ncommand is halved, and halves that are refused again are halved by themselves, until who is\nto blame stands alone. Only what was certainly not done is taken apart; nothing is done\ntwice."},
	} {
		cmd.AddCommand(c.decideCommand(d))
	}
	return cmd
}

func (c *cli) listExceptionsCommand() *cobra.Command {
	var n connection
	f := &openFilter{}
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "list what does not go on one by one",
		Long:    "List every open exception with why, for whom, until when, and what to do about it, in the\norder in which they were raised.",
		Example: "  gapless exceptions list --plant graz --reason period_closed",
		Args:    arguments(cobra.NoArgs),
		RunE:    func(cmd *cobra.Command, _ []string) error { return c.listOpen(cmd.Context(), &n, "/v1/exceptions", f) },
	}
	n.flags(cmd)
	f.flags(cmd)
	return cmd
}

// decision is one thing that a person can decide about a command.
type decision struct {
	how, short, long string
}

func (c *cli) decideCommand(d decision) *cobra.Command {
	var n connection
	var why string
	var documents, bad []string
	cmd := &cobra.Command{
		Use:     d.how + " COMMAND",
		Short:   d.short,
		Long:    d.long + "\n\nCOMMAND is its key, as gapless exceptions and gapless trace show it. It needs the role\noperator or quality at its plant.",
		Example: "  gapless exceptions " + d.how + " 4be09a6f8d1c...91" + exampleOf(d),
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := n.client()
			if err != nil {
				return err
			}
			var s api.StepView
			document := map[string]any{"how": d.how, "why": why, "documents": documents, "members": bad}
			if err := h.send(cmd.Context(), http.MethodPost, "/v1/commands/"+url.PathEscape(args[0])+"/resolve", document, &s); err != nil {
				return err
			}
			if c.json {
				return c.printJSON(s)
			}
			fmt.Fprintf(c.out, "%s of %s is %s\n", s.Name, cmp.Or(s.System, s.Role), s.Status)
			return nil
		},
	}
	n.flags(cmd)
	cmd.Flags().StringVar(&why, "why", "", "the `REASON`, kept on record")
	if d.how == "done" {
		cmd.Flags().StringSliceVar(&documents, "document", nil, "`NUMBER` that the system gave; may be repeated")
	}
	if d.how == "split" {
		cmd.Flags().StringSliceVar(&bad, "bad", nil, "id of an `EVENT` that is to blame; may be repeated")
	}
	return cmd
}

func exampleOf(d decision) string {
	switch d.how {
	case "done":
		return ` --document 5000009911 --why "found by hand in the ERP"`
	case "split":
		return ` --bad 9b1c27d0a4e84f6f8d1c2a7f3e5b6c90`
	}
	return ` --why "looked for the reference in the ERP: it is not there"`
}
