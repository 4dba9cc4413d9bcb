package main

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/gapless/gapless"
	"github.com/gapless/gapless/alert"
	"github.com/gapless/gapless/api"
)

// alertsFile bounds the file with channels and routes, in bytes.
const alertsFile = 1 << 20

// openAlerts reads the file with channels and routes.
func (c *cli) openAlerts(path string) (*alert.Outlets, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("alerts: %w", err)
	}
	if info.Size() > alertsFile {
		return nil, fmt.Errorf("alerts: %s has %d bytes, more than %d", path, info.Size(), alertsFile)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("alerts: %w", err)
	}
	o, err := alert.Open(text, gapless.Secrets(c.getenv), time.Now)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return o, nil
}

func (c *cli) alertsCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "alerts",
		Short: "what people are told of exceptions, and by which channels",
		Long: `A hub tells people of groups of exceptions: once when a group begins to stand, once for each
power of ten that it grows to, once when it has ended, and when members are warned of or go
to another owner, being late. Channels (a file, a webhook, e-mail) and routes stand in the
file that "gapless serve --alerts" names: docs/alerts.md says how.`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.listAlertsCommand(), c.testAlertCommand())
	return cmd
}

func (c *cli) testAlertCommand() *cobra.Command {
	var path string
	cmd := &cobra.Command{
		Use:   "test CHANNEL",
		Short: "send a test by a channel",
		Long: `Send a test alert by a channel of the file, now and from here: the hub need not run. Secrets
are read as the hub reads them, so run it with the same environment.`,
		Example: "  gapless alerts test on-call --alerts alerts.yaml",
		Args:    arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if path == "" {
				return usageError{errors.New("--alerts is missing: name the file with the channels, as for gapless serve")}
			}
			o, err := c.openAlerts(path)
			if err != nil {
				return err
			}
			channel, err := o.Channel(args[0])
			if err != nil {
				return err
			}
			var id [16]byte
			_, _ = rand.Read(id[:]) // never fails: it ends the process instead
			m := alert.TestMessage(hex.EncodeToString(id[:]), time.Now())
			if err := channel.Send(cmd.Context(), m); err != nil {
				return err
			}
			if c.json {
				return c.printJSON(map[string]any{"channel": args[0], "message": m.ID})
			}
			fmt.Fprintf(c.out, "sent by %s: message %s\n", args[0], m.ID)
			return nil
		},
	}
	declare(cmd, "alerts", &path)
	return cmd
}

func (c *cli) listAlertsCommand() *cobra.Command {
	var n connection
	var plant, state string
	var page listPage
	cmd := &cobra.Command{
		Use:   "list",
		Short: "list what people were told, and what waits and why",
		Long:  "List alerts, the newest first: what was told of which group, by which channels it went out,\nand what waits to be sent and why.",
		Example: `  gapless alerts list
  gapless alerts list --state waiting --plant graz`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			h, err := n.client()
			if err != nil {
				return err
			}
			q := values("plant", plant, "state", state, "after", page.after)
			q.Set("limit", strconv.Itoa(page.limit))
			var all api.Alerts
			if err := h.get(cmd.Context(), "/v1/alerts", q, &all); err != nil {
				return err
			}
			return c.printAlerts(&all, q)
		},
	}
	n.flags(cmd)
	page.flags(cmd)
	cmd.Flags().StringVar(&plant, "plant", "", "only of this `PLANT`")
	cmd.Flags().StringVar(&state, "state", "", "only what is waiting, sent or given-up (`STATE`)")
	return cmd
}

func (c *cli) printAlerts(all *api.Alerts, q url.Values) error {
	if c.json {
		return c.printJSON(all)
	}
	if len(all.Alerts) == 0 {
		text := "nobody was told of anything: see gapless alerts --help"
		if q.Get("plant") != "" || q.Get("state") != "" || q.Get("after") != "" {
			text = "no such alert"
		}
		fmt.Fprintln(c.out, text)
		return nil
	}
	t := newTable("at", "what", ">count", "group", "channels")
	for i := range all.Alerts {
		a := &all.Alerts[i]
		t.add(a.At, what(a), count(a.Count), a.Group, channels(a.Sends))
	}
	t.write(c.out, "")
	for i := range all.Alerts {
		for _, s := range all.Alerts[i].Sends {
			if s.State != "sent" && s.Words != "" {
				fmt.Fprintf(c.out, "\n%s, %s by %s, %d tries: %s\n", all.Alerts[i].Group, s.State, s.Channel, s.Attempts, s.Words)
			}
		}
	}
	if all.Next != "" {
		fmt.Fprintf(c.out, "\nthere are more: --after %s\n", all.Next)
	}
	return nil
}

func what(a *api.AlertView) string {
	if a.To != "" {
		return a.Kind + " to " + a.To
	}
	return a.Kind
}

func channels(sends []api.AlertSendView) string {
	text := ""
	for _, s := range sends {
		if text != "" {
			text += ", "
		}
		text += s.Channel + " " + s.State
	}
	if text == "" {
		return "no route"
	}
	return text
}
