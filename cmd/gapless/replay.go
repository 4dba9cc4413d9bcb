package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gapless/gapless/api"
)

// replayRoute is where the hub has a replay.
func replayRoute(id string, more ...string) string {
	return "/v1/replays/" + strings.Join(append([]string{url.PathEscape(id)}, more...), "/")
}

func (c *cli) replayCommand() *cobra.Command {
	var n connection
	var choice api.ReplayChoice
	var why string
	times := map[string]*api.Instant{
		"recorded-from": &choice.RecordedFrom, "recorded-to": &choice.RecordedTo, "occurred-from": &choice.OccurredFrom, "occurred-to": &choice.OccurredTo,
	}
	cmd := &cobra.Command{
		Use:   "replay",
		Short: "take kept messages in once more, under the catalog in force",
		Long: `Take kept messages in once more: a month under a corrected mapping, an order whose scrap
was counted twice. First comes a dry run. It looks at what would become of every message
that is chosen and changes nothing: which events would differ, field by field, which
figures would move, which commands would go out, and which would not because they are
applied already. Then "gapless replay run" does that, and nothing else.

A message is chosen where everything holds that is given; of several --about one is enough.
What changes becomes a correction on record, never an overwrite, and what is applied
already is not performed again. A replay is of one plant, and needs the role steward
there; above the limit of the catalog a second person with the role approver approves it.`,
		Example: `  gapless replay --plant graz --outdated --recorded-from 2026-03-01T00:00:00+01:00 --why "scrap is split"
  gapless replay --plant graz --about order/1000123 --about lot/M-100/4711
  gapless replay --plant graz --system graz-mes --message shift-report --type scrap.declared`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if choice.Plant == "" {
				return usageError{errors.New("give --plant: a replay is of one plant")}
			}
			return c.proposeReplay(cmd.Context(), &n, &choice, why)
		},
	}
	n.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&choice.Plant, "plant", "", "messages of this `PLANT`")
	flags.StringArrayVar(&choice.Keys, "about", nil, "about this `KEY`: a ref such as order/1000123, the id of a message or of an event; may be given again")
	flags.StringVar(&choice.System, "system", "", "sent by this `SYSTEM`")
	flags.StringVar(&choice.Message, "message", "", "source `MESSAGES` of this name")
	flags.StringVar(&choice.Type, "type", "", "that made an event of this `TYPE`")
	flags.BoolVar(&choice.Outdated, "outdated", false, "that another version of their mapping made than the one in force")
	flags.StringVar(&choice.Revision, "revision", "", "that were made under the catalog whose `DIGEST` begins so")
	for name, text := range map[string]string{
		"recorded-from": "recorded at this `TIME` or later", "recorded-to": "recorded before this `TIME`",
		"occurred-from": "that tell of something at this `TIME` or later", "occurred-to": "that tell of something before this `TIME`",
	} {
		flags.StringVar((*string)(times[name]), name, "", text)
	}
	flags.StringVar(&why, "why", "", "the `REASON`, kept on record")
	cmd.AddCommand(c.listReplaysCommand(), c.showReplayCommand(), c.runReplayCommand())
	for _, m := range [][3]string{
		{"approve", "approve a replay as a second person", "Approve what the dry run has shown. It needs the role approver at its plant, and another\nperson than the one who proposed it."},
		{"pause", "pause a replay", "No further message has its turn until it goes on."},
		{"continue", "let a paused replay go on", "The messages that are left have their turn."},
		{"cancel", "cancel a replay", "What had its turn stays; the others are left as they are."},
	} {
		cmd.AddCommand(c.moveReplayCommand(m[0], m[1], m[2]))
	}
	return cmd
}

