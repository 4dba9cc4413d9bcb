package api

import (
	"net/http"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gapless/gapless/ledger"
)

// Each act, by a person with each role, at the plant and at another one. What is sent is
// refused for its content where the person may do it: then nothing changes for the next.
func TestWhoMayDoWhatAboutAnException(t *testing.T) {
	h, _ := filled(t)
	id := h.get("graz.operator", "/v1/exceptions/search?reason=unit_unknown").at("exceptions/0/message")
	group := h.get("graz.operator", "/v1/exceptions/groups").at("groups/0/group")
	on := func(act, body string) func(as string) reply {
		return func(as string) reply { return h.act(as, id, act, body) }
	}
	get := func(path string) func(as string) reply {
		return func(as string) reply { return h.get(as, path) }
	}
	bulk := func(what string) func(as string) reply { // of which there can be none: the first -1
		return func(as string) reply {
			return h.post(as, "/v1/bulk", jsonType, `{"what":"`+what+`","group":"`+group+`","first":-1,"to":"nobody"}`)
		}
	}
	acts := []struct {
		need *ledger.Permission
		name string
		do   func(as string) reply
	}{
		{ledger.See, "see", get("/v1/exceptions/" + id)},
		{ledger.SeeRaw, "see raw", get("/v1/exceptions/" + id + "?raw=true")},
		{ledger.SeeRaw, "see raw message", get("/v1/messages/" + id + "?raw=true")},
		{ledger.Comment, "comment", on("comment", `{"text":""}`)},
		{ledger.Assign, "assign", on("assign", `{"to":"santa"}`)},
		{ledger.Snooze, "snooze", on("snooze", `{}`)},
		{ledger.Snooze, "wake", on("wake", `{}`)},
		{ledger.Resume, "resume", on("resume", `{}`)},
		{ledger.Resume, "retry", func(as string) reply { return h.post(as, "/v1/held/"+id+"/retry", jsonType, "") }},
		{ledger.Resume, "group: resume", bulk("resume")},
		{ledger.Assign, "group: assign", bulk("assign")},
		{ledger.Snooze, "group: wake", bulk("wake")},
		{ledger.Waive, "group: waive", bulk("waive")},
		{ledger.Replays, "group: replay", func(as string) reply {
			return h.post(as, "/v1/replays", jsonType, `{"plant":"graz","message":"nothing-of-the-kind"}`)
		}},
		{ledger.Waive, "waive", on("waive", `{}`)},
		{ledger.EditField, "edit", on("edit", `{"fields":[],"why":""}`)},
		{ledger.Correct, "correct", on("correct", `{"what":"","due":""}`)},
	}
	for _, role := range []string{ledger.Viewer, ledger.Operator, ledger.Quality, ledger.Steward, ledger.Approver, ledger.Admin} {
		for _, plant := range []string{"graz", "linz", ""} {
			name := role + "." + plant + "x"
			grant := ledger.Grant{Role: role, Plant: plant}
			if err := h.flow.Ledger().CreatePerson(t.Context(), "test", name, password, []ledger.Grant{grant}); err != nil {
				t.Fatal(err)
			}
			who := ledger.Principal{Name: name, Kind: ledger.PersonKind, Grants: []ledger.Grant{grant}}
			for _, act := range acts {
				r := act.do(name)
				may, hidden := who.Can(act.need, "graz"), plant == "linz"
				refused := r.status == http.StatusForbidden || r.status == http.StatusNotFound
				switch {
				case refused == may:
					t.Errorf("%s at %q, %s: %d %s", role, plant, act.name, r.status, r.text)
				case hidden && !strings.HasPrefix(act.name, "group: ") && r.status != http.StatusNotFound:
					t.Errorf("%s of another plant, %s: %d; it does not exist for them", role, act.name, r.status)
				case !may && !hidden && (!strings.Contains(r.text, "needs the role") || !strings.Contains(r.text, "at plant graz")):
					t.Errorf("%s, %s: the refusal does not say which role is missing where: %s", role, act.name, r.text)
				}
			}
		}
	}
	for _, act := range acts[3:] {
		if r := act.do("graz-mes"); r.status != http.StatusForbidden {
			t.Errorf("a system, %s: %d %s", act.name, r.status, r.text)
		}
	}
}

func TestThePermissionsAreAsTheyAreAgreed(t *testing.T) {
	want := map[string]string{
		"seeing": "viewer", "seeing raw content": "quality steward", "commenting on an exception": "operator quality", "assigning an exception": "operator quality",
		"snoozing an exception": "operator quality", "resuming": "operator quality", "stating what became of a command": "operator quality", "waiving": "operator quality",
		"editing a held message": "operator quality steward approver", "asking for a correction at source": "operator quality steward", "replaying": "steward",
		"approving what somebody else prepared": "approver",
	}
	for _, p := range ledger.Permissions() {
		if got := strings.Join(p.Roles, " "); got != want[p.Name] {
			t.Errorf("%s: %q, agreed is %q", p.Name, got, want[p.Name])
		}
		delete(want, p.Name)
	}
	if len(want) > 0 {
		t.Errorf("nobody may: %v", want)
	}
	var page strings.Builder
	if err := ledger.WritePermissions(&page); err != nil {
		t.Fatal(err)
	}
	if current, err := os.ReadFile("../docs/permissions.md"); err != nil || string(current) != page.String() {
		t.Errorf("docs/permissions.md is not current (%v): run `make docs`", err)
	}
}

// A signature is made with the password, now: a key never signs, and what the hub
// remembers of a password does not either.
func TestASignatureIsMadeByAPersonNow(t *testing.T) {
	h, _ := filled(t)
	id := h.get("graz.operator", "/v1/exceptions/search?reason=unit_unknown").at("exceptions/0/message")
	if err := h.flow.Ledger().SetPassword(t.Context(), "test", "graz.operator", "another correct horse battery"); err != nil {
		t.Fatal(err)
	}
	if r := h.act("graz.operator", id, "comment", `{"text":"the old password is remembered"}`); r.status != http.StatusOK {
		t.Fatalf("%d %s", r.status, r.text)
	}
	if r := h.act("graz.operator", id, "waive", `{"why":"a trial"}`); r.status != http.StatusUnauthorized {
		t.Errorf("signed with an old password: %d %s", r.status, r.text)
	}
	acts, err := h.flow.Ledger().ActsOn(t.Context(), id)
	if err != nil || slices.ContainsFunc(acts, func(a ledger.Act) bool { return a.Act == "exception.waived" }) {
		t.Errorf("it was waived; %v", err)
	}
}

// Each signature is an attempt at the password until it has succeeded: those that are made at
// once by one person must not lock the account.
func TestManySignaturesAtOnceAreNotTooManyAttempts(t *testing.T) {
	h, _ := filled(t)
	id := h.get("graz.operator", "/v1/exceptions/search?reason=unit_unknown").at("exceptions/0/message")
	answers := make(chan reply, 12)
	for range cap(answers) {
		go func() { answers <- h.act("graz.operator", id, "waive", `{"why":""}`) }()
	}
	for range cap(answers) {
		if r := <-answers; r.status != http.StatusBadRequest {
			t.Errorf("%d %s", r.status, r.text)
		}
	}
}
