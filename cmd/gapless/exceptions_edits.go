package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gapless/gapless/api"
)

// tellWaiting says below the queue what waits for a signature or for a source.
func (c *cli) tellWaiting(all *api.Groups) {
	if all.Edits > 0 {
		fmt.Fprintf(c.out, "\n%s for a signature, or for the source to agree: gapless exceptions edits\n", waiting(all.Edits, "edit"))
	}
	if all.Corrections > 0 {
		fmt.Fprintf(c.out, "\n%s for their sources: gapless exceptions corrections\n", waiting(all.Corrections, "correction"))
	}
}

// waiting is "1 edit waits", "2 edits wait".
func waiting(n int64, one string) string {
	if n == 1 {
		return "1 " + one + " waits"
	}
	return count(n) + " " + one + "s wait"
}

func (c *cli) editCommand() *cobra.Command {
	var n connection
	var set []string
	var why, signed string
	cmd := &cobra.Command{
		Use:   "edit EXCEPTION --set FIELD=VALUE... --why REASON",
		Short: "put technical fields of a held message right, and let it go on",
		Long: `Show what would be changed of a held message, field by field, and what would become of it.
With --sign and the digest that is shown it is done: the edited content is a version beside
the one that came, contract and policies judge it again, and it goes on as a whole. Where
something still stands in its way that is told, and nothing is recorded.

The catalog says which fields may be edited, by which role: see "editable" in the mapping of
the message. A field of the record, such as an amount, a lot or a time, is edited only where
the catalog names a second role: then the edit is proposed, and another person signs it with
"gapless exceptions sign". For everything else ask the source: "gapless exceptions correct".
The values before and after go on record; whoever sees the message's exceptions sees them.

FIELD is named as in the mapping: unit, header.unit, lines.2.unit. You sign with your name
and password; the key of a system never signs.`,
		Example: `  gapless exceptions edit 6f0c2f9a52d44a6cbd1e5ef2a3cf7b10 --set unit=kg --why "the scale says kilo"
  gapless exceptions edit 6f0c2f9a52d44a6cbd1e5ef2a3cf7b10 --set unit=kg --why "the scale says kilo" --sign 5b1c...`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			fields, err := fieldsToSet(set)
			if err != nil {
				return err
			}
			body := map[string]any{"fields": fields, "why": why, "signed": signed}
			return c.tellDifference(cmd.Context(), &n, "/v1/exceptions/"+url.PathEscape(args[0])+"/edit", body)
		},
	}
	n.flags(cmd)
	cmd.Flags().StringArrayVar(&set, "set", nil, "`FIELD=VALUE`; may be repeated")
	cmd.Flags().StringVar(&why, "why", "", "the `REASON`, kept on record and signed")
	cmd.Flags().StringVar(&signed, "sign", "", "sign the difference with this `DIGEST`, as it was shown")
	return cmd
}

// fieldsToSet reads FIELD=VALUE.
func fieldsToSet(set []string) ([]map[string]any, error) {
	fields := []map[string]any{}
	for _, text := range set {
		field, value, ok := strings.Cut(text, "=")
		if !ok || field == "" {
			return nil, usageError{fmt.Errorf("--set %q: give FIELD=VALUE", text)}
		}
		fields = append(fields, map[string]any{"field": field, "value": value})
	}
	if len(fields) == 0 {
		return nil, usageError{errors.New("give --set FIELD=VALUE; see `gapless exceptions edit --help`")}
	}
	return fields, nil
}

// tellDifference sends what may be an edit and prints what it changes and what became of
// it.
func (c *cli) tellDifference(ctx context.Context, n *connection, route string, body map[string]any) error {
	h, err := n.client()
	if err != nil {
		return err
	}
	var d api.DifferenceView
	if err := h.send(ctx, http.MethodPost, route, body, &d); err != nil {
		return err
	}
	if c.json {
		if err := c.printJSON(d); err != nil {
			return err
		}
	} else {
		c.printDifference(&d)
	}
	if d.Outcome == "refused" {
		return foundError{fmt.Errorf("%s is still held: nothing was recorded", d.Message)}
	}
	return nil
}

