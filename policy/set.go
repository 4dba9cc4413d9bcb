package policy

import (
	"fmt"
	"slices"
	"strings"
	"sync"
)

// maxCachedTypes bounds what a Set remembers. Types are those of the catalog,
// a few dozen; the bound is for whoever asks with text from outside.
const maxCachedTypes = 1000

// A Set is the policies of one catalog revision. It is safe for concurrent use.
type Set struct {
	policies []*Policy // by name

	mu    sync.RWMutex
	cache map[place][]*Policy // guarded by mu; filled by For, entries never change
}

type place struct {
	eventType string
	stage     Stage
}

// NewSet makes a Set. Verdicts come in the order of the policies' names,
// whatever order they are given in. Two policies of one name are an error.
func NewSet(policies []*Policy) (*Set, error) {
	s := &Set{policies: slices.Clone(policies), cache: map[place][]*Policy{}}
	slices.SortStableFunc(s.policies, func(a, b *Policy) int { return strings.Compare(a.Name(), b.Name()) })
	for i := range s.policies[min(1, len(s.policies)):] {
		if name := s.policies[i].Name(); name == s.policies[i+1].Name() {
			return nil, fmt.Errorf("policy.NewSet: two policies are named %s: rename one", name)
		}
	}
	return s, nil
}

// For is the policies on a type of event at a stage, by name. The caller must
// not change the slice.
func (s *Set) For(eventType string, stage Stage) []*Policy {
	at := place{eventType, stage}
	s.mu.RLock()
	found, ok := s.cache[at]
	s.mu.RUnlock()
	if ok {
		return found
	}
	for _, p := range s.policies {
		if p.stage == stage && p.Applies(eventType) {
			found = append(found, p)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.cache) < maxCachedTypes {
		s.cache[at] = found
	}
	return found
}

// Judge asks every policy on the event's type at a stage. Passes are among the
// verdicts; policies whose When is false are not.
func (s *Set) Judge(stage Stage, in Input) []Verdict {
	eventType, _ := in.Event["type"].(string)
	policies := s.For(eventType, stage)
	if len(policies) == 0 {
		return nil
	}
	verdicts := make([]Verdict, 0, len(policies))
	vars := in.variables()
	for _, p := range policies {
		if v, applies := p.judge(vars); applies {
			verdicts = append(verdicts, v)
		}
	}
	return verdicts
}
