package flow_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/internal/testpostgres"
	"github.com/gapless/gapless/ledger"
)

// replaying is a hub that follows, and whose catalog changes.
type replaying struct {
	*following
	cfg flow.Config
}

func newReplaying(t testing.TB, dsn string) *replaying {
	t.Helper()
	x := &replaying{following: &following{erp: &books{}, wms: &books{}}}
	x.cfg = flow.Config{
		Ledger:  ledger.Config{Database: dsn, Clock: clock()},
		Systems: map[string]flow.Follower{"erp": findable(x.erp), "graz-wms": findable(x.wms)},
	}
	for name, f := range x.cfg.Systems {
		f.Timeout = time.Second // whoever is stopped in the middle of an attempt is not waited for long
		x.cfg.Systems[name] = f
	}
	x.start(t, nil)
	x.says(material("m1", "FREE", "material/M-9", ""))
	return x
}

func (x *replaying) start(t testing.TB, changed map[string]string) {
	t.Helper()
	files := map[string]string{"plans/lot-to-stock.yaml": lotPlan, "systems/graz-wms.yaml": "system: graz-wms\ntitle: Warehouse\nroles: [wms]\nplants: [graz]\n"}
	maps.Copy(files, changed)
	x.cfg.Catalog = company(t, files)
	x.hub = hubOn(t, x.cfg)
}

// under starts the hub anew with some files of its catalog changed.
func (x *replaying) under(changed map[string]string) {
	x.t.Helper()
	x.stop()
	x.start(x.t, changed)
}

// shiftRow is a row of the shift report with a lot and two rejected parts.
func shiftRow(order, good string) flow.Delivery {
	return native("shift-report", "application/json", fmt.Sprintf(`{"day":"2026-03-02","shift":"1","machine":"M1","order":%q,"item":"FREE","total":"10","good":%q,"bad":"2","reason":"KR","lot":%q}`, order, good, "L"+order))
}

// proposed waits for the dry run of a choice.
func (x *replaying) proposed(c ledger.Choice) ledger.Replay {
	x.t.Helper()
	c.Plant = "graz"
	p, err := x.ProposeReplay(x.t.Context(), anna.Name, &c, "the mapping counted wrong")
	if err != nil {
		x.t.Fatal(err)
	}
	if p.ID == "" {
		x.t.Fatalf("nothing is chosen: %+v", p)
	}
	x.over(p.ID, ledger.ReplayProposed)
	return x.replay(p.ID)
}

func (x *replaying) replay(id string) ledger.Replay {
	x.t.Helper()
	r, err := x.Ledger().Replay(x.t.Context(), id)
	if err != nil {
		x.t.Fatal(err)
	}
	return r
}

// run runs a replay to its end.
func (x *replaying) run(id string) ledger.Bulk {
	x.t.Helper()
	if _, err := x.RunReplay(x.t.Context(), anna.Name, id, ""); err != nil {
		x.t.Fatal(err)
	}
	return x.over(id, ledger.BulkDone)
}

// members are all members of a replay.
func (x *replaying) members(id string) []ledger.ReplayMember {
	x.t.Helper()
	all, err := x.Ledger().ReplayMembers(x.t.Context(), id, "", 0, 1000)
	if err != nil {
		x.t.Fatal(err)
	}
	return all
}

// figures are those of a dry run, in words.
func (x *replaying) figures(id string) []string {
	x.t.Helper()
	all, err := x.Ledger().ReplayFigures(x.t.Context(), id, ledger.FigureKey{}, 100)
	if err != nil {
		x.t.Fatal(err)
	}
	var lines []string
	for _, f := range all {
		lines = append(lines, fmt.Sprintf("%s %s %s: %s -> %s %s", f.Measure, f.Material, f.Order, f.Before, f.After, f.Unit))
	}
	return lines
}

// commands are those of a dry run, in words.
func (x *replaying) commands(id string) []string {
	x.t.Helper()
	all, err := x.Ledger().ReplayCommands(x.t.Context(), id)
	if err != nil {
		x.t.Fatal(err)
	}
	var lines []string
	for _, c := range all {
		lines = append(lines, strings.Join(strings.Fields(fmt.Sprintf("%s %d %s %s %s %s", c.Effect, c.Steps, c.Kind, c.System, c.Command, c.Status)), " "))
	}
	return lines
}

