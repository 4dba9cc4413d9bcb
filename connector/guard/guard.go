// Package guard is the one place by which connectors over HTTP send: a request is
// written only with leave, asked for right before its first byte, and never a
// second time. Afterwards the leave knows whether a byte was written; only where
// none was may an error say connector.ErrNotSent.
package guard

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/http/httptrace"
	"sync"
	"time"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
)

// idle is how long an unused connection is kept: less than servers do, so that a
// request is seldom written into one that the other end has just closed.
const idle = 4 * time.Second

// A Transport sends requests. It is safe for use by several goroutines.
type Transport struct{ http *http.Transport }

// NewTransport is one that verifies certificates, follows nothing, speaks
// HTTP/1.1 and writes only requests whose context carries a Leave. Roots sign the
// certificate of the other end; nil are those of the machine.
func NewTransport(roots *x509.CertPool) *Transport {
	dialer := &net.Dialer{Timeout: 10 * time.Second}
	return &Transport{&http.Transport{
		DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			plain, err := dialer.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			return guarded(plain, plain)
		},
		DialTLSContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			secure := &tls.Dialer{NetDialer: dialer, Config: &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots}}
			conn, err := secure.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			var plain net.Conn
			if encrypted, ok := conn.(*tls.Conn); ok {
				plain = encrypted.NetConn()
			}
			return guarded(conn, plain)
		},
		TLSNextProto:           map[string]func(string, *tls.Conn) http.RoundTripper{},
		DisableCompression:     true,
		MaxIdleConnsPerHost:    32,
		IdleConnTimeout:        idle,
		MaxResponseHeaderBytes: 64 << 10,
	}}
}

var errOtherProtocol = errors.New("the answer changes the protocol, for which nobody has asked")

// RoundTrip sends one request. An answer that changes the protocol is none: its
// connection belongs to whoever reads it and does not end with the context.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	res, err := t.http.RoundTrip(req)
	if err == nil && res.StatusCode == http.StatusSwitchingProtocols {
		return nil, errors.Join(errOtherProtocol, res.Body.Close())
	}
	return res, err
}

// CloseIdleConnections lets go of connections that are not in use.
func (t *Transport) CloseIdleConnections() { t.http.CloseIdleConnections() }

// A Leave is the permission to write one request, once. Every connection that the
// request is given asks it before the first byte.
type Leave struct {
	Check func(now time.Time) error // nil while it may still go out
	Now   func() time.Time

	mu      sync.Mutex
	on      *guardedConn // that the request was written to; nil before
	refused error        // what Check has said
}

var errTwice = errors.New("the request was written before: it is not written again")

// ask is asked by a connection before each write. It is nil for the first write,
// if in time, and for all that follow on the same connection. What was refused once
// stays refused: on a connection that it had in store the transport tries another.
func (l *Leave) ask(c *guardedConn) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.on == c {
		return nil
	}
	if l.on != nil {
		return errTwice
	}
	if l.refused == nil {
		l.refused = l.Check(l.Now())
	}
	if l.refused != nil {
		return l.refused
	}
	l.on = c
	return nil
}

// Written says whether any byte may have left; refused is why none did, nil
// where the reason is another.
func (l *Leave) Written() (written bool, refused error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.on != nil, l.refused
}

// ErrTooMuch says that an answer is longer than is read.
var ErrTooMuch = errors.New("the answer is longer than the limit")

// Failed is the error of a call without an answer: NotSent where no byte was written,
// else nobody knows. Words takes out of a text what is secret.
func (l *Leave) Failed(ctx context.Context, op string, err error, words func(text string) string) error {
	written, refused := l.Written()
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	told := errors.New(words(err.Error()))
	if errors.Is(err, context.Canceled) {
		told = err
	}
	switch {
	case refused != nil:
		return refused
	case !written && ctx.Err() != nil:
		return connector.NotSent(op, fault.NotSentInTime, told)
	case !written:
		return connector.NotSent(op, fault.SystemDown, told)
	case errors.Is(err, ErrTooMuch):
		return connector.Unknown(op, fault.AnswerUnread, told)
	}
	return connector.Unknown(op, fault.AnswerLost, told)
}

// Trace hands the leave to the connection that the transport chooses.
func (l *Leave) Trace(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(got httptrace.GotConnInfo) {
		if c, ok := got.Conn.(*guardedConn); ok {
			c.arm(l)
		}
	}})
}

// A guardedConn writes only with a leave. Under TLS it stands above the
// encryption, so that each Write is part of a request.
type guardedConn struct {
	net.Conn

	mu    sync.Mutex
	leave *Leave
}

// guarded is a connection over a plain one. What the machine has not sent when it is
// closed is thrown away: else it would go on sending for minutes, and a request
// land long after its attempt has ended.
func guarded(conn, plain net.Conn) (net.Conn, error) {
	if tcp, ok := plain.(*net.TCPConn); ok {
		if err := tcp.SetLinger(0); err != nil {
			return nil, errors.Join(err, conn.Close())
		}
	}
	return &guardedConn{Conn: conn}, nil
}

func (c *guardedConn) arm(l *Leave) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.leave = l
}

var errUnarmed = errors.New("nobody may write to this connection")

// Write asks for leave and writes.
func (c *guardedConn) Write(p []byte) (int, error) {
	c.mu.Lock()
	l := c.leave
	c.mu.Unlock()
	if l == nil {
		return 0, errUnarmed
	}
	if err := l.ask(c); err != nil {
		return 0, err
	}
	return c.Conn.Write(p)
}