// proposeReplay begins a dry run, waits for it and tells what it has found. Where the
// person does not wait, the dry run is cancelled.
func (c *cli) proposeReplay(ctx context.Context, n *connection, choice *api.ReplayChoice, why string) error {
	h, err := n.client()
	if err != nil {
		return err
	}
	body := struct {
		*api.ReplayChoice
		Why string `json:"why,omitempty"`
	}{choice, why}
	var v api.ReplayView
	if err := h.send(ctx, http.MethodPost, "/v1/replays", body, &v); err != nil {
		return err
	}
	if v.Replay != "" {
		id := v.Replay
		v, err = c.awaitReplay(ctx, h, id, "examining")
		if ctx.Err() != nil {
			return c.giveUpReplay(context.WithoutCancel(ctx), h, id, ctx.Err())
		}
		if err != nil {
			return err
		}
	}
	if c.json {
		return c.printJSON(v)
	}
	printReplay(c.out, &v)
	return nil
}

// giveUpReplay cancels a dry run for which nobody waits any more.
func (c *cli) giveUpReplay(ctx context.Context, h *client, id string, cause error) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var v api.ReplayView
	if err := h.send(ctx, http.MethodPost, replayRoute(id, "cancel"), map[string]string{"why": "nobody waited for its dry run"}, &v); err != nil {
		return fmt.Errorf("the dry run %s goes on, it could not be cancelled: %w", id, err)
	}
	fmt.Fprintf(c.err, "the dry run %s is cancelled\n", id)
	return cause
}

// awaitReplay waits while a replay is in one of the states, and shows how far it is.
func (c *cli) awaitReplay(ctx context.Context, h *client, id string, states ...string) (api.ReplayView, error) {
	look, p := time.NewTicker(bulkLook), c.progress()
	defer look.Stop()
	defer p.clear()
	for {
		var v api.ReplayView
		if err := h.get(ctx, replayRoute(id), nil, &v); err != nil {
			return v, err
		}
		if !strings.Contains(" "+strings.Join(states, " ")+" ", " "+v.State+" ") {
			return v, nil
		}
		p.show("%s", replayText(&v))
		select {
		case <-ctx.Done():
			return v, ctx.Err()
		case <-look.C:
		}
	}
}

// replayText is how far a replay has come, in one line.
func replayText(v *api.ReplayView) string {
	parts := []string{fmt.Sprintf("replay %s is %s: %s", v.Replay, v.State, plural(int(v.Members), "message"))}
	if v.Examined < v.Members {
		return parts[0] + ", " + count(v.Examined) + " looked at"
	}
	if len(v.Outcomes) == 0 {
		return parts[0]
	}
	parts = append(parts, countsText(v.Outcomes))
	if v.Left > 0 {
		parts = append(parts, count(v.Left)+" left")
	}
	return strings.Join(parts, ", ")
}

// printReplay prints a replay with what its dry run has found, and what to do next.
func printReplay(w io.Writer, v *api.ReplayView) {
	if v.Replay == "" {
		fmt.Fprintln(w, "no message is chosen, and nothing was begun")
	} else {
		fmt.Fprintf(w, "%s\n", replayText(v))
		fmt.Fprintf(w, "under revision %.12s the messages of plant %s would become: %s\n", v.Revision, v.Choice.Plant, countsText(v.Found))
	}
	if v.Erased > 0 {
		fmt.Fprintf(w, "%s chosen and left out, because the content was erased: %s\n", plural(int(v.Erased), "message"), strings.Join(v.ErasedMessages, " "))
	}
	printReplayFigures(w, v.Figures)
	if len(v.Commands) > 0 {
		fmt.Fprintln(w, "\ncommands")
		t := newTable("", ">count", "command", "of", "reaction", "")
		for _, x := range v.Commands {
			t.add(x.Effect, count(x.Steps), x.Command, x.System, x.Reaction, x.Status)
		}
		t.write(w, "  ")
	}
	switch {
	case v.State == "proposed" && v.NeedsApproval:
		fmt.Fprintf(w, "\nThese are more messages than one person may replay: somebody else with the role approver\napproves it with `gapless replay approve %s`.\n", v.Replay)
	case v.State == "proposed" || v.State == "approved":
		fmt.Fprintf(w, "\nNothing is changed yet. See the messages with `gapless replay show %s`,\nrun it within a day with `gapless replay run %[1]s`.\n", v.Replay)
	}
}

