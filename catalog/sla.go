package catalog

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gapless/gapless/fault"
)

// An SLA says how long something may stand before it is put right: an exception of a
// reason or a class, a reaction of a plan until its step is settled, or what a plan
// expects until it comes. The most specific entry counts.
type SLA struct {
	Reason   string       `yaml:"reason"`   // code of package fault
	Class    string       `yaml:"class"`    // class of package fault
	Plan     string       `yaml:"plan"`     // with reaction or expect
	Reaction string       `yaml:"reaction"` // of the plan
	Expect   string       `yaml:"expect"`   // name of an expectation of the plan
	Plant    string       `yaml:"plant"`    // "" any
	Owner    string       `yaml:"owner"`    // group whose exceptions it is about; "" any
	Within   string       `yaml:"within"`   // "4h"; "" for a reaction or an expectation: as its plan says
	Warn     string       `yaml:"warn"`     // so long before the deadline: "30m", or a share of the time: "20%"; "" never
	Escalate []Escalation `yaml:"escalate"` // to whom it goes after the deadline, one after the other
	Counts   string       `yaml:"counts"`   // "time", which is the default, or "working": only while the plant works

	within, warn time.Duration
	share        int // warn is so many hundredths of within; 0: it is a time
}

// An Escalation hands what is late to another group.
type Escalation struct {
	After string `yaml:"after"` // the deadline: "2h"
	To    string `yaml:"to"`    // an owner group

	after time.Duration
}

// How an SLA counts.
const (
	countsTime    = "time"
	countsWorking = "working"
)

// slaFile is slas/<name>.yaml.
type slaFile struct {
	SLAs []SLA `yaml:"slas"`
}

// A Term is when something is to be put right, when it is warned of, and when and to
// whom it goes then. Zero times are never.
type Term struct {
	Until, Warn time.Time
	Handed      []Handed
}

// A Handed is the time at which something late goes to a group.
type Handed struct {
	At time.Time
	To string
}

// Term counts from a time, at a plant; nil where the plant is not known: time counts
// as it passes then.
func (s *SLA) Term(p *Plant, from time.Time) Term {
	if s.within <= 0 {
		return Term{}
	}
	t := Term{Until: s.after(p, from, s.within)}
	warn := s.warn
	if s.share > 0 {
		warn = s.within * time.Duration(s.share) / 100
	}
	if warn > 0 {
		t.Warn = s.after(p, from, s.within-warn)
	}
	t.Handed = s.Handed(p, t.Until)
	return t
}

// Handed are the times at which it goes to other groups, counted from its deadline.
func (s *SLA) Handed(p *Plant, deadline time.Time) []Handed {
	var all []Handed
	for _, e := range s.Escalate {
		all = append(all, Handed{At: s.after(p, deadline, e.after), To: e.To})
	}
	return all
}

// after is a moment a duration behind another one, as the SLA counts.
func (s *SLA) after(p *Plant, from time.Time, d time.Duration) time.Time {
	if s.Counts == countsWorking && p != nil {
		return p.AddWorking(from, d)
	}
	return from.Add(d)
}

// fallbackSLA is that of an exception for which the catalog has none.
var fallbackSLA = SLA{within: fallbackDeadline}

// SLA is how long an exception of a reason at a plant may stand that a group takes care
// of: the entry of its reason, else of its class, of several the one for the group, then
// the one for the plant; else a day.
func (c *Catalog) SLA(reason *fault.Reason, plant, owner string) *SLA {
	best, found := -1, &fallbackSLA
	for i := range c.slas {
		s := &c.slas[i]
		if s.Plan != "" {
			continue
		}
		if rank := rankOf(match{s.Reason, reason.Code, 8}, match{s.Class, string(reason.Class), 4}, match{s.Owner, owner, 2}, match{s.Plant, plant, 1}); rank > best {
			best, found = rank, s
		}
	}
	return found
}