// moved is everything that a replay must not move where nothing is to be moved.
func (x *replaying) moved() string {
	x.t.Helper()
	n := x.count()
	return fmt.Sprint(n.Messages, " messages, ", n.Events, " events, ", n.Held, " held, ", x.produced("H87"), x.erp.lines(), x.wms.lines())
}

// inDozens is the catalog with a mapping that takes what was made to be counted in dozens.
func inDozens(t testing.TB) map[string]string {
	files := shiftReport(t, `quantity(this.good, "H87")`, `quantity(this.good, "DZN")`)
	for path, text := range files {
		files[path] = strings.NewReplacer(`quantity(this.total, "H87")`, `quantity(this.total, "DZN")`, `quantity(this.bad.or("0"), "H87")`, `quantity(this.bad.or("0"), "DZN")`).Replace(text)
	}
	return files
}

func TestAReplayShowsWhatWouldChangeAndThenDoesThat(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { replays(t, filepath.Join(t.TempDir(), "gapless.db")) })
	t.Run("postgres", func(t *testing.T) { replays(t, testpostgres.Database(t)) })
}

func replays(t *testing.T, dsn string) {
	x := newReplaying(t, dsn)
	for i := 1; i <= 3; i++ {
		x.becomes(x.one(shiftRow(fmt.Sprint(i), "8")), "recorded")
	}
	x.becomes(x.says(lotMade("e1", "4711", "100")), "recorded")
	x.quiet()
	if got := x.erp.lines(); len(got) != 4 {
		t.Fatalf("the ERP has %v", got)
	}
	x.under(inDozens(t))
	before := x.moved()
	r := x.proposed(ledger.Choice{System: "graz-mes"})
	if diff := cmp.Diff(map[ledger.ReplayResult]int64{ledger.ReplayCorrected: 3, ledger.ReplayUnchanged: 1}, r.Found); diff != "" {
		t.Error(diff)
	}
	want := []string{"good material/M-9 order/1: 8 -> 96 H87", "good material/M-9 order/2: 8 -> 96 H87", "good material/M-9 order/3: 8 -> 96 H87"}
	if diff := cmp.Diff(want, x.figures(r.ID)); diff != "" {
		t.Error(diff)
	}
	want = []string{"sends 3 amend erp correct-receipt due", "stands 4 erp receive-goods applied"}
	if diff := cmp.Diff(want, x.commands(r.ID)); diff != "" {
		t.Error(diff)
	}
	m := x.members(r.ID)[0]
	slot := ledger.ReplaySlot{Change: "changed", Event: m.Detail.Slots[0].Event, Type: "production.completed", Slot: "output", Subject: "order/1", Fields: []ledger.ReplayField{
		{Field: "gross/unit", Before: "H87", After: "DZN"}, {Field: "outputs/0/quantity/unit", Before: "H87", After: "DZN"}, {Field: "rejected/unit", Before: "H87", After: "DZN"},
	}}
	if diff := cmp.Diff([]ledger.ReplaySlot{slot}, m.Detail.Slots); diff != "" || m.Detail.Unchanged != 1 || m.Name != "shift-report" {
		t.Errorf("%+v\n%s", m, diff)
	}
	if after := x.moved(); after != before {
		t.Errorf("a dry run has moved something:\n%s\n%s", before, after)
	}
	done := x.run(r.ID)
	x.quiet()
	if diff := cmp.Diff(map[ledger.BulkOutcome]int64{ledger.BulkCorrected: 3, ledger.BulkUnchanged: 1}, done.Outcomes); diff != "" {
		t.Error(diff)
	}
	if got := x.erp.lines(); len(got) != 7 || got[4][:15] != "correct-receipt" {
		t.Errorf("the ERP has %v", got)
	}
	all, err := x.Ledger().EventsOfMessage(t.Context(), m.Key)
	if err != nil || len(all) != 2 {
		t.Fatalf("%+v, %v", all, err)
	}
	for _, e := range all {
		if corrected := e.Slot == "output"; corrected != (e.Change == event.Correction) || corrected != (e.Revision == x.Catalog().Digest()) {
			t.Errorf("%s is %q under %.12s", e.Slot, e.Change, e.Revision)
		}
	}
	acts, err := x.Ledger().ActsOn(t.Context(), m.ID())
	if err != nil || len(acts) != 1 || acts[0].Act != "message.replayed" || acts[0].Principal != "anna" || !strings.Contains(acts[0].Detail, r.ID+": the mapping counted wrong") {
		t.Errorf("%+v, %v", acts, err)
	}
	x.postedOnce()
	x.verified()
}

