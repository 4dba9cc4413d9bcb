// Package format splits what a system sends, in its own format, into records.
//
// A message is one document (JSON, XML), a series of lines (NDJSON) or a table
// (CSV, XLSX). Split reads each of them into the same shape, so that one row is
// one record however it was sent: text without surrounding blanks, empty cells
// left out, quantities and dates as text of one form where the Spec names them.
// Nothing is guessed and nothing is repaired in silence: what cannot be read for
// certain is an Error that names the record, the field and the remedy.
//
// The package is pure: bytes in, records out, within the Limits.
package format

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"unicode/utf8"
)

// A Kind is a format that can be read.
type Kind string

// The kinds. The zero Kind is JSON.
const (
	JSON   Kind = "json"   // RFC 8259, one document
	NDJSON Kind = "ndjson" // one JSON object on each line
	CSV    Kind = "csv"    // RFC 4180, with a header row
	XLSX   Kind = "xlsx"   // ECMA-376 (Office Open XML) workbook, one sheet with a header row
	XML    Kind = "xml"    // XML 1.0 without document type definition
)

// Spec says how the bytes of one message are read. The zero Spec is one JSON object.
type Spec struct {
	Kind Kind `yaml:"kind" json:"kind,omitempty"`

	// Records is where the records are, names separated by "/". JSON: the path to
	// the array of records, "" where the document is one record, or an array of
	// them. XML: the path of the repeating element from the root on, such as
	// "Report/Row", "" where the root element is the one record.
	Records string `yaml:"records" json:"records,omitempty"`

	// Lists names XML elements that are always read as a list, also where they
	// occur once.
	Lists []string `yaml:"lists" json:"lists,omitempty"`

	Delimiter    string `yaml:"delimiter" json:"delimiter,omitempty"`        // CSV: one character, "," by default; "auto" finds , ; tab or |
	DecimalComma bool   `yaml:"decimal-comma" json:"decimalComma,omitempty"` // text of Numbers and serial Dates has a decimal comma
	Charset      string `yaml:"charset" json:"charset,omitempty"`            // utf-8 (default), windows-1252, iso-8859-1, utf-16
	Sheet        string `yaml:"sheet" json:"sheet,omitempty"`                // XLSX: name of the sheet, "" is the first
	HeaderRow    int    `yaml:"header-row" json:"headerRow,omitempty"`       // tables: the row of the column names, 1 by default; rows above it are not read
	SkipEmpty    bool   `yaml:"skip-empty" json:"skipEmpty,omitempty"`       // tables: pass over rows whose cells are all blank; without it they are errors

	Columns  []string `yaml:"columns" json:"columns,omitempty"`   // tables: required columns; a file without one of them is refused
	Optional []string `yaml:"optional" json:"optional,omitempty"` // tables: columns that are known and may be missing; further ones are read too

	// Numbers are the fields that hold numbers: they become decimal text without
	// exponent and without trailing zeros, rounded to 15 significant digits where a
	// fraction has 16 or 17 (the noise of binary numbers: 31.919999999999998).
	// More digits than that, and integers of more than 15, are errors.
	Numbers []string `yaml:"numbers" json:"numbers,omitempty"`

	// Dates are the fields that hold serial dates of a spreadsheet, or ISO 8601
	// dates: they become "2018-11-01", with a time "2018-11-01T06:30:00".
	Dates []string `yaml:"dates" json:"dates,omitempty"`
}

// Limits bound what one message may cost. Zero means the default.
type Limits struct {
	Bytes    int64 // of the message, 16 MiB
	Depth    int   // of nested JSON values or XML elements, 64
	Records  int   // in the message, 1,000,000
	Cell     int   // bytes of one text or number, 64 KiB
	Unzipped int64 // bytes read from within an XLSX file, and bytes in the records of a table: a text of a cell or the name of a column stands in many; 256 MiB
}

