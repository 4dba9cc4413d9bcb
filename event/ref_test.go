package event

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func TestARefIsMadeOfItsKindAndPlainSegments(t *testing.T) {
	for _, c := range []struct {
		name     string
		kind     string
		segments []string
		want     Ref
	}{
		{"one segment", "order", []string{"1000123"}, "order/1000123"},
		{"two segments", "lot", []string{"M-100", "4711"}, "lot/M-100/4711"},
		{"unreserved characters stay", "lot", []string{"a-Z_0.9~"}, "lot/a-Z_0.9~"},
		{"a space inside is escaped", "lot", []string{"M 100"}, "lot/M%20100"},
		{"blanks around are dropped", "lot", []string{" \tM-100\u00a0\n"}, "lot/M-100"},
		{"a slash is escaped and separates nothing", "lot", []string{"A/B", "C"}, "lot/A%2FB/C"},
		{"a percent sign is escaped", "lot", []string{"50%20"}, "lot/50%2520"},
		{"a plus sign is escaped", "lot", []string{"A+B"}, "lot/A%2BB"},
		{"unicode is escaped as UTF-8", "material", []string{"Spule Ø12"}, "material/Spule%20%C3%9812"},
		{"an emoji is text", "material", []string{"🙂"}, "material/%F0%9F%99%82"},
		{"two code points of one letter are that letter", "material", []string{"Mu\u0308hle"}, "material/M%C3%BChle"},
		{"a kind of two words", "work-center", []string{"graz", "L1"}, "work-center/graz/L1"},
		{"dots are no folders", "lot", []string{"..", "."}, "lot/../."},
		{"as long as it may be", "lot", []string{strings.Repeat("x", MaxRef-4)}, Ref("lot/" + strings.Repeat("x", MaxRef-4))},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := NewRef(c.kind, c.segments...)
			if err != nil || got != c.want {
				t.Fatalf("got %q, %v; want %q", got, err, c.want)
			}
			again, err := ParseRef(string(got))
			if err != nil || again != got {
				t.Errorf("reads back as %q, %v", again, err)
			}
			if got.Kind() != c.kind {
				t.Errorf("kind %q", got.Kind())
			}
			if len(got.Segments()) != len(c.segments) {
				t.Errorf("segments %q", got.Segments())
			}
		})
	}
}

func TestARefThatCannotBeIsRefusedWithTheRemedy(t *testing.T) {
	long := strings.Repeat("x", 10_000)
	for _, c := range []struct {
		name     string
		kind     string
		segments []string
		want     error
	}{
		{"no kind", "", []string{"1"}, ErrRefForm},
		{"no segment", "lot", nil, ErrRefForm},
		{"an empty segment", "lot", []string{"M-100", ""}, ErrRefForm},
		{"a segment of blanks", "lot", []string{" \t "}, ErrRefForm},
		{"a kind in capitals", "Lot", []string{"1"}, ErrRefForm},
		{"a kind with a digit", "lot2", []string{"1"}, ErrRefForm},
		{"a kind with a slash", "lot/x", []string{"1"}, ErrRefForm},
		{"a kind that begins with a hyphen", "-lot", []string{"1"}, ErrRefForm},
		{"a kind of 41 letters", strings.Repeat("k", 41), []string{"1"}, ErrRefForm},
		{"NUL", "lot", []string{"a\x00b"}, ErrRefText},
		{"a line break inside", "lot", []string{"a\nb"}, ErrRefText},
		{"DEL", "lot", []string{"a\x7f"}, ErrRefText},
		{"a control character of Latin 1", "lot", []string{"a\u0085b"}, ErrRefText},
		{"a zero-width space, which nobody sees", "lot", []string{"a\u200bb"}, ErrRefText},
		{"a mark that turns the direction", "lot", []string{"a\u202eb"}, ErrRefText},
		{"a no-break space inside, which looks like a space", "lot", []string{"a\u00a0b"}, ErrRefText},
		{"bytes that are no UTF-8", "lot", []string{"a\xffb"}, ErrRefText},
		{"10,000 characters", "lot", []string{long}, ErrRefLong},
		{"one byte too long", "lot", []string{strings.Repeat("x", MaxRef-3)}, ErrRefLong},
		{"too long only when escaped", "lot", []string{strings.Repeat("Ø", 100)}, ErrRefLong},
		{"10,000 control characters", "lot", []string{strings.Repeat("\x01", 10_000)}, ErrRefText},
		{"a kind of 10,000 letters", long, []string{"1"}, ErrRefForm},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := NewRef(c.kind, c.segments...)
			if !errors.Is(err, c.want) || got != "" {
				t.Fatalf("got %q, %v; want %v", got, err, c.want)
			}
			if len(err.Error()) > 600 {
				t.Errorf("the message repeats %d bytes of what was sent", len(err.Error()))
			}
		})
	}
}

