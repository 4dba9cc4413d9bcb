package flow_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/internal/testpostgres"
	"github.com/gapless/gapless/ledger"
	"github.com/gapless/gapless/mapping"
)

// editable declares what may be edited of a weighing: the unit by a steward, and the
// amount by quality with the signature of an approver.
const editable = `
editable:
  - {field: unit, role: steward}
  - {field: amount, role: quality, second: approver}
`

// editing is a hub at which weighings can be edited.
func editing(t testing.TB, database string, faults func(string) error) *hub {
	t.Helper()
	return hubOn(t, flow.Config{Catalog: company(t, editableWeighing(t)), Ledger: ledger.Config{Database: database, Faults: faults}})
}

// editableWeighing is the mapping of a weighing that can be edited, with texts of it
// replaced: pairs of old and new.
func editableWeighing(t testing.TB, replaced ...string) map[string]string {
	t.Helper()
	const path = "mappings/graz-mes/weighing.yaml"
	text, err := os.ReadFile("testdata/company/" + path)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{path: strings.NewReplacer(replaced...).Replace(string(text)) + editable}
}

// doubled is a mapping of a weighing that takes the double of what was weighed.
func doubled(t testing.TB) map[string]string {
	t.Helper()
	return editableWeighing(t, "quantity(this.amount,", `quantity(this.amount.times("2"),`)
}

// onEditing runs a test at such a hub on each database.
func onEditing(t *testing.T, test func(t *testing.T, h *hub)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		test(t, editing(t, filepath.Join(t.TempDir(), "gapless.db"), nil))
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		test(t, editing(t, testpostgres.Database(t), nil))
	})
}

func person(name string, roles ...string) ledger.Principal {
	p := ledger.Principal{Name: name, Kind: ledger.PersonKind}
	for _, role := range roles {
		p.Grants = append(p.Grants, ledger.Grant{Role: role, Plant: "graz"})
	}
	return p
}

// The people of these tests.
var (
	stella = person("stella", ledger.Steward)
	quinn  = person("quinn", ledger.Quality)
	alma   = person("alma", ledger.Approver)
)

// weighed delivers a weighing of half a kilogram of a material without cross-reference.
func weighed(number, amount, unit string, more ...string) flow.Delivery {
	body := fmt.Sprintf(`{"number": %q, "at": "2026-03-02T08:00:00+01:00", "order": "1000123", "item": "CAP28", "amount": %q, "unit": %q%s}`, number, amount, unit, strings.Join(more, ""))
	return native("weighing", "application/json", body)
}

// edit is an edit of a weighing, signed as it is shown.
func (h *hub) edit(message string, by ledger.Principal, fields ...string) (flow.Answer, string, error) {
	h.t.Helper()
	e := flow.Edit{Message: message, By: by, Why: "the scale sends it so"}
	for i := 0; i < len(fields); i += 2 {
		e.Fields = append(e.Fields, flow.EditedField{Field: fields[i], Value: fields[i+1]})
	}
	shown, err := h.ShowEdit(h.t.Context(), e)
	if err != nil {
		return flow.Answer{}, "", err
	}
	e.Signed = shown.Digest
	return h.Flow.Edit(h.t.Context(), e)
}

// edited is edit that must go on record.
func (h *hub) edited(message string, by ledger.Principal, fields ...string) flow.Answer {
	h.t.Helper()
	a, _, err := h.edit(message, by, fields...)
	if err != nil {
		h.t.Fatal(err)
	}
	return a
}

// refusedEdit wants a reason, and a word of what is said.
func refusedEdit(t testing.TB, err error, reason *fault.Reason, word string) {
	t.Helper()
	if !errors.Is(err, reason) || !strings.Contains(err.Error(), word) {
		t.Errorf("%v; want %s with %q", err, reason.Code, word)
	}
}

func (h *hub) amount(number string) string {
	h.t.Helper()
	s := h.statement(weighingKey(number))
	return weight(&s)
}

