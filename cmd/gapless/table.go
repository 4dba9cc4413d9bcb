package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/gapless/gapless/ledger"
)

// table is columns of text, aligned: numbers to the right, the rest to the left.
type table struct {
	head  []string
	right map[int]bool
	rows  [][]string
}

// newTable makes a table. A heading that begins with > is that of numbers.
func newTable(heads ...string) *table {
	t := &table{right: map[int]bool{}}
	for i, h := range heads {
		name, numbers := strings.CutPrefix(h, ">")
		t.head = append(t.head, name)
		t.right[i] = numbers
	}
	return t
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// write prints the table, each line behind indent.
func (t *table) write(w io.Writer, indent string) {
	width := make([]int, len(t.head))
	for _, row := range append([][]string{t.head}, t.rows...) {
		for i, cell := range row {
			width[i] = max(width[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range append([][]string{t.head}, t.rows...) {
		var b strings.Builder
		b.WriteString(indent)
		for i, cell := range row {
			padding := strings.Repeat(" ", width[i]-utf8.RuneCountInString(cell))
			if t.right[i] {
				b.WriteString(padding + cell)
			} else {
				b.WriteString(cell + padding)
			}
			b.WriteString("  ")
		}
		fmt.Fprintln(w, strings.TrimRight(b.String(), " "))
	}
}

// grouped writes a decimal with its whole part in groups of three: 5,194,003.
func grouped(decimal string) string { return ledger.Grouped(decimal) }

// count is a whole number in groups of three.
func count[N int | int64](n N) string { return grouped(strconv.FormatInt(int64(n), 10)) }

// plural is "1 row", "2 rows".
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return count(n) + " " + one + "s"
}
