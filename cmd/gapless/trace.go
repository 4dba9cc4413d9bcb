package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/gapless/gapless/api"
)

func (c *cli) traceCommand() *cobra.Command {
	var n connection
	var explain bool
	cmd := &cobra.Command{
		Use:   "trace NAME",
		Short: "tell what is on record about an order, lot, message or event",
		Long: `Tell what became of something: what was reported about it, by whom, when it happened
(in the plant's time) and when it was recorded (in UTC), which mapping of which revision
of the catalog made it, what policies object to, what was corrected, and what is open.

NAME is a reference with its kind and scope: order/1000123, lot/M-100/4711,
material/M-100, work-center/graz/L1. Or it is the id of a message or an event, as
answers, reports and traces name them: 32 hex digits, with .2 behind it for the second
statement.

--explain tells for each field of an event which fields of the message decide it, and
what in the mapping says so. It needs a role or key that may see the message.`,
		Example: `  gapless trace order/1000123
  gapless trace lot/M-100/4711
  gapless trace 6f0c2f9a52d44a6cbd1e5ef2a3cf7b10 --explain`,
		Args: arguments(cobra.ExactArgs(1)),
		RunE: func(cmd *cobra.Command, args []string) error {
			h, err := n.client()
			if err != nil {
				return err
			}
			query := values("name", args[0])
			if explain {
				query.Set("explain", "true")
			}
			if c.json {
				var document json.RawMessage
				if err := h.get(cmd.Context(), "/v1/trace", query, &document); err != nil {
					return err
				}
				return c.printJSON(document)
			}
			var t api.TraceView
			if err := h.get(cmd.Context(), "/v1/trace", query, &t); err != nil {
				return err
			}
			printTrace(c.out, &t)
			return nil
		},
	}
	n.flags(cmd)
	cmd.Flags().BoolVar(&explain, "explain", false, "tell for each field of an event where its value comes from")
	return cmd
}

func printTrace(w io.Writer, t *api.TraceView) {
	fmt.Fprintf(w, "%s%s\n", t.Name, stateText(t))
	for i := range t.Messages {
		printMessage(w, &t.Messages[i])
	}
	printOpen(w, "open", t.Open)
	if len(t.Lines) > 0 {
		fmt.Fprintln(w)
	}
	for i := range t.Lines {
		printLine(w, &t.Lines[i], t.Lines[:i])
	}
	printFollowed(w, t)
	if t.More {
		fmt.Fprintln(w, "... the history is longer: see /v1/objects/history")
	}
	if len(t.Relations) > 0 {
		fmt.Fprintln(w, "\nrelations")
		for _, r := range t.Relations {
			fmt.Fprintf(w, "  %s: %s -> %s\n", r.Kind, r.From, r.To)
		}
	}
	printOpen(w, "ended", t.Ended)
	printActs(w, t.Acts)
	for i := range t.Explanations {
		printExplanation(w, &t.Explanations[i])
	}
}

// stateText is the state of an object in one line.
func stateText(t *api.TraceView) string {
	status, _ := t.State["status"].(string)
	if status == "" {
		return ""
	}
	parts := []string{": " + status}
	if since, _ := t.State["since"].(string); since != "" {
		parts[0] += " since " + inPlantTime(since, t.Lines)
	}
	open, _ := t.State["open"].(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(open)) {
		keys, _ := open[name].([]any)
		if len(keys) > 0 {
			parts = append(parts, fmt.Sprintf("open %s: %s", name, strings.Trim(fmt.Sprint(keys), "[]")))
		}
	}
	return strings.Join(parts, "; ")
}

// inPlantTime is a moment as the event that it is about writes it, in the time of
// its plant.
func inPlantTime(moment string, lines []api.EventView) string {
	at, err := time.Parse(time.RFC3339Nano, moment)
	for i := range lines {
		text, _ := lines[i].Event["time"].(string)
		if local, parsed := time.Parse(time.RFC3339Nano, text); err == nil && parsed == nil && local.Equal(at) {
			return text
		}
	}
	return moment
}

