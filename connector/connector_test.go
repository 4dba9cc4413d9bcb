package connector_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
)

func TestAnAttemptIsInTimeOnlyBeforeItsBoundOnBothClocks(t *testing.T) {
	now := time.Now()
	wall := func(t time.Time) time.Time { return t.Round(0) }
	for _, c := range []struct {
		name   string
		bound  time.Time
		now    time.Time
		inTime bool
	}{
		{"before", now.Add(time.Second), now, true},
		{"at the bound", now, now, false},
		{"after", now, now.Add(time.Nanosecond), false},
		{"no bound is no leave", time.Time{}, now, false},
		{"after a restart, by the wall clock", wall(now.Add(time.Second)), now, true},
		{"after a restart, too late by the wall clock", wall(now), now, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := connector.Command{SendBefore: c.bound}.InTime(c.now)
			if (err == nil) != c.inTime {
				t.Fatal(err)
			}
			if err != nil && (!errors.Is(err, connector.ErrTooLate) || !errors.Is(err, connector.ErrNotSent) || !errors.Is(err, fault.NotSentInTime)) {
				t.Errorf("%v is not told as what it is", err)
			}
		})
	}
}

func TestAnErrorSaysNothingWasDoneOnlyWhereThatIsSo(t *testing.T) {
	notSent := connector.NotSent("rest.Perform", fault.SystemDown, io.ErrUnexpectedEOF)
	if !errors.Is(notSent, connector.ErrNotSent) || !errors.Is(notSent, io.ErrUnexpectedEOF) || fault.Of(notSent).Reason != fault.SystemDown {
		t.Error(notSent)
	}
	if errors.Is(notSent, connector.ErrTooLate) {
		t.Error("what was not sent was not for that too late")
	}
	if text := notSent.Error(); !strings.Contains(text, "nothing was done") || strings.Contains(text, "\n") {
		t.Error(text)
	}
	for name, cause := range map[string]error{"a lost connection": io.ErrUnexpectedEOF, "the context": context.Canceled, "one that says otherwise": notSent} {
		unknown := connector.Unknown("rest.Perform", fault.AnswerLost, cause)
		if errors.Is(unknown, connector.ErrNotSent) || fault.Of(unknown).Reason != fault.AnswerLost {
			t.Errorf("%s: %v", name, unknown)
		}
	}
}

func TestAWaitIsReadThroughOtherErrors(t *testing.T) {
	err := fault.Wrap("flow", fault.RateLimited, "", &connector.WaitError{Wait: 3 * time.Second, Err: connector.NotSent("rest.Perform", fault.RateLimited, io.EOF)})
	if connector.WaitOf(err) != 3*time.Second || !errors.Is(err, connector.ErrNotSent) {
		t.Error(err)
	}
	if connector.WaitOf(io.EOF) != 0 || connector.WaitOf(nil) != 0 {
		t.Error("a wait is read where there is none")
	}
}

func TestAnOutcomeKeepsTheRulesOfItsFields(t *testing.T) {
	doc := []connector.Document{{Number: "50"}}
	for _, c := range []struct {
		name string
		o    connector.Outcome
		ok   bool
	}{
		{"accepted", connector.Outcome{Status: connector.Accepted}, true},
		{"applied with a document", connector.Outcome{Status: connector.Applied, Documents: doc}, true},
		{"refused with a reason", connector.Outcome{Status: connector.Refused, Reason: fault.PeriodClosed, Text: "M7 053"}, true},
		{"partly", connector.Outcome{Status: connector.PartlyApplied, Lines: []connector.LineOutcome{{Line: "1", Status: connector.Applied}, {Line: "2", Status: connector.Refused, Reason: fault.LotMissing}}}, true},
		{"no status", connector.Outcome{}, false},
		{"refused without a reason", connector.Outcome{Status: connector.Refused}, false},
		{"applied with a reason", connector.Outcome{Status: connector.Applied, Reason: fault.PeriodClosed}, false},
		{"refused with a document", connector.Outcome{Status: connector.Refused, Reason: fault.PeriodClosed, Documents: doc}, false},
		{"partly without lines", connector.Outcome{Status: connector.PartlyApplied}, false},
		{"a line refused without a reason", connector.Outcome{Status: connector.PartlyApplied, Lines: []connector.LineOutcome{{Line: "1", Status: connector.Refused}}}, false},
		{"a line that is partly applied", connector.Outcome{Status: connector.PartlyApplied, Lines: []connector.LineOutcome{{Line: "1", Status: connector.PartlyApplied}}}, false},
		{"a document without a number", connector.Outcome{Status: connector.Applied, Documents: []connector.Document{{}}}, false},
		{"a book", connector.Outcome{Status: connector.Applied, Text: strings.Repeat("x", connector.MaxText+1)}, false},
		{"words with NUL", connector.Outcome{Status: connector.Refused, Reason: fault.PeriodClosed, Text: "closed\x00"}, false},
		{"a number that is no text", connector.Outcome{Status: connector.Applied, Documents: []connector.Document{{Number: "5\xff"}}}, false},
		{"a number as long as a book", connector.Outcome{Status: connector.Applied, Documents: []connector.Document{{Number: strings.Repeat("5", connector.MaxNumber+1)}}}, false},
		{"a line with NUL", connector.Outcome{Status: connector.PartlyApplied, Lines: []connector.LineOutcome{{Line: "1\x00", Status: connector.Applied}}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.o.Check(); (err == nil) != c.ok {
				t.Error(err)
			}
		})
	}
}

