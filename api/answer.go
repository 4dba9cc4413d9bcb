package api

import (
	"encoding/json"
	"strconv"
	"time"

	"github.com/gapless/gapless/fault"
	"github.com/gapless/gapless/flow"
	"github.com/gapless/gapless/ledger"
)

// Answer says what became of one message. Exactly one of Outcome and Refused is
// set.
type Answer struct {
	Record    int        `json:"record,omitempty" doc:"Number in the file as a person counts, or place in the batch from 1; absent for a single message"`
	Outcome   string     `json:"outcome,omitempty" enum:"recorded,corrected,duplicate,held" doc:"recorded: on record. corrected: it restated what was on record. duplicate: known, nothing changed. held: kept as it came, the exception says why it does not go on"`
	Message   string     `json:"message,omitempty" doc:"Id of the kept version of the message"`
	ID        string     `json:"id,omitempty" doc:"The message's own id, as its source knows it"`
	Plant     string     `json:"plant,omitempty" doc:"Plant that it is about"`
	Position  int64      `json:"position,omitempty" doc:"Place of its last event in the plant's feed"`
	Events    []string   `json:"events,omitempty" nullable:"false" doc:"Ids of the events that stand for the message"`
	Recorded  string     `json:"recorded,omitempty" format:"date-time" doc:"When it was recorded, in UTC"`
	Exception *FaultView `json:"exception,omitempty" doc:"With held: why"`
	Refused   *Problem   `json:"refused,omitempty" doc:"Nothing was kept of this record"`
}

// FaultView is what stands in the way, as a person reads it.
type FaultView struct {
	Reason string `json:"reason" doc:"Code of the closed list of reasons"`
	Class  string `json:"class" enum:"heals,data,business,definition,operations" doc:"Who or what can put it right"`
	Title  string `json:"title"`
	Field  string `json:"field,omitempty" doc:"Where in the message or event: outputs/0/quantity/unit"`
	Ref    string `json:"ref,omitempty" doc:"The object in question"`
	Detail string `json:"detail,omitempty"`
	Remedy string `json:"remedy"`
}

// Answers is what became of the messages of a batch or a file.
type Answers struct {
	Answers []Answer `json:"answers" nullable:"false" doc:"In the order of the messages. Of a long file, behind the first 1,000 only those that were held, corrected or refused"`
	Summary Summary  `json:"summary"`
	Error   *Problem `json:"error,omitempty" doc:"Why the rest of the messages has no answer; they may be sent again"`
}

// Summary counts the answers.
type Summary struct {
	Messages  int            `json:"messages"`
	Recorded  int            `json:"recorded"`
	Corrected int            `json:"corrected"`
	Duplicate int            `json:"duplicate"`
	Held      int            `json:"held"`
	Refused   int            `json:"refused"`
	Reasons   map[string]int `json:"reasons,omitempty" doc:"Held and refused messages by reason"`
	LeftOut   int            `json:"left_out,omitempty" doc:"Answers that are counted but not listed"`
}

func (s *Summary) add(a *flow.Answer) {
	s.Messages++
	switch {
	case a.Refused != nil:
		s.Refused++
		s.reason(a.Refused)
	case a.Outcome == ledger.Recorded:
		s.Recorded++
	case a.Outcome == ledger.Corrected:
		s.Corrected++
	case a.Outcome == ledger.Duplicate:
		s.Duplicate++
	case a.Outcome == ledger.Held:
		s.Held++
		s.reason(a.Fault)
	}
}

func (s *Summary) reason(f *fault.Fault) {
	if f == nil {
		return
	}
	if s.Reasons == nil {
		s.Reasons = map[string]int{}
	}
	s.Reasons[f.Reason.Code]++
}

func faultView(f *fault.Fault) *FaultView {
	if f == nil {
		return nil
	}
	return &FaultView{
		Reason: f.Reason.Code, Class: string(f.Reason.Class), Title: f.Reason.Title, Field: f.Field, Ref: string(f.Ref),
		Detail: f.Explanation(), Remedy: f.Reason.Remedy,
	}
}

// answerOf is an answer of the flow as it is shown, with its place in a series.
func answerOf(a *flow.Answer) Answer {
	if a.Refused != nil {
		return Answer{Record: a.Record, ID: a.ID, Refused: refusal(a.Refused)}
	}
	v := Answer{
		Record: a.Record, Outcome: string(a.Outcome), Message: a.Message, ID: a.ID, Plant: a.Plant, Position: a.Position, Events: a.Events,
		Recorded: utc(a.Recorded),
	}
	if a.Outcome == ledger.Held {
		v.Exception = faultView(a.Fault)
	}
	return v
}

// utc is a time of ours as text: RFC 3339 in UTC, microseconds; "" for none.
func utc(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// appendAnswer writes the answer to a single message as JSON, by hand: this is
// what each of many thousand posts a second costs.
func appendAnswer(b []byte, a *flow.Answer) []byte {
	b = append(b, `{"outcome":"`...)
	b = append(b, a.Outcome...)
	b = append(b, `","message":"`...)
	b = append(b, a.Message...)
	b = append(b, `","id":`...)
	b = appendText(b, a.ID)
	if a.Plant != "" {
		b = append(b, `,"plant":`...)
		b = appendText(b, a.Plant)
	}
	if a.Position > 0 {
		b = append(b, `,"position":`...)
		b = strconv.AppendInt(b, a.Position, 10)
	}
	if len(a.Events) > 0 {
		b = append(b, `,"events":[`...)
		for i, id := range a.Events {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(append(append(b, '"'), id...), '"')
		}
		b = append(b, ']')
	}
	if !a.Recorded.IsZero() {
		b = append(b, `,"recorded":"`...)
		b = a.Recorded.UTC().AppendFormat(b, time.RFC3339Nano)
		b = append(b, '"')
	}
	return append(b, '}', '\n')
}

// appendText writes a text as JSON. Texts without anything to escape, which is
// nearly all, are copied.
func appendText(b []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= 0x7f {
			quoted, err := json.Marshal(s)
			if err != nil {
				return append(b, `""`...) // a string always marshals
			}
			return append(b, quoted...)
		}
	}
	return append(append(append(b, '"'), s...), '"')
}
