package transaction

import (
	"fmt"
	"slices"
	"time"
)

// A Collect says that the events of a reaction are performed together, many reports
// as one posting: they gather in a bundle, and one step performs it when it is closed.
// What closes it first counts.
type Collect struct {
	Until  []string `yaml:"until"`  // event types of the same transaction: one is noted after the first member was
	Count  int      `yaml:"count"`  // it has so many members
	Within string   `yaml:"within"` // its first member is on record for so long: "8h"
}

// MaxBundle is the number of members that closes any bundle: a command that performs
// more is more than systems take.
const MaxBundle = 500

// Collecting is a Collect with its time read. The zero value does not collect.
type Collecting struct {
	Until  []string
	Count  int // MaxBundle at most
	Within time.Duration
}

// on says whether anything collects.
func (c *Collecting) on() bool { return c.Count > 0 }

// Terms reads a Collect and says what is wrong with it, by the field: ".count".
func (c Collect) Terms() (terms Collecting, wrong []*DefinitionError) {
	terms = Collecting{Until: c.Until, Count: c.Count}
	report := func(field, text string, args ...any) {
		wrong = append(wrong, &DefinitionError{Field: field, Text: fmt.Sprintf(text, args...)})
	}
	if len(c.Until) == 0 && c.Count == 0 && c.Within == "" {
		report("", "nothing closes a bundle: write at least one of until, count, within, for example {until: [order.closed], within: 8h}")
	}
	switch {
	case c.Count < 0 || c.Count == 1 || c.Count > MaxBundle:
		report(".count", "%d is no number of members from 2 to %d", c.Count, MaxBundle)
	case c.Count == 0:
		terms.Count = MaxBundle
	}
	if c.Within != "" {
		var err error
		if terms.Within, err = time.ParseDuration(c.Within); err != nil || terms.Within <= 0 {
			report(".within", "%.40q is no time span: write hours, minutes or seconds, for example 8h", c.Within)
		}
	}
	return terms, wrong
}

// collect checks how a reaction collects.
func (c *planChecker) collect(at string, r Reaction) {
	if r.Collect == nil {
		return
	}
	at += ".collect"
	_, wrong := r.Collect.Terms()
	for _, w := range wrong {
		c.report(at+w.Field, "%s", w.Text)
	}
	if len(r.Collect.Until) > 0 {
		c.eventTypes(at+".until", r.Collect.Until)
	}
	for i, typ := range r.Collect.Until {
		if slices.Contains(r.On, typ) {
			c.report(fmt.Sprintf("%s.until[%d]", at, i), "%s is collected itself, so that no bundle would hold more than one of them: take it out", typ)
		}
	}
	if r.Amend != nil && r.Amend.With == WithWhole {
		c.report(at, "a member that is corrected after its bundle was performed is amended by the difference: write amend with delta")
	}
}