// ReactionSLA is how long a reaction of a plan may take at a plant until its step is
// settled: what slas says, with the time of the plan where it says none.
func (c *Catalog) ReactionSLA(plan, reaction, plant string) SLA {
	within := time.Duration(0)
	if p, ok := c.plans[plan]; ok {
		within = p.Within(reaction)
	}
	return c.planSLA(plant, within, func(s *SLA) bool { return s.Plan == plan && s.Reaction == reaction && reaction != "" })
}

// ExpectationSLA is how long what a plan expects may take to come, which the plan says,
// and when that is warned of and handed on.
func (c *Catalog) ExpectationSLA(plan, name, plant string, within time.Duration) SLA {
	return c.planSLA(plant, within, func(s *SLA) bool { return s.Plan == plan && s.Expect == name && name != "" })
}

func (c *Catalog) planSLA(plant string, within time.Duration, about func(*SLA) bool) SLA {
	best, found := -1, SLA{}
	for i := range c.slas {
		s := &c.slas[i]
		if !about(s) {
			continue
		}
		if rank := rankOf(match{s.Plant, plant, 1}); rank > best {
			best, found = rank, *s
		}
	}
	found.within = cmp.Or(found.within, within)
	return found
}

// A match is what an entry asks for, what there is, and how much that counts.
type match struct {
	asked, is string
	weight    int
}

// rankOf is how closely an entry fits, -1 where it does not. Empty asks for nothing.
func rankOf(parts ...match) int {
	rank := 0
	for _, p := range parts {
		switch p.asked {
		case "":
		case p.is:
			rank += p.weight
		default:
			return -1
		}
	}
	return rank
}

// slas reads the entries. What they say of plans is looked at once those are read.
func (l *loader) slas() {
	seen := map[string]string{}
	l.in("slas", func(d *document) {
		var file slaFile
		d.decode(&file, l.findings)
		for i, s := range file.SLAs {
			at := fmt.Sprintf("slas[%d]", i)
			l.readSLA(d, at, &s)
			key := strings.Join([]string{s.Reason, s.Class, s.Plan, s.Reaction, s.Expect, s.Plant, s.Owner}, "\x00")
			if before, twice := seen[key]; twice {
				l.errorAt(d, at, "Leave one of both out: neither could be preferred.", "there is an entry for the same at %s", before)
			}
			seen[key] = d.file + ", " + at
			l.catalog.slas = append(l.catalog.slas, s)
			l.slaFiles = append(l.slaFiles, placedSLA{d, at, s})
		}
	})
}

// A placedSLA is an entry and where it stands.
type placedSLA struct {
	doc *document
	at  string
	sla SLA
}

func (l *loader) readSLA(d *document, at string, s *SLA) {
	l.reasonOrClass(d, at, s.Reason, s.Class)
	l.knownPlant(d, at, s.Plant)
	about := 0
	for _, text := range []string{s.Reason, s.Class, s.Plan} {
		if text != "" {
			about++
		}
	}
	switch {
	case about != 1:
		l.errorAt(d, at, "Name one of the three.", "an entry is for a reason, for a class, or for a plan")
	case s.Plan == "" && (s.Reaction != "" || s.Expect != ""):
		l.errorAt(d, at, "Name the plan.", "a reaction and an expectation are of a plan")
	case s.Plan != "" && (s.Reaction == "") == (s.Expect == ""):
		l.errorAt(d, at, "Name one of both.", "an entry for a plan is for a reaction or for an expectation")
	case s.Plan != "" && s.Owner != "":
		l.errorAt(d, at+".owner", "Take it out.", "what a plan asks for has no owner before it is an exception")
	}
	if s.Counts != "" && s.Counts != countsTime && s.Counts != countsWorking {
		l.errorAt(d, at+".counts", "Write time or working.", "%.40q", s.Counts)
	}
	if s.Within != "" || s.Plan == "" {
		s.within = l.span(d, at+".within", s.Within)
	}
	l.readWarn(d, at+".warn", s)
	s.Escalate = slices.Clone(s.Escalate)
	last := time.Duration(-1)
	for i := range s.Escalate {
		e, at := &s.Escalate[i], fmt.Sprintf("%s.escalate[%d]", at, i)
		e.after = l.span(d, at+".after", e.After)
		if e.To == "" {
			l.errorAt(d, at, "Name the group.", "to is missing")
		}
		if e.after > 0 && e.after <= last {
			l.errorAt(d, at+".after", "Let each come after the one before.", "%s is not after %s", e.After, s.Escalate[i-1].After)
		}
		last = max(last, e.after)
	}
}