func TestWhatASlotMayBecome(t *testing.T) {
	x := newReplaying(t, filepath.Join(t.TempDir(), "gapless.db"))
	x.becomes(x.one(shiftRow("1", "8")), "recorded")
	x.quiet()
	k := rowKey("2026-03-02", "1")
	slots := func() map[string]event.Change {
		all, err := x.Ledger().EventsOfMessage(t.Context(), k)
		if err != nil {
			t.Fatal(err)
		}
		stand := map[string]event.Change{}
		for _, e := range all {
			stand[e.Slot] = e.Change
		}
		return stand
	}
	// Scrap is split: the slot that was is gone, and another is new.
	x.under(shiftReport(t, "slot: scrap/{reason}", "slot: rejects/{reason}"))
	r := x.proposed(ledger.Choice{Outdated: true})
	if d := x.members(r.ID)[0].Detail; r.Found[ledger.ReplayCorrected] != 1 || len(d.Slots) != 2 || d.Slots[0].Change != "new" || d.Slots[1].Change != "gone" || d.Unchanged != 1 {
		t.Fatalf("%+v", d)
	}
	x.run(r.ID)
	if diff := cmp.Diff(map[string]event.Change{"output": event.First, "scrap/scratch": event.Reversal, "rejects/scratch": event.First}, slots()); diff != "" {
		t.Error(diff)
	}
	// And back: it comes again.
	x.under(nil)
	x.run(x.proposed(ledger.Choice{Keys: []string{"order/1"}}).ID)
	if diff := cmp.Diff(map[string]event.Change{"output": event.First, "scrap/scratch": event.Correction, "rejects/scratch": event.Reversal}, slots()); diff != "" {
		t.Error(diff)
	}
	if got := x.erp.lines(); len(got) != 1 {
		t.Errorf("nothing was to be sent: %v", got)
	}
	x.verified()
}

func TestWhatCannotBeMadeAnyMoreIsHeldAndWhatStandsStays(t *testing.T) {
	x := newReplaying(t, filepath.Join(t.TempDir(), "gapless.db"))
	x.becomes(x.one(shiftRow("1", "8")), "recorded")
	x.quiet()
	before := x.produced("H87")
	list := "list: scrap-reason\ntitle: Why goods are scrap\nextends: standard\nlocal:\n  graz-mes: {FL: stain}\n"
	x.under(map[string]string{"codes/scrap-reason.yaml": list})
	r := x.proposed(ledger.Choice{Message: "shift-report"})
	if m := x.members(r.ID)[0]; m.Result != ledger.ReplayHeld || !strings.Contains(m.Found, "KR") {
		t.Errorf("%+v", m)
	}
	if done := x.run(r.ID); done.Outcomes[ledger.BulkHeld] != 1 {
		t.Errorf("%+v", done)
	}
	if n := x.count(); n.Held != 1 || x.produced("H87") != before {
		t.Errorf("%+v, %v", n, x.produced("H87"))
	}
	x.verified()
	again := x.proposed(ledger.Choice{Message: "shift-report"})
	if again.Found[ledger.ReplayStillHeld] != 1 {
		t.Errorf("%+v", again.Found)
	}
	x.under(nil) // what is missing is there again: it goes on by itself, and states what stands
	x.goesOn(rowKey("2026-03-02", "1"))
	if n := x.count(); n.Held != 0 || x.produced("H87") != before {
		t.Errorf("%+v, %v", n, x.produced("H87"))
	}
	x.verified()
}