func printMessage(w io.Writer, m *api.MessageView) {
	fmt.Fprintf(w, "  version %d of %s/%s %s\n", m.Version, m.System, m.Name, m.SourceID)
	fmt.Fprintf(w, "    received %s by %s (%s), %s\n", m.Received, m.Channel, m.Principal, standing(m))
}

// printOpen prints exceptions with what to do about them.
func printOpen(w io.Writer, title string, all []api.ExceptionView) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(w, "\n%s\n", title)
	for i := range all {
		printException(w, &all[i])
	}
}

func printException(w io.Writer, x *api.ExceptionView) {
	fmt.Fprintf(w, "  %s of %s: %s (%s)%s\n", x.ID, of(x), x.Title, x.Reason, where(x))
	if x.Detail != "" {
		fmt.Fprintf(w, "    %s\n", x.Detail)
	}
	text := "raised " + x.Raised + ", for " + x.Owner
	switch {
	case x.Ended != "":
		text += ", " + x.State + " " + x.Ended
		if x.Resolution != "" {
			text += " (" + x.Resolution + ")"
		}
	case x.Deadline != "":
		text += ", until " + x.Deadline
	}
	fmt.Fprintf(w, "    %s\n", text)
	if x.Ended == "" {
		fmt.Fprintf(w, "    %s\n", x.Remedy)
	}
}

// of is the message or the command that an exception is about, with its system; or what
// is expected, which no system owes.
func of(x *api.ExceptionView) string {
	if x.System == "" {
		return x.Name
	}
	return x.System + "/" + x.Name
}

func where(x *api.ExceptionView) string {
	var parts []string
	if x.Field != "" {
		parts = append(parts, "field "+x.Field)
	}
	if x.Ref != "" {
		parts = append(parts, x.Ref)
	}
	if len(parts) == 0 {
		return ""
	}
	return ", " + strings.Join(parts, ", ")
}

// printLine prints one statement: when and what, who says so, and what it counts.
func printLine(w io.Writer, l *api.EventView, before []api.EventView) {
	at := func(name string) string { text, _ := l.Event[name].(string); return text }
	when := at("time")
	if to := at("occurredto"); to != "" {
		when += " to " + to
	}
	fmt.Fprintf(w, "%s  %s%s\n", when, at("type"), changeText(l))
	fmt.Fprintf(w, "  %s\n", l.Event["subject"])
	made := "as an event"
	if l.Mapping != "" {
		made = fmt.Sprintf("by mapping %s, slot %s", l.Mapping, l.Slot)
	}
	fmt.Fprintf(w, "  reported by %s %s, revision %.12s\n", at("source"), made, l.Revision)
	fmt.Fprintf(w, "  recorded %s at %s position %s, event %s, message %s\n", at("recordedtime"), at("plant"), at("position"), at("id"), l.Message)
	if l.Replayed != nil {
		fmt.Fprintf(w, "  by a replay that %s ran: %s\n", l.Replayed.Principal, l.Replayed.Why)
	}
	for _, text := range countTexts(l, before) {
		fmt.Fprintf(w, "  %s\n", text)
	}
	for _, v := range l.Verdicts {
		if v.Outcome != "pass" {
			fmt.Fprintf(w, "  %s by %s: %s\n", cmp.Or(v.Effect, v.Outcome), v.Policy, v.Message)
		}
	}
}

func changeText(l *api.EventView) string {
	var parts []string
	if l.Change != "" {
		parts = append(parts, fmt.Sprintf("%s, statement %d", l.Change, l.Statement))
	}
	if !l.Current {
		parts = append(parts, "no longer stands")
	}
	if l.Disputed {
		parts = append(parts, "disputed")
	}
	if l.Event["edited"] == "true" {
		parts = append(parts, "edited in hub")
	}
	if len(parts) == 0 {
		return ""
	}
	return "  (" + strings.Join(parts, "; ") + ")"
}

