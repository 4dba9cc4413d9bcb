package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gapless/gapless/api"
)

// deskFilter chooses exceptions.
type deskFilter struct {
	openFilter
	owner, state, from, to string
	mine                   bool
}

func (f *deskFilter) flags(cmd *cobra.Command) {
	f.openFilter.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.owner, "owner", "", "only what is for this person or owner `GROUP`")
	flags.BoolVar(&f.mine, "mine", false, "only what is assigned to you")
	flags.StringVar(&f.state, "state", "", "open, snoozed, resolved, waived or all (`STATE`; default open)")
	flags.StringVar(&f.from, "from", "", "only what was raised at this `TIME` or later")
	flags.StringVar(&f.to, "to", "", "only what was raised before this `TIME`")
}

func (f *deskFilter) query() url.Values {
	q := values("plant", f.plant, "system", f.system, "reason", f.reason, "owner", f.owner, "state", f.state, "from", f.from, "to", f.to)
	if f.mine {
		q.Set("mine", "true")
	}
	return q
}

// showQueue prints the groups.
func (c *cli) showQueue(ctx context.Context, n *connection, f *deskFilter) error {
	h, err := n.client()
	if err != nil {
		return err
	}
	asked := f.query()
	var all api.Groups
	if err := h.get(ctx, "/v1/exceptions/groups", asked, &all); err != nil {
		return err
	}
	if c.json {
		return c.printJSON(all)
	}
	defer c.tellWaiting(&all)
	if len(all.Groups) == 0 {
		text := "nothing stands still"
		if len(asked) > 0 {
			text = "nothing of what is asked for stands still"
		}
		fmt.Fprintln(c.out, text)
		return nil
	}
	t := newTable(">count", "oldest", "until", "class", "for", "group")
	for i := range all.Groups {
		g := &all.Groups[i]
		t.add(count(g.Count), age(g.AgeSeconds), until(g.Deadline, g.Late)+stages(g), g.Class, strings.Join(g.Owners, ", "), g.Group)
	}
	t.write(c.out, "")
	for i := range all.Groups {
		g := &all.Groups[i]
		fmt.Fprintf(c.out, "\n%s\n  %s: %s\n  %s\n", g.Group, g.Title, g.Effect, g.Remedy)
	}
	return nil
}

// age is a time in its largest unit: "3 d".
func age(seconds int64) string {
	switch d := time.Duration(seconds) * time.Second; {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d d", d/(24*time.Hour))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d s", seconds)
}

// stages says how many of a group were warned of or went to another owner.
func stages(g *api.GroupView) string {
	text := ""
	if g.Warned > 0 {
		text += fmt.Sprintf(", %s warned", count(g.Warned))
	}
	if g.Escalated > 0 {
		text += fmt.Sprintf(", %s escalated", count(g.Escalated))
	}
	return text
}

func until(deadline string, late bool) string {
	at, err := time.Parse(time.RFC3339Nano, deadline)
	if err != nil {
		return ""
	}
	text := at.Format("2006-01-02 15:04Z")
	if late {
		text += " late"
	}
	return text
}

func (c *cli) showExceptionsCommand() *cobra.Command {
	var n connection
	f := &deskFilter{}
	var oldest, raw bool
	var page listPage
	cmd := &cobra.Command{
		Use:   "show GROUP|EXCEPTION",
		Short: "open a group, or tell everything about one exception",
		Long: `Of a group, list its exceptions with what each is about. Of one exception, named by the id
of its message or the key of its command, tell the message, the mapped event, the command
with every attempt and the system's own words, what to do, and every act on record.`,
		Example: `  gapless exceptions show graz/erp/command/receive-goods/period_closed --oldest
  gapless exceptions show 6f0c2f9a52d44a6cbd1e5ef2a3cf7b10 --raw`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !strings.Contains(args[0], "/") {
				return c.showException(cmd.Context(), &n, args[0], raw)
			}
			q := f.query()
			q.Set("group", args[0])
			if oldest {
				q.Set("order", "oldest")
			}
			return c.listCases(cmd.Context(), &n, q, &page)
		},
	}
	n.flags(cmd)
	f.flags(cmd)
	page.flags(cmd)
	cmd.Flags().BoolVar(&oldest, "oldest", false, "of a group, the oldest first instead of the newest")
	cmd.Flags().BoolVar(&raw, "raw", false, "of one exception, with the raw content of its message: needs the role quality or steward, and goes on record")
	return cmd
}

