// Package api is the HTTP face of Gapless: systems post what they report and
// follow the feed; people look at what is on record, at what is held and at
// figures. It decides nothing: it knows who asks, what that principal may do, and
// how an answer looks. The routes are described by the OpenAPI document that
// OpenAPI writes; every refusal is a problem of RFC 9457 with a reason of package
// fault.
package api

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/format"
	"github.com/gapless/gapless/ledger"
)

// Config is what an API is made of. Zero fields take the defaults named.
type Config struct {
	// Flow takes messages in and reads what is on record. Without one the API
	// describes itself and answers everything else with the reason unavailable.
	Flow *flow.Flow
	// Log takes what the API has to say. Default: nothing.
	Log *slog.Logger
	// MaxBody is how many bytes a request may have. Default 16 MiB.
	MaxBody int64
	// Rate is how many requests one principal may make in a second, and Burst how
	// many at once. Rate 0 means no limit; Burst defaults to Rate.
	Rate, Burst int
	// Version of the program, as in the OpenAPI document. Default "dev".
	Version string
	// Metrics is where the metrics of MetricNames are registered and /metrics is
	// read from. Default: a registry of its own.
	Metrics *prometheus.Registry
	// Clock gives the present. Default time.Now.
	Clock func() time.Time
}

func (c Config) withDefaults() (Config, error) {
	var faults []error
	if c.MaxBody < 0 {
		faults = append(faults, errors.New("the API's MaxBody is negative: give the number of bytes, or 0 for 16 MiB"))
	}
	if c.Rate < 0 || c.Burst < 0 {
		faults = append(faults, errors.New("the API's Rate or Burst is negative: give requests per second, or 0 for no limit"))
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Metrics == nil {
		c.Metrics = prometheus.NewRegistry()
	}
	if c.Clock == nil {
		c.Clock = time.Now
	}
	c.MaxBody = cmp.Or(c.MaxBody, 16<<20)
	c.Burst = cmp.Or(c.Burst, c.Rate)
	c.Version = cmp.Or(c.Version, "dev")
	return c, errors.Join(faults...)
}

// heartbeat is how often a silent stream says that it is alive, and asks whether
// its principal still is.
const heartbeat = 15 * time.Second

// API answers HTTP requests. It is safe for concurrent use.
type API struct {
	cfg       Config
	flow      *flow.Flow
	mux       *http.ServeMux
	huma      huma.API
	handler   http.Handler
	metrics   *metrics
	tally     tally
	heartbeat time.Duration

	logins    logins
	addresses addresses

	mu       sync.Mutex
	limiters map[string]*rate.Limiter // by principal

	stopping chan struct{} // closed when the server shuts down: streams and long polls end
	stop     func()        // closes stopping, once
}

// New makes an API. It starts nothing.
func New(cfg Config) (*API, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	a := &API{
		cfg: cfg, flow: cfg.Flow, mux: http.NewServeMux(), heartbeat: heartbeat,
		logins: logins{verified: map[credentialHash]*login{}}, addresses: addresses{failed: map[string]attemptsFrom{}}, limiters: map[string]*rate.Limiter{}, stopping: make(chan struct{}),
	}
	a.stop = sync.OnceFunc(func() { close(a.stopping) })
	if a.metrics, err = newMetrics(cfg.Metrics, a.flow, cfg.Log); err != nil {
		return nil, err
	}
	a.huma = humago.New(a.mux, description(cfg.Version))
	a.routes()
	a.handler = a.observed(a.sameOrigin(a.mux))
	return a, nil
}

// Handler answers all routes. Its requests must end when the server shuts down:
// cancel their context, or use Server.
func (a *API) Handler() http.Handler { return a.handler }

// Server is an HTTP server for the API with limits on slow clients. Streams and
// long polls end when it shuts down.
func (a *API) Server(addr string) *http.Server {
	s := &http.Server{
		Addr: addr, Handler: a.handler,
		ReadHeaderTimeout: 10 * time.Second,
		ReadTimeout:       2 * time.Minute,
		WriteTimeout:      writeTimeout, // streams move their own deadline
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    64 << 10,
		ErrorLog:          slog.NewLogLogger(a.cfg.Log.Handler(), slog.LevelWarn),
	}
	s.RegisterOnShutdown(a.stop)
	return s
}

// writeTimeout bounds how long an answer may take to be written.
const writeTimeout = 2 * time.Minute

// OpenAPI is the description of the API as OpenAPI 3.1, in YAML. It needs no flow.
func (a *API) OpenAPI() ([]byte, error) { return a.huma.OpenAPI().YAML() }

// ledger is where reading requests read. Only called behind authentication, which
// refuses where there is no flow.
func (a *API) ledger() *ledger.Ledger { return a.flow.Ledger() }

func (a *API) limits() format.Limits { return format.Limits{Bytes: a.cfg.MaxBody} }

// pause waits until the ledger moves, a time passes or the request ends; more is
// false in the last case. Commits of other nodes are not heard of, so PostgreSQL
// is looked at each second.
func (a *API) pause(ctx context.Context, moved <-chan struct{}, d time.Duration) (more bool) {
	if a.ledger().Database() != "sqlite" {
		d = min(d, time.Second)
	}
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-moved:
	case <-t.C:
	case <-ctx.Done():
		return false
	case <-a.stopping:
		return false
	}
	return true
}
