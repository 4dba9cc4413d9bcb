package flow_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/internal/testpostgres"
)

// TestAnAnswerThatCannotBePutOnRecordIsAskedFor: what a system has done is not forgotten
// because of a byte in its answer.
func TestAnAnswerThatCannotBePutOnRecordIsAskedFor(t *testing.T) {
	t.Parallel()
	t.Run("sqlite", func(t *testing.T) { garbled(t, filepath.Join(t.TempDir(), "gapless.db")) })
	t.Run("postgres", func(t *testing.T) { garbled(t, testpostgres.Database(t)) })
}

func garbled(t *testing.T, database string) {
	t.Helper()
	x := followingOn(t, database)
	answers := []connector.Outcome{
		{Status: connector.Applied, Documents: []connector.Document{{Number: "5\xff"}}},
		{Status: connector.Applied, Documents: []connector.Document{{Number: "5\x00"}}},
		{Status: connector.Applied, Documents: []connector.Document{{Number: strings.Repeat("5", 3000)}}},
		{Status: connector.Applied, Text: "done\x00"},
		{Status: connector.Refused, Reason: fault.PeriodClosed, Text: "closed\x00"},
	}
	x.erp.judge = func(cmd connector.Command) *connector.Outcome { // it does what it is asked, and answers badly
		if len(answers) == 0 {
			return nil
		}
		o := answers[0]
		answers = answers[1:]
		x.erp.posted = append(x.erp.posted, posting{key: cmd.Key, name: cmd.Name, subject: string(cmd.Subject), number: "5"})
		return &o
	}
	x.makeLots(0, len(answers))
	x.quiet()
	counts, err := x.Ledger().StepTotals(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range counts {
		if s.Status != "applied" {
			t.Errorf("%d steps are %s", s.Steps, s.Status)
		}
	}
	if posted := x.erp.lines(); len(posted) != 5 {
		t.Errorf("posted: %q", posted)
	}
}
