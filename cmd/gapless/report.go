package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gapless/gapless/api"
	"github.com/gapless/gapless/report"
)

func (c *cli) reportCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "report",
		Short: "make figures of what is on record",
		Long: `Make figures of what is on record. Every figure is exact, can be opened down to the
events and messages that it is made of, and says how complete it is.`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.productionCommand(), c.shadowCommand())
	return cmd
}

// figures is what the production report is told.
type figures struct {
	connection
	by, from, to, plant, asOf, only, csv string
	details                              bool
	limit                                int
}

func (c *cli) productionCommand() *cobra.Command {
	var f figures
	cmd := &cobra.Command{
		Use:   "production",
		Short: "what was made, and what of it was rejected",
		Long: fmt.Sprintf(`What was made and what of it was rejected, summed by one of
%s.

Amounts are in base units. Total is good, rejected, rework and remainder together;
disputed is the part of the total that a policy objects to. The end says as of which
position and how complete the figures are, and sums them up in one line.

--as-of takes a time with its zone, for the figures as they were on record then, or the
cursor of another report, for the very same figures again. --details opens the figures:
the facts that they are made of, each with its event and message for "gapless trace".
--csv writes what a spreadsheet can read; text that it could take for a formula is
marked as text with an apostrophe.`, strings.Join(report.Dimensions(), ", ")),
		Example: `  gapless report production --by item
  gapless report production --by reason --from 2026-03-01 --to 2026-03-31
  gapless report production --by order --only order/1000123 --details
  gapless report production --by day --csv march.csv
  gapless report production --as-of 2026-03-31T22:00:00+01:00`,
		Args: arguments(cobra.NoArgs),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if f.csv != "" && c.json {
				return usageError{errors.New("--csv and --json exclude each other")}
			}
			h, err := f.client()
			if err != nil {
				return err
			}
			query := values("by", f.by, "from", f.from, "to", f.to, "plant", f.plant, "as_of", f.asOf)
			if f.details {
				return c.details(cmd, &f, h, query)
			}
			return c.production(cmd, &f, h, query)
		},
	}
	f.flags(cmd)
	flags := cmd.Flags()
	flags.StringVar(&f.by, "by", "item", "what to sum by: "+strings.Join(report.Dimensions(), ", "))
	flags.StringVar(&f.from, "from", "", "first production `DAY`, as 2026-03-01")
	flags.StringVar(&f.to, "to", "", "last production `DAY`")
	flags.StringVar(&f.plant, "plant", "", "only these `PLANTS`, separated by commas")
	flags.StringVar(&f.asOf, "as-of", "", "as it was on record at this `TIME`, or at the cursor of another report")
	flags.StringVar(&f.only, "only", "", "only the row with this `KEY`")
	flags.BoolVar(&f.details, "details", false, "show the facts behind the figures")
	flags.IntVar(&f.limit, "limit", 1000, "with --details: at most so many")
	flags.StringVar(&f.csv, "csv", "", "write CSV to `FILE`, - for standard output")
	return cmd
}

func (c *cli) production(cmd *cobra.Command, f *figures, h *client, query url.Values) error {
	var p api.ProductionView
	if err := h.get(cmd.Context(), "/v1/reports/production", query, &p); err != nil {
		return err
	}
	if f.only != "" {
		p.Rows = slices.DeleteFunc(p.Rows, func(r api.FiguresView) bool { return r.Key != f.only })
	}
	if c.json {
		return c.printJSON(p)
	}
	head := []string{p.By, "unit", "total", "good", "rejected", "rework", "remainder", "disputed"}
	if f.csv != "" {
		rows := [][]string{head}
		for _, r := range p.Rows {
			rows = append(rows, []string{r.Key, r.Unit, r.Total, r.Good, r.Rejected, r.Rework, r.Remainder, r.Disputed})
		}
		return c.writeCSV(f.csv, rows)
	}
	if f.only != "" && len(p.Rows) == 0 {
		fmt.Fprintf(c.out, "no row has the key %s: without --only the report shows the keys\n", f.only)
		return nil
	}
	printProduction(c.out, &p, f.only == "")
	return nil
}

// printProduction prints the figures, how complete they are, and the totals in
// one line. Columns in which everything is 0 are left out.
func printProduction(w io.Writer, p *api.ProductionView, totals bool) {
	t := newTable(p.By, ">total", ">good", ">rejected", "unit")
	extra := extraColumns(p)
	for _, x := range extra {
		t.head = append(t.head, x.name)
		t.right[len(t.head)-1] = true
	}
	row := func(name string, r *api.FiguresView) {
		cells := []string{name, grouped(r.Total), grouped(r.Good), grouped(r.Rejected), r.Unit}
		for _, x := range extra {
			cells = append(cells, grouped(x.of(r)))
		}
		t.add(cells...)
	}
	for i := range p.Rows {
		name := p.Rows[i].Key
		if name == "" {
			name = "-"
		}
		row(name, &p.Rows[i])
	}
	if totals {
		for i := range p.Totals {
			row("total", &p.Totals[i])
		}
	}
	t.write(w, "")
	printCompleteness(w, &p.Completeness)
	if totals {
		fmt.Fprintln(w)
		for i := range p.Totals {
			fmt.Fprintln(w, totalsLine(p, &p.Totals[i]))
		}
		if len(p.Totals) == 0 {
			fmt.Fprintln(w, totalsLine(p, &api.FiguresView{Total: "0", Good: "0", Rejected: "0"}))
		}
	}
}

