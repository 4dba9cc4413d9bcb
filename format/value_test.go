package format_test

import (
	"math"
	"strconv"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/gapless/gapless/format"
)

// field reads one text as a field of a JSON record and gives it back.
func field(t testing.TB, spec format.Spec, text string) (string, *format.Error) {
	t.Helper()
	records, faults := read(t, spec, `{"x":`+strconv.Quote(text)+`}`, format.Limits{})
	if len(faults) > 0 {
		return "", faults[0]
	}
	value, _ := records[0].Value["x"].(string)
	return value, nil
}

var (
	aNumber = format.Spec{Numbers: []string{"x"}}
	aDate   = format.Spec{Dates: []string{"x"}}
)

func TestNumbersBecomeDecimalText(t *testing.T) {
	for text, want := range map[string]string{
		"0": "0", "-0": "0", "0.000": "0", "0e9": "0", "007": "7", "+5": "5", ".5": "0.5", "5.": "5", "-12.50": "-12.5",
		"1e3": "1000", "1E+05": "100000", "1.25e-3": "0.00125", "12e-1": "1.2", "100": "100", "1.0e2": "100", "1e-30": "0.000000000000000000000000000001",
		"31.919999999999998":      "31.92",
		"0.89999999999999991":     "0.9",
		"0.8999999999999999":      "0.9",
		"69.680000000000007":      "69.68",
		"0.00014000000000000001":  "0.00014",
		"9.9999999999999998":      "10",
		"-999.99999999999999":     "-1000",
		"123456789012345":         "123456789012345",
		"1234567890123450":        "1234567890123450",
		"0.123456789012345":       "0.123456789012345",
		"0.1234567890123445":      "0.123456789012344", // a half, to the even neighbour
		"0.1234567890123455":      "0.123456789012346",
		"0.12345678901234451":     "0.123456789012345",
		"31.9200000000000000000":  "31.92", // zeros behind are no digits that count
		"000000000000000000001.5": "1.5",
	} {
		if got, fault := field(t, aNumber, text); got != want {
			t.Errorf("%s: %q, want %q (%v)", text, got, want, fault)
		}
	}
}

func TestWhatIsNoCertainNumberIsRefused(t *testing.T) {
	for _, text := range []string{"1,5", "1 000", "1.2.3", "--1", "+-1", "1e", "1e+-1", "e5", ".", "-", "NaN", "Infinity", "0x10", "1_000", "5%", "5-", "12 kg", "١٢", "½"} {
		if got, fault := field(t, aNumber, text); fault == nil || !strings.Contains(fault.Problem, "is not a number") || fault.Field != "x" {
			t.Errorf("%s: %q, %v", text, got, fault)
		}
	}
	for _, text := range []string{"1234567890123456", "12345678901234567890", "0.123456789012345678", "1234567890.12345678"} {
		if got, fault := field(t, aNumber, text); fault == nil || !strings.Contains(fault.Problem, "significant digits") {
			t.Errorf("%s: %q, %v", text, got, fault)
		}
	}
	for _, text := range []string{"1e400", "1e-400", "1e99999999999999999999", "-1E-61", "1e61"} {
		if got, fault := field(t, aNumber, text); fault == nil || !strings.Contains(fault.Problem, "beyond any quantity") {
			t.Errorf("%s: %q, %v", text, got, fault)
		}
	}
}

// Whatever a spreadsheet computes in binary comes out as the 15 digits that it
// shows, which strconv computes by another way.
func TestBinaryNoiseIsRoundedAsASpreadsheetShowsIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		value := rapid.Float64Range(-1e9, 1e9).Draw(t, "value")
		if math.Abs(value) < 1e-9 {
			t.Skip("too small to be written without exponent")
		}
		digits := rapid.SampledFrom([]int{-1, 17}).Draw(t, "digits") // the shortest form, and the one of a workbook
		shown, err := strconv.ParseFloat(strconv.FormatFloat(value, 'g', 15, 64), 64)
		if err != nil {
			t.Fatal(err)
		}
		text := strconv.FormatFloat(value, 'g', digits, 64)
		records, faults := collectRapid(t, aNumber, `{"x":"`+text+`"}`)
		if len(faults) > 0 {
			t.Fatalf("%s: %v", text, faults)
		}
		got, err := strconv.ParseFloat(records[0].Value["x"].(string), 64)
		if err != nil || math.Abs(got-shown) > math.Abs(value)*1e-14 {
			t.Fatalf("%s: %v, shown as %v (%v)", text, records[0].Value["x"], shown, err)
		}
		if digits := strings.Trim(strings.NewReplacer("-", "", ".", "").Replace(records[0].Value["x"].(string)), "0"); len(digits) > 15 {
			t.Fatalf("%s: %v has %d digits", text, records[0].Value["x"], len(digits))
		}
	})
}