// weight is what was weighed: "0.5 KGM".
func weight(s *ledger.StoredEvent) string {
	inputs, _ := s.Data["inputs"].([]any)
	first, _ := inputs[0].(doc)
	q, _ := first["quantity"].(doc)
	return fmt.Sprint(q["value"], " ", q["unit"])
}

func (h *hub) only(number string) ledger.Edit {
	h.t.Helper()
	all, err := h.Ledger().EditsOf(h.t.Context(), weighingKey(number))
	if err != nil || len(all) != 1 {
		h.t.Fatalf("%d edits of %s, %v; want 1", len(all), number, err)
	}
	return all[0]
}

func TestEditedContentIsAVersionBesideTheOneThatCame(t *testing.T) {
	onEditing(t, func(t *testing.T, h *hub) {
		came := h.one(weighed("W-1", "0.5", "Kilo"))
		h.becomes(came, "held code_unknown")
		a := h.edited(came.Message, stella, "unit", "kg")
		h.becomes(a, "recorded")
		if got := h.amount("W-1"); got != "0.5 KGM" {
			t.Errorf("it weighs %s", got)
		}
		if s := h.statement(weighingKey("W-1")); !s.Edited || s.CloudEvent()["edited"] != "true" || s.Message != a.Message {
			t.Errorf("the event does not say that it was edited: %+v", s.Event)
		}
		for id, unit := range map[string]string{came.Message: `"Kilo"`, a.Message: `"kg"`} {
			m, err := h.Ledger().Message(t.Context(), id, true)
			if err != nil || !strings.Contains(string(m.Body), `"unit":`+unit) {
				t.Errorf("%s is kept as %s, %v", id, m.Body, err)
			}
		}
		e := h.only("W-1")
		if e.State != ledger.EditMade || e.OriginalID() != came.Message || e.VersionID() != a.Message || e.Author.By != "stella" || e.Author.Roles[0] != ledger.Steward || e.Author.At.IsZero() {
			t.Errorf("on record is %+v", e)
		}
		want := []ledger.FieldChange{{Field: "unit", Before: "Kilo", After: "kg", Role: "steward"}}
		if diff := cmp.Diff(want, e.Changes); diff != "" {
			t.Error(diff)
		}
		acts, err := h.Ledger().ActsOn(t.Context(), a.Message)
		if err != nil || len(acts) != 1 || acts[0].Act != "message.edited" || acts[0].Principal != "stella" {
			t.Fatalf("acts: %+v, %v", acts, err)
		}
		c, ok := ledger.ParseChange(acts[0].Detail)
		if !ok || c.Before["unit"] != "Kilo" || c.After["unit"] != "kg" || c.Before["version"] != came.Message || c.Why == "" || c.Signatures[0].Digest != e.Digest {
			t.Errorf("the act says %s", acts[0].Detail)
		}
		h.verified()
	})
}

func TestTheSourceHasTheLastWordOnWhatWasEdited(t *testing.T) {
	onEditing(t, func(t *testing.T, h *hub) {
		came := h.one(weighed("W-1", "0.5", "Kilo"))
		h.edited(came.Message, stella, "unit", "kg")
		h.becomes(h.one(weighed("W-1", "0.5", "Kilo")), "duplicate") // the original again changes nothing
		h.becomes(h.one(weighed("W-1", "0.5", "kg")), "duplicate")   // nor what was edited
		if got := h.amount("W-1"); got != "0.5 KGM" {
			t.Errorf("it weighs %s", got)
		}
		// The message is never restated otherwise; what was edited is.
		h.becomes(h.one(weighed("W-1", "0.7", "kg")), "corrected")
		if s := h.statement(weighingKey("W-1")); s.Edited || h.amount("W-1") != "0.7 KGM" {
			t.Errorf("the source says 0.7 kg; %s, edited: %v", h.amount("W-1"), s.Edited)
		}
		h.becomes(h.one(weighed("W-1", "0.8", "kg")), "held identity_conflict")
		h.verified()
	})
}

