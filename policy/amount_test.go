package policy

import (
	"encoding/json"
	"math/big"
	"strings"
	"testing"

	"cel.dev/cel-go/common/types"
	"github.com/quagmt/udecimal"
	"pgregory.net/rapid"
)

// decimalText is any text that a quantity may have, up to the limits.
func decimalText() *rapid.Generator[string] {
	return rapid.StringMatching(`-?[0-9]{1,30}(\.[0-9]{1,19})?`)
}

func rat(t *rapid.T, s string) *big.Rat {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		t.Fatalf("%q is no rational", s)
	}
	return r
}

// say evaluates a text expression over data as a message does.
func say(t testing.TB, message string) func(data map[string]any) string {
	t.Helper()
	def := requiring("false")
	def.Message = message
	p := mustCompile(t, def)
	return func(data map[string]any) string {
		v, _ := p.Judge(Input{Event: map[string]any{"type": "lot.released", "data": data}})
		return v.Message
	}
}

func TestArithmeticAgreesWithRationals(t *testing.T) {
	plus, minus := say(t, "text(plus(event.data.a, event.data.b))"), say(t, "text(minus(event.data.a, event.data.b))")
	times := say(t, "text(times(event.data.a, event.data.b))")
	order := say(t, `less(event.data.a, event.data.b) ? "less" : equal(event.data.a, event.data.b) ? "equal" : "more"`)
	atMost := say(t, `lessOrEqual(event.data.a, event.data.b) ? "yes" : "no"`)
	negative := say(t, `isNegative(event.data.a) ? "yes" : "no"`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := decimalText().Draw(t, "a"), decimalText().Draw(t, "b")
		if rapid.Bool().Draw(t, "same value") {
			b = a + map[bool]string{true: "0", false: ".0"}[strings.Contains(a, ".") && len(a)-strings.Index(a, ".") <= 19]
			if strings.Count(b, ".") != 1 || len(b)-strings.Index(b, ".")-1 > 19 {
				b = a
			}
		}
		data := map[string]any{"a": a, "b": b}
		x, y := rat(t, a), rat(t, b)
		if got := rat(t, plus(data)); got.Cmp(new(big.Rat).Add(x, y)) != 0 {
			t.Fatalf("%s + %s = %s", a, b, got.RatString())
		}
		if got := rat(t, minus(data)); got.Cmp(new(big.Rat).Sub(x, y)) != 0 {
			t.Fatalf("%s - %s = %s", a, b, got.RatString())
		}
		if got := times(data); !strings.Contains(got, "would have to be rounded") && rat(t, got).Cmp(new(big.Rat).Mul(x, y)) != 0 {
			t.Fatalf("%s * %s = %s", a, b, got)
		}
		if got, want := order(data), [...]string{"less", "equal", "more"}[x.Cmp(y)+1]; got != want {
			t.Fatalf("%s is %s than %s, want %s", a, got, b, want)
		}
		if got := atMost(data) == "yes"; got != (x.Cmp(y) <= 0) {
			t.Fatalf("%s <= %s: %t", a, b, got)
		}
		if got := negative(data) == "yes"; got != (x.Sign() < 0) {
			t.Fatalf("isNegative(%s): %t", a, got)
		}
	})
}

func TestSumAgreesWithRationalsInUnitAndInBaseUnit(t *testing.T) {
	total := say(t, "text(sum(event.data.l))")
	grams := map[string]*big.Rat{"KGM": big.NewRat(1000, 1), "TNE": big.NewRat(1_000_000, 1), "GRM": big.NewRat(1, 1)}
	rapid.Check(t, func(t *rapid.T) {
		units := rapid.SliceOfN(rapid.SampledFrom([]string{"KGM", "TNE", "GRM"}), 1, 8).Draw(t, "units")
		inUnit, inBase, same := new(big.Rat), new(big.Rat), true
		var list []any
		for _, unit := range units {
			value := rapid.StringMatching(`-?[0-9]{1,12}(\.[0-9]{1,9})?`).Draw(t, "value")
			base := new(big.Rat).Mul(rat(t, value), grams[unit])
			list = append(list, map[string]any{
				"value": value, "unit": unit,
				"base": map[string]any{"value": base.FloatString(19), "unit": "GRM"},
			})
			inUnit.Add(inUnit, rat(t, value))
			inBase.Add(inBase, base)
			same = same && unit == units[0]
		}
		value, unit, _ := strings.Cut(total(map[string]any{"l": list}), " ")
		want, wantUnit := inBase, "GRM"
		if same {
			want, wantUnit = inUnit, units[0]
		}
		if unit != wantUnit || rat(t, value).Cmp(want) != 0 {
			t.Fatalf("sum of %v is %s %s, want %s %s", list, value, unit, want.RatString(), wantUnit)
		}
	})
}

func TestDecimalTextIsReadStrictly(t *testing.T) {
	for text, ok := range map[string]bool{
		"0": true, "-0.5": true, "007.50": true, "12.1234567890123456789": true,
		"": false, "-": false, "+1": false, ".5": false, "5.": false, "1e3": false, "1,5": false, " 1": false, "1 ": false,
		"--1": false, "1.2.3": false, "1.-2": false, "0x1": false, "NaN": false, "Inf": false, "١": false,
		"1.12345678901234567890": false,
		strings.Repeat("9", 150): true, strings.Repeat("9", 151): false,
	} {
		if _, err := parseDecimal(text); (err == nil) != ok {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestJSONNumberIsReadExactly(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.StringMatching(`-?(0|[1-9][0-9]{0,8})(\.[0-9]{1,9})?([eE][+-]?[0-9]{1,2})?`).Draw(t, "number")
		if !json.Valid([]byte(s)) {
			t.Fatalf("the generator made %q", s)
		}
		want := rat(t, s)
		d, err := parseNumber(s)
		if err != nil {
			// Refused only where it has more decimals than are kept.
			scaled := new(big.Rat).Mul(want, new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(maxDecimals), nil)))
			if scaled.IsInt() {
				t.Fatalf("%s: %v", s, err)
			}
			return
		}
		if got := rat(t, d.String()); got.Cmp(want) != 0 {
			t.Fatalf("%s was read as %s", s, d)
		}
		if whole, ok := number(s).(types.Int); ok && want.Cmp(new(big.Rat).SetInt64(int64(whole))) != 0 {
			t.Fatalf("%s became %d", s, whole)
		}
	})
}

func TestProductKeepsTheUnitOfTheQuantity(t *testing.T) {
	kg := &amount{
		reported: measure{udecimal.MustParse("2.50"), "KGM", true},
		base:     measure{udecimal.MustParse("2500"), "GRM", true},
	}
	for _, order := range [][2]*amount{{kg, plain(udecimal.MustParse("1.10"))}, {plain(udecimal.MustParse("1.10")), kg}} {
		p, err := order[0].times(order[1])
		if err != nil {
			t.Fatal(err)
		}
		if p.text() != "2.75 KGM" || p.base.value.String() != "2750" || p.base.unit != "GRM" {
			t.Errorf("got %s, base %s %s", p, p.base.value, p.base.unit)
		}
	}
}