func TestWhatAReplayHoldsStatesNothingOverOthersWhenItGoesOn(t *testing.T) {
	x := newReplaying(t, filepath.Join(t.TempDir(), "gapless.db"))
	x.becomes(x.one(shiftRow("1", "8")), "recorded")
	x.becomes(x.one(shiftRow("2", "8")), "recorded")
	x.becomes(x.says(lotMade("e1", "4711", "100")), "recorded")
	x.becomes(x.says(lotMade("e2", "4711", "90", corrects("e1"))), "recorded")
	x.quiet()
	before := x.moved()
	// No plant begins so late: everything before is held by a replay.
	plant, err := os.ReadFile("testdata/company/plants/graz.yaml")
	if err != nil {
		t.Fatal(err)
	}
	late := strings.NewReplacer("2026-01-01T00:00:00+01:00", "2026-05-01T00:00:00+02:00").Replace(string(plant))
	x.under(map[string]string{"plants/graz.yaml": late})
	r := x.proposed(ledger.Choice{System: "graz-mes"})
	if r.Found[ledger.ReplayHeld] != 4 {
		t.Fatalf("%+v: %+v", r.Found, x.members(r.ID))
	}
	if done := x.run(r.ID); done.Outcomes[ledger.BulkHeld] != 4 {
		t.Fatalf("%+v", done)
	}
	x.verified()
	given := event.StatementID(rowKey("2026-03-02", "2"), 1)
	if err := x.Ledger().WaiveMessage(t.Context(), "anna", given, "it is right as it stands"); err != nil {
		t.Fatal(err)
	}
	if waived, err := x.Ledger().CountWaived(t.Context()); err != nil || len(waived) != 0 {
		t.Errorf("its events stand, and figures are told to leave it out: %+v, %v", waived, err)
	}
	x.under(nil)
	for _, key := range []string{rowKey("2026-03-02", "1"), messageKey("graz-mes", "e1"), messageKey("graz-mes", "e2")} {
		x.becomes(x.retried(key), "corrected")
	}
	x.quiet()
	if after := x.moved(); after != before {
		t.Errorf("something has moved:\n%s\n%s", before, after)
	}
	again := x.proposed(ledger.Choice{System: "graz-mes"})
	if diff := cmp.Diff(map[ledger.ReplayResult]int64{ledger.ReplayUnchanged: 3, ledger.ReplayWaived: 1}, again.Found); diff != "" {
		t.Error(diff)
	}
	x.verified()
}

func TestAReplayIsRefusedThatWouldNotBeWhatWasShown(t *testing.T) {
	x := newReplaying(t, filepath.Join(t.TempDir(), "gapless.db"))
	x.becomes(x.one(shiftRow("1", "8")), "recorded")
	x.under(inDozens(t))
	r := x.proposed(ledger.Choice{Message: "shift-report"})
	x.under(nil)
	if _, err := x.RunReplay(t.Context(), "anna", r.ID, ""); !errors.Is(err, fault.DecidedAlready) || fault.Of(err).Field != "revision" {
		t.Errorf("under another catalog: %v", err)
	}
	// The hub is killed between the dry run and the run: that is on record.
	x.under(inDozens(t))
	if done := x.run(r.ID); done.Outcomes[ledger.BulkCorrected] != 1 {
		t.Errorf("%+v", done)
	}
	if _, err := x.RunReplay(t.Context(), "anna", r.ID, ""); !errors.Is(err, fault.DecidedAlready) {
		t.Errorf("run twice: %v", err)
	}
	if _, err := x.MoveBulk(t.Context(), "anna", r.ID, ledger.BulkCancelled, ""); !errors.Is(err, fault.DecidedAlready) {
		t.Errorf("cancelled though it is done: %v", err)
	}
	old := x.proposed(ledger.Choice{Message: "shift-report"})
	now := x.clock
	x.cfg.Ledger.Clock = func() time.Time { return now().Add(25 * time.Hour) }
	x.under(inDozens(t))
	if _, err := x.RunReplay(t.Context(), "anna", old.ID, ""); !errors.Is(err, fault.DecidedAlready) || fault.Of(err).Field != "proposed" {
		t.Errorf("a day later: %v", err)
	}
	if _, err := x.MoveBulk(t.Context(), "anna", old.ID, ledger.BulkCancelled, ""); err != nil {
		t.Error(err)
	}
	x.verified()
}

