package mouldingplant

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/xuri/excelize/v2"
)

// Write writes a made-up month into the folder, in the plant's own files: master
// data as CSV, orders as workbooks and as CSV, the shift reports as CSV. The same
// seed writes the same bytes. It returns what was counted while the month was made.
func Write(dir string, seed uint64) (Totals, error) {
	m := newMonth(seed)
	for _, t := range m.tables() {
		if err := t.write(dir); err != nil {
			return Totals{}, fmt.Errorf("write the made-up month: %s/%s: %w", t.folder, t.name, err)
		}
	}
	return m.totals, nil
}

// A table is one file: a header and rows of cells as text.
type table struct {
	folder, name string
	sheet        string // "" where it is only written as CSV
	header       []string
	rows         [][]string
	dates        []int // columns with serial numbers of days
	counts       []int // columns in the accounting format, which pads with blanks
}

func (t table) write(dir string) error {
	path := filepath.Join(dir, t.folder, t.name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	if err := create(path+".csv", t.writeCSV); err != nil || t.sheet == "" {
		return err
	}
	return create(path+".xlsx", t.writeWorkbook)
}

// create writes a file and does not forget what closing it says.
func create(path string, write func(io.Writer) error) error {
	file, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := write(file); err != nil {
		_ = file.Close() // the first error says why
		return err
	}
	return file.Close()
}

// writeCSV writes what a spreadsheet exports: the header of an accounting column
// comes out with the blanks of its format, and blanks at the ends of a cell are
// not put in quotes, as package encoding/csv would.
func (t table) writeCSV(w io.Writer) error {
	header := slices.Clone(t.header)
	for _, i := range t.counts {
		header[i] = " " + header[i] + " "
	}
	var text strings.Builder
	for _, cells := range append([][]string{header}, t.rows...) {
		line := strings.Join(cells, ",")
		if strings.Count(line, ",") != len(header)-1 || strings.ContainsAny(line, "\"\r\n") {
			return fmt.Errorf("the cells of %q need quotes", line)
		}
		text.WriteString(line + "\n")
	}
	_, err := io.WriteString(w, text.String())
	return err
}

// emptyRows is how many formatted but empty rows stand below the table of a
// workbook, as they do where people prepare more lines than they fill.
const emptyRows = 12

func (t table) writeWorkbook(w io.Writer) error {
	book := excelize.NewFile()
	defer func() { _ = book.Close() }() // nothing is kept in temporary files
	if err := book.SetSheetName("Sheet1", t.sheet); err != nil {
		return err
	}
	for n, cells := range append([][]string{t.header}, t.rows...) {
		for i, cell := range cells {
			if err := t.setCell(book, i, n+1, cell); err != nil {
				return err
			}
		}
	}
	if err := t.format(book); err != nil {
		return err
	}
	return book.Write(w)
}

// setCell stores numbers as numbers, with the digits that they are given: what a
// spreadsheet stores of a sum is its binary number, noise included.
func (t table) setCell(book *excelize.File, column, row int, text string) error {
	name, err := excelize.CoordinatesToCellName(column+1, row)
	if err != nil || text == "" {
		return err
	}
	if strings.Trim(text, "0123456789.") == "" {
		return book.SetCellDefault(t.sheet, name, text)
	}
	return book.SetCellStr(t.sheet, name, text)
}

func (t table) format(book *excelize.File) error {
	accounting := `_(* #,##0_);_(* \(#,##0\);_(* "-"??_);_(@_)`
	for _, f := range []struct {
		columns []int
		style   excelize.Style
	}{{t.dates, excelize.Style{NumFmt: 14}}, {t.counts, excelize.Style{CustomNumFmt: &accounting}}} {
		style, err := book.NewStyle(&f.style)
		if err != nil {
			return err
		}
		for _, column := range f.columns {
			name, err := excelize.ColumnNumberToName(column + 1)
			if err != nil {
				return err
			}
			last := strconv.Itoa(len(t.rows) + 1 + emptyRows)
			if err := book.SetCellStyle(t.sheet, name+"1", name+last, style); err != nil {
				return err
			}
		}
	}
	return nil
}

// serial is a day as a spreadsheet counts it: 43405 is 1 November 2018.
func serial(day time.Time) string {
	epoch := time.Date(1899, time.December, 30, 0, 0, 0, 0, time.UTC)
	return strconv.Itoa(int(day.Sub(epoch) / (24 * time.Hour)))
}

// hundredths writes a number of hundredths as people do: 1250 is 12.5, nothing is empty.
func hundredths(n int64) string { return scaled(n, 2) }

// noisy writes a number of hundredths as a spreadsheet stores what it worked out
// in binary: 3192 is 31.919999999999998.
func noisy(n int64) string {
	const fifteen = 10_000_000_000_000 // what brings hundredths to fifteen decimals
	if n <= 0 || n >= 10_000 || n%100 == 0 {
		return hundredths(n) // beyond 99.99 a spreadsheet has no seventeen digits for it
	}
	return scaled(n*fifteen-2, 15)
}

// scaled writes n with so many decimals, without trailing zeros; 0 is empty.
func scaled(n int64, digits int) string {
	if n == 0 {
		return ""
	}
	text := fmt.Sprintf("%0*d", digits+1, n)
	whole, fraction := text[:len(text)-digits], strings.TrimRight(text[len(text)-digits:], "0")
	if fraction == "" {
		return whole
	}
	return whole + "." + fraction
}

func trimmed(s string) string { return strings.TrimSpace(s) }