// listPage is which part of a list is shown.
type listPage struct {
	limit int
	after string
}

func (p *listPage) flags(cmd *cobra.Command) {
	cmd.Flags().IntVar(&p.limit, "limit", 100, "show so many (`NUMBER`) at most")
	cmd.Flags().StringVar(&p.after, "after", "", "go on behind this `PLACE`, as the page before says")
}

// listCases prints one page of exceptions.
func (c *cli) listCases(ctx context.Context, n *connection, q url.Values, p *listPage) error {
	h, err := n.client()
	if err != nil {
		return err
	}
	q.Set("limit", strconv.Itoa(p.limit))
	if p.after != "" {
		q.Set("after", p.after)
	}
	var page api.Cases
	if err := h.get(ctx, "/v1/exceptions/search", q, &page); err != nil {
		return err
	}
	if c.json {
		return c.printJSON(page)
	}
	if len(page.Exceptions) == 0 {
		fmt.Fprintln(c.out, "nothing is found")
		return nil
	}
	for i := range page.Exceptions {
		c.printCase(&page.Exceptions[i])
	}
	if page.Next != "" {
		fmt.Fprintf(c.out, "\nthere are more: --after %s\n", page.Next)
	}
	return nil
}

// printCase prints an exception with what it is about.
func (c *cli) printCase(x *api.CaseView) {
	printException(c.out, &x.ExceptionView)
	if x.SourceID != "" {
		fmt.Fprintf(c.out, "    id %s\n", x.SourceID)
	}
	if len(x.Keys) > 0 {
		fmt.Fprintf(c.out, "    about %s\n", strings.Join(x.Keys, ", "))
	}
	for _, a := range x.Amounts {
		fmt.Fprintf(c.out, "    at stake: %s %s %s\n", a.Measure, grouped(a.Value), a.Unit)
	}
	if x.Assignee != "" {
		fmt.Fprintf(c.out, "    %s has it\n", x.Assignee)
	}
	for _, m := range x.Moments {
		c.printMoment(&m)
	}
	if x.Stage != "" && len(x.Moments) == 0 {
		fmt.Fprintf(c.out, "    %s\n", x.Stage)
	}
	if x.Snoozed != "" {
		fmt.Fprintf(c.out, "    snoozed to %s\n", x.Snoozed)
	}
}

// printMoment prints when an exception is or was warned of, or goes or went to another owner.
func (c *cli) printMoment(m *api.MomentView) {
	switch {
	case m.What == "warning" && m.Passed == "":
		fmt.Fprintf(c.out, "    is warned of at %s\n", m.Due)
	case m.What == "warning":
		fmt.Fprintf(c.out, "    was warned of at %s\n", m.Passed)
	case m.Passed == "":
		fmt.Fprintf(c.out, "    goes to %s at %s\n", m.To, m.Due)
	default:
		fmt.Fprintf(c.out, "    went to %s at %s\n", m.To, m.Passed)
	}
}

func (c *cli) showException(ctx context.Context, n *connection, id string, raw bool) error {
	h, err := n.client()
	if err != nil {
		return err
	}
	q := url.Values{}
	if raw {
		q.Set("raw", "true")
	}
	var x api.CaseView
	if err := h.get(ctx, "/v1/exceptions/"+url.PathEscape(id), q, &x); err != nil {
		return err
	}
	if c.json {
		return c.printJSON(x)
	}
	c.printWholeCase(&x)
	return nil
}