func TestWhatHasChangedSinceTheDryRunIsLeftAlone(t *testing.T) {
	x := newReplaying(t, filepath.Join(t.TempDir(), "gapless.db"))
	for i := 1; i <= 4; i++ {
		x.becomes(x.one(shiftRow(fmt.Sprint(i), "8")), "recorded")
	}
	x.under(inDozens(t))
	first, second := x.proposed(ledger.Choice{Keys: []string{"order/1", "order/2", "order/3"}}), x.proposed(ledger.Choice{Keys: []string{"order/2"}})
	x.becomes(x.one(shiftRow("1", "7")), "corrected") // another version
	x.run(second.ID)
	if err := x.Ledger().Erase(t.Context(), "anna", rowKey("2026-03-02", "3"), "asked for"); err != nil {
		t.Fatal(err)
	}
	done := x.run(first.ID)
	if diff := cmp.Diff(map[ledger.BulkOutcome]int64{ledger.BulkMovedOn: 2, ledger.BulkFailed: 1}, done.Outcomes); diff != "" {
		t.Errorf("%s\n%+v", diff, x.members(first.ID))
	}
	// What is erased is said before, and is no member.
	p, err := x.ProposeReplay(t.Context(), "anna", &ledger.Choice{Plant: "graz", Keys: []string{"order/3"}}, "")
	if err != nil || p.ID != "" || len(p.Erased) != 1 || p.Erased[0].Key != rowKey("2026-03-02", "3") {
		t.Errorf("%+v, %v", p, err)
	}
	r := x.proposed(ledger.Choice{Message: "shift-report"})
	if erased, err := x.Ledger().ReplayErased(t.Context(), r.ID, 0, 10); err != nil || r.Erased != 1 || len(erased) != 1 || r.Members != 3 {
		t.Errorf("%+v, %v, %v", r, erased, err)
	}
	x.verified()
}

func TestWhatAnotherMessageHasAmendedSinceStays(t *testing.T) {
	x := newReplaying(t, filepath.Join(t.TempDir(), "gapless.db"))
	x.becomes(x.says(lotMade("e1", "4711", "100")), "recorded")
	x.becomes(x.says(lotMade("e2", "4711", "90", corrects("e1"))), "recorded")
	x.becomes(x.says(lotMade("e3", "4712", "50")), "recorded")
	x.becomes(x.says(lotMade("e4", "4712", "50", reverses("e3"))), "recorded")
	x.becomes(x.says(lotMade("e5", "4713", "50")), "recorded")
	x.becomes(x.says(lotMade("e6", "4713", "60", corrects("e5"))), "recorded")
	x.becomes(x.says(lotMade("e7", "4713", "70", corrects("e6"))), "recorded")
	x.quiet()
	before := x.moved()
	r := x.proposed(ledger.Choice{System: "graz-mes"})
	if diff := cmp.Diff(map[ledger.ReplayResult]int64{ledger.ReplayUnchanged: 7}, r.Found); diff != "" {
		t.Errorf("%s\n%+v", diff, x.members(r.ID))
	}
	x.run(r.ID)
	x.quiet()
	if after := x.moved(); after != before {
		t.Errorf("something has moved:\n%s\n%s", before, after)
	}
	x.verified()
}

func TestWhatWasEditedIsReplayedAsItWasEdited(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) { replaysEdited(t, filepath.Join(t.TempDir(), "gapless.db")) })
	t.Run("postgres", func(t *testing.T) { replaysEdited(t, testpostgres.Database(t)) })
}

