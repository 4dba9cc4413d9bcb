package transaction

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A State is what the events of one object amount to. The zero State is that of
// an object no event was about; Fold gives it the initial status.
type State struct {
	Status string              `json:"status"`
	Since  string              `json:"since,omitempty"` // when the status began, as the event says; "" in the initial status
	Open   map[string][]string `json:"open,omitempty"`  // by name of the set, keys in the order they were opened
	Last   map[string]string   `json:"last,omitempty"`  // by event type, the id of the newest event
}

// Map is the state as policies read it.
func (s State) Map() map[string]any {
	open := make(map[string]any, len(s.Open))
	for name, keys := range s.Open {
		items := make([]any, len(keys))
		for i, key := range keys {
			items[i] = key
		}
		open[name] = items
	}
	last := make(map[string]any, len(s.Last))
	for typ, id := range s.Last {
		last[typ] = id
	}
	return map[string]any{"status": s.Status, "since": s.Since, "open": open, "last": last}
}

// A LifecycleEvent is what a lifecycle needs to know of an event.
type LifecycleEvent struct {
	ID    string
	Type  string
	Since string // when it happened, RFC 3339
	Data  map[string]any
}

// Initial is the state of an object that no event was about.
func (l *Lifecycle) Initial() State { return State{Status: l.def.Initial} }

// Fold is the state after one more event, in the order that the lifecycle asks
// for. ok is false where the status allows no such event. The state that comes
// with it is the one to keep if the event is a fact, which happened all the
// same: the status stays, the event is noted. A decision that is refused leaves
// the state before. The state given is never changed.
func (l *Lifecycle) Fold(before State, e LifecycleEvent) (after State, ok bool) {
	after = State{Status: before.Status, Since: before.Since, Open: before.Open, Last: maps.Clone(before.Last)}
	if after.Status == "" {
		after.Status = l.def.Initial
	}
	if after.Last == nil {
		after.Last = map[string]string{}
	}
	after.Last[e.Type] = e.ID
	ok = l.transit(&after, e)
	for _, o := range l.opens {
		after.Open = o.fold(after.Open, e)
	}
	return after, ok
}

func (l *Lifecycle) transit(s *State, e LifecycleEvent) bool {
	transitions, named := l.transitions[e.Type]
	if !named {
		return true
	}
	for _, t := range transitions {
		if len(t.From) > 0 && !slices.Contains(t.From, s.Status) {
			continue
		}
		if s.Status != t.To {
			s.Status, s.Since = t.To, e.Since
		}
		return true
	}
	return false
}

// fold adds or takes out the keys of the event. The sets given are shared and
// never changed in place.
func (o openSet) fold(sets map[string][]string, e LifecycleEvent) map[string][]string {
	opens, closes := slices.Contains(o.Opens, e.Type), slices.Contains(o.Closes, e.Type)
	if !opens && !closes {
		return sets
	}
	keys := slices.Clone(sets[o.Name])
	for _, key := range textsAt(e.Data, o.path) {
		at := slices.Index(keys, key)
		switch {
		case opens && at < 0:
			keys = append(keys, key)
		case closes && at >= 0:
			keys = slices.Delete(keys, at, at+1)
		}
	}
	sets = maps.Clone(sets)
	if sets == nil {
		sets = map[string][]string{}
	}
	if len(keys) == 0 {
		delete(sets, o.Name)
		return sets
	}
	sets[o.Name] = keys
	return sets
}

// splitPath takes "lots[].lot" apart: "lots", "[]", "lot".
func splitPath(path string) []string {
	return strings.Split(strings.ReplaceAll(path, "[]", ".[]"), ".")
}

// textsAt is every text or number at the path, in order.
func textsAt(value any, path []string) []string {
	if len(path) == 0 {
		switch v := value.(type) {
		case string:
			return []string{v}
		case json.Number:
			return []string{v.String()}
		}
		return nil
	}
	switch v := value.(type) {
	case map[string]any:
		return textsAt(v[path[0]], path[1:])
	case []any:
		if path[0] != "[]" {
			return nil
		}
		var texts []string
		for _, item := range v {
			texts = append(texts, textsAt(item, path[1:])...)
		}
		return texts
	}
	return nil
}

// A Case is one example of a lifecycle: events, and the status they lead to or
// the last of them that is refused.
type Case struct {
	Name    string              `yaml:"name"`
	Events  []CaseEvent         `yaml:"events"`
	State   string              `yaml:"state"`
	Refuses string              `yaml:"refuses"`
	Open    map[string][]string `yaml:"open"` // optional: what is open in the end
}

// A CaseEvent is an event of a case: its type alone, or with data.
type CaseEvent struct {
	Type string         `yaml:"type"`
	Data map[string]any `yaml:"data"`
}

// UnmarshalText reads the short form, the type alone.
func (e *CaseEvent) UnmarshalText(text []byte) error {
	e.Type = string(text)
	return nil
}

// A CaseResult says how one case went.
type CaseResult struct {
	Case    string // its name
	Index   int    // its place among the cases, from 0
	Passed  bool
	Problem string // what was expected and what came; "" where it passed
}

// Test folds the events of every case.
func (l *Lifecycle) Test() []CaseResult {
	results := make([]CaseResult, len(l.def.Cases))
	for i, k := range l.def.Cases {
		problem := l.run(k)
		results[i] = CaseResult{Case: k.Name, Index: i, Passed: problem == "", Problem: problem}
	}
	return results
}

// run answers what is wrong with a case, "" for nothing.
func (l *Lifecycle) run(k Case) string {
	state := l.Initial()
	for i, e := range k.Events {
		before := state.Status
		after, ok := l.Fold(state, LifecycleEvent{ID: fmt.Sprint("event-", i+1), Type: e.Type, Data: e.Data})
		state = after
		last := i == len(k.Events)-1
		switch {
		case !ok && (!last || k.Refuses != e.Type):
			return fmt.Sprintf("event %d, %s, is refused in status %s", i+1, e.Type, before)
		case ok && last && k.Refuses != "":
			return fmt.Sprintf("expected that %s is refused; it leads from %s to %s", e.Type, before, state.Status)
		}
	}
	if k.State != "" && state.Status != k.State {
		return fmt.Sprintf("expected status %s, got %s", k.State, state.Status)
	}
	if k.Open != nil {
		for name := range l.names() {
			if !slices.Equal(state.Open[name], k.Open[name]) {
				return fmt.Sprintf("expected %s open: %q, got %q", name, k.Open[name], state.Open[name])
			}
		}
	}
	return ""
}

// Run folds the events of a case of this or another revision, and tells what
// comes of them: "status released", or which event is refused.
func (l *Lifecycle) Run(k Case) string {
	state := l.Initial()
	for i, e := range k.Events {
		after, ok := l.Fold(state, LifecycleEvent{ID: fmt.Sprint("event-", i+1), Type: e.Type, Data: e.Data})
		if !ok {
			return fmt.Sprintf("%s refused in status %s", e.Type, state.Status)
		}
		state = after
	}
	parts := []string{"status " + state.Status}
	for _, name := range slices.Sorted(maps.Keys(state.Open)) {
		parts = append(parts, name+" "+strings.Join(state.Open[name], " "))
	}
	return strings.Join(parts, ", ")
}

// names is the names of the open sets.
func (l *Lifecycle) names() map[string]bool {
	names := map[string]bool{}
	for _, o := range l.opens {
		names[o.Name] = true
	}
	return names
}