// printDifference prints what an edit changes, and how to sign it.
func (c *cli) printDifference(d *api.DifferenceView) {
	fmt.Fprintf(c.out, "message %s\n", d.Message)
	c.printChanges(d.Changes)
	fmt.Fprintf(c.out, "  why: %s\n", d.Why)
	switch {
	case d.Stops != nil:
		fmt.Fprintf(c.out, "  still in its way: %s (%s) %s\n    %s\n", d.Stops.Title, d.Stops.Reason, d.Stops.Detail, d.Stops.Remedy)
	case d.Outcome == "shown":
		fmt.Fprintf(c.out, "  it would make: %s\n", strings.Join(d.Events, ", "))
	}
	switch d.Outcome {
	case "shown":
		if len(d.Second) > 0 {
			fmt.Fprintf(c.out, "  another person has to sign too, with the role %s\n", strings.Join(d.Second, " and "))
		}
		fmt.Fprintf(c.out, "to sign it, say the same again with --sign %s\n", d.Digest)
	case "proposed":
		fmt.Fprintf(c.out, "proposed: another person with the role %s signs it with\n  gapless exceptions sign %s\n", strings.Join(d.Second, " and "), d.Edit)
	case "refused":
		fmt.Fprintln(c.out, "nothing was recorded")
	default:
		fmt.Fprintf(c.out, "%s, edited as %s\n", d.Outcome, d.Edited)
	}
}

// printChanges prints fields before and after.
func (c *cli) printChanges(all []api.ChangeView) {
	for _, x := range all {
		before := "nothing"
		if x.Before != nil {
			before = fmt.Sprint(x.Before)
		}
		fmt.Fprintf(c.out, "  %s: %s -> %v\n", x.Field, before, x.After)
	}
}

func (c *cli) editsCommand() *cobra.Command {
	var n connection
	var all bool
	cmd := &cobra.Command{
		Use:   "edits",
		Short: "list edits that wait for a signature, or for their source to agree",
		Long: `List what was edited in the hub and is open: proposed, and waiting for the signature of a
second person; or signed, while the source still says otherwise. That ends by itself: when
the source sends what comes to the same, or something else, which counts then.`,
		Example: "  gapless exceptions edits\n  gapless exceptions edits --all",
		Args:    arguments(cobra.NoArgs),
	}
	cmd.RunE = asks(c, &n, "/v1/edits", func() url.Values { return allOf(all) }, func(list *api.EditList) {
		if len(list.Edits) == 0 {
			fmt.Fprintln(c.out, "no edit waits for anything")
		}
		for i := range list.Edits {
			c.printEdit(&list.Edits[i])
		}
		c.tellCut(len(list.Edits))
	})
	n.flags(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "also those that are no longer open")
	return cmd
}

func allOf(all bool) url.Values {
	q := newest()
	if all {
		q.Set("all", "true")
	}
	return q
}

// editStates are the states of edits, in words.
func editStates() map[string]string {
	return map[string]string{
		"proposed": "waits for a second signature", "refused": "refused", "made": "made", "open": "edited in hub: the source says otherwise",
		"agreed": "the source agrees", "replaced": "the source has said something else",
	}
}

func (c *cli) printEdit(e *api.EditView) {
	fmt.Fprintf(c.out, "%s of %s/%s %s: %s\n", e.Edit, e.System, e.Name, e.SourceID, editStates()[e.State])
	c.printChanges(e.Changes)
	text := fmt.Sprintf("  %s by %s: %s", e.Made, e.Author.By, e.Why)
	if e.Second != nil {
		text += ", signed too by " + e.Second.By
	}
	fmt.Fprintln(c.out, text)
	if e.Ended != "" {
		fmt.Fprintf(c.out, "  ended %s: %s\n", e.Ended, e.Resolution)
	}
}

func (c *cli) signCommand() *cobra.Command {
	var n connection
	var signed string
	cmd := &cobra.Command{
		Use:   "sign EDIT",
		Short: "sign what another person has proposed to edit",
		Long: `Show what another person has proposed to edit. With --sign and the digest that is shown it is
signed: the message goes on with the edited content, and a difference "edited in hub" stays
open until its source agrees. It needs the role that the catalog names as second for the
field. Nobody signs what is his own proposal.`,
		Example: "  gapless exceptions sign 0f3a09a6f8d1c0a45c1e5ef2a3cf7b10\n  gapless exceptions sign 0f3a09a6f8d1c0a45c1e5ef2a3cf7b10 --sign 5b1c...",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			route := "/v1/edits/" + url.PathEscape(args[0])
			if signed != "" {
				return c.tellDifference(cmd.Context(), &n, route+"/sign", map[string]any{"signed": signed})
			}
			return tells(c, &n, func(h *client, e *api.EditView) error { return h.get(cmd.Context(), route, nil, e) }, func(e *api.EditView) {
				c.printEdit(e)
				if e.Difference != nil {
					c.printDifference(e.Difference)
				}
			})
		},
	}
	n.flags(cmd)
	cmd.Flags().StringVar(&signed, "sign", "", "sign with this `DIGEST`, as it was shown")
	return cmd
}

