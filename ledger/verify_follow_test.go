package ledger

import (
	"strings"
	"testing"
)

// What is known of steps follows from rows that no audit link covers: verify finds
// each of them that does not fit the others.
func TestVerifyFindsStepsThatDoNotFit(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{})
		fill(t, l)
		wantInOrder(t, l)
		for _, alter := range [][2]string{
			{"update exceptions set state = 'resolved', ended = 1 where about = 'step'", "is held and has 0 open exceptions"},
			{"update command_keys set status = 'applied' where status = 'sent'", "is applied, but of 1 attempts no end is known"},
			{"update lanes set head = 'x'", "as its first step"},
			{"delete from lanes", "which is never due"},
			{"delete from lane_steps", "stands in 0"},
			{"delete from attempts", "counts 1 attempts, and 0 are on record"},
			{"delete from transactions", "does not know event"},
			{"delete from transactions", "has no step or no transaction"},
		} {
			change(t, l, alter[0])
			if got := strings.Join(verify(t, l), "\n"); !strings.Contains(got, alter[1]) {
				t.Errorf("%s: found %q", alter[0], got)
			}
		}
	})
}

func change(t *testing.T, l *Ledger, statement string) {
	t.Helper()
	if _, err := l.store.chores.ExecContext(t.Context(), statement); err != nil {
		t.Fatal(err)
	}
}
