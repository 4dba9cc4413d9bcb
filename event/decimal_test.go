package event

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func mustDecimal(t testing.TB, text string) Decimal {
	t.Helper()
	d, err := ParseDecimal(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// anyDecimal draws decimals of every size that can be read.
func anyDecimal(whole, fraction int) *rapid.Generator[Decimal] {
	return rapid.Custom(func(t *rapid.T) Decimal {
		text := rapid.StringMatching(fmt.Sprintf(`-?[0-9]{1,%d}`, whole)).Draw(t, "whole")
		if n := rapid.IntRange(0, fraction).Draw(t, "fraction digits"); n > 0 {
			text += "." + rapid.StringOfN(rapid.RuneFrom([]rune("0123456789")), n, n, -1).Draw(t, "fraction")
		}
		d, err := ParseDecimal(text)
		if err != nil {
			t.Fatal(err)
		}
		return d
	})
}

func TestParseDecimalReadsWhatCanBeKeptExactly(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a plain number", "12.5", "12.5"},
		{"trailing zeros fall away", "12.500", "12.5"},
		{"zeros in front are padding", "000012.5", "12.5"},
		{"a negative number", "-0.25", "-0.25"},
		{"there is one zero", "-0.00", "0"},
		{"a zero with an exponent", "0e5", "0"},
		{"an exponent moves the point right", "1.25e3", "1250"},
		{"an exponent moves the point left", "125E-4", "0.0125"},
		{"an exponent with a plus sign", "5e+2", "500"},
		{"an exponent that ends inside the number", "123.456e1", "1234.56"},
		{"the smallest step", "0.0000000000000000001", "0.0000000000000000001"},
		{"the smallest step by exponent", "1e-19", "0.0000000000000000001"},
		{"thirty digits", "12345678901.1234567890123456789", "12345678901.1234567890123456789"},
		{"a one with 29 zeros", "1e29", "1" + strings.Repeat("0", 29)},
		{"zeros behind the last digit are no digits", "1." + strings.Repeat("0", 40), "1"},
		{"a large exponent may cancel a small number", "0.000000000000000000001e10", "0.00000000001"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := mustDecimal(t, c.text).String(); got != c.want {
				t.Errorf("%s reads as %s, want %s", c.text, got, c.want)
			}
		})
	}
}

func TestParseDecimalRefuses(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       error
	}{
		{"nothing", "", ErrDecimalForm},
		{"a blank in front", " 1", ErrDecimalForm},
		{"a blank behind", "1 ", ErrDecimalForm},
		{"a decimal comma", "1,5", ErrDecimalForm},
		{"grouping", "1 000", ErrDecimalForm},
		{"a lone sign", "-", ErrDecimalForm},
		{"two signs", "--1", ErrDecimalForm},
		{"a plus sign, which JSON has not", "+1", ErrDecimalForm},
		{"no digit before the point", ".5", ErrDecimalForm},
		{"no digit behind the point", "5.", ErrDecimalForm},
		{"two points", "1.2.3", ErrDecimalForm},
		{"an exponent without digits", "1e", ErrDecimalForm},
		{"an exponent with a sign alone", "1e-", ErrDecimalForm},
		{"an exponent with two signs", "1e+-2", ErrDecimalForm},
		{"an exponent with a fraction", "1e0.5", ErrDecimalForm},
		{"no number", "NaN", ErrDecimalForm},
		{"infinity", "Inf", ErrDecimalForm},
		{"minus infinity", "-Infinity", ErrDecimalForm},
		{"hexadecimal", "0x10", ErrDecimalForm},
		{"digits of another script", "١٢", ErrDecimalForm},
		{"an absurd exponent", "1e400", ErrDecimalDigits},
		{"an absurd exponent of zero", "0e400", ErrDecimalDigits},
		{"an exponent that fits no integer", "1e99999999999999999999", ErrDecimalDigits},
		{"an absurd negative exponent", "1e-400", ErrDecimalDigits},
		{"twenty digits behind the point", "0.00000000000000000001", ErrDecimalDigits},
		{"thirty-one digits", strings.Repeat("9", 31), ErrDecimalDigits},
		{"a one with 30 zeros", "1e30", ErrDecimalDigits},
		{"text without end", strings.Repeat("0", 1000), ErrDecimalDigits},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseDecimal(c.text)
			if !errors.Is(err, c.want) {
				t.Errorf("ParseDecimal(%.40q) = %s, %v; want %v", c.text, got, err, c.want)
			}
		})
	}
}

func TestDecimalRefusesAnAbsurdExponentWithTheReason(t *testing.T) {
	_, err := ParseDecimal("1e400")
	if err == nil || !strings.Contains(err.Error(), "exponent") {
		t.Errorf("the error does not name the exponent: %v", err)
	}
}