func TestAnEditThatDoesNotGoOnChangesNothing(t *testing.T) {
	onEditing(t, func(t *testing.T, h *hub) {
		came := h.one(weighed("W-1", "0.5", "Kilo"))
		before := h.count()
		a := h.edited(came.Message, stella, "unit", "pounds")
		h.becomes(a, "refused code_unknown")
		comma := h.one(weighed("W-3", "0,5", "kg"))
		minus, id, err := h.edit(comma.Message, quinn, "amount", "-0.5") // nobody shall sign what breaks the contract
		if err != nil || id != "" {
			t.Errorf("proposed as %q, %v", id, err)
		}
		h.becomes(minus, "refused quantity_negative")
		unknown := h.one(native("weighing", "application/json", `{"number": "W-2", "at": "2026-03-02T08:00:00+01:00", "order": "1000123", "item": "NEW", "amount": "1", "unit": "Kilo"}`))
		a = h.edited(unknown.Message, stella, "unit", "kg")
		h.becomes(a, "refused identifier_unknown") // it would wait: its source sees it held as it came
		after := h.count()
		if before.Messages += 2; before.Messages != after.Messages || after.Held != 3 {
			t.Errorf("%+v, then %+v", before, after)
		}
		h.verified()
	})
}

func TestWhatIsNoEditIsRefused(t *testing.T) {
	h := editing(t, filepath.Join(t.TempDir(), "gapless.db"), nil)
	came := h.one(weighed("W-1", "0.5", "Kilo"))
	recorded := h.one(weighed("W-2", "0.5", "kg"))
	cloudy := h.says(cloud("graz-mes", "c1", "production.completed", "2026-03-02T08:00:00Z", doc{"order": "order/1"}))
	try := func(message string, by ledger.Principal, fields ...string) error {
		_, _, err := h.edit(message, by, fields...)
		return err
	}
	long := strings.Repeat("x", 5000)
	many := []string{}
	for i := range 21 {
		many = append(many, fmt.Sprintf("f%d", i), "x")
	}
	elsewhere := ledger.Principal{Name: "lisa", Kind: ledger.PersonKind, Grants: []ledger.Grant{{Role: ledger.Steward, Plant: "linz"}}}
	for name, x := range map[string]struct {
		err    error
		reason *fault.Reason
		word   string
	}{
		"a field that is not declared":      {try(came.Message, stella, "item", "CAP29"), fault.NotEditable, "item"},
		"a field that does not exist":       {try(came.Message, stella, "no.such", "x"), fault.NotEditable, "no.such"},
		"without the role of the field":     {try(came.Message, quinn, "unit", "kg"), fault.Forbidden, "editing unit needs the role steward at plant graz"},
		"of another plant":                  {try(came.Message, elsewhere, "unit", "kg"), fault.Forbidden, "steward"},
		"by a system":                       {try(came.Message, key("graz-mes"), "unit", "kg"), fault.Forbidden, "steward"},
		"that changes nothing":              {try(came.Message, stella, "unit", "Kilo"), fault.InvalidRequest, "nothing would be changed"},
		"of no field":                       {try(came.Message, stella), fault.InvalidRequest, "name the fields"},
		"of one field twice":                {try(came.Message, stella, "unit", "kg", "unit", "g"), fault.InvalidRequest, "twice"},
		"of too many fields":                {try(came.Message, stella, many...), fault.InvalidRequest, "21 fields"},
		"with too long a value":             {try(came.Message, stella, "unit", long), fault.LimitExceeded, "5000 bytes"},
		"of what is on record":              {try(recorded.Message, stella, "unit", "kg"), fault.DecidedAlready, "is not held"},
		"of what is not there":              {try(strings.Repeat("0", 32), stella, "unit", "kg"), fault.NotFound, ""},
		"of an event that was sent as such": {try(cloudy.Message, stella, "data.order", "order/2"), fault.NotEditable, "not mapped here"},
		"of a version that never was":       {try(came.Message+".2", stella, "unit", "kg"), fault.DecidedAlready, "not held"},
	} {
		t.Run(name, func(t *testing.T) { refusedEdit(t, x.err, x.reason, x.word) })
	}
	e := flow.Edit{Message: came.Message, By: stella, Fields: []flow.EditedField{{Field: "unit", Value: "kg"}}}
	_, err := h.ShowEdit(t.Context(), e)
	refusedEdit(t, err, fault.InvalidRequest, "say why")
	e.Why = "because"
	_, _, err = h.Flow.Edit(t.Context(), e)
	refusedEdit(t, err, fault.InvalidRequest, "look at the difference first")
	e.Signed = strings.Repeat("0", 64)
	_, _, err = h.Flow.Edit(t.Context(), e)
	refusedEdit(t, err, fault.DecidedAlready, "is not the digest")
	e.Fields[0].Value = true
	_, err = h.ShowEdit(t.Context(), e)
	refusedEdit(t, err, fault.InvalidRequest, "it is a text")
	// Other content comes before it is signed: what was shown is no longer what stands.
	e.Fields[0].Value = "kg"
	shown, err := h.ShowEdit(t.Context(), e)
	if err != nil {
		t.Fatal(err)
	}
	h.becomes(h.one(weighed("W-1", "0.6", "Kilo")), "held code_unknown")
	e.Signed = shown.Digest
	_, _, err = h.Flow.Edit(t.Context(), e)
	refusedEdit(t, err, fault.DecidedAlready, "later version, 2")
	h.verified()
}

