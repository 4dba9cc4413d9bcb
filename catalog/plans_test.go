package catalog

import (
	"io/fs"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/transaction"
)

const (
	planPath  = "plans/lot-to-stock.yaml"
	plantPath = "plants/graz.yaml"
)

func TestFindingsOfPlansNameFileAndLine(t *testing.T) {
	for name, test := range map[string]struct {
		edits []edit
		want  []string
	}{
		"an unknown key":                       {[]edit{{planPath, "    within: 5m", "    in-time: 5m"}}, []string{planPath + ":8:5: error: unknown key in-time (Known keys: after, again, amend"}},
		"a plan called other than its file":    {[]edit{{planPath, "plan: lot-to-stock", "plan: lots"}}, []string{planPath + ":1:1: error: the file lot-to-stock.yaml defines lots"}},
		"a plan without a name":                {[]edit{{planPath, "plan: lot-to-stock", "plan: \"\""}}, []string{"plan is missing"}},
		"a plan without a case":                {[]edit{{planPath, "cases:\n", "cases: []\nx-cases:\n"}}, []string{"cases: missing: tell at least one story", `(Write it as docs/catalog.md shows under "Plans".)`}},
		"a time span that is none":             {[]edit{{planPath, "within: 5m", "within: soon"}}, []string{planPath + ":8:5: error: reactions.receive.within: \"soon\" is no time span"}},
		"an after that leads nowhere":          {[]edit{{planPath, "after: [receive]", "after: [reception]"}}, []string{planPath + ":20:13: error: reactions.status.after[0]: \"reception\" is no reaction of this plan"}},
		"a closed period of another kind":      {[]edit{{planPath, "closed-period: hold", "closed-period: skip"}}, []string{planPath + ":9:5: error: reactions.receive.closed-period"}},
		"a key of an unknown kind":             {[]edit{{planPath, "key: lot\n", "key: batch\n"}}, []string{planPath + ":3:1: error: kind \"batch\" is not in the catalog"}},
		"a lane of an unknown kind":            {[]edit{{planPath, "lanes: [order, material]", "lanes: [order, batch]"}}, []string{planPath + ":12:20: error: kind \"batch\" is not in the catalog"}},
		"a reaction on an unknown type":        {[]edit{{planPath, "on: [production.completed]", "on: [production.done]"}}, []string{planPath + ":6:10: error: event type \"production.done\" is not in the catalog"}},
		"a status from an unknown type":        {[]edit{{planPath, "hold.lifted]\n", "hold.lifted, lot.freed]\n"}}, []string{"event type \"lot.freed\" is not in the catalog"}},
		"an expectation of an unknown type":    {[]edit{{planPath, "one of: [lot.released]", "one of: [lot.freed]"}}, []string{planPath + ":24:60: error: event type \"lot.freed\" is not in the catalog"}},
		"a story of an unknown type":           {[]edit{{planPath, "type: lot.released, at", "type: lot.freed, at"}}, []string{"event type \"lot.freed\" is not in the catalog"}},
		"an event that nobody may report":      {[]edit{write("systems/graz-mes.yaml", "system: graz-mes\ntitle: MES of Graz\nroles: [mes]\nplants: [graz]\nauthority: [hold.*]\n")}, []string{planPath + ":6:10: warning: no system of the catalog may report production.completed, so that nothing ever follows from it"}},
		"a role that is none":                  {[]edit{{planPath, "in: [erp, wms]", "in: [erp, warehouse]"}}, []string{planPath + ":21:15: error: \"warehouse\" is no role"}},
		"a role that no system has":            {[]edit{{planPath, "in: [erp, wms]", "in: [erp, cmms]"}}, []string{planPath + ":21:15: error: no system of any plant has the role cmms"}},
		"an open set that the lifecycle lacks": {[]edit{{planPath, "open: holds", "open: deviations"}}, []string{planPath + ":17:10: error: the lifecycle of lot has no open set \"deviations\""}},
		"a status that the lifecycle lacks":    {[]edit{{planPath, "status: released, is", "status: freed, is"}}, []string{planPath + ":18:10: error: the lifecycle of lot has no status \"freed\" (Write one of released, unknown.)"}},
		"a status that would not follow":       {[]edit{{planPath, "hold.placed, hold.lifted]\n", "hold.placed]\n"}}, []string{planPath + ":17:10: error: hold.lifted changes whether holds holds, and is not among the types in from"}},
		"a status of what has no lifecycle":    {[]edit{{planPath, "key: lot\n", "key: order\n"}}, []string{"kind \"order\" has no lifecycle, so that nothing is known of its state"}},
		"two systems with one role":            {[]edit{{plantPath, "  - {role: erp, system: old-erp, valid-to: 2026-04-01T00:00:00+02:00}\n  - {role: erp, system: erp, valid-from: 2026-04-01T00:00:00+02:00}\n", "  []\n"}}, []string{plantPath + ":25:1: error: erp, old-erp all have the role erp (Say which one plans command: roles: [{role: erp, system: erp}].)"}},
		"an unknown system in a role":          {[]edit{{plantPath, "system: old-erp", "system: sap"}}, []string{plantPath + ":26:17: error: system \"sap\" is not in the catalog"}},
		"a system without the role":            {[]edit{{plantPath, "system: old-erp", "system: wms"}}, []string{plantPath + ":26:17: error: system wms has not the role erp at plant graz"}},
		"a role of a plant that is none":       {[]edit{{plantPath, "role: erp, system: old-erp", "role: sap, system: old-erp"}}, []string{plantPath + ":26:6: error: \"sap\" is no role"}},
		"two systems in one role at one time":  {[]edit{{plantPath, "valid-to: 2026-04-01", "valid-to: 2026-05-01"}}, []string{plantPath + ":27:5: error: roles[0] says at the same time which system has the role erp"}},
		"a role that ends before it begins":    {[]edit{{plantPath, "valid-to: 2026-04-01", "valid-from: 2026-06-01, valid-to: 2026-04-01"}}, []string{"it ends before it begins"}},
		"a time of a role that is none":        {[]edit{{plantPath, "valid-to: 2026-04-01T00:00:00+02:00", "valid-to: spring"}}, []string{plantPath + ":26:34: error: roles[0].valid-to: \"spring\" is no time"}},
		"a plant without a system for a role":  {[]edit{{"systems/wms.yaml", "plants: [graz]", "plants: [wien]"}, write("plants/wien.yaml", "plant: wien\ntitle: Wien\nzone: Europe/Vienna\nroles: [{role: erp, system: erp}]\n")}, []string{plantPath + ":1:1: warning: no system of plant graz has the role wms, which plans command: their steps are held (Declare the system, or say that there is none: without: [wms].)"}},
		"a role that no plant is without":      {[]edit{{plantPath, "roles:\n", "without: [warehouse]\nroles:\n"}}, []string{plantPath + ":25:11: error: \"warehouse\" is no role"}},
		"a bundle that may never be closed":    {[]edit{{planPath, "    closed-period: hold\n", "    closed-period: hold\n    collect: {count: 40, until: [lot.released]}\n"}}, []string{"warning: without a time what comes after lot.released may wait for ever (Add within, for example 8h.)"}},
		"a bundle that nothing closes":         {[]edit{{planPath, "    closed-period: hold\n", "    closed-period: hold\n    collect: {}\n"}}, []string{planPath + ":10:5: error: reactions.receive.collect: nothing closes a bundle: write at least one of until, count, within"}},
		"a bundle until an unknown event":      {[]edit{{planPath, "    closed-period: hold\n", "    closed-period: hold\n    collect: {until: [lot.done], within: 8h}\n"}}, []string{planPath + ":10:23: error: event type \"lot.done\" is not in the catalog"}},
		"collecting what does not collect":     {[]edit{{plantPath, "roles:\n", "collect: {lot-to-stock/receive: {within: 1h}}\nroles:\n"}}, []string{plantPath + ":25:11: error: reaction receive of plan lot-to-stock collects nothing"}},
		"collecting of an unknown plan":        {[]edit{{plantPath, "roles:\n", "collect: {lots/receive: {within: 1h}}\nroles:\n"}}, []string{plantPath + ":25:11: error: plan \"lots\" is not in the catalog"}},
		"collecting of an unknown reaction":    {[]edit{{plantPath, "roles:\n", "collect: {lot-to-stock/take: {within: 1h}}\nroles:\n"}}, []string{plantPath + ":25:11: error: plan lot-to-stock has no reaction \"take\""}},
		"collecting and not at once":           {[]edit{{plantPath, "roles:\n", "collect: {lot-to-stock/receive: {off: true, count: 4}}\nroles:\n"}}, []string{plantPath + ":25:34: error: with off nothing gathers"}},
		"collecting one":                       {[]edit{{plantPath, "roles:\n", "collect: {lot-to-stock/receive: {count: 1, within: 1h}}\nroles:\n"}}, []string{"error: 1 is no number of members from 2 to 500"}},
		"collecting until what is not noted":   {[]edit{{plantPath, "roles:\n", "collect: {lot-to-stock/receive: {until: [order.closed], within: 1h}}\nroles:\n"}}, []string{"error: plan lot-to-stock does not note \"order.closed\""}},
		"a mode of an unknown plan":            {[]edit{{plantPath, "lot-to-stock/status", "lots/status"}}, []string{plantPath + ":29:3: error: plan \"lots\" is not in the catalog"}},
		"a mode of an unknown reaction":        {[]edit{{plantPath, "lot-to-stock/status", "lot-to-stock/state"}}, []string{plantPath + ":29:3: error: plan lot-to-stock has no reaction \"state\" (Write one of receive, status.)"}},
		"a mode that is none":                  {[]edit{{plantPath, "shadow", "dark"}}, []string{plantPath + ":29:3: error: \"dark\" is none of off, shadow, live"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, findings := Load(smallFS(t, test.edits...))
			var all []string
			for _, f := range findings {
				all = append(all, f.String())
			}
			text := strings.Join(all, "\n")
			for _, want := range test.want {
				if !strings.Contains(text, want) {
					t.Errorf("nothing says %q:\n%s", want, text)
				}
			}
		})
	}
}

