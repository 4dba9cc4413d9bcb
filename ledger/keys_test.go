package ledger

import (
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gapless/gapless/fault"
)

// clock is a clock that stands until it is moved.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func newClock() *clock { return &clock{at: base} }

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) move(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
}

const goodPassword = "seven blue kettles sing"

// Who has read a key before it was revoked does not bring it back afterwards.
func TestAKeyThatIsRevokedWhileItIsReadIsNotRemembered(t *testing.T) {
	a := newAccess()
	_, _, forgot := a.known("k", base)
	a.forgetKeys()
	a.keep("k", cachedKey{read: base}, forgot)
	if _, ok, _ := a.known("k", base); ok {
		t.Error("what was read before it was revoked is remembered")
	}
	_, _, forgot = a.known("k", base)
	a.keep("k", cachedKey{read: base}, forgot)
	if _, ok, _ := a.known("k", base.Add(keyCache-1)); !ok {
		t.Error("what was read is not remembered")
	}
}

func TestAKeySpeaksForItsSystemUntilItIsRevokedOrExpires(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		c := newClock()
		l := open(t, dsn, Config{Clock: c.now})
		ctx := t.Context()
		key, id, err := l.CreateSystemKey(ctx, "anna", "graz-mes", c.now().Add(time.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(key, "gpl_"+id+"_") || len(key) != len("gpl_")+16+1+52 {
			t.Errorf("key %q has not the form gpl_<id>_<secret>", key)
		}
		second, secondID, err := l.CreateSystemKey(ctx, "anna", "graz-mes", time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		want := Principal{Name: "system/graz-mes", Kind: SystemKind, System: "graz-mes"}
		for _, k := range []string{key, second, key} {
			p, err := l.Authenticate(ctx, k)
			if diff := cmp.Diff(want, p); diff != "" || err != nil {
				t.Fatalf("Authenticate: %v\n%s", err, diff)
			}
		}
		if err := l.RevokeKey(ctx, "anna", secondID); err != nil {
			t.Fatal(err)
		}
		refused(t, l, second)
		if _, err := l.Authenticate(ctx, key); err != nil {
			t.Errorf("the other key ended with it: %v", err)
		}
		c.move(time.Hour)
		refused(t, l, key)

		keys, err := l.Keys(ctx)
		if err != nil || len(keys) != 2 || keys[0].ID != id || keys[1].Revoked.IsZero() || !keys[0].Revoked.IsZero() || !keys[0].Expires.Equal(c.now()) {
			t.Errorf("Keys = %+v, %v", keys, err)
		}
	})
}

// refused expects the one fault that tells nothing.
func refused(t *testing.T, l *Ledger, key string) {
	t.Helper()
	_, err := l.Authenticate(t.Context(), key)
	if !errors.Is(err, fault.Unauthenticated) || err.Error() != "ledger.Authenticate: no valid key" {
		t.Errorf("Authenticate = %v, want the one text for all causes", err)
	}
}

func TestWhateverIsWrongWithAKeyTheFaultIsTheSame(t *testing.T) {
	l := open(t, databases(t)["sqlite"], Config{})
	key, id, err := l.CreateSystemKey(t.Context(), "anna", "mes", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := l.CreateSystemKey(t.Context(), "anna", "mes", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	secret := strings.Split(other, "_")[2]
	for name, wrong := range map[string]string{
		"empty": "", "not of us": "ghp_abc", "no secret": "gpl_" + id + "_", "unknown id": "gpl_aaaaaaaaaaaaaaaa_" + secret,
		"another key's secret": "gpl_" + id + "_" + secret, "one letter more": key + "a", "one letter less": key[:len(key)-1],
		"capitals": strings.ToUpper(key), "a part more": key + "_", "blank": " " + key,
	} {
		t.Run(name, func(t *testing.T) { refused(t, l, wrong) })
	}
}

func TestARevocationOnAnotherNodeWorksWithinFiveSeconds(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		c := newClock()
		here, there := open(t, dsn, Config{Clock: c.now}), open(t, dsn, Config{Clock: c.now})
		key, id, err := here.CreateSystemKey(t.Context(), "anna", "mes", time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := there.Authenticate(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		if err := here.RevokeKey(t.Context(), "anna", id); err != nil {
			t.Fatal(err)
		}
		refused(t, here, key)
		c.move(keyCache)
		refused(t, there, key)
	})
}

func TestNoSecretIsStoredOrOnRecord(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		l := open(t, dsn, Config{})
		key, id, err := l.CreateSystemKey(t.Context(), "anna", "mes", time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		if err := l.CreatePerson(t.Context(), "anna", "ben", goodPassword, nil); err != nil {
			t.Fatal(err)
		}
		if err := l.SetPassword(t.Context(), "ben", "ben", goodPassword+"!"); err != nil {
			t.Fatal(err)
		}
		var acts []string
		for _, query := range []string{
			"select plant || principal || act || subject || detail from acts order by recorded", "select id || principal || hash from keys",
			"select name || kind || system || password || roles from principals",
		} {
			err := l.each(t.Context(), query, nil, func(r Row) error {
				var text string
				err := r.Scan(&text)
				if strings.Contains(text, strings.Split(key, "_")[2]) || strings.Contains(text, goodPassword) {
					t.Errorf("a secret stands in %q", text)
				}
				acts = append(acts, text)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		for i, want := range []string{"annakey.createdkey/" + id, "annaperson.createdperson/ben", "benperson.password-setperson/ben"} {
			if !strings.HasPrefix(acts[i], want) {
				t.Errorf("act %d = %q, want %q", i, acts[i], want)
			}
		}
	})
}

func TestAPersonLogsInWithThePasswordOfNow(t *testing.T) {
	onBoth(t, func(t *testing.T, dsn string) {
		c := newClock()
		l := open(t, dsn, Config{Clock: c.now})
		ctx := t.Context()
		grants := []Grant{{Quality, "graz"}, {Operator, ""}, {Quality, "graz"}}
		if err := l.CreatePerson(ctx, "anna", "ben", goodPassword, grants); err != nil {
			t.Fatal(err)
		}
		want := Principal{Name: "ben", Kind: PersonKind, Grants: []Grant{{Operator, ""}, {Quality, "graz"}}}
		p, err := l.Login(ctx, "ben", goodPassword)
		if diff := cmp.Diff(want, p); diff != "" || err != nil {
			t.Fatalf("Login: %v\n%s", err, diff)
		}
		if err := l.CreatePerson(ctx, "anna", "ben", goodPassword, nil); !errors.Is(err, fault.InvalidRequest) {
			t.Errorf("a second account of the name: %v", err)
		}
		if err := l.SetPassword(ctx, "ben", "ben", "another long password"); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Login(ctx, "ben", goodPassword); !errors.Is(err, fault.Unauthenticated) {
			t.Errorf("the old password: %v", err)
		}
		if _, err := l.Login(ctx, "ben", "another long password"); err != nil {
			t.Errorf("the new password: %v", err)
		}
		if err := l.SetGrants(ctx, "anna", "ben", []Grant{{Viewer, ""}}); err != nil {
			t.Fatal(err)
		}
		if p, err := l.Person(ctx, "ben"); err != nil || p.May(Operator, "graz") || !p.May(Viewer, "graz") {
			t.Errorf("Person = %+v, %v", p, err)
		}
		if err := l.Disable(ctx, "anna", "ben"); err != nil {
			t.Fatal(err)
		}
		if _, err := l.Login(ctx, "ben", "another long password"); !errors.Is(err, fault.Unauthenticated) {
			t.Errorf("a disabled account: %v", err)
		}
		if _, err := l.Person(ctx, "ben"); !errors.Is(err, fault.Unauthenticated) {
			t.Errorf("a disabled account's session: %v", err)
		}
		people, err := l.People(ctx)
		if err != nil || len(people) != 1 || people[0].Disabled.IsZero() || !cmp.Equal(people[0].Grants, []Grant{{Viewer, ""}}) {
			t.Errorf("People = %+v, %v", people, err)
		}
	})
}

func TestDisablingASystemEndsAllItsKeys(t *testing.T) {
	l := open(t, databases(t)["sqlite"], Config{})
	first, _, err := l.CreateSystemKey(t.Context(), "anna", "mes", time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Authenticate(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	if err := l.Disable(t.Context(), "anna", "system/mes"); err != nil {
		t.Fatal(err)
	}
	refused(t, l, first)
}

func TestTooManyAttemptsWaitAlsoForNamesThatDoNotExist(t *testing.T) {
	for _, name := range []string{"ben", "nobody"} {
		t.Run(name, func(t *testing.T) {
			c := newClock()
			l := open(t, databases(t)["sqlite"], Config{Clock: c.now})
			if err := l.CreatePerson(t.Context(), "anna", "ben", goodPassword, nil); err != nil {
				t.Fatal(err)
			}
			for range loginAttempts {
				if _, err := l.Login(t.Context(), name, "wrong"); !errors.Is(err, fault.Unauthenticated) {
					t.Fatalf("Login = %v", err)
				}
			}
			if _, err := l.Login(t.Context(), name, goodPassword); !errors.Is(err, fault.RateLimited) {
				t.Errorf("Login after %d failures = %v", loginAttempts, err)
			}
			c.move(loginWindow)
			if _, err := l.Login(t.Context(), name, goodPassword); errors.Is(err, fault.RateLimited) || name == "ben" && err != nil {
				t.Errorf("Login after the window = %v", err)
			}
		})
	}
}

func TestAnUnknownNameCostsTheSameHash(t *testing.T) {
	l := open(t, databases(t)["sqlite"], Config{})
	if err := l.CreatePerson(t.Context(), "anna", "ben", goodPassword, nil); err != nil {
		t.Fatal(err)
	}
	fastest := func(name string) time.Duration {
		best := time.Hour
		for range 4 {
			start := time.Now()
			if _, err := l.Login(t.Context(), name, "wrong"); !errors.Is(err, fault.Unauthenticated) {
				t.Fatal(err)
			}
			best = min(best, time.Since(start))
		}
		return best
	}
	if known, unknown := fastest("ben"), fastest("nobody"); unknown < known/2 {
		t.Errorf("a known name takes %s, an unknown one %s", known, unknown)
	}
}

func TestNamesRolesAndPasswordsAreChecked(t *testing.T) {
	l := open(t, databases(t)["sqlite"], Config{})
	ctx := t.Context()
	key := func(system string, expires time.Time) error {
		_, _, err := l.CreateSystemKey(ctx, "anna", system, expires)
		return err
	}
	for name, test := range map[string]struct {
		err    error
		reason *fault.Reason
		field  string
	}{
		"a system with capitals":         {key("MES", time.Time{}), fault.InvalidRequest, "system"},
		"a system with a slash":          {key("a/b", time.Time{}), fault.InvalidRequest, "system"},
		"a key that has expired":         {key("mes", time.Unix(1, 0)), fault.InvalidRequest, "expires"},
		"a person without a name":        {l.CreatePerson(ctx, "anna", "", goodPassword, nil), fault.InvalidRequest, "name"},
		"a person with a line break":     {l.CreatePerson(ctx, "anna", "a\nb", goodPassword, nil), fault.InvalidRequest, "name"},
		"a short password":               {l.CreatePerson(ctx, "anna", "ben", "fourteen chars", nil), fault.InvalidRequest, "password"},
		"an unknown role":                {l.CreatePerson(ctx, "anna", "ben", goodPassword, []Grant{{"root", ""}}), fault.InvalidRequest, "role"},
		"a role at no plant":             {l.CreatePerson(ctx, "anna", "ben", goodPassword, []Grant{{Viewer, "Graz"}}), fault.InvalidRequest, "plant"},
		"grants of nobody":               {l.SetGrants(ctx, "anna", "ghost", nil), fault.NotFound, "person"},
		"grants of a system":             {l.SetGrants(ctx, "anna", "system/mes", nil), fault.NotFound, "person"},
		"a password of nobody":           {l.SetPassword(ctx, "anna", "ghost", goodPassword), fault.NotFound, "person"},
		"a revocation of an unknown key": {l.RevokeKey(ctx, "anna", "ghost"), fault.NotFound, "key"},
		"the end of nobody":              {l.Disable(ctx, "anna", "ghost"), fault.NotFound, "principal"},
	} {
		t.Run(name, func(t *testing.T) {
			if f := fault.Of(test.err); f == nil || f.Reason != test.reason || f.Field != test.field {
				t.Errorf("error = %v, want %s on %s", test.err, test.reason, test.field)
			}
		})
	}
}

func TestRolesIncludeWhatTheTableSays(t *testing.T) {
	all := []string{Viewer, Operator, Quality, Steward, Approver, Admin}
	included := map[string][]string{
		Viewer: {Viewer}, Operator: {Operator, Viewer}, Quality: {Quality, Viewer}, Steward: {Steward, Operator, Viewer},
		Approver: {Approver, Viewer}, Admin: {Admin, Viewer},
	}
	for granted, may := range included {
		for _, role := range all {
			want := false
			for _, m := range may {
				want = want || m == role
			}
			here := Principal{Kind: PersonKind, Grants: []Grant{{granted, "graz"}}}
			everywhere := Principal{Kind: PersonKind, Grants: []Grant{{granted, ""}}}
			system := Principal{Kind: SystemKind, Grants: []Grant{{granted, ""}}}
			got := []bool{here.May(role, "graz"), here.May(role, "linz"), here.May(role, ""), everywhere.May(role, "linz"), everywhere.May(role, ""), system.May(role, "graz")}
			if diff := cmp.Diff([]bool{want, false, false, want, want, false}, got); diff != "" {
				t.Errorf("%s granted, %s asked (at the plant, elsewhere, the hub; for all plants elsewhere, the hub; a system):\n%s", granted, role, diff)
			}
		}
	}
}
