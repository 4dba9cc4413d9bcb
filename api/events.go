package api

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/gapless/gapless/event"
	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/ledger"
)

// Media types of CloudEvents 1.0, JSON format and HTTP binding.
const (
	structuredType = "application/cloudevents+json"
	batchType      = "application/cloudevents-batch+json"
	cloudEvents    = "application/cloudevents" // begins every type that is not binary mode
	headerPrefix   = "Ce-"
)

// postEvents takes CloudEvents in any of the three modes of the HTTP binding.
func (a *API) postEvents(w http.ResponseWriter, r *http.Request) {
	p, err := a.principal(r.Context(), r.Header.Get("Authorization"))
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	d, batch, err := a.eventDelivery(w, r, p)
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	if batch {
		a.answerAll(w, r, d)
		return
	}
	a.answerOne(w, r, d)
}

// eventDelivery reads a request of CloudEvents.
func (a *API) eventDelivery(w http.ResponseWriter, r *http.Request, p ledger.Principal) (d flow.Delivery, batch bool, err error) {
	d = flow.Delivery{From: p, Message: event.CloudEventMessage, Channel: "http", Limits: a.limits()}
	contentType := r.Header.Get("Content-Type")
	media, parameters, typeErr := mime.ParseMediaType(contentType)
	if d.Body, err = a.body(w, r); err != nil {
		return d, false, err
	}
	if isBinary(r.Header, contentType) {
		d.ContentType = structuredType
		d.Body, err = binaryEvent(r.Header, contentType, d.Body)
		return d, false, err
	}
	if charset := parameters["charset"]; typeErr == nil && charset != "" && !strings.EqualFold(charset, "utf-8") {
		return d, false, fault.New("api", fault.TypeUnsupported, "content-type", "charset %.40q; CloudEvents in JSON are UTF-8", charset)
	}
	d.ContentType = media
	first := firstByte(d.Body)
	switch media {
	case structuredType:
		if first == '[' {
			return d, false, fault.New("api", fault.NotReadable, "", "the body is an array; send several events as %s", batchType)
		}
		return d, false, nil
	case batchType:
		if first != '[' {
			return d, true, fault.New("api", fault.NotReadable, "", "the body is no array; send one event as %s", structuredType)
		}
		return d, true, nil
	}
	return d, false, fault.New("api", fault.TypeUnsupported, "content-type", "%.100q", contentType)
}

func firstByte(body []byte) byte {
	body = bytes.TrimLeft(bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), " \t\r\n")
	if len(body) == 0 {
		return 0
	}
	return body[0]
}

// body reads a request's body within the limit.
func (a *API) body(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > a.cfg.MaxBody {
		return nil, a.tooLong()
	}
	var b bytes.Buffer
	if r.ContentLength > 0 {
		b.Grow(int(r.ContentLength) + bytes.MinRead)
	}
	_, err := b.ReadFrom(http.MaxBytesReader(w, r.Body, a.cfg.MaxBody))
	var exceeded *http.MaxBytesError
	switch {
	case errors.As(err, &exceeded):
		return nil, a.tooLong()
	case errors.Is(err, io.ErrUnexpectedEOF):
		return nil, fault.New("api", fault.NotReadable, "", "the body ended after %d of %d bytes", b.Len(), r.ContentLength)
	case err != nil:
		return nil, fault.New("api", fault.NotReadable, "", "the body did not arrive whole")
	}
	return b.Bytes(), nil
}

func (a *API) tooLong() error {
	return fault.New("api", fault.LimitExceeded, "", "the body has more than %d bytes", a.cfg.MaxBody)
}

// isBinary tells whether a request is in the binary mode: its attributes are
// headers, and its content type is that of the data.
func isBinary(h http.Header, contentType string) bool {
	if len(contentType) >= len(cloudEvents) && strings.EqualFold(contentType[:len(cloudEvents)], cloudEvents) {
		return false
	}
	for name := range h {
		if strings.HasPrefix(name, headerPrefix) {
			return true
		}
	}
	return false
}

