package event

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func mustQuantity(t testing.TB, text, unit string) Quantity {
	t.Helper()
	q, err := NewQuantity(text, unit)
	if err != nil {
		t.Fatal(err)
	}
	return q
}

func TestQuantityJSON(t *testing.T) {
	for _, c := range []struct{ name, in, text, out string }{
		{"the canonical form", `{"value":"12.5","unit":"KGM"}`, "", `{"value":"12.5","unit":"KGM"}`},
		{"a number is kept as it was written", `{"value":12.50,"unit":"KGM"}`, "12.50", `{"value":"12.5","unit":"KGM","text":"12.50"}`},
		{"a string is kept as it was written", `{"value":"0012.5","unit":"KGM"}`, "0012.5", `{"value":"12.5","unit":"KGM","text":"0012.5"}`},
		{"the text is carried on", `{"value":"12.5","unit":"KGM","text":"12,50"}`, "12,50", `{"value":"12.5","unit":"KGM","text":"12,50"}`},
		{"a text that says nothing new is left out", `{"value":"12.5","unit":"KGM","text":"12.5"}`, "", `{"value":"12.5","unit":"KGM"}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			var q Quantity
			if err := json.Unmarshal([]byte(c.in), &q); err != nil {
				t.Fatal(err)
			}
			if q.Text != c.text {
				t.Errorf("text %q, want %q", q.Text, c.text)
			}
			if out, err := json.Marshal(q); err != nil || string(out) != c.out {
				t.Errorf("written as %s, %v; want %s", out, err, c.out)
			}
		})
	}
}

func TestQuantityJSONRefuses(t *testing.T) {
	for _, c := range []struct {
		name, in string
		want     error
	}{
		{"no value", `{"unit":"KGM"}`, ErrDecimalForm},
		{"a null value", `{"value":null,"unit":"KGM"}`, ErrDecimalForm},
		{"text for a value", `{"value":"many","unit":"KGM"}`, ErrDecimalForm},
		{"a number with binary noise", `{"value":0.30000000000000004,"unit":"KGM"}`, ErrDecimalNoise},
	} {
		t.Run(c.name, func(t *testing.T) {
			var q Quantity
			if err := json.Unmarshal([]byte(c.in), &q); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
}

func TestQuantityValidate(t *testing.T) {
	for _, c := range []struct {
		name, unit string
		want       error
	}{
		{"an active unit", "KGM", nil},
		{"a deprecated unit", "ARE", nil},
		{"a deleted unit", "PK", ErrUnitDeleted},
		{"an unknown unit", "kg", ErrUnitUnknown},
		{"no unit", "", ErrUnitUnknown},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := mustQuantity(t, "1", c.unit).Validate(); !errors.Is(err, c.want) {
				t.Errorf("%v, want %v", err, c.want)
			}
		})
	}
	tooLong := Quantity{Value: mustDecimal(t, "1e29").Add(mustDecimal(t, "0.1")), Unit: "kg"}
	if err := tooLong.Validate(); !errors.Is(err, ErrDecimalDigits) || !errors.Is(err, ErrUnitUnknown) {
		t.Errorf("both faults are told at once: %v", err)
	}
}

func TestConvertTo(t *testing.T) {
	for _, c := range []struct {
		value, from, to, want string
		exact                 bool
	}{
		{"1500", "GRM", "KGM", "1.5", true},
		{"16", "ONZ", "LBR", "1", true},
		{"1", "LBR", "KGM", "0.45359237", true},
		{"12", "INH", "FOT", "1", true},
		{"42", "GLL", "BLL", "1", true},
		{"8", "GLI", "LTR", "36.36872", true},
		{"90", "MIN", "HUR", "1.5", true},
		{"1", "HUR", "DAY", "0.041666666667", false},
		{"2", "KGM", "LBR", "4.409245243698", false},
		{"0", "CEL", "KEL", "273.15", true},
		{"-40", "CEL", "FAH", "-40", true},
		{"212", "FAH", "CEL", "100", true},
		{"-2.5", "DZN", "H87", "-30", true},
		{"3", "EA", "C62", "3", true},
		{"1", "H87", "DZN", "0.083333333333", false},
		{"5", "SET", "SET", "5", true},
		{"25", "P1", "Q26", "0.25", true},
		{"1", "ARE", "MTK", "100", true},
	} {
		t.Run(c.value+" "+c.from+" to "+c.to, func(t *testing.T) {
			got, err := mustQuantity(t, c.value, c.from).ConvertTo(c.to)
			if err != nil {
				t.Fatal(err)
			}
			if got.String() != c.want+" "+c.to || got.Exact != c.exact {
				t.Errorf("%s, exact %t; want %s, exact %t", got, got.Exact, c.want, c.exact)
			}
		})
	}
}

func TestConvertToRefuses(t *testing.T) {
	for _, c := range []struct {
		name, value, from, to string
		want                  error
	}{
		{"mass to volume", "1", "KGM", "LTR", ErrUnitDimension},
		{"torque to energy", "1", "NU", "JOU", ErrUnitDimension},
		{"from an unknown unit", "1", "KILO", "KGM", ErrUnitUnknown},
		{"to an unknown unit", "1", "KGM", "KILO", ErrUnitUnknown},
		{"from a deleted unit", "1", "BX", "H87", ErrUnitDeleted},
		{"to a deleted unit", "1", "H87", "BX", ErrUnitDeleted},
		{"from a unit whose content depends on the material", "1", "SET", "H87", ErrUnitNoFactor},
		{"a unit whose published factor is rounded", "1", "A53", "JOU", ErrUnitNoFactor},
		{"a result of too many digits", "99999999999999999999", "TNE", "MC", ErrDecimalDigits},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := mustQuantity(t, c.value, c.from).ConvertTo(c.to)
			if !errors.Is(err, c.want) {
				t.Errorf("%s, %v; want %v", got, err, c.want)
			}
		})
	}
}

// exactUnits are the usable units of a dimension that have a factor.
func exactUnits(dimension string) []string {
	var codes []string
	for _, u := range unitTable {
		if u.Dimension == dimension && u.Factor != "" && u.Status != UnitDeleted {
			codes = append(codes, u.Code)
		}
	}
	return codes
}

func drawUnits(t *rapid.T) (from, to string) {
	dimension := rapid.SampledFrom([]string{"mass", "length", "area", "volume", "time", "temperature", "count", "energy", "pressure"}).Draw(t, "dimension")
	codes := exactUnits(dimension)
	return rapid.SampledFrom(codes).Draw(t, "from"), rapid.SampledFrom(codes).Draw(t, "to")
}

func TestUnitsConvertThereAndBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from, to := drawUnits(t)
		q := Quantity{Value: anyDecimal(5, 4).Draw(t, "value"), Unit: from}
		there, err := q.ConvertTo(to)
		if errors.Is(err, ErrDecimalDigits) {
			t.Skip("the result is too long to keep")
		}
		if err != nil {
			t.Fatal(err)
		}
		if !there.Exact {
			t.Skip("the result has no end")
		}
		back, err := there.ConvertTo(from)
		if err != nil || !back.Exact || !back.Value.Equal(q.Value) {
			t.Fatalf("%s is %s is %s, exact %t, %v", q, there, back, back.Exact, err)
		}
	})
}

func TestConversionKeepsSums(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from, to := drawUnits(t)
		if u, _ := LookupUnit(from); u.Dimension == "temperature" {
			t.Skip("points on a scale are not added")
		}
		a, b := anyDecimal(5, 4).Draw(t, "a"), anyDecimal(5, 4).Draw(t, "b")
		var converted [3]Conversion
		for i, v := range []Decimal{a, b, a.Add(b)} {
			c, err := Quantity{Value: v, Unit: from}.ConvertTo(to)
			if err != nil || !c.Exact {
				t.Skip("too long to keep, or without end")
			}
			converted[i] = c
		}
		if sum := converted[0].Value.Add(converted[1].Value); !sum.Equal(converted[2].Value) {
			t.Fatalf("%s and %s %s make %s, their sum is %s", a, b, from, sum, converted[2])
		}
	})
}

func TestARoundedConversionIsOffByHalfADigitAtMost(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from, to := drawUnits(t)
		q := Quantity{Value: anyDecimal(5, 4).Draw(t, "value"), Unit: from}
		c, err := q.ConvertTo(to)
		if err != nil || c.Exact {
			t.Skip("not rounded")
		}
		fromUnit, _ := LookupUnit(from)
		toUnit, _ := LookupUnit(to)
		off := toUnit.fromBase(fromUnit.toBase(q.Value.rat()))
		off.Sub(off, c.Value.rat())
		if off.Abs(off).Cmp(fraction("1/2000000000000")) > 0 {
			t.Fatalf("%s is %s, off by %s", q, c, off.FloatString(20))
		}
	})
}

func TestBaseOfAMaterial(t *testing.T) {
	day := func(n int) time.Time { return time.Date(2018, time.November, n, 0, 0, 0, 0, time.UTC) }
	const resin, bolt, other Ref = "material/R-1", "material/B-1", "material/X-1"
	const odd Ref = "lot/B-1/odd"
	alternatives := []AlternativeUnit{
		{Material: bolt, Unit: "XCS", Base: "H87", Factor: mustDecimal(t, "24"), Version: "case-1", ValidTo: day(10)},
		{Material: bolt, Unit: "XCS", Base: "H87", Factor: mustDecimal(t, "20"), Version: "case-2", ValidFrom: day(10)},
		{Material: bolt, Lot: odd, Unit: "XCS", Base: "H87", Factor: mustDecimal(t, "23"), Version: "case-odd"},
		{Material: bolt, Unit: "XPX", Base: "XCS", Factor: mustDecimal(t, "40"), Version: "pallet-1"},
		{Material: resin, Unit: "LTR", Base: "KGM", Factor: mustDecimal(t, "0.92"), Version: "density-1"},
		{Material: other, Unit: "A", Base: "B", Factor: mustDecimal(t, "2"), Version: "a"},
		{Material: other, Unit: "B", Base: "A", Factor: mustDecimal(t, "2"), Version: "b"},
		{Material: other, Unit: "XBX", Base: "H87", Factor: mustDecimal(t, "5"), Version: "box-1", ValidTo: day(10)},
		{Material: other, Unit: "XBX", Base: "H87", Factor: mustDecimal(t, "6"), Version: "box-2", ValidFrom: day(9)},
		{Material: other, Unit: "SET", Base: "H87", Version: "no factor"},
	}
	for _, c := range []struct {
		name          string
		value, unit   string
		material, lot Ref
		at            int
		want, version string
		err           error
	}{
		{"a standard unit needs no factor", "1500", "GRM", bolt, "", 1, "1.5 KGM", "", nil},
		{"a unit that is its own base", "3", "SET", bolt, "", 1, "3 SET", "", nil},
		{"a case by the factor of the material", "2", "XCS", bolt, "", 1, "48 H87", "case-1", nil},
		{"the end of validity is exclusive, the beginning inclusive", "2", "XCS", bolt, "", 10, "40 H87", "case-2", nil},
		{"the factor of the lot counts before the material's", "2", "XCS", bolt, odd, 1, "46 H87", "case-odd", nil},
		{"another lot has the factor of the material", "2", "XCS", bolt, "lot/B-1/even", 1, "48 H87", "case-1", nil},
		{"a pallet of cases", "0.5", "XPX", bolt, "", 1, "480 H87", "pallet-1+case-1", nil},
		{"a pallet of cases of the lot", "1", "XPX", bolt, odd, 1, "920 H87", "pallet-1+case-odd", nil},
		{"a litre by its density", "10", "LTR", resin, "", 1, "9.2 KGM", "density-1", nil},
		{"the density holds for every unit of volume", "500", "MLT", resin, "", 1, "0.46 KGM", "density-1", nil},
		{"a mass needs no density", "5", "KGM", resin, "", 1, "5 KGM", "", nil},
		{"a factor of another material is no factor", "1", "XCS", resin, "", 1, "", "", ErrUnitUnknown},
		{"one factor is valid before the other begins", "1", "XBX", other, "", 8, "5 H87", "box-1", nil},
		{"two factors are valid at once", "1", "XBX", other, "", 9, "", "", ErrUnitAmbiguous},
		{"factors in a circle", "1", "A", other, "", 1, "", "", ErrUnitAmbiguous},
		{"a factor of zero", "1", "SET", other, "", 1, "", "", ErrUnitNoFactor},
		{"a unit whose published factor is rounded", "1", "A53", bolt, "", 1, "", "", ErrUnitNoFactor},
		{"a deleted unit", "1", "BX", bolt, "", 1, "", "", ErrUnitDeleted},
	} {
		t.Run(c.name, func(t *testing.T) {
			base, version, err := Base(mustQuantity(t, c.value, c.unit), alternatives, c.material, c.lot, day(c.at))
			if !errors.Is(err, c.err) {
				t.Fatalf("%v, want %v", err, c.err)
			}
			if c.err != nil {
				return
			}
			if diff := cmp.Diff([]string{c.want, c.version}, []string{base.String(), version}); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func BenchmarkBase(b *testing.B) {
	q := mustQuantity(b, "12500.5", "GRM")
	for b.Loop() {
		if _, _, err := Base(q, nil, "material/R-1", "", time.Time{}); err != nil {
			b.Fatal(err)
		}
	}
}
