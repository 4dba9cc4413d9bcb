package event

import (
	"bytes"
	"encoding/csv"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func TestDimensionsAreWhatUnitsInUseMeasure(t *testing.T) {
	measured := map[string]bool{}
	for _, u := range Units() {
		if u.Status != UnitDeleted && u.Dimension != "" {
			measured[u.Dimension] = true
		}
	}
	all := Dimensions()
	if len(all) != len(measured) || !slices.IsSorted(all) {
		t.Errorf("%d dimensions in %v, units have %d", len(all), all, len(measured))
	}
	for _, name := range all {
		if !measured[name] || !IsDimension(name) {
			t.Errorf("%q is measured by no unit, or not known", name)
		}
	}
	for _, name := range []string{"", "heaviness", "Mass", "mass "} {
		if IsDimension(name) {
			t.Errorf("%q is a dimension", name)
		}
	}
	all[0] = "mine"
	if IsDimension("mine") {
		t.Error("the caller's list is the package's")
	}
}

func TestUnitsThatPlantsUse(t *testing.T) {
	for _, c := range []struct{ code, dimension, base, factor, offset string }{
		{"KGM", "mass", "KGM", "1", ""},
		{"GRM", "mass", "KGM", "1/1000", ""},
		{"TNE", "mass", "KGM", "1000", ""},
		{"LBR", "mass", "KGM", "45359237/100000000", ""},
		{"ONZ", "mass", "KGM", "45359237/1600000000", ""},
		{"APZ", "mass", "KGM", "19439673/625000000", ""},
		{"MTR", "length", "MTR", "1", ""},
		{"INH", "length", "MTR", "127/5000", ""},
		{"FOT", "length", "MTR", "381/1250", ""},
		{"MTK", "area", "MTK", "1", ""},
		{"MTQ", "volume", "MTQ", "1", ""},
		{"LTR", "volume", "MTQ", "1/1000", ""},
		{"GLL", "volume", "MTQ", "473176473/125000000000", ""},
		{"GLI", "volume", "MTQ", "454609/100000000", ""},
		{"BLL", "volume", "MTQ", "9936705933/62500000000", ""},
		{"SEC", "time", "SEC", "1", ""},
		{"MIN", "time", "SEC", "60", ""},
		{"HUR", "time", "SEC", "3600", ""},
		{"KEL", "temperature", "KEL", "1", ""},
		{"CEL", "temperature", "KEL", "1", "5463/20"},
		{"FAH", "temperature", "KEL", "5/9", "45967/180"},
		{"H87", "count", "H87", "1", ""},
		{"C62", "count", "H87", "1", ""},
		{"EA", "count", "H87", "1", ""},
		{"NAR", "count", "H87", "1", ""},
		{"PR", "count", "H87", "2", ""},
		{"DZN", "count", "H87", "12", ""},
		{"GRO", "count", "H87", "144", ""},
		{"MIL", "count", "H87", "1000", ""},
		{"P1", "ratio", "Q26", "1/100", ""},
		{"KWH", "energy", "JOU", "3600000", ""},
		{"BAR", "pressure", "PAL", "100000", ""},
		{"KMH", "speed", "MTS", "5/18", ""},
		{"NMP", "", "NMP", "", ""}, // a pack is not a piece
		{"SET", "", "SET", "", ""},
		{"A53", "energy", "JOU", "", ""}, // the published electronvolt is a measurement
	} {
		t.Run(c.code, func(t *testing.T) {
			u, ok := LookupUnit(c.code)
			if !ok {
				t.Fatal("the code is not in the table")
			}
			if u.Dimension != c.dimension || u.Base() != c.base || u.Factor != c.factor || u.Offset != c.offset || u.Status != UnitActive {
				t.Errorf("%s is %s, dimension %q, base %s, factor %q, offset %q", u.Code, u.Status, u.Dimension, u.Base(), u.Factor, u.Offset)
			}
		})
	}
}

func TestAnUnknownCodeIsNotFound(t *testing.T) {
	for _, code := range []string{"", "kgm", "KGMM", "XBX", "KGM "} {
		if u, ok := LookupUnit(code); ok {
			t.Errorf("%q is found as %s", code, u.Name)
		}
	}
}

func TestTheUnitTableIsSound(t *testing.T) {
	if !slices.IsSortedFunc(unitTable[:], func(a, b Unit) int { return strings.Compare(a.Code, b.Code) }) {
		t.Error("the table is not sorted by code")
	}
	for _, u := range unitTable {
		if u.Factor != "" && fraction(u.Factor).Sign() <= 0 {
			t.Errorf("%s has factor %s", u.Code, u.Factor)
		}
		if u.Factor != "" && u.Dimension == "" || u.Offset != "" && u.Factor == "" {
			t.Errorf("%s has a factor and no dimension, or an offset and no factor", u.Code)
		}
		if u.Offset != "" {
			fraction(u.Offset)
		}
		if u.base == "" {
			continue
		}
		base, ok := LookupUnit(u.base)
		if !ok || base.Status != UnitActive || base.Dimension != u.Dimension || base.Factor != "1" || base.Offset != "" || base.Base() != base.Code {
			t.Errorf("%s has the base %s, which is no base of %s", u.Code, u.base, u.Dimension)
		}
	}
}

// published is the list the table was made from; the test is skipped where it is absent.
func published(t *testing.T) [][]string {
	t.Helper()
	folder := os.Getenv("GAPLESS_DATA")
	if folder == "" {
		folder = filepath.Join("..", "..", "shared", "data")
	}
	text, err := os.ReadFile(filepath.Join(folder, "units", "units-of-measure.csv"))
	if os.IsNotExist(err) {
		t.Skipf("the published list of units is not in %s: set GAPLESS_DATA to the folder that holds units/units-of-measure.csv", folder)
	}
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	return rows[1:]
}

func TestTheUnitTableHoldsThePublishedCodes(t *testing.T) {
	rows := published(t)
	status := map[string]UnitStatus{"": UnitActive, "¦": UnitActive, "D": UnitDeprecated, "X": UnitDeleted}
	count := map[UnitStatus]int{}
	exact := 0
	for _, r := range rows {
		u, ok := LookupUnit(r[1])
		if !ok {
			t.Errorf("%s (%s) is not in the table", r[1], r[2])
			continue
		}
		count[u.Status]++
		if u.Factor != "" {
			exact++
		}
		if u.Name != r[2] || u.Status != status[r[0]] || u.Symbol != strings.TrimSpace(r[5]) {
			t.Errorf("%s is %q, %q, %s; published are %q, %q, %q", u.Code, u.Name, u.Symbol, u.Status, r[2], r[5], r[0])
		}
	}
	if len(rows) != 2136 || len(unitTable) != 2136 || count[UnitDeleted] != 309 || count[UnitDeprecated] != 71 {
		t.Errorf("%d rows, %d units, of them %d deleted and %d deprecated; want 2136, 2136, 309 and 71",
			len(rows), len(unitTable), count[UnitDeleted], count[UnitDeprecated])
	}
	if want := 1411; exact != want {
		t.Errorf("%d units have an exact factor, want %d", exact, want)
	}
}

// misprinted are the codes whose published factor is wrong and replaced.
var misprinted = map[string]string{
	"APZ": "the exponent is -2, not -3",
	"BQL": "27,027e-12 Ci is a rounded becquerel",
	"C94": "s stands for 1/s",
	"KNM": "103pascal is 10³ Pa",
	"NPR": "the text only refers to the pair",
}

// scaledBases are the published base expressions that hold a multiple of base units.
var scaledBases = map[string]float64{
	"g": 1e-3, "mg": 1e-6, "km²": 1e6, "bar⁻¹": 1e-5, "byte/s": 8, "J/(10⁻³xkg)": 1e3, "V/mx10²": 1e2, "Ci/kg": 3.7e10,
}

// TestFactorsAgreeWithThePublishedText reads the published text a second way,
// by text replacement and binary floating point, and compares.
func TestFactorsAgreeWithThePublishedText(t *testing.T) {
	compared := 0
	for _, r := range published(t) {
		u, _ := LookupUnit(r[1])
		if u.Factor == "" || r[6] == "" || misprinted[u.Code] != "" {
			continue
		}
		value, tolerance, ok := publishedValue(r[6])
		if !ok {
			t.Errorf("%s has the factor %s, but %q is not understood", u.Code, u.Factor, r[6])
			continue
		}
		factor, _ := new(big.Float).SetRat(fraction(u.Factor)).Float64()
		if difference := max(factor-value, value-factor); difference > max(tolerance, 1.1e-6*value) {
			t.Errorf("%s has the factor %s = %g, published is %q = %g", u.Code, u.Factor, factor, r[6], value)
		}
		compared++
	}
	if compared < 1300 {
		t.Errorf("only %d factors were compared", compared)
	}
	t.Logf("%d factors agree with the published text", compared)
}

var (
	raised     = strings.NewReplacer("⁰", "0", "¹", "1", "²", "2", "³", "3", "⁴", "4", "⁵", "5", "⁶", "6", "⁷", "7", "⁸", "8", "⁹", "9", "⁻", "-")
	plainTen   = regexp.MustCompile(`^10([⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+8?|-\d+)(.*)$`)
	numberText = regexp.MustCompile(`^([0-9.]+)(?:/(\d+))?(?:x10([⁰¹²³⁴⁵⁶⁷⁸⁹⁻]+|-?\d+|))?(.*)$`)
)

// publishedValue is the number in a published factor, how far it may be off by
// its last digit, and whether the text was understood.
func publishedValue(text string) (value, tolerance float64, ok bool) {
	text = strings.NewReplacer(" 1/", "/", " ", "", "\u00a0", "", "×", "x", ",", ".").Replace(text)
	value, unit := 1.0, text
	if m := plainTen.FindStringSubmatch(text); m != nil {
		value, ok = power(m[1])
		unit = m[2]
	} else if m := numberText.FindStringSubmatch(text); m != nil {
		mantissa, err := strconv.ParseFloat(m[1], 64)
		scale, scaleOK := 1.0, true
		if strings.HasPrefix(strings.TrimPrefix(text, m[1]), "x10") {
			scale, scaleOK = power(m[3])
		}
		if m[2] != "" {
			divisor, _ := strconv.ParseFloat(m[2], 64)
			scale /= divisor
		}
		_, fraction, _ := strings.Cut(m[1], ".")
		value, ok = mantissa*scale, err == nil && scaleOK
		if m[2] == "" {
			tolerance = scale
			for range fraction {
				tolerance /= 10
			}
		}
		unit = m[4]
	} else {
		ok = true
	}
	if s, found := scaledBases[strings.TrimPrefix(unit, "x")]; found {
		value, tolerance = value*s, tolerance*s
	}
	return value, tolerance, ok
}

func power(digits string) (float64, bool) {
	if digits == "" {
		return 10, true
	}
	value, err := strconv.ParseFloat("1e"+raised.Replace(digits), 64)
	return value, err == nil
}

func BenchmarkLookupUnit(b *testing.B) {
	for b.Loop() {
		if _, ok := LookupUnit("KGM"); !ok {
			b.Fatal("not found")
		}
	}
}
