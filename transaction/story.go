package transaction

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gapless/gapless/event"
)

// A PlanCase is one example of a plan: a story of what is reported and what
// systems answer, and the steps that follow from it.
type PlanCase struct {
	Name       string          `yaml:"name"`
	Key        event.Ref       `yaml:"key"`        // the key object; "" is one of the plan's kind
	Plant      string          `yaml:"plant"`      // of events that say none
	Modes      map[string]Mode `yaml:"modes"`      // by reaction; live where nothing is said
	Unresolved []string        `yaml:"unresolved"` // roles that no system has; every other one has a system of its own name
	Story      []StoryLine     `yaml:"story"`
}

// A StoryLine is one of: an event, an outcome, the end of a time window, or what is
// expected by then.
type StoryLine struct {
	Event    string         `yaml:"event"` // a name for it, that later lines use
	Type     string         `yaml:"type"`
	At       string         `yaml:"at"` // when it occurred, RFC 3339
	Plant    string         `yaml:"plant"`
	Refs     []event.Ref    `yaml:"refs"` // that it touches, besides the key
	Data     map[string]any `yaml:"data"` // what the key's lifecycle reads
	Disputed bool           `yaml:"disputed"`
	Corrects string         `yaml:"corrects"` // name of the event that it restates; type and time are of that where it says none
	Reverses string         `yaml:"reverses"` // name of the event that did not happen after all

	Outcome   string     `yaml:"outcome"` // a reaction: of its first step that is due or on its way
	In        string     `yaml:"in"`      // the role, where the reaction has several
	Is        StepStatus `yaml:"is"`      // applied, refused ...
	Documents []string   `yaml:"documents"`
	Reason    string     `yaml:"reason"`

	Over string `yaml:"over"` // a reaction that collects: the window of its open bundle is over

	Steps    []StoryStep `yaml:"steps"`    // every step, in the order in which they were decided
	Open     []string    `yaml:"open"`     // names of expectations
	Complete *bool       `yaml:"complete"` // whether the transaction is
}

// A StoryStep is what is expected of a step. What it does not say is not compared.
type StoryStep struct {
	Reaction  string     `yaml:"reaction"`
	Kind      Kind       `yaml:"kind"`
	In        string     `yaml:"in"` // role
	Command   string     `yaml:"command"`
	Because   string     `yaml:"because"` // name of the event
	Wanted    string     `yaml:"wanted"`
	Members   []string   `yaml:"members"` // names of the events that it performs together
	Status    StepStatus `yaml:"status"`
	Reason    string     `yaml:"reason"`
	Documents []string   `yaml:"documents"`
}

// answers are the statuses that the outcome of a story may have.
var answers = []StepStatus{StepSent, StepAccepted, StepApplied, StepPartlyApplied, StepRefused, StepDue, StepHeld, StepWaived}

// stories checks the cases as far as they can be checked without running them.
func (c *planChecker) stories() {
	if len(c.def.Cases) == 0 {
		c.report("cases", "missing: tell at least one story: events, outcomes, and the steps that follow")
	}
	for i := range c.def.Cases {
		k, at := &c.def.Cases[i], fmt.Sprintf("cases[%d]", i)
		if k.Name == "" {
			c.report(at+".name", "missing: say what the case shows")
		}
		if len(k.Story) == 0 {
			c.report(at+".story", "missing: write events, outcomes, and steps, one line each")
		}
		if k.Key != "" && k.Key.Kind() != c.def.Key {
			c.report(at+".key", "%s is no %s: name an object of the plan's key", k.Key, c.def.Key)
		}
		for name, mode := range k.Modes {
			if mode != ModeOff && mode != ModeShadow && mode != ModeLive {
				c.report(at+".modes."+name, "%.40q is none of off, shadow, live", string(mode))
			}
		}
		told := map[string]bool{}
		for j := range k.Story {
			c.storyLine(fmt.Sprintf("%s.story[%d]", at, j), &k.Story[j], told)
		}
		if n := len(k.Story); n > 0 && !k.Story[n-1].expects() {
			c.report(fmt.Sprintf("%s.story[%d]", at, n-1), "the story ends without saying what follows: close it with steps, open or complete")
		}
	}
}

// expects says whether the line tells what is expected.
func (l *StoryLine) expects() bool { return l.Steps != nil || l.Open != nil || l.Complete != nil }

func (c *planChecker) storyLine(at string, l *StoryLine, told map[string]bool) {
	forms := 0
	for _, is := range []bool{l.Event != "", l.Outcome != "", l.Over != "", l.expects()} {
		if is {
			forms++
		}
	}
	switch {
	case forms != 1:
		c.report(at, "a line is one of: an event, an outcome, the end of a window (over), or what is expected (steps, open, complete)")
	case l.Event != "":
		c.storyEvent(at, l, told)
	case l.Over != "":
		if r := c.def.Reactions[l.Over]; r.Collect == nil {
			c.report(at+".over", "%.80q is no reaction of this plan that collects", l.Over)
		}
	case l.Outcome != "":
		if _, known := c.def.Reactions[l.Outcome]; !known {
			c.report(at+".outcome", "%.80q is no reaction of this plan", l.Outcome)
		}
		if !slices.Contains(answers, l.Is) {
			c.report(at+".is", "%.40q is no outcome: write one of %s", string(l.Is), textList(answers))
		}
	}
}

func (c *planChecker) storyEvent(at string, l *StoryLine, told map[string]bool) {
	if told[l.Event] {
		c.report(at+".event", "an event is called %s already: give each a name of its own", l.Event)
	}
	earlier := l.Corrects + l.Reverses
	switch {
	case l.Corrects != "" && l.Reverses != "":
		c.report(at, "it both corrects and reverses: write one of them")
	case earlier != "" && !told[earlier]:
		c.report(at, "no event before is called %.80q", earlier)
	case earlier == "" && l.Type == "":
		c.report(at+".type", "missing: name the event type")
	}
	if _, err := time.Parse(time.RFC3339, l.At); err != nil && (l.At != "" || earlier == "") {
		c.report(at+".at", "%.40q is no time with zone: write it like \"2026-03-02T06:00:00+01:00\"", l.At)
	}
	told[l.Event] = true
}

// textList is words for a sentence.
func textList[T ~string](all []T) string {
	texts := make([]string, len(all))
	for i, t := range all {
		texts[i] = string(t)
	}
	return strings.Join(texts, ", ")
}
