package alert_test

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net"
	"net/http/httptest"
	"net/mail"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gapless/gapless/alert"
)

func unix(t *testing.T, text string) time.Time {
	t.Helper()
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return time.Unix(n, 0)
}

func pemOf(certificate []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate})
}

// A mailServer takes letters by SMTP on the machine itself.
type mailServer struct {
	address string
	tls     *tls.Config // nil: it offers none
	first   bool        // TLS begins with the first byte
	refuse  string      // what it answers to a letter instead of taking it
	hangsUp bool        // it goes once it has taken a letter, without a word

	mu      sync.Mutex
	letters []string
	logins  []string
	to      []string
}

func newMailServer(t *testing.T, s *mailServer) *mailServer {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.address = listener.Addr().String()
	var ended sync.WaitGroup
	ended.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			if s.first {
				conn = tls.Server(conn, s.tls)
			}
			ended.Go(func() { s.serve(conn) })
		}
	})
	t.Cleanup(func() { _ = listener.Close(); ended.Wait() })
	return s
}

func (s *mailServer) serve(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
	in := bufio.NewReader(conn)
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(conn, format+"\r\n", args...) }
	secure := s.first
	say("220 test")
	for {
		line, err := in.ReadString('\n')
		if err != nil {
			return
		}
		line = strings.TrimRight(line, "\r\n")
		switch verb, rest, _ := strings.Cut(line, " "); strings.ToUpper(verb) {
		case "EHLO", "HELO":
			if s.tls != nil && !secure {
				say("250-test")
				say("250 STARTTLS")
				continue
			}
			say("250-test")
			say("250 AUTH PLAIN")
		case "STARTTLS":
			say("220 go on")
			encrypted := tls.Server(conn, s.tls)
			if encrypted.Handshake() != nil {
				return
			}
			conn, secure = encrypted, true
			in = bufio.NewReader(conn)
		case "AUTH":
			_, token, _ := strings.Cut(rest, " ")
			plain, _ := base64.StdEncoding.DecodeString(token)
			s.note(func() { s.logins = append(s.logins, fmt.Sprintf("%q over tls: %v", plain, secure)) })
			say("235 welcome")
		case "RCPT":
			s.note(func() { s.to = append(s.to, rest) })
			say("250 ok")
		case "DATA":
			say("354 go on")
			var letter strings.Builder
			for {
				text, err := in.ReadString('\n')
				if err != nil {
					return
				}
				if text == ".\r\n" {
					break
				}
				letter.WriteString(text)
			}
			if s.refuse != "" {
				say("%s", s.refuse)
				continue
			}
			s.note(func() { s.letters = append(s.letters, letter.String()) })
			say("250 taken")
			if s.hangsUp {
				return
			}
		case "QUIT":
			say("221 bye")
			return
		default:
			say("250 ok")
		}
	}
}

func (s *mailServer) note(do func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	do()
}

