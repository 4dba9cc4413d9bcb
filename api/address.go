package api

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/gapless/gapless/fault"
)

// From one address addressAttempts log-ins may fail within addressWindow; then nothing that
// comes from there is hashed until the window has passed. Each costs a hash, whatever the
// name: made-up names would keep the hub from verifying anybody else's.
const (
	addressAttempts = 100
	addressWindow   = retryLogin
	maxAddresses    = 10_000 // that are remembered
)

// addresses are log-ins that have failed, or not succeeded yet, by address.
type addresses struct {
	mu     sync.Mutex
	failed map[string]attemptsFrom
}

type attemptsFrom struct {
	n     int
	since time.Time
}

// attempt counts a log-in as failed until it has succeeded, so that many at once count too.
func (a *addresses) attempt(address string, now time.Time) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.failed) >= maxAddresses {
		clear(a.failed)
	}
	from := a.failed[address]
	if now.Sub(from.since) >= addressWindow {
		from = attemptsFrom{since: now}
	}
	if from.n >= addressAttempts {
		return fault.New("api", fault.RateLimited, "", "too many log-ins from %s have failed; try again in %s", address, (addressWindow - now.Sub(from.since)).Round(time.Second))
	}
	from.n++
	a.failed[address] = from
	return nil
}

func (a *addresses) succeeded(address string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if from, ok := a.failed[address]; ok && from.n > 0 {
		from.n--
		a.failed[address] = from
	}
}

// addressKey is where the context of a request has its address.
type addressKey struct{}

// withAddress is a request that knows where it comes from: where somebody logs in, that is asked
// for below.
func withAddress(r *http.Request) *http.Request {
	if scheme, _, _ := strings.Cut(r.Header.Get("Authorization"), " "); !strings.EqualFold(scheme, "Basic") {
		return r
	}
	return r.WithContext(context.WithValue(r.Context(), addressKey{}, addressOf(r)))
}

func addressIn(ctx context.Context) string {
	address, _ := ctx.Value(addressKey{}).(string)
	return address
}

// addressOf is where a request comes from: of IPv6 the network, within which one machine has
// addresses without end. What a proxy on this machine says last counts for it.
func addressOf(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return host
	}
	if ip.IsLoopback() {
		said := strings.Split(strings.Join(r.Header.Values("X-Forwarded-For"), ","), ",")
		if behind, err := netip.ParseAddr(strings.TrimSpace(said[len(said)-1])); err == nil {
			ip = behind
		}
	}
	if ip = ip.Unmap().WithZone(""); ip.Is6() {
		network, _ := ip.Prefix(64) // which every address of IPv6 has
		return network.String()
	}
	return ip.String()
}
