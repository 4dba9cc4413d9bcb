package simulator

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"
)

// A team is goroutines that end together: when one fails, when they are told to stop,
// or when the context that they began with ends.
type team struct {
	begin func(do func(run context.Context) error)
	stop  context.CancelFunc
	wg    sync.WaitGroup

	mu     sync.Mutex
	failed error
}

func newTeam(ctx context.Context) *team {
	run, stop := context.WithCancel(ctx)
	t := &team{stop: stop}
	t.begin = func(do func(run context.Context) error) {
		if err := do(run); err != nil {
			t.mu.Lock()
			t.failed = errors.Join(t.failed, err)
			t.mu.Unlock()
			stop()
		}
	}
	return t
}

func (t *team) start(do func(run context.Context) error) { t.wg.Go(func() { t.begin(do) }) }

// wait waits until all have ended, and tells what failed.
func (t *team) wait() error {
	t.wg.Wait()
	t.stop()
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.failed
}

// serve answers requests until the context ends, and lets those at hand end.
func serve(ctx context.Context, l net.Listener, h http.Handler) error {
	server := &http.Server{
		Handler: h, ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(l) }()
	select {
	case err := <-ended:
		return fmt.Errorf("listen on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	bounded, stop := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer stop()
	err := server.Shutdown(bounded)
	if err != nil {
		err = errors.Join(err, server.Close())
	}
	if stopped := <-ended; !errors.Is(stopped, http.ErrServerClosed) {
		err = errors.Join(err, stopped)
	}
	return err
}