func TestAStoryThatDoesNotHoldIsToldWithItsLine(t *testing.T) {
	for name, test := range map[string]struct {
		edit edit
		want string
	}{
		"a step in another status": {
			edit{planPath, "command: receive-goods, status: due", "command: receive-goods, status: applied"},
			planPath + `:27: received, then free: line 2: step 1: expected status applied, got "due"; the steps are receive of made in erp: due`,
		},
		"another number of steps": {
			edit{planPath, "          - {reaction: status, in: wms, wanted: free, status: waiting}\n", ""},
			"line 5: expected 2 steps, got 3: receive of made in erp: due, status free of free in erp: waiting, status free of free in wms: waiting",
		},
		"an expectation that is not open": {
			edit{planPath, "{open: [quality decision]}", "{open: []}"},
			`line 3: expected open: [], got ["quality decision"]`,
		},
		"a transaction that is not complete": {
			edit{planPath, "{complete: true}", "{complete: false}"},
			"line 9: expected complete: false, got true",
		},
		"other documents": {
			edit{planPath, "status: applied, documents: [\"4900001\"]", "status: applied, documents: [\"1\"]"},
			`expected documents ["1"], got ["4900001"]`,
		},
		"an outcome of what is not due": {
			edit{planPath, "      - {outcome: receive, is: applied, documents: [\"4900001\"]}\n      - {outcome: status, in: erp, is: applied}", "      - {outcome: status, in: erp, is: applied}"},
			"line 6: no step of status waits for an outcome",
		},
	} {
		t.Run(name, func(t *testing.T) {
			var failed []string
			for _, r := range small(t, test.edit).Test() {
				if !r.Passed {
					failed = append(failed, r.String())
				}
			}
			if len(failed) != 1 || !strings.Contains(failed[0], test.want) {
				t.Errorf("failed: %q, want one with %q", failed, test.want)
			}
		})
	}
}

