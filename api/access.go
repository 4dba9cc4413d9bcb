package api

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/ledger"
)

// principal is who makes a request, within the rate that it may make.
func (a *API) principal(ctx context.Context, authorization string) (ledger.Principal, error) {
	if a.flow == nil {
		return ledger.Principal{}, fault.New("api", fault.Unavailable, "", "this program has no ledger")
	}
	p, err := a.authenticate(ctx, authorization)
	if err != nil {
		return p, err
	}
	return p, a.within(p)
}

// authenticate tells who holds a key, or who has a name and password.
func (a *API) authenticate(ctx context.Context, authorization string) (ledger.Principal, error) {
	scheme, credentials, _ := strings.Cut(authorization, " ")
	switch {
	case strings.EqualFold(scheme, "Bearer"):
		return a.ledger().Authenticate(ctx, strings.TrimSpace(credentials))
	case strings.EqualFold(scheme, "Basic"):
		return a.login(ctx, strings.TrimSpace(credentials), false)
	default:
		return ledger.Principal{}, fault.New("api", fault.Unauthenticated, "authorization", "")
	}
}

// loginCache is how long a verified password is believed, so that not every
// request costs a password hash. Roles and a disabled account count at once: they
// are read each time.
const loginCache = time.Minute

type credentialHash = [sha256.Size]byte

// logins are verified passwords by the hash of the credentials, never the
// passwords.
type logins struct {
	mu       sync.Mutex
	verified map[credentialHash]*login
}

// login is one verification. Its lock is held while the password is hashed, so
// that many requests that come at once hash it once, and do not count as many
// attempts that have not succeeded yet.
type login struct {
	mu    sync.Mutex
	name  string
	until time.Time
}

// maxLogins bounds the credentials remembered; whoever fills them up pays a hash
// for each.
const maxLogins = 10_000

// login is the person with these credentials: verified now, or within the time for which
// they are remembered.
func (a *API) login(ctx context.Context, credentials string, now bool) (ledger.Principal, error) {
	name, password, err := basic(credentials)
	if err != nil {
		return ledger.Principal{}, err
	}
	l := a.logins.find(sha256.Sum256([]byte(credentials)), a.cfg.Clock())
	l.mu.Lock()
	defer l.mu.Unlock()
	if !now && l.name != "" && a.cfg.Clock().Before(l.until) {
		return a.ledger().Person(ctx, l.name)
	}
	l.name = ""
	address := addressIn(ctx)
	if err := a.addresses.attempt(address, a.cfg.Clock()); err != nil {
		return ledger.Principal{}, err
	}
	p, err := a.ledger().Login(ctx, name, password)
	if err != nil {
		return p, err
	}
	a.addresses.succeeded(address)
	l.name, l.until = name, a.cfg.Clock().Add(loginCache)
	return p, nil
}

// basic are a name and a password as HTTP carries them.
func basic(credentials string) (name, password string, err error) {
	raw, err := base64.StdEncoding.DecodeString(credentials)
	name, password, ok := strings.Cut(string(raw), ":")
	if err != nil || !ok {
		return "", "", fault.New("api", fault.Unauthenticated, "authorization", "")
	}
	return name, password, nil
}

// signs makes sure that a request is signed: a person makes it, whose password is verified
// now, not remembered. The key of a system never signs.
func (a *API) signs(ctx context.Context, who caller, in *Asker) error {
	scheme, credentials, _ := strings.Cut(in.Authorization, " ")
	if who.Kind != ledger.PersonKind || !strings.EqualFold(scheme, "Basic") {
		return forbidden("a person signs this, with name and password; a key of a system never does")
	}
	_, err := a.login(ctx, strings.TrimSpace(credentials), true)
	return err
}

// find is the entry of credentials, which may be new.
func (c *logins) find(hash credentialHash, now time.Time) *login {
	c.mu.Lock()
	defer c.mu.Unlock()
	if l, ok := c.verified[hash]; ok {
		return l
	}
	if len(c.verified) >= maxLogins {
		for h, l := range c.verified {
			if l.mu.TryLock() {
				if !now.Before(l.until) {
					delete(c.verified, h)
				}
				l.mu.Unlock()
			}
		}
	}
	if len(c.verified) >= maxLogins {
		clear(c.verified)
	}
	l := &login{}
	c.verified[hash] = l
	return l
}