func TestOfTwoWhoEditAtOnceOneWins(t *testing.T) {
	onEditing(t, func(t *testing.T, h *hub) {
		for round := range 5 {
			number := fmt.Sprint("W-", round)
			came := h.one(weighed(number, "0.5", "Kilo"))
			var won, told atomic.Int32
			var all sync.WaitGroup
			for _, unit := range []string{"kg", "Stk", "kg"} {
				all.Go(func() {
					a, _, err := h.edit(came.Message, stella, "unit", unit)
					switch {
					case err == nil && a.Outcome == ledger.Recorded:
						won.Add(1)
					case errors.Is(err, fault.DecidedAlready):
						told.Add(1)
					default:
						t.Errorf("%s: %s %v", unit, outcome(a), err)
					}
				})
			}
			all.Wait()
			if won.Load() != 1 || told.Load() != 2 {
				t.Errorf("%d went on record, %d were told", won.Load(), told.Load())
			}
			h.only(number)
		}
		h.verified()
	})
}

// A commit that dies, before or after it is synced, leaves the whole edit or nothing.
func TestAnEditSurvivesACommitThatDies(t *testing.T) {
	for _, step := range []string{"before begin", "before commit", "after commit"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			var dies atomic.Bool
			h := editing(t, filepath.Join(t.TempDir(), "gapless.db"), func(at string) error {
				if at == step && dies.CompareAndSwap(true, false) {
					return errors.New("the connection is gone")
				}
				return nil
			})
			came := h.one(weighed("W-1", "0.5", "Kilo"))
			dies.Store(true)
			h.becomes(h.edited(came.Message, stella, "unit", "kg"), "recorded") // tried again, or found to be on record
			if dies.Load() {
				t.Error("nothing died")
			}
			h.only("W-1")
			_, _, err := h.edit(came.Message, stella, "unit", "kg") // the answer was lost, and it is asked again
			refusedEdit(t, err, fault.DecidedAlready, "later version, 2")
			h.verified()
		})
	}
}

