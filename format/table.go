package format

import (
	"fmt"
	"iter"
	"slices"
	"strings"
)

// A row is one row of a table before the names of its columns are known.
type row struct {
	number int    // as a spreadsheet counts, from 1
	line   int    // of a text, where the row begins; 0 in a sheet
	width  int    // number of fields; -1 in a sheet, where cells may be missing
	cells  []cell // in ascending order of columns; valid until the next row
}

// place is where the row is, for a person.
func (r row) place() string {
	if r.line > 0 {
		return fmt.Sprintf("line %d", r.line)
	}
	return fmt.Sprintf("row %d", r.number)
}

// table turns rows into records.
type table struct {
	spec    Spec
	limits  Limits
	columns columns
	names   []string // of the columns; nil until the header row was read
	count   int      // of rows below the header
	left    int64    // bytes of names and texts that records may still hold
}

func newTable(spec Spec, limits Limits) *table {
	return &table{spec: spec, limits: limits, columns: newColumns(spec), left: limits.Unzipped}
}

// split yields a record for each row below the header. It returns what ends
// the table early.
func (t *table) split(rows iter.Seq2[row, *Error], yield func(Record, error) bool) *Error {
	for r, fault := range rows {
		if fault != nil && fault.Record == 0 {
			return fault
		}
		if r.number < t.spec.headerRow() {
			continue
		}
		if t.names == nil {
			if fault = t.header(r, fault); fault != nil {
				return fault
			}
			continue
		}
		if t.count++; t.count > t.limits.Records {
			return exceeds("the table", -1, int64(t.limits.Records), "rows", "send it in several messages")
		}
		if !t.row(r, fault, yield) {
			return nil
		}
		if t.left < 0 {
			return t.tooMuch()
		}
	}
	if t.names == nil {
		return t.noHeader()
	}
	return nil
}

func (t *table) tooMuch() *Error {
	return exceeds("the table", -1, t.limits.Unzipped, "bytes of names and texts in its records", "send fewer rows in each file")
}

func (t *table) noHeader() *Error {
	return &Error{Problem: fmt.Sprintf("row %d, where the column names should be, does not exist", t.spec.headerRow()), Remedy: "send the table with its header, or correct header-row"}
}

// row yields what comes of one row; false where the caller wants no more.
func (t *table) row(r row, fault *Error, yield func(Record, error) bool) bool {
	if fault != nil {
		return yield(Record{}, fault)
	}
	value, fault := t.record(r)
	if fault != nil {
		return yield(Record{}, fault.at(r.number))
	}
	if value == nil || t.left < 0 {
		return true
	}
	return yield(Record{Number: r.number, Value: value}, nil)
}

// header reads the names of the columns.
func (t *table) header(r row, fault *Error) *Error {
	if fault != nil {
		fault.Record = 0
		return fault
	}
	if r.number != t.spec.headerRow() {
		return t.noHeader()
	}
	var names []string
	for _, c := range r.cells {
		text, fault := t.text(c)
		if fault != nil {
			fault.Problem = fmt.Sprintf("%s, column %s: %s", r.place(), columnName(c.column), fault.Problem)
			return fault
		}
		for len(names) <= c.column {
			names = append(names, "")
		}
		names[c.column] = text
		if t.left -= int64(len(text)); t.left < 0 {
			return t.tooMuch()
		}
	}
	t.names = names
	return t.checkNames()
}