func replaysEdited(t *testing.T, dsn string) {
	x := newReplaying(t, dsn)
	x.under(editableWeighing(t))
	signed := x.signed("W-1", "0,5", "0.5")
	x.becomes(x.edited(x.one(weighed("W-2", "0.5", "Kilo")).Message, stella, "unit", "kg"), "recorded")
	made := x.only("W-2")
	replays := func(slots string, want map[ledger.ReplayResult]int64) {
		t.Helper()
		r := x.proposed(ledger.Choice{Message: "weighing"})
		if diff := cmp.Diff(want, r.Found); diff != "" {
			t.Errorf("%s\n%+v", diff, x.members(r.ID))
		}
		x.run(r.ID)
		for number, e := range map[string]ledger.Edit{"W-1": signed, "W-2": made} {
			x.standsEdited(number, &e, slots)
		}
		x.verified()
	}
	replays("consumed 0.5 KGM", map[ledger.ReplayResult]int64{ledger.ReplayUnchanged: 2})
	if n := x.count(); n.Events != 3 {
		t.Errorf("a replay that changes nothing leaves %d events", n.Events)
	}
	x.under(doubled(t))
	replays("correction of consumed 1 KGM", map[ledger.ReplayResult]int64{ledger.ReplayCorrected: 2})
	x.becomes(x.one(weighed("W-1", "0,5", "kg")), "duplicate") // the original says nothing new
	x.under(editableWeighing(t, "slot: consumed", "slot: used"))
	replays("reversal of consumed 1 KGM, used 0.5 KGM", map[ledger.ReplayResult]int64{ledger.ReplayCorrected: 2})
	x.becomes(x.one(weighed("W-1", "0.5", "kg")), "duplicate")
	if e := x.only("W-1"); e.State != ledger.EditAgreed {
		t.Errorf("its source says the same, and the difference is %s", e.State)
	}
	x.verified()
}

// standsEdited checks that a weighing stands by its edit, which is as it was, and by the
// statements told.
func (x *replaying) standsEdited(number string, was *ledger.Edit, want string) {
	x.t.Helper()
	if diff := cmp.Diff(*was, x.only(number)); diff != "" {
		x.t.Errorf("the edit of %s has moved: %s", number, diff)
	}
	all, err := x.Ledger().EventsOfMessage(x.t.Context(), weighingKey(number))
	if err != nil {
		x.t.Fatal(err)
	}
	var slots []string
	for i := range all {
		e := &all[i]
		if !e.Edited || e.Message != was.VersionID() {
			x.t.Errorf("the statement of slot %s of %s is of %s, edited: %t", e.Slot, number, e.Message, e.Edited)
		}
		slot := e.Slot + " " + weight(e)
		if e.Change != event.First {
			slot = string(e.Change) + " of " + slot
		}
		slots = append(slots, slot)
	}
	slices.Sort(slots)
	if got := strings.Join(slots, ", "); got != want {
		x.t.Errorf("%s stands as %s, want %s", number, got, want)
	}
}