func TestAFieldOfTheRecordNeedsASecondPerson(t *testing.T) {
	onEditing(t, func(t *testing.T, h *hub) {
		came := h.one(weighed("W-1", "0,5", "kg"))
		h.becomes(came, "held quantity_invalid")
		a, id, err := h.edit(came.Message, quinn, "amount", "0.5")
		if err != nil || id == "" || a.Outcome != ledger.Held {
			t.Fatalf("%s %q %v", outcome(a), id, err)
		}
		_, _, err = h.edit(came.Message, quinn, "amount", "0.6")
		refusedEdit(t, err, fault.DecidedAlready, "waits for a second signature")
		_, shown, err := h.ShowProposed(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		both := person("quinn", ledger.Quality, ledger.Approver)
		_, err = h.SignEdit(t.Context(), id, both, shown.Digest)
		refusedEdit(t, err, fault.Forbidden, "somebody else has to sign")
		_, err = h.SignEdit(t.Context(), id, stella, shown.Digest)
		refusedEdit(t, err, fault.Forbidden, "needs the role approver at plant graz")
		_, err = h.SignEdit(t.Context(), id, key("graz-mes"), shown.Digest)
		refusedEdit(t, err, fault.Forbidden, "approver")
		_, err = h.SignEdit(t.Context(), id, alma, "0")
		refusedEdit(t, err, fault.DecidedAlready, "is not the digest")
		if h.count().Events != 0 {
			t.Error("an event is on record before it was signed")
		}
		answer, err := h.SignEdit(t.Context(), id, alma, shown.Digest)
		if err != nil {
			t.Fatal(err)
		}
		h.becomes(answer, "recorded")
		_, err = h.SignEdit(t.Context(), id, alma, shown.Digest)
		refusedEdit(t, err, fault.DecidedAlready, "no longer proposed")
		refusedEdit(t, h.RefuseEdit(t.Context(), id, alma, "no"), fault.DecidedAlready, "no longer proposed")
		e := h.only("W-1")
		if e.State != ledger.EditOpen || e.Author.By != "quinn" || e.Second == nil || e.Second.By != "alma" {
			t.Errorf("on record is %+v", e)
		}
		h.verified()
	})
}

func TestTheDifferenceStaysOpenUntilTheSourceSpeaks(t *testing.T) {
	for name, x := range map[string]struct {
		says    flow.Delivery
		becomes string
		state   string
	}{
		"the original again":       {weighed("W-1", "0,5", "kg"), "duplicate", ledger.EditOpen},
		"what was edited":          {weighed("W-1", "0.5", "kg"), "duplicate", ledger.EditAgreed},
		"what comes to the same":   {weighed("W-1", "0.5", "kg", `, "remark": "by hand"`), "corrected", ledger.EditAgreed},
		"something else":           {weighed("W-1", "0.6", "kg"), "corrected", ledger.EditReplaced},
		"something that is held":   {weighed("W-1", "0,6", "kg"), "held quantity_invalid", ledger.EditOpen},
		"the original, as a batch": {weighed("W-1", "0,5", "kg"), "duplicate", ledger.EditOpen},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEditing(t, func(t *testing.T, h *hub) {
				h.signed("W-1", "0,5", "0.5")
				h.becomes(h.one(x.says), x.becomes)
				if e := h.only("W-1"); e.State != x.state || e.Ended.IsZero() != (x.state == ledger.EditOpen) {
					t.Errorf("the difference is %s: %s", e.State, e.Resolution)
				}
				h.verified()
			})
		})
	}
}

// signed lets an amount be edited by two people.
func (h *hub) signed(number, was, is string) ledger.Edit {
	h.t.Helper()
	came := h.one(weighed(number, was, "kg"))
	_, id, err := h.edit(came.Message, quinn, "amount", is)
	if err != nil {
		h.t.Fatal(err)
	}
	_, shown, err := h.ShowProposed(h.t.Context(), id)
	if err != nil {
		h.t.Fatal(err)
	}
	a, err := h.SignEdit(h.t.Context(), id, alma, shown.Digest)
	if err != nil {
		h.t.Fatal(err)
	}
	h.becomes(a, "recorded")
	return h.only(number)
}