// maxColumns is how wide a table may be: what a spreadsheet can hold.
const maxColumns = 16_384

func (l Limits) withDefaults() Limits {
	fill(&l.Bytes, 16<<20)
	fill(&l.Depth, 64)
	fill(&l.Records, 1_000_000)
	fill(&l.Cell, 64<<10)
	fill(&l.Unzipped, 256<<20)
	return l
}

func fill[N int | int64](limit *N, value N) {
	if *limit <= 0 {
		*limit = value
	}
}

// A Record is one object of a message.
type Record struct {
	// Number is where it is, as a person counts: the row of a table with the header
	// in row 1, the line of NDJSON, else 1 for the first record of the document.
	Number int

	// Value holds string, json.Number, bool, nil, []any and map[string]any. Cells of
	// tables and XML are strings, an empty one has no key. A line break within a text
	// is "\n", however it was sent. XML: attributes are "@name", an element with
	// neither attributes nor children is its text, else its text is "#text"; elements
	// that repeat are a list; names are without their namespace prefix.
	Value map[string]any
}

// Split reads the records of a message. Every error is an *Error. One with a
// Record number is about that record, and the others are still to come; one with
// Record 0 is about the whole message and the last that is yielded. Of a JSON or
// XML document that cannot be read to its end no record is yielded; of a table
// the rows before the fault may have been.
func Split(spec Spec, body []byte, limits Limits) iter.Seq2[Record, error] {
	limits = limits.withDefaults()
	return func(yield func(Record, error) bool) {
		if fault := split(spec, body, limits, yield); fault != nil {
			yield(Record{}, fault)
		}
	}
}

// split yields records and what is wrong with single ones, and returns what is
// wrong with the whole message; nil too where the caller wants no more.
func split(spec Spec, body []byte, limits Limits, yield func(Record, error) bool) *Error {
	if err := spec.Validate(); err != nil {
		return &Error{Problem: "the format is not defined well: " + err.Error()}
	}
	if int64(len(body)) > limits.Bytes {
		return exceeds("the message", int64(len(body)), limits.Bytes, "bytes", "send it in several messages")
	}
	if spec.kind() == XLSX {
		return splitXLSX(spec, body, limits, yield)
	}
	text, fault := spec.decode(body)
	if fault != nil {
		return fault
	}
	switch spec.kind() {
	case NDJSON:
		return splitLines(spec, text, limits, yield)
	case CSV:
		return splitCSV(spec, text, limits, yield)
	case XML:
		return splitXML(spec, text, limits, yield)
	default:
		return splitJSON(spec, text, limits, yield)
	}
}

func (s Spec) kind() Kind {
	if s.Kind == "" {
		return JSON
	}
	return s.Kind
}

func (s Spec) headerRow() int {
	if s.HeaderRow == 0 {
		return 1
	}
	return s.HeaderRow
}

// path is Records taken apart; nil where it is "".
func (s Spec) path() []string {
	if s.Records == "" {
		return nil
	}
	return strings.Split(s.Records, "/")
}

// Validate tells every fault of the Spec at once.
func (s Spec) Validate() error {
	kinds := []Kind{JSON, NDJSON, CSV, XLSX, XML}
	if !slices.Contains(kinds, s.kind()) {
		return specFault("kind", fmt.Sprintf("%q is no format", s.Kind), "use one of "+join(kinds))
	}
	return errors.Join(s.validateSettings(), s.validatePath(), s.validateTable(), s.validateNames())
}