// binaryEvent is a binary mode request as the structured event that says the same
// (CloudEvents HTTP binding 1.0.2, section 3.1). Data that is no JSON goes into
// data_base64: it is kept with the event, and held.
func binaryEvent(h http.Header, contentType string, body []byte) ([]byte, error) {
	doc := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(h)) {
		attribute, ok := strings.CutPrefix(name, headerPrefix)
		if !ok {
			continue
		}
		attribute = strings.ToLower(attribute)
		switch {
		case attribute == "data" || attribute == "data_base64" || attribute == "datacontenttype":
			return nil, invalid(strings.ToLower(name), "the data is the body, its type the header Content-Type")
		case len(h[name]) > 1:
			return nil, invalid(strings.ToLower(name), "the header is there %d times", len(h[name]))
		}
		value, err := headerValue(h[name][0])
		if err != nil {
			return nil, invalid(strings.ToLower(name), "%s", err)
		}
		doc[attribute] = value
	}
	if contentType != "" {
		doc["datacontenttype"] = contentType
	}
	switch {
	case len(body) == 0:
	case json.Valid(body):
		doc["data"] = json.RawMessage(body)
	default:
		doc["data_base64"] = base64.StdEncoding.EncodeToString(body)
	}
	return json.Marshal(doc)
}

var errHeaderText = errors.New("the value is not UTF-8, also after percent-decoding")

// headerValue decodes an attribute's value: quotes first, then one round of
// percent-decoding (HTTP binding, section 3.1.3.2). A percent sign that begins no
// code stands for itself: not every client encodes it.
func headerValue(text string) (string, error) {
	if n := len(text); n >= 2 && text[0] == '"' && text[n-1] == '"' {
		text = unquoted(text[1 : n-1])
	}
	b := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] == '%' && i+2 < len(text) {
			if code, err := hex.DecodeString(text[i+1 : i+3]); err == nil {
				b = append(b, code[0])
				i += 2
				continue
			}
		}
		b = append(b, text[i])
	}
	if !utf8.Valid(b) {
		return "", errHeaderText
	}
	return string(b), nil
}

func unquoted(text string) string {
	b := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) {
			i++
		}
		b = append(b, text[i])
	}
	return string(b)
}

// answerOne takes a delivery of one message.
func (a *API) answerOne(w http.ResponseWriter, r *http.Request, d flow.Delivery) {
	for answer, err := range a.flow.Take(r.Context(), d) {
		if err != nil {
			a.refuse(w, r, err)
			return
		}
		a.took(d, &answer)
		if answer.Refused != nil {
			a.refuse(w, r, answer.Refused)
			return
		}
		a.answer(w, &answer)
		return
	}
	a.refuse(w, r, fault.New("api", fault.NotReadable, "", "the body holds no message"))
}

func (a *API) answer(w http.ResponseWriter, answer *flow.Answer) {
	if answer.Outcome == ledger.Held {
		v := answerOf(answer)
		v.Record = 0
		write(w, http.StatusAccepted, jsonType, v)
		return
	}
	w.Header().Set("Content-Type", jsonType)
	_, _ = w.Write(appendAnswer(make([]byte, 0, 320), answer)) // a client that is gone asks again
}

// took counts an answer. The system of a CloudEvent that a person delivers is not
// known here.
func (a *API) took(d flow.Delivery, answer *flow.Answer) {
	system := d.System
	if system == "" {
		system = d.From.System
	}
	a.tally.took(answer)
	a.metrics.took(system, answer)
}

// listed is how many answers of a file are listed whatever they say, and remarked
// how many of the held, corrected and refused ones behind them.
const (
	listed   = 1_000
	remarked = 10_000
)

// answerAll takes a delivery of many messages and answers when all are through.
func (a *API) answerAll(w http.ResponseWriter, r *http.Request, d flow.Delivery) {
	all := Answers{Answers: []Answer{}}
	var refused *fault.Fault
	ctx := r.Context()
	for answer, err := range a.flow.Take(ctx, d) {
		if err != nil {
			if all.Summary.Messages == 0 {
				a.refuse(w, r, err)
				return
			}
			all.Error = a.problem(ctx, err)
			break
		}
		a.took(d, &answer)
		all.Summary.add(&answer)
		refused = answer.Refused
		trivial := answer.Refused == nil && (answer.Outcome == ledger.Recorded || answer.Outcome == ledger.Duplicate)
		if n := len(all.Answers); n < listed || !trivial && n < listed+remarked {
			all.Answers = append(all.Answers, answerOf(&answer))
		} else {
			all.Summary.LeftOut++
		}
	}
	if all.Error == nil && all.Summary.Messages == 1 && refused != nil {
		a.refuse(w, r, refused)
		return
	}
	// A recorder of tests has no deadline.
	_ = http.NewResponseController(w).SetWriteDeadline(a.cfg.Clock().Add(writeTimeout))
	write(w, all.status(), jsonType, all)
}

// status is that of a series: 207 where not all of it was kept, 202 where some of
// it is held.
func (all *Answers) status() int {
	switch {
	case all.Error != nil, all.Summary.Refused > 0:
		return http.StatusMultiStatus
	case all.Summary.Held > 0:
		return http.StatusAccepted
	}
	return http.StatusOK
}
