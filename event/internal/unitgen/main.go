// Unitgen writes unit_table.go from the published list of UN/ECE Recommendation
// 20: units-of-measure.csv in the folder given as argument.
//
// A conversion factor gets into the table only where it is exact. The published
// factors are free text, most of them rounded to seven digits, and some are
// wrong. So a factor is taken
//
//  1. from definitions, for counted things and for what only the description says;
//  2. else from the unit's symbol ("lb/ft³"), evaluated by exact definitions, if
//     it has the dimension of the published factor and agrees with it to the
//     last published digit or to a millionth;
//  3. else as published, where that is a power of ten or a fraction.
//
// Everything else has no factor. What was left out, and why, goes to stderr.
package main

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"go/format"
	"io"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// A row is one unit as published and as it goes into the table.
type row struct {
	code, name, symbol, status, published string
	dimension, base, factor, offset       string
}

func main() {
	if err := run(os.Args[1:], os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "unitgen:", err)
		os.Exit(1)
	}
}

func run(args []string, findings io.Writer) error {
	if len(args) != 1 {
		return errors.New("usage: unitgen FOLDER, which holds units-of-measure.csv; writes unit_table.go here")
	}
	text, err := os.ReadFile(filepath.Join(args[0], "units-of-measure.csv"))
	if err != nil {
		return err
	}
	source, err := generate(text, findings)
	if err != nil {
		return err
	}
	return os.WriteFile("unit_table.go", source, 0o644)
}

// generate makes the Go source from the published list and writes what was left
// out to findings.
func generate(text []byte, findings io.Writer) ([]byte, error) {
	rows, err := read(text)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		if reason := rows[i].decide(); reason != "" {
			fmt.Fprintf(findings, "%s\t%s\t%q\t%s\n", rows[i].code, rows[i].name, rows[i].published, reason)
		}
	}
	if err := nameDimensions(rows); err != nil {
		return nil, err
	}
	return render(rows)
}

var columns = []string{"Status", "CommonCode", "Name", "Description", "LevelAndCategory", "Symbol", "ConversionFactor"}

func read(text []byte) ([]row, error) {
	records, err := csv.NewReader(bytes.NewReader(bytes.TrimPrefix(text, []byte("\ufeff")))).ReadAll()
	if err != nil {
		return nil, err
	}
	if len(records) == 0 || !slices.Equal(records[0], columns) {
		return nil, fmt.Errorf("the first line is not %s", strings.Join(columns, ","))
	}
	// The bar marks a row that the revision changed; it says nothing about use.
	states := map[string]string{"": "active", "¦": "active", "D": "deprecated", "X": "deleted"}
	var rows []row
	for _, r := range records[1:] {
		status, ok := states[r[0]]
		if !ok {
			return nil, fmt.Errorf("code %s has status %q, which is not known", r[1], r[0])
		}
		rows = append(rows, row{code: r[1], name: r[2], symbol: strings.TrimSpace(r[5]), status: status, published: r[6]})
	}
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.code, b.code) })
	return rows, nil
}

// decide sets dimension, factor and offset, and says why a factor that was
// published is left out.
func (r *row) decide() (reason string) {
	defined, isDefined := definitions[r.code]
	if isDefined {
		return r.define(defined)
	}
	if strings.TrimSpace(r.published) == "" {
		return ""
	}
	s, err := readStated(r.published)
	if err != nil {
		return err.Error()
	}
	base := pure(big.NewRat(1, 1))
	basic := base
	if s.base != "" {
		if base, err = evaluate(s.base, false); err != nil {
			return err.Error()
		}
		if basic, err = evaluate(s.base, true); err != nil {
			return err.Error()
		}
	}
	number := s.number
	symbol, err := evaluate(tidySymbol(r.symbol), true)
	switch {
	case err != nil && !s.whole:
		r.dimension = dimensionOf(base)
		return "rounded, and the symbol gives no exact value"
	case err == nil && !maps.Equal(symbol.powers, basic.powers):
		return "symbol and factor have different dimensions"
	case err == nil:
		number = new(big.Rat).Quo(symbol.number, basic.number)
		if !s.agrees(number) {
			r.dimension = dimensionOf(base)
			return "the symbol says " + number.FloatString(20)
		}
	}
	r.set(new(big.Rat).Mul(number, base.number), base)
	return ""
}

// define sets the row by a definition and checks it against what is published.
func (r *row) define(d definition) (reason string) {
	t, err := evaluate(d.expression, false)
	if err != nil {
		return err.Error()
	}
	if r.published != "" && d.corrects == "" {
		s, err := readStated(r.published)
		if err != nil {
			return err.Error()
		}
		scale := pure(big.NewRat(1, 1))
		if s.base != "" {
			if scale, err = evaluate(s.base, false); err != nil {
				return err.Error()
			}
		}
		if dimensionOf(scale) != dimensionOf(t) && s.base != "" {
			return "the definition has the dimension " + dimensionOf(t)
		}
		if exact := new(big.Rat).Quo(t.number, scale.number); !s.agrees(exact) {
			return "the definition says " + exact.FloatString(20)
		}
	}
	r.set(t.number, t)
	if d.corrects != "" {
		return "corrected: " + d.corrects
	}
	return ""
}

func (r *row) set(factor *big.Rat, t term) {
	r.dimension, r.factor = dimensionOf(t), factor.RatString()
	if scale, ok := scales[r.code]; ok {
		offset, _ := new(big.Rat).SetString(scale)
		r.offset = offset.RatString()
	}
}

func tidySymbol(symbol string) string {
	return strings.Join(strings.Fields(tidy.Replace(symbol)), " ")
}

// noDimension marks a row whose dimension is the pure number, as opposed to none.
const noDimension = "1"

func dimensionOf(t term) string {
	d := t.dimension()
	if same, ok := sameAs[d]; ok {
		return same
	}
	if d == "" {
		return noDimension
	}
	return d
}

// nameDimensions gives every dimension its name and its base unit.
func nameDimensions(rows []row) error {
	first := map[string]string{}
	expression := map[string]string{} // by code, before names replace them
	for _, r := range rows {
		expression[r.code] = r.dimension
		if r.status == "active" && r.factor == "1" && r.offset == "" && first[r.dimension] == "" {
			first[r.dimension] = r.code
		}
	}
	for i := range rows {
		r := &rows[i]
		if r.dimension == "" {
			continue
		}
		named, ok := dimensions[strings.TrimPrefix(r.dimension, noDimension)]
		if !ok {
			r.base = first[r.dimension]
			continue
		}
		at, found := slices.BinarySearchFunc(rows, named.base, func(r row, code string) int { return strings.Compare(r.code, code) })
		if !found || rows[at].factor != "1" || rows[at].status != "active" || expression[named.base] != r.dimension {
			return fmt.Errorf("%s is no base unit of %s, %s", named.base, named.name, r.dimension)
		}
		r.dimension, r.base = named.name, named.base
	}
	return nil
}

func render(rows []row) ([]byte, error) {
	var b bytes.Buffer
	b.WriteString("// Code generated by internal/unitgen from UN/ECE Recommendation 20, revision 17. DO NOT EDIT.\n\npackage event\n\n")
	b.WriteString("// unitTable is sorted by code.\nvar unitTable = [...]Unit{\n")
	for _, r := range rows {
		fmt.Fprintf(&b, "{%q, %q, %q, %q, %q, %q, %q, %q},\n", r.code, r.name, r.symbol, r.status, r.dimension, r.factor, r.offset, r.base)
	}
	b.WriteString("}\n")
	return format.Source(b.Bytes())
}
