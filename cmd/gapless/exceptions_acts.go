package main

import (
	"cmp"
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

// deskAct is one thing that a person does about an exception.
type deskAct struct {
	name, args, short, long, example string
	flags                            func(cmd *cobra.Command)
	body                             func(args []string) (map[string]string, error)
}

// deskActs are all of them but resume, which also takes groups.
func (c *cli) deskActs() []deskAct {
	var from, until string
	var within time.Duration
	return []deskAct{
		{
			"assign", "EXCEPTION [TO]", "give an exception to somebody",
			"Give an exception to a person or an owner group; without TO back to its owner. Where\nsomebody else has it, say with --from from whom it is taken over: of two who take it at\nonce, one gets it and the other is told.",
			`4be09a6f8d1c...91 anna.maier --why "she knows the press"`,
			func(cmd *cobra.Command) { cmd.Flags().StringVar(&from, "from", "", "`WHO` has it now") },
			func(args []string) (map[string]string, error) {
				return map[string]string{"to": strings.Join(args, ""), "from": from}, nil
			},
		},
		{
			"comment", "EXCEPTION TEXT", "say something about an exception", "What is said is kept on record, and stays with what is raised about the same thing again.",
			`4be09a6f8d1c...91 "asked the supplier"`, nil,
			func(args []string) (map[string]string, error) {
				return map[string]string{"text": strings.Join(args, "")}, nil
			},
		},
		{
			"snooze", "EXCEPTION", "put an exception off", "It is not shown before the time, and comes back by itself; before that, where something\nelse stands in its way.",
			"4be09a6f8d1c...91 --for 4h", func(cmd *cobra.Command) {
				cmd.Flags().StringVar(&until, "until", "", "to this `TIME`, as in 2026-03-02T06:00:00+01:00")
				cmd.Flags().DurationVar(&within, "for", 0, "for this `TIME` from now, as in 4h")
			},
			func([]string) (map[string]string, error) {
				if (until == "") == (within == 0) {
					return nil, usageError{errors.New("give either --until or --for")}
				}
				if until == "" {
					until = time.Now().Add(within).UTC().Format(time.RFC3339)
				}
				return map[string]string{"until": until}, nil
			},
		},
		{
			"wake", "EXCEPTION", "end the snoozing of an exception", "It is shown again at once.", "4be09a6f8d1c...91", nil,
			func([]string) (map[string]string, error) { return map[string]string{}, nil },
		},
		{
			"waive", "EXCEPTION", "give up what does not go on",
			"A message is not recorded: it stays kept, and figures say that they leave it out. A command\nis not performed any more: the system's books will differ, and the reason says why that is\nright.",
			`4be09a6f8d1c...91 --why "posted by hand, 5000009911"`, nil,
			func([]string) (map[string]string, error) { return map[string]string{}, nil },
		},
	}
}

func (c *cli) actCommand(a deskAct) *cobra.Command {
	var n connection
	var why string
	most := strings.Count(a.args, " ") + 1
	least := most
	if strings.Contains(a.args, "[") {
		least--
	}
	cmd := &cobra.Command{
		Use: a.name + " " + a.args, Short: a.short,
		Long:    a.long + "\n\nEXCEPTION is the id of its message or the key of its command. It needs the role operator or\nquality at its plant.",
		Example: "  gapless exceptions " + a.name + " " + a.example,
		Args:    arguments(cobra.RangeArgs(least, most)),
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := a.body(args[1:])
			if err != nil {
				return err
			}
			if why != "" {
				body["why"] = why
			}
			return c.decideAbout(cmd.Context(), &n, args[0], a.name, body)
		},
	}
	n.flags(cmd)
	if a.flags != nil {
		a.flags(cmd)
	}
	if a.name != "comment" {
		cmd.Flags().StringVar(&why, "why", "", "the `REASON`, kept on record")
	}
	return cmd
}

// decideAbout does something about one exception and tells how it stands.
func (c *cli) decideAbout(ctx context.Context, n *connection, id, act string, body map[string]string) error {
	h, err := n.client()
	if err != nil {
		return err
	}
	var x api.CaseView
	if err := h.send(ctx, http.MethodPost, "/v1/exceptions/"+url.PathEscape(id)+"/"+act, body, &x); err != nil {
		return err
	}
	if c.json {
		return c.printJSON(x)
	}
	fmt.Fprintln(c.out, standsText(&x))
	if act == "resume" && x.State == "open" && x.Step == nil {
		fmt.Fprintf(c.out, "  %s\n", x.Remedy)
		return foundError{fmt.Errorf("%s is still held", x.Message)}
	}
	return nil
}

// standsText is how an exception stands, in one line.
func standsText(x *api.CaseView) string {
	what := fmt.Sprintf("%s of %s/%s", x.ID, x.System, x.Name)
	if x.Step != nil {
		what = fmt.Sprintf("%s of %s", x.Step.Name, cmp.Or(x.Step.System, x.Step.Role))
		if x.State != "open" || x.Step.Status == "due" {
			return what + " is " + x.Step.Status
		}
	}
	text := what + ": " + x.State
	switch {
	case x.State != "open":
		if x.Resolution != "" {
			text += " (" + x.Resolution + ")"
		}
	case x.Snoozed != "":
		text += ", snoozed to " + x.Snoozed
	default:
		text += fmt.Sprintf(", %s (%s), for %s", x.Title, x.Reason, cmp.Or(x.Assignee, x.Owner))
	}
	return text
}

func (c *cli) resumeCommand() *cobra.Command {
	var n connection
	var why, group string
	var first int
	var wait bool
	cmd := &cobra.Command{
		Use:   "resume [EXCEPTION]",
		Short: "let an exception go on, or a whole group",
		Long: `Let what stands still go on when its cause is put right: the period is open, the master data
is there. A message is taken in again from what was kept of it. Of a command the plan decides
anew from the state of now: it goes out again, or it is no longer wanted.

With --group it is bulk work, on record with what becomes of each member: resume a few with
--first to test what was put right, then all. It goes on without you, survives a restart, and
can be paused and cancelled: see "gapless exceptions bulk". It needs the role operator or
quality at the plant.`,
		Example: `  gapless exceptions resume 4be09a6f8d1c...91
  gapless exceptions resume --group graz/erp/command/receive-goods/period_closed --first 3
  gapless exceptions resume --group graz/erp/command/receive-goods/period_closed --wait`,
		Args: arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if (len(args) == 1) == (group != "") {
				return usageError{errors.New("name one exception, or a group with --group; see `gapless exceptions resume --help`")}
			}
			if len(args) == 1 {
				return c.decideAbout(cmd.Context(), &n, args[0], "resume", map[string]string{"why": why})
			}
			return c.startBulk(cmd.Context(), &n, map[string]any{"group": group, "first": first, "why": why}, wait)
		},
	}
	n.flags(cmd)
	cmd.Flags().StringVar(&why, "why", "", "the `REASON`, kept on record")
	cmd.Flags().StringVar(&group, "group", "", "resume this `GROUP`, as the queue names it")
	cmd.Flags().IntVar(&first, "first", 0, "with --group: only so many (`NUMBER`), the oldest first")
	cmd.Flags().BoolVar(&wait, "wait", false, "with --group: stay until it is done, and show how far it is")
	return cmd
}
