package format

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"iter"
	"strings"
	"unicode/utf8"
)

func splitCSV(spec Spec, text []byte, limits Limits, yield func(Record, error) bool) *Error {
	// Line ends of CR alone would make the whole file one header without rows.
	if bytes.IndexByte(text, '\n') < 0 && bytes.IndexByte(text, '\r') >= 0 {
		return &Error{Problem: "the lines end with a carriage return alone", Remedy: "save the file with line ends of CR LF or LF"}
	}
	delimiter, fault := spec.delimiter(text)
	if fault != nil {
		return fault
	}
	return newTable(spec, limits).split(csvRows(text, delimiter), yield)
}

var delimiters = []rune{',', ';', '\t', '|'}

// delimiter is the one of the Spec. "auto" takes the one that makes most
// columns of the header row.
func (s Spec) delimiter(text []byte) (rune, *Error) {
	switch s.Delimiter {
	case "":
		return ',', nil
	case "auto":
	default:
		r, _ := utf8.DecodeRuneInString(s.Delimiter)
		return r, nil
	}
	best, width, tie := ',', 1, false
	for _, candidate := range delimiters {
		w := headerWidth(text, candidate, s.headerRow())
		switch {
		case w > width:
			best, width, tie = candidate, w, false
		case w == width && w > 1:
			tie = true
		}
	}
	if tie {
		return 0, &Error{Problem: fmt.Sprintf("more than one delimiter would make %d columns of the header", width), Remedy: "set delimiter to the one that the system writes"}
	}
	return best, nil
}

func headerWidth(text []byte, delimiter rune, headerRow int) int {
	for r, fault := range csvRows(text, delimiter) {
		if r.number >= headerRow || fault != nil && fault.Record == 0 {
			return r.width
		}
	}
	return 0
}

// csvRows reads the rows of a text. A blank line is no row, but is counted. A
// row with a quote out of place is an Error with its number; reading goes on
// with the next line.
func csvRows(text []byte, delimiter rune) iter.Seq2[row, *Error] {
	return func(yield func(row, *Error) bool) {
		reader := csv.NewReader(bytes.NewReader(text))
		reader.Comma, reader.FieldsPerRecord, reader.ReuseRecord = delimiter, -1, true
		var r row
		end := 0 // last line of the row before
		for {
			fields, err := reader.Read()
			var wrong *csv.ParseError
			switch {
			case errors.Is(err, io.EOF):
				return
			case errors.As(err, &wrong):
				r = row{number: r.number + wrong.StartLine - end, cells: r.cells[:0]}
				end = wrong.Line
				fault := quoteFault(r.number, wrong)
				if toEnd := reader.InputOffset() == int64(len(text)); toEnd && wrong.StartLine != wrong.Line {
					fault.Record = 0 // the open quote has taken in every row that was still to come
				}
				if !yield(r, fault) {
					return
				}
				continue
			case err != nil:
				yield(row{}, &Error{Problem: err.Error()})
				return
			}
			line, _ := reader.FieldPos(0)
			r.number += line - end
			r.line, r.width, r.cells = line, len(fields), r.cells[:0]
			end = line
			for i, field := range fields {
				end += strings.Count(field, "\n")
				r.cells = append(r.cells, cell{column: i, text: field})
			}
			if !yield(r, tooWide(len(fields))) {
				return
			}
		}
	}
}

func quoteFault(number int, wrong *csv.ParseError) *Error {
	problem := fmt.Sprintf("line %d, byte %d: a quote is out of place or missing", wrong.Line, wrong.Column)
	if wrong.StartLine != wrong.Line {
		problem += fmt.Sprintf("; lines %d to %d were read as one row", wrong.StartLine, wrong.Line)
	}
	return &Error{Record: number, Problem: problem, Remedy: `put quotes around the whole field, and write a quote within it twice ("")`}
}

// tooWide refuses what is wider than a spreadsheet can be; nil for all else.
func tooWide(width int) *Error {
	if width <= maxColumns {
		return nil
	}
	return exceeds("a row", int64(width), maxColumns, "columns", "send a table")
}