// printWholeCase prints everything that is known of an exception.
func (c *cli) printWholeCase(x *api.CaseView) {
	fmt.Fprintln(c.out, x.Group)
	c.printCase(x)
	if x.Event != nil {
		fmt.Fprintln(c.out, "\nevent")
		printLine(c.out, x.Event, nil)
	}
	for _, m := range x.Mapped {
		fmt.Fprintf(c.out, "\nwould be %s\n", m.Type)
	}
	if x.Step != nil {
		fmt.Fprintln(c.out, "\ncommand")
		fmt.Fprintf(c.out, "  %s of %s is %s\n", x.Step.Name, cmp.Or(x.Step.System, x.Step.Role), x.Step.Status)
		for _, a := range x.Step.Attempts {
			fmt.Fprintf(c.out, "  attempt %d, %s: %s %s\n", a.Number, a.Begun, cmp.Or(a.Outcome, "no end is known"), a.Words)
		}
	}
	if x.Received != nil {
		fmt.Fprintln(c.out, "\nmessage")
		printMessage(c.out, x.Received)
		if x.Received.Body != nil {
			fmt.Fprintf(c.out, "    %s\n", *x.Received.Body)
		}
	}
	if len(x.Edits) > 0 {
		fmt.Fprintln(c.out, "\nedits")
	}
	for i := range x.Edits {
		c.printEdit(&x.Edits[i])
	}
	if len(x.Corrections) > 0 {
		fmt.Fprintln(c.out, "\ncorrections at source")
	}
	for i := range x.Corrections {
		c.printCorrection(&x.Corrections[i])
	}
	if len(x.History) > 0 {
		fmt.Fprintln(c.out, "\nhistory")
	}
	for i := range x.History {
		fmt.Fprintf(c.out, "  %s\n", actText(&x.History[i]))
	}
}

// actText is an act as a line.
func actText(a *api.ActView) string {
	parts := []string{fmt.Sprintf("%s %s %s", a.Recorded, a.Principal, a.Act)}
	names := maps.Clone(a.Before)
	if names == nil {
		names = map[string]string{}
	}
	maps.Copy(names, a.After)
	for _, name := range slices.Sorted(maps.Keys(names)) {
		before, after := a.Before[name], a.After[name]
		if before != "" || after != "" {
			parts = append(parts, fmt.Sprintf("%s %s -> %s", name, cmp.Or(before, "-"), cmp.Or(after, "-")))
		}
	}
	text := strings.Join(parts, ", ")
	if said := cmp.Or(a.Why, a.Detail); said != "" {
		text += ": " + said
	}
	lines := []string{text}
	for _, s := range a.Signatures {
		lines = append(lines, fmt.Sprintf("    signed by %s (%s), %s", s.By, strings.Join(s.Roles, ", "), s.Meaning))
	}
	return strings.Join(lines, "\n")
}

func (c *cli) searchExceptionsCommand() *cobra.Command {
	var n connection
	f := &deskFilter{}
	var page listPage
	var content, amount string
	cmd := &cobra.Command{
		Use:   "search [WORD...]",
		Short: "find exceptions by business keys, words, amounts, times and what messages say",
		Long: `Find exceptions of every state that have all the words, and all else that is asked for. A
word with a slash is the beginning of a ref as it is written: lot/M-100/4711. Any other is
the beginning of a part of a ref, of an id, or of a word of what is wrong, in small or
capital letters. The newest come first.

--amount compares what is at stake, exactly, with an amount in any unit of the same kind:
">=100 kg", or of one measure alone "scrap > 2.5 KGM". --content finds words of the message
itself; it needs the role quality or steward, and finds nothing of other plants.`,
		Example: `  gapless exceptions search lot/M-100/4711
  gapless exceptions search SP1903001 --state open
  gapless exceptions search stock location --plant graz --from 2026-03-01T00:00:00Z
  gapless exceptions search --amount '>=100 kg' --reason period_closed
  gapless exceptions search --content 'black spots' --plant graz`,
		RunE: func(cmd *cobra.Command, args []string) error {
			q := f.query()
			for name, value := range map[string]string{"content": content, "amount": amount} {
				if value != "" {
					q.Set(name, value)
				}
			}
			if len(args) == 0 && len(q) == 0 {
				return usageError{errors.New("say what is searched for; see `gapless exceptions search --help`")}
			}
			if f.state == "" {
				q.Set("state", "all")
			}
			if len(args) > 0 {
				q.Set("text", strings.Join(args, " "))
			}
			return c.listCases(cmd.Context(), &n, q, &page)
		},
	}
	n.flags(cmd)
	f.flags(cmd)
	page.flags(cmd)
	cmd.Flags().StringVar(&content, "content", "", "only what the raw content of its message says: `WORDS`")
	cmd.Flags().StringVar(&amount, "amount", "", "only where so much is at stake: `AMOUNT`, as in '>=100 kg'")
	return cmd
}