func printReplayFigures(w io.Writer, figures []api.ReplayFigureView) {
	if len(figures) == 0 {
		return
	}
	fmt.Fprintln(w, "\nfigures of what would change")
	t := newTable("measure", "of", ">before", ">after", ">difference", "unit")
	for _, f := range figures {
		t.add(f.Measure, strings.TrimSpace(f.Material+" "+f.Order), grouped(f.Before), grouped(f.After), grouped(f.Difference), f.Unit)
	}
	t.write(w, "  ")
}

func (c *cli) listReplaysCommand() *cobra.Command {
	var n connection
	cmd := &cobra.Command{
		Use: "list", Short: "list replays", Long: "List replays, the newest first.", Example: "  gapless replay list",
		Args: arguments(cobra.NoArgs),
	}
	cmd.RunE = asks(c, &n, "/v1/replays", newest, func(all *api.ReplayList) {
		if len(all.Replays) == 0 {
			fmt.Fprintln(c.out, "no replay is on record; `gapless replay --plant PLANT` begins one with a dry run")
			return
		}
		t := newTable("replay", "state", ">messages", ">left", "plant", "by", "begun", "why")
		for i := range all.Replays {
			v := &all.Replays[i]
			t.add(v.Replay, v.State, count(v.Members), count(v.Left), v.Choice.Plant, v.By, v.Created, v.Why)
		}
		t.write(c.out, "")
		c.tellCut(len(all.Replays))
	})
	n.flags(cmd)
	return cmd
}

// replayPage says which messages of a replay are shown.
type replayPage struct {
	result       string
	after, limit int
	figures      bool
}

func (c *cli) showReplayCommand() *cobra.Command {
	var n connection
	var p replayPage
	cmd := &cobra.Command{
		Use: "show REPLAY", Short: "show what a dry run has found, and what became of each message",
		Long:    "Show what a dry run has found: of every message the events that would change, field by\nfield, and its commands; once it runs also what became of it.",
		Example: "  gapless replay show 66ed87ecda2c46379b5c431090506d94 --result corrected --limit 10\n  gapless replay show 66ed87ecda2c46379b5c431090506d94 --figures",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := n.client()
			if err != nil {
				return err
			}
			if p.figures {
				return c.showReplayFigures(cmd.Context(), h, args[0])
			}
			return c.showReplay(cmd.Context(), h, args[0], &p)
		},
	}
	n.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&p.result, "result", "", "only messages of which the dry run has found `THIS`: corrected, unchanged, held ...")
	flags.IntVar(&p.after, "after", 0, "messages behind this `NUMBER`")
	flags.IntVar(&p.limit, "limit", 50, "so many messages")
	flags.BoolVar(&p.figures, "figures", false, "show all figures that would move, by material and order")
	return cmd
}

func (c *cli) showReplay(ctx context.Context, h *client, id string, p *replayPage) error {
	var v api.ReplayView
	if err := h.get(ctx, replayRoute(id), nil, &v); err != nil {
		return err
	}
	var page api.ReplayMembers
	if err := h.get(ctx, replayRoute(id, "members"), values("result", p.result, "after", strconv.Itoa(p.after), "limit", strconv.Itoa(p.limit)), &page); err != nil {
		return err
	}
	if c.json {
		return c.printJSON(struct {
			api.ReplayView
			Page api.ReplayMembers `json:"page"`
		}{v, page})
	}
	printReplay(c.out, &v)
	fmt.Fprintln(c.out)
	for i := range page.Members {
		printReplayMember(c.out, &page.Members[i])
	}
	if page.Next > 0 {
		fmt.Fprintf(c.out, "there are more: --after %d\n", page.Next)
	}
	return nil
}