func TestWhatIsProposedCanBeRefused(t *testing.T) {
	onEditing(t, func(t *testing.T, h *hub) {
		came := h.one(weighed("W-1", "0,5", "kg"))
		_, id, err := h.edit(came.Message, quinn, "amount", "0.5")
		if err != nil {
			t.Fatal(err)
		}
		_, shown, _ := h.ShowProposed(t.Context(), id)
		refusedEdit(t, h.RefuseEdit(t.Context(), id, alma, ""), fault.InvalidRequest, "say why")
		refusedEdit(t, h.RefuseEdit(t.Context(), id, stella, "no"), fault.Forbidden, "approver")
		if err := h.RefuseEdit(t.Context(), id, alma, "the scale was not tared"); err != nil {
			t.Fatal(err)
		}
		_, err = h.SignEdit(t.Context(), id, alma, shown.Digest)
		refusedEdit(t, err, fault.DecidedAlready, "refused")
		if _, id, err = h.edit(came.Message, quinn, "amount", "0.4"); err != nil || id == "" {
			t.Errorf("after a refusal something else cannot be proposed: %v", err)
		}
		// The source is faster than the second signature.
		h.becomes(h.one(weighed("W-1", "0.45", "kg")), "recorded")
		_, shown, err = h.ShowProposed(t.Context(), id)
		refusedEdit(t, err, fault.DecidedAlready, "later version")
		_, err = h.SignEdit(t.Context(), id, alma, shown.Digest)
		refusedEdit(t, err, fault.DecidedAlready, "later version")
		open, err := h.Ledger().Edits(t.Context(), ledger.EditFilter{Open: true})
		if err != nil || len(open) != 0 {
			t.Errorf("%d edits are open, %v", len(open), err)
		}
		h.verified()
	})
}

// Whoever signs and whoever refuses at the same time: one of them is told.
func TestAnEditIsSignedOrRefusedNeverBoth(t *testing.T) {
	onEditing(t, func(t *testing.T, h *hub) {
		for round := range 10 {
			number := fmt.Sprint("W-", round)
			came := h.one(weighed(number, "0,5", "kg"))
			_, id, err := h.edit(came.Message, quinn, "amount", "0.5")
			if err != nil {
				t.Fatal(err)
			}
			_, shown, err := h.ShowProposed(t.Context(), id)
			if err != nil {
				t.Fatal(err)
			}
			var signed, refused error
			var both sync.WaitGroup
			both.Go(func() { _, signed = h.SignEdit(t.Context(), id, alma, shown.Digest) })
			both.Go(func() { refused = h.RefuseEdit(t.Context(), id, alma, "no") })
			both.Wait()
			if (signed == nil) == (refused == nil) || signed != nil && !errors.Is(signed, fault.DecidedAlready) || refused != nil && !errors.Is(refused, fault.DecidedAlready) {
				t.Fatalf("signed: %v; refused: %v", signed, refused)
			}
			want := ledger.EditOpen
			if refused == nil {
				want = ledger.EditRefused
			}
			if e := h.only(number); e.State != want {
				t.Errorf("the edit is %s, want %s", e.State, want)
			}
		}
		h.verified()
	})
}

func TestACorrectionIsAskedUntilTheSourceAnswers(t *testing.T) {
	for name, answers := range map[string]func(h *hub){
		"another version":       func(h *hub) { h.becomes(h.one(weighed("W-1", "0.7", "kg")), "recorded") },
		"a version that is bad": func(h *hub) { h.becomes(h.one(weighed("W-1", "0,7", "kg")), "held quantity_invalid") },
		"a person":              nil,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			onEditing(t, func(t *testing.T, h *hub) {
				came := h.one(weighed("W-1", "0,5", "kg"))
				c := h.ask(came.Message, time.Hour)
				_, err := h.Ledger().AskCorrection(t.Context(), c)
				refusedEdit(t, err, fault.DecidedAlready, "asked of graz-mes already")
				h.becomes(h.one(weighed("W-1", "0,5", "kg")), "held quantity_invalid") // the same again is no answer
				want := ledger.CorrectionAnswered
				if answers != nil {
					answers(h)
				} else {
					want = ledger.CorrectionEnded
					refusedEdit(t, h.Ledger().EndCorrection(t.Context(), "quinn", c.ID, " "), fault.InvalidRequest, "say why")
					if err := h.Ledger().EndCorrection(t.Context(), "quinn", c.ID, "the scale is gone"); err != nil {
						t.Fatal(err)
					}
					refusedEdit(t, h.Ledger().EndCorrection(t.Context(), "quinn", c.ID, "again"), fault.DecidedAlready, "no longer open")
				}
				c, err = h.Ledger().Correction(t.Context(), c.ID)
				if err != nil || c.State != want || c.Ended.IsZero() {
					t.Errorf("%+v, %v", c, err)
				}
				h.verified()
			})
		})
	}
}