func (c *cli) refuseCommand() *cobra.Command {
	var n connection
	var why string
	cmd := &cobra.Command{
		Use:     "refuse EDIT --why REASON",
		Short:   "refuse what another person has proposed to edit",
		Long:    "Refuse what is proposed, as one who could sign it; or take back what you have proposed. The\nmessage stays as it was.",
		Example: `  gapless exceptions refuse 0f3a09a6f8d1c0a45c1e5ef2a3cf7b10 --why "the scale was not tared"`,
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return posts(cmd.Context(), c, &n, "/v1/edits/"+url.PathEscape(args[0])+"/refuse", map[string]any{"why": why}, c.printEdit)
		},
	}
	n.flags(cmd)
	cmd.Flags().StringVar(&why, "why", "", "the `REASON`, kept on record")
	return cmd
}

func (c *cli) correctCommand() *cobra.Command {
	var n connection
	var what, due, to string
	var within time.Duration
	cmd := &cobra.Command{
		Use:   "correct EXCEPTION --what TEXT (--due TIME | --in TIME)",
		Short: "ask the source of a message for a correction",
		Long: `Ask for a correction at source: what only the source can put right, such as an amount, a lot
or a time. It is listed with its due time, raised by itself when that passes, and ends by
itself when the source sends another version of the message, or corrects or reverses what it
stated. Of a command it asks about the message that the command follows from.

It is asked of the system that sent the message, unless --to names a person or an owner group.
It needs the role operator, quality or steward at the plant.`,
		Example: `  gapless exceptions correct 6f0c2f9a52d44a6cbd1e5ef2a3cf7b10 --what "the lot is 4712" --due 2026-12-01T12:00:00Z
  gapless exceptions correct 6f0c2f9a52d44a6cbd1e5ef2a3cf7b10 --what "the lot is 4712" --in 48h --to production`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (due == "") == (within == 0) {
				return usageError{errors.New("give either --due or --in")}
			}
			if due == "" {
				due = time.Now().Add(within).UTC().Format(time.RFC3339)
			}
			return posts(cmd.Context(), c, &n, "/v1/exceptions/"+url.PathEscape(args[0])+"/correct", map[string]any{"what": what, "due": due, "to": to}, c.printCorrection)
		},
	}
	n.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&what, "what", "", "`TEXT`: what is to be corrected")
	flags.StringVar(&due, "due", "", "until this `TIME`, as in 2026-12-01T12:00:00Z")
	flags.DurationVar(&within, "in", 0, "within this `TIME` from now, as in 48h")
	flags.StringVar(&to, "to", "", "`WHO` is asked; default the system that sent the message")
	return cmd
}

func (c *cli) correctionsCommand() *cobra.Command {
	var n connection
	var all bool
	cmd := &cobra.Command{
		Use:     "corrections",
		Short:   "list the corrections that are asked of sources",
		Long:    "List the corrections that are open, the one that is due next first.",
		Example: "  gapless exceptions corrections\n  gapless exceptions corrections end 77b0...a1 --why \"the scale is gone\"",
		Args:    arguments(cobra.NoArgs),
	}
	cmd.RunE = asks(c, &n, "/v1/corrections", func() url.Values { return allOf(all) }, func(list *api.CorrectionList) {
		if len(list.Corrections) == 0 {
			fmt.Fprintln(c.out, "no correction is asked of a source")
		}
		for i := range list.Corrections {
			c.printCorrection(&list.Corrections[i])
		}
		c.tellCut(len(list.Corrections))
	})
	n.flags(cmd)
	cmd.Flags().BoolVar(&all, "all", false, "also those that are no longer open")
	cmd.AddCommand(c.endCorrectionCommand())
	return cmd
}

func (c *cli) endCorrectionCommand() *cobra.Command {
	var n connection
	var why string
	cmd := &cobra.Command{
		Use:     "end CORRECTION --why REASON",
		Short:   "end a correction that nobody waits for any more",
		Long:    "End a correction by hand. By itself it ends when the source has sent something else. It needs\nthe role operator, quality or steward at the plant.",
		Example: "  gapless exceptions corrections end 77b009a6f8d1c0a45c1e5ef2a3cf7b10 --why \"the scale is gone\"",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return posts(cmd.Context(), c, &n, "/v1/corrections/"+url.PathEscape(args[0])+"/end", map[string]any{"why": why}, c.printCorrection)
		},
	}
	n.flags(cmd)
	cmd.Flags().StringVar(&why, "why", "", "the `REASON`, kept on record")
	return cmd
}

func (c *cli) printCorrection(x *api.CorrectionView) {
	text := "until " + x.Due
	switch {
	case x.Ended != "":
		text = x.State + " " + x.Ended + ": " + x.Resolution
	case x.Late:
		text += ", late"
	}
	fmt.Fprintf(c.out, "%s of %s/%s %s, asked of %s by %s, %s\n  %s\n", x.Correction, x.System, x.Name, x.SourceID, x.To, x.By, text, x.What)
}