func printReplayMember(w io.Writer, m *api.ReplayMemberView) {
	parts := []string{fmt.Sprintf("%d  %s of %s/%s %s", m.N, m.Message, m.System, m.Name, m.SourceID)}
	for _, more := range [][2]string{{m.Result, m.Found}, {m.Outcome, m.Words}} {
		switch {
		case more[0] == "":
		case more[1] == "":
			parts = append(parts, more[0])
		default:
			parts = append(parts, fmt.Sprintf("%s (%s)", more[0], more[1]))
		}
	}
	fmt.Fprintln(w, strings.Join(parts, "; "))
	for _, s := range m.Slots {
		fmt.Fprintf(w, "    %s %s %s\n", s.Change, strings.TrimSuffix(s.Type+" "+s.Slot, " "), s.Subject)
		for _, f := range s.Fields {
			fmt.Fprintf(w, "      %s: %s -> %s\n", f.Field, cmp.Or(f.Before, "-"), cmp.Or(f.After, "-"))
		}
		if s.More > 0 {
			fmt.Fprintf(w, "      and %s\n", plural(s.More, "further field"))
		}
	}
	for _, x := range m.Commands {
		fmt.Fprintf(w, "    %s %s of %s about %s (%s)\n", x.Effect, x.Command, x.System, x.Object, x.Status)
	}
}

func (c *cli) showReplayFigures(ctx context.Context, h *client, id string) error {
	all := api.ReplayFigures{Figures: []api.ReplayFigureView{}}
	for after := ""; ; {
		var page api.ReplayFigures
		if err := h.get(ctx, replayRoute(id, "figures"), values("after", after, "limit", "1000"), &page); err != nil {
			return err
		}
		all.Figures = append(all.Figures, page.Figures...)
		if after = page.Next; after == "" {
			break
		}
	}
	if c.json {
		return c.printJSON(all)
	}
	if len(all.Figures) == 0 {
		fmt.Fprintln(c.out, "no figure would move")
	}
	printReplayFigures(c.out, all.Figures)
	return nil
}

func (c *cli) runReplayCommand() *cobra.Command {
	var n connection
	var why string
	var wait bool
	cmd := &cobra.Command{
		Use: "run REPLAY", Short: "run a replay as it was shown",
		Long: `Run a replay as its dry run has shown it. A message of which something else would follow
by now is left alone, and said to have moved on. It is refused where the catalog in force
is another one, and where the dry run is older than a day: propose it anew then. It goes
on by itself, also where the hub is stopped meanwhile, and no message has its turn twice.`,
		Example: "  gapless replay run 66ed87ecda2c46379b5c431090506d94 --wait",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := n.client()
			if err != nil {
				return err
			}
			var v api.ReplayView
			if err := h.send(cmd.Context(), http.MethodPost, replayRoute(args[0], "run"), map[string]string{"why": why}, &v); err != nil {
				return err
			}
			if wait {
				if v, err = c.awaitReplay(cmd.Context(), h, args[0], "running"); err != nil {
					if cmd.Context().Err() != nil {
						fmt.Fprintf(c.err, "replay %s goes on by itself: see `gapless replay show %[1]s`\n", args[0])
					}
					return err
				}
			}
			if c.json {
				return c.printJSON(v)
			}
			c.printReplayText(&v)
			return nil
		},
	}
	n.flags(cmd)
	cmd.Flags().StringVar(&why, "why", "", "the `REASON`, kept on record")
	cmd.Flags().BoolVar(&wait, "wait", false, "stay until it is done, paused or cancelled, and show how far it is")
	return cmd
}

func (c *cli) printReplayText(v *api.ReplayView) { fmt.Fprintln(c.out, replayText(v)) }

func (c *cli) moveReplayCommand(name, short, long string) *cobra.Command {
	var n connection
	var why string
	cmd := &cobra.Command{
		Use: name + " REPLAY", Short: short, Long: long, Example: "  gapless replay " + name + " 66ed87ecda2c46379b5c431090506d94",
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return posts(cmd.Context(), c, &n, replayRoute(args[0], name), map[string]string{"why": why}, c.printReplayText)
		},
	}
	n.flags(cmd)
	cmd.Flags().StringVar(&why, "why", "", "the `REASON`, kept on record")
	return cmd
}
