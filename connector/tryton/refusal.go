package tryton

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"

	"github.com/gapless/gapless/connector"
	"github.com/gapless/gapless/fault"
)

// A Refusal is an answer of the server that is no result: what the call did was
// rolled back.
type Refusal struct {
	Method string        // that was called; "" where the connector itself has found it
	Reason *fault.Reason // of the class Heals where the same call may be made again
	Text   string        // the server's own words, at most connector.MaxText bytes

	kind string // UserError, UserWarning, ConcurrencyException, LoginException; "" for anything unexpected
}

// Error is the reason and the server's words.
func (r *Refusal) Error() string { return r.fault().Error() }

// Unwrap is the fault, so that errors.Is knows the reason.
func (r *Refusal) Unwrap() error { return r.fault() }

func (r *Refusal) fault() *fault.Fault {
	return &fault.Fault{Op: "tryton " + r.Method, Reason: r.Reason, Detail: r.Text}
}

// rules tell the server's words apart. They have no code; these are the texts of
// Tryton 6.0 in English, with names of records inside. What none of them knows is
// no guess of ours: fault.UnclassifiedRefusal.
var rules = []struct {
	words  *regexp.Regexp
	reason *fault.Reason
}{
	{regexp.MustCompile(`^To modify stock move ".*" you must reopen period ".*"`), fault.PeriodClosed},
	{regexp.MustCompile(`^To continue, you must create a period for the date ".*"`), fault.AccountingClosed}, // a closed one is worded as a missing one
	{regexp.MustCompile(`^To move product ".*" you must provide a stock lot`), fault.LotMissing},
	{regexp.MustCompile(`because its lot ".*" has expired`), fault.LotExpired},
	{regexp.MustCompile(`^The value ".*" for field ".*" in ".*" does not exist`), fault.MasterDataMissing},
	{regexp.MustCompile(`^You are trying to read records ".*" of ".*" that don't exist anymore`), fault.MasterDataMissing},
	{regexp.MustCompile(`^The value for field "(?:Uom|UOM|Unit of Measure)" in ".*" is not valid according to its domain`), fault.UnitRefused},
	{regexp.MustCompile(`^cannot convert between .* and .* without a factor or rate`), fault.UnitRefused}, // a business refusal in technical clothes
	{regexp.MustCompile(`^The number of digits in the value ".*" for field ".*" in ".*" exceeds the limit of ".*"`), fault.PrecisionRefused},
	{regexp.MustCompile(`^You are not allowed to access ".*"`), fault.AccessDenied},
	{regexp.MustCompile(`^Calling button ".* on ".*" is not allowed`), fault.AccessDenied}, // the server leaves out a quotation mark
	{regexp.MustCompile(`^To complete production ".*", work ".*" must be finished`), fault.WrongState},
	{regexp.MustCompile(`because it is (?:done|cancelled)\.`), fault.WrongState},
	{regexp.MustCompile(`you must (?:cancel it or )?reset its state to draft`), fault.WrongState},
	{regexp.MustCompile(`^could not obtain lock on row`), fault.RecordLocked},
	{regexp.MustCompile(`^deadlock detected`), fault.RecordLocked},
	{regexp.MustCompile(`^database is locked`), fault.RecordLocked}, // SQLite
	{regexp.MustCompile(`^could not serialize access`), fault.ChangedMeanwhile},
	{regexp.MustCompile(`^You can create only one journal per period\.`), fault.ChangedMeanwhile}, // two first postings of a month at a time
}

// The server has lost its database. Before a transaction nothing was done; in the
// middle of one nobody knows.
var (
	noDatabase   = regexp.MustCompile(`^(?:connection to server at .* failed|could not connect to server|could not translate host name|connection pool exhausted)`)
	lostDatabase = regexp.MustCompile(`(?:server closed the connection unexpectedly|connection already closed|terminating connection|SSL connection has been closed)`)
)

// refusal is the error that an error of the server stands for: its first part is
// the kind, or, for everything unexpected, the message itself.
func (c *Client) refusal(op string, parts []json.RawMessage) error {
	kind, text := "", textOf(parts, 0, 0)
	switch text {
	case "UserError":
		kind, text = text, textOf(parts, 1, 0)
	case "UserWarning", "LoginException": // the first of the texts is a name
		kind, text = text, textOf(parts, 1, 1)
	case "ConcurrencyException":
		return &Refusal{Method: op, Reason: fault.ChangedMeanwhile, Text: c.words(textOf(parts, 1, 0)), kind: text}
	}
	text = c.words(text)
	switch {
	case kind == "" && noDatabase.MatchString(text):
		return connector.NotSent(op, fault.SystemDown, errors.New(text))
	case kind == "" && lostDatabase.MatchString(text):
		return connector.Unknown(op, fault.AnswerLost, errors.New(text))
	}
	return &Refusal{Method: op, Reason: reasonOf(kind, text), Text: text, kind: kind}
}

func reasonOf(kind, text string) *fault.Reason {
	if kind == "UserWarning" || kind == "LoginException" {
		return fault.UnclassifiedRefusal
	}
	for _, rule := range rules {
		if rule.words.MatchString(text) {
			return rule.reason
		}
	}
	return fault.UnclassifiedRefusal
}

// textOf is a part of an error as text: itself, or the texts of a list from the
// first one on. What else is in the list is left out: a violated rule brings 42 kB
// of field definitions along.
func textOf(parts []json.RawMessage, i, first int) string {
	if i >= len(parts) {
		return ""
	}
	var text string
	if json.Unmarshal(parts[i], &text) == nil {
		return text
	}
	var list []json.RawMessage
	if json.Unmarshal(parts[i], &list) != nil {
		return string(parts[i])
	}
	var texts []string
	for _, item := range list[min(first, len(list)):] {
		if json.Unmarshal(item, &text) == nil && text != "" {
			texts = append(texts, text)
		}
	}
	return strings.Join(texts, " ")
}
