// Package mouldingplant is the example company: an injection-moulding plant with
// an ERP that exports master data and orders, and an MES that exports one row per
// shift, machine and order. It holds the plant's catalog, knows which file is
// which message, and writes a made-up month in the plant's own file formats, so
// that everything can be tried without the plant's data.
package mouldingplant

import (
	"cmp"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed all:catalog
var embedded embed.FS

// Catalog is the plant's catalog, which extends the standard one.
func Catalog() fs.FS {
	sub, err := fs.Sub(embedded, "catalog")
	if err != nil {
		panic("mouldingplant: " + err.Error()) //nolint:forbidigo // the name is a constant that fs.ValidPath accepts: never
	}
	return sub
}

// The two systems of the plant, by their names in the catalog.
const (
	erp = "moulding-erp"
	mes = "moulding-mes"
)

// Folders of a month, under the folder that is given.
const (
	masterFolder = "master-data"
	orderFolder  = "orders"
	reportFolder = "shift-reports"
)

// A File is one file of a month and the message that its rows are.
type File struct {
	Path    string // as the operating system writes it
	System  string // "moulding-mes"
	Message string // "shift-report"
}

// A source says which files of a folder are which message. The order of sources
// is the order in which a plant sends: what is referred to before what refers to it.
type source struct {
	folder, prefix  string // the file's name without its extension begins with prefix
	system, message string
}

func sources() []source {
	return []source{
		{masterFolder, "resineInfo", erp, "resin"},
		{masterFolder, "itemInfo", erp, "item"},
		{masterFolder, "itemCompositionSummary", erp, "item-composition"},
		{masterFolder, "machineInfo", erp, "machine"},
		{masterFolder, "moldInfo", erp, "mold"},
		{masterFolder, "moldSpecificationSummary", erp, "mold-specification"},
		{masterFolder, "holidayNotes", erp, "holiday"},
		{orderFolder, "purchaseOrder_", erp, "order"},
		{reportFolder, "monthlyReports_", mes, "shift-report"},
	}
}

// Files lists the files of a month in the order in which a plant drops them:
// master data, orders by date, shift reports by month. Of a table that lies there
// as workbook and as CSV the workbook is taken: both hold the same rows. A
// table that belongs to no message is an error, so that nothing is left behind unseen.
func Files(dir string) ([]File, error) {
	var files []File
	var faults []error
	for _, folder := range []string{masterFolder, orderFolder, reportFolder} {
		found, err := filesOf(dir, folder)
		files, faults = append(files, found...), append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, fmt.Errorf("list the files of the plant: %w", err)
	}
	rank := func(f File) int {
		return slices.IndexFunc(sources(), func(s source) bool { return s.system == f.System && s.message == f.Message })
	}
	slices.SortStableFunc(files, func(a, b File) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), strings.Compare(a.Path, b.Path))
	})
	return files, nil
}

// filesOf lists one folder, workbooks before CSV files of the same name.
func filesOf(dir, folder string) ([]File, error) {
	entries, err := os.ReadDir(filepath.Join(dir, folder))
	if err != nil {
		return nil, err
	}
	tables := map[string]string{} // name without extension -> extension
	for _, entry := range entries {
		extension := filepath.Ext(entry.Name())
		if entry.IsDir() || (extension != ".csv" && extension != ".xlsx") {
			continue // the same rows as .xlsb, and the documentation
		}
		if name := strings.TrimSuffix(entry.Name(), extension); tables[name] != ".xlsx" {
			tables[name] = extension
		}
	}
	var files []File
	var faults []error
	for _, name := range slices.Sorted(maps.Keys(tables)) {
		path := filepath.Join(dir, folder, name+tables[name])
		i := slices.IndexFunc(sources(), func(s source) bool { return s.folder == folder && strings.HasPrefix(name, s.prefix) })
		if i < 0 {
			faults = append(faults, fmt.Errorf("%s: no message of the plant has files of this name; move it elsewhere, or name its message in sources", path))
			continue
		}
		files = append(files, File{path, sources()[i].system, sources()[i].message})
	}
	return files, errors.Join(faults...)
}
