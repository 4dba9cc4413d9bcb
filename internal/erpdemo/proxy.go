package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"time"
)

// A proxy stands between the hub and the ERP, and breaks what passes: it hands a call
// over whole and then resets the connection, or keeps the answer back beyond the hub's
// time-out. Either way the ERP has the call, and the hub does not know.
type proxy struct {
	url    string
	target string
	late   time.Duration // how long an answer is kept back
	server *http.Server
	served chan error
	client *http.Client

	mu       sync.Mutex
	random   *rand.Rand
	on       bool
	resets   int // connections that were reset after the call was handed over
	lates    int // answers that were kept back
	conflict int // answers in which the ERP told of a lock
	posting  int // calls that change something and are under way
	left     map[string]int
}

// How often each fault may happen at most, and how likely it is for a call that changes
// something.
const (
	mostResets = 8
	mostLates  = 5
	perFault   = 8 // one call in so many
)

func newProxy(ctx context.Context, target string, seed uint64, late time.Duration) (*proxy, error) {
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	p := &proxy{
		url: "http://" + listener.Addr().String(), target: target, late: late, served: make(chan error, 1),
		client: &http.Client{Timeout: 5 * time.Minute}, random: rand.New(rand.NewPCG(seed, 0x70726f7879)),
		left: map[string]int{"reset": mostResets, "late": mostLates},
	}
	p.server = &http.Server{Handler: p, ReadHeaderTimeout: 10 * time.Second}
	go func() { p.served <- p.server.Serve(listener) }()
	return p, nil
}

func (p *proxy) close() error {
	err := p.server.Close()
	if served := <-p.served; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return err
}

// changing are the methods by which documents are made and taken further.
var changing = regexp.MustCompile(`^model\.(stock|production)\b.*\.(create|write|wait|assign_try|run|do|done|confirm|cancel)$`)

// fault chooses what happens to a call: "", "reset" or "late".
func (p *proxy) fault(method string) string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.on || !changing.MatchString(method) || p.random.IntN(perFault) != 0 {
		return ""
	}
	fault := []string{"reset", "reset", "late"}[p.random.IntN(3)]
	if p.left[fault] == 0 {
		return ""
	}
	p.left[fault]--
	return fault
}

// count counts something that has happened.
func (p *proxy) count(what *int, by int) {
	p.mu.Lock()
	*what += by
	p.mu.Unlock()
}

func (p *proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 16<<20))
	if err != nil {
		return // the hub has gone
	}
	var call struct{ Method string }
	if err := json.Unmarshal(body, &call); err != nil {
		http.Error(w, "no JSON", http.StatusBadRequest)
		return
	}
	fault := p.fault(call.Method)
	if changing.MatchString(call.Method) {
		p.count(&p.posting, 1)
		defer p.count(&p.posting, -1)
	}
	status, text, err := p.forward(r, body)
	switch {
	case fault == "reset":
		p.reset(w)
		return
	case err != nil:
		p.hangUp(w) // the ERP is away: so is this
		return
	case fault == "late":
		p.count(&p.lates, 1)
		time.Sleep(p.late)
	}
	if strings.Contains(string(text), "could not obtain lock") || strings.Contains(string(text), "could not serialize") {
		p.count(&p.conflict, 1)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(text) // the hub may have gone, which is what late answers are for
}

// forward makes the call, whatever becomes of who asked for it.
func (p *proxy) forward(r *http.Request, body []byte) (status int, text []byte, err error) {
	request, err := http.NewRequestWithContext(context.WithoutCancel(r.Context()), r.Method, p.target+r.URL.Path, bytes.NewReader(body))
	if err != nil {
		return 0, nil, err
	}
	for _, name := range []string{"Content-Type", "Authorization"} {
		request.Header.Set(name, r.Header.Get(name))
	}
	answer, err := p.client.Do(request)
	if err != nil {
		return 0, nil, err
	}
	defer answer.Body.Close() //nolint:errcheck // it was read
	text, err = io.ReadAll(answer.Body)
	return answer.StatusCode, text, err
}

// reset breaks the connection so that the hub sees a reset.
func (p *proxy) reset(w http.ResponseWriter) {
	if p.hangUp(w) {
		p.count(&p.resets, 1)
	}
}

func (p *proxy) hangUp(w http.ResponseWriter) bool {
	hijacker, ok := w.(http.Hijacker)
	if !ok {
		return false
	}
	connection, _, err := hijacker.Hijack()
	if err != nil {
		return false
	}
	if tcp, ok := connection.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // what follows is a reset, not an end
	}
	return connection.Close() == nil
}
