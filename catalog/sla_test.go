package catalog

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/fault"
)

const slaPath = "slas/slas.yaml"

func slas(lines ...string) edit {
	return write(slaPath, "slas:\n  - "+strings.Join(lines, "\n  - ")+"\n")
}

func TestFindingsOfSLAsNameFileAndLine(t *testing.T) {
	for name, test := range map[string]struct {
		line, want string
	}{
		"neither reason nor class nor plan":    {"{within: 1h}", slaPath + ":2:5: error: an entry is for a reason, for a class, or for a plan"},
		"reason and class":                     {"{reason: open_hold, class: data, within: 1h}", "an entry is for a reason, for a class, or for a plan"},
		"a reaction without its plan":          {"{class: data, reaction: receive, within: 1h}", "a reaction and an expectation are of a plan"},
		"a plan alone":                         {"{plan: lot-to-stock, within: 1h}", "for a reaction or for an expectation"},
		"an owner of a reaction":               {"{plan: lot-to-stock, reaction: receive, owner: quality}", "has no owner before it is an exception"},
		"an unknown plant":                     {"{class: data, plant: linz, within: 1h}", `plant "linz" is not in the catalog`},
		"a reason without a time":              {"{reason: open_hold}", `"" is no time`},
		"an unknown way to count":              {"{class: data, within: 1h, counts: shifts}", `"shifts" (Write time or working.)`},
		"a share of more than all":             {"{class: data, within: 1h, warn: 100%}", `"100%" is no share of the time`},
		"a warning before the time begins":     {"{class: data, within: 1h, warn: 2h}", "2h is not less than 1h"},
		"an escalation to nobody":              {"{class: data, within: 1h, escalate: [{after: 1h}]}", "to is missing"},
		"escalations in disorder":              {"{class: data, within: 1h, escalate: [{after: 2h, to: a}, {after: 1h, to: b}]}", "1h is not after 2h"},
		"an unknown plan":                      {"{plan: lots, reaction: receive}", `plan "lots" is not in the catalog`},
		"an unknown reaction":                  {"{plan: lot-to-stock, reaction: send}", `plan lot-to-stock has no "send"`},
		"a time that the plan says already":    {"{plan: lot-to-stock, reaction: receive, within: 1h}", "plan lot-to-stock says already how long receive may take"},
		"a warning before the plan's time":     {"{plan: lot-to-stock, reaction: receive, warn: 5m}", "5m is not less than 5m0s"},
		"a time of an expectation":             {"{plan: lot-to-stock, expect: quality decision, within: 1h}", "how long quality decision may take stands in plan lot-to-stock"},
		"two entries for the same":             {"{class: data, within: 1h}\n  - {class: data, within: 2h}", "there is an entry for the same at slas/slas.yaml, slas[0]"},
		"an unknown key":                       {"{class: data, within: 1h, warned: 1m}", "unknown key warned"},
		"a reason that is none":                {"{reason: hold, within: 1h}", `"hold" is no reason`},
		"an escalation after no time":          {"{class: data, within: 1h, escalate: [{to: a}]}", `"" is no time`},
		"a reaction of a plan without a time":  {"{plan: lot-to-stock, reaction: nothing, warn: 1m}", `has no "nothing"`},
		"a reason that a reaction has besides": {"{reason: open_hold, within: 1h, expect: quality decision}", "a reaction and an expectation are of a plan"},
	} {
		t.Run(name, func(t *testing.T) {
			_, findings := Load(smallFS(t, slas(test.line)))
			var all strings.Builder
			for _, f := range findings {
				all.WriteString(f.String() + "\n")
			}
			if !strings.Contains(all.String(), test.want) {
				t.Errorf("want %q among\n%s", test.want, all.String())
			}
		})
	}
}