// A decimal of at most 15 digits survives the journey through a spreadsheet.
func TestADecimalSurvivesABinaryNumber(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digits := rapid.Int64Range(1, 999_999_999_999_999).Draw(t, "digits")
		places := rapid.IntRange(0, 15).Draw(t, "places")
		plain := strconv.FormatInt(digits, 10)
		if places > 0 {
			padded := strings.Repeat("0", places) + plain
			plain = padded[:len(padded)-places] + "." + padded[len(padded)-places:]
		}
		binary, err := strconv.ParseFloat(plain, 64)
		if err != nil {
			t.Fatal(err)
		}
		direct, faults := collectRapid(t, aNumber, `{"x":"`+plain+`"}`)
		stored, more := collectRapid(t, aNumber, `{"x":"`+strconv.FormatFloat(binary, 'g', 17, 64)+`"}`)
		if len(faults)+len(more) > 0 {
			t.Fatalf("%s: %v %v", plain, faults, more)
		}
		if direct[0].Value["x"] != stored[0].Value["x"] {
			t.Fatalf("%s: %v by itself, %v by a spreadsheet", plain, direct[0].Value["x"], stored[0].Value["x"])
		}
	})
}

func collectRapid(t *rapid.T, spec format.Spec, body string) ([]format.Record, []error) {
	t.Helper()
	var records []format.Record
	var faults []error
	for record, err := range format.Split(spec, []byte(body), format.Limits{}) {
		if err != nil {
			faults = append(faults, err)
		} else {
			records = append(records, record)
		}
	}
	return records, faults
}

func TestDatesBecomeOneForm(t *testing.T) {
	for text, want := range map[string]string{
		"43405": "2018-11-01", "43405.0": "2018-11-01", "4.3405E4": "2018-11-01",
		"1": "1900-01-01", "59": "1900-02-28", "61": "1900-03-01", "2958465": "9999-12-31", "36526": "2000-01-01", "43889": "2020-02-28", "43890": "2020-02-29",
		"43405.270833333336":           "2018-11-01T06:30:00", // 6:30 as a binary number
		"43405.5":                      "2018-11-01T12:00:00",
		"43405.999999999999":           "2018-11-02", // rounded to the millisecond
		"43405.00001":                  "2018-11-01T00:00:00.864",
		"59.75":                        "1900-02-28T18:00:00",
		"2018-11-01":                   "2018-11-01",
		"2018-11-01T00:00:00":          "2018-11-01", // as in a serial date
		"2018-11-01 06:30:00":          "2018-11-01T06:30:00",
		"2018-11-01T06:30":             "2018-11-01T06:30:00",
		"2018-11-01T06:30:00.250":      "2018-11-01T06:30:00.25",
		"2018-11-01T06:30:00+01:00":    "2018-11-01T06:30:00+01:00",
		"2018-11-01T00:00Z":            "2018-11-01T00:00:00Z", // a zone makes it a point in time
		" 2018-11-01 ":                 "2018-11-01",
		"2018-11-01T06:30:00.1234567Z": "2018-11-01T06:30:00.1234567Z",
	} {
		if got, fault := field(t, aDate, text); got != want {
			t.Errorf("%s: %q, want %q (%v)", text, got, want, fault)
		}
	}
}

func TestWhatIsNoCertainDateIsRefused(t *testing.T) {
	for _, text := range []string{
		"0", "0.5", "-1", "2958466", "20181101", "1e9", "01.11.2018", "11/1/2018", "2018-13-01", "2018-02-29", "2018-11-01T25:00", "2018-11-1",
		"Nov 1, 2018", "2018-11-01T06:30:00+25:00", "06:30", "2018-W44-4", "2958465.99999999999", strings.Repeat("1", 50),
	} {
		got, fault := field(t, aDate, text)
		if fault == nil || !strings.Contains(fault.Problem, "is neither a date") {
			t.Errorf("%s: %q, %v", text, got, fault)
		}
	}
	for _, text := range []string{"60", "60.5"} {
		if got, fault := field(t, aDate, text); fault == nil || !strings.Contains(fault.Problem, "a day that never was") {
			t.Errorf("%s: %q, %v", text, got, fault)
		}
	}
}

// Every day of the calendar has one serial date, and they follow one another.
func TestSerialDatesCountTheDays(t *testing.T) {
	seen := map[string]bool{}
	last := ""
	for serial := 1; serial <= 80_000; serial++ {
		if serial == 60 {
			continue
		}
		day, fault := field(t, aDate, strconv.Itoa(serial))
		if fault != nil || seen[day] || day <= last {
			t.Fatalf("%d: %q follows %q (%v)", serial, day, last, fault)
		}
		seen[day], last = true, day
	}
	if last != "2119-01-11" {
		t.Errorf("the last day is %s", last)
	}
}
