package ledger

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gapless/gapless/fault"
)

// The two kinds of principals. A system speaks for one system, with a key; a
// person logs in with a password and has roles.
const (
	SystemKind = "system"
	PersonKind = "person"
)

// The roles, and what each includes besides itself:
//
//	role      may                                                    includes
//	viewer    see messages' facts, events, exceptions and reports
//	operator  decide about what does not go on                       viewer
//	quality   the same, and see raw content                          viewer
//	steward   master data, code lists, mappings, replays             operator, viewer
//	approver  approve what another one prepared: releases, replays   viewer
//	admin     keys, accounts and roles                               viewer
//
// What exactly, Permissions says.
//
// An admin has none of the business roles by being one: who hands out a role has
// to hand it to himself first, and that is on record.
const (
	Viewer   = "viewer"
	Operator = "operator"
	Quality  = "quality"
	Steward  = "steward"
	Approver = "approver"
	Admin    = "admin"
)

// includes are the roles that a role stands for.
func includes(role string) []string {
	switch role {
	case Viewer:
		return []string{Viewer}
	case Operator, Quality, Approver, Admin:
		return []string{role, Viewer}
	case Steward:
		return []string{Steward, Operator, Viewer}
	default:
		return nil
	}
}

// Grant is a role at one plant, or at all of them where Plant is "".
type Grant struct {
	Role  string `json:"role"`
	Plant string `json:"plant"`
}

// Principal is who acts: a system or a person.
type Principal struct {
	Name   string // "system/graz-mes", "anna.maier"
	Kind   string // SystemKind or PersonKind
	System string // the system that it speaks for; "" for a person
	Grants []Grant
}

// May tells whether the principal has a role at a plant. Plant "" means the hub
// as a whole, for which only a grant for all plants will do. Systems have no roles.
func (p Principal) May(role, plant string) bool {
	return p.Kind == PersonKind && slices.ContainsFunc(p.Grants, func(g Grant) bool {
		return (g.Plant == "" || g.Plant == plant) && slices.Contains(includes(g.Role), role)
	})
}

// KeyInfo is what is known of a key; its secret is not.
type KeyInfo struct {
	ID        string
	Principal string
	System    string
	Created   time.Time
	Expires   time.Time // zero: never
	Revoked   time.Time // zero: not
}

// PersonInfo is what is known of an account.
type PersonInfo struct {
	Name     string
	Grants   []Grant
	Created  time.Time
	Disabled time.Time // zero: not
}

// keyCache is how long a key that was read is believed. A revocation, made on
// whatever node, works after that time at the latest.
const keyCache = 5 * time.Second

// access is what is kept in memory about keys and passwords.
type access struct {
	mu       sync.Mutex
	keys     map[string]cachedKey // by key id; only of keys that exist
	forgot   int                  // how often all keys were forgotten
	attempts map[string]attempts  // by name: see Login
	hashing  chan struct{}        // bounds the memory that password hashing takes
}

func newAccess() access {
	return access{keys: map[string]cachedKey{}, attempts: map[string]attempts{}, hashing: make(chan struct{}, 2)}
}

// cachedKey is a key as it stood in the database when it was read.
type cachedKey struct {
	hash      []byte
	expires   time.Time
	dead      bool // revoked, or its principal disabled
	principal Principal
	read      time.Time
}

// forgetKeys makes this node read keys anew.
func (a *access) forgetKeys() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.keys)
	a.forgot++
}

// known is a key that was read lately, and the state of the memory, to be given to keep.
func (a *access) known(id string, now time.Time) (k cachedKey, ok bool, forgot int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	k, ok = a.keys[id]
	age := now.Sub(k.read)
	return k, ok && age >= 0 && age < keyCache, a.forgot
}

// keep remembers a key that was read, unless all were forgotten meanwhile: then it may
// have been revoked behind the read.
func (a *access) keep(id string, k cachedKey, forgot int) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.forgot == forgot {
		a.keys[id] = k
	}
}