func TestDiffTellsWhatAChangeOfAPlanMeansForOpenTransactions(t *testing.T) {
	const person = "a transaction that has performed a step of it moves only with a person (plan changed)."
	for name, test := range map[string]struct {
		edits []edit
		want  []string
	}{
		"another command": {
			[]edit{{planPath, "command: receive-goods}", "command: post-receipt}"}, {planPath, "command: receive-goods, status", "command: post-receipt, status"}},
			[]string{"changed " + planPath, "Reaction receive commands post-receipt instead of receive-goods to do: " + person, `reactions.receive.do.command: "post-receipt" was "receive-goods"`},
		},
		"no command to undo any more": {
			[]edit{{planPath, "    undo: {command: reverse-receipt}\n", ""}},
			[]string{"Reaction receive has no command to undo any more: it is held for a person."},
		},
		"a command to undo": {
			nil, []string{"Reaction receive commands reverse-receipt to undo from now on; before, it was held for a person."},
		},
		"a role that is not commanded any more": {
			[]edit{{planPath, "in: [erp, wms]", "in: [wms]"}},
			[]string{"Reaction status commands erp no longer: " + person, `Case "received, then free" of before: now leads to line 7: no step of status waits for an outcome; the steps are receive of made in erp: applied`},
		},
		"a type that is followed too": {
			[]edit{{planPath, "on: [production.completed]", "on: [production.completed, hold.placed]"}},
			[]string{"Reaction receive follows hold.placed too: a transaction that moves gets its steps for what is on record."},
		},
		"a reaction under another name": {
			[]edit{{planPath, "  receive:\n", "  take-in:\n"}, {planPath, "after: [receive]", "after: [take-in]"}, {planPath, "applied: [receive]", "applied: [take-in]"}, {planPath, "outcome: receive", "outcome: take-in"}, {planPath, "outcome: receive", "outcome: take-in"}},
			[]string{"Reaction receive is gone: " + person, "Reaction take-in is new: a transaction that moves gets its steps for what is on record too."},
		},
		"a lifecycle that leads elsewhere": {
			[]edit{{"lifecycles/lot.yaml", "opens: hold.placed, closes: hold.lifted", "opens: hold.lifted, closes: hold.placed"}},
			[]string{"affected " + planPath, `Case "a correction amends, a hold blocks" of before: now leads to`},
		},
		"another key": {
			[]edit{{planPath, "home: centre\n", ""}, {planPath, "key: lot\n", "home: plant\nkey: lot\n"}},
			[]string{"A transaction for each lot at the plant, it was for each lot at the centre: those that are open cannot move."},
		},
	} {
		t.Run(name, func(t *testing.T) {
			base := small(t, edit{planPath, "key: lot\n", "home: centre\nkey: lot\n"})
			edits := append([]edit{{planPath, "key: lot\n", "home: centre\nkey: lot\n"}}, test.edits...)
			if test.edits == nil {
				base = small(t, edit{planPath, "    undo: {command: reverse-receipt}\n", ""})
				edits = nil
			}
			text := ""
			for _, c := range Diff(base, small(t, edits...)) {
				text += c.String() + "\n"
			}
			for _, want := range test.want {
				if !strings.Contains(text, want) {
					t.Errorf("nothing says %q:\n%s", want, text)
				}
			}
		})
	}
}