// within takes one request from what the principal may make.
func (a *API) within(p ledger.Principal) error {
	if a.cfg.Rate == 0 {
		return nil
	}
	a.mu.Lock()
	limiter, ok := a.limiters[p.Name]
	if !ok { // principals are in the ledger, so there are not many
		limiter = rate.NewLimiter(rate.Limit(a.cfg.Rate), a.cfg.Burst)
		a.limiters[p.Name] = limiter
	}
	a.mu.Unlock()
	now := a.cfg.Clock()
	reservation := limiter.ReserveN(now, 1)
	wait := reservation.DelayFrom(now)
	if wait == 0 {
		return nil
	}
	reservation.CancelAt(now)
	problem := refusal(fault.New("api", fault.RateLimited, "", "%s may make %d requests a second", p.Name, a.cfg.Rate))
	problem.retryAfter = wait
	return problem
}

// A scope is what a principal may see: all plants, or some of them.
type scope struct {
	all    bool
	plants []string
	system string // of messages, a system sees its own, whatever their plant
}

// scopeOf is the scope of a principal: a person's plants with the role viewer, a
// system's plants in the catalog. It is an error to see nothing at all.
func (a *API) scopeOf(p ledger.Principal) (scope, error) {
	s := scope{system: p.System, all: p.May(ledger.Viewer, "")}
	if p.Kind == ledger.SystemKind {
		system, ok := a.flow.Catalog().System(p.System)
		if !ok {
			return s, fault.New("api", fault.SystemUnknown, "", "%q", p.System)
		}
		s.all, s.plants = len(system.Plants) == 0, system.Plants
		return s, nil
	}
	for _, g := range p.Grants {
		if g.Plant != "" && p.May(ledger.Viewer, g.Plant) && !slices.Contains(s.plants, g.Plant) {
			s.plants = append(s.plants, g.Plant)
		}
	}
	if !s.all && len(s.plants) == 0 {
		return s, forbidden("%s has no role at any plant", p.Name)
	}
	return s, nil
}

// sees tells whether what belongs to a plant may be shown. What belongs to no
// plant is shown to those who see all.
func (s scope) sees(plant string) bool { return s.all || slices.Contains(s.plants, plant) }

// seesMessage tells whether a message and what stands in its way may be shown: to
// people by its plant, to a system only what it sent itself.
func (s scope) seesMessage(system, plant string) bool {
	if s.system != "" {
		return s.system == system
	}
	return s.sees(plant)
}

// seesSystem tells whether what a system calls things may be shown: it is the
// caller, or reports for one of the caller's plants.
func (a *API) seesSystem(s scope, name string) bool {
	if s.all || s.system == name {
		return true
	}
	system, ok := a.flow.Catalog().System(name)
	return ok && (len(system.Plants) == 0 || slices.ContainsFunc(system.Plants, s.sees))
}

// known refuses a plant that the caller may not see, or that nobody knows: that nothing is
// open there, or that everything is on record, would be said of a misspelt one too. A plant
// that has left the catalog keeps its feed.
func (a *API) known(ctx context.Context, s scope, plant string) error {
	if plant == "" {
		return nil
	}
	if !s.sees(plant) {
		return forbidden("no role at plant %.80q", plant)
	}
	if _, ok := a.flow.Catalog().Plant(plant); ok {
		return nil
	}
	head, err := a.ledger().Head(ctx)
	if _, ok := head[plant]; err != nil || ok {
		return err
	}
	var names []string
	for _, p := range a.flow.Catalog().Plants() {
		if s.sees(p.Plant) {
			names = append(names, p.Plant)
		}
	}
	return invalid("plant", "%.80q is no plant; there are %s", plant, strings.Join(names, ", "))
}

// narrow is the plants that are asked for, within the scope. The answer nil means
// all plants; an empty one does not occur.
func (s scope) narrow(asked []string) ([]string, error) {
	for _, plant := range asked {
		if !s.sees(plant) {
			return nil, forbidden("no role at plant %.80q", plant)
		}
	}
	if len(asked) > 0 || s.all {
		return asked, nil
	}
	return s.plants, nil
}

// within is the part of a cursor that is about the scope's plants.
func (s scope) within(c ledger.Cursor, plants []string) ledger.Cursor {
	part := ledger.Cursor{}
	for plant, position := range c {
		if s.sees(plant) && (len(plants) == 0 || slices.Contains(plants, plant)) {
			part[plant] = position
		}
	}
	return part
}

// sameOrigin refuses what the page of another site has a browser do: the browser may
// remember the password of a person who has opened a route of the hub in it.
func (a *API) sameOrigin(next http.Handler) http.Handler {
	protection := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if protection.Check(r) != nil {
			a.refuse(w, r, forbidden("a page of another site asks for this"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

// onLoopback tells whether a request comes from the machine itself.
func onLoopback(r *http.Request) bool {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return false
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback() && r.Header.Get("Forwarded") == "" && r.Header.Get("X-Forwarded-For") == ""
}