// span reads a time span above 0.
func (l *loader) span(d *document, at, text string) time.Duration {
	span, err := time.ParseDuration(text)
	if err != nil || span <= 0 {
		l.errorAt(d, at, "Write hours and minutes, for example 4h or 30m.", "%.40q is no time", text)
	}
	return span
}

func (l *loader) readWarn(d *document, at string, s *SLA) {
	if s.Warn == "" {
		return
	}
	if text, share := strings.CutSuffix(s.Warn, "%"); share {
		percent, err := strconv.Atoi(text)
		if err != nil || percent < 1 || percent > 99 {
			l.errorAt(d, at, "Write 1% to 99%.", "%.40q is no share of the time", s.Warn)
		}
		s.share = percent
		return
	}
	s.warn = l.span(d, at, s.Warn)
	if s.within > 0 && s.warn >= s.within {
		l.errorAt(d, at, "Warn before the deadline, and not before it begins to count.", "%s is not less than %s", s.Warn, s.Within)
	}
}

// knownPlant reports a plant that is not in the catalog.
func (l *loader) knownPlant(d *document, at, plant string) {
	if _, ok := l.catalog.plants[plant]; plant != "" && !ok {
		l.errorAt(d, at+".plant", "Declare it in plants/, or correct the name.", "plant %.80q is not in the catalog", plant)
	}
}

// plannedSLAs checks what entries say of plans. How long a reaction may take stands in
// one place: in its plan, or for one plant in slas.
func (l *loader) plannedSLAs() {
	for _, x := range l.slaFiles {
		s := &x.sla
		if s.Plan == "" {
			continue
		}
		plan, ok := l.catalog.plans[s.Plan]
		if !ok {
			l.errorAt(x.doc, x.at+".plan", "Write the plan, or correct the name.", "plan %.80q is not in the catalog, or not in order", s.Plan)
			continue
		}
		def, planned := plan.Definition(), time.Duration(-1) // of an expectation it is always said there
		if s.Reaction != "" {
			_, ok = def.Reactions[s.Reaction]
			planned = plan.Within(s.Reaction)
		} else {
			_, ok = def.Expect[s.Expect]
		}
		switch {
		case !ok:
			l.errorAt(x.doc, x.at, "Correct the name.", "plan %s has no %.80q", s.Plan, s.Reaction+s.Expect)
		case s.within > 0 && s.Expect != "":
			l.errorAt(x.doc, x.at+".within", "Take it out: the plan says how long.", "how long %s may take stands in plan %s", s.Expect, s.Plan)
		case s.within > 0 && planned > 0 && s.Plant == "":
			l.errorAt(x.doc, x.at+".within", "Take it out, or name the plant where it is otherwise.", "plan %s says already how long %s may take", s.Plan, s.Reaction)
		case s.within == 0 && planned == 0:
			l.errorAt(x.doc, x.at, "Say within here or in the plan.", "nothing says how long %s of plan %s may take", s.Reaction, s.Plan)
		case s.within == 0 && planned > 0 && s.warn >= planned:
			l.errorAt(x.doc, x.at+".warn", "Warn before the deadline, and not before it begins to count.", "%s is not less than %s", s.Warn, planned)
		}
	}
}