func TestAPlanThatIsNewOrGone(t *testing.T) {
	with := small(t)
	text, err := fs.ReadFile(smallFS(t), planPath)
	if err != nil {
		t.Fatal(err)
	}
	another := small(t, write("plans/more.yaml", strings.Replace(string(text), "plan: lot-to-stock", "plan: more", 1)))
	for _, test := range []struct {
		before, now *Catalog
		want        string
	}{
		{with, another, "added plans/more.yaml\n  Transactions begin with the next event of each object; for what is on record already nothing follows."},
		{another, with, "removed plans/more.yaml\n  Transactions that are open stay with the plan that they began with; no new one begins."},
	} {
		changes := Diff(test.before, test.now)
		if len(changes) != 1 || changes[0].String() != test.want {
			t.Errorf("got %v, want %q", changes, test.want)
		}
	}
}

func TestPlansByEventType(t *testing.T) {
	c := small(t)
	for typ, want := range map[string][]string{"production.completed": {"lot-to-stock"}, "hold.lifted": {"lot-to-stock"}, "material.changed": nil} {
		var got []string
		for _, p := range c.PlansOn(typ) {
			got = append(got, p.Name())
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: %s", typ, diff)
		}
	}
	if p, ok := c.Plan("lot-to-stock"); !ok || len(c.Plans()) != 1 || c.Plans()[0] != p {
		t.Errorf("plans: %v", c.Plans())
	}
}