func TestDecimalJSON(t *testing.T) {
	for _, c := range []struct {
		name, in, out string
		want          error
	}{
		{"a string is read and written as string", `"12.50"`, `"12.5"`, nil},
		{"a number is read and written as string", `12.50`, `"12.5"`, nil},
		{"a number in exponent notation", `1e3`, `"1000"`, nil},
		{"a number of 15 significant digits", `123456.789012345`, `"123456.789012345"`, nil},
		{"a number with the noise of binary arithmetic", `31.919999999999998`, "", ErrDecimalNoise},
		{"the same digits as a string", `"31.919999999999998"`, `"31.919999999999998"`, nil},
		{"an integer too long for a double", `12345678901234567`, "", ErrDecimalNoise},
		{"a round integer has few significant digits", `100000000000000000000`, `"100000000000000000000"`, nil},
		{"an escaped string", `"\u0031"`, `"1"`, nil},
		{"a truth value", `true`, "", ErrDecimalForm},
		{"null", `null`, "", ErrDecimalForm},
		{"an empty string", `""`, "", ErrDecimalForm},
		{"an object", `{}`, "", ErrDecimalForm},
	} {
		t.Run(c.name, func(t *testing.T) {
			var d Decimal
			err := d.UnmarshalJSON([]byte(c.in))
			if !errors.Is(err, c.want) {
				t.Fatalf("reading %s: %v, want %v", c.in, err, c.want)
			}
			if c.want != nil {
				return
			}
			if out, err := json.Marshal(d); err != nil || string(out) != c.out {
				t.Errorf("%s is written as %s, %v; want %s", c.in, out, err, c.out)
			}
		})
	}
}

func TestADecimalThatCannotBeReadBackIsNotWritten(t *testing.T) {
	sum := mustDecimal(t, "1e29").Add(mustDecimal(t, "1e-19"))
	if _, err := json.Marshal(sum); !errors.Is(err, ErrDecimalDigits) {
		t.Errorf("writing %s: %v, want %v", sum, err, ErrDecimalDigits)
	}
}

func TestSignificantDigits(t *testing.T) {
	for text, want := range map[string]int{
		"0": 0, "0.000": 0, "-1": 1, "1000": 1, "0.0120": 2, "5e9": 1, "31.92": 4, "1.05": 3, "31.919999999999998": 17, "x": 0, "": 0,
	} {
		if got := SignificantDigits(text); got != want {
			t.Errorf("SignificantDigits(%q) = %d, want %d", text, got, want)
		}
	}
}

func TestDecimalArithmeticIsExact(t *testing.T) {
	a, b := mustDecimal(t, "0.1"), mustDecimal(t, "0.2")
	if got := a.Add(b); !got.Equal(mustDecimal(t, "0.3")) {
		t.Errorf("0.1 + 0.2 = %s", got)
	}
	if got := a.Sub(b); got.String() != "-0.1" {
		t.Errorf("0.1 - 0.2 = %s", got)
	}
	if got, err := mustDecimal(t, "0.5").Mul(mustDecimal(t, "0.2")); err != nil || got.String() != "0.1" {
		t.Errorf("0.5 * 0.2 = %s, %v", got, err)
	}
	if got, err := mustDecimal(t, "0.5000000000000000000").Mul(mustDecimal(t, "0.0000000000000000002")); err != nil || got.String() != "0.0000000000000000001" {
		t.Errorf("a product whose last digits are zeros = %s, %v", got, err)
	}
	if got := a.Neg().Neg(); !got.Equal(a) || a.Neg().Sign() != -1 || (Decimal{}).Neg().Sign() != 0 {
		t.Errorf("negation: %s", got)
	}
	tiny := mustDecimal(t, "1e-10")
	if got, err := tiny.Mul(tiny); !errors.Is(err, ErrDecimalDigits) {
		t.Errorf("1e-10 * 1e-10 = %s, %v; want %v, since it has 20 digits behind the point", got, err, ErrDecimalDigits)
	}
	large := mustDecimal(t, "1e20")
	if got, err := large.Mul(large); !errors.Is(err, ErrDecimalDigits) {
		t.Errorf("1e20 * 1e20 = %s, %v; want %v", got, err, ErrDecimalDigits)
	}
}

func TestRoundHalfEven(t *testing.T) {
	for _, c := range []struct {
		text   string
		digits int
		want   string
	}{
		{"0.5", 0, "0"},
		{"1.5", 0, "2"},
		{"2.5", 0, "2"},
		{"-2.5", 0, "-2"},
		{"-0.5", 0, "0"},
		{"2.5000000001", 0, "3"},
		{"1.2345", 3, "1.234"},
		{"1.2355", 3, "1.236"},
		{"1.5", 19, "1.5"},
		{"1.5", 40, "1.5"},
		{"7.5", -3, "8"},
		{"12345678901.1234567890123456785", 18, "12345678901.123456789012345678"},
	} {
		if got := mustDecimal(t, c.text).RoundHalfEven(c.digits).String(); got != c.want {
			t.Errorf("%s to %d digits is %s, want %s", c.text, c.digits, got, c.want)
		}
	}
}

