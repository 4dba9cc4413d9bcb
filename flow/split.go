package flow

import (
	"slices"
	"strconv"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/transaction"
)

// blamed are the ids of the statements that a system names when it refuses a command that
// performs several: those at the places of the lines that it tells of.
func blamed(step *ledger.Step, o *connector.Outcome) []string {
	if o.Status != connector.Refused {
		return nil
	}
	var all []string
	for _, l := range o.Lines {
		place, err := strconv.Atoi(l.Line)
		if err != nil || place < 1 || place > len(step.Members) { // it names something else
			continue
		}
		if id := step.Members[place-1]; !slices.Contains(all, id) {
			all = append(all, id)
		}
	}
	return all
}

// splitsByItself tells whether a bundle is taken apart without a person: the system has
// certainly refused it for what it holds, and names some of it; or it came of taking one
// apart, and nobody knows yet what is to blame. A closed period is closed for all of it.
func splitsByItself(in *transaction.Instance, s *ledger.Settlement) bool {
	r := s.Reason
	if s.Outcome != ledger.AttemptRefused || r == nil || r.Class != fault.Data && r.Class != fault.Business || r == fault.PeriodClosed || r == fault.AccountingClosed {
		return false
	}
	return len(s.Blamed) > 0 || in.Splits(s.Step)
}