func TestAboveTheLimitASecondPersonApproves(t *testing.T) {
	limited := map[string]string{"catalog.yaml": "catalog: company\ntitle: A company\nextends: standard\nreplay: {approve-above: 1}\n"}
	x := newReplaying(t, filepath.Join(t.TempDir(), "gapless.db"))
	x.becomes(x.one(shiftRow("1", "8")), "recorded")
	x.becomes(x.one(shiftRow("2", "8")), "recorded")
	files := inDozens(t)
	maps.Copy(files, limited)
	x.under(files)
	few := x.proposed(ledger.Choice{Keys: []string{"order/1"}})
	if _, err := x.ApproveReplay(t.Context(), "otto", few.ID, ""); few.Approval || !errors.Is(err, fault.InvalidRequest) {
		t.Errorf("%+v, %v", few, err)
	}
	r := x.proposed(ledger.Choice{Message: "shift-report"})
	if _, err := x.RunReplay(t.Context(), "anna", r.ID, ""); !r.Approval || !errors.Is(err, fault.Forbidden) {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := x.ApproveReplay(t.Context(), "anna", r.ID, ""); !errors.Is(err, fault.Forbidden) {
		t.Errorf("by the one who proposed it: %v", err)
	}
	if a, err := x.ApproveReplay(t.Context(), "otto", r.ID, "looked at ten of them"); err != nil || a.State != ledger.ReplayApproved || a.Approver != "otto" {
		t.Errorf("%+v, %v", a, err)
	}
	if _, err := x.ApproveReplay(t.Context(), "otto", r.ID, ""); !errors.Is(err, fault.DecidedAlready) {
		t.Errorf("approved twice: %v", err)
	}
	if done := x.run(r.ID); done.Outcomes[ledger.BulkCorrected] != 2 {
		t.Errorf("%+v", done)
	}
	acts, err := x.Ledger().ActsOn(t.Context(), "bulk/"+r.ID)
	var names []string
	for _, a := range acts {
		names = append(names, a.Principal+" "+a.Act)
	}
	want := []string{"anna replay.begun", "hub@node replay.examined", "hub@node replay.proposed", "otto replay.approved", "anna replay.running", "hub@node bulk.done"}
	if diff := cmp.Diff(want, names); diff != "" || err != nil {
		t.Error(diff, err)
	}
	x.verified()
}

func TestWhatIsChosen(t *testing.T) {
	x := newReplaying(t, filepath.Join(t.TempDir(), "gapless.db"))
	x.becomes(x.one(shiftRow("1", "8")), "recorded")
	then := x.Ledger().Now()
	x.becomes(x.one(shiftRow("2", "8")), "recorded")
	a := x.says(unknownUnit(1))
	x.becomes(a, "held unit_unknown")
	revision := x.Catalog().Digest()
	x.under(inDozens(t))
	at := func(text string) time.Time { d, _ := time.Parse(time.RFC3339, text); return d }
	for _, c := range []struct {
		name string
		ledger.Choice
		want int
	}{
		{"everything", ledger.Choice{}, 4},
		{"of a system", ledger.Choice{System: "erp"}, 1},
		{"of a message", ledger.Choice{Message: "shift-report"}, 2},
		{"of a type", ledger.Choice{Type: "scrap.declared"}, 2},
		{"of an order", ledger.Choice{Keys: []string{"order/2"}}, 1},
		{"held, of a lot", ledger.Choice{Keys: []string{"lot/M-100/1"}}, 1},
		{"of a material, from a system that did not send it", ledger.Choice{Keys: []string{"material/M-9"}, System: "qms"}, 0},
		{"of two orders", ledger.Choice{Keys: []string{"order/1", "order/2"}, Message: "shift-report"}, 2},
		{"by the id of the message", ledger.Choice{Keys: []string{a.Message}}, 1},
		{"recorded before", ledger.Choice{RecordedTo: then}, 2},
		{"recorded behind", ledger.Choice{RecordedFrom: then}, 2},
		{"recorded later", ledger.Choice{RecordedFrom: x.Ledger().Now().Add(time.Hour)}, 0},
		{"occurred on a day", ledger.Choice{OccurredFrom: at("2026-03-02T00:00:00Z"), OccurredTo: at("2026-03-03T00:00:00Z")}, 2},
		{"by a revision", ledger.Choice{Revision: revision[:12]}, 3},
		{"by another mapping", ledger.Choice{Outdated: true}, 2},
		{"by another mapping, of another message", ledger.Choice{Outdated: true, Message: "weighing"}, 0},
	} {
		c.Plant = "graz"
		chosen, err := x.ProposeReplay(t.Context(), "anna", &c.Choice, "")
		if err != nil || int(chosen.Members) != c.want || (chosen.ID == "") != (c.want == 0) {
			t.Errorf("%s: %d, want %d (%v)", c.name, chosen.Members, c.want, err)
		}
	}
	for field, c := range map[string]ledger.Choice{
		"plant": {}, "system": {Plant: "graz", System: "santa"}, "keys": {Plant: "graz", Keys: []string{"no id"}},
		"recorded_to": {Plant: "graz", RecordedFrom: then, RecordedTo: then}, "occurred_to": {Plant: "graz", OccurredFrom: then, OccurredTo: then},
	} {
		if _, err := x.ProposeReplay(t.Context(), "anna", &c, ""); !errors.Is(err, fault.InvalidRequest) || fault.Of(err).Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}
