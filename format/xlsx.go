package format

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"iter"
	"path"
	"strconv"
	"strings"
)

// Cells are read as they are stored, whatever they look like: numbers with all
// their digits, dates as serial numbers, formulas as the value that was computed
// last, of merged cells the first. Hidden rows are read, too.
//
// A workbook is read part by part, as ECMA-376 lays it out, in one pass over the
// sheet and within a bound on what is unzipped. A general library for
// spreadsheets loads the whole, and gives text in which a cell of a failed
// formula, or of one that was never computed, looks like any other.

const (
	saveAs       = "save it as .xlsx or .csv"
	brokenRemedy = "save the file anew with a spreadsheet program and send it again"
)

func splitXLSX(spec Spec, body []byte, limits Limits, yield func(Record, error) bool) *Error {
	w, fault := openWorkbook(body, limits)
	if fault != nil {
		return fault
	}
	sheet, fault := w.sheet(spec.Sheet)
	if fault != nil {
		return fault
	}
	if fault = w.readStrings(); fault != nil {
		return fault
	}
	t := newTable(spec, limits)
	if w.date1904 {
		t.columns.serialOffset = offset1904
	}
	return t.split(w.rows(sheet), yield)
}

// workbook is an opened XLSX file.
type workbook struct {
	parts    map[string]*zip.File // by lower-case name: names differ in more than case
	limits   Limits
	left     int64             // bytes that may still be unzipped
	targets  map[string]target // of the workbook part, by relationship id
	sheets   []sheetEntry
	strings  []string // shared by the cells
	date1904 bool
}

type target struct{ kind, part string }

type sheetEntry struct {
	Name string `xml:"name,attr"`
	ID   string `xml:"id,attr"`
}

func openWorkbook(body []byte, limits Limits) (*workbook, *Error) {
	if bytes.HasPrefix(body, compoundFile) {
		return nil, &Error{Problem: "the file is an old workbook (.xls), or protected by a password", Remedy: saveAs + " without password"}
	}
	archive, err := zip.NewReader(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		return nil, &Error{Problem: "the file is no workbook: " + err.Error(), Remedy: "send the .xlsx file whole, or set kind to what is sent"}
	}
	w := &workbook{parts: map[string]*zip.File{}, limits: limits, left: limits.Unzipped}
	for _, file := range archive.File {
		name := strings.ToLower(strings.TrimPrefix(file.Name, "/"))
		if w.parts[name] != nil {
			return nil, broken(file.Name, "stands twice in the file")
		}
		w.parts[name] = file
	}
	return w, w.readWorkbook()
}

func broken(part, problem string) *Error {
	text := fmt.Sprintf("the workbook is broken: %s %s", part, problem)
	return &Error{Problem: strings.ToValidUTF8(text, "\uFFFD"), Remedy: brokenRemedy}
}

// readWorkbook reads which sheets there are, and where.
func (w *workbook) readWorkbook() *Error {
	root, fault := w.relationships("", "_rels/.rels")
	if fault != nil {
		return fault
	}
	var main string
	for _, to := range root {
		if to.kind == "officeDocument" {
			main = to.part
		}
	}
	switch {
	case strings.HasSuffix(main, ".bin"):
		return binaryWorkbook()
	case main == "":
		return &Error{Problem: "the file holds no workbook", Remedy: saveAs}
	}
	var book struct {
		Properties struct {
			Date1904 string `xml:"date1904,attr"`
		} `xml:"workbookPr"`
		Sheets []sheetEntry `xml:"sheets>sheet"`
	}
	if fault = w.decode(main, &book); fault != nil {
		return fault
	}
	w.sheets = book.Sheets
	w.date1904 = book.Properties.Date1904 == "1" || book.Properties.Date1904 == "true"
	w.targets, fault = w.relationships(path.Dir(main), path.Join(path.Dir(main), "_rels", path.Base(main)+".rels"))
	return fault
}

func binaryWorkbook() *Error {
	return &Error{Problem: "the file is a binary workbook (.xlsb), which is not read", Remedy: saveAs}
}

// relationships are the parts that a part refers to, by id (ECMA-376 part 2, section 9.3).
func (w *workbook) relationships(folder, part string) (map[string]target, *Error) {
	var list struct {
		Relationship []struct {
			ID     string `xml:"Id,attr"`
			Type   string `xml:"Type,attr"`
			Target string `xml:"Target,attr"`
		}
	}
	if fault := w.decode(part, &list); fault != nil {
		return nil, fault
	}
	targets := map[string]target{}
	for _, r := range list.Relationship {
		name := r.Target
		if !strings.HasPrefix(name, "/") {
			name = path.Join("/", folder, name)
		}
		targets[r.ID] = target{kind: path.Base(r.Type), part: strings.TrimPrefix(path.Clean(name), "/")}
	}
	return targets, nil
}

// sheet is the part of the sheet with that name, "" for the first.
func (w *workbook) sheet(name string) (string, *Error) {
	var found []string
	for _, s := range w.sheets {
		to := w.targets[s.ID]
		if to.kind != "worksheet" {
			continue // a chart has no rows
		}
		if name == "" || s.Name == name {
			return to.part, nil
		}
		found = append(found, s.Name)
	}
	if name == "" {
		return "", &Error{Problem: "the workbook has no sheet", Remedy: brokenRemedy}
	}
	return "", &Error{Problem: fmt.Sprintf("the workbook has no sheet %q", name), Remedy: "name the sheet so, or correct sheet; found: " + quoted(found)}
}

