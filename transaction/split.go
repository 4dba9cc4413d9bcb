package transaction

import (
	"slices"
	"strconv"
)

// Split takes apart a bundle of which nothing is in effect, so that one report does not
// hold the others: its step stands still, refused or held. Each of the statements that are
// to blame goes out by itself, and the others together. Where nobody knows which are, and
// where all are, it is halved. A step that performs no bundle, or one with a single member
// left, and one of which an attempt may still have been done, change nothing.
//
// What is taken apart is no longer wanted as a whole: Next supersedes the step, and every
// part is a command with a key of its own, made of its members.
func (p *Plan) Split(in Instance, step string, blamed []string) Instance {
	i := in.find(step)
	if i < 0 {
		return in
	}
	s := &in.Steps[i]
	at := slices.IndexFunc(in.Bundles, func(b Bundle) bool { return b.Key == s.Bundle })
	if at < 0 || s.Kind != KindDo || !s.Status.Unsent() || s.Partly || in.touched(s.Bundle) {
		return in
	}
	parts := in.Bundles[at].parts(s, blamed)
	if len(parts) < 2 {
		return in
	}
	in.Bundles = cloneBundles(in.Bundles)
	in.Bundles[at].Members, in.Bundles[at].Split = parts[0], true
	for _, members := range parts[1:] {
		b := in.Bundles[at]
		b.Key, b.Members = b.Reaction+"/"+strconv.Itoa(len(in.Bundles)+1), members
		in.Bundles = append(in.Bundles, b)
	}
	return in
}

// Splits says whether a step performs what came of taking a bundle apart: refused again,
// that is taken apart further.
func (in *Instance) Splits(step string) bool {
	i := in.find(step)
	return i >= 0 && slices.ContainsFunc(in.Bundles, func(b Bundle) bool { return b.Key == in.Steps[i].Bundle && b.Split })
}

// parts are the members of a bundle, apart: first those that go on together.
func (b *Bundle) parts(s *Step, blamed []string) [][]string {
	var good []string
	var parts [][]string
	for _, key := range b.Members {
		bad := slices.ContainsFunc(s.Members, func(m Member) bool { return m.Event == key && slices.Contains(blamed, m.Statement) })
		if bad {
			parts = append(parts, []string{key})
		} else {
			good = append(good, key)
		}
	}
	switch {
	case len(b.Members) < 2:
		return nil
	case len(parts) == 0 || len(good) == 0:
		half := (len(b.Members) + 1) / 2
		return [][]string{b.Members[:half:half], b.Members[half:]}
	}
	return slices.Insert(parts, 0, good)
}

// touched says whether something of a bundle is in effect, on its way or in the shadow.
func (in *Instance) touched(bundle string) bool {
	return slices.ContainsFunc(in.Steps, func(s Step) bool {
		return s.Bundle == bundle && (s.Status.InFlight() || s.inEffect() || s.Status == StepShadow)
	})
}