func TestOneObjectHasOneSpelling(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       error
	}{
		{"nothing", "", ErrRefForm},
		{"a kind alone", "lot", ErrRefForm},
		{"a kind and a slash", "lot/", ErrRefForm},
		{"a slash in front", "/lot/1", ErrRefForm},
		{"a slash behind", "lot/1/", ErrRefForm},
		{"two slashes", "lot//1", ErrRefForm},
		{"an escape that is not necessary", "lot/%41", ErrRefForm},
		{"an escape in small letters", "lot/a%2fb", ErrRefForm},
		{"a space that is not escaped", "lot/a b", ErrRefForm},
		{"unicode that is not escaped", "lot/Ø", ErrRefForm},
		{"an escape that ends early", "lot/a%2", ErrRefForm},
		{"a percent sign at the end", "lot/a%", ErrRefForm},
		{"an escape that is none", "lot/a%GG", ErrRefForm},
		{"an escaped blank in front", "lot/%20a", ErrRefForm},
		{"an escaped NUL", "lot/a%00", ErrRefText},
		{"an escaped byte that is no UTF-8", "lot/a%FF", ErrRefText},
		{"an umlaut in two code points", "lot/u%CC%88", ErrRefForm},
		{"a query behind", "lot/a?b=1", ErrRefForm},
		{"10,000 characters", "lot/" + strings.Repeat("x", 10_000), ErrRefLong},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := ParseRef(c.text)
			if !errors.Is(err, c.want) || got != "" {
				t.Fatalf("got %q, %v; want %v", got, err, c.want)
			}
			if len(err.Error()) > 600 {
				t.Errorf("the message repeats %d bytes of what was sent", len(err.Error()))
			}
		})
	}
}

func TestTheRightSpellingIsNamed(t *testing.T) {
	_, err := ParseRef("lot/M 100")
	if err == nil || !strings.Contains(err.Error(), `"lot/M 100" is written "lot/M%20100"`) {
		t.Error(err)
	}
}

func TestTheEmptyRefHasNoParts(t *testing.T) {
	if r := Ref(""); r.Kind() != "" || r.Segments() != nil {
		t.Errorf("%q, %q", r.Kind(), r.Segments())
	}
}

func TestSegmentsComeBackAsTheyWereGiven(t *testing.T) {
	segment := rapid.StringMatching(`[ -~¡-ÿŁ€日本]{1,12}`).Filter(func(s string) bool { return Printable(s) && strings.TrimSpace(s) != "" })
	rapid.Check(t, func(t *rapid.T) {
		segments := rapid.SliceOfN(segment, 1, 4).Draw(t, "segments")
		r, err := NewRef("lot", segments...)
		if err != nil {
			t.Skip("too long when escaped")
		}
		want := slices.Clone(segments)
		for i := range want {
			want[i] = strings.TrimSpace(want[i])
		}
		if diff := cmp.Diff(want, r.Segments()); diff != "" {
			t.Error(diff)
		}
	})
}

func TestTwoListsOfSegmentsNeverMakeOneRef(t *testing.T) {
	segment := rapid.StringMatching(`[a/%20F ]{1,5}`).Filter(func(s string) bool { return strings.TrimSpace(s) == s })
	list := rapid.SliceOfN(segment, 1, 3)
	rapid.Check(t, func(t *rapid.T) {
		a, b := list.Draw(t, "a"), list.Draw(t, "b")
		ra, errA := NewRef("lot", a...)
		rb, errB := NewRef("lot", b...)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if (ra == rb) != slices.Equal(a, b) {
			t.Errorf("%q and %q are %q and %q", a, b, ra, rb)
		}
	})
}

func FuzzParseRef(f *testing.F) {
	for _, seed := range []string{"lot/M-100/4711", "lot/a%2Fb", "lot/%41", "lot/%C3%98", "lot/u%CC%88", "lot//", "a/%", "lot/\x00", "work-center/graz/L1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRef(text)
		if err != nil {
			return
		}
		if string(r) != text {
			t.Fatalf("%q became %q", text, r)
		}
		again, err := NewRef(r.Kind(), r.Segments()...)
		if err != nil || again != r {
			t.Fatalf("%q made of its own parts is %q, %v", r, again, err)
		}
	})
}