// totalsLine sums a report up in one line that a script can compare.
func totalsLine(p *api.ProductionView, t *api.FiguresView) string {
	parts := []string{"total=" + t.Total, "good=" + t.Good, "rejected=" + t.Rejected, "orders=" + strconv.Itoa(p.Orders)}
	for _, x := range extraColumns(&api.ProductionView{Rows: []api.FiguresView{*t}}) {
		parts = append(parts, x.name+"="+x.of(t))
	}
	if len(p.Totals) > 1 {
		parts = append(parts, "unit="+t.Unit)
	}
	return strings.Join(parts, " ")
}

// An extra column is shown only where it holds anything.
type extraColumn struct {
	name string
	of   func(*api.FiguresView) string
}

func extraColumns(p *api.ProductionView) []extraColumn {
	all := []extraColumn{
		{"rework", func(r *api.FiguresView) string { return r.Rework }},
		{"remainder", func(r *api.FiguresView) string { return r.Remainder }},
		{"disputed", func(r *api.FiguresView) string { return r.Disputed }},
	}
	return slices.DeleteFunc(all, func(x extraColumn) bool {
		return !slices.ContainsFunc(p.Rows, func(r api.FiguresView) bool { return x.of(&r) != "0" && x.of(&r) != "" })
	})
}

func printCompleteness(w io.Writer, k *api.CompletenessView) {
	fmt.Fprintf(w, "\n%s\n", k.Statement)
	for _, h := range k.Held {
		fmt.Fprintf(w, "  %d held of %s: %s, the oldest since %s (gapless held --reason %s)\n", h.Open, h.System, h.Reason, h.Oldest, h.Reason)
	}
	if k.Recorded != "" {
		fmt.Fprintf(w, "last recorded %s, as of cursor %s\n", k.Recorded, k.AsOf)
	}
}

func (c *cli) details(cmd *cobra.Command, f *figures, h *client, query url.Values) error {
	if f.only != "" {
		query.Set("key", f.only)
	}
	query.Set("limit", strconv.Itoa(f.limit))
	var d api.Details
	if err := h.get(cmd.Context(), "/v1/reports/production/details", query, &d); err != nil {
		return err
	}
	if c.json {
		return c.printJSON(d)
	}
	if f.csv != "" {
		rows := [][]string{{"day", "shift", "order", "material", "machine", "measure", "reason", "amount", "unit", "disputed", "recorded", "system", "event", "message"}}
		for _, x := range d.Details {
			rows = append(rows, []string{
				x.Day, x.Shift, x.Order, x.Material, x.Machine, x.Measure, x.Reason, x.Amount, x.Unit, strconv.FormatBool(x.Disputed), x.Recorded, x.System, x.Event, x.Message,
			})
		}
		return c.writeCSV(f.csv, rows)
	}
	if len(d.Details) == 0 {
		fmt.Fprintln(c.out, "no fact is behind what is asked for: `gapless report production` without --details shows the keys")
		return nil
	}
	t := newTable("day", "shift", "measure", "reason", ">amount", "unit", "order", "material", "machine", "system", "event", "message")
	for _, x := range d.Details {
		t.add(x.Day, x.Shift, x.Measure, x.Reason, grouped(x.Amount), x.Unit, x.Order, x.Material, x.Machine, x.System, x.Event, x.Message)
	}
	t.write(c.out, "")
	if d.More {
		fmt.Fprintf(c.out, "... there are more than %d: raise --limit, or choose days with --from and --to\n", f.limit)
	}
	return nil
}

// writeCSV writes a table that a spreadsheet can open without harm.
func (c *cli) writeCSV(name string, rows [][]string) (err error) {
	w := c.out
	if name != "-" {
		file, err := os.Create(name)
		if err != nil {
			return fmt.Errorf("write the CSV file: %w", err)
		}
		defer func() { err = errors.Join(err, file.Close()) }()
		w = file
	}
	lines := csv.NewWriter(w)
	for _, row := range rows {
		for i := range row {
			row[i] = noFormula(row[i])
		}
		if err := lines.Write(row); err != nil {
			return fmt.Errorf("write the CSV file: %w", err)
		}
	}
	lines.Flush()
	return lines.Error()
}

var plainNumber = regexp.MustCompile(`^-?[0-9]+(\.[0-9]+)?$`)

// noFormula marks text that a spreadsheet would take for a formula (OWASP, "CSV
// Injection"). Numbers stay numbers.
func noFormula(cell string) string {
	if cell == "" || !strings.ContainsRune("=+-@\t\r\n", rune(cell[0])) || plainNumber.MatchString(cell) {
		return cell
	}
	return "'" + cell
}
