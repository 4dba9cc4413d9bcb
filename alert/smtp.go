package alert

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/gapless/gapless/catalog"
)

// A smtp sends what is told as e-mail in plain text.
type smtp struct {
	config  *ChannelConfig
	host    string
	options []mail.Option
	secure  *tls.Dialer // where TLS begins with the first byte; else nil
	wait    time.Duration
}

func newSMTP(c *ChannelConfig, timeout time.Duration, secret func(catalog.SecretRef) (string, error)) (*smtp, error) {
	host, text, err := net.SplitHostPort(c.Server)
	port, wrong := strconv.Atoi(text)
	switch {
	case err != nil || wrong != nil || host == "":
		return nil, errors.New("server: write host:port")
	case len(c.To) == 0:
		return nil, errors.New("to is missing: name who is written to")
	case c.User == "" && c.Password != "", c.User != "" && c.Password == "":
		return nil, errors.New("user and password go together")
	}
	if err := addresses(append([]string{c.From}, c.To...)...); err != nil {
		return nil, err
	}
	roots, err := c.roots(secret)
	if err != nil {
		return nil, err
	}
	s := &smtp{config: c, host: host, wait: timeout}
	config := &tls.Config{ServerName: host, RootCAs: roots, MinVersion: tls.VersionTLS12}
	s.options = []mail.Option{mail.WithPort(port), mail.WithTimeout(timeout), mail.WithTLSConfig(config)}
	switch c.TLS {
	case "", "starttls":
		s.options = append(s.options, mail.WithTLSPolicy(mail.TLSMandatory))
	case "tls":
		s.secure = &tls.Dialer{Config: config}
		s.options = append(s.options, mail.WithSSL())
	case "none":
		if !onThisMachine(host) {
			return nil, errors.New("tls: none is for a server on this machine alone")
		}
		s.options = append(s.options, mail.WithTLSPolicy(mail.NoTLS))
	default:
		return nil, fmt.Errorf("tls %.40q: write starttls, tls or none", c.TLS)
	}
	if c.User != "" {
		password, err := secret(c.Password)
		if err != nil {
			return nil, err
		}
		s.options = append(s.options, mail.WithSMTPAuth(s.mechanism()), mail.WithUsername(c.User), mail.WithPassword(password))
	}
	_, err = mail.NewClient(host, s.options...)
	return s, err
}

// mechanism is how the hub says who it is: the best that the server offers. Where TLS
// begins with the first byte the library does not see that it is there, and is told.
func (s *smtp) mechanism() mail.SMTPAuthType {
	if s.secure != nil {
		return mail.SMTPAuthPlain
	}
	return mail.SMTPAuthAutoDiscover
}

// Send hands the message to the server, which has taken it when there is no error. What
// it does afterwards, as it hangs up, is none: the letter would go out again.
func (s *smtp) Send(ctx context.Context, m *Message) error {
	ctx, cancel := context.WithTimeout(ctx, s.wait)
	defer cancel()
	letter := mail.NewMsg(mail.WithNoDefaultUserAgent())
	if err := errors.Join(letter.From(s.config.From), letter.To(s.config.To...)); err != nil {
		return fmt.Errorf("alert.smtp: %w", err)
	}
	letter.Subject(m.Subject())
	letter.SetMessageIDWithValue(m.ID + "@gapless") // the same for every try
	letter.SetGenHeader(mail.Header("Auto-Submitted"), "auto-generated")
	letter.SetBodyString(mail.TypeTextPlain, m.Text())
	dialed := &dialer{secure: s.secure}
	defer dialed.close() // the library leaves a connection open on which nothing could be sent
	client, err := mail.NewClient(s.host, append(slices.Clone(s.options), mail.WithDialContextFunc(dialed.dial))...)
	if err != nil {
		return fmt.Errorf("alert.smtp: %w", err)
	}
	defer context.AfterFunc(ctx, dialed.close)()
	if err := client.DialAndSendWithContext(ctx, letter); err != nil && !letter.IsDelivered() {
		return fmt.Errorf("alert.smtp: %s: %w", s.host, err)
	}
	return nil
}

// A dialer makes the connection of one message, and ends it whatever became of that.
type dialer struct {
	secure *tls.Dialer
	mu     sync.Mutex
	conn   net.Conn
	closed bool
}

func (d *dialer) dial(ctx context.Context, network, address string) (net.Conn, error) {
	connect := (&net.Dialer{}).DialContext
	if d.secure != nil {
		connect = d.secure.DialContext
	}
	conn, err := connect(ctx, network, address)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.closed {
		return nil, errors.Join(net.ErrClosed, conn.Close())
	}
	d.conn = conn
	return conn, nil
}

func (d *dialer) close() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.closed = true
	if d.conn != nil {
		_ = d.conn.Close() // it has ended already where the message was taken
	}
}
