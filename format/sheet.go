package format

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

const maxRows = 1_048_576 // of a sheet

// sheetReader reads a sheet row by row (ECMA-376 part 1, section 18.3.1.73).
type sheetReader struct {
	*partReader
	row  row
	free int // first column behind the last cell of the row
}

// next reads on to the end of the next row; false at the end of the sheet.
func (s *sheetReader) next() (bool, error) {
	for {
		token, err := s.token()
		if err != nil {
			return false, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			if t.Name.Local == "row" {
				return true, s.readRow(t)
			}
		case xml.EndElement:
			if t.Name.Local == "sheetData" || t.Name.Local == "worksheet" {
				return false, s.readRest()
			}
		}
	}
}

// readRest reads what follows the rows, since the check sum of the part stands
// at its end: without it a damaged figure would pass.
func (s *sheetReader) readRest() error {
	for {
		if _, err := s.token(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

func (s *sheetReader) readRow(start xml.StartElement) error {
	number := s.row.number + 1
	if text := attribute(start, "r"); text != "" {
		stated, err := strconv.Atoi(text)
		if err != nil || stated < number || stated > maxRows {
			return fmt.Errorf("row %s follows row %d", short(text), s.row.number)
		}
		number = stated
	}
	s.row.number, s.row.cells, s.free = number, s.row.cells[:0], 0
	for {
		token, err := s.token()
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case xml.EndElement:
			return nil
		case xml.StartElement:
			if t.Name.Local != "c" {
				err = s.skip()
			} else {
				err = s.readCell(t)
			}
			if err != nil {
				return err
			}
		}
	}
}

// readCell adds one cell to the row. A cell without value is not there.
func (s *sheetReader) readCell(start xml.StartElement) error {
	column, err := s.column(attribute(start, "r"))
	if err != nil {
		return err
	}
	v, err := s.cellContent()
	if err != nil {
		return err
	}
	c := cell{column: column, text: v.value}
	switch kind := attribute(start, "t"); {
	case v.formula && !v.valued:
		c.fault = &Error{Problem: "a formula without its value", Remedy: "open the file in a spreadsheet program, save it and send it again"}
	case kind == "inlineStr":
		c.text = v.inline
	case !v.valued || v.value == "":
		c.text = ""
	case kind == "s":
		c.text, c.fault = s.book.shared(v.value)
	case kind == "b":
		c.text = strings.ToUpper(strconv.FormatBool(v.value == "1" || v.value == "true"))
	case kind == "str":
		c.text = unescaped(v.value)
	case kind == "" || kind == "n":
		c.literal = true
		_, c.fault = scanNumber(v.value, '.')
	}
	if c.text != "" || c.fault != nil {
		s.row.cells = append(s.row.cells, c)
	}
	return nil
}

func (w *workbook) shared(index string) (string, *Error) {
	i, err := strconv.Atoi(index)
	if err != nil || i < 0 || i >= len(w.strings) {
		return "", &Error{Problem: "the text number " + short(index) + " is not in the workbook", Remedy: brokenRemedy}
	}
	return w.strings[i], nil
}

// content is what stands in a cell: a value as stored, or a text in place.
type content struct {
	value, inline   string
	valued, formula bool
}

func (s *sheetReader) cellContent() (content, error) {
	var c content
	for {
		token, err := s.token()
		if err != nil {
			return c, err
		}
		switch t := token.(type) {
		case xml.EndElement:
			return c, nil
		case xml.StartElement:
			switch t.Name.Local {
			case "v":
				c.valued = true
				c.value, err = s.content()
			case "is":
				c.inline, err = s.richText()
			default:
				c.formula = c.formula || t.Name.Local == "f"
				err = s.skip()
			}
			if err != nil {
				return c, err
			}
		}
	}
}

// content is the text of the element just entered.
func (r *partReader) content() (string, error) {
	var text strings.Builder
	for {
		token, err := r.token()
		if err != nil {
			return "", err
		}
		switch t := token.(type) {
		case xml.EndElement:
			return text.String(), nil
		case xml.CharData:
			text.Write(t)
		case xml.StartElement:
			if err = r.skip(); err != nil {
				return "", err
			}
		}
	}
}

// skip goes on to the end of the element just entered.
func (r *partReader) skip() error {
	for depth := 1; depth > 0; {
		token, err := r.token()
		if err != nil {
			return err
		}
		switch token.(type) {
		case xml.StartElement:
			depth++
		case xml.EndElement:
			depth--
		}
	}
	return nil
}

// column is where a cell stands, counted from 0; without a reference it is the
// next one. Cells come in order: two of one place would be two values.
func (s *sheetReader) column(reference string) (int, error) {
	column, digits := s.free, strconv.Itoa(s.row.number)
	if reference != "" {
		digits = strings.TrimLeft(reference, "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
		column = -1
		for _, letter := range reference[:min(len(reference)-len(digits), 4)] {
			column = (column+1)*26 + int(letter-'A')
		}
	}
	if column < s.free || column >= maxColumns || digits != strconv.Itoa(s.row.number) {
		return 0, fmt.Errorf("cell %s is out of its place in row %d", short(reference), s.row.number)
	}
	s.free = column + 1
	return column, nil
}

func attribute(start xml.StartElement, name string) string {
	for _, a := range start.Attr {
		if a.Name.Local == name && a.Name.Space == "" {
			return a.Value
		}
	}
	return ""
}