// validateSettings refuses what the kind would not look at: a setting without
// effect is a mistake of the person who wrote it.
func (s Spec) validateSettings() error {
	var faults []error
	for _, setting := range []struct {
		field string
		set   bool
		kinds []Kind
	}{
		{"records", s.Records != "", []Kind{JSON, XML}},
		{"lists", s.Lists != nil, []Kind{XML}},
		{"delimiter", s.Delimiter != "", []Kind{CSV}},
		{"charset", s.Charset != "", []Kind{JSON, NDJSON, CSV, XML}},
		{"sheet", s.Sheet != "", []Kind{XLSX}},
		{"header-row", s.HeaderRow != 0, []Kind{CSV, XLSX}},
		{"skip-empty", s.SkipEmpty, []Kind{CSV, XLSX}},
		{"columns", s.Columns != nil, []Kind{CSV, XLSX}},
		{"optional", s.Optional != nil, []Kind{CSV, XLSX}},
	} {
		if setting.set && !slices.Contains(setting.kinds, s.kind()) {
			faults = append(faults, specFault(setting.field, "has no effect for "+string(s.kind()), "remove it, it is for "+join(setting.kinds)))
		}
	}
	if s.Charset != "" && !slices.Contains(charsets, s.Charset) {
		faults = append(faults, specFault("charset", fmt.Sprintf("%q is not known", s.Charset), "use one of "+join(charsets)))
	}
	return errors.Join(faults...)
}

func (s Spec) validatePath() error {
	if slices.Contains(s.path(), "") {
		return specFault("records", fmt.Sprintf("%q has an empty name in it", s.Records), `write the names with one "/" between them, such as "Report/Row"`)
	}
	return nil
}

func (s Spec) validateTable() error {
	var faults []error
	if s.HeaderRow < 0 {
		faults = append(faults, specFault("header-row", fmt.Sprintf("%d is no row", s.HeaderRow), "count rows from 1"))
	}
	if s.Delimiter != "" && s.Delimiter != "auto" && !isDelimiter(s.Delimiter) {
		faults = append(faults, specFault("delimiter", fmt.Sprintf("%q separates nothing", s.Delimiter), `use one character such as "," or ";", or "auto"`))
	}
	return errors.Join(faults...)
}

func isDelimiter(text string) bool {
	r, size := utf8.DecodeRuneInString(text)
	return size == len(text) && r != utf8.RuneError && !strings.ContainsRune("\"\r\n", r)
}

// validateNames checks the lists of fields: a name that is misspelt in Numbers
// would leave its column as it came, and nobody would notice.
func (s Spec) validateNames() error {
	var faults []error
	known := slices.Concat(s.Columns, s.Optional)
	for _, list := range []struct {
		field string
		names []string
		known bool // must stand in Columns or Optional where those are given
	}{
		{"columns", s.Columns, false},
		{"optional", s.Optional, false},
		{"numbers", s.Numbers, true},
		{"dates", s.Dates, true},
		{"lists", s.Lists, false},
	} {
		for i, name := range list.names {
			switch {
			case name == "" || strings.TrimSpace(name) != name:
				faults = append(faults, specFault(list.field, fmt.Sprintf("%q is empty or has blanks around it", name), "write the name without blanks, those of the file are removed too"))
			case slices.Contains(list.names[:i], name):
				faults = append(faults, specFault(list.field, fmt.Sprintf("%q stands there twice", name), "remove one of them"))
			case list.known && len(known) > 0 && !slices.Contains(known, name):
				faults = append(faults, specFault(list.field, fmt.Sprintf("%q is no column", name), "add it to columns or optional, or correct its spelling"))
			}
		}
	}
	return errors.Join(append(faults, inBoth("columns", s.Columns, "optional", s.Optional), inBoth("numbers", s.Numbers, "dates", s.Dates))...)
}

func inBoth(field string, names []string, other string, others []string) error {
	for _, name := range names {
		if slices.Contains(others, name) {
			return specFault(field, fmt.Sprintf("%q stands in %s as well", name, other), "remove it from one of them")
		}
	}
	return nil
}

func specFault(field, problem, remedy string) error {
	return &Error{Field: field, Problem: problem, Remedy: remedy}
}

func join[S ~string](words []S) string {
	texts := make([]string, len(words))
	for i, w := range words {
		texts[i] = string(w)
	}
	return strings.Join(texts, ", ")
}