// open reads a part; whoever reads it takes from what may still be unzipped.
func (w *workbook) open(part string) (*partReader, *Error) {
	file := w.parts[strings.ToLower(part)]
	if file == nil {
		return nil, broken(part, "is missing")
	}
	stream, err := file.Open()
	if err != nil {
		return nil, broken(part, "cannot be unzipped: "+err.Error())
	}
	r := &partReader{part: part, book: w, stream: stream}
	r.dec = newXMLDecoder(r)
	return r, nil
}

func (w *workbook) decode(part string, into any) *Error {
	r, fault := w.open(part)
	if fault != nil {
		return fault
	}
	if err := r.dec.Decode(into); err != nil {
		return r.fault(err)
	}
	return nil
}

// partReader is one part of a workbook, as bytes and as XML.
type partReader struct {
	part   string
	book   *workbook
	stream io.Reader
	dec    *xml.Decoder
}

var (
	errUnzipped = errors.New("too much is unzipped")
	errDoctype  = errors.New("has a document type definition")
)

// Read unzips, as long as the limit allows it. The zip reader is never closed:
// it holds nothing but memory.
func (r *partReader) Read(p []byte) (int, error) {
	n, err := r.stream.Read(p)
	if r.book.left -= int64(n); r.book.left < 0 {
		return 0, errUnzipped
	}
	return n, err
}

// token is the next token; io.EOF at the end.
func (r *partReader) token() (xml.Token, error) {
	token, err := r.dec.Token()
	if _, is := token.(xml.Directive); is {
		return nil, errDoctype
	}
	return token, err
}

func (r *partReader) fault(err error) *Error {
	switch {
	case errors.Is(err, errUnzipped):
		return exceeds("the unzipped workbook", -1, r.book.limits.Unzipped, "bytes", "send fewer rows in each file")
	case errors.Is(err, io.EOF):
		return broken(r.part, "ends too early")
	default:
		return broken(r.part, "cannot be read: "+err.Error())
	}
}

// A shared string costs memory also where it is empty; so much of it is charged
// to the limit on what is unzipped.
const stringHeader = 16

// readStrings reads the texts that cells refer to by number.
func (w *workbook) readStrings() *Error {
	for _, to := range w.targets {
		if to.kind != "sharedStrings" {
			continue
		}
		r, fault := w.open(to.part)
		if fault != nil {
			return fault
		}
		if err := r.readStrings(); err != nil {
			return r.fault(err)
		}
	}
	return nil
}

func (r *partReader) readStrings() error {
	for {
		token, err := r.token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		if start, is := token.(xml.StartElement); is && start.Name.Local == "si" {
			text, err := r.richText()
			if err != nil {
				return err
			}
			if r.book.left -= stringHeader; r.book.left < 0 {
				return errUnzipped
			}
			r.book.strings = append(r.book.strings, text)
		}
	}
}

// richText is the text of an element in all its runs, without how it is
// pronounced (section 18.4 of part 1: si, is, r, t; rPh is the pronunciation).
func (r *partReader) richText() (string, error) {
	var text strings.Builder
	for depth, phonetic, within := 1, 0, false; depth > 0; {
		token, err := r.token()
		if err != nil {
			return "", err
		}
		switch t := token.(type) {
		case xml.StartElement:
			depth++
			if t.Name.Local == "rPh" && phonetic == 0 {
				phonetic = depth
			}
			within = t.Name.Local == "t" && phonetic == 0
		case xml.EndElement:
			if depth == phonetic {
				phonetic = 0
			}
			depth--
			within = false
		case xml.CharData:
			if within {
				text.Write(t)
			}
		}
	}
	return unescaped(text.String()), nil
}

// unescaped reads "_x000D_", by which a workbook writes characters that XML
// cannot hold (section 22.9.2.19 of part 1, ST_Xstring).
func unescaped(text string) string {
	if !strings.Contains(text, "_x") {
		return text
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if unit, is := escape(text[i:]); is {
			b.WriteRune(rune(unit))
			i += len("_x000D_") - 1
			continue
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

func escape(text string) (uint64, bool) {
	if len(text) < len("_x000D_") || !strings.HasPrefix(text, "_x") || text[6] != '_' {
		return 0, false
	}
	unit, err := strconv.ParseUint(text[2:6], 16, 16)
	return unit, err == nil && (unit < 0xd800 || unit >= 0xe000)
}

// rows reads the rows of a sheet. A row of cells without value is formatting and
// no row.
func (w *workbook) rows(part string) iter.Seq2[row, *Error] {
	return func(yield func(row, *Error) bool) {
		r, fault := w.open(part)
		if fault != nil {
			yield(row{}, fault)
			return
		}
		s := &sheetReader{partReader: r}
		s.row.width = -1
		for {
			more, err := s.next()
			if err != nil {
				yield(row{}, r.fault(err))
				return
			}
			if !more || len(s.row.cells) > 0 && !yield(s.row, nil) {
				return
			}
		}
	}
}
