package flow

import (
	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/ledger"
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
