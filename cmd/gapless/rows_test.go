package main

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestTablesAreCutBetweenRowsWithTheHeaderBeforeEachPart(t *testing.T) {
	type part struct {
		Body   string
		Offset int
	}
	for name, tt := range map[string]struct {
		text string
		rows int
		want []part
	}{
		"as a whole":                          {"h\n1\n2\n", 0, []part{{"h\n1\n2\n", 0}}},
		"two rows at a time":                  {"h\n1\n2\n3\n", 2, []part{{"h\n1\n2\n", 0}, {"h\n3\n", 2}}},
		"the last row needs no line end":      {"h\n1\n2", 1, []part{{"h\n1\n", 0}, {"h\n2", 1}}},
		"a line end in quotes ends no row":    {"h\n\"a\nb\"\n2\n", 1, []part{{"h\n\"a\nb\"\n", 0}, {"h\n2\n", 1}}},
		"doubled quotes are no end of quotes": {"h\n\"a\"\"\nb\"\n2\n", 1, []part{{"h\n\"a\"\"\nb\"\n", 0}, {"h\n2\n", 1}}},
		"a blank line is counted":             {"h\r\n1\r\n\r\n2\r\n", 1, []part{{"h\r\n1\r\n", 0}, {"h\r\n\r\n", 1}, {"h\r\n2\r\n", 2}}},
		"a header alone has no rows":          {"h\n", 1, nil},
	} {
		t.Run(name, func(t *testing.T) {
			var got []part
			for p := range tablePieces([]byte(tt.text), tt.rows) {
				got = append(got, part{string(p.body), p.offset})
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestLargeTablesAreCutBySizeAndLoseNothing(t *testing.T) {
	row := strings.Repeat("x", 1000) + "\n"
	text := []byte("h\n" + strings.Repeat(row, 3*wholeLimit/len(row)))
	var all []byte
	rows := 0
	for p := range tablePieces(text, 0) {
		if len(p.body) > wholeLimit+len("h\n") {
			t.Errorf("a part has %d bytes", len(p.body))
		}
		if p.offset != rows {
			t.Errorf("%d rows were before a part, it says %d", rows, p.offset)
		}
		body := bytes.TrimPrefix(p.body, []byte("h\n"))
		rows += bytes.Count(body, []byte("\n"))
		all = append(all, body...)
	}
	if !bytes.Equal(all, text[2:]) {
		t.Error("the parts are not the whole")
	}
}

func TestLinesAreCutWithoutAHeader(t *testing.T) {
	var got []string
	for p := range linePieces([]byte("{}\n{\"a\":1}\n[]"), 2) {
		got = append(got, string(p.body))
	}
	if diff := cmp.Diff([]string{"{}\n{\"a\":1}\n", "[]"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestASpreadsheetTakesNoCellForAFormula(t *testing.T) {
	for cell, want := range map[string]string{
		"=1+1": "'=1+1", "+49 316": "'+49 316", "-1": "-1", "-12.50": "-12.50", "-1-1": "'-1-1", "@SUM(A1)": "'@SUM(A1)",
		"\t=1": "'\t=1", "order/1": "order/1", "": "", "5194003": "5194003",
	} {
		if got := noFormula(cell); got != want {
			t.Errorf("%q became %q, want %q", cell, got, want)
		}
	}
}

func TestNumbersAreGroupedForReading(t *testing.T) {
	for text, want := range map[string]string{"0": "0", "999": "999", "1000": "1,000", "-1234567.5": "-1,234,567.5", "16.1392": "16.1392"} {
		if got := grouped(text); got != want {
			t.Errorf("%s became %s, want %s", text, got, want)
		}
	}
}

func TestATerminalIsShownNoOrders(t *testing.T) {
	if got := printable("lot \x1b[2J\u009b1m\tA\n"); got != "lot ?[2J?1m\tA\n" {
		t.Errorf("got %q", got)
	}
}

func TestAKeyFileHoldsKeysOfSystemsAndOneForAll(t *testing.T) {
	k, err := parseKeys("# of the plant\n\nanna:correct horse battery staple \r\ngraz-mes gpl_a_b\ngraz-erp\tgpl_c_d\n")
	if err != nil {
		t.Fatal(err)
	}
	for system, want := range map[string]string{"graz-mes": "gpl_a_b", "graz-erp": "gpl_c_d", "graz-wms": "anna:correct horse battery staple", "": "anna:correct horse battery staple"} {
		if got, err := k.of(system); got != want || err != nil {
			t.Errorf("%q speaks with %q, %v, want %q", system, got, err, want)
		}
	}
	if _, err := parseKeys("one two three"); err == nil {
		t.Error("a line of three words was taken")
	}
}

func TestALineOfProgressDoesNotWrap(t *testing.T) {
	var written strings.Builder
	p := &progress{w: &written, live: true, width: func() int { return 20 }}
	p.show("bulk work of many words, %d left", 1000)
	if got := written.String(); got != "\r\x1b[Kbulk work of many w" {
		t.Errorf("wrote %q", got)
	}
}