// What a source says about another message of its own answers too.
func TestACorrectionOrAReversalOfTheStatementAnswers(t *testing.T) {
	onEditing(t, func(t *testing.T, h *hub) {
		for attribute, how := range map[string]string{"corrects": "the source has corrected it", "reverses": "the source has reversed it"} {
			made := func(id, quantity string, more ...doc) flow.Answer {
				return h.says(cloud("graz-mes", id, "production.completed", "2026-03-02T08:00:00Z", doc{
					"order": "order/" + attribute, "outputs": []any{doc{"role": "main", "material": "material/M-100", "quantity": doc{"value": quantity, "unit": "KGM"}}},
				}, more...))
			}
			came := made(attribute+"-1", "1")
			h.becomes(came, "recorded")
			c := h.ask(came.Message, time.Hour)
			h.becomes(made(attribute+"-2", "2", doc{attribute: attribute + "-1"}), "recorded")
			c, err := h.Ledger().Correction(t.Context(), c.ID)
			if err != nil || c.State != ledger.CorrectionAnswered || c.Resolution != how {
				t.Errorf("%s: %s, %q, %v", attribute, c.State, c.Resolution, err)
			}
		}
		h.verified()
	})
}

// What the source restates badly can be edited as well: then that stands, and the
// difference before it is over.
func TestWhatIsRestatedBadlyIsEditedAnew(t *testing.T) {
	onEditing(t, func(t *testing.T, h *hub) {
		first := h.signed("W-1", "0,5", "0.5")
		bad := h.one(weighed("W-1", "0,6", "kg"))
		h.becomes(bad, "held quantity_invalid")
		_, id, err := h.edit(bad.Message, quinn, "amount", "0.6")
		if err != nil {
			t.Fatal(err)
		}
		_, shown, err := h.ShowProposed(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		a, err := h.SignEdit(t.Context(), id, alma, shown.Digest)
		if err != nil {
			t.Fatal(err)
		}
		h.becomes(a, "corrected")
		if got := h.amount("W-1"); got != "0.6 KGM" {
			t.Errorf("it weighs %s", got)
		}
		for id, want := range map[string]string{first.ID: ledger.EditReplaced, id: ledger.EditOpen} {
			if e, err := h.Ledger().Edit(t.Context(), id); err != nil || e.State != want {
				t.Errorf("%s, %v; want %s", e.State, err, want)
			}
		}
		counts, err := h.Ledger().CountEdited(t.Context())
		if err != nil || len(counts) != 1 || counts[0].Events != 1 || counts[0].Open != 1 {
			t.Errorf("edited: %+v, %v", counts, err)
		}
		h.verified()
	})
}

// ask asks graz-mes to correct a weighing.
func (h *hub) ask(message string, within time.Duration) ledger.Correction {
	h.t.Helper()
	m, err := h.Ledger().Message(h.t.Context(), message, false)
	if err != nil {
		h.t.Fatal(err)
	}
	c, err := h.Ledger().AskCorrection(h.t.Context(), ledger.Correction{
		Message: m.Key(), Version: m.Version, Plant: m.Plant, System: m.System, Name: m.Name, SourceID: m.ID,
		What: "the amount with a point", AskedOf: "graz-mes", AskedBy: "quinn", Due: h.clock().Add(within),
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return c
}

// What is on record and never restated otherwise is restated when it was asked for.
func TestWhatWasAskedForTheSourceMayRestate(t *testing.T) {
	onEditing(t, func(_ *testing.T, h *hub) {
		came := h.one(weighed("W-1", "0.5", "kg"))
		h.becomes(h.one(weighed("W-2", "0.5", "kg")), "recorded")
		h.ask(came.Message, time.Hour)
		h.becomes(h.one(weighed("W-1", "0.7", "kg")), "corrected")
		h.becomes(h.one(weighed("W-2", "0.7", "kg")), "held identity_conflict")
		h.verified()
	})
}

func TestACorrectionThatIsLateIsRaisedAndEndsByItself(t *testing.T) {
	onEditing(t, func(t *testing.T, h *hub) {
		came := h.one(weighed("W-1", "0,5", "kg"))
		second := h.one(weighed("W-2", "0,5", "kg"))
		answered, ended := h.ask(came.Message, 300*time.Millisecond), h.ask(second.Message, 300*time.Millisecond)
		late := func() []ledger.Exception {
			all, err := h.Ledger().Held(t.Context(), ledger.HeldFilter{Reason: "correction_overdue"})
			if err != nil {
				t.Fatal(err)
			}
			return all
		}
		deadline := time.After(20 * time.Second)
		for len(late()) != 2 {
			moved := time.NewTimer(20 * time.Millisecond)
			select {
			case <-moved.C:
			case <-deadline:
				t.Fatalf("%d corrections are raised as late", len(late()))
			}
		}
		x := late()[0]
		if x.System != "graz-mes" || x.Name != "weighing" || !strings.Contains(x.Detail, "the amount with a point") || !x.Late() {
			t.Errorf("raised is %+v", x)
		}
		h.verified()
		h.becomes(h.one(weighed("W-1", "0.5", "kg")), "recorded")
		if err := h.Ledger().EndCorrection(t.Context(), "quinn", ended.ID, "the scale is gone"); err != nil {
			t.Fatal(err)
		}
		if all := late(); len(all) != 0 {
			t.Errorf("still late: %+v", all)
		}
		for id, state := range map[string]string{answered.ID: ledger.CorrectionAnswered, ended.ID: ledger.CorrectionEnded} {
			if c, err := h.Ledger().Correction(t.Context(), id); err != nil || c.State != state {
				t.Errorf("%s, %v, want %s", c.State, err, state)
			}
		}
		h.verified()
	})
}

func TestTheRolesThatEditAreRolesOfPeople(t *testing.T) {
	if diff := cmp.Diff(slices.Sorted(slices.Values(ledger.EditField.Roles)), slices.Sorted(slices.Values(mapping.EditRoles()))); diff != "" {
		t.Error(diff)
	}
}

func TestANumberStaysANumberWhenItIsEdited(t *testing.T) {
	record := doc{"lines": []any{doc{"amount": json.Number("1")}}, "a.b": "x", "on": true}
	for field, x := range map[string]struct {
		value, want any
	}{
		"lines.0.amount": {"2.5", json.Number("2.5")}, "a.b": {"y", "y"}, "on": {"false", false}, "lines.0.unit": {"kg", "kg"},
	} {
		edited, _, err := mapping.Edit(record, field, x.value)
		if err != nil {
			t.Fatal(err)
		}
		_, got, _ := mapping.Edit(edited, field, x.value)
		if got != x.want {
			t.Errorf("%s is %v, want %v", field, got, x.want)
		}
	}
	for field, value := range map[string]any{"lines.1.amount": "1", "lines.x": "1", "lines.0.amount": "one", "lines": "x", "no.such": "x", "on": "perhaps"} {
		if _, _, err := mapping.Edit(record, field, value); !errors.Is(err, fault.InvalidRequest) {
			t.Errorf("%s = %v: %v", field, value, err)
		}
	}
}
