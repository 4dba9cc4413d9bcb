package alert

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/wneessen/go-mail"

	"github.com/gapless/gapless/catalog"
)

// A smtp sends what is told as e-mail in plain text.
type smtp struct {
	config  ChannelConfig
	host    string
	options []mail.Option
	wait    time.Duration
}

func newSMTP(c ChannelConfig, timeout time.Duration, secret func(catalog.SecretRef) (string, error)) (*smtp, error) {
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
	s.options = []mail.Option{
		mail.WithPort(port), mail.WithTimeout(timeout), mail.WithTLSConfig(&tls.Config{ServerName: host, RootCAs: roots, MinVersion: tls.VersionTLS12}),
	}
	switch c.TLS {
	case "", "starttls":
		s.options = append(s.options, mail.WithTLSPolicy(mail.TLSMandatory))
	case "tls":
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
		s.options = append(s.options, mail.WithSMTPAuth(mail.SMTPAuthAutoDiscover), mail.WithUsername(c.User), mail.WithPassword(password))
	}
	_, err = mail.NewClient(host, s.options...)
	return s, err
}

// Send hands the message to the server, which has taken it when there is no error.
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
	client, err := mail.NewClient(s.host, s.options...)
	if err != nil {
		return fmt.Errorf("alert.smtp: %w", err)
	}
	if err := client.DialAndSendWithContext(ctx, letter); err != nil {
		return fmt.Errorf("alert.smtp: %s: %w", s.host, err)
	}
	return nil
}
