//go:build unix

package guard_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gapless/gapless/connector/guard"
)

func TestWhatWasNotTakenWhenTheCallEndedDoesNotArriveLater(t *testing.T) {
	narrow := &net.ListenConfig{Control: func(_, _ string, c syscall.RawConn) error {
		return c.Control(func(fd uintptr) { _ = syscall.SetsockoptInt(int(fd), syscall.SOL_SOCKET, syscall.SO_RCVBUF, 4096) })
	}}
	listener, err := narrow.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close() //nolint:errcheck // it only listened
	transport := guard.NewTransport(nil)
	defer transport.CloseIdleConnections()
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := post(ctx, t, transport, "http://"+listener.Addr().String(), strings.Repeat("x", 100_000), inTime()); err == nil { // the other end does not read
		t.Fatal("it was answered")
	}
	conn, err := listener.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close() //nolint:errcheck // it is only read
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	late, err := http.ReadRequest(bufio.NewReader(conn))
	if err == nil {
		var body []byte
		if body, err = io.ReadAll(late.Body); err == nil {
			t.Errorf("all %d bytes arrived after the call had ended", len(body))
		}
	}
}