func TestAFindingKeepsTheRulesOfItsFields(t *testing.T) {
	doc := []connector.Document{{Number: "50"}}
	for _, c := range []struct {
		name string
		f    connector.Finding
		ok   bool
	}{
		{"applied", connector.Finding{Status: connector.FoundApplied, Documents: doc}, true},
		{"refused", connector.Finding{Status: connector.FoundRefused, Reason: fault.LotMissing}, true},
		{"begun", connector.Finding{Status: connector.Begun, Documents: doc}, true},
		{"absent", connector.Finding{Status: connector.Absent}, true},
		{"undecided", connector.Finding{Status: connector.Undecided}, true},
		{"nothing", connector.Finding{}, false},
		{"absent with a document", connector.Finding{Status: connector.Absent, Documents: doc}, false},
		{"refused without a reason", connector.Finding{Status: connector.FoundRefused}, false},
		{"applied with a reason", connector.Finding{Status: connector.FoundApplied, Reason: fault.LotMissing}, false},
		{"a book", connector.Finding{Status: connector.FoundApplied, Text: strings.Repeat("x", connector.MaxText+1)}, false},
		{"words with NUL", connector.Finding{Status: connector.Undecided, Text: "\x00"}, false},
		{"a document without a number", connector.Finding{Status: connector.FoundApplied, Documents: []connector.Document{{}}}, false},
		{"a number that is no text", connector.Finding{Status: connector.Begun, Documents: []connector.Document{{Number: "5\xff"}}}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.f.Check(); (err == nil) != c.ok {
				t.Error(err)
			}
		})
	}
}

func TestWordsAreKeptAsTextOfBoundedLength(t *testing.T) {
	for text, want := range map[string]string{
		"M7 053": "M7 053", "": "", "a\x00b\xffc": "a�b�c",
		strings.Repeat("x", connector.MaxText):         strings.Repeat("x", connector.MaxText),
		strings.Repeat("ü", connector.MaxText/2) + "x": strings.Repeat("ü", connector.MaxText/2-2) + "…",
	} {
		if got := connector.Words(text); got != want || (connector.Outcome{Status: connector.Applied, Text: got}).Check() != nil {
			t.Errorf("%.20q: %q", text, got)
		}
	}
}

func TestWhatIsMissingIsAbsentOnlyWhereNothingCanStillLand(t *testing.T) {
	at := time.Date(2026, 3, 2, 6, 0, 0, 0, time.UTC)
	cmd := connector.Command{SendBefore: at}
	findable := connector.Traits{Class: connector.Findable, KeyCarrier: "reference", Settles: 30 * time.Second}
	for _, c := range []struct {
		name   string
		traits connector.Traits
		now    time.Time
		want   connector.FindStatus
	}{
		{"keyed, at once", connector.Traits{Class: connector.Keyed, KeyCarrier: "key"}, at.Add(-time.Hour), connector.Absent},
		{"findable, before it has settled", findable, at.Add(30*time.Second - 1), connector.Undecided},
		{"findable, when it has", findable, at.Add(30 * time.Second), connector.Absent},
		{"findable, without a bound for that", connector.Traits{Class: connector.Findable}, at.Add(time.Hour), connector.Undecided},
		{"blind, however late", connector.Traits{Class: connector.Blind, Settles: time.Second}, at.Add(1000 * time.Hour), connector.Undecided},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.traits.Missing(cmd, c.now); got.Status != c.want || got.Check() != nil {
				t.Errorf("%v", got)
			}
		})
	}
}

func TestTheKeyIsCarriedAsFarAsItFits(t *testing.T) {
	cmd := connector.Command{Key: strings.Repeat("0123456789abcdef", 4)}
	for length, want := range map[int]string{0: cmd.Key, 64: cmd.Key, 16: cmd.Key[:16], 32: cmd.Key[:32]} {
		if got := (connector.Traits{KeyLength: length}).Carried(cmd); got != want {
			t.Errorf("%d: %s", length, got)
		}
	}
	if got := (connector.Traits{KeyLength: 16}).Carried(connector.Command{Key: "short"}); got != "short" {
		t.Error(got)
	}
}

func TestTraitsThatCannotKeepTheirPromiseAreRefused(t *testing.T) {
	for _, c := range []struct {
		name   string
		traits connector.Traits
		ok     bool
	}{
		{"keyed", connector.Traits{Class: connector.Keyed, KeyCarrier: "Idempotency-Key", KeyLength: 36}, true},
		{"findable", connector.Traits{Class: connector.Findable, KeyCarrier: "reference", Settles: time.Second}, true},
		{"blind", connector.Traits{Class: connector.Blind}, true},
		{"none", connector.Traits{}, false},
		{"findable that never settles", connector.Traits{Class: connector.Findable, KeyCarrier: "reference"}, false},
		{"keyed without a carrier", connector.Traits{Class: connector.Keyed}, false},
		{"a key too short to tell commands apart", connector.Traits{Class: connector.Keyed, KeyCarrier: "x", KeyLength: 8}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := c.traits.Check(); (err == nil) != c.ok {
				t.Error(err)
			}
		})
	}
}

func TestADeliveryIsCompleteOnlyIfEverythingWasKept(t *testing.T) {
	refused := fault.New("format", fault.NotReadable, "", "")
	for _, c := range []struct {
		name  string
		taken connector.Taken
		want  bool
	}{
		{"nothing in it", connector.Taken{}, true},
		{"held is kept", connector.Taken{Records: []connector.TakenRecord{{Status: "recorded"}, {Status: "held", Held: refused}}}, true},
		{"a record was refused", connector.Taken{Records: []connector.TakenRecord{{Status: "recorded"}, {Refused: refused}}}, false},
		{"refused as a whole", connector.Taken{Refused: refused}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.taken.Complete() != c.want {
				t.Error(c.taken)
			}
		})
	}
}
