package event

import (
	"cmp"
	"math/big"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// These keys are in every ledger that exists. A change here makes everything that
// was ever reported look new: it is never the test that is wrong.
func TestKeysNeverChange(t *testing.T) {
	for _, c := range []struct{ name, got, want string }{
		{"a statement", Identity("graz-mes", "production.completed", "2018-11-01/1/MO01/4711", "good"), "ef384f9075ad960558abedd2b8524dd8"},
		{"its other slot", Identity("graz-mes", "scrap.declared", "2018-11-01/1/MO01/4711", "scrap/black-spot"), "5ee497e748c498288cf4ded05f21033b"},
		{"a statement of empty parts", Identity("", "", "", ""), "6d60a064833774b1491d94489a1dd5d9"},
		{"unicode", Identity("graz-mes", "lot.created", "Ø 12/ü", "event"), "f82eaf8c921ba7d7af3b69e1ade09822"},
		{"a message", MessageKey("graz-mes", "shift-report", "2018-11-01/1/MO01/4711"), "f243a2aeb200d2877f370b25d9ce2a55"},
		{"a CloudEvent", MessageKey("graz-mes", CloudEventMessage, "e-1"), "5687739d549d6275f2fe1f174dc8c1ef"},
	} {
		if c.got != c.want {
			t.Errorf("%s: %s, want %s", c.name, c.got, c.want)
		}
	}
}

func TestAMessageIsNamedByItsKeyAndVersion(t *testing.T) {
	m := Message{System: "graz-mes", Name: CloudEventMessage, ID: "e-1", Version: 3}
	if want := MessageKey("graz-mes", "event", "e-1"); m.Key() != want || m.StatementID() != want+".3" {
		t.Errorf("%s, %s", m.Key(), m.StatementID())
	}
	e := Event{Key: m.Key(), Statement: 2}
	if e.ID() != m.Key()+".2" {
		t.Error(e.ID())
	}
}

func TestKeysDoNotCollideByConcatenation(t *testing.T) {
	part := rapid.StringMatching(`[a:1-3]{0,4}`) // the alphabet of lengths and their separators
	parts := rapid.SliceOfN(part, 4, 4)
	rapid.Check(t, func(t *rapid.T) {
		a, b := parts.Draw(t, "a"), parts.Draw(t, "b")
		if rapid.Bool().Draw(t, "move a border") { // the likeliest collision: the same text, cut elsewhere
			all := strings.Join(a, "")
			cuts := rapid.SliceOfN(rapid.IntRange(0, len(all)), 3, 3).Draw(t, "cuts")
			slices.Sort(cuts)
			b = []string{all[:cuts[0]], all[cuts[0]:cuts[1]], all[cuts[1]:cuts[2]], all[cuts[2]:]}
		}
		same := slices.Equal(a, b)
		if (Identity(a[0], a[1], a[2], a[3]) == Identity(b[0], b[1], b[2], b[3])) != same {
			t.Errorf("%q and %q", a, b)
		}
		if (MessageKey(a[0], a[1], a[2]) == MessageKey(b[0], b[1], b[2])) != slices.Equal(a[:3], b[:3]) {
			t.Errorf("messages %q and %q", a, b)
		}
		if Identity(a[0], a[1], a[2], "") == MessageKey(a[0], a[1], a[2]) {
			t.Errorf("a message and a statement share a key: %q", a)
		}
	})
}

func TestStatementIDsThereAndBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		key := Identity(rapid.String().Draw(t, "identity"), "", "", "")
		n := rapid.IntRange(1, 1<<40).Draw(t, "n")
		gotKey, gotN, err := ParseStatementID(StatementID(key, n))
		if err != nil || gotKey != key || gotN != n {
			t.Errorf("%s, %d: %s, %d, %v", key, n, gotKey, gotN, err)
		}
	})
}