// countTexts are the figures of a statement. Of a correction both are shown: what
// counted before and what counts now.
func countTexts(l *api.EventView, before []api.EventView) []string {
	taken := map[string]string{}
	for _, f := range l.Facts {
		if amount, negative := strings.CutPrefix(f.Base.Value, "-"); negative {
			taken[factName(&f)] = amount
		}
	}
	var texts []string
	for _, f := range l.Facts {
		name := factName(&f)
		if strings.HasPrefix(f.Base.Value, "-") {
			continue
		}
		text := fmt.Sprintf("%s %s", name, amountText(&f))
		if old, corrected := taken[name]; corrected {
			delete(taken, name)
			text = fmt.Sprintf("%s %s, before %s %s", name, amountText(&f), grouped(old), f.Base.Unit)
		}
		texts = append(texts, text)
	}
	for _, name := range slices.Sorted(maps.Keys(taken)) {
		texts = append(texts, fmt.Sprintf("%s nothing any more, before %s", name, grouped(taken[name])))
	}
	if l.Statement > 1 && len(l.Facts) == 0 {
		if previous := previousOf(l, before); previous != nil && len(previous.Facts) == 0 {
			texts = append(texts, "no figures change")
		}
	}
	return texts
}

func previousOf(l *api.EventView, before []api.EventView) *api.EventView {
	for i := len(before) - 1; i >= 0; i-- {
		if before[i].Key == l.Key {
			return &before[i]
		}
	}
	return nil
}

// factName tells a fact from the others of its event.
func factName(f *api.FactView) string {
	return strings.Join(slices.DeleteFunc([]string{f.Measure, f.Reason, f.Material, f.Lot}, func(s string) bool { return s == "" }), " ")
}

// amountText is the amount that counts, and what was reported where that differs.
func amountText(f *api.FactView) string {
	text := grouped(f.Base.Value) + " " + f.Base.Unit
	if f.Quantity != f.Base {
		text += fmt.Sprintf(" (reported %s %s)", grouped(f.Quantity.Value), f.Quantity.Unit)
	}
	return text
}

func printActs(w io.Writer, acts []api.ActView) {
	if len(acts) == 0 {
		return
	}
	fmt.Fprintln(w, "\nacts")
	for _, a := range acts {
		fmt.Fprintf(w, "  %s\n", actText(&a))
	}
}

// printExplanation prints the fields of one message's events, and what decides them.
func printExplanation(w io.Writer, x *api.ExplanationView) {
	fmt.Fprintf(w, "\nwhy, by mapping %s of revision %.12s, message %s\n", x.Mapping, x.Revision, x.Message)
	if x.Missing != "" {
		fmt.Fprintf(w, "  not known: %s\n", x.Missing)
	}
	slot := ""
	for _, f := range x.Fields {
		if f.Slot+f.Type != slot {
			fmt.Fprintf(w, "  %s, slot %s\n", f.Type, f.Slot)
			slot = f.Slot + f.Type
		}
		text := fmt.Sprintf("    %s = %v", f.Target, f.Value)
		if len(f.Sources) > 0 {
			text += "  from " + strings.Join(f.Sources, ", ")
		}
		if f.Line > 0 {
			text += fmt.Sprintf("  (line %d: %s)", f.Line, shortened(f.Expression))
		}
		fmt.Fprintln(w, text)
	}
}

// standing is what a version of a message counts for now.
func standing(m *api.MessageView) string {
	switch {
	case m.Version == m.Effective:
		return "its events stand"
	case m.Version == m.Newest && m.Held:
		return "held"
	case m.Effective > m.Version:
		return fmt.Sprintf("restated by version %d", m.Effective)
	}
	return "without effect"
}

// shownExpression is how much of an expression is shown.
const shownExpression = 90

func shortened(expression string) string {
	text := []rune(strings.Join(strings.Fields(expression), " "))
	if len(text) > shownExpression {
		return string(text[:shownExpression]) + " ..."
	}
	return string(text)
}
