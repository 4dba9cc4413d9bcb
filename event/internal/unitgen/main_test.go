package main

import (
	"bytes"
	"math/big"
	"os"
	"path/filepath"
	"testing"
)

func TestEvaluateReadsExpressions(t *testing.T) {
	for _, c := range []struct{ text, number, dimension string }{
		{"kg/m³", "1", "kg·m⁻³"},
		{"kg x m⁻³", "1", "kg·m⁻³"},
		{"(m³/s)/m²", "1", "m·s⁻¹"},
		{"mg/m²", "1/1000000", "kg·m⁻²"},
		{"min", "60", "s"},
		{"mm", "1/1000", "m"},
		{"m3", "1", "m³"},
		{"J/(10⁻³ x kg)", "1000", "J·kg⁻¹"},
		{"kPa", "1000", "Pa"},
		{"°F/K", "5/9", ""},
		{"lb/in", "45359237/2540000", "kg·m⁻¹"},
		{"N m", "1", "N·m"},
	} {
		got, err := evaluate(c.text, false)
		if err != nil {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got.number.RatString() != c.number || got.dimension() != c.dimension {
			t.Errorf("%s is %s %q, want %s %q", c.text, got.number.RatString(), got.dimension(), c.number, c.dimension)
		}
	}
}

func TestEvaluateRefuses(t *testing.T) {
	for _, text := range []string{"", "kg/", "(kg", "kg)", "kg·", "ppm", "furlong", "kg⁻⁰", "m^2"} {
		if got, err := evaluate(text, true); err == nil {
			t.Errorf("%q is read as %s %s", text, got.number, got.dimension())
		}
	}
}

func TestEveryDefinitionCanBeEvaluated(t *testing.T) {
	for symbol, text := range units {
		if text == "" {
			continue
		}
		if _, err := evaluate(text, true); err != nil {
			t.Errorf("unit %s: %v", symbol, err)
		}
	}
	for code, d := range definitions {
		if _, err := evaluate(d.expression, false); err != nil {
			t.Errorf("code %s: %v", code, err)
		}
	}
}

func TestReadStatedTakesFactorsApart(t *testing.T) {
	for _, c := range []struct {
		text, number, base string
		whole              bool
	}{
		{"kg/m³", "1", "kg/m³", true},
		{"10⁻³ m", "1/1000", "m", true},
		{"10 m", "10", "m", true},
		{"1 x 10⁻⁶", "1/1000000", "", true},
		{"10-18 m3", "1/1000000000000000000", "m3", true},
		{"10⁻8", "1/100000000", "", true},
		{"0,453 592 37 kg", "45359237/100000000", "kg", false},
		{"3 600 s", "3600", "s", false},
		{"1 013 25 Pa", "101325", "Pa", false},
		{"3,6 x 10³ s x cd x sr", "3600", "s x cd x sr", false},
		{"7,957 747 x 10 A/m", "7957747/100000", "A/m", false},
		{"1.667 × 104 W/s", "16670", "W/s", false},
		{"4, 731 76 x 10⁻⁴ m³", "29573500/62500000000", "m³", false},
		{"5/9\u00a0x K", "5/9", "K", true},
		{"10⁻⁶  1", "1/1000000", "", true},
		{"1.0", "1", "", true},
		{"1/1", "1", "", true},
	} {
		got, err := readStated(c.text)
		if err != nil {
			t.Errorf("%q: %v", c.text, err)
			continue
		}
		want := mustRat(t, c.number)
		if got.number.Cmp(want) != 0 || got.base != c.base || got.whole != c.whole {
			t.Errorf("%q is %s %q, whole %t; want %s %q, %t", c.text, got.number.RatString(), got.base, got.whole, want.RatString(), c.base, c.whole)
		}
	}
}

func TestAPublishedFactorIsComparedToItsLastDigit(t *testing.T) {
	for _, c := range []struct {
		text, exact string
		agrees      bool
	}{
		{"2,834 952 x 10⁻² kg", "45359237/1600000000", true},
		{"3,110 348 x 10⁻³ kg", "19439673/625000000", false},
		{"0,016 666 m/s", "1/60", true},
		{"0,016 7 m/s", "1/50", false},
		{"10³ kg", "1000", true},
		{"10³ kg", "100000001/100000", false},
	} {
		s, err := readStated(c.text)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.agrees(mustRat(t, c.exact)); got != c.agrees {
			t.Errorf("%q and %s agree: %t", c.text, c.exact, got)
		}
	}
}

func TestAListWithAnotherHeaderIsRefused(t *testing.T) {
	for _, text := range []string{"", "a,b\n1,2\n", "Status,CommonCode,Name,Description,LevelAndCategory,Symbol,ConversionFactor\nQ,KGM,kilogram,,1,kg,kg\n"} {
		if rows, err := read([]byte(text)); err == nil {
			t.Errorf("%q is read as %d rows", text, len(rows))
		}
	}
}

func TestTheUnitTableIsCurrent(t *testing.T) {
	folder := os.Getenv("GAPLESS_DATA")
	if folder == "" {
		folder = filepath.Join("..", "..", "..", "..", "shared", "data")
	}
	folder = filepath.Join(folder, "units")
	if _, err := os.Stat(folder); os.IsNotExist(err) {
		t.Skipf("the published list of units is not in %s: set GAPLESS_DATA to the folder that holds units/units-of-measure.csv", folder)
	}
	committed, err := os.ReadFile(filepath.Join("..", "..", "unit_table.go"))
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(folder, "units-of-measure.csv"))
	if err != nil {
		t.Fatal(err)
	}
	made, err := generate(text, &bytes.Buffer{})
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(made, committed) {
		t.Error("unit_table.go is not what unitgen makes: run go generate ./event")
	}
}

func mustRat(t *testing.T, text string) *big.Rat {
	t.Helper()
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("%q is no fraction", text)
	}
	return r
}
