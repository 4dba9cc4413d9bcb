package api

import (
	"encoding/json"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/ledger"
)

const (
	linesType  = "application/x-ndjson"
	fileHeader = "X-Gapless-File"
)

// postMessages takes a system's native messages: one record, or a file of them.
func (a *API) postMessages(w http.ResponseWriter, r *http.Request) {
	p, err := a.principal(r.Context(), r.Header.Get("Authorization"))
	if err != nil {
		a.refuse(w, r, err)
		return
	}
	d, err := a.messageDelivery(w, r, p, r.PathValue("system"), r.PathValue("message"))
	switch {
	case err != nil:
		a.refuse(w, r, err)
	case strings.Contains(r.Header.Get("Accept"), linesType):
		a.answerLines(w, r, d)
	default:
		a.answerAll(w, r, d)
	}
}

func (a *API) messageDelivery(w http.ResponseWriter, r *http.Request, p ledger.Principal, system, message string) (flow.Delivery, error) {
	body, err := a.body(w, r)
	return flow.Delivery{
		From: p, System: system, Message: message, ContentType: r.Header.Get("Content-Type"), Channel: channel(r.Header.Get(fileHeader)),
		Body: body, Limits: a.limits(),
	}, err
}

// channel is how a message came, as it is kept: the name of a file without its
// folder and without what cannot be printed.
func channel(file string) string {
	if decoded, err := url.PathUnescape(file); err == nil {
		file = decoded
	}
	file = strings.Map(func(r rune) rune {
		if r == unicode.ReplacementChar || !unicode.IsPrint(r) {
			return -1
		}
		return r
	}, path.Base(strings.ReplaceAll(file, `\`, "/")))
	for len(file) > 200 { // the end of a name tells more than its beginning
		_, first := utf8.DecodeRuneInString(file)
		file = file[first:]
	}
	if file == "" || file == "." || file == "/" {
		return "http"
	}
	return "file:" + file
}

// flushed is after how many lines, and how long, a stream of answers is sent on.
// Records share commits of at most so many.
const (
	flushedLines = 256
	flushedAfter = 200 * time.Millisecond
)

// answerLines answers each record on a line of its own as soon as it is on record,
// so that a sender that keeps a journal knows where to go on after a break.
func (a *API) answerLines(w http.ResponseWriter, r *http.Request, d flow.Delivery) {
	var summary Summary
	control := http.NewResponseController(w)
	lines := json.NewEncoder(w)
	lines.SetEscapeHTML(false)
	begun, waiting, sent := false, 0, a.cfg.Clock()
	ctx := r.Context()
	for answer, err := range a.flow.Take(ctx, d) {
		if !begun && err != nil {
			a.refuse(w, r, err)
			return
		}
		if !begun {
			w.Header().Set("Content-Type", linesType)
			begun = true
		}
		if err != nil {
			_ = lines.Encode(map[string]any{"error": a.problem(ctx, err), "summary": summary})
			return
		}
		a.took(d, &answer)
		summary.add(&answer)
		if lines.Encode(answerOf(&answer)) != nil {
			return // nobody listens: what was recorded stays, the rest is sent again
		}
		waiting++
		if now := a.cfg.Clock(); waiting >= flushedLines || now.Sub(sent) > flushedAfter {
			_ = control.SetWriteDeadline(now.Add(writeTimeout)) // a recorder of tests has none
			_ = control.Flush()
			waiting, sent = 0, now
		}
	}
	if !begun {
		w.Header().Set("Content-Type", linesType)
	}
	_ = lines.Encode(map[string]any{"summary": summary})
}