func TestWhatIsNoStatementIDIsRefused(t *testing.T) {
	key := Identity("s", "t", "i", "e")
	for name, text := range map[string]string{
		"nothing": "", "a word": "hello", "half a key": key[:16], "a key and a half": key + key[:16], "capitals": strings.ToUpper(key),
		"no hex digits": strings.Repeat("g", 32), "statement 1, which has no number": key + ".1", "statement 0": key + ".0",
		"a negative one": key + ".-2", "a number with a sign": key + ".+2", "a number with a zero in front": key + ".02",
		"a dot alone": key + ".", "two numbers": key + ".2.3", "a number that overflows": key + ".99999999999999999999",
		"a space": key + ".2 ", "10,000 digits": strings.Repeat("0", 10_000),
	} {
		t.Run(name, func(t *testing.T) {
			_, n, err := ParseStatementID(text)
			if err == nil || n != 0 || len(err.Error()) > 400 {
				t.Errorf("%d, %v", n, err)
			}
		})
	}
}

// moments are times from before the epoch to the year 2200, many of them equal.
func moments() *rapid.Generator[time.Time] {
	from := time.Date(1900, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()
	to := time.Date(2200, 12, 31, 23, 59, 59, 0, time.UTC).UnixMicro()
	return rapid.Custom(func(t *rapid.T) time.Time {
		us := rapid.OneOf(rapid.Int64Range(from, to), rapid.Int64Range(-2, 2), rapid.Just(time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro())).Draw(t, "us")
		return time.UnixMicro(us).In(time.FixedZone("", rapid.SampledFrom([]int{0, 3600, -18000}).Draw(t, "zone")))
	})
}

// numbers are sequence numbers as systems write them, padded or not, some longer
// than any machine integer; words are sequences that are no numbers.
var (
	numbers = rapid.StringMatching(`0{0,3}([0-9]|[1-9][0-9]{0,21}|1844674407370955161[0-9])`)
	words   = rapid.StringMatching(`[A-Z !/~][A-Za-z0-9 !/~]{0,4}`)
)

func compareNumbers(t *rapid.T, a, b string) int {
	x, okA := new(big.Int).SetString(a, 10)
	y, okB := new(big.Int).SetString(b, 10)
	if !okA || !okB {
		t.Fatal(a, b)
	}
	return x.Cmp(y)
}

func TestOrderComparesAsTextLikeTimeThenSequence(t *testing.T) {
	for _, c := range []struct {
		name      string
		sequences *rapid.Generator[string]
		compare   func(t *rapid.T, a, b string) int
	}{
		{"numbers", numbers, compareNumbers},
		{"words", words, func(_ *rapid.T, a, b string) int { return strings.Compare(a, b) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				draw := func(name string) Event {
					at := moments().Draw(t, name)
					return Event{Occurred: Span{at, at}, Sequence: c.sequences.Draw(t, name+" sequence")}
				}
				a, b := draw("a"), draw("b")
				if rapid.Bool().Draw(t, "at once") {
					b.Occurred = a.Occurred
				}
				times, sequences := a.Occurred.From.Compare(b.Occurred.From), c.compare(t, a.Sequence, b.Sequence)
				if got, want := strings.Compare(a.Order(), b.Order()), cmp.Or(times, sequences); got != want {
					t.Errorf("Order: %d, want %d: %q, %q", got, want, a.Order(), b.Order())
				}
				if got, want := strings.Compare(a.OrderBySequence(), b.OrderBySequence()), cmp.Or(sequences, times); got != want {
					t.Errorf("OrderBySequence: %d, want %d: %q, %q", got, want, a.OrderBySequence(), b.OrderBySequence())
				}
			})
		})
	}
}

func TestOrdersAreKeptInLedgersAndStayAsTheyAre(t *testing.T) {
	at := time.Date(2026, 3, 2, 6, 0, 0, 0, time.FixedZone("", 3600))
	for sequence, want := range map[string][2]string{
		"":                       {"80064c03757cf400/", "\t80064c03757cf400"},
		"7":                      {"80064c03757cf400/00000000000000000007", "00000000000000000007\t80064c03757cf400"},
		"007":                    {"80064c03757cf400/00000000000000000007", "00000000000000000007\t80064c03757cf400"},
		"1000000000000000000000": {"80064c03757cf400/:00221000000000000000000000", ":00221000000000000000000000\t80064c03757cf400"},
		"A-7":                    {"80064c03757cf400/A-7", "A-7\t80064c03757cf400"},
	} {
		e := Event{Occurred: Span{at, at}, Sequence: sequence}
		if e.Order() != want[0] || e.OrderBySequence() != want[1] {
			t.Errorf("%q: %q, %q", sequence, e.Order(), e.OrderBySequence())
		}
	}
}
