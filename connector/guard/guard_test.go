package guard_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/connector/guard"
	"github.com/gapless/gapless/fault"
)

// inTime is a leave that is always given.
func inTime() *guard.Leave {
	return &guard.Leave{Check: func(time.Time) error { return nil }, Now: time.Now}
}

// listen serves connections with a function on 127.0.0.1 until the test ends.
func listen(t *testing.T, serve func(net.Conn)) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			go serve(conn)
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-ended })
	return "http://" + listener.Addr().String()
}

// post sends a request with a leave and reads what is answered.
func post(ctx context.Context, t *testing.T, transport http.RoundTripper, address, content string, l *guard.Leave) (string, error) {
	t.Helper()
	req, err := http.NewRequestWithContext(l.Trace(ctx), http.MethodPost, address, strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	res, err := transport.RoundTrip(req)
	if err != nil {
		return "", err
	}
	text, err := io.ReadAll(res.Body)
	return string(text), errors.Join(err, res.Body.Close())
}

func TestAnAnswerThatChangesTheProtocolEndsTheCall(t *testing.T) {
	address := listen(t, func(conn net.Conn) {
		if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
			_, _ = io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n") // and says nothing more
		}
	})
	transport := guard.NewTransport(nil)
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	l := inTime()
	ended := make(chan error, 1)
	go func() {
		_, err := post(ctx, t, transport, address, "{}", l)
		ended <- err
	}()
	select {
	case err := <-ended:
		if err == nil {
			t.Fatal("it is taken for an answer")
		}
		if told := l.Failed(ctx, "test", err, func(text string) string { return text }); errors.Is(told, connector.ErrNotSent) || !errors.Is(told, fault.AnswerLost) {
			t.Error(told)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("the call goes on though its context has ended")
	}
}

func TestALeaveThatWasRefusedIsNotGivenLater(t *testing.T) {
	requests := make(chan struct{}, 10)
	address := listen(t, func(conn net.Conn) {
		in := bufio.NewReader(conn)
		for {
			req, err := http.ReadRequest(in)
			if err != nil {
				return
			}
			_, _ = io.Copy(io.Discard, req.Body)
			requests <- struct{}{}
			_, _ = io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
		}
	})
	transport := guard.NewTransport(nil)
	defer transport.CloseIdleConnections()
	if _, err := post(t.Context(), t, transport, address, "{}", inTime()); err != nil { // and the connection is used again: there net/http tries another
		t.Fatal(err)
	}
	<-requests
	asked := 0
	l := &guard.Leave{Now: time.Now, Check: func(time.Time) error { // the wall clock was ahead, and is set back
		if asked++; asked == 1 {
			return connector.ErrTooLate
		}
		return nil
	}}
	answer, err := post(t.Context(), t, transport, address, "{}", l)
	if err == nil {
		t.Fatalf("it was sent after it had been refused, and answered %s", answer)
	}
	if told := l.Failed(t.Context(), "test", err, func(text string) string { return text }); !errors.Is(told, connector.ErrTooLate) {
		t.Error(told)
	}
	select {
	case <-requests:
		t.Error("a request came that is said to have been too late")
	case <-time.After(100 * time.Millisecond):
	}
}