func TestALetterSaysWhatStandsAndCanBeRecognised(t *testing.T) {
	s := newMailServer(t, &mailServer{})
	c := channel(t, "{kind: smtp, server: \""+s.address+"\", from: hub@example.com, to: [anna@example.com, otto@example.com], tls: none}")
	n := started()
	n.Title = "posting\r\nBcc: eve@example.com"
	for range 2 { // a try again is the same letter
		if err := c.Send(t.Context(), &alert.Message{ID: "m1", Notices: []alert.Notice{n}}); err != nil {
			t.Fatal(err)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.letters) != 2 || strings.Contains(strings.Join(s.to, " "), "eve") || len(s.to) != 4 {
		t.Fatalf("to %q:\n%s", s.to, s.letters)
	}
	letter, err := mail.ReadMessage(strings.NewReader(s.letters[0]))
	if err != nil {
		t.Fatal(err)
	}
	if h := letter.Header; h.Get("Message-ID") != "<m1@gapless>" || h.Get("Bcc") != "" || h.Get("Auto-Submitted") != "auto-generated" || !strings.Contains(h.Get("Subject"), "graz, erp") {
		t.Errorf("headers: %v", h)
	}
	if !strings.Contains(s.letters[0], "receive-goods not done for 12 lots") {
		t.Errorf("the text:\n%s", s.letters[0])
	}
}

// A password is told to a server whose certificate is trusted, and over TLS alone.
func TestAPasswordLeavesOverTLSAlone(t *testing.T) {
	certified := httptest.NewTLSServer(nil) // for its certificate, which is of 127.0.0.1
	defer certified.Close()
	s := newMailServer(t, &mailServer{tls: &tls.Config{Certificates: certified.TLS.Certificates}})
	ca := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(ca, pemOf(certified.Certificate().Raw), 0o600); err != nil {
		t.Fatal(err)
	}
	config := "{kind: smtp, server: \"" + s.address + "\", from: hub@example.com, to: [anna@example.com], user: hub, password: env:MAIL"
	m := &alert.Message{ID: "m1", Notices: []alert.Notice{started()}}
	if err := channel(t, config+"}").Send(t.Context(), m); err == nil || len(s.logins) != 0 {
		t.Errorf("a stranger was told: %v %q", err, s.logins)
	}
	if err := channel(t, config+", ca: \"file:"+ca+"\"}").Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	if len(s.letters) != 1 || len(s.logins) != 1 || s.logins[0] != `"\x00hub\x00swordfish" over tls: true` {
		t.Errorf("%q", s.logins)
	}
	s.mu.Unlock()
	first := newMailServer(t, &mailServer{tls: s.tls, first: true})
	if err := channel(t, strings.Replace(config, s.address, first.address, 1)+", tls: tls, ca: \"file:"+ca+"\"}").Send(t.Context(), m); err != nil {
		t.Fatal(err)
	}
	first.mu.Lock()
	if len(first.letters) != 1 || len(first.logins) != 1 || first.logins[0] != `"\x00hub\x00swordfish" over tls: true` {
		t.Errorf("%q", first.logins)
	}
	first.mu.Unlock()
	plain := newMailServer(t, &mailServer{})
	if err := channel(t, strings.Replace(config, s.address, plain.address, 1)+"}").Send(t.Context(), m); err == nil || len(plain.logins)+len(plain.letters) != 0 {
		t.Errorf("a server without TLS was told: %v", err)
	}
}

func TestALetterThatWasTakenIsNoErrorThoughTheServerDoesNotSayGoodbye(t *testing.T) {
	s := newMailServer(t, &mailServer{hangsUp: true})
	c := channel(t, "{kind: smtp, server: \""+s.address+"\", from: hub@example.com, to: [anna@example.com], tls: none, timeout: 2s}")
	if err := c.Send(t.Context(), &alert.Message{ID: "m1", Notices: []alert.Notice{started()}}); err != nil {
		t.Errorf("it is sent again: %v", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.letters) != 1 {
		t.Errorf("%d letters were taken", len(s.letters))
	}
}

func TestALetterThatIsRefusedOrNotAnsweredIsAnError(t *testing.T) {
	s := newMailServer(t, &mailServer{refuse: "452 the disk is full"})
	config := "{kind: smtp, server: \"" + s.address + "\", from: hub@example.com, to: [anna@example.com], tls: none, timeout: 2s}"
	m := &alert.Message{ID: "m1", Notices: []alert.Notice{started()}}
	if err := channel(t, config).Send(t.Context(), m); err == nil || !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("%v", err)
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close() //nolint:errcheck // it only listened
	began := time.Now()
	err = channel(t, "{kind: smtp, server: \""+silent.Addr().String()+"\", from: a@b.example, to: [c@d.example], tls: none, timeout: 100ms}").Send(t.Context(), m)
	if err == nil || time.Since(began) > 10*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
}