func TestTheMostSpecificSLACounts(t *testing.T) {
	c := small(t, slas(
		"{class: business, within: 8h}", "{class: business, plant: graz, within: 7h}", "{class: business, owner: quality, within: 6h}",
		"{reason: open_hold, within: 5h}", "{reason: open_hold, owner: quality, plant: graz, within: 4h}",
		"{plan: lot-to-stock, reaction: receive, warn: 20%}", "{plan: lot-to-stock, reaction: receive, plant: graz, within: 30m, counts: working}",
		"{plan: lot-to-stock, expect: quality decision, escalate: [{after: 1h, to: heads}]}"))
	for _, test := range []struct {
		reason       *fault.Reason
		plant, owner string
		want         time.Duration
	}{
		{fault.PolicyForbids, "wien", "stores", 8 * time.Hour},
		{fault.PolicyForbids, "graz", "stores", 7 * time.Hour},
		{fault.PolicyForbids, "graz", "quality", 6 * time.Hour},
		{fault.OpenHold, "graz", "stores", 5 * time.Hour},
		{fault.OpenHold, "graz", "quality", 4 * time.Hour},
		{fault.ContractBroken, "graz", "quality", 24 * time.Hour},
	} {
		if got := c.SLA(test.reason, test.plant, test.owner).within; got != test.want {
			t.Errorf("%s at %s for %s: %s, want %s", test.reason.Code, test.plant, test.owner, got, test.want)
		}
	}
	if s := c.ReactionSLA("lot-to-stock", "receive", "wien"); s.within != 5*time.Minute || s.share != 20 || s.Counts != "" {
		t.Errorf("with the time of the plan: %+v", s)
	}
	if s := c.ReactionSLA("lot-to-stock", "receive", "graz"); s.within != 30*time.Minute || s.Counts != countsWorking {
		t.Errorf("of a plant: %+v", s)
	}
	if s := c.ReactionSLA("lot-to-stock", "status", "graz"); s.within != time.Minute || s.Warn != "" {
		t.Errorf("that nothing is said of: %+v", s)
	}
	if s := c.ExpectationSLA("lot-to-stock", "quality decision", "graz", 48*time.Hour); s.within != 48*time.Hour || len(s.Escalate) != 1 {
		t.Errorf("of an expectation: %+v", s)
	}
	if diff := cmp.Diff([]string{"engineering", "graz-master-data", "heads", "master-data", "operations"}, c.OwnerGroups()); diff != "" {
		t.Error(diff)
	}
}

func TestTermsCountTimeOrWorkingTime(t *testing.T) {
	p, from := worker(t, nil), moment(t, "2026-03-06T20:00:00+01:00") // a Friday
	escalate := []Escalation{{To: "heads", after: time.Hour}, {To: "plant manager", after: 10 * time.Hour}}
	for name, test := range map[string]struct {
		sla   SLA
		plant *Plant
		want  Term
	}{
		"time": {SLA{within: 10 * time.Hour, warn: 2 * time.Hour, Escalate: escalate}, p, Term{
			Until: moment(t, "2026-03-07T06:00:00+01:00"), Warn: moment(t, "2026-03-07T04:00:00+01:00"),
			Handed: []Handed{{moment(t, "2026-03-07T07:00:00+01:00"), "heads"}, {moment(t, "2026-03-07T16:00:00+01:00"), "plant manager"}},
		}},
		"working time": {SLA{Counts: countsWorking, within: 10 * time.Hour, share: 20, Escalate: escalate}, p, Term{
			Until: moment(t, "2026-03-07T06:00:00+01:00"), Warn: moment(t, "2026-03-07T04:00:00+01:00"),
			Handed: []Handed{{moment(t, "2026-03-09T15:00:00+01:00"), "heads"}, {moment(t, "2026-03-10T00:00:00+01:00"), "plant manager"}},
		}},
		"a plant that is not known": {SLA{Counts: countsWorking, within: time.Hour}, nil, Term{Until: moment(t, "2026-03-06T21:00:00+01:00")}},
		"no time at all":            {SLA{}, p, Term{}},
	} {
		t.Run(name, func(t *testing.T) {
			if diff := cmp.Diff(test.want, test.sla.Term(test.plant, from)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestTheGroupOfAMaterialHasItsOwnOwner(t *testing.T) {
	c := small(t, write("owners/owners.yaml", "owners:\n  - {class: business, group: stores}\n  - {class: business, material-group: resin, group: chemists}\n"+
		"  - {class: business, plant: graz, group: graz-stores}\n  - {reason: open_hold, group: quality}\n"))
	for _, test := range []struct {
		reason *fault.Reason
		plant  string
		groups []string
		want   string
	}{
		{fault.PolicyForbids, "wien", nil, "stores"},
		{fault.PolicyForbids, "graz", []string{"caps"}, "graz-stores"},
		{fault.PolicyForbids, "graz", []string{"caps", "resin"}, "chemists"},
		{fault.OpenHold, "graz", []string{"resin"}, "quality"},
		{fault.ContractBroken, "graz", []string{"resin"}, "operations"},
	} {
		if got := c.Owner(test.reason, test.plant, test.groups...); got != test.want {
			t.Errorf("%s at %s of %q: %s, want %s", test.reason.Code, test.plant, test.groups, got, test.want)
		}
	}
	if !c.OwnsByMaterial() || small(t).OwnsByMaterial() {
		t.Error("whether anything asks for the group of a material")
	}
}
