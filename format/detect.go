package format

import (
	"bytes"
	"encoding/json"
	"fmt"
	"path"
	"strings"
	"unicode/utf8"
)

var (
	zipFile      = []byte("PK\x03\x04")
	compoundFile = []byte{0xd0, 0xcf, 0x11, 0xe0, 0xa1, 0xb1, 0x1a, 0xe1} // MS-CFB section 2.2: .xls, and .xlsx under a password
)

var extensions = map[string]Kind{
	".json": JSON, ".ndjson": NDJSON, ".jsonl": NDJSON, ".csv": CSV, ".tsv": CSV, ".txt": CSV,
	".xlsx": XLSX, ".xlsm": XLSX, ".xml": XML,
}

// Detect names the format of a file by its name and its first bytes, a
// kilobyte or so. Name and content must agree; without a name that tells, the
// content does. A format that cannot be read is an *Error with a remedy.
func Detect(filename string, head []byte) (Kind, error) {
	extension := strings.ToLower(path.Ext(strings.ReplaceAll(filename, `\`, "/")))
	named, known := extensions[extension]
	seen := detectContent(head)
	switch {
	case extension == ".xlsb":
		return "", binaryWorkbook()
	case bytes.HasPrefix(head, compoundFile):
		return "", &Error{Problem: fmt.Sprintf("%q is an old workbook (.xls), or protected by a password", filename), Remedy: saveAs + " without password"}
	case known && (named == XLSX) != (seen == XLSX):
		return "", &Error{Problem: fmt.Sprintf("%q is named %s, its content is something else", filename, extension), Remedy: "send the file as the system wrote it, under its own name"}
	case known:
		return named, nil
	case seen != "":
		return seen, nil
	}
	return "", &Error{Problem: fmt.Sprintf("the format of %q is not known", filename), Remedy: "send JSON, NDJSON, CSV, XLSX or XML, and name the file so"}
}

// detectContent names the format that the first bytes show; "" where they do
// not show any, as those of CSV.
func detectContent(head []byte) Kind {
	if bytes.HasPrefix(head, zipFile) {
		return XLSX
	}
	head = bytes.TrimSpace(bytes.TrimPrefix(head, markUTF8))
	if len(head) == 0 {
		return ""
	}
	switch head[0] {
	case '<':
		return XML
	case '[':
		return JSON
	case '{':
		line, rest, _ := bytes.Cut(head, []byte{'\n'})
		if next := bytes.TrimSpace(rest); utf8.Valid(line) && json.Valid(line) && bytes.HasPrefix(next, []byte{'{'}) {
			return NDJSON
		}
		return JSON
	}
	return ""
}