func TestScaledAtTheEdges(t *testing.T) {
	for _, c := range []struct {
		text    string
		digits  int
		scaled  int64
		residue string
		want    error
	}{
		{"12.5", 6, 12_500_000, "0", nil},
		{"0.0000015", 6, 1, "0.0000005", nil},
		{"-0.0000015", 6, -1, "-0.0000005", nil},
		{"9223372036854775807", 0, math.MaxInt64, "0", nil},
		{"9223372036854.7758071", 6, math.MaxInt64, "0.0000001", nil},
		{"9223372036854.775808", 6, 0, "0", ErrDecimalRange},
		{"1e29", 0, 0, "0", ErrDecimalRange},
		{"1", 20, 0, "0", ErrDecimalDigits},
		{"1", -1, 0, "0", ErrDecimalDigits},
	} {
		scaled, residue, err := mustDecimal(t, c.text).Scaled(c.digits)
		if scaled != c.scaled || residue.String() != c.residue || !errors.Is(err, c.want) {
			t.Errorf("%s scaled by %d digits: %d, %s, %v; want %d, %s, %v", c.text, c.digits, scaled, residue, err, c.scaled, c.residue, c.want)
		}
	}
	if _, err := FromScaled(1, 20); !errors.Is(err, ErrDecimalDigits) {
		t.Errorf("FromScaled with 20 digits: %v", err)
	}
}

func TestScaledAndResidueMakeTheValue(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := anyDecimal(9, 19).Draw(t, "value")
		digits := rapid.IntRange(0, 9).Draw(t, "digits")
		scaled, residue, err := d.Scaled(digits)
		if err != nil {
			t.Fatal(err)
		}
		whole, err := FromScaled(scaled, digits)
		if err != nil {
			t.Fatal(err)
		}
		if got := whole.Add(residue); !got.Equal(d) {
			t.Fatalf("%s and %s make %s", whole, residue, got)
		}
		if residue.Sign()*d.Sign() < 0 {
			t.Fatalf("the residue %s of %s has the other sign", residue, d)
		}
	})
}

func TestDecimalAgreesWithFractions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := anyDecimal(11, 19).Draw(t, "a"), anyDecimal(11, 19).Draw(t, "b")
		if a.Cmp(b) != a.rat().Cmp(b.rat()) {
			t.Fatalf("%s and %s compare as %d", a, b, a.Cmp(b))
		}
		if !a.Add(b).Sub(b).Equal(a) {
			t.Fatalf("%s + %s - %s is not the first", a, b, b)
		}
		exact := a.rat()
		exact.Mul(exact, b.rat())
		if product, err := a.Mul(b); err == nil && product.rat().Cmp(exact) != 0 {
			t.Fatalf("%s * %s = %s, which is not exact", a, b, product)
		}
	})
}

func TestDecimalTextReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := anyDecimal(11, 19).Draw(t, "value")
		back, err := ParseDecimal(d.String())
		if err != nil || !back.Equal(d) || back.String() != d.String() {
			t.Fatalf("%s reads back as %s, %v", d, back, err)
		}
	})
}

func FuzzParseDecimal(f *testing.F) {
	for _, seed := range []string{"0", "-12.50", "1e-19", "1e400", "0012", "9e29", "1,5", "NaN", "-0.0", "1e+06"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		d, err := ParseDecimal(text)
		if err != nil {
			if !errors.Is(err, ErrDecimalForm) && !errors.Is(err, ErrDecimalDigits) {
				t.Fatalf("%q is refused by an error of no kind: %v", text, err)
			}
			return
		}
		back, err := ParseDecimal(d.String())
		if err != nil || !back.Equal(d) || back.String() != d.String() {
			t.Fatalf("%q is %s, which reads back as %s, %v", text, d, back, err)
		}
		data, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(data, &back); err != nil || !back.Equal(d) {
			t.Fatalf("%q is written %s, which reads back as %s, %v", text, data, back, err)
		}
		exact, ok := d.rat().SetString(text)
		if !ok || exact.Cmp(d.rat()) != 0 {
			t.Fatalf("%q is read as %s, which is another number", text, d)
		}
	})
}

func BenchmarkParseDecimal(b *testing.B) {
	for b.Loop() {
		if _, err := ParseDecimal("12345.678"); err != nil {
			b.Fatal(err)
		}
	}
}

func TestADecimalThatStandsSeveralTimes(t *testing.T) {
	for _, x := range []struct {
		text string
		n    int64
		want string
	}{{"0.1", 3, "0.3"}, {"-2.50", 4, "-10"}, {"7", 0, "0"}} {
		if got, err := ParseTimes(x.text, x.n); err != nil || got.String() != x.want {
			t.Errorf("%s, %d times: %s, %v, want %s", x.text, x.n, got, err, x.want)
		}
	}
	if _, err := ParseTimes("many", 2); err == nil {
		t.Error("what is no decimal has been read")
	}
}
