package ledger

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"

	"github.com/gapless/gapless/fault"
)

// Cost of a password hash: argon2id (RFC 9106) with 19 MiB, two passes and one
// lane, the first choice of the OWASP Password Storage Cheat Sheet. A hash carries
// its own cost, so that a later release can raise it.
const (
	argonMemory = 19 * 1024 // KiB
	argonPasses = 2
	argonLanes  = 1
	argonSalt   = 16
	argonHash   = 32
)

// A name may be tried loginAttempts times without success within loginWindow.
// Whoever tries more waits until the window has passed since the last attempt that
// was looked at. Names without an account are counted alike.
const (
	loginAttempts = 5
	loginWindow   = 5 * time.Minute
	loginNames    = 10_000 // that are remembered; each costs whoever fills them up a hash
)

// attempts are log-ins under one name that failed.
type attempts struct {
	failed int
	last   time.Time
}

// Login finds the person with this name and password. Whatever is wrong, the fault
// is the same Unauthenticated and takes the same time; RateLimited after too many
// attempts. Attempts are counted per node. A name that no account can have is refused at
// once, and not remembered.
func (l *Ledger) Login(ctx context.Context, name, password string) (Principal, error) {
	if checkName("name", name) != nil {
		return Principal{}, unauthenticated("ledger.Login")
	}
	if err := l.access.attempt(name, l.Now()); err != nil {
		return Principal{}, err
	}
	account, err := l.account(ctx, name)
	if err != nil {
		return Principal{}, fault.Wrap("ledger.Login", fault.Unavailable, "", err)
	}
	same, err := l.samePassword(ctx, account.password, password)
	if err != nil {
		return Principal{}, err
	}
	if !same || account.disabled {
		return Principal{}, unauthenticated("ledger.Login")
	}
	l.access.succeeded(name)
	return account.principal, nil
}

// attempt counts a log-in as failed until it has succeeded, so that attempts made
// at the same time count too.
func (a *access) attempt(name string, now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.attempts) >= loginNames {
		for n, t := range a.attempts {
			if now.Sub(t.last) >= loginWindow {
				delete(a.attempts, n)
			}
		}
		if len(a.attempts) >= loginNames {
			clear(a.attempts)
		}
	}
	t := a.attempts[name]
	if now.Sub(t.last) >= loginWindow {
		t.failed = 0
	}
	if t.failed >= loginAttempts {
		return fault.New("ledger.Login", fault.RateLimited, "name", "too many attempts; try again in %s", (loginWindow - now.Sub(t.last)).Round(time.Second))
	}
	a.attempts[name] = attempts{failed: t.failed + 1, last: now}
	return nil
}

func (a *access) succeeded(name string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.attempts, name)
}

// newPassword checks a password and hashes it.
func (l *Ledger) newPassword(ctx context.Context, password string) (string, error) {
	if n := utf8.RuneCountInString(password); n < 15 || n > 1024 || !utf8.ValidString(password) {
		return "", fault.New("ledger.principals", fault.InvalidRequest, "password", "a password has 15 to 1,024 characters; several words make a good one")
	}
	salt := make([]byte, argonSalt)
	_, _ = rand.Read(salt) // never fails: it ends the process instead
	hash, err := l.hashPassword(ctx, password, salt, argonPasses, argonMemory, argonLanes, argonHash)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonPasses, argonLanes,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(hash)), nil
}

// samePassword compares in constant time. An account that does not exist has the
// hash "", which costs the same and is nobody's.
func (l *Ledger) samePassword(ctx context.Context, stored, password string) (bool, error) {
	if stored == "" {
		_, err := l.hashPassword(ctx, password, make([]byte, argonSalt), argonPasses, argonMemory, argonLanes, argonHash)
		return false, err
	}
	var version int
	var memory, passes uint32
	var lanes uint8
	part := strings.Split(stored, "$")
	if len(part) != 6 || part[1] != "argon2id" {
		return false, errors.New("ledger.Login: the stored hash is not of argon2id")
	}
	if _, err := fmt.Sscanf(part[2]+" "+part[3], "v=%d m=%d,t=%d,p=%d", &version, &memory, &passes, &lanes); err != nil || version != argon2.Version {
		return false, fmt.Errorf("ledger.Login: the stored hash has no known cost: %w", err)
	}
	salt, err := base64.RawStdEncoding.DecodeString(part[4])
	if err != nil {
		return false, fmt.Errorf("ledger.Login: the stored salt: %w", err)
	}
	want, err := base64.RawStdEncoding.DecodeString(part[5])
	if err != nil {
		return false, fmt.Errorf("ledger.Login: the stored hash: %w", err)
	}
	got, err := l.hashPassword(ctx, password, salt, passes, memory, lanes, uint32(len(want)))
	return err == nil && subtle.ConstantTimeCompare(got, want) == 1, err
}

// hashPassword runs argon2id over the composed form of the password (RFC 8265),
// so that it is the same from every keyboard. Two run at a time: each takes 19 MiB.
func (l *Ledger) hashPassword(ctx context.Context, password string, salt []byte, passes, memory uint32, lanes uint8, size uint32) ([]byte, error) {
	select {
	case l.access.hashing <- struct{}{}:
		defer func() { <-l.access.hashing }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	return argon2.IDKey([]byte(norm.NFC.String(password)), salt, passes, memory, lanes, size), nil
}
