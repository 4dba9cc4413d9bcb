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
	f := &openFilter{}
	cmd := &cobra.Command{
		Use:   "exceptions",
		Short: "list what does not go on or is late, why, and what to do about it",
		Long: `List everything that does not go on by itself: messages that are held, and commands that a
system has refused, that cannot be sent, or of which nobody can tell whether they were
done. And what is late: commands that were not done in time, and what was to be reported
after an event and has not come. Each says why, for whom, until when, and what to do about
it. What is late goes on all the same, and ends by itself when it comes.

A command that stands still holds up nothing but its own object. Its trace tells the
whole story: gapless trace lot/M-100/4711.`,
		Example: `  gapless exceptions
  gapless exceptions --plant graz --reason period_closed
  gapless exceptions resume 4be0...91
  gapless exceptions done 4be0...91 --document 5000009911 --why "found by hand in the ERP"`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return c.listOpen(cmd.Context(), &n, "/v1/exceptions", f) },
	}
	n.flags(cmd)
	f.flags(cmd)
	for _, d := range []decision{
		{"resume", "let a command go on", "The plan decides anew from the state of now: the command goes out again, or it is no\nlonger wanted. Do this when the cause is put right: the period is open, the master data is\nthere.", false},
		{"done", "state that a command was done", "An attempt had no answer, and you have found at the system that it was done. Name the\ndocuments that the system gave.", true},
		{"not-done", "state that a command was not done", "An attempt had no answer, and you have found at the system that nothing was done and\nnothing of it can still come. The command goes out again.", true},
		{"waive", "give a command up", "The command is not performed any more. What is on record stays; the system's books will\ndiffer, and the reason says why that is right.", true},
	} {
		cmd.AddCommand(c.decideCommand(d))
	}
	return cmd
}

// decision is one thing that a person can decide about a command.
type decision struct {
	how, short, long string
	why              bool
}

func (c *cli) decideCommand(d decision) *cobra.Command {
	var n connection
	var why string
	var documents []string
	cmd := &cobra.Command{
		Use:     d.how + " COMMAND",
		Short:   d.short,
		Long:    d.long + "\n\nCOMMAND is its key, as gapless exceptions and gapless trace show it. It needs the role\noperator at its plant.",
		Example: "  gapless exceptions " + d.how + " 4be09a6f8d1c...91" + exampleOf(d),
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := n.client()
			if err != nil {
				return err
			}
			var s api.StepView
			document := map[string]any{"how": d.how, "why": why, "documents": documents}
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
	return cmd
}

func exampleOf(d decision) string {
	switch {
	case d.how == "done":
		return ` --document 5000009911 --why "found by hand in the ERP"`
	case d.why:
		return ` --why "looked for the reference in the ERP: it is not there"`
	}
	return ""
}
