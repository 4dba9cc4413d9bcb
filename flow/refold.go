package flow

import (
	"encoding/json"

	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/transaction"
)

// Refold gives the state of an object from all events that count in its fold, by
// the lifecycles of a catalog: what ledger.Verify compares with the state that
// Decide arrived at step by step. ok is false for a kind without a lifecycle.
func Refold(cat *catalog.Catalog) func(kind string, events []ledger.Folded) (state map[string]any, ordering string, ok bool) {
	return func(kind string, events []ledger.Folded) (map[string]any, string, bool) {
		lifecycle := cat.Lifecycle(kind)
		if lifecycle == nil {
			return nil, "", false
		}
		all := steps(nil).among(lifecycle, events)
		state := all.fold(lifecycle, lifecycle.Initial())
		return state.Map(), all.last(), true
	}
}

// VerifyOptions let ledger.Verify look at what only a catalog can tell: the states of
// objects, and whether every event that a plan reacts to is noted. An event of another
// revision may have been recorded before the plan was there: it is left alone.
func VerifyOptions(cat *catalog.Catalog) ledger.VerifyOptions {
	return ledger.VerifyOptions{
		Refold: Refold(cat),
		Reacts: func(d *ledger.Draft) []string {
			if d.Revision != cat.Digest() {
				return nil
			}
			return concerns(cat, d)
		},
		Noted: func(state []byte, statement string) bool {
			var in transaction.Instance
			if json.Unmarshal(state, &in) != nil {
				return false
			}
			for i := range in.Events {
				if in.Events[i].ID == statement {
					return true
				}
			}
			return false
		},
		Gathers: func(state []byte) []string {
			var in transaction.Instance
			if json.Unmarshal(state, &in) != nil {
				return nil // told as a transaction that does not know its events
			}
			var open []string
			for i := range in.Bundles {
				if b := &in.Bundles[i]; !b.Closed && b.Within > 0 {
					open = append(open, b.Key)
				}
			}
			return open
		},
	}
}