// checkNames tells every fault of the header at once.
func (t *table) checkNames() *Error {
	var missing, double []string
	times := map[string]int{}
	for _, name := range t.names {
		if times[name]++; times[name] == 2 && name != "" {
			double = append(double, name)
		}
	}
	for _, name := range t.spec.Columns {
		if times[name] == 0 {
			missing = append(missing, name)
		}
	}
	named := strings.TrimSpace(strings.Join(t.names, "")) != ""
	switch {
	case !named:
		return &Error{Problem: fmt.Sprintf("row %d has no column names", t.spec.headerRow()), Remedy: "send the table with its header, or correct header-row"}
	case len(missing) == 0 && len(double) == 0:
		return nil
	case len(double) == 0:
		return &Error{Problem: "missing columns: " + quoted(missing), Remedy: "send the file with them, or list them as optional; found: " + quoted(t.found())}
	case len(missing) == 0:
		return &Error{Problem: "columns that stand there twice: " + quoted(double), Remedy: "give every column a name of its own"}
	default:
		return &Error{Problem: "missing columns: " + quoted(missing) + "; columns that stand there twice: " + quoted(double), Remedy: "send the file with each column once; found: " + quoted(t.found())}
	}
}

// found is the names of the header for a message.
func (t *table) found() []string {
	const most = 50
	names := slices.DeleteFunc(slices.Clone(t.names), func(name string) bool { return name == "" })
	return names[:min(len(names), most)]
}

func quoted(names []string) string {
	texts := make([]string, len(names))
	for i, name := range names {
		texts[i] = short(name)
	}
	return strings.Join(texts, ", ")
}

// record is the row as a record; nil where it is empty and to be passed over.
func (t *table) record(r row) (map[string]any, *Error) {
	value := make(map[string]any, len(r.cells))
	for _, c := range r.cells {
		text, fault := t.text(c)
		name := t.name(c.column)
		switch {
		case fault != nil:
		case text == "":
			continue
		case t.named(c.column):
			text, fault = t.columns.normal(name, text, c.literal)
		case r.width == len(t.names) || r.width < 0: // any other width is a fault of the row, see below
			fault = &Error{Problem: short(text) + " stands in a column without a name", Remedy: "name the column in the header, or empty the cell"}
		}
		if fault != nil {
			fault.Problem = r.place() + ": " + fault.Problem
			return nil, fault.in(name)
		}
		value[name] = text
		if t.left -= int64(len(name) + len(text)); t.left < 0 {
			break
		}
	}
	switch {
	case len(value) > 0 && r.width >= 0 && r.width != len(t.names):
		return nil, &Error{
			Problem: fmt.Sprintf("%s has %d fields, the header has %d", r.place(), r.width, len(t.names)),
			Remedy:  "put quotes around a text that holds the delimiter, and send all fields",
		}
	case len(value) > 0:
		return value, nil
	case t.spec.SkipEmpty:
		return nil, nil
	default:
		return nil, &Error{Problem: r.place() + " is empty", Remedy: "remove the row, or set skip-empty"}
	}
}

// name is the name of a column, else its letters as a spreadsheet shows them.
func (t *table) name(column int) string {
	if t.named(column) {
		return t.names[column]
	}
	return columnName(column)
}

func (t *table) named(column int) bool { return column < len(t.names) && t.names[column] != "" }

// text is what stands in a cell, without blanks around it.
func (t *table) text(c cell) (string, *Error) {
	if c.fault != nil {
		return "", c.fault
	}
	text, fault := clean(c.text, t.limits)
	if fault != nil {
		return "", fault
	}
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "#") && slices.Contains(formulaErrors, text) {
		return "", &Error{Problem: "a formula failed with " + text, Remedy: "correct it in the spreadsheet and send the file again"}
	}
	return text, nil
}

// formulaErrors are what a spreadsheet writes in place of a value that it could
// not compute (ECMA-376 part 1, section 18.17.3, and later versions of Excel).
var formulaErrors = []string{
	"#NULL!", "#DIV/0!", "#VALUE!", "#REF!", "#NAME?", "#NUM!", "#N/A",
	"#GETTING_DATA", "#SPILL!", "#CALC!", "#FIELD!", "#BLOCKED!", "#CONNECT!", "#UNKNOWN!", "#BUSY!",
}

// columnName is the letters of a column, counted from 0: A, Z, AA.
func columnName(column int) string {
	var letters []byte
	for column++; column > 0; column = (column - 1) / 26 {
		letters = append(letters, byte('A'+(column-1)%26))
	}
	slices.Reverse(letters)
	return string(letters)
}