// name is the form of the names of systems, plants and accounts: small letters
// only, so that no two look the same.
var name = regexp.MustCompile(`^[a-z0-9][a-z0-9._@-]{0,127}$`)

func checkName(field, text string) error {
	if name.MatchString(text) {
		return nil
	}
	return fault.New("ledger.principals", fault.InvalidRequest, field,
		"%.130q is no name: use small letters, digits and . _ @ -, 1 to 128 of them, a letter or digit first", text)
}

// base32Text writes random bytes with small letters and digits 2 to 7.
var base32Text = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// keyID is the form of the ids of keys.
var keyID = regexp.MustCompile(`^[a-z2-7]{1,32}$`)

func randomText(bytes int) string {
	b := make([]byte, bytes)
	_, _ = rand.Read(b) // never fails: it ends the process instead
	return base32Text.EncodeToString(b)
}

// hashKey is what is stored of a key's secret. The secret has 256 random bits, so
// that nobody can try them all: a fast hash is enough, where a password needs a
// slow one.
func hashKey(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// CreateSystemKey makes a key with which a system speaks for itself, and the
// system's principal with the first one. A system may have several keys, so that
// one can be exchanged without a pause. expires zero means never. The key is
// "gpl_<id>_<secret>"; it is shown this once and cannot be read back.
func (l *Ledger) CreateSystemKey(ctx context.Context, by, system string, expires time.Time) (key, id string, err error) {
	if err := checkName("system", system); err != nil {
		return "", "", err
	}
	if !expires.IsZero() && !expires.After(l.Now()) {
		return "", "", fault.New("ledger.CreateSystemKey", fault.InvalidRequest, "expires", "%s is past", expires.UTC().Format(time.RFC3339))
	}
	id, secret, principal := randomText(10), randomText(32), "system/"+system
	a := Act{Principal: by, Act: "key.created", Subject: "key/" + id, Detail: "for " + principal}
	err = l.act(ctx, a, func(ctx context.Context, s *session, at time.Time) error {
		if err := s.exec(ctx, `insert into principals (name, kind, system, password, roles, created, disabled)
			values ($1, 'system', $2, '', '[]', $3, 0) on conflict (name) do nothing`, principal, system, micros(at)); err != nil {
			return err
		}
		return s.exec(ctx, "insert into keys (id, principal, hash, created, expires, revoked) values ($1, $2, $3, $4, $5, 0)",
			id, principal, hex.EncodeToString(hashKey(secret)), micros(at), micros(expires))
	})
	if err != nil {
		return "", "", err
	}
	return "gpl_" + id + "_" + secret, id, nil
}

// RevokeKey ends a key: at once on this node, within five seconds on others.
func (l *Ledger) RevokeKey(ctx context.Context, by, id string) error {
	defer l.access.forgetKeys()
	return l.act(ctx, Act{Principal: by, Act: "key.revoked", Subject: "key/" + id}, func(ctx context.Context, s *session, at time.Time) error {
		if err := mustExist(ctx, s, "select 1 from keys where id = $1", "key", id); err != nil {
			return err
		}
		return s.exec(ctx, "update keys set revoked = $1 where id = $2 and revoked = 0", micros(at), id)
	})
}

// Keys lists all keys, also those that have ended, oldest first.
func (l *Ledger) Keys(ctx context.Context) ([]KeyInfo, error) {
	var all []KeyInfo
	err := l.each(ctx, `select k.id, k.principal, p.system, k.created, k.expires, k.revoked from keys k
		join principals p on p.name = k.principal order by k.created, k.id`, nil, func(r Row) error {
		var k KeyInfo
		var created, expires, revoked int64
		err := r.Scan(&k.ID, &k.Principal, &k.System, &created, &expires, &revoked)
		k.Created, k.Expires, k.Revoked = fromMicros(created), fromMicros(expires), fromMicros(revoked)
		all = append(all, k)
		return err
	})
	return all, err
}

// Authenticate finds who holds a key. Whatever is wrong with it, the fault is the
// same Unauthenticated, so that it tells nobody which keys exist.
func (l *Ledger) Authenticate(ctx context.Context, key string) (Principal, error) {
	part := strings.Split(key, "_")
	if len(part) != 3 || part[0] != "gpl" || !keyID.MatchString(part[1]) || part[2] == "" {
		return Principal{}, unauthenticated("ledger.Authenticate")
	}
	known, err := l.key(ctx, part[1])
	if err != nil {
		return Principal{}, fault.Wrap("ledger.Authenticate", fault.Unavailable, "", err)
	}
	same := subtle.ConstantTimeCompare(known.hash, hashKey(part[2])) == 1
	if !same || known.dead || !known.expires.IsZero() && !l.Now().Before(known.expires) {
		return Principal{}, unauthenticated("ledger.Authenticate")
	}
	return known.principal, nil
}

func unauthenticated(op string) error {
	return &fault.Fault{Op: op, Reason: fault.Unauthenticated}
}

// key reads a key, or remembers it. One that does not exist has no hash.
func (l *Ledger) key(ctx context.Context, id string) (cachedKey, error) {
	now := l.Now()
	known, ok, forgot := l.access.known(id, now)
	if ok {
		return known, nil
	}
	known = cachedKey{read: now}
	err := l.each(ctx, `select k.hash, k.expires, k.revoked, p.disabled, p.name, p.kind, p.system from keys k
		join principals p on p.name = k.principal where k.id = $1`, []any{id}, func(r Row) error {
		var hash string
		var expires, revoked, disabled int64
		if err := r.Scan(&hash, &expires, &revoked, &disabled, &known.principal.Name, &known.principal.Kind, &known.principal.System); err != nil {
			return err
		}
		known.expires, known.dead = fromMicros(expires), revoked != 0 || disabled != 0
		var err error
		known.hash, err = hex.DecodeString(hash)
		return err
	})
	if err != nil || known.hash == nil {
		return cachedKey{}, err
	}
	l.access.keep(id, known, forgot)
	return known, nil
}

// CreatePerson makes an account. The password has 15 to 1,024 characters, as NIST
// SP 800-63B-4 asks where nothing else is asked for.
func (l *Ledger) CreatePerson(ctx context.Context, by, name, password string, grants []Grant) error {
	if err := checkName("name", name); err != nil {
		return err
	}
	roles, err := rolesText(grants)
	if err != nil {
		return err
	}
	hash, err := l.newPassword(ctx, password)
	if err != nil {
		return err
	}
	a := Act{Principal: by, Act: "person.created", Subject: "person/" + name, Detail: roles}
	return l.act(ctx, a, func(ctx context.Context, s *session, at time.Time) error {
		taken := false
		if err := s.each(ctx, "select 1 from principals where name = $1", []any{name}, func(Row) error { taken = true; return nil }); err != nil {
			return err
		}
		if taken {
			return fault.New("ledger.CreatePerson", fault.InvalidRequest, "name", "%s has an account already", name)
		}
		return s.exec(ctx, "insert into principals (name, kind, system, password, roles, created, disabled) values ($1, 'person', '', $2, $3, $4, 0)",
			name, hash, roles, micros(at))
	})
}

// rolesText is a list of grants as a column, sorted and without repetition.
func rolesText(grants []Grant) (string, error) {
	all := slices.Clone(grants)
	for _, g := range all {
		if includes(g.Role) == nil {
			return "", fault.New("ledger.principals", fault.InvalidRequest, "role", "%.60q is no role: viewer, operator, quality, steward, approver or admin", g.Role)
		}
		if g.Plant != "" {
			if err := checkName("plant", g.Plant); err != nil {
				return "", err
			}
		}
	}
	slices.SortFunc(all, func(a, b Grant) int { return strings.Compare(a.Plant+" "+a.Role, b.Plant+" "+b.Role) })
	all = slices.Compact(all)
	if all == nil {
		all = []Grant{}
	}
	b, err := json.Marshal(all)
	return string(b), err
}

// SetGrants gives a person these roles instead of those before.
func (l *Ledger) SetGrants(ctx context.Context, by, name string, grants []Grant) error {
	roles, err := rolesText(grants)
	if err != nil {
		return err
	}
	a := Act{Principal: by, Act: "person.granted", Subject: "person/" + name, Detail: roles}
	return l.updatePerson(ctx, a, name, "update principals set roles = $1 where name = $2", roles)
}

// SetPassword gives a person another password.
func (l *Ledger) SetPassword(ctx context.Context, by, name, password string) error {
	hash, err := l.newPassword(ctx, password)
	if err != nil {
		return err
	}
	a := Act{Principal: by, Act: "person.password-set", Subject: "person/" + name}
	return l.updatePerson(ctx, a, name, "update principals set password = $1 where name = $2", hash)
}

func (l *Ledger) updatePerson(ctx context.Context, a Act, name, update, value string) error {
	return l.act(ctx, a, func(ctx context.Context, s *session, _ time.Time) error {
		if err := mustExist(ctx, s, "select 1 from principals where kind = 'person' and name = $1", "person", name); err != nil {
			return err
		}
		return s.exec(ctx, update, value, name)
	})
}

// Disable ends an account, or all keys of a system: name it as in Principal.Name.
func (l *Ledger) Disable(ctx context.Context, by, name string) error {
	defer l.access.forgetKeys()
	a := Act{Principal: by, Act: "principal.disabled", Subject: "principal/" + name}
	return l.act(ctx, a, func(ctx context.Context, s *session, at time.Time) error {
		if err := mustExist(ctx, s, "select 1 from principals where name = $1", "principal", name); err != nil {
			return err
		}
		return s.exec(ctx, "update principals set disabled = $1 where name = $2 and disabled = 0", micros(at), name)
	})
}

// mustExist is NotFound where a query has no row.
func mustExist(ctx context.Context, s *session, query, what, name string) error {
	found := false
	err := s.each(ctx, query, []any{name}, func(Row) error { found = true; return nil })
	if err == nil && !found {
		return fault.New("ledger.principals", fault.NotFound, what, "no %s %.130q is on record", what, name)
	}
	return err
}

// People lists all accounts of persons, also the disabled ones, by name.
func (l *Ledger) People(ctx context.Context) ([]PersonInfo, error) {
	var all []PersonInfo
	err := l.each(ctx, "select name, roles, created, disabled from principals where kind = 'person' order by name", nil, func(r Row) error {
		var p PersonInfo
		var roles string
		var created, disabled int64
		if err := r.Scan(&p.Name, &roles, &created, &disabled); err != nil {
			return err
		}
		p.Created, p.Disabled = fromMicros(created), fromMicros(disabled)
		all = append(all, p)
		return json.Unmarshal([]byte(roles), &all[len(all)-1].Grants)
	})
	return all, err
}

// Person is a person's principal as it stands now: what a session asks for at
// each request. Unauthenticated where there is none or it is disabled.
func (l *Ledger) Person(ctx context.Context, name string) (Principal, error) {
	account, err := l.account(ctx, name)
	if err != nil {
		return Principal{}, fault.Wrap("ledger.Person", fault.Unavailable, "", err)
	}
	if account.password == "" || account.disabled {
		return Principal{}, unauthenticated("ledger.Person")
	}
	return account.principal, nil
}

// account is a person as read for a log-in; without one the password is "".
type account struct {
	principal Principal
	password  string
	disabled  bool
}

func (l *Ledger) account(ctx context.Context, name string) (account, error) {
	a := account{principal: Principal{Name: name, Kind: PersonKind}}
	err := l.each(ctx, "select password, roles, disabled from principals where name = $1 and kind = 'person'", []any{name}, func(r Row) error {
		var roles string
		var disabled int64
		if err := r.Scan(&a.password, &roles, &disabled); err != nil {
			return err
		}
		a.disabled = disabled != 0
		return json.Unmarshal([]byte(roles), &a.principal.Grants)
	})
	return a, err
}
