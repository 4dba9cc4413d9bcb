package event

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// decode reads JSON as intake does.
func decode(t testing.TB, text string) any {
	t.Helper()
	value, err := decodeJSON([]byte(text))
	if err != nil {
		t.Fatalf("%.80s: %v", text, err)
	}
	return value
}

func decodeJSON(text []byte) (any, error) {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var value any
	if err := d.Decode(&value); err != nil {
		return nil, err
	}
	if d.More() {
		return nil, errors.New("more than one value")
	}
	return value, nil
}

// The examples of RFC 8785: section 3.2.2 with its numbers and its text, section
// 3.2.3 with members in the order of UTF-16 code units.
func TestTheExamplesOfRFC8785(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{
			"section 3.2.2",
			`{
			  "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
			  "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
			  "literals": [null, true, false]
			}`,
			// The RFC rounds the first number to 333333333.3333333; here it keeps its digits.
			`{"literals":[null,true,false],"numbers":[333333333.33333329,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}`,
		},
		{
			"section 3.2.3",
			`{
			  "\u20ac": "Euro Sign",
			  "\r": "Carriage Return",
			  "\ufb33": "Hebrew Letter Dalet With Dagesh",
			  "1": "One",
			  "\ud83d\ude00": "Emoji: Grinning Face",
			  "\u0080": "Control",
			  "\u00f6": "Latin Small Letter O With Diaeresis"
			}`,
			`{"\r":"Carriage Return","1":"One","` + "\u0080" + `":"Control","ö":"Latin Small Letter O With Diaeresis",` +
				`"€":"Euro Sign","😀":"Emoji: Grinning Face","` + "\ufb33" + `":"Hebrew Letter Dalet With Dagesh"}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := Canonical(decode(t, c.in))
			if err != nil || string(got) != c.want {
				t.Errorf("%v\n got %s\nwant %s", err, got, c.want)
			}
		})
	}
}

// Appendix B of RFC 8785, by the shortest literal of each double.
func TestNumbersThatADoubleCarriesAreWrittenAsTheRFCSays(t *testing.T) {
	for literal, want := range map[string]string{
		"0": "0", "-0": "0", "0.0": "0", "-0.0": "0", "0e0": "0", "-0e-5": "0",
		"5e-324": "5e-324", "-5e-324": "-5e-324",
		"1.7976931348623157e308": "1.7976931348623157e+308", "-1.7976931348623157E+308": "-1.7976931348623157e+308",
		"9007199254740992": "9007199254740992", "-9007199254740992": "-9007199254740992",
		"9007199254740991": "9007199254740991", "9007199254740990": "9007199254740990", "9007199254740994": "9007199254740994",
		"295147905179352830000": "295147905179352830000",
		"9.999999999999997e22":  "9.999999999999997e+22", "1e23": "1e+23", "1.0000000000000001e23": "1.0000000000000001e+23",
		"999999999999999700000": "999999999999999700000", "999999999999999900000": "999999999999999900000", "1e21": "1e+21", "1000000000000000000000": "1e+21",
		"9.999999999999997e-7": "9.999999999999997e-7", "0.000001": "0.000001", "1e-6": "0.000001", "1e-7": "1e-7",
		"333333333.3333332": "333333333.3333332", "333333333.33333325": "333333333.33333325", "333333333.3333333": "333333333.3333333",
		"333333333.3333334": "333333333.3333334", "333333333.33333343": "333333333.33333343",
		"-0.0000033333333333333333": "-0.0000033333333333333333", "1424953923781206.2": "1424953923781206.2",
		"1E30": "1e+30", "4.50": "4.5", "2e-3": "0.002", "1e-27": "1e-27", "0.000000000000000000000000001": "1e-27",
		"100": "100", "1e2": "100", "-12.50": "-12.5", "1e20": "100000000000000000000",
	} {
		got, err := Canonical(json.Number(literal))
		if err != nil || string(got) != want {
			t.Errorf("%s: %s, %v; want %s", literal, got, err, want)
		}
	}
}

// What the RFC would round stays apart: docs/adr/0002.
func TestNumbersBeyondDoublesKeepTheirDigits(t *testing.T) {
	for literal, want := range map[string]string{
		"9007199254740993":         "9007199254740993",
		"-9007199254740993":        "-9007199254740993",
		"333333333.33333329":       "333333333.33333329",
		"12345678901234567890.5":   "12345678901234567890.5",
		"0.10000000000000000001":   "0.10000000000000000001",
		"1234567890123456789e3":    "1234567890123456789000",
		"1.00000000000000000001":   "1.00000000000000000001",
		"1e-400":                   "0." + strings.Repeat("0", 399) + "1",
		"1e-401":                   "0." + strings.Repeat("0", 400) + "1",
		"1e-402":                   "1e-402",
		"-1e399":                   "-1" + strings.Repeat("0", 399),
		"1e400":                    "1e+400",
		"10e399":                   "1e+400",
		"12.50e400":                "1.25e+401",
		"1e2147483647":             "1e+2147483647",
		"1e-2147483648":            "1e-2147483648",
		"100000000000000000000001": "100000000000000000000001",
	} {
		got, err := Canonical(json.Number(literal))
		if err != nil || string(got) != want {
			t.Errorf("%s: %s, %v; want %s", literal, got, err, want)
		}
	}
}

func TestWhatIsNoNumberOfJSONIsRefused(t *testing.T) {
	for _, literal := range []string{
		"", "-", "+5", "007", "-01", ".5", "5.", "1e", "1e+", "NaN", "Infinity", "-Inf", "0x10", "0x1p-2", "1_000", "1/3", " 5", "5 ", "true", `"5"`, "5,5",
		"1e9999999999", "1e-9999999999", "1e99999999999999999999999",
	} {
		if got, err := Canonical(json.Number(literal)); !errors.Is(err, ErrNumber) {
			t.Errorf("%q: %s, %v", literal, got, err)
		}
	}
}

func TestALongNumberCostsNoMoreThanItsLength(t *testing.T) {
	const million = 1_000_000
	for name, literal := range map[string]string{
		"a million digits":                 strings.Repeat("7", million),
		"a million digits behind a point":  "0." + strings.Repeat("0", million) + "7",
		"an exponent of a million":         "1e1000000",
		"a negative exponent of a million": "1e-1000000",
	} {
		t.Run(name, func(t *testing.T) {
			got, err := Canonical(json.Number(literal))
			if err != nil || len(got) > len(literal)+16 {
				t.Errorf("%d bytes, %v", len(got), err)
			}
		})
	}
}

// literals are numbers in every spelling, many of them near the ends of doubles.
var literals = rapid.StringMatching(`-?(0|[1-9][0-9]{0,25})(\.[0-9]{1,25})?([eE][+-]?(0?[0-9]|[1-3][0-9]{2}|40[0-9]))?`)

func TestNumbersAreTheSameTextExactlyWhereTheyAreTheSameValue(t *testing.T) {
	value := func(t *rapid.T, text string) *big.Rat {
		r, ok := new(big.Rat).SetString(text)
		if !ok {
			t.Fatal(text)
		}
		return r
	}
	rapid.Check(t, func(t *rapid.T) {
		a := literals.Draw(t, "a")
		b := literals.Draw(t, "b")
		if rapid.Bool().Draw(t, "respelled") {
			b = value(t, a).FloatString(460) // plain, with zeros behind
		}
		textA, errA := Canonical(json.Number(a))
		textB, errB := Canonical(json.Number(b))
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if value(t, string(textA)).Cmp(value(t, a)) != 0 {
			t.Errorf("%s is written %s", a, textA)
		}
		if (string(textA) == string(textB)) != (value(t, a).Cmp(value(t, b)) == 0) {
			t.Errorf("%s and %s are written %s and %s", a, b, textA, textB)
		}
	})
}

func TestTextIsEscapedOnlyWhereItMustBe(t *testing.T) {
	for in, want := range map[string]string{
		"":                  `""`,
		"plain":             `"plain"`,
		"\b\t\n\f\r":        `"\b\t\n\f\r"`,
		"\x00\x01\x1f":      `"\u0000\u0001\u001f"`,
		"\x7f\u0080\u2028":  "\"\x7f\u0080\u2028\"",
		`"\/`:               `"\"\\/"`,
		"<>&":               `"<>&"`,
		"€😀":                `"€😀"`,
		"ends with quote\"": `"ends with quote\""`,
	} {
		if got, err := Canonical(in); err != nil || string(got) != want {
			t.Errorf("%q: %s, %v; want %s", in, got, err, want)
		}
	}
	for name, value := range map[string]any{
		"text": "a\xff", "a member's name": map[string]any{"a\xff": nil}, "text within": []any{map[string]any{"a": "\xc3"}},
	} {
		if _, err := Canonical(value); !errors.Is(err, ErrText) {
			t.Errorf("%s that is no UTF-8: %v", name, err)
		}
	}
}

func TestValuesOfGoAreWrittenLikeTheirJSON(t *testing.T) {
	value := map[string]any{
		"i": 5, "l": int64(9007199254740993), "r": Ref("lot/M%20100/1"), "t": true, "z": nil, "s": []any{}, "o": map[string]any{},
	}
	got, err := Canonical(value)
	if want := `{"i":5,"l":9007199254740993,"o":{},"r":"lot/M%20100/1","s":[],"t":true,"z":null}`; err != nil || string(got) != want {
		t.Errorf("%s, %v; want %s", got, err, want)
	}
	for _, other := range []any{1.5, float32(1), uint8(1), []string{"a"}, map[string]string{}, struct{}{}, Decimal{}} {
		if got, err := Canonical(map[string]any{"a": other}); err == nil {
			t.Errorf("%T is written %s", other, got)
		}
	}
}

func TestNestingIsBounded(t *testing.T) {
	nest := func(open, closing string, levels int) string {
		return strings.Repeat(open, levels) + "1" + strings.Repeat(closing, levels)
	}
	for _, c := range []struct {
		name, open, closing string
	}{{"lists", "[", "]"}, {"objects", `{"a":`, "}"}} {
		t.Run(c.name, func(t *testing.T) {
			in := nest(c.open, c.closing, MaxDepth)
			if got, err := Canonical(decode(t, in)); err != nil || string(got) != in {
				t.Errorf("%d levels: %v", MaxDepth, err)
			}
			for _, levels := range []int{MaxDepth + 1, 9_000} {
				_, err := Canonical(decode(t, nest(c.open, c.closing, levels)))
				if !errors.Is(err, ErrDepth) || len(err.Error()) > 1_000 {
					t.Errorf("%d levels: %v", levels, err)
				}
			}
		})
	}
}

// values are JSON values of every shape.
func values(depth int) *rapid.Generator[any] {
	names := rapid.OneOf(rapid.StringMatching(`[a-c]{0,2}`), rapid.SampledFrom([]string{"€", "\ufb33", "😀", "\r", "ö", "\u007f"}))
	return rapid.Custom(func(t *rapid.T) any {
		kind := rapid.IntRange(0, 6).Draw(t, "kind")
		switch {
		case depth > 0 && kind == 5:
			return rapid.SliceOfN(values(depth-1), 0, 4).Draw(t, "list")
		case depth > 0 && kind == 6:
			return rapid.MapOfN(names, values(depth-1), 0, 5).Draw(t, "object")
		case kind == 0:
			return nil
		case kind == 1:
			return rapid.Bool().Draw(t, "truth")
		case kind == 2:
			return rapid.String().Draw(t, "text")
		}
		return json.Number(literals.Draw(t, "number"))
	})
}

func TestTheCanonicalFormReadsBackAsItself(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		first, err := Canonical(values(4).Draw(t, "value"))
		if err != nil {
			t.Fatal(err)
		}
		again, err := decodeJSON(first)
		if err != nil {
			t.Fatalf("%s: %v", first, err)
		}
		second, err := Canonical(again)
		if err != nil || !bytes.Equal(first, second) {
			t.Errorf("%v\n%s\n%s", err, first, second)
		}
	})
}

func TestTheOrderOfMembersMakesNoDifference(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		object := rapid.MapOfN(rapid.StringMatching(`[a-zö€]{0,3}`), values(1), 2, 6).Draw(t, "object")
		var members []string
		for name, value := range object {
			nameText, err := Canonical(name)
			if err != nil {
				t.Fatal(err)
			}
			valueText, err := Canonical(value)
			if err != nil {
				t.Fatal(err)
			}
			members = append(members, fmt.Sprintf(" %s :\n%s", nameText, valueText))
		}
		slices.Sort(members)
		want, err := Digest(object)
		if err != nil {
			t.Fatal(err)
		}
		text := "{" + strings.Join(rapid.Permutation(members).Draw(t, "members"), ",") + "}"
		value, err := decodeJSON([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := Digest(value); err != nil || got != want {
			t.Errorf("%s: %s, %v; want %s", text, got, err, want)
		}
	})
}

// Digests are in every ledger: one that changes makes known content look new.
func TestDigestsNeverChange(t *testing.T) {
	for in, want := range map[string]string{
		`{"b":[1.50,"ü"],"a":{"value":"12.5","unit":"KGM"}}`: "2e02fafc313a107e1fb0f13530d88bba431f011b18141c2d0045f03947308769",
		`{}`: "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
	} {
		if got, err := Digest(decode(t, in)); err != nil || got != want {
			t.Errorf("%s: %s, %v", in, got, err)
		}
	}
	if _, err := Digest(1.5); err == nil {
		t.Error("a digest of what is no JSON value")
	}
}

func FuzzCanonical(f *testing.F) {
	for _, seed := range []string{
		`{"a":1,"b":[1.50,-0,1e400,5e-324]}`, `"\u20ac\ud83d\ude00\u0000"`, `333333333.33333329`, `{"":{"":[]}}`, `[9007199254740993,1e21,1e-7]`, `"\ud800"`,
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		value, err := decodeJSON(text)
		if err != nil {
			return
		}
		first, err := Canonical(value)
		if err != nil {
			if !errors.Is(err, ErrDepth) && !errors.Is(err, ErrNumber) {
				t.Fatal(err)
			}
			return
		}
		again, err := decodeJSON(first)
		if err != nil {
			t.Fatalf("%s: %v", first, err)
		}
		second, err := Canonical(again)
		if err != nil || !bytes.Equal(first, second) {
			t.Fatalf("%v\n%s\n%s", err, first, second)
		}
	})
}