func TestARoleIsResolvedByPlantAndTime(t *testing.T) {
	c := small(t)
	march, april := time.Date(2026, 3, 31, 12, 0, 0, 0, time.UTC), time.Date(2026, 4, 1, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		role, plant string
		at          time.Time
		want        string
	}{
		{"erp", "graz", march, "old-erp"},
		{"erp", "graz", april, "erp"},
		{"wms", "graz", march, "wms"},
		{"mes", "graz", march, "graz-mes"},
		{"qms", "graz", march, ""}, // lab and qms, and the plant names none
		{"cmms", "graz", march, ""},
		{"wms", "wien", march, ""},
	} {
		if got, ok := c.RoleSystem(test.role, test.plant, test.at); got != test.want || ok != (test.want != "") {
			t.Errorf("RoleSystem(%s, %s, %s) = %q, %t; want %q", test.role, test.plant, test.at.Format(time.DateOnly), got, ok, test.want)
		}
	}
}

func TestAPlantSaysWhatItDoesWithAReaction(t *testing.T) {
	c := small(t, edit{plantPath, "lot-to-stock/status: shadow", "lot-to-stock/status: shadow\n  lot-to-stock: off"})
	for _, test := range []struct {
		reaction, plant string
		want            transaction.Mode
	}{{"status", "graz", transaction.ModeShadow}, {"receive", "graz", transaction.ModeOff}, {"receive", "wien", transaction.ModeOff}} {
		if got := c.ReactionMode("lot-to-stock", test.reaction, test.plant); got != test.want {
			t.Errorf("%s in %s is %s, want %s", test.reaction, test.plant, got, test.want)
		}
	}
	none := small(t, edit{plantPath, "roles:\n", "without: [cmms]\nroles:\n"})
	if system, ok := none.RoleSystem("cmms", "graz", time.Time{}); system != "" || !ok {
		t.Errorf("the plant is without cmms, and RoleSystem says %q, %t", system, ok)
	}
	if got := small(t).ReactionMode("lot-to-stock", "receive", "graz"); got != transaction.ModeLive {
		t.Errorf("where nothing is said it is %s", got)
	}
}

func TestAPlantSaysHowItCollects(t *testing.T) {
	collects := edit{planPath, "    closed-period: hold\n", "    closed-period: hold\n    collect: {until: [lot.released], count: 40, within: 8h}\n"}
	c, findings := Load(smallFS(t, collects, edit{plantPath, "roles:\n", "collect: {lot-to-stock/receive: {count: 5, within: 90m}}\nroles:\n"}))
	if c == nil {
		t.Fatal(findings)
	}
	terms, says := c.Collecting("lot-to-stock", "receive", "graz")
	want := transaction.Collecting{Count: 5, Within: 90 * time.Minute}
	if diff := cmp.Diff(want, terms); diff != "" || !says {
		t.Errorf("Graz says %t:\n%s", says, diff)
	}
	if _, says := c.Collecting("lot-to-stock", "status", "graz"); says {
		t.Error("Graz says nothing of the status")
	}
	off := small(t, collects, edit{plantPath, "roles:\n", "collect: {lot-to-stock/receive: {off: true}}\nroles:\n"})
	if terms, says := off.Collecting("lot-to-stock", "receive", "graz"); !says || terms.Count != 0 {
		t.Errorf("Graz collects nothing, and says %t, %+v", says, terms)
	}
	text := ""
	for _, x := range Diff(small(t), small(t, collects)) {
		text += x.String()
	}
	if want := "Reaction receive collects from now on"; !strings.Contains(text, want) {
		t.Errorf("nothing says %q:\n%s", want, text)
	}
}

// A mapping that reads the last event alone would leave the others out of the books.
func TestAMappingOfACommandThatCollectsReadsAllEvents(t *testing.T) {
	const field = "    closed-period: hold\n"
	collects := edit{planPath, field, field + "    collect: {until: [lot.released], count: 40, within: 8h}\n"}
	const want = planPath + ":10:5: error: the mapping of receive-goods in erp does not read this.events: of a bundle it would perform the last event alone"
	told := func(edits ...edit) bool {
		_, findings := Load(smallFS(t, edits...))
		return slices.ContainsFunc(findings, func(f Finding) bool { return strings.HasPrefix(f.String(), want) })
	}
	if !told(withERP(collects)...) {
		t.Error("a mapping that reads this.event alone is not told")
	}
	all := edit{"mappings/erp/receive-goods.yaml", "  root.body = {\n", "  root.body = {\n    \"reports\": this.events.map_each(e -> e.id),\n"}
	if told(withERP(collects, all)...) {
		t.Error("a mapping that reads this.events is told all the same")
	}
	if told(withERP()...) {
		t.Error("a reaction that does not collect is told")
	}
}
