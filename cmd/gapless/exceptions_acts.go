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

// deskAct is one thing that a person does about an exception, or about a group.
type deskAct struct {
	name, args, short, long, example string // args: those behind the exception
	group                            string // example about a group
	flags                            func(cmd *cobra.Command)
	body                             func(args []string) (map[string]string, error)
}

// groupFlags are the flags by which an act is about a group.
type groupFlags struct {
	group string
	first int
	wait  bool
}

func (g *groupFlags) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&g.group, "group", "", "instead of one exception this `GROUP`, as the queue names it")
	cmd.Flags().IntVar(&g.first, "first", 0, "with --group: only so many (`NUMBER`), the oldest first")
	cmd.Flags().BoolVar(&g.wait, "wait", false, "with --group: stay until it is done, and show how far it is")
}

// about takes the exception off the arguments: "" where they are about a group. Behind it
// stand least to most others.
func (g *groupFlags) about(cmd *cobra.Command, args []string, least, most int) (exception string, rest []string, err error) {
	if g.group == "" && len(args) > 0 {
		exception, rest = args[0], args[1:]
	} else {
		rest = args
	}
	if (exception == "") == (g.group == "") || len(rest) < least || len(rest) > most {
		return "", nil, usageError{fmt.Errorf("name one exception, or a group with --group: %q; see `%s --help`", cmd.Use, cmd.CommandPath())}
	}
	some := cmd.Flags().Changed("first")
	if g.group == "" && (some || g.wait) {
		return "", nil, usageError{errors.New("--first and --wait are about a group: give --group, or leave them out")}
	}
	if some && g.first < 1 {
		return "", nil, usageError{fmt.Errorf("--first %d: give how many, or leave it out for all of the group", g.first)}
	}
	return exception, rest, nil
}

// deskActs are all of them but resume, which also takes groups.
func (c *cli) deskActs() []deskAct {
	var from, until string
	var within time.Duration
	return []deskAct{
		{
			"assign", "[TO]", "give an exception or a whole group to somebody",
			"Give an exception to a person or an owner group; without TO back to its owner. Where\nsomebody else has it, say with --from from whom it is taken over: of two who take it at\nonce, one gets it and the other is told.",
			`4be09a6f8d1c...91 anna.maier --why "she knows the press"`,
			`anna.maier --group graz/erp/command/receive-goods/period_closed`,
			func(cmd *cobra.Command) { cmd.Flags().StringVar(&from, "from", "", "`WHO` has it now") },
			func(args []string) (map[string]string, error) {
				return map[string]string{"to": strings.Join(args, ""), "from": from}, nil
			},
		},
		{
			"comment", "TEXT", "say something about an exception or a whole group", "What is said is kept on record, and stays with what is raised about the same thing again.",
			`4be09a6f8d1c...91 "asked the supplier"`, `"asked the supplier" --group graz/graz-mes/message/shift-report/lot_unknown`, nil,
			func(args []string) (map[string]string, error) {
				return map[string]string{"text": strings.Join(args, "")}, nil
			},
		},
		{
			"snooze", "", "put an exception or a whole group off", "It is not shown before the time, and comes back by itself; before that, where something\nelse stands in its way.",
			"4be09a6f8d1c...91 --for 4h", "--group graz/erp/command/receive-goods/period_closed --until 2026-04-01T06:00:00Z", func(cmd *cobra.Command) {
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
			"wake", "", "end the snoozing of an exception or a whole group", "It is shown again at once.", "4be09a6f8d1c...91", "--group graz/erp/command/receive-goods/period_closed", nil,
			func([]string) (map[string]string, error) { return map[string]string{}, nil },
		},
		{
			"waive", "", "give up what does not go on, or a whole group",
			"A message is not recorded: it stays kept, and figures say that they leave it out. A command\nis not performed any more: the system's books will differ, and the reason says why that is\nright.",
			`4be09a6f8d1c...91 --why "posted by hand, 5000009911"`,
			`--group graz/graz-mes/message/shift-report/unit_unknown --first 20 --why "a trial run"`, nil,
			func([]string) (map[string]string, error) { return map[string]string{}, nil },
		},
	}
}

func (c *cli) actCommand(a deskAct) *cobra.Command {
	var n connection
	var g groupFlags
	var why string
	least, most := 0, 0
	if a.args != "" {
		most = 1
		if !strings.HasPrefix(a.args, "[") {
			least = 1
		}
	}
	cmd := &cobra.Command{
		Use: strings.TrimSpace(a.name + " [EXCEPTION] " + a.args), Short: a.short,
		Long: a.long + `

EXCEPTION is the id of its message or the key of its command. With --group it is bulk work,
on record with what becomes of each member: see "gapless exceptions bulk". It needs the role
operator or quality at the plant. With --wait exit code 3 says that a member failed.`,
		Example: "  gapless exceptions " + a.name + " " + a.example + "\n  gapless exceptions " + a.name + " " + a.group,
		Args:    arguments(cobra.MaximumNArgs(most + 1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			exception, rest, err := g.about(cmd, args, least, most)
			if err != nil {
				return err
			}
			body, err := a.body(rest)
			if err != nil {
				return err
			}
			if why != "" {
				body["why"] = why
			}
			if exception == "" {
				return c.startBulk(cmd.Context(), &n, &g, a.name, body)
			}
			return c.decideAbout(cmd.Context(), &n, exception, a.name, body)
		},
	}
	n.flags(cmd)
	g.flags(cmd)
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
	held := act == "resume" && x.State == "open" && x.Step == nil
	switch {
	case c.json:
		err = c.printJSON(x)
	case held:
		fmt.Fprintf(c.out, "%s\n  %s\n", standsText(&x), x.Remedy)
	default:
		fmt.Fprintln(c.out, standsText(&x))
	}
	if err == nil && held {
		err = foundError{fmt.Errorf("%s is still held", x.Message)}
	}
	return err
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
	var g groupFlags
	var why string
	cmd := &cobra.Command{
		Use:   "resume [EXCEPTION]",
		Short: "let an exception go on, or a whole group",
		Long: `Let what stands still go on when its cause is put right: the period is open, the master data
is there. A message is taken in again from what was kept of it. Of a command the plan decides
anew from the state of now: it goes out again, or it is no longer wanted.

With --group it is bulk work, on record with what becomes of each member: resume a few with
--first to test what was put right, then all. It goes on without you, survives a restart, and
can be paused and cancelled: see "gapless exceptions bulk". It needs the role operator or
quality at the plant.

Exit code 3 says that it is still held; with --group and --wait, that a member is, or failed.`,
		Example: `  gapless exceptions resume 4be09a6f8d1c...91
  gapless exceptions resume --group graz/erp/command/receive-goods/period_closed --first 3
  gapless exceptions resume --group graz/erp/command/receive-goods/period_closed --wait`,
		Args: arguments(cobra.MaximumNArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			exception, _, err := g.about(cmd, args, 0, 0)
			if err != nil {
				return err
			}
			body := map[string]string{"why": why}
			if exception == "" {
				return c.startBulk(cmd.Context(), &n, &g, "resume", body)
			}
			return c.decideAbout(cmd.Context(), &n, exception, "resume", body)
		},
	}
	n.flags(cmd)
	g.flags(cmd)
	cmd.Flags().StringVar(&why, "why", "", "the `REASON`, kept on record")
	return cmd
}
