package ledger

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
)

// heldSaying records a held message with content and with what is at stake.
func heldSaying(t testing.TB, l *Ledger, plant, id, content, good string) string {
	t.Helper()
	e := said(t, plant, id)
	e.Fault = fault.New("test", fault.UnitUnknown, "unit", "XYZ")
	e.Message.Body = []byte(content)
	if good != "" {
		e.Facts = produced(t, plant, id, "s0", good).Facts[:1]
	}
	return record(t, l, e).Message
}

func TestExceptionsAreFoundByWhatIsAtStake(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{})
		byAmount := map[string]string{}
		for i, good := range []string{"99.9999999", "100", "100.0000001", "-100", "0", "18446744073709551616"} {
			byAmount[good] = heldSaying(t, l, "graz", fmt.Sprint(i), "{}", good)
		}
		for _, x := range []struct {
			measure, than, value string
			want                 []string
		}{
			{"", ">=", "100", []string{"100", "100.0000001", "18446744073709551616"}},
			{"", ">", "100", []string{"100.0000001", "18446744073709551616"}},
			{"good", "=", "100.000", []string{"100"}},
			{"", "<", "0", []string{"-100"}},
			{"", "<=", "99.9999999", []string{"99.9999999", "-100", "0"}},
			{"scrap", ">=", "0", nil},
		} {
			q, err := event.NewQuantity(x.value, "KGM")
			if err != nil {
				t.Fatal(err)
			}
			var got, want []string
			for _, found := range desk(t, l, DeskFilter{Amount: &AmountFilter{Measure: x.measure, Than: x.than, Amount: q}}) {
				got = append(got, found.Message)
			}
			for _, good := range x.want {
				want = append(want, byAmount[good])
			}
			slices.Sort(got)
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("%s %s %s: %s", x.measure, x.than, x.value, diff)
			}
		}
		_, _, err := l.Desk(t.Context(), DeskFilter{Amount: &AmountFilter{Than: "> 0 or 1 ="}})
		named(t, err, fault.InvalidRequest, "amount", "compare by one of")
		if groups := groupsOf(t, l, DeskFilter{}); len(groups) != 1 || groups[0].Amounts[0].Value.String() != "18446744073709551816" {
			t.Errorf("%+v", groups)
		}
	})
}

func TestExceptionsAreFoundByWhatTheirMessagesSayWhereThatMayBeSeen(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		f := newFollower(t, dsn)
		graz := heldSaying(t, f.Ledger, "graz", "a", `{"remark": "Black spots at cavity 7, see A. Huber", "count": 4711, "spotless": true}`, "")
		f.pass(time.Second)
		wels := heldSaying(t, f.Ledger, "wels", "b", "remark;count\nblack spots;12", "")
		find := func(content string, plants []string) []string {
			t.Helper()
			var got []string
			for _, x := range desk(t, f.Ledger, DeskFilter{Content: content, ContentPlants: plants, Oldest: true}) {
				got = append(got, x.Message)
			}
			return got
		}
		for _, x := range []struct {
			content string
			plants  []string
			want    []string
		}{
			{"black SPOT", nil, []string{graz, wels}},
			{"black spot", []string{"wels"}, []string{wels}},
			{"black spot", []string{}, nil},
			{"huber 4711", []string{"graz"}, []string{graz}},
			{"huber 4712", nil, nil},
			{"remark", nil, []string{wels}}, // the names of JSON are none of its words
			{"cavity", []string{"wels"}, nil},
		} {
			if diff := cmp.Diff(x.want, find(x.content, x.plants)); diff != "" {
				t.Errorf("%q at %q: %s", x.content, x.plants, diff)
			}
		}
		if n := len(desk(t, f.Ledger, DeskFilter{Text: "huber"})); n != 0 {
			t.Errorf("who may not see what a message says finds %d by it", n)
		}
		_, _, err := f.Desk(t.Context(), DeskFilter{Content: strings.Repeat("word ", DeskWords+1)})
		named(t, err, fault.InvalidRequest, "content", "at most")
		_, _, err = f.Desk(t.Context(), DeskFilter{Content: "..."})
		named(t, err, fault.InvalidRequest, "content", "no word")
		if err := f.Erase(t.Context(), "anna", graz, "a name was in it"); err != nil {
			t.Fatal(err)
		}
		if got := find("huber", nil); got != nil {
			t.Errorf("what was erased is found: %q", got)
		}
		if got := find("black", nil); len(got) != 1 {
			t.Errorf("of another message: %q", got)
		}
		noFindings(t, f.Ledger)
	})
}

func TestACommandIsFoundByWhatTheMessageBehindItSays(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{})
		e := said(t, "graz", "followed-1", "12.5")
		e.Message.Body = []byte(`{"remark": "Black spots"}`)
		r := record(t, l, e)
		found := desk(t, l, DeskFilter{Content: "spots", Amount: &AmountFilter{Than: ">=", Amount: event.Quantity{Value: mustParse(t, "12.5"), Unit: "KGM"}}})
		if len(found) != 1 || found[0].Step == "" {
			t.Fatalf("%+v", found)
		}
		if err := l.Erase(t.Context(), "anna", r.Message, "a name was in it"); err != nil {
			t.Fatal(err)
		}
		if n := len(desk(t, l, DeskFilter{Content: "spots"})); n != 0 {
			t.Errorf("%d are found by what was erased", n)
		}
	})
}

func mustParse(t testing.TB, text string) event.Decimal {
	t.Helper()
	d, err := event.ParseDecimal(text)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func TestErasedWordsAreNotLeftInTheDatabaseFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l, stop := openUntil(t, path, Config{})
	id := heldSaying(t, l, "graz", "a", `{"who": "katharinamusterfrau"}`, "")
	if err := l.checkpointWAL(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := count(t, path, []byte("katharinamusterfrau")); n == 0 {
		t.Fatal("the word was never in the file: the test sees nothing")
	}
	if err := l.Erase(t.Context(), "anna", id, "x"); err != nil {
		t.Fatal(err)
	}
	stop()
	if n := count(t, path, []byte("katharinamusterfrau")); n != 0 {
		t.Errorf("the file still has it %d times", n)
	}
}

// TestWhatManyHaveIsFoundAsWhatFewHave holds the two ways to search against each other:
// from what is found to the exceptions, and the other way round.
func TestWhatManyHaveIsFoundAsWhatFewHave(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{})
		for i := range 40 {
			heldSaying(t, l, "graz", fmt.Sprint(i), fmt.Sprintf(`{"remark": "spot %d"}`, i%4), fmt.Sprint(i))
		}
		filter := DeskFilter{Content: "spot", Amount: &AmountFilter{Than: ">=", Amount: event.Quantity{Value: mustParse(t, "20"), Unit: "KGM"}}}
		few := ids(desk(t, l, filter))
		c := &conditions{dialect: l.store.dialect}
		finds, err := l.finds(&filter)
		if err != nil {
			t.Fatal(err)
		}
		for i := range finds { // as if too many had each
			c.asks(&finds[i])
		}
		found, err := l.exceptions(t.Context(), deskColumns+c.from()+c.where()+" order by x.raised desc, x.message desc", c.args...)
		if err != nil {
			t.Fatal(err)
		}
		many := make([]string, len(found))
		for i := range found {
			many[i] = found[i].Message
		}
		if diff := cmp.Diff(few, many); diff != "" || len(many) != 20 {
			t.Error(diff)
		}
	})
}
