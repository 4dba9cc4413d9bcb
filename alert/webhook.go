package alert

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/gapless/gapless/catalog"
	"github.com/gapless/gapless/connector/guard"
)

// The headers of a webhook.
const (
	// SignatureHeader is "t=<unix seconds>,v1=<hex>": HMAC-SHA256 by the secret over the
	// seconds, a dot and the body.
	SignatureHeader = "Gapless-Signature"
	// MessageHeader is the id of the message, the same for every try.
	MessageHeader = "Gapless-Message"
)

// A webhook posts what is told as JSON.
type webhook struct {
	url    string
	host   string // for errors: the address itself may hold a token
	secret []byte
	client *http.Client
	wait   time.Duration
	now    func() time.Time
}

// answerLimit is how much of an answer is read, in bytes.
const answerLimit = 4 << 10

func newWebhook(c *ChannelConfig, timeout time.Duration, secret func(catalog.SecretRef) (string, error), now func() time.Time) (*webhook, error) {
	u, err := url.Parse(c.URL)
	switch {
	case err != nil || u.Host == "":
		return nil, errors.New("url: write an address that begins with https://")
	case u.Scheme != "https" && (u.Scheme != "http" || !onThisMachine(u.Hostname())):
		return nil, errors.New("url: only https leaves this machine")
	case c.Secret == "":
		return nil, errors.New("secret is missing: a receiver must be able to tell who sends (env:NAME or file:PATH)")
	}
	key, err := secret(c.Secret)
	if err != nil {
		return nil, err
	}
	roots, err := c.roots(secret)
	if err != nil {
		return nil, err
	}
	w := &webhook{url: c.URL, host: u.Host, secret: []byte(key), wait: timeout, now: now}
	w.client = &http.Client{
		Transport:     guard.NewTransport(roots),
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, // what is told is for this receiver alone
	}
	return w, nil
}

// roots are the certificates of ca; nil are those of the machine.
func (c *ChannelConfig) roots(secret func(catalog.SecretRef) (string, error)) (*x509.CertPool, error) {
	if c.CA == "" {
		return nil, nil
	}
	pem, err := secret(c.CA)
	if err != nil {
		return nil, fmt.Errorf("ca: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(pem)) {
		return nil, fmt.Errorf("ca: %s holds no certificate in PEM", c.CA)
	}
	return pool, nil
}

// Sign is the signature of a body that is sent at a time.
func Sign(secret, body []byte, at time.Time) string {
	seconds := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte(seconds + "."))
	mac.Write(body)
	return "t=" + seconds + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// Send posts the message. Any answer but 2xx is an error.
func (w *webhook) Send(ctx context.Context, m *Message) error {
	ctx, cancel := context.WithTimeout(ctx, w.wait)
	defer cancel()
	body, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("alert.webhook: %w", err)
	}
	leave := &guard.Leave{Check: func(time.Time) error { return ctx.Err() }, Now: w.now}
	r, err := http.NewRequestWithContext(leave.Trace(ctx), http.MethodPost, w.url, bytes.NewReader(body))
	if err != nil {
		return w.failed(err)
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("User-Agent", "gapless")
	r.Header.Set(MessageHeader, m.ID)
	r.Header.Set(SignatureHeader, Sign(w.secret, body, w.now()))
	answer, err := w.client.Do(r)
	if err != nil {
		return w.failed(err)
	}
	_, read := io.Copy(io.Discard, io.LimitReader(answer.Body, answerLimit))
	if err := errors.Join(read, answer.Body.Close()); err != nil && answer.StatusCode/100 == 2 {
		return w.failed(err)
	}
	if answer.StatusCode/100 != 2 {
		return fmt.Errorf("alert.webhook: %s answered %d", w.host, answer.StatusCode)
	}
	return nil
}

// failed is an error without the address.
func (w *webhook) failed(err error) error {
	if about, ok := errors.AsType[*url.Error](err); ok {
		err = about.Err
	}
	return fmt.Errorf("alert.webhook: %s: %w", w.host, err)
}
