//go:build race

package flow_test

import (
	"flag"

	_ "pgregory.net/rapid" // which declares the flag
)

// The race detector takes ten times as long, and the quick tests draw as often as rapid
// does by itself: fewer draws will do here. -rapid.checks on the command line counts.
var _ = func() error { return flag.Set("rapid.checks", "6") }()
