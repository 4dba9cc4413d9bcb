package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gapless/gapless/api"
)

func (c *cli) bulkCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "bulk",
		Short: "bulk work: what was decided about many exceptions at once",
		Long:  "Bulk work goes on by itself until every member has had its turn. What becomes of a member\nis on record in the commit that does it, so that none is done twice.",
		Args:  arguments(cobra.NoArgs),
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.listBulkCommand(), c.showBulkCommand())
	for _, m := range [][3]string{
		{"pause", "pause bulk work", "No further member has its turn until it goes on."},
		{"continue", "let paused bulk work go on", "The members that are left have their turn."},
		{"cancel", "cancel bulk work", "What had its turn stays; the others are left as they are."},
	} {
		cmd.AddCommand(c.moveBulkCommand(m[0], m[1], m[2]))
	}
	return cmd
}

func (c *cli) listBulkCommand() *cobra.Command {
	var n connection
	cmd := &cobra.Command{
		Use: "list", Short: "list bulk work", Long: "List bulk work, the newest first.", Example: "  gapless exceptions bulk list",
		Args: arguments(cobra.NoArgs),
	}
	cmd.RunE = asks(c, &n, "/v1/bulk", newest, func(all *api.BulkList) {
		if len(all.Bulk) == 0 {
			fmt.Fprintln(c.out, "no bulk work is on record")
			return
		}
		t := newTable("bulk", "what", "state", ">members", ">left", "by", "begun", "group")
		for i := range all.Bulk {
			b := &all.Bulk[i]
			t.add(b.Bulk, b.What, b.State, count(b.Members), count(b.Left), b.By, b.Created, b.Group)
		}
		t.write(c.out, "")
		c.tellCut(len(all.Bulk))
	})
	n.flags(cmd)
	return cmd
}

func (c *cli) showBulkCommand() *cobra.Command {
	var n connection
	var wait bool
	cmd := &cobra.Command{
		Use: "show BULK", Short: "tell how far bulk work has come, and what became of each member",
		Long:    "Tell how far bulk work has come, what became of each member, and how it stands now.",
		Example: "  gapless exceptions bulk show 66ed87ecda2c46379b5c431090506d94 --wait",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := n.client()
			if err != nil {
				return err
			}
			_, err = c.tellBulk(cmd.Context(), h, args[0], wait)
			return err
		},
	}
	n.flags(cmd)
	cmd.Flags().BoolVar(&wait, "wait", false, "stay until it is done, paused or cancelled, and show how far it is")
	return cmd
}

func (c *cli) moveBulkCommand(name, short, long string) *cobra.Command {
	var n connection
	var why string
	cmd := &cobra.Command{
		Use: name + " BULK", Short: short, Long: long + " It needs the role operator or quality at its plant.", Example: "  gapless exceptions bulk " + name + " 66ed87ecda2c46379b5c431090506d94",
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			return posts(cmd.Context(), c, &n, "/v1/bulk/"+url.PathEscape(args[0])+"/"+name, map[string]string{"why": why}, func(b *api.BulkView) {
				fmt.Fprintln(c.out, bulkText(b))
			})
		},
	}
	n.flags(cmd)
	cmd.Flags().StringVar(&why, "why", "", "the `REASON`, kept on record")
	return cmd
}

// bulkText is how far bulk work has come, in one line.
func bulkText(b *api.BulkView) string {
	parts := []string{fmt.Sprintf("bulk work %s (%s) is %s: %s", b.Bulk, b.What, b.State, plural(int(b.Members), "member"))}
	for _, outcome := range []string{"resumed", "done", "held", "moved-on", "failed"} {
		if n := b.Outcomes[outcome]; n > 0 {
			parts = append(parts, count(n)+" "+outcome)
		}
	}
	if b.Left > 0 {
		parts = append(parts, count(b.Left)+" left")
	}
	return strings.Join(parts, ", ")
}

// startBulk begins to do something with a group.
func (c *cli) startBulk(ctx context.Context, n *connection, g *groupFlags, what string, told map[string]string) error {
	h, err := n.client()
	if err != nil {
		return err
	}
	body := map[string]any{"group": g.group, "first": g.first, "what": what}
	for name, value := range told {
		body[name] = value
	}
	var b api.BulkView
	if err := h.send(ctx, http.MethodPost, "/v1/bulk", body, &b); err != nil {
		return err
	}
	if g.wait && b.Members > 0 {
		done, err := c.tellBulk(ctx, h, b.Bulk, true)
		if err == nil && done.Outcomes["held"]+done.Outcomes["failed"] > 0 {
			err = foundError{fmt.Errorf("not every member of %s went on", g.group)}
		}
		return err
	}
	if c.json {
		return c.printJSON(b)
	}
	fmt.Fprintln(c.out, bulkText(&b))
	if b.Members == 0 {
		fmt.Fprintln(c.out, "the queue shows nothing of this group: `gapless exceptions` names the groups")
	}
	return nil
}

// bulkLook is how often progress is asked for.
const bulkLook = 200 * time.Millisecond

// awaitBulk reads bulk work; with wait once it does not run any more, and until then it
// shows how far it is.
func (c *cli) awaitBulk(ctx context.Context, h *client, route string, wait bool) (b api.BulkView, err error) {
	look, p := time.NewTicker(bulkLook), c.progress()
	defer look.Stop()
	defer p.clear()
	for {
		b = api.BulkView{}
		if err = h.get(ctx, route, values("limit", "1000"), &b); err != nil || !wait || b.State != "running" {
			return b, err
		}
		p.show("%s", bulkText(&b))
		select {
		case <-ctx.Done():
			return b, ctx.Err()
		case <-look.C:
		}
	}
}

// tellBulk prints bulk work with what became of each member; with wait once it does
// not run any more.
func (c *cli) tellBulk(ctx context.Context, h *client, id string, wait bool) (api.BulkView, error) {
	route := "/v1/bulk/" + url.PathEscape(id)
	b, err := c.awaitBulk(ctx, h, route, wait)
	if ctx.Err() != nil && wait {
		fmt.Fprintf(c.err, "bulk work %s goes on by itself: see `gapless exceptions bulk show %[1]s`\n", id)
	}
	if err != nil {
		return b, err
	}
	all := b
	for page := b; page.Next > 0; all.Results = append(all.Results, page.Results...) {
		next := page.Next
		page = api.BulkView{}
		if err := h.get(ctx, route, values("limit", "1000", "after", strconv.FormatInt(next, 10)), &page); err != nil {
			return all, err
		}
	}
	all.Next = 0
	if c.json {
		return all, c.printJSON(all)
	}
	fmt.Fprintln(c.out, bulkText(&all))
	t := newTable(">n", "exception", "outcome", "now", "")
	for _, m := range all.Results {
		t.add(count(m.N), m.Exception, m.Outcome, m.Now, m.Words)
	}
	t.write(c.out, "  ")
	return all, nil
}
